/* posemb_enqueue: from checked arguments to one kernel launch; and the warm-up made of it. */
#include "enqueue.h"

#include "checked_math.h"
#include "cl_error.h"
#include "status.h"
#include "storage.h"

#include <inttypes.h>
#include <stddef.h>
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

/* ---- Buffers */

#define PLACE(field) offsetof(posemb_args, field)

static const size_t input_places[POSEMB__INPUTS] = {
    [POSEMB__IDS] = PLACE(ids),
    [POSEMB__TABLE] = PLACE(table),
    [POSEMB__TABLE_MORE] = PLACE(table_more[0]),
    PLACE(table_more[1]),
    PLACE(table_more[2]),
    PLACE(table_more[3]),
    PLACE(table_more[4]),
    PLACE(table_more[5]),
    PLACE(table_more[6]),
    [POSEMB__TABLE_SCALES] = PLACE(table_scales),
    [POSEMB__ROWS] = PLACE(rows),
    [POSEMB__POSITIONS] = PLACE(positions),
    [POSEMB__PADDING] = PLACE(padding),
    [POSEMB__POSITION_TABLE] = PLACE(position_table),
    [POSEMB__POSITION_SCALES] = PLACE(position_scales),
    [POSEMB__GAMMA] = PLACE(gamma),
    [POSEMB__BETA] = PLACE(beta),
    [POSEMB__EXTRA_IDS] = PLACE(extras[0].ids),
    PLACE(extras[1].ids),
    PLACE(extras[2].ids),
    PLACE(extras[3].ids),
    [POSEMB__EXTRA_TABLE] = PLACE(extras[0].table),
    PLACE(extras[1].table),
    PLACE(extras[2].table),
    PLACE(extras[3].table),
    [POSEMB__EXTRA_SCALES] = PLACE(extras[0].scales),
    PLACE(extras[1].scales),
    PLACE(extras[2].scales),
    PLACE(extras[3].scales),
};

static const size_t output_places[POSEMB__OUTPUTS] = {
    [POSEMB__POSITIONS_OUT] = PLACE(positions_out), [POSEMB__LENGTHS_OUT] = PLACE(lengths_out),
    [POSEMB__MASK_OUT] = PLACE(mask_out),           [POSEMB__SUM_OUT] = PLACE(sum_out),
    [POSEMB__MEAN_OUT] = PLACE(mean_out),           [POSEMB__RSTD_OUT] = PLACE(rstd_out)};

static const posemb_buffer *input_of(const posemb_args *args, enum posemb__input input)
{
    return (const posemb_buffer *)(const void *)((const char *)args + input_places[input]);
}

static const posemb_buffer *output_of(const posemb_args *args, enum posemb__output output)
{
    return (const posemb_buffer *)(const void *)((const char *)args + output_places[output]);
}

posemb_buffer *posemb__args_input(posemb_args *args, enum posemb__input input)
{
    return (posemb_buffer *)(void *)((char *)args + input_places[input]);
}

posemb_buffer *posemb__args_output(posemb_args *args, enum posemb__output output)
{
    return (posemb_buffer *)(void *)((char *)args + output_places[output]);
}

/* `rows` may be the output itself: the same place, elements and strides. */
static bool is_in_place(const posemb_desc *desc, const struct posemb__call *call,
                        const posemb_args *args)
{
    return desc->operation == POSEMB_ADD && desc->rows_storage == desc->out_storage &&
           args->rows.offset == args->out.offset &&
           call->shape.rows_stride == call->shape.out_stride &&
           call->shape.rows_batch_stride == call->shape.out_batch_stride;
}

static posemb_status add_written(struct posemb__places *places, const char *name,
                                 const posemb_buffer *buffer, struct posemb__span span,
                                 posemb_error *error)
{
    places->written[places->written_count++] = (struct posemb__place){name, buffer, span.bytes};
    return posemb__check_buffer(name, buffer, span.unit, span.bytes, error);
}

static posemb_status add_inputs(struct posemb__places *places, const struct posemb__call *call,
                                const posemb_args *args, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < POSEMB__INPUTS; i++) {
        const enum posemb__input input = (enum posemb__input)i;
        const struct posemb__span *span = &call->input[i];
        const struct posemb__place place = {posemb__input_name(input), input_of(args, input),
                                            span->bytes};

        if (span->bytes == 0)
            continue;
        places->read[places->read_count++] = place;
        status = posemb__check_buffer(place.name, place.buffer, span->unit, span->bytes, error);
    }
    return status;
}

