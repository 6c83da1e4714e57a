/* Reader of the records of posemb bench. */
#include "report_records.h"

#include "file_bytes.h"
#include "report_fields.h"
#include "report_kinds.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- What a run has */

#define HAS(member, kind) FIELD_MAY_HAVE(report_run, member, #member, kind)
static const struct field run_fields[] = {
    FIELD_NEEDED(report_run, run, "run", DIGEST),
    FIELD_NEEDED(report_run, device, "device", TEXT),
    FIELD_NEEDED(report_run, platform, "platform", TEXT),
    FIELD_NEEDED(report_run, driver, "driver", TEXT),
    HAS(date, TEXT),
    HAS(version, TEXT),
    HAS(source, TEXT),
    HAS(kernel, TEXT),
    HAS(mode, TEXT),
    HAS(platform_version, TEXT),
    HAS(device_type, TEXT),
    HAS(device_version, TEXT),
    HAS(opencl_c, TEXT),
    HAS(shape, TEXT),
    HAS(tuning, TEXT),
    HAS(tuning_text, TEXT),
    HAS(os, TEXT),
    HAS(cpu, TEXT),
    HAS(seed, TEXT),
    HAS(environment, TEXTS),
    HAS(compute_units, COUNT),
    HAS(clock_mhz, COUNT),
    HAS(global_memory, COUNT),
    HAS(max_allocation, COUNT),
    HAS(cache_size, COUNT),
    HAS(local_memory, COUNT),
    HAS(cpus, COUNT),
    HAS(table_rows, COUNT),
};
#undef HAS

/* Of a line of schema 1, which names its device itself. */
static const struct field old_run_fields[] = {
    FIELD_NEEDED(report_run, device, "device", TEXT),
    FIELD_NEEDED(report_run, platform, "platform", TEXT),
    FIELD_NEEDED(report_run, driver, "driver", TEXT),
};

/* What reads a line, and where its record goes. */
struct line_reader {
    struct field_reader fields;
    struct report_records *records;
    size_t file;
    int schema;
    json_t *root;
};

/* ---- Runs */

static posemb_status add_run(const struct line_reader *reader, struct report_run *run)
{
    struct report_records *records = reader->records;

    if (records->run_count == REPORT_RUNS_MAX)
        return fields_refuse(&reader->fields, "more than %u runs cannot be put side by side",
                             REPORT_RUNS_MAX);
    run->file = reader->file;
    run->line = reader->fields.line;
    run->object = json_incref(reader->root);
    records->runs[records->run_count++] = *run;
    return POSEMB_OK;
}

static size_t find_run(const struct report_records *records, const char *id)
{
    size_t i = 0;

    while (i < records->run_count && strcmp(records->runs[i].run, id) != 0)
        i++;
    return i;
}

static posemb_status read_run(const struct line_reader *reader)
{
    const struct report_records *records = reader->records;
    struct report_run run = {0};
    posemb_status status = fields_read(&reader->fields, run_fields, COUNT(run_fields), &run);
    size_t other;

    if (status != POSEMB_OK)
        return status;
    other = find_run(records, run.run);
    if (other < records->run_count)
        return fields_refuse(&reader->fields, "run %s is there already: %s, line %zu", run.run,
                             records->files[records->runs[other].file], records->runs[other].line);
    return add_run(reader, &run);
}

/* The run of a line of schema 1: that of the same device in the same file. */
static posemb_status find_old_run(const struct line_reader *reader, size_t *place)
{
    const struct report_records *records = reader->records;
    static const struct report_run none = {.run = "",
                                           .date = "",
                                           .version = "",
                                           .source = "",
                                           .kernel = "",
                                           .mode = "",
                                           .platform_version = "",
                                           .device_type = "",
                                           .device_version = "",
                                           .opencl_c = "",
                                           .shape = "",
                                           .tuning = "",
                                           .tuning_text = "",
                                           .os = "",
                                           .cpu = "",
                                           .compute_units = -1,
                                           .clock_mhz = -1,
                                           .global_memory = -1,
                                           .max_allocation = -1,
                                           .cache_size = -1,
                                           .local_memory = -1,
                                           .cpus = -1,
                                           .table_rows = -1,
                                           .seed = "",
                                           .is_old = true};
    struct report_run run = none;
    const posemb_status status =
        fields_read(&reader->fields, old_run_fields, COUNT(old_run_fields), &run);

    if (status != POSEMB_OK)
        return status;
    for (*place = 0; *place < records->run_count; ++*place) {
        const struct report_run *other = &records->runs[*place];

        if (other->is_old && other->file == reader->file &&
            strcmp(other->device, run.device) == 0 && strcmp(other->platform, run.platform) == 0 &&
            strcmp(other->driver, run.driver) == 0)
            return POSEMB_OK;
    }
    return add_run(reader, &run);
}

static posemb_status find_run_of_line(const struct line_reader *reader, size_t *place)
{
    static const struct field id[] = {{"run", FIELD_DIGEST, true, 0}};
    const char *text = NULL;
    posemb_status status;

    if (reader->schema == 1)
        return find_old_run(reader, place);
    status = fields_read(&reader->fields, id, 1, &text);
    if (status != POSEMB_OK)
        return status;
    *place = find_run(reader->records, text);
    if (*place == reader->records->run_count)
        return fields_refuse(&reader->fields, "run %s has no line of kind \"run\" before this one",
                             text);
    return POSEMB_OK;
}

/* ---- Records */

