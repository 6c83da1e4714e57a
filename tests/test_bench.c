/* The benchmark: what there is to measure, samples in turn, and small cases of every kind with all
 * of their yardsticks, whose values are checked. */
#include "bench.h"
#include "clock.h"
#include "lanes.h"
#include "support/device.h"
#include "workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
/* Must come after the four above. */
#include <cmocka.h>

/* XXH3 of the first small case: what every device and shape gives. */
#define DIGEST_OF_FIRST 0x71cbec3350e20739u

/* ---- Configurations */

static void test_names(void **state)
{
    char words[BENCH_WORDS];
    const struct bench_case plain = {.batch = 8, .length = 2048, .dim = 1024};
    const struct bench_case other = {.operation = POSEMB_ADD,
                                     .batch = 3,
                                     .length = 7,
                                     .dim = 65,
                                     .table = POSEMB_F16,
                                     .out = POSEMB_BF16,
                                     .position_kind = POSEMB_LEARNED,
                                     .rule = BENCH_EXPLICIT,
                                     .norm = POSEMB_NORM_RMS,
                                     .types = true,
                                     .with_reader = true,
                                     .hot_rows = true,
                                     .ids = BENCH_IDS_ZIPF};

    (void)state;
    bench_case_words(&plain, words);
    assert_string_equal(words, "encode [8,2048,1024] f32 > f32, sinusoidal, index, norm none, "
                               "reader none, cold, unique");
    bench_case_words(&other, words);
    assert_string_equal(words, "add [3,7,65] f16 > bf16, learned and types, explicit, norm rms, "
                               "reader reader, hot, zipf");
    for (int i = POSEMB_F32; i <= POSEMB_Q6_K; i++)
        assert_int_equal(bench_storage_of(bench_storage_word((posemb_storage)i)), i);
    assert_int_equal(bench_storage_of("f64"), POSEMB_STORAGE_DEFAULT);
}

static void test_faults(void **state)
{
    const struct {
        struct bench_case bench_case;
        const char *fault;
    } faults[] = {
        {{.batch = 1, .length = 1, .dim = 0}, "D up to 65536"},
        {{.batch = 0, .length = 1, .dim = 8}, "1 or more"},
        {{.batch = 1u << 20, .length = 1u << 20, .dim = 8}, "2^28"},
        {{.batch = 1, .length = 1, .dim = 33, .table = POSEMB_Q8_0}, "multiples of 32"},
        {{.batch = 1, .length = 1, .dim = 32, .table = POSEMB_Q4_K}, "256"},
        {{.batch = 1, .length = 1, .dim = 32, .out = POSEMB_I8}, "outputs are"},
        {{.batch = 1, .length = 1, .dim = 32, .table = POSEMB_I8, .operation = POSEMB_ADD},
         "rows to add to"},
        {{.batch = 1,
          .length = 1,
          .dim = 32,
          .position_kind = POSEMB_NO_POSITION,
          .operation = POSEMB_TABLE},
         "has positions"},
    };
    const struct bench_case good = {.batch = 1, .length = 1, .dim = 33};

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *fault = bench_case_fault(&faults[i].bench_case);

        assert_non_null(fault);
        assert_non_null(strstr(fault, faults[i].fault));
    }
    assert_null(bench_case_fault(&good));
}

/* Rows and output once, and the ids: by hand. */
static void test_bytes(void **state)
{
    struct bench_case c = {.batch = 2, .length = 3, .dim = 32};

    (void)state;
    assert_int_equal(bench_case_bytes(&c), 6 * (128 + 128 + 4));
    c.table = POSEMB_Q8_0;
    c.out = POSEMB_F16;
    assert_int_equal(bench_case_bytes(&c), 6 * (34 + 64 + 4));
    c.rule = BENCH_EXPLICIT;
    assert_int_equal(bench_case_bytes(&c), 6 * (34 + 64 + 4 + 8));
    c.rule = BENCH_INDEX;
    c.position_kind = POSEMB_LEARNED;
    c.types = true;
    c.norm = POSEMB_NORM_LAYER;
    assert_int_equal(bench_case_bytes(&c), 6 * (34 + 64 + 4) + 3 * 128 + 128 + 2 * 128);
    c = (struct bench_case){.operation = POSEMB_TABLE, .batch = 2, .length = 3, .dim = 32};
    assert_int_equal(bench_case_bytes(&c), 6 * 128);
}

static bool has(const struct bench_case *cases, size_t count, const char *text)
{
    char words[BENCH_WORDS];

    for (size_t i = 0; i < count; i++) {
        bench_case_words(&cases[i], words);
        if (strstr(words, text))
            return true;
    }
    return false;
}

