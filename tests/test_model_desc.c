/* Descriptions of the stages in models' files; and one table of a file as its words. */
#include "model_desc.h"

#include "support/temp_file.h"
#include "support/tensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INVALID  POSEMB_INVALID_ARGUMENT
#define FILE_MAX 4096u

#define WORDS     "embeddings.word_embeddings.weight F16 10,4\n"
#define POSITIONS "embeddings.position_embeddings.weight F32 6,4\n"
#define TYPES     "embeddings.token_type_embeddings.weight BF16 2,4\n"
#define NORM      "embeddings.LayerNorm.weight F16 4\nembeddings.LayerNorm.bias F16 4\n"

static const model_advice advice = {
    .file = "FILE", .model = "name a model", .positions = "name another"};

static void write_file(const char *list, char path[TEMP_PATH_SIZE])
{
    static struct test_tensors tensors;
    static unsigned char bytes[FILE_MAX];

    test_tensors_parse(list, &tensors);
    temp_file_write(&test_folder, "model.safetensors", bytes,
                    test_tensors_to_safetensors(&tensors, bytes, FILE_MAX), path);
}

/* `config` NULL: none. */
static posemb_status make(const char *list, const char *config, const char *wanted, bool has_mask,
                          model_stage *stage, posemb_error *error)
{
    char path[TEMP_PATH_SIZE];
    char config_path[TEMP_PATH_SIZE];
    model_file *file = NULL;
    posemb_status status;

    write_file(list, path);
    temp_file_path(&test_folder, "model.config.json", config_path);
    unlink(config_path);
    if (config)
        temp_file_write(&test_folder, "model.config.json", config, strlen(config), config_path);
    assert_int_equal(model_file_open(path, NULL, &file, error), POSEMB_OK);
    status = model_desc_make(file, wanted, has_mask, &advice, stage, error);
    model_file_close(file);
    return status;
}

