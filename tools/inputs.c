/* The files that a stage reads, as arguments of a call. */
#include "inputs.h"

#include "file_bytes.h"
#include "safetensors.h"
#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static posemb_status check_table_shape(const char *path, const uint64_t *shape, posemb_error *error)
{
    if (shape[0] == 0 || shape[1] == 0 || shape[1] > POSEMB_DIM_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: a token table of [%" PRIu64 ", %" PRIu64
                            "] is not [at least 1, 1 ... %u]",
                            path, shape[0], shape[1], POSEMB_DIM_MAX);
    return POSEMB_OK;
}

static posemb_status read_npy_table(const char *path, float **table, uint64_t shape[2],
                                    posemb_error *error)
{
    npy_array array;
    posemb_status status = npy_read(path, &array, error);

    if (status != POSEMB_OK)
        return status;
    if (array.type != NPY_F4 || array.rank != 2) {
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "%.200s: a token table is two-dimensional and of type <f4, not %s of "
                              "rank %" PRIu32,
                              path, npy_type_name(array.type), array.rank);
    } else {
        memcpy(shape, array.shape, 2 * sizeof *shape);
        status = check_table_shape(path, shape, error);
    }
    if (status == POSEMB_OK) {
        *table = array.data;
        array.data = NULL;
    }
    npy_free(&array);
    return status;
}

/* The caller wants floats, and the other types are not converted here. */
static posemb_status require_floats(const char *path, const safetensors_file *file,
                                    const safetensors_tensor *tensor, posemb_error *error)
{
    posemb_storage storage = POSEMB_STORAGE_DEFAULT;
    const posemb_status status = safetensors_require_storage(file, tensor, &storage, error);
    char shown[100];

    if (status != POSEMB_OK || storage == POSEMB_F32)
        return status;
    escape_text(tensor->name, strlen(tensor->name), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%.200s: tensor \"%s\": dtype: %s, but only F32 is taken here", path, shown,
                        safetensors_dtype_name(tensor->dtype));
}

static posemb_status read_tensor(const char *path, const safetensors_file *file,
                                 const safetensors_tensor *tensor, float **table, uint64_t shape[2],
                                 posemb_error *error)
{
    posemb_status status = require_floats(path, file, tensor, error);

    if (status != POSEMB_OK)
        return status;
    if (tensor->rank != 2)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: tensor \"%.100s\" has rank %" PRIu32 ", a token table has 2",
                            path, tensor->name, tensor->rank);
    status = check_table_shape(path, tensor->shape, error);
    if (status != POSEMB_OK)
        return status;
    *table = malloc((size_t)tensor->bytes);
    if (!*table)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0,
                            "%.200s: no memory for %" PRIu64 " bytes", path, tensor->bytes);
    memcpy(shape, tensor->shape, 2 * sizeof *shape);
    return safetensors_read(file, tensor, *table, (size_t)tensor->bytes, error);
}

/* `name` NULL: the only tensor with two dimensions. */
static posemb_status read_safetensors_table(const char *path, const char *name, float **table,
                                            uint64_t shape[2], posemb_error *error)
{
    const safetensors_tensor *tensor = NULL;
    safetensors_file *file;
    posemb_status status = safetensors_open(path, &file, error);

    if (status != POSEMB_OK)
        return status;
    status = name ? safetensors_find(file, name, &tensor, error)
                  : safetensors_find_matrix(file, &tensor, error);
    if (status == POSEMB_OK)
        status = read_tensor(path, file, tensor, table, shape, error);
    safetensors_close(file);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text);

    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

posemb_status read_token_table(const char *path, float **table, uint64_t *vocab, uint32_t *dim,
                               posemb_error *error)
{
    static const char extension[] = ".safetensors";
    const char *mark = strstr(path, ".safetensors:");
    uint64_t shape[2] = {0, 0};
    posemb_status status;

    *table = NULL;
    if (mark) {
        char *file = strdup(path);

        if (!file)
            return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a path");
        file[mark - path + (ptrdiff_t)sizeof extension - 1] = '\0';
        status = read_safetensors_table(file, mark + sizeof extension, table, shape, error);
        free(file);
    } else if (ends_with(path, extension)) {
        status = read_safetensors_table(path, NULL, table, shape, error);
    } else {
        status = read_npy_table(path, table, shape, error);
    }
    *vocab = shape[0];
    *dim = (uint32_t)shape[1];
    if (status != POSEMB_OK) {
        free(*table);
        *table = NULL;
    }
    return status;
}

