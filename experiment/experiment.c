/* All trials of the experiment, and what they come to. */
#include "experiment.h"

#include "status.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- Running */

/* What the threads share. */
struct work {
    posemb_session *session;
    struct experiment *experiment;
    pthread_mutex_t lock; /* of what follows, and of the progress */
    size_t next;
    size_t done;
    posemb_status status;
    posemb_error error;
};

/* The next trial; NULL: there is none, or one has failed. */
static struct trial *take(struct work *work)
{
    struct trial *trial = NULL;

    pthread_mutex_lock(&work->lock);
    if (work->status == POSEMB_OK && work->next < work->experiment->count)
        trial = &work->experiment->trials[work->next++];
    pthread_mutex_unlock(&work->lock);
    return trial;
}

static void finish(struct work *work, const struct trial *trial, posemb_status status,
                   const posemb_error *error)
{
    const struct experiment_settings *settings = &work->experiment->settings;

    pthread_mutex_lock(&work->lock);
    if (status != POSEMB_OK && work->status == POSEMB_OK) {
        work->status = status;
        work->error = *error;
    }
    work->done++;
    if (status == POSEMB_OK && settings->progress)
        settings->progress(settings->context, trial, work->done, work->experiment->count);
    pthread_mutex_unlock(&work->lock);
}

static void *run_trials(void *context)
{
    struct work *work = context;
    struct trial *trial;

    while ((trial = take(work))) {
        posemb_error error;
        const posemb_status status = trial_run(work->session, trial, &error);

        finish(work, trial, status, &error);
    }
    return NULL;
}

/* This thread takes part: where no other can be started, it does all. */
static void run_threads(struct work *work, uint32_t threads)
{
    pthread_t started[EXPERIMENT_THREADS_MAX];
    uint32_t count = 0;

    while (count + 1 < threads && count < EXPERIMENT_THREADS_MAX &&
           pthread_create(&started[count], NULL, run_trials, work) == 0)
        count++;
    run_trials(work);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(started[i], NULL);
}

static size_t list_trials(const struct experiment_settings *settings, struct trial *trials)
{
    size_t count = 0;

    for (int task = 0; task < TASKS; task++)
        for (int positions = 0; settings->tasks[task] && positions < STAGE_KINDS; positions++)
            for (uint32_t seed = 1; seed <= settings->seeds; seed++, count++)
                if (trials) {
                    trials[count].task = (enum task_kind)task;
                    trials[count].positions = (enum stage_positions)positions;
                    trials[count].base = settings->base;
                    trials[count].seed = seed;
                    trials[count].steps =
                        settings->steps ? settings->steps : task_of((enum task_kind)task)->steps;
                }
    return count;
}

posemb_status experiment_run(posemb_session *session, const struct experiment_settings *settings,
                             struct experiment *experiment, posemb_error *error)
{
    struct work work = {.session = session, .experiment = experiment};

    memset(experiment, 0, sizeof *experiment);
    experiment->settings = *settings;
    experiment->count = list_trials(settings, NULL);
    experiment->trials =
        calloc(experiment->count ? experiment->count : 1, sizeof *experiment->trials);
    if (!experiment->trials)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu trials",
                            experiment->count);
    list_trials(settings, experiment->trials);
    pthread_mutex_init(&work.lock, NULL);
    run_threads(&work, settings->threads);
    pthread_mutex_destroy(&work.lock);
    if (work.status == POSEMB_OK)
        return POSEMB_OK;
    experiment_free(experiment);
    if (error)
        *error = work.error;
    return work.status;
}

void experiment_free(struct experiment *experiment)
{
    free(experiment->trials);
    memset(experiment, 0, sizeof *experiment);
}

/* ---- Results */

const struct trial *experiment_trials(const struct experiment *experiment, enum task_kind task,
                                      enum stage_positions positions)
{
    for (size_t i = 0; i < experiment->count; i += experiment->settings.seeds)
        if (experiment->trials[i].task == task && experiment->trials[i].positions == positions)
            return &experiment->trials[i];
    return NULL;
}

struct spread spread_of(const double *values, size_t count)
{
    struct spread spread = {.least = values[0], .most = values[0]};

    for (size_t i = 0; i < count; i++) {
        spread.mean += values[i] / (double)count;
        spread.least = fmin(spread.least, values[i]);
        spread.most = fmax(spread.most, values[i]);
    }
    for (size_t i = 0; count > 1 && i < count; i++)
        spread.deviation +=
            (values[i] - spread.mean) * (values[i] - spread.mean) / (double)(count - 1);
    spread.deviation = sqrt(spread.deviation);
    return spread;
}

static double number_of(const struct trial *trial, enum trial_number number, size_t index)
{
    switch (number) {
    case NUMBER_BY_PLACE:
        return trial->by_place[index];
    case NUMBER_LOSS:
        return trial->losses[index];
    case NUMBER_TEST:
        return trial->accuracies[index];
    default:
        return trial->accuracy;
    }
}

struct spread experiment_spread(const struct experiment *experiment, const struct trial *trials,
                                enum trial_number number, size_t index)
{
    double values[EXPERIMENT_SEEDS_MAX];

    for (uint32_t i = 0; i < experiment->settings.seeds; i++)
        values[i] = number_of(&trials[i], number, index);
    return spread_of(values, experiment->settings.seeds);
}

struct spread experiment_spread_of_places(const struct experiment *experiment,
                                          const struct trial *trials, uint32_t first, uint32_t last)
{
    double values[EXPERIMENT_SEEDS_MAX] = {0.0};

    for (uint32_t i = 0; i < experiment->settings.seeds; i++)
        for (uint32_t place = first; place <= last; place++)
            values[i] += trials[i].by_place[place] / (last - first + 1);
    return spread_of(values, experiment->settings.seeds);
}

uint32_t experiment_steps_to_95(const struct experiment *experiment, const struct trial *trials,
                                uint32_t *reached)
{
    const uint32_t seeds = experiment->settings.seeds;
    uint32_t steps[EXPERIMENT_SEEDS_MAX];
    uint32_t count = 0;

    /* Sorted as they come. */
    for (uint32_t i = 0; i < seeds; i++) {
        uint32_t at = count;

        if (trials[i].steps_to_95 == 0)
            continue;
        for (; at > 0 && steps[at - 1] > trials[i].steps_to_95; at--)
            steps[at] = steps[at - 1];
        steps[at] = trials[i].steps_to_95;
        count++;
    }
    *reached = count;
    /* The median over all seeds, those that do not reach it being last. */
    return count > seeds / 2 ? steps[seeds / 2] : 0;
}

void experiment_digest(const struct experiment *experiment, char digest[TRIAL_DIGEST_SIZE])
{
    XXH3_state_t state;

    XXH3_64bits_reset(&state);
    for (size_t i = 0; i < experiment->count; i++)
        XXH3_64bits_update(&state, experiment->trials[i].digest, TRIAL_DIGEST_SIZE);
    snprintf(digest, TRIAL_DIGEST_SIZE, "%016llx", (unsigned long long)XXH3_64bits_digest(&state));
}
