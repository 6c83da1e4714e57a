/* Norms of one row: the sum, the reciprocal square root and both norms against exact values, and
 * against the definition in posemb.h written anew. */
#include "float_bits.h"
#include "norm.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mpfr.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM_LARGEST = 65536, RANDOM_ROOTS = 200000, RANDOM_ROWS = 400 };

/* What posemb.h promises of rsq(), in units in the last place. */
#define ROOT_LIMIT 0.5001

/* Of a norm: |y - exact| is at most this, times |y| where that is above 1; whatever the mean is. */
#define NORM_LIMIT 4e-7

static void assert_same_bits(float found, float expected, const char *what, uint32_t dim)
{
    if (posemb_canonical_bits(found) != posemb_canonical_bits(expected))
        fail_msg("%s of %u: %a is not %a", what, (unsigned)dim, (double)found, (double)expected);
}

static float *make_floats(size_t count)
{
    float *values = malloc(count * sizeof *values);

    assert_non_null(values);
    return values;
}

/* ---- The reciprocal square root */

/* How far y is from 1 / sqrt(v), in units in the last place of that. */
static double root_error(float v, float y)
{
    mpfr_t exact;
    mpfr_t error;
    double units;

    mpfr_init2(exact, 200);
    mpfr_init2(error, 200);
    mpfr_set_flt(exact, v, MPFR_RNDN);
    mpfr_rec_sqrt(exact, exact, MPFR_RNDN);
    mpfr_set_flt(error, y, MPFR_RNDN);
    mpfr_sub(error, error, exact, MPFR_RNDN);
    mpfr_mul_2si(error, error, 24 - (long)mpfr_get_exp(exact), MPFR_RNDN);
    units = mpfr_get_d(error, MPFR_RNDA);
    mpfr_clear(exact);
    mpfr_clear(error);
    return fabs(units);
}

/* The same of 1 <= z < 4, fast: off by 1e-7 at most, and not at all where it matters. */
static double root_error_near(float z, float y)
{
    const double units = fabs(1.0 / sqrt((double)z) - (double)y) * 0x1p24;

    return units > 0.4999 ? root_error(z, y) : units;
}

static void test_every_root_of_two_octaves(void **state)
{
    const uint32_t first = posemb__bits_of(1.0f);
    const uint32_t end = posemb__bits_of(4.0f);
    double worst = 0.0;
    uint32_t worst_at = first;
    unsigned rounded_wrongly = 0;

    (void)state;
    for (uint32_t bits = first; bits < end; bits++) {
        const float z = posemb__float_of(bits);
        const double error = root_error_near(z, posemb__rsq(z));

        rounded_wrongly += error > 0.5;
        if (!(error <= worst)) {
            worst = error;
            worst_at = bits;
        }
    }
    print_message("rsq of all %u floats of [1, 4): largest error %.9f ulp, at %a; %u of them are "
                  "not the nearest float\n",
                  (unsigned)(end - first), worst, (double)posemb__float_of(worst_at),
                  rounded_wrongly);
    assert_true(worst <= ROOT_LIMIT);
    assert_true(posemb__rsq(1.0f) == 1.0f);
}

/* A power of four takes part in nothing but the exponent. */
static void test_roots_of_the_whole_range(void **state)
{
    struct support_random random = support_random_from(1);
    double worst = 0.0;

    (void)state;
    for (int n = 0; n < RANDOM_ROOTS; n++) {
        const uint32_t bits = (uint32_t)support_random_bits(&random);
        const uint32_t any = bits % 0x7f7fffffu + 1u; /* 2^-149 ... the largest */
        const uint32_t subnormal = bits % 0x7fffffu + 1u;
        const float v = posemb__float_of(n % 4 ? any : subnormal);
        const float y = posemb__rsq(v);
        const double error = root_error(v, y);
        int exponent;
        const float z = 2.0f * frexpf(v, &exponent);

        worst = error > worst ? error : worst;
        if (exponent % 2 != 0) /* v = z * 2^(exponent - 1), an even power */
            assert_true(y == ldexpf(posemb__rsq(z), -(exponent - 1) / 2));
        else
            assert_true(y == ldexpf(posemb__rsq(2.0f * z), -(exponent - 2) / 2));
    }
    print_message("rsq of %d floats of all exponents: largest error %.6f ulp\n", RANDOM_ROOTS,
                  worst);
    assert_true(worst <= ROOT_LIMIT);
}

