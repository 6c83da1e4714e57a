/* Layout and data of a case: see kernel_call.h. */
#include "kernel_call.h"

#include "params.h"
#include "support/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL = 64, VECTOR = 64 };

posemb_desc kernel_desc(const struct kernel_case *kernel_case)
{
    const unsigned *value = kernel_case->value;
    const posemb_convention convention = (posemb_convention)(value[FACTOR_CONVENTION] + 1);
    /* Conventions that have no odd D get a rule for it. */
    const bool even_alone =
        convention == POSEMB_XTRANSFORMERS || convention == POSEMB_MLX || convention == POSEMB_DETR;

    return (posemb_desc){
        .dim = kernel_case->dim,
        .operation = (posemb_operation)(value[FACTOR_OPERATION] + 1),
        .convention = convention,
        .odd = even_alone ? POSEMB_ODD_ZERO : POSEMB_ODD_DEFAULT,
        .positions = (posemb_position_rule)(value[FACTOR_RULE] + 1),
        .position_type = (posemb_number_type)(value[FACTOR_POSITION_TYPE] + 1),
        .id_type = (posemb_number_type)(value[FACTOR_ID_TYPE] + 1),
        .consumer = (posemb_consumer)(value[FACTOR_CONSUMER] + 1),
        .token_scale = kernel_case->scale,
        .base = kernel_case->base,
        .concurrency = 1,
    };
}

/* ---- Layout */

static bool is_odd(enum kernel_layout layout)
{
    return layout == LAYOUT_ODD_OFFSET || layout == LAYOUT_ODD_PADDED;
}

/* Choose the strides of the [batch, length] rows of one buffer. */
static void place_rows(const struct kernel_case *kernel_case, uint64_t *stride,
                       uint64_t *batch_stride)
{
    const uint64_t row = (uint64_t)kernel_case->dim * sizeof(float);
    const uint64_t padded = (row + VECTOR - 1) / VECTOR * VECTOR + VECTOR;

    switch ((enum kernel_layout)kernel_case->value[FACTOR_LAYOUT]) {
    case LAYOUT_PADDED:
        *stride = padded;
        *batch_stride = kernel_case->length * padded + 2 * VECTOR;
        break;
    case LAYOUT_ODD_PADDED:
        *stride = row + 5 * sizeof(float);
        *batch_stride = kernel_case->length * *stride + 3 * sizeof(float);
        break;
    case LAYOUT_SEQUENCE_FIRST:
        *batch_stride = row;
        *stride = kernel_case->batch * row;
        break;
    case LAYOUT_SEQUENCE_FIRST_PADDED:
        *batch_stride = padded;
        *stride = kernel_case->batch * padded + VECTOR;
        break;
    case LAYOUT_IN_PLACE:
        *stride = row;
        *batch_stride = kernel_case->length * row;
        break;
    default:
        break;
    }
}

static void place_all(struct kernel_call *call, const struct kernel_case *kernel_case)
{
    const enum kernel_layout layout = (enum kernel_layout)kernel_case->value[FACTOR_LAYOUT];
    posemb_shape *shape = &call->shape;
    uint64_t unused = 0;

    memset(shape, 0, sizeof *shape);
    shape->batch = kernel_case->batch;
    shape->length = kernel_case->length;
    shape->vocab = 1 + kernel_case->seed % 13;
    place_rows(kernel_case, &shape->out_stride, &shape->out_batch_stride);
    place_rows(kernel_case, &shape->rows_stride, &shape->rows_batch_stride);
    if (layout == LAYOUT_PADDED || layout == LAYOUT_ODD_PADDED)
        place_rows(kernel_case, &shape->table_stride, &unused);
    if (layout == LAYOUT_PADDED || layout == LAYOUT_ODD_PADDED) {
        shape->ids_batch_stride = (shape->length + 3) * posemb__number_size(call->desc.id_type);
        shape->positions_batch_stride =
            (shape->length + 1) * posemb__number_size(call->desc.position_type);
    }
}

