/* posemb_cl.h - posemb on OpenCL devices. Includes posemb.h, which defines what is computed.
 *
 *     engine   one cl_context and one cl_device_id of the caller's; owns compiled programs
 *     plan     one posemb_desc, validated and compiled; immutable, may be enqueued from many
 * threads session  a convenience for programs without OpenCL of their own: picks a device, makes
 * context, queue and engine, and runs calls on host memory
 *
 * The library keeps no global state, prints nothing and reads no environment variable. Destroy
 * functions accept NULL. A process must not fork() after it has created an engine and use posemb in
 * the child: OpenCL drivers do not survive it.
 *
 * Define CL_TARGET_OPENCL_VERSION before including (120 or above is enough).
 */
#ifndef POSEMB_POSEMB_CL_H
#define POSEMB_POSEMB_CL_H

#include "posemb.h"

#ifdef __APPLE__
#include <OpenCL/opencl.h>
#else
#include <CL/cl.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Devices */

/** One OpenCL device, in the order of the loader: platforms first, then their devices. */
typedef struct posemb_device_info {
    size_t index; /**< position in that order, from 0 */
    cl_platform_id platform;
    cl_device_id device;
    cl_device_type type;
    cl_uint compute_units;
    size_t max_work_group_size;
    cl_ulong global_memory;  /**< bytes */
    cl_ulong max_allocation; /**< bytes of the largest single buffer */
    cl_ulong cache_size;     /**< bytes of the global memory cache, as the driver reports it */
    char platform_name[128];
    char name[128];
    char version[128];
    char driver[128];
} posemb_device_info;

/**
 * List the devices of every platform.
 *
 * @param devices   [capacity] receives the first `capacity` of them; may be NULL where capacity is
 * 0.
 * @param count     Receives how many there are in all: 0 where there is no OpenCL platform.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR.
 */
POSEMB_API posemb_status posemb_devices_list(posemb_device_info *devices, size_t capacity,
                                             size_t *count, posemb_error *error);

/**
 * Pick a device by a selector: a number as posemb_devices_list() counts, or "name:SUBSTRING" (the
 * first device whose name holds SUBSTRING, without regard to case). NULL or "": the first usable
 * device: one that is available and has a compiler.
 *
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT (not of that form), POSEMB_NO_DEVICE (no such device;
 * the message lists those there are), POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR.
 */
POSEMB_API posemb_status posemb_device_pick(const char *selector, posemb_device_info *info,
                                            posemb_error *error);

/* ---- Engine */

typedef struct posemb_engine posemb_engine;

/** How the work of a launch is cut up. Never changes a bit. */
typedef enum posemb_kernel_shape {
    POSEMB_SHAPE_DEFAULT =
        0, /**< chosen by the driver: CPU for PoCL and other CPU compilers, else GPU */
    POSEMB_SHAPE_CPU = 1, /**< one work-item walks whole rows in wide vectors */
    POSEMB_SHAPE_GPU = 2  /**< a work-group shares rows, each work-item a few channel pairs */
} posemb_kernel_shape;

/** Choices of an engine; zero means the default, as in posemb_desc. */
typedef struct posemb_engine_options {
    posemb_kernel_shape shape; /**< 0: chosen by the driver */
    uint32_t local_size; /**< 0: chosen; work-items of a GPU-shaped group: a power of two up to the
                              device's largest; CPU-shaped groups always have one */
    uint64_t streamed_threshold; /**< 0: 4 MiB; bytes of output from which stores bypass the cache
                                      under POSEMB_CONSUMER_STREAMED, where the compiler can */
    uint64_t follows_threshold;  /**< 0: 24 MiB; the same under POSEMB_CONSUMER_FOLLOWS: an output
                                    far  larger than the cache is gone before it is read */
} posemb_engine_options;

/**
 * Create an engine on the caller's context and device; both are retained until the engine and all
 * of its plans are destroyed.
 *
 * @param options  NULL: all defaults.
 * @param engine   Receives the engine; NULL on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT (NULL, a device that is not of the context, a bad
 * option), POSEMB_UNSUPPORTED (no compiler, an OpenCL older than 1.2, a big-endian device),
 *         POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR.
 * Threads: any. The engine itself may be used from many threads.
 */
