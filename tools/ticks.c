/* Where an axis has its marks, and what stands beside them. */
#include "ticks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* From here on a tick label is not written out. */
#define LABEL_WHOLE_MAX 1e13

static const char minus[] = "\u2212";

/* Copy digits, with a comma before every third that is left of the point. */
static void group_thousands(const char *digits, char *out)
{
    const size_t whole = strcspn(digits, ".");

    for (size_t i = 0; digits[i]; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
}

/* A text of digits that says 0 is no negative number. */
static bool is_zero_text(const char *digits)
{
    return strspn(digits, "0.") == strlen(digits);
}

void show_fixed(double value, int decimals, char text[TICK_LABEL_SIZE])
{
    char digits[TICK_LABEL_SIZE];
    char grouped[TICK_LABEL_SIZE];

    if (!(fabs(value) < LABEL_WHOLE_MAX)) {
        snprintf(text, TICK_LABEL_SIZE, "%.3g", value);
        return;
    }
    snprintf(digits, sizeof digits, "%.*f", decimals < 9 ? decimals : 9, fabs(value));
    group_thousands(digits, grouped);
    snprintf(text, TICK_LABEL_SIZE, "%s%.30s", value < 0.0 && !is_zero_text(digits) ? minus : "",
             grouped);
}

/* 10^power, with raised digits. */
static void show_power(int power, char text[TICK_LABEL_SIZE])
{
    static const char *const raised[] = {"\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074",
                                         "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
    char digits[16];
    size_t used;

    snprintf(digits, sizeof digits, "%d", power < 0 ? -power : power);
    used = (size_t)snprintf(text, TICK_LABEL_SIZE, "10%s", power < 0 ? "\u207b" : "");
    for (const char *digit = digits; *digit; digit++)
        used += (size_t)snprintf(text + used, TICK_LABEL_SIZE - used, "%s", raised[*digit - '0']);
}

void show_short(double value, char text[TICK_LABEL_SIZE])
{
    const double size = fabs(value);
    char power[TICK_LABEL_SIZE];
    int exponent;

    if (!isfinite(value) || size == 0.0) {
        snprintf(text, TICK_LABEL_SIZE, "%s",
                 size == 0.0 ? "0" : (isnan(value) ? "not a number" : "infinite"));
    } else if (size >= 0.01 && size < 1e7) {
        exponent = (int)floor(log10(size));
        show_fixed(exponent > 2 ? rint(value / pow(10.0, exponent - 2)) * pow(10.0, exponent - 2)
                                : value,
                   exponent >= 2 ? 0 : 2 - (exponent < 0 ? 0 : exponent), text);
    } else {
        exponent = (int)floor(log10(size));
        show_power(exponent, power);
        snprintf(text, TICK_LABEL_SIZE, "%s%.1f\u00b7%.20s", value < 0.0 ? minus : "",
                 size / pow(10.0, exponent), power);
    }
}

static void add_tick(struct ticks *ticks, double at)
{
    if (ticks->count < TICKS_MAX)
        ticks->at[ticks->count++] = at;
}

/* The smallest of 1, 2, 5, 10 times a power of ten that is not below `least`. */
static double nice_step(double least)
{
    const double power = pow(10.0, floor(log10(least)));

    for (int i = 0; i < 3; i++) {
        const double step = (i == 0 ? 1.0 : i == 1 ? 2.0 : 5.0) * power;

        if (step >= least * (1.0 - 1e-9))
            return step;
    }
    return 10.0 * power;
}

static void keep_one(double at, struct ticks *ticks)
{
    ticks->count = 0;
    add_tick(ticks, at);
    show_short(at, ticks->label[0]);
}

/* A multiple of a step, with as many digits as the step needs: beyond what is read at a glance with
 * a power of ten, the same for all labels of the axis. */
static void label_multiple(double value, double step, double largest, char text[TICK_LABEL_SIZE])
{
    const bool is_plain = step >= 0.9e-3 && largest < 1e7;
    const int power = is_plain ? 0 : (int)floor(log10(largest) + 1e-9);
    const double digits = ceil((double)power - log10(step) - 1e-9);
    char mantissa[TICK_LABEL_SIZE];
    char raised[TICK_LABEL_SIZE];

    show_fixed(value / pow(10.0, power), digits > 0.0 ? (int)fmin(digits, 9.0) : 0, mantissa);
    show_power(power, raised);
    if (power == 0 || value == 0.0)
        snprintf(text, TICK_LABEL_SIZE, "%s", power == 0 ? mantissa : "0");
    else
        snprintf(text, TICK_LABEL_SIZE, "%.18s\u00b7%.18s", mantissa, raised);
}

/* The multiples first ... last of a step, as many as there is room for. */
static void add_multiples(double first, double last, double step, struct ticks *ticks)
{
    const double count = fmin(last - first + 1.0, TICKS_MAX);

    for (int i = 0; i < count; i++)
        add_tick(ticks, (first + i) * step);
}

void ticks_linear(double least, double most, size_t about, bool whole, struct ticks *ticks)
{
    double step;

    ticks->count = 0;
    if (most - least > 0.0 && about > 0) {
        step = nice_step((most - least) / (double)about);
        step = whole && step < 1.0 ? 1.0 : step;
        add_multiples(ceil(least / step - 1e-9), floor(most / step + 1e-9), step, ticks);
        for (size_t i = 0; i < ticks->count; i++)
            if (whole)
                show_fixed(ticks->at[i], 0, ticks->label[i]);
            else
                label_multiple(ticks->at[i], step, fmax(fabs(least), fabs(most)), ticks->label[i]);
    }
    if (ticks->count == 0) {
        keep_one(whole ? rint(least + 0.25) : least, ticks);
        if (whole)
            show_fixed(ticks->at[0], 0, ticks->label[0]);
    }
}

/* One look for all labels of an axis: written out where the largest and the smallest can be. */
static void label_powers(struct ticks *ticks)
{
    const bool plain = ticks->at[0] > 0.9e-2 && ticks->at[ticks->count - 1] < 1.1e5;

    for (size_t i = 0; i < ticks->count; i++) {
        const double power = floor(log10(ticks->at[i]) + 1e-9);
        const double mantissa = rint(ticks->at[i] / pow(10.0, power));
        char raised[TICK_LABEL_SIZE];

        show_power((int)power, raised);
        if (plain)
            show_fixed(ticks->at[i], power < 0.0 ? (int)-power : 0, ticks->label[i]);
        else if (mantissa > 1.0)
            snprintf(ticks->label[i], TICK_LABEL_SIZE, "%.0f\u00b7%.30s", mantissa, raised);
        else
            snprintf(ticks->label[i], TICK_LABEL_SIZE, "%s", raised);
    }
}

void ticks_log(double least, double most, size_t about, struct ticks *ticks)
{
    const double low = ceil(log10(least) - 1e-9);
    const double high = floor(log10(most) + 1e-9);
    const double decades = high - low;
    const double step = about > 0 && decades > (double)about ? ceil(decades / (double)about) : 1.0;
    const bool is_short = log10(most) - log10(least) < 2.0;
    const double first = is_short ? low - 1.0 : low;

    ticks->count = 0;
    for (int i = 0; first + i * step <= high; i++)
        for (int k = 1; k <= 5; k += k == 1 ? 1 : 3) {
            const double at = k * pow(10.0, first + i * step);

            if ((k == 1 || is_short) && at >= least * (1.0 - 1e-9) && at <= most * (1.0 + 1e-9))
                add_tick(ticks, at);
        }
    if (ticks->count == 0)
        keep_one(least, ticks);
    else
        label_powers(ticks);
}
