/* devices.c: one call over all devices of a platform, which write into the same buffers. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_cl.h>

#include <stdio.h>
#include <stdlib.h>

enum { DIM = 512, BATCH = 6, LENGTH = 8 };

static void check_cl(cl_int code, const char *what)
{
    if (code == CL_SUCCESS)
        return;
    fprintf(stderr, "%s: OpenCL error %d\n", what, (int)code);
    exit(EXIT_FAILURE);
}

static void check(posemb_status status, const posemb_error *error)
{
    if (status == POSEMB_OK)
        return;
    fprintf(stderr, "%s: %s\n", posemb_status_name(status), error->message);
    exit(EXIT_FAILURE);
}

static int run(cl_context context, const cl_device_id *devices, cl_uint count)
{
    static float out[BATCH * LENGTH][DIM], expected[BATCH * LENGTH][DIM];
    const posemb_desc desc = {.dim = DIM, .operation = POSEMB_TABLE}; /* positions alone */
    posemb_args args = {.shape = {.batch = BATCH, .length = LENGTH}};
    posemb_engine *engines[POSEMB_SHARES_MAX];
    posemb_plan *plans[POSEMB_SHARES_MAX];
    posemb_range parts[POSEMB_SHARES_MAX];
    posemb_error error;
    cl_event done;
    cl_int code;

    args.out.mem = clCreateBuffer(context, CL_MEM_READ_WRITE, sizeof out, NULL, &code);
    check_cl(code, "clCreateBuffer");

    /* Once: an engine, a plan and a queue of each device; equal shares, since no weight is set. */
    posemb_share shares[POSEMB_SHARES_MAX] = {{.weight = 0}};
    for (cl_uint k = 0; k < count; k++) {
        check(posemb_engine_create(context, devices[k], NULL, &engines[k], &error), &error);
        check(posemb_plan_create(engines[k], &desc, &plans[k], &error), &error);
        shares[k].plan = plans[k];
        shares[k].queue = clCreateCommandQueue(context, devices[k], 0, &code);
        check_cl(code, "clCreateCommandQueue");
    }

    /* Each call: a launch on each device. What waits for `done` waits for all of them. */
    check(posemb_split_enqueue(shares, count, &args, 0, NULL, &done, &error), &error);
    check(posemb_split_ranges(shares, count, &args, parts, &error), &error);

    check_cl(clEnqueueReadBuffer(shares[0].queue, args.out.mem, CL_TRUE, 0, sizeof out, out, 1,
                                 &done, NULL),
             "clEnqueueReadBuffer");
    for (cl_uint k = 0; k < count; k++)
        printf("device %u: %u batch rows from %u on\n", (unsigned)k, (unsigned)parts[k].rows,
               (unsigned)parts[k].first_row);

    /* The bits do not depend on it. */
    const posemb_host_args host = {.shape = args.shape, .out = expected};
    check(posemb_reference_run(&desc, &host, &error), &error);
    const size_t differing =
        posemb_compare_bits(out[0], expected[0], (size_t)BATCH * LENGTH * DIM, NULL);
    printf("%u values differ from the reference\n", (unsigned)differing);

    check_cl(clReleaseEvent(done), "clReleaseEvent");
    check_cl(clReleaseMemObject(args.out.mem), "clReleaseMemObject");
    for (cl_uint k = 0; k < count; k++) {
        check_cl(clReleaseCommandQueue(shares[k].queue), "clReleaseCommandQueue");
        posemb_plan_destroy(plans[k]);
        posemb_engine_destroy(engines[k]);
    }
    return differing == 0 ? 0 : 1;
}

int main(void)
{
    cl_device_id devices[POSEMB_SHARES_MAX];
    cl_platform_id platform;
    cl_uint count;
    cl_int code;

    check_cl(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
    check_cl(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, POSEMB_SHARES_MAX, devices, &count),
             "clGetDeviceIDs");
    if (count > POSEMB_SHARES_MAX)
        count = POSEMB_SHARES_MAX;
    const cl_context context = clCreateContext(NULL, count, devices, NULL, NULL, &code);
    check_cl(code, "clCreateContext");
    const int status = run(context, devices, count);
    check_cl(clReleaseContext(context), "clReleaseContext");
    return status;
}
