/* The embedding stage in one pass: look up, scale, add positions and extra tables, normalise, store.
 *
 * posemb_stage:        a work-group owns POSEMB_ROWS consecutive tokens.
 *                      Groups: ceil(tokens / POSEMB_ROWS).
 * posemb_stage_shared: a work-group owns POSEMB_SHARED_ROWS batch rows of one column, or on CPUs without a norm of four
 *                      columns (quads.clh), which share their positions, so that their sinusoids are computed once.
 *                      Groups: ceil(length / columns) * ceil(batch / POSEMB_SHARED_ROWS).
 * *_streamed:          the same with stores that bypass the cache.
 *
 * The work-items of a group walk the channels. Any local size is right, under POSEMB_NORM any power of two; the CPU shape has local size 1, POSEMB_MEMORY 16; the GPU shape has POSEMB_MEMORY 4 or 8.
 *
 * posemb_count:        before them, where rows are long and pads are counted: work-item k counts the tokens of
 *                      chunk k % chunks of batch row k / chunks that are not pads, into scratch memory.
 *
 * Build-time:
 *   POSEMB_OPERATION, POSEMB_POSITION    values of posemb_operation, posemb_position_kind
 *   POSEMB_HALVES (0: interleaved), POSEMB_COSINE_FIRST, POSEMB_AMPLITUDE (one other than 1), POSEMB_PHASES (pairs with
 *   phases of their own), POSEMB_FLOAT (float positions), POSEMB_GRID
 *   POSEMB_COUNTS (with posemb_count), POSEMB_SHARED (with the kernels for shared positions)
 *   POSEMB_TABLE_STORAGE, POSEMB_ROWS_STORAGE, POSEMB_POSITION_STORAGE, POSEMB_NORM_STORAGE, POSEMB_OUT_STORAGE
 *   POSEMB_STEP (F16, BF16: each step is rounded to it; else 0), POSEMB_PROMPTS
 *   POSEMB_PARTS (the token table lies in several buffers)
 *   POSEMB_EXTRAS (how many), POSEMB_EXTRA0 ... 3 (their storage)
 *   POSEMB_NORM (0: none), POSEMB_GAMMA, POSEMB_BETA (0: none), POSEMB_FOLDED (length of a row when it is folded, 16 or more; CPU shape alone)
 *   POSEMB_MEMORY (4, 8, 16: channels in one access), POSEMB_ROWS, POSEMB_SHARED_ROWS, POSEMB_PREFETCH (lines). */
#pragma OPENCL FP_CONTRACT OFF

#include "launch.h"
#include "coefficients.h"

#define POSEMB_ENCODE 1
#define POSEMB_ADD    2
#define POSEMB_TABLE  3

#define POSEMB_POSITION_SINUSOIDAL 1
#define POSEMB_POSITION_LEARNED    2
#define POSEMB_POSITION_NONE       3

#define POSEMB_STORAGE_F32  1
#define POSEMB_STORAGE_F16  2
#define POSEMB_STORAGE_BF16 3
#define POSEMB_STORAGE_I8   4
#define POSEMB_STORAGE_Q8_0 5 /* from here on blocks: 32 channels, */
#define POSEMB_STORAGE_Q4_0 6
#define POSEMB_STORAGE_Q4_1 7
#define POSEMB_STORAGE_Q5_0 8
#define POSEMB_STORAGE_Q5_1 9
#define POSEMB_STORAGE_Q2_K 10 /* 256 channels */
#define POSEMB_STORAGE_Q3_K 11
#define POSEMB_STORAGE_Q4_K 12
#define POSEMB_STORAGE_Q5_K 13
#define POSEMB_STORAGE_Q6_K 14

#define POSEMB_NORM_LAYER 2
#define POSEMB_NORM_RMS   3

#define POSEMB_GAMMA_FACTOR   1
#define POSEMB_GAMMA_ONE_PLUS 2
#define POSEMB_GAMMA_NONE     3

/* Of the token table, or the rows to add to. */
#define POSEMB_SOURCE_STORAGE (POSEMB_OPERATION == POSEMB_ADD ? POSEMB_ROWS_STORAGE : POSEMB_TABLE_STORAGE)

#define POSEMB_CPU  (POSEMB_MEMORY == 16)
#define POSEMB_AXES (POSEMB_GRID ? 3 : 1)

