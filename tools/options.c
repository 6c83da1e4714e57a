/* The values of options: parsed whole, or refused by name and value. */
#include "options.h"

#include "command.h"
#include "stage_options.h"
#include "target.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool parse_int64(const char *text, int64_t least, int64_t most, int64_t *value)
{
    char *end;
    long long parsed;

    errno = 0;
    parsed = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || parsed < least || parsed > most)
        return false;
    *value = parsed;
    return true;
}

bool parse_double(const char *text, double least, double most, double *value)
{
    char *end;
    const double parsed = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(parsed) || parsed < least || parsed > most)
        return false;
    *value = parsed;
    return true;
}

static int parse_convention(const char *command, const char *text, posemb_desc *desc)
{
    const posemb_convention_info *info = posemb_convention_find(text);

    if (!info)
        return command_usage(command,
                             "there is no convention \"%s\"; posemb conventions lists them", text);
    desc->convention = info->convention;
    return EXIT_DONE;
}

int parse_base(const char *command, const char *text, double *base)
{
    if (!parse_double(text, POSEMB_BASE_MIN, POSEMB_BASE_MAX, base))
        return command_usage(command, "--base is \"%s\", not a number from 2^-32 to 2^32", text);
    return EXIT_DONE;
}

/* A float that is neither 0 (posemb table has positions alone) nor rounds to it. */
static int parse_scale(const char *command, const char *text, struct stage_options *parsed)
{
    double scale = 0.0;

    parsed->scale_is_sqrt = strcmp(text, "sqrt") == 0;
    if (parsed->scale_is_sqrt)
        return EXIT_DONE;
    if (!parse_double(text, -(double)FLT_MAX, (double)FLT_MAX, &scale) || (float)scale == 0.0f)
        return command_usage(command, "--scale is \"%s\", neither sqrt nor a float other than 0",
                             text);
    parsed->desc.token_scale = (float)scale;
    return EXIT_DONE;
}

static int parse_start(const char *command, const char *text, struct stage_options *parsed)
{
    parsed->has_start = true;
    if (!parse_int64(text, POSEMB_POSITION_MIN, POSEMB_POSITION_MAX, &parsed->start))
        return command_usage(command, "--start is \"%s\", not a whole number from -2^31 to 2^32-1",
                             text);
    return EXIT_DONE;
}

static int parse_count(const char *command, const char *text, struct stage_options *parsed)
{
    parsed->has_count = true;
    if (!parse_int64(text, 0, (int64_t)POSEMB_TOKENS_MAX, &parsed->count))
        return command_usage(command, "--count is \"%s\", not a whole number from 0 to 2^32-1",
                             text);
    return EXIT_DONE;
}

static int parse_dim(const char *command, const char *text, posemb_desc *desc)
{
    int64_t dim;

    if (!parse_int64(text, 1, POSEMB_DIM_MAX, &dim))
        return command_usage(command, "--dim is \"%s\", not a whole number from 1 to %u", text,
                             POSEMB_DIM_MAX);
    desc->dim = (uint32_t)dim;
    return EXIT_DONE;
}

const char sinusoid_help[] =
    "The sinusoids:\n"
    "  --model       a name of posemb models: sets what follows, unless it is given too; or none: "
    "no\n"
    "                positions\n"
    "  --convention  a name of posemb conventions; default vaswani\n"
    "  --base        wavelength ratio, 2^-32 ... 2^32; default 10000\n"
    "  --amplitude, --frequency, --position-scale  factors of the values, of the frequencies and "
    "of the\n"
    "                positions; default 1, or the convention's amplitude\n"
    "  --layout interleaved|halves  --first sine|cosine  --odd refused|zero|first|second\n"
    "  --denominator real|floor  --shift X          in place of the convention's\n"
    "  --grid YxX[:xy]  or ZxYxX: columns on a grid, a segment of the channels for each axis, in "
    "that\n"
    "                order or in the order of the letters (z, y, x)\n";

