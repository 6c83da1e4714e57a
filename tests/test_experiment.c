/* What posemb experiment is made of: the encoder against one in double arithmetic, the tasks, and
 * trials, which have the same bits on a device, on the reference, and on any number of threads. */
#include "exp_log.h"
#include "experiment.h"
#include "layers.h"
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static posemb_error error;

static void check(posemb_status status)
{
    if (status != POSEMB_OK)
        fail_msg("%s", error.message);
}

/* ---- Exponential and logarithm */

static void exponentials_are_near(void **state)
{
    (void)state;
    for (float x = 0.0f; x > -86.9f; x -= 0.0103f) {
        const double exact = exp((double)x);

        assert_true(fabs((double)negative_exp(x) - exact) <= 1e-7 * exact);
    }
    assert_true(negative_exp(-0.0f) == 1.0f);
    assert_true(negative_exp(-88.0f) == 0.0f);
    assert_true(negative_exp(-INFINITY) == 0.0f);
    assert_true(isnan(negative_exp(NAN)));
    for (double x = 1.0; x < 1e9; x *= 1.0037)
        assert_true(fabs(log_from_one(x) - log(x)) <= 1e-12);
}

/* ---- The encoder, in double arithmetic, by the formulas of encoder.h */

enum {
    DIM = 8,
    HEADS = 2,
    HIDDEN = 12,
    BLOCKS = 2,
    CLASSES = 5,
    SEQUENCES = 3,
    TOKENS = 12,
    LABELS = 4,
    WEIGHTS =
        BLOCKS * (4 * (DIM * DIM + DIM) + 2 * DIM * HIDDEN + HIDDEN + DIM) + DIM * CLASSES + CLASSES
};

static const struct encoder_shape shape = {DIM, HEADS, HIDDEN, BLOCKS, CLASSES, TOKENS, TOKENS};

static uint32_t starts[SEQUENCES + 1] = {0, 1, 5, 12};
static int32_t ids[TOKENS];
static uint32_t labelled[LABELS] = {0, 3, 3, 11};
static uint32_t labels[LABELS] = {4, 0, 2, 1};
static const struct batch batch = {SEQUENCES, TOKENS, LABELS, starts, ids, labelled, labels};

/* y[out] = x[in] w + bias; returns what comes after them. */
static const double *apply(const double *weights, const double *x, double *y, int in, int out)
{
    for (int j = 0; j < out; j++) {
        y[j] = weights[in * out + j];
        for (int i = 0; i < in; i++)
            y[j] += x[i] * weights[i * out + j];
    }
    return weights + in * out + out;
}

static void normalise(const double *x, double *y)
{
    double mean = 0.0;
    double variance = 0.0;

    for (int c = 0; c < DIM; c++)
        mean += x[c] / DIM;
    for (int c = 0; c < DIM; c++)
        variance += (x[c] - mean) * (x[c] - mean) / DIM;
    for (int c = 0; c < DIM; c++)
        y[c] = (x[c] - mean) / sqrt(variance + 1e-5);
}

/* Attention of token t among those of its sequence. */
static void attend(double q[TOKENS][DIM], double k[TOKENS][DIM], double v[TOKENS][DIM], uint32_t t,
                   uint32_t first, uint32_t end, double *mix)
{
    enum { WIDTH = DIM / HEADS };

    memset(mix, 0, DIM * sizeof *mix);
    for (int head = 0; head < HEADS; head++) {
        double weights[TOKENS];
        double sum = 0.0;

        for (uint32_t u = first; u < end; u++) {
            double score = 0.0;

            for (int c = head * WIDTH; c < (head + 1) * WIDTH; c++)
                score += q[t][c] * k[u][c];
            weights[u] = exp(score / sqrt((double)WIDTH));
            sum += weights[u];
        }
        for (uint32_t u = first; u < end; u++)
            for (int c = head * WIDTH; c < (head + 1) * WIDTH; c++)
                mix[c] += weights[u] / sum * v[u][c];
    }
}

