/* The body of posemb_plan. */
#ifndef POSEMB_PLAN_H
#define POSEMB_PLAN_H

#include "convention.h"
#include "engine.h"
#include "launch.h"

struct posemb_plan {
    posemb_engine *engine;
    posemb_desc desc;   /* resolved */
    double *vectors[2]; /* what desc.frequencies and desc.phases point to */
    struct posemb__tuning tuning;
    struct posemb__channels channels;
    struct posemb__launch_rule launch_rule;
    struct posemb__program *program; /* the engine's */
    posemb_origin origin;
    cl_mem constants; /* what kernels/launch.h calls so, with the place of its row of zeros */
    uint32_t zeros_place;
    uint32_t folded; /* the length of a row when it is folded */
    uint32_t kept;   /* floats of local memory for the sums of a row: dim; 1: it is too long; 0:
                        kernels have none */
    /* kernels[k][slot]: a clone of each kernel for each thread that enqueues at once; NULL where
     * the plan does not use kernel k. Bit `slot` of `busy` is set while a thread has the slot. */
    cl_kernel *kernels[POSEMB__KERNEL_COUNT];
    atomic_uint_fast64_t *busy;
};

/* posemb_plan_create() with this tuning in place of the engine's. */
posemb_status posemb__plan_create_tuned(posemb_engine *engine, const posemb_desc *desc,
                                        const struct posemb__tuning *tuning, posemb_plan **plan,
                                        posemb_error *error);

/* Check out a slot of kernels, waiting for one where all are busy; give it back right after the
 * enqueue. */
uint32_t posemb__plan_take_slot(const posemb_plan *plan);
void posemb__plan_return_slot(const posemb_plan *plan, uint32_t slot);

#endif