static const char *const layouts[] = {"interleaved", "halves", NULL};
static const char *const firsts[] = {"sine", "cosine", NULL};
static const char *const denominators[] = {"real", "floor", NULL};
static const char *const odds[] = {"refused", "zero", "first", "second", NULL};
static const char *const rules[] = {"index", "row-start",    "explicit", "explicit-shared",
                                    "count", "count-before", "ragged",   NULL};
static const char *const policies[] = {"computed", "zero-position", "zero-row", NULL};

/* 1 + the place of a word among others; 0 where it is none of them. */
static int find_word(const char *const *words, const char *text)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i + 1;
    return 0;
}

int parse_word(const char *command, const char *option, const char *const *words, const char *text,
               int *value)
{
    char list[256] = "";
    size_t used = 0;

    *value = find_word(words, text);
    if (*value)
        return EXIT_DONE;
    for (int i = 0; words[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
    return command_usage(command, "--%s is \"%s\", not one of %s", option, text, list);
}

static int parse_factor(const char *command, const char *option, const char *text, double least,
                        double most, double *value)
{
    if (!parse_double(text, least, most, value) || *value == 0.0)
        return command_usage(command, "--%s is \"%s\", not a number from %g to %g other than 0",
                             option, text, least, most);
    return EXIT_DONE;
}

static int parse_amplitude(const char *command, const char *text, posemb_desc *desc)
{
    double value = 0.0;
    const int status = parse_factor(command, "amplitude", text, -(double)POSEMB_AMPLITUDE_MAX,
                                    (double)POSEMB_AMPLITUDE_MAX, &value);

    desc->amplitude = (float)value;
    return status;
}

static int parse_model(const char *command, const char *text, struct stage_options *parsed)
{
    const bool none = strcmp(text, MODEL_WITHOUT_POSITIONS) == 0;

    if (!none && !posemb_model_find(text))
        return command_usage(command, "there is no model \"%s\"; posemb models lists them", text);
    parsed->desc.position_kind = none ? POSEMB_NO_POSITION : POSEMB_POSITION_KIND_DEFAULT;
    parsed->model = text;
    return EXIT_DONE;
}

/* "YxX", "ZxYxX", each with ":" and the letters of the axes in the order of the segments. */
static bool read_grid(const char *text, posemb_grid *grid)
{
    static const char letters[] = "zyx";
    const char *names;

    for (grid->axes = 0; grid->axes < POSEMB_AXES_MAX; text++) {
        char *end;
        const unsigned long count = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || count < 1 || count > UINT32_MAX)
            return false;
        grid->count[grid->axes++] = (uint32_t)count;
        text = end;
        if (*text != 'x')
            break;
    }
    if (grid->axes < 2 || (*text != '\0' && *text != ':'))
        return false;
    names = letters + POSEMB_AXES_MAX - grid->axes;
    for (uint32_t k = 0; *text == ':' && k < grid->axes; k++) {
        const char *found = text[1 + k] ? strchr(names, text[1 + k]) : NULL;

        if (!found)
            return false;
        grid->segment_axis[k] = (uint32_t)(found - names) + 1;
    }
    return *text == '\0' || text[1 + grid->axes] == '\0';
}

static int parse_grid(const char *command, const char *text, posemb_desc *desc)
{
    if (!read_grid(text, &desc->grid))
        return command_usage(command,
                             "--grid is \"%s\", not YxX or ZxYxX, and :yx or another order", text);
    return EXIT_DONE;
}

/* Options that set a knob of the sinusoids; -1: another one. */
static int take_knob(const char *command, int letter, posemb_desc *desc)
{
    int status;
    int word = 0;

    switch (letter) {
    case OPTION_LAYOUT:
        status = parse_word(command, "layout", layouts, optarg, &word);
        desc->layout = (posemb_layout)word;
        return status;
    case OPTION_FIRST:
        status = parse_word(command, "first", firsts, optarg, &word);
        desc->first = (posemb_first)word;
        return status;
    case OPTION_DENOMINATOR:
        status = parse_word(command, "denominator", denominators, optarg, &word);
        desc->denominator = (posemb_denominator)word;
        return status;
    case OPTION_ODD:
        status = parse_word(command, "odd", odds, optarg, &word);
        desc->odd = (posemb_odd)word;
        return status;
    case OPTION_SHIFT:
        if (!parse_double(optarg, -(double)POSEMB_DIM_MAX, (double)POSEMB_DIM_MAX, &desc->shift))
            return command_usage(command, "--shift is \"%s\", not a number", optarg);
        return EXIT_DONE;
    case OPTION_AMPLITUDE:
        return parse_amplitude(command, optarg, desc);
    case OPTION_FREQUENCY:
        return parse_factor(command, "frequency", optarg, POSEMB_SCALE_MIN, POSEMB_SCALE_MAX,
                            &desc->frequency);
    case OPTION_POSITION_SCALE:
        return parse_factor(command, "position-scale", optarg, POSEMB_SCALE_MIN, POSEMB_SCALE_MAX,
                            &desc->position_scale);
    case OPTION_GRID:
        return parse_grid(command, optarg, desc);
    default:
        return -1;
    }
}

/* Options that say where tokens are; -1: another one. */
static int take_position_option(const char *command, int letter, struct stage_options *parsed)
{
    int status;
    int word = 0;

    switch (letter) {
    case OPTION_RULE:
        status = parse_word(command, "rule", rules, optarg, &word);
        parsed->desc.positions = (posemb_position_rule)word;
        return status;
    case OPTION_PADS:
        status = parse_word(command, "pads", policies, optarg, &word);
        parsed->desc.pad_policy = (posemb_pad_policy)word;
        return status;
    case OPTION_PAD_ID:
        parsed->has_pad_id = true;
        if (!parse_int64(optarg, INT64_MIN, INT64_MAX, &parsed->desc.pad_id))
            return command_usage(command, "--pad-id is \"%s\", not a whole number", optarg);
        return EXIT_DONE;
    case OPTION_PAST:
        if (!parse_int64(optarg, 0, UINT32_MAX, &parsed->past))
            return command_usage(command, "--past is \"%s\", not a whole number from 0 to 2^32-1",
                                 optarg);
        return EXIT_DONE;
    case OPTION_MASK:
        parsed->mask = optarg;
        return EXIT_DONE;
    case OPTION_LEFT_PADS:
        parsed->left_pads = optarg;
        return EXIT_DONE;
    case OPTION_LENGTHS:
        parsed->lengths = optarg;
        return EXIT_DONE;
    case OPTION_CU_SEQLENS:
        parsed->cu_seqlens = optarg;
        return EXIT_DONE;
    case OPTION_POSITIONS_OUT:
        parsed->positions_out = optarg;
        return EXIT_DONE;
    default:
        return -1;
    }
}

/* Options of pictures; -1: another one. */
static int take_view_option(int letter, struct stage_options *parsed)
{
    switch (letter) {
    case OPTION_KIND:
        parsed->kind = optarg;
        return EXIT_DONE;
    case OPTION_TABLE:
        parsed->table = optarg;
        return EXIT_DONE;
    case OPTION_JSON_OUT:
        parsed->json = optarg;
        return EXIT_DONE;
    default:
        return -1;
    }
}

int take_tuning(const char *path)
{
    posemb_error error;

    return target_use_tuning(path, &error) == POSEMB_OK ? EXIT_DONE : command_failed(&error);
}

int options_take(int count, char **arguments, const struct option *options,
                 int (*take)(const char *command, int letter, void *context), void *context)
{
    int letter;

    optind = 1;
    while ((letter = getopt_long(count, arguments, "h", options, NULL)) != -1) {
        const int status = letter == OPTION_HELP ? -1 : take(arguments[0], letter, context);

        if (status != EXIT_DONE)
            return status;
    }
    if (optind < count)
        return command_usage(arguments[0], "\"%s\" is not an option", arguments[optind]);
    return EXIT_DONE;
}

/* One option of a stage. */
static int take_option(const char *command, int letter, void *context)
{
    struct stage_options *parsed = context;
    int status = take_knob(command, letter, &parsed->desc);

    if (status < 0)
        status = take_position_option(command, letter, parsed);
    if (status < 0)
        status = take_stage_option(command, letter, parsed);
    if (status < 0)
        status = take_view_option(letter, parsed);
    if (status >= 0)
        return status;
    switch (letter) {
    case OPTION_MODEL:
        return parse_model(command, optarg, parsed);
    case OPTION_CONVENTION:
        return parse_convention(command, optarg, &parsed->desc);
    case OPTION_DIM:
        return parse_dim(command, optarg, &parsed->desc);
    case OPTION_BASE:
        return parse_base(command, optarg, &parsed->desc.base);
    case OPTION_SCALE:
        return parse_scale(command, optarg, parsed);
    case OPTION_START:
        return parse_start(command, optarg, parsed);
    case OPTION_COUNT:
        return parse_count(command, optarg, parsed);
    case OPTION_IDS:
        parsed->ids = optarg;
        return EXIT_DONE;
    case OPTION_TOKENS:
        parsed->tokens = optarg;
        return EXIT_DONE;
    case OPTION_POSITIONS:
        parsed->positions = optarg;
        return EXIT_DONE;
    case OPTION_DEVICE:
        parsed->device = optarg;
        return EXIT_DONE;
    case OPTION_OUT:
        parsed->out = optarg;
        return EXIT_DONE;
    case OPTION_TUNING:
        return take_tuning(optarg);
    case OPTION_STOP:
        parsed->stop = true;
        return EXIT_DONE;
    case OPTION_ALLOW_BAD_IDS:
        parsed->allow_bad_ids = true;
        return EXIT_DONE;
    default:
        return command_usage(command, "the options are wrong");
    }
}

/* What says where tokens are can be said once. */
static int check_together(const char *command, const struct stage_options *parsed)
{
    const int paddings =
        parsed->has_pad_id + !!parsed->mask + !!parsed->left_pads + !!parsed->lengths;

    if (paddings > 1)
        return command_usage(command,
                             "--pad-id, --mask, --left-pads and --lengths exclude each other");
    if (parsed->cu_seqlens && (paddings || parsed->positions))
        return command_usage(command,
                             "--cu-seqlens says where tokens are, and so does another option");
    return EXIT_DONE;
}

/* What the subcommand says of itself, and what the options say that others take too. */
static void print_help(const struct option *options, const char *help)
{
    bool sinusoids = false;
    bool stage = false;

    for (const struct option *option = options; option->name; option++) {
        sinusoids = sinusoids || option->val == OPTION_CONVENTION;
        stage = stage || option->val == OPTION_MODEL_FILE;
    }
    fputs(help, stdout);
    if (stage)
        printf("\n%s", stage_help);
    if (sinusoids)
        printf("\n%s", sinusoid_help);
}

int stage_options_parse(int count, char **arguments, const struct option *options, const char *help,
                        struct stage_options *parsed)
{
    int status;

    memset(parsed, 0, sizeof *parsed);
    status = options_take(count, arguments, options, take_option, parsed);
    if (status < 0)
        print_help(options, help);
    if (status != EXIT_DONE)
        return status;
    if (parsed->has_start && parsed->positions)
        return command_usage(arguments[0], "--start and --positions exclude each other");
    status = check_together(arguments[0], parsed);
    return status == EXIT_DONE ? check_stage_options(arguments[0], parsed) : status;
}
