/* The stage of a model's file: its tables, its norm, and what its config says. */
#ifndef POSEMB_MODEL_STAGE_H
#define POSEMB_MODEL_STAGE_H

#include "inputs.h"

/* Read the parts of options->model_file that its model uses, and what there is of its config. Sets
 * `words` and other tables, `model`, `config`, `found`, and the norm of the description. */
posemb_status model_stage_read(const struct stage_options *options, struct inputs *inputs,
                               posemb_error *error);

/* Print what was found in the file, and what is made of it. */
void model_stage_print(const struct stage_options *options, const struct inputs *inputs);

#endif
