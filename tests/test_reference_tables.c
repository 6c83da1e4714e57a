/* The CPU reference on tables: learned positions, extra tables, policies, soft prompts, shards,
 * norms and storage types, by values that can be computed by hand. */
#include "storage.h"

#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static void run(const posemb_desc *desc, const posemb_host_args *args)
{
    posemb_error error;

    if (posemb_reference_run(desc, args, &error) != POSEMB_OK)
        fail_msg("posemb_reference_run: %s", error.message);
}

static void assert_rows(const float *found, const float *expected, size_t count)
{
    size_t first;

    if (posemb_compare_bits(found, expected, count, &first) != 0)
        fail_msg("element %zu: %a is not %a", first, (double)found[first], (double)expected[first]);
}

static void assert_record(const posemb_record *record, uint32_t id_count, uint32_t id_first,
                          uint32_t position_count, uint32_t position_first)
{
    assert_int_equal(record->id_count, id_count);
    assert_int_equal(record->id_first, id_first);
    assert_int_equal(record->position_count, position_count);
    assert_int_equal(record->position_first, position_first);
}

static void assert_extra_record(const posemb_record *record, int k, uint32_t count, uint32_t first)
{
    assert_int_equal(record->extras[k].count, count);
    assert_int_equal(record->extras[k].first, first);
}

/* Of rows of one channel: the tokens are 100, 200, ..., the positions 1, 2, ..., the extra rows
 * 0.25, 0.5, ...: a sum shows what it is made of. */
static const float hundreds[] = {100, 200, 300, 400, 500};
static const float ones[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const float quarters[] = {0.25f, 0.5f, 0.75f};

/* ---- Learned positions */

static void test_learned_positions_begin_at_start(void **state)
{
    const posemb_desc desc = {.dim = 1, .position_kind = POSEMB_LEARNED};
    const int32_t ids[] = {0, 1, 2, 3, 4, 0};
    float out[6];
    int64_t positions[6];
    posemb_record record = POSEMB_RECORD_CLEAR;
    posemb_host_args args = {
        .shape = {.batch = 2, .length = 3, .vocab = 5, .position_rows = 9, .start = 2},
        .ids = ids,
        .table = hundreds,
        .position_table = ones,
        .positions_out = positions,
        .out = out,
        .record = &record};
    const float from_two[] = {103, 204, 305, 403, 504, 105};
    const float from_six[] = {107, 208, 309, 407, 508, 109};

    (void)state;
    run(&desc, &args);
    assert_rows(out, from_two, 6);
    for (int n = 0; n < 6; n++)
        assert_int_equal(positions[n], 2 + n % 3);
    args.shape.past = 4;
    run(&desc, &args);
    assert_rows(out, from_six, 6);
    assert_record(&record, 0, POSEMB_NO_TOKEN, 0, POSEMB_NO_TOKEN);
}

static void test_learned_positions_alone(void **state)
{
    const posemb_desc desc = {.dim = 3, .operation = POSEMB_TABLE, .position_kind = POSEMB_LEARNED};
    float out[6];
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 2, .position_rows = 2, .position_table_stride = 16},
        .position_table = ones,
        .out = out};
    const float expected[] = {1, 2, 3, 5, 6, 7};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 6);
}

/* No products and no pe: a learned row with -0 and subnormals is what comes out. */
static void test_learned_rows_are_not_scaled(void **state)
{
    const posemb_desc desc = {.dim = 4, .operation = POSEMB_TABLE, .position_kind = POSEMB_LEARNED};
    const float table[] = {-0.0f, 0x1p-149f, INFINITY, -3.0f};
    float out[4];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 1, .position_rows = 1},
                                   .position_table = table,
                                   .out = out};

    (void)state;
    run(&desc, &args);
    assert_rows(out, table, 4);
}

static void test_no_position_adds_nothing(void **state)
{
    const posemb_desc desc = {.dim = 2, .position_kind = POSEMB_NO_POSITION};
    const int32_t ids[] = {0, 0};
    const float table[] = {-0.0f, 5.0f};
    float out[4];
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 2, .vocab = 1}, .ids = ids, .table = table, .out = out};
    const float expected[] = {-0.0f, 5.0f, -0.0f, 5.0f};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 4);
}

/* ---- Policies */

enum { POLICY_TOKENS = 8 };

/* Indexes into a table of four rows: those of the ends, beside them, and far off. */
static const int64_t policy_indexes[POLICY_TOKENS] = {0, 3, 4, -1, -4, -5, INT64_MAX, INT64_MIN};

/* Which row each of them names: 0 is the first, ZERO a row of zeros, BAD one of NaN. */
enum { ZERO = -1, BAD = -2 };

static const struct {
    posemb_policy policy;
    int row[POLICY_TOKENS];
} policies[] = {
    {POSEMB_POLICY_DEFAULT, {0, 3, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO}},
    {POSEMB_POLICY_ZERO_ROW, {0, 3, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO}},
    {POSEMB_POLICY_CLAMP, {0, 3, 3, 0, 0, 0, 3, 0}},
    {POSEMB_POLICY_WRAP_NEGATIVE, {0, 3, ZERO, 3, 0, ZERO, ZERO, ZERO}},
    {POSEMB_POLICY_NAN_ROW, {0, 3, BAD, BAD, BAD, BAD, BAD, BAD}},
};

enum { POLICIES = sizeof policies / sizeof *policies };

/* The sum of `rest` and that row of a table. */
static float expect_row(int row, const float *table, float rest)
{
    return row == ZERO ? 0.0f : (row == BAD ? NAN : rest + table[row]);
}

