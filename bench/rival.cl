/* What others do in place of the stage, with the tricks of the stage: whole vectors, several rows at once, rows of a
 * batch that share their position, prefetch, stores that bypass the cache.
 *
 * rival_gather                 the rows alone
 * rival_table, _shared         rows, scale, a row of a precomputed table of positions, types, norm: all in one kernel
 * rival_scale_position, _shared, rival_types, rival_norm   the same step by step, in place: kernels for each;
 * rival_place_position, _shared                            their first step where rows are there already
 * rival_vendor_sin             one work-item for each channel pair and token, with the vendor's sincos and exp2
 *
 * A work-group owns ROWS consecutive tokens, of the shared kernels ROWS batch rows of one column, or of four columns where
 * QUADS says that it walks four rows at a time.
 *
 * Build-time: MEMORY (16 on CPUs, where a group has one work-item; 4), ROWS, IN, OUT (values of posemb_storage), STREAMED,
 * OPERATION (of posemb_operation), POSITION (1: there is a table), TYPES, NORM (of posemb_norm; 0: none), GAMMA, BETA, DIM (under NORM), LOCAL (work-items of a group). */
#pragma OPENCL FP_CONTRACT OFF

#include "rival_launch.h"

#define POSEMB_STORAGE_F32  1
#define POSEMB_STORAGE_F16  2
#define POSEMB_STORAGE_BF16 3
#define POSEMB_STORAGE_I8   4
#define POSEMB_STORAGE_Q8_0 5
#define POSEMB_STORAGE_Q4_0 6
#define POSEMB_STORAGE_Q4_1 7
#define POSEMB_STORAGE_Q5_0 8
#define POSEMB_STORAGE_Q5_1 9
#define POSEMB_STORAGE_Q2_K 10
#define POSEMB_STORAGE_Q3_K 11
#define POSEMB_STORAGE_Q4_K 12
#define POSEMB_STORAGE_Q5_K 13
#define POSEMB_STORAGE_Q6_K 14
#define POSEMB_STEP         0

#define CPU (MEMORY == 16)
#if CPU && (defined(__x86_64__) || defined(__aarch64__))
#define POSEMB_INLINE inline __attribute__((always_inline))
#else
#define POSEMB_INLINE inline
#endif
#define ALWAYS static inline __attribute__((always_inline))

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)
#define WIDE(name) CAT(name, MEMORY)

/* The conversions are the stage's. */
#define N
#define WIDTH 1
#include "storage.clh"
#include "blocks.clh"
#undef N
#undef WIDTH
#define N     MEMORY
#define WIDTH MEMORY
#include "storage.clh"
#include "blocks.clh"
#undef N
#undef WIDTH

typedef WIDE(float) vector;
#if CPU
typedef float16 float_place __attribute__((aligned(4)));
typedef ushort16 ushort_place __attribute__((aligned(2)));
typedef char16 char_place __attribute__((aligned(1)));
#define LOAD_HALF(place) vload_half16(0, place)
#else
typedef float4 float_place;
typedef ushort4 ushort_place;
typedef char4 char_place;
#define LOAD_HALF(place) vloada_half4(0, place)
#endif
#if STREAMED
#define STORE(type, value, place) __builtin_nontemporal_store(value, (global WIDE(type) *)(place))
#else
#define STORE(type, value, place) (*(global CAT(type, _place) *)(place) = (value))
#endif

struct row {
    global const uchar *source;
    global const float *position;
    global uchar *out;
    float scale; /* of int8 rows */
};

ALWAYS vector load(const struct row *row, uint channel, const uint storage)
{
    if (storage > POSEMB_STORAGE_I8)
        return WIDE(posemb_from_block)(row->source, channel, storage);
    if (storage == POSEMB_STORAGE_F16)
        return LOAD_HALF((global const half *)row->source + channel);
    if (storage == POSEMB_STORAGE_BF16)
        return WIDE(posemb_from_bf16)(*(global const ushort_place *)((global const ushort *)row->source + channel));
    if (storage == POSEMB_STORAGE_I8)
        return WIDE(convert_float)(*(global const char_place *)((global const char *)row->source + channel)) * row->scale;
    return *(global const float_place *)((global const float *)row->source + channel);
}

