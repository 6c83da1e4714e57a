/* The CPU reference: layouts, exact values, position rules, strides, bad tokens, failures. */
#include "reference.h"
#include "support/record.h"

#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define CLOSE 1e-6

static void run(const posemb_desc *desc, const posemb_host_args *args)
{
    posemb_error error;

    if (posemb_reference_run(desc, args, &error) != POSEMB_OK)
        fail_msg("posemb_reference_run: %s", error.message);
}

static void assert_close(float found, double expected)
{
    if (!(fabs((double)found - expected) <= CLOSE))
        fail_msg("%.9g is not near %.9g", (double)found, expected);
}

static void assert_same_bits(float found, float expected)
{
    if (posemb_compare_bits(&found, &expected, 1, NULL) != 0)
        fail_msg("%a is not %a", (double)found, (double)expected);
}

/* Where a position shows: dim 1 of the Vaswani convention is sin(position). */
static void assert_positions(const float *sines, const double *positions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_close(sines[i], sin(positions[i]));
}

/* ---- Values */

struct channel {
    char what; /* 's', 'c' or '0' */
    double exponent;
};

struct layout {
    posemb_convention convention;
    uint32_t dim;
    struct channel channels[5];
};

static const struct layout layouts[] = {
    {POSEMB_VASWANI, 1, {{'s', 0}}},
    {POSEMB_VASWANI, 2, {{'s', 0}, {'c', 0}}},
    {POSEMB_VASWANI, 3, {{'s', 0}, {'c', 0}, {'s', 2.0 / 3}}},
    {POSEMB_VASWANI, 5, {{'s', 0}, {'c', 0}, {'s', 2.0 / 5}, {'c', 2.0 / 5}, {'s', 4.0 / 5}}},
    {POSEMB_T2T, 1, {{'0', 0}}},
    {POSEMB_T2T, 2, {{'s', 0}, {'c', 0}}},
    {POSEMB_T2T, 3, {{'s', 0}, {'c', 0}, {'0', 0}}},
    {POSEMB_T2T, 5, {{'s', 0}, {'s', 1}, {'c', 0}, {'c', 1}, {'0', 0}}},
    {POSEMB_MARIAN_HF, 1, {{'s', 0}}},
    {POSEMB_MARIAN_HF, 2, {{'s', 0}, {'c', 0}}},
    {POSEMB_MARIAN_HF, 3, {{'s', 0}, {'s', 2.0 / 3}, {'c', 0}}},
    {POSEMB_MARIAN_HF, 5, {{'s', 0}, {'s', 2.0 / 5}, {'s', 4.0 / 5}, {'c', 0}, {'c', 2.0 / 5}}},
};

static double expected_value(const struct channel *channel, double position, double base)
{
    const double angle = position * pow(base, -channel->exponent);

    return channel->what == '0' ? 0 : (channel->what == 's' ? sin(angle) : cos(angle));
}

static void check_layouts(double base, int64_t start)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        const uint32_t dim = layouts[i].dim;
        const posemb_desc desc = {.dim = dim,
                                  .operation = POSEMB_TABLE,
                                  .convention = layouts[i].convention,
                                  .base = base};
        float out[7 * 5];
        const posemb_host_args args = {.shape = {.batch = 1, .length = 7, .start = start},
                                       .out = out};

        run(&desc, &args);
        for (uint32_t k = 0; k < 7 * dim; k++)
            assert_close(out[k], expected_value(&layouts[i].channels[k % dim],
                                                (double)(start + k / dim), base));
    }
}

static void test_layout_of_every_convention(void **state)
{
    (void)state;
    check_layouts(10000.0, 0);
    check_layouts(10000.0, -3);
    check_layouts(10000.0, 12345);
}

static void test_layout_with_other_bases(void **state)
{
    (void)state;
    check_layouts(500000.0, 2);
    check_layouts(0.25, 2);
    check_layouts(1.0, 2);
}

static void test_frequencies_of_an_even_row(void **state)
{
    const posemb_desc desc = {.dim = 8, .operation = POSEMB_TABLE, .convention = POSEMB_T2T};
    float out[8];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 1, .start = 100}, .out = out};

    (void)state;
    run(&desc, &args);
    for (int i = 0; i < 4; i++) {
        assert_close(out[i], sin(100 * pow(10000.0, -i / 3.0)));
        assert_close(out[4 + i], cos(100 * pow(10000.0, -i / 3.0)));
    }
}

