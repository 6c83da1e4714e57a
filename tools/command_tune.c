/* posemb tune: the fastest settings of a device, as tuning text. */
#include "command.h"
#include "file_bytes.h"
#include "options.h"
#include "target.h"
#include "tune_cases.h"
#include "tune_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: posemb tune [--device DEV] [--quick] [--seconds S] [--size MIB] [--search NAMES]\n"
    "                   [--op OPS] [--position KINDS] [--table TYPES] [--out-type TYPES] [--norm "
    "NORMS]\n"
    "                   [--dim DIMS] [--tuning FILE] [--out FILE] | --show\n\n"
    "Search how the work of the stage is best cut up on a device, and write the settings that are\n"
    "faster than those built in, by more than 2 % and more than twice the noise. For each case a\n"
    "batch, one long row and a few tokens are measured, on cold rows, each setting in turn with "
    "the\n"
    "best so far; what is found is measured once more beside what was in force, in pairs. Every\n"
    "element of every setting is compared with the reference: settings change no bit, and one "
    "that\n"
    "does is a bug, and the end. Run it on a machine that does nothing else.\n\n"
    "  --device    a number of posemb devices, or name:SUBSTRING; default $POSEMB_DEVICE, else "
    "the\n"
    "              first usable device\n"
    "  --op, --position, --table, --out-type, --norm, --dim\n"
    "              what to measure, each a list, separated by commas, of what tuning text can "
    "select;\n"
    "              all of their combinations. Default encode, sinusoidal, f32, f32, none, 1024; "
    "without\n"
    "              any of them a list of cases that matter, and the thresholds of streamed stores\n"
    "  --quick     two cases, less time for each\n"
    "  --seconds   of the search of a case, 0.1 ... 3600, about; compilers take theirs beside it.\n"
    "              Default 8, with --quick 2\n"
    "  --size      MiB of the output of the larger launches, 1 ... 1024; default 32, with --quick "
    "8\n"
    "  --search    names of settings, separated by commas; default all but shape\n"
    "  --tuning    a file to begin with; entries then have every setting, so that they need it no\n"
    "              longer\n"
    "  --out       the file to write, for --tuning or posemb_engine_options.tuning; default "
    "standard\n"
    "              output. A failure leaves none\n"
    "  --show      print the tuning that is built in, and do nothing else\n";

enum {
    TUNE_OP = 512,
    TUNE_POSITION,
    TUNE_TABLE,
    TUNE_OUT_TYPE,
    TUNE_NORM,
    TUNE_QUICK,
    TUNE_SECONDS,
    TUNE_SIZE,
    TUNE_SEARCH,
    TUNE_SHOW
};

static const struct option options_taken[] = {{"help", no_argument, NULL, OPTION_HELP},
                                              {"device", required_argument, NULL, OPTION_DEVICE},
                                              {"dim", required_argument, NULL, OPTION_DIM},
                                              {"out", required_argument, NULL, OPTION_OUT},
                                              {"tuning", required_argument, NULL, OPTION_TUNING},
                                              {"op", required_argument, NULL, TUNE_OP},
                                              {"position", required_argument, NULL, TUNE_POSITION},
                                              {"table", required_argument, NULL, TUNE_TABLE},
                                              {"out-type", required_argument, NULL, TUNE_OUT_TYPE},
                                              {"norm", required_argument, NULL, TUNE_NORM},
                                              {"quick", no_argument, NULL, TUNE_QUICK},
                                              {"seconds", required_argument, NULL, TUNE_SECONDS},
                                              {"size", required_argument, NULL, TUNE_SIZE},
                                              {"search", required_argument, NULL, TUNE_SEARCH},
                                              {"show", no_argument, NULL, TUNE_SHOW},
                                              {NULL, 0, NULL, 0}};

