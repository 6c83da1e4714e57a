/* posemb.h - vocabulary, conventions and the CPU reference. Needs no OpenCL; posemb_cl.h adds
 * devices.
 *
 * posemb computes the embedding stage of a transformer. For every token t of a [batch, length]
 * block, with x a row of D floats:
 *
 *     ENCODE   x = token_scale * deq(E[id[t],:])            + POSITION + EXTRAS
 *              x = prompt_scale * deq(rows[id[t] - vocab,:]) + POSITION + EXTRAS (soft prompts)
 *     ADD      x = token_scale * deq(rows[t,:])             + POSITION + EXTRAS
 *     TABLE    x = POSITION + EXTRAS
 *
 *     out[t,:] = norm(x), converted to the output's storage
 *
 *     POSITION   amplitude * PE(pos[t]), or deq(P[pos[t],:]) of a learned table P, or nothing
 *     EXTRAS     scale_k * deq(X_k[x_k[t],:]) for k = 0, 1, ... of up to four extra tables X_k
 *
 * The sum is made from left to right in float: each product is rounded, then each sum (never fused;
 * a scale of 1 multiplies too; a channel whose PE is a constant zero, or a pad without a position,
 * adds +0). Under POSEMB_ROUND_EACH_STEP each of these products and sums, and POSITION, is rounded
 * to the narrow type T as well.
 *
 * The norms, with n the smallest power of two that is not below D:
 *
 *     fold(v)    v[D ... n-1] = 0; for h = n/2, n/4, ... 1: v[j] = v[j] + v[j + h] for j < h;
 *                the result is v[0], where -0 becomes +0
 *     LAYER      m = fold(x) * (1/D);  d = x - m;  s = fold(d);  e = s * (1/D), and where
 *                |s| >= 2^-60 then e = fma(fma(-e, D, s), 1/D, e);  -0 becomes +0
 *                w = fold(d * d) * (1/D) - e * e, where less than 0 becomes 0
 *                r = rsq(w + epsilon);  y = (d - e) * r;  mean = m + e
 *     RMS        r = rsq(fold(x * x) * (1/D) + epsilon);  y = x * r  (rounded to T under
 *                POSEMB_ROUND_EACH_STEP with gamma as the factor)
 *     both       y = y * gamma, or y * (1 + gamma);  then y = y + beta; where there are any
 *     rsq(v)     0 for 0 and infinity; else, with v = z * 4^k, 1 <= z < 4:
 *                y = float of bits 0x5f375a86 - (bits of z >> 1)
 *                three times: p = z * y; g = fma(-p, y, 1); y = fma(y / 2, g, y)
 *                p = z * y; q = fma(z, y, -p); g = fma(-q, y, fma(-p, y, 1)); y = fma(y / 2, g, y)
 *                the result is y * 2^-k: at most 0.5001 units in the last place from 1 / sqrt(v)
 *
 * with 1/D rounded to float, and each operation after it. A constant row of 0, or of 2^-42 to 2^85
 * in magnitude, has y = 0, whatever epsilon is.
 *
 * PE is sinusoidal: each channel pair i has a frequency w_i (set by the convention and the base)
 * and holds sin(p * w_i) and cos(p * w_i). The values are DEFINED to the last bit, and every device
 * equals the reference below in every bit (NaN payloads excepted):
 *
 *     step_i = round(w_i * position_scale / 2pi * 2^64)  turns per position, in 2^-64 turns
 *     h      = bits 32..63 of (pos * step_i + phase_i)   the canonical phase, in 2^-32 turns
 *     q      = ((h + 2^29) mod 2^32) >> 30              the nearest quarter turn
 *     x      = (float)(int32)(h - q * 2^30) * 2^-32     the rest, in turns, |x| <= 1/8
 *     u      = x * x                                    rounded to float, like every step below
 *     S      = |fma(x, s1, (x * u) * fma(u, fma(u, s7, s5), s3))|
 *     C      = |fma(u, fma(u, fma(u, fma(u, c8, c6), c4), c2), 1)|
 *     |sin|  = q odd ? C : S,   sign = bit 31 of h
 *     |cos|  = q odd ? S : C,   sign = bit 31 of (h + 2^30)
 *
 * A position is an integer, or a float of m * 2^-k: then pos * step_i is m * step_i shifted right
 * by k, rounded towards zero, so that a whole number has the phase of that integer. An amplitude
 * other than 1 is multiplied before S and C are rounded:
 *
 *     a = x * s1, b = fma(x, s1, -a), t = (x * u) * fma(u, fma(u, s7, s5), s3)
 *     S = a + t,  S' = (t - (S - a)) + b;               S := |fma(A, S, A * S')|, A = |amplitude|
 *     r = fma(x, x, -u), P = fma(u, fma(u, fma(u, c8, c6), c4), c2), a = u * P
 *     b = fma(r, P, fma(u, P, -a))
 *     C = 1 + a,  C' = (a - (C - 1)) + b;               C := |fma(A, C, A * C')|
 *
 * with the sign of the amplitude flipping the two signs.
 *
 * The coefficients are those of kernels/coefficients.h. |amplitude * PE - exact| <= 8e-8 *
 * |amplitude| for every position from -2^31 to 2^32 - 1.
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
    POSEMB_CACHE_FAILED = 10,  /**< the program cache on disk has a fault; the message says which */
    POSEMB_CANCELLED = 11      /**< the caller's progress function asked to stop: posemb_load.h */
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
    POSEMB_TABLE = 3 /**< positions without tokens */
} posemb_operation;

