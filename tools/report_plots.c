/* Which records go into which plot. */
#include "report_plots.h"

#include "report_names.h"
#include "report_values.h"
#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Bars: each record has a label; those of one label are a group */

struct candidate {
    const struct report_record *record;
    size_t index; /* of the record */
    size_t group; /* index of the first record of its label, which orders the groups */
    struct plot_value of;
};

static int compare_labels(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    const int order = strcmp(a->of.label, b->of.label);

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
        candidates[i].group =
            i > 0 && strcmp(candidates[i].of.label, candidates[i - 1].of.label) == 0
                ? candidates[i - 1].group
                : candidates[i].index;
    qsort(candidates, count, sizeof *candidates, compare_places);
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
    struct svg_bar bar = {.value = candidate->of.value};

    name_bar(packages, candidate->record, &bar);
    report_describe(candidate->record, which, candidate->of.value, &bar);
    return svg_add_bar(plot, &bar);
}

static bool add_bars(struct svg_bars *plot, const struct candidate *candidates, size_t count,
                     enum report_plot which, const struct report_packages *packages)
{
    for (size_t i = 0; i < count; i++) {
        const bool is_new = i == 0 || candidates[i].group != candidates[i - 1].group;

        if (is_new && !svg_add_group(plot, candidates[i].of.label))
            return false;
        if (!add_bar(plot, &candidates[i], which, packages))
            return false;
    }
    return true;
}

/* ---- Shapes */

static bool is_same_shape(const int64_t *a, const int64_t *b)
{
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

static bool has_shape(const struct plot_shapes *shapes, const int64_t *shape)
{
    for (size_t i = 0; i < shapes->count; i++)
        if (is_same_shape(shapes->shapes[i], shape))
            return true;
    return false;
}

void report_plot_shapes(const struct report_records *records, enum report_plot which,
                        struct plot_shapes *shapes)
{
    struct plot_value value;

    *shapes = (struct plot_shapes){0};
    for (size_t i = 0; i < records->count; i++) {
        report_evaluate(&records->all[i], which, &value);
        if (value.value <= 0.0 || value.is_plain || !value.shape || has_shape(shapes, value.shape))
            continue;
        if (shapes->count == REPORT_SHAPES_MAX) {
            shapes->has_more = true;
            return;
        }
        memcpy(shapes->shapes[shapes->count++], value.shape, sizeof *shapes->shapes);
    }
}

/* ---- Bars */

static size_t collect(const struct report_records *records, enum report_plot which,
                      const int64_t *shape, struct candidate *candidates)
{
    size_t count = 0;

    for (size_t i = 0; i < records->count; i++) {
        struct candidate *candidate = &candidates[count];

        report_evaluate(&records->all[i], which, &candidate->of);
        candidate->record = &records->all[i];
        candidate->index = i;
        count += candidate->of.value > 0.0 && isfinite(candidate->of.value) &&
                 (!shape || (candidate->of.shape && is_same_shape(candidate->of.shape, shape)));
    }
    return count;
}

posemb_status report_plot_bars(const struct report_records *records, enum report_plot which,
                               const int64_t *shape, struct svg_bars *plot, size_t *left_out,
                               posemb_error *error)
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
    count = collect(records, which, shape, candidates);
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
