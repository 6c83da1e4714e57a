/* Warm-up: which kernels it runs, what it leaves behind, what it refuses. */
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const posemb_shape small_shape = {.batch = 9, .length = 5, .vocab = 7};
static const struct support_call_options plain = {.seed = 3};

static void warm_up(posemb_session *session, const posemb_plan *plan, const posemb_shape *shape)
{
    posemb_error error;

    if (posemb_plan_warmup(plan, posemb_session_queue(session), shape, &error) != POSEMB_OK)
        fail_msg("posemb_plan_warmup: %s", error.message);
}

static void test_results_are_right_after_all_kernels_ran(void **state)
{
    for (int operation = POSEMB_ENCODE; operation <= POSEMB_TABLE; operation++)
        for (int rule = POSEMB_POSITIONS_INDEX; rule <= POSEMB_POSITIONS_EXPLICIT_SHARED; rule++) {
            const posemb_desc desc = {.dim = 37,
                                      .operation = (posemb_operation)operation,
                                      .positions = (posemb_position_rule)rule,
                                      .position_type = POSEMB_INT64,
                                      .id_type = POSEMB_INT64};
            posemb_plan *plan = support_make_plan(*state, &desc);

            warm_up(*state, plan, NULL);
            support_call_run(*state, plan, &small_shape, &plain);
            posemb_plan_destroy(plan);
        }
}

static void test_results_are_right_after_one_kernel_ran(void **state)
{
    const posemb_desc desc = {.dim = 37, .convention = POSEMB_MARIAN_HF};
    posemb_plan *plan = support_make_plan(*state, &desc);

    warm_up(*state, plan, &small_shape);
    warm_up(*state, plan, &small_shape);
    support_call_run(*state, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
}

static void test_a_plan_without_pairs_warms_up(void **state)
{
    const posemb_desc desc = {.dim = 1, .convention = POSEMB_T2T};
    posemb_plan *plan = support_make_plan(*state, &desc);

    warm_up(*state, plan, NULL);
    support_call_run(*state, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
}

static void test_no_tokens_need_no_kernel(void **state)
{
    const posemb_desc desc = {.dim = 6};
    const posemb_shape shape = {.batch = 0, .length = 4};
    posemb_plan *plan = support_make_plan(*state, &desc);

    warm_up(*state, plan, &shape);
    support_call_run(*state, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
}

static void test_the_queue_is_waited_for(void **state)
{
    enum { SIZE = 1 << 20 };
    const posemb_desc desc = {.dim = 6};
    posemb_plan *plan = support_make_plan(*state, &desc);
    char *there = malloc(SIZE);
    char *found = calloc(1, SIZE);
    cl_mem buffer;

    assert_true(there && found);
    memset(there, 7, SIZE);
    buffer = support_upload(*state, there, SIZE);
    assert_int_equal(clEnqueueReadBuffer(posemb_session_queue(*state), buffer, CL_FALSE, 0, SIZE,
                                         found, 0, NULL, NULL),
                     CL_SUCCESS);
    warm_up(*state, plan, NULL);
    assert_memory_equal(found, there, SIZE);
    clReleaseMemObject(buffer);
    free(found);
    free(there);
    posemb_plan_destroy(plan);
}

static void assert_refused(const posemb_plan *plan, cl_command_queue queue,
                           const posemb_shape *shape, posemb_status status, const char *words)
{
    posemb_error error;

    assert_int_equal(posemb_plan_warmup(plan, queue, shape, &error), status);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void test_bad_arguments_are_refused(void **state)
{
    const posemb_desc desc = {.dim = 6};
    const posemb_shape bad = {.batch = 1, .length = 1, .vocab = 1, .out_stride = 4};
    const posemb_shape huge = {.batch = 1, .length = 1, .vocab = UINT64_MAX};
    const cl_command_queue queue = posemb_session_queue(*state);
    posemb_plan *plan = support_make_plan(*state, &desc);

    assert_refused(NULL, queue, NULL, POSEMB_INVALID_ARGUMENT, "plan is NULL");
    assert_refused(plan, NULL, NULL, POSEMB_INVALID_ARGUMENT, "queue is NULL");
    assert_refused(plan, queue, &bad, POSEMB_INVALID_ARGUMENT, "out_stride is 4");
    assert_refused(plan, queue, &huge, POSEMB_SIZE_OVERFLOW, "vocab");
    posemb_plan_destroy(plan);
}

static void test_a_queue_of_another_context_is_refused(void **state)
{
    const posemb_desc desc = {.dim = 6};
    posemb_plan *plan = support_make_plan(*state, &desc);
    cl_context context = support_make_context(*state);
    cl_int code;
    cl_command_queue queue =
        clCreateCommandQueue(context, posemb_session_device(*state)->device, 0, &code);

    assert_int_equal(code, CL_SUCCESS);
    assert_refused(plan, queue, NULL, POSEMB_QUEUE_MISMATCH, "another context");
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    posemb_plan_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_right_after_all_kernels_ran),
        cmocka_unit_test(test_results_are_right_after_one_kernel_ran),
        cmocka_unit_test(test_a_plan_without_pairs_warms_up),
        cmocka_unit_test(test_no_tokens_need_no_kernel),
        cmocka_unit_test(test_the_queue_is_waited_for),
        cmocka_unit_test(test_bad_arguments_are_refused),
        cmocka_unit_test(test_a_queue_of_another_context_is_refused),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
