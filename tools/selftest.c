/* Bit comparison of a device with the reference, over many shapes, conventions and positions. */
#include "selftest.h"

#include "selftest_stage.h"
#include "status.h"
#include "xorshift.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A case of one group. Batches of 8 and 9 use the kernel that shares positions, the rest does not.
 */
struct selftest_case {
    uint32_t batch;
    uint32_t length;
    uint32_t dim;
    posemb_position_rule positions;
    posemb_number_type position_type;
    int64_t start;
    double base;
};

static const struct selftest_case cases[] = {
    {1, 19, 67, POSEMB_POSITIONS_INDEX, POSEMB_INT32, 131072, 1e4},
    {8, 5, 130, POSEMB_POSITIONS_INDEX, POSEMB_INT32, 4294967291, 1e4},
    {2, 16, 96, POSEMB_POSITIONS_EXPLICIT, POSEMB_INT64, 0, 1e6},
    {1, 1, 1, POSEMB_POSITIONS_INDEX, POSEMB_INT32, 1, 1e4},
    {3, 7, 2, POSEMB_POSITIONS_ROW_START, POSEMB_INT32, -2147483648, 1e4},
    {9, 3, 5, POSEMB_POSITIONS_EXPLICIT_SHARED, POSEMB_INT32, 7, 1e4},
    {1, 65, 127, POSEMB_POSITIONS_EXPLICIT, POSEMB_INT32, 0, 2.3283064365386963e-10},
    {16, 4, 384, POSEMB_POSITIONS_EXPLICIT_SHARED, POSEMB_INT64, 0, 4294967296.0},
    {8, 64, 768, POSEMB_POSITIONS_INDEX, POSEMB_INT32, -100, 1e4},
    {1, 130, 1000, POSEMB_POSITIONS_EXPLICIT, POSEMB_INT64, 0, 5e5},
    {1, 33, 4096, POSEMB_POSITIONS_INDEX, POSEMB_INT32, 1000000, 1e4},
};
enum { QUICK_CASES = 3, CASES = sizeof cases / sizeof *cases, VOCAB = 61 };

/* Rows with all that random floats hide: zeros of both signs, subnormals, infinities, NaN. */
static float next_float(uint64_t *state)
{
    static const uint32_t rare[] = {0x00000000u, 0x80000000u, 0x00000001u, 0x807fffffu,
                                    0x7f800000u, 0xff800000u, 0x7fc00000u, 0x7f7fffffu};
    const uint64_t random = xorshift_next(state);
    float value = (float)(int32_t)(random >> 32) * 0x1p-30f;

    if (random % 37 == 0)
        memcpy(&value, &rare[random / 37 % (sizeof rare / sizeof *rare)], sizeof value);
    return value;
}

/* In the range, at its ends, and now and then one beyond. */
static int64_t next_position(uint64_t *state, posemb_number_type type)
{
    static const int64_t ends[] = {
        POSEMB_POSITION_MIN,     POSEMB_POSITION_MAX, 0,         POSEMB_POSITION_MIN - 1,
        POSEMB_POSITION_MAX + 1, INT64_MIN,           INT64_MAX, -1};
    const uint64_t random = xorshift_next(state);

    if (type == POSEMB_INT32)
        return (int32_t)(random >> 32);
    if (random % 11 == 0)
        return ends[random / 11 % (sizeof ends / sizeof *ends)];
    return (int64_t)(random % 0x180000000u) + POSEMB_POSITION_MIN;
}

struct buffers {
    posemb_desc desc;
    posemb_host_args args;
    uint64_t tokens;
    size_t values;
    int32_t *ids;
    float *table;
    float *rows;
    int64_t *positions; /* or int32_t */
    float *out;
    float *expected;
};

static void fill(struct buffers *buffers, uint64_t state)
{
    int32_t *narrow = (int32_t *)(void *)buffers->positions;

    for (uint64_t t = 0; t < buffers->tokens; t++) {
        /* VOCAB itself and -1 come too, and are bad. */
        buffers->ids[t] = (int32_t)(xorshift_next(&state) % (VOCAB + 2)) - 1;
        const int64_t position = next_position(&state, buffers->desc.position_type);
        if (buffers->desc.position_type == POSEMB_INT64)
            buffers->positions[t] = position;
        else
            narrow[t] = (int32_t)position;
    }
    for (size_t i = 0; i < (size_t)VOCAB * buffers->desc.dim; i++)
        buffers->table[i] = next_float(&state);
    for (size_t i = 0; i < buffers->values; i++)
        buffers->rows[i] = next_float(&state);
    memset(buffers->out, 0xa5, buffers->values * sizeof(float));
    memset(buffers->expected, 0x5a, buffers->values * sizeof(float));
}

static void describe(struct buffers *buffers, const struct selftest_group *group,
                     const struct selftest_case *chosen)
{
    memset(buffers, 0, sizeof *buffers);
    buffers->tokens = (uint64_t)chosen->batch * chosen->length;
    buffers->values = (size_t)buffers->tokens * chosen->dim;
    buffers->desc = (posemb_desc){.dim = chosen->dim,
                                  /* Every convention at every D, also where it has no odd ones. */
                                  .odd = group->convention->convention == POSEMB_XTRANSFORMERS ||
                                                 group->convention->convention == POSEMB_MLX ||
                                                 group->convention->convention == POSEMB_DETR
                                             ? POSEMB_ODD_ZERO
                                             : POSEMB_ODD_DEFAULT,
                                  .operation = group->operation,
                                  .convention = group->convention->convention,
                                  .positions = chosen->positions,
                                  .position_type = chosen->position_type,
                                  .token_scale = 1.75f,
                                  .base = chosen->base,
                                  .concurrency = 1};
    buffers->args.shape = (posemb_shape){
        .batch = chosen->batch, .length = chosen->length, .vocab = VOCAB, .start = chosen->start};
}

