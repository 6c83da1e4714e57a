/* Heat maps, and the bar that says what their colours mean. */
#include "plot.h"

#include <math.h>
#include <stdlib.h>

/* The first cell of a pixel; that of the pixel after the last is `cells`. */
static uint64_t first_cell(uint64_t pixel, uint64_t pixels, uint64_t cells)
{
    return pixel * cells / pixels;
}

/* How many cells the pixel with the most of them has. */
static uint64_t most_cells(uint64_t pixels, uint64_t cells)
{
    return (cells + pixels - 1) / pixels;
}

uint64_t plot_cells_down(const struct plot_frame *frame, const struct plot_cells *cells)
{
    return most_cells((uint64_t)frame->height, cells->rows);
}

uint64_t plot_cells_across(const struct plot_frame *frame, const struct plot_cells *cells)
{
    return most_cells((uint64_t)frame->width, cells->columns);
}

/* Pixels of a heat map, as cairo has them. */
struct heat {
    const struct plot_cells *cells;
    const struct plot_scale *scale;
    uint64_t width;
    uint64_t height;
    double *sums;    /* [width] of the row of pixels that is made */
    double *largest; /* [width] likewise */
};

static double larger(double a, double b)
{
    return fabs(b) > fabs(a) ? b : a;
}

static void add_row(const struct heat *heat, const float *row)
{
    const uint64_t columns = heat->cells->columns;

    for (uint64_t x = 0; x < heat->width; x++) {
        const uint64_t low = first_cell(x, heat->width, columns);
        const uint64_t high = first_cell(x + 1, heat->width, columns);
        double sum = (double)row[low];
        double largest = sum;

        for (uint64_t c = low + 1; c < high; c++) {
            sum += (double)row[c];
            largest = larger(largest, (double)row[c]);
        }
        heat->sums[x] += sum / (double)(high > low ? high - low : 1);
        heat->largest[x] = larger(heat->largest[x], largest);
    }
}

static void make_pixels(const struct heat *heat, uint64_t y, uint32_t *pixels)
{
    const uint64_t low = first_cell(y, heat->height, heat->cells->rows);
    const uint64_t end = first_cell(y + 1, heat->height, heat->cells->rows);
    const uint64_t high = end > low ? end : low + 1;
    const struct plot_scale *scale = heat->scale;

    for (uint64_t x = 0; x < heat->width; x++)
        heat->sums[x] = heat->largest[x] = 0.0;
    for (uint64_t row = low; row < high; row++)
        add_row(heat, heat->cells->values + row * heat->cells->columns);
    for (uint64_t x = 0; x < heat->width; x++) {
        const double mean = heat->sums[x] / (double)(high - low);
        const double value = heat->cells->largest ? heat->largest[x] : mean;
        const double t = (value - scale->least) / (scale->most - scale->least);

        pixels[x] = isfinite(mean) ? colour_at(scale->map, t) : colour_of_nan(scale->map);
    }
}

void plot_heat(const struct canvas *canvas, const struct plot_frame *frame,
               const struct plot_cells *cells, const struct plot_scale *scale)
{
    const int width = (int)frame->width;
    const int height = (int)frame->height;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    double *sums = calloc((size_t)width, 2 * sizeof *sums);
    const struct heat heat = {
        cells, scale, (uint64_t)width, (uint64_t)height, sums, sums ? sums + width : NULL};
    unsigned char *bytes = cairo_image_surface_get_data(surface);
    const size_t stride = (size_t)cairo_image_surface_get_stride(surface);

    /* Without memory the canvas' cairo is told so by the surface, and canvas_write() fails. */
    if (bytes && sums)
        for (uint64_t y = 0; y < heat.height; y++)
            make_pixels(&heat, y, (uint32_t *)(void *)(bytes + y * stride));
    cairo_surface_mark_dirty(surface);
    cairo_set_source_surface(canvas->cairo, surface, frame->x, frame->y);
    cairo_pattern_set_filter(cairo_get_source(canvas->cairo), CAIRO_FILTER_NEAREST);
    cairo_rectangle(canvas->cairo, frame->x, frame->y, frame->width, frame->height);
    cairo_fill(canvas->cairo);
    cairo_surface_destroy(surface);
    free(sums);
}

