/* posemb bench: the stage against plain copies of the same bytes, as a table and as JSON lines. */
#include "bench.h"
#include "command.h"
#include "file_bytes.h"
#include "first_call.h"
#include "options.h"
#include "selftest.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: posemb bench [--device DEV|all] [[--parts | --backward] [--shape BxSxD] | --rules | "
    "--first-calls] [--json "
    "FILE]\n\n"
    "Measure the stage beside plain copies of the same bytes (clEnqueueCopyBuffer, and copy "
    "kernels of\n"
    "several widths and store kinds; the best counts), interleaved in this process. Every element "
    "of\n"
    "the output is compared with the reference before and after; where one differs there is no "
    "number\n"
    "and the exit status is 1. Rows are cold: ids cycle over a table of 32000 rows, unless it "
    "says\n"
    "hot. With a reader, a kernel that reads the output follows both the stage and the copy.\n"
    "Without --shape, the first calls of a process are measured too, with and without caches.\n\n"
    "  --device  a number of posemb devices, name:SUBSTRING, or all; default $POSEMB_DEVICE, else "
    "the\n"
    "            first usable device\n"
    "  --shape   batch x length x D, such as 8x2048x1024; default: a list of shapes\n"
    "  --rules       measure the position rules beside the index rule alone\n"
    "  --parts       measure storage types, learned positions and norms beside the plain stage "
    "alone\n"
    "  --backward    measure gradients beside the time in which their bytes could be copied alone\n"
    "  --first-calls  measure the first calls of a process alone\n"
    "  --json    write one JSON object a line; bench/README.md documents them\n";

enum {
    OPTION_SHAPE = 512,
    OPTION_JSON,
    OPTION_FIRST_CALLS,
    OPTION_RULES,
    OPTION_PARTS,
    OPTION_BACKWARD
};

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"shape", required_argument, NULL, OPTION_SHAPE},
    {"first-calls", no_argument, NULL, OPTION_FIRST_CALLS},
    {"rules", no_argument, NULL, OPTION_RULES},
    {"parts", no_argument, NULL, OPTION_PARTS},
    {"backward", no_argument, NULL, OPTION_BACKWARD},
    {"json", required_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0}};

static const struct bench_case default_cases[] = {
    {POSEMB_ENCODE, 8, 2048, 1024, false, false, false},
    {POSEMB_ENCODE, 8, 2048, 1024, true, false, false},
    {POSEMB_ENCODE, 1, 8192, 1024, false, false, false},
    {POSEMB_ENCODE, 8, 2048, 1024, false, true, false},
    {POSEMB_ENCODE, 8, 2048, 1024, false, false, true},
    {POSEMB_ADD, 8, 2048, 1024, false, false, false},
    {POSEMB_TABLE, 1, 8192, 1024, false, false, false},
    {POSEMB_ENCODE, 32, 512, 768, false, true, false},
    {POSEMB_ENCODE, 1, 2048, 512, false, true, false},
    {POSEMB_ENCODE, 8, 1, 1024, false, true, false},
};
enum { DEFAULT_CASES = sizeof default_cases / sizeof *default_cases };

struct bench_options {
    const char *device;
    const char *json;
    bool has_shape;
    bool first_calls; /* nothing else */
    bool rules;       /* likewise */
    bool parts;       /* likewise */
    bool backward;    /* likewise */
    uint32_t shape[3];
};

/* Everything one run of the command collects. */
struct report {
    const struct bench_options *options;
    struct file_output *output; /* NULL: no JSON */
    bool has_lines;             /* at least one was written */
    posemb_error error;
};

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

/* All operations and kinds of positions and consumers of one shape. */
static size_t cases_of_shape(const uint32_t shape[3], struct bench_case *cases)
{
    size_t count = 0;

    for (int operation = POSEMB_ENCODE; operation <= POSEMB_TABLE; operation++)
        for (int variant = 0; variant < 3; variant++)
            cases[count++] = (struct bench_case){.operation = (posemb_operation)operation,
                                                 .batch = shape[0],
                                                 .length = shape[1],
                                                 .dim = shape[2],
                                                 .explicit_positions = variant == 1,
                                                 .with_reader = variant == 2};
    return count;
}

