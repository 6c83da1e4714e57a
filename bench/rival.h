/* What others do in place of the stage, as kernels on the data of a case: rival.cl. */
#ifndef POSEMB_BENCH_RIVAL_H
#define POSEMB_BENCH_RIVAL_H

#include "rival_launch.h"
#include "stage_call.h"

enum rival_kernel {
    RIVAL_GATHER,
    RIVAL_TABLE,
    RIVAL_SCALE_POSITION,
    RIVAL_PLACE_POSITION,
    RIVAL_TYPES,
    RIVAL_NORM,
    RIVAL_VENDOR_SIN,
    RIVAL_KERNELS
};

/* Programs that differ in their stores. */
struct rival_program {
    cl_program program;
    cl_kernel kernels[RIVAL_KERNELS];
    bool streamed;
};

struct rivals {
    const struct stage_call *call;
    bool cpu;
    bool shared; /* groups of one column: index positions of a batch */
    cl_uint rows;
    size_t local_size;
    struct rival_launch launch;
    struct rival_program last;    /* of what nobody reads, or the case's reader alone */
    struct rival_program between; /* of what the next kernel reads at once */
    bool built;
};

/* Which yardsticks of these a case can have: bits as in bench_settings. */
unsigned rivals_of(const struct bench_case *bench_case);

/* Build the kernels, with the shape and the thresholds of an engine. Where the driver cannot, there
 * are none: `built` is false. */
void rivals_create(const struct stage_call *call, const posemb_engine *engine,
                   struct rivals *rivals);
void rivals_destroy(struct rivals *rivals);

/* Kernels of one launch. */
uint32_t rivals_kernels(const struct rivals *rivals, enum bench_yardstick yardstick);

cl_int rivals_enqueue(const struct rivals *rivals, enum bench_yardstick yardstick, uint32_t set,
                      cl_command_queue queue);

/* Launch with set 0 and count the elements that are not what they must be: the bits of the rows,
 * or those of the stage's verified output, or as near to it as the yardstick's own roundings and
 * the vendor's functions allow. */
posemb_status rivals_check(const struct rivals *rivals, enum bench_yardstick yardstick,
                           size_t *differing, posemb_error *error);

#endif
