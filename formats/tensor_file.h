/* An open file of named tensors, whatever its format: safetensors or GGUF. */
#ifndef POSEMB_TENSOR_FILE_H
#define POSEMB_TENSOR_FILE_H

#include "gguf.h"

#include <posemb/posemb.h>

#include <stddef.h>
#include <stdint.h>

#define TENSOR_RANK_MAX 8u

/** One tensor of a file. */
typedef struct file_tensor {
    const char *name;       /**< from the file, untrusted; lives as long as the file is open */
    const char *type_name;  /**< as its format calls the type: "F32" and so on; static storage */
    posemb_storage storage; /**< how posemb reads it; 0 where it does not */
    uint32_t rank;          /**< 0 ... TENSOR_RANK_MAX; 0: one element */
    uint64_t shape[TENSOR_RANK_MAX]; /**< elements, outermost first */
    uint64_t offset;                 /**< of its first byte in the file; of any alignment */
    uint64_t bytes;                  /**< 0 where a size is 0 */
} file_tensor;

/** An open file. */
typedef struct tensor_file tensor_file;

/**
 * Open a file, which is GGUF where it begins with "GGUF", otherwise safetensors, and check its
 * whole header: nothing as large as a tensor is allocated.
 *
 * @param file  Receives the file, the caller's to tensor_file_close(); NULL on failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where the file cannot be read or is malformed;
 *         POSEMB_SIZE_OVERFLOW, POSEMB_OUT_OF_MEMORY.
 */
posemb_status tensor_file_open(const char *path, tensor_file **file, posemb_error *error);

/** The length of the FILE of FILE.safetensors, FILE.gguf, FILE.safetensors:TENSOR or
 * FILE.gguf:TENSOR; 0: it is none of them. */
size_t tensor_path_length(const char *path);

/** Close the file and free the list. Accepts NULL. */
void tensor_file_close(tensor_file *file);

/** Its path, escaped, for messages. */
const char *tensor_file_shown(const tensor_file *file);

/** The file as one of GGUF, for its metadata; NULL where it is none. It lives as long as `file`. */
const gguf_file *tensor_file_gguf(const tensor_file *file);

/** How many tensors there are. */
size_t tensor_file_count(const tensor_file *file);

/** Tensor number `index` in the order of the format's own list, 0 ... count - 1; NULL outside. */
const file_tensor *tensor_file_at(const tensor_file *file, size_t index);

/** Find a tensor by its exact name. */
posemb_status tensor_file_find(const tensor_file *file, const char *name,
                               const file_tensor **tensor, posemb_error *error);

/** Find the one tensor with two dimensions; where there are more, the message names them. */
posemb_status tensor_file_find_matrix(const tensor_file *file, const file_tensor **tensor,
                                      posemb_error *error);

/**
 * Check that posemb has the storage of a tensor.
 *
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT and a message with its name and type where it has not.
 */
posemb_status tensor_file_require_storage(const tensor_file *file, const file_tensor *tensor,
                                          posemb_error *error);

/**
 * Read all bytes of a tensor, as they lie in the file.
 *
 * @param destination  [capacity] bytes, of any alignment; an F32 tensor may go into floats.
 * @return POSEMB_OK, POSEMB_BUFFER_TOO_SMALL; POSEMB_INVALID_ARGUMENT where the file cannot be
 * read. Threads: one file may be read by many threads at once.
 */
posemb_status tensor_file_read(const tensor_file *file, const file_tensor *tensor,
                               void *destination, size_t capacity, posemb_error *error);

/**
 * Read bytes [first, first + size) of a tensor.
 *
 * @param destination  [size] bytes, of any alignment.
 * @return As tensor_file_read(), and POSEMB_INVALID_ARGUMENT for bytes that are not there.
 */
posemb_status tensor_file_read_bytes(const tensor_file *file, const file_tensor *tensor,
                                     uint64_t first, size_t size, void *destination,
                                     posemb_error *error);

/**
 * Read rows [first, first + count) of a tensor, a row being all that shares the first index.
 *
 * A tensor of rank 0 has no rows.
 *
 * @return As tensor_file_read(), and POSEMB_INVALID_ARGUMENT for rows that are not there, or rows
 *         that do not begin at a byte.
 */
posemb_status tensor_file_read_rows(const tensor_file *file, const file_tensor *tensor,
                                    uint64_t first, uint64_t count, void *destination,
                                    size_t capacity, posemb_error *error);

#endif
