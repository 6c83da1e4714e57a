/* The records of posemb bench: JSON lines (bench/README.md documents them), and a flat table of the
 * stage lines. Each line is in its file as soon as it has been measured. */
#ifndef POSEMB_BENCH_RECORDS_H
#define POSEMB_BENCH_RECORDS_H

#include "bench.h"
#include "file_bytes.h"

#include <jansson.h>

struct bench_records {
    file_output json; /* of zeros: none is wanted */
    file_output csv;
    bool has_lines;
    char run[17];
    char device[2 * sizeof((posemb_device_info *)0)->name]; /* for the flat table */
    posemb_error error;
};

/* Begin the files that are wanted; NULL: not that one. */
posemb_status bench_records_begin(struct bench_records *records, const char *json, const char *csv);

/* What was written takes the place of the files; where there is nothing, they stay as they were. */
posemb_status bench_records_end(struct bench_records *records);

/* The first line of a device; those that follow belong to it. `session` NULL: it did not open. */
posemb_status bench_records_run(struct bench_records *records, const posemb_device_info *info,
                                posemb_session *session, const char *mode);

/* A line of that kind; takes `object`. */
posemb_status bench_records_add(struct bench_records *records, const char *kind, json_t *object);

posemb_status bench_records_stage(struct bench_records *records,
                                  const struct bench_case *bench_case,
                                  const struct bench_result *result);
posemb_status bench_records_skip(struct bench_records *records, const char *what,
                                 const char *reason);

#endif
