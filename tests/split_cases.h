/* Calls of any description that can be divided over devices, drawn at random. */
#ifndef POSEMB_TESTS_SPLIT_CASES_H
#define POSEMB_TESTS_SPLIT_CASES_H

#include "stage_call.h"
#include "support/random.h"

/* A description: rules, paddings, storages, extra tables, norms, grids, parts. */
posemb_desc split_case_desc(struct support_random *random);

/* A call of it, with a shape, strides, wanted outputs and data. `most_rows`, `most_columns`: of the
 * batch. What cannot be divided at all is not drawn. */
void split_case_make(struct support_random *random, const posemb_desc *desc, int64_t most_rows,
                     int64_t most_columns, struct stage_call *call);

/* The same with [S, B, D] outputs. */
void split_case_make_interleaved(struct support_random *random, const posemb_desc *desc,
                                 int64_t most_rows, int64_t most_columns, struct stage_call *call);

/* Whether columns of such a description can be divided. */
bool split_case_has_columns(const posemb_desc *desc);

/* Says which case failed; the context is a stage_call. */
void split_case_print(const void *context, const char *what);

#endif