static void test_policies_of_ids(void **state)
{
    (void)state;
    for (int p = 0; p < POLICIES; p++) {
        const posemb_desc desc = {.dim = 1,
                                  .id_type = POSEMB_INT64,
                                  .tokens = {.policy = policies[p].policy},
                                  .position_kind = POSEMB_LEARNED};
        float out[POLICY_TOKENS];
        posemb_record record = POSEMB_RECORD_CLEAR;
        const posemb_host_args args = {.shape = {.batch = 1,
                                                 .length = POLICY_TOKENS,
                                                 .vocab = 4,
                                                 .position_rows = POLICY_TOKENS},
                                       .ids = policy_indexes,
                                       .table = hundreds,
                                       .position_table = ones,
                                       .out = out,
                                       .record = &record};

        run(&desc, &args);
        for (int n = 0; n < POLICY_TOKENS; n++) {
            const float expected = expect_row(policies[p].row[n], hundreds, ones[n]);

            assert_rows(&out[n], &expected, 1);
        }
        assert_record(&record, 6, 2, 0, POSEMB_NO_TOKEN);
    }
}

/* Positions are within their range first: the last two are not. */
static void test_policies_of_positions(void **state)
{
    (void)state;
    for (int p = 0; p < POLICIES; p++) {
        const posemb_desc desc = {.dim = 1,
                                  .operation = POSEMB_ADD,
                                  .positions = POSEMB_POSITIONS_EXPLICIT,
                                  .position_type = POSEMB_INT64,
                                  .position_kind = POSEMB_LEARNED,
                                  .position_table = {.policy = policies[p].policy}};
        const float rows[POLICY_TOKENS] = {50, 50, 50, 50, 50, 50, 50, 50};
        float out[POLICY_TOKENS];
        int64_t positions[POLICY_TOKENS];
        posemb_record record = POSEMB_RECORD_CLEAR;
        const posemb_host_args args = {
            .shape = {.batch = 1, .length = POLICY_TOKENS, .position_rows = 4},
            .rows = rows,
            .positions = policy_indexes,
            .position_table = ones,
            .positions_out = positions,
            .out = out,
            .record = &record};

        run(&desc, &args);
        for (int n = 0; n < POLICY_TOKENS; n++) {
            const int untold = policies[p].policy == POSEMB_POLICY_NAN_ROW ? BAD : ZERO;
            const int row = n < 6 ? policies[p].row[n] : untold;
            const float expected = expect_row(row, ones, 50.0f);

            assert_rows(&out[n], &expected, 1);
            assert_int_equal(positions[n], n < 6 ? policy_indexes[n] : INT64_MIN);
        }
        assert_record(&record, 0, POSEMB_NO_TOKEN, 6, 2);
    }
}

static void test_start_moves_what_is_outside(void **state)
{
    const posemb_desc desc = {.dim = 1,
                              .operation = POSEMB_TABLE,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_kind = POSEMB_LEARNED,
                              .position_table = {.policy = POSEMB_POLICY_WRAP_NEGATIVE}};
    const int32_t positions[] = {-2, -3, 1, 2, -6, -7};
    float out[6];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 6, .position_rows = 4, .start = 2},
        .positions = positions,
        .position_table = ones,
        .out = out,
        .record = &record};
    const float expected[] = {1, 4, 4, 0, 1, 0}; /* rows 0, -1, 3, 4, -4, -5 */

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 6);
    assert_record(&record, 0, POSEMB_NO_TOKEN, 4, 1);
}

static void test_bad_positions_of_sinusoids(void **state)
{
    static const posemb_policy kinds[] = {POSEMB_POLICY_ZERO_ROW, POSEMB_POLICY_NAN_ROW};
    const int64_t positions[] = {0, POSEMB_POSITION_MAX + 1, POSEMB_POSITION_MIN - 1};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const posemb_desc desc = {.dim = 2,
                                  .operation = POSEMB_TABLE,
                                  .positions = POSEMB_POSITIONS_EXPLICIT_SHARED,
                                  .position_type = POSEMB_INT64,
                                  .position_table = {.policy = kinds[i]}};
        const float row = i ? NAN : 0.0f;
        const float expected[] = {0, 1, row, row, row, row};
        float out[6];
        posemb_record record = POSEMB_RECORD_CLEAR;
        const posemb_host_args args = {.shape = {.batch = 1, .length = 3},
                                       .positions = positions,
                                       .out = out,
                                       .record = &record};

        run(&desc, &args);
        assert_rows(out, expected, 6);
        assert_record(&record, 0, POSEMB_NO_TOKEN, 2, 1);
    }
}

static void test_policies_of_extra_ids(void **state)
{
    (void)state;
    for (int p = 0; p < POLICIES; p++) {
        const posemb_desc desc = {.dim = 1,
                                  .operation = POSEMB_TABLE,
                                  .position_kind = POSEMB_LEARNED,
                                  .extras = {{.ids = POSEMB_EXTRA_CONSTANT},
                                             {.ids = POSEMB_EXTRA_OF_TOKEN,
                                              .id_type = POSEMB_INT64,
                                              .table = {.policy = policies[p].policy}}}};
        float out[POLICY_TOKENS];
        posemb_record record = POSEMB_RECORD_CLEAR;
        const posemb_host_args args = {
            .shape = {.batch = 1,
                      .length = POLICY_TOKENS,
                      .position_rows = POLICY_TOKENS,
                      .extras = {{.rows = 3, .id = 2}, {.rows = 4}}},
            .position_table = ones,
            .extras = {{.table = quarters}, {.ids = policy_indexes, .table = hundreds}},
            .out = out,
            .record = &record};

        run(&desc, &args);
        for (int n = 0; n < POLICY_TOKENS; n++) {
            const float expected = expect_row(policies[p].row[n], hundreds, ones[n] + 0.75f);

            assert_rows(&out[n], &expected, 1);
        }
        assert_record(&record, 0, POSEMB_NO_TOKEN, 0, POSEMB_NO_TOKEN);
        assert_extra_record(&record, 0, 0, POSEMB_NO_TOKEN);
        assert_extra_record(&record, 1, 6, 2);
    }
}

