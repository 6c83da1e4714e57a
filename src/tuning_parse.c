/* The parser of tuning text: strict, and every refusal names the line, the word and what may be
 * there. */
#include "tuning_entry.h"

#include "status.h"
#include "storage.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *at;
    size_t line; /* from 1 */
    posemb_error *error;
};

/* A word for a message: printable, and not too long. */
enum { SHOWN_SIZE = 48 };

static const char *show(struct posemb__word word, char shown[SHOWN_SIZE])
{
    const size_t size = word.size < SHOWN_SIZE - 4 ? word.size : SHOWN_SIZE - 4;

    for (size_t i = 0; i < size; i++)
        shown[i] = (char)(word.text[i] >= ' ' && word.text[i] <= '~' ? word.text[i] : '?');
    snprintf(shown + size, SHOWN_SIZE - size, "%s", size < word.size ? "..." : "");
    return shown;
}

static bool refuse(const struct parser *parser, const char *what, struct posemb__word word,
                   const char *rest)
{
    char shown[SHOWN_SIZE];

    posemb__fail(parser->error, POSEMB_INVALID_ARGUMENT, 0, "tuning, line %zu: %s\"%s\"%s",
                 parser->line, what, show(word, shown), rest);
    return false;
}

static bool is_word(struct posemb__word word, const char *text)
{
    if (strlen(text) != word.size)
        return false;
    for (size_t i = 0; i < word.size; i++)
        if (tolower((unsigned char)word.text[i]) != tolower((unsigned char)text[i]))
            return false;
    return true;
}

static bool is_end(char c)
{
    return c == '\0' || c == '\n' || c == '#';
}

static void skip_blanks(struct parser *parser)
{
    while (*parser->at == ' ' || *parser->at == '\t' ||
           (*parser->at == '\r' && parser->at[1] == '\n'))
        parser->at++;
}

/* Characters up to the next that has a meaning. */
static struct posemb__word take_bare(struct parser *parser)
{
    struct posemb__word word = {parser->at, 0};

    while (!is_end(*parser->at) && !strchr(" \t\r\":=", *parser->at))
        parser->at++;
    word.size = (size_t)(parser->at - word.text);
    return word;
}

/* A bare word, or one in quotes, which may hold anything but quotes and control characters. */
static bool take_value(struct parser *parser, struct posemb__word key, struct posemb__word *value)
{
    const char *const begin = parser->at;

    if (*begin != '"') {
        *value = take_bare(parser);
        return value->size > 0 || refuse(parser, "there is no value after ", key, "=");
    }
    do
        parser->at++;
    while ((unsigned char)*parser->at >= ' ' && *parser->at != '"');
    *value = (struct posemb__word){begin + 1, (size_t)(parser->at - begin) - 1};
    if (*parser->at != '"')
        return refuse(parser, "the quotes of ", key, " do not end in their line");
    parser->at++;
    return value->size > 0 || refuse(parser, "there is nothing in the quotes of ", key, "");
}

/* key=value */
static bool take_pair(struct parser *parser, struct posemb__word *key, struct posemb__word *value)
{
    static const struct posemb__word nothing = {"", 0};

    *key = take_bare(parser);
    if (key->size == 0)
        return refuse(parser, "a name is expected, not ",
                      is_end(*parser->at) ? nothing : (struct posemb__word){parser->at, 1}, "");
    if (*parser->at != '=')
        return refuse(parser, "", *key, " has no =value right after it");
    parser->at++;
    return take_value(parser, *key, value);
}

/* ---- What an entry is for */

static const struct posemb__choice cpu_or_gpu[] = {
    {"cpu", POSEMB__CPU}, {"gpu", POSEMB__GPU}, {NULL, 0}};
static const struct posemb__choice operations[] = {
    {"encode", POSEMB_ENCODE}, {"add", POSEMB_ADD}, {"table", POSEMB_TABLE}, {NULL, 0}};
