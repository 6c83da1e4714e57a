/* Configurations: their names, what is wrong with them, what they move, and the lists of them. */
#include "bench.h"

#include "storage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct bench_rule_info bench_rules[BENCH_RULES] = {
    {"index", POSEMB_POSITIONS_INDEX, POSEMB_INT32, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"row start", POSEMB_POSITIONS_ROW_START, POSEMB_INT32, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"explicit", POSEMB_POSITIONS_EXPLICIT, POSEMB_INT64, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"explicit, float", POSEMB_POSITIONS_EXPLICIT, POSEMB_FLOAT32, POSEMB_PADDING_NONE,
     POSEMB_INT32, POSEMB_PAD_COMPUTED},
    {"count, pad id", POSEMB_POSITIONS_COUNT, POSEMB_INT32, POSEMB_PADDING_TOKEN, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"count, pad id, zero position", POSEMB_POSITIONS_COUNT, POSEMB_INT32, POSEMB_PADDING_TOKEN,
     POSEMB_INT32, POSEMB_PAD_ZERO_POSITION},
    {"count, mask", POSEMB_POSITIONS_COUNT, POSEMB_INT32, POSEMB_PADDING_MASK, POSEMB_UINT8,
     POSEMB_PAD_COMPUTED},
    {"count before, left pads", POSEMB_POSITIONS_COUNT_BEFORE, POSEMB_INT32,
     POSEMB_PADDING_LEFT_COUNT, POSEMB_INT32, POSEMB_PAD_COMPUTED},
    {"ragged", POSEMB_POSITIONS_RAGGED, POSEMB_INT32, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
};

const char *const bench_yardstick_names[BENCH_YARDSTICKS] = {
    [BENCH_COPY] = "copy",       [BENCH_COPY_BUFFER] = "copy buffer",
    [BENCH_GATHER] = "gather",   [BENCH_GATHER_TABLE] = "gather + table",
    [BENCH_UNFUSED] = "unfused", [BENCH_VENDOR_SIN] = "vendor sin",
};

/* ---- Names */

static const char *const storage_words[POSEMB__STORAGES + 1] = {
    [POSEMB_F32] = "f32",   [POSEMB_F16] = "f16",   [POSEMB_BF16] = "bf16", [POSEMB_I8] = "i8",
    [POSEMB_Q8_0] = "q8_0", [POSEMB_Q4_0] = "q4_0", [POSEMB_Q4_1] = "q4_1", [POSEMB_Q5_0] = "q5_0",
    [POSEMB_Q5_1] = "q5_1", [POSEMB_Q2_K] = "q2_k", [POSEMB_Q3_K] = "q3_k", [POSEMB_Q4_K] = "q4_k",
    [POSEMB_Q5_K] = "q5_k", [POSEMB_Q6_K] = "q6_k",
};

const char *bench_storage_word(posemb_storage storage)
{
    return storage_words[storage ? storage : POSEMB_F32];
}

posemb_storage bench_storage_of(const char *word)
{
    for (int i = POSEMB_F32; i <= POSEMB__STORAGES; i++)
        if (strcmp(word, storage_words[i]) == 0)
            return (posemb_storage)i;
    return POSEMB_STORAGE_DEFAULT;
}

const char *bench_operation_word(posemb_operation operation)
{
    static const char *const words[] = {"encode", "encode", "add", "table"};

    return words[operation];
}

const char *bench_position_word(posemb_position_kind kind)
{
    static const char *const words[] = {"sinusoidal", "sinusoidal", "learned", "none"};

    return words[kind];
}

const char *bench_norm_word(posemb_norm norm)
{
    static const char *const words[] = {"none", "none", "layer", "rms"};

    return words[norm];
}

const char *bench_ids_word(enum bench_ids ids)
{
    static const char *const words[BENCH_IDS_COUNT] = {"unique", "zipf", "same"};

    return words[ids];
}

