/* Gradients of the stage: all on the same tokens, in turn with copies of as many bytes. */
#include "gradients.h"

#include "cl_error.h"
#include "lanes.h"
#include "measure.h"
#include "status.h"

#include <posemb/posemb_train_cl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All gradients beside the seconds of one case. */
static const double gradients_share = 4.0;
static const double sample_seconds = 2e-3;
/* What the memory of gradients holds before a call that is compared. */
static const float before = 0.5f;

enum { FAMILY_COPIES = 1, ALIGNMENT = 16 /* floats, of each gradient */ };

/* What a case wants beside the gradient of the token table. */
static const struct part {
    const char *name;
    posemb_norm norm;
    bool learned;
    bool segments; /* instead of a dense gradient */
    bool accumulate;
} parts[BENCH_GRADIENTS] = {
    {"token table, dense", POSEMB_NORM_NONE, false, false, false},
    {"token table, added to", POSEMB_NORM_NONE, false, false, true},
    {"token table, segments", POSEMB_NORM_NONE, false, true, false},
    {"tokens and positions", POSEMB_NORM_NONE, true, false, false},
    {"all through RMSNorm", POSEMB_NORM_RMS, true, false, false},
    {"all through LayerNorm", POSEMB_NORM_LAYER, true, false, false},
};

/* Where gradients lie in one buffer, counted in floats. */
struct places {
    size_t positions; /* the token table's, or its segments, come first */
    size_t gamma;
    size_t beta;
    size_t numbers; /* rows of segments, and their count */
    size_t count;   /* of all */
};

struct run {
    struct bench *bench;
    struct bench_case bench_case;
    uint64_t tokens;
    uint64_t table_rows;
    struct places places;
    cl_mem grads;
    cl_mem scratch;
    float *expected;
    float *found;
    posemb_backward *backward[BENCH_GRADIENTS];
    struct lanes lanes;
    struct bench_gradients *result;
};

static cl_command_queue queue_of(const struct run *run)
{
    return posemb_session_queue(run->bench->session);
}

/* ---- Data */

