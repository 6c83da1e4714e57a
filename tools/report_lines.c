/* Errors against position, as lines of plots. */
#include "report_names.h"
#include "report_plots.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
