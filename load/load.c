/* posemb_load: the stage of a model's file, or one table of a file, in device buffers. */
#include "cl_error.h"
#include "model_desc.h"
#include "status.h"
#include "transfer.h"

#include <posemb/posemb_load.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

/* The parts of the token table, its scales, and four more tables or rows, of which two may have
 * scales. */
#define RUNS_MAX (POSEMB_PARTS_MAX + 1u + 6u)

static const uint64_t default_piece = (uint64_t)4 << 20;

struct posemb_loaded {
    posemb_desc desc;
    posemb_args args;
    const char *model;
    uint64_t bytes;
};

/* A load in the making. */
struct job {
    const posemb_engine *engine;
    cl_command_queue queue;
    posemb_load_options options; /* resolved */
    model_file *file;
    posemb_loaded *loaded;
    struct posemb__run runs[RUNS_MAX];
    posemb_buffer *targets[RUNS_MAX]; /* where the buffer of each run goes */
    size_t count;
    posemb_error *error;
};

/* ---- What the caller says */

static posemb_status check_queue(const struct job *job)
{
    cl_context context = NULL;
    cl_device_id device = NULL;
    cl_int code =
        clGetCommandQueueInfo(job->queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL);

    if (code == CL_SUCCESS)
        code = clGetCommandQueueInfo(job->queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(job->error, code, "clGetCommandQueueInfo");
    if (context == posemb_engine_context(job->engine) &&
        device == posemb_engine_device(job->engine))
        return POSEMB_OK;
    return posemb__fail(job->error, POSEMB_QUEUE_MISMATCH, 0,
                        "the queue is of another %s than the engine",
                        context == posemb_engine_context(job->engine) ? "device" : "context");
}

/* The way that suits the device. */
static posemb_status choose_way(struct job *job)
{
    cl_bool unified = CL_FALSE;
    const cl_int code =
        clGetDeviceInfo(posemb_engine_device(job->engine), CL_DEVICE_HOST_UNIFIED_MEMORY,
                        sizeof unified, &unified, NULL);

    if (code != CL_SUCCESS)
        return posemb__cl_fail(job->error, code, "clGetDeviceInfo");
    job->options.way = unified ? POSEMB_LOAD_MAPPED : POSEMB_LOAD_STAGED;
    return POSEMB_OK;
}

static posemb_status resolve_options(struct job *job)
{
    posemb_load_options *options = &job->options;
    const cl_mem_flags with_pointer = CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR;
    posemb_status status = POSEMB_OK;

    if (options->way < POSEMB_LOAD_DEFAULT || options->way > POSEMB_LOAD_MAPPED)
        return posemb__fail(job->error, POSEMB_INVALID_ARGUMENT, 0,
                            "options.way is %d, not one of 0 ... %d", (int)options->way,
                            POSEMB_LOAD_MAPPED);
    if (options->flags & with_pointer)
        return posemb__fail(job->error, POSEMB_INVALID_ARGUMENT, 0,
                            "options.flags is %#" PRIx64 ", with a host pointer",
                            (uint64_t)options->flags);
    if (options->flags & (CL_MEM_HOST_NO_ACCESS | CL_MEM_HOST_READ_ONLY))
        return posemb__fail(job->error, POSEMB_INVALID_ARGUMENT, 0,
                            "options.flags is %#" PRIx64 ", under which the host cannot write",
                            (uint64_t)options->flags);
    if (options->mask > 1)
        return posemb__fail(job->error, POSEMB_INVALID_ARGUMENT, 0,
                            "options.mask is %" PRIu32 ", neither 0 nor 1", options->mask);
    if (options->way == POSEMB_LOAD_DEFAULT)
        status = choose_way(job);
    if (options->piece == 0)
        options->piece = default_piece;
    if (options->flags == 0 && options->way == POSEMB_LOAD_MAPPED)
        options->flags = CL_MEM_READ_ONLY | CL_MEM_ALLOC_HOST_PTR; /* so that a map is no copy */
    if (options->flags == 0)
        options->flags = CL_MEM_READ_ONLY;
    return status;
}

static posemb_status check_arguments(struct job *job, const char *path)
{
    posemb_status status;

    if (!job->engine || !job->queue || !path)
        return posemb__fail(job->error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !job->engine ? "engine" : (!job->queue ? "queue" : "path"));
    status = check_queue(job);
    return status == POSEMB_OK ? resolve_options(job) : status;
}

/* ---- What is to be read */

static void add_run(struct job *job, const char *part, const file_tensor *tensor, uint64_t first,
                    uint64_t bytes, posemb_buffer *target)
{
    job->targets[job->count] = target;
    job->runs[job->count++] =
        (struct posemb__run){.part = part, .tensor = tensor, .first = first, .bytes = bytes};
    job->loaded->bytes += bytes;
}

static const char *scales_name(model_part part)
{
    switch (part) {
    case MODEL_WORDS:
        return "words scales";
    case MODEL_POSITIONS:
        return "positions scales";
    default:
        return "types scales";
    }
}

/* One buffer for all of it. */
static posemb_status plan_whole(struct job *job, const char *part, const file_tensor *tensor,
                                uint64_t first, uint64_t bytes, posemb_buffer *target)
{
    const uint64_t largest = posemb_engine_resolved(job->engine).largest_buffer;

    if (bytes > largest)
        return posemb__fail(job->error, POSEMB_UNSUPPORTED, 0,
                            "%s: %s: %" PRIu64 " bytes, but the largest buffer has %" PRIu64,
                            tensor_file_shown(model_file_source(job->file)), part, bytes, largest);
    add_run(job, part, tensor, first, bytes, target);
    return POSEMB_OK;
}

/* A part, and the scales that it may have. */
static posemb_status plan_part(struct job *job, model_part part, posemb_buffer *table,
                               posemb_buffer *scales)
{
    const file_tensor *tensor = model_file_tensor(job->file, part);
    const file_tensor *scales_tensor = model_file_scales(job->file, part);
    posemb_status status = plan_whole(job, model_part_name(part), tensor, 0, tensor->bytes, table);

    if (status == POSEMB_OK && scales_tensor)
        status = plan_whole(job, scales_name(part), scales_tensor, 0, scales_tensor->bytes, scales);
    return status;
}

/* Rows `*first` ... of the token table, `*count` of them. */
static posemb_status find_shard(const struct job *job, uint64_t rows, uint64_t *first,
                                uint64_t *count)
{
    *first = job->options.shard_first;
    *count = job->options.shard_rows;
    if (*first == 0 && *count == 0)
        *count = rows;
    if (*count > 0 && *first < rows && *count <= rows - *first)
        return POSEMB_OK;
    return posemb__fail(job->error, POSEMB_INVALID_ARGUMENT, 0,
                        "options.shard_first and shard_rows are %" PRIu64 " and %" PRIu64
                        ", but the table has %" PRIu64 " rows",
                        *first, *count, rows);
}

/* The scales of an I8 table's rows [first, first + count). */
static posemb_status plan_word_scales(struct job *job, uint64_t first, uint64_t count)
{
    const file_tensor *scales = model_file_scales(job->file, MODEL_WORDS);
    const bool of_row = job->loaded->desc.tokens.scaling == POSEMB_SCALE_OF_ROW;
    const uint64_t bytes = (of_row ? count : 1) * sizeof(float);

    if (!scales)
        return POSEMB_OK;
    return plan_whole(job, scales_name(MODEL_WORDS), scales, of_row ? first * sizeof(float) : 0,
                      bytes, &job->loaded->args.table_scales);
}

/* The token table, in as many parts as the device needs. */
static posemb_status plan_words(struct job *job)
{
    const model_tensor *words = model_file_part(job->file, MODEL_WORDS);
    const uint64_t row = words->bytes / words->rows;
    posemb_args *args = &job->loaded->args;
    posemb_desc *desc = &job->loaded->desc;
    uint64_t first = 0;
    uint64_t count = 0;
    posemb_status status = find_shard(job, words->rows, &first, &count);

    if (status == POSEMB_OK)
        status = posemb_split_table(job->engine, count, row, &desc->table_parts,
                                    &args->shape.part_rows, job->error);
    if (status != POSEMB_OK)
        return status;
    args->shape.vocab = words->rows;
    args->shape.shard_first = job->options.shard_first;
    args->shape.shard_rows = job->options.shard_rows;
    for (uint32_t part = 0; part < desc->table_parts; part++) {
        const uint64_t skipped = part * args->shape.part_rows;
        const uint64_t left = count - skipped;
        const uint64_t rows = left < args->shape.part_rows ? left : args->shape.part_rows;

        add_run(job, model_part_name(MODEL_WORDS), model_file_tensor(job->file, MODEL_WORDS),
                (first + skipped) * row, rows * row,
                part == 0 ? &args->table : &args->table_more[part - 1]);
    }
    return plan_word_scales(job, first, count);
}

static posemb_status plan_stage(struct job *job, const model_stage *stage)
{
    posemb_args *args = &job->loaded->args;
    posemb_extra_args *types = &args->extras[0];
    posemb_status status = plan_words(job);

    if (status == POSEMB_OK && stage->uses[MODEL_POSITIONS]) {
        args->shape.position_rows = model_file_part(job->file, MODEL_POSITIONS)->rows;
        status = plan_part(job, MODEL_POSITIONS, &args->position_table, &args->position_scales);
    }
    if (status == POSEMB_OK && stage->uses[MODEL_TYPES]) {
        args->shape.extras[0].rows = model_file_part(job->file, MODEL_TYPES)->rows;
        status = plan_part(job, MODEL_TYPES, &types->table, &types->scales);
    }
    if (status == POSEMB_OK && stage->uses[MODEL_GAMMA])
        status = plan_part(job, MODEL_GAMMA, &args->gamma, NULL);
    if (status == POSEMB_OK && stage->uses[MODEL_BETA])
        status = plan_part(job, MODEL_BETA, &args->beta, NULL);
    return status;
}

/* ---- To the device */

static posemb_status make_buffers(struct job *job)
{
    const cl_context context = posemb_engine_context(job->engine);

    for (size_t i = 0; i < job->count; i++) {
        cl_int code = CL_SUCCESS;
        const cl_mem buffer =
            clCreateBuffer(context, job->options.flags, (size_t)job->runs[i].bytes, NULL, &code);

        if (!buffer)
            return posemb__cl_fail(job->error, code, "clCreateBuffer");
        job->runs[i].buffer = buffer;
        job->targets[i]->mem = buffer;
    }
    return POSEMB_OK;
}

static posemb_status fill_buffers(struct job *job)
{
    const struct posemb__transfer transfer = {
        .file = model_file_source(job->file),
        .queue = job->queue,
        .runs = job->runs,
        .count = job->count,
        .mapped = job->options.way == POSEMB_LOAD_MAPPED,
        .piece = job->options.piece,
        .progress = job->options.progress,
        .progress_data = job->options.progress_data,
    };

    return posemb__transfer_run(&transfer, job->error);
}

/* Once everything is planned: the last check, and the work. */
static posemb_status carry_out(struct job *job)
{
    posemb_desc resolved;
    posemb_status status = posemb_desc_resolve(&job->loaded->desc, &resolved, job->error);

    if (status == POSEMB_OK)
        status = make_buffers(job);
    if (status == POSEMB_OK)
        status = fill_buffers(job);
    return status;
}

/* ---- The two kinds of loads */

static posemb_status load_stage(struct job *job, const char *path)
{
    model_advice advice = {.model = "set options.model, which may be \"none\"",
                           .positions = "set another options.model"};
    model_stage stage;
    posemb_status status = model_file_open(path, job->options.prefix, &job->file, job->error);

    if (status != POSEMB_OK)
        return status;
    advice.file = tensor_file_shown(model_file_source(job->file));
    status = model_desc_make(job->file, job->options.model, job->options.mask == 1, &advice, &stage,
                             job->error);
    if (status != POSEMB_OK)
        return status;
    job->loaded->desc = stage.desc;
    job->loaded->model = stage.model;
    job->loaded->args.shape.start = stage.start;
    status = plan_stage(job, &stage);
    return status == POSEMB_OK ? carry_out(job) : status;
}

static posemb_status load_table(struct job *job, const char *path)
{
    const posemb_load_options *options = &job->options;
    const model_tensor *table;
    posemb_status status;

    if (options->prefix || options->model || options->mask)
        return posemb__fail(job->error, POSEMB_INVALID_ARGUMENT, 0,
                            "options.%s is set, but a table has none",
                            options->prefix  ? "prefix"
                            : options->model ? "model"
                                             : "mask");
    status = model_file_open_table(path, &job->file, job->error);
    if (status != POSEMB_OK)
        return status;
    table = model_file_part(job->file, MODEL_WORDS);
    job->loaded->desc =
        (posemb_desc){.dim = (uint32_t)table->dim,
                      .tokens = {.storage = table->storage, .scaling = table->scaling},
                      .position_kind = POSEMB_NO_POSITION};
    status = plan_words(job);
    return status == POSEMB_OK ? carry_out(job) : status;
}

static posemb_status load(posemb_status (*kind)(struct job *job, const char *path),
                          const posemb_engine *engine, cl_command_queue queue, const char *path,
                          const posemb_load_options *options, posemb_loaded **loaded,
                          posemb_error *error)
{
    struct job job = {.engine = engine, .queue = queue, .error = error};
    posemb_status status;

    if (!loaded)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "loaded is NULL");
    *loaded = NULL;
    if (options)
        job.options = *options;
    status = check_arguments(&job, path);
    if (status != POSEMB_OK)
        return status;
    job.loaded = calloc(1, sizeof *job.loaded);
    status = job.loaded ? kind(&job, path)
                        : posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a load");
    model_file_close(job.file);
    if (status == POSEMB_OK)
        *loaded = job.loaded;
    else
        posemb_loaded_destroy(job.loaded);
    return status;
}

