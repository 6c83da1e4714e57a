/* One trial: an encoder learns one task with one kind of positions from one seed. */
#ifndef POSEMB_EXPERIMENT_TRIAL_H
#define POSEMB_EXPERIMENT_TRIAL_H

#include "stage.h"
#include "tasks.h"

/* What is the same in all trials. */
enum {
    TRIAL_DIM = 32,
    TRIAL_HEADS = 2,
    TRIAL_HIDDEN = 64,
    TRIAL_BLOCKS = 2,
    TRIAL_STRIDE = 20, /* steps from test to test */
    TRIAL_STEPS_MAX = 2000,
    TRIAL_TESTS_MAX = TRIAL_STEPS_MAX / TRIAL_STRIDE,
    TRIAL_TESTS = 6,       /* batches of each */
    TRIAL_LAST_TESTS = 16, /* batches at the end */
    TRIAL_DIGEST_SIZE = 17
};

struct trial {
    /* In: */
    enum task_kind task;
    enum stage_positions positions;
    double base; /* of the sinusoids */
    uint32_t seed;
    uint32_t steps; /* 1 ... TRIAL_STEPS_MAX */
    /* Out: */
    double
        losses[TRIAL_TESTS_MAX]; /* [steps / TRIAL_STRIDE], mean cross entropy of as many steps */
    double accuracies[TRIAL_TESTS_MAX]; /* likewise, of tests after them */
    double accuracy;                    /* at the end, on more batches */
    double by_place[TASK_PLACES_MAX];   /* likewise, at each place of sequences of long_length */
    uint32_t steps_to_95; /* the first test from which on all have 95 % or more; 0: none */
    size_t parameters;    /* of stage and encoder together */
    size_t position_parameters;
    char digest[TRIAL_DIGEST_SIZE]; /* of the bits of all of them at the end */
};

/* Threads: any number, each with a trial of its own. */
posemb_status trial_run(posemb_session *session, struct trial *trial, posemb_error *error);

#endif
