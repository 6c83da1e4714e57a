/* What the report calls things. */
#include "report_names.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NOTHING "\xe2\x80\x93" /* a dash */

void report_letter(size_t run, char letter[4])
{
    letter[0] = (char)('A' + (int)(run % REPORT_RUNS_MAX));
    letter[1] = '\0';
}

void report_time(double seconds, char text[REPORT_NUMBER_SIZE])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1.0, "s"}, {1e-3, "ms"}, {1e-6, "\xc2\xb5s"}, {1e-9, "ns"}};
    size_t i = 0;

    if (seconds <= 0.0) {
        snprintf(text, REPORT_NUMBER_SIZE, "%s", NOTHING);
        return;
    }
    while (i < 3 && seconds < units[i].unit * 0.9995)
        i++;
    seconds /= units[i].unit;
    snprintf(text, REPORT_NUMBER_SIZE, "%.*f %s",
             seconds < 9.995   ? 2
             : seconds < 99.95 ? 1
                               : 0,
             seconds, units[i].name);
}

void report_error(double error, char text[REPORT_NUMBER_SIZE])
{
    char *exponent;

    if (error <= 0.0) {
        snprintf(text, REPORT_NUMBER_SIZE, "0");
        return;
    }
    if (error >= 0.01 && error < 1000.0) {
        snprintf(text, REPORT_NUMBER_SIZE, "%.2g", error);
        return;
    }
    snprintf(text, REPORT_NUMBER_SIZE, "%.1e", error);
    exponent = strchr(text, 'e'); /* e-08 to e-8 */
    if (exponent && exponent[2] == '0' && exponent[3] != '\0')
        memmove(exponent + 2, exponent + 3, strlen(exponent + 3) + 1);
}

void report_ratio(double ratio, char text[REPORT_NUMBER_SIZE])
{
    snprintf(text, REPORT_NUMBER_SIZE, "%.*f\xc3\x97",
             ratio < 9.995   ? 2
             : ratio < 99.95 ? 1
                             : 0,
             ratio < 1e15 ? ratio : 1e15);
}

void report_bytes(int64_t bytes, char text[REPORT_NUMBER_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t i = 0;

    if (bytes < 0) {
        snprintf(text, REPORT_NUMBER_SIZE, "%s", NOTHING);
        return;
    }
    for (; value >= 1024.0 && i < 4; i++)
        value /= 1024.0;
    snprintf(text, REPORT_NUMBER_SIZE, "%.4g %s", value, units[i]);
}

void report_shape(const int64_t shape[3], char text[REPORT_SHAPE_SIZE])
{
    snprintf(text, REPORT_SHAPE_SIZE, "[%" PRId64 ",%" PRId64 "]\xc3\x97%" PRId64, shape[0],
             shape[1], shape[2]);
}

/* Append words to those that are there. */
static void append(char text[REPORT_LABEL_SIZE], const char *words, const char *more)
{
    const size_t size = strlen(text);

    snprintf(text + size, REPORT_LABEL_SIZE - size, "%s%s%s", size ? ", " : "", words, more);
}

/* What is said of a value that is not the plain one. */
struct variation_name {
    const char *value;
    const char *words;
};

static const struct variation_name position_names[] = {
    {"learned", "learned positions"}, {"none", "no positions"}, {NULL, NULL}};
static const struct variation_name norm_names[] = {
    {"layer", "LayerNorm"}, {"rms", "RMSNorm"}, {NULL, NULL}};
static const struct variation_name consumer_names[] = {{"reader", "with a reader"}, {NULL, NULL}};
static const struct variation_name no_names[] = {{NULL, NULL}};

/* `after` follows a value that has no name of its own. */
static void append_variation(char text[REPORT_LABEL_SIZE], const char *value, const char *plain,
                             const struct variation_name *names, const char *after)
{
    if (strcmp(value, plain) == 0)
        return;
    for (; names->value; names++)
        if (strcmp(value, names->value) == 0) {
            append(text, names->words, "");
            return;
        }
    append(text, value, after);
}

bool report_is_plain_storage(const struct stage_record *stage)
{
    return strcmp(stage->table, "f32") == 0 && strcmp(stage->out, "f32") == 0;
}

void report_variation(const struct stage_record *stage, char text[REPORT_LABEL_SIZE])
{
    text[0] = '\0';
    append_variation(text, stage->op, "encode", no_names, "");
    append_variation(text, stage->position, "sinusoidal", position_names, " positions");
    if (strcmp(stage->position, "sinusoidal") == 0)
        append_variation(text, stage->rule, "index", no_names, " positions");
    if (stage->types)
        append(text, "token types", "");
    append_variation(text, stage->norm, "none", norm_names, " norm");
    append_variation(text, stage->consumer, "none", consumer_names, " after it");
    append_variation(text, stage->rows, "cold", no_names, " rows");
    append_variation(text, stage->ids, "unique", no_names, " ids");
}

void report_storage(const struct stage_record *stage, char text[REPORT_LABEL_SIZE])
{
    snprintf(text, REPORT_LABEL_SIZE, "%s \xe2\x86\x92 %s", stage->table, stage->out);
}

void report_configuration(const struct stage_record *stage, char text[REPORT_NAME_SIZE])
{
    char shape[REPORT_SHAPE_SIZE];
    char variation[REPORT_LABEL_SIZE];
    char storage[REPORT_LABEL_SIZE] = "";

    report_shape(stage->shape, shape);
    report_variation(stage, variation);
    if (!report_is_plain_storage(stage))
        report_storage(stage, storage);
    snprintf(text, REPORT_NAME_SIZE, "%s%s%s%s%s", shape, *variation ? ", " : "", variation,
             *storage ? ", " : "", storage);
}

int64_t report_stage_bytes(const struct stage_record *stage)
{
    const double bytes =
        8.0 * (double)stage->shape[0] * (double)stage->shape[1] * (double)stage->shape[2];

    if (stage->bytes >= 0)
        return stage->bytes;
    return bytes < 9e18 ? (int64_t)bytes : INT64_MAX;
}

bool report_is_small(const struct stage_record *stage)
{
    return report_stage_bytes(stage) < REPORT_SMALL_BYTES;
}

double report_gain(const struct stage_record *stage, enum report_yardstick yardstick)
{
    const struct yardstick_record *record = &stage->yardsticks[yardstick];

    if (!stage->verified || record->seconds == 0.0)
        return 0.0;
    return record->ratio > 0.0 ? 1.0 / record->ratio : record->seconds / stage->seconds;
}

const char *report_yardstick_name(enum report_yardstick yardstick)
{
    static const char *const names[] = {
        [YARDSTICK_COPY] = "copy",       [YARDSTICK_COPY_BUFFER] = "copy buffer",
        [YARDSTICK_GATHER] = "gather",   [YARDSTICK_GATHER_TABLE] = "gather + table",
        [YARDSTICK_UNFUSED] = "unfused", [YARDSTICK_VENDOR_SIN] = "vendor sin",
    };

    return names[yardstick];
}
