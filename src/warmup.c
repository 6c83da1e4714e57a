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
    /* Rows of floats, and numbers of 8 bytes for each axis of each token: enough for any input. */
    const size_t size =
        (size_t)rows * (plan->desc.dim * sizeof(float) + (POSEMB_AXES_MAX + 1) * sizeof(int64_t));
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

/* A call of `rows` batch rows of one column, whatever the plan's rules say of shapes: every buffer
 * is there, and zeros are good enough numbers. */
static posemb_status make_call(const posemb_plan *plan, uint32_t rows, struct posemb__call *call,
                               posemb_error *error)
{
    const posemb_shape shape = {.batch = rows,
                                .length = 1,
                                .vocab = 1,
                                .prompt_rows = plan->desc.soft_prompts ? 1 : 0,
                                .position_rows = 1,
                                .extras = {{.rows = 1}, {.rows = 1}, {.rows = 1}, {.rows = 1}}};
    const uint64_t size = posemb__number_size(plan->desc.position_type);
    posemb_desc plain = plan->desc;
    posemb_status status;

    plain.positions = POSEMB_POSITIONS_INDEX;
    plain.padding = POSEMB_PADDING_NONE;
    memset(&plain.grid, 0, sizeof plain.grid);
    status = posemb__call_resolve(&plain, &shape, call, error);
    if (status != POSEMB_OK)
        return status;
    call->shape.sequences = 1;
    call->shape.positions_batch_stride = size * posemb__axes_of(&plan->desc);
    call->shape.padding_batch_stride = posemb__number_size(plan->desc.padding_type);
    call->input[POSEMB__POSITIONS].bytes = call->input[POSEMB__PADDING].bytes =
        call->shape.batch * sizeof(int64_t);
    return POSEMB_OK;
}

/* Enough batch rows for a whole group of any kernel. */
static uint32_t rows_of(const posemb_plan *plan)
{
    const struct posemb__launch_rule *rule = &plan->launch_rule;

    return rule->shared_rows > rule->rows ? rule->shared_rows : rule->rows;
}

static posemb_status run_kernel(const posemb_plan *plan, cl_command_queue queue,
                                enum posemb__kernel kernel, const struct scratch *scratch,
                                posemb_error *error)
{
    const uint64_t local_size = plan->launch_rule.local_size;
    posemb_args args = {.scratch = {scratch->out, 0}, .out = {scratch->out, 0}};
    struct posemb__launch launch = {.kernel = kernel,
                                    .groups = 1,
                                    .turns = 1,
                                    .global_size = local_size,
                                    .local_size = local_size};
    struct posemb__call call;
    const posemb_status status = make_call(plan, rows_of(plan), &call, error);

    if (status != POSEMB_OK)
        return status;
    for (int i = 0; i < POSEMB__INPUTS; i++)
        posemb__args_input(&args, (enum posemb__input)i)->mem = scratch->zeros;
    if (kernel == POSEMB__COUNT) { /* it runs before a stage */
        launch.kernel = POSEMB__STAGE;
        launch.chunk = launch.chunks = 1;
        launch.scratch_bytes = sizeof(uint32_t);
    }
    return posemb__enqueue_kernel(plan, queue, &call, &launch, &args, 0, NULL, NULL, error);
}

static unsigned kernels_of(const struct posemb__launch_rule *rule, const struct posemb__call *call)
{
    const struct posemb__launch launch = posemb__launch_of(rule, call);

    return 1u << launch.kernel | (launch.chunk ? 1u << POSEMB__COUNT : 0u);
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
        *wanted = call.tokens ? kernels_of(&plan->launch_rule, &call) : 0u;
    return status;
}

static posemb_status run_kernels(const posemb_plan *plan, cl_command_queue queue, unsigned wanted,
                                 posemb_error *error)
{
    struct scratch scratch = {NULL, NULL};
    posemb_status status = create_scratch(plan, rows_of(plan), &scratch, error);
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
