/* What a description's sinusoids are, channel by channel: the knobs of a convention, and the
 * segments of a row.
 */
#ifndef POSEMB_CONVENTION_H
#define POSEMB_CONVENTION_H

#include <posemb/posemb.h>

#include <stdbool.h>

/* Fill the knobs that `desc` leaves to its convention, which must be one. */
void posemb__convention_fill(posemb_desc *desc);

/* What the channel holds that an odd segment has beyond its pairs. */
enum posemb__lone { POSEMB__LONE_NONE, POSEMB__LONE_ZERO, POSEMB__LONE_SINE, POSEMB__LONE_COSINE };

/* A run of channels with one position: a whole row, or one axis of a grid. First and second
 * function of pair i, i < full_pairs, lie at the channels interleaved: 2i, 2i + 1        halves: i,
 * second_offset + i of the segment, and an odd one has a channel more. */
struct posemb__segment {
    uint32_t axis;
    uint32_t channel; /* where it begins in the row */
    uint32_t dim;
    uint32_t first_step; /* where its steps begin */
    uint32_t
        pairs; /* its steps: full_pairs, and one more for a lone channel of its own frequency */
    uint32_t full_pairs;
    uint32_t second_offset;
    enum posemb__lone lone;
    uint32_t lone_channel; /* of the segment */
    uint32_t lone_pair;    /* whose function it holds */
};

struct posemb__channels {
    bool interleaved;
    bool cosine_first;
    uint32_t pairs; /* steps of all segments */
    uint32_t segments;
    struct posemb__segment segment[POSEMB_AXES_MAX];
};

/* The channels of a resolved description. */
struct posemb__channels posemb__channels_of(const posemb_desc *resolved);

/* Twice the denominator of a segment's exponents before the shift: D, or D made even. */
uint32_t posemb__twice_denominator(const posemb_desc *resolved,
                                   const struct posemb__segment *segment);

#endif
