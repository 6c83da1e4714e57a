/* The device that tests run on, and calls on it that are compared with the reference. */
#include "device.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* Bytes behind the end of every buffer, and what an output holds before a call. */
enum { TAIL = 64, UNTOUCHED = 0x5a };

const char *support_selector(void)
{
    return getenv("POSEMB_TEST_DEVICE");
}

posemb_kernel_shape support_shape(void)
{
    const char *shape = getenv("POSEMB_TEST_SHAPE");

    if (!shape || !*shape)
        return POSEMB_SHAPE_DEFAULT;
    if (strcmp(shape, "cpu") == 0)
        return POSEMB_SHAPE_CPU;
    if (strcmp(shape, "gpu") != 0)
        fail_msg("POSEMB_TEST_SHAPE is \"%s\", neither cpu nor gpu", shape);
    return POSEMB_SHAPE_GPU;
}

int support_open_session(void **state)
{
    posemb_session *session;
    posemb_error error;

    if (posemb_session_create(support_selector(), NULL, &session, &error) != POSEMB_OK) {
        print_error("no device to test on: %s\n", error.message);
        return -1;
    }
    *state = session;
    return 0;
}

int support_close_session(void **state)
{
    posemb_session_destroy(*state);
    return 0;
}

posemb_engine *support_engine_with(posemb_session *session, const posemb_engine_options *options)
{
    posemb_engine *engine = NULL;
    posemb_error error;

    if (posemb_engine_create(posemb_session_context(session),
                             posemb_session_device(session)->device, options, &engine,
                             &error) != POSEMB_OK)
        fail_msg("posemb_engine_create: %s", error.message);
    return engine;
}

posemb_engine *support_make_engine(posemb_session *session, posemb_kernel_shape shape)
{
    const posemb_engine_options options = {.shape = shape ? shape : support_shape()};

    return support_engine_with(session, &options);
}

posemb_plan *support_engine_plan(posemb_engine *engine, const posemb_desc *desc)
{
    posemb_desc of_test = *desc;
    posemb_plan *plan = NULL;
    posemb_error error;

    if (of_test.concurrency == 0)
        of_test.concurrency = 1;
    if (posemb_plan_create(engine, &of_test, &plan, &error) != POSEMB_OK)
        fail_msg("posemb_plan_create: %s", error.message);
    return plan;
}

posemb_plan *support_make_plan(posemb_session *session, const posemb_desc *desc)
{
    posemb_engine *engine = support_make_engine(session, POSEMB_SHAPE_DEFAULT);
    posemb_plan *plan = support_engine_plan(engine, desc);

    posemb_engine_destroy(engine);
    return plan;
}

cl_command_queue support_make_queue(posemb_session *session, cl_command_queue_properties properties,
                                    cl_int *code)
{
    return clCreateCommandQueue(posemb_session_context(session),
                                posemb_session_device(session)->device, properties, code);
}

cl_context support_make_context(posemb_session *session)
{
    const posemb_device_info *device = posemb_session_device(session);
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)device->platform, 0};
    cl_int code;
    cl_context context = clCreateContext(properties, 1, &device->device, NULL, NULL, &code);

    assert_int_equal(code, CL_SUCCESS);
    return context;
}

cl_mem support_upload(posemb_session *session, const void *data, size_t size)
{
    cl_mem buffer = NULL;
    posemb_error error;

    if (posemb_session_upload(session, data, size, &buffer, &error) != POSEMB_OK)
        fail_msg("posemb_session_upload: %s", error.message);
    return buffer;
}

void support_download(posemb_session *session, cl_mem buffer, void *data, size_t size)
{
    posemb_error error;

    if (posemb_session_download(session, buffer, 0, data, size, &error) != POSEMB_OK)
        fail_msg("posemb_session_download: %s", error.message);
}

static void fill_ints(struct support_random *random, void *place, size_t size,
                      posemb_number_type type, int64_t least, int64_t most)
{
    for (size_t at = 0; at < size; at += posemb__number_size(type)) {
        const int64_t wide = support_random_int(random, least, most);
        const int32_t narrow = (int32_t)wide;

        if (type == POSEMB_INT64)
            memcpy((char *)place + at, &wide, sizeof wide);
        else
            memcpy((char *)place + at, &narrow, sizeof narrow);
    }
}

