/* Kernel source text, or a binary of it, to cl_program. */
#include "program.h"

#include "cl_error.h"
#include "device.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void posemb__program_options(const struct posemb__program_key *key,
                             char options[POSEMB__OPTIONS_SIZE])
{
    const struct {
        const char *name;
        uint32_t value;
    } defines[] = {
        {"OPERATION", (uint32_t)key->operation},
        {"POSITION", (uint32_t)key->position_kind},
        {"HALVES", key->halves},
        {"COSINE_FIRST", key->cosine_first},
        {"AMPLITUDE", key->amplitude},
        {"PHASES", key->phases},
        {"FLOAT", key->float_positions},
        {"GRID", key->grid},
        {"COUNTS", key->counts},
        {"SHARED", key->shares_positions},
        {"TABLE_STORAGE", (uint32_t)key->table_storage},
        {"ROWS_STORAGE", (uint32_t)key->rows_storage},
        {"POSITION_STORAGE", (uint32_t)key->position_storage},
        {"OUT_STORAGE", (uint32_t)key->out_storage},
        {"STEP", key->step_storage == POSEMB_F32 ? 0 : (uint32_t)key->step_storage},
        {"PROMPTS", key->prompts},
        {"PARTS", key->parts},
        {"EXTRAS", key->extras},
        {"EXTRA0", (uint32_t)key->extra_storage[0]},
        {"EXTRA1", (uint32_t)key->extra_storage[1]},
        {"EXTRA2", (uint32_t)key->extra_storage[2]},
        {"EXTRA3", (uint32_t)key->extra_storage[3]},
        {"NORM", key->norm == POSEMB_NORM_NONE ? 0 : (uint32_t)key->norm},
        {"GAMMA", (uint32_t)key->gamma},
        {"BETA", key->beta},
        {"NORM_STORAGE", (uint32_t)key->norm_storage},
        {"FOLDED", key->folded},
        {"MEMORY", key->memory_floats},
        {"ROWS", key->rows},
        {"SHARED_ROWS", key->shared_rows},
        {"PREFETCH", key->prefetch},
    };
    size_t used = (size_t)snprintf(options, POSEMB__OPTIONS_SIZE, "-cl-std=CL1.2");

    for (size_t i = 0; i < sizeof defines / sizeof *defines; i++)
        used += (size_t)snprintf(options + used, POSEMB__OPTIONS_SIZE - used,
                                 " -DPOSEMB_%s=%" PRIu32, defines[i].name, defines[i].value);
    if (key->unit != POSEMB__UNIT_STAGE)
        snprintf(options + used, POSEMB__OPTIONS_SIZE - used,
                 " -DPOSEMB_UNIT=%u -DPOSEMB_LOCAL=%" PRIu32 " -DPOSEMB_METHOD=%" PRIu32,
                 (unsigned)key->unit, key->local_size, key->method);
}

/* What a unit is made of, and the name of one of its kernels. */
static const struct unit {
    const char *source;
    const size_t *size;
    const char *kernel;
} units[] = {
    [POSEMB__UNIT_STAGE] = {posemb__kernel_source, &posemb__kernel_source_size, "posemb_stage"},
    [POSEMB__UNIT_BACKWARD] = {posemb__backward_source, &posemb__backward_source_size,
                               "posemb_sums"},
    [POSEMB__UNIT_OPTIMIZER] = {posemb__optimizer_source, &posemb__optimizer_source_size,
                                "posemb_optimize"},
};

/* Append a field with its length before it; a driver without an answer gives an empty field. */
static bool append_field(struct posemb__device_identity *identity, const void *bytes, uint64_t size)
{
    unsigned char *grown = realloc(identity->bytes, identity->size + sizeof size + (size_t)size);

    if (!grown)
        return false;
    memcpy(grown + identity->size, &size, sizeof size);
    if (size > 0)
        memcpy(grown + identity->size + sizeof size, bytes, (size_t)size);
    identity->bytes = grown;
    identity->size += sizeof size + (size_t)size;
    return true;
}

