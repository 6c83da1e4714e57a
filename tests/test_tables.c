/* Tables, extra tables, norms and storage types in descriptions and shapes: defaults, every field
 * out of its range, the bytes of each input and output. */
#include "params.h"
#include "storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

static void assert_says(const posemb_error *error, const char *words)
{
    if (!strstr(error->message, words))
        fail_msg("\"%s\" does not say \"%s\"", error->message, words);
}

/* ---- Descriptions */

static void test_zeros_are_defaults(void **state)
{
    const posemb_desc desc = {.dim = 6};
    posemb_desc resolved;

    (void)state;
    assert_int_equal(posemb_desc_resolve(&desc, &resolved, NULL), POSEMB_OK);
    assert_int_equal(resolved.tokens.storage, POSEMB_F32);
    assert_int_equal(resolved.tokens.scaling, POSEMB_SCALE_OF_ROW);
    assert_int_equal(resolved.tokens.policy, POSEMB_POLICY_ZERO_ROW);
    assert_int_equal(resolved.position_table.storage, POSEMB_F32);
    assert_int_equal(resolved.position_table.scaling, POSEMB_SCALE_OF_ROW);
    assert_int_equal(resolved.position_table.policy, POSEMB_POLICY_ZERO_ROW);
    assert_int_equal(resolved.table_parts, 1);
    assert_int_equal(resolved.rows_storage, POSEMB_F32);
    assert_int_equal(resolved.out_storage, POSEMB_F32);
    assert_int_equal(resolved.norm_storage, POSEMB_F32);
    assert_int_equal(resolved.soft_prompts, 0);
    assert_true(resolved.prompt_scale == 1.0f);
    assert_int_equal(resolved.position_kind, POSEMB_SINUSOIDAL);
    assert_int_equal(resolved.norm, POSEMB_NORM_NONE);
    assert_true(resolved.epsilon == 1e-5f);
    assert_int_equal(resolved.gamma, POSEMB_GAMMA_FACTOR);
    assert_int_equal(resolved.beta, POSEMB_BETA_NONE);
    assert_int_equal(resolved.rounding, POSEMB_ROUND_ONCE);
    assert_int_equal(posemb__extra_count(&resolved), 0);
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        assert_int_equal(resolved.extras[k].ids, POSEMB_EXTRA_NONE);
}

static void test_an_extra_table_has_defaults(void **state)
{
    const posemb_desc desc = {
        .dim = 6, .extras = {{.ids = POSEMB_EXTRA_OF_ROW}, {.ids = POSEMB_EXTRA_CONSTANT}}};
    posemb_desc resolved;

    (void)state;
    assert_int_equal(posemb_desc_resolve(&desc, &resolved, NULL), POSEMB_OK);
    assert_int_equal(posemb__extra_count(&resolved), 2);
    for (uint32_t k = 0; k < 2; k++) {
        assert_int_equal(resolved.extras[k].ids, desc.extras[k].ids);
        assert_int_equal(resolved.extras[k].id_type, POSEMB_INT32);
        assert_int_equal(resolved.extras[k].table.storage, POSEMB_F32);
        assert_int_equal(resolved.extras[k].table.scaling, POSEMB_SCALE_OF_ROW);
        assert_int_equal(resolved.extras[k].table.policy, POSEMB_POLICY_ZERO_ROW);
        assert_true(resolved.extras[k].scale == 1.0f);
    }
}

static void test_beta_is_that_of_the_norm(void **state)
{
    static const struct {
        posemb_norm norm;
        posemb_beta given;
        posemb_beta expected;
    } rows[] = {
        {POSEMB_NORM_LAYER, POSEMB_BETA_DEFAULT, POSEMB_BETA_ADDED},
        {POSEMB_NORM_LAYER, POSEMB_BETA_NONE, POSEMB_BETA_NONE},
        {POSEMB_NORM_RMS, POSEMB_BETA_DEFAULT, POSEMB_BETA_NONE},
        {POSEMB_NORM_RMS, POSEMB_BETA_ADDED, POSEMB_BETA_ADDED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_desc desc = {.dim = 6, .norm = rows[i].norm, .beta = rows[i].given};

        assert_int_equal(posemb_desc_resolve(&desc, &desc, NULL), POSEMB_OK);
        assert_int_equal(desc.beta, rows[i].expected);
        assert_int_equal(posemb__has_beta(&desc), rows[i].expected == POSEMB_BETA_ADDED);
        assert_true(posemb__has_gamma(&desc));
    }
}

/* Two learned tables, and all that is not the default. */
static const posemb_desc full = {
    .dim = 24,
    .id_type = POSEMB_INT64,
    .tokens = {POSEMB_I8, POSEMB_SCALE_OF_TABLE, POSEMB_POLICY_WRAP_NEGATIVE},
    .rows_storage = POSEMB_BF16,
    .soft_prompts = 1,
    .prompt_scale = -2.0f,
    .position_kind = POSEMB_LEARNED,
    .position_table = {POSEMB_F16, POSEMB_SCALE_OF_ROW, POSEMB_POLICY_CLAMP},
    .extras = {{POSEMB_EXTRA_OF_TOKEN,
                POSEMB_INT64,
                {POSEMB_BF16, POSEMB_SCALE_OF_ROW, POSEMB_POLICY_NAN_ROW},
                0.25f},
               {POSEMB_EXTRA_CONSTANT,
                POSEMB_INT32,
                {POSEMB_I8, POSEMB_SCALE_OF_TABLE, POSEMB_POLICY_CLAMP},
                -0x1p-149f}},
    .norm = POSEMB_NORM_RMS,
    .epsilon = 0x1p-149f,
    .gamma = POSEMB_GAMMA_ONE_PLUS,
    .beta = POSEMB_BETA_ADDED,
    .norm_storage = POSEMB_F16,
    .rounding = POSEMB_ROUND_ONCE,
    .out_storage = POSEMB_BF16,
    .token_scale = 3.0f,
};

static void test_what_is_set_stays(void **state)
{
    posemb_desc desc = {0};

    (void)state;
    assert_int_equal(posemb_desc_resolve(&full, &desc, NULL), POSEMB_OK);
    assert_memory_equal(&desc.tokens, &full.tokens, sizeof full.tokens);
    assert_memory_equal(&desc.position_table, &full.position_table, sizeof full.position_table);
    assert_memory_equal(desc.extras, full.extras, sizeof full.extras);
    assert_int_equal(desc.rows_storage, full.rows_storage);
    assert_int_equal(desc.soft_prompts, 1);
    assert_true(desc.prompt_scale == -2.0f);
    assert_int_equal(desc.position_kind, POSEMB_LEARNED);
    assert_int_equal(desc.norm, POSEMB_NORM_RMS);
    assert_true(desc.epsilon == 0x1p-149f);
    assert_int_equal(desc.gamma, POSEMB_GAMMA_ONE_PLUS);
    assert_int_equal(desc.beta, POSEMB_BETA_ADDED);
    assert_int_equal(desc.norm_storage, POSEMB_F16);
    assert_int_equal(desc.out_storage, POSEMB_BF16);
}

/* Every field of `a` is that of `b`; padding between them may differ. */
static void assert_same_desc(const posemb_desc *a, const posemb_desc *b)
{
    assert_int_equal(a->dim, b->dim);
    assert_int_equal(a->operation, b->operation);
    assert_int_equal(a->convention, b->convention);
    assert_int_equal(a->layout, b->layout);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->denominator, b->denominator);
    assert_int_equal(a->odd, b->odd);
    assert_true(a->shift == b->shift && a->base == b->base && a->amplitude == b->amplitude);
    assert_true(a->frequency == b->frequency && a->position_scale == b->position_scale);
    assert_int_equal(a->positions, b->positions);
    assert_int_equal(a->position_type, b->position_type);
    assert_memory_equal(&a->grid, &b->grid, sizeof a->grid);
    assert_int_equal(a->padding, b->padding);
    assert_int_equal(a->padding_type, b->padding_type);
    assert_int_equal(a->pad_policy, b->pad_policy);
    assert_int_equal(a->id_type, b->id_type);
    assert_memory_equal(&a->tokens, &b->tokens, sizeof a->tokens);
    assert_int_equal(a->table_parts, b->table_parts);
    assert_int_equal(a->rows_storage, b->rows_storage);
    assert_int_equal(a->soft_prompts, b->soft_prompts);
    assert_true(a->prompt_scale == b->prompt_scale && a->token_scale == b->token_scale);
    assert_int_equal(a->position_kind, b->position_kind);
    assert_memory_equal(&a->position_table, &b->position_table, sizeof a->position_table);
    assert_memory_equal(a->extras, b->extras, sizeof a->extras);
    assert_int_equal(a->norm, b->norm);
    assert_true(a->epsilon == b->epsilon);
    assert_int_equal(a->gamma, b->gamma);
    assert_int_equal(a->beta, b->beta);
    assert_int_equal(a->norm_storage, b->norm_storage);
    assert_int_equal(a->rounding, b->rounding);
    assert_int_equal(a->out_storage, b->out_storage);
    assert_int_equal(a->consumer, b->consumer);
    assert_int_equal(a->concurrency, b->concurrency);
}

