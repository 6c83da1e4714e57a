/* posemb report: records read and refused, bits compared, figures on the page, hostile texts. */
#include "report.h"
#include "report_names.h"
#include "report_plots.h"
#include "support/random.h"
#include "support/temp_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Records by hand */

#define RUN_A                                                                                      \
    "{\"schema\":2,\"kind\":\"run\",\"run\":\"000000000000000a\",\"device\":\"First Device\","     \
    "\"platform\":\"Platform\",\"driver\":\"1.0\",\"kernel\":\"k1\",\"seed\":\"7\","               \
    "\"table_rows\":32000,\"environment\":{\"POCL_X\":\"1\"}}\n"
#define RUN_B                                                                                      \
    "{\"schema\":2,\"kind\":\"run\",\"run\":\"000000000000000b\",\"device\":\"Second Device\","    \
    "\"platform\":\"Platform\",\"driver\":\"2.0\",\"kernel\":\"k1\",\"seed\":\"7\","               \
    "\"table_rows\":32000}\n"
#define LINE(run, kind, more)                                                                      \
    "{\"schema\":2,\"kind\":\"" kind "\",\"run\":\"000000000000000" run "\"," more "}\n"
#define STAGE(run, shape, digest, seconds, more)                                                   \
    LINE(run, "stage",                                                                             \
         "\"op\":\"encode\",\"shape\":" shape ",\"verified\":true,\"digest\":\"" digest            \
         "\",\"seconds\":" seconds "," more)
#define COPY(seconds) "\"yardsticks\":{\"copy\":{\"seconds\":" seconds ",\"how\":\"wide\"}}"
#define BIG           "[8,2048,1024]"
#define DIGEST_1      "1111111111111111"
#define DIGEST_2      "2222222222222222"

struct made {
    struct report_records records;
    struct report report;
    struct markup page;
};

static posemb_status read_texts(struct report_records *records, const char *const *texts,
                                size_t count, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < count; i++) {
        char path[TEMP_PATH_SIZE];
        char name[32];

        snprintf(name, sizeof name, "%zu.jsonl", i);
        temp_file_write(&test_folder, name, texts[i], strlen(texts[i]), path);
        status = report_records_read(records, path, error);
    }
    return status;
}

