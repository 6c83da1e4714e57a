/* Tasks that an encoder can only do where it knows the order of its tokens. */
#ifndef POSEMB_EXPERIMENT_TASKS_H
#define POSEMB_EXPERIMENT_TASKS_H

#include "encoder.h"
#include "random.h"

enum task_kind { TASK_WHO, TASK_DISTANCE, TASK_LENGTH, TASKS };

enum { TASK_PLACES_MAX = 32 };

struct task {
    const char *name;
    const char *title;
    const char *summary;
    uint32_t vocab;
    uint32_t classes;
    uint32_t train_length_least;
    uint32_t train_length_most;
    uint32_t distance;  /* the label of a token is the one that stood so many places before; 0:
                           another task */
    uint32_t sequences; /* of a batch to train with */
    uint32_t steps;
    uint32_t long_length; /* of sequences that are only tested, up to TASK_PLACES_MAX; 0: there are
                             none */
};

const struct task *task_of(enum task_kind kind);

/* The longest sequence, and the most tokens of a batch. */
uint32_t task_length_max(const struct task *task);
uint32_t task_tokens_max(const struct task *task);

/* Room for the task's batches; to be freed with batch_free(). */
posemb_status batch_create(const struct task *task, struct batch *batch, posemb_error *error);
void batch_free(struct batch *batch);

void task_train(const struct task *task, struct random *random, struct batch *batch);

/* A batch to test with: sentences that cannot be among those to train with, other sequences that
 * hardly are; `length` is train_length_most or long_length. */
void task_test(const struct task *task, struct random *random, uint32_t length,
               struct batch *batch);

/* How often the best guess is right that knows the tokens of a sequence, but not their order. */
double task_chance(const struct task *task, uint32_t length);

/* Of TASK_WHO: the words of sequence `s`, question and all, and of a class. */
void task_show_sentence(const struct batch *batch, uint32_t s, char *text, size_t size);
const char *task_show_class(uint32_t class_index);

#endif