/* cl_khr_device_uuid; drivers without it say that the query is invalid. */
#define POSEMB__DEVICE_UUID 0x106A
#define POSEMB__DRIVER_UUID 0x106B

posemb_status posemb__device_identify(const posemb_device_info *info,
                                      struct posemb__device_identity *identity, posemb_error *error)
{
    static const cl_platform_info platform_fields[] = {CL_PLATFORM_NAME, CL_PLATFORM_VENDOR,
                                                       CL_PLATFORM_VERSION};
    static const cl_device_info device_fields[] = {
        CL_DEVICE_NAME,       CL_DEVICE_VENDOR,           CL_DEVICE_VENDOR_ID,
        CL_DEVICE_VERSION,    CL_DEVICE_OPENCL_C_VERSION, CL_DRIVER_VERSION,
        CL_DEVICE_EXTENSIONS, CL_DEVICE_ADDRESS_BITS,     CL_DEVICE_MAX_WORK_GROUP_SIZE,
        POSEMB__DEVICE_UUID,  POSEMB__DRIVER_UUID};
    enum { ANSWER_SIZE = 1 << 16 };
    const size_t platform_count = sizeof platform_fields / sizeof *platform_fields;
    const size_t count = platform_count + sizeof device_fields / sizeof *device_fields;
    char *answer = malloc(ANSWER_SIZE);
    bool there = answer != NULL;

    *identity = (struct posemb__device_identity){NULL, 0};
    for (size_t i = 0; there && i < count; i++) {
        size_t size = 0;
        const cl_int code =
            i < platform_count
                ? clGetPlatformInfo(info->platform, platform_fields[i], ANSWER_SIZE, answer, &size)
                : clGetDeviceInfo(info->device, device_fields[i - platform_count], ANSWER_SIZE,
                                  answer, &size);
        there = append_field(identity, answer,
                             code == CL_SUCCESS && size <= ANSWER_SIZE ? (uint64_t)size : 0);
    }
    free(answer);
    if (there)
        return POSEMB_OK;
    free(identity->bytes);
    *identity = (struct posemb__device_identity){NULL, 0};
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for the name of a device");
}

struct posemb__digest posemb__program_id(const struct posemb__device_identity *identity,
                                         const struct posemb__program_key *key)
{
    char options[POSEMB__OPTIONS_SIZE];

    posemb__program_options(key, options);

    const struct posemb__field fields[] = {
        {POSEMB_VERSION_STRING, strlen(POSEMB_VERSION_STRING)},
        {units[key->unit].source, *units[key->unit].size},
        {options, strlen(options)},
        {identity->bytes, identity->size},
    };

    return posemb__digest_fields(fields, sizeof fields / sizeof *fields);
}

static posemb_status build_failed(cl_program program, cl_device_id device, cl_int code,
                                  posemb_error *error)
{
    posemb_status status;
    char *log = NULL;
    size_t size = 0;

    if (clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS)
        log = calloc(1, size + 1);
    if (log)
        clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    status = posemb__fail(error, POSEMB_BUILD_FAILED, code, "clBuildProgram: %s (%d): %s",
                          posemb__cl_name(code), (int)code, log ? log : "no log");
    free(log);
    return status;
}

posemb_status posemb__program_build(cl_context context, cl_device_id device,
                                    const struct posemb__program_key *key, cl_program *program,
                                    posemb_error *error)
{
    const char *source = units[key->unit].source;
    const size_t size = *units[key->unit].size;
    char options[POSEMB__OPTIONS_SIZE];
    posemb_status status = POSEMB_OK;
    cl_int code;

    *program = clCreateProgramWithSource(context, 1, &source, &size, &code);
    if (!*program)
        return posemb__cl_fail(error, code, "clCreateProgramWithSource");
    posemb__program_options(key, options);
    code = clBuildProgram(*program, 1, &device, options, NULL, NULL);
    if (code == CL_SUCCESS)
        return POSEMB_OK;
    status = build_failed(*program, device, code, error);
    clReleaseProgram(*program);
    *program = NULL;
    return status;
}

