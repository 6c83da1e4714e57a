/* What all pictures share: titles, captions, names of numbers. */
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 1200, MARGIN = 28, CAPTION_ROOM = 400 };

/* The end of a text that fits into the picture, after dots where that is not all. */
static void fit_text(const struct canvas *canvas, const char *text, char fitted[VIEW_TEXT_SIZE])
{
    snprintf(fitted, VIEW_TEXT_SIZE, "%s", text);
    while (*text && canvas_text_width(canvas, TEXT_NORMAL, fitted) > WIDTH - 2 * MARGIN) {
        do
            text++;
        while ((*text & 0xc0) == 0x80); /* within a character of UTF-8 */
        snprintf(fitted, VIEW_TEXT_SIZE, "...%s", text);
    }
}

posemb_status view_begin(struct view *view, const char *title, const char *subtitle,
                         double caption_y, posemb_error *error)
{
    const posemb_status status =
        canvas_begin(WIDTH, (int)caption_y + CAPTION_ROOM, &view->canvas, error);
    char fitted[VIEW_TEXT_SIZE];

    if (status != POSEMB_OK)
        return status;
    view->caption_y = caption_y;
    if (!view->numbers)
        view->numbers = json_object();
    fit_text(&view->canvas, subtitle, fitted);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_title(&view->canvas, MARGIN, 38.0, TEXT_TITLE, title);
    canvas_text(&view->canvas, MARGIN, 64.0, ALIGN_LEFT, TEXT_NORMAL, fitted);
    return POSEMB_OK;
}

void view_say(struct view *view, const char *format, ...)
{
    const size_t used = strlen(view->caption);
    va_list values;

    va_start(values, format);
    vsnprintf(view->caption + used, sizeof view->caption - used, format, values);
    va_end(values);
}

void view_say_bad(struct view *view, const struct view_table *table)
{
    if (table->bad_count)
        view_say(view,
                 " %" PRIu64 " value%s no finite number%s, the first in row %" PRIu64
                 ", channel %" PRIu32 ".",
                 table->bad_count, table->bad_count == 1 ? " is" : "s are",
                 table->bad_count == 1 ? "" : "s", table->bad_row, table->bad_channel);
}

void view_end(struct view *view)
{
    double end;

    canvas_colour(&view->canvas, COLOUR_TEXT);
    end = canvas_paragraph(&view->canvas, MARGIN, view->caption_y, WIDTH - 2 * MARGIN, TEXT_NORMAL,
                           view->caption);
    canvas_cut(&view->canvas, (int)end + 4);
    json_object_set_new(view->numbers, "caption", json_string(view->caption));
}

void view_free(struct view *view)
{
    canvas_end(&view->canvas);
    json_decref(view->numbers);
    memset(view, 0, sizeof *view);
}

json_t *view_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *view_numbers(const double *values, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, view_number(values[i]));
    return list;
}
