/* Listing and picking devices, and what posemb needs of one. */
#include "device.h"

#include "cl_error.h"
#include "status.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A string of the driver, cut to fit; "" where the driver has none. */
static void device_string(cl_device_id device, cl_device_info what, char *text, size_t size)
{
    char buffer[1024] = "";

    if (clGetDeviceInfo(device, what, sizeof buffer - 1, buffer, NULL) != CL_SUCCESS)
        buffer[0] = '\0';
    snprintf(text, size, "%.*s", (int)(size - 1), buffer);
}

static void platform_string(cl_platform_id platform, cl_platform_info what, char *text, size_t size)
{
    char buffer[1024] = "";

    if (clGetPlatformInfo(platform, what, sizeof buffer - 1, buffer, NULL) != CL_SUCCESS)
        buffer[0] = '\0';
    snprintf(text, size, "%.*s", (int)(size - 1), buffer);
}

posemb_status posemb__device_describe(cl_device_id device, posemb_device_info *info,
                                      posemb_error *error)
{
    const struct {
        cl_device_info what;
        size_t size;
        void *value;
    } queries[] = {
        {CL_DEVICE_PLATFORM, sizeof info->platform, &info->platform},
        {CL_DEVICE_TYPE, sizeof info->type, &info->type},
        {CL_DEVICE_MAX_COMPUTE_UNITS, sizeof info->compute_units, &info->compute_units},
        {CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof info->max_work_group_size,
         &info->max_work_group_size},
        {CL_DEVICE_GLOBAL_MEM_SIZE, sizeof info->global_memory, &info->global_memory},
        {CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof info->max_allocation, &info->max_allocation},
        {CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof info->cache_size, &info->cache_size},
    };

    info->device = device;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        const cl_int code =
            clGetDeviceInfo(device, queries[i].what, queries[i].size, queries[i].value, NULL);
        if (code != CL_SUCCESS)
            return posemb__cl_fail(error, code, "clGetDeviceInfo");
    }
    platform_string(info->platform, CL_PLATFORM_NAME, info->platform_name,
                    sizeof info->platform_name);
    device_string(device, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_string(device, CL_DEVICE_VERSION, info->version, sizeof info->version);
    device_string(device, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    return POSEMB_OK;
}

static bool has_flag(cl_device_id device, cl_device_info what)
{
    cl_bool flag = CL_FALSE;

    return clGetDeviceInfo(device, what, sizeof flag, &flag, NULL) == CL_SUCCESS && flag;
}

/* "OpenCL 1.2 ..." and above. */
static bool is_version_enough(const char *version)
{
    static const char prefix[] = "OpenCL ";
    char *end;
    long major;

    if (strncmp(version, prefix, sizeof prefix - 1) != 0)
        return false;
    major = strtol(version + sizeof prefix - 1, &end, 10);
    if (*end != '.')
        return false;
    return major > 1 || (major == 1 && strtol(end + 1, NULL, 10) >= 2);
}

posemb_status posemb__device_check(const posemb_device_info *info, posemb_error *error)
{
    const char *lacks = NULL;

    if (!has_flag(info->device, CL_DEVICE_AVAILABLE))
        lacks = "is not available";
    else if (!has_flag(info->device, CL_DEVICE_COMPILER_AVAILABLE))
        lacks = "has no compiler";
    else if (!has_flag(info->device, CL_DEVICE_ENDIAN_LITTLE))
        lacks = "is big-endian";
    else if (!is_version_enough(info->version))
        lacks = "is older than OpenCL 1.2";
    if (!lacks)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_UNSUPPORTED, 0, "device \"%s\" (%s) %s", info->name,
                        info->version, lacks);
}

posemb_kernel_shape posemb__device_shape(const posemb_device_info *info)
{
    /* llvmpipe compiles the wide vectors of the CPU shape in minutes. */
    if (strstr(info->platform_name, "rusticl"))
        return POSEMB_SHAPE_GPU;
    if ((info->type & CL_DEVICE_TYPE_CPU) && !(info->type & CL_DEVICE_TYPE_GPU))
        return POSEMB_SHAPE_CPU;
    return POSEMB_SHAPE_GPU;
}

/* The devices of all platforms, in a malloc'ed array. */
struct device_list {
    cl_device_id *devices;
    size_t count;
};

static posemb_status append_devices(struct device_list *list, cl_platform_id platform,
                                    posemb_error *error)
{
    cl_device_id *grown;
    cl_uint count = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);

    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && count == 0))
        return POSEMB_OK;
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetDeviceIDs");
    grown = realloc(list->devices, (list->count + count) * sizeof(cl_device_id));
    if (!grown)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for the list of devices");
    list->devices = grown;
    code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, grown + list->count, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetDeviceIDs");
    list->count += count;
    return POSEMB_OK;
}

