/* Which sinusoids a stored table of positions holds, if any. */
#ifndef POSEMB_IDENTIFY_H
#define POSEMB_IDENTIFY_H

#include <posemb/posemb.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTIFY_NAMES_MAX  4u
#define IDENTIFY_ALSO_MAX   3u
#define IDENTIFY_RANGES_MAX 8u
#define IDENTIFY_DIM_MIN    4u
#define IDENTIFY_ROWS_MIN   3u

enum identify_outcome {
    IDENTIFY_SINUSOIDAL = 1, /* every row that is not zeros is that of the formula */
    IDENTIFY_DEPARTS,        /* so are a quarter of the rows or more, but not all */
    IDENTIFY_OTHER,          /* learned, or of no formula known here */
    IDENTIFY_TOO_SMALL       /* too few channels or rows to tell */
};

/* The coarsest rounding that explains the differences. */
enum identify_rounding {
    IDENTIFY_FLOAT32 = 1, /* float arithmetic, whose error grows with the position */
    IDENTIFY_FLOAT16,
    IDENTIFY_BFLOAT16
};

/* One way to say which frequencies and channels there are: w_i = frequency * base^(-i / d). */
struct identified_form {
    posemb_layout layout;
    posemb_first first;
    posemb_denominator denominator;
    double shift;
    posemb_odd odd; /* POSEMB_ODD_REFUSED where D is even: there is nothing to say */
    double base;
    size_t name_count; /* conventions that are this function, 0: none has a name */
    const char *names[IDENTIFY_NAMES_MAX];
    size_t default_count; /* the first so many have this amplitude by default, others as an option
                           */
};

struct identified_worst {
    double difference; /* largest |table - formula|; 0 where there are no such rows */
    uint64_t row;
    uint32_t channel;
};

struct identified_range {
    uint64_t first;
    uint64_t last;
};

struct identification {
    enum identify_outcome outcome;
    bool found; /* IDENTIFY_SINUSOIDAL: the table can be dropped */

    /* Under IDENTIFY_SINUSOIDAL and IDENTIFY_DEPARTS: row r is the position offset + r * step. */
    struct identified_form form;
    size_t also_count; /* the same function, or one that the table does not tell from it */
    struct identified_form also[IDENTIFY_ALSO_MAX];
    double offset;
    double step; /* 1, or -1 where positions fall from row to row */
    double frequency;
    double amplitude;
    enum identify_rounding rounding;
    bool rounded_exactly;           /* the values are numbers of that type */
    struct identified_worst agreed; /* over the rows that agree */
    struct identified_worst departed;

    uint64_t rows;
    uint32_t dim;
    uint64_t zero_rows; /* all zeros: a pad's row; neither agree nor depart */
    size_t zero_range_count;
    struct identified_range zero_ranges[IDENTIFY_RANGES_MAX];
    uint64_t departing_rows;
    size_t departing_range_count; /* the first of them */
    struct identified_range departing_ranges[IDENTIFY_RANGES_MAX];
    char message[POSEMB_MESSAGE_SIZE]; /* one sentence; no newline at the end */
};

/* Tell what table[rows, dim] is, dim at most POSEMB_DIM_MAX. False: there is no memory. */
bool identify_table(const float *table, uint64_t rows, uint32_t dim, struct identification *found);

/* The d of w_i = frequency * base^(-i / d). */
double identify_divisor(uint32_t dim, posemb_denominator denominator, double shift);

#endif
