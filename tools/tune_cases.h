/* What `posemb tune` measures: a list of cases, and what the options make of it. */
#ifndef POSEMB_TUNE_CASES_H
#define POSEMB_TUNE_CASES_H

#include "tuner.h"

#include <stddef.h>

enum { TUNE_CASES_MAX = 512, TUNE_VALUES_MAX = 16 };

struct tune_list {
    struct tuner_case cases[TUNE_CASES_MAX];
    size_t count;
};

/* What was asked for: comma-separated words, or NULL. */
struct tune_wish {
    const char *operation;
    const char *position;
    const char *table;
    const char *out;
    const char *norm;
    const char *dim;
    bool quick;
};

/* The product of all that is asked for, one default for what is not; where nothing is, a list of
 * cases that matter. EXIT_DONE, or EXIT_USAGE after a message. */
int tune_cases_of(const char *command, const struct tune_wish *wish, struct tune_list *list);

/* The selectors of a case, such as "op=encode table=f32 norm=none dim=726..1448": a D that was
 * measured speaks for those that are nearer to it than to another, up to twice or half of it. */
enum { TUNE_SELECTORS_SIZE = 128 };
void tune_selectors_of(const struct tune_list *list, size_t index, char text[TUNE_SELECTORS_SIZE]);

/* The same with the D alone. */
void tune_case_name(const struct tuner_case *tuned, char text[TUNE_SELECTORS_SIZE]);

#endif
