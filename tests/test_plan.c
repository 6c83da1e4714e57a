/* Plans: the description in force, lifetimes, slots of kernels, shared programs. */
#include "enqueue.h"
#include "plan.h"

#include "support/device.h"
#include "support/not_applicable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const posemb_shape small_shape = {.batch = 2, .length = 3, .vocab = 5};
static const struct support_call_options plain = {.seed = 1};

static void test_resolved_has_every_default(void **state)
{
    const posemb_desc desc = {.dim = 6, .convention = POSEMB_T2T};
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);
    posemb_plan *plan = NULL;
    const posemb_desc *resolved;

    assert_int_equal(posemb_plan_create(engine, &desc, &plan, NULL), POSEMB_OK);
    posemb_engine_destroy(engine);
    resolved = posemb_plan_resolved(plan);
    assert_int_equal(resolved->dim, 6);
    assert_int_equal(resolved->operation, POSEMB_ENCODE);
    assert_int_equal(resolved->convention, POSEMB_T2T);
    assert_true(resolved->token_scale == 1.0f);
    assert_true(resolved->base == 10000.0);
    assert_int_equal(resolved->concurrency, 8);
    posemb_plan_destroy(plan);
}

static void assert_refused(posemb_engine *engine, const posemb_desc *desc, const char *words)
{
    posemb_plan *plan = (posemb_plan *)&plan;
    posemb_error error;

    assert_int_equal(posemb_plan_create(engine, desc, &plan, &error), POSEMB_INVALID_ARGUMENT);
    assert_null(plan);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void test_bad_arguments_are_refused(void **state)
{
    const posemb_desc good = {.dim = 6};
    const posemb_desc no_dim = {.dim = 0};
    const posemb_desc crowd = {.dim = 6, .concurrency = 65};
    posemb_engine *engine = posemb_session_engine(*state);

    assert_refused(NULL, &good, "engine is NULL");
    assert_refused(engine, NULL, "desc is NULL");
    assert_refused(engine, &no_dim, "dim is 0");
    assert_refused(engine, &crowd, "concurrency is 65");
    assert_int_equal(posemb_plan_create(engine, &good, NULL, NULL), POSEMB_INVALID_ARGUMENT);
}

static void test_concurrency_up_to_its_bounds(void **state)
{
    static const uint32_t counts[] = {1, 2, 63, 64};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const posemb_desc desc = {.dim = 6, .concurrency = counts[i]};
        posemb_plan *plan = support_make_plan(*state, &desc);

        assert_int_equal(posemb_plan_resolved(plan)->concurrency, counts[i]);
        support_call_run(*state, plan, &small_shape, &plain);
        posemb_plan_destroy(plan);
    }
}

static void test_every_slot_is_handed_out_once(void **state)
{
    static const uint32_t counts[] = {1, 5, 64};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const posemb_desc desc = {.dim = 6, .concurrency = counts[i]};
        posemb_plan *plan = support_make_plan(*state, &desc);
        uint64_t taken = 0;

        for (uint32_t k = 0; k < counts[i]; k++)
            taken |= UINT64_C(1) << posemb__plan_take_slot(plan);
        assert_true(taken == (counts[i] == 64 ? UINT64_MAX : (UINT64_C(1) << counts[i]) - 1));
        posemb__plan_return_slot(plan, counts[i] - 1);
        assert_int_equal(posemb__plan_take_slot(plan), counts[i] - 1);
        posemb_plan_destroy(plan);
    }
}

static void test_a_plan_outlives_its_engine(void **state)
{
    const posemb_desc desc = {.dim = 6};
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);
    posemb_plan *plan;

    assert_int_equal(posemb_plan_create(engine, &desc, &plan, NULL), POSEMB_OK);
    posemb_engine_destroy(engine);
    support_call_run(*state, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
}

