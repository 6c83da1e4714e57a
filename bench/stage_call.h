/* A case, ready to launch on the data of its workload, and to compare with the reference. */
#ifndef POSEMB_BENCH_STAGE_CALL_H
#define POSEMB_BENCH_STAGE_CALL_H

#include "workload.h"

struct stage_call {
    struct bench_case bench_case; /* resolved */
    const struct workload *workload;
    posemb_plan *plan;
    posemb_args args;      /* of set 0 */
    posemb_host_args host; /* likewise, without an output */
    void *numbers;         /* positions or padding of the host */
    cl_mem device_numbers;
    cl_mem scratch;
    void *output; /* what the last stage_call_verify() read */
    size_t output_bytes;
};

/* The workload must fit the case and outlive the call. */
posemb_status stage_call_create(struct workload *workload, posemb_engine *engine,
                                const struct bench_case *bench_case, struct stage_call *call,
                                posemb_error *error);

/* The same, and seconds of posemb_plan_create() and posemb_plan_warmup(), which may be left out:
 * then it takes 0. */
struct stage_call_times {
    double *plan;
    double *warmup;
    bool warm_up;
};
posemb_status stage_call_create_timed(struct workload *workload, posemb_engine *engine,
                                      const struct bench_case *bench_case,
                                      const struct stage_call_times *times, struct stage_call *call,
                                      posemb_error *error);
void stage_call_destroy(struct stage_call *call);

posemb_status stage_call_enqueue(const struct stage_call *call, uint32_t set,
                                 cl_command_queue queue, cl_event *event, posemb_error *error);

/* Read the output that lies on the device into `output`, and its digest. */
posemb_status stage_call_read(struct stage_call *call, uint64_t *digest, posemb_error *error);

/* The same, and count the elements whose bits differ from the reference's of set `set`. */
posemb_status stage_call_verify(struct stage_call *call, uint32_t set, size_t *differing,
                                uint64_t *digest, posemb_error *error);

#endif