static void fill_inputs(struct support_call *call, const struct support_call_options *options)
{
    static const posemb_record clear = POSEMB_RECORD_CLEAR;
    struct support_random random = support_random_from(options->seed);
    const int64_t vocab = (int64_t)call->resolved.shape.vocab;
    const int64_t slack = options->bad_tokens ? 1 : 0;
    /* With `start` a bad position is below -2^31. */
    const int64_t least = options->bad_tokens ? POSEMB_POSITION_MIN : -1000;

    support_random_fill_hard(&random, call->host[SUPPORT_TABLE],
                             call->size[SUPPORT_TABLE] / sizeof(float));
    support_random_fill_hard(&random, call->host[SUPPORT_ROWS],
                             call->size[SUPPORT_ROWS] / sizeof(float));
    fill_ints(&random, call->host[SUPPORT_IDS], call->size[SUPPORT_IDS], call->desc.id_type, -slack,
              vocab - 1 + slack);
    fill_ints(&random, call->host[SUPPORT_POSITIONS], call->size[SUPPORT_POSITIONS],
              call->desc.position_type, least, 2000000000);
    if (options->in_place)
        support_random_fill_hard(&random, call->host[SUPPORT_OUT],
                                 call->size[SUPPORT_OUT] / sizeof(float));
    memcpy((char *)call->host[SUPPORT_RECORD] + call->offset[SUPPORT_RECORD], &clear, sizeof clear);
}

void support_call_prepare(struct support_call *call, const posemb_desc *desc,
                          const posemb_shape *shape, const struct support_call_options *options)
{
    memset(call, 0, sizeof *call);
    assert_int_equal(posemb_desc_resolve(desc, &call->desc, NULL), POSEMB_OK);
    assert_int_equal(posemb__call_resolve(&call->desc, shape, &call->resolved, NULL), POSEMB_OK);
    call->in_place = options->in_place;

    const uint64_t bytes[] = {call->resolved.input[POSEMB__IDS].bytes,
                              call->resolved.input[POSEMB__TABLE].bytes,
                              options->in_place ? 0 : call->resolved.input[POSEMB__ROWS].bytes,
                              call->resolved.input[POSEMB__POSITIONS].bytes,
                              call->resolved.out.bytes,
                              sizeof(posemb_record)};
    const uint64_t units[] = {
        posemb__number_size(call->desc.id_type),       sizeof(float), sizeof(float),
        posemb__number_size(call->desc.position_type), sizeof(float), sizeof(uint32_t)};

    for (int i = 0; i < SUPPORT_BUFFER_COUNT; i++) {
        if (bytes[i] == 0)
            continue;
        call->offset[i] = options->offset_units * units[i];
        call->size[i] = (size_t)(call->offset[i] + bytes[i] + TAIL);
        call->host[i] = malloc(call->size[i]);
        assert_non_null(call->host[i]);
        memset(call->host[i], UNTOUCHED, call->size[i]);
    }
    fill_inputs(call, options);
}

void support_call_upload(struct support_call *call, posemb_session *session)
{
    for (int i = 0; i < SUPPORT_BUFFER_COUNT; i++)
        if (call->size[i])
            call->device[i] = support_upload(session, call->host[i], call->size[i]);
}

static posemb_buffer buffer_of(const struct support_call *call, enum support_buffer which)
{
    return (posemb_buffer){call->device[which], call->offset[which]};
}

posemb_args support_call_args(const struct support_call *call)
{
    return (posemb_args){
        .shape = call->resolved.shape,
        .ids = buffer_of(call, SUPPORT_IDS),
        .table = buffer_of(call, SUPPORT_TABLE),
        .rows = buffer_of(call, call->in_place ? SUPPORT_OUT : SUPPORT_ROWS),
        .positions = buffer_of(call, SUPPORT_POSITIONS),
        .out = buffer_of(call, SUPPORT_OUT),
        .record = buffer_of(call, SUPPORT_RECORD),
    };
}

