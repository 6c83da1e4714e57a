/* Descriptions and shapes: defaults, every field out of its range, overflow of sizes. */
#include "params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

static void assert_says(const posemb_error *error, const char *words)
{
    if (!strstr(error->message, words))
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
}

static void test_version_is_of_the_header(void **state)
{
    (void)state;
    assert_string_equal(posemb_version(), POSEMB_VERSION_STRING);
}

/* ---- Descriptions */

static void test_zeros_are_defaults(void **state)
{
    const posemb_desc desc = {.dim = 6};
    posemb_desc resolved;

    (void)state;
    assert_int_equal(posemb_desc_resolve(&desc, &resolved, NULL), POSEMB_OK);
    assert_int_equal(resolved.dim, 6);
    assert_int_equal(resolved.operation, POSEMB_ENCODE);
    assert_int_equal(resolved.convention, POSEMB_VASWANI);
    assert_int_equal(resolved.positions, POSEMB_POSITIONS_INDEX);
    assert_int_equal(resolved.position_type, POSEMB_INT32);
    assert_int_equal(resolved.id_type, POSEMB_INT32);
    assert_int_equal(resolved.consumer, POSEMB_CONSUMER_FOLLOWS);
    assert_true(resolved.token_scale == 1.0f);
    assert_true(resolved.base == 10000.0);
    assert_int_equal(resolved.concurrency, 8);
    assert_int_equal(resolved.table_parts, 1);
}

static void test_what_is_set_stays(void **state)
{
    posemb_desc desc = {.dim = 65536,
                        .operation = POSEMB_TABLE,
                        .convention = POSEMB_MARIAN_HF,
                        .positions = POSEMB_POSITIONS_EXPLICIT_SHARED,
                        .position_type = POSEMB_INT64,
                        .id_type = POSEMB_INT64,
                        .consumer = POSEMB_CONSUMER_STREAMED,
                        .token_scale = -2.5f,
                        .base = POSEMB_BASE_MAX,
                        .concurrency = 64};

    (void)state;
    assert_int_equal(posemb_desc_resolve(&desc, &desc, NULL), POSEMB_OK);
    assert_int_equal(desc.dim, 65536);
    assert_int_equal(desc.operation, POSEMB_TABLE);
    assert_int_equal(desc.convention, POSEMB_MARIAN_HF);
    assert_int_equal(desc.positions, POSEMB_POSITIONS_EXPLICIT_SHARED);
    assert_int_equal(desc.position_type, POSEMB_INT64);
    assert_int_equal(desc.id_type, POSEMB_INT64);
    assert_int_equal(desc.consumer, POSEMB_CONSUMER_STREAMED);
    assert_true(desc.token_scale == -2.5f);
    assert_true(desc.base == POSEMB_BASE_MAX);
    assert_int_equal(desc.concurrency, 64);
}