/* Tokens of a work-group, and as many as either kind of kernel has. */
#define POSEMB_ROWS_OF(shared) ((shared) ? POSEMB_SHARED_ROWS : POSEMB_ROWS)
#define POSEMB_ROWS_MAX        (POSEMB_ROWS > POSEMB_SHARED_ROWS ? POSEMB_ROWS : POSEMB_SHARED_ROWS)

/* In the loops of CPUs, where what two vectors of a block have in common is to be computed once. Oclgrind does not know
 * what its compiler makes of it. */
#if POSEMB_CPU && (defined(__x86_64__) || defined(__aarch64__))
#define POSEMB_INLINE inline __attribute__((always_inline))
#else
#define POSEMB_INLINE inline
#endif

/* The kernels of CPUs are written in vectors, one work-item to a group. Without being told, Intel's compiler widens them over
 * work-items once more, which takes most of its time. */
#if POSEMB_CPU
#define POSEMB_VECTORIZED __attribute__((vec_type_hint(float16)))
#else
#define POSEMB_VECTORIZED
#endif

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)

#include "padding.clh"
#include "tokens.clh"
#include "sources.clh"

#define N
#define WIDTH 1
#include "pairs.clh"
#include "storage.clh"
#include "blocks.clh"
#undef N
#undef WIDTH

/* POSEMB_PAIRS channel pairs fill one access (halves: each half) or two (CPU, interleaved). */
#if POSEMB_CPU
#define POSEMB_PAIRS 16
#elif POSEMB_MEMORY == 8 && POSEMB_HALVES
#define POSEMB_PAIRS 8
#elif POSEMB_MEMORY == 8 || POSEMB_HALVES
#define POSEMB_PAIRS 4
#else
#define POSEMB_PAIRS 2
#endif
#define N     POSEMB_PAIRS
#define WIDTH POSEMB_PAIRS
#include "pairs.clh"
#undef N
#undef WIDTH
#define N     POSEMB_MEMORY
#define WIDTH POSEMB_MEMORY
#include "storage.clh"
#include "blocks.clh"
#undef N
#undef WIDTH

typedef CAT(float, POSEMB_PAIRS) posemb_pairs;
typedef CAT(float, POSEMB_MEMORY) posemb_memory;

#define posemb_vector_phase  CAT(posemb_phase, POSEMB_PAIRS)
#define posemb_vector_sincos CAT(posemb_sincos, POSEMB_PAIRS)

#if POSEMB_CPU
/* The first or last eight of sixteen pairs, one after the other. */
static inline float16 posemb_lower_pairs(float16 first, float16 second)
{
    return (float16)(first.s0, second.s0, first.s1, second.s1, first.s2, second.s2, first.s3, second.s3, first.s4,
                     second.s4, first.s5, second.s5, first.s6, second.s6, first.s7, second.s7);
}

static inline float16 posemb_upper_pairs(float16 first, float16 second)
{
    return (float16)(first.s8, second.s8, first.s9, second.s9, first.sa, second.sa, first.sb, second.sb, first.sc,
                     second.sc, first.sd, second.sd, first.se, second.se, first.sf, second.sf);
}
#endif

#define POSEMB_STREAMED_STORES 0
#ifdef __has_builtin
#if POSEMB_CPU && __has_builtin(__builtin_nontemporal_store)
#undef POSEMB_STREAMED_STORES
#define POSEMB_STREAMED_STORES 1
#endif
#endif

/* The constants of a plan. */
static inline struct posemb_segment posemb_segment_of(global const uchar *constants, uint k)
{
    return ((global const struct posemb_segment *)constants)[k];
}

