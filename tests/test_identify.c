/* posemb identify: tables by formulas of this file's own, in long double, and tables that are none.
 * `test_identify --show` prints every table whose answer is another name for the same function;
 * `test_identify --seed N` makes other tables. */
#include "../tools/identify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool show;
static uint64_t seed;

/* ---- Random numbers */

struct random {
    uint64_t state;
};

static struct random random_from(uint64_t number)
{
    return (struct random){seed << 32 | number};
}

static uint64_t random_bits(struct random *random)
{
    uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* In [0, 1). */
static double random_unit(struct random *random)
{
    return (double)(random_bits(random) >> 11) * 0x1p-53;
}

static size_t random_below(struct random *random, size_t bound)
{
    return (size_t)(random_bits(random) % bound);
}

static double random_normal(struct random *random)
{
    const double radius = sqrt(-2.0 * log(1.0 - random_unit(random)));

    return radius * cos(6.283185307179586 * random_unit(random));
}

/* ---- Formulas */

enum convention { VASWANI, T2T, MARIAN_HF, MARIAN_CPP, DIT, DDPM, XTRANSFORMERS, MLX, DETR };

static const char *const names[] = {"vaswani", "t2t",           "marian-hf", "marian-cpp", "dit",
                                    "ddpm",    "xtransformers", "mlx",       "detr"};

enum { CONVENTIONS = sizeof names / sizeof *names };

enum function { SINE, COSINE, ZERO };

/* What a channel holds: a function, and the exponent of its frequency base^-exponent. */
struct channel {
    enum function function;
    long double exponent;
};

static struct channel interleaved(uint32_t dim, uint32_t c)
{
    return (struct channel){c % 2 ? COSINE : SINE, (long double)(c - c % 2) / dim};
}

/* `first` of all pairs, then `second`, and a zero: `shift` as in floor(D/2) - shift. */
static struct channel halves(uint32_t dim, uint32_t c, enum function first, enum function second,
                             uint32_t shift)
{
    const uint32_t half = dim / 2;
    const uint32_t i = c < half ? c : c - half;

    if (c == 2 * half)
        return (struct channel){ZERO, 0.0L};
    return (struct channel){c < half ? first : second, (long double)i / (half - shift)};
}

static struct channel marian_hf(uint32_t dim, uint32_t c)
{
    const uint32_t sines = dim - dim / 2;
    const uint32_t i = c < sines ? c : c - sines;

    return (struct channel){c < sines ? SINE : COSINE, (long double)i * 2.0L / dim};
}

static struct channel marian_cpp(uint32_t dim, uint32_t c)
{
    const uint32_t half = dim / 2;

    return (struct channel){c < half ? SINE : COSINE,
                            (long double)(c % half) / ((long double)dim / 2.0L - 1.0L)};
}

static struct channel channel_of(enum convention convention, uint32_t dim, uint32_t c)
{
    switch (convention) {
    case VASWANI:
    case DETR:
        return interleaved(dim, c);
    case T2T:
    case DDPM:
    case MLX:
        return halves(dim, c, SINE, COSINE, 1);
    case MARIAN_HF:
        return marian_hf(dim, c);
    case MARIAN_CPP:
        return marian_cpp(dim, c);
    case DIT:
        return halves(dim, c, COSINE, SINE, 0);
    default:
        return halves(dim, c, SINE, COSINE, 0);
    }
}

static double default_amplitude(enum convention convention, uint32_t dim)
{
    if (convention == XTRANSFORMERS)
        return (double)(float)sqrt(1.0 / dim);
    return convention == MLX ? (double)(float)sqrt(2.0 / dim) : 1.0;
}

static bool takes_odd(enum convention convention)
{
    return convention != XTRANSFORMERS && convention != MLX && convention != DETR;
}

/* The channel at the positions of which angles are given. */
static long double evaluate(const struct channel *channel, long double angle)
{
    if (channel->function == ZERO)
        return 0.0L;
    return channel->function == SINE ? sinl(angle) : cosl(angle);
}

/* ---- Tables */

enum rounding { TO_FLOAT, TO_FLOAT16, TO_BFLOAT16 };

struct truth {
    enum convention convention;
    uint32_t dim;
    size_t rows;
    double base;
    int64_t offset;
    double amplitude;
    double scale; /* of positions */
    enum rounding rounding;
    int64_t zero_row; /* -1: none */
    bool in_float;    /* computed as real programs do, in float arithmetic */
};

static float round_to(long double value, enum rounding rounding)
{
    int exponent;
    const int bits = rounding == TO_FLOAT16 ? 11 : 8;
    const int least = rounding == TO_FLOAT16 ? -24 : -133;
    int place;

    if (rounding == TO_FLOAT)
        return (float)value;
    (void)frexpl(value, &exponent);
    place = exponent - bits > least ? exponent - bits : least;
    return (float)ldexpl(rintl(ldexpl(value, -place)), place);
}

static float value_in_float(const struct channel *channel, const struct truth *truth,
                            float position)
{
    const float step = expf((float)channel->exponent * -logf((float)truth->base));
    const float angle = position * step;

    if (channel->function == ZERO)
        return 0.0f;
    return (float)truth->amplitude * (channel->function == SINE ? sinf(angle) : cosf(angle));
}

static void fill_channel(const struct truth *truth, uint32_t c, float *table)
{
    const struct channel channel = channel_of(truth->convention, truth->dim, c);
    const long double w = powl((long double)truth->base, -channel.exponent);

    for (size_t r = 0; r < truth->rows; r++) {
        const long double position =
            (long double)truth->scale * (long double)((int64_t)r + truth->offset);
        const long double value =
            truth->in_float ? (long double)value_in_float(&channel, truth, (float)position)
                            : (long double)truth->amplitude * evaluate(&channel, position * w);

        table[r * truth->dim + c] = round_to(value, truth->rounding);
    }
}

static float *make_table(const struct truth *truth)
{
    float *table = calloc(truth->rows * truth->dim, sizeof *table);

    assert_non_null(table);
    for (uint32_t c = 0; c < truth->dim; c++)
        fill_channel(truth, c, table);
    if (truth->zero_row >= 0)
        memset(table + (size_t)truth->zero_row * truth->dim, 0, truth->dim * sizeof *table);
    return table;
}

static float *row_of(float *table, const struct truth *truth, size_t row)
{
    return table + row * truth->dim;
}

static void identify(const float *table, size_t rows, uint32_t dim, struct identification *found)
{
    assert_true(identify_table(table, rows, dim, found));
}

static struct truth plain_truth(enum convention convention)
{
    return (struct truth){.convention = convention,
                          .dim = 64,
                          .rows = 128,
                          .base = 1e4,
                          .offset = 2,
                          .amplitude = 1.0,
                          .scale = 1.0,
                          .zero_row = -1};
}

/* ---- Answers */

static void print_form(const struct identified_form *form)
{
    printf(" {");
    for (size_t i = 0; i < form->name_count; i++)
        printf("%s%s", i ? " " : "", form->names[i]);
    printf("; %zu by default; base %.9g, odd %d}", form->default_count, form->base, (int)form->odd);
}

static void print_answer(const char *what, const struct truth *truth,
                         const struct identification *found)
{
    printf("%s: %s D %u rows %zu base %g offset %" PRId64 " amplitude %g scale %g rounding %d zero "
           "row %" PRId64 "%s\n  answer %d \"%s\"",
           what, names[truth->convention], truth->dim, truth->rows, truth->base, truth->offset,
           truth->amplitude, truth->scale, (int)truth->rounding, truth->zero_row,
           truth->in_float ? " in float" : "", (int)found->outcome, found->message);
    print_form(&found->form);
    for (size_t i = 0; i < found->also_count; i++)
        print_form(&found->also[i]);
    printf("\n  offset %.9g step %g frequency %.9g amplitude %.9g difference %g at %" PRIu64
           ", %u\n",
           found->offset, found->step, found->frequency, found->amplitude, found->agreed.difference,
           found->agreed.row, found->agreed.channel);
}

static bool is_near(double a, double b, double slack)
{
    return fabs(a - b) <= slack * fabs(b);
}

/* Numbers of a table that was rounded are known to as much. */
static double slack_of(const struct truth *truth)
{
    if (truth->rounding == TO_FLOAT)
        return 2e-6;
    return truth->rounding == TO_FLOAT16 ? 1e-4 : 1e-3;
}

static bool has_name(const struct identified_form *form, const char *name, bool by_default)
{
    const size_t count = by_default ? form->default_count : form->name_count;

    for (size_t i = 0; i < count; i++)
        if (strcmp(form->names[i], name) == 0)
            return true;
    return false;
}

static enum convention convention_named(const char *name)
{
    for (size_t i = 0; i < CONVENTIONS; i++)
        if (strcmp(names[i], name) == 0)
            return (enum convention)i;
    fail_msg("%s is no convention", name);
    return VASWANI;
}

/* What one answer may differ by from the table: its own rounding, and float angles. */
static long double allowed(const struct truth *truth, long double position)
{
    static const long double half[] = {0x1p-23L, 0x1p-11L, 0x1p-8L};
    const long double drift = fabsl(position) * (truth->in_float ? 3e-7L : 1e-9L);

    return (long double)fabs(truth->amplitude) * (half[truth->rounding] + drift);
}

/* The formula of `name` with the numbers of the answer gives the table: some rows of it. */
static bool reproduces(const struct truth *truth, const float *table,
                       const struct identification *found, const char *name, double base)
{
    const enum convention convention = convention_named(name);
    const size_t step = truth->rows / 8 + 1;

    for (uint32_t c = 0; c < truth->dim; c++) {
        const struct channel channel = channel_of(convention, truth->dim, c);
        const long double w = powl((long double)base, -channel.exponent);

        for (size_t r = 0; r < truth->rows; r += step) {
            const long double position =
                (long double)found->frequency *
                ((long double)found->offset + (long double)found->step * r);
            const long double value =
                (long double)found->amplitude * evaluate(&channel, position * w);

            if ((int64_t)r != truth->zero_row &&
                !(fabsl(value - (long double)table[r * truth->dim + c]) <=
                  allowed(truth, position)))
                return false;
        }
    }
    return true;
}

static bool class_reproduces(const struct truth *truth, const float *table,
                             const struct identification *found, const struct identified_form *form)
{
    for (size_t i = 0; i < form->name_count; i++)
        if (!reproduces(truth, table, found, form->names[i], form->base))
            return false;
    return true;
}

static bool is_default(const struct truth *truth)
{
    return is_near(truth->amplitude, default_amplitude(truth->convention, truth->dim), 1e-6);
}

static bool form_is_true(const struct truth *truth, const struct identified_form *form)
{
    return has_name(form, names[truth->convention], is_default(truth)) &&
           is_near(form->base, truth->base, slack_of(truth));
}

static bool numbers_are_true(const struct truth *truth, const struct identification *found)
{
    return is_near(found->amplitude, truth->amplitude, slack_of(truth)) &&
           is_near(found->frequency, truth->scale, slack_of(truth)) &&
           found->offset == (double)truth->offset && found->step == 1.0;
}

static int digits_of(double x)
{
    char text[32];
    int digits = 0;

    snprintf(text, sizeof text, "%.12e", x);
    for (const char *at = text; *at != 'e'; at++)
        if (*at >= '1' && *at <= '9')
            digits = (int)(at - text) + (at == text ? 1 : 0);
    return digits;
}

/* A rounded table that the answer gives too, bit for bit, with no more digits than the truth. */
static bool is_not_told_apart(const struct truth *truth, const float *table,
                              const struct identification *found)
{
    struct truth answer = *truth;
    float *made;
    bool is_same;

    answer.convention = convention_named(found->form.names[0]);
    answer.base = found->form.base;
    made = make_table(&answer);
    is_same = truth->rounding != TO_FLOAT && digits_of(answer.base) <= digits_of(truth->base) &&
              memcmp(made, table, truth->rows * truth->dim * sizeof *made) == 0;
    free(made);
    return is_same;
}

enum judgement { WRONG, OTHER_NAME, RIGHT };

/* OTHER_NAME: the same table by another base, which is as plain a number. */
static enum judgement judge(const struct truth *truth, const float *table,
                            const struct identification *found)
{
    if (found->outcome != IDENTIFY_SINUSOIDAL || !found->found || found->departing_rows ||
        found->zero_rows != (truth->zero_row >= 0 ? 1u : 0u) || found->form.name_count == 0 ||
        !class_reproduces(truth, table, found, &found->form))
        return WRONG;
    for (size_t i = 0; i < found->also_count; i++)
        if (!class_reproduces(truth, table, found, &found->also[i]))
            return WRONG;
    if (!numbers_are_true(truth, found))
        return WRONG;
    if (form_is_true(truth, &found->form))
        return RIGHT;
    for (size_t i = 0; i < found->also_count; i++)
        if (form_is_true(truth, &found->also[i]))
            return OTHER_NAME;
    return is_not_told_apart(truth, table, found) ? OTHER_NAME : WRONG;
}

struct tally {
    size_t tables;
    size_t other_names;
    size_t wrong;
};

static void check(const struct truth *truth, struct tally *tally)
{
    struct identification found;
    float *table = make_table(truth);
    enum judgement judgement;

    identify(table, truth->rows, truth->dim, &found);
    judgement = judge(truth, table, &found);
    tally->tables++;
    tally->wrong += judgement == WRONG ? 1 : 0;
    tally->other_names += judgement == OTHER_NAME ? 1 : 0;
    if (judgement == WRONG || (show && judgement == OTHER_NAME))
        print_answer(judgement == WRONG ? "WRONG" : "other name", truth, &found);
    free(table);
}

static void conclude(const char *what, const struct tally *tally)
{
    printf("%s: %zu tables, %zu wrong, %zu under another name\n", what, tally->tables, tally->wrong,
           tally->other_names);
    assert_int_equal(tally->wrong, 0);
}

/* ---- Tables of all conventions */

static const double bases[] = {100.0, 500.0, 1e4, 1e5, 1e6, 77.7};
static const int64_t offsets[] = {0, 1, 2, 100};
static const uint32_t dims[] = {4,  5,  6,  7,  8,  9,  10, 11,  16,  17,  31,
                                32, 33, 48, 63, 64, 65, 96, 127, 128, 200, 255};
static const uint32_t wide_dims[] = {256, 257, 384, 511, 512, 513, 768, 1023, 1024};
static const size_t row_counts[] = {8, 9, 13, 16, 31, 32, 50, 64, 100, 128, 200, 256};
static const size_t long_row_counts[] = {512, 1000, 1024, 1500, 2048};

#define PICK(random, list) ((list)[random_below((random), sizeof(list) / sizeof *(list))])

static double pick_amplitude(struct random *random, enum convention convention, uint32_t dim)
{
    const double amplitudes[] = {default_amplitude(convention, dim), 1.0, 0.5,
                                 (double)(float)sqrt(2.0 / dim)};

    return PICK(random, amplitudes);
}

static struct truth random_truth(struct random *random, enum convention convention)
{
    struct truth truth = {.convention = convention,
                          .dim = PICK(random, dims),
                          .rows = PICK(random, row_counts),
                          .base = PICK(random, bases),
                          .offset = PICK(random, offsets),
                          .scale = 1.0,
                          .zero_row = -1};

    if (random_below(random, 20) == 0)
        truth.dim = PICK(random, wide_dims);
    else if (random_below(random, 12) == 0)
        truth.rows = PICK(random, long_row_counts);
    if (truth.dim % 2 && !takes_odd(convention))
        truth.dim++;
    truth.amplitude = pick_amplitude(random, convention, truth.dim);
    return truth;
}

static void test_conventions(void **state)
{
    struct random random = random_from(1);
    struct tally tally = {0, 0, 0};

    (void)state;
    for (size_t n = 0; n < 360; n++) {
        const struct truth truth = random_truth(&random, (enum convention)(n % CONVENTIONS));

        check(&truth, &tally);
    }
    conclude("conventions", &tally);
}

static void test_rounded_tables(void **state)
{
    struct random random = random_from(2);
    struct tally tally = {0, 0, 0};

    (void)state;
    for (size_t n = 0; n < 360; n++) {
        struct truth truth = random_truth(&random, (enum convention)(n % CONVENTIONS));

        truth.rounding = n / CONVENTIONS % 2 ? TO_BFLOAT16 : TO_FLOAT16;
        check(&truth, &tally);
    }
    conclude("rounded tables", &tally);
}

static void test_largest_tables(void **state)
{
    struct tally tally = {0, 0, 0};
    struct truth truth = {.convention = T2T,
                          .dim = 1024,
                          .rows = 2048,
                          .base = 1e4,
                          .amplitude = 1.0,
                          .scale = 1.0,
                          .zero_row = 1};

    (void)state;
    check(&truth, &tally);
    truth.convention = MARIAN_HF;
    truth.dim = 1023;
    truth.rounding = TO_BFLOAT16;
    truth.base = 77.7;
    check(&truth, &tally);
    conclude("largest tables", &tally);
}

static void test_zero_rows(void **state)
{
    struct random random = random_from(3);
    struct tally tally = {0, 0, 0};

    (void)state;
    for (size_t n = 0; n < 90; n++) {
        struct truth truth = random_truth(&random, (enum convention)(n % CONVENTIONS));

        truth.zero_row = n % 2 ? 1 : (int64_t)random_below(&random, truth.rows);
        check(&truth, &tally);
    }
    conclude("zero rows", &tally);
}

/* As programs compute them: the frequencies in float, the angles in float. */
static void test_float_arithmetic(void **state)
{
    struct random random = random_from(4);
    struct tally tally = {0, 0, 0};

    (void)state;
    for (size_t n = 0; n < 135; n++) {
        struct truth truth = random_truth(&random, (enum convention)(n % CONVENTIONS));

        truth.in_float = true;
        truth.rounding = n % 3 ? TO_FLOAT : (n % 2 ? TO_BFLOAT16 : TO_FLOAT16);
        check(&truth, &tally);
    }
    conclude("float arithmetic", &tally);
}

static void test_long_float_table(void **state)
{
    struct tally tally = {0, 0, 0};
    struct truth truth = {.convention = VASWANI,
                          .dim = 16,
                          .rows = 131072,
                          .base = 1e4,
                          .offset = 2,
                          .amplitude = 1.0,
                          .scale = 1.0,
                          .zero_row = -1,
                          .in_float = true};

    (void)state;
    check(&truth, &tally);
    conclude("long table", &tally);
}

/* Positions that are not rows: timesteps between 0 and 1, or thousands of them per row. */
static void test_scales(void **state)
{
    static const double scales[] = {0.001, 0.01, 0.5, 2.0, 0.25, 1000.0, 3.0, 20.0};
    struct random random = random_from(5);
    struct tally tally = {0, 0, 0};

    (void)state;
    for (size_t n = 0; n < 135; n++) {
        struct truth truth = random_truth(&random, (enum convention)(n % CONVENTIONS));

        truth.scale = PICK(&random, scales);
        if (truth.dim < 16)
            truth.dim += 16;
        if (n % 4 == 0)
            truth.scale = 1000.0 / (double)truth.rows;
        if (truth.scale > 100.0) /* or no pair turns by less than half a turn per row */
            truth.base = 1e6;
        check(&truth, &tally);
    }
    conclude("scales", &tally);
}

/* ---- Tables that are none */

static void fill_normal(struct random *random, float *table, size_t rows, uint32_t dim)
{
    for (size_t i = 0; i < rows * dim; i++)
        table[i] = (float)(0.02 * random_normal(random));
}

static void fill_uniform(struct random *random, float *table, size_t rows, uint32_t dim)
{
    for (size_t i = 0; i < rows * dim; i++)
        table[i] = (float)(2.0 * random_unit(random) - 1.0);
}

static void fill_pairs(struct random *random, float *table, size_t rows, uint32_t dim)
{
    const bool is_interleaved = random_below(random, 2) == 0;

    memset(table, 0, rows * dim * sizeof *table);
    for (size_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < dim / 2; i++) {
            const double angle = 6.283185307179586 * random_unit(random);

            table[r * dim + (is_interleaved ? 2 * i : i)] = (float)cos(angle);
            table[r * dim + (is_interleaved ? 2 * i + 1 : dim / 2 + i)] = (float)sin(angle);
        }
}

/* Pairs that turn evenly, each with a frequency of its own and a phase of its own. */
static void fill_unrelated(struct random *random, float *table, size_t rows, uint32_t dim)
{
    memset(table, 0, rows * dim * sizeof *table);
    for (uint32_t i = 0; i < dim / 2; i++) {
        const double w = 3.0 * random_unit(random);
        const double phase = 6.283185307179586 * random_unit(random);

        for (size_t r = 0; r < rows; r++) {
            table[r * dim + i] = (float)sin(w * (double)r + phase);
            table[r * dim + dim / 2 + i] = (float)cos(w * (double)r + phase);
        }
    }
}

static void fill_learned(struct random *random, float *table, size_t rows, uint32_t dim)
{
    struct truth truth = random_truth(random, (enum convention)random_below(random, 6));
    float *made;

    truth.rows = rows;
    truth.dim = dim;
    made = make_table(&truth);
    for (size_t i = 0; i < rows * dim; i++)
        table[i] = made[i] + (float)(0.3 * truth.amplitude * random_normal(random));
    free(made);
}

/* One formula, but a noise that no rounding explains. */
static void fill_noisy(struct random *random, float *table, size_t rows, uint32_t dim)
{
    struct truth truth = random_truth(random, (enum convention)random_below(random, 6));
    float *made;

    truth.rows = rows;
    truth.dim = dim;
    truth.amplitude = 1.0;
    made = make_table(&truth);
    for (size_t i = 0; i < rows * dim; i++)
        table[i] = made[i] + (float)(0.005 * random_normal(random));
    free(made);
}

static void fill_constant(struct random *random, float *table, size_t rows, uint32_t dim)
{
    const float value = (float)random_normal(random);

    for (size_t i = 0; i < rows * dim; i++)
        table[i] = value;
}

static void test_other_tables(void **state)
{
    static void (*const fills[])(struct random *, float *, size_t, uint32_t) = {
        fill_normal,  fill_uniform, fill_pairs,   fill_unrelated,
        fill_learned, fill_noisy,   fill_constant};
    const size_t kinds = sizeof fills / sizeof *fills;
    struct random random = random_from(6);

    (void)state;
    for (size_t n = 0; n < 30 * kinds; n++) {
        const uint32_t dim = n % 5 ? PICK(&random, dims) : PICK(&random, wide_dims);
        const size_t rows = PICK(&random, row_counts);
        float *table = calloc(rows * dim, sizeof *table);
        struct identification found;

        assert_non_null(table);
        fills[n % kinds](&random, table, rows, dim);
        identify(table, rows, dim, &found);
        if (found.outcome != IDENTIFY_OTHER)
            printf("kind %zu, D %u, %zu rows: %s\n", n % kinds, dim, rows, found.message);
        assert_int_equal(found.outcome, IDENTIFY_OTHER);
        assert_false(found.found);
        assert_non_null(strstr(found.message, "not sinusoidal"));
        free(table);
    }
}

/* Any bits, a circle here and there: it must end, and find nothing. */
static void test_hard_values(void **state)
{
    struct random random = random_from(10);

    (void)state;
    for (size_t n = 0; n < 2000; n++) {
        const uint32_t dim = 4 + (uint32_t)random_below(&random, 6);
        const size_t rows = 3 + random_below(&random, 8);
        float table[10 * 9];
        struct identification found;

        for (size_t i = 0; i < rows * dim; i++) {
            const uint32_t bits = (uint32_t)random_bits(&random);

            memcpy(&table[i], &bits, sizeof bits);
            if (n % 4 == 1)
                table[i] = bits % 2 ? 1.0f : 0.0f;
            else if (n % 4 == 2)
                table[i] = bits % 8 ? ldexpf(1.0f, (int)(bits % 3) - 140) : NAN;
            else if (n % 4 == 3)
                table[i] = bits % 16 ? 3e38f : INFINITY;
        }
        identify(table, rows, dim, &found);
        assert_true(strlen(found.message) > 0);
        assert_true(n % 4 == 1 || !found.found);
    }
}

/* Trained from sinusoids on, not far. */
static void test_near_table(void **state)
{
    struct random random = random_from(11);
    const struct truth truth = plain_truth(VASWANI);
    float *table = make_table(&truth);
    struct identification found;

    (void)state;
    for (size_t i = 0; i < truth.rows * truth.dim; i++)
        table[i] += (float)(0.002 * (random_unit(&random) - 0.5));
    identify(table, truth.rows, truth.dim, &found);
    assert_int_equal(found.outcome, IDENTIFY_OTHER);
    assert_non_null(strstr(found.message, "near vaswani = detr, base 10000: off by 0.00"));
    free(table);
}

/* ---- Rows that depart */

static void check_departing(const struct truth *truth, float *table, uint64_t rows)
{
    struct identification found;

    identify(table, truth->rows, truth->dim, &found);
    if (found.outcome != IDENTIFY_DEPARTS || found.departing_rows != rows ||
        !has_name(&found.form, names[truth->convention], false))
        print_answer("DEPARTS", truth, &found);
    assert_int_equal(found.outcome, IDENTIFY_DEPARTS);
    assert_false(found.found);
    assert_int_equal(found.departing_rows, rows);
    assert_true(has_name(&found.form, names[truth->convention], false));
    assert_true(found.form.base == truth->base);
    assert_true(found.offset == (double)truth->offset);
    assert_true(found.departed.difference > found.agreed.difference);
    assert_non_null(strstr(found.message, "not sinusoidal throughout"));
}

static void test_few_rows_depart(void **state)
{
    struct random random = random_from(7);

    (void)state;
    for (size_t n = 0; n < 6; n++) {
        struct truth truth = plain_truth((enum convention)n);
        float *table = make_table(&truth);
        struct identification found;

        fill_normal(&random, row_of(table, &truth, 3), 1, truth.dim);
        fill_normal(&random, row_of(table, &truth, 70), 3, truth.dim);
        check_departing(&truth, table, 4);
        identify(table, truth.rows, truth.dim, &found);
        assert_int_equal(found.departing_range_count, 2);
        assert_int_equal(found.departing_ranges[0].first, 3);
        assert_int_equal(found.departing_ranges[0].last, 3);
        assert_int_equal(found.departing_ranges[1].first, 70);
        assert_int_equal(found.departing_ranges[1].last, 72);
        assert_non_null(strstr(found.message, "rows 3, 70-72"));
        free(table);
    }
}

/* One value alone, or a row on circles but of another position, or one that is not a number. */
static void test_one_row_departs(void **state)
{
    (void)state;
    for (size_t n = 0; n < 12; n++) {
        struct truth truth = plain_truth((enum convention)(n % 6));
        float *table = make_table(&truth);
        float *row = row_of(table, &truth, 5 + n);
        struct identification found;

        if (n % 4 == 0)
            row[17] += 0.01f;
        else if (n % 4 == 1)
            memcpy(row, row_of(table, &truth, 8 + n), truth.dim * sizeof *row);
        else
            row[40] = n % 4 == 2 ? NAN : -INFINITY;
        check_departing(&truth, table, 1);
        identify(table, truth.rows, truth.dim, &found);
        assert_int_equal(found.departing_ranges[0].first, 5 + n);
        assert_int_equal(found.departed.row, 5 + n);
        if (n % 4 != 1)
            assert_int_equal(found.departed.channel, n % 4 == 0 ? 17 : 40);
        free(table);
    }
}

static void test_half_departs(void **state)
{
    struct random random = random_from(8);

    (void)state;
    for (size_t n = 0; n < 12; n++) {
        struct truth truth = plain_truth((enum convention)(n % 6));
        float *table = make_table(&truth);
        const bool at_start = n >= 6;
        struct identification found;

        fill_normal(&random, row_of(table, &truth, at_start ? 0 : 64), 64, truth.dim);
        check_departing(&truth, table, 64);
        identify(table, truth.rows, truth.dim, &found);
        assert_int_equal(found.departing_range_count, 1);
        assert_int_equal(found.departing_ranges[0].first, at_start ? 0 : 64);
        assert_int_equal(found.departing_ranges[0].last, at_start ? 63 : 127);
        free(table);
    }
}

/* Every second row: no more ranges are listed than there is room for. */
static void test_scattered_rows_depart(void **state)
{
    struct random random = random_from(9);
    const struct truth truth = plain_truth(T2T);
    float *table = make_table(&truth);
    struct identification found;
    uint64_t departing = 0;

    (void)state;
    for (size_t r = 0; r < truth.rows; r++)
        if (random_below(&random, 2) == 0) {
            fill_uniform(&random, row_of(table, &truth, r), 1, truth.dim);
            departing++;
        }
    check_departing(&truth, table, departing);
    identify(table, truth.rows, truth.dim, &found);
    assert_int_equal(found.departing_range_count, IDENTIFY_RANGES_MAX);
    assert_non_null(strstr(found.message, " and so on"));
    free(table);
}

/* A table that starts anew in its middle is no formula of its rows. */
static void test_two_tables_in_one(void **state)
{
    const struct truth truth = plain_truth(VASWANI);
    float *table = make_table(&truth);

    (void)state;
    memcpy(row_of(table, &truth, 64), table, (size_t)64 * truth.dim * sizeof *table);
    check_departing(&truth, table, 64);
    free(table);
}

/* ---- What the answer says */

static void test_classes(void **state)
{
    struct identification found;
    struct truth truth = plain_truth(T2T);
    float *table = make_table(&truth);

    (void)state;
    identify(table, truth.rows, truth.dim, &found);
    assert_int_equal(found.form.default_count, 3);
    assert_string_equal(found.form.names[0], "t2t");
    assert_string_equal(found.form.names[1], "marian-cpp");
    assert_string_equal(found.form.names[2], "ddpm");
    assert_int_equal(found.form.name_count, 4);
    assert_string_equal(found.form.names[3], "mlx");
    assert_int_equal(found.form.denominator, POSEMB_DENOMINATOR_FLOOR);
    assert_int_equal(found.also_count, 0);
    assert_string_equal(found.message, "t2t = marian-cpp = ddpm, base 10000");
    free(table);

    truth = plain_truth(DETR);
    table = make_table(&truth);
    identify(table, truth.rows, truth.dim, &found);
    assert_int_equal(found.form.name_count, 2);
    assert_string_equal(found.form.names[0], "vaswani");
    assert_string_equal(found.form.names[1], "detr");
    free(table);

    truth = plain_truth(MARIAN_CPP);
    truth.dim = 65;
    table = make_table(&truth);
    identify(table, truth.rows, truth.dim, &found);
    assert_int_equal(found.form.name_count, 1);
    assert_string_equal(found.form.names[0], "marian-cpp");
    assert_int_equal(found.form.odd, POSEMB_ODD_SECOND);
    free(table);
}

/* With two pairs, base 100 over 1 is base 10000 over 2. */
static void test_both_names_of_one_function(void **state)
{
    struct identification found;
    struct truth truth = plain_truth(T2T);
    float *table;

    (void)state;
    truth.dim = 4;
    truth.base = 100.0;
    table = make_table(&truth);
    identify(table, truth.rows, truth.dim, &found);
    assert_true(found.found);
    assert_true(has_name(&found.form, "marian-hf", true));
    assert_true(found.form.base == 1e4);
    assert_int_equal(found.also_count, 1);
    assert_true(has_name(&found.also[0], "t2t", true));
    assert_true(found.also[0].base == 100.0);
    free(table);
}

static void test_roundings(void **state)
{
    static const enum identify_rounding expected[] = {IDENTIFY_FLOAT32, IDENTIFY_FLOAT16,
                                                      IDENTIFY_BFLOAT16};
    struct truth truth = plain_truth(DIT);

    (void)state;
    for (int rounding = TO_FLOAT; rounding <= TO_BFLOAT16; rounding++) {
        struct identification found;
        float *table;

        truth.rounding = (enum rounding)rounding;
        table = make_table(&truth);
        identify(table, truth.rows, truth.dim, &found);
        assert_true(found.found);
        assert_int_equal(found.rounding, expected[rounding]);
        assert_true(found.rounded_exactly);
        assert_true(found.agreed.difference > 0.0 || rounding == TO_FLOAT);
        free(table);
    }
}

/* Knobs that no convention has: cosines first in an interleaved row. */
static void test_no_name(void **state)
{
    struct identification found;
    struct truth truth = plain_truth(VASWANI);
    float *table = make_table(&truth);

    (void)state;
    for (size_t i = 0; i < truth.rows * truth.dim; i += 2) {
        const float sine = table[i];

        table[i] = table[i + 1];
        table[i + 1] = sine;
    }
    identify(table, truth.rows, truth.dim, &found);
    assert_true(found.found);
    assert_int_equal(found.form.name_count, 0);
    assert_int_equal(found.form.layout, POSEMB_INTERLEAVED);
    assert_int_equal(found.form.first, POSEMB_COSINE_FIRST);
    assert_true(found.form.base == 1e4);
    assert_true(found.form.shift == 0.0);
    assert_true(found.offset == 2.0);
    free(table);
}

/* Transformer-XL: positions that fall. */
static void test_falling_positions(void **state)
{
    struct identification found;
    struct truth truth = plain_truth(MARIAN_HF);
    float *table = make_table(&truth);

    (void)state;
    for (size_t r = 0; r < truth.rows / 2; r++)
        for (uint32_t c = 0; c < truth.dim; c++) {
            float *low = table + r * truth.dim + c;
            float *high = table + (truth.rows - 1 - r) * truth.dim + c;
            const float value = *low;

            *low = *high;
            *high = value;
        }
    identify(table, truth.rows, truth.dim, &found);
    assert_true(found.found);
    assert_true(has_name(&found.form, "marian-hf", true));
    assert_true(found.offset == 129.0);
    assert_true(found.step == -1.0);
    free(table);
}

/* A channel that belongs to no pair counts, too. */
static void test_lone_channel(void **state)
{
    static const float wrong[] = {0.01f, NAN, INFINITY};
    struct truth truth = plain_truth(MARIAN_CPP);

    (void)state;
    truth.dim = 65;
    for (size_t n = 0; n < 3; n++) {
        float *table = make_table(&truth);
        struct identification found;

        row_of(table, &truth, 9)[64] += wrong[n];
        check_departing(&truth, table, 1);
        identify(table, truth.rows, truth.dim, &found);
        assert_int_equal(found.departed.row, 9);
        assert_int_equal(found.departed.channel, 64);
        free(table);
    }
}

static void test_extreme_amplitudes(void **state)
{
    static const double amplitudes[] = {1e-30, 3e-20, 2.5e30, 22.5};
    struct tally tally = {0, 0, 0};
    struct truth truth = plain_truth(DIT);

    (void)state;
    for (size_t n = 0; n < sizeof amplitudes / sizeof *amplitudes; n++) {
        truth.amplitude = (double)(float)amplitudes[n];
        check(&truth, &tally);
    }
    conclude("extreme amplitudes", &tally);
}

static void test_fewest_rows(void **state)
{
    struct tally tally = {0, 0, 0};

    (void)state;
    for (size_t n = 0; n < CONVENTIONS; n++) {
        struct truth truth = plain_truth((enum convention)n);

        truth.rows = 3;
        check(&truth, &tally);
    }
    conclude("fewest rows", &tally);
}

static void test_negative_amplitude(void **state)
{
    struct identification found;
    struct truth truth = plain_truth(T2T);
    float *table;

    (void)state;
    truth.amplitude = -0.75;
    table = make_table(&truth);
    identify(table, truth.rows, truth.dim, &found);
    assert_true(found.found);
    assert_true(found.amplitude == -0.75);
    assert_true(found.offset == 2.0);
    assert_int_equal(found.form.default_count, 0);
    assert_int_equal(found.form.name_count, 4);
    free(table);
}

static void test_large_offset(void **state)
{
    struct tally tally = {0, 0, 0};
    struct truth truth = plain_truth(T2T);

    (void)state;
    truth.rows = 16;
    truth.offset = 1000000;
    check(&truth, &tally);
    truth.offset = -5000;
    check(&truth, &tally);
    conclude("large offsets", &tally);
}

static void test_too_small(void **state)
{
    struct identification found;
    struct truth truth = plain_truth(T2T);
    float *table = make_table(&truth);

    (void)state;
    identify(table, 100, 3, &found);
    assert_int_equal(found.outcome, IDENTIFY_TOO_SMALL);
    identify(table, 2, 64, &found);
    assert_int_equal(found.outcome, IDENTIFY_TOO_SMALL);
    identify(table, 0, 64, &found);
    assert_int_equal(found.outcome, IDENTIFY_TOO_SMALL);
    memset(table, 0, truth.rows * truth.dim * sizeof *table);
    table[5] = 1.0f;
    identify(table, truth.rows, truth.dim, &found);
    assert_int_equal(found.outcome, IDENTIFY_TOO_SMALL);
    assert_int_equal(found.zero_rows, truth.rows - 1);
    assert_int_equal(found.zero_range_count, 1);
    assert_non_null(strstr(found.message, "too small to tell"));
    free(table);
}

static void test_zero_row_of_fairseq(void **state)
{
    struct identification found;
    struct truth truth = plain_truth(T2T);
    float *table;

    (void)state;
    truth.offset = 0;
    truth.zero_row = 1;
    table = make_table(&truth);
    identify(table, truth.rows, truth.dim, &found);
    assert_true(found.found);
    assert_true(found.offset == 0.0);
    assert_int_equal(found.zero_rows, 1);
    assert_int_equal(found.zero_ranges[0].first, 1);
    assert_int_equal(found.zero_ranges[0].last, 1);
    free(table);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conventions),
        cmocka_unit_test(test_rounded_tables),
        cmocka_unit_test(test_largest_tables),
        cmocka_unit_test(test_zero_rows),
        cmocka_unit_test(test_float_arithmetic),
        cmocka_unit_test(test_long_float_table),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_other_tables),
        cmocka_unit_test(test_hard_values),
        cmocka_unit_test(test_near_table),
        cmocka_unit_test(test_few_rows_depart),
        cmocka_unit_test(test_one_row_departs),
        cmocka_unit_test(test_half_departs),
        cmocka_unit_test(test_scattered_rows_depart),
        cmocka_unit_test(test_two_tables_in_one),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_both_names_of_one_function),
        cmocka_unit_test(test_roundings),
        cmocka_unit_test(test_no_name),
        cmocka_unit_test(test_falling_positions),
        cmocka_unit_test(test_lone_channel),
        cmocka_unit_test(test_extreme_amplitudes),
        cmocka_unit_test(test_fewest_rows),
        cmocka_unit_test(test_negative_amplitude),
        cmocka_unit_test(test_large_offset),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_zero_row_of_fairseq),
    };

    show = count > 1 && strcmp(arguments[1], "--show") == 0;
    if (count > 2 && strcmp(arguments[1], "--seed") == 0)
        seed = strtoull(arguments[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
