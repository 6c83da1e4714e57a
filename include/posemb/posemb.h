/* posemb.h - vocabulary, conventions and the CPU reference. Needs no OpenCL; posemb_cl.h adds
 * devices.
 *
 * posemb computes the embedding stage of a transformer. For every token t of a [batch, length]
 * block:
 *
 *     ENCODE   out[t,:] = token_scale * E[id[t],:] + PE(pos[t])
 *     ADD      out[t,:] = token_scale * rows[t,:]  + PE(pos[t])
 *     TABLE    out[t,:] =                            PE(pos[t])
 *
 * PE is sinusoidal: each channel pair i has a frequency w_i (set by the convention and the base)
 * and holds sin(p * w_i) and cos(p * w_i). The values are DEFINED to the last bit, and every device
 * equals the reference below in every bit (NaN payloads excepted):
 *
 *     step_i = round(frac(w_i / 2pi) * 2^64)            an unsigned fraction of a turn per position
 *     h      = bits 32..63 of (pos * step_i mod 2^64)   the canonical phase, in 2^-32 turns
 *     q      = ((h + 2^29) mod 2^32) >> 30              the nearest quarter turn
 *     x      = (float)(int32)(h - q * 2^30) * 2^-32     the rest, in turns, |x| <= 1/8
 *     u      = x * x                                    rounded to float, like every step below
 *     S      = |fma(x, s1, (x * u) * fma(u, fma(u, s7, s5), s3))|
 *     C      = |fma(u, fma(u, fma(u, fma(u, c8, c6), c4), c2), 1)|
 *     |sin|  = q odd ? C : S,   sign = bit 31 of h
 *     |cos|  = q odd ? S : C,   sign = bit 31 of (h + 2^30)
 *     out    = token_scale * E, rounded; then + PE, rounded (never fused; a scale of 1 multiplies
 * too; a channel whose PE is a constant zero adds +0)
 *
 * with the coefficients of kernels/coefficients.h. |PE - exact| <= 8e-8 for every position from
 * -2^31 to 2^32 - 1.
 *
 * Shapes are written [rows, columns], row-major. Strides and offsets are in bytes, positions in
 * tokens.
 */
#ifndef POSEMB_POSEMB_H
#define POSEMB_POSEMB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSEMB_VERSION_MAJOR  0
#define POSEMB_VERSION_MINOR  1
#define POSEMB_VERSION_PATCH  0
#define POSEMB_VERSION_STRING "0.1.0"

#if defined(_WIN32) && defined(POSEMB_SHARED)
#ifdef POSEMB_BUILDING
#define POSEMB_API __declspec(dllexport)
#else
#define POSEMB_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define POSEMB_API __attribute__((visibility("default")))
#else
#define POSEMB_API
#endif

/** The version of the library that is linked, as "major.minor.patch". Static storage. */
POSEMB_API const char *posemb_version(void);

/* ---- Outcomes */

/** Outcome of every call that can fail. The values are stable. */
typedef enum posemb_status {
    POSEMB_OK = 0,
    POSEMB_INVALID_ARGUMENT = 1, /**< a field or an argument breaks its documented range */
    POSEMB_SIZE_OVERFLOW = 2, /**< a buffer would reach beyond 2^63 bytes, or the memory's size */
    POSEMB_OUT_OF_MEMORY = 3, /**< an allocation on the host or on the device failed */
    POSEMB_NO_DEVICE = 4,     /**< no OpenCL device fits the request */
    POSEMB_BUILD_FAILED = 5, /**< the driver could not build the kernels; the message has its log */
    POSEMB_DEVICE_ERROR = 6, /**< any other OpenCL failure; posemb_error.cl_code has the code */
    POSEMB_BUFFER_TOO_SMALL =
        7, /**< a buffer ends before the last element that the call would touch */
    POSEMB_QUEUE_MISMATCH = 8, /**< the queue is not of the engine's context and device */
    POSEMB_UNSUPPORTED = 9,    /**< the device lacks something that posemb needs */
    POSEMB_CACHE_FAILED = 10   /**< the program cache on disk has a fault; the message says which */
} posemb_status;

#define POSEMB_MESSAGE_SIZE 512

