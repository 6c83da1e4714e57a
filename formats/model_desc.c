/* The stage that a model's file holds, as a description: its norm, its positions, its config. */
#include "model_desc.h"

#include "file_bytes.h"
#include "status.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Which model */

const char *model_desc_name(const model_config *config, const char *wanted)
{
    if (wanted || !config)
        return wanted;
    return config_model_name(config);
}

posemb_status model_desc_fail_unknown(const model_config *config, const model_advice *advice,
                                      posemb_error *error)
{
    if (!config || (!config->has_model_type && !config->has_architecture))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: no config says which model it is; %s", advice->file,
                            advice->model);
    if (config->has_architecture)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: its general.architecture is \"%s\", whose positions are not "
                            "known; %s",
                            advice->file, config->architecture, advice->model);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%.200s: its config has model_type \"%s\"%s%s, whose positions are not "
                        "known; %s",
                        advice->file, config->model_type,
                        config->has_position_embedding_type ? " with positions " : "",
                        config->position_embedding_type, advice->model);
}

bool model_desc_is_learned(const char *name)
{
    const posemb_model_info *info = posemb_model_find(name);

    return info && info->learned;
}

posemb_status model_desc_fail_positions(const char *name, const model_advice *advice,
                                        posemb_error *error)
{
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%.200s: the positions of model \"%s\" are a learned table, and the file "
                        "has none; %s",
                        advice->file, name, advice->positions);
}

/* ---- The norm */

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

static float epsilon_of(const model_config *config, const char *model, posemb_norm norm)
{
    const bool rms = norm == POSEMB_NORM_RMS;
    double epsilon = default_epsilon(model);

    if (config && config->has_layer_norm_eps && !(rms && config->has_rms_norm_eps))
        epsilon = config->layer_norm_eps;
    else if (config && config->has_rms_norm_eps)
        epsilon = config->rms_norm_eps;
    return epsilon < (double)FLT_TRUE_MIN ? FLT_TRUE_MIN : (float)epsilon;
}

static bool has_norm(const posemb_desc *desc)
{
    return desc->norm != POSEMB_NORM_DEFAULT && desc->norm != POSEMB_NORM_NONE;
}

void model_desc_set_norm(const model_file *file, const char *name, posemb_desc *desc)
{
    const model_config *config = model_file_config(file);
    const bool rms = config && config->has_rms_norm_eps && !config->has_layer_norm_eps;

    if (desc->norm == POSEMB_NORM_DEFAULT && model_file_part(file, MODEL_GAMMA)->name)
        desc->norm = rms ? POSEMB_NORM_RMS : POSEMB_NORM_LAYER;
    if (has_norm(desc) && desc->epsilon == 0.0f)
        desc->epsilon = epsilon_of(config, name, desc->norm);
}

void model_desc_set_norm_rows(posemb_storage gamma, posemb_storage beta, posemb_desc *desc)
{
    if (!gamma)
        desc->gamma = POSEMB_GAMMA_NONE;
    desc->beta = beta ? POSEMB_BETA_ADDED : POSEMB_BETA_NONE;
    desc->norm_storage = gamma ? gamma : beta;
}

/* ---- Positions, pads and scale */

/* What is set goes before what the model says; 0 is never a value of its own. */
static void fill_from(const posemb_desc *preset, posemb_desc *desc)
{
    const bool has_denominator = desc->denominator != 0 || desc->shift != 0.0;

#define FILL(field)                                                                                \
    if (desc->field == 0)                                                                          \
    desc->field = preset->field
    FILL(convention);
    FILL(layout);
    FILL(first);
    FILL(odd);
    FILL(base);
    FILL(amplitude);
    FILL(frequency);
    FILL(position_scale);
    FILL(positions);
    FILL(pad_policy);
    FILL(token_scale);
#undef FILL
    desc->position_type = preset->position_type;
    desc->padding = preset->padding;
    desc->pad_id = preset->pad_id;
    if (!has_denominator) {
        desc->denominator = preset->denominator;
        desc->shift = preset->shift;
    }
    if (!desc->grid.axes)
        desc->grid = preset->grid;
    else if (preset->grid.axes == desc->grid.axes && desc->grid.segment_axis[0] == 0)
        memcpy(desc->grid.segment_axis, preset->grid.segment_axis,
               sizeof preset->grid.segment_axis);
}

posemb_status model_desc_set_preset(const char *name, posemb_desc *desc, int64_t *start,
                                    posemb_error *error)
{
    posemb_desc preset;
    posemb_status status;

    if (!posemb_model_find(name))
        return POSEMB_OK;
    status = posemb_model_preset(name, desc->dim, &preset, start, error);
    if (status == POSEMB_OK)
        fill_from(&preset, desc);
    return status;
}

