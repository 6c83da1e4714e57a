/* llama.cpp's keys and architectures: what they say, and values that they cannot have. */
#include "gguf_config.h"
#include "support/temp_file.h"
#include "support/tensors.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INVALID POSEMB_INVALID_ARGUMENT

/* The config of a file with these keys and tensors. */
static posemb_status read_keys(const char *keys, const char *list, model_config *read,
                               posemb_error *error)
{
    static unsigned char bytes[16384];
    static struct test_tensors tensors;
    char path[TEMP_PATH_SIZE];
    tensor_file *file = NULL;
    posemb_status status;

    test_tensors_parse(list, &tensors);
    temp_file_write(&test_folder, "in.gguf", bytes,
                    test_tensors_to_gguf(keys, &tensors, bytes, sizeof bytes), path);
    if (tensor_file_open(path, &file, error) != POSEMB_OK)
        fail_msg("%s", error->message);
    assert_int_equal(unlink(path), 0);
    status = gguf_config_read(file, read, error);
    tensor_file_close(file);
    return status;
}

static model_config read_good(const char *keys, const char *list)
{
    model_config read;
    posemb_error error = {0};

    if (read_keys(keys, list, &read, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    return read;
}

static void test_reads_the_keys_of_bert(void **state)
{
    const model_config read =
        read_good("general.architecture str bert\nbert.block_count u32 12\n"
                  "bert.context_length u32 512\nbert.embedding_length u32 384\n"
                  "bert.vocab_size u32 30522\nbert.attention.layer_norm_epsilon f32 1e-12\n"
                  "tokenizer.ggml.token_type_count u32 2\ntokenizer.ggml.padding_token_id u32 0\n",
                  "");

    (void)state;
    assert_true(read.has_architecture);
    assert_string_equal(read.architecture, "bert");
    assert_false(read.has_model_type);
    assert_true(read.has_hidden_size);
    assert_int_equal(read.hidden_size, 384);
    assert_true(read.has_vocab_size);
    assert_int_equal(read.vocab_size, 30522);
    assert_true(read.has_max_position_embeddings);
    assert_int_equal(read.max_position_embeddings, 512);
    assert_true(read.has_type_vocab_size);
    assert_int_equal(read.type_vocab_size, 2);
    assert_true(read.has_pad_token_id);
    assert_int_equal(read.pad_token_id, 0);
    assert_true(read.has_layer_norm_eps);
    assert_true((float)read.layer_norm_eps == 1e-12f);
    assert_false(read.has_rms_norm_eps);
    assert_false(read.has_scale_embedding);
    assert_false(read.has_token_scale);
    assert_false(read.has_position_table);
    assert_string_equal(config_model_name(&read), "bert");
}

static void test_reads_a_file_without_keys(void **state)
{
    static const model_config zeros;
    model_config read = read_good("", "");

    (void)state;
    assert_memory_equal(&read, &zeros, sizeof zeros);
    assert_null(config_model_name(&read));
    read = read_good("bert.vocab_size u32 0\nllama.embedding_length str x\n", "");
    assert_memory_equal(&read, &zeros, sizeof zeros); /* no architecture's: all keys but these */
    read = read_good("tokenizer.ggml.padding_token_id u32 4294967295\n", "");
    assert_int_equal(read.pad_token_id, UINT32_MAX);
}

/* Of another architecture than the file's. */
static void test_passes_over_other_keys(void **state)
{
    const model_config read = read_good("general.architecture str llama\n"
                                        "bert.embedding_length u32 0\n"
                                        "llama.attention.layer_norm_rms_epsilon f32 1e-6\n",
                                        "");

    (void)state;
    assert_false(read.has_hidden_size);
    assert_true(read.has_rms_norm_eps);
    assert_true((float)read.rms_norm_eps == 1e-6f);
}

static void test_knows_architectures(void **state)
{
    static const struct {
        const char *architecture;
        const char *model;
    } known[] = {
        {"bert", "bert"},  {"gpt2", "gpt2"},           {"starcoder", "gpt2"},
        {"mpt", "none"},   {"nomic-bert", "none"},     {"nomic-bert-moe", "none"},
        {"bloom", "none"}, {"jina-bert-v2", "none"},   {"llama", "none"},
        {"qwen3", "none"}, {"gemma3", "none"},         {"command-r", "none"},
        {"t5", "none"},    {"t5encoder", "none"},      {"granite", "none"},
        {"whisper", NULL}, {"wavtokenizer-dec", NULL}, {"BERT", NULL},
        {"none", NULL},    {"roberta", NULL},          {"clip", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char keys[128];

        snprintf(keys, sizeof keys, "general.architecture str %s\n", known[i].architecture);

        const model_config read = read_good(keys, "");

        assert_string_equal(read.architecture, known[i].architecture);
        if (known[i].model)
            assert_string_equal(config_model_name(&read), known[i].model);
        else
            assert_null(config_model_name(&read));
    }
}

static void test_mpt_may_have_a_table(void **state)
{
    const model_config read =
        read_good("general.architecture str mpt\n",
                  "token_embd.weight F32 2,8\nposition_embd.weight F32 2,8\n");

    (void)state;
    assert_true(read.has_position_table);
    assert_string_equal(config_model_name(&read), "gpt2");
}

static void test_knows_scales(void **state)
{
    static const struct {
        const char *keys;
        double scale; /* 0: none; -1: the square root of D */
    } files[] = {
        {"general.architecture str llama\n", 0.0},
        {"general.architecture str gemma\n", -1.0},
        {"general.architecture str gemma2\n", -1.0},
        {"general.architecture str gemma3\ngemma3.embedding_scale f32 3\n", -1.0},
        {"general.architecture str minicpm\n", 12.0},
        {"general.architecture str minicpm\nminicpm.embedding_scale f32 1.5\n", 1.5},
        {"general.architecture str minicpm\nminicpm.embedding_scale f32 0\n", 1.0},
        {"general.architecture str granite\n", 0.0},
        {"general.architecture str granite\ngranite.embedding_scale f32 12\n", 12.0},
        {"general.architecture str granite\ngranite.embedding_scale f32 -0.5\n", -0.5},
        {"general.architecture str granite\ngranite.embedding_scale f64 1e-300\n", 1.0},
        {"general.architecture str unheard-of\nunheard-of.embedding_scale f32 2\n", 2.0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const model_config read = read_good(files[i].keys, "");
        const bool is_root = files[i].scale == -1.0;

        assert_int_equal(read.has_scale_embedding, is_root);
        assert_int_equal(read.scale_embedding, is_root);
        assert_int_equal(read.has_token_scale, !is_root && files[i].scale != 0.0);
        if (read.has_token_scale)
            assert_true(read.token_scale == files[i].scale);
    }
}

#define LONG_NAME "0123456789012345678901234567890123456789012345678901234567890123"

static void test_refuses_bad_values(void **state)
{
    static const struct {
        const char *keys;
        const char *words;
    } files[] = {
        {"general.architecture u32 1\n", "general.architecture"},
        {"general.architecture str " LONG_NAME "\n",
         "general.architecture: a string of 1 ... 63 printable characters is needed, not \"0123"},
        {"general.architecture str b\xc3\xa9\n", "is needed, not \"b\\xc3\\xa9\""},
        {"general.architecture str bert\nbert.embedding_length u32 0\n",
         "bert.embedding_length: a whole number in 1 ... 65536 is needed, not 0"},
        {"general.architecture str bert\nbert.embedding_length u32 65537\n", "not 65537"},
        {"general.architecture str bert\nbert.embedding_length i32 -4\n", "bert.embedding_length"},
        {"general.architecture str bert\nbert.embedding_length f32 4\n", "bert.embedding_length"},
        {"general.architecture str bert\nbert.embedding_length str 4\n", "bert.embedding_length"},
        {"general.architecture str bert\nbert.vocab_size u32 0\n",
         "bert.vocab_size: a whole number in 1 ... 4294967295 is needed, not 0"},
        {"general.architecture str bert\nbert.context_length bool true\n", "bert.context_length"},
        {"general.architecture str bert\nbert.attention.layer_norm_epsilon f32 0\n",
         "bert.attention.layer_norm_epsilon: a number above 0, at most 1, is needed, not 0"},
        {"general.architecture str bert\nbert.attention.layer_norm_epsilon f32 nan\n", "not nan"},
        {"general.architecture str bert\nbert.attention.layer_norm_epsilon u32 1\n",
         "bert.attention.layer_norm_epsilon"},
        {"general.architecture str qwen2\nqwen2.attention.layer_norm_rms_epsilon f32 1.5\n",
         "qwen2.attention.layer_norm_rms_epsilon: a number above 0, at most 1, is needed, not 1.5"},
        {"general.architecture str granite\ngranite.embedding_scale f32 inf\n",
         "granite.embedding_scale: a finite float is needed, not inf"},
        {"general.architecture str granite\ngranite.embedding_scale f32 nan\n", "not nan"},
        {"tokenizer.ggml.padding_token_id i32 -1\n", "tokenizer.ggml.padding_token_id"},
        {"tokenizer.ggml.token_type_count str two\n", "tokenizer.ggml.token_type_count"},
    };
    static const model_config zeros;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        model_config read;
        posemb_error error = {0};

        memset(&read, 0xee, sizeof read);
        if (read_keys(files[i].keys, "", &read, &error) != INVALID)
            fail_msg("\"%s\" expected, but: %s", files[i].words, error.message);
        assert_said(&error, "in.gguf: ");
        assert_said(&error, files[i].words);
        assert_memory_equal(&read, &zeros, sizeof zeros);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_the_keys_of_bert),
        cmocka_unit_test(test_reads_a_file_without_keys),
        cmocka_unit_test(test_passes_over_other_keys),
        cmocka_unit_test(test_knows_architectures),
        cmocka_unit_test(test_mpt_may_have_a_table),
        cmocka_unit_test(test_knows_scales),
        cmocka_unit_test(test_refuses_bad_values),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
