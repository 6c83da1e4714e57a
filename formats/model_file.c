/* The embedding stage of a model's file: shapes, scales, and what the config says about them. */
#include "model_file.h"

#include "file_bytes.h"
#include "gguf_config.h"
#include "status.h"
#include "storage.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct model_file {
    tensor_file *source;
    model_tensor parts[MODEL_PART_COUNT];
    const file_tensor *tensors[MODEL_PART_COUNT];
    const file_tensor *scales[MODEL_PART_COUNT];
    bool has_config;
    model_config config;
};

static posemb_status fail_memory(posemb_error *error)
{
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "file: no memory to open one");
}

/* ---- Shapes */

/* "FILE: PART "NAME": PROBLEM" */
static posemb_status fail_part(const model_file *file, model_part part, const char *problem,
                               posemb_error *error)
{
    const char *name = file->tensors[part]->name;
    char shown[NAME_SHOWN_SIZE];

    escape_text(name, strlen(name), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s \"%s\": %s",
                        tensor_file_shown(file->source), model_part_name(part), shown, problem);
}

static posemb_status fail_shape(const model_file *file, model_part part, const char *wanted,
                                posemb_error *error)
{
    const file_tensor *tensor = file->tensors[part];
    char shape[SHAPE_SHOWN_SIZE];
    char problem[SHAPE_SHOWN_SIZE + 64];

    shape_show(tensor->shape, tensor->rank, shape);
    snprintf(problem, sizeof problem, "shape: %s is not %s", shape, wanted);
    return fail_part(file, part, problem, error);
}

static bool is_vector(model_part part)
{
    return part == MODEL_GAMMA || part == MODEL_BETA;
}

static posemb_status describe_part(model_file *file, model_part part, posemb_error *error)
{
    const file_tensor *tensor = file->tensors[part];
    model_tensor *made = &file->parts[part];
    const uint32_t rank = is_vector(part) ? 1 : 2;
    char problem[96];
    posemb_status status;

    made->storage = tensor->storage;
    status = tensor_file_require_storage(file->source, tensor, error);
    if (status != POSEMB_OK)
        return status;
    if (tensor->rank != rank || tensor->shape[0] == 0 || tensor->shape[rank - 1] == 0 ||
        tensor->shape[rank - 1] > POSEMB_DIM_MAX)
        return fail_shape(file, part, rank == 1 ? "[1 ... 65536]" : "[at least 1, 1 ... 65536]",
                          error);
    if (rank == 1 && posemb__is_table_storage(made->storage)) {
        snprintf(problem, sizeof problem, "type: %s, which a table alone can have",
                 tensor->type_name);
        return fail_part(file, part, problem, error);
    }
    made->name = tensor->name;
    made->rows = rank == 1 ? 1 : tensor->shape[0];
    made->dim = tensor->shape[rank - 1];
    made->offset = tensor->offset;
    made->bytes = tensor->bytes;
    return POSEMB_OK;
}

static posemb_status fail_pair(const model_file *file, model_part part, const char *what,
                               uint64_t found, const char *other, uint64_t value,
                               posemb_error *error)
{
    char problem[224];

    snprintf(problem, sizeof problem, "%s: %" PRIu64 ", but %s has %" PRIu64, what, found, other,
             value);
    return fail_part(file, part, problem, error);
}

static posemb_status check_dims(const model_file *file, posemb_error *error)
{
    const model_tensor *parts = file->parts;
    char problem[128];

    for (unsigned i = MODEL_POSITIONS; i < MODEL_PART_COUNT; i++)
        if (parts[i].name && parts[i].dim != parts[MODEL_WORDS].dim)
            return fail_pair(file, (model_part)i, "dim", parts[i].dim, "the token table",
                             parts[MODEL_WORDS].dim, error);
    if (!parts[MODEL_GAMMA].name || !parts[MODEL_BETA].name ||
        parts[MODEL_GAMMA].storage == parts[MODEL_BETA].storage)
        return POSEMB_OK;
    snprintf(problem, sizeof problem, "type: %s, but gamma has %s",
             file->tensors[MODEL_BETA]->type_name, file->tensors[MODEL_GAMMA]->type_name);
    return fail_part(file, MODEL_BETA, problem, error);
}

