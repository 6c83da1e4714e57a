/* The page's sections on time and accuracy. */
#include "report_sections.h"

#include "html.h"
#include "report_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

void write_time_cell(struct markup *body, double seconds)
{
    char text[REPORT_NUMBER_SIZE] = "";

    if (seconds > 0.0)
        report_time(seconds, text);
    html_number(body, "%s", text);
}

void write_ratio_cell(struct markup *body, double ratio)
{
    if (ratio > 0.0)
        html_number(body, "%.2f", ratio);
    else
        html_number(body, "%s", "");
}

/* ---- Figures */

static void figure_begin(struct markup *body, const char *title, double height)
{
    markup_add(body, "<figure><figcaption>");
    markup_escape(body, title);
    markup_add(body, "</figcaption>\n");
    svg_begin(body, title, SVG_PLOT_WIDTH, height);
}

static void figure_end(struct markup *body)
{
    svg_end(body);
    markup_add(body, "</figure>\n");
}

/* One plot of bars, or nothing. */
static void write_figure(const struct report *report, enum report_plot which, const int64_t *shape,
                         struct markup *body)
{
    char name[REPORT_SHAPE_SIZE] = "";
    char title[REPORT_NAME_SIZE];
    struct svg_bars plot;
    size_t left_out;

    if (report_plot_bars(report->records, which, shape, &plot, &left_out, NULL) != POSEMB_OK) {
        body->failed = true;
        return;
    }
    if (shape)
        report_shape(shape, name);
    snprintf(title, sizeof title, "%s%s%s", plot.title, shape ? ", " : "", name);
    if (plot.bar_count > 0) {
        figure_begin(body, title, svg_bars_height(&plot));
        svg_draw_bars(body, &plot);
        figure_end(body);
    }
    if (left_out > 0)
        markup_format(body, "<p>%zu more bars are left out: see the numbers.</p>\n", left_out);
    svg_free_bars(&plot);
}

/* A plot for each shape. */
static void write_figures_of_shapes(const struct report *report, enum report_plot which,
                                    struct markup *body)
{
    struct plot_shapes shapes;

    report_plot_shapes(report->records, which, &shapes);
    for (size_t i = 0; i < shapes.count; i++)
        write_figure(report, which, shapes.shapes[i], body);
    if (shapes.has_more)
        markup_add(body, "<p>More shapes are left out: see the numbers.</p>\n");
}

/* Several plots beside each other under a text, or nothing. */
static void write_figures(const struct report *report, const enum report_plot *plots, size_t count,
                          const char *text, bool has_legend, struct markup *body)
{
    struct markup figures = {0};

    for (size_t i = 0; i < count; i++)
        if ((plots[i] >= PLOT_STORAGES && plots[i] <= PLOT_PARTS) || plots[i] == PLOT_PEERS)
            write_figures_of_shapes(report, plots[i], &figures);
        else
            write_figure(report, plots[i], NULL, &figures);
    body->failed = body->failed || figures.failed;
    if (figures.size > 0) {
        markup_add(body, text);
        if (has_legend)
            write_legend(report, body);
        markup_add(body, "<div class=\"figures\">\n");
        markup_add(body, figures.bytes);
        markup_add(body, "</div>\n");
    }
    markup_free(&figures);
}

void section_shares(const struct report *report, struct markup *body)
{
    static const enum report_plot plots[] = {PLOT_SHAPES, PLOT_READERS, PLOT_STORAGES,
                                             PLOT_VARIATIONS, PLOT_PARTS};

    write_figures(
        report, plots, COUNT(plots),
        "<p>The time of the best plain copy of the same bytes, divided by that of the "
        "stage: 100&#160;% is as fast as copying, and longer bars are better. Configurations "
        "that move a MiB or more; the stage\xe2\x80\x99s time stands beside each bar.</p>\n",
        true, body);
}

void section_gains(const struct report *report, struct markup *body)
{
    static const enum report_plot plots[] = {PLOT_GATHER_TABLE, PLOT_UNFUSED, PLOT_VENDOR_SIN};

    write_figures(
        report, plots, COUNT(plots),
        "<p>The time of the other way, divided by that of the stage: bars to the right of "
        "1\xc3\x97 mean that posemb is faster. The axes are logarithmic.</p>\n",
        true, body);
}

/* ---- Small launches */

