/* The argument block of the kernels of gradients, shared by host and device. Offsets, strides and
 * places are in bytes; places are those of parts of the scratch memory, from its offset on. */
#ifndef POSEMB_KERNELS_BACKWARD_H
#define POSEMB_KERNELS_BACKWARD_H

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

/* Tokens whose terms are added up first: POSEMB_BACKWARD_CHUNK. */
#define POSEMB_CHUNK 32u

/* A run is what a row of a table has of terms in one chunk. Those of so many or more are added up
 * by posemb_partials, into partial sum number (index of the first in sorted order) / this. */
#define POSEMB_LONG_RUN 4u

/* Rows of a table, or rows with terms, of a work-group of posemb_sums; runs of one of
 * posemb_partials. */
#define POSEMB_SUM_ROWS     8u
#define POSEMB_PARTIAL_RUNS 16u

/* Digits of a sort: bits, and values. */
#define POSEMB_DIGIT_BITS 8u
#define POSEMB_DIGITS     256u

/* posemb_backward_block.has */
#define POSEMB_BACK_MASK       1u  /* a mask, where pads are told from other tokens */
#define POSEMB_BACK_POSITION   2u  /* tokens have positions */
#define POSEMB_BACK_LEARNED    4u  /* of a table */
#define POSEMB_BACK_POSITIONS  8u  /* that the forward has left */
#define POSEMB_BACK_TOKENS     16u /* ids of tokens */
#define POSEMB_BACK_ACCUMULATE 32u
#define POSEMB_BACK_ROWS       64u  /* rows that came as embeddings have a gradient */
#define POSEMB_BACK_SUMS       128u /* gradients of sums are kept: dX */
#define POSEMB_BACK_GAMMA      256u
#define POSEMB_BACK_BETA       512u

/* posemb_backward_ids.kind: the values of posemb_extra_ids; 0: there is no such table. */
#define POSEMB_BACK_OF_TOKEN 1u
#define POSEMB_BACK_OF_ROW   2u

/* What becomes of an index outside its table: the values of posemb_policy. */
#define POSEMB_BACK_CLAMP 2u
#define POSEMB_BACK_WRAP  3u

/* The number type of ids: POSEMB_INT64. */
#define POSEMB_BACK_INT64 2u

/* Indices of tokens. A place of keys of 0: no gradient is wanted. */
struct posemb_backward_ids {
    posemb_u64 offset; /* of a constant: the row itself */
    posemb_u64 batch_stride;
    posemb_u64 rows; /* that an index can name */
    posemb_u64 keys_place;
    posemb_u32 kind;
    posemb_u32 type;
    posemb_u32 policy;
    posemb_u32 unused;
};

struct posemb_backward_block {
    posemb_u64 positions_offset;
    posemb_u64 mask_offset;
    posemb_u64 gamma_offset;
    posemb_u64 grad_offset; /* of dY */
    posemb_u64 sum_offset;
    posemb_u64 mean_offset;
    posemb_u64 rstd_offset;
    posemb_u64 rows_grad_offset;
    posemb_u64 stride; /* from row to row of dY and of sums */
    posemb_u64 batch_stride;
    posemb_u64 scratch_offset;
    posemb_u64 dead_place;    /* [tokens] 1: the token has no part in gradients */
    posemb_u64 sums_place;    /* [tokens] rows dX */
    posemb_u64 partial_place; /* [tokens / POSEMB_LONG_RUN] partial sums */
    posemb_u64 gamma_place;   /* [chunks] rows */
    posemb_u64 beta_place;    /* likewise */
    posemb_u64 row_bytes;     /* of the rows of scratch memory */
    posemb_u64 shard_first;   /* the first row of the vocabulary that is here */
    posemb_u64 shard_rows;
    posemb_u64 vocab;
    posemb_i64 first_position; /* of column 0 */
    struct posemb_backward_ids tokens_ids;
    struct posemb_backward_ids positions_ids;
    struct posemb_backward_ids extra0;
    struct posemb_backward_ids extra1;
    struct posemb_backward_ids extra2;
    struct posemb_backward_ids extra3;
    posemb_u32 length;
    posemb_u32 tokens;
    posemb_u32 chunks;         /* of POSEMB_CHUNK tokens */
    posemb_u32 axes;           /* numbers of a position */
    posemb_u32 has;            /* POSEMB_BACK_... */
    posemb_u32 pads_are_zeros; /* 1: pads have rows of zeros; 0: they have no position */
    posemb_u32 dim;
    float scale; /* of rows that came as embeddings */
    float inverse_dim;
    posemb_u32 streams_sums; /* 1: stores of dX may bypass the cache. An even number of these: one
                                implementation passes no bytes behind the last field */
};

/* One table's indices on their way through the sort. */
struct posemb_sort {
    posemb_u64 keys_place[2]; /* from, to; [tokens] each, as are the next */
    posemb_u64 order_place[2];
    posemb_u64 counts_place; /* [POSEMB_DIGITS, tiles] how many keys of a tile have the digit; then
                                where they go, from the first of that digit on */
    posemb_u64 totals_place; /* [POSEMB_DIGITS] keys that have it; then of runs and segments */
    posemb_u64 runs_place;   /* [tokens + 1] where in sorted order each run begins; and the end */
    posemb_u64 segments_place; /* [tokens + 1] the first run of each row with terms; and the end */
    posemb_u64 rows_place;     /* [tokens] those rows */
    posemb_u64 scratch_offset;
    posemb_u32 tokens;
    posemb_u32 tile;  /* keys of a tile */
    posemb_u32 tiles; /* of all */
    posemb_u32 shift; /* of the digit */
    posemb_u32 first; /* 1: the keys are in the order of tokens */
    posemb_u32 none;  /* the key of a token without a row: above all others */
};

/* Where sums go. */
struct posemb_target {
    posemb_u64 offset;
    posemb_u64 numbers_offset; /* of segments: the numbers of their rows, and how many there are */
    posemb_u64 count_offset;
    posemb_u32 first; /* rows of the index set: first ... first + rows - 1 */
    posemb_u32 rows;
    posemb_u32 segments;   /* 1: rows lie one after the other, those without terms left out */
    posemb_u32 accumulate; /* 1: they are added to; those without terms are left as they are */
    posemb_u32 streamed;   /* 1: stores may bypass the cache */
    float scale;
};

#endif
