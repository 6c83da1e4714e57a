/* Which records go into which plot. */
#include "report_plots.h"

#include "report_names.h"
#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Other packages */

/* Which copy was the best differs from case to case. */
static const char *package_name(const struct peer_record *peer)
{
    return strncmp(peer->candidate, "copy", 4) == 0 ? "the best copy of as many bytes"
                                                    : peer->candidate;
}

size_t report_package_of(const struct report_packages *packages, const struct peer_record *peer)
{
    size_t i = 0;

    while (i < packages->count && strcmp(packages->names[i], package_name(peer)) != 0)
        i++;
    return i;
}

void report_packages(const struct report_records *records, struct report_packages *packages)
{
    const struct report_record *record;

    packages->count = 0;
    for (size_t place = 0; (record = report_next(records, RECORD_PEER, REPORT_ANY_RUN, &place));) {
        const struct peer_record *peer = &record->of.peer;

        if (strcmp(peer->candidate, "posemb") != 0 && packages->count < REPORT_PACKAGES_MAX &&
            report_package_of(packages, peer) == packages->count)
            packages->names[packages->count++] = package_name(peer);
    }
}

void report_package_letter(size_t package, char letter[4])
{
    letter[0] = package < REPORT_PACKAGES_MAX ? (char)('a' + (int)package) : '?';
    letter[1] = '\0';
}

/* ---- Bars: each record has a label; those of one label are a group */

struct candidate {
    const struct report_record *record;
    double value;
    size_t index; /* of the record */
    size_t group; /* index of the first record of its label, which orders the groups */
    char label[REPORT_NAME_SIZE];
};

