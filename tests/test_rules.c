/* Position rules, paddings, grids, floats and knobs: devices and the reference agree in every bit,
 * and in every optional output, over descriptions that are drawn at random. POSEMB_TEST_LEVEL:
 * small, or anything else. */
#include "stage_call.h"
#include "support/device.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 23, VECTOR_MAX = 600 };

struct drawn {
    posemb_desc desc;
    posemb_shape shape;
    double frequencies[VECTOR_MAX];
    double phases[VECTOR_MAX];
};

static int64_t draw(struct support_random *random, int64_t least, int64_t most)
{
    return support_random_int(random, least, most);
}

static bool chance(struct support_random *random, int64_t one_in)
{
    return draw(random, 1, one_in) == 1;
}

/* ---- Descriptions */

/* What decides which program a plan has: few of these are drawn, since each has to be compiled. */
struct kind {
    posemb_operation operation;
    posemb_convention convention;
    posemb_layout layout;
    posemb_first first;
    float amplitude;
    bool floats;
    bool grid;
    bool frequencies;
    bool phases;
};

static struct kind draw_kind(uint64_t seed)
{
    static const float amplitudes[] = {0.0f, 0.0f, -1.0f, 0.3f, 22.627417f, -1e-15f, 0x1p60f};
    struct support_random random = support_random_from(seed);
    struct kind kind;

    for (int i = 0; i < 4; i++)
        support_random_bits(&random); /* seeds are neighbours */
    kind.operation = (posemb_operation)draw(&random, 1, 3);
    kind.convention = (posemb_convention)(1 + seed / 7 % posemb_convention_count());
    kind.layout = chance(&random, 4) ? (posemb_layout)draw(&random, 1, 2) : POSEMB_LAYOUT_DEFAULT;
    kind.first = chance(&random, 4) ? (posemb_first)draw(&random, 1, 2) : POSEMB_FIRST_DEFAULT;
    kind.amplitude = amplitudes[draw(&random, 0, 6)];
    kind.floats = chance(&random, 3);
    kind.grid = chance(&random, 3);
    kind.frequencies = chance(&random, 5);
    kind.phases = chance(&random, 5);
    return kind;
}

static void draw_knobs(struct support_random *random, struct drawn *drawn)
{
    static const double bases[] = {0.0, 100.0, 1e6, 0.5, 1.0, 77.7};
    static const double scales[] = {0.0, 1000.0, 0.1, 6.283185307179586, 0x1p-20};
    posemb_desc *desc = &drawn->desc;

    desc->odd = (posemb_odd)draw(random, POSEMB_ODD_ZERO, POSEMB_ODD_FIRST);
    desc->base = bases[draw(random, 0, 5)];
    desc->frequency = scales[draw(random, 0, 4)];
    desc->position_scale = chance(random, 3) ? scales[draw(random, 0, 4)] : 0.0;
    if (desc->layout == POSEMB_HALVES && chance(random, 3))
        desc->odd = POSEMB_ODD_SECOND;
    if (chance(random, 4)) {
        desc->denominator = (posemb_denominator)draw(random, 1, 2);
        desc->shift = desc->dim > 8 ? (double)draw(random, -30, 30) / 10.0 : -0.3;
    }
}

static void draw_grid(struct support_random *random, posemb_desc *desc)
{
    posemb_grid *grid = &desc->grid;
    const uint32_t axes = (uint32_t)draw(random, 2, 3);
    uint32_t rest = desc->dim;

    if (desc->dim < 9)
        return;
    grid->axes = axes;
    for (uint32_t k = 0; k < axes; k++) {
        grid->count[k] = (uint32_t)draw(random, 1, 5);
        grid->dim[k] = k + 1 == axes ? rest : (uint32_t)draw(random, 1, rest - (axes - 1 - k));
        rest -= grid->dim[k];
        grid->segment_axis[k] = k + 1;
        grid->numerator[k] = (uint32_t)draw(random, 0, 9);
        grid->denominator[k] = (uint32_t)draw(random, 0, 224);
    }
    if (chance(random, 2)) {
        grid->segment_axis[0] = axes;
        grid->segment_axis[axes - 1] = 1;
    }
    if (chance(random, 4))
        memset(grid->segment_axis, 0, sizeof grid->segment_axis);
}

