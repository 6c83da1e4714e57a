/* How a call is divided over devices, without any: cuts, and parts that the reference runs. */
#include "split.h"

#include "desc.h"
#include "split_cases.h"
#include "stage_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

enum { SHARES = 5 };

/* ---- Cuts */

/* What a cut depends on, and where it must be. */
struct cut {
    posemb_desc desc;
    posemb_shape shape;
    struct posemb__split_rule rule;
    uint32_t count;
    double weights[SHARES];
    bool columns; /* `ends` are of columns */
    uint64_t ends[SHARES];
};

static posemb_status run_cut(const struct cut *cut, struct posemb__call *call, posemb_range *ranges,
                             posemb_error *error)
{
    posemb_desc resolved;

    assert_int_equal(posemb_desc_resolve(&cut->desc, &resolved, NULL), POSEMB_OK);
    assert_int_equal(posemb__call_resolve(&resolved, &cut->shape, call, NULL), POSEMB_OK);
    return posemb__split_cut(&resolved, call, &cut->rule, cut->weights, cut->count, ranges, error);
}

static void check_cut(const struct cut *cut)
{
    posemb_range ranges[SHARES];
    struct posemb__call call;
    posemb_error error = {.message = ""};
    uint64_t from = 0;

    if (run_cut(cut, &call, ranges, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    for (uint32_t k = 0; k < cut->count; k++) {
        const posemb_range *range = &ranges[k];
        const uint64_t items = cut->ends[k] - from;

        if (items == 0) {
            assert_true(range->rows == 0 && range->columns == 0);
            assert_true(range->first_row == 0 && range->first_column == 0);
            continue;
        }
        assert_int_equal(range->first_row, cut->columns ? 0 : from);
        assert_int_equal(range->rows, cut->columns ? cut->shape.batch : items);
        assert_int_equal(range->first_column, cut->columns ? from : 0);
        assert_int_equal(range->columns, cut->columns ? items : cut->shape.length);
        from = cut->ends[k];
    }
}

#define ALIGNED(bytes)                                                                             \
    {                                                                                              \
        .alignment = (bytes)                                                                       \
    }
#define TABLE_OF(d)                                                                                \
    {                                                                                              \
        .dim = (d), .operation = POSEMB_TABLE                                                      \
    }

static void test_shares_follow_the_weights(void **state)
{
    static const struct cut cuts[] = {
        {TABLE_OF(32), {.batch = 8, .length = 3}, ALIGNED(128), 2, {0}, false, {4, 8}},
        {TABLE_OF(32), {.batch = 9, .length = 3}, ALIGNED(128), 2, {0}, false, {5, 9}},
        {TABLE_OF(32), {.batch = 7, .length = 3}, ALIGNED(128), 3, {1, 1, 1}, false, {2, 5, 7}},
        {TABLE_OF(32), {.batch = 10, .length = 1}, ALIGNED(128), 2, {3, 1}, false, {8, 10}},
        {TABLE_OF(32), {.batch = 10, .length = 1}, ALIGNED(128), 3, {0, 1, 0}, false, {0, 10, 10}},
        {TABLE_OF(32), {.batch = 10, .length = 1}, ALIGNED(128), 3, {1, 0, 1}, false, {5, 5, 10}},
        {TABLE_OF(32),
         {.batch = 10, .length = 1},
         ALIGNED(128),
         2,
         {1e-300, 1e300},
         false,
         {0, 10}},
        {TABLE_OF(32), {.batch = 10, .length = 1}, ALIGNED(128), 2, {1e308, 1e308}, false, {5, 10}},
        {TABLE_OF(32),
         {.batch = 10, .length = 1},
         ALIGNED(128),
         2,
         {5e-324, 5e-324},
         false,
         {5, 10}},
        {TABLE_OF(32), {.batch = 2, .length = 9}, ALIGNED(128), 5, {0}, false, {0, 1, 1, 2, 2}},
        {TABLE_OF(32), {.batch = 1, .length = 9}, ALIGNED(128), 2, {0}, true, {5, 9}},
        {TABLE_OF(32), {.batch = 1, .length = 1}, ALIGNED(128), 2, {0}, true, {1, 1}},
        {TABLE_OF(32), {.batch = 1, .length = 1}, ALIGNED(128), 2, {1, 3}, true, {0, 1}},
        {TABLE_OF(32), {.batch = 3, .length = 5}, ALIGNED(128), 1, {0}, false, {3}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        check_cut(&cuts[i]);
}

/* Rows of 24 bytes; an output that begins behind a multiple; gaps that make room. */
static void test_parts_begin_where_sub_buffers_can(void **state)
{
    static const struct cut cuts[] = {
        {TABLE_OF(6), {.batch = 64, .length = 1}, ALIGNED(128), 2, {0}, false, {32, 64}},
        {TABLE_OF(6), {.batch = 64, .length = 1}, ALIGNED(128), 2, {1, 2}, false, {16, 64}},
        {TABLE_OF(6), {.batch = 15, .length = 1}, ALIGNED(128), 2, {0}, false, {15, 15}},
        {TABLE_OF(6), {.batch = 15, .length = 1}, ALIGNED(128), 2, {1, 2}, false, {0, 15}},
        {TABLE_OF(6), {.batch = 15, .length = 1}, ALIGNED(1), 2, {0}, false, {8, 15}},
        {TABLE_OF(32),
         {.batch = 8, .length = 1},
         {.alignment = 128, .out_begin = 64},
         2,
         {0},
         false,
         {8, 8}},
        {TABLE_OF(48),
         {.batch = 8, .length = 1},
         {.alignment = 128, .out_begin = 64},
         2,
         {2, 3},
         false,
         {3, 8}},
        {TABLE_OF(32),
         {.batch = 8, .length = 1, .out_batch_stride = 192},
         ALIGNED(128),
         2,
         {0},
         false,
         {4, 8}},
        {TABLE_OF(32),
         {.batch = 8, .length = 1, .out_batch_stride = 192},
         ALIGNED(128),
         2,
         {3, 5},
         false,
         {3, 8}}, /* 576 = 4 * 128 + 64, and 64 bytes before it are a gap */
        {TABLE_OF(6), {.batch = 1, .length = 100}, ALIGNED(128), 3, {0}, true, {32, 64, 100}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        check_cut(&cuts[i]);
}

static void test_every_output_begins_so(void **state)
{
    struct cut cut = {TABLE_OF(32), {.batch = 200, .length = 3}, ALIGNED(128), 2, {0}, false,
                      {100, 200}};

    (void)state;
    check_cut(&cut);
    cut.rule.wanted[POSEMB__LENGTHS_OUT] = true;
    cut.ends[0] = 96; /* of 4 bytes each: multiples of 32 */
    check_cut(&cut);
    cut.rule.wanted[POSEMB__MASK_OUT] = true;
    cut.ends[0] = 128; /* of 3 bytes: multiples of 128 */
    check_cut(&cut);
    cut.rule.output_begin[POSEMB__MASK_OUT] = 3 * 3;
    cut.ends[0] = 200; /* 9 + 3 b and 4 b are never multiples at once */
    check_cut(&cut);
    cut.rule.wanted[POSEMB__LENGTHS_OUT] = false;
    cut.ends[0] = 125;
    check_cut(&cut);
}

/* The first part takes all, or the last. */
static void test_what_cannot_be_divided_is_one_shares(void **state)
{
    struct cut cut = {{.dim = 32, .padding = POSEMB_PADDING_TOKEN},
                      {.batch = 1, .length = 64, .vocab = 3},
                      ALIGNED(128),
                      2,
                      {0},
                      true,
                      {32, 64}};

    (void)state;
    check_cut(&cut);
    cut.ends[0] = 64;
    cut.desc.positions = POSEMB_POSITIONS_COUNT;
    check_cut(&cut);
    cut.desc.positions = POSEMB_POSITIONS_INDEX;
    cut.rule.wanted[POSEMB__LENGTHS_OUT] = true;
    check_cut(&cut);
    cut.rule.wanted[POSEMB__LENGTHS_OUT] = false;
    cut.desc.padding = POSEMB_PADDING_LEFT_COUNT;
    check_cut(&cut);
    cut.weights[0] = 1;
    cut.weights[1] = 2;
    cut.ends[0] = 0;
    cut.desc.padding = POSEMB_PADDING_NONE;
    cut.desc.grid = (posemb_grid){.axes = 2, .count = {8, 8}};
    check_cut(&cut);
    cut.desc.grid.axes = 0;
    memset(&cut.desc.grid, 0, sizeof cut.desc.grid);
    cut.desc.positions = POSEMB_POSITIONS_ROW_START;
    cut.shape.start = POSEMB_POSITION_MAX - 62;
    check_cut(&cut);
    cut.shape.start = POSEMB_POSITION_MAX - 63;
    cut.ends[0] = 21;
    check_cut(&cut);
}

static void test_batch_rows_that_interleave_divide_by_columns(void **state)
{
    const struct cut cut = {
        TABLE_OF(32), {.batch = 3, .length = 10, .out_stride = 384, .out_batch_stride = 128},
        ALIGNED(128), 2,
        {0},          true,
        {5, 10}};

    (void)state;
    check_cut(&cut);
}

static void check_refused(const struct cut *cut, posemb_status status, const char *words)
{
    posemb_range ranges[SHARES];
    struct posemb__call call;
    posemb_error error = {.message = ""};

    memset(ranges, 0x5a, sizeof ranges);
    assert_int_equal(run_cut(cut, &call, ranges, &error), status);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    for (size_t i = 0; i < sizeof ranges; i++)
        assert_int_equal(((unsigned char *)ranges)[i], 0x5a);
}

static void test_what_can_never_be_divided_is_refused(void **state)
{
    struct cut cut = {{.dim = 32, .operation = POSEMB_TABLE, .positions = POSEMB_POSITIONS_RAGGED},
                      {.batch = 1, .length = 64, .sequences = 2},
                      ALIGNED(128),
                      2,
                      {0},
                      false,
                      {0}};

    (void)state;
    check_refused(&cut, POSEMB_UNSUPPORTED, "ragged positions");
    cut.count = 1;
    cut.ends[0] = 1;
    check_cut(&cut);
    cut.count = 2;
    cut.desc.positions = POSEMB_POSITIONS_COUNT;
    cut.desc.padding = POSEMB_PADDING_MASK;
    cut.shape =
        (posemb_shape){.batch = 3, .length = 10, .out_stride = 3 * 128, .out_batch_stride = 128};
    check_refused(&cut, POSEMB_UNSUPPORTED, "out_batch_stride is 128");
    check_refused(&cut, POSEMB_UNSUPPORTED, "counts the tokens");
    cut.desc.positions = POSEMB_POSITIONS_INDEX;
    cut.rule.wanted[POSEMB__MASK_OUT] = true;
    check_refused(&cut, POSEMB_UNSUPPORTED, "beside the output");
    cut.rule.wanted[POSEMB__LENGTHS_OUT] = true;
    check_refused(&cut, POSEMB_UNSUPPORTED, "lengths_out");
    cut.desc.padding = POSEMB_PADDING_LEFT_LENGTH;
    check_refused(&cut, POSEMB_UNSUPPORTED, "left padding");
}

static void test_bad_weights_are_refused(void **state)
{
    static const double bad[] = {-1.0, -5e-324, NAN, INFINITY, -INFINITY};
    struct cut cut = {TABLE_OF(32), {.batch = 4, .length = 1}, ALIGNED(128), 3, {1}, false, {0}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cut.weights[2] = bad[i];
        check_refused(&cut, POSEMB_INVALID_ARGUMENT, "shares[2].weight is ");
    }
}

/* ---- Parts, run by the reference */

static const void *input_at(const struct stage_call *call, const posemb_range *range, int input,
                            const void *place)
{
    posemb_desc resolved;

    if (!place)
        return NULL;
    assert_int_equal(posemb_desc_resolve(&call->desc, &resolved, NULL), POSEMB_OK);
    return (const char *)place +
           posemb__split_input_offset(&resolved, &call->resolved, range, (enum posemb__input)input);
}

static void move_inputs(const struct stage_call *call, const posemb_range *range,
                        posemb_host_args *args)
{
    args->ids = input_at(call, range, POSEMB__IDS, args->ids);
    args->rows = input_at(call, range, POSEMB__ROWS, args->rows);
    args->positions = input_at(call, range, POSEMB__POSITIONS, args->positions);
    args->padding = input_at(call, range, POSEMB__PADDING, args->padding);
    for (int k = 0; k < (int)POSEMB_EXTRAS_MAX; k++)
        args->extras[k].ids = input_at(call, range, POSEMB__EXTRA_IDS + k, args->extras[k].ids);
    for (int i = 0; i < POSEMB__INPUTS; i++) { /* nothing else moves */
        const bool moves = i == POSEMB__IDS || i == POSEMB__ROWS || i == POSEMB__POSITIONS ||
                           i == POSEMB__PADDING ||
                           (i >= POSEMB__EXTRA_IDS && i < POSEMB__EXTRA_TABLE);

        if (!moves)
            assert_ptr_equal(input_at(call, range, i, call), call);
    }
}

static void run_part(struct stage_call *call, const posemb_range *range, posemb_record *whole)
{
    posemb_record record = POSEMB_RECORD_CLEAR;
    unsigned char *results[STAGE_RESULTS];
    posemb_host_args args;
    posemb_error error;

    for (int i = 0; i < STAGE_RESULTS; i++) {
        results[i] = call->found[i];
        if (call->size[i])
            results[i] += i == STAGE_OUT ? posemb__split_out_offset(&call->resolved, range)
                                         : posemb__split_output_offset(&call->resolved, range,
                                                                       (enum posemb__output)i);
    }
    args = stage_call_host_args(call, results, &record);
    if (call->in_place) /* moved with the output */
        args.rows = call->found[STAGE_OUT];
    args.shape = posemb__split_shape(&call->desc, &call->resolved, range);
    move_inputs(call, range, &args);
    if (posemb_reference_run(&call->desc, &args, &error) != POSEMB_OK) {
        split_case_print(call, "part");
        fail_msg("posemb_reference_run: %s", error.message);
    }
    posemb__split_add_record(&call->resolved, range, &record, whole);
}

/* Bytes a part writes of a result, from its first to its last. */
static uint64_t end_of(const struct stage_call *call, const posemb_range *range, int result)
{
    const posemb_shape shape = posemb__split_shape(&call->desc, &call->resolved, range);
    struct posemb__call part;

    assert_int_equal(posemb__call_resolve(&call->desc, &shape, &part, NULL), POSEMB_OK);
    if (result == STAGE_OUT)
        return posemb__split_out_offset(&call->resolved, range) + part.out.bytes;
    return posemb__split_output_offset(&call->resolved, range, (enum posemb__output)result) +
           part.output[result].bytes;
}

/* Each part begins, rounded down, behind the end of the one before. */
static void check_apart(const struct stage_call *call, const struct posemb__split_rule *rule,
                        const posemb_range *before, const posemb_range *range)
{
    for (int i = 0; i < STAGE_RESULTS; i++) {
        const uint64_t base = i == STAGE_OUT ? rule->out_begin : rule->output_begin[i];
        uint64_t begin;

        if (!call->size[i])
            continue;
        begin = base + (i == STAGE_OUT ? posemb__split_out_offset(&call->resolved, range)
                                       : posemb__split_output_offset(&call->resolved, range,
                                                                     (enum posemb__output)i));
        assert_true(begin - begin % rule->alignment >= base + end_of(call, before, i));
    }
}

static size_t run_parts(struct support_random *random, struct stage_call *call)
{
    static const uint64_t alignments[] = {1, 4, 64, 128, 512};
    struct posemb__split_rule rule = {.alignment = alignments[support_random_int(random, 0, 4)]};
    const uint32_t count = (uint32_t)support_random_int(random, 1, SHARES);
    posemb_record whole = POSEMB_RECORD_CLEAR;
    const posemb_range *before = NULL;
    posemb_range ranges[SHARES];
    double weights[SHARES];
    posemb_error error;
    uint64_t tokens = 0;
    size_t parts = 0;

    for (uint32_t k = 0; k < count; k++)
        weights[k] = (double)support_random_int(random, 0, 4);
    rule.out_begin = 64 * (uint64_t)support_random_int(random, 0, 3);
    for (int i = 0; i < POSEMB__OUTPUTS; i++)
        rule.wanted[i] = call->size[i] > 0;
    if (posemb__split_cut(&call->desc, &call->resolved, &rule, weights, count, ranges, &error) !=
        POSEMB_OK) {
        split_case_print(call, "cut");
        fail_msg("posemb__split_cut: %s", error.message);
    }
    for (uint32_t k = 0; k < count; k++) {
        if (ranges[k].rows == 0)
            continue;
        if (before)
            check_apart(call, &rule, before, &ranges[k]);
        run_part(call, &ranges[k], &whole);
        before = &ranges[k];
        tokens += ranges[k].rows * ranges[k].columns;
        parts++;
    }
    assert_int_equal(tokens, call->resolved.tokens);
    assert_memory_equal(&whole, &call->expected_record, sizeof whole);
    return parts;
}

static bool run_case(struct support_random *random, bool interleaved)
{
    const posemb_desc desc = split_case_desc(random);
    struct stage_call call;
    size_t parts;

    if (interleaved && !split_case_has_columns(&desc))
        return false;
    if (interleaved)
        split_case_make_interleaved(random, &desc, 5, 9, &call);
    else
        split_case_make(random, &desc, support_random_int(random, 0, 3) ? 40 : 1, 9, &call);
    stage_call_run_reference(&call);
    parts = run_parts(random, &call);
    for (int i = 0; i < STAGE_RESULTS; i++)
        stage_call_compare(&call, i, split_case_print, &call);
    stage_call_free(&call);
    return parts > 1;
}

static void test_parts_make_the_whole(void **state)
{
    struct support_random random = support_random_from(11);
    size_t divided = 0;

    (void)state;
    for (int i = 0; i < 3000; i++)
        divided += run_case(&random, false);
    assert_true(divided > 800);
}

static void test_columns_make_the_whole(void **state)
{
    struct support_random random = support_random_from(12);
    size_t divided = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        divided += run_case(&random, true);
    assert_true(divided > 150);
}

/* ---- Records */

static void test_records_saturate(void **state)
{
    const struct posemb__call call = {.shape = {.batch = 4, .length = 10}};
    const posemb_range range = {2, 2, 0, 10};
    const posemb_record part = {UINT32_MAX - 1, 3, 0, POSEMB_NO_TOKEN, {{1, 19}, {0, 0}}};
    posemb_record whole = {3, 30, 7, 5, {{2, 9}, {0, 0}}};

    (void)state;
    posemb__split_add_record(&call, &range, &part, &whole);
    assert_int_equal(whole.id_count, UINT32_MAX);
    assert_int_equal(whole.id_first, 23);
    assert_int_equal(whole.position_count, 7);
    assert_int_equal(whole.position_first, 5);
    assert_int_equal(whole.extras[0].count, 3);
    assert_int_equal(whole.extras[0].first, 9);
}

static void test_tokens_of_columns_are_named(void **state)
{
    const struct posemb__call call = {.shape = {.batch = 3, .length = 10}};
    const posemb_range range = {0, 3, 6, 4};

    (void)state;
    assert_int_equal(posemb__split_token(&call, &range, 0), 6);
    assert_int_equal(posemb__split_token(&call, &range, 5), 17);
    assert_int_equal(posemb__split_token(&call, &range, 11), 29);
    assert_int_equal(posemb__split_token(&call, &range, POSEMB_NO_TOKEN), POSEMB_NO_TOKEN);
    assert_int_equal(posemb__split_token(&call, &range, POSEMB_NO_TOKEN - 1), POSEMB_NO_TOKEN);
}

/* ---- Descriptions */

static void check_differs(const posemb_desc *a, const posemb_desc *b, const char *name)
{
    const char *found = "";

    assert_true(posemb__desc_equal(a, a, &found));
    assert_false(posemb__desc_equal(a, b, &found));
    assert_string_equal(found, name);
}

static void test_descriptions_are_compared_by_field(void **state)
{
    static const double one[] = {1.0}, two[] = {1.0}, three[] = {3.0};
    const posemb_desc desc = {.dim = 2, .frequencies = one, .frequency_count = 1};
    const char *found;
    posemb_desc other = desc;

    (void)state;
    other.frequencies = two;
    other.concurrency = 3;
    other.consumer = POSEMB_CONSUMER_STREAMED;
    assert_true(posemb__desc_equal(&desc, &other, &found));
    other.frequencies = three;
    check_differs(&desc, &other, "frequencies");
    other = desc;
    other.phases = one;
    check_differs(&desc, &other, "phases");
#define CHECK(field, value)                                                                        \
    do {                                                                                           \
        other = desc;                                                                              \
        other.field = value;                                                                       \
        check_differs(&desc, &other, #field);                                                      \
    } while (0)
    CHECK(dim, 3);
    CHECK(operation, POSEMB_ADD);
    CHECK(base, 5.0);
    CHECK(pad_id, 5);
    CHECK(norm, POSEMB_NORM_RMS);
    CHECK(epsilon, 0.5f);
    CHECK(table_parts, 2);
    CHECK(out_storage, POSEMB_F16);
    CHECK(positions, POSEMB_POSITIONS_COUNT);
    CHECK(token_scale, 2.0f);
    other = desc;
    other.grid.count[1] = 4;
    check_differs(&desc, &other, "grid");
    other = desc;
    other.tokens.policy = POSEMB_POLICY_NAN_ROW;
    check_differs(&desc, &other, "tokens");
    other = desc;
    other.extras[3].scale = 2.0f;
    check_differs(&desc, &other, "extras");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_follow_the_weights),
        cmocka_unit_test(test_parts_begin_where_sub_buffers_can),
        cmocka_unit_test(test_every_output_begins_so),
        cmocka_unit_test(test_what_cannot_be_divided_is_one_shares),
        cmocka_unit_test(test_batch_rows_that_interleave_divide_by_columns),
        cmocka_unit_test(test_what_can_never_be_divided_is_refused),
        cmocka_unit_test(test_bad_weights_are_refused),
        cmocka_unit_test(test_parts_make_the_whole),
        cmocka_unit_test(test_columns_make_the_whole),
        cmocka_unit_test(test_records_saturate),
        cmocka_unit_test(test_tokens_of_columns_are_named),
        cmocka_unit_test(test_descriptions_are_compared_by_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
