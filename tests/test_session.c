/* Sessions: calls on host memory equal the reference; buffers up and down. */
#include "storage.h"
#include "support/device.h"
#include "support/random.h"

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

/* ---- Tables that one buffer cannot hold */

static posemb_session *open_session_of(uint64_t largest_buffer)
{
    const posemb_engine_options options = {.shape = support_shape(),
                                           .largest_buffer = largest_buffer};
    posemb_session *session = NULL;
    posemb_error error;

    if (posemb_session_create(support_selector(), &options, &session, &error) != POSEMB_OK)
        fail_msg("posemb_session_create: %s", error.message);
    return session;
}

static void assert_parts(posemb_session *session, uint64_t rows, uint64_t stride, uint32_t wanted)
{
    uint32_t parts = 0;
    uint64_t part_rows;

    assert_int_equal(
        posemb_split_table(posemb_session_engine(session), rows, stride, &parts, &part_rows, NULL),
        POSEMB_OK);
    assert_int_equal(parts, wanted);
}

static void test_a_large_table_goes_up_in_parts(void **state)
{
    static const struct {
        uint64_t rows_of_buffer;
        uint32_t parts;
    } rows[] = {{11, 1}, {10, 2}, {6, 2}, {5, 3}, {3, 4}, {2, 6}};
    const posemb_desc desc = {.dim = 34, .id_type = POSEMB_INT64};
    const struct support_call_options options = {.seed = 11, .bad_tokens = true};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_session *session = open_session_of(rows[i].rows_of_buffer * 34 * sizeof(float));

        assert_parts(session, dense.vocab, 34 * sizeof(float), rows[i].parts);
        check_run(session, &desc, &dense, &options);
        posemb_session_destroy(session);
    }
}

static void test_gaps_and_shards_go_up_in_parts(void **state)
{
    const posemb_desc desc = {.dim = 34};
    const struct support_call_options options = {.seed = 12, .offset_units = 1};
    posemb_session *session = open_session_of(3 * 148);
    posemb_shape shard = gaps;

    (void)state;
    assert_parts(session, gaps.vocab, gaps.table_stride, 4);
    check_run(session, &desc, &gaps, &options);
    shard.shard_first = 4;
    shard.shard_rows = 7;
    check_run(session, &desc, &shard, &options);
    posemb_session_destroy(session);
}

/* The caller's own parts are of another call. */
static void test_parts_of_the_caller_are_not_looked_at(void **state)
{
    const posemb_desc desc = {.dim = 34, .table_parts = 5};
    const struct support_call_options options = {.seed = 13};
    posemb_session *session = open_session_of(6 * 34 * sizeof(float));
    posemb_shape shape = dense;

    shape.part_rows = 1;
    check_run(*state, &(posemb_desc){.dim = 34}, &shape, &options);
    for (int i = 0; i < 2; i++) {
        posemb_session *const on = i ? session : *state;
        const float table[11 * 34] = {1.0f, 2.0f};
        const int32_t ids[12] = {10, 0, 5};
        float out[2][12 * 34];
        posemb_host_args args = {.shape = shape, .ids = ids, .table = table, .out = out[0]};

        assert_int_equal(posemb_session_run(on, &desc, &args, NULL), POSEMB_OK);
        args.out = out[1];
        assert_int_equal(posemb_reference_run(&desc, &args, NULL), POSEMB_OK);
        assert_int_equal(posemb_compare_bits(out[0], out[1], 12 * 34, NULL), 0);
    }
    posemb_session_destroy(session);
}

enum { PARTS_VOCAB = 23, PARTS_DIM = 256, PARTS_TOKENS = 2 * PARTS_VOCAB + 4 };

