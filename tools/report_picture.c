/* The report as one SVG picture, for a README: on a ground of its own, so that it is legible on
 * any. */
#include "report.h"
#include "report_names.h"
#include "report_plots.h"

#include <math.h>
#include <stdio.h>

#define MARGIN      20.0
#define TITLE       64.0
#define LEGEND_ROW  20.0
#define LEGEND_LEAD 16.0

static void write_title(struct markup *picture, double x, double y, const char *text)
{
    markup_format(
        picture,
        "<text x=\"%.1f\" y=\"%.1f\" class=\"t\" font-size=\"13.5\" font-weight=\"600\">%s"
        "</text>\n",
        x, y, text);
}

/* Errors: of each method where there is one run of them, of the vendor's sin on each where there
 * are more. */
static void collect_lines(const struct report *report, struct report_lines *lines)
{
    size_t runs = 0;
    size_t first = 0;

    for (size_t run = 0; run < report->records->run_count; run++) {
        report_accuracy_of_run(report->records, run, lines);
        if (lines->count > 0 && runs++ == 0)
            first = run;
    }
    if (runs > 1)
        report_accuracy_of_method(report->records, "sin/cos", lines);
    else
        report_accuracy_of_run(report->records, first, lines);
}

static void write_legend_rows(const struct report *report, struct markup *picture, double y)
{
    char letter[4];

    for (size_t run = 0; run < report->records->run_count; run++) {
        report_letter(run, letter);
        svg_draw_mark(picture, (unsigned)run, MARGIN + 8.0, y - 4.0, 5.0);
        markup_format(picture,
                      "<text x=\"%.1f\" y=\"%.1f\" class=\"t\" font-size=\"12\"><tspan "
                      "font-weight=\"600\">%s</tspan> ",
                      MARGIN + 22.0, y, letter);
        markup_escape(picture, report->records->runs[run].device);
        markup_add(picture, ", ");
        markup_escape(picture, report->records->runs[run].driver);
        markup_add(picture, "</text>\n");
        y += LEGEND_ROW;
    }
}

static void draw_shares(struct markup *picture, const struct svg_bars *bars)
{
    write_title(picture, MARGIN, TITLE - 20.0, "Share of the copy limit, by shape");
    markup_format(picture, "<g transform=\"translate(%.1f %.1f)\">\n", MARGIN, TITLE);
    svg_draw_bars(picture, bars);
    markup_add(picture, "</g>\n");
}

static void draw_errors(struct markup *picture, const struct svg_lines *plot)
{
    const double x = REPORT_PICTURE_WIDTH - MARGIN - SVG_PLOT_WIDTH;

    write_title(picture, x, TITLE - 20.0, "Largest error against position");
    markup_format(picture, "<g transform=\"translate(%.1f %.1f)\">\n", x, TITLE);
    svg_draw_lines(picture, plot);
    markup_add(picture, "</g>\n");
}

static void draw(const struct report *report, const struct svg_bars *bars,
                 const struct svg_lines *errors, struct markup *picture)
{
    const double bars_height = bars->bar_count > 0 ? svg_bars_height(bars) : 0.0;
    const double errors_height = errors->count > 0 ? svg_lines_height(errors) : 0.0;
    const double legend = TITLE + fmax(bars_height, errors_height) + LEGEND_LEAD;
    const double height = legend + (double)report->records->run_count * LEGEND_ROW + MARGIN / 2.0;

    svg_begin(picture,
              "posemb: share of the copy limit by shape, and largest error against position",
              REPORT_PICTURE_WIDTH, height);
    markup_add(picture, "<style>\n");
    svg_style(picture);
    markup_add(picture, "</style>\n");
    markup_format(picture,
                  "<rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"%.1f\" height=\"%.1f\" "
                  "rx=\"8\"/>\n",
                  REPORT_PICTURE_WIDTH - 1.0, height - 1.0);
    if (bars->bar_count > 0)
        draw_shares(picture, bars);
    if (errors->count > 0)
        draw_errors(picture, errors);
    write_legend_rows(report, picture, legend + 14.0);
    svg_end(picture);
}

void report_write_picture(const struct report *report, struct markup *picture)
{
    struct report_lines lines;
    struct svg_lines errors;
    struct svg_bars bars;
    size_t left_out;

    if (report_plot_bars(report->records, PLOT_SHAPES, NULL, &bars, &left_out, NULL) != POSEMB_OK) {
        picture->failed = true;
        return;
    }
    collect_lines(report, &lines);
    errors = report_accuracy_plot(&lines);
    draw(report, &bars, &errors, picture);
    svg_free_bars(&bars);
}