/* Each input is recorded on its own; NaN goes before zeros, whichever of them says it. */
static void test_nan_goes_before_zeros(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        posemb_desc desc = {.dim = 1,
                            .positions = POSEMB_POSITIONS_EXPLICIT,
                            .position_kind = POSEMB_LEARNED,
                            .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN}}};
        const int32_t bad[] = {0, 9, -9};
        const float expected[] = {102.0f - 0.75f, NAN, NAN};
        float out[3];
        posemb_record record = POSEMB_RECORD_CLEAR;
        const posemb_host_args args = {.shape = {.batch = 3,
                                                 .length = 1,
                                                 .vocab = 5,
                                                 .position_rows = 9,
                                                 .extras = {{.rows = 3}}},
                                       .ids = bad,
                                       .table = hundreds,
                                       .positions = bad,
                                       .position_table = ones,
                                       .extras = {{.ids = bad, .table = quarters}},
                                       .out = out,
                                       .record = &record};

        *(which == 0   ? &desc.tokens.policy
          : which == 1 ? &desc.position_table.policy
                       : &desc.extras[0].table.policy) = POSEMB_POLICY_NAN_ROW;
        run(&desc, &args);
        assert_rows(out, expected, 3);
        assert_record(&record, 2, 1, 2, 1);
        assert_extra_record(&record, 0, 2, 1);
    }
}

/* A bad constant id is bad in every token. */
static void test_a_bad_constant_id(void **state)
{
    const posemb_desc desc = {
        .dim = 1,
        .operation = POSEMB_ADD,
        .position_kind = POSEMB_NO_POSITION,
        .extras = {{.ids = POSEMB_EXTRA_CONSTANT, .table = {.policy = POSEMB_POLICY_CLAMP}}}};
    float out[4];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {
        .shape = {.batch = 2, .length = 2, .extras = {{.rows = 3, .id = 3}}},
        .rows = ones,
        .extras = {{.table = quarters}},
        .out = out,
        .record = &record};
    const float expected[] = {1.75f, 2.75f, 3.75f, 4.75f};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 4);
    assert_extra_record(&record, 0, 4, 0);
}

/* ---- Extra tables */

static void test_extra_ids_of_tokens_and_rows(void **state)
{
    const posemb_desc desc = {
        .dim = 1,
        .operation = POSEMB_ADD,
        .position_kind = POSEMB_NO_POSITION,
        .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN, .scale = 2.0f},
                   {.ids = POSEMB_EXTRA_OF_ROW, .id_type = POSEMB_INT64, .scale = -1.0f},
                   {.ids = POSEMB_EXTRA_CONSTANT, .scale = 0x1p-10f}}};
    const int32_t of_token[] = {0, 1, 2, -99, 2, 1, 0};
    const int64_t of_row[] = {1, 0};
    float out[6];
    const posemb_host_args args = {
        .shape = {.batch = 2,
                  .length = 3,
                  .extras = {{.rows = 3, .ids_batch_stride = 16},
                             {.rows = 5},
                             {.rows = 9, .id = 7}}},
        .rows = ones,
        .extras = {{of_token, quarters, NULL}, {of_row, hundreds, NULL}, {NULL, ones, NULL}},
        .out = out};
    const float expected[] = {1.5f - 200 + 0x1p-7f, 3.0f - 200 + 0x1p-7f, 4.5f - 200 + 0x1p-7f,
                              5.5f - 100 + 0x1p-7f, 6.0f - 100 + 0x1p-7f, 6.5f - 100 + 0x1p-7f};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 6);
}

/* From left to right: 2^24 swallows a one, but not a two. */
static void test_the_order_of_a_sum(void **state)
{
    const posemb_desc desc = {
        .dim = 2,
        .position_kind = POSEMB_LEARNED,
        .extras = {{.ids = POSEMB_EXTRA_CONSTANT}, {.ids = POSEMB_EXTRA_CONSTANT}}};
    const int32_t id = 0;
    const float token[] = {0x1p24f, 1.0f}, position[] = {1.0f, 1.0f};
    const float first[] = {1.0f, 0x1p24f}, second[] = {-0x1p24f, -0x1p24f};
    float out[2];
    const posemb_host_args args = {.shape = {.batch = 1,
                                             .length = 1,
                                             .vocab = 1,
                                             .position_rows = 1,
                                             .extras = {{.rows = 1}, {.rows = 1}}},
                                   .ids = &id,
                                   .table = token,
                                   .position_table = position,
                                   .extras = {{.table = first}, {.table = second}},
                                   .out = out};
    const float expected[] = {0.0f, 2.0f};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 2);
}

/* The product is rounded before it is added: 3 + 3 * 2^-23 is a tie between 3 + 2^-22 and
 * 3 + 2^-21, and fused it would stay as it is. */
static void test_extra_products_are_rounded(void **state)
{
    const posemb_desc desc = {.dim = 1,
                              .operation = POSEMB_ADD,
                              .position_kind = POSEMB_NO_POSITION,
                              .extras = {{.ids = POSEMB_EXTRA_CONSTANT, .scale = 3.0f}}};
    const float row = -3.0f;
    const float extra = 0x1.000002p0f;
    float out;
    const posemb_host_args args = {.shape = {.batch = 1, .length = 1, .extras = {{.rows = 1}}},
                                   .rows = &row,
                                   .extras = {{.table = &extra}},
                                   .out = &out};

    (void)state;
    run(&desc, &args);
    assert_true(out == 0x1p-21f);
}

