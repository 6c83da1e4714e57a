/* The options of posemb bench. */
#include "bench_options.h"

#include "command.h"
#include "file_bytes.h"
#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: posemb bench [--quick | --full | --shape BxSxD [WHAT ...]] [--device DEV|all]\n"
    "                    [--json FILE] [--csv FILE]\n"
    "       posemb bench --parts | --rules | --devices | --backward [--shape BxSxD] |\n"
    "                    --accuracy | --first-calls [...]\n\n"
    "Measure the stage beside yardsticks, in turn in this process: the best copy of the same\n"
    "bytes, the gather alone, the gather with a precomputed table of positions in one kernel,\n"
    "a kernel for each step, and the vendor's sin and cos. Every element is compared with the\n"
    "reference in the configuration that is measured, and every yardstick is checked; where bits\n"
    "differ there is no number, and the exit status is 1. Without options, the usual cases of\n"
    "models: some minutes. What has no room or would take too long is named and passed over.\n\n"
    "  --device DEV    a number of posemb devices, name:SUBSTRING, or all (every device of every\n"
    "                  platform); default $POSEMB_DEVICE, else the first usable device\n"
    "  --tuning FILE   of posemb tune, to be in force meanwhile\n"
    "  --quick         ten cases and the accuracy, within a minute\n"
    "  --full          every shape, type, rule and kind of ids: an hour or more\n"
    "  --shape BxSxD   batch x length x D; alone: nine cases of it, with one of these: that one\n"
    "    --op encode|add|table         --table f32|f16|bf16|i8|q8_0|q4_0|...|q6_k\n"
    "    --out f32|f16|bf16            --position sinusoidal|learned|none\n"
    "    --rule index|explicit         --norm none|layer|rms\n"
    "    --types none|row              --consumer none|reader\n"
    "    --rows cold|hot               --ids unique|zipf|same\n"
    "  --seconds S     of sampling each case, about: default 2, with --quick 0.5, with --full 4;\n"
    "                  a slow device gets fewer samples, but five at least\n"
    "  --parts         types, learned positions and norms beside the plain stage, alone\n"
    "  --rules         the position rules beside the index rule, alone\n"
    "  --devices       a call split over the devices of the platform, and over halves of the "
    "device,\n"
    "                  beside each of them alone\n"
    "  --backward      gradients of the stage beside copies of as many bytes, alone\n"
    "  --accuracy      error and time of sine and cosine by position, alone\n"
    "  --first-calls   the first calls of a process with and without caches, alone\n"
    "  --json FILE     one JSON object a line; bench/README.md documents them\n"
    "  --csv FILE      the cases as a flat table\n\n"
    "Ctrl-C ends it; what was measured until then is written.\n";

enum {
    OPTION_SHAPE = 512,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_FIRST_CALLS,
    OPTION_RULES,
    OPTION_PARTS,
    OPTION_DEVICES,
    OPTION_BACKWARD,
    OPTION_ACCURACY,
    OPTION_QUICK,
    OPTION_FULL,
    OPTION_SECONDS,
    OPTION_CHOICES /* what one configuration is made of, from here on */
};

static const struct {
    const char *option;
    const char *words[16]; /* NULL ends them */
} choices[CHOICES] = {
    [OP] = {"op", {"encode", "add", "table"}},
    [TABLE] = {"table",
               {"f32", "f16", "bf16", "i8", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k",
                "q4_k", "q5_k", "q6_k"}},
    [OUT] = {"out", {"f32", "f16", "bf16"}},
    [POSITION] = {"position", {"sinusoidal", "learned", "none"}},
    [RULE] = {"rule", {"index", "explicit"}},
    [NORM] = {"norm", {"none", "layer", "rms"}},
    [TYPES] = {"types", {"none", "row"}},
    [CONSUMER] = {"consumer", {"none", "reader"}},
    [ROWS] = {"rows", {"cold", "hot"}},
    [IDS] = {"ids", {"unique", "zipf", "same"}},
};

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"tuning", required_argument, NULL, OPTION_TUNING},
    {"shape", required_argument, NULL, OPTION_SHAPE},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"full", no_argument, NULL, OPTION_FULL},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"first-calls", no_argument, NULL, OPTION_FIRST_CALLS},
    {"rules", no_argument, NULL, OPTION_RULES},
    {"parts", no_argument, NULL, OPTION_PARTS},
    {"devices", no_argument, NULL, OPTION_DEVICES},
    {"backward", no_argument, NULL, OPTION_BACKWARD},
    {"accuracy", no_argument, NULL, OPTION_ACCURACY},
    {"json", required_argument, NULL, OPTION_JSON},
    {"csv", required_argument, NULL, OPTION_CSV},
    {"op", required_argument, NULL, OPTION_CHOICES + OP},
    {"table", required_argument, NULL, OPTION_CHOICES + TABLE},
    {"out", required_argument, NULL, OPTION_CHOICES + OUT},
    {"position", required_argument, NULL, OPTION_CHOICES + POSITION},
    {"rule", required_argument, NULL, OPTION_CHOICES + RULE},
    {"norm", required_argument, NULL, OPTION_CHOICES + NORM},
    {"types", required_argument, NULL, OPTION_CHOICES + TYPES},
    {"consumer", required_argument, NULL, OPTION_CHOICES + CONSUMER},
    {"rows", required_argument, NULL, OPTION_CHOICES + ROWS},
    {"ids", required_argument, NULL, OPTION_CHOICES + IDS},
    {NULL, 0, NULL, 0}};