static size_t place_after(size_t place, uint64_t floats)
{
    return (place + (size_t)floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* A dense gradient has the rows that the ids of set 0 are among, which are the same on every
 * device: those that make the table larger than a cache would be zeros and no more. */
static void describe(struct run *run, const uint32_t shape[3])
{
    const struct bench_case wanted = {.batch = shape[0], .length = shape[1], .dim = shape[2]};
    struct places *places = &run->places;

    run->bench_case = bench_case_resolved(&wanted);
    run->tokens = (uint64_t)shape[0] * shape[1];
    run->table_rows = workload_base_rows(&run->bench_case);
    places->positions = place_after(0, run->table_rows * shape[2]);
    places->gamma = place_after(places->positions, (uint64_t)shape[1] * shape[2]);
    places->beta = place_after(places->gamma, shape[2]);
    places->numbers = place_after(places->beta, shape[2]);
    places->count = place_after(places->numbers, run->tokens + 1);
    run->result->table_rows = run->table_rows;
}

/* Scratch memory as posemb_train_cl.h estimates it, for a norm and two tables. */
static const char *has_no_room(const struct run *run, char *reason, size_t size)
{
    const uint64_t grads = run->places.count * sizeof(float) + YARDSTICK_PADDING;
    const uint64_t scratch = run->tokens * (6 * (uint64_t)run->bench_case.dim + 100);
    const struct workload_beside beside = {
        .largest = grads > scratch ? grads : scratch, .device = grads + scratch, .host = 2 * grads};

    return workload_has_no_room_beside(run->bench->session, &run->bench_case, &beside, reason,
                                       size);
}

static posemb_status make_memory(struct run *run, posemb_error *error)
{
    const size_t bytes = run->places.count * sizeof(float);
    posemb_status status = bench_need_workload(run->bench, &run->bench_case, error);

    if (status == POSEMB_OK)
        status = workload_need_table(&run->bench->workload, POSEMB_F32, error);
    if (status != POSEMB_OK)
        return status;
    run->expected = malloc(bytes);
    run->found = malloc(bytes);
    if (!run->expected || !run->found)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for gradients of %zu bytes",
                            bytes);
    return posemb_session_upload(run->bench->session, NULL, bytes + YARDSTICK_PADDING, &run->grads,
                                 error);
}

static posemb_desc desc_of(const struct run *run, const struct part *part)
{
    return (posemb_desc){.dim = run->bench_case.dim,
                         .norm = part->norm,
                         .position_kind = part->learned ? POSEMB_LEARNED : POSEMB_SINUSOIDAL,
                         .token_scale = 1.5f};
}

static posemb_buffer grad_at(const struct run *run, size_t place)
{
    return (posemb_buffer){run->grads, place * sizeof(float)};
}

/* Inputs are windows of the workload's table, which move on from launch to launch, as the ids do
 * within the rows of the gradient. Any numbers do for means and deviations. */
static posemb_backward_args args_of(const struct run *run, const struct part *part, uint32_t set)
{
    const struct workload *workload = &run->bench->workload;
    const cl_mem table = workload->tables[POSEMB_F32].device;
    const uint64_t id_sets = run->table_rows / run->tokens;
    const struct places *places = &run->places;
    posemb_backward_args args = {
        .shape = {.batch = workload->batch,
                  .length = workload->length,
                  .vocab = run->table_rows,
                  .position_rows = part->learned ? workload->length : 0},
        .accumulation = part->accumulate ? POSEMB_ACCUMULATE : POSEMB_OVERWRITE,
        .ids = {workload->device_ids, set % id_sets * run->tokens * sizeof(int32_t)},
        .out_grad = {table, workload_source_offset(workload, POSEMB_F32, set)},
        .scratch = {run->scratch, 0}};

    if (part->segments) {
        args.segment_grads = grad_at(run, 0);
        args.segment_rows = grad_at(run, places->numbers);
        args.segment_count = grad_at(run, places->numbers + (size_t)run->tokens);
    } else {
        args.table_grad = grad_at(run, 0);
    }
    if (part->learned)
        args.position_grad = grad_at(run, places->positions);
    if (part->norm == POSEMB_NORM_NONE)
        return args;
    args.sum = (posemb_buffer){table, workload_source_offset(workload, POSEMB_F32, set + 1)};
    args.rstd = (posemb_buffer){table, 0};
    args.gamma = (posemb_buffer){workload->device_floats, workload_gamma(workload) * sizeof(float)};
    args.gamma_grad = grad_at(run, places->gamma);
    if (part->norm == POSEMB_NORM_LAYER) {
        args.mean = (posemb_buffer){table, 0};
        args.beta_grad = grad_at(run, places->beta);
    }
    return args;
}

/* Compile, and make scratch memory that is enough for any. */
static posemb_status make_backwards(struct run *run, posemb_error *error)
{
    posemb_session *session = run->bench->session;
    uint64_t scratch = 64;
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < BENCH_GRADIENTS; i++) {
        const posemb_desc desc = desc_of(run, &parts[i]);
        const posemb_backward_args args = args_of(run, &parts[i], 0);
        uint64_t bytes = 0;

        status =
            posemb_backward_create(posemb_session_engine(session), &desc, &run->backward[i], error);
        if (status == POSEMB_OK)
            status = posemb_backward_scratch_bytes(run->backward[i], &args, &bytes, error);
        if (bytes > scratch)
            scratch = bytes;
    }
    if (status == POSEMB_OK)
        status = posemb_session_upload(session, NULL, (size_t)scratch, &run->scratch, error);
    return status;
}

/* ---- Comparison with the reference */

/* The host's copy of what a buffer holds; of gradients, where the reference leaves them. */
static void *host_of(const struct run *run, posemb_buffer buffer)
{
    const struct workload *workload = &run->bench->workload;
    const struct {
        cl_mem mem;
        void *host;
    } pairs[] = {{run->grads, run->expected},
                 {workload->tables[POSEMB_F32].device, workload->tables[POSEMB_F32].host},
                 {workload->device_ids, workload->ids},
                 {workload->device_floats, workload->floats}};

    for (size_t i = 0; buffer.mem && i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].mem == buffer.mem)
            return (unsigned char *)pairs[i].host + buffer.offset;
    return NULL;
}

static posemb_host_backward_args host_args_of(const struct run *run,
                                              const posemb_backward_args *args)
{
    return (posemb_host_backward_args){.shape = args->shape,
                                       .accumulation = args->accumulation,
                                       .ids = host_of(run, args->ids),
                                       .gamma = host_of(run, args->gamma),
                                       .out_grad = host_of(run, args->out_grad),
                                       .sum = host_of(run, args->sum),
                                       .mean = host_of(run, args->mean),
                                       .rstd = host_of(run, args->rstd),
                                       .table_grad = host_of(run, args->table_grad),
                                       .position_grad = host_of(run, args->position_grad),
                                       .gamma_grad = host_of(run, args->gamma_grad),
                                       .beta_grad = host_of(run, args->beta_grad),
                                       .segment_rows = host_of(run, args->segment_rows),
                                       .segment_grads = host_of(run, args->segment_grads),
                                       .segment_count = host_of(run, args->segment_count)};
}

