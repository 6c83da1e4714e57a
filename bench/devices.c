/* One call over several devices, in turn with the same call on each alone. */
#include "devices.h"

#include "bench.h"
#include "cl_error.h"
#include "clock.h"
#include "status.h"
#include "xorshift.h"

#include <stdlib.h>
#include <string.h>

const char *const bench_devices_names[BENCH_DEVICES_KINDS] = {"devices of the platform",
                                                              "sub-devices"};

enum {
    CANDIDATES = POSEMB_SHARES_MAX + 2, /* each device alone, the whole device, the split */
    SETS = 8,                           /* of ids, so that cold rows stay cold */
    WARMUPS = 9,                        /* rounds that weigh the devices */
    REPEATS_MIN = 15,
    REPEATS_MAX = 200,
    LAUNCHES_MAX = 256
};

static const double sample_seconds = 2e-3;
static const double all_seconds = 6.0;

struct run {
    posemb_desc desc;
    posemb_shape shape;
    uint64_t tokens;
    uint32_t count; /* of shares */
    uint32_t
        candidates; /* shares alone, then the whole device where there is one, then the split */
    cl_device_id devices[POSEMB_SHARES_MAX + 1]; /* the last may be the whole device */
    cl_uint device_count;
    bool owns_devices; /* sub-devices */
    cl_context context;
    posemb_engine *engines[POSEMB_SHARES_MAX + 1];
    posemb_plan *plans[POSEMB_SHARES_MAX + 1];
    posemb_share shares[POSEMB_SHARES_MAX + 1];
    float *table;
    int32_t *ids;
    float *expected;
    float *found;
    cl_mem device_table;
    cl_mem device_ids;
    cl_mem device_out;
    uint32_t next_set;
    uint32_t launches;
    double samples[CANDIDATES][REPEATS_MAX];
};

/* ---- Devices */

static posemb_status find_platform_devices(struct run *run, const posemb_device_info *device,
                                           const char **skipped, posemb_error *error)
{
    posemb_device_info all[64];
    size_t count;
    const posemb_status status = posemb_devices_list(all, 64, &count, error);

    if (status != POSEMB_OK)
        return status;
    for (size_t i = 0; i < count && i < 64 && run->count < POSEMB_SHARES_MAX; i++)
        if (all[i].platform == device->platform)
            run->devices[run->count++] = all[i].device;
    run->device_count = run->count;
    if (run->count < 2)
        *skipped = "the platform has one device";
    return POSEMB_OK;
}

/* Whether drivers say that they can cut a device into equal parts: one that cannot dies of it. */
static bool can_partition(cl_device_id device)
{
    cl_device_partition_property properties[16] = {0};
    cl_uint most = 0;
    size_t size = 0;

    if (clGetDeviceInfo(device, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof most, &most, NULL) !=
            CL_SUCCESS ||
        clGetDeviceInfo(device, CL_DEVICE_PARTITION_PROPERTIES, sizeof properties, properties,
                        &size) != CL_SUCCESS)
        return false;
    for (size_t i = 0; most > 1 && i < size / sizeof *properties; i++)
        if (properties[i] == CL_DEVICE_PARTITION_EQUALLY)
            return true;
    return false;
}

/* Halves of the device, and behind them the whole. */
static void find_sub_devices(struct run *run, const posemb_device_info *device,
                             const char **skipped)
{
    const cl_device_partition_property halves[] = {
        CL_DEVICE_PARTITION_EQUALLY, (cl_device_partition_property)(device->compute_units / 2), 0};
    cl_uint found = 0;

    if (device->compute_units < 2 || device->compute_units % 2 != 0)
        *skipped = "its compute units have no halves";
    else if (!can_partition(device->device) ||
             clCreateSubDevices(device->device, halves, 2, run->devices, &found) != CL_SUCCESS ||
             found != 2)
        *skipped = "it cannot be partitioned";
    run->count = found;
    run->owns_devices = true;
    run->devices[found] = device->device;
    run->device_count = found + 1;
}

static posemb_status open_share(struct run *run, cl_uint i, posemb_error *error)
{
    posemb_share *share = &run->shares[i];
    cl_int code;
    posemb_status status =
        posemb_engine_create(run->context, run->devices[i], NULL, &run->engines[i], error);

    if (status == POSEMB_OK)
        status = posemb_plan_create(run->engines[i], &run->desc, &run->plans[i], error);
    share->plan = run->plans[i];
    if (status != POSEMB_OK)
        return status;
    share->queue = clCreateCommandQueue(run->context, run->devices[i], 0, &code);
    if (!share->queue)
        return posemb__cl_fail(error, code, "clCreateCommandQueue");
    return posemb_plan_warmup(run->plans[i], share->queue, NULL, error);
}

static posemb_status open_devices(struct run *run, posemb_error *error)
{
    posemb_status status = POSEMB_OK;
    cl_int code;

    run->context = clCreateContext(NULL, run->device_count, run->devices, NULL, NULL, &code);
    if (!run->context)
        return posemb__cl_fail(error, code, "clCreateContext");
    for (cl_uint i = 0; status == POSEMB_OK && i < run->device_count; i++)
        status = open_share(run, i, error);
    return status;
}

