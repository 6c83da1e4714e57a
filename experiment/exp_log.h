/* Exponential and logarithm of the same bits on every machine: a C library's need not be. */
#ifndef POSEMB_EXPERIMENT_EXP_LOG_H
#define POSEMB_EXPERIMENT_EXP_LOG_H

/* e^x for x <= 0, NaN for NaN; below -87 it is 0. Within 1e-7 of it, relatively. */
float negative_exp(float x);

/* The natural logarithm of x >= 1, finite; within 1e-12. */
double log_from_one(double x);

#endif