static bool is_number(npy_type type, bool floats)
{
    return type == NPY_I4 || type == NPY_I8 || (floats && type == NPY_F4);
}

static posemb_status read_numbers(const char *path, const char *what, bool floats, npy_array *array,
                                  posemb_error *error)
{
    posemb_status status = npy_read(path, array, error);

    if (status == POSEMB_OK &&
        (!is_number(array->type, floats) || array->rank < 1 || array->rank > 2))
        status =
            posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                         "%.200s: %s are int32%s int64%s of rank 1 or 2, not %s of rank %" PRIu32,
                         path, what, floats ? "," : " or", floats ? " or float32" : "",
                         npy_type_name(array->type), array->rank);
    return status;
}

static posemb_status read_ints(const char *path, const char *what, npy_array *array,
                               posemb_error *error)
{
    return read_numbers(path, what, false, array, error);
}

static posemb_number_type number_type_of(const npy_array *array)
{
    if (array->type == NPY_F4)
        return POSEMB_FLOAT32;
    return array->type == NPY_I8 ? POSEMB_INT64 : POSEMB_INT32;
}

/* The fields that are set go before what the model says; 0 is never a value of its own. */
static void override(const posemb_desc *set, posemb_desc *desc)
{
#define TAKE(field)                                                                                \
    if (set->field != 0)                                                                           \
    desc->field = set->field
    TAKE(convention);
    TAKE(layout);
    TAKE(first);
    TAKE(odd);
    TAKE(base);
    TAKE(amplitude);
    TAKE(frequency);
    TAKE(position_scale);
    TAKE(positions);
    TAKE(pad_policy);
    TAKE(token_scale);
#undef TAKE
    if (set->denominator || set->shift != 0.0) {
        desc->denominator = set->denominator;
        desc->shift = set->shift;
    }
    if (set->grid.axes) {
        const posemb_grid from_model = desc->grid;

        desc->grid = set->grid;
        if (from_model.axes == set->grid.axes && set->grid.segment_axis[0] == 0)
            memcpy(desc->grid.segment_axis, from_model.segment_axis,
                   sizeof from_model.segment_axis);
    }
}

/* The description of the model, with what the options set. The dim must be known. */
static posemb_status apply_model(const struct stage_options *options, struct inputs *inputs,
                                 posemb_error *error)
{
    const posemb_desc set = inputs->desc;
    posemb_desc desc;
    int64_t start = 0;
    posemb_status status;

    if (!options->model)
        return POSEMB_OK;
    status = posemb_model_preset(options->model, set.dim, &desc, &start, error);
    if (status != POSEMB_OK)
        return status;
    override(&set, &desc);
    desc.dim = set.dim;
    desc.operation = set.operation;
    desc.id_type = set.id_type;
    inputs->desc = desc;
    if (!options->has_start)
        inputs->args.shape.start = start;
    return POSEMB_OK;
}

/* A table has the model's sinusoids at positions that the options name. */
static void forget_rule(struct inputs *inputs)
{
    posemb_desc *desc = &inputs->desc;

    desc->positions = POSEMB_POSITIONS_INDEX;
    desc->position_type = POSEMB_NUMBER_DEFAULT;
    desc->padding = POSEMB_PADDING_DEFAULT;
    desc->pad_policy = POSEMB_PAD_DEFAULT;
    desc->pad_id = 0;
    desc->token_scale = 0.0f;
}

/* Positions [S] are shared by the batch; [B, S] and [T] are one for each token. */
static posemb_status read_positions(const char *path, struct inputs *inputs, posemb_error *error)
{
    const posemb_shape *shape = &inputs->args.shape;
    const npy_array *positions = &inputs->positions;
    posemb_status status = read_numbers(path, "positions", true, &inputs->positions, error);

    if (status != POSEMB_OK)
        return status;
    inputs->desc.position_type = number_type_of(positions);
    if (positions->type == NPY_F4 && inputs->args.shape.start != 0)
        inputs->args.shape.start = 0; /* the model's; --start and --positions exclude each other */
    inputs->args.positions = positions->data;
    if (positions->rank == 1 && positions->shape[0] == shape->length)
        inputs->desc.positions = POSEMB_POSITIONS_EXPLICIT_SHARED;
    else if ((positions->rank == 1 && positions->shape[0] == shape->batch * shape->length) ||
             (positions->rank == 2 && positions->shape[0] == shape->batch &&
              positions->shape[1] == shape->length))
        inputs->desc.positions = POSEMB_POSITIONS_EXPLICIT;
    else
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: %" PRIu64 " positions of rank %" PRIu32
                            " do not fit ids of [%" PRIu64 ", %" PRIu64 "]",
                            path, positions->count, positions->rank, shape->batch, shape->length);
    return POSEMB_OK;
}

