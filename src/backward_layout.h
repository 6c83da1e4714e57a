/* How a backward call is cut into work-groups and its scratch memory into parts. No OpenCL. */
#ifndef POSEMB_BACKWARD_LAYOUT_H
#define POSEMB_BACKWARD_LAYOUT_H

#include "backward_params.h"

/* Places in scratch memory, in bytes; what the call has no need of has no bytes. */
struct posemb__backward_layout {
    uint32_t chunks;             /* of POSEMB_BACKWARD_CHUNK tokens */
    uint32_t tile;               /* keys of a work-group of the sort */
    uint32_t tiles;              /* of them */
    uint64_t row_bytes;          /* of a row of floats */
    bool has_rows;               /* the rows kernel runs */
    uint64_t dead;               /* [tokens] uint32 */
    uint64_t keys[POSEMB__SETS]; /* likewise, of sets that are wanted; else 0 */
    uint64_t other_keys;
    uint64_t order[2];
    uint64_t counts;
    uint64_t totals;
    uint64_t runs;
    uint64_t segments;
    uint64_t rows;
    uint64_t sums;    /* [tokens] rows; with a norm */
    uint64_t partial; /* [tokens / 4] rows */
    uint64_t gamma;   /* [chunks] rows */
    uint64_t beta;
    uint64_t bytes; /* of all */
};

/* `tile`: 0 for the CPU shape, which chooses it; else the local size. */
struct posemb__backward_layout posemb__backward_layout_of(const posemb_desc *resolved,
                                                          const struct posemb__backward_call *call,
                                                          uint32_t tile);

#endif
