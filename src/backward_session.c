/* posemb_session_backward: a backward call on host memory. */
#include "backward.h"
#include "status.h"

#include <inttypes.h>
#include <string.h>

/* The device side of one call: buffers as long as what it touches. */
struct run {
    posemb_backward *backward;
    posemb_backward_args args;
    struct posemb__backward_call call;
};

static posemb_status make_buffer(posemb_session *session, const char *name, const void *data,
                                 uint64_t bytes, posemb_buffer *buffer, posemb_error *error)
{
    if (bytes == 0)
        return POSEMB_OK;
    if (bytes > SIZE_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s has %" PRIu64 " bytes", name,
                            bytes);
    return posemb_session_upload(session, data, (size_t)bytes, &buffer->mem, error);
}

/* What is not overwritten in full, segments among it, begins as the caller's. */
static posemb_status make_buffers(posemb_session *session, const posemb_host_backward_args *host,
                                  struct run *run, posemb_error *error)
{
    uint64_t scratch = 0;
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < POSEMB__BACK_INPUTS; i++) {
        const enum posemb__backward_input input = (enum posemb__backward_input)i;

        status = make_buffer(session, posemb__backward_input_name(input),
                             posemb__host_backward_input(host, input), run->call.input[i].bytes,
                             posemb__backward_input_of(&run->args, input), error);
    }
    for (int g = 0; status == POSEMB_OK && g < POSEMB__GRADIENTS; g++) {
        const enum posemb__gradient gradient = (enum posemb__gradient)g;

        status = make_buffer(session, posemb__gradient_name(gradient),
                             posemb__host_gradient(host, gradient), run->call.gradient[g].bytes,
                             posemb__gradient_of(&run->args, gradient), error);
    }
    if (status == POSEMB_OK)
        status = posemb_backward_scratch_bytes(run->backward, &run->args, &scratch, error);
    if (status == POSEMB_OK)
        status = make_buffer(session, "scratch", NULL, scratch, &run->args.scratch, error);
    return status;
}

static posemb_status download(posemb_session *session, const posemb_host_backward_args *host,
                              struct run *run, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int g = 0; status == POSEMB_OK && g < POSEMB__GRADIENTS; g++) {
        const enum posemb__gradient gradient = (enum posemb__gradient)g;

        if (run->call.gradient[g].bytes > 0)
            status = posemb_session_download(
                session, posemb__gradient_of(&run->args, gradient)->mem, 0,
                posemb__host_gradient(host, gradient), (size_t)run->call.gradient[g].bytes, error);
    }
    return status;
}

static void release_buffer(const posemb_buffer *buffer)
{
    if (buffer->mem)
        clReleaseMemObject(buffer->mem);
}

static void release(struct run *run)
{
    for (int i = 0; i < POSEMB__BACK_INPUTS; i++)
        release_buffer(posemb__backward_input_of(&run->args, (enum posemb__backward_input)i));
    for (int g = 0; g < POSEMB__GRADIENTS; g++)
        release_buffer(posemb__gradient_of(&run->args, (enum posemb__gradient)g));
    release_buffer(&run->args.scratch);
    posemb_backward_destroy(run->backward);
}

posemb_status posemb_session_backward(posemb_session *session, const posemb_desc *desc,
                                      const posemb_host_backward_args *args, posemb_error *error)
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
    if (status == POSEMB_OK)
        status = posemb__backward_resolve(&resolved, &args->shape, args->accumulation,
                                          posemb__host_wanted(args), &run.call, error);
    if (status == POSEMB_OK)
        status = posemb__check_host_backward(&run.call, args, error);
    if (status != POSEMB_OK)
        return status;
    run.args.shape = args->shape;
    run.args.accumulation = args->accumulation;
    status =
        posemb_backward_create(posemb_session_engine(session), &resolved, &run.backward, error);
    if (status == POSEMB_OK)
        status = make_buffers(session, args, &run, error);
    if (status == POSEMB_OK)
        status = posemb_backward_enqueue(run.backward, posemb_session_queue(session), &run.args, 0,
                                         NULL, NULL, error);
    if (status == POSEMB_OK)
        status = download(session, args, &run, error);
    release(&run);
    return status;
}
