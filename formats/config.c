/* Reader of config.json files: untrusted JSON, of which a few keys are of interest. */
#include "config.h"

#include "file_bytes.h"
#include "gguf_config.h"
#include "status.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX   1048576u /* bounds the memory that the JSON tree takes */
#define NUMBER_MAX UINT32_MAX
#define SHOWN_SIZE 80u

/* ---- Keys */

enum kind { KIND_NUMBER, KIND_ID, KIND_EPSILON, KIND_BOOL, KIND_TEXT };

typedef struct key_row {
    const char *name;
    enum kind kind;
    size_t has;   /* where in a config the flag is */
    size_t value; /* and the value */
    uint64_t least;
    uint64_t most;
} key_row;

#define AT(field) offsetof(model_config, has_##field), offsetof(model_config, field)

/* Synonyms share a field: GPT-2 has n_embd and n_positions, BART and its kin d_model, DistilBERT
 * dim, XLM emb_dim, and so on: the attribute_map of each config class of transformers. */
static const key_row keys[] = {
    {"model_type", KIND_TEXT, AT(model_type), 0, 0},
    {"hidden_size", KIND_NUMBER, AT(hidden_size), 1, POSEMB_DIM_MAX},
    {"d_model", KIND_NUMBER, AT(hidden_size), 1, POSEMB_DIM_MAX},
    {"n_embd", KIND_NUMBER, AT(hidden_size), 1, POSEMB_DIM_MAX},
    {"dim", KIND_NUMBER, AT(hidden_size), 1, POSEMB_DIM_MAX},
    {"emb_dim", KIND_NUMBER, AT(hidden_size), 1, POSEMB_DIM_MAX},
    {"embedding_size", KIND_NUMBER, AT(embedding_size), 1, POSEMB_DIM_MAX},
    {"word_embed_proj_dim", KIND_NUMBER, AT(embedding_size), 1, POSEMB_DIM_MAX},
    {"vocab_size", KIND_NUMBER, AT(vocab_size), 1, NUMBER_MAX},
    {"max_position_embeddings", KIND_NUMBER, AT(max_position_embeddings), 1, NUMBER_MAX},
    {"n_positions", KIND_NUMBER, AT(max_position_embeddings), 1, NUMBER_MAX},
    {"type_vocab_size", KIND_NUMBER, AT(type_vocab_size), 0, NUMBER_MAX},
    {"pad_token_id", KIND_ID, AT(pad_token_id), 0, NUMBER_MAX},
    {"layer_norm_eps", KIND_EPSILON, AT(layer_norm_eps), 0, 0},
    {"layer_norm_epsilon", KIND_EPSILON, AT(layer_norm_eps), 0, 0},
    {"rms_norm_eps", KIND_EPSILON, AT(rms_norm_eps), 0, 0},
    {"position_embedding_type", KIND_TEXT, AT(position_embedding_type), 0, 0},
    {"scale_embedding", KIND_BOOL, AT(scale_embedding), 0, 0},
    {"sinusoidal_pos_embds", KIND_BOOL, AT(sinusoidal), 0, 0},
    {"sinusoidal_embeddings", KIND_BOOL, AT(sinusoidal), 0, 0},
};
#define KEY_COUNT (sizeof keys / sizeof *keys)

/* ---- Values */

typedef struct config_reader {
    const file_bytes *file;
    const json_t *root;
    model_config *read;
    posemb_error *error;
} config_reader;

static void show_value(const json_t *value, char shown[SHOWN_SIZE])
{
    char json[32] = {0};
    char text[SHOWN_SIZE - sizeof "..."];
    const size_t full = json_dumpb(value, json, sizeof json, JSON_ENCODE_ANY | JSON_COMPACT);

    escape_text(json, strnlen(json, sizeof json), text, sizeof text);
    snprintf(shown, SHOWN_SIZE, "%s%s", text, full > sizeof json ? "..." : "");
}

static posemb_status fail_value(const config_reader *reader, const key_row *key, const char *wanted,
                                const json_t *value)
{
    char shown[SHOWN_SIZE];

    show_value(value, shown);
    return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s: %s is needed, not %s",
                        reader->file->shown, key->name, wanted, shown);
}

static posemb_status read_number(const config_reader *reader, const key_row *key,
                                 const json_t *value, void *out)
{
    const json_int_t number = json_integer_value(value); /* 0 for what is none */
    char wanted[64];

    if (json_is_integer(value) && number >= 0 && (uint64_t)number >= key->least &&
        (uint64_t)number <= key->most) {
        *(uint64_t *)out = (uint64_t)number;
        return POSEMB_OK;
    }
    snprintf(wanted, sizeof wanted, "a whole number in %" PRIu64 " ... %" PRIu64, key->least,
             key->most);
    return fail_value(reader, key, wanted, value);
}

