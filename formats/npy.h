/* NumPy's .npy files: one array of numbers, little-endian, in C order. */
#ifndef POSEMB_NPY_H
#define POSEMB_NPY_H

#include <posemb/posemb.h>

#include <stddef.h>
#include <stdint.h>

#define NPY_RANK_MAX 8u

/** Element types that are read and written. */
typedef enum npy_type {
    NPY_F4 = 1,  /**< float */
    NPY_I4 = 2,  /**< int32_t */
    NPY_I8 = 3,  /**< int64_t */
    NPY_F2 = 4,  /**< IEEE 754 binary16 */
    NPY_I1 = 5,  /**< int8_t */
    NPY_U1 = 6,  /**< uint8_t */
    NPY_B1 = 7,  /**< bool: bytes that are 0 or 1 */
    NPY_BF16 = 8 /**< the upper half of a float: <V2, as numpy.save() writes ml_dtypes.bfloat16,
                      or |V2, as it writes what it has read from such a file */
} npy_type;

/** An array in memory. All zeros is an array without data. */
typedef struct npy_array {
    npy_type type;
    uint32_t rank; /**< 0 ... NPY_RANK_MAX; 0: one element */
    uint64_t shape[NPY_RANK_MAX];
    uint64_t count; /**< elements: the product of the shape */
    void *data;     /**< [count] elements in C order, at a multiple of 64; freed by npy_free() */
} npy_array;

/** Bytes of one element; 0 for anything that is not an npy_type. */
size_t npy_type_size(npy_type type);

/** "<f4" and so on, as it is written; "unknown" for anything that is not an npy_type. Static
 * storage. */
const char *npy_type_name(npy_type type);

/**
 * Read a whole file, of format version 1, 2 or 3.
 *
 * Refused: other element types, other byte orders, Fortran order above rank 1, bytes after the
 * data, headers above 10000 bytes, a bool that is neither 0 nor 1.
 *
 * @param array  Receives the array, the caller's to npy_free(); all zeros on failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where the file cannot be read or is malformed;
 *         POSEMB_SIZE_OVERFLOW, POSEMB_OUT_OF_MEMORY.
 */
posemb_status npy_read(const char *path, npy_array *array, posemb_error *error);

/** Free the data and zero the array. Accepts NULL and all zeros. */
void npy_free(npy_array *array);

/**
 * Write an array, the same bytes as numpy.save(): version 1, data at a multiple of 64. The file
 * appears whole, in place of what `path` named before, or not at all.
 *
 * @param shape  [rank] sizes; may be NULL for rank 0.
 * @param data   The elements in C order; may be NULL where there are none. Bools must be 0 or 1.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_SIZE_OVERFLOW, POSEMB_OUT_OF_MEMORY.
 */
posemb_status npy_write(const char *path, npy_type type, uint32_t rank, const uint64_t *shape,
                        const void *data, posemb_error *error);

#endif
