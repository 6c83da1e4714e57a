#include "split_cases.h"

#include "desc.h"
#include "storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <string.h>

enum { VOCAB = 11 };

static int64_t draw(struct support_random *random, int64_t least, int64_t most)
{
    return support_random_int(random, least, most);
}

static bool chance(struct support_random *random, int64_t one_in)
{
    return draw(random, 1, one_in) == 1;
}

/* ---- Descriptions */

static posemb_table_desc draw_table(struct support_random *random, bool blocks)
{
    return (posemb_table_desc){(posemb_storage)draw(random, 1, blocks ? POSEMB_Q5_1 : POSEMB_I8),
                               (posemb_scaling)draw(random, 0, 2),
                               (posemb_policy)draw(random, 0, POSEMB_POLICY_NAN_ROW)};
}

static void draw_padding(struct support_random *random, posemb_desc *desc)
{
    const bool counts = desc->positions == POSEMB_POSITIONS_COUNT ||
                        desc->positions == POSEMB_POSITIONS_COUNT_BEFORE;
    const int least = counts ? POSEMB_PADDING_TOKEN : POSEMB_PADDING_NONE;

    do
        desc->padding = (posemb_padding)draw(random, least, POSEMB_PADDING_LEFT_LENGTH);
    while (desc->padding == POSEMB_PADDING_TOKEN && desc->operation != POSEMB_ENCODE);
    if (desc->padding == POSEMB_PADDING_NONE)
        return;
    desc->pad_policy = (posemb_pad_policy)draw(random, 0, POSEMB_PAD_ZERO_ROW);
    desc->padding_type = (posemb_number_type)draw(random, POSEMB_INT32, POSEMB_INT64);
    if (desc->padding == POSEMB_PADDING_MASK && chance(random, 2))
        desc->padding_type = POSEMB_UINT8;
    if (desc->padding == POSEMB_PADDING_TOKEN)
        desc->pad_id = 1;
}

static void draw_positions(struct support_random *random, posemb_desc *desc)
{
    desc->positions = (posemb_position_rule)draw(random, 1, POSEMB_POSITIONS_COUNT_BEFORE);
    desc->position_type = (posemb_number_type)draw(random, 1, 2);
    draw_padding(random, desc);
    if (chance(random, 4)) {
        desc->position_kind = POSEMB_LEARNED;
        desc->position_table = draw_table(random, false);
        return;
    }
    if (desc->positions == POSEMB_POSITIONS_EXPLICIT && chance(random, 2))
        desc->position_type = POSEMB_FLOAT32;
    if (desc->dim >= 4 && desc->dim % 4 == 0 && desc->padding == POSEMB_PADDING_NONE &&
        (desc->positions == POSEMB_POSITIONS_EXPLICIT ||
         desc->positions == POSEMB_POSITIONS_EXPLICIT_SHARED ||
         desc->positions == POSEMB_POSITIONS_INDEX) &&
        chance(random, 3)) {
        desc->grid.axes = 2;
        if (desc->positions == POSEMB_POSITIONS_INDEX) {
            desc->grid.count[0] = 2;
            desc->grid.count[1] = 3;
        }
    }
}

static void draw_norm(struct support_random *random, posemb_desc *desc)
{
    desc->norm = (posemb_norm)draw(random, POSEMB_NORM_NONE, POSEMB_NORM_RMS);
    desc->gamma = (posemb_gamma)(chance(random, 2) ? POSEMB_GAMMA_NONE : POSEMB_GAMMA_FACTOR);
    desc->norm_storage = (posemb_storage)draw(random, 1, 3);
}

posemb_desc split_case_desc(struct support_random *random)
{
    static const uint32_t dims[] = {6, 32, 33, 64, 32};
    posemb_desc desc = {.dim = dims[draw(random, 0, 4)],
                        .operation = (posemb_operation)(chance(random, 2) ? 1 : draw(random, 1, 3)),
                        .id_type = (posemb_number_type)draw(random, 1, 2),
                        .token_scale = 1.5f,
                        .rows_storage = (posemb_storage)draw(random, 1, 3),
                        .out_storage = (posemb_storage)draw(random, 1, 3),
                        .concurrency = 1};
    const uint32_t extras = chance(random, 2) ? (uint32_t)draw(random, 1, 3) : 0;

    if (desc.operation == POSEMB_ENCODE) {
        desc.tokens = draw_table(random, desc.dim % 32 == 0);
        desc.table_parts = chance(random, 4) ? 3 : 0;
        desc.soft_prompts = chance(random, 4);
    }
    if (desc.operation == POSEMB_ADD && chance(random, 2))
        desc.rows_storage = desc.out_storage;
    draw_positions(random, &desc);
    for (uint32_t k = 0; k < extras; k++) {
        desc.extras[k].ids = (posemb_extra_ids)draw(random, 1, 3);
        desc.extras[k].id_type = (posemb_number_type)draw(random, 1, 2);
        desc.extras[k].table = draw_table(random, false);
        desc.extras[k].scale = -0.5f;
    }
    draw_norm(random, &desc);
    return desc;
}