/**
 * Why a call failed. Owned by the caller, of fixed size, nothing to free. Written only when a call
 * returns something other than POSEMB_OK; every function that takes one accepts NULL.
 */
typedef struct posemb_error {
    posemb_status status;
    int32_t cl_code; /**< cl_int from the driver; 0 where OpenCL was not involved */
    char message[POSEMB_MESSAGE_SIZE]; /**< names the thing and its value; no newline at the end */
} posemb_error;

/** The name of a status, such as "POSEMB_OK"; "unknown status" for any other value. Static storage.
 */
POSEMB_API const char *posemb_status_name(posemb_status status);

/** One sentence on what a status means. Static storage. */
POSEMB_API const char *posemb_status_message(posemb_status status);

/* ---- Vocabulary */

/** What one call computes (formulas at the top of this file). */
typedef enum posemb_operation {
    POSEMB_OPERATION_DEFAULT = 0, /**< POSEMB_ENCODE */
    POSEMB_ENCODE = 1,            /**< look up token rows, scale, add positions */
    POSEMB_ADD = 2,  /**< scale rows that are already there, add positions; in place or not */
    POSEMB_TABLE = 3 /**< positions alone */
} posemb_operation;

/** Which sinusoids, and in which channel. posemb_convention_at() has formula and source of each. */
typedef enum posemb_convention {
    POSEMB_CONVENTION_DEFAULT = 0, /**< POSEMB_VASWANI */
    POSEMB_VASWANI = 1, /**< [s0 c0 s1 c1 ...], w_i = base^(-2i/D); odd D ends with a sine */
    POSEMB_T2T = 2, /**< [s0 s1 ... c0 c1 ...], w_i = base^(-i/max(D/2 - 1, 1)), D/2 rounded down;
                         odd D ends with a zero */
    POSEMB_MARIAN_HF = 3 /**< [s0 s1 ... c0 c1 ...], w_i = base^(-2i/D); odd D: one sine more */
} posemb_convention;

/** Integer type of token ids and of positions that come in a buffer. */
typedef enum posemb_int_type {
    POSEMB_INT_DEFAULT = 0, /**< POSEMB_INT32 */
    POSEMB_INT32 = 1,
    POSEMB_INT64 = 2
} posemb_int_type;

/** Where the position of token (b, s), batch row b, column s, comes from. */
typedef enum posemb_position_rule {
    POSEMB_POSITIONS_DEFAULT = 0,        /**< POSEMB_POSITIONS_INDEX */
    POSEMB_POSITIONS_INDEX = 1,          /**< start + s */
    POSEMB_POSITIONS_ROW_START = 2,      /**< start + positions[b] + s: continuous batching */
    POSEMB_POSITIONS_EXPLICIT = 3,       /**< start + positions[b, s] */
    POSEMB_POSITIONS_EXPLICIT_SHARED = 4 /**< start + positions[s]: one row for the whole batch */
} posemb_position_rule;

/** Who reads the output next. A hint: it never changes a bit, only the kind of store. */
typedef enum posemb_consumer {
    POSEMB_CONSUMER_DEFAULT = 0, /**< POSEMB_CONSUMER_FOLLOWS */
    POSEMB_CONSUMER_FOLLOWS =
        1, /**< the next kernel reads the output at once: keep it in the cache */
    POSEMB_CONSUMER_STREAMED = 2 /**< nobody reads it soon: large outputs may bypass the cache */
} posemb_consumer;

#define POSEMB_DIM_MAX         65536u                 /**< largest D */
#define POSEMB_POSITION_MIN    (-(int64_t)2147483648) /**< -2^31 */
#define POSEMB_POSITION_MAX    ((int64_t)4294967295)  /**< 2^32 - 1 */
#define POSEMB_TOKENS_MAX      ((uint64_t)4294967295) /**< largest batch * length of one call */
#define POSEMB_BASE_MIN        2.3283064365386963e-10 /**< 2^-32 */
#define POSEMB_BASE_MAX        4294967296.0           /**< 2^32 */
#define POSEMB_CONCURRENCY_MAX 64u

