/* Which tensors of a file are the parts of an embedding stage, by the names that they have. */
#ifndef POSEMB_MODEL_NAMES_H
#define POSEMB_MODEL_NAMES_H

#include "tensor_file.h"

/** The tensors of a stage. Only the words have to be there. */
typedef enum model_part {
    MODEL_WORDS = 0,     /**< the token table */
    MODEL_POSITIONS = 1, /**< the position table; some models store their sinusoids as one */
    MODEL_TYPES = 2,     /**< the table of token types */
    MODEL_GAMMA = 3,     /**< the factors of the norm: one row */
    MODEL_BETA = 4       /**< what the norm adds: one row */
} model_part;

#define MODEL_PART_COUNT 5u

/** "words" and so on, as messages call a part. Static storage. */
const char *model_part_name(model_part part);

/**
 * Find the parts of one stage by the names that Hugging Face's models have, or llama.cpp's.
 *
 * @param prefix  As model_file_open() takes it.
 * @param found   Receives the tensor of each part; NULL: absent.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where there is no token table, or more than one tensor
 *         for a part (the message lists them); POSEMB_OUT_OF_MEMORY.
 */
posemb_status model_names_find(const tensor_file *file, const char *prefix,
                               const file_tensor *found[MODEL_PART_COUNT], posemb_error *error);

/**
 * Find the scales of an I8 tensor X.weight: X.weight_scale or X.scales.
 *
 * @param scales  Receives them; NULL where there are none, which is no failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where two tensors have their name.
 */
posemb_status model_names_find_scales(const tensor_file *file, const file_tensor *table,
                                      const file_tensor **scales, posemb_error *error);

#endif
