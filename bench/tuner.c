/* Coordinate descent over the settings of a plan: of each setting all values are measured in turn
 * with the best so far. What it finds is measured once more, in pairs, beside what was there
 * before. */
#include "tuner.h"

#include "cl_error.h"
#include "clock.h"
#include "plan.h"
#include "stream.h"
#include "tuner_data.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    VALUES_MAX = 7,   /* of one setting */
    ROUNDS_MIN = 4,   /* of one setting */
    ROUNDS_MAX = 25,  /* likewise */
    TRIALS = 2,       /* rounds after which the slow are dropped */
    PASSES = 2,       /* through all settings */
    PAIRS_MIN = 15,   /* of the last comparison */
    PAIRS_MAX = 60,   /* likewise */
    LAUNCHES_MAX = 64 /* of one sample */
};

/* A sample lasts so long at least, where one launch is shorter. */
static const double sample_seconds = 1e-3;
static const double too_slow = 1.2;   /* times the best: dropped */
static const double step_gain = 0.01; /* for a step of the search */

struct candidate {
    struct posemb__tuning tuning;
    posemb_plan *plan; /* NULL: does not build or launch, or dropped */
    double least[TUNER_PROBES];
};

struct tuner {
    posemb_session *session;
    const struct tuner_options *options;
    struct tuner_data data;
    struct tuner_result *result;
    uint32_t launches[TUNER_PROBES]; /* of one sample */
    uint32_t next_set;
    double deadline;
};

/* In the order of the search: what matters most comes first. */
static const struct {
    enum posemb__setting setting;
    uint64_t values[VALUES_MAX];
    size_t count;
} coordinates[] = {
    {POSEMB__SET_SHAPE, {POSEMB__CPU, POSEMB__GPU}, 2},
    {POSEMB__SET_SHARED_ROWS, {0, 2, 4, 8, 16}, 5},
    {POSEMB__SET_ROWS, {1, 2, 4, 8, 16}, 5},
    {POSEMB__SET_VECTOR, {4, 8}, 2},
    {POSEMB__SET_LOCAL_SIZE, {0, 32, 64, 128, 256, 512}, 6},
    {POSEMB__SET_PREFETCH, {0, 4, 8, 16, 64, 1024}, 6},
    {POSEMB__SET_TURNS, {1, 2, 4, 8, 16, 32}, 6},
    {POSEMB__SET_KEPT, {0, 4096, POSEMB_DIM_MAX}, 3},
};
enum { COORDINATES = sizeof coordinates / sizeof *coordinates };

static void say(const struct tuner *tuner, bool is_progress, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const struct tuner *tuner, bool is_progress, const char *format, ...)
{
    char text[POSEMB_MESSAGE_SIZE + POSEMB__TUNING_LINE_SIZE];
    va_list values;

    if (!tuner->options->say)
        return;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    tuner->options->say(text, is_progress, tuner->options->data);
}

/* ---- Samples */

/* Seconds of one launch of a probe, of tuner->launches of them. */
static posemb_status sample(struct tuner *tuner, const posemb_plan *plan, int probe,
                            double *seconds, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(tuner->session);
    const double begin = clock_seconds();
    cl_int code;

    for (uint32_t i = 0; i < tuner->launches[probe]; i++) {
        const posemb_args args = tuner_data_args(&tuner->data, probe, tuner->next_set++);
        const posemb_status status = posemb_enqueue(plan, queue, &args, 0, NULL, NULL, error);

        if (status != POSEMB_OK)
            return status;
    }
    code = clFinish(queue);
    *seconds = (clock_seconds() - begin) / tuner->launches[probe];
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clFinish");
}

static posemb_status sample_all(struct tuner *tuner, const posemb_plan *plan,
                                double seconds[TUNER_PROBES], posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int p = 0; status == POSEMB_OK && p < TUNER_PROBES; p++)
        status = sample(tuner, plan, p, &seconds[p], error);
    return status;
}

/* The mean of what each probe takes of another's time. */
static double ratio_of(const double mine[TUNER_PROBES], const double other[TUNER_PROBES])
{
    double sum = 0.0;

    for (int p = 0; p < TUNER_PROBES; p++)
        sum += mine[p] / other[p];
    return sum / TUNER_PROBES;
}

/* ---- Candidates */

static void release(struct candidate *candidate)
{
    posemb_plan_destroy(candidate->plan);
    candidate->plan = NULL;
}

