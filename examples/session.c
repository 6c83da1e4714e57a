/* session.c: posemb without OpenCL of your own. Host memory in, host memory out. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_cl.h>

#include <stdio.h>

enum { VOCAB = 4, DIM = 6, BATCH = 2, LENGTH = 3 };

int main(void)
{
    const posemb_desc desc = {.dim = DIM, .token_scale = 2.0f}; /* the rest: defaults */
    const int32_t ids[BATCH][LENGTH] = {{0, 1, 2}, {3, 2, 1}};
    float tokens[VOCAB][DIM];
    float out[BATCH][LENGTH][DIM];
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_host_args args = {
        .shape = {.batch = BATCH, .length = LENGTH, .vocab = VOCAB, .start = 100},
        .ids = ids,
        .table = tokens,
        .out = out,
        .record = &record,
    };
    posemb_session *session = NULL;
    posemb_error error;
    posemb_status status;

    for (int row = 0; row < VOCAB; row++)
        for (int channel = 0; channel < DIM; channel++)
            tokens[row][channel] = (float)row + 0.125f * (float)channel;

    /* NULL: the first usable device. */
    status = posemb_session_create(NULL, NULL, &session, &error);
    if (status == POSEMB_OK)
        status = posemb_session_run(session, &desc, &args, &error);
    if (status == POSEMB_NO_DEVICE) /* the same bits, on the CPU */
        status = posemb_reference_run(&desc, &args, &error);
    posemb_session_destroy(session);
    if (status != POSEMB_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (record.id_count) {
        fprintf(stderr, "%u ids are outside the table\n", (unsigned)record.id_count);
        return 1;
    }
    for (int s = 0; s < LENGTH; s++)
        printf("row 0, position %d: %9.6f %9.6f ...\n", 100 + s, (double)out[0][s][0],
               (double)out[0][s][1]);
    return 0;
}