static void draw_rule(struct support_random *random, const struct kind *kind, posemb_desc *desc)
{
    desc->positions = (posemb_position_rule)draw(random, 1, 7);
    if (kind->floats)
        desc->positions =
            chance(random, 2) ? POSEMB_POSITIONS_EXPLICIT : POSEMB_POSITIONS_EXPLICIT_SHARED;
    else if (kind->grid)
        desc->positions = chance(random, 2) ? POSEMB_POSITIONS_INDEX : POSEMB_POSITIONS_EXPLICIT;
    desc->position_type = (posemb_number_type)draw(random, POSEMB_INT32, POSEMB_INT64);
    desc->id_type = (posemb_number_type)draw(random, POSEMB_INT32, POSEMB_INT64);
    if (kind->floats)
        desc->position_type = POSEMB_FLOAT32;
    if (desc->positions == POSEMB_POSITIONS_RAGGED) {
        desc->pad_policy = (posemb_pad_policy)draw(random, 0, 3);
        return;
    }
    if ((desc->positions == POSEMB_POSITIONS_INDEX ||
         desc->positions == POSEMB_POSITIONS_EXPLICIT ||
         desc->positions == POSEMB_POSITIONS_EXPLICIT_SHARED) &&
        chance(random, 2))
        draw_grid(random, desc);
    desc->padding = (posemb_padding)draw(random, POSEMB_PADDING_TOKEN, POSEMB_PADDING_LEFT_LENGTH);
    if (desc->positions < POSEMB_POSITIONS_COUNT && chance(random, 2))
        desc->padding = POSEMB_PADDING_NONE;
    if (desc->padding == POSEMB_PADDING_TOKEN)
        desc->pad_id = draw(random, -1, 3);
    if (desc->padding == POSEMB_PADDING_MASK)
        desc->padding_type =
            (posemb_number_type[]){POSEMB_INT32, POSEMB_INT64, POSEMB_UINT8}[draw(random, 0, 2)];
    else if (desc->padding > POSEMB_PADDING_MASK)
        desc->padding_type = (posemb_number_type)draw(random, POSEMB_INT32, POSEMB_INT64);
    if (desc->padding != POSEMB_PADDING_NONE)
        desc->pad_policy = (posemb_pad_policy)draw(random, 0, 3);
}

static void draw_vectors(struct support_random *random, const struct kind *kind,
                         struct drawn *drawn)
{
    posemb_desc *desc = &drawn->desc;
    const size_t pairs = posemb_pair_count(desc);

    if (pairs == 0 || pairs > VECTOR_MAX || !(kind->frequencies || kind->phases))
        return;
    for (size_t i = 0; i < pairs; i++) {
        drawn->frequencies[i] = ldexp((double)draw(random, 0, 1 << 20), (int)draw(random, -60, 2));
        drawn->phases[i] = (double)draw(random, -100000, 100000) / 1000.0;
    }
    desc->frequency_count = (uint32_t)pairs;
    if (kind->phases)
        desc->phases = drawn->phases;
    if (!kind->frequencies)
        return;
    desc->frequencies = drawn->frequencies;
    desc->base = desc->frequency = desc->shift = 0.0;
    desc->denominator = POSEMB_DENOMINATOR_DEFAULT;
}