static void test_roots_of_ends(void **state)
{
    (void)state;
    assert_int_equal(posemb__bits_of(posemb__rsq(0.0f)), 0);
    assert_int_equal(posemb__bits_of(posemb__rsq(-0.0f)), 0);
    assert_int_equal(posemb__bits_of(posemb__rsq(INFINITY)), 0);
    assert_true(isnan(posemb__rsq(NAN)));
    for (int k = -74; k < 64; k++)
        assert_true(posemb__rsq(ldexpf(1.0f, 2 * k)) == ldexpf(1.0f, -k));
    assert_true(root_error(0x1p-149f, posemb__rsq(0x1p-149f)) <= ROOT_LIMIT);
    assert_true(root_error(0x1.fffffep127f, posemb__rsq(0x1.fffffep127f)) <= ROOT_LIMIT);
}

/* ---- The definition, written anew */

/* v[j] after the folds that leave `length` elements of n. */
static float folded(const float *v, uint32_t count, uint32_t n, uint32_t length, uint32_t j)
{
    if (length == n)
        return j < count ? v[j] : 0.0f;
    return folded(v, count, n, 2 * length, j) + folded(v, count, n, 2 * length, j + length);
}

static float defined_fold(const float *v, uint32_t count)
{
    uint32_t n = 1;
    float sum;

    while (n < count)
        n <<= 1;
    sum = folded(v, count, n, 1, 0);
    return sum == 0.0f ? 0.0f : sum;
}

/* z by its bits; a subnormal first made normal. */
static float defined_rsq(float v)
{
    int power = 0; /* v = z * 4^power */
    float z = v;
    float y;

    if (isnan(v) || v == 0.0f || v == INFINITY)
        return isnan(v) ? v : 0.0f;
    for (; z < 1.0f; power--)
        z *= 4.0f;
    for (; z >= 4.0f; power++)
        z *= 0.25f;
    y = posemb__float_of(0x5f375a86u - (posemb__bits_of(z) >> 1));
    for (int i = 0; i < 3; i++) {
        const float p = z * y;
        const float g = fmaf(-p, y, 1.0f);

        y = fmaf(y / 2.0f, g, y);
    }
    const float p = z * y;
    const float q = fmaf(z, y, -p);
    const float g = fmaf(-q, y, fmaf(-p, y, 1.0f));

    y = fmaf(y / 2.0f, g, y);
    for (; power > 0; power--)
        y *= 0.5f;
    for (; power < 0; power++)
        y *= 2.0f;
    return y;
}

static struct posemb__moments defined_layer_norm(const float *x, uint32_t dim, float epsilon,
                                                 float *y)
{
    float *const squares = make_floats(dim);
    float *const d = make_floats(dim);
    const float part = 1.0f / (float)dim;
    const float m = defined_fold(x, dim) * part;
    float s, e, w, r;

    for (uint32_t c = 0; c < dim; c++)
        d[c] = x[c] - m;
    s = defined_fold(d, dim);
    e = s * part;
    if (s >= 0x1p-60f || s <= -0x1p-60f)
        e = fmaf(fmaf(-e, (float)dim, s), part, e);
    e = e == 0.0f ? 0.0f : e;
    for (uint32_t c = 0; c < dim; c++)
        squares[c] = d[c] * d[c];
    w = defined_fold(squares, dim) * part;
    w = w - e * e;
    w = w < 0.0f ? 0.0f : w;
    r = defined_rsq(w + epsilon);
    for (uint32_t c = 0; c < dim; c++)
        y[c] = (d[c] - e) * r;
    free(squares);
    free(d);
    return (struct posemb__moments){m + e, r};
}

static struct posemb__moments defined_rms_norm(const float *x, uint32_t dim, float epsilon,
                                               float *y)
{
    float *const squares = make_floats(dim);
    float r;

    for (uint32_t c = 0; c < dim; c++)
        squares[c] = x[c] * x[c];
    r = defined_rsq(defined_fold(squares, dim) * (1.0f / (float)dim) + epsilon);
    for (uint32_t c = 0; c < dim; c++)
        y[c] = x[c] * r;
    free(squares);
    return (struct posemb__moments){0.0f, r};
}

