/* posemb_enqueue: refusals, wait lists and events, places in buffers, lifetimes, threads. */
#include "support/device.h"
#include "support/not_applicable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const posemb_shape small_shape = {.batch = 2, .length = 3, .vocab = 5};
static const struct support_call_options plain = {.seed = 1};

/* A plan and one call on it, uploaded. */
struct scene {
    posemb_session *session;
    cl_command_queue queue;
    posemb_plan *plan;
    struct support_call call;
    posemb_args args;
};

static struct scene open_scene(posemb_session *session, const posemb_desc *desc,
                               const posemb_shape *shape,
                               const struct support_call_options *options)
{
    struct scene scene = {.session = session, .queue = posemb_session_queue(session)};

    scene.plan = support_make_plan(session, desc);
    support_call_prepare(&scene.call, desc, shape, options);
    support_call_upload(&scene.call, session);
    scene.args = support_call_args(&scene.call);
    return scene;
}

static void close_scene(struct scene *scene)
{
    support_call_release(&scene->call);
    posemb_plan_destroy(scene->plan);
}

static void enqueue(const struct scene *scene, cl_uint num_waits, const cl_event *waits,
                    cl_event *event)
{
    posemb_error error;

    if (posemb_enqueue(scene->plan, scene->queue, &scene->args, num_waits, waits, event, &error) !=
        POSEMB_OK)
        fail_msg("posemb_enqueue: %s", error.message);
}

/* ---- Refusals */

/* The call fails so, touches neither the event nor the output, and names the words. */
static void assert_refused_on(const struct scene *scene, cl_command_queue queue,
                              const posemb_args *args, posemb_status status, const char *words)
{
    const cl_event untouched = (cl_event)(uintptr_t)&small_shape;
    cl_event event = untouched;
    posemb_error error = {.message = ""};

    if (posemb_enqueue(scene->plan, queue, args, 0, NULL, &event, &error) != status)
        fail_msg("not %s where %s is expected", posemb_status_name(status), words);
    assert_int_equal(error.status, status);
    assert_ptr_equal(event, untouched);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    assert_int_equal(clFinish(scene->queue), CL_SUCCESS);
    support_call_check_untouched(&scene->call, scene->session);
}

static void assert_refused(const struct scene *scene, const posemb_args *args, posemb_status status,
                           const char *words)
{
    assert_refused_on(scene, scene->queue, args, status, words);
}

static void test_missing_arguments_are_refused(void **state)
{
    const posemb_desc desc = {.dim = 6};
    struct scene scene = open_scene(*state, &desc, &small_shape, &plain);
    cl_event event = NULL;

    assert_refused_on(&scene, NULL, &scene.args, POSEMB_INVALID_ARGUMENT, "queue is NULL");
    assert_refused(&scene, NULL, POSEMB_INVALID_ARGUMENT, "args is NULL");
    assert_int_equal(posemb_enqueue(NULL, scene.queue, &scene.args, 0, NULL, &event, NULL),
                     POSEMB_INVALID_ARGUMENT);
    assert_null(event);
    close_scene(&scene);
}

static void test_a_wait_list_has_a_length_or_neither(void **state)
{
    const posemb_desc desc = {.dim = 6};
    struct scene scene = open_scene(*state, &desc, &small_shape, &plain);
    const cl_event some_event = (cl_event)(uintptr_t)&small_shape;
    cl_event event = some_event;
    posemb_error error;

    assert_int_equal(posemb_enqueue(scene.plan, scene.queue, &scene.args, 1, NULL, &event, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "num_waits is 1, but waits is NULL"));
    assert_int_equal(
        posemb_enqueue(scene.plan, scene.queue, &scene.args, 0, &some_event, &event, &error),
        POSEMB_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "num_waits is 0, but waits is not NULL"));
    assert_ptr_equal(event, some_event);
    close_scene(&scene);
}

/* Where the buffers are in posemb_args, by enum support_buffer. */
static posemb_buffer *buffer_in(posemb_args *args, int which)
{
    posemb_buffer *const buffers[] = {&args->ids,       &args->table, &args->rows,
                                      &args->positions, &args->out,   &args->record};

    return buffers[which];
}

static const char *const buffer_names[] = {"ids", "table", "rows", "positions", "out", "record"};

/* Two scenes that use every buffer between them. */
static struct scene open_encode(posemb_session *session)
{
    const posemb_desc desc = {.dim = 6,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_INT64,
                              .id_type = POSEMB_INT64};

    return open_scene(session, &desc, &small_shape, &plain);
}

static struct scene open_add(posemb_session *session)
{
    const posemb_desc desc = {.dim = 6, .operation = POSEMB_ADD};

    return open_scene(session, &desc, &small_shape, &plain);
}

static void test_a_missing_buffer_is_named(void **state)
{
    struct scene scenes[] = {open_encode(*state), open_add(*state)};

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < SUPPORT_RECORD; k++) {
            posemb_args args = scenes[i].args;
            char words[32];

            if (!scenes[i].call.size[k])
                continue;
            buffer_in(&args, k)->mem = NULL;
            snprintf(words, sizeof words, "%s.mem is NULL", buffer_names[k]);
            assert_refused(&scenes[i], &args, POSEMB_INVALID_ARGUMENT, words);
        }
        close_scene(&scenes[i]);
    }
}

static void test_an_unaligned_offset_is_named(void **state)
{
    struct scene scenes[] = {open_encode(*state), open_add(*state)};

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < SUPPORT_BUFFER_COUNT; k++) {
            const uint64_t offset = k == SUPPORT_IDS || k == SUPPORT_POSITIONS ? 4 : 2;
            posemb_args args = scenes[i].args;
            char words[32];

            if (!scenes[i].call.size[k])
                continue;
            buffer_in(&args, k)->offset = offset;
            snprintf(words, sizeof words, "%s.offset is %u", buffer_names[k], (unsigned)offset);
            assert_refused(&scenes[i], &args, POSEMB_INVALID_ARGUMENT, words);
        }
        close_scene(&scenes[i]);
    }
}