/**
 * Which sinusoids, and in which channel: a name for the knobs below it in posemb_desc. With s_i and
 * c_i the sine and cosine of position * w_i, and H = D / 2 rounded down; posemb_convention_at() has
 * formula and source of each.
 */
typedef enum posemb_convention {
    POSEMB_CONVENTION_DEFAULT = 0, /**< POSEMB_VASWANI */
    POSEMB_VASWANI = 1, /**< [s0 c0 s1 c1 ...], w_i = base^(-2i/D); odd D ends with a sine */
    POSEMB_T2T = 2, /**< [s0 s1 ... c0 c1 ...], w_i = base^(-i/(H - 1)); odd D ends with a zero */
    POSEMB_MARIAN_HF = 3, /**< [s0 s1 ... c0 c1 ...], w_i = base^(-2i/D); odd D: one sine more */
    POSEMB_MARIAN_CPP =
        4,           /**< [s0 s1 ... c0 c1 ...], w_i = base^(-i/(D/2 - 1)); odd D ends with c0 */
    POSEMB_DIT = 5,  /**< [c0 c1 ... s0 s1 ...], w_i = base^(-i/H); odd D ends with a zero */
    POSEMB_DDPM = 6, /**< [s0 s1 ... c0 c1 ...], w_i = base^(-i/(H - 1)); odd D ends with a zero */
    POSEMB_XTRANSFORMERS =
        7, /**< [s0 s1 ... c0 c1 ...], w_i = base^(-i/H), amplitude D^(-1/2); even D */
    POSEMB_MLX =
        8, /**< [s0 s1 ... c0 c1 ...], w_i = base^(-i/(H - 1)), amplitude (2/D)^(1/2); even D */
    POSEMB_DETR = 9 /**< [s0 c0 s1 c1 ...], w_i = base^(-2i/D), D that of an axis; even D */
} posemb_convention;

/** The order of the two functions of all pairs. */
typedef enum posemb_layout {
    POSEMB_LAYOUT_DEFAULT = 0, /**< the convention's */
    POSEMB_INTERLEAVED = 1,    /**< pair i at the channels 2i, 2i + 1 */
    POSEMB_HALVES = 2          /**< the first function of all pairs, then the second of all pairs */
} posemb_layout;

/** Which function comes first in a pair. */
typedef enum posemb_first {
    POSEMB_FIRST_DEFAULT = 0, /**< the convention's */
    POSEMB_SINE_FIRST = 1,
    POSEMB_COSINE_FIRST = 2
} posemb_first;

/** The denominator d of w_i = frequency * base^(-i / d). */
typedef enum posemb_denominator {
    POSEMB_DENOMINATOR_DEFAULT = 0, /**< the convention's, with its shift */
    POSEMB_DENOMINATOR_REAL = 1,    /**< d = D / 2 - shift, where an odd D has a half */
    POSEMB_DENOMINATOR_FLOOR = 2    /**< d = (D / 2 rounded down) - shift */
} posemb_denominator;

/** What the one channel holds that an odd D has beyond its pairs. */
typedef enum posemb_odd {
    POSEMB_ODD_DEFAULT = 0, /**< the convention's */
    POSEMB_ODD_REFUSED = 1, /**< an odd D is an error */
    POSEMB_ODD_ZERO = 2,    /**< the last channel is zero */
    POSEMB_ODD_FIRST =
        3, /**< one first function more: at the end of an interleaved row, or of the first half */
    POSEMB_ODD_SECOND = 4 /**< the last channel is the second function of pair 0; halves only */
} posemb_odd;

/** Type of the numbers in a buffer. */
typedef enum posemb_number_type {
    POSEMB_NUMBER_DEFAULT = 0, /**< POSEMB_INT32 */
    POSEMB_INT32 = 1,
    POSEMB_INT64 = 2,
    POSEMB_FLOAT32 =
        3,           /**< positions under EXPLICIT and EXPLICIT_SHARED alone: fractional ones too */
    POSEMB_UINT8 = 4 /**< masks alone */
} posemb_number_type;

/** How the elements of rows are stored. All computing is in float: they are converted exactly when
 * they are read, and rounded once, to nearest even, when they are written. */
