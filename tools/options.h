/* The values of options: parsed whole, or refused by name and value. */
#ifndef POSEMB_OPTIONS_H
#define POSEMB_OPTIONS_H

#include <posemb/posemb.h>

#include <getopt.h>
#include <stdbool.h>

/* What encode and table have in common. */
struct stage_options {
    posemb_desc desc;
    int64_t start;
    int64_t count;
    int64_t past;
    const char *model; /* NULL: none; what is set here goes before what the model says */
    const char *ids;
    const char *tokens;
    const char *positions;
    const char *mask;
    const char *left_pads;
    const char *lengths;
    const char *cu_seqlens;
    const char *positions_out;
    const char *model_file;
    const char *prefix;          /* of the tensors in it */
    const char *scales;          /* of an I8 `tokens` */
    const char *positions_table; /* learned positions */
    const char *types_table;
    const char *types; /* ids of it; NULL: its row 0 for all tokens */
    const char *gamma;
    const char *beta;
    const char *prompts;
    const char *sum_out;
    const char *device; /* NULL: $POSEMB_DEVICE, else the first usable */
    const char *out;
    const char *kind; /* of a picture */
    const char *table;
    const char *json;
    bool scale_is_sqrt; /* the scale is the square root of D, not known yet */
    bool has_start;
    bool has_count;
    bool has_pad_id;  /* desc.pad_id */
    bool has_epsilon; /* desc.epsilon */
    bool allow_bad_ids;
    bool stop; /* at the first difference */
};

/* Letters of getopt_long() for the options of a stage; every subcommand lists those it takes. */
enum {
    OPTION_HELP = 'h',
    OPTION_IDS = 256,
    OPTION_TOKENS,
    OPTION_CONVENTION,
    OPTION_DIM,
    OPTION_BASE,
    OPTION_SCALE,
    OPTION_START,
    OPTION_COUNT,
    OPTION_POSITIONS,
    OPTION_ALLOW_BAD_IDS,
    OPTION_DEVICE,
    OPTION_OUT,
    OPTION_MODEL,
    OPTION_LAYOUT,
    OPTION_FIRST,
    OPTION_DENOMINATOR,
    OPTION_SHIFT,
    OPTION_ODD,
    OPTION_AMPLITUDE,
    OPTION_FREQUENCY,
    OPTION_POSITION_SCALE,
    OPTION_GRID,
    OPTION_RULE,
    OPTION_PADS,
    OPTION_PAD_ID,
    OPTION_PAST,
    OPTION_MASK,
    OPTION_LEFT_PADS,
    OPTION_LENGTHS,
    OPTION_CU_SEQLENS,
    OPTION_POSITIONS_OUT,
    OPTION_MODEL_FILE,
    OPTION_PREFIX,
    OPTION_SCALES,
    OPTION_POSITIONS_TABLE,
    OPTION_TYPES_TABLE,
    OPTION_TYPES,
    OPTION_NORM,
    OPTION_GAMMA,
    OPTION_BETA,
    OPTION_EPSILON,
    OPTION_GAMMA_ONE_PLUS,
    OPTION_ROUND_STEPS,
    OPTION_OUT_TYPE,
    OPTION_BAD_IDS,
    OPTION_PROMPTS,
    OPTION_SUM_OUT,
    OPTION_STOP,
    OPTION_KIND,
    OPTION_TABLE,
    OPTION_JSON_OUT,
    OPTION_TUNING
};

/* The rows of an option table that name the sinusoids, for those who list their own after them. */
#define SINUSOID_OPTIONS                                                                           \
    {"model", required_argument, NULL, OPTION_MODEL},                                              \
        {"convention", required_argument, NULL, OPTION_CONVENTION},                                \
        {"base", required_argument, NULL, OPTION_BASE},                                            \
        {"layout", required_argument, NULL, OPTION_LAYOUT},                                        \
        {"first", required_argument, NULL, OPTION_FIRST},                                          \
        {"denominator", required_argument, NULL, OPTION_DENOMINATOR},                              \
        {"shift", required_argument, NULL, OPTION_SHIFT},                                          \
        {"odd", required_argument, NULL, OPTION_ODD},                                              \
        {"amplitude", required_argument, NULL, OPTION_AMPLITUDE},                                  \
        {"frequency", required_argument, NULL, OPTION_FREQUENCY},                                  \
        {"position-scale", required_argument, NULL, OPTION_POSITION_SCALE},                        \
    {                                                                                              \
        "grid", required_argument, NULL, OPTION_GRID                                               \
    }

/* What --help says of them. */
extern const char sinusoid_help[];

/* The model that has no positions: desc.position_kind says so. */
#define MODEL_WITHOUT_POSITIONS "none"

/* Call `take` for each option of `arguments`, and refuse what is none. EXIT_DONE to go on; what
 * `take` returned otherwise; -1: --help is wanted. */
int options_take(int count, char **arguments, const struct option *options,
                 int (*take)(const char *command, int letter, void *context), void *context);

/* Take the options of `arguments`. EXIT_DONE to go on; EXIT_USAGE after a message; -1 where --help
 * was printed. */
int stage_options_parse(int count, char **arguments, const struct option *options, const char *help,
                        struct stage_options *parsed);

/* Use the tuning of a file for the devices of this process: EXIT_FAILED after a message. */
int take_tuning(const char *path);

/* Whole numbers and finite floats; false where `text` is something else. */
bool parse_int64(const char *text, int64_t least, int64_t most, int64_t *value);
bool parse_double(const char *text, double least, double most, double *value);

/* The base of sinusoids; else EXIT_USAGE after a message. */
int parse_base(const char *command, const char *text, double *base);

/* One of `words`, which NULL ends, as 1 + its place; else EXIT_USAGE after a message. */
int parse_word(const char *command, const char *option, const char *const *words, const char *text,
               int *value);

#endif