static void test_destroy_accepts_nothing(void **state)
{
    const posemb_desc desc = {.dim = 6};
    posemb_plan *plan = support_make_plan(*state, &desc);

    posemb_plan_destroy(NULL);
    support_call_run(*state, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
}

static cl_program program_of(const posemb_plan *plan)
{
    cl_program program = NULL;

    assert_int_equal(clGetKernelInfo(plan->kernels[POSEMB__STAGE][0], CL_KERNEL_PROGRAM,
                                     sizeof program, &program, NULL),
                     CL_SUCCESS);
    return program;
}

static void test_plans_share_a_program(void **state)
{
    const posemb_desc narrow = {.dim = 6};
    const posemb_desc wide = {.dim = 70, .id_type = POSEMB_INT64, .base = 500.0};
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);
    posemb_plan *plans[2];

    assert_int_equal(posemb_plan_create(engine, &narrow, &plans[0], NULL), POSEMB_OK);
    assert_int_equal(posemb_plan_create(engine, &wide, &plans[1], NULL), POSEMB_OK);
    posemb_engine_destroy(engine);
    assert_ptr_equal(program_of(plans[0]), program_of(plans[1]));
    support_call_run(*state, plans[1], &small_shape, &plain);
    support_call_run(*state, plans[0], &small_shape, &plain);
    posemb_plan_destroy(plans[1]);
    support_call_run(*state, plans[0], &small_shape, &plain);
    posemb_plan_destroy(plans[0]);
}

static void test_a_convention_without_pairs_has_a_plan(void **state)
{
    const posemb_desc desc = {.dim = 1, .convention = POSEMB_T2T};
    posemb_plan *plan = support_make_plan(*state, &desc);

    assert_int_equal(plan->channels.pairs, 0);
    support_call_run(*state, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
}

static void test_groups_fit_the_kernels(void **state)
{
    const posemb_desc desc = {.dim = 4096};
    posemb_plan *plan = support_make_plan(*state, &desc);

    for (int k = 0; k < POSEMB__KERNEL_COUNT; k++) {
        size_t limit = 0;

        if (!plan->kernels[k])
            continue;
        assert_int_equal(
            clGetKernelWorkGroupInfo(plan->kernels[k][0], posemb_session_device(*state)->device,
                                     CL_KERNEL_WORK_GROUP_SIZE, sizeof limit, &limit, NULL),
            CL_SUCCESS);
        assert_true(plan->launch_rule.local_size >= 1);
        assert_true(plan->launch_rule.local_size <= limit);
    }
    posemb_plan_destroy(plan);
}

static void test_positions_of_their_own_have_no_shared_kernels(void **state)
{
    const posemb_desc own = {.dim = 6, .positions = POSEMB_POSITIONS_EXPLICIT};
    const posemb_desc shared = {.dim = 6, .positions = POSEMB_POSITIONS_EXPLICIT_SHARED};
    posemb_plan *plans[] = {support_make_plan(*state, &own), support_make_plan(*state, &shared)};

    assert_null(plans[0]->kernels[POSEMB__STAGE_SHARED]);
    assert_non_null(plans[1]->kernels[POSEMB__STAGE_SHARED]);
    posemb_plan_destroy(plans[0]);
    posemb_plan_destroy(plans[1]);
}

/* ---- Tuning */

static posemb_engine *tuned_engine(posemb_session *session, const char *tuning,
                                   const posemb_engine_options *others)
{
    posemb_engine_options options = {0};
    posemb_engine *engine;
    char *copy = strdup(tuning);

    if (others)
        options = *others;
    assert_non_null(copy);
    options.tuning = copy;
    options.cache = POSEMB_CACHE_MEMORY;
    engine = support_engine_with(session, &options);
    memset(copy, 'x', strlen(copy)); /* the engine has a copy of its own */
    free(copy);
    return engine;
}

static void assert_tuning(posemb_engine *engine, const posemb_desc *desc, const char *expected)
{
    posemb_plan *plan = support_engine_plan(engine, desc);
    char text[POSEMB_TUNING_SIZE];

    assert_int_equal(posemb_plan_tuning(plan, text, sizeof text, NULL), POSEMB_OK);
    assert_string_equal(text, expected);
    posemb_plan_destroy(plan);
}

static void test_a_plan_tells_its_tuning(void **state)
{
    static const char text[] = "shape=cpu: rows=2 shared_rows=off prefetch=3\n"
                               "shape=gpu: rows=1 vector=8 local_size=16\n"
                               "op=table: rows=16 shared_rows=2 follows_threshold=never\n"
                               "norm=rms: turns=5 kept=100\n";
    static const struct {
        posemb_kernel_shape shape;
        posemb_desc desc;
        const char *tuning;
    } rows[] = {
        {POSEMB_SHAPE_CPU,
         {.dim = 6},
         "any: shape=cpu rows=2 shared_rows=off turns=8 prefetch=3 "
         "follows_threshold=24M"},
        {POSEMB_SHAPE_CPU,
         {.dim = 6, .operation = POSEMB_TABLE},
         "any: shape=cpu rows=16 shared_rows=2 turns=8 follows_threshold=never"},
        {POSEMB_SHAPE_CPU,
         {.dim = 6, .norm = POSEMB_NORM_RMS, .consumer = POSEMB_CONSUMER_STREAMED},
         "any: shape=cpu rows=2 shared_rows=off turns=5 prefetch=3 streamed_threshold=4M"},
        {POSEMB_SHAPE_GPU,
         {.dim = 6, .positions = POSEMB_POSITIONS_EXPLICIT},
         "any: shape=gpu vector=8 local_size=16 rows=1"},
        {POSEMB_SHAPE_GPU,
         {.dim = 6, .operation = POSEMB_TABLE, .norm = POSEMB_NORM_RMS},
         "any: shape=gpu local_size=16 rows=16 shared_rows=2 kept=100"},
    };
    const posemb_kernel_shape only = support_shape();

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_engine_options options = {.shape = rows[i].shape};
        posemb_engine *engine;

        if ((only && only != rows[i].shape) ||
            (rows[i].shape == POSEMB_SHAPE_CPU &&
             support_not_applicable(posemb_session_device(*state), SUPPORT_CPU_SHAPE)))
            continue;
        engine = tuned_engine(*state, text, &options);
        assert_tuning(engine, &rows[i].desc, rows[i].tuning);
        posemb_engine_destroy(engine);
    }
}

