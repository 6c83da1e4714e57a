/* Files of BERT's stage, with random tensors of any type. */
#include "load_models.h"

#include "storage.h"
#include "support/random.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE ((size_t)1 << 20)

static const struct storage_name {
    const char *name;
    posemb_storage storage;
} storages[] = {
    {"F32", POSEMB_F32},   {"F16", POSEMB_F16},   {"BF16", POSEMB_BF16}, {"I8", POSEMB_I8},
    {"Q8_0", POSEMB_Q8_0}, {"Q4_0", POSEMB_Q4_0}, {"Q4_K", POSEMB_Q4_K}, {"Q6_K", POSEMB_Q6_K},
};

static posemb_storage storage_of(const char *type)
{
    for (size_t i = 0; i < sizeof storages / sizeof *storages; i++)
        if (strcmp(storages[i].name, type) == 0)
            return storages[i].storage;
    fail_msg("no storage %s", type);
    return POSEMB_STORAGE_DEFAULT;
}

/* Random bits are bad floats, so the scales of blocks are set. */
static void fill(struct support_random *random, const char *type, unsigned char *bytes, size_t size)
{
    const posemb_storage storage = storage_of(type);
    const size_t unit = posemb_storage_find(storage)->block_bytes;

    if (!posemb__is_table_storage(storage)) {
        for (size_t i = 0; i < size / unit; i++)
            posemb__store_element(bytes, i, storage, support_random_float(random));
        return;
    }
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)support_random_bits(random);
    for (size_t at = 0; storage != POSEMB_I8 && at < size; at += unit)
        posemb__set_block_halves(bytes + at, storage, posemb__to_f16(0.0078125f),
                                 posemb__to_f16(-0.25f));
}

/* The names that the two kinds of files have. */
static const char *const names[][2] = {
    {"embeddings.LayerNorm.bias", "token_embd_norm.bias"},
    {"embeddings.LayerNorm.weight", "token_embd_norm.weight"},
    {"embeddings.position_embeddings.weight", "position_embd.weight"},
    {"embeddings.token_type_embeddings.weight", "token_types.weight"},
    {"embeddings.word_embeddings.weight", "token_embd.weight"},
};

static int list_scales(const struct load_model_kind *kind, char *list, size_t room)
{
    if (strcmp(kind->words, "I8") != 0)
        return 0;
    if (kind->one_scale)
        return snprintf(list, room, "embeddings.word_embeddings.weight_scale F32 1\n");
    return snprintf(list, room, "embeddings.word_embeddings.weight_scale F32 %u\n", kind->vocab);
}

/* Odd first, so that no tensor need begin at a multiple of anything. */
static void list_tensors(const struct load_model_kind *kind, struct test_tensors *tensors)
{
    const int g = kind->is_gguf;
    const unsigned d = kind->dim;
    char list[1024];
    int used =
        snprintf(list, sizeof list, "%s%s %s %u\n%s %s %u\n%s %s %u,%u\n%s %s 2,%u\n%s %s %u,%u\n",
                 g ? "" : "odd.weight U8 3\n", names[0][g], kind->norm, d, names[1][g], kind->norm,
                 d, names[2][g], kind->positions, kind->position_rows, d, names[3][g], kind->types,
                 d, names[4][g], kind->words, kind->vocab, d);

    assert_in_range(used, 1, sizeof list - 128);
    list_scales(kind, list + used, sizeof list - (size_t)used);
    test_tensors_parse(list, tensors);
}

static void fill_tensors(struct load_model *model)
{
    struct support_random random = support_random_from(model->kind.dim);

    for (size_t i = 0; i < model->tensors.count; i++) {
        struct test_tensor *tensor = &model->tensors.items[i];
        const size_t size = test_tensor_bytes(tensor);
        unsigned char *bytes = calloc(1, size + sizeof(float));

        assert_non_null(bytes);
        tensor->data = bytes;
        if (strcmp(tensor->type, "U8") != 0)
            fill(&random, tensor->type, bytes, size);
    }
}

