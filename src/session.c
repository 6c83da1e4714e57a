/* posemb_session: a device, context, queue and engine for programs without OpenCL of their own. */
#include "cl_error.h"
#include "params.h"
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
    if (!data)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL", name);
    if (bytes > SIZE_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s has %" PRIu64 " bytes", name,
                            bytes);
    return posemb_session_upload(session, data, (size_t)bytes, &buffer->mem, error);
}

static posemb_status upload_all(posemb_session *session, const posemb_host_args *host,
                                struct run *run, posemb_error *error)
{
    const posemb_record clear = POSEMB_RECORD_CLEAR;
    const struct {
        const char *name;
        const void *data;
        uint64_t bytes;
        posemb_buffer *buffer;
    } inputs[] = {
        {"ids", host->ids, run->call.ids_bytes, &run->args.ids},
        {"table", host->table, run->call.table_bytes, &run->args.table},
        {"rows", host->rows, run->call.rows_bytes, &run->args.rows},
        {"positions", host->positions, run->call.positions_bytes, &run->args.positions},
        {"padding", host->padding, run->call.padding_bytes, &run->args.padding},
        {"record", host->record ? host->record : &clear, sizeof clear, &run->args.record},
        {"out", host->out, run->call.out_bytes, &run->args.out},
    };
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < sizeof inputs / sizeof *inputs; i++)
        status = upload_input(session, inputs[i].name, inputs[i].data, inputs[i].bytes,
                              inputs[i].buffer, error);
    return status;
}

/* What a run writes beside the rows, where the caller wants it. */
struct extra {
    void *data;
    uint64_t bytes;
    posemb_buffer *buffer;
};

enum { EXTRAS = 3 };

static void list_extras(const posemb_host_args *host, struct run *run, struct extra extras[EXTRAS])
{
    const struct extra list[EXTRAS] = {
        {host->positions_out, run->call.positions_out_bytes, &run->args.positions_out},
        {host->lengths_out, run->call.lengths_out_bytes, &run->args.lengths_out},
        {host->mask_out, run->call.mask_out_bytes, &run->args.mask_out},
    };

    memcpy(extras, list, sizeof list);
}

static posemb_status make_buffer(posemb_session *session, uint64_t bytes, posemb_buffer *buffer,
                                 posemb_error *error)
{
    if (bytes > SIZE_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "a buffer has %" PRIu64 " bytes",
                            bytes);
    return posemb_session_upload(session, NULL, (size_t)bytes, &buffer->mem, error);
}

static posemb_status make_extras(posemb_session *session, const posemb_host_args *host,
                                 struct run *run, posemb_error *error)
{
    struct extra extras[EXTRAS];
    uint64_t scratch = 0;
    posemb_status status = posemb_plan_scratch_bytes(run->plan, &run->args.shape, &scratch, error);

    if (status == POSEMB_OK && scratch > 0)
        status = make_buffer(session, scratch, &run->args.scratch, error);
    list_extras(host, run, extras);
    for (int i = 0; status == POSEMB_OK && i < EXTRAS; i++)
        if (extras[i].data)
            status = make_buffer(session, extras[i].bytes, extras[i].buffer, error);
    return status;
}

/* The output buffer began as a copy of the caller's memory, so what lies between the rows comes
 * back as it was. */
static posemb_status run_and_download(posemb_session *session, const posemb_host_args *host,
                                      struct run *run, posemb_error *error)
{
    struct extra extras[EXTRAS];
    posemb_status status =
        posemb_enqueue(run->plan, session->queue, &run->args, 0, NULL, NULL, error);

    if (status == POSEMB_OK)
        status = posemb_session_download(session, run->args.out.mem, 0, host->out,
                                         (size_t)run->call.out_bytes, error);
    list_extras(host, run, extras);
    for (int i = 0; status == POSEMB_OK && i < EXTRAS; i++)
        if (extras[i].data)
            status = posemb_session_download(session, extras[i].buffer->mem, 0, extras[i].data,
                                             (size_t)extras[i].bytes, error);
    if (status == POSEMB_OK && host->record)
        status = posemb_session_download(session, run->args.record.mem, 0, host->record,
                                         sizeof *host->record, error);
    return status;
}

static void release_run(struct run *run)
{
    const cl_mem buffers[] = {
        run->args.ids.mem,           run->args.table.mem,       run->args.rows.mem,
        run->args.positions.mem,     run->args.padding.mem,     run->args.scratch.mem,
        run->args.positions_out.mem, run->args.lengths_out.mem, run->args.mask_out.mem,
        run->args.record.mem,        run->args.out.mem};

    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    posemb_plan_destroy(run->plan);
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
    if (status == POSEMB_OK)
        status = posemb__call_resolve(&resolved, &args->shape, &run.call, error);
    if (status != POSEMB_OK || run.call.tokens == 0)
        return status;
    run.args.shape = args->shape;
    status = posemb_plan_create(session->engine, &resolved, &run.plan, error);
    if (status == POSEMB_OK)
        status = upload_all(session, args, &run, error);
    if (status == POSEMB_OK)
        status = make_extras(session, args, &run, error);
    if (status == POSEMB_OK)
        status = run_and_download(session, args, &run, error);
    release_run(&run);
    return status;
}
