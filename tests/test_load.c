/* posemb_load: the bits of stages that were loaded, and what a load takes, reads and leaves. */
#include "load_models.h"
#include "load_wrappers.h"
#include "support/device.h"

#include <posemb/posemb_load.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define INVALID POSEMB_INVALID_ARGUMENT

static const struct load_model_kind plain = {"F32", "F32", "F32", "F32", 12, 40, 6, false, false};
static const struct load_model_kind scaled = {"I8", "F32", "F32", "F32", 12, 40, 6, false, false};
static const posemb_load_way ways[] = {POSEMB_LOAD_STAGED, POSEMB_LOAD_MAPPED};

#define WAY_COUNT (sizeof ways / sizeof *ways)

static int make_fixtures(void **state)
{
    return test_folder_make(state) == 0 ? support_open_session(state) : -1;
}

static int remove_fixtures(void **state)
{
    support_close_session(state);
    return test_folder_remove(state);
}

/* ---- Loads, and calls with what they give */

static posemb_engine *make_engine(posemb_session *session, uint64_t largest_buffer)
{
    const posemb_engine_options options = {.shape = support_shape(),
                                           .largest_buffer = largest_buffer};

    return support_engine_with(session, &options);
}

static posemb_loaded *load_stage(posemb_session *session, const posemb_engine *engine,
                                 const char *path, const posemb_load_options *options)
{
    posemb_loaded *loaded = NULL;
    posemb_error error;

    if (posemb_load_stage(engine, posemb_session_queue(session), path, options, &loaded, &error) !=
        POSEMB_OK)
        fail_msg("posemb_load_stage: %s", error.message);
    assert_non_null(loaded);
    return loaded;
}

static cl_mem make_output(posemb_session *session, size_t size)
{
    cl_mem buffer = NULL;

    assert_int_equal(posemb_session_upload(session, NULL, size, &buffer, NULL), POSEMB_OK);
    return buffer;
}

/* Run the model's call with the buffers of `loaded`; `out` receives its rows. */
static void run_loaded(posemb_session *session, posemb_engine *engine,
                       const struct load_model *model, const posemb_loaded *loaded, float *out)
{
    const size_t size = sizeof(float) * LOAD_TOKENS * model->kind.dim;
    posemb_args args = *posemb_loaded_args(loaded);
    posemb_plan *plan = NULL;
    posemb_error error;

    args.shape.batch = LOAD_BATCH;
    args.shape.length = LOAD_LENGTH;
    args.ids.mem = support_upload(session, model->ids, sizeof model->ids);
    args.out.mem = make_output(session, size);
    if (posemb_plan_create(engine, posemb_loaded_desc(loaded), &plan, &error) != POSEMB_OK)
        fail_msg("posemb_plan_create: %s", error.message);
    if (posemb_enqueue(plan, posemb_session_queue(session), &args, 0, NULL, NULL, &error) !=
        POSEMB_OK)
        fail_msg("posemb_enqueue: %s", error.message);
    support_download(session, args.out.mem, out, size);
    clReleaseMemObject(args.ids.mem);
    clReleaseMemObject(args.out.mem);
    posemb_plan_destroy(plan);
}

/* What was loaded gives the bits of `desc` and `args` on host memory. */
static void check_call(posemb_session *session, posemb_engine *engine,
                       const struct load_model *model, const posemb_desc *desc,
                       const posemb_host_args *args, const posemb_loaded *loaded)
{
    const size_t count = (size_t)LOAD_TOKENS * model->kind.dim;
    float *found = calloc(count, sizeof *found);
    float *expected = calloc(count, sizeof *expected);
    posemb_host_args host = *args;
    posemb_error error;
    size_t first;

    assert_true(found && expected);
    host.out = expected;
    if (posemb_reference_run(desc, &host, &error) != POSEMB_OK)
        fail_msg("posemb_reference_run: %s", error.message);
    run_loaded(session, engine, model, loaded, found);
    if (posemb_compare_bits(found, expected, count, &first) != 0)
        fail_msg("%s, dim %u: float %zu is %a, not %a", model->kind.words, model->kind.dim, first,
                 (double)found[first], (double)expected[first]);
    free(found);
    free(expected);
}

