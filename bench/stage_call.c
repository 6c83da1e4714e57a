/* A case, ready to launch, and to compare with the reference: which is slow, so that all processors
 * of the host take part. */
#include "stage_call.h"

#include "clock.h"
#include "desc.h"
#include "status.h"
#include "xorshift.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEQUENCES = 64, THREADS_MAX = 64 };
static const uint64_t chunk_elements = (uint64_t)1 << 20;

/* ---- Making one */

static posemb_desc describe(const struct bench_case *c)
{
    const struct bench_rule_info *rule = &bench_rules[c->rule];
    posemb_desc desc = {
        .dim = c->dim,
        .operation = c->operation,
        .positions = rule->rule,
        .position_type = rule->position_type,
        .padding = rule->padding,
        .padding_type = rule->padding_type,
        .pad_id = rule->padding == POSEMB_PADDING_TOKEN ? WORKLOAD_PAD_ID : 0,
        .pad_policy = rule->policy,
        .position_kind = c->position_kind,
        .norm = c->norm,
        .out_storage = c->out,
        .consumer = c->with_reader ? POSEMB_CONSUMER_FOLLOWS : POSEMB_CONSUMER_STREAMED,
        .token_scale = 1.5f,
        .concurrency = 1,
    };

    if (c->operation == POSEMB_ENCODE)
        desc.tokens.storage = c->table;
    if (c->operation == POSEMB_ADD)
        desc.rows_storage = c->table;
    if (c->norm != POSEMB_NORM_NONE)
        desc.epsilon = 1e-12f;
    if (c->types)
        desc.extras[0].ids = POSEMB_EXTRA_CONSTANT;
    return desc;
}

static posemb_shape shape_of(const struct stage_call *call)
{
    const struct workload *workload = call->workload;
    const struct bench_case *c = &call->bench_case;
    posemb_shape shape = {.batch = c->batch, .length = c->length};

    if (c->operation == POSEMB_ENCODE)
        shape.vocab = workload->vocab;
    if (c->rule == BENCH_RAGGED) { /* one row of all tokens */
        shape.length = workload->tokens;
        shape.batch = 1;
        shape.sequences = SEQUENCES;
    }
    if (c->position_kind == POSEMB_LEARNED)
        shape.position_rows = workload->position_rows;
    if (c->types)
        shape.extras[0] = (posemb_extra_shape){.rows = WORKLOAD_TYPES, .id = 1};
    return shape;
}

static posemb_buffer floats_at(const struct workload *workload, size_t place)
{
    return (posemb_buffer){workload->device_floats, place * sizeof(float)};
}

static void set_args(struct stage_call *call)
{
    const struct workload *workload = call->workload;
    const struct workload_table *table = &workload->tables[call->bench_case.table];
    const float *floats = workload->floats;

    call->args = (posemb_args){
        .shape = shape_of(call),
        .ids = {workload->device_ids, 0},
        .table = {table->device, 0},
        .rows = {table->device, 0},
        .table_scales = floats_at(workload, workload_scales(workload)),
        .position_table = floats_at(workload, 0),
        .extras = {{.table = floats_at(workload, workload_types(workload))}},
        .gamma = floats_at(workload, workload_gamma(workload)),
        .beta = floats_at(workload, workload_beta(workload)),
        .out = {workload->device_out, 0},
    };
    call->host = (posemb_host_args){
        .shape = call->args.shape,
        .ids = workload->ids,
        .table = table->host,
        .rows = table->host,
        .table_scales = floats + workload_scales(workload),
        .position_table = floats,
        .extras = {{.table = floats + workload_types(workload)}},
        .gamma = floats + workload_gamma(workload),
        .beta = floats + workload_beta(workload),
    };
}

/* ---- Numbers that rules need: positions, or padding */

static size_t count_numbers(const struct stage_call *call)
{
    const struct bench_rule_info *rule = &bench_rules[call->bench_case.rule];

    switch (rule->rule) {
    case POSEMB_POSITIONS_ROW_START:
        return call->bench_case.batch;
    case POSEMB_POSITIONS_EXPLICIT:
        return (size_t)call->workload->tokens;
    case POSEMB_POSITIONS_RAGGED:
        return SEQUENCES + 1;
    default:
        break;
    }
    if (rule->padding == POSEMB_PADDING_MASK)
        return (size_t)call->workload->tokens;
    return rule->padding == POSEMB_PADDING_LEFT_COUNT ? call->bench_case.batch : 0;
}

