/* The reference of gradients against double arithmetic and finite differences; cuts of a batch;
 * policies; bad arguments. */
#include "backward_case.h"
#include "desc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 11, POSITIONS = 40, TYPES = 2 };

/* A stage with everything that can have a gradient, and indices that are all good. */
static void make_whole(struct backward_case *made, posemb_norm norm, posemb_gamma gamma,
                       uint32_t dim, uint64_t length)
{
    *made = (struct backward_case){
        .call = {.desc = {.dim = dim,
                          .norm = norm,
                          .gamma = gamma,
                          .beta = norm == POSEMB_NORM_NONE ? 0 : POSEMB_BETA_ADDED,
                          .token_scale = 1.5f,
                          .position_kind = POSEMB_LEARNED,
                          .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN, .scale = -0.7f}}},
                 .shape = {.batch = 2,
                           .length = length,
                           .vocab = VOCAB,
                           .position_rows = POSITIONS + 1000,
                           .extras = {{.rows = TYPES}}}},
        .accumulation = POSEMB_OVERWRITE,
        .clean = true};
    made->wanted = backward_case_wishes(&made->call.desc, POSEMB_ACCUMULATE);
}

static const struct {
    posemb_norm norm;
    posemb_gamma gamma;
} norms[] = {{POSEMB_NORM_NONE, 0},
             {POSEMB_NORM_LAYER, POSEMB_GAMMA_FACTOR},
             {POSEMB_NORM_LAYER, POSEMB_GAMMA_NONE},
             {POSEMB_NORM_RMS, POSEMB_GAMMA_FACTOR},
             {POSEMB_NORM_RMS, POSEMB_GAMMA_ONE_PLUS}};
enum { NORMS = sizeof norms / sizeof *norms };

static float element(const void *floats, uint64_t index)
{
    return ((const float *)floats)[index];
}

/* ---- Double arithmetic */

/* dX and xhat of token t, by the textbook, from the float sums; returns how large the parts are
 * that dX is the difference of. */
static double row_by_textbook(const struct backward_case *made, uint64_t t, double *dx,
                              double *xhat)
{
    const posemb_desc *desc = &made->call.desc;
    const uint32_t dim = desc->dim;
    const float *x = (const float *)(const void *)made->call.expected[POSEMB__SUM_OUT] + t * dim;
    double mean = 0.0, square = 0.0, along = 0.0, centre = 0.0, size = 0.0, r;

    for (uint32_t c = 0; c < dim; c++)
        dx[c] = element(made->out_grad, t * dim + c);
    for (uint32_t c = 0; c < dim; c++)
        size = fmax(size, fabs(dx[c]));
    if (desc->norm == POSEMB_NORM_NONE)
        return size;
    for (uint32_t c = 0; desc->norm == POSEMB_NORM_LAYER && c < dim; c++)
        mean += (double)x[c] / dim;
    for (uint32_t c = 0; c < dim; c++)
        square += ((double)x[c] - mean) * ((double)x[c] - mean) / dim;
    r = 1.0 / sqrt(square + (double)1e-5f);
    for (uint32_t c = 0; c < dim; c++) {
        const double gamma = desc->gamma == POSEMB_GAMMA_NONE
                                 ? 1.0
                                 : (double)element(made->call.input[POSEMB__GAMMA], c);

        xhat[c] = ((double)x[c] - mean) * r;
        dx[c] *= desc->gamma == POSEMB_GAMMA_ONE_PLUS ? 1.0 + gamma : gamma;
        along += dx[c] * xhat[c] / dim;
        if (desc->norm == POSEMB_NORM_LAYER)
            centre += dx[c] / dim;
    }
    for (uint32_t c = 0; c < dim; c++)
        size = fmax(size, r * (fabs(dx[c]) + fabs(centre) + fabs(xhat[c] * along)));
    for (uint32_t c = 0; c < dim; c++)
        dx[c] = (dx[c] - centre - xhat[c] * along) * r;
    return size;
}

struct sums {
    double *value[POSEMB__GRADIENTS];
    uint64_t *terms[POSEMB__GRADIENTS]; /* of each row */
    double *size[POSEMB__GRADIENTS];    /* of the largest of them */
};

static void add(struct sums *sums, int gradient, uint64_t row, const double *x, const double *y,
                double scale, double size, uint32_t dim)
{
    if (!sums->value[gradient])
        return;
    sums->terms[gradient][row]++;
    sums->size[gradient][row] = fmax(sums->size[gradient][row], size * fabs(scale));
    for (uint32_t c = 0; c < dim; c++)
        sums->value[gradient][row * dim + c] += scale * x[c] * (y ? y[c] : 1.0);
}

