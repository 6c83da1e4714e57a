/* What `posemb tune` has found, as tuning text. */
#include "tune_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void tune_text_add(struct tune_text *text, const char *format, ...)
{
    va_list values;
    va_list again;
    char *grown = NULL;
    int size;

    va_start(values, format);
    va_copy(again, values);
    size = vsnprintf(NULL, 0, format, values);
    if (size >= 0 && !text->failed)
        grown = realloc(text->bytes, text->size + (size_t)size + 1);
    if (grown) {
        vsnprintf(grown + text->size, (size_t)size + 1, format, again);
        text->bytes = grown;
        text->size += (size_t)size;
    }
    text->failed |= !grown;
    va_end(again);
    va_end(values);
}

/* A driver's name as it can stand in a comment, or between quotes: to the first character that
 * cannot. */
static int length_of(const char *name)
{
    int length = 0;

    while ((unsigned char)name[length] >= ' ' && name[length] != '"')
        length++;
    return length;
}

void tune_text_add_head(struct tune_text *text, const posemb_device_info *info)
{
    const time_t now = time(NULL);
    struct tm date;
    char day[16] = "?";

    if (gmtime_r(&now, &date))
        strftime(day, sizeof day, "%Y-%m-%d", &date);
    tune_text_add(text,
                  "# Made by posemb tune %s on %s.\n"
                  "# device: %.*s\n# platform: %.*s; %.*s\n# driver: %.*s\n"
                  "# compute units: %u\n"
                  "# Times are the smallest of one launch; the gain is the median of pairs.\n",
                  posemb_version(), day, length_of(info->name), info->name,
                  length_of(info->platform_name), info->platform_name, length_of(info->version),
                  info->version, length_of(info->driver), info->driver,
                  (unsigned)info->compute_units);
}

static void add_device(struct tune_text *text, const posemb_device_info *info)
{
    if (length_of(info->platform_name) > 0)
        tune_text_add(text, "platform=\"%.*s\" ", length_of(info->platform_name),
                      info->platform_name);
    if (length_of(info->name) > 0)
        tune_text_add(text, "device=\"%.*s\"", length_of(info->name), info->name);
}

void tune_changes_of(const struct tuner_result *result, bool whole,
                     char text[POSEMB__TUNING_LINE_SIZE])
{
    const uint64_t *first = result->first.value;
    const uint64_t *best = result->best.value;
    const bool all = whole || first[POSEMB__SET_SHAPE] != best[POSEMB__SET_SHAPE];
    size_t at = 0;

    text[0] = '\0';
    if (memcmp(&result->first, &result->best, sizeof result->first) == 0)
        return;
    for (int k = 0; k < POSEMB__SETTINGS; k++) {
        char value[POSEMB__VALUE_SIZE];

        if (!(result->used >> k & 1u) || (!all && first[k] == best[k]))
            continue;
        posemb__setting_format((enum posemb__setting)k, best[k], value);
        at += (size_t)snprintf(text + at, POSEMB__TUNING_LINE_SIZE - at, "%s%s=%s", at ? " " : "",
                               posemb__setting_info((enum posemb__setting)k)->name, value);
    }
}

void tune_text_add_result(struct tune_text *text, const posemb_device_info *info,
                          const char *selectors, const char *name,
                          const struct tuner_result *result, bool whole)
{
    char changes[POSEMB__TUNING_LINE_SIZE];

    tune_changes_of(result, whole, changes);
    tune_text_add(text,
                  "\n# %s: a batch of 16 rows %.1f us, one row %.1f us, the best copy %.1f us; %zu "
                  "settings tried\n",
                  name, result->first_times.batch * 1e6, result->first_times.row * 1e6,
                  result->copy_seconds * 1e6, result->tried);
    if (!*changes) {
        tune_text_add(text, "# nothing is better beyond the noise\n");
        return;
    }
    tune_text_add(text, "# %.1f us, %.1f us with what follows: %.3f of the time, noise %.3f\n",
                  result->best_times.batch * 1e6, result->best_times.row * 1e6, result->ratio,
                  result->noise);
    add_device(text, info);
    if (strncmp(changes, "shape=", 6) != 0) /* they are of this shape */
        tune_text_add(text, " shape=%s",
                      result->best.value[POSEMB__SET_SHAPE] == POSEMB__CPU ? "cpu" : "gpu");
    tune_text_add(text, " %s: %s\n", selectors, changes);
}

void tune_text_add_stores(struct tune_text *text, const posemb_device_info *info,
                          enum posemb__setting setting, const struct tuner_stores *stores)
{
    const char *name = posemb__setting_info(setting)->name;
    char value[POSEMB__VALUE_SIZE];

    tune_text_add(text, "\n# %s: streamed / plain stores", name);
    for (size_t k = 0; k < stores->sizes; k++)
        tune_text_add(text, "%s %.2f at %" PRIu64 " MiB", k ? "," : "", stores->ratio[k],
                      stores->bytes[k] >> 20);
    tune_text_add(text, "\n");
    if (stores->best == stores->first) {
        tune_text_add(text, "# what is in force is right, or what is better is in the noise\n");
        return;
    }
    posemb__setting_format(setting, stores->best, value);
    add_device(text, info);
    tune_text_add(text, ": %s=%s\n", name, value);
}
