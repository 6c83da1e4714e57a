/* The three forms of the report: a page, a picture, a table. */
#ifndef POSEMB_REPORT_H
#define POSEMB_REPORT_H

#include "markup.h"
#include "report_bits.h"
#include "report_records.h"

struct report {
    const struct report_records *records;
    struct report_bits bits;
};

/* One HTML page that needs nothing else. */
void report_write_page(const struct report *report, struct markup *page);

/* One SVG picture, REPORT_PICTURE_WIDTH wide: the share of the copy limit by shape, and errors
 * against position. */
#define REPORT_PICTURE_WIDTH 800.0
void report_write_picture(const struct report *report, struct markup *picture);

/* Markdown. */
void report_write_markdown(const struct report *report, struct markup *text);

/* What the digests say, as a sentence of markup; and whether it is good. */
enum report_outcome { OUTCOME_NOTHING, OUTCOME_SAME, OUTCOME_DIFFER };
enum report_outcome report_verdict(const struct report *report, struct markup *sentence);

/* The least and the largest gain over a yardstick that a run has: of the plain stage, alone, where
 * it moves a MiB or more. False: there is none. */
bool report_gains_of_run(const struct report *report, size_t run, enum report_yardstick yardstick,
                         double range[2]);

#endif
