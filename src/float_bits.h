/* A float and its bits. */
#ifndef POSEMB_FLOAT_BITS_H
#define POSEMB_FLOAT_BITS_H

#include <stdint.h>
#include <string.h>

static inline uint32_t posemb__bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float posemb__float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
