/* Blobs: what was written is read, and nothing else is. */
#include "blob.h"

#include "support/random.h"
#include "support/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BINARY_SIZE = 1000 };

static const char label[] = "a device; its driver";

/* A blob in exactly as much memory as it has, so that a read beyond it is seen. */
struct sample {
    unsigned char binary[BINARY_SIZE];
    struct posemb__blob blob;
    unsigned char *bytes;
    size_t size;
};

static struct sample *make_sample(unsigned seed)
{
    struct sample *sample = calloc(1, sizeof *sample);
    struct support_random random = support_random_from(seed);

    assert_non_null(sample);
    for (size_t i = 0; i < sizeof sample->binary; i++)
        sample->binary[i] = (unsigned char)support_random_int(&random, 0, 255);
    for (size_t i = 0; i < POSEMB__DIGEST_SIZE; i++)
        sample->blob.id.bytes[i] = (unsigned char)(seed + i);
    sample->blob.label = label;
    sample->blob.label_size = strlen(label);
    sample->blob.binary = sample->binary;
    sample->blob.binary_size = sizeof sample->binary;
    sample->size = posemb__blob_size(&sample->blob);
    sample->bytes = malloc(sample->size);
    assert_non_null(sample->bytes);
    posemb__blob_write(&sample->blob, sample->bytes);
    return sample;
}

static void free_sample(struct sample *sample)
{
    free(sample->bytes);
    free(sample);
}

static void assert_refused(const void *bytes, size_t size, const struct posemb__digest *id,
                           const char *words)
{
    unsigned char *exact = malloc(size ? size : 1);
    struct posemb__blob blob;
    posemb_error error;

    assert_non_null(exact);
    if (size)
        memcpy(exact, bytes, size);
    assert_int_equal(posemb__blob_read(exact, size, id, &blob, &error), POSEMB_CACHE_FAILED);
    assert_said(&error, words);
    free(exact);
}

static void test_what_was_written_is_read(void **state)
{
    struct sample *sample = make_sample(1);
    struct posemb__blob blob;

    (void)state;
    assert_int_equal(sample->size, POSEMB__BLOB_HEADER_SIZE + strlen(label) + BINARY_SIZE);
    assert_int_equal(posemb__blob_read(sample->bytes, sample->size, NULL, &blob, NULL), POSEMB_OK);
    assert_int_equal(posemb__blob_read(sample->bytes, sample->size, &sample->blob.id, &blob, NULL),
                     POSEMB_OK);
    assert_memory_equal(blob.id.bytes, sample->blob.id.bytes, POSEMB__DIGEST_SIZE);
    assert_int_equal(blob.label_size, strlen(label));
    assert_memory_equal(blob.label, label, strlen(label));
    assert_int_equal(blob.binary_size, BINARY_SIZE);
    assert_memory_equal(blob.binary, sample->binary, BINARY_SIZE);
    free_sample(sample);
}

static void test_a_binary_in_place_is_kept(void **state)
{
    struct sample *sample = make_sample(2);
    unsigned char *bytes = malloc(sample->size);

    (void)state;
    assert_non_null(bytes);
    memcpy(bytes + sample->size - BINARY_SIZE, sample->binary, BINARY_SIZE);
    sample->blob.binary = bytes + sample->size - BINARY_SIZE;
    posemb__blob_write(&sample->blob, bytes);
    assert_memory_equal(bytes, sample->bytes, sample->size);
    free(bytes);
    free_sample(sample);
}

