/* Position values of the reference against the exact ones, from the convention's formulas and not
 * from rounded steps. `test_accuracy --whole` measures all positions from 0 to 131071 instead. */
#include "support/limits.h"

#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mpfr.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE             10000
#define PRECISION        256
#define CHUNK            1024
#define WHOLE_POSITIONS  131072
#define RANDOM_POSITIONS 3000

/* How far near_value() may be from MPFR: its phase is off by less than 2^-62 turns, its angle by
 * roundings of pi * 2^-52, its sine or cosine by an ulp or two of the mathematical library. */
#define NEAR_LIMIT 1e-14

/* One convention at one D, with the exact w_i / 2pi of every pair i, also as 96 binary digits
 * behind the point: high * 2^-64 + low * 2^-96. */
struct model {
    posemb_convention convention;
    uint32_t dim;
    uint32_t pairs;
    mpfr_t *turns;
    uint64_t *high;
    uint32_t *low;
};

struct worst {
    double error;
    int64_t position;
    uint32_t channel;
};

static const posemb_convention conventions[] = {POSEMB_VASWANI, POSEMB_T2T, POSEMB_MARIAN_HF};
static const uint32_t dims[] = {512, 1024, 65};

enum kind { SINE, COSINE, ZERO };

/* What a channel holds, and of which pair. */
static enum kind channel_kind(const struct model *model, uint32_t channel, uint32_t *pair)
{
    const uint32_t half = model->dim / 2;
    const uint32_t sines = model->convention == POSEMB_MARIAN_HF ? model->dim - half : half;

    if (model->convention == POSEMB_VASWANI) {
        *pair = channel / 2;
        return channel % 2 ? COSINE : SINE;
    }
    *pair = channel < sines ? channel : channel - sines;
    if (channel < sines)
        return SINE;
    return *pair < half ? COSINE : ZERO;
}

/* turns = BASE^(-i * numerator / denominator) / 2pi */
static void set_turns(mpfr_t turns, uint32_t i, uint32_t numerator, uint32_t denominator)
{
    mpfr_t two_pi;

    mpfr_init2(two_pi, PRECISION);
    mpfr_const_pi(two_pi, MPFR_RNDN);
    mpfr_mul_2ui(two_pi, two_pi, 1, MPFR_RNDN);
    mpfr_set_ui(turns, BASE, MPFR_RNDN);
    mpfr_log(turns, turns, MPFR_RNDN);
    mpfr_mul_ui(turns, turns, (unsigned long)i * numerator, MPFR_RNDN);
    mpfr_div_ui(turns, turns, denominator, MPFR_RNDN);
    mpfr_neg(turns, turns, MPFR_RNDN);
    mpfr_exp(turns, turns, MPFR_RNDN);
    mpfr_div(turns, turns, two_pi, MPFR_RNDN);
    mpfr_clear(two_pi);
}

static void split_turns(mpfr_t turns, uint64_t *high, uint32_t *low)
{
    mpfr_t rest;

    mpfr_init2(rest, PRECISION);
    mpfr_mul_2ui(rest, turns, 64, MPFR_RNDN);
    *high = mpfr_get_uj(rest, MPFR_RNDZ);
    mpfr_frac(rest, rest, MPFR_RNDN);
    mpfr_mul_2ui(rest, rest, 31, MPFR_RNDN);
    *low = (uint32_t)mpfr_get_ui(rest, MPFR_RNDZ);
    mpfr_clear(rest);
}

static struct model make_model(posemb_convention convention, uint32_t dim)
{
    const bool t2t = convention == POSEMB_T2T;
    struct model model = {.convention = convention, .dim = dim, .pairs = (dim + 1) / 2};

    model.turns = calloc(model.pairs, sizeof *model.turns);
    model.high = calloc(model.pairs, sizeof *model.high);
    model.low = calloc(model.pairs, sizeof *model.low);
    if (!model.turns || !model.high || !model.low)
        abort();
    for (uint32_t i = 0; i < model.pairs; i++) {
        mpfr_init2(model.turns[i], PRECISION);
        set_turns(model.turns[i], i, t2t ? 1 : 2, t2t ? dim / 2 - 1 : dim);
        split_turns(model.turns[i], &model.high[i], &model.low[i]);
    }
    return model;
}

static void free_model(struct model *model)
{
    for (uint32_t i = 0; i < model->pairs; i++)
        mpfr_clear(model->turns[i]);
    free(model->turns);
    free(model->high);
    free(model->low);
    mpfr_free_cache();
}

/* The exact value of a channel, from MPFR. */
static double exact_value(const struct model *model, int64_t position, uint32_t channel)
{
    uint32_t pair;
    const enum kind kind = channel_kind(model, channel, &pair);
    double value;
    mpfr_t angle, pi;

    if (kind == ZERO)
        return 0.0;
    mpfr_inits2(PRECISION, angle, pi, (mpfr_ptr)NULL);
    mpfr_const_pi(pi, MPFR_RNDN);
    mpfr_set_sj(angle, position, MPFR_RNDN);
    mpfr_mul(angle, angle, model->turns[pair], MPFR_RNDN);
    mpfr_mul(angle, angle, pi, MPFR_RNDN);
    mpfr_mul_2ui(angle, angle, 1, MPFR_RNDN);
    if (kind == SINE)
        mpfr_sin(angle, angle, MPFR_RNDN);
    else
        mpfr_cos(angle, angle, MPFR_RNDN);
    value = mpfr_get_d(angle, MPFR_RNDN);
    mpfr_clears(angle, pi, (mpfr_ptr)NULL);
    return value;
}