static void skip(struct tuner *tuner, struct candidate *candidate, const posemb_error *error)
{
    char line[POSEMB__TUNING_LINE_SIZE];

    posemb__tuning_format(
        &candidate->tuning,
        posemb__settings_used(&tuner->data.desc, candidate->tuning.value[POSEMB__SET_SHAPE]), line);
    say(tuner, false, "skipped: %s: %s", line, error->message);
    tuner->result->skipped++;
    release(candidate);
}

/* Build, and compare every element of every probe. Fails where bits differ, by result->differing;
 * a candidate that does not build or launch has no plan. */
static bool prepare(struct tuner *tuner, struct candidate *candidate)
{
    struct tuner_result *result = tuner->result;
    posemb_error error = {.message = ""};
    size_t differing = 0;
    posemb_status status =
        posemb__plan_create_tuned(posemb_session_engine(tuner->session), &tuner->data.desc,
                                  &candidate->tuning, &candidate->plan, &error);

    if (status == POSEMB_OK)
        status = tuner_data_verify(&tuner->data, candidate->plan, &differing, &error);
    if (status != POSEMB_OK) {
        skip(tuner, candidate, &error);
        return true;
    }
    for (int p = 0; p < TUNER_PROBES; p++)
        candidate->least[p] = INFINITY;
    if (differing == 0)
        return true;
    result->differing = differing;
    result->best = candidate->tuning;
    return false;
}

/* One more sample of each; what fails goes. */
static void run_round(struct tuner *tuner, struct candidate *candidates, size_t count, size_t round)
{
    for (size_t i = 0; i < count; i++) {
        /* Each round begins with another, so that none always follows the same. */
        struct candidate *candidate = &candidates[(i + round) % count];
        double seconds[TUNER_PROBES];
        posemb_error error;

        if (!candidate->plan)
            continue;
        if (sample_all(tuner, candidate->plan, seconds, &error) != POSEMB_OK) {
            skip(tuner, candidate, &error);
            continue;
        }
        for (int p = 0; p < TUNER_PROBES; p++)
            candidate->least[p] = fmin(candidate->least[p], seconds[p]);
    }
}

static void drop_slow(struct candidate *candidates, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (candidates[i].plan && ratio_of(candidates[i].least, candidates[0].least) > too_slow)
            release(&candidates[i]);
}

/* Measure all, and return the best: 0 unless another is better by a step. */
static size_t choose(struct tuner *tuner, struct candidate *candidates, size_t count,
                     double seconds)
{
    const double begin = clock_seconds();
    double best_ratio = 1.0 - step_gain;
    size_t best = 0;

    for (size_t round = 0; round < ROUNDS_MAX; round++) {
        if (round >= ROUNDS_MIN && clock_seconds() - begin > seconds)
            break;
        if (round == TRIALS)
            drop_slow(candidates, count);
        run_round(tuner, candidates, count, round);
        if (!candidates[0].plan)
            return 0;
    }
    for (size_t i = 1; i < count; i++) {
        const double ratio =
            candidates[i].plan ? ratio_of(candidates[i].least, candidates[0].least) : INFINITY;

        if (ratio < best_ratio) {
            best_ratio = ratio;
            best = i;
        }
    }
    return best;
}

/* ---- The search */

/* Under another shape everything else is as the engine has it there. */
static struct posemb__tuning with_value(const struct tuner *tuner,
                                        const struct posemb__tuning *tuning,
                                        enum posemb__setting setting, uint64_t value)
{
    struct posemb__tuning changed = *tuning;

    if (setting == POSEMB__SET_SHAPE)
        return posemb__engine_tuning_of_shape(posemb_session_engine(tuner->session),
                                              &tuner->data.desc, (posemb_kernel_shape)value);
    changed.value[setting] = value;
    return changed;
}

/* Whether a value means something else to the plan than that of `tuning`. */
static bool is_new(const struct tuner *tuner, const struct posemb__tuning *tuning,
                   enum posemb__setting setting, uint64_t value)
{
    const uint64_t now = tuning->value[setting];

    if (setting == POSEMB__SET_KEPT) /* the row is kept, or not */
        return (value >= tuner->data.desc.dim) != (now >= tuner->data.desc.dim);
    if (setting == POSEMB__SET_LOCAL_SIZE &&
        value > posemb_session_device(tuner->session)->max_work_group_size)
        return false;
    return value != now;
}

