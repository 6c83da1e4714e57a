/* Seconds of a monotonic clock, and the statistics of samples. */
#include "clock.h"

#include <stdlib.h>
#include <time.h>

double clock_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double samples_smallest(const double *samples, size_t count)
{
    double smallest = samples[0];

    for (size_t i = 1; i < count; i++)
        if (samples[i] < smallest)
            smallest = samples[i];
    return smallest;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

double samples_median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare_doubles);
    return count % 2 ? samples[count / 2] : 0.5 * (samples[count / 2 - 1] + samples[count / 2]);
}

double samples_quantile(double *samples, size_t count, double share)
{
    const double median = samples_median(samples, count);

    if (share == 0.5)
        return median;
    return samples[(size_t)(share * (double)(count - 1) + 0.5)];
}
