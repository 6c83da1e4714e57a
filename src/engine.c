/* posemb_engine: the caller's context and device, and the programs compiled for them, which it
 * takes from its memory, a blob, the cache folder or the source. */
#include "engine.h"

#include "cache.h"
#include "cl_error.h"
#include "device.h"
#include "params.h"
#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint64_t default_cache_limit = (uint64_t)64 << 20;

static void say(const posemb_engine *engine, posemb_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const posemb_engine *engine, posemb_log_level level, const char *format, ...)
{
    char message[POSEMB_MESSAGE_SIZE + 256];
    va_list arguments;

    if (!engine->options.log)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    engine->options.log(level, message, engine->options.log_data);
}

static posemb_status check_device_of_context(cl_context context, cl_device_id device,
                                             posemb_error *error)
{
    cl_device_id devices[64];
    size_t size = 0;
    const cl_int code =
        clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof devices, devices, &size);

    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetContextInfo");
    if (posemb__find_device(devices, size / sizeof *devices, device) < size / sizeof *devices)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "device is not one of the context");
}

/* What POSEMB_CACHE says. */
static posemb_status cache_mode_of_environment(posemb_cache_mode *mode, posemb_error *error)
{
    static const struct {
        const char *word;
        posemb_cache_mode mode;
    } words[] = {{"", POSEMB_CACHE_DISK},
                 {"on", POSEMB_CACHE_DISK},
                 {"off", POSEMB_CACHE_MEMORY},
                 {"strict", POSEMB_CACHE_STRICT}};
    const char *value = posemb__cache_environment("POSEMB_CACHE");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value ? value : "", words[i].word) == 0) {
            *mode = words[i].mode;
            return POSEMB_OK;
        }
    return posemb__fail(
        error, POSEMB_INVALID_ARGUMENT, 0,
        "the environment variable POSEMB_CACHE is \"%.64s\", neither on, off nor strict", value);
}

static posemb_status resolve_cache(posemb_engine *engine, posemb_error *error)
{
    posemb_engine_options *options = &engine->options;
    char found[POSEMB__CACHE_PATH_SIZE];
    const char *folder = options->cache_folder;
    posemb_status status = POSEMB_OK;

    options->cache_folder = NULL;
    if (options->cache_limit == 0)
        options->cache_limit = default_cache_limit;
    if (options->cache == POSEMB_CACHE_DEFAULT)
        status = cache_mode_of_environment(&options->cache, error);
    if (status != POSEMB_OK)
        return status;
    if (options->cache < POSEMB_CACHE_MEMORY || options->cache > POSEMB_CACHE_STRICT)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "cache is %d, not one of 0 ... %d",
                            (int)options->cache, POSEMB_CACHE_STRICT);
    if (options->cache == POSEMB_CACHE_MEMORY)
        return POSEMB_OK;
    if (!folder) {
        posemb_error fault;

        status = posemb__cache_default_folder(found, &fault);
        if (status != POSEMB_OK && options->cache == POSEMB_CACHE_STRICT)
            return posemb__fail(error, status, 0, "%s", fault.message);
        if (status != POSEMB_OK) {
            say(engine, POSEMB_LOG_WARNING, "no program cache: %s", fault.message);
            options->cache = POSEMB_CACHE_MEMORY;
            return POSEMB_OK;
        }
        folder = found;
    }
    engine->cache_folder = strdup(folder);
    options->cache_folder = engine->cache_folder;
    return engine->cache_folder ? POSEMB_OK
                                : posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0,
                                               "no memory for the name of the cache folder");
}

_Static_assert(POSEMB_TUNING_TEXT_MAX == POSEMB__TUNING_TEXT_MAX, "the text has one limit");
_Static_assert(POSEMB_TUNING_SIZE == POSEMB__TUNING_LINE_SIZE, "so has a line");
_Static_assert((int)POSEMB_SHAPE_CPU == POSEMB__CPU && (int)POSEMB_SHAPE_GPU == POSEMB__GPU,
               "shapes have one numbering");

const char *posemb_tuning_builtin(void)
{
    return posemb__tuning_builtin;
}

