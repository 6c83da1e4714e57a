/* Option strings of the kernels, and building them. */
#include "program.h"

#include "support/device.h"
#include "support/not_applicable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* The fields of a stage of float tables and sinusoids alone. */
#define PLAIN_STAGE                                                                                \
    .position_kind = POSEMB_SINUSOIDAL, .table_storage = POSEMB_F32, .rows_storage = POSEMB_F32,   \
    .position_storage = POSEMB_F32, .norm_storage = POSEMB_F32, .out_storage = POSEMB_F32,         \
    .step_storage = POSEMB_F32, .extra_storage = {POSEMB_F32, POSEMB_F32, POSEMB_F32, POSEMB_F32}, \
    .norm = POSEMB_NORM_NONE, .gamma = POSEMB_GAMMA_NONE

static const struct posemb__program_key gpu_key = {.operation = POSEMB_TABLE,
                                                   .halves = false,
                                                   .shares_positions = true,
                                                   .memory_floats = 4,
                                                   .rows = 4,
                                                   .shared_rows = 4};

static void test_options_name_every_choice(void **state)
{
    const struct posemb__program_key key = {
        .operation = POSEMB_ADD,
        .halves = true,
        .shares_positions = false,
        .position_kind = POSEMB_LEARNED,
        .table_storage = POSEMB_F32,
        .rows_storage = POSEMB_BF16,
        .position_storage = POSEMB_I8,
        .norm_storage = POSEMB_F16,
        .out_storage = POSEMB_F16,
        .step_storage = POSEMB_BF16,
        .parts = true,
        .extras = 1,
        .extra_storage = {POSEMB_I8, POSEMB_F32, POSEMB_F32, POSEMB_F32},
        .norm = POSEMB_NORM_RMS,
        .gamma = POSEMB_GAMMA_ONE_PLUS,
        .folded = 512,
        .memory_floats = 16,
        .rows = 8,
        .shared_rows = 2,
        .prefetch = 12};
    char options[POSEMB__OPTIONS_SIZE];

    (void)state;
    posemb__program_options(&key, options);
    assert_string_equal(
        options,
        "-cl-std=CL1.2 -DPOSEMB_OPERATION=2 -DPOSEMB_POSITION=2 -DPOSEMB_HALVES=1 "
        "-DPOSEMB_COSINE_FIRST=0 -DPOSEMB_AMPLITUDE=0 -DPOSEMB_PHASES=0 "
        "-DPOSEMB_FLOAT=0 -DPOSEMB_GRID=0 -DPOSEMB_COUNTS=0 -DPOSEMB_SHARED=0 "
        "-DPOSEMB_TABLE_STORAGE=1 -DPOSEMB_ROWS_STORAGE=3 -DPOSEMB_POSITION_STORAGE=4 "
        "-DPOSEMB_OUT_STORAGE=2 -DPOSEMB_STEP=3 -DPOSEMB_PROMPTS=0 -DPOSEMB_PARTS=1 "
        "-DPOSEMB_EXTRAS=1 -DPOSEMB_EXTRA0=4 -DPOSEMB_EXTRA1=1 -DPOSEMB_EXTRA2=1 -DPOSEMB_EXTRA3=1 "
        "-DPOSEMB_NORM=3 -DPOSEMB_GAMMA=2 -DPOSEMB_BETA=0 -DPOSEMB_NORM_STORAGE=2 "
        "-DPOSEMB_FOLDED=512 -DPOSEMB_MEMORY=16 -DPOSEMB_ROWS=8 -DPOSEMB_SHARED_ROWS=2 "
        "-DPOSEMB_PREFETCH=12");
}

static void test_options_are_never_cut(void **state)
{
    const struct posemb__program_key key = {.operation = POSEMB_TABLE,
                                            .halves = false,
                                            .shares_positions = true,
                                            .memory_floats = UINT32_MAX,
                                            .rows = UINT32_MAX,
                                            .shared_rows = UINT32_MAX,
                                            .prefetch = UINT32_MAX};
    char options[POSEMB__OPTIONS_SIZE];

    (void)state;
    posemb__program_options(&key, options);
    assert_non_null(strstr(options, "-DPOSEMB_ROWS=4294967295"));
    assert_non_null(strstr(options, "-DPOSEMB_PREFETCH=4294967295"));
}

static void test_parts_have_a_program_of_their_own(void **state)
{
    static const struct posemb__program_key key = {
        .operation = POSEMB_ENCODE, PLAIN_STAGE, .memory_floats = 4, .rows = 4, .shared_rows = 4};
    struct posemb__program_key parts = key;
    char options[POSEMB__OPTIONS_SIZE], options_of_parts[POSEMB__OPTIONS_SIZE];
    struct posemb__digest id, id_of_parts;
    struct posemb__device_identity identity;

    parts.parts = true;
    posemb__program_options(&key, options);
    posemb__program_options(&parts, options_of_parts);
    assert_non_null(strstr(options, " -DPOSEMB_PARTS=0 "));
    assert_non_null(strstr(options_of_parts, " -DPOSEMB_PARTS=1 "));
    assert_int_equal(posemb__device_identify(posemb_session_device(*state), &identity, NULL),
                     POSEMB_OK);
    id = posemb__program_id(&identity, &key);
    id_of_parts = posemb__program_id(&identity, &parts);
    assert_memory_not_equal(id.bytes, id_of_parts.bytes, POSEMB__DIGEST_SIZE);
    free(identity.bytes);
}

