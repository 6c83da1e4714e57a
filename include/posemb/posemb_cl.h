/* posemb_cl.h - posemb on OpenCL devices. Includes posemb.h, which defines what is computed.
 *
 *     engine   one cl_context and one cl_device_id of the caller's; owns compiled programs
 *     plan     one posemb_desc, validated and compiled; immutable, may be enqueued from many
 * threads session  a convenience for programs without OpenCL of their own: picks a device, makes
 * context, queue and engine, and runs calls on host memory
 *
 * The library keeps no global state and prints nothing. The only environment variables it reads say
 * where the program cache is, and whether (posemb_cache_mode, posemb_cache_folder()). Destroy
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

/** How much a message matters. */
typedef enum posemb_log_level {
    POSEMB_LOG_WARNING =
        1,              /**< something is wrong that posemb works around: a damaged cache file */
    POSEMB_LOG_INFO = 2 /**< what was built, loaded or saved, and how long it took */
} posemb_log_level;

/**
 * Receives one message, without a newline at its end, which lives until the function returns.
 * Called by the thread that creates an engine, creates a plan or warms it up, so it must be safe to
 * call from as many threads as do that; it must not call posemb.
 */
typedef void (*posemb_log_function)(posemb_log_level level, const char *message, void *data);

/** Where compiled programs are kept. An engine keeps its own in memory under every mode. */
typedef enum posemb_cache_mode {
    POSEMB_CACHE_DEFAULT = 0, /**< what the environment variable POSEMB_CACHE says: "off" is
                                   POSEMB_CACHE_MEMORY, "on" POSEMB_CACHE_DISK, "strict"
                                   POSEMB_CACHE_STRICT; POSEMB_CACHE_DISK where it is not set */
    POSEMB_CACHE_MEMORY = 1,  /**< in the engine alone */
    POSEMB_CACHE_DISK = 2, /**< also on disk, for the next process; a fault there is logged, and the
                                program is built from source */
    POSEMB_CACHE_STRICT = 3 /**< as POSEMB_CACHE_DISK, but a fault fails the call with
                                 POSEMB_CACHE_FAILED: for tests */
} posemb_cache_mode;

/* ---- Tuning
 *
 * How a plan's work is cut up is a handful of numbers. None of them changes a bit of a result; the
 * best ones differ from device to device, and with what is computed. Those that posemb has built in
 * (posemb_tuning_builtin()) can be overridden by text: what `posemb tune` writes, or a few lines by
 * hand. One line is an entry: what it is for, a colon, what it sets.
 *
 *     # LayerNorm on this processor, D up to 512
 *     device="EPYC 9" op=encode norm=layer dim=1..512: turns=16 prefetch=4
 *     any: follows_threshold=never
 *
 * An entry is for all plans of which everything before the colon is true; `any` alone is for all:
 *
 *     platform=TEXT, device=TEXT, driver=TEXT
 *         TEXT is a part of what posemb_device_info has as platform_name, name, driver
 *     type=cpu|gpu
 *         the type of the device
 *     shape=cpu|gpu
 *         the shape of the plan's kernels, see below
 *     op=encode|add|table, position=sinusoidal|learned|none, norm=none|layer|rms
 *         what is computed
 *     table=f32|f16|bf16|i8|q8_0|q4_0|q4_1|q5_0|q5_1|q2_k|q3_k|q4_k|q5_k|q6_k
 *         storage of the token table, or of the rows that are added to
 *     out=f32|f16|bf16
 *         storage of the output
 *     dim=N or dim=N..M
 *         D, or both ends of a range of it, 1 ... 65536
 *
 * It sets:
 *
 *     shape=cpu|gpu
 *         posemb_kernel_shape; by default the driver decides. Not in an entry that is for a shape
 *     rows=1|2|4|8|16
 *         tokens of one work-group
 *     shared_rows=1|2|4|8|16|off
 *         batch rows of one work-group that share a position, where that depends on the column
 *         alone, so that its sinusoids are computed once for them; off: never. Not on the CPU shape
 *         where rows without a norm have more than 2048 channels of sinusoids
 *     vector=4|8
 *         floats of one access to memory. GPU shape without a norm; the CPU shape has 16
 *     local_size=N|auto
 *         work-items of a group, a power of two from 1 to 4096, or fewer where the device takes
 *         fewer. GPU shape
 *     kept=N
 *         longest row whose sums local memory keeps, 0 ... 65536. GPU shape with a norm
 *     turns=N
 *         groups of rows that a work-group takes one after the other at most, 1 ... 64. CPU shape
 *     prefetch=N
 *         lines of 64 bytes of each row that are asked for ahead, 0 ... 1024: with a norm when a
 *         group begins, else while the rows before it are walked. CPU shape on x86-64, not
 *         table, nor add with a norm
 *     streamed_threshold=BYTES, follows_threshold=BYTES
 *         the fields of posemb_engine_options: a whole number, with K, M or G (2^10, 2^20, 2^30)
 *         after it or not, or never. CPU shape
 *     count_columns=N
 *         longest row of which each group counts the tokens that are not pads, 0 ... 65536. Rules
 *         that count
 *     count_chunk=N
 *         columns that are counted together where rows are longer, 16 ... 65536
 *
 * All entries that match are applied, line after line, those built in first: of two that set the
 * same the later wins. So the general stands before the special. The fields of
 * posemb_engine_options that are not 0 win over all text. What a plan has no use for does nothing.
 *
 * Names and words are without regard to case. Values with blanks or signs stand in "double quotes",
 * which cannot be in them. What follows a # is a comment. Anything else is an error that names its
 * line: POSEMB_INVALID_ARGUMENT. */