static posemb_status gather_devices(struct device_list *list, posemb_error *error)
{
    cl_platform_id platforms[64];
    cl_uint count = 0;
    const cl_int code = clGetPlatformIDs(sizeof platforms / sizeof *platforms, platforms, &count);

    if (code == POSEMB__PLATFORM_NOT_FOUND)
        return POSEMB_OK;
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetPlatformIDs");
    if (count > sizeof platforms / sizeof *platforms)
        count = sizeof platforms / sizeof *platforms;
    for (cl_uint i = 0; i < count; i++) {
        const posemb_status status = append_devices(list, platforms[i], error);
        if (status != POSEMB_OK)
            return status;
    }
    return POSEMB_OK;
}

posemb_status posemb_devices_list(posemb_device_info *devices, size_t capacity, size_t *count,
                                  posemb_error *error)
{
    struct device_list list = {NULL, 0};
    posemb_status status;

    if (!count || (!devices && capacity > 0))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            count ? "devices" : "count");
    status = gather_devices(&list, error);
    for (size_t i = 0; status == POSEMB_OK && i < list.count && i < capacity; i++) {
        devices[i].index = i;
        status = posemb__device_describe(list.devices[i], &devices[i], error);
    }
    if (status == POSEMB_OK)
        *count = list.count;
    free(list.devices);
    return status;
}

static bool contains_ignoring_case(const char *text, const char *part)
{
    const size_t length = strlen(part);

    for (; strlen(text) >= length; text++) {
        size_t i = 0;
        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == length)
            return true;
    }
    return false;
}

/* What a selector asks for. */
struct wish {
    bool by_index;
    size_t index;
    const char *substring; /* NULL: the first usable device */
};

static posemb_status parse_selector(const char *selector, struct wish *wish, posemb_error *error)
{
    static const char prefix[] = "name:";
    char *end;

    *wish = (struct wish){false, 0, NULL};
    if (!selector || !*selector)
        return POSEMB_OK;
    if (strncmp(selector, prefix, sizeof prefix - 1) == 0 && selector[sizeof prefix - 1]) {
        wish->substring = selector + sizeof prefix - 1;
        return POSEMB_OK;
    }
    if (isdigit((unsigned char)*selector)) {
        errno = 0;
        wish->by_index = true;
        wish->index = strtoul(selector, &end, 10);
        if (*end == '\0' && errno == 0)
            return POSEMB_OK;
    }
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "device \"%.64s\" is neither a number nor name:SUBSTRING", selector);
}

static bool fits(const struct wish *wish, const posemb_device_info *info)
{
    if (wish->by_index)
        return info->index == wish->index;
    if (wish->substring)
        return contains_ignoring_case(info->name, wish->substring);
    return posemb__device_check(info, NULL) == POSEMB_OK;
}

static posemb_status no_such_device(const char *selector, const posemb_device_info *devices,
                                    size_t count, posemb_error *error)
{
    char names[POSEMB_MESSAGE_SIZE - 128] = "";
    size_t used = 0;

    if (count == 0)
        return posemb__fail(error, POSEMB_NO_DEVICE, 0, "there is no OpenCL device");
    for (size_t i = 0; i < count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%zu: %s", i ? ", " : "", i,
                                 devices[i].name);
    return posemb__fail(error, POSEMB_NO_DEVICE, 0, "no device fits \"%.64s\"; the devices are %s",
                        selector && *selector ? selector : "any usable", names);
}

posemb_status posemb_device_pick(const char *selector, posemb_device_info *info,
                                 posemb_error *error)
{
    posemb_device_info *devices = NULL;
    struct wish wish;
    size_t count = 0;
    size_t found = 0;
    posemb_status status = parse_selector(selector, &wish, error);

    if (status != POSEMB_OK)
        return status;
    if (!info)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "info is NULL");
    status = posemb_devices_list(NULL, 0, &count, error);
    if (status != POSEMB_OK)
        return status;
    devices = calloc(count + 1, sizeof *devices);
    if (!devices)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for the list of devices");
    status = posemb_devices_list(devices, count, &count, error);
    while (status == POSEMB_OK && found < count && !fits(&wish, &devices[found]))
        found++;
    if (status == POSEMB_OK && found == count)
        status = no_such_device(selector, devices, count, error);
    if (status == POSEMB_OK)
        *info = devices[found];
    free(devices);
    return status;
}

size_t posemb__find_device(const cl_device_id *devices, size_t count, cl_device_id device)
{
    while (device) {
        cl_device_id parent = NULL;

        for (size_t i = 0; i < count; i++)
            if (devices[i] == device)
                return i;
        if (clGetDeviceInfo(device, CL_DEVICE_PARENT_DEVICE, sizeof parent, &parent, NULL) !=
            CL_SUCCESS)
            break;
        device = parent;
    }
    return count;
}