static void test_position_zero_is_exact(void **state)
{
    const posemb_desc desc = {.dim = 6, .operation = POSEMB_TABLE};
    float out[6];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 1}, .out = out};

    (void)state;
    run(&desc, &args);
    for (int i = 0; i < 3; i++) {
        assert_same_bits(out[2 * i], 0.0f);
        assert_same_bits(out[2 * i + 1], 1.0f);
    }
}

static void test_quarter_turns_are_exact(void **state)
{
    static const struct {
        uint32_t phase;
        float sine, cosine;
    } rows[] = {
        {0, 0.0f, 1.0f},
        {1u << 30, 1.0f, -0.0f},
        {1u << 31, -0.0f, -1.0f},
        {3u << 30, -1.0f, 0.0f},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float sine, cosine;

        posemb__sincos(rows[i].phase, &sine, &cosine);
        assert_same_bits(sine, rows[i].sine);
        assert_same_bits(cosine, rows[i].cosine);
    }
}

static void test_phases_between_quarter_turns(void **state)
{
    static const uint32_t phases[] = {1,           0x1fffffffu, 0x20000000u, 0x20000001u,
                                      0x3fffffffu, 0x40000001u, 0x60000000u, 0x7fffffffu,
                                      0x80000001u, 0xa0000000u, 0xbfffffffu, 0xe0000000u,
                                      0xffffffffu, 0x12345678u, 0xdeadbeefu};

    (void)state;
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        const double angle = 6.283185307179586 * 0x1p-32 * (double)phases[i];
        float sine, cosine;

        posemb__sincos(phases[i], &sine, &cosine);
        assert_close(sine, sin(angle));
        assert_close(cosine, cos(angle));
    }
}

static void test_phase_of_a_position(void **state)
{
    (void)state;
    assert_int_equal(posemb__phase(0, UINT64_MAX, 0), 0);
    assert_int_equal(posemb__phase(1, UINT64_C(0x123456789abcdef0), 0), 0x12345678);
    assert_int_equal(posemb__phase(2, UINT64_C(1) << 31, 0), 1);
    assert_int_equal(posemb__phase(-1, UINT64_C(1) << 32, 0), 0xffffffffu);
    assert_int_equal(posemb__phase(-1, 1, 0), 0xffffffffu);
    assert_int_equal(posemb__phase(POSEMB_POSITION_MAX, UINT64_C(1) << 32, 0), 0xffffffffu);
}

/* ---- Operations */

static void test_encode_scales_the_row_and_adds(void **state)
{
    const posemb_desc desc = {.dim = 2, .token_scale = 3.0f};
    const float table[] = {1, 2, 0.5f, -4, 7, 8};
    const int32_t ids[] = {2, 0, 1};
    const float pe[] = {0, 1, (float)sin(1), (float)cos(1), (float)sin(2), (float)cos(2)};
    float out[6];
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 3, .vocab = 3}, .ids = ids, .table = table, .out = out};

    (void)state;
    run(&desc, &args);
    for (int k = 0; k < 6; k++)
        assert_close(out[k], 3.0 * (double)table[2 * ids[k / 2] + k % 2] + (double)pe[k]);
}

static void test_scale_and_sum_round_each(void **state)
{
    const posemb_desc desc = {.dim = 2, .operation = POSEMB_ADD, .token_scale = 0x1.000002p0f};
    const float rows[] = {0, -0x1.fffffep-1f};
    float out[2];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 1}, .rows = rows, .out = out};

    (void)state;
    run(&desc, &args);
    /* (1 + 2^-23)(1 - 2^-24) = 1 + 2^-24 - 2^-47, rounded to 1; a fused sum is not 0. */
    assert_same_bits(out[1], 0.0f);
}

