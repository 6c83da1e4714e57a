/* The error record on the device: clearing it, and reading it with the values that it names. */
#include "cl_error.h"
#include "enqueue.h"
#include "status.h"

posemb_status posemb_record_clear(cl_command_queue queue, const posemb_buffer *record,
                                  cl_uint num_waits, const cl_event *waits, cl_event *event,
                                  posemb_error *error)
{
    static const posemb_record clear = POSEMB_RECORD_CLEAR;
    posemb_status status;
    cl_int code;

    if (!queue || !record)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            queue ? "record" : "queue");
    status = posemb__check_waits(num_waits, waits, error);
    if (status == POSEMB_OK)
        status = posemb__check_buffer("record", record, sizeof(uint32_t), sizeof clear, error);
    if (status != POSEMB_OK)
        return status;
    code = clEnqueueWriteBuffer(queue, record->mem, CL_FALSE, record->offset, sizeof clear, &clear,
                                num_waits, waits, event);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clEnqueueWriteBuffer");
}

static posemb_status read_bytes(cl_command_queue queue, const posemb_buffer *buffer,
                                uint64_t offset, void *data, size_t size, cl_uint num_waits,
                                const cl_event *waits, posemb_error *error)
{
    const cl_int code = clEnqueueReadBuffer(queue, buffer->mem, CL_TRUE, buffer->offset + offset,
                                            size, data, num_waits, waits, NULL);

    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clEnqueueReadBuffer");
}

static posemb_status read_int(cl_command_queue queue, const posemb_buffer *buffer, uint64_t offset,
                              posemb_int_type type, int64_t *value, posemb_error *error)
{
    int32_t narrow = 0;
    posemb_status status;

    if (type == POSEMB_INT64)
        return read_bytes(queue, buffer, offset, value, sizeof *value, 0, NULL, error);
    status = read_bytes(queue, buffer, offset, &narrow, sizeof narrow, 0, NULL, error);
    *value = narrow;
    return status;
}

static posemb_status read_first_id(const posemb_plan *plan, cl_command_queue queue,
                                   const posemb_args *args, const struct posemb__call *call,
                                   uint32_t token, int64_t *id, posemb_error *error)
{
    const uint64_t b = token / call->shape.length;
    const uint64_t s = token % call->shape.length;
    const posemb_int_type type = plan->desc.id_type;

    return read_int(queue, &args->ids,
                    b * call->shape.ids_batch_stride + s * posemb__int_size(type), type, id, error);
}

static posemb_status read_first_position(const posemb_plan *plan, cl_command_queue queue,
                                         const posemb_args *args, const struct posemb__call *call,
                                         uint32_t token, int64_t *position, posemb_error *error)
{
    const uint64_t b = token / call->shape.length;
    const uint64_t s = token % call->shape.length;
    const posemb_int_type type = plan->desc.position_type;
    const uint64_t size = posemb__int_size(type);
    uint64_t offset = 0;

    switch (plan->desc.positions) {
    case POSEMB_POSITIONS_ROW_START:
        offset = b * size;
        break;
    case POSEMB_POSITIONS_EXPLICIT:
        offset = b * call->shape.positions_batch_stride + s * size;
        break;
    default:
        offset = s * size;
        break;
    }
    return read_int(queue, &args->positions, offset, type, position, error);
}

/* The values that a record names, read where they must lie if the record is of this call. */
static posemb_status look_up(const posemb_plan *plan, cl_command_queue queue,
                             const posemb_args *args, posemb_report *report, posemb_error *error)
{
    const posemb_record *record = &report->record;
    struct posemb__call call;
    posemb_status status = posemb__call_resolve(&plan->desc, &args->shape, &call, error);

    if (status == POSEMB_OK && record->id_first < call.tokens && call.ids_bytes)
        status = posemb__check_buffer("ids", &args->ids, posemb__int_size(plan->desc.id_type),
                                      call.ids_bytes, error);
    if (status == POSEMB_OK && record->id_first < call.tokens && call.ids_bytes)
        status =
            read_first_id(plan, queue, args, &call, record->id_first, &report->first_id, error);
    if (status == POSEMB_OK && record->position_first < call.tokens && call.positions_bytes)
        status = posemb__check_buffer("positions", &args->positions,
                                      posemb__int_size(plan->desc.position_type),
                                      call.positions_bytes, error);
    if (status == POSEMB_OK && record->position_first < call.tokens && call.positions_bytes)
        status = read_first_position(plan, queue, args, &call, record->position_first,
                                     &report->first_position, error);
    return status;
}

posemb_status posemb_record_read(const posemb_plan *plan, cl_command_queue queue,
                                 const posemb_args *args, cl_uint num_waits, const cl_event *waits,
                                 posemb_report *report, posemb_error *error)
{
    posemb_report found = {POSEMB_RECORD_CLEAR, 0, 0};
    posemb_status status;

    if (!plan || !args || !report)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !plan ? "plan" : (!args ? "args" : "report"));
    status = posemb__check_queue(plan->engine->context, plan->engine->device, queue, error);
    if (status == POSEMB_OK)
        status = posemb__check_waits(num_waits, waits, error);
    if (status == POSEMB_OK)
        status = posemb__check_buffer("record", &args->record, sizeof(uint32_t),
                                      sizeof found.record, error);
    if (status == POSEMB_OK)
        status = read_bytes(queue, &args->record, 0, &found.record, sizeof found.record, num_waits,
                            waits, error);
    if (status == POSEMB_OK)
        status = look_up(plan, queue, args, &found, error);
    if (status == POSEMB_OK)
        *report = found;
    return status;
}
