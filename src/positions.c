/* Where tokens are. Scalar, one token after the other, and written to be read: the definition. */
#include "positions.h"

#include <string.h>

int64_t posemb__load_int(const void *base, uint64_t byte_offset, posemb_number_type type)
{
    const char *place = (const char *)base + byte_offset;
    uint8_t byte;
    int32_t narrow;
    int64_t wide;

    switch (type) {
    case POSEMB_UINT8:
        memcpy(&byte, place, sizeof byte);
        return byte;
    case POSEMB_INT64:
        memcpy(&wide, place, sizeof wide);
        return wide;
    default:
        memcpy(&narrow, place, sizeof narrow);
        return narrow;
    }
}

float posemb__load_float(const void *base, uint64_t byte_offset)
{
    float value;

    memcpy(&value, (const char *)base + byte_offset, sizeof value);
    return value;
}

/* ---- Pads */

static int64_t load_position(const struct posemb__walk *walk, uint64_t index)
{
    const posemb_number_type type = walk->desc->position_type;

    return posemb__load_int(walk->args->positions, index * posemb__number_size(type), type);
}

/* padding[b, column] of a mask */
static int64_t load_mask(const struct posemb__walk *walk, uint64_t b, uint64_t column)
{
    const posemb_number_type type = walk->desc->padding_type;
    const uint64_t place = b * walk->call->shape.padding_batch_stride;

    return posemb__load_int(walk->args->padding, place + column * posemb__number_size(type), type);
}

/* How many columns of row b are pads at its left; false where padding[b] cannot be. */
static bool find_left_pads(const struct posemb__walk *walk, uint64_t b, uint64_t *pads)
{
    const posemb_number_type type = walk->desc->padding_type;
    const uint64_t length = walk->call->shape.length;
    const int64_t value =
        posemb__load_int(walk->args->padding, b * posemb__number_size(type), type);

    *pads = 0;
    if (value < 0 || (uint64_t)value > length)
        return false;
    *pads = walk->desc->padding == POSEMB_PADDING_LEFT_COUNT ? (uint64_t)value
                                                             : length - (uint64_t)value;
    return true;
}

/* Whether token (b, s) is a pad; *good is false where the padding itself is bad. */
static bool is_pad(const struct posemb__walk *walk, uint64_t b, uint64_t s, bool *good)
{
    const posemb_desc *desc = walk->desc;
    const posemb_shape *shape = &walk->call->shape;
    uint64_t pads;

    *good = true;
    switch (desc->padding) {
    case POSEMB_PADDING_TOKEN:
        return posemb__load_int(walk->args->ids,
                                b * shape->ids_batch_stride +
                                    s * posemb__number_size(desc->id_type),
                                desc->id_type) == desc->pad_id;
    case POSEMB_PADDING_MASK:
        return load_mask(walk, b, shape->past + s) == 0;
    case POSEMB_PADDING_LEFT_COUNT:
    case POSEMB_PADDING_LEFT_LENGTH:
        *good = find_left_pads(walk, b, &pads);
        return s < pads;
    default:
        return false;
    }
}

/* ---- Ragged rows */

static bool is_ragged_entry_good(const struct posemb__walk *walk, uint64_t k)
{
    const int64_t begin = load_position(walk, k);
    const int64_t end = load_position(walk, k + 1);

    return begin >= 0 && begin <= end && (uint64_t)end <= walk->call->shape.length;
}

/* The entries that column s answers for. */
static bool are_ragged_entries_good(const struct posemb__walk *walk, uint64_t s)
{
    const posemb_shape *shape = &walk->call->shape;

    if (s == 0 && load_position(walk, 0) != 0)
        return false;
    for (uint64_t k = s; k < shape->sequences; k += shape->length)
        if (!is_ragged_entry_good(walk, k))
            return false;
    return true;
}

/* Column s lies in the sequence that bisection finds; where the entries do not rise, it may find
 * none. */
static void find_ragged(const struct posemb__walk *walk, uint64_t s,
                        struct posemb__position *position)
{
    const posemb_shape *shape = &walk->call->shape;
    const int64_t column = (int64_t)s;
    uint64_t low = 0;
    uint64_t high = shape->sequences;

    position->integer[0] = shape->start;
    position->good = are_ragged_entries_good(walk, s);
    if (!position->good)
        return;
    if (column >= load_position(walk, shape->sequences)) {
        position->pad = true;
        return;
    }
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;

        if (load_position(walk, middle) <= column)
            low = middle;
        else
            high = middle;
    }
    position->good = load_position(walk, low) <= column && column < load_position(walk, low + 1);
    position->integer[0] += column - load_position(walk, low);
}

/* ---- Rules */

static bool is_in_range(int64_t position)
{
    return position >= POSEMB_POSITION_MIN && position <= POSEMB_POSITION_MAX;
}