/* Every row, and ids on both sides of the table. */
static void check_stored_table(posemb_session *session, posemb_storage storage)
{
    const posemb_storage_info *info = posemb_storage_find(storage);
    const size_t row = (size_t)posemb_storage_row_bytes(storage, PARTS_DIM);
    const posemb_desc desc = {.dim = PARTS_DIM,
                              .tokens = {.storage = storage, .policy = POSEMB_POLICY_WRAP_NEGATIVE},
                              .token_scale = 3.0f};
    struct support_random random = support_random_from(14);
    unsigned char *table = malloc(PARTS_VOCAB * row);
    static float out[2][PARTS_TOKENS * PARTS_DIM], scales[PARTS_VOCAB];
    posemb_record record[2] = {POSEMB_RECORD_CLEAR, POSEMB_RECORD_CLEAR};
    int32_t ids[PARTS_TOKENS];
    posemb_error error;

    assert_non_null(table);
    for (size_t i = 0; i < PARTS_VOCAB * row; i++)
        table[i] = (unsigned char)support_random_bits(&random);
    for (size_t at = 0; info->block > 1 && at < PARTS_VOCAB * row; at += info->block_bytes)
        posemb__set_block_halves(table + at, storage, posemb__to_f16(support_random_float(&random)),
                                 posemb__to_f16(support_random_float(&random)));
    for (int i = 0; i < PARTS_VOCAB; i++)
        scales[i] = support_random_float(&random);
    for (int i = 0; i < PARTS_TOKENS; i++)
        ids[i] = i - PARTS_VOCAB - 2;
    for (int i = 0; i < 2; i++) {
        const posemb_host_args args = {
            .shape = {.batch = 1, .length = PARTS_TOKENS, .vocab = PARTS_VOCAB},
            .ids = ids,
            .table = table,
            .table_scales = scales,
            .out = out[i],
            .record = &record[i]};
        const posemb_status status = i ? posemb_reference_run(&desc, &args, &error)
                                       : posemb_session_run(session, &desc, &args, &error);

        if (status != POSEMB_OK)
            fail_msg("%s", error.message);
    }
    assert_int_equal(posemb_compare_bits(out[0], out[1], PARTS_TOKENS * PARTS_DIM, NULL), 0);
    assert_memory_equal(&record[0], &record[1], sizeof record[0]);
    assert_int_equal(record[0].id_count, PARTS_TOKENS - PARTS_VOCAB);
    free(table);
}

static void test_stored_tables_go_up_in_parts(void **state)
{
    static const posemb_storage storages[] = {POSEMB_F16, POSEMB_I8, POSEMB_Q8_0, POSEMB_Q4_K};

    (void)state;
    for (size_t i = 0; i < sizeof storages / sizeof *storages; i++) {
        const uint64_t row = posemb_storage_row_bytes(storages[i], PARTS_DIM);
        posemb_session *session = open_session_of(4 * row + 1);

        assert_parts(session, PARTS_VOCAB, row, 6);
        check_stored_table(session, storages[i]);
        posemb_session_destroy(session);
    }
}

static void test_a_table_in_too_many_parts_leaves_the_output(void **state)
{
    const posemb_desc desc = {.dim = 1};
    const float table[17] = {1};
    const int32_t id = 16;
    float out = 99;
    posemb_record record = POSEMB_RECORD_CLEAR;
    posemb_host_args args = {.shape = {.batch = 1, .length = 1, .vocab = 17},
                             .ids = &id,
                             .table = table,
                             .out = &out,
                             .record = &record};
    posemb_session *session = open_session_of(2 * sizeof(float));
    posemb_error error;

    (void)state;
    assert_int_equal(posemb_session_run(session, &desc, &args, &error), POSEMB_UNSUPPORTED);
    assert_says(&error, "17 rows of 4 bytes does not fit 8 buffers of at most 8 bytes");
    assert_true(out == 99);
    assert_int_equal(record.id_count, 0);
    args.shape.vocab = 16;
    assert_int_equal(posemb_session_run(session, &desc, &args, &error), POSEMB_OK);
    assert_int_equal(record.id_count, 1);
    posemb_session_destroy(session);
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
        cmocka_unit_test(test_a_large_table_goes_up_in_parts),
        cmocka_unit_test(test_gaps_and_shards_go_up_in_parts),
        cmocka_unit_test(test_parts_of_the_caller_are_not_looked_at),
        cmocka_unit_test(test_stored_tables_go_up_in_parts),
        cmocka_unit_test(test_a_table_in_too_many_parts_leaves_the_output),
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
