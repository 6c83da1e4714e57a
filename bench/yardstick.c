/* Plain copies and a reader: what the hardware gives to anybody. */
#include "yardstick.h"

#include "cl_error.h"
#include "status.h"

#include <stdio.h>
#include <string.h>

extern const char bench_yardstick_source[];
extern const size_t bench_yardstick_source_size;

/* The variants that are tried, by shape of the device's kernels; counts of 1 leave the cutting to
 * the driver, long runs suit CPUs. */
struct variant {
    cl_uint width;
    cl_uint count;
    size_t local_size;
};

static const struct variant cpu_variants[] = {{16, 256, 1}, {16, 2048, 1}, {16, 1, 64}, {4, 1, 64}};
static const struct variant gpu_variants[] = {{4, 1, 64}, {4, 1, 256}, {4, 4, 64}, {16, 1, 64}};
enum { VARIANTS = sizeof cpu_variants / sizeof *cpu_variants };

cl_program yardstick_build(posemb_session *session, const char *source, size_t size,
                           const char *options)
{
    const cl_device_id device = posemb_session_device(session)->device;

    for (int attempt = 0; attempt < 2; attempt++) { /* as src/engine.c does */
        cl_int code;
        const cl_program program =
            clCreateProgramWithSource(posemb_session_context(session), 1, &source, &size, &code);

        if (program && clBuildProgram(program, 1, &device, options, NULL, NULL) == CL_SUCCESS)
            return program;
        if (program)
            clReleaseProgram(program);
    }
    return NULL;
}

static cl_program build(posemb_session *session, int width, int streamed)
{
    char options[64];

    snprintf(options, sizeof options, "-cl-std=CL1.2 -DWIDTH=%d -DSTREAMED=%d", width, streamed);
    return yardstick_build(session, bench_yardstick_source, bench_yardstick_source_size, options);
}

static void add_copy(struct yardsticks *yardsticks, cl_program program, const char *store,
                     const struct variant *variant)
{
    struct yardstick_copy *copy = &yardsticks->copies[yardsticks->copy_count];
    cl_int code;

    copy->kernel = clCreateKernel(program, "yardstick_copy", &code);
    if (!copy->kernel)
        return;
    copy->width = variant->width;
    copy->count = variant->count;
    copy->local_size = variant->local_size;
    snprintf(copy->name, sizeof copy->name, "float%u x %u, local %zu, %s", variant->width,
             variant->count, variant->local_size, store);
    yardsticks->copy_count++;
}

/* A program that does not build (a compiler without streamed stores) adds no copies. */
static void add_copies(posemb_session *session, struct yardsticks *yardsticks)
{
    const bool cpu =
        posemb_engine_resolved(posemb_session_engine(session)).shape == POSEMB_SHAPE_CPU;
    const struct variant *variants = cpu ? cpu_variants : gpu_variants;

    snprintf(yardsticks->copies[0].name, sizeof yardsticks->copies[0].name, "clEnqueueCopyBuffer");
    yardsticks->copy_count = 1;
    for (int i = 0; i < 4; i++) {
        const cl_uint width = i & 1 ? 16 : 4;
        const int streamed = i >> 1;

        if (streamed && !cpu)
            continue;
        yardsticks->programs[i] = build(session, (int)width, streamed);
        for (int v = 0; yardsticks->programs[i] && v < VARIANTS; v++)
            if (variants[v].width == width)
                add_copy(yardsticks, yardsticks->programs[i], streamed ? "streamed" : "plain",
                         &variants[v]);
    }
}

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

posemb_status yardsticks_need_reader(posemb_session *session, size_t bytes,
                                     struct yardsticks *yardsticks, posemb_error *error)
{
    const size_t readers =
        divide_up(bytes, 16 * (size_t)yardsticks->reader_count) + yardsticks->reader_local;
    const size_t needed = readers * sizeof(float);
    posemb_status status;

    if (needed <= yardsticks->sums_bytes)
        return POSEMB_OK;
    if (yardsticks->sums)
        clReleaseMemObject(yardsticks->sums);
    yardsticks->sums = NULL;
    yardsticks->sums_bytes = 0;
    status = posemb_session_upload(session, NULL, needed, &yardsticks->sums, error);
    if (status == POSEMB_OK)
        yardsticks->sums_bytes = needed;
    return status;
}

posemb_status yardsticks_create(posemb_session *session, size_t bytes,
                                struct yardsticks *yardsticks, posemb_error *error)
{
    const bool cpu =
        posemb_engine_resolved(posemb_session_engine(session)).shape == POSEMB_SHAPE_CPU;
    cl_int code;