#define POSEMB_TUNING_TEXT_MAX 262144u /**< most characters of tuning text */
#define POSEMB_TUNING_SIZE     512     /**< is enough for posemb_plan_tuning() */

/** The tuning that is built in, as text with comments. Lives as long as the program. */
POSEMB_API const char *posemb_tuning_builtin(void);

/** Choices of an engine; zero means the default, as in posemb_desc. */
typedef struct posemb_engine_options {
    posemb_kernel_shape shape; /**< 0: chosen by the tuning, or else the driver */
    uint32_t local_size; /**< 0: chosen by the tuning; work-items of a GPU-shaped group: a power of
                              two up to the device's largest; CPU-shaped groups always have one */
    uint64_t streamed_threshold; /**< 0: chosen by the tuning (4 MiB); bytes of output from which
                                      stores bypass the cache under POSEMB_CONSUMER_STREAMED, where
                                      the compiler can */
    uint64_t
        follows_threshold; /**< 0: likewise (24 MiB); the same under POSEMB_CONSUMER_FOLLOWS:
                                an output far larger than the cache is gone before it is read */
    const char *tuning;    /**< NULL: what is built in; tuning text, as above, to come after that;
                                copied */
    uint64_t
        largest_buffer;      /**< 0: the device's largest allocation, which a larger number does not
                                  exceed; bytes of the buffers that posemb_split_table() counts on */
    posemb_cache_mode cache; /**< 0: the environment decides, see there */
    const char *cache_folder; /**< NULL: posemb_cache_folder(); copied */
    uint64_t cache_limit;    /**< 0: 64 MiB; bytes of all files in the cache folder; beyond them the
                                least    recently used go first */
    posemb_log_function log; /**< NULL: no messages */
    void *log_data;          /**< handed to `log` */
} posemb_engine_options;

/**
 * Create an engine on the caller's context and device; both are retained until the engine and all
 * of its plans are destroyed. The device may be a sub-device of one of the context's.
 *
 * @param options  NULL: all defaults.
 * @param engine   Receives the engine; NULL on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT (NULL, a device that is not of the context, a bad
 * option, tuning text with an error, a POSEMB_CACHE that is none of its words), POSEMB_UNSUPPORTED
 * (no compiler, an OpenCL older than 1.2, a big-endian device), POSEMB_OUT_OF_MEMORY,
 * POSEMB_DEVICE_ERROR, POSEMB_CACHE_FAILED (under POSEMB_CACHE_STRICT: no folder to be had). The
 * cache folder is made when the first program is saved. Threads: any. The engine itself may be used
 * from many threads.
 */
POSEMB_API posemb_status posemb_engine_create(cl_context context, cl_device_id device,
                                              const posemb_engine_options *options,
                                              posemb_engine **engine, posemb_error *error);

/** Release an engine. Plans made from it stay valid: they hold what they need. */
POSEMB_API void posemb_engine_destroy(posemb_engine *engine);

