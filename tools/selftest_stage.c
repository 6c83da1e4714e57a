/* The self-test's groups of whole stages: storages, learned positions, extra tables, norms. */
#include "selftest_stage.h"

#include "stage_tables.h"
#include "status.h"
#include "storage.h"
#include "xorshift.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    VOCAB = 61,
    POSITION_ROWS = 40,
    EXTRA_ROWS = 5,
    PROMPT_ROWS = 3,
    START = 33, /* so that positions leave the table */
    BLOCKS_MAX = 16,
    ALIGNMENT = 64
};

/* Each is a program of its own: a cover of what tables, output and norm can be. */
static const struct {
    const char *name;
    posemb_desc desc;
} stages[] = {
    {"f32 layer",
     {.position_kind = POSEMB_LEARNED,
      .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN}},
      .norm = POSEMB_NORM_LAYER,
      .epsilon = 1e-12f}},
    {"f16 layer",
     {.tokens = {.storage = POSEMB_F16},
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_F16},
      .extras = {{.ids = POSEMB_EXTRA_CONSTANT, .table = {.storage = POSEMB_F16}}},
      .norm = POSEMB_NORM_LAYER,
      .norm_storage = POSEMB_F16,
      .out_storage = POSEMB_F16}},
    {"bf16 rms steps",
     {.tokens = {.storage = POSEMB_BF16},
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_BF16},
      .extras = {{.ids = POSEMB_EXTRA_OF_ROW, .table = {.storage = POSEMB_BF16}}},
      .norm = POSEMB_NORM_RMS,
      .gamma = POSEMB_GAMMA_ONE_PLUS,
      .norm_storage = POSEMB_BF16,
      .rounding = POSEMB_ROUND_EACH_STEP,
      .out_storage = POSEMB_BF16}},
    {"i8 none",
     {.tokens = {.storage = POSEMB_I8, .policy = POSEMB_POLICY_NAN_ROW},
      .position_kind = POSEMB_LEARNED,
      .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN,
                  .id_type = POSEMB_INT64,
                  .table = {.storage = POSEMB_F16},
                  .scale = -0.75f}}}},
    {"i8 layer",
     {.tokens = {.storage = POSEMB_I8,
                 .scaling = POSEMB_SCALE_OF_TABLE,
                 .policy = POSEMB_POLICY_CLAMP},
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_I8, .policy = POSEMB_POLICY_CLAMP},
      .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN, .table = {.storage = POSEMB_I8}}},
      .norm = POSEMB_NORM_LAYER,
      .out_storage = POSEMB_F16}},
    {"i8 rms",
     {.tokens = {.storage = POSEMB_I8, .policy = POSEMB_POLICY_WRAP_NEGATIVE},
      .position_kind = POSEMB_NO_POSITION,
      .norm = POSEMB_NORM_RMS,
      .beta = POSEMB_BETA_ADDED,
      .out_storage = POSEMB_BF16}},
    {"f32 none",
     {.position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_F16, .policy = POSEMB_POLICY_NAN_ROW},
      .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN, .table = {.storage = POSEMB_BF16}}},
      .out_storage = POSEMB_BF16}},
    {"f16 rms",
     {.tokens = {.storage = POSEMB_F16},
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_BF16},
      .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN, .table = {.storage = POSEMB_I8}}},
      .norm = POSEMB_NORM_RMS,
      .gamma = POSEMB_GAMMA_NONE}},
    {"bf16 layer",
     {.tokens = {.storage = POSEMB_BF16},
      .convention = POSEMB_T2T,
      .soft_prompts = 1,
      .rows_storage = POSEMB_F16,
      .extras = {{.ids = POSEMB_EXTRA_OF_TOKEN}},
      .norm = POSEMB_NORM_LAYER,
      .beta = POSEMB_BETA_NONE,
      .out_storage = POSEMB_BF16}},
    {"f16 none steps",
     {.tokens = {.storage = POSEMB_F16},
      .rounding = POSEMB_ROUND_EACH_STEP,
      .out_storage = POSEMB_F16}},
    {"f16 layer",
     {.operation = POSEMB_ADD,
      .rows_storage = POSEMB_F16,
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_F16},
      .norm = POSEMB_NORM_LAYER,
      .out_storage = POSEMB_F16}},
    {"bf16 none",
     {.operation = POSEMB_TABLE,
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_BF16},
      .out_storage = POSEMB_F16}},
    {"Q8_0 layer",
     {.tokens = {.storage = POSEMB_Q8_0},
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_Q4_0},
      .extras = {{.ids = POSEMB_EXTRA_CONSTANT, .table = {.storage = POSEMB_Q5_1}}},
      .norm = POSEMB_NORM_LAYER}},
    {"Q4_0 none", {.tokens = {.storage = POSEMB_Q4_0}, .out_storage = POSEMB_F16}},
    {"Q4_1 none", {.tokens = {.storage = POSEMB_Q4_1}, .convention = POSEMB_T2T}},
    {"Q5_0 rms",
     {.tokens = {.storage = POSEMB_Q5_0},
      .position_kind = POSEMB_NO_POSITION,
      .norm = POSEMB_NORM_RMS,
      .out_storage = POSEMB_BF16}},
    {"Q5_1 none", {.tokens = {.storage = POSEMB_Q5_1, .policy = POSEMB_POLICY_CLAMP}}},
    {"Q2_K none", {.tokens = {.storage = POSEMB_Q2_K}, .convention = POSEMB_T2T}},
    {"Q3_K rms",
     {.tokens = {.storage = POSEMB_Q3_K},
      .position_kind = POSEMB_NO_POSITION,
      .norm = POSEMB_NORM_RMS}},
    {"Q4_K none", {.tokens = {.storage = POSEMB_Q4_K}}},
    {"Q5_K layer",
     {.tokens = {.storage = POSEMB_Q5_K},
      .position_kind = POSEMB_LEARNED,
      .position_table = {.storage = POSEMB_Q8_0, .policy = POSEMB_POLICY_NAN_ROW},
      .norm = POSEMB_NORM_LAYER,
      .out_storage = POSEMB_F16}},
    {"Q6_K none", {.tokens = {.storage = POSEMB_Q6_K}, .soft_prompts = 1}},
};

