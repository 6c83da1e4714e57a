/* Sessions: calls on host memory equal the reference; buffers up and down. */
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void assert_says(const posemb_error *error, const char *words)
{
    if (!strstr(error->message, words))
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
}

/* Run a call on the session and on the reference, and compare outputs and records whole. */
static void check_run(posemb_session *session, const posemb_desc *desc, const posemb_shape *shape,
                      const struct support_call_options *options)
{
    struct support_call call;
    void *out[2], *record[2];
    posemb_error error;

    support_call_prepare(&call, desc, shape, options);
    for (int i = 0; i < 2; i++) {
        out[i] = malloc(call.size[SUPPORT_OUT]);
        record[i] = malloc(call.size[SUPPORT_RECORD]);
        assert_non_null(out[i]);
        assert_non_null(record[i]);
        memcpy(out[i], call.host[SUPPORT_OUT], call.size[SUPPORT_OUT]);
        memcpy(record[i], call.host[SUPPORT_RECORD], call.size[SUPPORT_RECORD]);
    }
    const posemb_host_args on_device = support_call_host_args(&call, out[0], record[0]);
    const posemb_host_args on_host = support_call_host_args(&call, out[1], record[1]);

    if (posemb_session_run(session, desc, &on_device, &error) != POSEMB_OK)
        fail_msg("posemb_session_run: %s", error.message);
    assert_int_equal(posemb_reference_run(desc, &on_host, NULL), POSEMB_OK);
    assert_int_equal(posemb_compare_bits(out[0], out[1], call.size[SUPPORT_OUT] / 4, NULL), 0);
    assert_memory_equal(record[0], record[1], call.size[SUPPORT_RECORD]);
    for (int i = 0; i < 2; i++) {
        free(out[i]);
        free(record[i]);
    }
    support_call_release(&call);
}

static const posemb_shape gaps = {.batch = 3,
                                  .length = 4,
                                  .vocab = 11,
                                  .ids_batch_stride = 24,
                                  .table_stride = 148,
                                  .rows_stride = 144,
                                  .rows_batch_stride = 800,
                                  .out_stride = 152,
                                  .out_batch_stride = 700};
static const posemb_shape dense = {.batch = 3, .length = 4, .vocab = 11, .start = -2};

static void test_encode_equals_the_reference(void **state)
{
    const posemb_desc desc = {.dim = 34, .token_scale = 8.0f, .id_type = POSEMB_INT64};
    const struct support_call_options options = {.seed = 1};

    check_run(*state, &desc, &dense, &options);
}

static void test_add_equals_the_reference(void **state)
{
    const posemb_desc desc = {.dim = 35, .operation = POSEMB_ADD, .convention = POSEMB_T2T};
    const struct support_call_options options = {.seed = 2};

    check_run(*state, &desc, &dense, &options);
}

static void test_add_in_place_equals_the_reference(void **state)
{
    const posemb_desc desc = {.dim = 35, .operation = POSEMB_ADD, .convention = POSEMB_MARIAN_HF};
    const struct support_call_options options = {.seed = 2, .in_place = true};

    check_run(*state, &desc, &dense, &options);
}

static void test_table_equals_the_reference(void **state)
{
    const posemb_desc desc = {
        .dim = 35, .operation = POSEMB_TABLE, .positions = POSEMB_POSITIONS_EXPLICIT};
    const struct support_call_options options = {.seed = 3};

    check_run(*state, &desc, &dense, &options);
}

static void test_gaps_of_the_output_stay(void **state)
{
    const struct support_call_options options = {.seed = 4, .offset_units = 3};

    for (int operation = POSEMB_ENCODE; operation <= POSEMB_TABLE; operation++) {
        const posemb_desc desc = {.dim = 35, .operation = (posemb_operation)operation};

        check_run(*state, &desc, &gaps, &options);
        assert_int_equal(posemb_pair_count(&desc), 18);
    }
}

