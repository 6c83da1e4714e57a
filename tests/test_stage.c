/* Tables, storage types, extra tables, norms and policies: devices and the reference agree in every
 * bit, and in every output. POSEMB_TEST_LEVEL:
 *
 *     small, pairs  any two values of any two factors meet in a program; small has fewer and
 *                   shorter calls
 *     whole         the product of storage types, positions, extra tables and norms: an hour
 *
 * POSEMB_TEST_PROGRAMS: so many of the programs alone, for slow implementations. */
#include "desc.h"
#include "stage_call.h"
#include "storage.h"
#include "support/device.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What decides which program a plan has */

enum factor {
    OPERATION, /* posemb_operation - 1 */
    TABLE,     /* storage - 1 */
    ROWS,
    OUT,
    POSITION, /* sinusoids in pairs, in halves, none, and tables of four storage types */
    EXTRAS,   /* none, one of each storage but blocks, four; from 6 on one of blocks */
    NORM,
    GAMMA,
    BETA,
    NORM_STORAGE,
    ROUNDING,
    PROMPTS,
    SHARED, /* positions that are those of the column */
    PARTS,  /* the token table in several buffers */
    DIM,    /* a class of rows of one length when folded */
    FACTORS
};

static const unsigned value_count[FACTORS] = {3, 4, 3, 3, 7, 6, 3, 3, 2, 3, 2, 2, 2, 2, 5};

static const uint32_t dims[5][4] = {{1, 3, 9, 16},
                                    {64, 33, 63, 50},
                                    {128, 70, 100, 127},
                                    {384, 500, 512, 257},
                                    {1024, 768, 1000, 513}};

enum { MOST_VALUES = 64, CANDIDATES = 60, PROGRAMS_MAX = 2000, VOCAB = 23, LONG_DIM = 9001 };

struct program {
    unsigned value[FACTORS];
    const char *tuning; /* of the engine; NULL: what is built in */
    uint64_t batch;     /* of its calls; 0: drawn */
};

static int64_t draw(struct support_random *random, int64_t least, int64_t most)
{
    return support_random_int(random, least, most);
}

static bool chance(struct support_random *random, int64_t one_in)
{
    return draw(random, 1, one_in) == 1;
}

/* Whether the values can meet: what a description would refuse, or not use. */
static bool is_valid(const struct program *program)
{
    const unsigned *v = program->value;
    const posemb_operation operation = (posemb_operation)(v[OPERATION] + 1);
    const bool none = v[POSITION] == 2;

    return !(operation != POSEMB_ENCODE && (v[TABLE] || v[PROMPTS] || v[PARTS])) &&
           !(operation != POSEMB_ADD && v[ROWS] && !v[PROMPTS]) &&
           !(operation == POSEMB_TABLE && none) && !(none && v[SHARED]) &&
           !(v[PARTS] && v[EXTRAS] == 5) /* parameters enough for every device */ &&
           !(v[ROUNDING] && operation == POSEMB_ENCODE && v[TABLE] == 3) &&
           !(!v[NORM] && (v[GAMMA] || v[BETA] || v[NORM_STORAGE])) &&
           !(v[NORM] != 2 && v[GAMMA] == 1) && !(v[NORM_STORAGE] && v[GAMMA] == 2 && v[BETA]);
}

static void draw_program(struct support_random *random, struct program *program)
{
    *program = (struct program){.tuning = NULL};
    do
        for (int f = 0; f < FACTORS; f++)
            program->value[f] = (unsigned)draw(random, 0, value_count[f] - 1);
    while (!is_valid(program));
}

/* ---- Any two values of any two factors */

struct cover {
    unsigned first[FACTORS];
    bool met[MOST_VALUES][MOST_VALUES];
};

static unsigned new_pairs(struct cover *cover, const struct program *program, bool mark)
{
    unsigned count = 0;

    for (unsigned f = 0; f < FACTORS; f++) {
        for (unsigned g = 0; g < f; g++) {
            bool *met = &cover->met[cover->first[f] + program->value[f]]
                                   [cover->first[g] + program->value[g]];

            count += !*met;
            *met |= mark;
        }
    }
    return count;
}