/* ---- Scales of I8 tables */

static posemb_status find_scales(model_file *file, model_part part, posemb_error *error)
{
    const posemb_status status =
        model_names_find_scales(file->source, file->tensors[part], &file->scales[part], error);

    if (status != POSEMB_OK || file->scales[part])
        return status;
    return fail_part(file, part,
                     "type: I8 without scales: no tensor named as it is, with "
                     "\"_scale\" at its end or \".scales\" for \".weight\"",
                     error);
}

static posemb_status describe_scales(model_file *file, model_part part, posemb_error *error)
{
    const file_tensor *scales = file->scales[part];
    model_tensor *made = &file->parts[part];
    const bool is_list = scales->rank == 1 || (scales->rank == 2 && scales->shape[1] == 1);
    const bool is_one = scales->rank == 0 || (scales->rank == 1 && scales->shape[0] == 1);
    char shape[SHAPE_SHOWN_SIZE];
    char problem[SHAPE_SHOWN_SIZE + 128];

    if (scales->storage != POSEMB_F32) {
        snprintf(problem, sizeof problem, "scales: type: %s, but F32 is needed", scales->type_name);
        return fail_part(file, part, problem, error);
    }
    if (!is_one && !(is_list && scales->shape[0] == made->rows)) {
        shape_show(scales->shape, scales->rank, shape);
        snprintf(problem, sizeof problem, "scales: shape: %s, but the table has %" PRIu64 " rows",
                 shape, made->rows);
        return fail_part(file, part, problem, error);
    }
    made->scales_name = scales->name;
    made->scaling = is_one ? POSEMB_SCALE_OF_TABLE : POSEMB_SCALE_OF_ROW;
    made->scales = is_one ? 1 : made->rows;
    return POSEMB_OK;
}

static posemb_status describe_parts(model_file *file, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (unsigned i = 0; status == POSEMB_OK && i < MODEL_PART_COUNT; i++) {
        const model_part part = (model_part)i;

        if (!file->tensors[i])
            continue;
        status = describe_part(file, part, error);
        if (status == POSEMB_OK && file->parts[i].storage == POSEMB_I8)
            status = find_scales(file, part, error);
        if (status == POSEMB_OK && file->scales[i])
            status = describe_scales(file, part, error);
    }
    return status == POSEMB_OK ? check_dims(file, error) : status;
}

/* ---- The config */

/* A folder's name gets "/model.safetensors" at its end. The caller frees it; NULL: no memory. */
static char *tensors_path(const char *path)
{
    static const char in_folder[] = "/model.safetensors";
    const size_t length = strlen(path);
    struct stat facts;
    char *made = malloc(length + sizeof in_folder);

    if (!made)
        return NULL;
    memcpy(made, path, length + 1);
    if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
        memcpy(made + length, in_folder, sizeof in_folder);
    return made;
}

/* Whether the first `kept` bytes of the path, with `end` after them, name something. */
static bool make_config_path(const char *path, size_t kept, const char *end, char *made)
{
    memcpy(made, path, kept);
    memcpy(made + kept, end, strlen(end) + 1);
    return access(made, F_OK) == 0;
}

/* NAME.config.json, else the folder's. `made` has room for the path and 16 bytes more. */
static bool find_config(const char *path, char *made)
{
    static const char extension[] = ".safetensors";
    const size_t length = strlen(path);
    const size_t tail = sizeof extension - 1;
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    const bool is_plain = length < tail || strcmp(path + length - tail, extension) != 0;

    return make_config_path(path, is_plain ? length : length - tail, ".config.json", made) ||
           make_config_path(path, folder, "config.json", made);
}