static void test_bad_tokens_are_recorded(void **state)
{
    const posemb_desc desc = {
        .dim = 5, .positions = POSEMB_POSITIONS_ROW_START, .position_type = POSEMB_INT64};
    const posemb_shape shape = {.batch = 9, .length = 7, .vocab = 2, .start = -2000000000};
    const struct support_call_options options = {.seed = 5, .bad_tokens = true};

    check_run(*state, &desc, &shape, &options);
}

static void test_a_record_adds_up_over_runs(void **state)
{
    const posemb_desc desc = {.dim = 1};
    const float table[] = {1};
    const int32_t ids[] = {0, 1, 1};
    float out[3];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {.shape = {.batch = 1, .length = 3, .vocab = 1},
                                   .ids = ids,
                                   .table = table,
                                   .out = out,
                                   .record = &record};

    for (uint32_t runs = 1; runs < 4; runs++) {
        assert_int_equal(posemb_session_run(*state, &desc, &args, NULL), POSEMB_OK);
        assert_int_equal(record.id_count, 2 * runs);
        assert_int_equal(record.id_first, 1);
        assert_int_equal(record.position_first, POSEMB_NO_TOKEN);
    }
}

static void test_no_record_is_needed(void **state)
{
    const posemb_desc desc = {.dim = 1};
    const float table[] = {1};
    const int32_t ids[] = {0, 1};
    float out[] = {99, 99};
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 2, .vocab = 1}, .ids = ids, .table = table, .out = out};

    assert_int_equal(posemb_session_run(*state, &desc, &args, NULL), POSEMB_OK);
    assert_true(out[0] == 1);
    assert_true(out[1] == 0);
}

static void test_no_tokens_need_no_memory(void **state)
{
    const posemb_desc desc = {.dim = 4};
    const posemb_host_args args = {.shape = {.batch = 3, .length = 0}};

    assert_int_equal(posemb_session_run(*state, &desc, &args, NULL), POSEMB_OK);
}

