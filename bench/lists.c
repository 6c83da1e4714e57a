/* The lists of cases: a minute, some minutes, an hour. */
#include "bench.h"

#include <string.h>

/* Short names for what the lists are made of. */
#define F32            .table = POSEMB_F32
#define READER         .with_reader = true
#define SHAPE(b, s, d) .batch = (b), .length = (s), .dim = (d)
#define BERT           .position_kind = POSEMB_LEARNED, .types = true, .norm = POSEMB_NORM_LAYER

/* Few programs, since compiling them takes most of the time. */
static const struct bench_case quick[] = {
    {SHAPE(8, 2048, 1024)},
    {SHAPE(8, 2048, 1024), READER},
    {SHAPE(8, 2048, 1024), .operation = POSEMB_ADD},
    {SHAPE(8, 512, 1024), .table = POSEMB_Q8_0},
    {SHAPE(8, 512, 1024), .table = POSEMB_BF16, .out = POSEMB_BF16},
    {SHAPE(32, 128, 384), BERT, READER},
    {SHAPE(1, 2048, 768), .norm = POSEMB_NORM_RMS},
    {SHAPE(1, 2048, 1024), .operation = POSEMB_TABLE},
    {SHAPE(8, 1, 1024), READER},
    {SHAPE(1, 1, 1024), READER},
};

/* What most models are made of. */
static const struct bench_case usual[] = {
    {SHAPE(8, 2048, 1024)},
    {SHAPE(8, 2048, 1024), READER},
    {SHAPE(8, 2048, 1024), .rule = BENCH_EXPLICIT},
    {SHAPE(8, 2048, 1024), .operation = POSEMB_ADD},
    {SHAPE(8, 2048, 1024), .norm = POSEMB_NORM_LAYER},
    {SHAPE(8, 2048, 1024), .norm = POSEMB_NORM_RMS},
    {SHAPE(8, 2048, 1024), BERT},
    {SHAPE(8, 2048, 1024), .table = POSEMB_F16, .out = POSEMB_F16},
    {SHAPE(8, 2048, 1024), .table = POSEMB_BF16, .out = POSEMB_BF16},
    {SHAPE(8, 2048, 1024), .table = POSEMB_I8},
    {SHAPE(8, 2048, 1024), .table = POSEMB_Q8_0},
    {SHAPE(8, 2048, 1024), .table = POSEMB_Q4_K},
    {SHAPE(8, 2048, 1024), .hot_rows = true},
    {SHAPE(8, 2048, 1024), .ids = BENCH_IDS_ZIPF},
    {SHAPE(8, 2048, 1024), .ids = BENCH_IDS_SAME},
    {SHAPE(1, 8192, 1024)},
    {SHAPE(1, 8192, 1024), .operation = POSEMB_TABLE},
    {SHAPE(32, 512, 768), BERT},
    {SHAPE(32, 512, 768), BERT, READER},
    {SHAPE(32, 128, 384), BERT, READER},
    {SHAPE(1, 2048, 512), READER},
    {SHAPE(2, 512, 4096)},
    {SHAPE(3, 701, 513)},
    {SHAPE(8, 1, 1024), READER},
    {SHAPE(4, 1, 1024), READER},
    {SHAPE(1, 1, 1024), READER},
    {SHAPE(1, 1, 8192), READER},
};

static const uint32_t full_shapes[][3] = {
    {1, 1, 384},     {4, 1, 384},     {8, 1, 384},     {1, 1, 1024},    {4, 1, 1024},
    {8, 1, 1024},    {1, 1, 4096},    {4, 1, 4096},    {8, 1, 4096},    {1, 1, 8192},
    {8, 1, 8192},    {1, 128, 768},   {1, 512, 768},   {1, 2048, 768},  {1, 8192, 768},
    {32, 128, 384},  {32, 512, 384},  {32, 128, 768},  {32, 512, 768},  {1, 2048, 512},
    {8, 2048, 512},  {1, 2048, 1024}, {1, 8192, 1024}, {8, 512, 1024},  {8, 2048, 1024},
    {3, 701, 513},   {8, 2048, 1023}, {2, 2048, 2048}, {1, 2048, 4096}, {8, 2048, 4096},
    {1, 2048, 5120}, {8, 2048, 5120}, {1, 2048, 8192}, {8, 2048, 8192}, {8, 8192, 8192},
};
enum { FULL_SHAPES = sizeof full_shapes / sizeof *full_shapes };

