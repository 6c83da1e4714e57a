/* The argument block of the kernels of rival.cl, shared by host and device. Places in `floats` are
 * counted in floats, all else in bytes. */
#ifndef POSEMB_BENCH_RIVAL_LAUNCH_H
#define POSEMB_BENCH_RIVAL_LAUNCH_H

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
typedef uint rival_u32;
typedef ulong rival_u64;
#else
#include <stdint.h>
typedef uint32_t rival_u32;
typedef uint64_t rival_u64;
#endif

struct rival_launch {
    rival_u64 first_id;    /* the first of the launch among all ids */
    rival_u64 rows_offset; /* of rows that are there already: ADD */
    rival_u64 source_row;  /* from row to row */
    rival_u64 out_row;
    rival_u64 types; /* the row of all tokens */
    rival_u64 gamma;
    rival_u64 beta;
    rival_u64 scales; /* of int8 rows */
    rival_u32 dim;
    rival_u32 length;
    rival_u32 batch;
    rival_u32 tokens;
    rival_u32 given;  /* 1: positions[t] is the row of the table; 0: the column is */
    rival_u32 turns;  /* groups that a work-group takes one after the other */
    rival_u32 groups; /* of rows */
    rival_u32 unused;
    float scale;
    float inverse_dim;
    float epsilon;
    float log_step; /* log2 of the ratio of neighbouring frequencies */
};

#endif