static void test_bad_runs_leave_the_output(void **state)
{
    const posemb_desc desc = {.dim = 1};
    const posemb_desc bad = {.dim = 0};
    const float table[] = {1};
    float out[] = {99};
    posemb_host_args args = {
        .shape = {.batch = 1, .length = 1, .vocab = 1}, .table = table, .out = out};
    posemb_error error;

    assert_int_equal(posemb_session_run(*state, &desc, &args, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "ids is NULL");
    args.ids = out;
    assert_int_equal(posemb_session_run(*state, &bad, &args, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "dim is 0");
    args.shape.vocab = UINT64_MAX;
    assert_int_equal(posemb_session_run(*state, &desc, &args, &error), POSEMB_SIZE_OVERFLOW);
    assert_int_equal(posemb_session_run(NULL, &desc, &args, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "session is NULL");
    assert_int_equal(posemb_session_run(*state, &desc, NULL, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "args is NULL");
    assert_true(out[0] == 99);
}

/* ---- Buffers */

static void test_what_went_up_comes_down(void **state)
{
    const char text[] = "0123456789abcdef";
    char found[8] = "";
    cl_mem buffer = support_upload(*state, text, sizeof text);

    assert_int_equal(posemb_session_download(*state, buffer, 10, found, 7, NULL), POSEMB_OK);
    assert_string_equal(found, "abcdef");
    clReleaseMemObject(buffer);
}

static void test_a_buffer_needs_no_data(void **state)
{
    cl_mem buffer = support_upload(*state, NULL, 100);
    size_t size = 0;

    assert_int_equal(clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, NULL), CL_SUCCESS);
    assert_int_equal(size, 100);
    clReleaseMemObject(buffer);
}

static void test_bad_uploads_are_refused(void **state)
{
    const char byte = 0;
    cl_mem buffer;
    posemb_error error;

    assert_int_equal(posemb_session_upload(*state, &byte, 0, &buffer, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "size is 0");
    assert_int_equal(posemb_session_upload(*state, &byte, 1, NULL, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_session_upload(NULL, &byte, 1, &buffer, &error),
                     POSEMB_INVALID_ARGUMENT);
}

static void test_an_upload_above_the_largest_allocation_is_refused(void **state)
{
    cl_mem buffer;
    posemb_error error;

    assert_int_equal(posemb_session_upload(*state, NULL, SIZE_MAX, &buffer, &error),
                     POSEMB_OUT_OF_MEMORY);
    assert_says(&error, "largest allocation");
}

static void test_bad_downloads_are_refused(void **state)
{
    char data[16];
    cl_mem buffer = support_upload(*state, NULL, 16);
    posemb_error error;

    assert_int_equal(posemb_session_download(*state, buffer, 1, data, 16, &error),
                     POSEMB_DEVICE_ERROR);
    assert_int_equal(error.cl_code, CL_INVALID_VALUE);
    assert_int_equal(posemb_session_download(*state, NULL, 0, data, 16, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "buffer is NULL");
    assert_int_equal(posemb_session_download(*state, buffer, 0, NULL, 16, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "data is NULL");
    assert_int_equal(posemb_session_download(NULL, buffer, 0, data, 16, &error),
                     POSEMB_INVALID_ARGUMENT);
    clReleaseMemObject(buffer);
}

/* ---- Creation */

static void test_a_session_has_what_it_made(void **state)
{
    const posemb_device_info *device = posemb_session_device(*state);
    cl_context context = NULL;
    cl_device_id id = NULL;
    const cl_command_queue queue = posemb_session_queue(*state);

    assert_non_null(posemb_session_engine(*state));
    assert_int_equal(clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL),
                     CL_SUCCESS);
    assert_int_equal(clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof id, &id, NULL),
                     CL_SUCCESS);
    assert_ptr_equal(context, posemb_session_context(*state));
    assert_ptr_equal(id, device->device);
}

static void test_the_selector_names_the_device(void **state)
{
    posemb_session *session = *state;
    posemb_error error;

    assert_int_equal(posemb_session_create("nonsense", NULL, &session, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_null(session);
    session = *state;
    assert_int_equal(posemb_session_create("1000000", NULL, &session, &error), POSEMB_NO_DEVICE);
    assert_null(session);
    assert_int_equal(posemb_session_create(NULL, NULL, NULL, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "session is NULL");
}

static void test_sessions_live_side_by_side(void **state)
{
    const posemb_desc desc = {.dim = 6, .operation = POSEMB_TABLE};
    const struct support_call_options options = {.seed = 7};
    posemb_session *other;

    assert_int_equal(posemb_session_create(support_selector(), NULL, &other, NULL), POSEMB_OK);
    assert_ptr_not_equal(other, *state);
    check_run(other, &desc, &dense, &options);
    posemb_session_destroy(other);
    posemb_session_destroy(NULL);
    check_run(*state, &desc, &dense, &options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_equals_the_reference),
        cmocka_unit_test(test_add_equals_the_reference),
        cmocka_unit_test(test_add_in_place_equals_the_reference),
        cmocka_unit_test(test_table_equals_the_reference),
        cmocka_unit_test(test_gaps_of_the_output_stay),
        cmocka_unit_test(test_bad_tokens_are_recorded),
        cmocka_unit_test(test_a_record_adds_up_over_runs),
        cmocka_unit_test(test_no_record_is_needed),
        cmocka_unit_test(test_no_tokens_need_no_memory),
        cmocka_unit_test(test_bad_runs_leave_the_output),
        cmocka_unit_test(test_what_went_up_comes_down),
        cmocka_unit_test(test_a_buffer_needs_no_data),
        cmocka_unit_test(test_bad_uploads_are_refused),
        cmocka_unit_test(test_an_upload_above_the_largest_allocation_is_refused),
        cmocka_unit_test(test_bad_downloads_are_refused),
        cmocka_unit_test(test_a_session_has_what_it_made),
        cmocka_unit_test(test_the_selector_names_the_device),
        cmocka_unit_test(test_sessions_live_side_by_side),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