/* The best of all values of one setting. False where bits differ. */
static bool search_setting(struct tuner *tuner, size_t k, double seconds, bool *changed)
{
    const enum posemb__setting setting = coordinates[k].setting;
    struct posemb__tuning *best = &tuner->result->best;
    struct candidate candidates[1 + VALUES_MAX] = {{.tuning = *best}};
    size_t count = 1;
    size_t chosen = 0;
    bool good;

    say(tuner, true, "%s", posemb__setting_info(setting)->name);
    good = prepare(tuner, &candidates[0]);
    for (size_t i = 0; good && i < coordinates[k].count; i++) {
        const uint64_t value = coordinates[k].values[i];

        if (!is_new(tuner, best, setting, value))
            continue;
        candidates[count].tuning = with_value(tuner, best, setting, value);
        good = prepare(tuner, &candidates[count]);
        tuner->result->tried += candidates[count++].plan != NULL;
        if (setting == POSEMB__SET_KEPT)
            break; /* the next value would be the same */
    }
    if (good && count > 1 && candidates[0].plan)
        chosen = choose(tuner, candidates, count, seconds);
    if (good)
        *best = candidates[chosen].tuning;
    *changed |= good && chosen != 0;
    for (size_t i = 0; i < count; i++)
        release(&candidates[i]);
    return good;
}

static bool is_searched(const struct tuner *tuner, enum posemb__setting setting)
{
    const struct tuner_result *result = tuner->result;
    const unsigned used =
        posemb__settings_used(&tuner->data.desc, result->best.value[POSEMB__SET_SHAPE]);

    return (tuner->options->searched & used) >> setting & 1u;
}

static bool search(struct tuner *tuner)
{
    const double seconds = tuner->options->seconds / COORDINATES;
    bool changed = true;

    for (int pass = 0; pass < PASSES && changed; pass++) {
        changed = false;
        for (size_t k = 0; k < COORDINATES; k++) {
            /* The first pass looks at everything, however slow the compiler. */
            if (pass > 0 && clock_seconds() > tuner->deadline)
                return true;
            if (is_searched(tuner, coordinates[k].setting) &&
                !search_setting(tuner, k, seconds, &changed))
                return false;
        }
    }
    return true;
}

/* ---- The last comparison */

struct pairs {
    double ratio[TUNER_PROBES][PAIRS_MAX]; /* best / first */
    double again[TUNER_PROBES][PAIRS_MAX]; /* first / first */
    double least[2][TUNER_PROBES];
    size_t count;
};

/* first, best, first; or the other way round. */
static posemb_status sample_pair(struct tuner *tuner, posemb_plan *const plans[2],
                                 struct pairs *pairs, posemb_error *error)
{
    const size_t n = pairs->count;
    const bool turned = n % 2;

    for (int p = 0; p < TUNER_PROBES; p++) {
        double first[2];
        double best;
        posemb_status status = sample(tuner, plans[0], p, &first[turned], error);

        if (status == POSEMB_OK)
            status = sample(tuner, plans[1], p, &best, error);
        if (status == POSEMB_OK)
            status = sample(tuner, plans[0], p, &first[!turned], error);
        if (status != POSEMB_OK)
            return status;
        pairs->ratio[p][n] = best / (0.5 * (first[0] + first[1]));
        pairs->again[p][n] = first[1] / first[0];
        pairs->least[0][p] = fmin(pairs->least[0][p], fmin(first[0], first[1]));
        pairs->least[1][p] = fmin(pairs->least[1][p], best);
    }
    pairs->count++;
    return POSEMB_OK;
}

/* Every probe gains, or loses less than counts; and together they gain more than noise. */
static bool is_better(struct pairs *pairs, struct tuner_result *result)
{
    double worst = 0.0;
    double bound;

    result->ratio = 0.0;
    result->noise = 0.0;
    for (int p = 0; p < TUNER_PROBES; p++) {
        const double ratio = samples_median(pairs->ratio[p], pairs->count);

        result->ratio += ratio / TUNER_PROBES;
        result->noise =
            fmax(result->noise, fabs(samples_median(pairs->again[p], pairs->count) - 1.0));
        worst = fmax(worst, ratio);
    }
    bound = fmax(TUNER_LEAST_GAIN, 2.0 * result->noise);
    return result->ratio < 1.0 - bound && worst < 1.0 + bound &&
           ratio_of(pairs->least[1], pairs->least[0]) < 1.0 - 0.5 * bound;
}

