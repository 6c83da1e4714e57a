/* Which sinusoids a stored table of positions holds.
 *
 * Two functions of a pair lie on a circle, whatever its frequency: the rows whose pairs all have
 * one radius tell the layout, and learned rows from the others. The angle of a pair then advances
 * by the same amount from row to row, its frequency: measured for each pair by itself, also where
 * it wraps around between two rows. A geometric series through these frequencies and one position
 * of row 0 through the angles give frequency, base and offset, up to measuring errors; the plainest
 * numbers that fit as well are taken. What is said in the end comes from a comparison of the whole
 * table with the formula.
 *
 * A base and its denominator cannot be told apart, B^(-i/d) = (B^(e/d))^(-i/e): they go by which
 * base is the plainer number.
 */
#include "identify.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PI     3.14159265358979323846
#define TWO_PI 6.28318530717958647693

#define PAIRS_MAX   96u   /* pairs that are measured */
#define ROWS_MAX    1024u /* rows that a pair is measured on */
#define FITS_MAX    12u   /* fits that are gone into */
#define SCORE_ROWS  48u   /* rows and pairs that numbers are compared on */
#define SCORE_PAIRS 32u

/* Squares of radii differ by so much at most: twice 2^-8 by bfloat16, and sums of two of it. */
#define RADIUS_SLACK 1.6e-2

/* Of a frequency that was computed in float: an exponential of up to 10, and roundings. */
#define FREQUENCY_ERROR 6e-7

/* Angles computed in float are off by 2^-24 of the angle and more; tables that are used for real
 * have 1e-4 at the position 2048 and 8e-3 at 131072. */
#define DRIFT     0x1p-23
#define DRIFT_MAX 3e-2

enum parameter { LOG_FREQUENCY, RATIO, OFFSET, PARAMETERS };

static double wrap(double angle)
{
    return angle - TWO_PI * rint(angle / TWO_PI);
}

/* ---- Roundings */

/* Half a unit in the last place, relative. */
static double rounding_error(enum identify_rounding rounding)
{
    if (rounding == IDENTIFY_BFLOAT16)
        return 0x1p-8;
    return rounding == IDENTIFY_FLOAT16 ? 0x1p-11 : 0x1p-24;
}

/* The distance of neighbours of float16 or bfloat16 around `value`. */
static double spacing(double value, enum identify_rounding rounding)
{
    int exponent;

    (void)frexp(value, &exponent);
    if (rounding == IDENTIFY_BFLOAT16)
        return ldexp(1.0, exponent - 8 > -133 ? exponent - 8 : -133);
    return ldexp(1.0, exponent - 11 > -24 ? exponent - 11 : -24);
}

/* To the nearest float16 or bfloat16, to even; none overflows here. */
static double rounded(double value, enum identify_rounding rounding)
{
    const uint32_t dropped = rounding == IDENTIFY_BFLOAT16 ? 16 : 13;
    float single = (float)value;
    uint32_t bits;

    if (rounding == IDENTIFY_FLOAT16 && fabs(value) < 0x1p-14)
        return rint(value * 0x1p24) * 0x1p-24;
    memcpy(&bits, &single, sizeof bits);
    bits += (1u << (dropped - 1)) - 1 + (bits >> dropped & 1u);
    bits &= ~((1u << dropped) - 1);
    memcpy(&single, &bits, sizeof single);
    return (double)single;
}

static bool is_number_of(float value, enum identify_rounding rounding)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if (rounding == IDENTIFY_BFLOAT16)
        return (bits & 0xffffu) == 0;
    if ((bits & 0x1fffu) == 0 && fabsf(value) >= 0x1p-14f)
        return fabsf(value) <= 65504.0f;
    return fabsf(value) < 0x1p-14f && rounded((double)value, IDENTIFY_FLOAT16) == (double)value;
}

/* ---- Conventions */

double identify_divisor(uint32_t dim, posemb_denominator denominator, double shift)
{
    const double half = dim / 2.0;

    return (denominator == POSEMB_DENOMINATOR_REAL ? half : floor(half)) - shift;
}

static bool is_shape_of(const posemb_desc *shape, const struct identified_form *form, uint32_t dim)
{
    return shape->layout == form->layout && shape->first == form->first &&
           identify_divisor(dim, shape->denominator, shape->shift) ==
               identify_divisor(dim, form->denominator, form->shift) &&
           (dim % 2 == 0 || shape->odd == form->odd);
}

/* Those that have the amplitude by default come first; the knobs are said as the first does. */
static void name_form(struct identified_form *form, uint32_t dim, double amplitude)
{
    form->name_count = 0;
    form->default_count = 0;
    for (int by_default = 1; by_default >= 0; by_default--) {
        for (size_t i = 0; i < posemb_convention_count(); i++) {
            const posemb_convention_info *info = posemb_convention_at(i);
            const posemb_desc desc = {.dim = dim, .convention = info->convention};
            posemb_desc shape;

            if (posemb_desc_resolve(&desc, &shape, NULL) != POSEMB_OK)
                continue; /* it has no odd D */

            const double usual = (double)shape.amplitude;
            const bool is_usual = fabs(amplitude - usual) <= 2e-7 * usual;

            if (!is_shape_of(&shape, form, dim) || is_usual != (by_default == 1) ||
                form->name_count == IDENTIFY_NAMES_MAX)
                continue;
            if (form->name_count == 0) {
                form->denominator = shape.denominator;
                form->shift = shape.shift;
            }
            form->names[form->name_count++] = info->name;
            if (is_usual)
                form->default_count++;
        }
    }
}

/* ---- Where pairs lie, and rows that have them */

struct table {
    const float *values;
    size_t rows;
    uint32_t dim;
};

struct arrangement {
    posemb_layout layout;
    uint32_t pairs;
    uint32_t second; /* channel of the second function of pair 0, under POSEMB_HALVES */
    bool has_lone;   /* an odd D */
    uint32_t lone;   /* the channel that belongs to no pair */
    size_t odd_count;
    posemb_odd odd[2]; /* what it may hold */
};

#define ARRANGEMENTS 3u

static struct arrangement arrangement_at(uint32_t dim, size_t index)
{
    struct arrangement a = {.layout = index == 0 ? POSEMB_INTERLEAVED : POSEMB_HALVES,
                            .pairs = dim / 2,
                            .second = index == 2 ? dim / 2 + 1 : dim / 2,
                            .has_lone = dim % 2 != 0,
                            .lone = index == 2 ? dim / 2 : dim - 1,
                            .odd_count = index == 2 ? 1 : 2,
                            .odd = {POSEMB_ODD_FIRST, POSEMB_ODD_ZERO}};

    if (index == 1) {
        a.odd[0] = POSEMB_ODD_ZERO;
        a.odd[1] = POSEMB_ODD_SECOND;
    }
    if (!a.has_lone) {
        a.odd_count = 1;
        a.odd[0] = POSEMB_ODD_REFUSED;
    }
    return a;
}

static uint32_t first_channel(const struct arrangement *a, uint32_t pair)
{
    return a->layout == POSEMB_INTERLEAVED ? 2 * pair : pair;
}

static uint32_t second_channel(const struct arrangement *a, uint32_t pair)
{
    return a->layout == POSEMB_INTERLEAVED ? 2 * pair + 1 : a->second + pair;
}

static const float *row_of(const struct table *table, size_t row)
{
    return table->values + row * table->dim;
}

static bool is_zero_row(const struct table *table, size_t row)
{
    const float *values = row_of(table, row);

    for (uint32_t c = 0; c < table->dim; c++)
        if (values[c] != 0.0f)
            return false;
    return true;
}

static double square_radius(const struct arrangement *a, const float *row, uint32_t pair)
{
    const double first = (double)row[first_channel(a, pair)];
    const double second = (double)row[second_channel(a, pair)];

    return first * first + second * second;
}

/* The square radius that all pairs of a row share; 0 where they do not share one, as with NaNs. */
static double shared_radius(const struct table *table, const struct arrangement *a, size_t row)
{
    const float *values = row_of(table, row);
    double mean = 0.0;

    for (uint32_t i = 0; i < a->pairs; i++)
        mean += square_radius(a, values, i);
    mean /= a->pairs;
    if (!(mean > 0.0) || !isfinite(mean) || (a->has_lone && !isfinite(values[a->lone])))
        return 0.0;
    for (uint32_t i = 0; i < a->pairs; i++)
        if (fabs(square_radius(a, values, i) - mean) > RADIUS_SLACK * mean)
            return 0.0;
    return mean;
}

/* The rows of one arrangement whose pairs lie on one circle. */
struct circles {
    struct arrangement arrangement;
    bool *has; /* [rows] */
    size_t count;
    double radius;
};

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Keep the rows that have the middle one of all square radii. */
static void keep_middle_radius(struct circles *circles, const double *squares, double *sorted,
                               size_t rows)
{
    size_t count = 0;
    double middle;

    for (size_t r = 0; r < rows; r++)
        if (squares[r] > 0.0)
            sorted[count++] = squares[r];
    circles->count = 0;
    if (count == 0)
        return;
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    middle = sorted[count / 2];
    for (size_t r = 0; r < rows; r++) {
        circles->has[r] = fabs(squares[r] - middle) <= RADIUS_SLACK * middle;
        circles->count += circles->has[r] ? 1 : 0;
    }
    circles->radius = sqrt(middle);
}

/* `squares` and `sorted`: [rows], for use in here. */
static void find_circles(const struct table *table, struct circles *circles, double *squares,
                         double *sorted)
{
    for (size_t r = 0; r < table->rows; r++)
        squares[r] = shared_radius(table, &circles->arrangement, r);
    keep_middle_radius(circles, squares, sorted, table->rows);
}

