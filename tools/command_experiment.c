/* posemb experiment: what positions change in a transformer that is trained here and now. */
#include "clock.h"
#include "command.h"
#include "experiment_report.h"
#include "json_file.h"
#include "options.h"
#include "target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE_DEFAULT 10000.0

enum { SEEDS_DEFAULT = 5 };

enum { EXPERIMENT_TASK = 512, EXPERIMENT_SEEDS, EXPERIMENT_STEPS, EXPERIMENT_THREADS };

static const char help[] =
    "usage: posemb experiment [--out FILE.png] [--json FILE] [--task NAME] [--seeds N] [--steps "
    "N]\n"
    "                         [--base B] [--threads N] [--device DEV]\n\n"
    "Train small transformer encoders on tasks that cannot be done without the order of the "
    "tokens:\n"
    "without positions, with sinusoidal ones, with learned ones, and with learned ones that begin "
    "as\n"
    "sinusoids. The embedding stage, its gradients and its optimiser are posemb's, the rest is "
    "plain C;\n"
    "every number has the same bits on every device and with any number of threads.\n\n"
    "  --out      a picture of losses and accuracies\n"
    "  --json     all numbers of all trials; a failure leaves neither\n";

/* With the numbers in force. */
static void print_help(void)
{
    fputs(help, stdout);
    printf("  --task     one of these; default all\n");
    for (int i = 0; i < TASKS; i++) {
        const struct task *task = task_of((enum task_kind)i);

        printf("               %-9s %s\n", task->name, task->summary);
    }
    printf("  --seeds    trials of each kind, 1 ... %d; default %d\n", EXPERIMENT_SEEDS_MAX,
           SEEDS_DEFAULT);
    printf("  --steps    of each trial, %d ... %d; default", TRIAL_STRIDE, TRIAL_STEPS_MAX);
    for (int i = 0; i < TASKS; i++)
        printf("%s %" PRIu32 " of %s", i ? "," : "", task_of((enum task_kind)i)->steps,
               task_of((enum task_kind)i)->name);
    printf("\n  --base     of the sinusoids; default %g\n", BASE_DEFAULT);
    printf("  --threads  trials at once, 1 ... %d; default as many as there are processors\n",
           EXPERIMENT_THREADS_MAX);
    printf("  --device   as in posemb encode; \"reference\" is the CPU without OpenCL\n");
}

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"out", required_argument, NULL, OPTION_OUT},
    {"json", required_argument, NULL, OPTION_JSON_OUT},
    {"task", required_argument, NULL, EXPERIMENT_TASK},
    {"seeds", required_argument, NULL, EXPERIMENT_SEEDS},
    {"steps", required_argument, NULL, EXPERIMENT_STEPS},
    {"threads", required_argument, NULL, EXPERIMENT_THREADS},
    {"base", required_argument, NULL, OPTION_BASE},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {NULL, 0, NULL, 0}};

struct experiment_options {
    const char *out;
    const char *json;
    const char *device;
    struct experiment_settings settings;
};

/* What the progress knows. */
struct progress {
    double begin;
    bool is_terminal;
};

/* ---- Options */

static int parse_task(const char *command, const char *text, bool tasks[TASKS])
{
    const char *names[TASKS + 1] = {NULL};
    int word = 0;
    int status;

    for (int i = 0; i < TASKS; i++)
        names[i] = task_of((enum task_kind)i)->name;
    status = parse_word(command, "task", names, text, &word);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = i == word - 1;
    return status;
}

static int parse_count(const char *command, const char *option, const char *text, int64_t least,
                       int64_t most, uint32_t *value)
{
    int64_t number;

    if (!parse_int64(text, least, most, &number))
        return command_usage(command,
                             "--%s is \"%s\", not a whole number from %" PRId64 " to %" PRId64,
                             option, text, least, most);
    *value = (uint32_t)number;
    return EXIT_DONE;
}

static int take(const char *command, int letter, void *context)
{
    struct experiment_options *options = context;
    struct experiment_settings *settings = &options->settings;

    switch (letter) {
    case OPTION_OUT:
        options->out = optarg;
        return EXIT_DONE;
    case OPTION_JSON_OUT:
        options->json = optarg;
        return EXIT_DONE;
    case OPTION_DEVICE:
        options->device = optarg;
        return EXIT_DONE;
    case OPTION_BASE:
        return parse_base(command, optarg, &settings->base);
    case EXPERIMENT_TASK:
        return parse_task(command, optarg, settings->tasks);
    case EXPERIMENT_SEEDS:
        return parse_count(command, "seeds", optarg, 1, EXPERIMENT_SEEDS_MAX, &settings->seeds);
    case EXPERIMENT_STEPS:
        return parse_count(command, "steps", optarg, TRIAL_STRIDE, TRIAL_STEPS_MAX,
                           &settings->steps);
    case EXPERIMENT_THREADS:
        return parse_count(command, "threads", optarg, 1, EXPERIMENT_THREADS_MAX,
                           &settings->threads);
    default:
        return command_usage(command, "the options are wrong");
    }
}

