/* The argument block of every kernel, shared by host and device. Offsets and strides are in bytes.
 */
#ifndef POSEMB_KERNELS_LAUNCH_H
#define POSEMB_KERNELS_LAUNCH_H

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
typedef uint posemb_u32;
typedef ulong posemb_u64;
typedef long posemb_i64;
#else
#include <stdint.h>
typedef uint32_t posemb_u32;
typedef uint64_t posemb_u64;
typedef int64_t posemb_i64;
#endif

/* posemb_launch.rule: the values of posemb_position_rule. */
#define POSEMB_RULE_INDEX           1u
#define POSEMB_RULE_ROW_START       2u
#define POSEMB_RULE_EXPLICIT        3u
#define POSEMB_RULE_EXPLICIT_SHARED 4u

/* posemb_launch.lone: what the last channel of an odd D holds. */
#define POSEMB_LONE_NONE 0u
#define POSEMB_LONE_SINE 1u
#define POSEMB_LONE_ZERO 2u

struct posemb_launch {
    posemb_u64 ids_offset;
    posemb_u64 ids_batch_stride;
    posemb_u64 source_offset; /* the token table, or the rows to add to */
    posemb_u64 source_stride;
    posemb_u64 source_batch_stride;
    posemb_u64 positions_offset;
    posemb_u64 positions_batch_stride;
    posemb_u64 out_offset;
    posemb_u64 out_stride;
    posemb_u64 out_batch_stride;
    posemb_u64 record_offset;
    posemb_u64 vocab;
    posemb_i64 start;
    posemb_u32 batch;
    posemb_u32 length;
    posemb_u32 tokens; /* batch * length */
    posemb_u32 rule;
    posemb_u32 wide_ids;       /* int64 where not 0, else int32 */
    posemb_u32 wide_positions; /* likewise */
    posemb_u32 has_record;
    posemb_u32 full_pairs;    /* D / 2 */
    posemb_u32 cosine_offset; /* halves: channel of the first cosine */
    posemb_u32 lone;
    posemb_u32 lone_channel;
    float scale;
};

#endif
