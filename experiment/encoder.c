/* A transformer encoder. */
#include "encoder.h"

#include "exp_log.h"
#include "layers.h"
#include "random.h"
#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A matrix and a bias, [in, out] and [out], among the weights or among their gradients. */
struct linear {
    float *matrix;
    float *bias;
};

struct block {
    struct linear q, k, v, o, up, down;
};

/* Everything that is learned, or its gradients. */
struct weights {
    struct block blocks[ENCODER_BLOCKS_MAX];
    struct linear classes;
};

/* What a block keeps for the backward. */
struct kept {
    float *normed; /* [tokens, D] before the attention */
    float *rstd;
    float *q, *k, *v;
    float *attention;    /* [heads, length, length] of each sequence */
    float *mix;          /* what attention gives, before Wo */
    float *normed_again; /* before W1 */
    float *rstd_again;
    float *hidden; /* [tokens, hidden] after the ReLU */
};

struct encoder {
    struct encoder_shape shape;
    size_t count;                           /* of weights */
    float *memory;                          /* all that follows */
    float *values, *grads, *first, *second; /* [count] each */
    struct weights weights;
    struct weights weight_grads;
    struct kept kept[ENCODER_BLOCKS_MAX];
    float *x;      /* [tokens, D] the stream that every block adds to */
    float *normed; /* at the end */
    float *rstd;
    float *labelled; /* [label_count, D] */
    float *scores;   /* [label_count, classes] */
    float *grad;     /* [tokens, D] of the stream */
    float *part;     /* [tokens, D] */
    float *part_grads[3];
    float *hidden_grad; /* [tokens, hidden] */
    float *scores_grad;
    float *scratch;
};

/* ---- Memory */

/* Counts floats, or hands them out where there are any. */
struct carver {
    float *memory;
    size_t used;
};

static float *carve(struct carver *carver, size_t count)
{
    float *start = carver->memory ? carver->memory + carver->used : NULL;

    carver->used += count;
    return start;
}

static struct linear carve_linear(struct carver *carver, size_t in, size_t out)
{
    struct linear linear;

    linear.matrix = carve(carver, in * out);
    linear.bias = carve(carver, out);
    return linear;
}

static void carve_weights(struct carver *carver, const struct encoder_shape *shape,
                          struct weights *weights)
{
    const size_t dim = shape->dim;

    for (size_t i = 0; i < shape->blocks; i++) {
        struct block *block = &weights->blocks[i];

        block->q = carve_linear(carver, dim, dim);
        block->k = carve_linear(carver, dim, dim);
        block->v = carve_linear(carver, dim, dim);
        block->o = carve_linear(carver, dim, dim);
        block->up = carve_linear(carver, dim, shape->hidden);
        block->down = carve_linear(carver, shape->hidden, dim);
    }
    weights->classes = carve_linear(carver, dim, shape->classes);
}