struct posemb__tuning posemb__engine_tuning_of_shape(const posemb_engine *engine,
                                                     const posemb_desc *desc,
                                                     posemb_kernel_shape shape)
{
    const posemb_device_info *info = &engine->info;
    const posemb_engine_options *given = &engine->given;
    const struct posemb__tuning_subject subject = {
        .platform = info->platform_name,
        .device = info->name,
        .driver = info->driver,
        .is_gpu = (info->type & CL_DEVICE_TYPE_GPU) != 0,
        .is_cpu = (info->type & CL_DEVICE_TYPE_CPU) != 0,
        .shape = shape ? shape : posemb__device_shape(info),
        .shape_is_given = shape != POSEMB_SHAPE_DEFAULT,
        .desc = desc,
    };
    struct posemb__tuning tuning = posemb__tuning_find(engine->tunings, POSEMB__TUNINGS, &subject);

    if (given->local_size != 0)
        tuning.value[POSEMB__SET_LOCAL_SIZE] = given->local_size;
    if (given->streamed_threshold != 0)
        tuning.value[POSEMB__SET_STREAMED] = given->streamed_threshold;
    if (given->follows_threshold != 0)
        tuning.value[POSEMB__SET_FOLLOWS] = given->follows_threshold;
    return tuning;
}

struct posemb__tuning posemb__engine_tuning(const posemb_engine *engine, const posemb_desc *desc)
{
    return posemb__engine_tuning_of_shape(engine, desc, engine->given.shape);
}

static posemb_status check_options(const posemb_engine_options *given,
                                   const posemb_device_info *info, posemb_error *error)
{
    if (given->shape != POSEMB_SHAPE_DEFAULT && given->shape != POSEMB_SHAPE_CPU &&
        given->shape != POSEMB_SHAPE_GPU)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "shape is %d, not one of 0 ... %d",
                            (int)given->shape, POSEMB_SHAPE_GPU);
    if (given->local_size > info->max_work_group_size ||
        (given->local_size & (given->local_size - 1)) != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "local_size is %" PRIu32 ", not a power of two up to %zu",
                            given->local_size, info->max_work_group_size);
    return POSEMB_OK;
}

/* The options as they are for a plan that no entry of the tuning names. */
static posemb_status resolve_options(posemb_engine *engine, const posemb_engine_options *options,
                                     posemb_error *error)
{
    const posemb_device_info *info = &engine->info;
    posemb_engine_options *resolved = &engine->options;
    struct posemb__tuning tuning;
    posemb_status status;

    if (options)
        *resolved = *options;
    engine->given = *resolved;
    engine->given.cache_folder = engine->given.tuning = NULL; /* the caller's */
    status = check_options(resolved, info, error);
    if (status == POSEMB_OK)
        status = posemb__tuning_parse(posemb__tuning_builtin,
                                      &engine->tunings[POSEMB__TUNING_BUILTIN], error);
    if (status == POSEMB_OK)
        status =
            posemb__tuning_parse(resolved->tuning, &engine->tunings[POSEMB__TUNING_GIVEN], error);
    if (status != POSEMB_OK)
        return status;
    tuning = posemb__engine_tuning(engine, NULL);
    resolved->shape = (posemb_kernel_shape)tuning.value[POSEMB__SET_SHAPE];
    resolved->local_size = (uint32_t)tuning.value[POSEMB__SET_LOCAL_SIZE];
    if (resolved->shape == POSEMB_SHAPE_CPU)
        resolved->local_size = 1;
    resolved->streamed_threshold = tuning.value[POSEMB__SET_STREAMED];
    resolved->follows_threshold = tuning.value[POSEMB__SET_FOLLOWS];
    resolved->tuning = engine->tunings[POSEMB__TUNING_GIVEN].text;
    if (resolved->largest_buffer == 0 || resolved->largest_buffer > info->max_allocation)
        resolved->largest_buffer = info->max_allocation;
    return POSEMB_OK;
}

/* Check everything that can be wrong and describe the engine, without taking a reference yet. */
static posemb_status describe(posemb_engine *engine, cl_context context, cl_device_id device,
                              const posemb_engine_options *options, posemb_error *error)
{
    posemb_status status = check_device_of_context(context, device, error);

    if (status == POSEMB_OK)
        status = posemb__device_describe(device, &engine->info, error);
    if (status == POSEMB_OK)
        status = posemb__device_check(&engine->info, error);
    if (status == POSEMB_OK)
        status = resolve_options(engine, options, error);
    if (status == POSEMB_OK)
        status = resolve_cache(engine, error);
    if (status == POSEMB_OK)
        status = posemb__device_identify(&engine->info, &engine->identity, error);
    return status;
}

