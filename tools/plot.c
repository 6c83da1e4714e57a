/* Axes and lines on a canvas. */
#include "plot.h"

#include <math.h>

#define TICK_LENGTH 5.0

/* ---- From values to pixels */

static double part_of(const struct plot_axis *axis, double value)
{
    const double span = axis->is_log ? log(axis->most / axis->least) : axis->most - axis->least;
    const double along = axis->is_log ? log(value / axis->least) : value - axis->least;

    return along / span;
}

double plot_x(const struct plot_frame *frame, double value)
{
    return frame->x + frame->width * part_of(&frame->across, value);
}

double plot_y(const struct plot_frame *frame, double value)
{
    const double part = part_of(&frame->down, value);

    return frame->y + frame->height * (frame->upwards ? 1.0 - part : part);
}

void plot_ticks(const struct plot_axis *axis, struct ticks *ticks)
{
    ticks->count = 0;
    if (axis->ticks == 0)
        return;
    if (axis->is_log)
        ticks_log(axis->least, axis->most, axis->ticks, ticks);
    else
        ticks_linear(axis->least, axis->most, axis->ticks, axis->whole, ticks);
}

/* ---- Axes */

static void stroke_line(const struct canvas *canvas, double x1, double y1, double x2, double y2)
{
    cairo_move_to(canvas->cairo, x1, y1);
    cairo_line_to(canvas->cairo, x2, y2);
    cairo_stroke(canvas->cairo);
}

void plot_grid(const struct canvas *canvas, const struct plot_frame *frame)
{
    struct ticks ticks;

    cairo_set_line_width(canvas->cairo, 1.0);
    canvas_colour(canvas, COLOUR_GRID);
    plot_ticks(&frame->across, &ticks);
    for (size_t i = 0; i < ticks.count; i++) {
        const double x = floor(plot_x(frame, ticks.at[i])) + 0.5;

        stroke_line(canvas, x, frame->y, x, frame->y + frame->height);
    }
    plot_ticks(&frame->down, &ticks);
    for (size_t i = 0; i < ticks.count; i++) {
        const double y = floor(plot_y(frame, ticks.at[i])) + 0.5;

        stroke_line(canvas, frame->x, y, frame->x + frame->width, y);
    }
}

static void draw_ticks_across(const struct canvas *canvas, const struct plot_frame *frame)
{
    const double bottom = frame->y + frame->height;
    struct ticks ticks;

    plot_ticks(&frame->across, &ticks);
    for (size_t i = 0; i < ticks.count; i++) {
        const double x = plot_x(frame, ticks.at[i]);

        canvas_colour(canvas, COLOUR_FRAME);
        stroke_line(canvas, floor(x) + 0.5, bottom, floor(x) + 0.5, bottom + TICK_LENGTH);
        canvas_colour(canvas, COLOUR_TEXT);
        canvas_text(canvas, x, bottom + TICK_LENGTH + TEXT_SMALL, ALIGN_MIDDLE, TEXT_SMALL,
                    ticks.label[i]);
    }
    if (frame->across.label)
        canvas_text(canvas, frame->x + frame->width / 2.0, bottom + 41.0, ALIGN_MIDDLE, TEXT_NORMAL,
                    frame->across.label);
}

static void draw_ticks_down(const struct canvas *canvas, const struct plot_frame *frame)
{
    double widest = 0.0;
    struct ticks ticks;

    plot_ticks(&frame->down, &ticks);
    for (size_t i = 0; i < ticks.count; i++) {
        const double y = plot_y(frame, ticks.at[i]);

        canvas_colour(canvas, COLOUR_FRAME);
        stroke_line(canvas, frame->x - TICK_LENGTH, floor(y) + 0.5, frame->x, floor(y) + 0.5);
        canvas_colour(canvas, COLOUR_TEXT);
        canvas_text(canvas, frame->x - TICK_LENGTH - 4.0, y + TEXT_SMALL * 0.36, ALIGN_RIGHT,
                    TEXT_SMALL, ticks.label[i]);
        widest = fmax(widest, canvas_text_width(canvas, TEXT_SMALL, ticks.label[i]));
    }
    if (frame->down.label)
        canvas_text_upwards(canvas, frame->x - TICK_LENGTH - widest - 18.0,
                            frame->y + frame->height / 2.0, TEXT_NORMAL, frame->down.label);
}

