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

/* One buffer of a call beside `out`: read, or written beside it. */
struct part {
    const char *name;
    const posemb_buffer *buffer;
    uint64_t unit;
    uint64_t bytes; /* 0: not used */
};

static bool overlaps(const struct part *part, const posemb_buffer *out, uint64_t out_bytes)
{
    return part->buffer->mem == out->mem && part->buffer->offset < out->offset + out_bytes &&
           out->offset < part->buffer->offset + part->bytes;
}

/* `rows` may be the output itself: the same place and the same strides. */
static bool is_in_place(const struct posemb__call *call, const posemb_args *args)
{
    return args->rows.offset == args->out.offset &&
           call->shape.rows_stride == call->shape.out_stride &&
           call->shape.rows_batch_stride == call->shape.out_batch_stride;
}

static posemb_status check_part(const struct posemb__call *call, const posemb_args *args,
                                const struct part *part, posemb_error *error)
{
    posemb_status status;

    if (part->bytes == 0)
        return POSEMB_OK;
    status = posemb__check_buffer(part->name, part->buffer, part->unit, part->bytes, error);
    if (status != POSEMB_OK || !overlaps(part, &args->out, call->out_bytes) ||
        (part->buffer == &args->rows && is_in_place(call, args)))
        return status;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s and out overlap", part->name);
}

static uint64_t if_there(const posemb_buffer *buffer, uint64_t bytes)
{
    return buffer->mem ? bytes : 0;
}

static posemb_status check_buffers(const posemb_plan *plan, const struct posemb__call *call,
                                   const struct posemb__launch *launch, const posemb_args *args,
                                   posemb_error *error)
{
    const uint64_t position_size = posemb__has_float_positions(&plan->desc) ? 4 : 8;
    const struct part parts[] = {
        {"ids", &args->ids, posemb__number_size(plan->desc.id_type), call->ids_bytes},
        {"table", &args->table, sizeof(float), call->table_bytes},
        {"rows", &args->rows, sizeof(float), call->rows_bytes},
        {"positions", &args->positions, posemb__number_size(plan->desc.position_type),
         call->positions_bytes},
        {"padding", &args->padding, posemb__number_size(plan->desc.padding_type),
         call->padding_bytes},
        {"scratch", &args->scratch, sizeof(uint32_t), launch->scratch_bytes},
        {"positions_out", &args->positions_out, position_size,
         if_there(&args->positions_out, call->positions_out_bytes)},
        {"lengths_out", &args->lengths_out, sizeof(uint32_t),
         if_there(&args->lengths_out, call->lengths_out_bytes)},
        {"mask_out", &args->mask_out, 1, if_there(&args->mask_out, call->mask_out_bytes)},
        {"record", &args->record, sizeof(uint32_t), if_there(&args->record, sizeof(posemb_record))},
    };
    posemb_status status =
        posemb__check_buffer("out", &args->out, sizeof(float), call->out_bytes, error);

    for (size_t i = 0; status == POSEMB_OK && i < sizeof parts / sizeof *parts; i++)
        status = check_part(call, args, &parts[i], error);
    return status;
}

static struct posemb_segment segment_args(const struct posemb__segment *segment)
{
    static const uint32_t lones[] = {
        [POSEMB__LONE_NONE] = POSEMB_LONE_NONE,
        [POSEMB__LONE_ZERO] = POSEMB_LONE_ZERO,
        [POSEMB__LONE_SINE] = POSEMB_LONE_SINE,
        [POSEMB__LONE_COSINE] = POSEMB_LONE_COSINE,
    };

    return (struct posemb_segment){
        .axis = segment->axis,
        .channel = segment->channel,
        .first_step = segment->first_step,
        .full_pairs = segment->full_pairs,
        .second_offset = segment->second_offset,
        .lone = lones[segment->lone],
        .lone_channel = segment->lone_channel,
        .lone_pair = segment->lone_pair,
    };
}

