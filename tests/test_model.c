/* The table of models, held against a second writing of it. */
#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ENCODE = POSEMB_ENCODE, ADD = POSEMB_ADD, TABLE = POSEMB_TABLE };

/* Written from a survey of the models' code, not from the table; a learned model has no convention.
 */
static const struct expected {
    const char *name;
    int convention;
    int operation;
    int rule;
    int padding;
    int64_t pad_id;
    int policy;
    int64_t start;
    bool root_of_d;
    uint32_t multiple;
} models[] = {
    {"transformer", POSEMB_VASWANI, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 1},
    {"tensor2tensor", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 1},
    {"fairseq", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_COUNT, POSEMB_PADDING_TOKEN, 1,
     POSEMB_PAD_ZERO_POSITION, 1, true, 1},
    {"m2m100", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_COUNT, POSEMB_PADDING_TOKEN, 1,
     POSEMB_PAD_ZERO_POSITION, 1, true, 1},
    {"xglm", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 2, true, 1},
    {"speech2text", POSEMB_T2T, ADD, POSEMB_POSITIONS_COUNT, POSEMB_PADDING_MASK, 0,
     POSEMB_PAD_ZERO_POSITION, 1, true, 1},
    {"fsmt", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_COUNT, POSEMB_PADDING_TOKEN, 1,
     POSEMB_PAD_ZERO_POSITION, 1, true, 1},
    {"musicgen", POSEMB_T2T, ADD, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 1},
    {"whisper-encoder", POSEMB_T2T, ADD, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 2},
    {"marian", POSEMB_MARIAN_HF, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 1},
    {"marian-cpp", POSEMB_MARIAN_CPP, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 1},
    {"opennmt-py", POSEMB_VASWANI, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 2},
    {"opennmt-py-concat", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 2},
    {"opennmt-tf", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 1, true, 2},
    {"ctranslate2", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 1, true, 2},
    {"lightseq", POSEMB_T2T, ENCODE, POSEMB_POSITIONS_COUNT_BEFORE, POSEMB_PADDING_TOKEN, 1,
     POSEMB_PAD_ZERO_ROW, 0, true, 1},
    {"espnet", POSEMB_VASWANI, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 2},
    {"keras-hub", POSEMB_VASWANI, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 1},
    {"distilbert", POSEMB_VASWANI, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 1},
    {"ctrl", POSEMB_MARIAN_HF, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, true, 1},
    {"transformer-xl", POSEMB_MARIAN_HF, TABLE, POSEMB_POSITIONS_EXPLICIT_SHARED,
     POSEMB_PADDING_NONE, 0, POSEMB_PAD_COMPUTED, 0, false, 2},
    {"roformer", POSEMB_MARIAN_HF, TABLE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 2},
    {"stable-diffusion", POSEMB_DIT, TABLE, POSEMB_POSITIONS_EXPLICIT, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 1},
    {"ddpm", POSEMB_DDPM, TABLE, POSEMB_POSITIONS_EXPLICIT, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 1},
    {"dit", POSEMB_DIT, TABLE, POSEMB_POSITIONS_EXPLICIT, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 1},
    {"mae", POSEMB_MARIAN_HF, ADD, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 4},
    {"detr", POSEMB_DETR, TABLE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 1, false, 4},
    {"x-transformers", POSEMB_XTRANSFORMERS, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 2},
    {"mlx", POSEMB_MLX, TABLE, POSEMB_POSITIONS_EXPLICIT, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 2},
    {"bert", 0, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0, POSEMB_PAD_COMPUTED, 0,
     false, 1},
    {"gpt2", 0, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0, POSEMB_PAD_COMPUTED, 0,
     false, 1},
    {"roberta", 0, ENCODE, POSEMB_POSITIONS_COUNT, POSEMB_PADDING_TOKEN, 1, POSEMB_PAD_COMPUTED, 1,
     false, 1},
    {"opt", 0, ENCODE, POSEMB_POSITIONS_COUNT, POSEMB_PADDING_MASK, 0, POSEMB_PAD_COMPUTED, 1,
     false, 1},
    {"esm", 0, ENCODE, POSEMB_POSITIONS_COUNT, POSEMB_PADDING_TOKEN, 1, POSEMB_PAD_ZERO_ROW, 1,
     false, 1},
    {"bart", 0, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0, POSEMB_PAD_COMPUTED, 2,
     false, 1},
    {"mbart", 0, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0, POSEMB_PAD_COMPUTED, 2,
     true, 1},
    {"whisper-decoder", 0, ENCODE, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0,
     POSEMB_PAD_COMPUTED, 0, false, 1},
    {"vit", 0, ADD, POSEMB_POSITIONS_INDEX, POSEMB_PADDING_NONE, 0, POSEMB_PAD_COMPUTED, 0, false,
     1},
};

