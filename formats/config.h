/* What a model's metadata say about its embedding stage: those of a Hugging Face config.json, or of
 * a GGUF file (gguf_config.h). */
#ifndef POSEMB_CONFIG_H
#define POSEMB_CONFIG_H

#include <posemb/posemb.h>

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_TEXT_SIZE 64u

/** In place of a model's name: nothing is added to its token rows. */
#define CONFIG_WITHOUT_POSITIONS "none"

/** A key that is not in the file has has_... false, and a value of 0. All other keys are passed
 * over. Of synonyms, one key may be there, or several of the same value. */
typedef struct model_config {
    bool has_model_type;
    bool has_hidden_size;
    bool has_embedding_size;
    bool has_vocab_size;
    bool has_max_position_embeddings;
    bool has_type_vocab_size;
    bool has_pad_token_id;
    bool has_layer_norm_eps;
    bool has_rms_norm_eps;
    bool has_position_embedding_type;
    bool has_scale_embedding;
    bool has_sinusoidal;
    bool has_architecture;
    bool has_token_scale;
    bool has_position_table; /**< of a GGUF file: it stores positions */
    bool scale_embedding;
    bool sinusoidal; /**< sinusoidal_pos_embds (DistilBERT), sinusoidal_embeddings (XLM) */
    char model_type[CONFIG_TEXT_SIZE];              /**< printable ASCII */
    char position_embedding_type[CONFIG_TEXT_SIZE]; /**< likewise */
    uint64_t hidden_size;    /**< 1 ... POSEMB_DIM_MAX; also d_model, n_embd, dim and emb_dim */
    uint64_t embedding_size; /**< D of the token table where it is another (ALBERT, ELECTRA); also
                                  word_embed_proj_dim (OPT) */
    uint64_t vocab_size;     /**< 1 ... 2^32 - 1, like all that follow */
    uint64_t max_position_embeddings; /**< also n_positions */
    uint64_t type_vocab_size;         /**< may be 0 */
    int64_t pad_token_id;  /**< may be -1, which no token has; null in the file: has_... is false */
    double layer_norm_eps; /**< positive, at most 1; also layer_norm_epsilon */
    double rms_norm_eps;   /**< likewise */
    char architecture[CONFIG_TEXT_SIZE]; /**< of a GGUF file, in place of model_type; likewise */
    double token_scale; /**< of a GGUF file: a finite float, not 0; scale_embedding is another's */
} model_config;

/**
 * Read a file of at most 1 MiB: strict JSON without keys that come twice.
 *
 * @param read  Receives what it says; all zeros on failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where the file cannot be read, is malformed, or a
 * value is of another type or out of range: the message names key and value; POSEMB_OUT_OF_MEMORY.
 */
posemb_status config_read(const char *path, model_config *read, posemb_error *error);

/**
 * The name of the model of posemb_model_find() that has the positions of that config's model; of a
 * GGUF file also CONFIG_WITHOUT_POSITIONS.
 *
 * Its padding, start and scale are those of a checkpoint as published: pad_token_id and the scales
 * of the config go before them.
 *
 * @return Static storage; NULL where there is none, or no model_type and no architecture.
 */
const char *config_model_name(const model_config *read);

#endif
