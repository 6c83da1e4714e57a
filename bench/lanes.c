/* Samples of several things in turn. */
#include "lanes.h"

#include "cl_error.h"
#include "clock.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRIALS = 4,    /* samples after which only the best of a family go on */
    FINALISTS = 2, /* that go on */
    LAUNCHES_MAX = 512,
    SLOW_SAMPLES = 2, /* of a lane that is slow, of which the trial is one, */
    SLOW = 10         /* which takes more than so many times the first one's */
};

posemb_status lanes_create(struct lanes *lanes, cl_command_queue queue, posemb_error *error)
{
    memset(lanes, 0, sizeof *lanes);
    lanes->queue = queue;
    lanes->lanes = calloc(LANES_MAX, sizeof *lanes->lanes);
    if (!lanes->lanes)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for samples");
    return POSEMB_OK;
}

void lanes_destroy(struct lanes *lanes)
{
    free(lanes->lanes);
    memset(lanes, 0, sizeof *lanes);
}

size_t lanes_add(struct lanes *lanes, lane_function enqueue, void *context, size_t index,
                 int family)
{
    lanes->lanes[lanes->count] =
        (struct lane){.enqueue = enqueue, .context = context, .index = index, .family = family};
    return lanes->count++;
}

/* Seconds of one launch, over `launches` of them. */
static posemb_status sample(struct lanes *lanes, struct lane *lane, uint32_t launches,
                            double *seconds, posemb_error *error)
{
    const double begin = clock_seconds();
    posemb_status status = POSEMB_OK;
    cl_int code;

    for (uint32_t i = 0; status == POSEMB_OK && i < launches; i++)
        status = lane->enqueue(lane->context, lane->index, lanes->next_set++, error);
    code = clFinish(lanes->queue);
    *seconds = (clock_seconds() - begin) / launches;
    if (status == POSEMB_OK && code != CL_SUCCESS)
        status = posemb__cl_fail(error, code, "clFinish");
    return status;
}

/* The first launch of a kernel may compile it; the second tells the time. */
posemb_status lanes_try(struct lanes *lanes, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < lanes->count; i++) {
        struct lane *lane = &lanes->lanes[i];

        for (int n = lane->launched; status == POSEMB_OK && n < 2; n++)
            status = sample(lanes, lane, 1, &lane->trial, error);
    }
    return status;
}

static void calibrate(struct lanes *lanes, const struct lanes_budget *budget)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lanes[i];
        const double wanted = budget->sample_seconds / lane->trial + 1.0;

        lane->launches = wanted < LAUNCHES_MAX ? (uint32_t)wanted : LAUNCHES_MAX;
        lane->limit = LANE_SAMPLES_MAX;
        if (lane->trial > SLOW * lanes->lanes[0].trial && lane->trial > budget->sample_seconds) {
            lane->limit = SLOW_SAMPLES;
            lane->samples[0] = lane->trial;
            lane->count = 1;
        }
    }
}

/* Seconds of `repeats` rounds. */
static double seconds_of(const struct lanes *lanes, uint32_t repeats)
{
    double seconds = 0.0;

    for (size_t i = 0; i < lanes->count; i++) {
        const struct lane *lane = &lanes->lanes[i];
        uint32_t samples = repeats < lane->limit ? repeats : lane->limit;
        size_t family = 0;

        for (size_t j = 0; lane->family != 0 && j < lanes->count; j++)
            family += lanes->lanes[j].family == lane->family;
        if (family > FINALISTS && samples > TRIALS)
            samples = TRIALS + (samples - TRIALS) * FINALISTS / (uint32_t)family;
        seconds += samples * lane->launches * lane->trial;
    }
    return seconds;
}

static uint32_t least_repeats(const struct lanes_budget *budget)
{
    return budget->repeats_min ? budget->repeats_min : 5;
}

double lanes_least_seconds(struct lanes *lanes, const struct lanes_budget *budget)
{
    calibrate(lanes, budget);
    return seconds_of(lanes, least_repeats(budget));
}

static uint32_t repeats_within(const struct lanes *lanes, const struct lanes_budget *budget)
{
    uint32_t repeats = least_repeats(budget);

    while (repeats < LANE_SAMPLES_MAX && seconds_of(lanes, repeats + 1) < budget->seconds)
        repeats++;
    return repeats;
}

/* Of each family the best alone go on. */
static void drop_slow(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *mine = &lanes->lanes[i];
        size_t faster = 0;

        for (size_t j = 0; mine->family != 0 && mine->count > 0 && j < lanes->count; j++) {
            const struct lane *other = &lanes->lanes[j];

            faster += other->family == mine->family && other->count > 0 &&
                      samples_smallest(other->samples, other->count) <
                          samples_smallest(mine->samples, mine->count);
        }
        mine->dropped = faster >= FINALISTS;
    }
}

static bool is_stopped(const struct lanes_budget *budget)
{
    return budget->stop && *budget->stop;
}

posemb_status lanes_run(struct lanes *lanes, const struct lanes_budget *budget, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    calibrate(lanes, budget);
    lanes->repeats = repeats_within(lanes, budget);
    for (uint32_t n = 0; status == POSEMB_OK && n < lanes->repeats; n++) {
        if (n == TRIALS)
            drop_slow(lanes);
        for (size_t i = 0; status == POSEMB_OK && i < lanes->count; i++) {
            /* Each round begins with another lane, so that none always follows the same. */
            struct lane *lane = &lanes->lanes[(i + n) % lanes->count];

            if (is_stopped(budget))
                return posemb__fail(error, POSEMB_CANCELLED, 0, "interrupted");
            if (lane->dropped || lane->count >= lane->limit)
                continue;
            status = sample(lanes, lane, lane->launches, &lane->samples[lane->count], error);
            lane->count += status == POSEMB_OK;
        }
    }
    return status;
}

double lane_seconds(const struct lane *lane, double quantile)
{
    double samples[LANE_SAMPLES_MAX];

    memcpy(samples, lane->samples, lane->count * sizeof *samples);
    return samples_quantile(samples, lane->count, quantile);
}

double lanes_ratio(const struct lane *lane, const struct lane *other)
{
    const size_t count = lane->count < other->count ? lane->count : other->count;
    double ratios[LANE_SAMPLES_MAX];

    for (size_t n = 0; n < count; n++)
        ratios[n] = lane->samples[n] / other->samples[n];
    return count ? samples_median(ratios, count) : 0.0;
}

size_t lanes_best(const struct lanes *lanes, int family)
{
    size_t best = LANES_MAX;

    for (size_t i = 0; i < lanes->count; i++) {
        const struct lane *lane = &lanes->lanes[i];

        if (lane->family != family || lane->count == 0 || lane->dropped)
            continue;
        if (best == LANES_MAX ||
            samples_smallest(lane->samples, lane->count) <
                samples_smallest(lanes->lanes[best].samples, lanes->lanes[best].count))
            best = i;
    }
    return best;
}
