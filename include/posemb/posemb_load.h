/* posemb_load.h - from the file of a model to device buffers, for inference engines. A library of
 * its own, posemb_load, beside posemb: it needs jansson.
 *
 *     posemb_load_stage()  the tables and the norm of a model's stage, described for a plan
 *     posemb_load_table()  one table of a file
 *
 * Files are .safetensors and .gguf, as `posemb encode --model-file` takes them, and untrusted: all
 * that they say is checked. Everything is checked (file, names, shapes, config, room in the
 * device's buffers) before the first buffer is made. Then each tensor is read once, in pieces, and
 * its bytes are in host memory at most once:
 *
 *     STAGED   through one staging area of a piece, of which one half is read from the file while
 * the driver takes the other MAPPED   from the file into the buffer, which is mapped piece by piece
 *
 * The library keeps no global state, prints nothing and reads no environment variable.
 */
#ifndef POSEMB_POSEMB_LOAD_H
#define POSEMB_POSEMB_LOAD_H

#include "posemb_cl.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How bytes come from a file into a buffer. */
typedef enum posemb_load_way {
    POSEMB_LOAD_DEFAULT = 0, /**< MAPPED where the device says CL_DEVICE_HOST_UNIFIED_MEMORY, else
                                STAGED */
    POSEMB_LOAD_STAGED = 1,
    POSEMB_LOAD_MAPPED = 2 /**< also possible where memory is not unified; then the driver has a
                              copy of each piece */
} posemb_load_way;

/**
 * Told how far a load is, by the thread that loads: after each piece.
 *
 * @param part   What the piece is of: "words", "positions", "types", "gamma", "beta", or "words
 *               scales" and so on. Static storage.
 * @param done   Bytes that were read so far; each call has more than the one before.
 * @param total  Bytes of all; the last call has done == total.
 * @param data   progress_data of the options.
 * @return 0 to go on; anything else makes the load fail with POSEMB_CANCELLED.
 */
typedef int (*posemb_load_progress)(const char *part, uint64_t done, uint64_t total, void *data);

/** Choices of a load; zero means the default, as in posemb_desc. */
typedef struct posemb_load_options {
    const char *prefix; /**< what stands before the names of the stage's tensors, such as
                             "model.encoder"; "" is none; NULL: any, as long as there is one alone.
                             posemb_load_stage() alone */
    const char
        *model;    /**< NULL: the model that the file's config or keys name; else a name of
                        posemb_model_find(), or "none": no positions. posemb_load_stage() alone */
    uint32_t mask; /**< 1: calls have an attention mask in posemb_args.padding, and the description
                        takes pads from it; 0: a model that has one (OPT) is described as if there
                        were no pads. posemb_load_stage() alone */
    uint64_t shard_first; /**< load only these rows of the token table, and what an I8 table has of
                               their scales: as posemb_shape says */
    uint64_t shard_rows;  /**< 0: all, where shard_first is 0 */
    uint64_t piece;       /**< 0: 4 MiB; bytes of host memory between file and device, or that are
                               mapped at once. No row, no tensor needs to fit into it */
    posemb_load_way way;  /**< 0: as the device is */
    cl_mem_flags flags;   /**< 0: CL_MEM_READ_ONLY, and CL_MEM_ALLOC_HOST_PTR where MAPPED; of the
                               buffers, without a host pointer to use or copy, and such that the
                               host may write. What else the driver refuses is DEVICE_ERROR */
    posemb_load_progress progress; /**< NULL: not told */
    void *progress_data;           /**< handed to `progress` */
} posemb_load_options;

/** What was loaded: owns the buffers. */
typedef struct posemb_loaded posemb_loaded;

/**
 * Load the embedding stage of a model: words, a learned position table, token types, the norm's
 * rows, the scales of I8 tables; what the model does not use (stored sinusoids, which are computed)
 * is not read.
 *
 * posemb_loaded_desc() is then what `posemb encode --model-file` makes of the file: dim, storages,
 * positions and pads of the model, token scale, norm and epsilon; and table_parts as many as
 * posemb_split_table() needs. posemb_loaded_args() has the buffers and the shape fields that go
 * with them (vocab, part_rows, shard, position_rows, rows of types) and the model's start. A call
 * adds ids, out, batch and length. Token types are row 0 for all tokens (POSEMB_EXTRA_CONSTANT):
 * for others say so in extras[0] of a copy of both.
 *
 * @param engine   Its context and device are those of the buffers, its largest_buffer their limit.
 * @param queue    Of that context and device, in order or out of order. On return the data are in
 *                 place: later work needs to wait for nothing. On a queue that is in order, the
 * call waits for what was enqueued before.
 * @param path     A .safetensors or .gguf file, or a folder with a model.safetensors.
 * @param options  NULL: all defaults.
 * @param loaded   Receives what was loaded, the caller's to posemb_loaded_destroy(); NULL on
 * failure, when nothing stays allocated.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT (a bad option; a file that cannot be read, is
 * malformed, contradicts its config, shrinks while it is read, lacks a tensor that its model needs,
 * or has two for a part; no model is known); POSEMB_UNSUPPORTED (the token table does not fit
 *         POSEMB_PARTS_MAX buffers, or another one does not fit one); POSEMB_CANCELLED;
 *         POSEMB_QUEUE_MISMATCH, POSEMB_SIZE_OVERFLOW, POSEMB_OUT_OF_MEMORY, POSEMB_DEVICE_ERROR.
 * Threads: any; several loads may run at once, on one queue too.
 */
POSEMB_API posemb_status posemb_load_stage(const posemb_engine *engine, cl_command_queue queue,
                                           const char *path, const posemb_load_options *options,
                                           posemb_loaded **loaded, posemb_error *error);

/**
 * Load one table, [rows, D], as tokens: the description has dim, tokens, table_parts and
 * POSEMB_NO_POSITION, the arguments have table, table_more, table_scales and the shape fields that
 * go with them. An engine adds what else its stage has, or takes the buffers for another part.
 *
 * @param path  FILE or FILE:TENSOR, of .safetensors or .gguf; without a TENSOR its only one with
 * two dimensions. The scales of an I8 table are the tensor beside it that has its name and
 *              "_scale" at its end, or ".scales" for ".weight". No config is looked at.
 * @return as posemb_load_stage(); POSEMB_INVALID_ARGUMENT also for a prefix, a model or a mask.
 */
POSEMB_API posemb_status posemb_load_table(const posemb_engine *engine, cl_command_queue queue,
                                           const char *path, const posemb_load_options *options,
                                           posemb_loaded **loaded, posemb_error *error);

/** The description of the stage, for posemb_plan_create(); as long as `loaded` lives. */
POSEMB_API const posemb_desc *posemb_loaded_desc(const posemb_loaded *loaded);

/** The buffers and their shapes, for posemb_enqueue() once a call has added its own; as long as
 * `loaded` lives. Every buffer is of `loaded` and begins at its offset, 0. */
POSEMB_API const posemb_args *posemb_loaded_args(const posemb_loaded *loaded);

/** The model whose positions the stage has, a name of posemb_model_find() or "none"; NULL of a
 * table. Static storage. */
POSEMB_API const char *posemb_loaded_model(const posemb_loaded *loaded);

/** Bytes of all buffers. */
POSEMB_API uint64_t posemb_loaded_bytes(const posemb_loaded *loaded);

/** Release the buffers, and all else. Work that was enqueued goes on: OpenCL holds what it needs.
 * Accepts NULL. */
POSEMB_API void posemb_loaded_destroy(posemb_loaded *loaded);

#ifdef __cplusplus
}
#endif

#endif
