/* The embedding stage in a model's file: every naming, contradictions, damaged files. */
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
#include <sys/stat.h>
#include <unistd.h>

#define INVALID  POSEMB_INVALID_ARGUMENT
#define FILE_MAX 16384u

/* ---- Files from short lists */

static size_t build(const char *list, unsigned char file[FILE_MAX])
{
    static struct test_tensors tensors;

    test_tensors_parse(list, &tensors);
    return test_tensors_to_safetensors(&tensors, file, FILE_MAX);
}

static void write_list(const char *list, char path[TEMP_PATH_SIZE])
{
    static unsigned char bytes[FILE_MAX];

    temp_file_write(&test_folder, "model.safetensors", bytes, build(list, bytes), path);
}

static void remove_files(void)
{
    static const char *const names[] = {"model.safetensors", "model.config.json", "config.json"};
    char path[TEMP_PATH_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        temp_file_path(&test_folder, names[i], path);
        unlink(path);
    }
    assert_int_equal(temp_folder_count(&test_folder), 0);
}

/* `config`: NULL for none. */
static posemb_status open_list(const char *list, const char *config, const char *prefix,
                               model_file **file, posemb_error *error)
{
    char path[TEMP_PATH_SIZE];

    if (config)
        temp_file_write(&test_folder, "config.json", config, strlen(config), path);
    write_list(list, path);

    const posemb_status status = model_file_open(path, prefix, file, error);

    remove_files();
    return status;
}