/* Of every shape. */
static const struct bench_case of_shape[] = {
    {F32},
    {READER},
    {.norm = POSEMB_NORM_LAYER, READER},
    {BERT, READER},
    {.table = POSEMB_BF16, .out = POSEMB_BF16, READER},
};

/* Of three shapes: every storage, operation, norm, rule and set of ids. */
static const uint32_t wide_shapes[][3] = {{8, 1, 1024}, {32, 512, 768}, {8, 2048, 1024}};
static const struct bench_case of_wide_shape[] = {
    {.rule = BENCH_EXPLICIT},
    {.operation = POSEMB_ADD},
    {.operation = POSEMB_ADD, .table = POSEMB_F16, .out = POSEMB_F16},
    {.operation = POSEMB_TABLE},
    {.norm = POSEMB_NORM_LAYER},
    {.norm = POSEMB_NORM_RMS},
    {.position_kind = POSEMB_LEARNED},
    {.position_kind = POSEMB_NO_POSITION},
    {BERT},
    {.table = POSEMB_F16, .out = POSEMB_F16},
    {.table = POSEMB_F16, .out = POSEMB_F16, .norm = POSEMB_NORM_LAYER},
    {.table = POSEMB_BF16, .out = POSEMB_BF16},
    {.table = POSEMB_BF16, .out = POSEMB_BF16, .norm = POSEMB_NORM_RMS},
    {.out = POSEMB_F16},
    {.out = POSEMB_BF16},
    {.table = POSEMB_F16},
    {.table = POSEMB_BF16},
    {.table = POSEMB_I8},
    {.table = POSEMB_Q8_0},
    {.table = POSEMB_Q4_0},
    {.table = POSEMB_Q4_1},
    {.table = POSEMB_Q5_0},
    {.table = POSEMB_Q5_1},
    {.table = POSEMB_Q2_K},
    {.table = POSEMB_Q3_K},
    {.table = POSEMB_Q4_K},
    {.table = POSEMB_Q5_K},
    {.table = POSEMB_Q6_K},
    {.hot_rows = true},
    {.hot_rows = true, READER},
    {.ids = BENCH_IDS_ZIPF},
    {.ids = BENCH_IDS_SAME},
};

static size_t add(struct bench_case cases[BENCH_CASES_MAX], size_t count,
                  const struct bench_case *added, size_t added_count, const uint32_t *shape)
{
    for (size_t i = 0; i < added_count && count < BENCH_CASES_MAX; i++) {
        cases[count] = added[i];
        if (shape) {
            cases[count].batch = shape[0];
            cases[count].length = shape[1];
            cases[count].dim = shape[2];
        }
        if (!bench_case_fault(&cases[count]))
            count++;
    }
    return count;
}

#define ADD(cases, count, added, shape)                                                            \
    add(cases, count, added, sizeof(added) / sizeof *(added), shape)

size_t bench_list(enum bench_mode mode, struct bench_case cases[BENCH_CASES_MAX])
{
    size_t count = 0;

    memset(cases, 0, BENCH_CASES_MAX * sizeof *cases);
    if (mode == BENCH_QUICK)
        return ADD(cases, count, quick, NULL);
    if (mode != BENCH_FULL)
        return ADD(cases, count, usual, NULL);
    for (size_t i = 0; i < FULL_SHAPES; i++) {
        count = ADD(cases, count, of_shape, full_shapes[i]);
        for (size_t w = 0; w < sizeof wide_shapes / sizeof *wide_shapes; w++)
            if (memcmp(full_shapes[i], wide_shapes[w], sizeof *wide_shapes) == 0)
                count = ADD(cases, count, of_wide_shape, full_shapes[i]);
    }
    return count;
}
