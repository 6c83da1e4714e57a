/* The sinusoid nearest to each channel of a stored table, whatever made it. */
#include "nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.141592653589793

enum { PEAKS = 3, SLOW = 3, LINES_MAX = 64, SIZE_MIN = 64, REFINEMENTS = 12 };

/* One channel, and room for its spectrum. */
struct channel {
    size_t rows;
    double *values;  /* [rows], less their mean; 0 where there is no number */
    double *present; /* [rows]: 1, or 0 where there is no number */
    double count;    /* of those that are present */
    double mean;
    double square; /* sum of squares of `values` */
    size_t size;   /* of the transform: a power of two, twice the rows or more */
    double *real;
    double *imaginary;
    double *turns; /* [size]: cosine and sine of -2 pi k / size, k < size / 2, in turn */
};

/* ---- The spectrum */

static void swap(double *a, double *b)
{
    const double kept = *a;

    *a = *b;
    *b = kept;
}

/* Put element i where the mirrored bits of i say. */
static void mirror(struct channel *c)
{
    size_t mirrored = 0;

    for (size_t i = 0; i + 1 < c->size; i++) {
        size_t bit = c->size / 2;

        if (i < mirrored) {
            swap(&c->real[i], &c->real[mirrored]);
            swap(&c->imaginary[i], &c->imaginary[mirrored]);
        }
        for (; mirrored & bit; bit /= 2)
            mirrored -= bit;
        mirrored += bit;
    }
}

static void combine(struct channel *c, size_t a, size_t b, size_t turn)
{
    const double cosine = c->turns[2 * turn];
    const double sine = c->turns[2 * turn + 1];
    const double real = c->real[b] * cosine - c->imaginary[b] * sine;
    const double imaginary = c->real[b] * sine + c->imaginary[b] * cosine;

    c->real[b] = c->real[a] - real;
    c->imaginary[b] = c->imaginary[a] - imaginary;
    c->real[a] += real;
    c->imaginary[a] += imaginary;
}

/* The fast Fourier transform of the values and zeros. */
static void transform(struct channel *c)
{
    memset(c->real, 0, c->size * sizeof *c->real);
    memset(c->imaginary, 0, c->size * sizeof *c->imaginary);
    memcpy(c->real, c->values, c->rows * sizeof *c->values);
    mirror(c);
    for (size_t half = 1; half < c->size; half *= 2)
        for (size_t start = 0; start < c->size; start += 2 * half)
            for (size_t k = 0; k < half; k++)
                combine(c, start + k, start + k + half, k * (c->size / 2 / half));
}

static double power_at(const struct channel *c, size_t line)
{
    return c->real[line] * c->real[line] + c->imaginary[line] * c->imaginary[line];
}

/* Put a line among the strongest, the strongest first. */
static void keep_line(const struct channel *c, size_t line, size_t *strongest, size_t *count)
{
    size_t place = *count < PEAKS ? (*count)++ : PEAKS;

    for (; place > 0 && power_at(c, line) > power_at(c, strongest[place - 1]); place--)
        if (place < PEAKS)
            strongest[place] = strongest[place - 1];
    if (place < PEAKS)
        strongest[place] = line;
}

/* The lines of the spectrum that are worth a closer look: the slowest, which least squares see
 * otherwise, and the highest peaks; of a short table all. Half a turn over the rows is the least.
 */
static size_t choose_lines(const struct channel *c, size_t lines[LINES_MAX])
{
    const size_t least = (c->size + 2 * c->rows - 1) / (2 * c->rows);
    const size_t last = c->size / 2;
    size_t strongest[PEAKS];
    size_t peaks = 0;
    size_t count = 0;

    for (size_t k = least; k <= last && count < (last < LINES_MAX ? LINES_MAX : SLOW); k++)
        lines[count++] = k;
    for (size_t k = least + 1; last >= LINES_MAX && k <= last; k++)
        if (power_at(c, k) >= power_at(c, k - 1) &&
            (k == last || power_at(c, k) > power_at(c, k + 1)))
            keep_line(c, k, strongest, &peaks);
    for (size_t i = 0; i < peaks; i++)
        lines[count++] = strongest[i];
    return count;
}

/* ---- Least squares at one frequency */

/* Sums over the rows of 1, cos, sin, their products, and theirs with the values. */
struct sums {
    double c, s, cc, cs, ss, yc, ys;
};

static void take_sums(const struct channel *channel, double frequency, struct sums *sums)
{
    const double turn_c = cos(frequency);
    const double turn_s = sin(frequency);
    double c = 1.0;
    double s = 0.0;

    memset(sums, 0, sizeof *sums);
    for (size_t r = 0; r < channel->rows; r++) {
        const double next = c * turn_c - s * turn_s;
        const double w = channel->present[r];

        sums->c += w * c;
        sums->s += w * s;
        sums->cc += w * c * c;
        sums->cs += w * c * s;
        sums->ss += w * s * s;
        sums->yc += channel->values[r] * c;
        sums->ys += channel->values[r] * s;
        s = s * turn_c + c * turn_s;
        c = next;
    }
}

/* The best mean, cosine and sine; returns the sum of squares that they take away. The values have
 * the mean 0, so that the three equations are two. */
