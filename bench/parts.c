/* What the parts of the stage cost: storage types, learned positions, norms, each beside the plain
 * stage and the best copy of the same bytes, on the same tokens, in turn. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "desc.h"
#include "status.h"
#include "storage.h"
#include "stream.h"
#include "workload.h"
#include "xorshift.h"

#include <stdlib.h>
#include <string.h>

enum { WARMUPS = 2, TYPES = 2, STORAGES = POSEMB__STORAGES + 1 };

static const double parts_seconds = 20.0; /* for all parts of a shape */

static const struct part {
    const char *name;
    posemb_storage table;
    posemb_storage out;
    bool learned;
    bool types; /* an extra table of two rows */
    posemb_norm norm;
} parts[BENCH_PARTS] = {
    {"f32, sinusoids", POSEMB_F32, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"LayerNorm", POSEMB_F32, POSEMB_F32, false, false, POSEMB_NORM_LAYER},
    {"RMSNorm", POSEMB_F32, POSEMB_F32, false, false, POSEMB_NORM_RMS},
    {"f16 table", POSEMB_F16, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"bf16 table", POSEMB_BF16, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"int8 table", POSEMB_I8, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q8_0 table", POSEMB_Q8_0, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q4_0 table", POSEMB_Q4_0, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q4_1 table", POSEMB_Q4_1, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q5_0 table", POSEMB_Q5_0, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q5_1 table", POSEMB_Q5_1, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q2_K table", POSEMB_Q2_K, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q3_K table", POSEMB_Q3_K, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q4_K table", POSEMB_Q4_K, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q5_K table", POSEMB_Q5_K, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"Q6_K table", POSEMB_Q6_K, POSEMB_F32, false, false, POSEMB_NORM_NONE},
    {"f16 output", POSEMB_F32, POSEMB_F16, false, false, POSEMB_NORM_NONE},
    {"bf16 output", POSEMB_F32, POSEMB_BF16, false, false, POSEMB_NORM_NONE},
    {"f16 table and output", POSEMB_F16, POSEMB_F16, false, false, POSEMB_NORM_NONE},
    {"bf16 table and output", POSEMB_BF16, POSEMB_BF16, false, false, POSEMB_NORM_NONE},
    {"bf16 both, LayerNorm", POSEMB_BF16, POSEMB_BF16, false, false, POSEMB_NORM_LAYER},
    {"learned positions", POSEMB_F32, POSEMB_F32, true, false, POSEMB_NORM_NONE},
    {"BERT: learned, types, LayerNorm", POSEMB_F32, POSEMB_F32, true, true, POSEMB_NORM_LAYER},
};

/* One part, ready to launch. */
struct candidate {
    const struct part *part;
    struct workload_call call;
    struct stream stream; /* copies of the same bytes */
    double samples[WORKLOAD_REPEATS_MAX];
    double copies[STREAM_VARIANTS][WORKLOAD_REPEATS_MAX];
};

struct run {
    posemb_session *session;
    struct workload workload;
    void *tables[STORAGES]; /* of the host, by storage; F32 is the workload's */
    cl_mem device_tables[STORAGES];
    float *floats; /* positions [length, D], types [2, D], gamma [D], beta [D], scales [V] */
    size_t float_count;
    cl_mem device_floats;
    struct candidate candidates[BENCH_PARTS]; /* those whose rows the shape can have */
    size_t count;
};

/* Where each lies in run->floats. */
static size_t place_of_types(const struct run *run)
{
    return (size_t)run->workload.shape.length * run->workload.desc.dim;
}

static size_t place_of_gamma(const struct run *run)
{
    return place_of_types(run) + TYPES * (size_t)run->workload.desc.dim;
}

static size_t place_of_beta(const struct run *run)
{
    return place_of_gamma(run) + run->workload.desc.dim;
}

static size_t place_of_scales(const struct run *run)
{
    return place_of_beta(run) + run->workload.desc.dim;
}

static posemb_status make_floats(struct run *run, posemb_error *error)
{
    uint64_t state = 3;

    run->float_count = place_of_scales(run) + (size_t)run->workload.shape.vocab;
    run->floats = malloc(run->float_count * sizeof(float));
    if (!run->floats)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu floats",
                            run->float_count);
    for (size_t i = 0; i < run->float_count; i++)
        run->floats[i] = (float)(int32_t)(xorshift_next(&state) >> 32) * 0x1p-31f;
    return posemb_session_upload(run->session, run->floats, run->float_count * sizeof(float),
                                 &run->device_floats, error);
}

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