static const double *run_block(const double *weights, double x[TOKENS][DIM])
{
    static double q[TOKENS][DIM], k[TOKENS][DIM], v[TOKENS][DIM];
    double normed[DIM];
    double mix[DIM];
    double part[DIM];
    double hidden[HIDDEN];
    const double *after = weights;
    const double *end = weights;

    for (int t = 0; t < TOKENS; t++) {
        normalise(x[t], normed);
        after = apply(weights, normed, q[t], DIM, DIM);
        after = apply(after, normed, k[t], DIM, DIM);
        after = apply(after, normed, v[t], DIM, DIM);
    }
    for (int s = 0; s < SEQUENCES; s++)
        for (uint32_t t = starts[s]; t < starts[s + 1]; t++) {
            attend(q, k, v, t, starts[s], starts[s + 1], mix);
            end = apply(after, mix, part, DIM, DIM);
            for (int c = 0; c < DIM; c++)
                x[t][c] += part[c];
            normalise(x[t], normed);
            end = apply(end, normed, hidden, DIM, HIDDEN);
            for (int c = 0; c < HIDDEN; c++)
                hidden[c] = fmax(hidden[c], 0.0);
            end = apply(end, hidden, part, HIDDEN, DIM);
            for (int c = 0; c < DIM; c++)
                x[t][c] += part[c];
        }
    return end;
}

static double loss_in_double(const double *weights, const double *rows)
{
    static double x[TOKENS][DIM];
    double loss = 0.0;

    memcpy(x, rows, sizeof x);
    for (int i = 0; i < BLOCKS; i++)
        weights = run_block(weights, x);
    for (int i = 0; i < LABELS; i++) {
        double normed[DIM];
        double scores[CLASSES];
        double sum = 0.0;

        normalise(x[labelled[i]], normed);
        apply(weights, normed, scores, DIM, CLASSES);
        for (int c = 0; c < CLASSES; c++)
            sum += exp(scores[c]);
        loss += (log(sum) - scores[labels[i]]) / LABELS;
    }
    return loss;
}

/* The gradient by central differences in double, to some nine digits. */
static void expect_gradients(const double *weights, const double *rows, double *changed,
                             size_t count, const float *grads)
{
    double largest = 0.0;

    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)grads[i]));
    assert_true(largest > 1e-3);
    for (size_t i = 0; i < count; i++) {
        const double value = changed[i];
        double slope;

        changed[i] = value + 1e-6;
        slope = loss_in_double(weights, rows);
        changed[i] = value - 1e-6;
        slope = (slope - loss_in_double(weights, rows)) / 2e-6;
        changed[i] = value;
        if (fabs(slope - (double)grads[i]) > 2e-6 * fmax(1.0, largest))
            fail_msg("gradient %zu is %g, not %g", i, (double)grads[i], slope);
    }
}

static void the_encoder_is_that_of_its_formulas(void **state)
{
    static double weights[WEIGHTS];
    static double rows[TOKENS * DIM];
    static float float_rows[TOKENS * DIM];
    static float rows_grad[TOKENS * DIM];
    struct random random = random_stream(5, 0);
    struct encoder *encoder;
    double loss;

    (void)state;
    check(encoder_create(&shape, 3, &encoder, &error));
    assert_int_equal(encoder_weight_count(encoder), WEIGHTS);
    random_fill(&random, 0.4f, encoder_weights(encoder), WEIGHTS); /* biases too */
    random_fill(&random, 1.0f, float_rows, TOKENS * DIM);
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (double)encoder_weights(encoder)[i];
    for (int i = 0; i < TOKENS * DIM; i++)
        rows[i] = (double)float_rows[i];

    encoder_forward(encoder, &batch, float_rows);
    loss = encoder_backward(encoder, &batch, rows_grad);
    assert_true(fabs(loss - loss_in_double(weights, rows)) < 1e-6);
    expect_gradients(weights, rows, weights, WEIGHTS, encoder_grads(encoder));
    expect_gradients(weights, rows, rows, TOKENS * DIM, rows_grad);

    /* A second time it is the same: gradients are not added up. */
    encoder_forward(encoder, &batch, float_rows);
    assert_true(encoder_backward(encoder, &batch, rows_grad) == loss);
    expect_gradients(weights, rows, weights, WEIGHTS, encoder_grads(encoder));
    encoder_free(encoder);
}

