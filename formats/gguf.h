/* GGUF files, versions 2 and 3: metadata and the list of tensors, checked in full, and reads of
 * tensors' bytes. */
#ifndef POSEMB_GGUF_H
#define POSEMB_GGUF_H

#include <posemb/posemb.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GGUF_RANK_MAX 4u

/** One tensor of a file. */
typedef struct gguf_tensor {
    const char *name; /**< untrusted, 0 ... 63 bytes and a NUL; lives as long as the file is open */
    uint32_t type;    /**< ggml's number of it */
    const char *type_name;         /**< "F32", "Q4_K" and so on; static */
    posemb_storage storage;        /**< how posemb reads it; 0 where it does not */
    uint32_t rank;                 /**< 0 ... GGUF_RANK_MAX; 0: one element */
    uint64_t shape[GGUF_RANK_MAX]; /**< elements, outermost first: the reverse of the file's */
    uint64_t offset;               /**< of its first byte in the file */
    uint64_t bytes;                /**< 0 where a size is 0 */
} gguf_tensor;

/** Types of metadata, with the file's numbers. */
typedef enum gguf_type {
    GGUF_U8 = 0,
    GGUF_I8 = 1,
    GGUF_U16 = 2,
    GGUF_I16 = 3,
    GGUF_U32 = 4,
    GGUF_I32 = 5,
    GGUF_F32 = 6,
    GGUF_BOOL = 7,
    GGUF_STRING = 8,
    GGUF_ARRAY = 9,
    GGUF_U64 = 10,
    GGUF_I64 = 11,
    GGUF_F64 = 12
} gguf_type;

/** One entry of the metadata. What its type does not have is 0. */
typedef struct gguf_value {
    const char *key; /**< untrusted, 1 ... 65535 bytes and a NUL */
    gguf_type type;
    uint64_t unsigned_value; /**< U8, U16, U32, U64; BOOL: 0 or 1 */
    int64_t signed_value;    /**< I8, I16, I32, I64 */
    double float_value;      /**< F32, F64 */
    const char *text;        /**< STRING: [count] bytes of any value, and a NUL */
    uint64_t count;          /**< STRING: bytes; ARRAY: elements, which are not kept */
    gguf_type element;       /**< ARRAY: the type of its elements, which is not ARRAY */
} gguf_value;

/** An open file. */
typedef struct gguf_file gguf_file;

/**
 * Open a file and check its whole header: nothing as large as a tensor is allocated.
 *
 * Own limits, beside those of the format: 65536 tensors, 65536 keys, 64 MiB of keys and
 * strings in all, strings of 64 MiB in arrays, an alignment of 1 MiB; arrays in arrays are refused.
 *
 * @param file  Receives the file, the caller's to gguf_close(); NULL on failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where the file cannot be read or is malformed;
 *         POSEMB_SIZE_OVERFLOW, POSEMB_OUT_OF_MEMORY.
 */
posemb_status gguf_open(const char *path, gguf_file **file, posemb_error *error);

/** Close the file and free the lists. Accepts NULL. */
void gguf_close(gguf_file *file);

/** 2 or 3. */
uint32_t gguf_version(const gguf_file *file);

/* ---- Tensors */

/** How many tensors there are. */
size_t gguf_count(const gguf_file *file);

/** Tensor number `index` in the order of the file, 0 ... count - 1; NULL outside. */
const gguf_tensor *gguf_at(const gguf_file *file, size_t index);

/**
 * Read all bytes of a tensor, as they lie in the file.
 *
 * @param destination  [capacity] bytes, of any alignment; an F32 tensor may go into floats.
 * @return POSEMB_OK, POSEMB_BUFFER_TOO_SMALL; POSEMB_INVALID_ARGUMENT where the file cannot be
 * read. Threads: one file may be read by many threads at once.
 */
posemb_status gguf_read(const gguf_file *file, const gguf_tensor *tensor, void *destination,
                        size_t capacity, posemb_error *error);

/* ---- Metadata */

/** "uint32", "string" and so on; "unknown" for anything that is not a gguf_type. Static storage. */
const char *gguf_type_name(gguf_type type);

/** How many keys there are. */
size_t gguf_value_count(const gguf_file *file);

/** Entry number `index` in the order of the file, 0 ... count - 1; NULL outside. */
const gguf_value *gguf_value_at(const gguf_file *file, size_t index);

/** The entry of that key, or NULL. */
const gguf_value *gguf_value_find(const gguf_file *file, const char *key);

/**
 * A whole number of any integer type, which must be >= 0.
 *
 * @param has    Receives whether the file has the key.
 * @param value  Receives it; 0 where the file does not have it, and on failure.
 * @return POSEMB_OK, also where the file does not have the key; POSEMB_INVALID_ARGUMENT and a
 *         message with key and type where it is something else.
 */
posemb_status gguf_get_u64(const gguf_file *file, const char *key, bool *has, uint64_t *value,
                           posemb_error *error);

/** As gguf_get_u64(): a float32 or float64, NaN and infinities among them. */
posemb_status gguf_get_f64(const gguf_file *file, const char *key, bool *has, double *value,
                           posemb_error *error);

/** As gguf_get_u64(): a bool. */
posemb_status gguf_get_bool(const gguf_file *file, const char *key, bool *has, bool *value,
                            posemb_error *error);

/** As gguf_get_u64(): a string. `text` is NULL where the file does not have it; it may hold NULs
 * within its `size` bytes, one follows them, and it lives as long as the file is open. */
posemb_status gguf_get_string(const gguf_file *file, const char *key, const char **text,
                              size_t *size, posemb_error *error);

/** As gguf_get_u64(): how many elements an array has, and of which type. */
posemb_status gguf_get_array_count(const gguf_file *file, const char *key, bool *has,
                                   gguf_type *element, uint64_t *count, posemb_error *error);

#endif
