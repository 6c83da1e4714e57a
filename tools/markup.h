/* A text in the making: HTML, SVG or Markdown. A failure to get memory is remembered, so that only
 * the end has to ask. */
#ifndef POSEMB_MARKUP_H
#define POSEMB_MARKUP_H

#include <posemb/posemb.h>

#include <stdbool.h>
#include <stddef.h>

/* All zeros: empty. */
struct markup {
    char *bytes;
    size_t size;
    size_t capacity;
    bool failed;
};

/* Append text that is markup itself. */
void markup_add(struct markup *markup, const char *text);

/* Append formatted markup. Untrusted text goes through markup_escape(), not through here. */
void markup_format(struct markup *markup, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append untrusted text for an element or a quoted attribute of XML or HTML. Controls, marks of
 * direction and other invisible characters become \uXXXX; what is not UTF-8 becomes U+FFFD. */
void markup_escape(struct markup *markup, const char *text);

/* The same for a cell of a table in Markdown. */
void markup_escape_cell(struct markup *markup, const char *text);

/* POSEMB_OUT_OF_MEMORY where anything is missing in it. */
posemb_status markup_check(const struct markup *markup, posemb_error *error);

void markup_free(struct markup *markup);

#endif
