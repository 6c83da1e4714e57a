/* What posemb experiment shows of its trials. */
#ifndef POSEMB_EXPERIMENT_REPORT_H
#define POSEMB_EXPERIMENT_REPORT_H

#include "experiment.h"

#include <jansson.h>

/* One table for each task, on standard output. */
void experiment_print(const struct experiment *experiment);

/* All of it; NULL: no memory. `run` says where and when, and is given away. */
json_t *experiment_json(const struct experiment *experiment, json_t *run);

/* POSEMB_UNSUPPORTED: this build has no pictures. */
posemb_status experiment_picture_check(posemb_error *error);

/* Losses and accuracies as curves, with their spread over the seeds. */
posemb_status experiment_picture(const struct experiment *experiment, const char *path,
                                 posemb_error *error);

#endif
