/* A compiled program as bytes that can be checked. */
#include "blob.h"

#include "status.h"

/* The library's own copy of XXH3: nothing more to link. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

static const char magic[8] = {'P', 'O', 'S', 'E', 'M', 'B', 'P', 'C'};

enum {
    FORMAT_AT = 8,
    LABEL_SIZE_AT = 12,
    BINARY_SIZE_AT = 16,
    ID_AT = 24,
    DIGEST_AT = 40,
    BODY_AT = POSEMB__BLOB_HEADER_SIZE
};

static void put(unsigned char *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static struct posemb__digest finish(const XXH3_state_t *state)
{
    XXH128_canonical_t canonical;
    struct posemb__digest digest;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    memcpy(digest.bytes, canonical.digest, sizeof digest.bytes);
    return digest;
}

struct posemb__digest posemb__digest_fields(const struct posemb__field *fields, size_t count)
{
    XXH3_state_t state;

    XXH3_INITSTATE(&state);
    XXH3_128bits_reset(&state);
    for (size_t i = 0; i < count; i++) {
        unsigned char length[8];

        put(length, fields[i].size, sizeof length);
        XXH3_128bits_update(&state, length, sizeof length);
        XXH3_128bits_update(&state, fields[i].bytes, fields[i].size);
    }
    return finish(&state);
}

void posemb__digest_text(const struct posemb__digest *digest, char text[POSEMB__DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < POSEMB__DIGEST_SIZE; i++) {
        text[2 * i] = digits[digest->bytes[i] >> 4];
        text[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    text[POSEMB__DIGEST_TEXT_SIZE - 1] = '\0';
}

/* The digest of a blob's bytes, but for the place of the digest itself. */
static struct posemb__digest digest_of(const unsigned char *bytes, size_t size)
{
    XXH3_state_t state;

    XXH3_INITSTATE(&state);
    XXH3_128bits_reset(&state);
    XXH3_128bits_update(&state, bytes, DIGEST_AT);
    XXH3_128bits_update(&state, bytes + BODY_AT, size - BODY_AT);
    return finish(&state);
}

size_t posemb__blob_size(const struct posemb__blob *blob)
{
    if (blob->label_size > POSEMB__BLOB_LABEL_MAX ||
        blob->binary_size > SIZE_MAX - POSEMB__BLOB_HEADER_SIZE - blob->label_size)
        return 0;
    return POSEMB__BLOB_HEADER_SIZE + blob->label_size + blob->binary_size;
}

void posemb__blob_write(const struct posemb__blob *blob, unsigned char *bytes)
{
    const size_t size = posemb__blob_size(blob);
    struct posemb__digest digest;

    memmove(bytes + BODY_AT + blob->label_size, blob->binary, blob->binary_size);
    memmove(bytes + BODY_AT, blob->label, blob->label_size);
    memcpy(bytes, magic, sizeof magic);
    put(bytes + FORMAT_AT, POSEMB__BLOB_FORMAT, 4);
    put(bytes + LABEL_SIZE_AT, blob->label_size, 4);
    put(bytes + BINARY_SIZE_AT, blob->binary_size, 8);
    memcpy(bytes + ID_AT, blob->id.bytes, sizeof blob->id.bytes);
    digest = digest_of(bytes, size);
    memcpy(bytes + DIGEST_AT, digest.bytes, sizeof digest.bytes);
}

static posemb_status check_header(const unsigned char *bytes, size_t size, posemb_error *error)
{
    uint64_t label_size;
    uint64_t binary_size;

    if (size < BODY_AT)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0,
                            "%zu bytes are fewer than the %u of a header", size,
                            POSEMB__BLOB_HEADER_SIZE);
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "not a compiled program of posemb");
    if (get(bytes + FORMAT_AT, 4) != POSEMB__BLOB_FORMAT)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "format %" PRIu64 ", not %u",
                            get(bytes + FORMAT_AT, 4), POSEMB__BLOB_FORMAT);
    label_size = get(bytes + LABEL_SIZE_AT, 4);
    binary_size = get(bytes + BINARY_SIZE_AT, 8);
    if (label_size > POSEMB__BLOB_LABEL_MAX || label_size > size - BODY_AT ||
        binary_size != size - BODY_AT - label_size || binary_size == 0)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0,
                            "%zu bytes do not hold a label of %" PRIu64 " and a binary of %" PRIu64,
                            size, label_size, binary_size);
    return POSEMB_OK;
}

static posemb_status check_id(const struct posemb__digest *found,
                              const struct posemb__digest *wanted, posemb_error *error)
{
    char found_text[POSEMB__DIGEST_TEXT_SIZE];
    char wanted_text[POSEMB__DIGEST_TEXT_SIZE];

    if (!wanted || memcmp(found->bytes, wanted->bytes, sizeof found->bytes) == 0)
        return POSEMB_OK;
    posemb__digest_text(found, found_text);
    posemb__digest_text(wanted, wanted_text);
    return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "the program is %s, not %s", found_text,
                        wanted_text);
}

posemb_status posemb__blob_read(const void *data, size_t size, const struct posemb__digest *id,
                                struct posemb__blob *blob, posemb_error *error)
{
    const unsigned char *bytes = data;
    struct posemb__digest digest;
    posemb_status status = check_header(bytes, size, error);

    if (status != POSEMB_OK)
        return status;
    digest = digest_of(bytes, size);
    if (memcmp(digest.bytes, bytes + DIGEST_AT, sizeof digest.bytes) != 0)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0,
                            "damaged: the bytes do not have the digest that they had when written");
    memcpy(blob->id.bytes, bytes + ID_AT, sizeof blob->id.bytes);
    blob->label = (const char *)bytes + BODY_AT;
    blob->label_size = (size_t)get(bytes + LABEL_SIZE_AT, 4);
    blob->binary = bytes + BODY_AT + blob->label_size;
    blob->binary_size = (size_t)get(bytes + BINARY_SIZE_AT, 8);
    return check_id(&blob->id, id, error);
}
