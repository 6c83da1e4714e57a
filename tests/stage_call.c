#include "stage_call.h"

#include "desc.h"
#include "enqueue.h"
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { GUARD = STAGE_GUARD, UNTOUCHED = STAGE_UNTOUCHED };

static void *allocate(size_t size, int byte)
{
    unsigned char *bytes = malloc(size ? size : 1);

    assert_non_null(bytes);
    memset(bytes, byte, size);
    return bytes;
}

void stage_put_number(void *place, size_t index, posemb_number_type type, int64_t value)
{
    const int32_t narrow = (int32_t)value;
    const uint8_t byte = (uint8_t)value;

    if (type == POSEMB_INT64)
        memcpy((char *)place + 8 * index, &value, 8);
    else if (type == POSEMB_UINT8)
        memcpy((char *)place + index, &byte, 1);
    else
        memcpy((char *)place + 4 * index, &narrow, 4);
}

static bool is_other_part(int input)
{
    return input >= POSEMB__TABLE_MORE && input < POSEMB__TABLE_SCALES;
}

/* Of all parts, with the gaps after their rows. */
static size_t table_bytes(const struct stage_call *call)
{
    return (size_t)(call->resolved.shape.shard_rows * call->resolved.shape.table_stride);
}

void stage_call_allocate(struct stage_call *call)
{
    posemb_desc resolved;
    posemb_error error;

    if (posemb_desc_resolve(&call->desc, &resolved, &error) != POSEMB_OK ||
        posemb__call_resolve(&resolved, &call->shape, &call->resolved, &error) != POSEMB_OK)
        fail_msg("not a call: %s", error.message);
    for (int i = 0; i < POSEMB__INPUTS; i++)
        if (!is_other_part(i))
            call->input[i] = allocate(
                i == POSEMB__TABLE ? table_bytes(call) : (size_t)call->resolved.input[i].bytes, 0);
    for (int k = 1; k < (int)POSEMB_PARTS_MAX; k++)
        call->input[POSEMB__TABLE + k] =
            (char *)call->input[POSEMB__TABLE] +
            (size_t)k * call->resolved.shape.part_rows * call->resolved.shape.table_stride;
    for (int i = 0; i < STAGE_RESULTS; i++) {
        const uint64_t bytes =
            i == STAGE_OUT ? call->resolved.out.bytes : call->resolved.output[i].bytes;

        call->size[i] = i == STAGE_OUT || call->wanted[i] ? (size_t)bytes : 0;
        call->expected[i] = allocate(call->size[i] + GUARD, UNTOUCHED);
        call->found[i] = allocate(call->size[i] + GUARD, UNTOUCHED);
    }
}

void stage_call_free(struct stage_call *call)
{
    for (int i = 0; i < POSEMB__INPUTS; i++)
        if (!is_other_part(i))
            free(call->input[i]);
    for (int i = 0; i < STAGE_RESULTS; i++) {
        free(call->expected[i]);
        free(call->found[i]);
    }
}

static void *result_of(const struct stage_call *call, unsigned char *const *results, int result)
{
    return call->size[result] ? results[result] : NULL;
}

posemb_host_args stage_call_host_args(const struct stage_call *call, unsigned char *const *results,
                                      posemb_record *record)
{
    posemb_host_args args = {
        .shape = call->shape,
        .ids = call->input[POSEMB__IDS],
        .table = call->input[POSEMB__TABLE],
        .table_scales = call->input[POSEMB__TABLE_SCALES],
        .rows = call->in_place ? results[STAGE_OUT] : call->input[POSEMB__ROWS],
        .positions = call->input[POSEMB__POSITIONS],
        .padding = call->input[POSEMB__PADDING],
        .position_table = call->input[POSEMB__POSITION_TABLE],
        .position_scales = call->input[POSEMB__POSITION_SCALES],
        .gamma = call->input[POSEMB__GAMMA],
        .beta = call->input[POSEMB__BETA],
        .positions_out = result_of(call, results, POSEMB__POSITIONS_OUT),
        .lengths_out = result_of(call, results, POSEMB__LENGTHS_OUT),
        .mask_out = result_of(call, results, POSEMB__MASK_OUT),
        .sum_out = result_of(call, results, POSEMB__SUM_OUT),
        .mean_out = result_of(call, results, POSEMB__MEAN_OUT),
        .rstd_out = result_of(call, results, POSEMB__RSTD_OUT),
        .out = results[STAGE_OUT],
        .record = record,
    };

    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        args.extras[k] = (posemb_host_extra){call->input[POSEMB__EXTRA_IDS + k],
                                             call->input[POSEMB__EXTRA_TABLE + k],
                                             call->input[POSEMB__EXTRA_SCALES + k]};
    return args;
}

void stage_call_run_reference(struct stage_call *call)
{
    static const posemb_record clear = POSEMB_RECORD_CLEAR;
    const posemb_host_args args =
        stage_call_host_args(call, call->expected, &call->expected_record);
    posemb_error error;

    if (call->in_place) {
        memcpy(call->expected[STAGE_OUT], call->input[POSEMB__ROWS], call->size[STAGE_OUT]);
        memcpy(call->found[STAGE_OUT], call->input[POSEMB__ROWS], call->size[STAGE_OUT]);
    }
    call->expected_record = clear;
    if (posemb_reference_run(&call->desc, &args, &error) != POSEMB_OK)
        fail_msg("posemb_reference_run: %s", error.message);
}

