/* Seeded random numbers: the same on every machine. */
#ifndef POSEMB_TESTS_RANDOM_H
#define POSEMB_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct support_random {
    uint64_t state;
};

/* Any seed, also 0. */
struct support_random support_random_from(uint64_t seed);

uint64_t support_random_bits(struct support_random *random);

/* In [-1, 1). */
float support_random_float(struct support_random *random);

/* Zeros of both signs, subnormals, huge and exact values, infinities and NaNs among others. */
float support_random_hard_float(struct support_random *random);

/* In least ... most, both included. */
int64_t support_random_int(struct support_random *random, int64_t least, int64_t most);

void support_random_fill_hard(struct support_random *random, float *values, size_t count);

#endif
