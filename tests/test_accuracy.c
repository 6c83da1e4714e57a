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
    double amplitude;
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

/* What peers do, written down once more: halves or interleaved, and the denominator of the
 * exponent. */
struct peer {
    posemb_convention convention;
    bool interleaved;
    bool cosine_first;
    bool real; /* D / 2 with a half, else rounded down */
    uint32_t shift;
    double amplitude_times_d; /* amplitude^2 * D; 0: the amplitude is 1 */
};

static const struct peer peers[] = {
    {POSEMB_VASWANI, true, false, true, 0, 0.0},
    {POSEMB_T2T, false, false, false, 1, 0.0},
    {POSEMB_MARIAN_HF, false, false, true, 0, 0.0},
    {POSEMB_MARIAN_CPP, false, false, true, 1, 0.0},
    {POSEMB_DIT, false, true, false, 0, 0.0},
    {POSEMB_DDPM, false, false, false, 1, 0.0},
    {POSEMB_XTRANSFORMERS, false, false, false, 0, 1.0},
    {POSEMB_MLX, false, false, false, 1, 2.0},
    {POSEMB_DETR, true, false, true, 0, 0.0},
};
static const uint32_t dims[] = {512, 1024, 65};

static const struct peer *peer_of(posemb_convention convention)
{
    const struct peer *peer = peers;

    while (peer->convention != convention)
        peer++;
    return peer;
}

/* Whether the convention has rows of that D. */
static bool has_dim(const struct peer *peer, uint32_t dim)
{
    return dim % 2 == 0 || (peer->convention != POSEMB_XTRANSFORMERS &&
                            peer->convention != POSEMB_MLX && peer->convention != POSEMB_DETR);
}

enum kind { SINE, COSINE, ZERO };

/* What a channel holds, and of which pair. */
static enum kind channel_kind(const struct model *model, uint32_t channel, uint32_t *pair)
{
    const struct peer *peer = peer_of(model->convention);
    const enum kind first = peer->cosine_first ? COSINE : SINE;
    const enum kind second = peer->cosine_first ? SINE : COSINE;
    const uint32_t half = model->dim / 2;
    const uint32_t firsts = model->convention == POSEMB_MARIAN_HF ? model->dim - half : half;

    if (peer->interleaved) {
        *pair = channel / 2;
        return channel % 2 ? second : first;
    }
    *pair = channel < firsts ? channel : channel - firsts;
    if (channel < firsts)
        return first;
    if (*pair < half)
        return second;
    *pair = 0;
    return model->convention == POSEMB_MARIAN_CPP ? COSINE : ZERO;
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
    const struct peer *peer = peer_of(convention);
    /* base^(-2i / twice) */
    const uint32_t twice = (peer->real ? dim : dim / 2 * 2) - 2 * peer->shift;
    struct model model = {
        .convention = convention, .dim = dim, .amplitude = 1.0, .pairs = (dim + 1) / 2};

    if (peer->amplitude_times_d > 0.0)
        model.amplitude = (double)(float)sqrt(peer->amplitude_times_d / dim);
    model.turns = calloc(model.pairs, sizeof *model.turns);
    model.high = calloc(model.pairs, sizeof *model.high);
    model.low = calloc(model.pairs, sizeof *model.low);
    if (!model.turns || !model.high || !model.low)
        abort();
    for (uint32_t i = 0; i < model.pairs; i++) {
        mpfr_init2(model.turns[i], PRECISION);
        set_turns(model.turns[i], i, 2, twice);
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
            const double exact = model->amplitude * near_value(model, position, channel);
            const double error = fabs(rows[n] - exact) / model->amplitude;

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
    for (size_t c = 0; c < sizeof peers / sizeof *peers; c++)
        for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
            struct model model;

            if (!has_dim(&peers[c], dims[d]))
                continue;
            model = make_model(peers[c].convention, dims[d]);
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

/* ---- Float positions: the exact value of the float, fractions and whole turns included. */

struct float_case {
    posemb_convention convention;
    double frequency;
    double position_scale;
    float amplitude;
};

static float draw_float(int n)
{
    const uint64_t bits = random_u64();
    const float any = (float)((int64_t)(bits >> 20) % (1 << 24)) * 0x1p-24f;
    const int exponents[] = {0, 1, 4, 10, 17, 24, 30, -20, -100, -149};
    const float value = ldexpf(any, exponents[n % 10]);

    return bits & 1 && value <= 0x1p31f ? -value : value;
}

/* angle = position * position_scale * frequency * base^(-2 pair / twice) */
static double exact_float(const struct float_case *what, uint32_t dim, float position,
                          uint32_t channel)
{
    const struct peer *peer = peer_of(what->convention);
    const struct model shape = {.convention = what->convention, .dim = dim};
    const uint32_t twice = (peer->real ? dim : dim / 2 * 2) - 2 * peer->shift;
    uint32_t pair;
    const enum kind kind = channel_kind(&shape, channel, &pair);
    mpfr_t angle, power;
    double value;

    mpfr_inits2(400, angle, power, (mpfr_ptr)NULL);
    mpfr_set_ui(power, BASE, MPFR_RNDN);
    mpfr_log(power, power, MPFR_RNDN);
    mpfr_mul_ui(power, power, 2 * (unsigned long)pair, MPFR_RNDN);
    mpfr_div_ui(power, power, twice, MPFR_RNDN);
    mpfr_neg(power, power, MPFR_RNDN);
    mpfr_exp(power, power, MPFR_RNDN);
    mpfr_set_d(angle, (double)position, MPFR_RNDN);
    mpfr_mul_d(angle, angle, what->frequency, MPFR_RNDN);
    mpfr_mul_d(angle, angle, what->position_scale, MPFR_RNDN);
    mpfr_mul(angle, angle, power, MPFR_RNDN);
    if (kind == SINE)
        mpfr_sin(angle, angle, MPFR_RNDN);
    else
        mpfr_cos(angle, angle, MPFR_RNDN);
    value = (double)what->amplitude * mpfr_get_d(angle, MPFR_RNDN);
    mpfr_clears(angle, power, (mpfr_ptr)NULL);
    return value;
}

static void check_floats(const struct float_case *what, uint32_t dim)
{
    enum { COUNT = 200 };
    float positions[COUNT];
    float *rows = malloc(sizeof *rows * COUNT * dim);
    const posemb_desc desc = {.dim = dim,
                              .operation = POSEMB_TABLE,
                              .convention = what->convention,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_FLOAT32,
                              .frequency = what->frequency,
                              .position_scale = what->position_scale,
                              .amplitude = what->amplitude};
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = COUNT}, .positions = positions, .out = rows};