/**
 * What to compute. Zero every field that you do not set: zero always means the default written
 * beside the field, and is never a meaningful value of its own.
 *
 *     posemb_desc desc = {.dim = 512};        in C++ before C++20: posemb_desc desc = {}; desc.dim
 * = 512;
 */
typedef struct posemb_desc {
    uint32_t dim;                   /**< D, channels of one row, 1 ... POSEMB_DIM_MAX; required */
    posemb_operation operation;     /**< 0: POSEMB_ENCODE */
    posemb_convention convention;   /**< 0: POSEMB_VASWANI */
    posemb_position_rule positions; /**< 0: POSEMB_POSITIONS_INDEX */
    posemb_int_type
        position_type; /**< 0: POSEMB_INT32; type of the positions buffer, if the rule has one */
    posemb_int_type id_type;  /**< 0: POSEMB_INT32; type of the token ids */
    posemb_consumer consumer; /**< 0: POSEMB_CONSUMER_FOLLOWS */
    float token_scale;        /**< 0: 1; finite; not used by POSEMB_TABLE */
    double base;              /**< 0: 10000; POSEMB_BASE_MIN ... POSEMB_BASE_MAX */
    uint32_t concurrency;     /**< 0: 8; how many threads enqueue one plan at once without waiting
                                   for each other, up to POSEMB_CONCURRENCY_MAX; devices only */
} posemb_desc;

/**
 * Replace every zero of a description by the default it stands for, and check every field.
 *
 * @param desc      What the caller wants; not changed.
 * @param resolved  Receives the description in force; may be `desc` itself. Untouched on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT (the message names the field and its value).
 * Threads: pure.
 */
POSEMB_API posemb_status posemb_desc_resolve(const posemb_desc *desc, posemb_desc *resolved,
                                             posemb_error *error);

/** One row of the table of conventions. All strings are static. */
typedef struct posemb_convention_info {
    posemb_convention convention;
    const char *name;     /**< as the command line takes it: "vaswani" */
    const char *channels; /**< order of the channels */
    const char *formula;  /**< the frequency w_i of pair i */
    const char *odd;      /**< what an odd D has more than an even one */
    const char *source;   /**< where the convention comes from, and who uses it */
} posemb_convention_info;

/** How many conventions there are. */
POSEMB_API size_t posemb_convention_count(void);

/** Convention number `index`, 0 ... count - 1; NULL outside. */
POSEMB_API const posemb_convention_info *posemb_convention_at(size_t index);

/** The convention of that name; NULL where there is none, or `name` is NULL. */
POSEMB_API const posemb_convention_info *posemb_convention_find(const char *name);

/**
 * The phase steps of a description: step[i] = round(frac(w_i / 2pi) * 2^64), one for each channel
 * pair.
 *
 * Computed in 256-bit integer arithmetic: the same bits on every host and compiler.
 *
 * @param desc      `dim`, `convention` and `base` are used.
 * @param steps     [posemb_pair_count(desc)] receives the steps; caller-owned. Untouched on
 * failure.
 * @param capacity  How many elements `steps` has room for; fewer than needed is an error.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_BUFFER_TOO_SMALL.
 * Threads: pure.
 */
POSEMB_API posemb_status posemb_phase_steps(const posemb_desc *desc, uint64_t *steps,
                                            size_t capacity, posemb_error *error);

/** Number of channel pairs, a lone sine counted as one; 0 where the description is not valid. */
POSEMB_API size_t posemb_pair_count(const posemb_desc *desc);

/* ---- One call */

/**
 * Sizes and strides of one call. batch * length = T tokens, up to POSEMB_TOKENS_MAX; token (b, s)
 * has the index b * length + s. Each stride is in bytes, a multiple of the element size; 0 means
 * dense.
 */