static posemb_status add_outputs(struct posemb__places *places, const struct posemb__call *call,
                                 const posemb_args *args, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < POSEMB__OUTPUTS; i++) {
        const enum posemb__output output = (enum posemb__output)i;
        const char *name = posemb__output_name(output);
        const posemb_buffer *buffer = output_of(args, output);

        if (!buffer->mem)
            continue;
        if (call->output[i].bytes == 0)
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s is given, but the description does not have it", name);
        status = add_written(places, name, buffer, call->output[i], error);
    }
    return status;
}

static bool overlaps(const struct posemb__place *a, const struct posemb__place *b)
{
    return a->buffer->mem == b->buffer->mem && a->buffer->offset < b->buffer->offset + b->bytes &&
           b->buffer->offset < a->buffer->offset + a->bytes;
}

static posemb_status check_apart(const struct posemb__place *a, const struct posemb__place *b,
                                 posemb_error *error)
{
    if (!overlaps(a, b))
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s and %s overlap", a->name, b->name);
}

/* Nothing that is written overlaps anything else, but for rows that are the output. */
static posemb_status check_all_apart(const struct posemb__places *places, const posemb_args *args,
                                     bool in_place, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int w = 0; status == POSEMB_OK && w < places->written_count; w++) {
        const struct posemb__place *written = &places->written[w];

        for (int r = 0; status == POSEMB_OK && r < places->read_count; r++) {
            const struct posemb__place *read = &places->read[r];

            if (!(in_place && written->buffer == &args->out && read->buffer == &args->rows))
                status = check_apart(read, written, error);
        }
        for (int v = 0; status == POSEMB_OK && v < w; v++)
            status = check_apart(written, &places->written[v], error);
    }
    return status;
}

posemb_status posemb__check_buffers(const posemb_plan *plan, const struct posemb__call *call,
                                    uint64_t scratch_bytes, const posemb_args *args,
                                    struct posemb__places *places, posemb_error *error)
{
    const struct posemb__span scratch = {scratch_bytes, sizeof(uint32_t)};
    const struct posemb__span record = {sizeof(posemb_record), sizeof(uint32_t)};
    posemb_status status;

    places->written_count = 0;
    places->read_count = 0;
    status = add_written(places, "out", &args->out, call->out, error);
    if (status == POSEMB_OK)
        status = add_inputs(places, call, args, error);
    if (status == POSEMB_OK)
        status = add_outputs(places, call, args, error);
    if (status == POSEMB_OK && scratch.bytes > 0)
        status = add_written(places, "scratch", &args->scratch, scratch, error);
    if (status == POSEMB_OK && args->record.mem)
        status = add_written(places, "record", &args->record, record, error);
    if (status == POSEMB_OK)
        status = check_all_apart(places, args, is_in_place(&plan->desc, call, args), error);
    return status;
}

/* ---- The argument block */

static struct posemb_table table_args(const posemb_table_desc *desc, const posemb_buffer *table,
                                      uint64_t stride, uint64_t rows, const posemb_buffer *scales)
{
    return (struct posemb_table){
        .offset = table->offset,
        .stride = stride,
        .rows = rows,
        .scales_offset = scales->offset,
        .scale_of_row = desc->scaling == POSEMB_SCALE_OF_ROW,
        .policy = (uint32_t)desc->policy,
    };
}

static struct posemb_extra extra_args(const posemb_extra_desc *desc,
                                      const posemb_extra_shape *shape,
                                      const posemb_extra_args *args)
{
    return (struct posemb_extra){
        .table =
            table_args(&desc->table, &args->table, shape->table_stride, shape->rows, &args->scales),
        .ids_offset = desc->ids == POSEMB_EXTRA_CONSTANT ? (uint64_t)shape->id : args->ids.offset,
        .ids_batch_stride = shape->ids_batch_stride,
        .ids = (uint32_t)desc->ids,
        .id_type = (uint32_t)desc->id_type,
        .scale = desc->scale,
    };
}

/* Whether every token has the position of its column, which is good, and nothing else is to be
 * found out about it. */
