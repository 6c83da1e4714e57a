/* The data of one case of the tuner. Random payloads from a fixed seed, so that every run measures
 * the same. */
#include "tuner_data.h"

#include "cl_error.h"
#include "desc.h"
#include "status.h"
#include "storage.h"
#include "stream.h"
#include "xorshift.h"

#include <stdlib.h>
#include <string.h>

/* The rows to add to of the next set begin so many rows later. */
enum { BATCH = 16, FEW_BATCH = 4, FEW_TOKENS = 64, SET_ROWS = 64 };

/* Rows of a table that no cache holds. */
static const uint64_t table_rows = 32000;
static const uint64_t table_bytes_wanted = (uint64_t)128 << 20;

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static posemb_status describe(struct tuner_data *data, const struct tuner_case *tuned,
                              size_t out_bytes, posemb_error *error)
{
    const bool add = tuned->operation == POSEMB_ADD;
    const posemb_desc desc = {
        .dim = tuned->dim,
        .operation = tuned->operation,
        .position_kind = tuned->position,
        .tokens = {.storage = tuned->operation == POSEMB_ENCODE ? tuned->table : 0},
        .rows_storage = add ? tuned->table : 0,
        .out_storage = tuned->out,
        .norm = tuned->norm,
        .token_scale = 1.5f,
        .consumer = POSEMB_CONSUMER_STREAMED,
        .concurrency = 1,
    };
    const uint64_t row = tuned->dim * (uint64_t)posemb__storage_size(tuned->out);
    const uint64_t stored = posemb_storage_row_bytes(tuned->table, tuned->dim);
    uint64_t rows;

    if (stored == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "rows of %s have no %u channels",
                            posemb_storage_find(tuned->table)->name, (unsigned)tuned->dim);
    data->tokens = larger(out_bytes / row / BATCH, FEW_BATCH * FEW_TOKENS / BATCH) * BATCH;
    rows = table_bytes_wanted / stored < table_rows ? table_bytes_wanted / stored : table_rows;
    data->vocab = larger(rows, data->tokens + (uint64_t)SET_ROWS * TUNER_SETS);
    return posemb_desc_resolve(&desc, &data->desc, error);
}

static void set_shapes(struct tuner_data *data)
{
    const uint64_t batch[TUNER_PROBES] = {BATCH, 1, FEW_BATCH};
    const uint64_t length[TUNER_PROBES] = {data->tokens / BATCH, data->tokens, FEW_TOKENS};

    for (int p = 0; p < TUNER_PROBES; p++)
        data->shape[p] = (posemb_shape){
            .batch = batch[p],
            .length = length[p],
            .vocab = data->vocab,
            .position_rows = data->desc.position_kind == POSEMB_LEARNED ? data->tokens : 0};
}

static void fill_table(struct tuner_data *data, posemb_storage storage)
{
    const posemb_storage_info *info = posemb_storage_find(storage);
    const size_t blocks = data->table_bytes / info->block_bytes;
    uint64_t state = 5;

    xorshift_fill(&state, data->table, data->table_bytes);
    for (size_t b = 0; info->block > 1 && b < blocks; b++) /* scales that floats can bear */
        posemb__set_block_halves(data->table + b * info->block_bytes, storage,
                                 (uint16_t)(0x1800 + b % 1024), (uint16_t)(0x9800 + b % 1024));
    for (size_t i = 0; !posemb__is_table_storage(storage) && i < blocks; i++)
        posemb__store_element(data->table, i, storage,
                              (float)(int32_t)(xorshift_next(&state) >> 32) * 0x1p-31f);
}

/* Ids that cycle over a random order of the rows. */
static posemb_status fill_ids(struct tuner_data *data, posemb_error *error)
{
    const size_t rows = (size_t)data->vocab;
    int32_t *order = malloc(rows * sizeof *order);
    uint64_t state = 7;

    if (!order)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu ids", rows);
    for (size_t i = 0; i < rows; i++)
        order[i] = (int32_t)i;
    for (size_t i = rows - 1; i > 0; i--) {
        const size_t j = (size_t)(xorshift_next(&state) % (i + 1));
        const int32_t swapped = order[i];

        order[i] = order[j];
        order[j] = swapped;
    }
    for (size_t i = 0; i < TUNER_SETS * (size_t)data->tokens; i++)
        data->ids[i] = order[i % rows];
    free(order);
    return POSEMB_OK;
}

/* Where each lies in data->floats; the scales come first. */
static size_t place_of_gamma(const struct tuner_data *data)
{
    return (size_t)data->vocab;
}

static size_t place_of_beta(const struct tuner_data *data)
{
    return place_of_gamma(data) + data->desc.dim;
}

static size_t place_of_positions(const struct tuner_data *data)
{
    return place_of_beta(data) + data->desc.dim;
}

static posemb_status allocate(struct tuner_data *data, posemb_storage storage, posemb_error *error)
{
    const size_t ids = TUNER_SETS * (size_t)data->tokens;
    const size_t positions = (size_t)data->shape[0].position_rows * data->desc.dim;
    bool there;

    data->table_bytes = (size_t)(data->vocab * posemb_storage_row_bytes(storage, data->desc.dim));
    data->float_count = place_of_positions(data) + positions;
    data->table = malloc(data->table_bytes + STREAM_PADDING);
    data->ids = malloc(ids * sizeof *data->ids);
    data->floats = malloc(data->float_count * sizeof *data->floats);
    data->found = malloc(tuner_data_out_bytes(data, TUNER_BATCH));
    there = data->table && data->ids && data->floats && data->found;
    for (int p = 0; p < TUNER_PROBES; p++) {
        data->expected[p] = malloc(tuner_data_out_bytes(data, p));
        there = there && data->expected[p];
    }
    if (there)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a table of %zu bytes",
                        data->table_bytes);
}