/* How many bytes of a buffer the call needs. */
static uint64_t bytes_of(const struct scene *scene, int which)
{
    const struct posemb__call *call = &scene->call.resolved;
    const uint64_t bytes[] = {call->input[POSEMB__IDS].bytes,
                              call->input[POSEMB__TABLE].bytes,
                              call->input[POSEMB__ROWS].bytes,
                              call->input[POSEMB__POSITIONS].bytes,
                              call->out.bytes,
                              sizeof(posemb_record)};

    return bytes[which];
}

static void test_a_buffer_one_byte_short_is_named(void **state)
{
    struct scene scenes[] = {open_encode(*state), open_add(*state)};

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < SUPPORT_BUFFER_COUNT; k++) {
            posemb_args args = scenes[i].args;
            cl_mem small;

            if (!scenes[i].call.size[k])
                continue;
            small = support_upload(*state, NULL, (size_t)bytes_of(&scenes[i], k) - 1);
            buffer_in(&args, k)->mem = small;
            assert_refused(&scenes[i], &args, POSEMB_BUFFER_TOO_SMALL, buffer_names[k]);
            clReleaseMemObject(small);
        }
        close_scene(&scenes[i]);
    }
}

static void test_an_offset_behind_the_buffer_is_refused(void **state)
{
    static const uint64_t far[] = {1024, UINT64_MAX - 7, UINT64_C(1) << 63};
    struct scene scene = open_encode(*state);

    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        for (int k = 0; k < SUPPORT_BUFFER_COUNT; k++) {
            posemb_args args = scene.args;

            if (!scene.call.size[k])
                continue;
            buffer_in(&args, k)->offset = far[i];
            assert_refused(&scene, &args, POSEMB_BUFFER_TOO_SMALL, buffer_names[k]);
        }
    close_scene(&scene);
}

static void test_buffers_of_the_least_size_are_enough(void **state)
{
    const posemb_desc desc = {.dim = 6};
    struct scene scene = open_scene(*state, &desc, &small_shape, &plain);
    const size_t size = (size_t)scene.call.resolved.out.bytes;
    cl_mem out = support_upload(*state, NULL, size);
    posemb_host_args host;
    float expected[36], found[36];

    assert_int_equal(size, sizeof expected);
    scene.args.out.mem = out;
    enqueue(&scene, 0, NULL, NULL);
    support_download(*state, out, found, size);
    host = support_call_host_args(&scene.call, expected, NULL);
    assert_int_equal(posemb_reference_run(&desc, &host, NULL), POSEMB_OK);
    assert_int_equal(posemb_compare_bits(found, expected, 36, NULL), 0);
    clReleaseMemObject(out);
    close_scene(&scene);
}

static void test_bad_shapes_are_refused(void **state)
{
    struct scene scene = open_encode(*state);
    posemb_args args = scene.args;

    args.shape.vocab = 0;
    assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, "vocab is 0");
    args.shape.vocab = UINT64_MAX;
    assert_refused(&scene, &args, POSEMB_SIZE_OVERFLOW, "vocab");
    args = scene.args;
    args.shape.out_stride = 4;
    assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, "out_stride is 4");
    args = scene.args;
    args.shape.start = POSEMB_POSITION_MAX + 1;
    assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, "start is 4294967296");
    close_scene(&scene);
}

static void test_a_queue_of_another_context_is_refused(void **state)
{
    struct scene scene = open_encode(*state);
    cl_context context = support_make_context(*state);
    cl_int code;
    cl_command_queue queue =
        clCreateCommandQueue(context, posemb_session_device(*state)->device, 0, &code);

    assert_int_equal(code, CL_SUCCESS);
    assert_refused_on(&scene, queue, &scene.args, POSEMB_QUEUE_MISMATCH, "another context");
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    close_scene(&scene);
}

/* The output begins at byte 512 of the buffer that it shares with input `which`. */
static void check_overlap(posemb_session *session, struct scene *scene, int which)
{
    const uint64_t bytes = bytes_of(scene, which);
    const uint64_t out_bytes = scene->call.resolved.out.bytes;
    const uint64_t unit = which == SUPPORT_IDS || which == SUPPORT_POSITIONS ? 8 : 4;
    const uint64_t first = 512 - (bytes - 1) / unit * unit;
    const uint64_t last = 512 + (out_bytes - 1) / unit * unit;
    cl_mem both = support_upload(session, NULL, 2048);
    posemb_args args = scene->args;

    args.out = (posemb_buffer){both, 512};
    *buffer_in(&args, which) = (posemb_buffer){both, first};
    assert_refused(scene, &args, POSEMB_INVALID_ARGUMENT, buffer_names[which]);
    *buffer_in(&args, which) = (posemb_buffer){both, last};
    assert_refused(scene, &args, POSEMB_INVALID_ARGUMENT, buffer_names[which]);
    clReleaseMemObject(both);
}

static void test_an_output_over_an_input_is_refused(void **state)
{
    struct scene scenes[] = {open_encode(*state), open_add(*state)};

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < SUPPORT_BUFFER_COUNT; k++)
            if (scenes[i].call.size[k] && k != SUPPORT_OUT)
                check_overlap(*state, &scenes[i], k);
        assert_true(scenes[i].call.size[SUPPORT_OUT] > 0);
        close_scene(&scenes[i]);
    }
}

