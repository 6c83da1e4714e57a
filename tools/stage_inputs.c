/* What encode reads beside ids, tokens and positions: tables, types, the norm's rows, prompts. */
#include "stage_inputs.h"

#include "model_desc.h"
#include "status.h"
#include "storage.h"

#include <inttypes.h>

static posemb_status check_dim(const struct inputs *inputs, const char *what, const char *path,
                               const struct stored_table *table, posemb_error *error)
{
    if (table->dim == inputs->words.dim)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%.200s: %s has %" PRIu32 " channels, but the token table has %" PRIu32,
                        path, what, table->dim, inputs->words.dim);
}

/* In place of what is there already; `path` NULL: leave that. */
static posemb_status read_table(const struct inputs *inputs, const char *what, const char *path,
                                struct stored_table *table, posemb_error *error)
{
    posemb_status status;

    if (!path)
        return POSEMB_OK;
    stored_table_free(table);
    status = stored_table_read(what, path, NULL, table, error);
    return status == POSEMB_OK ? check_dim(inputs, what, path, table, error) : status;
}

static posemb_status read_row(const struct inputs *inputs, const char *what, const char *path,
                              struct stored_table *row, posemb_error *error)
{
    posemb_status status;

    if (!path)
        return POSEMB_OK;
    stored_table_free(row);
    status = stored_row_read(what, path, row, error);
    return status == POSEMB_OK ? check_dim(inputs, what, path, row, error) : status;
}

static posemb_status read_position_table(const struct stage_options *options, struct inputs *inputs,
                                         posemb_error *error)
{
    struct stored_table *table = &inputs->position_table;
    const posemb_status status =
        read_table(inputs, "a position table", options->positions_table, table, error);

    if (status != POSEMB_OK || !table->data)
        return status;
    inputs->desc.position_kind = POSEMB_LEARNED;
    inputs->desc.position_table = stored_table_desc(table, POSEMB_POLICY_DEFAULT);
    inputs->args.shape.position_rows = table->rows;
    inputs->args.position_table = table->data;
    inputs->args.position_scales = table->scales;
    return POSEMB_OK;
}

/* Types have the shape of the ids, or [B]. */
static posemb_status read_types(const char *path, struct inputs *inputs, posemb_error *error)
{
    const npy_array *ids = &inputs->ids;
    const npy_array *types = &inputs->types;
    posemb_extra_desc *extra = &inputs->desc.extras[0];
    const posemb_status status = read_ints(path, "types", &inputs->types, error);

    if (status != POSEMB_OK)
        return status;
    if (types->rank == ids->rank && types->shape[0] == ids->shape[0] && types->count == ids->count)
        extra->ids = POSEMB_EXTRA_OF_TOKEN;
    else if (types->rank == 1 && ids->rank == 2 && types->count == ids->shape[0])
        extra->ids = POSEMB_EXTRA_OF_ROW;
    else
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: %" PRIu64 " types of rank %" PRIu32
                            " do not fit ids of [%" PRIu64 ", %" PRIu64 "]",
                            path, types->count, types->rank, inputs->args.shape.batch,
                            inputs->args.shape.length);
    extra->id_type = number_type_of(types);
    inputs->args.extras[0].ids = types->data;
    return POSEMB_OK;
}

static posemb_status read_type_table(const struct stage_options *options, struct inputs *inputs,
                                     posemb_error *error)
{
    struct stored_table *table = &inputs->type_table;
    posemb_extra_desc *extra = &inputs->desc.extras[0];
    const posemb_status status =
        read_table(inputs, "a table of types", options->types_table, table, error);

    if (status != POSEMB_OK)
        return status;
    if (!table->data && options->types)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "--types is \"%.100s\", but %.200s has no table of token types",
                            options->types, options->model_file);
    if (!table->data)
        return POSEMB_OK;
    extra->ids = POSEMB_EXTRA_CONSTANT; /* row 0, as BERT does without types */
    extra->table = stored_table_desc(table, options->desc.tokens.policy);
    inputs->args.shape.extras[0].rows = table->rows;
    inputs->args.extras[0].table = table->data;
    inputs->args.extras[0].scales = table->scales;
    return options->types ? read_types(options->types, inputs, error) : POSEMB_OK;
}

/* Rows that the file has, or the options name, are those of the norm. */
static posemb_status describe_norm(const struct stage_options *options, struct inputs *inputs,
                                   posemb_error *error)
{
    const struct stored_table *gamma = &inputs->gamma;
    const struct stored_table *beta = &inputs->beta;
    posemb_desc *desc = &inputs->desc;

    if (gamma->data && beta->data && gamma->storage != beta->storage)
        return posemb__fail(
            error, POSEMB_INVALID_ARGUMENT, 0, "beta is %s, but gamma is %s: they must be alike",
            posemb_storage_find(beta->storage)->name, posemb_storage_find(gamma->storage)->name);
    if (!gamma->data && desc->gamma == POSEMB_GAMMA_ONE_PLUS)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "--gamma-one-plus needs a gamma, but %.200s has none",
                            options->model_file);
    model_desc_set_norm_rows(gamma->storage, beta->storage, desc);
    inputs->args.gamma = gamma->data;
    inputs->args.beta = beta->data;
    return POSEMB_OK;
}

static posemb_status read_norm(const struct stage_options *options, struct inputs *inputs,
                               posemb_error *error)
{
    const posemb_norm norm = inputs->desc.norm;
    posemb_status status;

    if (norm == POSEMB_NORM_DEFAULT || norm == POSEMB_NORM_NONE) {
        inputs->desc.gamma = POSEMB_GAMMA_DEFAULT;
        if (options->gamma || options->beta || options->sum_out)
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s is of a norm, but %.200s has none; give --norm",
                                options->gamma  ? "--gamma"
                                : options->beta ? "--beta"
                                                : "--sum-out",
                                options->model_file);
        return POSEMB_OK;
    }
    status = read_row(inputs, "a gamma", options->gamma, &inputs->gamma, error);
    if (status == POSEMB_OK)
        status = read_row(inputs, "a beta", options->beta, &inputs->beta, error);
    return status == POSEMB_OK ? describe_norm(options, inputs, error) : status;
}

static posemb_status read_prompts(const struct stage_options *options, struct inputs *inputs,
                                  posemb_error *error)
{
    struct stored_table *prompts = &inputs->prompts;
    const posemb_status status =
        read_table(inputs, "a list of prompts", options->prompts, prompts, error);

    if (status != POSEMB_OK || !prompts->data)
        return status;
    if (posemb__is_table_storage(prompts->storage))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: type: %s, which soft prompts cannot have", options->prompts,
                            posemb_storage_find(prompts->storage)->name);
    inputs->desc.soft_prompts = 1;
    inputs->desc.rows_storage = prompts->storage;
    inputs->args.shape.prompt_rows = prompts->rows;
    inputs->args.rows = prompts->data;
    return POSEMB_OK;
}

posemb_status stage_inputs_read(const struct stage_options *options, struct inputs *inputs,
                                posemb_error *error)
{
    posemb_status status = read_position_table(options, inputs, error);

    if (status == POSEMB_OK)
        status = read_type_table(options, inputs, error);
    if (status == POSEMB_OK)
        status = read_norm(options, inputs, error);
    if (status == POSEMB_OK)
        status = read_prompts(options, inputs, error);
    return status;
}