static posemb_status fill(struct tuner_data *data, posemb_storage storage, posemb_error *error)
{
    uint64_t state = 3;

    fill_table(data, storage);
    memset(data->table + data->table_bytes, 0, STREAM_PADDING);
    for (size_t i = 0; i < data->float_count; i++)
        data->floats[i] = (float)(int32_t)(xorshift_next(&state) >> 32) * 0x1p-31f;
    return fill_ids(data, error);
}

static posemb_status upload(struct tuner_data *data, posemb_error *error)
{
    posemb_session *session = data->session;
    const size_t ids = TUNER_SETS * (size_t)data->tokens * sizeof *data->ids;
    posemb_status status = posemb_session_upload(
        session, data->table, data->table_bytes + STREAM_PADDING, &data->device_table, error);

    if (status == POSEMB_OK)
        status = posemb_session_upload(session, data->ids, ids, &data->device_ids, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(session, data->floats, data->float_count * sizeof(float),
                                       &data->device_floats, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(session, NULL,
                                       tuner_data_out_bytes(data, TUNER_BATCH) + STREAM_PADDING,
                                       &data->device_out, error);
    return status;
}

static posemb_status expect(struct tuner_data *data, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int p = 0; status == POSEMB_OK && p < TUNER_PROBES; p++) {
        const posemb_host_args host = {
            .shape = data->shape[p],
            .ids = data->ids,
            .table = data->table,
            .rows = data->table,
            .table_scales = data->floats,
            .gamma = data->floats + place_of_gamma(data),
            .beta = data->floats + place_of_beta(data),
            .position_table = data->floats + place_of_positions(data),
            .out = data->expected[p],
        };

        status = posemb_reference_run(&data->desc, &host, error);
    }
    return status;
}

posemb_status tuner_data_create(posemb_session *session, const struct tuner_case *tuned,
                                size_t out_bytes, struct tuner_data *data, posemb_error *error)
{
    posemb_status status;

    memset(data, 0, sizeof *data);
    data->session = session;
    status = describe(data, tuned, out_bytes, error);
    if (status == POSEMB_OK) {
        set_shapes(data);
        status = allocate(data, tuned->table, error);
    }
    if (status == POSEMB_OK)
        status = fill(data, tuned->table, error);
    if (status == POSEMB_OK)
        status = upload(data, error);
    if (status == POSEMB_OK)
        status = expect(data, error);
    if (status != POSEMB_OK)
        tuner_data_destroy(data);
    return status;
}

void tuner_data_destroy(struct tuner_data *data)
{
    const cl_mem buffers[] = {data->device_table, data->device_ids, data->device_floats,
                              data->device_out};

    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    for (int p = 0; p < TUNER_PROBES; p++)
        free(data->expected[p]);
    free(data->table);
    free(data->ids);
    free(data->floats);
    free(data->found);
    memset(data, 0, sizeof *data);
}

size_t tuner_data_out_bytes(const struct tuner_data *data, int probe)
{
    return (size_t)(data->shape[probe].batch * data->shape[probe].length * data->desc.dim *
                    posemb__storage_size(data->desc.out_storage));
}

posemb_args tuner_data_args(const struct tuner_data *data, int probe, uint32_t set)
{
    const uint64_t unit = sizeof(float);
    const uint64_t k = set % TUNER_SETS;
    const uint64_t row = posemb_storage_row_bytes(data->desc.rows_storage, data->desc.dim);

    return (posemb_args){
        .shape = data->shape[probe],
        .ids = {data->device_ids, k * data->tokens * sizeof *data->ids},
        .table = {data->device_table, 0},
        .rows = {data->device_table, k * SET_ROWS * row},
        .table_scales = {data->device_floats, 0},
        .gamma = {data->device_floats, place_of_gamma(data) * unit},
        .beta = {data->device_floats, place_of_beta(data) * unit},
        .position_table = {data->device_floats, place_of_positions(data) * unit},
        .out = {data->device_out, 0},
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

posemb_status tuner_data_verify(struct tuner_data *data, const posemb_plan *plan, size_t *differing,
                                posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(data->session);
    const size_t unit = (size_t)posemb__storage_size(data->desc.out_storage);

    *differing = 0;
    for (int p = 0; p < TUNER_PROBES; p++) {
        const posemb_args args = tuner_data_args(data, p, 0);
        const size_t size = tuner_data_out_bytes(data, p);
        posemb_status status;

        /* Else what the launch before has left would do. */
        memset(data->found, 0xa5, size);
        if (clEnqueueWriteBuffer(queue, data->device_out, CL_TRUE, 0, size, data->found, 0, NULL,
                                 NULL) != CL_SUCCESS)
            return posemb__fail(error, POSEMB_DEVICE_ERROR, 0, "an output cannot be written");
        status = posemb_enqueue(plan, queue, &args, 0, NULL, NULL, error);
        if (status == POSEMB_OK)
            status = posemb_session_download(data->session, data->device_out, 0, data->found, size,
                                             error);
        if (status != POSEMB_OK)
            return status;
        *differing += unit == sizeof(float)
                          ? posemb_compare_bits((const float *)(const void *)data->found,
                                                (const float *)(const void *)data->expected[p],
                                                size / unit, NULL)
                          : count_narrow(data->found, data->expected[p], size / unit);
    }
    return POSEMB_OK;
}
