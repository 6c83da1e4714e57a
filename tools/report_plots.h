/* Which records go into which plot. */
#ifndef POSEMB_REPORT_PLOTS_H
#define POSEMB_REPORT_PLOTS_H

#include "report_records.h"
#include "svg.h"

/* Other packages that were measured, in the order of their first records. */
#define REPORT_PACKAGES_MAX 26u
struct report_packages {
    size_t count;
    const char *names[REPORT_PACKAGES_MAX];
};

void report_packages(const struct report_records *records, struct report_packages *packages);

/* The number of a record's package; `count` where it is not there. */
size_t report_package_of(const struct report_packages *packages, const struct peer_record *peer);

/* "a", "b", ... */
void report_package_letter(size_t package, char letter[4]);

/* Plots of stages that move a MiB or more. */
enum report_plot {
    PLOT_SHAPES,       /* the plain stage: share of the copy limit, by shape */
    PLOT_READERS,      /* the same with a reader after it */
    PLOT_STORAGES,     /* types of table and output, a plot for each shape */
    PLOT_VARIATIONS,   /* norms, positions, operations, ids, all else, likewise */
    PLOT_PARTS,        /* the parts of posemb bench --parts, likewise */
    PLOT_GATHER_TABLE, /* times as fast as gather + precomputed table, by shape and variation */
    PLOT_UNFUSED,
    PLOT_VENDOR_SIN,
    PLOT_FIRST_CALLS, /* seconds to the end of the first launch, by what the process finds */
    PLOT_PEERS,       /* times as fast as other packages, a plot for each shape */
    PLOT_COUNT
};

/* No plot has more bars: the tables have all. */
#define REPORT_BARS_MAX 400u

/* The shapes of the records of a plot that has one of its own for each shape. */
#define REPORT_SHAPES_MAX 16u
struct plot_shapes {
    size_t count;
    bool has_more;
    int64_t shapes[REPORT_SHAPES_MAX][3];
};

void report_plot_shapes(const struct report_records *records, enum report_plot which,
                        struct plot_shapes *shapes);

/* Make the bars of one plot; none where no record belongs to it. svg_free_bars() frees them.
 *
 * @param shape          [B, S, D] of the records; NULL: any.
 * @param[out] left_out  bars beyond REPORT_BARS_MAX.
 * @return POSEMB_OK, POSEMB_OUT_OF_MEMORY. */
posemb_status report_plot_bars(const struct report_records *records, enum report_plot which,
                               const int64_t *shape, struct svg_bars *plot, size_t *left_out,
                               posemb_error *error);

/* Errors against position. */
#define REPORT_LINES_MAX 32u

struct report_lines {
    size_t count;
    struct svg_line lines[REPORT_LINES_MAX];
};

/* One line for each method of a run. */
void report_accuracy_of_run(const struct report_records *records, size_t run,
                            struct report_lines *lines);

/* posemb once, then `method` of each run that has it. */
void report_accuracy_of_method(const struct report_records *records, const char *method,
                               struct report_lines *lines);

/* The axes of both. */
struct svg_lines report_accuracy_plot(const struct report_lines *lines);

#endif