/* Every case of a list is one that there is, and there once. */
static size_t check_list(enum bench_mode mode, struct bench_case *cases)
{
    const size_t count = bench_list(mode, cases);
    char words[BENCH_WORDS];
    char others[BENCH_WORDS];

    assert_true(count > 0 && count < BENCH_CASES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_null(bench_case_fault(&cases[i]));
        bench_case_words(&cases[i], words);
        for (size_t j = 0; j < i; j++) {
            bench_case_words(&cases[j], others);
            assert_string_not_equal(words, others);
        }
    }
    return count;
}

static void test_lists(void **state)
{
    static const char *const of_full[] = {"[1,1,1024]",
                                          "[4,1,1024]",
                                          "[8,1,1024]",
                                          "[8,8192,8192]",
                                          ",384]",
                                          ",513]",
                                          ",1023]",
                                          "bf16 > bf16",
                                          "f16 > f16",
                                          "i8 >",
                                          "q8_0 >",
                                          "q2_k >",
                                          "q6_k >",
                                          "hot",
                                          "zipf",
                                          "same",
                                          "explicit",
                                          "learned",
                                          "and types",
                                          "rms",
                                          "layer",
                                          "reader reader",
                                          "sinusoidal, index, norm none",
                                          "none, index",
                                          "table ",
                                          "add "};
    struct bench_case *cases = calloc(BENCH_CASES_MAX, sizeof *cases);
    size_t count;

    (void)state;
    assert_non_null(cases);
    count = check_list(BENCH_QUICK, cases);
    assert_true(count <= 10);
    assert_true(has(cases, count, "encode") && has(cases, count, "add ") &&
                has(cases, count, "table ") && has(cases, count, "q8_0") &&
                has(cases, count, "reader reader") && has(cases, count, "learned and types"));
    count = check_list(BENCH_DEFAULT, cases);
    assert_true(has(cases, count, "zipf") && has(cases, count, ",513]"));
    count = check_list(BENCH_FULL, cases);
    for (size_t i = 0; i < sizeof of_full / sizeof *of_full; i++)
        assert_true(has(cases, count, of_full[i]));
    free(cases);
}

/* ---- Samples */

static void test_quantiles(void **state)
{
    double samples[] = {5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0, 7.0, 6.0, 10.0, 11.0};
    double two[] = {3.0, 1.0};

    (void)state;
    assert_true(samples_quantile(samples, 11, 0.0) == 1.0);
    assert_true(samples_quantile(samples, 11, 0.5) == 6.0);
    assert_true(samples_quantile(samples, 11, 0.9) == 10.0);
    assert_true(samples_quantile(two, 2, 0.5) == 2.0);
    assert_true(samples_quantile(two, 1, 0.9) == 1.0);
}

/* Launches that take time by the clock alone. */
struct pretended {
    double seconds[4];
    int launched[4];
    int order[64];
    int count;
};

static posemb_status pretend(void *context, size_t index, uint32_t set, posemb_error *error)
{
    struct pretended *pretended = context;
    const double begin = clock_seconds();

    (void)set;
    (void)error;
    pretended->launched[index]++;
    if (pretended->count < 64)
        pretended->order[pretended->count++] = (int)index;
    while (clock_seconds() - begin < pretended->seconds[index])
        ;
    return POSEMB_OK;
}

/* Three alternatives, of which the slowest drops out; and one that is slow and gets few samples. */
static void test_lanes(void **state)
{
    struct pretended pretended = {.seconds = {1e-4, 1e-4, 2e-4, 8e-3}};
    const struct lanes_budget budget = {.seconds = 0.05, .sample_seconds = 1e-4, .repeats_min = 8};
    struct lanes lanes;
    posemb_error error;

    assert_int_equal(lanes_create(&lanes, posemb_session_queue(*state), &error), POSEMB_OK);
    lanes_add(&lanes, pretend, &pretended, 0, 0);
    lanes_add(&lanes, pretend, &pretended, 1, 1);
    lanes_add(&lanes, pretend, &pretended, 2, 1);
    lanes_add(&lanes, pretend, &pretended, 3, 0);
    assert_int_equal(lanes_try(&lanes, &error), POSEMB_OK);
    assert_true(lanes_least_seconds(&lanes, &budget) > 8e-3);
    pretended.count = 0;
    assert_int_equal(lanes_run(&lanes, &budget, &error), POSEMB_OK);
    assert_true(lanes.repeats >= 8);
    assert_int_equal(lanes.lanes[0].count, lanes.repeats);
    assert_int_equal(lanes.lanes[3].count, 2); /* its trial is one */
    assert_true(lane_seconds(&lanes.lanes[3], 0.0) >= 8e-3);
    assert_true(lane_seconds(&lanes.lanes[0], 0.0) >= 1e-4);
    assert_true(lane_seconds(&lanes.lanes[0], 0.5) >= lane_seconds(&lanes.lanes[0], 0.0));
    assert_int_equal(lanes_best(&lanes, 1), 1);
    assert_int_equal(lanes_best(&lanes, 7), LANES_MAX);
    lanes_destroy(&lanes);
}

