/* What a convention means for a given D: which channel holds what, and the exponents of the base.
 */
#ifndef POSEMB_CONVENTION_H
#define POSEMB_CONVENTION_H

#include <posemb/posemb.h>

#include <stdbool.h>

/* What the last channel of an odd D holds. */
enum posemb__lone { POSEMB__LONE_NONE, POSEMB__LONE_SINE, POSEMB__LONE_ZERO };

/* Sine and cosine of pair i, i < full_pairs, lie at the channels
 *     interleaved: 2i, 2i + 1        halves: i, cosine_offset + i
 * and an odd D has one channel more. */
struct posemb__channels {
    bool interleaved;
    uint32_t pairs;         /* phase steps: full_pairs, and one more for a lone sine */
    uint32_t full_pairs;    /* D / 2, rounded down */
    uint32_t cosine_offset; /* halves: channel of the first cosine */
    enum posemb__lone lone;
    uint32_t lone_channel;
    /* w_i = base^(-i * numerator / denominator) */
    uint32_t numerator;
    uint32_t denominator;
};

/* The channels of a resolved description. */
struct posemb__channels posemb__channels_of(const posemb_desc *resolved);

#endif