static posemb_status enqueue_backward(void *context, size_t index, uint32_t set,
                                      posemb_error *error)
{
    const struct run *run = context;
    const posemb_backward_args args = args_of(run, &parts[index], set);

    return posemb_backward_enqueue(run->backward[index], queue_of(run), &args, 0, NULL, NULL,
                                   error);
}

/* All of the memory is compared, so that what a call must leave alone is looked at too. */
static posemb_status verify(struct run *run, size_t index, posemb_error *error)
{
    const posemb_desc desc = desc_of(run, &parts[index]);
    const posemb_backward_args args = args_of(run, &parts[index], 0);
    const posemb_host_backward_args host = host_args_of(run, &args);
    const size_t bytes = run->places.count * sizeof(float);
    posemb_status status;
    cl_int code;

    if (run->bench->settings.stop && *run->bench->settings.stop)
        return posemb__fail(error, POSEMB_CANCELLED, 0, "interrupted");
    for (size_t i = 0; i < run->places.count; i++)
        run->expected[i] = before;
    code = clEnqueueWriteBuffer(queue_of(run), run->grads, CL_TRUE, 0, bytes, run->expected, 0,
                                NULL, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "writing gradients");
    status = posemb_reference_backward(&desc, &host, error);
    if (status == POSEMB_OK)
        status = enqueue_backward(run, index, 0, error);
    if (status == POSEMB_OK)
        status =
            posemb_session_download(run->bench->session, run->grads, 0, run->found, bytes, error);
    if (status == POSEMB_OK)
        run->result->gradients[index].differing =
            posemb_compare_bits(run->expected, run->found, run->places.count, NULL);
    return status;
}

/* ---- Measuring */

/* What a case cannot but read and write: dY, ids, what a norm left, and the gradients, twice where
 * they are added to. No row has two terms. */
static uint64_t bytes_of(const struct run *run, const struct part *part)
{
    const uint64_t row = run->bench_case.dim * sizeof(float);
    const uint64_t tokens = run->tokens * row;
    const uint64_t numbers = run->tokens * sizeof(uint32_t);
    uint64_t bytes = tokens + numbers;

    if (part->accumulate)
        bytes += 2 * tokens;
    else
        bytes += part->segments ? tokens + numbers : run->table_rows * row;
    if (part->learned)
        bytes += run->bench_case.length * row;
    if (part->norm == POSEMB_NORM_RMS)
        bytes += tokens + numbers + 2 * row;
    if (part->norm == POSEMB_NORM_LAYER)
        bytes += tokens + 2 * numbers + 3 * row;
    return bytes;
}

/* Lane index: the case and the copy. The table may be smaller than what is to be read, or the
 * gradients than what is to be written: then the copy has two parts. */
static posemb_status enqueue_copy(void *context, size_t index, uint32_t set, posemb_error *error)
{
    const struct run *run = context;
    const struct workload *workload = &run->bench->workload;
    const struct yardstick_copy *copy =
        &run->bench->yardsticks.copies[index % YARDSTICK_COPIES_MAX];
    const size_t table = (size_t)workload->vocab * workload->dim * sizeof(float);
    const size_t grads = run->places.count * sizeof(float);
    const size_t room = (table < grads ? table : grads) / 64 * 64;
    size_t left =
        (size_t)(run->result->gradients[index / YARDSTICK_COPIES_MAX].bytes / 2 + 63) / 64 * 64;
    cl_int code = CL_SUCCESS;

    while (code == CL_SUCCESS && left > 0) {
        const size_t bytes = left < room ? left : room;
        const size_t last = (table - bytes) / 64 * 64;
        const size_t offset = workload_source_offset(workload, POSEMB_F32, set);

        code = yardsticks_enqueue_copy(copy, queue_of(run), workload->tables[POSEMB_F32].device,
                                       offset < last ? offset : last, run->grads, bytes);
        left -= bytes;
    }
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "enqueue of a copy");
}

