/* What the measurements of one device share. */
#ifndef POSEMB_BENCH_MEASURE_H
#define POSEMB_BENCH_MEASURE_H

#include "workload.h"
#include "yardstick.h"

struct bench {
    posemb_session *session;
    struct bench_settings settings;
    struct yardsticks yardsticks;
    struct workload workload; /* of the last case */
};

/* Make the data of a case, unless those of the last one fit. */
posemb_status bench_need_workload(struct bench *bench, const struct bench_case *bench_case,
                                  posemb_error *error);

#endif
