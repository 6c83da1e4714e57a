/* The layers of a transformer encoder. */
#include "layers.h"

#include "exp_log.h"

#include <math.h>
#include <string.h>

enum { TILE = 16 };

static struct matrix matrix(float *values, size_t stride)
{
    return (struct matrix){values, stride};
}

/* Whole tiles of columns are sums in registers, which compilers make vectors of; the order of each
 * sum is the same without them. */
void multiply_add(struct matrix a, struct matrix b, struct matrix c, size_t rows, size_t inner,
                  size_t columns)
{
    for (size_t i = 0; i < rows; i++) {
        const float *a_row = a.values + i * a.stride;
        float *c_row = c.values + i * c.stride;
        size_t j = 0;

        for (; j + TILE <= columns; j += TILE) {
            float sums[TILE];

            memcpy(sums, c_row + j, sizeof sums);
            for (size_t k = 0; k < inner; k++)
                for (size_t n = 0; n < TILE; n++)
                    sums[n] += a_row[k] * b.values[k * b.stride + j + n];
            memcpy(c_row + j, sums, sizeof sums);
        }
        for (size_t k = 0; k < inner; k++)
            for (size_t n = j; n < columns; n++)
                c_row[n] += a_row[k] * b.values[k * b.stride + n];
    }
}

/* to[columns, rows] = the transpose of from[rows, columns]. */
static void transpose(struct matrix from, struct matrix to, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            to.values[j * to.stride + i] = from.values[i * from.stride + j];
}

/* ---- Linear layers */

void linear_forward(const float *x, const float *w, const float *bias, float *y, size_t rows,
                    size_t in, size_t out)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(y + i * out, bias, out * sizeof *y);
    multiply_add(matrix((float *)x, in), matrix((float *)w, out), matrix(y, out), rows, in, out);
}

void linear_backward(const float *x, const float *w, const float *y_grad, float *w_grad,
                     float *bias_grad, float *x_grad, float *scratch, size_t rows, size_t in,
                     size_t out)
{
    float *x_transposed = scratch;
    float *w_transposed = scratch + rows * in;

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < out; j++)
            bias_grad[j] += y_grad[i * out + j];
    transpose(matrix((float *)x, in), matrix(x_transposed, rows), rows, in);
    multiply_add(matrix(x_transposed, rows), matrix((float *)y_grad, out), matrix(w_grad, out), in,
                 rows, out);
    transpose(matrix((float *)w, out), matrix(w_transposed, in), in, out);
    memset(x_grad, 0, rows * in * sizeof *x_grad);
    multiply_add(matrix((float *)y_grad, out), matrix(w_transposed, in), matrix(x_grad, in), rows,
                 out, in);
}

/* ---- Norm, ReLU, softmax */

void norm_forward(const float *x, float *y, float *rstd, size_t rows, size_t dim)
{
    for (size_t i = 0; i < rows; i++) {
        const float *from = x + i * dim;
        float *to = y + i * dim;
        float sum = 0.0f;
        float squares = 0.0f;

        for (size_t c = 0; c < dim; c++)
            sum += from[c];
        sum /= (float)dim;
        for (size_t c = 0; c < dim; c++) {
            to[c] = from[c] - sum;
            squares += to[c] * to[c];
        }
        rstd[i] = 1.0f / sqrtf(squares / (float)dim + 1e-5f);
        for (size_t c = 0; c < dim; c++)
            to[c] *= rstd[i];
    }
}

void norm_backward(const float *y, const float *rstd, const float *y_grad, float *x_grad,
                   size_t rows, size_t dim)
{
    for (size_t i = 0; i < rows; i++) {
        const float *out = y + i * dim;
        const float *grad = y_grad + i * dim;
        float mean = 0.0f;
        float along = 0.0f;

        for (size_t c = 0; c < dim; c++) {
            mean += grad[c];
            along += grad[c] * out[c];
        }
        mean /= (float)dim;
        along /= (float)dim;
        for (size_t c = 0; c < dim; c++)
            x_grad[i * dim + c] += (grad[c] - mean - out[c] * along) * rstd[i];
    }
}

