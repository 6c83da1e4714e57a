/* Plots as SVG. */
#include "svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKS_MAX 12u

/* ---- Colours: those of Okabe and Ito, their yellow darkened on white and their blue lit on black
 */

static const char *const light[SVG_SERIES] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                              "#b07a00", "#56b4e9", "#7d7a00", "#33363d"};
static const char *const dark[SVG_SERIES] = {"#56b4e9", "#e69f00", "#2cc295", "#e29bc4",
                                             "#f0e442", "#4f8fe0", "#ff8b4a", "#e4e4ec"};

/* The pattern of a series' lines, none for the first. */
static const char *const dashes[SVG_SERIES] = {"",    "6 3", "2 3",     "9 3 2 3",
                                               "1 3", "5 2", "8 4 4 4", "3 5"};

static void style_theme(struct markup *markup, const char *const *colours, const char *text,
                        const char *quiet, const char *grid, const char *ground)
{
    for (unsigned i = 0; i < SVG_SERIES; i++)
        markup_format(markup, ".s%u{fill:%s}.l%u{stroke:%s}\n", i, colours[i], i, colours[i]);
    markup_format(markup,
                  ".t{fill:%s}.q{fill:%s}.g{stroke:%s}.a{stroke:%s}.ground{fill:%s}.h{stroke:%s}\n",
                  text, quiet, grid, text, ground, ground);
}

void svg_style(struct markup *markup)
{
    markup_add(
        markup,
        "svg text{font-family:system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
        ".l{fill:none;stroke-width:1.8;stroke-linejoin:round}.thick{stroke-width:3}\n"
        ".g{stroke-width:1}.a{stroke-width:1.5}\n"
        ".h{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}\n");
    style_theme(markup, light, "#1b1f24", "#57606a", "#dde1e6", "#ffffff");
    markup_add(markup, "@media screen and (prefers-color-scheme:dark){\n");
    style_theme(markup, dark, "#e9ebee", "#a3abb5", "#363c44", "#14171b");
    markup_add(markup, "}\n");
}

/* ---- Axes */

struct axis {
    bool is_log;
    double from;
    double to;
    double begin; /* where `from` is drawn */
    double end;
    size_t tick_count;
    double ticks[TICKS_MAX];
};

static double place(const struct axis *axis, double value)
{
    double share;

    if (axis->is_log)
        share = log(value / axis->from) / log(axis->to / axis->from);
    else
        share = (value - axis->from) / (axis->to - axis->from);
    return axis->begin + (axis->end - axis->begin) * fmin(fmax(share, 0.0), 1.0);
}

/* The least of 1, 2 or 5 times a power of ten that is not below the value. */
static double nice_above(double value)
{
    const double power = pow(10.0, floor(log10(value)));
    static const double steps[] = {1.0, 2.0, 5.0};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (value <= steps[i] * power * (1.0 + 1e-9))
            return steps[i] * power;
    return 10.0 * power;
}

static void add_tick(struct axis *axis, double value)
{
    if (axis->tick_count < TICKS_MAX && value >= axis->from * (1.0 - 1e-9) &&
        value <= axis->to * (1.0 + 1e-9))
        axis->ticks[axis->tick_count++] = value;
}

/* Ticks from 0 on, some `wanted` of them, the last at or above the largest value. */
static void make_linear(struct axis *axis, double most, double wanted)
{
    const double step = nice_above(fmax(most, 1e-12) / wanted);
    const double count = fmin(ceil(most / step * (1.0 - 1e-9)), (double)TICKS_MAX - 1.0);

    axis->from = 0.0;
    axis->to = step * fmax(count, 1.0);
    for (int i = 0; i <= (int)count; i++)
        add_tick(axis, (double)i * step);
}

