/* The types that GGUF files name by numbers. */
#include "gguf_types.h"

#include <stddef.h>

/* By ggml's number. Blocks and bytes are those of ggml's own structs, whose Q8_1 has 36 bytes since
 * 2024; the package gguf 0.19 still counts the 40 of before. */
static const gguf_tensor_type tensor_types[] = {
    [0] = {"F32", 1, 4, POSEMB_F32},
    [1] = {"F16", 1, 2, POSEMB_F16},
    [2] = {"Q4_0", 32, 18, POSEMB_Q4_0},
    [3] = {"Q4_1", 32, 20, POSEMB_Q4_1},
    [6] = {"Q5_0", 32, 22, POSEMB_Q5_0},
    [7] = {"Q5_1", 32, 24, POSEMB_Q5_1},
    [8] = {"Q8_0", 32, 34, POSEMB_Q8_0},
    [9] = {"Q8_1", 32, 36, POSEMB_STORAGE_DEFAULT},
    [10] = {"Q2_K", 256, 84, POSEMB_Q2_K},
    [11] = {"Q3_K", 256, 110, POSEMB_Q3_K},
    [12] = {"Q4_K", 256, 144, POSEMB_Q4_K},
    [13] = {"Q5_K", 256, 176, POSEMB_Q5_K},
    [14] = {"Q6_K", 256, 210, POSEMB_Q6_K},
    [15] = {"Q8_K", 256, 292, POSEMB_STORAGE_DEFAULT},
    [16] = {"IQ2_XXS", 256, 66, POSEMB_STORAGE_DEFAULT},
    [17] = {"IQ2_XS", 256, 74, POSEMB_STORAGE_DEFAULT},
    [18] = {"IQ3_XXS", 256, 98, POSEMB_STORAGE_DEFAULT},
    [19] = {"IQ1_S", 256, 50, POSEMB_STORAGE_DEFAULT},
    [20] = {"IQ4_NL", 32, 18, POSEMB_STORAGE_DEFAULT},
    [21] = {"IQ3_S", 256, 110, POSEMB_STORAGE_DEFAULT},
    [22] = {"IQ2_S", 256, 82, POSEMB_STORAGE_DEFAULT},
    [23] = {"IQ4_XS", 256, 136, POSEMB_STORAGE_DEFAULT},
    [24] = {"I8", 1, 1, POSEMB_STORAGE_DEFAULT}, /* posemb's I8 has scales */
    [25] = {"I16", 1, 2, POSEMB_STORAGE_DEFAULT},
    [26] = {"I32", 1, 4, POSEMB_STORAGE_DEFAULT},
    [27] = {"I64", 1, 8, POSEMB_STORAGE_DEFAULT},
    [28] = {"F64", 1, 8, POSEMB_STORAGE_DEFAULT},
    [29] = {"IQ1_M", 256, 56, POSEMB_STORAGE_DEFAULT},
    [30] = {"BF16", 1, 2, POSEMB_BF16},
    [34] = {"TQ1_0", 256, 54, POSEMB_STORAGE_DEFAULT},
    [35] = {"TQ2_0", 256, 66, POSEMB_STORAGE_DEFAULT},
    [39] = {"MXFP4", 32, 17, POSEMB_STORAGE_DEFAULT},
    [40] = {"NVFP4", 64, 36, POSEMB_STORAGE_DEFAULT},
    [41] = {"Q1_0", 128, 18, POSEMB_STORAGE_DEFAULT},
};

const gguf_tensor_type *gguf_tensor_type_find(uint32_t number)
{
    const size_t count = sizeof tensor_types / sizeof *tensor_types;

    return number < count && tensor_types[number].name ? &tensor_types[number] : NULL;
}

static const struct {
    const char *name;
    uint32_t size;
} types[] = {
    [GGUF_U8] = {"uint8", 1},    [GGUF_I8] = {"int8", 1},    [GGUF_U16] = {"uint16", 2},
    [GGUF_I16] = {"int16", 2},   [GGUF_U32] = {"uint32", 4}, [GGUF_I32] = {"int32", 4},
    [GGUF_F32] = {"float32", 4}, [GGUF_BOOL] = {"bool", 1},  [GGUF_STRING] = {"string", 8},
    [GGUF_ARRAY] = {"array", 0}, [GGUF_U64] = {"uint64", 8}, [GGUF_I64] = {"int64", 8},
    [GGUF_F64] = {"float64", 8},
};

const char *gguf_type_name(gguf_type type)
{
    return (uint32_t)type <= GGUF_F64 ? types[type].name : "unknown";
}

uint32_t gguf_type_size(gguf_type type)
{
    return (uint32_t)type <= GGUF_F64 ? types[type].size : 0;
}