/* ---- Soft prompts and shards */

static void test_soft_prompts_follow_the_vocabulary(void **state)
{
    const posemb_desc desc = {.dim = 2,
                              .tokens = {.policy = POSEMB_POLICY_WRAP_NEGATIVE},
                              .rows_storage = POSEMB_F16,
                              .soft_prompts = 1,
                              .prompt_scale = -0.5f,
                              .token_scale = 10.0f,
                              .position_kind = POSEMB_NO_POSITION};
    const int32_t ids[] = {0, 1, 2, 3, 4, -1, -4, -5};
    const float table[] = {1, 2, 3, 4};
    /* 16 and 32, a gap, 64 and 128 */
    const uint16_t prompts[] = {0x4c00, 0x5000, 0xffff, 0xffff, 0x5400, 0x5800};
    float out[16];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 8, .vocab = 2, .prompt_rows = 2, .rows_stride = 8},
        .ids = ids,
        .table = table,
        .rows = prompts,
        .out = out,
        .record = &record};
    const float expected[] = {10, 20, 30, 40, -8, -16, -32, -64, 0, 0, -32, -64, 10, 20, 0, 0};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 16);
    assert_record(&record, 4, 4, 0, POSEMB_NO_TOKEN);
}

/* With no rows this time, the ids from vocab on are bad. */
static void test_no_prompt_rows(void **state)
{
    const posemb_desc desc = {.dim = 1, .soft_prompts = 1, .position_kind = POSEMB_NO_POSITION};
    const int32_t ids[] = {4, 5};
    float out[2];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {.shape = {.batch = 1, .length = 2, .vocab = 5},
                                   .ids = ids,
                                   .table = hundreds,
                                   .out = out,
                                   .record = &record};
    const float expected[] = {500, 0};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 2);
    assert_record(&record, 1, 1, 0, POSEMB_NO_TOKEN);
}

enum { SHARD_DIM = 5, SHARD_VOCAB = 11, SHARD_TOKENS = 14, RANKS = 3 };

/* Three ranks have 4, 1 and 6 rows of the vocabulary; ids of tokens name each, and two are bad. */
static const uint64_t shard_first[RANKS] = {0, 4, 5};
static const uint64_t shard_rows[RANKS] = {4, 1, 6};

struct shards {
    float table[SHARD_VOCAB * SHARD_DIM];
    float extra[2 * SHARD_DIM];
    int32_t ids[SHARD_TOKENS];
    int32_t segments[SHARD_TOKENS];
};

static void fill_shards(struct shards *shards)
{
    for (int n = 0; n < SHARD_VOCAB * SHARD_DIM; n++)
        shards->table[n] = sinf((float)(n + 1)) * 1.7f;
    for (int n = 0; n < 2 * SHARD_DIM; n++)
        shards->extra[n] = cosf((float)n) * 0.31f;
    for (int n = 0; n < SHARD_TOKENS; n++) {
        shards->ids[n] = n - 1; /* -1 ... 12, of which 0 ... 10 are good */
        shards->segments[n] = n % 2;
    }
}

/* `rank` RANKS: all of the table. Returns what is wrong with the ids. */
static posemb_record run_shard(const posemb_desc *desc, const struct shards *shards, int rank,
                               float *out)
{
    posemb_record record = POSEMB_RECORD_CLEAR;
    posemb_host_args args = {.shape = {.batch = 2,
                                       .length = SHARD_TOKENS / 2,
                                       .vocab = SHARD_VOCAB,
                                       .extras = {{.rows = 2}}},
                             .ids = shards->ids,
                             .table = shards->table,
                             .extras = {{shards->segments, shards->extra, NULL}},
                             .out = out,
                             .record = &record};

    if (rank < RANKS) {
        args.shape.shard_first = shard_first[rank];
        args.shape.shard_rows = shard_rows[rank];
        args.table = shards->table + shard_first[rank] * SHARD_DIM;
    }
    run(desc, &args);
    return record;
}

/* All ranks, added up in order. The first alone runs `first`, the others `others`. */
static void run_ranks(const posemb_desc *first, const posemb_desc *others,
                      const struct shards *shards, float *sums)
{
    memset(sums, 0, sizeof(float) * SHARD_TOKENS * SHARD_DIM);
    for (int rank = 0; rank < RANKS; rank++) {
        float out[SHARD_TOKENS * SHARD_DIM];
        const posemb_record record = run_shard(rank ? others : first, shards, rank, out);

        assert_record(&record, 3, 0, 0, POSEMB_NO_TOKEN); /* -1, 11, 12; of all of the vocabulary */
        for (int n = 0; n < SHARD_TOKENS * SHARD_DIM; n++)
            sums[n] = sums[n] + out[n];
    }
}

static void test_shards_add_up_in_every_bit(void **state)
{
    const posemb_desc desc = {
        .dim = SHARD_DIM, .token_scale = 2.236068f, .position_kind = POSEMB_NO_POSITION};
    struct shards shards;
    float sums[SHARD_TOKENS * SHARD_DIM];
    float whole[SHARD_TOKENS * SHARD_DIM];

    (void)state;
    fill_shards(&shards);
    run_ranks(&desc, &desc, &shards, sums);
    run_shard(&desc, &shards, RANKS, whole);
    assert_rows(sums, whole, SHARD_TOKENS * SHARD_DIM);
}

/* With positions and an extra table at one rank, a token of another is (0 + P + X) + E. Sums lie
 * below 8, where a rounding is 2^-22 at most: the whole has two of them, the shards one, and one of
 * P + X, which lies below 2. */
