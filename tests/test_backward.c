/* Gradients: devices and the reference agree in every bit. POSEMB_TEST_PROGRAMS: so many
 * descriptions alone, for slow implementations. */
#include "backward.h"
#include "backward_case.h"
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRAMS = 6, CASES = 12 };

static unsigned programs(void)
{
    const char *text = getenv("POSEMB_TEST_PROGRAMS");
    const unsigned count = text ? (unsigned)strtoul(text, NULL, 10) : PROGRAMS;

    return count < PROGRAMS ? count : PROGRAMS;
}

/* One case of a program; both numbers are seeds, so that a failure can be run alone. */
static void run_case(posemb_session *session, posemb_engine *engine, unsigned program,
                     unsigned number)
{
    struct support_random random = support_random_from(1000 * program + number);
    struct backward_case made;
    char what[64];

    snprintf(what, sizeof what, "case %u of program %u", number, program);
    backward_case_draw(&random, &made, program);
    if (made.wanted == 0) /* a table of sinusoids alone */
        return;
    backward_case_prepare(&random, &made);
    backward_case_run_reference(&made);
    backward_case_run_device(&made, session, engine, what);
    backward_case_free(&made);
}

/* Implementations that are slow have few cases and short calls. */
static bool is_slow(void)
{
    return programs() < 2;
}

static void any_description_has_the_bits_of_the_reference(void **state)
{
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);

    for (unsigned program = 1; program <= programs(); program++)
        for (unsigned number = 0; number < (is_slow() ? 4 : CASES); number++)
            run_case(*state, engine, program, number);
    posemb_engine_destroy(engine);
}

/* ---- Runs, cuts and queues */

/* Long runs, rows in many chunks, more tokens than a tile has: in every run the same bits. */
static void make_long(struct backward_case *made)
{
    struct support_random random = support_random_from(11);

    *made = (struct backward_case){.call = {.desc = {.dim = 21,
                                                     .norm = POSEMB_NORM_LAYER,
                                                     .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN},
                                                                {.ids = POSEMB_EXTRA_CONSTANT}},
                                                     .position_kind = POSEMB_LEARNED},
                                            .shape = {.batch = is_slow() ? 2 : 9,
                                                      .length = is_slow() ? 70 : 600,
                                                      .vocab = is_slow() ? 300 : 70000,
                                                      .position_rows = 600,
                                                      .extras = {{.rows = 2}, {.rows = 1}}}},
                                   .accumulation = POSEMB_OVERWRITE};
    made->wanted = backward_case_wishes(&made->call.desc, POSEMB_OVERWRITE);
    backward_case_prepare(&random, made);
    backward_case_run_reference(made);
}

static posemb_backward *make_backward(posemb_session *session, const posemb_desc *desc)
{
    posemb_engine *engine = support_make_engine(session, POSEMB_SHAPE_DEFAULT);
    posemb_backward *backward;
    posemb_error error;

    if (posemb_backward_create(engine, desc, &backward, &error) != POSEMB_OK)
        fail_msg("posemb_backward_create: %s", error.message);
    posemb_engine_destroy(engine);
    return backward;
}

static void twenty_runs_have_the_same_bits(void **state)
{
    struct backward_case made;
    posemb_backward *backward;
    posemb_backward_args args;

    make_long(&made);
    backward = make_backward(*state, &made.call.desc);
    args = backward_case_upload(&made, *state, backward);
    for (int run = 0; run < (is_slow() ? 3 : 20); run++) {
        assert_int_equal(posemb_backward_enqueue(backward, posemb_session_queue(*state), &args, 0,
                                                 NULL, NULL, NULL),
                         POSEMB_OK);
        backward_case_compare(&made, *state, &args, "a run");
    }
    backward_case_release(&args);
    posemb_backward_destroy(backward);
    backward_case_free(&made);
}

static void local_sizes_do_not_change_bits(void **state)
{
    static const uint32_t sizes[] = {128, 1};
    struct backward_case made;

    if (is_slow())
        skip();

    make_long(&made);
    for (int i = 0; i < 2; i++) {
        const posemb_engine_options options = {.shape = POSEMB_SHAPE_GPU, .local_size = sizes[i]};
        posemb_engine *engine = support_engine_with(*state, &options);

        backward_case_run_device(&made, *state, engine, "a local size");
        posemb_engine_destroy(engine);
    }
    backward_case_free(&made);
}

