/* posemb_optimizer: a compiled step, and its launches. */
#include "../kernels/optimizer.h"
#include "buffer_uses.h"
#include "checked_math.h"
#include "cl_error.h"
#include "engine.h"
#include "optimizer_params.h"
#include "queue.h"
#include "status.h"

#include <posemb/posemb_train_cl.h>

#include <stdlib.h>

struct posemb_optimizer {
    posemb_engine *engine;
    posemb_optimizer_desc desc; /* resolved */
    cl_kernel kernel;
    size_t local_size;
    pthread_mutex_t lock; /* of the kernel's arguments */
    bool has_lock;
};

enum { GPU_LOCAL = 256 };

static struct posemb__program_key key_of(const struct posemb_optimizer *optimizer)
{
    const posemb_optimizer_desc *desc = &optimizer->desc;
    const bool cpu = optimizer->engine->options.shape == POSEMB_SHAPE_CPU;
    uint32_t method = POSEMB_METHOD_ADAM;

    if (desc->method == POSEMB_SGD)
        method = desc->momentum > 0.0f ? POSEMB_METHOD_MOMENTUM : POSEMB_METHOD_PLAIN;
    return (struct posemb__program_key){
        .unit = POSEMB__UNIT_OPTIMIZER, .method = method, .memory_floats = cpu ? 16 : 4};
}

static posemb_status compile(struct posemb_optimizer *optimizer, posemb_error *error)
{
    const struct posemb__program_key key = key_of(optimizer);
    const struct posemb__offer nothing = {NULL, 0};
    struct posemb__program *program = NULL;
    posemb_engine *engine = optimizer->engine;
    posemb_origin origin;
    size_t limit = 0;
    cl_int code;
    posemb_status status = posemb__engine_program(engine, &key, &nothing, &program, &origin, error);

    if (status != POSEMB_OK)
        return status;
    optimizer->kernel = clCreateKernel(program->program, "posemb_optimize", &code);
    if (!optimizer->kernel)
        return posemb__cl_fail(error, code, "posemb_optimize");
    code = clGetKernelWorkGroupInfo(optimizer->kernel, engine->device, CL_KERNEL_WORK_GROUP_SIZE,
                                    sizeof limit, &limit, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetKernelWorkGroupInfo");
    optimizer->local_size = limit < GPU_LOCAL ? limit : GPU_LOCAL;
    if (engine->options.shape == POSEMB_SHAPE_CPU)
        optimizer->local_size = 1;
    if (!posemb__engine_wants(engine, program))
        return POSEMB_OK;
    return posemb__engine_save(engine, program, error);
}

posemb_status posemb_optimizer_create(posemb_engine *engine, const posemb_optimizer_desc *desc,
                                      posemb_optimizer **optimizer, posemb_error *error)
{
    posemb_optimizer_desc resolved;
    posemb_optimizer *made;
    posemb_status status;

    if (optimizer)
        *optimizer = NULL;
    if (!engine || !optimizer)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            engine ? "optimizer" : "engine");
    status = posemb_optimizer_resolve(desc, &resolved, error);
    if (status != POSEMB_OK)
        return status;
    made = calloc(1, sizeof *made);
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for an optimiser");
    made->engine = posemb__engine_retain(engine);
    made->desc = resolved;
    made->has_lock = pthread_mutex_init(&made->lock, NULL) == 0;
    status = made->has_lock ? compile(made, error)
                            : posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a lock");
    if (status == POSEMB_OK)
        *optimizer = made;
    else
        posemb_optimizer_destroy(made);
    return status;
}

void posemb_optimizer_destroy(posemb_optimizer *optimizer)
{
    if (!optimizer)
        return;
    if (optimizer->kernel)
        clReleaseKernel(optimizer->kernel);
    if (optimizer->has_lock)
        pthread_mutex_destroy(&optimizer->lock);
    posemb_engine_destroy(optimizer->engine);
    free(optimizer);
}

/* ---- One step */

static void list_buffers(const posemb_optimizer_args *args,
                         const posemb_buffer *buffers[POSEMB__STATES])
{
    buffers[POSEMB__PARAMETERS] = &args->parameters;
    buffers[POSEMB__FIRST] = &args->first;
    buffers[POSEMB__SECOND] = &args->second;
    buffers[POSEMB__GRADS] = &args->grads;
    buffers[POSEMB__NUMBERS] = &args->segment_rows;
    buffers[POSEMB__NUMBER_COUNT] = &args->segment_count;
}

