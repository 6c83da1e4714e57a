/* posemb_split_enqueue on the devices of one platform in one context; where it has one alone, on
 * queues of that. POSEMB_TEST_DEVICES: how many there must be; "sub": halves of the first device.
 * The OpenCL calls that matter are counted, and made to fail, by wrappers that the linker puts
 * before them. */
#include "enqueue.h"
#include "split_cases.h"
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MAX = 4, SHARES = 3, SUB_BUFFERS_MAX = 256, PREFIX_MAX = 4096, TAIL = STAGE_GUARD };

/* ---- OpenCL, watched */

static struct {
    unsigned sub_buffers;
    unsigned launches;
    unsigned markers;
    unsigned fail_sub_buffer; /* the call of that number fails; 0: none */
    unsigned fail_launch;
    unsigned fail_marker;
    cl_mem live[SUB_BUFFERS_MAX];
    cl_buffer_region regions[SUB_BUFFERS_MAX];
    cl_mem parents[SUB_BUFFERS_MAX];
} watch;

cl_mem __real_clCreateSubBuffer(cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type,
                                const void *info, cl_int *code);
cl_mem __wrap_clCreateSubBuffer(cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type,
                                const void *info, cl_int *code);
cl_int __real_clReleaseMemObject(cl_mem buffer);
cl_int __wrap_clReleaseMemObject(cl_mem buffer);
cl_int __real_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dim,
                                     const size_t *offset, const size_t *global,
                                     const size_t *local, cl_uint num_waits, const cl_event *waits,
                                     cl_event *event);
cl_int __wrap_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dim,
                                     const size_t *offset, const size_t *global,
                                     const size_t *local, cl_uint num_waits, const cl_event *waits,
                                     cl_event *event);
cl_int __real_clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint num_waits,
                                          const cl_event *waits, cl_event *event);
cl_int __wrap_clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint num_waits,
                                          const cl_event *waits, cl_event *event);

cl_mem __wrap_clCreateSubBuffer(cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type,
                                const void *info, cl_int *code)
{
    const unsigned number = watch.sub_buffers++;
    cl_mem made;

    if (watch.sub_buffers == watch.fail_sub_buffer) {
        *code = CL_OUT_OF_RESOURCES;
        return NULL;
    }
    made = __real_clCreateSubBuffer(buffer, flags, type, info, code);
    if (number < SUB_BUFFERS_MAX) {
        watch.live[number] = made;
        watch.regions[number] = *(const cl_buffer_region *)info;
        watch.parents[number] = buffer;
    }
    return made;
}

cl_int __wrap_clReleaseMemObject(cl_mem buffer)
{
    for (unsigned i = 0; i < SUB_BUFFERS_MAX; i++)
        if (watch.live[i] == buffer)
            watch.live[i] = NULL;
    return __real_clReleaseMemObject(buffer);
}

cl_int __wrap_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dim,
                                     const size_t *offset, const size_t *global,
                                     const size_t *local, cl_uint num_waits, const cl_event *waits,
                                     cl_event *event)
{
    if (++watch.launches == watch.fail_launch)
        return CL_OUT_OF_RESOURCES;
    return __real_clEnqueueNDRangeKernel(queue, kernel, dim, offset, global, local, num_waits,
                                         waits, event);
}

cl_int __wrap_clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint num_waits,
                                          const cl_event *waits, cl_event *event)
{
    if (++watch.markers == watch.fail_marker)
        return CL_OUT_OF_HOST_MEMORY;
    return __real_clEnqueueMarkerWithWaitList(queue, num_waits, waits, event);
}

static void start_watching(void)
{
    memset(&watch, 0, sizeof watch);
}

static void assert_all_released(void)
{
    assert_true(watch.sub_buffers <= SUB_BUFFERS_MAX);
    for (unsigned i = 0; i < SUB_BUFFERS_MAX; i++)
        assert_null(watch.live[i]);
}

/* No two sub-buffers share a byte. (In an arena, those that are read may.) */
static void assert_sub_buffers_are_apart(void)
{
    for (unsigned i = 0; i < watch.sub_buffers; i++)
        for (unsigned j = 0; j < i; j++) {
            const cl_buffer_region *a = &watch.regions[i];
            const cl_buffer_region *b = &watch.regions[j];

            assert_true(watch.parents[i] != watch.parents[j] || a->origin >= b->origin + b->size ||
                        b->origin >= a->origin + a->size);
        }
}

/* ---- Devices */

struct devices {
    cl_context context;
    cl_uint count;
    cl_device_id device[DEVICES_MAX];
    posemb_engine *engine[DEVICES_MAX];
    cl_command_queue queue[SHARES]; /* share k is of device k % count */
    bool sub;                       /* devices are parts of one */
};

static cl_uint list_devices(cl_platform_id platform, cl_device_id *devices)
{
    posemb_device_info all[64];
    cl_uint found = 0;
    size_t count = 0;

    assert_int_equal(posemb_devices_list(all, 64, &count, NULL), POSEMB_OK);
    for (size_t i = 0; i < count && i < 64 && found < DEVICES_MAX; i++)
        if (all[i].platform == platform)
            devices[found++] = all[i].device;
    return found;
}

