/* One case: the stage and its yardsticks in turn, in one process, verified before and after. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "lanes.h"
#include "measure.h"
#include "rival.h"
#include "stage_call.h"
#include "status.h"
#include "stream.h"
#include "yardstick.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAMILY_COPIES = 1, CALLS = 15 };
static const double sample_seconds = 2e-3;

/* What one case is measured with. */
struct measurement {
    struct bench *bench;
    posemb_engine *engine;
    struct bench_case bench_case; /* resolved */
    struct stage_call call;
    struct rivals rivals;
    struct stream stream;
    struct lanes lanes;
    size_t lane_of[BENCH_YARDSTICKS]; /* LANES_MAX: there is none */
    struct lanes_budget budget;
    struct bench_result *result;
};

/* ---- What cases share */

posemb_status bench_create(posemb_session *session, const struct bench_settings *settings,
                           struct bench **bench, posemb_error *error)
{
    struct bench *made = calloc(1, sizeof *made);
    posemb_status status;

    *bench = NULL;
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a benchmark");
    made->session = session;
    made->settings = *settings;
    status = yardsticks_create(session, 1024, &made->yardsticks, error);
    if (status == POSEMB_OK)
        *bench = made;
    else
        bench_destroy(made);
    return status;
}

void bench_destroy(struct bench *bench)
{
    if (!bench)
        return;
    workload_destroy(&bench->workload);
    yardsticks_destroy(&bench->yardsticks);
    free(bench);
}

posemb_status bench_need_workload(struct bench *bench, const struct bench_case *bench_case,
                                  posemb_error *error)
{
    posemb_status status;

    if (workload_fits(&bench->workload, bench_case))
        return POSEMB_OK;
    workload_destroy(&bench->workload);
    status = workload_create(bench->session, bench_case, &bench->workload, error);
    if (status == POSEMB_OK)
        status = yardsticks_need_reader(bench->session, bench->workload.out_bytes,
                                        &bench->yardsticks, error);
    return status;
}

/* ---- Lanes */

static cl_command_queue queue_of(const struct measurement *m)
{
    return posemb_session_queue(m->bench->session);
}

/* The reader, where the case has one, after what was enqueued with `code`. */
static posemb_status follow(const struct measurement *m, cl_int code, const char *what,
                            posemb_error *error)
{
    if (code == CL_SUCCESS && m->bench_case.with_reader)
        code = yardsticks_enqueue_reader(&m->bench->yardsticks, queue_of(m),
                                         m->bench->workload.device_out, m->call.output_bytes);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, what);
}

static posemb_status enqueue_stage(void *context, size_t index, uint32_t set, posemb_error *error)
{
    struct measurement *m = context;
    const posemb_status status = stage_call_enqueue(&m->call, set, queue_of(m), NULL, error);

    (void)index;
    return status == POSEMB_OK ? follow(m, CL_SUCCESS, "enqueue of the reader", error) : status;
}

/* What copies read: the table, which a table of positions does not have of its own. */
static cl_mem source_of(const struct measurement *m, uint32_t set, size_t *offset)
{
    const struct workload *workload = &m->bench->workload;

    *offset = workload_source_offset(workload, m->bench_case.table, set);
    return workload->tables[m->bench_case.table].device;
}

static posemb_status enqueue_copy(void *context, size_t index, uint32_t set, posemb_error *error)
{
    struct measurement *m = context;
    size_t offset;
    const cl_mem source = source_of(m, set, &offset);
    const cl_int code =
        yardsticks_enqueue_copy(&m->bench->yardsticks.copies[index], queue_of(m), source, offset,
                                m->bench->workload.device_out, (m->call.output_bytes + 3) / 4 * 4);

    return follow(m, code, "enqueue of a copy", error);
}

static posemb_status enqueue_stream(void *context, size_t index, uint32_t set, posemb_error *error)
{
    struct measurement *m = context;
    size_t offset;
    const cl_mem source = source_of(m, set, &offset);
    const posemb_storage_info *info = posemb_storage_find(m->bench_case.table);
    const cl_int code =
        stream_enqueue(&m->stream, index, queue_of(m), source,
                       offset / info->block_bytes * info->block, m->bench->workload.device_out);

    return follow(m, code, "enqueue of a copy", error);
}

static posemb_status enqueue_rival(void *context, size_t index, uint32_t set, posemb_error *error)
{
    struct measurement *m = context;
    const enum bench_yardstick yardstick = (enum bench_yardstick)index;
    const cl_int code = rivals_enqueue(&m->rivals, yardstick, set, queue_of(m));

    return follow(m, code, bench_yardstick_names[yardstick], error);
}