static void sum_by_textbook(const struct backward_case *made, struct sums *sums)
{
    const posemb_desc *desc = &made->call.desc;
    const uint32_t dim = desc->dim;
    const int32_t *ids = made->call.input[POSEMB__IDS];
    const int32_t *types = made->call.input[POSEMB__EXTRA_IDS];
    double *rows = calloc(3 * dim, sizeof *rows);

    assert_non_null(rows);
    for (uint64_t t = 0; t < made->resolved.tokens; t++) {
        const double size = row_by_textbook(made, t, rows, rows + dim);

        for (uint32_t c = 0; c < dim; c++)
            rows[2 * dim + c] = element(made->out_grad, t * dim + c);
        add(sums, POSEMB__GRAD_TABLE, (uint64_t)ids[t], rows, NULL, 1.5, size, dim);
        add(sums, POSEMB__GRAD_POSITION, t % made->call.shape.length, rows, NULL, 1.0, size, dim);
        add(sums, POSEMB__GRAD_EXTRA, (uint64_t)types[t], rows, NULL, (double)-0.7f, size, dim);
        add(sums, POSEMB__GRAD_GAMMA, 0, rows + 2 * dim, rows + dim, 1.0, size, dim);
        add(sums, POSEMB__GRAD_BETA, 0, rows + 2 * dim, NULL, 1.0, size, dim);
    }
    free(rows);
}

/* The errors of a row are within 1e-6 * sqrt(terms) of its largest term. */
static void check_rows(const struct backward_case *made, const struct sums *sums, int g)
{
    const uint32_t dim = made->call.desc.dim;
    const uint64_t rows = made->resolved.gradient[g].bytes / (dim * sizeof(float));

    for (uint64_t row = 0; row < rows; row++) {
        const double largest = sums->size[g][row];
        double error = 0.0;

        for (uint64_t i = row * dim; i < (row + 1) * dim; i++)
            error = fmax(error, fabs(sums->value[g][i] - (double)element(made->expected[g], i)));
        if (!(error <= 1e-6 * sqrt((double)sums->terms[g][row]) * largest))
            fail_msg("%s, row %u: error %g of %g", posemb__gradient_name((enum posemb__gradient)g),
                     (unsigned)row, error, largest);
    }
}

static void check_textbook(struct backward_case *made)
{
    struct sums sums = {{NULL}, {NULL}, {NULL}};

    for (int g = 0; g < POSEMB__GRADIENTS; g++) {
        const uint64_t count = made->resolved.gradient[g].bytes / sizeof(float);

        if (count == 0)
            continue;
        sums.value[g] = calloc((size_t)count, sizeof(double));
        sums.terms[g] = calloc((size_t)count, sizeof(uint64_t));
        sums.size[g] = calloc((size_t)count, sizeof(double));
        assert_true(sums.value[g] && sums.terms[g] && sums.size[g]);
    }
    sum_by_textbook(made, &sums);
    for (int g = 0; g < POSEMB__GRADIENTS; g++) {
        if (sums.value[g])
            check_rows(made, &sums, g);
        free(sums.value[g]);
        free(sums.terms[g]);
        free(sums.size[g]);
    }
}

static void gradients_are_those_of_double_arithmetic(void **state)
{
    static const uint32_t dims[] = {1, 3, 64, 100, 768};
    struct support_random random = support_random_from(3);

    (void)state;
    for (int n = 0; n < NORMS; n++)
        for (int d = 0; d < 5; d++) {
            struct backward_case made;

            /* A row of one channel has no gradient through LayerNorm but rounding. */
            if (dims[d] == 1 && norms[n].norm != POSEMB_NORM_NONE)
                continue;
            make_whole(&made, norms[n].norm, norms[n].gamma, dims[d], dims[d] == 64 ? 700 : 37);
            backward_case_prepare(&random, &made);
            backward_case_run_reference(&made);
            check_textbook(&made);
            backward_case_free(&made);
        }
}

/* ---- Finite differences */

static double loss(const struct backward_case *made)
{
    struct stage_call call = made->call;
    const size_t count = made->resolved.tokens * made->call.desc.dim;
    double sum = 0.0;

    stage_call_run_reference(&call);
    for (size_t i = 0; i < count; i++)
        sum += (double)element(call.expected[STAGE_OUT], i) * (double)element(made->out_grad, i);
    return sum;
}

