/* The shape of a call: defaults filled in, every range checked. */
#include "params.h"

#include "checked_math.h"
#include "status.h"
#include "storage.h"

#include <inttypes.h>
#include <string.h>

static const char *const input_names[POSEMB__INPUTS] = {
    [POSEMB__IDS] = "ids",
    [POSEMB__TABLE] = "table",
    [POSEMB__TABLE_MORE] = "table_more[0]",
    "table_more[1]",
    "table_more[2]",
    "table_more[3]",
    "table_more[4]",
    "table_more[5]",
    "table_more[6]",
    [POSEMB__TABLE_SCALES] = "table_scales",
    [POSEMB__ROWS] = "rows",
    [POSEMB__POSITIONS] = "positions",
    [POSEMB__PADDING] = "padding",
    [POSEMB__POSITION_TABLE] = "position_table",
    [POSEMB__POSITION_SCALES] = "position_scales",
    [POSEMB__GAMMA] = "gamma",
    [POSEMB__BETA] = "beta",
    [POSEMB__EXTRA_IDS] = "extras[0].ids",
    "extras[1].ids",
    "extras[2].ids",
    "extras[3].ids",
    [POSEMB__EXTRA_TABLE] = "extras[0].table",
    "extras[1].table",
    "extras[2].table",
    "extras[3].table",
    [POSEMB__EXTRA_SCALES] = "extras[0].scales",
    "extras[1].scales",
    "extras[2].scales",
    "extras[3].scales",
};

const char *posemb__input_name(enum posemb__input input)
{
    return input_names[input];
}

const char *posemb__output_name(enum posemb__output output)
{
    static const char *const names[POSEMB__OUTPUTS] = {
        [POSEMB__POSITIONS_OUT] = "positions_out", [POSEMB__LENGTHS_OUT] = "lengths_out",
        [POSEMB__MASK_OUT] = "mask_out",           [POSEMB__SUM_OUT] = "sum_out",
        [POSEMB__MEAN_OUT] = "mean_out",           [POSEMB__RSTD_OUT] = "rstd_out"};

    return names[output];
}

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
    struct posemb__span *span_of = &call->input[POSEMB__POSITIONS];
    posemb_shape *shape = &call->shape;

    span_of->unit = unit;
    if (desc->positions == POSEMB_POSITIONS_EXPLICIT)
        return resolve_numbers(shape, "positions_batch_stride", &shape->positions_batch_stride,
                               shape->length, size, unit, &span_of->bytes, error);
    shape->positions_batch_stride = 0;
    if (desc->positions == POSEMB_POSITIONS_ROW_START)
        span_of->bytes = shape->batch * size;
    if (desc->positions == POSEMB_POSITIONS_EXPLICIT_SHARED)
        span_of->bytes = shape->length * size;
    if (desc->positions == POSEMB_POSITIONS_RAGGED)
        span_of->bytes = (shape->sequences + 1) * size;
    return POSEMB_OK;
}

static posemb_status resolve_padding(const posemb_desc *desc, struct posemb__call *call,
                                     posemb_error *error)
{
    const uint64_t size = posemb__number_size(desc->padding_type);
    struct posemb__span *span_of = &call->input[POSEMB__PADDING];
    posemb_shape *shape = &call->shape;

    span_of->unit = size;
    if (desc->padding == POSEMB_PADDING_MASK)
        return resolve_numbers(shape, "padding_batch_stride", &shape->padding_batch_stride,
                               shape->past + shape->length, size, size, &span_of->bytes, error);
    shape->padding_batch_stride = 0;
    if (desc->padding == POSEMB_PADDING_LEFT_COUNT || desc->padding == POSEMB_PADDING_LEFT_LENGTH)
        span_of->bytes = shape->batch * size;
    return POSEMB_OK;
}

/* A table of the caller's. */
struct table {
    const char *rows_field;
    const char *stride_field;
    const posemb_table_desc *desc;
    uint64_t rows;
    uint64_t *stride;
    enum posemb__input input;
    enum posemb__input scales; /* of I8 */
};

static posemb_status resolve_table(const posemb_desc *desc, const struct table *table,
                                   struct posemb__call *call, posemb_error *error)
{
    const uint64_t unit = posemb_storage_find(table->desc->storage)->alignment;
    const uint64_t row = posemb_storage_row_bytes(table->desc->storage, desc->dim);
    posemb_status status;

