/* A compiled program as bytes that can be checked: cache files and the blobs of callers. No OpenCL.
 *
 *     0   "POSEMBPC"
 *     8   format, u32 (little-endian, like every number)
 *     12  label_size, u32
 *     16  binary_size, u64
 *     24  id of the program, 16 bytes
 *     40  XXH3-128 of all other bytes, 16 bytes
 *     56  label, then the driver's binary, to the end */
#ifndef POSEMB_BLOB_H
#define POSEMB_BLOB_H

#include <posemb/posemb.h>

#define POSEMB__BLOB_FORMAT      1u
#define POSEMB__BLOB_HEADER_SIZE 56u
#define POSEMB__BLOB_LABEL_MAX 2048
#define POSEMB__DIGEST_SIZE      16u

/* A digest of fields, each with its length before it. */
struct posemb__digest {
    unsigned char bytes[POSEMB__DIGEST_SIZE];
};

struct posemb__field {
    const void *bytes;
    size_t size;
};

struct posemb__digest posemb__digest_fields(const struct posemb__field *fields, size_t count);

/* 32 hexadecimal digits and a zero. */
#define POSEMB__DIGEST_TEXT_SIZE (2 * POSEMB__DIGEST_SIZE + 1)
void posemb__digest_text(const struct posemb__digest *digest, char text[POSEMB__DIGEST_TEXT_SIZE]);

/* What is in a blob. The pointers lead into its bytes; the label has no zero at its end. */
struct posemb__blob {
    struct posemb__digest id;
    const char *label;
    size_t label_size;
    const void *binary;
    size_t binary_size;
};

/* Bytes of a blob with that label and binary; 0 where they are too many. */
size_t posemb__blob_size(const struct posemb__blob *blob);

/* Write a blob to bytes[posemb__blob_size()]; its label and binary may lie in place there already.
 */
void posemb__blob_write(const struct posemb__blob *blob, unsigned char *bytes);

/* Check every byte of a blob: POSEMB_CACHE_FAILED and what is wrong, or POSEMB_OK and its parts.
 * `id`: NULL, or the program that it must be. */
posemb_status posemb__blob_read(const void *bytes, size_t size, const struct posemb__digest *id,
                                struct posemb__blob *blob, posemb_error *error);

#endif