/* ---- Angles of pairs: how they advance */

/* A straight line through the angles of one pair. */
struct line {
    double slope; /* radians per row, -pi ... pi */
    double phase; /* radians at the evidence's centre */
    double noise; /* radians, of one row */
    double rows;
    double spread; /* sum of the squares of row - centre */
};

struct evidence {
    const struct table *table;
    const struct circles *circles;
    enum identify_rounding rounding;
    size_t pair_count;
    uint32_t pairs[PAIRS_MAX];
    struct line lines[PAIRS_MAX];
    bool straight[PAIRS_MAX]; /* a line fits */
    size_t row_count;
    size_t rows[ROWS_MAX];
    size_t misses[ROWS_MAX]; /* pairs whose line is far from this row */
    double centre;           /* a whole number: whole turns per row are none at it */

    /* Of one pair. */
    double angles[ROWS_MAX];
    double cosines[ROWS_MAX];
    double sines[ROWS_MAX];
    double texture; /* mean square of sine times cosine: what rounding them does to the angle */
};

/* Both ends, and evenly between them. */
static size_t choose_evenly(size_t index, size_t chosen, size_t count)
{
    return chosen < 2 ? 0 : index * (count - 1) / (chosen - 1);
}

static void choose_pairs(struct evidence *e)
{
    const size_t pairs = e->circles->arrangement.pairs;

    e->pair_count = pairs < PAIRS_MAX ? pairs : PAIRS_MAX;
    for (size_t i = 0; i < e->pair_count; i++)
        e->pairs[i] = (uint32_t)choose_evenly(i, e->pair_count, pairs);
}

/* Up to ROWS_MAX of the rows from `low` to `high` that have circles. */
static void choose_rows(struct evidence *e, size_t low, size_t high)
{
    size_t there = 0;
    size_t seen = 0;
    size_t chosen;
    double sum = 0.0;

    for (size_t r = low; r < high; r++)
        there += e->circles->has[r] ? 1 : 0;
    chosen = there < ROWS_MAX ? there : ROWS_MAX;
    e->row_count = 0;
    for (size_t r = low; r < high && e->row_count < chosen; r++)
        if (e->circles->has[r] && seen++ == choose_evenly(e->row_count, chosen, there)) {
            e->rows[e->row_count++] = r;
            sum += (double)r;
        }
    e->centre = e->row_count ? rint(sum / (double)e->row_count) : 0.0;
}

/* The `length` consecutive rows of [low, high) that have the most circles. */
static size_t densest_window(const struct circles *circles, size_t low, size_t high, size_t length)
{
    size_t best = low;
    size_t most = 0;
    size_t count = 0;

    for (size_t r = low; r < high; r++) {
        count += circles->has[r] ? 1 : 0;
        if (r >= low + length)
            count -= circles->has[r - length] ? 1 : 0;
        if (count > most) {
            most = count;
            best = r + 1 >= low + length ? r + 1 - length : low;
        }
    }
    return best;
}

static void read_pair(const struct evidence *e, uint32_t pair, size_t row, double *first,
                      double *second)
{
    const struct arrangement *a = &e->circles->arrangement;
    const float *values = row_of(e->table, row);

    *first = (double)values[first_channel(a, pair)];
    *second = (double)values[second_channel(a, pair)];
}

static void load_window(struct evidence *e, uint32_t pair, size_t low, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        e->sines[k] = 0.0;
        e->cosines[k] = 0.0;
        if (e->circles->has[low + k])
            read_pair(e, pair, low + k, &e->sines[k], &e->cosines[k]);
    }
}

/* The angle between rows that are `lag` apart, in the mean; false where it is not the same. */
static bool advance_over(const struct evidence *e, size_t count, size_t lag, double *angle)
{
    const double square = e->circles->radius * e->circles->radius;
    double along = 0.0;
    double across = 0.0;
    double products = 0.0;

    for (size_t k = 0; k + lag < count; k++) {
        const double a = e->cosines[k];
        const double b = e->sines[k];
        const double c = e->cosines[k + lag];
        const double d = e->sines[k + lag];

        if ((a == 0.0 && b == 0.0) || (c == 0.0 && d == 0.0))
            continue;
        along += a * c + b * d;
        across += a * d - b * c;
        products += square;
    }
    *angle = atan2(across, along);
    return products > 0.0 && hypot(along, across) > 0.5 * products;
}

/* Each doubling of the lag halves the error, and the whole turns are known from the lag before. */
static bool find_slope(struct evidence *e, uint32_t pair, size_t low, size_t count, double *slope)
{
    double angle;

    load_window(e, pair, low, count);
    if (!advance_over(e, count, 1, slope))
        return false;
    for (size_t lag = 2; lag < count && advance_over(e, count, lag, &angle); lag *= 2)
        *slope += wrap(angle - (double)lag * *slope) / (double)lag;
    return true;
}

static void load_angles(struct evidence *e, uint32_t pair)
{
    const double square = e->circles->radius * e->circles->radius;

    e->texture = 0.0;
    for (size_t k = 0; k < e->row_count; k++) {
        double first;
        double second;
        double product;

        read_pair(e, pair, e->rows[k], &first, &second);
        e->angles[k] = atan2(first, second);
        product = first * second / square;
        e->texture += product * product / (double)e->row_count;
    }
}

/* The phase at the centre that most of up to 128 rows agree on. */
static double mean_phase(const struct evidence *e, double slope)
{
    const size_t step = e->row_count / 128 + 1;
    double along = 0.0;
    double across = 0.0;

    for (size_t k = 0; k < e->row_count; k += step) {
        const double angle = e->angles[k] - slope * ((double)e->rows[k] - e->centre);

        along += cos(angle);
        across += sin(angle);
    }
    return atan2(across, along);
}

static double distance_from(const struct evidence *e, const struct line *line, size_t k)
{
    return wrap(e->angles[k] - line->phase - line->slope * ((double)e->rows[k] - e->centre));
}

/* Least squares over the rows that are nearer than `reach` radians to the line. */
static void improve_line(const struct evidence *e, double reach, struct line *line)
{
    double n = 0.0;
    double x = 0.0;
    double xx = 0.0;
    double y = 0.0;
    double xy = 0.0;
    double yy = 0.0;
    double determinant;
    double tilt = 0.0;

    for (size_t k = 0; k < e->row_count; k++) {
        const double at = (double)e->rows[k] - e->centre;
        const double off = distance_from(e, line, k);

        if (fabs(off) > reach)
            continue;
        n += 1.0;
        x += at;
        xx += at * at;
        y += off;
        xy += at * off;
        yy += off * off;
    }
    line->rows = n;
    line->spread = n > 0.0 ? xx - x * x / n : 0.0;
    determinant = n * line->spread;
    if (n < 2.0 || determinant <= 0.0)
        return;
    tilt = (n * xy - x * y) / determinant;
    line->slope += tilt;
    line->phase += (y - tilt * x) / n;
    line->noise = yy - y * y / n - tilt * tilt * line->spread;
    line->noise = sqrt((line->noise > 0.0 ? line->noise : 0.0) / (n > 3.0 ? n - 2.0 : 1.0));
}

/* What the rounding of its two values does to an angle at the least, in the mean. */
static double rounding_noise(const struct evidence *e)
{
    const double absolute = e->rounding == IDENTIFY_FLOAT16 ? 0x1p-25 / e->circles->radius : 1e-12;

    return 0.6 * (rounding_error(e->rounding) * sqrt(e->texture) + absolute);
}

static bool fit_line(struct evidence *e, size_t index)
{
    struct line *line = &e->lines[index];
    double least;

    load_angles(e, e->pairs[index]);
    line->phase = mean_phase(e, line->slope);
    improve_line(e, 1.2, line);
    improve_line(e, 0.6, line);
    improve_line(e, 0.3, line);
    least = rounding_noise(e);
    if (line->noise < least)
        line->noise = least;
    for (size_t k = 0; k < e->row_count; k++)
        e->misses[k] += fabs(distance_from(e, line, k)) > 0.3 ? 1 : 0;
    return line->spread > 0.0 && line->rows >= 0.6 * (double)e->row_count && line->noise < 0.15;
}

/* True: nine pairs of ten advance evenly. */
static bool fit_lines(struct evidence *e)
{
    size_t straight = 0;

    memset(e->misses, 0, sizeof e->misses);
    for (size_t i = 0; i < e->pair_count; i++) {
        e->straight[i] = e->straight[i] && fit_line(e, i);
        straight += e->straight[i] ? 1 : 0;
    }
    return straight >= 2 && straight * 10 >= e->pair_count * 9;
}

/* Rows that lie on circles but elsewhere, such as two that were exchanged. */
static bool drop_stray_rows(struct evidence *e)
{
    size_t kept = 0;
    double sum = 0.0;

    for (size_t k = 0; k < e->row_count; k++)
        if (e->misses[k] * 4 <= e->pair_count) {
            e->rows[kept++] = e->rows[k];
            sum += (double)e->rows[k];
        }
    if (kept == e->row_count)
        return true;
    e->row_count = kept;
    e->centre = kept ? rint(sum / (double)kept) : 0.0;
    return kept >= IDENTIFY_ROWS_MIN && fit_lines(e);
}

/* Measure the pairs on the rows [low, high): first on the densest stretch, then on ever longer
 * ones, which the slopes found so far are good enough for. False: they do not advance evenly. */
