/* How a call is divided over devices. */
#include "split.h"

#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- What is divided: rows of the batch, or columns */

enum axis { NOTHING, ROWS, COLUMNS };

/* Output rows of one batch row do not lie together: [S, B, D]. */
static bool is_interleaved(const struct posemb__call *call, uint64_t row_bytes)
{
    const posemb_shape *shape = &call->shape;

    return shape->batch > 1 &&
           shape->out_batch_stride < (shape->length - 1) * shape->out_stride + row_bytes;
}

/* Why columns cannot be given to different devices; NULL where they can. */
static const char *why_no_columns(const posemb_desc *desc, const struct posemb__call *call,
                                  const struct posemb__split_rule *rule)
{
    const posemb_shape *shape = &call->shape;

    if (desc->positions == POSEMB_POSITIONS_COUNT ||
        desc->positions == POSEMB_POSITIONS_COUNT_BEFORE)
        return "the rule counts the tokens of whole rows";
    if (desc->grid.axes && desc->positions == POSEMB_POSITIONS_INDEX)
        return "the columns of a grid belong together";
    if (desc->padding == POSEMB_PADDING_LEFT_COUNT || desc->padding == POSEMB_PADDING_LEFT_LENGTH)
        return "left padding is of whole rows";
    if (rule->wanted[POSEMB__LENGTHS_OUT])
        return "lengths_out is of whole rows";
    if (desc->positions == POSEMB_POSITIONS_ROW_START &&
        (uint64_t)(POSEMB_POSITION_MAX - shape->start) < shape->length - 1)
        return "start + length - 1 is above 2^32-1";
    for (int i = 0; shape->batch > 1 && i < POSEMB__OUTPUTS; i++)
        if (rule->wanted[i] && i != POSEMB__SUM_OUT)
            return "what is written for each token beside the output has whole rows";
    return NULL;
}

static posemb_status choose_axis(const posemb_desc *desc, const struct posemb__call *call,
                                 const struct posemb__split_rule *rule, enum axis *axis,
                                 posemb_error *error)
{
    const uint64_t row_bytes = desc->dim * call->out.unit;
    const char *why = why_no_columns(desc, call, rule);
    const bool interleaved = is_interleaved(call, row_bytes);

    *axis = ROWS;
    if (desc->positions == POSEMB_POSITIONS_RAGGED)
        return posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                            "ragged positions cannot be divided over devices: which sequences a "
                            "part has is known to the device alone; make a call of each part");
    if (call->shape.batch > 1 && !interleaved)
        return POSEMB_OK;
    *axis = why ? NOTHING : COLUMNS;
    if (!why || !interleaved)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                        "out_batch_stride is %" PRIu64
                        ": batch rows that lie between each other cannot be divided over devices, "
                        "and columns cannot because %s",
                        call->shape.out_batch_stride, why);
}

/* ---- Where it may be cut */

/* Item k of the axis has `bytes` bytes from begin + k * stride on. */
struct written {
    uint64_t begin;
    uint64_t stride;
    uint64_t bytes;
};

enum { WRITTEN_MAX = POSEMB__OUTPUTS + 1 };

struct ruler {
    uint64_t items; /* rows or columns */
    uint64_t alignment;
    struct written written[WRITTEN_MAX];
    int count;
};

static void add_written(struct ruler *ruler, uint64_t begin, uint64_t stride, uint64_t bytes)
{
    ruler->written[ruler->count++] = (struct written){begin, stride, bytes};
}

/* Of the output and of the sum, which has its strides. */
static void add_rows(struct ruler *ruler, const posemb_shape *shape, enum axis axis, uint64_t row,
                     uint64_t begin)
{
    if (axis == ROWS)
        add_written(ruler, begin, shape->out_batch_stride,
                    (shape->length - 1) * shape->out_stride + row);
    else
        add_written(ruler, begin, shape->out_stride,
                    (shape->batch - 1) * shape->out_batch_stride + row);
}

static struct ruler make_ruler(const posemb_desc *desc, const struct posemb__call *call,
                               const struct posemb__split_rule *rule, enum axis axis)
{
    const uint64_t row = desc->dim * call->out.unit;
    const posemb_shape *shape = &call->shape;
    struct ruler ruler = {.items = axis == ROWS ? shape->batch : shape->length,
                          .alignment = rule->alignment};

    add_rows(&ruler, shape, axis, row, rule->out_begin);
    for (int i = 0; i < POSEMB__OUTPUTS; i++) {
        const uint64_t item = call->output[i].bytes / ruler.items; /* columns: of one batch row */

        if (!rule->wanted[i])
            continue;
        if (i == POSEMB__SUM_OUT)
            add_rows(&ruler, shape, axis, row, rule->output_begin[i]);
        else
            add_written(&ruler, rule->output_begin[i], item, item);
    }
    return ruler;
}

