/* Commands on one queue, each of which waits for the one before. */
#ifndef POSEMB_QUEUE_H
#define POSEMB_QUEUE_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>

struct posemb__chain {
    cl_command_queue queue;
    cl_uint num_waits; /* of the next command */
    const cl_event *waits;
    cl_event last; /* of the last command, where the queue does not keep the order by itself */
    bool in_order; /* it does */
    bool begun;
};

/* Begin a chain that waits for the caller's events. */
cl_int posemb__chain_begin(struct posemb__chain *chain, cl_command_queue queue, cl_uint num_waits,
                           const cl_event *waits);

/* One kernel more. local_size[0] may be 0: the driver chooses. */
cl_int posemb__chain_launch(struct posemb__chain *chain, cl_kernel kernel, cl_uint dimensions,
                            const size_t *global_size, const size_t *local_size);

/* Zeros in a buffer, a multiple of four bytes. */
cl_int posemb__chain_clear(struct posemb__chain *chain, const posemb_buffer *buffer, size_t bytes);

/* End the chain; `event`: NULL, or receives one that tells when all of it has run. With no commands
 * a marker honours the wait list. */
cl_int posemb__chain_end(struct posemb__chain *chain, cl_event *event);

/* End it after a failure. */
void posemb__chain_drop(struct posemb__chain *chain);

#endif