/* The shape may come from text; what is in the options wins. */
static void test_options_win_over_text(void **state)
{
    const posemb_desc desc = {.dim = 70, .positions = POSEMB_POSITIONS_EXPLICIT};
    const posemb_engine_options options = {.local_size = 8};
    posemb_engine *engine =
        tuned_engine(*state, "any: shape=gpu local_size=16 rows=8\nany: vector=8", NULL);

    assert_int_equal(posemb_engine_resolved(engine).shape, POSEMB_SHAPE_GPU);
    assert_int_equal(posemb_engine_resolved(engine).local_size, 16);
    assert_tuning(engine, &desc, "any: shape=gpu vector=8 local_size=16 rows=8");
    posemb_engine_destroy(engine);
    engine = tuned_engine(*state, "any: shape=gpu local_size=16 rows=8", &options);
    assert_int_equal(posemb_engine_resolved(engine).local_size, 8);
    assert_string_equal(posemb_engine_resolved(engine).tuning,
                        "any: shape=gpu local_size=16 rows=8");
    assert_tuning(engine, &desc, "any: shape=gpu vector=4 local_size=8 rows=8");
    posemb_engine_destroy(engine);
}

/* Plans made with what a plan tells of itself have its program and launches. */
static void test_a_tuning_can_be_given_again(void **state)
{
    const posemb_desc desc = {.dim = 384, .norm = POSEMB_NORM_LAYER};
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);
    posemb_plan *plan = support_engine_plan(engine, &desc);
    char text[POSEMB_TUNING_SIZE];
    char ids[2][POSEMB_BLOB_ID_SIZE];
    struct posemb__launch_rule rule;

    assert_int_equal(posemb_plan_tuning(plan, text, sizeof text, NULL), POSEMB_OK);
    assert_int_equal(posemb_blob_id(engine, &desc, ids[0], NULL), POSEMB_OK);
    rule = plan->launch_rule;
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
    engine = tuned_engine(*state, text, NULL);
    plan = support_engine_plan(engine, &desc);
    assert_int_equal(posemb_blob_id(engine, &desc, ids[1], NULL), POSEMB_OK);
    assert_string_equal(ids[0], ids[1]);
    assert_memory_equal(&plan->launch_rule, &rule, sizeof rule);
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
}