ALWAYS float load1(const struct row *row, uint channel, const uint storage)
{
    if (storage > POSEMB_STORAGE_I8)
        return posemb_from_block(row->source, channel, storage);
    if (storage == POSEMB_STORAGE_F16)
        return vload_half(channel, (global const half *)row->source);
    if (storage == POSEMB_STORAGE_BF16)
        return posemb_from_bf16(((global const ushort *)row->source)[channel]);
    if (storage == POSEMB_STORAGE_I8)
        return (float)((global const char *)row->source)[channel] * row->scale;
    return ((global const float *)row->source)[channel];
}

ALWAYS vector load_floats(global const float *place)
{
    return *(global const float_place *)place;
}

ALWAYS void store(global uchar *out, uint channel, vector value)
{
#if OUT == POSEMB_STORAGE_F16
    STORE(ushort, WIDE(posemb_to_f16)(value), (global ushort *)out + channel);
#elif OUT == POSEMB_STORAGE_BF16
    STORE(ushort, WIDE(posemb_to_bf16)(value), (global ushort *)out + channel);
#else
    STORE(float, value, (global float *)out + channel);
#endif
}

ALWAYS void store1(global uchar *out, uint channel, float value)
{
#if OUT == POSEMB_STORAGE_F16
    ((global ushort *)out)[channel] = posemb_to_f16(value);
#elif OUT == POSEMB_STORAGE_BF16
    ((global ushort *)out)[channel] = posemb_to_bf16(value);
#else
    ((global float *)out)[channel] = value;
#endif
}

/* What a kernel does with a row, all constants. */
struct steps {
    uint storage; /* of its source */
    bool in_place;
    bool scale;
    bool position;
    bool types;
    bool norm;
};

ALWAYS struct row find_row(const struct rival_launch *a, global const uchar *source, global const int *ids,
                           global const long *positions, global const float *floats, global uchar *out, uint b, uint s,
                           const struct steps steps)
{
    const uint t = b * a->length + s;
    struct row row;

    row.out = out + t * a->out_row;
    row.scale = 1.0f;
    row.position = floats;
    if (steps.position)
        row.position = floats + (ulong)(a->given ? (ulong)positions[t] : s) * a->dim;
    row.source = row.out;
#if OPERATION == 1
    if (!steps.in_place) {
        const ulong id = (ulong)ids[a->first_id + t];

        row.source = source + id * a->source_row;
        if (steps.storage == POSEMB_STORAGE_I8)
            row.scale = floats[a->scales + id];
    }
#elif OPERATION == 2
    if (!steps.in_place)
        row.source = source + a->rows_offset + t * a->source_row;
#endif
    return row;
}

ALWAYS vector sum(const struct rival_launch *a, const struct row *row, global const float *floats, uint channel,
                  vector position, const struct steps steps)
{
    vector x = load(row, channel, steps.storage);

    if (steps.scale)
        x = x * a->scale;
    if (steps.position)
        x = x + position;
    if (steps.types)
        x = x + load_floats(floats + a->types + channel);
    return x;
}

ALWAYS float sum1(const struct rival_launch *a, const struct row *row, global const float *floats, uint channel,
                  const struct steps steps)
{
    float x = load1(row, channel, steps.storage);

    if (steps.scale)
        x = x * a->scale;
    if (steps.position)
        x = x + row->position[channel];
    if (steps.types)
        x = x + floats[a->types + channel];
    return x;
}