/* The same to within NEAR_LIMIT, and much faster: the phase from integers, then the mathematical
 * library at an angle within pi. */
static double near_value(const struct model *model, int64_t position, uint32_t channel)
{
    uint32_t pair;
    const enum kind kind = channel_kind(model, channel, &pair);
    uint64_t phase;
    double angle;

    if (kind == ZERO)
        return 0.0;
    phase = (uint64_t)position * model->high[pair];
    phase += (uint64_t)((position * (int64_t)model->low[pair]) >> 31);
    angle = (double)(int64_t)phase * (6.283185307179586 * 0x1p-64);
    return kind == SINE ? sin(angle) : cos(angle);
}

/* The reference's rows at up to CHUNK positions. */
static bool run_reference(const struct model *model, const int64_t *positions, size_t count,
                          float *rows)
{
    const posemb_desc desc = {.dim = model->dim,
                              .operation = POSEMB_TABLE,
                              .convention = model->convention,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_INT64,
                              .base = BASE};
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = count}, .positions = positions, .out = rows};

    return posemb_reference_run(&desc, &args, NULL) == POSEMB_OK;
}

/* The largest error over some positions, all channels; an infinite one where a call fails. */
static void find_worst(const struct model *model, const int64_t *positions, size_t count,
                       struct worst *worst)
{
    float *rows = malloc(sizeof *rows * CHUNK * model->dim);

    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t now = count - done < CHUNK ? count - done : CHUNK;

        if (!rows || !run_reference(model, positions + done, now, rows)) {
            worst->error = INFINITY;
            break;
        }
        for (size_t n = 0; n < now * model->dim; n++) {
            const int64_t position = positions[done + n / model->dim];
            const uint32_t channel = (uint32_t)(n % model->dim);
            const double error = fabs(rows[n] - near_value(model, position, channel));

            if (!(error <= worst->error))
                *worst = (struct worst){error, position, channel};
        }
    }
    free(rows);
}

static uint64_t random_u64(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Both ends, powers of two and their neighbours of both signs, and random numbers: every second one
 * from the whole range, the others of random lengths. */
static size_t sample_positions(int64_t *positions)
{
    const int64_t span = POSEMB_POSITION_MAX - POSEMB_POSITION_MIN + 1;
    size_t count = 0;

    positions[count++] = 0;
    for (int64_t power = 1; power <= POSEMB_POSITION_MAX + 1; power *= 2)
        for (int64_t beside = -1; beside <= 1; beside++) {
            if (power + beside <= POSEMB_POSITION_MAX)
                positions[count++] = power + beside;
            if (-power + beside >= POSEMB_POSITION_MIN)
                positions[count++] = -power + beside;
        }
    for (int n = 0; n < RANDOM_POSITIONS; n++) {
        const int64_t any = (int64_t)(random_u64() % (uint64_t)span) + POSEMB_POSITION_MIN;

        positions[count++] = n % 2 ? any : any >> random_u64() % 32;
    }
    return count;
}

static void check_samples(const struct model *model)
{
    static int64_t positions[RANDOM_POSITIONS + 256];
    const size_t count = sample_positions(positions);
    struct worst worst = {0};

    find_worst(model, positions, count, &worst);
    if (!(worst.error <= POSEMB_LIMIT_VALUE_ERROR))
        fail_msg("convention %d, D %u: error %.4g at position %lld, channel %u",
                 (int)model->convention, (unsigned)model->dim, worst.error,
                 (long long)worst.position, (unsigned)worst.channel);
}

/* near_value() itself, in a few channels of every sampled position. */
static void check_oracle(const struct model *model)
{
    static int64_t positions[RANDOM_POSITIONS + 256];
    const size_t count = sample_positions(positions);

    for (size_t n = 0; n < 2 * count; n++) {
        const int64_t position = positions[n / 2];
        const uint32_t channel = (uint32_t)(random_u64() % model->dim);
        const double near = near_value(model, position, channel);

        assert_true(fabs(near - exact_value(model, position, channel)) <= NEAR_LIMIT);
    }
}

static void for_each_model(void (*check)(const struct model *model))
{
    for (size_t c = 0; c < sizeof conventions / sizeof *conventions; c++)
        for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
            struct model model = make_model(conventions[c], dims[d]);

            check(&model);
            free_model(&model);
        }
}

static void test_values_are_within_the_promise(void **state)
{
    (void)state;
    for_each_model(check_samples);
}

static void test_the_oracle_equals_mpfr(void **state)
{
    (void)state;
    for_each_model(check_oracle);
}

static bool whole_is_good = true;

static void measure_whole(const struct model *model)
{
    static int64_t positions[WHOLE_POSITIONS];
    struct worst worst = {0};

    for (int64_t p = 0; p < WHOLE_POSITIONS; p++)
        positions[p] = p;
    find_worst(model, positions, WHOLE_POSITIONS, &worst);
    printf("%s, D %u: max abs error %.4g at position %lld, channel %u\n",
           posemb_convention_at((size_t)model->convention - 1)->name, (unsigned)model->dim,
           worst.error, (long long)worst.position, (unsigned)worst.channel);
    whole_is_good = whole_is_good && worst.error <= POSEMB_LIMIT_VALUE_ERROR;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_oracle_equals_mpfr),
        cmocka_unit_test(test_values_are_within_the_promise),
    };

    if (argc > 1 && strcmp(argv[1], "--whole") == 0) {
        for_each_model(measure_whole);
        return whole_is_good ? 0 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