static void test_neighbours_in_a_buffer_are_good(void **state)
{
    struct scene scene = open_add(*state);
    const size_t size = (size_t)scene.call.resolved.out.bytes;
    const float *rows = scene.call.host[SUPPORT_ROWS];
    float both[3 * 36], expected[36];
    posemb_host_args host = support_call_host_args(&scene.call, expected, NULL);
    cl_mem buffer;

    assert_int_equal(size, sizeof expected);
    memset(both, 0, sizeof both);
    memcpy(both + 36, rows, size);
    buffer = support_upload(*state, both, sizeof both);
    scene.args.rows = (posemb_buffer){buffer, size};
    scene.args.out = (posemb_buffer){buffer, 0};
    enqueue(&scene, 0, NULL, NULL);
    scene.args.out.offset = 2 * size;
    enqueue(&scene, 0, NULL, NULL);
    support_download(*state, buffer, both, sizeof both);
    assert_int_equal(posemb_reference_run(&scene.call.desc, &host, NULL), POSEMB_OK);
    assert_int_equal(posemb_compare_bits(both, expected, 36, NULL), 0);
    assert_int_equal(posemb_compare_bits(both + 36, rows, 36, NULL), 0);
    assert_int_equal(posemb_compare_bits(both + 72, expected, 36, NULL), 0);
    clReleaseMemObject(buffer);
    close_scene(&scene);
}

/* Outputs of a norm: each other, and what is read. */
static void test_outputs_over_anything_are_refused(void **state)
{
    const posemb_desc desc = {.dim = 6,
                              .operation = POSEMB_ADD,
                              .norm = POSEMB_NORM_LAYER,
                              .gamma = POSEMB_GAMMA_NONE,
                              .beta = POSEMB_BETA_NONE};
    const posemb_shape shape = {.batch = 1, .length = 3};
    const struct support_call_options separate = {.seed = 2};
    struct scene scene = open_scene(*state, &desc, &shape, &separate);
    const posemb_buffer apart = {support_upload(*state, NULL, 24), 0};
    posemb_args args = scene.args;

    args.sum_out = args.rows; /* as a residual stream would have it */
    assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, "rows and sum_out overlap");
    args.sum_out.mem = NULL;
    args.mean_out = apart;
    args.rstd_out = (posemb_buffer){apart.mem, 8};
    assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, "rstd_out and mean_out overlap");
    args.rstd_out.offset = 12;
    args.scratch = args.out; /* not used */
    assert_int_equal(
        posemb_enqueue(scene.plan, posemb_session_queue(*state), &args, 0, NULL, NULL, NULL),
        POSEMB_OK);
    clFinish(posemb_session_queue(*state));
    clReleaseMemObject(apart.mem);
    close_scene(&scene);
}

static void test_in_place_needs_the_same_strides(void **state)
{
    const posemb_desc desc = {.dim = 6, .operation = POSEMB_ADD};
    const posemb_shape shape = {.batch = 1, .length = 3, .rows_stride = 28, .out_stride = 28};
    const struct support_call_options in_place = {.seed = 2, .in_place = true};
    struct scene scene = open_scene(*state, &desc, &shape, &in_place);
    posemb_args args = scene.args;

    args.shape.rows_stride = 24;
    assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, "rows and out overlap");
    enqueue(&scene, 0, NULL, NULL);
    support_call_check(&scene.call, *state);
    close_scene(&scene);
}

static void test_buffers_that_are_not_used_are_ignored(void **state)
{
    const posemb_desc desc = {.dim = 6, .operation = POSEMB_TABLE};
    struct scene scene = open_scene(*state, &desc, &small_shape, &plain);
    const posemb_buffer bad = {scene.args.out.mem, 3};

    scene.args.ids = bad;
    scene.args.table = bad;
    scene.args.rows = bad;
    scene.args.positions = bad;
    enqueue(&scene, 0, NULL, NULL);
    support_call_check(&scene.call, *state);
    close_scene(&scene);
}

/* ---- A token table in parts */

enum { PARTS_VOCAB = 13, PARTS_ROW = 6 * sizeof(float) };

static const posemb_shape parts_shape = {
    .batch = 1, .length = 3 * PARTS_VOCAB, .vocab = PARTS_VOCAB};

/* The parts of the table of a scene, each in a buffer of its own. */
struct parts {
    cl_mem mem[POSEMB_PARTS_MAX];
    uint64_t bytes[POSEMB_PARTS_MAX];
};

static posemb_buffer *part_in(posemb_args *args, uint32_t k)
{
    return k ? &args->table_more[k - 1] : &args->table;
}

/* Part k begins behind k + 1 units of bytes that are no floats of the table, and its buffer ends
 * with it. */
static void upload_parts(struct scene *scene, struct parts *parts)
{
    const uint64_t unit = sizeof(float);
    const char *table =
        (const char *)scene->call.host[SUPPORT_TABLE] + scene->call.offset[SUPPORT_TABLE];
    struct posemb__call call;

    memset(parts, 0, sizeof *parts);
    assert_int_equal(
        posemb__call_resolve(posemb_plan_resolved(scene->plan), &scene->args.shape, &call, NULL),
        POSEMB_OK);
    for (uint32_t k = 0; k < posemb_plan_resolved(scene->plan)->table_parts; k++) {
        const size_t offset = (size_t)((k + 1) * unit);
        const size_t bytes = (size_t)call.input[POSEMB__TABLE + k].bytes;
        char *data = malloc(offset + bytes);

        assert_non_null(data);
        memset(data, 0x77, offset);
        if (bytes)
            memcpy(data + offset, table + k * call.shape.part_rows * call.shape.table_stride,
                   bytes);
        parts->bytes[k] = bytes;
        parts->mem[k] = support_upload(scene->session, data, offset + bytes);
        *part_in(&scene->args, k) = (posemb_buffer){parts->mem[k], offset};
        free(data);
    }
}

