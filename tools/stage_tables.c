/* Tables and rows of a stage in memory, as they lie in their files. */
#include "stage_tables.h"

#include "file_bytes.h"
#include "status.h"
#include "storage.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By storage: those that an array of a .npy file can have. */
static const npy_type types[] = {[POSEMB_STORAGE_DEFAULT] = NPY_F4,
                                 [POSEMB_F32] = NPY_F4,
                                 [POSEMB_F16] = NPY_F2,
                                 [POSEMB_BF16] = NPY_BF16,
                                 [POSEMB_I8] = NPY_I1};

npy_type storage_npy_type(posemb_storage storage)
{
    return types[storage];
}

static const char *name_of(posemb_storage storage)
{
    return posemb_storage_find(storage)->name;
}

/* ---- Arrays, whatever the file */

/* All zeros: none. */
struct array {
    void *data;
    posemb_storage storage;
    uint32_t rank;
    uint64_t shape[SHAPE_RANK_MAX];
};

static void array_free(struct array *array)
{
    free(array->data);
    memset(array, 0, sizeof *array);
}

static posemb_status read_npy(const char *what, const char *path, struct array *array,
                              posemb_error *error)
{
    npy_array read;
    posemb_status status = npy_read(path, &read, error);

    for (int storage = POSEMB_F32; status == POSEMB_OK && storage <= POSEMB_I8; storage++)
        if (types[storage] == read.type)
            array->storage = (posemb_storage)storage;
    if (status == POSEMB_OK && !array->storage)
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "%.200s: type: %s, but %s has <f4, <f2, bfloat16 (V2) or |i1", path,
                              npy_type_name(read.type), what);
    if (status == POSEMB_OK) {
        array->rank = read.rank;
        memcpy(array->shape, read.shape, read.rank * sizeof *read.shape);
        array->data = read.data;
        read.data = NULL;
    }
    npy_free(&read);
    return status;
}

static posemb_status read_tensor(const char *path, const tensor_file *file,
                                 const file_tensor *tensor, struct array *array,
                                 posemb_error *error)
{
    const posemb_status status = tensor_file_require_storage(file, tensor, error);

    if (status != POSEMB_OK)
        return status;
    array->data = tensor->bytes < SIZE_MAX ? malloc((size_t)tensor->bytes + 1) : NULL;
    if (!array->data)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0,
                            "%.200s: no memory for %" PRIu64 " bytes", path, tensor->bytes);
    array->storage = tensor->storage;
    array->rank = tensor->rank;
    memcpy(array->shape, tensor->shape, tensor->rank * sizeof *tensor->shape);
    return tensor_file_read(file, tensor, array->data, (size_t)tensor->bytes, error);
}

/* The scales beside an I8 tensor, if there are any. */
static posemb_status read_scales_beside(const char *path, const tensor_file *file,
                                        const file_tensor *tensor, struct array *scales,
                                        posemb_error *error)
{
    const file_tensor *found;
    const posemb_status status = model_names_find_scales(file, tensor, &found, error);

    return status == POSEMB_OK && found ? read_tensor(path, file, found, scales, error) : status;
}

/* `name` NULL: the only tensor with two dimensions. `scales` NULL: none are wanted. */
static posemb_status read_tensor_file(const char *path, const char *name, struct array *array,
                                      struct array *scales, posemb_error *error)
{
    const file_tensor *tensor = NULL;
    tensor_file *file;
    posemb_status status = tensor_file_open(path, &file, error);

    if (status != POSEMB_OK)
        return status;
    status = name ? tensor_file_find(file, name, &tensor, error)
                  : tensor_file_find_matrix(file, &tensor, error);
    if (status == POSEMB_OK)
        status = read_tensor(path, file, tensor, array, error);
    if (status == POSEMB_OK && array->storage == POSEMB_I8 && scales)
        status = read_scales_beside(path, file, tensor, scales, error);
    tensor_file_close(file);
    return status;
}

