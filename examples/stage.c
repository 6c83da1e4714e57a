/* stage.c: the whole embedding stage of BERT: words + learned positions + token types, LayerNorm,
 * and an output of half floats. Host memory in, host memory out. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_cl.h>

#include <stdio.h>

enum { VOCAB = 5, POSITIONS = 8, TYPES = 2, DIM = 6, BATCH = 1, LENGTH = 4 };

/* A model's tables: here some numbers. */
static void fill(float *table, int rows, float step)
{
    for (int i = 0; i < rows * DIM; i++)
        table[i] = step * (float)(i * 7 % 11 - 5);
}

int main(void)
{
    static float words[VOCAB * DIM], positions[POSITIONS * DIM], types[TYPES * DIM];
    static const float gamma[DIM] = {1, 1, 1, 1, 1, 1}, beta[DIM] = {0};
    const int32_t ids[BATCH * LENGTH] = {1, 4, 2, 3};
    const int32_t type_ids[BATCH * LENGTH] = {0, 0, 1, 1};
    uint16_t out[BATCH * LENGTH][DIM];
    posemb_record record = POSEMB_RECORD_CLEAR;
    posemb_session *session = NULL;
    posemb_error error;
    posemb_status status;

    fill(words, VOCAB, 0.25f);
    fill(positions, POSITIONS, 0.125f);
    fill(types, TYPES, 0.0625f);

    /* What to compute. Fields that are not here have their defaults: float tables, rows of zeros
     * for bad ids, positions from 0. */
    const posemb_desc desc = {
        .dim = DIM,
        .position_kind = POSEMB_LEARNED,
        .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN}}, /* CONSTANT: one row for all tokens */
        .norm = POSEMB_NORM_LAYER,
        .epsilon = 1e-12f,
        .out_storage = POSEMB_F16,
    };
    const posemb_host_args args = {
        .shape = {.batch = BATCH,
                  .length = LENGTH,
                  .vocab = VOCAB,
                  .position_rows = POSITIONS,
                  .extras = {{.rows = TYPES}}},
        .ids = ids,
        .table = words,
        .position_table = positions,
        .extras = {{.ids = type_ids, .table = types}},
        .gamma = gamma,
        .beta = beta,
        .out = out,
        .record = &record,
    };

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
    if (record.id_count || record.position_count || record.extras[0].count) {
        fprintf(stderr, "an id, a position or a type is outside its table\n");
        return 1;
    }
    for (int s = 0; s < LENGTH; s++)
        printf("word %d at %d, type %d: bits %04x %04x ...\n", (int)ids[s], s, (int)type_ids[s],
               (unsigned)out[s][0], (unsigned)out[s][1]);
    return 0;
}