static const struct {
    const char *alias;
    const char *name;
} aliases[] = {
    {"mvp", "bart"},         {"plbart", "mbart"},
    {"nllb", "m2m100"},      {"whisper", "whisper-encoder"},
    {"marian-hf", "marian"}, {"xlm", "distilbert"},
    {"xlm-r", "roberta"},    {"camembert", "roberta"},
};

static const size_t model_count = sizeof models / sizeof *models;
static const size_t alias_count = sizeof aliases / sizeof *aliases;

/* A field whose 0 stands for a default. */
static int in_force(int value, int standard)
{
    return value ? value : standard;
}

static posemb_desc preset(const char *name, uint32_t dim, int64_t *start)
{
    posemb_error error = {.message = ""};
    posemb_desc desc;

    memset(&desc, 0xa5, sizeof desc); /* the preset has to write it all */
    if (posemb_model_preset(name, dim, &desc, start, &error) != POSEMB_OK)
        fail_msg("%s: %s", name, error.message);
    return desc;
}

static void test_the_table_has_every_model_once(void **state)
{
    (void)state;
    assert_int_equal(posemb_model_count(), model_count);
    for (size_t i = 0; i < model_count; i++) {
        const posemb_model_info *info = posemb_model_find(models[i].name);

        assert_non_null(info);
        assert_string_equal(info->name, models[i].name);
        assert_int_equal(info->learned, models[i].convention == 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(models[i].name, models[k].name);
    }
}

static void test_every_row_has_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < posemb_model_count(); i++) {
        const posemb_model_info *info = posemb_model_at(i);

        assert_non_null(info);
        assert_ptr_equal(posemb_model_find(info->name), info);
        assert_non_null(info->aliases);
        assert_true(strlen(info->summary) > 0);
        assert_true(strlen(info->source) > 0);
    }
}

static void test_outside_of_the_table_there_is_none(void **state)
{
    (void)state;
    assert_null(posemb_model_at(posemb_model_count()));
    assert_null(posemb_model_at(SIZE_MAX));
}

/* Calls `visit` with every alias of the table, one word at a time. */
static void visit_aliases(void (*visit)(const posemb_model_info *info, const char *alias))
{
    for (size_t i = 0; i < posemb_model_count(); i++) {
        const posemb_model_info *info = posemb_model_at(i);
        char words[128];

        assert_true(strlen(info->aliases) < sizeof words);
        snprintf(words, sizeof words, "%s", info->aliases);
        for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
            visit(info, word);
    }
}

static size_t aliases_seen;

static void check_alias(const posemb_model_info *info, const char *alias)
{
    size_t known = 0;

    aliases_seen++;
    assert_ptr_equal(posemb_model_find(alias), info);
    for (size_t i = 0; i < posemb_model_count(); i++)
        assert_string_not_equal(posemb_model_at(i)->name, alias);
    for (size_t i = 0; i < alias_count; i++)
        known += strcmp(aliases[i].alias, alias) == 0 && strcmp(aliases[i].name, info->name) == 0;
    assert_int_equal(known, 1);
}

static void test_every_alias_finds_its_model_alone(void **state)
{
    (void)state;
    aliases_seen = 0;
    visit_aliases(check_alias);
    assert_int_equal(aliases_seen, alias_count);
}

static void test_find_takes_exact_names_alone(void **state)
{
    static const char *const names[] = {"",       " ",        "Fairseq",         "fairse",
                                        "xlm-",   "xlm-r ",   "xlm-r camembert", "camember",
                                        "nllb\n", "amembert", "roberta ",        "r"};

    (void)state;
    assert_null(posemb_model_find(NULL));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_null(posemb_model_find(names[i]));
}

