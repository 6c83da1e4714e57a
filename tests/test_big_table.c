/* Addresses of 64 bits: rows far apart, and more rows than 32 bits can count, in buffers of which
 * only the pages with rows are ever touched. */
#include "big_rows.h"
#include "support/device.h"
#include "support/not_applicable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define GIB(n) ((uint64_t)(n) << 30)

enum { BUFFERS_MAX = 3, APART = 1 << 16 };

/* Buffers as large as the device and its memory allow, untouched. */
struct space {
    posemb_session *session;
    uint32_t count;
    uint64_t size; /* of each */
    cl_mem mem[BUFFERS_MAX];
    uint64_t resident; /* before they were made */
};

static struct space open_space(posemb_session *session, uint32_t count)
{
    const posemb_device_info *device = posemb_session_device(session);
    const uint64_t share = device->global_memory / 10 * 9 / count;
    const uint64_t most = device->max_allocation < share ? device->max_allocation : share;
    struct space space = {.session = session,
                          .count = count,
                          .size = most / APART * APART,
                          .resident = big_rows_resident()};

    if (space.size < GIB(5) / 8)
        fail_msg("%llu bytes of the device's memory are too few",
                 (unsigned long long)device->global_memory);
    for (uint32_t k = 0; k < count; k++) {
        cl_int code;

        space.mem[k] = clCreateBuffer(posemb_session_context(session), CL_MEM_READ_WRITE,
                                      (size_t)space.size, NULL, &code);
        assert_int_equal(code, CL_SUCCESS);
    }
    return space;
}

/* What lies between the rows must have stayed untouched, or the memory of the machine is too small
 * for this. A page may be a huge one. */
static void close_space(struct space *space)
{
    const uint64_t now = big_rows_resident();
    const uint64_t grown = now > space->resident ? now - space->resident : 0;

    print_message("%u buffers of %llu bytes: %llu bytes of memory used\n", space->count,
                  (unsigned long long)space->size, (unsigned long long)grown);
    assert_true(now > 0 && grown < space->count * space->size / 8);
    for (uint32_t k = 0; k < space->count; k++)
        clReleaseMemObject(space->mem[k]);
}

static void write_at(const struct space *space, uint32_t buffer, uint64_t place, const void *data,
                     size_t size)
{
    assert_int_equal(clEnqueueWriteBuffer(posemb_session_queue(space->session), space->mem[buffer],
                                          CL_TRUE, (size_t)place, size, data, 0, NULL, NULL),
                     CL_SUCCESS);
}

static void enqueue(const struct space *space, const posemb_plan *plan, const posemb_args *args)
{
    posemb_error error;

    if (posemb_enqueue(plan, posemb_session_queue(space->session), args, 0, NULL, NULL, &error) !=
        POSEMB_OK)
        fail_msg("posemb_enqueue: %s", error.message);
}

static bool is_not_applicable(posemb_session *session)
{
    return support_not_applicable(posemb_session_device(session), SUPPORT_SPARSE_BUFFERS);
}

/* A plan that is compiled: what the driver takes for that is not of the buffers. */
static posemb_plan *make_plan(posemb_session *session, const posemb_desc *desc)
{
    posemb_plan *plan = support_make_plan(session, desc);

    assert_int_equal(posemb_plan_warmup(plan, posemb_session_queue(session), NULL, NULL),
                     POSEMB_OK);
    return plan;
}

/* ---- A table in parts, which take turns with the buffers */

struct parted {
    struct space *space;
    posemb_desc desc;
    uint64_t stride;
    uint64_t part_rows;
};

static uint32_t buffer_of_part(const struct parted *table, uint64_t part)
{
    return (uint32_t)(part % table->space->count);
}

static uint64_t offset_of_part(const struct parted *table, uint64_t part)
{
    return part / table->space->count * APART;
}

/* Rows that fit a part. */
static uint64_t rows_of_part(const struct space *space, uint64_t stride, uint64_t row)
{
    return (space->size - POSEMB_PARTS_MAX * APART - row) / stride + 1;
}

