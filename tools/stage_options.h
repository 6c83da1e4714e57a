/* The options of encode that say more of a stage than token rows and sinusoids. */
#ifndef POSEMB_STAGE_OPTIONS_H
#define POSEMB_STAGE_OPTIONS_H

#include "options.h"

/* The rows of an option table for them. */
#define STAGE_OPTIONS                                                                              \
    {"model-file", required_argument, NULL, OPTION_MODEL_FILE},                                    \
        {"prefix", required_argument, NULL, OPTION_PREFIX},                                        \
        {"scales", required_argument, NULL, OPTION_SCALES},                                        \
        {"positions-table", required_argument, NULL, OPTION_POSITIONS_TABLE},                      \
        {"types-table", required_argument, NULL, OPTION_TYPES_TABLE},                              \
        {"types", required_argument, NULL, OPTION_TYPES},                                          \
        {"norm", required_argument, NULL, OPTION_NORM},                                            \
        {"gamma", required_argument, NULL, OPTION_GAMMA},                                          \
        {"beta", required_argument, NULL, OPTION_BETA},                                            \
        {"epsilon", required_argument, NULL, OPTION_EPSILON},                                      \
        {"gamma-one-plus", no_argument, NULL, OPTION_GAMMA_ONE_PLUS},                              \
        {"round-steps", no_argument, NULL, OPTION_ROUND_STEPS},                                    \
        {"out-type", required_argument, NULL, OPTION_OUT_TYPE},                                    \
        {"bad-ids", required_argument, NULL, OPTION_BAD_IDS},                                      \
        {"prompts", required_argument, NULL, OPTION_PROMPTS},                                      \
    {                                                                                              \
        "sum-out", required_argument, NULL, OPTION_SUM_OUT                                         \
    }

/* What --help says of them. */
extern const char stage_help[];

/* One of these options: an exit status; -1: another one. */
int take_stage_option(const char *command, int letter, struct stage_options *parsed);

/* The option that says where tokens are, which nothing may where there are no positions; or NULL.
 */
const char *position_rule_option(const struct stage_options *parsed);

/* What the options of a stage want of each other: an exit status. */
int check_stage_options(const char *command, const struct stage_options *parsed);

#endif
