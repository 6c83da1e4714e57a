/* The kernels give the bits of the reference, and touch nothing else. A program of its own rather
 * than cmocka tests: one closing line tells how many cases ran. Environment:
 *   POSEMB_TEST_LEVEL   whole, pairs (default) or small: see kernel_cases.h
 *   POSEMB_TEST_DEVICE  see support/device.h
 *   POSEMB_TEST_SHAPE   cpu or gpu: that shape alone; unset: both */
#include "kernel_call.h"

#include "plan.h"
#include "support/device.h"
#include "support/not_applicable.h"

#include <posemb/posemb_cl.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPES = 2, MOST_REPORTED = 10 };

struct tester {
    posemb_session *session;
    posemb_engine *engines[SHAPES]; /* NULL: not applicable here */
    posemb_plan *plan;              /* of plan_case, kept while cases have it in common */
    struct kernel_case plan_case;
    struct kernel_call call;
    unsigned char *expected;
    unsigned char *found;
    size_t capacity; /* of both */
    cl_mem buffers[6];
    size_t cases;
    size_t failed;
    uint64_t elements;
    size_t launches[SHAPES][POSEMB__KERNEL_COUNT];
};

static void report(struct tester *tester, const struct kernel_case *c, const char *what)
{
    static const char *const names[FACTOR_COUNT] = {
        "operation", "rule",   "convention", "id_type", "position_type",
        "consumer",  "shape",  "dim",        "base",    "scale",
        "size",      "layout", "data",       "ids",     "positions"};

    if (++tester->failed > MOST_REPORTED)
        return;
    printf("FAILED: %s\n  D %" PRIu32 ", [%" PRIu32 ", %" PRIu32 "], base %g, scale %a, start "
           "%" PRId64 ";",
           what, c->dim, c->batch, c->length, c->base, (double)c->scale, tester->call.shape.start);
    for (int f = 0; f < FACTOR_COUNT; f++)
        printf(" %s=%u", names[f], c->value[f]);
    printf("\n");
}

static bool make_room(struct tester *tester, size_t size)
{
    unsigned char *expected;
    unsigned char *found;

    if (size <= tester->capacity)
        return true;
    expected = realloc(tester->expected, size);
    if (expected)
        tester->expected = expected;
    found = realloc(tester->found, size);
    if (found)
        tester->found = found;
    if (!expected || !found)
        return false;
    tester->capacity = size;
    return true;
}

/* ---- The reference */

static const void *place_of(const struct kernel_buffer *buffer)
{
    return buffer->size ? buffer->bytes + buffer->offset : NULL;
}

static posemb_status run_reference(struct tester *tester, posemb_record *record)
{
    struct kernel_call *call = &tester->call;
    unsigned char *out = tester->expected + call->out.offset;
    const posemb_host_args args = {
        .shape = call->shape,
        .ids = place_of(&call->ids),
        .table = place_of(&call->table),
        .rows = call->in_place ? out : place_of(&call->rows),
        .positions = place_of(&call->positions),
        .out = out,
        .record = call->has_record ? record : NULL,
    };

    if (call->out.size)
        memcpy(tester->expected, call->out.bytes, call->out.size);
    *record = call->record;
    return posemb_reference_run(&call->desc, &args, NULL);
}

/* Whether the reference itself left the gaps alone: mark the rows, look at the rest. */
static bool has_canaries(struct tester *tester)
{
    const struct kernel_call *call = &tester->call;
    const posemb_shape *shape = &call->shape;
    const size_t row = call->desc.dim * sizeof(float);
    const size_t stride = shape->out_stride ? (size_t)shape->out_stride : row;
    const size_t batch_stride =
        shape->out_batch_stride ? (size_t)shape->out_batch_stride : (size_t)shape->length * stride;
    const uint32_t canary = KERNEL_CANARY;

    memcpy(tester->found, tester->expected, call->out.size);
    for (size_t b = 0; call->out.size && b < shape->batch; b++)
        for (size_t s = 0; s < shape->length; s++)
            for (size_t at = 0; at < row; at += sizeof canary)
                memcpy(tester->found + call->out.offset + b * batch_stride + s * stride + at,
                       &canary, sizeof canary);
    for (size_t at = 0; at < call->out.size; at += sizeof canary)
        if (memcmp(tester->found + at, &canary, sizeof canary) != 0)
            return false;
    return true;
}

/* ---- The device */

static bool upload(struct tester *tester, int which, const void *bytes, size_t size)
{
    return size == 0 || posemb_session_upload(tester->session, bytes, size, &tester->buffers[which],
                                              NULL) == POSEMB_OK;
}