/* A description that resolves. */
static void draw_desc(struct support_random *random, uint64_t seed, bool small, struct drawn *drawn)
{
    static const uint32_t dims[] = {1, 2, 3, 9, 31, 64, 70, 130, 200, 384, 500};
    posemb_desc resolved;

    for (uint64_t attempt = 0;; attempt++) {
        const struct kind kind = draw_kind(7 * seed + attempt % 7);

        memset(drawn, 0, sizeof *drawn);
        drawn->desc.dim = dims[draw(random, 0, small ? 6 : 10)];
        drawn->desc.operation = kind.operation;
        drawn->desc.convention = kind.convention;
        drawn->desc.layout = kind.layout;
        drawn->desc.first = kind.first;
        drawn->desc.amplitude = kind.amplitude;
        drawn->desc.consumer = (posemb_consumer)draw(random, 1, 2);
        drawn->desc.token_scale = chance(random, 2) ? 1.5f : 0.0f;
        drawn->desc.concurrency = 1;
        draw_knobs(random, drawn);
        draw_rule(random, &kind, &drawn->desc);
        draw_vectors(random, &kind, drawn);
        if (posemb_desc_resolve(&drawn->desc, &resolved, NULL) == POSEMB_OK)
            return;
    }
}

static void draw_shape(struct support_random *random, bool small, struct drawn *drawn)
{
    const posemb_desc *desc = &drawn->desc;
    posemb_shape *shape = &drawn->shape;

    shape->batch = (uint64_t)draw(random, 1, small ? 9 : 17);
    shape->length = (uint64_t)draw(random, 1, small ? 5 : 40);
    shape->vocab = VOCAB;
    if (!small && chance(random, 12)) { /* chunks of counts, on both shapes */
        shape->batch = (uint64_t)draw(random, 1, 2);
        shape->length =
            (uint64_t)(desc->dim < 64 ? draw(random, 4000, 9000) : draw(random, 250, 700));
    }
    if (desc->grid.axes && desc->positions == POSEMB_POSITIONS_INDEX) {
        shape->length = 1;
        for (uint32_t axis = 0; axis < desc->grid.axes; axis++)
            shape->length *= desc->grid.count[axis];
    }
    if (desc->positions == POSEMB_POSITIONS_RAGGED) {
        shape->length *= shape->batch;
        shape->batch = 1;
        shape->sequences = (uint64_t)draw(random, 1, 9);
        if (chance(random, 4)) /* more than columns */
            shape->sequences = shape->length + (uint64_t)draw(random, 0, 3);
    } else if (!desc->grid.axes && desc->positions != POSEMB_POSITIONS_EXPLICIT &&
               desc->positions != POSEMB_POSITIONS_EXPLICIT_SHARED && chance(random, 2)) {
        shape->past = (uint64_t)draw(random, 1, 40);
    }
    if (desc->position_type != POSEMB_FLOAT32)
        shape->start = chance(random, 3) ? draw(random, -3, 100)
                                         : (chance(random, 8) ? POSEMB_POSITION_MIN : 0);
}

/* ---- Data */

static float draw_float_position(struct support_random *random)
{
    static const float ends[] = {-0x1p31f,   0x1.fffffep31f, 0x1p32f,   -0x1.000002p31f,
                                 0.0f,       -0.0f,          FLT_MIN,   0x1p-149f,
                                 -0x1p-140f, 0x1p23f,        0x1.8p24f, NAN,
                                 INFINITY,   -INFINITY,      -1.0f,     0.5f};

    switch (draw(random, 0, 4)) {
    case 0:
        return ends[draw(random, 0, 15)];
    case 1:
        return (float)draw(random, -5, 3000);
    case 2:
        return (float)draw(random, -1000000, 1000000) / 1000.0f;
    case 3:
        return ldexpf((float)draw(random, -16777215, 16777215), (int)draw(random, -160, 8));
    default:
        return (float)draw(random, POSEMB_POSITION_MIN, POSEMB_POSITION_MAX);
    }
}

static void fill_ragged(struct support_random *random, const struct drawn *drawn, void *place)
{
    const uint64_t n = drawn->shape.sequences;
    const int64_t length = (int64_t)drawn->shape.length;
    int64_t at = 0;

    for (uint64_t k = 0; k <= n; k++) {
        stage_put_number(place, k, drawn->desc.position_type, at);
        at += draw(random, 0, 2 * length / (int64_t)n);
        at = at > length ? length : at;
    }
    if (chance(random, 3)) /* decreasing, overrunning, negative, or not from 0 */
        stage_put_number(
            place, (size_t)draw(random, 0, (int64_t)n), drawn->desc.position_type,
            (int64_t[]){-1, length + 1, length / 2, INT32_MAX, 0, 1}[draw(random, 0, 5)]);
}