static void release_parts(struct parts *parts)
{
    for (uint32_t k = 0; k < POSEMB_PARTS_MAX; k++)
        if (parts->mem[k])
            clReleaseMemObject(parts->mem[k]);
}

/* A scene whose call has the table whole, for the reference, and whose plan has it in parts. Its
 * ids lie in the table and as far again on both sides. */
static struct scene open_parts(posemb_session *session, const posemb_desc *desc,
                               const posemb_shape *shape, struct parts *parts)
{
    struct scene scene = {.session = session, .queue = posemb_session_queue(session)};
    posemb_desc whole = *desc;
    int32_t *ids;

    whole.table_parts = 1;
    scene.plan = support_make_plan(session, desc);
    support_call_prepare(&scene.call, &whole, shape, &plain);
    ids = scene.call.host[SUPPORT_IDS];
    for (int i = 0; i < 3 * PARTS_VOCAB; i++)
        ids[i] = i * 7 % (3 * PARTS_VOCAB) - PARTS_VOCAB;
    support_call_upload(&scene.call, session);
    scene.args = support_call_args(&scene.call);
    scene.args.shape = *shape;
    upload_parts(&scene, parts);
    return scene;
}

static void close_parts(struct scene *scene, struct parts *parts)
{
    release_parts(parts);
    close_scene(scene);
}

static void check_parts(posemb_session *session, const posemb_desc *desc, const posemb_shape *shape)
{
    struct parts parts;
    struct scene scene = open_parts(session, desc, shape, &parts);

    enqueue(&scene, 0, NULL, NULL);
    support_call_check(&scene.call, session);
    close_parts(&scene, &parts);
}

static void test_bad_ids_in_parts_follow_the_policy(void **state)
{
    for (int policy = POSEMB_POLICY_ZERO_ROW; policy <= POSEMB_POLICY_NAN_ROW; policy++)
        for (uint32_t parts = 2; parts <= POSEMB_PARTS_MAX; parts += 3) {
            const posemb_desc desc = {
                .dim = 6, .tokens = {.policy = (posemb_policy)policy}, .table_parts = parts};

            check_parts(*state, &desc, &parts_shape);
        }
}

/* A part with all rows, the last with one, and parts with none. */
static void test_parts_of_any_length_equal_the_reference(void **state)
{
    static const uint64_t part_rows[] = {5, 6, 7, PARTS_VOCAB - 1, PARTS_VOCAB, UINT64_MAX};

    for (size_t i = 0; i < sizeof part_rows / sizeof *part_rows; i++) {
        const posemb_desc desc = {.dim = 6, .table_parts = 3};
        posemb_shape shape = parts_shape;

        shape.part_rows = part_rows[i];
        check_parts(*state, &desc, &shape);
    }
}

static void test_shards_in_parts_equal_the_reference(void **state)
{
    static const uint64_t firsts[] = {0, 1, PARTS_VOCAB - 7, PARTS_VOCAB - 1};

    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
        for (uint32_t parts = 2; parts <= 4; parts += 2) {
            const posemb_desc desc = {
                .dim = 6, .tokens = {.policy = POSEMB_POLICY_WRAP_NEGATIVE}, .table_parts = parts};
            posemb_shape shape = parts_shape;

            shape.shard_first = firsts[i];
            shape.shard_rows = i == 3 ? 1 : 7;
            shape.table_stride = PARTS_ROW + 12;
            check_parts(*state, &desc, &shape);
        }
}

static const posemb_desc three_parts = {.dim = 6, .table_parts = 3};
static const char *const part_names[] = {"table", "table_more[0]", "table_more[1]"};

static void test_a_missing_part_is_named(void **state)
{
    struct parts parts;
    struct scene scene = open_parts(*state, &three_parts, &parts_shape, &parts);

    for (uint32_t k = 0; k < 3; k++) {
        posemb_args args = scene.args;
        char words[32];

        part_in(&args, k)->mem = NULL;
        snprintf(words, sizeof words, "%s.mem is NULL", part_names[k]);
        assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, words);
    }
    close_parts(&scene, &parts);
}

static void test_an_unaligned_part_is_named(void **state)
{
    struct parts parts;
    struct scene scene = open_parts(*state, &three_parts, &parts_shape, &parts);

    for (uint32_t k = 0; k < 3; k++) {
        posemb_args args = scene.args;
        char words[64];

        part_in(&args, k)->offset = 2;
        snprintf(words, sizeof words, "%s.offset is 2, not a multiple of 4", part_names[k]);
        assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, words);
    }
    close_parts(&scene, &parts);
}

static void test_a_part_that_is_too_small_is_named(void **state)
{
    struct parts parts;
    struct scene scene = open_parts(*state, &three_parts, &parts_shape, &parts);

    for (uint32_t k = 0; k < 3; k++) {
        posemb_args args = scene.args;
        cl_mem small = support_upload(*state, NULL, (size_t)parts.bytes[k] - 1);
        char words[32];

        snprintf(words, sizeof words, "%s has ", part_names[k]);
        part_in(&args, k)->offset += 4;
        assert_refused(&scene, &args, POSEMB_BUFFER_TOO_SMALL, words);
        *part_in(&args, k) = (posemb_buffer){small, 0};
        assert_refused(&scene, &args, POSEMB_BUFFER_TOO_SMALL, words);
        clReleaseMemObject(small);
    }
    close_parts(&scene, &parts);
}