typedef struct posemb_shape {
    uint64_t batch;  /**< B; 0: nothing to do */
    uint64_t length; /**< S, tokens of one batch row; 0: nothing to do */
    uint64_t vocab;  /**< rows of the token table E, >= 1; ENCODE only */
    int64_t start; /**< added to every position; POSEMB_POSITION_MIN ... POSEMB_POSITION_MAX; under
                        POSEMB_POSITIONS_INDEX, start + length - 1 must also lie there */
    uint64_t ids_batch_stride; /**< from ids[b, 0] to ids[b + 1, 0]; 0: S ids */
    uint64_t
        positions_batch_stride; /**< from positions[b, 0] to positions[b + 1, 0]; 0: S positions;
                                   not used by ROW_START and EXPLICIT_SHARED, which are dense */
    uint64_t table_stride;      /**< from row to row of E, >= 4 D; 0: 4 D */
    uint64_t rows_stride;       /**< from row to row of `rows`, >= 4 D; 0: 4 D; ADD only */
    uint64_t rows_batch_stride; /**< from rows[b, 0] to rows[b + 1, 0]; 0: S * rows_stride */
    uint64_t out_stride;        /**< from row to row of the output, >= 4 D; 0: 4 D */
    uint64_t out_batch_stride;  /**< from out[b, 0] to out[b + 1, 0]; 0: S * out_stride. No two rows
                                     may overlap; [S, B, D] is fine (out_stride = 4 B D,
                                     out_batch_stride = 4 D) */
} posemb_shape;

#define POSEMB_NO_TOKEN 0xffffffffu

/**
 * What went wrong with the inputs of one or more calls. A token with a bad id (outside [0, vocab))
 * or a bad position (outside [POSEMB_POSITION_MIN, POSEMB_POSITION_MAX]) has an output row of zeros
 * and is counted here, under each input that was bad. Nothing is read out of bounds.
 */
typedef struct posemb_record {
    uint32_t id_count;       /**< tokens with a bad id, saturating; 0: none */
    uint32_t id_first;       /**< smallest index of such a token; POSEMB_NO_TOKEN: none */
    uint32_t position_count; /**< tokens with a bad position, saturating; 0: none */
    uint32_t position_first; /**< smallest index of such a token; POSEMB_NO_TOKEN: none */
} posemb_record;

/** A record that says: nothing wrong. */
#define POSEMB_RECORD_CLEAR                                                                        \
    {                                                                                              \
        0u, POSEMB_NO_TOKEN, 0u, POSEMB_NO_TOKEN                                                   \
    }

/** Arguments of one call on host memory. Pointers that the operation does not use are ignored. */
typedef struct posemb_host_args {
    posemb_shape shape;
    const void *ids;   /**< [B, S] of the description's id_type; ENCODE */
    const void *table; /**< E, [vocab, D] float; ENCODE */
    const void *rows;  /**< [B, S, D] float; ADD; may be `out` with the same strides (in place) */
    const void *positions; /**< integers of position_type as the rule says; not used by INDEX */
    void *out; /**< [B, S, D] float, written in full; must not overlap any other input */
    posemb_record *record; /**< NULL, or added to: start with POSEMB_RECORD_CLEAR */
} posemb_host_args;

/**
 * Run one call on the CPU: the definition of every value, scalar and written to be read.
 *
 * @param desc  What to compute.
 * @param args  Sizes and memory, all caller-owned. No alignment is needed.
 * @return POSEMB_OK, also where ids or positions were bad: see args->record;
 *         POSEMB_INVALID_ARGUMENT (more than POSEMB_TOKENS_MAX tokens, too), POSEMB_SIZE_OVERFLOW,
 * POSEMB_OUT_OF_MEMORY. On failure the output is untouched. Threads: pure; safe to call
 * concurrently on distinct outputs. Source: Vaswani et al. 2017, "Attention Is All You Need",
 * section 3.5; the phase accumulator is that of Tierney, Rader and Gold 1971, "A digital frequency
 * synthesizer".
 */
POSEMB_API posemb_status posemb_reference_run(const posemb_desc *desc, const posemb_host_args *args,
                                              posemb_error *error);

/** The bits of a value, every NaN mapped to 7fc00000: what comparisons and digests go by. */
POSEMB_API uint32_t posemb_canonical_bits(float value);

/**
 * Count the elements whose posemb_canonical_bits() differ.
 *
 * @param a, b   [count] float.
 * @param first  NULL, or receives the index of the first difference (`count` where there is none).
 * @return the number of differing elements; 0 means: the same bits.
 * Threads: pure.
 */
POSEMB_API size_t posemb_compare_bits(const float *a, const float *b, size_t count, size_t *first);

#ifdef __cplusplus
}
#endif

#endif
