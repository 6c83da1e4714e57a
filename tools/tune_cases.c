/* What `posemb tune` measures: a list of cases, and what the options make of it. */
#include "tune_cases.h"

#include "command.h"
#include "options.h"
#include "storage.h"
#include "tuning_entry.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CASE(op, table, norm, dim)                                                                 \
    {                                                                                              \
        POSEMB_##op, POSEMB_SINUSOIDAL, POSEMB_##table, POSEMB_F32, POSEMB_NORM_##norm, dim        \
    }

static const struct tuner_case usual[] = {
    CASE(ENCODE, F32, NONE, 384),   CASE(ENCODE, F32, NONE, 1024),  CASE(ENCODE, F32, NONE, 4096),
    CASE(ENCODE, BF16, NONE, 384),  CASE(ENCODE, BF16, NONE, 1024), CASE(ENCODE, BF16, NONE, 4096),
    CASE(ENCODE, Q8_0, NONE, 1024), CASE(ENCODE, Q4_0, NONE, 1024), CASE(ENCODE, F32, LAYER, 384),
    CASE(ENCODE, F32, LAYER, 1024), CASE(ENCODE, F32, RMS, 1024),   CASE(ENCODE, F32, RMS, 4096),
    CASE(ADD, F32, NONE, 1024),     CASE(TABLE, F32, NONE, 1024),
};
static const struct tuner_case quick[] = {
    CASE(ENCODE, F32, NONE, 1024),
    CASE(ENCODE, F32, LAYER, 1024),
};

/* What each option may ask for; dim has numbers. */
enum wished { OPERATION, POSITION, TABLE, OUT, NORM, DIM, WISHES };

static const struct {
    const char *option;
    enum posemb__selector selector;
    uint64_t usual;
} wishes[WISHES] = {
    [OPERATION] = {"op", POSEMB__FOR_OPERATION, POSEMB_ENCODE},
    [POSITION] = {"position", POSEMB__FOR_POSITION, POSEMB_SINUSOIDAL},
    [TABLE] = {"table", POSEMB__FOR_TABLE, POSEMB_F32},
    [OUT] = {"out-type", POSEMB__FOR_OUT, POSEMB_F32},
    [NORM] = {"norm", POSEMB__FOR_NORM, POSEMB_NORM_NONE},
    [DIM] = {"dim", POSEMB__FOR_DIM, 1024},
};

struct values {
    uint64_t value[TUNE_VALUES_MAX];
    size_t count;
};

static const char *word_of(enum posemb__selector selector, uint64_t value)
{
    const struct posemb__choice *choice = posemb__selector_choices(selector);

    while (choice->word && choice->value != value)
        choice++;
    return choice->word;
}

/* One word of a list. */
static bool read_word(enum wished k, const char *text, uint64_t *value)
{
    const struct posemb__choice *choice = posemb__selector_choices(wishes[k].selector);
    int64_t number = 0;

    if (k == DIM) {
        const bool good = parse_int64(text, 1, POSEMB_DIM_MAX, &number);

        *value = (uint64_t)number;
        return good;
    }
    while (choice->word && strcmp(choice->word, text) != 0)
        choice++;
    *value = choice->value;
    return choice->word != NULL;
}

/* Words, separated by commas; the usual where there are none. */
static int read_list(const char *command, enum wished k, const char *text, struct values *values)
{
    values->count = 0;
    if (!text) {
        values->value[values->count++] = wishes[k].usual;
        return EXIT_DONE;
    }
    for (const char *word = text; word;) {
        const char *comma = strchr(word, ',');
        const size_t size = comma ? (size_t)(comma - word) : strlen(word);
        char copy[16] = "";

        if (size < sizeof copy)
            snprintf(copy, sizeof copy, "%.*s", (int)size, word);
        if (size >= sizeof copy || values->count == TUNE_VALUES_MAX ||
            !read_word(k, copy, &values->value[values->count++]))
            return command_usage(command,
                                 "--%s is \"%s\", not a list, separated by commas, of what the "
                                 "tuning can select as %s, at most %d",
                                 wishes[k].option, text, k == OUT ? "out" : wishes[k].option,
                                 TUNE_VALUES_MAX);
        word = comma ? comma + 1 : NULL;
    }
    return EXIT_DONE;
}

/* Whether there is such a case. Of the operation that reads no rows there is one storage. */
static bool is_valid(const struct tuner_case *tuned, uint64_t first_table)
{
    if (tuned->operation == POSEMB_ADD && posemb__is_table_storage(tuned->table))
        return false;
    if (tuned->operation == POSEMB_TABLE &&
        (tuned->table != first_table || tuned->position == POSEMB_NO_POSITION))
        return false;
    return posemb_storage_row_bytes(tuned->table, tuned->dim) > 0;
}

static void add_case(struct tune_list *list, const struct tuner_case *tuned, uint64_t first_table)
{
    if (!is_valid(tuned, first_table) || list->count == TUNE_CASES_MAX)
        return;
    list->cases[list->count] = *tuned;
    if (tuned->operation == POSEMB_TABLE)
        list->cases[list->count].table = POSEMB_F32;
    list->count++;
}

