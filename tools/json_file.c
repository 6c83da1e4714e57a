/* JSON as a file of its own. */
#include "json_file.h"

#include "status.h"

#include <stdlib.h>
#include <string.h>

posemb_status json_file_begin(const char *path, const json_t *json, size_t flags,
                              file_output *output, posemb_error *error)
{
    char *text = json ? json_dumps(json, flags | JSON_REAL_PRECISION(9)) : NULL;
    posemb_status status;

    if (!text)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %s", path);
    status = file_output_begin(path, output, error);
    if (status == POSEMB_OK)
        status = file_output_write(output, text, strlen(text), error);
    if (status == POSEMB_OK)
        status = file_output_write(output, "\n", 1, error);
    free(text);
    return status;
}