/* A triangle beyond an end of the bar: there are values beyond it. */
static void draw_tip(const struct canvas *canvas, const struct plot_frame *frame, double y,
                     double tip, colour of)
{
    canvas_colour(canvas, of);
    cairo_move_to(canvas->cairo, frame->x, y);
    cairo_line_to(canvas->cairo, frame->x + frame->width / 2.0, tip);
    cairo_line_to(canvas->cairo, frame->x + frame->width, y);
    cairo_close_path(canvas->cairo);
    cairo_fill_preserve(canvas->cairo);
    canvas_colour(canvas, COLOUR_FRAME);
    cairo_set_line_width(canvas->cairo, 1.0);
    cairo_stroke(canvas->cairo);
}

static void draw_bar_ticks(const struct canvas *canvas, const struct plot_frame *frame,
                           const char *label)
{
    const double right = frame->x + frame->width;
    double widest = 0.0;
    struct ticks ticks;

    plot_ticks(&frame->down, &ticks);
    cairo_set_line_width(canvas->cairo, 1.0);
    for (size_t i = 0; i < ticks.count; i++) {
        const double y = plot_y(frame, ticks.at[i]);

        canvas_colour(canvas, COLOUR_FRAME);
        cairo_move_to(canvas->cairo, right, floor(y) + 0.5);
        cairo_rel_line_to(canvas->cairo, 5.0, 0.0);
        cairo_stroke(canvas->cairo);
        canvas_colour(canvas, COLOUR_TEXT);
        canvas_text(canvas, right + 8.0, y + TEXT_SMALL * 0.36, ALIGN_LEFT, TEXT_SMALL,
                    ticks.label[i]);
        widest = fmax(widest, canvas_text_width(canvas, TEXT_SMALL, ticks.label[i]));
    }
    if (label)
        canvas_text_upwards(canvas, right + widest + 22.0, frame->y + frame->height / 2.0,
                            TEXT_NORMAL, label);
}

static void draw_nan_key(const struct canvas *canvas, double x, double y, enum colour_map map)
{
    canvas_colour(canvas, colour_of_nan(map));
    cairo_rectangle(canvas->cairo, x, y, 14.0, 14.0);
    cairo_fill_preserve(canvas->cairo);
    canvas_colour(canvas, COLOUR_FRAME);
    cairo_stroke(canvas->cairo);
    canvas_colour(canvas, COLOUR_TEXT);
    canvas_text(canvas, x + 20.0, y + 12.0, ALIGN_LEFT, TEXT_SMALL, "no number");
}

void plot_colour_bar(const struct canvas *canvas, double x, double y, double width, double height,
                     const struct plot_scale *scale, const char *label, bool has_nan)
{
    const double tip = 14.0;
    const struct plot_frame frame = {
        .x = x,
        .y = y,
        .width = width,
        .height = height,
        .down = {.least = scale->least, .most = scale->most, .ticks = height < 250.0 ? 4 : 6},
        .upwards = true,
    };

    for (int row = 0; row < (int)height; row++) {
        canvas_colour(canvas, colour_at(scale->map, 1.0 - (row + 0.5) / height));
        cairo_rectangle(canvas->cairo, x, y + row, width, 1.0);
        cairo_fill(canvas->cairo);
    }
    canvas_colour(canvas, COLOUR_FRAME);
    cairo_set_line_width(canvas->cairo, 1.0);
    cairo_rectangle(canvas->cairo, x - 0.5, y - 0.5, width + 1.0, height + 1.0);
    cairo_stroke(canvas->cairo);
    if (scale->cut_above)
        draw_tip(canvas, &frame, y, y - tip, colour_at(scale->map, 1.0));
    if (scale->cut_below)
        draw_tip(canvas, &frame, y + height, y + height + tip, colour_at(scale->map, 0.0));
    draw_bar_ticks(canvas, &frame, label);
    if (has_nan)
        draw_nan_key(canvas, x, y + height + tip + 8.0, scale->map);
}