void relu_forward(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

void relu_backward(const float *y, float *grad, size_t count)
{
    for (size_t i = 0; i < count; i++)
        grad[i] = y[i] > 0.0f ? grad[i] : 0.0f;
}

/* Each row becomes exp(row) / sum, in place. */
static void softmax(struct matrix x, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++) {
        float *row = x.values + i * x.stride;
        float most = row[0];
        float sum = 0.0f;

        for (size_t j = 1; j < columns; j++)
            most = row[j] > most ? row[j] : most;
        for (size_t j = 0; j < columns; j++)
            row[j] = negative_exp(row[j] - most);
        for (size_t j = 0; j < columns; j++)
            sum += row[j];
        for (size_t j = 0; j < columns; j++)
            row[j] /= sum;
    }
}

/* ---- Attention */

size_t attention_scratch(size_t length, size_t dim)
{
    return length * (dim + 2 * length);
}

void attention_forward(const struct attention *at, float *mix)
{
    const size_t length = at->length;
    const size_t width = at->dim / at->heads;
    const float factor = 1.0f / sqrtf((float)width);
    const struct matrix k_transposed = matrix(at->scratch, length);

    memset(mix, 0, length * at->dim * sizeof *mix);
    for (size_t head = 0; head < at->heads; head++) {
        const size_t first = head * width;
        float *weights = at->weights + head * length * length;

        transpose(matrix(at->k + first, at->dim), k_transposed, length, width);
        memset(weights, 0, length * length * sizeof *weights);
        multiply_add(matrix(at->q + first, at->dim), k_transposed, matrix(weights, length), length,
                     width, length);
        for (size_t i = 0; i < length * length; i++)
            weights[i] *= factor;
        softmax(matrix(weights, length), length, length);
        multiply_add(matrix(weights, length), matrix(at->v + first, at->dim),
                     matrix(mix + first, at->dim), length, length, width);
    }
}

/* Through the softmax: weights w with gradient g give scores w (g - sum w g), in place in g. */
static void softmax_backward(const float *weights, float *grad, float factor, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const float *w = weights + i * length;
        float *g = grad + i * length;
        float sum = 0.0f;

        for (size_t j = 0; j < length; j++)
            sum += w[j] * g[j];
        for (size_t j = 0; j < length; j++)
            g[j] = w[j] * (g[j] - sum) * factor;
    }
}

void attention_backward(const struct attention *at, const float *mix_grad, float *q_grad,
                        float *k_grad, float *v_grad)
{
    const size_t length = at->length;
    const size_t dim = at->dim;
    const size_t width = dim / at->heads;
    const float factor = 1.0f / sqrtf((float)width);
    float *grad = at->scratch; /* of the weights, then of the scores */
    const struct matrix turned =
        matrix(grad + length * length, length); /* [length or width, length] */

    memset(q_grad, 0, length * dim * sizeof *q_grad);
    memset(k_grad, 0, length * dim * sizeof *k_grad);
    memset(v_grad, 0, length * dim * sizeof *v_grad);
    for (size_t head = 0; head < at->heads; head++) {
        const size_t first = head * width;
        const struct matrix weights = matrix(at->weights + head * length * length, length);
        const struct matrix mixed = matrix((float *)mix_grad + first, dim);

        transpose(weights, turned, length, length);
        multiply_add(turned, mixed, matrix(v_grad + first, dim), length, length, width);
        transpose(matrix(at->v + first, dim), turned, length, width);
        memset(grad, 0, length * length * sizeof *grad);
        multiply_add(mixed, turned, matrix(grad, length), length, width, length);
        softmax_backward(weights.values, grad, factor, length);
        multiply_add(matrix(grad, length), matrix(at->k + first, dim), matrix(q_grad + first, dim),
                     length, length, width);
        transpose(matrix(grad, length), turned, length, length);
        multiply_add(turned, matrix(at->q + first, dim), matrix(k_grad + first, dim), length,
                     length, width);
    }
}
