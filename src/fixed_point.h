/* 256-bit fixed-point numbers, 32 bits before the point and 224 behind it. Integer arithmetic
 * alone, so every host computes the same bits. */
#ifndef POSEMB_FIXED_POINT_H
#define POSEMB_FIXED_POINT_H

#include <stdint.h>

#define POSEMB__LIMBS 8

/* The sum of limb[k] * 2^(32 * (k - 7)), modulo 2^32; limb[7] is the whole part. A negative number
 * is in two's complement: its whole part, rounded down, is (int32_t)limb[7]. */
struct posemb__fixed {
    uint32_t limb[POSEMB__LIMBS];
};

/* ln 2 and 1 / (2 pi), rounded down. */
extern const struct posemb__fixed posemb__ln_2;
extern const struct posemb__fixed posemb__one_over_2pi;

/* -a */
struct posemb__fixed posemb__fixed_negate(struct posemb__fixed a);

/* a + b, modulo 2^32 */
struct posemb__fixed posemb__fixed_add(struct posemb__fixed a, struct posemb__fixed b);

/* In all that follows a and b are not negative, and results are rounded down. */

/* a * b and a / b with a whole number b */
struct posemb__fixed posemb__fixed_times(struct posemb__fixed a, uint32_t b);
struct posemb__fixed posemb__fixed_over(struct posemb__fixed a, uint32_t b);

/* a * b */
struct posemb__fixed posemb__fixed_multiply(const struct posemb__fixed *a,
                                            const struct posemb__fixed *b);

/* a / b, below 2^32; b is not 0 and below 2^31. */
struct posemb__fixed posemb__fixed_divide(const struct posemb__fixed *a,
                                          const struct posemb__fixed *b);

/* a * 2^exponent */
struct posemb__fixed posemb__fixed_scale(const struct posemb__fixed *a, int32_t exponent);

/* log2(value) of a positive normal double, negative where value < 1; off by less than 2^-222. */
struct posemb__fixed posemb__fixed_log2(double value);

/* 2^a, where a < 1; off by less than 2^-204. */
struct posemb__fixed posemb__fixed_exp2(const struct posemb__fixed *a);

#endif
