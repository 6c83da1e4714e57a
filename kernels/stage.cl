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
 * Build-time: POSEMB_OPERATION, POSEMB_HALVES (0: interleaved), POSEMB_SHARED (with the kernels for
 * shared positions), POSEMB_MEMORY (4, 16: floats in one access), POSEMB_ROWS. */
#pragma OPENCL FP_CONTRACT OFF

#include "launch.h"
#include "coefficients.h"

#define POSEMB_ENCODE 1
#define POSEMB_ADD    2
#define POSEMB_TABLE  3

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)

#define N
#define WIDTH 1
#include "pairs.clh"
#undef N
#undef WIDTH

/* POSEMB_PAIRS channel pairs fill one access (halves: each half) or two (CPU, interleaved). */
#define POSEMB_CPU (POSEMB_MEMORY == 16)
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

#define posemb_vector_steps  CAT(vload, N)
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

#include "tokens.clh"
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
static inline bool posemb_is_aligned(const struct posemb_launch *a, const struct posemb_row *row)
{
    ulong places = (ulong)(size_t)row->out | a->out_stride | a->out_batch_stride;

#if POSEMB_OPERATION != POSEMB_TABLE
    places |= (ulong)(size_t)row->source | a->source_stride | a->source_batch_stride;
#endif
#if POSEMB_HALVES
    places |= a->cosine_offset * sizeof(float);
#endif
    return (places & (POSEMB_MEMORY * sizeof(float) - 1)) == 0;
}

#define POSEMB_ALL_GOOD ((uint)((1ul << POSEMB_ROWS) - 1ul))

/* Pair by pair from `first` on, and the lone channel. */
static inline void posemb_walk_pairs(const struct posemb_launch *a, global const ulong *steps,
                                     const struct posemb_row *row, const uint first)
{
    const uint lane = get_local_id(0);
    float sine = 0.0f;
    float cosine;

    for (uint pair = first + lane; pair < a->full_pairs; pair += get_local_size(0)) {
        posemb_sincos(posemb_phase(row->position, steps[pair]), &sine, &cosine);
        posemb_put_pair1(a, row, pair, sine, cosine);
    }
    if (a->lone == POSEMB_LONE_NONE || lane != 0)
        return;
    if (a->lone == POSEMB_LONE_SINE)
        posemb_sincos(posemb_phase(row->position, steps[a->full_pairs]), &sine, &cosine);
    posemb_put_lone(a, row, sine);
}

/* Ask for the first lines of every row at once, and for those behind the next page boundary: rows of a
 * table lie on pages of their own, and a group would else wait for one after the other. More lines were
 * measured to be slower. */
static inline void posemb_prefetch(const struct posemb_launch *a, const struct posemb_row *rows)
{
#if POSEMB_CPU && POSEMB_OPERATION == POSEMB_ENCODE && defined(__x86_64__)
    const size_t bytes = 2 * sizeof(float) * a->full_pairs;

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

/* What a group does: find its rows, then the vectors where all rows are there and good, then what is
 * left of each row. */
static inline void posemb_group(const struct posemb_launch *a, global const uchar *ids,
                                global const uchar *source, global const uchar *positions,
                                global const ulong *steps, global uchar *out, global uchar *record,
                                const bool shared, const bool streamed)
{
    const uint group = get_group_id(0);
    const uint block = shared ? group / a->length : group;
    const uint column = shared ? group - block * a->length : 0;
    const uint first = block * POSEMB_ROWS;
    const uint count = min((uint)POSEMB_ROWS, (shared ? a->batch : a->tokens) - first);
    struct posemb_row rows[POSEMB_ROWS];
    uint good = 0;

    for (uint r = 0; r < count; r++) {
        const uint b = shared ? first + r : (first + r) / a->length;
        const uint s = shared ? column : first + r - b * a->length;

        if (posemb_find_row(a, ids, source, positions, out, record, b, s, get_local_id(0) == 0,
                            &rows[r]))
            good |= 1u << r;
    }
    const uint tail = a->full_pairs / POSEMB_PAIRS * POSEMB_PAIRS;
    const bool all_good = good == POSEMB_ALL_GOOD;
    const bool aligned = all_good && posemb_is_aligned(a, &rows[0]);
    const uint rest = POSEMB_CPU || aligned ? tail : 0;

    if (all_good)
        posemb_prefetch(a, rows);

#if POSEMB_STREAMED_STORES
    if (streamed && aligned)
        posemb_walk_streamed(a, steps, rows, POSEMB_ROWS, shared);
    else
#endif
#if POSEMB_CPU
    if (all_good)
        posemb_walk_anywhere(a, steps, rows, POSEMB_ROWS, shared);
#else
    if (aligned)
        posemb_walk_aligned(a, steps, rows, POSEMB_ROWS, shared);
#endif
    for (uint r = 0; r < count; r++) {
        if (!((good >> r) & 1u)) {
            posemb_put_zeros(a, &rows[r]);
            continue;
        }
#if POSEMB_CPU
        if (!all_good)
            posemb_walk_anywhere(a, steps, &rows[r], 1, false);
#endif
        posemb_walk_pairs(a, steps, &rows[r], rest);
    }
}

#define POSEMB_KERNEL(name, shared, streamed)                                                      \
    kernel void name(const struct posemb_launch a, global const uchar *ids,                        \
                     global const uchar *source, global const uchar *positions,                    \
                     global const ulong *steps, global uchar *out, global uchar *record)           \
    {                                                                                              \
        posemb_group(&a, ids, source, positions, steps, out, record, shared, streamed);            \
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
