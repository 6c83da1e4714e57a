/* Finds the largest errors of the reference's sine and cosine over all 2^32 phases, and checks
 * every sign: prove_phases [STRIDE], which looks at one phase in STRIDE. Fails above the limit. */
#include "reference.h"
#include "support/limits.h"

#include <math.h>
#include <mpfr.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PHASES  UINT64_C(0x100000000)
#define THREADS 2
#define SAMPLES 4096

/* How far series() may be from the exact value. Angles lie within pi: the first term that the
 * series lack is below pi^30 / 30! = 4e-18, and the roundings are below 2 * 16 * 2^-53 * cosh(pi) =
 * 5e-14. */
#define SERIES_LIMIT 1e-13
#define TERMS        30

/* coefficient[n] * a^n, n even, are the Taylor series of cos(a); n odd, those of sin(a). */
static double coefficient[TERMS];

struct worst {
    double error;
    uint32_t phase;
};

/* One thread's phases, first, first + stride, ... below PHASES, and what it found there. */
struct part {
    pthread_t thread;
    uint64_t first;
    uint64_t stride;
    struct worst s; /* where the polynomial S of posemb.h made the value */
    struct worst c; /* where C did */
    uint64_t wrong_signs;
};

static void fill_coefficients(void)
{
    coefficient[0] = 1.0;
    coefficient[1] = 1.0;
    for (int n = 2; n < TERMS; n++)
        coefficient[n] = -coefficient[n - 2] / ((n - 1) * n);
}

static void series(uint32_t phase, double *sine, double *cosine)
{
    const double angle = (int32_t)phase * (6.283185307179586 * 0x1p-32);
    const double square = angle * angle;

    *sine = 0.0;
    *cosine = 0.0;
    for (int n = TERMS - 2; n >= 0; n -= 2) {
        *cosine = *cosine * square + coefficient[n];
        *sine = *sine * square + coefficient[n + 1];
    }
    *sine *= angle;
}

static void keep_worst(struct worst *worst, double error, uint32_t phase)
{
    if (!(error <= worst->error)) {
        worst->error = error;
        worst->phase = phase;
    }
}

static void look_at(struct part *part, uint32_t phase)
{
    const bool sine_negative = phase >= 0x80000000u;
    const bool cosine_negative = phase >= 0x40000000u && phase < 0xc0000000u;
    const bool odd_quarter = (phase + 0x20000000u) & 0x40000000u;
    double exact_sine, exact_cosine;
    float sine, cosine;

    posemb__sincos(phase, &sine, &cosine);
    series(phase, &exact_sine, &exact_cosine);
    keep_worst(odd_quarter ? &part->c : &part->s, fabs((double)sine - exact_sine), phase);
    keep_worst(odd_quarter ? &part->s : &part->c, fabs((double)cosine - exact_cosine), phase);
    part->wrong_signs += sine_negative != (signbit(sine) != 0);
    part->wrong_signs += cosine_negative != (signbit(cosine) != 0);
}

static void *look_at_part(void *argument)
{
    struct part *part = argument;

    for (uint64_t phase = part->first; phase < PHASES; phase += part->stride)
        look_at(part, (uint32_t)phase);
    return NULL;
}

/* The threads take turns, phase by phase. */
static bool look_at_all(uint64_t stride, struct part *total)
{
    struct part parts[THREADS] = {0};
    bool started = true;

    for (unsigned t = 0; t < THREADS && started; t++) {
        parts[t].first = t * stride;
        parts[t].stride = THREADS * stride;
        started = pthread_create(&parts[t].thread, NULL, look_at_part, &parts[t]) == 0;
    }
    if (!started)
        return false;
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(parts[t].thread, NULL);
        keep_worst(&total->s, parts[t].s.error, parts[t].s.phase);
        keep_worst(&total->c, parts[t].c.error, parts[t].c.phase);
        total->wrong_signs += parts[t].wrong_signs;
    }
    return true;
}