static double fit_at(const struct channel *channel, double frequency, struct nearest *fit)
{
    const double n = channel->count;
    struct sums sums;
    double cc;
    double cs;
    double ss;
    double determinant;

    take_sums(channel, frequency, &sums);
    cc = sums.cc - sums.c * sums.c / n;
    cs = sums.cs - sums.c * sums.s / n;
    ss = sums.ss - sums.s * sums.s / n;
    determinant = cc * ss - cs * cs;
    fit->frequency = frequency;
    if (determinant > 1e-9 * (cc + ss) * (cc + ss)) {
        fit->cosine = (sums.yc * ss - sums.ys * cs) / determinant;
        fit->sine = (sums.ys * cc - sums.yc * cs) / determinant;
    } else { /* at half a turn per row, or with few rows, one of the two says it all */
        fit->cosine = cc > ss ? sums.yc / cc : 0.0;
        fit->sine = cc > ss || !(ss > 0.0) ? 0.0 : sums.ys / ss;
    }
    fit->mean = channel->mean - (fit->cosine * sums.c + fit->sine * sums.s) / n;
    return fit->cosine * sums.yc + fit->sine * sums.ys;
}

/* Golden section search for the best frequency within low ... high. */
static void refine(const struct channel *channel, double low, double high, struct nearest *best)
{
    const double golden = 0.6180339887498949;
    struct nearest left;
    struct nearest right;
    double at_left = fit_at(channel, high - golden * (high - low), &left);
    double at_right = fit_at(channel, low + golden * (high - low), &right);

    for (int step = 0; step < REFINEMENTS; step++) {
        if (at_left > at_right) {
            high = right.frequency;
            right = left;
            at_right = at_left;
            at_left = fit_at(channel, high - golden * (high - low), &left);
        } else {
            low = left.frequency;
            left = right;
            at_left = at_right;
            at_right = fit_at(channel, low + golden * (high - low), &right);
        }
    }
    *best = at_left > at_right ? left : right;
}

static void fit_channel(struct channel *channel, struct nearest *fit)
{
    const double spacing = 2.0 * PI / (double)channel->size;
    size_t lines[LINES_MAX];
    double frequency = PI;
    double most = -1.0;
    double explained;
    size_t count;

    transform(channel);
    count = choose_lines(channel, lines);
    for (size_t i = 0; i < count; i++) {
        explained = fit_at(channel, spacing * (double)lines[i], fit);
        if (explained > most) {
            most = explained;
            frequency = fit->frequency;
        }
    }
    refine(channel, fmax(frequency - spacing, PI / (double)channel->rows),
           fmin(frequency + spacing, PI), fit);
    explained = fit_at(channel, fit->frequency, fit);
    fit->share = fmin(fmax(explained / channel->square, 0.0), 1.0);
}

/* ---- Channels of a table */

/* False: its numbers are all the same, or too few. */
static bool load_channel(const float *table, uint32_t dim, uint32_t index, struct channel *channel)
{
    double sum = 0.0;
    float least = INFINITY;
    float most = -INFINITY;

    channel->count = 0.0;
    for (size_t r = 0; r < channel->rows; r++) {
        const float value = table[r * dim + index];

        channel->present[r] = isfinite(value) ? 1.0 : 0.0;
        channel->count += channel->present[r];
        if (!isfinite(value))
            continue;
        sum += (double)value;
        least = fminf(least, value);
        most = fmaxf(most, value);
    }
    channel->mean = sum / channel->count;
    channel->square = 0.0;
    for (size_t r = 0; r < channel->rows; r++) {
        channel->values[r] =
            channel->present[r] > 0.0 ? (double)table[r * dim + index] - channel->mean : 0.0;
        channel->square += channel->values[r] * channel->values[r];
    }
    return channel->count >= 4.0 && least < most && channel->square > 0.0;
}

static bool channel_begin(uint64_t rows, struct channel *channel)
{
    memset(channel, 0, sizeof *channel);
    channel->rows = (size_t)rows;
    for (channel->size = SIZE_MIN; channel->size < 2 * channel->rows;)
        channel->size *= 2;
    channel->values = calloc(2 * channel->rows + 3 * channel->size, sizeof *channel->values);
    if (!channel->values)
        return false;
    channel->present = channel->values + channel->rows;
    channel->real = channel->present + channel->rows;
    channel->imaginary = channel->real + channel->size;
    channel->turns = channel->imaginary + channel->size;
    for (size_t k = 0; k < channel->size / 2; k++) {
        const double angle = -2.0 * PI * (double)k / (double)channel->size;

        channel->turns[2 * k] = cos(angle);
        channel->turns[2 * k + 1] = sin(angle);
    }
    return true;
}

bool nearest_sinusoids(const float *table, uint64_t rows, uint32_t dim, struct nearest *nearest)
{
    struct channel channel;

    if (!channel_begin(rows, &channel))
        return false;
    for (uint32_t c = 0; c < dim; c++) {
        memset(&nearest[c], 0, sizeof nearest[c]);
        if (load_channel(table, dim, c, &channel)) {
            fit_channel(&channel, &nearest[c]);
        } else {
            nearest[c].mean = channel.mean;
            nearest[c].share = NAN;
        }
    }
    free(channel.values);
    return true;
}

double nearest_value(const struct nearest *nearest, uint64_t row)
{
    const double angle = nearest->frequency * (double)row;

    return nearest->mean + nearest->cosine * cos(angle) + nearest->sine * sin(angle);
}

double nearest_share(const float *table, uint64_t rows, uint32_t dim, const struct nearest *nearest)
{
    double whole = 0.0;
    double explained = 0.0;

    for (uint32_t c = 0; c < dim; c++) {
        double sum = 0.0;
        double square = 0.0;
        double count = 0.0;

        if (isnan(nearest[c].share))
            continue;
        for (uint64_t r = 0; r < rows; r++)
            if (isfinite(table[r * dim + c])) {
                sum += (double)table[r * dim + c];
                count += 1.0;
            }
        for (uint64_t r = 0; r < rows; r++) {
            const double value = (double)table[r * dim + c] - sum / count;

            square += isfinite(value) ? value * value : 0.0;
        }
        whole += square;
        explained += nearest[c].share * square;
    }
    return whole > 0.0 ? explained / whole : NAN;
}
