/* What the library adds to one enqueue: posemb_enqueue() beside the same OpenCL calls by hand. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "enqueue.h"
#include "status.h"

enum { REPEATS = 301, LAUNCHES = 64, DIM = 64 };

struct overhead_run {
    posemb_session *session;
    posemb_plan *plan;
    cl_mem memory; /* zeros: ids, table and output */
    posemb_args args;
};

static posemb_status set_up(struct overhead_run *run, posemb_error *error)
{
    static const char zeros[4096];
    const posemb_desc desc = {.dim = DIM};
    posemb_status status =
        posemb_plan_create(posemb_session_engine(run->session), &desc, &run->plan, error);

    if (status == POSEMB_OK)
        status = posemb_session_upload(run->session, zeros, sizeof zeros, &run->memory, error);
    run->args = (posemb_args){.shape = {.batch = 1, .length = 1, .vocab = 1},
                              .ids = {run->memory, 0},
                              .table = {run->memory, 1024},
                              .out = {run->memory, 2048}};
    return status;
}

/* The calls that any program would make for this launch: arguments and enqueue, no checks. */
static cl_int enqueue_by_hand(const struct overhead_run *run, cl_kernel kernel,
                              const struct posemb_launch *launch)
{
    const size_t local = (size_t)run->plan->launch_rule.local_size;
    const cl_mem constants = run->plan->constants;
    const cl_mem out = run->memory;
    const cl_mem buffers[] = {run->memory, run->memory, constants, constants, constants, constants,
                              out,         out,         out,       out,       out};

    clSetKernelArg(kernel, 0, posemb__launch_args_size(run->plan), launch);
    for (cl_uint i = 0; i < sizeof buffers / sizeof *buffers; i++)
        clSetKernelArg(kernel, i + 1, sizeof buffers[i], &buffers[i]);
    return clEnqueueNDRangeKernel(posemb_session_queue(run->session), kernel, 1, NULL, &local,
                                  &local, 0, NULL, NULL);
}

static posemb_status sample_pair(const struct overhead_run *run, double *library, double *by_hand,
                                 posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(run->session);
    const cl_kernel kernel = run->plan->kernels[POSEMB__STAGE][0];
    const struct posemb__launch kernel_launch = {
        .kernel = POSEMB__STAGE, .groups = 1, .turns = 1, .global_size = 1, .local_size = 1};
    struct posemb_launch launch;
    struct posemb__call call;
    posemb_status status = posemb__call_resolve(&run->plan->desc, &run->args.shape, &call, error);
    cl_int code = CL_SUCCESS;
    double begin = clock_seconds();

    for (int i = 0; status == POSEMB_OK && i < LAUNCHES; i++)
        status = posemb_enqueue(run->plan, queue, &run->args, 0, NULL, NULL, error);
    *library = (clock_seconds() - begin) / LAUNCHES;
    clFinish(queue);
    if (status != POSEMB_OK)
        return status;
    launch = posemb__launch_args(run->plan, &call, &kernel_launch, &run->args);
    begin = clock_seconds();
    for (int i = 0; code == CL_SUCCESS && i < LAUNCHES; i++)
        code = enqueue_by_hand(run, kernel, &launch);
    *by_hand = (clock_seconds() - begin) / LAUNCHES;
    clFinish(queue);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "enqueue by hand");
}

posemb_status bench_overhead_run(posemb_session *session, struct bench_overhead *overhead,
                                 posemb_error *error)
{
    struct overhead_run run = {.session = session};
    double library[REPEATS];
    double by_hand[REPEATS];
    posemb_status status = set_up(&run, error);

    for (int i = -3; status == POSEMB_OK && i < REPEATS; i++)
        status = sample_pair(&run, &library[i < 0 ? 0 : i], &by_hand[i < 0 ? 0 : i], error);
    if (status == POSEMB_OK)
        *overhead = (struct bench_overhead){samples_median(library, REPEATS),
                                            samples_median(by_hand, REPEATS), REPEATS};
    posemb_plan_destroy(run.plan);
    if (run.memory)
        clReleaseMemObject(run.memory);
    return status;
}
