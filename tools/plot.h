/* Axes, heat maps with a colour bar, and lines, on a canvas. */
#ifndef POSEMB_PLOT_H
#define POSEMB_PLOT_H

#include "canvas.h"
#include "ticks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plot_axis {
    double least;
    double most;  /* beyond `least`; of a logarithmic axis both are above 0 */
    size_t ticks; /* how many, about; 0: none */
    bool is_log;
    bool whole;        /* ticks are whole numbers */
    const char *label; /* NULL: none */
};

/* Where a plot lies, and what its sides mean. */
struct plot_frame {
    double x;
    double y;
    double width;
    double height;
    struct plot_axis across;
    struct plot_axis down;
    bool upwards; /* `down` grows upwards */
};

/* The pixel of a value; beyond the frame for one that is beyond the axis. */
double plot_x(const struct plot_frame *frame, double value);
double plot_y(const struct plot_frame *frame, double value);

/* The ticks of an axis. */
void plot_ticks(const struct plot_axis *axis, struct ticks *ticks);

/* Faint lines at the ticks: what is drawn after them lies above. */
void plot_grid(const struct canvas *canvas, const struct plot_frame *frame);

/* The border, ticks and labels: what lies within is drawn before. */
void plot_axes(const struct canvas *canvas, const struct plot_frame *frame);

/* Numbers as colours. */
struct plot_scale {
    enum colour_map map;
    double least; /* values below have the colour of this one */
    double most;
    bool cut_below; /* there are such values: the colour bar says so */
    bool cut_above;
};

/* values[rows, columns], the first row at the top. */
struct plot_cells {
    const float *values;
    uint64_t rows;
    uint64_t columns;
    bool largest; /* of the cells of a pixel the largest in magnitude, not the mean, is shown */
};

/* Fill a frame. Where there are fewer pixels than cells, a pixel has the mean of the cells that
 * begin in it, or the largest, and is not a number where one of them is not. Infinities are not
 * numbers either. */
void plot_heat(const struct canvas *canvas, const struct plot_frame *frame,
               const struct plot_cells *cells, const struct plot_scale *scale);

/* Cells that begin in one pixel of the frame, at most: 1 is "each cell is to be seen". */
uint64_t plot_cells_down(const struct plot_frame *frame, const struct plot_cells *cells);
uint64_t plot_cells_across(const struct plot_frame *frame, const struct plot_cells *cells);

/* A bar of the colours with ticks, and what cells have that are not numbers, if there are any. */
void plot_colour_bar(const struct canvas *canvas, double x, double y, double width, double height,
                     const struct plot_scale *scale, const char *label, bool has_nan);

struct plot_style {
    colour colour;
    double width;
    double dash; /* length of dashes and gaps; 0: none */
    double alpha;
};

/* A line through points; values that are not finite, or not above 0 on a logarithmic axis, break
 * it. A point that stands alone is a dot. */
void plot_line(const struct canvas *canvas, const struct plot_frame *frame, const double *x,
               const double *y, size_t count, const struct plot_style *style);

/* Fill what lies between two lines, all of whose values are finite. */
void plot_band(const struct canvas *canvas, const struct plot_frame *frame, const double *x,
               const double *low, const double *high, size_t count, const struct plot_style *style);

void plot_dot(const struct canvas *canvas, const struct plot_frame *frame, double x, double y,
              const struct plot_style *style);

/* A sample of a line with a text beside it, whose letters stand on y; returns the x after it. */
double plot_key(const struct canvas *canvas, double x, double y, const struct plot_style *style,
                const char *text);

#endif
