/* Plain copies and a reader, on the session's device. */
#ifndef POSEMB_BENCH_YARDSTICK_H
#define POSEMB_BENCH_YARDSTICK_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>

enum { YARDSTICK_COPIES_MAX = 16, YARDSTICK_PADDING = 64 };

/* One way to copy. */
struct yardstick_copy {
    char name[48];
    cl_kernel kernel; /* NULL: clEnqueueCopyBuffer */
    cl_uint width;    /* floats of one vector */
    cl_uint count;    /* vectors of one work-item */
    size_t local_size;
};

struct yardsticks {
    cl_program programs[4];
    struct yardstick_copy copies[YARDSTICK_COPIES_MAX];
    size_t copy_count;
    cl_kernel reader;
    cl_uint reader_count; /* vectors of four floats that one work-item reads */
    size_t reader_local;
    cl_mem sums;
    size_t sums_bytes;
    cl_kernel nothing;
};

/* A program of `source` with these options, or NULL where it does not build: then it is not a
 * yardstick here. */
cl_program yardstick_build(posemb_session *session, const char *source, size_t size,
                           const char *options);

/* Build the copies that suit copying `bytes` (a multiple of 4) and a reader of `bytes`. */
posemb_status yardsticks_create(posemb_session *session, size_t bytes,
                                struct yardsticks *yardsticks, posemb_error *error);
void yardsticks_destroy(struct yardsticks *yardsticks);

/* Make room for a reader of `bytes`. */
posemb_status yardsticks_need_reader(posemb_session *session, size_t bytes,
                                     struct yardsticks *yardsticks, posemb_error *error);

/* Enqueue one copy of `bytes` from `source` at `offset` (a multiple of 64) to `target`; both
 * buffers are YARDSTICK_PADDING longer, because whole vectors are copied. */
cl_int yardsticks_enqueue_copy(const struct yardstick_copy *copy, cl_command_queue queue,
                               cl_mem source, size_t offset, cl_mem target, size_t bytes);

/* Enqueue the reader of `bytes` of `source`. */
cl_int yardsticks_enqueue_reader(const struct yardsticks *yardsticks, cl_command_queue queue,
                                 cl_mem source, size_t bytes);
cl_int yardsticks_enqueue_reader_event(const struct yardsticks *yardsticks, cl_command_queue queue,
                                       cl_mem source, size_t bytes, cl_event *event);

/* Enqueue a kernel that does nothing. */
cl_int yardsticks_enqueue_nothing(const struct yardsticks *yardsticks, cl_command_queue queue);

#endif
