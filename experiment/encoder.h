/* A transformer encoder behind an embedding stage: rows in, a class for each labelled token out. In
 * every block, with norms before (Xiong et al. 2020):
 *
 *     x = x + attention(norm(x)) Wo + bo
 *     x = x + relu(norm(x) W1 + b1) W2 + b2
 *
 * and at the end the scores of the classes are norm(x) Wc + bc.
 * It knows nothing of order: what it knows of it is in the rows. */
#ifndef POSEMB_EXPERIMENT_ENCODER_H
#define POSEMB_EXPERIMENT_ENCODER_H

#include <posemb/posemb_train.h>

#include <stdbool.h>
#include <stdint.h>

enum { ENCODER_BLOCKS_MAX = 4 };

struct encoder_shape {
    size_t dim; /* D, a multiple of `heads` */
    size_t heads;
    size_t hidden; /* columns of W1 */
    size_t blocks; /* up to ENCODER_BLOCKS_MAX */
    size_t classes;
    size_t tokens_max; /* of one batch */
    size_t length_max; /* of one sequence */
};

/* Sequences one after the other, and the classes that some of their tokens are to get. */
struct batch {
    uint32_t sequences;
    uint32_t tokens;
    uint32_t label_count;
    uint32_t *starts;   /* [sequences + 1] where each begins, and the end */
    int32_t *ids;       /* [tokens] */
    uint32_t *labelled; /* [label_count] tokens */
    uint32_t *labels;   /* [label_count] their classes */
};

struct encoder;

/* Weights are random, with a deviation of 1 / sqrt(rows of the matrix), biases 0. */
posemb_status encoder_create(const struct encoder_shape *shape, uint64_t seed,
                             struct encoder **encoder, posemb_error *error);
void encoder_free(struct encoder *encoder);

/* rows: [tokens, D]. Keeps what encoder_backward() needs. */
void encoder_forward(struct encoder *encoder, const struct batch *batch, const float *rows);

/* Whether it predicts label `i` of the batch, after a forward. */
bool encoder_is_right(const struct encoder *encoder, const struct batch *batch, uint32_t i);

/* After a forward of that batch: the mean cross entropy of its labels. Sets the gradients of all
 * weights, and of the rows. */
double encoder_backward(struct encoder *encoder, const struct batch *batch, float *rows_grad);

/* A step of Adam; `step` is 1, 2, ... */
posemb_status encoder_update(struct encoder *encoder, uint64_t step, float learning_rate,
                             posemb_error *error);

/* All weights and their gradients, one after the other. */
size_t encoder_weight_count(const struct encoder *encoder);
float *encoder_weights(struct encoder *encoder);
const float *encoder_grads(const struct encoder *encoder);

#endif
