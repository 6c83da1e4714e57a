/* Seeded random numbers: xorshift64*. */
#include "random.h"

#include <math.h>
#include <string.h>

struct support_random support_random_from(uint64_t seed)
{
    struct support_random random = {seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du};

    if (random.state == 0)
        random.state = 1;
    return random;
}

uint64_t support_random_bits(struct support_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545f4914f6cdd1du;
}

float support_random_float(struct support_random *random)
{
    const int32_t digits = (int32_t)(support_random_bits(random) >> 40) - (1 << 23);

    return (float)digits * 0x1p-23f;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

float support_random_hard_float(struct support_random *random)
{
    static const float exact[] = {
        0.0f,      -0.0f, 1.0f,      -1.0f,     0.5f,       -2.0f,           INFINITY,
        -INFINITY, NAN,   0x1p-126f, 0x1p-149f, -0x1p-149f, 0x1.fffffep127f, -0x1.fffffep127f};
    const uint64_t bits = support_random_bits(random);

    switch (bits % 4) {
    case 0:
        return exact[(bits >> 8) % (sizeof exact / sizeof *exact)];
    case 1: /* a subnormal */
        return float_of((uint32_t)(bits >> 32) & 0x807fffffu);
    case 2: /* any bits at all */
        return float_of((uint32_t)(bits >> 32));
    default:
        return support_random_float(random);
    }
}

int64_t support_random_int(struct support_random *random, int64_t least, int64_t most)
{
    const uint64_t count = (uint64_t)most - (uint64_t)least + 1u;
    const uint64_t bits = support_random_bits(random);

    return (int64_t)((uint64_t)least + (count ? bits % count : bits));
}

void support_random_fill_hard(struct support_random *random, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = support_random_hard_float(random);
}
