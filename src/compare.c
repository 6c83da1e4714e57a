/* The one comparison of bits: NaNs count as one pattern, because their payloads differ between
 * devices. */
#include "float_bits.h"

#include <posemb/posemb.h>

uint32_t posemb_canonical_bits(float value)
{
    const uint32_t bits = posemb__bits_of(value);

    return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits;
}

size_t posemb_compare_bits(const float *a, const float *b, size_t count, size_t *first)
{
    size_t differing = 0;

    if (first)
        *first = count;
    for (size_t i = 0; i < count; i++) {
        if (posemb_canonical_bits(a[i]) == posemb_canonical_bits(b[i]))
            continue;
        if (differing == 0 && first)
            *first = i;
        differing++;
    }
    return differing;
}