static bool has_plain_index(const posemb_desc *desc, const struct posemb__call *call,
                            const posemb_args *args)
{
    const posemb_shape *shape = &call->shape;
    const bool learned = desc->position_kind == POSEMB_LEARNED;
    const int64_t first = learned ? 0 : POSEMB_POSITION_MIN;
    const int64_t end = learned ? (int64_t)shape->position_rows : POSEMB_POSITION_MAX + 1;

    return desc->positions == POSEMB_POSITIONS_INDEX && desc->padding == POSEMB_PADDING_NONE &&
           !args->positions_out.mem && !args->lengths_out.mem && !args->mask_out.mem &&
           shape->start + (int64_t)shape->past >= first &&
           shape->start + (int64_t)shape->past + (int64_t)shape->length <= end;
}

/* What the caller wants beside the output. */
static uint32_t written_args(const posemb_args *args)
{
    return (args->positions_out.mem ? POSEMB_HAS_POSITIONS_OUT : 0) |
           (args->lengths_out.mem ? POSEMB_HAS_LENGTHS_OUT : 0) |
           (args->mask_out.mem ? POSEMB_HAS_MASK_OUT : 0) |
           (args->record.mem ? POSEMB_HAS_RECORD : 0) |
           (args->sum_out.mem ? POSEMB_HAS_SUM_OUT : 0) |
           (args->mean_out.mem ? POSEMB_HAS_MEAN_OUT : 0) |
           (args->rstd_out.mem ? POSEMB_HAS_RSTD_OUT : 0);
}

struct posemb_launch posemb__launch_args(const posemb_plan *plan, const struct posemb__call *call,
                                         const struct posemb__launch *launch,
                                         const posemb_args *args)
{
    const posemb_shape *shape = &call->shape;
    const posemb_desc *desc = &plan->desc;
    struct posemb_launch made = {
        .ids_offset = args->ids.offset,
        .ids_batch_stride = shape->ids_batch_stride,
        .rows_offset = args->rows.offset,
        .rows_stride = shape->rows_stride,
        .rows_batch_stride = shape->rows_batch_stride,
        .prompt_rows = shape->prompt_rows,
        .vocab = shape->vocab,
        .shard_first = shape->shard_first,
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
        .gamma_offset = args->gamma.offset,
        .beta_offset = args->beta.offset,
        .sum_out_offset = args->sum_out.offset,
        .mean_out_offset = args->mean_out.offset,
        .rstd_out_offset = args->rstd_out.offset,
        .past = shape->past,
        .start = shape->start,
        .pad_id = desc->pad_id,
        .tokens_table = table_args(&desc->tokens, &args->table, shape->table_stride,
                                   shape->shard_rows, &args->table_scales),
        .position_table =
            table_args(&desc->position_table, &args->position_table, shape->position_table_stride,
                       shape->position_rows, &args->position_scales),
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
        .has =
            written_args(args) | (has_plain_index(desc, call, args) ? POSEMB_HAS_PLAIN_INDEX : 0),
        .groups = launch->groups,
        .turns = launch->turns,
        .chunk = launch->chunk,
        .chunks = launch->chunks,
        .dim = desc->dim,
        .folded = plan->folded,
        .kept = plan->kept == desc->dim,
        .pairs = plan->channels.pairs,
        .segments = plan->channels.segments,
        .zeros_place = plan->zeros_place,
        .row_bytes = (uint32_t)posemb_storage_row_bytes(
            desc->operation == POSEMB_ADD ? desc->rows_storage : desc->tokens.storage, desc->dim),
        .axes = posemb__axes_of(desc),
        .count = {desc->grid.count[0], desc->grid.count[1], desc->grid.count[2]},
        .flip = desc->amplitude < 0.0f ? 0x80000000u : 0u,
        .amplitude = desc->amplitude < 0.0f ? -desc->amplitude : desc->amplitude,
        .scale = desc->token_scale,
        .prompt_scale = desc->prompt_scale,
        .inverse_dim = 1.0f / (float)desc->dim,
        .epsilon = desc->epsilon,
    };

    for (uint32_t k = 0; k < posemb__extra_count(desc); k++)
        made.extra[k] = extra_args(&desc->extras[k], &shape->extras[k], &args->extras[k]);
    return made;
}

/* ---- Kernel arguments */

enum { KERNEL_BUFFERS_MAX = 36 };

/* Any device takes 1024 bytes of arguments: the block, 32 buffers, 2 of local memory; with a table
 * in parts, what is left out is one extra table with its three buffers. */
