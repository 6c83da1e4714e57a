/* The page's sections of tables and words. */
#include "html.h"
#include "report_names.h"
#include "report_sections.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Tables with a row for each record of a kind */

typedef void (*write_cells)(const struct report_record *record, struct markup *body);

static void write_table(const struct report *report, enum record_kind kind, const char *caption,
                        const char *const *headings, size_t count, write_cells cells,
                        struct markup *body)
{
    const struct report_record *record;
    bool has_begun = false;

    for (size_t place = 0; (record = report_next(report->records, kind, REPORT_ANY_RUN, &place));) {
        if (!has_begun)
            html_table_begin(body, caption, headings, count);
        has_begun = true;
        html_row_begin(body);
        if (kind != RECORD_PEER)
            write_run_cell(body, record->run);
        cells(record, body);
        html_row_end(body);
    }
    if (has_begun)
        html_table_end(body);
}

static void write_shape_cell(struct markup *body, const int64_t shape[3])
{
    char text[REPORT_SHAPE_SIZE];

    report_shape(shape, text);
    html_cell(body, text);
}

static void write_count_cell(struct markup *body, int64_t count)
{
    if (count >= 0)
        html_number(body, "%" PRId64, count);
    else
        html_number(body, "%s", "");
}

static void write_rule(const struct report_record *record, struct markup *body)
{
    const struct rule_record *rule = &record->of.rule;

    write_shape_cell(body, rule->shape);
    html_cell(body, rule->rule);
    write_time_cell(body, rule->seconds);
    write_ratio_cell(body, rule->ratio_to_index);
    write_count_cell(body, rule->launches);
}

void section_rules(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run",
                                           "shape",
                                           "rule",
                                           HTML_RIGHT "time",
                                           HTML_RIGHT "\xc3\xb7 index positions",
                                           HTML_RIGHT "launches"};

    write_table(report, RECORD_RULE, "Position rules beside index positions on the same tokens",
                headings, COUNT(headings), write_rule, body);
}

static void write_enqueue(const struct report_record *record, struct markup *body)
{
    const struct enqueue_record *enqueue = &record->of.enqueue;

    write_time_cell(body, enqueue->seconds);
    write_time_cell(body, enqueue->raw_seconds);
    html_number(body, "%.2f \xc2\xb5s", (enqueue->seconds - enqueue->raw_seconds) * 1e6);
    write_count_cell(body, enqueue->repeats);
}

void section_enqueue(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {
        "run", HTML_RIGHT "posemb_enqueue()", HTML_RIGHT "the same calls by hand",
        HTML_RIGHT "the library\xe2\x80\x99s share", HTML_RIGHT "repeats"};

    write_table(report, RECORD_ENQUEUE, "One enqueue on the host: medians", headings,
                COUNT(headings), write_enqueue, body);
}

static void write_split(const struct report_record *record, struct markup *body)
{
    const struct devices_record *devices = &record->of.devices;

    write_shape_cell(body, devices->shape);
    html_cell(body, devices->of);
    write_count_cell(body, devices->count);
    write_time_cell(body, devices->verified ? devices->seconds : 0.0);
    write_time_cell(body, devices->verified ? devices->single_seconds : 0.0);
    write_time_cell(body, devices->verified ? devices->whole_seconds : 0.0);
    write_ratio_cell(body, devices->verified ? devices->single_seconds / devices->seconds : 0.0);
    html_cell(body, devices->verified ? "the reference\xe2\x80\x99s" : "DIFFER");
}

void section_split(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run",
                                           "shape",
                                           "of",
                                           HTML_RIGHT "devices",
                                           HTML_RIGHT "time",
                                           HTML_RIGHT "the fastest alone",
                                           HTML_RIGHT "the whole device",
                                           HTML_RIGHT "speed-up",
                                           "bits"};

    write_table(report, RECORD_DEVICES, "One call split over several devices", headings,
                COUNT(headings), write_split, body);
}

static void write_skip(const struct report_record *record, const char *what, const char *reason,
                       struct markup *body)
{
    html_row_begin(body);
    write_run_cell(body, record->run);
    html_cell(body, what);
    html_cell(body, reason);
    html_row_end(body);
}

/* What was skipped, and the yardsticks that were not right. */
static void write_skips(const struct report *report, struct markup *rows)
{
    char name[REPORT_NAME_SIZE];
    char reason[REPORT_NAME_SIZE];

    for (size_t i = 0; i < report->records->count; i++) {
        const struct report_record *record = &report->records->all[i];

        if (record->kind == RECORD_SKIP)
            write_skip(record, record->of.skip.what, record->of.skip.reason, rows);
        if (record->kind != RECORD_STAGE || !*record->of.stage.wrong)
            continue;
        report_configuration(&record->of.stage, name);
        snprintf(reason, sizeof reason,
                 "the yardstick \"%.100s\" gave wrong values: it has no number",
                 record->of.stage.wrong);
        write_skip(record, name, reason, rows);
    }
}