/* Whether a plain copy of the output moves what the stage moves. */
static bool copies_plainly(const struct bench_case *c)
{
    const posemb_storage_info *info = posemb_storage_find(c->table);

    return c->operation == POSEMB_TABLE ||
           (info->block == 1 && info->block_bytes == posemb__storage_size(c->out));
}

static posemb_status add_copies(struct measurement *m, posemb_error *error)
{
    const uint64_t count = m->bench->workload.tokens * m->bench_case.dim;
    posemb_status status = POSEMB_OK;

    if (copies_plainly(&m->bench_case)) {
        m->lane_of[BENCH_COPY_BUFFER] = m->lanes.count;
        for (size_t i = 0; i < m->bench->yardsticks.copy_count; i++)
            lanes_add(&m->lanes, enqueue_copy, m, i, FAMILY_COPIES);
        return POSEMB_OK;
    }
    status = stream_create(m->bench->session, m->bench_case.table, m->bench_case.out, count,
                           &m->stream, error);
    for (size_t i = 0; status == POSEMB_OK && i < m->stream.count; i++)
        lanes_add(&m->lanes, enqueue_stream, m, i, FAMILY_COPIES);
    return status;
}

/* Those that give what they must. */
static posemb_status add_rivals(struct measurement *m, posemb_error *error)
{
    const unsigned wanted = m->bench->settings.yardsticks & rivals_of(&m->bench_case);
    posemb_status status = POSEMB_OK;

    if (!wanted)
        return POSEMB_OK;
    rivals_create(&m->call, m->engine, &m->rivals);
    if (!m->rivals.built)
        return POSEMB_OK;
    for (int y = BENCH_GATHER; status == POSEMB_OK && y < BENCH_YARDSTICKS; y++) {
        size_t differing = 0;

        if (!(wanted >> y & 1u))
            continue;
        status = rivals_check(&m->rivals, (enum bench_yardstick)y, &differing, error);
        if (status == POSEMB_OK && differing > 0)
            m->result->wrong = bench_yardstick_names[y];
        else if (status == POSEMB_OK) {
            m->lane_of[y] = lanes_add(&m->lanes, enqueue_rival, m, (size_t)y, 0);
            m->lanes.lanes[m->lane_of[y]].launched = true;
        }
    }
    return status;
}

/* ---- Verified? */

/* Launch the stage with one set and compare every element. */
static posemb_status verify(struct measurement *m, uint32_t set, uint64_t *digest,
                            posemb_error *error)
{
    const posemb_status status = stage_call_enqueue(&m->call, set, queue_of(m), NULL, error);

    if (status != POSEMB_OK)
        return status;
    return stage_call_verify(&m->call, set, &m->result->differing, digest, error);
}

/* After the samples: another set beside the reference, or the bits of set 0 again. */
static posemb_status verify_again(struct measurement *m, posemb_error *error)
{
    uint64_t digest = 0;
    posemb_status status;

    if (m->bench->settings.twice)
        return verify(m, m->lanes.next_set, &digest, error);
    status = stage_call_enqueue(&m->call, 0, queue_of(m), NULL, error);
    if (status == POSEMB_OK)
        status = stage_call_read(&m->call, &digest, error);
    if (status == POSEMB_OK && digest != m->result->digest)
        m->result->differing = m->bench->workload.tokens;
    return status;
}

/* ---- Calls and events */

/* Seconds of one launch from its enqueue to the end of clFinish(), and by its events: NaN where
 * there are none. */
static posemb_status time_call(struct measurement *m, cl_command_queue queue, uint32_t set,
                               double *wall, double *by_events, posemb_error *error)
{
    const struct yardsticks *yardsticks = &m->bench->yardsticks;
    cl_event events[2] = {NULL, NULL};
    cl_ulong begin = 0;
    cl_ulong end = 0;
    cl_int code = CL_SUCCESS;
    const double start = clock_seconds();
    posemb_status status = stage_call_enqueue(&m->call, set, queue, &events[0], error);

    if (status == POSEMB_OK && m->bench_case.with_reader)
        code = yardsticks_enqueue_reader_event(yardsticks, queue, m->bench->workload.device_out,
                                               m->call.output_bytes, &events[1]);
    clFinish(queue);
    *wall = clock_seconds() - start;
    *by_events = NAN;
    if (status == POSEMB_OK && code != CL_SUCCESS)
        status = posemb__cl_fail(error, code, "enqueue of the reader");
    if (status == POSEMB_OK &&
        clGetEventProfilingInfo(events[0], CL_PROFILING_COMMAND_START, sizeof begin, &begin,
                                NULL) == CL_SUCCESS &&
        clGetEventProfilingInfo(events[events[1] ? 1 : 0], CL_PROFILING_COMMAND_END, sizeof end,
                                &end, NULL) == CL_SUCCESS)
        *by_events = ((double)end - (double)begin) * 1e-9;
    for (int i = 0; i < 2; i++)
        if (events[i])
            clReleaseEvent(events[i]);
    return status;
}

