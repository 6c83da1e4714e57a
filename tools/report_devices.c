/* The page's sections on the devices: what they are, whether their bits are the same. */
#include "html.h"
#include "report_names.h"
#include "report_sections.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- The verdict */

static void write_plural(struct markup *markup, size_t count, const char *one, const char *many)
{
    markup_format(markup, "%zu %s", count, count == 1 ? one : many);
}

static void write_faults(const struct report_bits *bits, struct markup *sentence)
{
    markup_add(sentence, "<strong>Bits differ.</strong> ");
    if (bits->unverified > 0) {
        write_plural(sentence, bits->unverified, "result differs", "results differ");
        markup_add(sentence, " from the reference. ");
    }
    if (bits->differing > 0) {
        write_plural(sentence, bits->differing, "configuration has", "configurations have");
        markup_add(sentence, " more than one digest. ");
    }
}

static void write_agreement(const struct report_bits *bits, struct markup *sentence)
{
    if (bits->compared > 0) {
        markup_add(sentence, "<strong>The same bits.</strong> ");
        write_plural(sentence, bits->compared, "configuration was", "configurations were");
        markup_add(sentence, " measured by more than one of ");
        write_plural(sentence, bits->compared_runs, "run", "runs");
        markup_add(sentence, ": one digest for each. ");
    } else {
        markup_add(sentence, "<strong>The bits of the reference.</strong> No configuration has "
                             "digests of two runs to compare. ");
    }
    if (bits->verified > 0) {
        markup_add(sentence, bits->verified == 1 ? "The " : "All ");
        write_plural(sentence, bits->verified, "verified result equals", "verified results equal");
        markup_add(sentence, " the reference in every bit. ");
    }
}

enum report_outcome report_verdict(const struct report *report, struct markup *sentence)
{
    const struct report_bits *bits = &report->bits;
    const bool is_bad = bits->unverified > 0 || bits->differing > 0;

    if (is_bad)
        write_faults(bits, sentence);
    else if (bits->compared > 0 || bits->verified > 0)
        write_agreement(bits, sentence);
    else
        markup_add(sentence, "<strong>Nothing was compared.</strong> These records have neither "
                             "digests nor comparisons with the reference. ");
    if (bits->is_of_many_kernels)
        markup_add(sentence, "The runs were made with different kernel sources; see the devices. ");
    return is_bad                                     ? OUTCOME_DIFFER
           : bits->compared > 0 || bits->verified > 0 ? OUTCOME_SAME
                                                      : OUTCOME_NOTHING;
}

/* ---- Digests */

static const struct report_record *record_of_run(const struct report_bits *bits,
                                                 const struct bits_group *group, size_t run)
{
    for (size_t i = group->first; i < group->first + group->count; i++)
        if (bits->records[i]->run == run)
            return bits->records[i];
    return NULL;
}

/* The digests of a group that a run has: one, or where its own differ, each. */
static void write_digests(const struct report_bits *bits, const struct bits_group *group,
                          size_t run, struct markup *body)
{
    const char *first = report_bits_digest(bits->records[group->first]);
    const struct report_record *own = record_of_run(bits, group, run);
    const char *shown = "";

    if (!own) {
        html_cell(body, "");
        return;
    }
    markup_format(body, "<td class=\"d\">");
    for (size_t i = group->first; i < group->first + group->count; i++) {
        const char *digest = report_bits_digest(bits->records[i]);

        if (bits->records[i]->run != run || strcmp(digest, shown) == 0)
            continue;
        markup_format(body, "%s%s%s", *shown ? "<br/>" : "",
                      strcmp(digest, first) == 0 ? "" : "<strong>\xe2\x89\xa0</strong> ", digest);
        shown = digest;
    }
    markup_add(body, "</td>");
}

static void write_group(const struct report *report, const struct bits_group *group,
                        struct markup *body)
{
    const struct report_record *record = report->bits.records[group->first];
    char name[REPORT_NAME_SIZE] = "posemb verify, all of it";