static const struct {
    uint32_t batch;
    uint32_t length;
    uint32_t dim;
} cases[] = {{1, 19, 67}, {8, 5, 384}, {3, 7, 2}, {2, 16, 1000}, {9, 3, 5}};

enum { CASES = sizeof cases / sizeof *cases };

size_t selftest_stage_count(void)
{
    return sizeof stages / sizeof *stages;
}

/* Memory of one case, in one piece. */
struct blocks {
    unsigned char *memory;
    size_t used;
    uint64_t state; /* of the random numbers */
};

/* All blocks of a case, none of elements larger than floats. */
static size_t bytes_of_case(size_t tokens, size_t dim)
{
    const size_t rows = VOCAB + POSITION_ROWS + EXTRA_ROWS + PROMPT_ROWS + 2 + 3 * tokens;

    return rows * dim * sizeof(float) + 2 * tokens * sizeof(int64_t) +
           (VOCAB + POSITION_ROWS + EXTRA_ROWS) * sizeof(float) + (size_t)BLOCKS_MAX * ALIGNMENT;
}

static void *make_block(struct blocks *blocks, size_t bytes)
{
    void *made = blocks->memory + blocks->used;

    blocks->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return made;
}

/* Rows that random numbers do not make: a NaN, an infinity, all the same, zeros of both signs,
 * subnormals. As the bits of a float. */
static uint32_t rare_bits(uint64_t row, uint32_t channel, uint32_t bits)
{
    switch (row) {
    case 3:
        return channel == 0 ? 0x7fc00000u : bits;
    case 5:
        return channel == 1 ? 0xff800000u : bits;
    case 7:
        return 0x3eaaaaabu;
    case 9:
        return channel % 3 ? 0u : 0x80000000u;
    case 11:
        return bits & 0x807fffffu;
    default:
        return bits;
    }
}

/* The same row of the narrower format of five bits of exponent; what is beyond it wraps. */
static uint16_t half_bits(uint32_t bits)
{
    const uint32_t exponent = bits >> 23 & 0xffu;
    const uint32_t narrow = exponent == 0xffu ? 31u : (exponent == 0 ? 0u : exponent % 16 + 7u);

    return (uint16_t)(bits >> 31 << 15 | narrow << 10 | (bits >> 13 & 0x3ffu));
}

static void put_element(void *data, size_t index, posemb_storage storage, uint32_t bits)
{
    const uint16_t half = storage == POSEMB_BF16 ? (uint16_t)(bits >> 16) : half_bits(bits);

    switch (storage) {
    case POSEMB_I8:
        ((int8_t *)data)[index] = (int8_t)(uint8_t)(bits >> 8);
        break;
    case POSEMB_F16:
    case POSEMB_BF16:
        memcpy((char *)data + 2 * index, &half, 2);
        break;
    default:
        memcpy((char *)data + 4 * index, &bits, 4);
        break;
    }
}

