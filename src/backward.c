/* posemb_backward: the kernels of gradients, compiled. */
#include "backward.h"

#include "../kernels/backward.h"
#include "cl_error.h"
#include "launch.h"
#include "status.h"

#include <stdlib.h>

static const char *const kernel_names[POSEMB__BACKWARD_KERNELS] = {
    [POSEMB__KEYS] = "posemb_keys",
    [POSEMB__ROWS_BACK] = "posemb_rows",
    [POSEMB__COLUMNS] = "posemb_columns",
    [POSEMB__SORT_COUNT] = "posemb_sort_count",
    [POSEMB__SORT_SCAN] = "posemb_sort_scan",
    [POSEMB__SORT_MOVE] = "posemb_sort_move",
    [POSEMB__RUNS_COUNT] = "posemb_runs_count",
    [POSEMB__RUNS_WRITE] = "posemb_runs_write",
    [POSEMB__PARTIALS] = "posemb_partials",
    [POSEMB__SUMS] = "posemb_sums",
};

const char *posemb__backward_kernel_name(enum posemb__backward_kernel kernel)
{
    return kernel_names[kernel];
}

/* Channels of a work-item of the GPU shape, and least length of a row that is folded. */
enum { GPU_CHANNELS = 4, FOLDED_MIN = 16, KEYS_LOCAL = 64 };

static struct posemb__program_key key_of(const struct posemb_backward *backward)
{
    const posemb_desc *desc = &backward->desc;
    const bool cpu = backward->engine->options.shape == POSEMB_SHAPE_CPU;
    struct posemb__program_key key = {
        .unit = POSEMB__UNIT_BACKWARD,
        .local_size = backward->local_size,
        .operation = POSEMB_ENCODE, /* the kernels know nothing of it */
        .position_kind = POSEMB_SINUSOIDAL,
        .float_positions = posemb__has_float_positions(desc),
        .table_storage = POSEMB_F32,
        .rows_storage = POSEMB_F32,
        .position_storage = POSEMB_F32,
        .norm_storage = posemb__has_gamma(desc) ? desc->norm_storage : POSEMB_F32,
        .out_storage = desc->out_storage,
        .step_storage = POSEMB_F32,
        .extra_storage = {POSEMB_F32, POSEMB_F32, POSEMB_F32, POSEMB_F32},
        .norm = desc->norm,
        .gamma = posemb__has_norm(desc) ? desc->gamma : POSEMB_GAMMA_NONE,
        .folded = FOLDED_MIN,
        .memory_floats = cpu ? 16 : 4,
        .rows = 1,
    };

    while (posemb__has_norm(desc) && key.folded < desc->dim)
        key.folded *= 2;
    return key;
}

static void release_kernels(struct posemb_backward *backward)
{
    for (int k = 0; k < POSEMB__BACKWARD_KERNELS; k++) {
        if (backward->kernel[k])
            clReleaseKernel(backward->kernel[k]);
        backward->kernel[k] = NULL;
    }
}

/* The kernels of a program, and the most work-items that all of them can have. */
static posemb_status create_kernels(struct posemb_backward *backward, cl_program program,
                                    size_t *limit, posemb_error *error)
{
    *limit = SIZE_MAX;
    for (int k = 0; k < POSEMB__BACKWARD_KERNELS; k++) {
        size_t size = 0;
        cl_int code;

        backward->kernel[k] = clCreateKernel(program, kernel_names[k], &code);
        if (!backward->kernel[k])
            return posemb__cl_fail(error, code, kernel_names[k]);
        code = clGetKernelWorkGroupInfo(backward->kernel[k], backward->engine->device,
                                        CL_KERNEL_WORK_GROUP_SIZE, sizeof size, &size, NULL);
        if (code != CL_SUCCESS)
            return posemb__cl_fail(error, code, "clGetKernelWorkGroupInfo");
        if (size < *limit)
            *limit = size;
    }
    return POSEMB_OK;
}

/* Compile for backward->local_size, and again for fewer where a kernel may not have as many. */
static posemb_status compile(struct posemb_backward *backward, posemb_error *error)
{
    const struct posemb__offer nothing = {NULL, 0};
    struct posemb__program_key key = key_of(backward);
    posemb_status status;
    size_t limit = 0;

    for (;;) {
        struct posemb__program *program = NULL;
        posemb_origin origin;

        status = posemb__engine_program(backward->engine, &key, &nothing, &program, &origin, error);
        if (status == POSEMB_OK)
            status = create_kernels(backward, program->program, &limit, error);
        if (status == POSEMB_OK && posemb__engine_wants(backward->engine, program))
            status = posemb__engine_save(backward->engine, program, error);
        if (status != POSEMB_OK || key.local_size <= limit)
            break;
        release_kernels(backward);
        while (key.local_size > limit && key.local_size > 1)
            key.local_size /= 2;
    }
    backward->local_size = key.local_size;
    backward->keys_local_size = limit < KEYS_LOCAL ? (uint32_t)limit : KEYS_LOCAL;
    return status;
}

static posemb_status fill(struct posemb_backward *backward, posemb_error *error)
{
    const posemb_engine *engine = backward->engine;

    backward->desc.frequencies = NULL;
    backward->desc.phases = NULL;
    backward->desc.table_parts = 1;
    backward->local_size = engine->options.local_size;
    if (engine->options.shape == POSEMB_SHAPE_CPU)
        backward->local_size = 1;
    else if (backward->local_size == 0)
        backward->local_size = (uint32_t)posemb__gpu_local_size(backward->desc.dim, GPU_CHANNELS,
                                                                engine->info.max_work_group_size);
    if (pthread_mutex_init(&backward->lock, NULL) != 0)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a lock");
    backward->has_lock = true;
    return compile(backward, error);
}

posemb_status posemb_backward_create(posemb_engine *engine, const posemb_desc *desc,
                                     posemb_backward **backward, posemb_error *error)
{
    posemb_desc resolved;
    posemb_backward *made;
    posemb_status status;

    if (backward)
        *backward = NULL;
    if (!engine || !backward)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            engine ? "backward" : "engine");
    status = posemb_desc_resolve(desc, &resolved, error);
    if (status != POSEMB_OK)
        return status;
    made = calloc(1, sizeof *made);
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a backward");
    made->engine = posemb__engine_retain(engine);
    made->desc = resolved;
    status = fill(made, error);
    if (status == POSEMB_OK)
        *backward = made;
    else
        posemb_backward_destroy(made);
    return status;
}

void posemb_backward_destroy(posemb_backward *backward)
{
    if (!backward)
        return;
    release_kernels(backward);
    if (backward->has_lock)
        pthread_mutex_destroy(&backward->lock);
    posemb_engine_destroy(backward->engine);
    free(backward);
}