static void test_shards_with_positions_are_near(void **state)
{
    const posemb_desc first = {
        .dim = SHARD_DIM, .token_scale = 2.236068f, .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN}}};
    const posemb_desc others = {
        .dim = SHARD_DIM, .token_scale = 2.236068f, .position_kind = POSEMB_NO_POSITION};
    struct shards shards;
    float sums[SHARD_TOKENS * SHARD_DIM];
    float whole[SHARD_TOKENS * SHARD_DIM];

    (void)state;
    fill_shards(&shards);
    run_ranks(&first, &others, &shards, sums);
    run_shard(&first, &shards, RANKS, whole);
    for (int n = 0; n < SHARD_TOKENS * SHARD_DIM; n++) {
        const int32_t id = shards.ids[n / SHARD_DIM];

        assert_true(fabsf(whole[n]) < 8.0f);
        assert_true(fabsf(sums[n] - whole[n]) <= 3.25f * 0x1p-22f);
        if (id < (int32_t)shard_rows[0]) /* the rank that adds everything */
            assert_rows(&sums[n], &whole[n], 1);
    }
}

/* ---- Norms */

static void test_a_layer_norm_by_hand(void **state)
{
    const posemb_desc desc = {.dim = 4,
                              .operation = POSEMB_ADD,
                              .position_kind = POSEMB_NO_POSITION,
                              .norm = POSEMB_NORM_LAYER,
                              .epsilon = 0x1p-100f};
    const float rows[] = {1, -1, 1, -1, 7, 5, 7, 5, 2, 2, -6, -6};
    const float gamma[] = {1, 2, 3, 4}, beta[] = {0.5f, 0, 0, -1};
    float sum[12], mean[3], reciprocal[3], out[12];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 3},
                                   .rows = rows,
                                   .gamma = gamma,
                                   .beta = beta,
                                   .sum_out = sum,
                                   .mean_out = mean,
                                   .rstd_out = reciprocal,
                                   .out = out};
    const float expected[] = {1.5f, -2, 3, -5, 1.5f, -2, 3, -5, 1.5f, 2, -3, -5};
    const float means[] = {0, 6, -2}, reciprocals[] = {1, 1, 0.25f};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 12);
    assert_rows(sum, rows, 12);
    assert_rows(mean, means, 3);
    assert_rows(reciprocal, reciprocals, 3);
}

static void test_an_rms_norm_by_hand(void **state)
{
    static const struct {
        posemb_gamma gamma;
        posemb_beta beta;
        float expected[4];
    } cases[] = {
        {POSEMB_GAMMA_FACTOR, POSEMB_BETA_NONE, {0.5f, 0.5f, -0.0f, 0.0f}},
        {POSEMB_GAMMA_ONE_PLUS, POSEMB_BETA_NONE, {1.5f, 1.0f, -1.0f, 0.0f}},
        {POSEMB_GAMMA_NONE, POSEMB_BETA_NONE, {1, 0.5f, -1, 0}},
        {POSEMB_GAMMA_NONE, POSEMB_BETA_ADDED, {2, 2.5f, 2, 4}},
        {POSEMB_GAMMA_FACTOR, POSEMB_BETA_ADDED, {1.5f, 2.5f, 3, 4}},
    };
    const float row[] = {8, 4, -8, 0};
    const float gamma[] = {0.5f, 1, 0, 100}, beta[] = {1, 2, 3, 4};
    float sum[4], reciprocal, out[4];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const posemb_desc desc = {.dim = 4,
                                  .operation = POSEMB_ADD,
                                  .position_kind = POSEMB_NO_POSITION,
                                  .norm = POSEMB_NORM_RMS,
                                  .epsilon = 28.0f, /* (64 + 16 + 64) / 4 + 28 = 64 */
                                  .gamma = cases[i].gamma,
                                  .beta = cases[i].beta};
        const posemb_host_args args = {.shape = {.batch = 1, .length = 1},
                                       .rows = row,
                                       .gamma = gamma,
                                       .beta = beta,
                                       .sum_out = sum,
                                       .rstd_out = &reciprocal,
                                       .out = out};

        run(&desc, &args);
        assert_rows(out, cases[i].expected, 4);
        assert_rows(sum, row, 4);
        assert_true(reciprocal == 0.125f);
    }
}

/* A policy's row is zeros or NaN behind the norm too, without beta, and so is all that is told of
 * it. */
static void test_rows_of_policies_are_not_normalised(void **state)
{
    static const posemb_policy kinds[] = {POSEMB_POLICY_ZERO_ROW, POSEMB_POLICY_NAN_ROW};
    const int32_t ids[] = {9, 0};
    const float table[] = {3, 1}, gamma[] = {1, 1}, beta[] = {10, 20};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const posemb_desc desc = {.dim = 2,
                                  .tokens = {.policy = kinds[i]},
                                  .position_kind = POSEMB_NO_POSITION,
                                  .norm = POSEMB_NORM_LAYER,
                                  .epsilon = 0x1p-100f};
        const float bad = i ? NAN : 0.0f;
        const float expected[] = {bad, bad, 11, 19};
        const float sums[] = {bad, bad, 3, 1};
        const float means[] = {bad, 2}, reciprocals[] = {bad, 1};
        float sum[4], mean[2], reciprocal[2], out[4];
        const posemb_host_args args = {.shape = {.batch = 1, .length = 2, .vocab = 1},
                                       .ids = ids,
                                       .table = table,
                                       .gamma = gamma,
                                       .beta = beta,
                                       .sum_out = sum,
                                       .mean_out = mean,
                                       .rstd_out = reciprocal,
                                       .out = out};

        run(&desc, &args);
        assert_rows(out, expected, 4);
        assert_rows(sum, sums, 4);
        assert_rows(mean, means, 2);
        assert_rows(reciprocal, reciprocals, 2);
    }
}