/* Both norms of one row have the bits of the definition; y may be x. */
static void check_definition(const float *x, uint32_t dim, float epsilon)
{
    float *const work = make_floats(3 * (size_t)dim);
    float *const expected = make_floats(dim);
    float *const y = make_floats(dim);

    for (int rms = 0; rms < 2; rms++) {
        struct posemb__moments moments, defined;

        memcpy(y, x, dim * sizeof *y);
        if (rms) {
            moments = posemb__rms_norm(y, dim, epsilon, y, work);
            defined = defined_rms_norm(x, dim, epsilon, expected);
        } else {
            moments = posemb__layer_norm(y, dim, epsilon, y, work);
            defined = defined_layer_norm(x, dim, epsilon, expected);
        }
        assert_same_bits(moments.mean, defined.mean, "mean", dim);
        assert_same_bits(moments.reciprocal, defined.reciprocal, "reciprocal", dim);
        for (uint32_t c = 0; c < dim; c++)
            assert_same_bits(y[c], expected[c], rms ? "RMS norm" : "layer norm", dim);
    }
    free(work);
    free(expected);
    free(y);
}

/* Ordinary rows, rows of hard floats, subnormal ones, and such whose squares overflow. */
static void test_norms_are_as_defined(void **state)
{
    static const float epsilons[] = {1e-12f, 1e-5f, 1e-45f, 1.0f};
    struct support_random random = support_random_from(2);

    (void)state;
    for (int n = 0; n < RANDOM_ROWS; n++) {
        const uint32_t dim = (uint32_t)(n < 300 ? n + 1 : support_random_int(&random, 301, 5000));
        const float scales[] = {1.0f, 1e-40f, 1e20f, 3e38f};
        float *const x = make_floats(dim);

        for (int kind = 0; kind < 5; kind++) {
            for (uint32_t c = 0; c < dim; c++)
                x[c] = kind < 4 ? scales[kind] * support_random_float(&random)
                                : support_random_hard_float(&random);
            check_definition(x, dim, epsilons[n % 4]);
        }
        free(x);
    }
}

/* What posemb.h's formulas make of rows that are too large. */
static void test_rows_that_overflow(void **state)
{
    enum { DIM = 8 };
    const float apart[DIM] = {1e20f, -1e20f, 1e20f, -1e20f, 1e20f, -1e20f, 1e20f, -1e20f};
    const float sum[DIM] = {3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f};
    float work[3 * DIM];
    float y[DIM];
    struct posemb__moments moments;

    (void)state;
    moments = posemb__layer_norm(apart, DIM, 1e-5f, y, work); /* the squares are infinite */
    assert_true(moments.mean == 0.0f && moments.reciprocal == 0.0f);
    for (int c = 0; c < DIM; c++)
        assert_true(y[c] == 0.0f && !signbit(y[c]) == !signbit(apart[c]));
    moments = posemb__rms_norm(apart, DIM, 1e-5f, y, work);
    assert_true(moments.reciprocal == 0.0f && y[0] == 0.0f && y[1] == 0.0f);
    moments = posemb__layer_norm(sum, DIM, 1e-5f, y, work); /* the sum is */
    assert_true(isnan(moments.mean) && isnan(moments.reciprocal) && isnan(y[0]) && isnan(y[7]));
    moments = posemb__rms_norm(sum, DIM, 1e-5f, y, work);
    assert_true(moments.reciprocal == 0.0f && y[0] == 0.0f);
}

/* -2^-149 / 3 is -0. */
static void test_a_mean_is_no_negative_zero(void **state)
{
    const float x[] = {-0x1p-149f, 0.0f, -0.0f};
    float work[9];
    float y[3];

    (void)state;
    assert_int_equal(posemb__bits_of(posemb__layer_norm(x, 3, 1e-5f, y, work).mean), 0);
    check_definition(x, 3, 1e-5f);
}

/* ---- The sum */

