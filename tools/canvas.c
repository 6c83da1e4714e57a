/* A picture in memory, the texts on it, and the PNG file that it becomes. */
#include "canvas.h"

#include "file_bytes.h"
#include "status.h"

#include <stdbool.h>
#include <string.h>

#define FONT         "DejaVu Sans"
#define SIGNS        "\u2212\u00b7\u2070\u2074\u207b\u00d7\u00b0"
#define LINE_SPACING 1.35
#define LINE_BYTES   512u

static void set_font(const struct canvas *canvas, double size, cairo_font_weight_t weight)
{
    cairo_select_font_face(canvas->cairo, FONT, CAIRO_FONT_SLANT_NORMAL, weight);
    cairo_set_font_size(canvas->cairo, size);
}

/* Letters are where they are, and as they are, on every machine that has the font. */
static void set_font_options(const struct canvas *canvas)
{
    cairo_font_options_t *options = cairo_font_options_create();

    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(canvas->cairo, options);
    cairo_font_options_destroy(options);
}

/* Signs that not every font has; the one that cairo brings along has letters alone. */
static bool has_signs(const struct canvas *canvas)
{
    cairo_scaled_font_t *font;
    cairo_glyph_t *glyphs = NULL;
    int count = 0;
    bool all;

    set_font(canvas, TEXT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    font = cairo_get_scaled_font(canvas->cairo);
    all = cairo_scaled_font_get_type(font) != CAIRO_FONT_TYPE_USER &&
          cairo_scaled_font_text_to_glyphs(font, 0.0, 0.0, SIGNS, -1, &glyphs, &count, NULL, NULL,
                                           NULL) == CAIRO_STATUS_SUCCESS;
    for (int i = 0; i < count; i++)
        all = all && glyphs[i].index != 0;
    cairo_glyph_free(glyphs);
    return all;
}

posemb_status canvas_begin(int width, int height, struct canvas *canvas, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    canvas->width = width;
    canvas->height = height;
    canvas->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    canvas->cairo = cairo_create(canvas->surface);
    cairo_set_source_rgb(canvas->cairo, 1.0, 1.0, 1.0);
    cairo_paint(canvas->cairo);
    set_font_options(canvas);
    if (cairo_status(canvas->cairo) != CAIRO_STATUS_SUCCESS)
        status = posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no picture of %d x %d: %s", width,
                              height, cairo_status_to_string(cairo_status(canvas->cairo)));
    else if (!has_signs(canvas))
        status = posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                              "no font is installed that has the signs of a picture (Debian: "
                              "fonts-dejavu-core)");
    if (status != POSEMB_OK)
        canvas_end(canvas);
    return status;
}

void canvas_end(struct canvas *canvas)
{
    if (canvas->cairo)
        cairo_destroy(canvas->cairo);
    if (canvas->surface)
        cairo_surface_destroy(canvas->surface);
    memset(canvas, 0, sizeof *canvas);
}

void canvas_cut(struct canvas *canvas, int height)
{
    if (height < canvas->height)
        canvas->height = height;
}

/* A file being written, and why that failed. */
struct png_output {
    file_output file;
    posemb_status status;
    posemb_error *error;
};

static cairo_status_t write_png(void *context, const unsigned char *bytes, unsigned size)
{
    struct png_output *output = context;

    output->status = file_output_write(&output->file, bytes, size, output->error);
    return output->status == POSEMB_OK ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

/* The rows of the canvas as a picture of their own. */
static cairo_status_t write_rows(const struct canvas *canvas, struct png_output *output)
{
    cairo_surface_t *rows;
    cairo_status_t status;

    cairo_surface_flush(canvas->surface);
    rows = cairo_image_surface_create_for_data(cairo_image_surface_get_data(canvas->surface),
                                               CAIRO_FORMAT_RGB24, canvas->width, canvas->height,
                                               cairo_image_surface_get_stride(canvas->surface));
    status = cairo_surface_write_to_png_stream(rows, write_png, output);
    cairo_surface_destroy(rows);
    return status;
}

posemb_status canvas_write(const struct canvas *canvas, const char *path, posemb_error *error)
{
    struct png_output output = {.error = error};
    posemb_status status = file_output_begin(path, &output.file, error);
    cairo_status_t written;

    if (status != POSEMB_OK)
        return status;
    written = cairo_status(canvas->cairo);
    if (written == CAIRO_STATUS_SUCCESS)
        written = write_rows(canvas, &output);
    if (output.status != POSEMB_OK)
        return output.status;
    if (written == CAIRO_STATUS_SUCCESS)
        return file_output_commit(&output.file, error);
    status = posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "%s: no picture: %s", output.file.shown,
                          cairo_status_to_string(written));
    file_output_abandon(&output.file);
    return status;
}

void canvas_colour(const struct canvas *canvas, colour wanted)
{
    cairo_set_source_rgb(canvas->cairo, colour_part(wanted, 16), colour_part(wanted, 8),
                         colour_part(wanted, 0));
}

static double advance_of(const struct canvas *canvas, const char *text)
{
    cairo_text_extents_t extents;

    cairo_text_extents(canvas->cairo, text, &extents);
    return extents.x_advance;
}

double canvas_text_width(const struct canvas *canvas, double size, const char *text)
{
    set_font(canvas, size, CAIRO_FONT_WEIGHT_NORMAL);
    return advance_of(canvas, text);
}

void canvas_text(const struct canvas *canvas, double x, double y, enum canvas_align align,
                 double size, const char *text)
{
    const double width = canvas_text_width(canvas, size, text);

    if (align != ALIGN_LEFT)
        x -= align == ALIGN_MIDDLE ? width / 2.0 : width;
    cairo_move_to(canvas->cairo, x, y);
    cairo_show_text(canvas->cairo, text);
}

void canvas_title(const struct canvas *canvas, double x, double y, double size, const char *text)
{
    set_font(canvas, size, CAIRO_FONT_WEIGHT_BOLD);
    cairo_move_to(canvas->cairo, x, y);
    cairo_show_text(canvas->cairo, text);
}

void canvas_text_upwards(const struct canvas *canvas, double x, double y, double size,
                         const char *text)
{
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x, y);
    cairo_rotate(canvas->cairo, -1.5707963267948966);
    canvas_text(canvas, 0.0, size * 0.35, ALIGN_MIDDLE, size, text);
    cairo_restore(canvas->cairo);
}

/* The bytes of the words that fit into a line, one word at least; `line` receives them. */
static size_t take_line(const struct canvas *canvas, const char *text, double width,
                        char line[LINE_BYTES])
{
    size_t taken = 0;

    while (text[taken]) {
        const size_t spaces = strspn(text + taken, " ");
        const size_t end = taken + spaces + strcspn(text + taken + spaces, " ");

        if (end >= LINE_BYTES)
            break;
        memcpy(line, text, end);
        line[end] = '\0';
        if (taken > 0 && advance_of(canvas, line) > width)
            break;
        taken = end;
    }
    line[taken] = '\0';
    return taken;
}

double canvas_paragraph(const struct canvas *canvas, double x, double y, double width, double size,
                        const char *text)
{
    char line[LINE_BYTES];

    set_font(canvas, size, CAIRO_FONT_WEIGHT_NORMAL);
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        const size_t taken = take_line(canvas, text, width, line);

        if (taken == 0)
            break; /* a word longer than any line */
        canvas_text(canvas, x, y, ALIGN_LEFT, size, line);
        text += taken;
        y += size * LINE_SPACING;
    }
    return y;
}