static void make_from(struct made *made, const char *const *texts, size_t count)
{
    posemb_error error = {.message = ""};

    *made = (struct made){.report = {.records = &made->records}};
    if (read_texts(&made->records, texts, count, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_int_equal(report_bits_compare(&made->records, &made->report.bits, &error), POSEMB_OK);
    report_write_page(&made->report, &made->page);
    assert_false(made->page.failed);
}

static void make(struct made *made, const char *text)
{
    make_from(made, &text, 1);
}

static void free_made(struct made *made)
{
    markup_free(&made->page);
    report_bits_free(&made->report.bits);
    report_records_free(&made->records);
}

static void assert_has(const struct markup *markup, const char *text)
{
    if (!strstr(markup->bytes, text))
        fail_msg("\"%s\" is not in it:\n%s", text, markup->bytes);
}

static void assert_lacks(const struct markup *markup, const char *text)
{
    if (strstr(markup->bytes, text))
        fail_msg("\"%s\" is in it", text);
}

/* ---- Well-formed XML, as far as these pages go */

enum { DEPTH_MAX = 64, TAG_MAX = 32 };

/* The name of the tag at `at`, which is after "<" or "</"; returns where it ends. */
static const char *read_name(const char *at, char name[TAG_MAX])
{
    const size_t length = strcspn(at, " \t\n/>");

    assert_in_range(length, 1, TAG_MAX - 1);
    memcpy(name, at, length);
    name[length] = '\0';
    return at + length;
}

/* Pass the attributes of a tag, each of them in double quotes; returns where its ">" or "/>" is. */
static const char *pass_attributes(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\n");
        if (*at == '>' || (at[0] == '/' && at[1] == '>'))
            return at;
        at += strcspn(at, "=<>\"");
        if (at[0] != '=' || at[1] != '"')
            fail_msg("not an attribute: %.60s", at);
        at += 2;
        at += strcspn(at, "\"<");
        assert_int_equal(*at, '"');
        at++;
    }
}

static void assert_well_formed(const struct markup *markup)
{
    char open[DEPTH_MAX][TAG_MAX];
    char name[TAG_MAX];
    size_t depth = 0;

    for (const char *at = markup->bytes; (at = strchr(at, '<'));) {
        if (at[1] == '!') { /* the document's type */
            at = strchr(at, '>') + 1;
        } else if (at[1] == '/') {
            at = read_name(at + 2, name);
            assert_int_equal(*at, '>');
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else {
            assert_true(depth < DEPTH_MAX);
            at = pass_attributes(read_name(at + 1, open[depth]));
            depth += *at == '>';
        }
    }
    assert_int_equal(depth, 0);
}

/* ---- What is refused */

static const struct {
    const char *text;
    const char *words;
} bad[] = {
    {"{", "line 1: it is not JSON"},
    {"\n\n[1]\n", "line 3: a JSON object is needed"},
    {"{\"schema\":2,\"kind\":\"run\"} x", "line 1: it is not JSON"},
    {"{\"schema\":2,\"schema\":2}", "line 1: it is not JSON"},
    {"{\"schema\":3,\"kind\":\"run\"}", "schema: 1 or 2"},
    {"{\"schema\":\"2\",\"kind\":\"run\"}", "schema: 1 or 2"},
    {"{\"kind\":\"run\"}", "schema: 1 or 2"},
    {"{\"schema\":2}", "kind: a text"},
    {"{\"schema\":2,\"kind\":7}", "kind: a text"},
    {"{\"schema\":2,\"kind\":\"run\"}", "run is missing"},
    {"{\"schema\":2,\"kind\":\"run\",\"run\":\"A\"}", "16 lower-case hexadecimal digits"},
    {"{\"schema\":2,\"kind\":\"run\",\"run\":\"000000000000000a\"}", "device is missing"},
    {RUN_A RUN_A, "line 2: run 000000000000000a is there already: 0.jsonl, line 1"},
    {LINE("c", "skip", "\"what\":\"x\",\"reason\":\"y\""), "has no line of kind \"run\""},
    {"{\"schema\":2,\"kind\":\"skip\",\"what\":\"x\",\"reason\":\"y\"}", "run is missing"},
    {RUN_A LINE("a", "skip", "\"what\":3,\"reason\":\"y\""), "line 2: what: a text"},
    {RUN_A LINE("a", "stage", "\"shape\":" BIG ",\"verified\":true"), "op is missing"},
    {RUN_A LINE("a", "stage", "\"op\":\"encode\",\"shape\":" BIG), "verified is missing"},
    {RUN_A LINE("a", "stage", "\"op\":\"encode\",\"shape\":" BIG ",\"verified\":true"),
     "seconds is missing"},
    {RUN_A STAGE("a", "[8,2048]", DIGEST_1, "1e-3", "\"x\":1"), "shape: [B, S, D]"},
    {RUN_A STAGE("a", "[8,2048,0]", DIGEST_1, "1e-3", "\"x\":1"), "shape: [B, S, D]"},
    {RUN_A STAGE("a", "[8,2048,4294967297]", DIGEST_1, "1e-3", "\"x\":1"), "shape: [B, S, D]"},
    {RUN_A STAGE("a", "[8,2048,1.5]", DIGEST_1, "1e-3", "\"x\":1"), "shape: [B, S, D]"},
    {RUN_A STAGE("a", BIG, "1", "1e-3", "\"x\":1"), "digest: a digest"},
    {RUN_A STAGE("a", BIG, "111111111111111G", "1e-3", "\"x\":1"), "digest: a digest"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "0", "\"x\":1"), "seconds: a number above 0"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "-1", "\"x\":1"), "needed, not -1"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1e10", "\"x\":1"), "at most 1e9"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1e999", "\"x\":1"), "line 2: it is not JSON"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "NaN", "\"x\":1"), "line 2: it is not JSON"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "\"1\"", "\"x\":1"), "seconds: a number above 0"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "null", "\"x\":1"), "seconds: a number above 0"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"yardsticks\":[]"), "yardsticks: an object"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"yardsticks\":{\"copy\":1}"), "copy: an object"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"yardsticks\":{\"copy\":{}}"), "seconds is missing"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"ratios\":1"), "ratios: an object"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"ratios\":{\"copy\":0}"), "ratios: copy: a number"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"bytes\":-1"), "bytes: a whole number"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"bytes\":9007199254740993"), "bytes: a whole number"},
    {RUN_A STAGE("a", BIG, DIGEST_1, "1", "\"differing\":2"), "verified is true, but differing"},
    {RUN_A LINE("a", "accuracy", "\"method\":\"posemb\",\"position\":100,\"max_error\":-1"),
     "max_error: a number in 0"},
    {RUN_A LINE("a", "accuracy", "\"method\":\"posemb\",\"position\":0,\"max_error\":1"),
     "position: a number above 0"},
    {RUN_A LINE("a", "devices", "\"count\":2,\"shape\":" BIG ",\"verified\":true"),
     "seconds are missing"},
    {RUN_A LINE("a", "verify", "\"values\":1,\"differing\":0"), "digest is missing"},
    {"{\"schema\":2,\"kind\":\"run\",\"run\":\"000000000000000a\",\"device\":\"d\","
     "\"platform\":\"p\",\"driver\":\"d\",\"environment\":{\"A\":1}}",
     "environment: an object of texts"},
    {"{\"schema\":1,\"kind\":\"enqueue\",\"seconds\":1,\"raw_seconds\":1}", "device is missing"},
};

