/* The self-test's groups of whole stages: storages, learned positions, extra tables, norms. */
#ifndef POSEMB_SELFTEST_STAGE_H
#define POSEMB_SELFTEST_STAGE_H

#include "selftest.h"

/* How many groups there are. The first stands for all in a quick test. */
size_t selftest_stage_count(void);

/* Run group number `index` on the target and the reference, and say in `group` what was found. */
posemb_status selftest_stage_run(const struct target *target, size_t index,
                                 struct selftest_group *group, posemb_error *error);

#endif