    if (record->kind == RECORD_STAGE) {
        struct stage_record stage = record->of.stage;

        stage.consumer = "none"; /* digests are those of all consumers */
        report_configuration(&stage, name);
    }
    markup_add(body, group->differ ? "<tr class=\"bad\">" : "<tr>");
    html_head_cell(body, name);
    for (size_t run = 0; run < report->records->run_count; run++)
        write_digests(&report->bits, group, run, body);
    html_row_end(body);
}

static void write_groups(const struct report *report, bool differ, const char *caption,
                         struct markup *body)
{
    const char *headings[REPORT_RUNS_MAX + 1] = {"configuration"};
    char letters[REPORT_RUNS_MAX][4];

    for (size_t run = 0; run < report->records->run_count; run++) {
        report_letter(run, letters[run]);
        headings[run + 1] = letters[run];
    }
    html_table_begin(body, caption, headings, report->records->run_count + 1);
    for (size_t i = 0; i < report->bits.group_count; i++)
        if (report->bits.groups[i].differ == differ)
            write_group(report, &report->bits.groups[i], body);
    html_table_end(body);
}

/* A row of what differs from the reference; nothing for all else. */
static void write_fault(const struct report_record *record, struct markup *body)
{
    char name[REPORT_NAME_SIZE] = "posemb verify";
    int64_t differing = -1;

    if (record->kind == RECORD_STAGE && !record->of.stage.verified) {
        report_configuration(&record->of.stage, name);
        differing = record->of.stage.differing;
    } else if (record->kind == RECORD_DEVICES && !record->of.devices.verified) {
        snprintf(name, sizeof name, "split over %" PRId64 " devices", record->of.devices.count);
    } else if (record->kind == RECORD_VERIFY && record->of.verify.differing > 0) {
        differing = record->of.verify.differing;
    } else {
        return;
    }
    markup_add(body, "<tr class=\"bad\">");
    write_run_cell(body, record->run);
    html_cell(body, name);
    if (differing >= 0)
        html_number(body, "%" PRId64, differing);
    else
        html_cell(body, "");
    html_number(body, "%zu", record->line);
    html_row_end(body);
}

static void write_unverified(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run", "configuration", HTML_RIGHT "values that differ",
                                           HTML_RIGHT "line"};

    html_table_begin(body, "Results that are not those of the reference: no times", headings,
                     COUNT(headings));
    for (size_t i = 0; i < report->records->count; i++)
        write_fault(&report->records->all[i], body);
    html_table_end(body);
}

void section_bits(const struct report *report, struct markup *body)
{
    const struct report_bits *bits = &report->bits;

    if (bits->group_count == 0 && bits->unverified == 0)
        return;
    markup_add(body,
               "<p>A digest is of all values of an output, every NaN counted as the same one. "
               "posemb promises one digest for each configuration, whatever the device.</p>\n");
    if (bits->unverified > 0)
        write_unverified(report, body);
    if (bits->differing > 0)
        write_groups(report, true, "Configurations whose digests differ", body);
    if (bits->group_count > bits->differing) {
        markup_add(body, "<details><summary>");
        write_plural(body, bits->group_count - bits->differing, "configuration with one digest",
                     "configurations with one digest each");
        markup_add(body, "</summary>\n");
        write_groups(report, false, "XXH3 of the output", body);
        markup_add(body, "</details>\n");
    }
}

/* ---- Devices */

void write_run_cell(struct markup *body, size_t run)
{
    char letter[4];

    report_letter(run, letter);
    html_head_cell(body, letter);
}

static void write_mark(struct markup *body, size_t run)
{
    markup_add(body, "<svg class=\"mark\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" "
                     "aria-hidden=\"true\">");
    svg_draw_mark(body, (unsigned)run, 8.0, 8.0, 5.5);
    markup_add(body, "</svg>");
}

