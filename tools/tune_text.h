/* What `posemb tune` has found, as tuning text. */
#ifndef POSEMB_TUNE_TEXT_H
#define POSEMB_TUNE_TEXT_H

#include "tuner.h"

#include <stddef.h>

/* Text that grows. */
struct tune_text {
    char *bytes; /* malloc'ed, zero-terminated; NULL: empty, or no memory */
    size_t size;
    bool failed; /* memory ran out */
};

void tune_text_add(struct tune_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Where the numbers come from, as comments. */
void tune_text_add_head(struct tune_text *text, const posemb_device_info *info);

/* A comment on a case, and the entry of what is to be changed, if anything is. `selectors`: of the
 * case, beside the device. `whole`: what is not changed is in the entry too. */
void tune_text_add_result(struct tune_text *text, const posemb_device_info *info,
                          const char *selectors, const char *name,
                          const struct tuner_result *result, bool whole);

/* The same of thresholds; `setting` is its name. */
void tune_text_add_stores(struct tune_text *text, const posemb_device_info *info,
                          enum posemb__setting setting, const struct tuner_stores *stores);

/* What changes, such as "rows=16 prefetch=4"; empty: nothing. `whole`: with what stays. */
void tune_changes_of(const struct tuner_result *result, bool whole,
                     char text[POSEMB__TUNING_LINE_SIZE]);

#endif