posemb_status posemb_load_stage(const posemb_engine *engine, cl_command_queue queue,
                                const char *path, const posemb_load_options *options,
                                posemb_loaded **loaded, posemb_error *error)
{
    return load(load_stage, engine, queue, path, options, loaded, error);
}

posemb_status posemb_load_table(const posemb_engine *engine, cl_command_queue queue,
                                const char *path, const posemb_load_options *options,
                                posemb_loaded **loaded, posemb_error *error)
{
    return load(load_table, engine, queue, path, options, loaded, error);
}

/* ---- What was loaded */

const posemb_desc *posemb_loaded_desc(const posemb_loaded *loaded)
{
    return &loaded->desc;
}

const posemb_args *posemb_loaded_args(const posemb_loaded *loaded)
{
    return &loaded->args;
}

const char *posemb_loaded_model(const posemb_loaded *loaded)
{
    return loaded->model;
}

uint64_t posemb_loaded_bytes(const posemb_loaded *loaded)
{
    return loaded->bytes;
}

static void release(const posemb_buffer *buffer)
{
    if (buffer->mem)
        clReleaseMemObject(buffer->mem);
}

void posemb_loaded_destroy(posemb_loaded *loaded)
{
    const posemb_args *args;

    if (!loaded)
        return;
    args = &loaded->args;
    release(&args->table);
    for (uint32_t part = 1; part < POSEMB_PARTS_MAX; part++)
        release(&args->table_more[part - 1]);
    release(&args->table_scales);
    release(&args->position_table);
    release(&args->position_scales);
    release(&args->extras[0].table);
    release(&args->extras[0].scales);
    release(&args->gamma);
    release(&args->beta);
    free(loaded);
}
