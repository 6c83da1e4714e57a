/* The benchmark: the stage against yardsticks measured in the same process and minutes. */
#ifndef POSEMB_BENCH_H
#define POSEMB_BENCH_H

#include <posemb/posemb_cl.h>

#include <signal.h>
#include <stdbool.h>

/* ---- What is measured */

/* Which rows of the table the tokens name. */
enum bench_ids {
    BENCH_IDS_UNIQUE, /* a random order of all rows, on and on */
    BENCH_IDS_ZIPF,   /* row k of that order with a probability in proportion to 1 / (k + 1) */
    BENCH_IDS_SAME,   /* one row for all */
    BENCH_IDS_COUNT
};

/* Position rules, with what they need; bench_rules[] has the fields of a description. */
enum bench_rule {
    BENCH_INDEX,
    BENCH_ROW_START,
    BENCH_EXPLICIT, /* random ones */
    BENCH_EXPLICIT_FLOAT,
    BENCH_COUNT_ID,
    BENCH_COUNT_ID_ZERO,
    BENCH_COUNT_MASK,
    BENCH_COUNT_LEFT,
    BENCH_RAGGED,
    BENCH_RULES
};

struct bench_rule_info {
    const char *name;
    posemb_position_rule rule;
    posemb_number_type position_type;
    posemb_padding padding;
    posemb_number_type padding_type;
    posemb_pad_policy policy;
};
extern const struct bench_rule_info bench_rules[BENCH_RULES];

/* One configuration. Zeros: what is most usual. */
struct bench_case {
    posemb_operation operation; /* 0: POSEMB_ENCODE */
    uint32_t batch;
    uint32_t length;
    uint32_t dim;
    posemb_storage table;               /* 0: F32; of tokens, or of the rows of ADD */
    posemb_storage out;                 /* 0: F32 */
    posemb_position_kind position_kind; /* 0: sinusoids */
    enum bench_rule rule;
    posemb_norm norm; /* 0: none */
    bool types;       /* an extra table, of which all tokens have one row */
    bool with_reader; /* a kernel that reads the output follows, for stage and yardsticks alike */
    bool hot_rows;    /* 256 rows in every launch; else ids go through the whole table */
    bool pads;        /* about every fifth id is a pad: for the rules that count */
    enum bench_ids ids;
};

/* The case with its zeros replaced. */
struct bench_case bench_case_resolved(const struct bench_case *bench_case);

/* NULL, or why there is no such case: "Q4_K rows have multiples of 256 channels". */
const char *bench_case_fault(const struct bench_case *bench_case);

/* Bytes that a launch must move: rows and output once, ids, positions that are given, the rows of
 * learned positions, types, gamma and beta once. */
uint64_t bench_case_bytes(const struct bench_case *bench_case);

enum { BENCH_WORDS = 160 };

/* "encode [8,2048,1024] f32 > f32, sinusoidal, index, none, reader none, cold, unique" */
void bench_case_words(const struct bench_case *bench_case, char words[BENCH_WORDS]);

/* The names that records have. A storage: "f32", "q8_0". */
const char *bench_storage_word(posemb_storage storage);
posemb_storage bench_storage_of(const char *word); /* POSEMB_STORAGE_DEFAULT: none of them */
const char *bench_operation_word(posemb_operation operation);
const char *bench_position_word(posemb_position_kind kind);
const char *bench_norm_word(posemb_norm norm);
const char *bench_ids_word(enum bench_ids ids);

/* ---- Lists of cases */

enum bench_mode { BENCH_DEFAULT, BENCH_QUICK, BENCH_FULL, BENCH_CUSTOM };
enum { BENCH_CASES_MAX = 512 };

/* The cases of a mode, in an order in which those that share data follow each other. */
size_t bench_list(enum bench_mode mode, struct bench_case cases[BENCH_CASES_MAX]);

/* ---- Measuring one */

enum bench_yardstick {
    BENCH_COPY,         /* the best of all copies */
    BENCH_COPY_BUFFER,  /* clEnqueueCopyBuffer */
    BENCH_GATHER,       /* the rows alone */
    BENCH_GATHER_TABLE, /* the whole stage with a precomputed table of positions, in one kernel */
    BENCH_UNFUSED,      /* the same in a kernel for each step */
    BENCH_VENDOR_SIN,   /* one kernel, a work-item for each pair, the vendor's sin, cos, exp2 */
    BENCH_YARDSTICKS
};
#define BENCH_ALL_YARDSTICKS ((1u << BENCH_YARDSTICKS) - 1u)
extern const char *const bench_yardstick_names[BENCH_YARDSTICKS];

struct bench_yardstick_result {
    bool measured;
    double seconds; /* the smallest, and the median */
    double median_seconds;
    double ratio;      /* of the stage to it: the median over the rounds */
    uint32_t launches; /* kernels of it; without the reader */
    char how[64];      /* which variant was the best */
};

enum { BENCH_TIMING = 96 };

/* Seconds of one launch; the smallest, the median and the 90th percentile of `repeats` samples,
 * interleaved with those of the yardsticks. */
