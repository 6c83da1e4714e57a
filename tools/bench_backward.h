/* posemb bench --backward: gradients of the stage, each beside copies of as many bytes. */
#ifndef POSEMB_TOOLS_BENCH_BACKWARD_H
#define POSEMB_TOOLS_BENCH_BACKWARD_H

#include "bench_records.h"

/* Measure one shape, print it and add its records. `*matches` is false where bits differ from the
 * reference. A failure's message is in `error`, or records->error where writing failed. */
posemb_status bench_backward_report(struct bench *bench, const uint32_t shape[3],
                                    struct bench_records *records, bool *matches,
                                    posemb_error *error);

#endif