static void carve_kept(struct carver *carver, const struct encoder_shape *shape, struct kept *kept)
{
    const size_t floats = shape->tokens_max * shape->dim;

    kept->normed = carve(carver, floats);
    kept->rstd = carve(carver, shape->tokens_max);
    kept->q = carve(carver, floats);
    kept->k = carve(carver, floats);
    kept->v = carve(carver, floats);
    kept->attention = carve(carver, shape->heads * shape->tokens_max * shape->length_max);
    kept->mix = carve(carver, floats);
    kept->normed_again = carve(carver, floats);
    kept->rstd_again = carve(carver, shape->tokens_max);
    kept->hidden = carve(carver, shape->tokens_max * shape->hidden);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* For linear_backward() of every layer, and for attention. */
static size_t scratch_of(const struct encoder_shape *shape)
{
    const size_t in = larger(shape->dim, shape->hidden);
    const size_t out = larger(in, shape->classes);

    return larger(shape->tokens_max * in + in * out,
                  attention_scratch(shape->length_max, shape->dim));
}

static void carve_all(struct carver *carver, struct encoder *encoder)
{
    const struct encoder_shape *shape = &encoder->shape;
    const size_t floats = shape->tokens_max * shape->dim;

    encoder->values = carve(carver, 0);
    carve_weights(carver, shape, &encoder->weights);
    encoder->count = carver->used;
    encoder->grads = carve(carver, 0);
    carve_weights(carver, shape, &encoder->weight_grads);
    encoder->first = carve(carver, encoder->count);
    encoder->second = carve(carver, encoder->count);
    for (size_t i = 0; i < shape->blocks; i++)
        carve_kept(carver, shape, &encoder->kept[i]);
    encoder->x = carve(carver, floats);
    encoder->normed = carve(carver, floats);
    encoder->rstd = carve(carver, shape->tokens_max);
    encoder->labelled = carve(carver, floats);
    encoder->scores = carve(carver, shape->tokens_max * shape->classes);
    encoder->grad = carve(carver, floats);
    encoder->part = carve(carver, floats);
    for (int i = 0; i < 3; i++)
        encoder->part_grads[i] = carve(carver, floats);
    encoder->hidden_grad = carve(carver, shape->tokens_max * shape->hidden);
    encoder->scores_grad = carve(carver, shape->tokens_max * shape->classes);
    encoder->scratch = carve(carver, scratch_of(shape));
}

static void fill(struct linear linear, struct random *random, size_t in, size_t out)
{
    random_fill(random, 1.0f / sqrtf((float)in), linear.matrix, in * out);
}

static void set_random_weights(struct encoder *encoder, uint64_t seed)
{
    const struct encoder_shape *shape = &encoder->shape;
    struct random random = random_stream(seed, 1);

    for (size_t i = 0; i < shape->blocks; i++) {
        const struct block *block = &encoder->weights.blocks[i];
        const struct linear square[] = {block->q, block->k, block->v, block->o};

        for (int n = 0; n < 4; n++)
            fill(square[n], &random, shape->dim, shape->dim);
        fill(block->up, &random, shape->dim, shape->hidden);
        fill(block->down, &random, shape->hidden, shape->dim);
    }
    fill(encoder->weights.classes, &random, shape->dim, shape->classes);
}

posemb_status encoder_create(const struct encoder_shape *shape, uint64_t seed,
                             struct encoder **encoder, posemb_error *error)
{
    struct carver carver = {NULL, 0};
    struct encoder counted = {.shape = *shape};
    struct encoder *made = calloc(1, sizeof *made);
    float *memory;

    *encoder = NULL;
    carve_all(&carver, &counted);
    memory = calloc(carver.used, sizeof *memory);
    if (!made || !memory) {
        free(made);
        free(memory);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for an encoder");
    }
    made->shape = *shape;
    made->memory = memory;
    carver = (struct carver){memory, 0};
    carve_all(&carver, made);
    set_random_weights(made, seed);
    *encoder = made;
    return POSEMB_OK;
}

void encoder_free(struct encoder *encoder)
{
    if (!encoder)
        return;
    free(encoder->memory);
    free(encoder);
}

size_t encoder_weight_count(const struct encoder *encoder)
{
    return encoder->count;
}

float *encoder_weights(struct encoder *encoder)
{
    return encoder->values;
}

const float *encoder_grads(const struct encoder *encoder)
{
    return encoder->grads;
}

/* ---- Attention over the sequences of a batch */

/* That of sequence `s`. `*offset` is where it begins in [tokens, D]. */
static struct attention attention_of(const struct encoder *encoder, const struct kept *kept,
                                     const struct batch *batch, uint32_t s, size_t *offset)
{
    const struct encoder_shape *shape = &encoder->shape;

    *offset = batch->starts[s] * shape->dim;
    return (struct attention){
        .length = batch->starts[s + 1] - batch->starts[s],
        .dim = shape->dim,
        .heads = shape->heads,
        .q = kept->q + *offset,
        .k = kept->k + *offset,
        .v = kept->v + *offset,
        .weights = kept->attention + (size_t)batch->starts[s] * shape->heads * shape->length_max,
        .scratch = encoder->scratch,
    };
}

static void mix_sequences(const struct encoder *encoder, const struct kept *kept,
                          const struct batch *batch)
{
    for (uint32_t s = 0; s < batch->sequences; s++) {
        size_t offset;
        const struct attention at = attention_of(encoder, kept, batch, s, &offset);

        attention_forward(&at, kept->mix + offset);
    }
}

static void unmix_sequences(const struct encoder *encoder, const struct kept *kept,
                            const struct batch *batch)
{
    for (uint32_t s = 0; s < batch->sequences; s++) {
        size_t offset;
        const struct attention at = attention_of(encoder, kept, batch, s, &offset);

        attention_backward(&at, encoder->part + offset, encoder->part_grads[0] + offset,
                           encoder->part_grads[1] + offset, encoder->part_grads[2] + offset);
    }
}

/* ---- Forward */

static void add(float *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

static void forward(const float *x, struct linear w, float *y, size_t rows, size_t in, size_t out)
{
    linear_forward(x, w.matrix, w.bias, y, rows, in, out);
}

static void block_forward(struct encoder *encoder, size_t index, const struct batch *batch)
{
    const struct block *w = &encoder->weights.blocks[index];
    const struct kept *kept = &encoder->kept[index];
    const size_t dim = encoder->shape.dim;
    const size_t hidden = encoder->shape.hidden;
    const size_t rows = batch->tokens;

    norm_forward(encoder->x, kept->normed, kept->rstd, rows, dim);
    forward(kept->normed, w->q, kept->q, rows, dim, dim);
    forward(kept->normed, w->k, kept->k, rows, dim, dim);
    forward(kept->normed, w->v, kept->v, rows, dim, dim);
    mix_sequences(encoder, kept, batch);
    forward(kept->mix, w->o, encoder->part, rows, dim, dim);
    add(encoder->x, encoder->part, rows * dim);

    norm_forward(encoder->x, kept->normed_again, kept->rstd_again, rows, dim);
    forward(kept->normed_again, w->up, kept->hidden, rows, dim, hidden);
    relu_forward(kept->hidden, rows * hidden);
    forward(kept->hidden, w->down, encoder->part, rows, hidden, dim);
    add(encoder->x, encoder->part, rows * dim);
}

bool encoder_is_right(const struct encoder *encoder, const struct batch *batch, uint32_t i)
{
    const size_t classes = encoder->shape.classes;
    const float *scores = encoder->scores + i * classes;
    size_t best = 0;

    for (size_t c = 1; c < classes; c++)
        if (scores[c] > scores[best])
            best = c;
    return best == batch->labels[i];
}

void encoder_forward(struct encoder *encoder, const struct batch *batch, const float *rows)
{
    const size_t dim = encoder->shape.dim;

    memcpy(encoder->x, rows, batch->tokens * dim * sizeof *rows);
    for (size_t i = 0; i < encoder->shape.blocks; i++)
        block_forward(encoder, i, batch);
    norm_forward(encoder->x, encoder->normed, encoder->rstd, batch->tokens, dim);
    for (uint32_t i = 0; i < batch->label_count; i++)
        memcpy(encoder->labelled + i * dim, encoder->normed + batch->labelled[i] * dim,
               dim * sizeof *rows);
    forward(encoder->labelled, encoder->weights.classes, encoder->scores, batch->label_count, dim,
            encoder->shape.classes);
}

/* ---- Backward */

/* Of one label: -log softmax(scores)[label], and its gradient times `weight`. */
static double cross_entropy(const float *scores, size_t classes, uint32_t label, float weight,
                            float *grad)
{
    float most = scores[0];
    double sum = 0.0;

    for (size_t c = 1; c < classes; c++)
        most = scores[c] > most ? scores[c] : most;
    for (size_t c = 0; c < classes; c++) {
        grad[c] = negative_exp(scores[c] - most);
        sum += (double)grad[c];
    }
    for (size_t c = 0; c < classes; c++)
        grad[c] = weight * (grad[c] / (float)sum - (c == label ? 1.0f : 0.0f));
    return log_from_one(sum) - (double)(scores[label] - most);
}

static void backward(struct encoder *encoder, const float *x, struct linear w, struct linear w_grad,
                     const float *y_grad, float *x_grad, size_t rows, size_t in, size_t out)
{
    linear_backward(x, w.matrix, y_grad, w_grad.matrix, w_grad.bias, x_grad, encoder->scratch, rows,
                    in, out);
}

static void block_backward(struct encoder *encoder, size_t index, const struct batch *batch)
{
    const struct block *w = &encoder->weights.blocks[index];
    const struct block *g = &encoder->weight_grads.blocks[index];
    const struct kept *kept = &encoder->kept[index];
    const size_t dim = encoder->shape.dim;
    const size_t hidden = encoder->shape.hidden;
    const size_t rows = batch->tokens;
    const struct linear of[] = {w->q, w->k, w->v};
    const struct linear grads[] = {g->q, g->k, g->v};

    backward(encoder, kept->hidden, w->down, g->down, encoder->grad, encoder->hidden_grad, rows,
             hidden, dim);
    relu_backward(kept->hidden, encoder->hidden_grad, rows * hidden);
    backward(encoder, kept->normed_again, w->up, g->up, encoder->hidden_grad, encoder->part, rows,
             dim, hidden);
    norm_backward(kept->normed_again, kept->rstd_again, encoder->part, encoder->grad, rows, dim);

    backward(encoder, kept->mix, w->o, g->o, encoder->grad, encoder->part, rows, dim, dim);
    unmix_sequences(encoder, kept, batch);
    for (int i = 0; i < 3; i++) {
        backward(encoder, kept->normed, of[i], grads[i], encoder->part_grads[i], encoder->part,
                 rows, dim, dim);
        norm_backward(kept->normed, kept->rstd, encoder->part, encoder->grad, rows, dim);
    }
}

double encoder_backward(struct encoder *encoder, const struct batch *batch, float *rows_grad)
{
    const size_t dim = encoder->shape.dim;
    const size_t classes = encoder->shape.classes;
    const float weight = 1.0f / (float)batch->label_count;
    const size_t floats = batch->tokens * dim;
    double loss = 0.0;

    memset(encoder->grads, 0, encoder->count * sizeof *encoder->grads);
    for (uint32_t i = 0; i < batch->label_count; i++)
        loss += cross_entropy(encoder->scores + i * classes, classes, batch->labels[i], weight,
                              encoder->scores_grad + i * classes);
    backward(encoder, encoder->labelled, encoder->weights.classes, encoder->weight_grads.classes,
             encoder->scores_grad, encoder->part_grads[0], batch->label_count, dim, classes);
    memset(encoder->part, 0, floats * sizeof *encoder->part);
    for (uint32_t i = 0; i < batch->label_count; i++)
        add(encoder->part + batch->labelled[i] * dim, encoder->part_grads[0] + i * dim, dim);
    memset(encoder->grad, 0, floats * sizeof *encoder->grad);
    norm_backward(encoder->normed, encoder->rstd, encoder->part, encoder->grad, batch->tokens, dim);
    for (size_t i = encoder->shape.blocks; i-- > 0;)
        block_backward(encoder, i, batch);
    memcpy(rows_grad, encoder->grad, floats * sizeof *rows_grad);
    return loss / batch->label_count;
}

posemb_status encoder_update(struct encoder *encoder, uint64_t step, float learning_rate,
                             posemb_error *error)
{
    const posemb_optimizer_desc adam = {.method = POSEMB_ADAM};
    const posemb_host_optimizer_args args = {
        .step = {.rows = encoder->count, .dim = 1, .step = step, .learning_rate = learning_rate},
        .parameters = encoder->values,
        .first = encoder->first,
        .second = encoder->second,
        .grads = encoder->grads,
    };

    return posemb_reference_optimize(&adam, &args, error);
}
