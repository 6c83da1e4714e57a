/* How a call is divided over devices. Pure: no OpenCL, testable without a device. */
#ifndef POSEMB_SPLIT_H
#define POSEMB_SPLIT_H

#include "params.h"

/* Where the outputs of a call lie, which decides where it may be cut: each part of an output is to
 * begin at a multiple of `alignment`, or so little behind one that nothing of the part before it
 * lies between. */
struct posemb__split_rule {
    uint64_t alignment; /* bytes, 1 and more */
    uint64_t out_begin; /* bytes from the beginning of the memory that is aligned */
    uint64_t output_begin[POSEMB__OUTPUTS];
    bool wanted[POSEMB__OUTPUTS];
};

/* Divide a call of at least one token: ranges[k] has a share of about weights[k], in order; ranges
 * without tokens have rows and columns 0. POSEMB_INVALID_ARGUMENT (a weight), POSEMB_UNSUPPORTED
 * (the message says what cannot be divided). */
posemb_status posemb__split_cut(const posemb_desc *resolved, const struct posemb__call *call,
                                const struct posemb__split_rule *rule, const double *weights,
                                uint32_t count, posemb_range *ranges, posemb_error *error);

/* The shape of a part, with the strides of the whole. */
posemb_shape posemb__split_shape(const posemb_desc *resolved, const struct posemb__call *call,
                                 const posemb_range *range);

/* Bytes from where a buffer of the whole begins to where that of a part does. */
uint64_t posemb__split_input_offset(const posemb_desc *resolved, const struct posemb__call *call,
                                    const posemb_range *range, enum posemb__input input);
uint64_t posemb__split_output_offset(const struct posemb__call *call, const posemb_range *range,
                                     enum posemb__output output);
uint64_t posemb__split_out_offset(const struct posemb__call *call, const posemb_range *range);

/* Add what the record of a part says to that of the whole, whose tokens it names then. */
void posemb__split_add_record(const struct posemb__call *call, const posemb_range *range,
                              const posemb_record *part, posemb_record *whole);

/* The index in the whole call of a token of a part. */
uint32_t posemb__split_token(const struct posemb__call *call, const posemb_range *range,
                             uint32_t token);

#endif
