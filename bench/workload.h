/* The data of a shape: on the host for the reference, on the device for stage and yardsticks. All
 * cases of the shape use them. */
#ifndef POSEMB_BENCH_WORKLOAD_H
#define POSEMB_BENCH_WORKLOAD_H

#include "bench.h"
#include "storage.h"

enum { WORKLOAD_STORAGES = POSEMB__STORAGES + 1, WORKLOAD_TYPES = 2, WORKLOAD_PAD_ID = 1 };

/* A table in a storage, made when the first case needs it. */
struct workload_table {
    void *host;
    cl_mem device;
};

struct workload {
    posemb_session *session;
    uint32_t batch;
    uint32_t length;
    uint32_t dim;
    uint64_t tokens;
    bool hot_rows;
    bool pads;
    enum bench_ids ids_kind;
    uint64_t vocab;
    uint64_t base_rows; /* those that the ids of set 0 are among: the same on every device */
    uint32_t sets;      /* launch k uses set k % sets of the ids, so that cold rows stay cold */
    float *base;        /* [base_rows, D]; row r of every table is row r % base_rows, converted */
    struct workload_table tables[WORKLOAD_STORAGES];
    int32_t *ids; /* [sets, T] */
    cl_mem device_ids;
    uint64_t position_rows;
    int64_t *positions; /* [T], 0 ... position_rows - 1 */
    cl_mem device_positions;
    float *floats; /* positions [position_rows, D], types [TYPES, D], gamma [D], beta [D], scales
                      [vocab] */
    size_t float_count;
    cl_mem device_floats;
    size_t out_bytes; /* room for floats */
    cl_mem device_out;
};

/* NULL, or why the device or this machine has no room for a case; may be written to `reason`. */
const char *workload_has_no_room(posemb_session *session, const struct bench_case *bench_case,
                                 char *reason, size_t size);

/* Bytes that a measurement needs beside the data of its case. */
struct workload_beside {
    uint64_t largest; /* buffer */
    uint64_t device;
    uint64_t host;
};
const char *workload_has_no_room_beside(posemb_session *session,
                                        const struct bench_case *bench_case,
                                        const struct workload_beside *beside, char *reason,
                                        size_t size);

/* The rows that the ids of set 0 are among. */
uint64_t workload_base_rows(const struct bench_case *bench_case);

posemb_status workload_create(posemb_session *session, const struct bench_case *bench_case,
                              struct workload *workload, posemb_error *error);
void workload_destroy(struct workload *workload);

/* Whether the data of a workload are those of a case. */
bool workload_fits(const struct workload *workload, const struct bench_case *bench_case);

/* Make the table in that storage, unless it is there. */
posemb_status workload_need_table(struct workload *workload, posemb_storage storage,
                                  posemb_error *error);

/* Where they lie in `floats`, counted in floats. */
size_t workload_types(const struct workload *workload);
size_t workload_gamma(const struct workload *workload);
size_t workload_beta(const struct workload *workload);
size_t workload_scales(const struct workload *workload);

/* Where the source rows of set `set` begin in a table of that storage: a row, and its place in
 * bytes, a multiple of 64. Copies read there, and so does ADD. */
size_t workload_source_offset(const struct workload *workload, posemb_storage storage,
                              uint32_t set);

#endif
