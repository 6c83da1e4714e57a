/* JSON as a file of its own. */
#ifndef POSEMB_JSON_FILE_H
#define POSEMB_JSON_FILE_H

#include "file_bytes.h"

#include <jansson.h>

/* Begin a file and write it, numbers with nine digits; `flags` are those of json_dumps(). It is
 * there once it is committed. A NULL `json` is POSEMB_OUT_OF_MEMORY. On failure there is nothing to
 * abandon. */
posemb_status json_file_begin(const char *path, const json_t *json, size_t flags,
                              file_output *output, posemb_error *error);

#endif