static void close_devices(struct run *run)
{
    for (cl_uint i = 0; i < run->device_count; i++) {
        posemb_plan_destroy(run->plans[i]);
        posemb_engine_destroy(run->engines[i]);
        if (run->shares[i].queue)
            clReleaseCommandQueue(run->shares[i].queue);
    }
    if (run->context)
        clReleaseContext(run->context);
    for (uint32_t k = 0; run->owns_devices && k < run->count; k++)
        clReleaseDevice(run->devices[k]);
}

/* ---- Data */

static void fill(struct run *run)
{
    const uint64_t floats = run->shape.vocab * run->desc.dim;
    uint64_t state = 0x9e3779b97f4a7c15u;

    for (uint64_t i = 0; i < floats; i++)
        run->table[i] = (float)(int32_t)(xorshift_next(&state) >> 32) * 0x1p-31f;
    for (uint64_t i = 0; i < SETS * run->tokens; i++)
        run->ids[i] = (int32_t)(xorshift_next(&state) % run->shape.vocab);
}

static cl_mem make_buffer(const struct run *run, void *data, size_t size, cl_int *code)
{
    if (*code != CL_SUCCESS)
        return NULL;
    return clCreateBuffer(run->context,
                          CL_MEM_READ_WRITE | (data ? CL_MEM_COPY_HOST_PTR : (cl_mem_flags)0), size,
                          data, code);
}

static posemb_status open_data(struct run *run, posemb_error *error)
{
    const size_t table = (size_t)(run->shape.vocab * run->desc.dim) * sizeof(float);
    const size_t out = (size_t)(run->tokens * run->desc.dim) * sizeof(float);
    const size_t ids = (size_t)(SETS * run->tokens) * sizeof(int32_t);
    cl_int code = CL_SUCCESS;

    run->table = malloc(table);
    run->ids = malloc(ids);
    run->expected = malloc(out);
    run->found = malloc(out);
    if (!run->table || !run->ids || !run->expected || !run->found)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a table of %zu bytes",
                            table);
    fill(run);
    run->device_table = make_buffer(run, run->table, table, &code);
    run->device_ids = make_buffer(run, run->ids, ids, &code);
    run->device_out = make_buffer(run, NULL, out, &code);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clCreateBuffer");
}