typedef enum posemb_storage {
    POSEMB_STORAGE_DEFAULT = 0, /**< POSEMB_F32 */
    POSEMB_F32 = 1,
    POSEMB_F16 = 2,  /**< IEEE 754 binary16 */
    POSEMB_BF16 = 3, /**< the upper half of an F32 */
    POSEMB_I8 = 4,   /**< signed bytes, each times the scale of its row or table; tables alone */
    /* Blocks of 32 or 256 channels, as ggml quantises them; tables alone. Formulas below. */
    POSEMB_Q8_0 = 5,
    POSEMB_Q4_0 = 6,
    POSEMB_Q4_1 = 7,
    POSEMB_Q5_0 = 8,
    POSEMB_Q5_1 = 9,
    POSEMB_Q2_K = 10,
    POSEMB_Q3_K = 11,
    POSEMB_Q4_K = 12,
    POSEMB_Q5_K = 13,
    POSEMB_Q6_K = 14
} posemb_storage;

/**
 * One row of the table of storages. All strings are static.
 *
 * A row of a block storage is its blocks, one after the other, as they lie in a GGUF file; D is a
 * multiple of `block`. With d and m (dmin) the F16 numbers of a block, exact as floats, q the
 * unsigned number that a channel's bits are, and s, n the scale and the minimum of its 16 or 32
 * channels:
 *
 *     Q8_0   d * q, q signed                       34 bytes: d, q[32]
 *     Q4_0   d * (q - 8)                           18: d, low nibbles then high ones [16]
 *     Q4_1   d * q + m                             20: d, m, nibbles [16]
 *     Q5_0   d * (q - 16)                          22: d, fifth bits [4], nibbles [16]
 *     Q5_1   d * q + m                             24: d, m, fifth bits [4], nibbles [16]
 *     Q2_K   (d * s) * q - m * n                   84: s and n as nibbles [16], q [64], d, m
 *     Q3_K   (d * (s - 32)) * (q - 4)             110: third bits [32], q [64], s [12], d
 *     Q4_K   (d * s) * q - m * n                  144: d, m, s and n [12], nibbles [128]
 *     Q5_K   (d * s) * q - m * n                  176: d, m, s and n [12], fifth bits [32],
 *                                                      nibbles [128]
 *     Q6_K   (d * s) * (q - 32), s signed         210: nibbles [128], upper bits [64], s [16], d
 *
 * Every product is exact in float; the one sum or difference is rounded. These are the values of
 * ggml's own dequantisation.
 */
typedef struct posemb_storage_info {
    posemb_storage storage;
    const char *name;     /**< "float32", "float16", "bfloat16", "int8", "Q8_0" and so on */
    uint32_t block;       /**< channels of a block; 1: elements that stand alone */
    uint32_t block_bytes; /**< bytes of a block */
    uint32_t alignment;   /**< of the offsets and strides of its rows in device buffers, in bytes */
} posemb_storage_info;

/** What there is to know of a storage; NULL for a value that is none, and for 0. */
POSEMB_API const posemb_storage_info *posemb_storage_find(posemb_storage storage);

/** Bytes of a dense row of `dim` channels; 0 where `dim` is no multiple of the storage's block, or
 * there is no such storage. */
POSEMB_API uint64_t posemb_storage_row_bytes(posemb_storage storage, uint64_t dim);

/** Which scale the elements of an I8 table have: deq(E[r, c]) = E[r, c] * scales[r], or scales[0],
 * rounded. */
typedef enum posemb_scaling {
    POSEMB_SCALING_DEFAULT = 0, /**< POSEMB_SCALE_OF_ROW */
    POSEMB_SCALE_OF_ROW = 1,    /**< scales has one float for each row */
    POSEMB_SCALE_OF_TABLE = 2   /**< scales has one float */
} posemb_scaling;

/** What an index outside its table does. It is recorded under every policy. Of token ids, rows of
 * soft prompts follow those of the vocabulary as if they were of one table. */
typedef enum posemb_policy {
    POSEMB_POLICY_DEFAULT = 0,       /**< POSEMB_POLICY_ZERO_ROW */
    POSEMB_POLICY_ZERO_ROW = 1,      /**< the token's output row is zeros */
    POSEMB_POLICY_CLAMP = 2,         /**< it names the nearest row that is there */
    POSEMB_POLICY_WRAP_NEGATIVE = 3, /**< -rows ... -1 name the rows from the end, as in Python; any
                                        other gives a row of zeros */
    POSEMB_POLICY_NAN_ROW = 4        /**< the token's output row is NaN */
} posemb_policy;

/** A table: rows of D elements. */
typedef struct posemb_table_desc {
    posemb_storage storage; /**< 0: POSEMB_F32 */
    posemb_scaling scaling; /**< 0: POSEMB_SCALE_OF_ROW; I8 only */
    posemb_policy policy;   /**< 0: POSEMB_POLICY_ZERO_ROW */
} posemb_table_desc;

