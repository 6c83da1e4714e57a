/* The data of one case. Random payloads from a fixed seed, so that every run measures the same. */
#include "workload.h"

#include "clock.h"
#include "desc.h"
#include "status.h"
#include "storage.h"
#include "stream.h"
#include "xorshift.h"

#include <stdlib.h>
#include <string.h>

/* What copies of whole vectors may read and write beyond. */
enum { WORKLOAD_PADDING = STREAM_PADDING };

/* Rows that hot ids choose from. */
static const uint32_t hot_rows = 256;

static void fill_table(float *table, size_t count, uint64_t *state)
{
    for (size_t i = 0; i < count; i++)
        table[i] = (float)(int32_t)(xorshift_next(state) >> 32) * 0x1p-31f;
}

/* Ids that cycle over a random order of all rows, or over the first few rows of that order. */
static posemb_status fill_ids(struct workload *workload, bool hot, uint64_t *state,
                              posemb_error *error)
{
    const uint32_t rows = (uint32_t)workload->shape.vocab;
    const uint32_t used = hot && rows > hot_rows ? hot_rows : rows;
    int32_t *order = malloc(rows * sizeof *order);

    if (!order)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %u ids", rows);
    for (uint32_t i = 0; i < rows; i++)
        order[i] = (int32_t)i;
    for (uint32_t i = rows - 1; i > 0; i--) {
        const uint32_t j = (uint32_t)(xorshift_next(state) % (i + 1));
        const int32_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
    for (uint64_t i = 0; i < WORKLOAD_SETS * workload->tokens; i++)
        workload->ids[i] = order[i % used];
    free(order);
    return POSEMB_OK;
}

static void describe(struct workload *workload, const struct bench_case *bench_case)
{
    workload->tokens = (uint64_t)bench_case->batch * bench_case->length;
    workload->desc = (posemb_desc){
        .dim = bench_case->dim,
        .operation = bench_case->operation,
        .positions =
            bench_case->explicit_positions ? POSEMB_POSITIONS_EXPLICIT : POSEMB_POSITIONS_INDEX,
        .position_type = POSEMB_INT64,
        .consumer = bench_case->with_reader ? POSEMB_CONSUMER_FOLLOWS : POSEMB_CONSUMER_STREAMED,
        .token_scale = 1.5f,
    };
    workload->shape = (posemb_shape){
        .batch = bench_case->batch,
        .length = bench_case->length,
        .vocab = workload->tokens > BENCH_TABLE_ROWS ? workload->tokens : BENCH_TABLE_ROWS,
    };
    workload->out_bytes = (size_t)workload->tokens * bench_case->dim * sizeof(float);
    workload->table_bytes = (size_t)workload->shape.vocab * bench_case->dim * sizeof(float);
}

static posemb_status fill(struct workload *workload, bool hot, posemb_error *error)
{
    uint64_t state = 0x9e3779b97f4a7c15u;

    workload->table = malloc(workload->table_bytes + WORKLOAD_PADDING);
    workload->ids = malloc(WORKLOAD_SETS * (size_t)workload->tokens * sizeof *workload->ids);
    workload->positions = malloc((size_t)workload->tokens * sizeof *workload->positions);
    workload->out = malloc(workload->out_bytes);
    workload->expected = malloc(workload->out_bytes);
    if (!workload->table || !workload->ids || !workload->positions || !workload->out ||
        !workload->expected)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a table of %zu bytes",
                            workload->table_bytes);
    fill_table(workload->table, (workload->table_bytes + WORKLOAD_PADDING) / sizeof(float), &state);
    for (uint64_t t = 0; t < workload->tokens; t++)
        workload->positions[t] =
            (int64_t)(xorshift_next(&state) % 0x180000000u) + POSEMB_POSITION_MIN;
    return fill_ids(workload, hot, &state, error);
}

