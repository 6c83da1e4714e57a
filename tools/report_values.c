/* Which records belong to a plot, and what they are called there. */
#include "report_values.h"

#include "report_names.h"

#include <stdio.h>
#include <string.h>

/* ---- Other packages */

/* Which copy was the best differs from case to case. */
static const char *package_name(const struct peer_record *peer)
{
    return strncmp(peer->candidate, "copy", 4) == 0 ? "the best copy of as many bytes"
                                                    : peer->candidate;
}

size_t report_package_of(const struct report_packages *packages, const struct peer_record *peer)
{
    size_t i = 0;

    while (i < packages->count && strcmp(packages->names[i], package_name(peer)) != 0)
        i++;
    return i;
}

void report_packages(const struct report_records *records, struct report_packages *packages)
{
    const struct report_record *record;

    packages->count = 0;
    for (size_t place = 0; (record = report_next(records, RECORD_PEER, REPORT_ANY_RUN, &place));) {
        const struct peer_record *peer = &record->of.peer;

        if (strcmp(peer->candidate, "posemb") != 0 && packages->count < REPORT_PACKAGES_MAX &&
            report_package_of(packages, peer) == packages->count)
            packages->names[packages->count++] = package_name(peer);
    }
}

void report_package_letter(size_t package, char letter[4])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz?";

    letter[0] = letters[package < REPORT_PACKAGES_MAX ? package : REPORT_PACKAGES_MAX];
    letter[1] = '\0';
}

/* ---- Values and labels */

static const enum report_yardstick yardsticks[PLOT_COUNT] = {
    [PLOT_GATHER_TABLE] = YARDSTICK_GATHER_TABLE, /* the others have the copy, which is 0 */
    [PLOT_UNFUSED] = YARDSTICK_UNFUSED,
    [PLOT_VENDOR_SIN] = YARDSTICK_VENDOR_SIN,
};

static void join(char label[REPORT_NAME_SIZE], const char *a, const char *b)
{
    snprintf(label, REPORT_NAME_SIZE, "%.190s%s%.190s", a, *a && *b ? ", " : "", b);
}

/* Whether a stage belongs to a plot of shares. The plain one stands beside those of its shape. */
static bool label_share(const struct stage_record *stage, enum report_plot which,
                        struct plot_value *value)
{
    const bool is_plain = report_is_plain_storage(stage);
    char shape[REPORT_SHAPE_SIZE];
    char variation[REPORT_LABEL_SIZE];
    char storage[REPORT_LABEL_SIZE];

    report_shape(stage->shape, shape);
    report_variation(stage, variation);
    report_storage(stage, storage);
    value->is_plain = is_plain && !*variation;
    switch (which) {
    case PLOT_SHAPES:
        join(value->label, shape, "");
        return value->is_plain;
    case PLOT_READERS:
        join(value->label, shape, "");
        return is_plain && strcmp(variation, "with a reader") == 0;
    case PLOT_STORAGES:
        join(value->label, storage, "");
        return !*variation;
    default:
        join(value->label, value->is_plain ? "the plain stage" : variation,
             is_plain ? "" : storage);
        return value->is_plain ||
               (*variation && !(is_plain && strcmp(variation, "with a reader") == 0));
    }
}

static bool label_gain(const struct stage_record *stage, struct plot_value *value)
{
    char shape[REPORT_SHAPE_SIZE];
    char variation[REPORT_LABEL_SIZE];

    report_shape(stage->shape, shape);
    report_variation(stage, variation);
    join(value->label, shape, variation);
    return report_is_plain_storage(stage) && strcmp(stage->rows, "cold") == 0;
}

static void evaluate_stage(const struct stage_record *stage, enum report_plot which,
                           struct plot_value *value)
{
    const bool is_share = yardsticks[which] == YARDSTICK_COPY;

    value->shape = stage->shape;
    if (report_is_small(stage) || which == PLOT_PARTS || which >= PLOT_FIRST_CALLS)
        return;
    if (is_share ? label_share(stage, which, value) : label_gain(stage, value))
        value->value = (is_share ? 100.0 : 1.0) * report_gain(stage, yardsticks[which]);
}

