/* The table of conventions, and which channel holds what for small D. */
#include "convention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_the_table_has_every_convention(void **state)
{
    (void)state;
    assert_int_equal(posemb_convention_count(), 9);
    for (size_t i = 0; i < posemb_convention_count(); i++) {
        const posemb_convention_info *info = posemb_convention_at(i);

        assert_non_null(info);
        assert_int_equal(info->convention, i + 1);
        assert_non_null(info->channels);
        assert_non_null(info->formula);
        assert_non_null(info->odd);
        assert_non_null(info->source);
        assert_ptr_equal(posemb_convention_find(info->name), info);
    }
}

static void test_outside_of_the_table_there_is_none(void **state)
{
    (void)state;
    assert_null(posemb_convention_at(9));
    assert_null(posemb_convention_at(SIZE_MAX));
}

static void test_find_takes_exact_names_alone(void **state)
{
    (void)state;
    assert_int_equal(posemb_convention_find("vaswani")->convention, POSEMB_VASWANI);
    assert_int_equal(posemb_convention_find("t2t")->convention, POSEMB_T2T);
    assert_int_equal(posemb_convention_find("marian-hf")->convention, POSEMB_MARIAN_HF);
    assert_null(posemb_convention_find(NULL));
    assert_null(posemb_convention_find(""));
    assert_null(posemb_convention_find("Vaswani"));
    assert_null(posemb_convention_find("t2"));
}

/* What is wanted of one row without a grid. */
struct expected {
    posemb_convention convention;
    uint32_t dim;
    bool interleaved;
    bool cosine_first;
    uint32_t pairs;
    uint32_t full_pairs;
    uint32_t second_offset;
    enum posemb__lone lone;
    uint32_t lone_channel;
    uint32_t lone_pair;
    uint32_t twice_denominator;
    double shift;
};

