/* One call over several devices: its parts, each with sub-buffers of what it writes. */
#include "cl_error.h"
#include "enqueue.h"
#include "split.h"
#include "status.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A call that has been checked, and how it is divided. */
struct split {
    const posemb_share *shares;
    uint32_t count;
    struct posemb__call call;
    uint64_t alignment; /* of sub-buffers, in bytes */
    posemb_range ranges[POSEMB_SHARES_MAX];
};

/* ---- Checks */

static posemb_status check_share(const posemb_share *shares, uint32_t k, posemb_error *error)
{
    const posemb_plan *plan = shares[k].plan;
    const char *field;

    if (!plan)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "shares[%" PRIu32 "].plan is NULL",
                            k);
    if (plan->engine->context != shares[0].plan->engine->context)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "shares[%" PRIu32 "].plan is of another context than shares[0].plan",
                            k);
    if (!posemb__desc_equal(&shares[0].plan->desc, &plan->desc, &field))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s is not the same in shares[%" PRIu32 "].plan and shares[0].plan",
                            field, k);
    return posemb__check_queue(plan->engine->context, plan->engine->device, shares[k].queue, error);
}

static posemb_status check_shares(const posemb_share *shares, uint32_t count,
                                  const posemb_args *args, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    if (!shares || !args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            shares ? "args" : "shares");
    if (count < 1 || count > POSEMB_SHARES_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "there are %" PRIu32 " shares, not 1 ... %u", count, POSEMB_SHARES_MAX);
    if (args->record.mem)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "args->record is given, but each share has a record of its own");
    for (uint32_t k = 0; status == POSEMB_OK && k < count; k++)
        status = check_share(shares, k, error);
    return status;
}

/* ---- Where buffers lie */

/* The memory of which a buffer is a part, and where in it the buffer's place begins. */
struct root {
    cl_mem mem;
    uint64_t begin;
};