/* Sums in registers, and those of the columns that are left. */
static void products_do_not_depend_on_tiles(void **state)
{
    enum { ROWS = 3, INNER = 5, COLUMNS = 37 };
    static float a[ROWS * INNER], b[INNER * COLUMNS], c[ROWS * COLUMNS];
    struct random random = random_stream(6, 0);

    (void)state;
    random_fill(&random, 1.0f, a, ROWS * INNER);
    random_fill(&random, 1.0f, b, INNER * COLUMNS);
    random_fill(&random, 1.0f, c, ROWS * COLUMNS);
    for (size_t columns = 1; columns <= COLUMNS; columns++) {
        static float got[ROWS * COLUMNS];

        memcpy(got, c, sizeof c);
        multiply_add((struct matrix){a, INNER}, (struct matrix){b, COLUMNS},
                     (struct matrix){got, COLUMNS}, ROWS, INNER, columns);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < COLUMNS; j++) {
                float sum = c[i * COLUMNS + j];

                for (size_t k = 0; j < columns && k < INNER; k++)
                    sum += a[i * INNER + k] * b[k * COLUMNS + j];
                assert_true(got[i * COLUMNS + j] == sum);
            }
    }
}

/* ---- Tasks */

/* How often each id is in a sequence. */
static void count_ids(const struct batch *made, uint32_t s, int *counts, uint32_t vocab)
{
    memset(counts, 0, vocab * sizeof *counts);
    for (uint32_t t = made->starts[s]; t < made->starts[s + 1]; t++) {
        assert_in_range(made->ids[t], 0, vocab - 1);
        counts[made->ids[t]]++;
    }
}

/* The nouns of a sentence as bits: ids that are classes with an offset. */
static uint32_t nouns_of(const struct batch *made, uint32_t s, uint32_t first_noun, uint32_t nouns)
{
    uint32_t seen = 0;

    for (uint32_t t = made->starts[s]; t < made->starts[s + 1]; t++)
        if ((uint32_t)made->ids[t] >= first_noun && (uint32_t)made->ids[t] < first_noun + nouns)
            seen |= 1u << ((uint32_t)made->ids[t] - first_noun);
    return seen;
}

/* The id of class 0: answers are among the words of their sentence in every sentence with that
 * alone. */
static uint32_t first_noun_of(const struct task *task, const struct batch *made)
{
    for (uint32_t first = 0; first + task->classes <= task->vocab; first++) {
        bool fits = true;

        for (uint32_t s = 0; fits && s < made->sequences; s++)
            fits = nouns_of(made, s, first, task->classes) >> made->labels[s] & 1u;
        if (fits)
            return first;
    }
    fail_msg("no words are the labels");
    return 0;
}

static void twins_have_the_same_words_and_other_labels(void **state)
{
    const struct task *task = task_of(TASK_WHO);
    struct random random = random_stream(1, 1);
    bool seen[2] = {false, false};
    bool learned[1 << 10] = {false};
    struct batch made;
    uint32_t first_noun;
    char text[200];

    (void)state;
    check(batch_create(task, &made, &error));
    task_train(task, &random, &made);
    assert_int_equal(made.sequences, task->sequences);
    assert_int_equal(made.label_count, task->sequences);
    first_noun = first_noun_of(task, &made);
    for (int i = 0; i < 50; i++) {
        task_train(task, &random, &made);
        for (uint32_t s = 0; s < made.sequences; s++)
            learned[nouns_of(&made, s, first_noun, task->classes)] = true;
    }
    for (int i = 0; i < 50; i++) {
        task_test(task, &random, task->train_length_most, &made);
        assert_true(made.sequences >= 2 && made.sequences % 2 == 0);
        for (uint32_t s = 0; s < made.sequences; s += 2) {
            int counts[2][64];

            count_ids(&made, s, counts[0], task->vocab);
            count_ids(&made, s + 1, counts[1], task->vocab);
            assert_memory_equal(counts[0], counts[1], task->vocab * sizeof **counts);
            assert_int_not_equal(made.labels[s], made.labels[s + 1]);
            assert_int_equal(made.labelled[s], made.starts[s + 1] - 1);
            assert_false(learned[nouns_of(&made, s, first_noun, task->classes)]);
            seen[made.starts[s + 1] - made.starts[s] == task->train_length_most] = true;
        }
    }
    assert_true(seen[0] && seen[1]);
    task_show_sentence(&made, 0, text, sizeof text);
    assert_non_null(strstr(text, " . who"));
    task_show_sentence(&made, 0, text, 9);
    assert_int_equal(strlen(text), 8);
    batch_free(&made);
}