/* What an engine has allocated of itself. */
static void free_engine(posemb_engine *engine)
{
    for (int i = 0; i < POSEMB__TUNINGS; i++)
        posemb__tuning_free(&engine->tunings[i]);
    free(engine->cache_folder);
    free(engine->identity.bytes);
    free(engine);
}

posemb_status posemb_engine_create(cl_context context, cl_device_id device,
                                   const posemb_engine_options *options, posemb_engine **engine,
                                   posemb_error *error)
{
    posemb_engine *made;
    posemb_status status;

    if (engine)
        *engine = NULL;
    if (!engine || !context || !device)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !engine ? "engine" : (!context ? "context" : "device"));
    made = calloc(1, sizeof *made);
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for an engine");
    status = describe(made, context, device, options, error);
    if (status == POSEMB_OK && pthread_mutex_init(&made->programs_lock, NULL) != 0)
        status = posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no mutex for an engine");
    if (status != POSEMB_OK) {
        free_engine(made);
        return status;
    }
    clRetainContext(context);
    clRetainDevice(device);
    made->context = context;
    made->device = device;
    atomic_init(&made->references, 1);
    *engine = made;
    return POSEMB_OK;
}

posemb_engine *posemb__engine_retain(posemb_engine *engine)
{
    atomic_fetch_add(&engine->references, 1);
    return engine;
}

void posemb_engine_destroy(posemb_engine *engine)
{
    if (!engine || atomic_fetch_sub(&engine->references, 1) != 1)
        return;
    for (struct posemb__program *entry = engine->programs; entry;) {
        struct posemb__program *next = entry->next;
        clReleaseProgram(entry->program);
        free(entry);
        entry = next;
    }
    pthread_mutex_destroy(&engine->programs_lock);
    clReleaseDevice(engine->device);
    clReleaseContext(engine->context);
    free_engine(engine);
}

posemb_engine_options posemb_engine_resolved(const posemb_engine *engine)
{
    return engine->options;
}

cl_context posemb_engine_context(const posemb_engine *engine)
{
    return engine->context;
}

cl_device_id posemb_engine_device(const posemb_engine *engine)
{
    return engine->device;
}

posemb_status posemb_split_table(const posemb_engine *engine, uint64_t rows, uint64_t stride,
                                 uint32_t *parts, uint64_t *part_rows, posemb_error *error)
{
    if (!engine || !parts || !part_rows || rows == 0 || stride == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s",
                            !engine ? "engine is NULL"
                                    : (rows == 0 || stride == 0 ? "rows or stride is 0"
                                                                : "parts or part_rows is NULL"));
    if (posemb__split_rows(rows, stride, engine->options.largest_buffer, parts, part_rows))
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                        "a table of %" PRIu64 " rows of %" PRIu64
                        " bytes does not fit %u buffers of at most %" PRIu64 " bytes",
                        rows, stride, POSEMB_PARTS_MAX, engine->options.largest_buffer);
}

static bool is_same_key(const struct posemb__program_key *a, const struct posemb__program_key *b)
{
    char options_a[POSEMB__OPTIONS_SIZE];
    char options_b[POSEMB__OPTIONS_SIZE];

    posemb__program_options(a, options_a);
    posemb__program_options(b, options_b);
    return strcmp(options_a, options_b) == 0;
}

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* A fault of the cache: fails the call under POSEMB_CACHE_STRICT, else is said and done with. */
static posemb_status tolerate(const posemb_engine *engine, const char *what,
                              const posemb_error *fault, posemb_error *error)
{
    if (engine->options.cache == POSEMB_CACHE_STRICT)
        return posemb__fail(error, fault->status, fault->cl_code, "%s: %s", what, fault->message);
    say(engine, POSEMB_LOG_WARNING, "%s: %s", what, fault->message);
    return POSEMB_OK;
}

enum { FILE_NAME_SIZE = POSEMB__DIGEST_TEXT_SIZE + 8 };

static void file_name(const struct posemb__digest *id, char name[FILE_NAME_SIZE])
{
    char text[POSEMB__DIGEST_TEXT_SIZE];

    posemb__digest_text(id, text);
    snprintf(name, FILE_NAME_SIZE, "%s.posemb", text);
}

