/* Programs from memory, disk, blob and source: where each comes from, and that no damaged byte
 * reaches the driver. clCreateProgramWithBinary() is wrapped by the linker. */
#include "cache.h"
#include "engine.h"
#include "plan.h"

#include "support/device.h"
#include "support/random.h"
#include "support/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const posemb_shape small_shape = {.batch = 9, .length = 5, .vocab = 7};
static const struct support_call_options plain = {.seed = 3};
static const posemb_desc table_desc = {.dim = 6, .operation = POSEMB_TABLE};

/* How often the driver was handed a binary; and whether it is to refuse the next. */
static unsigned binaries_seen;
static bool refuses_binaries;

cl_program __real_clCreateProgramWithBinary(cl_context context, cl_uint count,
                                            const cl_device_id *devices, const size_t *sizes,
                                            const unsigned char **binaries, cl_int *status,
                                            cl_int *code);
cl_program __wrap_clCreateProgramWithBinary(cl_context context, cl_uint count,
                                            const cl_device_id *devices, const size_t *sizes,
                                            const unsigned char **binaries, cl_int *status,
                                            cl_int *code);

cl_program __wrap_clCreateProgramWithBinary(cl_context context, cl_uint count,
                                            const cl_device_id *devices, const size_t *sizes,
                                            const unsigned char **binaries, cl_int *status,
                                            cl_int *code)
{
    binaries_seen++;
    if (refuses_binaries) {
        *code = CL_INVALID_BINARY;
        return NULL;
    }
    return __real_clCreateProgramWithBinary(context, count, devices, sizes, binaries, status, code);
}

/* How many builds are to fail from now on. */
static unsigned failing_builds;

cl_int __real_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices,
                             const char *options, void(CL_CALLBACK *done)(cl_program, void *),
                             void *data);
cl_int __wrap_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices,
                             const char *options, void(CL_CALLBACK *done)(cl_program, void *),
                             void *data);

cl_int __wrap_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices,
                             const char *options, void(CL_CALLBACK *done)(cl_program, void *),
                             void *data)
{
    if (failing_builds > 0) {
        failing_builds--;
        return CL_BUILD_PROGRAM_FAILURE;
    }
    return __real_clBuildProgram(program, count, devices, options, done, data);
}

/* What an engine has said. */
struct messages {
    unsigned warnings;
    unsigned infos;
    char last_warning[1024];
};

static void keep(posemb_log_level level, const char *message, void *data)
{
    struct messages *messages = data;

    if (level == POSEMB_LOG_INFO) {
        messages->infos++;
        return;
    }
    messages->warnings++;
    snprintf(messages->last_warning, sizeof messages->last_warning, "%s", message);
}

static void assert_warned(const struct messages *messages, unsigned warnings, const char *words)
{
    if (messages->warnings != warnings || (warnings && !strstr(messages->last_warning, words)))
        fail_msg("%u warnings, not %u with \"%s\"; the last is \"%s\"", messages->warnings,
                 warnings, words, messages->last_warning);
}

static void fresh_folder(char path[TEMP_PATH_SIZE])
{
    static int count;
    char name[32];

    snprintf(name, sizeof name, "programs-%d", count++);
    temp_file_path(&test_folder, name, path);
}

static posemb_engine *make_engine(posemb_session *session, posemb_cache_mode mode,
                                  const char *folder, struct messages *messages)
{
    const posemb_engine_options options = {.shape = support_shape(),
                                           .cache = mode,
                                           .cache_folder = folder,
                                           .log = keep,
                                           .log_data = messages};
    posemb_engine *engine = NULL;
    posemb_error error;

    memset(messages, 0, sizeof *messages);
    if (posemb_engine_create(posemb_session_context(session),
                             posemb_session_device(session)->device, &options, &engine,
                             &error) != POSEMB_OK)
        fail_msg("posemb_engine_create: %s", error.message);
    return engine;
}

