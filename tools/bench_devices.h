/* posemb bench --devices: a call split over several devices, beside each of them alone. */
#ifndef POSEMB_TOOLS_BENCH_DEVICES_H
#define POSEMB_TOOLS_BENCH_DEVICES_H

#include "bench_records.h"

/* Measure one shape, print it and add its records. `*matches` is false where bits differ from the
 * reference. A failure's message is in `error`, or records->error where writing failed. */
posemb_status bench_devices_report(posemb_session *session, const uint32_t shape[3],
                                   struct bench_records *records, bool *matches,
                                   posemb_error *error);

#endif
