/* The fixed-point arithmetic against GMP, its functions and constants against MPFR. */
#include "fixed_point.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mpfr.h>

#define NUMBER_BITS   256
#define FRACTION_BITS 224
#define PRECISION     400
#define ROUNDS        20000

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

/* A number of a random length; one limb in four is all zeros or all ones, for the carries. */
static struct posemb__fixed random_fixed(void)
{
    struct posemb__fixed a = {{0}};
    const uint32_t limbs = random_u32() % (POSEMB__LIMBS + 1);

    for (uint32_t k = 0; k < limbs; k++) {
        const uint32_t kind = random_u32() % 8;

        a.limb[k] = kind == 0 ? 0 : kind == 1 ? UINT32_MAX : random_u32();
    }
    return a;
}

/* result = a * 2^224 */
static void to_mpz(mpz_t result, const struct posemb__fixed *a)
{
    mpz_import(result, POSEMB__LIMBS, -1, sizeof a->limb[0], 0, 0, a->limb);
}

/* Fails unless a = (expected / 2^224) modulo 2^32. */
static void assert_fixed(struct posemb__fixed a, mpz_t expected)
{
    mpz_t ours;

    mpz_init(ours);
    to_mpz(ours, &a);
    mpz_fdiv_r_2exp(expected, expected, NUMBER_BITS);
    assert_int_equal(mpz_cmp(ours, expected), 0);
    mpz_clear(ours);
}

static void test_negate_equals_gmp(void **state)
{
    mpz_t a;

    (void)state;
    mpz_init(a);
    for (int n = 0; n < ROUNDS; n++) {
        const struct posemb__fixed number = random_fixed();

        to_mpz(a, &number);
        mpz_neg(a, a);
        assert_fixed(posemb__fixed_negate(number), a);
    }
    mpz_clear(a);
}

static void test_times_and_over_equal_gmp(void **state)
{
    mpz_t a, expected;

    (void)state;
    mpz_inits(a, expected, NULL);
    for (int n = 0; n < ROUNDS; n++) {
        const struct posemb__fixed number = random_fixed();
        const uint32_t factor = random_u32() >> random_u32() % 32 | 1u;

        to_mpz(a, &number);
        mpz_mul_ui(expected, a, factor);
        assert_fixed(posemb__fixed_times(number, factor), expected);
        mpz_fdiv_q_ui(expected, a, factor);
        assert_fixed(posemb__fixed_over(number, factor), expected);
    }
    mpz_clears(a, expected, NULL);
}

static void test_multiply_equals_gmp(void **state)
{
    mpz_t a, b;

    (void)state;
    mpz_inits(a, b, NULL);
    for (int n = 0; n < ROUNDS; n++) {
        const struct posemb__fixed left = random_fixed();
        const struct posemb__fixed right = random_fixed();

        to_mpz(a, &left);
        to_mpz(b, &right);
        mpz_mul(a, a, b);
        mpz_fdiv_q_2exp(a, a, FRACTION_BITS);
        assert_fixed(posemb__fixed_multiply(&left, &right), a);
    }
    mpz_clears(a, b, NULL);
}

static void test_scale_equals_gmp(void **state)
{
    mpz_t a, expected;

    (void)state;
    mpz_inits(a, expected, NULL);
    for (int32_t exponent = -300; exponent <= 300; exponent++) {
        const struct posemb__fixed number = random_fixed();

        to_mpz(a, &number);
        if (exponent < 0)
            mpz_fdiv_q_2exp(expected, a, (mp_bitcnt_t)-exponent);
        else
            mpz_mul_2exp(expected, a, (mp_bitcnt_t)exponent);
        assert_fixed(posemb__fixed_scale(&number, exponent), expected);
    }
    mpz_clears(a, expected, NULL);
}

static void assert_constant(struct posemb__fixed ours, mpfr_t exact)
{
    mpz_t expected;

    mpz_init(expected);
    mpfr_mul_2ui(exact, exact, FRACTION_BITS, MPFR_RNDN);
    mpfr_get_z(expected, exact, MPFR_RNDD);
    assert_fixed(ours, expected);
    mpz_clear(expected);
}

static void test_constants_equal_mpfr(void **state)
{
    mpfr_t exact;

    (void)state;
    mpfr_init2(exact, PRECISION);
    mpfr_const_log2(exact, MPFR_RNDN);
    assert_constant(posemb__ln_2, exact);
    mpfr_const_pi(exact, MPFR_RNDN);
    mpfr_mul_2ui(exact, exact, 1, MPFR_RNDN);
    mpfr_ui_div(exact, 1, exact, MPFR_RNDN);
    assert_constant(posemb__one_over_2pi, exact);
    mpfr_clear(exact);
    mpfr_free_cache();
}

