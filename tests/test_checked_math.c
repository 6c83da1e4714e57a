/* Sums and products of 64 bits at the edge of overflow. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_that_fit),
        cmocka_unit_test(test_sums_that_overflow),
        cmocka_unit_test(test_products_that_fit),
        cmocka_unit_test(test_products_that_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