static void release_buffers(struct tester *tester)
{
    for (size_t i = 0; i < sizeof tester->buffers / sizeof *tester->buffers; i++) {
        if (tester->buffers[i])
            clReleaseMemObject(tester->buffers[i]);
        tester->buffers[i] = NULL;
    }
}

/* Upload and enqueue; records lie at an odd place. */
static posemb_status run_device(struct tester *tester, posemb_error *error)
{
    const struct kernel_call *call = &tester->call;
    const uint32_t padding = 3 * sizeof(uint32_t);
    unsigned char record[sizeof(posemb_record) + 3 * sizeof(uint32_t)] = {0};
    const cl_mem *mem = tester->buffers;

    memcpy(record + padding, &call->record, sizeof call->record);
    if (!upload(tester, 0, call->ids.bytes, call->ids.size) ||
        !upload(tester, 1, call->table.bytes, call->table.size) ||
        !upload(tester, 2, call->rows.bytes, call->rows.size) ||
        !upload(tester, 3, call->positions.bytes, call->positions.size) ||
        !upload(tester, 4, call->out.bytes, call->out.size) ||
        !upload(tester, 5, record, call->has_record ? sizeof record : 0))
        return POSEMB_OUT_OF_MEMORY;

    const posemb_args args = {
        .shape = call->shape,
        .ids = {mem[0], call->ids.offset},
        .table = {mem[1], call->table.offset},
        .rows = {call->in_place ? mem[4] : mem[2],
                 call->in_place ? call->out.offset : call->rows.offset},
        .positions = {mem[3], call->positions.offset},
        .out = {mem[4], call->out.offset},
        .record = {mem[5], padding},
    };
    return posemb_enqueue(tester->plan, posemb_session_queue(tester->session), &args, 0, NULL, NULL,
                          error);
}

static bool download(struct tester *tester, int which, size_t offset, void *data, size_t size)
{
    return !tester->buffers[which] ||
           posemb_session_download(tester->session, tester->buffers[which], offset, data, size,
                                   NULL) == POSEMB_OK;
}

/* ---- Cases */

static void compare(struct tester *tester, const struct kernel_case *kernel_case)
{
    const size_t count = tester->call.out.size / sizeof(float);
    posemb_record expected;
    posemb_record found = tester->call.record;
    posemb_error error = {.message = ""};
    char what[POSEMB_MESSAGE_SIZE + 64];
    size_t differing;
    size_t first;

    if (run_reference(tester, &expected) != POSEMB_OK || !has_canaries(tester)) {
        report(tester, kernel_case, "the reference refused, or wrote between the rows");
        return;
    }
    if (run_device(tester, &error) != POSEMB_OK ||
        !download(tester, 4, 0, tester->found, tester->call.out.size) ||
        !download(tester, 5, 3 * sizeof(uint32_t), &found, sizeof found)) {
        snprintf(what, sizeof what, "OpenCL: %s", error.message);
        report(tester, kernel_case, what);
        return;
    }
    differing = count == 0 ? 0
                           : posemb_compare_bits((const float *)(const void *)tester->found,
                                                 (const float *)(const void *)tester->expected,
                                                 count, &first);
    if (differing != 0) {
        snprintf(what, sizeof what, "%zu of %zu floats differ, first at %zu (row 0 begins at %zu)",
                 differing, count, first, tester->call.out.offset / sizeof(float));
        report(tester, kernel_case, what);
    } else if (tester->call.has_record && memcmp(&found, &expected, sizeof found) != 0) {
        snprintf(what, sizeof what, "record {%u, %u, %u, %u}, not {%u, %u, %u, %u}", found.id_count,
                 found.id_first, found.position_count, found.position_first, expected.id_count,
                 expected.id_first, expected.position_count, expected.position_first);
        report(tester, kernel_case, what);
    }
}

/* The plan of a case; the one before, if their descriptions are the same. */
static bool find_plan(struct tester *tester, const struct kernel_case *kernel_case,
                      posemb_engine *engine)
{
    const posemb_desc desc = kernel_desc(kernel_case);
    posemb_error error;

    if (tester->plan && memcmp(tester->plan_case.value, kernel_case->value,
                               FACTOR_SIZE * sizeof *kernel_case->value) == 0)
        return true;
    posemb_plan_destroy(tester->plan);
    tester->plan_case = *kernel_case;
    if (posemb_plan_create(engine, &desc, &tester->plan, &error) == POSEMB_OK)
        return true;
    report(tester, kernel_case, error.message);
    return false;
}

