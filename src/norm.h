/* Normalisation of one row, as posemb.h defines it: the reference's. */
#ifndef POSEMB_NORM_H
#define POSEMB_NORM_H

#include <posemb/posemb.h>

/* The sum of v[0 ... count - 1] in the canonical order; `work` has room for twice as many. */
float posemb__fold(const float *v, uint32_t count, float *work);

/* 1 / sqrt(v), v >= 0 or NaN. */
float posemb__rsq(float v);

struct posemb__moments {
    float mean;
    float reciprocal;
};

/* y[c] from x[c], before gamma and beta, and the mean (0 of RMS) and reciprocal deviation. y may be
 * x. `work` has room for 3 * dim floats. */
struct posemb__moments posemb__layer_norm(const float *x, uint32_t dim, float epsilon, float *y,
                                          float *work);
struct posemb__moments posemb__rms_norm(const float *x, uint32_t dim, float epsilon, float *y,
                                        float *work);

#endif