POSEMB_API posemb_status posemb_engine_create(cl_context context, cl_device_id device,
                                              const posemb_engine_options *options,
                                              posemb_engine **engine, posemb_error *error);

/** Release an engine. Plans made from it stay valid: they hold what they need. */
POSEMB_API void posemb_engine_destroy(posemb_engine *engine);

/** The options in force: `shape` and `local_size` as chosen. */
POSEMB_API posemb_engine_options posemb_engine_resolved(const posemb_engine *engine);

/* ---- Plan */

typedef struct posemb_plan posemb_plan;

/**
 * Validate a description, compile its kernels (unless the engine has them) and upload its
 * constants: 8 bytes for each channel pair, nothing else.
 *
 * @param plan  Receives the plan; NULL on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_BUILD_FAILED (the message has the driver's
 * log), POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR. Threads: any; plans of one engine are built one
 * after the other.
 */
POSEMB_API posemb_status posemb_plan_create(posemb_engine *engine, const posemb_desc *desc,
                                            posemb_plan **plan, posemb_error *error);

/**
 * Release a plan. Work that was enqueued goes on: OpenCL holds what it needs. Must not run at the
 * same time as another call on the same plan.
 */
POSEMB_API void posemb_plan_destroy(posemb_plan *plan);

/** The description in force, every default filled in. Lives as long as the plan. */
POSEMB_API const posemb_desc *posemb_plan_resolved(const posemb_plan *plan);

/** A place in a buffer that the caller owns. */
typedef struct posemb_buffer {
    cl_mem mem;
    uint64_t offset; /**< bytes, a multiple of the element size */
} posemb_buffer;

/** Arguments of one launch; the counterpart of posemb_host_args. Unused buffers are ignored. */
typedef struct posemb_args {
    posemb_shape shape;
    posemb_buffer ids;   /**< [B, S] of id_type; ENCODE */
    posemb_buffer table; /**< E, [vocab, D] float; ENCODE */
    posemb_buffer rows;  /**< [B, S, D] float; ADD; may be `out` with the same strides (in place) */
    posemb_buffer positions; /**< integers of position_type as the rule says; not used by INDEX */
    posemb_buffer out;       /**< [B, S, D] float; must not overlap any other input */
    posemb_buffer
        record; /**< a posemb_record, 16 bytes; mem NULL: bad tokens are zero rows, unrecorded */
} posemb_args;

/**
 * Enqueue one call. Returns once the work is queued.
 *
 * One clEnqueueNDRangeKernel; nothing is finished, flushed or allocated. Wait list and event have
 * OpenCL's own meaning on in-order and out-of-order queues. With no tokens nothing is launched: a
 * marker honours the wait list and completes the event. Sizes are checked against the buffers.
 * `args` is copied; the buffers may be released as soon as the call has returned.
 *
 * @param queue      Any queue of the engine's context and device; caller-owned.
 * @param num_waits  Number of events in `waits`; 0 where that is NULL, and only there.
 * @param event      NULL, or receives one event, which the caller releases. Untouched on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_SIZE_OVERFLOW, POSEMB_BUFFER_TOO_SMALL,
 *         POSEMB_QUEUE_MISMATCH, POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR. On failure nothing has
 * been enqueued. Threads: any number on one plan; beyond `concurrency` of them at once, a call
 * waits for another's enqueue (not for its work) to return.
 */
POSEMB_API posemb_status posemb_enqueue(const posemb_plan *plan, cl_command_queue queue,
                                        const posemb_args *args, cl_uint num_waits,
                                        const cl_event *waits, cl_event *event,
                                        posemb_error *error);

/**
 * Pay now for what drivers do at the first launch (PoCL compiles again for each kernel and local
 * size): run kernels of the plan once, on small scratch buffers, and wait for the queue.
 *
 * @param shape  NULL: every kernel of the plan. Else only the one that a call of this shape
 * launches (batch, length and the output's strides decide).
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_SIZE_OVERFLOW, POSEMB_QUEUE_MISMATCH,
 *         POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR.
 * Threads: as posemb_enqueue().
 */