/* |ours - exact| < 2^exponent, ours read as a signed number. */
static void assert_within(const struct posemb__fixed *ours, mpfr_t exact, int exponent)
{
    mpz_t digits;
    mpfr_t difference;

    mpz_init(digits);
    mpfr_init2(difference, PRECISION);
    to_mpz(digits, ours);
    if (ours->limb[POSEMB__LIMBS - 1] >> 31) {
        const struct posemb__fixed magnitude = posemb__fixed_negate(*ours);

        to_mpz(digits, &magnitude);
        mpz_neg(digits, digits);
    }
    mpfr_set_z_2exp(difference, digits, -FRACTION_BITS, MPFR_RNDN);
    mpfr_sub(difference, difference, exact, MPFR_RNDN);
    assert_true(mpfr_cmp_ui_2exp(difference, 1, exponent) < 0);
    assert_true(mpfr_cmp_si_2exp(difference, -1, exponent) > 0);
    mpz_clear(digits);
    mpfr_clear(difference);
}

static void check_log2(double value)
{
    const struct posemb__fixed ours = posemb__fixed_log2(value);
    mpfr_t exact;

    mpfr_init2(exact, PRECISION);
    mpfr_set_d(exact, value, MPFR_RNDN);
    mpfr_log2(exact, exact, MPFR_RNDN);
    assert_within(&ours, exact, -222);
    mpfr_clear(exact);
}

static void test_log2_is_near_mpfr(void **state)
{
    (void)state;
    for (int exponent = -32; exponent < 32; exponent++) {
        check_log2(ldexp(1.0, exponent));
        check_log2(nextafter(ldexp(1.0, exponent), 0.0));
        check_log2(nextafter(ldexp(1.0, exponent), INFINITY));
        for (int n = 0; n < 10; n++)
            check_log2(ldexp(1.0 + random_u32() * 0x1p-32 + random_u32() * 0x1p-52, exponent));
    }
    mpfr_free_cache();
}

static void check_exp2(const struct posemb__fixed *a)
{
    const struct posemb__fixed ours = posemb__fixed_exp2(a);
    mpz_t digits;
    mpfr_t exact;

    mpz_init(digits);
    mpfr_init2(exact, PRECISION);
    to_mpz(digits, a);
    mpfr_set_z_2exp(exact, digits, -FRACTION_BITS, MPFR_RNDN);
    mpfr_exp2(exact, exact, MPFR_RNDN);
    assert_within(&ours, exact, -204);
    mpz_clear(digits);
    mpfr_clear(exact);
}

static void test_exp2_is_near_mpfr(void **state)
{
    const struct posemb__fixed zero = {{0}};
    struct posemb__fixed all_ones = posemb__fixed_negate((struct posemb__fixed){{1}});

    (void)state;
    all_ones.limb[POSEMB__LIMBS - 1] = 0;
    check_exp2(&zero);
    check_exp2(&all_ones);
    for (int n = 0; n < 2000; n++) {
        struct posemb__fixed a = random_fixed();

        a.limb[POSEMB__LIMBS - 1] = 0;
        check_exp2(&a);
    }
    mpfr_free_cache();
}

static void test_add_and_divide_equal_gmp(void **state)
{
    mpz_t x, y, expected;

    (void)state;
    mpz_inits(x, y, expected, (mpz_ptr)NULL);
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct posemb__fixed a = random_fixed();
        struct posemb__fixed b = random_fixed();

        to_mpz(x, &a);
        to_mpz(y, &b);
        mpz_add(expected, x, y);
        assert_fixed(posemb__fixed_add(a, b), expected);
        b.limb[POSEMB__LIMBS - 1] &= 0x7fffffffu;
        to_mpz(y, &b);
        mpz_mul_2exp(expected, x, FRACTION_BITS);
        if (mpz_sgn(y) == 0)
            continue;
        mpz_fdiv_q(expected, expected, y);
        if (mpz_sizeinbase(expected, 2) <= NUMBER_BITS)
            assert_fixed(posemb__fixed_divide(&a, &b), expected);
    }
    mpz_clears(x, y, expected, (mpz_ptr)NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negate_equals_gmp),
        cmocka_unit_test(test_times_and_over_equal_gmp),
        cmocka_unit_test(test_multiply_equals_gmp),
        cmocka_unit_test(test_scale_equals_gmp),
        cmocka_unit_test(test_constants_equal_mpfr),
        cmocka_unit_test(test_log2_is_near_mpfr),
        cmocka_unit_test(test_exp2_is_near_mpfr),
        cmocka_unit_test(test_add_and_divide_equal_gmp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