/* At most one rounding for each halving, of no more than the sum of the magnitudes. */
static void check_sum(const float *v, uint32_t count, float found)
{
    double exact = 0.0;
    double magnitudes = 0.0;
    double roundings = 0.0;

    for (uint32_t n = 1; n < count; n *= 2)
        roundings++;
    for (uint32_t c = 0; c < count; c++) {
        exact += (double)v[c];
        magnitudes += fabs((double)v[c]);
    }
    assert_true(fabs((double)found - exact) <= 1.0001 * roundings * 0x1p-24 * magnitudes);
}

static void check_folds(struct support_random *random, uint32_t count)
{
    float *const v = make_floats(count);
    float *const work = make_floats(2 * (size_t)count);

    for (int kind = 0; kind < 4; kind++) {
        float found;

        for (uint32_t c = 0; c < count; c++)
            v[c] = kind == 3   ? support_random_hard_float(random)
                   : kind == 2 ? 1.0f / (float)(c + 1)
                   : kind == 1 ? 1000.0f + support_random_float(random)
                               : support_random_float(random);
        found = posemb__fold(v, count, work);
        assert_same_bits(found, defined_fold(v, count), "sum", count);
        if (kind < 3)
            check_sum(v, count, found);
    }
    free(v);
    free(work);
}

static void test_sums_are_folded(void **state)
{
    static const uint32_t large[] = {100,  127,  128,  129,  384,  1000,  1023,
                                     1024, 1025, 4096, 5000, 8192, 65535, 65536};
    struct support_random random = support_random_from(3);

    (void)state;
    for (uint32_t count = 1; count <= 70; count++)
        for (int n = 0; n < 20; n++)
            check_folds(&random, count);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        check_folds(&random, large[i]);
}

/* An order that shows: 2^24 swallows a one that is added alone. */
static void test_the_order_of_a_sum(void **state)
{
    const float far[] = {0x1p24f, 1.0f, 0.0f, 1.0f};
    const float near[] = {0x1p24f, 0.0f, 1.0f, 1.0f};
    float work[8];

    (void)state;
    assert_true(posemb__fold(far, 4, work) == 0x1p24f + 2.0f); /* (2^24 + 0) + (1 + 1) */
    assert_true(posemb__fold(near, 4, work) == 0x1p24f);       /* (2^24 + 1) + (0 + 1) */
}

static void test_a_sum_is_no_negative_zero(void **state)
{
    float v[70];
    float work[140];

    (void)state;
    for (uint32_t count = 1; count <= 70; count++) {
        for (uint32_t c = 0; c < count; c++)
            v[c] = -0.0f;
        assert_int_equal(posemb__bits_of(posemb__fold(v, count, work)), 0);
        v[count - 1] = -0x1p-149f;
        assert_true(posemb__fold(v, count, work) == -0x1p-149f);
    }
}

/* ---- How exact norms are */

/* The norm of a row without roundings to speak of: those of double. */
struct exact {
    double mean;
    double deviation; /* of all channels, without epsilon */
    double reciprocal;
};

static struct exact exact_norm(const float *x, uint32_t dim, float epsilon, bool rms, double *y)
{
    struct exact exact = {0.0, 0.0, 0.0};
    double squares = 0.0;

    for (uint32_t c = 0; c < dim && !rms; c++)
        exact.mean += (double)x[c] / dim;
    for (uint32_t c = 0; c < dim; c++) {
        y[c] = (double)x[c] - exact.mean;
        squares += y[c] * y[c];
    }
    exact.deviation = sqrt(squares / dim);
    exact.reciprocal = 1.0 / sqrt(squares / dim + (double)epsilon);
    for (uint32_t c = 0; c < dim; c++)
        y[c] *= exact.reciprocal;
    return exact;
}

/* Two figures of all rows: the difference by what is allowed, and as it is. */
struct worst {
    double part;
    double difference;
};

