/* A picture in memory, the texts on it, and the PNG file that it becomes. Lengths are in pixels, y
 * grows downwards; texts are UTF-8. */
#ifndef POSEMB_CANVAS_H
#define POSEMB_CANVAS_H

#include "colour_map.h"

#include <posemb/posemb.h>

#include <cairo.h>

#define TEXT_SMALL  14.0
#define TEXT_NORMAL 16.0
#define TEXT_TITLE  22.0

#define COLOUR_TEXT  0x222222u
#define COLOUR_FRAME 0x666666u
#define COLOUR_GRID  0xdddddfu

struct canvas {
    cairo_surface_t *surface;
    cairo_t *cairo;
    int width;
    int height;
};

enum canvas_align { ALIGN_LEFT, ALIGN_MIDDLE, ALIGN_RIGHT };

/* A white canvas. POSEMB_OUT_OF_MEMORY; POSEMB_UNSUPPORTED where no font is to be found. On failure
 * there is nothing to end. */
posemb_status canvas_begin(int width, int height, struct canvas *canvas, posemb_error *error);

/* Write a PNG file, whole or not at all. */
posemb_status canvas_write(const struct canvas *canvas, const char *path, posemb_error *error);

/* Leave out what is below that height, where there is anything. */
void canvas_cut(struct canvas *canvas, int height);

/* Accepts zeros. */
void canvas_end(struct canvas *canvas);

void canvas_colour(const struct canvas *canvas, colour wanted);

/* One line, whose letters stand on y. */
void canvas_text(const struct canvas *canvas, double x, double y, enum canvas_align align,
                 double size, const char *text);
void canvas_title(const struct canvas *canvas, double x, double y, double size, const char *text);

/* One line that is read from below, with its middle at (x, y). */
void canvas_text_upwards(const struct canvas *canvas, double x, double y, double size,
                         const char *text);

double canvas_text_width(const struct canvas *canvas, double size, const char *text);

/* Lines of at most `width`, the first of which stands on y; returns the y of the line after them.
 */
double canvas_paragraph(const struct canvas *canvas, double x, double y, double width, double size,
                        const char *text);

#endif
