/* The data of a shape. Random payloads from a fixed seed, so that every run measures the same. */
#include "workload.h"

#include "desc.h"
#include "status.h"
#include "stream.h"
#include "xorshift.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What copies of whole vectors may read and write beyond. */
enum { WORKLOAD_PADDING = STREAM_PADDING };

/* Rows that hot ids choose from; bounds of the cold tables; tables that random positions name. */
static const uint32_t hot_row_count = 256;
static const uint64_t base_bytes = (uint64_t)256 << 20;
static const uint64_t cold_bytes = (uint64_t)1 << 30;
static const uint64_t given_position_rows = 8192;
enum { SETS_MIN = 8, SETS_MAX = 32000 };

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The rows of set 0, on every device the same. */
uint64_t workload_base_rows(const struct bench_case *bench_case)
{
    const uint64_t tokens = (uint64_t)bench_case->batch * bench_case->length;
    const uint64_t fit = base_bytes / (bench_case->dim * sizeof(float));

    return most(tokens, most(hot_row_count, least(BENCH_TABLE_ROWS, fit)));
}

/* So many that the table is four times the device's cache, within reason. */
static uint64_t vocab_of(posemb_session *session, const struct bench_case *bench_case)
{
    const uint64_t row = posemb_storage_row_bytes(bench_case->table, bench_case->dim);
    const uint64_t cache = posemb_session_device(session)->cache_size;
    const uint64_t wanted = least(4 * cache, cold_bytes) / most(row, 1);

    return most(workload_base_rows(bench_case), bench_case->hot_rows ? 0 : wanted);
}

static uint64_t position_rows_of(const struct bench_case *bench_case)
{
    return bench_case->rule == BENCH_EXPLICIT ? most(bench_case->length, given_position_rows)
                                              : bench_case->length;
}

static void describe(struct workload *workload, posemb_session *session,
                     const struct bench_case *bench_case)
{
    memset(workload, 0, sizeof *workload);
    workload->session = session;
    workload->batch = bench_case->batch;
    workload->length = bench_case->length;
    workload->dim = bench_case->dim;
    workload->tokens = (uint64_t)bench_case->batch * bench_case->length;
    workload->hot_rows = bench_case->hot_rows;
    workload->pads = bench_case->pads;
    workload->ids_kind = bench_case->ids;
    workload->base_rows = workload_base_rows(bench_case);
    workload->vocab = vocab_of(session, bench_case);
    workload->sets = (uint32_t)most(
        SETS_MIN, least(SETS_MAX, (workload->vocab + workload->tokens - 1) / workload->tokens));
    workload->position_rows = position_rows_of(bench_case);
    workload->out_bytes = (size_t)workload->tokens * workload->dim * sizeof(float);
}

bool workload_fits(const struct workload *workload, const struct bench_case *bench_case)
{
    struct workload wanted;

    if (!workload->session)
        return false;
    describe(&wanted, workload->session, bench_case);
    return workload->batch == wanted.batch && workload->length == wanted.length &&
           workload->dim == wanted.dim && workload->hot_rows == wanted.hot_rows &&
           workload->pads == wanted.pads && workload->ids_kind == wanted.ids_kind &&
           workload->vocab == wanted.vocab && workload->position_rows == wanted.position_rows;
}

/* Where the device computes with the memory of this machine, what both have counts against it. */
const char *workload_has_no_room_beside(posemb_session *session,
                                        const struct bench_case *bench_case,
                                        const struct workload_beside *beside, char *reason,
                                        size_t size)
{
    const posemb_device_info *info = posemb_session_device(session);
    const bool shared = (info->type & CL_DEVICE_TYPE_CPU) != 0;
    const uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct workload planned;

    describe(&planned, session, bench_case);
    const uint64_t row = posemb_storage_row_bytes(bench_case->table, bench_case->dim);
    const uint64_t table = planned.vocab * row + WORKLOAD_PADDING;
    const uint64_t out = planned.out_bytes + WORKLOAD_PADDING;
    const uint64_t floats = planned.position_rows * planned.dim * sizeof(float);
    const uint64_t base = planned.base_rows * planned.dim * sizeof(float);
    const uint64_t device = table + out + floats + beside->device;
    const uint64_t host = table + base + floats + planned.out_bytes + beside->host;
    const uint64_t largest = most(most(table, out), most(floats, beside->largest));

    if (largest > info->max_allocation)
        snprintf(reason, size,
                 "a buffer of %.0f MiB is needed, but the device's largest is %.0f MiB",
                 (double)largest / 0x1p20, (double)info->max_allocation / 0x1p20);
    else if (device > info->global_memory / 10 * 9)
        snprintf(reason, size, "%.0f MiB are needed, but the device has %.0f MiB",
                 (double)device / 0x1p20, (double)info->global_memory / 0x1p20);
    else if (host + (shared ? device : 0) > machine / 10 * 8)
        snprintf(reason, size, "%.0f MiB are needed, but this machine has %.0f MiB",
                 (double)(host + (shared ? device : 0)) / 0x1p20, (double)machine / 0x1p20);
    else
        return NULL;
    return reason;
}

