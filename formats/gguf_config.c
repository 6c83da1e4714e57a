/* llama.cpp's keys and architectures. */
#include "gguf_config.h"

#include "file_bytes.h"
#include "gguf.h"
#include "status.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Architectures */

#define ROOT_OF_D (-1.0)
#define NONE      CONFIG_WITHOUT_POSITIONS

/* What llama.cpp's graph of that general.architecture does before its first layer. Where positions
 * are no rows that are added, they are rotations, biases of the attention or recurrences. The scale
 * is that of a file without ARCH.embedding_scale; 0: none. All add row 0 of the token types, and
 * the norm, where there are any. Not here, and so unknown: what feeds its first layer otherwise, or
 * is not known well enough. */
static const struct architecture {
    const char *name;
    const char *model;
    double scale;
} architectures[] = {
    /* position_embd by index: a converter has cut off the rows before padding_idx + 1 of RoBERTa
     * and its kin (_xlmroberta_set_vocab and its _position_offset, convert_hf_to_gguf.py) */
    {"bert", "bert", 0.0},
    {"gpt2", "gpt2", 0.0},
    {"starcoder", "gpt2", 0.0},
    {"mpt", "gpt2", 0.0}, /* where it has a table: its positions are ALiBi by default */

    {"nomic-bert", NONE, 0.0}, /* token types, norm, rotations */
    {"nomic-bert-moe", NONE, 0.0},
    {"jina-bert-v2", NONE, 0.0}, /* ALiBi */
    {"jina-bert-v3", NONE, 0.0},
    {"modern-bert", NONE, 0.0},
    {"neo-bert", NONE, 0.0},
    {"bloom", NONE, 0.0}, /* ALiBi, norm */
    {"refact", NONE, 0.0},
    {"jais", NONE, 0.0}, /* its converter has scaled the rows */
    {"t5", NONE, 0.0},
    {"t5encoder", NONE, 0.0},
    {"mamba", NONE, 0.0},
    {"mamba2", NONE, 0.0},
    {"rwkv6", NONE, 0.0}, /* norm */
    {"rwkv7", NONE, 0.0},

    {"llama", NONE, 0.0},
    {"llama4", NONE, 0.0},
    {"deci", NONE, 0.0},
    {"falcon", NONE, 0.0},
    {"gptneox", NONE, 0.0},
    {"baichuan", NONE, 0.0},
    {"stablelm", NONE, 0.0},
    {"qwen", NONE, 0.0},
    {"qwen2", NONE, 0.0},
    {"qwen2moe", NONE, 0.0},
    {"qwen2vl", NONE, 0.0},
    {"qwen3", NONE, 0.0},
    {"qwen3moe", NONE, 0.0},
    {"phi2", NONE, 0.0},
    {"phi3", NONE, 0.0},
    {"phimoe", NONE, 0.0},
    {"plamo", NONE, 0.0},
    {"codeshell", NONE, 0.0},
    {"orion", NONE, 0.0},
    {"internlm2", NONE, 0.0},
    {"starcoder2", NONE, 0.0},
    {"xverse", NONE, 0.0},
    {"command-r", NONE, 0.0},
    {"cohere2", NONE, 0.0},
    {"dbrx", NONE, 0.0},
    {"olmo", NONE, 0.0},
    {"olmo2", NONE, 0.0},
    {"olmoe", NONE, 0.0},
    {"openelm", NONE, 0.0},
    {"arctic", NONE, 0.0},
    {"deepseek", NONE, 0.0},
    {"deepseek2", NONE, 0.0},
    {"chatglm", NONE, 0.0},
    {"glm4", NONE, 0.0},
    {"bitnet", NONE, 0.0},
    {"nemotron", NONE, 0.0},
    {"exaone", NONE, 0.0},
    {"exaone4", NONE, 0.0},
    {"smollm3", NONE, 0.0},
    {"gpt-oss", NONE, 0.0},

    {"granite", NONE, 0.0}, /* by embedding_scale */
    {"granitemoe", NONE, 0.0},
    {"granitehybrid", NONE, 0.0},
    {"minicpm", NONE, 12.0}, /* scale_emb, which older files do not have as a key */
    {"minicpm3", NONE, 12.0},
    {"grok", NONE, 78.38367176906169},
    {"gemma", NONE, ROOT_OF_D},
    {"gemma2", NONE, ROOT_OF_D},
    {"gemma3", NONE, ROOT_OF_D},
    {"gemma3n", NONE, ROOT_OF_D},
    {"gemma-embedding", NONE, ROOT_OF_D},
};

static const struct architecture *find_architecture(const model_config *read)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (strcmp(architectures[i].name, read->architecture) == 0)
            return &architectures[i];
    return NULL;
}

const char *gguf_config_model_name(const model_config *read)
{
    const struct architecture *found = find_architecture(read);

    if (found && strcmp(found->name, "mpt") == 0 && !read->has_position_table)
        return NONE;
    return found ? found->model : NULL;
}

/* ---- Values */

typedef struct config_reader {
    const tensor_file *file;
    const gguf_file *source;
    model_config *read;
    posemb_error *error;
} config_reader;

#define KEY_SIZE (CONFIG_TEXT_SIZE + 64u)

/* "bert.embedding_length" of ".embedding_length"; others are whole. */
static const char *whole_key(const config_reader *reader, const char *key, char made[KEY_SIZE])
{
    if (*key != '.')
        return key;
    snprintf(made, KEY_SIZE, "%s%s", reader->read->architecture, key);
    return made;
}

