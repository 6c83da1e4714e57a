/* posemb bench: the stage against yardsticks, as a table and as records. */
#include "bench.h"
#include "bench_backward.h"
#include "bench_devices.h"
#include "bench_options.h"
#include "bench_print.h"
#include "bench_records.h"
#include "command.h"
#include "first_call.h"
#include "target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything one run of the command collects. */
struct report {
    const struct bench_options *options;
    struct bench_records records;
    struct bench *bench; /* of the device that is measured */
    posemb_error error;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* The next one ends the process. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- Kinds of measurement, each of one device */

static int write_failed(const struct report *report)
{
    return command_failed(&report->records.error);
}

/* What a failed measurement is to the run: interrupted, or an error that is told and recorded. */
static int measurement_failed(struct report *report, const char *what)
{
    bench_print_progress(NULL, 0, 0);
    if (interrupted)
        return EXIT_FAILED;
    command_failed(&report->error);
    if (bench_records_skip(&report->records, what, report->error.message) != POSEMB_OK)
        return write_failed(report);
    return EXIT_FAILED;
}

static int run_case(struct report *report, const struct bench_case *bench_case, size_t number,
                    size_t count)
{
    struct bench_result result;
    char words[BENCH_WORDS];
    posemb_status status;

    bench_case_words(bench_case, words);
    bench_print_progress(words, number, count);
    if (bench_run(report->bench, NULL, bench_case, &result, &report->error) != POSEMB_OK)
        return measurement_failed(report, words);
    bench_print_progress(NULL, 0, 0);
    bench_print_case(bench_case, &result);
    status = result.skipped ? bench_records_skip(&report->records, words, result.skipped)
                            : bench_records_stage(&report->records, bench_case, &result);
    if (status != POSEMB_OK)
        return write_failed(report);
    return result.differing > 0 || result.wrong ? EXIT_FAILED : EXIT_DONE;
}

/* All operations and kinds of positions and consumers of one shape. */
static size_t cases_of_shape(const uint32_t shape[3], struct bench_case *cases)
{
    size_t count = 0;

    for (int operation = POSEMB_ENCODE; operation <= POSEMB_TABLE; operation++)
        for (int variant = 0; variant < 3; variant++)
            cases[count++] =
                (struct bench_case){.operation = (posemb_operation)operation,
                                    .batch = shape[0],
                                    .length = shape[1],
                                    .dim = shape[2],
                                    .rule = variant == 1 ? BENCH_EXPLICIT : BENCH_INDEX,
                                    .with_reader = variant == 2};
    return count;
}

static int run_cases(struct report *report)
{
    const struct bench_options *options = report->options;
    static struct bench_case cases[BENCH_CASES_MAX];
    size_t count;
    int worst = EXIT_DONE;

    if (!options->has_shape) {
        count = bench_list(bench_options_mode(options), cases);
    } else if (options->has_choice) {
        cases[0] = bench_options_case(options);
        count = 1;
    } else {
        count = cases_of_shape(options->shape, cases);
    }
    bench_print_header();
    for (size_t i = 0; i < count && !interrupted; i++) {
        const int status = run_case(report, &cases[i], i + 1, count);

        worst = status > worst ? status : worst;
    }
    return worst;
}

static int run_overhead(struct report *report, posemb_session *session)
{
    struct bench_overhead overhead;
    double share;

    if (bench_overhead_run(session, &overhead, &report->error) != POSEMB_OK)
        return measurement_failed(report, "the cost of an enqueue");
    share = overhead.enqueue_seconds - overhead.raw_seconds;
    printf("  one enqueue: %.2f us, the same OpenCL calls by hand %.2f us: the library's share is "
           "%.2f us\n",
           overhead.enqueue_seconds * 1e6, overhead.raw_seconds * 1e6, share * 1e6);
    if (bench_records_add(&report->records, "enqueue",
                          json_pack("{s:s, s:i, s:f, s:f, s:f}", "statistic", "median", "repeats",
                                    (int)overhead.repeats, "seconds", overhead.enqueue_seconds,
                                    "raw_seconds", overhead.raw_seconds, "library_seconds",
                                    share)) != POSEMB_OK)
        return write_failed(report);
    return EXIT_DONE;
}

static int run_accuracy(struct report *report)
{
    struct bench_accuracy accuracy;

    bench_print_progress("the accuracy of sine and cosine", 1, 1);
    if (bench_accuracy_run(report->bench, &accuracy, &report->error) != POSEMB_OK)
        return measurement_failed(report, "accuracy");
    bench_print_progress(NULL, 0, 0);
    bench_print_accuracy(&accuracy);
    for (int m = 0; m < BENCH_METHODS; m++) {
        if (!accuracy.built[m]) {
            if (bench_records_skip(&report->records, bench_method_names[m],
                                   "the driver does not build it") != POSEMB_OK)
                return write_failed(report);
            continue;
        }
        for (int p = 0; p < BENCH_ACCURACY_POSITIONS; p++)
            if (bench_records_add(
                    &report->records, "accuracy",
                    json_pack("{s:s, s:I, s:i, s:f, s:f, s:f}", "method", bench_method_names[m],
                              "position", (json_int_t)bench_accuracy_positions[p], "dim",
                              BENCH_ACCURACY_DIM, "max_error", accuracy.error[m][p], "seconds",
                              accuracy.seconds[m], "ratio_to_posemb",
                              accuracy.seconds[m] / accuracy.seconds[0])) != POSEMB_OK)
                return write_failed(report);
    }
    return EXIT_DONE;
}

static const char *const origin_names[] = {
    [POSEMB_ORIGIN_SOURCE] = "source",
    [POSEMB_ORIGIN_MEMORY] = "memory",
    [POSEMB_ORIGIN_DISK] = "disk",
    [POSEMB_ORIGIN_BLOB] = "blob",
};

static posemb_status write_first_call(struct report *report, const struct first_call_line *line)
{
    const struct bench_first_call *result = &line->result;

    return bench_records_add(
        &report->records, "first call",
        json_pack("{s:s, s:s, s:b, s:s, s:i, s:f, s:f, s:f, s:f, s:f}", "caches", line->name,
                  "origin", origin_names[result->origin], "warm_up", line->warm_up, "statistic",
                  "median", "processes", line->processes, "plan_seconds", result->plan_seconds,
                  "warmup_seconds", result->warmup_seconds, "first_seconds", result->first_seconds,
                  "second_seconds", result->second_seconds, "steady_seconds",
                  result->steady_seconds));
}

static int run_first_calls(struct report *report, size_t device)
{
    struct first_call_line lines[FIRST_CALL_LINES_MAX];
    size_t count;

    if (first_call_measure(device, lines, &count, &report->error) != POSEMB_OK)
        return measurement_failed(report, "first calls");
    printf("  first calls of a process, encode [8,128,1024], medians of 5 to 15 processes\n"
           "  %-28s %9s %9s %9s %9s %9s %7s\n",
           "", "plan", "warm-up", "1st", "2nd", "steady", "2nd/st.");
    for (size_t i = 0; i < count; i++) {
        const struct bench_first_call *result = &lines[i].result;

        printf("  %-28s %6.1f ms ", lines[i].name, result->plan_seconds * 1e3);
        if (lines[i].warm_up)
            printf("%6.1f ms ", result->warmup_seconds * 1e3);
        else
            printf("%9s ", "-");
        printf("%6.2f ms %6.2f ms %6.2f ms %7.2f\n", result->first_seconds * 1e3,
               result->second_seconds * 1e3, result->steady_seconds * 1e3,
               result->second_seconds / result->steady_seconds);
        if (write_first_call(report, &lines[i]) != POSEMB_OK)
            return write_failed(report);
    }
    return EXIT_DONE;
}

/* "rule" or "part" lines. */
static posemb_status write_group(struct report *report, const char *kind, const uint32_t shape[3],
                                 const struct bench_group *group)
{
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && group->differing == 0 && i < group->count; i++) {
        json_t *object = json_pack(
            "{s:[i,i,i], s:s, s:s, s:s, s:i, s:i, s:f, s:f}", "shape", (int)shape[0], (int)shape[1],
            (int)shape[2], kind, group->name[i], "rows", "cold", "statistic", "min", "repeats",
            (int)group->repeats, "launches", (int)group->kernels[i], "seconds", group->seconds[i],
            strcmp(kind, "rule") == 0 ? "ratio_to_index" : "ratio_to_plain",
            group->seconds[i] / group->seconds[0]);

        if (group->copy_seconds[i] > 0.0)
            json_object_update_new(object, json_pack("{s:f, s:f}", "copy_seconds",
                                                     group->copy_seconds[i], "ratio_to_copy",
                                                     group->seconds[i] / group->copy_seconds[i]));
        status = bench_records_add(&report->records, kind, object);
    }
    return status;
}

