/* The shape of a call: defaults filled in, every range checked. No OpenCL. */
#ifndef POSEMB_PARAMS_H
#define POSEMB_PARAMS_H

#include "desc.h"

/* What a call reads; of the extra tables the first of POSEMB_EXTRAS_MAX, of the other parts of the
 * token table the first of POSEMB_PARTS_MAX - 1. */
enum posemb__input {
    POSEMB__IDS,
    POSEMB__TABLE, /* the first of its parts; the others follow */
    POSEMB__TABLE_MORE,
    POSEMB__TABLE_SCALES = POSEMB__TABLE_MORE + POSEMB_PARTS_MAX - 1,
    POSEMB__ROWS,
    POSEMB__POSITIONS,
    POSEMB__PADDING,
    POSEMB__POSITION_TABLE,
    POSEMB__POSITION_SCALES,
    POSEMB__GAMMA,
    POSEMB__BETA,
    POSEMB__EXTRA_IDS,
    POSEMB__EXTRA_TABLE = POSEMB__EXTRA_IDS + POSEMB_EXTRAS_MAX,
    POSEMB__EXTRA_SCALES = POSEMB__EXTRA_TABLE + POSEMB_EXTRAS_MAX,
    POSEMB__INPUTS = POSEMB__EXTRA_SCALES + POSEMB_EXTRAS_MAX
};

/* What it writes beside `out` where that is wanted. */
enum posemb__output {
    POSEMB__POSITIONS_OUT,
    POSEMB__LENGTHS_OUT,
    POSEMB__MASK_OUT,
    POSEMB__SUM_OUT,
    POSEMB__MEAN_OUT,
    POSEMB__RSTD_OUT,
    POSEMB__OUTPUTS
};

/* As messages call it. */
const char *posemb__input_name(enum posemb__input input);
const char *posemb__output_name(enum posemb__output output);

/* The part of a buffer that a call touches. */
struct posemb__span {
    uint64_t bytes; /* 0: not used by this description */
    uint64_t unit;  /* offsets are multiples of it */
};

/* A shape with every stride filled in, and how many bytes of each buffer the call touches. */
struct posemb__call {
    posemb_shape shape;
    uint64_t tokens; /* batch * length */
    uint64_t
        counted_columns; /* of a row, among which pads are counted; 0: the rule counts nothing */
    struct posemb__span input[POSEMB__INPUTS];
    struct posemb__span output[POSEMB__OUTPUTS]; /* wanted or not */
    struct posemb__span out;
};

/* Check `shape` against a resolved description and fill `call`; the bytes of an input or output
 * that the description does not use are 0, and so is everything where there are no tokens. */
posemb_status posemb__call_resolve(const posemb_desc *resolved, const posemb_shape *shape,
                                   struct posemb__call *call, posemb_error *error);

/* The fewest equal parts, of whole rows, in which a table fits buffers of at most `largest` bytes;
 * 1 and all rows where it fits one. False where more than POSEMB_PARTS_MAX would be needed. */
bool posemb__split_rows(uint64_t rows, uint64_t stride, uint64_t largest, uint32_t *parts,
                        uint64_t *part_rows);

/* The pointers of host arguments by their number; NULL where the caller has none. */
const void *posemb__host_input(const posemb_host_args *args, enum posemb__input input);
void *posemb__host_output(const posemb_host_args *args, enum posemb__output output);

/* POSEMB_OK where no pointer is missing that the call needs. */
posemb_status posemb__check_host_args(const struct posemb__call *call, const posemb_host_args *args,
                                      posemb_error *error);

#endif