static void multiply(const struct values values[WISHES], struct tune_list *list)
{
    size_t product = 1;

    for (int k = 0; k < WISHES; k++)
        product *= values[k].count;
    for (size_t i = 0; i < product; i++) {
        uint64_t chosen[WISHES];
        size_t rest = i;

        for (int k = WISHES - 1; k >= 0; k--) {
            chosen[k] = values[k].value[rest % values[k].count];
            rest /= values[k].count;
        }
        const struct tuner_case tuned = {
            (posemb_operation)chosen[OPERATION], (posemb_position_kind)chosen[POSITION],
            (posemb_storage)chosen[TABLE],       (posemb_storage)chosen[OUT],
            (posemb_norm)chosen[NORM],           (uint32_t)chosen[DIM]};

        add_case(list, &tuned, values[TABLE].value[0]);
    }
}

int tune_cases_of(const char *command, const struct tune_wish *wish, struct tune_list *list)
{
    const char *const texts[WISHES] = {wish->operation, wish->position, wish->table,
                                       wish->out,       wish->norm,     wish->dim};
    struct values values[WISHES];
    bool asked = false;

    list->count = 0;
    for (int k = 0; k < WISHES; k++) {
        const int status = read_list(command, (enum wished)k, texts[k], &values[k]);

        if (status != EXIT_DONE)
            return status;
        asked |= texts[k] != NULL;
    }
    if (asked) {
        multiply(values, list);
    } else {
        list->count = wish->quick ? sizeof quick / sizeof *quick : sizeof usual / sizeof *usual;
        memcpy(list->cases, wish->quick ? quick : usual, list->count * sizeof *list->cases);
    }
    if (list->count > 0)
        return EXIT_DONE;
    return command_usage(command, "there is nothing that is all of that: blocks have D of whole "
                                  "blocks, add takes no int8 or blocks");
}

/* ---- Selectors */

static bool differ_by_dim_alone(const struct tuner_case *a, const struct tuner_case *b)
{
    return a->operation == b->operation && a->position == b->position && a->table == b->table &&
           a->out == b->out && a->norm == b->norm && a->dim != b->dim;
}

/* The D that lies between two. */
static uint32_t middle(uint32_t a, uint32_t b)
{
    return (uint32_t)sqrt((double)a * b);
}

static void range_of(const struct tune_list *list, size_t index, uint32_t *least, uint32_t *most)
{
    const struct tuner_case *tuned = &list->cases[index];

    *least = tuned->dim / 2 + 1;
    *most = tuned->dim < POSEMB_DIM_MAX / 2 ? 2 * tuned->dim : POSEMB_DIM_MAX;
    for (size_t i = 0; i < list->count; i++) {
        const uint32_t dim = list->cases[i].dim;

        if (!differ_by_dim_alone(&list->cases[i], tuned))
            continue;
        if (dim < tuned->dim && middle(dim, tuned->dim) + 1 > *least)
            *least = middle(dim, tuned->dim) + 1;
        if (dim > tuned->dim && middle(dim, tuned->dim) < *most)
            *most = middle(dim, tuned->dim);
    }
}

static size_t write_words(const struct tuner_case *tuned, char text[TUNE_SELECTORS_SIZE])
{
    size_t at = (size_t)snprintf(text, TUNE_SELECTORS_SIZE, "op=%s",
                                 word_of(POSEMB__FOR_OPERATION, tuned->operation));

    if (tuned->position != POSEMB_SINUSOIDAL)
        at += (size_t)snprintf(text + at, TUNE_SELECTORS_SIZE - at, " position=%s",
                               word_of(POSEMB__FOR_POSITION, tuned->position));
    if (tuned->operation != POSEMB_TABLE)
        at += (size_t)snprintf(text + at, TUNE_SELECTORS_SIZE - at, " table=%s",
                               word_of(POSEMB__FOR_TABLE, tuned->table));
    if (tuned->out != POSEMB_F32)
        at += (size_t)snprintf(text + at, TUNE_SELECTORS_SIZE - at, " out=%s",
                               word_of(POSEMB__FOR_OUT, tuned->out));
    return at + (size_t)snprintf(text + at, TUNE_SELECTORS_SIZE - at, " norm=%s",
                                 word_of(POSEMB__FOR_NORM, tuned->norm));
}

void tune_selectors_of(const struct tune_list *list, size_t index, char text[TUNE_SELECTORS_SIZE])
{
    const size_t at = write_words(&list->cases[index], text);
    uint32_t least;
    uint32_t most;

    range_of(list, index, &least, &most);
    snprintf(text + at, TUNE_SELECTORS_SIZE - at, " dim=%" PRIu32 "..%" PRIu32, least, most);
}

void tune_case_name(const struct tuner_case *tuned, char text[TUNE_SELECTORS_SIZE])
{
    const size_t at = write_words(tuned, text);

    snprintf(text + at, TUNE_SELECTORS_SIZE - at, " dim=%" PRIu32, tuned->dim);
}
