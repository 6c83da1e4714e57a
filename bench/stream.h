/* Copies that read as many bytes as elements of one storage have, and write those of another: the
 * yardstick of a stage with that storage. */
#ifndef POSEMB_BENCH_STREAM_H
#define POSEMB_BENCH_STREAM_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>

enum { STREAM_VARIANTS = 4, STREAM_PADDING = 65536 };

struct stream {
    cl_program programs[2]; /* with plain and streamed stores */
    cl_kernel kernels[STREAM_VARIANTS];
    cl_uint steps[STREAM_VARIANTS]; /* of one work-item */
    size_t local_size[STREAM_VARIANTS];
    bool streamed[STREAM_VARIANTS];
    size_t count;   /* of variants that build */
    cl_ulong total; /* steps in all */
    bool cpu;
    uint64_t writes; /* vectors of a step */
    const posemb_storage_info *in;
};

/* Copies of `count` elements, whole steps of them: of one block's elements or some blocks'. */
posemb_status stream_create(posemb_session *session, posemb_storage in, posemb_storage out,
                            uint64_t count, struct stream *stream, posemb_error *error);
void stream_destroy(struct stream *stream);

/* "64 bytes x 256, streamed" */
void stream_name(const struct stream *stream, size_t variant, char *name, size_t size);

/* From element `first` of `source`, which may be read STREAM_PADDING beyond what that takes. */
cl_int stream_enqueue(struct stream *stream, size_t variant, cl_command_queue queue, cl_mem source,
                      uint64_t first, cl_mem target);

#endif
