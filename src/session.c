/* posemb_session: a device, context, queue and engine for programs without OpenCL of their own. */
#include "cl_error.h"
#include "enqueue.h"
#include "status.h"

#include <posemb/posemb_cl.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct posemb_session {
    posemb_device_info device;
    cl_context context;
    cl_command_queue queue;
    posemb_engine *engine;
};

static posemb_status open_device(posemb_session *session, const posemb_engine_options *options,
                                 posemb_error *error)
{
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)session->device.platform, 0};
    cl_int code = CL_SUCCESS;

    session->context = clCreateContext(properties, 1, &session->device.device, NULL, NULL, &code);
    if (!session->context)
        return posemb__cl_fail(error, code, "clCreateContext");
    session->queue = clCreateCommandQueue(session->context, session->device.device, 0, &code);
    if (!session->queue)
        return posemb__cl_fail(error, code, "clCreateCommandQueue");
    return posemb_engine_create(session->context, session->device.device, options, &session->engine,
                                error);
}

posemb_status posemb_session_create(const char *selector, const posemb_engine_options *options,
                                    posemb_session **session, posemb_error *error)
{
    posemb_session *made;
    posemb_status status;

    if (!session)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "session is NULL");
    *session = NULL;
    made = calloc(1, sizeof *made);
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a session");
    status = posemb_device_pick(selector, &made->device, error);
    if (status == POSEMB_OK)
        status = open_device(made, options, error);
    if (status == POSEMB_OK)
        *session = made;
    else
        posemb_session_destroy(made);
    return status;
}

void posemb_session_destroy(posemb_session *session)
{
    if (!session)
        return;
    if (session->queue)
        clFinish(session->queue);
    posemb_engine_destroy(session->engine);
    if (session->queue)
        clReleaseCommandQueue(session->queue);
    if (session->context)
        clReleaseContext(session->context);
    free(session);
}

posemb_engine *posemb_session_engine(const posemb_session *session)
{
    return session->engine;
}

cl_context posemb_session_context(const posemb_session *session)
{
    return session->context;
}

cl_command_queue posemb_session_queue(const posemb_session *session)
{
    return session->queue;
}

const posemb_device_info *posemb_session_device(const posemb_session *session)
{
    return &session->device;
}

posemb_status posemb_session_upload(posemb_session *session, const void *data, size_t size,
                                    cl_mem *buffer, posemb_error *error)
{
    cl_int code = CL_SUCCESS;
    cl_mem made;

    if (!session || !buffer || size == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s",
                            size == 0 ? "size is 0" : "session or buffer is NULL");
    if (size > session->device.max_allocation)
        return posemb__fail(
            error, POSEMB_OUT_OF_MEMORY, 0,
            "a buffer of %zu bytes is above the device's largest allocation, %" PRIu64, size,
            (uint64_t)session->device.max_allocation);
    made = clCreateBuffer(session->context, CL_MEM_READ_WRITE, size, NULL, &code);
    if (!made)
        return posemb__cl_fail(error, code, "clCreateBuffer");
    if (data)
        code = clEnqueueWriteBuffer(session->queue, made, CL_TRUE, 0, size, data, 0, NULL, NULL);
    if (code != CL_SUCCESS) {
        clReleaseMemObject(made);
        return posemb__cl_fail(error, code, "clEnqueueWriteBuffer");
    }
    *buffer = made;
    return POSEMB_OK;
}

posemb_status posemb_session_download(posemb_session *session, cl_mem buffer, size_t offset,
                                      void *data, size_t size, posemb_error *error)
{
    cl_int code;

    if (!session || !buffer || !data)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !session ? "session" : (!buffer ? "buffer" : "data"));
    code = clEnqueueReadBuffer(session->queue, buffer, CL_TRUE, offset, size, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clEnqueueReadBuffer");
}

/* The device side of one run: buffers as long as what the call touches. */
struct run {
    struct posemb__call call;
    posemb_plan *plan;
    posemb_args args;
};

static posemb_status upload_input(posemb_session *session, const char *name, const void *data,
                                  uint64_t bytes, posemb_buffer *buffer, posemb_error *error)
{
    if (bytes == 0)
        return POSEMB_OK;
    if (bytes > SIZE_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s has %" PRIu64 " bytes", name,
                            bytes);
    return posemb_session_upload(session, data, (size_t)bytes, &buffer->mem, error);
}

/* What the caller has for an input; of the other parts of a table what lies behind the first. */
static const void *host_data(const struct run *run, const posemb_host_args *host,
                             enum posemb__input input)
{
    const uint64_t part = run->call.shape.part_rows * run->call.shape.table_stride;

    if (input >= POSEMB__TABLE_MORE && input < POSEMB__TABLE_SCALES &&
        run->call.input[input].bytes > 0)
        return (const char *)host->table + (input - POSEMB__TABLE) * part;
    return posemb__host_input(host, input);
}

static posemb_status upload_all(posemb_session *session, const posemb_host_args *host,
                                struct run *run, posemb_error *error)
{
    const posemb_record clear = POSEMB_RECORD_CLEAR;
    posemb_status status = upload_input(session, "record", host->record ? host->record : &clear,
                                        sizeof clear, &run->args.record, error);

