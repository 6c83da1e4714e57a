/* Commands on one queue, each of which waits for the one before. */
#include "queue.h"

cl_int posemb__chain_begin(struct posemb__chain *chain, cl_command_queue queue, cl_uint num_waits,
                           const cl_event *waits)
{
    cl_command_queue_properties properties = 0;
    const cl_int code =
        clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL);

    *chain = (struct posemb__chain){
        .queue = queue,
        .num_waits = num_waits,
        .waits = waits,
        .in_order = (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0,
    };
    return code;
}

/* After a command; `made` is its event, NULL where none was asked for. */
static void follow(struct posemb__chain *chain, cl_event made)
{
    posemb__chain_drop(chain);
    chain->begun = true;
    chain->last = made;
    chain->num_waits = made ? 1 : 0;
    chain->waits = made ? &chain->last : NULL;
}

cl_int posemb__chain_launch(struct posemb__chain *chain, cl_kernel kernel, cl_uint dimensions,
                            const size_t *global_size, const size_t *local_size)
{
    cl_event made = NULL;
    const cl_int code = clEnqueueNDRangeKernel(chain->queue, kernel, dimensions, NULL, global_size,
                                               local_size[0] ? local_size : NULL, chain->num_waits,
                                               chain->waits, chain->in_order ? NULL : &made);

    if (code == CL_SUCCESS)
        follow(chain, made);
    return code;
}

cl_int posemb__chain_clear(struct posemb__chain *chain, const posemb_buffer *buffer, size_t bytes)
{
    const cl_uint zero = 0;
    cl_event made = NULL;
    const cl_int code =
        clEnqueueFillBuffer(chain->queue, buffer->mem, &zero, sizeof zero, (size_t)buffer->offset,
                            bytes, chain->num_waits, chain->waits, chain->in_order ? NULL : &made);

    if (code == CL_SUCCESS)
        follow(chain, made);
    return code;
}

cl_int posemb__chain_end(struct posemb__chain *chain, cl_event *event)
{
    cl_int code = CL_SUCCESS;

    if (event || (!chain->begun && chain->num_waits > 0))
        code = clEnqueueMarkerWithWaitList(chain->queue, chain->num_waits, chain->waits, event);
    posemb__chain_drop(chain);
    return code;
}

void posemb__chain_drop(struct posemb__chain *chain)
{
    if (chain->last)
        clReleaseEvent(chain->last);
    chain->last = NULL;
}