static void run_session(void *state, const posemb_desc *desc, const posemb_host_backward_args *args)
{
    posemb_error error;

    if (posemb_session_backward(state, desc, args, &error) != POSEMB_OK)
        fail_msg("posemb_session_backward: %s", error.message);
}

static void a_cut_batch_has_the_bits_of_the_whole(void **state)
{
    if (is_slow())
        skip();
    backward_case_check_cuts(run_session, *state);
}

static void events_order_calls_on_any_queue(void **state)
{
    struct backward_case made;
    posemb_backward *backward;
    posemb_backward_args args;
    cl_int code;
    cl_command_queue queue =
        support_make_queue(*state, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    cl_event gate;
    cl_event done = NULL;

    if (!queue)
        return; /* the device has no such queues */
    make_long(&made);
    backward = make_backward(*state, &made.call.desc);
    args = backward_case_upload(&made, *state, backward);
    gate = clCreateUserEvent(posemb_session_context(*state), &code);
    assert_int_equal(posemb_backward_enqueue(backward, queue, &args, 1, &gate, &done, NULL),
                     POSEMB_OK);
    assert_non_null(done);
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
    backward_case_compare(&made, *state, &args, "out of order");
    clReleaseEvent(done);
    clReleaseEvent(gate);
    clReleaseCommandQueue(queue);
    backward_case_release(&args);
    posemb_backward_destroy(backward);
    backward_case_free(&made);
}

/* ---- No tokens, bad arguments */

static void no_tokens_leave_zeros(void **state)
{
    const posemb_desc desc = {.dim = 3, .position_kind = POSEMB_NO_POSITION};
    float table[6] = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f};
    const posemb_host_backward_args args = {.shape = {.batch = 0, .length = 3, .vocab = 2},
                                            .table_grad = table};

    run_session(*state, &desc, &args);
    for (int i = 0; i < 6; i++)
        assert_true(table[i] == 0.0f);
}

static void expect(posemb_status status, const char *part, posemb_backward *backward,
                   cl_command_queue queue, const posemb_backward_args *args)
{
    posemb_error error = {.message = ""};

    assert_int_equal(posemb_backward_enqueue(backward, queue, args, 0, NULL, NULL, &error), status);
    if (!strstr(error.message, part))
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static void bad_arguments_are_named(void **state)
{
    const cl_command_queue queue = posemb_session_queue(*state);
    struct backward_case made;
    posemb_backward *backward;
    posemb_backward_args good;
    posemb_backward_args args;

    make_long(&made);
    backward = make_backward(*state, &made.call.desc);
    good = backward_case_upload(&made, *state, backward);
    args = good;
    args.scratch.offset = 4;
    expect(POSEMB_INVALID_ARGUMENT, "scratch.offset is 4", backward, queue, &args);
    args.scratch.offset = 64;
    expect(POSEMB_BUFFER_TOO_SMALL, "scratch has", backward, queue, &args);
    args = good;
    args.sum.mem = NULL;
    expect(POSEMB_INVALID_ARGUMENT, "sum.mem is NULL", backward, queue, &args);
    args = good;
    args.beta_grad = args.gamma_grad;
    expect(POSEMB_INVALID_ARGUMENT, "gamma_grad and beta_grad overlap", backward, queue, &args);
    args = good;
    args.rows_grad = args.gamma_grad;
    expect(POSEMB_INVALID_ARGUMENT, "rows_grad is given", backward, queue, &args);
    expect(POSEMB_INVALID_ARGUMENT, "queue is NULL", backward, NULL, &good);
    expect(POSEMB_INVALID_ARGUMENT, "args is NULL", backward, queue, NULL);
    expect(POSEMB_INVALID_ARGUMENT, "backward is NULL", NULL, queue, &good);
    backward_case_release(&good);
    posemb_backward_destroy(backward);
    backward_case_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_description_has_the_bits_of_the_reference),
        cmocka_unit_test(twenty_runs_have_the_same_bits),
        cmocka_unit_test(local_sizes_do_not_change_bits),
        cmocka_unit_test(a_cut_batch_has_the_bits_of_the_whole),
        cmocka_unit_test(events_order_calls_on_any_queue),
        cmocka_unit_test(no_tokens_leave_zeros),
        cmocka_unit_test(bad_arguments_are_named),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
