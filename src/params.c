/* Descriptions and shapes of a call: defaults filled in, every range checked. */
#include "params.h"

#include "checked_math.h"
#include "convention.h"
#include "frequency.h"
#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *posemb_version(void)
{
    return POSEMB_VERSION_STRING;
}

static void fill_defaults(posemb_desc *desc)
{
    if (desc->operation == POSEMB_OPERATION_DEFAULT)
        desc->operation = POSEMB_ENCODE;
    if (desc->convention == POSEMB_CONVENTION_DEFAULT)
        desc->convention = POSEMB_VASWANI;
    if (desc->positions == POSEMB_POSITIONS_DEFAULT)
        desc->positions = POSEMB_POSITIONS_INDEX;
    if (desc->position_type == POSEMB_INT_DEFAULT)
        desc->position_type = POSEMB_INT32;
    if (desc->id_type == POSEMB_INT_DEFAULT)
        desc->id_type = POSEMB_INT32;
    if (desc->consumer == POSEMB_CONSUMER_DEFAULT)
        desc->consumer = POSEMB_CONSUMER_FOLLOWS;
    if (desc->token_scale == 0.0f)
        desc->token_scale = 1.0f;
    if (desc->base == 0.0)
        desc->base = 10000.0;
    if (desc->concurrency == 0)
        desc->concurrency = 8;
}

static posemb_status check_enum(const char *field, int value, int last, posemb_error *error)
{
    if (value >= 1 && value <= last)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is %d, not one of 0 ... %d", field,
                        value, last);
}

static posemb_status check_enums(const posemb_desc *desc, posemb_error *error)
{
    const struct {
        const char *field;
        int value;
        int last;
    } checks[] = {
        {"operation", (int)desc->operation, POSEMB_TABLE},
        {"convention", (int)desc->convention, (int)posemb_convention_count()},
        {"positions", (int)desc->positions, POSEMB_POSITIONS_EXPLICIT_SHARED},
        {"position_type", (int)desc->position_type, POSEMB_INT64},
        {"id_type", (int)desc->id_type, POSEMB_INT64},
        {"consumer", (int)desc->consumer, POSEMB_CONSUMER_STREAMED},
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        const posemb_status status =
            check_enum(checks[i].field, checks[i].value, checks[i].last, error);
        if (status != POSEMB_OK)
            return status;
    }
    return POSEMB_OK;
}

static posemb_status check_numbers(const posemb_desc *desc, posemb_error *error)
{
    if (desc->dim < 1 || desc->dim > POSEMB_DIM_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "dim is %" PRIu32 ", not 1 ... %u",
                            desc->dim, POSEMB_DIM_MAX);
    if (!isfinite(desc->token_scale))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "token_scale is %g, not finite",
                            (double)desc->token_scale);
    if (!(desc->base >= POSEMB_BASE_MIN && desc->base <= POSEMB_BASE_MAX))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "base is %g, not 2^-32 ... 2^32",
                            desc->base);
    if (desc->concurrency > POSEMB_CONCURRENCY_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "concurrency is %" PRIu32 ", above %u", desc->concurrency,
                            POSEMB_CONCURRENCY_MAX);
    return POSEMB_OK;
}

posemb_status posemb_desc_resolve(const posemb_desc *desc, posemb_desc *resolved,
                                  posemb_error *error)
{
    posemb_desc filled;
    posemb_status status;

    if (!desc || !resolved)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            desc ? "resolved" : "desc");
    filled = *desc;
    fill_defaults(&filled);
    status = check_enums(&filled, error);
    if (status == POSEMB_OK)
        status = check_numbers(&filled, error);
    if (status == POSEMB_OK)
        *resolved = filled;
    return status;
}

size_t posemb_pair_count(const posemb_desc *desc)
{
    posemb_desc resolved;

    if (posemb_desc_resolve(desc, &resolved, NULL) != POSEMB_OK)
        return 0;
    return posemb__channels_of(&resolved).pairs;
}