/* As another program computes them: xxhsum -H2 of all but the digest. */
static void test_the_bytes_are_those_of_the_format(void **state)
{
    static const unsigned char expected[] = {
        0x50, 0x4f, 0x53, 0x45, 0x4d, 0x42, 0x50, 0x43, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00,
        0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05,
        0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xd3, 0x6c, 0x36, 0x46, 0x46,
        0x61, 0x0d, 0xe2, 0xaf, 0x8e, 0x97, 0x06, 0x9d, 0x94, 0xc7, 0x85, 0x78, 0x79, 0x7a};
    struct posemb__blob blob = {.label = "x", .label_size = 1, .binary = "yz", .binary_size = 2};
    unsigned char bytes[sizeof expected];

    (void)state;
    for (size_t i = 0; i < POSEMB__DIGEST_SIZE; i++)
        blob.id.bytes[i] = (unsigned char)i;
    assert_int_equal(posemb__blob_size(&blob), sizeof expected);
    posemb__blob_write(&blob, bytes);
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void test_every_length_is_refused(void **state)
{
    struct sample *sample = make_sample(3);
    unsigned char *longer = calloc(1, sample->size + 64);

    (void)state;
    assert_non_null(longer);
    for (size_t size = 0; size < sample->size; size++)
        assert_refused(sample->bytes, size, NULL, "");
    memcpy(longer, sample->bytes, sample->size);
    for (size_t more = 1; more <= 64; more++)
        assert_refused(longer, sample->size + more, NULL, "do not hold");
    free(longer);
    free_sample(sample);
}

static void test_every_flipped_bit_is_refused(void **state)
{
    struct sample *sample = make_sample(4);

    (void)state;
    for (size_t bit = 0; bit < 8 * sample->size; bit++) {
        sample->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_refused(sample->bytes, sample->size, NULL, "");
        sample->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free_sample(sample);
}

static void test_another_program_is_refused(void **state)
{
    struct sample *one = make_sample(5);
    struct sample *other = make_sample(6);

    (void)state;
    assert_refused(one->bytes, one->size, &other->blob.id,
                   "the program is 05060708090a0b0c0d0e0f1011121314, not "
                   "060708090a0b0c0d0e0f101112131415");
    free_sample(one);
    free_sample(other);
}

static void test_what_is_wrong_is_said(void **state)
{
    struct sample *sample = make_sample(7);

    (void)state;
    assert_refused(sample->bytes, 0, NULL, "0 bytes are fewer than the 56 of a header");
    assert_refused(sample->bytes, 55, NULL, "55 bytes are fewer");
    sample->bytes[8] = 2;
    assert_refused(sample->bytes, sample->size, NULL, "format 2, not 1");
    sample->bytes[8] = 1;
    sample->bytes[16] ^= 1;
    assert_refused(sample->bytes, sample->size, NULL, "do not hold a label of 20 and a binary of");
    sample->bytes[16] ^= 1;
    sample->bytes[sample->size - 1] ^= 0x80;
    assert_refused(sample->bytes, sample->size, NULL, "damaged");
    memset(sample->bytes, 'x', sample->size);
    assert_refused(sample->bytes, sample->size, NULL, "not a compiled program of posemb");
    free_sample(sample);
}

static void test_sizes_that_cannot_be_are_refused(void **state)
{
    struct posemb__blob blob = {.label = label, .label_size = 20, .binary_size = SIZE_MAX};

    (void)state;
    assert_int_equal(posemb__blob_size(&blob), 0);
    blob.binary_size = 1;
    blob.label_size = POSEMB__BLOB_LABEL_MAX + 1;
    assert_int_equal(posemb__blob_size(&blob), 0);
    blob.label_size = POSEMB__BLOB_LABEL_MAX;
    assert_int_equal(posemb__blob_size(&blob), 56 + POSEMB__BLOB_LABEL_MAX + 1);
}

static bool is_same(const struct posemb__digest *a, const struct posemb__digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static void test_fields_do_not_run_together(void **state)
{
    const struct posemb__field splits[][2] = {
        {{"ab", 2}, {"c", 1}}, {{"a", 1}, {"bc", 2}}, {{"abc", 3}, {"", 0}}, {{"", 0}, {"abc", 3}}};
    struct posemb__digest digests[4];
    struct posemb__digest one;
    char text[POSEMB__DIGEST_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        digests[i] = posemb__digest_fields(splits[i], 2);
        for (size_t j = 0; j < i; j++)
            assert_false(is_same(&digests[i], &digests[j]));
    }
    one = posemb__digest_fields(splits[2], 1);
    assert_false(is_same(&one, &digests[2]));
    one = posemb__digest_fields(splits[0], 2);
    assert_true(is_same(&one, &digests[0]));
    posemb__digest_text(&one, text);
    assert_int_equal(strspn(text, "0123456789abcdef"), 32);
    assert_int_equal(strlen(text), 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_a_binary_in_place_is_kept),
        cmocka_unit_test(test_the_bytes_are_those_of_the_format),
        cmocka_unit_test(test_every_length_is_refused),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_another_program_is_refused),
        cmocka_unit_test(test_what_is_wrong_is_said),
        cmocka_unit_test(test_sizes_that_cannot_be_are_refused),
        cmocka_unit_test(test_fields_do_not_run_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
