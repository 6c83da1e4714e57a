/* Tuning text: what it selects and sets, which entry wins, and every error. */
#include "desc.h"
#include "tuning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const posemb_desc encode = {.dim = 384,
                                   .operation = POSEMB_ENCODE,
                                   .position_kind = POSEMB_SINUSOIDAL,
                                   .tokens = {.storage = POSEMB_F16},
                                   .rows_storage = POSEMB_F32,
                                   .out_storage = POSEMB_BF16,
                                   .norm = POSEMB_NORM_LAYER,
                                   .positions = POSEMB_POSITIONS_INDEX,
                                   .padding = POSEMB_PADDING_NONE,
                                   .consumer = POSEMB_CONSUMER_FOLLOWS};

static struct posemb__tuning_subject subject_of(const posemb_desc *desc)
{
    return (struct posemb__tuning_subject){.platform = "Portable Computing Language",
                                           .device = "pthread-AMD EPYC (16 cores)",
                                           .driver = "3.1+debian",
                                           .is_cpu = true,
                                           .shape = POSEMB__CPU,
                                           .desc = desc};
}

/* The tuning of a subject by `text`, over rows=16 and turns=64. */
static struct posemb__tuning tune(const char *text, const struct posemb__tuning_subject *subject)
{
    struct posemb__tuning_text texts[2];
    struct posemb__tuning tuning;
    posemb_error error;

    assert_int_equal(posemb__tuning_parse("any: rows=16\nany: turns=64", &texts[0], NULL),
                     POSEMB_OK);
    if (posemb__tuning_parse(text, &texts[1], &error) != POSEMB_OK)
        fail_msg("\"%s\": %s", text, error.message);
    tuning = posemb__tuning_find(texts, 2, subject);
    posemb__tuning_free(&texts[0]);
    posemb__tuning_free(&texts[1]);
    return tuning;
}

/* Whether an entry for `selectors` reaches the subject. */
static bool reaches(const char *selectors, const struct posemb__tuning_subject *subject)
{
    char text[256];
    uint64_t rows;

    snprintf(text, sizeof text, "%s: rows=2", selectors);
    rows = tune(text, subject).value[POSEMB__SET_ROWS];
    assert_true(rows == 2 || rows == 16);
    return rows == 2;
}

static void test_every_selector(void **state)
{
    static const struct {
        const char *yes, *no;
    } rows[] = {
        {"platform=portable", "platform=CUDA"},
        {"device=\"AMD EPYC (\"", "device=\"AMD EPYC  (\""},
        {"device=epyc", "device=epycs"},
        {"device=\"pthread-AMD EPYC (16 cores)\"", "device=\"pthread-AMD EPYC (16 cores))\""},
        {"driver=3.1", "driver=3.11"},
        {"driver=debian", "driver=ubuntu"},
        {"type=cpu", "type=gpu"},
        {"shape=cpu", "shape=gpu"},
        {"op=encode", "op=add"},
        {"OP=Encode", "op=table"},
        {"position=sinusoidal", "position=learned"},
        {"table=f16", "table=f32"},
        {"table=F16", "table=q4_0"},
        {"out=bf16", "out=f32"},
        {"norm=layer", "norm=rms"},
        {"norm=LAYER", "norm=none"},
        {"dim=384", "dim=383"},
        {"dim=384..384", "dim=385..65536"},
        {"dim=1..65536", "dim=1..383"},
        {"dim=300..400 op=encode type=cpu", "dim=300..400 op=encode type=gpu"},
        {"any", "table=q6_k"},
    };
    const struct posemb__tuning_subject subject = subject_of(&encode);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!reaches(rows[i].yes, &subject))
            fail_msg("%s is not taken", rows[i].yes);
        if (reaches(rows[i].no, &subject))
            fail_msg("%s is taken", rows[i].no);
    }
}

static void test_tables_are_what_is_read(void **state)
{
    posemb_desc desc = encode;
    const struct posemb__tuning_subject subject = subject_of(&desc);

    (void)state;
    desc.operation = POSEMB_ADD;
    assert_true(reaches("table=f32", &subject));
    assert_false(reaches("table=f16", &subject));
    desc.operation = POSEMB_TABLE;
    assert_false(reaches("table=f32", &subject));
    assert_true(reaches("op=table", &subject));
}

