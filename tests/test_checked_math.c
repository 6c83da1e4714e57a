/* Sums, products and rounding up of 64 bits at the edge of overflow. */
#include "checked_math.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_sums_that_fit(void **state)
{
    uint64_t sum;

    (void)state;
    assert_true(posemb__add_u64(0, 0, &sum));
    assert_int_equal(sum, 0);
    assert_true(posemb__add_u64(UINT64_MAX, 0, &sum));
    assert_true(sum == UINT64_MAX);
    assert_true(posemb__add_u64(UINT64_MAX - 5, 5, &sum));
    assert_true(sum == UINT64_MAX);
}

static void test_sums_that_overflow(void **state)
{
    uint64_t sum;

    (void)state;
    assert_false(posemb__add_u64(UINT64_MAX, 1, &sum));
    assert_false(posemb__add_u64(1, UINT64_MAX, &sum));
    assert_false(posemb__add_u64(UINT64_MAX, UINT64_MAX, &sum));
}

static void test_quotients_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(posemb__divide_up_u64(0, 3), 0);
    assert_int_equal(posemb__divide_up_u64(1, 3), 1);
    assert_int_equal(posemb__divide_up_u64(3, 3), 1);
    assert_int_equal(posemb__divide_up_u64(4, 3), 2);
    assert_true(posemb__divide_up_u64(UINT64_MAX, 1) == UINT64_MAX);
    assert_true(posemb__divide_up_u64(UINT64_MAX, 2) == (uint64_t)1 << 63);
    assert_int_equal(posemb__divide_up_u64(1, UINT64_MAX), 1);
}

static void test_products_that_fit(void **state)
{
    uint64_t product;

    (void)state;
    assert_true(posemb__mul_u64(0, UINT64_MAX, &product));
    assert_int_equal(product, 0);
    assert_true(posemb__mul_u64(UINT64_MAX, 0, &product));
    assert_int_equal(product, 0);
    assert_true(posemb__mul_u64(UINT64_MAX, 1, &product));
    assert_true(product == UINT64_MAX);
    assert_true(posemb__mul_u64(UINT64_C(0xffffffff), UINT64_C(0x100000001), &product));
    assert_true(product == UINT64_MAX);
}

static void test_products_that_overflow(void **state)
{
    uint64_t product;

    (void)state;
    assert_false(posemb__mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &product));
    assert_false(posemb__mul_u64(UINT64_MAX, 2, &product));
    assert_false(posemb__mul_u64(2, UINT64_C(1) << 63, &product));
    assert_false(posemb__mul_u64(UINT64_MAX, UINT64_MAX, &product));
}

static void test_rounding_up(void **state)
{
    static const struct {
        uint64_t from;
        uint64_t alignment;
        uint64_t to;
    } cases[] = {{0, 1, 0},
                 {7, 1, 7},
                 {UINT64_MAX, 1, UINT64_MAX},
                 {0, 32, 0},
                 {1, 32, 32},
                 {31, 32, 32},
                 {32, 32, 32},
                 {33, 32, 64},
                 {UINT64_MAX - 31, 32, UINT64_MAX - 31},
                 {UINT64_MAX - 32, 32, UINT64_MAX - 31},
                 {1, UINT64_C(1) << 63, UINT64_C(1) << 63}};
    uint64_t rounded;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(posemb__round_up_u64(cases[i].from, cases[i].alignment, &rounded));
        assert_true(rounded == cases[i].to);
    }
}

static void test_rounding_up_that_overflows(void **state)
{
    uint64_t rounded;

    (void)state;
    assert_false(posemb__round_up_u64(UINT64_MAX, 2, &rounded));
    assert_false(posemb__round_up_u64(UINT64_MAX - 30, 32, &rounded));
    assert_false(posemb__round_up_u64((UINT64_C(1) << 63) + 1, UINT64_C(1) << 63, &rounded));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_that_fit),
        cmocka_unit_test(test_sums_that_overflow),
        cmocka_unit_test(test_quotients_are_rounded_up),
        cmocka_unit_test(test_products_that_fit),
        cmocka_unit_test(test_products_that_overflow),
        cmocka_unit_test(test_rounding_up),
        cmocka_unit_test(test_rounding_up_that_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