static int compare_labels(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    const int order = strcmp(a->label, b->label);

    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int compare_places(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;

    if (a->group != b->group)
        return a->group > b->group ? 1 : -1;
    if (a->record->run != b->record->run)
        return a->record->run > b->record->run ? 1 : -1;
    return (a->index > b->index) - (a->index < b->index);
}

static void sort_candidates(struct candidate *candidates, size_t count)
{
    qsort(candidates, count, sizeof *candidates, compare_labels);
    for (size_t i = 0; i < count; i++)
        candidates[i].group = i > 0 && strcmp(candidates[i].label, candidates[i - 1].label) == 0
                                  ? candidates[i - 1].group
                                  : candidates[i].index;
    qsort(candidates, count, sizeof *candidates, compare_places);
}

/* ---- What belongs to a plot: its value, or 0; and its label */

static void join(char label[REPORT_NAME_SIZE], const char *a, const char *b)
{
    snprintf(label, REPORT_NAME_SIZE, "%.190s%s%.190s", a, *a && *b ? ", " : "", b);
}

static bool label_shares(const struct stage_record *stage, enum report_plot which,
                         char label[REPORT_NAME_SIZE])
{
    char shape[REPORT_SHAPE_SIZE];
    char variation[REPORT_LABEL_SIZE];
    char storage[REPORT_LABEL_SIZE];
    const bool is_plain = report_is_plain_storage(stage);

    report_shape(stage->shape, shape);
    report_variation(stage, variation);
    report_storage(stage, storage);
    switch (which) {
    case PLOT_SHAPES:
        join(label, shape, "");
        return is_plain && !*variation;
    case PLOT_READERS:
        join(label, shape, "");
        return is_plain && strcmp(variation, "with a reader") == 0;
    case PLOT_STORAGES:
        join(label, storage, shape);
        return !is_plain && !*variation;
    default:
        join(label, variation, shape);
        if (!is_plain)
            snprintf(label, REPORT_NAME_SIZE, "%.150s, %.100s, %.100s", variation, storage, shape);
        return *variation && !(is_plain && strcmp(variation, "with a reader") == 0);
    }
}

static bool label_gains(const struct stage_record *stage, char label[REPORT_NAME_SIZE])
{
    char shape[REPORT_SHAPE_SIZE];
    char variation[REPORT_LABEL_SIZE];

    report_shape(stage->shape, shape);
    report_variation(stage, variation);
    join(label, shape, variation);
    return report_is_plain_storage(stage) && strcmp(stage->rows, "cold") == 0 &&
           strcmp(stage->consumer, "none") == 0;
}

static double value_of_stage(const struct stage_record *stage, enum report_plot which,
                             char label[REPORT_NAME_SIZE])
{
    static const enum report_yardstick yardsticks[PLOT_COUNT] = {
        [PLOT_GATHER_TABLE] = YARDSTICK_GATHER_TABLE,
        [PLOT_UNFUSED] = YARDSTICK_UNFUSED,
        [PLOT_VENDOR_SIN] = YARDSTICK_VENDOR_SIN,
    };

    if (report_is_small(stage))
        return 0.0;
    if (which <= PLOT_VARIATIONS)
        return label_shares(stage, which, label) ? 100.0 * report_gain(stage, YARDSTICK_COPY) : 0.0;
    return label_gains(stage, label) ? report_gain(stage, yardsticks[which]) : 0.0;
}

static double value_of_part(const struct part_record *part, char label[REPORT_NAME_SIZE])
{
    char shape[REPORT_SHAPE_SIZE];

    report_shape(part->shape, shape);
    join(label, part->part, shape);
    return 100.0 * part->copy_seconds / part->seconds;
}

static double value_of_first_call(const struct first_call_record *call,
                                  char label[REPORT_NAME_SIZE])
{
    join(label, call->caches, "");
    return 1e3 * (call->plan_seconds + call->warmup_seconds + call->first_seconds);
}

static double value_of_peer(const struct peer_record *peer, char label[REPORT_NAME_SIZE])
{
    char shape[REPORT_SHAPE_SIZE];

    report_shape(peer->shape, shape);
    snprintf(label, REPORT_NAME_SIZE, "%.60s %s, %.40s rows%s%.60s", peer->stage, shape, peer->rows,
             *peer->cpu ? ", " : "", peer->cpu);
    return strcmp(peer->candidate, "posemb") == 0 ? 0.0 : peer->ratio_to_posemb;
}

static double value_of(const struct report_record *record, enum report_plot which,
                       char label[REPORT_NAME_SIZE])
{
    switch (record->kind) {
    case RECORD_STAGE:
        return which <= PLOT_VARIATIONS || (which >= PLOT_GATHER_TABLE && which <= PLOT_VENDOR_SIN)
                   ? value_of_stage(&record->of.stage, which, label)
                   : 0.0;
    case RECORD_PART:
        return which == PLOT_PARTS ? value_of_part(&record->of.part, label) : 0.0;
    case RECORD_FIRST_CALL:
        return which == PLOT_FIRST_CALLS ? value_of_first_call(&record->of.first_call, label) : 0.0;
    case RECORD_PEER:
        return which == PLOT_PEERS ? value_of_peer(&record->of.peer, label) : 0.0;
    default:
        return 0.0;
    }
}

/* ---- The texts of a bar */

static void describe_stage(const struct stage_record *stage, enum report_plot which, double value,
                           struct svg_bar *bar)
{
    static const enum report_yardstick yardsticks[PLOT_COUNT] = {
        [PLOT_GATHER_TABLE] = YARDSTICK_GATHER_TABLE,
        [PLOT_UNFUSED] = YARDSTICK_UNFUSED,
        [PLOT_VENDOR_SIN] = YARDSTICK_VENDOR_SIN,
    };
    const enum report_yardstick yardstick = yardsticks[which]; /* 0 is the copy */
    char time[REPORT_NUMBER_SIZE];
    char other[REPORT_NUMBER_SIZE];

    report_time(stage->seconds, time);
    report_time(stage->yardsticks[yardstick].seconds, other);
    if (yardstick == YARDSTICK_COPY)
        snprintf(bar->text, sizeof bar->text, "%.0f %% \xc2\xb7 %s", value, time);
    else
        snprintf(bar->text, sizeof bar->text, "%.2f\xc3\x97 \xc2\xb7 %s", value, time);
    snprintf(bar->hint, sizeof bar->hint, "%s: stage %s, %s %s (%.100s)", bar->letter, time,
             report_yardstick_name(yardstick), other, stage->yardsticks[yardstick].how);
}

static void describe(const struct candidate *candidate, enum report_plot which, struct svg_bar *bar)
{
    const struct report_record *record = candidate->record;
    char time[REPORT_NUMBER_SIZE];

    switch (record->kind) {
    case RECORD_STAGE:
        describe_stage(&record->of.stage, which, candidate->value, bar);
        break;
    case RECORD_PART:
        report_time(record->of.part.seconds, time);
        snprintf(bar->text, sizeof bar->text, "%.0f %% \xc2\xb7 %s", candidate->value, time);
        break;
    case RECORD_FIRST_CALL:
        report_time(candidate->value / 1e3, time);
        snprintf(bar->text, sizeof bar->text, "%s", time);
        snprintf(bar->hint, sizeof bar->hint, "%s: %.200s", bar->letter,
                 record->of.first_call.caches);
        break;
    default:
        report_time(record->of.peer.seconds, time);
        snprintf(bar->text, sizeof bar->text, "%.2f\xc3\x97 \xc2\xb7 %s", candidate->value, time);
        snprintf(bar->hint, sizeof bar->hint, "%.200s", record->of.peer.candidate);
        break;
    }
}

/* ---- The plots */

static const struct plot_row {
    const char *title;
    bool is_log;
    double base;
    double limit;
    const char *limit_name;
    const char *unit;
} rows[PLOT_COUNT] = {
    [PLOT_SHAPES] = {"The plain stage, by shape", false, 0, 100, "as fast as copying", " %"},
    [PLOT_READERS] = {"With a kernel that reads the output", false, 0, 100, "as fast as copying",
                      " %"},
    [PLOT_STORAGES] = {"By storage types, table \xe2\x86\x92 output", false, 0, 100,
                       "as fast as copying", " %"},
    [PLOT_VARIATIONS] = {"Norms, positions, operations, rows and ids", false, 0, 100,
                         "as fast as copying", " %"},
    [PLOT_PARTS] = {"Parts of the stage", false, 0, 100, "as fast as copying", " %"},
    [PLOT_GATHER_TABLE] = {"\xc3\xb7 gather + precomputed table", true, 1, 1, "the same time",
                           "\xc3\x97"},
    [PLOT_UNFUSED] = {"\xc3\xb7 unfused kernels", true, 1, 1, "the same time", "\xc3\x97"},
    [PLOT_VENDOR_SIN] = {"\xc3\xb7 one kernel with the vendor\xe2\x80\x99s sin and cos", true, 1, 1,
                         "the same time", "\xc3\x97"},
    [PLOT_FIRST_CALLS] = {"From the plan to the end of the first launch", true, 0, 0, "", " ms"},
    [PLOT_PEERS] = {"Other packages: their time \xc3\xb7 posemb\xe2\x80\x99s", true, 1, 1,
                    "the same time", "\xc3\x97"},
};

/* Bars of packages have small letters, in the order in which report_packages() lists them. */
static void name_bar(const struct report_packages *packages, const struct report_record *record,
                     struct svg_bar *bar)
{
    if (record->kind != RECORD_PEER) {
        bar->series = (unsigned)record->run;
        report_letter(record->run, bar->letter);
        return;
    }
    bar->series = (unsigned)report_package_of(packages, &record->of.peer);
    report_package_letter(bar->series, bar->letter);
}

static bool add_bar(struct svg_bars *plot, const struct candidate *candidate,
                    enum report_plot which, const struct report_packages *packages)
{
    struct svg_bar bar = {.value = candidate->value};

    name_bar(packages, candidate->record, &bar);
    describe(candidate, which, &bar);
    return svg_add_bar(plot, &bar);
}

static bool add_bars(struct svg_bars *plot, const struct candidate *candidates, size_t count,
                     enum report_plot which, const struct report_packages *packages)
{
    for (size_t i = 0; i < count; i++) {
        const bool is_new = i == 0 || candidates[i].group != candidates[i - 1].group;

        if (is_new && !svg_add_group(plot, candidates[i].label))
            return false;
        if (!add_bar(plot, &candidates[i], which, packages))
            return false;
    }
    return true;
}

static size_t collect(const struct report_records *records, enum report_plot which,
                      struct candidate *candidates)
{
    size_t count = 0;

    for (size_t i = 0; i < records->count; i++) {
        struct candidate *candidate = &candidates[count];

        candidate->value = value_of(&records->all[i], which, candidate->label);
        candidate->record = &records->all[i];
        candidate->index = i;
        count += candidate->value > 0.0 && isfinite(candidate->value);
    }
    return count;
}

posemb_status report_plot_bars(const struct report_records *records, enum report_plot which,
                               struct svg_bars *plot, size_t *left_out, posemb_error *error)
{
    struct candidate *candidates = malloc((records->count + 1) * sizeof *candidates);
    struct report_packages packages;
    size_t count;
    bool done;

    *plot = (struct svg_bars){.title = rows[which].title,
                              .is_log = rows[which].is_log,
                              .base = rows[which].base,
                              .limit = rows[which].limit,
                              .limit_name = rows[which].limit_name,
                              .unit = rows[which].unit};
    if (!candidates)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "there is no memory for a plot");
    count = collect(records, which, candidates);
    sort_candidates(candidates, count);
    *left_out = count > REPORT_BARS_MAX ? count - REPORT_BARS_MAX : 0;
    report_packages(records, &packages);
    done = add_bars(plot, candidates, count - *left_out, which, &packages);
    free(candidates);
    if (done)
        return POSEMB_OK;
    svg_free_bars(plot);
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "there is no memory for a plot");
}

