/* Whether the devices gave the same bits: digests of the same configuration side by side. */
#ifndef POSEMB_REPORT_BITS_H
#define POSEMB_REPORT_BITS_H

#include "report_records.h"

/* Records whose digests are of the same values, if the bits are. */
struct bits_group {
    size_t first; /* in report_bits.records */
    size_t count;
    size_t runs;
    bool differ; /* there is more than one digest, be it in one run */
};

struct report_bits {
    const struct report_record **records; /* by group, then by run */
    struct bits_group *groups;
    const struct report_record **stages; /* all of them, by configuration, then by run */
    size_t stage_count;
    size_t group_count;
    size_t compared;         /* groups of more than one run */
    size_t compared_runs;    /* runs that take part in them */
    size_t differing;        /* those that differ */
    size_t unverified;       /* records, of all kinds, in which values differ from the reference */
    size_t verified;         /* likewise, in which none does */
    bool is_of_many_kernels; /* runs have different kernel sources */
};

posemb_status report_bits_compare(const struct report_records *records, struct report_bits *bits,
                                  posemb_error *error);

/* The digest of a record that is in a group. */
const char *report_bits_digest(const struct report_record *record);

void report_bits_free(struct report_bits *bits);

#endif