static void test_bad_lines_are_refused_by_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct report_records records = {0};
        posemb_error error = {.message = ""};

        if (read_texts(&records, &bad[i].text, 1, &error) != POSEMB_INVALID_ARGUMENT)
            fail_msg("line %zu of the table was not refused", i);
        if (!strstr(error.message, bad[i].words) || !strstr(error.message, "0.jsonl: line"))
            fail_msg("\"%s\" is wanted, not \"%s\"", bad[i].words, error.message);
        report_records_free(&records);
    }
}

static void test_a_run_is_there_once_over_all_files(void **state)
{
    const char *const texts[] = {RUN_A, RUN_B "\n" RUN_A};
    struct report_records records = {0};
    posemb_error error = {.message = ""};

    (void)state;
    assert_int_equal(read_texts(&records, texts, 2, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "1.jsonl: line 3: run 000000000000000a is there already: 0.jsonl, line 1");
    report_records_free(&records);
}

static void test_runs_have_an_end(void **state)
{
    char text[27 * 128] = "";
    struct report_records records = {0};
    posemb_error error = {.message = ""};
    const char *const texts[] = {text};

    (void)state;
    for (unsigned i = 0; i < 27; i++)
        snprintf(text + strlen(text), 128,
                 "{\"schema\":2,\"kind\":\"run\",\"run\":\"%016x\",\"device\":\"d\","
                 "\"platform\":\"p\",\"driver\":\"1\"}\n",
                 i);
    assert_int_equal(read_texts(&records, texts, 1, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "line 27: more than 26 runs");
    report_records_free(&records);
}

static void test_long_lines_and_absent_files_are_refused(void **state)
{
    char path[TEMP_PATH_SIZE];
    struct report_records records = {0};
    posemb_error error = {.message = ""};
    char *text = malloc(REPORT_LINE_MAX + 2u);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', REPORT_LINE_MAX + 1u);
    text[0] = '{';
    temp_file_write(&test_folder, "long.jsonl", text, REPORT_LINE_MAX + 1u, path);
    free(text);
    assert_int_equal(report_records_read(&records, path, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "long.jsonl: line 1: it is longer than");
    report_records_free(&records);
    temp_file_path(&test_folder, "absent.jsonl", path);
    assert_int_equal(report_records_read(&records, path, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "absent.jsonl");
    report_records_free(&records);
}

/* ---- What is read */

static void test_defaults_and_unknown_things(void **state)
{
    static const char text[] = "\n" RUN_A "{\"schema\":2,\"kind\":\"of tomorrow\"}\r\n" STAGE(
        "a", "[1,2,3]", DIGEST_1, "2e-3",
        "\"of_tomorrow\":[1],\"event_seconds\":null,"
        "\"yardsticks\":{\"new\":7,\"copy\":{\"seconds\":1e-3}}");
    const struct report_record *record;
    struct made made;
    size_t place = 0;

    (void)state;
    make(&made, text);
    assert_int_equal(made.records.run_count, 1);
    assert_int_equal(made.records.count, 1);
    assert_string_equal(made.records.runs[0].seed, "7");
    assert_int_equal(made.records.runs[0].clock_mhz, -1);
    record = report_next(&made.records, RECORD_STAGE, 0, &place);
    assert_int_equal(record->line, 4);
    assert_string_equal(record->of.stage.table, "f32");
    assert_string_equal(record->of.stage.rule, "index");
    assert_string_equal(record->of.stage.rows, "cold");
    assert_true(record->of.stage.event_seconds == 0.0);
    assert_int_equal(report_stage_bytes(&record->of.stage), 48);
    assert_true(report_gain(&record->of.stage, YARDSTICK_COPY) == 0.5);
    assert_null(report_next(&made.records, RECORD_STAGE, 0, &place));
    assert_well_formed(&made.page);
    free_made(&made);
}

static void test_old_records(void **state)
{
#define OLD "{\"schema\":1,\"device\":\"Old Device\",\"platform\":\"P\",\"driver\":\"0.9\","
    static const char text[] =
        OLD "\"kind\":\"stage\",\"op\":\"encode\",\"shape\":" BIG ",\"dtype\":\"f32\","
            "\"positions\":\"explicit\",\"consumer\":\"none\",\"rows\":\"cold\",\"verified\":true,"
            "\"differing\":0,\"seconds\":4e-3,\"copy_seconds\":3e-3,\"copy\":\"float16 x 1\"}\n" OLD
            "\"kind\":\"rule\",\"shape\":" BIG ",\"rule\":\"ragged\",\"seconds\":2e-3,"
            "\"ratio_to_index\":1.25,\"launches\":1}\n"
            "{\"schema\":1,\"kind\":\"peer\",\"stage\":\"bert\",\"candidate\":\"Package One\","
            "\"shape\":[32,512,768],\"rows\":\"cold\",\"seconds\":3e-3,\"ratio_to_posemb\":1.5,"
            "\"foreign_cpus\":0.06}\n";
    const struct report_record *record;
    struct made made;
    size_t place = 0;

    (void)state;
    make(&made, text);
    assert_int_equal(made.records.run_count, 1);
    assert_true(made.records.runs[0].is_old);
    record = report_next(&made.records, RECORD_STAGE, 0, &place);
    assert_string_equal(record->of.stage.rule, "explicit");
    assert_has(&made.page, "Old Device");
    assert_has(&made.page, "75 % \xc2\xb7 4.00 ms");
    assert_has(&made.page, "explicit positions");
    assert_has(&made.page, ">ragged<");
    assert_has(&made.page, "Package One");
    assert_has(&made.page, "1 of these numbers mean nothing");
    assert_has(&made.page, "1.50\xc3\x97");
    assert_well_formed(&made.page);
    free_made(&made);
}

/* Each beginning of a good file is read or refused, and nothing else. */
static void test_beginnings(void **state)
{
    static const char text[] = RUN_A STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3"))
        LINE("a", "accuracy", "\"method\":\"posemb\",\"position\":100,\"max_error\":6e-8");
    size_t accepted = 0;

    (void)state;
    for (size_t size = 0; size < sizeof text; size++) {
        char path[TEMP_PATH_SIZE];
        struct report_records records = {0};
        posemb_error error = {.message = ""};

        temp_file_write(&test_folder, "cut.jsonl", text, size, path);
        if (report_records_read(&records, path, &error) == POSEMB_OK)
            accepted++;
        else
            assert_said(&error, "cut.jsonl: line ");
        report_records_free(&records);
    }
    assert_int_equal(accepted, 7); /* nothing, or ends of lines, with and without the newline */
}

/* ---- Bits */

static void assert_verdict(const char *text, enum report_outcome wanted, const char *words)
{
    struct markup sentence = {0};
    struct made made;

    make(&made, text);
    if (report_verdict(&made.report, &sentence) != wanted)
        fail_msg("another verdict is wanted: %s", sentence.bytes);
    assert_has(&sentence, words);
    assert_has(&made.page, sentence.bytes);
    assert_well_formed(&made.page);
    markup_free(&sentence);
    free_made(&made);
}

static void test_verdicts(void **state)
{
    (void)state;
    assert_verdict(RUN_A RUN_B STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3"))
                       STAGE("b", BIG, DIGEST_1, "2e-3", COPY("1e-3")),
                   OUTCOME_SAME, "1 configuration was measured by more than one of 2 runs");
    assert_verdict(RUN_A RUN_B STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3"))
                       STAGE("b", BIG, DIGEST_2, "2e-3", COPY("1e-3")),
                   OUTCOME_DIFFER, "1 configuration has more than one digest");
    assert_verdict(RUN_A STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3")), OUTCOME_SAME,
                   "No configuration has digests of two runs");
    assert_verdict(RUN_A LINE("a", "stage",
                              "\"op\":\"add\",\"shape\":" BIG ",\"verified\":false,"
                              "\"differing\":17"),
                   OUTCOME_DIFFER, "1 result differs from the reference");
    assert_verdict(
        RUN_A LINE("a", "verify", "\"values\":9,\"differing\":2,\"digest\":\"" DIGEST_1 "\""),
        OUTCOME_DIFFER, "1 result differs from the reference");
    assert_verdict(RUN_A LINE("a", "skip", "\"what\":\"all\",\"reason\":\"time\""), OUTCOME_NOTHING,
                   "Nothing was compared");
    /* A reader after the stage changes no bit of it. */
    assert_verdict(RUN_A RUN_B STAGE("a", BIG, DIGEST_1, "1e-3", "\"consumer\":\"reader\"")
                       STAGE("b", BIG, DIGEST_2, "2e-3", "\"consumer\":\"none\""),
                   OUTCOME_DIFFER, "1 configuration has more than one digest");
    /* Other shapes, ids and storages are other values. */
    assert_verdict(RUN_A RUN_B STAGE("a", BIG, DIGEST_1, "1e-3", "\"ids\":\"unique\"")
                       STAGE("b", BIG, DIGEST_2, "2e-3", "\"ids\":\"zipf\"")
                           STAGE("b", "[8,2048,512]", DIGEST_2, "2e-3", "\"ids\":\"unique\""),
                   OUTCOME_SAME, "No configuration has digests of two runs");
}

static void test_other_seeds_and_kernels(void **state)
{
    static const char other_seed[] =
        RUN_A "{\"schema\":2,\"kind\":\"run\",\"run\":\"000000000000000b\",\"device\":\"d\","
              "\"platform\":\"p\",\"driver\":\"1\",\"kernel\":\"k2\",\"seed\":\"8\","
              "\"table_rows\":32000}\n" STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3"))
                  STAGE("b", BIG, DIGEST_2, "1e-3", COPY("1e-3"));

    (void)state;
    assert_verdict(other_seed, OUTCOME_SAME, "made with different kernel sources");
}

static void test_differing_digests_are_shown(void **state)
{
    struct made made;

    (void)state;
    make(&made, RUN_A RUN_B STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3"))
                    STAGE("b", BIG, DIGEST_2, "2e-3", COPY("1e-3"))
                        STAGE("b", "[8,1,64]", DIGEST_1, "2e-3", COPY("1e-3")));
    assert_has(&made.page, "<td class=\"d\">" DIGEST_1 "</td><td class=\"d\"><strong>\xe2\x89\xa0"
                           "</strong> " DIGEST_2 "</td>");
    assert_has(&made.page, "1 configuration with one digest<");
    free_made(&made);
}

/* ---- Figures */

/* Ratios that were measured in turn go before those of the smallest times. */
static void test_ratios_of_rounds(void **state)
{
    struct made made;

    (void)state;
    make(&made, RUN_A STAGE("a", BIG, DIGEST_1, "4e-3",
                            "\"ratios\":{\"copy\":1.25,\"gather\":2}," COPY("4e-3")));
    assert_has(&made.page, "80 % \xc2\xb7 4.00 ms");
    assert_lacks(&made.page, "100 % \xc2\xb7");
    free_made(&made);
}

static void test_figures_on_the_page(void **state)
{
    static const char text[] = RUN_A RUN_B STAGE(
        "a", BIG, DIGEST_1, "4e-3",
        "\"timing\":\"disagree: events 9 ms\",\"event_seconds\":9e-3,"
        "\"yardsticks\":{\"copy\":{\"seconds\":3.2e-3,\"how\":\"wide\"},"
        "\"gather + table\":{\"seconds\":5e-3},\"unfused\":{\"seconds\":1e-2,\"launches\":4},"
        "\"vendor sin\":{\"seconds\":0.1}}") STAGE("b", BIG, DIGEST_1, "1e-2", COPY("5e-3"))
        STAGE("a", BIG, DIGEST_2, "2e-3", "\"table\":\"q4_k\",\"out\":\"f16\"," COPY("1e-3")) STAGE(
            "a", BIG, DIGEST_2, "8e-3", "\"norm\":\"layer\",\"wrong\":\"gather\"," COPY("3.2e-3"))
            STAGE("a", "[8,1,1024]", DIGEST_2, "3.25e-6",
                  "\"call_seconds\":9e-6,\"yardsticks\":{\"copy\":{\"seconds\":2.5e-6},"
                  "\"unfused\":{\"seconds\":12.75e-6,\"launches\":4}}")
                LINE("b", "skip", "\"what\":\"the big one\",\"reason\":\"too big\"")
                    LINE("a", "first call",
                         "\"caches\":\"nothing at all\",\"plan_seconds\":0.5,"
                         "\"first_seconds\":0.25")
                        LINE("a", "devices",
                             "\"count\":2,\"shape\":" BIG
                             ",\"verified\":true,\"of\":\"sub-devices\",\"seconds\":1e-3,"
                             "\"single_seconds\":1.9e-3");
    struct made made;

    (void)state;
    make(&made, text);
    assert_has(&made.page, "80 % \xc2\xb7 4.00 ms");
    assert_has(&made.page, "50 % \xc2\xb7 10.0 ms");
    assert_has(&made.page, "q4_k \xe2\x86\x92 f16");
    assert_has(&made.page, "40 % \xc2\xb7 8.00 ms");
    assert_has(&made.page, ">LayerNorm<");
    assert_has(&made.page, "1.25\xc3\x97 \xc2\xb7 4.00 ms");
    assert_has(&made.page, "2.50\xc3\x97 \xc2\xb7 4.00 ms");
    assert_has(&made.page, "25.0\xc3\x97 \xc2\xb7 4.00 ms");
    assert_has(&made.page, "<td>[8,1]\xc3\x97"
                           "1024</td><td class=\"n\">3.25</td><td class=\"n\">9.00</td>"
                           "<td class=\"n\">2.50</td><td class=\"n\">12.75</td>"
                           "<td class=\"n\">3</td>");
    assert_has(&made.page, "disagree: events 9 ms");
    assert_has(&made.page, "<td>the big one</td><td>too big</td>");
    assert_has(&made.page, "the yardstick &quot;gather&quot; gave wrong values");
    assert_has(&made.page, "750 ms");
    assert_has(&made.page, "<td class=\"n\">1.90</td><td>the reference\xe2\x80\x99s</td>");
    assert_has(&made.page, "<td>sub-devices</td>");
    assert_has(&made.page, "POCL_X=1");
    assert_well_formed(&made.page);
    free_made(&made);
}

static void test_sections_without_records_are_left_out(void **state)
{
    struct made made;

    (void)state;
    make(&made, RUN_A LINE("a", "skip", "\"what\":\"x\",\"reason\":\"y\""));
    assert_has(&made.page, "id=\"skipped\"");
    assert_has(&made.page, "id=\"devices\"");
    for (size_t i = 0; i < 6; i++) {
        static const char *const ids[] = {"shares", "gains",       "small",
                                          "bits",   "first-calls", "accuracy"};
        char id[32];

        snprintf(id, sizeof id, "id=\"%s\"", ids[i]);
        assert_lacks(&made.page, id);
    }
    free_made(&made);
}

static void test_bars_are_one_for_each_run(void **state)
{
    struct svg_bars bars;
    struct made made;
    size_t left_out;

    (void)state;
    make(&made, RUN_A RUN_B STAGE("b", BIG, DIGEST_1, "2e-3", COPY("1e-3"))
                    STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3"))
                        STAGE("a", "[1,8192,1024]", DIGEST_1, "4e-3", COPY("1e-3")));
    assert_int_equal(report_plot_bars(&made.records, PLOT_SHAPES, NULL, &bars, &left_out, NULL),
                     POSEMB_OK);
    assert_int_equal(left_out, 0);
    assert_int_equal(bars.group_count, 2);
    assert_int_equal(bars.bar_count, 3);
    assert_int_equal(bars.groups[0].count, 2);
    assert_string_equal(bars.bars[0].letter, "A");
    assert_true(bars.bars[0].value == 100.0);
    assert_string_equal(bars.bars[1].letter, "B");
    assert_true(bars.bars[1].value == 50.0);
    assert_true(bars.bars[2].value == 25.0);
    svg_free_bars(&bars);
    free_made(&made);
}

static void test_bars_have_an_end(void **state)
{
    static const char line[] = STAGE("a", BIG, DIGEST_1, "1e-3", COPY("1e-3"));
    const size_t lines = REPORT_BARS_MAX + 3;
    char *text = malloc(sizeof RUN_A + lines * sizeof line);
    struct made made;

    (void)state;
    assert_non_null(text);
    strcpy(text, RUN_A);
    for (size_t i = 0, at = strlen(text); i < lines; i++, at += sizeof line - 1)
        strcpy(text + at, line);
    make(&made, text);
    free(text);
    assert_has(&made.page, "3 more bars are left out");
    assert_well_formed(&made.page);
    free_made(&made);
}

static void test_accuracy(void **state)
{
    static const char text[] = RUN_A RUN_B LINE(
        "a", "accuracy", "\"method\":\"posemb\",\"position\":1e9,\"max_error\":7e-8")
        LINE("a", "accuracy", "\"method\":\"posemb\",\"position\":100,\"max_error\":6e-8")
            LINE("a", "accuracy", "\"method\":\"sin/cos\",\"position\":100,\"max_error\":0")
                LINE("b", "accuracy", "\"method\":\"sin/cos\",\"position\":100,\"max_error\":1.5");
    struct report_lines lines;
    struct made made;

    (void)state;
    make(&made, text);
    report_accuracy_of_run(&made.records, 0, &lines);
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.lines[0].label, "posemb");
    assert_string_equal(lines.lines[0].text, "6.0e-8 \xe2\x80\xa6 7.0e-8");
    assert_true(lines.lines[0].x[0] == 100.0 && lines.lines[0].x[1] == 1e9);
    assert_true(lines.lines[0].is_thick);
    report_accuracy_of_method(&made.records, "sin/cos", &lines);
    assert_int_equal(lines.count, 3);
    assert_string_equal(lines.lines[2].label, "sin/cos, B");
    assert_string_equal(lines.lines[2].text, "1.5 \xe2\x80\xa6 1.5");
    assert_has(&made.page, "sin/cos of each device");
    assert_lacks(&made.page, "nan");
    assert_lacks(&made.page, "inf");
    assert_well_formed(&made.page);
    free_made(&made);
}

/* A label of any length stands on two lines, cut between characters. */
static void test_long_labels(void **state)
{
    struct svg_bars bars = {.title = "t", .limit_name = "", .unit = ""};
    const struct svg_bar bar = {.value = 1.0, .letter = "A"};
    double heights[2];
    char label[160];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct markup picture = {0};

        snprintf(label, sizeof label, "%s",
                 i ? "\xc3\x97\xc3\x97\xc3\x97\xc3\x97\xc3\x97\xc3\x97\xc3\x97\xc3\x97"
                     "\xc3\x97\xc3\x97\xc3\x97\xc3\x97 forty-eight characters make one line "
                     "two-lines-are-made-of-more-than-that, and-what-is-longer-still-is-cut-off"
                   : "short");
        assert_true(svg_add_group(&bars, label));
        assert_true(svg_add_bar(&bars, &bar));
        heights[i] = svg_bars_height(&bars);
        svg_draw_bars(&picture, &bars);
        assert_has(&picture,
                   i ? "\xc3\x97 forty-eight characters make one line </text>" : ">short<");
        if (i)
            assert_has(&picture, ">two-lines-are-made-of-more-than-that, </text>");
        assert_lacks(&picture, "cut-off");
        assert_lacks(&picture, "\xef\xbf\xbd");
        assert_well_formed(&picture);
        markup_free(&picture);
        svg_free_bars(&bars);
    }
    assert_true(heights[1] > heights[0]);
}

/* Values at the ends of what is allowed are drawn inside the picture. */
static void test_extremes_are_drawn_inside(void **state)
{
    static const char text[] = RUN_A STAGE("a", BIG, DIGEST_1, "1e-300", COPY("1e9"))
        STAGE("a", "[4294967296,4294967296,4294967296]", DIGEST_1, "1e9", COPY("1e-300"))
            LINE("a", "accuracy", "\"method\":\"m\",\"position\":1e-300,\"max_error\":1e300")
                LINE("a", "accuracy", "\"method\":\"m\",\"position\":1e9,\"max_error\":0");
    struct markup picture = {0};
    struct made made;

    (void)state;
    make(&made, text);
    report_write_picture(&made.report, &picture);
    assert_false(picture.failed);
    for (const char *at = picture.bytes; (at = strstr(at, " x=\""));) {
        const double x = strtod(at + 4, (char **)&at);

        assert_true(x >= 0.0 && x <= REPORT_PICTURE_WIDTH);
    }
    assert_lacks(&picture, "nan");
    assert_lacks(&picture, "inf");
    assert_well_formed(&picture);
    assert_well_formed(&made.page);
    markup_free(&picture);
    free_made(&made);
}

/* ---- Texts that are not trusted */

#define HOSTILE     "</style><script>alert('1')</script>&amp;\\\"\\u202e\\u0007|*"
#define HOSTILE_KEY "<b>"

static void test_hostile_texts_are_escaped(void **state)
{
    static const char text[] =
        "{\"schema\":2,\"kind\":\"run\",\"run\":\"000000000000000a\",\"device\":\"" HOSTILE
        "\",\"platform\":\"" HOSTILE "\",\"driver\":\"" HOSTILE "\",\"date\":\"" HOSTILE
        "\",\"tuning_text\":\"" HOSTILE "\",\"environment\":{\"" HOSTILE_KEY "\":\"" HOSTILE
        "\"}}\n" STAGE("a", BIG, DIGEST_1, "1e-3",
                       "\"table\":\"" HOSTILE "\",\"timing\":\"disagree" HOSTILE
                       "\",\"yardsticks\":{\"copy\":{\"seconds\":1e-3,\"how\":\"" HOSTILE "\"}}")
            STAGE("a", BIG, DIGEST_2, "1e-3", "\"norm\":\"" HOSTILE "\"," COPY("1e-3"))
                LINE("a", "skip", "\"what\":\"" HOSTILE "\",\"reason\":\"" HOSTILE "\"") LINE(
                    "a", "accuracy", "\"method\":\"" HOSTILE "\",\"position\":100,\"max_error\":1")
                    LINE("a", "first call",
                         "\"caches\":\"" HOSTILE "\",\"plan_seconds\":1,\"first_seconds\":1");
    struct markup table = {0};
    struct markup picture = {0};
    struct made made;

    (void)state;
    make(&made, text);
    report_write_markdown(&made.report, &table);
    report_write_picture(&made.report, &picture);
    assert_well_formed(&made.page);
    assert_well_formed(&picture);
    for (size_t i = 0; i < 3; i++) {
        const struct markup *const texts[] = {&made.page, &table, &picture};

        assert_has(texts[i], "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;");
        assert_has(texts[i], "u202e");
        assert_lacks(texts[i], "<script");
        assert_lacks(texts[i], "\xe2\x80\xae");
        assert_lacks(texts[i], "\a");
    }
    assert_has(&table, "\\|\\*");
    assert_lacks(&made.page, "<b>=");
    assert_has(&made.page, "default-src 'none'");
    markup_free(&picture);
    markup_free(&table);
    free_made(&made);
}

static void test_bytes_that_are_not_utf8(void **state)
{
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {
        {"\xc3\xa9 \xe2\x86\x92 \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x86\x92 \xf0\x9f\x98\x80"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xe2\x86", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\x80z", "a\xef\xbf\xbdz"},
        {"\t\x7f\xe2\x80\x8b\xef\xbb\xbf\xef\xbf\xbf", "\\u0009\\u007f\\u200b\\ufeff\\uffff"},
        {"<&>\"'", "&lt;&amp;&gt;&quot;&#39;"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct markup markup = {0};

        markup_add(&markup, "");
        markup_escape(&markup, rows[i].text);
        assert_string_equal(markup.bytes, rows[i].wanted);
        markup_free(&markup);
    }
}

/* Any bytes come out as text of an element. */
static void test_random_bytes_are_escaped(void **state)
{
    struct support_random random = support_random_from(21);

    (void)state;
    for (int turn = 0; turn < 2000; turn++) {
        struct markup markup = {0};
        char text[24] = "";

        for (size_t i = 0; i + 1 < sizeof text; i++)
            text[i] = (char)support_random_int(&random, turn % 2 ? 1 : 0x60, 255);
        markup_add(&markup, "<a b=\"");
        markup_escape(&markup, text);
        markup_add(&markup, "\">");
        markup_escape(&markup, text);
        markup_add(&markup, "</a>");
        assert_well_formed(&markup);
        markup_free(&markup);
    }
}

/* ---- Markdown, and numbers */

static void test_markdown(void **state)
{
    static const char wanted[] =
        "| `encode`, f32, cold rows: share of the copy limit, time | A | B |\n"
        "|---|---|---|\n"
        "| \\[8,2048\\]\xc3\x97"
        "1024 | 80 % \xc2\xb7 4.00 ms | 50 % \xc2\xb7 10.0 ms |\n"
        "| \\[1,8192\\]\xc3\x97"
        "1024 | 25 % \xc2\xb7 4.00 ms | \xe2\x80\x93 |\n"
        "| largest error of posemb, first \xe2\x80\xa6 last position | 6.0e-8 \xe2\x80\xa6 6.0e-8 "
        "| "
        "\xe2\x80\x93 |\n"
        "\n"
        "A: First Device, Platform, driver 1.0; B: Second Device, Platform, driver 2.0.\n\n"
        "<strong>The same bits.</strong> 1 configuration was measured by more than one of 2 runs: "
        "one digest for each. All 3 verified results equal the reference in every bit. \n";
    struct markup table = {0};
    struct made made;

    (void)state;
    make(&made, RUN_A RUN_B STAGE("a", BIG, DIGEST_1, "4e-3", COPY("3.2e-3"))
                    STAGE("b", BIG, DIGEST_1, "1e-2", COPY("5e-3"))
                        STAGE("a", "[1,8192,1024]", DIGEST_1, "4e-3", COPY("1e-3"))
                            LINE("a", "accuracy",
                                 "\"method\":\"posemb\",\"position\":100,\"max_error\":6e-8"));
    report_write_markdown(&made.report, &table);
    assert_string_equal(table.bytes, wanted);
    markup_free(&table);
    free_made(&made);
}

static void test_numbers(void **state)
{
    static const struct {
        double value;
        const char *time;
        const char *error;
    } rows[] = {
        {0.0, "\xe2\x80\x93", "0"},
        {1.0, "1.00 s", "1"},
        {0.9999, "1.00 s", "1"},
        {0.999, "999 ms", "1"},
        {1.2e-3, "1.20 ms", "1.2e-3"},
        {99.96e-6, "100 \xc2\xb5s", "1.0e-4"},
        {12.34e-6, "12.3 \xc2\xb5s", "1.2e-5"},
        {5e-9, "5.00 ns", "5.0e-9"},
        {0.5, "500 ms", "0.5"},
        {123456.0, "123456 s", "1.2e+5"},
        {3e-12, "0.00 ns", "3.0e-12"},
    };
    char text[REPORT_NUMBER_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        report_time(rows[i].value, text);
        assert_string_equal(text, rows[i].time);
        report_error(rows[i].value, text);
        assert_string_equal(text, rows[i].error);
    }
    report_ratio(0.125, text);
    assert_string_equal(text, "0.12\xc3\x97");
    report_ratio(9.999, text);
    assert_string_equal(text, "10.0\xc3\x97");
    report_ratio(123.4, text);
    assert_string_equal(text, "123\xc3\x97");
    report_bytes(1536, text);
    assert_string_equal(text, "1.5 KiB");
    report_bytes(-1, text);
    assert_string_equal(text, "\xe2\x80\x93");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_lines_are_refused_by_number),
        cmocka_unit_test(test_a_run_is_there_once_over_all_files),
        cmocka_unit_test(test_runs_have_an_end),
        cmocka_unit_test(test_long_lines_and_absent_files_are_refused),
        cmocka_unit_test(test_defaults_and_unknown_things),
        cmocka_unit_test(test_old_records),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_other_seeds_and_kernels),
        cmocka_unit_test(test_differing_digests_are_shown),
        cmocka_unit_test(test_ratios_of_rounds),
        cmocka_unit_test(test_figures_on_the_page),
        cmocka_unit_test(test_sections_without_records_are_left_out),
        cmocka_unit_test(test_bars_are_one_for_each_run),
        cmocka_unit_test(test_bars_have_an_end),
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_long_labels),
        cmocka_unit_test(test_extremes_are_drawn_inside),
        cmocka_unit_test(test_hostile_texts_are_escaped),
        cmocka_unit_test(test_bytes_that_are_not_utf8),
        cmocka_unit_test(test_random_bytes_are_escaped),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