const char *workload_has_no_room(posemb_session *session, const struct bench_case *bench_case,
                                 char *reason, size_t size)
{
    const struct workload_beside nothing = {0, 0, 0};

    return workload_has_no_room_beside(session, bench_case, &nothing, reason, size);
}

static void fill_random(float *values, size_t count, uint64_t *state)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(int32_t)(xorshift_next(state) >> 32) * 0x1p-31f;
}

static void shuffle(int32_t *order, uint64_t count, uint64_t *state)
{
    for (uint64_t i = count - 1; i > 0; i--) {
        const uint64_t j = xorshift_next(state) % (i + 1);
        const int32_t swapped = order[i];

        order[i] = order[j];
        order[j] = swapped;
    }
}

/* Place k of `count` with a probability in proportion to 1 / (k + 1), nearly: the inverse of the
 * integral, so that no table is needed. */
static uint64_t draw_zipf(uint64_t count, uint64_t *state)
{
    const double uniform = (double)(xorshift_next(state) >> 11) * 0x1p-53;
    const uint64_t place = (uint64_t)(exp(uniform * log((double)count + 1.0)) - 1.0);

    return place < count ? place : count - 1;
}

/* The rows of set 0 come first in the order, shuffled among themselves, then all others. */
static posemb_status fill_ids(struct workload *workload, posemb_error *error)
{
    const uint64_t used = workload->hot_rows ? hot_row_count : workload->vocab;
    const uint64_t first = least(used, workload->base_rows);
    const uint64_t count = workload->sets * workload->tokens;
    int32_t *order = malloc((size_t)workload->vocab * sizeof *order);
    uint64_t state = BENCH_SEED + 1;

    workload->ids = malloc((size_t)count * sizeof *workload->ids);
    if (!order || !workload->ids) {
        free(order);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %llu ids",
                            (unsigned long long)count);
    }
    for (uint64_t i = 0; i < workload->vocab; i++)
        order[i] = (int32_t)i;
    shuffle(order, workload->base_rows, &state);
    if (used > first)
        shuffle(order + first, used - first, &state);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t place = i % used;

        if (workload->ids_kind == BENCH_IDS_ZIPF)
            place = draw_zipf(first, &state);
        else if (workload->ids_kind == BENCH_IDS_SAME)
            place = 0;
        workload->ids[i] = order[place];
    }
    free(order);
    return POSEMB_OK;
}

/* About every fifth token is a pad: a run at the right as batches have them, and some in between.
 */
static void place_pads(struct workload *workload)
{
    uint64_t state = 77;

    for (uint64_t t = 0; t < workload->sets * workload->tokens; t++) {
        const uint64_t column = t % workload->length;

        if (column * 6 >= (uint64_t)workload->length * 5 || xorshift_next(&state) % 25 == 0)
            workload->ids[t] = WORKLOAD_PAD_ID;
    }
}

size_t workload_types(const struct workload *workload)
{
    return (size_t)workload->position_rows * workload->dim;
}

size_t workload_gamma(const struct workload *workload)
{
    return workload_types(workload) + WORKLOAD_TYPES * (size_t)workload->dim;
}

size_t workload_beta(const struct workload *workload)
{
    return workload_gamma(workload) + workload->dim;
}

size_t workload_scales(const struct workload *workload)
{
    return workload_beta(workload) + workload->dim;
}

/* The table of positions holds the sinusoids themselves, as anybody's precomputed table would. */
static posemb_status fill_floats(struct workload *workload, posemb_error *error)
{
    const posemb_desc desc = {.dim = workload->dim, .operation = POSEMB_TABLE};
    const posemb_host_args args = {.shape = {.batch = 1, .length = workload->position_rows},
                                   .out = workload->floats};
    const posemb_status status = posemb_reference_run(&desc, &args, error);
    const size_t types = workload_types(workload);
    const size_t scales = workload_scales(workload);
    uint64_t state = BENCH_SEED + 2;

    if (status != POSEMB_OK)
        return status;
    fill_random(workload->floats + types, scales - types, &state);
    fill_random(workload->floats + scales, (size_t)least(workload->vocab, workload->base_rows),
                &state);
    for (uint64_t i = workload->base_rows; i < workload->vocab; i++)
        workload->floats[scales + i] = workload->floats[scales + i % workload->base_rows];
    return POSEMB_OK;
}