static void test_add_in_place(void **state)
{
    const posemb_desc desc = {.dim = 3, .operation = POSEMB_ADD, .token_scale = -0.5f};
    const float rows[] = {1, -2, 3, 0x1p100f, -0.0f, 0.25f};
    float apart[6], in_place[6];
    posemb_host_args args = {.shape = {.batch = 2, .length = 1}, .rows = rows, .out = apart};

    (void)state;
    run(&desc, &args);
    memcpy(in_place, rows, sizeof in_place);
    args.rows = in_place;
    args.out = in_place;
    run(&desc, &args);
    assert_int_equal(posemb_compare_bits(apart, in_place, 6, NULL), 0);
    assert_close(apart[1], 1.0 + 1.0);
}

static void test_a_constant_zero_is_added(void **state)
{
    const posemb_desc desc = {.dim = 3, .operation = POSEMB_ADD, .convention = POSEMB_T2T};
    const float rows[] = {1, 2, -0.0f, 1, 2, 0x1p-149f};
    float out[6];
    const posemb_host_args args = {.shape = {.batch = 2, .length = 1}, .rows = rows, .out = out};

    (void)state;
    run(&desc, &args);
    assert_same_bits(out[2], 0.0f);
    assert_same_bits(out[5], 0x1p-149f);
}

static void test_infinities_and_nans_pass_through(void **state)
{
    const posemb_desc desc = {.dim = 2, .operation = POSEMB_ADD, .token_scale = -2.0f};
    const float rows[] = {INFINITY, -INFINITY, NAN, 0x1.fffffep127f};
    float out[4];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 2}, .rows = rows, .out = out};

    (void)state;
    run(&desc, &args);
    assert_same_bits(out[0], -INFINITY);
    assert_same_bits(out[1], INFINITY);
    assert_true(isnan(out[2]));
    assert_same_bits(out[3], -INFINITY);
}

/* ---- Positions */

static void test_row_start_positions(void **state)
{
    const posemb_desc desc = {
        .dim = 1, .operation = POSEMB_TABLE, .positions = POSEMB_POSITIONS_ROW_START};
    const int32_t positions[] = {7, -4};
    const double expected[] = {107, 108, 109, 96, 97, 98};
    float out[6];
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 3, .start = 100}, .positions = positions, .out = out};

    (void)state;
    run(&desc, &args);
    assert_positions(out, expected, 6);
}

static void test_explicit_positions(void **state)
{
    const posemb_desc desc = {.dim = 1,
                              .operation = POSEMB_TABLE,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_INT64};
    const int64_t positions[] = {5, 1, 99, -3, 4294967290, 99};
    const double expected[] = {10, 6, 2, 4294967295.0};
    float out[4];
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 2, .start = 5, .positions_batch_stride = 24},
        .positions = positions,
        .out = out};

    (void)state;
    run(&desc, &args);
    assert_positions(out, expected, 4);
}

static void test_explicit_shared_positions(void **state)
{
    const posemb_desc desc = {
        .dim = 1, .operation = POSEMB_TABLE, .positions = POSEMB_POSITIONS_EXPLICIT_SHARED};
    const int32_t positions[] = {0, 40, 2};
    const double expected[] = {-10, 30, -8, -10, 30, -8};
    float out[6];
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 3, .start = -10}, .positions = positions, .out = out};

    (void)state;
    run(&desc, &args);
    assert_positions(out, expected, 6);
}

static void test_ends_of_the_position_range(void **state)
{
    const posemb_desc desc = {.dim = 1,
                              .operation = POSEMB_TABLE,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_INT64};
    const int64_t positions[] = {POSEMB_POSITION_MIN, POSEMB_POSITION_MAX};
    const double expected[] = {-2147483648.0, 4294967295.0};
    float out[2];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 2}, .positions = positions, .out = out, .record = &record};

    (void)state;
    run(&desc, &args);
    assert_positions(out, expected, 2);
    assert_int_equal(record.position_count, 0);
}

/* ---- Bad tokens */

static void test_bad_ids_are_zero_rows(void **state)
{
    const posemb_desc desc = {.dim = 2, .id_type = POSEMB_INT64};
    const float table[] = {1, 2, 3, 4};
    const int64_t ids[] = {0, 2, -1, 1, INT64_MIN, INT64_MAX};
    const posemb_record found = RECORD_OF(4, 1, 0, POSEMB_NO_TOKEN);
    float out[12];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {.shape = {.batch = 2, .length = 3, .vocab = 2},
                                   .ids = ids,
                                   .table = table,
                                   .out = out,
                                   .record = &record};

    (void)state;
    run(&desc, &args);
    assert_memory_equal(&record, &found, sizeof record);
    for (int t = 0; t < 6; t++) {
        const bool good = t == 0 || t == 3;

        assert_true(good == (out[2 * t + 1] != 0));
        if (!good)
            assert_same_bits(out[2 * t], 0.0f);
    }
}

