/* Where an axis has its marks, and what stands beside them. */
#ifndef POSEMB_TICKS_H
#define POSEMB_TICKS_H

#include <stdbool.h>
#include <stddef.h>

#define TICKS_MAX       24u
#define TICK_LABEL_SIZE 40u

/* Labels are UTF-8. */
struct ticks {
    size_t count;
    double at[TICKS_MAX];
    char label[TICKS_MAX][TICK_LABEL_SIZE];
};

/* Multiples of 1, 2 or 5 times a power of ten within least ... most, some `about` of them; `whole`:
 * whole numbers alone. Where there is no span, or no such number in it, the one tick is `least`. */
void ticks_linear(double least, double most, size_t about, bool whole, struct ticks *ticks);

/* Powers of ten within least ... most, which are above 0, with 2 and 5 times them between where the
 * axis is short; likewise. */
void ticks_log(double least, double most, size_t about, struct ticks *ticks);

/* A number with `decimals` digits after the point, commas between thousands and a minus sign. */
void show_fixed(double value, int decimals, char text[TICK_LABEL_SIZE]);

/* A number with three digits or so, for people: 6.28, 54,000, 2.3e-7 as "2.3 x 10^-7" in UTF-8. */
void show_short(double value, char text[TICK_LABEL_SIZE]);

#endif