static posemb_status add_record(const struct line_reader *reader,
                                const struct report_record *record)
{
    struct report_records *records = reader->records;

    if (records->count == REPORT_RECORDS_MAX)
        return fields_refuse(&reader->fields, "there are more than %u records", REPORT_RECORDS_MAX);
    if (records->count == records->capacity) {
        const size_t capacity = records->capacity ? 2 * records->capacity : 64;
        struct report_record *all = realloc(records->all, capacity * sizeof *all);

        if (!all)
            return posemb__fail(reader->fields.error, POSEMB_OUT_OF_MEMORY, 0,
                                "there is no memory for %zu records", capacity);
        records->all = all;
        records->capacity = capacity;
    }
    records->all[records->count] = *record;
    records->all[records->count++].object = json_incref(reader->root);
    return POSEMB_OK;
}

static posemb_status read_record(const struct line_reader *reader, enum record_kind kind)
{
    struct report_record record = {.kind = kind, .file = reader->file, .line = reader->fields.line};
    posemb_status status = POSEMB_OK;

    if (kind != RECORD_PEER)
        status = find_run_of_line(reader, &record.run);
    if (status == POSEMB_OK)
        status = report_kind_read(&reader->fields, reader->schema, &record);
    return status == POSEMB_OK ? add_record(reader, &record) : status;
}

static posemb_status read_object(struct line_reader *reader)
{
    const json_t *schema = json_object_get(reader->root, "schema");
    const char *kind = json_string_value(json_object_get(reader->root, "kind"));

    if (!json_is_object(reader->root))
        return fields_refuse(&reader->fields, "a JSON object is needed");
    if (!json_is_integer(schema) || json_integer_value(schema) < 1 ||
        json_integer_value(schema) > 2)
        return fields_refuse(&reader->fields, "schema: 1 or 2 is needed");
    if (!kind)
        return fields_refuse(&reader->fields, "kind: a text is needed");
    reader->schema = (int)json_integer_value(schema);
    if (strcmp(kind, "run") == 0)
        return read_run(reader);
    if (report_kind_find(kind) == RECORD_UNKNOWN)
        return POSEMB_OK;
    return read_record(reader, report_kind_find(kind));
}

static posemb_status read_line(struct line_reader *reader, const char *line, size_t size)
{
    char shown[100];
    json_error_t fault;
    posemb_status status;

    if (size > REPORT_LINE_MAX)
        return fields_refuse(&reader->fields, "it is longer than %u bytes", REPORT_LINE_MAX);
    reader->root = json_loadb(line, size, JSON_REJECT_DUPLICATES, &fault);
    if (!reader->root) {
        escape_text(fault.text, strlen(fault.text), shown, sizeof shown);
        return fields_refuse(&reader->fields, "it is not JSON: %s", shown);
    }
    reader->fields.object = reader->root;
    status = read_object(reader);
    json_decref(reader->root);
    return status;
}

/* ---- Files */

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static posemb_status read_lines(struct line_reader *reader, const char *bytes, size_t size)
{
    posemb_status status = POSEMB_OK;

    for (size_t begin = 0; status == POSEMB_OK && begin < size;) {
        const char *end = memchr(bytes + begin, '\n', size - begin);
        const size_t length = end ? (size_t)(end - bytes) - begin : size - begin;

        reader->fields.line++;
        if (!is_blank(bytes + begin, length))
            status = read_line(reader, bytes + begin, length);
        begin += length + 1;
    }
    return status;
}

static posemb_status read_bytes(const file_bytes *file, char **bytes, posemb_error *error)
{
    posemb_status status;

    if (file->size > REPORT_FILE_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: larger than %u bytes",
                            file->shown, REPORT_FILE_MAX);
    *bytes = malloc((size_t)file->size + 1);
    if (!*bytes)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "%s: there is no memory for it",
                            file->shown);
    status = file_bytes_read(file, 0, (size_t)file->size, *bytes, error);
    if (status != POSEMB_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

static posemb_status add_file(struct report_records *records, const char *path, posemb_error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char shown[FILE_SHOWN_SIZE];

    if (records->file_count == REPORT_FILES_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "more than %u files cannot be put side by side", REPORT_FILES_MAX);
    escape_text(name, strlen(name), shown, sizeof shown);
    records->files[records->file_count] = strdup(shown);
    if (!records->files[records->file_count])
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "there is no memory for a name");
    records->file_count++;
    return POSEMB_OK;
}

posemb_status report_records_read(struct report_records *records, const char *path,
                                  posemb_error *error)
{
    struct line_reader reader = {.records = records, .file = records->file_count};
    char *bytes = NULL;
    file_bytes file;
    posemb_status status = file_bytes_open(path, &file, error);

    if (status != POSEMB_OK)
        return status;
    reader.fields.file = file.shown;
    reader.fields.error = error;
    status = add_file(records, path, error);
    if (status == POSEMB_OK)
        status = read_bytes(&file, &bytes, error);
    if (bytes)
        status = read_lines(&reader, bytes, (size_t)file.size);
    free(bytes);
    file_bytes_close(&file);
    return status;
}

void report_records_free(struct report_records *records)
{
    for (size_t i = 0; i < records->count; i++)
        json_decref(records->all[i].object);
    for (size_t i = 0; i < records->run_count; i++)
        json_decref(records->runs[i].object);
    for (size_t i = 0; i < records->file_count; i++)
        free(records->files[i]);
    free(records->all);
    *records = (struct report_records){0};
}

const struct report_record *report_next(const struct report_records *records, enum record_kind kind,
                                        size_t run, size_t *place)
{
    while (*place < records->count) {
        const struct report_record *record = &records->all[(*place)++];

        if (record->kind == kind && (run == REPORT_ANY_RUN || record->run == run))
            return record;
    }
    return NULL;
}
