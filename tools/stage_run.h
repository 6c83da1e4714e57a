/* Running the call of encode or table, and writing its output. */
#ifndef POSEMB_STAGE_RUN_H
#define POSEMB_STAGE_RUN_H

#include "inputs.h"

/* Run the call on the device of the options and write the output file; an exit status. Without
 * allow_bad_ids a bad id or position is a failure, and no file is written. */
int stage_run(const struct stage_options *options, struct inputs *inputs);

#endif
