/* The records of posemb bench. No locale is ever set, so that numbers have points. */
#include "bench_records.h"

#include "bench_provenance.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA = 2, ROW = 2048 };

static const char csv_header[] =
    "run,device,op,batch,length,dim,table,out,position,types,rule,norm,consumer,rows,ids,bytes,"
    "verified,differing,digest,repeats,launches,seconds,median_seconds,p90_seconds,call_seconds,"
    "event_seconds,timing,copy_seconds,copy_buffer_seconds,gather_seconds,gather_table_seconds,"
    "unfused_seconds,vendor_sin_seconds,bytes_per_second,copy_bytes_per_second\n";

/* ---- Files */

posemb_status bench_records_begin(struct bench_records *records, const char *json, const char *csv)
{
    posemb_status status = POSEMB_OK;

    memset(records, 0, sizeof *records);
    if (json)
        status = file_output_begin(json, &records->json, &records->error);
    if (status == POSEMB_OK && csv)
        status = file_output_begin(csv, &records->csv, &records->error);
    if (status == POSEMB_OK && csv)
        status = file_output_write(&records->csv, csv_header, strlen(csv_header), &records->error);
    if (status != POSEMB_OK)
        file_output_abandon(&records->json);
    return status;
}

posemb_status bench_records_end(struct bench_records *records)
{
    posemb_status status = POSEMB_OK;

    if (!records->has_lines) {
        file_output_abandon(&records->json);
        file_output_abandon(&records->csv);
        return POSEMB_OK;
    }
    if (records->json.temporary)
        status = file_output_commit(&records->json, &records->error);
    if (records->csv.temporary) {
        const posemb_status other = file_output_commit(&records->csv, &records->error);

        status = status == POSEMB_OK ? other : status;
    }
    return status;
}

static posemb_status write_json(struct bench_records *records, const json_t *object)
{
    posemb_status status = POSEMB_OK;
    char *text;

    records->has_lines = true;
    if (!records->json.temporary)
        return POSEMB_OK;
    text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (!text) {
        snprintf(records->error.message, sizeof records->error.message, "no memory for a record");
        return records->error.status = POSEMB_OUT_OF_MEMORY;
    }
    status = file_output_write(&records->json, text, strlen(text), &records->error);
    if (status == POSEMB_OK)
        status = file_output_write(&records->json, "\n", 1, &records->error);
    free(text);
    return status;
}

posemb_status bench_records_add(struct bench_records *records, const char *kind, json_t *object)
{
    json_t *line =
        json_pack("{s:i, s:s, s:s}", "schema", SCHEMA, "kind", kind, "run", records->run);
    posemb_status status;

    json_object_update(line, object);
    status = write_json(records, line);
    json_decref(object);
    json_decref(line);
    return status;
}

posemb_status bench_records_run(struct bench_records *records, const posemb_device_info *info,
                                posemb_session *session, const char *mode)
{
    json_t *object = bench_provenance(info, session);
    char *text;

    json_object_set_new(object, "mode", json_string(mode));
    json_object_set_new(object, "table_rows", json_integer(BENCH_TABLE_ROWS));
    json_object_set_new(object, "seed", json_sprintf("%016" PRIx64, (uint64_t)BENCH_SEED));
    text = json_dumps(object, JSON_COMPACT);
    bench_run_name(text ? text : "", records->run);
    free(text);
    snprintf(records->device, sizeof records->device, "%s", info->name);
    return bench_records_add(records, "run", object);
}

posemb_status bench_records_skip(struct bench_records *records, const char *what,
                                 const char *reason)
{
    return bench_records_add(records, "skip",
                             json_pack("{s:s, s:s}", "what", what, "reason", reason));
}

/* ---- Stage lines */

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *case_of(const struct bench_case *c)
{
    return json_pack("{s:s, s:[i,i,i], s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:s}", "op",
                     bench_operation_word(c->operation), "shape", (int)c->batch, (int)c->length,
                     (int)c->dim, "table", bench_storage_word(c->table), "out",
                     bench_storage_word(c->out), "position", bench_position_word(c->position_kind),
                     "types", c->types, "rule", bench_rules[c->rule].name, "norm",
                     bench_norm_word(c->norm), "consumer", c->with_reader ? "reader" : "none",
                     "rows", c->hot_rows ? "hot" : "cold", "ids", bench_ids_word(c->ids));
}

static void set_times(json_t *object, const struct bench_result *result)
{
    json_object_update_new(object, json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:s}",
                                             "statistic", "min", "repeats", (int)result->repeats,
                                             "launches", (int)result->launches, "kernels",
                                             (int)result->kernels, "seconds", result->seconds,
                                             "median_seconds", result->median_seconds,
                                             "p90_seconds", result->p90_seconds, "call_seconds",
                                             result->call_seconds, "timing", result->timing));
    json_object_set_new(object, "event_seconds", real_or_null(result->event_seconds));
    json_object_set_new(object, "bytes_per_second",
                        json_real((double)result->bytes / result->seconds));
    json_object_set_new(object, "table_rows", json_integer((json_int_t)result->table_rows));
}

