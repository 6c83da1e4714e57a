/* Tuning text to entries, and the settings that a plan gets of them. tuning_parse.c has the parser.
 */
#include "tuning.h"

#include "desc.h"
#include "tuning_entry.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct posemb__setting_info infos[POSEMB__SETTINGS] = {
    [POSEMB__SET_SHAPE] = {"shape", false, POSEMB__CPU, POSEMB__GPU, NULL},
    [POSEMB__SET_VECTOR] = {"vector", true, 4, 8, NULL},
    [POSEMB__SET_LOCAL_SIZE] = {"local_size", true, 1, 4096, "auto"},
    [POSEMB__SET_ROWS] = {"rows", true, 1, 16, NULL},
    [POSEMB__SET_SHARED_ROWS] = {"shared_rows", true, 1, 16, "off"},
    [POSEMB__SET_TURNS] = {"turns", false, 1, 64, NULL},
    [POSEMB__SET_PREFETCH] = {"prefetch", false, 0, 1024, NULL},
    [POSEMB__SET_KEPT] = {"kept", false, 0, POSEMB_DIM_MAX, NULL},
    [POSEMB__SET_STREAMED] = {"streamed_threshold", false, 0, UINT64_MAX, NULL},
    [POSEMB__SET_FOLLOWS] = {"follows_threshold", false, 0, UINT64_MAX, NULL},
    [POSEMB__SET_COLUMNS] = {"count_columns", false, 0, 65536, NULL},
    [POSEMB__SET_CHUNK] = {"count_chunk", false, 16, 65536, NULL},
};

const struct posemb__setting_info *posemb__setting_info(enum posemb__setting setting)
{
    return &infos[setting];
}

/* A CPU keeps the sinusoids that batch rows share, in rows of so many channels at most:
 * kernels/plain_rows.clh has the same number. Those of longer rows are computed again, which costs
 * less than the memory. */
static bool is_too_long_to_share(const posemb_desc *desc)
{
    static const uint32_t kept_dim = 2048;

    return desc->position_kind == POSEMB_SINUSOIDAL && !posemb__has_norm(desc) &&
           desc->dim > kept_dim;
}

unsigned posemb__settings_used(const posemb_desc *desc, uint64_t shape)
{
    const bool cpu = shape == POSEMB__CPU;
    const bool norm = posemb__has_norm(desc);
    const bool asks = desc->operation == POSEMB_ENCODE || (desc->operation == POSEMB_ADD && !norm);
    const enum posemb__setting stores =
        desc->consumer == POSEMB_CONSUMER_STREAMED ? POSEMB__SET_STREAMED : POSEMB__SET_FOLLOWS;
    unsigned used = 1u << POSEMB__SET_SHAPE | 1u << POSEMB__SET_ROWS;

    if (posemb__shares_positions(desc) && !(cpu && is_too_long_to_share(desc)))
        used |= 1u << POSEMB__SET_SHARED_ROWS;
    if (posemb__counts_tokens(desc))
        used |= 1u << POSEMB__SET_COLUMNS | 1u << POSEMB__SET_CHUNK;
    if (cpu)
        return used | 1u << stores | 1u << POSEMB__SET_TURNS |
               (asks ? 1u << POSEMB__SET_PREFETCH : 0u);
    return used | 1u << POSEMB__SET_LOCAL_SIZE |
           (norm ? 1u << POSEMB__SET_KEPT : 1u << POSEMB__SET_VECTOR);
}

static bool holds(const char *text, struct posemb__word part)
{
    const size_t length = strlen(text);

    for (size_t at = 0; at + part.size <= length; at++) {
        size_t i = 0;

        while (i < part.size &&
               tolower((unsigned char)text[at + i]) == tolower((unsigned char)part.text[i]))
            i++;
        if (i == part.size)
            return true;
    }
    return false;
}

/* The storage of the rows that are read; 0: there are none. */
static posemb_storage source_storage(const posemb_desc *desc)
{
    if (desc->operation == POSEMB_ENCODE)
        return desc->tokens.storage;
    return desc->operation == POSEMB_ADD ? desc->rows_storage : POSEMB_STORAGE_DEFAULT;
}

/* What a subject has for a selector of one of some words or storages. */
static uint64_t choice_of(const struct posemb__tuning_subject *subject,
                          enum posemb__selector selector)
{
    const posemb_desc *desc = subject->desc;

    switch (selector) {
    case POSEMB__FOR_TYPE:
        return subject->is_gpu ? POSEMB__GPU : (subject->is_cpu ? POSEMB__CPU : 0);
    case POSEMB__FOR_OPERATION:
        return desc->operation;
    case POSEMB__FOR_POSITION:
        return desc->position_kind;
    case POSEMB__FOR_TABLE:
        return source_storage(desc);
    case POSEMB__FOR_OUT:
        return desc->out_storage;
    default:
        return desc->norm;
    }
}