static void test_resolving_twice_is_resolving_once(void **state)
{
    const posemb_desc rows[] = {
        {.dim = 6},
        full,
        {.dim = 5, .convention = POSEMB_MARIAN_CPP, .norm = POSEMB_NORM_LAYER},
        {.dim = 6, .convention = POSEMB_XTRANSFORMERS, .beta = POSEMB_BETA_NONE},
        {.dim = 6, .convention = POSEMB_DIT, .position_kind = POSEMB_LEARNED, .base = -3.0},
        {.dim = 7, .convention = POSEMB_MLX, .position_kind = POSEMB_NO_POSITION},
        {.dim = 6, .operation = POSEMB_TABLE, .grid = {.axes = 2, .count = {2, 3}}},
        {.dim = 6,
         .operation = POSEMB_ADD,
         .rows_storage = POSEMB_F16,
         .rounding = POSEMB_ROUND_EACH_STEP},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_desc once = {0};
        posemb_desc twice = {0};
        posemb_error error = {.message = ""};

        if (posemb_desc_resolve(&rows[i], &once, &error) != POSEMB_OK ||
            posemb_desc_resolve(&once, &twice, &error) != POSEMB_OK)
            fail_msg("row %zu: %s", i, error.message);
        assert_same_desc(&once, &twice);
    }
}

/* What describes sinusoids is not looked at where there are none. */
static void test_sinusoids_are_forgotten(void **state)
{
    static const posemb_position_kind kinds[] = {POSEMB_LEARNED, POSEMB_NO_POSITION};
    static const double frequency = 1.0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        posemb_desc desc = {.dim = 7,
                            .position_kind = kinds[i],
                            .convention = POSEMB_MLX,
                            .base = -1.0,
                            .shift = 3.0,
                            .amplitude = NAN,
                            .frequency = -1.0,
                            .position_scale = INFINITY,
                            .frequencies = &frequency,
                            .frequency_count = 99};

        assert_int_equal(posemb_desc_resolve(&desc, &desc, NULL), POSEMB_OK);
        assert_null(desc.frequencies);
        assert_int_equal(desc.frequency_count, 0);
    }
}

struct bad_desc {
    posemb_desc desc;
    const char *words;
};

static void assert_refused(const struct bad_desc *row)
{
    posemb_desc resolved = {.dim = 77};
    posemb_error error = {.message = ""};

    if (posemb_desc_resolve(&row->desc, &resolved, &error) != POSEMB_INVALID_ARGUMENT)
        fail_msg("taken, where \"%s\" was expected", row->words);
    assert_int_equal(error.status, POSEMB_INVALID_ARGUMENT);
    assert_int_equal(error.cl_code, 0);
    assert_says(&error, row->words);
    assert_int_equal(resolved.dim, 77);
    assert_int_equal(resolved.operation, 0);
}

static void test_a_bad_table_is_named_with_its_value(void **state)
{
    static const struct bad_desc rows[] = {
        {{.dim = 4, .tokens = {.storage = (posemb_storage)15}}, "tokens.storage is 15"},
        {{.dim = 4, .tokens = {.scaling = (posemb_scaling)3}}, "tokens.scaling is 3"},
        {{.dim = 4, .tokens = {.policy = (posemb_policy)5}}, "tokens.policy is 5"},
        {{.dim = 4, .position_table = {.storage = (posemb_storage)15}},
         "position_table.storage is 15"},
        {{.dim = 4, .position_table = {.scaling = (posemb_scaling)3}},
         "position_table.scaling is 3"},
        {{.dim = 4, .position_table = {.policy = (posemb_policy)5}}, "position_table.policy is 5"},
        {{.dim = 4, .rows_storage = POSEMB_I8}, "rows_storage is 4"},
        {{.dim = 4, .norm_storage = POSEMB_I8}, "norm_storage is 4"},
        {{.dim = 4, .out_storage = POSEMB_I8}, "out_storage is 4"},
        {{.dim = 4, .soft_prompts = 2}, "soft_prompts is "},
        {{.dim = 4, .soft_prompts = UINT32_MAX}, "soft_prompts is "},
        {{.dim = 4, .soft_prompts = 1, .operation = POSEMB_ADD},
         "soft_prompts is 1, but operation is 2"},
        {{.dim = 4, .soft_prompts = 1, .operation = POSEMB_TABLE},
         "soft_prompts is 1, but operation is 3"},
        {{.dim = 4, .soft_prompts = 1, .prompt_scale = INFINITY}, "prompt_scale is inf"},
        {{.dim = 4, .prompt_scale = NAN}, "prompt_scale is "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i]);
}

