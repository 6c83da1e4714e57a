/* The options of encode that say more of a stage than token rows and sinusoids. */
#include "stage_options.h"

#include "command.h"

#include <float.h>
#include <string.h>

const char stage_help[] =
    "The whole stage:\n"
    "  --model-file  a .safetensors or .gguf file, or a folder with model.safetensors: in place "
    "of\n"
    "                --tokens. Its words, positions, token types and norm are found by their "
    "names,\n"
    "                epsilon, pads and scale by the config.json beside it, or the keys in the "
    ".gguf;\n"
    "                what is given here goes before that\n"
    "  --prefix      what stands before those names, such as model.encoder; needed where there are "
    "two\n"
    "  --positions-table FILE[:TENSOR]  learned positions, [rows, D], in place of sinusoids\n"
    "  --types-table FILE[:TENSOR]      rows that are added for token types\n"
    "  --types       int32 or int64, of the shape of the ids, or [B]; default: row 0 for all\n"
    "  --norm layer|rms|none  --gamma FILE[:TENSOR]  --beta FILE[:TENSOR]\n"
    "                the norm of the sum, and its rows [D]; default the model file's, else none\n"
    "  --epsilon     a float above 0; default the config's, else 1e-5\n"
    "  --gamma-one-plus  the factor is 1 + gamma (rms alone)\n"
    "  --round-steps round each sum to the type of the tokens, not the last alone\n"
    "  --out-type    f32 (default), f16 or bf16, which .npy has as V2\n"
    "  --bad-ids zero|clamp|wrap|nan  what ids and types outside their table do: a row of zeros, "
    "the\n"
    "                nearest row, rows from the end for -1 and so on, or a row of NaN; then they "
    "are\n"
    "                no failure\n"
    "  --scales FILE[:TENSOR]  the scales of int8 --tokens, [V] or [1]; default: the tensor beside "
    "them\n"
    "                that has their name and _scale at its end, or .scales for .weight\n"
    "  --prompts FILE[:TENSOR]  rows of soft prompts, which the ids from V on name\n"
    "  --sum-out     write the sum before the norm too\n"
    "  Tables are float32, float16, bfloat16 or int8, [rows, D]; FILE is .npy, .safetensors or "
    ".gguf,\n"
    "  whose tables may also be Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or Q2_K ... Q6_K.\n";

static const char *const norms[] = {"none", "layer", "rms", NULL};
static const char *const out_types[] = {"f32", "f16", "bf16", NULL};
static const char *const bad_ids[] = {"zero", "clamp", "wrap", "nan", NULL};

static int parse_epsilon(const char *command, const char *text, struct stage_options *parsed)
{
    double value = 0.0;

    parsed->has_epsilon = true;
    if (!parse_double(text, 0.0, (double)FLT_MAX, &value) || !((float)value > 0.0f))
        return command_usage(command, "--epsilon is \"%s\", not a float above 0", text);
    parsed->desc.epsilon = (float)value;
    return EXIT_DONE;
}

/* Options that name a file, or what is in one. */
static const char **path_of(int letter, struct stage_options *parsed)
{
    switch (letter) {
    case OPTION_MODEL_FILE:
        return &parsed->model_file;
    case OPTION_PREFIX:
        return &parsed->prefix;
    case OPTION_SCALES:
        return &parsed->scales;
    case OPTION_POSITIONS_TABLE:
        return &parsed->positions_table;
    case OPTION_TYPES_TABLE:
        return &parsed->types_table;
    case OPTION_TYPES:
        return &parsed->types;
    case OPTION_GAMMA:
        return &parsed->gamma;
    case OPTION_BETA:
        return &parsed->beta;
    case OPTION_PROMPTS:
        return &parsed->prompts;
    case OPTION_SUM_OUT:
        return &parsed->sum_out;
    default:
        return NULL;
    }
}