static void test_bad_positions_are_zero_rows(void **state)
{
    const posemb_desc desc = {.dim = 2,
                              .operation = POSEMB_TABLE,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_INT64};
    const int64_t positions[] = {4294967295, 4294967294,  INT64_MIN,
                                 INT64_MAX,  -2147483649, -2147483650};
    const bool good[] = {false, true, false, false, true, false};
    const posemb_record found = RECORD_OF(0, POSEMB_NO_TOKEN, 4, 0);
    float out[12];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {.shape = {.batch = 1, .length = 6, .start = 1},
                                   .positions = positions,
                                   .out = out,
                                   .record = &record};

    (void)state;
    run(&desc, &args);
    assert_memory_equal(&record, &found, sizeof record);
    for (int t = 0; t < 6; t++)
        assert_true(good[t] == (out[2 * t + 1] != 0));
}

static void test_row_starts_leave_the_range_on_the_way(void **state)
{
    const posemb_desc desc = {.dim = 2,
                              .operation = POSEMB_TABLE,
                              .positions = POSEMB_POSITIONS_ROW_START,
                              .position_type = POSEMB_INT64};
    const int64_t positions[] = {4294967294, -2147483650};
    const posemb_record found = RECORD_OF(0, POSEMB_NO_TOKEN, 3, 2);
    float out[12];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 3}, .positions = positions, .out = out, .record = &record};

    (void)state;
    run(&desc, &args);
    assert_memory_equal(&record, &found, sizeof record);
}

static void test_a_token_counts_under_each_bad_input(void **state)
{
    const posemb_desc desc = {
        .dim = 2, .positions = POSEMB_POSITIONS_EXPLICIT, .position_type = POSEMB_INT64};
    const float table[] = {1, 2};
    const int32_t ids[] = {0, 1, 0};
    const int64_t positions[] = {0, INT64_MAX, INT64_MAX};
    const posemb_record found = RECORD_OF(1, 1, 2, 1);
    float out[6];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {.shape = {.batch = 1, .length = 3, .vocab = 1},
                                   .ids = ids,
                                   .table = table,
                                   .positions = positions,
                                   .out = out,
                                   .record = &record};

    (void)state;
    run(&desc, &args);
    assert_memory_equal(&record, &found, sizeof record);
}

/* Three bad ids on top of a count. */
static uint32_t count_on_top_of(uint32_t count)
{
    const posemb_desc desc = {.dim = 1};
    const float table[] = {1};
    const int32_t ids[] = {1, 1, 1};
    float out[3];
    posemb_record record = RECORD_OF(count, 1, count, 0);
    const posemb_host_args args = {.shape = {.batch = 1, .length = 3, .vocab = 1},
                                   .ids = ids,
                                   .table = table,
                                   .out = out,
                                   .record = &record};

    run(&desc, &args);
    assert_int_equal(record.id_first, 0);
    assert_int_equal(record.position_count, count);
    assert_int_equal(record.position_first, 0);
    return record.id_count;
}

static void test_counts_add_up_and_saturate(void **state)
{
    (void)state;
    assert_int_equal(count_on_top_of(5), 8);
    assert_int_equal(count_on_top_of(0xfffffffcu), 0xffffffffu);
    assert_int_equal(count_on_top_of(0xfffffffeu), 0xffffffffu);
    assert_int_equal(count_on_top_of(0xffffffffu), 0xffffffffu);
}

static void test_the_first_token_of_a_record_only_falls(void **state)
{
    const posemb_desc desc = {.dim = 1};
    const float table[] = {1};
    const int32_t ids[] = {0, 0, -1};
    float out[3];
    posemb_record record = RECORD_OF(1, 1, 0, POSEMB_NO_TOKEN);
    const posemb_host_args args = {.shape = {.batch = 1, .length = 3, .vocab = 1},
                                   .ids = ids,
                                   .table = table,
                                   .out = out,
                                   .record = &record};

    (void)state;
    run(&desc, &args);
    assert_int_equal(record.id_count, 2);
    assert_int_equal(record.id_first, 1);
}

