/* The first calls of a process: how long until a plan exists, and its first and second launch. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "status.h"
#include "workload.h"

enum { STEADY = 101 };

static const struct bench_case first_case = {POSEMB_ENCODE, 8, 128, 1024, false, false, true};

static posemb_status launch(posemb_session *session, const posemb_plan *plan,
                            const posemb_args *args, double *seconds, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(session);
    const double begin = clock_seconds();
    const posemb_status status = posemb_enqueue(plan, queue, args, 0, NULL, NULL, error);
    cl_int code;

    if (status != POSEMB_OK)
        return status;
    code = clFinish(queue);
    *seconds = clock_seconds() - begin;
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clFinish");
}

/* The launches of a plan that is there: the first, the second, and what they come to. */
static posemb_status launch_all(posemb_session *session, const posemb_plan *plan,
                                struct workload *workload, struct bench_first_call *result,
                                posemb_error *error)
{
    const posemb_args args = workload_args(workload, 0);
    double steady[STEADY];
    posemb_status status = launch(session, plan, &args, &result->first_seconds, error);

    if (status == POSEMB_OK)
        status = launch(session, plan, &args, &result->second_seconds, error);
    for (int i = 0; status == POSEMB_OK && i < STEADY; i++)
        status = launch(session, plan, &args, &steady[i], error);
    if (status == POSEMB_OK)
        status = workload_verify(session, workload, 0, &result->differing, error);
    if (status == POSEMB_OK)
        result->steady_seconds = samples_median(steady, STEADY);
    return status;
}

/* Plan and launches, with or without a warm-up between them. */
static posemb_status begin(posemb_session *session, bool warm_up, struct workload *workload,
                           struct bench_first_call *result, posemb_plan **plan, posemb_error *error)
{
    double start = clock_seconds();
    posemb_status status =
        posemb_plan_create(posemb_session_engine(session), &workload->desc, plan, error);

    result->plan_seconds = clock_seconds() - start;
    if (status != POSEMB_OK)
        return status;
    result->origin = posemb_plan_origin(*plan);
    start = clock_seconds();
    if (warm_up)
        status = posemb_plan_warmup(*plan, posemb_session_queue(session), &workload->shape, error);
    result->warmup_seconds = warm_up ? clock_seconds() - start : 0.0;
    if (status == POSEMB_OK)
        status = launch_all(session, *plan, workload, result, error);
    return status;
}

posemb_status bench_first_call_run(posemb_session *session, bool warm_up, bool from_memory,
                                   struct bench_first_call *result, posemb_error *error)
{
    struct workload workload;
    posemb_plan *plan = NULL;
    posemb_plan *again = NULL;
    posemb_status status = workload_create(session, &first_case, &workload, error);

    if (status != POSEMB_OK)
        return status;
    status = begin(session, warm_up, &workload, result, &plan, error);
    if (status == POSEMB_OK && from_memory)
        status = begin(session, warm_up, &workload, result, &again, error);
    posemb_plan_destroy(again);
    posemb_plan_destroy(plan);
    workload_destroy(&workload);
    return status;
}
