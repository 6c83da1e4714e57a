/* Engines: options in force, refusals, and the programs that an engine keeps. */
#include "engine.h"

#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static posemb_status create(posemb_session *session, const posemb_engine_options *options,
                            posemb_engine **engine, posemb_error *error)
{
    return posemb_engine_create(posemb_session_context(session),
                                posemb_session_device(session)->device, options, engine, error);
}

static void assert_says(const posemb_error *error, const char *words)
{
    if (!strstr(error->message, words))
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
}

static posemb_engine_options options_in_force(posemb_session *session,
                                              const posemb_engine_options *options)
{
    posemb_engine_options resolved;
    posemb_engine *engine;

    assert_int_equal(create(session, options, &engine, NULL), POSEMB_OK);
    resolved = posemb_engine_resolved(engine);
    posemb_engine_destroy(engine);
    return resolved;
}

static void test_no_options_are_defaults(void **state)
{
    const posemb_engine_options zeros = {.local_size = 0};
    const posemb_engine_options none = options_in_force(*state, NULL);
    const posemb_engine_options zero = options_in_force(*state, &zeros);

    assert_true(none.shape == POSEMB_SHAPE_CPU || none.shape == POSEMB_SHAPE_GPU);
    assert_int_equal(none.streamed_threshold, 4 << 20);
    assert_int_equal(none.follows_threshold, 24 << 20);
    assert_int_equal(zero.shape, none.shape);
    assert_int_equal(zero.local_size, none.local_size);
    assert_int_equal(zero.streamed_threshold, none.streamed_threshold);
    assert_int_equal(zero.follows_threshold, none.follows_threshold);
}

static void test_options_that_are_set_stay(void **state)
{
    const posemb_engine_options options = {.shape = POSEMB_SHAPE_GPU,
                                           .local_size = 1,
                                           .streamed_threshold = 5,
                                           .follows_threshold = 6,
                                           .cache = POSEMB_CACHE_DISK,
                                           .cache_folder = "/nowhere",
                                           .cache_limit = 7};
    const posemb_engine_options found = options_in_force(*state, &options);

    assert_int_equal(found.shape, POSEMB_SHAPE_GPU);
    assert_int_equal(found.local_size, 1);
    assert_int_equal(found.streamed_threshold, 5);
    assert_int_equal(found.follows_threshold, 6);
    assert_int_equal(found.cache, POSEMB_CACHE_DISK);
    assert_int_equal(found.cache_limit, 7);
}

static void test_cpu_groups_have_one_item(void **state)
{
    const posemb_engine_options options = {.shape = POSEMB_SHAPE_CPU, .local_size = 4};

    assert_int_equal(options_in_force(*state, &options).local_size, 1);
}

static void assert_refused(posemb_session *session, const posemb_engine_options *options,
                           const char *words)
{
    posemb_engine *engine = (posemb_engine *)session;
    posemb_error error;

    assert_int_equal(create(session, options, &engine, &error), POSEMB_INVALID_ARGUMENT);
    assert_null(engine);
    assert_says(&error, words);
}

static void test_bad_options_are_named(void **state)
{
    const posemb_engine_options shape = {.shape = (posemb_kernel_shape)3};
    const posemb_engine_options three = {.shape = POSEMB_SHAPE_GPU, .local_size = 3};
    const posemb_engine_options large = {.shape = POSEMB_SHAPE_GPU, .local_size = 1u << 31};

    assert_refused(*state, &shape, "shape is 3");
    assert_refused(*state, &three, "local_size is 3");
    assert_refused(*state, &large, "local_size is 2147483648");
}

static void test_bad_tuning_is_named(void **state)
{
    const posemb_engine_options rows = {.tuning = "any: turns=2\nany: rows=5\n"};

    assert_refused(*state, &rows, "tuning, line 2: rows is \"5\"");
}

static void test_what_is_built_in_is_tuning(void **state)
{
    const posemb_engine_options options = {.tuning = posemb_tuning_builtin()};
    const posemb_engine_options none = options_in_force(*state, NULL);
    const posemb_engine_options found = options_in_force(*state, &options);

    assert_null(none.tuning);
    assert_int_equal(found.shape, none.shape);
    assert_int_equal(found.local_size, none.local_size);
    assert_int_equal(found.streamed_threshold, none.streamed_threshold);
    assert_int_equal(found.follows_threshold, none.follows_threshold);
}

