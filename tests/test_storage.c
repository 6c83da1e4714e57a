/* Elements of narrow types against a second writing: a list of all values of a format, in double,
 * among which the nearest is looked for. */
#include "float_bits.h"
#include "storage.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERNS = 65536, RANDOM_VALUES = 4000000 };

struct format {
    posemb_storage storage;
    int fraction_bits;
    int bias;
    uint16_t infinity;
    uint16_t nan; /* the one that is written */
};

static const struct format formats[] = {{POSEMB_F16, 10, 15, 0x7c00, 0x7e00},
                                        {POSEMB_BF16, 7, 127, 0x7f80, 0x7fc0}};

enum { FORMATS = sizeof formats / sizeof *formats };

static float widen(const struct format *format, uint16_t bits)
{
    return format->storage == POSEMB_F16 ? posemb__from_f16(bits) : posemb__from_bf16(bits);
}

static uint16_t narrow(const struct format *format, float value)
{
    return format->storage == POSEMB_F16 ? posemb__to_f16(value) : posemb__to_bf16(value);
}

/* ---- All values of a format */

/* Of a magnitude; that of infinity is the number which would follow the largest. */
static double magnitude_of(const struct format *format, uint32_t bits)
{
    const uint32_t one = 1u << format->fraction_bits;
    const uint32_t fraction = bits % one;
    const int exponent = (int)(bits / one);
    const int unit = (exponent ? exponent : 1) - format->bias - format->fraction_bits;

    return ldexp((double)(exponent ? one + fraction : fraction), unit);
}

static double *list_magnitudes(const struct format *format)
{
    double *values = malloc((format->infinity + 1u) * sizeof *values);

    assert_non_null(values);
    for (uint32_t bits = 0; bits <= format->infinity; bits++)
        values[bits] = magnitude_of(format, bits);
    return values;
}

/* The nearest of them, of two the even one. Twice the value and the sum of two neighbours are exact
 * in double. */
static uint16_t nearest(const struct format *format, const double *values, float value)
{
    const uint32_t sign = posemb__bits_of(value) >> 31 << 15;
    const double magnitude = fabs((double)value);
    uint32_t low = 0;
    uint32_t high = format->infinity;
    double middle;

    if (isnan(value))
        return format->nan;
    if (magnitude >= values[high])
        return (uint16_t)(sign | high);
    while (high - low > 1) {
        const uint32_t between = (low + high) / 2;

        if (values[between] <= magnitude)
            low = between;
        else
            high = between;
    }
    middle = values[low] + values[high];
    if (2.0 * magnitude > middle || (2.0 * magnitude == middle && low % 2 != 0))
        low = high;
    return (uint16_t)(sign | low);
}

static void check_narrow(const struct format *format, const double *values, float value)
{
    const uint16_t expected = nearest(format, values, value);
    const uint16_t found = narrow(format, value);

    if (found != expected)
        fail_msg("storage %d: %a (%08x) is %04x, not %04x", (int)format->storage, (double)value,
                 (unsigned)posemb__bits_of(value), (unsigned)found, (unsigned)expected);
}

static void check_both_signs(const struct format *format, const double *values, float value)
{
    check_narrow(format, values, value);
    check_narrow(format, values, -value);
}

/* ---- Conversions */

static void test_every_pattern_is_widened_exactly(void **state)
{
    (void)state;
    for (int f = 0; f < FORMATS; f++)
        for (uint32_t bits = 0; bits < PATTERNS; bits++) {
            const uint32_t magnitude = bits & 0x7fffu;
            const float found = widen(&formats[f], (uint16_t)bits);
            double expected = magnitude_of(&formats[f], magnitude);

            if (magnitude > formats[f].infinity) {
                assert_true(isnan(found));
                continue;
            }
            if (magnitude == formats[f].infinity)
                expected = INFINITY;
            assert_true(fabs((double)found) == expected);
            assert_int_equal(posemb__bits_of(found) >> 31, bits >> 15);
        }
}