/* ---- Lines */

#define POSEMB_METHOD "posemb"
#define POSEMB_SERIES (SVG_SERIES - 1u)

static int compare_positions(const struct svg_line *line, size_t i, size_t j)
{
    return (line->x[i] > line->x[j]) - (line->x[i] < line->x[j]);
}

/* Few points: sorted as they come. A position that is there already is replaced if this error is
 * larger. */
static void add_point(struct svg_line *line, double x, double y)
{
    for (size_t i = 0; i < line->count; i++)
        if (line->x[i] == x) {
            line->y[i] = fmax(line->y[i], y);
            return;
        }
    if (line->count == SVG_POINTS_MAX)
        return;
    line->x[line->count] = x;
    line->y[line->count] = y;
    for (size_t i = line->count++; i > 0 && compare_positions(line, i, i - 1) < 0; i--) {
        const double earlier[2] = {line->x[i - 1], line->y[i - 1]};

        line->x[i - 1] = line->x[i];
        line->y[i - 1] = line->y[i];
        line->x[i] = earlier[0];
        line->y[i] = earlier[1];
    }
}

static void end_line(struct svg_line *line)
{
    char first[REPORT_NUMBER_SIZE];
    char last[REPORT_NUMBER_SIZE];

    report_error(line->y[0], first);
    report_error(line->y[line->count - 1], last);
    snprintf(line->text, sizeof line->text, "%.12s \xe2\x80\xa6 %.12s", first, last);
}