/** The options in force: `cache` and `cache_folder` as found (NULL under POSEMB_CACHE_MEMORY);
 * `shape`, `local_size` and thresholds as they are for plans that no entry of the tuning names by
 * what they compute (posemb_plan_tuning() has a plan's own). The folder's name and the copy of the
 * tuning live as long as the engine. */
POSEMB_API posemb_engine_options posemb_engine_resolved(const posemb_engine *engine);

/** What the engine was created on; retained by it, not for the caller. */
POSEMB_API cl_context posemb_engine_context(const posemb_engine *engine);
POSEMB_API cl_device_id posemb_engine_device(const posemb_engine *engine);

/**
 * The fewest equal parts in which a token table fits the buffers of the device, where its largest
 * allocation is smaller than the table (phones: less than 1 GiB): posemb_desc.table_parts and
 * posemb_shape.part_rows. Part k has the rows k * part_rows ... of the table, from the first byte
 * of the first to the last byte of the last.
 *
 * @param rows       Of the table, or of the shard that is here.
 * @param stride     Bytes from row to row, of which each part is taken to have whole ones:
 * posemb_storage_row_bytes() where they are dense.
 * @param parts      Receives 1 ... POSEMB_PARTS_MAX; 1 where one buffer is enough.
 * @param part_rows  Receives the rows of each part but the last, which has those that are left.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT; POSEMB_UNSUPPORTED where POSEMB_PARTS_MAX buffers
 * cannot hold the table. Threads: any.
 */
POSEMB_API posemb_status posemb_split_table(const posemb_engine *engine, uint64_t rows,
                                            uint64_t stride, uint32_t *parts, uint64_t *part_rows,
                                            posemb_error *error);

/* ---- Plan */

typedef struct posemb_plan posemb_plan;

/**
 * Validate a description, compile the kernels that it uses (unless the engine or its cache has
 * them) and upload its constants: 8 to 24 bytes for each channel pair, and a row of zeros. A
 * program that was built from source is saved, with what the driver compiles at the first launch of
 * each kernel: for that the kernels run once, on a queue of posemb's own.
 *
 * @param plan  Receives the plan; NULL on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_BUILD_FAILED (the message has the driver's
 * log), POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR, POSEMB_CACHE_FAILED (POSEMB_CACHE_STRICT alone),
 * POSEMB_UNSUPPORTED (more kernel parameters than the device takes: of table_parts alone).
 * Threads: any; plans of one engine are built one after the other.
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

/**
 * The tuning of a plan: all settings in force that it has a use for, as an entry of tuning text
 * ("any: shape=cpu rows=8 ..."). The same text given to an engine on this device makes plans of
 * this description with the same program and launches. `local_size` is that of the launches.
 *
 * @param text  [capacity] receives the line, without a newline at its end. Untouched on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_BUFFER_TOO_SMALL (POSEMB_TUNING_SIZE is
 * enough). Threads: any.
 */
POSEMB_API posemb_status posemb_plan_tuning(const posemb_plan *plan, char *text, size_t capacity,
                                            posemb_error *error);

/** Where the compiled program of a plan came from. */
typedef enum posemb_origin {
    POSEMB_ORIGIN_SOURCE = 1, /**< built by the driver */
    POSEMB_ORIGIN_MEMORY = 2, /**< another plan of the engine had it */
    POSEMB_ORIGIN_DISK = 3,   /**< loaded from the cache folder */
    POSEMB_ORIGIN_BLOB = 4    /**< loaded from the caller's blob */
} posemb_origin;

/** Where the program of `plan` came from. */
POSEMB_API posemb_origin posemb_plan_origin(const posemb_plan *plan);

/* ---- Compiled programs
 *
 * Building a program costs from half a second (PoCL) to minutes (some mobile drivers), so compiled
 * programs are kept: by every engine in memory, and, unless that is switched off, as files of a
 * folder of the user's. An engine that has a store of its own takes them as blobs.
 *
 * A program has an id, a digest of everything that can change what the driver makes of it: the
 * source text, the build options, the version of posemb, and what platform, device and driver say
 * of themselves. Another id is another program: after an update of the driver everything is built
 * anew. File and blob are the same bytes: id, length and digest (128-bit XXH3) before the driver's
 * binary. They are read whole and checked before the driver sees any of it. The digest finds
 * damage, not forgery: a binary is code, so take blobs only from stores that nobody else can write
 * to. Nor is a blob portable: use it on the machine where it was made. */