static json_t *to_json(const posemb_device_info *info, const struct bench_case *bench_case,
                       const struct bench_result *result)
{
    json_t *object = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:[i,i,i], s:s, s:s, s:s, s:s}", "schema", 1, "kind",
        "stage", "device", info->name, "platform", info->platform_name, "driver", info->driver,
        "op", operation_name(bench_case->operation), "shape", (int)bench_case->batch,
        (int)bench_case->length, (int)bench_case->dim, "dtype", "f32", "positions",
        bench_case->explicit_positions ? "explicit" : "index", "consumer",
        bench_case->with_reader ? "reader" : "none", "rows", bench_case->hot_rows ? "hot" : "cold");

    json_object_set_new(object, "verified", json_boolean(result->verified));
    json_object_set_new(object, "differing", json_integer((json_int_t)result->differing));
    if (!result->verified)
        return object;
    json_object_update_new(
        object,
        json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:s}", "statistic", "min", "repeats",
                  (int)result->repeats, "launches", (int)result->launches, "seconds",
                  result->seconds, "copy_seconds", result->copy_seconds, "ratio_to_copy",
                  result->ratio_to_copy, "median_seconds", result->median_seconds,
                  "copy_median_seconds", result->copy_median_seconds, "copy", result->copy));
    return object;
}

/* One line of JSON; takes `object`. */
static posemb_status write_line(struct report *report, json_t *object)
{
    posemb_status status = POSEMB_OK;
    char *text = NULL;

    if (report->output)
        text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text)
        status = file_output_write(report->output, text, strlen(text), &report->error);
    if (text && status == POSEMB_OK)
        status = file_output_write(report->output, "\n", 1, &report->error);
    report->has_lines = report->has_lines || text;
    free(text);
    json_decref(object);
    return status;
}

static void print_case(const struct bench_case *bench_case, const struct bench_result *result)
{
    char shape[40];

    snprintf(shape, sizeof shape, "[%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]", bench_case->batch,
             bench_case->length, bench_case->dim);
    printf("  %-6s %-16s %-8s %-6s %-4s ", operation_name(bench_case->operation), shape,
           bench_case->explicit_positions ? "explicit" : "index",
           bench_case->with_reader ? "reader" : "none", bench_case->hot_rows ? "hot" : "cold");
    if (result->verified)
        printf("%10.1f us %10.1f us  %5.2f  %s\n", result->seconds * 1e6,
               result->copy_seconds * 1e6, result->ratio_to_copy, result->copy);
    else
        printf("MISMATCH: %zu values differ from the reference; no number\n", result->differing);
    fflush(stdout);
}

static int run_case(const struct target *target, const struct bench_case *bench_case,
                    struct report *report)
{
    const posemb_device_info *info = posemb_session_device(target->session);
    struct bench_result result;

    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r  measuring %s [%" PRIu32 ",%" PRIu32 ",%" PRIu32 "] ...\033[K\r",
                operation_name(bench_case->operation), bench_case->batch, bench_case->length,
                bench_case->dim);
    if (bench_run(target->session, bench_case, &result, &report->error) != POSEMB_OK)
        return command_failed(&report->error);
    print_case(bench_case, &result);
    if (write_line(report, to_json(info, bench_case, &result)) != POSEMB_OK)
        return command_failed(&report->error);
    return result.verified ? EXIT_DONE : EXIT_FAILED;
}

static int run_overhead(const struct target *target, struct report *report)
{
    const posemb_device_info *info = posemb_session_device(target->session);
    struct bench_overhead overhead;
    double share;

    if (bench_overhead_run(target->session, &overhead, &report->error) != POSEMB_OK)
        return command_failed(&report->error);
    share = overhead.enqueue_seconds - overhead.raw_seconds;
    printf("  one enqueue: %.2f us, the same OpenCL calls by hand %.2f us: the library's share is "
           "%.2f us\n",
           overhead.enqueue_seconds * 1e6, overhead.raw_seconds * 1e6, share * 1e6);
    if (write_line(report, json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:f, s:f}", "schema",
                                     1, "kind", "enqueue", "device", info->name, "platform",
                                     info->platform_name, "driver", info->driver, "statistic",
                                     "median", "repeats", (int)overhead.repeats, "seconds",
                                     overhead.enqueue_seconds, "raw_seconds", overhead.raw_seconds,
                                     "library_seconds", share)) != POSEMB_OK)
        return command_failed(&report->error);
    return EXIT_DONE;
}

static const char *const origin_names[] = {
    [POSEMB_ORIGIN_SOURCE] = "source",
    [POSEMB_ORIGIN_MEMORY] = "memory",
    [POSEMB_ORIGIN_DISK] = "disk",
    [POSEMB_ORIGIN_BLOB] = "blob",
};