posemb_status posemb_phase_steps(const posemb_desc *desc, uint64_t *steps, size_t capacity,
                                 posemb_error *error)
{
    struct posemb__channels channels;
    posemb_desc resolved = {0};
    const posemb_status status = posemb_desc_resolve(desc, &resolved, error);

    if (status != POSEMB_OK)
        return status;
    channels = posemb__channels_of(&resolved);
    if (capacity < channels.pairs)
        return posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                            "capacity is %zu, fewer than the %" PRIu32 " pairs of dim %" PRIu32,
                            capacity, channels.pairs, resolved.dim);
    if (!steps && channels.pairs > 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "steps is NULL");
    posemb__phase_steps(resolved.base, channels.numerator, channels.denominator, channels.pairs,
                        steps);
    return POSEMB_OK;
}

uint64_t posemb__int_size(posemb_int_type type)
{
    return type == POSEMB_INT64 ? 8 : 4;
}

/* A [batch, length] block of rows or integers that a call reads or writes. */
struct block {
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
        !posemb__mul_u64(shape->length, *block->stride, block->batch_stride))
        return too_large(block->batch_stride_field, error);
    if (*block->batch_stride % block->unit != 0)
        return check_stride(block->batch_stride_field, *block->batch_stride, 0, block->unit, error);
    if (!span(shape->length, *block->stride, block->item_bytes, &row_bytes) ||
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

static posemb_status resolve_positions(const posemb_desc *desc, struct posemb__call *call,
                                       posemb_error *error)
{
    const uint64_t size = posemb__int_size(desc->position_type);
    posemb_shape *shape = &call->shape;
    uint64_t dense = size;
    const struct block block = {NULL,   "positions_batch_stride",      size, size,
                                &dense, &shape->positions_batch_stride};

    if (desc->positions == POSEMB_POSITIONS_EXPLICIT)
        return resolve_block(shape, &block, &call->positions_bytes, error);
    shape->positions_batch_stride = 0;
    if (desc->positions == POSEMB_POSITIONS_ROW_START)
        call->positions_bytes = shape->batch * size;
    if (desc->positions == POSEMB_POSITIONS_EXPLICIT_SHARED)
        call->positions_bytes = shape->length * size;
    return POSEMB_OK;
}

static posemb_status resolve_encode_inputs(const posemb_desc *desc, struct posemb__call *call,
                                           posemb_error *error)
{
    const uint64_t row = (uint64_t)desc->dim * sizeof(float);
    const uint64_t size = posemb__int_size(desc->id_type);
    posemb_shape *shape = &call->shape;
    uint64_t dense = size;
    const struct block ids = {NULL,   "ids_batch_stride",      size, size,
                              &dense, &shape->ids_batch_stride};
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
    return resolve_block(shape, &ids, &call->ids_bytes, error);
}

static posemb_status check_counts(const posemb_desc *desc, const posemb_shape *shape,
                                  uint64_t *tokens, posemb_error *error)
{
    if (!posemb__mul_u64(shape->batch, shape->length, tokens) || *tokens > POSEMB_TOKENS_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "batch %" PRIu64 " * length %" PRIu64 " is above %" PRIu64 " tokens",
                            shape->batch, shape->length, POSEMB_TOKENS_MAX);
    if (shape->start < POSEMB_POSITION_MIN || shape->start > POSEMB_POSITION_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "start is %" PRId64 ", not -2^31 ... 2^32-1", shape->start);
    if (desc->positions == POSEMB_POSITIONS_INDEX && *tokens > 0 &&
        (uint64_t)(POSEMB_POSITION_MAX - shape->start) < shape->length - 1)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "start %" PRId64 " + length %" PRIu64 " - 1 is a position above 2^32-1",
                            shape->start, shape->length);
    return POSEMB_OK;
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

    const struct block out = {
        "out_stride",  "out_batch_stride",      row,
        sizeof(float), &call->shape.out_stride, &call->shape.out_batch_stride};
    const struct block rows = {
        "rows_stride", "rows_batch_stride",      row,
        sizeof(float), &call->shape.rows_stride, &call->shape.rows_batch_stride};

    status = resolve_block(&call->shape, &out, &call->out_bytes, error);
    if (status == POSEMB_OK)
        status = check_out_rows_apart(&call->shape, row, error);
    if (status == POSEMB_OK)
        status = resolve_positions(resolved, call, error);
    if (status == POSEMB_OK && resolved->operation == POSEMB_ENCODE)
        status = resolve_encode_inputs(resolved, call, error);
    if (status == POSEMB_OK && resolved->operation == POSEMB_ADD)
        status = resolve_block(&call->shape, &rows, &call->rows_bytes, error);
    return status;
}