/* Bytes of the workload's table in another storage. */
static size_t table_size(const struct run *run, posemb_storage storage)
{
    return (size_t)(run->workload.shape.vocab *
                    posemb_storage_row_bytes(storage, run->workload.desc.dim));
}

/* The workload's table in another storage; of I8 and blocks it is any bytes. */
static posemb_status make_table(struct run *run, posemb_storage storage, posemb_error *error)
{
    const struct workload *workload = &run->workload;
    const size_t count = (size_t)workload->shape.vocab * workload->desc.dim;
    const posemb_storage_info *info = posemb_storage_find(storage);
    const size_t size = table_size(run, storage) + STREAM_PADDING;
    unsigned char *table = calloc(1, size);

    run->tables[storage] = table;
    if (!table)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes", size);
    if (info->block > 1)
        fill_blocks(table, count / info->block, storage);
    for (size_t i = 0; info->block == 1 && i < count; i++) {
        if (storage == POSEMB_I8)
            table[i] = (unsigned char)(int32_t)(workload->table[i] * 127.0f);
        else
            posemb__store_element(table, i, storage, workload->table[i]);
    }
    return posemb_session_upload(run->session, table, size, &run->device_tables[storage], error);
}

static posemb_desc desc_of(const struct run *run, const struct part *part)
{
    posemb_desc desc = run->workload.desc;

    desc.tokens.storage = part->table;
    desc.out_storage = part->out;
    desc.norm = part->norm;
    desc.epsilon = 1e-12f;
    if (part->learned)
        desc.position_kind = POSEMB_LEARNED;
    if (part->types)
        desc.extras[0].ids = POSEMB_EXTRA_CONSTANT;
    return desc;
}

static void set_args(struct run *run, const struct part *part, struct candidate *candidate)
{
    const uint64_t unit = sizeof(float);
    const float *floats = run->floats;
    const cl_mem mem = run->device_floats;
    posemb_shape *shape = &candidate->call.args.shape;

    candidate->call.args = workload_args(&run->workload, 0);
    if (part->learned)
        shape->position_rows = shape->length;
    if (part->types)
        shape->extras[0] = (posemb_extra_shape){.rows = TYPES, .id = 1};
    if (part->table != POSEMB_F32)
        candidate->call.args.table.mem = run->device_tables[part->table];
    candidate->call.args.position_table = (posemb_buffer){mem, 0};
    candidate->call.args.extras[0].table = (posemb_buffer){mem, place_of_types(run) * unit};
    candidate->call.args.gamma = (posemb_buffer){mem, place_of_gamma(run) * unit};
    candidate->call.args.beta = (posemb_buffer){mem, place_of_beta(run) * unit};
    candidate->call.args.table_scales = (posemb_buffer){mem, place_of_scales(run) * unit};
    candidate->call.host = (posemb_host_args){
        .shape = *shape,
        .ids = run->workload.ids,
        .table = part->table == POSEMB_F32 ? run->workload.table : run->tables[part->table],
        .table_scales = floats + place_of_scales(run),
        .position_table = floats,
        .extras = {{.table = floats + place_of_types(run)}},
        .gamma = floats + place_of_gamma(run),
        .beta = floats + place_of_beta(run),
        .out = run->workload.expected};
}

/* Blocks have rows of their multiples alone. */
static void choose_parts(struct run *run)
{
    for (size_t i = 0; i < BENCH_PARTS; i++)
        if (posemb_storage_row_bytes(parts[i].table, run->workload.desc.dim) > 0)
            run->candidates[run->count++].part = &parts[i];
}

static posemb_status prepare(struct run *run, size_t index, posemb_error *error)
{
    struct candidate *candidate = &run->candidates[index];
    const struct part *part = candidate->part;
    const posemb_desc desc = desc_of(run, part);
    const uint64_t count = run->workload.tokens * desc.dim;
    posemb_status status = POSEMB_OK;

    if (part->table != POSEMB_F32 && !run->tables[part->table])
        status = make_table(run, part->table, error);
    if (status != POSEMB_OK)
        return status;
    set_args(run, part, candidate);
    status = posemb_plan_create(posemb_session_engine(run->session), &desc, &candidate->call.plan,
                                error);
    if (status == POSEMB_OK)
        status =
            stream_create(run->session, part->table, part->out, count, &candidate->stream, error);
    return status;
}

