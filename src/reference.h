/* The parts of the reference that tests look into. */
#ifndef POSEMB_REFERENCE_H
#define POSEMB_REFERENCE_H

#include <stdint.h>

/* Sine and cosine of `phase` / 2^32 turns, as posemb.h defines them. */
void posemb__sincos(uint32_t phase, float *sine, float *cosine);

/* The same times an amplitude, rounded once. */
void posemb__sincos_scaled(uint32_t phase, float amplitude, float *sine, float *cosine);

/* The canonical phase of a position: bits 32..63 of position * step + offset, modulo 2^64. */
uint32_t posemb__phase(int64_t position, uint64_t step, uint64_t offset);

/* That of a float in -2^31 ... 2^32, where one position is `whole` turns and `step` * 2^-64. */
uint32_t posemb__phase_float(float position, uint64_t step, uint32_t whole, uint64_t offset);

#endif