static void *place_in(const struct support_call *call, enum support_buffer which, void *buffer)
{
    return buffer ? (char *)buffer + call->offset[which] : NULL;
}

posemb_host_args support_call_host_args(const struct support_call *call, void *out, void *record)
{
    void *place = place_in(call, SUPPORT_OUT, out);

    return (posemb_host_args){
        .shape = call->resolved.shape,
        .ids = place_in(call, SUPPORT_IDS, call->host[SUPPORT_IDS]),
        .table = place_in(call, SUPPORT_TABLE, call->host[SUPPORT_TABLE]),
        .rows = call->in_place ? place : place_in(call, SUPPORT_ROWS, call->host[SUPPORT_ROWS]),
        .positions = place_in(call, SUPPORT_POSITIONS, call->host[SUPPORT_POSITIONS]),
        .out = place,
        .record = place_in(call, SUPPORT_RECORD, record),
    };
}

/* A copy of a buffer as it was before the call. */
static void *copy_of(const struct support_call *call, enum support_buffer which)
{
    void *copy = malloc(call->size[which]);

    assert_non_null(copy);
    memcpy(copy, call->host[which], call->size[which]);
    return copy;
}

static void check_output(const struct support_call *call, posemb_session *session,
                         const void *expected)
{
    const size_t size = call->size[SUPPORT_OUT];
    const size_t count = size / sizeof(float);
    void *found = malloc(size);
    size_t first;

    assert_non_null(found);
    support_download(session, call->device[SUPPORT_OUT], found, size);
    if (posemb_compare_bits(found, expected, count, &first) != 0)
        fail_msg("dim %u, batch %llu, length %llu: float %zu of the output buffer is %a, not %a",
                 (unsigned)call->desc.dim, (unsigned long long)call->resolved.shape.batch,
                 (unsigned long long)call->resolved.shape.length, first,
                 (double)((const float *)found)[first], (double)((const float *)expected)[first]);
    free(found);
}

void support_call_check(const struct support_call *call, posemb_session *session)
{
    void *out = copy_of(call, SUPPORT_OUT);
    void *record = copy_of(call, SUPPORT_RECORD);
    void *found = malloc(call->size[SUPPORT_RECORD]);
    const posemb_host_args args = support_call_host_args(call, out, record);

    assert_non_null(found);
    assert_int_equal(posemb_reference_run(&call->desc, &args, NULL), POSEMB_OK);
    check_output(call, session, out);
    support_download(session, call->device[SUPPORT_RECORD], found, call->size[SUPPORT_RECORD]);
    assert_memory_equal(found, record, call->size[SUPPORT_RECORD]);
    free(found);
    free(record);
    free(out);
}

void support_call_check_untouched(const struct support_call *call, posemb_session *session)
{
    check_output(call, session, call->host[SUPPORT_OUT]);
}

void support_call_release_device(struct support_call *call)
{
    for (int i = 0; i < SUPPORT_BUFFER_COUNT; i++) {
        if (call->device[i])
            clReleaseMemObject(call->device[i]);
        call->device[i] = NULL;
    }
}

void support_call_release(struct support_call *call)
{
    support_call_release_device(call);
    for (int i = 0; i < SUPPORT_BUFFER_COUNT; i++) {
        free(call->host[i]);
        call->host[i] = NULL;
    }
}

void support_call_run(posemb_session *session, const posemb_plan *plan, const posemb_shape *shape,
                      const struct support_call_options *options)
{
    struct support_call call;
    posemb_args args;
    posemb_error error;

    support_call_prepare(&call, posemb_plan_resolved(plan), shape, options);
    support_call_upload(&call, session);
    args = support_call_args(&call);
    if (posemb_enqueue(plan, posemb_session_queue(session), &args, 0, NULL, NULL, &error) !=
        POSEMB_OK)
        fail_msg("posemb_enqueue: %s", error.message);
    support_call_check(&call, session);
    support_call_release(&call);
}