static void fill_numbers(const struct stage_call *call, size_t count)
{
    const struct bench_rule_info *rule = &bench_rules[call->bench_case.rule];
    const uint64_t length = call->bench_case.length;
    int32_t *ints = call->numbers;
    float *floats = call->numbers;
    uint8_t *bytes = call->numbers;
    uint64_t state = 5;

    for (size_t i = 0; i < count; i++) {
        const uint64_t draw = xorshift_next(&state);

        if (rule->padding == POSEMB_PADDING_MASK)
            bytes[i] = call->workload->ids[i] != WORKLOAD_PAD_ID;
        else if (rule->rule == POSEMB_POSITIONS_RAGGED)
            ints[i] = (int32_t)(i * call->workload->tokens / (count - 1));
        else if (rule->position_type == POSEMB_FLOAT32)
            floats[i] = (float)(draw % 1000000) / 7.0f;
        else
            ints[i] = (int32_t)(draw % length);
    }
}

/* Whole random positions are the workload's. */
static posemb_status make_numbers(struct stage_call *call, posemb_error *error)
{
    const struct bench_rule_info *rule = &bench_rules[call->bench_case.rule];
    const size_t count = count_numbers(call);
    const size_t size = rule->padding == POSEMB_PADDING_MASK ? count : 4 * count;
    const bool positions = rule->padding == POSEMB_PADDING_NONE;
    posemb_status status;

    if (call->bench_case.rule == BENCH_EXPLICIT) {
        call->args.positions.mem = call->workload->device_positions;
        call->host.positions = call->workload->positions;
        return POSEMB_OK;
    }
    if (count == 0)
        return POSEMB_OK;
    call->numbers = malloc(size);
    if (!call->numbers)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu numbers", count);
    fill_numbers(call, count);
    status = posemb_session_upload(call->workload->session, call->numbers, size,
                                   &call->device_numbers, error);
    *(positions ? &call->args.positions : &call->args.padding) =
        (posemb_buffer){call->device_numbers, 0};
    *(positions ? &call->host.positions : &call->host.padding) = call->numbers;
    return status;
}

static posemb_status make_plan(struct stage_call *call, posemb_engine *engine,
                               const struct stage_call_times *times, posemb_error *error)
{
    const posemb_desc desc = describe(&call->bench_case);
    const double begin = clock_seconds();
    const posemb_status status = posemb_plan_create(engine, &desc, &call->plan, error);

    *times->plan = clock_seconds() - begin;
    return status;
}

static posemb_status warm_up(struct stage_call *call, const struct stage_call_times *times,
                             posemb_error *error)
{
    const double begin = clock_seconds();
    posemb_status status;

    *times->warmup = 0.0;
    if (!times->warm_up)
        return POSEMB_OK;
    status = posemb_plan_warmup(call->plan, posemb_session_queue(call->workload->session),
                                &call->args.shape, error);
    *times->warmup = clock_seconds() - begin;
    return status;
}

static posemb_status prepare(struct stage_call *call, posemb_engine *engine,
                             const struct stage_call_times *times, posemb_error *error)
{
    uint64_t scratch = 0;
    posemb_status status = make_numbers(call, error);

    if (status == POSEMB_OK)
        status = make_plan(call, engine, times, error);
    if (status == POSEMB_OK)
        status = posemb_plan_scratch_bytes(call->plan, &call->args.shape, &scratch, error);
    if (status == POSEMB_OK && scratch > 0)
        status = posemb_session_upload(call->workload->session, NULL, (size_t)scratch,
                                       &call->scratch, error);
    call->args.scratch.mem = call->scratch;
    return status == POSEMB_OK ? warm_up(call, times, error) : status;
}

posemb_status stage_call_create_timed(struct workload *workload, posemb_engine *engine,
                                      const struct bench_case *bench_case,
                                      const struct stage_call_times *times, struct stage_call *call,
                                      posemb_error *error)
{
    posemb_status status;

    memset(call, 0, sizeof *call);
    call->bench_case = bench_case_resolved(bench_case);
    call->workload = workload;
    status = workload_need_table(workload, call->bench_case.table, error);
    if (status != POSEMB_OK)
        return status;
    set_args(call);
    call->output_bytes =
        (size_t)(workload->tokens * posemb_storage_row_bytes(call->bench_case.out, workload->dim));
    status = prepare(call, engine, times, error);
    if (status != POSEMB_OK)
        stage_call_destroy(call);
    return status;
}

