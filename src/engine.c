/* posemb_engine: the caller's context and device, and the programs compiled for them. */
#include "engine.h"

#include "cl_error.h"
#include "device.h"
#include "status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Measured on a CPU with 2 cores, see README: from there on streamed stores are faster. */
static const uint64_t default_streamed_threshold = (uint64_t)4 << 20;
static const uint64_t default_follows_threshold = (uint64_t)24 << 20;

static posemb_status check_device_of_context(cl_context context, cl_device_id device,
                                             posemb_error *error)
{
    cl_device_id devices[64];
    size_t size = 0;
    const cl_int code =
        clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof devices, devices, &size);

    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetContextInfo");
    for (size_t i = 0; i < size / sizeof *devices; i++)
        if (devices[i] == device)
            return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "device is not one of the context");
}

static posemb_status resolve_options(const posemb_engine_options *options,
                                     const posemb_device_info *info,
                                     posemb_engine_options *resolved, posemb_error *error)
{
    memset(resolved, 0, sizeof *resolved);
    if (options)
        *resolved = *options;
    if (resolved->shape == POSEMB_SHAPE_DEFAULT)
        resolved->shape = posemb__device_shape(info);
    if (resolved->shape != POSEMB_SHAPE_CPU && resolved->shape != POSEMB_SHAPE_GPU)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "shape is %d, not one of 0 ... %d",
                            (int)resolved->shape, POSEMB_SHAPE_GPU);
    if (resolved->local_size > info->max_work_group_size ||
        (resolved->local_size & (resolved->local_size - 1)) != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "local_size is %" PRIu32 ", not a power of two up to %zu",
                            resolved->local_size, info->max_work_group_size);
    if (resolved->shape == POSEMB_SHAPE_CPU)
        resolved->local_size = 1;
    if (resolved->streamed_threshold == 0)
        resolved->streamed_threshold = default_streamed_threshold;
    if (resolved->follows_threshold == 0)
        resolved->follows_threshold = default_follows_threshold;
    return POSEMB_OK;
}

/* Check everything that can be wrong and describe the engine, without taking a reference yet. */
static posemb_status describe(posemb_engine *engine, cl_context context, cl_device_id device,
                              const posemb_engine_options *options, posemb_error *error)
{
    posemb_status status = check_device_of_context(context, device, error);

    if (status == POSEMB_OK)
        status = posemb__device_describe(device, &engine->info, error);
    if (status == POSEMB_OK)
        status = posemb__device_check(&engine->info, error);
    if (status == POSEMB_OK)
        status = resolve_options(options, &engine->info, &engine->options, error);
    return status;
}

posemb_status posemb_engine_create(cl_context context, cl_device_id device,
                                   const posemb_engine_options *options, posemb_engine **engine,
                                   posemb_error *error)
{
    posemb_engine *made;
    posemb_status status;

    if (engine)
        *engine = NULL;
    if (!engine || !context || !device)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !engine ? "engine" : (!context ? "context" : "device"));
    made = calloc(1, sizeof *made);
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for an engine");
    status = describe(made, context, device, options, error);
    if (status == POSEMB_OK && pthread_mutex_init(&made->programs_lock, NULL) != 0)
        status = posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no mutex for an engine");
    if (status != POSEMB_OK) {
        free(made);
        return status;
    }
    clRetainContext(context);
    clRetainDevice(device);
    made->context = context;
    made->device = device;
    atomic_init(&made->references, 1);
    *engine = made;
    return POSEMB_OK;
}

posemb_engine *posemb__engine_retain(posemb_engine *engine)
{
    atomic_fetch_add(&engine->references, 1);
    return engine;
}

void posemb_engine_destroy(posemb_engine *engine)
{
    if (!engine || atomic_fetch_sub(&engine->references, 1) != 1)
        return;
    for (struct posemb__program *entry = engine->programs; entry;) {
        struct posemb__program *next = entry->next;
        clReleaseProgram(entry->program);
        free(entry);
        entry = next;
    }
    pthread_mutex_destroy(&engine->programs_lock);
    clReleaseDevice(engine->device);
    clReleaseContext(engine->context);
    free(engine);
}

posemb_engine_options posemb_engine_resolved(const posemb_engine *engine)
{
    return engine->options;
}

static bool is_same_key(const struct posemb__program_key *a, const struct posemb__program_key *b)
{
    return a->operation == b->operation && a->halves == b->halves &&
           a->memory_floats == b->memory_floats && a->rows == b->rows;
}

static posemb_status add_program(posemb_engine *engine, const struct posemb__program_key *key,
                                 cl_program *program, posemb_error *error)
{
    struct posemb__program *entry = calloc(1, sizeof *entry);
    posemb_status status;

    if (!entry)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a program");
    status = posemb__program_build(engine->context, engine->device, key, &entry->program, error);
    if (status != POSEMB_OK) {
        free(entry);
        return status;
    }
    entry->key = *key;
    entry->next = engine->programs;
    engine->programs = entry;
    *program = entry->program;
    return POSEMB_OK;
}

posemb_status posemb__engine_program(posemb_engine *engine, const struct posemb__program_key *key,
                                     cl_program *program, posemb_error *error)
{
    const struct posemb__program *found;
    posemb_status status = POSEMB_OK;

    pthread_mutex_lock(&engine->programs_lock);
    found = engine->programs;
    while (found && !is_same_key(&found->key, key))
        found = found->next;
    if (found)
        *program = found->program;
    else
        status = add_program(engine, key, program, error);
    pthread_mutex_unlock(&engine->programs_lock);
    return status;
}
