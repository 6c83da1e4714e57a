/* Optimiser steps: the reference against double arithmetic, devices against the reference in every
 * bit. */
#include "support/device.h"
#include "support/random.h"

#include <posemb/posemb_train_cl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 37, DIM = 75, COUNT = ROWS * DIM, SEGMENTS = 9 };

static const posemb_optimizer_desc descs[] = {
    {.method = POSEMB_SGD},
    {.method = POSEMB_SGD, .weight_decay = 0.1f, .decay = POSEMB_DECAY_DECOUPLED},
    {.method = POSEMB_SGD, .momentum = 0.9f, .weight_decay = 0.01f},
    {.method = POSEMB_SGD, .momentum = 0.8f, .nesterov = 1},
    {.method = POSEMB_ADAM},
    {.method = POSEMB_ADAM, .beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-6f, .weight_decay = 0.02f},
    {.method = POSEMB_ADAM, .weight_decay = 0.1f, .decay = POSEMB_DECAY_DECOUPLED},
};
enum { DESCS = sizeof descs / sizeof *descs };

/* A table with its states. */
struct table {
    float p[COUNT];
    float m[COUNT];
    float v[COUNT];
};

struct step {
    posemb_optimizer_step step;
    float grads[COUNT];
    uint32_t rows[SEGMENTS];
    uint32_t count;
};

/* Of segments one is not of the table, and the count is more than there is room for. */
static void make_step(struct support_random *random, bool by_segment, bool hard, uint64_t number,
                      struct step *step)
{
    static const uint32_t rows[SEGMENTS] = {0, 3, 4, ROWS, 11, 20, 21, 4000000000u, 36};

    step->step = (posemb_optimizer_step){.rows = ROWS,
                                         .dim = DIM,
                                         .by_segment = by_segment,
                                         .step = number,
                                         .learning_rate = 0.01f * (float)number,
                                         .grad_scale = number == 2 ? 0.5f : 0.0f};
    for (int i = 0; i < COUNT; i++)
        step->grads[i] = hard && support_random_int(random, 0, 9) == 0
                             ? support_random_hard_float(random)
                             : support_random_float(random);
    memcpy(step->rows, rows, sizeof rows);
    step->count = number == 1 ? SEGMENTS : 5;
}

static void run_reference(const posemb_optimizer_desc *desc, const struct step *step,
                          struct table *table)
{
    const posemb_host_optimizer_args args = {.step = step->step,
                                             .parameters = table->p,
                                             .first = table->m,
                                             .second = table->v,
                                             .grads = step->grads,
                                             .segment_rows = step->rows,
                                             .segment_count = &step->count};
    posemb_error error;

    if (posemb_reference_optimize(desc, &args, &error) != POSEMB_OK)
        fail_msg("posemb_reference_optimize: %s", error.message);
}

/* ---- Against double arithmetic: the formulas of PyTorch's SGD, Adam and AdamW */

struct exact {
    double p, m, v;
};

static void step_exactly(const posemb_optimizer_desc *given, const struct step *step, double g,
                         struct exact *e)
{
    const double rate = (double)step->step.learning_rate;
    const double t = (double)step->step.step;
    posemb_optimizer_desc desc;

    assert_int_equal(posemb_optimizer_resolve(given, &desc, NULL), POSEMB_OK);
    g *= step->step.grad_scale == 0.0f ? 1.0 : (double)step->step.grad_scale;
    if (desc.decay == POSEMB_DECAY_COUPLED)
        g += (double)desc.weight_decay * e->p;
    else
        e->p *= 1.0 - rate * (double)desc.weight_decay;
    if (desc.method == POSEMB_SGD) {
        e->m = (double)desc.momentum * e->m + g;
        e->p -= rate * (desc.nesterov ? g + (double)desc.momentum * e->m : e->m);
        return;
    }
    e->m = (double)desc.beta1 * e->m + (1.0 - (double)desc.beta1) * g;
    e->v = (double)desc.beta2 * e->v + (1.0 - (double)desc.beta2) * g * g;
    e->p -= rate * (e->m / (1.0 - pow((double)desc.beta1, t))) /
            (sqrt(e->v / (1.0 - pow((double)desc.beta2, t))) + (double)desc.epsilon);
}