static posemb_status read_id(const config_reader *reader, const key_row *key, const json_t *value,
                             void *out)
{
    const json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < -1 || number > (json_int_t)key->most)
        return fail_value(reader, key, "null, or a whole number in -1 ... 4294967295", value);
    *(int64_t *)out = number;
    return POSEMB_OK;
}

static posemb_status read_epsilon(const config_reader *reader, const key_row *key,
                                  const json_t *value, void *out)
{
    const double number = json_number_value(value); /* 0 for what is none */

    if (!(number > 0.0 && number <= 1.0))
        return fail_value(reader, key, "a number above 0, at most 1,", value);
    *(double *)out = number;
    return POSEMB_OK;
}

static posemb_status read_bool(const config_reader *reader, const key_row *key, const json_t *value,
                               void *out)
{
    if (!json_is_boolean(value))
        return fail_value(reader, key, "true or false", value);
    *(bool *)out = json_is_true(value);
    return POSEMB_OK;
}

static posemb_status read_text(const config_reader *reader, const key_row *key, const json_t *value,
                               void *out)
{
    const char *text = json_string_value(value); /* NULL for what is none */
    size_t length = 0;

    while (text && text[length] >= 0x20 && text[length] <= 0x7e)
        length++;
    if (!text || text[length] != '\0' || length == 0 || length >= CONFIG_TEXT_SIZE)
        return fail_value(reader, key, "a string of 1 ... 63 printable characters", value);
    memcpy(out, text, length + 1);
    return POSEMB_OK;
}

static const struct {
    posemb_status (*read)(const config_reader *reader, const key_row *key, const json_t *value,
                          void *out);
    size_t size;
} kinds[] = {[KIND_NUMBER] = {read_number, sizeof(uint64_t)},
             [KIND_ID] = {read_id, sizeof(int64_t)},
             [KIND_EPSILON] = {read_epsilon, sizeof(double)},
             [KIND_BOOL] = {read_bool, sizeof(bool)},
             [KIND_TEXT] = {read_text, CONFIG_TEXT_SIZE}};

/* The first synonym of this key that is in the file, or the key itself. */
static const key_row *find_synonym(const config_reader *reader, const key_row *key)
{
    const key_row *other = keys;

    while (other->value != key->value || !json_object_get(reader->root, other->name))
        other++;
    return other;
}

static posemb_status fail_synonym(const config_reader *reader, const key_row *key,
                                  const json_t *value)
{
    const key_row *other = find_synonym(reader, key);
    char shown[2][SHOWN_SIZE];

    show_value(value, shown[0]);
    show_value(json_object_get(reader->root, other->name), shown[1]);
    return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s is %s, but %s is %s",
                        reader->file->shown, key->name, shown[0], other->name, shown[1]);
}

static posemb_status read_key(const config_reader *reader, const key_row *key)
{
    const json_t *value = json_object_get(reader->root, key->name);
    unsigned char *base = (unsigned char *)reader->read;
    bool *has = (bool *)(void *)(base + key->has);
    _Alignas(8) char read[CONFIG_TEXT_SIZE] = {0};
    const size_t size = kinds[key->kind].size;
    posemb_status status;

    if (!value || (key->kind == KIND_ID && json_is_null(value)))
        return POSEMB_OK;
    status = kinds[key->kind].read(reader, key, value, read);
    if (status != POSEMB_OK)
        return status;
    if (*has && memcmp(base + key->value, read, size) != 0)
        return fail_synonym(reader, key, value);
    memcpy(base + key->value, read, size);
    *has = true;
    return POSEMB_OK;
}

/* ---- The file */

static posemb_status parse(const config_reader *reader, const char *text, size_t size,
                           json_t **root)
{
    json_error_t why;
    char shown[SHOWN_SIZE];

    *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(*root))
        return POSEMB_OK;
    if (*root)
        return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0, "%s: not a JSON object",
                            reader->file->shown);
    if (json_error_code(&why) == json_error_out_of_memory || !why.text[0]) /* or it says nothing */
        return posemb__fail(reader->error, POSEMB_OUT_OF_MEMORY, 0, "%s: no memory for it",
                            reader->file->shown);
    escape_text(why.text, strlen(why.text), shown, sizeof shown);
    return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0, "%s: line %d, column %d: %s",
                        reader->file->shown, why.line, why.column, shown);
}

static posemb_status parse_file(const config_reader *reader, char *text, json_t **root)
{
    const size_t size = (size_t)reader->file->size;
    const posemb_status status = file_bytes_read(reader->file, 0, size, text, reader->error);

    return status == POSEMB_OK ? parse(reader, text, size, root) : status;
}

