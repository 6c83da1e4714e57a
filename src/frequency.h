/* The frequencies of the channel pairs, as turns per position. */
#ifndef POSEMB_FREQUENCY_H
#define POSEMB_FREQUENCY_H

#include <stddef.h>
#include <stdint.h>

/* Turns per position, in 2^-64 turns: whole[i] * 2^64 + step[i]. */
struct posemb__steps {
    uint64_t *step;
    uint32_t *whole; /* NULL, or modulo 2^32 */
};

/* A factor of every position: scale * numerator / denominator. */
struct posemb__position_factor {
    double scale;         /* 2^-64 ... 2^64 */
    uint32_t numerator;   /* >= 1 */
    uint32_t denominator; /* >= 1 */
};

/* w_i = frequency * base^(-i / (twice_denominator / 2 - shift)) */
struct posemb__progression {
    double base;      /* 2^-32 ... 2^32 */
    double frequency; /* 2^-64 ... 2^64 */
    uint32_t twice_denominator;
    double shift; /* the denominator is 1/64 ... 2^31, or there is one pair alone */
};

/* round(w_i * factor / 2pi * 2^64), i = 0 ... count - 1. No w_i * factor reaches 2^64 turns. */
void posemb__phase_steps(const struct posemb__progression *progression,
                         const struct posemb__position_factor *factor, size_t count,
                         struct posemb__steps steps);

/* The same for frequencies that are given, 0 ... 2^64. */
void posemb__phase_steps_given(const double *frequencies,
                               const struct posemb__position_factor *factor, size_t count,
                               struct posemb__steps steps);

/* round(radians / 2pi * 2^64) modulo 2^64, of a magnitude below 2^32 */
uint64_t posemb__phase_of(double radians);

#endif