#define POSEMB_BLOB_ID_SIZE 33 /**< 32 hexadecimal digits and a zero */

/**
 * The id of the program that a plan of this description would have, without building it.
 *
 * @param id  Receives a string, fit to be a file's name. Untouched on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT.
 * Threads: any.
 */
POSEMB_API posemb_status posemb_blob_id(const posemb_engine *engine, const posemb_desc *desc,
                                        char id[POSEMB_BLOB_ID_SIZE], posemb_error *error);

/**
 * The compiled program of a plan as a blob. After posemb_plan_warmup() it also has what drivers
 * compile at the first launch (PoCL), so take it then.
 *
 * @param data      [capacity] receives the blob; NULL where capacity is 0. Untouched where it does
 * not fit.
 * @param size      Receives the bytes of the blob, also where it does not fit.
 * @return POSEMB_OK, POSEMB_BUFFER_TOO_SMALL (capacity is less than *size),
 * POSEMB_INVALID_ARGUMENT, POSEMB_UNSUPPORTED (the driver has no binaries), POSEMB_OUT_OF_MEMORY,
 * POSEMB_DEVICE_ERROR. Threads: any. A program may grow by the launches of other threads; call
 * again where it did not fit.
 */
POSEMB_API posemb_status posemb_plan_get_blob(const posemb_plan *plan, void *data, size_t capacity,
                                              size_t *size, posemb_error *error);

/**
 * posemb_plan_create() with a blob of posemb_plan_get_blob(). A blob that is damaged, of another
 * program or refused by the driver is logged, and the program is taken from the cache or built:
 * posemb_plan_origin() tells.
 *
 * @param blob  [size] bytes; may be released once the call has returned.
 * @return as posemb_plan_create(); POSEMB_CACHE_FAILED also for a bad blob under
 * POSEMB_CACHE_STRICT.
 */
POSEMB_API posemb_status posemb_plan_create_from_blob(posemb_engine *engine,
                                                      const posemb_desc *desc, const void *blob,
                                                      size_t size, posemb_plan **plan,
                                                      posemb_error *error);

/**
 * The cache folder of this user and environment: $POSEMB_CACHE_DIR, else $XDG_CACHE_HOME/posemb,
 * else $HOME/.cache/posemb; whether it exists or not. Names that do not begin with "/" are passed
 * over, and so is the environment of a program that runs with another user's rights (setuid). The
 * folder is made with mode 0700. One that is a symbolic link, of another owner, or writable by
 * others is not used.
 *
 * @param path  [capacity] receives the name.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_BUFFER_TOO_SMALL, POSEMB_CACHE_FAILED (the
 * environment names no folder).
 */
POSEMB_API posemb_status posemb_cache_folder(char *path, size_t capacity, posemb_error *error);

/** One file of a cache folder. The strings live until the visit returns. */
typedef struct posemb_cache_entry {
    const char *file; /**< name within the folder */
    const char
        *label; /**< device, driver and options that the program was built with; "" if damaged */
    const char *fault; /**< what is wrong with the file; NULL: it is whole */
    uint64_t bytes;
    int64_t used; /**< when it was last loaded or saved, seconds since 1970 */
} posemb_cache_entry;

/**
 * Read and check every file of a cache folder. What is not posemb's is passed over. A folder that
 * does not exist has no files.
 *
 * @param folder  NULL: posemb_cache_folder().
 * @param visit   Called with each file and `data`, in no order.
 * @return POSEMB_OK, POSEMB_CACHE_FAILED (the folder cannot be used), POSEMB_OUT_OF_MEMORY.
 */
POSEMB_API posemb_status posemb_cache_visit(const char *folder,
                                            void (*visit)(const posemb_cache_entry *entry,
                                                          void *data),
                                            void *data, posemb_error *error);

/**
 * Remove every file that posemb_cache_visit() would visit, and what interrupted writes have left.
 * Programs in use are not affected.
 *
 * @param removed  NULL, or receives how many files were removed.
 * @return as posemb_cache_visit().
 */
POSEMB_API posemb_status posemb_cache_clear(const char *folder, size_t *removed,
                                            posemb_error *error);

/** A place in a buffer that the caller owns. */
typedef struct posemb_buffer {
    cl_mem mem;
    uint64_t offset; /**< bytes, a multiple of the element size */
} posemb_buffer;