/* "BxSxD", each a whole number from 1. */
static bool parse_shape(const char *text, uint32_t shape[3])
{
    char *end = NULL;

    for (int i = 0; i < 3; i++) {
        unsigned long long size;

        if (!isdigit((unsigned char)*text))
            return false;
        size = strtoull(text, &end, 10);
        if (size == 0 || size > UINT32_MAX || *end != (i < 2 ? 'x' : '\0'))
            return false;
        shape[i] = (uint32_t)size;
        text = end + 1;
    }
    return shape[2] <= POSEMB_DIM_MAX && (uint64_t)shape[0] * shape[1] <= (uint64_t)1 << 28;
}

/* Whether it is one of those that --shape goes with. */
static bool takes_shape(const struct bench_options *options)
{
    return options->parts || options->rules || options->devices || options->backward;
}

/* Exclusive ones that were given. */
static int count_kinds(const struct bench_options *options)
{
    return options->first_calls + options->rules + options->parts + options->devices +
           options->backward + options->accuracy + options->quick + options->full +
           (options->has_shape && !takes_shape(options));
}

struct bench_case bench_options_case(const struct bench_options *options)
{
    const int *choice = options->choice;

    return (struct bench_case){
        .operation = (posemb_operation)choice[OP],
        .batch = options->shape[0],
        .length = options->shape[1],
        .dim = options->shape[2],
        .table = (posemb_storage)choice[TABLE],
        .out = (posemb_storage)choice[OUT],
        .position_kind = (posemb_position_kind)choice[POSITION],
        .rule = choice[RULE] == 2 ? BENCH_EXPLICIT : BENCH_INDEX,
        .norm = (posemb_norm)choice[NORM],
        .types = choice[TYPES] == 2,
        .with_reader = choice[CONSUMER] == 2,
        .hot_rows = choice[ROWS] == 2,
        .ids = (enum bench_ids)(choice[IDS] ? choice[IDS] - 1 : 0),
    };
}

static int check(const char *command, const struct bench_options *options)
{
    const struct bench_case chosen = bench_options_case(options);

    if (count_kinds(options) > 1)
        return command_usage(command, "--quick, --full, --shape (but with --parts, --rules, "
                                      "--devices or --backward), --parts, --rules, --devices, "
                                      "--backward, --accuracy and --first-calls exclude each "
                                      "other");
    if (options->json && options->csv && file_same(options->json, options->csv))
        return command_usage(command, "--json and --csv are one file, \"%s\"", options->csv);
    for (int i = 0; i < CHOICES; i++)
        if (options->choice[i] && (!options->has_shape || takes_shape(options)))
            return command_usage(command, "--%s is of one case, which needs --shape",
                                 choices[i].option);
    if (options->has_choice && bench_case_fault(&chosen))
        return command_usage(command, "there is no such case: %s", bench_case_fault(&chosen));
    return EXIT_DONE;
}

static int take_choice(const char *command, int which, const char *text,
                       struct bench_options *options)
{
    options->has_choice = true;
    return parse_word(command, choices[which].option, choices[which].words, text,
                      &options->choice[which]);
}

/* Options that are there or not; false: it is none of them. */
static bool take_flag(int letter, struct bench_options *options)
{
    const struct {
        int letter;
        bool *flag;
    } flags[] = {{OPTION_QUICK, &options->quick},
                 {OPTION_FULL, &options->full},
                 {OPTION_FIRST_CALLS, &options->first_calls},
                 {OPTION_RULES, &options->rules},
                 {OPTION_PARTS, &options->parts},
                 {OPTION_DEVICES, &options->devices},
                 {OPTION_BACKWARD, &options->backward},
                 {OPTION_ACCURACY, &options->accuracy}};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].letter == letter) {
            *flags[i].flag = true;
            return true;
        }
    return false;
}

static int take(const char *command, int letter, void *context)
{
    struct bench_options *options = context;
    if (take_flag(letter, options))
        return EXIT_DONE;
    if (letter >= OPTION_CHOICES)
        return take_choice(command, letter - OPTION_CHOICES, optarg, options);
    switch (letter) {
    case OPTION_DEVICE:
        options->device = optarg;
        return EXIT_DONE;
    case OPTION_TUNING:
        return take_tuning(optarg);
    case OPTION_JSON:
        options->json = optarg;
        return EXIT_DONE;
    case OPTION_CSV:
        options->csv = optarg;
        return EXIT_DONE;
    case OPTION_SECONDS:
        if (parse_double(optarg, 0.001, 3600.0, &options->seconds))
            return EXIT_DONE;
        return command_usage(command, "--seconds is \"%s\", not a number from 0.001 to 3600",
                             optarg);
    case OPTION_SHAPE:
        options->has_shape = true;
        if (parse_shape(optarg, options->shape))
            return EXIT_DONE;
        return command_usage(command,
                             "--shape is \"%s\", not BxSxD with D up to 65536 and up to 2^28 "
                             "tokens",
                             optarg);
    default:
        return command_usage(command, "the options are wrong");
    }
}

int bench_options_parse(int count, char **arguments, struct bench_options *options)
{
    int status;

    memset(options, 0, sizeof *options);
    status = options_take(count, arguments, options_taken, take, options);
    if (status < 0)
        fputs(help, stdout);
    return status == EXIT_DONE ? check(arguments[0], options) : status;
}

enum bench_mode bench_options_mode(const struct bench_options *options)
{
    if (options->has_shape || options->first_calls || options->rules || options->parts ||
        options->devices || options->backward || options->accuracy)
        return BENCH_CUSTOM;
    if (options->quick)
        return BENCH_QUICK;
    return options->full ? BENCH_FULL : BENCH_DEFAULT;
}
