/* The arguments of a backward call: what it reads and writes, checked. No OpenCL. */
#ifndef POSEMB_BACKWARD_PARAMS_H
#define POSEMB_BACKWARD_PARAMS_H

#include "params.h"

#include <posemb/posemb_train.h>

/* What a backward call reads. */
enum posemb__backward_input {
    POSEMB__BACK_IDS,
    POSEMB__BACK_EXTRA_IDS,
    POSEMB__BACK_POSITIONS = POSEMB__BACK_EXTRA_IDS + POSEMB_EXTRAS_MAX,
    POSEMB__BACK_MASK,
    POSEMB__BACK_GAMMA,
    POSEMB__BACK_OUT_GRAD,
    POSEMB__BACK_SUM,
    POSEMB__BACK_MEAN,
    POSEMB__BACK_RSTD,
    POSEMB__BACK_INPUTS
};

/* What it writes where that is wanted. */
enum posemb__gradient {
    POSEMB__GRAD_TABLE,
    POSEMB__GRAD_ROWS,
    POSEMB__GRAD_POSITION,
    POSEMB__GRAD_EXTRA,
    POSEMB__GRAD_GAMMA = POSEMB__GRAD_EXTRA + POSEMB_EXTRAS_MAX,
    POSEMB__GRAD_BETA,
    POSEMB__GRAD_SEGMENT_ROWS,
    POSEMB__GRAD_SEGMENTS,
    POSEMB__GRAD_SEGMENT_COUNT,
    POSEMB__GRADIENTS
};

/* As messages call them. */
const char *posemb__backward_input_name(enum posemb__backward_input input);
const char *posemb__gradient_name(enum posemb__gradient gradient);

/* The indices of a token by which gradients are summed. */
enum posemb__index_set {
    POSEMB__SET_TOKEN,
    POSEMB__SET_POSITION,
    POSEMB__SET_EXTRA,
    POSEMB__SETS = POSEMB__SET_EXTRA + POSEMB_EXTRAS_MAX
};

/* A resolved backward call. */
struct posemb__backward_call {
    posemb_shape shape; /* with every stride filled in, but where there are no tokens */
    uint64_t tokens;
    uint32_t wanted; /* bit g: gradient g */
    bool accumulate;
    uint64_t rows[POSEMB__SETS]; /* of the table of each set that is wanted; else 0. That of tokens
                                    has the rows of the shard, then the soft prompts */
    struct posemb__span input[POSEMB__BACK_INPUTS];
    struct posemb__span gradient[POSEMB__GRADIENTS]; /* bytes 0: not of this call, or empty */
};

/* Check shape and wishes against a resolved description, with table_parts of 1. */
posemb_status posemb__backward_resolve(const posemb_desc *resolved, const posemb_shape *shape,
                                       posemb_accumulation accumulation, uint32_t wanted,
                                       struct posemb__backward_call *call, posemb_error *error);

static inline bool posemb__wants(const struct posemb__backward_call *call,
                                 enum posemb__gradient gradient)
{
    return call->wanted >> gradient & 1u;
}

/* The pointers of host arguments by their number, and which gradients are there. */
const void *posemb__host_backward_input(const posemb_host_backward_args *args,
                                        enum posemb__backward_input input);
void *posemb__host_gradient(const posemb_host_backward_args *args, enum posemb__gradient gradient);
uint32_t posemb__host_wanted(const posemb_host_backward_args *args);

/* POSEMB_OK where no pointer is missing that the call needs. */
posemb_status posemb__check_host_backward(const struct posemb__backward_call *call,
                                          const posemb_host_backward_args *args,
                                          posemb_error *error);

/* Whether a backward call reads the positions, the mask that the forward left. */
bool posemb__reads_positions(const posemb_desc *resolved);
bool posemb__reads_mask(const posemb_desc *resolved);

#endif