static posemb_status check_buffers(const struct posemb__step *step,
                                   const posemb_buffer *const buffers[POSEMB__STATES],
                                   posemb_error *error)
{
    struct posemb__buffer_uses places = {.count = 0};
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < POSEMB__STATES; i++)
        status = posemb__add_buffer_use(&places, posemb__state_name((enum posemb__state)i),
                                        buffers[i], step->span[i], i < POSEMB__GRADS, error);
    return status == POSEMB_OK ? posemb__check_buffer_uses(&places, error) : status;
}

static struct posemb_optimize block_of(const posemb_optimizer_desc *desc,
                                       const struct posemb__step *step,
                                       const posemb_optimizer_args *args)
{
    return (struct posemb_optimize){
        .parameters_offset = args->parameters.offset,
        .first_offset = args->first.offset,
        .second_offset = args->second.offset,
        .grads_offset = args->grads.offset,
        .rows_offset = args->segment_rows.offset,
        .count_offset = args->segment_count.offset,
        .rows = step->step.rows,
        .capacity = args->segment_capacity,
        .dim = step->step.dim,
        .by_segment = step->step.by_segment,
        .nesterov = desc->nesterov,
        .coupled = desc->decay == POSEMB_DECAY_COUPLED,
        .has_decay = desc->weight_decay > 0.0f,
        .grad_scale = step->step.grad_scale,
        .decay = desc->weight_decay,
        .keep = step->q,
        .learning_rate = step->step.learning_rate,
        .momentum = desc->momentum,
        .beta1 = desc->beta1,
        .rest1 = step->rest1,
        .beta2 = desc->beta2,
        .rest2 = step->rest2,
        .epsilon = desc->epsilon,
        .rate = step->l,
        .unbias = step->k,
    };
}

/* Set the parameters and launch; what the step does not use is stood in for by the parameters. */
static cl_int launch(const posemb_optimizer *optimizer, const struct posemb__step *step,
                     const posemb_optimizer_args *args,
                     const posemb_buffer *const buffers[POSEMB__STATES],
                     struct posemb__chain *chain)
{
    const struct posemb_optimize block = block_of(&optimizer->desc, step, args);
    const uint64_t most =
        args->segment_capacity < step->step.rows ? args->segment_capacity : step->step.rows;
    const uint64_t groups =
        step->step.by_segment
            ? most
            : posemb__divide_up_u64(step->step.rows * step->step.dim, POSEMB_BLOCK);
    const size_t local_size = optimizer->local_size;
    const size_t global_size = (size_t)groups * local_size;
    cl_int code = clSetKernelArg(optimizer->kernel, 0, sizeof block, &block);

    for (cl_uint i = 0; code == CL_SUCCESS && i < POSEMB__STATES; i++) {
        const bool used = step->span[i].bytes > 0;

        code = clSetKernelArg(optimizer->kernel, i + 1, sizeof(cl_mem),
                              used ? &buffers[i]->mem : &args->parameters.mem);
    }
    if (code != CL_SUCCESS || groups == 0)
        return code;
    return posemb__chain_launch(chain, optimizer->kernel, 1, &global_size, &local_size);
}

static posemb_status check_call(const posemb_optimizer *optimizer, cl_command_queue queue,
                                cl_uint num_waits, const cl_event *waits, posemb_error *error)
{
    const posemb_engine *engine = optimizer->engine;
    const posemb_status status = posemb__check_queue(engine->context, engine->device, queue, error);

    return status == POSEMB_OK ? posemb__check_waits(num_waits, waits, error) : status;
}

posemb_status posemb_optimizer_enqueue(posemb_optimizer *optimizer, cl_command_queue queue,
                                       const posemb_optimizer_args *args, cl_uint num_waits,
                                       const cl_event *waits, cl_event *event, posemb_error *error)
{
    const posemb_buffer *buffers[POSEMB__STATES];
    struct posemb__chain chain;
    struct posemb__step step;
    posemb_status status;
    cl_int code;

    if (!optimizer || !args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            optimizer ? "args" : "optimizer");
    list_buffers(args, buffers);
    status = check_call(optimizer, queue, num_waits, waits, error);
    if (status == POSEMB_OK)
        status = posemb__step_resolve(&optimizer->desc, &args->step, args->segment_capacity, &step,
                                      error);
    if (status == POSEMB_OK)
        status = check_buffers(&step, buffers, error);
    if (status != POSEMB_OK)
        return status;
    code = posemb__chain_begin(&chain, queue, num_waits, waits);
    pthread_mutex_lock(&optimizer->lock);
    if (code == CL_SUCCESS)
        code = launch(optimizer, &step, args, buffers, &chain);
    pthread_mutex_unlock(&optimizer->lock);
    if (code == CL_SUCCESS)
        code = posemb__chain_end(&chain, event);
    posemb__chain_drop(&chain);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "the launch of a step");
}
