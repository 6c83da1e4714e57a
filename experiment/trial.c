/* One trial: an encoder learns one task with one kind of positions from one seed. */
#include "trial.h"

#include "status.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Streams of random numbers, beside those of the weights. */
enum { PURPOSE_TRAIN = 100, PURPOSE_TEST = 200 };

/* Of Adam: this, and in the last quarter of the steps evenly less, down to 0. */
static float learning_rate(uint32_t step, uint32_t steps)
{
    const float left = 4.0f * (float)(steps - step + 1) / (float)steps;

    return 3e-3f * (left < 1.0f ? left : 1.0f);
}

struct learner {
    const struct task *task;
    struct stage *stage;
    struct encoder *encoder;
    struct batch batch;
    float *rows;
    float *rows_grad;
};

static void learner_free(struct learner *learner)
{
    stage_free(learner->stage);
    encoder_free(learner->encoder);
    batch_free(&learner->batch);
    free(learner->rows);
    free(learner->rows_grad);
}

static posemb_status learner_create(posemb_session *session, const struct trial *trial,
                                    struct learner *learner, posemb_error *error)
{
    const struct task *task = task_of(trial->task);
    const struct stage_shape stage = {.dim = TRIAL_DIM,
                                      .vocab = task->vocab,
                                      .position_rows = task_length_max(task),
                                      .tokens_max = task_tokens_max(task),
                                      .positions = trial->positions,
                                      .base = trial->base};
    const struct encoder_shape encoder = {.dim = TRIAL_DIM,
                                          .heads = TRIAL_HEADS,
                                          .hidden = TRIAL_HIDDEN,
                                          .blocks = TRIAL_BLOCKS,
                                          .classes = task->classes,
                                          .tokens_max = task_tokens_max(task),
                                          .length_max = task_length_max(task)};
    posemb_status status;

    memset(learner, 0, sizeof *learner);
    learner->task = task;
    learner->rows = calloc((size_t)stage.tokens_max * stage.dim, sizeof *learner->rows);
    learner->rows_grad = calloc((size_t)stage.tokens_max * stage.dim, sizeof *learner->rows_grad);
    if (!learner->rows || !learner->rows_grad)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a batch");
    status = batch_create(task, &learner->batch, error);
    if (status == POSEMB_OK)
        status = stage_create(session, &stage, trial->seed, &learner->stage, error);
    if (status == POSEMB_OK)
        status = encoder_create(&encoder, trial->seed, &learner->encoder, error);
    return status;
}

/* ---- Learning */

static posemb_status learn(struct learner *learner, struct random *random, uint32_t step,
                           float rate, double *loss, posemb_error *error)
{
    struct batch *batch = &learner->batch;
    posemb_status status;

    task_train(learner->task, random, batch);
    status = stage_forward(learner->stage, batch, learner->rows, error);
    if (status != POSEMB_OK)
        return status;
    encoder_forward(learner->encoder, batch, learner->rows);
    *loss = encoder_backward(learner->encoder, batch, learner->rows_grad);
    status = encoder_update(learner->encoder, step, rate, error);
    if (status == POSEMB_OK)
        status = stage_learn(learner->stage, batch, learner->rows_grad, step, rate, error);
    return status;
}

/* ---- Testing */

/* What was predicted of some batches. */
struct score {
    uint64_t labels[TASK_PLACES_MAX]; /* at each place of their sequences */
    uint64_t right[TASK_PLACES_MAX];
};

static void add_score(const struct learner *learner, struct score *score)
{
    const struct batch *batch = &learner->batch;
    uint32_t sequence = 0;

    for (uint32_t i = 0; i < batch->label_count; i++) {
        while (batch->labelled[i] >= batch->starts[sequence + 1])
            sequence++;
        const uint32_t place = batch->labelled[i] - batch->starts[sequence];

        score->labels[place]++;
        score->right[place] += encoder_is_right(learner->encoder, batch, i);
    }
}

static posemb_status test(struct learner *learner, uint32_t length, uint32_t batches,
                          struct score *score, posemb_error *error)
{
    struct random random = random_stream(length, PURPOSE_TEST);
    posemb_status status = POSEMB_OK;

