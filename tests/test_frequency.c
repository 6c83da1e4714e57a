/* Phase steps: every bit against MPFR, for every convention and many bases and D. */
#include "frequency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mpfr.h>

#include <math.h>
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

/* base^(-i * numerator / denominator), numerator 1 or 2 */
static void steps_of(double base, uint32_t numerator, uint32_t denominator, size_t count,
                     uint64_t *steps)
{
    const struct posemb__progression progression = {
        base, 1.0, numerator == 2 ? denominator : 2 * denominator, 0.0};
    const struct posemb__position_factor one = {1.0, 1, 1};

    posemb__phase_steps(&progression, &one, count, (struct posemb__steps){steps, NULL});
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
    steps_of(base, numerator, denominator, count, steps);
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
    steps_of(1.0, 2, 6, 3, steps);
    for (int i = 0; i < 3; i++)
        assert_true(steps[i] == 0x28be60db9391054au);
}

static void test_no_steps_is_allowed(void **state)
{
    uint64_t untouched = 7;

    (void)state;
    steps_of(1e4, 1, 1, 0, &untouched);
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
        steps_of(known[k].base, known[k].numerator, known[k].denominator, known[k].i + 1, steps);
        assert_true(steps[known[k].i] == known[k].step);
    }
}

/* round(frequency * base^(-i / (twice / 2 - shift)) * scale * numerator / denominator / 2pi *
 * 2^64), 96 bits of it. */
static void exact_turns(const struct posemb__progression *progression,
                        const struct posemb__position_factor *factor, double given, size_t i,
                        uint64_t *step, uint32_t *whole)
{
    mpfr_t turns, other;
    mpz_t digits, part;
    uint64_t upper = 0;

    mpfr_inits2(PRECISION, turns, other, (mpfr_ptr)NULL);
    mpz_inits(digits, part, (mpz_ptr)NULL);
    if (progression) {
        mpfr_set_ui(other, progression->twice_denominator, MPFR_RNDN);
        mpfr_div_2ui(other, other, 1, MPFR_RNDN);
        mpfr_sub_d(other, other, progression->shift, MPFR_RNDN);
        mpfr_set_d(turns, progression->base, MPFR_RNDN);
        mpfr_log(turns, turns, MPFR_RNDN);
        mpfr_mul_ui(turns, turns, i, MPFR_RNDN);
        if (i > 0)
            mpfr_div(turns, turns, other, MPFR_RNDN);
        mpfr_neg(turns, turns, MPFR_RNDN);
        mpfr_exp(turns, turns, MPFR_RNDN);
        mpfr_mul_d(turns, turns, progression->frequency, MPFR_RNDN);
    } else {
        mpfr_set_d(turns, given, MPFR_RNDN);
    }
    mpfr_mul_d(turns, turns, factor->scale, MPFR_RNDN);
    mpfr_mul_ui(turns, turns, factor->numerator, MPFR_RNDN);
    mpfr_div_ui(turns, turns, factor->denominator, MPFR_RNDN);
    mpfr_const_pi(other, MPFR_RNDN);
    mpfr_div(turns, turns, other, MPFR_RNDN);
    mpfr_mul_2ui(turns, turns, 63, MPFR_RNDN);
    mpfr_get_z(digits, turns, MPFR_RNDN);
    *step = 0;
    mpz_fdiv_r_2exp(part, digits, 64);
    mpz_export(step, NULL, -1, sizeof *step, 0, 0, part);
    mpz_fdiv_q_2exp(part, digits, 64);
    mpz_fdiv_r_2exp(part, part, 32);
    mpz_export(&upper, NULL, -1, sizeof upper, 0, 0, part);
    *whole = (uint32_t)upper;
    mpz_clears(digits, part, (mpz_ptr)NULL);
    mpfr_clears(turns, other, (mpfr_ptr)NULL);
}

enum { KNOB_PAIRS = 97 };

static void check_turns(const struct posemb__progression *progression,
                        const struct posemb__position_factor *factor, const double *given)
{
    uint64_t steps[KNOB_PAIRS], step;
    uint32_t wholes[KNOB_PAIRS], whole;

    if (progression)
        posemb__phase_steps(progression, factor, KNOB_PAIRS, (struct posemb__steps){steps, wholes});
    else
        posemb__phase_steps_given(given, factor, KNOB_PAIRS, (struct posemb__steps){steps, wholes});
    for (size_t i = 0; i < KNOB_PAIRS; i++) {
        exact_turns(progression, factor, given ? given[i] : 0.0, i, &step, &whole);
        if (steps[i] != step || wholes[i] != whole)
            fail_msg("pair %zu: %08x %016llx instead of %08x %016llx", i, wholes[i],
                     (unsigned long long)steps[i], whole, (unsigned long long)step);
    }
    mpfr_free_cache();
}

/* Every knob: whole turns, shifts of both signs, frequencies and scales far from 1, rational
 * factors. */
static void test_knobs_equal_mpfr(void **state)
{
    static const double frequencies[] = {1.0, 0.1, 6.283185307179586, 0x1p-64, 1e9};
    static const double shifts[] = {0.0, 1.0, 0.1, -3.7, 96.98, 1e-9};
    static const double bases[] = {1e4, 0.9, 77.7, 0x1p-32, 0x1p32};
    static const struct posemb__position_factor factors[] = {
        {1.0, 1, 1},           {1000.0, 1, 1}, {0.1, 1, 1}, {1.0, 3, 7}, {0x1p-64, 4294967295u, 1},
        {2.5, 16, 4294967291u}};

    (void)state;
    for (size_t f = 0; f < 5; f++)
        for (size_t s = 0; s < 6; s++)
            for (size_t k = 0; k < 6; k++) {
                const struct posemb__progression progression = {bases[(f + s + k) % 5],
                                                                frequencies[f], 195, shifts[s]};
                const double denominator = 97.5 - shifts[s];
                const double top =
                    progression.base < 1.0 ? -96.0 / denominator * log2(progression.base) : 0.0;

                if (log2(frequencies[f]) + log2(factors[k].scale * factors[k].numerator) + top <
                    60.0)
                    check_turns(&progression, &factors[k], NULL);
            }
}

static void test_given_frequencies_equal_mpfr(void **state)
{
    static const struct posemb__position_factor factors[] = {{1.0, 1, 1}, {0.1, 5, 3}};
    double given[KNOB_PAIRS] = {0.0, 1.0, 0x1p-64, 0x1p60, 0x1p-1074, 0x1p-310, 1e-300, 0.5};

    (void)state;
    for (size_t i = 8; i < KNOB_PAIRS; i++)
        given[i] = ldexp(1.0 + (double)i / 97.0, (int)(i % 80) - 40);
    for (size_t k = 0; k < 2; k++)
        check_turns(NULL, &factors[k], given);
}

static void test_phases_are_turns(void **state)
{
    (void)state;
    assert_true(posemb__phase_of(0.0) == 0);
    assert_true(posemb__phase_of(1.0) == UINT64_C(0x28be60db9391054a));
    assert_true(posemb__phase_of(-1.0) == 0 - UINT64_C(0x28be60db9391054a));
    assert_true(posemb__phase_of(1000.0) == UINT64_C(0x27aa59b86e7cab00));
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
        cmocka_unit_test(test_knobs_equal_mpfr),
        cmocka_unit_test(test_given_frequencies_equal_mpfr),
        cmocka_unit_test(test_phases_are_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
