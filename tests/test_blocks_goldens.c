/* Blocks as the package gguf dequantised them (tests/golden/blocks.tsv), against the reference, in
 * every bit.
 *
 *     test_blocks_goldens FOLDER
 */
#include "storage.h"
#include "support/golden.h"

#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_OF_ROW 2u
#define BLOCKS_MIN    900 /* of all types */

/* One line of the table. */
struct golden {
    const posemb_storage_info *info;
    npy_array blocks; /* [blocks, block_bytes] */
    npy_array values; /* [blocks, block] */
};

static const posemb_storage_info *storage_named(const char *name)
{
    const posemb_storage_info *info;

    for (int storage = 1; (info = posemb_storage_find((posemb_storage)storage)); storage++)
        if (strcmp(info->name, name) == 0)
            return info;
    fail_msg("there is no storage %s", name);
    return NULL;
}

static struct golden open_golden(const struct tsv_line *line)
{
    struct golden golden = {.info = storage_named(tsv_field(line, "storage"))};
    const int64_t blocks = tsv_integer(tsv_field(line, "sweeps")) +
                           tsv_integer(tsv_field(line, "halves")) +
                           tsv_integer(tsv_field(line, "quantized"));

    golden.blocks = golden_read_npy(tsv_field(line, "file_blocks"), NPY_U1);
    golden.values = golden_read_npy(tsv_field(line, "file_values"), NPY_F4);
    assert_int_equal(golden.info->block, tsv_integer(tsv_field(line, "block")));
    assert_int_equal(golden.info->block_bytes, tsv_integer(tsv_field(line, "block_bytes")));
    assert_int_equal(golden.blocks.rank, 2);
    assert_int_equal(golden.blocks.shape[0], blocks);
    assert_int_equal(golden.blocks.shape[1], golden.info->block_bytes);
    assert_int_equal(golden.values.rank, 2);
    assert_int_equal(golden.values.shape[0], blocks);
    assert_int_equal(golden.values.shape[1], golden.info->block);
    return golden;
}

static void close_golden(struct golden *golden)
{
    npy_free(&golden->blocks);
    npy_free(&golden->values);
}

static void check_values(const struct golden *golden, const float *found)
{
    const float *const expected = golden->values.data;
    size_t first;
    const size_t differing =
        posemb_compare_bits(found, expected, (size_t)golden->values.count, &first);

    if (differing > 0)
        fail_msg("%s: %zu values differ, first channel %zu of block %zu: %a, not %a",
                 golden->info->name, differing, first % golden->info->block,
                 first / golden->info->block, (double)found[first], (double)expected[first]);
}

static void load_elements(const struct golden *golden, float *found)
{
    for (uint64_t n = 0; n < golden->values.count; n++)
        found[n] = posemb__load_element(golden->blocks.data, n, golden->info->storage);
}

/* A stage that is nothing but the table: every row once, from the last to the first. */
static void run_stage(const struct golden *golden, float *found)
{
    const uint64_t rows = golden->blocks.shape[0] / BLOCKS_OF_ROW;
    const posemb_desc desc = {.dim = BLOCKS_OF_ROW * golden->info->block,
                              .tokens = {.storage = golden->info->storage},
                              .position_kind = POSEMB_NO_POSITION};
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_record clear = POSEMB_RECORD_CLEAR;
    posemb_host_args args = {.shape = {.batch = 1, .length = rows, .vocab = rows},
                             .table = golden->blocks.data,
                             .record = &record};
    posemb_error error = {.message = ""};
    int32_t *const ids = golden_array((size_t)rows, sizeof *ids);
    float *const out = golden_array((size_t)golden->values.count, sizeof *out);

    assert_int_equal(rows * BLOCKS_OF_ROW, golden->blocks.shape[0]);
    for (uint64_t n = 0; n < rows; n++)
        ids[n] = (int32_t)(rows - 1 - n);
    args.ids = ids;
    args.out = out;
    if (posemb_reference_run(&desc, &args, &error) != POSEMB_OK)
        fail_msg("%s: %s", golden->info->name, error.message);
    assert_memory_equal(&record, &clear, sizeof record);
    for (uint64_t n = 0; n < rows; n++)
        memcpy(found + n * desc.dim, out + (rows - 1 - n) * desc.dim, desc.dim * sizeof *out);
    free(out);
    free(ids);
}

static void each_golden(void (*compute)(const struct golden *golden, float *found))
{
    struct tsv tsv = tsv_open("blocks.tsv");
    uint64_t blocks = 0;
    uint32_t seen = 0;

    for (size_t n = 0; n < tsv.lines; n++) {
        const struct tsv_line line = tsv_line_at(&tsv, n);
        struct golden golden = open_golden(&line);
        float *const found = golden_array((size_t)golden.values.count, sizeof *found);

        memset(found, 0x5a, (size_t)golden.values.count * sizeof *found);
        compute(&golden, found);
        check_values(&golden, found);
        seen |= 1u << golden.info->storage;
        blocks += golden.blocks.shape[0];
        free(found);
        close_golden(&golden);
    }
    assert_int_equal(seen, (2u << POSEMB_Q6_K) - (1u << POSEMB_Q8_0));
    assert_true(blocks >= BLOCKS_MIN);
    tsv_close(&tsv);
}

static void test_elements(void **state)
{
    (void)state;
    each_golden(load_elements);
}

static void test_stages(void **state)
{
    (void)state;
    each_golden(run_stage);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_stages),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_blocks_goldens FOLDER\n");
        return 2;
    }
    golden_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