void bench_case_words(const struct bench_case *bench_case, char words[BENCH_WORDS])
{
    const struct bench_case c = bench_case_resolved(bench_case);

    snprintf(
        words, BENCH_WORDS,
        "%s [%" PRIu32 ",%" PRIu32 ",%" PRIu32 "] %s > %s, %s%s, %s, norm %s, reader %s, %s, %s",
        bench_operation_word(c.operation), c.batch, c.length, c.dim, bench_storage_word(c.table),
        bench_storage_word(c.out), bench_position_word(c.position_kind),
        c.types ? " and types" : "", bench_rules[c.rule].name, bench_norm_word(c.norm),
        c.with_reader ? "reader" : "none", c.hot_rows ? "hot" : "cold", bench_ids_word(c.ids));
}

/* ---- What there is */

struct bench_case bench_case_resolved(const struct bench_case *bench_case)
{
    struct bench_case c = *bench_case;

    c.operation = c.operation ? c.operation : POSEMB_ENCODE;
    c.table = c.table ? c.table : POSEMB_F32;
    c.out = c.out ? c.out : POSEMB_F32;
    c.position_kind = c.position_kind ? c.position_kind : POSEMB_SINUSOIDAL;
    c.norm = c.norm ? c.norm : POSEMB_NORM_NONE;
    return c;
}

const char *bench_case_fault(const struct bench_case *bench_case)
{
    const struct bench_case c = bench_case_resolved(bench_case);

    if (c.dim == 0 || c.dim > POSEMB_DIM_MAX || c.batch == 0 || c.length == 0)
        return "batch, length and D are 1 or more, D up to 65536";
    if ((uint64_t)c.batch * c.length > (uint64_t)1 << 28)
        return "there are more than 2^28 tokens";
    if (posemb_storage_row_bytes(c.table, c.dim) == 0)
        return "rows of blocks have multiples of 32 channels, of those with K of 256";
    if (posemb__is_table_storage(c.out))
        return "outputs are f32, f16 or bf16";
    if (c.operation == POSEMB_ADD && posemb__is_table_storage(c.table))
        return "rows to add to are f32, f16 or bf16";
    if (c.operation == POSEMB_TABLE && c.table != POSEMB_F32)
        return "a table of positions reads no rows";
    if (c.operation == POSEMB_TABLE && c.position_kind == POSEMB_NO_POSITION)
        return "a table of positions has positions";
    if (c.position_kind == POSEMB_NO_POSITION && c.rule != BENCH_INDEX)
        return "without positions there is no rule for them";
    if (c.position_kind == POSEMB_LEARNED && c.rule != BENCH_INDEX && c.rule != BENCH_EXPLICIT)
        return "learned positions are measured by index and explicit";
    if (c.operation != POSEMB_ENCODE && bench_rules[c.rule].padding == POSEMB_PADDING_TOKEN)
        return "only tokens have an id that makes them pads";
    return NULL;
}

uint64_t bench_case_bytes(const struct bench_case *bench_case)
{
    const struct bench_case c = bench_case_resolved(bench_case);
    const uint64_t tokens = (uint64_t)c.batch * c.length;
    const uint64_t row = (uint64_t)c.dim * sizeof(float);
    uint64_t bytes = tokens * posemb_storage_row_bytes(c.out, c.dim);

    if (c.operation != POSEMB_TABLE)
        bytes += tokens * posemb_storage_row_bytes(c.table, c.dim);
    if (c.operation == POSEMB_ENCODE)
        bytes += tokens * sizeof(int32_t);
    if (c.rule == BENCH_EXPLICIT)
        bytes += tokens * sizeof(int64_t);
    else if (c.rule == BENCH_EXPLICIT_FLOAT)
        bytes += tokens * sizeof(float);
    if (c.position_kind == POSEMB_LEARNED)
        bytes += c.length * row;
    if (c.types)
        bytes += row;
    if (c.norm != POSEMB_NORM_NONE)
        bytes += (c.norm == POSEMB_NORM_LAYER ? 2 : 1) * row;
    return bytes;
}