static const struct posemb__choice positions[] = {{"sinusoidal", POSEMB_SINUSOIDAL},
                                                  {"learned", POSEMB_LEARNED},
                                                  {"none", POSEMB_NO_POSITION},
                                                  {NULL, 0}};
static const struct posemb__choice outs[] = {
    {"f32", POSEMB_F32}, {"f16", POSEMB_F16}, {"bf16", POSEMB_BF16}, {NULL, 0}};
static const struct posemb__choice norms[] = {
    {"none", POSEMB_NORM_NONE}, {"layer", POSEMB_NORM_LAYER}, {"rms", POSEMB_NORM_RMS}, {NULL, 0}};
static const struct posemb__choice tables[] = {
    {"f32", POSEMB_F32},   {"f16", POSEMB_F16},   {"bf16", POSEMB_BF16},
    {"i8", POSEMB_I8},     {"q8_0", POSEMB_Q8_0}, {"q4_0", POSEMB_Q4_0},
    {"q4_1", POSEMB_Q4_1}, {"q5_0", POSEMB_Q5_0}, {"q5_1", POSEMB_Q5_1},
    {"q2_k", POSEMB_Q2_K}, {"q3_k", POSEMB_Q3_K}, {"q4_k", POSEMB_Q4_K},
    {"q5_k", POSEMB_Q5_K}, {"q6_k", POSEMB_Q6_K}, {NULL, 0}};

static const struct {
    const char *name;
    const struct posemb__choice *choices; /* NULL: any text, or a range */
} selectors[POSEMB__SELECTORS] = {
    [POSEMB__FOR_PLATFORM] = {"platform", NULL},
    [POSEMB__FOR_DEVICE] = {"device", NULL},
    [POSEMB__FOR_DRIVER] = {"driver", NULL},
    [POSEMB__FOR_TYPE] = {"type", cpu_or_gpu},
    [POSEMB__FOR_SHAPE] = {"shape", cpu_or_gpu},
    [POSEMB__FOR_OPERATION] = {"op", operations},
    [POSEMB__FOR_POSITION] = {"position", positions},
    [POSEMB__FOR_TABLE] = {"table", tables},
    [POSEMB__FOR_OUT] = {"out", outs},
    [POSEMB__FOR_NORM] = {"norm", norms},
    [POSEMB__FOR_DIM] = {"dim", NULL},
};

const struct posemb__choice *posemb__selector_choices(enum posemb__selector selector)
{
    return selectors[selector].choices;
}

/* One of some words. */
static bool choose(struct parser *parser, struct posemb__word key, struct posemb__word value,
                   const struct posemb__choice *choices, uint64_t *chosen)
{
    char rest[160] = " is none of";
    size_t used = strlen(rest);

    for (size_t i = 0; choices[i].word; i++) {
        if (is_word(value, choices[i].word)) {
            *chosen = choices[i].value;
            return true;
        }
        used += (size_t)snprintf(rest + used, sizeof rest - used, "%s %s", i ? "," : "",
                                 choices[i].word);
    }
    snprintf(rest + used, sizeof rest - used, " (%.*s)", (int)key.size, key.text);
    return refuse(parser, "", value, rest);
}

/* Decimal digits alone; false also where the number does not fit. */
static bool read_number(struct posemb__word word, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < word.size; i++) {
        const uint64_t digit = (uint64_t)word.text[i] - '0';

        if (!isdigit((unsigned char)word.text[i]) || *number > (UINT64_MAX - digit) / 10)
            return false;
        *number = 10 * *number + digit;
    }
    return word.size > 0;
}

/* "N", or "N..M". */
static bool take_dims(struct parser *parser, struct posemb__word value,
                      struct posemb__tuning_entry *entry)
{
    struct posemb__word first = {value.text, 0};
    struct posemb__word last;
    uint64_t least = 0;
    uint64_t most = 0;