posemb_status stage_call_create(struct workload *workload, posemb_engine *engine,
                                const struct bench_case *bench_case, struct stage_call *call,
                                posemb_error *error)
{
    double ignored[2];
    const struct stage_call_times times = {&ignored[0], &ignored[1], true};

    return stage_call_create_timed(workload, engine, bench_case, &times, call, error);
}

void stage_call_destroy(struct stage_call *call)
{
    posemb_plan_destroy(call->plan);
    free(call->numbers);
    free(call->output);
    if (call->device_numbers)
        clReleaseMemObject(call->device_numbers);
    if (call->scratch)
        clReleaseMemObject(call->scratch);
    memset(call, 0, sizeof *call);
}

posemb_status stage_call_enqueue(const struct stage_call *call, uint32_t set,
                                 cl_command_queue queue, cl_event *event, posemb_error *error)
{
    const struct workload *workload = call->workload;
    posemb_args args = call->args;

    args.ids.offset = set % workload->sets * workload->tokens * sizeof *workload->ids;
    args.rows.offset = workload_source_offset(workload, call->bench_case.table, set);
    return posemb_enqueue(call->plan, queue, &args, 0, NULL, event, error);
}

/* ---- Comparing with the reference */

/* A comparison that threads share; each takes the next chunk. */
struct comparison {
    const struct stage_call *call;
    const posemb_desc *desc;
    uint32_t set;
    uint64_t columns; /* of a chunk */
    uint64_t chunks_of_row;
    uint64_t chunks;
    atomic_uint_fast64_t next;
    atomic_uint_fast64_t differing;
    atomic_int status;
};

/* Columns whose rows do not depend on those before them. */
static bool is_cut_freely(const struct stage_call *call)
{
    return call->bench_case.rule == BENCH_INDEX || call->bench_case.rule == BENCH_EXPLICIT;
}

/* Arguments of columns `column` ... of batch row `b`. */
static posemb_host_args chunk_args(const struct comparison *comparison, uint64_t b, uint64_t column,
                                   uint64_t columns)
{
    const struct stage_call *call = comparison->call;
    const struct workload *workload = call->workload;
    const struct bench_rule_info *rule = &bench_rules[call->bench_case.rule];
    const uint64_t token = b * call->host.shape.length + column;
    const uint64_t first_id = comparison->set % workload->sets * workload->tokens + token;
    const uint64_t row = posemb_storage_row_bytes(call->bench_case.table, workload->dim);
    posemb_host_args args = call->host;

    args.shape.batch = 1;
    args.shape.length = columns;
    args.ids = workload->ids + first_id;
    args.rows = (const char *)args.rows + token * row +
                workload_source_offset(workload, call->bench_case.table, comparison->set);
    if (rule->rule == POSEMB_POSITIONS_INDEX && rule->padding == POSEMB_PADDING_NONE)
        args.shape.start += (int64_t)column;
    if (rule->rule == POSEMB_POSITIONS_EXPLICIT)
        args.positions =
            (const char *)args.positions +
            token * (rule->position_type == POSEMB_INT64 ? sizeof(int64_t) : sizeof(float));
    if (rule->rule == POSEMB_POSITIONS_ROW_START)
        args.positions = (const char *)args.positions + b * sizeof(int32_t);
    if (rule->padding == POSEMB_PADDING_LEFT_COUNT)
        args.padding = (const char *)args.padding + b * sizeof(int32_t);
    if (rule->padding == POSEMB_PADDING_MASK)
        args.padding = (const char *)args.padding + token;
    return args;
}

static size_t count_differing(const void *a, const void *b, size_t count, bool narrow)
{
    const uint16_t *x = a;
    const uint16_t *y = b;
    size_t differing = 0;

    if (!narrow)
        return posemb_compare_bits(a, b, count, NULL);
    for (size_t i = 0; i < count; i++) /* conversions write one pattern for NaN */
        differing += x[i] != y[i];
    return differing;
}

