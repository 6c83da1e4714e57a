/* The argument block of every kernel, shared by host and device. Offsets and strides are in bytes.
 */
#ifndef POSEMB_KERNELS_LAUNCH_H
#define POSEMB_KERNELS_LAUNCH_H

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
#define POSEMB_EXTRAS_PASSED (POSEMB_EXTRAS > 0 ? POSEMB_EXTRAS : 1)
typedef uint posemb_u32;
typedef ulong posemb_u64;
typedef long posemb_i64;
#else
#include <stdint.h>
#define POSEMB_EXTRAS_PASSED 4
typedef uint32_t posemb_u32;
typedef uint64_t posemb_u64;
typedef int64_t posemb_i64;
#endif

/* posemb_launch.rule: the values of posemb_position_rule. */
#define POSEMB_RULE_INDEX           1u
#define POSEMB_RULE_ROW_START       2u
#define POSEMB_RULE_EXPLICIT        3u
#define POSEMB_RULE_EXPLICIT_SHARED 4u
#define POSEMB_RULE_COUNT           5u
#define POSEMB_RULE_COUNT_BEFORE    6u
#define POSEMB_RULE_RAGGED          7u

/* posemb_launch.padding: the values of posemb_padding. */
#define POSEMB_PADS_NONE        1u
#define POSEMB_PADS_TOKEN       2u
#define POSEMB_PADS_MASK        3u
#define POSEMB_PADS_LEFT_COUNT  4u
#define POSEMB_PADS_LEFT_LENGTH 5u

/* posemb_launch.pad_policy: the values of posemb_pad_policy. */
#define POSEMB_PADS_COMPUTED      1u
#define POSEMB_PADS_ZERO_POSITION 2u
#define POSEMB_PADS_ZERO_ROW      3u

/* Types of numbers: the values of posemb_number_type. */
#define POSEMB_TYPE_INT32 1u
#define POSEMB_TYPE_INT64 2u
#define POSEMB_TYPE_UINT8 4u

/* posemb_segment.lone: what the channel holds that an odd segment has beyond its pairs. */
#define POSEMB_LONE_NONE   0u
#define POSEMB_LONE_ZERO   1u
#define POSEMB_LONE_SINE   2u
#define POSEMB_LONE_COSINE 3u

/* A run of channels with one position: src/convention.h. */
struct posemb_segment {
    posemb_u32 axis;
    posemb_u32 channel;
    posemb_u32 first_step;
    posemb_u32 full_pairs;
    posemb_u32 second_offset;
    posemb_u32 lone;
    posemb_u32 lone_channel;
    posemb_u32 lone_pair;
};

/* What becomes of an index outside its table: the values of posemb_policy. */
#define POSEMB_INDEX_ZERO  1u
#define POSEMB_INDEX_CLAMP 2u
#define POSEMB_INDEX_WRAP  3u
#define POSEMB_INDEX_NAN   4u

/* posemb_extra.ids: the values of posemb_extra_ids. */
#define POSEMB_IDS_OF_TOKEN 1u
#define POSEMB_IDS_OF_ROW   2u
#define POSEMB_IDS_CONSTANT 3u

/* A table in its buffer. */
struct posemb_table {
    posemb_u64 offset;
    posemb_u64 stride;
    posemb_u64 rows;
    posemb_u64 scales_offset;
    posemb_u32 scale_of_row; /* 1: each row has a scale; 0: the table has one */
    posemb_u32 policy;
};

/* A token table that lies in several buffers: the rows of each part but the last, and where those
 * after the first begin. */
#define POSEMB_MORE_MAX 7
struct posemb_parts {
    posemb_u64 rows;
    posemb_u64 offset[POSEMB_MORE_MAX];
};

/* A table beside tokens and positions. */
struct posemb_extra {
    struct posemb_table table;
    posemb_u64 ids_offset; /* of a constant: the row itself */
    posemb_u64 ids_batch_stride;
    posemb_u32 ids;
    posemb_u32 id_type;
    float scale;
    posemb_u32 unused;
};