static int run_first_calls(const struct target *target, struct report *report)
{
    const posemb_device_info *info = posemb_session_device(target->session);
    struct first_call_line lines[FIRST_CALL_LINES_MAX];
    size_t count;

    if (first_call_measure(info->index, lines, &count, &report->error) != POSEMB_OK)
        return command_failed(&report->error);
    printf("  first calls of a process, encode [8,128,1024], medians of 5 to 15 processes\n"
           "  %-30s %10s %10s %10s %10s %10s %12s\n",
           "", "plan", "warm-up", "1st launch", "2nd launch", "steady", "2nd/steady");
    for (size_t i = 0; i < count; i++) {
        const struct bench_first_call *result = &lines[i].result;

        printf("  %-30s %7.1f ms ", lines[i].name, result->plan_seconds * 1e3);
        if (lines[i].warm_up)
            printf("%7.1f ms ", result->warmup_seconds * 1e3);
        else
            printf("%10s ", "-");
        printf("%7.2f ms %7.2f ms %7.2f ms %12.2f\n", result->first_seconds * 1e3,
               result->second_seconds * 1e3, result->steady_seconds * 1e3,
               result->second_seconds / result->steady_seconds);
        if (write_line(
                report,
                json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:i, s:f, s:f, s:f, "
                          "s:f, s:f}",
                          "schema", 1, "kind", "first call", "device", info->name, "platform",
                          info->platform_name, "driver", info->driver, "caches", lines[i].name,
                          "origin", origin_names[result->origin], "warm_up", lines[i].warm_up,
                          "statistic", "median", "processes", lines[i].processes, "plan_seconds",
                          result->plan_seconds, "warmup_seconds", result->warmup_seconds,
                          "first_seconds", result->first_seconds, "second_seconds",
                          result->second_seconds, "steady_seconds", result->steady_seconds)) !=
            POSEMB_OK)
            return command_failed(&report->error);
    }
    return EXIT_DONE;
}

static int run_rules(const struct target *target, const uint32_t shape[3], struct report *report)
{
    const posemb_device_info *info = posemb_session_device(target->session);
    struct bench_rules rules;

    if (bench_rules_run(target->session, shape[0], shape[1], shape[2], &rules, &report->error) !=
        POSEMB_OK)
        return command_failed(&report->error);
    printf("  position rules, encode [%" PRIu32 ",%" PRIu32 ",%" PRIu32 "], / index positions\n",
           shape[0], shape[1], shape[2]);
    if (rules.differing > 0) {
        printf("MISMATCH: %zu values differ from the reference; no number\n", rules.differing);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < BENCH_RULES; i++) {
        const double ratio = rules.seconds[i] / rules.seconds[0];

        printf("  %-30s %10.1f us  %5.2f  %s\n", rules.name[i], rules.seconds[i] * 1e6, ratio,
               rules.launches[i] > 1 ? "2 launches" : "");
        if (write_line(
                report,
                json_pack("{s:i, s:s, s:s, s:s, s:s, s:[i,i,i], s:s, s:s, s:i, s:i, s:f, s:f}",
                          "schema", 1, "kind", "rule", "device", info->name, "platform",
                          info->platform_name, "driver", info->driver, "shape", (int)shape[0],
                          (int)shape[1], (int)shape[2], "rule", rules.name[i], "statistic", "min",
                          "repeats", (int)rules.repeats, "launches", (int)rules.launches[i],
                          "seconds", rules.seconds[i], "ratio_to_index", ratio)) != POSEMB_OK)
            return command_failed(&report->error);
    }
    fflush(stdout);
    return EXIT_DONE;
}

static int run_all_rules(const struct target *target, struct report *report)
{
    static const uint32_t shapes[][3] = {{8, 2048, 1024}, {1, 32768, 1024}, {1, 131072, 1024}};
    int worst = EXIT_DONE;

    for (size_t i = 0; worst == EXIT_DONE && i < sizeof shapes / sizeof *shapes; i++)
        worst = run_rules(target, shapes[i], report);
    return worst;
}

