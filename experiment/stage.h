/* The embedding stage in front of the encoder: tokens, positions and LayerNorm, its gradients and
 * its optimiser, all by posemb, on a device or on the CPU reference, with the same bits. */
#ifndef POSEMB_EXPERIMENT_STAGE_H
#define POSEMB_EXPERIMENT_STAGE_H

#include "encoder.h"

#include <posemb/posemb_train_cl.h>

enum stage_positions {
    STAGE_NONE,
    STAGE_SINUSOIDAL,
    STAGE_LEARNED,         /* from random numbers, with the deviation of sinusoids */
    STAGE_FROM_SINUSOIDAL, /* learned, from a table of sinusoids */
    STAGE_KINDS
};

/* "none", "sinusoidal", "learned", "learned from sinusoidal". */
const char *stage_positions_name(enum stage_positions positions);

struct stage_shape {
    uint32_t dim;
    uint32_t vocab;
    uint32_t position_rows; /* longest sequence */
    uint32_t tokens_max;
    enum stage_positions positions;
    double base; /* of the sinusoids */
};

struct stage;

/* `session` NULL: the CPU reference. Tokens are random, of `seed`. Several stages may share a
 * session, each used by one thread. */
posemb_status stage_create(posemb_session *session, const struct stage_shape *shape, uint64_t seed,
                           struct stage **stage, posemb_error *error);
void stage_free(struct stage *stage);

/* Write the rows of a batch, [tokens, D], and keep what the backward needs. */
posemb_status stage_forward(struct stage *stage, const struct batch *batch, float *rows,
                            posemb_error *error);

/* After a forward of that batch: gradients from those of its rows, and a step of Adam; `step` is 1,
 * 2, ...
 */
posemb_status stage_learn(struct stage *stage, const struct batch *batch, const float *rows_grad,
                          uint64_t step, float learning_rate, posemb_error *error);

/* What is learned of it, and what of that is of positions. */
size_t stage_parameter_count(const struct stage *stage);
size_t stage_position_count(const struct stage *stage);

/* Read all of it: [parameter_count]. */
posemb_status stage_read(struct stage *stage, float *values, posemb_error *error);

#endif