/* FILE.npy, FILE.safetensors, FILE.safetensors:TENSOR, FILE.gguf, FILE.gguf:TENSOR */
static posemb_status read_array(const char *what, const char *path, struct array *array,
                                struct array *scales, posemb_error *error)
{
    const size_t length = tensor_path_length(path);
    posemb_status status;
    char *file;

    if (length == 0)
        return read_npy(what, path, array, error);
    file = strndup(path, length);
    if (!file)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a path");
    status = read_tensor_file(file, path[length] ? path + length + 1 : NULL, array, scales, error);
    free(file);
    return status;
}

/* ---- Shapes */

/* [rows, dim], or [dim] of a row. */
static posemb_status check_shape(const char *what, const char *path, const struct array *array,
                                 uint32_t rank, posemb_error *error)
{
    char shape[SHAPE_SHOWN_SIZE];

    if (array->rank == rank && array->shape[0] > 0 && array->shape[rank - 1] > 0 &&
        array->shape[rank - 1] <= POSEMB_DIM_MAX)
        return POSEMB_OK;
    shape_show(array->shape, array->rank, shape);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%.200s: shape: %s, but %s has %s1 ... %u]", path, shape, what,
                        rank == 2 ? "[at least 1, " : "[", POSEMB_DIM_MAX);
}

/* [rows], [rows, 1], [1] or [] of floats. */
static posemb_status take_scales(const char *path, struct array *scales, struct stored_table *table,
                                 posemb_error *error)
{
    const bool is_list = scales->rank == 1 || (scales->rank == 2 && scales->shape[1] == 1);
    const bool is_one = scales->rank == 0 || (scales->rank == 1 && scales->shape[0] == 1);
    char shape[SHAPE_SHOWN_SIZE];

    if (!scales->data)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: an int8 table without scales; --scales names those of tokens",
                            path);
    if (scales->storage != POSEMB_F32)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: scales: type: %s, but float32 is needed", path,
                            name_of(scales->storage));
    if (!is_one && !(is_list && scales->shape[0] == table->rows)) {
        shape_show(scales->shape, scales->rank, shape);
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: scales: shape: %s, but the table has %" PRIu64 " rows", path,
                            shape, table->rows);
    }
    table->scaling = is_one ? POSEMB_SCALE_OF_TABLE : POSEMB_SCALE_OF_ROW;
    table->scales = scales->data;
    scales->data = NULL;
    return POSEMB_OK;
}

static void take_array(struct array *array, struct stored_table *table)
{
    *table = (struct stored_table){.data = array->data,
                                   .storage = array->storage,
                                   .rows = array->rank == 2 ? array->shape[0] : 1,
                                   .dim = (uint32_t)array->shape[array->rank - 1]};
    array->data = NULL;
}

posemb_status stored_table_read(const char *what, const char *path, const char *scales_path,
                                struct stored_table *table, posemb_error *error)
{
    struct array array = {0};
    struct array scales = {0};
    posemb_status status;

    memset(table, 0, sizeof *table);
    status = read_array(what, path, &array, scales_path ? NULL : &scales, error);
    if (status == POSEMB_OK)
        status = check_shape(what, path, &array, 2, error);
    if (status == POSEMB_OK && scales_path && array.storage != POSEMB_I8)
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "%.200s: scales are of an int8 table, but %.200s is %s", scales_path,
                              path, name_of(array.storage));
    if (status == POSEMB_OK && scales_path)
        status = read_array("a list of scales", scales_path, &scales, NULL, error);
    if (status == POSEMB_OK)
        take_array(&array, table);
    if (status == POSEMB_OK && table->storage == POSEMB_I8)
        status = take_scales(scales_path ? scales_path : path, &scales, table, error);
    array_free(&array);
    array_free(&scales);
    if (status != POSEMB_OK)
        stored_table_free(table);
    return status;
}

