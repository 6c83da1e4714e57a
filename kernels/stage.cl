/* The embedding stage in one pass: look up, scale, add positions, store.
 *
 * posemb_stage:        a work-group owns POSEMB_ROWS consecutive tokens.
 *                      Groups: ceil(tokens / POSEMB_ROWS).
 * posemb_stage_shared: a work-group owns POSEMB_ROWS batch rows of one column, which share their
 *                      position, so that its sinusoids are computed once.
 *                      Groups: length * ceil(batch / POSEMB_ROWS).
 * *_streamed:          the same with stores that bypass the cache.
 *
 * The work-items of a group walk the channel pairs, POSEMB_PAIRS at a time. Any local size is right;
 * the CPU shape has local size 1, POSEMB_MEMORY 16; the GPU shape has POSEMB_MEMORY 4.
 *
 * posemb_count:        before them, where rows are long and pads are counted: work-item k counts the tokens of
 *                      chunk k % chunks of batch row k / chunks that are not pads, into scratch memory.
 *
 * Build-time: POSEMB_OPERATION, POSEMB_HALVES (0: interleaved), POSEMB_COSINE_FIRST, POSEMB_AMPLITUDE (one
 * other than 1), POSEMB_PHASES (pairs with phases of their own), POSEMB_FLOAT (float positions), POSEMB_GRID,
 * POSEMB_COUNTS (with posemb_count), POSEMB_SHARED (with the kernels for shared positions), POSEMB_MEMORY
 * (4, 16: floats in one access), POSEMB_ROWS. */
#pragma OPENCL FP_CONTRACT OFF

#include "launch.h"
#include "coefficients.h"

#define POSEMB_ENCODE 1
#define POSEMB_ADD    2
#define POSEMB_TABLE  3

#define POSEMB_CPU  (POSEMB_MEMORY == 16)
#define POSEMB_AXES (POSEMB_GRID ? 3 : 1)

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)

#include "padding.clh"
#include "tokens.clh"

#define N
#define WIDTH 1
#include "pairs.clh"
#undef N
#undef WIDTH

/* POSEMB_PAIRS channel pairs fill one access (halves: each half) or two (CPU, interleaved). */
#if POSEMB_CPU
#define POSEMB_PAIRS 16
#elif POSEMB_HALVES
#define POSEMB_PAIRS 4
#else
#define POSEMB_PAIRS 2
#endif
#define N     POSEMB_PAIRS
#define WIDTH POSEMB_PAIRS
#include "pairs.clh"
typedef CAT(float, POSEMB_PAIRS) posemb_pairs;

#define posemb_vector_phase  CAT(posemb_phase, N)
#define posemb_vector_sincos CAT(posemb_sincos, N)

typedef CAT(float, POSEMB_MEMORY) posemb_memory;

#define POSEMB_STREAMED_STORES 0
#ifdef __has_builtin
#if POSEMB_CPU && __has_builtin(__builtin_nontemporal_store)
#undef POSEMB_STREAMED_STORES
#define POSEMB_STREAMED_STORES 1
#endif
#endif

#include "rows.clh"

#if POSEMB_CPU
/* CPUs read and write vectors at any float. */
typedef posemb_memory posemb_memory_anywhere __attribute__((aligned(4)));
#define ACCESS              anywhere
#define LOAD(place)         (*(global const posemb_memory_anywhere *)(place))
#define STORE(value, place) (*(global posemb_memory_anywhere *)(place) = (value))
#include "vectors.clh"
#undef ACCESS
#undef LOAD
#undef STORE
#else
#define ACCESS              aligned
#define LOAD(place)         (*(global const posemb_memory *)(place))
#define STORE(value, place) (*(global posemb_memory *)(place) = (value))
#include "vectors.clh"
#undef ACCESS
#undef LOAD
#undef STORE
#endif

#if POSEMB_STREAMED_STORES
#define ACCESS              streamed
#define LOAD(place)         (*(global const posemb_memory *)(place))
#define STORE(value, place) __builtin_nontemporal_store(value, (global posemb_memory *)(place))
#include "vectors.clh"
#endif

/* Whether vectors of every row lie at multiples of their size. */
static inline bool posemb_is_aligned(const struct posemb_launch *a, const struct posemb_segment *segment,
                                     const struct posemb_row *row)
{
    ulong places = (ulong)(size_t)row->out | a->out_stride | a->out_batch_stride | segment->channel * sizeof(float);

#if POSEMB_OPERATION != POSEMB_TABLE
    places |= (ulong)(size_t)row->source | a->source_stride | a->source_batch_stride;
#endif
#if POSEMB_HALVES
    places |= segment->second_offset * sizeof(float);
#endif
    return (places & (POSEMB_MEMORY * sizeof(float) - 1)) == 0;
}