static void test_every_storage_has_its_word(void **state)
{
    static const char *const words[] = {"f32",  "f16",  "bf16", "i8",   "q8_0", "q4_0", "q4_1",
                                        "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"};
    posemb_desc desc = encode;
    const struct posemb__tuning_subject subject = subject_of(&desc);

    (void)state;
    for (int storage = POSEMB_F32; storage <= POSEMB_Q6_K; storage++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            char text[32];

            desc.tokens.storage = (posemb_storage)storage;
            snprintf(text, sizeof text, "table=%s", words[i]);
            assert_int_equal(reaches(text, &subject), (size_t)storage == i + 1);
        }
}

static void test_without_a_description_only_devices_are_known(void **state)
{
    const struct posemb__tuning_subject subject = subject_of(NULL);

    (void)state;
    assert_true(reaches("any", &subject));
    assert_true(reaches("device=epyc type=cpu shape=cpu", &subject));
    assert_false(reaches("op=encode", &subject));
    assert_false(reaches("dim=1..65536", &subject));
    assert_false(reaches("norm=none", &subject));
}

static void test_types_of_devices(void **state)
{
    struct posemb__tuning_subject subject = subject_of(&encode);

    (void)state;
    subject.is_cpu = false;
    assert_false(reaches("type=cpu", &subject));
    assert_false(reaches("type=gpu", &subject));
    subject.is_gpu = true;
    assert_true(reaches("type=gpu", &subject));
    subject.is_cpu = true; /* both at once: as posemb__device_shape() has it */
    assert_true(reaches("type=gpu", &subject));
    assert_false(reaches("type=cpu", &subject));
}

static void test_the_later_entry_wins(void **state)
{
    const struct posemb__tuning_subject subject = subject_of(&encode);
    const struct posemb__tuning tuning = tune("op=encode dim=384 norm=layer: rows=1 prefetch=3\n"
                                              "any: rows=4\n"
                                              "op=add: rows=8\n"
                                              "any: kept=9\n",
                                              &subject);

    (void)state;
    assert_int_equal(tuning.value[POSEMB__SET_ROWS], 4);     /* not the more special one */
    assert_int_equal(tuning.value[POSEMB__SET_PREFETCH], 3); /* setting by setting */
    assert_int_equal(tuning.value[POSEMB__SET_KEPT], 9);
    assert_int_equal(tuning.value[POSEMB__SET_TURNS], 64); /* of the text before */
}

static void test_entries_choose_the_shape_first(void **state)
{
    static const char text[] = "shape=gpu: rows=1\n"
                               "shape=cpu: rows=2\n"
                               "op=encode: shape=gpu\n"
                               "op=add: shape=cpu\n";
    struct posemb__tuning_subject subject = subject_of(&encode);
    struct posemb__tuning tuning = tune(text, &subject);

    (void)state;
    assert_int_equal(tuning.value[POSEMB__SET_SHAPE], POSEMB__GPU);
    assert_int_equal(tuning.value[POSEMB__SET_ROWS], 1);
    subject.shape_is_given = true; /* by the engine's options: no entry changes it */
    tuning = tune(text, &subject);
    assert_int_equal(tuning.value[POSEMB__SET_SHAPE], POSEMB__CPU);
    assert_int_equal(tuning.value[POSEMB__SET_ROWS], 2);
}