void plot_axes(const struct canvas *canvas, const struct plot_frame *frame)
{
    cairo_set_line_width(canvas->cairo, 1.0);
    draw_ticks_across(canvas, frame);
    draw_ticks_down(canvas, frame);
    canvas_colour(canvas, COLOUR_FRAME);
    cairo_rectangle(canvas->cairo, frame->x - 0.5, frame->y - 0.5, frame->width + 1.0,
                    frame->height + 1.0);
    cairo_stroke(canvas->cairo);
}

/* ---- Lines */

static void set_style(const struct canvas *canvas, const struct plot_style *style)
{
    cairo_set_source_rgba(canvas->cairo, colour_part(style->colour, 16),
                          colour_part(style->colour, 8), colour_part(style->colour, 0),
                          style->alpha);
    cairo_set_line_width(canvas->cairo, style->width);
    cairo_set_line_join(canvas->cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(canvas->cairo, &style->dash, style->dash > 0.0 ? 1 : 0, 0.0);
}

static void begin_inside(const struct canvas *canvas, const struct plot_frame *frame)
{
    cairo_save(canvas->cairo);
    cairo_rectangle(canvas->cairo, frame->x, frame->y, frame->width, frame->height);
    cairo_clip(canvas->cairo);
    cairo_new_path(canvas->cairo);
}

static bool can_be_shown(const struct plot_axis *axis, double value)
{
    return isfinite(value) && (!axis->is_log || value > 0.0);
}

/* Points of a line, and whether one of them has a place. */
struct points {
    const struct plot_frame *frame;
    const double *x;
    const double *y;
    size_t count;
};

static bool is_shown(const struct points *points, size_t i)
{
    return i < points->count && can_be_shown(&points->frame->across, points->x[i]) &&
           can_be_shown(&points->frame->down, points->y[i]);
}

void plot_line(const struct canvas *canvas, const struct plot_frame *frame, const double *x,
               const double *y, size_t count, const struct plot_style *style)
{
    const struct points points = {frame, x, y, count};

    begin_inside(canvas, frame);
    set_style(canvas, style);
    for (size_t i = 0; i < count; i++) {
        const bool follows = i > 0 && is_shown(&points, i - 1);

        if (!is_shown(&points, i))
            continue;
        if (follows)
            cairo_line_to(canvas->cairo, plot_x(frame, x[i]), plot_y(frame, y[i]));
        else
            cairo_move_to(canvas->cairo, plot_x(frame, x[i]), plot_y(frame, y[i]));
    }
    cairo_stroke(canvas->cairo);
    for (size_t i = 0; i < count; i++)
        if (is_shown(&points, i) && !(i > 0 && is_shown(&points, i - 1)) &&
            !is_shown(&points, i + 1)) {
            cairo_arc(canvas->cairo, plot_x(frame, x[i]), plot_y(frame, y[i]), style->width * 2.0,
                      0.0, 6.2831853);
            cairo_fill(canvas->cairo);
        }
    cairo_restore(canvas->cairo);
}

void plot_band(const struct canvas *canvas, const struct plot_frame *frame, const double *x,
               const double *low, const double *high, size_t count, const struct plot_style *style)
{
    begin_inside(canvas, frame);
    set_style(canvas, style);
    for (size_t i = 0; i < count; i++)
        cairo_line_to(canvas->cairo, plot_x(frame, x[i]), plot_y(frame, high[i]));
    for (size_t i = count; i > 0; i--)
        cairo_line_to(canvas->cairo, plot_x(frame, x[i - 1]), plot_y(frame, low[i - 1]));
    cairo_close_path(canvas->cairo);
    cairo_fill(canvas->cairo);
    cairo_restore(canvas->cairo);
}

void plot_dot(const struct canvas *canvas, const struct plot_frame *frame, double x, double y,
              const struct plot_style *style)
{
    begin_inside(canvas, frame);
    set_style(canvas, style);
    cairo_arc(canvas->cairo, plot_x(frame, x), plot_y(frame, y), style->width, 0.0, 6.2831853);
    cairo_fill(canvas->cairo);
    cairo_restore(canvas->cairo);
}

double plot_key(const struct canvas *canvas, double x, double y, const struct plot_style *style,
                const char *text)
{
    cairo_save(canvas->cairo);
    set_style(canvas, style);
    stroke_line(canvas, x, y - TEXT_NORMAL * 0.35, x + 28.0, y - TEXT_NORMAL * 0.35);
    cairo_restore(canvas->cairo);
    canvas_colour(canvas, COLOUR_TEXT);
    canvas_text(canvas, x + 36.0, y, ALIGN_LEFT, TEXT_NORMAL, text);
    return x + 36.0 + canvas_text_width(canvas, TEXT_NORMAL, text) + 26.0;
}