/* Row `id`, made up from where it lies, so that no other place has it. */
static void make_row(const struct parted *table, int64_t id, void *row)
{
    const uint64_t part = (uint64_t)id / table->part_rows;
    const uint64_t place =
        offset_of_part(table, part) + (uint64_t)id % table->part_rows * table->stride;

    big_rows_elements((uint64_t)buffer_of_part(table, part) << 56 | place,
                      table->desc.tokens.storage, row, table->desc.dim);
}

static void write_row(const struct parted *table, int64_t id)
{
    const size_t size =
        (size_t)posemb_storage_row_bytes(table->desc.tokens.storage, table->desc.dim);
    const uint64_t part = (uint64_t)id / table->part_rows;
    char row[4096];

    assert_true(size <= sizeof row);
    make_row(table, id, row);
    write_at(table->space, buffer_of_part(table, part),
             offset_of_part(table, part) + (uint64_t)id % table->part_rows * table->stride, row,
             size);
}

static bool is_in_table(const struct parted *table, int64_t id)
{
    return id >= 0 && (uint64_t)id < POSEMB_PARTS_MAX * table->part_rows;
}

/* Scales of rows where the table has those, else that of the table. */
static float scale_of(const struct parted *table, int64_t id)
{
    return big_rows_scale(table->desc.tokens.scaling == POSEMB_SCALE_OF_TABLE ? 0 : (uint64_t)id);
}

static void check_tokens(const struct parted *table, const int64_t *ids, uint64_t count,
                         const float *found)
{
    const uint32_t dim = table->desc.dim;
    char row[4096] = "";
    float expected[1024];

    assert_true(dim <= 1024);
    for (uint64_t t = 0; t < count; t++) {
        if (is_in_table(table, ids[t]))
            make_row(table, ids[t], row);
        assert_true(big_rows_expect(&table->desc, POSEMB_PARTS_MAX * table->part_rows, ids[t],
                                    (int64_t)t, row, scale_of(table, ids[t]), expected));
        if (posemb_compare_bits(found + t * dim, expected, dim, NULL) != 0)
            fail_msg("token %llu, of id %lld, differs", (unsigned long long)t, (long long)ids[t]);
    }
}

/* Write the rows that the ids name, look them up on the device, and compare. */
static void check_ids(const struct parted *table, const posemb_plan *plan, const int64_t *ids,
                      uint64_t count)
{
    posemb_session *session = table->space->session;
    const posemb_record clear = POSEMB_RECORD_CLEAR;
    const uint64_t scales = table->desc.tokens.scaling == POSEMB_SCALE_OF_TABLE
                                ? 1
                                : table->part_rows * POSEMB_PARTS_MAX;
    const size_t bytes = (size_t)(count * table->desc.dim * sizeof(float));
    float *found = malloc(bytes);
    float *made_scales = malloc((size_t)scales * sizeof(float));
    posemb_args args = {.shape = {.batch = 1,
                                  .length = count,
                                  .vocab = POSEMB_PARTS_MAX * table->part_rows,
                                  .table_stride = table->stride}};
    uint32_t bad = 0;
    posemb_record record;

    assert_true(found && made_scales);
    for (uint64_t i = 0; i < scales; i++)
        made_scales[i] = big_rows_scale(i);
    for (uint64_t t = 0; t < count; t++)
        if (is_in_table(table, ids[t]))
            write_row(table, ids[t]);
        else
            bad++;
    for (uint32_t k = 0; k < POSEMB_PARTS_MAX; k++)
        *(k ? &args.table_more[k - 1] : &args.table) =
            (posemb_buffer){table->space->mem[buffer_of_part(table, k)], offset_of_part(table, k)};
    args.ids.mem = support_upload(session, ids, (size_t)count * sizeof *ids);
    args.table_scales.mem = support_upload(session, made_scales, (size_t)scales * sizeof(float));
    args.out.mem = support_upload(session, NULL, bytes);
    args.record.mem = support_upload(session, &clear, sizeof clear);
    enqueue(table->space, plan, &args);
    support_download(session, args.out.mem, found, bytes);
    support_download(session, args.record.mem, &record, sizeof record);
    check_tokens(table, ids, count, found);
    assert_int_equal(record.id_count, bad);
    clReleaseMemObject(args.ids.mem);
    clReleaseMemObject(args.table_scales.mem);
    clReleaseMemObject(args.out.mem);
    clReleaseMemObject(args.record.mem);
    free(made_scales);
    free(found);
}

