/* The files that a stage reads, as arguments of a call. */
#include "inputs.h"

#include "model_desc.h"
#include "model_stage.h"
#include "stage_inputs.h"
#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

posemb_status read_ints(const char *path, const char *what, npy_array *array, posemb_error *error)
{
    return read_numbers(path, what, false, array, error);
}

posemb_number_type number_type_of(const npy_array *array)
{
    if (array->type == NPY_F4)
        return POSEMB_FLOAT32;
    if (array->type == NPY_U1 || array->type == NPY_B1)
        return POSEMB_UINT8;
    return array->type == NPY_I8 ? POSEMB_INT64 : POSEMB_INT32;
}

/* What the options do not say is as the model has it. The dim must be known. */
static posemb_status apply_model(const struct stage_options *options, const char *model,
                                 struct inputs *inputs, posemb_error *error)
{
    int64_t *start = options->has_start ? NULL : &inputs->args.shape.start;

    return model_desc_set_preset(model, &inputs->desc, start, error);
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

static posemb_status allocate_rows(size_t bytes, void **rows, posemb_error *error)
{
    *rows = malloc(bytes ? bytes : 1);
    if (!*rows)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for an output of %zu bytes",
                            bytes);
    return POSEMB_OK;
}

/* The output's shape is that of the ids (or positions), and D; and memory for it. */
static posemb_status allocate_out(const struct stage_options *options, struct inputs *inputs,
                                  posemb_error *error)
{
    size_t bytes = npy_type_size(storage_npy_type(inputs->desc.out_storage));
    posemb_status status;

    inputs->out_shape[inputs->out_rank++] = inputs->desc.dim;
    for (uint32_t i = 0; i < inputs->out_rank; i++)
        if (__builtin_mul_overflow(bytes, inputs->out_shape[i], &bytes))
            return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "the output is too large");
    status = allocate_rows(bytes, &inputs->args.out, error);
    if (status == POSEMB_OK && options->sum_out)
        status = allocate_rows(bytes, &inputs->args.sum_out, error);
    return status;
}

static void start_inputs(const struct stage_options *options, struct inputs *inputs)
{
    const posemb_record clear = POSEMB_RECORD_CLEAR;

    memset(inputs, 0, sizeof *inputs);
    inputs->desc = options->desc;
    if (inputs->desc.out_storage == POSEMB_STORAGE_DEFAULT)
        inputs->desc.out_storage = POSEMB_F32;
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

/* Bools and bytes too. */
static posemb_status read_mask(const char *path, npy_array *array, posemb_error *error)
{
    const posemb_status status = npy_read(path, array, error);

    if (status != POSEMB_OK || array->type == NPY_U1 || array->type == NPY_B1)
        return status;
    npy_free(array);
    return read_ints(path, "masks", array, error);
}

/* [B] numbers, or a mask [B, past + S]. */
static posemb_status read_padding(const char *path, posemb_padding padding, struct inputs *inputs,
                                  posemb_error *error)
{
    const posemb_shape *shape = &inputs->args.shape;
    const bool mask = padding == POSEMB_PADDING_MASK;
    const npy_array *array = &inputs->padding;
    posemb_status status = mask ? read_mask(path, &inputs->padding, error)
                                : read_ints(path, "lengths", &inputs->padding, error);

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

static posemb_status read_tokens(const struct stage_options *options, struct inputs *inputs,
                                 posemb_error *error)
{
    posemb_status status;

    if (options->model_file)
        status = model_stage_read(options, inputs, error);
    else
        status = stored_table_read("a token table", options->tokens, options->scales,
                                   &inputs->words, error);
    inputs->desc.dim = inputs->words.dim;
    inputs->desc.tokens = stored_table_desc(&inputs->words, options->desc.tokens.policy);
    inputs->args.shape.vocab = inputs->words.rows;
    inputs->args.table = inputs->words.data;
    inputs->args.table_scales = inputs->words.scales;
    return status;
}

/* What the model says, its file's config, and the options of this call. */
static posemb_status read_positions_of_encode(const struct stage_options *options,
                                              struct inputs *inputs, posemb_error *error)
{
    posemb_status status =
        apply_model(options, options->model ? options->model : inputs->model, inputs, error);

    if (status != POSEMB_OK)
        return status;
    model_desc_set_config(&inputs->config, options->desc.token_scale != 0.0f, &inputs->desc,
                          options->has_start ? NULL : &inputs->args.shape.start);
    if (options->scale_is_sqrt)
        inputs->desc.token_scale = sqrtf((float)inputs->desc.dim);
    status = read_rule(options, inputs, error);
    if (!inputs->args.padding)
        model_desc_forget_mask(&inputs->desc, &inputs->args.shape.start);
    return status;
}

posemb_status inputs_read_encode(const struct stage_options *options, struct inputs *inputs,
                                 posemb_error *error)
{
    posemb_status status;

    start_inputs(options, inputs);
    inputs->desc.operation = POSEMB_ENCODE;
    status = read_ints(options->ids, "ids", &inputs->ids, error);
    if (status != POSEMB_OK)
        return status;
    take_shape(&inputs->ids, inputs);
    inputs->args.shape.past = (uint64_t)options->past;
    inputs->desc.id_type = number_type_of(&inputs->ids);
    inputs->args.ids = inputs->ids.data;
    status = read_tokens(options, inputs, error);
    if (status == POSEMB_OK)
        status = stage_inputs_read(options, inputs, error);
    if (status == POSEMB_OK)
        status = read_positions_of_encode(options, inputs, error);
    if (status == POSEMB_OK && options->positions_out)
        status = allocate_positions_out(inputs, error);
    if (status == POSEMB_OK)
        status = allocate_out(options, inputs, error);
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
    status = apply_model(options, options->model, inputs, error);
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
        status = allocate_out(options, inputs, error);
    return status;
}

void inputs_free(struct inputs *inputs)
{
    npy_free(&inputs->ids);
    npy_free(&inputs->positions);
    npy_free(&inputs->padding);
    npy_free(&inputs->types);
    stored_table_free(&inputs->words);
    stored_table_free(&inputs->position_table);
    stored_table_free(&inputs->type_table);
    stored_table_free(&inputs->gamma);
    stored_table_free(&inputs->beta);
    stored_table_free(&inputs->prompts);
    free(inputs->args.out);
    free(inputs->args.sum_out);
    free(inputs->positions_out);
    inputs->args.out = NULL;
    inputs->args.sum_out = NULL;
    inputs->positions_out = NULL;
}