struct bench_result {
    const char *skipped; /* NULL, or why nothing was measured */
    size_t differing;    /* elements of the output whose bits differ from the reference */
    bool verified;       /* differing == 0; no number is given where it is not */
    const char *wrong; /* NULL, or the yardstick whose output was wrong, so that it has no number */
    uint64_t digest;   /* XXH3 of the output of set 0, every NaN as one pattern */
    double seconds;
    double median_seconds;
    double p90_seconds;
    uint32_t repeats;
    uint32_t launches;    /* in one sample */
    uint32_t kernels;     /* of one launch: 2 where pads are counted before */
    double call_seconds;  /* median of one enqueue and clFinish */
    double event_seconds; /* median by events of a profiling queue; NaN: the device has none */
    char tuning[POSEMB_TUNING_SIZE]; /* of the plan: posemb_plan_tuning() */
    char timing[BENCH_TIMING];       /* "agree", or how events and wall clock disagree */
    uint64_t bytes;                  /* bench_case_bytes() */
    uint64_t copy_bytes;             /* that the copies move */
    uint64_t table_rows;
    struct bench_yardstick_result yardsticks[BENCH_YARDSTICKS];
    char reason[256]; /* what `skipped` points to where it was made up */
};

struct bench_settings {
    double seconds;       /* of sampling one case, about */
    double limit_seconds; /* a case that would take more with the fewest samples is skipped */
    uint32_t repeats_min; /* 0: 5 */
    unsigned yardsticks;  /* bit k: measure yardstick k */
    bool twice;           /* compare with the reference after the samples too; else the digest */
    const volatile sig_atomic_t *stop; /* NULL, or ends the measurement where it becomes not 0 */
};

/* What cases of one device share: programs of the yardsticks, data of the last shape. */
struct bench;

posemb_status bench_create(posemb_session *session, const struct bench_settings *settings,
                           struct bench **bench, posemb_error *error);
void bench_destroy(struct bench *bench);

/* Run one case. Where the output differs from the reference, only `differing` is filled; where it
 * cannot be measured (memory, time), `skipped` says why.
 *
 * @param engine  NULL: the session's; else one of the session's context and device, such as with
 *                other tuning. */
posemb_status bench_run(struct bench *bench, posemb_engine *engine,
                        const struct bench_case *bench_case, struct bench_result *result,
                        posemb_error *error);

/* ---- Other measurements */

/* The library's share of one enqueue: posemb_enqueue() less the same OpenCL calls by hand. */
struct bench_overhead {
    double enqueue_seconds; /* median of one posemb_enqueue() */
    double raw_seconds;     /* median of setting the arguments and enqueueing, nothing else */
    uint32_t repeats;
};

posemb_status bench_overhead_run(posemb_session *session, struct bench_overhead *overhead,
                                 posemb_error *error);

/* Cases side by side on the same tokens, each in turn: what one thing costs beside the first. */
enum { BENCH_PARTS = 23, BENCH_GROUP_MAX = BENCH_PARTS };

struct bench_group {
    size_t count;
    const char *name[BENCH_GROUP_MAX];
    double seconds[BENCH_GROUP_MAX];      /* the smallest of `repeats` samples, interleaved */
    double copy_seconds[BENCH_GROUP_MAX]; /* of the best copy of the same bytes; 0: not measured */
    unsigned kernels[BENCH_GROUP_MAX];    /* of one call */
    uint32_t repeats;
    size_t differing; /* elements whose bits differ from the reference; there are times only where
                         it is 0 */
};

/* Each position rule beside the index rule. */
posemb_status bench_rules_run(struct bench *bench, const uint32_t shape[3],
                              struct bench_group *result, posemb_error *error);

/* Storages, learned positions and norms beside the plain stage, and each beside the copies. */
posemb_status bench_parts_run(struct bench *bench, const uint32_t shape[3],
                              struct bench_group *result, posemb_error *error);

/* How exact and how fast ways to make sinusoids are. */
enum { BENCH_METHODS = 5, BENCH_ACCURACY_POSITIONS = 7, BENCH_ACCURACY_DIM = 1024 };
extern const char *const bench_method_names[BENCH_METHODS];
extern const uint32_t bench_accuracy_positions[BENCH_ACCURACY_POSITIONS];

struct bench_accuracy {
    double error[BENCH_METHODS][BENCH_ACCURACY_POSITIONS]; /* the largest, absolute, of all channels
                                                              of the 64 positions that end there */
    double seconds[BENCH_METHODS]; /* of a launch that writes [2048, 1024] float */
    bool built[BENCH_METHODS];
};

posemb_status bench_accuracy_run(struct bench *bench, struct bench_accuracy *accuracy,
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

/* Rows of the token table of small rows; more where that is not four times the device's cache,
 * fewer where rows are long. */
#define BENCH_TABLE_ROWS 32000u
/* What every payload begins from. */
#define BENCH_SEED 0x9e3779b97f4a7c15u

#endif