static void compare_norm(const float *x, uint32_t dim, float epsilon, bool rms, struct worst *worst)
{
    float *const work = make_floats(3 * (size_t)dim);
    float *const y = make_floats(dim);
    double *const expected = malloc(dim * sizeof *expected);
    struct posemb__moments moments;
    struct exact exact;

    assert_non_null(expected);
    exact = exact_norm(x, dim, epsilon, rms, expected);
    moments = rms ? posemb__rms_norm(x, dim, epsilon, y, work)
                  : posemb__layer_norm(x, dim, epsilon, y, work);
    for (uint32_t c = 0; c < dim; c++) {
        const double difference = fabs((double)y[c] - expected[c]);
        const double part = difference / (NORM_LIMIT * fmax(1.0, fabs(expected[c])));

        if (!(part <= worst->part))
            worst->part = part;
        if (!(difference <= worst->difference))
            worst->difference = difference;
    }
    assert_true(fabs((double)moments.mean - exact.mean) <=
                0x1p-23 * fabs(exact.mean) + NORM_LIMIT * exact.deviation);
    assert_true(fabs((double)moments.reciprocal / exact.reciprocal - 1.0) <= NORM_LIMIT);
    free(work);
    free(y);
    free(expected);
}

static const uint32_t dims[] = {64, 100, 384, 768, 1000, 1024, 4096, 8192};
enum { DIMS = sizeof dims / sizeof *dims, SEEDS = 12 };

/* About normal: the sum of four. */
static float draw_normal(struct support_random *random)
{
    float sum = 0.0f;

    for (int n = 0; n < 4; n++)
        sum += support_random_float(random);
    return sum * 0.8660254f;
}

static void check_means(float sigmas, float sigma, bool rms)
{
    struct worst worst = {0.0, 0.0};

    for (int d = 0; d < DIMS; d++) {
        float *const x = make_floats(dims[d]);

        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct support_random random = support_random_from(100 + seed);

            for (uint32_t c = 0; c < dims[d]; c++)
                x[c] = sigma * (draw_normal(&random) + (seed % 2 ? -sigmas : sigmas));
            compare_norm(x, dims[d], 1e-12f * sigma * sigma, rms, &worst);
            compare_norm(x, dims[d], 1e-5f, rms, &worst);
        }
        free(x);
    }
    print_message("%s, sigma %g, mean %g sigma: largest difference %.3g, %.0f%% of what is "
                  "allowed\n",
                  rms ? "RMS" : "layer", (double)sigma, (double)sigmas, worst.difference,
                  100.0 * worst.part);
    assert_true(worst.part <= 1.0);
}

static void test_layer_norms_are_exact_enough(void **state)
{
    static const float sigmas[] = {0.0f, 10.0f, 100.0f, 10000.0f};

    (void)state;
    for (int i = 0; i < 4; i++) {
        check_means(sigmas[i], 1.0f, false);
        check_means(sigmas[i], 0.02f, false);
        check_means(sigmas[i], 300.0f, false);
    }
}

static void test_rms_norms_are_exact_enough(void **state)
{
    (void)state;
    check_means(0.0f, 1.0f, true);
    check_means(0.0f, 0.02f, true);
    check_means(100.0f, 3.0f, true);
}

/* One channel is far from the others, as in trained models. */
static void test_rows_with_an_outlier(void **state)
{
    static const float outliers[] = {30.0f, -1000.0f, 1e6f};
    struct worst worst[2] = {{0.0, 0.0}, {0.0, 0.0}};
    struct support_random random = support_random_from(4);

    (void)state;
    for (int d = 0; d < DIMS; d++) {
        const uint32_t places[] = {0, dims[d] / 2, dims[d] - 1};
        float *const x = make_floats(dims[d]);

        for (int n = 0; n < 9; n++) {
            for (uint32_t c = 0; c < dims[d]; c++)
                x[c] = draw_normal(&random);
            x[places[n / 3]] = outliers[n % 3];
            compare_norm(x, dims[d], 1e-5f, false, &worst[0]);
            compare_norm(x, dims[d], 1e-5f, true, &worst[1]);
        }
        free(x);
    }
    print_message("one outlier: largest difference %.3g of layer, %.3g of RMS\n",
                  worst[0].difference, worst[1].difference);
    assert_true(worst[0].part <= 1.0 && worst[1].part <= 1.0);
}

/* ---- Constant rows */

