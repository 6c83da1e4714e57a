/* Where and with what something was measured. */
#ifndef POSEMB_BENCH_PROVENANCE_H
#define POSEMB_BENCH_PROVENANCE_H

#include <posemb/posemb_cl.h>

#include <jansson.h>

/* The keys of a "run" line that say what device, driver, machine and program it was; the caller's.
 * `session` NULL: of a device that could not be opened, what is known without it. */
json_t *bench_provenance(const posemb_device_info *info, posemb_session *session);

/* Sixteen hexadecimal digits of a text and the time: the name of a run. */
void bench_run_name(const char *text, char name[17]);

#endif