int take_stage_option(const char *command, int letter, struct stage_options *parsed)
{
    const char **path = path_of(letter, parsed);
    posemb_desc *desc = &parsed->desc;
    int status;
    int word = 0;

    if (path) {
        *path = optarg;
        return EXIT_DONE;
    }
    switch (letter) {
    case OPTION_NORM:
        status = parse_word(command, "norm", norms, optarg, &word);
        desc->norm = (posemb_norm)word;
        return status;
    case OPTION_OUT_TYPE:
        status = parse_word(command, "out-type", out_types, optarg, &word);
        desc->out_storage = (posemb_storage)word;
        return status;
    case OPTION_BAD_IDS:
        status = parse_word(command, "bad-ids", bad_ids, optarg, &word);
        desc->tokens.policy = (posemb_policy)word;
        parsed->allow_bad_ids = true;
        return status;
    case OPTION_EPSILON:
        return parse_epsilon(command, optarg, parsed);
    case OPTION_GAMMA_ONE_PLUS:
        desc->gamma = POSEMB_GAMMA_ONE_PLUS;
        return EXIT_DONE;
    case OPTION_ROUND_STEPS:
        desc->rounding = POSEMB_ROUND_EACH_STEP;
        return EXIT_DONE;
    default:
        return -1;
    }
}

/* Where there is no norm, nothing is of one. A model's file may have one. */
static int check_norm_options(const char *command, const struct stage_options *parsed)
{
    const bool has_norm =
        parsed->desc.norm ? parsed->desc.norm != POSEMB_NORM_NONE : parsed->model_file != NULL;
    const char *option = parsed->gamma         ? "--gamma"
                         : parsed->beta        ? "--beta"
                         : parsed->has_epsilon ? "--epsilon"
                         : parsed->desc.gamma  ? "--gamma-one-plus"
                         : parsed->sum_out     ? "--sum-out"
                                               : NULL;

    if (!has_norm && option)
        return command_usage(command, "%s is of a norm, and --norm names none", option);
    if (parsed->desc.gamma && !parsed->gamma && !parsed->model_file)
        return command_usage(command, "--gamma-one-plus needs --gamma");
    return EXIT_DONE;
}

/* A model's positions are a table or sinusoids, and so are those of the other options. */
static int check_model_options(const char *command, const struct stage_options *parsed)
{
    const posemb_model_info *info = posemb_model_find(parsed->model);
    const char *table = parsed->positions_table;

    if (info && info->learned && !table && !parsed->model_file)
        return command_usage(command,
                             "the positions of model \"%s\" are a learned table, not sinusoids",
                             parsed->model);
    if (table && ((info && !info->learned) || parsed->desc.position_kind == POSEMB_NO_POSITION))
        return command_usage(command, "--positions-table is \"%s\", but model \"%s\" has none",
                             table, parsed->model);
    if (table && (parsed->desc.convention || parsed->desc.grid.axes))
        return command_usage(command, "--positions-table and %s exclude each other",
                             parsed->desc.convention ? "--convention" : "--grid");
    return EXIT_DONE;
}

const char *position_rule_option(const struct stage_options *parsed)
{
    const posemb_position_rule rule = parsed->desc.positions;

    if (parsed->positions)
        return "--positions";
    if (parsed->cu_seqlens)
        return "--cu-seqlens";
    return rule != POSEMB_POSITIONS_DEFAULT && rule != POSEMB_POSITIONS_INDEX ? "--rule" : NULL;
}

static int check_no_positions(const char *command, const struct stage_options *parsed)
{
    const char *option = position_rule_option(parsed);

    if (parsed->desc.position_kind == POSEMB_NO_POSITION && option)
        return command_usage(command, "--model is \"%s\", but %s says where tokens are",
                             parsed->model, option);
    return EXIT_DONE;
}

int check_stage_options(const char *command, const struct stage_options *parsed)
{
    int status = check_model_options(command, parsed);

    if (status == EXIT_DONE)
        status = check_no_positions(command, parsed);
    if (status != EXIT_DONE)
        return status;
    if (parsed->model_file && parsed->tokens)
        return command_usage(command, "--model-file and --tokens exclude each other");
    if (parsed->prefix && !parsed->model_file)
        return command_usage(command, "--prefix is \"%s\", but there is no --model-file",
                             parsed->prefix);
    if (parsed->scales && !parsed->tokens)
        return command_usage(command, "--scales is \"%s\", but there are no --tokens",
                             parsed->scales);
    if (parsed->types && !parsed->types_table && !parsed->model_file)
        return command_usage(command, "--types is \"%s\", but there is no --types-table",
                             parsed->types);
    return check_norm_options(command, parsed);
}