static bool gather(struct evidence *e, size_t low, size_t high)
{
    size_t length = high - low < ROWS_MAX ? high - low : ROWS_MAX;
    size_t start = densest_window(e->circles, low, high, length);

    for (size_t i = 0; i < e->pair_count; i++)
        e->straight[i] = find_slope(e, e->pairs[i], start, length, &e->lines[i].slope);
    for (;;) {
        const size_t end = start + length;

        choose_rows(e, start, end);
        if (e->row_count < IDENTIFY_ROWS_MIN || !fit_lines(e))
            return false;
        if (start == low && end == high)
            return drop_stray_rows(e);
        start = start - low > 2 * length ? start - 2 * length : low;
        length = (high - end > 2 * length ? end + 2 * length : high) - start;
    }
}

/* ---- A geometric series of frequencies, and one offset, through the lines */

/* The lines, as angles of sine and cosine in that order. */
struct stats {
    size_t count;
    double pair[PAIRS_MAX];
    double slope[PAIRS_MAX];
    double phase[PAIRS_MAX];
    double slope_variance[PAIRS_MAX];
    double phase_variance[PAIRS_MAX];
    double centre; /* a whole number: whole turns per row are none at it */
};

/* The angle of pair i in row r is direction * w_i * (r + offset), ln w_i = log_frequency + i *
 * ratio; a negative amplitude adds half a turn. */
struct fit {
    double parameter[PARAMETERS];
    double sigma[PARAMETERS];
    double chi;   /* what is left, as a sum of squares over their variances */
    double doubt; /* sum of the logarithms of what the variances have grown by */
    double direction;
    posemb_first first;
    bool negative;
};

static double square(double x)
{
    return x * x;
}

/* Where a pair turns by little, all of its rows are rounded alike: more of them help no more. */
static void take_variances(const struct line *line, struct stats *stats, size_t k)
{
    const double sweep = fabs(line->slope) * sqrt(12.0 * line->spread / line->rows);
    const double alike = 1.0 + line->rows / square(1.0 + sweep);
    const double variance = square(line->noise) * alike;

    stats->slope_variance[k] = variance / line->spread;
    stats->phase_variance[k] = variance / line->rows;
}

static void take_stats(const struct evidence *e, posemb_first first, bool negative,
                       struct stats *stats)
{
    const double sign = first == POSEMB_SINE_FIRST ? 1.0 : -1.0;
    const double turn = (first == POSEMB_SINE_FIRST ? 0.0 : PI / 2) + (negative ? PI : 0.0);

    stats->count = 0;
    stats->centre = e->centre;
    for (size_t i = 0; i < e->pair_count; i++) {
        const struct line *line = &e->lines[i];
        const size_t k = stats->count;

        if (!e->straight[i])
            continue;
        stats->pair[k] = e->pairs[i];
        stats->slope[k] = sign * wrap(line->slope);
        stats->phase[k] = wrap(turn + sign * line->phase);
        take_variances(line, stats, k);
        stats->count++;
    }
}

static double frequency_at(const struct fit *fit, double pair)
{
    return exp(fit->parameter[LOG_FREQUENCY] + fit->parameter[RATIO] * pair);
}

/* What is left of the slope of line k, and its variance. */
static double slope_left(const struct stats *stats, const struct fit *fit, size_t k,
                         double *variance)
{
    const double w = frequency_at(fit, stats->pair[k]);

    *variance = stats->slope_variance[k] + square(FREQUENCY_ERROR * w);
    return wrap(stats->slope[k] - fit->direction * w);
}

static double phase_left(const struct stats *stats, const struct fit *fit, size_t k,
                         double *variance)
{
    const double w = frequency_at(fit, stats->pair[k]);
    const double reach = stats->centre + fabs(fit->parameter[OFFSET]);
    const double angle = w * (stats->centre + fit->parameter[OFFSET]);

    *variance = stats->phase_variance[k] + square(FREQUENCY_ERROR * w * reach);
    return wrap(stats->phase[k] - fit->direction * angle);
}

static double slopes_chi(const struct stats *stats, const struct fit *fit)
{
    double chi = 0.0;

    for (size_t k = 0; k < stats->count; k++) {
        double variance;
        const double left = slope_left(stats, fit, k, &variance);

        chi += left * left / variance;
    }
    return chi;
}

/* Many logarithms as one. */
struct log_sum {
    double product;
    double sum;
};

static void add_logarithm(struct log_sum *logs, double x)
{
    logs->product *= x;
    if (logs->product < 1e-200 || logs->product > 1e200) {
        logs->sum += log(logs->product);
        logs->product = 1.0;
    }
}

/* The variance of a phase grows with the angle: without its logarithm, as likelihoods have it, a
 * huge offset would explain anything. */
static void weigh(const struct stats *stats, struct fit *fit)
{
    struct log_sum logs = {1.0, 0.0};

    fit->chi = slopes_chi(stats, fit);
    for (size_t k = 0; k < stats->count; k++) {
        double variance;
        const double left = phase_left(stats, fit, k, &variance);

        fit->chi += left * left / variance;
        add_logarithm(&logs, variance / stats->phase_variance[k]);
    }
    fit->doubt = logs.sum + log(logs.product);
}

static double unlikelihood(const struct fit *fit)
{
    return fit->chi + fit->doubt;
}

struct normal {
    double matrix[PARAMETERS][PARAMETERS];
    double vector[PARAMETERS];
};

static void add_equation(struct normal *normal, const double derivative[PARAMETERS], double left,
                         double variance)
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        normal->vector[i] += derivative[i] * left / variance;
        for (size_t j = 0; j < PARAMETERS; j++)
            normal->matrix[i][j] += derivative[i] * derivative[j] / variance;
    }
}

static void make_normal(const struct stats *stats, const struct fit *fit, struct normal *normal)
{
    memset(normal, 0, sizeof *normal);
    for (size_t k = 0; k < stats->count; k++) {
        const double w = fit->direction * frequency_at(fit, stats->pair[k]);
        const double angle = w * (stats->centre + fit->parameter[OFFSET]);
        const double of_slope[PARAMETERS] = {w, w * stats->pair[k], 0.0};
        const double of_phase[PARAMETERS] = {angle, angle * stats->pair[k], w};
        double variance;
        double left = slope_left(stats, fit, k, &variance);

        add_equation(normal, of_slope, left, variance);
        left = phase_left(stats, fit, k, &variance);
        add_equation(normal, of_phase, left, variance);
    }
}

/* A parameter that is not free gets an equation of its own: no change. */
static void hold(struct normal *normal, const bool free_ones[PARAMETERS])
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (free_ones[i] && normal->matrix[i][i] > 0.0)
            continue;
        for (size_t j = 0; j < PARAMETERS; j++) {
            normal->matrix[i][j] = 0.0;
            normal->matrix[j][i] = 0.0;
        }
        normal->matrix[i][i] = 1.0;
        normal->vector[i] = 0.0;
    }
}

/* Cholesky, of the matrix scaled to ones on the diagonal, with `damping` added to them. */
static bool solve(const struct normal *normal, double damping, double x[PARAMETERS])
{
    double lower[PARAMETERS][PARAMETERS] = {{0.0}};
    double scale[PARAMETERS];

    for (size_t i = 0; i < PARAMETERS; i++)
        scale[i] = 1.0 / sqrt(normal->matrix[i][i]);
    for (size_t i = 0; i < PARAMETERS; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = normal->matrix[i][j] * scale[i] * scale[j] + (i == j ? damping : 0.0);

            for (size_t k = 0; k < j; k++)
                sum -= lower[i][k] * lower[j][k];
            if (i == j && !(sum > 1e-14))
                return false;
            lower[i][j] = i == j ? sqrt(sum) : sum / lower[j][j];
        }
    }
    for (size_t i = 0; i < PARAMETERS; i++) {
        x[i] = normal->vector[i] * scale[i];
        for (size_t k = 0; k < i; k++)
            x[i] -= lower[i][k] * x[k];
        x[i] /= lower[i][i];
    }
    for (size_t i = PARAMETERS; i-- > 0;) {
        for (size_t k = i + 1; k < PARAMETERS; k++)
            x[i] -= lower[k][i] * x[k];
        x[i] /= lower[i][i];
    }
    for (size_t i = 0; i < PARAMETERS; i++)
        x[i] *= scale[i];
    return true;
}

/* Standard deviations; 0 for what is held. */
static void find_sigma(const struct normal *normal, const bool free_ones[PARAMETERS],
                       struct fit *fit)
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        struct normal unit = *normal;
        double column[PARAMETERS];

        memset(unit.vector, 0, sizeof unit.vector);
        unit.vector[i] = 1.0;
        fit->sigma[i] = 0.0;
        if (free_ones[i])
            fit->sigma[i] = solve(&unit, 1e-13, column) && column[i] > 0.0 ? sqrt(column[i]) : 1.0;
    }
}

/* Squares per line of a fit that is in the wrong place and stays there. */
#define HOPELESS 1e3

/* Levenberg and Marquardt. */
static void refine(const struct stats *stats, const bool free_ones[PARAMETERS], struct fit *fit)
{
    struct normal normal;
    double damping = 1e-9;

    weigh(stats, fit);
    for (int round = 0; round < 24 && damping < 1e9; round++) {
        struct fit next = *fit;
        double step[PARAMETERS];
        bool settled;

        make_normal(stats, fit, &normal);
        hold(&normal, free_ones);
        if (solve(&normal, damping, step))
            for (size_t i = 0; i < PARAMETERS; i++)
                next.parameter[i] += step[i];
        weigh(stats, &next);
        if (!(unlikelihood(&next) < unlikelihood(fit))) {
            damping = damping < 1e-4 ? 1e-3 : damping * 10.0;
            continue;
        }
        settled = next.chi > fit->chi * (1.0 - 1e-6) - 1e-3 ||
                  (next.chi > HOPELESS * (double)stats->count && next.chi > 0.5 * fit->chi);
        *fit = next;
        damping *= 0.1;
        if (settled)
            break;
    }
    make_normal(stats, fit, &normal);
    hold(&normal, free_ones);
    find_sigma(&normal, free_ones, fit);
}

