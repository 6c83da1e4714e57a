/* Kernel source text to cl_program. */
#include "program.h"

#include "cl_error.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void posemb__program_options(const struct posemb__program_key *key,
                             char options[POSEMB__OPTIONS_SIZE])
{
    snprintf(options, POSEMB__OPTIONS_SIZE,
             "-cl-std=CL1.2 -DPOSEMB_OPERATION=%d -DPOSEMB_HALVES=%d -DPOSEMB_MEMORY=%" PRIu32
             " -DPOSEMB_ROWS=%" PRIu32,
             (int)key->operation, key->halves ? 1 : 0, key->memory_floats, key->rows);
}

static posemb_status build_failed(cl_program program, cl_device_id device, cl_int code,
                                  posemb_error *error)
{
    posemb_status status;
    char *log = NULL;
    size_t size = 0;

    if (clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS)
        log = calloc(1, size + 1);
    if (log)
        clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    status = posemb__fail(error, POSEMB_BUILD_FAILED, code, "clBuildProgram: %s (%d): %s",
                          posemb__cl_name(code), (int)code, log ? log : "no log");
    free(log);
    return status;
}

posemb_status posemb__program_build(cl_context context, cl_device_id device,
                                    const struct posemb__program_key *key, cl_program *program,
                                    posemb_error *error)
{
    const char *source = posemb__kernel_source;
    const size_t size = posemb__kernel_source_size;
    char options[POSEMB__OPTIONS_SIZE];
    posemb_status status = POSEMB_OK;
    cl_int code;

    *program = clCreateProgramWithSource(context, 1, &source, &size, &code);
    if (!*program)
        return posemb__cl_fail(error, code, "clCreateProgramWithSource");
    posemb__program_options(key, options);
    code = clBuildProgram(*program, 1, &device, options, NULL, NULL);
    if (code == CL_SUCCESS)
        return POSEMB_OK;
    status = build_failed(*program, device, code, error);
    clReleaseProgram(*program);
    *program = NULL;
    return status;
}
