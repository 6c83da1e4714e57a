/* posemb_train_cl.h - gradients and optimiser steps on OpenCL devices. Includes posemb_train.h,
 * which defines what is computed, and posemb_cl.h. Bits are those of the reference on every device.
 */
#ifndef POSEMB_POSEMB_TRAIN_CL_H
#define POSEMB_POSEMB_TRAIN_CL_H

#include "posemb_cl.h"
#include "posemb_train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Gradients */

/** The backward of one description: compiled kernels. */
typedef struct posemb_backward posemb_backward;

/**
 * Validate a description and compile the kernels of its backward, unless the engine or its cache
 * has them. Needs no plan: the forward may have run anywhere.
 *
 * @param backward  Receives the backward; NULL on failure. It holds on to the engine.
 * @return as posemb_plan_create(). Threads: any.
 */
POSEMB_API posemb_status posemb_backward_create(posemb_engine *engine, const posemb_desc *desc,
                                                posemb_backward **backward, posemb_error *error);

/** Release a backward; as posemb_plan_destroy(). */
POSEMB_API void posemb_backward_destroy(posemb_backward *backward);

/** Arguments of one backward call; the counterpart of posemb_host_backward_args, field by field.
 * mem NULL: the gradient is not wanted. Offsets are multiples of the element size. */
typedef struct posemb_backward_args {
    posemb_shape shape;
    posemb_accumulation accumulation;
    posemb_buffer ids;
    posemb_buffer extra_ids[POSEMB_EXTRAS_MAX];
    posemb_buffer positions;
    posemb_buffer mask;
    posemb_buffer gamma;
    posemb_buffer out_grad;
    posemb_buffer sum;
    posemb_buffer mean;
    posemb_buffer rstd;
    posemb_buffer table_grad;
    posemb_buffer rows_grad;
    posemb_buffer position_grad;
    posemb_buffer extra_grad[POSEMB_EXTRAS_MAX];
    posemb_buffer gamma_grad;
    posemb_buffer beta_grad;
    posemb_buffer segment_rows;
    posemb_buffer segment_grads;
    posemb_buffer segment_count;
    posemb_buffer scratch; /**< posemb_backward_scratch_bytes() bytes of the caller's, for the
                              length of the call; its offset a multiple of 64 */
} posemb_backward_args;

/**
 * Bytes of scratch memory that a call with these arguments needs: shape, and which gradients have a
 * buffer, are looked at. Some 4 T D bytes of a norm, T D of tables, and 16 to 50 bytes a token.
 *
 * @param bytes  Receives 0 or a multiple of 64.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_SIZE_OVERFLOW, POSEMB_UNSUPPORTED.
 * Threads: any.
 */
POSEMB_API posemb_status posemb_backward_scratch_bytes(const posemb_backward *backward,
                                                       const posemb_backward_args *args,
                                                       uint64_t *bytes, posemb_error *error);

/**
 * Enqueue one backward call. Returns once the work is queued.
 *
 * Some launches, each of which waits for the one before: rows and columns for a norm; for each
 * table with a gradient a sort of its indices (three launches for every eight bits of its row
 * numbers) and five more. Nothing is finished, flushed or allocated. Wait list, event and `args`
 * are as in posemb_enqueue().
 *
 * @return as posemb_enqueue(), and POSEMB_UNSUPPORTED. Where a check fails nothing has been
 * enqueued; where a launch fails (POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR) gradients may be half
 * written. Threads: any number; calls on one backward take turns while they enqueue.
 */
POSEMB_API posemb_status posemb_backward_enqueue(posemb_backward *backward, cl_command_queue queue,
                                                 const posemb_backward_args *args,
                                                 cl_uint num_waits, const cl_event *waits,
                                                 cl_event *event, posemb_error *error);

/**
 * Run one backward call on the device with host memory: posemb_reference_backward() with the same
 * arguments and the same bits.
 *
 * @return POSEMB_OK, or what the calls above return. On failure gradients are untouched, unless a
 * download failed.
 */
POSEMB_API posemb_status posemb_session_backward(posemb_session *session, const posemb_desc *desc,
                                                 const posemb_host_backward_args *args,
                                                 posemb_error *error);

/* ---- Optimiser steps */

/** The optimiser of one description: compiled kernels. It has no state: that is the caller's. */
typedef struct posemb_optimizer posemb_optimizer;

/**
 * Validate a description and compile its kernel, unless the engine or its cache has it.
 *
 * @return as posemb_plan_create(). Threads: any.
 */
POSEMB_API posemb_status posemb_optimizer_create(posemb_engine *engine,
                                                 const posemb_optimizer_desc *desc,
                                                 posemb_optimizer **optimizer, posemb_error *error);

/** Release an optimiser; as posemb_plan_destroy(). */
POSEMB_API void posemb_optimizer_destroy(posemb_optimizer *optimizer);

/** Arguments of one step; the counterpart of posemb_host_optimizer_args. `segment_rows` has room
 * for as many rows as `segment_grads` (here `grads`); what the count says beyond that is not read.
 */
typedef struct posemb_optimizer_args {
    posemb_optimizer_step step;
    posemb_buffer parameters;
    posemb_buffer first;
    posemb_buffer second;
    posemb_buffer grads;
    posemb_buffer segment_rows;
    posemb_buffer segment_count;
    uint64_t segment_capacity; /**< by_segment: rows that segment_rows and grads have room for */
} posemb_optimizer_args;

/**
 * Enqueue one step: one launch. As posemb_enqueue().
 *
 * @return as posemb_enqueue(). Threads: any number; calls on one optimiser take turns while they
 * enqueue.
 */
POSEMB_API posemb_status posemb_optimizer_enqueue(posemb_optimizer *optimizer,
                                                  cl_command_queue queue,
                                                  const posemb_optimizer_args *args,
                                                  cl_uint num_waits, const cl_event *waits,
                                                  cl_event *event, posemb_error *error);

#ifdef __cplusplus
}
#endif

#endif
