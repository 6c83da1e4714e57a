/* The embedding stage in a GGUF file: llama.cpp's names, keys that contradict, damaged files. */
#include "model_file.h"
#include "support/random.h"
#include "support/temp_file.h"
#include "support/tensors.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INVALID  POSEMB_INVALID_ARGUMENT
#define FILE_MAX 16384u

#define KEYS                                                                                       \
    "general.architecture str bert\nbert.embedding_length u32 8\nbert.context_length u32 6\n"      \
    "bert.vocab_size u32 10\nbert.attention.layer_norm_epsilon f32 1e-12\n"                        \
    "tokenizer.ggml.token_type_count u32 2\ntokenizer.ggml.padding_token_id u32 0\n"

#define BERT                                                                                       \
    "token_embd_norm.bias F32 8\ntoken_embd_norm.weight F32 8\ntoken_types.weight F32 2,8\n"       \
    "position_embd.weight F32 6,8\ntoken_embd.weight F32 10,8\n"                                   \
    "blk.0.attn_output_norm.weight F32 8\n"

static size_t build(const char *keys, const char *list, unsigned char file[FILE_MAX])
{
    static struct test_tensors tensors;

    test_tensors_parse(list, &tensors);
    return test_tensors_to_gguf(keys, &tensors, file, FILE_MAX);
}

static posemb_status open_bytes(const void *bytes, size_t size, const char *prefix,
                                model_file **file, posemb_error *error)
{
    char path[TEMP_PATH_SIZE];

    temp_file_write(&test_folder, "model.gguf", bytes, size, path);

    const posemb_status status = model_file_open(path, prefix, file, error);

    assert_int_equal(unlink(path), 0);
    return status;
}

static posemb_status open_list(const char *keys, const char *list, const char *prefix,
                               model_file **file, posemb_error *error)
{
    static unsigned char bytes[FILE_MAX];

    return open_bytes(bytes, build(keys, list, bytes), prefix, file, error);
}

static model_file *open_good(const char *keys, const char *list, const char *prefix)
{
    model_file *file = NULL;
    posemb_error error = {0};

    if (open_list(keys, list, prefix, &file, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_non_null(file);
    return file;
}

static void assert_refused(const char *keys, const char *list, const char *words)
{
    model_file *file = NULL;
    posemb_error error = {0};

    if (open_list(keys, list, NULL, &file, &error) != INVALID)
        fail_msg("\"%s\" expected, but: %s", words, error.message);
    assert_null(file);
    assert_said(&error, "model.gguf: ");
    assert_said(&error, words);
    assert_null(strchr(error.message, '\n'));
}

/* ---- Names */

static void assert_part(const model_file *file, model_part part, const char *name, uint64_t rows)
{
    const model_tensor *tensor = model_file_part(file, part);

    if (!name) {
        assert_null(tensor->name);
        return;
    }
    assert_string_equal(tensor->name, name);
    assert_int_equal(tensor->storage, POSEMB_F32);
    assert_int_equal(tensor->rows, rows);
    assert_int_equal(tensor->dim, 8);
    assert_null(tensor->scales_name);
}

static void test_finds_parts(void **state)
{
    static const struct {
        const char *list;
        const char *prefix;
        const char *names[MODEL_PART_COUNT];
    } files[] = {
        {BERT,
         NULL,
         {"token_embd.weight", "position_embd.weight", "token_types.weight",
          "token_embd_norm.weight", "token_embd_norm.bias"}},
        {"token_embd.weight F32 10,8\noutput.weight F32 10,8\noutput_norm.weight F32 8\n"
         "blk.0.attn_norm.weight F32 8\nper_layer_token_embd.weight F32 10,16\n",
         NULL,
         {"token_embd.weight", NULL, NULL, NULL, NULL}},
        {"v.position_embd.weight F32 5,8\nt.token_embd.weight F32 10,8\n"
         "t.position_embd.weight F32 6,8\n",
         "t",
         {"t.token_embd.weight", "t.position_embd.weight", NULL, NULL, NULL}},
        /* Files of before llama.cpp's names */
        {"embeddings.word_embeddings.weight F32 10,8\nembeddings.LayerNorm.bias F32 8\n",
         NULL,
         {"embeddings.word_embeddings.weight", NULL, NULL, NULL, "embeddings.LayerNorm.bias"}},
    };
    static const uint64_t rows[MODEL_PART_COUNT] = {10, 6, 2, 1, 1};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        model_file *file = open_good("", files[i].list, files[i].prefix);

        for (unsigned part = 0; part < MODEL_PART_COUNT; part++)
            assert_part(file, (model_part)part, files[i].names[part], rows[part]);
        model_file_close(file);
    }
}

static void test_reads_blocks(void **state)
{
    static const struct {
        const char *type;
        posemb_storage storage;
    } types[] = {{"Q8_0", POSEMB_Q8_0}, {"Q4_0", POSEMB_Q4_0}, {"Q4_1", POSEMB_Q4_1},
                 {"Q5_0", POSEMB_Q5_0}, {"Q5_1", POSEMB_Q5_1}, {"Q2_K", POSEMB_Q2_K},
                 {"Q3_K", POSEMB_Q3_K}, {"Q4_K", POSEMB_Q4_K}, {"Q5_K", POSEMB_Q5_K},
                 {"Q6_K", POSEMB_Q6_K}, {"BF16", POSEMB_BF16}};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        static unsigned char bytes[FILE_MAX];
        static unsigned char row[2048];
        const size_t row_bytes = (size_t)posemb_storage_row_bytes(types[i].storage, 512);
        char path[TEMP_PATH_SIZE];
        char list[64];
        model_file *file = NULL;

        snprintf(list, sizeof list, "token_embd.weight %s 3,512\n", types[i].type);
        temp_file_write(&test_folder, "model.gguf", bytes, build("", list, bytes), path);
        assert_int_equal(model_file_open(path, NULL, &file, NULL), POSEMB_OK);
        assert_int_equal(model_file_part(file, MODEL_WORDS)->storage, types[i].storage);
        assert_int_equal(model_file_part(file, MODEL_WORDS)->dim, 512);
        assert_int_equal(model_file_part(file, MODEL_WORDS)->bytes, 3 * row_bytes);
        assert_int_equal(model_file_read_rows(file, MODEL_WORDS, 2, 1, row, row_bytes, NULL),
                         POSEMB_OK);
        for (size_t k = 0; k < row_bytes; k++)
            assert_int_equal(row[k], (2 * row_bytes + k) & 255);
        model_file_close(file);
        assert_int_equal(unlink(path), 0);
    }
}