static void write_config(const struct load_model *model)
{
    char text[256];
    char path[TEMP_PATH_SIZE];
    const int size =
        snprintf(text, sizeof text,
                 "{\"model_type\":\"bert\",\"hidden_size\":%u,\"layer_norm_eps\":1e-12,"
                 "\"pad_token_id\":0,\"vocab_size\":%u}",
                 model->kind.dim, model->kind.vocab);

    temp_file_write(&test_folder, "model.config.json", text, (size_t)size, path);
}

static void write_file(struct load_model *model)
{
    unsigned char *bytes = malloc(FILE_SIZE);
    char keys[256];
    size_t data = 0;

    assert_non_null(bytes);
    snprintf(keys, sizeof keys,
             "general.architecture str bert\nbert.embedding_length u32 %u\n"
             "bert.attention.layer_norm_epsilon f32 1e-12\n",
             model->kind.dim);
    model->size = model->kind.is_gguf
                      ? test_tensors_to_gguf(keys, &model->tensors, bytes, FILE_SIZE)
                      : test_tensors_to_safetensors(&model->tensors, bytes, FILE_SIZE);
    for (size_t i = 0; i < model->tensors.count; i++)
        data += test_tensor_bytes(&model->tensors.items[i]);
    model->data_at = model->size - data; /* of safetensors; GGUF has gaps */
    temp_file_write(&test_folder, model->kind.is_gguf ? "model.gguf" : "model.safetensors", bytes,
                    model->size, model->path);
    write_config(model);
    free(bytes);
}

const struct test_tensor *load_model_tensor(const struct load_model *model, const char *name)
{
    for (size_t i = 0; i < model->tensors.count; i++)
        if (strcmp(model->tensors.items[i].name, name) == 0)
            return &model->tensors.items[i];
    return NULL;
}

static void describe(struct load_model *model)
{
    const struct load_model_kind *kind = &model->kind;
    const struct test_tensor *scales =
        load_model_tensor(model, "embeddings.word_embeddings.weight_scale");
    const size_t first = model->tensors.count - 5 - (scales != NULL);
    const struct test_tensor *parts = &model->tensors.items[first];

    model->desc = (posemb_desc){
        .dim = kind->dim,
        .tokens = {.storage = storage_of(kind->words),
                   .scaling = scales && kind->one_scale ? POSEMB_SCALE_OF_TABLE : 0},
        .position_kind = POSEMB_LEARNED,
        .position_table = {.storage = storage_of(kind->positions)},
        .extras = {{.ids = POSEMB_EXTRA_CONSTANT, .table = {.storage = storage_of(kind->types)}}},
        .norm = POSEMB_NORM_LAYER,
        .epsilon = 1e-12f,
        .norm_storage = storage_of(kind->norm)};
    model->args = (posemb_host_args){.shape = {.batch = LOAD_BATCH,
                                               .length = LOAD_LENGTH,
                                               .vocab = kind->vocab,
                                               .position_rows = kind->position_rows,
                                               .extras = {{.rows = 2}}},
                                     .ids = model->ids,
                                     .table = parts[4].data,
                                     .table_scales = scales ? scales->data : NULL,
                                     .position_table = parts[2].data,
                                     .extras = {{.table = parts[3].data}},
                                     .gamma = parts[1].data,
                                     .beta = parts[0].data};
    for (unsigned t = 0; t < LOAD_TOKENS; t++)
        model->ids[t] = (int32_t)((kind->vocab - 1) * t / (LOAD_TOKENS - 1));
}

void load_model_make(const struct load_model_kind *kind, struct load_model *model)
{
    memset(model, 0, sizeof *model);
    model->kind = *kind;
    list_tensors(kind, &model->tensors);
    fill_tensors(model);
    write_file(model);
    describe(model);
}

void load_model_release(struct load_model *model)
{
    for (size_t i = 0; i < model->tensors.count; i++)
        free((void *)(uintptr_t)model->tensors.items[i].data);
    remove(model->path);
}
