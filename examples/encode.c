/* encode.c: posemb in a program with an OpenCL context, queue and buffers of its own. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_cl.h>

#include <stdio.h>
#include <stdlib.h>

enum { VOCAB = 100, DIM = 512, BATCH = 2, LENGTH = 8, BAD_TOKEN = 11 };

/* A program would clean up and go on; an example says what failed, and ends. */
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

static cl_mem make_buffer(cl_context context, cl_mem_flags flags, size_t size)
{
    cl_int code;
    const cl_mem buffer = clCreateBuffer(context, flags, size, NULL, &code);

    check_cl(code, "clCreateBuffer");
    return buffer;
}

static int run(cl_context context, cl_device_id device, cl_command_queue queue)
{
    static float tokens[VOCAB][DIM];
    static float out[BATCH * LENGTH][DIM];
    int32_t ids[BATCH * LENGTH];
    cl_event written[3]; /* the token table, the ids, the cleared record */
    cl_event encoded;
    posemb_error error;

    for (int row = 0; row < VOCAB; row++)
        for (int channel = 0; channel < DIM; channel++)
            tokens[row][channel] = (float)(row + channel) / 1024.0f;
    for (int t = 0; t < BATCH * LENGTH; t++)
        ids[t] = 7 * t % VOCAB;
    ids[BAD_TOKEN] = VOCAB; /* one past the last row */

    /* Once: an engine for the device, a plan for what to compute, and what drivers do at a first
     * launch. */
    const posemb_desc desc = {.dim = DIM, .convention = POSEMB_T2T, .token_scale = 22.627417f};
    posemb_engine *engine;
    posemb_plan *plan;
    check(posemb_engine_create(context, device, NULL, &engine, &error), &error);
    check(posemb_plan_create(engine, &desc, &plan, &error), &error);
    check(posemb_plan_warmup(plan, queue, NULL, &error), &error);

    const posemb_args args = {
        .shape = {.batch = BATCH, .length = LENGTH, .vocab = VOCAB},
        .ids = {make_buffer(context, CL_MEM_READ_ONLY, sizeof ids), 0},
        .table = {make_buffer(context, CL_MEM_READ_ONLY, sizeof tokens), 0},
        .out = {make_buffer(context, CL_MEM_READ_WRITE, sizeof out), 0},
        .record = {make_buffer(context, CL_MEM_READ_WRITE, sizeof(posemb_record)), 0},
    };
    check_cl(clEnqueueWriteBuffer(queue, args.table.mem, CL_FALSE, 0, sizeof tokens, tokens, 0,
                                  NULL, &written[0]),
             "clEnqueueWriteBuffer");
    check_cl(clEnqueueWriteBuffer(queue, args.ids.mem, CL_FALSE, 0, sizeof ids, ids, 0, NULL,
                                  &written[1]),
             "clEnqueueWriteBuffer");
    check(posemb_record_clear(queue, &args.record, 0, NULL, &written[2], &error), &error);

    /* Each call: one kernel, after the writes. Nothing waits here. */
    check(posemb_enqueue(plan, queue, &args, 3, written, &encoded, &error), &error);

    check_cl(
        clEnqueueReadBuffer(queue, args.out.mem, CL_TRUE, 0, sizeof out, out, 1, &encoded, NULL),
        "clEnqueueReadBuffer");
    for (int t = BAD_TOKEN - 1; t <= BAD_TOKEN + 1; t++)
        printf("token %2d, id %3d: %9.6f %9.6f %9.6f ...\n", t, (int)ids[t], (double)out[t][0],
               (double)out[t][1], (double)out[t][2]);

    /* A bad id is a row of zeros, and an entry in the record, which is read when you ask. */
    posemb_report report;
    check(posemb_record_read(plan, queue, &args, 1, &encoded, &report, &error), &error);
    printf("%u bad ids, the first at token %u: %lld\n", (unsigned)report.record.id_count,
           (unsigned)report.record.id_first, (long long)report.first_id);

    const cl_mem buffers[] = {args.ids.mem, args.table.mem, args.out.mem, args.record.mem};
    for (int i = 0; i < 4; i++)
        check_cl(clReleaseMemObject(buffers[i]), "clReleaseMemObject");
    for (int i = 0; i < 3; i++)
        check_cl(clReleaseEvent(written[i]), "clReleaseEvent");
    check_cl(clReleaseEvent(encoded), "clReleaseEvent");
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
    return report.record.id_count == 1 && report.record.id_first == BAD_TOKEN ? 0 : 1;
}

int main(void)
{
    cl_platform_id platform;
    cl_device_id device;
    cl_int code;

    check_cl(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
    check_cl(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "clGetDeviceIDs");
    const cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    check_cl(code, "clCreateContext");
    const cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
    check_cl(code, "clCreateCommandQueue");
    const int status = run(context, device, queue);
    check_cl(clReleaseCommandQueue(queue), "clReleaseCommandQueue");
    check_cl(clReleaseContext(context), "clReleaseContext");
    return status;
}