static void count_launch(struct tester *tester, unsigned shape)
{
    struct posemb__call resolved;

    if (posemb__call_resolve(&tester->plan->desc, &tester->call.shape, &resolved, NULL) ==
            POSEMB_OK &&
        resolved.tokens != 0)
        tester->launches[shape][posemb__launch_of(&tester->plan->launch_rule, &resolved).kernel]++;
}

static void run_case(void *context, const struct kernel_case *kernel_case)
{
    struct tester *tester = context;
    const unsigned shape = kernel_case->value[FACTOR_SHAPE];
    posemb_engine *engine = tester->engines[shape];

    if (!engine || !find_plan(tester, kernel_case, engine))
        return;
    if (!kernel_call_make(&tester->call, kernel_case) ||
        !make_room(tester, tester->call.out.size + 1)) {
        report(tester, kernel_case, "no memory, or an invalid case");
        return;
    }
    tester->cases++;
    tester->elements += (uint64_t)kernel_case->batch * kernel_case->length * kernel_case->dim;
    count_launch(tester, shape);
    compare(tester, kernel_case);
    release_buffers(tester);
}

/* Streamed kernels for every output under POSEMB_CONSUMER_STREAMED, and for none else. */
static bool open_engines(struct tester *tester)
{
    const posemb_device_info *device = posemb_session_device(tester->session);
    const posemb_kernel_shape only = support_shape();
    posemb_error error;

    for (int i = 0; i < SHAPES; i++) {
        const posemb_engine_options options = {.shape = (posemb_kernel_shape)(i + 1),
                                               .streamed_threshold = 1,
                                               .follows_threshold = UINT64_MAX,
                                               .cache = POSEMB_CACHE_MEMORY};

        if ((only != POSEMB_SHAPE_DEFAULT && only != options.shape) ||
            (options.shape == POSEMB_SHAPE_CPU &&
             support_not_applicable(device, SUPPORT_CPU_SHAPE)))
            continue;
        if (options.shape == POSEMB_SHAPE_CPU) /* tests/CMakeLists.txt leaves the check out there */
            support_not_applicable(device, SUPPORT_CPU_UNINITIALIZED);
        if (posemb_engine_create(posemb_session_context(tester->session), device->device, &options,
                                 &tester->engines[i], &error) != POSEMB_OK) {
            printf("FAILED: posemb_engine_create: %s\n", error.message);
            return false;
        }
    }
    return true;
}

static void close_all(struct tester *tester)
{
    posemb_plan_destroy(tester->plan);
    for (int i = 0; i < SHAPES; i++)
        posemb_engine_destroy(tester->engines[i]);
    posemb_session_destroy(tester->session);
    kernel_call_release(&tester->call);
    free(tester->expected);
    free(tester->found);
}

static void print_closing(const struct tester *tester, const char *level)
{
    static const char *const shapes[SHAPES] = {"CPU", "GPU"};
    const posemb_device_info *device = posemb_session_device(tester->session);

    for (int i = 0; i < SHAPES; i++)
        if (tester->engines[i])
            printf("%s shape: %zu launches of the plain kernel, %zu shared, %zu streamed, %zu "
                   "shared streamed\n",
                   shapes[i], tester->launches[i][POSEMB__STAGE],
                   tester->launches[i][POSEMB__STAGE_SHARED],
                   tester->launches[i][POSEMB__STAGE_STREAMED],
                   tester->launches[i][POSEMB__STAGE_SHARED_STREAMED]);
    printf("%s, %s, level %s: %zu cases, %" PRIu64 " elements, %zu positions of whole eighths of a "
           "turn; %zu cases failed\n",
           device->platform_name, device->name, level, tester->cases, tester->elements,
           kernel_turns_found(), tester->failed);
}

int main(void)
{
    const char *level = getenv("POSEMB_TEST_LEVEL");
    struct tester tester = {.session = NULL};
    posemb_error error;
    bool good;

    if (!level || !*level)
        level = "pairs";
    if (posemb_session_create(support_selector(), NULL, &tester.session, &error) != POSEMB_OK) {
        printf("FAILED: no device to test on: %s\n", error.message);
        return 1;
    }
    good = open_engines(&tester);
    if (good && !kernel_cases_visit(level, run_case, &tester)) {
        printf("FAILED: POSEMB_TEST_LEVEL is \"%s\", not whole, pairs or small\n", level);
        good = false;
    }
    if (good)
        print_closing(&tester, level);
    good = good && tester.failed == 0 && tester.cases > 0 && kernel_turns_found() > 0;
    close_all(&tester);
    return good ? 0 : 1;
}
