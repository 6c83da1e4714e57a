/* Gradients of the stage: each beside the time in which its bytes could be copied. */
#include "bench.h"
#include "cl_error.h"
#include "clock.h"
#include "status.h"
#include "workload.h"
#include "yardstick.h"

#include <posemb/posemb_train_cl.h>

#include <stdlib.h>
#include <string.h>

enum { WARMUPS = 2 };

/* How long the rounds of samples take together. */
static const double backward_seconds = 8.0;

/* What a case wants beside the gradient of the token table. */
static const struct backward_part {
    const char *name;
    posemb_norm norm;
    bool learned;
    bool segments; /* instead of a dense gradient */
    bool accumulate;
} parts[BENCH_BACKWARDS] = {
    {"token table, dense", POSEMB_NORM_NONE, false, false, false},
    {"token table, added to", POSEMB_NORM_NONE, false, false, true},
    {"token table, segments", POSEMB_NORM_NONE, false, true, false},
    {"tokens and positions", POSEMB_NORM_NONE, true, false, false},
    {"all through RMSNorm", POSEMB_NORM_RMS, true, false, false},
    {"all through LayerNorm", POSEMB_NORM_LAYER, true, false, false},
};

/* Device buffers: inputs are windows of the workload's table. */
struct memory {
    cl_mem scratch;
    cl_mem table_grad;
    cl_mem position_grad;
    cl_mem vectors; /* gradients of gamma and beta, then the mean and rstd of each token */
    cl_mem numbers; /* of segments, and their count */
    float *host;    /* a gradient of the token table, read back; and by the reference */
    float *expected;
    float *position_expected;
    float *vectors_expected;
};

struct run {
    posemb_session *session;
    struct workload workload;
    struct yardsticks yardsticks;
    struct memory memory;
    posemb_backward *backward[BENCH_BACKWARDS];
    posemb_backward_args args[BENCH_BACKWARDS];
    double samples[BENCH_BACKWARDS][WORKLOAD_REPEATS_MAX];
    double copies[YARDSTICK_COPIES_MAX][WORKLOAD_REPEATS_MAX];
};

static posemb_desc desc_of(const struct run *run, const struct backward_part *part)
{
    return (posemb_desc){.dim = run->workload.desc.dim,
                         .norm = part->norm,
                         .position_kind = part->learned ? POSEMB_LEARNED : POSEMB_SINUSOIDAL,
                         .token_scale = 1.5f};
}

static size_t vectors_floats(const struct run *run)
{
    return 2 * (size_t)run->workload.desc.dim + 2 * (size_t)run->workload.tokens;
}

static void set_args(struct run *run, size_t index)
{
    const struct backward_part *part = &parts[index];
    const struct workload *workload = &run->workload;
    const struct memory *memory = &run->memory;
    const uint64_t row = workload->desc.dim * sizeof(float);
    posemb_backward_args *args = &run->args[index];

    args->shape = workload->shape;
    args->shape.position_rows = part->learned ? workload->shape.length : 0;
    args->accumulation = part->accumulate ? POSEMB_ACCUMULATE : POSEMB_OVERWRITE;
    args->ids.mem = workload->device_ids;
    args->out_grad.mem = workload->device_table;
    if (part->segments) {
        args->segment_grads.mem = memory->table_grad;
        args->segment_rows.mem = memory->numbers;
        args->segment_count = (posemb_buffer){memory->numbers, workload->tokens * 4};
    } else {
        args->table_grad.mem = memory->table_grad;
    }
    if (part->learned)
        args->position_grad.mem = memory->position_grad;
    if (part->norm == POSEMB_NORM_NONE)
        return;
    args->sum = (posemb_buffer){workload->device_table, workload_source_offset(workload, 1)};
    args->gamma.mem = workload->device_table;
    args->gamma_grad.mem = memory->vectors;
    args->rstd = (posemb_buffer){memory->vectors, 2 * row};
    if (part->norm == POSEMB_NORM_LAYER) {
        args->beta_grad = (posemb_buffer){memory->vectors, row};
        args->mean = (posemb_buffer){memory->vectors, 2 * row + workload->tokens * 4};
    }
}

