/* posemb_enqueue allocates nothing: counted by wrappers that the linker puts before the
 * library's malloc, calloc and realloc (-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc). */
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static bool counting;
static unsigned allocations;

void *__wrap_malloc(size_t size)
{
    allocations += counting;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations += counting;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    allocations += counting;
    return __real_realloc(block, size);
}

static void start_counting(void)
{
    allocations = 0;
    counting = true;
}

static unsigned stop_counting(void)
{
    counting = false;
    return allocations;
}

static void test_the_wrappers_count(void **state)
{
    const posemb_desc desc = {.dim = 6};
    posemb_plan *plan;

    start_counting();
    plan = support_make_plan(*state, &desc);
    assert_true(stop_counting() > 0);
    posemb_plan_destroy(plan);
}

static void check_operation(posemb_session *session, posemb_operation operation)
{
    const posemb_desc desc = {
        .dim = 33, .operation = operation, .positions = POSEMB_POSITIONS_EXPLICIT};
    const posemb_shape shape = {.batch = 3, .length = 4, .vocab = 5};
    const struct support_call_options options = {.seed = 1};
    posemb_plan *plan = support_make_plan(session, &desc);
    struct support_call call;
    posemb_args args;
    cl_event event = NULL;

    support_call_prepare(&call, &desc, &shape, &options);
    support_call_upload(&call, session);
    args = support_call_args(&call);
    start_counting();
    const posemb_status status =
        posemb_enqueue(plan, posemb_session_queue(session), &args, 0, NULL, &event, NULL);
    assert_int_equal(stop_counting(), 0);
    assert_int_equal(status, POSEMB_OK);
    support_call_check(&call, session);
    clReleaseEvent(event);
    support_call_release(&call);
    posemb_plan_destroy(plan);
}

static void test_an_enqueue_allocates_nothing(void **state)
{
    check_operation(*state, POSEMB_ENCODE);
    check_operation(*state, POSEMB_ADD);
    check_operation(*state, POSEMB_TABLE);
}

static void test_an_enqueue_of_nothing_allocates_nothing(void **state)
{
    const posemb_desc desc = {.dim = 6};
    const posemb_args args = {.shape = {.batch = 0}};
    posemb_plan *plan = support_make_plan(*state, &desc);
    cl_event event = NULL;

    start_counting();
    assert_int_equal(
        posemb_enqueue(plan, posemb_session_queue(*state), &args, 0, NULL, &event, NULL),
        POSEMB_OK);
    assert_int_equal(stop_counting(), 0);
    assert_int_equal(clWaitForEvents(1, &event), CL_SUCCESS);
    clReleaseEvent(event);
    posemb_plan_destroy(plan);
}

static void test_a_refusal_allocates_nothing(void **state)
{
    const posemb_desc desc = {.dim = 6};
    const posemb_args args = {.shape = {.batch = 1, .length = 1, .vocab = 1}};
    posemb_plan *plan = support_make_plan(*state, &desc);
    posemb_error error;

    start_counting();
    assert_int_equal(
        posemb_enqueue(plan, posemb_session_queue(*state), &args, 0, NULL, NULL, &error),
        POSEMB_INVALID_ARGUMENT);
    assert_int_equal(stop_counting(), 0);
    posemb_plan_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wrappers_count),
        cmocka_unit_test(test_an_enqueue_allocates_nothing),
        cmocka_unit_test(test_an_enqueue_of_nothing_allocates_nothing),
        cmocka_unit_test(test_a_refusal_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