static posemb_status compare_chunk(struct comparison *comparison, uint64_t chunk, void *expected)
{
    const struct stage_call *call = comparison->call;
    const uint64_t length = call->host.shape.length;
    const uint64_t b = chunk / comparison->chunks_of_row;
    const uint64_t column = chunk % comparison->chunks_of_row * comparison->columns;
    const uint64_t columns =
        comparison->columns < length - column ? comparison->columns : length - column;
    const size_t row = (size_t)posemb_storage_row_bytes(call->bench_case.out, call->workload->dim);
    const char *out = (const char *)call->output + (b * length + column) * row;
    posemb_host_args args = chunk_args(comparison, b, column, columns);
    posemb_status status;

    args.out = expected;
    status = posemb_reference_run(comparison->desc, &args, NULL);
    if (status == POSEMB_OK)
        atomic_fetch_add(&comparison->differing,
                         count_differing(out, expected, (size_t)columns * call->workload->dim,
                                         call->bench_case.out != POSEMB_F32));
    return status;
}

static void *compare_chunks(void *data)
{
    struct comparison *comparison = data;
    void *expected =
        malloc((size_t)comparison->columns * comparison->call->workload->dim * sizeof(float));
    posemb_status status = expected ? POSEMB_OK : POSEMB_OUT_OF_MEMORY;

    while (status == POSEMB_OK) {
        const uint64_t chunk = atomic_fetch_add(&comparison->next, 1);

        if (chunk >= comparison->chunks)
            break;
        status = compare_chunk(comparison, chunk, expected);
    }
    free(expected);
    if (status != POSEMB_OK)
        atomic_store(&comparison->status, (int)status);
    return NULL;
}

/* This thread, and one for each other processor as far as they can be had. */
static void compare_in_threads(struct comparison *comparison)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[THREADS_MAX];
    int count = 0;

    while (count < THREADS_MAX && count + 1 < processors &&
           (uint64_t)count + 1 < comparison->chunks &&
           pthread_create(&threads[count], NULL, compare_chunks, comparison) == 0)
        count++;
    compare_chunks(comparison);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

posemb_status stage_call_read(struct stage_call *call, uint64_t *digest, posemb_error *error)
{
    posemb_status status;

    if (!call->output)
        call->output = malloc(call->output_bytes);
    if (!call->output)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for an output of %zu bytes",
                            call->output_bytes);
    status = posemb_session_download(call->workload->session, call->workload->device_out, 0,
                                     call->output, call->output_bytes, error);
    if (status != POSEMB_OK)
        return status;
    if (call->bench_case.out == POSEMB_F32) {
        uint32_t *bits = call->output;
        const float *values = call->output;

        for (size_t i = 0; i < call->output_bytes / sizeof *bits; i++)
            if (values[i] != values[i])
                bits[i] = 0x7fc00000u;
    }
    *digest = XXH3_64bits(call->output, call->output_bytes);
    return POSEMB_OK;
}

posemb_status stage_call_verify(struct stage_call *call, uint32_t set, size_t *differing,
                                uint64_t *digest, posemb_error *error)
{
    const uint64_t length = call->host.shape.length;
    const uint64_t columns = chunk_elements / call->workload->dim + 1;
    struct comparison comparison = {
        .call = call,
        .desc = posemb_plan_resolved(call->plan),
        .set = set,
        .columns = is_cut_freely(call) && columns < length ? columns : length,
    };
    const posemb_status status = stage_call_read(call, digest, error);

    if (status != POSEMB_OK)
        return status;
    comparison.chunks_of_row = (length + comparison.columns - 1) / comparison.columns;
    comparison.chunks = comparison.chunks_of_row * call->host.shape.batch;
    atomic_init(&comparison.next, 0);
    atomic_init(&comparison.differing, 0);
    atomic_init(&comparison.status, POSEMB_OK);
    compare_in_threads(&comparison);
    if (atomic_load(&comparison.status) != POSEMB_OK)
        return posemb__fail(error, (posemb_status)atomic_load(&comparison.status), 0,
                            "the reference fails: %s",
                            posemb_status_name((posemb_status)atomic_load(&comparison.status)));
    *differing += (size_t)atomic_load(&comparison.differing);
    return POSEMB_OK;
}
