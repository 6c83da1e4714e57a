/* From the cl_int of a driver to a posemb_status and a message with the code's name. */
#ifndef POSEMB_CL_ERROR_H
#define POSEMB_CL_ERROR_H

#include <posemb/posemb_cl.h>

/* The loader's own code, from cl_khr_icd: there is no platform. */
#define POSEMB__PLATFORM_NOT_FOUND (-1001)

/* Fail with the status that fits `code`; `what` names the call that gave it. */
posemb_status posemb__cl_fail(posemb_error *error, cl_int code, const char *what);

/* "CL_OUT_OF_RESOURCES" for -5, and so on; "unknown OpenCL code" for what has no name here. */
const char *posemb__cl_name(cl_int code);

#endif
