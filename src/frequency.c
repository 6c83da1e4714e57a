/* From a base and an exponent to a phase step. Errors stay below 2^-70 of a step's last digit; an
 * exact tie, where rounding would have to choose, does not exist: base^(-i * numerator /
 * denominator) is algebraic, so its product with 1 / (2 pi) is irrational. */
#include "frequency.h"

#include "fixed_point.h"

#include <stdbool.h>

/* round(frac(2^exponent / 2pi) * 2^64) */
static uint64_t phase_step(struct posemb__fixed exponent)
{
    const int32_t whole = (int32_t)exponent.limb[7];
    struct posemb__fixed power;
    struct posemb__fixed turns;

    exponent.limb[7] = 0;
    power = posemb__fixed_exp2(&exponent);
    turns = posemb__fixed_multiply(&power, &posemb__one_over_2pi);
    turns = posemb__fixed_scale(&turns, whole);
    return ((uint64_t)turns.limb[6] << 32 | turns.limb[5]) + (turns.limb[4] >> 31);
}

void posemb__phase_steps(double base, uint32_t numerator, uint32_t denominator, size_t count,
                         uint64_t *steps)
{
    const struct posemb__fixed log = posemb__fixed_log2(base);
    const bool below_one = (int32_t)log.limb[7] < 0;
    const struct posemb__fixed magnitude = below_one ? posemb__fixed_negate(log) : log;

    for (size_t i = 0; i < count; i++) {
        const struct posemb__fixed product =
            posemb__fixed_times(magnitude, (uint32_t)i * numerator);
        const struct posemb__fixed exponent = posemb__fixed_over(product, denominator);

        steps[i] = phase_step(below_one ? exponent : posemb__fixed_negate(exponent));
    }
}