static posemb_status find_root(const posemb_buffer *buffer, struct root *root, posemb_error *error)
{
    cl_mem parent = NULL;
    size_t origin = 0;
    cl_int code =
        clGetMemObjectInfo(buffer->mem, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof parent, &parent, NULL);

    if (code == CL_SUCCESS && parent)
        code = clGetMemObjectInfo(buffer->mem, CL_MEM_OFFSET, sizeof origin, &origin, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetMemObjectInfo");
    *root = (struct root){parent ? parent : buffer->mem, origin + buffer->offset};
    return POSEMB_OK;
}

/* The largest of all devices'. */
static posemb_status find_alignment(const posemb_share *shares, uint32_t count, uint64_t *alignment,
                                    posemb_error *error)
{
    *alignment = 1;
    for (uint32_t k = 0; k < count; k++) {
        cl_uint bits = 0;
        const cl_int code =
            clGetDeviceInfo(shares[k].plan->engine->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN,
                            sizeof bits, &bits, NULL);

        if (code != CL_SUCCESS)
            return posemb__cl_fail(error, code, "clGetDeviceInfo of the alignment");
        if (bits / 8 > *alignment)
            *alignment = bits / 8;
    }
    return POSEMB_OK;
}

static posemb_status cut(struct split *split, posemb_args *args, posemb_error *error)
{
    struct posemb__split_rule rule = {.alignment = split->alignment};
    double weights[POSEMB_SHARES_MAX];
    struct root root = {NULL, 0};
    posemb_status status = find_root(&args->out, &root, error);

    rule.out_begin = root.begin;
    for (int i = 0; status == POSEMB_OK && i < POSEMB__OUTPUTS; i++) {
        const posemb_buffer *buffer = posemb__args_output(args, (enum posemb__output)i);

        rule.wanted[i] = buffer->mem != NULL;
        if (rule.wanted[i])
            status = find_root(buffer, &root, error);
        rule.output_begin[i] = root.begin;
    }
    if (status != POSEMB_OK)
        return status;
    for (uint32_t k = 0; k < split->count; k++)
        weights[k] = split->shares[k].weight;
    return posemb__split_cut(&split->shares[0].plan->desc, &split->call, &rule, weights,
                             split->count, split->ranges, error);
}

/* Check everything of a call but the buffers of the shares, and divide it; one without tokens has
 * ranges of zeros. */
static posemb_status open_split(const posemb_share *shares, uint32_t count, const posemb_args *args,
                                struct split *split, posemb_error *error)
{
    struct posemb__places places;
    posemb_args whole;
    posemb_status status = check_shares(shares, count, args, error);

    memset(split, 0, sizeof *split);
    split->shares = shares;
    split->count = count;
    if (status == POSEMB_OK)
        status = posemb__call_resolve(&shares[0].plan->desc, &args->shape, &split->call, error);
    if (status != POSEMB_OK || split->call.tokens == 0)
        return status;
    whole = *args;
    status = posemb__check_buffers(shares[0].plan, &split->call, 0, &whole, &places, error);
    if (status == POSEMB_OK)
        status = find_alignment(shares, count, &split->alignment, error);
    if (status == POSEMB_OK)
        status = cut(split, &whole, error);
    return status;
}

/* ---- Parts */

enum { BUFFERS_MAX = POSEMB__WRITTEN_MAX + POSEMB__READ_MAX };

/* What a part reads or writes, in the memory that it is a part of. */
struct place {
    const char *name;
    posemb_buffer *buffer; /* in the part's arguments */
    struct root root;
    uint64_t bytes;
    bool written;
    cl_mem sub_buffer; /* NULL: it is not a part of memory that several parts use */
};

struct part {
    posemb_args args;
    struct posemb__call call;
    struct posemb__launch launch;
    struct place places[BUFFERS_MAX];
    uint32_t share;
    int place_count;
};

static void move(posemb_buffer *buffer, uint64_t offset)
{
    if (buffer->mem)
        buffer->offset += offset;
}

/* The arguments of share k's part of a call. */
static posemb_args args_of_part(const struct split *split, uint32_t k, const posemb_args *args)
{
    const posemb_desc *desc = &split->shares[k].plan->desc;
    const posemb_range *range = &split->ranges[k];
    posemb_args part = *args;

    part.shape = posemb__split_shape(desc, &split->call, range);
    for (int i = 0; i < POSEMB__INPUTS; i++) {
        const enum posemb__input input = (enum posemb__input)i;

        move(posemb__args_input(&part, input),
             posemb__split_input_offset(desc, &split->call, range, input));
    }
    for (int i = 0; i < POSEMB__OUTPUTS; i++) {
        const enum posemb__output output = (enum posemb__output)i;

        move(posemb__args_output(&part, output),
             posemb__split_output_offset(&split->call, range, output));
    }
    part.out.offset += posemb__split_out_offset(&split->call, range);
    part.scratch = split->shares[k].scratch;
    part.record = split->shares[k].record;
    return part;
}

static posemb_status list_place(struct part *part, const struct posemb__place *found, bool written,
                                posemb_error *error)
{
    struct place *place = &part->places[part->place_count++];
    const ptrdiff_t at = (const char *)found->buffer - (const char *)&part->args;

    *place = (struct place){.name = found->name,
                            .buffer = (posemb_buffer *)(void *)((char *)&part->args + at),
                            .bytes = found->bytes,
                            .written = written};
    return find_root(place->buffer, &place->root, error);
}

/* The buffers that only this share has are checked here. */
static posemb_status check_own_buffers(const struct part *part, posemb_error *error)
{
    const uint64_t unit = sizeof(uint32_t);
    posemb_status status = POSEMB_OK;
    char name[40];

    if (part->launch.scratch_bytes > 0) {
        snprintf(name, sizeof name, "shares[%" PRIu32 "].scratch", part->share);
        status = posemb__check_buffer(name, &part->args.scratch, unit, part->launch.scratch_bytes,
                                      error);
    }
    if (status == POSEMB_OK && part->args.record.mem) {
        snprintf(name, sizeof name, "shares[%" PRIu32 "].record", part->share);
        status = posemb__check_buffer(name, &part->args.record, unit, sizeof(posemb_record), error);
    }
    return status;
}

static posemb_status open_part(const struct split *split, uint32_t k, const posemb_args *args,
                               struct part *part, posemb_error *error)
{
    const posemb_plan *plan = split->shares[k].plan;
    struct posemb__places places;
    posemb_status status;

    part->share = k;
    part->place_count = 0;
    part->args = args_of_part(split, k, args);
    status = posemb__call_resolve(&plan->desc, &part->args.shape, &part->call, error);
    if (status != POSEMB_OK)
        return status;
    part->launch = posemb__launch_of(&plan->launch_rule, &part->call);
    status = check_own_buffers(part, error);
    if (status == POSEMB_OK)
        status = posemb__check_buffers(plan, &part->call, part->launch.scratch_bytes, &part->args,
                                       &places, error);
    for (int i = 0; status == POSEMB_OK && i < places.written_count; i++)
        status = list_place(part, &places.written[i], true, error);
    for (int i = 0; status == POSEMB_OK && i < places.read_count; i++)
        status = list_place(part, &places.read[i], false, error);
    return status;
}

/* ---- Sub-buffers */

/* Rows that are the output. */
static bool is_same_place(const struct place *a, const struct place *b)
{
    return a->buffer->mem == b->buffer->mem && a->root.begin == b->root.begin &&
           a->bytes == b->bytes;
}

/* A sub-buffer begins at a multiple of the alignment, which may lie before its place. */
static uint64_t origin_of(const struct split *split, const struct place *place)
{
    return place->root.begin - place->root.begin % split->alignment;
}

static bool sub_buffers_overlap(const struct split *split, const struct place *a,
                                const struct place *b)
{
    return origin_of(split, a) < b->root.begin + b->bytes &&
           origin_of(split, b) < a->root.begin + a->bytes;
}

static posemb_status check_pair(const struct split *split, const struct part *p,
                                const struct place *a, const struct part *q, const struct place *b,
                                posemb_error *error)
{
    if (a->root.mem != b->root.mem || (p == q && is_same_place(a, b)) ||
        !sub_buffers_overlap(split, a, b))
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                        "%s of shares[%" PRIu32 "] and %s of shares[%" PRIu32
                        "] lie in one buffer, closer than sub-buffers can, which begin at "
                        "multiples of %" PRIu64 " bytes",
                        a->name, p->share, b->name, q->share, split->alignment);
}