/* Take the best of some candidates until a thousand of them bring nothing new. */
static size_t cover_pairs(struct program *programs)
{
    struct support_random random = support_random_from(5);
    static struct cover cover;
    size_t count = 0;
    unsigned idle = 0;

    memset(&cover, 0, sizeof cover);
    for (unsigned f = 1; f < FACTORS; f++)
        cover.first[f] = cover.first[f - 1] + value_count[f - 1];
    while (idle < 1000 && count < PROGRAMS_MAX) {
        struct program best = {.value = {0}};
        unsigned best_gain = 0;

        for (int i = 0; i < CANDIDATES; i++) {
            struct program candidate;
            draw_program(&random, &candidate);
            const unsigned gain = new_pairs(&cover, &candidate, false);

            if (gain > best_gain) {
                best = candidate;
                best_gain = gain;
            }
        }
        if (best_gain == 0) {
            idle += CANDIDATES;
            continue;
        }
        new_pairs(&cover, &best, true);
        programs[count++] = best;
    }
    return count;
}

/* Storage types, positions, extra tables and norms; the other factors as they come. */
static size_t list_product(struct program *programs)
{
    static const enum factor factors[] = {TABLE, OUT, POSITION, EXTRAS, NORM};
    struct support_random random = support_random_from(6);
    size_t count = 0;
    size_t product = 1;

    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        product *= value_count[factors[i]];
    for (size_t k = 0; k < product && count < PROGRAMS_MAX; k++) {
        struct program *program = &programs[count++];

        do {
            size_t rest = k;

            draw_program(&random, program);
            for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
                program->value[factors[i]] = (unsigned)(rest % value_count[factors[i]]);
                rest /= value_count[factors[i]];
            }
            program->value[OPERATION] = POSEMB_ENCODE - 1;
        } while (!is_valid(program));
    }
    return count;
}

/* ---- Descriptions and shapes */

static posemb_table_desc draw_table(struct support_random *random, unsigned storage)
{
    return (posemb_table_desc){(posemb_storage)(storage + 1), (posemb_scaling)draw(random, 0, 2),
                               (posemb_policy)draw(random, 0, POSEMB_POLICY_NAN_ROW)};
}

static float draw_factor(struct support_random *random)
{
    static const float factors[] = {0.0f, 1.0f, 1.5f, -0.37f, 22.627417f, 0x1p-140f, -3e38f};

    return factors[chance(random, 6) ? draw(random, 0, 6) : draw(random, 0, 4)];
}

static void draw_extras(struct support_random *random, unsigned value, posemb_desc *desc)
{
    const uint32_t count = value == 0 ? 0 : (value == 5 ? POSEMB_EXTRAS_MAX : 1);

    for (uint32_t k = 0; k < count; k++) {
        desc->extras[k].ids = (posemb_extra_ids)draw(random, 1, 3);
        desc->extras[k].id_type = (posemb_number_type)draw(random, 0, POSEMB_INT64);
        desc->extras[k].table =
            draw_table(random, count > 1 ? k : (value > 5 ? value - 2 : value - 1));
        desc->extras[k].scale = draw_factor(random);
    }
}

static void draw_positions(struct support_random *random, const unsigned *v, posemb_desc *desc)
{
    static const posemb_position_rule of_column[] = {POSEMB_POSITIONS_INDEX,
                                                     POSEMB_POSITIONS_EXPLICIT_SHARED};
    static const posemb_position_rule others[] = {
        POSEMB_POSITIONS_ROW_START, POSEMB_POSITIONS_EXPLICIT, POSEMB_POSITIONS_COUNT_BEFORE};

    if (v[POSITION] == 2) {
        desc->position_kind = POSEMB_NO_POSITION;
    } else if (v[POSITION] > 2) {
        desc->position_kind = POSEMB_LEARNED;
        desc->position_table = draw_table(random, v[POSITION] - 3);
    } else {
        desc->convention = v[POSITION] ? POSEMB_T2T : POSEMB_VASWANI;
        desc->position_table.policy = chance(random, 2) ? POSEMB_POLICY_NAN_ROW : 0;
    }
    if (v[POSITION] != 2)
        desc->positions = v[SHARED] ? of_column[draw(random, 0, 1)] : others[draw(random, 0, 2)];
    desc->position_type = (posemb_number_type)draw(random, 0, POSEMB_INT64);
    if (desc->positions == POSEMB_POSITIONS_COUNT_BEFORE || (!v[SHARED] && chance(random, 3))) {
        desc->padding = POSEMB_PADDING_MASK;
        desc->pad_policy = (posemb_pad_policy)draw(random, 0, POSEMB_PAD_ZERO_ROW);
    }
}