static void write_small_row(const struct report_record *record, struct markup *body)
{
    const struct stage_record *stage = &record->of.stage;
    const struct yardstick_record *unfused = &stage->yardsticks[YARDSTICK_UNFUSED];
    char name[REPORT_NAME_SIZE];

    report_configuration(stage, name);
    html_row_begin(body);
    write_run_cell(body, record->run);
    html_cell(body, name);
    html_number(body, "%.2f", stage->seconds * 1e6);
    if (stage->call_seconds > 0.0)
        html_number(body, "%.2f", stage->call_seconds * 1e6);
    else
        html_number(body, "%s", "");
    for (size_t i = 0; i < 2; i++) {
        const double seconds = stage->yardsticks[i ? YARDSTICK_UNFUSED : YARDSTICK_COPY].seconds;

        if (seconds > 0.0)
            html_number(body, "%.2f", seconds * 1e6);
        else
            html_number(body, "%s", "");
    }
    if (unfused->seconds > 0.0 && unfused->launches > 0)
        html_number(body, "%" PRId64,
                    unfused->launches - (stage->kernels > 0 ? stage->kernels : 1));
    else
        html_number(body, "%s", "");
    html_row_end(body);
}

void section_small(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run",
                                           "configuration",
                                           HTML_RIGHT "stage, \xc2\xb5s",
                                           HTML_RIGHT "one call and its end, \xc2\xb5s",
                                           HTML_RIGHT "copy, \xc2\xb5s",
                                           HTML_RIGHT "unfused, \xc2\xb5s",
                                           HTML_RIGHT "launches saved"};
    bool has_begun = false;

    for (size_t i = 0; i < report->bits.stage_count; i++) {
        const struct report_record *record = report->bits.stages[i];

        if (!record->of.stage.verified || !report_is_small(&record->of.stage))
            continue;
        if (!has_begun)
            html_table_begin(
                body, "Decode and short texts: launch cost, so that rates would mean nothing",
                headings, COUNT(headings));
        has_begun = true;
        write_small_row(record, body);
    }
    if (has_begun)
        html_table_end(body);
}

/* ---- Timers */

void section_timing(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run", "configuration", HTML_RIGHT "batched wall time",
                                           HTML_RIGHT "events", "what is said of it"};
    char name[REPORT_NAME_SIZE];
    bool has_begun = false;

    for (size_t i = 0; i < report->bits.stage_count; i++) {
        const struct report_record *record = report->bits.stages[i];
        const struct stage_record *stage = &record->of.stage;

        if (strncmp(stage->timing, "disagree", 8) != 0)
            continue;
        if (!has_begun)
            html_table_begin(body,
                             "Where the device\xe2\x80\x99s event timer and the wall clock tell "
                             "different stories. All figures here are by the wall clock.",
                             headings, COUNT(headings));
        has_begun = true;
        report_configuration(stage, name);
        html_row_begin(body);
        write_run_cell(body, record->run);
        html_cell(body, name);
        write_time_cell(body, stage->seconds);
        write_time_cell(body, stage->event_seconds);
        html_cell(body, stage->timing);
        html_row_end(body);
    }
    if (has_begun)
        html_table_end(body);
}

/* ---- First calls */

static void write_first_call(const struct report_record *record, struct markup *body)
{
    const struct first_call_record *call = &record->of.first_call;

    html_row_begin(body);
    write_run_cell(body, record->run);
    html_cell(body, call->caches);
    html_cell(body, call->origin);
    write_time_cell(body, call->plan_seconds);
    write_time_cell(body, call->warm_up ? call->warmup_seconds : 0.0);
    write_time_cell(body, call->first_seconds);
    write_time_cell(body, call->second_seconds);
    write_time_cell(body, call->steady_seconds);
    html_row_end(body);
}

void section_first_calls(const struct report *report, struct markup *body)
{
    static const enum report_plot plots[] = {PLOT_FIRST_CALLS};
    static const char *const headings[] = {"run",
                                           "what the process finds",
                                           "program from",
                                           HTML_RIGHT "plan",
                                           HTML_RIGHT "warm-up",
                                           HTML_RIGHT "first launch",
                                           HTML_RIGHT "second",
                                           HTML_RIGHT "steady"};
    const struct report_record *record;

    write_figures(report, plots, COUNT(plots),
                  "<p>What a process pays before its first result, by what it finds in caches: "
                  "medians of several processes.</p>\n",
                  true, body);
    if (body->size == 0)
        return;
    html_table_begin(body, "First calls", headings, COUNT(headings));
    for (size_t place = 0;
         (record = report_next(report->records, RECORD_FIRST_CALL, REPORT_ANY_RUN, &place));)
        write_first_call(record, body);
    html_table_end(body);
}

/* ---- Accuracy */

static void write_lines(const struct report_lines *lines, const char *title, struct markup *body)
{
    const struct svg_lines plot = report_accuracy_plot(lines);

    if (lines->count == 0)
        return;
    figure_begin(body, title, svg_lines_height(&plot));
    svg_draw_lines(body, &plot);
    figure_end(body);
}