    if (status == POSEMB_OK)
        status =
            upload_input(session, "out", host->out, run->call.out.bytes, &run->args.out, error);
    for (int i = 0; status == POSEMB_OK && i < POSEMB__INPUTS; i++) {
        const enum posemb__input input = (enum posemb__input)i;

        status =
            upload_input(session, posemb__input_name(input), host_data(run, host, input),
                         run->call.input[i].bytes, posemb__args_input(&run->args, input), error);
    }
    return status;
}

static posemb_status make_buffer(posemb_session *session, uint64_t bytes, posemb_buffer *buffer,
                                 posemb_error *error)
{
    if (bytes > SIZE_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "a buffer has %" PRIu64 " bytes",
                            bytes);
    return posemb_session_upload(session, NULL, (size_t)bytes, &buffer->mem, error);
}

/* Buffers of the outputs that the caller wants. The one with rows begins as a copy of the caller's
 * memory: see run_and_download(). */
static posemb_status make_outputs(posemb_session *session, const posemb_host_args *host,
                                  struct run *run, posemb_error *error)
{
    uint64_t scratch = 0;
    posemb_status status = posemb_plan_scratch_bytes(run->plan, &run->args.shape, &scratch, error);

    if (status == POSEMB_OK && scratch > 0)
        status = make_buffer(session, scratch, &run->args.scratch, error);
    for (int i = 0; status == POSEMB_OK && i < POSEMB__OUTPUTS; i++) {
        const enum posemb__output output = (enum posemb__output)i;
        void *data = posemb__host_output(host, output);

        if (data && output == POSEMB__SUM_OUT)
            status =
                upload_input(session, posemb__output_name(output), data, run->call.output[i].bytes,
                             posemb__args_output(&run->args, output), error);
        else if (data)
            status = make_buffer(session, run->call.output[i].bytes,
                                 posemb__args_output(&run->args, output), error);
    }
    return status;
}

/* The output buffer began as a copy of the caller's memory, so what lies between the rows comes
 * back as it was. */
static posemb_status run_and_download(posemb_session *session, const posemb_host_args *host,
                                      struct run *run, posemb_error *error)
{
    posemb_status status =
        posemb_enqueue(run->plan, session->queue, &run->args, 0, NULL, NULL, error);

    if (status == POSEMB_OK)
        status = posemb_session_download(session, run->args.out.mem, 0, host->out,
                                         (size_t)run->call.out.bytes, error);
    for (int i = 0; status == POSEMB_OK && i < POSEMB__OUTPUTS; i++) {
        const enum posemb__output output = (enum posemb__output)i;
        void *data = posemb__host_output(host, output);

        if (data)
            status = posemb_session_download(session, posemb__args_output(&run->args, output)->mem,
                                             0, data, (size_t)run->call.output[i].bytes, error);
    }
    if (status == POSEMB_OK && host->record)
        status = posemb_session_download(session, run->args.record.mem, 0, host->record,
                                         sizeof *host->record, error);
    return status;
}

static void release_buffer(const posemb_buffer *buffer)
{
    if (buffer->mem)
        clReleaseMemObject(buffer->mem);
}

static void release_run(struct run *run)
{
    for (int i = 0; i < POSEMB__INPUTS; i++)
        release_buffer(posemb__args_input(&run->args, (enum posemb__input)i));
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        release_buffer(posemb__args_output(&run->args, (enum posemb__output)i));
    release_buffer(&run->args.scratch);
    release_buffer(&run->args.record);
    release_buffer(&run->args.out);
    posemb_plan_destroy(run->plan);
}

/* A table that one buffer cannot hold comes in parts. */
static posemb_status split_table(const posemb_session *session, posemb_desc *resolved,
                                 struct run *run, posemb_error *error)
{
    posemb_shape *shape = &run->args.shape;
    posemb_status status;

    if (run->call.input[POSEMB__TABLE].bytes <=
        posemb_engine_resolved(session->engine).largest_buffer)
        return POSEMB_OK;
    status = posemb_split_table(session->engine, run->call.shape.shard_rows,
                                run->call.shape.table_stride, &resolved->table_parts,
                                &shape->part_rows, error);
    if (status == POSEMB_OK)
        status = posemb__call_resolve(resolved, shape, &run->call, error);
    return status;
}

posemb_status posemb_session_run(posemb_session *session, const posemb_desc *desc,
                                 const posemb_host_args *args, posemb_error *error)
{
    posemb_desc resolved;
    struct run run;
    posemb_status status;

    if (!session || !args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            session ? "args" : "session");
    memset(&run, 0, sizeof run);
    status = posemb_desc_resolve(desc, &resolved, error);
    resolved.table_parts = 1;
    resolved.concurrency = 1;
    if (status == POSEMB_OK)
        status = posemb__call_resolve(&resolved, &args->shape, &run.call, error);
    if (status != POSEMB_OK || run.call.tokens == 0)
        return status;
    status = posemb__check_host_args(&run.call, args, error);
    if (status != POSEMB_OK)
        return status;
    run.args.shape = args->shape;
    status = split_table(session, &resolved, &run, error);
    if (status == POSEMB_OK)
        status = posemb_plan_create(session->engine, &resolved, &run.plan, error);
    if (status == POSEMB_OK)
        status = upload_all(session, args, &run, error);
    if (status == POSEMB_OK)
        status = make_outputs(session, args, &run, error);
    if (status == POSEMB_OK)
        status = run_and_download(session, args, &run, error);
    release_run(&run);
    return status;
}