/* The gradients come first: how many samples others get goes by the first. */
static void add_lanes(struct run *run, size_t lane_of[BENCH_GRADIENTS])
{
    for (size_t i = 0; i < BENCH_GRADIENTS; i++)
        lane_of[i] = run->result->gradients[i].differing > 0
                         ? LANES_MAX
                         : lanes_add(&run->lanes, enqueue_backward, run, i, 0);
    for (size_t i = 0; i < BENCH_GRADIENTS; i++)
        for (size_t v = 0; lane_of[i] != LANES_MAX && v < run->bench->yardsticks.copy_count; v++)
            lanes_add(&run->lanes, enqueue_copy, run, i * YARDSTICK_COPIES_MAX + v,
                      FAMILY_COPIES + (int)i);
}

static void summarize(struct run *run, const size_t lane_of[BENCH_GRADIENTS])
{
    for (size_t i = 0; i < BENCH_GRADIENTS; i++) {
        struct bench_gradient *result = &run->result->gradients[i];
        const size_t best = lanes_best(&run->lanes, FAMILY_COPIES + (int)i);
        const struct lane *lane;
        const struct lane *copy;

        if (lane_of[i] == LANES_MAX)
            continue;
        lane = &run->lanes.lanes[lane_of[i]];
        copy = &run->lanes.lanes[best];
        result->seconds = lane_seconds(lane, 0.0);
        result->median_seconds = lane_seconds(lane, 0.5);
        result->copy_seconds = lane_seconds(copy, 0.0);
        result->ratio = lanes_ratio(lane, copy);
        result->repeats = lane->count;
        result->launches = lane->launches;
        snprintf(result->copy, sizeof result->copy, "%s",
                 run->bench->yardsticks.copies[copy->index % YARDSTICK_COPIES_MAX].name);
    }
}

static posemb_status sample(struct run *run, posemb_error *error)
{
    const struct bench_settings *settings = &run->bench->settings;
    const struct lanes_budget budget = {.seconds = gradients_share * settings->seconds,
                                        .sample_seconds = sample_seconds,
                                        .repeats_min = settings->repeats_min,
                                        .stop = settings->stop};
    size_t lane_of[BENCH_GRADIENTS];
    posemb_status status = lanes_create(&run->lanes, queue_of(run), error);
    double least;

    if (status != POSEMB_OK)
        return status;
    add_lanes(run, lane_of);
    if (run->lanes.count == 0)
        return POSEMB_OK;
    status = lanes_try(&run->lanes, error);
    if (status != POSEMB_OK)
        return status;
    least = lanes_least_seconds(&run->lanes, &budget);
    if (least > gradients_share * settings->limit_seconds) {
        snprintf(run->result->reason, sizeof run->result->reason,
                 "it would take %.0f s with the fewest samples; the limit is %.0f s", least,
                 gradients_share * settings->limit_seconds);
        run->result->skipped = run->result->reason;
        return POSEMB_OK;
    }
    status = lanes_run(&run->lanes, &budget, error);
    if (status == POSEMB_OK)
        summarize(run, lane_of);
    return status;
}

static posemb_status measure(struct run *run, posemb_error *error)
{
    posemb_status status = make_memory(run, error);

    if (status == POSEMB_OK)
        status = make_backwards(run, error);
    for (size_t i = 0; status == POSEMB_OK && i < BENCH_GRADIENTS; i++) {
        run->result->gradients[i].name = parts[i].name;
        run->result->gradients[i].bytes = bytes_of(run, &parts[i]);
        status = verify(run, i, error);
    }
    return status == POSEMB_OK ? sample(run, error) : status;
}

static void release(struct run *run)
{
    for (size_t i = 0; i < BENCH_GRADIENTS; i++)
        posemb_backward_destroy(run->backward[i]);
    if (run->grads)
        clReleaseMemObject(run->grads);
    if (run->scratch)
        clReleaseMemObject(run->scratch);
    free(run->expected);
    free(run->found);
    lanes_destroy(&run->lanes);
}

posemb_status bench_gradients_run(struct bench *bench, const uint32_t shape[3],
                                  struct bench_gradients *result, posemb_error *error)
{
    struct run run = {.bench = bench, .result = result};
    posemb_status status;

    memset(result, 0, sizeof *result);
    describe(&run, shape);
    result->skipped = has_no_room(&run, result->reason, sizeof result->reason);
    if (result->skipped)
        return POSEMB_OK;
    status = measure(&run, error);
    if (status == POSEMB_OUT_OF_MEMORY && error) {
        snprintf(result->reason, sizeof result->reason, "%.255s", error->message);
        result->skipped = result->reason;
        status = POSEMB_OK;
    }
    release(&run);
    return status;
}
