/* The largest errors that tests allow; posemb.h promises the first. All are absolute. */
#ifndef POSEMB_TESTS_LIMITS_H
#define POSEMB_TESTS_LIMITS_H

/* Of a sine or cosine at any position from -2^31 to 2^32 - 1. */
#define POSEMB_LIMIT_VALUE_ERROR 8e-8

/* The part of it that comes from the phase, 2 pi * 1.5 * 2^-32: the rounding of a step, 2^-65
 * turns, times a position below 2^32, and the digits behind the 32nd that a phase drops. */
#define POSEMB_LIMIT_PHASE_ERROR 2.2e-9

/* Of the sine and cosine of an exact phase. With the phase's part it stays below the first. */
#define POSEMB_LIMIT_SINCOS_ERROR 7.4e-8

#endif