/* Every row of a table whose rows lie more than 256 MiB apart. */
static void check_far_rows(posemb_session *session, const posemb_desc *desc, uint64_t stride)
{
    posemb_plan *plan = make_plan(session, desc);
    struct space space = open_space(session, 2);
    struct parted table = {&space, *desc, stride, 0};
    uint64_t count;
    int64_t *ids;

    table.part_rows =
        rows_of_part(&space, stride, posemb_storage_row_bytes(desc->tokens.storage, desc->dim));
    count = POSEMB_PARTS_MAX * table.part_rows;
    ids = malloc((size_t)count * sizeof *ids);
    assert_non_null(ids);
    for (uint64_t t = 0; t < count; t++)
        ids[t] = (int64_t)(count - 1 - t);
    print_message("rows up to %#llx bytes into a part, %s one buffer; %#llx into the table\n",
                  (unsigned long long)((table.part_rows - 1) * stride),
                  (table.part_rows - 1) * stride >= GIB(4) ? "beyond 32 bits within"
                                                           : "beyond 32 bits but not within",
                  (unsigned long long)((count - 1) * stride));
    assert_true(space.size <= GIB(4) + GIB(1) / 2 || (table.part_rows - 1) * stride >= GIB(4));
    assert_true((count - 1) * stride >= GIB(4) && table.part_rows > 1);
    check_ids(&table, plan, ids, count);
    free(ids);
    close_space(&space);
    posemb_plan_destroy(plan);
}

static void test_rows_far_apart_equal_the_reference(void **state)
{
    static const struct {
        posemb_storage storage;
        uint64_t beyond; /* of vectors that are aligned, and that are not */
    } rows[] = {{POSEMB_F32, 64}, {POSEMB_I8, 12}};

    if (is_not_applicable(*state))
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const posemb_desc desc = {.dim = 256,
                                  .tokens = {.storage = rows[i].storage},
                                  .id_type = POSEMB_INT64,
                                  .table_parts = POSEMB_PARTS_MAX};

        check_far_rows(*state, &desc, GIB(1) / 4 + rows[i].beyond);
    }
}

/* Rows of one byte: numbers of rows beyond 32 bits. */
static void test_more_rows_than_32_bits_can_count(void **state)
{
    const posemb_desc desc = {.dim = 1,
                              .tokens = {POSEMB_I8, POSEMB_SCALE_OF_TABLE, 0},
                              .id_type = POSEMB_INT64,
                              .table_parts = POSEMB_PARTS_MAX};
    struct parted table = {NULL, desc, 1, 0};
    int64_t ids[64];
    uint64_t count = 0;
    struct space space;
    posemb_plan *plan;

    if (is_not_applicable(*state))
        skip();
    plan = make_plan(*state, &desc);
    space = open_space(*state, 2);
    table.space = &space;
    table.part_rows = rows_of_part(&space, 1, 1);
    for (int64_t part = 0; part < (int64_t)POSEMB_PARTS_MAX; part++) {
        ids[count++] = part * (int64_t)table.part_rows;
        ids[count++] = part * (int64_t)table.part_rows + 1;
        ids[count++] = (part + 1) * (int64_t)table.part_rows - 1; /* and beyond the last: bad */
        ids[count++] = (part + 1) * (int64_t)table.part_rows;
    }
    for (int64_t near = -1; near <= 1; near++) {
        ids[count++] = (int64_t)GIB(2) + near;
        ids[count++] = (int64_t)GIB(4) + near;
        ids[count++] = (int64_t)(POSEMB_PARTS_MAX * table.part_rows) + (int64_t)GIB(4) + near;
        ids[count++] = -(int64_t)GIB(4) + near;
    }
    print_message("%llu rows\n", (unsigned long long)(POSEMB_PARTS_MAX * table.part_rows));
    assert_true(POSEMB_PARTS_MAX * table.part_rows > GIB(4) + 1);
    check_ids(&table, plan, ids, count);
    close_space(&space);
    posemb_plan_destroy(plan);
}