/* Whether a part may begin with item k. */
static bool may_cut(const struct ruler *ruler, uint64_t k)
{
    for (int i = 0; k > 0 && k < ruler->items && i < ruler->count; i++) {
        const struct written *w = &ruler->written[i];

        if ((w->begin + k * w->stride) % ruler->alignment > w->stride - w->bytes)
            return false;
    }
    return true;
}

/* The nearest place where the call may be cut; of two the later. Places repeat with a period that
 * divides the alignment. */
static uint64_t nearest_cut(const struct ruler *ruler, uint64_t target)
{
    const uint64_t before = target;
    const uint64_t behind = ruler->items - target;

    for (uint64_t d = 0; d <= ruler->alignment; d++) {
        if (d <= behind && may_cut(ruler, target + d))
            return target + d;
        if (d <= before && may_cut(ruler, target - d))
            return target - d;
    }
    return before >= behind ? ruler->items : 0;
}

/* ---- Shares */

static posemb_status check_weights(const double *weights, uint32_t count, double *largest,
                                   posemb_error *error)
{
    *largest = 0.0;
    for (uint32_t k = 0; k < count; k++) {
        if (!(weights[k] >= 0.0 && isfinite(weights[k])))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "shares[%" PRIu32 "].weight is %g, neither 0 nor positive and "
                                "finite",
                                k, weights[k]);
        *largest = weights[k] > *largest ? weights[k] : *largest;
    }
    return POSEMB_OK;
}

/* Relative to the largest, so that no sum overflows; 1 each where all are 0. */
static double weight_of(const double *weights, uint32_t k, double largest)
{
    return largest > 0.0 ? weights[k] / largest : 1.0;
}

static void set_range(posemb_range *range, const posemb_shape *shape, enum axis axis, uint64_t from,
                      uint64_t to)
{
    *range = (posemb_range){0, 0, 0, 0};
    if (from == to)
        return;
    *range = axis == ROWS ? (posemb_range){from, to - from, 0, shape->length}
                          : (posemb_range){0, shape->batch, from, to - from};
}

posemb_status posemb__split_cut(const posemb_desc *resolved, const struct posemb__call *call,
                                const struct posemb__split_rule *rule, const double *weights,
                                uint32_t count, posemb_range *ranges, posemb_error *error)
{
    enum axis axis = ROWS;
    struct ruler ruler;
    double largest;
    double sum = 0.0;
    double passed = 0.0;
    uint64_t from = 0;
    posemb_status status = check_weights(weights, count, &largest, error);

    if (status == POSEMB_OK && count > 1)
        status = choose_axis(resolved, call, rule, &axis, error);
    if (status != POSEMB_OK)
        return status;
    ruler = make_ruler(resolved, call, rule, axis);
    if (count == 1 || axis == NOTHING)
        ruler.alignment = 1;
    for (uint32_t k = 0; k < count; k++)
        sum += weight_of(weights, k, largest);
    for (uint32_t k = 0; k < count; k++) {
        uint64_t to;

        passed += weight_of(weights, k, largest);
        to = (uint64_t)floor((double)ruler.items * (passed / sum) + 0.5);
        if (k + 1 == count || to > ruler.items)
            to = ruler.items;
        if (axis == NOTHING)
            to = 2 * to >= ruler.items ? ruler.items : 0;
        to = nearest_cut(&ruler, to);
        set_range(&ranges[k], &call->shape, axis, from, to);
        from = to;
    }
    return POSEMB_OK;
}

/* ---- A part as a call */

posemb_shape posemb__split_shape(const posemb_desc *resolved, const struct posemb__call *call,
                                 const posemb_range *range)
{
    posemb_shape shape = call->shape;

    shape.batch = range->rows;
    shape.length = range->columns;
    if (resolved->positions == POSEMB_POSITIONS_INDEX ||
        resolved->positions == POSEMB_POSITIONS_ROW_START)
        shape.start += (int64_t)range->first_column;
    return shape;
}

static uint64_t place_of_numbers(const posemb_range *range, uint64_t batch_stride, uint64_t size)
{
    return range->first_row * batch_stride + range->first_column * size;
}