static void fill_positions(struct support_random *random, const struct drawn *drawn,
                           struct stage_call *call)
{
    const posemb_number_type type = drawn->desc.position_type;
    const size_t count = call->resolved.input[POSEMB__POSITIONS].bytes / posemb__number_size(type);

    if (drawn->desc.positions == POSEMB_POSITIONS_RAGGED) {
        fill_ragged(random, drawn, call->input[POSEMB__POSITIONS]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const float real = draw_float_position(random);
        const int64_t wide = chance(random, 9)
                                 ? (int64_t)support_random_bits(random)
                                 : draw(random, POSEMB_POSITION_MIN, POSEMB_POSITION_MAX);

        if (type == POSEMB_FLOAT32)
            memcpy((char *)call->input[POSEMB__POSITIONS] + 4 * i, &real, 4);
        else
            stage_put_number(call->input[POSEMB__POSITIONS], i, type,
                             chance(random, 2) ? draw(random, -9, 5000) : wide);
    }
}

static void fill(struct support_random *random, const struct drawn *drawn, struct stage_call *call)
{
    const posemb_number_type ids = drawn->desc.id_type;
    const posemb_number_type padding = drawn->desc.padding_type;
    const int64_t columns = (int64_t)drawn->shape.length;

    support_random_fill_hard(random, call->input[POSEMB__TABLE],
                             call->resolved.input[POSEMB__TABLE].bytes / 4);
    support_random_fill_hard(random, call->input[POSEMB__ROWS],
                             call->resolved.input[POSEMB__ROWS].bytes / 4);
    for (size_t i = 0; i < call->resolved.input[POSEMB__IDS].bytes / posemb__number_size(ids); i++)
        stage_put_number(call->input[POSEMB__IDS], i, ids,
                         chance(random, 3) ? drawn->desc.pad_id
                                           : draw(random, chance(random, 20) ? -1 : 0,
                                                  VOCAB - 1 + chance(random, 20)));
    for (size_t i = 0;
         call->resolved.input[POSEMB__PADDING].bytes &&
         i < call->resolved.input[POSEMB__PADDING].bytes / posemb__number_size(padding);
         i++)
        stage_put_number(
            call->input[POSEMB__PADDING], i, padding,
            drawn->desc.padding == POSEMB_PADDING_MASK
                ? (chance(random, 3) ? 0 : draw(random, 1, 3))
                : draw(random, chance(random, 9) ? -1 : 0, columns + chance(random, 9)));
    if (call->resolved.input[POSEMB__POSITIONS].bytes)
        fill_positions(random, drawn, call);
}

static void make_call(struct support_random *random, const struct drawn *drawn,
                      struct stage_call *call)
{
    memset(call, 0, sizeof *call);
    call->desc = drawn->desc;
    call->shape = drawn->shape;
    call->wanted[POSEMB__POSITIONS_OUT] = true;
    call->wanted[POSEMB__LENGTHS_OUT] = true;
    call->wanted[POSEMB__MASK_OUT] = true;
    stage_call_allocate(call);
    fill(random, drawn, call);
}

static void print_case(const void *context, const char *what)
{
    const struct drawn *drawn = context;
    const posemb_desc *desc = &drawn->desc;

    print_error(
        "%s: dim %u operation %d convention %d layout %d first %d denominator %d odd %d shift %g "
        "base %g amplitude %g frequency %g position_scale %g frequencies %d phases %d rule %d "
        "position_type %d axes %u padding %d padding_type %d pad_id %" PRId64
        " pad_policy %d id_type %d; batch %" PRIu64 " length %" PRIu64 " start %" PRId64
        " past %" PRIu64 " sequences %" PRIu64 "\n",
        what, desc->dim, (int)desc->operation, (int)desc->convention, (int)desc->layout,
        (int)desc->first, (int)desc->denominator, (int)desc->odd, desc->shift, desc->base,
        (double)desc->amplitude, desc->frequency, desc->position_scale, desc->frequencies != NULL,
        desc->phases != NULL, (int)desc->positions, (int)desc->position_type, desc->grid.axes,
        (int)desc->padding, (int)desc->padding_type, desc->pad_id, (int)desc->pad_policy,
        (int)desc->id_type, drawn->shape.batch, drawn->shape.length, drawn->shape.start,
        drawn->shape.past, drawn->shape.sequences);
}

/* How many of each kind were drawn: none may be missing. */
struct coverage {
    unsigned rules[8], paddings[6], policies[4], conventions[16], axes[4];
    unsigned floats, frequencies, phases, scratch, records;
};

static void cover(struct coverage *coverage, const struct drawn *drawn,
                  const struct stage_call *call)
{
    coverage->rules[drawn->desc.positions]++;
    coverage->paddings[drawn->desc.padding]++;
    coverage->policies[drawn->desc.pad_policy]++;
    coverage->conventions[drawn->desc.convention]++;
    coverage->axes[drawn->desc.grid.axes]++;
    coverage->floats += drawn->desc.position_type == POSEMB_FLOAT32;
    coverage->frequencies += drawn->desc.frequencies != NULL;
    coverage->phases += drawn->desc.phases != NULL;
    coverage->scratch += call->resolved.counted_columns > 4096;
    coverage->records += call->expected_record.position_count > 0;
}

static void assert_covered(const struct coverage *coverage, bool small)
{
    for (int i = 1; i <= POSEMB_POSITIONS_RAGGED; i++)
        assert_true(coverage->rules[i] > 0);
    for (int i = 1; i <= POSEMB_PADDING_LEFT_LENGTH; i++)
        assert_true(coverage->paddings[i] > 0);
    for (int i = 1; i <= POSEMB_PAD_ZERO_ROW; i++)
        assert_true(coverage->policies[i] > 0);
    for (size_t i = 1; i <= posemb_convention_count(); i++)
        assert_true(coverage->conventions[i] > 0);
    assert_true(coverage->axes[0] > 0 && coverage->axes[2] > 0 && coverage->axes[3] > 0);
    assert_true(coverage->floats > 0 && coverage->frequencies > 0 && coverage->phases > 0);
    assert_true(coverage->records > 0);
    assert_true(small || coverage->scratch > 0);
}

/* Without the disk: saving each program would cost more than compiling it. */
static posemb_engine *make_engine(posemb_session *session)
{
    const posemb_engine_options options = {.shape = support_shape(), .cache = POSEMB_CACHE_MEMORY};

    return support_engine_with(session, &options);
}

static void test_drawn_descriptions_have_the_bits_of_the_reference(void **state)
{
    const char *level = getenv("POSEMB_TEST_LEVEL");
    const bool small = level && strcmp(level, "small") == 0;
    const char *wanted = getenv("POSEMB_TEST_KINDS");
    const uint64_t kinds = wanted ? strtoull(wanted, NULL, 10) : (small ? 9 : 14);
    const int cases_of_a_kind = small ? 14 : 40;
    struct support_random random = support_random_from(4);
    struct coverage coverage;

    memset(&coverage, 0, sizeof coverage);
    for (uint64_t kind = 0; kind < kinds; kind++) {
        posemb_engine *engine = make_engine(*state); /* its programs go with it */

        for (int i = 0; i < cases_of_a_kind; i++) {
            struct drawn drawn;
            struct stage_call call;

            draw_desc(&random, kind, small, &drawn);
            draw_shape(&random, small, &drawn);
            make_call(&random, &drawn, &call);
            if (getenv("POSEMB_TEST_TRACE"))
                print_case(&drawn, "running");
            stage_call_run_reference(&call);
            stage_call_run_device(&call, *state, engine, print_case, &drawn);
            cover(&coverage, &drawn, &call);
            stage_call_free(&call);
        }
        posemb_engine_destroy(engine);
    }
    assert_covered(&coverage, small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn_descriptions_have_the_bits_of_the_reference),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