static model_file *open_good(const char *list, const char *config, const char *prefix)
{
    model_file *file = NULL;
    posemb_error error = {0};

    if (open_list(list, config, prefix, &file, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_non_null(file);
    return file;
}

static void assert_part(const model_file *file, model_part part, const char *name, uint64_t rows,
                        uint64_t dim)
{
    const model_tensor *tensor = model_file_part(file, part);

    if (!name) {
        assert_null(tensor->name);
        assert_int_equal(tensor->rows, 0);
        assert_int_equal(tensor->storage, 0);
        return;
    }
    assert_string_equal(tensor->name, name);
    assert_int_equal(tensor->rows, rows);
    assert_int_equal(tensor->dim, dim);
}

/* ---- Names */

typedef struct naming {
    const char *list;
    const char *prefix;
    const char *names[MODEL_PART_COUNT];
} naming;

#define BERT                                                                                       \
    "embeddings.word_embeddings.weight F32 10,4\n"                                                 \
    "embeddings.position_embeddings.weight F32 6,4\n"                                              \
    "embeddings.token_type_embeddings.weight F32 2,4\n"                                            \
    "embeddings.LayerNorm.weight F32 4\n"                                                          \
    "embeddings.LayerNorm.bias F32 4\n"                                                            \
    "encoder.layer.0.attention.output.LayerNorm.weight F32 4\n"                                    \
    "pooler.dense.weight F32 4,4\n"

#define BART                                                                                       \
    "model.shared.weight F32 10,4\n"                                                               \
    "model.encoder.embed_positions.weight F32 6,4\n"                                               \
    "model.encoder.layernorm_embedding.weight F32 4\n"                                             \
    "model.encoder.layernorm_embedding.bias F32 4\n"                                               \
    "model.decoder.embed_positions.weight F32 6,4\n"                                               \
    "model.decoder.layernorm_embedding.weight F32 4\n"                                             \
    "model.decoder.layernorm_embedding.bias F32 4\n"

#define T5                                                                                         \
    "shared.weight F32 10,4\nencoder.embed_tokens.weight F32 10,4\n"                               \
    "decoder.embed_tokens.weight F32 10,4\nencoder.block.0.layer.0.layer_norm.weight F32 4\n"

static const naming namings[] = {
    {BERT,
     NULL,
     {"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
      "embeddings.token_type_embeddings.weight", "embeddings.LayerNorm.weight",
      "embeddings.LayerNorm.bias"}},
    {BERT,
     "",
     {"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
      "embeddings.token_type_embeddings.weight", "embeddings.LayerNorm.weight",
      "embeddings.LayerNorm.bias"}},
    {"bert.embeddings.LayerNorm.beta F32 4\nbert.embeddings.LayerNorm.gamma F32 4\n"
     "bert.embeddings.word_embeddings.weight F32 10,4\nbert.encoder.LayerNorm.gamma F32 4\n"
     "bert.embeddings.position_embeddings.weight F32 6,4\n",
     NULL,
     {"bert.embeddings.word_embeddings.weight", "bert.embeddings.position_embeddings.weight", NULL,
      "bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.beta"}},
    {"roberta.embeddings.word_embeddings.weight F16 10,4\n"
     "roberta.embeddings.position_embeddings.weight F16 6,4\n"
     "roberta.embeddings.token_type_embeddings.weight F16 1,4\n"
     "lm_head.layer_norm.weight F16 4\n",
     NULL,
     {"roberta.embeddings.word_embeddings.weight", "roberta.embeddings.position_embeddings.weight",
      "roberta.embeddings.token_type_embeddings.weight", NULL, NULL}},
    {"distilbert.embeddings.word_embeddings.weight F32 10,4\n"
     "distilbert.embeddings.position_embeddings.weight F32 6,4\n"
     "distilbert.embeddings.LayerNorm.weight F32 4\ndistilbert.embeddings.LayerNorm.bias F32 4\n",
     "distilbert",
     {"distilbert.embeddings.word_embeddings.weight",
      "distilbert.embeddings.position_embeddings.weight", NULL,
      "distilbert.embeddings.LayerNorm.weight", "distilbert.embeddings.LayerNorm.bias"}},
    {"wte.weight F32 10,4\nwpe.weight F32 6,4\nln_f.weight F32 4\nh.0.ln_1.weight F32 4\n",
     NULL,
     {"wte.weight", "wpe.weight", NULL, NULL, NULL}},
    {"transformer.wte.weight F32 10,4\ntransformer.wpe.weight F32 6,4\n",
     "transformer.",
     {"transformer.wte.weight", "transformer.wpe.weight", NULL, NULL, NULL}},
    {"transformer.tokens_embed.weight F32 10,4\ntransformer.positions_embed.weight F32 6,4\n",
     NULL,
     {"transformer.tokens_embed.weight", "transformer.positions_embed.weight", NULL, NULL, NULL}},
    {"model.decoder.embed_tokens.weight F32 10,4\nmodel.decoder.embed_positions.weight F32 6,4\n"
     "model.decoder.final_layer_norm.weight F32 4\n",
     NULL,
     {"model.decoder.embed_tokens.weight", "model.decoder.embed_positions.weight", NULL, NULL,
      NULL}},
    {"model.embed_tokens.weight BF16 10,4\nmodel.norm.weight BF16 4\nlm_head.weight BF16 10,4\n",
     NULL,
     {"model.embed_tokens.weight", NULL, NULL, NULL, NULL}},
    {"language_model.model.embed_tokens.weight BF16 10,4\n",
     NULL,
     {"language_model.model.embed_tokens.weight", NULL, NULL, NULL, NULL}},
    {"model.embeddings.tok_embeddings.weight F32 10,4\nmodel.embeddings.norm.weight F32 4\n",
     NULL,
     {"model.embeddings.tok_embeddings.weight", NULL, NULL, "model.embeddings.norm.weight", NULL}},
    {"esm.embeddings.layer_norm.weight F32 4\nesm.embeddings.word_embeddings.weight F32 10,4\n"
     "esm.embeddings.position_embeddings.weight F32 6,4\nesm.embeddings.layer_norm.bias F32 4\n",
     NULL,
     {"esm.embeddings.word_embeddings.weight", "esm.embeddings.position_embeddings.weight", NULL,
      "esm.embeddings.layer_norm.weight", "esm.embeddings.layer_norm.bias"}},
    {"word_embeddings.weight F32 10,4\nword_embeddings_layernorm.weight F32 4\n"
     "word_embeddings_layernorm.bias F32 4\n",
     NULL,
     {"word_embeddings.weight", NULL, NULL, "word_embeddings_layernorm.weight",
      "word_embeddings_layernorm.bias"}},
    {"gpt_neox.embed_in.weight F16 10,4\nembed_out.weight F16 10,4\n",
     NULL,
     {"gpt_neox.embed_in.weight", NULL, NULL, NULL, NULL}},
    /* M2M100: the table is shared, and no positions are stored */
    {"model.shared.weight F32 10,4\nlm_head.weight F32 10,4\n",
     NULL,
     {"model.shared.weight", NULL, NULL, NULL, NULL}},
    {"model.shared.weight F32 10,4\nmodel.encoder.embed_positions.weight F32 6,4\n",
     NULL,
     {"model.shared.weight", "model.encoder.embed_positions.weight", NULL, NULL, NULL}},
    {T5, NULL, {"shared.weight", NULL, NULL, NULL, NULL}},
    {T5, "decoder", {"decoder.embed_tokens.weight", NULL, NULL, NULL, NULL}},
    {BART,
     "model.encoder.",
     {"model.shared.weight", "model.encoder.embed_positions.weight", NULL,
      "model.encoder.layernorm_embedding.weight", "model.encoder.layernorm_embedding.bias"}},
    {BART,
     "model.decoder",
     {"model.shared.weight", "model.decoder.embed_positions.weight", NULL,
      "model.decoder.layernorm_embedding.weight", "model.decoder.layernorm_embedding.bias"}},
    /* Whisper: the encoder has positions and no tokens */
    {"model.encoder.embed_positions.weight F32 9,4\nmodel.decoder.embed_tokens.weight F32 10,4\n"
     "model.decoder.embed_positions.weight F32 6,4\n",
     NULL,
     {"model.decoder.embed_tokens.weight", "model.decoder.embed_positions.weight", NULL, NULL,
      NULL}},
    /* Two models in one file */
    {"a.wte.weight F32 10,4\na.wpe.weight F32 6,4\nb.wte.weight F32 10,4\nb.wpe.weight F32 6,4\n",
     "b",
     {"b.wte.weight", "b.wpe.weight", NULL, NULL, NULL}},
    /* Names that only look like a part's */
    {"wte.weight F32 10,4\nxwte.weight F32 3,3\nwte.weight.x F32 3,3\nembeddings.weight F32 3,3\n"
     "wte.weighty F32 3,3\nshared.weights F32 3,3\n",
     NULL,
     {"wte.weight", NULL, NULL, NULL, NULL}},
};

static void test_finds_parts_by_every_naming(void **state)
{
    static const uint64_t rows[MODEL_PART_COUNT] = {10, 6, 2, 1, 1};

    (void)state;
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++) {
        model_file *file = open_good(namings[i].list, NULL, namings[i].prefix);

        for (unsigned part = 0; part < MODEL_PART_COUNT; part++) {
            const char *name = namings[i].names[part];
            const bool one_type = name && strncmp(name, "roberta.embeddings.token", 24) == 0;

            assert_part(file, (model_part)part, name, one_type ? 1 : rows[part], 4);
        }
        assert_null(model_file_config(file));
        model_file_close(file);
    }
}

static void test_knows_storages(void **state)
{
    static const struct {
        const char *list;
        posemb_storage storage;
        uint64_t bytes;
    } files[] = {{"wte.weight F32 3,2\n", POSEMB_F32, 24},
                 {"wte.weight F16 3,2\n", POSEMB_F16, 12},
                 {"wte.weight BF16 3,2\n", POSEMB_BF16, 12},
                 {"wte.weight I8 3,2\nwte.weight_scale F32 1\n", POSEMB_I8, 6}};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        model_file *file = open_good(files[i].list, NULL, NULL);
        const model_tensor *words = model_file_part(file, MODEL_WORDS);

        assert_int_equal(words->storage, files[i].storage);
        assert_int_equal(words->bytes, files[i].bytes);
        model_file_close(file);
    }
}

