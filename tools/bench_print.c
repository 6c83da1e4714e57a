/* What posemb bench prints for people. */
#include "bench_print.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Below this a launch is the cost of launching, and bytes per second say nothing. */
static const uint64_t small_bytes = (uint64_t)1 << 20;

void bench_print_progress(const char *what, size_t number, size_t count)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (what)
        fprintf(stderr, "\r\033[K  measuring %.70s (%zu of %zu)\r", what, number, count);
    else
        fprintf(stderr, "\r\033[K");
}

void bench_print_header(void)
{
    printf("  %-6s %-17s %-9s %-20s %10s %6s  / %-4s /g+tab /unfus   /sin\n", "op", "shape",
           "types", "with", "time", "GB/s", "copy");
}

static void append(char *text, size_t size, const char *word)
{
    const size_t used = strlen(text);

    if (*word)
        snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "", word);
}

/* What is not most usual, in few letters. */
static void describe(const struct bench_case *c, char *text, size_t size)
{
    *text = '\0';
    if (c->position_kind == POSEMB_LEARNED)
        append(text, size, c->types ? "BERT's" : "learned");
    if (c->position_kind == POSEMB_NO_POSITION)
        append(text, size, "no pos.");
    if (c->types && c->position_kind != POSEMB_LEARNED)
        append(text, size, "types");
    if (c->rule != BENCH_INDEX)
        append(text, size, bench_rules[c->rule].name);
    if (c->norm != POSEMB_NORM_NONE)
        append(text, size, c->norm == POSEMB_NORM_LAYER ? "LN" : "RMS");
    if (c->with_reader)
        append(text, size, "reader");
    if (c->hot_rows)
        append(text, size, "hot");
    if (c->ids != BENCH_IDS_UNIQUE)
        append(text, size, bench_ids_word(c->ids));
}

static void print_ratio(const struct bench_result *result, enum bench_yardstick yardstick)
{
    const struct bench_yardstick_result *one = &result->yardsticks[yardstick];

    if (one->measured)
        printf(" %6.*f", one->ratio < 0.1 ? 3 : 2, one->ratio);
    else
        printf(" %6s", "-");
}

/* Launches and microseconds that a small call saves beside one without fusion. */
static void print_saved(const struct bench_result *result)
{
    const struct bench_yardstick_result *unfused = &result->yardsticks[BENCH_UNFUSED];

    if (!unfused->measured)
        return;
    printf("  saves %" PRIu32 " launches, %.1f us", unfused->launches - result->kernels,
           (unfused->seconds - result->seconds) * 1e6);
}

static void print_times(const struct bench_result *result)
{
    if (result->bytes < small_bytes) {
        printf("%7.1f us", result->seconds * 1e6);
        print_saved(result);
        printf("\n");
    } else {
        printf("%7.3f ms %6.1f ", result->seconds * 1e3,
               (double)result->bytes / result->seconds * 1e-9);
        print_ratio(result, BENCH_COPY);
        print_ratio(result, BENCH_GATHER_TABLE);
        print_ratio(result, BENCH_UNFUSED);
        print_ratio(result, BENCH_VENDOR_SIN);
        printf("\n");
    }
    if (strncmp(result->timing, "disagree", 8) == 0)
        printf("      events and clock %s\n", result->timing);
}

void bench_print_case(const struct bench_case *bench_case, const struct bench_result *result)
{
    const struct bench_case c = bench_case_resolved(bench_case);
    char shape[40];
    char types[16];
    char with[64];

    snprintf(shape, sizeof shape, "[%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]", c.batch, c.length,
             c.dim);
    snprintf(types, sizeof types, "%s>%s",
             c.operation == POSEMB_TABLE ? "" : bench_storage_word(c.table),
             bench_storage_word(c.out));
    describe(&c, with, sizeof with);
    printf("  %-6s %-17s %-9s %-20s ", bench_operation_word(c.operation), shape, types, with);
    if (result->skipped)
        printf("skipped: %s\n", result->skipped);
    else if (result->differing > 0)
        printf("MISMATCH: %zu values differ from the reference; no number\n", result->differing);
    else
        print_times(result);
    if (result->wrong)
        printf("      WRONG: the values of the yardstick \"%s\"; it has no number\n",
               result->wrong);
    fflush(stdout);
}

void bench_print_group(const char *title, const uint32_t shape[3], const struct bench_group *group)
{
    printf("  %s, encode [%" PRIu32 ",%" PRIu32 ",%" PRIu32 "], cold rows\n", title, shape[0],
           shape[1], shape[2]);
    if (group->differing > 0) {
        printf("MISMATCH: %zu values differ from the reference; no number\n", group->differing);
        return;
    }
    for (size_t i = 0; i < group->count; i++) {
        printf("  %-32s %10.1f us, / %s %5.2f", group->name[i], group->seconds[i] * 1e6,
               group->name[0], group->seconds[i] / group->seconds[0]);
        if (group->copy_seconds[i] > 0.0)
            printf(", / copy %5.2f", group->seconds[i] / group->copy_seconds[i]);
        printf("%s\n", group->kernels[i] > 1 ? ", 2 launches" : "");
    }
    fflush(stdout);
}

void bench_print_accuracy(const struct bench_accuracy *accuracy)
{
    printf("  largest error of sine and cosine, D = %d, of the 64 positions up to\n  %-22s",
           BENCH_ACCURACY_DIM, "");
    for (int p = 0; p < BENCH_ACCURACY_POSITIONS; p++)
        printf(" %7.0e", (double)bench_accuracy_positions[p]);
    printf("  / posemb's time\n");
    for (int m = 0; m < BENCH_METHODS; m++) {
        if (!accuracy->built[m])
            continue;
        printf("  %-22s", bench_method_names[m]);
        for (int p = 0; p < BENCH_ACCURACY_POSITIONS; p++)
            printf(" %7.1e", accuracy->error[m][p]);
        printf("  %8.2f\n", accuracy->seconds[m] / accuracy->seconds[0]);
    }
    fflush(stdout);
}
