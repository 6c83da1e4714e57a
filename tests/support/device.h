/* The device that tests run on, and calls on it that are compared with the reference. What fails
 * here, fails the test. */
#ifndef POSEMB_TESTS_DEVICE_H
#define POSEMB_TESTS_DEVICE_H

#include "params.h"

#include <posemb/posemb_cl.h>

#include <stdbool.h>

/* POSEMB_TEST_DEVICE: the selector of the device; unset: the first usable one. */
const char *support_selector(void);

/* POSEMB_TEST_SHAPE: cpu or gpu; unset or empty: POSEMB_SHAPE_DEFAULT. */
posemb_kernel_shape support_shape(void);

/* Group fixtures: `*state` is a posemb_session on the test device. */
int support_open_session(void **state);
int support_close_session(void **state);

/* An engine on the session's context and device. */
posemb_engine *support_engine_with(posemb_session *session, const posemb_engine_options *options);

/* The same of that shape; POSEMB_SHAPE_DEFAULT: the one of support_shape(). */
posemb_engine *support_make_engine(posemb_session *session, posemb_kernel_shape shape);

/* A plan of a description whose concurrency, where it says nothing, is 1: some drivers compile anew
 * for each of a plan's kernels. */
posemb_plan *support_engine_plan(posemb_engine *engine, const posemb_desc *desc);

/* The same on an engine of support_shape() that only the plan holds. */
posemb_plan *support_make_plan(posemb_session *session, const posemb_desc *desc);

/* A queue of the session's context and device, or NULL and the driver's code. */
cl_command_queue support_make_queue(posemb_session *session, cl_command_queue_properties properties,
                                    cl_int *code);

/* A context on the session's device, other than the session's. */
cl_context support_make_context(posemb_session *session);

cl_mem support_upload(posemb_session *session, const void *data, size_t size);
void support_download(posemb_session *session, cl_mem buffer, void *data, size_t size);

/* ---- Calls */

enum support_buffer {
    SUPPORT_IDS,
    SUPPORT_TABLE,
    SUPPORT_ROWS,
    SUPPORT_POSITIONS,
    SUPPORT_OUT,
    SUPPORT_RECORD,
    SUPPORT_BUFFER_COUNT
};

/* One call with inputs of its own, in host memory and on the device. Every buffer begins with
 * `offset` bytes and ends with some more that the call must not touch. */
struct support_call {
    posemb_desc desc; /* resolved */
    struct posemb__call resolved;
    bool in_place;
    uint64_t offset[SUPPORT_BUFFER_COUNT];
    size_t size[SUPPORT_BUFFER_COUNT]; /* of the whole buffer; 0: the call does not use it */
    void *host[SUPPORT_BUFFER_COUNT];
    cl_mem device[SUPPORT_BUFFER_COUNT];
};

/* What a call is to be made of, beside its description and shape. */
struct support_call_options {
    uint64_t offset_units; /* the offset of every buffer, in elements of that buffer */
    uint64_t seed;
    bool in_place;   /* ADD: rows are the output */
    bool bad_tokens; /* some ids and positions lie out of range */
};

/* Fill host memory: hard floats, ids and positions at random, an output that says untouched. */
void support_call_prepare(struct support_call *call, const posemb_desc *desc,
                          const posemb_shape *shape, const struct support_call_options *options);

/* Make the device's buffers, filled from host memory. */
void support_call_upload(struct support_call *call, posemb_session *session);

posemb_args support_call_args(const struct support_call *call);

/* Arguments of the reference: `out` and `record` are whole buffers in place of the call's. */
posemb_host_args support_call_host_args(const struct support_call *call, void *out, void *record);

/* The device's whole output buffer and its record equal those of the reference. */
void support_call_check(const struct support_call *call, posemb_session *session);

/* The device's output buffer is as it was uploaded. */
void support_call_check_untouched(const struct support_call *call, posemb_session *session);

void support_call_release_device(struct support_call *call);
void support_call_release(struct support_call *call);

/* Prepare, upload, enqueue on the session's queue, check, release. */
void support_call_run(posemb_session *session, const posemb_plan *plan, const posemb_shape *shape,
                      const struct support_call_options *options);

#endif
