/* The tuner: searches the settings of src/tuning.h for one case, on one device. Times are of the
 * stage alone, cold rows, measured in turn with those of the settings in force. */
#ifndef POSEMB_BENCH_TUNER_H
#define POSEMB_BENCH_TUNER_H

#include "tuning.h"

#include <posemb/posemb_cl.h>

/* What is computed. Positions are those of the index rule. */
struct tuner_case {
    posemb_operation operation;
    posemb_position_kind position;
    posemb_storage table; /* of the token table; of ADD: of the rows, none of tables alone */
    posemb_storage out;
    posemb_norm norm;
    uint32_t dim;
};

struct tuner_options {
    double seconds;    /* for the search of one case, about; the last comparison takes some more */
    size_t out_bytes;  /* of the output of the larger launches, about */
    unsigned searched; /* bit k: setting k may be changed */
    /* Receives what is going on, and each setting that does not build or launch; may be NULL. */
    void (*say)(const char *what, bool is_progress, void *data);
    void *data;
};

/* Seconds of one launch of a batch of 16 rows, and of one row of as many tokens; the smallest of
 * some. */
struct tuner_times {
    double batch;
    double row;
};

struct tuner_result {
    unsigned used;               /* settings that mean something to the case */
    struct posemb__tuning first; /* in force before */
    struct posemb__tuning best;  /* `first` where nothing is better beyond doubt */
    struct tuner_times first_times;
    struct tuner_times best_times;
    double copy_seconds; /* of the best copy of the bytes of either launch */
    double
        ratio; /* best / first: the median of pairs, the mean of a batch, a row and a few tokens */
    double noise;     /* the same of first / first, less 1, without its sign */
    size_t tried;     /* settings that were measured */
    size_t skipped;   /* that do not build or launch */
    size_t differing; /* elements whose bits differ from the reference, under `best`: a bug */
};

/* The least gain that counts, beside the noise. */
#define TUNER_LEAST_GAIN 0.02

/* Search one case. Every setting that is measured is verified first: where an element differs,
 * `differing` and `best` say so, and the search ends. */
posemb_status tuner_run(posemb_session *session, const struct tuner_case *tuned,
                        const struct tuner_options *options, struct tuner_result *result,
                        posemb_error *error);

/* Plain and streamed stores at one size of the output, encode [1,T]x1024. */
enum { TUNER_SIZES = 7 };

struct tuner_stores {
    bool streams; /* the compiler has streamed stores; else nothing is measured */
    size_t sizes;
    uint64_t bytes[TUNER_SIZES];
    double ratio[TUNER_SIZES]; /* streamed / plain, the median of pairs */
    double noise[TUNER_SIZES]; /* the same of plain / plain, less 1, without its sign */
    uint64_t first;            /* the threshold in force */
    uint64_t best;             /* `first` where it is right at every size, beyond doubt */
    size_t differing;
};

/* Find the threshold of a consumer: with POSEMB_CONSUMER_FOLLOWS a kernel that reads the output
 * follows each launch. Sizes up to `most` bytes. */
posemb_status tuner_run_stores(posemb_session *session, posemb_consumer consumer, uint64_t most,
                               const struct tuner_options *options, struct tuner_stores *stores,
                               posemb_error *error);

#endif
