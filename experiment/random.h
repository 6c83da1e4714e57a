/* Random numbers that are the same everywhere: SplitMix64 (Steele, Lea and Flood 2014). */
#ifndef POSEMB_EXPERIMENT_RANDOM_H
#define POSEMB_EXPERIMENT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* A stream of its own for each pair of numbers. */
static inline struct random random_stream(uint64_t seed, uint64_t purpose)
{
    return (struct random){seed * UINT64_C(0xd1342543de82ef95) + purpose};
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A whole number from 0 to count - 1; `count` is small beside 2^32. */
static inline uint32_t random_below(struct random *random, uint32_t count)
{
    return (uint32_t)((random_next(random) >> 32) * count >> 32);
}

/* Floats with mean 0 and that deviation, evenly distributed. */
static inline void random_fill(struct random *random, float deviation, float *values, size_t count)
{
    const float half_width = 1.7320508f * deviation; /* sqrt(3) */

    for (size_t i = 0; i < count; i++)
        values[i] = half_width * ((float)(random_next(random) >> 40) * 0x1p-23f - 1.0f);
}

#endif