static inline struct posemb_steps posemb_steps_of(const struct posemb_launch *a, const struct posemb_segment *segment,
                                                  global const uchar *constants)
{
    global const ulong *table = (global const ulong *)(constants + POSEMB_STEPS_PLACE);
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

#include "rows.clh"

/* POSEMB_MEMORY channels of blocks. Segments of a grid may begin at any channel. */
static POSEMB_INLINE posemb_memory posemb_load_blocks(global const uchar *row, uint channel, const uint storage)
{
#if POSEMB_GRID && POSEMB_CPU
    posemb_memory values;

    if (channel % POSEMB_MEMORY != 0) {
        for (uint k = 0; k < POSEMB_MEMORY; k++)
            ((private float *)&values)[k] = posemb_from_block(row, channel + k, storage);
        return values;
    }
#endif
    return CAT(posemb_from_block, POSEMB_MEMORY)(row, channel, storage);
}

#if POSEMB_CPU
#include "quads.clh"

/* CPUs read and write vectors at any element. */
typedef float16 posemb_float_anywhere __attribute__((aligned(4)));
typedef ushort16 posemb_ushort_anywhere __attribute__((aligned(2)));
typedef char16 posemb_char_anywhere __attribute__((aligned(1)));
#define LOAD(type, place) (*(global const CAT(CAT(posemb_, type), _anywhere) *)(place))
#define LOAD_HALF(place)  vload_half16(0, place)

#define ACCESS                    anywhere
#define STORE(type, value, place) (*(global CAT(CAT(posemb_, type), _anywhere) *)(place) = (value))
#include "vectors.clh"
#undef ACCESS
#undef STORE
#if POSEMB_STREAMED_STORES
#define ACCESS                    streamed
#define STORE(type, value, place) __builtin_nontemporal_store(value, (global CAT(type, 16) *)(place))
#include "vectors.clh"
#undef ACCESS
#undef STORE
#endif
#else
#define LOAD(type, place)         (*(global const CAT(type, POSEMB_MEMORY) *)(place))
#define LOAD_HALF(place)          CAT(vloada_half, POSEMB_MEMORY)(0, place)
#define ACCESS                    aligned
#define STORE(type, value, place) (*(global CAT(type, POSEMB_MEMORY) *)(place) = (value))
#include "vectors.clh"
#undef ACCESS
#undef STORE
#endif

#define POSEMB_OUT_SIZE (POSEMB_OUT_STORAGE == POSEMB_STORAGE_F32 ? 4u : 2u)

/* Of an element; of blocks that of a byte: vectors of them begin anywhere. */
static inline ulong posemb_size_of(const uint storage)
{
    return storage == POSEMB_STORAGE_F32 ? 4 : (storage >= POSEMB_STORAGE_I8 ? 1 : 2);
}

/* Whether vectors of every row that begin at these channels can be stored whole, under the GPU shape also read. */
static inline bool posemb_is_aligned(const struct posemb_launch *a, global const uchar *out, uint channel,
                                     uint other_channel)
{
    const ulong places = (ulong)(size_t)out | a->out_stride | a->out_batch_stride |
                         (channel | other_channel) * POSEMB_OUT_SIZE;

    return (places & (POSEMB_MEMORY * POSEMB_OUT_SIZE - 1)) == 0;
}

static inline bool posemb_is_table_aligned(const struct posemb_table *table, global const uchar *rows,
                                           const uint storage)
{
    if (storage > POSEMB_STORAGE_I8)
        return true;
    return (((ulong)(size_t)(rows + table->offset) | table->stride) & (POSEMB_MEMORY * posemb_size_of(storage) - 1)) ==
           0;
}

/* The same of what is read. */
static inline bool posemb_are_sources_aligned(const struct posemb_launch *a, const struct posemb_buffers *buffers,
                                              uint channel, uint other_channel)
{
    bool aligned = ((channel | other_channel) & (POSEMB_MEMORY - 1)) == 0;

#if POSEMB_OPERATION == POSEMB_ADD || POSEMB_PROMPTS
    const ulong unit = POSEMB_MEMORY * posemb_size_of(POSEMB_ROWS_STORAGE);
#if POSEMB_PROMPTS
    aligned &= (((ulong)(size_t)(buffers->prompts + a->rows_offset) | a->rows_stride) & (unit - 1)) == 0;
#else
    aligned &= (((ulong)(size_t)(buffers->source + a->rows_offset) | a->rows_stride | a->rows_batch_stride) &
                (unit - 1)) == 0;
#endif
#endif
#if POSEMB_OPERATION == POSEMB_ENCODE
    aligned &= posemb_is_table_aligned(&a->tokens_table, buffers->source, POSEMB_TABLE_STORAGE);
#if POSEMB_PARTS && POSEMB_TABLE_STORAGE <= POSEMB_STORAGE_I8
#define PLACE(k) (ulong)(size_t)(buffers->more[k] + buffers->parts.offset[k])
    aligned &= ((PLACE(0) | PLACE(1) | PLACE(2) | PLACE(3) | PLACE(4) | PLACE(5) | PLACE(6)) &
                (POSEMB_MEMORY * posemb_size_of(POSEMB_TABLE_STORAGE) - 1)) == 0;
#undef PLACE
#endif
#endif
#if POSEMB_POSITION == POSEMB_POSITION_LEARNED
    aligned &= posemb_is_table_aligned(&a->position_table, buffers->position_table, POSEMB_POSITION_STORAGE);
#endif
#if POSEMB_EXTRAS > 0
    aligned &= posemb_is_table_aligned(&a->extra[0].table, buffers->extra_table[0], POSEMB_EXTRA0);
#endif
#if POSEMB_EXTRAS > 1
    aligned &= posemb_is_table_aligned(&a->extra[1].table, buffers->extra_table[1], POSEMB_EXTRA1);
#endif
#if POSEMB_EXTRAS > 2
    aligned &= posemb_is_table_aligned(&a->extra[2].table, buffers->extra_table[2], POSEMB_EXTRA2);
#endif
#if POSEMB_EXTRAS > 3
    aligned &= posemb_is_table_aligned(&a->extra[3].table, buffers->extra_table[3], POSEMB_EXTRA3);
#endif
    return aligned;
}

#define POSEMB_ALL_SUMS(shared) ((uint)((1ul << POSEMB_ROWS_OF(shared)) - 1ul))

/* Ask for the first lines of every row at once, and for those behind the next page boundary: rows of a
 * table lie on pages of their own, and a group would else wait for one after the other. */
static inline void posemb_prefetch(const struct posemb_launch *a, const struct posemb_row *rows, const uint count)
{
#if POSEMB_CPU && POSEMB_OPERATION == POSEMB_ENCODE && POSEMB_PREFETCH && defined(__x86_64__)
    const size_t bytes = a->row_bytes;

    for (size_t line = 0; line < min(bytes, (size_t)POSEMB_PREFETCH * 64); line += 64)
        for (uint r = 0; r < count; r++)
            __builtin_prefetch((const void *)((size_t)rows[r].source.row + line), 0, 2);
    for (uint r = 0; r < count; r++) {
        const size_t page = ((size_t)rows[r].source.row | 4095) + 1;
        const size_t end = min((size_t)rows[r].source.row + bytes, page + 4 * 64);

        for (size_t line = page; line < end; line += 64)
            __builtin_prefetch((const void *)line, 0, 2);
    }
#endif
}

/* The rows of a group. */
struct posemb_task {
    uint count;
    uint sums; /* bit r: row r is a sum */
};

static inline struct posemb_task posemb_find_rows(const struct posemb_launch *a, const struct posemb_buffers *buffers,
                                                  private struct posemb_row *rows, uint group, const bool shared)
{
    const uint block = shared ? group / a->length : group;
    const uint column = shared ? group - block * a->length : 0;
    const uint first = block * POSEMB_ROWS_OF(shared);
    struct posemb_task task = {min((uint)POSEMB_ROWS_OF(shared), (shared ? a->batch : a->tokens) - first), 0};
    struct posemb_scan scan = {0, 0, false};

    for (uint r = 0; r < task.count; r++) {
        const uint b = shared ? first + r : (first + r) / a->length;
        const uint s = shared ? column : first + r - b * a->length;

        posemb_find_row(a, buffers, b, s, get_local_id(0) == 0, &scan, &rows[r]);
        task.sums |= (rows[r].kind == POSEMB_ROW_SUM) << r;
    }
    return task;
}

#if POSEMB_NORM
#include "norm.clh"
#if POSEMB_CPU
#include "norm_rows.clh"
#define ACCESS anywhere
#include "norm_walk.clh"
#undef ACCESS
#if POSEMB_STREAMED_STORES
#define ACCESS streamed
#include "norm_walk.clh"
#undef ACCESS
#endif
#else
#include "norm_groups.clh"
#endif
#include "norm_stage.clh"
#elif POSEMB_CPU
#include "plain_rows.clh"
#else
#include "plain_groups.clh"
#endif

#if POSEMB_PROMPTS
#define PROMPTS_PARAMETER , global const uchar *prompts
#define PROMPTS_FIELD     .prompts = prompts,
#else
#define PROMPTS_PARAMETER
#define PROMPTS_FIELD
#endif
#if POSEMB_TABLE_STORAGE == POSEMB_STORAGE_I8
#define TABLE_PARAMETER , global const uchar *table_scales
#define TABLE_FIELD     .table_scales = table_scales,
#else
#define TABLE_PARAMETER
#define TABLE_FIELD
#endif
#if POSEMB_PARTS
#define PARTS_PARAMETERS                                                                           \
    , const struct posemb_parts parts, global const uchar *more0, global const uchar *more1,                            \
        global const uchar *more2, global const uchar *more3, global const uchar *more4, global const uchar *more5,    \
        global const uchar *more6
#define PARTS_FIELDS .parts = parts, .more = {more0, more1, more2, more3, more4, more5, more6},
#else
#define PARTS_PARAMETERS
#define PARTS_FIELDS
#endif
#if POSEMB_POSITION == POSEMB_POSITION_LEARNED
#define POSITION_PARAMETERS , global const uchar *position_table, global const uchar *position_scales
#define POSITION_FIELDS     .position_table = position_table, .position_scales = position_scales,
#else
#define POSITION_PARAMETERS
#define POSITION_FIELDS
#endif
#define EXTRA_PARAMETERS(k) , global const uchar *ids##k, global const uchar *table##k, global const uchar *scales##k
#if POSEMB_EXTRAS == 0
#define EXTRAS_PARAMETERS
#define EXTRAS_FIELDS
#elif POSEMB_EXTRAS == 1
#define EXTRAS_PARAMETERS EXTRA_PARAMETERS(0)
#define EXTRAS_FIELDS     .extra_ids = {ids0}, .extra_table = {table0}, .extra_scales = {scales0},
#elif POSEMB_EXTRAS == 2
#define EXTRAS_PARAMETERS EXTRA_PARAMETERS(0) EXTRA_PARAMETERS(1)
#define EXTRAS_FIELDS                                                                              \
    .extra_ids = {ids0, ids1}, .extra_table = {table0, table1}, .extra_scales = {scales0, scales1},
#elif POSEMB_EXTRAS == 3
#define EXTRAS_PARAMETERS EXTRA_PARAMETERS(0) EXTRA_PARAMETERS(1) EXTRA_PARAMETERS(2)
#define EXTRAS_FIELDS                                                                              \
    .extra_ids = {ids0, ids1, ids2}, .extra_table = {table0, table1, table2},                      \
    .extra_scales = {scales0, scales1, scales2},
#else
#define EXTRAS_PARAMETERS EXTRA_PARAMETERS(0) EXTRA_PARAMETERS(1) EXTRA_PARAMETERS(2) EXTRA_PARAMETERS(3)
#define EXTRAS_FIELDS                                                                              \
    .extra_ids = {ids0, ids1, ids2, ids3}, .extra_table = {table0, table1, table2, table3},        \
    .extra_scales = {scales0, scales1, scales2, scales3},
#endif
#if POSEMB_NORM
#define NORM_PARAMETERS                                                                            \
    , global const uchar *gamma, global const uchar *beta, global uchar *sum_out, global uchar *mean_out,              \
        global uchar *rstd_out
#define NORM_FIELDS .gamma = gamma, .beta = beta, .sum_out = sum_out, .mean_out = mean_out, .rstd_out = rstd_out,
#else
#define NORM_PARAMETERS
#define NORM_FIELDS
#endif

/* Local memory comes from the host: one implementation (PoCL) lets the groups of several threads share what a kernel
 * declares itself. */
#if POSEMB_NORM && !POSEMB_CPU
#define LOCAL_PARAMETERS , local float *kept, local float *partial
#define LOCAL_ARGUMENTS  , kept, partial
#else
#define LOCAL_PARAMETERS
#define LOCAL_ARGUMENTS
#endif

/* The order of src/enqueue.c. */

#define POSEMB_KERNEL(name, shared, streamed)                                                      \
    kernel POSEMB_VECTORIZED void name(const struct posemb_launch a, global const uchar *ids,      \
                     global const uchar *source, global const uchar *positions,                    \
                     global const uchar *padding, global const uchar *constants,                   \
                     global const uchar *scratch, global uchar *out, global uchar *positions_out,  \
                     global uchar *lengths_out, global uchar *mask_out,                            \
                     global uchar *record TABLE_PARAMETER PROMPTS_PARAMETER POSITION_PARAMETERS    \
                         NORM_PARAMETERS EXTRAS_PARAMETERS LOCAL_PARAMETERS PARTS_PARAMETERS)      \
    {                                                                                              \
        const struct posemb_buffers buffers = {.ids = ids,                                         \
                                               .source = source,                                   \
                                               .positions = positions,                             \
                                               .padding = padding,                                 \
                                               .constants = constants,                             \
                                               .scratch = scratch,                                 \
                                               .out = out,                                         \
                                               .positions_out = positions_out,                     \
                                               .lengths_out = lengths_out,                         \
                                               .mask_out = mask_out,                               \
                                               .record = record,                                   \
                                               TABLE_FIELD PROMPTS_FIELD POSITION_FIELDS           \
                                                   NORM_FIELDS EXTRAS_FIELDS PARTS_FIELDS};        \
                                                                                                   \
        posemb_group(&a, &buffers LOCAL_ARGUMENTS, shared, streamed);                               \
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