static void test_refuses_other_types(void **state)
{
    static const struct {
        const char *list;
        const char *words;
    } files[] = {
        {"token_embd.weight IQ4_NL 2,32\n",
         "tensor \"token_embd.weight\": type: IQ4_NL, but F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, "
         "Q5_1 or Q2_K ... Q6_K is needed"},
        {"token_embd.weight I8 2,32\ntoken_embd.scales F32 2\n", "type: I8, but F32, F16"},
        {"token_embd.weight F32 2,32\ntoken_embd_norm.weight Q8_0 32\n",
         "gamma \"token_embd_norm.weight\": type: Q8_0, which a table alone can have"},
        {"token_embd.weight F32 2,32\ntoken_embd_norm.bias Q4_1 32\n", "beta \"token_embd_norm"},
        {"token_embd.weight Q8_0 2,64\nposition_embd.weight Q8_0 2,32\n",
         "positions \"position_embd.weight\": dim: 32, but the token table has 64"},
        {"token_embd.weight F32 32\n", "shape: [32] is not [at least 1, 1 ... 65536]"},
        {"position_embd.weight F32 2,32\n", "words: no tensor has the name of a token table"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused("", files[i].list, files[i].words);
}

/* ---- Keys */

static void test_takes_the_keys_as_config(void **state)
{
    model_file *file = open_good(KEYS, BERT, NULL);
    const model_config *config = model_file_config(file);

    (void)state;
    assert_non_null(config);
    assert_string_equal(config->architecture, "bert");
    assert_int_equal(config->hidden_size, 8);
    assert_true(config->has_position_table);
    assert_string_equal(config_model_name(config), "bert");
    model_file_close(file);
}

static void test_reads_no_json_beside(void **state)
{
    char path[TEMP_PATH_SIZE];
    model_file *file;

    (void)state;
    temp_file_write(&test_folder, "config.json", "{\"hidden_size\":5}", 17, path);
    file = open_good("", BERT, NULL);
    assert_non_null(model_file_config(file));
    assert_false(model_file_config(file)->has_hidden_size);
    model_file_close(file);
    assert_int_equal(unlink(path), 0);
}

static void test_checks_keys_against_shapes(void **state)
{
    static const struct {
        const char *keys;
        const char *words;
    } files[] = {
        {"general.architecture str bert\nbert.embedding_length u32 9\n",
         "words \"token_embd.weight\": dim: 8, but bert.embedding_length has 9"},
        {"general.architecture str x\nx.vocab_size u32 11\n", "rows: 10, but x.vocab_size has 11"},
        {"general.architecture str bert\nbert.vocab_size u32 4294967295\n", "has 4294967295"},
        {"general.architecture str bert\nbert.context_length u32 7\n",
         "positions \"position_embd.weight\": rows: 6, but bert.context_length has 7"},
        {"tokenizer.ggml.token_type_count u32 3\n",
         "types \"token_types.weight\": rows: 2, but tokenizer.ggml.token_type_count has 3"},
        {"general.architecture str bert\nbert.embedding_length u32 0\n",
         "bert.embedding_length: a whole number in 1 ... 65536 is needed, not 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].keys, BERT, files[i].words);
    /* Rotations have no table. */
    model_file_close(open_good("general.architecture str llama\nllama.context_length u32 131072\n",
                               "token_embd.weight Q4_K 3,256\n", NULL));
}

/* ---- Damage */

/* Open a file of these bytes, and read every row of what is there. Returns whether it opened. */
static bool survives(const void *bytes, size_t size)
{
    char path[TEMP_PATH_SIZE];
    model_file *file = NULL;
    posemb_error error = {0};

    temp_file_write(&test_folder, "model.gguf", bytes, size, path);
    if (model_file_open(path, NULL, &file, &error) != POSEMB_OK) {
        assert_null(file);
        assert_in_range(strlen(error.message), 1, POSEMB_MESSAGE_SIZE - 1);
        return false;
    }
    for (unsigned i = 0; i < MODEL_PART_COUNT; i++) {
        const model_tensor *tensor = model_file_part(file, (model_part)i);
        unsigned char data[4096];

        if (!tensor->name)
            continue;
        assert_in_range(tensor->bytes, 1, sizeof data);
        assert_int_equal(posemb_storage_row_bytes(tensor->storage, tensor->dim) * tensor->rows,
                         tensor->bytes);
        assert_int_equal(
            model_file_read_rows(file, (model_part)i, 0, tensor->rows, data, sizeof data, NULL),
            POSEMB_OK);
    }
    model_file_close(file);
    return true;
}

/* The tensors fill their last 32 bytes, so that no byte is padding. */
static const char tables[] = "token_embd.weight Q8_0 16,32\nposition_embd.weight F16 6,32\n"
                             "token_types.weight F32 2,32\ntoken_embd_norm.weight F32 32\n";
static const char keys[] = "general.architecture str bert\nbert.embedding_length u32 32\n"
                           "bert.context_length u32 6\ntokenizer.ggml.token_type_count u32 2\n";

static void test_survives_every_truncated_file(void **state)
{
    static unsigned char bytes[FILE_MAX];
    const size_t size = build(keys, tables, bytes);

    (void)state;
    for (size_t cut = 0; cut < size; cut++)
        assert_false(survives(bytes, cut));
    assert_true(survives(bytes, size));
}

static void test_survives_every_flipped_bit(void **state)
{
    static unsigned char bytes[FILE_MAX];
    const size_t size = build(keys, tables, bytes);
    size_t opened = 0;

    (void)state;
    for (size_t bit = 0; bit < 560 * 8; bit++) { /* the header, and some of the data */
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        opened += survives(bytes, size);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_in_range(opened, 1, 560 * 8);
}

static void test_survives_random_damage(void **state)
{
    static unsigned char bytes[FILE_MAX];
    struct support_random random = support_random_from(47);

    (void)state;
    for (int i = 0; i < 4000; i++) {
        const size_t size = build(keys, tables, bytes);

        for (int64_t left = support_random_int(&random, 1, 4); left > 0; left--)
            bytes[support_random_int(&random, 8, 480)] =
                (unsigned char)support_random_int(&random, 0, 255);
        survives(bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_parts),
        cmocka_unit_test(test_reads_blocks),
        cmocka_unit_test(test_refuses_other_types),
        cmocka_unit_test(test_takes_the_keys_as_config),
        cmocka_unit_test(test_reads_no_json_beside),
        cmocka_unit_test(test_checks_keys_against_shapes),
        cmocka_unit_test(test_survives_every_truncated_file),
        cmocka_unit_test(test_survives_every_flipped_bit),
        cmocka_unit_test(test_survives_random_damage),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
