/* Reader of config.json files: what models publish, hand-made bad files, flipped bits. */
#include "config.h"
#include "support/random.h"
#include "support/temp_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The bytes of a literal that may hold zeros, and their number. */
#define BYTES(literal) (literal), sizeof(literal) - 1
#define INVALID        POSEMB_INVALID_ARGUMENT

static posemb_status read_bytes(const void *bytes, size_t size, model_config *read,
                                posemb_error *error)
{
    char path[TEMP_PATH_SIZE];

    temp_file_write(&test_folder, "in.json", bytes, size, path);

    const posemb_status status = config_read(path, read, error);

    assert_int_equal(unlink(path), 0);
    return status;
}

static model_config read_good(const char *text)
{
    model_config read;
    posemb_error error = {0};

    if (read_bytes(text, strlen(text), &read, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    return read;
}

static void assert_zeros(const model_config *read)
{
    static const model_config zeros;

    assert_memory_equal(read, &zeros, sizeof zeros);
}

static void assert_refused(const void *bytes, size_t size, const char *words)
{
    model_config read;
    posemb_error error = {0};

    memset(&read, 0xee, sizeof read);
    if (read_bytes(bytes, size, &read, &error) != INVALID)
        fail_msg("\"%s\" expected, but: %s", words, error.message);
    assert_int_equal(error.status, INVALID);
    assert_said(&error, "in.json: ");
    assert_said(&error, words);
    assert_null(strchr(error.message, '\n'));
    assert_zeros(&read);
}

/* ---- Good files */

/* The keys of all-MiniLM-L6-v2, in their order. */
#define BERT                                                                                       \
    "{\n  \"architectures\": [\n    \"BertModel\"\n  ],\n  \"hidden_act\": \"gelu\",\n"            \
    "  \"hidden_dropout_prob\": 0.1,\n  \"hidden_size\": 384,\n  \"layer_norm_eps\": 1e-12,\n"     \
    "  \"max_position_embeddings\": 512,\n  \"model_type\": \"bert\",\n"                           \
    "  \"pad_token_id\": 0,\n  \"position_embedding_type\": \"absolute\",\n"                       \
    "  \"type_vocab_size\": 2,\n  \"use_cache\": true,\n  \"vocab_size\": 30522\n}\n"

static void test_reads_the_keys_of_bert(void **state)
{
    const model_config read = read_good(BERT);

    (void)state;
    assert_true(read.has_model_type);
    assert_string_equal(read.model_type, "bert");
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
    assert_true(read.layer_norm_eps == 1e-12);
    assert_true(read.has_position_embedding_type);
    assert_string_equal(read.position_embedding_type, "absolute");
    assert_false(read.has_embedding_size);
    assert_false(read.has_rms_norm_eps);
    assert_false(read.has_scale_embedding);
    assert_false(read.has_sinusoidal);
}

static void test_reads_synonyms(void **state)
{
    model_config read = read_good("{\"n_embd\":768,\"n_positions\":1024,"
                                  "\"layer_norm_epsilon\":1e-05,\"model_type\":\"gpt2\"}");

    (void)state;
    assert_int_equal(read.hidden_size, 768);
    assert_int_equal(read.max_position_embeddings, 1024);
    assert_true(read.layer_norm_eps == 1e-05);
    read = read_good("{\"d_model\":512,\"scale_embedding\":true}");
    assert_int_equal(read.hidden_size, 512);
    assert_true(read.has_scale_embedding && read.scale_embedding);
    read = read_good("{\"dim\":768,\"sinusoidal_pos_embds\":false}");
    assert_int_equal(read.hidden_size, 768);
    assert_true(read.has_sinusoidal && !read.sinusoidal);
    read = read_good("{\"emb_dim\":2048,\"sinusoidal_embeddings\":true}");
    assert_int_equal(read.hidden_size, 2048);
    assert_true(read.sinusoidal);
    read = read_good("{\"hidden_size\":1024,\"word_embed_proj_dim\":512}");
    assert_int_equal(read.embedding_size, 512);
    read = read_good("{\"hidden_size\":8,\"d_model\":8,\"n_embd\":8}");
    assert_int_equal(read.hidden_size, 8);
}

static void test_accepts_what_it_does_not_need(void **state)
{
    model_config read = read_good("{}");

    (void)state;
    assert_zeros(&read);
    read = read_good(" { \"pad_token_id\" : null } ");
    assert_zeros(&read);
    read = read_good("{\"hidden_sizes\":\"x\",\"text_config\":{\"hidden_size\":\"y\"},\"\":[[]]}");
    assert_zeros(&read);
}

static void test_accepts_the_ends_of_ranges(void **state)
{
    model_config read =
        read_good("{\"hidden_size\":65536,\"vocab_size\":4294967295,\"type_vocab_size\":0,"
                  "\"pad_token_id\":-1,\"rms_norm_eps\":1,\"layer_norm_eps\":5e-324}");

    (void)state;
    assert_int_equal(read.hidden_size, 65536);
    assert_int_equal(read.vocab_size, UINT32_MAX);
    assert_true(read.has_type_vocab_size);
    assert_true(read.has_pad_token_id);
    assert_int_equal(read.pad_token_id, -1);
    assert_true(read.rms_norm_eps == 1.0);
    assert_true(read.layer_norm_eps > 0.0);
}

/* ---- Bad files */

static void test_refuses_bad_files(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } files[] = {
        {BYTES(""), "line 1, column 0: '[' or '{' expected"},
        {BYTES("{"), "line 1, column 1: string or '}' expected"},
        {BYTES("}"), "line 1, column 1: '[' or '{' expected"},
        {BYTES("[]"), "in.json: not a JSON object"},
        {BYTES("1"), "'[' or '{' expected"},
        {BYTES("\"hidden_size\""), "'[' or '{' expected"},
        {BYTES("null"), "'[' or '{' expected"},
        {BYTES("{}x"), "end of file expected near 'x'"},
        {BYTES("{}\0"), "end of file expected"},
        {BYTES("{}{}"), "end of file expected near '{'"},
        {BYTES("\xef\xbb\xbf{}"), "'[' or '{' expected"},
        {BYTES("{\"a\":1,}"), "string or '}' expected"},
        {BYTES("{'a':1}"), "string or '}' expected"},
        {BYTES("{\"a\":NaN}"), "invalid token"},
        {BYTES("{\"a\":Infinity}"), "invalid token"},
        {BYTES("{\"a\":// no\n1}"), "invalid token"},
        {BYTES("{\"a\":1e400}"), "real number overflow"},
        {BYTES("{\"a\":18446744073709551616}"), "too big integer"},
        {BYTES("{\"vocab_size\":99999999999999999999}"), "too big integer"},
        {BYTES("{\"a\xff\":1}"), "unable to decode byte 0xff"},
        {BYTES("{\"model_type\":\"\xc0\x80\"}"), "unable to decode byte 0xc0"},
        {BYTES("{\"a\\u0000\":1}"), "NUL byte"},
        {BYTES("{\"model_type\":\"a\\u0000\"}"), "is not allowed"},
        {BYTES("{\"dim\":8,\"dim\":8}"), "duplicate object key"},
        {BYTES("{\"dim\":8,\"\\u0064im\":8}"), "duplicate object key"},
        {BYTES("{\"x\":{\"y\":1,\"y\":2}}"), "duplicate object key"},
        {BYTES("\x93NUMPY\1\0\2\0{}"), "unable to decode byte 0x93"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].bytes, files[i].size, files[i].words);
}

static void test_refuses_bad_values(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } files[] = {
        {"{\"hidden_size\":0}", "hidden_size: a whole number in 1 ... 65536 is needed, not 0"},
        {"{\"hidden_size\":65537}", "not 65537"},
        {"{\"hidden_size\":-1}", "not -1"},
        {"{\"hidden_size\":8.0}", "hidden_size: a whole number in 1 ... 65536 is needed, not 8.0"},
        {"{\"hidden_size\":\"8\"}", "is needed, not \\\"8\\\""},
        {"{\"hidden_size\":true}", "is needed, not true"},
        {"{\"hidden_size\":null}", "is needed, not null"},
        {"{\"hidden_size\":[8]}", "is needed, not [8]"},
        {"{\"hidden_size\":{\"a\":1}}", "is needed, not {\\\"a\\\":1}"},
        {"{\"d_model\":0}", "d_model: a whole number"},
        {"{\"embedding_size\":0}", "embedding_size: a whole number"},
        {"{\"vocab_size\":0}", "vocab_size: a whole number in 1 ... 4294967295 is needed, not 0"},
        {"{\"vocab_size\":4294967296}", "not 4294967296"},
        {"{\"vocab_size\":9223372036854775807}", "not 9223372036854775807"},
        {"{\"vocab_size\":1e3}", "not 1000.0"},
        {"{\"max_position_embeddings\":0}", "max_position_embeddings: a whole number in 1"},
        {"{\"n_positions\":-9223372036854775808}", "n_positions: a whole number"},
        {"{\"type_vocab_size\":-1}", "type_vocab_size: a whole number in 0 ... 4294967295"},
        {"{\"pad_token_id\":-2}", "pad_token_id: null, or a whole number in -1 ... 4294967295"},
        {"{\"pad_token_id\":4294967296}", "not 4294967296"},
        {"{\"pad_token_id\":\"0\"}", "not \\\"0\\\""},
        {"{\"pad_token_id\":[0,1]}", "not [0,1]"},
        {"{\"layer_norm_eps\":0}", "layer_norm_eps: a number above 0, at most 1, is needed, not 0"},
        {"{\"layer_norm_eps\":-1e-5}", "layer_norm_eps: a number above 0"},
        {"{\"layer_norm_eps\":1.5}", "not 1.5"},
        {"{\"layer_norm_eps\":\"1e-5\"}", "not \\\"1e-5\\\""},
        {"{\"layer_norm_epsilon\":false}", "layer_norm_epsilon: a number above 0"},
        {"{\"rms_norm_eps\":[]}", "rms_norm_eps: a number above 0"},
        {"{\"model_type\":1}", "model_type: a string of 1 ... 63 printable characters is needed"},
        {"{\"model_type\":\"\"}", "not \\\"\\\""},
        {"{\"model_type\":\"a\\nb\"}", "not \\\"a\\\\nb\\\""},
        {"{\"model_type\":\"\\u00e9\"}", "not \\\"\\xc3\\xa9\\\""},
        {"{\"model_type\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
         "model_type: a string of 1 ... 63 printable"},
        {"{\"position_embedding_type\":null}", "position_embedding_type: a string"},
        {"{\"scale_embedding\":1}", "scale_embedding: true or false is needed, not 1"},
        {"{\"scale_embedding\":\"true\"}", "not \\\"true\\\""},
        {"{\"sinusoidal_pos_embds\":0}", "sinusoidal_pos_embds: true or false"},
        {"{\"hidden_size\":8,\"d_model\":16}", "d_model is 16, but hidden_size is 8"},
        {"{\"dim\":8,\"n_embd\":16}", "dim is 8, but n_embd is 16"},
        {"{\"n_positions\":8,\"max_position_embeddings\":9}",
         "n_positions is 8, but max_position_embeddings is 9"},
        {"{\"layer_norm_eps\":1e-5,\"layer_norm_epsilon\":1e-6}", "but layer_norm_eps is 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].text, strlen(files[i].text), files[i].words);
}

static void test_refuses_deep_nesting(void **state)
{
    static char text[200001];

    (void)state;
    memset(text, '[', 100000);
    memset(text + 100000, ']', 100000);
    memcpy(text, "{\"a\":", 5);
    text[200000] = '}';
    assert_refused(text, sizeof text, "maximum parsing depth reached");
}

static void test_refuses_a_large_file(void **state)
{
    const size_t most = 1048576;
    char *text = malloc(most + 1);
    model_config read;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', most + 1);
    memcpy(text, "{\"dim\":8}", 9);
    assert_int_equal(read_bytes(text, most, &read, NULL), POSEMB_OK);
    assert_int_equal(read.hidden_size, 8);
    assert_refused(text, most + 1, "size: 1048577 bytes, more than 1048576");
    free(text);
}

static void test_says_why_a_file_cannot_be_opened(void **state)
{
    model_config read;
    posemb_error error;
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_path(&test_folder, "missing.json", path);
    assert_int_equal(config_read(path, &read, &error), INVALID);
    assert_said(&error, "missing.json: cannot be opened");
    assert_zeros(&read);
    assert_int_equal(config_read(NULL, &read, NULL), INVALID);
    assert_int_equal(config_read(test_folder.path, &read, &error), INVALID);
    assert_said(&error, "not a regular file");
}

/* What was read is within its ranges, or there is a message. */
static void assert_survived(posemb_status status, const model_config *read,
                            const posemb_error *error)
{
    if (status != POSEMB_OK) {
        assert_in_range(strlen(error->message), 1, POSEMB_MESSAGE_SIZE - 1);
        assert_zeros(read);
        return;
    }
    assert_in_range(read->hidden_size, read->has_hidden_size ? 1 : 0, POSEMB_DIM_MAX);
    assert_in_range(read->vocab_size, read->has_vocab_size ? 1 : 0, UINT32_MAX);
    assert_true(read->pad_token_id >= -1);
    assert_true(read->layer_norm_eps >= 0.0 && read->layer_norm_eps <= 1.0);
    assert_true(strlen(read->model_type) < CONFIG_TEXT_SIZE);
}

static void test_survives_every_truncated_file(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof BERT - 1; cut++) {
        model_config read;
        posemb_error error = {0};
        const posemb_status status = read_bytes(BERT, cut, &read, &error);

        assert_survived(status, &read, &error);
        if (cut < sizeof BERT - 2) /* without the last newline it is whole */
            assert_int_equal(status, INVALID);
    }
}

static void test_survives_every_flipped_bit(void **state)
{
    char text[] = BERT;

    (void)state;
    for (size_t bit = 0; bit < (sizeof text - 1) * 8; bit++) {
        model_config read;
        posemb_error error = {0};

        text[bit / 8] = (char)(text[bit / 8] ^ (char)(1 << bit % 8));

        const posemb_status status = read_bytes(text, sizeof text - 1, &read, &error);

        assert_survived(status, &read, &error);
        text[bit / 8] = (char)(text[bit / 8] ^ (char)(1 << bit % 8));
    }
}

static void test_survives_random_damage(void **state)
{
    struct support_random random = support_random_from(20);

    (void)state;
    for (int i = 0; i < 4000; i++) {
        char text[] = BERT;
        const int64_t times = support_random_int(&random, 1, 4);
        model_config read;
        posemb_error error = {0};

        for (int64_t k = 0; k < times; k++)
            text[support_random_int(&random, 0, sizeof text - 2)] =
                "0123456789{}[]\":,-.eE+ntfu\\"[support_random_int(&random, 0, 26)];

        const posemb_status status = read_bytes(text, sizeof text - 1, &read, &error);

        assert_survived(status, &read, &error);
    }
}

/* ---- Models */

static const char *model_of(const char *text)
{
    const model_config read = read_good(text);

    return config_model_name(&read);
}

static void test_names_the_model(void **state)
{
    static const char *const pairs[][2] = {
        {"bert", "bert"},
        {"distilbert", "bert"},
        {"gpt2", "gpt2"},
        {"roberta", "roberta"},
        {"xlm-roberta", "roberta"},
        {"camembert", "roberta"},
        {"opt", "opt"},
        {"esm", "esm"},
        {"bart", "bart"},
        {"mbart", "mbart"},
        {"marian", "marian"},
        {"m2m_100", "m2m100"},
        {"xglm", "xglm"},
        {"fsmt", "fsmt"},
        {"musicgen_decoder", "musicgen"},
        {"whisper", "whisper-decoder"},
        {"ctrl", "ctrl"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        model_config read = {.has_model_type = true};

        memcpy(read.model_type, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(config_model_name(&read), pairs[i][1]);
    }
    assert_null(model_of("{}"));
    assert_null(model_of("{\"model_type\":\"llama\"}"));
    assert_null(model_of("{\"model_type\":\"BERT\"}"));
    assert_null(model_of("{\"model_type\":\"bert\",\"position_embedding_type\":\"relative_key\"}"));
    assert_null(model_of("{\"model_type\":\"esm\",\"position_embedding_type\":\"rotary\"}"));
    assert_string_equal(model_of(BERT), "bert");
    assert_string_equal(model_of("{\"model_type\":\"distilbert\",\"sinusoidal_pos_embds\":true}"),
                        "distilbert");
    assert_string_equal(model_of("{\"model_type\":\"xlm\",\"sinusoidal_embeddings\":true}"), "xlm");
}

/* Every name that it gives is one of the library's. */
static void test_names_models_that_exist(void **state)
{
    static const char *const types[] = {"bert",
                                        "albert",
                                        "electra",
                                        "convbert",
                                        "squeezebert",
                                        "distilbert",
                                        "xlm",
                                        "blenderbot",
                                        "blenderbot-small",
                                        "gpt2",
                                        "openai-gpt",
                                        "gpt_neo",
                                        "gpt_bigcode",
                                        "whisper",
                                        "roberta",
                                        "xlm-roberta",
                                        "xlm-roberta-xl",
                                        "roberta-prelayernorm",
                                        "camembert",
                                        "data2vec-text",
                                        "mpnet",
                                        "longformer",
                                        "esm",
                                        "opt",
                                        "biogpt",
                                        "bart",
                                        "mvp",
                                        "mbart",
                                        "plbart",
                                        "marian",
                                        "pegasus",
                                        "m2m_100",
                                        "nllb-moe",
                                        "xglm",
                                        "fsmt",
                                        "speech_to_text",
                                        "musicgen_decoder",
                                        "ctrl"};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int sinusoidal = 0; sinusoidal < 2; sinusoidal++) {
            model_config read = {
                .has_model_type = true, .has_sinusoidal = true, .sinusoidal = sinusoidal != 0};

            memcpy(read.model_type, types[i], strlen(types[i]));
            assert_non_null(posemb_model_find(config_model_name(&read)));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_the_keys_of_bert),
        cmocka_unit_test(test_reads_synonyms),
        cmocka_unit_test(test_accepts_what_it_does_not_need),
        cmocka_unit_test(test_accepts_the_ends_of_ranges),
        cmocka_unit_test(test_refuses_bad_files),
        cmocka_unit_test(test_refuses_bad_values),
        cmocka_unit_test(test_refuses_deep_nesting),
        cmocka_unit_test(test_refuses_a_large_file),
        cmocka_unit_test(test_says_why_a_file_cannot_be_opened),
        cmocka_unit_test(test_survives_every_truncated_file),
        cmocka_unit_test(test_survives_every_flipped_bit),
        cmocka_unit_test(test_survives_random_damage),
        cmocka_unit_test(test_names_the_model),
        cmocka_unit_test(test_names_models_that_exist),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
