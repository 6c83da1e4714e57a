/* Any bytes as a compiled program of the cache. Their digest keeps all but a few out, so that they
 * are also what a blob is made of: the first byte says how long its label is. */
#include "blob.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_read(const uint8_t *bytes, size_t size)
{
    struct posemb__blob blob;
    posemb_error error = {.message = ""};

    if (!fuzz_accepted(posemb__blob_read(bytes, size, NULL, &blob, &error), &error))
        return;
    fuzz_expect(posemb__blob_size(&blob) == size, "it has the size of its parts");
    fuzz_expect((const uint8_t *)blob.label == bytes + POSEMB__BLOB_HEADER_SIZE &&
                    (const uint8_t *)blob.binary + blob.binary_size == bytes + size,
                "its parts are in it");
}

/* What is written is read, and no longer when a bit of it is another. */
static void check_written(const struct posemb__blob *blob, size_t flipped)
{
    const size_t size = posemb__blob_size(blob);
    uint8_t *bytes = malloc(size);
    struct posemb__blob again;

    fuzz_expect(bytes != NULL, "there is memory");
    posemb__blob_write(blob, bytes);
    fuzz_expect(posemb__blob_read(bytes, size, &blob->id, &again, NULL) == POSEMB_OK,
                "what was written can be read");
    fuzz_expect(again.label_size == blob->label_size && again.binary_size == blob->binary_size &&
                    memcmp(again.label, blob->label, blob->label_size) == 0 &&
                    memcmp(again.binary, blob->binary, blob->binary_size) == 0,
                "what was written is what is read");
    bytes[flipped / 8 % size] ^= (uint8_t)(1u << flipped % 8);
    fuzz_expect(posemb__blob_read(bytes, size, &blob->id, &again, NULL) == POSEMB_CACHE_FAILED,
                "damage is found");
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    check_read(bytes, size);
    if (size < 4)
        return 0;

    const size_t body = size - 3;
    const size_t label_size = bytes[0] < body ? bytes[0] : body - 1;
    struct posemb__blob blob = {.label = (const char *)bytes + 3,
                                .label_size = label_size,
                                .binary = bytes + 3 + label_size,
                                .binary_size = body - label_size};

    memcpy(blob.id.bytes, bytes, size < sizeof blob.id.bytes ? size : sizeof blob.id.bytes);
    check_written(&blob, bytes[1] + (size_t)256 * bytes[2]);
    return 0;
}
