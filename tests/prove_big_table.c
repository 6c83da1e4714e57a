/* Looks up rows of an int8 table of more than 2^32 elements, written in full into three buffers, or
 * into more where the device needs them: prove_big_table [ROWS]. Both kernel shapes; each token is
 * compared with the reference on its one row. Fails where a bit differs. POSEMB_TEST_DEVICE selects
 * the device. */
#include "big_rows.h"

#include <posemb/posemb_cl.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIM = 1024, TOKENS = 4096, PARTS_LEAST = 3, CHUNK_ROWS = 16384 };

static const uint64_t rows_default = 4400000;

struct proof {
    posemb_session *session;
    posemb_desc desc;
    uint64_t rows;
    uint64_t part_rows;
    posemb_args args;
    int64_t ids[TOKENS];
    float *expected; /* [TOKENS, DIM] */
    float *found;
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Where not, a line says why. */
static bool succeeded(const char *what, posemb_status status, const posemb_error *error)
{
    if (status != POSEMB_OK)
        printf("%s: %s\n", what, error->message);
    return status == POSEMB_OK;
}

static posemb_buffer *part_of(struct proof *proof, uint32_t part)
{
    return part ? &proof->args.table_more[part - 1] : &proof->args.table;
}

static void make_row(uint64_t row, signed char *elements)
{
    big_rows_elements(row, POSEMB_I8, elements, DIM);
}

/* At least three parts; more where three buffers of the device are too small. */
static bool choose_parts(struct proof *proof)
{
    uint32_t parts = 0;
    posemb_error error;

    if (!succeeded("posemb_split_table",
                   posemb_split_table(posemb_session_engine(proof->session), proof->rows, DIM,
                                      &parts, &proof->part_rows, &error),
                   &error))
        return false;
    proof->desc.table_parts = parts < PARTS_LEAST ? PARTS_LEAST : parts;
    proof->part_rows = (proof->rows + proof->desc.table_parts - 1) / proof->desc.table_parts;
    printf("%" PRIu64 " rows of %d int8: %" PRIu64 " elements (2^32 = 4294967296), in %u buffers "
           "of %" PRIu64 " rows\n",
           proof->rows, DIM, proof->rows * DIM, proof->desc.table_parts, proof->part_rows);
    return true;
}

static bool fill_part(struct proof *proof, uint32_t part, signed char *chunk)
{
    const cl_command_queue queue = posemb_session_queue(proof->session);
    const uint64_t first = part * proof->part_rows;
    const uint64_t left = proof->rows - first;
    const uint64_t rows = left < proof->part_rows ? left : proof->part_rows;
    cl_mem *mem = &part_of(proof, part)->mem;
    cl_int code = CL_SUCCESS;
    posemb_error error;

    if (!succeeded("posemb_session_upload",
                   posemb_session_upload(proof->session, NULL, (size_t)(rows * DIM), mem, &error),
                   &error))
        return false;
    for (uint64_t at = 0; code == CL_SUCCESS && at < rows; at += CHUNK_ROWS) {
        const uint64_t count = rows - at < CHUNK_ROWS ? rows - at : CHUNK_ROWS;

        for (uint64_t r = 0; r < count; r++)
            make_row(first + at + r, chunk + r * DIM);
        code = clEnqueueWriteBuffer(queue, *mem, CL_TRUE, (size_t)(at * DIM), (size_t)(count * DIM),
                                    chunk, 0, NULL, NULL);
    }
    if (code != CL_SUCCESS)
        printf("clEnqueueWriteBuffer: %d\n", (int)code);
    return code == CL_SUCCESS;
}

static bool fill_table(struct proof *proof)
{
    signed char *chunk = malloc((size_t)CHUNK_ROWS * DIM);
    const double began = seconds();
    bool good = chunk != NULL;

    for (uint32_t part = 0; good && part < proof->desc.table_parts; part++)
        good = fill_part(proof, part, chunk);
    free(chunk);
    if (good)
        printf("written in %.1f s\n", seconds() - began);
    return good;
}

static bool fill_scales(struct proof *proof)
{
    float *scales = malloc((size_t)proof->rows * sizeof *scales);
    posemb_error error;
    bool good = scales != NULL;

    for (uint64_t r = 0; good && r < proof->rows; r++)
        scales[r] = big_rows_scale(r);
    good = good && succeeded("posemb_session_upload",
                             posemb_session_upload(proof->session, scales,
                                                   (size_t)proof->rows * sizeof *scales,
                                                   &proof->args.table_scales.mem, &error),
                             &error);
    free(scales);
    return good;
}

/* The ends of every part and of the numbers of 31 and 32 bits that elements have, some bad ids, and
 * rows from all over the table. */
static void choose_ids(struct proof *proof)
{
    const int64_t rows = (int64_t)proof->rows;
    size_t count = 0;

    for (uint32_t part = 0; part < proof->desc.table_parts; part++) {
        const int64_t first = (int64_t)(part * proof->part_rows);

        for (int64_t near = -2; near <= 1; near++)
            proof->ids[count++] = first + near; /* -2 and -1 of the first are bad */
    }
    for (int64_t near = -2; near <= 1; near++) {
        proof->ids[count++] = rows + near;
        proof->ids[count++] = (INT64_C(1) << 31) / DIM + near;
        proof->ids[count++] = (INT64_C(1) << 32) / DIM + near;
        proof->ids[count++] = rows + (INT64_C(1) << 32) + near;
    }
    while (count < TOKENS) {
        uint64_t bits;

        big_rows_bytes(count, &bits, sizeof bits);
        proof->ids[count++] = (int64_t)(bits % proof->rows);
    }
}

static bool expect_all(struct proof *proof)
{
    signed char row[DIM] = {0};
    bool good = true;

    for (size_t t = 0; good && t < TOKENS; t++) {
        const int64_t id = proof->ids[t];

        if (id >= 0 && (uint64_t)id < proof->rows)
            make_row((uint64_t)id, row);
        good = big_rows_expect(&proof->desc, proof->rows, id, (int64_t)t, row,
                               big_rows_scale((uint64_t)id), proof->expected + t * DIM);
    }
    return good;
}

static bool make_buffers(struct proof *proof)
{
    const size_t bytes = (size_t)TOKENS * DIM * sizeof(float);
    posemb_error error;

    proof->expected = malloc(bytes);
    proof->found = malloc(bytes);
    if (!proof->expected || !proof->found)
        return false;
    return succeeded("posemb_session_upload",
                     posemb_session_upload(proof->session, proof->ids, sizeof proof->ids,
                                           &proof->args.ids.mem, &error),
                     &error) &&
           succeeded(
               "posemb_session_upload",
               posemb_session_upload(proof->session, NULL, bytes, &proof->args.out.mem, &error),
               &error);
}

static bool run_plan(struct proof *proof, const posemb_plan *plan, const char *name)
{
    const cl_command_queue queue = posemb_session_queue(proof->session);
    const size_t bytes = (size_t)TOKENS * DIM * sizeof(float);
    posemb_error error;
    double began;
    size_t wrong = 0;

    memset(proof->found, 0x5a, bytes);
    if (!succeeded("posemb_plan_warmup", posemb_plan_warmup(plan, queue, NULL, &error), &error))
        return false;
    began = seconds();
    if (!succeeded("posemb_enqueue",
                   posemb_enqueue(plan, queue, &proof->args, 0, NULL, NULL, &error), &error) ||
        !succeeded("posemb_session_download",
                   posemb_session_download(proof->session, proof->args.out.mem, 0, proof->found,
                                           bytes, &error),
                   &error))
        return false;
    printf("%s shape: %d tokens in %.1f ms", name, TOKENS, 1e3 * (seconds() - began));
    for (size_t t = 0; t < TOKENS; t++) {
        const bool is_wrong =
            posemb_compare_bits(proof->found + t * DIM, proof->expected + t * DIM, DIM, NULL) != 0;

        if (is_wrong && wrong++ == 0)
            printf("; token %zu of id %" PRId64 " differs", t, proof->ids[t]);
    }
    printf("; %zu tokens differ\n", wrong);
    return wrong == 0;
}

static bool run_shape(struct proof *proof, posemb_kernel_shape shape, const char *name)
{
    const posemb_engine_options options = {.shape = shape};
    posemb_engine *engine = NULL;
    posemb_plan *plan = NULL;
    posemb_error error;
    bool good = succeeded("posemb_engine_create",
                          posemb_engine_create(posemb_session_context(proof->session),
                                               posemb_session_device(proof->session)->device,
                                               &options, &engine, &error),
                          &error) &&
                succeeded("posemb_plan_create",
                          posemb_plan_create(engine, &proof->desc, &plan, &error), &error);

    good = good && run_plan(proof, plan, name);
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
    return good;
}

static void release(const posemb_buffer *buffer)
{
    if (buffer->mem)
        clReleaseMemObject(buffer->mem);
}

static void close_proof(struct proof *proof)
{
    for (uint32_t part = 0; part < POSEMB_PARTS_MAX; part++)
        release(part_of(proof, part));
    release(&proof->args.table_scales);
    release(&proof->args.ids);
    release(&proof->args.out);
    posemb_session_destroy(proof->session);
    free(proof->expected);
    free(proof->found);
}

static bool prove(struct proof *proof)
{
    posemb_error error;
    bool good;

    if (!succeeded(
            "posemb_session_create",
            posemb_session_create(getenv("POSEMB_TEST_DEVICE"), NULL, &proof->session, &error),
            &error))
        return false;
    printf("%s, %s\n", posemb_session_device(proof->session)->name,
           posemb_session_device(proof->session)->version);
    if (!choose_parts(proof))
        return false;
    proof->args.shape = (posemb_shape){
        .batch = 1, .length = TOKENS, .vocab = proof->rows, .part_rows = proof->part_rows};
    choose_ids(proof);
    good = make_buffers(proof) && expect_all(proof) && fill_scales(proof) && fill_table(proof);
    if (good)
        printf("%.2f GB of memory used\n", 1e-9 * (double)big_rows_resident());
    good = good && run_shape(proof, POSEMB_SHAPE_CPU, "CPU");
    return good && run_shape(proof, POSEMB_SHAPE_GPU, "GPU");
}

int main(int argc, char **argv)
{
    static struct proof proof = {
        .desc = {.dim = DIM, .tokens = {.storage = POSEMB_I8}, .id_type = POSEMB_INT64}};
    bool good;

    proof.rows = argc > 1 ? strtoull(argv[1], NULL, 10) : rows_default;
    if (argc > 2 || proof.rows < PARTS_LEAST * PARTS_LEAST || proof.rows > UINT32_MAX) {
        fprintf(stderr, "usage: prove_big_table [ROWS]\n");
        return 1;
    }
    good = prove(&proof);
    close_proof(&proof);
    puts(good ? "all bits are equal" : "FAILED");
    return good ? 0 : 1;
}
