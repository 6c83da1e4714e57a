/* What all pictures share: titles, captions, names of numbers. */
#include "view.h"

#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MARGIN = 28 };

posemb_status view_begin(struct view *view, int width, int height, const char *title,
                         const char *subtitle, posemb_error *error)
{
    const posemb_status status = canvas_begin(width, height, &view->canvas, error);

    if (status != POSEMB_OK)
        return status;
    if (!view->numbers)
        view->numbers = json_object();
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_title(&view->canvas, MARGIN, 38.0, TEXT_TITLE, title);
    canvas_text(&view->canvas, MARGIN, 64.0, ALIGN_LEFT, TEXT_NORMAL, subtitle);
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

void view_end(struct view *view, int height)
{
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_paragraph(&view->canvas, MARGIN, view->canvas.height - height,
                     view->canvas.width - 2 * MARGIN, TEXT_NORMAL, view->caption);
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

posemb_status view_no_memory(const char *what, posemb_error *error)
{
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %s", what);
}
