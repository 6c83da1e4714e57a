/* The report as a table in Markdown, for a README. */
#include "report.h"
#include "report_names.h"
#include "report_plots.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DASH "\xe2\x80\x93"

static void write_heading(const struct report *report, struct markup *text)
{
    char letter[4];

    markup_add(text, "| `encode`, f32, cold rows: share of the copy limit, time |");
    for (size_t run = 0; run < report->records->run_count; run++) {
        report_letter(run, letter);
        markup_format(text, " %s |", letter);
    }
    markup_add(text, "\n|---|");
    for (size_t run = 0; run < report->records->run_count; run++)
        markup_add(text, "---|");
    markup_add(text, "\n");
}

static void write_shape(const struct report *report, const struct svg_bars *bars,
                        const struct svg_group *group, struct markup *text)
{
    markup_add(text, "| ");
    markup_escape_cell(text, group->label);
    markup_add(text, " |");
    for (size_t run = 0; run < report->records->run_count; run++) {
        const char *before = " ";

        for (size_t i = group->first; i < group->first + group->count; i++)
            if (bars->bars[i].series == run) {
                markup_format(text, "%s%s", before, bars->bars[i].text);
                before = " / ";
            }
        markup_add(text, *before == ' ' && before[1] == '\0' ? " " DASH " |" : " |");
    }
    markup_add(text, "\n");
}

static void write_gains(const struct report *report, enum report_yardstick yardstick,
                        struct markup *text)
{
    char texts[2][REPORT_NUMBER_SIZE];
    double range[2];
    bool has_any = false;

    for (size_t run = 0; run < report->records->run_count; run++)
        has_any = has_any || report_gains_of_run(report, run, yardstick, range);
    if (!has_any)
        return;
    markup_format(text, "| times as fast as %s, all shapes |", report_yardstick_name(yardstick));
    for (size_t run = 0; run < report->records->run_count; run++) {
        if (!report_gains_of_run(report, run, yardstick, range)) {
            markup_add(text, " " DASH " |");
            continue;
        }
        report_ratio(range[0], texts[0]);
        report_ratio(range[1], texts[1]);
        if (strcmp(texts[0], texts[1]) != 0)
            markup_format(text, " %s \xe2\x80\xa6", texts[0]);
        markup_format(text, " %s |", texts[1]);
    }
    markup_add(text, "\n");
}

/* The largest errors of a method at its first and last position. */
static void write_errors(const struct report *report, const char *method, struct markup *text)
{
    struct markup cells = {0};
    struct report_lines lines;
    bool has_any = false;

    for (size_t run = 0; run < report->records->run_count; run++) {
        const char *found = DASH;

        report_accuracy_of_run(report->records, run, &lines);
        for (size_t i = 0; i < lines.count; i++)
            if (strcmp(lines.lines[i].label, method) == 0) {
                found = lines.lines[i].text;
                has_any = true;
            }
        markup_format(&cells, " %s |", found);
    }
    text->failed = text->failed || cells.failed;
    if (has_any && !text->failed)
        markup_format(text, "| largest error of %s, first \xe2\x80\xa6 last position |%s\n", method,
                      cells.bytes);
    markup_free(&cells);
}

static void write_runs(const struct report *report, struct markup *text)
{
    char letter[4];

    for (size_t run = 0; run < report->records->run_count; run++) {
        const struct report_run *row = &report->records->runs[run];

        report_letter(run, letter);
        markup_format(text, "%s%s: ", run ? "; " : "", letter);
        markup_escape_cell(text, row->device);
        markup_add(text, ", ");
        markup_escape_cell(text, *row->platform_version ? row->platform_version : row->platform);
        markup_add(text, ", driver ");
        markup_escape_cell(text, row->driver);
        if (*row->date) {
            markup_add(text, ", ");
            markup_escape_cell(text, row->date);
        }
    }
    markup_add(text, ".\n\n");
}

static void write_table(const struct report *report, const struct svg_bars *bars,
                        struct markup *text)
{
    write_heading(report, text);
    for (size_t i = 0; i < bars->group_count; i++)
        write_shape(report, bars, &bars->groups[i], text);
    write_gains(report, YARDSTICK_GATHER_TABLE, text);
    write_gains(report, YARDSTICK_UNFUSED, text);
    write_gains(report, YARDSTICK_VENDOR_SIN, text);
    write_errors(report, "posemb", text);
    write_errors(report, "sin/cos", text);
    markup_add(text, "\n");
}

void report_write_markdown(const struct report *report, struct markup *text)
{
    struct svg_bars bars;
    size_t left_out;

    if (report_plot_bars(report->records, PLOT_SHAPES, NULL, &bars, &left_out, NULL) != POSEMB_OK) {
        text->failed = true;
        return;
    }
    if (report->records->run_count > 0) {
        write_table(report, &bars, text);
        write_runs(report, text);
    }
    report_verdict(report, text);
    markup_add(text, "\n");
    svg_free_bars(&bars);
}