static void test_an_output_over_a_part_is_refused(void **state)
{
    struct parts parts;
    struct scene scene = open_parts(*state, &three_parts, &parts_shape, &parts);
    const uint64_t out_bytes = scene.call.resolved.out.bytes;
    cl_mem both = support_upload(*state, NULL, 4096);

    for (uint32_t k = 0; k < 3; k++) {
        posemb_args args = scene.args;
        char words[64];

        snprintf(words, sizeof words, "%s and out overlap", part_names[k]);
        args.out = (posemb_buffer){both, 1024};
        *part_in(&args, k) = (posemb_buffer){both, 1024 - parts.bytes[k] + 4};
        assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, words);
        *part_in(&args, k) = (posemb_buffer){both, 1024 + out_bytes - 4};
        assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, words);
    }
    clReleaseMemObject(both);
    close_parts(&scene, &parts);
}

/* Beyond table_parts, and parts that no rows are left for. */
static void test_parts_that_are_not_used_are_ignored(void **state)
{
    struct parts parts;
    posemb_shape shape = parts_shape;
    struct scene scene;
    posemb_buffer bad;

    shape.part_rows = PARTS_VOCAB - 1;
    scene = open_parts(*state, &three_parts, &shape, &parts);
    assert_int_equal(parts.bytes[2], 0);
    bad = (posemb_buffer){scene.args.out.mem, 3};
    for (uint32_t k = 2; k < POSEMB_PARTS_MAX; k++)
        *part_in(&scene.args, k) = bad;
    enqueue(&scene, 0, NULL, NULL);
    support_call_check(&scene.call, *state);
    close_parts(&scene, &parts);
}

static void test_parts_with_too_few_rows_are_refused(void **state)
{
    struct parts parts;
    struct scene scene = open_parts(*state, &three_parts, &parts_shape, &parts);
    posemb_args args = scene.args;

    args.shape.part_rows = 4;
    assert_refused(&scene, &args, POSEMB_INVALID_ARGUMENT, "part_rows is 4");
    args.shape = parts_shape;
    args.shape.vocab = UINT64_C(1) << 61;
    assert_refused(&scene, &args, POSEMB_SIZE_OVERFLOW, "vocab * table_stride");
    args.shape.vocab = UINT64_C(1) << 40;
    assert_refused(&scene, &args, POSEMB_BUFFER_TOO_SMALL, "table has ");
    close_parts(&scene, &parts);
}

/* Only reads may share a buffer: all parts in one, in no order. */
static void test_parts_may_share_a_buffer(void **state)
{
    struct parts parts;
    struct scene scene = open_parts(*state, &three_parts, &parts_shape, &parts);
    const uint64_t first = scene.call.offset[SUPPORT_TABLE];
    const uint64_t bytes = parts.bytes[0];

    for (uint32_t k = 0; k < 3; k++)
        *part_in(&scene.args, k) =
            (posemb_buffer){scene.call.device[SUPPORT_TABLE], first + k * bytes};
    enqueue(&scene, 0, NULL, NULL);
    support_call_check(&scene.call, *state);
    close_parts(&scene, &parts);
}

/* ---- No tokens */

static posemb_args no_tokens(void)
{
    return (posemb_args){.shape = {.batch = 4, .length = 0}};
}

static void test_no_tokens_need_no_event(void **state)
{
    struct scene scene = open_encode(*state);

    scene.args = no_tokens();
    enqueue(&scene, 0, NULL, NULL);
    assert_int_equal(clFinish(scene.queue), CL_SUCCESS);
    support_call_check_untouched(&scene.call, *state);
    close_scene(&scene);
}

static void test_no_tokens_complete_the_event(void **state)
{
    struct scene scene = open_encode(*state);
    cl_event event = NULL;

    scene.args = no_tokens();
    enqueue(&scene, 0, NULL, &event);
    assert_int_equal(clWaitForEvents(1, &event), CL_SUCCESS);
    clReleaseEvent(event);
    close_scene(&scene);
}

static cl_int status_of(cl_event event)
{
    cl_int status = -1;

    assert_int_equal(
        clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL),
        CL_SUCCESS);
    return status;
}

static void test_no_tokens_honour_the_wait_list(void **state)
{
    struct scene scene = open_encode(*state);
    cl_int code;
    cl_event gate = clCreateUserEvent(posemb_session_context(*state), &code);
    cl_event event = NULL;

    assert_int_equal(code, CL_SUCCESS);
    scene.args = no_tokens();
    enqueue(&scene, 1, &gate, &event);
    assert_int_not_equal(status_of(event), CL_COMPLETE);
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    assert_int_equal(clWaitForEvents(1, &event), CL_SUCCESS);
    assert_int_equal(status_of(event), CL_COMPLETE);
    clReleaseEvent(event);
    clReleaseEvent(gate);
    close_scene(&scene);
}

/* ---- Order */

/* Gate -> write of the rows -> stage -> read, each linked to the one before by its event alone. */
static void run_chain(const struct scene *scene, float *found)
{
    const size_t rows_size = scene->call.size[SUPPORT_ROWS];
    const size_t out_size = scene->call.size[SUPPORT_OUT];
    cl_int code;
    cl_event gate = clCreateUserEvent(posemb_session_context(scene->session), &code);
    cl_event written, staged, read;

    assert_int_equal(code, CL_SUCCESS);
    assert_int_equal(clEnqueueWriteBuffer(scene->queue, scene->args.rows.mem, CL_FALSE, 0,
                                          rows_size, scene->call.host[SUPPORT_ROWS], 1, &gate,
                                          &written),
                     CL_SUCCESS);
    enqueue(scene, 1, &written, &staged);
    assert_int_equal(clEnqueueReadBuffer(scene->queue, scene->args.out.mem, CL_FALSE, 0, out_size,
                                         found, 1, &staged, &read),
                     CL_SUCCESS);
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    assert_int_equal(clWaitForEvents(1, &read), CL_SUCCESS);
    clReleaseEvent(gate);
    clReleaseEvent(written);
    clReleaseEvent(staged);
    clReleaseEvent(read);
}

