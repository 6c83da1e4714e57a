/* Seconds of a monotonic clock, and the statistics of samples. */
#ifndef POSEMB_BENCH_CLOCK_H
#define POSEMB_BENCH_CLOCK_H

#include <stddef.h>

double clock_seconds(void);

double samples_smallest(const double *samples, size_t count);

/* Sorts the samples. */
double samples_median(double *samples, size_t count);

/* The sample below which that share of them lies; 0: the smallest. Sorts the samples. */
double samples_quantile(double *samples, size_t count, double share);

#endif
