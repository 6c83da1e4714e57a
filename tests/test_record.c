/* The error record on the device: clearing, adding up, and looking up what it names. */
#include "support/device.h"
#include "support/not_applicable.h"
#include "support/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const posemb_report nothing = {POSEMB_RECORD_CLEAR, 0, 0, 0.0f, {0}};

static void clear(cl_command_queue queue, const posemb_buffer *record)
{
    posemb_error error;

    if (posemb_record_clear(queue, record, 0, NULL, NULL, &error) != POSEMB_OK)
        fail_msg("posemb_record_clear: %s", error.message);
}

static posemb_report read_report(posemb_session *session, const posemb_plan *plan,
                                 const posemb_args *args)
{
    posemb_report report;
    posemb_error error;

    if (posemb_record_read(plan, posemb_session_queue(session), args, 0, NULL, &report, &error) !=
        POSEMB_OK)
        fail_msg("posemb_record_read: %s", error.message);
    return report;
}

static void assert_report(posemb_report found, posemb_report expected)
{
    assert_int_equal(found.record.id_count, expected.record.id_count);
    assert_int_equal(found.record.id_first, expected.record.id_first);
    assert_int_equal(found.record.position_count, expected.record.position_count);
    assert_int_equal(found.record.position_first, expected.record.position_first);
    assert_int_equal(found.first_id, expected.first_id);
    assert_int_equal(found.first_position, expected.first_position);
}

/* ---- Clearing */

static void test_clear_writes_the_record_alone(void **state)
{
    const uint32_t none = POSEMB_NO_TOKEN;
    const uint32_t before[14] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    const uint32_t after[14] = {7, 0, none, 0, none, 0, none, 0, none, 0, none, 0, none, 7};
    uint32_t found[14];
    const posemb_buffer record = {support_upload(*state, before, sizeof before), 4};

    clear(posemb_session_queue(*state), &record);
    support_download(*state, record.mem, found, sizeof found);
    assert_memory_equal(found, after, sizeof found);
    clReleaseMemObject(record.mem);
}

static void test_clear_keeps_to_its_wait_list(void **state)
{
    const uint32_t before[12] = {7, 7, 7, 7};
    const posemb_record after = POSEMB_RECORD_CLEAR;
    const posemb_buffer record = {support_upload(*state, before, sizeof before), 0};
    const cl_command_queue queue = posemb_session_queue(*state);
    posemb_record found;
    cl_int code;
    cl_int done = CL_COMPLETE;
    cl_event gate = clCreateUserEvent(posemb_session_context(*state), &code);
    cl_event event = NULL;

    assert_int_equal(code, CL_SUCCESS);
    assert_int_equal(posemb_record_clear(queue, &record, 1, &gate, &event, NULL), POSEMB_OK);
    assert_int_equal(
        clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof done, &done, NULL),
        CL_SUCCESS);
    assert_int_not_equal(done, CL_COMPLETE);
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    assert_int_equal(clWaitForEvents(1, &event), CL_SUCCESS);
    support_download(*state, record.mem, &found, sizeof found);
    assert_memory_equal(&found, &after, sizeof found);
    clReleaseEvent(event);
    clReleaseEvent(gate);
    clReleaseMemObject(record.mem);
}

