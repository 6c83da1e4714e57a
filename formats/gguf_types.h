/* The types that GGUF files name by numbers: of tensors, and of metadata. */
#ifndef POSEMB_GGUF_TYPES_H
#define POSEMB_GGUF_TYPES_H

#include "gguf.h"

/** A type of tensors. Its elements come in blocks along the innermost dimension. */
typedef struct gguf_tensor_type {
    const char *name;       /**< static */
    uint32_t block;         /**< elements of a block, 1 where there are none */
    uint32_t bytes;         /**< of a block */
    posemb_storage storage; /**< 0: posemb does not read it */
} gguf_tensor_type;

/** The type with ggml's number; NULL where there is none, or is none any more. */
const gguf_tensor_type *gguf_tensor_type_find(uint32_t number);

/** The bytes that a value takes at least: all of them, but of a string its length alone. 0 for
 * arrays, and for anything that is not a gguf_type. */
uint32_t gguf_type_size(gguf_type type);

#endif