static posemb_status read_config_beside(model_file *file, const char *path, posemb_error *error)
{
    char *made = malloc(strlen(path) + 16);
    posemb_status status = POSEMB_OK;

    if (!made)
        return fail_memory(error);
    file->has_config = find_config(path, made);
    if (file->has_config)
        status = config_read(made, &file->config, error);
    free(made);
    return status;
}

static posemb_status read_config(model_file *file, const char *path, posemb_error *error)
{
    if (!tensor_file_gguf(file->source))
        return read_config_beside(file, path, error);
    file->has_config = true;
    return gguf_config_read(file->source, &file->config, error);
}

/* A key as config.json has it, or GGUF; there the architecture comes before a dot. */
typedef struct config_key {
    const char *json;
    const char *gguf;
} config_key;

static const config_key hidden_size = {"hidden_size", ".embedding_length"};
static const config_key embedding_size = {"embedding_size", ".embedding_length"};
static const config_key vocab_size = {"vocab_size", ".vocab_size"};
static const config_key position_count = {"max_position_embeddings", ".context_length"};
static const config_key type_count = {"type_vocab_size", "tokenizer.ggml.token_type_count"};

/* "PART "NAME": WHAT: FOUND, but KEY has VALUE" */
static posemb_status fail_key(const model_file *file, model_part part, const char *what,
                              uint64_t found, config_key key, uint64_t value, posemb_error *error)
{
    char shown[CONFIG_TEXT_SIZE + 40];

    if (tensor_file_gguf(file->source))
        snprintf(shown, sizeof shown, "%s%s", *key.gguf == '.' ? file->config.architecture : "",
                 key.gguf);
    else
        snprintf(shown, sizeof shown, "%s of the config", key.json);
    return fail_pair(file, part, what, found, shown, value, error);
}

static posemb_status check_rows(const model_file *file, model_part part, bool has, config_key key,
                                uint64_t value, posemb_error *error)
{
    if (!has || !file->parts[part].name || value <= file->parts[part].rows)
        return POSEMB_OK;
    return fail_key(file, part, "rows", file->parts[part].rows, key, value, error);
}

static posemb_status check_config(const model_file *file, posemb_error *error)
{
    const model_config *say = &file->config;
    const uint64_t dim = file->parts[MODEL_WORDS].dim;
    posemb_status status = POSEMB_OK;

    if (say->has_embedding_size && say->embedding_size != dim)
        status =
            fail_key(file, MODEL_WORDS, "dim", dim, embedding_size, say->embedding_size, error);
    else if (!say->has_embedding_size && say->has_hidden_size && say->hidden_size != dim)
        status = fail_key(file, MODEL_WORDS, "dim", dim, hidden_size, say->hidden_size, error);
    if (status == POSEMB_OK)
        status =
            check_rows(file, MODEL_WORDS, say->has_vocab_size, vocab_size, say->vocab_size, error);
    if (status == POSEMB_OK)
        status = check_rows(file, MODEL_POSITIONS, say->has_max_position_embeddings, position_count,
                            say->max_position_embeddings, error);
    if (status == POSEMB_OK)
        status = check_rows(file, MODEL_TYPES, say->has_type_vocab_size, type_count,
                            say->type_vocab_size, error);
    return status;
}

/* ---- The file */

static posemb_status open_at(model_file *file, const char *path, const char *wanted,
                             posemb_error *error)
{
    posemb_status status = tensor_file_open(path, &file->source, error);

    if (status == POSEMB_OK)
        status = model_names_find(file->source, wanted, file->tensors, error);
    if (status == POSEMB_OK)
        status = describe_parts(file, error);
    if (status == POSEMB_OK)
        status = read_config(file, path, error);
    if (status == POSEMB_OK)
        status = check_config(file, error);
    return status;
}

posemb_status model_file_open(const char *path, const char *wanted, model_file **file,
                              posemb_error *error)
{
    model_file *made;
    char *whole;
    posemb_status status;

    *file = NULL;
    if (!path)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "path: NULL");
    made = calloc(1, sizeof *made);
    whole = tensors_path(path);
    status = made && whole ? open_at(made, whole, wanted, error) : fail_memory(error);
    free(whole);
    if (status == POSEMB_OK)
        *file = made;
    else
        model_file_close(made);
    return status;
}