    while (first.size < value.size && value.text[first.size] != '.')
        first.size++;
    last = first;
    if (first.size < value.size)
        last = (struct posemb__word){value.text + first.size, value.size - first.size};
    if (last.text != first.text && last.size > 2 && last.text[1] == '.') {
        last.text += 2;
        last.size -= 2;
    }
    if (!read_number(first, &least) || !read_number(last, &most) || least < 1 || least > most ||
        most > POSEMB_DIM_MAX)
        return refuse(parser, "dim is ", value,
                      ", neither a number from 1 to 65536 nor a range N..M of them");
    entry->least_dim = (uint32_t)least;
    entry->most_dim = (uint32_t)most;
    return true;
}

static bool take_selector(struct parser *parser, struct posemb__tuning_entry *entry)
{
    struct posemb__word key;
    struct posemb__word value;
    int k = 0;

    if (!take_pair(parser, &key, &value))
        return false;
    while (k < POSEMB__SELECTORS && !is_word(key, selectors[k].name))
        k++;
    if (k == POSEMB__SELECTORS)
        return refuse(parser, "there is nothing called ", key,
                      " to select; there are platform, device, driver, type, shape, op, position, "
                      "table, out, norm and dim");
    if (entry->selected >> k & 1u)
        return refuse(parser, "", key, " is selected twice");
    entry->selected |= 1u << k;
    if (k < POSEMB__FOR_NAMES) {
        entry->name[k] = value;
        return true;
    }
    if (k == POSEMB__FOR_DIM)
        return take_dims(parser, value, entry);
    return choose(parser, key, value, selectors[k].choices, &entry->choice[k]);
}

/* "any", or selectors, up to the colon. */
static bool take_selectors(struct parser *parser, struct posemb__tuning_entry *entry)
{
    struct parser ahead = *parser;
    const struct posemb__word first = take_bare(&ahead);

    skip_blanks(&ahead);
    if (is_word(first, "any") && *ahead.at == ':') {
        *parser = ahead;
    } else {
        do {
            if (!take_selector(parser, entry))
                return false;
            skip_blanks(parser);
        } while (!is_end(*parser->at) && *parser->at != ':');
    }
    if (*parser->at != ':')
        return refuse(parser, "there is no colon after ", first, " and what follows it");
    parser->at++;
    return true;
}

/* ---- What it sets */

static bool read_bytes(struct posemb__word word, uint64_t *number)
{
    static const char units[] = "KMG";
    const char *unit =
        word.size > 1 ? strchr(units, toupper((unsigned char)word.text[word.size - 1])) : NULL;
    const unsigned shift = unit && *unit ? 10 * (unsigned)(unit - units + 1) : 0;

    if (is_word(word, "never")) {
        *number = UINT64_MAX;
        return true;
    }
    word.size -= shift != 0;
    if (!read_number(word, number) || *number > UINT64_MAX >> shift)
        return false;
    *number <<= shift;
    return true;
}

static bool read_setting(const struct posemb__setting_info *info, struct posemb__word word,
                         uint64_t *number)
{
    *number = 0;
    if (info->none && is_word(word, info->none))
        return true;
    return read_number(word, number) && *number >= info->least && *number <= info->most &&
           !(info->power && (*number & (*number - 1)) != 0);
}

static bool refuse_setting(const struct parser *parser, const struct posemb__setting_info *info,
                           struct posemb__word value)
{
    char what[48];
    char rest[96];

    snprintf(what, sizeof what, "%s is ", info->name);
    snprintf(rest, sizeof rest, ", not a %s from %" PRIu64 " to %" PRIu64 "%s%s",
             info->power ? "power of two" : "whole number", info->least, info->most,
             info->none ? " or " : "", info->none ? info->none : "");
    return refuse(parser, what, value,
                  info->most == UINT64_MAX
                      ? ", neither bytes (a whole number, with K, M or G after it or not) nor never"
                      : rest);
}