static void test_a_bad_position_kind_is_named_with_its_value(void **state)
{
    static const struct bad_desc rows[] = {
        {{.dim = 4, .position_kind = (posemb_position_kind)4}, "position_kind is 4"},
        {{.dim = 4, .position_kind = POSEMB_NO_POSITION, .operation = POSEMB_TABLE},
         "position_kind is none, but operation is 3"},
        {{.dim = 4, .position_kind = POSEMB_NO_POSITION, .positions = POSEMB_POSITIONS_EXPLICIT},
         "position_kind is none, but positions is 3"},
        {{.dim = 4, .position_kind = POSEMB_LEARNED, .grid = {.axes = 2, .count = {2, 2}}},
         "grid.axes is 2, but position_kind is 2"},
        {{.dim = 4, .position_kind = POSEMB_NO_POSITION, .grid = {.axes = 2, .count = {2, 2}}},
         "grid.axes is 2, but position_kind is 3"},
        {{.dim = 4,
          .position_kind = POSEMB_LEARNED,
          .positions = POSEMB_POSITIONS_EXPLICIT,
          .position_type = POSEMB_FLOAT32},
         "position_type is float32, but position_kind is 2"},
        {{.dim = 4, .position_table = {.policy = POSEMB_POLICY_CLAMP}},
         "position_table.policy is 2, which sinusoids cannot have"},
        {{.dim = 4, .position_table = {.policy = POSEMB_POLICY_WRAP_NEGATIVE}},
         "position_table.policy is 3, which sinusoids cannot have"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i]);
}

#define EXTRA_OF_TOKEN .ids = POSEMB_EXTRA_OF_TOKEN

static void test_a_bad_extra_table_is_named_with_its_value(void **state)
{
    static const struct bad_desc rows[] = {
        {{.dim = 4, .extras = {{.ids = (posemb_extra_ids)4}}}, "extras[0].ids is 4"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN, .id_type = POSEMB_FLOAT32}}},
         "extras[0].id_type is 3"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN}, {EXTRA_OF_TOKEN, .id_type = POSEMB_UINT8}}},
         "extras[1].id_type is 4"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN, .table = {.storage = (posemb_storage)15}}}},
         "extras[0].table.storage is 15"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN, .table = {.scaling = (posemb_scaling)3}}}},
         "extras[0].table.scaling is 3"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN, .table = {.policy = (posemb_policy)5}}}},
         "extras[0].table.policy is 5"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN, .scale = INFINITY}}}, "extras[0].scale is inf"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN, .scale = NAN}}}, "extras[0].scale is "},
        {{.dim = 4, .extras = {{.ids = 0}, {EXTRA_OF_TOKEN}}},
         "extras[1] is there, but extras[0] is not"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN}, {.ids = 0}, {EXTRA_OF_TOKEN}}},
         "extras[2] is there, but extras[1] is not"},
        {{.dim = 4, .extras = {[3] = {EXTRA_OF_TOKEN}}},
         "extras[3] is there, but extras[2] is not"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i]);
}

/* Of no whole number of blocks: the table, its storage, the block and dim are named. */
static void test_a_dim_of_parts_of_blocks_is_refused(void **state)
{
    static const struct bad_desc rows[] = {
        {{.dim = 33, .tokens = {.storage = POSEMB_Q8_0}},
         "tokens.storage is Q8_0, which has blocks of 32 channels, but dim is 33"},
        {{.dim = 31, .tokens = {.storage = POSEMB_Q4_0}},
         "tokens.storage is Q4_0, which has blocks of 32 channels, but dim is 31"},
        {{.dim = 384, .tokens = {.storage = POSEMB_Q6_K}},
         "tokens.storage is Q6_K, which has blocks of 256 channels, but dim is 384"},
        {{.dim = 128, .tokens = {.storage = POSEMB_Q2_K}},
         "tokens.storage is Q2_K, which has blocks of 256 channels, but dim is 128"},
        {{.dim = 48, .position_kind = POSEMB_LEARNED, .position_table = {.storage = POSEMB_Q5_1}},
         "position_table.storage is Q5_1, which has blocks of 32 channels, but dim is 48"},
        {{.dim = 288,
          .tokens = {.storage = POSEMB_Q4_1},
          .position_kind = POSEMB_LEARNED,
          .position_table = {.storage = POSEMB_Q3_K}},
         "position_table.storage is Q3_K, which has blocks of 256 channels, but dim is 288"},
        {{.dim = 34, .extras = {{EXTRA_OF_TOKEN, .table = {.storage = POSEMB_Q5_0}}}},
         "extras[0].table.storage is Q5_0, which has blocks of 32 channels, but dim is 34"},
        {{.dim = 257,
          .extras = {{EXTRA_OF_TOKEN}, {EXTRA_OF_TOKEN, .table = {.storage = POSEMB_Q4_K}}}},
         "extras[1].table.storage is Q4_K, which has blocks of 256 channels, but dim is 257"},
        {{.dim = 32,
          .operation = POSEMB_TABLE,
          .extras = {{EXTRA_OF_TOKEN},
                     {EXTRA_OF_TOKEN},
                     {EXTRA_OF_TOKEN, .table = {.storage = POSEMB_Q5_K}}}},
         "extras[2].table.storage is Q5_K, which has blocks of 256 channels, but dim is 32"},
        {{.dim = 16,
          .extras = {{EXTRA_OF_TOKEN},
                     {EXTRA_OF_TOKEN},
                     {EXTRA_OF_TOKEN},
                     {EXTRA_OF_TOKEN, .table = {.storage = POSEMB_Q8_0}}}},
         "extras[3].table.storage is Q8_0, which has blocks of 32 channels, but dim is 16"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i]);
}

