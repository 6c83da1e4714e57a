/* The one way to fail inside the library: fills the caller's posemb_error and hands back the
 * status. */
#ifndef POSEMB_STATUS_H
#define POSEMB_STATUS_H

#include <posemb/posemb.h>

#if defined(__GNUC__)
#define POSEMB__PRINTF __attribute__((format(printf, 4, 5)))
#else
#define POSEMB__PRINTF
#endif

/* Write status, cl_code and the formatted message to `error` unless it is NULL; return `status`. */
posemb_status posemb__fail(posemb_error *error, posemb_status status, int32_t cl_code,
                           const char *format, ...) POSEMB__PRINTF;

#endif
