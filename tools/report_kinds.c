/* What each kind of record has. */
#include "report_kinds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Fields */

#define STAGE_MUST(member, kind) FIELD_NEEDED(stage_record, member, #member, kind)
#define STAGE_MAY(member, kind)  FIELD_MAY_HAVE(stage_record, member, #member, kind)
static const struct field stage_fields[] = {
    STAGE_MUST(op, TEXT),        STAGE_MUST(shape, SHAPE),     STAGE_MUST(verified, BOOL),
    STAGE_MAY(table, TEXT),      STAGE_MAY(out, TEXT),         STAGE_MAY(position, TEXT),
    STAGE_MAY(types, BOOL),      STAGE_MAY(table_rows, COUNT), STAGE_MAY(kernels, COUNT),
    STAGE_MAY(rule, TEXT),       STAGE_MAY(norm, TEXT),        STAGE_MAY(consumer, TEXT),
    STAGE_MAY(rows, TEXT),       STAGE_MAY(ids, TEXT),         STAGE_MAY(bytes, COUNT),
    STAGE_MAY(differing, COUNT), STAGE_MAY(digest, DIGEST),    STAGE_MAY(wrong, TEXT),
};

/* Only of what was verified. */
static const struct field stage_times[] = {
    STAGE_MUST(seconds, TIME),       STAGE_MAY(repeats, COUNT),    STAGE_MAY(launches, COUNT),
    STAGE_MAY(median_seconds, TIME), STAGE_MAY(p90_seconds, TIME), STAGE_MAY(call_seconds, TIME),
    STAGE_MAY(event_seconds, TIME),  STAGE_MAY(timing, TEXT),
};
#undef STAGE_MUST
#undef STAGE_MAY

/* What schema 1 has in place of yardsticks and storages. */
struct old_stage {
    const char *dtype;
    const char *positions;
    double copy_seconds;
    double copy_median_seconds;
    const char *copy;
};

static const struct field old_stage_fields[] = {
    FIELD_MAY_HAVE(old_stage, dtype, "dtype", TEXT),
    FIELD_MAY_HAVE(old_stage, positions, "positions", TEXT),
    FIELD_MAY_HAVE(old_stage, copy_seconds, "copy_seconds", TIME),
    FIELD_MAY_HAVE(old_stage, copy_median_seconds, "copy_median_seconds", TIME),
    FIELD_MAY_HAVE(old_stage, copy, "copy", TEXT),
};

static const struct field yardstick_fields[] = {
    FIELD_NEEDED(yardstick_record, seconds, "seconds", TIME),
    FIELD_MAY_HAVE(yardstick_record, median_seconds, "median_seconds", TIME),
    FIELD_MAY_HAVE(yardstick_record, how, "how", TEXT),
    FIELD_MAY_HAVE(yardstick_record, launches, "launches", COUNT),
};

static const struct field enqueue_fields[] = {
    FIELD_NEEDED(enqueue_record, seconds, "seconds", TIME),
    FIELD_NEEDED(enqueue_record, raw_seconds, "raw_seconds", TIME),
    FIELD_MAY_HAVE(enqueue_record, repeats, "repeats", COUNT),
};

static const struct field accuracy_fields[] = {
    FIELD_NEEDED(accuracy_record, method, "method", TEXT),
    FIELD_NEEDED(accuracy_record, position, "position", TIME),
    FIELD_NEEDED(accuracy_record, max_error, "max_error", MAGNITUDE),
    FIELD_MAY_HAVE(accuracy_record, dim, "dim", COUNT),
    FIELD_MAY_HAVE(accuracy_record, seconds, "seconds", TIME),
    FIELD_MAY_HAVE(accuracy_record, ratio_to_posemb, "ratio_to_posemb", TIME),
};

static const struct field first_call_fields[] = {
    FIELD_NEEDED(first_call_record, caches, "caches", TEXT),
    FIELD_NEEDED(first_call_record, plan_seconds, "plan_seconds", MAGNITUDE),
    FIELD_NEEDED(first_call_record, first_seconds, "first_seconds", TIME),
    FIELD_MAY_HAVE(first_call_record, origin, "origin", TEXT),
    FIELD_MAY_HAVE(first_call_record, warm_up, "warm_up", BOOL),
    FIELD_MAY_HAVE(first_call_record, processes, "processes", COUNT),
    FIELD_MAY_HAVE(first_call_record, warmup_seconds, "warmup_seconds", MAGNITUDE),
    FIELD_MAY_HAVE(first_call_record, second_seconds, "second_seconds", TIME),
    FIELD_MAY_HAVE(first_call_record, steady_seconds, "steady_seconds", TIME),
};