/* Each block storage in every table at once; and a table that is not used has any dim. */
static void test_tables_of_blocks_are_taken(void **state)
{
    (void)state;
    for (int storage = POSEMB_Q8_0; storage <= POSEMB_Q6_K; storage++) {
        const posemb_table_desc table = {.storage = (posemb_storage)storage};
        const posemb_extra_desc extra = {EXTRA_OF_TOKEN, .table = table};
        const posemb_desc rows[] = {
            {.dim = 512,
             .tokens = table,
             .position_kind = POSEMB_LEARNED,
             .position_table = table,
             .extras = {extra, extra, extra, extra}},
            {.dim = 7, .operation = POSEMB_ADD, .tokens = table},
            {.dim = 7, .operation = POSEMB_TABLE, .tokens = table},
            {.dim = 7, .position_kind = POSEMB_SINUSOIDAL, .position_table = table},
            {.dim = 7, .extras = {{.table = table}}},
        };

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            posemb_desc resolved = {0};
            posemb_error error = {.message = ""};

            if (posemb_desc_resolve(&rows[i], &resolved, &error) != POSEMB_OK)
                fail_msg("storage %d, row %zu: %s", storage, i, error.message);
            if (i == 0)
                assert_int_equal(resolved.extras[3].table.storage, storage);
        }
    }
}