struct posemb_launch posemb__launch_args(const posemb_plan *plan, const struct posemb__call *call,
                                         const struct posemb__launch *launch,
                                         const posemb_args *args)
{
    const posemb_shape *shape = &call->shape;
    const posemb_desc *desc = &plan->desc;
    const bool add = desc->operation == POSEMB_ADD;
    struct posemb_launch made = {
        .ids_offset = args->ids.offset,
        .ids_batch_stride = shape->ids_batch_stride,
        .source_offset = add ? args->rows.offset : args->table.offset,
        .source_stride = add ? shape->rows_stride : shape->table_stride,
        .source_batch_stride = add ? shape->rows_batch_stride : 0,
        .positions_offset = args->positions.offset,
        .positions_batch_stride = shape->positions_batch_stride,
        .padding_offset = args->padding.offset,
        .padding_batch_stride = shape->padding_batch_stride,
        .scratch_offset = args->scratch.offset,
        .out_offset = args->out.offset,
        .out_stride = shape->out_stride,
        .out_batch_stride = shape->out_batch_stride,
        .positions_out_offset = args->positions_out.offset,
        .lengths_out_offset = args->lengths_out.offset,
        .mask_out_offset = args->mask_out.offset,
        .record_offset = args->record.offset,
        .vocab = shape->vocab,
        .past = shape->past,
        .start = shape->start,
        .pad_id = desc->pad_id,
        .batch = (uint32_t)shape->batch,
        .length = (uint32_t)shape->length,
        .tokens = (uint32_t)call->tokens,
        .sequences = (uint32_t)shape->sequences,
        .rule = (uint32_t)desc->positions,
        .padding = (uint32_t)desc->padding,
        .pad_policy = (uint32_t)desc->pad_policy,
        .id_type = (uint32_t)desc->id_type,
        .position_type = (uint32_t)desc->position_type,
        .padding_type = (uint32_t)desc->padding_type,
        .has_positions_out = args->positions_out.mem != NULL,
        .has_lengths_out = args->lengths_out.mem != NULL,
        .has_mask_out = args->mask_out.mem != NULL,
        .has_record = args->record.mem != NULL,
        .chunk = launch->chunk,
        .chunks = launch->chunks,
        .dim = desc->dim,
        .pairs = plan->channels.pairs,
        .segments = plan->channels.segments,
        .axes = posemb__axes_of(desc),
        .count = {desc->grid.count[0], desc->grid.count[1], desc->grid.count[2]},
        .flip = desc->amplitude < 0.0f ? 0x80000000u : 0u,
        .amplitude = desc->amplitude < 0.0f ? -desc->amplitude : desc->amplitude,
        .scale = desc->token_scale,
    };

    for (uint32_t k = 0; k < plan->channels.segments; k++)
        made.segment[k] = segment_args(&plan->channels.segment[k]);
    return made;
}

static cl_int set_all(cl_kernel kernel, const struct posemb_launch *block, const cl_mem *buffers,
                      cl_uint count)
{
    cl_int code = clSetKernelArg(kernel, 0, sizeof *block, block);

    for (cl_uint i = 0; code == CL_SUCCESS && i < count; i++)
        code = clSetKernelArg(kernel, i + 1, sizeof buffers[i], &buffers[i]);
    return code;
}