/* The output's shape is that of the ids (or positions), and D; and memory for it. */
static posemb_status allocate_out(struct inputs *inputs, posemb_error *error)
{
    size_t elements = inputs->desc.dim;

    inputs->out_shape[inputs->out_rank++] = inputs->desc.dim;
    for (uint32_t i = 0; i + 1 < inputs->out_rank; i++)
        if (__builtin_mul_overflow(elements, inputs->out_shape[i], &elements))
            return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "the output is too large");
    if (elements > SIZE_MAX / sizeof(float))
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "the output is too large");
    inputs->args.out = malloc(elements ? elements * sizeof(float) : 1);
    if (!inputs->args.out)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for an output of %zu floats",
                            elements);
    return POSEMB_OK;
}

static void start_inputs(const struct stage_options *options, struct inputs *inputs)
{
    const posemb_record clear = POSEMB_RECORD_CLEAR;

    memset(inputs, 0, sizeof *inputs);
    inputs->desc = options->desc;
    inputs->record = clear;
    inputs->args.record = &inputs->record;
    inputs->args.shape.start = options->start;
}

/* [T] is one batch row of T tokens, [B, S] is what it says. */
static void take_shape(const npy_array *array, struct inputs *inputs)
{
    inputs->args.shape.batch = array->rank == 2 ? array->shape[0] : 1;
    inputs->args.shape.length = array->shape[array->rank - 1];
    inputs->out_rank = array->rank;
    memcpy(inputs->out_shape, array->shape, array->rank * sizeof *array->shape);
}

/* cu_seqlens [N + 1] */
static posemb_status read_cu_seqlens(const char *path, struct inputs *inputs, posemb_error *error)
{
    posemb_status status = read_ints(path, "cu_seqlens", &inputs->positions, error);

    if (status != POSEMB_OK)
        return status;
    if (inputs->positions.rank != 1 || inputs->positions.count < 2)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: cu_seqlens are at least two numbers of rank 1, not %" PRIu64
                            " of rank %" PRIu32,
                            path, inputs->positions.count, inputs->positions.rank);
    inputs->desc.positions = POSEMB_POSITIONS_RAGGED;
    inputs->desc.position_type = number_type_of(&inputs->positions);
    inputs->args.positions = inputs->positions.data;
    inputs->args.shape.sequences = inputs->positions.count - 1;
    return POSEMB_OK;
}

/* [B] numbers, or a mask [B, past + S]. */
static posemb_status read_padding(const char *path, posemb_padding padding, struct inputs *inputs,
                                  posemb_error *error)
{
    const posemb_shape *shape = &inputs->args.shape;
    const bool mask = padding == POSEMB_PADDING_MASK;
    const npy_array *array = &inputs->padding;
    posemb_status status = read_ints(path, mask ? "masks" : "lengths", &inputs->padding, error);

    if (status != POSEMB_OK)
        return status;
    if (mask ? array->rank != 2 || array->shape[0] != shape->batch ||
                   array->shape[1] != shape->past + shape->length
             : array->rank != 1 || array->count != shape->batch)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: %" PRIu64 " numbers of rank %" PRIu32
                            " do not fit ids of [%" PRIu64 ", %" PRIu64 "] and a past of %" PRIu64,
                            path, array->count, array->rank, shape->batch, shape->length,
                            shape->past);
    inputs->desc.padding = padding;
    inputs->desc.padding_type = number_type_of(array);
    inputs->desc.pad_id = 0; /* the model's, if any */
    inputs->args.padding = array->data;
    return POSEMB_OK;
}