static int run_group(struct report *report, bool of_rules, const uint32_t shape[3])
{
    struct bench_group group;
    const char *title = of_rules ? "position rules" : "parts of the stage";
    const posemb_status status =
        of_rules ? bench_rules_run(report->bench, shape, &group, &report->error)
                 : bench_parts_run(report->bench, shape, &group, &report->error);

    if (status != POSEMB_OK)
        return measurement_failed(report, title);
    bench_print_group(title, shape, &group);
    if (write_group(report, of_rules ? "rule" : "part", shape, &group) != POSEMB_OK)
        return write_failed(report);
    return group.differing == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int run_groups(struct report *report, bool of_rules)
{
    static const uint32_t rules_shapes[][3] = {
        {8, 2048, 1024}, {1, 32768, 1024}, {1, 131072, 1024}};
    static const uint32_t parts_shapes[][3] = {
        {8, 2048, 1024}, {32, 512, 768}, {32, 512, 384}, {32, 128, 384}};
    const size_t count = of_rules ? sizeof rules_shapes / sizeof *rules_shapes
                                  : sizeof parts_shapes / sizeof *parts_shapes;
    int worst = EXIT_DONE;

    for (size_t i = 0; !interrupted && i < count; i++) {
        bench_print_progress(of_rules ? "position rules" : "parts of the stage", i + 1, count);
        worst |= run_group(report, of_rules, of_rules ? rules_shapes[i] : parts_shapes[i]);
    }
    return worst;
}

static int run_devices(struct report *report, posemb_session *session)
{
    static const uint32_t shapes[][3] = {
        {8, 2048, 1024}, {1, 8192, 1024}, {32, 128, 384}, {8, 1, 1024}};
    const size_t count = report->options->has_shape ? 1 : sizeof shapes / sizeof *shapes;
    int worst = EXIT_DONE;

    for (size_t i = 0; !interrupted && i < count; i++) {
        const uint32_t *shape = report->options->has_shape ? report->options->shape : shapes[i];
        bool matches;

        if (bench_devices_report(session, shape, &report->records, &matches, &report->error) !=
            POSEMB_OK)
            return measurement_failed(report, "several devices");
        worst |= matches ? EXIT_DONE : EXIT_FAILED;
    }
    return worst;
}

static int run_backward(struct report *report)
{
    static const uint32_t shapes[][3] = {{8, 2048, 1024}, {32, 512, 768}};
    const size_t count = report->options->has_shape ? 1 : sizeof shapes / sizeof *shapes;
    int worst = EXIT_DONE;

    for (size_t i = 0; !interrupted && i < count; i++) {
        const uint32_t *shape = report->options->has_shape ? report->options->shape : shapes[i];
        bool matches;

        bench_print_progress("gradients", i + 1, count);
        if (bench_backward_report(report->bench, shape, &report->records, &matches,
                                  &report->error) != POSEMB_OK)
            return measurement_failed(report, "gradients");
        worst |= matches ? EXIT_DONE : EXIT_FAILED;
    }
    return worst;
}

/* ---- Devices */

static int run_kinds(struct report *report, posemb_session *session)
{
    const struct bench_options *options = report->options;
    const size_t device = posemb_session_device(session)->index;
    const bool full = bench_options_mode(options) == BENCH_FULL;
    int worst = EXIT_DONE;

    if (options->first_calls)
        return run_first_calls(report, device);
    if (options->devices)
        return run_devices(report, session);
    if (options->backward)
        return run_backward(report);
    if ((options->rules || options->parts) && options->has_shape)
        return run_group(report, options->rules, options->shape);
    if (options->rules || options->parts)
        return run_groups(report, options->rules);
    if (options->accuracy)
        return run_accuracy(report);
    worst = run_cases(report);
    if (!interrupted)
        worst |= run_overhead(report, session);
    if (!interrupted && !options->has_shape)
        worst |= run_accuracy(report);
    if (!interrupted && full)
        worst |= run_groups(report, true);
    if (!interrupted && full)
        worst |= run_groups(report, false);
    if (!interrupted && full)
        worst |= run_devices(report, session);
    if (!interrupted && full)
        worst |= run_backward(report);
    if (!interrupted && full)
        worst |= run_first_calls(report, device);
    return worst;
}

static const char *mode_word(const struct bench_options *options)
{
    static const char *const words[] = {[BENCH_DEFAULT] = "default",
                                        [BENCH_QUICK] = "quick",
                                        [BENCH_FULL] = "full",
                                        [BENCH_CUSTOM] = "custom"};

    return words[bench_options_mode(options)];
}

/* Seconds of a case, and when it is passed over; slow devices get few samples, five at least. */
static struct bench_settings settings_of(const struct bench_options *options)
{
    struct bench_settings settings = {.seconds = 2.0,
                                      .limit_seconds = 60.0,
                                      .yardsticks = BENCH_ALL_YARDSTICKS,
                                      .twice = true,
                                      .stop = &interrupted};

    if (options->quick) {
        settings.seconds = 0.5;
        settings.limit_seconds = 10.0;
        settings.twice = false;
    } else if (options->full) {
        settings.seconds = 4.0;
        settings.limit_seconds = 300.0;
    }
    if (options->seconds > 0.0) {
        settings.seconds = options->seconds;
        if (settings.limit_seconds < 5.0 * options->seconds)
            settings.limit_seconds = 5.0 * options->seconds;
    }
    return settings;
}

static int run_session(struct report *report, posemb_session *session)
{
    const struct bench_settings settings = settings_of(report->options);
    const posemb_device_info *info = posemb_session_device(session);
    int status;

    printf("%s (%s)\n", info->name, info->platform_name);
    if (bench_records_run(&report->records, info, session, mode_word(report->options)) != POSEMB_OK)
        return write_failed(report);
    if (bench_create(session, &settings, &report->bench, &report->error) != POSEMB_OK)
        return measurement_failed(report, "everything");
    status = run_kinds(report, session);
    bench_destroy(report->bench);
    report->bench = NULL;
    return status;
}

/* A benchmark of many descriptions would drive the programs of others out of the cache on disk:
 * it has none of its own. */
static int run_one(struct report *report, const char *selector)
{
    struct target target;
    int status;

    if (target_open(selector, POSEMB_CACHE_MEMORY, &target, &report->error) != POSEMB_OK)
        return command_failed(&report->error);
    if (!target.session) {
        fprintf(stderr, "posemb: the reference is a definition, not a thing to measure; bench "
                        "needs an OpenCL device\n");
        return EXIT_FAILED;
    }
    status = run_session(report, target.session);
    target_close(&target);
    return status;
}

/* Of "all": one that cannot be used is named, and the others go on. */
static int run_listed(struct report *report, const posemb_device_info *info, bool *measured)
{
    char selector[24];
    struct target target;
    int status;

    snprintf(selector, sizeof selector, "%zu", info->index);
    if (target_open(selector, POSEMB_CACHE_MEMORY, &target, &report->error) == POSEMB_OK) {
        *measured = true;
        status = run_session(report, target.session);
        target_close(&target);
        return status;
    }
    printf("%s (%s)\n  skipped: %s\n", info->name, info->platform_name, report->error.message);
    if (bench_records_run(&report->records, info, NULL, mode_word(report->options)) != POSEMB_OK ||
        bench_records_skip(&report->records, "the device", report->error.message) != POSEMB_OK)
        return write_failed(report);
    return EXIT_DONE;
}

static int run_all(struct report *report)
{
    posemb_device_info devices[64];
    bool measured = false;
    size_t count = 0;
    int worst = EXIT_DONE;

    if (posemb_devices_list(devices, sizeof devices / sizeof *devices, &count, &report->error) !=
        POSEMB_OK)
        return command_failed(&report->error);
    for (size_t i = 0; i < count && i < sizeof devices / sizeof *devices && !interrupted; i++)
        worst |= run_listed(report, &devices[i], &measured);
    if (measured)
        return worst;
    fprintf(stderr, "posemb: there is no OpenCL device to measure\n");
    return EXIT_FAILED;
}

static int run(struct report *report)
{
    const char *device = report->options->device;
    int status;

    catch_interrupts();
    status = device && strcmp(device, "all") == 0 ? run_all(report) : run_one(report, device);
    if (!interrupted)
        return status;
    fprintf(stderr, "posemb: interrupted; what was measured until then is kept\n");
    if (report->records.has_lines &&
        bench_records_skip(&report->records, "the rest", "interrupted") != POSEMB_OK)
        return write_failed(report);
    return EXIT_FAILED;
}

int command_bench(int count, char **arguments)
{
    struct bench_options options;
    struct report report = {.options = &options};
    int status;

    if (count > 1 && strcmp(arguments[1], FIRST_CALL_WORD) == 0)
        return first_call_child(count, arguments);
    status = bench_options_parse(count, arguments, &options);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    if (bench_records_begin(&report.records, options.json, options.csv) != POSEMB_OK)
        return write_failed(&report);
    status = run(&report);
    /* Records of a mismatch are written too: they say that it was not verified. */
    if (bench_records_end(&report.records) != POSEMB_OK)
        return write_failed(&report);
    return status;
}