/* Halves of a device, or itself where it has none. */
static cl_uint halve_device(const posemb_device_info *info, cl_device_id *devices)
{
    const cl_device_partition_property halves[] = {
        CL_DEVICE_PARTITION_EQUALLY, (cl_device_partition_property)(info->compute_units / 2), 0};
    cl_uint found = 0;

    devices[0] = info->device;
    if (info->compute_units < 2) {
        print_message("the device has one compute unit: no sub-devices\n");
        return 1;
    }
    assert_int_equal(clCreateSubDevices(info->device, halves, 2, devices, &found), CL_SUCCESS);
    return found;
}

static int open_devices(void **state)
{
    static struct devices devices;
    const char *wanted = getenv("POSEMB_TEST_DEVICES");
    const posemb_engine_options options = {.shape = support_shape()};
    posemb_device_info info;
    posemb_error error;
    cl_int code;

    if (posemb_device_pick(support_selector(), &info, &error) != POSEMB_OK) {
        print_error("no device to test on: %s\n", error.message);
        return -1;
    }
    devices.sub = wanted && strcmp(wanted, "sub") == 0;
    devices.count = devices.sub ? halve_device(&info, devices.device)
                                : list_devices(info.platform, devices.device);
    if (wanted && !devices.sub && devices.count != (cl_uint)strtoul(wanted, NULL, 10)) {
        print_error("%u devices, not %s\n", (unsigned)devices.count, wanted);
        return -1;
    }
    devices.context = clCreateContext(NULL, devices.count, devices.device, NULL, NULL, &code);
    for (cl_uint i = 0; code == CL_SUCCESS && i < devices.count; i++)
        if (posemb_engine_create(devices.context, devices.device[i], &options, &devices.engine[i],
                                 &error) != POSEMB_OK)
            code = CL_INVALID_DEVICE;
    for (cl_uint k = 0; code == CL_SUCCESS && k < SHARES; k++)
        devices.queue[k] =
            clCreateCommandQueue(devices.context, devices.device[k % devices.count], 0, &code);
    *state = &devices;
    return code == CL_SUCCESS ? 0 : -1;
}

static int close_devices(void **state)
{
    struct devices *devices = *state;

    for (cl_uint k = 0; k < SHARES; k++)
        clReleaseCommandQueue(devices->queue[k]);
    for (cl_uint i = 0; i < devices->count; i++)
        posemb_engine_destroy(devices->engine[i]);
    clReleaseContext(devices->context);
    for (cl_uint i = 0; devices->sub && i < devices->count; i++)
        clReleaseDevice(devices->device[i]);
    return 0;
}