/* ---- Fits to begin with */

struct fits {
    size_t count;
    struct fit item[FITS_MAX]; /* the best first */
};

static bool is_same_fit(const struct fit *a, const struct fit *b)
{
    return a->first == b->first && a->negative == b->negative && a->direction == b->direction &&
           fabs(a->parameter[LOG_FREQUENCY] - b->parameter[LOG_FREQUENCY]) < 1e-4 &&
           fabs(a->parameter[OFFSET] - b->parameter[OFFSET]) < 0.02;
}

static void keep_fit(struct fits *fits, const struct fit *fit)
{
    size_t at = 0;

    if (!isfinite(unlikelihood(fit)))
        return;
    for (size_t i = 0; i < fits->count; i++)
        if (is_same_fit(&fits->item[i], fit) && unlikelihood(&fits->item[i]) <= unlikelihood(fit))
            return;
    for (size_t i = 0; i < fits->count; i++)
        if (!is_same_fit(&fits->item[i], fit))
            fits->item[at++] = fits->item[i];
    fits->count = at;
    for (at = 0; at < fits->count && unlikelihood(&fits->item[at]) <= unlikelihood(fit);)
        at++;
    if (at == FITS_MAX)
        return;
    if (fits->count < FITS_MAX)
        fits->count++;
    memmove(&fits->item[at + 1], &fits->item[at], (fits->count - at - 1) * sizeof *fits->item);
    fits->item[at] = *fit;
}

/* A line through the logarithms of frequencies, weighted. */
struct regression {
    double n;
    double x;
    double xx;
    double y;
    double xy;
};

/* False where nothing is known of the logarithm. */
static bool add_frequency(const struct stats *stats, size_t k, double w,
                          struct regression *regression)
{
    const double variance = stats->slope_variance[k] + square(FREQUENCY_ERROR * w);
    const double weight = w * w / variance;
    const double log_w = log(w);

    if (!(w > 0.0) || weight < 16.0)
        return false;
    regression->n += weight;
    regression->x += weight * stats->pair[k];
    regression->xx += weight * square(stats->pair[k]);
    regression->y += weight * log_w;
    regression->xy += weight * stats->pair[k] * log_w;
    return true;
}

static bool solve_regression(const struct regression *r, struct fit *fit)
{
    const double determinant = r->n * r->xx - r->x * r->x;

    if (!(determinant > 1e-12 * r->n * r->xx))
        return false;
    fit->parameter[RATIO] = (r->n * r->xy - r->x * r->y) / determinant;
    fit->parameter[LOG_FREQUENCY] = (r->y - fit->parameter[RATIO] * r->x) / r->n;
    return true;
}

/* Which way most of the lines [low, high) turn, as a sign. */
static double direction_of(const struct stats *stats, size_t low, size_t high)
{
    double sum = 0.0;

    for (size_t k = low; k < high; k++)
        sum += stats->slope[k] > 0.0 ? 1.0 : -1.0;
    return sum >= 0.0 ? 1.0 : -1.0;
}

/* The frequency of line k is known up to whole turns: take the nearest to what the others say. */
static void extend_to(const struct stats *stats, size_t k, struct regression *regression,
                      struct fit *fit)
{
    const double expected = frequency_at(fit, stats->pair[k]);
    const double w = expected + wrap(fit->direction * stats->slope[k] - expected);

    if (add_frequency(stats, k, w, regression))
        (void)solve_regression(regression, fit);
}

/* A series through the slopes [low, high), none of which is to exceed half a turn, and from there
 * through the others. */
static bool fit_slopes(const struct stats *stats, size_t low, size_t high, struct fit *fit)
{
    struct regression regression = {0.0, 0.0, 0.0, 0.0, 0.0};
    size_t known = 0;

    fit->direction = direction_of(stats, low, high);
    for (size_t k = low; k < high; k++)
        if (add_frequency(stats, k, fit->direction * stats->slope[k], &regression))
            known++;
    if (known < 2 || !solve_regression(&regression, fit))
        return false;
    for (size_t k = low; k-- > 0;)
        extend_to(stats, k, &regression, fit);
    for (size_t k = high; k < stats->count; k++)
        extend_to(stats, k, &regression, fit);
    return slopes_chi(stats, fit) < 100.0 * (double)stats->count;
}

/* The line of the lowest frequency that is known well enough. */
static size_t slowest_line(const struct stats *stats, const struct fit *fit)
{
    const bool falls = fit->parameter[RATIO] < 0.0;

    for (size_t n = 0; n < stats->count; n++) {
        const size_t k = falls ? stats->count - 1 - n : n;
        const double w = frequency_at(fit, stats->pair[k]);

        if (w * w > 16.0 * (stats->slope_variance[k] + square(FREQUENCY_ERROR * w)))
            return k;
    }
    return falls ? 0 : stats->count - 1;
}

/* Let every line, the slowest first, correct the offset: each is sharper than those before it, and
 * they tell the whole turns in it. */
static void follow_offset(const struct stats *stats, size_t slowest, struct fit *fit)
{
    const bool falls = fit->parameter[RATIO] < 0.0;
    double known = HUGE_VAL;

    for (size_t k = slowest; k < stats->count; k = falls ? k - 1 : k + 1) {
        const double w = frequency_at(fit, stats->pair[k]);
        double variance;
        const double left = phase_left(stats, fit, k, &variance);
        const double precision = w * w / variance;
        const double share = isinf(known) ? 1.0 : known * precision / (known * precision + 1.0);

        if (!isinf(known))
            fit->parameter[OFFSET] += share * fit->direction * left / w;
        known = isinf(known) ? 1.0 / precision : known * (1.0 - share);
    }
}

static const bool all_free[PARAMETERS] = {true, true, true};

/* Whole turns of the fastest pair: the same phase there; the slow ones keep theirs by the ratio. */
static void add_turns(const struct stats *stats, const struct fit *fit, struct fits *fits)
{
    const size_t last = stats->count - 1;
    const double fastest = fit->parameter[RATIO] < 0.0 ? frequency_at(fit, stats->pair[0])
                                                       : frequency_at(fit, stats->pair[last]);

    for (int turns = -4; turns <= 4; turns++) {
        struct fit turned = *fit;
        const double at = stats->centre + fit->parameter[OFFSET];
        const double moved = at + turns * TWO_PI / fastest;

        if (turns == 0 || moved / at <= 0.0 || !(fabs(moved / at) < HUGE_VAL))
            continue;
        turned.parameter[OFFSET] = moved - stats->centre;
        if (fit->parameter[RATIO] < 0.0 && stats->pair[last] > 0.0)
            turned.parameter[RATIO] += log(at / moved) / stats->pair[last];
        refine(stats, all_free, &turned);
        keep_fit(fits, &turned);
    }
}

#define TURNS_MIN   16
#define ROWS_TURNED 2048.0 /* offsets that are tried, at the least */

/* Offsets for the frequencies of `fit`. */
static void add_offsets(const struct stats *stats, const struct fit *fit, struct fits *fits)
{
    const size_t slowest = slowest_line(stats, fit);
    const double w = frequency_at(fit, stats->pair[slowest]);
    const double near_zero = rint(w * stats->centre / TWO_PI);
    struct fits tried = {.count = 0};
    const size_t taken = stats->count <= 8 ? FITS_MAX : 3;
    const double most = fmax(TURNS_MIN, fmin(w, TWO_PI) * ROWS_TURNED / TWO_PI);

    for (int turns = -(int)most; turns <= (int)most; turns++) {
        struct fit next = *fit;
        const double phase = fit->direction * stats->phase[slowest];

        next.parameter[OFFSET] = (phase + TWO_PI * (turns + near_zero)) / w - stats->centre;
        follow_offset(stats, slowest, &next);
        weigh(stats, &next);
        keep_fit(&tried, &next);
    }
    for (size_t i = 0; i < tried.count && i < taken; i++) {
        refine(stats, all_free, &tried.item[i]);
        keep_fit(fits, &tried.item[i]);
        add_turns(stats, &tried.item[i], fits);
    }
}

/* Frequencies of which no pair need be below half a turn per row are guessed. */
static void add_guesses(const struct stats *stats, uint32_t dim, const struct fit *start,
                        struct fits *fits)
{
    static const double frequencies[] = {1.0, 1000.0, TWO_PI, PI, 100.0, 10.0, 10000.0};
    static const double bases[] = {1e4, 100.0, 500.0, 1e5, 1e6, 1e3, 1e7, 2e4, 5e5, 32.0};
    double last = 0.0;

    for (size_t f = 0; f < sizeof frequencies / sizeof *frequencies; f++)
        for (size_t b = 0; b < sizeof bases / sizeof *bases; b++)
            for (int kind = 0; kind < 4; kind++) {
                struct fit guess = *start;
                const double divisor = identify_divisor(
                    dim, kind < 2 ? POSEMB_DENOMINATOR_REAL : POSEMB_DENOMINATOR_FLOOR, kind % 2);

                guess.parameter[LOG_FREQUENCY] = log(frequencies[f]);
                guess.parameter[RATIO] = -log(bases[b]) / divisor;
                guess.direction = 1.0;
                if (guess.parameter[RATIO] == last ||
                    slopes_chi(stats, &guess) > 9.0 * (double)stats->count)
                    continue;
                last = guess.parameter[RATIO];
                add_offsets(stats, &guess, fits);
            }
}