static void close_data(struct run *run)
{
    const cl_mem buffers[] = {run->device_table, run->device_ids, run->device_out};

    for (int i = 0; i < 3; i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    free(run->table);
    free(run->ids);
    free(run->expected);
    free(run->found);
}

static posemb_args args_of(const struct run *run, uint32_t set)
{
    return (posemb_args){.shape = run->shape,
                         .ids = {run->device_ids, set % SETS * run->tokens * sizeof(int32_t)},
                         .table = {run->device_table, 0},
                         .out = {run->device_out, 0}};
}

/* ---- Measuring */

static bool is_split(const struct run *run, uint32_t candidate)
{
    return candidate + 1 == run->candidates;
}

static posemb_status launch(const struct run *run, uint32_t candidate, uint32_t set,
                            posemb_error *error)
{
    const posemb_args args = args_of(run, set);
    const posemb_share *share = &run->shares[candidate];

    if (is_split(run, candidate))
        return posemb_split_enqueue(run->shares, run->count, &args, 0, NULL, NULL, error);
    return posemb_enqueue(share->plan, share->queue, &args, 0, NULL, NULL, error);
}

/* The first queue is the last to be done with a split call. */
static void finish(const struct run *run, uint32_t candidate)
{
    clFinish(run->shares[is_split(run, candidate) ? 0 : candidate].queue);
}

static posemb_status sample(struct run *run, uint32_t candidate, double *seconds,
                            posemb_error *error)
{
    const double begin = clock_seconds();
    posemb_status status = POSEMB_OK;

    for (uint32_t i = 0; status == POSEMB_OK && i < run->launches; i++)
        status = launch(run, candidate, run->next_set++, error);
    finish(run, candidate);
    *seconds = (clock_seconds() - begin) / run->launches;
    return status;
}

static posemb_status sample_all(struct run *run, uint32_t repeat, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (uint32_t i = 0; status == POSEMB_OK && i < run->candidates; i++) {
        const uint32_t candidate = (i + repeat) % run->candidates;

        status = sample(run, candidate, &run->samples[candidate][repeat], error);
    }
    return status;
}

/* Every candidate's output is that of the reference. */
static posemb_status verify(struct run *run, size_t *differing, posemb_error *error)
{
    const size_t floats = (size_t)(run->tokens * run->desc.dim);
    const posemb_host_args host = {
        .shape = run->shape, .ids = run->ids, .table = run->table, .out = run->expected};
    posemb_status status = posemb_reference_run(&run->desc, &host, error);

    for (uint32_t c = 0; status == POSEMB_OK && c < run->candidates; c++) {
        const cl_command_queue queue = run->shares[is_split(run, c) ? 0 : c].queue;
        const float nothing = 0.0f;
        cl_int code = clEnqueueFillBuffer(queue, run->device_out, &nothing, sizeof nothing, 0,
                                          floats * sizeof(float), 0, NULL, NULL);

        clFinish(queue);
        status = launch(run, c, 0, error);
        if (status != POSEMB_OK)
            break;
        if (code == CL_SUCCESS)
            code = clEnqueueReadBuffer(queue, run->device_out, CL_TRUE, 0, floats * sizeof(float),
                                       run->found, 0, NULL, NULL);
        if (code != CL_SUCCESS)
            return posemb__cl_fail(error, code, "reading an output");
        *differing += posemb_compare_bits(run->found, run->expected, floats, NULL);
    }
    return status;
}

/* The rates of the devices, each alone. */
static void weigh(struct run *run, struct bench_devices *result)
{
    double sum = 0.0;

    for (uint32_t k = 0; k < run->count; k++)
        sum += 1.0 / samples_smallest(run->samples[k], WARMUPS);
    for (uint32_t k = 0; k < run->count; k++) {
        result->weights[k] = 1.0 / samples_smallest(run->samples[k], WARMUPS) / sum;
        run->shares[k].weight = result->weights[k];
    }
}

static posemb_status warm_up(struct run *run, struct bench_devices *result, posemb_error *error)
{
    posemb_status status = POSEMB_OK;
    double round = 0.0;
    double wanted;

    run->launches = 1;
    for (uint32_t i = 0; status == POSEMB_OK && i < WARMUPS; i++)
        status = sample_all(run, i, error);
    if (status != POSEMB_OK)
        return status;
    weigh(run, result);
    wanted = sample_seconds / samples_smallest(run->samples[0], WARMUPS) + 1.0;
    run->launches = wanted < LAUNCHES_MAX ? (uint32_t)wanted : LAUNCHES_MAX;
    for (uint32_t c = 0; c < run->candidates; c++)
        round += samples_smallest(run->samples[c], WARMUPS) * run->launches;
    wanted = all_seconds / round;
    result->repeats = wanted < REPEATS_MIN ? REPEATS_MIN : REPEATS_MAX;
    if (wanted > REPEATS_MIN && wanted < REPEATS_MAX)
        result->repeats = (uint32_t)wanted;
    return POSEMB_OK;
}

static void summarize(const struct run *run, struct bench_devices *result)
{
    result->launches = run->launches;
    for (uint32_t k = 0; k < run->count; k++) {
        result->alone_seconds[k] = samples_smallest(run->samples[k], result->repeats);
        if (k == 0 || result->alone_seconds[k] < result->single_seconds)
            result->single_seconds = result->alone_seconds[k];
    }
    if (run->device_count > run->count)
        result->whole_seconds = samples_smallest(run->samples[run->count], result->repeats);
    result->seconds = samples_smallest(run->samples[run->candidates - 1], result->repeats);
}

static posemb_status measure(struct run *run, struct bench_devices *result, posemb_error *error)
{
    posemb_status status = verify(run, &result->differing, error);

    if (status == POSEMB_OK && result->differing == 0)
        status = warm_up(run, result, error);
    if (status == POSEMB_OK && result->differing == 0) /* with the weights that are measured */
        status = verify(run, &result->differing, error);
    for (uint32_t i = 0; status == POSEMB_OK && result->differing == 0 && i < result->repeats; i++)
        status = sample_all(run, i, error);
    if (status == POSEMB_OK && result->differing == 0)
        summarize(run, result);
    return status;
}

posemb_status bench_devices_run(posemb_session *session, enum bench_devices_kind kind,
                                const uint32_t shape[3], struct bench_devices *result,
                                posemb_error *error)
{
    const posemb_device_info *device = posemb_session_device(session);
    const uint64_t tokens = (uint64_t)shape[0] * shape[1];
    struct run *run = calloc(1, sizeof *run);
    posemb_status status = POSEMB_OK;

    memset(result, 0, sizeof *result);
    if (!run)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for samples");
    run->desc = (posemb_desc){.dim = shape[2], .consumer = POSEMB_CONSUMER_STREAMED};
    run->shape = (posemb_shape){.batch = shape[0], .length = shape[1], .vocab = BENCH_TABLE_ROWS};
    run->tokens = tokens;
    if (kind == BENCH_PLATFORM_DEVICES)
        status = find_platform_devices(run, device, &result->skipped, error);
    else
        find_sub_devices(run, device, &result->skipped);
    run->candidates = run->device_count + 1;
    result->count = run->count;
    for (uint32_t k = 0; k < run->count; k++)
        clGetDeviceInfo(run->devices[k], CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint),
                        &result->compute_units[k], NULL);
    if (status == POSEMB_OK && !result->skipped)
        status = open_devices(run, error);
    if (status == POSEMB_OK && !result->skipped)
        status = open_data(run, error);
    if (status == POSEMB_OK && !result->skipped)
        status = measure(run, result, error);
    close_data(run);
    close_devices(run);
    free(run);
    return status;
}
