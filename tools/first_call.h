/* The first-call table of posemb bench: each line is measured in processes of their own, with
 * caches of their own, so that nothing is warm which should be cold. */
#ifndef POSEMB_FIRST_CALL_H
#define POSEMB_FIRST_CALL_H

#include "bench.h"

/* One line: the medians of so many processes. */
struct first_call_line {
    const char *name;
    int processes;
    bool warm_up;
    struct bench_first_call result;
};

enum { FIRST_CALL_LINES_MAX = 8 };

/* Measure every line on device number `device`. Progress goes to standard error where that is a
 * terminal. */
posemb_status first_call_measure(size_t device, struct first_call_line *lines, size_t *count,
                                 posemb_error *error);

/* What such a process does: `arguments` are those of first_call_measure(). Its exit status. */
int first_call_child(int count, char **arguments);

/* The word after "bench" that makes a process such a child. */
#define FIRST_CALL_WORD "--first-call-child"

#endif