/* Blocks of lines that may all be below half a turn per row: all, then ever fewer of one end. */
static void add_series(const struct stats *stats, const struct fit *start, struct fits *fits)
{
    struct fit fit = *start;

    for (size_t length = stats->count; length >= 2; length /= 2) {
        if (fit_slopes(stats, stats->count - length, stats->count, &fit) ||
            fit_slopes(stats, 0, length, &fit)) {
            add_offsets(stats, &fit, fits);
            return;
        }
    }
}

static void find_fits(const struct evidence *e, struct fits *fits)
{
    struct stats stats;

    fits->count = 0;
    for (int kind = 0; kind < 4; kind++) {
        const struct fit start = {.first = kind % 2 ? POSEMB_COSINE_FIRST : POSEMB_SINE_FIRST,
                                  .negative = kind >= 2};

        take_stats(e, start.first, start.negative, &stats);
        if (stats.count < 2)
            return;
        add_series(&stats, &start, fits);
        add_guesses(&stats, e->table->dim, &start, fits);
    }
}

/* ---- Plain numbers near a fit */

/* How far a sample of the table is from a formula. */
struct misfit {
    double squares; /* mean square difference over what rounding explains */
    double doubt;   /* mean logarithm of the square of that */
    double drift;   /* the part that float angles have in it */
};

/* All that says what the table is. `cost` is lower for plainer numbers. */
struct candidate {
    struct fit fit;
    struct identified_form form;
    double frequency;
    double divisor;
    double amplitude;
    double cost;
    struct misfit misfit;
};

/* A number of few digits. */
struct plain {
    double value;
    int digits;
};

#define DIGITS_MAX           7
#define AMPLITUDE_DIGITS_MAX 4
#define PLAIN_MAX            48u

static bool is_within(double value, double x, double slack)
{
    return fabs(value / x - 1.0) <= slack;
}

/* Numbers of 1, 2, ... `most` digits within `slack`, a part of x, around x; those with few digits
 * first, then those nearest to x. */
static size_t plain_numbers(double x, double slack, int most, struct plain *numbers,
                            size_t capacity)
{
    size_t count = 0;

    if (!(x > 0.0) || !isfinite(x))
        return 0;
    for (int digits = 1; digits <= most; digits++) {
        const int exponent = (int)floor(log10(x)) - (digits - 1);
        const double unit = pow(10.0, abs(exponent));
        const double middle = rint(exponent < 0 ? x * unit : x / unit);

        for (int n = 0; n <= 40; n++) {
            const double m = middle + (n % 2 ? (n + 1) / 2 : -(n / 2));
            const double value = exponent < 0 ? m / unit : m * unit;

            if (m < 1.0 || (digits > 1 && fmod(m, 10.0) == 0.0) || !is_within(value, x, slack))
                continue;
            if (count == capacity)
                return count;
            numbers[count].value = value;
            numbers[count++].digits = digits;
        }
    }
    return count;
}

/* A fit with more numbers held is as good where squares grow by no more than chance explains; or by
 * one for each slope and phase, since float arithmetic may put all frequencies off alike. */
static double unlikelihood_limit(const struct stats *stats, const struct fit *fit)
{
    return 1.5 * fit->chi + 16.0 + 2.0 * (double)stats->count + fit->doubt;
}

static bool try_holding(const struct stats *stats, enum parameter held, double value,
                        const bool free_ones[PARAMETERS], double limit, struct fit *fit)
{
    struct fit next = *fit;

    next.parameter[held] = value;
    refine(stats, free_ones, &next);
    if (unlikelihood(&next) > limit)
        return false;
    *fit = next;
    return true;
}

/* 1, or a plain number, or what is common, or the number that was measured. */
static double hold_frequency(const struct stats *stats, size_t rows, double limit, struct fit *fit,
                             double *cost)
{
    static const bool others_free[PARAMETERS] = {false, true, true};
    const double n = (double)rows;
    const double common[] = {1.0, TWO_PI, PI, 1.0 / n, 1000.0 / n, 1.0 / (n - 1), 1000.0 / (n - 1)};
    const size_t common_count = sizeof common / sizeof *common;
    const double measured = exp(fit->parameter[LOG_FREQUENCY]);
    const double slack = 5.0 * fit->sigma[LOG_FREQUENCY] + 2e-6;
    struct plain numbers[PLAIN_MAX];
    size_t count;

    for (size_t i = 0; i < common_count; i++)
        if (is_within(common[i], measured, slack) &&
            try_holding(stats, LOG_FREQUENCY, log(common[i]), others_free, limit, fit)) {
            *cost += i == 0 ? 0.0 : 4.0;
            return common[i];
        }
    count = plain_numbers(measured, slack, DIGITS_MAX, numbers, PLAIN_MAX);
    for (size_t i = 0; i < count; i++)
        if (try_holding(stats, LOG_FREQUENCY, log(numbers[i].value), others_free, limit, fit)) {
            *cost += 3.0 + numbers[i].digits;
            return numbers[i].value;
        }
    *cost += 12.0;
    return measured;
}

/* ---- How near a candidate comes, on a sample of the table */

#define SAMPLE_MAX (SCORE_ROWS * (2 * SCORE_PAIRS + 1))

struct sample {
    const struct evidence *evidence;
    size_t row_count;
    size_t rows[SCORE_ROWS];
    size_t pair_count;
    uint32_t pairs[SCORE_PAIRS];
    size_t count; /* values: row by row, of the pairs and of the lone channel */
    double value[SAMPLE_MAX];
    double unit[SAMPLE_MAX];  /* its place in float16 or bfloat16 */
    double unit_logarithm;    /* the sum of their logarithms */
    double model[SAMPLE_MAX]; /* of amplitude 1 */
    double drift[SAMPLE_MAX]; /* error that float angles have */
};

static void load_value(struct sample *sample, float value)
{
    sample->value[sample->count] = (double)value;
    sample->unit[sample->count] = spacing((double)value, sample->evidence->rounding);
    sample->unit_logarithm += log(sample->unit[sample->count++]);
}

static void load_sample(const struct evidence *e, struct sample *sample)
{
    const struct arrangement *a = &e->circles->arrangement;

    sample->evidence = e;
    sample->row_count = e->row_count < SCORE_ROWS ? e->row_count : SCORE_ROWS;
    sample->pair_count = e->pair_count < SCORE_PAIRS ? e->pair_count : SCORE_PAIRS;
    for (size_t i = 0; i < sample->pair_count; i++)
        sample->pairs[i] = e->pairs[choose_evenly(i, sample->pair_count, e->pair_count)];
    sample->count = 0;
    sample->unit_logarithm = 0.0;
    for (size_t r = 0; r < sample->row_count; r++) {
        const size_t row = e->rows[choose_evenly(r, sample->row_count, e->row_count)];
        const float *values = row_of(e->table, row);

        sample->rows[r] = row;
        for (size_t i = 0; i < sample->pair_count; i++) {
            load_value(sample, values[first_channel(a, sample->pairs[i])]);
            load_value(sample, values[second_channel(a, sample->pairs[i])]);
        }
        if (a->has_lone)
            load_value(sample, values[a->lone]);
    }
}

static double exact_frequency(const struct candidate *c, uint32_t pair)
{
    return c->frequency * exp(-log(c->form.base) * pair / c->divisor);
}

/* What float arithmetic does to an angle, relative. */
static double drift_of(const struct candidate *c, uint32_t pair)
{
    return DRIFT * (1.0 + fabs(log(c->form.base)) * pair / c->divisor);
}

static double clipped_drift(double drift, double angle)
{
    const double error = drift * fabs(angle);

    return error < DRIFT_MAX ? error : DRIFT_MAX;
}

/* One pair in all rows of the sample, from value `at` of each row on: both functions, or (`only`)
 * the one that POSEMB_ODD_FIRST or POSEMB_ODD_SECOND has. */
static void model_pair(struct sample *sample, const struct candidate *c, uint32_t pair, size_t at,
                       posemb_odd only)
{
    const size_t stride = sample->count / sample->row_count;
    const double w = exact_frequency(c, pair);
    const double drift = drift_of(c, pair);
    const double offset = c->fit.parameter[OFFSET];
    const bool sine_first = c->fit.first == POSEMB_SINE_FIRST;

    for (size_t r = 0; r < sample->row_count; r++) {
        const double row = (double)sample->rows[r];
        const double angle = c->fit.direction * w * (row + offset);
        const double error = clipped_drift(drift, w * (row + fabs(offset)));
        const double s = sin(angle);
        const double k = cos(angle);
        size_t i = r * stride + at;

        if (only != POSEMB_ODD_SECOND) {
            sample->model[i] = sine_first ? s : k;
            sample->drift[i++] = error * fabs(sine_first ? k : s);
        }
        if (only != POSEMB_ODD_FIRST) {
            sample->model[i] = sine_first ? k : s;
            sample->drift[i] = error * fabs(sine_first ? s : k);
        }
    }
}

static void model_zeros(struct sample *sample, size_t at)
{
    const size_t stride = sample->count / sample->row_count;

    for (size_t r = 0; r < sample->row_count; r++) {
        sample->model[r * stride + at] = 0.0;
        sample->drift[r * stride + at] = 0.0;
    }
}