/* ---- Strides */

static void test_gaps_between_rows_stay(void **state)
{
    const posemb_desc desc = {.dim = 2, .operation = POSEMB_TABLE};
    float out[16];
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 2, .out_stride = 12, .out_batch_stride = 32}, .out = out};

    (void)state;
    for (int i = 0; i < 16; i++)
        out[i] = 99;
    run(&desc, &args);
    for (int i = 0; i < 16; i++) {
        const int column = (i % 8) / 3;
        const bool gap = i % 8 >= 5 || (i % 8) % 3 == 2;

        assert_close(out[i], gap ? 99 : ((i % 8) % 3 ? cos(column) : sin(column)));
    }
}

static void test_sequence_first(void **state)
{
    const posemb_desc desc = {.dim = 2, .operation = POSEMB_TABLE};
    float out[3 * 2 * 2];
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 3, .out_stride = 2 * 8, .out_batch_stride = 8}, .out = out};

    (void)state;
    run(&desc, &args);
    for (int i = 0; i < 12; i++)
        assert_close(out[i], i % 2 ? cos(i / 4) : sin(i / 4));
}

static void test_strides_of_inputs(void **state)
{
    const posemb_desc desc = {.dim = 2};
    const float table[] = {10, 20, 99, 30, 40, 99, 50, 60};
    const int32_t ids[] = {2, 99, 0, 99};
    float out[4];
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 1, .vocab = 3, .ids_batch_stride = 8, .table_stride = 12},
        .ids = ids,
        .table = table,
        .out = out};

    (void)state;
    run(&desc, &args);
    assert_close(out[0], 50);
    assert_close(out[1], 61);
    assert_close(out[2], 10);
    assert_close(out[3], 21);
}

static void test_strides_of_rows(void **state)
{
    const posemb_desc desc = {.dim = 1, .operation = POSEMB_ADD};
    const float rows[] = {1, 99, 2, 99, 3, 99, 4};
    float out[4];
    /* Rows may be strided in any order: here sequence first. */
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 2, .rows_stride = 16, .rows_batch_stride = 8},
        .rows = rows,
        .out = out};

    (void)state;
    run(&desc, &args);
    assert_close(out[0], 1);
    assert_close(out[1], 3 + sin(1));
    assert_close(out[2], 2);
    assert_close(out[3], 4 + sin(1));
}

static void test_memory_needs_no_alignment(void **state)
{
    const posemb_desc desc = {.dim = 1, .operation = POSEMB_ADD};
    const float row = 2.5f;
    char rows[1 + sizeof row], out[1 + sizeof row];
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 1}, .rows = rows + 1, .out = out + 1};
    float value;

    (void)state;
    memcpy(rows + 1, &row, sizeof row);
    run(&desc, &args);
    memcpy(&value, out + 1, sizeof value);
    assert_same_bits(value, row);
}

/* ---- Failures */

static void assert_fails(const posemb_desc *desc, const posemb_host_args *args,
                         posemb_status status, const char *words)
{
    const float *out = args->out;
    posemb_error error = {.message = ""};

    assert_int_equal(posemb_reference_run(desc, args, &error), status);
    assert_int_equal(error.status, status);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    if (out)
        assert_same_bits(out[0], 99);
}

static void test_missing_memory_is_named(void **state)
{
    const posemb_desc encode = {.dim = 1, .positions = POSEMB_POSITIONS_EXPLICIT};
    const posemb_desc add = {.dim = 1, .operation = POSEMB_ADD};
    const int32_t ints[] = {0};
    const float floats[] = {1};
    float out[] = {99};
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args full = {.shape = {.batch = 1, .length = 1, .vocab = 1},
                                   .ids = ints,
                                   .table = floats,
                                   .rows = floats,
                                   .positions = ints,
                                   .out = out,
                                   .record = &record};
    posemb_host_args args = full;

    (void)state;
    args.ids = NULL;
    assert_fails(&encode, &args, POSEMB_INVALID_ARGUMENT, "ids is NULL");
    args = full;
    args.table = NULL;
    assert_fails(&encode, &args, POSEMB_INVALID_ARGUMENT, "table is NULL");
    args = full;
    args.positions = NULL;
    assert_fails(&encode, &args, POSEMB_INVALID_ARGUMENT, "positions is NULL");
    args = full;
    args.rows = NULL;
    assert_fails(&add, &args, POSEMB_INVALID_ARGUMENT, "rows is NULL");
    args = full;
    args.out = NULL;
    assert_fails(&add, &args, POSEMB_INVALID_ARGUMENT, "out is NULL");
    assert_int_equal(record.id_count, 0);
}