    memset(score, 0, sizeof *score);
    for (uint32_t i = 0; status == POSEMB_OK && i < batches; i++) {
        task_test(learner->task, &random, length, &learner->batch);
        status = stage_forward(learner->stage, &learner->batch, learner->rows, error);
        if (status != POSEMB_OK)
            break;
        encoder_forward(learner->encoder, &learner->batch, learner->rows);
        add_score(learner, score);
    }
    return status;
}

static posemb_status test_accuracy(struct learner *learner, uint32_t batches, double *accuracy,
                                   posemb_error *error)
{
    struct score score;
    uint64_t labels = 0;
    uint64_t right = 0;
    const posemb_status status =
        test(learner, learner->task->train_length_most, batches, &score, error);

    for (uint32_t place = 0; place < TASK_PLACES_MAX; place++) {
        labels += score.labels[place];
        right += score.right[place];
    }
    if (status == POSEMB_OK)
        *accuracy = (double)right / (double)labels;
    return status;
}

static posemb_status test_at_end(struct learner *learner, struct trial *trial, posemb_error *error)
{
    const struct task *task = learner->task;
    struct score score;
    posemb_status status = test_accuracy(learner, TRIAL_LAST_TESTS, &trial->accuracy, error);

    if (status != POSEMB_OK || task->long_length == 0)
        return status;
    status = test(learner, task->long_length, TRIAL_LAST_TESTS, &score, error);
    for (uint32_t place = task->distance; status == POSEMB_OK && place < task->long_length; place++)
        trial->by_place[place] = (double)score.right[place] / (double)score.labels[place];
    return status;
}

static uint32_t steps_to_95(const struct trial *trial)
{
    uint32_t tests = trial->steps / TRIAL_STRIDE;
    uint32_t first = 0;

    while (tests > 0 && trial->accuracies[tests - 1] >= 0.95)
        first = tests-- * TRIAL_STRIDE;
    return first;
}

/* All that was learned, as bits: two trials with the same digest went the same way. */
static posemb_status digest(struct learner *learner, struct trial *trial, posemb_error *error)
{
    const size_t in_stage = stage_parameter_count(learner->stage);
    const size_t in_encoder = encoder_weight_count(learner->encoder);
    float *values = calloc(in_stage + in_encoder, sizeof *values);
    posemb_status status;

    if (!values)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for the parameters");
    trial->parameters = in_stage + in_encoder;
    trial->position_parameters = stage_position_count(learner->stage);
    memcpy(values, encoder_weights(learner->encoder), in_encoder * sizeof *values);
    status = stage_read(learner->stage, values + in_encoder, error);
    if (status == POSEMB_OK)
        snprintf(trial->digest, sizeof trial->digest, "%016llx",
                 (unsigned long long)XXH3_64bits(values, trial->parameters * sizeof *values));
    free(values);
    return status;
}

static posemb_status run(struct learner *learner, struct trial *trial, posemb_error *error)
{
    struct random random = random_stream(trial->seed, PURPOSE_TRAIN);
    posemb_status status = POSEMB_OK;
    double sum = 0.0;

    for (uint32_t step = 1; status == POSEMB_OK && step <= trial->steps; step++) {
        const uint32_t tests = step / TRIAL_STRIDE;
        double loss = 0.0;

        status = learn(learner, &random, step, learning_rate(step, trial->steps), &loss, error);
        sum += loss;
        if (status != POSEMB_OK || step % TRIAL_STRIDE != 0)
            continue;
        trial->losses[tests - 1] = sum / TRIAL_STRIDE;
        sum = 0.0;
        status = test_accuracy(learner, TRIAL_TESTS, &trial->accuracies[tests - 1], error);
    }
    if (status == POSEMB_OK)
        status = test_at_end(learner, trial, error);
    if (status == POSEMB_OK)
        status = digest(learner, trial, error);
    trial->steps_to_95 = steps_to_95(trial);
    return status;
}

posemb_status trial_run(posemb_session *session, struct trial *trial, posemb_error *error)
{
    struct learner learner;
    posemb_status status = learner_create(session, trial, &learner, error);

    if (status == POSEMB_OK)
        status = run(&learner, trial, error);
    learner_free(&learner);
    return status;
}
