/* The tensors of an embedding stage in the file of a model, whatever its format and its naming. */
#ifndef POSEMB_MODEL_FILE_H
#define POSEMB_MODEL_FILE_H

#include "config.h"
#include "model_names.h"

#include <posemb/posemb.h>

#include <stddef.h>
#include <stdint.h>

/** Where a part is. All zeros: the file does not have it. */
typedef struct model_tensor {
    const char *name; /**< NULL: absent; from the file, untrusted; lives as long as it is open */
    posemb_storage storage;
    uint64_t rows;           /**< at least 1 */
    uint64_t dim;            /**< 1 ... POSEMB_DIM_MAX, the same for all parts of a file */
    uint64_t offset;         /**< of its first byte in the file; of any alignment */
    uint64_t bytes;          /**< rows * dim elements, row after row */
    const char *scales_name; /**< of an I8 table, otherwise NULL */
    posemb_scaling scaling;  /**< likewise; otherwise 0 */
    uint64_t scales;         /**< how many: rows, or 1; otherwise 0 */
} model_tensor;

/** An open file. */
typedef struct model_file model_file;

/**
 * Open the file of a model, find the parts of its embedding stage by the names that Hugging Face's
 * models have, or llama.cpp's, and check them against each other and the model's config. No data
 * are read.
 *
 * The config is NAME.config.json beside a NAME.safetensors, else the config.json of its folder; a
 * file without one is all right. That of a GGUF file is its own metadata. A contradiction is an
 * error that names both values: sizes of tensors that must agree; hidden_size (embedding_size,
 * where there is one; embedding_length) that is not the token table's; vocab_size,
 * max_position_embeddings (context_length) or type_vocab_size (token_type_count) above the rows of
 * the table.
 *
 * @param path    A .safetensors or .gguf file, or a folder with a model.safetensors.
 * @param prefix  What stands before the names that are meant, such as "model.encoder." (its last
 *                dot may be left out; "" is no prefix); NULL: any, as long as there is one alone.
 *                A token table that encoder and decoder share ("model.shared.weight") belongs to
 *                both prefixes.
 * @param file    Receives the file, the caller's to model_file_close(); NULL on failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where a file cannot be read or is malformed, there is
 *         no token table, or more than one tensor for a part (the message lists them);
 *         POSEMB_SIZE_OVERFLOW, POSEMB_OUT_OF_MEMORY.
 */
posemb_status model_file_open(const char *path, const char *prefix, model_file **file,
                              posemb_error *error);

/**
 * Open a file for one of its tables, which becomes its words. No data are read; a config beside the
 * file is not looked at.
 *
 * @param path  FILE or FILE:TENSOR, of .safetensors or .gguf; without a TENSOR its only one with
 * two dimensions.
 * @param file  As model_file_open().
 * @return As model_file_open(); POSEMB_INVALID_ARGUMENT where there is no such tensor, or no only
 *         one.
 */
posemb_status model_file_open_table(const char *path, model_file **file, posemb_error *error);

/** Close the file. Accepts NULL. */
void model_file_close(model_file *file);

/** One of the parts; never NULL. It lives as long as the file is open. */
const model_tensor *model_file_part(const model_file *file, model_part part);

/** The file that the parts are in; it lives as long as `file`. */
const tensor_file *model_file_source(const model_file *file);

/** The tensor of a part, and that of its scales; NULL: absent. They live as long as the file is
 * open.
 */
const file_tensor *model_file_tensor(const model_file *file, model_part part);
const file_tensor *model_file_scales(const model_file *file, model_part part);

/** What the config says; NULL where there is none, never of a GGUF file. It lives as long as the
 * file is open. */
const model_config *model_file_config(const model_file *file);

/**
 * Read rows [first, first + count) of a part, as they lie in the file.
 *
 * @param destination  [capacity] bytes, of any alignment; count * bytes / rows of them are written.
 * @return POSEMB_OK, POSEMB_BUFFER_TOO_SMALL; POSEMB_INVALID_ARGUMENT for rows or a part that are
 *         not there, or where the file cannot be read.
 * Threads: one file may be read by many threads at once.
 */
posemb_status model_file_read_rows(const model_file *file, model_part part, uint64_t first,
                                   uint64_t count, void *destination, size_t capacity,
                                   posemb_error *error);

/**
 * Read scales [first, first + count) of an I8 table.
 *
 * @param destination  [count] floats.
 * @return As model_file_read_rows().
 */
posemb_status model_file_read_scales(const model_file *file, model_part part, uint64_t first,
                                     uint64_t count, float *destination, posemb_error *error);

#endif
