/* Things that are measured side by side: samples of each in turn, so that a slow minute of the
 * machine hits all of them. */
#ifndef POSEMB_BENCH_LANES_H
#define POSEMB_BENCH_LANES_H

#include <posemb/posemb_cl.h>

#include <signal.h>
#include <stdbool.h>

enum { LANES_MAX = 160, LANE_SAMPLES_MAX = 200 };

/* Enqueue one launch with data set `set`. */
typedef posemb_status (*lane_function)(void *context, size_t index, uint32_t set,
                                       posemb_error *error);

struct lane {
    lane_function enqueue;
    void *context;
    size_t index;      /* handed to `enqueue` */
    int family;        /* lanes of one family other than 0 are alternatives: only the best go on */
    bool launched;     /* before, so that nothing is compiled at its first launch here */
    double trial;      /* seconds of one launch alone */
    uint32_t launches; /* in one sample */
    uint32_t limit;    /* samples at most: a lane that takes many times the first one's gets few */
    uint32_t count;    /* samples that there are */
    bool dropped;
    double samples[LANE_SAMPLES_MAX];
};

/* What decides how many samples there are. */
struct lanes_budget {
    double seconds;        /* of all samples, about */
    double sample_seconds; /* of one sample, at least; 0: one launch */
    uint32_t repeats_min;
    const volatile sig_atomic_t *stop;
};

struct lanes {
    struct lane *lanes; /* [LANES_MAX] */
    size_t count;
    uint32_t next_set;
    uint32_t repeats; /* of the first lane */
    cl_command_queue queue;
};

posemb_status lanes_create(struct lanes *lanes, cl_command_queue queue, posemb_error *error);
void lanes_destroy(struct lanes *lanes);

/* Append one; its place among them. */
size_t lanes_add(struct lanes *lanes, lane_function enqueue, void *context, size_t index,
                 int family);

/* Launch each, and see how long that takes. */
posemb_status lanes_try(struct lanes *lanes, posemb_error *error);

/* Seconds that the fewest samples will take, by what lanes_try() saw. */
double lanes_least_seconds(struct lanes *lanes, const struct lanes_budget *budget);

/* The samples. */
posemb_status lanes_run(struct lanes *lanes, const struct lanes_budget *budget,
                        posemb_error *error);

/* Seconds of one launch. `quantile` 0: the smallest; 0.5: the median. */
double lane_seconds(const struct lane *lane, double quantile);

/* The median over the rounds of the first's seconds divided by the second's in the same round: a
 * machine that is now fast and now slow moves both. */
double lanes_ratio(const struct lane *lane, const struct lane *other);

/* The lane of a family with the smallest sample; LANES_MAX where there is none. */
size_t lanes_best(const struct lanes *lanes, int family);

#endif