static void model_sample(struct sample *sample, const struct candidate *c)
{
    const struct arrangement *a = &sample->evidence->circles->arrangement;
    const size_t lone = 2 * sample->pair_count;

    for (size_t i = 0; i < sample->pair_count; i++)
        model_pair(sample, c, sample->pairs[i], 2 * i, POSEMB_ODD_DEFAULT);
    if (!a->has_lone)
        return;
    if (c->form.odd == POSEMB_ODD_ZERO)
        model_zeros(sample, lone);
    else
        model_pair(sample, c, c->form.odd == POSEMB_ODD_FIRST ? a->pairs : 0, lone, c->form.odd);
}

/* How the sample compares with amplitude times the model; of a table in float16 or bfloat16, how
 * many values would have been rounded to another number. */
static struct misfit compare_sample(const struct sample *sample, double amplitude)
{
    const enum identify_rounding rounding = sample->evidence->rounding;
    const double size = fabs(amplitude);
    const double n = (double)sample->count;
    struct misfit misfit = {0.0, 0.0, 0.0};
    struct log_sum logs = {1.0, 0.0};
    double reference = log(size) * n;

    for (size_t i = 0; i < sample->count; i++) {
        const double expected = amplitude * sample->model[i];
        const double drift = size * (sample->drift[i] + 1e-12);
        const bool is_float32 = rounding == IDENTIFY_FLOAT32;
        const double nearest = is_float32 ? expected : rounded(expected, rounding);
        const double unit = drift + (is_float32 ? 0x1p-24 * fabs(expected) : sample->unit[i]);
        const double scale = 1.0 / unit;

        misfit.squares += square((sample->value[i] - nearest) * scale);
        misfit.drift += drift * scale;
        add_logarithm(&logs, unit);
    }
    if (rounding != IDENTIFY_FLOAT32)
        reference = sample->unit_logarithm;
    misfit.squares /= n;
    misfit.drift /= n;
    misfit.doubt = 2.0 * (logs.sum + log(logs.product) - reference) / n;
    return misfit;
}

/* So near that nothing can be better. */
static bool is_settled(const struct sample *sample, const struct misfit *misfit)
{
    if (sample->evidence->rounding == IDENTIFY_FLOAT32)
        return misfit->squares < 2.0;
    return misfit->squares <= misfit->drift + 1.5 / (double)sample->count;
}

static double worth(const struct misfit *misfit)
{
    return misfit->squares + misfit->doubt;
}

/* What another misfit may exceed the best by and still be no worse: of values that were computed in
 * float and then rounded, the drift sends some to the other neighbour. */
static double misfit_slack(const struct sample *sample, const struct misfit *best)
{
    const double n = (double)sample->count;

    if (sample->evidence->rounding == IDENTIFY_FLOAT32)
        return 1.0 + 0.5 * best->squares;
    return 1e-4 + 0.25 * best->squares + best->drift +
           2.0 * sqrt((best->squares + best->drift) / n);
}

/* The amplitude of least squares, and by how much of it that may be off. */
static double measure_amplitude(const struct sample *sample, double *slack)
{
    double along = 0.0;
    double square_sum = 0.0;
    double left = 0.0;
    double amplitude;

    for (size_t i = 0; i < sample->count; i++) {
        along += sample->model[i] * sample->value[i];
        square_sum += square(sample->model[i]);
    }
    amplitude = along / square_sum;
    for (size_t i = 0; i < sample->count; i++)
        left += square(sample->value[i] - amplitude * sample->model[i]);
    *slack = 4.0 * sqrt(left / (double)sample->count / square_sum) / fabs(amplitude) + 3e-7;
    /* Many values are almost the amplitude itself, and rounded the same way. */
    if (sample->evidence->rounding != IDENTIFY_FLOAT32)
        *slack += 0.5 * rounding_error(sample->evidence->rounding);
    return amplitude;
}

/* Amplitudes that are usual, or plain numbers, or the measured one: the first that is as good as
 * any is taken. */
static void take_amplitude(const struct sample *sample, struct candidate *c)
{
    const double dim = sample->evidence->table->dim;
    const double usual[] = {1.0, (double)(float)sqrt(1.0 / dim), (double)(float)sqrt(2.0 / dim),
                            (double)(float)sqrt(dim)};
    double slack;
    const double measured = measure_amplitude(sample, &slack);
    struct plain tried[12];
    struct misfit misfits[12];
    size_t best = 0;
    size_t count = 0;
    size_t taken = 0;

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (is_within(usual[i], fabs(measured), slack))
            tried[count++].value = usual[i];
    count += plain_numbers(fabs(measured), slack, AMPLITUDE_DIGITS_MAX, tried + count, 6);
    tried[count++].value = (double)(float)fabs(measured);
    for (size_t i = 0; i < count; i++) {
        tried[i].value = measured < 0.0 ? -tried[i].value : tried[i].value;
        misfits[i] = compare_sample(sample, tried[i].value);
        best = worth(&misfits[i]) < worth(&misfits[best]) ? i : best;
        if (is_settled(sample, &misfits[i]))
            break;
    }
    while (taken < best &&
           worth(&misfits[taken]) > worth(&misfits[best]) + misfit_slack(sample, &misfits[best]))
        taken++;
    c->amplitude = tried[taken].value;
    c->misfit = misfits[taken];
}

/* ---- Candidates */

#define CANDIDATES_MAX 256u

struct candidates {
    size_t count;
    struct misfit best;
    struct candidate item[CANDIDATES_MAX];
};

/* The formula that comes nearest of those that too few rows agree with. */
struct near {
    bool is_there;
    struct identified_form form;
    double difference;
    double part; /* of the amplitude */
};

/* Everything that candidates are made and judged by. */
struct search {
    struct evidence evidence;
    struct fits fits;
    struct stats stats;
    struct sample sample;
    struct candidates candidates;
    struct near near;
};

/* True: it comes so near that nothing less plain can be better. */
static bool add_candidate(struct search *search, const struct candidate *candidate)
{
    struct candidates *all = &search->candidates;
    struct candidate *next = &all->item[all->count];

    if (all->count == CANDIDATES_MAX)
        return false;
    *next = *candidate;
    model_sample(&search->sample, next);
    take_amplitude(&search->sample, next);
    name_form(&next->form, search->evidence.table->dim, next->amplitude);
    next->cost += next->form.name_count ? (next->form.default_count ? 0.0 : 1.0) : 5.0;
    if (all->count++ == 0 || worth(&next->misfit) < worth(&all->best))
        all->best = next->misfit;
    return is_settled(&search->sample, &next->misfit);
}

/* How much a misfit is beyond that of one that is as near as any. */
static double excess_of(const struct search *search, const struct candidate *c)
{
    const struct misfit *best = &search->candidates.best;
    const double excess = worth(&c->misfit) - worth(best) - misfit_slack(&search->sample, best);

    return excess > 0.0 ? excess : 0.0;
}

/* In a table of float16 or bfloat16, one value that would have been rounded otherwise counts as
 * much as one digit. In one of float all values are off alike: there is nothing to count. */
static double whole_cost(const struct search *search, const struct candidate *c)
{
    const double excess = excess_of(search, c);

    if (search->evidence.rounding == IDENTIFY_FLOAT32)
        return excess > 0.0 ? HUGE_VAL : c->cost;
    return c->cost + 2.0 * excess * (double)search->sample.count;
}

/* The base is held: is the fit still as good? */
static bool base_fits(const struct search *search, const struct candidate *c, double limit)
{
    struct fit fit = c->fit;

    fit.parameter[LOG_FREQUENCY] = log(c->frequency);
    fit.parameter[RATIO] = -log(c->form.base) / c->divisor;
    weigh(&search->stats, &fit);
    return unlikelihood(&fit) <= limit;
}

static double cost_of_base(const struct plain *base)
{
    const double unusual = base->value > 1e7 || base->value < 10.0 ? 2.0 : 0.0;

    return base->value == 1e4 ? 0.0 : 2.0 * base->digits + unusual;
}

/* Plain bases under one denominator, and the measured one. */
static void add_bases(struct search *search, const struct candidate *start, double limit)
{
    const double log_base = -start->fit.parameter[RATIO] * start->divisor;
    const double measured = exp(log_base);
    const double slack = 5.0 * start->fit.sigma[RATIO] * start->divisor + 2e-6;
    struct candidate next = *start;
    struct plain numbers[PLAIN_MAX];
    size_t count;
    int enough = DIGITS_MAX;

    if (!(measured > POSEMB_BASE_MIN) || !(measured < POSEMB_BASE_MAX))
        return;
    count = plain_numbers(measured, slack < 1.0 ? slack : 1.0, DIGITS_MAX, numbers, PLAIN_MAX);
    for (size_t i = 0; i < count && numbers[i].digits <= enough; i++) {
        struct candidate plain = *start;

        plain.form.base = numbers[i].value;
        plain.cost += cost_of_base(&numbers[i]);
        if (base_fits(search, &plain, limit) && add_candidate(search, &plain))
            enough = numbers[i].digits;
    }
    next.form.base = measured;
    next.cost += 2.0 * (DIGITS_MAX + 3);
    if (enough == DIGITS_MAX)
        (void)add_candidate(search, &next);
}

static void add_denominators(struct search *search, const struct candidate *start, double limit)
{
    const struct arrangement *a = &search->evidence.circles->arrangement;
    const uint32_t dim = search->evidence.table->dim;

    for (size_t odd = 0; odd < a->odd_count; odd++)
        for (int kind = 0; kind < (a->has_lone ? 4 : 2); kind++) {
            struct candidate next = *start;

            next.form.layout = a->layout;
            next.form.first = start->fit.first;
            next.form.odd = a->odd[odd];
            next.form.shift = kind % 2;
            next.form.denominator = kind < 2 ? POSEMB_DENOMINATOR_REAL : POSEMB_DENOMINATOR_FLOOR;
            next.divisor = identify_divisor(dim, next.form.denominator, next.form.shift);
            add_bases(search, &next, limit);
        }
}

