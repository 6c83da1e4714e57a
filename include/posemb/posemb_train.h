/* posemb_train.h - gradients of the embedding stage and optimiser steps for its tables: definitions
 * and the CPU reference. Needs no OpenCL; posemb_train_cl.h adds devices.
 *
 * With dY[t,:] the gradient of a loss with respect to out[t,:] (posemb.h), and x the sum before the
 * norm, the gradient dX[t,:] with respect to x is
 *
 *     no norm    dX = dY
 *     both       a = dY * g,  g = gamma, or 1 + gamma, rounded; without a gamma a = dY
 *                B = fold(a * xhat) * (1/D)
 *     LAYER      xhat = (x - mean) * r;  A = fold(a) * (1/D);  dX = ((a - A) - xhat * B) * r
 *     RMS        xhat = x * r;                                 dX = (a - xhat * B) * r
 *
 * with x, mean and r what the forward call left in sum_out, mean_out and rstd_out (x as out_storage
 * holds it), and fold() and 1/D as for the norms. Every product, sum and difference is rounded to
 * float, and none is fused. Roundings, and what POSEMB_ROUND_EACH_STEP adds of them, are taken for
 * the identity; I8 tables and blocks for the floats that they stand for.
 *
 *     rows       dR[t,:] = token_scale * dX[t,:]                                             ADD
 *     tables     dE[v,:] = SUM token_scale * dX[t,:] over the tokens t that took row v     ENCODE
 *                dR[v,:] the same of soft prompts, with prompt_scale
 *                dP[p,:] the same of a learned table, with 1
 *                dX_k[v,:] the same of extra table k, with its scale
 *     gamma      dgamma = SUM dY[t,:] * xhat[t,:] over all tokens;  beta: dbeta = SUM dY[t,:]
 *
 * A token whose row is one of zeros or NaN by a policy (a bad index, a pad) depends on no input: it
 * has no part in any sum, and dR[t,:] is 0. A clamped or wrapped index counts for the row that it
 * named. A pad without a position (POSEMB_PAD_ZERO_POSITION) has no part in dP. Tokens of another
 * shard's rows have no part in dE.
 *
 * SUM is made in one order on every device. The tokens of a call, by their index t = b * length +
 * s, form chunks of POSEMB_BACKWARD_CHUNK = 32, the first one from t = 0 on:
 *
 *     s_j   the terms (without the scale) of chunk j added up in the order of t
 *     SUM = (((start + scale * s_0) + scale * s_1) + ...) over the chunks that have terms;
 *           where the result is -0 it becomes +0
 *
 * Under POSEMB_OVERWRITE the first scale * s_j is the start, and a row without terms is +0. Under
 * POSEMB_ACCUMULATE the start is what the memory holds, and a row without terms stays as it is, but
 * that a -0 of dgamma or dbeta becomes +0.
 *
 * So gradients have the same bits on every run and device. And a batch may be cut: calls on parts
 * of it that each begin at a multiple of 32 tokens of the whole, accumulating one after the other
 * into zeros, leave the bits of one call on the whole batch.
 */
#ifndef POSEMB_POSEMB_TRAIN_H
#define POSEMB_POSEMB_TRAIN_H

#include "posemb.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Gradients */

#define POSEMB_BACKWARD_CHUNK      32u
#define POSEMB_BACKWARD_TOKENS_MAX ((uint64_t)2147483647) /**< largest batch * length */
#define POSEMB_BACKWARD_ROWS_MAX                                                                   \
    ((uint64_t)4294967294) /**< most rows of a table that has a gradient, soft prompts included */

/** What becomes of what the memory of a gradient holds before. */
typedef enum posemb_accumulation {
    POSEMB_ACCUMULATION_DEFAULT = 0, /**< POSEMB_OVERWRITE */
    POSEMB_OVERWRITE = 1,            /**< it is replaced, in full */
    POSEMB_ACCUMULATE = 2            /**< it is added to; segments cannot be */
} posemb_accumulation;

/**
 * Arguments of a backward call on host memory: what the forward call had and left, and where the
 * gradients go. A gradient is dense floats, and NULL where it is not wanted. One that the
 * description cannot have is refused. Gradients may not overlap each other or anything else.
 */
typedef struct posemb_host_backward_args {
    posemb_shape shape; /**< of the forward call. Strides of tables and rows are of the forward call
                             alone; out_stride and out_batch_stride are those of out_grad and sum */
    posemb_accumulation accumulation;         /**< 0: POSEMB_OVERWRITE; of every gradient */
    const void *ids;                          /**< of the forward call; ENCODE */
    const void *extra_ids[POSEMB_EXTRAS_MAX]; /**< likewise; not used by CONSTANT */
    const void *positions; /**< its positions_out. Not used without positions, nor under
                                POSEMB_POSITIONS_INDEX */
    const uint8_t *mask;   /**< its mask_out; used where there can be pads (a padding, or ragged
                                positions) and pad_policy is not POSEMB_PAD_COMPUTED */
    const void *gamma;     /**< of the forward call */
    const void *out_grad;  /**< dY, [B, S, D] of out_storage */
    const void *sum;       /**< its sum_out; norms only, like the two that follow */
    const float *mean;     /**< its mean_out; LAYER only */
    const float *rstd;     /**< its rstd_out */
    float *table_grad;     /**< dE, [vocab, D], or the shard's rows of it; ENCODE */
    float *rows_grad;      /**< dR, [B, S, D] for ADD, [prompt_rows, D] of soft prompts */
    float *position_grad;  /**< dP, [position_rows, D]; LEARNED */
    float *extra_grad[POSEMB_EXTRAS_MAX]; /**< dX_k, [rows, D] */
    float *gamma_grad;                    /**< dgamma, [D]; where the norm has a gamma */
    float *beta_grad;                     /**< dbeta, [D]; where it has a beta */
    /* dE as its rows that have terms, in rising order: all three or none; ENCODE, OVERWRITE. Room
     * for min(T, rows of table_grad) of them, of which what is beyond the count is untouched. */
    uint32_t *segment_rows;  /**< their numbers, as table_grad counts */
    float *segment_grads;    /**< [count, D] */
    uint32_t *segment_count; /**< one number */
} posemb_host_backward_args;

