/* The shape of a call: defaults filled in, every range checked. */
#include "params.h"

#include "checked_math.h"
#include "status.h"

#include <inttypes.h>
#include <string.h>

/* A [batch, length] block of rows or integers that a call reads or writes. */
struct block {
    uint64_t length;          /* items of one batch row */
    const char *stride_field; /* NULL where the inner stride is fixed */
    const char *batch_stride_field;
    uint64_t item_bytes; /* bytes of one row, or one integer */
    uint64_t unit;       /* strides are multiples of it */
    uint64_t *stride;
    uint64_t *batch_stride;
};

static posemb_status too_large(const char *what, posemb_error *error)
{
    return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s reaches beyond 2^63 bytes", what);
}

static posemb_status check_stride(const char *field, uint64_t value, uint64_t least, uint64_t unit,
                                  posemb_error *error)
{
    if (value < least)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s is %" PRIu64 " bytes, less than one row of %" PRIu64, field, value,
                            least);
    if (value % unit != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s is %" PRIu64 " bytes, not a multiple of %" PRIu64, field, value,
                            unit);
    return POSEMB_OK;
}

/* (count - 1) * stride + item, checked. */
static bool span(uint64_t count, uint64_t stride, uint64_t item, uint64_t *bytes)
{
    return posemb__mul_u64(count - 1, stride, bytes) && posemb__add_u64(*bytes, item, bytes) &&
           *bytes <= (uint64_t)INT64_MAX;
}

/* Fill the strides of a block that are 0, check them, and tell how many bytes it spans. */
static posemb_status resolve_block(const posemb_shape *shape, const struct block *block,
                                   uint64_t *bytes, posemb_error *error)
{
    uint64_t row_bytes;

    if (block->stride_field) {
        if (*block->stride == 0)
            *block->stride = block->item_bytes;
        const posemb_status status = check_stride(block->stride_field, *block->stride,
                                                  block->item_bytes, block->unit, error);
        if (status != POSEMB_OK)
            return status;
    }
    if (*block->batch_stride == 0 &&
        !posemb__mul_u64(block->length, *block->stride, block->batch_stride))
        return too_large(block->batch_stride_field, error);
    if (*block->batch_stride % block->unit != 0)
        return check_stride(block->batch_stride_field, *block->batch_stride, 0, block->unit, error);
    if (!span(block->length, *block->stride, block->item_bytes, &row_bytes) ||
        !span(shape->batch, *block->batch_stride, row_bytes, bytes))
        return too_large(block->batch_stride_field, error);
    return POSEMB_OK;
}

/* No two output rows may share a byte: rows of one batch row lie within its stride, or (sequence
 * first) batch rows lie within the stride of a token. */
static posemb_status check_out_rows_apart(const posemb_shape *shape, uint64_t row_bytes,
                                          posemb_error *error)
{
    uint64_t row_span;
    uint64_t column_span;

    if (shape->batch == 1 ||
        (span(shape->length, shape->out_stride, row_bytes, &row_span) &&
         shape->out_batch_stride >= row_span) ||
        (shape->out_batch_stride >= row_bytes &&
         span(shape->batch, shape->out_batch_stride, row_bytes, &column_span) &&
         shape->out_stride >= column_span))
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "out_batch_stride is %" PRIu64 " bytes: output rows overlap",
                        shape->out_batch_stride);
}

/* [B, length] numbers, whose batch stride is a field of the shape. */
static posemb_status resolve_numbers(posemb_shape *shape, const char *batch_stride_field,
                                     uint64_t *batch_stride, uint64_t length, uint64_t size,
                                     uint64_t unit, uint64_t *bytes, posemb_error *error)
{
    uint64_t dense = size;
    const struct block block = {length, NULL, batch_stride_field, size, unit, &dense, batch_stride};

    return resolve_block(shape, &block, bytes, error);
}