/* Some elements of a table against the slope of the loss. */
static void check_slopes(const struct backward_case *made, struct support_random *random,
                         enum posemb__input input, int g)
{
    const int64_t count = (int64_t)(made->resolved.gradient[g].bytes / sizeof(float));
    float *values = made->call.input[input];
    double largest = 0.0;

    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)element(made->expected[g], (uint64_t)i)));
    for (int k = 0; k < 12 && count > 0; k++) {
        const uint64_t i = (uint64_t)support_random_int(random, 0, count - 1);
        const float value = values[i];
        const float up = value + 0x1p-7f;
        const float down = value - 0x1p-7f;
        double slope;

        values[i] = up;
        slope = loss(made);
        values[i] = down;
        slope = (slope - loss(made)) / ((double)up - (double)down);
        values[i] = value;
        if (!(fabs(slope - (double)element(made->expected[g], i)) <= 1e-3 * largest))
            fail_msg("%s[%u]: slope %g, gradient %g, largest %g",
                     posemb__gradient_name((enum posemb__gradient)g), (unsigned)i, slope,
                     (double)element(made->expected[g], i), largest);
    }
}

static void gradients_are_slopes_of_the_forward(void **state)
{
    struct support_random random = support_random_from(4);

    (void)state;
    for (int n = 0; n < NORMS; n++) {
        struct backward_case made;

        make_whole(&made, norms[n].norm, norms[n].gamma, 24, 20);
        backward_case_prepare(&random, &made);
        backward_case_run_reference(&made);
        check_slopes(&made, &random, POSEMB__TABLE, POSEMB__GRAD_TABLE);
        check_slopes(&made, &random, POSEMB__POSITION_TABLE, POSEMB__GRAD_POSITION);
        check_slopes(&made, &random, POSEMB__EXTRA_TABLE, POSEMB__GRAD_EXTRA);
        check_slopes(&made, &random, POSEMB__GAMMA, POSEMB__GRAD_GAMMA);
        check_slopes(&made, &random, POSEMB__BETA, POSEMB__GRAD_BETA);
        backward_case_free(&made);
    }
}

static void rows_to_add_to_have_slopes(void **state)
{
    struct support_random random = support_random_from(5);
    struct backward_case made = {.call = {.desc = {.dim = 24,
                                                   .operation = POSEMB_ADD,
                                                   .norm = POSEMB_NORM_LAYER,
                                                   .token_scale = -2.5f},
                                          .shape = {.batch = 3, .length = 5}},
                                 .clean = true};

    (void)state;
    made.wanted = backward_case_wishes(&made.call.desc, POSEMB_OVERWRITE);
    backward_case_prepare(&random, &made);
    backward_case_run_reference(&made);
    check_slopes(&made, &random, POSEMB__ROWS, POSEMB__GRAD_ROWS);
    backward_case_free(&made);
}

/* ---- Cuts, segments, policies */

static void run_reference(void *state, const posemb_desc *desc,
                          const posemb_host_backward_args *args)
{
    posemb_error error;

    (void)state;
    if (posemb_reference_backward(desc, args, &error) != POSEMB_OK)
        fail_msg("posemb_reference_backward: %s", error.message);
}

static void a_cut_batch_has_the_bits_of_the_whole(void **state)
{
    (void)state;
    backward_case_check_cuts(run_reference, NULL);
}

static void segments_are_the_rows_with_terms(void **state)
{
    const int32_t ids[] = {5, 1, 5, -1, 2, 9};
    const float grads[6] = {1.0f, 2.0f, 4.0f, 8.0f, 16.0f, 32.0f};
    const posemb_desc desc = {.dim = 1, .position_kind = POSEMB_NO_POSITION, .token_scale = 3.0f};
    float table[6] = {7.0f, 7.0f, 7.0f, 7.0f, 7.0f, 7.0f};
    float rows[6] = {-1.0f, -1.0f, -1.0f, -1.0f, -1.0f, -1.0f};
    uint32_t numbers[6] = {99, 99, 99, 99, 99, 99};
    uint32_t count = 99;
    const posemb_host_backward_args args = {.shape = {.batch = 2, .length = 3, .vocab = 6},
                                            .ids = ids,
                                            .out_grad = grads,
                                            .table_grad = table,
                                            .segment_rows = numbers,
                                            .segment_grads = rows,
                                            .segment_count = &count};
    const float expected[6] = {0.0f, 6.0f, 48.0f, 0.0f, 0.0f, 15.0f};
    const uint32_t expected_numbers[6] = {1, 2, 5, 99, 99, 99};
    const float expected_rows[6] = {6.0f, 48.0f, 15.0f, -1.0f, -1.0f, -1.0f};

    (void)state;
    run_reference(NULL, &desc, &args);
    assert_int_equal(count, 3);
    assert_memory_equal(table, expected, sizeof table);
    assert_memory_equal(numbers, expected_numbers, sizeof numbers);
    assert_memory_equal(rows, expected_rows, sizeof rows);
}