void section_skipped(const struct report *report, struct markup *body)
{
    static const char *const headings[] = {"run", "what", "why"};
    struct markup rows = {0};

    write_skips(report, &rows);
    body->failed = body->failed || rows.failed;
    if (rows.size > 0) {
        html_table_begin(body, "Not measured", headings, COUNT(headings));
        markup_add(body, rows.bytes);
        html_table_end(body);
    }
    markup_free(&rows);
}

/* ---- All numbers */

static void write_stage(const struct report_record *record, struct markup *body)
{
    const struct stage_record *stage = &record->of.stage;
    const struct yardstick_record *copy = &stage->yardsticks[YARDSTICK_COPY];
    char name[REPORT_NAME_SIZE];
    char bytes[REPORT_NUMBER_SIZE];

    report_configuration(stage, name);
    report_bytes(report_stage_bytes(stage), bytes);
    html_cell(body, name);
    html_number(body, "%s", bytes);
    if (!stage->verified) {
        markup_add(body,
                   "<td colspan=\"14\"><strong>differs from the reference: no times</strong></td>");
        return;
    }
    write_time_cell(body, stage->seconds);
    write_time_cell(body, stage->median_seconds);
    write_time_cell(body, stage->p90_seconds);
    write_time_cell(body, stage->call_seconds);
    write_time_cell(body, stage->event_seconds);
    html_number(body, "%.2f", (double)report_stage_bytes(stage) / stage->seconds / 1e9);
    write_time_cell(body, copy->seconds);
    html_cell(body, copy->seconds > 0.0 ? copy->how : "");
    for (int i = YARDSTICK_COPY; i < YARDSTICK_COUNT; i++)
        write_ratio_cell(body, report_gain(stage, (enum report_yardstick)i) > 0.0
                                   ? 1.0 / report_gain(stage, (enum report_yardstick)i)
                                   : 0.0);
}

static void write_stages(const struct report *report, const char *const *headings, size_t count,
                         struct markup *body)
{
    html_table_begin(body, "Stages: the smallest of the samples, by the wall clock", headings,
                     count);
    for (size_t i = 0; i < report->bits.stage_count; i++) {
        html_row_begin(body);
        write_run_cell(body, report->bits.stages[i]->run);
        write_stage(report->bits.stages[i], body);
        html_row_end(body);
    }
    html_table_end(body);
}

static void write_part(const struct report_record *record, struct markup *body)
{
    const struct part_record *part = &record->of.part;

    write_shape_cell(body, part->shape);
    html_cell(body, part->part);
    write_time_cell(body, part->seconds);
    write_time_cell(body, part->copy_seconds);
    write_ratio_cell(body, part->seconds / part->copy_seconds);
    write_ratio_cell(body, part->ratio_to_plain);
}

static void write_accuracy(const struct report_record *record, struct markup *body)
{
    const struct accuracy_record *accuracy = &record->of.accuracy;
    char error[REPORT_NUMBER_SIZE];

    report_error(accuracy->max_error, error);
    html_cell(body, accuracy->method);
    html_number(body, "%.10g", accuracy->position);
    write_count_cell(body, accuracy->dim);
    html_number(body, "%s", error);
    write_time_cell(body, accuracy->seconds);
    write_ratio_cell(body, accuracy->ratio_to_posemb);
}

static void write_peer(const struct report_record *record, struct markup *body)
{
    const struct peer_record *peer = &record->of.peer;

    html_cell(body, peer->cpu);
    html_cell(body, peer->date);
    html_cell(body, peer->stage);
    write_shape_cell(body, peer->shape);
    html_cell(body, peer->rows);
    html_cell(body, peer->candidate);
    write_count_cell(body, peer->threads);
    write_time_cell(body, peer->seconds);
    write_time_cell(body, peer->median_seconds);
    write_ratio_cell(body, peer->ratio_to_posemb);
    html_number(body, "%.3g", peer->foreign_cpus);
}

static void write_verify(const struct report_record *record, struct markup *body)
{
    write_count_cell(body, record->of.verify.values);
    write_count_cell(body, record->of.verify.differing);
    html_cell(body, record->of.verify.digest);
}

#define TABLE(kind, caption, headings, cells)                                                      \
    write_table(report, kind, caption, headings, COUNT(headings), cells, body)