struct tune_options {
    const char *device;
    const char *out;
    struct tune_wish wish;
    double seconds; /* 0: the default */
    int64_t size;   /* likewise */
    unsigned searched;
    bool tuned; /* the search begins at the settings of a file */
    bool show;
};

struct run {
    const struct tune_options *options;
    struct tuner_options tuner;
    struct tune_list list;
    struct tune_text text;
    posemb_error error;
};

/* What is going on, for people who wait; and what was skipped, for everybody. */
static void say(const char *what, bool is_progress, void *data)
{
    const char *name = data;

    if (!is_progress)
        fprintf(stderr, "%sposemb: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", what);
    else if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r  %s: %s ...\033[K\r", name, what);
}

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

/* Names of settings, separated by commas. */
static int parse_search(const char *command, const char *text, unsigned *searched)
{
    *searched = 0;
    for (const char *word = text; word;) {
        const char *comma = strchr(word, ',');
        const size_t size = comma ? (size_t)(comma - word) : strlen(word);
        int k = 0;

        while (k < POSEMB__SETTINGS) {
            const char *name = posemb__setting_info((enum posemb__setting)k)->name;

            if (strlen(name) == size && strncmp(name, word, size) == 0)
                break;
            k++;
        }
        if (k == POSEMB__SETTINGS)
            return command_usage(
                command, "--search is \"%s\", not a list of settings, separated by commas", text);
        *searched |= 1u << k;
        word = comma ? comma + 1 : NULL;
    }
    return EXIT_DONE;
}

/* One option: an exit status. */
static int take(const char *command, int letter, void *context)
{
    struct tune_options *options = context;

    switch (letter) {
    case OPTION_DEVICE:
        options->device = optarg;
        return EXIT_DONE;
    case OPTION_OUT:
        options->out = optarg;
        return EXIT_DONE;
    case OPTION_DIM:
        options->wish.dim = optarg;
        return EXIT_DONE;
    case TUNE_OP:
        options->wish.operation = optarg;
        return EXIT_DONE;
    case TUNE_POSITION:
        options->wish.position = optarg;
        return EXIT_DONE;
    case TUNE_TABLE:
        options->wish.table = optarg;
        return EXIT_DONE;
    case TUNE_OUT_TYPE:
        options->wish.out = optarg;
        return EXIT_DONE;
    case TUNE_NORM:
        options->wish.norm = optarg;
        return EXIT_DONE;
    case TUNE_QUICK:
        options->wish.quick = true;
        return EXIT_DONE;
    case TUNE_SHOW:
        options->show = true;
        return EXIT_DONE;
    case OPTION_TUNING:
        options->tuned = true;
        return take_tuning(optarg);
    case TUNE_SEARCH:
        return parse_search(command, optarg, &options->searched);
    case TUNE_SECONDS:
        if (!parse_double(optarg, 0.1, 3600.0, &options->seconds))
            return command_usage(command, "--seconds is \"%s\", not a number from 0.1 to 3600",
                                 optarg);
        return EXIT_DONE;
    case TUNE_SIZE:
        if (!parse_int64(optarg, 1, 1024, &options->size))
            return command_usage(command, "--size is \"%s\", not a whole number from 1 to 1024",
                                 optarg);
        return EXIT_DONE;
    default:
        return command_usage(command, "the options are wrong");
    }
}

static int parse(int count, char **arguments, struct tune_options *options)
{
    int status;

    memset(options, 0, sizeof *options);
    options->searched = ~(1u << POSEMB__SET_SHAPE);
    status = options_take(count, arguments, options_taken, take, options);
    if (status < 0)
        fputs(help, stdout);
    return status;
}

static int report_bug(const struct tuner_result *result)
{
    char line[POSEMB__TUNING_LINE_SIZE];

    posemb__tuning_format(&result->best, (1u << POSEMB__SETTINGS) - 1u, line);
    fprintf(stderr,
            "posemb: MISMATCH: %zu values differ from the reference under \"%s\": a bug, please "
            "report it; nothing is written\n",
            result->differing, line);
    return EXIT_FAILED;
}

/* A line of the table. */
static void print_result(const char *name, const struct tuner_result *result)
{
    char changes[POSEMB__TUNING_LINE_SIZE];

    tune_changes_of(result, false, changes);
    printf("  %-46s %9.1f %9.1f %6.2f %9.1f %9.1f %6.2f  %.3f  %s\n", name,
           result->first_times.batch * 1e6, result->best_times.batch * 1e6,
           result->best_times.batch / result->copy_seconds, result->first_times.row * 1e6,
           result->best_times.row * 1e6, result->best_times.row / result->copy_seconds,
           result->ratio, *changes ? changes : "as it is");
    fflush(stdout);
}

/* A session of its own, so that the programs of a case go with it. */
static int tune_case(struct run *run, size_t index)
{
    const struct tuner_case *tuned = &run->list.cases[index];
    struct tuner_options options = run->tuner;
    struct tuner_result result;
    struct target target;
    char selectors[TUNE_SELECTORS_SIZE];
    char name[TUNE_SELECTORS_SIZE];
    posemb_status status;

    tune_selectors_of(&run->list, index, selectors);
    tune_case_name(tuned, name);
    options.data = name;
    status = target_open(run->options->device, POSEMB_CACHE_MEMORY, &target, &run->error);
    if (status == POSEMB_OK)
        status = tuner_run(target.session, tuned, &options, &result, &run->error);
    clear_progress();
    if (status == POSEMB_OK && result.differing == 0) {
        print_result(name, &result);
        tune_text_add_result(&run->text, posemb_session_device(target.session), selectors, name,
                             &result, run->options->tuned);
    }
    target_close(&target);
    if (status != POSEMB_OK)
        return command_failed(&run->error);
    return result.differing ? report_bug(&result) : EXIT_DONE;
}

static void print_stores(const char *name, const struct tuner_stores *stores)
{
    char values[2][POSEMB__VALUE_SIZE];

    if (!stores->streams) {
        printf("  the compiler has no streamed stores\n");
        return;
    }
    posemb__setting_format(POSEMB__SET_STREAMED, stores->first, values[0]);
    posemb__setting_format(POSEMB__SET_STREAMED, stores->best, values[1]);
    printf("  %s: streamed / plain stores", name);
    for (size_t k = 0; k < stores->sizes; k++)
        printf("%s %.2f at %llu MiB", k ? "," : "", stores->ratio[k],
               (unsigned long long)stores->bytes[k] >> 20);
    printf("; %s, was %s\n", values[1], values[0]);
    fflush(stdout);
}

static int tune_stores(struct run *run, posemb_consumer consumer)
{
    const enum posemb__setting setting =
        consumer == POSEMB_CONSUMER_FOLLOWS ? POSEMB__SET_FOLLOWS : POSEMB__SET_STREAMED;
    const char *name = posemb__setting_info(setting)->name;
    struct tuner_options options = run->tuner;
    struct tuner_stores stores = {.sizes = 0};
    struct target target;
    char copy[32];
    posemb_status status =
        target_open(run->options->device, POSEMB_CACHE_MEMORY, &target, &run->error);

    snprintf(copy, sizeof copy, "%s", name);
    options.data = copy;
    if (status == POSEMB_OK)
        status = tuner_run_stores(target.session, consumer, 2 * run->tuner.out_bytes, &options,
                                  &stores, &run->error);
    clear_progress();
    if (status == POSEMB_OK && stores.differing == 0) {
        print_stores(name, &stores);
        if (stores.streams)
            tune_text_add_stores(&run->text, posemb_session_device(target.session), setting,
                                 &stores);
    }
    target_close(&target);
    if (status != POSEMB_OK)
        return command_failed(&run->error);
    if (stores.differing == 0)
        return EXIT_DONE;
    fprintf(stderr,
            "posemb: MISMATCH: %zu values of plain or streamed stores differ from the "
            "reference: a bug, please report it; nothing is written\n",
            stores.differing);
    return EXIT_FAILED;
}

/* All cases, and the thresholds where no case was asked for. */
static int tune_all(struct run *run)
{
    const struct tune_wish *wish = &run->options->wish;
    const bool asked =
        wish->operation || wish->position || wish->table || wish->out || wish->norm || wish->dim;
    int status = EXIT_DONE;

    printf("  %-46s %9s %9s %6s %9s %9s %6s  %5s\n", "microseconds; of 16 rows, of one row",
           "16 before", "tuned", "/ copy", "1 before", "tuned", "/ copy", "ratio");
    for (size_t i = 0; status == EXIT_DONE && i < run->list.count; i++)
        status = tune_case(run, i);
    for (int consumer = POSEMB_CONSUMER_FOLLOWS;
         !asked && status == EXIT_DONE && consumer <= POSEMB_CONSUMER_STREAMED; consumer++) {
        const enum posemb__setting setting =
            consumer == POSEMB_CONSUMER_FOLLOWS ? POSEMB__SET_FOLLOWS : POSEMB__SET_STREAMED;

        if (run->tuner.searched >> setting & 1u)
            status = tune_stores(run, (posemb_consumer)consumer);
    }
    return status;
}

/* The text, to a file that appears whole, or to standard output. */
static int write_text(struct run *run, struct file_output *output)
{
    if (run->text.failed) {
        fprintf(stderr, "posemb: no memory for the tuning\n");
        return EXIT_FAILED;
    }
    if (!run->options->out) {
        printf("\n%s", run->text.bytes);
        return EXIT_DONE;
    }
    if (file_output_write(output, run->text.bytes, run->text.size, &run->error) != POSEMB_OK ||
        file_output_commit(output, &run->error) != POSEMB_OK)
        return command_failed(&run->error);
    return EXIT_DONE;
}

/* Before hours of measuring: there is a device, and a file can be written. */
static int begin(struct run *run, struct file_output *output)
{
    struct target target;

    if (target_open(run->options->device, POSEMB_CACHE_MEMORY, &target, &run->error) != POSEMB_OK)
        return command_failed(&run->error);
    if (!target.session) {
        fprintf(stderr, "posemb: the reference has nothing to tune; tune needs an OpenCL device\n");
        return EXIT_FAILED;
    }
    printf("%s\n", target_name(&target));
    tune_text_add_head(&run->text, posemb_session_device(target.session));
    target_close(&target);
    if (run->options->out && file_output_begin(run->options->out, output, &run->error) != POSEMB_OK)
        return command_failed(&run->error);
    return EXIT_DONE;
}

int command_tune(int count, char **arguments)
{
    struct tune_options options;
    struct file_output output = {0};
    struct run *run;
    int status = parse(count, arguments, &options);

    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    if (options.show) {
        fputs(posemb_tuning_builtin(), stdout);
        return EXIT_DONE;
    }
    run = calloc(1, sizeof *run);
    if (!run) {
        fprintf(stderr, "posemb: no memory for a list of cases\n");
        return EXIT_FAILED;
    }
    run->options = &options;
    run->tuner.seconds = options.seconds > 0.0 ? options.seconds : (options.wish.quick ? 2.0 : 8.0);
    run->tuner.out_bytes = (size_t)(options.size ? options.size : (options.wish.quick ? 8 : 32))
                           << 20;
    run->tuner.searched = options.searched;
    run->tuner.say = say;
    status = tune_cases_of(arguments[0], &options.wish, &run->list);
    if (status == EXIT_DONE)
        status = begin(run, &output);
    if (status == EXIT_DONE)
        status = tune_all(run);
    if (status == EXIT_DONE)
        status = write_text(run, &output);
    file_output_abandon(&output);
    free(run->text.bytes);
    free(run);
    return status;
}