/* What a launch costs that does nothing. */
static double launch_seconds(struct measurement *m, cl_command_queue queue)
{
    double samples[CALLS];

    for (int i = 0; i < CALLS; i++) {
        const double start = clock_seconds();

        yardsticks_enqueue_nothing(&m->bench->yardsticks, queue);
        clFinish(queue);
        samples[i] = clock_seconds() - start;
    }
    return samples_median(samples, CALLS);
}

/* The wall clock has the launch too, of which we know about what it costs. */
static void judge_timing(struct bench_result *result, double launch)
{
    const double rest = result->call_seconds > launch ? result->call_seconds - launch : 0.0;
    const double event = result->event_seconds;

    if (isnan(event))
        snprintf(result->timing, sizeof result->timing, "no events");
    else if (event < 0.8 * rest - launch || event > 1.2 * rest + launch)
        snprintf(result->timing, sizeof result->timing,
                 "disagree: %.4g us by events, %.4g us by the clock less the launch", event * 1e6,
                 rest * 1e6);
    else
        snprintf(result->timing, sizeof result->timing, "agree");
}

/* On a queue of its own: profiling may slow the other one. */
static posemb_status time_calls(struct measurement *m, posemb_error *error)
{
    struct bench_result *result = m->result;
    double walls[CALLS];
    double events[CALLS];
    size_t with_events = 0;
    size_t calls = result->seconds > 0.05 ? 5 : CALLS;
    posemb_status status = POSEMB_OK;
    cl_int code;
    const cl_command_queue queue = clCreateCommandQueue(
        posemb_session_context(m->bench->session), posemb_session_device(m->bench->session)->device,
        CL_QUEUE_PROFILING_ENABLE, &code);
    double launch;

    if (!queue)
        return posemb__cl_fail(error, code, "clCreateCommandQueue with profiling");
    launch = launch_seconds(m, queue);
    for (size_t i = 0; status == POSEMB_OK && i < calls; i++) {
        double by_events;

        status = time_call(m, queue, m->lanes.next_set++, &walls[i], &by_events, error);
        if (status == POSEMB_OK && !isnan(by_events) && result->kernels == 1)
            events[with_events++] = by_events;
    }
    clReleaseCommandQueue(queue);
    if (status != POSEMB_OK)
        return status;
    result->call_seconds = samples_median(walls, calls);
    result->event_seconds = with_events ? samples_median(events, with_events) : NAN;
    judge_timing(result, launch);
    return POSEMB_OK;
}

/* ---- What comes out */

static void name_copy(const struct measurement *m, size_t lane, char *how, size_t size)
{
    const struct lane *best = &m->lanes.lanes[lane];

    if (best->enqueue == enqueue_copy)
        snprintf(how, size, "%s", m->bench->yardsticks.copies[best->index].name);
    else
        stream_name(&m->stream, best->index, how, size);
}

static void summarize_yardstick(struct measurement *m, enum bench_yardstick yardstick, size_t place)
{
    struct bench_yardstick_result *result = &m->result->yardsticks[yardstick];

    if (place == LANES_MAX || m->lanes.lanes[place].count == 0)
        return;
    result->measured = true;
    result->ratio = lanes_ratio(&m->lanes.lanes[0], &m->lanes.lanes[place]);
    result->seconds = lane_seconds(&m->lanes.lanes[place], 0.0);
    result->median_seconds = lane_seconds(&m->lanes.lanes[place], 0.5);
    result->launches = 1;
    if (yardstick <= BENCH_COPY_BUFFER) {
        name_copy(m, place, result->how, sizeof result->how);
        return;
    }
    result->launches = rivals_kernels(&m->rivals, yardstick);
    snprintf(result->how, sizeof result->how, "%s stores%s",
             m->rivals.last.streamed ? "streamed" : "plain",
             m->rivals.shared && yardstick != BENCH_VENDOR_SIN && yardstick != BENCH_GATHER
                 ? ", rows share positions"
                 : "");
}