void write_legend(const struct report *report, struct markup *body)
{
    char letter[4];

    markup_add(body, "<ul class=\"legend\">");
    for (size_t run = 0; run < report->records->run_count; run++) {
        report_letter(run, letter);
        markup_add(body, "<li>");
        write_mark(body, run);
        markup_format(body, "<b>%s</b> ", letter);
        markup_escape(body, report->records->runs[run].device);
        markup_add(body, ", ");
        markup_escape(body, report->records->runs[run].driver);
        markup_add(body, "</li>\n");
    }
    markup_add(body, "</ul>\n");
}

static void write_fact(struct markup *body, const char *name, const char *value)
{
    if (!*value)
        return;
    markup_format(body, "<dt>%s</dt><dd>", name);
    markup_escape(body, value);
    markup_add(body, "</dd>\n");
}

static void write_count(struct markup *body, const char *name, int64_t value, const char *unit)
{
    if (value >= 0)
        markup_format(body, "<dt>%s</dt><dd>%" PRId64 "%s</dd>\n", name, value, unit);
}

static void write_size(struct markup *body, const char *name, int64_t bytes)
{
    char text[REPORT_NUMBER_SIZE];

    report_bytes(bytes, text);
    if (bytes >= 0)
        markup_format(body, "<dt>%s</dt><dd>%s</dd>\n", name, text);
}

static void write_environment(struct markup *body, const json_t *environment)
{
    const char *key;
    json_t *value;

    if (!environment || json_object_size(environment) == 0)
        return;
    markup_add(body, "<dt>environment</dt><dd>");
    json_object_foreach((json_t *)environment, key, value)
    {
        markup_add(body, "<code>");
        markup_escape(body, key);
        markup_add(body, "=");
        markup_escape(body, json_string_value(value));
        markup_add(body, "</code> ");
    }
    markup_add(body, "</dd>\n");
}

static void write_facts(struct markup *body, const struct report_run *run, const char *file)
{
    write_fact(body, "platform", run->platform);
    write_fact(body, "platform version", run->platform_version);
    write_fact(body, "driver", run->driver);
    write_fact(body, "device version", run->device_version);
    write_fact(body, "OpenCL C", run->opencl_c);
    write_fact(body, "type", run->device_type);
    write_count(body, "compute units", run->compute_units, "");
    write_count(body, "clock", run->clock_mhz, " MHz");
    write_size(body, "memory", run->global_memory);
    write_size(body, "largest buffer", run->max_allocation);
    write_size(body, "cache", run->cache_size);
    write_size(body, "local memory", run->local_memory);
    write_fact(body, "kernel shape", run->shape);
    write_fact(body, "tuning", run->tuning);
    write_fact(body, "tuning entries", run->tuning_text);
    write_fact(body, "host CPU", run->cpu);
    write_count(body, "host CPUs online", run->cpus, "");
    write_fact(body, "operating system", run->os);
    write_environment(body, run->environment);
    write_fact(body, "posemb", run->version);
    write_fact(body, "source", run->source);
    write_fact(body, "kernel digest", run->kernel);
    write_fact(body, "measured", run->date);
    write_fact(body, "list", run->mode);
    write_count(body, "rows of the table", run->table_rows, "");
    write_fact(body, "seed", run->seed);
    write_fact(body, "file", file);
}

void section_devices(const struct report *report, struct markup *body)
{
    char letter[4];

    if (report->records->run_count == 0)
        return;
    markup_add(body, "<div class=\"cards\">\n");
    for (size_t run = 0; run < report->records->run_count; run++) {
        const struct report_run *row = &report->records->runs[run];

        report_letter(run, letter);
        markup_add(body, "<article class=\"card\"><h3>");
        write_mark(body, run);
        markup_format(body, "%s: ", letter);
        markup_escape(body, row->device);
        markup_add(body, "</h3>\n<dl>");
        write_facts(body, row, report->records->files[row->file]);
        markup_add(body, "</dl></article>\n");
    }
    markup_add(body, "</div>\n");
}

/* ---- At a glance */