static void check_chain(posemb_session *session, cl_command_queue queue)
{
    const posemb_desc desc = {.dim = 64, .operation = POSEMB_ADD};
    const posemb_shape shape = {.batch = 16, .length = 32};
    struct scene scene = open_scene(session, &desc, &shape, &plain);
    const size_t out_size = scene.call.size[SUPPORT_OUT];
    void *zeros = calloc(1, scene.call.size[SUPPORT_ROWS]);
    float *found = malloc(out_size);
    float *expected = malloc(out_size);
    const posemb_host_args host = support_call_host_args(&scene.call, expected, NULL);

    assert_true(zeros && found && expected);
    assert_int_equal(clEnqueueWriteBuffer(scene.queue, scene.args.rows.mem, CL_TRUE, 0,
                                          scene.call.size[SUPPORT_ROWS], zeros, 0, NULL, NULL),
                     CL_SUCCESS);
    scene.queue = queue;
    run_chain(&scene, found);
    memcpy(expected, scene.call.host[SUPPORT_OUT], out_size);
    assert_int_equal(posemb_reference_run(&desc, &host, NULL), POSEMB_OK);
    assert_int_equal(posemb_compare_bits(found, expected, out_size / sizeof *found, NULL), 0);
    free(zeros);
    free(found);
    free(expected);
    close_scene(&scene);
}

static void test_events_order_an_in_order_queue(void **state)
{
    cl_int code;
    cl_command_queue queue = support_make_queue(*state, 0, &code);

    assert_int_equal(code, CL_SUCCESS);
    check_chain(*state, queue);
    clReleaseCommandQueue(queue);
}

static void test_events_order_an_out_of_order_queue(void **state)
{
    const bool not_applicable =
        support_not_applicable(posemb_session_device(*state), SUPPORT_OUT_OF_ORDER_QUEUE);
    cl_int code;
    cl_command_queue queue =
        support_make_queue(*state, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);

    if (not_applicable) {
        assert_int_equal(code, CL_INVALID_QUEUE_PROPERTIES);
        return;
    }
    assert_int_equal(code, CL_SUCCESS);
    for (int i = 0; i < 20; i++)
        check_chain(*state, queue);
    clReleaseCommandQueue(queue);
}

/* ---- Bits */

typedef posemb_plan *make_plan(posemb_session *session, const posemb_desc *desc);

static void check_all_rules(posemb_session *session, make_plan *make, uint32_t dim,
                            const posemb_shape *shape, const struct support_call_options *options)
{
    for (int k = 0; k < 3 * 3 * 4; k++) {
        const posemb_desc desc = {.dim = dim,
                                  .operation = (posemb_operation)(1 + k % 3),
                                  .convention = (posemb_convention)(1 + k / 3 % 3),
                                  .positions = (posemb_position_rule)(1 + k / 9),
                                  .position_type = k % 2 ? POSEMB_INT64 : POSEMB_INT32,
                                  .id_type = k % 2 ? POSEMB_INT32 : POSEMB_INT64,
                                  .token_scale = 1.25f};
        posemb_plan *plan = make(session, &desc);

        assert_int_equal(posemb_plan_resolved(plan)->dim, dim);
        support_call_run(session, plan, shape, options);
        posemb_plan_destroy(plan);
    }
}

static void test_dense_calls_equal_the_reference(void **state)
{
    static const uint32_t dims[] = {1, 2, 5, 16, 64, 71};
    const posemb_shape shape = {.batch = 9, .length = 5, .vocab = 13, .start = 4};

    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        check_all_rules(*state, support_make_plan, dims[i], &shape, &plain);
    assert_int_equal(shape.batch % 8, 1);
}

static void test_offsets_and_strides_equal_the_reference(void **state)
{
    static const uint64_t offsets[] = {1, 3, 16};
    const posemb_shape shape = {.batch = 9,
                                .length = 5,
                                .vocab = 13,
                                .ids_batch_stride = 56,
                                .positions_batch_stride = 64,
                                .table_stride = 140,
                                .rows_stride = 132,
                                .rows_batch_stride = 700,
                                .out_stride = 148,
                                .out_batch_stride = 804};

    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        const struct support_call_options options = {.offset_units = offsets[i], .seed = i};

        check_all_rules(*state, support_make_plan, 32, &shape, &options);
        check_all_rules(*state, support_make_plan, 33, &shape, &options);
    }
    assert_true(shape.out_stride > 33 * sizeof(float));
}

static void test_sequence_first_equals_the_reference(void **state)
{
    const posemb_shape shape = {.batch = 9,
                                .length = 5,
                                .vocab = 13,
                                .rows_stride = 9 * 128,
                                .rows_batch_stride = 128,
                                .out_stride = 9 * 128,
                                .out_batch_stride = 128};

    check_all_rules(*state, support_make_plan, 32, &shape, &plain);
    assert_int_equal(shape.out_stride, shape.batch * shape.out_batch_stride);
}

static void test_in_place_equals_the_reference(void **state)
{
    static const uint32_t dims[] = {1, 33, 64};

    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        const posemb_desc desc = {.dim = dims[i], .operation = POSEMB_ADD, .token_scale = -3.0f};
        const posemb_shape shape = {.batch = 8, .length = 3, .rows_stride = 260, .out_stride = 260};
        const struct support_call_options options = {
            .offset_units = i, .seed = i, .in_place = true};
        posemb_plan *plan = support_make_plan(*state, &desc);

        assert_non_null(plan);
        support_call_run(*state, plan, &shape, &options);
        posemb_plan_destroy(plan);
    }
}