static posemb_status allocate(struct buffers *buffers, posemb_error *error)
{
    const size_t bytes = buffers->values * sizeof(float);

    buffers->ids = malloc((size_t)buffers->tokens * sizeof *buffers->ids);
    buffers->table = malloc((size_t)VOCAB * buffers->desc.dim * sizeof(float));
    buffers->rows = malloc(bytes);
    buffers->positions = malloc((size_t)buffers->tokens * sizeof *buffers->positions);
    buffers->out = malloc(bytes);
    buffers->expected = malloc(bytes);
    if (!buffers->ids || !buffers->table || !buffers->rows || !buffers->positions ||
        !buffers->out || !buffers->expected)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for the self-test");
    buffers->args.ids = buffers->ids;
    buffers->args.table = buffers->table;
    buffers->args.rows = buffers->rows;
    buffers->args.positions = buffers->positions;
    return POSEMB_OK;
}

static void release(struct buffers *buffers)
{
    free(buffers->ids);
    free(buffers->table);
    free(buffers->rows);
    free(buffers->positions);
    free(buffers->out);
    free(buffers->expected);
}

static posemb_status run_both(const struct target *target, struct buffers *buffers,
                              struct selftest_group *group, posemb_error *error)
{
    posemb_record expected = POSEMB_RECORD_CLEAR;
    posemb_record found = POSEMB_RECORD_CLEAR;
    posemb_status status;

    buffers->args.out = buffers->expected;
    buffers->args.record = &expected;
    status = posemb_reference_run(&buffers->desc, &buffers->args, error);
    buffers->args.out = buffers->out;
    buffers->args.record = &found;
    if (status == POSEMB_OK)
        status = target_run(target, &buffers->desc, &buffers->args, error);
    buffers->args.record = NULL;
    if (status == POSEMB_OK)
        group->differing +=
            posemb_compare_bits(buffers->out, buffers->expected, buffers->values, NULL) +
            (memcmp(&expected, &found, sizeof expected) != 0);
    return status;
}

static uint64_t digest_values(float *values, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = posemb_canonical_bits(values[i]);
        memcpy(&values[i], &bits, sizeof bits);
    }
    return XXH64(values, count * sizeof *values, seed);
}

static posemb_status run_group(const struct target *target, size_t case_count,
                               struct selftest_group *group, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < case_count; i++) {
        struct buffers buffers;

        describe(&buffers, group, &cases[i]);
        status = allocate(&buffers, error);
        if (status == POSEMB_OK) {
            fill(&buffers, 0x9e3779b97f4a7c15u + i);
            status = run_both(target, &buffers, group, error);
        }
        if (status == POSEMB_OK) {
            group->digest = digest_values(buffers.out, buffers.values, group->digest);
            group->values += buffers.values;
            group->cases++;
        }
        release(&buffers);
    }
    return status;
}

/* The order of channels, cosines first and an amplitude are programs of their own; the operations
 * of one convention stand for those of all. */
static bool is_quick(posemb_convention convention, posemb_operation operation)
{
    switch (convention) {
    case POSEMB_VASWANI:
        return true;
    case POSEMB_T2T:
    case POSEMB_DIT:
    case POSEMB_MLX:
        return operation == POSEMB_ENCODE;
    default:
        return false;
    }
}

/* Count a group that has run. */
static void add_group(struct selftest *selftest)
{
    const struct selftest_group *group = &selftest->groups[selftest->group_count++];

    selftest->values += group->values;
    selftest->differing += group->differing;
    selftest->digest = XXH64(&group->digest, sizeof group->digest, selftest->digest);
}

static posemb_status run_convention(const struct target *target, bool quick,
                                    const posemb_convention_info *convention,
                                    struct selftest *selftest, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int operation = POSEMB_ENCODE; status == POSEMB_OK && operation <= POSEMB_TABLE;
         operation++) {
        struct selftest_group *group = &selftest->groups[selftest->group_count];

        if (quick && !is_quick(convention->convention, (posemb_operation)operation))
            continue;
        group->operation = (posemb_operation)operation;
        group->convention = convention;
        group->name = convention->name;
        status = run_group(target, quick ? QUICK_CASES : CASES, group, error);
        add_group(selftest);
    }
    return status;
}

static bool is_over(enum selftest_extent extent, const struct selftest *selftest)
{
    return extent == SELFTEST_UNTIL_DIFFERENT && selftest->differing > 0;
}

posemb_status selftest_run(const struct target *target, enum selftest_extent extent,
                           struct selftest *selftest, posemb_error *error)
{
    const bool quick = extent == SELFTEST_QUICK;
    const size_t stages = quick ? 1 : selftest_stage_count();
    posemb_status status = POSEMB_OK;

    memset(selftest, 0, sizeof *selftest);
    for (size_t c = 0;
         status == POSEMB_OK && !is_over(extent, selftest) && c < posemb_convention_count(); c++)
        status = run_convention(target, quick, posemb_convention_at(c), selftest, error);
    for (size_t i = 0; status == POSEMB_OK && !is_over(extent, selftest) && i < stages; i++) {
        status = selftest_stage_run(target, i, &selftest->groups[selftest->group_count], error);
        add_group(selftest);
    }
    return status;
}

const char *operation_name(posemb_operation operation)
{
    static const char *const names[] = {"default", "encode", "add", "table"};

    return names[operation];
}