static const struct field rule_fields[] = {
    FIELD_NEEDED(rule_record, shape, "shape", SHAPE),
    FIELD_NEEDED(rule_record, rule, "rule", TEXT),
    FIELD_NEEDED(rule_record, seconds, "seconds", TIME),
    FIELD_MAY_HAVE(rule_record, launches, "launches", COUNT),
    FIELD_MAY_HAVE(rule_record, ratio_to_index, "ratio_to_index", TIME),
};

static const struct field part_fields[] = {
    FIELD_NEEDED(part_record, shape, "shape", SHAPE),
    FIELD_NEEDED(part_record, part, "part", TEXT),
    FIELD_NEEDED(part_record, seconds, "seconds", TIME),
    FIELD_NEEDED(part_record, copy_seconds, "copy_seconds", TIME),
    FIELD_MAY_HAVE(part_record, ratio_to_plain, "ratio_to_plain", TIME),
};

static const struct field devices_fields[] = {
    FIELD_NEEDED(devices_record, count, "count", COUNT),
    FIELD_NEEDED(devices_record, shape, "shape", SHAPE),
    FIELD_NEEDED(devices_record, verified, "verified", BOOL),
    FIELD_MAY_HAVE(devices_record, seconds, "seconds", TIME),
    FIELD_MAY_HAVE(devices_record, single_seconds, "single_seconds", TIME),
    FIELD_MAY_HAVE(devices_record, of, "of", TEXT),
    FIELD_MAY_HAVE(devices_record, whole_seconds, "whole_seconds", TIME),
    FIELD_MAY_HAVE(devices_record, speedup, "speedup", TIME),
};

static const struct field skip_fields[] = {
    FIELD_NEEDED(skip_record, what, "what", TEXT),
    FIELD_NEEDED(skip_record, reason, "reason", TEXT),
};

static const struct field verify_fields[] = {
    FIELD_NEEDED(verify_record, values, "values", COUNT),
    FIELD_NEEDED(verify_record, differing, "differing", COUNT),
    FIELD_NEEDED(verify_record, digest, "digest", DIGEST),
};

static const struct field peer_fields[] = {
    FIELD_NEEDED(peer_record, stage, "stage", TEXT),
    FIELD_NEEDED(peer_record, candidate, "candidate", TEXT),
    FIELD_NEEDED(peer_record, shape, "shape", SHAPE),
    FIELD_NEEDED(peer_record, rows, "rows", TEXT),
    FIELD_NEEDED(peer_record, seconds, "seconds", TIME),
    FIELD_NEEDED(peer_record, ratio_to_posemb, "ratio_to_posemb", TIME),
    FIELD_MAY_HAVE(peer_record, malloc_mode, "malloc", TEXT),
    FIELD_MAY_HAVE(peer_record, threads, "threads", COUNT),
    FIELD_MAY_HAVE(peer_record, median_seconds, "median_seconds", TIME),
    FIELD_MAY_HAVE(peer_record, foreign_cpus, "foreign_cpus", MAGNITUDE),
    FIELD_MAY_HAVE(peer_record, device, "device", TEXT),
    FIELD_MAY_HAVE(peer_record, cpu, "cpu", TEXT),
    FIELD_MAY_HAVE(peer_record, date, "date", TEXT),
};

/* ---- Stages */

static const char *const yardstick_names[] = {
    [YARDSTICK_COPY] = "copy",       [YARDSTICK_COPY_BUFFER] = "copy buffer",
    [YARDSTICK_GATHER] = "gather",   [YARDSTICK_GATHER_TABLE] = "gather + table",
    [YARDSTICK_UNFUSED] = "unfused", [YARDSTICK_VENDOR_SIN] = "vendor sin",
};

static posemb_status read_yardsticks(const struct field_reader *reader, struct stage_record *stage)
{
    const json_t *yardsticks = json_object_get(reader->object, "yardsticks");
    struct field_reader fields = *reader;
    posemb_status status = POSEMB_OK;

    if (yardsticks && !json_is_object(yardsticks))
        return fields_refuse(&fields, "yardsticks: an object is needed");
    for (size_t i = 0; status == POSEMB_OK && i < YARDSTICK_COUNT; i++) {
        fields.object = json_object_get(yardsticks, yardstick_names[i]);
        if (!fields.object || json_is_null(fields.object))
            continue;
        if (!json_is_object(fields.object))
            return fields_refuse(&fields, "yardsticks: %s: an object is needed",
                                 yardstick_names[i]);
        status =
            fields_read(&fields, yardstick_fields, COUNT(yardstick_fields), &stage->yardsticks[i]);
    }
    return status;
}

