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
 * Build-time: POSEMB_OPERATION, POSEMB_HALVES (0: interleaved), POSEMB_MEMORY (4, 16: floats in one
 * access), POSEMB_ROWS. */
#pragma OPENCL FP_CONTRACT OFF

#include "launch.h"
#include "coefficients.h"

#define POSEMB_ENCODE 1
#define POSEMB_ADD    2
#define POSEMB_TABLE  3

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)

#define N
#include "pairs.clh"
#undef N

#define POSEMB_CPU (POSEMB_MEMORY == 16)
#if POSEMB_CPU
#define POSEMB_PAIRS 16
typedef float16 posemb_pairs;
#define N 16
#elif POSEMB_HALVES
#define POSEMB_PAIRS 4
typedef float4 posemb_pairs;
#define N 4
#else
#define POSEMB_PAIRS 2
typedef float2 posemb_pairs;
#define N 2
#endif
#include "pairs.clh"

#define posemb_vector_steps  CAT(vload, N)
#define posemb_vector_phase  CAT(posemb_phase, N)
#define posemb_vector_sincos CAT(posemb_sincos, N)

#include "tokens.clh"
#include "rows.clh"

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

/* Whole vectors of `count` good rows (a constant); `shared`: they have one position. */
static inline __attribute__((always_inline)) void
posemb_walk_vectors(const struct posemb_launch *a, global const ulong *steps,
                                       const struct posemb_row *rows, const uint count,
                                       const bool shared, const enum posemb_access access)
{
    const uint vectors = a->full_pairs / POSEMB_PAIRS;

    for (uint v = get_local_id(0); v < vectors; v += get_local_size(0)) {
        const CAT(ulong, N) step = posemb_vector_steps(v, steps);
        posemb_pairs sine;
        posemb_pairs cosine;

        if (shared)
            posemb_vector_sincos(posemb_vector_phase(rows[0].position, step), &sine, &cosine);
#pragma unroll
        for (uint r = 0; r < count; r++) {
            if (!shared)
                posemb_vector_sincos(posemb_vector_phase(rows[r].position, step), &sine, &cosine);
            posemb_put_pairs(a, &rows[r], v * POSEMB_PAIRS, sine, cosine, access);
        }
    }
}

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
    uint rest = 0;

    if (streamed && aligned) {
        posemb_walk_vectors(a, steps, rows, POSEMB_ROWS, shared, POSEMB_STREAMED);
        rest = tail;
    } else if (POSEMB_CPU ? all_good : aligned) {
        posemb_walk_vectors(a, steps, rows, POSEMB_ROWS, shared,
                            POSEMB_CPU ? POSEMB_ANYWHERE : POSEMB_ALIGNED);
        rest = tail;
    }
    for (uint r = 0; r < count; r++) {
        if (!((good >> r) & 1u)) {
            posemb_put_zeros(a, &rows[r]);
            continue;
        }
        if (POSEMB_CPU && !all_good) {
            posemb_walk_vectors(a, steps, &rows[r], 1, false, POSEMB_ANYWHERE);
            rest = tail;
        }
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
POSEMB_KERNEL(posemb_stage_shared, true, false)
#if POSEMB_STREAMED_STORES
POSEMB_KERNEL(posemb_stage_streamed, false, true)
POSEMB_KERNEL(posemb_stage_shared_streamed, true, true)
#endif
