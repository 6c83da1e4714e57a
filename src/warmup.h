/* Running the kernels of a plan once on scratch buffers. */
#ifndef POSEMB_WARMUP_H
#define POSEMB_WARMUP_H

#include "plan.h"

/* Run each kernel of the plan and wait for the queue. */
posemb_status posemb__run_all_kernels(const posemb_plan *plan, cl_command_queue queue,
                                      posemb_error *error);

#endif