static void test_stop(void **state)
{
    static volatile sig_atomic_t stop = 1;
    struct pretended pretended = {.seconds = {1e-5}};
    const struct lanes_budget budget = {.seconds = 1.0, .stop = &stop};
    struct lanes lanes;
    posemb_error error;

    assert_int_equal(lanes_create(&lanes, posemb_session_queue(*state), &error), POSEMB_OK);
    lanes_add(&lanes, pretend, &pretended, 0, 0);
    assert_int_equal(lanes_run(&lanes, &budget, &error), POSEMB_CANCELLED);
    assert_int_equal(pretended.launched[0], 0);
    lanes_destroy(&lanes);
}

/* ---- Data */

static uint64_t count_distinct(const struct workload *workload, uint64_t count)
{
    unsigned char *seen = calloc((size_t)workload->vocab, 1);
    uint64_t distinct = 0;

    assert_non_null(seen);
    for (uint64_t i = 0; i < count; i++) {
        assert_in_range(workload->ids[i], 0, workload->vocab - 1);
        distinct += !seen[workload->ids[i]];
        seen[workload->ids[i]] = 1;
    }
    free(seen);
    return distinct;
}

static uint64_t distinct_ids(posemb_session *session, struct bench_case c, uint64_t *first,
                             uint64_t *all)
{
    struct workload workload;
    posemb_error error;
    uint64_t tokens;

    c = bench_case_resolved(&c);
    assert_int_equal(workload_create(session, &c, &workload, &error), POSEMB_OK);
    tokens = workload.tokens;
    for (uint64_t i = 0; i < tokens; i++) /* on every device the same */
        assert_in_range(workload.ids[i], 0, workload.base_rows - 1);
    *first = count_distinct(&workload, tokens);
    *all = count_distinct(&workload, workload.sets * tokens);
    workload_destroy(&workload);
    return tokens;
}

static void test_ids(void **state)
{
    struct bench_case c = {.batch = 2, .length = 300, .dim = 8};
    uint64_t first;
    uint64_t all;
    const uint64_t tokens = distinct_ids(*state, c, &first, &all);

    assert_int_equal(first, tokens);
    assert_true(all >= BENCH_TABLE_ROWS); /* cold: the whole table, however few tokens a set has */
    c.hot_rows = true;
    distinct_ids(*state, c, &first, &all);
    assert_int_equal(all, 256);
    c.hot_rows = false;
    c.ids = BENCH_IDS_ZIPF;
    distinct_ids(*state, c, &first, &all);
    assert_true(first < tokens && first > tokens / 20);
    c.ids = BENCH_IDS_SAME;
    distinct_ids(*state, c, &first, &all);
    assert_int_equal(all, 1);
}

/* ---- Small cases */

#define BIT(yardstick) (1u << (yardstick))

static const struct {
    struct bench_case bench_case;
    unsigned yardsticks; /* that it must have */
} small_cases[] = {
    {{.batch = 8, .length = 3, .dim = 48},
     BIT(BENCH_COPY) | BIT(BENCH_COPY_BUFFER) | BIT(BENCH_GATHER) | BIT(BENCH_GATHER_TABLE) |
         BIT(BENCH_UNFUSED) | BIT(BENCH_VENDOR_SIN)},
    {{.batch = 3,
      .length = 5,
      .dim = 67,
      .table = POSEMB_BF16,
      .out = POSEMB_F16,
      .rule = BENCH_EXPLICIT,
      .with_reader = true},
     BIT(BENCH_COPY) | BIT(BENCH_COPY_BUFFER) | BIT(BENCH_GATHER) | BIT(BENCH_GATHER_TABLE) |
         BIT(BENCH_UNFUSED) | BIT(BENCH_VENDOR_SIN)},
    {{.batch = 5,
      .length = 4,
      .dim = 64,
      .table = POSEMB_Q8_0,
      .position_kind = POSEMB_LEARNED,
      .types = true,
      .norm = POSEMB_NORM_LAYER,
      .ids = BENCH_IDS_ZIPF},
     BIT(BENCH_COPY) | BIT(BENCH_GATHER) | BIT(BENCH_GATHER_TABLE) | BIT(BENCH_UNFUSED)},
    {{.operation = POSEMB_ADD,
      .batch = 1,
      .length = 11,
      .dim = 33,
      .norm = POSEMB_NORM_RMS,
      .hot_rows = true},
     BIT(BENCH_COPY) | BIT(BENCH_COPY_BUFFER) | BIT(BENCH_GATHER_TABLE) | BIT(BENCH_UNFUSED)},
    {{.operation = POSEMB_TABLE, .batch = 2, .length = 5, .dim = 64, .out = POSEMB_BF16},
     BIT(BENCH_COPY) | BIT(BENCH_COPY_BUFFER) | BIT(BENCH_VENDOR_SIN)},
    {{.batch = 2,
      .length = 9,
      .dim = 64,
      .table = POSEMB_I8,
      .position_kind = POSEMB_NO_POSITION,
      .ids = BENCH_IDS_SAME},
     BIT(BENCH_COPY) | BIT(BENCH_GATHER) | BIT(BENCH_UNFUSED)},
};
enum { SMALL_CASES = sizeof small_cases / sizeof *small_cases };