static void check_stage(posemb_session *session, posemb_engine *engine,
                        const struct load_model *model, const posemb_load_options *options)
{
    posemb_host_args args = model->args;
    posemb_loaded *loaded = load_stage(session, engine, model->path, options);

    if (options && (options->shard_first || options->shard_rows)) {
        const size_t row =
            (size_t)posemb_storage_row_bytes(model->desc.tokens.storage, model->kind.dim);

        args.shape.shard_first = options->shard_first;
        args.shape.shard_rows = options->shard_rows;
        args.table = (const char *)args.table + options->shard_first * row;
        if (args.table_scales && !model->kind.one_scale)
            args.table_scales += options->shard_first;
    }
    check_call(session, engine, model, &model->desc, &args, loaded);
    posemb_loaded_destroy(loaded);
}

/* ---- Bits */

static void test_files_of_all_storages(void **state)
{
    static const struct load_model_kind kinds[] = {
        {"F32", "F32", "F32", "F32", 12, 40, 6, false, false},
        {"F16", "F16", "F16", "F16", 13, 10, 6, false, false},
        {"BF16", "BF16", "BF16", "BF16", 9, 10, 6, false, false},
        {"I8", "BF16", "F16", "F32", 11, 10, 6, false, false},
        {"I8", "F32", "F32", "F32", 11, 10, 6, false, true},
        {"F32", "F32", "F32", "F32", 8, 10, 6, true, false},
        {"Q8_0", "F32", "F32", "F32", 64, 10, 6, true, false},
        {"Q4_K", "F32", "F16", "F32", 256, 10, 6, true, false},
        {"Q6_K", "Q4_0", "Q8_0", "F32", 256, 10, 6, true, false},
    };
    posemb_engine *engine = make_engine(*state, 0);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct load_model model;

        load_model_make(&kinds[i], &model);
        check_stage(*state, engine, &model, NULL);
        for (size_t way = 0; way < WAY_COUNT; way++) {
            const posemb_load_options options = {.way = ways[way], .piece = 100};

            check_stage(*state, engine, &model, &options);
        }
        load_model_release(&model);
    }
    posemb_engine_destroy(engine);
}

static void test_tables_in_parts(void **state)
{
    const uint64_t row = 12 * sizeof(float);
    struct load_model model;

    load_model_make(&plain, &model);
    for (uint64_t rows = 6; rows <= 20; rows += 7) { /* 7, 4 and 2 parts */
        posemb_engine *engine = make_engine(*state, rows * row + 5);
        posemb_loaded *loaded = load_stage(*state, engine, model.path, NULL);
        const uint32_t parts = posemb_loaded_desc(loaded)->table_parts;

        assert_int_equal(parts, (40 + rows - 1) / rows);
        assert_non_null(posemb_loaded_args(loaded)->table_more[parts - 2].mem);
        assert_null(posemb_loaded_args(loaded)->table_more[parts - 1].mem);
        check_call(*state, engine, &model, &model.desc, &model.args, loaded);
        posemb_loaded_destroy(loaded);
        posemb_engine_destroy(engine);
    }
    load_model_release(&model);
}

static void test_shards(void **state)
{
    static const struct load_model_kind kinds[] = {
        {"F32", "F32", "F32", "F32", 12, 40, 6, false, false},
        {"I8", "F32", "F32", "F32", 12, 40, 6, false, false},
        {"I8", "F32", "F32", "F32", 12, 40, 6, false, true},
        {"Q8_0", "F32", "F32", "F32", 32, 40, 6, true, false}};
    static const uint64_t shards[][2] = {{0, 1}, {0, 13}, {13, 20}, {39, 1}, {0, 40}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        posemb_engine *engine = make_engine(*state, 6 * kinds[i].dim * sizeof(float));
        struct load_model model;

        load_model_make(&kinds[i], &model);
        for (size_t k = 0; k < sizeof shards / sizeof *shards; k++) {
            const posemb_load_options options = {.shard_first = shards[k][0],
                                                 .shard_rows = shards[k][1],
                                                 .way = ways[k % WAY_COUNT],
                                                 .piece = 57};

            check_stage(*state, engine, &model, &options);
        }
        load_model_release(&model);
        posemb_engine_destroy(engine);
    }
}

