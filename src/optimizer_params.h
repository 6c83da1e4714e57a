/* The arguments of an optimiser step, checked, and the numbers made of them. No OpenCL. */
#ifndef POSEMB_OPTIMIZER_PARAMS_H
#define POSEMB_OPTIMIZER_PARAMS_H

#include "params.h"

#include <posemb/posemb_train.h>

/* What a step reads and writes. */
enum posemb__state {
    POSEMB__PARAMETERS,
    POSEMB__FIRST,
    POSEMB__SECOND,
    POSEMB__GRADS,
    POSEMB__NUMBERS, /* of the rows of segments */
    POSEMB__NUMBER_COUNT,
    POSEMB__STATES
};

const char *posemb__state_name(enum posemb__state state);

/* A resolved step: the letters of posemb_train.h. */
struct posemb__step {
    posemb_optimizer_step step;
    float q;
    float rest1; /* 1 - beta1 */
    float rest2;
    float l;
    float k;
    struct posemb__span span[POSEMB__STATES]; /* bytes 0: not of this step */
};

/* Check a step against a resolved description; `capacity` segments at most. */
posemb_status posemb__step_resolve(const posemb_optimizer_desc *desc,
                                   const posemb_optimizer_step *step, uint64_t capacity,
                                   struct posemb__step *resolved, posemb_error *error);

#endif