    call->input[table->input].unit = unit;
    if (table->rows == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is 0", table->rows_field);
    if (*table->stride == 0)
        *table->stride = row;
    status = check_stride(table->stride_field, *table->stride, row, unit, error);
    if (status != POSEMB_OK)
        return status;
    if (!span(table->rows, *table->stride, row, &call->input[table->input].bytes))
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s * %s reaches beyond 2^63 bytes",
                            table->rows_field, table->stride_field);
    if (table->desc->storage != POSEMB_I8)
        return POSEMB_OK;
    call->input[table->scales].unit = sizeof(float);
    if (!span(table->desc->scaling == POSEMB_SCALE_OF_ROW ? table->rows : 1, sizeof(float),
              sizeof(float), &call->input[table->scales].bytes))
        return too_large(posemb__input_name(table->scales), error);
    return POSEMB_OK;
}

/* Which rows of the vocabulary are there. */
static posemb_status resolve_shard(posemb_shape *shape, posemb_error *error)
{
    if (shape->vocab == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "vocab is 0");
    if (shape->vocab > INT64_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "vocab is %" PRIu64 ", above 2^63-1",
                            shape->vocab);
    if (shape->shard_rows == 0 && shape->shard_first == 0)
        shape->shard_rows = shape->vocab;
    if (shape->shard_first <= shape->vocab && shape->shard_rows > 0 &&
        shape->shard_rows <= shape->vocab - shape->shard_first)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "shard_first %" PRIu64 " and shard_rows %" PRIu64
                        " are not within a vocab of %" PRIu64,
                        shape->shard_first, shape->shard_rows, shape->vocab);
}

static posemb_status resolve_prompts(const posemb_desc *desc, struct posemb__call *call,
                                     posemb_error *error)
{
    posemb_shape *shape = &call->shape;
    const posemb_table_desc rows = {.storage = desc->rows_storage};
    const struct table table = {.rows_field = "prompt_rows",
                                .stride_field = "rows_stride",
                                .desc = &rows, /* never of I8 */
                                .rows = shape->prompt_rows,
                                .stride = &shape->rows_stride,
                                .input = POSEMB__ROWS};

    if (!desc->soft_prompts && shape->prompt_rows > 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "prompt_rows is %" PRIu64 ", but soft_prompts is 0",
                            shape->prompt_rows);
    if (!desc->soft_prompts || shape->prompt_rows == 0)
        return POSEMB_OK;
    if (shape->prompt_rows > INT64_MAX - shape->vocab)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "vocab %" PRIu64 " + prompt_rows %" PRIu64 " is above 2^63-1",
                            shape->vocab, shape->prompt_rows);
    return resolve_table(desc, &table, call, error);
}

bool posemb__split_rows(uint64_t rows, uint64_t stride, uint64_t largest, uint32_t *parts,
                        uint64_t *part_rows)
{
    const uint64_t most = stride > 0 ? largest / stride : rows; /* of one buffer */
    const uint64_t count = most > 0 && rows > 0 ? posemb__divide_up_u64(rows, most) : 1;

    if ((most == 0 && rows > 0) || count > POSEMB_PARTS_MAX)
        return false;
    *parts = (uint32_t)count;
    *part_rows = posemb__divide_up_u64(rows, count);
    return true;
}

/* Cut the span of the whole token table into those of its parts. */
static posemb_status resolve_parts(const posemb_desc *desc, struct posemb__call *call,
                                   posemb_error *error)
{
    const uint64_t row = posemb_storage_row_bytes(desc->tokens.storage, desc->dim);
    const uint64_t parts = desc->table_parts;
    const uint64_t share = posemb__divide_up_u64(call->shape.shard_rows, parts);
    posemb_shape *shape = &call->shape;
    uint64_t left = shape->shard_rows;

    if (parts == 1) {
        shape->part_rows = shape->shard_rows;
        return POSEMB_OK;
    }
    if (shape->part_rows == 0)
        shape->part_rows = share;
    if (share > shape->part_rows)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "part_rows is %" PRIu64 ": %" PRIu64
                            " parts of so many rows cannot have the %" PRIu64 " of the table",
                            shape->part_rows, parts, left);
    for (uint32_t k = 0; k < parts; k++) {
        const uint64_t rows = left < shape->part_rows ? left : shape->part_rows;
        struct posemb__span *part = &call->input[POSEMB__TABLE + k];

        part->unit = call->input[POSEMB__TABLE].unit;
        part->bytes = rows > 0 ? (rows - 1) * shape->table_stride + row : 0;
        left -= rows;
    }
    return POSEMB_OK;
}

