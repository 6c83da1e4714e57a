/* Positions of a case, and `start`: see kernel_call.h. */
#include "kernel_call.h"

#include "params.h"
#include "reference.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

enum { MOST_TURNS = 96, TURN_PAIRS = 12 };

static const int64_t int32_offset = (int64_t)1 << 31;

/* Positions of one case whose phases, of one pair or another, are special. */
struct turns {
    int64_t position[MOST_TURNS];
    size_t count;
};

static size_t turns_found;

size_t kernel_turns_found(void)
{
    return turns_found;
}

static void add_turn(struct turns *turns, int64_t position, uint64_t step)
{
    const uint32_t eighth = posemb__phase(position, step, 0) & 0x1fffffffu;

    if ((eighth != 0 && eighth != 0x1fffffffu) || turns->count == MOST_TURNS)
        return;
    turns->position[turns->count++] = position;
    turns_found++;
}

/* Positions where position * step comes closest to a multiple of an eighth of a turn: denominators
 * of the continued fraction of step / 2^61. Both sides, positions and their negatives. */
static void find_turns(uint64_t step, struct turns *turns)
{
    uint64_t a = (uint64_t)1 << 61;
    uint64_t b = step % a;
    uint64_t before = 0;
    uint64_t position = 1;

    while (b != 0 && position <= (uint64_t)POSEMB_POSITION_MAX) {
        const uint64_t quotient = a / b;
        const uint64_t rest = a % b;
        const uint64_t next = quotient * position + before;

        add_turn(turns, (int64_t)position, step);
        if (position <= (uint64_t)1 << 31)
            add_turn(turns, -(int64_t)position, step);
        if (quotient > (uint64_t)POSEMB_POSITION_MAX)
            return;
        before = position;
        position = next;
        a = b;
        b = rest;
    }
}

static bool find_all_turns(const posemb_desc *desc, struct turns *turns)
{
    const size_t pairs = posemb_pair_count(desc);
    uint64_t *steps = malloc((pairs + 1) * sizeof *steps);

    if (!steps || posemb_phase_steps(desc, steps, pairs + 1, NULL) != POSEMB_OK) {
        free(steps);
        return false;
    }
    for (size_t k = 0; k < TURN_PAIRS && k < pairs; k++)
        find_turns(steps[k * pairs / (pairs < TURN_PAIRS ? pairs : TURN_PAIRS)], turns);
    free(steps);
    return true;
}

static int64_t pick(const int64_t *values, size_t count, uint64_t draw)
{
    return values[draw % count];
}

/* What `start` is under each kind of positions; `length` = 1 unless columns are added. */
static int64_t draw_start(const struct kernel_call *call, enum kernel_positions kind,
                          const struct turns *turns, uint64_t draw)
{
    const int64_t columns = (int64_t)call->shape.length - 1;
    const int64_t index_ends[] = {POSEMB_POSITION_MIN, POSEMB_POSITION_MAX - columns};
    const int64_t ends[] = {0, POSEMB_POSITION_MIN + 1, POSEMB_POSITION_MAX - 1, 7};
    const bool index = call->desc.positions == POSEMB_POSITIONS_INDEX;
    const bool wide = call->desc.position_type == POSEMB_INT64;

    switch (kind) {
    case POSITIONS_FULL_RANGE:
        if (index)
            return POSEMB_POSITION_MIN + (int64_t)(draw % 0x180000000u);
        return !wide && draw % 2 ? int32_offset : 0;
    case POSITIONS_TURNS:
        if (index)
            return turns->count ? pick(turns->position, turns->count, draw) - columns / 2 : 0;
        return !wide && draw % 2 ? int32_offset : 0;
    case POSITIONS_ENDS:
        if (index)
            return pick(index_ends, COUNT_OF(index_ends), draw);
        return !wide && draw % 2 ? int32_offset : 0;
    case POSITIONS_EXTREMES:
        return index ? int32_offset - columns / 2 : pick(ends, COUNT_OF(ends), draw);
    default:
        return index && draw % 2 ? -columns / 2 : (int64_t)(draw % 7);
    }
}

static int64_t draw_extreme(bool wide, uint64_t draw)
{
    static const int64_t extremes[] = {
        /* fit in 32 bits */
        0, 1, 2, 3, -1, -2, INT32_MIN, INT32_MAX,
        /* do not */
        POSEMB_POSITION_MIN - 1, POSEMB_POSITION_MAX, POSEMB_POSITION_MAX + 1, INT64_MIN, INT64_MAX,
        INT64_MIN + 1, (int64_t)1 << 33, (int64_t)1 << 34, ((int64_t)1 << 34) + 1,
        -((int64_t)1 << 34), -((int64_t)1 << 34) - 1, -((int64_t)1 << 33)};

    return pick(extremes, wide ? COUNT_OF(extremes) : 8, draw);
}

static int64_t draw_end(bool wide, uint64_t draw)
{
    static const int64_t ends[] = {
        POSEMB_POSITION_MIN, POSEMB_POSITION_MIN + 1, -1, 0, INT32_MAX - 1, INT32_MAX,
        POSEMB_POSITION_MAX, POSEMB_POSITION_MAX - 1};

    return pick(ends, wide ? COUNT_OF(ends) : 6, draw);
}

/* A value of the positions buffer. */
static int64_t draw_position(const struct kernel_call *call, enum kernel_positions kind,
                             const struct turns *turns, uint64_t *random)
{
    const bool wide = call->desc.position_type == POSEMB_INT64;
    const uint64_t draw = kernel_random(random) >> 8;
    const uint64_t chance = kernel_random(random) >> 60;

    switch (kind) {
    case POSITIONS_FULL_RANGE:
        return wide ? POSEMB_POSITION_MIN + (int64_t)(draw % 0x180000000u) : (int32_t)draw;
    case POSITIONS_TURNS:
        return turns->count ? pick(turns->position, turns->count, draw) - call->shape.start : 0;
    case POSITIONS_ENDS:
        return draw_end(wide, draw);
    case POSITIONS_FEW_BAD:
        if (chance == 0)
            return draw_extreme(wide, draw);
        return (int64_t)(draw % 5000);
    case POSITIONS_EXTREMES:
        return draw_extreme(wide, draw);
    default:
        return (int64_t)(draw % 5000);
    }
}

static int64_t clamp_start(const struct kernel_call *call, int64_t start)
{
    int64_t most = POSEMB_POSITION_MAX;

    if (call->desc.positions == POSEMB_POSITIONS_INDEX && call->shape.length > 0)
        most -= (int64_t)call->shape.length - 1;
    if (start > most)
        return most;
    return start < POSEMB_POSITION_MIN ? POSEMB_POSITION_MIN : start;
}

bool kernel_call_fill_positions(struct kernel_call *call, const struct kernel_case *kernel_case,
                                uint64_t *random)
{
    const enum kernel_positions kind = (enum kernel_positions)kernel_case->value[FACTOR_POSITIONS];
    const size_t unit = (size_t)posemb__number_size(call->desc.position_type);
    struct turns turns = {.count = 0};

    if (kind == POSITIONS_TURNS && !find_all_turns(&call->desc, &turns))
        return false;
    call->shape.start =
        clamp_start(call, draw_start(call, kind, &turns, kernel_random(random) >> 8));
    for (size_t at = 0; at < call->positions.size; at += unit) {
        const int64_t wide = draw_position(call, kind, &turns, random);
        const int32_t narrow = (int32_t)wide;

        memcpy(call->positions.bytes + at, unit == 8 ? (const void *)&wide : (const void *)&narrow,
               unit);
    }
    return true;
}