/* A buffer that the kernel does not touch is stood in for by one that is there anyway. */
static cl_int set_arguments(cl_kernel kernel, const posemb_plan *plan,
                            const struct posemb__call *call, const struct posemb__launch *launch,
                            const struct posemb_launch *block, const posemb_args *args)
{
    const cl_mem source = plan->desc.operation == POSEMB_ADD ? args->rows.mem : args->table.mem;
    const cl_mem out = args->out.mem;
    const cl_mem buffers[] = {
        call->ids_bytes ? args->ids.mem : plan->steps,
        call->table_bytes || call->rows_bytes ? source : plan->steps,
        call->positions_bytes ? args->positions.mem : plan->steps,
        call->padding_bytes ? args->padding.mem : plan->steps,
        plan->steps,
        launch->scratch_bytes ? args->scratch.mem : plan->steps,
        out,
        args->positions_out.mem ? args->positions_out.mem : out,
        args->lengths_out.mem ? args->lengths_out.mem : out,
        args->mask_out.mem ? args->mask_out.mem : out,
        args->record.mem ? args->record.mem : out,
    };

    return set_all(kernel, block, buffers, sizeof buffers / sizeof *buffers);
}

/* Launch POSEMB__COUNT. */
static cl_int enqueue_count(const posemb_plan *plan, cl_command_queue queue, cl_kernel kernel,
                            const struct posemb__call *call, const struct posemb__launch *launch,
                            const struct posemb_launch *block, const posemb_args *args,
                            cl_uint num_waits, const cl_event *waits, cl_event *event)
{
    const cl_mem buffers[] = {call->ids_bytes ? args->ids.mem : plan->steps,
                              call->padding_bytes ? args->padding.mem : plan->steps,
                              args->scratch.mem};
    const size_t local_size = (size_t)launch->local_size;
    const size_t items = (size_t)(call->shape.batch * launch->chunks);
    const size_t global_size = (items + local_size - 1) / local_size * local_size;
    const cl_int code = set_all(kernel, block, buffers, sizeof buffers / sizeof *buffers);

    if (code != CL_SUCCESS)
        return code;
    return clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global_size, &local_size, num_waits,
                                  waits, event);
}

/* Launch the stage with the kernels of one slot, after the count where there is one. */
static posemb_status enqueue_slot(const posemb_plan *plan, uint32_t slot, cl_command_queue queue,
                                  const struct posemb__call *call,
                                  const struct posemb__launch *launch, const posemb_args *args,
                                  cl_uint num_waits, const cl_event *waits, cl_event *event,
                                  posemb_error *error)
{
    const struct posemb_launch block = posemb__launch_args(plan, call, launch, args);
    const size_t global_size = (size_t)launch->global_size;
    const size_t local_size = (size_t)launch->local_size;
    const cl_kernel kernel = plan->kernels[launch->kernel][slot];
    const char *what = "clSetKernelArg";
    cl_event counted = NULL;
    cl_int code = set_arguments(kernel, plan, call, launch, &block, args);

    if (code == CL_SUCCESS && launch->chunk) {
        what = "clEnqueueNDRangeKernel of posemb_count";
        code = enqueue_count(plan, queue, plan->kernels[POSEMB__COUNT][slot], call, launch, &block,
                             args, num_waits, waits, &counted);
        num_waits = 1;
        waits = &counted;
    }
    if (code == CL_SUCCESS) {
        what = "clEnqueueNDRangeKernel";
        code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global_size, &local_size, num_waits,
                                      waits, event);
    }
    if (counted)
        clReleaseEvent(counted);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, what);
}

posemb_status posemb__enqueue_kernel(const posemb_plan *plan, cl_command_queue queue,
                                     const struct posemb__call *call,
                                     const struct posemb__launch *launch, const posemb_args *args,
                                     cl_uint num_waits, const cl_event *waits, cl_event *event,
                                     posemb_error *error)
{
    const uint32_t slot = posemb__plan_take_slot(plan);
    const posemb_status status =
        enqueue_slot(plan, slot, queue, call, launch, args, num_waits, waits, event, error);

    posemb__plan_return_slot(plan, slot);
    return status;
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
    launch = posemb__launch_of(&plan->launch_rule, &call);
    status = check_buffers(plan, &call, &launch, args, error);
    if (status != POSEMB_OK)
        return status;
    return posemb__enqueue_kernel(plan, queue, &call, &launch, args, num_waits, waits, event,
                                  error);
}