/* What changes the program changes its id; what a plan has no use for changes nothing. */
static void test_ids_follow_the_tuning(void **state)
{
    static const struct {
        const char *text;
        bool same;
    } rows[] = {
        {"any: rows=16", false},         {"any: shared_rows=16", false},
        {"any: shared_rows=off", false}, {"any: turns=3", true},
        {"op=add: rows=16", true},       {"dim=7: rows=16", true},
        {"any: kept=3", true},           {"any: count_columns=3", true},
        {"dim=6: rows=16", false},       {"any: follows_threshold=3", true},
    };
    const posemb_desc desc = {.dim = 6};
    char plain_id[POSEMB_BLOB_ID_SIZE];
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);

    assert_int_equal(posemb_blob_id(engine, &desc, plain_id, NULL), POSEMB_OK);
    posemb_engine_destroy(engine);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_engine_options options = {.shape = support_shape()};
        char id[POSEMB_BLOB_ID_SIZE];

        engine = tuned_engine(*state, rows[i].text, &options);
        assert_int_equal(posemb_blob_id(engine, &desc, id, NULL), POSEMB_OK);
        if ((strcmp(id, plain_id) == 0) != rows[i].same)
            fail_msg("%s: the program is %s", rows[i].text, rows[i].same ? "another" : "the same");
        posemb_engine_destroy(engine);
    }
}

static void test_room_for_a_tuning(void **state)
{
    const posemb_desc desc = {.dim = 6};
    posemb_plan *plan = support_make_plan(*state, &desc);
    char text[POSEMB_TUNING_SIZE] = "untouched";
    posemb_error error;
    size_t size;

    assert_int_equal(posemb_plan_tuning(plan, text, 9, &error), POSEMB_BUFFER_TOO_SMALL);
    assert_string_equal(text, "untouched");
    assert_non_null(strstr(error.message, "capacity is 9, but the tuning has "));
    assert_int_equal(posemb_plan_tuning(plan, text, sizeof text, NULL), POSEMB_OK);
    size = strlen(text);
    assert_int_equal(posemb_plan_tuning(plan, text, size, NULL), POSEMB_BUFFER_TOO_SMALL);
    assert_int_equal(posemb_plan_tuning(plan, text, size + 1, NULL), POSEMB_OK);
    assert_int_equal(posemb_plan_tuning(NULL, text, sizeof text, &error), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_plan_tuning(plan, NULL, 512, &error), POSEMB_INVALID_ARGUMENT);
    posemb_plan_destroy(plan);
}

/* ---- Parameters of the kernels, of which a device takes so many bytes */

/* Everything that has buffers, and `extras` extra tables. */
static posemb_desc everything(uint32_t extras, uint32_t parts)
{
    posemb_desc desc = {.dim = 6,
                        .tokens = {.storage = POSEMB_I8},
                        .soft_prompts = 1,
                        .position_kind = POSEMB_LEARNED,
                        .position_table = {.storage = POSEMB_I8},
                        .norm = POSEMB_NORM_LAYER,
                        .table_parts = parts,
                        .concurrency = 1};

    for (uint32_t k = 0; k < extras; k++)
        desc.extras[k] =
            (posemb_extra_desc){.ids = POSEMB_EXTRA_OF_TOKEN, .table = {.storage = POSEMB_I8}};
    return desc;
}