bool report_gains_of_run(const struct report *report, size_t run, enum report_yardstick yardstick,
                         double range[2])
{
    const struct report_record *record;
    char variation[REPORT_LABEL_SIZE];

    range[0] = INFINITY;
    range[1] = 0.0;
    for (size_t place = 0; (record = report_next(report->records, RECORD_STAGE, run, &place));) {
        const struct stage_record *stage = &record->of.stage;
        const double gain = report_gain(stage, yardstick);

        report_variation(stage, variation);
        if (*variation || !report_is_plain_storage(stage) || report_is_small(stage) || gain <= 0.0)
            continue;
        range[0] = fmin(range[0], gain);
        range[1] = fmax(range[1], gain);
    }
    return range[1] > 0.0;
}

static void write_share_range(const double range[2], struct markup *body)
{
    if (100.0 * (range[1] - range[0]) >= 1.0)
        html_number(body, "%.0f \xe2\x80\xa6 %.0f %%", 100.0 * range[0], 100.0 * range[1]);
    else
        html_number(body, "%.0f %%", 100.0 * range[0]);
}

static void write_range(const struct report *report, size_t run, enum report_yardstick yardstick,
                        struct markup *body)
{
    char texts[2][REPORT_NUMBER_SIZE];
    double range[2];

    if (!report_gains_of_run(report, run, yardstick, range)) {
        html_number(body, "%s", "");
        return;
    }
    report_ratio(range[0], texts[0]);
    report_ratio(range[1], texts[1]);
    if (yardstick == YARDSTICK_COPY)
        write_share_range(range, body);
    else if (strcmp(texts[0], texts[1]) != 0)
        html_number(body, "%s \xe2\x80\xa6 %s", texts[0], texts[1]);
    else
        html_number(body, "%s", texts[0]);
}

/* The largest error of a method over all positions of a run, or -1. */
static double largest_error(const struct report *report, size_t run, const char *method)
{
    const struct report_record *record;
    double error = -1.0;

    for (size_t place = 0; (record = report_next(report->records, RECORD_ACCURACY, run, &place));)
        if (strcmp(record->of.accuracy.method, method) == 0)
            error = fmax(error, record->of.accuracy.max_error);
    return error;
}

static void write_error(const struct report *report, size_t run, const char *method,
                        struct markup *body)
{
    const double error = largest_error(report, run, method);
    char text[REPORT_NUMBER_SIZE] = "";

    if (error >= 0.0)
        report_error(error, text);
    html_number(body, "%s", text);
}

/* Whether a run has anything that is summed up here. */
static bool has_summary(const struct report *report, size_t run)
{
    double range[2];
    size_t place = 0;

    return report_gains_of_run(report, run, YARDSTICK_COPY, range) ||
           report_next(report->records, RECORD_ACCURACY, run, &place) != NULL;
}

void section_glance(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run",
                                           "device",
                                           HTML_RIGHT "share of the copy limit",
                                           HTML_RIGHT "\xc3\xb7 gather + table",
                                           HTML_RIGHT "\xc3\xb7 unfused",
                                           HTML_RIGHT "\xc3\xb7 vendor sin",
                                           HTML_RIGHT "largest error",
                                           HTML_RIGHT "of the vendor\xe2\x80\x99s sin"};

    size_t run = 0;

    while (run < report->records->run_count && !has_summary(report, run))
        run++;
    if (run == report->records->run_count)
        return;
    html_table_begin(
        body,
        "The plain stage alone, from the worst shape to the best, where it moves a MiB "
        "or more; errors over all positions measured",
        headings, COUNT(headings));
    for (; run < report->records->run_count; run++) {
        if (!has_summary(report, run))
            continue;
        html_row_begin(body);
        write_run_cell(body, run);
        html_cell(body, report->records->runs[run].device);
        write_range(report, run, YARDSTICK_COPY, body);
        write_range(report, run, YARDSTICK_GATHER_TABLE, body);
        write_range(report, run, YARDSTICK_UNFUSED, body);
        write_range(report, run, YARDSTICK_VENDOR_SIN, body);
        write_error(report, run, "posemb", body);
        write_error(report, run, "sin/cos", body);
        html_row_end(body);
    }
    html_table_end(body);
}