static posemb_status make_memory(struct run *run, posemb_error *error)
{
    const struct workload *workload = &run->workload;
    const size_t row = workload->desc.dim * sizeof(float);
    const size_t vectors = vectors_floats(run) * sizeof(float);
    struct memory *memory = &run->memory;
    posemb_status status = POSEMB_OK;

    memory->host = malloc(workload->table_bytes);
    memory->expected = calloc(1, workload->table_bytes);
    memory->position_expected = malloc((size_t)workload->shape.length * row);
    memory->vectors_expected = malloc(vectors);
    if (!memory->host || !memory->expected || !memory->position_expected ||
        !memory->vectors_expected)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for gradients");
    for (size_t i = 0; i < vectors / sizeof(float); i++)
        memory->vectors_expected[i] = 0.5f + workload->table[i];
    status = posemb_session_upload(run->session, memory->expected, workload->table_bytes,
                                   &memory->table_grad, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(run->session, NULL, (size_t)workload->shape.length * row,
                                       &memory->position_grad, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(run->session, memory->vectors_expected, vectors,
                                       &memory->vectors, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(run->session, NULL, ((size_t)workload->tokens + 1) * 4,
                                       &memory->numbers, error);
    return status;
}

/* Backwards, and scratch memory that is enough for any. */
static posemb_status prepare(struct run *run, posemb_error *error)
{
    uint64_t scratch = 0;
    posemb_status status = make_memory(run, error);

    for (size_t i = 0; status == POSEMB_OK && i < BENCH_BACKWARDS; i++) {
        const posemb_desc desc = desc_of(run, &parts[i]);
        uint64_t bytes = 0;

        set_args(run, i);
        status = posemb_backward_create(posemb_session_engine(run->session), &desc,
                                        &run->backward[i], error);
        if (status == POSEMB_OK)
            status = posemb_backward_scratch_bytes(run->backward[i], &run->args[i], &bytes, error);
        if (bytes > scratch)
            scratch = bytes;
    }
    if (status == POSEMB_OK)
        status =
            posemb_session_upload(run->session, NULL, (size_t)scratch, &run->memory.scratch, error);
    for (size_t i = 0; i < BENCH_BACKWARDS; i++)
        run->args[i].scratch.mem = run->memory.scratch;
    return status;
}

/* The reference of a dense gradient of everything; the others have the same terms. */
static posemb_status verify(struct run *run, size_t index, size_t *differing, posemb_error *error)
{
    const struct workload *workload = &run->workload;
    const struct backward_part *part = &parts[index];
    const posemb_desc desc = desc_of(run, part);
    const size_t dim = desc.dim;
    struct memory *memory = &run->memory;
    float *vectors = memory->vectors_expected;
    const posemb_host_backward_args args = {
        .shape = run->args[index].shape,
        .ids = workload->ids,
        .gamma = workload->table,
        .out_grad = workload->table,
        .sum = workload->table + workload_source_offset(workload, 1) / sizeof(float),
        .rstd = vectors + 2 * dim,
        .mean = vectors + 2 * dim + workload->tokens,
        .table_grad = memory->expected,
        .position_grad = part->learned ? memory->position_expected : NULL,
        .gamma_grad = part->norm != POSEMB_NORM_NONE ? vectors : NULL,
        .beta_grad = part->norm == POSEMB_NORM_LAYER ? vectors + dim : NULL};
    posemb_status status;

    if (part->segments || part->accumulate)
        return POSEMB_OK;
    status = posemb_reference_backward(&desc, &args, error);
    if (status == POSEMB_OK)
        status = posemb_backward_enqueue(run->backward[index], posemb_session_queue(run->session),
                                         &run->args[index], 0, NULL, NULL, error);
    if (status == POSEMB_OK)
        status = posemb_session_download(run->session, memory->table_grad, 0, memory->host,
                                         workload->table_bytes, error);
    if (status == POSEMB_OK)
        *differing += posemb_compare_bits(memory->expected, memory->host,
                                          workload->table_bytes / sizeof(float), NULL);
    if (status == POSEMB_OK && part->norm != POSEMB_NORM_NONE)
        status = posemb_session_download(run->session, memory->vectors, 0, memory->host,
                                         2 * dim * sizeof(float), error);
    if (status == POSEMB_OK && part->norm != POSEMB_NORM_NONE)
        *differing += posemb_compare_bits(vectors, memory->host,
                                          part->norm == POSEMB_NORM_LAYER ? 2 * dim : dim, NULL);
    return status;
}

/* Rows of the table with terms. */
static uint64_t rows_with_terms(const struct run *run)
{
    const struct workload *workload = &run->workload;

    return workload->tokens < workload->shape.vocab ? workload->tokens : workload->shape.vocab;
}

/* What a case cannot but read and write, each byte once: dY, x of a norm, gradients. */
static double bytes_of(const struct run *run, size_t index)
{
    const struct backward_part *part = &parts[index];
    const struct workload *workload = &run->workload;
    const double row = (double)(workload->desc.dim * sizeof(float));
    const double tokens = (double)workload->tokens * row;
    const double touched = (double)rows_with_terms(run) * row;
    double bytes = tokens;

    if (part->norm != POSEMB_NORM_NONE)
        bytes += tokens;
    if (part->accumulate)
        bytes += 2.0 * touched;
    else
        bytes += part->segments ? touched : (double)workload->table_bytes;
    if (part->learned)
        bytes += (double)workload->shape.length * row;
    return bytes;
}

static posemb_status sample(struct run *run, size_t index, uint32_t repeat, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(run->session);
    const double begin = clock_seconds();
    const posemb_status status = posemb_backward_enqueue(run->backward[index], queue,
                                                         &run->args[index], 0, NULL, NULL, error);

    clFinish(queue);
    run->samples[index][repeat] = clock_seconds() - begin;
    return status;
}

/* The copies move as many bytes as the output of the stage has. */
static posemb_status sample_copies(struct run *run, uint32_t repeat, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(run->session);
    cl_int code = CL_SUCCESS;

    for (size_t i = 0; code == CL_SUCCESS && i < run->yardsticks.copy_count; i++) {
        const double begin = clock_seconds();

        code =
            yardsticks_enqueue_copy(&run->yardsticks.copies[i], queue, run->workload.device_table,
                                    workload_source_offset(&run->workload, repeat),
                                    run->workload.device_out, run->workload.out_bytes);
        clFinish(queue);
        run->copies[i][repeat] = clock_seconds() - begin;
    }
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "enqueue of a copy");
}

static posemb_status sample_all(struct run *run, uint32_t repeat, posemb_error *error)
{
    posemb_status status = sample_copies(run, repeat, error);

    for (size_t i = 0; status == POSEMB_OK && i < BENCH_BACKWARDS; i++)
        status = sample(run, (i + repeat) % BENCH_BACKWARDS, repeat, error);
    return status;
}

static void summarize(const struct run *run, struct bench_backwards *result)
{
    double copy = samples_smallest(run->copies[0], result->repeats);

    for (size_t i = 1; i < run->yardsticks.copy_count; i++) {
        const double seconds = samples_smallest(run->copies[i], result->repeats);

        if (seconds < copy)
            copy = seconds;
    }
    for (size_t i = 0; i < BENCH_BACKWARDS; i++) {
        result->name[i] = parts[i].name;
        result->bytes[i] = bytes_of(run, i);
        result->seconds[i] = samples_smallest(run->samples[i], result->repeats);
        result->copy_seconds[i] = copy * result->bytes[i] / (2.0 * (double)run->workload.out_bytes);
    }
}

static posemb_status measure(struct run *run, struct bench_backwards *result, posemb_error *error)
{
    const double begin = clock_seconds();
    posemb_status status = POSEMB_OK;

    for (int n = 0; status == POSEMB_OK && n < WARMUPS; n++)
        status = sample_all(run, 0, error);
    result->repeats = workload_repeats(backward_seconds, (clock_seconds() - begin) / WARMUPS);
    for (uint32_t n = 0; status == POSEMB_OK && n < result->repeats; n++)
        status = sample_all(run, n, error);
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
    struct memory *memory = &run->memory;

    for (size_t i = 0; i < BENCH_BACKWARDS; i++)
        posemb_backward_destroy(run->backward[i]);
    release_mem(memory->scratch);
    release_mem(memory->table_grad);
    release_mem(memory->position_grad);
    release_mem(memory->vectors);
    release_mem(memory->numbers);
    free(memory->host);
    free(memory->expected);
    free(memory->position_expected);
    free(memory->vectors_expected);
    yardsticks_destroy(&run->yardsticks);
    workload_destroy(&run->workload);
    free(run);
}

posemb_status bench_backwards_run(posemb_session *session, uint32_t batch, uint32_t length,
                                  uint32_t dim, struct bench_backwards *result, posemb_error *error)
{
    const struct bench_case bench_case = {POSEMB_ENCODE, batch, length, dim, false, false, false};
    struct run *run = calloc(1, sizeof *run);
    posemb_status status;

    memset(result, 0, sizeof *result);
    if (!run)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a benchmark");
    run->session = session;
    status = workload_create(session, &bench_case, &run->workload, error);
    if (status == POSEMB_OK)
        status = yardsticks_create(session, run->workload.out_bytes, &run->yardsticks, error);
    if (status == POSEMB_OK)
        status = prepare(run, error);
    for (size_t i = 0; status == POSEMB_OK && i < BENCH_BACKWARDS; i++)
        status = verify(run, i, &result->differing, error);
    if (status == POSEMB_OK && result->differing == 0)
        status = measure(run, result, error);
    release(run);
    return status;
}