static posemb_status resolve_encode_inputs(const posemb_desc *desc, struct posemb__call *call,
                                           posemb_error *error)
{
    const uint64_t size = posemb__number_size(desc->id_type);
    posemb_shape *shape = &call->shape;
    posemb_status status = resolve_shard(shape, error);
    const struct table table = {
        "vocab",       "table_stride",      &desc->tokens, shape->shard_rows, &shape->table_stride,
        POSEMB__TABLE, POSEMB__TABLE_SCALES};

    if (status == POSEMB_OK)
        status = resolve_prompts(desc, call, error);
    if (status == POSEMB_OK)
        status = resolve_table(desc, &table, call, error);
    if (status == POSEMB_OK)
        status = resolve_parts(desc, call, error);
    if (status != POSEMB_OK)
        return status;
    call->input[POSEMB__IDS].unit = size;
    return resolve_numbers(shape, "ids_batch_stride", &shape->ids_batch_stride, shape->length, size,
                           size, &call->input[POSEMB__IDS].bytes, error);
}

static posemb_status resolve_position_table(const posemb_desc *desc, struct posemb__call *call,
                                            posemb_error *error)
{
    posemb_shape *shape = &call->shape;
    const struct table table = {
        "position_rows",        "position_table_stride",       &desc->position_table,
        shape->position_rows,   &shape->position_table_stride, POSEMB__POSITION_TABLE,
        POSEMB__POSITION_SCALES};

    if (desc->position_kind != POSEMB_LEARNED)
        return POSEMB_OK;
    return resolve_table(desc, &table, call, error);
}

static posemb_status resolve_extra(const posemb_desc *desc, uint32_t k, struct posemb__call *call,
                                   posemb_error *error)
{
    static const char *const rows_fields[] = {"extras[0].rows", "extras[1].rows", "extras[2].rows",
                                              "extras[3].rows"};
    static const char *const table_strides[] = {"extras[0].table_stride", "extras[1].table_stride",
                                                "extras[2].table_stride", "extras[3].table_stride"};
    static const char *const ids_strides[] = {
        "extras[0].ids_batch_stride", "extras[1].ids_batch_stride", "extras[2].ids_batch_stride",
        "extras[3].ids_batch_stride"};
    const posemb_extra_desc *extra = &desc->extras[k];
    const uint64_t size = posemb__number_size(extra->id_type);
    posemb_extra_shape *shape = &call->shape.extras[k];
    struct posemb__span *ids = &call->input[POSEMB__EXTRA_IDS + k];
    const struct table table = {rows_fields[k],
                                table_strides[k],
                                &extra->table,
                                shape->rows,
                                &shape->table_stride,
                                (enum posemb__input)(POSEMB__EXTRA_TABLE + k),
                                (enum posemb__input)(POSEMB__EXTRA_SCALES + k)};
    posemb_status status = resolve_table(desc, &table, call, error);

    if (status != POSEMB_OK)
        return status;
    ids->unit = size;
    if (extra->ids == POSEMB_EXTRA_OF_TOKEN)
        return resolve_numbers(&call->shape, ids_strides[k], &shape->ids_batch_stride,
                               call->shape.length, size, size, &ids->bytes, error);
    shape->ids_batch_stride = 0;
    if (extra->ids == POSEMB_EXTRA_OF_ROW)
        ids->bytes = call->shape.batch * size;
    return POSEMB_OK;
}

static void resolve_norm(const posemb_desc *desc, struct posemb__call *call)
{
    const uint64_t unit = posemb__storage_size(desc->norm_storage);

    if (posemb__has_gamma(desc))
        call->input[POSEMB__GAMMA] = (struct posemb__span){desc->dim * unit, unit};
    if (posemb__has_beta(desc))
        call->input[POSEMB__BETA] = (struct posemb__span){desc->dim * unit, unit};
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
    const struct posemb__span of_tokens = {call->tokens * sizeof(float), sizeof(float)};

    call->output[POSEMB__POSITIONS_OUT] =
        (struct posemb__span){call->tokens * posemb__axes_of(desc) * size, size};
    call->output[POSEMB__LENGTHS_OUT] =
        (struct posemb__span){call->shape.batch * sizeof(uint32_t), sizeof(uint32_t)};
    call->output[POSEMB__MASK_OUT] = (struct posemb__span){call->tokens, 1};
    if (!posemb__has_norm(desc))
        return;
    call->output[POSEMB__SUM_OUT] = call->out;
    call->output[POSEMB__RSTD_OUT] = of_tokens;
    if (desc->norm == POSEMB_NORM_LAYER)
        call->output[POSEMB__MEAN_OUT] = of_tokens;
}

static posemb_status resolve_out(const posemb_desc *desc, struct posemb__call *call,
                                 posemb_error *error)
{
    const uint64_t unit = posemb__storage_size(desc->out_storage);
    const struct block out = {call->shape.length,
                              "out_stride",
                              "out_batch_stride",
                              desc->dim * unit,
                              unit,
                              &call->shape.out_stride,
                              &call->shape.out_batch_stride};
    const posemb_status status = resolve_block(&call->shape, &out, &call->out.bytes, error);

    call->out.unit = unit;
    return status == POSEMB_OK ? check_out_rows_apart(&call->shape, desc->dim * unit, error)
                               : status;
}

