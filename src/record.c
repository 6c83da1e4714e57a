/* The error record on the device: clearing it, and reading it with the values that it names. */
#include "cl_error.h"
#include "enqueue.h"
#include "positions.h"
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

/* The number at `place`, of a buffer of `bytes` that the call would read. */
static posemb_status look_up_number(cl_command_queue queue, const char *name,
                                    const posemb_buffer *buffer, uint64_t bytes, uint64_t place,
                                    posemb_number_type type, void *number, posemb_error *error)
{
    const uint64_t size = posemb__number_size(type);
    const posemb_status status = posemb__check_buffer(name, buffer, size, bytes, error);

    if (status != POSEMB_OK)
        return status;
    return read_bytes(queue, buffer, place, number, (size_t)size, 0, NULL, error);
}

static posemb_status look_up_int(cl_command_queue queue, const char *name,
                                 const posemb_buffer *buffer, uint64_t bytes, uint64_t place,
                                 posemb_number_type type, int64_t *value, posemb_error *error)
{
    int64_t number = 0; /* little-endian: a narrow one fills the front */
    const posemb_status status =
        look_up_number(queue, name, buffer, bytes, place, type, &number, error);

    if (status == POSEMB_OK)
        *value = posemb__load_int(&number, 0, type);
    return status;
}

/* Where the id of token (b, s) lies, from the offset of its buffer. */
static uint64_t id_place(const posemb_plan *plan, const posemb_shape *shape, uint64_t b, uint64_t s)
{
    return b * shape->ids_batch_stride + s * posemb__number_size(plan->desc.id_type);
}

/* Where the first number of token (b, s) lies that its rule takes. */
static uint64_t position_place(const posemb_plan *plan, const posemb_shape *shape, uint64_t b,
                               uint64_t s)
{
    const uint64_t size = posemb__number_size(plan->desc.position_type);
    const uint64_t token = size * posemb__axes_of(&plan->desc);

    switch (plan->desc.positions) {
    case POSEMB_POSITIONS_ROW_START:
        return b * size;
    case POSEMB_POSITIONS_EXPLICIT:
        return b * shape->positions_batch_stride + s * token;
    case POSEMB_POSITIONS_RAGGED:
        return (s < shape->sequences ? s : shape->sequences) * size;
    default:
        return s * token;
    }
}

static bool is_position(const posemb_shape *shape, int64_t given)
{
    return given >= POSEMB_POSITION_MIN - shape->start &&
           given <= POSEMB_POSITION_MAX - shape->start;
}

static bool is_float_position(float given)
{
    return given >= (float)POSEMB_POSITION_MIN && given < 4294967296.0f;
}

/* The number of token (b, s) that is no position; of several axes the first. */
static posemb_status look_up_position(const posemb_plan *plan, cl_command_queue queue,
                                      const posemb_args *args, const struct posemb__call *call,
                                      posemb_report *report, posemb_error *error)
{
    const uint64_t token = report->record.position_first;
    const uint64_t length = call->shape.length;
    const posemb_number_type type = plan->desc.position_type;
    uint64_t place = position_place(plan, &call->shape, token / length, token % length);
    posemb_status status = POSEMB_OK;
    bool found = false;

    for (uint32_t axis = 0; status == POSEMB_OK && !found && axis < posemb__axes_of(&plan->desc);
         axis++) {
        if (type == POSEMB_FLOAT32) {
            status = look_up_number(queue, "positions", &args->positions,
                                    call->input[POSEMB__POSITIONS].bytes, place, type,
                                    &report->first_float_position, error);
            found = !is_float_position(report->first_float_position);
        } else {
            status = look_up_int(queue, "positions", &args->positions,
                                 call->input[POSEMB__POSITIONS].bytes, place, type,
                                 &report->first_position, error);
            found = !is_position(&call->shape, report->first_position);
        }
        place += posemb__number_size(type);
    }
    return status;
}

/* The id of the token that extra table k's record names. */
static posemb_status look_up_extra(const posemb_plan *plan, cl_command_queue queue,
                                   const posemb_args *args, const struct posemb__call *call,
                                   uint32_t k, posemb_report *report, posemb_error *error)
{
    const enum posemb__input input = (enum posemb__input)(POSEMB__EXTRA_IDS + k);
    const posemb_extra_desc *extra = &plan->desc.extras[k];
    const uint64_t size = posemb__number_size(extra->id_type);
    const uint64_t b = report->record.extras[k].first / call->shape.length;
    const uint64_t s = report->record.extras[k].first % call->shape.length;
    const uint64_t place = extra->ids == POSEMB_EXTRA_OF_ROW
                               ? b * size
                               : b * call->shape.extras[k].ids_batch_stride + s * size;

    report->first_extra[k] = call->shape.extras[k].id;
    if (extra->ids == POSEMB_EXTRA_CONSTANT)
        return POSEMB_OK;
    return look_up_int(queue, posemb__input_name(input), &args->extras[k].ids,
                       call->input[input].bytes, place, extra->id_type, &report->first_extra[k],
                       error);
}

/* The values that a record names, read where they must lie if the record is of this call. */
static posemb_status look_up(const posemb_plan *plan, cl_command_queue queue,
                             const posemb_args *args, posemb_report *report, posemb_error *error)
{
    const posemb_record *record = &report->record;
    struct posemb__call call;
    posemb_status status = posemb__call_resolve(&plan->desc, &args->shape, &call, error);
    const uint64_t length = call.shape.length;

    if (status == POSEMB_OK && record->id_first < call.tokens && call.input[POSEMB__IDS].bytes)
        status = look_up_int(
            queue, "ids", &args->ids, call.input[POSEMB__IDS].bytes,
            id_place(plan, &call.shape, record->id_first / length, record->id_first % length),
            plan->desc.id_type, &report->first_id, error);
    for (uint32_t k = 0; status == POSEMB_OK && k < posemb__extra_count(&plan->desc); k++)
        if (record->extras[k].first < call.tokens)
            status = look_up_extra(plan, queue, args, &call, k, report, error);
    if (status != POSEMB_OK || record->position_first >= call.tokens)
        return status;
    /* Of a learned table it is the sum of start and column, or a count, that lies beyond. */
    if (plan->desc.position_kind == POSEMB_LEARNED && !call.input[POSEMB__POSITIONS].bytes)
        return status;
    if (call.input[POSEMB__POSITIONS].bytes)
        return look_up_position(plan, queue, args, &call, report, error);
    if (plan->desc.padding == POSEMB_PADDING_LEFT_COUNT ||
        plan->desc.padding == POSEMB_PADDING_LEFT_LENGTH)
        status = look_up_int(queue, "padding", &args->padding, call.input[POSEMB__PADDING].bytes,
                             record->position_first / length *
                                 posemb__number_size(plan->desc.padding_type),
                             plan->desc.padding_type, &report->first_position, error);
    return status;
}

posemb_status posemb_record_read(const posemb_plan *plan, cl_command_queue queue,
                                 const posemb_args *args, cl_uint num_waits, const cl_event *waits,
                                 posemb_report *report, posemb_error *error)
{
    posemb_report found = {POSEMB_RECORD_CLEAR, 0, 0, 0.0f, {0}};
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
