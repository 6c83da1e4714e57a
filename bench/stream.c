/* Copies that read and write elements of two sizes. */
#include "stream.h"

#include "status.h"
#include "yardstick.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

extern const char bench_stream_source[];
extern const size_t bench_stream_source_size;

/* A step reads and writes whole vectors of 64 bytes: as many elements as the narrower type has in
 * one. */
enum { STEP_BYTES = 64 };

static cl_program build(posemb_session *session, uint64_t reads, uint64_t writes, int streamed)
{
    char options[96];

    snprintf(options, sizeof options, "-cl-std=CL1.2 -DREADS=%u -DWRITES=%u -DSTREAMED=%d",
             (unsigned)reads, (unsigned)writes, streamed);
    return yardstick_build(session, bench_stream_source, bench_stream_source_size, options);
}

static void add_kernel(struct stream *stream, cl_program program, cl_uint steps, size_t local_size)
{
    cl_int code;
    const cl_kernel kernel = clCreateKernel(program, "stream_copy", &code);

    if (!kernel)
        return;
    stream->kernels[stream->count] = kernel;
    stream->steps[stream->count] = steps;
    stream->local_size[stream->count++] = local_size;
}

posemb_status stream_create(posemb_session *session, uint64_t in_size, uint64_t out_size,
                            uint64_t count, struct stream *stream, posemb_error *error)
{
    const bool cpu =
        posemb_engine_resolved(posemb_session_engine(session)).shape == POSEMB_SHAPE_CPU;
    const uint64_t narrow = in_size < out_size ? in_size : out_size;
    const uint64_t elements = STEP_BYTES / narrow;

    memset(stream, 0, sizeof *stream);
    stream->in_size = in_size;
    stream->total = (count + elements - 1) / elements;
    for (int streamed = 0; streamed < (cpu ? 2 : 1); streamed++) {
        const cl_program program = build(session, in_size / narrow, out_size / narrow, streamed);

        stream->programs[streamed] = program;
        if (program)
            add_kernel(stream, program, cpu ? 256 : 1, cpu ? 1 : 64);
        if (program)
            add_kernel(stream, program, cpu ? 2048 : 1, cpu ? 1 : 256);
    }
    if (stream->count > 0)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_BUILD_FAILED, 0, "the copies of the same bytes do not build");
}

void stream_destroy(struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++)
        clReleaseKernel(stream->kernels[i]);
    for (int i = 0; i < 2; i++)
        if (stream->programs[i])
            clReleaseProgram(stream->programs[i]);
}

cl_int stream_enqueue(struct stream *stream, size_t variant, cl_command_queue queue, cl_mem source,
                      uint64_t first, cl_mem target)
{
    const cl_kernel kernel = stream->kernels[variant];
    const cl_ulong first_vector = first * stream->in_size / STEP_BYTES;
    const size_t local = stream->local_size[variant];
    const size_t items =
        (size_t)((stream->total + stream->steps[variant] - 1) / stream->steps[variant]);
    const size_t global = (items + local - 1) / local * local;

    clSetKernelArg(kernel, 0, sizeof source, &source);
    clSetKernelArg(kernel, 1, sizeof first_vector, &first_vector);
    clSetKernelArg(kernel, 2, sizeof target, &target);
    clSetKernelArg(kernel, 3, sizeof stream->steps[variant], &stream->steps[variant]);
    clSetKernelArg(kernel, 4, sizeof stream->total, &stream->total);
    return clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, NULL);
}
