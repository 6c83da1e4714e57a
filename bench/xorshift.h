/* xorshift64*: payloads need to be incompressible and the same in every run, not unpredictable. */
#ifndef POSEMB_BENCH_XORSHIFT_H
#define POSEMB_BENCH_XORSHIFT_H

#include <stddef.h>
#include <stdint.h>

/* The next number; `state` begins as anything but 0. */
static inline uint64_t xorshift_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static inline void xorshift_fill(uint64_t *state, unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)(xorshift_next(state) >> 32);
}

#endif