/* As the stage does: kernels/stage.cl. */
ALWAYS void prefetch_rows(const struct rival_launch *a, const struct row *rows, const uint count)
{
#if CPU && OPERATION == 1 && defined(__x86_64__)
    const size_t bytes = a->source_row;

    for (size_t line = 0; line < min(bytes, (size_t)8 * 64); line += 64)
        for (uint r = 0; r < count; r++)
            __builtin_prefetch((const void *)((size_t)rows[r].source + line), 0, 2);
    for (uint r = 0; r < count; r++) {
        const size_t page = ((size_t)rows[r].source | 4095) + 1;
        const size_t end = min((size_t)rows[r].source + bytes, page + 4 * 64);

        for (size_t line = page; line < end; line += 64)
            __builtin_prefetch((const void *)line, 0, 2);
    }
#endif
}

/* Channels that whole vectors have; those of GPUs must be aligned. */
ALWAYS uint whole_of(const struct rival_launch *a)
{
#if CPU
    return a->dim / MEMORY * MEMORY;
#else
    return a->dim % MEMORY == 0 ? a->dim : 0;
#endif
}

/* `count` rows (a constant) without a norm. */
ALWAYS void put_rows(const struct rival_launch *a, const struct row *rows, global const float *floats, const uint count,
                     const bool shared, const struct steps steps)
{
    const uint whole = whole_of(a);

    for (uint c = (uint)get_local_id(0) * MEMORY; c < whole; c += LOCAL * MEMORY) {
        vector position = (vector)(0.0f);

        if (steps.position && shared)
            position = load_floats(rows[0].position + c);
#pragma unroll
        for (uint r = 0; r < count; r++) {
            if (steps.position && !shared)
                position = load_floats(rows[r].position + c);
            store(rows[r].out, c, sum(a, &rows[r], floats, c, position, steps));
        }
    }
    for (uint r = 0; r < count; r++)
        for (uint c = whole + (uint)get_local_id(0); c < a->dim; c += LOCAL)
            store1(rows[r].out, c, sum1(a, &rows[r], floats, c, steps));
}

#if NORM
#define LAYER (NORM == 2)

/* 1 / deviation, of a sum and a sum of squares, and the mean. */
ALWAYS float2 moments(const struct rival_launch *a, float total, float squares)
{
    const float mean = LAYER ? total * a->inverse_dim : 0.0f;
    const float variance = fmax(squares * a->inverse_dim - mean * mean, 0.0f);

    return (float2)(mean, rsqrt(variance + a->epsilon));
}

ALWAYS float scaled1(const struct rival_launch *a, global const float *floats, uint c, float x, float2 m)
{
    float y = (x - m.x) * m.y;

    if (GAMMA)
        y *= floats[a->gamma + c];
    if (BETA)
        y += floats[a->beta + c];
    return y;
}

ALWAYS vector scaled(const struct rival_launch *a, global const float *floats, uint c, vector x, float2 m)
{
    vector y = (x - m.x) * m.y;

    if (GAMMA)
        y *= load_floats(floats + a->gamma + c);
    if (BETA)
        y += load_floats(floats + a->beta + c);
    return y;
}

#if CPU
#define LOCAL_PARAMETERS
#define LOCAL_ARGUMENTS

ALWAYS float fold(float16 v)
{
    const float8 eight = v.lo + v.hi;
    const float4 four = eight.lo + eight.hi;

    return four.x + four.y + four.z + four.w;
}

