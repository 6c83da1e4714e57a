/* The stage of a model's file: its tables, its norm, and what its config says. */
#include "model_stage.h"

#include "model_desc.h"
#include "stage_options.h"
#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Which model */

static model_advice advice_of(const struct stage_options *options)
{
    return (model_advice){.file = options->model_file,
                          .model = "give --model, which may be none",
                          .positions = "give --positions-table or another --model"};
}

/* A model of the config's that adds no positions, unless the options name some. */
static posemb_status take_no_positions(const struct stage_options *options, struct inputs *inputs,
                                       posemb_error *error)
{
    const char *option = position_rule_option(options);

    if (options->positions_table || options->desc.convention) {
        inputs->model = NULL;
        return POSEMB_OK;
    }
    if (option)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: its model has no positions, but %s says where tokens are",
                            options->model_file, option);
    inputs->desc.position_kind = POSEMB_NO_POSITION;
    return POSEMB_OK;
}

/* The options' model, else that of the config; none where the options say all that one would. */
static posemb_status find_model(const struct stage_options *options, const model_config *config,
                                struct inputs *inputs, posemb_error *error)
{
    const model_advice advice = advice_of(options);

    inputs->model = model_desc_name(config, options->model);
    if (!options->model && inputs->model && strcmp(inputs->model, CONFIG_WITHOUT_POSITIONS) == 0)
        return take_no_positions(options, inputs, error);
    if (inputs->model || options->positions_table || options->desc.convention)
        return POSEMB_OK;
    return model_desc_fail_unknown(config, &advice, error);
}

/* ---- Its parts */

static void add_found(struct inputs *inputs, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_found(struct inputs *inputs, const char *format, ...)
{
    const size_t used = strlen(inputs->found);
    va_list values;

    va_start(values, format);
    vsnprintf(inputs->found + used, sizeof inputs->found - used, format, values);
    va_end(values);
}

/* "words [220, 384] float32" */
static void describe_part(const model_file *file, model_part part, struct inputs *inputs)
{
    const model_tensor *tensor = model_file_part(file, part);

    if (!tensor->name)
        return;
    add_found(inputs, "%s%s [", *inputs->found ? ", " : "", model_part_name(part));
    if (part != MODEL_GAMMA && part != MODEL_BETA)
        add_found(inputs, "%" PRIu64 ", ", tensor->rows);
    add_found(inputs, "%" PRIu64 "] %s", tensor->dim, posemb_storage_find(tensor->storage)->name);
}

/* Stored sinusoids are computed instead. */
static posemb_status read_positions(const struct stage_options *options, const model_file *file,
                                    struct inputs *inputs, posemb_error *error)
{
    const bool stored = model_file_part(file, MODEL_POSITIONS)->name != NULL;
    const bool learned = model_desc_is_learned(inputs->model) && !options->desc.convention &&
                         !options->positions_table;
    const model_advice advice = advice_of(options);

    describe_part(file, MODEL_POSITIONS, inputs);
    if (learned && !stored)
        return model_desc_fail_positions(inputs->model, &advice, error);
    if (learned)
        return stored_part_read(file, MODEL_POSITIONS, &inputs->position_table, error);
    if (stored)
        add_found(inputs, " (not used)");
    return POSEMB_OK;
}

static posemb_status read_norm(const model_file *file, struct inputs *inputs, posemb_error *error)
{
    const posemb_desc *desc = &inputs->desc;
    posemb_status status;

    describe_part(file, MODEL_GAMMA, inputs);
    describe_part(file, MODEL_BETA, inputs);
    model_desc_set_norm(file, inputs->model, &inputs->desc);
    if (desc->norm == POSEMB_NORM_DEFAULT || desc->norm == POSEMB_NORM_NONE)
        return POSEMB_OK;
    status = stored_part_read(file, MODEL_GAMMA, &inputs->gamma, error);
    if (status == POSEMB_OK)
        status = stored_part_read(file, MODEL_BETA, &inputs->beta, error);
    return status;
}

static posemb_status read_parts(const struct stage_options *options, const model_file *file,
                                struct inputs *inputs, posemb_error *error)
{
    posemb_status status;

    describe_part(file, MODEL_WORDS, inputs);
    status = stored_part_read(file, MODEL_WORDS, &inputs->words, error);
    if (status == POSEMB_OK)
        status = read_positions(options, file, inputs, error);
    if (status == POSEMB_OK)
        describe_part(file, MODEL_TYPES, inputs);
    if (status == POSEMB_OK)
        status = stored_part_read(file, MODEL_TYPES, &inputs->type_table, error);
    if (status == POSEMB_OK)
        status = read_norm(file, inputs, error);
    return status;
}

posemb_status model_stage_read(const struct stage_options *options, struct inputs *inputs,
                               posemb_error *error)
{
    const model_config *config;
    model_file *file;
    posemb_status status = model_file_open(options->model_file, options->prefix, &file, error);

    if (status != POSEMB_OK)
        return status;
    config = model_file_config(file);
    status = find_model(options, config, inputs, error);
    if (config)
        inputs->config = *config;
    if (status == POSEMB_OK)
        status = read_parts(options, file, inputs, error);
    model_file_close(file);
    return status;
}

/* ---- For people */

static void print_positions(const posemb_desc *desc)
{
    const posemb_convention convention = desc->convention ? desc->convention : POSEMB_VASWANI;

    switch (desc->position_kind) {
    case POSEMB_LEARNED:
        printf("learned positions");
        return;
    case POSEMB_NO_POSITION:
        printf("no positions");
        return;
    default:
        break;
    }
    for (size_t i = 0; i < posemb_convention_count(); i++)
        if (posemb_convention_at(i)->convention == convention)
            printf("%s sinusoids", posemb_convention_at(i)->name);
}

static void print_norm(const posemb_desc *desc)
{
    const bool has_norm = desc->norm == POSEMB_NORM_LAYER || desc->norm == POSEMB_NORM_RMS;

    if (has_norm)
        printf(", %s with epsilon %g", desc->norm == POSEMB_NORM_RMS ? "RMSNorm" : "LayerNorm",
               desc->epsilon != 0.0f ? (double)desc->epsilon : 1e-5);
    else
        printf(", no norm");
}

void model_stage_print(const struct stage_options *options, const struct inputs *inputs)
{
    const posemb_desc *desc = &inputs->desc;

    printf("%s: %s\n", options->model_file, inputs->found);
    printf("%s%s: words", inputs->model ? "model " : "no model",
           inputs->model ? inputs->model : "");
    if (desc->token_scale != 0.0f && desc->token_scale != 1.0f)
        printf(" times %g", (double)desc->token_scale);
    printf(" + ");
    print_positions(desc);
    if (desc->extras[0].ids == POSEMB_EXTRA_CONSTANT)
        printf(" + row 0 of types");
    else if (desc->extras[0].ids != POSEMB_EXTRA_NONE)
        printf(" + types");
    print_norm(desc);
    printf("\n");
}