static posemb_status compare(struct tuner *tuner, posemb_plan *const plans[2], posemb_error *error)
{
    const double begin = clock_seconds();
    struct tuner_result *result = tuner->result;
    struct pairs pairs = {.count = 0};
    posemb_status status = POSEMB_OK;

    say(tuner, true, "comparing");
    for (int p = 0; p < TUNER_PROBES; p++)
        pairs.least[0][p] = pairs.least[1][p] = INFINITY;
    while (status == POSEMB_OK && pairs.count < PAIRS_MAX &&
           (pairs.count < PAIRS_MIN || clock_seconds() - begin < 0.3 * tuner->options->seconds))
        status = sample_pair(tuner, plans, &pairs, error);
    if (status != POSEMB_OK)
        return status;
    result->first_times =
        (struct tuner_times){pairs.least[0][TUNER_BATCH], pairs.least[0][TUNER_ROW]};
    result->best_times =
        (struct tuner_times){pairs.least[1][TUNER_BATCH], pairs.least[1][TUNER_ROW]};
    if (!is_better(&pairs, result)) {
        result->best = result->first;
        result->best_times = result->first_times;
        result->ratio = 1.0;
    }
    return POSEMB_OK;
}

/* The best copy of the bytes of a batch. */
static posemb_status measure_copy(struct tuner *tuner, posemb_error *error)
{
    const cl_command_queue queue = posemb_session_queue(tuner->session);
    const posemb_desc *desc = &tuner->data.desc;
    const posemb_storage in =
        desc->operation == POSEMB_ADD ? desc->rows_storage : desc->tokens.storage;
    struct stream stream;
    posemb_status status = stream_create(tuner->session, in, desc->out_storage,
                                         tuner->data.tokens * desc->dim, &stream, error);

    tuner->result->copy_seconds = INFINITY;
    for (int n = 0; status == POSEMB_OK && n < PAIRS_MIN; n++)
        for (size_t v = 0; v < stream.count; v++) {
            const double begin = clock_seconds();

            stream_enqueue(&stream, v, queue, tuner->data.device_table, 0, tuner->data.device_out);
            clFinish(queue);
            tuner->result->copy_seconds =
                fmin(tuner->result->copy_seconds, clock_seconds() - begin);
        }
    stream_destroy(&stream);
    return status;
}

/* Where nothing is better, the settings of before are measured beside themselves. */
static posemb_status conclude(struct tuner *tuner, posemb_error *error)
{
    const struct tuner_result *result = tuner->result;
    struct candidate candidates[2] = {{.tuning = result->first}, {.tuning = result->best}};
    posemb_plan *plans[2];
    posemb_status status = POSEMB_OK;
    bool good = true;

    for (int i = 0; good && i < 2; i++)
        good = prepare(tuner, &candidates[i]);
    plans[0] = candidates[0].plan;
    plans[1] = candidates[1].plan;
    if (good && plans[0] && plans[1])
        status = compare(tuner, plans, error);
    if (good && status == POSEMB_OK)
        status = measure_copy(tuner, error);
    for (int i = 0; i < 2; i++)
        release(&candidates[i]);
    return status;
}

/* How many launches a sample has; also the first touch of all pages. */
static posemb_status calibrate(struct tuner *tuner, posemb_error *error)
{
    struct candidate first = {.tuning = tuner->result->first};
    double seconds[TUNER_PROBES];
    posemb_status status;

    status = posemb__plan_create_tuned(posemb_session_engine(tuner->session), &tuner->data.desc,
                                       &first.tuning, &first.plan, error);
    for (int p = 0; p < TUNER_PROBES; p++)
        tuner->launches[p] = 1;
    for (int n = 0; status == POSEMB_OK && n < 3; n++)
        status = sample_all(tuner, first.plan, seconds, error);
    for (int p = 0; status == POSEMB_OK && p < TUNER_PROBES; p++) {
        const double wanted = sample_seconds / seconds[p] + 1.0;

        tuner->launches[p] = wanted < LAUNCHES_MAX ? (uint32_t)wanted : LAUNCHES_MAX;
    }
    release(&first);
    return status;
}

posemb_status tuner_run(posemb_session *session, const struct tuner_case *tuned,
                        const struct tuner_options *options, struct tuner_result *result,
                        posemb_error *error)
{
    struct tuner tuner = {.session = session, .options = options, .result = result};
    posemb_status status;

    memset(result, 0, sizeof *result);
    status = tuner_data_create(session, tuned, options->out_bytes, &tuner.data, error);
    if (status != POSEMB_OK)
        return status;
    result->first = result->best =
        posemb__engine_tuning(posemb_session_engine(session), &tuner.data.desc);
    result->used = posemb__settings_used(&tuner.data.desc, result->first.value[POSEMB__SET_SHAPE]);
    status = calibrate(&tuner, error);
    tuner.deadline = clock_seconds() + options->seconds;
    if (status == POSEMB_OK && search(&tuner))
        status = conclude(&tuner, error);
    result->used = posemb__settings_used(&tuner.data.desc, result->best.value[POSEMB__SET_SHAPE]);
    tuner_data_destroy(&tuner.data);
    return status;
}
