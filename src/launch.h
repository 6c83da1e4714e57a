/* How a call is cut into work-groups. Pure: no OpenCL, testable without a device. */
#ifndef POSEMB_LAUNCH_H
#define POSEMB_LAUNCH_H

#include "params.h"

#include <stdbool.h>

/* The kernels of kernels/stage.cl. */
enum posemb__kernel {
    POSEMB__STAGE,
    POSEMB__STAGE_SHARED,
    POSEMB__STAGE_STREAMED,
    POSEMB__STAGE_SHARED_STREAMED,
    POSEMB__COUNT,
    POSEMB__KERNEL_COUNT
};

/* What the choice depends on, fixed by a plan. */
struct posemb__launch_rule {
    uint32_t rows;              /* tokens of one work-group */
    uint32_t shared_rows;       /* batch rows of one that shares positions */
    uint32_t columns;           /* of each of these batch rows */
    uint64_t local_size;        /* work-items of one work-group */
    uint32_t turns;             /* groups of rows that a work-group may have at most; 0: one */
    uint32_t compute_units;     /* that want work-groups before these have several */
    bool shares_positions;      /* the position depends on the column alone */
    bool streams;               /* kernels with streamed stores exist */
    uint64_t stream_threshold;  /* bytes of output from which they are used */
    uint64_t columns_in_launch; /* longest row of which every group may count the tokens itself */
    uint32_t
        chunk; /* columns that are counted together where rows are longer; more in very long ones */
};

struct posemb__launch {
    enum posemb__kernel kernel;
    uint32_t groups; /* of rows */
    uint32_t turns;  /* of them that a work-group has */
    uint64_t global_size;
    uint64_t local_size;
    /* A launch of POSEMB__COUNT before it, of one work-item for each chunk of each batch row, that
     * counts into scratch memory; chunk 0: none. */
    uint32_t chunk;
    uint32_t chunks; /* of one batch row */
    uint64_t scratch_bytes;
};

struct posemb__launch posemb__launch_of(const struct posemb__launch_rule *rule,
                                        const struct posemb__call *call);

/* Work-items of a GPU-shaped group: the power of two that gives each lane `channels_per_lane` of
 * the `channels` of a row, within 32 ... 256 and `limit`. */
uint64_t posemb__gpu_local_size(uint32_t channels, uint32_t channels_per_lane, uint64_t limit);

#endif
