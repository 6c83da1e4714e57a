/* Whether the devices gave the same bits. */
#include "report_bits.h"

#include "status.h"

#include <stdlib.h>
#include <string.h>

const char *report_bits_digest(const struct report_record *record)
{
    if (record->kind == RECORD_STAGE)
        return record->of.stage.digest;
    return record->kind == RECORD_VERIFY ? record->of.verify.digest : "";
}

/* ---- Which records are of the same values */

/* The inputs of a stage depend on these of its run. */
struct entry {
    const struct report_record *record;
    int64_t table_rows;
    const char *seed;
    size_t index;
};

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_inputs(const struct entry *a, const struct entry *b)
{
    const int order = compare_numbers(a->table_rows, b->table_rows);

    return order ? order : strcmp(a->seed, b->seed);
}

static double elements_of(const struct stage_record *stage)
{
    return (double)stage->shape[0] * (double)stage->shape[1] * (double)stage->shape[2];
}

/* From small shapes to large ones, then by what they are. */
static int compare_stages(const struct entry *a, const struct entry *b)
{
    const struct stage_record *x = &a->record->of.stage;
    const struct stage_record *y = &b->record->of.stage;
    const char *const texts[][2] = {
        {x->op, y->op},     {x->table, y->table}, {x->out, y->out},   {x->position, y->position},
        {x->rule, y->rule}, {x->norm, y->norm},   {x->rows, y->rows}, {x->ids, y->ids}};
    int order = (elements_of(x) > elements_of(y)) - (elements_of(x) < elements_of(y));

    for (size_t i = 0; !order && i < 3; i++)
        order = compare_numbers(x->shape[i], y->shape[i]);
    if (!order)
        order = x->types - y->types;
    for (size_t i = 0; !order && i < sizeof texts / sizeof *texts; i++)
        order = strcmp(texts[i][0], texts[i][1]);
    return order;
}

/* 0: the same values. */
static int compare_values(const struct entry *a, const struct entry *b)
{
    const int order = compare_numbers(a->record->kind, b->record->kind);

    if (order)
        return order;
    if (a->record->kind == RECORD_STAGE && compare_inputs(a, b) != 0)
        return compare_inputs(a, b);
    if (a->record->kind == RECORD_STAGE)
        return compare_stages(a, b);
    return compare_numbers(a->record->of.verify.values, b->record->of.verify.values);
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = compare_values(a, b);

    if (!order)
        order = (a->record->run > b->record->run) - (a->record->run < b->record->run);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Consumers change no digest, but times. */
static int compare_configurations(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = compare_stages(a, b);

    if (!order)
        order = strcmp(a->record->of.stage.consumer, b->record->of.stage.consumer);
    if (!order)
        order = (a->record->run > b->record->run) - (a->record->run < b->record->run);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* ---- The groups */

static bool have_many_digests(const struct report_record *const *records, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(report_bits_digest(records[0]), report_bits_digest(records[i])) != 0)
            return true;
    return false;
}

static void add_group(struct report_bits *bits, const struct entry *entries, size_t first,
                      size_t count, bool takes_part[REPORT_RUNS_MAX])
{
    struct bits_group *group = &bits->groups[bits->group_count++];

    *group = (struct bits_group){.first = first, .count = count};
    for (size_t i = first; i < first + count; i++) {
        bits->records[i] = entries[i].record;
        group->runs += i == first || entries[i].record->run != entries[i - 1].record->run;
    }
    if (group->runs > 1)
        for (size_t i = first; i < first + count; i++)
            takes_part[entries[i].record->run] = true;
    group->differ = have_many_digests(bits->records + first, count);
    bits->compared += group->runs > 1;
    bits->differing += group->differ;
}

static void make_groups(struct report_bits *bits, struct entry *entries, size_t count)
{
    bool takes_part[REPORT_RUNS_MAX] = {false};
    size_t first = 0;

    qsort(entries, count, sizeof *entries, compare_entries);
    for (size_t i = 1; i <= count; i++)
        if (i == count || compare_values(&entries[first], &entries[i]) != 0) {
            add_group(bits, entries, first, i - first, takes_part);
            first = i;
        }
    for (size_t i = 0; i < REPORT_RUNS_MAX; i++)
        bits->compared_runs += takes_part[i];
}

/* ---- All of it */

static struct entry make_entry(const struct report_records *records, size_t index)
{
    const struct report_record *record = &records->all[index];
    struct entry entry = {.record = record,
                          .table_rows = records->runs[record->run].table_rows,
                          .seed = records->runs[record->run].seed,
                          .index = index};

    if (record->kind == RECORD_STAGE && record->of.stage.table_rows >= 0)
        entry.table_rows = record->of.stage.table_rows;
    return entry;
}

static size_t collect(const struct report_records *records, struct report_bits *bits,
                      struct entry *entries)
{
    size_t count = 0;

    for (size_t i = 0; i < records->count; i++) {
        const struct report_record *record = &records->all[i];

        if (record->kind == RECORD_STAGE) {
            bits->verified += record->of.stage.verified;
            bits->unverified += !record->of.stage.verified;
        } else if (record->kind == RECORD_DEVICES) {
            bits->verified += record->of.devices.verified;
            bits->unverified += !record->of.devices.verified;
        } else if (record->kind == RECORD_VERIFY) {
            bits->verified += record->of.verify.differing == 0;
            bits->unverified += record->of.verify.differing != 0;
        }
        if (*report_bits_digest(record))
            entries[count++] = make_entry(records, i);
    }
    return count;
}

static void sort_stages(const struct report_records *records, struct report_bits *bits,
                        struct entry *entries)
{
    for (size_t i = 0; i < records->count; i++)
        if (records->all[i].kind == RECORD_STAGE)
            entries[bits->stage_count++] = (struct entry){.record = &records->all[i], .index = i};
    qsort(entries, bits->stage_count, sizeof *entries, compare_configurations);
    for (size_t i = 0; i < bits->stage_count; i++)
        bits->stages[i] = entries[i].record;
}

static bool has_many_kernels(const struct report_records *records)
{
    const char *first = "";

    for (size_t i = 0; i < records->run_count; i++) {
        const char *kernel = records->runs[i].kernel;

        if (*kernel && *first && strcmp(kernel, first) != 0)
            return true;
        if (*kernel)
            first = kernel;
    }
    return false;
}

posemb_status report_bits_compare(const struct report_records *records, struct report_bits *bits,
                                  posemb_error *error)
{
    const size_t room = records->count ? records->count : 1;
    struct entry *entries = malloc(room * sizeof *entries);

    *bits = (struct report_bits){0};
    bits->records = malloc(room * sizeof(const struct report_record *));
    bits->stages = malloc(room * sizeof(const struct report_record *));
    bits->groups = malloc(room * sizeof *bits->groups);
    if (!entries || !bits->stages || !bits->records || !bits->groups) {
        free(entries);
        report_bits_free(bits);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "there is no memory for %zu digests",
                            room);
    }
    bits->is_of_many_kernels = has_many_kernels(records);
    make_groups(bits, entries, collect(records, bits, entries));
    sort_stages(records, bits, entries);
    free(entries);
    return POSEMB_OK;
}

void report_bits_free(struct report_bits *bits)
{
    free(bits->records);
    free(bits->stages);
    free(bits->groups);
    *bits = (struct report_bits){0};
}