/* A row of zeros that is no policy's is normalised: beta is there. */
static void test_rows_of_zeros_are_normalised(void **state)
{
    const posemb_desc desc = {.dim = 3,
                              .operation = POSEMB_ADD,
                              .position_kind = POSEMB_NO_POSITION,
                              .norm = POSEMB_NORM_LAYER};
    const float rows[] = {0, -0.0f, 0, NAN, 1, 2}, gamma[] = {1, 1, 1}, beta[] = {10, 20, 30};
    const float expected[] = {10, 20, 30, NAN, NAN, NAN};
    float mean[2], out[6];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 2},
                                   .rows = rows,
                                   .gamma = gamma,
                                   .beta = beta,
                                   .mean_out = mean,
                                   .out = out};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 6);
    assert_true(mean[0] == 0.0f && !signbit(mean[0]) && isnan(mean[1]));
}

/* The strides of sum_out are those of out; what lies between rows stays. */
static void test_sums_have_the_strides_of_the_output(void **state)
{
    const posemb_desc desc = {.dim = 2,
                              .operation = POSEMB_ADD,
                              .position_kind = POSEMB_NO_POSITION,
                              .norm = POSEMB_NORM_RMS,
                              .gamma = POSEMB_GAMMA_NONE,
                              .epsilon = 1e-30f,
                              .out_storage = POSEMB_F16};
    const float rows[] = {2, 2, -4, 4};
    uint16_t sum[8], out[8];
    const posemb_host_args args = {.shape = {.batch = 2, .length = 1, .out_batch_stride = 8},
                                   .rows = rows,
                                   .sum_out = sum,
                                   .out = out};
    const uint16_t sums[] = {0x4000, 0x4000, 0x5a5a, 0x5a5a, 0xc400, 0x4400, 0x5a5a, 0x5a5a};
    const uint16_t outs[] = {0x3c00, 0x3c00, 0x5a5a, 0x5a5a, 0xbc00, 0x3c00, 0x5a5a, 0x5a5a};

    (void)state;
    memset(sum, 0x5a, sizeof sum);
    memset(out, 0x5a, sizeof out);
    run(&desc, &args);
    assert_memory_equal(sum, sums, sizeof sums);
    assert_memory_equal(out, outs, sizeof outs);
}

/* ---- Pads */

/* Of learned positions from row 2 on; token 1 and 2 of five are pads. */
static void test_pads_of_learned_positions(void **state)
{
    static const struct {
        posemb_position_rule rule;
        posemb_pad_policy policy;
        float expected[5];
    } cases[] = {
        {POSEMB_POSITIONS_COUNT, POSEMB_PAD_COMPUTED, {104, 503, 503, 205, 306}},
        {POSEMB_POSITIONS_COUNT, POSEMB_PAD_ZERO_POSITION, {104, 500, 500, 205, 306}},
        {POSEMB_POSITIONS_COUNT, POSEMB_PAD_ZERO_ROW, {104, 0, 0, 205, 306}},
        {POSEMB_POSITIONS_COUNT_BEFORE, POSEMB_PAD_COMPUTED, {103, 503, 503, 204, 305}},
        {POSEMB_POSITIONS_INDEX, POSEMB_PAD_COMPUTED, {103, 504, 505, 206, 307}},
        {POSEMB_POSITIONS_INDEX, POSEMB_PAD_ZERO_POSITION, {103, 500, 500, 206, 307}},
        {POSEMB_POSITIONS_INDEX, POSEMB_PAD_ZERO_ROW, {103, 0, 0, 206, 307}},
    };
    const int32_t ids[] = {0, 4, 4, 1, 2};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const posemb_desc desc = {.dim = 1,
                                  .positions = cases[i].rule,
                                  .padding = POSEMB_PADDING_TOKEN,
                                  .pad_id = 4,
                                  .pad_policy = cases[i].policy,
                                  .position_kind = POSEMB_LEARNED};
        float out[5];
        uint8_t kept[5];
        const uint8_t mask[] = {1, 0, 0, 1, 1};
        uint32_t length;
        posemb_record record = POSEMB_RECORD_CLEAR;
        const posemb_host_args args = {
            .shape = {.batch = 1, .length = 5, .vocab = 5, .position_rows = 9, .start = 2},
            .ids = ids,
            .table = hundreds,
            .position_table = ones,
            .lengths_out = &length,
            .mask_out = kept,
            .out = out,
            .record = &record};

        run(&desc, &args);
        assert_rows(out, cases[i].expected, 5);
        assert_memory_equal(kept, mask, sizeof mask);
        assert_int_equal(length, 3);
        assert_record(&record, 0, POSEMB_NO_TOKEN, 0, POSEMB_NO_TOKEN);
    }
}

/* A pad without a position, or without a row, has none that could be bad. */
static void test_positions_of_pads_are_not_looked_at(void **state)
{
    static const struct {
        posemb_pad_policy policy;
        float pad;
        uint32_t bad;
    } cases[] = {
        {POSEMB_PAD_COMPUTED, 0.0f, 1},
        {POSEMB_PAD_ZERO_POSITION, 7.0f, 0},
        {POSEMB_PAD_ZERO_ROW, 0.0f, 0},
    };
    const int32_t positions[] = {99, 1}, mask[] = {0, 1};
    const float rows[] = {7, 8};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const posemb_desc desc = {.dim = 1,
                                  .operation = POSEMB_ADD,
                                  .positions = POSEMB_POSITIONS_EXPLICIT,
                                  .padding = POSEMB_PADDING_MASK,
                                  .pad_policy = cases[i].policy,
                                  .position_kind = POSEMB_LEARNED};
        const float expected[] = {cases[i].pad, 10.0f};
        float out[2];
        posemb_record record = POSEMB_RECORD_CLEAR;
        const posemb_host_args args = {.shape = {.batch = 1, .length = 2, .position_rows = 9},
                                       .rows = rows,
                                       .positions = positions,
                                       .padding = mask,
                                       .position_table = ones,
                                       .out = out,
                                       .record = &record};

        run(&desc, &args);
        assert_rows(out, expected, 2);
        assert_record(&record, 0, POSEMB_NO_TOKEN, cases[i].bad,
                      cases[i].bad ? 0 : POSEMB_NO_TOKEN);
    }
}

