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
    assert_int_equal(posemb_convention_count(), 3);
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
    assert_null(posemb_convention_at(3));
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

static void test_channels_of_every_convention(void **state)
{
    static const struct {
        posemb_convention convention;
        uint32_t dim;
        struct posemb__channels channels;
    } rows[] = {
        {POSEMB_VASWANI, 1, {true, 1, 0, 0, POSEMB__LONE_SINE, 0, 2, 1}},
        {POSEMB_VASWANI, 4, {true, 2, 2, 2, POSEMB__LONE_NONE, 3, 2, 4}},
        {POSEMB_VASWANI, 5, {true, 3, 2, 2, POSEMB__LONE_SINE, 4, 2, 5}},
        {POSEMB_T2T, 1, {false, 0, 0, 0, POSEMB__LONE_ZERO, 0, 1, 1}},
        {POSEMB_T2T, 2, {false, 1, 1, 1, POSEMB__LONE_NONE, 1, 1, 1}},
        {POSEMB_T2T, 4, {false, 2, 2, 2, POSEMB__LONE_NONE, 3, 1, 1}},
        {POSEMB_T2T, 6, {false, 3, 3, 3, POSEMB__LONE_NONE, 5, 1, 2}},
        {POSEMB_T2T, 7, {false, 3, 3, 3, POSEMB__LONE_ZERO, 6, 1, 2}},
        {POSEMB_MARIAN_HF, 1, {false, 1, 0, 1, POSEMB__LONE_SINE, 0, 2, 1}},
        {POSEMB_MARIAN_HF, 4, {false, 2, 2, 2, POSEMB__LONE_NONE, 3, 2, 4}},
        {POSEMB_MARIAN_HF, 5, {false, 3, 2, 3, POSEMB__LONE_SINE, 2, 2, 5}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {.dim = rows[i].dim, .convention = rows[i].convention};
        const struct posemb__channels found = posemb__channels_of(&desc);

        assert_int_equal(found.interleaved, rows[i].channels.interleaved);
        assert_int_equal(found.pairs, rows[i].channels.pairs);
        assert_int_equal(found.full_pairs, rows[i].channels.full_pairs);
        assert_int_equal(found.cosine_offset, rows[i].channels.cosine_offset);
        assert_int_equal(found.lone, rows[i].channels.lone);
        assert_int_equal(found.lone_channel, rows[i].channels.lone_channel);
        assert_int_equal(found.numerator, rows[i].channels.numerator);
        assert_int_equal(found.denominator, rows[i].channels.denominator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_has_every_convention),
        cmocka_unit_test(test_outside_of_the_table_there_is_none),
        cmocka_unit_test(test_find_takes_exact_names_alone),
        cmocka_unit_test(test_channels_of_every_convention),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