/* Those of yardsticks that were measured. */
static posemb_status read_ratios(const struct field_reader *reader, struct stage_record *stage)
{
    const json_t *ratios = json_object_get(reader->object, "ratios");

    if (ratios && !json_is_object(ratios))
        return fields_refuse(reader, "ratios: an object is needed");
    for (size_t i = 0; i < YARDSTICK_COUNT; i++) {
        const json_t *ratio = json_object_get(ratios, yardstick_names[i]);
        const double value = json_number_value(ratio);

        if (!ratio)
            continue;
        if (!json_is_number(ratio) || !(value > 0.0 && value <= 1e15))
            return fields_refuse(reader, "ratios: %s: a number above 0 is needed",
                                 yardstick_names[i]);
        stage->yardsticks[i].ratio = value;
    }
    return POSEMB_OK;
}

static posemb_status read_old_yardsticks(const struct field_reader *reader,
                                         struct stage_record *stage)
{
    struct yardstick_record *copy = &stage->yardsticks[YARDSTICK_COPY];
    struct old_stage old = {0};
    const posemb_status status =
        fields_read(reader, old_stage_fields, COUNT(old_stage_fields), &old);

    if (status != POSEMB_OK)
        return status;
    stage->table = old.dtype;
    stage->out = old.dtype;
    stage->rule = old.positions;
    copy->seconds = old.copy_seconds;
    copy->median_seconds = old.copy_median_seconds;
    copy->how = old.copy;
    copy->launches = -1;
    return POSEMB_OK;
}

static void default_text(const char **text, const char *value)
{
    if (**text == '\0')
        *text = value;
}

static posemb_status read_stage(const struct field_reader *reader, int schema,
                                struct stage_record *stage)
{
    posemb_status status = fields_read(reader, stage_fields, COUNT(stage_fields), stage);

    stage->timing = "";
    if (status == POSEMB_OK && stage->verified)
        status = fields_read(reader, stage_times, COUNT(stage_times), stage);
    if (status == POSEMB_OK)
        status = schema == 1 ? read_old_yardsticks(reader, stage) : read_yardsticks(reader, stage);
    if (status == POSEMB_OK)
        status = read_ratios(reader, stage);
    if (status != POSEMB_OK)
        return status;
    if (stage->verified && stage->differing > 0)
        return fields_refuse(reader, "verified is true, but differing is %" PRId64,
                             stage->differing);
    default_text(&stage->table, "f32");
    default_text(&stage->out, "f32");
    default_text(&stage->position, "sinusoidal");
    default_text(&stage->rule, "index");
    default_text(&stage->norm, "none");
    default_text(&stage->consumer, "none");
    default_text(&stage->rows, "cold");
    default_text(&stage->ids, "unique");
    return POSEMB_OK;
}

/* ---- Kinds */

#define KIND(name, kind, member)                                                                   \
    {                                                                                              \
        name, RECORD_##kind, member##_fields, COUNT(member##_fields),                              \
            offsetof(struct report_record, of.member)                                              \
    }
static const struct kind_row {
    const char *name;
    enum record_kind kind;
    const struct field *fields;
    size_t count;
    size_t offset;
} kinds[] = {
    KIND("stage", STAGE, stage),
    KIND("enqueue", ENQUEUE, enqueue),
    KIND("accuracy", ACCURACY, accuracy),
    KIND("first call", FIRST_CALL, first_call),
    KIND("rule", RULE, rule),
    KIND("part", PART, part),
    KIND("devices", DEVICES, devices),
    KIND("skip", SKIP, skip),
    KIND("verify", VERIFY, verify),
    KIND("peer", PEER, peer),
};

/* ---- One record */

static const struct kind_row *find_kind(const char *name)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(name, kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

enum record_kind report_kind_find(const char *name)
{
    const struct kind_row *row = find_kind(name);

    return row ? row->kind : RECORD_UNKNOWN;
}

static const struct kind_row *row_of(enum record_kind kind)
{
    size_t i = 0;

    while (kinds[i].kind != kind)
        i++;
    return &kinds[i];
}

posemb_status report_kind_read(const struct field_reader *reader, int schema,
                               struct report_record *record)
{
    const struct kind_row *row = row_of(record->kind);
    const struct devices_record *devices = &record->of.devices;
    posemb_status status;

    if (record->kind == RECORD_STAGE)
        return read_stage(reader, schema, &record->of.stage);
    status = fields_read(reader, row->fields, row->count, (unsigned char *)record + row->offset);
    if (status == POSEMB_OK && record->kind == RECORD_DEVICES && devices->verified &&
        (devices->seconds <= 0.0 || devices->single_seconds <= 0.0))
        return fields_refuse(reader, "verified is true, but seconds are missing");
    return status;
}