/** What is added to a row for its position. */
typedef enum posemb_position_kind {
    POSEMB_POSITION_KIND_DEFAULT = 0, /**< POSEMB_SINUSOIDAL */
    POSEMB_SINUSOIDAL = 1,            /**< PE(pos), computed */
    POSEMB_LEARNED = 2, /**< row `pos` of a table; `start` of the call is the offset of models that
                           have one. What describes sinusoids is not looked at, but for the range of
                           its enums; no grid, no floats */
    POSEMB_NO_POSITION = 3 /**< nothing; likewise. The rule must be INDEX, and nothing is made of
                              its positions; not with TABLE */
} posemb_position_kind;

/** Where the index of an extra table's row comes from. */
typedef enum posemb_extra_ids {
    POSEMB_EXTRA_NONE = 0,     /**< there is no such table */
    POSEMB_EXTRA_OF_TOKEN = 1, /**< ids[b, s] */
    POSEMB_EXTRA_OF_ROW = 2,   /**< ids[b], the same for a whole batch row */
    POSEMB_EXTRA_CONSTANT = 3  /**< shape.extras[k].id, the same for all tokens */
} posemb_extra_ids;

#define POSEMB_EXTRAS_MAX 4u

/** A table beside tokens and positions: segments, languages, features of words. */
typedef struct posemb_extra_desc {
    posemb_extra_ids ids;       /**< 0: none; those that are there come first */
    posemb_number_type id_type; /**< 0: POSEMB_INT32; INT32 or INT64 */
    posemb_table_desc table;
    float scale; /**< 0: 1; finite */
} posemb_extra_desc;

/** Normalisation of the sum, see the top of this file. */
typedef enum posemb_norm {
    POSEMB_NORM_DEFAULT = 0, /**< POSEMB_NORM_NONE */
    POSEMB_NORM_NONE = 1,
    POSEMB_NORM_LAYER = 2,
    POSEMB_NORM_RMS = 3
} posemb_norm;

/** The factor of each channel after the normalisation. */
typedef enum posemb_gamma {
    POSEMB_GAMMA_DEFAULT = 0,  /**< POSEMB_GAMMA_FACTOR */
    POSEMB_GAMMA_FACTOR = 1,   /**< gamma */
    POSEMB_GAMMA_ONE_PLUS = 2, /**< 1 + gamma, rounded: Gemma; RMS only */
    POSEMB_GAMMA_NONE = 3      /**< none */
} posemb_gamma;

/** What is added to each channel after the normalisation. */
typedef enum posemb_beta {
    POSEMB_BETA_DEFAULT = 0, /**< POSEMB_BETA_ADDED under LAYER, POSEMB_BETA_NONE under RMS */
    POSEMB_BETA_ADDED = 1,
    POSEMB_BETA_NONE = 2
} posemb_beta;

/** When sums are rounded to a type narrower than float. */
typedef enum posemb_rounding {
    POSEMB_ROUNDING_DEFAULT = 0, /**< POSEMB_ROUND_ONCE */
    POSEMB_ROUND_ONCE = 1,       /**< at the store */
    POSEMB_ROUND_EACH_STEP = 2 /**< each step to the storage of the token table (of `rows` for ADD,
                                  of the output for TABLE), as frameworks do that compute in it: see
                                  the top of this file. Not with a token table of I8 or blocks */
} posemb_rounding;

/**
 * Where the position of token (b, s), batch row b, column s, comes from. A pad, see posemb_padding,
 * has the position `start` under COUNT and COUNT_BEFORE, and that of any token else.
 */
typedef enum posemb_position_rule {
    POSEMB_POSITIONS_DEFAULT = 0,   /**< POSEMB_POSITIONS_INDEX */
    POSEMB_POSITIONS_INDEX = 1,     /**< start + past + s */
    POSEMB_POSITIONS_ROW_START = 2, /**< start + past + positions[b] + s: continuous batching */
    POSEMB_POSITIONS_EXPLICIT = 3,  /**< start + positions[b, s] */
    POSEMB_POSITIONS_EXPLICIT_SHARED = 4, /**< start + positions[s]: one row for the whole batch */
    POSEMB_POSITIONS_COUNT = 5, /**< start + past + how many of the tokens 0 ... s of row b are not
                                   pads: fairseq, RoBERTa, OPT */
    POSEMB_POSITIONS_COUNT_BEFORE =
        6, /**< the same without token s itself: LightSeq, left padding */
    POSEMB_POSITIONS_RAGGED =
        7 /**< batch is 1; positions[0 ... N] (cu_seqlens) rise from 0: sequence k has the
               columns positions[k] ... positions[k + 1] - 1, and each of its own counts from
               `start`. Columns from positions[N] on are pads. A column s also answers for
               the entries k = s, s + S, s + 2S, ... < N: where positions[k] >
               positions[k + 1] or either lies outside 0 ... S, its position is bad; column
               0 also for positions[0] = 0 */
} posemb_position_rule;