static bool take_setting(struct parser *parser, struct posemb__tuning_entry *entry)
{
    const struct posemb__setting_info *info = NULL;
    struct posemb__word key;
    struct posemb__word value;
    uint64_t *number;
    int k = 0;

    if (!take_pair(parser, &key, &value))
        return false;
    while (k < POSEMB__SETTINGS &&
           !is_word(key, (info = posemb__setting_info((enum posemb__setting)k))->name))
        k++;
    if (k == POSEMB__SETTINGS)
        return refuse(parser, "there is nothing called ", key,
                      " to set; there are shape, vector, local_size, rows, shared_rows, turns, "
                      "prefetch, kept, streamed_threshold, follows_threshold, count_columns and "
                      "count_chunk");
    if (entry->set >> k & 1u)
        return refuse(parser, "", key, " is set twice");
    entry->set |= 1u << k;
    number = &entry->tuning.value[k];
    if (k == POSEMB__SET_SHAPE)
        return choose(parser, key, value, cpu_or_gpu, number);
    if (info->most == UINT64_MAX ? read_bytes(value, number) : read_setting(info, value, number))
        return true;
    return refuse_setting(parser, info, value);
}

static bool take_settings(struct parser *parser, struct posemb__tuning_entry *entry)
{
    static const struct posemb__word shape = {"shape", 5};

    skip_blanks(parser);
    while (!is_end(*parser->at)) {
        if (!take_setting(parser, entry))
            return false;
        skip_blanks(parser);
    }
    if (!entry->set)
        return refuse(parser, "nothing is set after ", (struct posemb__word){":", 1}, "");
    if ((entry->selected >> POSEMB__FOR_SHAPE & 1u) && (entry->set >> POSEMB__SET_SHAPE & 1u))
        return refuse(parser, "", shape, " is selected and set in one entry");
    return true;
}

/* ---- Lines */

/* One line, to the newline or the end of the text. */
static bool take_line(struct parser *parser, struct posemb__tuning_text *parsed)
{
    skip_blanks(parser);
    if (!is_end(*parser->at)) {
        struct posemb__tuning_entry *entry = &parsed->entries[parsed->count++];

        memset(entry, 0, sizeof *entry);
        if (!take_selectors(parser, entry) || !take_settings(parser, entry))
            return false;
    }
    while (*parser->at && *parser->at != '\n')
        parser->at++;
    return true;
}

/* Lines that have a colon, as every entry has: no fewer than there are entries. */
static size_t most_entries(const char *text)
{
    bool has_colon = false;
    size_t count = 1;

    for (; *text; text++) {
        count += *text == '\n' && has_colon;
        has_colon = *text == ':' || (has_colon && *text != '\n');
    }
    return count;
}

posemb_status posemb__tuning_parse(const char *text, struct posemb__tuning_text *parsed,
                                   posemb_error *error)
{
    const size_t size = text ? strnlen(text, POSEMB__TUNING_TEXT_MAX + 1) : 0;
    struct parser parser = {.line = 1, .error = error};
    struct posemb__tuning_entry *entries;
    char *copy;
    bool good;

    *parsed = (struct posemb__tuning_text){NULL, NULL, 0};
    if (!text)
        return POSEMB_OK;
    if (size > POSEMB__TUNING_TEXT_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "the tuning has more than %u characters", POSEMB__TUNING_TEXT_MAX);
    copy = malloc(size + 1);
    entries = malloc(most_entries(text) * sizeof *entries);
    if (!copy || !entries) {
        free(copy);
        free(entries);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes of tuning",
                            size);
    }
    memcpy(copy, text, size + 1);
    *parsed = (struct posemb__tuning_text){copy, entries, 0};
    parser.at = copy;
    good = take_line(&parser, parsed);
    while (good && *parser.at == '\n') {
        parser.at++;
        parser.line++;
        good = take_line(&parser, parsed);
    }
    if (!good)
        posemb__tuning_free(parsed);
    return good ? POSEMB_OK : POSEMB_INVALID_ARGUMENT;
}