static void test_presets_are_what_the_models_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_count; i++) {
        const struct expected *model = &models[i];
        int64_t start = INT64_MIN;
        const posemb_desc desc = preset(model->name, 64, &start);

        assert_int_equal(desc.dim, 64);
        assert_int_equal(desc.convention, model->convention);
        assert_int_equal(in_force((int)desc.operation, ENCODE), model->operation);
        assert_int_equal(in_force((int)desc.positions, POSEMB_POSITIONS_INDEX), model->rule);
        assert_int_equal(in_force((int)desc.padding, POSEMB_PADDING_NONE), model->padding);
        assert_int_equal(desc.pad_id, model->pad_id);
        assert_int_equal(in_force((int)desc.pad_policy, POSEMB_PAD_COMPUTED), model->policy);
        assert_int_equal(start, model->start);
    }
}

static void test_token_scales(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_count; i++) {
        const float found = preset(models[i].name, 64, NULL).token_scale;

        assert_true(found == (models[i].root_of_d ? 8.0f : 0.0f));
    }
    assert_true(preset("transformer", 1, NULL).token_scale == 1.0f);
    /* Square roots that round, to the nearest float. */
    assert_true(preset("m2m100", 512, NULL).token_scale == 0x1.6a09e6p+4f);
    assert_true(preset("m2m100", 768, NULL).token_scale == 0x1.bb67aep+4f);
    assert_true(preset("m2m100", POSEMB_DIM_MAX, NULL).token_scale == 256.0f);
}

static void test_knobs_of_the_sinusoids(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_count; i++) {
        const posemb_desc desc = preset(models[i].name, 64, NULL);
        const bool cosines = strcmp(models[i].name, "musicgen") == 0;

        assert_int_equal(desc.first, cosines ? POSEMB_COSINE_FIRST : POSEMB_FIRST_DEFAULT);
        assert_int_equal(desc.layout, POSEMB_LAYOUT_DEFAULT);
        assert_int_equal(desc.denominator, POSEMB_DENOMINATOR_DEFAULT);
        assert_int_equal(desc.odd, POSEMB_ODD_DEFAULT);
        assert_true(desc.base == 0.0 || desc.base == 10000.0);
        assert_true(desc.position_scale == 0.0 || desc.position_scale == 1.0);
        assert_true(desc.amplitude == 0.0f);
        assert_null(desc.frequencies);
        assert_null(desc.phases);
        assert_int_equal(desc.frequency_count, 0);
    }
}

static void test_float_positions(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_count; i++) {
        const posemb_desc desc = preset(models[i].name, 64, NULL);
        const bool explicit_positions = desc.positions == POSEMB_POSITIONS_EXPLICIT ||
                                        desc.positions == POSEMB_POSITIONS_EXPLICIT_SHARED;

        assert_int_equal(desc.position_type,
                         explicit_positions ? POSEMB_FLOAT32 : POSEMB_NUMBER_DEFAULT);
        if (explicit_positions) /* the only start that float positions may have */
            assert_int_equal(models[i].start, 0);
    }
}

static void test_grids(void **state)
{
    const posemb_desc mae = preset("mae", 1024, NULL);
    const posemb_desc detr = preset("detr", 256, NULL);

    (void)state;
    for (size_t i = 0; i < model_count; i++)
        assert_int_equal(preset(models[i].name, 64, NULL).grid.axes,
                         models[i].multiple == 4 ? 2 : 0);
    /* Axis 1 is y, axis 2 is x. */
    assert_int_equal(mae.grid.segment_axis[0], 2);
    assert_int_equal(mae.grid.segment_axis[1], 1);
    assert_int_equal(in_force((int)detr.grid.segment_axis[0], 1), 1);
    assert_int_equal(in_force((int)detr.grid.segment_axis[1], 2), 2);
    for (size_t axis = 0; axis < POSEMB_AXES_MAX; axis++) {
        assert_int_equal(mae.grid.count[axis], 0);
        assert_int_equal(detr.grid.count[axis], 0);
        assert_int_equal(mae.grid.dim[axis], 0);
        assert_int_equal(detr.grid.dim[axis], 0);
    }
}