/* Clamped and wrapped indices count for the row that they named, rows of zeros and NaN for none. */
static void policies_decide_which_row_takes_a_term(void **state)
{
    static const float expected[4][3] = {
        {1.0f, 0.0f, 0.0f}, {1.0f + 2.0f, 0.0f, 4.0f}, {1.0f, 0.0f, 2.0f}, {1.0f, 0.0f, 0.0f}};
    const int32_t ids[] = {0, -1, 3};
    const float grads[3] = {1.0f, 2.0f, 4.0f};

    (void)state;
    for (int policy = 0; policy < 4; policy++) {
        const posemb_desc desc = {.dim = 1,
                                  .position_kind = POSEMB_NO_POSITION,
                                  .tokens = {.policy = (posemb_policy)(policy + 1)}};
        float table[3];
        const posemb_host_backward_args args = {.shape = {.batch = 1, .length = 3, .vocab = 3},
                                                .ids = ids,
                                                .out_grad = grads,
                                                .table_grad = table};

        run_reference(NULL, &desc, &args);
        assert_memory_equal(table, expected[policy], sizeof table);
    }
}

static void no_tokens_leave_zeros_or_all_as_it_is(void **state)
{
    const posemb_desc desc = {.dim = 2, .position_kind = POSEMB_NO_POSITION};
    float table[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    posemb_host_backward_args args = {.shape = {.batch = 0, .length = 3, .vocab = 2},
                                      .accumulation = POSEMB_ACCUMULATE,
                                      .table_grad = table};

    (void)state;
    run_reference(NULL, &desc, &args);
    assert_true(table[3] == 4.0f);
    args.accumulation = POSEMB_OVERWRITE;
    run_reference(NULL, &desc, &args);
    for (int i = 0; i < 4; i++)
        assert_true(table[i] == 0.0f);
}

/* ---- Bad arguments */

static void expect(posemb_status status, const char *part, const posemb_desc *desc,
                   const posemb_host_backward_args *args)
{
    posemb_error error = {.message = ""};

    assert_int_equal(posemb_reference_backward(desc, args, &error), status);
    if (!strstr(error.message, part))
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static void bad_arguments_are_named(void **state)
{
    const posemb_desc desc = {.dim = 2, .norm = POSEMB_NORM_RMS};
    const posemb_host_backward_args good = {.shape = {.batch = 1, .length = 1, .vocab = 2}};
    posemb_host_backward_args args = good;
    float grads[4] = {0.0f};
    uint32_t number = 0;

    (void)state;
    expect(POSEMB_INVALID_ARGUMENT, "no gradient is given", &desc, &args);
    args.beta_grad = grads;
    expect(POSEMB_INVALID_ARGUMENT, "beta_grad is given", &desc, &args);
    args = good;
    args.table_grad = grads;
    expect(POSEMB_INVALID_ARGUMENT, "ids is NULL", &desc, &args);
    args.accumulation = (posemb_accumulation)3;
    expect(POSEMB_INVALID_ARGUMENT, "accumulation is 3", &desc, &args);
    args.accumulation = POSEMB_ACCUMULATE;
    args.segment_count = &number;
    expect(POSEMB_INVALID_ARGUMENT, "go together", &desc, &args);
    args.segment_rows = &number;
    args.segment_grads = grads;
    expect(POSEMB_INVALID_ARGUMENT, "POSEMB_ACCUMULATE", &desc, &args);
    args = good;
    args.table_grad = grads;
    args.shape.vocab = POSEMB_BACKWARD_ROWS_MAX + 1;
    expect(POSEMB_UNSUPPORTED, "4294967295 rows", &desc, &args);
    args = good;
    args.table_grad = grads;
    args.shape.length = POSEMB_BACKWARD_TOKENS_MAX + 1;
    expect(POSEMB_UNSUPPORTED, "2147483648 tokens", &desc, &args);
    expect(POSEMB_INVALID_ARGUMENT, "args is NULL", &desc, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_double_arithmetic),
        cmocka_unit_test(gradients_are_slopes_of_the_forward),
        cmocka_unit_test(rows_to_add_to_have_slopes),
        cmocka_unit_test(a_cut_batch_has_the_bits_of_the_whole),
        cmocka_unit_test(segments_are_the_rows_with_terms),
        cmocka_unit_test(policies_decide_which_row_takes_a_term),
        cmocka_unit_test(no_tokens_leave_zeros_or_all_as_it_is),
        cmocka_unit_test(bad_arguments_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