/* Segment k. Written out, because one compiler dies of arguments that are indexed by a variable. */
static inline struct posemb_segment posemb_segment_of(const struct posemb_launch *a, uint k)
{
#if POSEMB_GRID
    if (k == 1)
        return a->segment[1];
    if (k == 2)
        return a->segment[2];
#endif
    return a->segment[0];
}

#define POSEMB_ALL_SUMS ((uint)((1ul << POSEMB_ROWS) - 1ul))

static inline struct posemb_steps posemb_steps_of(const struct posemb_launch *a, const struct posemb_segment *segment,
                                                  global const ulong *table)
{
    struct posemb_steps steps;

    steps.step = table + segment->first_step;
#if POSEMB_PHASES
    steps.phase = table + a->pairs + segment->first_step;
#endif
#if POSEMB_FLOAT
    steps.whole = (global const uint *)(table + (POSEMB_PHASES ? 2 : 1) * a->pairs) + segment->first_step;
#endif
    return steps;
}

/* Ask for the first lines of every row at once, and for those behind the next page boundary: rows of a
 * table lie on pages of their own, and a group would else wait for one after the other. More lines were
 * measured to be slower. */
static inline void posemb_prefetch(const struct posemb_launch *a, const struct posemb_row *rows)
{
#if POSEMB_CPU && POSEMB_OPERATION == POSEMB_ENCODE && defined(__x86_64__)
    const size_t bytes = sizeof(float) * a->dim;

    for (size_t line = 0; line < min(bytes, (size_t)8 * 64); line += 64)
        for (uint r = 0; r < POSEMB_ROWS; r++)
            __builtin_prefetch((const void *)((size_t)rows[r].source + line), 0, 2);
    for (uint r = 0; r < POSEMB_ROWS; r++) {
        const size_t page = ((size_t)rows[r].source | 4095) + 1;
        const size_t end = min((size_t)rows[r].source + bytes, page + 4 * 64);

        for (size_t line = page; line < end; line += 64)
            __builtin_prefetch((const void *)line, 0, 2);
    }
#endif
}

/* A row without a position, or of zeros. */
static inline void posemb_put_other(const struct posemb_launch *a, const struct posemb_row *row)
{
    uint done = 0;

#if POSEMB_CPU
    for (done = 0; done + POSEMB_MEMORY <= a->dim; done += POSEMB_MEMORY)
        posemb_put_plain_anywhere(row, done, a->scale);
#endif
    posemb_walk_plain(a, row, done);
}

/* Every channel of one row that is not like all others of its group. */
static inline void posemb_put_row(const struct posemb_launch *a, const struct posemb_segment *segment,
                                  struct posemb_steps steps, const struct posemb_row *row)
{
#if POSEMB_CPU
    posemb_walk_anywhere(a, segment, steps, row, 1, false);
    posemb_walk_pairs(a, segment, steps, row, segment->full_pairs / POSEMB_PAIRS * POSEMB_PAIRS);
#else
    posemb_walk_pairs(a, segment, steps, row, 0);
#endif
}

/* A segment of rows that are all sums: vectors, then what is left of each row. */
static inline void posemb_put_sums(const struct posemb_launch *a, const struct posemb_segment *segment,
                                   struct posemb_steps steps, const struct posemb_row *rows, const bool shared,
                                   const bool streamed)
{
    const bool aligned = posemb_is_aligned(a, segment, &rows[0]);
    const uint tail = segment->full_pairs / POSEMB_PAIRS * POSEMB_PAIRS;

#if POSEMB_STREAMED_STORES
    if (streamed && aligned)
        posemb_walk_streamed(a, segment, steps, rows, POSEMB_ROWS, shared);
    else
#endif
#if POSEMB_CPU
        posemb_walk_anywhere(a, segment, steps, rows, POSEMB_ROWS, shared);
#else
    if (aligned)
        posemb_walk_aligned(a, segment, steps, rows, POSEMB_ROWS, shared);
#endif
    for (uint r = 0; r < POSEMB_ROWS; r++)
        posemb_walk_pairs(a, segment, steps, &rows[r], POSEMB_CPU || aligned ? tail : 0);
}

