/* The nearest sinusoid of each channel: sinusoids are found again, others are no worse than the
 * best of a fine comb of frequencies. */
#include "../tools/nearest.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#define PI 3.141592653589793

enum { ROWS_MAX = 300, DIM = 4 };

static float table[ROWS_MAX * DIM];
static struct nearest nearest[DIM];

/* ---- The same by other means: least squares with Gauss' elimination, over a comb */

/* Solve the 3 x 3 equations, with pivots; false: they are singular. */
static bool solve(double a[3][4], double x[3])
{
    for (int k = 0; k < 3; k++) {
        int best = k;

        for (int r = k + 1; r < 3; r++)
            if (fabs(a[r][k]) > fabs(a[best][k]))
                best = r;
        if (fabs(a[best][k]) < 1e-9)
            return false;
        for (int c = 0; c < 4; c++) {
            const double kept = a[k][c];

            a[k][c] = a[best][c];
            a[best][c] = kept;
        }
        for (int r = 0; r < 3; r++)
            for (int c = 3; r != k && c >= k; c--)
                a[r][c] -= a[k][c] * a[r][k] / a[k][k];
    }
    for (int k = 0; k < 3; k++)
        x[k] = a[k][3] / a[k][k];
    return true;
}

static double share_of(uint64_t rows, unsigned channel, double mean, double c, double s, double w)
{
    double average = 0.0;
    double whole = 0.0;
    double left = 0.0;
    double count = 0.0;

    for (uint64_t r = 0; r < rows; r++)
        if (isfinite(table[r * DIM + channel])) {
            average += (double)table[r * DIM + channel];
            count += 1.0;
        }
    average /= count;
    for (uint64_t r = 0; r < rows; r++) {
        const double value = (double)table[r * DIM + channel];
        const double rest = value - (mean + c * cos(w * (double)r) + s * sin(w * (double)r));

        if (!isfinite(value))
            continue;
        whole += (value - average) * (value - average);
        left += rest * rest;
    }
    return 1.0 - left / whole;
}

/* The share of the best sinusoid of one frequency. */
static double best_share(uint64_t rows, unsigned channel, double w)
{
    double a[3][4] = {{0.0}};
    double x[3];

    for (uint64_t r = 0; r < rows; r++) {
        const double value = (double)table[r * DIM + channel];
        const double terms[4] = {1.0, cos(w * (double)r), sin(w * (double)r), value};

        if (!isfinite(value))
            continue;
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 4; j++)
                a[i][j] += terms[i] * terms[j];
    }
    return solve(a, x) ? share_of(rows, channel, x[0], x[1], x[2], w) : 0.0;
}

/* ---- Tests */

static void fill_sinusoids(uint64_t rows, const double *frequencies)
{
    for (uint64_t r = 0; r < rows; r++)
        for (unsigned c = 0; c < DIM; c++)
            table[r * DIM + c] =
                (float)(0.25 * c + 1.5 * sin(frequencies[c] * (double)r + 0.3 + c));
}

static void test_sinusoids_are_found(void **state)
{
    static const double frequencies[DIM] = {2.9, 0.7, 0.123, 0.021};

    (void)state;
    fill_sinusoids(ROWS_MAX, frequencies);
    assert_true(nearest_sinusoids(table, ROWS_MAX, DIM, nearest));
    for (unsigned c = 0; c < DIM; c++) {
        const double amplitude = hypot(nearest[c].cosine, nearest[c].sine);

        assert_true(fabs(nearest[c].frequency - frequencies[c]) < 2e-4);
        assert_true(nearest[c].share > 0.9999 && nearest[c].share <= 1.0);
        assert_true(fabs(amplitude - 1.5) < 0.01);
        assert_true(fabs(nearest[c].mean - 0.25 * c) < 0.01);
        for (uint64_t r = 0; r < ROWS_MAX; r++)
            assert_true(fabs(nearest_value(&nearest[c], r) - (double)table[r * DIM + c]) < 0.02);
    }
    assert_true(nearest_share(table, ROWS_MAX, DIM, nearest) > 0.9999);
}