static posemb_status read_root(const config_reader *reader, json_t **root)
{
    const file_bytes *file = reader->file;
    posemb_status status;
    char *text;

    if (file->size > FILE_MAX)
        return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: size: %" PRIu64 " bytes, more than %u", file->shown, file->size,
                            FILE_MAX);
    text = malloc((size_t)file->size + 1);
    if (!text)
        return posemb__fail(reader->error, POSEMB_OUT_OF_MEMORY, 0, "%s: no memory for it",
                            file->shown);
    status = parse_file(reader, text, root);
    free(text);
    return status;
}

static posemb_status read_keys(config_reader *reader)
{
    json_t *root = NULL;
    posemb_status status = read_root(reader, &root);

    reader->root = root;
    for (size_t i = 0; status == POSEMB_OK && i < KEY_COUNT; i++)
        status = read_key(reader, &keys[i]);
    json_decref(root);
    return status;
}

posemb_status config_read(const char *path, model_config *read, posemb_error *error)
{
    file_bytes file;
    config_reader reader = {.file = &file, .read = read, .error = error};

    memset(read, 0, sizeof *read);

    posemb_status status = file_bytes_open(path, &file, error);

    if (status != POSEMB_OK)
        return status;
    status = read_keys(&reader);
    file_bytes_close(&file);
    if (status != POSEMB_OK)
        memset(read, 0, sizeof *read);
    return status;
}

/* ---- Models */

/* What transformers' modeling_*.py of that model_type does with positions. Not here, and so NULL:
 * rotations and relative positions (llama, t5, modernbert ...), and stages that are not one sum
 * (mobilebert). */
static const struct {
    const char *model_type;
    const char *model;
    const char *if_sinusoidal; /* in place of `model`, where the config says so */
} models[] = {
    /* position_ids = arange */
    {"bert", "bert", NULL},
    {"albert", "bert", NULL},
    {"electra", "bert", NULL},
    {"convbert", "bert", NULL},
    {"squeezebert", "bert", NULL},
    {"distilbert", "bert", "distilbert"}, /* sinusoidal_pos_embds; learned by default */
    {"xlm", "bert", "xlm"},               /* sinusoidal_embeddings; learned by default */
    {"blenderbot", "bert", NULL},         /* BlenderbotLearnedPositionalEmbedding has no offset */
    {"blenderbot-small", "bert", NULL},   /* likewise */
    {"gpt2", "gpt2", NULL},
    {"openai-gpt", "gpt2", NULL},
    {"gpt_neo", "gpt2", NULL},
    {"gpt_bigcode", "gpt2", NULL},
    {"whisper", "whisper-decoder", NULL}, /* its encoder looks up no tokens */
    /* create_position_ids_from_input_ids */
    {"roberta", "roberta", NULL},
    {"xlm-roberta", "roberta", NULL},
    {"xlm-roberta-xl", "roberta", NULL},
    {"roberta-prelayernorm", "roberta", NULL},
    {"camembert", "roberta", NULL},
    {"data2vec-text", "roberta", NULL},
    {"mpnet", "roberta", NULL},
    {"longformer", "roberta", NULL},
    {"esm", "esm", NULL}, /* the same, and multiplied by the mask */
    /* OPTLearnedPositionalEmbedding, BioGptLearnedPositionalEmbedding: cumsum(mask) * mask - 1 + 2
     */
    {"opt", "opt", NULL},
    {"biogpt", "opt", NULL},
    /* the ...LearnedPositionalEmbedding of each: arange + 2 */
    {"bart", "bart", NULL},
    {"mvp", "bart", NULL},
    {"mbart", "mbart", NULL},
    {"plbart", "mbart", NULL},
    /* the ...SinusoidalPositionalEmbedding of each */
    {"marian", "marian", NULL},
    {"pegasus", "marian", NULL},
    {"m2m_100", "m2m100", NULL}, /* NLLB too */
    {"nllb-moe", "m2m100", NULL},
    {"xglm", "xglm", NULL},
    {"fsmt", "fsmt", NULL},
    {"speech_to_text", "m2m100", NULL}, /* its decoder; the encoder looks up no tokens */
    {"musicgen_decoder", "musicgen", NULL},
    {"ctrl", "ctrl", NULL},
};

const char *config_model_name(const model_config *read)
{
    if (read->has_architecture)
        return gguf_config_model_name(read);
    /* "relative_key" and "rotary" add nothing to the rows. */
    if (!read->has_model_type || (read->has_position_embedding_type &&
                                  strcmp(read->position_embedding_type, "absolute") != 0))
        return NULL;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strcmp(models[i].model_type, read->model_type) == 0)
            return read->sinusoidal && models[i].if_sinusoidal ? models[i].if_sinusoidal
                                                               : models[i].model;
    return NULL;
}
