/* What an OpenCL implementation cannot do, so that a test of it cannot run there. */
#ifndef POSEMB_TESTS_NOT_APPLICABLE_H
#define POSEMB_TESTS_NOT_APPLICABLE_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>

#define SUPPORT_OUT_OF_ORDER_QUEUE "out-of-order queue"
#define SUPPORT_THREADS            "threads"
#define SUPPORT_CPU_SHAPE          "CPU kernel shape"
#define SUPPORT_SPARSE_BUFFERS     "buffers of which few pages are touched"
#define SUPPORT_CPU_UNINITIALIZED  "check for uninitialized values in the CPU shape"

/* True, and a line printed that says why, where the table has that feature of that platform. What
 * is not in the table must run or fail. */
bool support_not_applicable(const posemb_device_info *device, const char *feature);

#endif
