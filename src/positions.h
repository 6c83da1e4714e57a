/* Where tokens are: the position rules and paddings of posemb.h, as the reference follows them, one
 * token after the other. */
#ifndef POSEMB_POSITIONS_H
#define POSEMB_POSITIONS_H

#include "params.h"

/* The tokens of a call in order: begin with b = s = 0 and walk through every column of every batch
 * row. */
struct posemb__walk {
    const posemb_desc *desc; /* resolved */
    const struct posemb__call *call;
    const posemb_host_args *args;
    uint64_t counted; /* tokens of this row before column s that are not pads; of a mask those of
                         the past too */
    uint64_t past_counted; /* how many of them are in the past */
};

struct posemb__position {
    bool good;
    bool pad;
    int64_t integer[POSEMB_AXES_MAX]; /* before the scale of a grid */
    float real[POSEMB_AXES_MAX];      /* with float positions, in place of the integers */
};

/* Begin with batch row `b`. */
void posemb__walk_begin_row(struct posemb__walk *walk, uint64_t b);

/* The position of token (b, s), the column after the one before. */
void posemb__walk_next(struct posemb__walk *walk, uint64_t b, uint64_t s,
                       struct posemb__position *position);

/* After the last column of row b: how many of its tokens are not pads. */
uint64_t posemb__walk_row_length(const struct posemb__walk *walk);

/* The number at `byte_offset`, of one of the integer types, or a float. */
int64_t posemb__load_int(const void *base, uint64_t byte_offset, posemb_number_type type);
float posemb__load_float(const void *base, uint64_t byte_offset);

#endif