static void test_an_alias_has_the_preset_of_its_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < alias_count; i++) {
        int64_t start = 0;
        int64_t alias_start = 0;
        const posemb_desc desc = preset(aliases[i].name, 64, &start);
        const posemb_desc alias_desc = preset(aliases[i].alias, 64, &alias_start);

        assert_int_equal(alias_desc.convention, desc.convention);
        assert_int_equal(alias_desc.positions, desc.positions);
        assert_int_equal(alias_desc.padding, desc.padding);
        assert_int_equal(alias_start, start);
    }
}

/* The call fails, says `part` and writes nothing. */
static void expect_refusal(const char *name, uint32_t dim, const char *part)
{
    posemb_desc desc;
    posemb_desc before;
    int64_t start = 77;
    posemb_error error = {.message = ""};

    memset(&desc, 0xa5, sizeof desc);
    memset(&before, 0xa5, sizeof before);
    assert_int_equal(posemb_model_preset(name, dim, &desc, &start, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_int_equal(error.status, POSEMB_INVALID_ARGUMENT);
    assert_int_equal(error.cl_code, 0);
    assert_non_null(strstr(error.message, part));
    assert_memory_equal(&desc, &before, sizeof desc);
    assert_int_equal(start, 77);
    assert_int_equal(posemb_model_preset(name, dim, &desc, NULL, NULL), POSEMB_INVALID_ARGUMENT);
}

static void test_names_that_are_none_are_refused(void **state)
{
    (void)state;
    expect_refusal(NULL, 64, "name is NULL");
    expect_refusal("", 64, "name is \"\"");
    expect_refusal("fairseq3", 64, "\"fairseq3\"");
    expect_refusal("xlm-r camembert", 64, "\"xlm-r camembert\"");
}

static void test_a_place_for_the_preset_is_needed(void **state)
{
    posemb_error error = {.message = ""};
    int64_t start = 77;

    (void)state;
    assert_int_equal(posemb_model_preset("bert", 64, NULL, &start, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_string_equal(error.message, "desc is NULL");
    assert_int_equal(start, 77);
}

static void test_dims_out_of_range_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_count; i++) {
        expect_refusal(models[i].name, 0, "dim is 0");
        expect_refusal(models[i].name, POSEMB_DIM_MAX + 1, "dim is 65537");
        expect_refusal(models[i].name, UINT32_MAX, "dim is 4294967295");
        preset(models[i].name, POSEMB_DIM_MAX, NULL);
        preset(models[i].name, models[i].multiple, NULL);
    }
}

static void test_dims_that_a_model_cannot_have_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_count; i++)
        for (uint32_t dim = 1; dim <= 64; dim++) {
            char part[32];

            snprintf(part, sizeof part, "dim is %u,", (unsigned)dim);
            if (dim % models[i].multiple != 0)
                expect_refusal(models[i].name, dim, part);
            else
                assert_int_equal(preset(models[i].name, dim, NULL).dim, dim);
        }
}

static void test_presets_are_valid_descriptions(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_count; i++)
        for (uint32_t dim = models[i].multiple; dim <= 64; dim += models[i].multiple) {
            posemb_error error = {.message = ""};
            posemb_desc desc = preset(models[i].name, dim, NULL);

            for (uint32_t axis = 0; axis < desc.grid.axes; axis++)
                desc.grid.count[axis] = 14;
            if (posemb_desc_resolve(&desc, &desc, &error) != POSEMB_OK)
                fail_msg("%s, dim %u: %s", models[i].name, (unsigned)dim, error.message);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_has_every_model_once),
        cmocka_unit_test(test_every_row_has_its_words),
        cmocka_unit_test(test_outside_of_the_table_there_is_none),
        cmocka_unit_test(test_every_alias_finds_its_model_alone),
        cmocka_unit_test(test_find_takes_exact_names_alone),
        cmocka_unit_test(test_presets_are_what_the_models_do),
        cmocka_unit_test(test_token_scales),
        cmocka_unit_test(test_knobs_of_the_sinusoids),
        cmocka_unit_test(test_float_positions),
        cmocka_unit_test(test_grids),
        cmocka_unit_test(test_an_alias_has_the_preset_of_its_model),
        cmocka_unit_test(test_names_that_are_none_are_refused),
        cmocka_unit_test(test_a_place_for_the_preset_is_needed),
        cmocka_unit_test(test_dims_out_of_range_are_refused),
        cmocka_unit_test(test_dims_that_a_model_cannot_have_are_refused),
        cmocka_unit_test(test_presets_are_valid_descriptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