bool split_case_has_columns(const posemb_desc *desc)
{
    return desc->positions != POSEMB_POSITIONS_COUNT &&
           desc->positions != POSEMB_POSITIONS_COUNT_BEFORE &&
           !(desc->grid.axes && desc->positions == POSEMB_POSITIONS_INDEX) &&
           desc->padding != POSEMB_PADDING_LEFT_COUNT &&
           desc->padding != POSEMB_PADDING_LEFT_LENGTH;
}

/* ---- Shapes */

static uint64_t draw_gap(struct support_random *random, uint64_t dense, uint64_t unit)
{
    return chance(random, 3) ? dense + unit * (uint64_t)draw(random, 1, 40) : 0;
}

static uint64_t row_of(const posemb_desc *desc, posemb_storage storage)
{
    return desc->dim * posemb__storage_size(storage);
}

static void draw_shape(struct support_random *random, const posemb_desc *desc, int64_t most_rows,
                       int64_t most_columns, posemb_shape *shape)
{
    const uint64_t out_row = row_of(desc, desc->out_storage);
    const uint64_t out_unit = posemb__storage_size(desc->out_storage);
    const bool explicit_rule = desc->positions == POSEMB_POSITIONS_EXPLICIT ||
                               desc->positions == POSEMB_POSITIONS_EXPLICIT_SHARED;

    memset(shape, 0, sizeof *shape);
    shape->batch = (uint64_t)draw(random, 1, most_rows);
    shape->length = (uint64_t)draw(random, 1, most_columns);
    if (desc->grid.count[0])
        shape->length = 6;
    shape->vocab = VOCAB;
    shape->prompt_rows = desc->soft_prompts ? 3 : 0;
    shape->position_rows = desc->position_kind == POSEMB_LEARNED ? 24 : 0;
    shape->start = desc->position_type == POSEMB_FLOAT32 ? 0 : draw(random, -2, 7);
    if (!explicit_rule && !desc->grid.axes)
        shape->past = (uint64_t)draw(random, 0, 5);
    shape->out_stride = draw_gap(random, out_row, out_unit);
    if (chance(random, 3))
        shape->out_batch_stride =
            shape->length * (shape->out_stride ? shape->out_stride : out_row) + 256;
    if (desc->operation == POSEMB_ADD)
        shape->rows_stride = draw_gap(random, row_of(desc, desc->rows_storage),
                                      posemb__storage_size(desc->rows_storage));
    if (chance(random, 3))
        shape->ids_batch_stride = (shape->length + 3) * posemb__number_size(desc->id_type);
    if (desc->positions == POSEMB_POSITIONS_EXPLICIT && chance(random, 3))
        shape->positions_batch_stride = (shape->length + 1) *
                                        (desc->grid.axes ? desc->grid.axes : 1) *
                                        posemb__number_size(desc->position_type);
    for (uint32_t k = 0; k < posemb__extra_count(desc); k++) {
        shape->extras[k].rows = 4;
        shape->extras[k].id = 2;
        if (desc->extras[k].ids == POSEMB_EXTRA_OF_TOKEN && chance(random, 2))
            shape->extras[k].ids_batch_stride =
                (shape->length + 2) * posemb__number_size(desc->extras[k].id_type);
    }
}

/* [S, B, D] */
static void interleave(const posemb_desc *desc, posemb_shape *shape)
{
    const uint64_t row = row_of(desc, desc->out_storage) + 64;

    if (shape->batch < 2)
        shape->batch = 2;
    if (shape->length < 2)
        shape->length = 2;
    shape->out_stride = shape->batch * row;
    shape->out_batch_stride = row;
}

/* ---- Data */

static void fill_table(struct support_random *random, unsigned char *place, uint64_t bytes,
                       posemb_storage storage)
{
    const posemb_storage_info *info = posemb_storage_find(storage);

    for (uint64_t i = 0; i < bytes; i++)
        place[i] = (unsigned char)support_random_bits(random);
    if (storage == POSEMB_I8)
        return;
    for (uint64_t i = 0; i < bytes / info->block_bytes; i++) {
        if (info->block > 1)
            posemb__set_block_halves(place + i * info->block_bytes, storage, 0x1c00, 0x2400);
        else
            posemb__store_element(place, i, storage, support_random_float(random));
    }
}

/* Some out of range. */
static void fill_numbers(struct support_random *random, const struct stage_call *call, int input,
                         posemb_number_type type, int64_t rows)
{
    const uint64_t bytes = call->resolved.input[input].bytes;

    for (uint64_t i = 0; i < bytes / posemb__number_size(type); i++) {
        const int64_t value = chance(random, 9) ? rows + draw(random, 0, 2) - 4 * chance(random, 2)
                                                : draw(random, 0, rows - 1);
        const float real = (float)value * 0.25f;

        if (type == POSEMB_FLOAT32)
            memcpy((char *)call->input[input] + 4 * i, &real, 4);
        else
            stage_put_number(call->input[input], (size_t)i, type, value);
    }
}