static void test_bad_tokens_equal_the_reference(void **state)
{
    const posemb_shape shape = {.batch = 40, .length = 3, .vocab = 6, .start = -2000000000};
    const struct support_call_options options = {.offset_units = 1, .seed = 9, .bad_tokens = true};

    check_all_rules(*state, support_make_plan, 33, &shape, &options);
    check_all_rules(*state, support_make_plan, 64, &shape, &options);
    assert_true(shape.start < 0);
}

static posemb_plan *make_streamed_plan(posemb_session *session, const posemb_desc *desc)
{
    const posemb_engine_options options = {
        .shape = support_shape(), .streamed_threshold = 1, .follows_threshold = 1};
    posemb_engine *engine = support_engine_with(session, &options);
    posemb_plan *plan = support_engine_plan(engine, desc);

    posemb_engine_destroy(engine);
    return plan;
}

static void test_streamed_stores_equal_the_reference(void **state)
{
    const posemb_shape shape = {.batch = 9, .length = 5, .vocab = 13};
    const posemb_shape shared = {.batch = 16, .length = 3, .vocab = 13};
    const struct support_call_options aligned = {.offset_units = 16, .seed = 3};

    check_all_rules(*state, make_streamed_plan, 64, &shape, &aligned);
    check_all_rules(*state, make_streamed_plan, 64, &shared, &plain);
    check_all_rules(*state, make_streamed_plan, 70, &shared, &plain);
    assert_int_equal(shared.batch % 8, 0);
}

static posemb_plan *make_gpu_plan(posemb_session *session, const posemb_desc *desc)
{
    posemb_engine *engine = support_make_engine(session, POSEMB_SHAPE_GPU);
    posemb_plan *plan = support_engine_plan(engine, desc);

    posemb_engine_destroy(engine);
    return plan;
}

static posemb_plan *make_cpu_plan(posemb_session *session, const posemb_desc *desc)
{
    posemb_engine *engine = support_make_engine(session, POSEMB_SHAPE_CPU);
    posemb_plan *plan = support_engine_plan(engine, desc);

    posemb_engine_destroy(engine);
    return plan;
}

static void test_the_gpu_shape_equals_the_reference(void **state)
{
    const posemb_shape shape = {.batch = 9, .length = 5, .vocab = 13};

    check_all_rules(*state, make_gpu_plan, 67, &shape, &plain);
    assert_int_equal(shape.batch % 4, 1);
}

static void test_the_cpu_shape_equals_the_reference(void **state)
{
    const posemb_shape shape = {.batch = 9, .length = 5, .vocab = 13};

    if (support_not_applicable(posemb_session_device(*state), SUPPORT_CPU_SHAPE))
        skip();
    check_all_rules(*state, make_cpu_plan, 67, &shape, &plain);
    assert_int_equal(shape.batch % 8, 1);
}

static void test_no_record_is_needed(void **state)
{
    const posemb_desc desc = {.dim = 6};
    const struct support_call_options bad = {.seed = 4, .bad_tokens = true};
    struct scene scene = open_scene(*state, &desc, &small_shape, &bad);
    float *expected = malloc(scene.call.size[SUPPORT_OUT]);
    float *found = malloc(scene.call.size[SUPPORT_OUT]);
    posemb_host_args host = support_call_host_args(&scene.call, expected, NULL);

    assert_true(expected && found);
    scene.args.record.mem = NULL;
    enqueue(&scene, 0, NULL, NULL);
    support_download(*state, scene.args.out.mem, found, scene.call.size[SUPPORT_OUT]);
    assert_int_equal(posemb_reference_run(&desc, &host, NULL), POSEMB_OK);
    assert_int_equal(posemb_compare_bits(found, expected, 36, NULL), 0);
    free(found);
    free(expected);
    close_scene(&scene);
}

/* ---- Lifetimes */

static void test_buffers_may_go_right_after_the_call(void **state)
{
    struct scene scene = open_encode(*state);
    const cl_mem out = scene.args.out.mem;
    const cl_mem record = scene.args.record.mem;

    clRetainMemObject(out);
    clRetainMemObject(record);
    enqueue(&scene, 0, NULL, NULL);
    support_call_release_device(&scene.call);
    memset(&scene.args, 0, sizeof scene.args);
    scene.call.device[SUPPORT_OUT] = out;
    scene.call.device[SUPPORT_RECORD] = record;
    support_call_check(&scene.call, *state);
    close_scene(&scene);
}

static void test_the_plan_may_go_right_after_the_call(void **state)
{
    struct scene scene = open_encode(*state);

    enqueue(&scene, 0, NULL, NULL);
    posemb_plan_destroy(scene.plan);
    scene.plan = NULL;
    assert_int_equal(clFinish(scene.queue), CL_SUCCESS);
    support_call_check(&scene.call, *state);
    close_scene(&scene);
}

/* ---- Threads */

enum { THREADS = 8, CALLS = 50, DIM = 20, TOKENS = 6, FLOATS = TOKENS * DIM };

/* One thread's queue and output, of which each call has a part of its own. */
struct worker {
    pthread_t thread;
    const posemb_plan *plan;
    cl_command_queue queue;
    cl_mem out;
    int64_t first; /* position of the first call */
    posemb_status status;
};