/** Which tokens are pads. */
typedef enum posemb_padding {
    POSEMB_PADDING_DEFAULT = 0, /**< POSEMB_PADDING_NONE */
    POSEMB_PADDING_NONE = 1,
    POSEMB_PADDING_TOKEN = 2, /**< those whose id is pad_id; ENCODE only */
    POSEMB_PADDING_MASK =
        3, /**< those whose padding[b, past + s] is 0: an attention mask over past + S columns.
              Under the counting rules all of its columns count, and `past` is not added again */
    POSEMB_PADDING_LEFT_COUNT = 4, /**< the first padding[b] columns of row b; a value outside 0 ...
                                      S makes the positions of the row bad */
    POSEMB_PADDING_LEFT_LENGTH = 5 /**< all but the last padding[b] columns; likewise */
} posemb_padding;

/** What the output row of a pad holds. */
typedef enum posemb_pad_policy {
    POSEMB_PAD_DEFAULT = 0,       /**< POSEMB_PAD_COMPUTED */
    POSEMB_PAD_COMPUTED = 1,      /**< what any token would have */
    POSEMB_PAD_ZERO_POSITION = 2, /**< its PE is zeros: +0 is added in every channel */
    POSEMB_PAD_ZERO_ROW = 3       /**< zeros */
} posemb_pad_policy;

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
#define POSEMB_AMPLITUDE_MIN   5.42101086e-20f        /**< 2^-64 */
#define POSEMB_AMPLITUDE_MAX   1.84467441e+19f        /**< 2^64 */
#define POSEMB_SCALE_MIN       5.4210108624275222e-20 /**< 2^-64 */
#define POSEMB_SCALE_MAX       18446744073709551616.0 /**< 2^64 */
#define POSEMB_CONCURRENCY_MAX 64u
#define POSEMB_AXES_MAX        3u
#define POSEMB_PARTS_MAX       8u

/**
 * Columns that lie on a grid of two or three axes, the slowest first: column s = (y * count[1] + x)
 * has the coordinates (y, x). The channels of a row are cut into one segment for each axis, which
 * is a row of the convention with D = the segment's channels, and with the axis' own position.
 *
 * Under POSEMB_POSITIONS_INDEX the position on axis a is (start + coordinate) * numerator[a] /
 * denominator[a], exactly, and length is the product of the counts. Under EXPLICIT and
 * EXPLICIT_SHARED positions has one number for each axis of each token, [B, S, axes] or [S, axes],
 * in the order of the axes. Other rules are refused.
 */
typedef struct posemb_grid {
    uint32_t axes;                   /**< 0: no grid; else 2 or 3 */
    uint32_t count[POSEMB_AXES_MAX]; /**< coordinates of axis a; INDEX only */
    uint32_t dim[POSEMB_AXES_MAX];   /**< channels of segment k; all 0: D / axes each; sum D */
    uint32_t segment_axis[POSEMB_AXES_MAX]; /**< 1 + the axis of segment k; all 0: axis k, such as
                                               [y | x] */
    uint32_t numerator[POSEMB_AXES_MAX];    /**< 0: 1 */
    uint32_t denominator[POSEMB_AXES_MAX];  /**< 0: 1 */
} posemb_grid;

/**
 * What to compute. Zero every field that you do not set: zero always means the default written
 * beside the field, and is never a meaningful value of its own.
 *
 *     posemb_desc desc = {.dim = 512};        in C++ before C++20: posemb_desc desc = {}; desc.dim
 * = 512;
 */
