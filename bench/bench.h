/* The benchmark: the stage against yardsticks measured in the same process and minutes. */
#ifndef POSEMB_BENCH_H
#define POSEMB_BENCH_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>

/* What is measured in one row of the report. */
struct bench_case {
    posemb_operation operation;
    uint32_t batch;
    uint32_t length;
    uint32_t dim;
    bool explicit_positions; /* random positions, one per token; else index + start */
    bool with_reader;        /* a kernel that reads the output follows, for stage and copy alike */
    bool hot_rows; /* the same few token rows in every launch; else ids cycle over a table */
};

/* Seconds of one launch; the smallest and the median of `repeats` samples, interleaved with those
 * of the copies. */
struct bench_result {
    double seconds;
    double median_seconds;
    double copy_seconds; /* of the best copy */
    double copy_median_seconds;
    double ratio_to_copy; /* seconds / copy_seconds */
    char copy[48];        /* which copy was best */
    uint32_t repeats;
    uint32_t launches; /* in one sample */
    size_t differing;  /* elements of the output whose bits differ from the reference */
    bool verified;     /* differing == 0; no number is given where it is not */
};

/* Run one case. Where the output differs from the reference, only `differing` is filled. */
posemb_status bench_run(posemb_session *session, const struct bench_case *bench_case,
                        struct bench_result *result, posemb_error *error);

/* The library's share of one enqueue: posemb_enqueue() less the same OpenCL calls by hand. */
struct bench_overhead {
    double enqueue_seconds; /* median of one posemb_enqueue() */
    double raw_seconds;     /* median of setting the arguments and enqueueing, nothing else */
    uint32_t repeats;
};

posemb_status bench_overhead_run(posemb_session *session, struct bench_overhead *overhead,
                                 posemb_error *error);

/* Each position rule beside the index rule, on the same tokens. */
enum { BENCH_RULES = 9 };

struct bench_rules {
    const char *name[BENCH_RULES];
    double seconds[BENCH_RULES]; /* the smallest of `repeats` samples, interleaved; [0] is the index
                                    rule */
    unsigned launches[BENCH_RULES]; /* kernels of one call */
    uint32_t repeats;
    size_t differing; /* elements whose bits differ from the reference; there are times only where
                         it is 0 */
};

posemb_status bench_rules_run(posemb_session *session, uint32_t batch, uint32_t length,
                              uint32_t dim, struct bench_rules *result, posemb_error *error);

/* Parts of the stage beside the plain one, and each beside the best copy of the same bytes. */
enum { BENCH_PARTS = 23 };

struct bench_parts {
    size_t count; /* of those that the shape can have: blocks are not of any D */
    const char *name[BENCH_PARTS];
    double seconds[BENCH_PARTS]; /* the smallest of `repeats` samples, interleaved; [0] is the plain
                                    stage: float tables, sinusoids, no norm */
    double copy_seconds[BENCH_PARTS]; /* the same of the best copy */
    uint32_t repeats;
    size_t differing; /* elements whose bits differ from the reference; there are times only where
                         it is 0 */
};

posemb_status bench_parts_run(posemb_session *session, uint32_t batch, uint32_t length,
                              uint32_t dim, struct bench_parts *result, posemb_error *error);

/* Gradients of the stage, each beside the time in which its bytes could be copied. */
enum { BENCH_BACKWARDS = 6 };

struct bench_backwards {
    const char *name[BENCH_BACKWARDS];
    double bytes[BENCH_BACKWARDS];        /* read and written, each once */
    double seconds[BENCH_BACKWARDS];      /* the smallest of `repeats` samples, interleaved */
    double copy_seconds[BENCH_BACKWARDS]; /* of so many bytes at the rate of the best copy */
    uint32_t repeats;
    size_t differing; /* elements whose bits differ from the reference; there are times only where
                         it is 0 */
};

posemb_status bench_backwards_run(posemb_session *session, uint32_t batch, uint32_t length,
                                  uint32_t dim, struct bench_backwards *result,
                                  posemb_error *error);

/* The first calls of a process, on [8,128]x1024 and rows that are in the cache. A launch is
 * measured from posemb_enqueue() to the end of clFinish(). */
struct bench_first_call {
    posemb_origin origin; /* where the plan's program came from */
    double plan_seconds;
    double warmup_seconds; /* 0 where there was none */
    double first_seconds;
    double second_seconds;
    double steady_seconds; /* median of many more */
    size_t differing;      /* elements whose bits differ; numbers count only where it is 0 */
};

/* `from_memory`: of a second plan with the same program. The process must not have used posemb
 * before. */
posemb_status bench_first_call_run(posemb_session *session, bool warm_up, bool from_memory,
                                   struct bench_first_call *result, posemb_error *error);

/* Rows of the token table that cold rows cycle over. */
#define BENCH_TABLE_ROWS 32000u

#endif
