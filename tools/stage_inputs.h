/* What encode reads beside ids, tokens and positions: tables, types, the norm's rows, prompts. */
#ifndef POSEMB_STAGE_INPUTS_H
#define POSEMB_STAGE_INPUTS_H

#include "inputs.h"

/* Read what the options name, in place of what a model's file has, and describe it. The tokens and
 * the shape must be known. */
posemb_status stage_inputs_read(const struct stage_options *options, struct inputs *inputs,
                                posemb_error *error);

#endif