/* Where tokens are, as far as the options say. */
static posemb_status read_rule(const struct stage_options *options, struct inputs *inputs,
                               posemb_error *error)
{
    if (options->has_pad_id) {
        inputs->desc.padding = POSEMB_PADDING_TOKEN;
        inputs->desc.pad_id = options->desc.pad_id;
    }
    if (options->mask)
        return read_padding(options->mask, POSEMB_PADDING_MASK, inputs, error);
    if (options->left_pads)
        return read_padding(options->left_pads, POSEMB_PADDING_LEFT_COUNT, inputs, error);
    if (options->lengths)
        return read_padding(options->lengths, POSEMB_PADDING_LEFT_LENGTH, inputs, error);
    if (options->cu_seqlens)
        return read_cu_seqlens(options->cu_seqlens, inputs, error);
    if (options->positions)
        return read_positions(options->positions, inputs, error);
    return POSEMB_OK;
}

static posemb_status allocate_positions_out(struct inputs *inputs, posemb_error *error)
{
    const uint64_t tokens = inputs->args.shape.batch * inputs->args.shape.length;

    inputs->positions_out = calloc((size_t)tokens + 1, sizeof(int64_t) * POSEMB_AXES_MAX);
    inputs->args.positions_out = inputs->positions_out;
    if (!inputs->positions_out)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %" PRIu64 " positions",
                            tokens);
    return POSEMB_OK;
}

posemb_status inputs_read_encode(const struct stage_options *options, struct inputs *inputs,
                                 posemb_error *error)
{
    posemb_status status;

    start_inputs(options, inputs);
    inputs->desc.operation = POSEMB_ENCODE;
    status = read_ints(options->ids, "ids", &inputs->ids, error);
    if (status == POSEMB_OK)
        status = read_token_table(options->tokens, &inputs->table, &inputs->args.shape.vocab,
                                  &inputs->desc.dim, error);
    if (status != POSEMB_OK)
        return status;
    take_shape(&inputs->ids, inputs);
    inputs->args.shape.past = (uint64_t)options->past;
    inputs->desc.id_type = number_type_of(&inputs->ids);
    inputs->args.ids = inputs->ids.data;
    inputs->args.table = inputs->table;
    status = apply_model(options, inputs, error);
    if (options->scale_is_sqrt)
        inputs->desc.token_scale = sqrtf((float)inputs->desc.dim);
    if (status == POSEMB_OK)
        status = read_rule(options, inputs, error);
    if (status == POSEMB_OK && options->positions_out)
        status = allocate_positions_out(inputs, error);
    if (status == POSEMB_OK)
        status = allocate_out(inputs, error);
    return status;
}

/* The columns of a table without given positions: --count of them, or a grid. */
static void take_columns(const struct stage_options *options, struct inputs *inputs)
{
    uint64_t columns = (uint64_t)options->count;

    if (inputs->desc.grid.axes)
        columns = 1;
    for (uint32_t axis = 0; axis < inputs->desc.grid.axes; axis++)
        columns = columns > POSEMB_TOKENS_MAX ? columns : columns * inputs->desc.grid.count[axis];
    inputs->args.shape.batch = 1;
    inputs->args.shape.length = columns;
    inputs->out_rank = 1;
    inputs->out_shape[0] = columns;
}

posemb_status inputs_read_table(const struct stage_options *options, struct inputs *inputs,
                                posemb_error *error)
{
    posemb_status status;

    start_inputs(options, inputs);
    inputs->desc.operation = POSEMB_TABLE;
    status = apply_model(options, inputs, error);
    if (status != POSEMB_OK)
        return status;
    if (options->model) {
        forget_rule(inputs);
        if (!inputs->desc.grid.axes && !options->has_start)
            inputs->args.shape.start = 0;
    }
    if (options->positions) {
        status = read_numbers(options->positions, "positions", true, &inputs->positions, error);
        if (status == POSEMB_OK) {
            take_shape(&inputs->positions, inputs);
            inputs->desc.positions = POSEMB_POSITIONS_EXPLICIT;
            inputs->desc.position_type = number_type_of(&inputs->positions);
            inputs->args.positions = inputs->positions.data;
        }
    } else {
        take_columns(options, inputs);
    }
    if (status == POSEMB_OK)
        status = allocate_out(inputs, error);
    return status;
}

void inputs_free(struct inputs *inputs)
{
    npy_free(&inputs->ids);
    npy_free(&inputs->positions);
    npy_free(&inputs->padding);
    free(inputs->table);
    free(inputs->args.out);
    free(inputs->positions_out);
    inputs->table = NULL;
    inputs->args.out = NULL;
    inputs->positions_out = NULL;
}
