/* posemb sentences: what positions do to sentences, on the token rows of a real model. */
#include "bench.h"
#include "command.h"
#include "options.h"
#include "stage_tables.h"
#include "target.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: posemb sentences --tokens FILE[:TENSOR] --words FILE --out FILE.npy [--device DEV]\n"
    "                        [--ids-out FILE.npy] [--positions-out FILE.npy] SENTENCE SENTENCE\n\n"
    "Look up the words of two sentences in a model's token table, add sinusoidal positions, and "
    "show\n"
    "what those are for: without them two sentences of the same words are the same bag of rows.\n\n"
    "  --tokens  the token table, as in posemb encode\n"
    "  --words   text, one word a line: line i is row i of the table\n"
    "  --out     receives the embeddings, float32 [T, D], both sentences one after the other\n"
    "  --ids-out, --positions-out  receive the row and the position of each word, int32 [T], for "
    "posemb\n"
    "            encode\n"
    "  --device  as in posemb encode\n";

enum { OPTION_WORDS = 512, OPTION_IDS_OUT, SENTENCES = 2, TOKENS_MAX = 4096 };

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"words", required_argument, NULL, OPTION_WORDS},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"out", required_argument, NULL, OPTION_OUT},
    {"ids-out", required_argument, NULL, OPTION_IDS_OUT},
    {"positions-out", required_argument, NULL, OPTION_POSITIONS_OUT},
    {NULL, 0, NULL, 0}};

struct demonstration {
    const char *tokens;
    const char *words_path;
    const char *device;
    const char *out_path;
    const char *ids_path;       /* NULL: not wanted */
    const char *positions_path; /* likewise */
    const char *sentences[SENTENCES];
    char *words_text;
    const char **words; /* [vocab] */
    uint64_t word_count;
    float *table;
    uint64_t vocab;
    uint32_t dim;
    int32_t ids[TOKENS_MAX];
    int32_t positions[TOKENS_MAX];
    uint32_t lengths[SENTENCES];
    uint32_t count;
    float *out;
    float *expected;
};

static int fail(const char *format, const char *what)
{
    fprintf(stderr, "posemb sentences: ");
    fprintf(stderr, format, what);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t used = 0;
    size_t capacity = 0;

    while (file) {
        char *grown;
        size_t got;

        if (used + 1 >= capacity) {
            capacity = capacity ? 2 * capacity : 65536;
            grown = realloc(text, capacity);
            if (!grown)
                break;
            text = grown;
        }
        got = fread(text + used, 1, capacity - used - 1, file);
        used += got;
        text[used] = '\0';
        if (got == 0)
            break;
    }
    if (file)
        fclose(file);
    return text;
}

/* Cut the text into lines, in place. */
static int read_words(struct demonstration *show)
{
    uint64_t lines = 1;

    show->words_text = read_text(show->words_path);
    if (!show->words_text)
        return fail("%s cannot be read", show->words_path);
    for (const char *c = show->words_text; *c; c++)
        lines += *c == '\n';
    show->words = calloc(lines, sizeof *show->words);
    if (!show->words)
        return fail("no memory for %s", show->words_path);
    for (char *line = show->words_text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        show->words[show->word_count++] = line;
        line = end;
    }
    if (show->word_count != show->vocab)
        return fail("%s does not have one word for each row of the token table", show->words_path);
    return EXIT_DONE;
}

static int64_t find_word(const struct demonstration *show, const char *word)
{
    for (uint64_t i = 0; i < show->word_count; i++)
        if (strcmp(show->words[i], word) == 0)
            return (int64_t)i;
    return -1;
}

