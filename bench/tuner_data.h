/* The data of one case of the tuner: on the device, and what the reference makes of it. */
#ifndef POSEMB_BENCH_TUNER_DATA_H
#define POSEMB_BENCH_TUNER_DATA_H

#include "tuner.h"

/* A case is launched as a batch, as one long row, and as a few tokens. */
enum { TUNER_BATCH, TUNER_ROW, TUNER_FEW, TUNER_PROBES };

/* Launch k takes the ids (or rows) of set k % TUNER_SETS, so that rows stay cold. */
enum { TUNER_SETS = 4 };

struct tuner_data {
    posemb_session *session;
    posemb_desc desc; /* resolved */
    uint64_t tokens;  /* of the larger probes */
    uint64_t vocab;
    posemb_shape shape[TUNER_PROBES];
    unsigned char *table; /* [vocab, D] of the case's storage; of ADD: the rows to add to */
    size_t table_bytes;
    int32_t *ids;  /* [TUNER_SETS, tokens] */
    float *floats; /* scales [vocab], gamma [D], beta [D], positions [tokens, D] */
    size_t float_count;
    unsigned char *expected[TUNER_PROBES]; /* of set 0 */
    unsigned char *found;
    cl_mem device_table;
    cl_mem device_ids;
    cl_mem device_floats;
    cl_mem device_out;
};

/* `out_bytes`: of the output of the larger probes, about. */
posemb_status tuner_data_create(posemb_session *session, const struct tuner_case *tuned,
                                size_t out_bytes, struct tuner_data *data, posemb_error *error);
void tuner_data_destroy(struct tuner_data *data);

posemb_args tuner_data_args(const struct tuner_data *data, int probe, uint32_t set);

/* Bytes of the output of a probe. */
size_t tuner_data_out_bytes(const struct tuner_data *data, int probe);

/* Launch each probe with set 0 and count the elements whose bits differ from the reference's. */
posemb_status tuner_data_verify(struct tuner_data *data, const posemb_plan *plan, size_t *differing,
                                posemb_error *error);

#endif