void section_numbers(const struct report *report, struct markup *body)
{
    static const char *const stages[] = {"run",
                                         "configuration",
                                         HTML_RIGHT "bytes",
                                         HTML_RIGHT "time",
                                         HTML_RIGHT "median",
                                         HTML_RIGHT "90 %",
                                         HTML_RIGHT "one call and its end",
                                         HTML_RIGHT "events",
                                         HTML_RIGHT "GB/s",
                                         HTML_RIGHT "copy",
                                         "which copy",
                                         HTML_RIGHT "\xc3\xb7 copy",
                                         HTML_RIGHT "\xc3\xb7 copy buffer",
                                         HTML_RIGHT "\xc3\xb7 gather",
                                         HTML_RIGHT "\xc3\xb7 gather + table",
                                         HTML_RIGHT "\xc3\xb7 unfused",
                                         HTML_RIGHT "\xc3\xb7 vendor sin"};
    static const char *const parts[] = {"run",
                                        "shape",
                                        "part",
                                        HTML_RIGHT "time",
                                        HTML_RIGHT "copy",
                                        HTML_RIGHT "\xc3\xb7 copy",
                                        HTML_RIGHT "\xc3\xb7 the plain stage"};
    static const char *const accuracies[] = {"run",
                                             "method",
                                             HTML_RIGHT "position",
                                             HTML_RIGHT "D",
                                             HTML_RIGHT "error",
                                             HTML_RIGHT "time",
                                             HTML_RIGHT "\xc3\xb7 posemb"};
    static const char *const peers[] = {"machine",
                                        "date",
                                        "stage",
                                        "shape",
                                        "rows",
                                        "package",
                                        HTML_RIGHT "threads",
                                        HTML_RIGHT "time",
                                        HTML_RIGHT "median",
                                        HTML_RIGHT "\xc3\xb7 posemb",
                                        HTML_RIGHT "CPUs taken by others"};
    static const char *const verifies[] = {"run", HTML_RIGHT "values", HTML_RIGHT "that differ",
                                           "digest"};
    const size_t before = body->size;

    markup_add(body, "<details><summary>All measured numbers</summary>\n");
    const size_t begin = body->size;
    if (report->bits.stage_count > 0)
        write_stages(report, stages, COUNT(stages), body);
    TABLE(RECORD_PART, "Parts of the stage", parts, write_part);
    TABLE(RECORD_ACCURACY, "Errors", accuracies, write_accuracy);
    TABLE(RECORD_VERIFY, "posemb verify", verifies, write_verify);
    TABLE(RECORD_PEER, "Other packages", peers, write_peer);
    if (body->size == begin && !body->failed) {
        body->size = before;
        return;
    }
    markup_add(body, "</details>\n");
}

/* ---- How to read it */

void section_reading(const struct report *report, struct markup *body)
{
    (void)report;
    markup_add(
        body,
        "<dl class=\"words\">\n"
        "<dt>stage</dt><dd>one <code>posemb_enqueue()</code>: lookup, scale, positions, and what "
        "the "
        "configuration names, as one kernel. Every element of its output was compared with the CPU "
        "reference before it was timed; without that there is no number.</dd>\n"
        "<dt>[B,S]\xc3\x97"
        "D</dt><dd>B texts of S tokens, D channels each. \xe2\x80\x9c"
        "f16 \xe2\x86\x92 f32\xe2\x80\x9d: "
        "rows of half floats, an output of floats; without an arrow both are f32.</dd>\n"
        "<dt>copy</dt><dd>the best plain copy of as many bytes as the stage must move: "
        "<code>clEnqueueCopyBuffer</code> and copy kernels of several widths and store kinds. Its "
        "time "
        "is the copy limit; 100&#160;% is as fast as that. The stage may pass it where it reads "
        "less "
        "than the copy does, as <code>table</code> does, or where hot rows stay in the "
        "cache.</dd>\n"
        "<dt>gather</dt><dd>the rows alone, by the same tricks as the stage\xe2\x80\x99s.</dd>\n"
        "<dt>gather + table</dt><dd>the rows plus a precomputed table of positions in fp32, by the "
        "same tricks.</dd>\n"
        "<dt>unfused</dt><dd>a kernel for each step, as engines without fusion have them.</dd>\n"
        "<dt>vendor sin</dt><dd>one kernel with the vendor\xe2\x80\x99s sin, cos and exp2, a "
        "work-item "
        "for each pair.</dd>\n"
        "<dt>cold, hot</dt><dd>rows of the table that a launch does not find in the cache, and "
        "rows "
        "that it does.</dd>\n"
        "<dt>with a reader</dt><dd>a kernel that reads the output follows, after the stage and "
        "after "
        "the yardstick.</dd>\n"
        "<dt>shares, \xc3\xb7</dt><dd>times of the same round divided, the median over the rounds, "
        "so that a "
        "slow minute of the machine hits both; of old records and of parts, the smallest times "
        "divided.</dd>\n"
        "<dt>times</dt><dd>the smallest of the samples, where a sample is a batch of launches by "
        "the "
        "wall clock, divided by the launches. Nothing is averaged over devices or runs.</dd>\n"
        "</dl>\n");
}