static void draw_desc(struct support_random *random, const struct program *program,
                      posemb_desc *desc)
{
    const unsigned *v = program->value;

    memset(desc, 0, sizeof *desc);
    desc->dim = dims[v[DIM]][draw(random, 0, 3)];
    desc->operation = (posemb_operation)(v[OPERATION] + 1);
    desc->consumer = (posemb_consumer)draw(random, 1, 2);
    desc->id_type = (posemb_number_type)draw(random, 0, POSEMB_INT64);
    desc->token_scale = draw_factor(random);
    desc->prompt_scale = draw_factor(random);
    desc->tokens = draw_table(random, v[TABLE]);
    desc->table_parts = v[PARTS] ? (uint32_t)draw(random, 2, POSEMB_PARTS_MAX) : 0;
    desc->rows_storage = (posemb_storage)(v[ROWS] + 1);
    desc->out_storage = (posemb_storage)(v[OUT] + 1);
    desc->soft_prompts = v[PROMPTS];
    draw_positions(random, v, desc);
    draw_extras(random, v[EXTRAS], desc);
    desc->norm = (posemb_norm)(v[NORM] + 1);
    desc->gamma = (posemb_gamma)(v[GAMMA] + 1);
    desc->beta = v[BETA] ? POSEMB_BETA_NONE : POSEMB_BETA_ADDED;
    desc->norm_storage = (posemb_storage)(v[NORM_STORAGE] + 1);
    desc->epsilon = (float[]){0.0f, 1e-12f, 1e-6f, 1e-45f, 1.0f}[draw(random, 0, 4)];
    desc->rounding = (posemb_rounding)(v[ROUNDING] + 1);
    desc->concurrency = 1;
}

static posemb_storage resolved_storage(posemb_storage storage)
{
    return storage == POSEMB_STORAGE_DEFAULT ? POSEMB_F32 : storage;
}

/* Strides that leave gaps, of whole elements, now and then. */
static uint64_t draw_stride(struct support_random *random, uint32_t dim, posemb_storage storage)
{
    const posemb_storage_info *info = posemb_storage_find(resolved_storage(storage));

    return chance(random, 3) ? posemb_storage_row_bytes(info->storage, dim) +
                                   (uint64_t)draw(random, 1, 20) * info->alignment
                             : 0;
}

static void draw_shape(struct support_random *random, const posemb_desc *desc, bool small,
                       posemb_shape *shape)
{
    memset(shape, 0, sizeof *shape);
    shape->batch = (uint64_t)draw(random, 1, small ? 9 : 17);
    shape->length = (uint64_t)draw(random, 1, small ? 4 : 12);
    if (desc->dim > 4096)
        shape->batch = 1;
    shape->vocab = VOCAB;
    shape->start = draw(random, -1, 5);
    if (desc->operation == POSEMB_ENCODE && chance(random, 3)) {
        shape->shard_first = (uint64_t)draw(random, 0, VOCAB - 1);
        shape->shard_rows = (uint64_t)draw(random, 1, VOCAB - (int64_t)shape->shard_first);
    }
    if (desc->table_parts && chance(random, 2)) {
        const uint64_t rows = shape->shard_rows ? shape->shard_rows : VOCAB;
        const uint64_t least = (rows + desc->table_parts - 1) / desc->table_parts;

        shape->part_rows = least + (uint64_t)draw(random, 0, 3);
    }
    if (desc->soft_prompts)
        shape->prompt_rows = (uint64_t)draw(random, 0, 5);
    if (desc->position_kind == POSEMB_LEARNED)
        shape->position_rows = (uint64_t)draw(random, 1, 12);
    shape->table_stride = draw_stride(random, desc->dim, desc->tokens.storage);
    shape->position_table_stride = draw_stride(random, desc->dim, desc->position_table.storage);
    shape->rows_stride = draw_stride(random, desc->dim, desc->rows_storage);
    shape->out_stride = draw_stride(random, desc->dim, desc->out_storage);
    for (uint32_t k = 0; k < posemb__extra_count(desc); k++) {
        posemb_extra_shape *extra = &shape->extras[k];

        extra->rows = (uint64_t)draw(random, 1, 6);
        extra->table_stride = draw_stride(random, desc->dim, desc->extras[k].table.storage);
        extra->id = draw(random, chance(random, 5) ? -3 : 0, (int64_t)extra->rows - 1);
    }
}

