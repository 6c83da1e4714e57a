/* Tasks that an encoder can only do where it knows the order of its tokens. */
#include "tasks.h"

#include "status.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Who chases whom */

static const char *const words[] = {
    "the", "was",   "by",    "yesterday", ".",     "who",   "whom",   "dog",    "cat",
    "fox", "hen",   "boy",   "girl",      "king",  "queen", "farmer", "knight", "chased",
    "met", "found", "heard", "old",       "small", "quick", "brown"};

/* How far before: numbers that titles have too. */
#define DISTANCE        4
#define LONG_DISTANCE   3
#define TEXT_OF(number) #number
#define TEXT(macro)     TEXT_OF(macro)

enum {
    WORD_THE,
    WORD_WAS,
    WORD_BY,
    WORD_YESTERDAY,
    WORD_STOP,
    WORD_WHO,
    WORD_WHOM,
    WORD_NOUN,
    NOUNS = 10,
    WORD_VERB = WORD_NOUN + NOUNS,
    VERBS = 4,
    WORD_ADJECTIVE = WORD_VERB + VERBS,
    ADJECTIVES = 4,
    WORDS = WORD_ADJECTIVE + ADJECTIVES,
    SENTENCE_MAX = 12, /* yesterday the old dog was chased by the small cat . who */
    LETTERS = 32
};

/* [yesterday] the [A] N chased the [A] N .   or   [yesterday] the [A] N was chased by the [A] N .
 */
struct sentence {
    uint32_t nouns[2];      /* as they come */
    uint32_t adjectives[2]; /* of each; ADJECTIVES: none */
    uint32_t verb;
    bool yesterday;
    bool passive;
    bool whom; /* what is asked */
};

static const struct task tasks[TASKS] = {
    [TASK_WHO] = {.name = "who",
                  .title = "Who chases whom?",
                  .summary =
                      "who did it, or to whom, in active and passive sentences of one grammar",
                  .vocab = WORDS,
                  .classes = NOUNS,
                  .train_length_least = 7,
                  .train_length_most = SENTENCE_MAX,
                  .sequences = 32,
                  .steps = 800},
    [TASK_DISTANCE] = {.name = "distance",
                       .title = "Which token stood " TEXT(DISTANCE) " places before?",
                       .summary = "at every place of 16 different tokens, which one stood " TEXT(
                           DISTANCE) " before",
                       .vocab = LETTERS,
                       .classes = LETTERS,
                       .train_length_least = 16,
                       .train_length_most = 16,
                       .distance = DISTANCE,
                       .sequences = 24,
                       .steps = 300},
    [TASK_LENGTH] =
        {.name = "length",
         .title = TEXT(LONG_DISTANCE) " before, in longer sequences?",
         .summary = "which token stood " TEXT(
             LONG_DISTANCE) " places before, trained with 8 to 16 tokens, tested with 32 too",
         .vocab = LETTERS,
         .classes = LETTERS,
         .train_length_least = 8,
         .train_length_most = 16,
         .distance = LONG_DISTANCE,
         .sequences = 32,
         .steps = 300,
         .long_length = TASK_PLACES_MAX},
};

const struct task *task_of(enum task_kind kind)
{
    return &tasks[kind];
}

static void begin(struct batch *batch)
{
    batch->sequences = 0;
    batch->tokens = 0;
    batch->label_count = 0;
}

static void add_word(struct batch *batch, uint32_t word)
{
    batch->ids[batch->tokens++] = (int32_t)word;
}

static void add_label(struct batch *batch, uint32_t token, uint32_t label)
{
    batch->labelled[batch->label_count] = token;
    batch->labels[batch->label_count++] = label;
}

static void end_sequence(struct batch *batch)
{
    batch->starts[++batch->sequences] = batch->tokens;
}

/* Nouns that are only tested together, never learned from together, in either order. */
static bool is_kept_apart(uint32_t a, uint32_t b)
{
    return (a + b) % 5 == 0;
}

static struct sentence make_sentence(struct random *random, bool is_test)
{
    struct sentence made;

    do {
        made.nouns[0] = random_below(random, NOUNS);
        made.nouns[1] = random_below(random, NOUNS);
    } while (made.nouns[0] == made.nouns[1] ||
             is_kept_apart(made.nouns[0], made.nouns[1]) != is_test);
    for (int i = 0; i < 2; i++)
        made.adjectives[i] = random_below(random, ADJECTIVES + 1);
    made.verb = random_below(random, VERBS);
    made.yesterday = random_below(random, 2) == 1;
    made.passive = random_below(random, 2) == 1;
    made.whom = random_below(random, 2) == 1;
    return made;
}