static void write_accuracy_figures(const struct report *report, struct markup *body)
{
    static const char *const methods[] = {"sin/cos", "native_sin/native_cos", "fast-math"};
    struct report_lines lines;
    char title[REPORT_NAME_SIZE];
    char letter[4];
    size_t runs = 0;

    for (size_t run = 0; run < report->records->run_count; run++) {
        report_letter(run, letter);
        snprintf(title, sizeof title, "%s: %.200s", letter, report->records->runs[run].device);
        report_accuracy_of_run(report->records, run, &lines);
        write_lines(&lines, title, body);
        runs += lines.count > 0;
    }
    for (size_t i = 0; runs > 1 && i < COUNT(methods); i++) {
        report_accuracy_of_method(report->records, methods[i], &lines);
        snprintf(title, sizeof title, "%s of each device", methods[i]);
        if (lines.count > 1)
            write_lines(&lines, title, body);
    }
}

/* One row for each method of a run: its time is the same at all positions. */
static void write_speed_row(const struct report_record *record, const struct svg_line *line,
                            struct markup *body)
{
    char first[REPORT_NUMBER_SIZE];
    char last[REPORT_NUMBER_SIZE];

    report_error(line->y[0], first);
    report_error(line->y[line->count - 1], last);
    html_row_begin(body);
    write_run_cell(body, record->run);
    html_cell(body, record->of.accuracy.method);
    html_number(body, "%s", first);
    html_number(body, "%s", last);
    write_time_cell(body, record->of.accuracy.seconds);
    write_ratio_cell(body, record->of.accuracy.ratio_to_posemb);
    html_row_end(body);
}

static void write_speeds(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run",
                                           "method",
                                           HTML_RIGHT "error at the first position",
                                           HTML_RIGHT "at the last",
                                           HTML_RIGHT "time of a launch",
                                           HTML_RIGHT "\xc3\xb7 posemb"};
    struct report_lines lines;
    const struct report_record *record;

    html_table_begin(body, "Accuracy beside speed", headings, COUNT(headings));
    for (size_t run = 0; run < report->records->run_count; run++) {
        report_accuracy_of_run(report->records, run, &lines);
        for (size_t i = 0; i < lines.count; i++) {
            size_t place = 0;

            do
                record = report_next(report->records, RECORD_ACCURACY, run, &place);
            while (record && strncmp(record->of.accuracy.method, lines.lines[i].label,
                                     sizeof lines.lines[i].label - 1) != 0);
            if (record)
                write_speed_row(record, &lines.lines[i], body);
        }
    }
    html_table_end(body);
}

void section_accuracy(const struct report *report, struct markup *body)
{
    struct markup figures = {0};

    write_accuracy_figures(report, &figures);
    body->failed = body->failed || figures.failed;
    if (figures.size > 0) {
        markup_add(
            body,
            "<p>The largest absolute error of a sine or cosine over all channels, against the "
            "exact value; both axes are logarithmic. Float angles lose a digit with each "
            "factor of ten; posemb\xe2\x80\x99s integer phase loses none.</p>\n"
            "<div class=\"figures\">\n");
        markup_add(body, figures.bytes);
        markup_add(body, "</div>\n");
        write_speeds(report, body);
    }
    markup_free(&figures);
}

/* ---- Other packages */

/* bench/peers/README.md: above it the numbers mean nothing. */
#define FOREIGN_CPUS_MAX 0.05

static void warn_of_load(const struct report *report, struct markup *text)
{
    const struct report_record *record;
    size_t loaded = 0;

    for (size_t place = 0;
         (record = report_next(report->records, RECORD_PEER, REPORT_ANY_RUN, &place));)
        loaded += record->of.peer.foreign_cpus > FOREIGN_CPUS_MAX;
    if (loaded > 0)
        markup_format(text,
                      "<p><strong>%zu of these numbers mean nothing:</strong> other programs took "
                      "more than %.2f CPUs meanwhile; see the numbers.</p>\n",
                      loaded, FOREIGN_CPUS_MAX);
}

void section_peers(const struct report *report, struct markup *body)
{
    static const enum report_plot plots[] = {PLOT_PEERS};
    struct report_packages packages;
    struct markup text = {0};
    char letter[4];

    report_packages(report->records, &packages);
    markup_add(&text,
               "<p>Each package\xe2\x80\x99s time for the same stage on the same machine, divided "
               "by posemb\xe2\x80\x99s: to the right of 1\xc3\x97 posemb is faster. The axis is "
               "logarithmic.</p>\n<ul class=\"legend\">");
    for (size_t i = 0; i < packages.count; i++) {
        report_package_letter(i, letter);
        markup_format(&text, "<li><svg class=\"mark\" viewBox=\"0 0 16 16\" width=\"16\" "
                             "height=\"16\" aria-hidden=\"true\">");
        svg_draw_mark(&text, (unsigned)i, 8.0, 8.0, 5.5);
        markup_format(&text, "</svg><b>%s</b> ", letter);
        markup_escape(&text, packages.names[i]);
        markup_add(&text, "</li>\n");
    }
    markup_add(&text, "</ul>\n");
    warn_of_load(report, &text);
    if (text.failed)
        body->failed = true;
    else
        write_figures(report, plots, COUNT(plots), text.bytes, false, body);
    markup_free(&text);
}
