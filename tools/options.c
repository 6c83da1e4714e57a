/* The values of options: parsed whole, or refused by name and value. */
#include "options.h"

#include "command.h"

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

static int parse_base(const char *command, const char *text, posemb_desc *desc)
{
    if (!parse_double(text, POSEMB_BASE_MIN, POSEMB_BASE_MAX, &desc->base))
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

/* One option that getopt_long() has found. */
static int take_option(const char *command, int letter, struct stage_options *parsed)
{
    switch (letter) {
    case OPTION_CONVENTION:
        return parse_convention(command, optarg, &parsed->desc);
    case OPTION_DIM:
        return parse_dim(command, optarg, &parsed->desc);
    case OPTION_BASE:
        return parse_base(command, optarg, &parsed->desc);
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
    case OPTION_ALLOW_BAD_IDS:
        parsed->allow_bad_ids = true;
        return EXIT_DONE;
    default:
        return command_usage(command, "the options are wrong");
    }
}

int stage_options_parse(int count, char **arguments, const struct option *options, const char *help,
                        struct stage_options *parsed)
{
    int letter;

    memset(parsed, 0, sizeof *parsed);
    optind = 1;
    while ((letter = getopt_long(count, arguments, "h", options, NULL)) != -1) {
        int status;

        if (letter == OPTION_HELP) {
            fputs(help, stdout);
            return -1;
        }
        status = take_option(arguments[0], letter, parsed);
        if (status != EXIT_DONE)
            return status;
    }
    if (optind < count)
        return command_usage(arguments[0], "\"%s\" is not an option", arguments[optind]);
    if (parsed->has_start && parsed->positions)
        return command_usage(arguments[0], "--start and --positions exclude each other");
    return EXIT_DONE;
}