/* A pad without a position adds +0, which a -0 does not survive. */
static void test_a_pad_adds_zero(void **state)
{
    const posemb_desc desc = {.dim = 2,
                              .operation = POSEMB_ADD,
                              .padding = POSEMB_PADDING_LEFT_COUNT,
                              .pad_policy = POSEMB_PAD_ZERO_POSITION,
                              .position_kind = POSEMB_LEARNED};
    const int32_t pads = 1;
    const float rows[] = {-0.0f, 5, -0.0f, 5}, table[] = {9, 9, -0.0f, 1};
    float out[4];
    const posemb_host_args args = {.shape = {.batch = 1, .length = 2, .position_rows = 2},
                                   .rows = rows,
                                   .padding = &pads,
                                   .position_table = table,
                                   .out = out};
    const float expected[] = {0.0f, 5, -0.0f, 6};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 4);
}

/* ---- Storage types */

static void test_add_in_place_of_float16(void **state)
{
    const posemb_desc desc = {.dim = 2,
                              .operation = POSEMB_ADD,
                              .rows_storage = POSEMB_F16,
                              .out_storage = POSEMB_F16,
                              .token_scale = 2.0f,
                              .position_kind = POSEMB_LEARNED};
    /* 1, 1024 and -2; an odd number of elements lies before each row */
    uint16_t memory[] = {0x1234, 0x3c00, 0x6400, 0x1234, 0xc000, 0x7bff, 0x1234};
    const float table[] = {0.25f, 1.5f, 3.0f, 0.0f};
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 2, .position_rows = 2, .rows_stride = 6, .out_stride = 6},
        .rows = memory + 1,
        .position_table = table,
        .out = memory + 1};
    /* 2.25; 2049.5 between 2048 and 2050 is 2050; -1; 2 * 65504 is infinite */
    const uint16_t expected[] = {0x1234, 0x4080, 0x6801, 0x1234, 0xbc00, 0x7c00, 0x1234};

    (void)state;
    run(&desc, &args);
    assert_memory_equal(memory, expected, sizeof expected);
}

/* Tables of 16 bits, at odd addresses, are read exactly. */
static void test_narrow_tables(void **state)
{
    static const posemb_storage storages[] = {POSEMB_F16, POSEMB_BF16};
    const int32_t id = 1;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const posemb_desc desc = {.dim = 2,
                                  .tokens = {.storage = storages[i]},
                                  .position_kind = POSEMB_LEARNED,
                                  .position_table = {.storage = storages[1 - i]}};
        char table[9], positions[9];
        float out[2];
        const posemb_host_args args = {
            .shape = {.batch = 1, .length = 1, .vocab = 2, .position_rows = 2, .start = 1},
            .ids = &id,
            .table = table + 1,
            .position_table = positions + 1,
            .out = out};
        const float expected[] = {1.0078125f + 0x1p-14f, -3.0f};

        posemb__store_element(table + 1, 2, storages[i], 1.0078125f);
        posemb__store_element(table + 1, 3, storages[i], -5.0f);
        posemb__store_element(positions + 1, 2, storages[1 - i], 0x1p-14f);
        posemb__store_element(positions + 1, 3, storages[1 - i], 2.0f);
        run(&desc, &args);
        assert_rows(out, expected, 2);
    }
}

static void test_bytes_with_the_scale_of_row_and_table(void **state)
{
    static const posemb_scaling scalings[] = {POSEMB_SCALING_DEFAULT, POSEMB_SCALE_OF_ROW,
                                              POSEMB_SCALE_OF_TABLE};
    const int8_t table[] = {-128, 127, 3, -1};
    const float scales[] = {0.5f, 0.1f};
    const int32_t ids[] = {0, 1};

    (void)state;
    for (int i = 0; i < 3; i++) {
        const posemb_desc desc = {
            .dim = 2,
            .tokens = {.storage = POSEMB_I8, .scaling = scalings[i]},
            .position_kind = POSEMB_NO_POSITION,
            .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN,
                        .table = {.storage = POSEMB_I8, .scaling = scalings[i]},
                        .scale = 4.0f}}};
        const float second = i < 2 ? 0.1f : 0.5f;
        float out[4];
        const posemb_host_args args = {
            .shape = {.batch = 1, .length = 2, .vocab = 2, .extras = {{.rows = 2}}},
            .ids = ids,
            .table = table,
            .table_scales = scales,
            .extras = {{ids, table, scales}},
            .out = out};
        const float three = 3.0f * second; /* rounded, and then its product with 4 exact */
        const float expected[] = {-64 - 256.0f, 63.5f + 254.0f, three + 4.0f * three,
                                  -second + 4.0f * -second};

        run(&desc, &args);
        assert_rows(out, expected, 4);
    }
}

/* The scales of a shard are those of its own rows. */
static void test_scales_of_a_shard(void **state)
{
    const posemb_desc desc = {
        .dim = 1, .tokens = {.storage = POSEMB_I8}, .position_kind = POSEMB_NO_POSITION};
    const int8_t table[] = {10, 20};
    const float scales[] = {1.0f, 0.5f};
    const int32_t ids[] = {5, 6, 7, 8};
    float out[4];
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = 4, .vocab = 9, .shard_first = 6, .shard_rows = 2},
        .ids = ids,
        .table = table,
        .table_scales = scales,
        .out = out};
    const float expected[] = {0, 10, 10, 0};

    (void)state;
    run(&desc, &args);
    assert_rows(out, expected, 4);
}

