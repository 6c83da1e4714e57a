/* Bit comparison of a device with the reference, over many shapes, conventions and positions. */
#ifndef POSEMB_SELFTEST_H
#define POSEMB_SELFTEST_H

#include "target.h"

/* What one group of cases found: an operation with a convention, or a whole stage. */
struct selftest_group {
    posemb_operation operation;
    const posemb_convention_info *convention; /* NULL: a whole stage */
    const char *name;                         /* of the convention, or the stage */
    size_t cases;
    size_t values;
    size_t differing; /* values whose bits differ, and records that differ */
    uint64_t digest;  /* XXH64 of the target's values, NaNs mapped to one pattern */
};

enum { SELFTEST_GROUPS_MAX = 64 };

struct selftest {
    struct selftest_group groups[SELFTEST_GROUPS_MAX];
    size_t group_count;
    size_t values;
    size_t differing;
    uint64_t digest; /* of the digests of the groups */
};

/* What is tested is what the driver's compiler makes now, not what it made once. */
#define SELFTEST_CACHE POSEMB_CACHE_MEMORY

/* How far it goes. */
enum selftest_extent {
    SELFTEST_QUICK, /* a few cases of a few groups, which run every piece of the kernels */
    SELFTEST_WHOLE,
    SELFTEST_UNTIL_DIFFERENT /* the same, up to the first convention or stage that differs */
};

posemb_status selftest_run(const struct target *target, enum selftest_extent extent,
                           struct selftest *selftest, posemb_error *error);

/* "encode", "add", "table". */
const char *operation_name(posemb_operation operation);

#endif
