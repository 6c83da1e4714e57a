/* One call of any description: memory for every buffer that it touches, run by the reference and by
 * a device, and every byte of the results compared. What fails here, fails the test. */
#ifndef POSEMB_TESTS_STAGE_CALL_H
#define POSEMB_TESTS_STAGE_CALL_H

#include "params.h"

#include <posemb/posemb_cl.h>

#include <stdbool.h>

enum { STAGE_OUT = POSEMB__OUTPUTS, STAGE_RESULTS };

/* Results have so many bytes behind their end, and hold such bytes before the call. */
enum { STAGE_GUARD = 64, STAGE_UNTOUCHED = 0x5a };

struct stage_call {
    posemb_desc desc;
    posemb_shape shape;
    struct posemb__call resolved;
    void *input[POSEMB__INPUTS];  /* input[k] has resolved.input[k].bytes; the parts of the token
                                     table follow each other in its memory */
    bool wanted[POSEMB__OUTPUTS]; /* where the description has it */
    bool in_place;                /* ADD: rows are the output */
    size_t size[STAGE_RESULTS];   /* 0: not wanted */
    unsigned char *expected[STAGE_RESULTS];
    unsigned char *found[STAGE_RESULTS];
    posemb_record expected_record;
};

/* Allocate everything for call->desc and call->shape, which are set, as are `wanted` and
 * `in_place`: inputs of zeros, results that say untouched. */
void stage_call_allocate(struct stage_call *call);

/* Run the reference; then a device, on an engine, and compare. `print` says which case it is,
 * before the test fails. */
void stage_call_run_reference(struct stage_call *call);
void stage_call_run_device(struct stage_call *call, posemb_session *session, posemb_engine *engine,
                           void (*print)(const void *context, const char *what),
                           const void *context);

/* The call on host memory, with other results. */
posemb_host_args stage_call_host_args(const struct stage_call *call, unsigned char *const *results,
                                      posemb_record *record);

/* Compare what was found of a result, guard bytes included. */
void stage_call_compare(const struct stage_call *call, int result,
                        void (*print)(const void *context, const char *what), const void *context);

void stage_call_free(struct stage_call *call);

/* Number `index` of a buffer. */
void stage_put_number(void *place, size_t index, posemb_number_type type, int64_t value);

#endif
