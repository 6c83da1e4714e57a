/* The layers of a transformer encoder, forward and backward, in plain C. Matrices are rows of
 * floats, [rows, columns]. Every sum is made in one order, so that the bits do not depend on
 * machine or compiler (built, as everything here, with -ffp-contract=off). */
#ifndef POSEMB_EXPERIMENT_LAYERS_H
#define POSEMB_EXPERIMENT_LAYERS_H

#include <stddef.h>

/* A matrix within a larger one: its rows are `stride` floats apart. */
struct matrix {
    float *values;
    size_t stride;
};

/* c[rows, columns] += a[rows, inner] b[inner, columns], the terms of a sum in the order of `inner`.
 */
void multiply_add(struct matrix a, struct matrix b, struct matrix c, size_t rows, size_t inner,
                  size_t columns);

/* y = x w + bias: x [rows, in], w [in, out], bias [out], y [rows, out]. */
void linear_forward(const float *x, const float *w, const float *bias, float *y, size_t rows,
                    size_t in, size_t out);

/* From the gradient of y, adds those of w and bias, and writes that of x. `scratch`: rows * in + in
 * * out floats. */
void linear_backward(const float *x, const float *w, const float *y_grad, float *w_grad,
                     float *bias_grad, float *x_grad, float *scratch, size_t rows, size_t in,
                     size_t out);

/* y = (x - mean) / sqrt(variance + 1e-5) of each row, without gamma and beta: the matrix that comes
 * next can do what those would. Keeps the reciprocal deviation of each row. */
void norm_forward(const float *x, float *y, float *rstd, size_t rows, size_t dim);

/* Adds the gradient of x; y and rstd are those of the forward. */
void norm_backward(const float *y, const float *rstd, const float *y_grad, float *x_grad,
                   size_t rows, size_t dim);

/* max(x, 0), in place; and the gradient, in place, of what y is 0 for. */
void relu_forward(float *x, size_t count);
void relu_backward(const float *y, float *grad, size_t count);

/* One sequence, all heads: mix = softmax(q k^T / sqrt(D / heads)) v, with the channels D cut up
 * among the heads. q, k, v, mix and their gradients are [length, D] of their own stride; `weights`
 * keeps [heads, length, length]. */
struct attention {
    size_t length;
    size_t dim;
    size_t heads;
    float *q;
    float *k;
    float *v;
    float *weights;
    float *scratch; /* attention_scratch() floats */
};

size_t attention_scratch(size_t length, size_t dim);
void attention_forward(const struct attention *at, float *mix);

/* Writes the gradients of q, k and v. */
void attention_backward(const struct attention *at, const float *mix_grad, float *q_grad,
                        float *k_grad, float *v_grad);

#endif