static void test_every_setting(void **state)
{
    static const struct {
        const char *text;
        enum posemb__setting setting;
        uint64_t value;
    } rows[] = {
        {"shape=gpu", POSEMB__SET_SHAPE, POSEMB__GPU},
        {"Shape=CPU", POSEMB__SET_SHAPE, POSEMB__CPU},
        {"vector=8", POSEMB__SET_VECTOR, 8},
        {"vector=4", POSEMB__SET_VECTOR, 4},
        {"local_size=auto", POSEMB__SET_LOCAL_SIZE, 0},
        {"local_size=4096", POSEMB__SET_LOCAL_SIZE, 4096},
        {"local_size=1", POSEMB__SET_LOCAL_SIZE, 1},
        {"rows=1", POSEMB__SET_ROWS, 1},
        {"rows=16", POSEMB__SET_ROWS, 16},
        {"rows=\"08\"", POSEMB__SET_ROWS, 8},
        {"shared_rows=off", POSEMB__SET_SHARED_ROWS, 0},
        {"shared_rows=16", POSEMB__SET_SHARED_ROWS, 16},
        {"turns=1", POSEMB__SET_TURNS, 1},
        {"turns=64", POSEMB__SET_TURNS, 64},
        {"prefetch=0", POSEMB__SET_PREFETCH, 0},
        {"prefetch=1024", POSEMB__SET_PREFETCH, 1024},
        {"kept=0", POSEMB__SET_KEPT, 0},
        {"kept=65536", POSEMB__SET_KEPT, 65536},
        {"streamed_threshold=0", POSEMB__SET_STREAMED, 0},
        {"streamed_threshold=4096", POSEMB__SET_STREAMED, 4096},
        {"streamed_threshold=3K", POSEMB__SET_STREAMED, 3072},
        {"follows_threshold=24m", POSEMB__SET_FOLLOWS, 24 << 20},
        {"follows_threshold=2G", POSEMB__SET_FOLLOWS, UINT64_C(2) << 30},
        {"follows_threshold=17179869183G", POSEMB__SET_FOLLOWS, UINT64_C(17179869183) << 30},
        {"follows_threshold=18446744073709551615", POSEMB__SET_FOLLOWS, UINT64_MAX},
        {"follows_threshold=never", POSEMB__SET_FOLLOWS, UINT64_MAX},
        {"count_columns=0", POSEMB__SET_COLUMNS, 0},
        {"count_columns=65536", POSEMB__SET_COLUMNS, 65536},
        {"count_chunk=16", POSEMB__SET_CHUNK, 16},
        {"count_chunk=65536", POSEMB__SET_CHUNK, 65536},
    };
    const struct posemb__tuning_subject subject = subject_of(&encode);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];

        snprintf(text, sizeof text, "any: %s", rows[i].text);
        if (tune(text, &subject).value[rows[i].setting] != rows[i].value)
            fail_msg("%s gives %" PRIu64, rows[i].text,
                     tune(text, &subject).value[rows[i].setting]);
    }
}

static void test_blanks_comments_and_ends_of_lines(void **state)
{
    static const char text[] = "\n# any: rows=1\r\n"
                               "   \t\r\n"
                               "any:turns=2#3\r\n"
                               "\tany \t: kept=1\t  prefetch=5 # and more: no error=\n"
                               "device=\"# no comment\": rows=1\n"
                               "# caf\xc3\xa9 \x01\n"
                               "any: vector=8";
    const struct posemb__tuning_subject subject = subject_of(&encode);
    const struct posemb__tuning tuning = tune(text, &subject);

    (void)state;
    assert_int_equal(tuning.value[POSEMB__SET_ROWS], 16);
    assert_int_equal(tuning.value[POSEMB__SET_TURNS], 2);
    assert_int_equal(tuning.value[POSEMB__SET_KEPT], 1);
    assert_int_equal(tuning.value[POSEMB__SET_PREFETCH], 5);
    assert_int_equal(tuning.value[POSEMB__SET_VECTOR], 8);
}

static void test_no_text_is_no_tuning(void **state)
{
    static const char *const texts[] = {NULL, "", "\n\n", "# nothing"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct posemb__tuning_text parsed;

        assert_int_equal(posemb__tuning_parse(texts[i], &parsed, NULL), POSEMB_OK);
        assert_int_equal(parsed.count, 0);
        posemb__tuning_free(&parsed);
    }
}

static void assert_refused(const char *text, const char *words)
{
    struct posemb__tuning_text parsed = {.count = 1};
    posemb_error error = {.message = ""};

    if (posemb__tuning_parse(text, &parsed, &error) != POSEMB_INVALID_ARGUMENT)
        fail_msg("\"%s\" is taken", text);
    assert_int_equal(error.status, POSEMB_INVALID_ARGUMENT);
    if (!strstr(error.message, words))
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, error.message, words);
    assert_int_equal(parsed.count, 0);
    assert_null(parsed.text);
    assert_null(parsed.entries);
    assert_int_equal(posemb__tuning_parse(text, &parsed, NULL), POSEMB_INVALID_ARGUMENT);
}