/* given + offset, where that is a position. */
static bool add_given(int64_t given, int64_t offset, int64_t *position)
{
    if (given < POSEMB_POSITION_MIN - offset || given > POSEMB_POSITION_MAX - offset)
        return false;
    *position = given + offset;
    return true;
}

/* Numbers of the caller's from element `index` on, one for each axis. */
static void take_given(const struct posemb__walk *walk, uint64_t byte_offset,
                       struct posemb__position *position)
{
    const uint64_t size = posemb__number_size(walk->desc->position_type);

    for (uint32_t axis = 0; axis < posemb__axes_of(walk->desc); axis++) {
        const uint64_t place = byte_offset + axis * size;

        if (walk->desc->position_type == POSEMB_FLOAT32) {
            const float real = posemb__load_float(walk->args->positions, place);

            position->real[axis] = real;
            /* 2^32 itself is a float, the largest position is not. */
            if (!(real >= (float)POSEMB_POSITION_MIN && real < 4294967296.0f))
                position->good = false;
        } else if (!add_given(
                       posemb__load_int(walk->args->positions, place, walk->desc->position_type),
                       walk->call->shape.start, &position->integer[axis])) {
            position->good = false;
        }
    }
}

/* The coordinates of column s, the last axis fastest. */
static void take_coordinates(const struct posemb__walk *walk, uint64_t s,
                             struct posemb__position *position)
{
    for (uint32_t axis = walk->desc->grid.axes; axis-- > 0;) {
        const uint32_t count = walk->desc->grid.count[axis];

        position->integer[axis] = walk->call->shape.start + (int64_t)(s % count);
        s /= count;
    }
}

/* Under the counting rules pads stay at `start`; `own` says whether the token itself counts. */
static void take_count(const struct posemb__walk *walk, bool own, struct posemb__position *position)
{
    const posemb_shape *shape = &walk->call->shape;
    uint64_t count = walk->counted + (own ? 1 : 0);

    position->integer[0] = shape->start;
    if (position->pad)
        return;
    if (walk->desc->padding != POSEMB_PADDING_MASK)
        count += shape->past; /* a mask has the past in it */
    position->integer[0] += (int64_t)count;
    position->good = position->good && is_in_range(position->integer[0]);
}

static void apply_rule(struct posemb__walk *walk, uint64_t b, uint64_t s,
                       struct posemb__position *position)
{
    const posemb_shape *shape = &walk->call->shape;
    const uint64_t size =
        posemb__number_size(walk->desc->position_type) * posemb__axes_of(walk->desc);
    const int64_t offset = shape->start + (int64_t)shape->past + (int64_t)s;

    switch (walk->desc->positions) {
    case POSEMB_POSITIONS_ROW_START:
        if (!add_given(load_position(walk, b), offset, &position->integer[0]))
            position->good = false;
        break;
    case POSEMB_POSITIONS_EXPLICIT:
        take_given(walk, b * shape->positions_batch_stride + s * size, position);
        break;
    case POSEMB_POSITIONS_EXPLICIT_SHARED:
        take_given(walk, s * size, position);
        break;
    case POSEMB_POSITIONS_COUNT:
        take_count(walk, true, position);
        break;
    case POSEMB_POSITIONS_COUNT_BEFORE:
        take_count(walk, false, position);
        break;
    default:
        if (walk->desc->grid.axes)
            take_coordinates(walk, s, position);
        else
            position->integer[0] = offset;
        break;
    }
}

void posemb__walk_begin_row(struct posemb__walk *walk, uint64_t b)
{
    walk->counted = 0;
    if (walk->desc->padding == POSEMB_PADDING_MASK)
        for (uint64_t column = 0; column < walk->call->shape.past; column++)
            walk->counted += load_mask(walk, b, column) != 0;
    walk->past_counted = walk->counted;
}

void posemb__walk_next(struct posemb__walk *walk, uint64_t b, uint64_t s,
                       struct posemb__position *position)
{
    memset(position, 0, sizeof *position);
    if (walk->desc->positions == POSEMB_POSITIONS_RAGGED) {
        find_ragged(walk, s, position);
        position->good = position->good && is_in_range(position->integer[0]);
    } else {
        position->pad = is_pad(walk, b, s, &position->good);
        apply_rule(walk, b, s, position);
    }
    walk->counted += !position->pad;
}

uint64_t posemb__walk_row_length(const struct posemb__walk *walk)
{
    const posemb_shape *shape = &walk->call->shape;
    int64_t end;

    if (walk->desc->positions != POSEMB_POSITIONS_RAGGED)
        return walk->counted - walk->past_counted;
    end = load_position(walk, shape->sequences);
    if (end < 0)
        return 0;
    return (uint64_t)end < shape->length ? (uint64_t)end : shape->length;
}
