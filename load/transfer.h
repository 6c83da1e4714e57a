/* From the tensors of a file to device buffers, in pieces. */
#ifndef POSEMB_TRANSFER_H
#define POSEMB_TRANSFER_H

#include "tensor_file.h"

#include <posemb/posemb_load.h>

#include <stdbool.h>

/* Bytes of a tensor that one buffer receives. */
struct posemb__run {
    const char *part; /* as progress calls it */
    const file_tensor *tensor;
    uint64_t first; /* byte of the tensor */
    uint64_t bytes; /* at least 1 */
    cl_mem buffer;
};

/* All runs of a load. */
struct posemb__transfer {
    const tensor_file *file;
    cl_command_queue queue;
    const struct posemb__run *runs;
    size_t count;
    bool mapped;
    uint64_t piece; /* at least 1 */
    posemb_load_progress progress;
    void *progress_data;
};

/* Fill the buffers, which are there. On return nothing is under way, and no memory of this call is
 * left; on failure the buffers hold anything. */
posemb_status posemb__transfer_run(const struct posemb__transfer *transfer, posemb_error *error);

#endif
