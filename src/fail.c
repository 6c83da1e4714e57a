/* The filling of posemb_error. Apart from the statuses' names, so that libraries beside posemb may
 * have it too. */
#include "status.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

posemb_status posemb__fail(posemb_error *error, posemb_status status, int32_t cl_code,
                           const char *format, ...)
{
    if (error) {
        va_list arguments;

        error->status = status;
        error->cl_code = cl_code;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        /* Logs of drivers end in newlines, wherever they are cut. */
        for (size_t end = strlen(error->message);
             end > 0 && isspace((unsigned char)error->message[end - 1]); end--)
            error->message[end - 1] = '\0';
    }
    return status;
}
