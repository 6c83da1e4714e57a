/* Plots as SVG: bars in groups, and lines over two logarithmic axes. Each is drawn to a width that
 * a phone shows without scaling, in colours that colour-blind readers tell apart, and never by
 * colour alone: bars have letters and numbers, lines have dashes and marks. */
#ifndef POSEMB_SVG_H
#define POSEMB_SVG_H

#include "markup.h"

#include <stdbool.h>
#include <stddef.h>

/* Series beyond so many have the colours of the first again. */
#define SVG_SERIES 8u

/* What a plot is in: units of 1/96 inch on a screen that shows it as it is. */
#define SVG_PLOT_WIDTH 360.0

/* The rules of style for everything that is drawn here; they stand once in a page or a picture. */
void svg_style(struct markup *markup);

/* ---- Bars */

struct svg_bar {
    unsigned series;
    char letter[4]; /* of the series */
    double value;
    char text[64];  /* after the bar; trusted */
    char hint[256]; /* shown by hovering; not trusted */
};

struct svg_group {
    char label[160]; /* not trusted */
    size_t first;    /* of the bars */
    size_t count;
};

struct svg_bars {
    const char *title; /* read to those who do not see it; not trusted */
    bool is_log;
    double base;  /* where bars begin, and where the line is that has a name: */
    double limit; /* in units of values; 0: there is none */
    const char *limit_name;
    const char *unit; /* after the numbers of the axis */
    size_t bar_count;
    size_t bar_capacity;
    struct svg_bar *bars;
    size_t group_count;
    size_t group_capacity;
    struct svg_group *groups;
};

/* Begin a group; append a bar to the last one. False: there is no memory. */
bool svg_add_group(struct svg_bars *plot, const char *label);
bool svg_add_bar(struct svg_bars *plot, const struct svg_bar *bar);
void svg_free_bars(struct svg_bars *plot);

double svg_bars_height(const struct svg_bars *plot);

/* Draw at (0, 0), SVG_PLOT_WIDTH wide. */
void svg_draw_bars(struct markup *markup, const struct svg_bars *plot);

/* ---- Lines */

#define SVG_POINTS_MAX 64u

struct svg_line {
    unsigned series;
    bool is_thick;
    char label[80]; /* not trusted */
    char text[32];  /* after the label; trusted */
    size_t count;
    double x[SVG_POINTS_MAX];
    double y[SVG_POINTS_MAX];
};

struct svg_lines {
    const char *title;
    const char *x_name;
    const char *y_name;
    double y_least; /* smaller values are drawn there */
    size_t count;
    const struct svg_line *lines;
};

double svg_lines_height(const struct svg_lines *plot);
void svg_draw_lines(struct markup *markup, const struct svg_lines *plot);

/* ---- Around them */

/* <svg>: `title` is not trusted. */
void svg_begin(struct markup *markup, const char *title, double width, double height);
void svg_end(struct markup *markup);

/* A mark of the shape and colour of a series, at (x, y). */
void svg_draw_mark(struct markup *markup, unsigned series, double x, double y, double size);

#endif