static bool resize(struct kernel_buffer *buffer, size_t offset, size_t bytes, size_t tail)
{
    unsigned char *grown;

    buffer->offset = bytes ? offset : 0;
    buffer->size = bytes ? offset + bytes + tail : 0;
    if (buffer->size <= buffer->capacity)
        return true;
    grown = realloc(buffer->bytes, buffer->size);
    if (!grown)
        return false;
    buffer->bytes = grown;
    buffer->capacity = buffer->size;
    return true;
}

/* Inputs end with their last element, so that a read beyond it is a read beyond the buffer. */
static bool resize_all(struct kernel_call *call, const struct kernel_case *kernel_case)
{
    const enum kernel_layout layout = (enum kernel_layout)kernel_case->value[FACTOR_LAYOUT];
    const size_t odd = is_odd(layout) ? 2 * (kernel_case->seed >> 8) % 16 + 1 : 0;
    /* Output and source odd, or one of them. */
    const unsigned which = (unsigned)(kernel_case->seed >> 16) % 3;
    const size_t out_odd = which != 1 ? odd : 0;
    const size_t source_odd = which != 2 ? odd : 0;
    const bool reads_rows = call->desc.operation == POSEMB_ADD && !call->in_place;
    struct posemb__call resolved;
    posemb_desc desc;

    if (posemb_desc_resolve(&call->desc, &desc, NULL) != POSEMB_OK ||
        posemb__call_resolve(&desc, &call->shape, &resolved, NULL) != POSEMB_OK)
        return false;
    return resize(&call->out, out_odd * sizeof(float), (size_t)resolved.out.bytes,
                  TAIL * sizeof(float)) &&
           resize(&call->table, source_odd * sizeof(float),
                  (size_t)resolved.input[POSEMB__TABLE].bytes, 0) &&
           resize(&call->rows, source_odd * sizeof(float),
                  reads_rows ? (size_t)resolved.input[POSEMB__ROWS].bytes : 0, 0) &&
           resize(&call->ids, odd * (size_t)posemb__number_size(desc.id_type),
                  (size_t)resolved.input[POSEMB__IDS].bytes, 0) &&
           resize(&call->positions, odd * (size_t)posemb__number_size(desc.position_type),
                  (size_t)resolved.input[POSEMB__POSITIONS].bytes, 0);
}

/* ---- Floats */

static float random_float(uint64_t *random)
{
    return (float)((int64_t)(kernel_random(random) >> 32) - 0x80000000LL) * 0x1p-30f;
}

static float special_float(unsigned which, uint64_t *random)
{
    switch (which % 9) {
    case 0:
        return 0.0f;
    case 1:
        return -0.0f;
    case 2:
        return kernel_random(random) & 1u ? 0x1p-149f : -0x1p-149f;
    case 3:
        return random_float(random) * 0x1p-128f;
    case 4:
        return 1.25f;
    case 5:
        return NAN;
    case 6:
        return kernel_random(random) & 1u ? INFINITY : -INFINITY;
    case 7:
        return kernel_random(random) & 1u ? 0x1.fffffep127f : -0x1.fffffep127f;
    default:
        return random_float(random);
    }
}

static void fill_row(unsigned char *place, uint32_t dim, enum kernel_data data, unsigned row,
                     uint64_t *random)
{
    for (uint32_t c = 0; c < dim; c++) {
        float value;

        if (data == DATA_RANDOM)
            value = random_float(random);
        else if (data == DATA_SPECIAL_ROWS)
            value = special_float(row, random);
        else
            value = special_float((unsigned)(kernel_random(random) >> 32), random);
        memcpy(place + c * sizeof value, &value, sizeof value);
    }
}

static void fill_canary(struct kernel_buffer *buffer)
{
    const uint32_t canary = KERNEL_CANARY;

    for (size_t at = 0; at + sizeof canary <= buffer->size; at += sizeof canary)
        memcpy(buffer->bytes + at, &canary, sizeof canary);
}