static posemb_status upload(posemb_session *session, struct workload *workload, posemb_error *error)
{
    const size_t ids = WORKLOAD_SETS * (size_t)workload->tokens * sizeof *workload->ids;
    const size_t positions = (size_t)workload->tokens * sizeof *workload->positions;
    posemb_status status =
        posemb_session_upload(session, workload->table, workload->table_bytes + WORKLOAD_PADDING,
                              &workload->device_table, error);

    if (status == POSEMB_OK)
        status = posemb_session_upload(session, workload->ids, ids, &workload->device_ids, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(session, workload->positions, positions,
                                       &workload->device_positions, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(session, NULL, workload->out_bytes + WORKLOAD_PADDING,
                                       &workload->device_out, error);
    return status;
}

posemb_status workload_create(posemb_session *session, const struct bench_case *bench_case,
                              struct workload *workload, posemb_error *error)
{
    posemb_status status;

    memset(workload, 0, sizeof *workload);
    describe(workload, bench_case);
    status = fill(workload, bench_case->hot_rows, error);
    if (status == POSEMB_OK)
        status = upload(session, workload, error);
    if (status != POSEMB_OK)
        workload_destroy(workload);
    return status;
}

void workload_destroy(struct workload *workload)
{
    const cl_mem buffers[] = {workload->device_table, workload->device_ids,
                              workload->device_positions, workload->device_out};

    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    free(workload->table);
    free(workload->ids);
    free(workload->positions);
    free(workload->out);
    free(workload->expected);
    memset(workload, 0, sizeof *workload);
}

size_t workload_source_offset(const struct workload *workload, uint32_t set)
{
    const uint64_t windows = workload->shape.vocab - workload->tokens + 1;
    const uint64_t row = set % WORKLOAD_SETS * workload->tokens % windows;

    return (size_t)row * workload->desc.dim * sizeof(float) / 64 * 64;
}

posemb_args workload_args(const struct workload *workload, uint32_t set)
{
    const uint64_t ids = set % WORKLOAD_SETS * workload->tokens * sizeof *workload->ids;

    return (posemb_args){
        .shape = workload->shape,
        .ids = {workload->device_ids, ids},
        .table = {workload->device_table, 0},
        .rows = {workload->device_table, workload_source_offset(workload, set)},
        .positions = {workload->device_positions, 0},
        .out = {workload->device_out, 0},
    };
}

/* Elements of a narrow type that differ: conversions write one pattern for NaN. */
static size_t count_narrow(const void *a, const void *b, size_t count)
{
    const uint16_t *x = a;
    const uint16_t *y = b;
    size_t differing = 0;

    for (size_t i = 0; i < count; i++)
        differing += x[i] != y[i];
    return differing;
}

/* The output that lies on the device, beside what the reference gives. */
static posemb_status compare(posemb_session *session, struct workload *workload,
                             const posemb_desc *desc, const posemb_host_args *host,
                             size_t *differing, posemb_error *error)
{
    const size_t size = (size_t)posemb__storage_size(
        desc->out_storage == POSEMB_STORAGE_DEFAULT ? POSEMB_F32 : desc->out_storage);
    const size_t count = (size_t)workload->tokens * desc->dim;
    posemb_status status = posemb_session_download(session, workload->device_out, 0, workload->out,
                                                   count * size, error);

    if (status == POSEMB_OK)
        status = posemb_reference_run(desc, host, error);
    if (status == POSEMB_OK)
        *differing += size == sizeof(float)
                          ? posemb_compare_bits(workload->out, workload->expected, count, NULL)
                          : count_narrow(workload->out, workload->expected, count);
    return status;
}

posemb_status workload_call_verify(posemb_session *session, struct workload *workload,
                                   const struct workload_call *call, size_t *differing,
                                   posemb_error *error)
{
    const posemb_status status = posemb_enqueue(call->plan, posemb_session_queue(session),
                                                &call->args, 0, NULL, NULL, error);

    if (status != POSEMB_OK)
        return status;
    return compare(session, workload, posemb_plan_resolved(call->plan), &call->host, differing,
                   error);
}

posemb_status workload_call_time(posemb_session *session, const struct workload *workload,
                                 const struct workload_call *call, uint32_t set, double *seconds,
                                 posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(session);
    posemb_args args = call->args;
    posemb_status status;
    double begin;

    args.ids.offset = workload_args(workload, set).ids.offset;
    begin = clock_seconds();
    status = posemb_enqueue(call->plan, queue, &args, 0, NULL, NULL, error);
    clFinish(queue);
    *seconds = clock_seconds() - begin;
    return status;
}

uint32_t workload_repeats(double seconds, double round_seconds)
{
    const double wanted = seconds / round_seconds + 1.0;

    if (wanted < WORKLOAD_REPEATS_MIN)
        return WORKLOAD_REPEATS_MIN;
    return wanted > WORKLOAD_REPEATS_MAX ? WORKLOAD_REPEATS_MAX : (uint32_t)wanted;
}

posemb_status workload_verify(posemb_session *session, struct workload *workload, uint32_t set,
                              size_t *differing, posemb_error *error)
{
    const posemb_host_args host = {
        .shape = workload->shape,
        .ids = workload->ids + set % WORKLOAD_SETS * workload->tokens,
        .table = workload->table,
        .rows = (const char *)workload->table + workload_source_offset(workload, set),
        .positions = workload->positions,
        .out = workload->expected,
    };

    *differing = 0;
    return compare(session, workload, &workload->desc, &host, differing, error);
}