static uint64_t positions_offset(const posemb_desc *desc, const posemb_shape *shape,
                                 const posemb_range *range)
{
    const uint64_t size = posemb__number_size(desc->position_type) * posemb__axes_of(desc);

    switch (desc->positions) {
    case POSEMB_POSITIONS_ROW_START:
        return range->first_row * size;
    case POSEMB_POSITIONS_EXPLICIT:
        return place_of_numbers(range, shape->positions_batch_stride, size);
    case POSEMB_POSITIONS_EXPLICIT_SHARED:
        return range->first_column * size;
    default:
        return 0;
    }
}

static uint64_t padding_offset(const posemb_desc *desc, const posemb_shape *shape,
                               const posemb_range *range)
{
    const uint64_t size = posemb__number_size(desc->padding_type);

    if (desc->padding == POSEMB_PADDING_MASK)
        return place_of_numbers(range, shape->padding_batch_stride, size);
    return range->first_row * size; /* of rows; else there is no such buffer */
}

static uint64_t extra_offset(const posemb_desc *desc, const posemb_shape *shape,
                             const posemb_range *range, uint32_t k)
{
    const uint64_t size = posemb__number_size(desc->extras[k].id_type);

    if (desc->extras[k].ids == POSEMB_EXTRA_OF_TOKEN)
        return place_of_numbers(range, shape->extras[k].ids_batch_stride, size);
    return range->first_row * size;
}

uint64_t posemb__split_input_offset(const posemb_desc *resolved, const struct posemb__call *call,
                                    const posemb_range *range, enum posemb__input input)
{
    const posemb_shape *shape = &call->shape;

    if (call->input[input].bytes == 0)
        return 0;
    switch (input) {
    case POSEMB__IDS:
        return place_of_numbers(range, shape->ids_batch_stride,
                                posemb__number_size(resolved->id_type));
    case POSEMB__ROWS: /* of a soft prompt they are a table */
        return resolved->operation == POSEMB_ADD
                   ? place_of_numbers(range, shape->rows_batch_stride, shape->rows_stride)
                   : 0;
    case POSEMB__POSITIONS:
        return positions_offset(resolved, shape, range);
    case POSEMB__PADDING:
        return padding_offset(resolved, shape, range);
    default:
        if (input >= POSEMB__EXTRA_IDS && input < POSEMB__EXTRA_TABLE)
            return extra_offset(resolved, shape, range, (uint32_t)(input - POSEMB__EXTRA_IDS));
        return 0; /* tables, and gamma and beta */
    }
}

uint64_t posemb__split_out_offset(const struct posemb__call *call, const posemb_range *range)
{
    return place_of_numbers(range, call->shape.out_batch_stride, call->shape.out_stride);
}

uint64_t posemb__split_output_offset(const struct posemb__call *call, const posemb_range *range,
                                     enum posemb__output output)
{
    const uint64_t token = range->first_row * call->shape.length + range->first_column;

    if (output == POSEMB__SUM_OUT)
        return posemb__split_out_offset(call, range);
    if (output == POSEMB__LENGTHS_OUT)
        return range->first_row * (call->output[output].bytes / call->shape.batch);
    return token * (call->output[output].bytes / call->tokens);
}

/* ---- Records */

uint32_t posemb__split_token(const struct posemb__call *call, const posemb_range *range,
                             uint32_t token)
{
    const uint64_t row = range->first_row + token / range->columns;
    const uint64_t column = range->first_column + token % range->columns;
    const uint64_t index = row * call->shape.length + column;

    return token == POSEMB_NO_TOKEN || index > POSEMB_NO_TOKEN ? POSEMB_NO_TOKEN : (uint32_t)index;
}

static void add_pair(const struct posemb__call *call, const posemb_range *range, uint32_t count,
                     uint32_t first, uint32_t *whole_count, uint32_t *whole_first)
{
    const uint32_t token = posemb__split_token(call, range, first);

    *whole_count = count > UINT32_MAX - *whole_count ? UINT32_MAX : *whole_count + count;
    if (token < *whole_first)
        *whole_first = token;
}

void posemb__split_add_record(const struct posemb__call *call, const posemb_range *range,
                              const posemb_record *part, posemb_record *whole)
{
    add_pair(call, range, part->id_count, part->id_first, &whole->id_count, &whole->id_first);
    add_pair(call, range, part->position_count, part->position_first, &whole->position_count,
             &whole->position_first);
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        add_pair(call, range, part->extras[k].count, part->extras[k].first, &whole->extras[k].count,
                 &whole->extras[k].first);
}