static posemb_status read_number(const config_reader *reader, const char *key, uint64_t least,
                                 uint64_t most, bool *has, uint64_t *value)
{
    char made[KEY_SIZE];
    posemb_status status;

    key = whole_key(reader, key, made);
    status = gguf_get_u64(reader->source, key, has, value, reader->error);
    if (status != POSEMB_OK || !*has || (*value >= least && *value <= most))
        return status;
    return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: %s: a whole number in %" PRIu64 " ... %" PRIu64
                        " is needed, not %" PRIu64,
                        tensor_file_shown(reader->file), key, least, most, *value);
}

static posemb_status read_epsilon(const config_reader *reader, const char *key, bool *has,
                                  double *value)
{
    char made[KEY_SIZE];
    posemb_status status;

    key = whole_key(reader, key, made);
    status = gguf_get_f64(reader->source, key, has, value, reader->error);
    if (status != POSEMB_OK || !*has || (*value > 0.0 && *value <= 1.0))
        return status;
    return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: %s: a number above 0, at most 1, is needed, not %g",
                        tensor_file_shown(reader->file), key, *value);
}

static posemb_status read_pad_id(const config_reader *reader)
{
    uint64_t id = 0;
    const posemb_status status = read_number(reader, "tokenizer.ggml.padding_token_id", 0,
                                             UINT32_MAX, &reader->read->has_pad_token_id, &id);

    reader->read->pad_token_id = (int64_t)id;
    return status;
}

static posemb_status read_scale(const config_reader *reader)
{
    const struct architecture *of = find_architecture(reader->read);
    model_config *read = reader->read;
    char made[KEY_SIZE];
    const char *key = whole_key(reader, ".embedding_scale", made);
    posemb_status status;

    if (of && of->scale == ROOT_OF_D) {
        read->has_scale_embedding = true;
        read->scale_embedding = true;
        return POSEMB_OK;
    }
    status = gguf_get_f64(reader->source, key, &read->has_token_scale, &read->token_scale,
                          reader->error);
    if (status != POSEMB_OK)
        return status;
    if (!(fabs(read->token_scale) <= (double)FLT_MAX))
        return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: %s: a finite float is needed, not %g",
                            tensor_file_shown(reader->file), key, read->token_scale);
    read->token_scale = (double)(float)read->token_scale;
    if (!read->has_token_scale && of && of->scale != 0.0) {
        read->has_token_scale = true;
        read->token_scale = of->scale;
    }
    if (read->token_scale == 0.0)
        read->token_scale = 1.0; /* as llama.cpp takes a key of 0 */
    return POSEMB_OK;
}

/* ---- The keys */

static posemb_status read_architecture(const config_reader *reader)
{
    static const char key[] = "general.architecture";
    const char *text = NULL;
    char shown[NAME_SHOWN_SIZE];
    size_t size = 0;
    size_t length = 0;
    const posemb_status status = gguf_get_string(reader->source, key, &text, &size, reader->error);

    if (status != POSEMB_OK || !text)
        return status;
    while (length < size && text[length] >= 0x20 && text[length] <= 0x7e)
        length++;
    if (length == size && size > 0 && size < CONFIG_TEXT_SIZE) {
        memcpy(reader->read->architecture, text, size + 1);
        reader->read->has_architecture = true;
        return POSEMB_OK;
    }
    escape_text(text, size, shown, sizeof shown);
    return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: %s: a string of 1 ... 63 printable characters is needed, not \"%s\"",
                        tensor_file_shown(reader->file), key, shown);
}

static posemb_status read_keys_of_architecture(const config_reader *reader)
{
    model_config *read = reader->read;
    posemb_status status = read_number(reader, ".embedding_length", 1, POSEMB_DIM_MAX,
                                       &read->has_hidden_size, &read->hidden_size);

    if (status == POSEMB_OK)
        status = read_number(reader, ".vocab_size", 1, UINT32_MAX, &read->has_vocab_size,
                             &read->vocab_size);
    if (status == POSEMB_OK)
        status = read_number(reader, ".context_length", 0, UINT32_MAX,
                             &read->has_max_position_embeddings, &read->max_position_embeddings);
    if (status == POSEMB_OK)
        status = read_epsilon(reader, ".attention.layer_norm_epsilon", &read->has_layer_norm_eps,
                              &read->layer_norm_eps);
    if (status == POSEMB_OK)
        status = read_epsilon(reader, ".attention.layer_norm_rms_epsilon", &read->has_rms_norm_eps,
                              &read->rms_norm_eps);
    return status == POSEMB_OK ? read_scale(reader) : status;
}

static posemb_status read_keys(const config_reader *reader)
{
    model_config *read = reader->read;
    posemb_status status = read_architecture(reader);

    if (status == POSEMB_OK && read->has_architecture)
        status = read_keys_of_architecture(reader);
    if (status == POSEMB_OK)
        status = read_pad_id(reader);
    if (status == POSEMB_OK)
        status = read_number(reader, "tokenizer.ggml.token_type_count", 0, UINT32_MAX,
                             &read->has_type_vocab_size, &read->type_vocab_size);
    return status;
}

posemb_status gguf_config_read(const tensor_file *file, model_config *read, posemb_error *error)
{
    const config_reader reader = {
        .file = file, .source = tensor_file_gguf(file), .read = read, .error = error};
    posemb_status status;

    memset(read, 0, sizeof *read);
    status = read_keys(&reader);
    for (size_t i = 0; i < tensor_file_count(file); i++)
        if (strcmp(tensor_file_at(file, i)->name, "position_embd.weight") == 0)
            read->has_position_table = true;
    if (status != POSEMB_OK)
        memset(read, 0, sizeof *read);
    return status;
}