static int parse(int count, char **arguments, struct experiment_options *options)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct experiment_settings *settings = &options->settings;
    int status;

    memset(options, 0, sizeof *options);
    settings->seeds = SEEDS_DEFAULT;
    settings->base = BASE_DEFAULT;
    settings->threads = processors < 1                        ? 1
                        : processors > EXPERIMENT_THREADS_MAX ? EXPERIMENT_THREADS_MAX
                                                              : (uint32_t)processors;
    for (int i = 0; i < TASKS; i++)
        settings->tasks[i] = true;
    status = options_take(count, arguments, options_taken, take, options);
    if (status < 0)
        print_help();
    if (status != EXIT_DONE)
        return status;
    if (options->json && options->out && file_same(options->json, options->out))
        return command_usage(arguments[0], "--json and --out are one file, \"%s\"", options->out);
    return EXIT_DONE;
}

/* ---- The experiment */

/* A line that is written over on a terminal; elsewhere one for every ten trials. */
static void say_progress(void *context, const struct trial *trial, size_t done, size_t all)
{
    const struct progress *progress = context;
    const double seconds = clock_seconds() - progress->begin;

    if (progress->is_terminal)
        fprintf(stderr,
                "\r  %zu of %zu trials, %.0f s; %s, %s, seed %" PRIu32 ": accuracy %.1f %%\033[K%s",
                done, all, seconds, task_of(trial->task)->name,
                stage_positions_name(trial->positions), trial->seed, 100.0 * trial->accuracy,
                done == all ? "\r\033[K" : "");
    else if (done % 10 == 0 || done == all)
        fprintf(stderr, "%zu of %zu trials, %.0f s\n", done, all, seconds);
}

static posemb_status check_file(const char *path, posemb_error *error)
{
    file_output output;
    const posemb_status status = file_output_begin(path, &output, error);

    if (status == POSEMB_OK)
        file_output_abandon(&output);
    return status;
}

/* That both files can be written, before minutes of work. */
static posemb_status check_files(const struct experiment_options *options, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    if (options->json)
        status = check_file(options->json, error);
    if (status == POSEMB_OK && options->out)
        status = experiment_picture_check(error);
    if (status == POSEMB_OK && options->out)
        status = check_file(options->out, error);
    return status;
}

/* Both files are there, or none. */
static posemb_status write_files(const struct experiment_options *options,
                                 const struct experiment *experiment, const char *device,
                                 double seconds, posemb_error *error)
{
    file_output output = {.temporary = NULL};
    posemb_status status = POSEMB_OK;

    if (options->json) {
        json_t *json = experiment_json(
            experiment,
            json_pack("{s:s, s:s, s:i, s:f}", "posemb", posemb_version(), "device", device,
                      "threads", (int)options->settings.threads, "seconds", seconds));

        status = json_file_begin(options->json, json, JSON_COMPACT, &output, error);
        json_decref(json);
    }
    if (status == POSEMB_OK && options->out)
        status = experiment_picture(experiment, options->out, error);
    if (status == POSEMB_OK && options->json)
        status = file_output_commit(&output, error);
    else
        file_output_abandon(&output);
    return status;
}

static posemb_status run(struct experiment_options *options, const struct target *target,
                         posemb_error *error)
{
    struct progress progress = {clock_seconds(), isatty(STDERR_FILENO) == 1};
    struct experiment experiment;
    posemb_status status;
    double seconds;

    options->settings.progress = say_progress;
    options->settings.context = &progress;
    status = experiment_run(target->session, &options->settings, &experiment, error);
    if (status != POSEMB_OK)
        return status;
    seconds = clock_seconds() - progress.begin;
    printf("%s, %" PRIu32 " thread%s, %.0f s\n", target_name(target), options->settings.threads,
           options->settings.threads == 1 ? "" : "s", seconds);
    experiment_print(&experiment);
    status = write_files(options, &experiment, target_name(target), seconds, error);
    experiment_free(&experiment);
    return status;
}

int command_experiment(int count, char **arguments)
{
    struct experiment_options options;
    struct target target;
    posemb_error error;
    posemb_status status;
    int exit_status = parse(count, arguments, &options);

    if (exit_status != EXIT_DONE)
        return exit_status < 0 ? EXIT_DONE : exit_status;
    status = check_files(&options, &error);
    if (status != POSEMB_OK)
        return command_failed(&error);
    status = target_open(options.device, POSEMB_CACHE_DEFAULT, &target, &error);
    if (status == POSEMB_OK) {
        status = run(&options, &target, &error);
        target_close(&target);
    }
    return status == POSEMB_OK ? EXIT_DONE : command_failed(&error);
}