static int add_word(struct demonstration *show, int sentence, char *word)
{
    int64_t id;

    for (char *c = word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    id = find_word(show, word);
    if (id < 0) {
        fprintf(stderr, "posemb sentences: \"%s\" is not a word of %s\n", word, show->words_path);
        return EXIT_FAILED;
    }
    if (show->count == TOKENS_MAX)
        return fail("more than 4096 words%s", "");
    show->ids[show->count] = (int32_t)id;
    show->positions[show->count++] = (int32_t)show->lengths[sentence]++;
    return EXIT_DONE;
}

/* Words are what stands between spaces; positions begin anew with each sentence. */
static int read_sentence(struct demonstration *show, int sentence)
{
    char *text = strdup(show->sentences[sentence]);
    int status = text ? EXIT_DONE : EXIT_FAILED;
    char *rest = NULL;

    for (char *word = text ? strtok_r(text, " \t\n", &rest) : NULL; word && status == EXIT_DONE;
         word = strtok_r(NULL, " \t\n", &rest))
        status = add_word(show, sentence, word);
    free(text);
    if (status == EXIT_DONE && show->lengths[sentence] == 0)
        return fail("sentence \"%s\" has no words", show->sentences[sentence]);
    return status;
}

static posemb_desc describe(const struct demonstration *show)
{
    return (posemb_desc){.dim = show->dim,
                         .positions = POSEMB_POSITIONS_EXPLICIT,
                         .token_scale = sqrtf((float)show->dim)};
}

static posemb_host_args arguments_of(struct demonstration *show, float *out)
{
    return (posemb_host_args){
        .shape = {.batch = 1, .length = show->count, .vocab = show->vocab},
        .ids = show->ids,
        .table = show->table,
        .positions = show->positions,
        .out = out,
    };
}

/* How many rows of the first sentence have an equal row in the second, each used once. */
static uint32_t matching_rows(const struct demonstration *show, bool with_positions)
{
    const uint32_t first = show->lengths[0];
    bool used[TOKENS_MAX] = {false};
    uint32_t matches = 0;

    for (uint32_t a = 0; a < first; a++)
        for (uint32_t b = first; b < show->count; b++) {
            const float *row_a = show->out + (size_t)a * show->dim;
            const float *row_b = show->out + (size_t)b * show->dim;
            const bool equal = with_positions
                                   ? posemb_compare_bits(row_a, row_b, show->dim, NULL) == 0
                                   : show->ids[a] == show->ids[b];
            if (used[b] || !equal)
                continue;
            used[b] = true;
            matches++;
            break;
        }
    return matches;
}

static void print_rows(const struct demonstration *show)
{
    for (uint32_t i = 0, sentence = 0; i < show->count; i++) {
        const float *row = show->out + (size_t)i * show->dim;

        if (show->positions[i] == 0)
            printf("\n  \"%s\"\n", show->sentences[sentence++]);
        printf("    position %2" PRId32 "  %-10s row %3" PRId32 "  %8.4f %8.4f %8.4f %8.4f ...\n",
               show->positions[i], show->words[show->ids[i]], show->ids[i], (double)row[0],
               (double)row[1], (double)row[2], (double)row[3]);
    }
}

static void print_bags(const struct demonstration *show)
{
    const uint32_t longer =
        show->lengths[0] > show->lengths[1] ? show->lengths[0] : show->lengths[1];
    const uint32_t without = matching_rows(show, false);
    const uint32_t with = matching_rows(show, true);

    printf("\n  without positions: %" PRIu32 " of %" PRIu32
           " rows of one sentence are rows of the other%s\n",
           without, longer, without == longer ? ": the same bag of rows, the order is lost" : "");
    printf("  with positions:    %" PRIu32 " of %" PRIu32 "%s\n\n", with, longer,
           with == longer ? ": the sentences are the same" : ": the order is in the rows");
}

/* Seconds of a launch of some shape, beside a copy of the same bytes. */
static int print_one(struct bench *bench, const struct bench_case *bench_case, const char *note)
{
    struct bench_result result;
    posemb_error error;

    if (bench_run(bench, NULL, bench_case, &result, &error) != POSEMB_OK)
        return command_failed(&error);
    printf("  one launch of [%" PRIu32 ", %" PRIu32 ", %" PRIu32 "]: ", bench_case->batch,
           bench_case->length, bench_case->dim);
    if (result.verified)
        printf("%.1f us, %.2f x a plain copy of the same bytes%s\n", result.seconds * 1e6,
               result.seconds / result.yardsticks[BENCH_COPY].seconds, note);
    else if (result.skipped)
        printf("not measured: %s\n", result.skipped);
    else
        printf("not measured: %zu values differ from the reference\n", result.differing);
    return result.differing ? EXIT_FAILED : EXIT_DONE;
}

static int print_measurement(const struct demonstration *show, const struct target *target)
{
    const struct bench_case sentences = {
        .batch = 1, .length = show->count, .dim = show->dim, .rule = BENCH_EXPLICIT};
    const struct bench_case prefill = {.batch = 8, .length = 2048, .dim = show->dim};
    const struct bench_settings settings = {
        .seconds = 1.0, .limit_seconds = 30.0, .yardsticks = 1u << BENCH_COPY};
    struct bench *bench;
    posemb_error error;
    int status;

    if (!target->session) {
        printf("  time: not measured on the reference\n");
        return EXIT_DONE;
    }
    if (bench_create(target->session, &settings, &bench, &error) != POSEMB_OK)
        return command_failed(&error);
    status = print_one(bench, &sentences, " (launch cost alone)");
    if (status == EXIT_DONE)
        status = print_one(bench, &prefill, "");
    bench_destroy(bench);
    return status;
}

static int run_and_compare(struct demonstration *show, const struct target *target)
{
    const posemb_desc desc = describe(show);
    const size_t values = (size_t)show->count * show->dim;
    posemb_host_args args = arguments_of(show, NULL);
    posemb_error error;
    size_t differing;

    show->out = malloc((values + 1) * sizeof *show->out);
    show->expected = malloc((values + 1) * sizeof *show->expected);
    if (!show->out || !show->expected)
        return fail("no memory for the embeddings%s", "");
    args.out = show->out;
    if (target_run(target, &desc, &args, &error) != POSEMB_OK)
        return command_failed(&error);
    args.out = show->expected;
    if (posemb_reference_run(&desc, &args, &error) != POSEMB_OK)
        return command_failed(&error);
    differing = posemb_compare_bits(show->out, show->expected, values, NULL);
    printf("  device: %s\n  shape: [%" PRIu32 ", %" PRIu32
           "] float32, token rows times sqrt(%" PRIu32 ") plus vaswani positions\n"
           "  values whose bits differ from the reference: %zu\n",
           target_name(target), show->count, show->dim, show->dim, differing);
    return differing ? EXIT_FAILED : EXIT_DONE;
}

/* Row and position of each word, for another command. */
static posemb_status write_words(const struct demonstration *show, posemb_error *error)
{
    const uint64_t count = show->count;
    posemb_status status = POSEMB_OK;

    if (show->ids_path)
        status = npy_write(show->ids_path, NPY_I4, 1, &count, show->ids, error);
    if (status == POSEMB_OK && show->positions_path)
        status = npy_write(show->positions_path, NPY_I4, 1, &count, show->positions, error);
    return status;
}

static int write_rows(const struct demonstration *show)
{
    const uint64_t shape[] = {show->count, show->dim};
    posemb_error error;

    if (write_words(show, &error) != POSEMB_OK ||
        npy_write(show->out_path, NPY_F4, 2, shape, show->out, &error) != POSEMB_OK)
        return command_failed(&error);
    printf("  embeddings: %s\n", show->out_path);
    return EXIT_DONE;
}

static int show_all(struct demonstration *show, const struct target *target)
{
    int status = run_and_compare(show, target);

    if (status != EXIT_DONE)
        return status;
    print_rows(show);
    print_bags(show);
    fflush(stdout);
    status = print_measurement(show, target);
    if (status == EXIT_DONE)
        status = write_rows(show);
    return status;
}

static int read_all(struct demonstration *show)
{
    posemb_error error;
    int status = EXIT_DONE;

    if (read_float_table("a token table", show->tokens, &show->table, &show->vocab, &show->dim,
                         &error) != POSEMB_OK)
        return command_failed(&error);
    status = read_words(show);
    for (int i = 0; status == EXIT_DONE && i < SENTENCES; i++)
        status = read_sentence(show, i);
    return status;
}

static int run(struct demonstration *show)
{
    struct target target;
    posemb_error error;
    int status = read_all(show);

    if (status != EXIT_DONE)
        return status;
    if (target_open(show->device, POSEMB_CACHE_DEFAULT, &target, &error) != POSEMB_OK)
        return command_failed(&error);
    status = show_all(show, &target);
    target_close(&target);
    return status;
}

static int parse(int count, char **arguments, struct demonstration *show)
{
    int letter;

    optind = 1;
    while ((letter = getopt_long(count, arguments, "h", options_taken, NULL)) != -1) {
        switch (letter) {
        case OPTION_HELP:
            fputs(help, stdout);
            return -1;
        case OPTION_TOKENS:
            show->tokens = optarg;
            break;
        case OPTION_WORDS:
            show->words_path = optarg;
            break;
        case OPTION_DEVICE:
            show->device = optarg;
            break;
        case OPTION_OUT:
            show->out_path = optarg;
            break;
        case OPTION_IDS_OUT:
            show->ids_path = optarg;
            break;
        case OPTION_POSITIONS_OUT:
            show->positions_path = optarg;
            break;
        default:
            return command_usage(arguments[0], "the options are wrong");
        }
    }
    if (!show->tokens || !show->words_path || !show->out_path)
        return command_usage(arguments[0], "--tokens, --words and --out are needed");
    if (count - optind != SENTENCES)
        return command_usage(arguments[0], "two sentences are needed, not %d", count - optind);
    for (int i = 0; i < SENTENCES; i++)
        show->sentences[i] = arguments[optind + i];
    return EXIT_DONE;
}

int command_sentences(int count, char **arguments)
{
    struct demonstration *show = calloc(1, sizeof *show);
    int status;

    if (!show)
        return fail("no memory%s", "");
    status = parse(count, arguments, show);
    if (status == EXIT_DONE)
        status = run(show);
    free(show->words_text);
    free(show->words);
    free(show->table);
    free(show->out);
    free(show->expected);
    free(show);
    return status < 0 ? EXIT_DONE : status;
}
