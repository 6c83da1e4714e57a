/* From a base and an exponent to phase steps, as a geometric progression: each frequency is the one
 * before it, times one ratio. A ratio is off by less than 2^-203, so frequency i by less than i *
 * 2^-202 of itself: 2^-59 of a step's last digit where turns reach 2^64, 2^-119 below one turn. An
 * exact tie, where rounding would have to choose, does not exist: a frequency is algebraic, so its
 * product with 1 / (2 pi) is irrational, or it is 0. */
#include "frequency.h"

#include "fixed_point.h"

#include <stdbool.h>
#include <string.h>

/* mantissa * 2^exponent, 1 <= mantissa < 2 */
struct floating {
    struct posemb__fixed mantissa;
    int32_t exponent;
};

/* Of a positive normal double. */
static struct floating floating_of(double value)
{
    struct floating made = {{{0}}, 0};
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    made.exponent = (int32_t)(bits >> 52) - 1023;
    made.mantissa.limb[7] = 1;
    made.mantissa.limb[6] = (uint32_t)(bits >> 20);
    made.mantissa.limb[5] = (uint32_t)(bits << 12);
    return made;
}

/* Bring a mantissa below 2 that is not 0 to 1 or above. */
static void normalize(struct floating *value)
{
    while (value->mantissa.limb[7] == 0) {
        value->mantissa = posemb__fixed_scale(&value->mantissa, 1);
        value->exponent--;
    }
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

/* factor / 2pi */
static struct floating turns_of(const struct posemb__position_factor *factor)
{
    const struct floating over_2pi = {posemb__fixed_scale(&posemb__one_over_2pi, 3),
                                      -3}; /* 1.27 / 8 */
    const struct floating scale = floating_of(factor->scale);
    const struct floating numerator = floating_of((double)factor->numerator);
    const struct floating both = product_of(&scale, &numerator);
    struct floating turns = product_of(&over_2pi, &both);

    turns.mantissa = posemb__fixed_over(turns.mantissa, factor->denominator);
    normalize(&turns);
    return turns;
}

/* twice_denominator / 2 - shift */
static struct posemb__fixed denominator_of(const struct posemb__progression *progression)
{
    struct posemb__fixed denominator = {{0}};
    struct posemb__fixed shift;
    const bool negative = progression->shift < 0.0;

    denominator.limb[7] = progression->twice_denominator >> 1;
    denominator.limb[6] = progression->twice_denominator << 31;
    if (progression->shift == 0.0)
        return denominator;

    const struct floating magnitude =
        floating_of(negative ? -progression->shift : progression->shift);

    shift = posemb__fixed_scale(&magnitude.mantissa, magnitude.exponent);
    return posemb__fixed_add(denominator, negative ? shift : posemb__fixed_negate(shift));
}

/* base^(-1 / denominator) */
static struct floating ratio_of(const struct posemb__progression *progression)
{
    const struct posemb__fixed denominator = denominator_of(progression);
    struct posemb__fixed log = posemb__fixed_log2(progression->base);
    const bool below_one = (int32_t)log.limb[7] < 0;
    struct floating ratio;

    if (below_one)
        log = posemb__fixed_negate(log);
    log = posemb__fixed_divide(&log, &denominator);
    if (!below_one)
        log = posemb__fixed_negate(log);
    ratio.exponent = (int32_t)log.limb[7];
    log.limb[7] = 0;
    ratio.mantissa = posemb__fixed_exp2(&log);
    return ratio;
}

static void store_step(const struct floating *turns, struct posemb__steps steps, size_t i)
{
    const struct posemb__fixed fixed = posemb__fixed_scale(&turns->mantissa, turns->exponent);
    const uint64_t step = (uint64_t)fixed.limb[6] << 32 | fixed.limb[5];
    const uint64_t up = fixed.limb[4] >> 31;

    steps.step[i] = step + up;
    if (steps.whole)
        steps.whole[i] = fixed.limb[7] + (uint32_t)(step + up < step);
}

void posemb__phase_steps(const struct posemb__progression *progression,
                         const struct posemb__position_factor *factor, size_t count,
                         struct posemb__steps steps)
{
    const struct floating frequency = floating_of(progression->frequency);
    const struct floating one_turn = turns_of(factor);
    struct floating turns = product_of(&frequency, &one_turn);
    struct floating ratio = {{{0}}, 0};

    if (count > 1)
        ratio = ratio_of(progression);
    for (size_t i = 0; i < count; i++) {
        store_step(&turns, steps, i);
        if (i + 1 < count)
            turns = product_of(&turns, &ratio);
    }
}

void posemb__phase_steps_given(const double *frequencies,
                               const struct posemb__position_factor *factor, size_t count,
                               struct posemb__steps steps)
{
    /* Below it even 2^64 positions make no digit of a step. */
    static const double smallest = 0x1p-300;
    const struct floating one_turn = turns_of(factor);

    for (size_t i = 0; i < count; i++) {
        if (frequencies[i] < smallest) {
            steps.step[i] = 0;
            if (steps.whole)
                steps.whole[i] = 0;
            continue;
        }

        const struct floating frequency = floating_of(frequencies[i]);
        const struct floating turns = product_of(&frequency, &one_turn);

        store_step(&turns, steps, i);
    }
}

uint64_t posemb__phase_of(double radians)
{
    const struct posemb__position_factor one = {1.0, 1, 1};
    const double magnitude = radians < 0.0 ? -radians : radians;
    uint64_t phase;

    posemb__phase_steps_given(&magnitude, &one, 1, (struct posemb__steps){&phase, NULL});
    return radians < 0.0 ? 0 - phase : phase;
}
