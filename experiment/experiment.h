/* All trials of the experiment, and what they come to. */
#ifndef POSEMB_EXPERIMENT_EXPERIMENT_H
#define POSEMB_EXPERIMENT_EXPERIMENT_H

#include "trial.h"

#include <stdbool.h>

enum { EXPERIMENT_SEEDS_MAX = 100, EXPERIMENT_THREADS_MAX = 64 };

struct experiment_settings {
    uint32_t seeds; /* 1, 2, ... of them */
    uint32_t steps; /* 0: those of each task */
    uint32_t threads;
    double base;       /* of the sinusoids; POSEMB_BASE_MIN ... MAX */
    bool tasks[TASKS]; /* which of them */
    /* NULL, or called after each trial, by one thread at a time. */
    void (*progress)(void *context, const struct trial *trial, size_t done, size_t all);
    void *context;
};

struct experiment {
    struct experiment_settings settings;
    size_t count;
    struct trial *trials; /* by task, positions, seed */
};

/* Run them. Nothing of the results depends on threads or device. On failure there is nothing to
 * free. */
posemb_status experiment_run(posemb_session *session, const struct experiment_settings *settings,
                             struct experiment *experiment, posemb_error *error);
void experiment_free(struct experiment *experiment);

/* The [seeds] trials of a task with a kind of positions; NULL: the task was left out. */
const struct trial *experiment_trials(const struct experiment *experiment, enum task_kind task,
                                      enum stage_positions positions);

/* Numbers of several seeds. */
struct spread {
    double mean;
    double deviation; /* of the sample; 0 of one */
    double least;
    double most;
};

struct spread spread_of(const double *values, size_t count);

/* What a trial has to say: the accuracy at the end, or at a place of the long sequences; loss or
 * accuracy after (index + 1) * TRIAL_STRIDE steps. */
enum trial_number { NUMBER_ACCURACY, NUMBER_BY_PLACE, NUMBER_LOSS, NUMBER_TEST };

/* Over the seeds. */
struct spread experiment_spread(const struct experiment *experiment, const struct trial *trials,
                                enum trial_number number, size_t index);

/* Of the mean accuracy at some places of the long sequences. */
struct spread experiment_spread_of_places(const struct experiment *experiment,
                                          const struct trial *trials, uint32_t first,
                                          uint32_t last);

/* The median of the steps, seeds that never reach 95 % being last; 0: it is one of those.
 * `reached`: how many are not. */
uint32_t experiment_steps_to_95(const struct experiment *experiment, const struct trial *trials,
                                uint32_t *reached);

/* Of the digests of all trials. */
void experiment_digest(const struct experiment *experiment, char digest[TRIAL_DIGEST_SIZE]);

#endif