static void test_every_error_names_its_line(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"any: rows=3", "line 1: rows is \"3\", not a power of two from 1 to 16"},
        {"\n\nany: rows=32", "line 3: rows is \"32\", not a power of two from 1 to 16"},
        {"any: rows=0", "rows is \"0\""},
        {"any: rows=-1", "rows is \"-1\""},
        {"any: rows=8.0", "rows is \"8.0\""},
        {"any: rows=0x8", "rows is \"0x8\""},
        {"any: rows=auto", "rows is \"auto\""},
        {"any: rows=18446744073709551617", "rows is \"18446744073709551617\""},
        {"any: rows=", "there is no value after \"rows\"="},
        {"any: rows= 8", "there is no value after \"rows\"="},
        {"any: rows", "\"rows\" has no =value right after it"},
        {"any: rows =8", "\"rows\" has no =value right after it"},
        {"any: rows=\"8", "the quotes of \"rows\" do not end in their line"},
        {"any: rows=\"8\nany: rows=\"", "line 1: the quotes of \"rows\" do not end"},
        {"any: rows=\"\"", "there is nothing in the quotes of \"rows\""},
        {"any: rows=8=8", "a name is expected, not \"=\""},
        {"any: rows=8 rows=8", "\"rows\" is set twice"},
        {"any: row=8", "there is nothing called \"row\" to set; there are shape, vector"},
        {"any: op=add", "there is nothing called \"op\" to set"},
        {"any: rows=8 : rows=4", "a name is expected, not \":\""},
        {"any: vector=16", "vector is \"16\", not a power of two from 4 to 8"},
        {"any: vector=2", "vector is \"2\""},
        {"any: local_size=8192",
         "local_size is \"8192\", not a power of two from 1 to 4096 or auto"},
        {"any: local_size=0", "local_size is \"0\""},
        {"any: shared_rows=32", "shared_rows is \"32\", not a power of two from 1 to 16 or off"},
        {"any: turns=0", "turns is \"0\", not a whole number from 1 to 64"},
        {"any: turns=65", "turns is \"65\""},
        {"any: prefetch=1025", "prefetch is \"1025\", not a whole number from 0 to 1024"},
        {"any: kept=65537", "kept is \"65537\""},
        {"any: count_columns=65537", "count_columns is \"65537\""},
        {"any: count_chunk=15", "count_chunk is \"15\", not a whole number from 16 to 65536"},
        {"any: count_chunk=65537", "count_chunk is \"65537\""},
        {"any: streamed_threshold=4MB", "streamed_threshold is \"4MB\", neither bytes"},
        {"any: streamed_threshold=K", "streamed_threshold is \"K\""},
        {"any: streamed_threshold=17179869184G", "streamed_threshold is \"17179869184G\""},
        {"any: follows_threshold=always", "follows_threshold is \"always\""},
        {"any: shape=wide", "\"wide\" is none of cpu, gpu (shape)"},
        {"any:", "nothing is set after \":\""},
        {"any: # rows=8", "nothing is set after \":\""},
        {"any", "\"any\" has no =value right after it"},
        {"any op=add: rows=8", "\"any\" has no =value right after it"},
        {": rows=8", "a name is expected, not \":\""},
        {"op=add rows=8", "there is nothing called \"rows\" to select; there are platform, device"},
        {"op=add", "there is no colon after \"op\""},
        {"op=add # : rows=8", "there is no colon after \"op\""},
        {"op=add\n: rows=8", "line 1: there is no colon after \"op\""},
        {"op=add op=add: rows=8", "\"op\" is selected twice"},
        {"op=mul: rows=8", "\"mul\" is none of encode, add, table (op)"},
        {"type=accelerator: rows=8", "\"accelerator\" is none of cpu, gpu (type)"},
        {"table=f64: rows=8", "\"f64\" is none of f32, f16, bf16, i8, q8_0, q4_0"},
        {"out=i8: rows=8", "\"i8\" is none of f32, f16, bf16 (out)"},
        {"norm=batch: rows=8", "\"batch\" is none of none, layer, rms (norm)"},
        {"position=rotary: rows=8", "\"rotary\" is none of sinusoidal, learned, none (position)"},
        {"dim=0: rows=8", "dim is \"0\", neither a number from 1 to 65536 nor a range"},
        {"dim=65537: rows=8", "dim is \"65537\""},
        {"dim=9..8: rows=8", "dim is \"9..8\""},
        {"dim=1..65537: rows=8", "dim is \"1..65537\""},
        {"dim=8..: rows=8", "dim is \"8..\""},
        {"dim=8.: rows=8", "dim is \"8.\""},
        {"dim=8.9: rows=8", "dim is \"8.9\""},
        {"dim=..8: rows=8", "dim is \"..8\""},
        {"dim=1...8: rows=8", "dim is \"1...8\""},
        {"dim=x: rows=8", "dim is \"x\""},
        {"shape=cpu: shape=gpu", "\"shape\" is selected and set in one entry"},
        {"device=\x01: rows=8\nx", "line 2: \"x\" has no =value right after it"},
        {"any: rows=\x80\x1b[2J", "rows is \"??[2J\""},
        {"any:\rrows=8", "a name is expected, not \"?\""},
        {"any: shape=\"a word that is far longer than any that there can be\"",
         "\"a word that is far longer than any that ther...\" is none of"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i].text, rows[i].words);
}