/* Any bits, with scales of either sign that floats can bear; a few are zeros, infinities and NaNs.
 */
static void *make_block_rows(struct blocks *blocks, uint64_t rows, uint32_t dim,
                             const posemb_storage_info *info)
{
    static const uint16_t rare[] = {0, 0x8000, 1, 0x7c00, 0x7e00};
    const size_t count = (size_t)rows * dim / info->block;
    unsigned char *data = make_block(blocks, count * info->block_bytes);

    xorshift_fill(&blocks->state, data, count * info->block_bytes);
    for (size_t b = 0; b < count; b++) {
        const uint32_t bits = (uint32_t)(xorshift_next(&blocks->state) >> 32);
        const uint16_t d = (uint16_t)(0x2000u | (bits & 0x87ffu));

        posemb__set_block_halves(data + b * info->block_bytes, info->storage,
                                 bits >> 16 & 31 ? d : rare[b % 5], (uint16_t)(d ^ 0x83ff));
    }
    return data;
}

static void *make_rows(struct blocks *blocks, uint64_t rows, uint32_t dim, posemb_storage stored)
{
    const posemb_storage storage = stored ? stored : POSEMB_F32;
    const posemb_storage_info *info = posemb_storage_find(storage);
    void *data;

    if (info->block > 1)
        return make_block_rows(blocks, rows, dim, info);
    data = make_block(blocks, (size_t)rows * dim * info->block_bytes);
    for (uint64_t row = 0; row < rows; row++)
        for (uint32_t channel = 0; channel < dim; channel++) {
            const float value = (float)(int32_t)(xorshift_next(&blocks->state) >> 32) * 0x1p-30f;
            uint32_t bits;

            memcpy(&bits, &value, sizeof bits);
            put_element(data, (size_t)row * dim + channel, storage, rare_bits(row, channel, bits));
        }
    return data;
}

/* The scales of an I8 table: one for each row, of which one alone may be used. */
static const float *make_scales(struct blocks *blocks, uint64_t rows)
{
    float *scales = make_block(blocks, (size_t)rows * sizeof *scales);

    for (uint64_t row = 0; row < rows; row++)
        scales[row] = (float)(row + 1) * 0x1.8p-8f;
    return scales;
}

/* -1 ... rows, so that both neighbours of the table come too. */
static void *make_ids(struct blocks *blocks, uint64_t count, posemb_number_type type, uint64_t rows)
{
    const bool wide = type == POSEMB_INT64;
    void *ids = make_block(blocks, (size_t)count * (wide ? 8 : 4));

    for (uint64_t i = 0; i < count; i++) {
        const int64_t id = (int64_t)(xorshift_next(&blocks->state) % (rows + 2)) - 1;
        const int32_t narrow = (int32_t)id;

        if (wide)
            memcpy((char *)ids + 8 * i, &id, 8);
        else
            memcpy((char *)ids + 4 * i, &narrow, 4);
    }
    return ids;
}

/* What is not of the description is not looked at. */
static void make_arguments(const posemb_desc *desc, posemb_host_args *args, struct blocks *blocks)
{
    const posemb_extra_desc *extra = &desc->extras[0];
    const posemb_shape *shape = &args->shape;
    const uint64_t tokens = shape->batch * shape->length;
    const uint64_t rows = desc->soft_prompts ? PROMPT_ROWS : tokens;
    const uint64_t extra_ids = extra->ids == POSEMB_EXTRA_OF_ROW ? shape->batch : tokens;

    args->ids = make_ids(blocks, tokens, desc->id_type, VOCAB + shape->prompt_rows);
    args->table = make_rows(blocks, VOCAB, desc->dim, desc->tokens.storage);
    args->table_scales = make_scales(blocks, VOCAB);
    args->rows = make_rows(blocks, rows, desc->dim, desc->rows_storage);
    args->position_table =
        make_rows(blocks, POSITION_ROWS, desc->dim, desc->position_table.storage);
    args->position_scales = make_scales(blocks, POSITION_ROWS);
    args->extras[0].ids = make_ids(blocks, extra_ids, extra->id_type, EXTRA_ROWS);
    args->extras[0].table = make_rows(blocks, EXTRA_ROWS, desc->dim, extra->table.storage);
    args->extras[0].scales = make_scales(blocks, EXTRA_ROWS);
    args->gamma = make_rows(blocks, 1, desc->dim, desc->norm_storage);
    args->beta = make_rows(blocks, 1, desc->dim, desc->norm_storage);
}