/* Of an engine; test_engine has one device alone. */
static void test_a_device_of_another_context_is_refused(void **state)
{
    const struct devices *devices = *state;
    posemb_engine *engine = NULL;
    posemb_error error;
    cl_context context;
    cl_int code;

    if (devices->sub || devices->count < 2)
        skip();
    context = clCreateContext(NULL, 1, devices->device, NULL, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    assert_int_equal(posemb_engine_create(context, devices->device[1], NULL, &engine, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_string_equal(error.message, "device is not one of the context");
    assert_null(engine);
    clReleaseContext(context);
}

/* ---- Scenes: a call, its expected results, and buffers */

struct scene {
    const struct devices *devices;
    struct stage_call call;
    posemb_plan *plans[DEVICES_MAX]; /* of each device */
    posemb_share shares[SHARES];
    posemb_args args;
    uint64_t prefix; /* bytes before each result in its buffer */
};

static void open_plans(struct scene *scene, const struct devices *devices, const posemb_desc *desc)
{
    memset(scene, 0, sizeof *scene);
    scene->devices = devices;
    for (cl_uint i = 0; i < devices->count; i++)
        scene->plans[i] = support_engine_plan(devices->engine[i], desc);
    for (uint32_t k = 0; k < SHARES; k++)
        scene->shares[k] =
            (posemb_share){.plan = scene->plans[k % devices->count], .queue = devices->queue[k]};
}

static void close_plans(struct scene *scene)
{
    for (cl_uint i = 0; i < scene->devices->count; i++)
        posemb_plan_destroy(scene->plans[i]);
}

/* Bytes that say untouched, then `size` of data; a tail is part of the data. */
static posemb_buffer upload(const struct scene *scene, const void *data, size_t size,
                            uint64_t prefix)
{
    unsigned char *bytes = malloc((size_t)prefix + size + 1);
    cl_int code;
    cl_mem mem;

    assert_non_null(bytes);
    memset(bytes, STAGE_UNTOUCHED, (size_t)prefix + size + 1);
    if (data && size)
        memcpy(bytes + prefix, data, size);
    mem = clCreateBuffer(scene->devices->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                         (size_t)prefix + size + 1, bytes, &code);
    assert_int_equal(code, CL_SUCCESS);
    free(bytes);
    return (posemb_buffer){mem, prefix};
}

static void upload_results(struct scene *scene)
{
    struct stage_call *call = &scene->call;

    scene->args.out =
        upload(scene, call->found[STAGE_OUT], call->size[STAGE_OUT] + (size_t)TAIL, scene->prefix);
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        if (call->size[i])
            *posemb__args_output(&scene->args, (enum posemb__output)i) =
                upload(scene, call->found[i], call->size[i] + (size_t)TAIL, scene->prefix);
}

static void upload_shares(struct scene *scene)
{
    for (uint32_t k = 0; k < SHARES; k++) {
        posemb_share *share = &scene->shares[k];
        uint64_t scratch = 0;

        share->record = upload(scene, NULL, sizeof(posemb_record), 16);
        assert_int_equal(posemb_record_clear(share->queue, &share->record, 0, NULL, NULL, NULL),
                         POSEMB_OK);
        assert_int_equal(clFinish(share->queue), CL_SUCCESS);
        assert_int_equal(posemb_plan_scratch_bytes(share->plan, &scene->call.shape, &scratch, NULL),
                         POSEMB_OK);
        if (scratch)
            share->scratch = upload(scene, NULL, (size_t)scratch, 4);
    }
}

/* The call has been made; its results and inputs go to buffers of their own. */
static void open_call(struct scene *scene, uint64_t prefix)
{
    struct stage_call *call = &scene->call;

    scene->prefix = prefix;
    stage_call_run_reference(call);
    memset(&scene->args, 0, sizeof scene->args);
    scene->args.shape = call->shape;
    upload_results(scene);
    for (int i = 0; i < POSEMB__INPUTS; i++)
        if (call->resolved.input[i].bytes)
            *posemb__args_input(&scene->args, (enum posemb__input)i) =
                call->in_place && i == POSEMB__ROWS
                    ? scene->args.out
                    : upload(scene, call->input[i], (size_t)call->resolved.input[i].bytes,
                             call->resolved.input[i].unit);
    upload_shares(scene);
}

static void release(posemb_buffer *buffer)
{
    if (buffer->mem)
        clReleaseMemObject(buffer->mem);
    *buffer = (posemb_buffer){NULL, 0};
}

static void release_args(struct scene *scene)
{
    for (int i = 0; i < POSEMB__INPUTS; i++)
        if (!(scene->call.in_place && i == POSEMB__ROWS))
            release(posemb__args_input(&scene->args, (enum posemb__input)i));
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        release(posemb__args_output(&scene->args, (enum posemb__output)i));
    release(&scene->args.out);
}

static void close_call(struct scene *scene)
{
    release_args(scene);
    for (uint32_t k = 0; k < SHARES; k++) {
        release(&scene->shares[k].record);
        release(&scene->shares[k].scratch);
    }
    stage_call_free(&scene->call);
}

/* What a result's buffer holds now; nothing before it was touched. */
static void download(const struct scene *scene, int result)
{
    posemb_args args = scene->args;
    const posemb_buffer *buffer =
        result == STAGE_OUT ? &args.out : posemb__args_output(&args, (enum posemb__output)result);
    unsigned char before[PREFIX_MAX];

    assert_int_equal(clEnqueueReadBuffer(scene->devices->queue[0], buffer->mem, CL_TRUE,
                                         (size_t)buffer->offset,
                                         scene->call.size[result] + (size_t)TAIL,
                                         scene->call.found[result], 0, NULL, NULL),
                     CL_SUCCESS);
    if (scene->prefix == 0)
        return;
    assert_int_equal(clEnqueueReadBuffer(scene->devices->queue[0], buffer->mem, CL_TRUE,
                                         (size_t)(buffer->offset - scene->prefix),
                                         (size_t)scene->prefix, before, 0, NULL, NULL),
                     CL_SUCCESS);
    for (uint64_t i = 0; i < scene->prefix; i++)
        assert_int_equal(before[i], STAGE_UNTOUCHED);
}

/* The first queue has been waited for, or waits now. */
static void check_results(const struct scene *scene)
{
    for (int i = 0; i < STAGE_RESULTS; i++) {
        if (!scene->call.size[i])
            continue;
        download(scene, i);
        stage_call_compare(&scene->call, i, split_case_print, &scene->call);
    }
}

static void finish(const struct scene *scene)
{
    for (cl_uint k = 0; k < SHARES; k++)
        assert_int_equal(clFinish(scene->devices->queue[k]), CL_SUCCESS);
}

/* ---- Reports */

static void check_report(const struct scene *scene, uint32_t count)
{
    posemb_report report;
    posemb_error error;

    if (posemb_split_record_read(scene->shares, count, &scene->args, 0, NULL, &report, &error) !=
        POSEMB_OK)
        fail_msg("posemb_split_record_read: %s", error.message);
    if (memcmp(&report.record, &scene->call.expected_record, sizeof report.record) != 0) {
        split_case_print(&scene->call, "record");
        fail_msg("another record");
    }
}

static void clear_records(const struct scene *scene)
{
    for (uint32_t k = 0; k < SHARES; k++)
        assert_int_equal(posemb_record_clear(scene->shares[k].queue, &scene->shares[k].record, 0,
                                             NULL, NULL, NULL),
                         POSEMB_OK);
    finish(scene);
}

/* ---- Calls of all kinds */

/* Run the call over the shares, and compare everything. Returns how many had tokens. */
static uint32_t run_scene(struct scene *scene, uint32_t count)
{
    posemb_range ranges[SHARES];
    posemb_error error;
    uint32_t parts = 0;

    assert_int_equal(posemb_split_ranges(scene->shares, count, &scene->args, ranges, NULL),
                     POSEMB_OK);
    for (uint32_t k = 0; k < count; k++)
        parts += ranges[k].rows > 0;
    start_watching();
    if (posemb_split_enqueue(scene->shares, count, &scene->args, 0, NULL, NULL, &error) !=
        POSEMB_OK) {
        split_case_print(&scene->call, "split");
        fail_msg("posemb_split_enqueue: %s", error.message);
    }
    assert_int_equal(watch.markers, parts > 1 || ranges[0].rows == 0);
    assert_true(parts > 1 ? watch.sub_buffers >= 2 * parts : watch.sub_buffers == 0);
    assert_all_released();
    assert_sub_buffers_are_apart();
    check_results(scene);
    check_report(scene, count);
    return parts;
}

static const double all_weights[][SHARES] = {{0, 0, 0}, {1, 3, 0}, {0, 1, 1}, {2, 1, 1e-9}};

/* Some calls of one description. */
static uint32_t run_desc(const struct devices *devices, struct support_random *random,
                         const posemb_desc *desc)
{
    static const uint64_t prefixes[] = {0, 128, 1024, PREFIX_MAX, 8};
    struct scene scene;
    uint32_t divided = 0;

    open_plans(&scene, devices, desc);
    for (int i = 0; i < 7; i++) {
        const uint32_t count = i == 4 ? 1 : (i % 2 ? 2 : SHARES);

        if (i > 4 && split_case_has_columns(desc))
            split_case_make_interleaved(random, desc, 5, 9, &scene.call);
        else
            split_case_make(random, desc, i == 3 ? 1 : 300, i == 3 ? 300 : 6, &scene.call);
        for (uint32_t k = 0; k < SHARES; k++)
            scene.shares[k].weight = all_weights[i % 4][k];
        open_call(&scene, prefixes[i % 5]);
        divided += run_scene(&scene, count) > 1;
        close_call(&scene);
    }
    close_plans(&scene);
    return divided;
}

static void test_divided_calls_equal_the_reference(void **state)
{
    const char *wanted = getenv("POSEMB_TEST_PROGRAMS");
    const unsigned count = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 5;
    struct support_random random = support_random_from(3);
    uint32_t divided = 0;

    for (unsigned i = 0; i < count; i++) {
        const posemb_desc desc = split_case_desc(&random);

        divided += run_desc(*state, &random, &desc);
    }
    print_message("%u programs, %u of %u calls divided\n", count, (unsigned)divided, 7 * count);
    assert_true(divided >= 2 * count);
}

/* ---- One description for all that is not about kernels */

static const posemb_desc plain = {.dim = 32, .positions = POSEMB_POSITIONS_EXPLICIT};

static struct scene open_plain(const struct devices *devices)
{
    struct support_random random = support_random_from(5);
    struct scene scene;

    open_plans(&scene, devices, &plain);
    split_case_make(&random, &plain, 1, 1, &scene.call);
    stage_call_free(&scene.call);
    scene.call.shape = (posemb_shape){.batch = 9, .length = 5, .vocab = 7};
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        scene.call.wanted[i] = false;
    stage_call_allocate(&scene.call);
    for (size_t i = 0; i < 7 * 32; i++)
        ((float *)scene.call.input[POSEMB__TABLE])[i] = support_random_float(&random);
    for (size_t i = 0; i < 45; i++) {
        stage_put_number(scene.call.input[POSEMB__IDS], i, POSEMB_INT32, (int64_t)(i * 3 % 7));
        stage_put_number(scene.call.input[POSEMB__POSITIONS], i, POSEMB_INT32, (int64_t)i * 1000);
    }
    open_call(&scene, 256);
    return scene;
}

static void close_plain(struct scene *scene)
{
    close_call(scene);
    close_plans(scene);
}

static void assert_untouched(const struct scene *scene)
{
    finish(scene);
    download(scene, STAGE_OUT);
    for (size_t i = 0; i < scene->call.size[STAGE_OUT] + TAIL; i++)
        assert_int_equal(scene->call.found[STAGE_OUT][i], STAGE_UNTOUCHED);
}

/* Nothing is enqueued; neither the event nor the output is touched; no sub-buffer is left. */
static void assert_refused(const struct scene *scene, const posemb_share *shares, uint32_t count,
                           const posemb_args *args, posemb_status status, const char *words)
{
    const cl_event untouched = (cl_event)(uintptr_t)&plain;
    posemb_error error = {.message = ""};
    cl_event event = untouched;

    start_watching();
    if (posemb_split_enqueue(shares, count, args, 0, NULL, &event, &error) != status)
        fail_msg("\"%s\": not %s where \"%s\" is expected", error.message,
                 posemb_status_name(status), words);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    assert_ptr_equal(event, untouched);
    assert_int_equal(watch.launches + watch.markers, 0);
    assert_all_released();
    assert_untouched(scene);
}

static void test_bad_shares_are_refused(void **state)
{
    struct scene scene = open_plain(*state);
    const posemb_desc other = {
        .dim = 32, .positions = POSEMB_POSITIONS_EXPLICIT, .token_scale = 2.0f};
    posemb_plan *plan = support_engine_plan(scene.devices->engine[0], &other);
    posemb_share shares[SHARES];

    assert_refused(&scene, NULL, 2, &scene.args, POSEMB_INVALID_ARGUMENT, "shares is NULL");
    assert_refused(&scene, scene.shares, 2, NULL, POSEMB_INVALID_ARGUMENT, "args is NULL");
    assert_refused(&scene, scene.shares, 0, &scene.args, POSEMB_INVALID_ARGUMENT, "0 shares");
    assert_refused(&scene, scene.shares, POSEMB_SHARES_MAX + 1, &scene.args,
                   POSEMB_INVALID_ARGUMENT, "9 shares");
    memcpy(shares, scene.shares, sizeof shares);
    shares[1].plan = NULL;
    assert_refused(&scene, shares, 2, &scene.args, POSEMB_INVALID_ARGUMENT,
                   "shares[1].plan is NULL");
    shares[1].plan = plan;
    assert_refused(&scene, shares, 2, &scene.args, POSEMB_INVALID_ARGUMENT,
                   "token_scale is not the same in shares[1].plan");
    memcpy(shares, scene.shares, sizeof shares);
    shares[1].queue = NULL;
    assert_refused(&scene, shares, 2, &scene.args, POSEMB_INVALID_ARGUMENT, "queue is NULL");
    if (scene.devices->count > 1) {
        shares[1].queue = shares[0].queue;
        assert_refused(&scene, shares, 2, &scene.args, POSEMB_QUEUE_MISMATCH, "another device");
    }
    shares[1] = scene.shares[1];
    shares[1].weight = NAN;
    assert_refused(&scene, shares, 2, &scene.args, POSEMB_INVALID_ARGUMENT, "shares[1].weight");
    posemb_plan_destroy(plan);
    close_plain(&scene);
}

static void test_plans_of_two_contexts_are_refused(void **state)
{
    struct scene scene = open_plain(*state);
    cl_device_id device = scene.devices->device[0];
    cl_int code;
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
    posemb_share shares[] = {scene.shares[0], scene.shares[1]};
    posemb_engine *engine;
    posemb_plan *plan;

    assert_int_equal(posemb_engine_create(context, device, NULL, &engine, NULL), POSEMB_OK);
    plan = support_engine_plan(engine, &plain);
    shares[1].plan = plan;
    shares[1].queue = queue;
    assert_refused(&scene, shares, 2, &scene.args, POSEMB_INVALID_ARGUMENT, "another context");
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    close_plain(&scene);
}

static void test_bad_arguments_are_refused(void **state)
{
    struct scene scene = open_plain(*state);
    const posemb_args good = scene.args;
    posemb_share shares[SHARES];
    posemb_args args = good;

    memcpy(shares, scene.shares, sizeof shares);
    args.ids.mem = NULL;
    assert_refused(&scene, shares, 2, &args, POSEMB_INVALID_ARGUMENT, "ids.mem is NULL");
    args = good;
    args.positions.offset = 1;
    assert_refused(&scene, shares, 2, &args, POSEMB_INVALID_ARGUMENT, "positions.offset is 1");
    args = good;
    args.out.offset += 256;
    assert_refused(&scene, shares, 2, &args, POSEMB_BUFFER_TOO_SMALL, "out has");
    args = good;
    args.shape.vocab = 0;
    assert_refused(&scene, shares, 2, &args, POSEMB_INVALID_ARGUMENT, "vocab is 0");
    args = good;
    args.mean_out = good.out;
    assert_refused(&scene, shares, 2, &args, POSEMB_INVALID_ARGUMENT, "mean_out is given");
    args = good;
    args.record = shares[0].record;
    assert_refused(&scene, shares, 2, &args, POSEMB_INVALID_ARGUMENT, "args->record is given");
    shares[1].record.offset += 2;
    assert_refused(&scene, shares, 2, &good, POSEMB_INVALID_ARGUMENT, "shares[1].record.offset");
    shares[1].record.offset += 1022;
    assert_refused(&scene, shares, 2, &good, POSEMB_BUFFER_TOO_SMALL, "shares[1].record has");
    shares[1].record = shares[0].record;
    assert_refused(&scene, shares, 2, &good, POSEMB_UNSUPPORTED,
                   "record of shares[0] and record of shares[1] lie in one buffer");
    close_plain(&scene);
}

static void test_scratch_is_each_shares_own(void **state)
{
    static const posemb_desc counting = {.dim = 32,
                                         .operation = POSEMB_TABLE,
                                         .positions = POSEMB_POSITIONS_COUNT,
                                         .padding = POSEMB_PADDING_MASK,
                                         .padding_type = POSEMB_UINT8};
    const struct devices *devices = *state;
    struct scene scene;

    open_plans(&scene, devices, &counting);
    assert_int_equal(posemb_desc_resolve(&counting, &scene.call.desc, NULL), POSEMB_OK);
    scene.call.shape = (posemb_shape){.batch = 3, .length = 5000};
    stage_call_allocate(&scene.call);
    for (size_t i = 0; i < 15000; i++)
        ((uint8_t *)scene.call.input[POSEMB__PADDING])[i] = i % 3 != 0;
    open_call(&scene, 128);
    assert_non_null(scene.shares[1].scratch.mem);
    {
        posemb_share shares[] = {scene.shares[0], scene.shares[1]};

        shares[1].scratch.mem = NULL;
        assert_refused(&scene, shares, 2, &scene.args, POSEMB_INVALID_ARGUMENT,
                       "shares[1].scratch.mem is NULL");
        shares[1].scratch = shares[0].scratch;
        assert_refused(&scene, shares, 2, &scene.args, POSEMB_UNSUPPORTED,
                       "scratch of shares[0] and scratch of shares[1]");
    }
    assert_int_equal(run_scene(&scene, SHARES), SHARES);
    close_call(&scene);
    close_plans(&scene);
}

/* ---- Failures of the driver */

static void test_a_sub_buffer_that_fails_undoes_all(void **state)
{
    struct scene scene = open_plain(*state);

    for (unsigned failing = 1; failing <= 4; failing++) { /* two records, two outputs */
        posemb_error error;

        start_watching();
        watch.fail_sub_buffer = failing;
        assert_int_equal(posemb_split_enqueue(scene.shares, 2, &scene.args, 0, NULL, NULL, &error),
                         POSEMB_OUT_OF_MEMORY);
        assert_non_null(strstr(error.message, "clCreateSubBuffer"));
        assert_int_equal(watch.launches, 0);
        assert_all_released();
    }
    assert_untouched(&scene);
    assert_int_equal(run_scene(&scene, 2), 2);
    assert_int_equal(watch.sub_buffers, 4);
    close_plain(&scene);
}

/* What was launched before runs; the call can be made again. */
static void test_a_launch_that_fails_is_reported(void **state)
{
    struct scene scene = open_plain(*state);

    for (unsigned failing = 1; failing <= 3; failing++) {
        const cl_event untouched = (cl_event)(uintptr_t)&plain;
        cl_event event = untouched;
        posemb_error error;

        start_watching();
        watch.fail_launch = failing;
        watch.fail_marker = failing == 3;
        assert_int_not_equal(
            posemb_split_enqueue(scene.shares, 2, &scene.args, 0, NULL, &event, &error), POSEMB_OK);
        assert_true(error.cl_code == (failing < 3 ? CL_OUT_OF_RESOURCES : CL_OUT_OF_HOST_MEMORY));
        assert_ptr_equal(event, untouched);
        assert_all_released();
        if (failing == 1)
            assert_untouched(&scene);
        finish(&scene);
    }
    assert_int_equal(run_scene(&scene, 2), 2);
    close_plain(&scene);
}

/* ---- Events */

static cl_int status_of(cl_event event)
{
    cl_int status = CL_QUEUED;

    assert_int_equal(
        clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL),
        CL_SUCCESS);
    return status;
}

static void check_events(struct scene *scene, uint32_t count)
{
    cl_int code;
    cl_event gate = clCreateUserEvent(scene->devices->context, &code);
    cl_event event = NULL;

    assert_int_equal(code, CL_SUCCESS);
    assert_int_equal(
        posemb_split_enqueue(scene->shares, count, &scene->args, 1, &gate, &event, NULL),
        POSEMB_OK);
    assert_non_null(event);
    assert_int_not_equal(status_of(event), CL_COMPLETE);
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    assert_int_equal(clWaitForEvents(1, &event), CL_SUCCESS);
    check_results(scene);
    clReleaseEvent(event);
    clReleaseEvent(gate);
}

static void test_events_order_in_order_queues(void **state)
{
    struct scene scene = open_plain(*state);

    for (uint32_t count = 1; count <= SHARES; count++)
        check_events(&scene, count);
    close_plain(&scene);
}

static void test_events_order_out_of_order_queues(void **state)
{
    struct scene scene = open_plain(*state);
    cl_int code = CL_SUCCESS;

    for (uint32_t k = 0; code == CL_SUCCESS && k < SHARES; k++)
        scene.shares[k].queue = clCreateCommandQueue(
            scene.devices->context, scene.devices->device[k % scene.devices->count],
            CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    assert_int_equal(code, CL_SUCCESS);
    for (uint32_t count = 1; count <= SHARES; count++)
        check_events(&scene, count);
    for (uint32_t k = 0; k < SHARES; k++)
        clReleaseCommandQueue(scene.shares[k].queue);
    close_plain(&scene);
}

/* Without an event: a read on the first queue comes after the parts of all. */
static void test_the_first_queue_comes_after_all_parts(void **state)
{
    struct scene scene = open_plain(*state);

    for (int i = 0; i < 20; i++) {
        clear_records(&scene);
        assert_int_equal(run_scene(&scene, SHARES), SHARES); /* reads on queue 0 */
    }
    for (uint32_t k = 0; k < SHARES; k++)
        scene.shares[k].weight = k == 1; /* a part of another queue alone */
    clear_records(&scene);
    assert_int_equal(run_scene(&scene, SHARES), 1);
    close_plain(&scene);
}

static void test_no_tokens_complete_the_event(void **state)
{
    struct scene scene = open_plain(*state);
    const posemb_args nothing = {.shape = {.batch = 0, .length = 5}};
    posemb_range ranges[SHARES];
    cl_event event = NULL;

    start_watching();
    assert_int_equal(posemb_split_enqueue(scene.shares, 2, &nothing, 0, NULL, &event, NULL),
                     POSEMB_OK);
    assert_int_equal(watch.launches, 0);
    assert_int_equal(clWaitForEvents(1, &event), CL_SUCCESS);
    clReleaseEvent(event);
    assert_int_equal(posemb_split_ranges(scene.shares, 2, &nothing, ranges, NULL), POSEMB_OK);
    assert_true(ranges[0].rows == 0 && ranges[1].rows == 0);
    assert_int_equal(posemb_split_ranges(scene.shares, 2, &nothing, NULL, NULL),
                     POSEMB_INVALID_ARGUMENT);
    assert_untouched(&scene);
    close_plain(&scene);
}

static void test_a_wait_list_has_a_length_or_neither(void **state)
{
    struct scene scene = open_plain(*state);

    assert_int_equal(posemb_split_enqueue(scene.shares, 2, &scene.args, 1, NULL, NULL, NULL),
                     POSEMB_INVALID_ARGUMENT);
    assert_untouched(&scene);
    close_plain(&scene);
}

static void test_buffers_may_go_right_after_the_call(void **state)
{
    struct scene scene = open_plain(*state);
    const cl_mem out = scene.args.out.mem;
    const posemb_buffer place = scene.args.out;

    clRetainMemObject(out);
    assert_int_equal(posemb_split_enqueue(scene.shares, SHARES, &scene.args, 0, NULL, NULL, NULL),
                     POSEMB_OK);
    release_args(&scene);
    scene.args.out = place;
    check_results(&scene);
    close_plain(&scene);
}

/* ---- Places */

/* Every buffer of the call in one cl_mem, `step` bytes or a multiple of it apart. */
static cl_mem make_arena(struct scene *scene, uint64_t step)
{
    const uint64_t sizes[] = {45 * 4, 45 * 4, 7 * 128, scene->call.size[STAGE_OUT]};
    posemb_buffer *const buffers[] = {&scene->args.ids, &scene->args.positions, &scene->args.table,
                                      &scene->args.out};
    unsigned char bytes[16384];
    uint64_t end = 0;
    cl_int code;
    cl_mem mem;

    memset(bytes, STAGE_UNTOUCHED, sizeof bytes);
    release_args(scene);
    for (int i = 0; i < 4; i++) {
        const void *data[] = {scene->call.input[POSEMB__IDS], scene->call.input[POSEMB__POSITIONS],
                              scene->call.input[POSEMB__TABLE], NULL};

        buffers[i]->offset = end;
        if (data[i])
            memcpy(bytes + end, data[i], (size_t)sizes[i]);
        end = (end + sizes[i] + step - 1) / step * step;
    }
    assert_true(end + TAIL <= sizeof bytes);
    mem = clCreateBuffer(scene->devices->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                         sizeof bytes, bytes, &code);
    assert_int_equal(code, CL_SUCCESS);
    for (int i = 0; i < 4; i++)
        buffers[i]->mem = mem;
    scene->prefix = 0;
    return mem;
}

static void forget_args(struct scene *scene)
{
    scene->args.ids.mem = NULL;
    scene->args.positions.mem = NULL;
    scene->args.table.mem = NULL;
    scene->args.out.mem = NULL;
}

static void test_all_buffers_may_be_one(void **state)
{
    struct scene scene = open_plain(*state);
    cl_mem arena = make_arena(&scene, 128);

    start_watching();
    assert_int_equal(posemb_split_enqueue(scene.shares, 2, &scene.args, 0, NULL, NULL, NULL),
                     POSEMB_OK);
    assert_int_equal(watch.sub_buffers, 2 * (1 + 1 + 3)); /* output, record, inputs */
    assert_all_released();
    check_results(&scene);
    forget_args(&scene);
    clReleaseMemObject(arena);
    close_plain(&scene);
}

static void test_buffers_that_lie_too_close_are_refused(void **state)
{
    struct scene scene = open_plain(*state);
    cl_mem arena = make_arena(&scene, 4); /* the output begins 36 bytes behind a multiple */
    const uint64_t offset = scene.args.out.offset;
    posemb_error error = {.message = ""};

    assert_int_equal(offset % 128, 104);
    scene.args.out.offset = (offset + 127) / 128 * 128 + 100;
    scene.args.shape.out_stride = 256; /* with gaps that parts can begin in */
    start_watching();
    assert_int_equal(posemb_split_enqueue(scene.shares, 2, &scene.args, 0, NULL, NULL, NULL),
                     POSEMB_OK);
    scene.args.shape.out_batch_stride = 0;
    scene.args.shape.out_stride = 0;
    scene.args.table.offset += 4; /* ends where the output begins, 100 bytes behind a multiple */
    scene.args.out.offset = scene.args.table.offset + 7 * 128;
    scene.args.shape.out_batch_stride = 5 * 128 + 128;
    start_watching();
    assert_int_equal(posemb_split_enqueue(scene.shares, 2, &scene.args, 0, NULL, NULL, &error),
                     POSEMB_UNSUPPORTED);
    assert_non_null(strstr(error.message, "out of shares[0] and table of shares[0] lie in one"));
    assert_non_null(strstr(error.message, "multiples of"));
    assert_int_equal(watch.launches + watch.sub_buffers, 0);
    finish(&scene);
    forget_args(&scene);
    clReleaseMemObject(arena);
    close_plain(&scene);
}

static void test_buffers_may_be_sub_buffers(void **state)
{
    struct scene scene = open_plain(*state);
    const cl_buffer_region region = {128, scene.call.size[STAGE_OUT] + 128 + TAIL};
    const posemb_buffer whole = scene.args.out;
    cl_int code;
    cl_mem sub_buffer =
        __real_clCreateSubBuffer(whole.mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);

    assert_int_equal(code, CL_SUCCESS);
    scene.args.out = (posemb_buffer){sub_buffer, 128}; /* 256 of the whole */
    start_watching();
    assert_int_equal(posemb_split_enqueue(scene.shares, SHARES, &scene.args, 0, NULL, NULL, NULL),
                     POSEMB_OK);
    assert_int_equal(watch.sub_buffers, 2 * SHARES);
    assert_int_equal(clFinish(scene.devices->queue[0]), CL_SUCCESS);
    scene.args.out = whole;
    check_results(&scene);
    clReleaseMemObject(sub_buffer);
    close_plain(&scene);
}

/* ---- Shares */

static void test_more_shares_than_rows(void **state)
{
    struct scene scene = open_plain(*state);

    scene.args.shape.batch = 2;
    assert_int_equal(posemb_split_enqueue(scene.shares, SHARES, &scene.args, 0, NULL, NULL, NULL),
                     POSEMB_OK);
    finish(&scene);
    download(&scene, STAGE_OUT);
    assert_memory_equal(scene.call.found[STAGE_OUT], scene.call.expected[STAGE_OUT], 2 * 5 * 128);
    for (size_t i = 2 * 5 * 128; i < scene.call.size[STAGE_OUT] + TAIL; i++)
        assert_int_equal(scene.call.found[STAGE_OUT][i], STAGE_UNTOUCHED);
    close_plain(&scene);
}

static void test_as_many_shares_as_there_may_be(void **state)
{
    struct scene scene = open_plain(*state);
    posemb_share shares[POSEMB_SHARES_MAX];
    posemb_range ranges[POSEMB_SHARES_MAX];

    for (uint32_t k = 0; k < POSEMB_SHARES_MAX; k++) {
        shares[k] = scene.shares[k % SHARES];
        shares[k].record.mem = NULL;
    }
    assert_int_equal(posemb_split_ranges(shares, POSEMB_SHARES_MAX, &scene.args, ranges, NULL),
                     POSEMB_OK);
    for (uint32_t k = 0; k < POSEMB_SHARES_MAX; k++)
        assert_true(ranges[k].rows >= 1 && ranges[k].rows <= 2);
    assert_int_equal(
        posemb_split_enqueue(shares, POSEMB_SHARES_MAX, &scene.args, 0, NULL, NULL, NULL),
        POSEMB_OK);
    check_results(&scene);
    close_plain(&scene);
}

/* ---- Records */

static void test_reports_have_the_values_of_the_whole_call(void **state)
{
    struct scene scene = open_plain(*state);
    int32_t *ids = scene.call.input[POSEMB__IDS];
    int32_t *positions = scene.call.input[POSEMB__POSITIONS];
    posemb_report report;

    ids[38] = -5; /* share 2 of three */
    ids[44] = 99;
    positions[27] = INT32_MIN; /* with the start below the range: share 1 */
    scene.call.shape.start = -1;
    release_args(&scene);
    for (uint32_t k = 0; k < SHARES; k++) {
        release(&scene.shares[k].record);
        release(&scene.shares[k].scratch);
    }
    memset(scene.call.found[STAGE_OUT], STAGE_UNTOUCHED, scene.call.size[STAGE_OUT]);
    open_call(&scene, 128);
    assert_int_equal(run_scene(&scene, SHARES), SHARES);
    assert_int_equal(
        posemb_split_record_read(scene.shares, SHARES, &scene.args, 0, NULL, &report, NULL),
        POSEMB_OK);
    assert_int_equal(report.record.id_count, 2);
    assert_int_equal(report.record.id_first, 38);
    assert_int_equal(report.first_id, -5);
    assert_int_equal(report.record.position_count, 1);
    assert_int_equal(report.record.position_first, 27);
    assert_int_equal(report.first_position, INT32_MIN);
    close_plain(&scene);
}

static void test_bad_reads_are_refused(void **state)
{
    struct scene scene = open_plain(*state);
    posemb_share shares[] = {scene.shares[0], scene.shares[1]};
    posemb_error error;
    posemb_report report;

    memset(&report, 0x5a, sizeof report);
    shares[1].record.mem = NULL;
    assert_int_equal(posemb_split_record_read(shares, 2, &scene.args, 0, NULL, &report, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_string_equal(error.message, "shares[1].record.mem is NULL");
    for (size_t i = 0; i < sizeof report; i++)
        assert_int_equal(((unsigned char *)&report)[i], 0x5a);
    shares[1].weight = -1.0;
    assert_int_equal(posemb_split_record_read(shares, 2, &scene.args, 0, NULL, &report, NULL),
                     POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_split_record_read(scene.shares, 2, &scene.args, 0, NULL, NULL, NULL),
                     POSEMB_INVALID_ARGUMENT);
    close_plain(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_device_of_another_context_is_refused),
        cmocka_unit_test(test_divided_calls_equal_the_reference),
        cmocka_unit_test(test_bad_shares_are_refused),
        cmocka_unit_test(test_plans_of_two_contexts_are_refused),
        cmocka_unit_test(test_bad_arguments_are_refused),
        cmocka_unit_test(test_scratch_is_each_shares_own),
        cmocka_unit_test(test_a_sub_buffer_that_fails_undoes_all),
        cmocka_unit_test(test_a_launch_that_fails_is_reported),
        cmocka_unit_test(test_events_order_in_order_queues),
        cmocka_unit_test(test_events_order_out_of_order_queues),
        cmocka_unit_test(test_the_first_queue_comes_after_all_parts),
        cmocka_unit_test(test_no_tokens_complete_the_event),
        cmocka_unit_test(test_a_wait_list_has_a_length_or_neither),
        cmocka_unit_test(test_buffers_may_go_right_after_the_call),
        cmocka_unit_test(test_all_buffers_may_be_one),
        cmocka_unit_test(test_buffers_that_lie_too_close_are_refused),
        cmocka_unit_test(test_buffers_may_be_sub_buffers),
        cmocka_unit_test(test_more_shares_than_rows),
        cmocka_unit_test(test_as_many_shares_as_there_may_be),
        cmocka_unit_test(test_reports_have_the_values_of_the_whole_call),
        cmocka_unit_test(test_bad_reads_are_refused),
    };

    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