typedef struct posemb_desc {
    uint32_t dim;               /**< D, channels of one row, 1 ... POSEMB_DIM_MAX; required */
    posemb_operation operation; /**< 0: POSEMB_ENCODE */
    posemb_convention
        convention;       /**< 0: POSEMB_VASWANI; gives the defaults of the seven that follow */
    posemb_layout layout; /**< 0: the convention's */
    posemb_first first;   /**< 0: the convention's */
    posemb_denominator denominator; /**< 0: the convention's, and its shift */
    posemb_odd odd;                 /**< 0: the convention's */
    double shift; /**< taken as it is where `denominator` is set, else must be 0; the denominator
                       must come out at 1/64 or more, unless there is one pair alone */
    double base;  /**< 0: 10000; POSEMB_BASE_MIN ... POSEMB_BASE_MAX */
    float
        amplitude; /**< 0: the convention's, rounded to float; of either sign, POSEMB_AMPLITUDE_MIN
                        ... MAX in magnitude */
    double frequency; /**< 0: 1; the frequency of pair 0, in radians per position, POSEMB_SCALE_MIN
                         ... MAX. No pair may reach 2^64 turns per position, and 2^32 with float
                         positions */
    double position_scale; /**< 0: 1; multiplies every position, exactly, before its sine is taken;
                              likewise */
    const double
        *frequencies; /**< NULL, or [frequency_count] the w_i themselves, 0 ... POSEMB_SCALE_MAX;
                         then base, denominator, shift and frequency must be 0. Copied by plans */
    const double *phases; /**< NULL, or [frequency_count] radians that are added to position * w_i,
                             finite and below 2^32 in magnitude. Copied by plans */
    uint32_t frequency_count; /**< posemb_pair_count() where one of the two is there, else 0 */
    posemb_position_rule positions; /**< 0: POSEMB_POSITIONS_INDEX */
    posemb_number_type
        position_type;      /**< 0: POSEMB_INT32; of the positions buffer, if the rule has one */
    posemb_grid grid;       /**< axes 0: none */
    posemb_padding padding; /**< 0: POSEMB_PADDING_NONE */
    posemb_number_type padding_type; /**< 0: POSEMB_INT32; of the padding buffer, if there is one */
    int64_t pad_id; /**< the id of pads, under POSEMB_PADDING_TOKEN alone; 0 is the id 0 */
    posemb_pad_policy pad_policy; /**< 0: POSEMB_PAD_COMPUTED */
    posemb_number_type id_type;   /**< 0: POSEMB_INT32; INT32 or INT64; type of the token ids */
    posemb_table_desc tokens;     /**< E; its policy is that of token ids; ENCODE only */
    uint32_t table_parts; /**< 0: 1; buffers that a launch has E in, up to POSEMB_PARTS_MAX, where
                             one cannot hold it: posemb_split_table(). A call on host memory has it
                             in one piece all the same */
    posemb_storage
        rows_storage; /**< 0: POSEMB_F32, F16 or BF16; of `rows`: ADD, and soft prompts */
    uint32_t
        soft_prompts;   /**< 0: none; 1: the ids from vocab on name rows of `rows`; ENCODE only */
    float prompt_scale; /**< 0: 1; finite; factor of the rows of soft prompts, in place of
                           token_scale */
    posemb_position_kind position_kind; /**< 0: POSEMB_SINUSOIDAL */
    posemb_table_desc position_table;   /**< LEARNED. Its policy is that of positions, also of
                                           sinusoids, which can be ZERO_ROW or NAN_ROW alone. A
                                           position that the rule cannot tell is a NaN row under
                                           NAN_ROW, else one of zeros */
    posemb_extra_desc extras[POSEMB_EXTRAS_MAX];
    posemb_norm norm;            /**< 0: POSEMB_NORM_NONE; what follows is of norms alone */
    float epsilon;               /**< 0: 1e-5; positive and finite; 1e-45 is as good as none */
    posemb_gamma gamma;          /**< 0: POSEMB_GAMMA_FACTOR */
    posemb_beta beta;            /**< 0: the norm's */
    posemb_storage norm_storage; /**< 0: POSEMB_F32, F16 or BF16; of gamma and beta */
    posemb_rounding rounding;    /**< 0: POSEMB_ROUND_ONCE */
    posemb_storage out_storage;  /**< 0: POSEMB_F32, F16 or BF16; of the output, and of sum_out */
    posemb_consumer consumer;    /**< 0: POSEMB_CONSUMER_FOLLOWS */
    float token_scale;           /**< 0: 1; finite; not used by POSEMB_TABLE */
    uint32_t concurrency; /**< 0: 8; how many threads enqueue one plan at once without waiting
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
    const char *name;      /**< as the command line takes it: "vaswani" */
    const char *amplitude; /**< "1", or the formula of another default */
    const char *channels;  /**< order of the channels */
    const char *formula;   /**< the frequency w_i of pair i */
    const char *odd;       /**< what an odd D has more than an even one */
    const char *source;    /**< where the convention comes from, and who uses it */
} posemb_convention_info;

/** How many conventions there are. */
POSEMB_API size_t posemb_convention_count(void);

/** Convention number `index`, 0 ... count - 1; NULL outside. */
POSEMB_API const posemb_convention_info *posemb_convention_at(size_t index);

/** The convention of that name; NULL where there is none, or `name` is NULL. */
POSEMB_API const posemb_convention_info *posemb_convention_find(const char *name);

/**
 * The phase steps of a description: step[i] = round(w_i * position_scale / 2pi * 2^64) modulo 2^64,
 * one for each channel pair; of a grid, those of each segment in turn.
 *
 * Computed in 256-bit integer arithmetic: the same bits on every host and compiler.
 *
 * @param desc      What is not of the sinusoids does not matter, but must be valid.
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

/* ---- Models */