static size_t count_differing(const posemb_desc *desc, const void *a, const void *b, size_t values)
{
    size_t differing = 0;

    if (npy_type_size(storage_npy_type(desc->out_storage)) == sizeof(float))
        return posemb_compare_bits(a, b, values, NULL);
    for (size_t i = 0; i < values; i++)
        differing += memcmp((const char *)a + 2 * i, (const char *)b + 2 * i, 2) != 0;
    return differing;
}

/* NaNs are one pattern: narrow ones are stored so. */
static uint64_t digest_rows(const posemb_desc *desc, void *rows, size_t values, uint64_t seed)
{
    const size_t size = npy_type_size(storage_npy_type(desc->out_storage));

    for (size_t i = 0; size == sizeof(float) && i < values; i++) {
        const uint32_t bits = posemb_canonical_bits(((const float *)rows)[i]);

        memcpy((char *)rows + 4 * i, &bits, sizeof bits);
    }
    return XXH64(rows, values * size, seed);
}

static posemb_status compare(const struct target *target, const posemb_desc *desc,
                             posemb_host_args *args, struct blocks *blocks,
                             struct selftest_group *group, posemb_error *error)
{
    const size_t values = (size_t)(args->shape.batch * args->shape.length) * desc->dim;
    posemb_record expected = POSEMB_RECORD_CLEAR;
    posemb_record found = POSEMB_RECORD_CLEAR;
    void *rows[2] = {make_block(blocks, values * sizeof(float)),
                     make_block(blocks, values * sizeof(float))};
    posemb_status status;

    args->out = rows[0];
    args->record = &expected;
    status = posemb_reference_run(desc, args, error);
    args->out = rows[1];
    args->record = &found;
    if (status == POSEMB_OK)
        status = target_run(target, desc, args, error);
    args->record = NULL;
    if (status != POSEMB_OK)
        return status;
    group->differing += count_differing(desc, rows[0], rows[1], values) +
                        (memcmp(&expected, &found, sizeof expected) != 0);
    group->digest = digest_rows(desc, rows[1], values, group->digest);
    group->values += values;
    group->cases++;
    return POSEMB_OK;
}

static posemb_status run_case(const struct target *target, const posemb_desc *desc, size_t index,
                              struct selftest_group *group, posemb_error *error)
{
    struct blocks blocks = {.state = 0x9e3779b97f4a7c15u + index};
    posemb_host_args args = {.shape = {.batch = cases[index].batch,
                                       .length = cases[index].length,
                                       .vocab = VOCAB,
                                       .prompt_rows = desc->soft_prompts ? PROMPT_ROWS : 0,
                                       .position_rows = POSITION_ROWS,
                                       .start = START}};
    posemb_status status;

    args.shape.extras[0] = (posemb_extra_shape){.rows = EXTRA_ROWS, .id = EXTRA_ROWS - 1};
    blocks.memory =
        calloc(1, bytes_of_case((size_t)cases[index].batch * cases[index].length, desc->dim));
    if (!blocks.memory)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for the self-test");
    make_arguments(desc, &args, &blocks);
    status = compare(target, desc, &args, &blocks, group, error);
    free(blocks.memory);
    return status;
}

/* Channels that every row has a multiple of. */
static uint32_t largest_block(const posemb_desc *desc)
{
    const posemb_storage storages[] = {desc->tokens.storage, desc->position_table.storage,
                                       desc->extras[0].table.storage};
    uint32_t largest = 1;

    for (size_t i = 0; i < sizeof storages / sizeof *storages; i++) {
        const posemb_storage_info *info = posemb_storage_find(storages[i]);

        if (info && info->block > largest)
            largest = info->block;
    }
    return largest;
}

posemb_status selftest_stage_run(const struct target *target, size_t index,
                                 struct selftest_group *group, posemb_error *error)
{
    posemb_desc desc = stages[index].desc;
    const uint32_t block = largest_block(&desc);
    posemb_status status = POSEMB_OK;

    group->operation = desc.operation ? desc.operation : POSEMB_ENCODE;
    group->name = stages[index].name;
    desc.token_scale = 1.75f;
    desc.concurrency = 1;
    for (size_t i = 0; status == POSEMB_OK && i < CASES; i++) {
        desc.dim = (cases[i].dim + block - 1) / block * block;
        status = run_case(target, &desc, i, group, error);
    }
    return status;
}
