/* The part of the reference that tests look into. */
#ifndef POSEMB_REFERENCE_H
#define POSEMB_REFERENCE_H

#include <stdint.h>

/* Sine and cosine of `phase` / 2^32 turns, as posemb.h defines them. */
void posemb__sincos(uint32_t phase, float *sine, float *cosine);

/* The canonical phase of a position: bits 32..63 of position * step, modulo 2^64. */
uint32_t posemb__phase(int64_t position, uint64_t step);

#endif