/** One row of the table of models. All strings are static. */
typedef struct posemb_model_info {
    const char *name;    /**< as the command line takes it: "nllb" */
    const char *aliases; /**< other names, with a space between them; "" where there are none */
    int learned; /**< 1: the positions are a learned table, of which the preset has rule and offset;
                    0: sinusoids */
    const char *summary; /**< convention, rule, offset and pads in words */
    const char *source;  /**< the code that it follows */
} posemb_model_info;

/** How many models there are. */
POSEMB_API size_t posemb_model_count(void);

/** Model number `index`, 0 ... count - 1; NULL outside. */
POSEMB_API const posemb_model_info *posemb_model_at(size_t index);

/** The model of that name or alias; NULL where there is none, or `name` is NULL. */
POSEMB_API const posemb_model_info *posemb_model_find(const char *name);

/**
 * The description that reproduces the positions of a model: convention, rule, padding, pad policy
 * and token scale. Change what your call does otherwise, such as the types of ids and masks.
 *
 * @param name   A name or an alias of the table of models.
 * @param dim    D; the token scale of many models is its square root, rounded to float.
 * @param desc   Receives the description; what it does not set is 0.
 * @param start  NULL, or receives the start that the model's first token has: posemb_shape.start.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT (no such model, a dim that it cannot have). Nothing is
 * written on failure. Threads: pure.
 */
POSEMB_API posemb_status posemb_model_preset(const char *name, uint32_t dim, posemb_desc *desc,
                                             int64_t *start, posemb_error *error);

/* ---- One call */

/** One extra table of a call. */
typedef struct posemb_extra_shape {
    uint64_t rows;             /**< of the table, >= 1 */
    uint64_t table_stride;     /**< from row to row, >= a row; 0: a row */
    uint64_t ids_batch_stride; /**< from ids[b, 0] to ids[b + 1, 0]; 0: S ids; OF_TOKEN only */
    int64_t id;                /**< the row of all tokens; CONSTANT only */
} posemb_extra_shape;

/**
 * Sizes and strides of one call. batch * length = T tokens, up to POSEMB_TOKENS_MAX; token (b, s)
 * has the index b * length + s. Each stride is in bytes, a multiple of the element size; 0 means
 * dense.
 */
typedef struct posemb_shape {
    uint64_t batch;       /**< B; 0: nothing to do */
    uint64_t length;      /**< S, tokens of one batch row; 0: nothing to do */
    uint64_t vocab;       /**< V, rows of the token table E, >= 1; ENCODE only */
    uint64_t shard_first; /**< vocabulary shards: `table` has the rows shard_first ... shard_first +
                             shard_rows - 1 of E alone. Other ids of the vocabulary have a row of
                             zeros there, so that the sums of all ranks add up (a -0 may become
                             +0). Let one rank alone add positions and extra tables, and have soft
                             prompts other than zeros; normalise what was added up */
    uint64_t shard_rows;  /**< 0: V, where shard_first is 0 */
    uint64_t part_rows; /**< rows of `table` in each of its parts, the last of which has those that
                           are left; 0: an even share, rounded up. With one part not looked at */
    uint64_t prompt_rows; /**< soft prompts: the ids V ... V + prompt_rows - 1 name rows of `rows`;
                             0 without soft prompts */
    uint64_t position_rows; /**< rows of the position table, >= 1; LEARNED only */
    int64_t start; /**< added to every position; POSEMB_POSITION_MIN ... POSEMB_POSITION_MAX; 0 with
                      float positions; under POSEMB_POSITIONS_INDEX the last position must also lie
                      there */
    uint64_t past; /**< tokens of each row that came before column 0, 0 ... 2^32 - 1; 0 under
                      EXPLICIT, EXPLICIT_SHARED, RAGGED and with a grid */
    uint64_t sequences;              /**< N, 1 ... 2^32 - 2; RAGGED only */
    uint64_t ids_batch_stride;       /**< from ids[b, 0] to ids[b + 1, 0]; 0: S ids */
    uint64_t positions_batch_stride; /**< from positions[b, 0] to positions[b + 1, 0]; 0: S
                                        positions; EXPLICIT only, the others are dense */
    uint64_t padding_batch_stride;   /**< from padding[b, 0] to padding[b + 1, 0]; 0: past + S
                                        numbers; of a   mask only, the others are dense */
    uint64_t table_stride;           /**< from row to row of E, >= a row of it; 0: a row */
    uint64_t position_table_stride;  /**< the same of the position table */
    uint64_t rows_stride; /**< from row to row of `rows`, >= a row of it; 0: a row; ADD and soft
                             prompts */
    uint64_t rows_batch_stride; /**< from rows[b, 0] to rows[b + 1, 0]; 0: S * rows_stride; ADD only
                                 */
    posemb_extra_shape extras[POSEMB_EXTRAS_MAX];
    uint64_t out_stride;       /**< from row to row of the output, >= a row of it; 0: a row */
    uint64_t out_batch_stride; /**< from out[b, 0] to out[b + 1, 0]; 0: S * out_stride. No two rows
                                    may overlap; [S, B, D] is fine (of floats out_stride =
                                    4 B D, out_batch_stride = 4 D) */
} posemb_shape;