#define WHOLE_OFFSETS 6 /* to either side of the measured one */

static double cost_of_offset(double offset)
{
    return fabs(offset) <= 2.0 ? 0.0 : 1.0;
}

/* Whole offsets that the fit allows, or the measured one. */
static void add_whole_offsets(struct search *search, const struct candidate *start, double limit)
{
    static const bool ratio_free[PARAMETERS] = {false, true, false};
    const double measured = start->fit.parameter[OFFSET];
    const double sigma = start->fit.sigma[OFFSET];
    const double slack = sigma < 1.0 ? 5.0 * sigma + 1e-3 + FREQUENCY_ERROR * fabs(measured) : 5.0;
    const int reach = (int)fmin(ceil(slack), WHOLE_OFFSETS);
    size_t whole = 0;

    for (int n = -reach; n <= reach; n++) {
        const double offset = rint(measured) + n;
        struct candidate next = *start;

        if (fabs(offset - measured) > slack ||
            !try_holding(&search->stats, OFFSET, offset, ratio_free, limit, &next.fit))
            continue;
        whole++;
        next.cost += cost_of_offset(offset);
        add_denominators(search, &next, limit);
    }
    /* Any frequencies and phases of two or three pairs come near some offset. */
    if (whole == 0 && search->stats.count >= 4) {
        struct candidate next = *start;

        refine(&search->stats, ratio_free, &next.fit);
        next.cost += 8.0;
        add_denominators(search, &next, limit);
    }
}

static void add_candidates(struct search *search, const struct fit *fit)
{
    struct candidate start = {.fit = *fit};
    double limit;

    take_stats(&search->evidence, fit->first, fit->negative, &search->stats);
    limit = unlikelihood_limit(&search->stats, fit);
    start.cost = (fit->direction < 0.0 ? 3.0 : 0.0) + (fit->negative ? 3.0 : 0.0);
    start.frequency = hold_frequency(&search->stats, search->evidence.table->rows, limit,
                                     &start.fit, &start.cost);
    start.fit.parameter[LOG_FREQUENCY] = log(start.frequency);
    add_whole_offsets(search, &start, limit);
}

/* The plainest of those that come near; NULL where there is none. */
static const struct candidate *plainest(const struct search *search)
{
    const struct candidate *best = NULL;
    double least = HUGE_VAL;

    for (size_t i = 0; i < search->candidates.count; i++) {
        const struct candidate *c = &search->candidates.item[i];
        const double cost = whole_cost(search, c);

        if (cost < least || (best && cost == least && worth(&c->misfit) < worth(&best->misfit))) {
            best = c;
            least = cost;
        }
    }
    return best;
}

static const struct candidate *find_candidate(struct search *search)
{
    double limit;

    search->candidates.count = 0;
    find_fits(&search->evidence, &search->fits);
    if (search->fits.count == 0)
        return NULL;
    load_sample(&search->evidence, &search->sample);
    take_stats(&search->evidence, POSEMB_SINE_FIRST, false, &search->stats);
    limit = unlikelihood_limit(&search->stats, &search->fits.item[0]);
    for (size_t i = 0; i < search->fits.count; i++)
        if (unlikelihood(&search->fits.item[i]) <= limit)
            add_candidates(search, &search->fits.item[i]);
    return plainest(search);
}

/* ---- The whole table against one candidate */

/* Sine and cosine of all pairs, turned from row to row and computed anew every RESYNC rows. */
struct turning {
    double frequency;
    double sine;
    double cosine;
    double step_sine;
    double step_cosine;
    double drift;
};

#define RESYNC 64u

struct verification {
    const struct table *table;
    const struct arrangement *arrangement;
    const struct candidate *candidate;
    struct turning *turnings; /* [pairs + 1]: one more for a lone first function */
    double tolerance;         /* beside the drift */
    struct identification *found;
    uint64_t agreeing;
    bool is_float32; /* so far */
};

static void start_turning(struct verification *v, uint32_t pair)
{
    struct turning *t = &v->turnings[pair];

    t->frequency = v->candidate->fit.direction * exact_frequency(v->candidate, pair);
    t->step_sine = sin(t->frequency);
    t->step_cosine = cos(t->frequency);
    t->drift = drift_of(v->candidate, pair);
}

static void turn(struct verification *v, size_t row)
{
    const double at = (double)row + v->candidate->fit.parameter[OFFSET];

    for (uint32_t i = 0; i <= v->arrangement->pairs; i++) {
        struct turning *t = &v->turnings[i];
        const double sine = t->sine;

        if (row % RESYNC == 0) {
            t->sine = sin(t->frequency * at);
            t->cosine = cos(t->frequency * at);
            continue;
        }
        t->sine = sine * t->step_cosine + t->cosine * t->step_sine;
        t->cosine = t->cosine * t->step_cosine - sine * t->step_sine;
    }
}

/* What is found of one row. */
struct row_check {
    double worst;
    uint32_t channel;
    bool agrees;
    bool is_float32;
};

static void check_value(const struct verification *v, float value, double expected,
                        double angle_error, uint32_t channel, struct row_check *check)
{
    const double size = fabs(v->candidate->amplitude);
    double difference = fabs((double)value - v->candidate->amplitude * expected);

    if (!(difference < HUGE_VAL))
        difference = HUGE_VAL;
    if (difference > check->worst) {
        check->worst = difference;
        check->channel = channel;
    }
    if (difference > size * (v->tolerance + angle_error))
        check->agrees = false;
    if (difference > size * (0x1p-22 + angle_error))
        check->is_float32 = false;
}

static void check_lone(const struct verification *v, const float *values, double at,
                       struct row_check *check)
{
    const struct arrangement *a = v->arrangement;
    const posemb_odd odd = v->candidate->form.odd;
    const bool sine_first = v->candidate->fit.first == POSEMB_SINE_FIRST;
    const struct turning *t = &v->turnings[odd == POSEMB_ODD_FIRST ? a->pairs : 0];
    const bool is_sine = sine_first == (odd == POSEMB_ODD_FIRST);
    const double expected = is_sine ? t->sine : t->cosine;

    if (odd == POSEMB_ODD_ZERO)
        check_value(v, values[a->lone], 0.0, 0.0, a->lone, check);
    else
        check_value(v, values[a->lone], expected, clipped_drift(t->drift, t->frequency * at),
                    a->lone, check);
}

static struct row_check check_row(const struct verification *v, size_t row)
{
    const struct arrangement *a = v->arrangement;
    const bool sine_first = v->candidate->fit.first == POSEMB_SINE_FIRST;
    const float *values = row_of(v->table, row);
    const double at = (double)row + v->candidate->fit.parameter[OFFSET];
    struct row_check check = {.worst = -1.0, .agrees = true, .is_float32 = true};

    for (uint32_t i = 0; i < a->pairs; i++) {
        const struct turning *t = &v->turnings[i];
        const double error = clipped_drift(t->drift, t->frequency * at);
        const uint32_t first = first_channel(a, i);
        const uint32_t second = second_channel(a, i);

        check_value(v, values[first], sine_first ? t->sine : t->cosine, error, first, &check);
        check_value(v, values[second], sine_first ? t->cosine : t->sine, error, second, &check);
    }
    if (a->has_lone)
        check_lone(v, values, at, &check);
    return check;
}

/* Ranges beyond the capacity are not listed. */
static void add_to_ranges(struct identified_range *ranges, size_t *count, uint64_t row)
{
    if (*count && ranges[*count - 1].last + 1 == row)
        ranges[*count - 1].last = row;
    else if (*count < IDENTIFY_RANGES_MAX) {
        ranges[*count].first = row;
        ranges[(*count)++].last = row;
    }
}

static void count_row(struct verification *v, size_t row)
{
    struct identification *found = v->found;
    const struct row_check check = check_row(v, row);
    struct identified_worst *worst = check.agrees ? &found->agreed : &found->departed;
    const bool is_new = check.agrees ? v->agreeing == 0 : found->departing_rows == 0;

    if (is_new || check.worst > worst->difference) {
        worst->difference = check.worst;
        worst->row = row;
        worst->channel = check.channel;
    }
    if (check.agrees) {
        v->agreeing++;
        v->is_float32 = v->is_float32 && check.is_float32;
        return;
    }
    found->departing_rows++;
    add_to_ranges(found->departing_ranges, &found->departing_range_count, row);
}

static void describe(struct identification *found, const struct candidate *c)
{
    const bool falls = c->fit.direction < 0.0;

    found->form = c->form;
    found->offset = falls ? -c->fit.parameter[OFFSET] : c->fit.parameter[OFFSET];
    found->step = falls ? -1.0 : 1.0;
    found->frequency = c->frequency;
    found->amplitude = c->amplitude;
}

/* How many rows agree with the candidate; the rest of what it says is in `found`. */
static bool verify(const struct evidence *e, const struct candidate *c,
                   struct identification *found, uint64_t *agreeing)
{
    struct verification v = {.table = e->table,
                             .arrangement = &e->circles->arrangement,
                             .candidate = c,
                             .found = found,
                             .is_float32 = true};
    const bool is_bfloat16 = e->rounding == IDENTIFY_BFLOAT16;