/* The constants of a plan: POSEMB_SEGMENTS_MAX segments, then from POSEMB_STEPS_PLACE on 64-bit
 * numbers: steps, then as many phases where there are any, then whole turns of 32 bits where
 * positions are floats; then from posemb_launch.zeros_place on, at a multiple of 64 bytes, a row of
 * zeros of the token table, and POSEMB_ZEROS_SIZE(dim) bytes after it one of the position table. */
#define POSEMB_SEGMENTS_MAX    3
#define POSEMB_STEPS_PLACE     128
#define POSEMB_ZEROS_SIZE(dim) (((dim)*4 + 63) / 64 * 64)

/* posemb_launch.has: what is written beside the output. */
#define POSEMB_HAS_POSITIONS_OUT 1u
#define POSEMB_HAS_LENGTHS_OUT   2u
#define POSEMB_HAS_MASK_OUT      4u
#define POSEMB_HAS_RECORD        8u
#define POSEMB_HAS_SUM_OUT       16u
#define POSEMB_HAS_MEAN_OUT      32u
#define POSEMB_HAS_RSTD_OUT      64u
#define POSEMB_HAS_PLAIN_INDEX   128u

struct posemb_launch {
    posemb_u64 ids_offset;
    posemb_u64 ids_batch_stride;
    posemb_u64 rows_offset; /* of rows to add to, or of soft prompts */
    posemb_u64 rows_stride;
    posemb_u64 rows_batch_stride;
    posemb_u64 prompt_rows;
    posemb_u64 vocab;
    posemb_u64 shard_first; /* the first row that `tokens_table` has */
    posemb_u64 positions_offset;
    posemb_u64 positions_batch_stride;
    posemb_u64 padding_offset;
    posemb_u64 padding_batch_stride;
    posemb_u64 scratch_offset;
    posemb_u64 out_offset;
    posemb_u64 out_stride;
    posemb_u64 out_batch_stride;
    posemb_u64 positions_out_offset;
    posemb_u64 lengths_out_offset;
    posemb_u64 mask_out_offset;
    posemb_u64 record_offset;
    posemb_u64 gamma_offset;
    posemb_u64 beta_offset;
    posemb_u64 sum_out_offset;
    posemb_u64 mean_out_offset;
    posemb_u64 rstd_out_offset;
    posemb_u64 past;
    posemb_i64 start;
    posemb_i64 pad_id;
    struct posemb_table tokens_table;
    struct posemb_table position_table;
    posemb_u32 batch;
    posemb_u32 length;
    posemb_u32 tokens; /* batch * length */
    posemb_u32 sequences;
    posemb_u32 rule;
    posemb_u32 padding;
    posemb_u32 pad_policy;
    posemb_u32 id_type;
    posemb_u32 position_type;
    posemb_u32 padding_type;
    posemb_u32 has;    /* POSEMB_HAS_... */
    posemb_u32 chunk;  /* columns that are counted together in scratch memory; 0: none is used */
    posemb_u32 chunks; /* of one batch row */
    posemb_u32 groups; /* of rows; under a norm on the CPU shape a work-group has `turns` of them */
    posemb_u32 turns;
    posemb_u32 dim;
    posemb_u32 folded; /* the smallest power of two that is not below dim */
    posemb_u32 kept;   /* 1: local memory holds the sums of a row */
    posemb_u32 pairs;
    posemb_u32 segments;
    posemb_u32 zeros_place;
    posemb_u32 row_bytes; /* of a row of the token table, or of the rows to add to */
    posemb_u32 axes;      /* of a grid, or 1 */
    posemb_u32 count[3];  /* coordinates of each axis of a grid */
    posemb_u32 flip;      /* the sign bit of the amplitude */
    float amplitude;      /* without its sign */
    float scale;
    float prompt_scale;
    float inverse_dim;
    float epsilon;
    struct posemb_extra
        extra[POSEMB_EXTRAS_PASSED]; /* last: the host passes as many as there are, one at least */
};

#endif