static posemb_status resolve_positions(const posemb_desc *desc, struct posemb__call *call,
                                       posemb_error *error)
{
    const uint64_t unit = posemb__number_size(desc->position_type);
    const uint64_t size = unit * posemb__axes_of(desc);
    posemb_shape *shape = &call->shape;

    if (desc->positions == POSEMB_POSITIONS_EXPLICIT)
        return resolve_numbers(shape, "positions_batch_stride", &shape->positions_batch_stride,
                               shape->length, size, unit, &call->positions_bytes, error);
    shape->positions_batch_stride = 0;
    if (desc->positions == POSEMB_POSITIONS_ROW_START)
        call->positions_bytes = shape->batch * size;
    if (desc->positions == POSEMB_POSITIONS_EXPLICIT_SHARED)
        call->positions_bytes = shape->length * size;
    if (desc->positions == POSEMB_POSITIONS_RAGGED)
        call->positions_bytes = (shape->sequences + 1) * size;
    return POSEMB_OK;
}

static posemb_status resolve_padding(const posemb_desc *desc, struct posemb__call *call,
                                     posemb_error *error)
{
    const uint64_t size = posemb__number_size(desc->padding_type);
    posemb_shape *shape = &call->shape;

    if (desc->padding == POSEMB_PADDING_MASK)
        return resolve_numbers(shape, "padding_batch_stride", &shape->padding_batch_stride,
                               shape->past + shape->length, size, size, &call->padding_bytes,
                               error);
    shape->padding_batch_stride = 0;
    if (desc->padding == POSEMB_PADDING_LEFT_COUNT || desc->padding == POSEMB_PADDING_LEFT_LENGTH)
        call->padding_bytes = shape->batch * size;
    return POSEMB_OK;
}

static posemb_status resolve_encode_inputs(const posemb_desc *desc, struct posemb__call *call,
                                           posemb_error *error)
{
    const uint64_t row = (uint64_t)desc->dim * sizeof(float);
    const uint64_t size = posemb__number_size(desc->id_type);
    posemb_shape *shape = &call->shape;
    posemb_status status;

    if (shape->vocab == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "vocab is 0");
    if (shape->table_stride == 0)
        shape->table_stride = row;
    status = check_stride("table_stride", shape->table_stride, row, sizeof(float), error);
    if (status != POSEMB_OK)
        return status;
    if (!span(shape->vocab, shape->table_stride, row, &call->table_bytes))
        return too_large("vocab * table_stride", error);
    return resolve_numbers(shape, "ids_batch_stride", &shape->ids_batch_stride, shape->length, size,
                           size, &call->ids_bytes, error);
}

static posemb_status check_tokens(const posemb_shape *shape, uint64_t *tokens, posemb_error *error)
{
    if (!posemb__mul_u64(shape->batch, shape->length, tokens) || *tokens > POSEMB_TOKENS_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "batch %" PRIu64 " * length %" PRIu64 " is above %" PRIu64 " tokens",
                            shape->batch, shape->length, POSEMB_TOKENS_MAX);
    return POSEMB_OK;
}

/* Columns of the longest axis: what the index rule adds to `start` at most, plus one. */
static uint64_t longest_axis(const posemb_desc *desc, const posemb_shape *shape)
{
    uint64_t longest = desc->grid.axes ? 0 : shape->length;

    for (uint32_t axis = 0; axis < desc->grid.axes; axis++)
        if (desc->grid.count[axis] > longest)
            longest = desc->grid.count[axis];
    return longest;
}

static posemb_status check_grid_length(const posemb_desc *desc, const posemb_shape *shape,
                                       posemb_error *error)
{
    uint64_t product = 1;

    if (desc->grid.axes == 0 || desc->positions != POSEMB_POSITIONS_INDEX)
        return POSEMB_OK;
    for (uint32_t axis = 0; axis < desc->grid.axes; axis++)
        if (!posemb__mul_u64(product, desc->grid.count[axis], &product))
            product = UINT64_MAX;
    if (product == shape->length)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "length is %" PRIu64 ", but the grid has %" PRIu64 " columns",
                        shape->length, product);
}

/* Whether the rule has room for tokens before column 0. */
static bool takes_past(const posemb_desc *desc)
{
    return desc->grid.axes == 0 && (desc->positions == POSEMB_POSITIONS_INDEX ||
                                    desc->positions == POSEMB_POSITIONS_ROW_START ||
                                    desc->positions == POSEMB_POSITIONS_COUNT ||
                                    desc->positions == POSEMB_POSITIONS_COUNT_BEFORE);
}