/**
 * Run the backward of one call on the CPU: the definition of every gradient.
 *
 * @param desc  Of the forward call. table_parts is not looked at.
 * @param args  Sizes and memory, all caller-owned. With no tokens every gradient that is
 * overwritten is zeros, and there are no segments.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT (also: no gradient is wanted), POSEMB_SIZE_OVERFLOW,
 * POSEMB_UNSUPPORTED (more tokens or rows than POSEMB_BACKWARD_TOKENS_MAX and _ROWS_MAX),
 * POSEMB_OUT_OF_MEMORY. On failure nothing is written. Threads: pure.
 */
POSEMB_API posemb_status posemb_reference_backward(const posemb_desc *desc,
                                                   const posemb_host_backward_args *args,
                                                   posemb_error *error);

/* ---- Optimiser steps */

/**
 * How parameters p follow their gradients g. Every operation is rounded to float, none is fused.
 *
 *     g = g * grad_scale
 *     weight decay    COUPLED: g = g + weight_decay * p;  DECOUPLED: p = p * q,
 *                     q = 1 - learning_rate * weight_decay
 *     SGD             without momentum  u = g; else  m = momentum * m + g;  u = m,
 *                     Nesterov: u = g + momentum * m
 *                     p = p - learning_rate * u
 *     ADAM            m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * (g * g)
 *                     w = rsq((v * rsq(v)) * k + epsilon);  p = p - ((l * m) * w) * w
 *
 * rsq() is that of the norms, so that w * w is 1 / (sqrt(v) * k + epsilon), within 3 units in the
 * last place. The numbers made of the description's - q, 1 - beta1, 1 - beta2 and
 *
 *     l = learning_rate / (1 - beta1^step)      k = 1 / sqrt(1 - beta2^step)
 *
 * are computed in double from the floats, powers by repeated squaring, and rounded to float.
 * COUPLED Adam is PyTorch's Adam, DECOUPLED its AdamW; on rows it is its SparseAdam.
 */
typedef enum posemb_optimizer_method {
    POSEMB_OPTIMIZER_DEFAULT = 0, /**< POSEMB_SGD */
    POSEMB_SGD = 1,
    POSEMB_ADAM = 2
} posemb_optimizer_method;

typedef enum posemb_decay {
    POSEMB_DECAY_DEFAULT = 0, /**< POSEMB_DECAY_COUPLED */
    POSEMB_DECAY_COUPLED = 1,
    POSEMB_DECAY_DECOUPLED = 2
} posemb_decay;

/** What is the same in every step; zero means the default, as in posemb_desc. */
typedef struct posemb_optimizer_desc {
    posemb_optimizer_method method; /**< 0: POSEMB_SGD */
    posemb_decay decay;             /**< 0: POSEMB_DECAY_COUPLED */
    float momentum;                 /**< 0: none; 0 ... 1, not 1; SGD only */
    uint32_t nesterov;              /**< 1: Nesterov's; SGD with momentum only */
    float beta1;                    /**< 0: 0.9; above 0, below 1; ADAM only, like the next two */
    float beta2;                    /**< 0: 0.999; above 0, below 1 */
    float epsilon;                  /**< 0: 1e-8; 1e-30 ... 1e30 */
    float weight_decay;             /**< 0: none; not negative, finite */
} posemb_optimizer_desc;

/** What changes from step to step. */
typedef struct posemb_optimizer_step {
    uint64_t rows;       /**< of the table; 1 for a gamma or beta */
    uint32_t dim;        /**< D, 1 ... POSEMB_DIM_MAX */
    uint32_t by_segment; /**< 1: gradients are segments, and only their rows move, states included
                            (a decay too); 0: gradients are [rows, D] */
    uint64_t step;       /**< number of this step, 1, 2, ...; ADAM */
    float learning_rate; /**< finite, not negative */
    float grad_scale;    /**< 0: 1; finite; such as 1 / a loss scale */
} posemb_optimizer_step;

/** Arguments of a step on host memory; all dense floats. */
typedef struct posemb_host_optimizer_args {
    posemb_optimizer_step step;
    float *parameters;             /**< p, [rows, D] */
    float *first;                  /**< m, [rows, D], zeros before the first step; ADAM, momentum */
    float *second;                 /**< v, likewise; ADAM */
    const float *grads;            /**< [rows, D], or segment_grads */
    const uint32_t *segment_rows;  /**< by_segment: numbers of rows, none twice; one that is not
                                        below `rows` is passed over */
    const uint32_t *segment_count; /**< by_segment: how many; no more than `rows` are looked at */
} posemb_host_optimizer_args;

/**
 * Run one step on the CPU: the definition of its bits.
 *
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_SIZE_OVERFLOW. On failure nothing is written.
 * Threads: pure.
 */
POSEMB_API posemb_status posemb_reference_optimize(const posemb_optimizer_desc *desc,
                                                   const posemb_host_optimizer_args *args,
                                                   posemb_error *error);

/** Replace every zero of a description by its default, and check every field; as
 * posemb_desc_resolve(). */
POSEMB_API posemb_status posemb_optimizer_resolve(const posemb_optimizer_desc *desc,
                                                  posemb_optimizer_desc *resolved,
                                                  posemb_error *error);

#ifdef __cplusplus
}
#endif

#endif