static posemb_buffer upload(posemb_session *session, const void *data, size_t size)
{
    return (posemb_buffer){size ? support_upload(session, data, size) : NULL, 0};
}

static void release(const posemb_buffer *buffer)
{
    if (buffer->mem)
        clReleaseMemObject(buffer->mem);
}

/* Where two results first differ, in bytes; `size` where they do not. Of floats every NaN is mapped
 * to one pattern. */
static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t size,
                               bool floats)
{
    for (size_t at = 0; floats && at + 4 <= size; at += 4) {
        float x, y;

        memcpy(&x, a + at, 4);
        memcpy(&y, b + at, 4);
        if (posemb_canonical_bits(x) != posemb_canonical_bits(y))
            return at;
    }
    for (size_t at = 0; !floats && at < size; at++)
        if (a[at] != b[at])
            return at;
    return size;
}

static bool is_of_floats(const posemb_desc *desc, int result)
{
    switch (result) {
    case POSEMB__POSITIONS_OUT:
        return desc->position_type == POSEMB_FLOAT32;
    case POSEMB__SUM_OUT:
    case STAGE_OUT:
        return desc->out_storage == POSEMB_STORAGE_DEFAULT || desc->out_storage == POSEMB_F32;
    case POSEMB__MEAN_OUT:
    case POSEMB__RSTD_OUT:
        return true;
    default:
        return false;
    }
}

void stage_call_compare(const struct stage_call *call, int i,
                        void (*print)(const void *context, const char *what), const void *context)
{
    const char *name = i == STAGE_OUT ? "out" : posemb__output_name((enum posemb__output)i);
    const unsigned char *expected = call->expected[i];
    const unsigned char *found = call->found[i];
    const size_t size = call->size[i] + GUARD;
    const size_t at = first_difference(expected, found, size, is_of_floats(&call->desc, i));

    if (at == size)
        return;
    print(context, name);
    fail_msg("%s: byte %zu of %zu: %02x%02x%02x%02x instead of %02x%02x%02x%02x", name, at,
             call->size[i], found[at + 3], found[at + 2], found[at + 1], found[at],
             expected[at + 3], expected[at + 2], expected[at + 1], expected[at]);
}

static void upload_all(const struct stage_call *call, posemb_session *session, posemb_args *args)
{
    static const posemb_record clear = POSEMB_RECORD_CLEAR;

    args->out = upload(session, call->found[STAGE_OUT], call->size[STAGE_OUT] + GUARD);
    for (int i = 0; i < POSEMB__INPUTS; i++)
        *posemb__args_input(args, (enum posemb__input)i) =
            call->in_place && i == POSEMB__ROWS
                ? args->out
                : upload(session, call->input[i], (size_t)call->resolved.input[i].bytes);
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        if (call->size[i])
            *posemb__args_output(args, (enum posemb__output)i) =
                upload(session, call->found[i], call->size[i] + GUARD);
    args->record = upload(session, &clear, sizeof clear);
}

static void release_all(const struct stage_call *call, posemb_args *args)
{
    for (int i = 0; i < POSEMB__INPUTS; i++)
        if (!(call->in_place && i == POSEMB__ROWS))
            release(posemb__args_input(args, (enum posemb__input)i));
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        release(posemb__args_output(args, (enum posemb__output)i));
    release(&args->out);
    release(&args->record);
    release(&args->scratch);
}

void stage_call_run_device(struct stage_call *call, posemb_session *session, posemb_engine *engine,
                           void (*print)(const void *context, const char *what),
                           const void *context)
{
    const cl_command_queue queue = posemb_session_queue(session);
    posemb_args args = {.shape = call->shape};
    posemb_record found;
    uint64_t scratch = 0;
    posemb_plan *plan;
    posemb_error error;

    if (posemb_plan_create(engine, &call->desc, &plan, &error) != POSEMB_OK)
        fail_msg("posemb_plan_create: %s", error.message);
    upload_all(call, session, &args);
    assert_int_equal(posemb_plan_scratch_bytes(plan, &call->shape, &scratch, &error), POSEMB_OK);
    if (scratch) { /* exactly as much; and not without */
        assert_int_equal(posemb_enqueue(plan, queue, &args, 0, NULL, NULL, &error),
                         POSEMB_INVALID_ARGUMENT);
        args.scratch = upload(session, NULL, (size_t)scratch);
    }
    if (posemb_enqueue(plan, queue, &args, 0, NULL, NULL, &error) != POSEMB_OK)
        fail_msg("posemb_enqueue: %s", error.message);
    for (int i = 0; i < STAGE_RESULTS; i++) {
        const posemb_buffer *buffer =
            i == STAGE_OUT ? &args.out : posemb__args_output(&args, (enum posemb__output)i);

        if (!call->size[i])
            continue;
        support_download(session, buffer->mem, call->found[i], call->size[i] + GUARD);
        stage_call_compare(call, i, print, context);
    }
    support_download(session, args.record.mem, &found, sizeof found);
    if (memcmp(&found, &call->expected_record, sizeof found) != 0) {
        print(context, "record");
        fail_msg("another record");
    }
    release_all(call, &args);
    posemb_plan_destroy(plan);
}