POSEMB_API posemb_status posemb_plan_warmup(const posemb_plan *plan, cl_command_queue queue,
                                            const posemb_shape *shape, posemb_error *error);

/* ---- Error record */

/** A record, and the values that the first bad tokens had. */
typedef struct posemb_report {
    posemb_record record;
    int64_t first_id;       /**< the id of token record.id_first; 0 where there is none */
    int64_t first_position; /**< the position of token record.position_first, before `start` was
                               added; 0 where there is none */
} posemb_report;

/**
 * Enqueue the clearing of a record (a write of 16 bytes). Wait list, event and failure as in
 * posemb_enqueue().
 */
POSEMB_API posemb_status posemb_record_clear(cl_command_queue queue, const posemb_buffer *record,
                                             cl_uint num_waits, const cl_event *waits,
                                             cl_event *event, posemb_error *error);

/**
 * Read a record, and look up the ids and positions it names. Blocks until the queue has done the
 * reads; on an out-of-order queue, name the events of the launches in `waits`.
 *
 * @param args    The arguments of the launch whose record it is: `record` is read, and the first
 * bad id and position are looked up in `ids` and `positions`, which must still hold them. A record
 *                over several launches names tokens of all of them.
 * @param report  Receives the result. Untouched on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_QUEUE_MISMATCH, POSEMB_BUFFER_TOO_SMALL,
 *         POSEMB_DEVICE_ERROR.
 */
POSEMB_API posemb_status posemb_record_read(const posemb_plan *plan, cl_command_queue queue,
                                            const posemb_args *args, cl_uint num_waits,
                                            const cl_event *waits, posemb_report *report,
                                            posemb_error *error);

/* ---- Session: for programs without OpenCL of their own */

typedef struct posemb_session posemb_session;

/**
 * Pick a device (posemb_device_pick() reads the selector) and make a context, an in-order queue and
 * an engine on it.
 *
 * @param session  Receives the session; NULL on failure.
 * @return POSEMB_OK, or what posemb_device_pick() and posemb_engine_create() return.
 */
POSEMB_API posemb_status posemb_session_create(const char *selector, posemb_session **session,
                                               posemb_error *error);

/** Wait for the session's queue and release everything that the session made, engine included. */
POSEMB_API void posemb_session_destroy(posemb_session *session);

/** What the session made; owned by the session. */
POSEMB_API posemb_engine *posemb_session_engine(const posemb_session *session);
POSEMB_API cl_context posemb_session_context(const posemb_session *session);
POSEMB_API cl_command_queue posemb_session_queue(const posemb_session *session);
POSEMB_API const posemb_device_info *posemb_session_device(const posemb_session *session);

/**
 * Make a device buffer of `size` bytes, filled from `data` unless that is NULL. The caller releases
 * it with clReleaseMemObject().
 *
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT (size 0), POSEMB_OUT_OF_MEMORY (also: larger than the
 *         device's largest allocation), POSEMB_DEVICE_ERROR.
 */
POSEMB_API posemb_status posemb_session_upload(posemb_session *session, const void *data,
                                               size_t size, cl_mem *buffer, posemb_error *error);

/** Wait for the queue and copy `size` bytes at `offset` of `buffer` to `data`. */
POSEMB_API posemb_status posemb_session_download(posemb_session *session, cl_mem buffer,
                                                 size_t offset, void *data, size_t size,
                                                 posemb_error *error);

/**
 * Run one call on the device with host memory: posemb_reference_run() with the same arguments, the
 * same result and the same bits, plus one plan, uploads, one launch and one download. Programs that
 * call often keep a plan and buffers instead.
 *
 * @return POSEMB_OK (also with bad ids or positions: see args->record), or what
 * posemb_plan_create(), posemb_session_upload() and posemb_enqueue() return. On failure the output
 * is untouched, unless the download itself failed.
 */
POSEMB_API posemb_status posemb_session_run(posemb_session *session, const posemb_desc *desc,
                                            const posemb_host_args *args, posemb_error *error);

#ifdef __cplusplus
}
#endif

#endif
