/* Which records belong to a plot, and what they are called there. */
#ifndef POSEMB_REPORT_VALUES_H
#define POSEMB_REPORT_VALUES_H

#include "report_names.h"
#include "report_plots.h"

struct plot_value {
    double value;         /* 0: the record does not belong to the plot */
    bool is_plain;        /* it is there to compare with */
    const int64_t *shape; /* NULL: it has none */
    char label[REPORT_NAME_SIZE];
};

void report_evaluate(const struct report_record *record, enum report_plot which,
                     struct plot_value *value);

/* The texts of a bar that has its letter. */
void report_describe(const struct report_record *record, enum report_plot which, double value,
                     struct svg_bar *bar);

#endif
