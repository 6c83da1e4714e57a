/* Gradients of the stage, each beside copies of as many bytes. */
#ifndef POSEMB_BENCH_GRADIENTS_H
#define POSEMB_BENCH_GRADIENTS_H

#include "bench.h"

enum { BENCH_GRADIENTS = 6 };

/* Seconds of one call: the smallest and the median of `repeats` samples, interleaved with those of
 * the other gradients and of the copies. */
struct bench_gradient {
    const char *name;
    size_t differing; /* elements whose bits differ from the reference; there are times only where
                         it is 0 */
    uint64_t bytes;   /* that a call must read and write, each once */
    double seconds;
    double median_seconds;
    double copy_seconds; /* of the best copy that reads half of `bytes` and writes the other half */
    double ratio;        /* to that copy: the median over the rounds */
    uint32_t repeats;
    uint32_t launches; /* calls in one sample */
    char copy[64];     /* which one was the best */
};

struct bench_gradients {
    const char *skipped; /* NULL, or why nothing was measured */
    char reason[256];    /* what `skipped` points to where it was made up */
    uint64_t table_rows; /* of a dense gradient */
    struct bench_gradient gradients[BENCH_GRADIENTS];
};

posemb_status bench_gradients_run(struct bench *bench, const uint32_t shape[3],
                                  struct bench_gradients *result, posemb_error *error);

#endif
