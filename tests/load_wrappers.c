/* What posemb_load calls, counted. */
#include "load_wrappers.h"

#include <posemb/posemb_cl.h>

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct load_counts load_counts;

static bool watching;
static enum load_call failing = LOAD_CALLS;
static unsigned failing_index;
static unsigned char *read_times;
static size_t read_size;

void load_watch(enum load_call call, unsigned index)
{
    memset(&load_counts, 0, sizeof load_counts);
    failing = call;
    failing_index = index;
    watching = true;
}

void load_unwatch(void)
{
    watching = false;
    failing = LOAD_CALLS;
}

void load_note_reads(unsigned char *times, size_t size)
{
    read_times = times;
    read_size = size;
    if (times)
        memset(times, 0, size);
}

static bool fails(enum load_call call)
{
    return watching && load_counts.calls[call]++ == failing_index && failing == call;
}

/* ---- Host memory */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void __wrap_free(void *block);

static void *note_block(void *block)
{
    if (!watching || !block)
        return block;
    load_counts.blocks++;
    load_counts.bytes += malloc_usable_size(block);
    if (load_counts.bytes > load_counts.most_bytes)
        load_counts.most_bytes = load_counts.bytes;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fails(LOAD_ALLOCATE) ? NULL : note_block(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(LOAD_ALLOCATE) ? NULL : note_block(__real_calloc(count, size));
}

char *__wrap_strdup(const char *text)
{
    return fails(LOAD_ALLOCATE) ? NULL : note_block(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t size)
{
    return fails(LOAD_ALLOCATE) ? NULL : note_block(__real_strndup(text, size));
}

void __wrap_free(void *block)
{
    if (watching && block) {
        load_counts.blocks--;
        load_counts.bytes -= malloc_usable_size(block);
    }
    __real_free(block);
}

/* ---- Files */

ssize_t __real_pread(int descriptor, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int descriptor, void *bytes, size_t size, off_t offset);

ssize_t __wrap_pread(int descriptor, void *bytes, size_t size, off_t offset)
{
    const ssize_t got = __real_pread(descriptor, bytes, size, offset);

    if (!watching || got < 0)
        return got;
    load_counts.file_bytes += (uint64_t)got;
    for (size_t i = (size_t)offset; read_times && i < (size_t)offset + (size_t)got; i++)
        if (i < read_size)
            read_times[i]++;
    return got;
}

/* ---- Devices */

cl_mem __real_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                             cl_int *code);
cl_int __real_clReleaseMemObject(cl_mem buffer);
cl_int __real_clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                   size_t offset, size_t size, const void *bytes, cl_uint waits,
                                   const cl_event *wait, cl_event *event);
void *__real_clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                cl_map_flags flags, size_t offset, size_t size, cl_uint waits,
                                const cl_event *wait, cl_event *event, cl_int *code);
cl_int __real_clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem buffer, void *bytes,
                                      cl_uint waits, const cl_event *wait, cl_event *event);
cl_int __real_clWaitForEvents(cl_uint count, const cl_event *events);
cl_int __real_clReleaseEvent(cl_event event);
cl_mem __wrap_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                             cl_int *code);
cl_int __wrap_clReleaseMemObject(cl_mem buffer);
cl_int __wrap_clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                   size_t offset, size_t size, const void *bytes, cl_uint waits,
                                   const cl_event *wait, cl_event *event);
void *__wrap_clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                cl_map_flags flags, size_t offset, size_t size, cl_uint waits,
                                const cl_event *wait, cl_event *event, cl_int *code);
cl_int __wrap_clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem buffer, void *bytes,
                                      cl_uint waits, const cl_event *wait, cl_event *event);
cl_int __wrap_clWaitForEvents(cl_uint count, const cl_event *events);
cl_int __wrap_clReleaseEvent(cl_event event);

cl_mem __wrap_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                             cl_int *code)
{
    cl_mem buffer = NULL;

    *code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    if (!fails(LOAD_CREATE))
        buffer = __real_clCreateBuffer(context, flags, size, host, code);
    load_counts.buffers += watching && buffer;
    return buffer;
}

cl_int __wrap_clReleaseMemObject(cl_mem buffer)
{
    load_counts.buffers -= watching;
    return __real_clReleaseMemObject(buffer);
}

static cl_int note_event(cl_int code, const cl_event *event)
{
    load_counts.events += watching && code == CL_SUCCESS && event;
    return code;
}

cl_int __wrap_clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                   size_t offset, size_t size, const void *bytes, cl_uint waits,
                                   const cl_event *wait, cl_event *event)
{
    if (fails(LOAD_WRITE))
        return CL_OUT_OF_RESOURCES;
    return note_event(__real_clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, bytes,
                                                  waits, wait, event),
                      event);
}

void *__wrap_clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                cl_map_flags flags, size_t offset, size_t size, cl_uint waits,
                                const cl_event *wait, cl_event *event, cl_int *code)
{
    void *bytes = NULL;

    *code = CL_MAP_FAILURE;
    if (!fails(LOAD_MAP))
        bytes = __real_clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, waits, wait,
                                          event, code);
    load_counts.maps += watching && bytes;
    note_event(*code, event);
    if (watching && size > load_counts.largest_map)
        load_counts.largest_map = size;
    return bytes;
}

cl_int __wrap_clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem buffer, void *bytes,
                                      cl_uint waits, const cl_event *wait, cl_event *event)
{
    const bool failing_one = fails(LOAD_UNMAP);

    load_counts.maps -= watching;
    if (failing_one) {
        __real_clEnqueueUnmapMemObject(queue, buffer, bytes, waits, wait, NULL);
        return CL_OUT_OF_RESOURCES;
    }
    return note_event(__real_clEnqueueUnmapMemObject(queue, buffer, bytes, waits, wait, event),
                      event);
}

cl_int __wrap_clWaitForEvents(cl_uint count, const cl_event *events)
{
    const cl_int code = __real_clWaitForEvents(count, events);

    return fails(LOAD_WAIT) ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : code;
}

cl_int __wrap_clReleaseEvent(cl_event event)
{
    load_counts.events -= watching;
    return __real_clReleaseEvent(event);
}