posemb_status stored_row_read(const char *what, const char *path, struct stored_table *row,
                              posemb_error *error)
{
    struct array array = {0};
    posemb_status status;

    memset(row, 0, sizeof *row);
    status = read_array(what, path, &array, NULL, error);
    if (status == POSEMB_OK)
        status = check_shape(what, path, &array, 1, error);
    if (status == POSEMB_OK && posemb__is_table_storage(array.storage))
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "%.200s: type: %s, which %s cannot have", path,
                              name_of(array.storage), what);
    if (status == POSEMB_OK)
        take_array(&array, row);
    array_free(&array);
    return status;
}

/* ---- Parts of a model's file */

static posemb_status read_part_scales(const model_file *file, model_part part,
                                      struct stored_table *table, posemb_error *error)
{
    const model_tensor *tensor = model_file_part(file, part);

    if (!tensor->scales)
        return POSEMB_OK;
    table->scaling = tensor->scaling;
    table->scales = calloc((size_t)tensor->scales, sizeof *table->scales);
    if (!table->scales)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %" PRIu64 " scales",
                            tensor->scales);
    return model_file_read_scales(file, part, 0, tensor->scales, table->scales, error);
}

posemb_status stored_part_read(const model_file *file, model_part part, struct stored_table *table,
                               posemb_error *error)
{
    const model_tensor *tensor = model_file_part(file, part);
    posemb_status status;

    memset(table, 0, sizeof *table);
    if (!tensor->name)
        return POSEMB_OK;
    table->storage = tensor->storage;
    table->rows = tensor->rows;
    table->dim = (uint32_t)tensor->dim;
    table->data = malloc((size_t)tensor->bytes);
    if (!table->data)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %" PRIu64 " bytes of %s",
                            tensor->bytes, model_part_name(part));
    status = model_file_read_rows(file, part, 0, tensor->rows, table->data, (size_t)tensor->bytes,
                                  error);
    if (status == POSEMB_OK)
        status = read_part_scales(file, part, table, error);
    if (status != POSEMB_OK)
        stored_table_free(table);
    return status;
}

void stored_table_free(struct stored_table *table)
{
    free(table->data);
    free(table->scales);
    memset(table, 0, sizeof *table);
}

posemb_table_desc stored_table_desc(const struct stored_table *table, posemb_policy policy)
{
    return (posemb_table_desc){
        .storage = table->storage, .scaling = table->scaling, .policy = policy};
}

/* ---- As floats */

static void convert(const struct stored_table *table, float *floats)
{
    const uint64_t row_bytes = posemb_storage_row_bytes(table->storage, table->dim);

    for (uint64_t row = 0; row < table->rows; row++) {
        const unsigned char *from = (const unsigned char *)table->data + row * row_bytes;
        const float scale = table->storage != POSEMB_I8               ? 1.0f
                            : table->scaling == POSEMB_SCALE_OF_TABLE ? table->scales[0]
                                                                      : table->scales[row];

        for (uint32_t channel = 0; channel < table->dim; channel++)
            *floats++ = scale * posemb__load_element(from, channel, table->storage);
    }
}

static posemb_status take_floats(const char *path, struct stored_table *table, float **floats,
                                 posemb_error *error)
{
    size_t bytes = sizeof **floats;

    if (table->storage == POSEMB_F32) {
        *floats = table->data;
        table->data = NULL;
        return POSEMB_OK;
    }
    if (!__builtin_mul_overflow(bytes, table->rows, &bytes) &&
        !__builtin_mul_overflow(bytes, table->dim, &bytes))
        *floats = malloc(bytes ? bytes : 1);
    if (!*floats)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0,
                            "%.200s: no memory for %" PRIu64 " rows of floats", path, table->rows);
    convert(table, *floats);
    return POSEMB_OK;
}

posemb_status read_float_table(const char *what, const char *path, float **table, uint64_t *rows,
                               uint32_t *dim, posemb_error *error)
{
    struct stored_table read;
    posemb_status status = stored_table_read(what, path, NULL, &read, error);

    *table = NULL;
    *rows = read.rows;
    *dim = read.dim;
    if (status == POSEMB_OK)
        status = take_floats(path, &read, table, error);
    stored_table_free(&read);
    return status;
}