/* In the sentences themselves: "the A chased the B . who" is A, "the A was chased by the B . who"
 * is B. */
static void labels_are_those_of_the_grammar(void **state)
{
    const struct task *task = task_of(TASK_WHO);
    struct random random = random_stream(2, 1);
    struct batch made;
    int passives = 0;

    (void)state;
    check(batch_create(task, &made, &error));
    for (int i = 0; i < 20; i++) {
        task_train(task, &random, &made);
        const uint32_t first_noun = first_noun_of(task, &made);

        for (uint32_t s = 0; s < made.sequences; s++) {
            char text[200];
            uint32_t nouns[2] = {0, 0};
            int found = 0;

            task_show_sentence(&made, s, text, sizeof text);
            for (uint32_t t = made.starts[s]; t < made.starts[s + 1]; t++)
                if ((uint32_t)made.ids[t] - first_noun < task->classes && found < 2)
                    nouns[found++] = (uint32_t)made.ids[t] - first_noun;
            assert_int_equal(found, 2);
            const bool passive = strstr(text, " was ") && strstr(text, " by ");
            const bool whom = strstr(text, " . whom") != NULL;

            assert_int_equal(made.labels[s], nouns[passive != whom]);
            passives += passive;
        }
    }
    assert_in_range(passives, 200, 440);
    batch_free(&made);
}

static void labels_stand_at_the_distance(const struct task *task, uint32_t length)
{
    struct random random = random_stream(3, length);
    struct batch made;

    check(batch_create(task, &made, &error));
    for (int i = 0; i < 10; i++) {
        uint32_t label = 0;

        if (length)
            task_test(task, &random, length, &made);
        else
            task_train(task, &random, &made);
        assert_true(made.sequences > 0 && made.tokens <= task_tokens_max(task));
        for (uint32_t s = 0; s < made.sequences; s++) {
            int counts[64];
            const uint32_t begin = made.starts[s];
            const uint32_t end = made.starts[s + 1];

            count_ids(&made, s, counts, task->vocab);
            for (uint32_t v = 0; v < task->vocab; v++)
                assert_in_range(counts[v], 0, 1);
            if (length)
                assert_int_equal(end - begin, length);
            else
                assert_in_range(end - begin, task->train_length_least, task->train_length_most);
            for (uint32_t t = begin + task->distance; t < end; t++, label++) {
                assert_int_equal(made.labelled[label], t);
                assert_int_equal(made.labels[label], made.ids[t - task->distance]);
            }
        }
        assert_int_equal(label, made.label_count);
    }
    batch_free(&made);
}

static void letters_have_the_labels_of_the_distance(void **state)
{
    const struct task *longer = task_of(TASK_LENGTH);

    (void)state;
    labels_stand_at_the_distance(task_of(TASK_DISTANCE), 0);
    labels_stand_at_the_distance(longer, 0);
    labels_stand_at_the_distance(longer, longer->train_length_most);
    labels_stand_at_the_distance(longer, longer->long_length);
    assert_true(longer->long_length > longer->train_length_most);
    assert_int_equal(task_length_max(longer), longer->long_length);
    assert_true(task_chance(task_of(TASK_WHO), 12) == 0.5);
    assert_true(task_chance(longer, 32) == 1.0 / 31.0);
}