/* ---- Data */

/* Rows as they come, and such as random numbers hide: constant, far from 0, subnormal, with NaN and
 * infinities. */
static void fill_row(struct support_random *random, void *row, uint32_t count,
                     posemb_storage storage)
{
    static const float specials[] = {0.0f,  -0.0f,  1e-40f,   65504.0f,  65520.0f, 6e-8f, 2.9e-8f,
                                     1e30f, -1e20f, INFINITY, -INFINITY, NAN,      1.0f};
    const int64_t kind = draw(random, 0, 11);
    const float middle = kind == 1 ? 100.0f : (kind == 2 ? -3000.0f : 0.0f);
    const float constant = support_random_float(random) * 10.0f;
    const float spread = kind == 3 ? 1e-39f : (kind == 4 ? 1e18f : (kind == 5 ? 3e-5f : 1.0f));

    for (uint32_t c = 0; c < count; c++) {
        float value = middle + spread * support_random_float(random);

        if (kind == 6)
            value = constant;
        if (kind == 7 && chance(random, 8))
            value = specials[draw(random, 0, 12)];
        if (kind == 8)
            value = support_random_hard_float(random);
        if (storage == POSEMB_I8)
            ((int8_t *)row)[c] = (int8_t)(kind == 6 ? 77 : draw(random, -128, 127));
        else if (storage != POSEMB_F32 && kind == 9) /* any bits */
            ((uint16_t *)row)[c] = (uint16_t)support_random_bits(random);
        else
            posemb__store_element(row, c, storage, value);
    }
}

/* Any bytes, but scales that floats can bear, mostly. */
static void fill_blocks(struct support_random *random, unsigned char *row, uint32_t dim,
                        posemb_storage storage)
{
    static const uint16_t specials[] = {0, 0x8000, 1, 0x83ff, 0x7bff, 0x7c00, 0xfc00, 0x7e01};
    const posemb_storage_info *info = posemb_storage_find(storage);
    const bool hard = chance(random, 6);

    for (uint32_t block = 0; block < dim / info->block; block++, row += info->block_bytes) {
        uint16_t halves[2];

        for (uint32_t i = 0; i < info->block_bytes; i++)
            row[i] = (unsigned char)support_random_bits(random);
        for (int i = 0; i < 2; i++)
            halves[i] = hard && chance(random, 4)
                            ? specials[draw(random, 0, 7)]
                            : posemb__to_f16(0.02f * support_random_float(random));
        posemb__set_block_halves(row, storage, halves[0], halves[1]);
    }
}

/* Rows of a table of blocks, with the gaps between them as they are. */
static void fill_block_rows(struct support_random *random, const struct stage_call *call, int input,
                            posemb_storage storage)
{
    const uint32_t dim = call->desc.dim;
    const uint64_t row = posemb_storage_row_bytes(storage, dim);
    const uint64_t bytes = call->resolved.input[input].bytes;
    uint64_t stride = call->resolved.shape.table_stride;

    if (input == POSEMB__POSITION_TABLE)
        stride = call->resolved.shape.position_table_stride;
    if (input >= POSEMB__EXTRA_TABLE)
        stride = call->resolved.shape.extras[input - POSEMB__EXTRA_TABLE].table_stride;
    for (uint64_t at = 0; at + row <= bytes; at += stride)
        fill_blocks(random, (unsigned char *)call->input[input] + at, dim, storage);
}