static void add_noun(struct batch *batch, const struct sentence *sentence, int which)
{
    add_word(batch, WORD_THE);
    if (sentence->adjectives[which] < ADJECTIVES)
        add_word(batch, WORD_ADJECTIVE + sentence->adjectives[which]);
    add_word(batch, WORD_NOUN + sentence->nouns[which]);
}

static void add_sentence(struct batch *batch, const struct sentence *sentence)
{
    if (sentence->yesterday)
        add_word(batch, WORD_YESTERDAY);
    add_noun(batch, sentence, 0);
    if (sentence->passive)
        add_word(batch, WORD_WAS);
    add_word(batch, WORD_VERB + sentence->verb);
    if (sentence->passive)
        add_word(batch, WORD_BY);
    add_noun(batch, sentence, 1);
    add_word(batch, WORD_STOP);
    add_word(batch, sentence->whom ? WORD_WHOM : WORD_WHO);
    add_label(batch, batch->tokens - 1, sentence->nouns[sentence->passive != sentence->whom]);
    end_sequence(batch);
}

/* Two sentences of the same words that have the nouns the other way round: who knows the words
 * alone is right about one of them. */
static void add_twins(struct batch *batch, struct sentence sentence)
{
    const uint32_t first = sentence.nouns[0];
    const uint32_t adjective = sentence.adjectives[0];

    add_sentence(batch, &sentence);
    sentence.nouns[0] = sentence.nouns[1];
    sentence.nouns[1] = first;
    sentence.adjectives[0] = sentence.adjectives[1];
    sentence.adjectives[1] = adjective;
    add_sentence(batch, &sentence);
}

void task_show_sentence(const struct batch *batch, uint32_t s, char *text, size_t size)
{
    size_t used = 0;

    *text = '\0';
    for (uint32_t t = batch->starts[s]; t < batch->starts[s + 1] && used < size; t++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "",
                                 words[batch->ids[t]]);
}

const char *task_show_class(uint32_t class_index)
{
    return words[WORD_NOUN + class_index];
}

/* ---- Which token stood k places before */

/* `length` different letters, of each of which but the first ones the label is what stood before
 * it. */
static void add_letters(struct batch *batch, const struct task *task, struct random *random,
                        uint32_t length)
{
    const uint32_t start = batch->tokens;
    uint32_t letters[LETTERS];

    for (uint32_t i = 0; i < LETTERS; i++)
        letters[i] = i;
    for (uint32_t i = 0; i < length; i++) {
        const uint32_t other = i + random_below(random, LETTERS - i);
        const uint32_t letter = letters[other];

        letters[other] = letters[i];
        letters[i] = letter;
        add_word(batch, letter);
        if (i >= task->distance)
            add_label(batch, start + i, letters[i - task->distance]);
    }
    end_sequence(batch);
}

/* ---- Batches */

uint32_t task_length_max(const struct task *task)
{
    return task->long_length > task->train_length_most ? task->long_length
                                                       : task->train_length_most;
}

uint32_t task_tokens_max(const struct task *task)
{
    return task->sequences * task->train_length_most;
}

posemb_status batch_create(const struct task *task, struct batch *batch, posemb_error *error)
{
    const size_t tokens = task_tokens_max(task);

    memset(batch, 0, sizeof *batch);
    batch->starts = calloc(tokens + 1, sizeof *batch->starts);
    batch->ids = calloc(tokens, sizeof *batch->ids);
    batch->labelled = calloc(tokens, sizeof *batch->labelled);
    batch->labels = calloc(tokens, sizeof *batch->labels);
    if (batch->starts && batch->ids && batch->labelled && batch->labels)
        return POSEMB_OK;
    batch_free(batch);
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu tokens", tokens);
}

void batch_free(struct batch *batch)
{
    free(batch->starts);
    free(batch->ids);
    free(batch->labelled);
    free(batch->labels);
    memset(batch, 0, sizeof *batch);
}

void task_train(const struct task *task, struct random *random, struct batch *batch)
{
    const uint32_t lengths = task->train_length_most - task->train_length_least + 1;

    begin(batch);
    for (uint32_t s = 0; s < task->sequences; s++) {
        if (task->distance) {
            add_letters(batch, task, random,
                        task->train_length_least + random_below(random, lengths));
        } else {
            const struct sentence sentence = make_sentence(random, false);

            add_sentence(batch, &sentence);
        }
    }
}

void task_test(const struct task *task, struct random *random, uint32_t length, struct batch *batch)
{
    const uint32_t most = (task->distance ? 1 : 2) * length;

    begin(batch);
    while (batch->tokens + most <= task_tokens_max(task)) {
        if (task->distance)
            add_letters(batch, task, random, length);
        else
            add_twins(batch, make_sentence(random, true));
    }
}

double task_chance(const struct task *task, uint32_t length)
{
    return task->distance ? 1.0 / (length - 1) : 0.5;
}