/* cmocka's assertions belong to the main thread, so a worker only keeps its status. */
static void *work(void *data)
{
    struct worker *worker = data;

    for (int64_t k = 0; k < CALLS && worker->status == POSEMB_OK; k++) {
        const posemb_args args = {
            .shape = {.batch = 2, .length = TOKENS / 2, .start = worker->first + k},
            .out = {worker->out, (uint64_t)k * FLOATS * sizeof(float)}};

        worker->status = posemb_enqueue(worker->plan, worker->queue, &args, 0, NULL, NULL, NULL);
    }
    if (worker->status == POSEMB_OK && clFinish(worker->queue) != CL_SUCCESS)
        worker->status = POSEMB_DEVICE_ERROR;
    return NULL;
}

static void start_worker(struct worker *worker, posemb_session *session, const posemb_plan *plan,
                         int64_t number)
{
    cl_int code;

    worker->plan = plan;
    worker->first = number * 1000;
    worker->status = POSEMB_OK;
    worker->queue = support_make_queue(session, 0, &code);
    assert_int_equal(code, CL_SUCCESS);
    worker->out = support_upload(session, NULL, CALLS * FLOATS * sizeof(float));
    assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static void finish_worker(struct worker *worker, posemb_session *session)
{
    float found[CALLS * FLOATS], expected[FLOATS];

    assert_int_equal(pthread_join(worker->thread, NULL), 0);
    assert_int_equal(worker->status, POSEMB_OK);
    support_download(session, worker->out, found, sizeof found);
    for (int64_t k = 0; k < CALLS; k++) {
        const posemb_host_args args = {
            .shape = {.batch = 2, .length = TOKENS / 2, .start = worker->first + k},
            .out = expected};

        assert_int_equal(posemb_reference_run(posemb_plan_resolved(worker->plan), &args, NULL),
                         POSEMB_OK);
        assert_int_equal(posemb_compare_bits(found + k * FLOATS, expected, FLOATS, NULL), 0);
    }
    clReleaseMemObject(worker->out);
    clReleaseCommandQueue(worker->queue);
}

static void check_threads(posemb_session *session, uint32_t concurrency)
{
    const posemb_desc desc = {.dim = DIM, .operation = POSEMB_TABLE, .concurrency = concurrency};
    struct worker workers[THREADS];
    posemb_plan *plan;

    if (support_not_applicable(posemb_session_device(session), SUPPORT_THREADS))
        skip();
    plan = support_make_plan(session, &desc);
    assert_int_equal(posemb_plan_warmup(plan, posemb_session_queue(session), NULL, NULL),
                     POSEMB_OK);
    for (int i = 0; i < THREADS; i++)
        start_worker(&workers[i], session, plan, i);
    for (int i = 0; i < THREADS; i++)
        finish_worker(&workers[i], session);
    posemb_plan_destroy(plan);
}

static void test_as_many_threads_as_slots(void **state)
{
    check_threads(*state, THREADS);
}

static void test_more_threads_than_slots(void **state)
{
    check_threads(*state, 2);
    check_threads(*state, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_arguments_are_refused),
        cmocka_unit_test(test_a_wait_list_has_a_length_or_neither),
        cmocka_unit_test(test_a_missing_buffer_is_named),
        cmocka_unit_test(test_an_unaligned_offset_is_named),
        cmocka_unit_test(test_a_buffer_one_byte_short_is_named),
        cmocka_unit_test(test_an_offset_behind_the_buffer_is_refused),
        cmocka_unit_test(test_buffers_of_the_least_size_are_enough),
        cmocka_unit_test(test_bad_shapes_are_refused),
        cmocka_unit_test(test_a_queue_of_another_context_is_refused),
        cmocka_unit_test(test_an_output_over_an_input_is_refused),
        cmocka_unit_test(test_neighbours_in_a_buffer_are_good),
        cmocka_unit_test(test_outputs_over_anything_are_refused),
        cmocka_unit_test(test_in_place_needs_the_same_strides),
        cmocka_unit_test(test_buffers_that_are_not_used_are_ignored),
        cmocka_unit_test(test_bad_ids_in_parts_follow_the_policy),
        cmocka_unit_test(test_parts_of_any_length_equal_the_reference),
        cmocka_unit_test(test_shards_in_parts_equal_the_reference),
        cmocka_unit_test(test_a_missing_part_is_named),
        cmocka_unit_test(test_an_unaligned_part_is_named),
        cmocka_unit_test(test_a_part_that_is_too_small_is_named),
        cmocka_unit_test(test_an_output_over_a_part_is_refused),
        cmocka_unit_test(test_parts_that_are_not_used_are_ignored),
        cmocka_unit_test(test_parts_with_too_few_rows_are_refused),
        cmocka_unit_test(test_parts_may_share_a_buffer),
        cmocka_unit_test(test_no_tokens_need_no_event),
        cmocka_unit_test(test_no_tokens_complete_the_event),
        cmocka_unit_test(test_no_tokens_honour_the_wait_list),
        cmocka_unit_test(test_events_order_an_in_order_queue),
        cmocka_unit_test(test_events_order_an_out_of_order_queue),
        cmocka_unit_test(test_dense_calls_equal_the_reference),
        cmocka_unit_test(test_offsets_and_strides_equal_the_reference),
        cmocka_unit_test(test_sequence_first_equals_the_reference),
        cmocka_unit_test(test_in_place_equals_the_reference),
        cmocka_unit_test(test_bad_tokens_equal_the_reference),
        cmocka_unit_test(test_streamed_stores_equal_the_reference),
        cmocka_unit_test(test_the_gpu_shape_equals_the_reference),
        cmocka_unit_test(test_the_cpu_shape_equals_the_reference),
        cmocka_unit_test(test_no_record_is_needed),
        cmocka_unit_test(test_buffers_may_go_right_after_the_call),
        cmocka_unit_test(test_the_plan_may_go_right_after_the_call),
        cmocka_unit_test(test_as_many_threads_as_slots),
        cmocka_unit_test(test_more_threads_than_slots),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