static void test_a_field_out_of_range_is_named_with_its_value(void **state)
{
    static const double two[] = {1.0, 2.0}, negative[] = {1.0, -1.0}, huge[] = {1e10, 0.0};
    const struct {
        posemb_desc desc;
        const char *words;
    } rows[] = {
        {{.dim = 0}, "dim is 0"},
        {{.dim = 65537}, "dim is 65537"},
        {{.dim = 4, .operation = (posemb_operation)4}, "operation is 4"},
        {{.dim = 4, .convention = (posemb_convention)10}, "convention is 10"},
        {{.dim = 4, .positions = (posemb_position_rule)8}, "positions is 8"},
        {{.dim = 4, .position_type = (posemb_number_type)4}, "position_type is 4"},
        {{.dim = 4, .id_type = (posemb_number_type)3}, "id_type is 3"},
        {{.dim = 4, .consumer = (posemb_consumer)3}, "consumer is 3"},
        {{.dim = 4, .token_scale = INFINITY}, "token_scale is inf"},
        {{.dim = 4, .token_scale = -INFINITY}, "token_scale is -inf"},
        {{.dim = 4, .token_scale = NAN}, "token_scale is "},
        {{.dim = 4, .base = -1.0}, "base is -1"},
        {{.dim = 4, .base = 0x0.ffffp-32}, "base is 2.32"},
        {{.dim = 4, .base = 0x1.0001p32}, "base is 4.29"},
        {{.dim = 4, .base = INFINITY}, "base is inf"},
        {{.dim = 4, .base = NAN}, "base is "},
        {{.dim = 4, .concurrency = 65}, "concurrency is 65"},
        {{.dim = 4, .table_parts = 9}, "table_parts is 9, above 8"},
        {{.dim = 4, .table_parts = UINT32_MAX}, "table_parts is 4294967295, above 8"},
        {{.dim = 4, .table_parts = 2, .operation = POSEMB_ADD}, "table_parts is 2, but the"},
        {{.dim = 4, .table_parts = 2, .operation = POSEMB_TABLE}, "table_parts is 2, but the"},
        {{.dim = 4, .layout = (posemb_layout)3}, "layout is 3"},
        {{.dim = 4, .first = (posemb_first)3}, "first is 3"},
        {{.dim = 4, .denominator = (posemb_denominator)3}, "denominator is 3"},
        {{.dim = 4, .odd = (posemb_odd)5}, "odd is 5"},
        {{.dim = 4, .padding = (posemb_padding)6}, "padding is 6"},
        {{.dim = 4, .padding_type = (posemb_number_type)5}, "padding_type is 5"},
        {{.dim = 4, .pad_policy = (posemb_pad_policy)4}, "pad_policy is 4"},
        {{.dim = 5, .convention = POSEMB_MLX}, "dim is 5"},
        {{.dim = 5, .odd = POSEMB_ODD_REFUSED}, "dim is 5"},
        {{.dim = 5, .odd = POSEMB_ODD_SECOND}, "odd is 4"},
        {{.dim = 4, .shift = 0.5}, "shift is 0.5"},
        {{.dim = 4, .denominator = POSEMB_DENOMINATOR_REAL, .shift = 2.0}, "the denominator is 0"},
        {{.dim = 4, .denominator = POSEMB_DENOMINATOR_REAL, .shift = NAN}, "shift is "},
        {{.dim = 4, .amplitude = 1e-30f}, "amplitude is 1e-30"},
        {{.dim = 4, .amplitude = INFINITY}, "amplitude is inf"},
        {{.dim = 4, .amplitude = NAN}, "amplitude is "},
        {{.dim = 4, .frequency = -1.0}, "frequency is -1"},
        {{.dim = 4, .frequency = INFINITY}, "frequency is inf"},
        {{.dim = 4, .position_scale = -1.0}, "position_scale is -1"},
        {{.dim = 4, .position_scale = 0x1p64, .frequency = 0x1p10}, "2^71.3 turns per position"},
        {{.dim = 4,
          .positions = POSEMB_POSITIONS_EXPLICIT,
          .position_type = POSEMB_FLOAT32,
          .frequency = 0x1p36},
         "2^33.3 turns per position, above 2^32 of float positions"},
        {{.dim = 4, .frequency_count = 2}, "frequency_count is 2"},
        {{.dim = 4, .frequencies = two, .frequency_count = 1}, "frequency_count is 1"},
        {{.dim = 4, .frequencies = two, .frequency_count = 2, .base = 2.0}, "base is set too"},
        {{.dim = 4, .frequencies = negative, .frequency_count = 2}, "frequencies[1] is -1"},
        {{.dim = 4, .phases = huge, .frequency_count = 2}, "phases[0] is 1e+10"},
        {{.dim = 4, .position_type = POSEMB_FLOAT32}, "position_type is float32"},
        {{.dim = 4, .positions = POSEMB_POSITIONS_COUNT}, "padding is none"},
        {{.dim = 4, .positions = POSEMB_POSITIONS_RAGGED, .padding = POSEMB_PADDING_MASK},
         "padding is 3"},
        {{.dim = 4, .operation = POSEMB_ADD, .padding = POSEMB_PADDING_TOKEN}, "operation is 2"},
        {{.dim = 4, .padding = POSEMB_PADDING_LEFT_COUNT, .padding_type = POSEMB_UINT8},
         "padding_type is 4"},
        {{.dim = 4, .padding = POSEMB_PADDING_MASK, .padding_type = POSEMB_FLOAT32},
         "padding_type is 3"},
        {{.dim = 4, .pad_id = 1}, "pad_id is 1"},
        {{.dim = 4, .pad_policy = POSEMB_PAD_ZERO_ROW}, "pad_policy is 3"},
        {{.dim = 4, .grid = {.axes = 1}}, "grid.axes is 1"},
        {{.dim = 4, .grid = {.axes = 4}}, "grid.axes is 4"},
        {{.dim = 4, .grid = {.count = {2}}}, "grid.axes is 0"},
        {{.dim = 4, .grid = {.axes = 2, .count = {2, 0}}}, "grid.count[1] is 0"},
        {{.dim = 5, .grid = {.axes = 2, .count = {2, 2}}}, "grid.dim has 4 channels, dim is 5"},
        {{.dim = 4, .grid = {.axes = 2, .count = {2, 2}, .dim = {4, 0}}}, "grid.dim[1] is 0"},
        {{.dim = 4, .grid = {.axes = 2, .count = {2, 2}, .segment_axis = {1, 1}}},
         "grid.segment_axis[1] is 1"},
        {{.dim = 4, .grid = {.axes = 2, .count = {2, 2}, .segment_axis = {3, 1}}},
         "grid.segment_axis[0] is 3"},
        {{.dim = 4, .positions = POSEMB_POSITIONS_ROW_START, .grid = {.axes = 2}},
         "positions is 2, which a grid cannot have"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_desc resolved = {.dim = 77};
        posemb_error error;

        assert_int_equal(posemb_desc_resolve(&rows[i].desc, &resolved, &error),
                         POSEMB_INVALID_ARGUMENT);
        assert_int_equal(error.status, POSEMB_INVALID_ARGUMENT);
        assert_int_equal(error.cl_code, 0);
        assert_says(&error, rows[i].words);
        assert_int_equal(resolved.dim, 77);
        assert_int_equal(resolved.operation, 0);
    }
}

static void test_negative_enums_are_out_of_range(void **state)
{
    posemb_desc desc = {.dim = 4};
    const int minus_one = -1;

    (void)state;
    memcpy(&desc.operation, &minus_one, sizeof desc.operation);
    assert_int_equal(posemb_desc_resolve(&desc, &desc, NULL), POSEMB_INVALID_ARGUMENT);
}

static void test_ends_of_ranges_are_good(void **state)
{
    const posemb_desc rows[] = {
        {.dim = 1},
        {.dim = POSEMB_DIM_MAX},
        {.dim = 4, .base = POSEMB_BASE_MIN},
        {.dim = 4, .base = POSEMB_BASE_MAX},
        {.dim = 4, .concurrency = 1},
        {.dim = 4, .concurrency = POSEMB_CONCURRENCY_MAX},
        {.dim = 4, .table_parts = POSEMB_PARTS_MAX},
        {.dim = 4, .operation = POSEMB_TABLE, .table_parts = 1},
        {.dim = 4, .token_scale = 0x1p-149f},
        {.dim = 4, .token_scale = 0x1.fffffep127f},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_desc resolved;

        assert_int_equal(posemb_desc_resolve(&rows[i], &resolved, NULL), POSEMB_OK);
    }
}

static void test_resolve_needs_both_descriptions(void **state)
{
    posemb_desc desc = {.dim = 4};
    posemb_error error;

    (void)state;
    assert_int_equal(posemb_desc_resolve(NULL, &desc, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "desc is NULL");
    assert_int_equal(posemb_desc_resolve(&desc, NULL, &error), POSEMB_INVALID_ARGUMENT);
    assert_says(&error, "resolved is NULL");
}

static void test_pair_count(void **state)
{
    static const struct {
        posemb_convention convention;
        uint32_t dim;
        size_t pairs;
    } rows[] = {
        {POSEMB_VASWANI, 1, 1},
        {POSEMB_VASWANI, 6, 3},
        {POSEMB_VASWANI, 7, 4},
        {POSEMB_T2T, 1, 0},
        {POSEMB_T2T, 6, 3},
        {POSEMB_T2T, 7, 3},
        {POSEMB_MARIAN_HF, 1, 1},
        {POSEMB_MARIAN_HF, 7, 4},
        {POSEMB_VASWANI, 65536, 32768},
        {POSEMB_VASWANI, 0, 0},
        {(posemb_convention)10, 8, 0},
    };

    (void)state;
    assert_int_equal(posemb_pair_count(NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {.dim = rows[i].dim, .convention = rows[i].convention};

        assert_int_equal(posemb_pair_count(&desc), rows[i].pairs);
    }
}

static void test_phase_steps_need_room(void **state)
{
    const posemb_desc desc = {.dim = 7};
    uint64_t steps[5] = {1, 1, 1, 1, 1};
    posemb_error error;

    (void)state;
    assert_int_equal(posemb_phase_steps(&desc, steps, 3, &error), POSEMB_BUFFER_TOO_SMALL);
    assert_says(&error, "capacity is 3");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(steps[i], 1);
    assert_int_equal(posemb_phase_steps(&desc, steps, 4, &error), POSEMB_OK);
    assert_true(steps[0] == UINT64_C(0x28be60db9391054a)); /* 1 / 2pi: pair 0 has w = 1 */
    assert_int_equal(steps[4], 1);
}

static void test_phase_steps_refuse_bad_arguments(void **state)
{
    const posemb_desc desc = {.dim = 7};
    const posemb_desc bad = {.dim = 0};
    uint64_t step = 1;

    (void)state;
    assert_int_equal(posemb_phase_steps(&desc, NULL, 4, NULL), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_phase_steps(NULL, &step, 1, NULL), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_phase_steps(&bad, &step, 1, NULL), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(step, 1);
}

static void test_no_pairs_need_no_room(void **state)
{
    const posemb_desc desc = {.dim = 1, .convention = POSEMB_T2T};

    (void)state;
    assert_int_equal(posemb_phase_steps(&desc, NULL, 0, NULL), POSEMB_OK);
}

static void test_int_sizes(void **state)
{
    (void)state;
    assert_int_equal(posemb__number_size(POSEMB_INT32), 4);
    assert_int_equal(posemb__number_size(POSEMB_INT64), 8);
}

/* ---- Shapes */

static posemb_status resolve_call(const posemb_desc *desc, const posemb_shape *shape,
                                  struct posemb__call *call, posemb_error *error)
{
    posemb_desc resolved;

    assert_int_equal(posemb_desc_resolve(desc, &resolved, NULL), POSEMB_OK);
    return posemb__call_resolve(&resolved, shape, call, error);
}

static void test_zero_strides_are_dense(void **state)
{
    const posemb_desc desc = {
        .dim = 6, .positions = POSEMB_POSITIONS_EXPLICIT, .position_type = POSEMB_INT64};
    const posemb_shape shape = {.batch = 2, .length = 3, .vocab = 10};
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&desc, &shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.tokens, 6);
    assert_int_equal(call.shape.ids_batch_stride, 12);
    assert_int_equal(call.shape.positions_batch_stride, 24);
    assert_int_equal(call.shape.table_stride, 24);
    assert_int_equal(call.shape.out_stride, 24);
    assert_int_equal(call.shape.out_batch_stride, 72);
    assert_int_equal(call.input[POSEMB__IDS].bytes, 24);
    assert_int_equal(call.input[POSEMB__TABLE].bytes, 240);
    assert_int_equal(call.input[POSEMB__ROWS].bytes, 0);
    assert_int_equal(call.input[POSEMB__POSITIONS].bytes, 48);
    assert_int_equal(call.out.bytes, 144);
}

static void test_bytes_end_with_the_last_element(void **state)
{
    const posemb_desc desc = {.dim = 2, .operation = POSEMB_ADD, .convention = POSEMB_T2T};
    const posemb_shape shape = {.batch = 2,
                                .length = 3,
                                .rows_stride = 16,
                                .rows_batch_stride = 100,
                                .out_stride = 12,
                                .out_batch_stride = 40};
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&desc, &shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__ROWS].bytes, 100 + 2 * 16 + 8);
    assert_int_equal(call.out.bytes, 40 + 2 * 12 + 8);
    assert_int_equal(call.input[POSEMB__IDS].bytes, 0);
    assert_int_equal(call.input[POSEMB__TABLE].bytes, 0);
}

static void test_position_bytes_follow_the_rule(void **state)
{
    static const struct {
        posemb_position_rule rule;
        uint64_t bytes;
    } rows[] = {
        {POSEMB_POSITIONS_INDEX, 0},
        {POSEMB_POSITIONS_ROW_START, 2 * 4},
        {POSEMB_POSITIONS_EXPLICIT, 6 * 4},
        {POSEMB_POSITIONS_EXPLICIT_SHARED, 3 * 4},
    };
    const posemb_shape shape = {.batch = 2, .length = 3};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {.dim = 4, .operation = POSEMB_TABLE, .positions = rows[i].rule};
        struct posemb__call call;

        assert_int_equal(resolve_call(&desc, &shape, &call, NULL), POSEMB_OK);
        assert_int_equal(call.input[POSEMB__POSITIONS].bytes, rows[i].bytes);
    }
}