_Static_assert(sizeof(struct posemb_launch) + 34 * sizeof(cl_mem) <= 1024, "arguments of a kernel");
_Static_assert(POSEMB_MORE_MAX == POSEMB_PARTS_MAX - 1, "parts of a table beside the first");
_Static_assert(sizeof(struct posemb_launch) - sizeof(struct posemb_extra) +
                       sizeof(struct posemb_parts) + (31 + POSEMB_MORE_MAX) * sizeof(cl_mem) <=
                   1024,
               "arguments of a kernel with a table in parts");

/* The buffers of a kernel in the order of its parameters. */
struct buffers {
    cl_mem mem[KERNEL_BUFFERS_MAX];
    cl_uint count;
};

/* A buffer that the kernel does not touch is stood in for by one that is there anyway. */
static void add_buffer(struct buffers *buffers, cl_mem mem, bool is_used, cl_mem stand_in)
{
    buffers->mem[buffers->count++] = is_used ? mem : stand_in;
}

static void add_input(struct buffers *buffers, const posemb_plan *plan,
                      const struct posemb__call *call, const posemb_args *args,
                      enum posemb__input input)
{
    add_buffer(buffers, input_of(args, input)->mem, call->input[input].bytes > 0, plan->constants);
}

static void add_output(struct buffers *buffers, const posemb_args *args, enum posemb__output output)
{
    const cl_mem mem = output_of(args, output)->mem;

    add_buffer(buffers, mem, mem != NULL, args->out.mem);
}

/* POSEMB_KERNEL of kernels/stage.cl. */
static void list_buffers(struct buffers *buffers, const posemb_plan *plan,
                         const struct posemb__call *call, const struct posemb__launch *launch,
                         const posemb_args *args)
{
    const posemb_desc *desc = &plan->desc;

    buffers->count = 0;
    add_input(buffers, plan, call, args, POSEMB__IDS);
    add_input(buffers, plan, call, args,
              desc->operation == POSEMB_ADD ? POSEMB__ROWS : POSEMB__TABLE);
    add_input(buffers, plan, call, args, POSEMB__POSITIONS);
    add_input(buffers, plan, call, args, POSEMB__PADDING);
    add_buffer(buffers, plan->constants, true, NULL);
    add_buffer(buffers, args->scratch.mem, launch->scratch_bytes > 0, plan->constants);
    add_buffer(buffers, args->out.mem, true, NULL);
    add_output(buffers, args, POSEMB__POSITIONS_OUT);
    add_output(buffers, args, POSEMB__LENGTHS_OUT);
    add_output(buffers, args, POSEMB__MASK_OUT);
    add_buffer(buffers, args->record.mem, args->record.mem != NULL, args->out.mem);
    if (desc->operation == POSEMB_ENCODE && desc->tokens.storage == POSEMB_I8)
        add_input(buffers, plan, call, args, POSEMB__TABLE_SCALES);
    if (desc->soft_prompts)
        add_input(buffers, plan, call, args, POSEMB__ROWS);
    if (desc->position_kind == POSEMB_LEARNED) {
        add_input(buffers, plan, call, args, POSEMB__POSITION_TABLE);
        add_input(buffers, plan, call, args, POSEMB__POSITION_SCALES);
    }
    if (posemb__has_norm(desc)) {
        add_input(buffers, plan, call, args, POSEMB__GAMMA);
        add_input(buffers, plan, call, args, POSEMB__BETA);
        add_output(buffers, args, POSEMB__SUM_OUT);
        add_output(buffers, args, POSEMB__MEAN_OUT);
        add_output(buffers, args, POSEMB__RSTD_OUT);
    }
    for (uint32_t k = 0; k < posemb__extra_count(desc); k++) {
        add_input(buffers, plan, call, args, (enum posemb__input)(POSEMB__EXTRA_IDS + k));
        add_input(buffers, plan, call, args, (enum posemb__input)(POSEMB__EXTRA_TABLE + k));
        add_input(buffers, plan, call, args, (enum posemb__input)(POSEMB__EXTRA_SCALES + k));
    }
}

size_t posemb__parameters_size(const posemb_plan *plan)
{
    static const struct posemb__call no_call;
    static const struct posemb__launch no_launch;
    static const posemb_args no_args;
    struct buffers buffers;
    size_t pointers;

    list_buffers(&buffers, plan, &no_call, &no_launch, &no_args);
    pointers = buffers.count + (plan->kept > 0 ? 2 : 0);
    if (plan->desc.table_parts == 1)
        return posemb__launch_args_size(plan) + pointers * sizeof(cl_mem);
    return posemb__launch_args_size(plan) + sizeof(struct posemb_parts) +
           (pointers + POSEMB_MORE_MAX) * sizeof(cl_mem);
}