/* bfloat16 has eight digits. Channel 0: 3 * 1.0078125 = 3.0234375 is 3.03125; 253 + that is 256;
 * the extra row is 1; 256 + 1 is 256, a tie. Channel 1: 3 * 0.3359375 = 1.0078125; the position,
 * below 1 + 2^-8, is 1; the sum is 2, a tie, as is 2 + 2^-7, the extra row. */
static void test_each_step_is_rounded(void **state)
{
    static const float expected[2][2] = {
        {257.025390625f, 2.0f + 0x1p-6f + 0x1p-8f - 0x1p-20f + 0x1p-16f}, {256.0f, 2.0f}};
    const uint16_t token[] = {0x3f81, 0x3eac}, extra[] = {0x3f80, 0x3c00};
    const float position[] = {253.0f, 0x1.00fffp0f};
    const int32_t id = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const posemb_desc desc = {.dim = 2,
                                  .tokens = {.storage = POSEMB_BF16},
                                  .position_kind = POSEMB_LEARNED,
                                  .extras = {{.ids = POSEMB_EXTRA_CONSTANT,
                                              .table = {.storage = POSEMB_BF16},
                                              .scale = 1.001953125f}},
                                  .rounding = i ? POSEMB_ROUND_EACH_STEP : POSEMB_ROUND_ONCE,
                                  .token_scale = 3.0f};
        float out[2];
        const posemb_host_args args = {.shape = {.batch = 1,
                                                 .length = 1,
                                                 .vocab = 1,
                                                 .position_rows = 1,
                                                 .extras = {{.rows = 1}}},
                                       .ids = &id,
                                       .table = token,
                                       .position_table = position,
                                       .extras = {{.table = extra}},
                                       .out = out};

        run(&desc, &args);
        assert_rows(out, expected[i], 2);
    }
}

/* The normalised row is rounded before a factor, and not before 1 + gamma; the rest of the norm is
 * in float. */
static void test_each_step_of_a_norm(void **state)
{
    static const posemb_gamma gammas[] = {POSEMB_GAMMA_FACTOR, POSEMB_GAMMA_ONE_PLUS};
    const uint16_t row[] = {0x3f80, 0x4040}; /* 1 and 3 */
    const float factor[] = {1.001953125f, 3.0f};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const posemb_desc desc = {.dim = 2,
                                  .operation = POSEMB_ADD,
                                  .rows_storage = POSEMB_BF16,
                                  .position_kind = POSEMB_NO_POSITION,
                                  .norm = POSEMB_NORM_RMS,
                                  .epsilon = 0x1p-100f,
                                  .gamma = gammas[i],
                                  .rounding = POSEMB_ROUND_EACH_STEP};
        float out[2], reciprocal;
        const posemb_host_args args = {.shape = {.batch = 1, .length = 1},
                                       .rows = row,
                                       .gamma = factor,
                                       .rstd_out = &reciprocal,
                                       .out = out};

        run(&desc, &args);
        assert_true(reciprocal == 0x1.c9f25cp-2f); /* 1 / sqrt(5) */
        for (int c = 0; c < 2; c++) {
            const float y = (c ? 3.0f : 1.0f) * reciprocal;
            const float near = c ? 1.34375f : 0.447265625f; /* of 1.3416408, 0.4472136 */
            const float whole = 1.0f + factor[c];
            const float expected = i ? y * whole : near * factor[c];

            assert_rows(&out[c], &expected, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learned_positions_begin_at_start),
        cmocka_unit_test(test_learned_positions_alone),
        cmocka_unit_test(test_learned_rows_are_not_scaled),
        cmocka_unit_test(test_no_position_adds_nothing),
        cmocka_unit_test(test_policies_of_ids),
        cmocka_unit_test(test_policies_of_positions),
        cmocka_unit_test(test_start_moves_what_is_outside),
        cmocka_unit_test(test_bad_positions_of_sinusoids),
        cmocka_unit_test(test_policies_of_extra_ids),
        cmocka_unit_test(test_nan_goes_before_zeros),
        cmocka_unit_test(test_a_bad_constant_id),
        cmocka_unit_test(test_extra_ids_of_tokens_and_rows),
        cmocka_unit_test(test_the_order_of_a_sum),
        cmocka_unit_test(test_extra_products_are_rounded),
        cmocka_unit_test(test_soft_prompts_follow_the_vocabulary),
        cmocka_unit_test(test_no_prompt_rows),
        cmocka_unit_test(test_shards_add_up_in_every_bit),
        cmocka_unit_test(test_shards_with_positions_are_near),
        cmocka_unit_test(test_a_layer_norm_by_hand),
        cmocka_unit_test(test_an_rms_norm_by_hand),
        cmocka_unit_test(test_rows_of_policies_are_not_normalised),
        cmocka_unit_test(test_rows_of_zeros_are_normalised),
        cmocka_unit_test(test_sums_have_the_strides_of_the_output),
        cmocka_unit_test(test_pads_of_learned_positions),
        cmocka_unit_test(test_positions_of_pads_are_not_looked_at),
        cmocka_unit_test(test_a_pad_adds_zero),
        cmocka_unit_test(test_add_in_place_of_float16),
        cmocka_unit_test(test_narrow_tables),
        cmocka_unit_test(test_bytes_with_the_scale_of_row_and_table),
        cmocka_unit_test(test_scales_of_a_shard),
        cmocka_unit_test(test_each_step_is_rounded),
        cmocka_unit_test(test_each_step_of_a_norm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