    assert_non_null(rows);
    for (int n = 0; n < COUNT; n++)
        positions[n] = draw_float(n);
    assert_int_equal(posemb_reference_run(&desc, &args, NULL), POSEMB_OK);
    for (size_t n = 0; n < (size_t)COUNT * dim; n++) {
        const float position = positions[n / dim];
        const uint32_t channel = (uint32_t)(n % dim);
        const double exact = exact_float(what, dim, position, channel);

        if (!(fabs(rows[n] - exact) <= POSEMB_LIMIT_VALUE_ERROR * fabs((double)what->amplitude)))
            fail_msg("convention %d, D %u, position %a, channel %u: %.9g, exact %.9g",
                     (int)what->convention, (unsigned)dim, (double)position, (unsigned)channel,
                     (double)rows[n], exact);
    }
    free(rows);
    mpfr_free_cache();
}

static void test_float_positions_are_within_the_promise(void **state)
{
    static const struct float_case cases[] = {
        {POSEMB_DIT, 1.0, 1.0, 1.0f},
        {POSEMB_DDPM, 1.0, 1000.0, 1.0f},
        {POSEMB_VASWANI, 6.283185307179586, 1.0,
         -0.7f}, /* a whole turn per position, and a little less */
        {POSEMB_MARIAN_HF, 1e9, 1.0, 1.0f},
        {POSEMB_MLX, 1.0, 0x1p-30, 1.4f},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint32_t dim = 8; dim <= 66; dim += 58)
            check_floats(&cases[i], dim);
}

/* The same number as an integer and as a float gives the same bits, of every convention and
 * amplitude. */
static void test_whole_floats_are_integers(void **state)
{
    enum { COUNT = 400, DIM = 34 };
    int64_t integers[COUNT];
    float floats[COUNT];
    static float rows[2][COUNT][DIM];

    (void)state;
    for (int n = 0; n < COUNT; n++) {
        const int64_t draw = (int64_t)(random_u64() % 0x180000000u) + POSEMB_POSITION_MIN;

        floats[n] = (float)(draw >> random_u64() % 33);
        integers[n] = (int64_t)floats[n];
        if (integers[n] > POSEMB_POSITION_MAX)
            floats[n] = 0.0f, integers[n] = 0;
    }
    for (size_t c = 0; c < sizeof peers / sizeof *peers; c++)
        for (int given = 0; given < 2; given++) {
            const posemb_desc desc = {.dim = DIM,
                                      .operation = POSEMB_TABLE,
                                      .convention = peers[c].convention,
                                      .positions = POSEMB_POSITIONS_EXPLICIT,
                                      .position_type = given ? POSEMB_FLOAT32 : POSEMB_INT64,
                                      .frequency = c % 2 ? 1e7 : 1.0};
            const posemb_host_args args = {.shape = {.batch = 1, .length = COUNT},
                                           .positions = given ? (void *)floats : (void *)integers,
                                           .out = rows[given]};

            assert_int_equal(posemb_reference_run(&desc, &args, NULL), POSEMB_OK);
            if (given)
                assert_memory_equal(rows[0], rows[1], sizeof rows[0]);
        }
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
        cmocka_unit_test(test_float_positions_are_within_the_promise),
        cmocka_unit_test(test_whole_floats_are_integers),
    };

    if (argc > 1 && strcmp(argv[1], "--whole") == 0) {
        for_each_model(measure_whole);
        return whole_is_good ? 0 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
