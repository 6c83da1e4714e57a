/* Where and with what something was measured. */
#include "bench_provenance.h"

#include "program.h"
#include "source_version.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { TEXT = 256 };

/* Strings of drivers may hold anything: what is not UTF-8 becomes empty. */
static void set_text(json_t *object, const char *key, const char *text)
{
    json_t *string = json_string(text);

    json_object_set_new(object, key, string ? string : json_string(""));
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_date(json_t *object)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[32] = "";

    if (gmtime_r(&now, &parts))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    set_text(object, "date", text);
}

static void set_program(json_t *object)
{
    char digest[17];

    snprintf(digest, sizeof digest, "%016" PRIx64,
             (uint64_t)XXH3_64bits(posemb__kernel_source, posemb__kernel_source_size));
    set_text(object, "version", posemb_version());
    set_text(object, "source", POSEMB_SOURCE_VERSION);
    set_text(object, "kernel", digest);
}

static const char *type_word(cl_device_type type)
{
    if (type & CL_DEVICE_TYPE_CPU)
        return "cpu";
    if (type & CL_DEVICE_TYPE_GPU)
        return "gpu";
    return type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator" : "other";
}

static void set_device_text(json_t *object, const char *key, cl_device_id device,
                            cl_device_info what)
{
    char text[TEXT] = "";

    clGetDeviceInfo(device, what, sizeof text - 1, text, NULL);
    set_text(object, key, text);
}

static void set_device(json_t *object, const posemb_device_info *info)
{
    char version[TEXT] = "";
    cl_uint clock = 0;
    cl_ulong local = 0;

    clGetPlatformInfo(info->platform, CL_PLATFORM_VERSION, sizeof version - 1, version, NULL);
    clGetDeviceInfo(info->device, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof clock, &clock, NULL);
    clGetDeviceInfo(info->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    set_text(object, "platform", info->platform_name);
    set_text(object, "platform_version", version);
    set_text(object, "device", info->name);
    set_text(object, "device_type", type_word(info->type));
    set_text(object, "driver", info->driver);
    set_device_text(object, "device_version", info->device, CL_DEVICE_VERSION);
    set_device_text(object, "opencl_c", info->device, CL_DEVICE_OPENCL_C_VERSION);
    set_number(object, "compute_units", info->compute_units);
    set_number(object, "clock_mhz", clock);
    set_number(object, "global_memory", info->global_memory);
    set_number(object, "max_allocation", info->max_allocation);
    set_number(object, "cache_size", info->cache_size);
    set_number(object, "local_memory", local);
}

/* What an engine chose. */
static void set_engine(json_t *object, posemb_session *session)
{
    const posemb_engine_options options = posemb_engine_resolved(posemb_session_engine(session));

    set_text(object, "shape", options.shape == POSEMB_SHAPE_CPU ? "cpu" : "gpu");
    set_text(object, "tuning", options.tuning ? "given" : "built-in");
    set_text(object, "tuning_text", options.tuning ? options.tuning : "");
}

/* The first "model name" of /proc/cpuinfo, where there is one. */
static void set_processor(json_t *object)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[TEXT];
    char name[TEXT] = "";

    while (file && !*name && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) == 0 && colon)
            snprintf(name, sizeof name, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    if (file)
        fclose(file);
    set_text(object, "cpu", name);
    set_number(object, "cpus", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
}

static void set_system(json_t *object)
{
    struct utsname name;
    char text[3 * sizeof name.sysname] = "";

    if (uname(&name) == 0)
        snprintf(text, sizeof text, "%s %s %s", name.sysname, name.release, name.machine);
    set_text(object, "os", text);
}

/* The variables that drivers and posemb read. Of a folder it is only said that there is one: its
 * name is nobody's business. */
static void set_environment(json_t *object)
{
    static const char *const prefixes[] = {"POCL_",    "POSEMB_", "CL_", "OCL_",
                                           "RUSTICL_", "CUDA_",   "LP_", "OMP_"};
    json_t *set = json_object();

    for (char **variable = environ; *variable; variable++) {
        const char *equals = strchr(*variable, '=');
        char name[TEXT];

        if (!equals || equals - *variable >= TEXT)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - *variable), *variable);
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                set_text(set, name, strchr(equals, '/') ? "(a path)" : equals + 1);
    }
    json_object_set_new(object, "environment", set);
}

json_t *bench_provenance(const posemb_device_info *info, posemb_session *session)
{
    json_t *object = json_object();

    set_date(object);
    set_program(object);
    set_device(object, info);
    if (session)
        set_engine(object, session);
    set_system(object);
    set_processor(object);
    set_environment(object);
    return object;
}

void bench_run_name(const char *text, char name[17])
{
    struct timespec now = {0, 0};
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + (uint64_t)getpid();
    snprintf(name, 17, "%016" PRIx64, (uint64_t)XXH3_64bits_withSeed(text, strlen(text), seed));
}
