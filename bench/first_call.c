/* The first calls of a process: how long until a plan exists, and its first and second launch. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "stage_call.h"
#include "status.h"

#include <string.h>

enum { STEADY = 101 };

static const struct bench_case first_case = {
    .batch = 8, .length = 128, .dim = 1024, .hot_rows = true};

/* A launch, from its enqueue to the end of clFinish(). */
static posemb_status launch(posemb_session *session, const struct stage_call *call, double *seconds,
                            posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(session);
    const double begin = clock_seconds();
    const posemb_status status = stage_call_enqueue(call, 0, queue, NULL, error);
    cl_int code;

    if (status != POSEMB_OK)
        return status;
    code = clFinish(queue);
    *seconds = clock_seconds() - begin;
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clFinish");
}

/* The launches of a plan that is there: the first, the second, and what they come to. */
static posemb_status launch_all(posemb_session *session, struct stage_call *call,
                                struct bench_first_call *result, posemb_error *error)
{
    double steady[STEADY];
    uint64_t digest;
    posemb_status status = launch(session, call, &result->first_seconds, error);

    if (status == POSEMB_OK)
        status = launch(session, call, &result->second_seconds, error);
    for (int i = 0; status == POSEMB_OK && i < STEADY; i++)
        status = launch(session, call, &steady[i], error);
    if (status == POSEMB_OK)
        status = stage_call_verify(call, 0, &result->differing, &digest, error);
    if (status == POSEMB_OK)
        result->steady_seconds = samples_median(steady, STEADY);
    return status;
}

/* Plan and launches, with or without a warm-up between them. */
static posemb_status begin(posemb_session *session, bool warm_up, struct workload *workload,
                           struct bench_first_call *result, struct stage_call *call,
                           posemb_error *error)
{
    const struct stage_call_times times = {&result->plan_seconds, &result->warmup_seconds, warm_up};
    const posemb_status status = stage_call_create_timed(workload, posemb_session_engine(session),
                                                         &first_case, &times, call, error);

    if (status != POSEMB_OK)
        return status;
    result->origin = posemb_plan_origin(call->plan);
    return launch_all(session, call, result, error);
}

posemb_status bench_first_call_run(posemb_session *session, bool warm_up, bool from_memory,
                                   struct bench_first_call *result, posemb_error *error)
{
    const struct bench_case resolved = bench_case_resolved(&first_case);
    struct workload workload;
    struct stage_call call = {0};
    struct stage_call again = {0};
    posemb_status status = workload_create(session, &resolved, &workload, error);

    if (status != POSEMB_OK)
        return status;
    memset(result, 0, sizeof *result);
    status = begin(session, warm_up, &workload, result, &call, error);
    if (status == POSEMB_OK && from_memory)
        status = begin(session, warm_up, &workload, result, &again, error);
    stage_call_destroy(&again);
    stage_call_destroy(&call);
    workload_destroy(&workload);
    return status;
}
