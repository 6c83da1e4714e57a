/* Pieces of an HTML page that is well-formed XML too. Headings and captions are markup; texts of
 * cells are not trusted. */
#ifndef POSEMB_HTML_H
#define POSEMB_HTML_H

#include "markup.h"

/* A table in a box that scrolls by itself. Headings that begin with HTML_RIGHT are set to the
 * right.
 */
#define HTML_RIGHT ">"
void html_table_begin(struct markup *markup, const char *caption, const char *const *headings,
                      size_t count);
void html_table_end(struct markup *markup);

void html_row_begin(struct markup *markup);
void html_row_end(struct markup *markup);

/* A cell of text; an empty one is a dash. */
void html_cell(struct markup *markup, const char *text);

/* A cell of text that heads its row. */
void html_head_cell(struct markup *markup, const char *text);

/* A cell that is set to the right, of trusted text. */
void html_number(struct markup *markup, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
