/* posemb devices: what there is, and whether its bits are right. */
#include "command.h"
#include "selftest.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: posemb devices [--json]\n\n"
                           "List the OpenCL devices of all platforms in the loader's order; the "
                           "numbers are what --device\n"
                           "takes. Each runs a short self-test against the CPU reference. Exit "
                           "status 1 where the bits of a\n"
                           "device differ, or its self-test fails.\n";

/* What the self-test of one device found. */
struct finding {
    posemb_device_info info;
    bool ran;
    struct selftest selftest;
    posemb_error error;
};

static void examine(struct finding *finding)
{
    struct target target;
    char index[24];

    snprintf(index, sizeof index, "%zu", finding->info.index);
    finding->ran =
        target_open(index, SELFTEST_CACHE, &target, &finding->error) == POSEMB_OK &&
        selftest_run(&target, SELFTEST_QUICK, &finding->selftest, &finding->error) == POSEMB_OK;
    target_close(&target);
}

static bool is_right(const struct finding *finding)
{
    return finding->ran && finding->selftest.differing == 0;
}

static const char *type_name(cl_device_type type)
{
    if (type & CL_DEVICE_TYPE_GPU)
        return "GPU";
    return type & CL_DEVICE_TYPE_CPU ? "CPU" : "accelerator";
}

static void print_text(const struct finding *finding)
{
    const posemb_device_info *info = &finding->info;

    printf("%zu: %s\n   %s; %s, driver %s; %s, %u compute units, %" PRIu64 " MiB\n   ", info->index,
           info->name, info->platform_name, info->version, info->driver, type_name(info->type),
           info->compute_units, (uint64_t)info->global_memory >> 20);
    if (!finding->ran)
        printf("self-test failed: %s\n", finding->error.message);
    else if (finding->selftest.differing)
        printf("BITS DIFFER from the reference: %zu of %zu values\n", finding->selftest.differing,
               finding->selftest.values);
    else
        printf("bits equal the reference (%zu values)\n", finding->selftest.values);
    fflush(stdout);
}

static json_t *to_json(const struct finding *finding)
{
    const posemb_device_info *info = &finding->info;

    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:I, s:I, s:s?}", "index",
                     (json_int_t)info->index, "platform", info->platform_name, "name", info->name,
                     "version", info->version, "driver", info->driver, "type",
                     type_name(info->type), "compute_units", (json_int_t)info->compute_units,
                     "global_memory", (json_int_t)info->global_memory, "max_allocation",
                     (json_int_t)info->max_allocation, "bits_equal", (int)is_right(finding),
                     "differing", (json_int_t)finding->selftest.differing, "values",
                     (json_int_t)finding->selftest.values, "error",
                     finding->ran ? NULL : finding->error.message);
}

static void print_json(json_t *list)
{
    char *text = json_dumps(list, JSON_INDENT(2));

    puts(text ? text : "[]");
    free(text);
}

static int examine_all(const posemb_device_info *devices, size_t count, bool json)
{
    json_t *list = json_array();
    int status = EXIT_DONE;

    for (size_t i = 0; i < count; i++) {
        struct finding finding;

        memset(&finding, 0, sizeof finding);
        finding.info = devices[i];
        examine(&finding);
        if (!is_right(&finding))
            status = EXIT_FAILED;
        if (json)
            json_array_append_new(list, to_json(&finding));
        else
            print_text(&finding);
    }
    if (json)
        print_json(list);
    else if (count == 0)
        puts("there is no OpenCL device; posemb can still run on the CPU: --device reference");
    json_decref(list);
    return status;
}

static int list_devices(bool json)
{
    posemb_device_info *devices = NULL;
    posemb_error error;
    size_t count = 0;
    int status = EXIT_FAILED;

    if (posemb_devices_list(NULL, 0, &count, &error) != POSEMB_OK)
        return command_failed(&error);
    devices = calloc(count + 1, sizeof *devices);
    if (!devices)
        fprintf(stderr, "posemb: no memory for the list of devices\n");
    else if (posemb_devices_list(devices, count, &count, &error) != POSEMB_OK)
        command_failed(&error);
    else
        status = examine_all(devices, count, json);
    free(devices);
    return status;
}

int command_devices(int count, char **arguments)
{
    bool json = false;

    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        if (strcmp(arguments[i], "--json") != 0)
            return command_usage(arguments[0], "\"%s\" is not an option", arguments[i]);
        json = true;
    }
    return list_devices(json);
}