static void fill_elements(struct support_random *random, const struct stage_call *call, int input,
                          posemb_storage storage)
{
    const posemb_storage resolved = resolved_storage(storage);
    const uint64_t size = posemb__storage_size(resolved);
    const uint64_t count = call->resolved.input[input].bytes / size;
    char *place = call->input[input];

    if (posemb_storage_find(resolved)->block > 1) {
        fill_block_rows(random, call, input, resolved);
        return;
    }
    for (uint64_t c = 0; c < count; c += call->desc.dim) {
        const uint64_t left = count - c;

        fill_row(random, place + c * size, left < call->desc.dim ? (uint32_t)left : call->desc.dim,
                 resolved);
    }
}

static void fill_numbers(struct support_random *random, const struct stage_call *call, int input,
                         posemb_number_type type, int64_t rows)
{
    const uint64_t size = posemb__number_size(type);

    for (size_t i = 0; i < call->resolved.input[input].bytes / size; i++)
        stage_put_number(call->input[input], i, type,
                         chance(random, 12) ? draw(random, -rows - 1, rows + 2)
                                            : draw(random, 0, rows - 1));
}

static void fill_scales(struct support_random *random, const struct stage_call *call, int input)
{
    for (size_t i = 0; i < call->resolved.input[input].bytes / 4; i++)
        ((float *)call->input[input])[i] =
            chance(random, 20) ? support_random_hard_float(random) : support_random_float(random);
}

static void fill(struct support_random *random, struct stage_call *call)
{
    const posemb_desc *desc = &call->desc;
    const int64_t positions =
        desc->position_kind == POSEMB_LEARNED ? (int64_t)call->shape.position_rows : 100000;

    for (int k = 0; k < (int)POSEMB_PARTS_MAX; k++)
        fill_elements(random, call, POSEMB__TABLE + k, desc->tokens.storage);
    fill_elements(random, call, POSEMB__ROWS, desc->rows_storage);
    fill_elements(random, call, POSEMB__POSITION_TABLE, desc->position_table.storage);
    fill_elements(random, call, POSEMB__GAMMA, desc->norm_storage);
    fill_elements(random, call, POSEMB__BETA, desc->norm_storage);
    fill_scales(random, call, POSEMB__TABLE_SCALES);
    fill_scales(random, call, POSEMB__POSITION_SCALES);
    fill_numbers(random, call, POSEMB__IDS, desc->id_type,
                 VOCAB + (int64_t)call->shape.prompt_rows);
    fill_numbers(random, call, POSEMB__POSITIONS, desc->position_type, positions);
    fill_numbers(random, call, POSEMB__PADDING, POSEMB_INT32, 3);
    for (int k = 0; k < (int)posemb__extra_count(desc); k++) {
        fill_elements(random, call, POSEMB__EXTRA_TABLE + k, desc->extras[k].table.storage);
        fill_scales(random, call, POSEMB__EXTRA_SCALES + k);
        fill_numbers(random, call, POSEMB__EXTRA_IDS + k, desc->extras[k].id_type,
                     (int64_t)call->shape.extras[k].rows);
    }
}

/* `batch`: 0: drawn. */
static void make_call(struct support_random *random, const posemb_desc *desc, bool small,
                      uint64_t batch, struct stage_call *call)
{
    memset(call, 0, sizeof *call);
    call->desc = *desc;
    draw_shape(random, desc, small, &call->shape);
    if (batch != 0)
        call->shape.batch = batch;
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        call->wanted[i] = chance(random, 2);
    call->in_place = desc->operation == POSEMB_ADD && desc->rows_storage == desc->out_storage &&
                     chance(random, 2);
    if (call->in_place)
        call->shape.rows_stride = call->shape.out_stride;
    stage_call_allocate(call);
    fill(random, call);
}

/* ---- Runs */

struct context {
    const struct program *program;
    const struct stage_call *call;
};

