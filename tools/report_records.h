/* The records of posemb bench: untrusted JSON lines, of schema 2 and of schema 1, checked and
 * typed. bench/README.md documents them. */
#ifndef POSEMB_REPORT_RECORDS_H
#define POSEMB_REPORT_RECORDS_H

#include <posemb/posemb.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_RUNS_MAX    26u /* each has a letter */
#define REPORT_FILES_MAX   256u
#define REPORT_RECORDS_MAX 100000u
#define REPORT_FILE_MAX    67108864u /* bytes */
#define REPORT_LINE_MAX    1048576u

/* In all of these: a text that is not there is "", a number -1, a time 0. */

/* One device, measured once. */
struct report_run {
    bool is_old; /* schema 1: device, platform and driver are all there is */
    size_t file;
    size_t line;
    json_t *object;
    const char *run; /* its digest, "" where it is old */
    const char *date;
    const char *version;
    const char *source;
    const char *kernel;
    const char *mode;
    const char *platform;
    const char *platform_version;
    const char *device;
    const char *device_type;
    const char *driver;
    const char *device_version;
    const char *opencl_c;
    const char *shape;
    const char *tuning;
    const char *tuning_text;
    const char *os;
    const char *cpu;
    const char *seed;
    const json_t *environment; /* an object of texts, or NULL */
    int64_t compute_units;
    int64_t clock_mhz;
    int64_t global_memory;
    int64_t max_allocation;
    int64_t cache_size;
    int64_t local_memory;
    int64_t cpus;
    int64_t table_rows;
};

enum report_yardstick {
    YARDSTICK_COPY,
    YARDSTICK_COPY_BUFFER,
    YARDSTICK_GATHER,
    YARDSTICK_GATHER_TABLE,
    YARDSTICK_UNFUSED,
    YARDSTICK_VENDOR_SIN,
    YARDSTICK_COUNT
};

struct yardstick_record {
    double seconds; /* 0: it was not measured */
    double median_seconds;
    double ratio; /* of the stage to it, round by round; 0: not known */
    const char *how;
    int64_t launches; /* of one call */
};

struct stage_record {
    const char *op;
    int64_t shape[3];
    const char *table;
    const char *out;
    const char *position;
    bool types; /* rows of token types are added */
    const char *rule;
    const char *norm;
    const char *consumer;
    const char *rows;
    const char *ids;
    int64_t bytes;
    int64_t table_rows; /* where it is not that of the run */
    int64_t kernels;    /* launches of one call */
    bool verified;      /* else there are no times */
    int64_t differing;
    const char *digest;
    const char *wrong; /* a yardstick whose values were wrong; it has no number */
    int64_t repeats;
    int64_t launches; /* in a sample */
    double seconds;
    double median_seconds;
    double p90_seconds;
    double call_seconds;
    double event_seconds;
    const char *timing;
    struct yardstick_record yardsticks[YARDSTICK_COUNT];
};

struct enqueue_record {
    double seconds;
    double raw_seconds;
    int64_t repeats;
};

struct accuracy_record {
    const char *method;
    double position;
    int64_t dim;
    double max_error; /* 0 is an error */
    double seconds;
    double ratio_to_posemb;
};

struct first_call_record {
    const char *caches;
    const char *origin;
    bool warm_up;
    int64_t processes;
    double plan_seconds;
    double warmup_seconds;
    double first_seconds;
    double second_seconds;
    double steady_seconds;
};

struct rule_record {
    int64_t shape[3];
    const char *rule;
    int64_t launches;
    double seconds;
    double ratio_to_index;
};

struct part_record {
    int64_t shape[3];
    const char *part;
    double seconds;
    double copy_seconds;
    double ratio_to_plain;
};

struct devices_record {
    const char *of; /* what they are */
    int64_t count;
    int64_t shape[3];
    bool verified;
    double seconds;
    double single_seconds; /* of the fastest alone */
    double whole_seconds;  /* of the device that they are parts of */
    double speedup;
};

struct skip_record {
    const char *what;
    const char *reason;
};

struct verify_record {
    int64_t values;
    int64_t differing;
    const char *digest;
};

/* Not of a run: the machine's texts are in each. */
struct peer_record {
    const char *stage;
    const char *candidate;
    int64_t shape[3];
    const char *rows;
    const char *malloc_mode; /* "defaults", "keeps memory" */
    int64_t threads;
    double seconds;
    double median_seconds;
    double ratio_to_posemb;
    double foreign_cpus;
    const char *device;
    const char *cpu;
    const char *date;
};

enum record_kind {
    RECORD_UNKNOWN,
    RECORD_STAGE,
    RECORD_ENQUEUE,
    RECORD_ACCURACY,
    RECORD_FIRST_CALL,
    RECORD_RULE,
    RECORD_PART,
    RECORD_DEVICES,
    RECORD_SKIP,
    RECORD_VERIFY,
    RECORD_PEER
};

struct report_record {
    enum record_kind kind;
    size_t run; /* not of RECORD_PEER */
    size_t file;
    size_t line;
    json_t *object; /* the texts are its */
    union {
        struct stage_record stage;
        struct enqueue_record enqueue;
        struct accuracy_record accuracy;
        struct first_call_record first_call;
        struct rule_record rule;
        struct part_record part;
        struct devices_record devices;
        struct skip_record skip;
        struct verify_record verify;
        struct peer_record peer;
    } of;
};

/* All zeros: none. */
struct report_records {
    size_t file_count;
    char *files[REPORT_FILES_MAX]; /* names without folders, escaped */
    size_t run_count;
    struct report_run runs[REPORT_RUNS_MAX];
    size_t count;
    size_t capacity;
    struct report_record *all;
};

/* Append the records of one file. Kinds and keys that are not known are passed over. A message
 * names file and line; after a failure the records are good for report_records_free() alone. */
posemb_status report_records_read(struct report_records *records, const char *path,
                                  posemb_error *error);

void report_records_free(struct report_records *records);

/* The next record of a kind, from `*place` on, and of a run unless that is REPORT_ANY_RUN; NULL:
 * there is none. `*place` is then that after it; it begins as 0. */
#define REPORT_ANY_RUN SIZE_MAX
const struct report_record *report_next(const struct report_records *records, enum record_kind kind,
                                        size_t run, size_t *place);

#endif