/* What a group does: find its rows, then each segment of them. */
static inline void posemb_group(const struct posemb_launch *a, const struct posemb_buffers *buffers,
                                global const uchar *source, global const ulong *steps, global uchar *out,
                                const bool shared, const bool streamed)
{
    const uint group = get_group_id(0);
    const uint block = shared ? group / a->length : group;
    const uint column = shared ? group - block * a->length : 0;
    const uint first = block * POSEMB_ROWS;
    const uint count = min((uint)POSEMB_ROWS, (shared ? a->batch : a->tokens) - first);
    struct posemb_row rows[POSEMB_ROWS];
    struct posemb_scan scan = {0, 0, false};
    uint sums = 0;

    for (uint r = 0; r < count; r++) {
        const uint b = shared ? first + r : (first + r) / a->length;
        const uint s = shared ? column : first + r - b * a->length;

        posemb_find_row(a, buffers, source, out, b, s, get_local_id(0) == 0, &scan, &rows[r]);
        sums |= (rows[r].kind == POSEMB_ROW_SUM) << r;
    }
#if POSEMB_OPERATION == POSEMB_ADD || !POSEMB_CPU
    /* A sum may be written over a source that is still needed; and by another work-item than what follows it. */
    const bool together = sums == POSEMB_ALL_SUMS;
#else
    /* With a few other rows among them the rows are computed together all the same, and those written over. */
    const bool together = count == POSEMB_ROWS && 2 * popcount(sums) >= POSEMB_ROWS;

    for (uint r = 0; together && r < POSEMB_ROWS; r++)
        if (rows[r].kind == POSEMB_ROW_ZERO)
            rows[r].source = (global const float *)(source + a->source_offset); /* one that is there */
#endif
    if (together)
        posemb_prefetch(a, rows);
    for (uint k = 0; k < (POSEMB_GRID ? a->segments : 1u); k++) {
        const struct posemb_segment segment = posemb_segment_of(a, k);
        const struct posemb_steps of_segment = posemb_steps_of(a, &segment, steps);

        if (together) {
            posemb_put_sums(a, &segment, of_segment, rows, shared, streamed && sums == POSEMB_ALL_SUMS);
            continue;
        }
        for (uint r = 0; r < count; r++)
            if (rows[r].kind == POSEMB_ROW_SUM)
                posemb_put_row(a, &segment, of_segment, &rows[r]);
    }
    for (uint r = 0; sums != POSEMB_ALL_SUMS && r < count; r++)
        if (rows[r].kind != POSEMB_ROW_SUM)
            posemb_put_other(a, &rows[r]);
}

#define POSEMB_KERNEL(name, shared, streamed)                                                      \
    kernel void name(const struct posemb_launch a, global const uchar *ids,                        \
                     global const uchar *source, global const uchar *positions,                    \
                     global const uchar *padding, global const ulong *steps,                       \
                     global const uchar *scratch, global uchar *out, global uchar *positions_out,  \
                     global uchar *lengths_out, global uchar *mask_out, global uchar *record)      \
    {                                                                                              \
        const struct posemb_buffers buffers = {ids,           positions,   padding,  scratch,      \
                                               positions_out, lengths_out, mask_out, record};      \
                                                                                                   \
        posemb_group(&a, &buffers, source, steps, out, shared, streamed);                          \
    }

POSEMB_KERNEL(posemb_stage, false, false)
#if POSEMB_SHARED
POSEMB_KERNEL(posemb_stage_shared, true, false)
#endif
#if POSEMB_STREAMED_STORES
POSEMB_KERNEL(posemb_stage_streamed, false, true)
#if POSEMB_SHARED
POSEMB_KERNEL(posemb_stage_shared_streamed, true, true)
#endif
#endif

#if POSEMB_COUNTS
kernel void posemb_count(const struct posemb_launch a, global const uchar *ids, global const uchar *padding,
                         global uchar *scratch)
{
    const ulong index = get_global_id(0);
    const ulong columns = a.length + (a.padding == POSEMB_PADS_MASK ? a.past : 0);
    const uint b = (uint)(index / a.chunks);
    const uint chunk = (uint)(index - (ulong)b * a.chunks);
    const ulong from = (ulong)chunk * a.chunk;

    if (b < a.batch)
        ((global uint *)(scratch + a.scratch_offset))[index] =
            (uint)posemb_count_columns(posemb_find_pad_row(&a, ids, padding, b), from, min(from + a.chunk, columns));
}
#endif
