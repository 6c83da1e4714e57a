/* What the file formats share: bounded reads, shapes, safe messages, output that is whole or
 * absent. */
#ifndef POSEMB_FILE_BYTES_H
#define POSEMB_FILE_BYTES_H

#include <posemb/posemb.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "array data pass through as they lie in the file: this needs a little-endian host"
#endif

/* ---- Text for messages */

#define FILE_SHOWN_SIZE  200u
#define NAME_SHOWN_SIZE  80u
#define LIST_SHOWN_SIZE  200u
#define SHAPE_RANK_MAX   8u
#define SHAPE_SHOWN_SIZE 192u

/**
 * Write untrusted text as printable ASCII: quotes and backslashes get a backslash, any other byte
 * becomes \xNN. Text that does not fit is cut and ends in "...".
 *
 * @param out  [capacity] receives the text and a NUL; capacity >= 4.
 */
void escape_text(const char *text, size_t size, char *out, size_t capacity);

/** Append an untrusted name to a list of them while there is room, then "..." once. */
void list_name(char list[LIST_SHOWN_SIZE], const char *name);

/** Write a path for a message. Its end tells more than its beginning, so that a long one loses its
 * beginning. */
void show_path(const char *path, char shown[FILE_SHOWN_SIZE]);

/** Write a shape as "[3, 4]" to `shown`; rank <= SHAPE_RANK_MAX. */
void shape_show(const uint64_t *shape, uint32_t rank, char shown[SHAPE_SHOWN_SIZE]);

/** Multiply the sizes of a shape; 1 for rank 0. False: the product does not fit. */
bool shape_count(const uint64_t *shape, uint32_t rank, uint64_t *count);

/* ---- Little-endian integers */

static inline uint32_t load_u16(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static inline uint32_t load_u32(const unsigned char *bytes)
{
    return load_u16(bytes) | load_u16(bytes + 2) << 16;
}

static inline uint64_t load_u64(const unsigned char *bytes)
{
    return (uint64_t)load_u32(bytes) | (uint64_t)load_u32(bytes + 4) << 32;
}

/* ---- Input */

/** A regular file, open for reading. */
typedef struct file_bytes {
    int descriptor;
    uint64_t size;               /**< bytes, when it was opened */
    char shown[FILE_SHOWN_SIZE]; /**< its path, escaped, for messages */
} file_bytes;

/**
 * Open a file; anything but a regular file is refused without waiting for a writer.
 *
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT; on failure nothing is open.
 */
posemb_status file_bytes_open(const char *path, file_bytes *file, posemb_error *error);

/**
 * Read exactly bytes [offset, offset + size).
 *
 * @param destination  [size] bytes, of any alignment.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where the range leaves the file, or the file shrank.
 * Threads: reads of one file may run concurrently.
 */
posemb_status file_bytes_read(const file_bytes *file, uint64_t offset, size_t size,
                              void *destination, posemb_error *error);

void file_bytes_close(file_bytes *file);

/** Whether two paths are one file: those that are there by what they are, others by the same name
 * in the same folder. */
bool file_same(const char *a, const char *b);

/* ---- Output */

/** A file in the making: written beside its target, renamed to it when it is complete. */
typedef struct file_output {
    int descriptor;
    char *target;
    char *temporary; /**< NULL: nothing is in the making */
    char shown[FILE_SHOWN_SIZE];
} file_output;

/**
 * Start a file that is to take the place of `path`, in the same folder. Where `path` exists it must
 * be a regular file, and no link.
 *
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_OUT_OF_MEMORY; on failure there is nothing to
 *         abandon.
 */
posemb_status file_output_begin(const char *path, file_output *output, posemb_error *error);

/** Append. On failure the output has been abandoned. */
posemb_status file_output_write(file_output *output, const void *bytes, size_t size,
                                posemb_error *error);

/** Flush to the disk and take the target's place. On failure the output has been abandoned. */
posemb_status file_output_commit(file_output *output, posemb_error *error);

/** Remove what was written, leaving the target as it was. Accepts an output of zeros. */
void file_output_abandon(file_output *output);

#endif