/* `shape`: 0: entries that are for one shape do not match. */
static bool matches(const struct posemb__tuning_entry *entry,
                    const struct posemb__tuning_subject *subject, uint64_t shape)
{
    const char *const names[POSEMB__FOR_NAMES] = {subject->platform, subject->device,
                                                  subject->driver};

    for (int k = 0; k < POSEMB__FOR_NAMES; k++)
        if ((entry->selected >> k & 1u) && !holds(names[k], entry->name[k]))
            return false;
    if ((entry->selected >> POSEMB__FOR_SHAPE & 1u) && entry->choice[POSEMB__FOR_SHAPE] != shape)
        return false;
    if (!subject->desc && entry->selected >> POSEMB__FOR_OPERATION)
        return false;
    for (int k = POSEMB__FOR_TYPE; k < POSEMB__FOR_DIM; k++)
        if (k != POSEMB__FOR_SHAPE && (entry->selected >> k & 1u) &&
            entry->choice[k] != choice_of(subject, (enum posemb__selector)k))
            return false;
    return !(entry->selected >> POSEMB__FOR_DIM & 1u) ||
           (subject->desc->dim >= entry->least_dim && subject->desc->dim <= entry->most_dim);
}

static void apply(const struct posemb__tuning_entry *entry, struct posemb__tuning *tuning)
{
    for (int k = 0; k < POSEMB__SETTINGS; k++)
        if (entry->set >> k & 1u)
            tuning->value[k] = entry->tuning.value[k];
}

struct posemb__tuning posemb__tuning_find(const struct posemb__tuning_text *texts, size_t count,
                                          const struct posemb__tuning_subject *subject)
{
    struct posemb__tuning tuning = {{0}};
    uint64_t shape = subject->shape;

    for (size_t t = 0; !subject->shape_is_given && t < count; t++)
        for (size_t i = 0; i < texts[t].count; i++) {
            const struct posemb__tuning_entry *entry = &texts[t].entries[i];

            if ((entry->set >> POSEMB__SET_SHAPE & 1u) && matches(entry, subject, 0))
                shape = entry->tuning.value[POSEMB__SET_SHAPE];
        }
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < texts[t].count; i++)
            if (matches(&texts[t].entries[i], subject, shape))
                apply(&texts[t].entries[i], &tuning);
    tuning.value[POSEMB__SET_SHAPE] = shape;
    return tuning;
}

void posemb__tuning_free(struct posemb__tuning_text *parsed)
{
    free(parsed->text);
    free(parsed->entries);
    *parsed = (struct posemb__tuning_text){NULL, NULL, 0};
}

static void format_bytes(uint64_t value, char text[POSEMB__VALUE_SIZE])
{
    static const char units[] = "KMG";
    int unit = -1;

    while (unit < 2 && value != 0 && value % 1024 == 0) {
        value /= 1024;
        unit++;
    }
    if (value == UINT64_MAX)
        snprintf(text, POSEMB__VALUE_SIZE, "never");
    else
        snprintf(text, POSEMB__VALUE_SIZE, "%" PRIu64 "%.*s", value, unit >= 0,
                 &units[unit >= 0 ? unit : 0]);
}

void posemb__setting_format(enum posemb__setting setting, uint64_t value,
                            char text[POSEMB__VALUE_SIZE])
{
    const struct posemb__setting_info *info = &infos[setting];

    if (setting == POSEMB__SET_SHAPE)
        snprintf(text, POSEMB__VALUE_SIZE, "%s", value == POSEMB__CPU ? "cpu" : "gpu");
    else if (info->none && value == 0)
        snprintf(text, POSEMB__VALUE_SIZE, "%s", info->none);
    else if (setting == POSEMB__SET_STREAMED || setting == POSEMB__SET_FOLLOWS)
        format_bytes(value, text);
    else
        snprintf(text, POSEMB__VALUE_SIZE, "%" PRIu64, value);
}

void posemb__tuning_format(const struct posemb__tuning *tuning, unsigned used,
                           char line[POSEMB__TUNING_LINE_SIZE])
{
    size_t at = (size_t)snprintf(line, POSEMB__TUNING_LINE_SIZE, "any:");

    for (int k = 0; k < POSEMB__SETTINGS; k++) {
        char value[POSEMB__VALUE_SIZE];

        if (!(used >> k & 1u))
            continue;
        posemb__setting_format((enum posemb__setting)k, tuning->value[k], value);
        at += (size_t)snprintf(line + at, POSEMB__TUNING_LINE_SIZE - at, " %s=%s", infos[k].name,
                               value);
    }
}