/** One extra table of a launch; the counterpart of posemb_host_extra. */
typedef struct posemb_extra_args {
    posemb_buffer ids;    /**< [B, S] or [B] of its id_type; not used by CONSTANT */
    posemb_buffer table;  /**< [rows, D] of its storage */
    posemb_buffer scales; /**< [rows] or [1] float; I8 only */
} posemb_extra_args;

/** Arguments of one launch; the counterpart of posemb_host_args. Unused buffers are ignored. */
typedef struct posemb_args {
    posemb_shape shape;
    posemb_buffer ids;   /**< [B, S] of id_type; ENCODE */
    posemb_buffer table; /**< E, [vocab, D] of its storage, or the shard's rows of it; ENCODE. With
                            table_parts of them the first part_rows rows */
    posemb_buffer table_more[POSEMB_PARTS_MAX - 1]; /**< the other parts, in their order */
    posemb_buffer table_scales; /**< of an I8 table: [rows of `table`] or [1] float */
    posemb_buffer rows; /**< of rows_storage: [B, S, D] for ADD, where it may be `out` with the same
                           storage and strides (in place); [prompt_rows, D] for soft prompts */
    posemb_buffer position_table;  /**< [position_rows, D] of its storage; LEARNED */
    posemb_buffer position_scales; /**< of an I8 position table: [position_rows] or [1] float */
    posemb_extra_args extras[POSEMB_EXTRAS_MAX];
    posemb_buffer gamma;     /**< [D] of norm_storage; where the norm has it */
    posemb_buffer beta;      /**< likewise */
    posemb_buffer positions; /**< numbers of position_type as the rule says; not used by INDEX,
                                COUNT and COUNT_BEFORE */
    posemb_buffer
        padding; /**< numbers of padding_type as the padding says; not used by NONE and TOKEN */
    posemb_buffer scratch; /**< posemb_plan_scratch_bytes() bytes of the caller's, for the length of
                              the launch; mem NULL where they are 0 */
    posemb_buffer
        positions_out; /**< mem NULL, or as in posemb_host_args; like the two that follow */
    posemb_buffer lengths_out;
    posemb_buffer mask_out;
    posemb_buffer sum_out; /**< mem NULL, or as in posemb_host_args; like the two that follow */
    posemb_buffer mean_out;
    posemb_buffer rstd_out;
    posemb_buffer out; /**< [B, S, D] of out_storage. Nothing that is written may overlap anything
                          else, gaps between rows included */
    posemb_buffer record; /**< a posemb_record, 48 bytes; mem NULL: nothing is recorded */
} posemb_args;

/**
 * Enqueue one call. Returns once the work is queued.
 *
 * One clEnqueueNDRangeKernel, or two where posemb_plan_scratch_bytes() is not 0, of which the
 * second waits for the first; nothing is finished, flushed or allocated. Wait list and event have
 * OpenCL's own meaning on in-order and out-of-order queues. With no tokens nothing is launched: a
 * marker honours the wait list and completes the event. Sizes are checked against the buffers.
 * `args` is copied; the buffers may be released as soon as the call has returned.
 *
 * @param queue      Any queue of the engine's context and device; caller-owned.
 * @param num_waits  Number of events in `waits`; 0 where that is NULL, and only there.
 * @param event      NULL, or receives one event, which the caller releases. Untouched on failure.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_SIZE_OVERFLOW, POSEMB_BUFFER_TOO_SMALL,
 *         POSEMB_QUEUE_MISMATCH, POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR. On failure nothing has
 * been enqueued, but for the first of two launches where the second failed: it writes scratch
 * memory alone. Threads: any number on one plan; beyond `concurrency` of them at once, a call waits
 * for another's enqueue (not for its work) to return.
 */
POSEMB_API posemb_status posemb_enqueue(const posemb_plan *plan, cl_command_queue queue,
                                        const posemb_args *args, cl_uint num_waits,
                                        const cl_event *waits, cl_event *event,
                                        posemb_error *error);

/**
 * Bytes of scratch memory that a call of that shape needs. A rule that counts pads looks at the
 * tokens before each of its own; in rows that are too long for that, a launch before it counts them
 * by chunks into scratch memory. Other calls need none. Calls that run at the same time need
 * scratch memory of their own.
 *
 * @param bytes  Receives 0 or a multiple of 4.
 * @return POSEMB_OK, POSEMB_INVALID_ARGUMENT, POSEMB_SIZE_OVERFLOW.
 * Threads: any.
 */
