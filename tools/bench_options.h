/* The options of posemb bench. */
#ifndef POSEMB_BENCH_OPTIONS_H
#define POSEMB_BENCH_OPTIONS_H

#include "bench.h"

/* The choices, in the order of `words`. */
enum choice { OP, TABLE, OUT, POSITION, RULE, NORM, TYPES, CONSUMER, ROWS, IDS, CHOICES };

struct bench_options {
    const char *device;
    const char *json;
    const char *csv;
    bool quick;
    bool full;
    double seconds; /* 0: the mode's */
    bool has_shape;
    bool first_calls; /* nothing else */
    bool rules;       /* likewise */
    bool parts;       /* likewise */
    bool devices;     /* likewise */
    bool backward;    /* likewise */
    bool accuracy;    /* likewise */
    bool has_choice;
    int choice[CHOICES]; /* 1 + the place of the word; 0: not given */
    uint32_t shape[3];
};

/* EXIT_DONE to go on; EXIT_USAGE after a message; -1 where --help was printed. */
int bench_options_parse(int count, char **arguments, struct bench_options *options);

/* The one case that was chosen. */
struct bench_case bench_options_case(const struct bench_options *options);

enum bench_mode bench_options_mode(const struct bench_options *options);

#endif