static void print_case(const void *data, const char *what)
{
    const struct context *context = data;
    const unsigned *v = context->program->value;
    const posemb_desc *desc = &context->call->desc;

    print_error("%s: tuning %s; D %u [%" PRIu64 ", %" PRIu64
                "]; operation %u table %u rows %u out %u position %u "
                "extras %u norm %u gamma %u beta %u norm_storage %u rounding %u prompts %u shared "
                "%u parts %u; rule %d "
                "padding %d pads %d consumer %d in place %d; token scale %a epsilon %a\n",
                what, context->program->tuning ? context->program->tuning : "built in", desc->dim,
                context->call->shape.batch, context->call->shape.length, v[OPERATION], v[TABLE],
                v[ROWS], v[OUT], v[POSITION], v[EXTRAS], v[NORM], v[GAMMA], v[BETA],
                v[NORM_STORAGE], v[ROUNDING], v[PROMPTS], v[SHARED], desc->table_parts,
                (int)desc->positions, (int)desc->padding, (int)desc->pad_policy,
                (int)desc->consumer, context->call->in_place, (double)desc->token_scale,
                (double)desc->epsilon);
}

/* What was seen, of which none may be missing. */
struct coverage {
    size_t calls, clamped, nan_rows, prompts, shards, in_place, sums, extras_bad;
};

static void cover_call(struct coverage *coverage, const struct stage_call *call)
{
    const posemb_desc *desc = &call->desc;
    const posemb_record *record = &call->expected_record;

    coverage->calls++;
    coverage->clamped += record->id_count && desc->tokens.policy == POSEMB_POLICY_CLAMP;
    coverage->nan_rows += record->id_count && desc->tokens.policy == POSEMB_POLICY_NAN_ROW;
    coverage->prompts += call->shape.prompt_rows > 0;
    coverage->shards += call->shape.shard_rows > 0;
    coverage->in_place += call->in_place;
    coverage->sums += call->size[POSEMB__SUM_OUT] > 0;
    coverage->extras_bad += record->extras[0].count > 0;
}

static posemb_engine *make_engine(posemb_session *session, const char *tuning)
{
    const posemb_engine_options options = {.shape = support_shape(),
                                           .streamed_threshold = 1,
                                           .follows_threshold = UINT64_MAX,
                                           .tuning = tuning,
                                           .cache = POSEMB_CACHE_MEMORY};

    return support_engine_with(session, &options);
}

static void run_program(posemb_session *session, struct support_random *random,
                        const struct program *program, void (*change)(posemb_desc *desc, int i),
                        int calls, bool small, struct coverage *coverage)
{
    posemb_engine *engine = make_engine(session, program->tuning); /* its programs go with it */

    for (int i = 0; i < calls; i++) {
        struct stage_call call;
        const struct context context = {program, &call};
        posemb_desc desc;

        draw_desc(random, program, &desc);
        if (change)
            change(&desc, i);
        make_call(random, &desc, small, program->batch, &call);
        if (getenv("POSEMB_TEST_TRACE"))
            print_case(&context, "running");
        stage_call_run_reference(&call);
        stage_call_run_device(&call, session, engine, print_case, &context);
        cover_call(coverage, &call);
        stage_call_free(&call);
    }
    posemb_engine_destroy(engine);
}

static const char *test_level(void)
{
    const char *level = getenv("POSEMB_TEST_LEVEL");

    return level ? level : "pairs";
}

/* Tuning of a program of the cover: of every other one what is built in, else anything. */
static const char *draw_tuning(struct support_random *random, size_t index,
                               char text[POSEMB_TUNING_SIZE])
{
    static const char *const shared[] = {"off", "1", "2", "4", "8", "16"};

    if (index % 2 == 0)
        return NULL;
    snprintf(text, POSEMB_TUNING_SIZE,
             "any: rows=%d shared_rows=%s turns=%d prefetch=%d vector=%d local_size=%d kept=%d "
             "count_columns=%d count_chunk=16",
             1 << draw(random, 0, 4), shared[draw(random, 0, 5)], (int)draw(random, 1, 9),
             (int)draw(random, 0, 20), 4 << draw(random, 0, 1), 1 << draw(random, 0, 8),
             (int)draw(random, 0, 1) * 600, (int)draw(random, 0, 1) * 4096);
    return text;
}