static void check_result(const struct bench_result *result, unsigned yardsticks)
{
    assert_null(result->skipped);
    assert_null(result->wrong);
    assert_int_equal(result->differing, 0);
    assert_true(result->verified);
    assert_true(result->seconds > 0.0 && result->seconds <= result->median_seconds &&
                result->median_seconds <= result->p90_seconds);
    assert_true(result->repeats >= 5 && result->launches >= 1);
    assert_true(result->call_seconds > 0.0);
    assert_true(strncmp(result->timing, "agree", 5) == 0 ||
                strncmp(result->timing, "disagree", 8) == 0);
    for (int y = 0; y < BENCH_YARDSTICKS; y++) {
        const struct bench_yardstick_result *one = &result->yardsticks[y];

        assert_int_equal(one->measured, yardsticks >> y & 1u);
        if (!one->measured)
            continue;
        assert_true(one->seconds > 0.0 && one->seconds <= one->median_seconds);
        assert_true(one->launches >= 1 && one->how[0]);
    }
}

/* On the engine of the shape that is tested; digests do not depend on it. */
static void test_small_cases(void **state)
{
    const struct bench_settings settings = {
        .seconds = 0.02, .limit_seconds = 60.0, .yardsticks = BENCH_ALL_YARDSTICKS, .twice = true};
    posemb_engine *engine = support_make_engine(*state, POSEMB_SHAPE_DEFAULT);
    struct bench *bench;
    posemb_error error;

    assert_int_equal(bench_create(*state, &settings, &bench, &error), POSEMB_OK);
    for (size_t i = 0; i < SMALL_CASES; i++) {
        struct bench_result result;

        assert_int_equal(bench_run(bench, engine, &small_cases[i].bench_case, &result, &error),
                         POSEMB_OK);
        check_result(&result, small_cases[i].yardsticks);
        assert_int_equal(result.bytes, bench_case_bytes(&small_cases[i].bench_case));
        if (i == 0) /* the same bits everywhere */
            assert_true(result.digest == DIGEST_OF_FIRST);
    }
    bench_destroy(bench);
    posemb_engine_destroy(engine);
}

static void test_skipped(void **state)
{
    const struct bench_settings hasty = {.seconds = 0.01, .limit_seconds = 1e-9};
    const struct bench_case huge = {.batch = 1u << 14, .length = 1u << 14, .dim = 65536};
    const struct bench_case none = {.batch = 1, .length = 1, .dim = 33, .table = POSEMB_Q8_0};
    struct bench *bench;
    struct bench_result result;
    posemb_error error;

    assert_int_equal(bench_create(*state, &hasty, &bench, &error), POSEMB_OK);
    assert_int_equal(bench_run(bench, NULL, &huge, &result, &error), POSEMB_OK);
    assert_non_null(result.skipped);
    assert_non_null(strstr(result.skipped, "MiB"));
    assert_int_equal(bench_run(bench, NULL, &none, &result, &error), POSEMB_OK);
    assert_non_null(strstr(result.skipped, "multiples"));
    assert_int_equal(bench_run(bench, NULL, &small_cases[0].bench_case, &result, &error),
                     POSEMB_OK);
    assert_non_null(strstr(result.skipped, "fewest samples"));
    assert_false(result.verified);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_faults),
        cmocka_unit_test(test_bytes),       cmocka_unit_test(test_lists),
        cmocka_unit_test(test_quantiles),   cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_stop),        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_small_cases), cmocka_unit_test(test_skipped),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
