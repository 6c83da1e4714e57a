/* The frequencies of the channel pairs, as turns per position. */
#ifndef POSEMB_FREQUENCY_H
#define POSEMB_FREQUENCY_H

#include <stddef.h>
#include <stdint.h>

/* step[i] = round(frac(base^(-i * numerator / denominator) / 2pi) * 2^64), i = 0 ... count - 1
 *
 * base: 2^-32 ... 2^32. Exponents from 0 to -2; i * numerator < 2^27; denominator >= 1. */
void posemb__phase_steps(double base, uint32_t numerator, uint32_t denominator, size_t count,
                         uint64_t *steps);

#endif