static void test_missing_arguments_are_named(void **state)
{
    const cl_context context = posemb_session_context(*state);
    const cl_device_id device = posemb_session_device(*state)->device;
    posemb_engine *engine = *state;
    posemb_error error;

    assert_int_equal(posemb_engine_create(NULL, device, NULL, &engine, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "context is NULL");
    assert_null(engine);
    assert_int_equal(posemb_engine_create(context, NULL, NULL, &engine, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "device is NULL");
    assert_int_equal(posemb_engine_create(context, device, NULL, NULL, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "engine is NULL");
}

static void test_destroy_accepts_nothing(void **state)
{
    posemb_engine *engine;

    posemb_engine_destroy(NULL);
    assert_int_equal(create(*state, NULL, &engine, NULL), POSEMB_OK);
    posemb_engine_destroy(engine);
}

static cl_uint context_references(posemb_session *session)
{
    cl_uint count = 0;

    assert_int_equal(clGetContextInfo(posemb_session_context(session), CL_CONTEXT_REFERENCE_COUNT,
                                      sizeof count, &count, NULL),
                     CL_SUCCESS);
    return count;
}

static void test_an_engine_holds_its_context(void **state)
{
    const cl_uint before = context_references(*state);
    posemb_engine *engine;

    assert_int_equal(create(*state, NULL, &engine, NULL), POSEMB_OK);
    assert_true(context_references(*state) > before);
    posemb_engine_destroy(engine);
    assert_int_equal(context_references(*state), before);
}

static const struct posemb__offer no_offer = {NULL, 0};

static void test_a_program_is_built_once(void **state)
{
    const struct posemb__program_key table = {.operation = POSEMB_TABLE,
                                              .halves = false,
                                              .shares_positions = true,
                                              .memory_floats = 4,
                                              .rows = 4,
                                              .shared_rows = 4};
    const struct posemb__program_key fewer = {.operation = POSEMB_TABLE,
                                              .halves = false,
                                              .shares_positions = false,
                                              .memory_floats = 4,
                                              .rows = 4,
                                              .shared_rows = 4};
    const struct posemb__program_key add = {.operation = POSEMB_ADD,
                                            .halves = false,
                                            .shares_positions = true,
                                            .memory_floats = 4,
                                            .rows = 4,
                                            .shared_rows = 4};
    const struct {
        const struct posemb__program_key *key;
        bool again;
    } calls[] = {{&table, false}, {&add, false}, {&fewer, false}, {&table, true}, {&fewer, true}};
    struct posemb__program *programs[5] = {NULL};
    posemb_origin origin;
    posemb_engine *engine;

    assert_int_equal(create(*state, NULL, &engine, NULL), POSEMB_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(
            posemb__engine_program(engine, calls[i].key, &no_offer, &programs[i], &origin, NULL),
            POSEMB_OK);
        assert_int_equal(origin == POSEMB_ORIGIN_MEMORY, calls[i].again);
        assert_non_null(programs[i]->program);
    }
    assert_ptr_equal(programs[0], programs[3]);
    assert_ptr_equal(programs[2], programs[4]);
    assert_ptr_not_equal(programs[0], programs[1]);
    assert_ptr_not_equal(programs[0], programs[2]);
    posemb_engine_destroy(engine);
}

static void test_a_failed_build_leaves_the_engine_usable(void **state)
{
    const struct posemb__program_key bad = {.operation = POSEMB_TABLE,
                                            .halves = false,
                                            .shares_positions = true,
                                            .memory_floats = 5,
                                            .rows = 4,
                                            .shared_rows = 4};
    const struct posemb__program_key good = {.operation = POSEMB_TABLE,
                                             .halves = false,
                                             .shares_positions = true,
                                             .memory_floats = 4,
                                             .rows = 4,
                                             .shared_rows = 4};
    struct posemb__program *program = NULL;
    posemb_origin origin;
    posemb_engine *engine;

    assert_int_equal(create(*state, NULL, &engine, NULL), POSEMB_OK);
    assert_int_equal(posemb__engine_program(engine, &bad, &no_offer, &program, &origin, NULL),
                     POSEMB_BUILD_FAILED);
    assert_null(program);
    assert_int_equal(posemb__engine_program(engine, &good, &no_offer, &program, &origin, NULL),
                     POSEMB_OK);
    assert_non_null(program);
    posemb_engine_destroy(engine);
}

/* ---- Tables that one buffer cannot hold */

static void test_the_largest_buffer_is_that_of_the_device_at_most(void **state)
{
    const uint64_t most = posemb_session_device(*state)->max_allocation;
    const posemb_engine_options small = {.largest_buffer = 1000};
    const posemb_engine_options exact = {.largest_buffer = most};
    const posemb_engine_options above = {.largest_buffer = most + 1};
    const posemb_engine_options huge = {.largest_buffer = UINT64_MAX};

    assert_true(options_in_force(*state, NULL).largest_buffer == most);
    assert_int_equal(options_in_force(*state, &small).largest_buffer, 1000);
    assert_true(options_in_force(*state, &exact).largest_buffer == most);
    assert_true(options_in_force(*state, &above).largest_buffer == most);
    assert_true(options_in_force(*state, &huge).largest_buffer == most);
}

static void test_tables_are_split_for_the_largest_buffer(void **state)
{
    static const struct {
        uint64_t rows, stride;
        uint32_t parts;
        uint64_t part_rows;
    } rows[] = {{1, 1, 1, 1},     {1, 1000, 1, 1},    {10, 100, 1, 10}, {11, 100, 2, 6},
                {80, 100, 8, 10}, {79, 100, 8, 10},   {71, 100, 8, 9},  {8, 501, 8, 1},
                {8, 1000, 8, 1},  {8000, 1, 8, 1000}, {1001, 1, 2, 501}};
    const posemb_engine_options options = {.largest_buffer = 1000};
    posemb_engine *engine;

    assert_int_equal(create(*state, &options, &engine, NULL), POSEMB_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t parts = 0;
        uint64_t part_rows = 0;

        assert_int_equal(
            posemb_split_table(engine, rows[i].rows, rows[i].stride, &parts, &part_rows, NULL),
            POSEMB_OK);
        assert_int_equal(parts, rows[i].parts);
        assert_int_equal(part_rows, rows[i].part_rows);
    }
    posemb_engine_destroy(engine);
}

/* Above what the device has, the device decides. */
static void test_the_device_bounds_the_parts(void **state)
{
    const uint64_t most = posemb_session_device(*state)->max_allocation;
    const posemb_engine_options options = {.largest_buffer = UINT64_MAX};
    uint32_t parts = 0;
    uint64_t part_rows = 0;
    posemb_engine *engine;

    assert_int_equal(create(*state, &options, &engine, NULL), POSEMB_OK);
    assert_int_equal(posemb_split_table(engine, most, 1, &parts, &part_rows, NULL), POSEMB_OK);
    assert_int_equal(parts, 1);
    assert_int_equal(posemb_split_table(engine, most + 1, 1, &parts, &part_rows, NULL), POSEMB_OK);
    assert_int_equal(parts, 2);
    assert_true(part_rows == most / 2 + 1);
    posemb_engine_destroy(engine);
}

static void test_tables_that_do_not_fit_are_not_split(void **state)
{
    static const struct {
        uint64_t rows, stride;
        const char *words;
    } rows[] = {
        {81, 100, "81 rows of 100 bytes does not fit 8 buffers of at most 1000 bytes"},
        {9, 1000, "9 rows of 1000 bytes"},
        {1, 1001, "1 rows of 1001 bytes"},
        {UINT64_MAX, UINT64_MAX, "18446744073709551615 rows of 18446744073709551615 bytes"},
    };
    const posemb_engine_options options = {.largest_buffer = 1000};
    posemb_engine *engine;

    assert_int_equal(create(*state, &options, &engine, NULL), POSEMB_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t parts = 77;
        uint64_t part_rows = 88;
        posemb_error error;

        assert_int_equal(
            posemb_split_table(engine, rows[i].rows, rows[i].stride, &parts, &part_rows, &error),
            POSEMB_UNSUPPORTED);
        assert_int_equal(error.cl_code, 0);
        assert_says(&error, rows[i].words);
        assert_int_equal(parts, 77);
        assert_int_equal(part_rows, 88);
    }
    posemb_engine_destroy(engine);
}

static void test_bad_splits_are_refused(void **state)
{
    const posemb_engine *engine = posemb_session_engine(*state);
    uint32_t parts = 77;
    uint64_t part_rows = 88;
    const struct {
        const posemb_engine *engine;
        uint64_t rows, stride;
        uint32_t *parts;
        uint64_t *part_rows;
        const char *words;
    } rows[] = {
        {NULL, 1, 1, &parts, &part_rows, "engine is NULL"},
        {engine, 0, 1, &parts, &part_rows, "rows or stride is 0"},
        {engine, 1, 0, &parts, &part_rows, "rows or stride is 0"},
        {engine, 1, 1, NULL, &part_rows, "parts or part_rows is NULL"},
        {engine, 1, 1, &parts, NULL, "parts or part_rows is NULL"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_error error;

        assert_int_equal(posemb_split_table(rows[i].engine, rows[i].rows, rows[i].stride,
                                            rows[i].parts, rows[i].part_rows, &error),
                         POSEMB_INVALID_ARGUMENT);
        assert_says(&error, rows[i].words);
    }
    assert_int_equal(parts, 77);
    assert_int_equal(part_rows, 88);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_options_are_defaults),
        cmocka_unit_test(test_options_that_are_set_stay),
        cmocka_unit_test(test_cpu_groups_have_one_item),
        cmocka_unit_test(test_bad_options_are_named),
        cmocka_unit_test(test_bad_tuning_is_named),
        cmocka_unit_test(test_what_is_built_in_is_tuning),
        cmocka_unit_test(test_missing_arguments_are_named),
        cmocka_unit_test(test_destroy_accepts_nothing),
        cmocka_unit_test(test_an_engine_holds_its_context),
        cmocka_unit_test(test_a_program_is_built_once),
        cmocka_unit_test(test_a_failed_build_leaves_the_engine_usable),
        cmocka_unit_test(test_the_largest_buffer_is_that_of_the_device_at_most),
        cmocka_unit_test(test_tables_are_split_for_the_largest_buffer),
        cmocka_unit_test(test_the_device_bounds_the_parts),
        cmocka_unit_test(test_tables_that_do_not_fit_are_not_split),
        cmocka_unit_test(test_bad_splits_are_refused),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