static posemb_status fill(struct workload *workload, posemb_error *error)
{
    const size_t base = (size_t)workload->base_rows * workload->dim;
    uint64_t state = BENCH_SEED;
    posemb_status status;

    workload->float_count = workload_scales(workload) + (size_t)workload->vocab;
    workload->base = malloc(base * sizeof(float));
    workload->positions = malloc((size_t)workload->tokens * sizeof *workload->positions);
    workload->floats = malloc(workload->float_count * sizeof(float));
    if (!workload->base || !workload->positions || !workload->floats)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a table of %zu bytes",
                            base * sizeof(float));
    fill_random(workload->base, base, &state);
    for (uint64_t t = 0; t < workload->tokens; t++)
        workload->positions[t] = (int64_t)(xorshift_next(&state) % workload->position_rows);
    status = fill_floats(workload, error);
    if (status == POSEMB_OK)
        status = fill_ids(workload, error);
    if (status == POSEMB_OK && workload->pads)
        place_pads(workload);
    return status;
}

static posemb_status upload(struct workload *workload, posemb_error *error)
{
    const size_t ids = workload->sets * (size_t)workload->tokens * sizeof *workload->ids;
    const size_t positions = (size_t)workload->tokens * sizeof *workload->positions;
    posemb_session *session = workload->session;
    posemb_status status =
        posemb_session_upload(session, workload->ids, ids, &workload->device_ids, error);

    if (status == POSEMB_OK)
        status = posemb_session_upload(session, workload->positions, positions,
                                       &workload->device_positions, error);
    if (status == POSEMB_OK)
        status =
            posemb_session_upload(session, workload->floats, workload->float_count * sizeof(float),
                                  &workload->device_floats, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(session, NULL, workload->out_bytes + WORKLOAD_PADDING,
                                       &workload->device_out, error);
    return status;
}

posemb_status workload_create(posemb_session *session, const struct bench_case *bench_case,
                              struct workload *workload, posemb_error *error)
{
    posemb_status status;

    describe(workload, session, bench_case);
    status = fill(workload, error);
    if (status == POSEMB_OK)
        status = upload(workload, error);
    if (status != POSEMB_OK)
        workload_destroy(workload);
    return status;
}

/* ---- Tables */

/* Any bits, with scales of blocks that floats can bear. */
static void fill_blocks(unsigned char *table, size_t blocks, posemb_storage storage)
{
    const size_t bytes = posemb_storage_find(storage)->block_bytes;
    uint64_t state = 5;

    xorshift_fill(&state, table, blocks * bytes);
    for (size_t b = 0; b < blocks; b++)
        posemb__set_block_halves(table + b * bytes, storage, (uint16_t)(0x1800 + b % 1024),
                                 (uint16_t)(0x9800 + b % 1024));
}

static void fill_elements(const struct workload *workload, unsigned char *table,
                          posemb_storage storage)
{
    const size_t count = (size_t)workload->base_rows * workload->dim;

    for (size_t i = 0; i < count; i++) {
        if (storage == POSEMB_I8)
            table[i] = (unsigned char)(int32_t)(workload->base[i] * 127.0f);
        else
            posemb__store_element(table, i, storage, workload->base[i]);
    }
}

static void repeat_rows(unsigned char *table, size_t base, size_t all)
{
    for (size_t done = base; done < all; done += base)
        memcpy(table + done, table, base < all - done ? base : all - done);
}

posemb_status workload_need_table(struct workload *workload, posemb_storage storage,
                                  posemb_error *error)
{
    struct workload_table *table = &workload->tables[storage];
    const size_t row = (size_t)posemb_storage_row_bytes(storage, workload->dim);
    const size_t base = (size_t)workload->base_rows * row;
    const size_t all = (size_t)workload->vocab * row;
    const uint32_t block = posemb_storage_find(storage)->block;

    if (table->device)
        return POSEMB_OK;
    if (!table->host)
        table->host = calloc(1, all + WORKLOAD_PADDING);
    if (!table->host)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes", all);
    if (storage == POSEMB_F32)
        memcpy(table->host, workload->base, base);
    else if (block > 1)
        fill_blocks(table->host, (size_t)workload->base_rows * workload->dim / block, storage);
    else
        fill_elements(workload, table->host, storage);
    repeat_rows(table->host, base, all);
    return posemb_session_upload(workload->session, table->host, all + WORKLOAD_PADDING,
                                 &table->device, error);
}

size_t workload_source_offset(const struct workload *workload, posemb_storage storage, uint32_t set)
{
    const uint64_t windows = workload->vocab - workload->tokens + 1;
    const uint64_t row = set % workload->sets * workload->tokens % windows;

    return (size_t)(row * posemb_storage_row_bytes(storage, workload->dim)) / 64 * 64;
}

void workload_destroy(struct workload *workload)
{
    const cl_mem buffers[] = {workload->device_ids, workload->device_positions,
                              workload->device_floats, workload->device_out};

    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    for (size_t i = 0; i < WORKLOAD_STORAGES; i++) {
        if (workload->tables[i].device)
            clReleaseMemObject(workload->tables[i].device);
        free(workload->tables[i].host);
    }
    free(workload->base);
    free(workload->ids);
    free(workload->positions);
    free(workload->floats);
    memset(workload, 0, sizeof *workload);
}