/* Powers of ten; more between them where the axis is short, fewer where it is long. */
static void make_log(struct axis *axis, double least, double most, double wanted)
{
    static const double steps[3][11] = {
        {1.0}, {1.0, 2.0, 5.0}, {1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}};
    const double *step = steps[most / least < 3.0 ? 2 : most / least < 100.0 ? 1 : 0];
    const int first = (int)floor(log10(least) + 1e-9);
    const int last = (int)ceil(log10(most) - 1e-9);
    const int stride = (int)fmax(1.0, ceil((double)(last - first) / wanted));

    axis->is_log = true;
    axis->from = least;
    axis->to = most;
    for (int power = first; power <= last; power += stride)
        for (size_t i = 0; i < 11 && step[i] > 0.0; i++)
            add_tick(axis, step[i] * pow(10.0, (double)power));
}

/* A number of an axis: powers of ten from 10^4 on and below 10^-2. */
static void write_tick(struct markup *markup, double value, bool is_power, const char *unit)
{
    if (is_power && (value >= 9999.0 || value < 0.00999))
        markup_format(markup, "10<tspan dy=\"-4\" font-size=\"8\">%.0f</tspan>",
                      round(log10(value)));
    else
        markup_format(markup, "%.6g%s", value, unit);
}

/* ---- Marks and frames */

void svg_begin(struct markup *markup, const char *title, double width, double height)
{
    markup_format(markup,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                  "width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"",
                  width, height, width, height);
    markup_escape(markup, title);
    markup_add(markup, "\">\n");
}

void svg_end(struct markup *markup)
{
    markup_add(markup, "</svg>\n");
}

void svg_draw_mark(struct markup *markup, unsigned series, double x, double y, double size)
{
    static const struct {
        unsigned count;
        signed char at[8][2]; /* in eighths of the size */
    } shapes[] = {
        {4, {{-7, -7}, {7, -7}, {7, 7}, {-7, 7}}},
        {3, {{0, -9}, {9, 7}, {-9, 7}}},
        {4, {{0, -10}, {10, 0}, {0, 10}, {-10, 0}}},
        {3, {{0, 9}, {9, -7}, {-9, -7}}},
        {5, {{0, -10}, {9, -3}, {6, 8}, {-6, 8}, {-9, -3}}},
        {4, {{-10, -4}, {10, -4}, {10, 4}, {-10, 4}}},
        {4, {{-4, -10}, {4, -10}, {4, 10}, {-4, 10}}},
    };
    const unsigned shape = series % SVG_SERIES;

    if (shape == 0) {
        markup_format(markup, "<circle class=\"s0\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", x, y,
                      size);
        return;
    }
    markup_format(markup, "<polygon class=\"s%u\" points=\"", shape);
    for (unsigned i = 0; i < shapes[shape - 1].count; i++)
        markup_format(markup, "%s%.1f,%.1f", i ? " " : "",
                      x + shapes[shape - 1].at[i][0] * size / 8.0,
                      y + shapes[shape - 1].at[i][1] * size / 8.0);
    markup_add(markup, "\"/>");
}

static void write_text(struct markup *markup, double x, double y, const char *style, double size,
                       const char *text)
{
    markup_format(markup, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" font-size=\"%.1f\">", x, y,
                  style, size);
    markup_escape(markup, text);
    markup_add(markup, "</text>\n");
}

/* ---- Bars */

enum { LABEL_CHARACTERS = 52, LABEL_HEIGHT = 17, BAR_HEIGHT = 15, GROUP_GAP = 7, AXIS_HEIGHT = 34 };
#define BARS_LEFT  18.0
#define BARS_RIGHT 262.0 /* the texts come after it */