/* A plan on an engine of its own, checked by a call, and where its program came from. */
static posemb_origin run_plan(posemb_session *session, posemb_cache_mode mode, const char *folder,
                              const posemb_desc *desc, struct messages *messages)
{
    posemb_engine *engine = make_engine(session, mode, folder, messages);
    posemb_plan *plan;
    posemb_error error;
    posemb_origin origin;

    if (posemb_plan_create(engine, desc, &plan, &error) != POSEMB_OK)
        fail_msg("posemb_plan_create: %s", error.message);
    posemb_engine_destroy(engine);
    origin = posemb_plan_origin(plan);
    support_call_run(session, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
    return origin;
}

/* The one file of a cache folder. */
static size_t read_entry(const char *folder, char name[64], unsigned char **bytes)
{
    struct posemb__cache_file *files;
    size_t count;
    size_t size;

    assert_int_equal(posemb__cache_list(folder, &files, &count, NULL), POSEMB_OK);
    assert_int_equal(count, 1);
    snprintf(name, 64, "%s", files[0].name);
    free(files);
    assert_int_equal(posemb__cache_look(folder, name, bytes, &size, NULL), POSEMB_OK);
    assert_non_null(*bytes);
    return size;
}

static void test_the_second_process_loads(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;

    fresh_folder(folder);
    for (int operation = POSEMB_ENCODE; operation <= POSEMB_TABLE; operation++)
        for (int rule = POSEMB_POSITIONS_INDEX; rule <= POSEMB_POSITIONS_EXPLICIT; rule += 2) {
            const posemb_desc desc = {.dim = 37,
                                      .operation = (posemb_operation)operation,
                                      .convention = POSEMB_T2T,
                                      .positions = (posemb_position_rule)rule};

            assert_int_equal(run_plan(*state, POSEMB_CACHE_STRICT, folder, &desc, &messages),
                             POSEMB_ORIGIN_SOURCE);
            assert_int_equal(messages.infos, 2); /* built, saved */
            binaries_seen = 0;
            assert_int_equal(run_plan(*state, POSEMB_CACHE_STRICT, folder, &desc, &messages),
                             POSEMB_ORIGIN_DISK);
            assert_int_equal(binaries_seen, 1);
            assert_int_equal(messages.infos, 1);
        }
}

static void test_plans_of_one_engine_share(void **state)
{
    const posemb_desc other = {.dim = 37, .operation = POSEMB_TABLE, .base = 77.0};
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    posemb_plan *plans[2];

    fresh_folder(folder);
    posemb_engine *engine = make_engine(*state, POSEMB_CACHE_STRICT, folder, &messages);
    assert_int_equal(posemb_plan_create(engine, &table_desc, &plans[0], NULL), POSEMB_OK);
    assert_int_equal(posemb_plan_create(engine, &other, &plans[1], NULL), POSEMB_OK);
    assert_int_equal(posemb_plan_origin(plans[0]), POSEMB_ORIGIN_SOURCE);
    assert_int_equal(posemb_plan_origin(plans[1]), POSEMB_ORIGIN_MEMORY);
    assert_int_equal(messages.infos, 2);
    for (int i = 0; i < 2; i++) {
        support_call_run(*state, plans[i], &small_shape, &plain);
        posemb_plan_destroy(plans[i]);
    }
    posemb_engine_destroy(engine);
}

static void test_without_a_disk_nothing_is_written(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    struct stat info;

    fresh_folder(folder);
    for (int i = 0; i < 2; i++)
        assert_int_equal(run_plan(*state, POSEMB_CACHE_MEMORY, folder, &table_desc, &messages),
                         POSEMB_ORIGIN_SOURCE);
    assert_int_equal(stat(folder, &info), -1);
}

/* ---- Damage */

/* A mutation: bytes in place of the file's. */
struct mutation {
    unsigned char *bytes;
    size_t size;
};

enum { TRUNCATIONS = 90, FLIPS = 120, HEADER_BYTES = POSEMB__BLOB_HEADER_SIZE, SWAPS = 4 };
enum { MUTATIONS = TRUNCATIONS + FLIPS + HEADER_BYTES + SWAPS };

/* Write a blob whose digest is right, but which says something else than it should. */
static void forge(struct mutation *mutation, const unsigned char *bytes, size_t size, size_t which)
{
    struct posemb__blob blob;

    assert_int_equal(posemb__blob_read(bytes, size, NULL, &blob, NULL), POSEMB_OK);
    switch (which) {
    case 0: /* another id */
        blob.id.bytes[0] ^= 1;
        break;
    case 1:
        blob.id.bytes[POSEMB__DIGEST_SIZE - 1] ^= 0x80;
        break;
    case 2: /* an id of zeros */
        memset(blob.id.bytes, 0, sizeof blob.id.bytes);
        break;
    default: /* no binary */
        blob.binary_size = 0;
        break;
    }
    mutation->size = posemb__blob_size(&blob);
    posemb__blob_write(&blob, mutation->bytes);
}

/* Mutation number `which` of a good file, in mutation->bytes[size + 1]. */
static void mutate(struct mutation *mutation, const unsigned char *bytes, size_t size, size_t which)
{
    struct support_random random = support_random_from(which);

    memcpy(mutation->bytes, bytes, size);
    mutation->size = size;
    if (which < TRUNCATIONS) {
        const size_t lengths[] = {which, 64 * which, size - 1 - which};
        mutation->size = lengths[which % 3] < size ? lengths[which % 3] : size - 1;
        return;
    }
    which -= TRUNCATIONS;
    if (which < FLIPS) {
        const size_t at = (size_t)support_random_int(&random, 0, (int64_t)size - 1);
        mutation->bytes[at] ^= (unsigned char)(1u << support_random_int(&random, 0, 7));
        return;
    }
    which -= FLIPS;
    if (which < HEADER_BYTES) {
        mutation->bytes[which] =
            (unsigned char)(mutation->bytes[which] + support_random_int(&random, 1, 255));
        return;
    }
    forge(mutation, bytes, size, which - HEADER_BYTES);
}

static void put_entry(const char *folder, const char *name, const void *bytes, size_t size)
{
    temp_folder place;
    char path[TEMP_PATH_SIZE];

    snprintf(place.path, sizeof place.path, "%s", folder);
    temp_file_write(&place, name, bytes, size, path);
}

/* A call with a damaged file of its program: the driver is handed nothing, the result is right, and
 * the file is good again afterwards. */
static void check_damaged(posemb_session *session, const char *folder)
{
    struct messages messages;

    binaries_seen = 0;
    assert_int_equal(run_plan(session, POSEMB_CACHE_DISK, folder, &table_desc, &messages),
                     POSEMB_ORIGIN_SOURCE);
    assert_int_equal(binaries_seen, 0);
    assert_warned(&messages, 1, "a file of the program cache is not used");
}

static void test_no_mutation_reaches_the_driver(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    struct mutation mutation;
    unsigned char *bytes;
    char name[64];
    size_t size;

    fresh_folder(folder);
    run_plan(*state, POSEMB_CACHE_STRICT, folder, &table_desc, &messages);
    size = read_entry(folder, name, &bytes);
    mutation.bytes = malloc(size + 1);
    assert_non_null(mutation.bytes);
    for (size_t i = 0; i < MUTATIONS; i++) {
        mutate(&mutation, bytes, size, i);
        put_entry(folder, name, mutation.bytes, mutation.size);
        check_damaged(*state, folder);
    }
    binaries_seen = 0;
    assert_int_equal(run_plan(*state, POSEMB_CACHE_STRICT, folder, &table_desc, &messages),
                     POSEMB_ORIGIN_DISK); /* what the last repair left */
    assert_int_equal(binaries_seen, 1);
    free(mutation.bytes);
    free(bytes);
}

static void test_swapped_files_do_not_reach_the_driver(void **state)
{
    const posemb_desc add_desc = {.dim = 6, .operation = POSEMB_ADD};
    char folders[2][TEMP_PATH_SIZE];
    unsigned char *bytes[2];
    char names[2][64];
    size_t sizes[2];
    struct messages messages;

    for (int i = 0; i < 2; i++) {
        fresh_folder(folders[i]);
        run_plan(*state, POSEMB_CACHE_STRICT, folders[i], i ? &add_desc : &table_desc, &messages);
        sizes[i] = read_entry(folders[i], names[i], &bytes[i]);
    }
    assert_string_not_equal(names[0], names[1]);
    put_entry(folders[0], names[0], bytes[1], sizes[1]);
    check_damaged(*state, folders[0]);
    put_entry(folders[0], names[1], bytes[0], sizes[0]);
    binaries_seen = 0;
    assert_int_equal(run_plan(*state, POSEMB_CACHE_DISK, folders[0], &add_desc, &messages),
                     POSEMB_ORIGIN_SOURCE);
    assert_int_equal(binaries_seen, 0);
    assert_warned(&messages, 1, "the program is");
    free(bytes[0]);
    free(bytes[1]);
}

static void test_a_binary_that_the_driver_refuses_is_replaced(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;

    fresh_folder(folder);
    run_plan(*state, POSEMB_CACHE_STRICT, folder, &table_desc, &messages);
    refuses_binaries = true;
    assert_int_equal(run_plan(*state, POSEMB_CACHE_DISK, folder, &table_desc, &messages),
                     POSEMB_ORIGIN_SOURCE);
    refuses_binaries = false;
    assert_warned(&messages, 1, "the driver refuses its binary: CL_INVALID_BINARY");
    assert_int_equal(run_plan(*state, POSEMB_CACHE_STRICT, folder, &table_desc, &messages),
                     POSEMB_ORIGIN_DISK);
}

static void test_a_folder_that_cannot_be_is_said(void **state)
{
    struct messages messages;

    assert_int_equal(
        run_plan(*state, POSEMB_CACHE_DISK, "/dev/null/posemb", &table_desc, &messages),
        POSEMB_ORIGIN_SOURCE);
    assert_warned(&messages, 2, "a program is not saved: cannot make the cache folder /dev/null");
}

static void test_strictness_fails_the_call(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    posemb_plan *plan = NULL;
    posemb_engine *engine;
    posemb_error error;
    char name[64];
    unsigned char *bytes;
    size_t size;

    fresh_folder(folder);
    run_plan(*state, POSEMB_CACHE_STRICT, folder, &table_desc, &messages);
    size = read_entry(folder, name, &bytes);
    put_entry(folder, name, bytes, size - 1);
    engine = make_engine(*state, POSEMB_CACHE_STRICT, folder, &messages);
    assert_int_equal(posemb_plan_create(engine, &table_desc, &plan, &error), POSEMB_CACHE_FAILED);
    assert_null(plan);
    assert_said(&error, "a file of the program cache is not used");
    assert_int_equal(messages.warnings, 0);
    put_entry(folder, name, bytes, size);
    assert_int_equal(posemb_plan_create(engine, &table_desc, &plan, &error), POSEMB_OK);
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
    free(bytes);
    engine = make_engine(*state, POSEMB_CACHE_STRICT, "/dev/null/posemb", &messages);
    assert_int_equal(posemb_plan_create(engine, &table_desc, &plan, &error), POSEMB_CACHE_FAILED);
    assert_null(plan);
    posemb_engine_destroy(engine);
}

/* ---- The environment */

static posemb_cache_mode mode_under(posemb_session *session, const char *value)
{
    posemb_engine *engine;
    posemb_engine_options resolved;
    struct messages messages;

    if (value)
        setenv("POSEMB_CACHE", value, 1);
    else
        unsetenv("POSEMB_CACHE");
    engine = make_engine(session, POSEMB_CACHE_DEFAULT, NULL, &messages);
    resolved = posemb_engine_resolved(engine);
    assert_int_equal(resolved.cache == POSEMB_CACHE_MEMORY, resolved.cache_folder == NULL);
    assert_int_equal(resolved.cache_limit, 64 << 20);
    posemb_engine_destroy(engine);
    return resolved.cache;
}

static void test_the_environment_decides_where_the_field_does_not(void **state)
{
    char *before = getenv("POSEMB_CACHE") ? strdup(getenv("POSEMB_CACHE")) : NULL;
    const posemb_engine_options bad = {.cache = (posemb_cache_mode)4};
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    posemb_engine *engine;
    posemb_error error;

    fresh_folder(folder);
    setenv("POSEMB_CACHE_DIR", folder, 1);
    assert_int_equal(mode_under(*state, NULL), POSEMB_CACHE_DISK);
    assert_int_equal(mode_under(*state, ""), POSEMB_CACHE_DISK);
    assert_int_equal(mode_under(*state, "on"), POSEMB_CACHE_DISK);
    assert_int_equal(mode_under(*state, "off"), POSEMB_CACHE_MEMORY);
    assert_int_equal(mode_under(*state, "strict"), POSEMB_CACHE_STRICT);
    assert_int_equal(posemb_engine_create(posemb_session_context(*state),
                                          posemb_session_device(*state)->device, &bad, &engine,
                                          &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "cache is 4");
    setenv("POSEMB_CACHE", "sometimes", 1);
    assert_int_equal(posemb_engine_create(posemb_session_context(*state),
                                          posemb_session_device(*state)->device, NULL, &engine,
                                          &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "POSEMB_CACHE is \"sometimes\"");
    engine = make_engine(*state, POSEMB_CACHE_DISK, NULL, &messages);
    assert_string_equal(posemb_engine_resolved(engine).cache_folder, folder);
    posemb_engine_destroy(engine);
    if (before)
        setenv("POSEMB_CACHE", before, 1);
    free(before);
}

static void test_a_build_that_fails_is_tried_once_more(void **state)
{
    struct messages messages;

    failing_builds = 1;
    assert_int_equal(run_plan(*state, POSEMB_CACHE_MEMORY, NULL, &table_desc, &messages),
                     POSEMB_ORIGIN_SOURCE);
    assert_warned(&messages, 1, "CL_BUILD_PROGRAM_FAILURE");
}

static void test_a_build_that_fails_twice_is_a_failure(void **state)
{
    struct messages messages;
    posemb_engine *engine = make_engine(*state, POSEMB_CACHE_MEMORY, NULL, &messages);
    posemb_plan *plan;
    posemb_error error;

    failing_builds = 2;
    assert_int_equal(posemb_plan_create(engine, &table_desc, &plan, &error), POSEMB_BUILD_FAILED);
    assert_null(plan);
    assert_non_null(strstr(error.message, "CL_BUILD_PROGRAM_FAILURE"));
    assert_int_equal(failing_builds, 0);
    posemb_engine_destroy(engine);
}

static void test_without_a_home_there_is_a_warning(void **state)
{
    const posemb_engine_options strict = {.cache = POSEMB_CACHE_STRICT};
    struct messages messages;
    posemb_engine *engine;
    posemb_error error;

    unsetenv("POSEMB_CACHE_DIR");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    engine = make_engine(*state, POSEMB_CACHE_DISK, NULL, &messages);
    assert_warned(&messages, 1, "no program cache: none of POSEMB_CACHE_DIR");
    assert_int_equal(posemb_engine_resolved(engine).cache, POSEMB_CACHE_MEMORY);
    posemb_engine_destroy(engine);
    assert_int_equal(posemb_engine_create(posemb_session_context(*state),
                                          posemb_session_device(*state)->device, &strict, &engine,
                                          &error),
                     POSEMB_CACHE_FAILED);
    assert_null(engine);
}

/* ---- Blobs */

/* The blob of a plan, malloc'ed. */
static unsigned char *blob_of(posemb_session *session, const posemb_desc *desc, size_t *size,
                              char id[POSEMB_BLOB_ID_SIZE])
{
    struct messages messages;
    posemb_engine *engine = make_engine(session, POSEMB_CACHE_MEMORY, NULL, &messages);
    posemb_plan *plan;
    posemb_error error;
    unsigned char *blob;
    size_t needed = 0;

    assert_int_equal(posemb_blob_id(engine, desc, id, NULL), POSEMB_OK);
    assert_int_equal(posemb_plan_create(engine, desc, &plan, NULL), POSEMB_OK);
    assert_int_equal(posemb_plan_warmup(plan, posemb_session_queue(session), NULL, NULL),
                     POSEMB_OK);
    assert_int_equal(posemb_plan_get_blob(plan, NULL, 0, &needed, &error), POSEMB_BUFFER_TOO_SMALL);
    assert_said(&error, "capacity is 0");
    blob = malloc(needed);
    assert_non_null(blob);
    memset(blob, 0x5a, needed);
    assert_int_equal(posemb_plan_get_blob(plan, blob, needed - 1, size, &error),
                     POSEMB_BUFFER_TOO_SMALL);
    for (size_t i = 0; i < needed; i++)
        assert_int_equal(blob[i], 0x5a);
    assert_int_equal(posemb_plan_get_blob(plan, blob, needed, size, NULL), POSEMB_OK);
    assert_int_equal(*size, needed);
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
    return blob;
}

static void check_blob(posemb_session *session, const void *blob, size_t size,
                       posemb_cache_mode mode, posemb_origin origin, const char *words)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    posemb_engine *engine;
    posemb_plan *plan;
    posemb_error error;

    fresh_folder(folder);
    engine = make_engine(session, mode, folder, &messages);
    binaries_seen = 0;
    if (posemb_plan_create_from_blob(engine, &table_desc, blob, size, &plan, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_int_equal(posemb_plan_origin(plan), origin);
    assert_int_equal(binaries_seen, origin == POSEMB_ORIGIN_BLOB);
    assert_warned(&messages, words != NULL, words);
    support_call_run(session, plan, &small_shape, &plain);
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
}

static void test_a_blob_makes_a_plan(void **state)
{
    const posemb_desc add_desc = {.dim = 6, .operation = POSEMB_ADD};
    char id[POSEMB_BLOB_ID_SIZE];
    char again[POSEMB_BLOB_ID_SIZE];
    char other[POSEMB_BLOB_ID_SIZE];
    size_t size;
    size_t other_size;
    unsigned char *blob = blob_of(*state, &table_desc, &size, id);
    unsigned char *other_blob = blob_of(*state, &add_desc, &other_size, other);

    free(blob);
    blob = blob_of(*state, &table_desc, &size, again);
    assert_string_equal(id, again);
    assert_string_not_equal(id, other);
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    check_blob(*state, blob, size, POSEMB_CACHE_STRICT, POSEMB_ORIGIN_BLOB, NULL);
    check_blob(*state, other_blob, other_size, POSEMB_CACHE_MEMORY, POSEMB_ORIGIN_SOURCE,
               "the blob of a program is not used: the program is ");
    check_blob(*state, blob, size / 2, POSEMB_CACHE_DISK, POSEMB_ORIGIN_SOURCE, "do not hold");
    check_blob(*state, blob, 0, POSEMB_CACHE_MEMORY, POSEMB_ORIGIN_SOURCE, "0 bytes");
    blob[size - 1] ^= 1;
    check_blob(*state, blob, size, POSEMB_CACHE_MEMORY, POSEMB_ORIGIN_SOURCE, "damaged");
    free(blob);
    free(other_blob);
}

static void test_a_bad_blob_fails_under_strictness(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    posemb_plan *plan;
    posemb_engine *engine;
    posemb_error error;

    fresh_folder(folder);
    engine = make_engine(*state, POSEMB_CACHE_STRICT, folder, &messages);
    assert_int_equal(posemb_plan_create_from_blob(engine, &table_desc, "x", 1, &plan, &error),
                     POSEMB_CACHE_FAILED);
    assert_null(plan);
    assert_int_equal(posemb_plan_create_from_blob(engine, &table_desc, NULL, 1, &plan, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "blob is NULL");
    assert_int_equal(posemb_plan_create_from_blob(NULL, &table_desc, "x", 1, &plan, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_blob_id(engine, &table_desc, NULL, &error), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_blob_id(engine, &(posemb_desc){.dim = 0}, folder, &error),
                     POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_plan_get_blob(NULL, NULL, 0, NULL, &error), POSEMB_INVALID_ARGUMENT);
    posemb_engine_destroy(engine);
}

static void test_the_id_has_everything_that_can_change_the_result(void **state)
{
    const struct posemb__program_key keys[] = {
        {.operation = POSEMB_TABLE,
         .halves = false,
         .shares_positions = false,
         .memory_floats = 4,
         .rows = 4},
        {.operation = POSEMB_ADD,
         .halves = false,
         .shares_positions = false,
         .memory_floats = 4,
         .rows = 4},
        {.operation = POSEMB_TABLE,
         .halves = true,
         .shares_positions = false,
         .memory_floats = 4,
         .rows = 4},
        {.operation = POSEMB_TABLE,
         .halves = false,
         .shares_positions = true,
         .memory_floats = 4,
         .rows = 4},
        {.operation = POSEMB_TABLE,
         .halves = false,
         .shares_positions = false,
         .memory_floats = 8,
         .rows = 4},
        {.operation = POSEMB_TABLE, .memory_floats = 4, .rows = 8},
        {.operation = POSEMB_TABLE, .memory_floats = 4, .rows = 4, .shared_rows = 4},
        {.operation = POSEMB_TABLE, .memory_floats = 4, .rows = 4, .prefetch = 4},
        {.operation = POSEMB_TABLE, .cosine_first = true, .memory_floats = 4, .rows = 4},
        {.operation = POSEMB_TABLE, .amplitude = true, .memory_floats = 4, .rows = 4},
        {.operation = POSEMB_TABLE, .phases = true, .memory_floats = 4, .rows = 4},
        {.operation = POSEMB_TABLE, .float_positions = true, .memory_floats = 4, .rows = 4},
        {.operation = POSEMB_TABLE, .grid = true, .memory_floats = 4, .rows = 4},
        {.operation = POSEMB_TABLE, .counts = true, .memory_floats = 4, .rows = 4},
        {.operation = POSEMB_TABLE, .prompts = true, .memory_floats = 4, .rows = 4},
        {.operation = POSEMB_TABLE, .parts = true, .memory_floats = 4, .rows = 4},
    };
    enum { KEYS = sizeof keys / sizeof *keys };
    struct posemb__digest ids[KEYS + 1];
    struct posemb__device_identity identity;
    const posemb_device_info *info = posemb_session_device(*state);

    assert_int_equal(posemb__device_identify(info, &identity, NULL), POSEMB_OK);
    for (size_t i = 0; i < KEYS; i++)
        ids[i] = posemb__program_id(&identity, &keys[i]);
    for (size_t at = 0; at < identity.size; at++) { /* every byte of what the driver says */
        identity.bytes[at] ^= 1;
        ids[KEYS] = posemb__program_id(&identity, &keys[0]);
        for (size_t i = 0; i < KEYS; i++)
            assert_memory_not_equal(ids[KEYS].bytes, ids[i].bytes, POSEMB__DIGEST_SIZE);
        identity.bytes[at] ^= 1;
    }
    for (size_t i = 0; i < KEYS; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(ids[i].bytes, ids[j].bytes, POSEMB__DIGEST_SIZE);
    /* The strings are there: name and version of the device, the driver's version. */
    const char *const words[] = {info->name, info->version, info->driver, info->platform_name};
    for (size_t w = 0; w < 4; w++) {
        size_t at = 0;

        while (at < identity.size &&
               strncmp((const char *)identity.bytes + at, words[w], strlen(words[w])) != 0)
            at++;
        assert_true(at < identity.size);
    }
    free(identity.bytes);
}

/* ---- Looking at a folder */

struct seen {
    unsigned files;
    unsigned faults;
    char label[256];
};

static void see(const posemb_cache_entry *entry, void *data)
{
    struct seen *seen = data;

    seen->files++;
    seen->faults += entry->fault != NULL;
    assert_true(entry->bytes > 0);
    assert_true(entry->used > 1600000000);
    if (!entry->fault)
        snprintf(seen->label, sizeof seen->label, "%s", entry->label);
}

static void test_a_folder_can_be_looked_at_and_cleared(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct messages messages;
    struct seen seen = {0};
    unsigned char *bytes;
    char name[64];
    size_t size;
    size_t removed;
    posemb_error error;

    fresh_folder(folder);
    assert_int_equal(posemb_cache_visit(folder, see, &seen, &error), POSEMB_OK);
    assert_int_equal(seen.files, 0);
    run_plan(*state, POSEMB_CACHE_STRICT, folder, &table_desc, &messages);
    size = read_entry(folder, name, &bytes);
    assert_int_equal(posemb_cache_visit(folder, see, &seen, &error), POSEMB_OK);
    assert_int_equal(seen.files, 1);
    assert_int_equal(seen.faults, 0);
    assert_non_null(strstr(seen.label, posemb_session_device(*state)->name));
    assert_non_null(strstr(seen.label, "-DPOSEMB_OPERATION=3"));
    put_entry(folder, "00000000000000000000000000000000.posemb", bytes, size);
    put_entry(folder, name, bytes, size - 1);
    seen = (struct seen){0};
    assert_int_equal(posemb_cache_visit(folder, see, &seen, &error), POSEMB_OK);
    assert_int_equal(seen.files, 2);
    assert_int_equal(seen.faults, 2);
    assert_int_equal(posemb_cache_visit(folder, NULL, NULL, &error), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(posemb_cache_clear(folder, &removed, &error), POSEMB_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(posemb_cache_clear(folder, NULL, &error), POSEMB_OK);
    assert_int_equal(posemb_cache_clear("/dev/null/x", &removed, &error), POSEMB_CACHE_FAILED);
    assert_int_equal(posemb_cache_visit("/dev/null/x", see, &seen, &error), POSEMB_CACHE_FAILED);
    free(bytes);
}

static void test_the_default_folder_is_told(void **state)
{
    char path[64];
    posemb_error error;

    (void)state;
    setenv("POSEMB_CACHE_DIR", "/some/where", 1);
    assert_int_equal(posemb_cache_folder(path, sizeof path, &error), POSEMB_OK);
    assert_string_equal(path, "/some/where");
    assert_int_equal(posemb_cache_folder(path, 11, &error), POSEMB_BUFFER_TOO_SMALL);
    assert_int_equal(posemb_cache_folder(path, 12, &error), POSEMB_OK);
    assert_int_equal(posemb_cache_folder(NULL, 0, &error), POSEMB_INVALID_ARGUMENT);
}

/* A context of all devices of the platform, of which the engine has the last. */
static void test_a_context_of_several_devices(void **state)
{
    const posemb_device_info *info = posemb_session_device(*state);
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)info->platform, 0};
    cl_device_id devices[8];
    cl_uint count = 0;
    cl_int code;
    char folder[TEMP_PATH_SIZE];

    assert_int_equal(clGetDeviceIDs(info->platform, CL_DEVICE_TYPE_ALL, 8, devices, &count),
                     CL_SUCCESS);
    count = count < 8 ? count : 8;
    cl_context context = clCreateContext(properties, count, devices, NULL, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    fresh_folder(folder);
    for (int i = 0; i < 2; i++) {
        struct messages messages = {0};
        const posemb_engine_options options = {.shape = support_shape(),
                                               .cache = POSEMB_CACHE_STRICT,
                                               .cache_folder = folder,
                                               .log = keep,
                                               .log_data = &messages};
        posemb_engine *engine;
        posemb_plan *plan;
        posemb_error error;

        assert_int_equal(
            posemb_engine_create(context, devices[count - 1], &options, &engine, &error),
            POSEMB_OK);
        if (posemb_plan_create(engine, &table_desc, &plan, &error) != POSEMB_OK)
            fail_msg("%s", error.message);
        assert_int_equal(posemb_plan_origin(plan), i ? POSEMB_ORIGIN_DISK : POSEMB_ORIGIN_SOURCE);
        posemb_plan_destroy(plan);
        posemb_engine_destroy(engine);
    }
    clReleaseContext(context);
}

static int set_up(void **state)
{
    test_folder_make(state);
    return support_open_session(state);
}

static int tear_down(void **state)
{
    support_close_session(state);
    return test_folder_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_process_loads),
        cmocka_unit_test(test_plans_of_one_engine_share),
        cmocka_unit_test(test_without_a_disk_nothing_is_written),
        cmocka_unit_test(test_no_mutation_reaches_the_driver),
        cmocka_unit_test(test_swapped_files_do_not_reach_the_driver),
        cmocka_unit_test(test_a_binary_that_the_driver_refuses_is_replaced),
        cmocka_unit_test(test_a_folder_that_cannot_be_is_said),
        cmocka_unit_test(test_strictness_fails_the_call),
        cmocka_unit_test(test_the_environment_decides_where_the_field_does_not),
        cmocka_unit_test(test_a_blob_makes_a_plan),
        cmocka_unit_test(test_a_bad_blob_fails_under_strictness),
        cmocka_unit_test(test_the_id_has_everything_that_can_change_the_result),
        cmocka_unit_test(test_a_folder_can_be_looked_at_and_cleared),
        cmocka_unit_test(test_a_context_of_several_devices),
        cmocka_unit_test(test_the_default_folder_is_told),
        cmocka_unit_test(test_without_a_home_there_is_a_warning),
        cmocka_unit_test(test_a_build_that_fails_is_tried_once_more),
        cmocka_unit_test(test_a_build_that_fails_twice_is_a_failure),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