/* NaNs apart, there and back is nothing. */
static void test_every_value_is_narrowed_to_itself(void **state)
{
    (void)state;
    for (int f = 0; f < FORMATS; f++)
        for (uint32_t bits = 0; bits < PATTERNS; bits++) {
            const bool nan = (bits & 0x7fffu) > formats[f].infinity;

            assert_int_equal(narrow(&formats[f], widen(&formats[f], (uint16_t)bits)),
                             nan ? formats[f].nan : bits);
        }
}

/* Every point where the result changes, and the floats beside it. The last is where infinity
 * begins. */
static void test_ties_go_to_even(void **state)
{
    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        double *const values = list_magnitudes(&formats[f]);

        for (uint32_t bits = 0; bits < formats[f].infinity; bits++) {
            const float middle = (float)((values[bits] + values[bits + 1]) / 2.0);

            assert_true((double)middle * 2.0 == values[bits] + values[bits + 1]);
            assert_int_equal(narrow(&formats[f], middle), bits + bits % 2);
            check_both_signs(&formats[f], values, middle);
            check_both_signs(&formats[f], values, nextafterf(middle, 0.0f));
            check_both_signs(&formats[f], values, nextafterf(middle, INFINITY));
            check_both_signs(&formats[f], values, nextafterf((float)values[bits], INFINITY));
            check_both_signs(&formats[f], values, nextafterf((float)values[bits + 1], 0.0f));
        }
        free(values);
    }
}

static void test_ends_of_the_range(void **state)
{
    static const struct {
        float value;
        uint16_t f16;
        uint16_t bf16;
    } rows[] = {
        {0.0f, 0x0000, 0x0000},
        {-0.0f, 0x8000, 0x8000},
        {0x1p-149f, 0x0000, 0x0000},
        {-0x1p-149f, 0x8000, 0x8000},
        {0x1p-134f, 0x0000, 0x0000}, /* half of the least bf16 */
        {0x1.8p-133f, 0x0000, 0x0002},
        {0x1p-25f, 0x0000, 0x3300}, /* half of the least f16 */
        {0x1.000002p-25f, 0x0001, 0x3300},
        {0x1.8p-24f, 0x0002, 0x33c0},
        {0x1.ff8p-15f, 0x03ff, 0x3880},
        {0x1.ffcp-15f, 0x0400, 0x3880}, /* a tie, to the least normal f16 */
        {1.0f, 0x3c00, 0x3f80},
        {65504.0f, 0x7bff, 0x4780},
        {0x1.ffdffep15f, 0x7bff, 0x4780}, /* below 65520 */
        {65520.0f, 0x7c00, 0x4780},
        {-65520.0f, 0xfc00, 0xc780},
        {0x1.fep127f, 0x7c00, 0x7f7f},
        {0x1.fefffep127f, 0x7c00, 0x7f7f},
        {0x1.ffp127f, 0x7c00, 0x7f80},
        {0x1.fffffep127f, 0x7c00, 0x7f80},
        {INFINITY, 0x7c00, 0x7f80},
        {-INFINITY, 0xfc00, 0xff80},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(posemb__to_f16(rows[i].value), rows[i].f16);
        assert_int_equal(posemb__to_bf16(rows[i].value), rows[i].bf16);
    }
}

/* Of either sign, quiet or signalling, with any payload: also those that have only bits which a
 * narrow type lacks. */
static void test_every_nan_is_one(void **state)
{
    struct support_random random = support_random_from(1);

    (void)state;
    for (int bit = 0; bit < 23; bit++)
        for (uint32_t sign = 0; sign < 2; sign++)
            for (int n = 0; n < 100; n++) {
                const uint32_t rest = n ? (uint32_t)support_random_bits(&random) & 0x7fffffu : 0;
                const float nan = posemb__float_of(sign << 31 | 0x7f800000u | 1u << bit | rest);

                assert_true(isnan(nan));
                assert_int_equal(posemb__to_f16(nan), 0x7e00);
                assert_int_equal(posemb__to_bf16(nan), 0x7fc0);
            }
}

/* Any bits, and such as lie where float16 has values. */
static void test_random_floats_are_narrowed_to_the_nearest(void **state)
{
    struct support_random random = support_random_from(2);

    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        double *const values = list_magnitudes(&formats[f]);

        for (int n = 0; n < RANDOM_VALUES; n++) {
            const uint64_t bits = support_random_bits(&random);
            const uint32_t exponent = 97u + (uint32_t)(bits >> 40) % 50u;

            check_narrow(&formats[f], values, posemb__float_of((uint32_t)bits));
            check_narrow(&formats[f], values,
                         posemb__float_of(((uint32_t)bits & 0x807fffffu) | exponent << 23));
        }
        free(values);
    }
}