/* The row is summed once, kept, and written from there. */
ALWAYS void norm_row(const struct rival_launch *a, const struct row *row, global const float *floats,
                     const struct steps steps)
{
    float16 kept[DIM / 16 + 1];
    float16 total = (float16)(0.0f);
    float16 squares = (float16)(0.0f);
    float rest = 0.0f;
    float rest_squares = 0.0f;

    for (uint v = 0; v < DIM / 16; v++) {
        vector position = (vector)(0.0f);

        if (steps.position)
            position = load_floats(row->position + v * 16);
        kept[v] = sum(a, row, floats, v * 16, position, steps);
        total += kept[v];
        squares += kept[v] * kept[v];
    }
    for (uint c = DIM / 16 * 16; c < DIM; c++) {
        const float x = sum1(a, row, floats, c, steps);

        ((private float *)&kept[DIM / 16])[c % 16] = x;
        rest += x;
        rest_squares += x * x;
    }
    const float2 m = moments(a, fold(total) + rest, fold(squares) + rest_squares);

    for (uint v = 0; v < DIM / 16; v++)
        store(row->out, v * 16, scaled(a, floats, v * 16, kept[v], m));
    for (uint c = DIM / 16 * 16; c < DIM; c++)
        store1(row->out, c, scaled1(a, floats, c, ((private float *)&kept[DIM / 16])[c % 16], m));
}
#else
#define LOCAL_PARAMETERS , local float2 *partial
#define LOCAL_ARGUMENTS  , partial

#define KEPT ((DIM / 4 + LOCAL - 1) / LOCAL + 1)