static int run_parts(const struct target *target, const uint32_t shape[3], struct report *report)
{
    const posemb_device_info *info = posemb_session_device(target->session);
    struct bench_parts parts;

    if (bench_parts_run(target->session, shape[0], shape[1], shape[2], &parts, &report->error) !=
        POSEMB_OK)
        return command_failed(&report->error);
    printf("  parts of the stage, encode [%" PRIu32 ",%" PRIu32 ",%" PRIu32
           "], cold rows; / copy of the same bytes, / the plain stage\n",
           shape[0], shape[1], shape[2]);
    if (parts.differing > 0) {
        printf("MISMATCH: %zu values differ from the reference; no number\n", parts.differing);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < parts.count; i++) {
        const double to_copy = parts.seconds[i] / parts.copy_seconds[i];
        const double to_plain = parts.seconds[i] / parts.seconds[0];

        printf("  %-32s %10.1f us %10.1f us  %5.2f  %5.2f\n", parts.name[i], parts.seconds[i] * 1e6,
               parts.copy_seconds[i] * 1e6, to_copy, to_plain);
        if (write_line(
                report,
                json_pack("{s:i, s:s, s:s, s:s, s:s, s:[i,i,i], s:s, s:s, s:s, s:i, s:f, s:f, s:f, "
                          "s:f}",
                          "schema", 1, "kind", "part", "device", info->name, "platform",
                          info->platform_name, "driver", info->driver, "shape", (int)shape[0],
                          (int)shape[1], (int)shape[2], "part", parts.name[i], "rows", "cold",
                          "statistic", "min", "repeats", (int)parts.repeats, "seconds",
                          parts.seconds[i], "copy_seconds", parts.copy_seconds[i], "ratio_to_copy",
                          to_copy, "ratio_to_plain", to_plain)) != POSEMB_OK)
            return command_failed(&report->error);
    }
    fflush(stdout);
    return EXIT_DONE;
}

static int run_all_parts(const struct target *target, struct report *report)
{
    static const uint32_t shapes[][3] = {
        {8, 2048, 1024}, {32, 512, 768}, {32, 512, 384}, {32, 128, 384}};
    int worst = EXIT_DONE;

    for (size_t i = 0; worst == EXIT_DONE && i < sizeof shapes / sizeof *shapes; i++)
        worst = run_parts(target, shapes[i], report);
    return worst;
}

static int run_backwards(const struct target *target, const uint32_t shape[3],
                         struct report *report)
{
    const posemb_device_info *info = posemb_session_device(target->session);
    struct bench_backwards result;

    if (bench_backwards_run(target->session, shape[0], shape[1], shape[2], &result,
                            &report->error) != POSEMB_OK)
        return command_failed(&report->error);
    printf("  gradients, [%" PRIu32 ",%" PRIu32 ",%" PRIu32
           "], cold rows; / a copy of so many bytes\n",
           shape[0], shape[1], shape[2]);
    if (result.differing > 0) {
        printf("MISMATCH: %zu values differ from the reference; no number\n", result.differing);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < BENCH_BACKWARDS; i++) {
        const double ratio = result.seconds[i] / result.copy_seconds[i];

        printf("  %-32s %10.1f us %10.1f us  %5.2f\n", result.name[i], result.seconds[i] * 1e6,
               result.copy_seconds[i] * 1e6, ratio);
        if (write_line(
                report,
                json_pack("{s:i, s:s, s:s, s:s, s:s, s:[i,i,i], s:s, s:s, s:i, s:f, s:f, s:f, s:f}",
                          "schema", 1, "kind", "backward", "device", info->name, "platform",
                          info->platform_name, "driver", info->driver, "shape", (int)shape[0],
                          (int)shape[1], (int)shape[2], "gradients", result.name[i], "statistic",
                          "min", "repeats", (int)result.repeats, "bytes", result.bytes[i],
                          "seconds", result.seconds[i], "copy_seconds", result.copy_seconds[i],
                          "ratio_to_copy", ratio)) != POSEMB_OK)
            return command_failed(&report->error);
    }
    fflush(stdout);
    return EXIT_DONE;
}

static int run_all_backwards(const struct target *target, struct report *report)
{
    static const uint32_t shapes[][3] = {{8, 2048, 1024}, {32, 512, 768}};
    int worst = EXIT_DONE;

    for (size_t i = 0; worst == EXIT_DONE && i < sizeof shapes / sizeof *shapes; i++)
        worst = run_backwards(target, shapes[i], report);
    return worst;
}