static void fill_scales(struct support_random *random, const struct stage_call *call, int input)
{
    for (uint64_t i = 0; i < call->resolved.input[input].bytes / sizeof(float); i++)
        ((float *)call->input[input])[i] = support_random_float(random);
}

static void fill(struct support_random *random, struct stage_call *call)
{
    const posemb_desc *desc = &call->desc;
    const posemb_shape *shape = &call->resolved.shape;
    const struct posemb__span *input = call->resolved.input;

    if (input[POSEMB__TABLE].bytes) /* with all of its parts */
        fill_table(random, call->input[POSEMB__TABLE], shape->shard_rows * shape->table_stride,
                   desc->tokens.storage);
    fill_table(random, call->input[POSEMB__ROWS], input[POSEMB__ROWS].bytes, desc->rows_storage);
    if (desc->position_kind == POSEMB_LEARNED)
        fill_table(random, call->input[POSEMB__POSITION_TABLE], input[POSEMB__POSITION_TABLE].bytes,
                   desc->position_table.storage);
    fill_table(random, call->input[POSEMB__GAMMA], input[POSEMB__GAMMA].bytes, desc->norm_storage);
    fill_table(random, call->input[POSEMB__BETA], input[POSEMB__BETA].bytes, desc->norm_storage);
    fill_scales(random, call, POSEMB__TABLE_SCALES);
    fill_scales(random, call, POSEMB__POSITION_SCALES);
    fill_numbers(random, call, POSEMB__IDS, desc->id_type, VOCAB + (int64_t)shape->prompt_rows);
    fill_numbers(random, call, POSEMB__POSITIONS, desc->position_type, 20);
    fill_numbers(random, call, POSEMB__PADDING,
                 desc->padding_type ? desc->padding_type : POSEMB_INT32,
                 desc->padding == POSEMB_PADDING_MASK ? 2 : 1 + (int64_t)shape->length);
    for (uint32_t k = 0; k < posemb__extra_count(desc); k++) {
        fill_table(random, call->input[POSEMB__EXTRA_TABLE + k],
                   input[POSEMB__EXTRA_TABLE + k].bytes, desc->extras[k].table.storage);
        fill_scales(random, call, (int)(POSEMB__EXTRA_SCALES + k));
        fill_numbers(random, call, (int)(POSEMB__EXTRA_IDS + k), desc->extras[k].id_type, 4);
    }
}

static void make(struct support_random *random, const posemb_desc *desc, int64_t most_rows,
                 int64_t most_columns, bool interleaved, struct stage_call *call)
{
    memset(call, 0, sizeof *call);
    call->desc = *desc;
    assert_int_equal(posemb_desc_resolve(desc, &call->desc, NULL), POSEMB_OK);
    draw_shape(random, &call->desc, most_rows, most_columns, &call->shape);
    if (interleaved)
        interleave(&call->desc, &call->shape);
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        call->wanted[i] =
            interleaved ? i == POSEMB__SUM_OUT : chance(random, i <= POSEMB__MASK_OUT ? 4 : 2);
    call->in_place = call->desc.operation == POSEMB_ADD &&
                     call->desc.rows_storage == call->desc.out_storage && chance(random, 2);
    if (call->in_place) {
        call->shape.rows_stride = call->shape.out_stride;
        call->shape.rows_batch_stride = call->shape.out_batch_stride;
    }
    stage_call_allocate(call);
    fill(random, call);
}

void split_case_make(struct support_random *random, const posemb_desc *desc, int64_t most_rows,
                     int64_t most_columns, struct stage_call *call)
{
    make(random, desc, most_rows, most_columns, false, call);
}

void split_case_make_interleaved(struct support_random *random, const posemb_desc *desc,
                                 int64_t most_rows, int64_t most_columns, struct stage_call *call)
{
    make(random, desc, most_rows, most_columns, true, call);
}

void split_case_print(const void *context, const char *what)
{
    const struct stage_call *call = context;
    const posemb_desc *desc = &call->desc;

    print_error("%s: D %u [%" PRIu64 ", %" PRIu64 "]; operation %d rule %d padding %d kind %d grid "
                "%u tokens %d out %d norm %d extras %u; in place %d; strides %" PRIu64 " %" PRIu64
                "\n",
                what, desc->dim, call->shape.batch, call->shape.length, (int)desc->operation,
                (int)desc->positions, (int)desc->padding, (int)desc->position_kind, desc->grid.axes,
                (int)desc->tokens.storage, (int)desc->out_storage, (int)desc->norm,
                posemb__extra_count(desc), call->in_place, call->shape.out_stride,
                call->shape.out_batch_stride);
}
