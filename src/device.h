/* What posemb knows about one device: its limits, and how its driver wants the work cut up. */
#ifndef POSEMB_DEVICE_H
#define POSEMB_DEVICE_H

#include <posemb/posemb_cl.h>

/* Fill everything of `info` but `index`. */
posemb_status posemb__device_describe(cl_device_id device, posemb_device_info *info,
                                      posemb_error *error);

/* Why posemb cannot run there: POSEMB_UNSUPPORTED with the reason, or POSEMB_OK. */
posemb_status posemb__device_check(const posemb_device_info *info, posemb_error *error);

/* The kernel shape that suits the driver. */
posemb_kernel_shape posemb__device_shape(const posemb_device_info *info);

/* The index of a device in a list, or of what it is a sub-device of, which PoCL lists in its place;
 * `count`: neither is there. */
size_t posemb__find_device(const cl_device_id *devices, size_t count, cl_device_id device);

#endif
