/* Pieces of an HTML page. */
#include "html.h"

#include <stdarg.h>
#include <stdio.h>

#define DASH "\xe2\x80\x93"

void html_table_begin(struct markup *markup, const char *caption, const char *const *headings,
                      size_t count)
{
    markup_format(markup,
                  "<div class=\"scroll\" "
                  "tabindex=\"0\"><table>\n<caption><span>%s</span></caption>\n<thead><tr>",
                  caption);
    for (size_t i = 0; i < count; i++)
        markup_format(markup, "<th scope=\"col\"%s>%s</th>",
                      *headings[i] == HTML_RIGHT[0] ? " class=\"r\"" : "",
                      headings[i] + (*headings[i] == HTML_RIGHT[0]));
    markup_add(markup, "</tr></thead>\n<tbody>\n");
}

void html_table_end(struct markup *markup)
{
    markup_add(markup, "</tbody></table></div>\n");
}

void html_row_begin(struct markup *markup)
{
    markup_add(markup, "<tr>");
}

void html_row_end(struct markup *markup)
{
    markup_add(markup, "</tr>\n");
}

void html_cell(struct markup *markup, const char *text)
{
    markup_add(markup, "<td>");
    markup_escape(markup, *text ? text : DASH);
    markup_add(markup, "</td>");
}

void html_head_cell(struct markup *markup, const char *text)
{
    markup_add(markup, "<th scope=\"row\">");
    markup_escape(markup, *text ? text : DASH);
    markup_add(markup, "</th>");
}

void html_number(struct markup *markup, const char *format, ...)
{
    char text[128];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    markup_format(markup, "<td class=\"n\">%s</td>", *text ? text : DASH);
}