    v.turnings = calloc((size_t)v.arrangement->pairs + 1, sizeof *v.turnings);
    if (!v.turnings)
        return false;
    v.tolerance = rounding_error(is_bfloat16 ? IDENTIFY_BFLOAT16 : IDENTIFY_FLOAT16);
    describe(found, c);
    for (uint32_t i = 0; i <= v.arrangement->pairs; i++)
        start_turning(&v, i);
    for (size_t r = 0; r < v.table->rows; r++) {
        turn(&v, r);
        if (!is_zero_row(v.table, r))
            count_row(&v, r);
    }
    free(v.turnings);
    found->rounding =
        v.is_float32 ? IDENTIFY_FLOAT32 : (is_bfloat16 ? IDENTIFY_BFLOAT16 : IDENTIFY_FLOAT16);
    found->rounded_exactly = v.is_float32 || e->rounding == found->rounding;
    *agreeing = v.agreeing;
    return true;
}

static bool is_same_function(const struct candidate *a, const struct candidate *b)
{
    const double ratio = log(a->form.base) / a->divisor;

    return fabs(log(b->form.base) / b->divisor - ratio) <= 1e-10 * fabs(ratio) &&
           a->form.odd == b->form.odd && a->form.first == b->form.first &&
           a->fit.direction == b->fit.direction && a->frequency == b->frequency &&
           a->amplitude == b->amplitude && a->fit.parameter[OFFSET] == b->fit.parameter[OFFSET];
}

/* The same function with another denominator, and a base that is about as plain; or one that is as
 * plain and that the table, for its rounding, does not tell from it. */
static bool is_alternative(const struct search *search, const struct candidate *c,
                           const struct candidate *chosen)
{
    if (c->divisor == chosen->divisor || c->form.name_count == 0)
        return false;
    return is_same_function(c, chosen) ? c->cost <= chosen->cost + 4.0
                                       : c->cost <= chosen->cost && excess_of(search, c) == 0.0;
}

static void list_alternatives(const struct search *search, const struct candidate *chosen,
                              struct identification *found)
{
    for (size_t i = 0; i < search->candidates.count; i++)
        if (is_alternative(search, &search->candidates.item[i], chosen) &&
            found->also_count < IDENTIFY_ALSO_MAX)
            found->also[found->also_count++] = search->candidates.item[i].form;
}

/* ---- The answer */

static void say(struct identification *found, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct identification *found, const char *format, ...)
{
    const size_t used = strlen(found->message);
    va_list values;

    va_start(values, format);
    vsnprintf(found->message + used, sizeof found->message - used, format, values);
    va_end(values);
}

static void say_rows(struct identification *found)
{
    uint64_t listed = 0;

    say(found, found->departing_rows > 1 ? "rows" : "row");
    for (size_t i = 0; i < found->departing_range_count; i++) {
        const struct identified_range *range = &found->departing_ranges[i];

        say(found, "%s %" PRIu64, i ? "," : "", range->first);
        if (range->last > range->first)
            say(found, "-%" PRIu64, range->last);
        listed += range->last - range->first + 1;
    }
    if (listed < found->departing_rows)
        say(found, " and so on");
}

static void say_form(struct identification *found, const struct identified_form *form)
{
    const size_t count = form->default_count ? form->default_count : form->name_count;

    for (size_t i = 0; i < count; i++)
        say(found, "%s%s", i ? " = " : "", form->names[i]);
    if (count == 0)
        say(found, "a convention without a name");
    say(found, ", base %.10g", form->base);
}

static void conclude(struct identification *found, uint64_t agreeing)
{
    found->found = found->departing_rows == 0;
    found->outcome = found->found ? IDENTIFY_SINUSOIDAL : IDENTIFY_DEPARTS;
    if (!found->found)
        say(found, "not sinusoidal throughout: %" PRIu64 " of %" PRIu64 " rows depart from ",
            found->departing_rows, agreeing + found->departing_rows);
    say_form(found, &found->form);
    if (!found->found) {
        say(found, ": ");
        say_rows(found);
    }
}

static enum identify_rounding rounding_of(const struct table *table, const struct circles *circles)
{
    bool is_float16 = true;
    bool is_bfloat16 = true;

    for (size_t r = 0; r < table->rows && (is_float16 || is_bfloat16); r++) {
        const float *values = row_of(table, r);

        for (uint32_t c = 0; circles->has[r] && c < table->dim; c++) {
            is_float16 = is_float16 && is_number_of(values[c], IDENTIFY_FLOAT16);
            is_bfloat16 = is_bfloat16 && is_number_of(values[c], IDENTIFY_BFLOAT16);
        }
    }
    if (is_bfloat16)
        return IDENTIFY_BFLOAT16;
    return is_float16 ? IDENTIFY_FLOAT16 : IDENTIFY_FLOAT32;
}

/* Enough rows to say something: all that are not zeros, or a quarter of them and more than chance
 * brings together. */
static bool is_enough(uint64_t count, const struct identification *found)
{
    const uint64_t all = found->rows - found->zero_rows;

    return count == all || (count >= 6 && count >= (all + 3) / 4);
}

/* Above this part of the amplitude a difference is no nearness. */
#define NEAR 0.25

static void remember_near(const struct identification *found, struct near *near)
{
    const double difference = found->departed.difference;
    const double part = difference / fabs(found->amplitude);

    if (part < NEAR && (!near->is_there || part < near->part)) {
        near->is_there = true;
        near->form = found->form;
        near->difference = difference;
        near->part = part;
    }
}

static void say_what_else(const struct near *near, bool has_circles, struct identification *found)
{
    if (near->is_there) {
        say(found, "not sinusoidal, but near ");
        say_form(found, &near->form);
        say(found, ": off by %.3g at the most", near->difference);
    } else if (has_circles) {
        say(found, "not sinusoidal: its pairs of channels lie on circles, but do not advance "
                   "evenly from row to row as one series of frequencies");
    } else {
        say(found, "not sinusoidal: learned, or of another formula");
    }
}

/* Fit rows [low, high), compare all. `*agreeing` 0: they are no sinusoids. */
static bool try_rows(struct search *search, size_t low, size_t high, struct identification *found,
                     uint64_t *agreeing)
{
    const struct candidate *candidate = NULL;

    *agreeing = 0;
    if (high - low < IDENTIFY_ROWS_MIN)
        return true;
    if (gather(&search->evidence, low, high))
        candidate = find_candidate(search);
    if (!candidate)
        return true;
    if (!verify(&search->evidence, candidate, found, agreeing))
        return false;
    if (is_enough(*agreeing, found)) {
        list_alternatives(search, candidate, found);
    } else {
        remember_near(found, &search->near);
        *agreeing = 0;
    }
    return true;
}

/* All rows; where they are no sinusoids together, halves and quarters of them. */
static bool try_circles(const struct table *table, const struct circles *circles,
                        struct search *search, struct identification *found, uint64_t *agreeing)
{
    const struct identification blank = *found;

    search->evidence.table = table;
    search->evidence.circles = circles;
    search->evidence.rounding = rounding_of(table, circles);
    choose_pairs(&search->evidence);
    for (size_t parts = 1; parts <= 4; parts *= 2)
        for (size_t part = 0; part < parts; part++) {
            *found = blank;
            if (!try_rows(search, table->rows * part / parts, table->rows * (part + 1) / parts,
                          found, agreeing))
                return false;
            if (*agreeing)
                return true;
        }
    *found = blank;
    return true;
}

/* The arrangement that most rows agree with. */
static bool try_arrangements(const struct table *table, struct circles *circles, double *scratch,
                             struct search *search, struct identification *found)
{
    const struct identification blank = *found;
    uint64_t most = 0;
    bool has_circles = false;

    for (size_t i = 0; i < (table->dim % 2 ? ARRANGEMENTS : ARRANGEMENTS - 1); i++) {
        struct identification next = blank;
        uint64_t agreeing = 0;

        circles->arrangement = arrangement_at(table->dim, i);
        find_circles(table, circles, scratch, scratch + table->rows);
        if (!is_enough(circles->count, found))
            continue;
        has_circles = true;
        if (!try_circles(table, circles, search, &next, &agreeing))
            return false;
        if (agreeing > most) {
            most = agreeing;
            *found = next;
        }
    }
    if (most)
        conclude(found, most);
    else
        say_what_else(&search->near, has_circles, found);
    return true;
}

static bool examine(const struct table *table, struct identification *found)
{
    struct circles circles = {.has = calloc(table->rows + 1, sizeof *circles.has)};
    double *scratch = calloc(table->rows + 1, 2 * sizeof *scratch);
    struct search *search = calloc(1, sizeof *search);
    bool done = false;

    if (circles.has && scratch && search)
        done = try_arrangements(table, &circles, scratch, search, found);
    free(circles.has);
    free(scratch);
    free(search);
    return done;
}

bool identify_table(const float *table, uint64_t rows, uint32_t dim, struct identification *found)
{
    const struct table given = {.values = table, .rows = (size_t)rows, .dim = dim};

    memset(found, 0, sizeof *found);
    found->rows = rows;
    found->dim = dim;
    for (size_t r = 0; r < given.rows; r++)
        if (is_zero_row(&given, r)) {
            found->zero_rows++;
            add_to_ranges(found->zero_ranges, &found->zero_range_count, r);
        }
    if (dim < IDENTIFY_DIM_MIN || rows - found->zero_rows < IDENTIFY_ROWS_MIN) {
        found->outcome = IDENTIFY_TOO_SMALL;
        say(found, "too small to tell: it takes %u channels and %u rows that are not zeros",
            IDENTIFY_DIM_MIN, IDENTIFY_ROWS_MIN);
        return true;
    }
    found->outcome = IDENTIFY_OTHER;
    return examine(&given, found);
}