static void test_any_piece(void **state)
{
    static const uint64_t pieces[] = {1, 2, 7, 47, 48, 49, 4096, UINT64_MAX};
    posemb_engine *engine = make_engine(*state, 0);
    struct load_model model;

    load_model_make(&scaled, &model);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (size_t way = 0; way < WAY_COUNT; way++) {
            const posemb_load_options options = {.way = ways[way], .piece = pieces[i]};

            check_stage(*state, engine, &model, &options);
        }
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

static void test_queues_of_both_orders(void **state)
{
    posemb_engine *engine = make_engine(*state, 0);
    cl_int code;
    cl_command_queue queue =
        support_make_queue(*state, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    struct load_model model;
    posemb_loaded *loaded;

    load_model_make(&plain, &model);
    for (size_t way = 0; queue && way < WAY_COUNT; way++) {
        const posemb_load_options options = {.way = ways[way], .piece = 33};

        assert_int_equal(posemb_load_stage(engine, queue, model.path, &options, &loaded, NULL),
                         POSEMB_OK);
        check_call(*state, engine, &model, &model.desc, &model.args, loaded); /* another queue */
        posemb_loaded_destroy(loaded);
    }
    load_model_release(&model);
    posemb_engine_destroy(engine);
    if (queue)
        clReleaseCommandQueue(queue);
}

enum { THREADS = 3 };

struct thread_load {
    const posemb_engine *engine;
    cl_command_queue queue;
    posemb_load_options options;
    const char *path;
    posemb_loaded *loaded;
    posemb_status status;
    posemb_error error;
};

static void *load_in_thread(void *data)
{
    struct thread_load *load = data;

    load->status = posemb_load_stage(load->engine, load->queue, load->path, &load->options,
                                     &load->loaded, &load->error);
    return NULL;
}

static void test_threads_load_on_one_queue(void **state)
{
    posemb_engine *engine = make_engine(*state, 0);
    struct thread_load loads[THREADS];
    pthread_t threads[THREADS];
    struct load_model model;

    load_model_make(&plain, &model);
    for (int i = 0; i < THREADS; i++) {
        loads[i] = (struct thread_load){.engine = engine,
                                        .queue = posemb_session_queue(*state),
                                        .options = {.way = ways[i % 2], .piece = 20},
                                        .path = model.path};
        assert_int_equal(pthread_create(&threads[i], NULL, load_in_thread, &loads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (loads[i].status != POSEMB_OK)
            fail_msg("posemb_load_stage: %s", loads[i].error.message);
        check_call(*state, engine, &model, &model.desc, &model.args, loads[i].loaded);
        posemb_loaded_destroy(loads[i].loaded);
    }
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

/* ---- What a load takes and reads */

static void assert_nothing_left(void)
{
    assert_int_equal(load_counts.blocks, 0);
    assert_int_equal(load_counts.bytes, 0);
    assert_int_equal(load_counts.buffers, 0);
    assert_int_equal(load_counts.maps, 0);
    assert_int_equal(load_counts.events, 0);
}

/* Bytes of the tensors that BERT's stage reads. */
static uint64_t bytes_used(const struct load_model *model)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < model->tensors.count; i++)
        if (strcmp(model->tensors.items[i].type, "U8") != 0)
            bytes += test_tensor_bytes(&model->tensors.items[i]);
    return bytes;
}

static void test_each_byte_is_read_once(void **state)
{
    posemb_engine *engine = make_engine(*state, 300);
    struct load_model model;
    unsigned char *times;

    load_model_make(&scaled, &model);
    times = malloc(model.size);
    assert_non_null(times);
    for (size_t way = 0; way < WAY_COUNT; way++) {
        const posemb_load_options options = {.way = ways[way], .piece = 45};
        posemb_loaded *loaded;

        load_note_reads(times, model.size);
        load_watch(LOAD_CALLS, 0);
        loaded = load_stage(*state, engine, model.path, &options);
        load_unwatch();
        load_note_reads(NULL, 0);
        for (size_t i = model.data_at; i < model.size; i++)
            assert_int_equal(times[i], i >= model.data_at + 3); /* not the tensor of others */
        assert_int_equal(posemb_loaded_bytes(loaded), bytes_used(&model));
        posemb_loaded_destroy(loaded);
    }
    free(times);
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

/* A table of floats with a hole in the file in place of its bytes. */
static void make_large(uint64_t rows, uint64_t dim, char path[TEMP_PATH_SIZE])
{
    char text[256] = {0};
    const uint64_t bytes = rows * dim * sizeof(float);
    const int length =
        snprintf(text + 8, sizeof text - 8,
                 "{\"w\":{\"dtype\":\"F32\",\"shape\":[%llu,%llu],"
                 "\"data_offsets\":[0,%llu]}}",
                 (unsigned long long)rows, (unsigned long long)dim, (unsigned long long)bytes);

    text[0] = (char)length;
    temp_file_write(&test_folder, "large.safetensors", text, 8 + (size_t)length, path);
    assert_int_equal(truncate(path, (off_t)(8 + (uint64_t)length + bytes)), 0);
}

static long most_kibibytes(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* 64 MiB, through pieces of 64 KiB. Sanitizers count for more than that. */
static void test_host_memory_is_bounded_by_the_piece(void **state)
{
    const uint64_t rows = 1 << 14;
    const uint64_t dim = 1 << 10;
    const long table = (long)(rows * dim * sizeof(float) >> 10);
    const size_t piece = 64 << 10;
    posemb_engine *engine = make_engine(*state, 0);
    char path[TEMP_PATH_SIZE];

    make_large(rows, dim, path);
    for (size_t way = 0; way < WAY_COUNT; way++) {
        const posemb_load_options options = {.way = ways[way], .piece = piece};
        posemb_loaded *loaded = NULL;
        const long before = most_kibibytes();

        load_watch(LOAD_CALLS, 0);
        assert_int_equal(
            posemb_load_table(engine, posemb_session_queue(*state), path, &options, &loaded, NULL),
            POSEMB_OK);
        load_unwatch();
        assert_in_range(load_counts.most_bytes, 1, piece + (32 << 10));
        assert_true(load_counts.largest_map <= piece);
        assert_true(load_counts.file_bytes < ((uint64_t)table << 10) + 1024);
#if !defined(__SANITIZE_ADDRESS__)
        assert_true(most_kibibytes() - before < table + table / 4);
#else
        (void)before;
#endif
        posemb_loaded_destroy(loaded);
    }
    unlink(path);
    posemb_engine_destroy(engine);
}

/* ---- Progress */

struct told {
    unsigned calls;
    unsigned stop_at; /* the call that says stop, from 1; 0: none */
    uint64_t done;
    uint64_t total;
    const char *path; /* NULL, or of a file that is cut at the first call */
    char parts[256];  /* each name once */
};

static int tell(const char *part, uint64_t done, uint64_t total, void *data)
{
    struct told *told = data;
    const size_t used = strlen(told->parts);

    assert_true(done > told->done && done <= total);
    assert_true(told->calls == 0 || total == told->total);
    if (used < strlen(part) || strcmp(told->parts + used - strlen(part), part) != 0)
        snprintf(told->parts + used, sizeof told->parts - used, "%s%s", used ? "," : "", part);
    told->done = done;
    told->total = total;
    told->calls++;
    if (told->path)
        assert_int_equal(truncate(told->path, (off_t)200), 0);
    return told->calls == told->stop_at;
}

static void test_progress_rises_to_the_total(void **state)
{
    posemb_engine *engine = make_engine(*state, 300);
    struct load_model model;

    load_model_make(&scaled, &model);
    for (size_t way = 0; way < WAY_COUNT; way++) {
        struct told told = {0};
        const posemb_load_options options = {
            .way = ways[way], .piece = 50, .progress = tell, .progress_data = &told};
        posemb_loaded *loaded = load_stage(*state, engine, model.path, &options);

        assert_int_equal(told.done, told.total);
        assert_int_equal(told.total, posemb_loaded_bytes(loaded));
        assert_string_equal(told.parts, "words,words scales,positions,types,gamma,beta");
        posemb_loaded_destroy(loaded);
    }
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

/* A load fails with that status and leaves nothing; the message has these words. */
static void fails(posemb_session *session, const posemb_engine *engine, const char *path,
                  const posemb_load_options *options, posemb_status status, const char *words)
{
    posemb_loaded *loaded = (posemb_loaded *)&status; /* is set to NULL */
    posemb_error error = {.message = ""};

    load_watch(LOAD_CALLS, 0);
    assert_int_equal(
        posemb_load_stage(engine, posemb_session_queue(session), path, options, &loaded, &error),
        status);
    load_unwatch();
    assert_null(loaded);
    assert_int_equal(error.status, status);
    assert_said(&error, words);
    assert_nothing_left();
}

static void test_a_load_can_be_cancelled_at_each_call(void **state)
{
    posemb_engine *engine = make_engine(*state, 0);
    struct load_model model;

    load_model_make(&plain, &model);
    for (size_t way = 0; way < WAY_COUNT; way++)
        for (unsigned stop = 1;; stop++) {
            struct told told = {.stop_at = stop};
            const posemb_load_options options = {
                .way = ways[way], .piece = 300, .progress = tell, .progress_data = &told};

            fails(*state, engine, model.path, &options, POSEMB_CANCELLED, "progress");
            assert_int_equal(told.calls, stop);
            if (told.done == told.total)
                break;
        }
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

static void test_a_file_that_shrinks(void **state)
{
    posemb_engine *engine = make_engine(*state, 0);

    for (size_t way = 0; way < WAY_COUNT; way++) {
        struct load_model model;
        struct told told = {.path = model.path};
        const posemb_load_options options = {
            .way = ways[way], .piece = 300, .progress = tell, .progress_data = &told};

        load_model_make(&plain, &model);
        fails(*state, engine, model.path, &options, INVALID, "shrank");
        load_model_release(&model);
    }
    posemb_engine_destroy(engine);
}

/* ---- Failures */

static void test_what_does_not_fit_is_refused_before_any_buffer(void **state)
{
    static const struct load_model_kind wide = {"F32", "F32", "F32", "F32", 12,
                                                4,     60,    false, false};
    struct load_model model;
    posemb_engine *engine = make_engine(*state, 4 * 12 * sizeof(float));

    load_model_make(&plain, &model);
    fails(*state, engine, model.path, NULL, POSEMB_UNSUPPORTED, "40 rows of 48 bytes");
    assert_int_equal(load_counts.calls[LOAD_CREATE], 0);
    load_model_release(&model);
    load_model_make(&wide, &model);
    fails(*state, engine, model.path, NULL, POSEMB_UNSUPPORTED, "positions: 2880 bytes");
    assert_int_equal(load_counts.calls[LOAD_CREATE], 0);
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

typedef posemb_status (*load_function)(const posemb_engine *engine, cl_command_queue queue,
                                       const char *path, const posemb_load_options *options,
                                       posemb_loaded **loaded, posemb_error *error);

/* Every call of that kind fails once. Returns how many there were. */
static unsigned fail_each_of(load_function load, posemb_session *session,
                             const posemb_engine *engine, const char *path,
                             const posemb_load_options *options, enum load_call call,
                             posemb_status expected)
{
    for (unsigned index = 0; index < 10000; index++) {
        posemb_loaded *loaded;
        posemb_error error;
        posemb_status status;

        load_watch(call, index);
        status = load(engine, posemb_session_queue(session), path, options, &loaded, &error);
        if (status == POSEMB_OK) {
            assert_true(load_counts.calls[call] <= index);
            posemb_loaded_destroy(loaded);
            load_unwatch();
            assert_nothing_left();
            return index;
        }
        load_unwatch();
        assert_int_equal(status, expected);
        assert_true(strlen(error.message) > 0);
        assert_nothing_left();
    }
    fail_msg("a call never works");
    return 0;
}

static unsigned fail_each(posemb_session *session, const posemb_engine *engine, const char *path,
                          const posemb_load_options *options, enum load_call call,
                          posemb_status expected)
{
    return fail_each_of(posemb_load_stage, session, engine, path, options, call, expected);
}

static void test_failing_calls_leave_nothing_of_a_table(void **state)
{
    posemb_engine *engine = make_engine(*state, 500);
    struct load_model model;
    char path[TEMP_PATH_SIZE + 64];

    load_model_make(&scaled, &model);
    snprintf(path, sizeof path, "%s:embeddings.word_embeddings.weight", model.path);
    assert_true(fail_each_of(posemb_load_table, *state, engine, path, NULL, LOAD_ALLOCATE,
                             POSEMB_OUT_OF_MEMORY) > 5);
    assert_true(fail_each_of(posemb_load_table, *state, engine, path, NULL, LOAD_CREATE,
                             POSEMB_OUT_OF_MEMORY) == 2);
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

static void test_failing_calls_leave_nothing(void **state)
{
    const posemb_load_options staged = {.way = POSEMB_LOAD_STAGED, .piece = 700};
    const posemb_load_options mapped = {.way = POSEMB_LOAD_MAPPED, .piece = 700};
    const posemb_status memory = POSEMB_OUT_OF_MEMORY;
    posemb_engine *engine = make_engine(*state, 500);
    struct load_model model;

    load_model_make(&plain, &model);
    assert_true(fail_each(*state, engine, model.path, &staged, LOAD_ALLOCATE, memory) > 5);
    assert_true(fail_each(*state, engine, model.path, &staged, LOAD_CREATE, memory) == 8);
    assert_true(fail_each(*state, engine, model.path, &staged, LOAD_WRITE, memory) > 8);
    assert_true(fail_each(*state, engine, model.path, &staged, LOAD_WAIT, POSEMB_DEVICE_ERROR) > 8);
    assert_true(fail_each(*state, engine, model.path, &mapped, LOAD_MAP, POSEMB_DEVICE_ERROR) == 8);
    assert_true(fail_each(*state, engine, model.path, &mapped, LOAD_UNMAP, memory) == 8);
    assert_true(fail_each(*state, engine, model.path, &mapped, LOAD_WAIT, POSEMB_DEVICE_ERROR) ==
                16);
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

static void test_bad_arguments(void **state)
{
    static const struct {
        posemb_load_options options;
        const char *words;
    } bad[] = {
        {{.way = (posemb_load_way)3}, "options.way is 3"},
        {{.flags = CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR}, "host pointer"},
        {{.flags = CL_MEM_READ_ONLY | CL_MEM_HOST_NO_ACCESS}, "cannot write"},
        {{.mask = 2}, "options.mask is 2"},
        {{.model = "nonsense"}, "\"nonsense\""},
        {{.prefix = "other"}, "other"},
        {{.shard_first = 40, .shard_rows = 1}, "40 rows"},
        {{.shard_first = 1}, "1 and 0"},
        {{.shard_first = 1, .shard_rows = UINT64_MAX}, "40 rows"},
        {{.shard_rows = 41}, "0 and 41"},
    };
    posemb_engine *engine = make_engine(*state, 0);
    cl_context context = support_make_context(*state);
    cl_command_queue queue;
    cl_int code;
    struct load_model model;
    posemb_loaded *loaded;
    posemb_error error;

    load_model_make(&plain, &model);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(*state, engine, model.path, &bad[i].options, INVALID, bad[i].words);
    fails(*state, engine, NULL, NULL, INVALID, "path is NULL");
    fails(*state, NULL, model.path, NULL, INVALID, "engine is NULL");
    fails(*state, engine, "/nowhere.safetensors", NULL, INVALID, "/nowhere.safetensors");
    assert_int_equal(posemb_load_stage(engine, NULL, model.path, NULL, &loaded, &error), INVALID);
    assert_int_equal(
        posemb_load_stage(engine, posemb_session_queue(*state), model.path, NULL, NULL, &error),
        INVALID);
    queue = clCreateCommandQueue(context, posemb_session_device(*state)->device, 0, &code);
    assert_int_equal(posemb_load_stage(engine, queue, model.path, NULL, &loaded, &error),
                     POSEMB_QUEUE_MISMATCH);
    assert_said(&error, "another context");
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    load_model_release(&model);
    posemb_engine_destroy(engine);
    posemb_loaded_destroy(NULL);
}

/* ---- Models */

static void test_the_model_is_told(void **state)
{
    posemb_engine *engine = make_engine(*state, 0);
    struct load_model model;
    posemb_loaded *loaded;

    load_model_make(&plain, &model);
    loaded = load_stage(*state, engine, model.path, NULL);
    assert_string_equal(posemb_loaded_model(loaded), "bert");
    posemb_loaded_destroy(loaded);
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

/* ---- Tables */

static void check_table(posemb_session *session, posemb_engine *engine,
                        const struct load_model *model, const char *tensor,
                        const posemb_load_options *options)
{
    const posemb_desc desc = {
        .dim = model->kind.dim, .tokens = model->desc.tokens, .position_kind = POSEMB_NO_POSITION};
    char path[TEMP_PATH_SIZE + 64];
    posemb_loaded *loaded = NULL;
    posemb_error error;

    snprintf(path, sizeof path, "%s%s%s", model->path, tensor ? ":" : "", tensor ? tensor : "");
    if (posemb_load_table(engine, posemb_session_queue(session), path, options, &loaded, &error) !=
        POSEMB_OK)
        fail_msg("posemb_load_table: %s", error.message);
    assert_null(posemb_loaded_model(loaded));
    check_call(session, engine, model, &desc, &model->args, loaded);
    posemb_loaded_destroy(loaded);
}

static void test_tables(void **state)
{
    static const struct load_model_kind blocks = {"Q8_0", "F32", "F32", "F32", 32,
                                                  40,     6,     true,  false};
    posemb_engine *engine = make_engine(*state, 700);
    struct load_model model;

    load_model_make(&plain, &model);
    check_table(*state, engine, &model, "embeddings.word_embeddings.weight", NULL);
    load_model_release(&model);
    load_model_make(&scaled, &model);
    check_table(*state, engine, &model, "embeddings.word_embeddings.weight", NULL);
    load_model_release(&model);
    load_model_make(&blocks, &model);
    check_table(*state, engine, &model, "token_embd.weight", NULL);
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

static void test_bad_tables(void **state)
{
    const posemb_load_options model_named = {.model = "bert"};
    posemb_engine *engine = make_engine(*state, 0);
    const struct {
        const char *tensor;
        const posemb_load_options *options;
        const char *words;
    } bad[] = {
        {"", NULL, "name one"},
        {":nothing", NULL, "nothing"},
        {":embeddings.LayerNorm.bias", NULL, "[12]"},
        {":odd.weight", NULL, "U8"},
        {":embeddings.word_embeddings.weight", &model_named, "options.model"},
    };
    struct load_model model;

    load_model_make(&plain, &model);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[TEMP_PATH_SIZE + 64];
        posemb_loaded *loaded;
        posemb_error error;

        snprintf(path, sizeof path, "%s%s", model.path, bad[i].tensor);
        load_watch(LOAD_CALLS, 0);
        assert_int_equal(posemb_load_table(engine, posemb_session_queue(*state), path,
                                           bad[i].options, &loaded, &error),
                         INVALID);
        load_unwatch();
        assert_said(&error, bad[i].words);
        assert_nothing_left();
    }
    load_model_release(&model);
    posemb_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_memory_is_bounded_by_the_piece), /* before the peak is higher */
        cmocka_unit_test(test_files_of_all_storages),
        cmocka_unit_test(test_tables_in_parts),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_any_piece),
        cmocka_unit_test(test_queues_of_both_orders),
        cmocka_unit_test(test_threads_load_on_one_queue),
        cmocka_unit_test(test_each_byte_is_read_once),
        cmocka_unit_test(test_progress_rises_to_the_total),
        cmocka_unit_test(test_a_load_can_be_cancelled_at_each_call),
        cmocka_unit_test(test_a_file_that_shrinks),
        cmocka_unit_test(test_what_does_not_fit_is_refused_before_any_buffer),
        cmocka_unit_test(test_failing_calls_leave_nothing),
        cmocka_unit_test(test_failing_calls_leave_nothing_of_a_table),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_the_model_is_told),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_bad_tables),
    };

    return cmocka_run_group_tests(tests, make_fixtures, remove_fixtures);
}