static bool grow(void **items, size_t size, size_t count, size_t *capacity)
{
    const size_t wanted = *capacity ? 2 * *capacity : 16;
    void *grown;

    if (count < *capacity)
        return true;
    grown = realloc(*items, wanted * size);
    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

bool svg_add_group(struct svg_bars *plot, const char *label)
{
    void *items = plot->groups;
    const bool done = grow(&items, sizeof *plot->groups, plot->group_count, &plot->group_capacity);

    plot->groups = items;
    if (!done)
        return false;
    plot->groups[plot->group_count] = (struct svg_group){.first = plot->bar_count};
    snprintf(plot->groups[plot->group_count].label, sizeof plot->groups->label, "%s", label);
    plot->group_count++;
    return true;
}

bool svg_add_bar(struct svg_bars *plot, const struct svg_bar *bar)
{
    void *items = plot->bars;
    const bool done = grow(&items, sizeof *plot->bars, plot->bar_count, &plot->bar_capacity);

    plot->bars = items;
    if (!done)
        return false;
    plot->bars[plot->bar_count++] = *bar;
    plot->groups[plot->group_count - 1].count++;
    return true;
}

void svg_free_bars(struct svg_bars *plot)
{
    free(plot->bars);
    free(plot->groups);
    plot->bars = NULL;
    plot->groups = NULL;
    plot->bar_count = plot->group_count = plot->bar_capacity = plot->group_capacity = 0;
}

/* Where a label is broken so that neither line leaves the plot; its length where it fits. */
static size_t break_label(const char *label)
{
    const size_t length = strlen(label);
    size_t characters = 0;
    size_t best = 0;

    for (size_t i = 0; i < length; i++) {
        characters += ((unsigned char)label[i] & 0xc0) != 0x80; /* all but the first byte */
        if (characters > LABEL_CHARACTERS)
            return best > 0 ? best : i;
        if (label[i] == ' ')
            best = i + 1;
    }
    return length;
}

static double label_height(const struct svg_group *group)
{
    return group->label[break_label(group->label)] ? 2.0 * LABEL_HEIGHT - 3.0 : LABEL_HEIGHT;
}

double svg_bars_height(const struct svg_bars *plot)
{
    double height = AXIS_HEIGHT + (double)plot->bar_count * BAR_HEIGHT;

    for (size_t i = 0; i < plot->group_count; i++)
        height += label_height(&plot->groups[i]) + GROUP_GAP;
    return height;
}

/* The second line is cut where it is too long. */
static void write_label(struct markup *markup, const struct svg_group *group, double y)
{
    char lines[2][sizeof group->label] = {"", ""};
    const size_t end = break_label(group->label);

    memcpy(lines[0], group->label, end);
    write_text(markup, 4.0, y + LABEL_HEIGHT - 4.0, "t h", 11.5, lines[0]);
    if (!group->label[end])
        return;
    memcpy(lines[1], group->label + end, strlen(group->label + end) + 1);
    lines[1][break_label(lines[1])] = '\0';
    write_text(markup, 4.0, y + 2.0 * LABEL_HEIGHT - 7.0, "t h", 11.5, lines[1]);
}

static void make_bars_axis(const struct svg_bars *plot, struct axis *axis)
{
    double least = plot->limit > 0.0 ? plot->limit : INFINITY;
    double most = plot->limit;

    *axis = (struct axis){.begin = BARS_LEFT, .end = BARS_RIGHT};
    for (size_t i = 0; i < plot->bar_count; i++) {
        least = fmin(least, plot->bars[i].value);
        most = fmax(most, plot->bars[i].value);
    }
    if (!plot->is_log)
        make_linear(axis, most, 5.0);
    else
        make_log(axis, fmin(least * (plot->limit > 0.0 ? 0.9 : 0.4), most / 2.0), most * 1.1, 4.0);
}

static void draw_bars_axis(struct markup *markup, const struct svg_bars *plot,
                           const struct axis *axis, double bottom)
{
    for (size_t i = 0; i < axis->tick_count; i++) {
        const double x = place(axis, axis->ticks[i]);

        markup_format(markup, "<path class=\"g\" d=\"M%.1f 18V%.1f\"/>", x, bottom);
        markup_format(markup,
                      "<text x=\"%.1f\" y=\"%.1f\" class=\"q\" font-size=\"10\" "
                      "text-anchor=\"middle\">",
                      x, bottom + 12.0);
        write_tick(markup, axis->ticks[i], plot->is_log, plot->unit);
        markup_add(markup, "</text>\n");
    }
}

static void draw_limit(struct markup *markup, const struct svg_bars *plot, const struct axis *axis,
                       double bottom)
{
    const double x = place(axis, plot->limit);
    const bool is_left = x < (BARS_LEFT + BARS_RIGHT) / 2.0;

    markup_format(markup, "<path class=\"a\" d=\"M%.1f 15V%.1f\" stroke-dasharray=\"4 2\"/>\n", x,
                  bottom);
    markup_format(
        markup,
        "<text x=\"%.1f\" y=\"11\" class=\"t\" font-size=\"10\" text-anchor=\"%s\">%s</text>"
        "\n",
        is_left ? fmax(x - 12.0, 4.0) : fmin(x, 250.0) + 12.0, is_left ? "start" : "end",
        plot->limit_name);
}

static void draw_bar(struct markup *markup, const struct svg_bar *bar, const struct axis *axis,
                     double base, double y)
{
    const double from = place(axis, base);
    const double to = place(axis, bar->value);

    markup_add(markup, "<g><title>");
    markup_escape(markup, bar->hint);
    markup_add(markup, "</title>");
    markup_format(
        markup,
        "<text x=\"4\" y=\"%.1f\" class=\"t\" font-size=\"11\" font-weight=\"600\">%s</text>",
        y + 11.0, bar->letter);
    markup_format(
        markup, "<rect class=\"s%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"1\"/>",
        bar->series % SVG_SERIES, fmin(from, to), y + 1.0, fmax(fabs(to - from), 1.0),
        BAR_HEIGHT - 3);
    markup_format(markup,
                  "<text x=\"%.1f\" y=\"%.1f\" class=\"t\" font-size=\"10.5\">%s</text></g>\n",
                  BARS_RIGHT + 6.0, y + 11.0, bar->text);
}

void svg_draw_bars(struct markup *markup, const struct svg_bars *plot)
{
    const double bottom = svg_bars_height(plot) - AXIS_HEIGHT / 2.0;
    double y = AXIS_HEIGHT / 2.0;
    struct axis axis;

    make_bars_axis(plot, &axis);
    draw_bars_axis(markup, plot, &axis, bottom);
    if (plot->limit > 0.0)
        draw_limit(markup, plot, &axis, bottom);
    for (size_t i = 0; i < plot->group_count; i++) {
        const struct svg_group *group = &plot->groups[i];

        write_label(markup, group, y);
        y += label_height(group);
        for (size_t j = 0; j < group->count; j++) {
            draw_bar(markup, &plot->bars[group->first + j], &axis,
                     plot->is_log ? fmax(plot->base, axis.from) : plot->base, y);
            y += BAR_HEIGHT;
        }
        y += GROUP_GAP;
    }
}

/* ---- Lines */

enum { LINES_TOP = 20, LINES_BOTTOM = 230, LEGEND_ROW = 17, LEGEND_TOP = 272 };
#define LINES_LEFT  44.0
#define LINES_RIGHT 348.0

double svg_lines_height(const struct svg_lines *plot)
{
    return LEGEND_TOP + (double)plot->count * LEGEND_ROW;
}

static void make_line_axes(const struct svg_lines *plot, struct axis *x, struct axis *y)
{
    double x_least = INFINITY;
    double x_most = 0.0;
    double y_most = plot->y_least * 10.0;

    for (size_t i = 0; i < plot->count; i++)
        for (size_t j = 0; j < plot->lines[i].count; j++) {
            x_least = fmin(x_least, plot->lines[i].x[j]);
            x_most = fmax(x_most, plot->lines[i].x[j]);
            y_most = fmax(y_most, plot->lines[i].y[j]);
        }
    *x = (struct axis){.begin = LINES_LEFT, .end = LINES_RIGHT};
    *y = (struct axis){.begin = LINES_BOTTOM, .end = LINES_TOP};
    make_log(x, x_least, fmax(x_most, x_least * 10.0), 8.0);
    make_log(y, plot->y_least, pow(10.0, ceil(log10(y_most) - 1e-9)), 10.0);
}

static void draw_line_axes(struct markup *markup, const struct svg_lines *plot,
                           const struct axis *x, const struct axis *y)
{
    for (size_t i = 0; i < y->tick_count; i++) {
        const double at = place(y, y->ticks[i]);

        markup_format(markup, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>", LINES_LEFT, at,
                      LINES_RIGHT);
        markup_format(markup,
                      "<text x=\"%.1f\" y=\"%.1f\" class=\"q\" font-size=\"10\" "
                      "text-anchor=\"end\">",
                      LINES_LEFT - 5.0, at + 4.0);
        write_tick(markup, y->ticks[i], true, "");
        markup_add(markup, "</text>\n");
    }
    for (size_t i = 0; i < x->tick_count; i++) {
        const double at = place(x, x->ticks[i]);

        markup_format(markup, "<path class=\"g\" d=\"M%.1f %dV%d\"/>", at, LINES_TOP, LINES_BOTTOM);
        markup_format(markup,
                      "<text x=\"%.1f\" y=\"%d\" class=\"q\" font-size=\"10\" "
                      "text-anchor=\"middle\">",
                      at, LINES_BOTTOM + 15);
        write_tick(markup, x->ticks[i], true, "");
        markup_add(markup, "</text>\n");
    }
    write_text(markup, 4.0, 11.0, "q", 10.0, plot->y_name);
    markup_format(markup, "<g text-anchor=\"end\">");
    write_text(markup, LINES_RIGHT, LINES_BOTTOM + 29.0, "q", 10.0, plot->x_name);
    markup_add(markup, "</g>");
}

static void draw_line(struct markup *markup, const struct svg_line *line, const struct axis *x,
                      const struct axis *y)
{
    const unsigned series = line->series % SVG_SERIES;

    markup_format(markup, "<g><title>");
    markup_escape(markup, line->label);
    markup_format(markup, "</title><path class=\"l l%u%s\" stroke-dasharray=\"%s\" d=\"", series,
                  line->is_thick ? " thick" : "",
                  line->is_thick || !*dashes[series] ? "none" : dashes[series]);
    for (size_t i = 0; i < line->count; i++)
        markup_format(markup, "%c%.1f %.1f", i ? 'L' : 'M', place(x, line->x[i]),
                      place(y, fmax(line->y[i], y->from)));
    markup_add(markup, "\"/>");
    for (size_t i = 0; i < line->count; i++)
        svg_draw_mark(markup, series, place(x, line->x[i]), place(y, fmax(line->y[i], y->from)),
                      line->is_thick ? 4.2 : 3.4);
    markup_add(markup, "</g>\n");
}

static void draw_legend(struct markup *markup, const struct svg_line *line, double y)
{
    const unsigned series = line->series % SVG_SERIES;

    markup_format(markup, "<path class=\"l l%u%s\" stroke-dasharray=\"%s\" d=\"M4 %.1fH36\"/>",
                  series, line->is_thick ? " thick" : "",
                  line->is_thick || !*dashes[series] ? "none" : dashes[series], y);
    svg_draw_mark(markup, series, 20.0, y, line->is_thick ? 4.2 : 3.6);
    write_text(markup, 44.0, y + 4.0, "t", 11.0, line->label);
    markup_format(
        markup,
        "<text x=\"%.1f\" y=\"%.1f\" class=\"q\" font-size=\"10.5\" text-anchor=\"end\">%s"
        "</text>\n",
        LINES_RIGHT, y + 4.0, line->text);
}

void svg_draw_lines(struct markup *markup, const struct svg_lines *plot)
{
    struct axis x;
    struct axis y;

    make_line_axes(plot, &x, &y);
    draw_line_axes(markup, plot, &x, &y);
    for (size_t i = 0; i < plot->count; i++) {
        draw_line(markup, &plot->lines[i], &x, &y);
        draw_legend(markup, &plot->lines[i], LEGEND_TOP + 4.0 + (double)i * LEGEND_ROW);
    }
}
