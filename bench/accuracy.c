/* How exact and how fast ways to make sinusoids are, from position 100 to 10^9. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "fixed_point.h"
#include "lanes.h"
#include "measure.h"
#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const char bench_accuracy_source[];
extern const size_t bench_accuracy_source_size;

enum { DIM = BENCH_ACCURACY_DIM, PAIRS = DIM / 2, LAST = 64, TOKENS = 2048, GROUP = 64 };
static const double accuracy_seconds = 2.0;

enum { POSEMB, SIN_COS, NATIVE, FAST_MATH, TABLE };
const char *const bench_method_names[BENCH_METHODS] = {"posemb", "sin/cos", "native_sin/native_cos",
                                                       "fast-math", "fp32 table"};
const uint32_t bench_accuracy_positions[BENCH_ACCURACY_POSITIONS] = {
    100, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static const char *const options_of[BENCH_METHODS] = {
    [SIN_COS] = "-cl-std=CL1.2 -DSIN=sin -DCOS=cos -DEXP2=exp2",
    [NATIVE] = "-cl-std=CL1.2 -DSIN=native_sin -DCOS=native_cos -DEXP2=native_exp2",
    [FAST_MATH] = "-cl-std=CL1.2 -cl-fast-relaxed-math -DSIN=sin -DCOS=cos -DEXP2=exp2",
};

struct accuracy_run {
    struct bench *bench;
    posemb_plan *plan;
    cl_program programs[BENCH_METHODS];
    cl_kernel kernels[BENCH_METHODS];
    cl_mem out;
    cl_mem rows;                 /* of a table, to be copied */
    double *exact;               /* [LAST, DIM] */
    float *values;               /* [TOKENS, DIM] */
    struct posemb__fixed *turns; /* [PAIRS] per position, below one */
    struct lanes lanes;
};

/* ---- Exact values */

/* 10000^(-2i/D) / 2pi in turns per position, by 256-bit arithmetic. */
static void set_turns(struct posemb__fixed *turns)
{
    const struct posemb__fixed log = posemb__fixed_log2(10000.0);

    for (uint32_t i = 0; i < PAIRS; i++) {
        struct posemb__fixed exponent =
            posemb__fixed_negate(posemb__fixed_over(posemb__fixed_times(log, 2 * i), DIM));
        const int32_t whole = (int32_t)exponent.limb[7];
        struct posemb__fixed ratio;

        exponent.limb[7] = 0;
        ratio = posemb__fixed_exp2(&exponent);
        ratio = posemb__fixed_scale(&ratio, whole);
        turns[i] = posemb__fixed_multiply(&ratio, &posemb__one_over_2pi);
    }
}

/* The angle in whole turns is left out; what is left is within half a turn of zero. */
static void set_exact(struct accuracy_run *run, uint32_t first)
{
    const double pi = 3.14159265358979323846;

    for (uint32_t t = 0; t < LAST; t++)
        for (uint32_t i = 0; i < PAIRS; i++) {
            const struct posemb__fixed turns = posemb__fixed_times(run->turns[i], first + t);
            const uint64_t part = (uint64_t)turns.limb[6] << 32 | turns.limb[5];
            const double angle = (double)(int64_t)part * 0x1p-64 * 2.0 * pi;

            run->exact[t * DIM + 2 * i] = sin(angle);
            run->exact[t * DIM + 2 * i + 1] = cos(angle);
        }
}

/* As PyTorch's tutorials make them: every step in float. */
static void set_table(float *values, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < PAIRS; i++) {
        const float frequency = expf((float)(2 * i) * (-logf(10000.0f) / (float)DIM));

        for (uint32_t t = 0; t < count; t++) {
            const float angle = (float)(first + t) * frequency;

            values[t * DIM + 2 * i] = sinf(angle);
            values[t * DIM + 2 * i + 1] = cosf(angle);
        }
    }
}

/* ---- Launches */