static void test_part_names(void **state)
{
    (void)state;
    assert_string_equal(model_part_name(MODEL_WORDS), "words");
    assert_string_equal(model_part_name(MODEL_BETA), "beta");
    assert_string_equal(model_part_name((model_part)5), "unknown");
    assert_string_equal(model_part_name((model_part)-1), "unknown");
}

/* ---- Scales */

static void test_finds_scales(void **state)
{
    static const struct {
        const char *list;
        const char *name;
        posemb_scaling scaling;
        uint64_t count;
    } files[] = {
        {"wte.weight I8 3,2\nwte.weight_scale F32 3\n", "wte.weight_scale", POSEMB_SCALE_OF_ROW, 3},
        {"wte.weight I8 3,2\nwte.scales F32 3,1\n", "wte.scales", POSEMB_SCALE_OF_ROW, 3},
        {"wte.weight I8 3,2\nwte.scales F32 1\n", "wte.scales", POSEMB_SCALE_OF_TABLE, 1},
        {"wte.weight I8 3,2\nwte.scales F32 -\n", "wte.scales", POSEMB_SCALE_OF_TABLE, 1},
        {"wte.weight I8 1,2\nwte.scales F32 1,1\n", "wte.scales", POSEMB_SCALE_OF_ROW, 1},
        {"m.wte.weight I8 3,2\nwte.scales F32 9\nm.wte.scales F32 3\nm.wte.scales.x F32 3\n",
         "m.wte.scales", POSEMB_SCALE_OF_ROW, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        model_file *file = open_good(files[i].list, NULL, NULL);
        const model_tensor *words = model_file_part(file, MODEL_WORDS);

        assert_string_equal(words->scales_name, files[i].name);
        assert_int_equal(words->scaling, files[i].scaling);
        assert_int_equal(words->scales, files[i].count);
        model_file_close(file);
    }
}

static void test_floats_have_no_scales(void **state)
{
    model_file *file = open_good("wte.weight F32 3,2\nwte.weight_scale F32 3\n", NULL, NULL);
    float scales[3];
    posemb_error error;

    (void)state;
    assert_null(model_file_part(file, MODEL_WORDS)->scales_name);
    assert_int_equal(model_file_read_scales(file, MODEL_WORDS, 0, 0, scales, &error), INVALID);
    assert_said(&error, "words: the file has no scales of them");
    model_file_close(file);
}

/* ---- What must not be */

static void assert_refused(const char *list, const char *config, const char *prefix,
                           const char *words)
{
    model_file *file = NULL;
    posemb_error error = {0};

    if (open_list(list, config, prefix, &file, &error) != INVALID)
        fail_msg("\"%s\" expected, but: %s", words, error.message);
    assert_null(file);
    assert_int_equal(error.status, INVALID);
    assert_said(&error, words);
    assert_null(strchr(error.message, '\n'));
}

static void test_refuses_what_is_ambiguous_or_missing(void **state)
{
    static const struct {
        const char *list;
        const char *prefix;
        const char *words;
    } files[] = {
        {"", NULL, "model.safetensors: words: no tensor has the name of a token table"},
        {"table F32 10,4\n", NULL, "words: no tensor has the name of a token table"},
        {"wpe.weight F32 6,4\n", NULL, "words: no tensor has the name of a token table"},
        {BERT, "bert", "words: no tensor with the prefix \"bert.\" has the name of a token table"},
        {BERT, "embeddings.", "no tensor with the prefix \"embeddings.\""},
        {BERT, "\n", "no tensor with the prefix \"\\x0a.\""},
        {BART, "", "no tensor with the prefix \"\""},
        {BART, NULL,
         "positions: 2 tensors have the name of one: \"model.encoder.embed_positions.weight\", "
         "\"model.decoder.embed_positions.weight\"; choose by a prefix"},
        {BART, "model", "positions: 2 tensors have the name of one"},
        {"a.wte.weight F32 9,4\nb.wte.weight F32 9,4\n", NULL,
         "words: 2 tensors have the name of one: \"a.wte.weight\", \"b.wte.weight\"; choose"},
        {"encoder.embed_tokens.weight F32 9,4\ndecoder.embed_tokens.weight F32 9,4\n", NULL,
         "words: 2 tensors have the name of one"},
        {"wte.weight F32 9,4\nembed_tokens.weight F32 9,4\n", "", "words: 2 tensors"},
        {"a.shared.weight F32 9,4\nb.shared.weight F32 9,4\n", NULL, "words: 2 tensors"},
        {"a.shared.weight F32 9,4\nb.wte.weight F32 9,4\n", NULL, "words: 2 tensors"},
        {"shared.weight F32 9,4\na.b.embed_tokens.weight F32 9,4\n", NULL, "words: 2 tensors"},
        {"embeddings.word_embeddings.weight F32 9,4\nembeddings.LayerNorm.weight F32 4\n"
         "embeddings.LayerNorm.gamma F32 4\n",
         NULL,
         "gamma: 2 tensors have the name of one: \"embeddings.LayerNorm.weight\", "
         "\"embeddings.LayerNorm.gamma\""},
        {"shared.weight F32 9,4\nencoder.embed_positions.weight F32 9,4\n"
         "decoder.layernorm_embedding.weight F32 4\n",
         NULL,
         "parts of several stages: \"encoder.embed_positions.weight\", "
         "\"decoder.layernorm_embedding.weight\"; choose by a prefix"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].list, NULL, files[i].prefix, files[i].words);
}

static void test_refuses_bad_shapes_and_types(void **state)
{
    static const struct {
        const char *list;
        const char *words;
    } files[] = {
        {"wte.weight F32 10\n",
         "words \"wte.weight\": shape: [10] is not [at least 1, 1 ... 65536]"},
        {"wte.weight F32 -\n", "words \"wte.weight\": shape: [] is not"},
        {"wte.weight F32 2,2,2\n", "shape: [2, 2, 2] is not"},
        {"wte.weight F32 0,4\n", "shape: [0, 4] is not"},
        {"wte.weight F32 4,0\n", "shape: [4, 0] is not"},
        {"wte.weight I8 0,65537\n", "shape: [0, 65537] is not"},
        {"wte.weight F64 2,2\n", "tensor \"wte.weight\": type: F64, but F32, F16, BF16 or I8 is"},
        {"wte.weight BOOL 2,2\n", "type: BOOL, but"},
        {"wte.weight U8 2,2\n", "type: U8, but"},
        {"wte.weight F8_E4M3 2,2\n", "type: F8_E4M3, but"},
        {"wte.weight F32 9,4\nwpe.weight F32 6,5\n",
         "positions \"wpe.weight\": dim: 5, but the token table has 4"},
        {"wte.weight F32 9,4\nwpe.weight F32 6\n", "positions \"wpe.weight\": shape: [6] is not"},
        {"wte.weight F32 9,4\nwpe.weight F64 6,4\n", "tensor \"wpe.weight\": type: F64"},
        {"word_embeddings.weight F32 9,4\nword_embeddings_layernorm.weight F32 5\n",
         "gamma \"word_embeddings_layernorm.weight\": dim: 5, but the token table has 4"},
        {"word_embeddings.weight F32 9,4\nword_embeddings_layernorm.weight F32 1,4\n",
         "gamma \"word_embeddings_layernorm.weight\": shape: [1, 4] is not [1 ... 65536]"},
        {"word_embeddings.weight F32 9,4\nword_embeddings_layernorm.bias F32 0\n",
         "beta \"word_embeddings_layernorm.bias\": shape: [0] is not [1 ... 65536]"},
        {"word_embeddings.weight F32 9,4\nword_embeddings_layernorm.bias I8 4\n",
         "beta \"word_embeddings_layernorm.bias\": type: I8, which a table alone can have"},
        {"word_embeddings.weight F32 9,4\nword_embeddings_layernorm.weight F32 4\n"
         "word_embeddings_layernorm.bias F16 4\n",
         "type: F16, but gamma has F32"},
        {"wte.weight I8 3,2\n", "words \"wte.weight\": type: I8 without scales"},
        {"wte.weight I8 3,2\nwte.weight_scales F32 3\n", "type: I8 without scales"},
        {"wte.weight I8 3,2\nWTE.scales F32 3\n", "type: I8 without scales"},
        {"wte.weight I8 3,2\nwte.weight_scale F32 3\nwte.scales F32 3\n",
         "scales: 2 tensors have their name: \"wte.weight_scale\", \"wte.scales\""},
        {"wte.weight I8 3,2\nwte.scales F16 3\n", "scales: type: F16, but F32 is needed"},
        {"wte.weight I8 3,2\nwte.scales F32 2\n", "scales: shape: [2], but the table has 3 rows"},
        {"wte.weight I8 3,2\nwte.scales F32 1,1\n", "scales: shape: [1, 1], but the table has 3"},
        {"wte.weight I8 3,2\nwte.scales F32 1,3\n", "scales: shape: [1, 3], but the table has 3"},
        {"wte.weight I8 3,2\nwte.scales F32 3,1,1\n", "scales: shape: [3, 1, 1], but"},
        {"wte.weight I8 3,2\nwte.scales F32 0\n", "scales: shape: [0], but the table has 3 rows"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].list, NULL, NULL, files[i].words);
}

/* ---- The config */

static void test_checks_against_the_config(void **state)
{
    static const struct {
        const char *config;
        const char *words;
    } files[] = {
        {"{\"hidden_size\":5}", "words \"embeddings.word_embeddings.weight\": dim: 4, but "
                                "hidden_size of the config has 5"},
        {"{\"hidden_size\":4,\"embedding_size\":3}",
         "dim: 4, but embedding_size of the config has"},
        {"{\"vocab_size\":11}", "rows: 10, but vocab_size of the config has 11"},
        {"{\"max_position_embeddings\":7}",
         "positions \"embeddings.position_embeddings.weight\": rows: 6, but "
         "max_position_embeddings of the config has 7"},
        {"{\"type_vocab_size\":3}", "rows: 2, but type_vocab_size of the config has 3"},
        {"{\"hidden_size\":0}", "config.json: hidden_size: a whole number in 1 ... 65536"},
        {"{\"dim\":4,\"dim\":4}", "config.json: line 1, column 14: duplicate object key"},
        {"", "config.json: line 1, column 0: '[' or '{' expected"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(BERT, files[i].config, NULL, files[i].words);
}

static void test_accepts_a_config_that_fits(void **state)
{
    model_file *file = open_good(
        BERT,
        "{\"hidden_size\":9,\"embedding_size\":4,\"vocab_size\":9,\"model_type\":\"bert\","
        "\"max_position_embeddings\":6,\"type_vocab_size\":0,\"pad_token_id\":99}",
        NULL);
    const model_config *config = model_file_config(file);

    (void)state;
    assert_non_null(config);
    assert_int_equal(config->vocab_size, 9);
    assert_string_equal(config_model_name(config), "bert");
    model_file_close(file);
    file = open_good("wte.weight F32 9,4\n",
                     "{\"max_position_embeddings\":99,\"type_vocab_size\":99}", NULL);
    assert_non_null(model_file_config(file));
    model_file_close(file);
}

static void test_takes_the_config_of_its_own_name_first(void **state)
{
    char path[TEMP_PATH_SIZE];
    model_file *file = NULL;

    (void)state;
    temp_file_write(&test_folder, "config.json", "{\"hidden_size\":5}", 17, path);
    temp_file_write(&test_folder, "model.config.json", "{\"hidden_size\":4}", 17, path);
    write_list(BERT, path);
    assert_int_equal(model_file_open(path, NULL, &file, NULL), POSEMB_OK);
    assert_int_equal(model_file_config(file)->hidden_size, 4);
    model_file_close(file);
    remove_files();
}

static void test_opens_the_model_of_a_folder(void **state)
{
    char path[TEMP_PATH_SIZE];
    model_file *file = NULL;
    posemb_error error;

    (void)state;
    assert_int_equal(model_file_open(test_folder.path, NULL, &file, &error), INVALID);
    assert_said(&error, "/model.safetensors: cannot be opened");
    temp_file_write(&test_folder, "config.json", "{\"hidden_size\":4}", 17, path);
    write_list(BERT, path);
    assert_int_equal(model_file_open(test_folder.path, NULL, &file, NULL), POSEMB_OK);
    assert_int_equal(model_file_config(file)->hidden_size, 4);
    model_file_close(file);
    remove_files();
}

/* Without a slash in the path, the folder is the one the process is in. */
static void test_finds_a_config_beside_a_bare_name(void **state)
{
    char path[TEMP_PATH_SIZE];
    char before[TEMP_PATH_SIZE];
    model_file *file = NULL;

    (void)state;
    temp_file_write(&test_folder, "config.json", "{\"hidden_size\":4}", 17, path);
    write_list(BERT, path);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(test_folder.path), 0);
    assert_int_equal(model_file_open("model.safetensors", NULL, &file, NULL), POSEMB_OK);
    assert_int_equal(chdir(before), 0);
    assert_non_null(model_file_config(file));
    model_file_close(file);
    remove_files();
}

static void test_refuses_bad_arguments(void **state)
{
    static char prefix[2000];
    model_file *file = NULL;
    posemb_error error;

    (void)state;
    assert_int_equal(model_file_open(NULL, NULL, &file, &error), INVALID);
    assert_said(&error, "path: NULL");
    memset(prefix, 'p', sizeof prefix - 1);
    assert_refused(BERT, NULL, prefix, "prefix: 1999 bytes, more than the 1024 of a name");
    prefix[1024] = '\0';
    assert_refused(BERT, NULL, prefix, "no tensor with the prefix \"ppp");
    model_file_close(NULL);
}

/* ---- A model's own */

static void test_opens_the_excerpt(void **state)
{
    model_file *file = NULL;
    posemb_error error = {0};
    float gamma[384];

    (void)state;
    if (model_file_open(POSEMB_TEST_DATA "/all-MiniLM-L6-v2-excerpt.safetensors", NULL, &file,
                        &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_part(file, MODEL_WORDS, "embeddings.word_embeddings.weight", 220, 384);
    assert_part(file, MODEL_POSITIONS, "embeddings.position_embeddings.weight", 64, 384);
    assert_part(file, MODEL_TYPES, "embeddings.token_type_embeddings.weight", 2, 384);
    assert_part(file, MODEL_GAMMA, "embeddings.LayerNorm.weight", 1, 384);
    assert_part(file, MODEL_BETA, "embeddings.LayerNorm.bias", 1, 384);
    assert_non_null(model_file_config(file));
    assert_int_equal(model_file_config(file)->vocab_size, 220);
    assert_int_equal(model_file_config(file)->max_position_embeddings, 64);
    assert_string_equal(config_model_name(model_file_config(file)), "bert");
    assert_int_equal(model_file_read_rows(file, MODEL_GAMMA, 0, 1, gamma, sizeof gamma, NULL),
                     POSEMB_OK);
    assert_true(gamma[0] > 0.1f && gamma[0] < 10.0f);
    model_file_close(file);
}

/* ---- Reading */

static void test_reads_rows(void **state)
{
    char path[TEMP_PATH_SIZE];
    model_file *file = NULL;
    posemb_error error;
    unsigned char bytes[64];

    (void)state;
    write_list(BERT, path);
    assert_int_equal(model_file_open(path, NULL, &file, NULL), POSEMB_OK);
    for (uint64_t first = 0; first <= 6; first++)
        for (uint64_t count = 0; count <= 6 - first && count <= 4; count++) {
            assert_int_equal(
                model_file_read_rows(file, MODEL_POSITIONS, first, count, bytes, count * 16, NULL),
                POSEMB_OK);
            for (size_t i = 0; i < count * 16; i++)
                assert_int_equal(bytes[i], (160 + first * 16 + i) & 255);
        }
    assert_int_equal(model_file_read_rows(file, MODEL_BETA, 0, 1, bytes, 16, NULL), POSEMB_OK);
    assert_int_equal(bytes[0], (160 + 96 + 32 + 16) & 255);
    assert_int_equal(model_file_read_rows(file, MODEL_BETA, 0, 1, bytes, 15, &error),
                     POSEMB_BUFFER_TOO_SMALL);
    assert_int_equal(model_file_read_rows(file, MODEL_BETA, 1, 1, bytes, 64, &error), INVALID);
    assert_said(&error, "beta \"embeddings.LayerNorm.bias\": rows: 1 from 1 on, of 1");
    assert_int_equal(model_file_read_rows(file, MODEL_WORDS, UINT64_MAX, 2, bytes, 64, &error),
                     INVALID);
    assert_int_equal(model_file_read_rows(file, MODEL_WORDS, 2, UINT64_MAX, bytes, 64, &error),
                     INVALID);
    assert_int_equal(model_file_read_rows(file, (model_part)9, 0, 0, bytes, 64, &error), INVALID);
    assert_said(&error, "unknown: the file has no rows of them");
    assert_null(model_file_part(file, (model_part)9)->name);
    model_file_close(file);
    remove_files();
}

static void test_reads_scales(void **state)
{
    char path[TEMP_PATH_SIZE];
    model_file *file = NULL;
    posemb_error error;
    unsigned char bytes[8];
    float scales[2];

    (void)state;
    write_list("wte.weight I8 4,2\nwte.scales F32 4,1\n", path);
    assert_int_equal(model_file_open(path, NULL, &file, NULL), POSEMB_OK);
    assert_int_equal(model_file_read_scales(file, MODEL_WORDS, 1, 2, scales, NULL), POSEMB_OK);
    memcpy(bytes, scales, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], 8 + 4 + i);
    assert_int_equal(model_file_read_scales(file, MODEL_WORDS, 3, 2, scales, &error), INVALID);
    assert_said(&error, "words \"wte.weight\": scales: 2 from 3 on, of 4");
    assert_int_equal(model_file_read_rows(file, MODEL_TYPES, 0, 1, bytes, 8, &error), INVALID);
    assert_said(&error, "types: the file has no rows of them");
    model_file_close(file);
    remove_files();
}

/* ---- Damage */

#define CONFIG                                                                                     \
    "{\"model_type\":\"bert\",\"hidden_size\":4,\"vocab_size\":10,\"max_position_embeddings\":6,"  \
    "\"type_vocab_size\":2,\"pad_token_id\":0,\"layer_norm_eps\":1e-12}"

static const char model_list[] =
    "bert.embeddings.word_embeddings.weight I8 10,4\n"
    "bert.embeddings.word_embeddings.weight_scale F32 10,1\n"
    "bert.embeddings.position_embeddings.weight F32 6,4\n"
    "bert.embeddings.token_type_embeddings.weight F16 2,4\n"
    "bert.embeddings.LayerNorm.weight F32 4\nbert.embeddings.LayerNorm.bias F32 4\n";

/* Open files of these bytes, and read every row of what is there. Returns whether they opened. */
static bool survives(const void *bytes, size_t size, const char *config, size_t config_size)
{
    char path[TEMP_PATH_SIZE];
    model_file *file = NULL;
    posemb_error error = {0};

    temp_file_write(&test_folder, "config.json", config, config_size, path);
    temp_file_write(&test_folder, "model.safetensors", bytes, size, path);
    if (model_file_open(path, NULL, &file, &error) != POSEMB_OK) {
        assert_null(file);
        assert_in_range(strlen(error.message), 1, POSEMB_MESSAGE_SIZE - 1);
        return false;
    }
    for (unsigned i = 0; i < MODEL_PART_COUNT; i++) {
        const model_part part = (model_part)i;
        const model_tensor *tensor = model_file_part(file, part);
        unsigned char data[4096];
        float scales[1024];

        if (!tensor->name)
            continue;
        assert_in_range(tensor->bytes, 1, sizeof data);
        assert_int_equal(model_file_read_rows(file, part, 0, tensor->rows, data, sizeof data, NULL),
                         POSEMB_OK);
        assert_in_range(tensor->scales, tensor->storage == POSEMB_I8 ? 1 : 0, 1024);
        if (tensor->scales > 0)
            assert_int_equal(model_file_read_scales(file, part, 0, tensor->scales, scales, NULL),
                             POSEMB_OK);
    }
    model_file_close(file);
    return true;
}

static void test_survives_every_truncated_file(void **state)
{
    static unsigned char bytes[FILE_MAX];
    const size_t size = build(model_list, bytes);

    (void)state;
    for (size_t cut = 0; cut < size; cut++)
        assert_false(survives(bytes, cut, CONFIG, sizeof CONFIG - 1));
    for (size_t cut = 0; cut < sizeof CONFIG - 1; cut++)
        assert_false(survives(bytes, size, CONFIG, cut));
    assert_true(survives(bytes, size, CONFIG, sizeof CONFIG - 1));
    remove_files();
}

static void test_survives_every_flipped_bit(void **state)
{
    static unsigned char bytes[FILE_MAX];
    const size_t size = build(model_list, bytes);
    size_t header = bytes[0] + 256u * bytes[1] + 8;
    char config[] = CONFIG;
    size_t opened = 0;

    (void)state;
    for (size_t bit = 0; bit < header * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        opened += survives(bytes, size, CONFIG, sizeof CONFIG - 1);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < (sizeof config - 1) * 8; bit++) {
        config[bit / 8] = (char)(config[bit / 8] ^ (char)(1 << bit % 8));
        opened += survives(bytes, size, config, sizeof config - 1);
        config[bit / 8] = (char)(config[bit / 8] ^ (char)(1 << bit % 8));
    }
    assert_in_range(opened, 1, header * 8);
    remove_files();
}

static void test_survives_random_damage(void **state)
{
    static const char marks[] = "0123456789{}[]\":,-.eE FIB\\";
    static unsigned char bytes[FILE_MAX];
    struct support_random random = support_random_from(21);

    (void)state;
    for (int i = 0; i < 4000; i++) {
        const size_t size = build(model_list, bytes);
        const int64_t header = bytes[0] + 256 * bytes[1] + 8;
        char config[] = CONFIG;
        const int64_t times = support_random_int(&random, 1, 4);

        for (int64_t k = 0; k < times; k++) {
            const char mark = marks[support_random_int(&random, 0, sizeof marks - 2)];

            if (support_random_int(&random, 0, 3) == 0)
                config[support_random_int(&random, 0, sizeof config - 2)] = mark;
            else
                bytes[support_random_int(&random, 8, header - 1)] = (unsigned char)mark;
        }
        survives(bytes, size, config, sizeof config - 1);
    }
    remove_files();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_parts_by_every_naming),
        cmocka_unit_test(test_knows_storages),
        cmocka_unit_test(test_part_names),
        cmocka_unit_test(test_finds_scales),
        cmocka_unit_test(test_floats_have_no_scales),
        cmocka_unit_test(test_refuses_what_is_ambiguous_or_missing),
        cmocka_unit_test(test_refuses_bad_shapes_and_types),
        cmocka_unit_test(test_checks_against_the_config),
        cmocka_unit_test(test_accepts_a_config_that_fits),
        cmocka_unit_test(test_takes_the_config_of_its_own_name_first),
        cmocka_unit_test(test_opens_the_model_of_a_folder),
        cmocka_unit_test(test_finds_a_config_beside_a_bare_name),
        cmocka_unit_test(test_refuses_bad_arguments),
        cmocka_unit_test(test_opens_the_excerpt),
        cmocka_unit_test(test_reads_rows),
        cmocka_unit_test(test_reads_scales),
        cmocka_unit_test(test_survives_every_truncated_file),
        cmocka_unit_test(test_survives_every_flipped_bit),
        cmocka_unit_test(test_survives_random_damage),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