static void test_every_pair_of_choices_has_the_bits_of_the_reference(void **state)
{
    static struct program programs[PROGRAMS_MAX];
    const bool small = strcmp(test_level(), "small") == 0;
    const bool whole = strcmp(test_level(), "whole") == 0;
    struct support_random random = support_random_from(7);
    struct support_random of_tuning = support_random_from(10);
    char tuning[POSEMB_TUNING_SIZE];
    struct coverage coverage;
    const char *wanted = getenv("POSEMB_TEST_PROGRAMS");
    const size_t most = wanted ? strtoull(wanted, NULL, 10) : PROGRAMS_MAX;
    const size_t all = whole ? list_product(programs) : cover_pairs(programs);
    const size_t count = all < most ? all : most;

    memset(&coverage, 0, sizeof coverage);
    for (size_t i = 0; i < count; i++) {
        programs[i].tuning = draw_tuning(&of_tuning, i, tuning);
        run_program(*state, &random, &programs[i], NULL, small ? 4 : 10, small, &coverage);
    }
    print_message("level %s: %zu programs, %zu calls\n", test_level(), count, coverage.calls);
    assert_true(coverage.calls > 0);
    if (count < all)
        return;
    assert_true(coverage.clamped > 0 && coverage.nan_rows > 0);
    assert_true(coverage.prompts > 0 && coverage.shards > 0 && coverage.in_place > 0);
    assert_true(coverage.sums > 0 && coverage.extras_bad > 0);
}

/* ---- Tuning */

/* Each value of each setting, on small programs. */
static const struct program tuned_cpu[] = {
    {{[SHARED] = 1, [DIM] = 2}, "any: rows=1 shared_rows=16 prefetch=0", 32},
    {{[TABLE] = 2, [OUT] = 1, [POSITION] = 1, [DIM] = 3}, "any: rows=16 prefetch=64", 0},
    {{[TABLE] = 3, [NORM] = 1, [SHARED] = 1, [DIM] = 3}, "any: shared_rows=1 turns=1", 5},
    {{[OPERATION] = 1, [ROWS] = 1, [SHARED] = 1, [DIM] = 2}, "any: shared_rows=2 rows=4", 8},
    {{[TABLE] = 1, [NORM] = 2, [DIM] = 4}, "any: rows=2 turns=64 prefetch=3", 0},
    {{[OPERATION] = 2, [OUT] = 2, [POSITION] = 1, [SHARED] = 1}, "any: shared_rows=4", 9},
    {{[POSITION] = 3, [SHARED] = 1, [DIM] = 2}, "any: rows=8 shared_rows=off count_columns=0", 16},
};
static const struct program tuned_gpu[] = {
    {{[SHARED] = 1, [DIM] = 2}, "any: vector=8 rows=1 shared_rows=16 local_size=4", 32},
    {{[TABLE] = 2, [OUT] = 1, [POSITION] = 1, [DIM] = 3}, "any: vector=8 rows=16 local_size=1", 0},
    {{[TABLE] = 3, [NORM] = 1, [SHARED] = 1, [DIM] = 3},
     "any: shared_rows=1 kept=0 local_size=2",
     5},
    {{[OPERATION] = 1, [ROWS] = 1, [SHARED] = 1, [DIM] = 2}, "any: vector=8 shared_rows=2", 8},
    {{[TABLE] = 1, [NORM] = 2, [DIM] = 4}, "any: rows=2 kept=900 local_size=512", 0},
    {{[OPERATION] = 2, [OUT] = 2, [POSITION] = 1, [SHARED] = 1}, "any: vector=8 shared_rows=8", 9},
    {{[POSITION] = 3, [SHARED] = 1, [DIM] = 2}, "any: vector=8 shared_rows=off rows=8", 16},
};

static void test_tuning_changes_no_bit(void **state)
{
    posemb_engine *engine = make_engine(*state, NULL);
    const bool cpu = posemb_engine_resolved(engine).shape == POSEMB_SHAPE_CPU;
    const struct program *programs = cpu ? tuned_cpu : tuned_gpu;
    const size_t count = (cpu ? sizeof tuned_cpu : sizeof tuned_gpu) / sizeof *programs;
    struct support_random random = support_random_from(11);
    struct coverage coverage;

    posemb_engine_destroy(engine);
    memset(&coverage, 0, sizeof coverage);
    for (size_t i = 0; i < count; i++)
        run_program(*state, &random, &programs[i], NULL, 4, true, &coverage);
    assert_int_equal(coverage.calls, 4 * count);
}

/* ---- Tables of blocks */

