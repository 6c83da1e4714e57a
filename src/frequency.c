/* From a base and an exponent to phase steps, as a geometric progression: each frequency is the one
 * before it, times one ratio. A ratio is off by less than 2^-204, so frequency i by less than i *
 * 2^-203 of itself: 2^-60 of a step's last digit where turns reach 2^64, 2^-120 below one turn. An
 * exact tie, where rounding would have to choose, does not exist: base^(-i * numerator /
 * denominator) is algebraic, so its product with 1 / (2 pi) is irrational. */
#include "frequency.h"

#include "fixed_point.h"

#include <stdbool.h>

/* mantissa * 2^exponent, 1 <= mantissa < 2 */
struct floating {
    struct posemb__fixed mantissa;
    int32_t exponent;
};

/* base^(-numerator / denominator) */
static struct floating ratio_of(double base, uint32_t numerator, uint32_t denominator)
{
    struct posemb__fixed log = posemb__fixed_log2(base);
    const bool below_one = (int32_t)log.limb[7] < 0;
    struct floating ratio;

    if (below_one)
        log = posemb__fixed_negate(log);
    log = posemb__fixed_over(posemb__fixed_times(log, numerator), denominator);
    if (!below_one)
        log = posemb__fixed_negate(log);
    ratio.exponent = (int32_t)log.limb[7];
    log.limb[7] = 0;
    ratio.mantissa = posemb__fixed_exp2(&log);
    return ratio;
}

static struct floating product_of(const struct floating *a, const struct floating *b)
{
    struct floating product = {posemb__fixed_multiply(&a->mantissa, &b->mantissa),
                               a->exponent + b->exponent};

    if (product.mantissa.limb[7] >= 2) {
        product.mantissa = posemb__fixed_scale(&product.mantissa, -1);
        product.exponent++;
    }
    return product;
}

/* round(frac(turns) * 2^64) */
static uint64_t step_of(const struct floating *turns)
{
    const struct posemb__fixed fixed = posemb__fixed_scale(&turns->mantissa, turns->exponent);

    return ((uint64_t)fixed.limb[6] << 32 | fixed.limb[5]) + (fixed.limb[4] >> 31);
}

void posemb__phase_steps(double base, uint32_t numerator, uint32_t denominator, size_t count,
                         uint64_t *steps)
{
    /* 1 / 2pi is 1.27 / 8. */
    struct floating turns = {posemb__fixed_scale(&posemb__one_over_2pi, 3), -3};
    const struct floating ratio = ratio_of(base, numerator, denominator);

    for (size_t i = 0; i < count; i++) {
        steps[i] = step_of(&turns);
        turns = product_of(&turns, &ratio);
    }
}
