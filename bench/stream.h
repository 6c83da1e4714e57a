/* Copies that read and write elements of two sizes: the yardstick of a stage with that storage. */
#ifndef POSEMB_BENCH_STREAM_H
#define POSEMB_BENCH_STREAM_H

#include <posemb/posemb_cl.h>

enum { STREAM_VARIANTS = 4, STREAM_PADDING = 4096 };

struct stream {
    cl_program programs[2]; /* with plain and streamed stores */
    cl_kernel kernels[STREAM_VARIANTS];
    cl_uint steps[STREAM_VARIANTS]; /* of one work-item */
    size_t local_size[STREAM_VARIANTS];
    size_t count;   /* of variants that build */
    cl_ulong total; /* steps in all */
    uint64_t in_size;
};

/* Copies of `count` elements of `in_size` bytes to ones of `out_size`: 1, 2 or 4. */
posemb_status stream_create(posemb_session *session, uint64_t in_size, uint64_t out_size,
                            uint64_t count, struct stream *stream, posemb_error *error);
void stream_destroy(struct stream *stream);

/* From element `first` of `source`. Both buffers may be read or written STREAM_PADDING beyond. */
cl_int stream_enqueue(struct stream *stream, size_t variant, cl_command_queue queue, cl_mem source,
                      uint64_t first, cl_mem target);

#endif