/* ---- Every other stride */

enum { DIM = 64, BATCH = 4, LENGTH = 3, TOKENS = BATCH * LENGTH, ROWS = 12 };

/* Where things lie in the buffer that is read: one after the other, APART bytes apart. */
enum thing { TABLE, PROMPTS, POSITION_TABLE, EXTRA_TABLE, IDS, POSITIONS, PADDING, EXTRA_IDS };

struct numbers {
    int64_t ids[TOKENS];
    int64_t positions[TOKENS];
    int32_t padding[TOKENS];
    int64_t extra_ids[TOKENS];
    float rows[EXTRA_TABLE + 1][ROWS * DIM];
};

static void make_numbers(struct numbers *numbers)
{
    for (int t = 0; t < TOKENS; t++) {
        numbers->ids[t] = t % 2 ? t : 2 * ROWS - 1 - t; /* of the vocabulary and of the prompts */
        numbers->positions[t] = (t * 5 + 11) % ROWS;
        numbers->padding[t] = t % 4 != 0;
        numbers->extra_ids[t] = ROWS - 1 - t;
    }
    for (uint64_t k = TABLE; k <= EXTRA_TABLE; k++)
        big_rows_elements(k, POSEMB_F32, numbers->rows[k], ROWS * DIM);
}

/* Write `count` items of `size` bytes, `stride` bytes apart. */
static void spread(const struct space *space, enum thing thing, const void *data, size_t count,
                   size_t size, uint64_t stride)
{
    for (size_t i = 0; i < count; i++)
        write_at(space, 0, (uint64_t)thing * APART + i * stride, (const char *)data + i * size,
                 size);
}

static void spread_numbers(const struct space *space, const struct numbers *numbers,
                           const posemb_shape *shape)
{
    for (int k = TABLE; k <= EXTRA_TABLE; k++)
        spread(space, (enum thing)k, numbers->rows[k], ROWS, DIM * sizeof(float),
               shape->table_stride);
    spread(space, IDS, numbers->ids, BATCH, LENGTH * sizeof(int64_t), shape->ids_batch_stride);
    spread(space, POSITIONS, numbers->positions, BATCH, LENGTH * sizeof(int64_t),
           shape->positions_batch_stride);
    spread(space, PADDING, numbers->padding, BATCH, LENGTH * sizeof(int32_t),
           shape->padding_batch_stride);
    spread(space, EXTRA_IDS, numbers->extra_ids, BATCH, LENGTH * sizeof(int64_t),
           shape->extras[0].ids_batch_stride);
}

static void check_spread_rows(const struct space *space, uint32_t buffer, const posemb_shape *shape,
                              const float *expected, const char *name)
{
    for (uint64_t t = 0; t < TOKENS; t++) {
        const uint64_t place =
            t / LENGTH * shape->out_batch_stride + t % LENGTH * shape->out_stride;
        float found[DIM];

        assert_int_equal(posemb_session_download(space->session, space->mem[buffer], (size_t)place,
                                                 found, sizeof found, NULL),
                         POSEMB_OK);
        if (posemb_compare_bits(found, expected + t * DIM, DIM, NULL) != 0)
            fail_msg("%s: token %llu differs", name, (unsigned long long)t);
    }
}