static posemb_status sample_copy(struct run *run, size_t index, size_t variant, uint32_t set,
                                 double *seconds, posemb_error *error)
{
    struct candidate *candidate = &run->candidates[index];
    const cl_command_queue queue = posemb_session_queue(run->session);
    const double begin = clock_seconds();
    const cl_int code = stream_enqueue(
        &candidate->stream, variant, queue, candidate->call.args.table.mem,
        workload_source_offset(&run->workload, set) / sizeof(float), run->workload.device_out);

    clFinish(queue);
    *seconds = clock_seconds() - begin;
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "enqueue of a copy");
}

/* A part and the copies of its bytes. */
static posemb_status sample_part(struct run *run, size_t index, uint32_t set, uint32_t repeat,
                                 posemb_error *error)
{
    struct candidate *candidate = &run->candidates[index];
    posemb_status status = workload_call_time(run->session, &run->workload, &candidate->call, set,
                                              &candidate->samples[repeat], error);

    for (size_t v = 0; status == POSEMB_OK && v < candidate->stream.count; v++)
        status = sample_copy(run, index, v, set + 3, &candidate->copies[v][repeat], error);
    return status;
}

static void summarize(struct run *run, struct bench_parts *result)
{
    for (size_t i = 0; i < run->count; i++) {
        struct candidate *candidate = &run->candidates[i];

        result->name[i] = candidate->part->name;
        result->seconds[i] = samples_smallest(candidate->samples, result->repeats);
        result->copy_seconds[i] = samples_smallest(candidate->copies[0], result->repeats);
        for (size_t v = 1; v < candidate->stream.count; v++) {
            const double seconds = samples_smallest(candidate->copies[v], result->repeats);

            if (seconds < result->copy_seconds[i])
                result->copy_seconds[i] = seconds;
        }
    }
}

static posemb_status measure(struct run *run, struct bench_parts *result, posemb_error *error)
{
    const double begin = clock_seconds();
    uint32_t set = 0;
    posemb_status status = POSEMB_OK;
    double round;

    for (int n = 0; n < WARMUPS; n++)
        for (size_t i = 0; status == POSEMB_OK && i < run->count; i++)
            status = sample_part(run, i, set++, 0, error);
    round = (clock_seconds() - begin) / WARMUPS;
    result->repeats = workload_repeats(parts_seconds, round);
    for (uint32_t n = 0; n < result->repeats; n++)
        for (size_t i = 0; status == POSEMB_OK && i < run->count; i++)
            status = sample_part(run, (i + n) % run->count, set++, n, error);
    if (status == POSEMB_OK)
        summarize(run, result);
    return status;
}

static void release_mem(cl_mem mem)
{
    if (mem)
        clReleaseMemObject(mem);
}

static void release(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        posemb_plan_destroy(run->candidates[i].call.plan);
        stream_destroy(&run->candidates[i].stream);
    }
    for (size_t i = 0; i < STORAGES; i++) {
        free(run->tables[i]);
        release_mem(run->device_tables[i]);
    }
    free(run->floats);
    release_mem(run->device_floats);
    workload_destroy(&run->workload);
    free(run);
}

posemb_status bench_parts_run(posemb_session *session, uint32_t batch, uint32_t length,
                              uint32_t dim, struct bench_parts *result, posemb_error *error)
{
    const struct bench_case bench_case = {POSEMB_ENCODE, batch, length, dim, false, false, false};
    struct run *run = calloc(1, sizeof *run);
    posemb_status status;

    memset(result, 0, sizeof *result);
    if (!run)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a benchmark");
    run->session = session;
    status = workload_create(session, &bench_case, &run->workload, error);
    if (status != POSEMB_OK) {
        free(run);
        return status;
    }
    choose_parts(run);
    result->count = run->count;
    status = make_floats(run, error);
    for (size_t i = 0; status == POSEMB_OK && i < run->count; i++) {
        status = prepare(run, i, error);
        if (status == POSEMB_OK)
            status = workload_call_verify(session, &run->workload, &run->candidates[i].call,
                                          &result->differing, error);
    }
    if (status == POSEMB_OK && result->differing == 0)
        status = measure(run, result, error);
    release(run);
    return status;
}
