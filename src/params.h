/* The shape of a call: defaults filled in, every range checked. No OpenCL. */
#ifndef POSEMB_PARAMS_H
#define POSEMB_PARAMS_H

#include "desc.h"

/* A shape with every stride filled in, and how many bytes of each buffer the call touches. */
struct posemb__call {
    posemb_shape shape;
    uint64_t tokens; /* batch * length */
    uint64_t ids_bytes;
    uint64_t table_bytes;
    uint64_t rows_bytes;
    uint64_t positions_bytes;
    uint64_t padding_bytes;
    uint64_t
        counted_columns; /* of a row, among which pads are counted; 0: the rule counts nothing */
    uint64_t out_bytes;
    /* Of the optional outputs, wanted or not. */
    uint64_t positions_out_bytes;
    uint64_t lengths_out_bytes;
    uint64_t mask_out_bytes;
};

/* Check `shape` against a resolved description and fill `call`; the *_bytes of an input that the
 * operation does not use are 0, and so is everything where there are no tokens. */
posemb_status posemb__call_resolve(const posemb_desc *resolved, const posemb_shape *shape,
                                   struct posemb__call *call, posemb_error *error);

#endif
