/* The body of posemb_backward. */
#ifndef POSEMB_BACKWARD_H
#define POSEMB_BACKWARD_H

#include "backward_layout.h"
#include "engine.h"

#include <posemb/posemb_train_cl.h>

/* The kernels of kernels/backward.cl. */
enum posemb__backward_kernel {
    POSEMB__KEYS,
    POSEMB__ROWS_BACK,
    POSEMB__COLUMNS,
    POSEMB__SORT_COUNT,
    POSEMB__SORT_SCAN,
    POSEMB__SORT_MOVE,
    POSEMB__RUNS_COUNT,
    POSEMB__RUNS_WRITE,
    POSEMB__PARTIALS,
    POSEMB__SUMS,
    POSEMB__BACKWARD_KERNELS
};

struct posemb_backward {
    posemb_engine *engine;
    posemb_desc desc; /* resolved; points to nothing of the caller's */
    cl_kernel kernel[POSEMB__BACKWARD_KERNELS];
    uint32_t local_size; /* 1: the CPU shape */
    uint32_t keys_local_size;
    pthread_mutex_t lock; /* of the kernels' arguments */
    bool has_lock;
};

const char *posemb__backward_kernel_name(enum posemb__backward_kernel kernel);

/* The buffers of arguments by their number. */
posemb_buffer *posemb__backward_input_of(posemb_backward_args *args,
                                         enum posemb__backward_input input);
posemb_buffer *posemb__gradient_of(posemb_backward_args *args, enum posemb__gradient gradient);

#endif