/* The largest |y| of the constant row of that value; NaN where one is. */
static float constant_row(float value, uint32_t dim, float epsilon)
{
    static float x[DIM_LARGEST], y[DIM_LARGEST], work[3 * DIM_LARGEST];
    float largest = 0.0f;

    for (uint32_t c = 0; c < dim; c++)
        x[c] = value;
    posemb__layer_norm(x, dim, epsilon, y, work);
    for (uint32_t c = 0; c < dim; c++)
        if (!(fabsf(y[c]) <= largest))
            largest = fabsf(y[c]);
    return largest;
}

static void check_constant(float value, uint32_t dim)
{
    static const float epsilons[] = {1e-45f, 1e-12f, 1e-5f};

    for (int i = 0; i < 3; i++) {
        const float largest = constant_row(value, dim, epsilons[i]);

        if (!(largest == 0.0f))
            fail_msg("the row of %u times %a, epsilon %g, has %a, not 0", (unsigned)dim,
                     (double)value, (double)epsilons[i], (double)largest);
    }
}

/* With an exponent of least ... least + count - 1. */
static float draw_constant(struct support_random *random, int least, unsigned count)
{
    const uint64_t bits = support_random_bits(random);
    const int exponent = least + (int)((bits >> 32) % count);

    return ldexpf(posemb__float_of(((uint32_t)bits & 0x807fffffu) | 0x3f800000u), exponent);
}

static void test_constant_rows_are_zeros(void **state)
{
    static const float values[] = {0.0f,     -0.0f,      0.1f,       1.0f,       -3.7f, 100.0f,
                                   1e-3f,    1e6f,       12345.678f, 0.3f,       1e-6f, -1e-9f,
                                   65504.0f, 3.1415927f, 1e15f,      1.0f / 3.0f};
    static const uint32_t large[] = {384,  500,  768,  1000, 1023, 1024,  1025,  1536,  3000,
                                     4095, 4096, 5120, 8191, 8192, 12288, 50000, 65535, 65536};
    struct support_random random = support_random_from(5);

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (uint32_t dim = 1; dim <= 300; dim++)
            check_constant(values[i], dim);
        for (size_t k = 0; k < sizeof large / sizeof *large; k++)
            check_constant(values[i], large[k]);
    }
    for (int n = 0; n < 40000; n++)
        check_constant(draw_constant(&random, -42, 42 + 86),
                       (uint32_t)support_random_int(&random, 1, 700));
}

/* Where a sum is below 2^-60, its quotient is rounded once: no zeros, but next to nothing. */
static void test_tiny_constant_rows_are_nearly_zeros(void **state)
{
    struct support_random random = support_random_from(6);
    float largest[2] = {0.0f, 0.0f};

    (void)state;
    for (int n = 0; n < 40000; n++) {
        const float value = draw_constant(&random, -149, 149 - 42);
        const uint32_t dim = (uint32_t)support_random_int(&random, 1, 700);

        largest[0] = fmaxf(largest[0], constant_row(value, dim, 1e-12f));
        largest[1] = fmaxf(largest[1], constant_row(value, dim, 1e-45f));
    }
    print_message("constants below 2^-42: up to %.2g with epsilon 1e-12, %.2g with 1e-45\n",
                  (double)largest[0], (double)largest[1]);
    assert_true(largest[0] <= 1e-20f && largest[1] <= 3e-5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_root_of_two_octaves),
        cmocka_unit_test(test_roots_of_the_whole_range),
        cmocka_unit_test(test_roots_of_ends),
        cmocka_unit_test(test_sums_are_folded),
        cmocka_unit_test(test_the_order_of_a_sum),
        cmocka_unit_test(test_a_sum_is_no_negative_zero),
        cmocka_unit_test(test_norms_are_as_defined),
        cmocka_unit_test(test_rows_that_overflow),
        cmocka_unit_test(test_a_mean_is_no_negative_zero),
        cmocka_unit_test(test_layer_norms_are_exact_enough),
        cmocka_unit_test(test_rms_norms_are_exact_enough),
        cmocka_unit_test(test_rows_with_an_outlier),
        cmocka_unit_test(test_constant_rows_are_zeros),
        cmocka_unit_test(test_tiny_constant_rows_are_nearly_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
