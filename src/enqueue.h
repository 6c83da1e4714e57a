/* The parts of an enqueue that other calls use too. */
#ifndef POSEMB_ENQUEUE_H
#define POSEMB_ENQUEUE_H

#include "../kernels/launch.h"
#include "plan.h"

/* A wait list is there where it has a length, and only there: drivers do not all check it. */
posemb_status posemb__check_waits(cl_uint num_waits, const cl_event *waits, posemb_error *error);

/* The queue belongs to that context and device. */
posemb_status posemb__check_queue(cl_context context, cl_device_id device, cl_command_queue queue,
                                  posemb_error *error);

/* `buffer` is there, its offset is a multiple of `unit`, and `bytes` lie behind it. */
posemb_status posemb__check_buffer(const char *name, const posemb_buffer *buffer, uint64_t unit,
                                   uint64_t bytes, posemb_error *error);

/* The buffers of arguments by their number. */
posemb_buffer *posemb__args_input(posemb_args *args, enum posemb__input input);
posemb_buffer *posemb__args_output(posemb_args *args, enum posemb__output output);

/* The part of a buffer that a call touches. */
struct posemb__place {
    const char *name;
    const posemb_buffer *buffer; /* of the arguments */
    uint64_t bytes;
};

enum { POSEMB__WRITTEN_MAX = POSEMB__OUTPUTS + 3, POSEMB__READ_MAX = POSEMB__INPUTS };

struct posemb__places {
    struct posemb__place written[POSEMB__WRITTEN_MAX];
    struct posemb__place read[POSEMB__READ_MAX];
    int written_count;
    int read_count;
};

/* The buffers of a call are large enough, and nothing that is written overlaps anything else, but
 * for rows that are the output. Lists what the call touches. */
posemb_status posemb__check_buffers(const posemb_plan *plan, const struct posemb__call *call,
                                    uint64_t scratch_bytes, const posemb_args *args,
                                    struct posemb__places *places, posemb_error *error);

/* What the kernel is told. */
struct posemb_launch posemb__launch_args(const posemb_plan *plan, const struct posemb__call *call,
                                         const struct posemb__launch *launch,
                                         const posemb_args *args);

/* Bytes of it that the kernels of a plan are passed. */
size_t posemb__launch_args_size(const posemb_plan *plan);

/* Bytes of all parameters of the kernels of a plan, as CL_DEVICE_MAX_PARAMETER_SIZE counts them. */
size_t posemb__parameters_size(const posemb_plan *plan);

/* Launch with arguments that have been checked. */
posemb_status posemb__enqueue_kernel(const posemb_plan *plan, cl_command_queue queue,
                                     const struct posemb__call *call,
                                     const struct posemb__launch *launch, const posemb_args *args,
                                     cl_uint num_waits, const cl_event *waits, cl_event *event,
                                     posemb_error *error);

#endif