static void test_bad_descriptions_and_shapes_fail(void **state)
{
    const posemb_desc good = {.dim = 1, .operation = POSEMB_TABLE};
    const posemb_desc bad = {.dim = 0, .operation = POSEMB_TABLE};
    float out[] = {99};
    posemb_host_args args = {.shape = {.batch = 1, .length = 1}, .out = out};

    (void)state;
    assert_fails(&bad, &args, POSEMB_INVALID_ARGUMENT, "dim is 0");
    assert_fails(NULL, &args, POSEMB_INVALID_ARGUMENT, "desc is NULL");
    args.shape.out_stride = 2;
    assert_fails(&good, &args, POSEMB_INVALID_ARGUMENT, "out_stride is 2");
    args.shape = (posemb_shape){.batch = 1, .length = 3, .out_stride = UINT64_C(1) << 63};
    assert_fails(&good, &args, POSEMB_SIZE_OVERFLOW, "out");
    args.shape = (posemb_shape){.batch = 65536, .length = 65536};
    assert_fails(&good, &args, POSEMB_INVALID_ARGUMENT, "batch 65536");
    assert_int_equal(posemb_reference_run(&good, NULL, NULL), POSEMB_INVALID_ARGUMENT);
}

static void test_no_tokens_touch_nothing(void **state)
{
    const posemb_desc desc = {.dim = 4};
    const posemb_host_args no_batch = {.shape = {.batch = 0, .length = 3}};
    const posemb_host_args no_length = {.shape = {.batch = 3, .length = 0}};

    (void)state;
    assert_int_equal(posemb_reference_run(&desc, &no_batch, NULL), POSEMB_OK);
    assert_int_equal(posemb_reference_run(&desc, &no_length, NULL), POSEMB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_of_every_convention),
        cmocka_unit_test(test_layout_with_other_bases),
        cmocka_unit_test(test_frequencies_of_an_even_row),
        cmocka_unit_test(test_position_zero_is_exact),
        cmocka_unit_test(test_quarter_turns_are_exact),
        cmocka_unit_test(test_phases_between_quarter_turns),
        cmocka_unit_test(test_phase_of_a_position),
        cmocka_unit_test(test_encode_scales_the_row_and_adds),
        cmocka_unit_test(test_scale_and_sum_round_each),
        cmocka_unit_test(test_add_in_place),
        cmocka_unit_test(test_a_constant_zero_is_added),
        cmocka_unit_test(test_infinities_and_nans_pass_through),
        cmocka_unit_test(test_row_start_positions),
        cmocka_unit_test(test_explicit_positions),
        cmocka_unit_test(test_explicit_shared_positions),
        cmocka_unit_test(test_ends_of_the_position_range),
        cmocka_unit_test(test_bad_ids_are_zero_rows),
        cmocka_unit_test(test_bad_positions_are_zero_rows),
        cmocka_unit_test(test_row_starts_leave_the_range_on_the_way),
        cmocka_unit_test(test_a_token_counts_under_each_bad_input),
        cmocka_unit_test(test_counts_add_up_and_saturate),
        cmocka_unit_test(test_the_first_token_of_a_record_only_falls),
        cmocka_unit_test(test_gaps_between_rows_stay),
        cmocka_unit_test(test_sequence_first),
        cmocka_unit_test(test_strides_of_inputs),
        cmocka_unit_test(test_strides_of_rows),
        cmocka_unit_test(test_memory_needs_no_alignment),
        cmocka_unit_test(test_missing_memory_is_named),
        cmocka_unit_test(test_bad_descriptions_and_shapes_fail),
        cmocka_unit_test(test_no_tokens_touch_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