/* Rows of whole blocks, of one length when folded. */
static void choose_blocks(posemb_desc *desc, int i)
{
    const bool large = desc->tokens.storage > POSEMB_Q5_1 ||
                       desc->position_table.storage > POSEMB_Q5_1 ||
                       desc->extras[0].table.storage > POSEMB_Q5_1;

    desc->dim = large ? (uint32_t[]){768, 1024}[i % 2] : (uint32_t[]){288, 480, 512, 384}[i % 4];
}

/* A grid whose segments begin within a vector of channels. */
static void choose_blocks_and_grid(posemb_desc *desc, int i)
{
    choose_blocks(desc, i);
    desc->positions = POSEMB_POSITIONS_EXPLICIT;
    desc->padding = POSEMB_PADDING_NONE;
    desc->pad_policy = POSEMB_PAD_COMPUTED;
    desc->grid.axes = 2;
    desc->grid.dim[0] = 20 + 2 * (uint32_t)i;
    desc->grid.dim[1] = desc->dim - desc->grid.dim[0];
}

/* Each type as that of tokens, positions and extra tables, with and without a norm, parts, shared
 * positions; on a grid. */
static void test_blocks_have_the_bits_of_the_reference(void **state)
{
    const unsigned first = POSEMB_Q8_0 - 1;
    const unsigned types = POSEMB__STORAGES - first;
    const char *wanted = getenv("POSEMB_TEST_PROGRAMS");
    const unsigned most = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 3 * types;
    struct support_random random = support_random_from(9);
    struct coverage coverage;

    memset(&coverage, 0, sizeof coverage);
    for (unsigned k = 0; k < 3 * types && k < most; k++) {
        const unsigned t = k % types;
        const struct program sums = {.value = {[TABLE] = first + t,
                                               [OUT] = t % 3,
                                               [POSITION] = t / 2 % 2,
                                               [SHARED] = t % 2,
                                               [PARTS] = t / 4 % 2},
                                     .tuning = t % 2 ? "any: vector=8 rows=2" : NULL};
        const struct program norms = {.value = {[TABLE] = first + t,
                                                [POSITION] = 3 + first + (t + 3) % types,
                                                [EXTRAS] = 6 + (t + 7) % types,
                                                [NORM] = 1 + t % 2,
                                                [PROMPTS] = t / 2 % 2}};
        const struct program grid = {.value = {[TABLE] = first + t, [POSITION] = (t + 1) % 2},
                                     .tuning = t % 2 ? NULL : "any: vector=8 rows=1"};

        if (k < types)
            run_program(*state, &random, &sums, choose_blocks, 4, true, &coverage);
        else if (k < 2 * types)
            run_program(*state, &random, &norms, choose_blocks, 4, true, &coverage);
        else
            run_program(*state, &random, &grid, choose_blocks_and_grid, 2, true, &coverage);
    }
    if (most >= 3 * types)
        assert_true(coverage.shards > 0 && coverage.clamped > 0 && coverage.prompts > 0);
}

/* Beyond what a work-group of a GPU can hold. */
static void test_long_rows_are_normalised(void **state)
{
    static const struct program layer = {.value = {[EXTRAS] = 1, [NORM] = 1, [OUT] = 1}};
    static const struct program rms = {.value = {[TABLE] = 2, [POSITION] = 1, [NORM] = 2}};
    struct support_random random = support_random_from(8);
    const struct program *const programs[] = {&layer, &rms};

    for (int i = 0; i < 2; i++) {
        posemb_engine *engine = make_engine(*state, NULL);
        struct stage_call call;
        const struct context context = {programs[i], &call};
        posemb_desc desc;

        draw_desc(&random, programs[i], &desc);
        desc.dim = LONG_DIM;
        make_call(&random, &desc, true, 0, &call);
        stage_call_run_reference(&call);
        stage_call_run_device(&call, *state, engine, print_case, &context);
        stage_call_free(&call);
        posemb_engine_destroy(engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_of_choices_has_the_bits_of_the_reference),
        cmocka_unit_test(test_tuning_changes_no_bit),
        cmocka_unit_test(test_blocks_have_the_bits_of_the_reference),
        cmocka_unit_test(test_long_rows_are_normalised),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
