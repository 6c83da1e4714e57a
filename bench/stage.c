/* One case: the stage and the copies in turn, in one process, verified before and after. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "status.h"
#include "workload.h"
#include "yardstick.h"

#include <stdio.h>
#include <string.h>

enum {
    WARMUPS = 3,   /* samples that are thrown away */
    TRIALS = 6,    /* samples after which only the best copies go on */
    FINALISTS = 3, /* copies that go on */
    REPEATS_MIN = 21,
    REPEATS_MAX = 200,
    LAUNCHES_MAX = 256
};

/* A sample lasts about this long, and a case about that long. */
static const double sample_seconds = 2e-3;
static const double case_seconds = 5.0;

/* Candidate 0 is the stage, candidate 1 + i is copy i. */
struct run {
    posemb_session *session;
    const struct bench_case *bench_case;
    posemb_plan *plan;
    struct workload workload;
    struct yardsticks yardsticks;
    uint32_t launches;
    uint32_t next_set;
    size_t candidates;
    bool dropped[1 + YARDSTICK_COPIES_MAX];
    double samples[1 + YARDSTICK_COPIES_MAX][REPEATS_MAX];
    size_t repeats;
};

static posemb_status launch_once(struct run *run, size_t candidate, uint32_t set,
                                 posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(run->session);
    struct workload *workload = &run->workload;
    posemb_status status = POSEMB_OK;
    cl_int code = CL_SUCCESS;

    if (candidate == 0) {
        const posemb_args args = workload_args(workload, set);
        status = posemb_enqueue(run->plan, queue, &args, 0, NULL, NULL, error);
    } else {
        code = yardsticks_enqueue_copy(
            &run->yardsticks.copies[candidate - 1], queue, workload->device_table,
            workload_source_offset(workload, set), workload->device_out, workload->out_bytes);
    }
    if (status == POSEMB_OK && code == CL_SUCCESS && run->bench_case->with_reader)
        code = yardsticks_enqueue_reader(&run->yardsticks, queue, workload->device_out,
                                         workload->out_bytes);
    if (status == POSEMB_OK && code != CL_SUCCESS)
        status = posemb__cl_fail(error, code, "enqueue of a yardstick");
    return status;
}

/* Seconds of one launch, measured over run->launches of them. */
static posemb_status sample(struct run *run, size_t candidate, double *seconds, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(run->session);
    const double begin = clock_seconds();

    for (uint32_t i = 0; i < run->launches; i++) {
        const posemb_status status = launch_once(run, candidate, run->next_set++, error);
        if (status != POSEMB_OK)
            return status;
    }
    clFinish(queue);
    *seconds = (clock_seconds() - begin) / run->launches;
    return POSEMB_OK;
}

static posemb_status sample_all(struct run *run, size_t repeat, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < run->candidates; i++) {
        /* Each repeat begins with another candidate, so that none always follows the same. */
        const size_t candidate = (i + repeat) % run->candidates;
        if (!run->dropped[candidate])
            status = sample(run, candidate, &run->samples[candidate][repeat], error);
    }
    return status;
}

/* Go on with the stage and the best copies only. */
static void drop_slow_copies(struct run *run)
{
    for (size_t i = 1; i < run->candidates; i++) {
        const double mine = samples_smallest(run->samples[i], TRIALS);
        size_t faster = 0;

        for (size_t j = 1; j < run->candidates; j++)
            faster += samples_smallest(run->samples[j], TRIALS) < mine;
        run->dropped[i] = faster >= FINALISTS;
    }
}

static posemb_status warm_up(struct run *run, posemb_error *error)
{
    posemb_status status = POSEMB_OK;
    double seconds = 0.0;
    double wanted;

    run->launches = 1;
    for (int i = 0; status == POSEMB_OK && i < WARMUPS; i++)
        status = sample_all(run, 0, error);
    if (status != POSEMB_OK)
        return status;
    seconds = run->samples[0][0];
    wanted = sample_seconds / seconds + 1.0;
    run->launches = wanted < LAUNCHES_MAX ? (uint32_t)wanted : LAUNCHES_MAX;
    wanted = case_seconds / (seconds * run->launches * (2.5 + FINALISTS));
    run->repeats = wanted < REPEATS_MIN ? REPEATS_MIN : REPEATS_MAX;
    if (wanted > REPEATS_MIN && wanted < REPEATS_MAX)
        run->repeats = (size_t)wanted;
    return POSEMB_OK;
}

/* Launch the stage with one set and compare every element. */
static posemb_status verify(struct run *run, uint32_t set, size_t *differing, posemb_error *error)
{
    posemb_status status = launch_once(run, 0, set, error);

    if (status == POSEMB_OK)
        status = workload_verify(run->session, &run->workload, set, differing, error);
    return status;
}

static void summarize(struct run *run, struct bench_result *result)
{
    size_t best = 1;

    for (size_t i = 2; i < run->candidates; i++)
        if (!run->dropped[i] &&
            (run->dropped[best] || samples_smallest(run->samples[i], run->repeats) <
                                       samples_smallest(run->samples[best], run->repeats)))
            best = i;
    result->seconds = samples_smallest(run->samples[0], run->repeats);
    result->copy_seconds = samples_smallest(run->samples[best], run->repeats);
    result->median_seconds = samples_median(run->samples[0], run->repeats);
    result->copy_median_seconds = samples_median(run->samples[best], run->repeats);
    result->ratio_to_copy = result->seconds / result->copy_seconds;
    result->repeats = (uint32_t)run->repeats;
    result->launches = run->launches;
    snprintf(result->copy, sizeof result->copy, "%s", run->yardsticks.copies[best - 1].name);
}

static posemb_status measure(struct run *run, struct bench_result *result, posemb_error *error)
{
    posemb_status status = verify(run, 0, &result->differing, error);

    if (status != POSEMB_OK || result->differing > 0)
        return status;
    run->candidates = 1 + run->yardsticks.copy_count;
    status = warm_up(run, error);
    for (size_t i = 0; status == POSEMB_OK && i < run->repeats; i++) {
        if (i == TRIALS)
            drop_slow_copies(run);
        status = sample_all(run, i, error);
    }
    if (status == POSEMB_OK)
        status = verify(run, run->next_set, &result->differing, error);
    if (status == POSEMB_OK && result->differing == 0) {
        result->verified = true;
        summarize(run, result);
    }
    return status;
}

posemb_status bench_run(posemb_session *session, const struct bench_case *bench_case,
                        struct bench_result *result, posemb_error *error)
{
    struct run run;
    posemb_status status;

    memset(result, 0, sizeof *result);
    memset(&run, 0, sizeof run);
    run.session = session;
    run.bench_case = bench_case;
    status = workload_create(session, bench_case, &run.workload, error);
    if (status != POSEMB_OK)
        return status;
    status = yardsticks_create(session, run.workload.out_bytes, &run.yardsticks, error);
    if (status == POSEMB_OK)
        status = posemb_plan_create(posemb_session_engine(session), &run.workload.desc, &run.plan,
                                    error);
    if (status == POSEMB_OK)
        status =
            posemb_plan_warmup(run.plan, posemb_session_queue(session), &run.workload.shape, error);
    if (status == POSEMB_OK)
        status = measure(&run, result, error);
    posemb_plan_destroy(run.plan);
    yardsticks_destroy(&run.yardsticks);
    workload_destroy(&run.workload);
    return status;
}