static void assert_rows_are_refused(posemb_storage storage)
{
    const struct bad_desc rows[] = {
        {{.dim = 256, .rows_storage = storage}, "rows_storage"},
        {{.dim = 256, .operation = POSEMB_ADD, .rows_storage = storage}, "rows_storage"},
        {{.dim = 256, .norm_storage = storage}, "norm_storage"},
        {{.dim = 256, .norm = POSEMB_NORM_LAYER, .norm_storage = storage}, "norm_storage"},
        {{.dim = 256, .out_storage = storage}, "out_storage"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bad_desc row = rows[i];
        char words[64];

        snprintf(words, sizeof words, "%s is %d", row.words, (int)storage);
        row.words = words;
        assert_refused(&row);
    }
}

/* Blocks are read, never written, and norms have none. */
static void test_blocks_are_of_tables_alone(void **state)
{
    (void)state;
    for (int storage = POSEMB_Q8_0; storage <= POSEMB_Q6_K; storage++) {
        const posemb_storage_info *info = posemb_storage_find((posemb_storage)storage);
        char words[64];
        const struct bad_desc each_step = {{.dim = 256,
                                            .tokens = {.storage = (posemb_storage)storage},
                                            .rounding = POSEMB_ROUND_EACH_STEP},
                                           words};

        assert_non_null(info);
        snprintf(words, sizeof words, "rounding is that of each step, but tokens.storage is %s",
                 info->name);
        assert_refused(&each_step);
        assert_rows_are_refused((posemb_storage)storage);
    }
}

static void test_bad_parts_of_the_table_are_refused(void **state)
{
    static const struct bad_desc rows[] = {
        {{.dim = 4, .table_parts = 9}, "table_parts is 9, above 8"},
        {{.dim = 4, .table_parts = UINT32_MAX}, "table_parts is 4294967295, above 8"},
        {{.dim = 4, .operation = POSEMB_ADD, .table_parts = 2},
         "table_parts is 2, but the operation has no table"},
        {{.dim = 4, .operation = POSEMB_TABLE, .table_parts = 8},
         "table_parts is 8, but the operation has no table"},
        {{.dim = 4, .operation = POSEMB_TABLE, .table_parts = 9}, "table_parts is 9, above 8"},
    };
    static const struct {
        posemb_desc desc;
        uint32_t parts;
    } good[] = {
        {{.dim = 4}, 1},
        {{.dim = 4, .table_parts = 1}, 1},
        {{.dim = 4, .table_parts = 8}, 8},
        {{.dim = 4, .operation = POSEMB_ADD}, 1},
        {{.dim = 4, .operation = POSEMB_TABLE, .table_parts = 1}, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        posemb_desc resolved = {0};

        assert_int_equal(posemb_desc_resolve(&good[i].desc, &resolved, NULL), POSEMB_OK);
        assert_int_equal(resolved.table_parts, good[i].parts);
    }
}

static void test_a_bad_norm_is_named_with_its_value(void **state)
{
    static const struct bad_desc rows[] = {
        {{.dim = 4, .norm = (posemb_norm)4}, "norm is 4"},
        {{.dim = 4, .gamma = (posemb_gamma)4}, "gamma is 4"},
        {{.dim = 4, .beta = (posemb_beta)3}, "beta is 3"},
        {{.dim = 4, .rounding = (posemb_rounding)3}, "rounding is 3"},
        {{.dim = 4, .norm = POSEMB_NORM_LAYER, .epsilon = -1e-5f}, "epsilon is -1e-05"},
        {{.dim = 4, .norm = POSEMB_NORM_LAYER, .epsilon = -0x1p-149f}, "epsilon is -1.4"},
        {{.dim = 4, .norm = POSEMB_NORM_RMS, .epsilon = INFINITY}, "epsilon is inf"},
        {{.dim = 4, .norm = POSEMB_NORM_RMS, .epsilon = NAN}, "epsilon is "},
        {{.dim = 4, .norm = POSEMB_NORM_LAYER, .gamma = POSEMB_GAMMA_ONE_PLUS},
         "gamma is 1 + gamma, but norm is 2"},
        {{.dim = 4, .gamma = POSEMB_GAMMA_ONE_PLUS}, "gamma is 1 + gamma, but norm is 1"},
        {{.dim = 4, .rounding = POSEMB_ROUND_EACH_STEP, .tokens = {.storage = POSEMB_I8}},
         "rounding is that of each step, but tokens.storage is int8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(&rows[i]);
}

static void test_ends_of_ranges_are_good(void **state)
{
    static const posemb_desc rows[] = {
        {.dim = 4, .epsilon = 1e-45f, .norm = POSEMB_NORM_LAYER},
        {.dim = 4, .epsilon = 0x1.fffffep127f, .norm = POSEMB_NORM_RMS},
        {.dim = 4, .position_table = {.policy = POSEMB_POLICY_NAN_ROW}},
        {.dim = 4,
         .position_kind = POSEMB_LEARNED,
         .position_table = {.storage = POSEMB_I8, .policy = POSEMB_POLICY_WRAP_NEGATIVE}},
        {.dim = 4,
         .extras = {{EXTRA_OF_TOKEN},
                    {EXTRA_OF_TOKEN},
                    {EXTRA_OF_TOKEN, .scale = -0x1.fffffep127f},
                    {EXTRA_OF_TOKEN, .table = {.storage = POSEMB_I8}}}},
        {.dim = 4, .position_kind = POSEMB_LEARNED, .operation = POSEMB_TABLE},
        {.dim = 4, .rounding = POSEMB_ROUND_EACH_STEP, .out_storage = POSEMB_F16},
        /* the table of tokens is not one of an ADD */
        {.dim = 4,
         .operation = POSEMB_ADD,
         .rounding = POSEMB_ROUND_EACH_STEP,
         .tokens = {.storage = POSEMB_I8}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_desc resolved;
        posemb_error error = {.message = ""};

        if (posemb_desc_resolve(&rows[i], &resolved, &error) != POSEMB_OK)
            fail_msg("row %zu: %s", i, error.message);
    }
}

static void test_steps_are_rounded_to_the_type_of_the_operation(void **state)
{
    static const struct {
        posemb_operation operation;
        posemb_rounding rounding;
        posemb_storage storage;
    } rows[] = {
        {POSEMB_ENCODE, POSEMB_ROUND_EACH_STEP, POSEMB_BF16},
        {POSEMB_ADD, POSEMB_ROUND_EACH_STEP, POSEMB_F16},
        {POSEMB_TABLE, POSEMB_ROUND_EACH_STEP, POSEMB_F32},
        {POSEMB_ENCODE, POSEMB_ROUND_ONCE, POSEMB_F32},
        {POSEMB_ADD, POSEMB_ROUND_ONCE, POSEMB_F32},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_desc desc = {.dim = 4,
                            .operation = rows[i].operation,
                            .rounding = rows[i].rounding,
                            .tokens = {.storage = POSEMB_BF16},
                            .rows_storage = POSEMB_F16};

        assert_int_equal(posemb_desc_resolve(&desc, &desc, NULL), POSEMB_OK);
        assert_int_equal(posemb__step_storage(&desc), rows[i].storage);
    }
}

static void test_sizes_of_storage(void **state)
{
    (void)state;
    assert_int_equal(posemb__storage_size(POSEMB_F32), 4);
    assert_int_equal(posemb__storage_size(POSEMB_F16), 2);
    assert_int_equal(posemb__storage_size(POSEMB_BF16), 2);
    assert_int_equal(posemb__storage_size(POSEMB_I8), 1);
}

/* ---- Shapes */

static posemb_status resolve_call(const posemb_desc *desc, const posemb_shape *shape,
                                  struct posemb__call *call, posemb_error *error)
{
    posemb_desc resolved;

    assert_int_equal(posemb_desc_resolve(desc, &resolved, NULL), POSEMB_OK);
    return posemb__call_resolve(&resolved, shape, call, error);
}

static void assert_span(const struct posemb__span *span, uint64_t bytes, uint64_t unit)
{
    assert_int_equal(span->bytes, bytes);
    assert_int_equal(span->unit, unit);
}

static const posemb_shape full_shape = {.batch = 2,
                                        .length = 3,
                                        .vocab = 10,
                                        .prompt_rows = 4,
                                        .position_rows = 5,
                                        .extras = {{.rows = 6}, {.rows = 7, .id = 1}}};

static void test_bytes_of_a_full_stage(void **state)
{
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&full, &full_shape, &call, NULL), POSEMB_OK);
    assert_span(&call.input[POSEMB__IDS], 2 * 3 * 8, 8);
    assert_span(&call.input[POSEMB__TABLE], 10 * 24, 1);
    assert_span(&call.input[POSEMB__TABLE_SCALES], 4, 4);
    assert_span(&call.input[POSEMB__ROWS], 4 * 24 * 2, 2);
    assert_int_equal(call.input[POSEMB__POSITIONS].bytes, 0);
    assert_int_equal(call.input[POSEMB__PADDING].bytes, 0);
    assert_span(&call.input[POSEMB__POSITION_TABLE], 5 * 24 * 2, 2);
    assert_int_equal(call.input[POSEMB__POSITION_SCALES].bytes, 0);
    assert_span(&call.input[POSEMB__GAMMA], 24 * 2, 2);
    assert_span(&call.input[POSEMB__BETA], 24 * 2, 2);
    assert_span(&call.input[POSEMB__EXTRA_IDS], 2 * 3 * 8, 8);
    assert_int_equal(call.input[POSEMB__EXTRA_IDS + 1].bytes, 0);
    assert_span(&call.input[POSEMB__EXTRA_TABLE], 6 * 24 * 2, 2);
    assert_span(&call.input[POSEMB__EXTRA_TABLE + 1], 7 * 24, 1);
    assert_int_equal(call.input[POSEMB__EXTRA_SCALES].bytes, 0);
    assert_span(&call.input[POSEMB__EXTRA_SCALES + 1], 4, 4);
    for (uint32_t k = 2; k < POSEMB_EXTRAS_MAX; k++) {
        assert_int_equal(call.input[POSEMB__EXTRA_IDS + k].bytes, 0);
        assert_int_equal(call.input[POSEMB__EXTRA_TABLE + k].bytes, 0);
        assert_int_equal(call.input[POSEMB__EXTRA_SCALES + k].bytes, 0);
    }
    assert_span(&call.out, 2 * 3 * 24 * 2, 2);
    assert_span(&call.output[POSEMB__SUM_OUT], 2 * 3 * 24 * 2, 2);
    assert_span(&call.output[POSEMB__RSTD_OUT], 2 * 3 * 4, 4);
    assert_int_equal(call.output[POSEMB__MEAN_OUT].bytes, 0);
    assert_span(&call.output[POSEMB__POSITIONS_OUT], 2 * 3 * 8, 8);
    assert_span(&call.output[POSEMB__LENGTHS_OUT], 2 * 4, 4);
    assert_span(&call.output[POSEMB__MASK_OUT], 2 * 3, 1);
}

static void test_strides_of_a_full_stage_are_dense(void **state)
{
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&full, &full_shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.shape.shard_first, 0);
    assert_int_equal(call.shape.shard_rows, 10);
    assert_int_equal(call.shape.ids_batch_stride, 24);
    assert_int_equal(call.shape.table_stride, 24);
    assert_int_equal(call.shape.rows_stride, 48);
    assert_int_equal(call.shape.position_table_stride, 48);
    assert_int_equal(call.shape.extras[0].table_stride, 48);
    assert_int_equal(call.shape.extras[0].ids_batch_stride, 24);
    assert_int_equal(call.shape.extras[1].table_stride, 24);
    assert_int_equal(call.shape.extras[1].ids_batch_stride, 0);
    assert_int_equal(call.shape.out_stride, 48);
    assert_int_equal(call.shape.out_batch_stride, 144);
}

static void test_bytes_follow_the_strides(void **state)
{
    posemb_shape shape = full_shape;
    struct posemb__call call;

    (void)state;
    shape.table_stride = 25;
    shape.shard_first = 3;
    shape.shard_rows = 5;
    shape.rows_stride = 50;
    shape.position_table_stride = 64;
    shape.extras[0].table_stride = 52;
    shape.extras[0].ids_batch_stride = 40;
    shape.extras[1].table_stride = 101;
    shape.out_stride = 50;
    shape.out_batch_stride = 200;
    assert_int_equal(resolve_call(&full, &shape, &call, NULL), POSEMB_OK);
    assert_int_equal(call.input[POSEMB__TABLE].bytes, 4 * 25 + 24);
    assert_int_equal(call.input[POSEMB__ROWS].bytes, 3 * 50 + 48);
    assert_int_equal(call.input[POSEMB__POSITION_TABLE].bytes, 4 * 64 + 48);
    assert_int_equal(call.input[POSEMB__EXTRA_TABLE].bytes, 5 * 52 + 48);
    assert_int_equal(call.input[POSEMB__EXTRA_IDS].bytes, 40 + 3 * 8);
    assert_int_equal(call.input[POSEMB__EXTRA_TABLE + 1].bytes, 6 * 101 + 24);
    assert_int_equal(call.out.bytes, 200 + 2 * 50 + 48);
    assert_int_equal(call.output[POSEMB__SUM_OUT].bytes, 200 + 2 * 50 + 48);
}

static void test_scales_of_rows_are_as_many_as_rows(void **state)
{
    const posemb_desc desc = {.dim = 8,
                              .tokens = {.storage = POSEMB_I8},
                              .position_kind = POSEMB_LEARNED,
                              .position_table = {.storage = POSEMB_I8},
                              .extras = {{EXTRA_OF_TOKEN, .table = {.storage = POSEMB_I8}}}};
    const posemb_shape shape = {.batch = 1,
                                .length = 1,
                                .vocab = 10,
                                .shard_first = 6,
                                .shard_rows = 3,
                                .position_rows = 5,
                                .extras = {{.rows = 6}}};
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&desc, &shape, &call, NULL), POSEMB_OK);
    assert_span(&call.input[POSEMB__TABLE_SCALES], 3 * 4, 4);
    assert_span(&call.input[POSEMB__POSITION_SCALES], 5 * 4, 4);
    assert_span(&call.input[POSEMB__EXTRA_SCALES], 6 * 4, 4);
}

