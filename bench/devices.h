/* A call that is split over several devices, beside the same call on each of them alone. */
#ifndef POSEMB_BENCH_DEVICES_H
#define POSEMB_BENCH_DEVICES_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>

/* Which devices: all of the platform, or equal parts of the device of the session. */
enum bench_devices_kind { BENCH_PLATFORM_DEVICES, BENCH_SUB_DEVICES, BENCH_DEVICES_KINDS };

extern const char *const bench_devices_names[BENCH_DEVICES_KINDS];

/* Seconds of one call: the smallest of `repeats` samples, interleaved. Weights are measured first:
 * the rate of each device alone. */
struct bench_devices {
    const char *skipped; /* NULL, or why there is nothing to measure */
    uint32_t count;
    cl_uint compute_units[POSEMB_SHARES_MAX];
    double weights[POSEMB_SHARES_MAX]; /* their sum is 1 */
    double alone_seconds[POSEMB_SHARES_MAX];
    double single_seconds; /* the fastest of them */
    double whole_seconds;  /* the device of which they are parts; 0: they are none */
    double seconds;        /* split */
    uint32_t repeats;
    uint32_t launches; /* in one sample */
    size_t differing;  /* elements of any of these outputs whose bits differ from the reference;
                          there are times only where it is 0 */
};

/* `encode` of float rows with sinusoids by index, cold rows. */
posemb_status bench_devices_run(posemb_session *session, enum bench_devices_kind kind,
                                const uint32_t shape[3], struct bench_devices *result,
                                posemb_error *error);

#endif