static void steps_are_those_of_double_arithmetic(void **state)
{
    (void)state;
    for (int d = 0; d < DESCS; d++) {
        struct support_random random = support_random_from((uint64_t)d);
        struct table table = {.p = {0}};
        struct step step;
        struct exact exact[COUNT] = {{.p = 0.0}};

        for (int i = 0; i < COUNT; i++)
            exact[i].p = table.p[i] = support_random_float(&random);
        for (uint64_t number = 1; number <= 6; number++) {
            make_step(&random, false, false, number, &step);
            run_reference(&descs[d], &step, &table);
            for (int i = 0; i < COUNT; i++)
                step_exactly(&descs[d], &step, (double)step.grads[i], &exact[i]);
        }
        for (int i = 0; i < COUNT; i++)
            if (!(fabs((double)table.p[i] - exact[i].p) <= 1e-6))
                fail_msg("description %d: %.9g instead of %.9g", d, (double)table.p[i], exact[i].p);
    }
}

static void only_rows_of_segments_move(void **state)
{
    struct support_random random = support_random_from(1);
    struct table table = {.p = {0}};
    struct table whole = {.p = {0}};
    struct step step;
    struct step dense;

    (void)state;
    make_step(&random, true, false, 1, &step);
    dense = step;
    dense.step.by_segment = 0;
    memset(dense.grads, 0, sizeof dense.grads);
    for (int i = 0; i < SEGMENTS; i++)
        if (step.rows[i] < ROWS)
            memcpy(dense.grads + step.rows[i] * DIM, step.grads + i * DIM, DIM * sizeof(float));
    run_reference(&descs[4], &step, &table);
    run_reference(&descs[4], &dense, &whole);
    assert_memory_equal(&table, &whole, sizeof table); /* zeros stay zeros under zero gradients */
    assert_true(table.p[3 * DIM] != 0.0f && table.p[2 * DIM] == 0.0f);
}

/* ---- Devices */

static void compare(posemb_session *session, cl_mem buffer, const float *expected, int d,
                    const char *what)
{
    float found[COUNT];
    size_t first;

    support_download(session, buffer, found, sizeof found);
    if (posemb_compare_bits(expected, found, COUNT, &first) > 0)
        fail_msg("description %d, %s[%u]: %a instead of %a", d, what, (unsigned)first,
                 (double)found[first], (double)expected[first]);
}

static void run_device(posemb_session *session, posemb_optimizer *optimizer,
                       const struct step *step, posemb_optimizer_args *args)
{
    posemb_error error;

    args->step = step->step;
    args->grads.mem = support_upload(session, step->grads, sizeof step->grads);
    args->segment_rows.mem = support_upload(session, step->rows, sizeof step->rows);
    args->segment_count.mem = support_upload(session, &step->count, sizeof step->count);
    args->segment_capacity = SEGMENTS;
    if (posemb_optimizer_enqueue(optimizer, posemb_session_queue(session), args, 0, NULL, NULL,
                                 &error) != POSEMB_OK)
        fail_msg("posemb_optimizer_enqueue: %s", error.message);
    clReleaseMemObject(args->grads.mem);
    clReleaseMemObject(args->segment_rows.mem);
    clReleaseMemObject(args->segment_count.mem);
}

static void check_device(posemb_session *session, posemb_engine *engine, int d, bool by_segment)
{
    struct support_random random = support_random_from((uint64_t)d + 100);
    struct table table = {.p = {0}};
    struct step step;
    posemb_optimizer_args args = {.step = {.rows = 0}};
    posemb_optimizer *optimizer;
    posemb_error error;

    if (posemb_optimizer_create(engine, &descs[d], &optimizer, &error) != POSEMB_OK)
        fail_msg("posemb_optimizer_create: %s", error.message);
    support_random_fill_hard(&random, table.p, COUNT / 3);
    args.parameters.mem = support_upload(session, table.p, sizeof table.p);
    args.first.mem = support_upload(session, table.m, sizeof table.m);
    args.second.mem = support_upload(session, table.v, sizeof table.v);
    for (uint64_t number = 1; number <= 3; number++) {
        make_step(&random, by_segment, true, number, &step);
        run_reference(&descs[d], &step, &table);
        run_device(session, optimizer, &step, &args);
        compare(session, args.parameters.mem, table.p, d, "parameters");
        compare(session, args.first.mem, table.m, d, "first");
        compare(session, args.second.mem, table.v, d, "second");
    }
    clReleaseMemObject(args.parameters.mem);
    clReleaseMemObject(args.first.mem);
    clReleaseMemObject(args.second.mem);
    posemb_optimizer_destroy(optimizer);
}