/* The work-items of a group add theirs up in local memory. */
ALWAYS float2 fold(local float2 *partial, float2 mine)
{
    const uint lane = (uint)get_local_id(0);

    partial[lane] = mine;
    for (uint half_size = LOCAL / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_size)
            partial[lane] += partial[lane + half_size];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    mine = partial[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return mine;
}

ALWAYS void norm_row(const struct rival_launch *a, const struct row *row, global const float *floats,
                     const struct steps steps, local float2 *partial)
{
    const uint lane = (uint)get_local_id(0);
#if DIM % 4 == 0
    float4 kept[KEPT];
    float4 total = (float4)(0.0f);
    float4 squares = (float4)(0.0f);

#pragma unroll
    for (uint k = 0; k < KEPT; k++) {
        const uint c = (k * LOCAL + lane) * 4;
        vector position = (vector)(0.0f);

        if (c >= DIM)
            continue;
        if (steps.position)
            position = load_floats(row->position + c);
        kept[k] = sum(a, row, floats, c, position, steps);
        total += kept[k];
        squares += kept[k] * kept[k];
    }
    const float2 both = fold(partial, (float2)(total.x + total.y + total.z + total.w,
                                               squares.x + squares.y + squares.z + squares.w));
    const float2 m = moments(a, both.x, both.y);

#pragma unroll
    for (uint k = 0; k < KEPT; k++) {
        const uint c = (k * LOCAL + lane) * 4;

        if (c < DIM)
            store(row->out, c, scaled(a, floats, c, kept[k], m));
    }
#else
    float2 mine = (float2)(0.0f);

    for (uint c = lane; c < DIM; c += LOCAL) {
        const float x = sum1(a, row, floats, c, steps);

        mine += (float2)(x, x * x);
    }
    const float2 both = fold(partial, mine);
    const float2 m = moments(a, both.x, both.y);

    for (uint c = lane; c < DIM; c += LOCAL)
        store1(row->out, c, scaled1(a, floats, c, sum1(a, row, floats, c, steps), m));
#endif
}
#endif
#else
#define LOCAL_PARAMETERS
#define LOCAL_ARGUMENTS
#endif

#if CPU && OPERATION == 1
#define QUADS(steps) (!(steps).in_place && !(steps).norm)

/* As the stage does, kernels/quads.clh: four rows at a time; meanwhile the lines of the four that come next are asked
 * for. */
struct place {
    uint b;
    uint s;
    uint count;
};

ALWAYS uint quads_of(const struct rival_launch *a, uint group, const bool shared)
{
    if (shared)
        return min((uint)ROWS, a->batch - group / ((a->length + 3) / 4) * ROWS);
    return (min((uint)ROWS, a->tokens - group * ROWS) + 3) / 4;
}

ALWAYS struct place place_of(const struct rival_launch *a, uint group, uint q, const bool shared)
{
    struct place place;

    if (shared) {
        const uint tiles = (a->length + 3) / 4;

        place.b = group / tiles * ROWS + q;
        place.s = group % tiles * 4;
        place.count = min(4u, a->length - place.s);
    } else {
        const uint first = group * ROWS + q * 4;

        place.b = first / a->length;
        place.s = first - place.b * a->length;
        place.count = min(4u, a->tokens - first);
    }
    return place;
}

/* Those behind the last are the last. */
ALWAYS void find_quad(const struct rival_launch *a, global const uchar *source, global const int *ids,
                      global const long *positions, global const float *floats, global uchar *out, struct place place,
                      const struct steps steps, private struct row *rows)
{
    for (uint k = 0; k < 4; k++) {
        rows[k] = find_row(a, source, ids, positions, floats, out, place.b, place.s, steps);
        if (k + 1 >= place.count)
            continue;
        place.s++;
        if (place.s == a->length) {
            place.s = 0;
            place.b++;
        }
    }
}

ALWAYS void put_four(const struct rival_launch *a, const struct row *rows, const struct row *next,
                     global const float *floats, const struct steps steps)
{
    const uint whole = whole_of(a);
    const size_t line = (size_t)a->source_row * MEMORY / a->dim;

    for (uint c = 0, v = 0; c < whole; c += MEMORY, v++) {
#ifdef __x86_64__
#pragma unroll
        for (uint k = 0; k < 4; k++)
            __builtin_prefetch((const void *)((size_t)next[k].source + v * line), 0, 2);
#endif
#pragma unroll
        for (uint k = 0; k < 4; k++) {
            vector position = (vector)(0.0f);

            if (steps.position)
                position = load_floats(rows[k].position + c);
            store(rows[k].out, c, sum(a, &rows[k], floats, c, position, steps));
        }
    }
    for (uint k = 0; k < 4; k++)
        for (uint c = whole; c < a->dim; c++)
            store1(rows[k].out, c, sum1(a, &rows[k], floats, c, steps));
}

ALWAYS void put_quads(const struct rival_launch *a, global const uchar *source, global const int *ids,
                      global const long *positions, global const float *floats, global uchar *out, uint group,
                      const bool shared, const struct steps steps)
{
    const uint quads = quads_of(a, group, shared);

    for (uint q = 0; q < quads; q++) {
        const struct place place = place_of(a, group, q, shared);
        struct place ahead = place;
        struct row rows[4];
        struct row next[4];

        if (q + 1 < quads)
            ahead = place_of(a, group, q + 1, shared);
        else if (group + 1 < a->groups)
            ahead = place_of(a, group + 1, 0, shared);
        find_quad(a, source, ids, positions, floats, out, place, steps, rows);
        find_quad(a, source, ids, positions, floats, out, ahead, steps, next);
        if (place.count == 4)
            put_four(a, rows, next, floats, steps);
        for (uint k = 0; place.count < 4 && k < place.count; k++)
            put_rows(a, &rows[k], floats, 1, false, steps);
    }
}
#endif

#define PARAMETERS                                                                                 \
    const struct rival_launch a, global const uchar *source, global const int *ids,                \
        global const long *positions, global const float *floats, global uchar *out

ALWAYS void put_group(const struct rival_launch *a, global const uchar *source, global const int *ids,
                      global const long *positions, global const float *floats, global uchar *out LOCAL_PARAMETERS,
                      uint group, const bool shared, const struct steps steps)
{
    const uint block = shared ? group / a->length : group;
    const uint column = shared ? group - block * a->length : 0;
    const uint first = block * ROWS;
    const uint count = min((uint)ROWS, (shared ? a->batch : a->tokens) - first);
    struct row rows[ROWS];

    for (uint r = 0; r < count; r++) {
        const uint b = shared ? first + r : (first + r) / a->length;
        const uint s = shared ? column : first + r - b * a->length;

        rows[r] = find_row(a, source, ids, positions, floats, out, b, s, steps);
    }
    if (count == ROWS && !steps.in_place)
        prefetch_rows(a, rows, ROWS);
#if NORM
    if (steps.norm) {
        for (uint r = 0; r < count; r++)
            norm_row(a, &rows[r], floats, steps LOCAL_ARGUMENTS);
        return;
    }
#endif
    if (count == ROWS) {
        put_rows(a, rows, floats, ROWS, shared, steps);
        return;
    }
    for (uint r = 0; r < count; r++)
        put_rows(a, &rows[r], floats, 1, false, steps);
}

/* The groups of a work-group, of which those of GPUs have one. */
ALWAYS void put_turns(const struct rival_launch *a, global const uchar *source, global const int *ids,
                      global const long *positions, global const float *floats, global uchar *out LOCAL_PARAMETERS,
                      const bool shared, const struct steps steps)
{
#if CPU
    for (uint turn = 0; turn < a->turns; turn++) {
        const uint group = (uint)get_group_id(0) * a->turns + turn;

        if (group >= a->groups)
            return;
#if OPERATION == 1
        if (QUADS(steps)) {
            put_quads(a, source, ids, positions, floats, out, group, shared, steps);
            continue;
        }
#endif
        put_group(a, source, ids, positions, floats, out LOCAL_ARGUMENTS, group, shared, steps);
    }
#else
    put_group(a, source, ids, positions, floats, out LOCAL_ARGUMENTS, (uint)get_group_id(0), shared, steps);
#endif
}

#define RIVAL(name, shared, ...)                                                                   \
    kernel void name(PARAMETERS LOCAL_PARAMETERS)                                                  \
    {                                                                                              \
        const struct steps steps = {__VA_ARGS__};                                                  \
                                                                                                   \
        put_turns(&a, source, ids, positions, floats, out LOCAL_ARGUMENTS, shared, steps);         \
    }

/*                                   source, in place, scale, position, types, norm */
RIVAL(rival_gather, false, IN, false, false, false, false, false)
RIVAL(rival_table, false, IN, false, true, POSITION, TYPES, NORM != 0)
RIVAL(rival_table_shared, true, IN, false, true, POSITION, TYPES, NORM != 0)
RIVAL(rival_scale_position, false, OUT, true, true, POSITION, false, false)
RIVAL(rival_scale_position_shared, true, OUT, true, true, POSITION, false, false)
RIVAL(rival_place_position, false, IN, false, true, POSITION, false, false)
RIVAL(rival_place_position_shared, true, IN, false, true, POSITION, false, false)
RIVAL(rival_types, false, OUT, true, false, false, true, false)
RIVAL(rival_norm, false, OUT, true, false, false, false, NORM != 0)

/* As it is written most often. */
kernel void rival_vendor_sin(PARAMETERS LOCAL_PARAMETERS)
{
    const uint pair = (uint)get_global_id(0);
    const uint t = (uint)get_global_id(1);
    const struct steps steps = {IN, false, true, false, false, false};

    if (2 * pair >= a.dim)
        return;
    const uint b = t / a.length;
    const uint s = t - b * a.length;
    const struct row row = find_row(&a, source, ids, positions, floats, out, b, s, steps);
    const float position = a.given ? (float)positions[t] : (float)s;
    const float angle = position * exp2((float)pair * a.log_step);
    float cosine;
    const float sine = sincos(angle, &cosine);

#if OPERATION == 3
    store1(row.out, 2 * pair, sine);
    if (2 * pair + 1 < a.dim)
        store1(row.out, 2 * pair + 1, cosine);
#else
    store1(row.out, 2 * pair, load1(&row, 2 * pair, IN) * a.scale + sine);
    if (2 * pair + 1 < a.dim)
        store1(row.out, 2 * pair + 1, load1(&row, 2 * pair + 1, IN) * a.scale + cosine);
#endif
}
