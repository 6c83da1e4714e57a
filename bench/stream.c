/* Copies that read elements of one storage and write as many of another. */
#include "stream.h"

#include "status.h"
#include "yardstick.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

extern const char bench_stream_source[];
extern const size_t bench_stream_source_size;

/* A step reads and writes whole vectors of so many bytes. */
static uint64_t vector_bytes(bool cpu)
{
    return cpu ? 64 : 16;
}

static cl_program build(posemb_session *session, uint64_t reads, uint64_t writes, int streamed)
{
    char options[96];

    snprintf(options, sizeof options, "-cl-std=CL1.2 -DREADS=%u -DWRITES=%u -DSTREAMED=%d",
             (unsigned)reads, (unsigned)writes, streamed);
    return yardstick_build(session, bench_stream_source, bench_stream_source_size, options);
}

static void add_kernel(struct stream *stream, cl_program program, cl_uint steps, size_t local_size,
                       bool streamed)
{
    cl_int code;
    const cl_kernel kernel =
        clCreateKernel(program, stream->cpu ? "stream_copy" : "stream_spread", &code);

    if (!kernel)
        return;
    stream->kernels[stream->count] = kernel;
    stream->steps[stream->count] = steps;
    stream->streamed[stream->count] = streamed;
    stream->local_size[stream->count++] = local_size;
}

/* The fewest that are whole vectors in both. */
static uint64_t elements_of_step(const posemb_storage_info *in, const posemb_storage_info *out,
                                 uint64_t vector)
{
    uint64_t elements = in->block;

    while (elements / in->block * in->block_bytes % vector != 0 ||
           elements * out->block_bytes % vector != 0)
        elements += in->block;
    return elements;
}

/* Steps of one work-item that move `vectors` of them, about. */
static cl_uint steps_of(uint64_t vectors, uint64_t reads, uint64_t writes)
{
    const uint64_t wide =
        (reads > writes ? reads : writes) / 4; /* those of plain types count as one */

    return (cl_uint)(wide > vectors ? 1 : (wide > 1 ? vectors / wide : vectors));
}

posemb_status stream_create(posemb_session *session, posemb_storage in, posemb_storage out,
                            uint64_t count, struct stream *stream, posemb_error *error)
{
    const bool cpu =
        posemb_engine_resolved(posemb_session_engine(session)).shape == POSEMB_SHAPE_CPU;
    const posemb_storage_info *to = posemb_storage_find(out);
    const uint64_t vector = vector_bytes(cpu);
    uint64_t elements;
    uint64_t reads;
    uint64_t writes;

    memset(stream, 0, sizeof *stream);
    stream->cpu = cpu;
    stream->in = posemb_storage_find(in);
    elements = elements_of_step(stream->in, to, vector);
    reads = elements / stream->in->block * stream->in->block_bytes / vector;
    writes = elements * to->block_bytes / vector;
    stream->writes = writes;
    stream->total = (count + elements - 1) / elements;
    for (int streamed = 0; streamed < (cpu ? 2 : 1); streamed++) {
        const cl_program program = build(session, reads, writes, streamed);

        stream->programs[streamed] = program;
        if (program)
            add_kernel(stream, program, cpu ? steps_of(256, reads, writes) : 1, cpu ? 1 : 64,
                       streamed);
        if (program)
            add_kernel(stream, program, cpu ? steps_of(2048, reads, writes) : 1, cpu ? 1 : 256,
                       streamed);
    }
    if (stream->count > 0)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_BUILD_FAILED, 0, "the copies of the same bytes do not build");
}

void stream_name(const struct stream *stream, size_t variant, char *name, size_t size)
{
    snprintf(name, size, "%u bytes x %u, local %zu, %s", (unsigned)vector_bytes(stream->cpu),
             stream->steps[variant], stream->local_size[variant],
             stream->streamed[variant] ? "streamed" : "plain");
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
    const cl_ulong first_vector =
        first / stream->in->block * stream->in->block_bytes / vector_bytes(stream->cpu);
    const size_t local = stream->local_size[variant];
    const size_t items =
        stream->cpu
            ? (size_t)((stream->total + stream->steps[variant] - 1) / stream->steps[variant])
            : (size_t)(stream->total * stream->writes);
    const size_t global = (items + local - 1) / local * local;

    clSetKernelArg(kernel, 0, sizeof source, &source);
    clSetKernelArg(kernel, 1, sizeof first_vector, &first_vector);
    clSetKernelArg(kernel, 2, sizeof target, &target);
    clSetKernelArg(kernel, 3, sizeof stream->steps[variant], &stream->steps[variant]);
    clSetKernelArg(kernel, 4, sizeof stream->total, &stream->total);
    return clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, NULL);
}