static posemb_status enqueue_posemb(struct accuracy_run *run, uint32_t first, uint32_t tokens,
                                    posemb_error *error)
{
    const posemb_args args = {.shape = {.batch = 1, .length = tokens, .start = first},
                              .out = {run->out, 0}};

    return posemb_enqueue(run->plan, posemb_session_queue(run->bench->session), &args, 0, NULL,
                          NULL, error);
}

static posemb_status enqueue_kernel(struct accuracy_run *run, size_t method, uint32_t first,
                                    uint32_t tokens, posemb_error *error)
{
    const cl_kernel kernel = run->kernels[method];
    const cl_uint dim = DIM;
    const cl_long start = first;
    const cl_float log_step = (float)(-2.0 * log2(10000.0) / DIM);
    const size_t local[2] = {GROUP, 1};
    const size_t global[2] = {PAIRS, tokens};
    cl_int code;

    clSetKernelArg(kernel, 0, sizeof run->out, &run->out);
    clSetKernelArg(kernel, 1, sizeof dim, &dim);
    clSetKernelArg(kernel, 2, sizeof start, &start);
    clSetKernelArg(kernel, 3, sizeof log_step, &log_step);
    code = clEnqueueNDRangeKernel(posemb_session_queue(run->bench->session), kernel, 2, NULL,
                                  global, local, 0, NULL, NULL);
    return code == CL_SUCCESS ? POSEMB_OK
                              : posemb__cl_fail(error, code, bench_method_names[method]);
}

/* A lane: of a table its rows are copied; index - TABLE says how. */
static posemb_status enqueue(void *context, size_t index, uint32_t set, posemb_error *error)
{
    struct accuracy_run *run = context;
    cl_int code;

    (void)set;
    if (index == POSEMB)
        return enqueue_posemb(run, 0, TOKENS, error);
    if (index < TABLE)
        return enqueue_kernel(run, index, 0, TOKENS, error);
    code = yardsticks_enqueue_copy(&run->bench->yardsticks.copies[index - TABLE],
                                   posemb_session_queue(run->bench->session), run->rows, 0,
                                   run->out, (size_t)TOKENS * DIM * sizeof(float));
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "enqueue of a copy");
}

/* ---- Errors */

static double largest_error(const struct accuracy_run *run)
{
    double largest = 0.0;

    for (size_t i = 0; i < (size_t)LAST * DIM; i++) {
        const double error = fabs((double)run->values[i] - run->exact[i]);

        if (!(error <= largest)) /* a NaN too */
            largest = error;
    }
    return largest;
}

static posemb_status compute(struct accuracy_run *run, int method, uint32_t first,
                             posemb_error *error)
{
    posemb_status status;

    if (method == TABLE) {
        set_table(run->values, first, LAST);
        return POSEMB_OK;
    }
    status = method == POSEMB ? enqueue_posemb(run, first, LAST, error)
                              : enqueue_kernel(run, (size_t)method, first, LAST, error);
    if (status == POSEMB_OK)
        status = posemb_session_download(run->bench->session, run->out, 0, run->values,
                                         (size_t)LAST * DIM * sizeof(float), error);
    return status;
}

static posemb_status measure_errors(struct accuracy_run *run, struct bench_accuracy *accuracy,
                                    posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int p = 0; p < BENCH_ACCURACY_POSITIONS; p++) {
        const uint32_t first = bench_accuracy_positions[p] - (LAST - 1);

        set_exact(run, first);
        for (int m = 0; status == POSEMB_OK && m < BENCH_METHODS; m++) {
            if (!accuracy->built[m])
                continue;
            status = compute(run, m, first, error);
            if (status == POSEMB_OK)
                accuracy->error[m][p] = largest_error(run);
        }
    }
    return status;
}

/* ---- Time */

