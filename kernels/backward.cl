/* Gradients of the embedding stage. posemb_train.h has the definition; src/backward.c the order of launches:
 *
 * posemb_keys         one work-item a token: the rows that it took, of every table with a gradient.
 * posemb_rows         a work-group a chunk of POSEMB_CHUNK tokens: dX, and the chunk's part of dgamma and dbeta.
 * posemb_columns      dgamma or dbeta from the parts of all chunks.
 *
 * for every table:
 *
 * posemb_sort_count   a work-group a tile of keys: how many have each digit.
 * posemb_sort_scan    a work-group a digit: sums over the tiles before.
 * posemb_sort_move    a work-group a tile: keys and tokens to their places, in their order. No atomic operations.
 * posemb_runs_count   a work-group a tile: how many runs (terms of one row in one chunk), and rows, begin in it.
 * posemb_runs_write   likewise: where.
 * posemb_partials     long runs added up.
 * posemb_sums         a work-group some rows of the table: their runs added up.
 *
 * CPU shape (POSEMB_MEMORY 16): local size 1, rows in vectors. GPU shape: local size POSEMB_LOCAL, a power of two;
 * in posemb_partials and posemb_sums the second dimension has the channels.
 *
 * Build-time: POSEMB_MEMORY, POSEMB_LOCAL, POSEMB_FOLDED (length of a row when it is folded, 16 or more), POSEMB_NORM
 * (0: none), POSEMB_GAMMA, POSEMB_NORM_STORAGE, POSEMB_OUT_STORAGE (of dY and sums), POSEMB_FLOAT (float positions). */
#pragma OPENCL FP_CONTRACT OFF

#include "backward.h"

#define POSEMB_STORAGE_F32  1
#define POSEMB_STORAGE_F16  2
#define POSEMB_STORAGE_BF16 3

#define POSEMB_NORM_LAYER 2

#define POSEMB_GAMMA_ONE_PLUS 2
#define POSEMB_GAMMA_NONE     3

#define POSEMB_CPU (POSEMB_MEMORY == 16)

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)

#define N
#define WIDTH 1
#include "storage.clh"
#undef N
#undef WIDTH
#if POSEMB_CPU
#define N     16
#define WIDTH 16
#include "storage.clh"
#undef N
#undef WIDTH
#endif

#define POSEMB_STREAMED_STORES 0
#ifdef __has_builtin
#if POSEMB_CPU && __has_builtin(__builtin_nontemporal_store)
#undef POSEMB_STREAMED_STORES
#define POSEMB_STREAMED_STORES 1
#endif
#endif

/* Loops are no longer than one implementation runs them. */
#define POSEMB_LOOP_MAX 32768u

static inline float posemb_load1(global const uchar *row, uint channel, const uint storage)
{
    if (storage == POSEMB_STORAGE_F16)
        return vload_half(channel, (global const half *)row);
    if (storage == POSEMB_STORAGE_BF16)
        return posemb_from_bf16(((global const ushort *)row)[channel]);
    return ((global const float *)row)[channel];
}

static inline global uint *posemb_numbers(global uchar *scratch, ulong offset, ulong place)
{
    return (global uint *)(scratch + offset + place);
}

#include "backward_keys.clh"
#include "backward_sort.clh"
#if POSEMB_CPU
#include "backward_vectors.clh"
#endif
#include "backward_rows.clh"
#include "backward_sums.clh"