/* ---- Trials */

/* Of few steps, one seed, one task: `digests` of all kinds of positions. */
static void run_some(posemb_session *session, uint32_t threads,
                     char digests[STAGE_KINDS][TRIAL_DIGEST_SIZE])
{
    const struct experiment_settings settings = {.seeds = 1,
                                                 .steps = 20,
                                                 .threads = threads,
                                                 .base = 10000.0,
                                                 .tasks = {[TASK_LENGTH] = true}};
    struct experiment experiment;

    check(experiment_run(session, &settings, &experiment, &error));
    assert_int_equal(experiment.count, STAGE_KINDS);
    for (int i = 0; i < STAGE_KINDS; i++) {
        const struct trial *trial =
            experiment_trials(&experiment, TASK_LENGTH, (enum stage_positions)i);

        assert_int_equal(trial->positions, i);
        assert_int_equal(strlen(trial->digest), TRIAL_DIGEST_SIZE - 1);
        memcpy(digests[i], trial->digest, TRIAL_DIGEST_SIZE);
        assert_true(trial->losses[0] > 1.0 && trial->losses[0] < 5.0);
    }
    assert_null(experiment_trials(&experiment, TASK_WHO, STAGE_NONE));
    experiment_free(&experiment);
}

static void trials_have_the_bits_of_the_reference(void **state)
{
    char expected[STAGE_KINDS][TRIAL_DIGEST_SIZE];
    char got[STAGE_KINDS][TRIAL_DIGEST_SIZE];

    run_some(NULL, 1, expected);
    for (int i = 0; i < STAGE_KINDS; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(expected[i], expected[k]);
    run_some(NULL, 3, got);
    assert_memory_equal(got, expected, sizeof got);
    run_some(*state, 2, got);
    assert_memory_equal(got, expected, sizeof got);
}

/* These numbers are those of every build, compiler and machine. */
static void all_tasks_have_known_bits(void **state)
{
    const struct experiment_settings settings = {
        .seeds = 1, .steps = 20, .threads = 2, .base = 10000.0, .tasks = {true, true, true}};
    struct experiment experiment;
    char digest[TRIAL_DIGEST_SIZE];

    (void)state;
    check(experiment_run(NULL, &settings, &experiment, &error));
    experiment_digest(&experiment, digest);
    assert_string_equal(digest, "65612621b758550c");
    experiment_free(&experiment);
}

/* The base is that of the sinusoids alone. */
static void another_base_changes_sinusoids(void **state)
{
    struct trial *trials = calloc(2, sizeof *trials);

    (void)state;
    assert_non_null(trials);
    for (int kind = 0; kind < STAGE_KINDS; kind++) {
        for (int i = 0; i < 2; i++) {
            trials[i] = (struct trial){.task = TASK_DISTANCE,
                                       .positions = (enum stage_positions)kind,
                                       .base = i ? 10.0 : 10000.0,
                                       .seed = 1,
                                       .steps = 1};
            check(trial_run(NULL, &trials[i], &error));
        }
        assert_int_equal(strcmp(trials[0].digest, trials[1].digest) != 0,
                         kind == STAGE_SINUSOIDAL || kind == STAGE_FROM_SINUSOIDAL);
    }
    free(trials);
}

/* At places that were trained and at others. */
static void places_have_accuracies_of_their_own(void **state)
{
    struct experiment experiment = {.settings = {.seeds = 2}};
    struct trial *trials = calloc(2, sizeof *trials);
    struct spread spread;

    (void)state;
    assert_non_null(trials);
    for (int i = 0; i < 2; i++)
        for (int place = 0; place < TASK_PLACES_MAX; place++)
            trials[i].by_place[place] = i + place;
    spread = experiment_spread_of_places(&experiment, trials, 4, 7);
    assert_true(spread.mean == 6.0 && spread.least == 5.5 && spread.most == 6.5);
    spread = experiment_spread(&experiment, trials, NUMBER_BY_PLACE, 9);
    assert_true(spread.mean == 9.5);
    free(trials);
}

static void count_progress(void *context, const struct trial *trial, size_t done, size_t all)
{
    size_t *calls = context;

    assert_non_null(trial);
    assert_int_equal(done, ++*calls);
    assert_int_equal(all, 2 * STAGE_KINDS);
}

static void seeds_differ_and_numbers_are_counted(void **state)
{
    size_t calls = 0;
    const struct experiment_settings settings = {.seeds = 2,
                                                 .steps = 20,
                                                 .threads = 2,
                                                 .base = 10000.0,
                                                 .tasks = {[TASK_WHO] = true},
                                                 .progress = count_progress,
                                                 .context = &calls};
    struct experiment experiment;

    (void)state;
    check(experiment_run(NULL, &settings, &experiment, &error));
    assert_int_equal(calls, 2 * STAGE_KINDS);
    for (int i = 0; i < STAGE_KINDS; i++) {
        const struct trial *trials =
            experiment_trials(&experiment, TASK_WHO, (enum stage_positions)i);
        const bool is_learned = i == STAGE_LEARNED || i == STAGE_FROM_SINUSOIDAL;
        const size_t rows = task_length_max(task_of(TASK_WHO));

        assert_int_equal(trials[0].seed, 1);
        assert_int_equal(trials[1].seed, 2);
        assert_string_not_equal(trials[0].digest, trials[1].digest);
        assert_int_equal(trials[0].position_parameters, is_learned ? rows * TRIAL_DIM : 0);
        assert_int_equal(trials[0].parameters - trials[0].position_parameters,
                         experiment.trials[0].parameters);
    }
    experiment_free(&experiment);
}

static void spreads_are_those_of_samples(void **state)
{
    const double values[] = {1.0, 2.0, 4.0, 5.0};
    struct spread spread = spread_of(values, 4);

    (void)state;
    assert_true(spread.mean == 3.0 && spread.least == 1.0 && spread.most == 5.0);
    assert_true(fabs(spread.deviation - sqrt(10.0 / 3.0)) < 1e-15);
    spread = spread_of(values, 1);
    assert_true(spread.mean == 1.0 && spread.deviation == 0.0);
}

/* The median has those that never got there at its end. */
static void medians_are_over_all_seeds(void **state)
{
    struct experiment experiment = {.settings = {.seeds = 5}};
    struct trial *trials = calloc(5, sizeof *trials);
    uint32_t reached;

    (void)state;
    assert_non_null(trials);
    trials[0].steps_to_95 = 50;
    trials[3].steps_to_95 = 20;
    assert_int_equal(experiment_steps_to_95(&experiment, trials, &reached), 0);
    assert_int_equal(reached, 2);
    trials[4].steps_to_95 = 30;
    assert_int_equal(experiment_steps_to_95(&experiment, trials, &reached), 50);
    assert_int_equal(reached, 3);
    trials[1].steps_to_95 = 10;
    assert_int_equal(experiment_steps_to_95(&experiment, trials, &reached), 30);
    free(trials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponentials_are_near),
        cmocka_unit_test(the_encoder_is_that_of_its_formulas),
        cmocka_unit_test(products_do_not_depend_on_tiles),
        cmocka_unit_test(twins_have_the_same_words_and_other_labels),
        cmocka_unit_test(labels_are_those_of_the_grammar),
        cmocka_unit_test(letters_have_the_labels_of_the_distance),
        cmocka_unit_test(trials_have_the_bits_of_the_reference),
        cmocka_unit_test(all_tasks_have_known_bits),
        cmocka_unit_test(another_base_changes_sinusoids),
        cmocka_unit_test(places_have_accuracies_of_their_own),
        cmocka_unit_test(seeds_differ_and_numbers_are_counted),
        cmocka_unit_test(spreads_are_those_of_samples),
        cmocka_unit_test(medians_are_over_all_seeds),
    };

    return cmocka_run_group_tests(tests, support_open_session, support_close_session);
}
