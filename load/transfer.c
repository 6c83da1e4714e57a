/* From the tensors of a file to device buffers, each byte read once, in pieces. */
#include "transfer.h"

#include "cl_error.h"
#include "status.h"

#include <inttypes.h>
#include <stdlib.h>

#define SLOTS 2u /* one is read from the file while the driver takes the other */

/* A load under way. */
struct progress {
    const struct posemb__transfer *transfer;
    uint64_t total;
    uint64_t done;
    unsigned char *staging; /* [slots][slot_bytes] */
    uint64_t slot_bytes;
    unsigned slots;
    unsigned slot;           /* the next one */
    cl_event written[SLOTS]; /* NULL: nothing takes the slot's bytes */
    posemb_error *error;
};

/* Wait for an event, and release it. `what` made it. */
static posemb_status finish_event(cl_event *event, const char *what, posemb_error *error)
{
    cl_int code = CL_SUCCESS;

    if (*event) {
        code = clWaitForEvents(1, event);
        clReleaseEvent(*event);
        *event = NULL;
    }
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, what);
}

static posemb_status read_piece(const struct progress *load, const struct posemb__run *run,
                                uint64_t at, size_t size, void *destination)
{
    return tensor_file_read_bytes(load->transfer->file, run->tensor, run->first + at, size,
                                  destination, load->error);
}

/* ---- Staged */

static posemb_status stage_piece(struct progress *load, const struct posemb__run *run, uint64_t at,
                                 size_t size)
{
    cl_event *written = &load->written[load->slot];
    unsigned char *bytes = load->staging + load->slot * load->slot_bytes;
    posemb_status status = finish_event(written, "clEnqueueWriteBuffer", load->error);
    cl_int code;

    if (status == POSEMB_OK)
        status = read_piece(load, run, at, size, bytes);
    if (status != POSEMB_OK)
        return status;
    code = clEnqueueWriteBuffer(load->transfer->queue, run->buffer, CL_FALSE, (size_t)at, size,
                                bytes, 0, NULL, written);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(load->error, code, "clEnqueueWriteBuffer");
    load->slot = (load->slot + 1) % load->slots;
    code = clFlush(load->transfer->queue); /* so that it begins while the next piece is read */
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(load->error, code, "clFlush");
}

static posemb_status make_staging(struct progress *load)
{
    const struct posemb__transfer *transfer = load->transfer;
    uint64_t largest = 1;

    for (size_t i = 0; i < transfer->count; i++)
        if (transfer->runs[i].bytes > largest)
            largest = transfer->runs[i].bytes;
    load->slots = transfer->piece >= SLOTS ? SLOTS : 1;
    load->slot_bytes = transfer->piece / load->slots;
    if (load->slot_bytes > largest)
        load->slot_bytes = largest;
    if (load->slot_bytes <= SIZE_MAX / SLOTS)
        load->staging = malloc((size_t)load->slot_bytes * load->slots);
    return load->staging ? POSEMB_OK
                         : posemb__fail(load->error, POSEMB_OUT_OF_MEMORY, 0,
                                        "no memory for a piece of %" PRIu64 " bytes",
                                        load->slot_bytes * load->slots);
}

/* Also after a failure: the driver reads from the staging area until then. */
static posemb_status finish_staging(struct progress *load, posemb_status status)
{
    for (unsigned i = 0; i < load->slots; i++) {
        posemb_error *error = status == POSEMB_OK ? load->error : NULL;
        const posemb_status finished =
            finish_event(&load->written[i], "clEnqueueWriteBuffer", error);

        if (status == POSEMB_OK)
            status = finished;
    }
    free(load->staging);
    return status;
}

/* ---- Mapped */

static posemb_status unmap(const struct progress *load, const struct posemb__run *run, void *bytes,
                           posemb_error *error)
{
    cl_event unmapped = NULL;
    const cl_int code =
        clEnqueueUnmapMemObject(load->transfer->queue, run->buffer, bytes, 0, NULL, &unmapped);

    return code == CL_SUCCESS ? finish_event(&unmapped, "clEnqueueUnmapMemObject", error)
                              : posemb__cl_fail(error, code, "clEnqueueUnmapMemObject");
}

/* The event, since a map that blocks may return too early where threads share the queue (rusticl).
 */
static posemb_status map_piece(const struct progress *load, const struct posemb__run *run,
                               uint64_t at, size_t size)
{
    cl_int code = CL_SUCCESS;
    cl_event mapped = NULL;
    void *bytes = clEnqueueMapBuffer(load->transfer->queue, run->buffer, CL_FALSE,
                                     CL_MAP_WRITE_INVALIDATE_REGION, (size_t)at, size, 0, NULL,
                                     &mapped, &code);
    posemb_status status;

    if (!bytes || code != CL_SUCCESS)
        return posemb__cl_fail(load->error, code, "clEnqueueMapBuffer");
    status = finish_event(&mapped, "clEnqueueMapBuffer", load->error);
    if (status == POSEMB_OK)
        status = read_piece(load, run, at, size, bytes);
    if (status == POSEMB_OK)
        return unmap(load, run, bytes, load->error);
    unmap(load, run, bytes, NULL);
    return status;
}

/* ---- All */

static posemb_status tell(struct progress *load, const struct posemb__run *run, uint64_t size)
{
    const struct posemb__transfer *transfer = load->transfer;

    load->done += size;
    if (!transfer->progress ||
        transfer->progress(run->part, load->done, load->total, transfer->progress_data) == 0)
        return POSEMB_OK;
    return posemb__fail(load->error, POSEMB_CANCELLED, 0,
                        "%s: the progress function stopped it after %" PRIu64 " of %" PRIu64
                        " bytes, in %s",
                        tensor_file_shown(transfer->file), load->done, load->total, run->part);
}

static posemb_status fill(struct progress *load, const struct posemb__run *run)
{
    const bool mapped = load->transfer->mapped;
    const uint64_t largest = mapped ? load->transfer->piece : load->slot_bytes;
    posemb_status status = POSEMB_OK;

    for (uint64_t at = 0; status == POSEMB_OK && at < run->bytes;) {
        const uint64_t left = run->bytes - at;
        const size_t size = (size_t)(left < largest ? left : largest);

        status = mapped ? map_piece(load, run, at, size) : stage_piece(load, run, at, size);
        if (status == POSEMB_OK)
            status = tell(load, run, size);
        at += size;
    }
    return status;
}

posemb_status posemb__transfer_run(const struct posemb__transfer *transfer, posemb_error *error)
{
    struct progress load = {.transfer = transfer, .error = error};
    posemb_status status = transfer->mapped ? POSEMB_OK : make_staging(&load);

    for (size_t i = 0; i < transfer->count; i++)
        load.total += transfer->runs[i].bytes;
    for (size_t i = 0; status == POSEMB_OK && i < transfer->count; i++)
        status = fill(&load, &transfer->runs[i]);
    return finish_staging(&load, status);
}
