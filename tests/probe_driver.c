/* What an OpenCL implementation is like, for bench/vendors.md: probe_driver. The shape that posemb
 * chooses, what its compiler knows, queues, the timer of events, and for two stages in both shapes
 * how long compiling, the first launch and a steady launch take. POSEMB_TEST_DEVICE selects the
 * device; POSEMB_TEST_SHAPE=cpu or gpu leaves out the other shape. Not a test: it prints, and fails
 * where a call fails. */
#include "support/device.h"

#include <posemb/posemb_cl.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 8, LENGTH = 512, DIM = 1024, VOCAB = 32000, STEADY = 15, EVENTS = 200 };

static const char what_compiler_knows[] = "#ifdef __has_builtin\n"
                                          "#define HAS(x) __has_builtin(x)\n"
                                          "#else\n"
                                          "#define HAS(x) 2\n"
                                          "#endif\n"
                                          "kernel void probe(global uint *out)\n"
                                          "{\n"
                                          "    out[0] = HAS(__builtin_nontemporal_store);\n"
                                          "    out[1] = HAS(__builtin_prefetch);\n"
                                          "#ifdef __x86_64__\n"
                                          "    out[2] = 1;\n"
                                          "#else\n"
                                          "    out[2] = 0;\n"
                                          "#endif\n"
                                          "}\n";

static const char nontemporal[] = "kernel void probe(global float16 *out)\n"
                                  "{\n"
                                  "    __builtin_nontemporal_store((float16)(1.0f), out);\n"
                                  "}\n";

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void require(bool holds, const char *what, const char *why)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void require_ok(posemb_status status, const char *what, const posemb_error *error)
{
    require(status == POSEMB_OK, what, error->message);
}

static void require_cl(cl_int code, const char *what)
{
    char text[32];

    snprintf(text, sizeof text, "error %d", (int)code);
    require(code == CL_SUCCESS, what, text);
}

/* NULL where it does not build. */
static cl_kernel build(posemb_session *session, const char *source)
{
    const cl_device_id device = posemb_session_device(session)->device;
    cl_int code;
    cl_program program =
        clCreateProgramWithSource(posemb_session_context(session), 1, &source, NULL, &code);
    cl_kernel kernel = NULL;

    require_cl(code, "clCreateProgramWithSource");
    if (clBuildProgram(program, 1, &device, "-cl-std=CL1.2", NULL, NULL) == CL_SUCCESS)
        kernel = clCreateKernel(program, "probe", &code);
    clReleaseProgram(program);
    return kernel;
}

static void probe_compiler(posemb_session *session)
{
    static const char *const words[] = {"no", "yes", "cannot be asked"};
    const size_t one = 1;
    cl_kernel kernel = build(session, what_compiler_knows);
    cl_kernel stores = build(session, nontemporal);
    uint32_t found[3];
    cl_mem out;
    posemb_error error;

    require(kernel != NULL, "probe", "does not build");
    require_ok(posemb_session_upload(session, NULL, sizeof found, &out, &error), "upload", &error);
    require_cl(clSetKernelArg(kernel, 0, sizeof out, &out), "clSetKernelArg");
    require_cl(clEnqueueNDRangeKernel(posemb_session_queue(session), kernel, 1, NULL, &one, &one, 0,
                                      NULL, NULL),
               "clEnqueueNDRangeKernel");
    require_ok(posemb_session_download(session, out, 0, found, sizeof found, &error), "download",
               &error);
    printf("__builtin_nontemporal_store: %s (a store of float16 %s)\n", words[found[0]],
           stores ? "compiles" : "does not compile");
    printf("__builtin_prefetch: %s; __x86_64__: %s\n", words[found[1]], words[found[2]]);
    clReleaseMemObject(out);
    clReleaseKernel(kernel);
    if (stores)
        clReleaseKernel(stores);
}