static void test_no_tokens_need_nothing(void **state)
{
    const posemb_desc desc = {.dim = 4};
    const posemb_shape shapes[] = {{.batch = 0, .length = 5}, {.batch = 5, .length = 0}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct posemb__call call;

        assert_int_equal(resolve_call(&desc, &shapes[i], &call, NULL), POSEMB_OK);
        assert_int_equal(call.tokens, 0);
        assert_int_equal(call.out.bytes, 0);
        assert_int_equal(call.input[POSEMB__IDS].bytes, 0);
    }
}

struct bad_shape {
    posemb_operation operation;
    posemb_position_rule positions;
    posemb_shape shape;
    const char *words;
};

static void assert_refused(const struct bad_shape *row, posemb_status status)
{
    const posemb_desc desc = {.dim = 4, .operation = row->operation, .positions = row->positions};
    struct posemb__call call;
    posemb_error error = {.message = ""};

    assert_int_equal(resolve_call(&desc, &row->shape, &call, &error), status);
    assert_int_equal(error.status, status);
    assert_int_equal(error.cl_code, 0);
    assert_says(&error, row->words);
}

static void test_a_shape_out_of_range_is_named_with_its_value(void **state)
{
    static const struct bad_shape rows[] = {
        {0, 0, {.batch = 65536, .length = 65536, .vocab = 1}, "batch 65536 * length 65536"},
        {0, 0, {.batch = 1, .length = BIT(32), .vocab = 1}, "length 4294967296"},
        {0, 0, {.batch = BIT(32), .length = BIT(32), .vocab = 1}, "batch 4294967296"},
        {0, 0, {.batch = BIT(63), .length = 2, .vocab = 1}, "batch 9223372036854775808"},
        {0, 0, {.batch = 1, .length = 1}, "vocab is 0"},
        {0, 0, {1, 1, 1, .start = POSEMB_POSITION_MIN - 1}, "start is -2147483649"},
        {0, 0, {1, 1, 1, .start = POSEMB_POSITION_MAX + 1}, "start is 4294967296"},
        {0, 0, {1, 1, 1, .start = INT64_MIN}, "start is -9223372036854775808"},
        {0, 0, {1, 2, 1, .start = POSEMB_POSITION_MAX}, "start 4294967295 + past 0 + length 2"},
        {0, 0, {2, 2, 1, .ids_batch_stride = 6}, "ids_batch_stride is 6"},
        {0,
         POSEMB_POSITIONS_EXPLICIT,
         {2, 2, 1, .positions_batch_stride = 10},
         "positions_batch_stride is 10"},
        {0, 0, {1, 1, 1, .table_stride = 12}, "table_stride is 12"},
        {0, 0, {1, 1, 1, .table_stride = 18}, "table_stride is 18"},
        {POSEMB_ADD, 0, {1, 1, .rows_stride = 12}, "rows_stride is 12"},
        {POSEMB_ADD, 0, {1, 1, .rows_stride = 17}, "rows_stride is 17"},
        {POSEMB_ADD, 0, {2, 1, .rows_batch_stride = 18}, "rows_batch_stride is 18"},
        {0, 0, {1, 1, 1, .out_stride = 12}, "out_stride is 12"},
        {0, 0, {1, 1, 1, .out_stride = 18}, "out_stride is 18"},
        {0, 0, {2, 2, 1, .out_batch_stride = 34}, "out_batch_stride is 34"},
        {0, 0, {2, 2, 1, .out_batch_stride = 28}, "out_batch_stride is 28"},
        {0, 0, {2, 2, 1, .out_batch_stride = 4}, "out_batch_stride is 4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i], POSEMB_INVALID_ARGUMENT);
}

static void test_sizes_that_overflow_are_named(void **state)
{
    static const struct bad_shape rows[] = {
        {0, 0, {1, 1, .vocab = UINT64_MAX}, "vocab is"},
        {0, 0, {1, 1, .vocab = BIT(60)}, "vocab * table_stride"},
        {0, 0, {1, 1, .vocab = 3, .table_stride = BIT(63)}, "vocab * table_stride"},
        {0, 0, {1, 1, .vocab = 2, .table_stride = UINT64_MAX - 3}, "vocab * table_stride"},
        {0, 0, {3, 1, 1, .ids_batch_stride = BIT(63)}, "ids_batch_stride"},
        {0, 0, {2, 1, 1, .ids_batch_stride = UINT64_MAX - 3}, "ids_batch_stride"},
        {0,
         POSEMB_POSITIONS_EXPLICIT,
         {3, 1, 1, .positions_batch_stride = BIT(63)},
         "positions_batch_stride"},
        {0, 0, {1, 3, 1, .out_stride = BIT(63)}, "out_batch_stride"},
        {0, 0, {1, 2, 1, .out_stride = UINT64_MAX - 3}, "out_batch_stride"},
        {0, 0, {3, 1, 1, .out_batch_stride = BIT(63)}, "out_batch_stride"},
        {0, 0, {2, 1, 1, .out_batch_stride = UINT64_MAX - 3}, "out_batch_stride"},
        {POSEMB_ADD, 0, {1, 3, .rows_stride = BIT(63)}, "rows_batch_stride"},
        {POSEMB_ADD, 0, {3, 1, .rows_batch_stride = BIT(63)}, "rows_batch_stride"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i], POSEMB_SIZE_OVERFLOW);
}

static void test_ends_of_shape_ranges_are_good(void **state)
{
    const posemb_desc desc = {.dim = 4, .operation = POSEMB_TABLE};
    const posemb_shape shapes[] = {
        {.batch = 1, .length = POSEMB_TOKENS_MAX},
        {.batch = POSEMB_TOKENS_MAX, .length = 1, .start = POSEMB_POSITION_MAX},
        {.batch = 1, .length = 1, .start = POSEMB_POSITION_MIN},
        {.batch = 1, .length = POSEMB_TOKENS_MAX, .start = 1},
        {.batch = 1, .length = 2, .start = POSEMB_POSITION_MAX - 1},
        {.batch = 2, .length = 2, .out_stride = 20, .out_batch_stride = 36},
        {.batch = 1, .length = 2, .out_batch_stride = 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct posemb__call call;

        assert_int_equal(resolve_call(&desc, &shapes[i], &call, NULL), POSEMB_OK);
    }
}

static void test_batch_rows_may_lie_within_a_token(void **state)
{
    const posemb_desc desc = {.dim = 4, .operation = POSEMB_TABLE};
    const posemb_shape good = {.batch = 3, .length = 5, .out_stride = 48, .out_batch_stride = 16};
    const posemb_shape bad = {.batch = 3, .length = 5, .out_stride = 44, .out_batch_stride = 16};
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&desc, &good, &call, NULL), POSEMB_OK);
    assert_int_equal(call.out.bytes, 3 * 5 * 16);
    assert_int_equal(resolve_call(&desc, &bad, &call, NULL), POSEMB_INVALID_ARGUMENT);
}

/* What rules, paddings and grids want of a shape. */
static void test_fields_of_rules_are_named_with_their_values(void **state)
{
    static const posemb_grid grid = {.axes = 2, .count = {3, 4}};
    const struct {
        posemb_desc desc;
        posemb_shape shape;
        const char *words;
    } rows[] = {
        {{.positions = POSEMB_POSITIONS_EXPLICIT}, {.past = 1}, "past is 1, which these"},
        {{.positions = POSEMB_POSITIONS_RAGGED}, {.past = 1, .sequences = 1}, "past is 1"},
        {{.grid = grid}, {.length = 12, .past = 1}, "past is 1"},
        {{.padding = POSEMB_PADDING_MASK}, {.past = BIT(32)}, "past is 4294967296, above"},
        {{.padding = POSEMB_PADDING_NONE},
         {.sequences = 1},
         "sequences is 1, but positions are not"},
        {{.positions = POSEMB_POSITIONS_RAGGED}, {.length = 5}, "sequences is 0, not 1"},
        {{.positions = POSEMB_POSITIONS_RAGGED},
         {.sequences = UINT32_MAX},
         "sequences is 4294967295"},
        {{.positions = POSEMB_POSITIONS_RAGGED},
         {.batch = 2, .sequences = 1},
         "batch is 2, but ragged"},
        {{.grid = grid}, {.length = 11}, "length is 11, but the grid has 12 columns"},
        {{.positions = POSEMB_POSITIONS_EXPLICIT, .position_type = POSEMB_FLOAT32},
         {.start = 1},
         "start is 1, but positions are floats"},
        {{.grid = grid}, {.length = 12, .start = POSEMB_POSITION_MAX}, "above 2^32-1"},
        {{.padding = POSEMB_PADDING_NONE},
         {.start = POSEMB_POSITION_MAX - 4, .past = 5},
         "past 5 + length 1"},
        {{.padding = POSEMB_PADDING_MASK, .padding_type = POSEMB_INT64},
         {.padding_batch_stride = 12},
         "padding_batch_stride is 12"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_desc desc = rows[i].desc;
        posemb_shape shape = rows[i].shape;
        struct posemb__call call;
        posemb_error error;

        desc.dim = 4;
        shape.batch = shape.batch ? shape.batch : 1;
        shape.length = shape.length ? shape.length : 1;
        shape.vocab = 1;
        assert_int_equal(posemb_desc_resolve(&desc, &desc, &error), POSEMB_OK);
        assert_int_equal(posemb__call_resolve(&desc, &shape, &call, &error),
                         POSEMB_INVALID_ARGUMENT);
        assert_says(&error, rows[i].words);
    }
}

static void test_bytes_of_rules(void **state)
{
    const posemb_desc mask = {.dim = 4,
                              .positions = POSEMB_POSITIONS_COUNT,
                              .padding = POSEMB_PADDING_MASK,
                              .padding_type = POSEMB_UINT8};
    const posemb_desc left = {.dim = 4, .padding = POSEMB_PADDING_LEFT_COUNT};
    const posemb_desc ragged = {
        .dim = 4, .positions = POSEMB_POSITIONS_RAGGED, .position_type = POSEMB_INT64};
    const posemb_desc grid = {.dim = 4,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_FLOAT32,
                              .grid = {.axes = 2}};
    const posemb_shape shape = {.batch = 3, .length = 5, .vocab = 1, .past = 2};
    const posemb_shape packed = {.batch = 1, .length = 15, .vocab = 1, .sequences = 6};
    const posemb_shape plain = {.batch = 3, .length = 5, .vocab = 1};
    struct posemb__call call;
    posemb_desc desc;

    (void)state;
    assert_int_equal(posemb_desc_resolve(&mask, &desc, NULL), POSEMB_OK);
    assert_int_equal(posemb__call_resolve(&desc, &shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__PADDING].bytes, 21);
    assert_int_equal(call.counted_columns, 7);
    assert_int_equal(call.output[POSEMB__POSITIONS_OUT].bytes, 15 * 8);
    assert_int_equal(call.output[POSEMB__LENGTHS_OUT].bytes, 12);
    assert_int_equal(call.output[POSEMB__MASK_OUT].bytes, 15);
    assert_int_equal(posemb_desc_resolve(&left, &desc, NULL), POSEMB_OK);
    assert_int_equal(posemb__call_resolve(&desc, &shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__PADDING].bytes, 12);
    assert_int_equal(call.counted_columns, 0);
    assert_int_equal(posemb_desc_resolve(&ragged, &desc, NULL), POSEMB_OK);
    assert_int_equal(posemb__call_resolve(&desc, &packed, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__POSITIONS].bytes, 7 * 8);
    assert_int_equal(posemb_desc_resolve(&grid, &desc, NULL), POSEMB_OK);
    assert_int_equal(posemb__call_resolve(&desc, &plain, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__POSITIONS].bytes, 15 * 2 * 4);
    assert_int_equal(call.output[POSEMB__POSITIONS_OUT].bytes, 15 * 2 * 4);
}

/* ---- A token table in parts */

static void test_rows_are_split_into_the_fewest_equal_parts(void **state)
{
    static const struct {
        uint64_t rows, stride, largest;
        uint32_t parts;
        uint64_t part_rows;
    } rows[] = {
        {10, 4, 40, 1, 10},
        {10, 4, 41, 1, 10},
        {10, 4, UINT64_MAX, 1, 10},
        {10, 4, 39, 2, 5},
        {10, 4, 20, 2, 5},
        {10, 4, 19, 3, 4}, /* 4, 4 and 2 */
        {16, 4, 8, 8, 2},
        {16, 4, 11, 8, 2},
        {15, 4, 8, 8, 2},
        {8, 4, 4, 8, 1},
        {1, 4, 4, 1, 1},
        {BIT(40), 1024, BIT(47), 8, BIT(37)},
        {BIT(60), 8, BIT(63), 1, BIT(60)},
        {BIT(60) + 1, 8, BIT(63), 2, BIT(59) + 1},
        {UINT64_MAX, 1, UINT64_MAX, 1, UINT64_MAX},
        {UINT64_MAX, 1, BIT(63), 2, BIT(63)},
        {UINT64_MAX, 1, BIT(61), 8, BIT(61)},
        {1, UINT64_MAX, UINT64_MAX, 1, 1},
        {8, BIT(63), BIT(63), 8, 1},
        {8, BIT(62), UINT64_MAX, 3, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t parts = 0;
        uint64_t part_rows = 0;

        assert_true(
            posemb__split_rows(rows[i].rows, rows[i].stride, rows[i].largest, &parts, &part_rows));
        assert_int_equal(parts, rows[i].parts);
        assert_true(part_rows == rows[i].part_rows);
    }
}

static void test_rows_that_no_parts_can_hold_are_not_split(void **state)
{
    static const struct {
        uint64_t rows, stride, largest;
    } rows[] = {
        {17, 4, 8},
        {17, 4, 11},
        {9, 4, 4},
        {1, 5, 4}, /* a row above a buffer */
        {1, 1, 0},
        {8, BIT(63), BIT(63) - 1},
        {BIT(63), BIT(63), BIT(40)},
        {BIT(40), UINT64_MAX, UINT64_MAX},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX},
        {UINT64_MAX, 1, BIT(61) - 1},
        {UINT64_MAX, 2, BIT(61)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t parts = 77;
        uint64_t part_rows = 88;

        assert_false(
            posemb__split_rows(rows[i].rows, rows[i].stride, rows[i].largest, &parts, &part_rows));
        assert_int_equal(parts, 77);
        assert_int_equal(part_rows, 88);
    }
}

/* What any split must keep: a part fits, none is empty, and one part less would not do. */
static void test_splits_are_tight(void **state)
{
    (void)state;
    for (uint64_t rows = 1; rows <= 70; rows++)
        for (uint64_t most = 1; most <= 70; most++) {
            const uint64_t stride = 3, largest = most * stride + most % stride;
            uint32_t parts = 0;
            uint64_t part_rows = 0;

            if (!posemb__split_rows(rows, stride, largest, &parts, &part_rows)) {
                assert_true(rows > POSEMB_PARTS_MAX * most);
                continue;
            }
            assert_true(parts >= 1 && parts <= POSEMB_PARTS_MAX);
            assert_true(part_rows * stride <= largest);
            assert_true((parts - 1) * part_rows < rows && rows <= parts * part_rows);
            assert_true((parts - 1) * most < rows);
        }
}

struct parts_case {
    uint32_t dim;
    posemb_storage storage;
    uint32_t parts;
    posemb_shape shape;
    uint64_t part_rows;               /* as resolved */
    uint64_t bytes[POSEMB_PARTS_MAX]; /* of each part */
};

static posemb_status resolve_parts_case(const struct parts_case *row, struct posemb__call *call,
                                        posemb_error *error)
{
    const posemb_desc desc = {
        .dim = row->dim, .tokens = {.storage = row->storage}, .table_parts = row->parts};
    posemb_shape shape = row->shape;

    shape.batch = shape.length = 1;
    return resolve_call(&desc, &shape, call, error);
}

static void test_spans_of_parts(void **state)
{
    static const struct parts_case rows[] = {
        {4, 0, 2, {.vocab = 10}, 5, {80, 80}},
        {4, 0, 3, {.vocab = 10}, 4, {64, 64, 32}},
        {4, 0, 3, {.vocab = 10, .part_rows = 4}, 4, {64, 64, 32}},
        {4, 0, 3, {.vocab = 10, .part_rows = 6}, 6, {96, 64, 0}},
        {4, 0, 3, {.vocab = 10, .part_rows = 10}, 10, {160, 0, 0}},
        {4, 0, 3, {.vocab = 10, .part_rows = UINT64_MAX}, UINT64_MAX, {160, 0, 0}},
        {4, 0, 8, {.vocab = 8}, 1, {16, 16, 16, 16, 16, 16, 16, 16}},
        {4, 0, 8, {.vocab = 9}, 2, {32, 32, 32, 32, 16, 0, 0, 0}},
        {4, 0, 8, {.vocab = 1}, 1, {16}},
        /* gaps: from the first byte of the first row to the last of the last */
        {4, 0, 2, {.vocab = 5, .table_stride = 100}, 3, {216, 116}},
        {4, POSEMB_F16, 2, {.vocab = 5, .table_stride = 10}, 3, {28, 18}},
        {256, POSEMB_Q4_K, 2, {.vocab = 3}, 2, {288, 144}},
        /* shards: the rows that are here */
        {4, 0, 2, {.vocab = 100, .shard_first = 40, .shard_rows = 7}, 4, {64, 48}},
        {4, 0, 2, {.vocab = 100, .shard_first = 93, .shard_rows = 7, .part_rows = 6}, 6, {96, 16}},
        /* sizes that no machine has */
        {1,
         POSEMB_I8,
         8,
         {.vocab = BIT(40)},
         BIT(37),
         {BIT(37), BIT(37), BIT(37), BIT(37), BIT(37), BIT(37), BIT(37), BIT(37)}},
        {1024,
         0,
         3,
         {.vocab = BIT(40)},
         (BIT(40) + 2) / 3,
         {(BIT(40) + 2) / 3 * 4096, (BIT(40) + 2) / 3 * 4096,
          (BIT(40) - 2 * ((BIT(40) + 2) / 3)) * 4096}},
        {4, 0, 2, {.vocab = BIT(40), .part_rows = BIT(40) - 1}, BIT(40) - 1, {BIT(44) - 16, 16}},
        {4, 0, 2, {.vocab = 3, .table_stride = BIT(62) - 16}, 2, {BIT(62), 16}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posemb__call call;
        posemb_error error;

        if (resolve_parts_case(&rows[i], &call, &error) != POSEMB_OK)
            fail_msg("case %zu: %s", i, error.message);
        assert_true(call.shape.part_rows == rows[i].part_rows);
        for (uint32_t k = 0; k < POSEMB_PARTS_MAX; k++) {
            assert_true(call.input[POSEMB__TABLE + k].bytes == rows[i].bytes[k]);
            if (k < rows[i].parts)
                assert_int_equal(call.input[POSEMB__TABLE + k].unit,
                                 call.input[POSEMB__TABLE].unit);
        }
    }
}

static void test_scales_of_a_table_in_parts_stay_whole(void **state)
{
    const posemb_desc of_row = {.dim = 4, .tokens = {.storage = POSEMB_I8}, .table_parts = 3};
    const posemb_desc of_table = {
        .dim = 4, .tokens = {POSEMB_I8, POSEMB_SCALE_OF_TABLE, 0}, .table_parts = 3};
    const posemb_shape shape = {.batch = 1, .length = 1, .vocab = 10};
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&of_row, &shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__TABLE_SCALES].bytes, 40);
    assert_int_equal(resolve_call(&of_table, &shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__TABLE_SCALES].bytes, 4);
}

static void test_one_part_has_all_rows(void **state)
{
    static const struct parts_case rows[] = {
        {4, 0, 0, {.vocab = 10, .part_rows = 3}, 10, {160}},
        {4, 0, 1, {.vocab = 10, .part_rows = 3}, 10, {160}},
        {4, 0, 1, {.vocab = 10, .part_rows = UINT64_MAX}, 10, {160}},
        {4, 0, 1, {.vocab = 10, .shard_rows = 7, .part_rows = 1}, 7, {112}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posemb__call call;

        assert_int_equal(resolve_parts_case(&rows[i], &call, NULL), POSEMB_OK);
        assert_int_equal(call.shape.part_rows, rows[i].part_rows);
        assert_int_equal(call.input[POSEMB__TABLE].bytes, rows[i].bytes[0]);
        assert_int_equal(call.input[POSEMB__TABLE_MORE].bytes, 0);
    }
}

static void test_bad_parts_are_named_with_their_values(void **state)
{
    static const struct {
        struct parts_case call;
        posemb_status status;
        const char *words;
    } rows[] = {
        {{4, 0, 2, {.vocab = 10, .part_rows = 4}, 0, {0}},
         POSEMB_INVALID_ARGUMENT,
         "part_rows is 4: 2 parts of so many rows cannot have the 10 of the table"},
        {{4, 0, 8, {.vocab = 9, .part_rows = 1}, 0, {0}},
         POSEMB_INVALID_ARGUMENT,
         "part_rows is 1: 8 parts"},
        {{1, POSEMB_I8, 8, {.vocab = BIT(40), .part_rows = BIT(37) - 1}, 0, {0}},
         POSEMB_INVALID_ARGUMENT,
         "part_rows is 137438953471: 8 parts of so many rows cannot have the 1099511627776"},
        {{4, 0, 2, {.vocab = 100, .shard_first = 40, .shard_rows = 7, .part_rows = 3}, 0, {0}},
         POSEMB_INVALID_ARGUMENT,
         "part_rows is 3: 2 parts of so many rows cannot have the 7"},
        /* the whole counts, not each part */
        {{4, 0, 8, {.vocab = BIT(60)}, 0, {0}}, POSEMB_SIZE_OVERFLOW, "vocab * table_stride"},
        {{1024, POSEMB_I8, 8, {.vocab = BIT(53)}, 0, {0}},
         POSEMB_SIZE_OVERFLOW,
         "vocab * table_stride"},
        {{1, POSEMB_I8, 8, {.vocab = 3, .table_stride = BIT(63)}, 0, {0}},
         POSEMB_SIZE_OVERFLOW,
         "vocab * table_stride"},
        {{1, POSEMB_I8, 8, {.vocab = BIT(62)}, 0, {0}},
         POSEMB_SIZE_OVERFLOW,
         "table_scales reaches"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posemb__call call;
        posemb_error error;

        assert_int_equal(resolve_parts_case(&rows[i].call, &call, &error), rows[i].status);
        assert_says(&error, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_is_of_the_header),
        cmocka_unit_test(test_zeros_are_defaults),
        cmocka_unit_test(test_what_is_set_stays),
        cmocka_unit_test(test_a_field_out_of_range_is_named_with_its_value),
        cmocka_unit_test(test_negative_enums_are_out_of_range),
        cmocka_unit_test(test_ends_of_ranges_are_good),
        cmocka_unit_test(test_resolve_needs_both_descriptions),
        cmocka_unit_test(test_pair_count),
        cmocka_unit_test(test_phase_steps_need_room),
        cmocka_unit_test(test_phase_steps_refuse_bad_arguments),
        cmocka_unit_test(test_no_pairs_need_no_room),
        cmocka_unit_test(test_int_sizes),
        cmocka_unit_test(test_zero_strides_are_dense),
        cmocka_unit_test(test_bytes_end_with_the_last_element),
        cmocka_unit_test(test_position_bytes_follow_the_rule),
        cmocka_unit_test(test_no_tokens_need_nothing),
        cmocka_unit_test(test_a_shape_out_of_range_is_named_with_its_value),
        cmocka_unit_test(test_sizes_that_overflow_are_named),
        cmocka_unit_test(test_ends_of_shape_ranges_are_good),
        cmocka_unit_test(test_batch_rows_may_lie_within_a_token),
        cmocka_unit_test(test_fields_of_rules_are_named_with_their_values),
        cmocka_unit_test(test_bytes_of_rules),
        cmocka_unit_test(test_rows_are_split_into_the_fewest_equal_parts),
        cmocka_unit_test(test_rows_that_no_parts_can_hold_are_not_split),
        cmocka_unit_test(test_splits_are_tight),
        cmocka_unit_test(test_spans_of_parts),
        cmocka_unit_test(test_scales_of_a_table_in_parts_stay_whole),
        cmocka_unit_test(test_one_part_has_all_rows),
        cmocka_unit_test(test_bad_parts_are_named_with_their_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