static void set_yardsticks(json_t *object, const struct bench_result *result)
{
    json_t *yardsticks = json_object();
    json_t *ratios = json_object();

    for (int y = 0; y < BENCH_YARDSTICKS; y++) {
        const struct bench_yardstick_result *one = &result->yardsticks[y];

        if (!one->measured)
            continue;
        json_object_set_new(yardsticks, bench_yardstick_names[y],
                            json_pack("{s:f, s:f, s:s, s:i}", "seconds", one->seconds,
                                      "median_seconds", one->median_seconds, "how", one->how,
                                      "launches", (int)one->launches));
        json_object_set_new(ratios, bench_yardstick_names[y], json_real(one->ratio));
    }
    json_object_set_new(object, "yardsticks", yardsticks);
    json_object_set_new(object, "ratios", ratios);
    if (result->yardsticks[BENCH_COPY].measured)
        json_object_set_new(
            object, "copy_bytes_per_second",
            json_real((double)result->copy_bytes / result->yardsticks[BENCH_COPY].seconds));
}

/* A number, or nothing where there is none. */
static void append_number(char *row, double value)
{
    const size_t used = strlen(row);

    if (isfinite(value) && value > 0.0)
        snprintf(row + used, ROW - used, ",%.9g", value);
    else
        snprintf(row + used, ROW - used, ",");
}

static void append_times(char *row, const struct bench_result *result)
{
    const struct bench_yardstick_result *copy = &result->yardsticks[BENCH_COPY];
    const size_t used = strlen(row);

    snprintf(row + used, ROW - used, ",%" PRIu32 ",%" PRIu32, result->repeats, result->launches);
    append_number(row, result->seconds);
    append_number(row, result->median_seconds);
    append_number(row, result->p90_seconds);
    append_number(row, result->call_seconds);
    append_number(row, result->event_seconds);
    snprintf(row + strlen(row), ROW - strlen(row), ",\"%s\"", result->timing);
    for (int y = 0; y < BENCH_YARDSTICKS; y++)
        append_number(row, result->yardsticks[y].measured ? result->yardsticks[y].seconds : 0.0);
    append_number(row, result->verified ? (double)result->bytes / result->seconds : 0.0);
    append_number(row, copy->measured ? (double)result->copy_bytes / copy->seconds : 0.0);
}

/* A name of a driver between quotes, which are doubled in it. */
static void quote(const char *text, char *quoted, size_t size)
{
    size_t used = 0;

    quoted[used++] = '"';
    for (; *text && used + 3 < size; text++) {
        if (*text == '"')
            quoted[used++] = '"';
        quoted[used++] = *text;
    }
    quoted[used++] = '"';
    quoted[used] = '\0';
}

static posemb_status write_csv(struct bench_records *records, const struct bench_case *c,
                               const struct bench_result *result)
{
    char row[ROW];
    char device[sizeof records->device];

    if (!records->csv.temporary)
        return POSEMB_OK;
    quote(records->device, device, sizeof device);
    snprintf(row, sizeof row,
             "%s,%s,%s,%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%s,%s,%s,%d,\"%s\",%s,%s,%s,%s,%" PRIu64
             ",%d,%zu,%016" PRIx64,
             records->run, device, bench_operation_word(c->operation), c->batch, c->length, c->dim,
             bench_storage_word(c->table), bench_storage_word(c->out),
             bench_position_word(c->position_kind), c->types, bench_rules[c->rule].name,
             bench_norm_word(c->norm), c->with_reader ? "reader" : "none",
             c->hot_rows ? "hot" : "cold", bench_ids_word(c->ids), result->bytes, result->verified,
             result->differing, result->digest);
    append_times(row, result);
    snprintf(row + strlen(row), ROW - strlen(row), "\n");
    return file_output_write(&records->csv, row, strlen(row), &records->error);
}

posemb_status bench_records_stage(struct bench_records *records,
                                  const struct bench_case *bench_case,
                                  const struct bench_result *result)
{
    const struct bench_case c = bench_case_resolved(bench_case);
    json_t *object = case_of(&c);
    posemb_status status;

    json_object_set_new(object, "bytes", json_integer((json_int_t)result->bytes));
    json_object_set_new(object, "verified", json_boolean(result->verified));
    json_object_set_new(object, "differing", json_integer((json_int_t)result->differing));
    json_object_set_new(object, "digest", json_sprintf("%016" PRIx64, result->digest));
    if (result->wrong)
        json_object_set_new(object, "wrong", json_string(result->wrong));
    if (result->verified) {
        json_object_set_new(object, "tuning", json_string(result->tuning));
        set_times(object, result);
        set_yardsticks(object, result);
    }
    status = bench_records_add(records, "stage", object);
    return status == POSEMB_OK ? write_csv(records, &c, result) : status;
}