    memset(yardsticks, 0, sizeof *yardsticks);
    add_copies(session, yardsticks);
    yardsticks->reader_count = cpu ? 1024 : 4;
    yardsticks->reader_local = cpu ? 1 : 64;
    if (!yardsticks->programs[0])
        return posemb__fail(error, POSEMB_BUILD_FAILED, 0, "the yardstick kernels do not build");
    yardsticks->reader = clCreateKernel(yardsticks->programs[0], "yardstick_read", &code);
    if (!yardsticks->reader)
        return posemb__cl_fail(error, code, "yardstick_read");
    yardsticks->nothing = clCreateKernel(yardsticks->programs[0], "yardstick_nothing", &code);
    if (!yardsticks->nothing)
        return posemb__cl_fail(error, code, "yardstick_nothing");
    return yardsticks_need_reader(session, bytes, yardsticks, error);
}

void yardsticks_destroy(struct yardsticks *yardsticks)
{
    for (size_t i = 0; i < yardsticks->copy_count; i++)
        if (yardsticks->copies[i].kernel)
            clReleaseKernel(yardsticks->copies[i].kernel);
    if (yardsticks->reader)
        clReleaseKernel(yardsticks->reader);
    if (yardsticks->nothing)
        clReleaseKernel(yardsticks->nothing);
    if (yardsticks->sums)
        clReleaseMemObject(yardsticks->sums);
    for (size_t i = 0; i < sizeof yardsticks->programs / sizeof *yardsticks->programs; i++)
        if (yardsticks->programs[i])
            clReleaseProgram(yardsticks->programs[i]);
}

cl_int yardsticks_enqueue_copy(const struct yardstick_copy *copy, cl_command_queue queue,
                               cl_mem source, size_t offset, cl_mem target, size_t bytes)
{
    const size_t vector_bytes = copy->width * sizeof(float);
    size_t global;
    cl_ulong first;
    cl_ulong total;

    if (!copy->kernel)
        return clEnqueueCopyBuffer(queue, source, target, offset, 0, bytes, 0, NULL, NULL);
    first = offset / vector_bytes;
    total = divide_up(bytes, vector_bytes);
    global = divide_up(divide_up(total, copy->count), copy->local_size) * copy->local_size;
    clSetKernelArg(copy->kernel, 0, sizeof source, &source);
    clSetKernelArg(copy->kernel, 1, sizeof first, &first);
    clSetKernelArg(copy->kernel, 2, sizeof target, &target);
    clSetKernelArg(copy->kernel, 3, sizeof copy->count, &copy->count);
    clSetKernelArg(copy->kernel, 4, sizeof total, &total);
    return clEnqueueNDRangeKernel(queue, copy->kernel, 1, NULL, &global, &copy->local_size, 0, NULL,
                                  NULL);
}

cl_int yardsticks_enqueue_reader(const struct yardsticks *yardsticks, cl_command_queue queue,
                                 cl_mem source, size_t bytes)
{
    return yardsticks_enqueue_reader_event(yardsticks, queue, source, bytes, NULL);
}

cl_int yardsticks_enqueue_nothing(const struct yardsticks *yardsticks, cl_command_queue queue)
{
    const size_t size = 1;

    clSetKernelArg(yardsticks->nothing, 0, sizeof yardsticks->sums, &yardsticks->sums);
    return clEnqueueNDRangeKernel(queue, yardsticks->nothing, 1, NULL, &size, &size, 0, NULL, NULL);
}

cl_int yardsticks_enqueue_reader_event(const struct yardsticks *yardsticks, cl_command_queue queue,
                                       cl_mem source, size_t bytes, cl_event *event)
{
    const cl_ulong total = divide_up(bytes, 16);
    const size_t items = divide_up(total, yardsticks->reader_count);
    const size_t global = divide_up(items, yardsticks->reader_local) * yardsticks->reader_local;

    clSetKernelArg(yardsticks->reader, 0, sizeof source, &source);
    clSetKernelArg(yardsticks->reader, 1, sizeof yardsticks->sums, &yardsticks->sums);
    clSetKernelArg(yardsticks->reader, 2, sizeof yardsticks->reader_count,
                   &yardsticks->reader_count);
    clSetKernelArg(yardsticks->reader, 3, sizeof total, &total);
    return clEnqueueNDRangeKernel(queue, yardsticks->reader, 1, NULL, &global,
                                  &yardsticks->reader_local, 0, NULL, event);
}