static void test_channels_of_every_convention(void **state)
{
    static const struct expected rows[] = {
        {POSEMB_VASWANI, 1, true, false, 1, 0, 0, POSEMB__LONE_SINE, 0, 0, 1, 0.0},
        {POSEMB_VASWANI, 4, true, false, 2, 2, 2, POSEMB__LONE_NONE, 0, 0, 4, 0.0},
        {POSEMB_VASWANI, 5, true, false, 3, 2, 2, POSEMB__LONE_SINE, 4, 2, 5, 0.0},
        {POSEMB_T2T, 1, false, false, 0, 0, 0, POSEMB__LONE_ZERO, 0, 0, 0, 1.0},
        {POSEMB_T2T, 6, false, false, 3, 3, 3, POSEMB__LONE_NONE, 0, 0, 6, 1.0},
        {POSEMB_T2T, 7, false, false, 3, 3, 3, POSEMB__LONE_ZERO, 6, 0, 6, 1.0},
        {POSEMB_MARIAN_HF, 1, false, false, 1, 0, 1, POSEMB__LONE_SINE, 0, 0, 1, 0.0},
        {POSEMB_MARIAN_HF, 5, false, false, 3, 2, 3, POSEMB__LONE_SINE, 2, 2, 5, 0.0},
        {POSEMB_MARIAN_CPP, 4, false, false, 2, 2, 2, POSEMB__LONE_NONE, 0, 0, 4, 1.0},
        {POSEMB_MARIAN_CPP, 7, false, false, 3, 3, 3, POSEMB__LONE_COSINE, 6, 0, 7, 1.0},
        {POSEMB_MARIAN_CPP, 1, false, false, 1, 0, 0, POSEMB__LONE_COSINE, 0, 0, 1, 1.0},
        {POSEMB_DIT, 9, false, true, 4, 4, 4, POSEMB__LONE_ZERO, 8, 0, 8, 0.0},
        {POSEMB_DDPM, 9, false, false, 4, 4, 4, POSEMB__LONE_ZERO, 8, 0, 8, 1.0},
        {POSEMB_XTRANSFORMERS, 8, false, false, 4, 4, 4, POSEMB__LONE_NONE, 0, 0, 8, 0.0},
        {POSEMB_MLX, 8, false, false, 4, 4, 4, POSEMB__LONE_NONE, 0, 0, 8, 1.0},
        {POSEMB_DETR, 8, true, false, 4, 4, 4, POSEMB__LONE_NONE, 0, 0, 8, 0.0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {.dim = rows[i].dim, .convention = rows[i].convention};
        posemb_desc resolved;

        assert_int_equal(posemb_desc_resolve(&desc, &resolved, NULL), POSEMB_OK);

        const struct posemb__channels found = posemb__channels_of(&resolved);
        const struct posemb__segment *segment = &found.segment[0];

        assert_int_equal(found.segments, 1);
        assert_int_equal(found.interleaved, rows[i].interleaved);
        assert_int_equal(found.cosine_first, rows[i].cosine_first);
        assert_int_equal(found.pairs, rows[i].pairs);
        assert_int_equal(segment->pairs, rows[i].pairs);
        assert_int_equal(segment->full_pairs, rows[i].full_pairs);
        assert_int_equal(segment->second_offset, rows[i].second_offset);
        assert_int_equal(segment->lone, rows[i].lone);
        if (rows[i].lone != POSEMB__LONE_NONE)
            assert_int_equal(segment->lone_channel, rows[i].lone_channel);
        assert_int_equal(segment->lone_pair, rows[i].lone_pair);
        assert_int_equal(posemb__twice_denominator(&resolved, segment), rows[i].twice_denominator);
        assert_true(resolved.shift == rows[i].shift);
    }
}

static void test_knobs_override_the_convention(void **state)
{
    const posemb_desc desc = {.dim = 7,
                              .convention = POSEMB_T2T,
                              .layout = POSEMB_INTERLEAVED,
                              .first = POSEMB_COSINE_FIRST,
                              .denominator = POSEMB_DENOMINATOR_REAL,
                              .shift = 0.25,
                              .odd = POSEMB_ODD_FIRST,
                              .amplitude = -2.0f};
    posemb_desc resolved;

    (void)state;
    assert_int_equal(posemb_desc_resolve(&desc, &resolved, NULL), POSEMB_OK);

    const struct posemb__channels found = posemb__channels_of(&resolved);

    assert_true(found.interleaved);
    assert_true(found.cosine_first);
    assert_int_equal(found.segment[0].lone, POSEMB__LONE_COSINE);
    assert_int_equal(found.segment[0].lone_channel, 6);
    assert_int_equal(posemb__twice_denominator(&resolved, &found.segment[0]), 7);
    assert_true(resolved.shift == 0.25);
    assert_true(resolved.amplitude == -2.0f);
}

static void test_amplitudes_of_conventions(void **state)
{
    const posemb_desc descs[] = {{.dim = 6, .convention = POSEMB_XTRANSFORMERS},
                                 {.dim = 6, .convention = POSEMB_MLX},
                                 {.dim = 8, .convention = POSEMB_MLX},
                                 {.dim = 6}};
    const float amplitudes[] = {0x1.a20bd7p-2f, 0x1.279a74p-1f, 0.5f, 1.0f};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        posemb_desc resolved;

        assert_int_equal(posemb_desc_resolve(&descs[i], &resolved, NULL), POSEMB_OK);
        assert_true(resolved.amplitude == amplitudes[i]);
    }
}

static void test_a_grid_cuts_the_row(void **state)
{
    const posemb_desc desc = {
        .dim = 13,
        .convention = POSEMB_MARIAN_HF,
        .grid = {.axes = 3, .count = {2, 3, 4}, .dim = {4, 6, 3}, .segment_axis = {1, 3, 2}}};
    posemb_desc resolved;

    (void)state;
    assert_int_equal(posemb_desc_resolve(&desc, &resolved, NULL), POSEMB_OK);

    const struct posemb__channels found = posemb__channels_of(&resolved);
    const uint32_t channel[] = {0, 4, 10}, axis[] = {0, 2, 1}, pairs[] = {2, 3, 2};
    const uint32_t first_step[] = {0, 2, 5};

    assert_int_equal(found.segments, 3);
    assert_int_equal(found.pairs, 7);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(found.segment[k].channel, channel[k]);
        assert_int_equal(found.segment[k].axis, axis[k]);
        assert_int_equal(found.segment[k].pairs, pairs[k]);
        assert_int_equal(found.segment[k].first_step, first_step[k]);
    }
    assert_int_equal(found.segment[2].lone, POSEMB__LONE_SINE);
    assert_int_equal(found.segment[2].lone_channel, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_has_every_convention),
        cmocka_unit_test(test_outside_of_the_table_there_is_none),
        cmocka_unit_test(test_find_takes_exact_names_alone),
        cmocka_unit_test(test_channels_of_every_convention),
        cmocka_unit_test(test_knobs_override_the_convention),
        cmocka_unit_test(test_amplitudes_of_conventions),
        cmocka_unit_test(test_a_grid_cuts_the_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
