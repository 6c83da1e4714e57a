/* Names and sentences of statuses. */
#include "status.h"

#include <stddef.h>

struct status_text {
    posemb_status status;
    const char *name;
    const char *message;
};

static const struct status_text texts[] = {
    {POSEMB_OK, "POSEMB_OK", "done"},
    {POSEMB_INVALID_ARGUMENT, "POSEMB_INVALID_ARGUMENT",
     "a field or an argument breaks its documented range"},
    {POSEMB_SIZE_OVERFLOW, "POSEMB_SIZE_OVERFLOW",
     "a buffer would reach beyond 2^63 bytes, or the memory's size"},
    {POSEMB_OUT_OF_MEMORY, "POSEMB_OUT_OF_MEMORY",
     "an allocation on the host or the device failed"},
    {POSEMB_NO_DEVICE, "POSEMB_NO_DEVICE", "no OpenCL device fits the request"},
    {POSEMB_BUILD_FAILED, "POSEMB_BUILD_FAILED", "the driver could not build the kernels"},
    {POSEMB_DEVICE_ERROR, "POSEMB_DEVICE_ERROR", "an OpenCL call failed"},
    {POSEMB_BUFFER_TOO_SMALL, "POSEMB_BUFFER_TOO_SMALL",
     "a buffer ends before the last element that the call would touch"},
    {POSEMB_QUEUE_MISMATCH, "POSEMB_QUEUE_MISMATCH",
     "the queue is not of the engine's context and device"},
    {POSEMB_UNSUPPORTED, "POSEMB_UNSUPPORTED", "the device lacks something that posemb needs"},
    {POSEMB_CACHE_FAILED, "POSEMB_CACHE_FAILED", "the program cache on disk has a fault"},
    {POSEMB_CANCELLED, "POSEMB_CANCELLED", "the caller's progress function asked to stop"},
};

static const struct status_text *find_text(posemb_status status)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return &texts[i];
    return NULL;
}

const char *posemb_status_name(posemb_status status)
{
    const struct status_text *text = find_text(status);
    return text ? text->name : "unknown status";
}

const char *posemb_status_message(posemb_status status)
{
    const struct status_text *text = find_text(status);
    return text ? text->message : "unknown status";
}
