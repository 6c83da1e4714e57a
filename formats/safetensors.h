/* Safetensors files: the list of tensors, checked in full, and reads of their bytes. */
#ifndef POSEMB_SAFETENSORS_H
#define POSEMB_SAFETENSORS_H

#include <posemb/posemb.h>

#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_RANK_MAX 8u

/** Element types, all that the format has. */
typedef enum safetensors_dtype {
    SAFETENSORS_BOOL = 1,
    SAFETENSORS_F4,
    SAFETENSORS_F6_E2M3,
    SAFETENSORS_F6_E3M2,
    SAFETENSORS_U8,
    SAFETENSORS_I8,
    SAFETENSORS_F8_E5M2,
    SAFETENSORS_F8_E4M3,
    SAFETENSORS_F8_E8M0,
    SAFETENSORS_F8_E4M3FNUZ,
    SAFETENSORS_F8_E5M2FNUZ,
    SAFETENSORS_I16,
    SAFETENSORS_U16,
    SAFETENSORS_F16,
    SAFETENSORS_BF16,
    SAFETENSORS_I32,
    SAFETENSORS_U32,
    SAFETENSORS_F32,
    SAFETENSORS_C64,
    SAFETENSORS_F64,
    SAFETENSORS_I64,
    SAFETENSORS_U64
} safetensors_dtype;

/** One tensor of a file. */
typedef struct safetensors_tensor {
    const char *name; /**< UTF-8 from the file, untrusted; lives as long as the file is open */
    safetensors_dtype dtype;
    uint32_t rank; /**< 0 ... SAFETENSORS_RANK_MAX; 0: one element */
    uint64_t shape[SAFETENSORS_RANK_MAX];
    uint64_t offset; /**< of its first byte in the file; of any alignment */
    uint64_t bytes;  /**< 0 where a size is 0 */
} safetensors_tensor;

/** An open file. */
typedef struct safetensors_file safetensors_file;

/**
 * Open a file and check its whole header: nothing as large as a tensor is allocated.
 *
 * Own limits, beside those of the format: rank 8, names of 1024 bytes, 4194304 commas in the
 * header (some 800000 tensors of two dimensions).
 *
 * @param file  Receives the file, the caller's to safetensors_close(); NULL on failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where the file cannot be read or is malformed;
 *         POSEMB_SIZE_OVERFLOW, POSEMB_OUT_OF_MEMORY.
 */
posemb_status safetensors_open(const char *path, safetensors_file **file, posemb_error *error);

/** Close the file and free the list. Accepts NULL. */
void safetensors_close(safetensors_file *file);

/** How many tensors there are. */
size_t safetensors_count(const safetensors_file *file);

/** Tensor number `index` in the order of the data, 0 ... count - 1; NULL outside. */
const safetensors_tensor *safetensors_at(const safetensors_file *file, size_t index);

/** "F32" and so on; "unknown" for anything that is not a safetensors_dtype. Static storage. */
const char *safetensors_dtype_name(safetensors_dtype dtype);

/**
 * Read all bytes of a tensor, as they lie in the file.
 *
 * @param destination  [capacity] bytes, of any alignment; an F32 tensor may go into floats.
 * @return POSEMB_OK, POSEMB_BUFFER_TOO_SMALL; POSEMB_INVALID_ARGUMENT where the file cannot be
 * read. Threads: one file may be read by many threads at once.
 */
posemb_status safetensors_read(const safetensors_file *file, const safetensors_tensor *tensor,
                               void *destination, size_t capacity, posemb_error *error);

#endif
