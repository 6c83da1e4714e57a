/* How calls are cut into work-groups: the kernel, its size, and the limits between them. */
#include "launch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct posemb__launch_rule full_rule = {.rows = 8,
                                                     .columns = 1,
                                                     .shared_rows = 8,
                                                     .local_size = 4,
                                                     .shares_positions = true,
                                                     .streams = true,
                                                     .stream_threshold = 1000};

static struct posemb__launch launch_of(const struct posemb__launch_rule *rule, uint64_t batch,
                                       uint64_t length, uint64_t out_bytes)
{
    const struct posemb__call call = {.shape = {.batch = batch, .length = length},
                                      .tokens = batch * length,
                                      .out = {out_bytes, 4}};

    return posemb__launch_of(rule, &call);
}

static void test_a_group_owns_consecutive_tokens(void **state)
{
    static const struct {
        uint64_t length, groups;
    } rows[] = {{1, 1}, {8, 1}, {9, 2}, {4294967295u, 536870912u}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct posemb__launch launch = launch_of(&full_rule, 1, rows[i].length, 1);

        assert_int_equal(launch.kernel, POSEMB__STAGE);
        assert_int_equal(launch.local_size, 4);
        assert_int_equal(launch.global_size, rows[i].groups * 4);
    }
}

static void test_tiles_of_columns_share_positions(void **state)
{
    static const struct {
        uint64_t batch, length;
        enum posemb__kernel kernel;
        uint64_t groups;
    } rows[] = {
        {1, 4096, POSEMB__STAGE, 512},
        {2, 4, POSEMB__STAGE_SHARED, 1},
        {2, 3, POSEMB__STAGE, 1},
        {2, 5, POSEMB__STAGE, 2},
        {2, 15, POSEMB__STAGE, 4},
        {2, 17, POSEMB__STAGE_SHARED, 5},
        {8, 2048, POSEMB__STAGE_SHARED, 512},
        {9, 2048, POSEMB__STAGE_SHARED, 1024},
    };
    struct posemb__launch_rule rule = full_rule;

    (void)state;
    rule.columns = 4;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct posemb__launch launch = launch_of(&rule, rows[i].batch, rows[i].length, 1);

        assert_int_equal(launch.kernel, rows[i].kernel);
        assert_int_equal(launch.groups, rows[i].groups);
        assert_int_equal(launch.global_size, rows[i].groups * 4);
    }
}

static void test_batch_rows_share_positions(void **state)
{
    static const struct {
        uint64_t batch;
        enum posemb__kernel kernel;
        uint64_t groups; /* of length 3 */
    } rows[] = {
        {7, POSEMB__STAGE, 3},          {8, POSEMB__STAGE_SHARED, 3},
        {9, POSEMB__STAGE, 4},          {16, POSEMB__STAGE_SHARED, 6},
        {31, POSEMB__STAGE, 12},        {32, POSEMB__STAGE_SHARED, 12},
        {33, POSEMB__STAGE_SHARED, 15},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct posemb__launch launch = launch_of(&full_rule, rows[i].batch, 3, 1);

        assert_int_equal(launch.kernel, rows[i].kernel);
        assert_int_equal(launch.global_size, rows[i].groups * 4);
    }
}

static void test_groups_that_share_have_rows_of_their_own(void **state)
{
    struct posemb__launch_rule rule = full_rule;

    (void)state;
    rule.rows = 2;
    rule.shared_rows = 16;
    assert_int_equal(launch_of(&rule, 15, 3, 1).kernel, POSEMB__STAGE);
    assert_int_equal(launch_of(&rule, 15, 3, 1).groups, 23);
    assert_int_equal(launch_of(&rule, 16, 3, 1).kernel, POSEMB__STAGE_SHARED);
    assert_int_equal(launch_of(&rule, 32, 3, 1).groups, 6);
    rule.rows = 16;
    rule.shared_rows = 1;
    assert_int_equal(launch_of(&rule, 5, 3, 1).kernel, POSEMB__STAGE_SHARED);
    assert_int_equal(launch_of(&rule, 5, 3, 1).groups, 15);
}

