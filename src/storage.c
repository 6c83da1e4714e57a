/* Elements of rows as they are stored, to floats and back: the reference's conversions. */
#include "storage.h"

#include "float_bits.h"

#include <math.h>
#include <string.h>

float posemb__from_f16(uint16_t bits)
{
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    float magnitude;

    if (exponent == 31)
        magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexpf((float)fraction, -24);
    else
        magnitude = ldexpf((float)(1024 + fraction), exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

float posemb__from_bf16(uint16_t bits)
{
    return posemb__float_of((uint32_t)bits << 16);
}

/* The magnitude as a whole number of units in the last place of its binade, or of the subnormals.
 */
uint16_t posemb__to_f16(float value)
{
    const uint32_t sign = posemb__bits_of(value) >> 31 << 15;
    const float magnitude = fabsf(value);
    int exponent;
    uint32_t units;

    if (isnan(value))
        return 0x7e00;
    if (magnitude >= 65520.0f) /* half a unit above the largest, infinity among them */
        return (uint16_t)(sign | 0x7c00u);
    frexpf(magnitude, &exponent); /* magnitude < 2^exponent */
    if (exponent < -13 || magnitude == 0.0f)
        exponent = -13;
    units = (uint32_t)nearbyintf(ldexpf(magnitude, 11 - exponent)); /* ties to even; 0 ... 2048 */
    return (uint16_t)(sign | ((uint32_t)(exponent + 13) * 1024u + units));
}

uint16_t posemb__to_bf16(float value)
{
    const uint32_t bits = posemb__bits_of(value);
    const uint32_t low = bits & 0xffffu;
    uint32_t high = bits >> 16;

    if (isnan(value))
        return 0x7fc0;
    if (low > 0x8000u || (low == 0x8000u && high % 2 != 0))
        high++; /* the largest becomes infinity */
    return (uint16_t)high;
}

float posemb__load_element(const void *row, uint64_t index, posemb_storage storage)
{
    uint16_t narrow;
    float value;
    int8_t byte;

    switch (storage) {
    case POSEMB_F16:
        memcpy(&narrow, (const char *)row + 2 * index, sizeof narrow);
        return posemb__from_f16(narrow);
    case POSEMB_BF16:
        memcpy(&narrow, (const char *)row + 2 * index, sizeof narrow);
        return posemb__from_bf16(narrow);
    case POSEMB_I8:
        memcpy(&byte, (const char *)row + index, sizeof byte);
        return (float)byte;
    default:
        memcpy(&value, (const char *)row + 4 * index, sizeof value);
        return value;
    }
}

void posemb__store_element(void *row, uint64_t index, posemb_storage storage, float value)
{
    const uint16_t narrow = storage == POSEMB_F16 ? posemb__to_f16(value) : posemb__to_bf16(value);

    if (storage == POSEMB_F32)
        memcpy((char *)row + 4 * index, &value, sizeof value);
    else
        memcpy((char *)row + 2 * index, &narrow, sizeof narrow);
}

float posemb__round_to(float value, posemb_storage storage)
{
    switch (storage) {
    case POSEMB_F16:
        return posemb__from_f16(posemb__to_f16(value));
    case POSEMB_BF16:
        return posemb__from_bf16(posemb__to_bf16(value));
    default:
        return value;
    }
}