POSEMB_API posemb_status posemb_plan_scratch_bytes(const posemb_plan *plan,
                                                   const posemb_shape *shape, uint64_t *bytes,
                                                   posemb_error *error);

/**
 * Pay now for what drivers do at the first launch (PoCL compiles again for each kernel and local
 * size): run kernels of the plan once, on small scratch buffers, and wait for the queue. A plan
 * whose program came from a cache or a blob has little left to pay.
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
    int64_t first_id; /**< the id of token record.id_first; 0 where there is none */
    int64_t
        first_position; /**< what token record.position_first has in `positions`, before `start` was
                           added; of ragged ones entry number token, of rows with left padding and
                           no positions what `padding` has for the row; 0 where there is none */
    float first_float_position;             /**< the same of float positions; else 0 */
    int64_t first_extra[POSEMB_EXTRAS_MAX]; /**< the id of token record.extras[k].first, in the ids
                                               of that table; 0 where there is none */
} posemb_report;

/**
 * Enqueue the clearing of a record (a write of 48 bytes). Wait list, event and failure as in
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

/* ---- Several devices
 *
 * One call over several devices of one context: each has a share of the batch (or, where the batch
 * is one row, of its columns), and all write into the caller's buffers. The bits are those of one
 * device. Tables and all else that is read may be shared.
 *
 * OpenCL leaves undefined what several devices write at the same time, unless each writes a
 * sub-buffer of its own. So a call that has work for more than one share makes sub-buffers for what
 * is written, and releases them before it returns. A sub-buffer begins at a multiple of
 * CL_DEVICE_MEM_BASE_ADDR_ALIGN (of PoCL 128 bytes, of rusticl 512; the largest of all shares'
 * devices counts here), so the call is cut where each part of each output begins at such a
 * multiple: with 128 bytes at any of dense rows whose floats are a multiple of 32, at every 16th of
 * rows of 6 floats, at every 32nd batch row where lengths_out is wanted. What share a device has is
 * therefore nearly its weight; posemb_split_ranges() tells it.
 *
 * What is divided:
 *
 *     more batch rows than one   batch rows
 *     [S, B, D] outputs          columns
 *     one batch row              columns; the whole call is one share's where they cannot be
 *                                divided: under the counting rules, with an index grid, left
 *                                padding or lengths_out
 *     neither can be divided     POSEMB_UNSUPPORTED: ragged positions; [S, B, D] outputs where
 *                                columns cannot be divided, or with outputs for each token beside
 *                                `out` and `sum_out`
 */

#define POSEMB_SHARES_MAX 8u

/** The share that one device has of a call. Zero what you do not set. */
typedef struct posemb_share {
    const posemb_plan
        *plan;              /**< of an engine of the device. The plans of all shares have one
                               description, but for `consumer` and `concurrency`, and one context */
    cl_command_queue queue; /**< of the plan's context and device; several shares may have one */
    double weight; /**< of the rows or columns in relation to those of the others; finite. 0: none,
                      but where all are 0 the shares are equal. The stage moves memory more than it
                      computes, so compute units tell little, and nothing across makes: divide by
                      what posemb_enqueue() takes on each device (posemb bench --devices) */
    posemb_buffer scratch; /**< as in posemb_args, of the share's own: posemb_plan_scratch_bytes()
                              bytes of its plan and the shape of the whole call are enough */
    posemb_buffer record;  /**< mem NULL, or a posemb_record of the share's own, which counts the
                              tokens of its part: posemb_split_record_read() */
} posemb_share;

/**
 * Which part of the call each share would have. Nothing is enqueued.
 *
 * @param args    As of posemb_split_enqueue(): where the outputs lie decides where they are cut.
 * @param ranges  [count] receives the parts, in the order of the shares; rows 0: no tokens.
 * Untouched on failure.
 * @return as posemb_split_enqueue(). Threads: any.
 */
POSEMB_API posemb_status posemb_split_ranges(const posemb_share *shares, uint32_t count,
                                             const posemb_args *args, posemb_range *ranges,
                                             posemb_error *error);

