/* posemb_enqueue: from checked arguments to one kernel launch; and the warm-up made of it. */
#include "enqueue.h"

#include "checked_math.h"
#include "cl_error.h"
#include "status.h"

#include <inttypes.h>
#include <string.h>

posemb_status posemb__check_waits(cl_uint num_waits, const cl_event *waits, posemb_error *error)
{
    if ((num_waits > 0) == (waits != NULL))
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "num_waits is %u, but waits is %s",
                        (unsigned)num_waits, waits ? "not NULL" : "NULL");
}

posemb_status posemb__check_queue(cl_context context, cl_device_id device, cl_command_queue queue,
                                  posemb_error *error)
{
    cl_context queue_context = NULL;
    cl_device_id queue_device = NULL;
    cl_int code;

    if (!queue)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "queue is NULL");
    code =
        clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof queue_context, &queue_context, NULL);
    if (code == CL_SUCCESS)
        code =
            clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof queue_device, &queue_device, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetCommandQueueInfo");
    if (queue_context != context || queue_device != device)
        return posemb__fail(error, POSEMB_QUEUE_MISMATCH, 0,
                            "the queue is of another %s than the plan",
                            queue_context != context ? "context" : "device");
    return POSEMB_OK;
}

posemb_status posemb__check_buffer(const char *name, const posemb_buffer *buffer, uint64_t unit,
                                   uint64_t bytes, posemb_error *error)
{
    size_t size = 0;
    cl_int code;

    if (!buffer->mem)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s.mem is NULL", name);
    if (buffer->offset % unit != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s.offset is %" PRIu64 ", not a multiple of %" PRIu64, name,
                            buffer->offset, unit);
    code = clGetMemObjectInfo(buffer->mem, CL_MEM_SIZE, sizeof size, &size, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, name);
    if (buffer->offset > size || bytes > size - buffer->offset)
        return posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                            "%s has %zu bytes; the call needs %" PRIu64 " from offset %" PRIu64,
                            name, size, bytes, buffer->offset);
    return POSEMB_OK;
}

/* One input that a call reads. */
struct input {
    const char *name;
    const posemb_buffer *buffer;
    uint64_t unit;
    uint64_t bytes; /* 0: not used */
};

static bool overlaps(const struct input *input, const posemb_buffer *out, uint64_t out_bytes)
{
    return input->buffer->mem == out->mem && input->buffer->offset < out->offset + out_bytes &&
           out->offset < input->buffer->offset + input->bytes;
}

/* `rows` may be the output itself: the same place and the same strides. */
static bool is_in_place(const struct posemb__call *call, const posemb_args *args)
{
    return args->rows.offset == args->out.offset &&
           call->shape.rows_stride == call->shape.out_stride &&
           call->shape.rows_batch_stride == call->shape.out_batch_stride;
}

static posemb_status check_input(const struct posemb__call *call, const posemb_args *args,
                                 const struct input *input, posemb_error *error)
{
    posemb_status status;

    if (input->bytes == 0)
        return POSEMB_OK;
    status = posemb__check_buffer(input->name, input->buffer, input->unit, input->bytes, error);
    if (status != POSEMB_OK || !overlaps(input, &args->out, call->out_bytes) ||
        (input->buffer == &args->rows && is_in_place(call, args)))
        return status;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s and out overlap", input->name);
}

static posemb_status check_buffers(const posemb_plan *plan, const struct posemb__call *call,
                                   const posemb_args *args, posemb_error *error)
{
    const struct input inputs[] = {
        {"ids", &args->ids, posemb__int_size(plan->desc.id_type), call->ids_bytes},
        {"table", &args->table, sizeof(float), call->table_bytes},
        {"rows", &args->rows, sizeof(float), call->rows_bytes},
        {"positions", &args->positions, posemb__int_size(plan->desc.position_type),
         call->positions_bytes},
        {"record", &args->record, sizeof(uint32_t), args->record.mem ? sizeof(posemb_record) : 0},
    };
    posemb_status status =
        posemb__check_buffer("out", &args->out, sizeof(float), call->out_bytes, error);

    for (size_t i = 0; status == POSEMB_OK && i < sizeof inputs / sizeof *inputs; i++)
        status = check_input(call, args, &inputs[i], error);
    return status;
}

static uint32_t lone_of(enum posemb__lone lone)
{
    switch (lone) {
    case POSEMB__LONE_SINE:
        return POSEMB_LONE_SINE;
    case POSEMB__LONE_ZERO:
        return POSEMB_LONE_ZERO;
    default:
        return POSEMB_LONE_NONE;
    }
}