/* No frequency of a fine comb has more than a hair's breadth above what is found, and what is said
 * of the share is so. */
static void test_nothing_is_much_nearer(void **state)
{
    static const uint64_t sizes[] = {5, 6, 7, 16, 33, 64, 100};

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const uint64_t rows = sizes[k];

        struct support_random random = support_random_from(k);

        for (size_t i = 0; i < (size_t)rows * DIM; i++)
            table[i] = support_random_float(&random);
        assert_true(nearest_sinusoids(table, rows, DIM, nearest));
        for (unsigned c = 0; c < DIM; c++) {
            const struct nearest *n = &nearest[c];
            double best = 0.0;

            for (int step = 0; step <= 4000; step++) {
                const double least = PI / (double)rows;

                best = fmax(best, best_share(rows, c, least + (PI - least) * step / 4000.0));
            }
            assert_true(n->share >= best - 0.002);
            assert_true(n->share <= 1.0 && n->frequency <= PI);
            assert_true(fabs(n->share -
                             share_of(rows, c, n->mean, n->cosine, n->sine, n->frequency)) < 1e-6);
        }
    }
}

/* Values that are no numbers are left out, in the channel that has them alone. */
static void test_what_is_no_number_is_left_out(void **state)
{
    static const double frequencies[DIM] = {2.9, 0.7, 0.123, 0.021};

    (void)state;
    fill_sinusoids(ROWS_MAX, frequencies);
    table[7 * DIM + 1] = NAN;
    table[150 * DIM + 1] = INFINITY;
    table[299 * DIM + 1] = -INFINITY;
    for (uint64_t r = 0; r < ROWS_MAX; r++)
        table[r * DIM + 2] = NAN;
    assert_true(nearest_sinusoids(table, ROWS_MAX, DIM, nearest));
    assert_true(nearest[0].share > 0.9999 && nearest[1].share > 0.9999 && nearest[3].share > 0.99);
    assert_true(fabs(nearest[1].frequency - 0.7) < 2e-4);
    assert_true(isnan(nearest[2].share) && isnan(nearest_value(&nearest[2], 0)));
    assert_true(nearest_share(table, ROWS_MAX, DIM, nearest) > 0.99);
}

static void test_what_does_not_vary_is_its_mean(void **state)
{
    (void)state;
    for (uint64_t r = 0; r < 20; r++)
        for (unsigned c = 0; c < DIM; c++)
            table[r * DIM + c] = 0.1f * (float)c;
    for (uint64_t rows = 1; rows <= 20; rows++) {
        assert_true(nearest_sinusoids(table, rows, DIM, nearest));
        for (unsigned c = 0; c < DIM; c++) {
            assert_true(isnan(nearest[c].share));
            assert_true(fabs(nearest_value(&nearest[c], 3) - (double)(0.1f * (float)c)) < 1e-8);
        }
        assert_true(isnan(nearest_share(table, rows, DIM, nearest)));
    }
}

/* Three numbers are on a sinusoid of any frequency: nothing is said. */
static void test_few_rows_tell_nothing(void **state)
{
    (void)state;
    for (uint64_t rows = 1; rows < 4; rows++) {
        for (unsigned i = 0; i < rows * DIM; i++)
            table[i] = (float)i;
        assert_true(nearest_sinusoids(table, rows, DIM, nearest));
        for (unsigned c = 0; c < DIM; c++) {
            assert_true(isnan(nearest[c].share));
            assert_true(fabs(nearest[c].mean - ((double)c + 2.0 * (double)(rows - 1))) < 1e-6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sinusoids_are_found),
        cmocka_unit_test(test_nothing_is_much_nearer),
        cmocka_unit_test(test_what_is_no_number_is_left_out),
        cmocka_unit_test(test_what_does_not_vary_is_its_mean),
        cmocka_unit_test(test_few_rows_tell_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