size_t posemb__launch_args_size(const posemb_plan *plan)
{
    const uint32_t extras = posemb__extra_count(&plan->desc);

    return offsetof(struct posemb_launch, extra) +
           (extras > 0 ? extras : 1) * sizeof(struct posemb_extra);
}

static cl_int set_all(cl_kernel kernel, const posemb_plan *plan, const struct posemb_launch *block,
                      const cl_mem *buffers, cl_uint count)
{
    cl_int code = clSetKernelArg(kernel, 0, posemb__launch_args_size(plan), block);

    for (cl_uint i = 0; code == CL_SUCCESS && i < count; i++)
        code = clSetKernelArg(kernel, i + 1, sizeof buffers[i], &buffers[i]);
    return code;
}

static struct posemb_parts parts_args(const struct posemb__call *call, const posemb_args *args)
{
    struct posemb_parts parts = {.rows = call->shape.part_rows};

    for (int k = 0; k < POSEMB_MORE_MAX; k++)
        parts.offset[k] =
            call->input[POSEMB__TABLE_MORE + k].bytes ? args->table_more[k].offset : 0;
    return parts;
}

/* The parts of a token table that is in several buffers, from parameter `index` on. */
static cl_int set_parts(cl_kernel kernel, cl_uint index, const posemb_plan *plan,
                        const struct posemb__call *call, const posemb_args *args)
{
    const struct posemb_parts parts = parts_args(call, args);
    struct buffers buffers = {.count = 0};
    cl_int code = clSetKernelArg(kernel, index, sizeof parts, &parts);

    for (int k = 0; k < POSEMB_MORE_MAX; k++)
        add_input(&buffers, plan, call, args, (enum posemb__input)(POSEMB__TABLE_MORE + k));
    for (cl_uint k = 0; code == CL_SUCCESS && k < buffers.count; k++)
        code = clSetKernelArg(kernel, index + 1 + k, sizeof(cl_mem), &buffers.mem[k]);
    return code;
}

static cl_int set_arguments(cl_kernel kernel, const posemb_plan *plan,
                            const struct posemb__call *call, const struct posemb__launch *launch,
                            const struct posemb_launch *block, const posemb_args *args)
{
    struct buffers buffers;
    cl_uint next;
    cl_int code;

    list_buffers(&buffers, plan, call, launch, args);
    next = buffers.count + 1;
    code = set_all(kernel, plan, block, buffers.mem, buffers.count);
    if (code == CL_SUCCESS && plan->kept > 0)
        code = clSetKernelArg(kernel, next++, plan->kept * sizeof(float), NULL);
    if (code == CL_SUCCESS && plan->kept > 0)
        code = clSetKernelArg(kernel, next++, (size_t)launch->local_size * sizeof(float), NULL);
    if (code == CL_SUCCESS && plan->desc.table_parts > 1)
        code = set_parts(kernel, next, plan, call, args);
    return code;
}

/* Launch POSEMB__COUNT. */
static cl_int enqueue_count(const posemb_plan *plan, cl_command_queue queue, cl_kernel kernel,
                            const struct posemb__call *call, const struct posemb__launch *launch,
                            const struct posemb_launch *block, const posemb_args *args,
                            cl_uint num_waits, const cl_event *waits, cl_event *event)
{
    const cl_mem buffers[] = {call->input[POSEMB__IDS].bytes ? args->ids.mem : plan->constants,
                              call->input[POSEMB__PADDING].bytes ? args->padding.mem
                                                                 : plan->constants,
                              args->scratch.mem};
    const size_t local_size = (size_t)launch->local_size;
    const size_t items = (size_t)(call->shape.batch * launch->chunks);
    const size_t global_size = (items + local_size - 1) / local_size * local_size;
    const cl_int code = set_all(kernel, plan, block, buffers, sizeof buffers / sizeof *buffers);

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
    struct posemb__places places;
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
    status = posemb__check_buffers(plan, &call, launch.scratch_bytes, args, &places, error);
    if (status != POSEMB_OK)
        return status;
    return posemb__enqueue_kernel(plan, queue, &call, &launch, args, num_waits, waits, event,
                                  error);
}