static void test_positions_of_their_own_are_not_shared(void **state)
{
    struct posemb__launch_rule rule = full_rule;

    (void)state;
    rule.shares_positions = false;
    assert_int_equal(launch_of(&rule, 8, 3, 1).kernel, POSEMB__STAGE);
    assert_int_equal(launch_of(&rule, 8, 3, 1000).kernel, POSEMB__STAGE_STREAMED);
}

static void test_large_outputs_are_streamed(void **state)
{
    (void)state;
    assert_int_equal(launch_of(&full_rule, 1, 3, 999).kernel, POSEMB__STAGE);
    assert_int_equal(launch_of(&full_rule, 1, 3, 1000).kernel, POSEMB__STAGE_STREAMED);
    assert_int_equal(launch_of(&full_rule, 8, 3, 999).kernel, POSEMB__STAGE_SHARED);
    assert_int_equal(launch_of(&full_rule, 8, 3, 1000).kernel, POSEMB__STAGE_SHARED_STREAMED);
}

static void test_nothing_is_streamed_without_such_kernels(void **state)
{
    struct posemb__launch_rule rule = full_rule;

    (void)state;
    rule.streams = false;
    assert_int_equal(launch_of(&rule, 1, 3, UINT64_MAX).kernel, POSEMB__STAGE);
    assert_int_equal(launch_of(&rule, 8, 3, UINT64_MAX).kernel, POSEMB__STAGE_SHARED);
}

static void test_local_size_follows_the_pairs(void **state)
{
    static const struct {
        uint32_t pairs, pairs_per_lane;
        uint64_t limit, size;
    } rows[] = {
        {0, 2, 1024, 32},    {64, 2, 1024, 32},     {65, 2, 1024, 64},   {256, 2, 1024, 128},
        {512, 2, 1024, 256}, {32768, 2, 1024, 256}, {512, 4, 1024, 128}, {512, 2, 100, 64},
        {512, 2, 128, 128},  {512, 2, 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(
            posemb__gpu_local_size(rows[i].pairs, rows[i].pairs_per_lane, rows[i].limit),
            rows[i].size);
}

static void test_long_rows_are_counted_by_chunks(void **state)
{
    static const struct {
        uint64_t columns, batch;
        uint32_t chunk, chunks;
    } rows[] = {
        {0, 3, 0, 0},
        {4096, 3, 0, 0},
        {4097, 3, 1024, 5},
        {131072, 2, 1024, 128},
        {8192 * 1024, 1, 1024, 8192},
        {8192 * 1024 + 1, 1, 2048, 4097},
        {UINT64_C(0x1fffffffe), 1, 1 << 20, 8192},
    };
    const struct posemb__launch_rule rule = {
        .rows = 8, .columns = 1, .local_size = 1, .columns_in_launch = 4096, .chunk = 1024};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct posemb__call call = {.shape = {.batch = rows[i].batch, .length = 1},
                                          .tokens = rows[i].batch,
                                          .counted_columns = rows[i].columns};
        const struct posemb__launch launch = posemb__launch_of(&rule, &call);

        assert_int_equal(launch.chunk, rows[i].chunk);
        assert_int_equal(launch.chunks, rows[i].chunks);
        assert_int_equal(launch.scratch_bytes, rows[i].batch * rows[i].chunks * 4);
        assert_true((uint64_t)launch.chunk * launch.chunks >= rows[i].columns || !launch.chunk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_group_owns_consecutive_tokens),
        cmocka_unit_test(test_batch_rows_share_positions),
        cmocka_unit_test(test_tiles_of_columns_share_positions),
        cmocka_unit_test(test_groups_that_share_have_rows_of_their_own),
        cmocka_unit_test(test_positions_of_their_own_are_not_shared),
        cmocka_unit_test(test_large_outputs_are_streamed),
        cmocka_unit_test(test_nothing_is_streamed_without_such_kernels),
        cmocka_unit_test(test_local_size_follows_the_pairs),
        cmocka_unit_test(test_long_rows_are_counted_by_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
