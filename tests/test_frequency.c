/* Phase steps: every bit against MPFR, for every convention and many bases and D. */
#include "frequency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mpfr.h>

#include <stdlib.h>

#define PRECISION 400

static const uint32_t dims[] = {1, 2, 3, 5, 64, 127, 130, 384, 512, 768, 1000, 1024, 4096, 65536};

/* round(frac(exp(-ln_base * i * numerator / denominator) * one_over_2pi) * 2^64) */
static uint64_t exact_step(mpfr_t ln_base, mpfr_t one_over_2pi, uint32_t numerator,
                           uint32_t denominator, size_t i)
{
    uint64_t step = 0;
    mpfr_t turns;
    mpz_t digits;

    mpz_init(digits);
    mpfr_init2(turns, PRECISION);
    mpfr_mul_ui(turns, ln_base, i * numerator, MPFR_RNDN);
    mpfr_div_ui(turns, turns, denominator, MPFR_RNDN);
    mpfr_neg(turns, turns, MPFR_RNDN);
    mpfr_exp(turns, turns, MPFR_RNDN);
    mpfr_mul(turns, turns, one_over_2pi, MPFR_RNDN);
    mpfr_mul_2ui(turns, turns, 64, MPFR_RNDN);
    mpfr_get_z(digits, turns, MPFR_RNDN);
    mpz_fdiv_r_2exp(digits, digits, 64);
    mpz_export(&step, NULL, -1, sizeof step, 0, 0, digits);
    mpfr_clear(turns);
    mpz_clear(digits);
    return step;
}

static void check_steps(double base, uint32_t numerator, uint32_t denominator, size_t count)
{
    uint64_t *steps = malloc(count * sizeof *steps);
    mpfr_t ln_base, one_over_2pi;

    assert_non_null(steps);
    mpfr_inits2(PRECISION, ln_base, one_over_2pi, (mpfr_ptr)NULL);
    mpfr_set_d(ln_base, base, MPFR_RNDN);
    mpfr_log(ln_base, ln_base, MPFR_RNDN);
    mpfr_const_pi(one_over_2pi, MPFR_RNDN);
    mpfr_mul_2ui(one_over_2pi, one_over_2pi, 1, MPFR_RNDN);
    mpfr_ui_div(one_over_2pi, 1, one_over_2pi, MPFR_RNDN);
    posemb__phase_steps(base, numerator, denominator, count, steps);
    for (size_t i = 0; i < count; i++) {
        const uint64_t exact = exact_step(ln_base, one_over_2pi, numerator, denominator, i);

        if (steps[i] != exact)
            fail_msg("base %a, exponent -%zu * %u / %u: %016llx instead of %016llx", base, i,
                     numerator, denominator, (unsigned long long)steps[i],
                     (unsigned long long)exact);
    }
    mpfr_clears(ln_base, one_over_2pi, (mpfr_ptr)NULL);
    mpfr_free_cache();
    free(steps);
}

/* Every pair of every D: base^(-2i/D), then base^(-i/max(D/2 - 1, 1)). */
static void check_base(double base)
{
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
        const uint32_t half = dims[d] / 2;

        check_steps(base, 2, dims[d], (dims[d] + 1) / 2);
        if (half > 0)
            check_steps(base, 1, half > 2 ? half - 1 : 1, half);
    }
}

static void test_usual_bases_equal_mpfr(void **state)
{
    (void)state;
    check_base(1e4);
    check_base(1e6);
    check_base(500000.0);
}

static void test_small_bases_equal_mpfr(void **state)
{
    (void)state;
    check_base(1.5);
    check_base(3.0);
    check_base(0.5);
}

static void test_extreme_bases_equal_mpfr(void **state)
{
    (void)state;
    check_base(0x1p-32);
    check_base(0x1p+32);
}

static void test_bases_around_one_equal_mpfr(void **state)
{
    (void)state;
    check_base(1.0);
    check_base(0x1.fffffffffffffp-1);
    check_base(0x1.0000000000001p+0);
}

/* Exponents down to -2, where base^2 = 2^64 turns have whole parts to lose. */
static void test_exponents_to_two_equal_mpfr(void **state)
{
    (void)state;
    check_steps(0x1p-32, 2, 100, 101);
    check_steps(0x1p+32, 2, 100, 101);
}

static void test_a_base_of_one_gives_equal_steps(void **state)
{
    uint64_t steps[3];

    (void)state;
    posemb__phase_steps(1.0, 2, 6, 3, steps);
    for (int i = 0; i < 3; i++)
        assert_true(steps[i] == 0x28be60db9391054au);
}

static void test_no_steps_is_allowed(void **state)
{
    uint64_t untouched = 7;

    (void)state;
    posemb__phase_steps(1e4, 1, 1, 0, &untouched);
    assert_int_equal(untouched, 7);
}

/* Values from a third arithmetic, Python's decimal module at 150 digits. */
static void test_known_steps(void **state)
{
    static const struct {
        double base;
        uint32_t numerator, denominator, i;
        uint64_t step;
    } known[] = {
        {1e4, 2, 512, 0, 0x28be60db9391054a},     {1e4, 2, 512, 1, 0x274dc9220d7792d3},
        {1e4, 2, 512, 255, 0x000114cca0995935},   {1e4, 1, 255, 255, 0x00010b04870e0488},
        {1e4, 2, 1000, 499, 0x00010ffb5ecb295b},  {1e6, 2, 65536, 32767, 0x000002abda817d2c},
        {0x1p-32, 1, 31, 31, 0x9391054a7f09d5f4}, {0x1p-32, 1, 31, 30, 0x695d6b1c390781e9},
        {0x1p+32, 1, 31, 31, 0x0000000028be60dc}, {1.5, 2, 5, 2, 0x1d74f79e16cdc286},
    };
    uint64_t steps[32768];

    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        posemb__phase_steps(known[k].base, known[k].numerator, known[k].denominator, known[k].i + 1,
                            steps);
        assert_true(steps[known[k].i] == known[k].step);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_bases_equal_mpfr),
        cmocka_unit_test(test_small_bases_equal_mpfr),
        cmocka_unit_test(test_extreme_bases_equal_mpfr),
        cmocka_unit_test(test_bases_around_one_equal_mpfr),
        cmocka_unit_test(test_exponents_to_two_equal_mpfr),
        cmocka_unit_test(test_a_base_of_one_gives_equal_steps),
        cmocka_unit_test(test_no_steps_is_allowed),
        cmocka_unit_test(test_known_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