/* What one part writes is apart from all else, its own included. */
static posemb_status check_written(const struct split *split, const struct part *parts,
                                   uint32_t count, const struct part *p, const struct place *a,
                                   posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (const struct part *q = parts; q < parts + count; q++)
        for (int i = 0; status == POSEMB_OK && i < q->place_count; i++)
            if (&q->places[i] != a)
                status = check_pair(split, p, a, q, &q->places[i], error);
    return status;
}

static posemb_status check_sub_buffers(const struct split *split, const struct part *parts,
                                       uint32_t count, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (const struct part *p = parts; p < parts + count; p++)
        for (int i = 0; status == POSEMB_OK && i < p->place_count; i++)
            if (p->places[i].written)
                status = check_written(split, parts, count, p, &p->places[i], error);
    return status;
}

/* What is written by any part has sub-buffers alone. */
static bool is_written(const struct part *parts, uint32_t count, cl_mem root)
{
    for (const struct part *p = parts; p < parts + count; p++)
        for (int i = 0; i < p->place_count; i++)
            if (p->places[i].written && p->places[i].root.mem == root)
                return true;
    return false;
}

/* One for the place, and the arguments point to it. */
static posemb_status make_sub_buffer(const struct split *split, struct place *place,
                                     posemb_error *error)
{
    const uint64_t origin = origin_of(split, place);
    const cl_buffer_region region = {(size_t)origin,
                                     (size_t)(place->root.begin + place->bytes - origin)};
    cl_int code = CL_SUCCESS;

    place->sub_buffer =
        clCreateSubBuffer(place->root.mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (!place->sub_buffer)
        return posemb__cl_fail(error, code, "clCreateSubBuffer");
    *place->buffer = (posemb_buffer){place->sub_buffer, place->root.begin - origin};
    return POSEMB_OK;
}

/* What is written comes first in a part. */
static posemb_status make_place(const struct split *split, const struct part *parts, uint32_t count,
                                struct part *part, struct place *place, posemb_error *error)
{
    if (!place->written && !is_written(parts, count, place->root.mem))
        return POSEMB_OK;
    if (!place->written && part->args.rows.mem && place->buffer == &part->args.rows &&
        place->root.mem == part->places[0].root.mem &&
        place->root.begin == part->places[0].root.begin) { /* places[0] is the output */
        *place->buffer = part->args.out;
        return POSEMB_OK;
    }
    return make_sub_buffer(split, place, error);
}

static posemb_status make_sub_buffers(const struct split *split, struct part *parts, uint32_t count,
                                      posemb_error *error)
{
    posemb_status status = check_sub_buffers(split, parts, count, error);

    for (struct part *p = parts; p < parts + count; p++)
        for (int i = 0; status == POSEMB_OK && i < p->place_count; i++)
            status = make_place(split, parts, count, p, &p->places[i], error);
    return status;
}

static void release_sub_buffers(struct part *parts, uint32_t count)
{
    for (struct part *p = parts; p < parts + count; p++)
        for (int i = 0; i < p->place_count; i++)
            if (p->places[i].sub_buffer)
                clReleaseMemObject(p->places[i].sub_buffer);
}

/* ---- Launches */

static posemb_status enqueue_part(const struct split *split, const struct part *part,
                                  cl_uint num_waits, const cl_event *waits, cl_event *done,
                                  posemb_error *error)
{
    const posemb_share *share = &split->shares[part->share];
    const posemb_status status =
        posemb__enqueue_kernel(share->plan, share->queue, &part->call, &part->launch, &part->args,
                               num_waits, waits, done, error);
    cl_int code;

    if (status != POSEMB_OK)
        return status;
    code = clFlush(share->queue); /* the marker waits for it on another queue */
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clFlush");
}

static posemb_status enqueue_parts(const struct split *split, const struct part *parts,
                                   uint32_t count, cl_uint num_waits, const cl_event *waits,
                                   cl_event *event, posemb_error *error)
{
    cl_event done[POSEMB_SHARES_MAX] = {NULL};
    posemb_status status = POSEMB_OK;
    cl_int code;

    for (uint32_t i = 0; status == POSEMB_OK && i < count; i++)
        status = enqueue_part(split, &parts[i], num_waits, waits, &done[i], error);
    if (status == POSEMB_OK) {
        code = clEnqueueMarkerWithWaitList(split->shares[0].queue, count, done, event);
        if (code != CL_SUCCESS)
            status = posemb__cl_fail(error, code, "clEnqueueMarkerWithWaitList");
    }
    for (uint32_t i = 0; i < count; i++)
        if (done[i])
            clReleaseEvent(done[i]);
    return status;
}

static posemb_status enqueue_split(const struct split *split, const posemb_args *args,
                                   cl_uint num_waits, const cl_event *waits, cl_event *event,
                                   posemb_error *error)
{
    struct part parts[POSEMB_SHARES_MAX];
    posemb_status status = POSEMB_OK;
    uint32_t count = 0;

    for (uint32_t k = 0; status == POSEMB_OK && k < split->count; k++)
        if (split->ranges[k].rows > 0)
            status = open_part(split, k, args, &parts[count++], error);
    if (status == POSEMB_OK && count > 1)
        status = make_sub_buffers(split, parts, count, error);
    if (status == POSEMB_OK)
        status = enqueue_parts(split, parts, count, num_waits, waits, event, error);
    release_sub_buffers(parts, count);
    return status;
}

posemb_status posemb_split_ranges(const posemb_share *shares, uint32_t count,
                                  const posemb_args *args, posemb_range *ranges,
                                  posemb_error *error)
{
    struct split split;
    posemb_status status;

    if (!ranges)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "ranges is NULL");
    status = open_split(shares, count, args, &split, error);
    if (status == POSEMB_OK)
        memcpy(ranges, split.ranges, count * sizeof *ranges);
    return status;
}