static posemb_status check_position_fields(const posemb_desc *desc, const posemb_shape *shape,
                                           posemb_error *error)
{
    const bool ragged = desc->positions == POSEMB_POSITIONS_RAGGED;

    if (shape->start < POSEMB_POSITION_MIN || shape->start > POSEMB_POSITION_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "start is %" PRId64 ", not -2^31 ... 2^32-1", shape->start);
    if (shape->start != 0 && posemb__has_float_positions(desc))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "start is %" PRId64 ", but positions are floats", shape->start);
    if (shape->past > UINT32_MAX || (shape->past != 0 && !takes_past(desc)))
        return posemb__fail(
            error, POSEMB_INVALID_ARGUMENT, 0, "past is %" PRIu64 ", %s", shape->past,
            takes_past(desc) ? "above 2^32-1" : "which these positions cannot have");
    if (ragged ? shape->sequences < 1 || shape->sequences > UINT32_MAX - 1 : shape->sequences != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "sequences is %" PRIu64 ", %s",
                            shape->sequences,
                            ragged ? "not 1 ... 2^32-2" : "but positions are not ragged");
    if (ragged && shape->batch != 1)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "batch is %" PRIu64 ", but ragged positions have one row",
                            shape->batch);
    return check_grid_length(desc, shape, error);
}

static posemb_status check_counts(const posemb_desc *desc, const posemb_shape *shape,
                                  uint64_t *tokens, posemb_error *error)
{
    posemb_status status = check_tokens(shape, tokens, error);

    if (status == POSEMB_OK && *tokens > 0)
        status = check_position_fields(desc, shape, error);
    if (status != POSEMB_OK || *tokens == 0)
        return status;
    if (desc->positions == POSEMB_POSITIONS_INDEX &&
        (uint64_t)(POSEMB_POSITION_MAX - shape->start) <
            shape->past + longest_axis(desc, shape) - 1)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "start %" PRId64 " + past %" PRIu64 " + length %" PRIu64
                            " - 1 is a position above 2^32-1",
                            shape->start, shape->past, longest_axis(desc, shape));
    return POSEMB_OK;
}

static void resolve_counting(const posemb_desc *desc, struct posemb__call *call)
{
    if (posemb__counts_tokens(desc))
        call->counted_columns =
            call->shape.length + (desc->padding == POSEMB_PADDING_MASK ? call->shape.past : 0);
}

static void resolve_outputs(const posemb_desc *desc, struct posemb__call *call)
{
    const uint64_t size = posemb__has_float_positions(desc) ? 4 : 8;

    call->positions_out_bytes = call->tokens * posemb__axes_of(desc) * size;
    call->lengths_out_bytes = call->shape.batch * sizeof(uint32_t);
    call->mask_out_bytes = call->tokens;
}

posemb_status posemb__call_resolve(const posemb_desc *resolved, const posemb_shape *shape,
                                   struct posemb__call *call, posemb_error *error)
{
    const uint64_t row = (uint64_t)resolved->dim * sizeof(float);
    posemb_status status;

    memset(call, 0, sizeof *call);
    call->shape = *shape;
    status = check_counts(resolved, shape, &call->tokens, error);
    if (status != POSEMB_OK || call->tokens == 0)
        return status;

    const struct block out = {call->shape.length,
                              "out_stride",
                              "out_batch_stride",
                              row,
                              sizeof(float),
                              &call->shape.out_stride,
                              &call->shape.out_batch_stride};
    const struct block rows = {call->shape.length,
                               "rows_stride",
                               "rows_batch_stride",
                               row,
                               sizeof(float),
                               &call->shape.rows_stride,
                               &call->shape.rows_batch_stride};

    status = resolve_block(&call->shape, &out, &call->out_bytes, error);
    if (status == POSEMB_OK)
        status = check_out_rows_apart(&call->shape, row, error);
    if (status == POSEMB_OK)
        status = resolve_positions(resolved, call, error);
    if (status == POSEMB_OK)
        status = resolve_padding(resolved, call, error);
    if (status == POSEMB_OK && resolved->operation == POSEMB_ENCODE)
        status = resolve_encode_inputs(resolved, call, error);
    if (status == POSEMB_OK && resolved->operation == POSEMB_ADD)
        status = resolve_block(&call->shape, &rows, &call->rows_bytes, error);
    resolve_counting(resolved, call);
    resolve_outputs(resolved, call);
    return status;
}