/* Check bytes and hand the binary in them to the driver. */
static posemb_status load_bytes(const posemb_engine *engine, struct posemb__program *entry,
                                const void *bytes, size_t size, posemb_error *fault)
{
    struct posemb__blob blob;
    const posemb_status status = posemb__blob_read(bytes, size, &entry->id, &blob, fault);

    if (status != POSEMB_OK)
        return status;
    return posemb__program_load(engine->context, engine->device, &entry->key, blob.binary,
                                blob.binary_size, &entry->program, fault);
}

/* Leaves entry->program NULL where the blob is of no use. */
static posemb_status load_offer(const posemb_engine *engine, struct posemb__program *entry,
                                const struct posemb__offer *offer, posemb_error *error)
{
    posemb_error fault;

    if (load_bytes(engine, entry, offer->bytes, offer->size, &fault) == POSEMB_OK)
        return POSEMB_OK;
    return tolerate(engine, "the blob of a program is not used", &fault, error);
}

/* Leaves entry->program NULL where the cache folder has nothing of use. */
static posemb_status load_file(const posemb_engine *engine, struct posemb__program *entry,
                               posemb_error *error)
{
    char name[FILE_NAME_SIZE];
    unsigned char *bytes;
    size_t size;
    posemb_error fault;
    posemb_status status;

    file_name(&entry->id, name);
    status = posemb__cache_read(engine->options.cache_folder, name, &bytes, &size, &fault);
    if (status == POSEMB_OK && !bytes)
        return POSEMB_OK;
    if (status == POSEMB_OK)
        status = load_bytes(engine, entry, bytes, size, &fault);
    free(bytes);
    return status == POSEMB_OK
               ? POSEMB_OK
               : tolerate(engine, "a file of the program cache is not used", &fault, error);
}

/* Once more where the driver fails: PoCL does so now and then when several processes build the same
 * program at the same moment, since they share its own kernel cache. */
static posemb_status build(const posemb_engine *engine, struct posemb__program *entry,
                           posemb_error *error)
{
    posemb_error fault;
    const posemb_status status = posemb__program_build(engine->context, engine->device, &entry->key,
                                                       &entry->program, &fault);

    if (status != POSEMB_BUILD_FAILED) {
        if (error && status != POSEMB_OK)
            *error = fault;
        return status;
    }
    say(engine, POSEMB_LOG_WARNING, "trying once more: %s", fault.message);
    return posemb__program_build(engine->context, engine->device, &entry->key, &entry->program,
                                 error);
}

/* Get entry->program from the first place that has it. */
static posemb_status obtain(const posemb_engine *engine, const struct posemb__offer *offer,
                            struct posemb__program *entry, posemb_origin *origin,
                            posemb_error *error)
{
    static const char *const names[] = {
        [POSEMB_ORIGIN_SOURCE] = "built from source",
        [POSEMB_ORIGIN_DISK] = "loaded from the cache folder",
        [POSEMB_ORIGIN_BLOB] = "loaded from a blob",
    };
    const double begin = milliseconds();
    char text[POSEMB__DIGEST_TEXT_SIZE];
    posemb_status status = POSEMB_OK;

    *origin = POSEMB_ORIGIN_BLOB;
    if (offer->bytes)
        status = load_offer(engine, entry, offer, error);
    if (status == POSEMB_OK && !entry->program && engine->options.cache != POSEMB_CACHE_MEMORY) {
        *origin = POSEMB_ORIGIN_DISK;
        status = load_file(engine, entry, error);
    }
    if (status == POSEMB_OK && !entry->program) {
        *origin = POSEMB_ORIGIN_SOURCE;
        status = build(engine, entry, error);
    }
    if (status != POSEMB_OK)
        return status;
    entry->saved = *origin != POSEMB_ORIGIN_SOURCE;
    posemb__digest_text(&entry->id, text);
    say(engine, POSEMB_LOG_INFO, "program %s %s in %.1f ms", text, names[*origin],
        milliseconds() - begin);
    return POSEMB_OK;
}