static void test_ids_of_rows_are_one_for_each(void **state)
{
    const posemb_desc desc = {.dim = 8,
                              .operation = POSEMB_TABLE,
                              .extras = {{.ids = POSEMB_EXTRA_OF_ROW, .id_type = POSEMB_INT64},
                                         {.ids = POSEMB_EXTRA_OF_ROW}}};
    const posemb_shape shape = {
        .batch = 5, .length = 3, .extras = {{.rows = 1}, {.rows = 2, .ids_batch_stride = 1}}};
    struct posemb__call call;

    (void)state;
    assert_int_equal(resolve_call(&desc, &shape, &call, NULL), POSEMB_OK);
    assert_span(&call.input[POSEMB__EXTRA_IDS], 5 * 8, 8);
    assert_span(&call.input[POSEMB__EXTRA_IDS + 1], 5 * 4, 4);
    assert_int_equal(call.shape.extras[1].ids_batch_stride, 0); /* is not one of theirs */
}

/* Outputs and inputs of norms, by what the description says of them. */
static void test_norms_have_their_outputs(void **state)
{
    static const struct {
        posemb_norm norm;
        posemb_gamma gamma;
        posemb_beta beta;
        uint64_t gammas, betas, sums, means, reciprocals;
    } rows[] = {
        {POSEMB_NORM_NONE, 0, 0, 0, 0, 0, 0, 0},
        {POSEMB_NORM_NONE, POSEMB_GAMMA_FACTOR, POSEMB_BETA_ADDED, 0, 0, 0, 0, 0},
        {POSEMB_NORM_LAYER, 0, 0, 16, 16, 96, 24, 24},
        {POSEMB_NORM_LAYER, POSEMB_GAMMA_NONE, POSEMB_BETA_NONE, 0, 0, 96, 24, 24},
        {POSEMB_NORM_RMS, 0, 0, 16, 0, 96, 0, 24},
        {POSEMB_NORM_RMS, POSEMB_GAMMA_NONE, POSEMB_BETA_ADDED, 0, 16, 96, 0, 24},
    };
    const posemb_shape shape = {.batch = 2, .length = 3};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {.dim = 4,
                                  .operation = POSEMB_TABLE,
                                  .norm = rows[i].norm,
                                  .gamma = rows[i].gamma,
                                  .beta = rows[i].beta};
        struct posemb__call call;

        assert_int_equal(resolve_call(&desc, &shape, &call, NULL), POSEMB_OK);
        assert_int_equal(call.input[POSEMB__GAMMA].bytes, rows[i].gammas);
        assert_int_equal(call.input[POSEMB__BETA].bytes, rows[i].betas);
        assert_int_equal(call.output[POSEMB__SUM_OUT].bytes, rows[i].sums);
        assert_int_equal(call.output[POSEMB__MEAN_OUT].bytes, rows[i].means);
        assert_int_equal(call.output[POSEMB__RSTD_OUT].bytes, rows[i].reciprocals);
    }
}

/* ---- Shapes that are refused */

/* A change of one field of a good shape. */
struct bad_shape {
    posemb_shape shape; /* where a field is 0, that of the good one */
    const char *words;
};

static void fill(uint64_t *field, uint64_t value)
{
    if (*field == 0)
        *field = value;
}

static void assert_shape_refused(const struct bad_shape *row, posemb_status status)
{
    posemb_shape shape = row->shape;
    struct posemb__call call;
    posemb_error error = {.message = ""};

    fill(&shape.batch, 2);
    fill(&shape.length, 3);
    fill(&shape.vocab, 10);
    fill(&shape.position_rows, 5);
    fill(&shape.extras[0].rows, 6);
    fill(&shape.extras[1].rows, 7);
    if (resolve_call(&full, &shape, &call, &error) != status)
        fail_msg("\"%s\", where \"%s\" was expected", error.message, row->words);
    assert_int_equal(error.status, status);
    assert_says(&error, row->words);
}