/* How far series() is from MPFR at one phase. */
static double series_error(uint32_t phase)
{
    double sine, cosine, error;
    mpfr_t angle, exact_sine, exact_cosine;

    series(phase, &sine, &cosine);
    mpfr_inits2(128, angle, exact_sine, exact_cosine, (mpfr_ptr)NULL);
    mpfr_const_pi(angle, MPFR_RNDN);
    mpfr_mul_ui(angle, angle, phase, MPFR_RNDN);
    mpfr_div_2ui(angle, angle, 31, MPFR_RNDN);
    mpfr_sin_cos(exact_sine, exact_cosine, angle, MPFR_RNDN);
    mpfr_sub_d(exact_sine, exact_sine, sine, MPFR_RNDN);
    mpfr_sub_d(exact_cosine, exact_cosine, cosine, MPFR_RNDN);
    error =
        fmax(fabs(mpfr_get_d(exact_sine, MPFR_RNDN)), fabs(mpfr_get_d(exact_cosine, MPFR_RNDN)));
    mpfr_clears(angle, exact_sine, exact_cosine, (mpfr_ptr)NULL);
    return error;
}

/* At the worst phases and at samples all around the turn. */
static double largest_series_error(const struct part *total)
{
    double largest = fmax(series_error(total->s.phase), series_error(total->c.phase));

    for (uint32_t n = 0; n < SAMPLES; n++)
        largest = fmax(largest, series_error(n * (uint32_t)(PHASES / SAMPLES) + n));
    mpfr_free_cache();
    return largest;
}

static bool report(const char *name, const struct worst *worst)
{
    const bool good = worst->error <= POSEMB_LIMIT_SINCOS_ERROR;

    printf("%s: max abs error %.4g at phase 0x%08x%s\n", name, worst->error, (unsigned)worst->phase,
           good ? "" : ", above the limit");
    return good;
}

/* Amplitudes of every kind: the least and the most that a rounding can weigh lie between 1 and 2.
 */
static bool prove_amplitudes(uint64_t stride)
{
    static const float amplitudes[] = {1.01f, 1.1f, 1.3f,  1.397f,    1.4142135f,
                                       -1.2f, 1.6f, 1.99f, 0.0883883f};
    bool good = true;

    for (size_t i = 0; i < sizeof amplitudes / sizeof *amplitudes; i++) {
        const double magnitude = fabs((double)amplitudes[i]);
        struct worst worst = {0};

        for (uint64_t phase = i; phase < PHASES; phase += stride) {
            double exact_sine, exact_cosine;
            float sine, cosine;

            posemb__sincos_scaled((uint32_t)phase, amplitudes[i], &sine, &cosine);
            series((uint32_t)phase, &exact_sine, &exact_cosine);
            keep_worst(&worst, fabs((double)sine - (double)amplitudes[i] * exact_sine) / magnitude,
                       (uint32_t)phase);
            keep_worst(&worst,
                       fabs((double)cosine - (double)amplitudes[i] * exact_cosine) / magnitude,
                       (uint32_t)phase);
        }
        printf("amplitude %g: max abs error %.4g of it at phase 0x%08x%s\n", (double)amplitudes[i],
               worst.error, (unsigned)worst.phase,
               worst.error <= POSEMB_LIMIT_SINCOS_ERROR ? "" : ", above the limit");
        good = good && worst.error <= POSEMB_LIMIT_SINCOS_ERROR;
    }
    return good;
}

int main(int argc, char **argv)
{
    const uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    struct part total = {0};
    double oracle_error;
    bool good;

    if (argc > 2 || stride < 1 || stride > PHASES) {
        fprintf(stderr, "usage: prove_phases [STRIDE]\n");
        return 1;
    }
    fill_coefficients();
    if (!look_at_all(stride | 1u, &total)) {
        fprintf(stderr, "prove_phases: no threads\n");
        return 1;
    }
    oracle_error = largest_series_error(&total);
    good = report("sin", &total.s);
    good = report("cos", &total.c) && good;
    printf("signs: %llu wrong\n", (unsigned long long)total.wrong_signs);
    printf("oracle: max abs error %.2g against MPFR at %d phases\n", oracle_error, SAMPLES + 2);
    good = prove_amplitudes(stride * 1009) && good;
    return good && total.wrong_signs == 0 && oracle_error <= SERIES_LIMIT ? 0 : 1;
}
