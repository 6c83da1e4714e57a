/* Unsigned 64-bit arithmetic that tells when it overflows: false means that `*result` is not valid.
 */
#ifndef POSEMB_CHECKED_MATH_H
#define POSEMB_CHECKED_MATH_H

#include <stdbool.h>
#include <stdint.h>

static inline bool posemb__add_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    *result = a + b;
    return *result >= a;
}

static inline bool posemb__mul_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    *result = a * b;
    return a == 0 || *result / a == b;
}

/* a / b, rounded up; nothing overflows. */
static inline uint64_t posemb__divide_up_u64(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* The smallest multiple of `alignment`, a power of two, that is >= a. */
static inline bool posemb__round_up_u64(uint64_t a, uint64_t alignment, uint64_t *result)
{
    const bool fits = posemb__add_u64(a, alignment - 1, result);

    *result &= ~(alignment - 1);
    return fits;
}

#endif