static void test_text_has_a_limit(void **state)
{
    char *text = malloc(POSEMB__TUNING_TEXT_MAX + 2);
    struct posemb__tuning_text parsed;

    (void)state;
    assert_non_null(text);
    memset(text, '\n', POSEMB__TUNING_TEXT_MAX + 1);
    text[POSEMB__TUNING_TEXT_MAX] = '\0';
    memcpy(text + POSEMB__TUNING_TEXT_MAX - 11, "any: rows=2", 11);
    assert_int_equal(posemb__tuning_parse(text, &parsed, NULL), POSEMB_OK);
    assert_int_equal(parsed.count, 1);
    posemb__tuning_free(&parsed);
    text[POSEMB__TUNING_TEXT_MAX] = '\n';
    text[POSEMB__TUNING_TEXT_MAX + 1] = '\0';
    assert_refused(text, "more than 262144 characters");
    free(text);
}

/* ---- What is built in */

static void assert_every_setting_is_in_range(const struct posemb__tuning *tuning)
{
    for (int k = 0; k < POSEMB__SETTINGS; k++) {
        const struct posemb__setting_info *info = posemb__setting_info((enum posemb__setting)k);

        if (tuning->value[k] == 0 && info->none)
            continue;
        if (tuning->value[k] < info->least || tuning->value[k] > info->most)
            fail_msg("%s is %" PRIu64, info->name, tuning->value[k]);
    }
}

static void test_what_is_built_in_sets_everything(void **state)
{
    struct posemb__tuning_subject subject = subject_of(&encode);
    struct posemb__tuning_text texts[2];
    posemb_error error;

    (void)state;
    if (posemb__tuning_parse(posemb__tuning_builtin, &texts[1], &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    /* Over a text that sets all to values that are nowhere built in. */
    assert_int_equal(
        posemb__tuning_parse("any: vector=8 local_size=2 rows=16 shared_rows=16 turns=61 "
                             "prefetch=61 kept=61 streamed_threshold=61 follows_threshold=61 "
                             "count_columns=61 count_chunk=61",
                             &texts[0], NULL),
        POSEMB_OK);
    for (uint64_t shape = POSEMB__CPU; shape <= POSEMB__GPU; shape++) {
        struct posemb__tuning built_in, over;

        subject.shape = shape;
        built_in = posemb__tuning_find(&texts[1], 1, &subject);
        over = posemb__tuning_find(texts, 2, &subject);
        assert_int_equal(built_in.value[POSEMB__SET_SHAPE], shape);
        assert_every_setting_is_in_range(&built_in);
        assert_memory_equal(&built_in, &over, sizeof over);
    }
    posemb__tuning_free(&texts[0]);
    posemb__tuning_free(&texts[1]);
}

/* ---- Which settings a plan uses, and how they are written */

static bool uses(const posemb_desc *desc, uint64_t shape, enum posemb__setting setting)
{
    return posemb__settings_used(desc, shape) >> setting & 1u;
}

static void test_settings_that_have_an_effect(void **state)
{
    posemb_desc desc = encode;

    (void)state;
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_TURNS));
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_PREFETCH));
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_FOLLOWS));
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_SHARED_ROWS));
    assert_false(uses(&desc, POSEMB__CPU, POSEMB__SET_STREAMED));
    assert_false(uses(&desc, POSEMB__CPU, POSEMB__SET_KEPT));
    assert_false(uses(&desc, POSEMB__CPU, POSEMB__SET_VECTOR));
    assert_false(uses(&desc, POSEMB__CPU, POSEMB__SET_CHUNK));
    assert_true(uses(&desc, POSEMB__GPU, POSEMB__SET_KEPT));
    assert_true(uses(&desc, POSEMB__GPU, POSEMB__SET_LOCAL_SIZE));
    assert_false(uses(&desc, POSEMB__GPU, POSEMB__SET_VECTOR));
    assert_false(uses(&desc, POSEMB__GPU, POSEMB__SET_FOLLOWS));
    assert_false(uses(&desc, POSEMB__GPU, POSEMB__SET_PREFETCH));
    desc.norm = POSEMB_NORM_NONE;
    desc.operation = POSEMB_ADD;
    desc.consumer = POSEMB_CONSUMER_STREAMED;
    desc.positions = POSEMB_POSITIONS_COUNT;
    desc.padding = POSEMB_PADDING_MASK;
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_TURNS));
    assert_false(uses(&desc, POSEMB__GPU, POSEMB__SET_TURNS));
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_PREFETCH));
    assert_false(uses(&desc, POSEMB__GPU, POSEMB__SET_PREFETCH));
    assert_false(uses(&desc, POSEMB__CPU, POSEMB__SET_SHARED_ROWS));
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_STREAMED));
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_COLUMNS));
    assert_true(uses(&desc, POSEMB__GPU, POSEMB__SET_CHUNK));
    assert_true(uses(&desc, POSEMB__GPU, POSEMB__SET_VECTOR));
    assert_false(uses(&desc, POSEMB__GPU, POSEMB__SET_KEPT));
    desc = encode;
    desc.norm = POSEMB_NORM_NONE;
    desc.dim = 2048;
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_SHARED_ROWS));
    desc.dim = 2049;
    assert_false(uses(&desc, POSEMB__CPU, POSEMB__SET_SHARED_ROWS));
    assert_true(uses(&desc, POSEMB__GPU, POSEMB__SET_SHARED_ROWS));
    desc.position_kind = POSEMB_LEARNED;
    assert_true(uses(&desc, POSEMB__CPU, POSEMB__SET_SHARED_ROWS));
}