/* "FILE:TENSOR" to FILE, whose length is `length`, and TENSOR. */
static posemb_status find_table(model_file *file, const char *path, size_t length,
                                posemb_error *error)
{
    const char *name = path[length] ? path + length + 1 : NULL;
    char *whole = strndup(path, length);
    posemb_status status =
        whole ? tensor_file_open(whole, &file->source, error) : fail_memory(error);
    const file_tensor **words = &file->tensors[MODEL_WORDS];

    free(whole);
    if (status != POSEMB_OK)
        return status;
    return name ? tensor_file_find(file->source, name, words, error)
                : tensor_file_find_matrix(file->source, words, error);
}

posemb_status model_file_open_table(const char *path, model_file **file, posemb_error *error)
{
    const size_t length = path ? tensor_path_length(path) : 0;
    model_file *made;
    posemb_status status;

    *file = NULL;
    if (!path)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "path: NULL");
    made = calloc(1, sizeof *made);
    if (!made)
        return fail_memory(error);
    status = find_table(made, path, length ? length : strlen(path), error);
    if (status == POSEMB_OK)
        status = describe_parts(made, error);
    if (status == POSEMB_OK)
        *file = made;
    else
        model_file_close(made);
    return status;
}

void model_file_close(model_file *file)
{
    if (!file)
        return;
    tensor_file_close(file->source);
    free(file);
}

const model_tensor *model_file_part(const model_file *file, model_part part)
{
    static const model_tensor absent;

    return (unsigned)part < MODEL_PART_COUNT ? &file->parts[part] : &absent;
}

const tensor_file *model_file_source(const model_file *file)
{
    return file->source;
}

const file_tensor *model_file_tensor(const model_file *file, model_part part)
{
    return (unsigned)part < MODEL_PART_COUNT ? file->tensors[part] : NULL;
}

const file_tensor *model_file_scales(const model_file *file, model_part part)
{
    return (unsigned)part < MODEL_PART_COUNT ? file->scales[part] : NULL;
}

const model_config *model_file_config(const model_file *file)
{
    return file->has_config ? &file->config : NULL;
}

/* Units [first, first + count) of a tensor that is `units` of them. */
static posemb_status read_units(const model_file *file, model_part part, const char *what,
                                const file_tensor *tensor, uint64_t units, uint64_t first,
                                uint64_t count, void *destination, size_t capacity,
                                posemb_error *error)
{
    file_tensor piece;
    char problem[160];

    if (!tensor)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s: the file has no %s of them",
                            tensor_file_shown(file->source), model_part_name(part), what);
    if (first > units || count > units - first) {
        snprintf(problem, sizeof problem, "%s: %" PRIu64 " from %" PRIu64 " on, of %" PRIu64, what,
                 count, first, units);
        return fail_part(file, part, problem, error);
    }
    piece = *tensor;
    piece.offset += first * (tensor->bytes / units);
    piece.bytes = count * (tensor->bytes / units);
    return tensor_file_read(file->source, &piece, destination, capacity, error);
}

posemb_status model_file_read_rows(const model_file *file, model_part part, uint64_t first,
                                   uint64_t count, void *destination, size_t capacity,
                                   posemb_error *error)
{
    return read_units(file, part, "rows", model_file_tensor(file, part),
                      model_file_part(file, part)->rows, first, count, destination, capacity,
                      error);
}

posemb_status model_file_read_scales(const model_file *file, model_part part, uint64_t first,
                                     uint64_t count, float *destination, posemb_error *error)
{
    const size_t capacity = count < SIZE_MAX / sizeof(float) ? (size_t)count * sizeof(float) : 0;

    return read_units(file, part, "scales", model_file_scales(file, part),
                      model_file_part(file, part)->scales, first, count, destination, capacity,
                      error);
}