/* A binary of something else would show here at the latest. */
static bool has_kernel(cl_program program, const char *kernel)
{
    char names[256] = "";

    return clGetProgramInfo(program, CL_PROGRAM_KERNEL_NAMES, sizeof names - 1, names, NULL) ==
               CL_SUCCESS &&
           strstr(names, kernel);
}

posemb_status posemb__program_load(cl_context context, cl_device_id device,
                                   const struct posemb__program_key *key, const void *binary,
                                   size_t size, cl_program *program, posemb_error *error)
{
    const unsigned char *bytes = binary;
    char options[POSEMB__OPTIONS_SIZE];
    cl_int of_binary = CL_SUCCESS;
    cl_int code;

    *program = clCreateProgramWithBinary(context, 1, &device, &size, &bytes, &of_binary, &code);
    if (*program && code == CL_SUCCESS && of_binary == CL_SUCCESS) {
        posemb__program_options(key, options);
        code = clBuildProgram(*program, 1, &device, options, NULL, NULL);
        if (code == CL_SUCCESS && has_kernel(*program, units[key->unit].kernel))
            return POSEMB_OK;
        if (code == CL_SUCCESS)
            code = CL_INVALID_KERNEL_NAME;
    }
    if (*program)
        clReleaseProgram(*program);
    *program = NULL;
    code = code == CL_SUCCESS ? of_binary : code;
    return posemb__fail(error, POSEMB_CACHE_FAILED, code, "the driver refuses its binary: %s (%d)",
                        posemb__cl_name(code), (int)code);
}

enum { DEVICES_MAX = 64 };

/* The sizes of the binaries of a program, and which of them is ours: a program has all devices of
 * its context, but some drivers (PoCL) list the binaries of those alone for which it was built. */
static cl_int find_binary(cl_program program, cl_device_id device, size_t sizes[DEVICES_MAX],
                          size_t *count, size_t *index)
{
    cl_device_id devices[DEVICES_MAX];
    size_t devices_size = 0;
    size_t sizes_size = 0;
    cl_int code =
        clGetProgramInfo(program, CL_PROGRAM_DEVICES, sizeof devices, devices, &devices_size);

    if (code == CL_SUCCESS)
        code = clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, DEVICES_MAX * sizeof *sizes,
                                sizes, &sizes_size);
    if (code != CL_SUCCESS)
        return code;
    *count = sizes_size / sizeof *sizes;
    *index = 0;
    if (*count == 1)
        return CL_SUCCESS;
    *index = posemb__find_device(devices, devices_size / sizeof *devices, device);
    return *index < *count ? CL_SUCCESS : CL_INVALID_DEVICE;
}

posemb_status posemb__program_binary_size(cl_program program, cl_device_id device, size_t *size,
                                          posemb_error *error)
{
    size_t sizes[DEVICES_MAX] = {0};
    size_t count;
    size_t index;
    const cl_int code = find_binary(program, device, sizes, &count, &index);

    *size = 0;
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetProgramInfo of the binary's size");
    *size = sizes[index];
    return POSEMB_OK;
}

posemb_status posemb__program_binary(cl_program program, cl_device_id device, void *binary,
                                     posemb_error *error)
{
    unsigned char *places[DEVICES_MAX] = {NULL}; /* NULL: not wanted */
    size_t sizes[DEVICES_MAX] = {0};
    size_t count;
    size_t index;
    cl_int code = find_binary(program, device, sizes, &count, &index);

    if (code == CL_SUCCESS) {
        places[index] = binary;
        code = clGetProgramInfo(program, CL_PROGRAM_BINARIES, count * sizeof *places, places, NULL);
    }
    return code == CL_SUCCESS ? POSEMB_OK
                              : posemb__cl_fail(error, code, "clGetProgramInfo of the binary");
}