static size_t parameter_limit(posemb_session *session)
{
    size_t limit = 0;

    assert_int_equal(clGetDeviceInfo(posemb_session_device(session)->device,
                                     CL_DEVICE_MAX_PARAMETER_SIZE, sizeof limit, &limit, NULL),
                     CL_SUCCESS);
    return limit;
}

/* Bytes of the parameters of a plan that any device takes. */
static size_t parameters_of(posemb_session *session, const posemb_desc *desc)
{
    posemb_plan *plan = support_make_plan(session, desc);
    const size_t size = posemb__parameters_size(plan);

    assert_true(size <= parameter_limit(session));
    posemb_plan_destroy(plan);
    return size;
}

static void test_everything_in_one_part_fits_any_device(void **state)
{
    const posemb_desc desc = everything(POSEMB_EXTRAS_MAX, 1);

    assert_true(parameters_of(*state, &desc) <= 1024);
}

static void test_parts_take_parameters(void **state)
{
    const posemb_desc parts = everything(POSEMB_EXTRAS_MAX - 1, POSEMB_PARTS_MAX);
    const posemb_desc desc = everything(POSEMB_EXTRAS_MAX, POSEMB_PARTS_MAX);
    const size_t needed = parameters_of(*state, &parts) + sizeof(struct posemb_extra) +
                          3 * sizeof(cl_mem); /* with one extra table more */
    const size_t limit = parameter_limit(*state);
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);
    posemb_plan *plan = NULL;
    char words[128];
    posemb_error error = {.message = ""};
    const posemb_status status = posemb_plan_create(engine, &desc, &plan, &error);

    assert_true(needed > 1024);
    if (needed <= limit) {
        assert_int_equal(status, POSEMB_OK);
        assert_int_equal(posemb__parameters_size(plan), needed);
    } else {
        snprintf(words, sizeof words, "%zu bytes of parameters, but the device takes %zu", needed,
                 limit);
        assert_int_equal(status, POSEMB_UNSUPPORTED);
        assert_null(plan);
        if (!strstr(error.message, words))
            fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    }
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
}

static void test_a_plan_with_parts_warms_up(void **state)
{
    const posemb_desc desc = {.dim = 6, .table_parts = POSEMB_PARTS_MAX};
    posemb_plan *plan = support_make_plan(*state, &desc);

    assert_int_equal(posemb_plan_resolved(plan)->table_parts, POSEMB_PARTS_MAX);
    assert_int_equal(posemb_plan_warmup(plan, posemb_session_queue(*state), NULL, NULL), POSEMB_OK);
    posemb_plan_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolved_has_every_default),
        cmocka_unit_test(test_bad_arguments_are_refused),
        cmocka_unit_test(test_concurrency_up_to_its_bounds),
        cmocka_unit_test(test_every_slot_is_handed_out_once),
        cmocka_unit_test(test_a_plan_outlives_its_engine),
        cmocka_unit_test(test_destroy_accepts_nothing),
        cmocka_unit_test(test_plans_share_a_program),
        cmocka_unit_test(test_a_convention_without_pairs_has_a_plan),
        cmocka_unit_test(test_groups_fit_the_kernels),
        cmocka_unit_test(test_positions_of_their_own_have_no_shared_kernels),
        cmocka_unit_test(test_a_plan_tells_its_tuning),
        cmocka_unit_test(test_options_win_over_text),
        cmocka_unit_test(test_a_tuning_can_be_given_again),
        cmocka_unit_test(test_ids_follow_the_tuning),
        cmocka_unit_test(test_room_for_a_tuning),
        cmocka_unit_test(test_everything_in_one_part_fits_any_device),
        cmocka_unit_test(test_parts_take_parameters),
        cmocka_unit_test(test_a_plan_with_parts_warms_up),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