static void test_rounding_twice_is_rounding_once(void **state)
{
    struct support_random random = support_random_from(3);

    (void)state;
    for (int n = 0; n < 1000000; n++) {
        const float value = support_random_hard_float(&random);

        assert_int_equal(posemb_canonical_bits(posemb__round_to(value, POSEMB_F32)),
                         posemb_canonical_bits(value));
        for (int f = 0; f < FORMATS; f++) {
            const float once = posemb__round_to(value, formats[f].storage);

            assert_int_equal(posemb_canonical_bits(once),
                             posemb_canonical_bits(widen(&formats[f], narrow(&formats[f], value))));
            assert_int_equal(posemb_canonical_bits(posemb__round_to(once, formats[f].storage)),
                             posemb_canonical_bits(once));
        }
    }
}

/* ---- Elements in memory */

/* Stored at any address, found there again, and nothing beside it is touched. */
static void test_elements_need_no_alignment(void **state)
{
    static const posemb_storage storages[] = {POSEMB_F32, POSEMB_F16, POSEMB_BF16};
    static const size_t sizes[] = {4, 2, 2};
    const float value = -1.5f; /* in all of them */

    (void)state;
    for (int i = 0; i < 3; i++)
        for (size_t shift = 0; shift < 4; shift++)
            for (uint64_t index = 0; index < 5; index++) {
                unsigned char bytes[32];
                unsigned char before[32];
                const size_t at = shift + index * sizes[i];

                memset(bytes, 0x5a, sizeof bytes);
                memcpy(before, bytes, sizeof bytes);
                posemb__store_element(bytes + shift, index, storages[i], value);
                assert_true(posemb__load_element(bytes + shift, index, storages[i]) == value);
                assert_memory_equal(bytes, before, at);
                assert_memory_not_equal(bytes + at, before + at, sizes[i]);
                assert_memory_equal(bytes + at + sizes[i], before + at + sizes[i],
                                    sizeof bytes - at - sizes[i]);
            }
}

static void test_elements_have_the_bytes_of_their_storage(void **state)
{
    unsigned char bytes[9];
    const unsigned char f16[] = {0x00, 0x3e}, bf16[] = {0xc0, 0xbf};

    (void)state;
    posemb__store_element(bytes + 1, 1, POSEMB_F16, 1.5f);
    assert_memory_equal(bytes + 3, f16, 2);
    posemb__store_element(bytes + 1, 2, POSEMB_BF16, -1.5f);
    assert_memory_equal(bytes + 5, bf16, 2);
    posemb__store_element(bytes, 1, POSEMB_F16, NAN);
    assert_int_equal(bytes[3], 0x7e);
    posemb__store_element(bytes, 1, POSEMB_BF16, 65520.0f); /* rounded to its own type */
    assert_true(posemb__load_element(bytes, 1, POSEMB_BF16) == 65536.0f);
}

static void test_bytes_are_whole_numbers(void **state)
{
    unsigned char bytes[257];

    (void)state;
    for (int n = 0; n < 257; n++)
        bytes[n] = (unsigned char)(n + 127);
    for (int n = 0; n < 256; n++) /* 128 is -128 */
        assert_true(posemb__load_element(bytes + 1, (uint64_t)n, POSEMB_I8) == (float)(n - 128));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pattern_is_widened_exactly),
        cmocka_unit_test(test_every_value_is_narrowed_to_itself),
        cmocka_unit_test(test_ties_go_to_even),
        cmocka_unit_test(test_ends_of_the_range),
        cmocka_unit_test(test_every_nan_is_one),
        cmocka_unit_test(test_random_floats_are_narrowed_to_the_nearest),
        cmocka_unit_test(test_rounding_twice_is_rounding_once),
        cmocka_unit_test(test_elements_need_no_alignment),
        cmocka_unit_test(test_elements_have_the_bytes_of_their_storage),
        cmocka_unit_test(test_bytes_are_whole_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