/* Gaps of inputs hold what would be seen in an output. */
static void fill_floats(struct kernel_call *call, const struct kernel_case *kernel_case,
                        uint64_t *random)
{
    const enum kernel_data data = (enum kernel_data)kernel_case->value[FACTOR_DATA];
    const posemb_shape *shape = &call->shape;
    struct kernel_buffer *rows = call->in_place ? &call->out : &call->rows;
    const uint64_t row = (uint64_t)kernel_case->dim * sizeof(float);
    const uint64_t stride = shape->rows_stride ? shape->rows_stride : row;
    const uint64_t batch_stride =
        shape->rows_batch_stride ? shape->rows_batch_stride : shape->length * stride;
    const uint64_t table_stride = shape->table_stride ? shape->table_stride : row;

    fill_canary(&call->out);
    fill_canary(&call->table);
    fill_canary(&call->rows);
    for (uint64_t v = 0; call->table.size && v < shape->vocab; v++)
        fill_row(call->table.bytes + call->table.offset + v * table_stride, kernel_case->dim, data,
                 (unsigned)(v + kernel_case->seed % 9), random);
    if (call->desc.operation != POSEMB_ADD)
        return;
    for (uint64_t b = 0; b < shape->batch; b++)
        for (uint64_t s = 0; s < shape->length; s++)
            fill_row(rows->bytes + rows->offset + b * batch_stride + s * stride, kernel_case->dim,
                     data, (unsigned)(b + 3 * s), random);
}

/* ---- Ids */

static int64_t draw_id(enum kernel_ids kind, int64_t vocab, bool wide, uint64_t *random)
{
    const int64_t bad[] = {-1,        vocab,         INT32_MIN,        INT32_MAX,
                           INT64_MIN, INT64_MAX,     (int64_t)1 << 32, -((int64_t)1 << 32),
                           vocab + 1, INT64_MIN + 1, (int64_t)1 << 62, 1000000007};
    const uint64_t draw = kernel_random(random) >> 8;
    const int64_t one_bad = wide ? bad[draw % 12] : (int32_t)bad[draw % 4];

    switch (kind) {
    case IDS_ENDS:
        return draw & 1u ? vocab - 1 : 0;
    case IDS_FEW_BAD:
        return (draw >> 40) % 16 == 0 ? one_bad : (int64_t)(draw % (uint64_t)vocab);
    case IDS_EXTREMES:
        return (draw >> 40) % 4 != 0 ? one_bad : vocab - 1;
    default:
        return (int64_t)(draw % (uint64_t)vocab);
    }
}

static void fill_ids(struct kernel_call *call, const struct kernel_case *kernel_case,
                     uint64_t *random)
{
    const bool wide = call->desc.id_type == POSEMB_INT64;
    const size_t unit = wide ? 8 : 4;

    for (size_t at = 0; at < call->ids.size; at += unit) {
        const int64_t id = draw_id((enum kernel_ids)kernel_case->value[FACTOR_IDS],
                                   (int64_t)call->shape.vocab, wide, random);
        const int32_t narrow = (int32_t)id;

        memcpy(call->ids.bytes + at, wide ? (const void *)&id : (const void *)&narrow, unit);
    }
}

/* ---- All of it */

/* Mostly clear; sometimes none, or one whose counts are about to saturate. */
static void choose_record(struct kernel_call *call, uint64_t seed)
{
    static const posemb_record clear = POSEMB_RECORD_CLEAR;
    static const posemb_record late = RECORD_OF(0xfffffffeu, 9, 0xffffffffu, POSEMB_NO_TOKEN);
    const unsigned draw = (unsigned)(seed >> 48) % 8;

    call->has_record = draw != 0;
    call->record = draw == 1 ? late : clear;
}

bool kernel_call_make(struct kernel_call *call, const struct kernel_case *kernel_case)
{
    uint64_t random = kernel_case->seed;

    call->desc = kernel_desc(kernel_case);
    call->in_place =
        kernel_case->value[FACTOR_LAYOUT] == LAYOUT_IN_PLACE && call->desc.operation == POSEMB_ADD;
    place_all(call, kernel_case);
    choose_record(call, kernel_case->seed);
    if (!resize_all(call, kernel_case))
        return false;
    fill_floats(call, kernel_case, &random);
    fill_ids(call, kernel_case, &random);
    return kernel_call_fill_positions(call, kernel_case, &random);
}

void kernel_call_release(struct kernel_call *call)
{
    free(call->ids.bytes);
    free(call->table.bytes);
    free(call->rows.bytes);
    free(call->positions.bytes);
    free(call->out.bytes);
    memset(call, 0, sizeof *call);
}