static void test_bad_clears_are_refused(void **state)
{
    const cl_command_queue queue = posemb_session_queue(*state);
    const cl_mem mem = support_upload(*state, NULL, 52);
    const posemb_buffer good = {mem, 0}, none = {NULL, 0}, odd = {mem, 2}, late = {mem, 8};
    cl_event event = NULL;
    posemb_error error;

    assert_int_equal(posemb_record_clear(NULL, &good, 0, NULL, &event, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_string_equal(error.message, "queue is NULL");
    assert_int_equal(posemb_record_clear(queue, NULL, 0, NULL, &event, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_string_equal(error.message, "record is NULL");
    assert_int_equal(posemb_record_clear(queue, &none, 0, NULL, &event, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_record_clear(queue, &odd, 0, NULL, &event, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_record_clear(queue, &late, 0, NULL, &event, &error),
                     POSEMB_BUFFER_TOO_SMALL);
    assert_null(event);
    clReleaseMemObject(mem);
}

/* ---- Looking up */

/* One launch of [2, 3] tokens of dim 4, vocab 2, with these inputs and a record that is clear. */
struct launch {
    posemb_plan *plan;
    posemb_args args;
};

static cl_mem upload_ints(posemb_session *session, const int64_t *values, size_t count,
                          posemb_number_type type)
{
    int32_t narrow[16];

    for (size_t i = 0; i < count; i++)
        narrow[i] = (int32_t)values[i];
    return type == POSEMB_INT64 ? support_upload(session, values, count * sizeof *values)
                                : support_upload(session, narrow, count * sizeof *narrow);
}

static struct launch make_launch(posemb_session *session, const posemb_desc *desc,
                                 const int64_t *ids, const int64_t *positions, size_t count)
{
    static const float table[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct launch launch = {
        .plan = support_make_plan(session, desc),
        .args = {.shape = {.batch = 2, .length = 3, .vocab = 2},
                 .ids = {upload_ints(session, ids, count, desc->id_type), 0},
                 .table = {support_upload(session, table, sizeof table), 0},
                 .positions = {upload_ints(session, positions, count, desc->position_type), 0},
                 .out = {support_upload(session, NULL, 6 * 16), 0},
                 .record = {support_upload(session, NULL, 52), 4}}};

    clear(posemb_session_queue(session), &launch.args.record);
    return launch;
}

static void run_launch(posemb_session *session, const struct launch *launch)
{
    assert_int_equal(posemb_enqueue(launch->plan, posemb_session_queue(session), &launch->args, 0,
                                    NULL, NULL, NULL),
                     POSEMB_OK);
}

static void release_launch(struct launch *launch)
{
    clReleaseMemObject(launch->args.ids.mem);
    clReleaseMemObject(launch->args.table.mem);
    clReleaseMemObject(launch->args.positions.mem);
    clReleaseMemObject(launch->args.out.mem);
    clReleaseMemObject(launch->args.record.mem);
    posemb_plan_destroy(launch->plan);
}

static const int64_t good_ids[] = {0, 1, 0, 1, 0, 1};
static const int64_t good_positions[] = {0, 1, 2, 3, 4, 5};

static void test_good_tokens_leave_the_record_clear(void **state)
{
    const posemb_desc desc = {.dim = 4, .positions = POSEMB_POSITIONS_EXPLICIT};
    struct launch launch = make_launch(*state, &desc, good_ids, good_positions, 6);

    run_launch(*state, &launch);
    assert_report(read_report(*state, launch.plan, &launch.args), nothing);
    release_launch(&launch);
}

static void test_the_first_bad_id_is_looked_up(void **state)
{
    const int64_t ids[] = {0, 1, 0, 1, -77, 2};
    const posemb_report expected = {RECORD_OF(2, 4, 0, POSEMB_NO_TOKEN), -77, 0, 0.0f, {0}};

    for (int type = POSEMB_INT32; type <= POSEMB_INT64; type++) {
        const posemb_desc desc = {.dim = 4, .id_type = (posemb_number_type)type};
        struct launch launch = make_launch(*state, &desc, ids, good_positions, 6);

        run_launch(*state, &launch);
        assert_report(read_report(*state, launch.plan, &launch.args), expected);
        release_launch(&launch);
    }
}

static void test_strides_and_offsets_of_ids_are_kept_to(void **state)
{
    const int64_t ids[] = {99, 0, 1, 0, 99, 99, 1, 55, 0};
    const posemb_report expected = {RECORD_OF(1, 4, 0, POSEMB_NO_TOKEN), 55, 0, 0.0f, {0}};
    const posemb_desc desc = {.dim = 4};
    struct launch launch = make_launch(*state, &desc, ids, ids, 9);

    launch.args.ids.offset = 4;
    launch.args.shape.ids_batch_stride = 5 * 4;
    run_launch(*state, &launch);
    assert_report(read_report(*state, launch.plan, &launch.args), expected);
    release_launch(&launch);
}

struct position_case {
    posemb_position_rule rule;
    posemb_number_type type;
    int64_t positions[6];
    posemb_report report;
};

static void test_the_first_bad_position_is_looked_up(void **state)
{
    /* `start` is -2^31, so that every position below 0 is bad. */
    static const struct position_case rows[] = {
        {POSEMB_POSITIONS_ROW_START,
         POSEMB_INT32,
         {5, -2},
         {RECORD_OF(0, 0, 2, 3), 0, -2, 0.0f, {0}}},
        {POSEMB_POSITIONS_ROW_START,
         POSEMB_INT64,
         {5, INT64_MIN},
         {RECORD_OF(0, 0, 3, 3), 0, INT64_MIN, 0.0f, {0}}},
        {POSEMB_POSITIONS_EXPLICIT,
         POSEMB_INT32,
         {0, 1, 2, 3, 4, -5},
         {RECORD_OF(0, 0, 1, 5), 0, -5, 0.0f, {0}}},
        {POSEMB_POSITIONS_EXPLICIT,
         POSEMB_INT64,
         {0, INT64_MAX, 2, 3, -4},
         {RECORD_OF(0, 0, 2, 1), 0, INT64_MAX, 0.0f, {0}}},
        {POSEMB_POSITIONS_EXPLICIT_SHARED,
         POSEMB_INT32,
         {0, 1, -9},
         {RECORD_OF(0, 0, 2, 2), 0, -9, 0.0f, {0}}},
        {POSEMB_POSITIONS_EXPLICIT_SHARED,
         POSEMB_INT64,
         {0, -8, 0},
         {RECORD_OF(0, 0, 2, 1), 0, -8, 0.0f, {0}}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {
            .dim = 4, .positions = rows[i].rule, .position_type = rows[i].type};
        struct launch launch = make_launch(*state, &desc, good_ids, rows[i].positions, 6);
        posemb_report expected = rows[i].report;

        expected.record.id_count = 0;
        expected.record.id_first = POSEMB_NO_TOKEN;
        launch.args.shape.start = POSEMB_POSITION_MIN;
        run_launch(*state, &launch);
        assert_report(read_report(*state, launch.plan, &launch.args), expected);
        release_launch(&launch);
    }
}

static void test_strides_and_offsets_of_positions_are_kept_to(void **state)
{
    const int64_t positions[] = {-9, 0, 1, 2, -9, -9, 3, 4, -5};
    const posemb_report expected = {RECORD_OF(0, POSEMB_NO_TOKEN, 1, 5), 0, -5, 0.0f, {0}};
    const posemb_desc desc = {
        .dim = 4, .positions = POSEMB_POSITIONS_EXPLICIT, .position_type = POSEMB_INT64};
    struct launch launch = make_launch(*state, &desc, good_ids, positions, 6);

    clReleaseMemObject(launch.args.positions.mem);
    launch.args.positions.mem = upload_ints(*state, positions, 9, POSEMB_INT64);
    launch.args.positions.offset = 8;
    launch.args.shape.positions_batch_stride = 5 * 8;
    launch.args.shape.start = POSEMB_POSITION_MIN;
    run_launch(*state, &launch);
    assert_report(read_report(*state, launch.plan, &launch.args), expected);
    release_launch(&launch);
}

static void test_ids_and_positions_are_both_looked_up(void **state)
{
    const int64_t ids[] = {0, 1, 6, 1, 7, 1};
    const int64_t positions[] = {0, -3, -4, 0, 0, 0};
    const posemb_report expected = {RECORD_OF(2, 2, 2, 1), 6, -3, 0.0f, {0}};
    const posemb_desc desc = {.dim = 4, .positions = POSEMB_POSITIONS_EXPLICIT};
    struct launch launch = make_launch(*state, &desc, ids, positions, 6);

    launch.args.shape.start = POSEMB_POSITION_MIN;
    run_launch(*state, &launch);
    assert_report(read_report(*state, launch.plan, &launch.args), expected);
    release_launch(&launch);
}

/* ---- Adding up */

static void test_launches_add_up(void **state)
{
    const int64_t ids[] = {0, 1, 0, -1, 2, 1};
    const posemb_desc desc = {.dim = 4};
    struct launch launch = make_launch(*state, &desc, ids, good_positions, 6);

    for (uint32_t runs = 1; runs < 4; runs++) {
        const posemb_report expected = {
            RECORD_OF(2 * runs, 3, 0, POSEMB_NO_TOKEN), -1, 0, 0.0f, {0}};

        run_launch(*state, &launch);
        assert_report(read_report(*state, launch.plan, &launch.args), expected);
    }
    clear(posemb_session_queue(*state), &launch.args.record);
    assert_report(read_report(*state, launch.plan, &launch.args), nothing);
    release_launch(&launch);
}

static void test_counts_saturate(void **state)
{
    static const uint32_t starts[] = {0xfffffffdu, 0xfffffffeu, 0xffffffffu};
    const int64_t ids[] = {-1, -1, -1, -1, -1, -1};
    const posemb_desc desc = {.dim = 4};
    struct launch launch = make_launch(*state, &desc, ids, good_positions, 6);

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        const posemb_record full = RECORD_OF(starts[i], 1, 5, POSEMB_NO_TOKEN);
        const posemb_report expected = {
            RECORD_OF(0xffffffffu, 0, 5, POSEMB_NO_TOKEN), -1, 0, 0.0f, {0}};

        assert_int_equal(clEnqueueWriteBuffer(posemb_session_queue(*state), launch.args.record.mem,
                                              CL_TRUE, 4, sizeof full, &full, 0, NULL, NULL),
                         CL_SUCCESS);
        run_launch(*state, &launch);
        assert_report(read_report(*state, launch.plan, &launch.args), expected);
    }
    release_launch(&launch);
}

static void test_a_token_of_another_launch_is_not_looked_up(void **state)
{
    const posemb_record other = RECORD_OF(1, 6, 1, 600);
    const posemb_report expected = {RECORD_OF(1, 6, 1, 600), 0, 0, 0.0f, {0}};
    const posemb_desc desc = {.dim = 4, .positions = POSEMB_POSITIONS_EXPLICIT};
    struct launch launch = make_launch(*state, &desc, good_ids, good_positions, 6);

    assert_int_equal(clEnqueueWriteBuffer(posemb_session_queue(*state), launch.args.record.mem,
                                          CL_TRUE, 4, sizeof other, &other, 0, NULL, NULL),
                     CL_SUCCESS);
    assert_report(read_report(*state, launch.plan, &launch.args), expected);
    release_launch(&launch);
}

static void test_read_keeps_to_its_wait_list(void **state)
{
    const int64_t ids[] = {0, 1, 0, 1, 0, 3};
    const posemb_report expected = {RECORD_OF(1, 5, 0, POSEMB_NO_TOKEN), 3, 0, 0.0f, {0}};
    const posemb_desc desc = {.dim = 4};
    const bool in_order =
        support_not_applicable(posemb_session_device(*state), SUPPORT_OUT_OF_ORDER_QUEUE);
    struct launch launch = make_launch(*state, &desc, ids, good_positions, 6);
    posemb_report report;
    cl_int code;
    cl_event done;
    cl_command_queue queue =
        support_make_queue(*state, in_order ? 0 : CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);

    assert_int_equal(code, CL_SUCCESS);
    assert_int_equal(clFinish(posemb_session_queue(*state)), CL_SUCCESS); /* the clearing */
    assert_int_equal(posemb_enqueue(launch.plan, queue, &launch.args, 0, NULL, &done, NULL),
                     POSEMB_OK);
    assert_int_equal(posemb_record_read(launch.plan, queue, &launch.args, 1, &done, &report, NULL),
                     POSEMB_OK);
    assert_report(report, expected);
    clReleaseEvent(done);
    clReleaseCommandQueue(queue);
    release_launch(&launch);
}

/* ---- Refusals */

static void assert_read_fails(const posemb_plan *plan, cl_command_queue queue,
                              const posemb_args *args, posemb_status status, const char *words)
{
    posemb_report report = {RECORD_OF(1, 2, 3, 4), 5, 6, 0.0f, {0}};
    const posemb_report untouched = report;
    posemb_error error = {.message = ""};

    assert_int_equal(posemb_record_read(plan, queue, args, 0, NULL, &report, &error), status);
    assert_report(report, untouched);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void test_bad_reads_are_refused(void **state)
{
    const cl_command_queue queue = posemb_session_queue(*state);
    const posemb_desc desc = {.dim = 4};
    struct launch launch = make_launch(*state, &desc, good_ids, good_positions, 6);
    posemb_args args = launch.args;

    assert_read_fails(NULL, queue, &args, POSEMB_INVALID_ARGUMENT, "plan is NULL");
    assert_read_fails(launch.plan, NULL, &args, POSEMB_INVALID_ARGUMENT, "queue is NULL");
    assert_read_fails(launch.plan, queue, NULL, POSEMB_INVALID_ARGUMENT, "args is NULL");
    assert_int_equal(posemb_record_read(launch.plan, queue, &args, 0, NULL, NULL, NULL),
                     POSEMB_INVALID_ARGUMENT);
    args.record.mem = NULL;
    assert_read_fails(launch.plan, queue, &args, POSEMB_INVALID_ARGUMENT, "record.mem is NULL");
    args.record = (posemb_buffer){launch.args.record.mem, 6};
    assert_read_fails(launch.plan, queue, &args, POSEMB_INVALID_ARGUMENT, "record.offset is 6");
    args.record.offset = 8;
    assert_read_fails(launch.plan, queue, &args, POSEMB_BUFFER_TOO_SMALL, "record");
    args = launch.args;
    args.shape.vocab = 0;
    assert_read_fails(launch.plan, queue, &args, POSEMB_INVALID_ARGUMENT, "vocab is 0");
    release_launch(&launch);
}

static void test_a_look_up_behind_the_buffer_is_refused(void **state)
{
    const int64_t ids[] = {-1, -1, -1, -1, -1, -1};
    const cl_command_queue queue = posemb_session_queue(*state);
    const posemb_desc desc = {.dim = 4, .positions = POSEMB_POSITIONS_EXPLICIT};
    struct launch launch = make_launch(*state, &desc, ids, ids, 6);
    posemb_args args;

    launch.args.shape.start = POSEMB_POSITION_MIN;
    run_launch(*state, &launch);
    args = launch.args;
    args.ids.offset = 4;
    assert_read_fails(launch.plan, queue, &args, POSEMB_BUFFER_TOO_SMALL, "ids");
    args = launch.args;
    args.positions.mem = NULL;
    assert_read_fails(launch.plan, queue, &args, POSEMB_INVALID_ARGUMENT, "positions.mem");
    release_launch(&launch);
}

static void test_a_queue_of_another_context_is_refused(void **state)
{
    const posemb_desc desc = {.dim = 4};
    struct launch launch = make_launch(*state, &desc, good_ids, good_positions, 6);
    cl_context context = support_make_context(*state);
    cl_int code;
    cl_command_queue queue =
        clCreateCommandQueue(context, posemb_session_device(*state)->device, 0, &code);

    assert_int_equal(code, CL_SUCCESS);
    assert_read_fails(launch.plan, queue, &launch.args, POSEMB_QUEUE_MISMATCH, "another context");
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    release_launch(&launch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clear_writes_the_record_alone),
        cmocka_unit_test(test_clear_keeps_to_its_wait_list),
        cmocka_unit_test(test_bad_clears_are_refused),
        cmocka_unit_test(test_good_tokens_leave_the_record_clear),
        cmocka_unit_test(test_the_first_bad_id_is_looked_up),
        cmocka_unit_test(test_strides_and_offsets_of_ids_are_kept_to),
        cmocka_unit_test(test_the_first_bad_position_is_looked_up),
        cmocka_unit_test(test_strides_and_offsets_of_positions_are_kept_to),
        cmocka_unit_test(test_ids_and_positions_are_both_looked_up),
        cmocka_unit_test(test_launches_add_up),
        cmocka_unit_test(test_counts_saturate),
        cmocka_unit_test(test_a_token_of_another_launch_is_not_looked_up),
        cmocka_unit_test(test_read_keeps_to_its_wait_list),
        cmocka_unit_test(test_bad_reads_are_refused),
        cmocka_unit_test(test_a_look_up_behind_the_buffer_is_refused),
        cmocka_unit_test(test_a_queue_of_another_context_is_refused),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