static void probe_device(posemb_session *session)
{
    const posemb_device_info *info = posemb_session_device(session);
    const posemb_engine_options options = posemb_engine_resolved(posemb_session_engine(session));
    cl_int code;
    cl_command_queue queue =
        support_make_queue(session, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    cl_uint width = 0;
    cl_uint alignment = 0;

    require_cl(clGetDeviceInfo(info->device, CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT, sizeof width,
                               &width, NULL),
               "clGetDeviceInfo");
    require_cl(clGetDeviceInfo(info->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof alignment,
                               &alignment, NULL),
               "clGetDeviceInfo");
    printf("platform \"%s\", device \"%s\", driver %s, %s\n", info->platform_name, info->name,
           info->driver, info->version);
    printf("shape %s; preferred vectors of floats %u; largest work-group %zu; alignment %u bits; "
           "largest buffer "
           "%" PRIu64 " MiB\n",
           options.shape == POSEMB_SHAPE_CPU ? "CPU" : "GPU", (unsigned)width,
           info->max_work_group_size, (unsigned)alignment, (uint64_t)info->max_allocation >> 20);
    if (queue)
        printf("out-of-order queue: yes\n");
    else
        printf("out-of-order queue: no, error %d\n", (int)code);
    if (queue)
        clReleaseCommandQueue(queue);
}

static cl_ulong stamp(cl_event event, cl_profiling_info what)
{
    cl_ulong value = 0;

    require_cl(clGetEventProfilingInfo(event, what, sizeof value, &value, NULL),
               "clGetEventProfilingInfo");
    return value;
}

/* Fills of one page and of 64 MiB: are the four stamps in order, how fine is the timer, and does it
 * agree with the wall? */
static void probe_events(posemb_session *session)
{
    static const size_t large = (size_t)64 << 20;
    const float zero = 0.0f;
    size_t resolution = 0;
    cl_int code;
    cl_command_queue queue = support_make_queue(session, CL_QUEUE_PROFILING_ENABLE, &code);
    cl_ulong finest = 0;
    double by_event = 0.0;
    double by_wall = 0.0;
    int disordered = 0;
    cl_mem memory;
    posemb_error error;

    require_cl(code, "clCreateCommandQueue");
    require_ok(posemb_session_upload(session, NULL, large, &memory, &error), "upload", &error);
    for (int i = 0; i < EVENTS; i++) {
        const bool is_large = i >= EVENTS - 5;
        const double begin = seconds();
        cl_event event;

        require_cl(clEnqueueFillBuffer(queue, memory, &zero, sizeof zero, 0,
                                       is_large ? large : 4096, 0, NULL, &event),
                   "clEnqueueFillBuffer");
        require_cl(clWaitForEvents(1, &event), "clWaitForEvents");
        const double wall = seconds() - begin;
        const cl_ulong start = stamp(event, CL_PROFILING_COMMAND_START);
        const cl_ulong taken = stamp(event, CL_PROFILING_COMMAND_END) - start;

        disordered +=
            stamp(event, CL_PROFILING_COMMAND_QUEUED) > stamp(event, CL_PROFILING_COMMAND_SUBMIT) ||
            stamp(event, CL_PROFILING_COMMAND_SUBMIT) > start ||
            start > stamp(event, CL_PROFILING_COMMAND_END);
        if (taken && (!finest || taken < finest))
            finest = taken;
        if (is_large) {
            by_event += 1e-9 * (double)taken;
            by_wall += wall;
        }
        clReleaseEvent(event);
    }
    require_cl(clGetDeviceInfo(posemb_session_device(session)->device,
                               CL_DEVICE_PROFILING_TIMER_RESOLUTION, sizeof resolution, &resolution,
                               NULL),
               "clGetDeviceInfo");
    printf("events: resolution %zu ns by its own word, the shortest fill of a page %" PRIu64
           " ns, stamps out of order in %d of %d, 64 MiB: %.3f of the wall's time\n",
           resolution, (uint64_t)finest, disordered, EVENTS, by_event / by_wall);
    clReleaseMemObject(memory);
    clReleaseCommandQueue(queue);
}

struct memory {
    posemb_args args;
    cl_mem buffers[5];
    int count;
};

static cl_mem add(struct memory *memory, posemb_session *session, const void *data, size_t size)
{
    posemb_error error;

    require_ok(posemb_session_upload(session, data, size, &memory->buffers[memory->count], &error),
               "posemb_session_upload", &error);
    return memory->buffers[memory->count++];
}

/* Rows of zeros by ids in no order. */
static void fill(struct memory *memory, posemb_session *session)
{
    static int32_t ids[BATCH * LENGTH];
    const size_t table_bytes = (size_t)VOCAB * DIM * sizeof(float);
    float *zeros = calloc(1, table_bytes);

    require(zeros != NULL, "table", "no memory");
    for (uint32_t i = 0; i < BATCH * LENGTH; i++)
        ids[i] = (int32_t)((uint64_t)i * 2654435761u % VOCAB);
    memset(memory, 0, sizeof *memory);
    memory->args.shape = (posemb_shape){.batch = BATCH, .length = LENGTH, .vocab = VOCAB};
    memory->args.ids.mem = add(memory, session, ids, sizeof ids);
    memory->args.table.mem = add(memory, session, zeros, table_bytes);
    memory->args.gamma.mem = add(memory, session, zeros, DIM * sizeof(float));
    memory->args.beta.mem = add(memory, session, zeros, DIM * sizeof(float));
    memory->args.out.mem = add(memory, session, NULL, (size_t)BATCH * LENGTH * DIM * sizeof(float));
    free(zeros);
}

static double launch(posemb_session *session, const posemb_plan *plan, const posemb_args *args)
{
    const cl_command_queue queue = posemb_session_queue(session);
    const double begin = seconds();
    posemb_error error;

    require_ok(posemb_enqueue(plan, queue, args, 0, NULL, NULL, &error), "posemb_enqueue", &error);
    require_cl(clFinish(queue), "clFinish");
    return seconds() - begin;
}

static void probe_stage(posemb_session *session, posemb_kernel_shape shape, bool norm)
{
    const posemb_engine_options options = {.shape = shape, .cache = POSEMB_CACHE_MEMORY};
    posemb_engine *engine = support_engine_with(session, &options);
    const posemb_desc desc = {.dim = DIM,
                              .norm = norm ? POSEMB_NORM_LAYER : POSEMB_NORM_NONE,
                              .epsilon = norm ? 1e-5f : 0.0f,
                              .consumer = POSEMB_CONSUMER_STREAMED};
    struct memory memory;
    posemb_plan *plan;
    posemb_error error;
    double begin = seconds();
    double compiling;
    double first;
    double steady = 0.0;

    require_ok(posemb_plan_create(engine, &desc, &plan, &error), "posemb_plan_create", &error);
    compiling = seconds() - begin;
    fill(&memory, session);
    if (!norm)
        memory.args.gamma.mem = memory.args.beta.mem = NULL;
    first = launch(session, plan, &memory.args);
    for (int i = 0; i < STEADY; i++) {
        const double taken = launch(session, plan, &memory.args);
        if (i == 0 || taken < steady)
            steady = taken;
    }
    printf("%s, %s shape: plan %.0f ms, first launch %.1f ms, then %.2f ms\n",
           norm ? "LayerNorm" : "no norm", shape == POSEMB_SHAPE_CPU ? "CPU" : "GPU",
           1e3 * compiling, 1e3 * first, 1e3 * steady);
    fflush(stdout);
    for (int i = 0; i < memory.count; i++)
        clReleaseMemObject(memory.buffers[i]);
    posemb_plan_destroy(plan);
    posemb_engine_destroy(engine);
}

int main(void)
{
    const char *only = getenv("POSEMB_TEST_SHAPE");
    posemb_session *session;
    posemb_error error;

    require_ok(posemb_session_create(support_selector(), NULL, &session, &error),
               "posemb_session_create", &error);
    probe_device(session);
    probe_compiler(session);
    probe_events(session);
    printf("encode [%d,%d]x%d:\n", BATCH, LENGTH, DIM);
    for (int norm = 0; norm < 2; norm++) {
        if (!only || strcmp(only, "gpu") != 0)
            probe_stage(session, POSEMB_SHAPE_CPU, norm == 1);
        if (!only || strcmp(only, "cpu") != 0)
            probe_stage(session, POSEMB_SHAPE_GPU, norm == 1);
    }
    posemb_session_destroy(session);
    return 0;
}