/**
 * Enqueue one call over the devices of `shares`. Returns once the work is queued.
 *
 * Each share that has tokens gets one posemb_enqueue() on its own queue, after the wait list, and
 * the queue is flushed; then a marker on the first share's queue, which waits for all of them,
 * completes the event. What comes later on that queue, where it is in order, comes after all parts;
 * what is on the queues of other devices comes in no order with it, so events of what was enqueued
 * elsewhere belong in the wait list (flush their queues), and `event` in theirs. The event of a
 * marker has no times worth reading. Where the first share has all tokens, as with a count of 1,
 * the call is posemb_enqueue(), with the same event and no sub-buffers.
 *
 * Buffers that are read may lie in the cl_mem of one that is written (a piece of memory for
 * everything) if they begin at a multiple of the alignment, or as far behind it as nothing that is
 * written lies between; else the call is refused. The caller's buffers may be sub-buffers
 * themselves. The buffers may be released as soon as the call has returned.
 *
 * @param count   1 ... POSEMB_SHARES_MAX.
 * @param args    Of the whole call, as for one device, but `scratch` is not looked at, and
 * record.mem must be NULL: the shares have their own.
 * @param num_waits, waits, event  As in posemb_enqueue().
 * @return POSEMB_OK; what posemb_enqueue() returns; POSEMB_INVALID_ARGUMENT also where plans differ
 *         (the message names the field) or a weight is bad; POSEMB_UNSUPPORTED (see above, and
 *         buffers that lie too close). On failure nothing has been enqueued, unless a driver
 *         refused the launch of a later part or the marker (POSEMB_DEVICE_ERROR,
 *         POSEMB_OUT_OF_MEMORY): then the parts before it run, and clFinish() of the queues tells
 *         when they are done; `event` is untouched in both cases.
 * Threads: as posemb_enqueue(). Bits do not depend on weights or devices.
 */
POSEMB_API posemb_status posemb_split_enqueue(const posemb_share *shares, uint32_t count,
                                              const posemb_args *args, cl_uint num_waits,
                                              const cl_event *waits, cl_event *event,
                                              posemb_error *error);

/**
 * Read the records of all shares that had a part in a call, and make one of them: counts are added,
 * and the first bad tokens are those of the whole call, with the values that they had. Blocks until
 * the queues of the shares have done the reads; on out-of-order queues, name the event of the call.
 *
 * @param args    Of the call; shares and weights too must be as they were.
 * @param report  Receives the result. Untouched on failure.
 * @return as posemb_record_read() and posemb_split_ranges(); POSEMB_INVALID_ARGUMENT also where a
 * share with a part has no record. Clear each record by posemb_record_clear() on its share's queue.
 * Records over several calls name tokens of them only where the parts were the same.
 */
POSEMB_API posemb_status posemb_split_record_read(const posemb_share *shares, uint32_t count,
                                                  const posemb_args *args, cl_uint num_waits,
                                                  const cl_event *waits, posemb_report *report,
                                                  posemb_error *error);

/* ---- Session: for programs without OpenCL of their own */

typedef struct posemb_session posemb_session;

/**
 * Pick a device (posemb_device_pick() reads the selector) and make a context, an in-order queue and
 * an engine on it.
 *
 * @param options  Of the engine; NULL: all defaults.
 * @param session  Receives the session; NULL on failure.
 * @return POSEMB_OK, or what posemb_device_pick() and posemb_engine_create() return.
 */
POSEMB_API posemb_status posemb_session_create(const char *selector,
                                               const posemb_engine_options *options,
                                               posemb_session **session, posemb_error *error);

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
 *         device's largest allocation), POSEMB_DEVICE_ERROR. Threads: any.
 */
POSEMB_API posemb_status posemb_session_upload(posemb_session *session, const void *data,
                                               size_t size, cl_mem *buffer, posemb_error *error);

/** Wait for the queue and copy `size` bytes at `offset` of `buffer` to `data`. Threads: any. */
POSEMB_API posemb_status posemb_session_download(posemb_session *session, cl_mem buffer,
                                                 size_t offset, void *data, size_t size,
                                                 posemb_error *error);

/**
 * Run one call on the device with host memory: posemb_reference_run() with the same arguments, the
 * same result and the same bits, plus one plan, uploads, one launch and one download. Programs that
 * call often keep a plan and buffers instead. A table that is larger than the largest buffer is
 * uploaded in parts; valid table_parts and part_rows are not looked at.
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
