/* Backward calls of any description: inputs at random, what the forward call leaves by the
 * reference, and gradients by the reference or a device. What fails here, fails the test. */
#ifndef POSEMB_TESTS_BACKWARD_CASE_H
#define POSEMB_TESTS_BACKWARD_CASE_H

#include "backward_params.h"
#include "stage_call.h"
#include "support/random.h"

#include <posemb/posemb_train_cl.h>

struct backward_case {
    struct stage_call call; /* with what the forward leaves in call.expected */
    posemb_accumulation accumulation;
    uint32_t wanted;
    bool hard;  /* values that random numbers hide: NaN, infinities, subnormals, zeros */
    bool clean; /* every index is of its table */
    void *out_grad;
    struct posemb__backward_call resolved;
    unsigned char *before[POSEMB__GRADIENTS]; /* what the memory of gradients holds, and a guard */
    unsigned char *expected[POSEMB__GRADIENTS];
};

/* A description, shape and wishes at random. Cases of one `program` have one program of a backward:
 * norm, storages and the length of rows, folded. */
void backward_case_draw(struct support_random *random, struct backward_case *made,
                        uint64_t program);

/* Every gradient that the description can have; segments where nothing accumulates. */
uint32_t backward_case_wishes(const posemb_desc *desc, posemb_accumulation accumulation);

/* Allocate and fill everything, and run the forward reference; call.desc, call.shape, accumulation,
 * wanted and hard are set. */
void backward_case_prepare(struct support_random *random, struct backward_case *made);

/* Host arguments whose gradients lie in `gradients`. */
posemb_host_backward_args backward_case_args(const struct backward_case *made,
                                             unsigned char *const gradients[POSEMB__GRADIENTS]);

/* Run the reference into made->expected. */
void backward_case_run_reference(struct backward_case *made);

/* Run a device, and compare every byte with made->expected. */
void backward_case_run_device(const struct backward_case *made, posemb_session *session,
                              posemb_engine *engine, const char *what);

/* Buffers of a device for a call on `backward`: inputs, gradients as they are before, scratch. */
posemb_backward_args backward_case_upload(const struct backward_case *made, posemb_session *session,
                                          posemb_backward *backward);

/* Compare every byte of the gradients in these buffers with made->expected. */
void backward_case_compare(const struct backward_case *made, posemb_session *session,
                           posemb_backward_args *args, const char *what);

void backward_case_release(posemb_backward_args *args);

void backward_case_free(struct backward_case *made);

/* How a backward call is run on host memory: posemb_reference_backward(), or a device. */
typedef void (*backward_case_runner)(void *state, const posemb_desc *desc,
                                     const posemb_host_backward_args *args);

/* A batch that is cut at multiples of 32 tokens, part after part added to zeros, has the bits of
 * the whole. */
void backward_case_check_cuts(backward_case_runner run, void *state);

#endif
