/* Block storages against a second writing: whole blocks, walked in the order in which ggml walks
 * them, in double, where each value is exact until it is rounded to float once. */
#include "float_bits.h"
#include "storage.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_MAX = 256, BYTES_MAX = 210, RANDOM_BLOCKS = 20000 };

/* ---- Blocks to double */

/* IEEE 754 binary16, from its formula. */
static double half_at(const unsigned char *bytes)
{
    const unsigned bits = bytes[0] | (unsigned)bytes[1] << 8;
    const int exponent = (int)(bits >> 10 & 31u);
    const int fraction = (int)(bits & 1023u);
    double magnitude;

    if (exponent == 31)
        magnitude = fraction ? (double)NAN : (double)INFINITY;
    else
        magnitude = ldexp(exponent ? 1024 + fraction : fraction, (exponent ? exponent : 1) - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

static double signed_byte(unsigned char byte)
{
    return byte < 128 ? byte : byte - 256;
}

static void decode_q8_0(const unsigned char *block, double *y)
{
    for (int j = 0; j < 32; j++)
        y[j] = signed_byte(block[2 + j]) * half_at(block);
}

/* Of the four types of nibbles, whose bytes have channel j low and channel j + 16 high. `fifth` is
 * NULL or four bytes, of which each channel has a bit. */
static void decode_nibbles(const unsigned char *nibbles, const unsigned char *fifth, double *q)
{
    for (int j = 0; j < 16; j++) {
        q[j] = nibbles[j] % 16;
        q[j + 16] = nibbles[j] / 16;
    }
    for (int byte = 0; fifth && byte < 4; byte++)
        for (int bit = 0; bit < 8; bit++)
            if (fifth[byte] >> bit & 1)
                q[8 * byte + bit] += 16.0;
}

static void decode_q4_0(const unsigned char *block, double *y)
{
    decode_nibbles(block + 2, NULL, y);
    for (int j = 0; j < 32; j++)
        y[j] = (y[j] - 8.0) * half_at(block);
}

static void decode_q4_1(const unsigned char *block, double *y)
{
    decode_nibbles(block + 4, NULL, y);
    for (int j = 0; j < 32; j++)
        y[j] = y[j] * half_at(block) + half_at(block + 2);
}

static void decode_q5_0(const unsigned char *block, double *y)
{
    decode_nibbles(block + 6, block + 2, y);
    for (int j = 0; j < 32; j++)
        y[j] = (y[j] - 16.0) * half_at(block);
}

static void decode_q5_1(const unsigned char *block, double *y)
{
    decode_nibbles(block + 8, block + 4, y);
    for (int j = 0; j < 32; j++)
        y[j] = y[j] * half_at(block) + half_at(block + 2);
}

/* Halves of 128 channels; four planes of two bits over the same 32 bytes; 16 channels a scale. */
static void decode_q2_k(const unsigned char *block, double *y)
{
    const unsigned char *scale = block;
    const unsigned char *q = block + 16;
    const double d = half_at(block + 80);
    const double m = half_at(block + 82);

    for (int half = 0; half < 2; half++, q += 32)
        for (int shift = 0; shift < 8; shift += 2)
            for (int part = 0; part < 2; part++, scale++)
                for (int l = 0; l < 16; l++)
                    *y++ = d * (*scale % 16) * (q[16 * part + l] >> shift & 3) - m * (*scale / 16);
}

/* The 6-bit scales of Q3_K: nibbles of 8 bytes, the low ones first, then pairs of bits of four. */
static void unpack_scales_of_q3_k(const unsigned char *packed, int scales[16])
{
    for (int j = 0; j < 8; j++) {
        scales[j] = packed[j] % 16;
        scales[j + 8] = packed[j] / 16;
    }
    for (int byte = 0; byte < 4; byte++)
        for (int pair = 0; pair < 4; pair++)
            scales[4 * pair + byte] += 16 * (packed[8 + byte] >> 2 * pair & 3);
}

static void decode_q3_k(const unsigned char *block, double *y)
{
    const unsigned char *third = block;
    const unsigned char *q = block + 32;
    const double d = half_at(block + 108);
    int scales[16];
    const int *scale = scales;
    int mask = 1;

    unpack_scales_of_q3_k(block + 96, scales);
    for (int half = 0; half < 2; half++, q += 32)
        for (int shift = 0; shift < 8; shift += 2, mask *= 2)
            for (int part = 0; part < 2; part++, scale++)
                for (int l = 16 * part; l < 16 * part + 16; l++)
                    *y++ = d * (*scale - 32) *
                           ((q[l] >> shift & 3) - ((third[l] & mask) != 0 ? 0 : 4));
}

/* The 6-bit scales and minima of Q4_K and Q5_K: of four each, whole in the low bits of 8 bytes; of
 * the four others the low nibbles are in the bytes 8 ... 11, and two bits above the first ones. */
static void unpack_scales_of_q4_k(const unsigned char *packed, int scales[8], int minima[8])
{
    for (int j = 0; j < 4; j++) {
        scales[j] = packed[j] % 64;
        minima[j] = packed[j + 4] % 64;
        scales[j + 4] = packed[j + 8] % 16 + packed[j] / 64 * 16;
        minima[j + 4] = packed[j + 8] / 16 + packed[j + 4] / 64 * 16;
    }
}

/* Four runs of 64 channels, of which 32 have the low nibbles of 32 bytes, and 32 the high ones.
 * `fifth` is NULL or 32 bytes, whose bits are those of the eight halves of runs. */
static void decode_super_block(const unsigned char *block, const unsigned char *fifth,
                               const unsigned char *nibbles, double *y)
{
    int scales[8];
    int minima[8];

    unpack_scales_of_q4_k(block + 4, scales, minima);
    for (int half = 0; half < 8; half++)
        for (int l = 0; l < 32; l++) {
            const int byte = nibbles[32 * (half / 2) + l];
            int q = half % 2 == 0 ? byte % 16 : byte / 16;

            if (fifth)
                q += 16 * (fifth[l] >> half & 1);
            *y++ = half_at(block) * scales[half] * q - half_at(block + 2) * minima[half];
        }
}

static void decode_q4_k(const unsigned char *block, double *y)
{
    decode_super_block(block, NULL, block + 16, y);
}

static void decode_q5_k(const unsigned char *block, double *y)
{
    decode_super_block(block, block + 16, block + 48, y);
}

/* Halves of 128 channels, of which one byte of upper bits has the channels l, l + 32, l + 64 and
 * l + 96. */
static void decode_q6_k(const unsigned char *block, double *y)
{
    const double d = half_at(block + 208);

    for (int half = 0; half < 2; half++, y += 128) {
        const unsigned char *low = block + 64 * half;
        const unsigned char *high = block + 128 + 32 * half;
        const unsigned char *scale = block + 192 + 8 * half;

        for (int l = 0; l < 32; l++) {
            const int first = low[l] % 16 + 16 * (high[l] % 4);
            const int second = low[l + 32] % 16 + 16 * (high[l] / 4 % 4);
            const int third = low[l] / 16 + 16 * (high[l] / 16 % 4);
            const int fourth = low[l + 32] / 16 + 16 * (high[l] / 64);

            y[l] = d * signed_byte(scale[l / 16]) * (first - 32);
            y[l + 32] = d * signed_byte(scale[l / 16 + 2]) * (second - 32);
            y[l + 64] = d * signed_byte(scale[l / 16 + 4]) * (third - 32);
            y[l + 96] = d * signed_byte(scale[l / 16 + 6]) * (fourth - 32);
        }
    }
}

/* ---- The types */

struct type {
    posemb_storage storage;
    const char *name;
    uint32_t block;
    uint32_t bytes;
    int halves[2]; /* where the F16 numbers are; -1: there is no second */
    void (*decode)(const unsigned char *block, double *y);
};

static const struct type types[] = {
    {POSEMB_Q8_0, "Q8_0", 32, 34, {0, -1}, decode_q8_0},
    {POSEMB_Q4_0, "Q4_0", 32, 18, {0, -1}, decode_q4_0},
    {POSEMB_Q4_1, "Q4_1", 32, 20, {0, 2}, decode_q4_1},
    {POSEMB_Q5_0, "Q5_0", 32, 22, {0, -1}, decode_q5_0},
    {POSEMB_Q5_1, "Q5_1", 32, 24, {0, 2}, decode_q5_1},
    {POSEMB_Q2_K, "Q2_K", 256, 84, {80, 82}, decode_q2_k},
    {POSEMB_Q3_K, "Q3_K", 256, 110, {108, -1}, decode_q3_k},
    {POSEMB_Q4_K, "Q4_K", 256, 144, {0, 2}, decode_q4_k},
    {POSEMB_Q5_K, "Q5_K", 256, 176, {0, 2}, decode_q5_k},
    {POSEMB_Q6_K, "Q6_K", 256, 210, {208, -1}, decode_q6_k},
};

enum { TYPES = sizeof types / sizeof *types };

/* A row of blocks, element by element, against the blocks one by one. */
static void check_row(const struct type *type, const unsigned char *row, uint64_t blocks)
{
    double expected[BLOCK_MAX];

    for (uint64_t b = 0; b < blocks; b++) {
        type->decode(row + b * type->bytes, expected);
        for (uint32_t c = 0; c < type->block; c++) {
            const float found = posemb__load_element(row, b * type->block + c, type->storage);

            if (posemb_canonical_bits(found) != posemb_canonical_bits((float)expected[c]))
                fail_msg("%s, block %zu, channel %u: %a, not %a", type->name, (size_t)b,
                         (unsigned)c, (double)found, expected[c]);
        }
    }
}

static void fill_bytes(struct support_random *random, unsigned char *bytes, size_t count)
{
    for (size_t n = 0; n < count; n++)
        bytes[n] = (unsigned char)support_random_bits(random);
}

static void set_half(unsigned char *bytes, uint32_t bits)
{
    bytes[0] = (unsigned char)bits;
    bytes[1] = (unsigned char)(bits >> 8);
}

/* ---- Values */

static void test_random_blocks(void **state)
{
    struct support_random random = support_random_from(1);
    unsigned char row[BYTES_MAX];

    (void)state;
    for (int t = 0; t < TYPES; t++)
        for (int n = 0; n < RANDOM_BLOCKS; n++) {
            fill_bytes(&random, row, types[t].bytes);
            check_row(&types[t], row, 1);
        }
}

/* Every bit alone, and all but it: each has one place in the formula. */
static void test_each_bit_of_a_block(void **state)
{
    unsigned char row[BYTES_MAX];

    (void)state;
    for (int t = 0; t < TYPES; t++)
        for (uint32_t bit = 0; bit < 8 * types[t].bytes; bit++)
            for (int inverse = 0; inverse < 2; inverse++) {
                memset(row, inverse ? 0xff : 0, sizeof row);
                row[bit / 8] ^= (unsigned char)(1u << bit % 8);
                for (int h = 0; h < 2; h++)
                    if (types[t].halves[h] >= 0)
                        set_half(row + types[t].halves[h], 0x3c00u + 0x155u * (unsigned)h);
                check_row(&types[t], row, 1);
            }
}

/* Every F16 number as d and as m, beside ordinary and beside odd ones. */
static void test_every_half(void **state)
{
    static const uint32_t others[] = {0x3c00, 0x8000, 0x0001, 0xfbff, 0x7c00, 0xfc00, 0x7e00};
    struct support_random random = support_random_from(2);
    unsigned char row[BYTES_MAX];

    (void)state;
    for (int t = 0; t < TYPES; t++)
        for (int h = 0; h < 2 && types[t].halves[h] >= 0; h++)
            for (uint32_t bits = 0; bits<65536; bits += types[t].block> 32 ? 7 : 1) {
                fill_bytes(&random, row, types[t].bytes);
                if (types[t].halves[!h] >= 0)
                    set_half(row + types[t].halves[!h], others[bits % 7]);
                set_half(row + types[t].halves[h], bits);
                check_row(&types[t], row, 1);
            }
}

/* Rows of several blocks, at any address. */
static void test_rows_of_blocks(void **state)
{
    struct support_random random = support_random_from(3);
    unsigned char row[5 * BYTES_MAX + 4];

    (void)state;
    for (int t = 0; t < TYPES; t++)
        for (size_t shift = 0; shift < 4; shift++)
            for (int n = 0; n < 100; n++) {
                fill_bytes(&random, row, sizeof row);
                check_row(&types[t], row + shift, 5);
            }
}

/* Every significand of d, with every scale up to `scales` in magnitude and every q up to `numbers`.
 * The products of double are exact: of 11, 8 and 6 bits. */
static void check_products(int exponent, int scales, int numbers)
{
    for (int significand = 0; significand < 2048; significand++) {
        const float d = ldexpf((float)significand, exponent);

        for (int s = 0; s <= scales; s++) {
            const float scaled = d * (float)s;

            if ((double)scaled != (double)d * s)
                fail_msg("%a * %d is not exact", (double)d, s);
            for (int q = 0; q <= numbers; q++)
                if ((double)(scaled * (float)q) != (double)d * s * q)
                    fail_msg("%a * %d * %d is not exact", (double)d, s, q);
        }
    }
}

/* Of the least and the largest exponent of F16; signs do not matter. */
static void test_products_are_exact(void **state)
{
    static const int exponents[] = {-24, 5};

    (void)state;
    for (int e = 0; e < 2; e++) {
        check_products(exponents[e], 1, 128);  /* blocks of 32: |q| of Q8_0 */
        check_products(exponents[e], 15, 3);   /* Q2_K */
        check_products(exponents[e], 32, 4);   /* Q3_K */
        check_products(exponents[e], 63, 31);  /* Q4_K and Q5_K, and the minima */
        check_products(exponents[e], 128, 32); /* Q6_K */
    }
}

/* ---- What is said of the storages */

static void check_info(const posemb_storage_info *info, posemb_storage storage, const char *name,
                       uint32_t block, uint32_t bytes)
{
    assert_non_null(info);
    assert_int_equal(info->storage, storage);
    assert_string_equal(info->name, name);
    assert_int_equal(info->block, block);
    assert_int_equal(info->block_bytes, bytes);
    assert_true(info->alignment > 0 && (info->alignment & (info->alignment - 1)) == 0);
    assert_int_equal(bytes % info->alignment, 0); /* dense rows and blocks are aligned */
}

static void test_storages_are_found(void **state)
{
    static const struct {
        const char *name;
        uint32_t bytes;
    } elements[] = {{"float32", 4}, {"float16", 2}, {"bfloat16", 2}, {"int8", 1}};
    static const int bad[] = {0, 15, 16, 255, INT_MAX, -1, INT_MIN};

    (void)state;
    for (int n = 0; n < 4; n++) {
        const posemb_storage storage = (posemb_storage)(n + 1);
        const posemb_storage_info *info = posemb_storage_find(storage);

        check_info(info, storage, elements[n].name, 1, elements[n].bytes);
        assert_int_equal(info->alignment, elements[n].bytes);
    }
    for (int t = 0; t < TYPES; t++) {
        const posemb_storage_info *info = posemb_storage_find(types[t].storage);

        check_info(info, types[t].storage, types[t].name, types[t].block, types[t].bytes);
        assert_int_equal(info->alignment, 2); /* that of F16 */
        assert_ptr_equal(posemb_storage_find(types[t].storage), info);
    }
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        assert_null(posemb_storage_find((posemb_storage)bad[n]));
        assert_int_equal(posemb_storage_row_bytes((posemb_storage)bad[n], 256), 0);
    }
}

static void test_bytes_of_rows(void **state)
{
    (void)state;
    for (int t = 0; t < TYPES; t++) {
        const posemb_storage storage = types[t].storage;
        const uint64_t block = types[t].block;

        for (uint64_t dim = 0; dim <= 4 * block; dim++)
            assert_int_equal(posemb_storage_row_bytes(storage, dim),
                             dim % block == 0 ? dim / block * types[t].bytes : 0);
        assert_int_equal(posemb_storage_row_bytes(storage, POSEMB_DIM_MAX),
                         POSEMB_DIM_MAX / block * types[t].bytes);
    }
    for (uint64_t dim = 0; dim <= 9; dim++) {
        assert_int_equal(posemb_storage_row_bytes(POSEMB_F32, dim), 4 * dim);
        assert_int_equal(posemb_storage_row_bytes(POSEMB_F16, dim), 2 * dim);
        assert_int_equal(posemb_storage_row_bytes(POSEMB_BF16, dim), 2 * dim);
        assert_int_equal(posemb_storage_row_bytes(POSEMB_I8, dim), dim);
    }
}

/* The largest row there is, and one block more. Q8_0 alone of the blocks has more bytes than
 * channels. */
static void test_bytes_of_rows_overflow(void **state)
{
    static const struct {
        posemb_storage storage;
        uint64_t block;
        uint64_t bytes;
    } rows[] = {{POSEMB_F32, 1, 4}, {POSEMB_F16, 1, 2}, {POSEMB_BF16, 1, 2}, {POSEMB_Q8_0, 32, 34}};
    const uint64_t all_of_256 = UINT64_MAX / 256 * 256;

    (void)state;
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        const uint64_t most = UINT64_MAX / rows[n].bytes;

        assert_true(posemb_storage_row_bytes(rows[n].storage, most * rows[n].block) ==
                    most * rows[n].bytes);
        assert_int_equal(posemb_storage_row_bytes(rows[n].storage, (most + 1) * rows[n].block), 0);
    }
    assert_true(posemb_storage_row_bytes(POSEMB_I8, UINT64_MAX) == UINT64_MAX);
    assert_int_equal(posemb_storage_row_bytes(POSEMB_Q8_0, UINT64_MAX / 32 * 32), 0);
    assert_int_equal(posemb_storage_row_bytes(POSEMB_Q6_K, UINT64_MAX), 0);
    assert_true(posemb_storage_row_bytes(POSEMB_Q6_K, all_of_256) == all_of_256 / 256 * 210);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_blocks),      cmocka_unit_test(test_each_bit_of_a_block),
        cmocka_unit_test(test_every_half),         cmocka_unit_test(test_rows_of_blocks),
        cmocka_unit_test(test_products_are_exact), cmocka_unit_test(test_storages_are_found),
        cmocka_unit_test(test_bytes_of_rows),      cmocka_unit_test(test_bytes_of_rows_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