void model_desc_set_config(const model_config *config, bool has_scale, posemb_desc *desc,
                           int64_t *start)
{
    if (config->has_pad_token_id && desc->padding == POSEMB_PADDING_TOKEN) {
        desc->pad_id = config->pad_token_id;
        /* The position of pads has their id's number. */
        if (desc->positions == POSEMB_POSITIONS_COUNT && start)
            *start = config->pad_token_id;
    }
    if (has_scale)
        return;
    if (config->has_scale_embedding)
        desc->token_scale = config->scale_embedding ? (float)sqrt((double)desc->dim) : 1.0f;
    else if (config->has_token_scale)
        desc->token_scale = (float)config->token_scale;
}

void model_desc_forget_mask(posemb_desc *desc, int64_t *start)
{
    if (desc->padding != POSEMB_PADDING_MASK)
        return;
    desc->padding = POSEMB_PADDING_NONE;
    desc->pad_policy = POSEMB_PAD_DEFAULT;
    if (desc->positions != POSEMB_POSITIONS_COUNT)
        return;
    desc->positions = POSEMB_POSITIONS_INDEX; /* the first token's count is 1, its index 0 */
    ++*start;
}

/* ---- All of it */

static posemb_table_desc table_of(const model_tensor *tensor)
{
    return (posemb_table_desc){.storage = tensor->storage, .scaling = tensor->scaling};
}

static posemb_status find_model(const model_config *config, const char *wanted,
                                const model_advice *advice, model_stage *stage, posemb_error *error)
{
    const char *name = model_desc_name(config, wanted);
    const posemb_model_info *info = posemb_model_find(name);
    char shown[NAME_SHOWN_SIZE];

    if (!name)
        return model_desc_fail_unknown(config, advice, error);
    if (info)
        stage->model = info->name;
    else if (strcmp(name, CONFIG_WITHOUT_POSITIONS) == 0)
        stage->model = CONFIG_WITHOUT_POSITIONS;
    if (stage->model)
        return POSEMB_OK;
    escape_text(name, strlen(name), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "model: \"%s\" is none that posemb_model_find() knows", shown);
}

/* Stored sinusoids are computed instead. */
static posemb_status describe_positions(const model_file *file, const model_advice *advice,
                                        model_stage *stage, posemb_error *error)
{
    const model_tensor *stored = model_file_part(file, MODEL_POSITIONS);

    if (strcmp(stage->model, CONFIG_WITHOUT_POSITIONS) == 0)
        stage->desc.position_kind = POSEMB_NO_POSITION;
    if (!model_desc_is_learned(stage->model))
        return POSEMB_OK;
    if (!stored->name)
        return model_desc_fail_positions(stage->model, advice, error);
    stage->uses[MODEL_POSITIONS] = true;
    stage->desc.position_kind = POSEMB_LEARNED;
    stage->desc.position_table = table_of(stored);
    return POSEMB_OK;
}

static void describe_types(const model_file *file, model_stage *stage)
{
    const model_tensor *types = model_file_part(file, MODEL_TYPES);
    posemb_extra_desc *extra = &stage->desc.extras[0];

    if (!types->name)
        return;
    stage->uses[MODEL_TYPES] = true;
    extra->ids = POSEMB_EXTRA_CONSTANT; /* row 0, as BERT does without types */
    extra->table = table_of(types);
}

static void describe_norm(const model_file *file, model_stage *stage)
{
    const model_tensor *gamma = model_file_part(file, MODEL_GAMMA);
    const model_tensor *beta = model_file_part(file, MODEL_BETA);

    model_desc_set_norm(file, stage->model, &stage->desc);
    if (!has_norm(&stage->desc))
        return;
    stage->uses[MODEL_GAMMA] = gamma->name != NULL;
    stage->uses[MODEL_BETA] = beta->name != NULL;
    model_desc_set_norm_rows(gamma->storage, beta->storage, &stage->desc);
}

/* The mask of a call says which tokens are pads, whatever the model does. */
static void describe_mask(bool has_mask, model_stage *stage)
{
    if (!has_mask) {
        model_desc_forget_mask(&stage->desc, &stage->start);
        return;
    }
    stage->desc.padding = POSEMB_PADDING_MASK;
    stage->desc.pad_id = 0;
}

posemb_status model_desc_make(const model_file *file, const char *wanted, bool has_mask,
                              const model_advice *advice, model_stage *stage, posemb_error *error)
{
    const model_tensor *words = model_file_part(file, MODEL_WORDS);
    const model_config *config = model_file_config(file);
    posemb_status status;

    *stage = (model_stage){.desc = {.dim = (uint32_t)words->dim, .tokens = table_of(words)},
                           .uses = {[MODEL_WORDS] = true}};
    status = find_model(config, wanted, advice, stage, error);
    if (status == POSEMB_OK)
        status = describe_positions(file, advice, stage, error);
    if (status != POSEMB_OK)
        return status;
    describe_types(file, stage);
    describe_norm(file, stage);
    status = model_desc_set_preset(stage->model, &stage->desc, &stage->start, error);
    if (status != POSEMB_OK)
        return status;
    if (config)
        model_desc_set_config(config, false, &stage->desc, &stage->start);
    describe_mask(has_mask, stage);
    return POSEMB_OK;
}