static posemb_status measure_time(struct accuracy_run *run, struct bench_accuracy *accuracy,
                                  posemb_error *error)
{
    const struct lanes_budget budget = {
        .seconds = accuracy_seconds, .sample_seconds = 2e-3, .stop = run->bench->settings.stop};
    size_t lane_of[BENCH_METHODS] = {0};
    posemb_status status =
        lanes_create(&run->lanes, posemb_session_queue(run->bench->session), error);

    if (status != POSEMB_OK)
        return status;
    for (size_t m = 0; m < TABLE; m++)
        if (accuracy->built[m])
            lane_of[m] = lanes_add(&run->lanes, enqueue, run, m, 0);
    for (size_t i = 0; i < run->bench->yardsticks.copy_count; i++)
        lanes_add(&run->lanes, enqueue, run, TABLE + i, 1);
    status = lanes_try(&run->lanes, error);
    if (status == POSEMB_OK)
        status = lanes_run(&run->lanes, &budget, error);
    if (status != POSEMB_OK)
        return status;
    lane_of[TABLE] = lanes_best(&run->lanes, 1);
    for (size_t m = 0; m < BENCH_METHODS; m++)
        if (accuracy->built[m])
            accuracy->seconds[m] = lane_seconds(&run->lanes.lanes[lane_of[m]], 0.0);
    return POSEMB_OK;
}

/* ---- All of it */

static posemb_status allocate(struct accuracy_run *run, posemb_error *error)
{
    const size_t bytes = (size_t)TOKENS * DIM * sizeof(float);
    posemb_status status;

    run->exact = malloc((size_t)LAST * DIM * sizeof *run->exact);
    run->values = malloc(bytes + YARDSTICK_PADDING);
    run->turns = malloc(PAIRS * sizeof *run->turns);
    if (!run->exact || !run->values || !run->turns)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes", bytes);
    memset(run->values, 0, bytes + YARDSTICK_PADDING);
    set_turns(run->turns);
    set_table(run->values, 0, TOKENS);
    status = posemb_session_upload(run->bench->session, run->values, bytes + YARDSTICK_PADDING,
                                   &run->rows, error);
    if (status == POSEMB_OK)
        status = posemb_session_upload(run->bench->session, NULL, bytes + YARDSTICK_PADDING,
                                       &run->out, error);
    return status;
}

/* What the driver cannot build is left out. */
static posemb_status build(struct accuracy_run *run, struct bench_accuracy *accuracy,
                           posemb_error *error)
{
    const posemb_desc desc = {.dim = DIM,
                              .operation = POSEMB_TABLE,
                              .consumer = POSEMB_CONSUMER_STREAMED,
                              .concurrency = 1};
    cl_int code;

    for (int m = SIN_COS; m < TABLE; m++) {
        run->programs[m] = yardstick_build(run->bench->session, bench_accuracy_source,
                                           bench_accuracy_source_size, options_of[m]);
        if (run->programs[m])
            run->kernels[m] = clCreateKernel(run->programs[m], "accuracy_sinusoids", &code);
        accuracy->built[m] = run->kernels[m] != NULL;
    }
    accuracy->built[POSEMB] = true;
    accuracy->built[TABLE] = true;
    return posemb_plan_create(posemb_session_engine(run->bench->session), &desc, &run->plan, error);
}

static void release(struct accuracy_run *run)
{
    posemb_plan_destroy(run->plan);
    for (int m = 0; m < BENCH_METHODS; m++) {
        if (run->kernels[m])
            clReleaseKernel(run->kernels[m]);
        if (run->programs[m])
            clReleaseProgram(run->programs[m]);
    }
    if (run->out)
        clReleaseMemObject(run->out);
    if (run->rows)
        clReleaseMemObject(run->rows);
    free(run->exact);
    free(run->values);
    free(run->turns);
    lanes_destroy(&run->lanes);
}

posemb_status bench_accuracy_run(struct bench *bench, struct bench_accuracy *accuracy,
                                 posemb_error *error)
{
    struct accuracy_run run = {.bench = bench};
    posemb_status status;

    memset(accuracy, 0, sizeof *accuracy);
    status = allocate(&run, error);
    if (status == POSEMB_OK)
        status = build(&run, accuracy, error);
    if (status == POSEMB_OK)
        status = measure_errors(&run, accuracy, error);
    if (status == POSEMB_OK)
        status = measure_time(&run, accuracy, error);
    release(&run);
    return status;
}
