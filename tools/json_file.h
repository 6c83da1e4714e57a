/* JSON as a file of its own. */
#ifndef POSEMB_JSON_FILE_H
#define POSEMB_JSON_FILE_H

#include <posemb/posemb.h>

#include <jansson.h>

/* Write it, whole or not at all, numbers with nine digits; `flags` are those of json_dumps(). A
 * NULL `json` is POSEMB_OUT_OF_MEMORY. */
posemb_status json_file_write(const char *path, const json_t *json, size_t flags,
                              posemb_error *error);

#endif