static void evaluate_peer(const struct peer_record *peer, struct plot_value *value)
{
    const bool is_plain = !*peer->malloc_mode || strcmp(peer->malloc_mode, "defaults") == 0;

    snprintf(value->label, sizeof value->label, "%.60s, %.40s rows%s%.40s%s%.60s", peer->stage,
             peer->rows, is_plain ? "" : ", malloc ", is_plain ? "" : peer->malloc_mode,
             *peer->cpu ? ", " : "", peer->cpu);
    value->shape = peer->shape;
    if (strcmp(peer->candidate, "posemb") != 0)
        value->value = peer->ratio_to_posemb;
}

void report_evaluate(const struct report_record *record, enum report_plot which,
                     struct plot_value *value)
{
    const struct first_call_record *call = &record->of.first_call;
    const struct part_record *part = &record->of.part;

    value->value = 0.0;
    value->is_plain = false;
    value->shape = NULL;
    value->label[0] = '\0';
    if (record->kind == RECORD_STAGE) {
        evaluate_stage(&record->of.stage, which, value);
    } else if (record->kind == RECORD_PART && which == PLOT_PARTS) {
        join(value->label, part->part, "");
        value->shape = part->shape;
        value->value = 100.0 * part->copy_seconds / part->seconds;
    } else if (record->kind == RECORD_FIRST_CALL && which == PLOT_FIRST_CALLS) {
        join(value->label, call->caches, "");
        value->value = 1e3 * (call->plan_seconds + call->warmup_seconds + call->first_seconds);
    } else if (record->kind == RECORD_PEER && which == PLOT_PEERS) {
        evaluate_peer(&record->of.peer, value);
    }
}

/* ---- The texts of a bar */

static void describe_stage(const struct stage_record *stage, enum report_plot which, double value,
                           struct svg_bar *bar)
{
    const enum report_yardstick yardstick = yardsticks[which]; /* 0 is the copy */
    char ratio[REPORT_NUMBER_SIZE];
    char time[REPORT_NUMBER_SIZE];
    char other[REPORT_NUMBER_SIZE];

    report_ratio(value, ratio);
    report_time(stage->seconds, time);
    report_time(stage->yardsticks[yardstick].seconds, other);
    if (yardstick == YARDSTICK_COPY)
        snprintf(bar->text, sizeof bar->text, "%.0f %% \xc2\xb7 %s", value, time);
    else
        snprintf(bar->text, sizeof bar->text, "%s \xc2\xb7 %s", ratio, time);
    snprintf(bar->hint, sizeof bar->hint, "%s: stage %s, %s %s (%.100s)", bar->letter, time,
             report_yardstick_name(yardstick), other, stage->yardsticks[yardstick].how);
}

void report_describe(const struct report_record *record, enum report_plot which, double value,
                     struct svg_bar *bar)
{
    char time[REPORT_NUMBER_SIZE];
    char ratio[REPORT_NUMBER_SIZE];

    switch (record->kind) {
    case RECORD_STAGE:
        describe_stage(&record->of.stage, which, value, bar);
        break;
    case RECORD_PART:
        report_time(record->of.part.seconds, time);
        snprintf(bar->text, sizeof bar->text, "%.0f %% \xc2\xb7 %s", value, time);
        break;
    case RECORD_FIRST_CALL:
        report_time(value / 1e3, time);
        snprintf(bar->text, sizeof bar->text, "%s", time);
        snprintf(bar->hint, sizeof bar->hint, "%s: %.200s", bar->letter,
                 record->of.first_call.caches);
        break;
    default:
        report_time(record->of.peer.seconds, time);
        report_ratio(value, ratio);
        snprintf(bar->text, sizeof bar->text, "%s \xc2\xb7 %s", ratio, time);
        snprintf(bar->hint, sizeof bar->hint, "%.200s", record->of.peer.candidate);
        break;
    }
}