posemb_status posemb_split_enqueue(const posemb_share *shares, uint32_t count,
                                   const posemb_args *args, cl_uint num_waits,
                                   const cl_event *waits, cl_event *event, posemb_error *error)
{
    struct split split;
    posemb_args first;
    posemb_status status = posemb__check_waits(num_waits, waits, error);

    if (status == POSEMB_OK)
        status = open_split(shares, count, args, &split, error);
    if (status != POSEMB_OK)
        return status;
    if (split.ranges[0].rows * split.ranges[0].columns < split.call.tokens)
        return enqueue_split(&split, args, num_waits, waits, event, error);
    first = *args; /* all of the call, or there are no tokens */
    first.scratch = shares[0].scratch;
    first.record = shares[0].record;
    return posemb_enqueue(shares[0].plan, shares[0].queue, &first, num_waits, waits, event, error);
}

/* ---- Records */

static void add_values(const struct split *split, uint32_t k, const posemb_report *part,
                       posemb_report *whole)
{
    const struct posemb__call *call = &split->call;
    const posemb_range *range = &split->ranges[k];
    const posemb_record *record = &part->record;

    if (posemb__split_token(call, range, record->id_first) < whole->record.id_first)
        whole->first_id = part->first_id;
    if (posemb__split_token(call, range, record->position_first) < whole->record.position_first) {
        whole->first_position = part->first_position;
        whole->first_float_position = part->first_float_position;
    }
    for (uint32_t i = 0; i < POSEMB_EXTRAS_MAX; i++)
        if (posemb__split_token(call, range, record->extras[i].first) <
            whole->record.extras[i].first)
            whole->first_extra[i] = part->first_extra[i];
    posemb__split_add_record(call, range, record, &whole->record);
}

posemb_status posemb_split_record_read(const posemb_share *shares, uint32_t count,
                                       const posemb_args *args, cl_uint num_waits,
                                       const cl_event *waits, posemb_report *report,
                                       posemb_error *error)
{
    posemb_report whole = {POSEMB_RECORD_CLEAR, 0, 0, 0.0f, {0}};
    struct split split;
    posemb_status status;

    if (!report)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "report is NULL");
    status = open_split(shares, count, args, &split, error);
    for (uint32_t k = 0; status == POSEMB_OK && k < count; k++) {
        posemb_report part;
        posemb_args own;

        if (split.ranges[k].rows == 0)
            continue;
        own = args_of_part(&split, k, args);
        if (!own.record.mem)
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "shares[%" PRIu32 "].record.mem is NULL", k);
        status = posemb_record_read(shares[k].plan, shares[k].queue, &own, num_waits, waits, &part,
                                    error);
        if (status == POSEMB_OK)
            add_values(&split, k, &part, &whole);
    }
    if (status == POSEMB_OK)
        *report = whole;
    return status;
}