static void summarize(struct measurement *m)
{
    struct bench_result *result = m->result;
    const struct lane *stage = &m->lanes.lanes[0];

    result->seconds = lane_seconds(stage, 0.0);
    result->median_seconds = lane_seconds(stage, 0.5);
    result->p90_seconds = lane_seconds(stage, 0.9);
    result->repeats = stage->count;
    result->launches = stage->launches;
    summarize_yardstick(m, BENCH_COPY, lanes_best(&m->lanes, FAMILY_COPIES));
    for (int y = BENCH_COPY_BUFFER; y < BENCH_YARDSTICKS; y++)
        summarize_yardstick(m, (enum bench_yardstick)y, m->lane_of[y]);
}

static void skip(struct bench_result *result, const char *format, double a, double b)
{
    snprintf(result->reason, sizeof result->reason, format, a, b);
    result->skipped = result->reason;
}

static posemb_status sample(struct measurement *m, posemb_error *error)
{
    double least;
    posemb_status status;

    status = lanes_try(&m->lanes, error);
    if (status != POSEMB_OK)
        return status;
    least = lanes_least_seconds(&m->lanes, &m->budget);
    if (least > m->bench->settings.limit_seconds) {
        skip(m->result, "it would take %.0f s with the fewest samples; the limit is %.0f s", least,
             m->bench->settings.limit_seconds);
        return POSEMB_OK;
    }
    status = lanes_run(&m->lanes, &m->budget, error);
    if (status == POSEMB_OK)
        status = verify_again(m, error);
    if (status != POSEMB_OK || m->result->differing > 0)
        return status;
    summarize(m);
    status = time_calls(m, error);
    m->result->verified = status == POSEMB_OK;
    return status;
}

static posemb_status measure(struct measurement *m, posemb_error *error)
{
    posemb_status status =
        stage_call_create(&m->bench->workload, m->engine, &m->bench_case, &m->call, error);

    if (status == POSEMB_OK)
        status =
            posemb_plan_tuning(m->call.plan, m->result->tuning, sizeof m->result->tuning, error);
    if (status == POSEMB_OK)
        status = verify(m, 0, &m->result->digest, error);
    if (status != POSEMB_OK || m->result->differing > 0)
        return status;
    m->result->kernels = m->call.scratch ? 2 : 1;
    status = lanes_create(&m->lanes, queue_of(m), error);
    if (status != POSEMB_OK)
        return status;
    lanes_add(&m->lanes, enqueue_stage, m, 0, 0);
    status = add_copies(m, error);
    if (status == POSEMB_OK)
        status = add_rivals(m, error);
    if (status == POSEMB_OK)
        status = sample(m, error);
    return status;
}

static void count_bytes(struct measurement *m)
{
    const struct bench_case *c = &m->bench_case;
    const uint64_t tokens = m->bench->workload.tokens;
    const uint64_t out = tokens * posemb_storage_row_bytes(c->out, c->dim);

    m->result->bytes = bench_case_bytes(c);
    m->result->copy_bytes =
        out +
        (c->operation == POSEMB_TABLE ? out : tokens * posemb_storage_row_bytes(c->table, c->dim));
    m->result->table_rows = m->bench->workload.vocab;
}

/* A case that is too large, for this machine or the time that it may take, is passed over. */
static bool is_too_large(struct bench *bench, const struct bench_case *c,
                         struct bench_result *result)
{
    result->skipped = bench_case_fault(c);
    if (!result->skipped)
        result->skipped =
            workload_has_no_room(bench->session, c, result->reason, sizeof result->reason);
    return result->skipped != NULL;
}

posemb_status bench_run(struct bench *bench, posemb_engine *engine,
                        const struct bench_case *bench_case, struct bench_result *result,
                        posemb_error *error)
{
    struct measurement m = {
        .bench = bench,
        .engine = engine ? engine : posemb_session_engine(bench->session),
        .bench_case = bench_case_resolved(bench_case),
        .result = result,
        .budget = {.seconds = bench->settings.seconds,
                   .sample_seconds = sample_seconds,
                   .repeats_min = bench->settings.repeats_min,
                   .stop = bench->settings.stop},
    };
    posemb_status status;

    memset(result, 0, sizeof *result);
    if (is_too_large(bench, &m.bench_case, result))
        return POSEMB_OK;
    for (int y = 0; y < BENCH_YARDSTICKS; y++)
        m.lane_of[y] = LANES_MAX;
    status = bench_need_workload(bench, &m.bench_case, error);
    if (status == POSEMB_OK) {
        count_bytes(&m);
        status = measure(&m, error);
    }
    if (status == POSEMB_OUT_OF_MEMORY && error) {
        snprintf(result->reason, sizeof result->reason, "%.255s", error->message);
        result->skipped = result->reason;
        status = POSEMB_OK;
    }
    lanes_destroy(&m.lanes);
    stream_destroy(&m.stream);
    rivals_destroy(&m.rivals);
    stage_call_destroy(&m.call);
    return status;
}
