/* Plans: the description in force, lifetimes, slots of kernels, shared programs. */
#include "enqueue.h"
#include "plan.h"

#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
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
        cmocka_unit_test(test_everything_in_one_part_fits_any_device),
        cmocka_unit_test(test_parts_take_parameters),
        cmocka_unit_test(test_a_plan_with_parts_warms_up),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