static void test_a_bad_stride_is_named_with_its_value(void **state)
{
    static const struct bad_shape rows[] = {
        {{.table_stride = 23}, "table_stride is 23 bytes, less than one row of 24"},
        {{.position_table_stride = 46},
         "position_table_stride is 46 bytes, less than one row of 48"},
        {{.position_table_stride = 49}, "position_table_stride is 49 bytes, not a multiple of 2"},
        {{.prompt_rows = 1, .rows_stride = 46}, "rows_stride is 46 bytes, less than one row of 48"},
        {{.prompt_rows = 1, .rows_stride = 51}, "rows_stride is 51 bytes, not a multiple of 2"},
        {{.extras = {{.table_stride = 47}}}, "extras[0].table_stride is 47 bytes, less than one"},
        {{.extras = {{.table_stride = 49}}}, "extras[0].table_stride is 49 bytes, not a multiple"},
        {{.extras = {{0}, {.table_stride = 23}}}, "extras[1].table_stride is 23 bytes, less"},
        {{.extras = {{.ids_batch_stride = 28}}},
         "extras[0].ids_batch_stride is 28 bytes, not a multiple of 8"},
        {{.ids_batch_stride = 28}, "ids_batch_stride is 28 bytes, not a multiple of 8"},
        {{.out_stride = 46}, "out_stride is 46 bytes, less than one row of 48"},
        {{.out_stride = 49}, "out_stride is 49 bytes, not a multiple of 2"},
        {{.out_batch_stride = 145}, "out_batch_stride is 145 bytes, not a multiple of 2"},
        {{.out_batch_stride = 142}, "out_batch_stride is 142 bytes: output rows overlap"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_shape_refused(&rows[i], POSEMB_INVALID_ARGUMENT);
}

static void test_a_bad_count_is_named_with_its_value(void **state)
{
    static const struct bad_shape rows[] = {
        {{.shard_first = 11, .shard_rows = 1}, "shard_first 11 and shard_rows 1 are not within"},
        {{.shard_first = 10, .shard_rows = 1}, "shard_first 10 and shard_rows 1 are not within"},
        {{.shard_rows = 11}, "shard_first 0 and shard_rows 11 are not within a vocab of 10"},
        {{.shard_first = 3, .shard_rows = 8}, "shard_first 3 and shard_rows 8 are not within"},
        {{.shard_first = 1, .shard_rows = UINT64_MAX}, "shard_first 1 and shard_rows 18446744"},
        {{.shard_first = UINT64_MAX, .shard_rows = 1}, "shard_first 18446744"},
        {{.prompt_rows = BIT(63)}, "vocab 10 + prompt_rows 9223372036854775808 is above 2^63-1"},
        {{.prompt_rows = BIT(63) - 10}, "vocab 10 + prompt_rows 9223372036854775798 is above"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_shape_refused(&rows[i], POSEMB_INVALID_ARGUMENT);
}

static void test_sizes_that_overflow_are_named(void **state)
{
    static const struct bad_shape rows[] = {
        {{.vocab = BIT(63)}, "vocab is 9223372036854775808, above 2^63-1"},
        {{.vocab = BIT(62)}, "vocab * table_stride reaches beyond 2^63 bytes"},
        {{.vocab = 3, .table_stride = BIT(62)}, "vocab * table_stride"},
        {{.prompt_rows = BIT(62)}, "prompt_rows * rows_stride reaches beyond 2^63 bytes"},
        {{.prompt_rows = 2, .rows_stride = UINT64_MAX - 1}, "prompt_rows * rows_stride"},
        {{.position_rows = BIT(60)}, "position_rows * position_table_stride reaches beyond"},
        {{.position_rows = UINT64_MAX}, "position_rows * position_table_stride"},
        {{.extras = {{.rows = BIT(60)}}}, "extras[0].rows * extras[0].table_stride reaches"},
        {{.extras = {{0}, {.rows = 5, .table_stride = BIT(62)}}},
         "extras[1].rows * extras[1].table_stride"},
        {{.extras = {{.ids_batch_stride = BIT(63)}}}, "extras[0].ids_batch_stride reaches beyond"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_shape_refused(&rows[i], POSEMB_SIZE_OVERFLOW);
}

/* What is not there at all, in shapes of smaller stages. */
static void test_rows_that_are_missing_are_named(void **state)
{
    const struct {
        posemb_desc desc;
        posemb_shape shape;
        const char *words;
    } rows[] = {
        {{.dim = 4}, {.vocab = 0}, "vocab is 0"},
        {{.dim = 4, .position_kind = POSEMB_LEARNED}, {.vocab = 1}, "position_rows is 0"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN}}}, {.vocab = 1}, "extras[0].rows is 0"},
        {{.dim = 4, .extras = {{EXTRA_OF_TOKEN}, {.ids = POSEMB_EXTRA_CONSTANT}}},
         {.vocab = 1, .extras = {{.rows = 1}}},
         "extras[1].rows is 0"},
        {{.dim = 4}, {.vocab = 1, .prompt_rows = 3}, "prompt_rows is 3, but soft_prompts is 0"},
        {{.dim = 4}, {.vocab = 5, .shard_first = 2}, "shard_first 2 and shard_rows 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        posemb_shape shape = rows[i].shape;
        struct posemb__call call;
        posemb_error error = {.message = ""};

        shape.batch = shape.length = 1;
        assert_int_equal(resolve_call(&rows[i].desc, &shape, &call, &error),
                         POSEMB_INVALID_ARGUMENT);
        assert_says(&error, rows[i].words);
    }
}

static void test_ends_of_shape_ranges_are_good(void **state)
{
    const posemb_desc prompts = {.dim = 1, .tokens = {.storage = POSEMB_I8}, .soft_prompts = 1};
    const posemb_shape shapes[] = {
        {.vocab = 10, .shard_first = 9, .shard_rows = 1},
        {.vocab = 10, .shard_rows = 10},
        {.vocab = INT64_MAX, .shard_rows = 1},
        {.vocab = INT64_MAX, .shard_first = INT64_MAX - 1, .shard_rows = 1},
        {.vocab = 10, .prompt_rows = 0},
        {.vocab = INT64_MAX - 2, .shard_rows = 1, .prompt_rows = 2},
        {.vocab = 2, .table_stride = (uint64_t)INT64_MAX - 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        posemb_shape shape = shapes[i];
        struct posemb__call call;
        posemb_error error = {.message = ""};

        shape.batch = shape.length = 1;
        if (resolve_call(&prompts, &shape, &call, &error) != POSEMB_OK)
            fail_msg("row %zu: %s", i, error.message);
    }
}

/* ---- Memory on the host */

static void *address_of(posemb_host_args *args, enum posemb__input input)
{
    const void **const places[POSEMB__EXTRA_IDS] = {
        [POSEMB__IDS] = &args->ids,         [POSEMB__TABLE] = &args->table,
        [POSEMB__ROWS] = &args->rows,       [POSEMB__POSITIONS] = &args->positions,
        [POSEMB__PADDING] = &args->padding, [POSEMB__POSITION_TABLE] = &args->position_table,
        [POSEMB__GAMMA] = &args->gamma,     [POSEMB__BETA] = &args->beta};

    switch (input) {
    case POSEMB__TABLE_SCALES:
        return &args->table_scales;
    case POSEMB__POSITION_SCALES:
        return &args->position_scales;
    default:
        break;
    }
    if (input >= POSEMB__EXTRA_SCALES)
        return &args->extras[input - POSEMB__EXTRA_SCALES].scales;
    if (input >= POSEMB__EXTRA_TABLE)
        return &args->extras[input - POSEMB__EXTRA_TABLE].table;
    if (input >= POSEMB__EXTRA_IDS)
        return &args->extras[input - POSEMB__EXTRA_IDS].ids;
    return places[input];
}

/* The parts of a table that are in other buffers: a host call has it in one piece. */
static bool is_part(int input)
{
    return input >= POSEMB__TABLE_MORE && input < POSEMB__TABLE_SCALES;
}

/* Each input that the call needs is missed by its name, and none that it does not. */
static void test_missing_inputs_are_named(void **state)
{
    char memory[1] = {0};
    const void *const there = memory;
    const void *const missing = NULL;
    struct posemb__call call;
    posemb_host_args args = {.out = memory};
    unsigned needed = 0;

    (void)state;
    assert_int_equal(resolve_call(&full, &full_shape, &call, NULL), POSEMB_OK);
    for (int i = 0; i < POSEMB__INPUTS; i++)
        if (!is_part(i))
            memcpy(address_of(&args, (enum posemb__input)i), &there, sizeof there);
    assert_int_equal(posemb__check_host_args(&call, &args, NULL), POSEMB_OK);
    for (int i = 0; i < POSEMB__INPUTS; i++) {
        const enum posemb__input input = (enum posemb__input)i;
        posemb_error error = {.message = ""};
        posemb_status status;

        if (is_part(i)) {
            assert_null(posemb__host_input(&args, input));
            assert_int_equal(call.input[i].bytes, 0);
            continue;
        }
        memcpy(address_of(&args, input), &missing, sizeof missing);
        assert_null(posemb__host_input(&args, input));
        status = posemb__check_host_args(&call, &args, &error);
        memcpy(address_of(&args, input), &there, sizeof there);
        assert_int_equal(status, call.input[i].bytes ? POSEMB_INVALID_ARGUMENT : POSEMB_OK);
        if (status != POSEMB_OK) {
            assert_says(&error, posemb__input_name(input));
            assert_says(&error, " is NULL");
            needed++;
        }
    }
    assert_int_equal(needed, 11);
}

static void test_outputs_that_are_not_there_are_named(void **state)
{
    static const struct {
        posemb_norm norm;
        enum posemb__output output;
        const char *words;
    } rows[] = {
        {POSEMB_NORM_NONE, POSEMB__SUM_OUT, "sum_out is given"},
        {POSEMB_NORM_NONE, POSEMB__MEAN_OUT, "mean_out is given"},
        {POSEMB_NORM_NONE, POSEMB__RSTD_OUT, "rstd_out is given"},
        {POSEMB_NORM_RMS, POSEMB__MEAN_OUT, "mean_out is given"},
    };
    float memory[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    float out[4] = {99.0f};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {.dim = 4, .operation = POSEMB_TABLE, .norm = rows[i].norm};
        posemb_host_args args = {
            .shape = {.batch = 1, .length = 1}, .gamma = memory, .beta = memory, .out = out};
        posemb_error error = {.message = ""};

        args.sum_out = rows[i].output == POSEMB__SUM_OUT ? memory : NULL;
        args.mean_out = rows[i].output == POSEMB__MEAN_OUT ? memory : NULL;
        args.rstd_out = rows[i].output == POSEMB__RSTD_OUT ? memory : NULL;
        assert_int_equal(posemb_reference_run(&desc, &args, &error), POSEMB_INVALID_ARGUMENT);
        assert_says(&error, rows[i].words);
        assert_true(out[0] == 99.0f && memory[0] == 1.0f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeros_are_defaults),
        cmocka_unit_test(test_an_extra_table_has_defaults),
        cmocka_unit_test(test_beta_is_that_of_the_norm),
        cmocka_unit_test(test_what_is_set_stays),
        cmocka_unit_test(test_resolving_twice_is_resolving_once),
        cmocka_unit_test(test_sinusoids_are_forgotten),
        cmocka_unit_test(test_a_bad_table_is_named_with_its_value),
        cmocka_unit_test(test_a_bad_position_kind_is_named_with_its_value),
        cmocka_unit_test(test_a_bad_extra_table_is_named_with_its_value),
        cmocka_unit_test(test_a_dim_of_parts_of_blocks_is_refused),
        cmocka_unit_test(test_tables_of_blocks_are_taken),
        cmocka_unit_test(test_blocks_are_of_tables_alone),
        cmocka_unit_test(test_bad_parts_of_the_table_are_refused),
        cmocka_unit_test(test_a_bad_norm_is_named_with_its_value),
        cmocka_unit_test(test_ends_of_ranges_are_good),
        cmocka_unit_test(test_steps_are_rounded_to_the_type_of_the_operation),
        cmocka_unit_test(test_sizes_of_storage),
        cmocka_unit_test(test_bytes_of_a_full_stage),
        cmocka_unit_test(test_strides_of_a_full_stage_are_dense),
        cmocka_unit_test(test_bytes_follow_the_strides),
        cmocka_unit_test(test_scales_of_rows_are_as_many_as_rows),
        cmocka_unit_test(test_ids_of_rows_are_one_for_each),
        cmocka_unit_test(test_norms_have_their_outputs),
        cmocka_unit_test(test_a_bad_stride_is_named_with_its_value),
        cmocka_unit_test(test_a_bad_count_is_named_with_its_value),
        cmocka_unit_test(test_sizes_that_overflow_are_named),
        cmocka_unit_test(test_rows_that_are_missing_are_named),
        cmocka_unit_test(test_ends_of_shape_ranges_are_good),
        cmocka_unit_test(test_missing_inputs_are_named),
        cmocka_unit_test(test_outputs_that_are_not_there_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
