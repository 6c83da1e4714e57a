/* Normalisation of one row, as posemb.h defines it: the reference's. Built without contraction. */
#include "norm.h"

#include "float_bits.h"

#include <math.h>
#include <string.h>

float posemb__fold(const float *v, uint32_t count, float *work)
{
    uint32_t n = 1;

    while (n < count)
        n *= 2;
    memcpy(work, v, count * sizeof *work);
    for (uint32_t j = count; j < n; j++)
        work[j] = 0.0f;
    for (uint32_t h = n / 2; h > 0; h /= 2)
        for (uint32_t j = 0; j < h; j++)
            work[j] = work[j] + work[j + h];
    return work[0] == 0.0f ? 0.0f : work[0];
}

float posemb__rsq(float v)
{
    int exponent;
    float z;
    float y;
    float p;

    if (isnan(v))
        return v;
    if (v == 0.0f || isinf(v))
        return 0.0f;
    z = 2.0f * frexpf(v, &exponent); /* v = z * 2^(exponent - 1), 1 <= z < 2 */
    exponent--;
    if (exponent % 2 != 0) {
        z = 2.0f * z;
        exponent--;
    }
    y = posemb__float_of(0x5f375a86u - (posemb__bits_of(z) >> 1));
    for (int i = 0; i < 3; i++) {
        p = z * y;
        y = fmaf(y / 2.0f, fmaf(-p, y, 1.0f), y);
    }
    p = z * y;
    y = fmaf(y / 2.0f, fmaf(-fmaf(z, y, -p), y, fmaf(-p, y, 1.0f)), y);
    return ldexpf(y, -exponent / 2);
}

struct posemb__moments posemb__layer_norm(const float *x, uint32_t dim, float epsilon, float *y,
                                          float *work)
{
    const float inverse = 1.0f / (float)dim;
    float *const d = work;
    const float mean = posemb__fold(x, dim, work + dim) * inverse;
    float sum;
    float rest;
    float spread;
    struct posemb__moments moments;

    for (uint32_t c = 0; c < dim; c++)
        d[c] = x[c] - mean;
    sum = posemb__fold(d, dim, work + dim);
    rest = sum * inverse;
    if (fabsf(sum) >= 0x1p-60f)
        rest = fmaf(fmaf(-rest, (float)dim, sum), inverse, rest);
    if (rest == 0.0f)
        rest = 0.0f;
    for (uint32_t c = 0; c < dim; c++)
        y[c] = d[c] * d[c];
    spread = posemb__fold(y, dim, work + dim) * inverse - rest * rest;
    if (spread < 0.0f)
        spread = 0.0f;
    moments = (struct posemb__moments){mean + rest, posemb__rsq(spread + epsilon)};
    for (uint32_t c = 0; c < dim; c++)
        y[c] = (d[c] - rest) * moments.reciprocal;
    return moments;
}

struct posemb__moments posemb__rms_norm(const float *x, uint32_t dim, float epsilon, float *y,
                                        float *work)
{
    const float inverse = 1.0f / (float)dim;
    float *const squares = work;
    struct posemb__moments moments = {0.0f, 0.0f};

    for (uint32_t c = 0; c < dim; c++)
        squares[c] = x[c] * x[c];
    moments.reciprocal = posemb__rsq(posemb__fold(squares, dim, work + dim) * inverse + epsilon);
    for (uint32_t c = 0; c < dim; c++)
        y[c] = x[c] * moments.reciprocal;
    return moments;
}