/* How many parts there are is an argument of the kernels. */
static void test_any_number_of_parts_has_the_same_program(void **state)
{
    posemb_engine *engine = posemb_session_engine(*state);
    char ids[POSEMB_PARTS_MAX + 1][POSEMB_BLOB_ID_SIZE];

    for (uint32_t parts = 0; parts <= POSEMB_PARTS_MAX; parts++) {
        const posemb_desc desc = {.dim = 6, .table_parts = parts};

        assert_int_equal(posemb_blob_id(engine, &desc, ids[parts], NULL), POSEMB_OK);
    }
    assert_string_equal(ids[0], ids[1]);
    assert_string_not_equal(ids[1], ids[2]);
    for (uint32_t parts = 3; parts <= POSEMB_PARTS_MAX; parts++)
        assert_string_equal(ids[parts], ids[2]);
}

static void test_the_source_is_embedded_whole(void **state)
{
    (void)state;
    assert_int_equal(strlen(posemb__kernel_source), posemb__kernel_source_size);
    assert_non_null(strstr(posemb__kernel_source, "posemb_stage_shared"));
    assert_null(strstr(posemb__kernel_source, "#include \""));
}

static void check_builds(posemb_session *session, const struct posemb__program_key *key)
{
    cl_program program = NULL;
    cl_kernel kernel;
    cl_int code;
    posemb_error error;

    if (posemb__program_build(posemb_session_context(session),
                              posemb_session_device(session)->device, key, &program,
                              &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    kernel = clCreateKernel(program, "posemb_stage", &code);
    assert_int_equal(code, CL_SUCCESS);
    clReleaseKernel(kernel);
    clReleaseProgram(program);
}

static void test_every_gpu_program_builds(void **state)
{
    for (int operation = POSEMB_ENCODE; operation <= POSEMB_TABLE; operation++)
        for (int halves = 0; halves < 2; halves++) {
            const struct posemb__program_key key = {.operation = (posemb_operation)operation,
                                                    .halves = halves != 0,
                                                    .shares_positions = true,
                                                    .parts = halves && operation == POSEMB_ENCODE,
                                                    PLAIN_STAGE,
                                                    .memory_floats = 4,
                                                    .rows = 4,
                                                    .shared_rows = 4};

            check_builds(*state, &key);
        }
}

static void test_every_cpu_program_builds(void **state)
{
    if (support_not_applicable(posemb_session_device(*state), SUPPORT_CPU_SHAPE))
        skip();
    for (int operation = POSEMB_ENCODE; operation <= POSEMB_TABLE; operation++)
        for (int halves = 0; halves < 2; halves++) {
            const struct posemb__program_key key = {.operation = (posemb_operation)operation,
                                                    .halves = halves != 0,
                                                    .shares_positions = true,
                                                    .parts = halves && operation == POSEMB_ENCODE,
                                                    PLAIN_STAGE,
                                                    .memory_floats = 16,
                                                    .rows = 8,
                                                    .shared_rows = 8};

            check_builds(*state, &key);
        }
}

static void test_a_failed_build_gives_the_log(void **state)
{
    const struct posemb__program_key bad = {.operation = POSEMB_TABLE,
                                            .halves = false,
                                            .shares_positions = true,
                                            .memory_floats = 5,
                                            .rows = 4,
                                            .shared_rows = 4};
    cl_program program = (cl_program)state;
    posemb_error error;

    assert_int_equal(posemb__program_build(posemb_session_context(*state),
                                           posemb_session_device(*state)->device, &bad, &program,
                                           &error),
                     POSEMB_BUILD_FAILED);
    assert_int_equal(error.status, POSEMB_BUILD_FAILED);
    assert_int_not_equal(error.cl_code, CL_SUCCESS);
    assert_non_null(strstr(error.message, "clBuildProgram: CL_"));
    assert_null(program);
}

static void test_a_failed_build_ends_without_a_newline(void **state)
{
    const struct posemb__program_key bad = {.operation = POSEMB_TABLE,
                                            .halves = false,
                                            .shares_positions = true,
                                            .memory_floats = 0,
                                            .rows = 4,
                                            .shared_rows = 4};
    cl_program program;
    posemb_error error;

    posemb__program_build(posemb_session_context(*state), posemb_session_device(*state)->device,
                          &bad, &program, &error);
    assert_int_equal(error.status, POSEMB_BUILD_FAILED);
    assert_int_not_equal(error.message[strlen(error.message) - 1], '\n');
}

static void test_a_context_that_is_none_is_refused(void **state)
{
    cl_program program = (cl_program)state;
    posemb_error error;

    assert_int_equal(posemb__program_build(NULL, posemb_session_device(*state)->device, &gpu_key,
                                           &program, &error),
                     POSEMB_DEVICE_ERROR);
    assert_int_equal(error.cl_code, CL_INVALID_CONTEXT);
    assert_null(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_name_every_choice),
        cmocka_unit_test(test_options_are_never_cut),
        cmocka_unit_test(test_parts_have_a_program_of_their_own),
        cmocka_unit_test(test_any_number_of_parts_has_the_same_program),
        cmocka_unit_test(test_the_source_is_embedded_whole),
        cmocka_unit_test(test_every_gpu_program_builds),
        cmocka_unit_test(test_every_cpu_program_builds),
        cmocka_unit_test(test_a_failed_build_gives_the_log),
        cmocka_unit_test(test_a_failed_build_ends_without_a_newline),
        cmocka_unit_test(test_a_context_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
