/* The stage of a model's file: its tables, its norm, and what its config says. */
#include "model_stage.h"

#include "stage_options.h"
#include "status.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Which model */

static posemb_status fail_unknown(const struct stage_options *options, const model_config *config,
                                  posemb_error *error)
{
    if (!config || (!config->has_model_type && !config->has_architecture))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: no config says which model it is; give --model",
                            options->model_file);
    if (config->has_architecture)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: its general.architecture is \"%s\", whose positions are not "
                            "known; give --model, which may be none",
                            options->model_file, config->architecture);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%.200s: its config has model_type \"%s\"%s%s, whose positions are not "
                        "known; give --model, which may be none",
                        options->model_file, config->model_type,
                        config->has_position_embedding_type ? " with positions " : "",
                        config->position_embedding_type);
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
    inputs->model = options->model;
    if (!inputs->model && config)
        inputs->model = config_model_name(config);
    if (!options->model && inputs->model && strcmp(inputs->model, CONFIG_WITHOUT_POSITIONS) == 0)
        return take_no_positions(options, inputs, error);
    if (inputs->model || options->positions_table || options->desc.convention)
        return POSEMB_OK;
    return fail_unknown(options, config, error);
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
    const posemb_model_info *info = posemb_model_find(inputs->model);
    const bool stored = model_file_part(file, MODEL_POSITIONS)->name != NULL;
    const bool learned =
        info && info->learned && !options->desc.convention && !options->positions_table;

    describe_part(file, MODEL_POSITIONS, inputs);
    if (learned && !stored)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: the positions of model \"%s\" are a learned table, and the "
                            "file has none; give --positions-table or another --model",
                            options->model_file, inputs->model);
    if (learned)
        return stored_part_read(file, MODEL_POSITIONS, &inputs->position_table, error);
    if (stored)
        add_found(inputs, " (not used)");
    return POSEMB_OK;
}

/* The epsilon of model types whose configs may leave it to their class. */
static double default_epsilon(const char *model)
{
    static const char *const small[] = {"bert", "roberta", "esm", "distilbert"};
    const posemb_model_info *info = posemb_model_find(model);

    for (size_t i = 0; info && i < sizeof small / sizeof *small; i++)
        if (strcmp(info->name, small[i]) == 0)
            return 1e-12;
    return 1e-5;
}

static float epsilon_of(const struct inputs *inputs)
{
    const model_config *config = &inputs->config;
    const bool rms = inputs->desc.norm == POSEMB_NORM_RMS;
    double epsilon = default_epsilon(inputs->model);

    if (config->has_layer_norm_eps && !(rms && config->has_rms_norm_eps))
        epsilon = config->layer_norm_eps;
    else if (config->has_rms_norm_eps)
        epsilon = config->rms_norm_eps;
    return epsilon < (double)FLT_TRUE_MIN ? FLT_TRUE_MIN : (float)epsilon;
}

/* A norm that is there is applied. */
static posemb_status read_norm(const model_file *file, struct inputs *inputs, posemb_error *error)
{
    const model_config *config = &inputs->config;
    posemb_desc *desc = &inputs->desc;
    posemb_status status;

    describe_part(file, MODEL_GAMMA, inputs);
    describe_part(file, MODEL_BETA, inputs);
    if (desc->norm == POSEMB_NORM_DEFAULT && model_file_part(file, MODEL_GAMMA)->name)
        desc->norm = config->has_rms_norm_eps && !config->has_layer_norm_eps ? POSEMB_NORM_RMS
                                                                             : POSEMB_NORM_LAYER;
    if (desc->norm == POSEMB_NORM_DEFAULT || desc->norm == POSEMB_NORM_NONE)
        return POSEMB_OK;
    if (desc->epsilon == 0.0f)
        desc->epsilon = epsilon_of(inputs);
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

/* ---- Its config */

void model_stage_apply_config(const struct stage_options *options, struct inputs *inputs)
{
    const model_config *config = &inputs->config;
    posemb_desc *desc = &inputs->desc;

    if (config->has_pad_token_id && desc->padding == POSEMB_PADDING_TOKEN) {
        desc->pad_id = config->pad_token_id;
        /* The position of pads has their id's number. */
        if (desc->positions == POSEMB_POSITIONS_COUNT && !options->has_start)
            inputs->args.shape.start = config->pad_token_id;
    }
    if (options->desc.token_scale != 0.0f)
        return;
    if (config->has_scale_embedding)
        desc->token_scale = config->scale_embedding ? (float)sqrt((double)desc->dim) : 1.0f;
    else if (config->has_token_scale)
        desc->token_scale = (float)config->token_scale;
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