static void run_dense(const posemb_desc *desc, const struct numbers *numbers, float *out,
                      float *sum_out)
{
    const posemb_host_args args = {
        .shape = {.batch = BATCH,
                  .length = LENGTH,
                  .vocab = ROWS,
                  .prompt_rows = ROWS,
                  .position_rows = ROWS,
                  .extras = {{.rows = ROWS}}},
        .ids = numbers->ids,
        .table = numbers->rows[TABLE],
        .rows = numbers->rows[PROMPTS],
        .position_table = numbers->rows[POSITION_TABLE],
        .extras = {{.ids = numbers->extra_ids, .table = numbers->rows[EXTRA_TABLE]}},
        .positions = numbers->positions,
        .padding = numbers->padding,
        .out = out,
        .sum_out = sum_out};

    assert_int_equal(posemb_reference_run(desc, &args, NULL), POSEMB_OK);
}

static posemb_shape spread_shape(uint64_t size)
{
    const uint64_t room = size - 16 * APART;
    const uint64_t row = room / (ROWS - 1) / 64 * 64;
    const uint64_t batch = room / (BATCH - 1) / 64 * 64;
    const uint64_t out = room / TOKENS / 64 * 64;

    return (posemb_shape){.batch = BATCH,
                          .length = LENGTH,
                          .vocab = ROWS,
                          .prompt_rows = ROWS,
                          .position_rows = ROWS,
                          .ids_batch_stride = batch,
                          .positions_batch_stride = batch,
                          .padding_batch_stride = batch,
                          .table_stride = row,
                          .rows_stride = row,
                          .position_table_stride = row,
                          .out_stride = out,
                          .out_batch_stride = LENGTH * out,
                          .extras = {{ROWS, row, batch, 0}}};
}

static void test_every_stride_may_be_large(void **state)
{
    const posemb_desc desc = {.dim = DIM,
                              .id_type = POSEMB_INT64,
                              .soft_prompts = 1,
                              .position_kind = POSEMB_LEARNED,
                              .positions = POSEMB_POSITIONS_EXPLICIT,
                              .position_type = POSEMB_INT64,
                              .padding = POSEMB_PADDING_MASK,
                              .pad_policy = POSEMB_PAD_ZERO_ROW,
                              .extras = {{POSEMB_EXTRA_OF_TOKEN, POSEMB_INT64, {0}, 0}},
                              .norm = POSEMB_NORM_LAYER,
                              .gamma = POSEMB_GAMMA_NONE,
                              .beta = POSEMB_BETA_NONE};
    static struct numbers numbers;
    float out[TOKENS * DIM], sum_out[TOKENS * DIM];
    struct space space;
    posemb_plan *plan;
    posemb_args args;

    if (is_not_applicable(*state))
        skip();
    make_numbers(&numbers);
    run_dense(&desc, &numbers, out, sum_out);
    plan = make_plan(*state, &desc);
    space = open_space(*state, 3);
    args = (posemb_args){
        .shape = spread_shape(space.size),
        .ids = {space.mem[0], IDS * APART},
        .table = {space.mem[0], TABLE * APART},
        .rows = {space.mem[0], PROMPTS * APART},
        .position_table = {space.mem[0], POSITION_TABLE * APART},
        .extras = {{{space.mem[0], EXTRA_IDS * APART}, {space.mem[0], EXTRA_TABLE * APART}, {0}}},
        .positions = {space.mem[0], POSITIONS * APART},
        .padding = {space.mem[0], PADDING * APART},
        .out = {space.mem[1], 0},
        .sum_out = {space.mem[2], 0}};
    spread_numbers(&space, &numbers, &args.shape);
    enqueue(&space, plan, &args);
    check_spread_rows(&space, 1, &args.shape, out, "out");
    check_spread_rows(&space, 2, &args.shape, sum_out, "sum_out");
    close_space(&space);
    posemb_plan_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_far_apart_equal_the_reference),
        cmocka_unit_test(test_more_rows_than_32_bits_can_count),
        cmocka_unit_test(test_every_stride_may_be_large),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
