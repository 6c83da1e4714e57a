/* posemb_plan_warmup: run each kernel of a plan once on scratch buffers, so that what a driver does
 * at the first launch is done. */
#include "warmup.h"

#include "cl_error.h"
#include "enqueue.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

/* Zeros to read from and rows to write to, for `rows` tokens of a plan. */
struct scratch {
    cl_mem zeros;
    cl_mem out;
};

static posemb_status create_scratch(const posemb_plan *plan, uint32_t rows, struct scratch *scratch,
                                    posemb_error *error)
{
    const size_t size = (size_t)rows * plan->desc.dim * sizeof(float) + 8 * (size_t)rows;
    void *zeros = calloc(1, size);
    cl_int code = CL_SUCCESS;

    if (!zeros)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a warm-up");
    scratch->zeros = clCreateBuffer(plan->engine->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR,
                                    size, zeros, &code);
    free(zeros);
    if (scratch->zeros)
        scratch->out = clCreateBuffer(plan->engine->context, CL_MEM_READ_WRITE, size, NULL, &code);
    if (!scratch->zeros || !scratch->out)
        return posemb__cl_fail(error, code, "clCreateBuffer for a warm-up");
    return POSEMB_OK;
}

static void release_scratch(const struct scratch *scratch)
{
    if (scratch->out)
        clReleaseMemObject(scratch->out);
    if (scratch->zeros)
        clReleaseMemObject(scratch->zeros);
}

static posemb_status run_kernel(const posemb_plan *plan, cl_command_queue queue,
                                enum posemb__kernel kernel, const struct scratch *scratch,
                                posemb_error *error)
{
    const uint32_t rows = plan->launch_rule.rows;
    const posemb_args args = {.shape = {.batch = rows, .length = 1, .vocab = 1},
                              .ids = {scratch->zeros, 0},
                              .table = {scratch->zeros, 0},
                              .rows = {scratch->zeros, 0},
                              .positions = {scratch->zeros, 0},
                              .out = {scratch->out, 0}};
    const struct posemb__launch launch = {kernel, plan->launch_rule.local_size,
                                          plan->launch_rule.local_size};
    struct posemb__call call;
    const posemb_status status = posemb__call_resolve(&plan->desc, &args.shape, &call, error);

    if (status != POSEMB_OK)
        return status;
    return posemb__enqueue_kernel(plan, queue, &call, &launch, &args, 0, NULL, NULL, error);
}

/* Which kernels to run: bit k of `wanted` for kernel k. */
static posemb_status choose_kernels(const posemb_plan *plan, const posemb_shape *shape,
                                    unsigned *wanted, posemb_error *error)
{
    struct posemb__call call;
    posemb_status status;

    *wanted = (1u << POSEMB__KERNEL_COUNT) - 1u;
    if (!shape)
        return POSEMB_OK;
    status = posemb__call_resolve(&plan->desc, shape, &call, error);
    if (status == POSEMB_OK)
        *wanted = call.tokens ? 1u << posemb__launch_of(&plan->launch_rule, &call).kernel : 0u;
    return status;
}

static posemb_status run_kernels(const posemb_plan *plan, cl_command_queue queue, unsigned wanted,
                                 posemb_error *error)
{
    struct scratch scratch = {NULL, NULL};
    posemb_status status = create_scratch(plan, plan->launch_rule.rows, &scratch, error);
    cl_int code;

    for (int k = 0; status == POSEMB_OK && k < POSEMB__KERNEL_COUNT; k++)
        if (plan->kernels[k] && (wanted >> k & 1u))
            status = run_kernel(plan, queue, (enum posemb__kernel)k, &scratch, error);
    code = clFinish(queue);
    if (status == POSEMB_OK && code != CL_SUCCESS)
        status = posemb__cl_fail(error, code, "clFinish");
    release_scratch(&scratch);
    return status;
}

posemb_status posemb__run_all_kernels(const posemb_plan *plan, cl_command_queue queue,
                                      posemb_error *error)
{
    return run_kernels(plan, queue, (1u << POSEMB__KERNEL_COUNT) - 1u, error);
}

posemb_status posemb_plan_warmup(const posemb_plan *plan, cl_command_queue queue,
                                 const posemb_shape *shape, posemb_error *error)
{
    unsigned wanted;
    posemb_status status;

    if (!plan)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "plan is NULL");
    status = posemb__check_queue(plan->engine->context, plan->engine->device, queue, error);
    if (status == POSEMB_OK)
        status = choose_kernels(plan, shape, &wanted, error);
    if (status == POSEMB_OK && wanted)
        status = run_kernels(plan, queue, wanted, error);
    return status;
}