static int bench_target(const struct target *target, void *context)
{
    struct report *report = context;
    struct bench_case cases[DEFAULT_CASES];
    size_t count = DEFAULT_CASES;
    int worst = EXIT_DONE;

    if (!target->session) {
        fprintf(stderr,
                "posemb: the reference is a definition, not a thing to measure; bench needs "
                "an OpenCL device\n");
        return EXIT_FAILED;
    }
    if (report->options->first_calls) {
        printf("%s\n", target_name(target));
        return run_first_calls(target, report);
    }
    if (report->options->rules) {
        printf("%s\n", target_name(target));
        return run_all_rules(target, report);
    }
    if (report->options->parts) {
        printf("%s\n", target_name(target));
        return report->options->has_shape ? run_parts(target, report->options->shape, report)
                                          : run_all_parts(target, report);
    }
    if (report->options->backward) {
        printf("%s\n", target_name(target));
        return report->options->has_shape ? run_backwards(target, report->options->shape, report)
                                          : run_all_backwards(target, report);
    }
    memcpy(cases, default_cases, sizeof cases);
    if (report->options->has_shape)
        count = cases_of_shape(report->options->shape, cases);
    printf("%s\n  %-6s %-16s %-8s %-6s %-4s %13s %13s  %5s  %s\n", target_name(target), "op",
           "shape", "position", "reader", "rows", "stage", "copy", "ratio", "best copy");
    for (size_t i = 0; i < count; i++) {
        const int status = run_case(target, &cases[i], report);
        worst = status > worst ? status : worst;
    }
    if (worst == EXIT_DONE)
        worst = run_overhead(target, report);
    if (worst == EXIT_DONE && !report->options->has_shape)
        worst = run_all_rules(target, report);
    if (worst == EXIT_DONE && !report->options->has_shape)
        worst = run_all_parts(target, report);
    if (worst == EXIT_DONE && !report->options->has_shape)
        worst = run_all_backwards(target, report);
    if (worst == EXIT_DONE && !report->options->has_shape)
        worst = run_first_calls(target, report);
    return worst;
}

static int parse(int count, char **arguments, struct bench_options *options)
{
    int letter;

    memset(options, 0, sizeof *options);
    optind = 1;
    while ((letter = getopt_long(count, arguments, "h", options_taken, NULL)) != -1) {
        switch (letter) {
        case OPTION_HELP:
            fputs(help, stdout);
            return -1;
        case OPTION_DEVICE:
            options->device = optarg;
            break;
        case OPTION_JSON:
            options->json = optarg;
            break;
        case OPTION_FIRST_CALLS:
            options->first_calls = true;
            break;
        case OPTION_RULES:
            options->rules = true;
            break;
        case OPTION_PARTS:
            options->parts = true;
            break;
        case OPTION_BACKWARD:
            options->backward = true;
            break;
        case OPTION_SHAPE:
            options->has_shape = true;
            if (!parse_shape(optarg, options->shape))
                return command_usage(arguments[0],
                                     "--shape is \"%s\", not BxSxD with D up to 65536 and up to "
                                     "2^28 tokens",
                                     optarg);
            break;
        default:
            return command_usage(arguments[0], "the options are wrong");
        }
    }
    if (optind < count)
        return command_usage(arguments[0], "\"%s\" is not an option", arguments[optind]);
    if (options->first_calls + options->rules +
                (options->parts || options->backward || options->has_shape) >
            1 ||
        options->parts + options->backward > 1)
        return command_usage(arguments[0], "--shape or --parts or --backward, --rules and "
                                           "--first-calls exclude each other");
    return EXIT_DONE;
}

static int run(const struct bench_options *options, struct report *report)
{
    size_t visited;
    int worst;

    if (target_for_each(options->device, POSEMB_CACHE_DEFAULT, bench_target, report, &visited,
                        &worst, &report->error) != POSEMB_OK)
        return command_failed(&report->error);
    if (visited > 0)
        return worst;
    fprintf(stderr, "posemb: there is no OpenCL device to measure\n");
    return EXIT_FAILED;
}

int command_bench(int count, char **arguments)
{
    struct bench_options options;
    struct file_output output = {0};
    struct report report = {.options = &options};
    int status;

    if (count > 1 && strcmp(arguments[1], FIRST_CALL_WORD) == 0)
        return first_call_child(count, arguments);
    status = parse(count, arguments, &options);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    if (options.json) {
        if (file_output_begin(options.json, &output, &report.error) != POSEMB_OK)
            return command_failed(&report.error);
        report.output = &output;
    }
    status = run(&options, &report);
    /* Records of a mismatch are written too: they say that it was not verified. */
    if (!report.has_lines)
        file_output_abandon(&output);
    else if (output.temporary && file_output_commit(&output, &report.error) != POSEMB_OK)
        return command_failed(&report.error);
    return status;
}