static void test_what_is_written_is_read(void **state)
{
    static const uint64_t bytes[] = {0,         1, 1023, 1024, 1536, 3 << 20, UINT64_C(5) << 40,
                                     UINT64_MAX};
    const unsigned all = (1u << POSEMB__SETTINGS) - 1u;
    struct posemb__tuning_subject subject = subject_of(&encode);
    struct posemb__tuning tuning = {{POSEMB__GPU, 8, 0, 16, 0, 64, 64, 65536, 0, 0, 65536, 65536}};

    (void)state;
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        char line[POSEMB__TUNING_LINE_SIZE];
        struct posemb__tuning again;

        tuning.value[POSEMB__SET_STREAMED] = bytes[i];
        tuning.value[POSEMB__SET_FOLLOWS] = bytes[sizeof bytes / sizeof *bytes - 1 - i];
        posemb__tuning_format(&tuning, all, line);
        assert_true(strlen(line) < POSEMB__TUNING_LINE_SIZE - 64);
        again = tune(line, &subject);
        assert_memory_equal(&again, &tuning, sizeof tuning);
    }
}

static void test_lines_have_what_is_used(void **state)
{
    const struct posemb__tuning tuning = {{POSEMB__CPU, 4, 1, 8, 8, 4, 12, 0, 0, 24 << 20, 0, 0}};
    char line[POSEMB__TUNING_LINE_SIZE];

    (void)state;
    posemb__tuning_format(&tuning, posemb__settings_used(&encode, POSEMB__CPU), line);
    assert_string_equal(
        line, "any: shape=cpu rows=8 shared_rows=8 turns=4 prefetch=12 follows_threshold=24M");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_selector),
        cmocka_unit_test(test_tables_are_what_is_read),
        cmocka_unit_test(test_every_storage_has_its_word),
        cmocka_unit_test(test_without_a_description_only_devices_are_known),
        cmocka_unit_test(test_types_of_devices),
        cmocka_unit_test(test_the_later_entry_wins),
        cmocka_unit_test(test_entries_choose_the_shape_first),
        cmocka_unit_test(test_every_setting),
        cmocka_unit_test(test_blanks_comments_and_ends_of_lines),
        cmocka_unit_test(test_no_text_is_no_tuning),
        cmocka_unit_test(test_every_error_names_its_line),
        cmocka_unit_test(test_text_has_a_limit),
        cmocka_unit_test(test_what_is_built_in_sets_everything),
        cmocka_unit_test(test_settings_that_have_an_effect),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_lines_have_what_is_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
