/* The data of one case: on the host for the reference, on the device for the stage. */
#ifndef POSEMB_BENCH_WORKLOAD_H
#define POSEMB_BENCH_WORKLOAD_H

#include "bench.h"

/* Launch k of a case uses set k % WORKLOAD_SETS of the ids (or rows), so that cold rows stay cold.
 */
enum { WORKLOAD_SETS = 8 };

struct workload {
    posemb_desc desc;
    posemb_shape shape;
    uint64_t tokens;
    size_t out_bytes;
    size_t table_bytes;
    float *table;       /* [vocab, D]; of ADD: the rows are windows of it */
    int32_t *ids;       /* [WORKLOAD_SETS, T] */
    int64_t *positions; /* [T], explicit positions only */
    float *out;         /* [T, D] read back */
    float *expected;    /* [T, D] of the reference */
    cl_mem device_table;
    cl_mem device_ids;
    cl_mem device_positions;
    cl_mem device_out;
};

posemb_status workload_create(posemb_session *session, const struct bench_case *bench_case,
                              struct workload *workload, posemb_error *error);
void workload_destroy(struct workload *workload);

/* Where the source rows of set `set` begin in the table, in bytes: a multiple of 64. Copies read
 * there, and so does ADD. */
size_t workload_source_offset(const struct workload *workload, uint32_t set);

/* The arguments of a launch with set `set`. */
posemb_args workload_args(const struct workload *workload, uint32_t set);

/* A call on the data of a workload, for the device and for the reference: a plan, and arguments for
 * set 0. */
struct workload_call {
    posemb_plan *plan; /* the call's */
    posemb_args args;
    posemb_host_args host;
};

/* Launch the call with set 0, and add to `*differing` the elements of its output whose bits differ
 * from the reference's. */
posemb_status workload_call_verify(posemb_session *session, struct workload *workload,
                                   const struct workload_call *call, size_t *differing,
                                   posemb_error *error);

/* Seconds of one launch with set `set`, from posemb_enqueue() to the end of clFinish(). */
posemb_status workload_call_time(posemb_session *session, const struct workload *workload,
                                 const struct workload_call *call, uint32_t set, double *seconds,
                                 posemb_error *error);

/* How often a round of samples that takes `round_seconds` is repeated within `seconds`, within
 * bounds. */
enum { WORKLOAD_REPEATS_MIN = 15, WORKLOAD_REPEATS_MAX = 200 };
uint32_t workload_repeats(double seconds, double round_seconds);

/* Compare the output that lies on the device with the reference of set `set`. */
posemb_status workload_verify(posemb_session *session, struct workload *workload, uint32_t set,
                              size_t *differing, posemb_error *error);

#endif