static model_stage stage_of(const char *list, const char *config, const char *wanted, bool has_mask)
{
    model_stage stage;
    posemb_desc resolved;
    posemb_error error;

    if (make(list, config, wanted, has_mask, &stage, &error) != POSEMB_OK ||
        posemb_desc_resolve(&stage.desc, &resolved, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    return stage;
}

static void fails(const char *list, const char *config, const char *wanted, const char *words)
{
    model_stage stage;
    posemb_error error;

    assert_int_equal(make(list, config, wanted, false, &stage, &error), INVALID);
    assert_said(&error, words);
}

static void test_a_whole_stage(void **state)
{
    const model_stage stage =
        stage_of(WORDS POSITIONS TYPES NORM, "{\"model_type\":\"bert\"}", NULL, false);

    (void)state;
    assert_string_equal(stage.model, "bert");
    assert_int_equal(stage.desc.dim, 4);
    assert_int_equal(stage.desc.tokens.storage, POSEMB_F16);
    assert_int_equal(stage.desc.position_kind, POSEMB_LEARNED);
    assert_int_equal(stage.desc.position_table.storage, POSEMB_F32);
    assert_int_equal(stage.desc.extras[0].ids, POSEMB_EXTRA_CONSTANT);
    assert_int_equal(stage.desc.extras[0].table.storage, POSEMB_BF16);
    assert_int_equal(stage.desc.norm, POSEMB_NORM_LAYER);
    assert_int_equal(stage.desc.norm_storage, POSEMB_F16);
    assert_true(stage.desc.epsilon == 1e-12f);
    for (unsigned part = 0; part < MODEL_PART_COUNT; part++)
        assert_true(stage.uses[part]);
}

static void test_stored_sinusoids_are_not_used(void **state)
{
    const model_stage stage = stage_of(
        WORDS POSITIONS, "{\"model_type\":\"marian\",\"scale_embedding\":true}", NULL, false);

    (void)state;
    assert_int_equal(stage.desc.convention, POSEMB_MARIAN_HF);
    assert_int_equal(stage.desc.position_kind, POSEMB_POSITION_KIND_DEFAULT);
    assert_int_equal(stage.desc.norm, POSEMB_NORM_DEFAULT);
    assert_true(stage.desc.token_scale == 2.0f);
    assert_false(stage.uses[MODEL_POSITIONS] || stage.uses[MODEL_TYPES] || stage.uses[MODEL_GAMMA]);
}

static void test_norms(void **state)
{
    model_stage stage = stage_of(WORDS "embeddings.LayerNorm.weight F32 4\n",
                                 "{\"rms_norm_eps\":1e-3}", "none", false);

    (void)state;
    assert_int_equal(stage.desc.norm, POSEMB_NORM_RMS);
    assert_int_equal(stage.desc.beta, POSEMB_BETA_NONE);
    assert_true(stage.desc.epsilon == 1e-3f);
    stage = stage_of(WORDS NORM, "{\"layer_norm_eps\":1e-300}", "none", false);
    assert_int_equal(stage.desc.norm, POSEMB_NORM_LAYER);
    assert_true(stage.desc.epsilon > 0.0f);
    stage = stage_of(WORDS NORM, NULL, "none", false);
    assert_true(stage.desc.epsilon == 1e-5f);
    stage = stage_of(WORDS "embeddings.LayerNorm.bias F32 4\n", NULL, "none", false);
    assert_int_equal(stage.desc.norm, POSEMB_NORM_DEFAULT); /* no gamma, no norm */
    assert_false(stage.uses[MODEL_BETA]);
}

static void test_pads(void **state)
{
    static const char opt[] = "{\"model_type\":\"opt\",\"pad_token_id\":7}";
    model_stage stage =
        stage_of(WORDS POSITIONS, "{\"model_type\":\"roberta\",\"pad_token_id\":3}", NULL, false);

    (void)state;
    assert_int_equal(stage.desc.padding, POSEMB_PADDING_TOKEN);
    assert_int_equal(stage.desc.pad_id, 3);
    assert_int_equal(stage.start, 3);
    stage = stage_of(WORDS POSITIONS, "{\"model_type\":\"roberta\"}", NULL, true);
    assert_int_equal(stage.desc.padding, POSEMB_PADDING_MASK);
    assert_int_equal(stage.desc.positions, POSEMB_POSITIONS_COUNT);
    assert_int_equal(stage.desc.pad_id, 0);
    stage = stage_of(WORDS POSITIONS, opt, NULL, false);
    assert_int_equal(stage.desc.padding, POSEMB_PADDING_NONE);
    assert_int_equal(stage.desc.positions, POSEMB_POSITIONS_INDEX);
    assert_int_equal(stage.start, 2);
    stage = stage_of(WORDS POSITIONS, opt, NULL, true);
    assert_int_equal(stage.desc.padding, POSEMB_PADDING_MASK);
    assert_int_equal(stage.start, 1);
}

static void test_which_model(void **state)
{
    model_stage stage = stage_of(WORDS, "{\"model_type\":\"bert\"}", "nllb", false);

    (void)state;
    assert_string_equal(stage.model, "m2m100"); /* the name, not the alias */
    assert_int_equal(stage.desc.convention, POSEMB_T2T);
    stage = stage_of(WORDS, "{\"model_type\":\"llama\"}", "none", false);
    assert_string_equal(stage.model, "none");
    assert_int_equal(stage.desc.position_kind, POSEMB_NO_POSITION);
    fails(WORDS, NULL, NULL, "FILE: no config says which model it is; name a model");
    fails(WORDS, "{\"vocab_size\":10}", NULL, "no config says");
    fails(WORDS, "{\"model_type\":\"llama\"}", NULL,
          "FILE: its config has model_type \"llama\", whose positions are not known; name a model");
    fails(WORDS, "{\"model_type\":\"bert\",\"position_embedding_type\":\"rotary\"}", NULL,
          "\"bert\" with positions rotary");
    fails(WORDS, NULL, "no\nsense", "model: \"no\\x0asense\" is none");
    fails(WORDS, "{\"model_type\":\"bert\"}", NULL,
          "FILE: the positions of model \"bert\" are a learned table, and the file has none; name "
          "another");
    fails(WORDS, NULL, "mlx2", "\"mlx2\"");
}

/* ---- Tables */

static posemb_status open_table(const char *list, const char *tensor, model_file **file,
                                posemb_error *error)
{
    char path[TEMP_PATH_SIZE];
    char whole[TEMP_PATH_SIZE + 64];

    write_file(list, path);
    snprintf(whole, sizeof whole, "%s%s", path, tensor);
    return model_file_open_table(whole, file, error);
}

static void test_one_table(void **state)
{
    model_file *file;
    posemb_error error;
    const model_tensor *table;

    (void)state;
    assert_int_equal(open_table("a F32 3\nb BF16 2,3\n", "", &file, &error), POSEMB_OK);
    table = model_file_part(file, MODEL_WORDS);
    assert_string_equal(table->name, "b");
    assert_int_equal(table->rows, 2);
    assert_int_equal(table->dim, 3);
    assert_null(model_file_config(file));
    assert_null(model_file_tensor(file, MODEL_POSITIONS));
    assert_null(model_file_tensor(file, (model_part)9));
    assert_null(model_file_scales(file, (model_part)9));
    model_file_close(file);

    assert_int_equal(
        open_table("a.weight I8 2,3\na.scales F32 2\nb F32 2,3\n", ":a.weight", &file, &error),
        POSEMB_OK);
    assert_string_equal(model_file_scales(file, MODEL_WORDS)->name, "a.scales");
    assert_int_equal(model_file_part(file, MODEL_WORDS)->scaling, POSEMB_SCALE_OF_ROW);
    model_file_close(file);
}

static void test_tables_that_are_not_there(void **state)
{
    static const struct {
        const char *list;
        const char *tensor;
        const char *words;
    } bad[] = {
        {"a F32 2,3\nb F32 2,3\n", "", "name one"},
        {"a F32 3\n", "", "two dimensions"},
        {"a F32 3\n", ":a", "words \"a\": shape: [3]"},
        {"a F32 2,3\n", ":b", "\"b\""},
        {"a F32 2,3\n", ":", "no tensor"},
        {"a U8 2,3\n", "", "U8"},
        {"a I8 2,3\n", "", "without scales"},
    };
    model_file *file;
    posemb_error error;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_table(bad[i].list, bad[i].tensor, &file, &error), INVALID);
        assert_said(&error, bad[i].words);
        assert_null(file);
    }
    assert_int_equal(model_file_open_table(NULL, &file, &error), INVALID);
    assert_int_equal(model_file_open_table("/nowhere", &file, &error), INVALID);
    assert_said(&error, "/nowhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_stage),
        cmocka_unit_test(test_stored_sinusoids_are_not_used),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_pads),
        cmocka_unit_test(test_which_model),
        cmocka_unit_test(test_one_table),
        cmocka_unit_test(test_tables_that_are_not_there),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