struct posemb_launch posemb__launch_args(const posemb_plan *plan, const struct posemb__call *call,
                                         const posemb_args *args)
{
    const posemb_shape *shape = &call->shape;
    const bool add = plan->desc.operation == POSEMB_ADD;

    return (struct posemb_launch){
        .ids_offset = args->ids.offset,
        .ids_batch_stride = shape->ids_batch_stride,
        .source_offset = add ? args->rows.offset : args->table.offset,
        .source_stride = add ? shape->rows_stride : shape->table_stride,
        .source_batch_stride = add ? shape->rows_batch_stride : 0,
        .positions_offset = args->positions.offset,
        .positions_batch_stride = shape->positions_batch_stride,
        .out_offset = args->out.offset,
        .out_stride = shape->out_stride,
        .out_batch_stride = shape->out_batch_stride,
        .record_offset = args->record.offset,
        .vocab = shape->vocab,
        .start = shape->start,
        .batch = (uint32_t)shape->batch,
        .length = (uint32_t)shape->length,
        .tokens = (uint32_t)call->tokens,
        .rule = (uint32_t)plan->desc.positions,
        .wide_ids = plan->desc.id_type == POSEMB_INT64,
        .wide_positions = plan->desc.position_type == POSEMB_INT64,
        .has_record = args->record.mem != NULL,
        .full_pairs = plan->channels.full_pairs,
        .cosine_offset = plan->channels.cosine_offset,
        .lone = lone_of(plan->channels.lone),
        .lone_channel = plan->channels.lone_channel,
        .scale = plan->desc.token_scale,
    };
}

/* A buffer that the kernel does not touch is stood in for by one that is there anyway. */
static cl_int set_arguments(cl_kernel kernel, const posemb_plan *plan,
                            const struct posemb__call *call, const posemb_args *args)
{
    const struct posemb_launch launch = posemb__launch_args(plan, call, args);
    const cl_mem source = plan->desc.operation == POSEMB_ADD ? args->rows.mem : args->table.mem;
    const cl_mem buffers[] = {
        call->ids_bytes ? args->ids.mem : plan->steps,
        call->table_bytes || call->rows_bytes ? source : plan->steps,
        call->positions_bytes ? args->positions.mem : plan->steps,
        plan->steps,
        args->out.mem,
        args->record.mem ? args->record.mem : args->out.mem,
    };
    cl_int code = clSetKernelArg(kernel, 0, sizeof launch, &launch);

    for (cl_uint i = 0; code == CL_SUCCESS && i < sizeof buffers / sizeof *buffers; i++)
        code = clSetKernelArg(kernel, i + 1, sizeof buffers[i], &buffers[i]);
    return code;
}

posemb_status posemb__enqueue_kernel(const posemb_plan *plan, cl_command_queue queue,
                                     const struct posemb__call *call,
                                     const struct posemb__launch *launch, const posemb_args *args,
                                     cl_uint num_waits, const cl_event *waits, cl_event *event,
                                     posemb_error *error)
{
    const size_t global_size = (size_t)launch->global_size;
    const size_t local_size = (size_t)launch->local_size;
    const uint32_t slot = posemb__plan_take_slot(plan);
    const cl_kernel kernel = plan->kernels[launch->kernel][slot];
    cl_int code = set_arguments(kernel, plan, call, args);
    const char *what = "clSetKernelArg";

    if (code == CL_SUCCESS) {
        what = "clEnqueueNDRangeKernel";
        code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global_size, &local_size, num_waits,
                                      waits, event);
    }
    posemb__plan_return_slot(plan, slot);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, what);
}

static posemb_status enqueue_nothing(cl_command_queue queue, cl_uint num_waits,
                                     const cl_event *waits, cl_event *event, posemb_error *error)
{
    cl_int code;

    if (num_waits == 0 && !event)
        return POSEMB_OK;
    code = clEnqueueMarkerWithWaitList(queue, num_waits, waits, event);
    return code == CL_SUCCESS ? POSEMB_OK
                              : posemb__cl_fail(error, code, "clEnqueueMarkerWithWaitList");
}

posemb_status posemb_enqueue(const posemb_plan *plan, cl_command_queue queue,
                             const posemb_args *args, cl_uint num_waits, const cl_event *waits,
                             cl_event *event, posemb_error *error)
{
    struct posemb__launch launch;
    struct posemb__call call;
    posemb_status status;

    if (!plan || !args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            plan ? "args" : "plan");
    status = posemb__check_queue(plan->engine->context, plan->engine->device, queue, error);
    if (status == POSEMB_OK)
        status = posemb__check_waits(num_waits, waits, error);
    if (status == POSEMB_OK)
        status = posemb__call_resolve(&plan->desc, &args->shape, &call, error);
    if (status != POSEMB_OK)
        return status;
    if (call.tokens == 0)
        return enqueue_nothing(queue, num_waits, waits, event, error);
    status = check_buffers(plan, &call, args, error);
    if (status != POSEMB_OK)
        return status;
    launch = posemb__launch_of(&plan->launch_rule, &call);
    return posemb__enqueue_kernel(plan, queue, &call, &launch, args, num_waits, waits, event,
                                  error);
}