static struct svg_line *find_line(struct report_lines *lines, const char *label, unsigned series)
{
    struct svg_line *line = lines->lines;

    for (size_t i = 0; i < lines->count; i++, line++)
        if (strncmp(line->label, label, sizeof line->label - 1) == 0)
            return line;
    if (lines->count == REPORT_LINES_MAX)
        return NULL;
    *line = (struct svg_line){.series = series};
    lines->count++;
    snprintf(line->label, sizeof line->label, "%s", label);
    return line;
}

void report_accuracy_of_run(const struct report_records *records, size_t run,
                            struct report_lines *lines)
{
    const struct report_record *record;

    lines->count = 0;
    for (size_t place = 0; (record = report_next(records, RECORD_ACCURACY, run, &place));) {
        const bool is_posemb = strcmp(record->of.accuracy.method, POSEMB_METHOD) == 0;
        struct svg_line *line =
            find_line(lines, record->of.accuracy.method,
                      is_posemb ? POSEMB_SERIES : (unsigned)lines->count % POSEMB_SERIES);

        if (line) {
            add_point(line, record->of.accuracy.position, record->of.accuracy.max_error);
            line->is_thick = is_posemb;
        }
    }
    for (size_t i = 0; i < lines->count; i++)
        end_line(&lines->lines[i]);
}

void report_accuracy_of_method(const struct report_records *records, const char *method,
                               struct report_lines *lines)
{
    const struct report_record *record;
    char letter[4];
    char label[80];

    lines->count = 0;
    for (size_t place = 0;
         (record = report_next(records, RECORD_ACCURACY, REPORT_ANY_RUN, &place));) {
        const bool is_posemb = strcmp(record->of.accuracy.method, POSEMB_METHOD) == 0;
        struct svg_line *line;

        if (!is_posemb && strcmp(record->of.accuracy.method, method) != 0)
            continue;
        report_letter(record->run, letter);
        snprintf(label, sizeof label, "%.60s%s%s", record->of.accuracy.method,
                 is_posemb ? "" : ", ", is_posemb ? "" : letter);
        line = find_line(lines, label, is_posemb ? POSEMB_SERIES : (unsigned)record->run);
        if (!line)
            continue;
        add_point(line, record->of.accuracy.position, record->of.accuracy.max_error);
        line->is_thick = is_posemb;
    }
    for (size_t i = 0; i < lines->count; i++)
        end_line(&lines->lines[i]);
}

struct svg_lines report_accuracy_plot(const struct report_lines *lines)
{
    return (struct svg_lines){.title = "Largest error against position",
                              .x_name = "position",
                              .y_name = "largest absolute error",
                              .y_least = 1e-8,
                              .count = lines->count,
                              .lines = lines->lines};
}