static posemb_status resolve_rows(const posemb_desc *desc, struct posemb__call *call,
                                  posemb_error *error)
{
    const uint64_t unit = posemb__storage_size(desc->rows_storage);
    const struct block rows = {call->shape.length,
                               "rows_stride",
                               "rows_batch_stride",
                               desc->dim * unit,
                               unit,
                               &call->shape.rows_stride,
                               &call->shape.rows_batch_stride};

    call->input[POSEMB__ROWS].unit = unit;
    return resolve_block(&call->shape, &rows, &call->input[POSEMB__ROWS].bytes, error);
}

posemb_status posemb__call_resolve(const posemb_desc *resolved, const posemb_shape *shape,
                                   struct posemb__call *call, posemb_error *error)
{
    posemb_status status;

    memset(call, 0, sizeof *call);
    call->shape = *shape;
    status = check_counts(resolved, shape, &call->tokens, error);
    if (status != POSEMB_OK || call->tokens == 0)
        return status;
    status = resolve_out(resolved, call, error);
    if (status == POSEMB_OK)
        status = resolve_positions(resolved, call, error);
    if (status == POSEMB_OK)
        status = resolve_padding(resolved, call, error);
    if (status == POSEMB_OK && resolved->operation == POSEMB_ENCODE)
        status = resolve_encode_inputs(resolved, call, error);
    if (status == POSEMB_OK && resolved->operation == POSEMB_ADD)
        status = resolve_rows(resolved, call, error);
    if (status == POSEMB_OK)
        status = resolve_position_table(resolved, call, error);
    for (uint32_t k = 0; status == POSEMB_OK && k < posemb__extra_count(resolved); k++)
        status = resolve_extra(resolved, k, call, error);
    if (status != POSEMB_OK)
        return status;
    resolve_norm(resolved, call);
    resolve_counting(resolved, call);
    resolve_outputs(resolved, call);
    return POSEMB_OK;
}

/* ---- Arguments on the host */

const void *posemb__host_input(const posemb_host_args *args, enum posemb__input input)
{
    const posemb_host_extra *extras = args->extras;

    switch (input) {
    case POSEMB__IDS:
        return args->ids;
    case POSEMB__TABLE:
        return args->table;
    case POSEMB__TABLE_SCALES:
        return args->table_scales;
    case POSEMB__ROWS:
        return args->rows;
    case POSEMB__POSITIONS:
        return args->positions;
    case POSEMB__PADDING:
        return args->padding;
    case POSEMB__POSITION_TABLE:
        return args->position_table;
    case POSEMB__POSITION_SCALES:
        return args->position_scales;
    case POSEMB__GAMMA:
        return args->gamma;
    case POSEMB__BETA:
        return args->beta;
    default:
        if (input >= POSEMB__EXTRA_SCALES)
            return extras[input - POSEMB__EXTRA_SCALES].scales;
        if (input >= POSEMB__EXTRA_TABLE)
            return extras[input - POSEMB__EXTRA_TABLE].table;
        if (input >= POSEMB__EXTRA_IDS)
            return extras[input - POSEMB__EXTRA_IDS].ids;
        return NULL; /* the table of a host call is in one piece */
    }
}

void *posemb__host_output(const posemb_host_args *args, enum posemb__output output)
{
    void *const pointers[POSEMB__OUTPUTS] = {
        [POSEMB__POSITIONS_OUT] = args->positions_out, [POSEMB__LENGTHS_OUT] = args->lengths_out,
        [POSEMB__MASK_OUT] = args->mask_out,           [POSEMB__SUM_OUT] = args->sum_out,
        [POSEMB__MEAN_OUT] = args->mean_out,           [POSEMB__RSTD_OUT] = args->rstd_out};

    return pointers[output];
}

posemb_status posemb__check_host_args(const struct posemb__call *call, const posemb_host_args *args,
                                      posemb_error *error)
{
    if (!args->out)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "out is NULL");
    for (int i = 0; i < POSEMB__INPUTS; i++)
        if (call->input[i].bytes > 0 && !posemb__host_input(args, (enum posemb__input)i))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                                posemb__input_name((enum posemb__input)i));
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        if (call->output[i].bytes == 0 && posemb__host_output(args, (enum posemb__output)i))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s is given, but the description does not have it",
                                posemb__output_name((enum posemb__output)i));
    return POSEMB_OK;
}
