/* The comparison of bits. */
#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static void test_equal_arrays_have_no_difference(void **state)
{
    const float values[] = {0.0f, -0.0f, 1.5f, INFINITY, 0x1p-149f};
    size_t first = 99;

    (void)state;
    assert_int_equal(posemb_compare_bits(values, values, 5, &first), 0);
    assert_int_equal(first, 5);
}

static void test_every_difference_is_counted(void **state)
{
    const float a[] = {1.0f, 0.0f, 2.0f, 3.0f, INFINITY};
    const float b[] = {1.0f, -0.0f, 2.0f, 0x1.800002p1f, -INFINITY};
    size_t first = 99;

    (void)state;
    assert_int_equal(posemb_compare_bits(a, b, 5, &first), 3);
    assert_int_equal(first, 1);
}

static void test_nans_count_as_one_pattern(void **state)
{
    const float a[] = {float_of(0x7fc00000u), float_of(0x7f800001u), float_of(0xffffffffu)};
    const float b[] = {float_of(0xffc12345u), float_of(0x7fffffffu), float_of(0x7fa00000u)};

    (void)state;
    assert_int_equal(posemb_compare_bits(a, b, 3, NULL), 0);
}

static void test_a_nan_is_not_an_infinity(void **state)
{
    const float nan = float_of(0x7f800001u);
    const float infinity = float_of(0x7f800000u);
    size_t first = 99;

    (void)state;
    assert_int_equal(posemb_compare_bits(&nan, &infinity, 1, &first), 1);
    assert_int_equal(first, 0);
}

static void test_nothing_equals_nothing(void **state)
{
    size_t first = 99;

    (void)state;
    assert_int_equal(posemb_compare_bits(NULL, NULL, 0, &first), 0);
    assert_int_equal(first, 0);
}

static void test_first_may_be_null(void **state)
{
    const float a = 1.0f;
    const float b = 2.0f;

    (void)state;
    assert_int_equal(posemb_compare_bits(&a, &b, 1, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_arrays_have_no_difference),
        cmocka_unit_test(test_every_difference_is_counted),
        cmocka_unit_test(test_nans_count_as_one_pattern),
        cmocka_unit_test(test_a_nan_is_not_an_infinity),
        cmocka_unit_test(test_nothing_equals_nothing),
        cmocka_unit_test(test_first_may_be_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