/** A part of a call: rows of its batch, or columns of all of them. */
typedef struct posemb_range {
    uint64_t first_row;
    uint64_t rows; /**< 0: no tokens, and all else is 0 too */
    uint64_t first_column;
    uint64_t columns;
} posemb_range;

#define POSEMB_NO_TOKEN 0xffffffffu

/**
 * What went wrong with the inputs of one or more calls. A token with a bad id (outside its table),
 * or a bad position (outside [POSEMB_POSITION_MIN, POSEMB_POSITION_MAX], or the position table) has
 * the row that the policy of that input says, and is counted here, under each input that was bad.
 * Where inputs disagree, NaN goes before zeros. Nothing is read out of bounds.
 */
typedef struct posemb_record {
    uint32_t id_count;       /**< tokens with a bad id, saturating; 0: none */
    uint32_t id_first;       /**< smallest index of such a token; POSEMB_NO_TOKEN: none */
    uint32_t position_count; /**< tokens with a bad position, saturating; 0: none */
    uint32_t position_first; /**< smallest index of such a token; POSEMB_NO_TOKEN: none */
    struct {
        uint32_t count; /**< tokens with a bad id of this extra table, saturating; 0: none */
        uint32_t first; /**< smallest index of such a token; POSEMB_NO_TOKEN: none */
    } extras[POSEMB_EXTRAS_MAX];
} posemb_record;

/** A record that says: nothing wrong. */
#define POSEMB_RECORD_CLEAR                                                                        \
    {                                                                                              \
        0u, POSEMB_NO_TOKEN, 0u, POSEMB_NO_TOKEN,                                                  \
        {                                                                                          \
            {0u, POSEMB_NO_TOKEN}, {0u, POSEMB_NO_TOKEN}, {0u, POSEMB_NO_TOKEN},                   \
            {                                                                                      \
                0u, POSEMB_NO_TOKEN                                                                \
            }                                                                                      \
        }                                                                                          \
    }

/** One extra table of a call on host memory. */
typedef struct posemb_host_extra {
    const void *ids;     /**< [B, S] or [B] of its id_type; not used by CONSTANT */
    const void *table;   /**< [rows, D] of its storage */
    const float *scales; /**< [rows] or [1]; I8 only */
} posemb_host_extra;

/** Arguments of one call on host memory. Pointers that the operation does not use are ignored. */
typedef struct posemb_host_args {
    posemb_shape shape;
    const void *ids;   /**< [B, S] of the description's id_type; ENCODE */
    const void *table; /**< E, [vocab, D] of its storage, or the shard's rows of it; ENCODE */
    const float *table_scales; /**< of an I8 table: [rows of `table`] or [1] */
    const void *rows; /**< of rows_storage: [B, S, D] for ADD, where it may be `out` with the same
                         storage and strides (in place); [prompt_rows, D] for soft prompts */
    const void *position_table;   /**< [position_rows, D] of its storage; LEARNED */
    const float *position_scales; /**< of an I8 position table: [position_rows] or [1] */
    posemb_host_extra extras[POSEMB_EXTRAS_MAX];
    const void *gamma;     /**< [D] of norm_storage; where the norm has it */
    const void *beta;      /**< likewise */
    const void *positions; /**< numbers of position_type as the rule says; not used by INDEX, COUNT
                              and COUNT_BEFORE */
    const void
        *padding; /**< numbers of padding_type as the padding says; not used by NONE and TOKEN */
    void *positions_out; /**< NULL, or [B, S] int64 that receive the positions used, float with
                            float positions; with a grid [B, S, axes], before the scale. Of a
                            position that the rule cannot tell: INT64_MIN or a NaN; one outside a
                            learned table is given as it is, before the policy */
    uint32_t
        *lengths_out;  /**< NULL, or [B] that receive how many tokens of each row are not pads */
    uint8_t *mask_out; /**< NULL, or [B, S] that receive 0 for a pad, else 1 */
    void *sum_out;   /**< NULL, or as `out` with its strides: the sum before the norm; norms only */
    float *mean_out; /**< NULL, or [B, S]: the mean of each row; LAYER only. Like sum_out and
                        rstd_out it is 0 or NaN where the row is one of zeros or NaN by a policy */
    float *rstd_out; /**< NULL, or [B, S]: the reciprocal deviation r of each row; norms only */
    void *out;       /**< [B, S, D] of out_storage, written in full. Nothing that is written may
                        overlap anything else, gaps between rows included */
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
