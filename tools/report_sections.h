/* The sections of the page. Each writes nothing where no record belongs to it. */
#ifndef POSEMB_REPORT_SECTIONS_H
#define POSEMB_REPORT_SECTIONS_H

#include "report.h"
#include "report_plots.h"

typedef void (*report_section)(const struct report *report, struct markup *body);

void section_glance(const struct report *report, struct markup *body);
void section_devices(const struct report *report, struct markup *body);
void section_bits(const struct report *report, struct markup *body);

void section_shares(const struct report *report, struct markup *body);
void section_gains(const struct report *report, struct markup *body);
void section_small(const struct report *report, struct markup *body);
void section_timing(const struct report *report, struct markup *body);
void section_first_calls(const struct report *report, struct markup *body);
void section_accuracy(const struct report *report, struct markup *body);
void section_peers(const struct report *report, struct markup *body);

void section_rules(const struct report *report, struct markup *body);
void section_enqueue(const struct report *report, struct markup *body);
void section_split(const struct report *report, struct markup *body);
void section_skipped(const struct report *report, struct markup *body);
void section_reading(const struct report *report, struct markup *body);
void section_numbers(const struct report *report, struct markup *body);

/* The letter of a run as the head cell of a row. */
void write_run_cell(struct markup *body, size_t run);

/* Cells of a time, and of a ratio; a dash for 0. */
void write_time_cell(struct markup *body, double seconds);
void write_ratio_cell(struct markup *body, double ratio);

/* The mark, letter and device of every run. */
void write_legend(const struct report *report, struct markup *body);

#endif
