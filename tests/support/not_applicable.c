/* The one table of what OpenCL implementations cannot do. */
#include "not_applicable.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *platform; /* a part of its name */
    const char *feature;
    const char *reason;
} table[] = {
    {"rusticl", SUPPORT_OUT_OF_ORDER_QUEUE,
     "clCreateCommandQueue returns CL_INVALID_QUEUE_PROPERTIES (-35)"},
    {"rusticl", SUPPORT_CPU_SHAPE, "its compiler takes minutes over the wide vectors"},
    {"rusticl", SUPPORT_SPARSE_BUFFERS,
     "it touches every page of a buffer, and its device has 2 GiB in all"},
    {"Oclgrind", SUPPORT_SPARSE_BUFFERS, "its device has 128 MiB in all"},
    {"Oclgrind", SUPPORT_CPU_UNINITIALIZED,
     "21.10 loses track of vectors of 16 that it has shuffled itself"},
    {"Oclgrind", SUPPORT_THREADS, "its runtime is not thread-safe"},
};

bool support_not_applicable(const posemb_device_info *device, const char *feature)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!strstr(device->platform_name, table[i].platform) ||
            strcmp(feature, table[i].feature) != 0)
            continue;
        printf("not applicable: %s on %s: %s\n", feature, device->platform_name, table[i].reason);
        return true;
    }
    return false;
}