static void devices_have_the_bits_of_the_reference(void **state)
{
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);

    for (int d = 0; d < DESCS; d++) {
        check_device(*state, engine, d, false);
        check_device(*state, engine, d, true);
    }
    posemb_engine_destroy(engine);
}

/* ---- Bad descriptions and arguments */

static void expect_desc(posemb_optimizer_desc desc, const char *part)
{
    posemb_optimizer_desc resolved;
    posemb_error error = {.message = ""};

    assert_int_equal(posemb_optimizer_resolve(&desc, &resolved, &error), POSEMB_INVALID_ARGUMENT);
    if (!strstr(error.message, part))
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static void bad_descriptions_are_named(void **state)
{
    (void)state;
    expect_desc((posemb_optimizer_desc){.method = (posemb_optimizer_method)3}, "method is 3");
    expect_desc((posemb_optimizer_desc){.decay = (posemb_decay)9}, "decay is 9");
    expect_desc((posemb_optimizer_desc){.momentum = 1.0f}, "momentum is 1");
    expect_desc((posemb_optimizer_desc){.nesterov = 1}, "nesterov is 1");
    expect_desc((posemb_optimizer_desc){.beta1 = 0.9f}, "POSEMB_ADAM alone");
    expect_desc((posemb_optimizer_desc){.weight_decay = NAN}, "weight_decay is nan");
    expect_desc((posemb_optimizer_desc){.method = POSEMB_ADAM, .beta2 = 1.0f}, "beta2 is 1");
    expect_desc((posemb_optimizer_desc){.method = POSEMB_ADAM, .epsilon = -1.0f}, "epsilon is -1");
    expect_desc((posemb_optimizer_desc){.method = POSEMB_ADAM, .momentum = 0.5f},
                "POSEMB_SGD alone");
}

static void expect_step(posemb_optimizer_step step, const char *part)
{
    const posemb_optimizer_desc adam = {.method = POSEMB_ADAM};
    static float memory[4];
    const posemb_host_optimizer_args args = {
        .step = step, .parameters = memory, .first = memory, .grads = memory};
    posemb_error error = {.message = ""};

    assert_int_not_equal(posemb_reference_optimize(&adam, &args, &error), POSEMB_OK);
    if (!strstr(error.message, part))
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static void bad_steps_are_named(void **state)
{
    const posemb_optimizer_step good = {.rows = 1, .dim = 2, .step = 1, .learning_rate = 1.0f};
    posemb_optimizer_step step = good;

    (void)state;
    expect_step(good, "second is NULL");
    step.rows = 0;
    expect_step(step, "rows is 0");
    step.rows = UINT64_MAX / 4;
    expect_step(step, "beyond 2^63 bytes");
    step = good;
    step.dim = POSEMB_DIM_MAX + 1;
    expect_step(step, "dim is 65537");
    step = good;
    step.step = 0;
    expect_step(step, "step is 0");
    step = good;
    step.learning_rate = -1.0f;
    expect_step(step, "learning_rate is -1");
    step = good;
    step.grad_scale = INFINITY;
    expect_step(step, "grad_scale is inf");
    step = good;
    step.by_segment = 2;
    expect_step(step, "by_segment is 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_double_arithmetic),
        cmocka_unit_test(only_rows_of_segments_move),
        cmocka_unit_test(devices_have_the_bits_of_the_reference),
        cmocka_unit_test(bad_descriptions_are_named),
        cmocka_unit_test(bad_steps_are_named),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