static posemb_status add_program(posemb_engine *engine, const struct posemb__program_key *key,
                                 const struct posemb__offer *offer,
                                 struct posemb__program **program, posemb_origin *origin,
                                 posemb_error *error)
{
    struct posemb__program *entry = calloc(1, sizeof *entry);
    posemb_status status;

    if (!entry)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a program");
    entry->key = *key;
    entry->id = posemb__program_id(&engine->identity, key);
    status = obtain(engine, offer, entry, origin, error);
    if (status != POSEMB_OK) {
        free(entry);
        return status;
    }
    entry->next = engine->programs;
    engine->programs = entry;
    *program = entry;
    return POSEMB_OK;
}

posemb_status posemb__engine_program(posemb_engine *engine, const struct posemb__program_key *key,
                                     const struct posemb__offer *offer,
                                     struct posemb__program **program, posemb_origin *origin,
                                     posemb_error *error)
{
    struct posemb__program *found;
    posemb_status status = POSEMB_OK;

    pthread_mutex_lock(&engine->programs_lock);
    found = engine->programs;
    while (found && !is_same_key(&found->key, key))
        found = found->next;
    if (found) {
        *program = found;
        *origin = POSEMB_ORIGIN_MEMORY;
    } else {
        status = add_program(engine, key, offer, program, origin, error);
    }
    pthread_mutex_unlock(&engine->programs_lock);
    return status;
}

bool posemb__engine_wants(posemb_engine *engine, const struct posemb__program *program)
{
    bool wants;

    if (engine->options.cache == POSEMB_CACHE_MEMORY)
        return false;
    pthread_mutex_lock(&engine->programs_lock);
    wants = !program->saved;
    pthread_mutex_unlock(&engine->programs_lock);
    return wants;
}

posemb_status posemb__engine_blob(const posemb_engine *engine,
                                  const struct posemb__program *program, unsigned char **bytes,
                                  size_t *size, posemb_error *error)
{
    char label[POSEMB__BLOB_LABEL_MAX];
    char options[POSEMB__OPTIONS_SIZE];
    struct posemb__blob blob = {.id = program->id, .label = label};
    unsigned char *made;
    posemb_status status =
        posemb__program_binary_size(program->program, engine->device, &blob.binary_size, error);

    if (status != POSEMB_OK)
        return status;
    if (blob.binary_size == 0)
        return posemb__fail(error, POSEMB_UNSUPPORTED, 0, "the driver of \"%s\" has no binaries",
                            engine->info.name);
    posemb__program_options(&program->key, options);
    snprintf(label, sizeof label, "%s; %s; %s; %s", engine->info.name, engine->info.platform_name,
             engine->info.driver, options);
    blob.label_size = strlen(label);
    *size = posemb__blob_size(&blob);
    made = *size ? malloc(*size) : NULL;
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a binary of %zu bytes",
                            blob.binary_size);
    blob.binary = made + *size - blob.binary_size;
    status = posemb__program_binary(program->program, engine->device,
                                    made + *size - blob.binary_size, error);
    if (status != POSEMB_OK) {
        free(made);
        return status;
    }
    posemb__blob_write(&blob, made);
    *bytes = made;
    return POSEMB_OK;
}

static posemb_status save(const posemb_engine *engine, const struct posemb__program *program,
                          posemb_error *error)
{
    const double begin = milliseconds();
    char name[FILE_NAME_SIZE];
    unsigned char *bytes = NULL;
    size_t size = 0;
    posemb_error fault;
    posemb_status status = posemb__engine_blob(engine, program, &bytes, &size, &fault);

    if (status == POSEMB_UNSUPPORTED) {
        say(engine, POSEMB_LOG_INFO, "nothing to save: %s", fault.message);
        return POSEMB_OK;
    }
    file_name(&program->id, name);
    if (status == POSEMB_OK)
        status = posemb__cache_write(engine->options.cache_folder, name, bytes, size,
                                     engine->options.cache_limit, &fault);
    free(bytes);
    if (status != POSEMB_OK)
        return tolerate(engine, "a program is not saved", &fault, error);
    say(engine, POSEMB_LOG_INFO, "program %.32s saved, %zu bytes, in %.1f ms", name, size,
        milliseconds() - begin);
    return POSEMB_OK;
}

posemb_status posemb__engine_save(posemb_engine *engine, struct posemb__program *program,
                                  posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    pthread_mutex_lock(&engine->programs_lock);
    if (!program->saved)
        status = save(engine, program, error);
    program->saved = true; /* tried once: a disk that is full stays so */
    pthread_mutex_unlock(&engine->programs_lock);
    return status;
}
