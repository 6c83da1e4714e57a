/* How a plan's work is cut up, as numbers: settings, and the text that says which a device, driver
 * or description gets. posemb_cl.h documents the text. No OpenCL. */
#ifndef POSEMB_TUNING_H
#define POSEMB_TUNING_H

#include <posemb/posemb.h>

#include <stdbool.h>

/* Settings; tuning.c has their names and ranges. */
enum posemb__setting {
    POSEMB__SET_SHAPE,       /* POSEMB__CPU, POSEMB__GPU */
    POSEMB__SET_VECTOR,      /* floats of one memory access */
    POSEMB__SET_LOCAL_SIZE,  /* work-items of a group; 0: as many as a row has vectors for */
    POSEMB__SET_ROWS,        /* tokens of a work-group */
    POSEMB__SET_SHARED_ROWS, /* batch rows of a work-group that share positions; 0: none do */
    POSEMB__SET_TURNS,       /* groups of rows that a work-group takes one after the other */
    POSEMB__SET_PREFETCH,    /* lines of each row that a group asks for at its beginning */
    POSEMB__SET_KEPT,        /* longest row whose sums local memory keeps */
    POSEMB__SET_STREAMED,    /* bytes of output from which stores bypass the cache */
    POSEMB__SET_FOLLOWS,     /* the same where a consumer follows */
    POSEMB__SET_COLUMNS,     /* longest row of which every group counts the tokens itself */
    POSEMB__SET_CHUNK,       /* columns that are counted together where rows are longer */
    POSEMB__SETTINGS
};

/* The values of posemb_kernel_shape. */
enum { POSEMB__CPU = 1, POSEMB__GPU = 2 };

struct posemb__tuning {
    uint64_t value[POSEMB__SETTINGS];
};

/* What a setting is: a name, and the values that it may have. */
struct posemb__setting_info {
    const char *name;
    bool power; /* of two alone, beside `none` */
    uint64_t least;
    uint64_t most;
    const char *none; /* the word for 0 where that is below `least`; NULL: there is none */
};

const struct posemb__setting_info *posemb__setting_info(enum posemb__setting setting);

/* The settings that a plan of this (resolved) description has a use for, under its shape: bit k for
 * setting k. */
unsigned posemb__settings_used(const posemb_desc *desc, uint64_t shape);

/* What entries are held against. */
struct posemb__tuning_subject {
    const char *platform;
    const char *device;
    const char *driver;
    bool is_gpu;             /* the type of the device */
    bool is_cpu;             /* likewise */
    uint64_t shape;          /* unless an entry says another */
    bool shape_is_given;     /* then none can */
    const posemb_desc *desc; /* resolved; NULL: entries that name a description do not match */
};

/* The limits of posemb_cl.h, which engine.c and plan.c hold against these. */
#define POSEMB__TUNING_TEXT_MAX  262144u
#define POSEMB__TUNING_LINE_SIZE 512

/* Parsed text. */
struct posemb__tuning_entry;

struct posemb__tuning_text {
    char *text; /* a copy, which the entries point into */
    struct posemb__tuning_entry *entries;
    size_t count;
};

/* Parse `text`, of at most POSEMB__TUNING_TEXT_MAX bytes; NULL: no entries. POSEMB_INVALID_ARGUMENT
 * with the number of the line, or POSEMB_OUT_OF_MEMORY: then *parsed is empty. */
posemb_status posemb__tuning_parse(const char *text, struct posemb__tuning_text *parsed,
                                   posemb_error *error);
void posemb__tuning_free(struct posemb__tuning_text *parsed);

/* The settings in force: of all entries that match, in the order of the texts and of their lines,
 * the last that sets a setting. */
struct posemb__tuning posemb__tuning_find(const struct posemb__tuning_text *texts, size_t count,
                                          const struct posemb__tuning_subject *subject);

/* The entry "any: ..." of the settings of `used`. */
void posemb__tuning_format(const struct posemb__tuning *tuning, unsigned used,
                           char line[POSEMB__TUNING_LINE_SIZE]);

/* One value as the text has it. */
#define POSEMB__VALUE_SIZE 24
void posemb__setting_format(enum posemb__setting setting, uint64_t value,
                            char text[POSEMB__VALUE_SIZE]);

/* data/tuning.txt: every setting of both shapes, and what is known of devices; zero-terminated. */
extern const char posemb__tuning_builtin[];

#endif
