/* The description of the stage in a model's file: what its tensors, its config and the name of its
 * model say together. Fields of a description that are set already go before all of these. */
#ifndef POSEMB_MODEL_DESC_H
#define POSEMB_MODEL_DESC_H

#include "model_file.h"

#include <posemb/posemb.h>

#include <stdbool.h>

/** What messages say of the file, and advise. */
typedef struct model_advice {
    const char *file;      /**< its path, as it is shown */
    const char *model;     /**< how to name a model: "give --model, which may be none" */
    const char *positions; /**< what to do without a position table: "give --positions-table" */
} model_advice;

/** The model that has the positions of the file's: `wanted`, else that of the config, either of
 * which may be NULL. NULL: none is known; CONFIG_WITHOUT_POSITIONS: there are none. */
const char *model_desc_name(const model_config *config, const char *wanted);

/** Fail since no model is known. `config` may be NULL. */
posemb_status model_desc_fail_unknown(const model_config *config, const model_advice *advice,
                                      posemb_error *error);

/** Whether that model's positions are a learned table; `name` may be NULL. */
bool model_desc_is_learned(const char *name);

/** Fail since the positions of that model are a table, and the file has none. */
posemb_status model_desc_fail_positions(const char *name, const model_advice *advice,
                                        posemb_error *error);

/** Set the kind of the norm and its epsilon. A norm whose gamma is there is applied. */
void model_desc_set_norm(const model_file *file, const char *name, posemb_desc *desc);

/** Say which rows the norm has, by their storages; 0: it has none. */
void model_desc_set_norm_rows(posemb_storage gamma, posemb_storage beta, posemb_desc *desc);

/**
 * Set what posemb_model_preset() has for that model, where there is such a one. desc->dim must be
 * known.
 *
 * @param start  NULL, or receives the start that the model's first token has.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT for a dim that the model cannot have.
 */
posemb_status model_desc_set_preset(const char *name, posemb_desc *desc, int64_t *start,
                                    posemb_error *error);

/**
 * Set the pads and the scale of a config, after the preset of its model.
 *
 * @param has_scale  The token scale of `desc` is the caller's.
 * @param start      NULL, or the preset's; changed where it depends on the id of pads.
 */
void model_desc_set_config(const model_config *config, bool has_scale, posemb_desc *desc,
                           int64_t *start);

/** Of a model that takes its pads from a mask, make one without pads. */
void model_desc_forget_mask(posemb_desc *desc, int64_t *start);

/** The whole stage of a file. */
typedef struct model_stage {
    const char *model; /**< NULL: none is known; static storage */
    posemb_desc desc;
    int64_t start;
    bool uses[MODEL_PART_COUNT]; /**< whether the stage reads that part of the file */
} model_stage;

/**
 * Describe the stage of a file, of token types their row 0.
 *
 * @param wanted    The model, which goes before that of the config; NULL: that.
 * @param has_mask  Calls have an attention mask.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where no model is known, or what it needs is not in
 * the file.
 */
posemb_status model_desc_make(const model_file *file, const char *wanted, bool has_mask,
                              const model_advice *advice, model_stage *stage, posemb_error *error);

#endif
