/* A case of kernel_cases.h as one call: description, shape and buffers in host memory. */
#ifndef POSEMB_TESTS_KERNEL_CALL_H
#define POSEMB_TESTS_KERNEL_CALL_H

#include "kernel_cases.h"

#include <posemb/posemb.h>

/* A buffer of the call; `size` is 0 where the call has none. Memory is kept from call to call. */
struct kernel_buffer {
    unsigned char *bytes;
    size_t size; /* of the whole buffer */
    size_t capacity;
    size_t offset; /* where the call's data begins */
};

struct kernel_call {
    posemb_desc desc;
    posemb_shape shape;
    bool in_place; /* rows are in `out` */
    bool has_record;
    posemb_record record; /* as it is before the call */
    struct kernel_buffer ids;
    struct kernel_buffer table;
    struct kernel_buffer rows;
    struct kernel_buffer positions;
    struct kernel_buffer out; /* as it is before the call: what no row covers holds canaries */
};

/* What an output holds before the call and, between the rows, after it. */
#define KERNEL_CANARY 0x4b5a5a5au

/* The description of a case: the same for all cases of one plan. */
posemb_desc kernel_desc(const struct kernel_case *kernel_case);

/* Fill `call`, reusing its memory. False where memory ran out. */
bool kernel_call_make(struct kernel_call *call, const struct kernel_case *kernel_case);

void kernel_call_release(struct kernel_call *call);

/* Fill the positions of the call; kernel_positions.c. `least_start` ... `most_start` are the limits
 * of shape.start. */
bool kernel_call_fill_positions(struct kernel_call *call, const struct kernel_case *kernel_case,
                                uint64_t *random);

/* How many positions so far gave a phase of exactly a whole eighth of a turn, or the one before. */
size_t kernel_turns_found(void);

#endif
