/* posemb_plan: a description, its compiled kernels and its constants; immutable once made. */
#include "plan.h"

#include "../kernels/launch.h"
#include "cl_error.h"
#include "desc.h"
#include "enqueue.h"
#include "status.h"
#include "storage.h"
#include "warmup.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static const char *const kernel_names[POSEMB__KERNEL_COUNT] = {
    "posemb_stage", "posemb_stage_shared", "posemb_stage_streamed", "posemb_stage_shared_streamed",
    "posemb_count"};

/* Floats of one memory access: on CPUs, and on GPUs where tuning has nothing to say. */
enum { CPU_VECTOR = 16, GPU_VECTOR = 4 };

/* Columns that share positions, on CPUs without a norm: kernels/quads.clh has the same. */
enum { CPU_QUAD = 4 };

/* The smallest power of two that is not below dim. */
static uint32_t folded_length(uint32_t dim)
{
    uint32_t length = 1;

    while (length < dim)
        length *= 2;
    return length;
}

/* The parts of the key that come from tables and norms. What is not used is as in every other
 * description. */
static void set_key_of_tables(const posemb_desc *desc, struct posemb__program_key *key)
{
    const bool norm = posemb__has_norm(desc);

    key->position_kind = desc->position_kind;
    key->prompts = desc->soft_prompts != 0;
    key->parts = desc->table_parts > 1;
    key->table_storage = desc->operation == POSEMB_ENCODE ? desc->tokens.storage : POSEMB_F32;
    key->rows_storage =
        desc->operation == POSEMB_ADD || key->prompts ? desc->rows_storage : POSEMB_F32;
    key->position_storage =
        desc->position_kind == POSEMB_LEARNED ? desc->position_table.storage : POSEMB_F32;
    key->norm_storage =
        posemb__has_gamma(desc) || posemb__has_beta(desc) ? desc->norm_storage : POSEMB_F32;
    key->out_storage = desc->out_storage;
    key->step_storage = posemb__step_storage(desc);
    key->extras = posemb__extra_count(desc);
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        key->extra_storage[k] = k < key->extras ? desc->extras[k].table.storage : POSEMB_F32;
    key->norm = desc->norm;
    key->gamma = norm ? desc->gamma : POSEMB_GAMMA_NONE;
    key->beta = posemb__has_beta(desc);
}

/* Work-items of a group. */
static uint64_t local_size_of(const posemb_engine *engine, const posemb_desc *desc,
                              const struct posemb__tuning *tuning)
{
    const bool halves = desc->layout == POSEMB_HALVES && desc->position_kind == POSEMB_SINUSOIDAL;
    const uint32_t vector = (uint32_t)tuning->value[POSEMB__SET_VECTOR];

    if (tuning->value[POSEMB__SET_SHAPE] == POSEMB_SHAPE_CPU)
        return 1;
    if (tuning->value[POSEMB__SET_LOCAL_SIZE] != 0)
        return tuning->value[POSEMB__SET_LOCAL_SIZE];
    return posemb__gpu_local_size(desc->dim, halves ? 2 * vector : vector,
                                  engine->info.max_work_group_size);
}

/* The parts of the key that tuning decides. What has no effect is as in every other plan. */
static void set_key_of_tuning(const posemb_desc *desc, const struct posemb__tuning *tuning,
                              struct posemb__program_key *key)
{
    const uint64_t shape = tuning->value[POSEMB__SET_SHAPE];
    const unsigned used = posemb__settings_used(desc, shape);

    key->shares_positions =
        (used >> POSEMB__SET_SHARED_ROWS & 1u) && tuning->value[POSEMB__SET_SHARED_ROWS] != 0;
    key->rows = (uint32_t)tuning->value[POSEMB__SET_ROWS];
    key->shared_rows =
        key->shares_positions ? (uint32_t)tuning->value[POSEMB__SET_SHARED_ROWS] : key->rows;
    key->prefetch =
        used >> POSEMB__SET_PREFETCH & 1u ? (uint32_t)tuning->value[POSEMB__SET_PREFETCH] : 0;
    key->memory_floats = CPU_VECTOR;
    if (shape == POSEMB_SHAPE_GPU)
        key->memory_floats = used >> POSEMB__SET_VECTOR & 1u
                                 ? (uint32_t)tuning->value[POSEMB__SET_VECTOR]
                                 : GPU_VECTOR;
    if (posemb__has_norm(desc) && shape == POSEMB_SHAPE_CPU)
        key->folded = folded_length(desc->dim) < CPU_VECTOR ? CPU_VECTOR : folded_length(desc->dim);
}

static struct posemb__program_key key_of(const posemb_desc *desc,
                                         const struct posemb__tuning *tuning)
{
    struct posemb__program_key key = {
        .operation = desc->operation,
        .halves = desc->layout == POSEMB_HALVES,
        .cosine_first = desc->first == POSEMB_COSINE_FIRST,
        .amplitude = desc->amplitude != 1.0f,
        .phases = desc->phases != NULL,
        .float_positions = posemb__has_float_positions(desc),
        .grid = desc->grid.axes != 0,
        .counts = posemb__counts_tokens(desc),
    };

    set_key_of_tables(desc, &key);
    set_key_of_tuning(desc, tuning, &key);
    return key;
}

static void set_launch_rule(posemb_plan *plan, const struct posemb__program_key *key)
{
    const uint64_t *value = plan->tuning.value;
    const bool cpu = value[POSEMB__SET_SHAPE] == POSEMB_SHAPE_CPU;

    plan->launch_rule = (struct posemb__launch_rule){
        .rows = key->rows,
        .shared_rows = key->shared_rows,
        .columns = cpu && !posemb__has_norm(&plan->desc) ? CPU_QUAD : 1,
        .local_size = local_size_of(plan->engine, &plan->desc, &plan->tuning),
        .turns = cpu ? (uint32_t)value[POSEMB__SET_TURNS] : 1,
        .compute_units = plan->engine->info.compute_units,
        .shares_positions = key->shares_positions,
        .stream_threshold = plan->desc.consumer == POSEMB_CONSUMER_STREAMED
                                ? value[POSEMB__SET_STREAMED]
                                : value[POSEMB__SET_FOLLOWS],
        .columns_in_launch = value[POSEMB__SET_COLUMNS],
        .chunk = (uint32_t)value[POSEMB__SET_CHUNK],
    };
}

static struct posemb_segment segment_args(const struct posemb__segment *segment)
{
    static const uint32_t lones[] = {
        [POSEMB__LONE_NONE] = POSEMB_LONE_NONE,
        [POSEMB__LONE_ZERO] = POSEMB_LONE_ZERO,
        [POSEMB__LONE_SINE] = POSEMB_LONE_SINE,
        [POSEMB__LONE_COSINE] = POSEMB_LONE_COSINE,
    };

    return (struct posemb_segment){
        .axis = segment->axis,
        .channel = segment->channel,
        .first_step = segment->first_step,
        .full_pairs = segment->full_pairs,
        .second_offset = segment->second_offset,
        .lone = lones[segment->lone],
        .lone_channel = segment->lone_channel,
        .lone_pair = segment->lone_pair,
    };
}

/* What kernels/launch.h says of constants. */
static void fill_constants(const posemb_plan *plan, unsigned char *bytes)
{
    const size_t pairs = plan->channels.pairs;
    const bool has_phases = plan->desc.phases != NULL;
    uint64_t *steps = (uint64_t *)(void *)(bytes + POSEMB_STEPS_PLACE);
    uint64_t *end = steps + (has_phases ? 2 : 1) * pairs;

    for (uint32_t k = 0; k < plan->channels.segments; k++) {
        const struct posemb_segment segment = segment_args(&plan->channels.segment[k]);

        memcpy(bytes + k * sizeof segment, &segment, sizeof segment);
    }
    posemb__desc_steps(&plan->desc, &plan->channels,
                       (struct posemb__steps){steps, posemb__has_float_positions(&plan->desc)
                                                         ? (uint32_t *)end
                                                         : NULL});
    for (size_t i = 0; has_phases && i < pairs; i++)
        steps[pairs + i] = posemb__phase_of(plan->desc.phases[i]);
}

static posemb_status upload_constants(posemb_plan *plan, posemb_error *error)
{
    const size_t zeros = POSEMB_ZEROS_SIZE((size_t)plan->desc.dim);
    const size_t pairs = plan->channels.pairs;
    const size_t end = POSEMB_STEPS_PLACE + 3 * pairs * sizeof(uint64_t);
    unsigned char *bytes;
    cl_int code;

    plan->zeros_place = (uint32_t)((end + 63) / 64 * 64);
    bytes = calloc(1, plan->zeros_place + 2 * zeros);
    if (!bytes)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for the phase steps");
    fill_constants(plan, bytes);
    posemb__fill_zeros(bytes + plan->zeros_place, zeros, plan->desc.tokens.storage);
    posemb__fill_zeros(bytes + plan->zeros_place + zeros, zeros, plan->desc.position_table.storage);
    plan->constants = clCreateBuffer(plan->engine->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR,
                                     plan->zeros_place + 2 * zeros, bytes, &code);
    free(bytes);
    if (!plan->constants)
        return posemb__cl_fail(error, code, "clCreateBuffer of the constants");
    return POSEMB_OK;
}

/* The plan keeps what the description points to. */
static posemb_status copy_vectors(posemb_plan *plan, posemb_error *error)
{
    const double **const vectors[] = {&plan->desc.frequencies, &plan->desc.phases};

    for (int i = 0; i < 2; i++) {
        const double *given = *vectors[i];
        const size_t size = plan->desc.frequency_count * sizeof(double);

        if (!given)
            continue;
        plan->vectors[i] = malloc(size + 1);
        if (!plan->vectors[i]) {
            *vectors[i] = NULL;
            return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes", size);
        }
        memcpy(plan->vectors[i], given, size);
        *vectors[i] = plan->vectors[i];
    }
    return POSEMB_OK;
}

/* One clone of kernel `which` for each slot. */
static posemb_status create_kernels(posemb_plan *plan, cl_program program,
                                    enum posemb__kernel which, posemb_error *error)
{
    const uint32_t count = plan->desc.concurrency;
    cl_kernel *kernels = calloc(count, sizeof *kernels);
    cl_int code;

    if (!kernels)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %u kernels",
                            (unsigned)count);
    plan->kernels[which] = kernels;
    for (uint32_t slot = 0; slot < count; slot++) {
        kernels[slot] = clCreateKernel(program, kernel_names[which], &code);
        if (!kernels[slot])
            return posemb__cl_fail(error, code, kernel_names[which]);
    }
    return POSEMB_OK;
}

/* Whether the driver's compiler knows stores that bypass the cache. */
static bool has_streamed_kernels(cl_program program)
{
    char names[256] = "";

    if (clGetProgramInfo(program, CL_PROGRAM_KERNEL_NAMES, sizeof names - 1, names, NULL) !=
        CL_SUCCESS)
        return false;
    return strstr(names, kernel_names[POSEMB__STAGE_STREAMED]) != NULL;
}

static posemb_status create_all_kernels(posemb_plan *plan, cl_program program, posemb_error *error)
{
    struct posemb__launch_rule *rule = &plan->launch_rule;
    posemb_status status;

    rule->streams = has_streamed_kernels(program);
    status = create_kernels(plan, program, POSEMB__STAGE, error);
    if (status == POSEMB_OK && rule->shares_positions)
        status = create_kernels(plan, program, POSEMB__STAGE_SHARED, error);
    if (status == POSEMB_OK && rule->streams)
        status = create_kernels(plan, program, POSEMB__STAGE_STREAMED, error);
    if (status == POSEMB_OK && rule->streams && rule->shares_positions)
        status = create_kernels(plan, program, POSEMB__STAGE_SHARED_STREAMED, error);
    if (status == POSEMB_OK && posemb__counts_tokens(&plan->desc))
        status = create_kernels(plan, program, POSEMB__COUNT, error);
    return status;
}

/* A kernel may allow fewer work-items than its device. */
static posemb_status limit_local_size(posemb_plan *plan, posemb_error *error)
{
    for (int k = 0; k < POSEMB__KERNEL_COUNT; k++) {
        size_t limit = 0;
        cl_int code;

        if (!plan->kernels[k])
            continue;
        code = clGetKernelWorkGroupInfo(plan->kernels[k][0], plan->engine->device,
                                        CL_KERNEL_WORK_GROUP_SIZE, sizeof limit, &limit, NULL);
        if (code != CL_SUCCESS)
            return posemb__cl_fail(error, code, "clGetKernelWorkGroupInfo");
        while (plan->launch_rule.local_size > 1 && plan->launch_rule.local_size > limit)
            plan->launch_rule.local_size /= 2;
    }
    return POSEMB_OK;
}

/* Local memory of the kernels of a norm, where they have any. */
static posemb_status choose_kept(posemb_plan *plan, posemb_error *error)
{
    const uint64_t lanes = plan->launch_rule.local_size;
    const uint32_t dim = plan->desc.dim;
    cl_ulong size = 0;
    cl_int code;

    if (!posemb__has_norm(&plan->desc) || plan->tuning.value[POSEMB__SET_SHAPE] == POSEMB_SHAPE_CPU)
        return POSEMB_OK;
    code =
        clGetDeviceInfo(plan->engine->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof size, &size, NULL);
    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetDeviceInfo of the local memory");
    plan->kept =
        dim <= plan->tuning.value[POSEMB__SET_KEPT] && (dim + lanes) * sizeof(float) <= size ? dim
                                                                                             : 1;
    return POSEMB_OK;
}

/* Any device takes what the kernels have, but for those of a table in parts. */
static posemb_status check_parameters(const posemb_plan *plan, posemb_error *error)
{
    const size_t needed = posemb__parameters_size(plan);
    size_t limit = 0;
    const cl_int code = clGetDeviceInfo(plan->engine->device, CL_DEVICE_MAX_PARAMETER_SIZE,
                                        sizeof limit, &limit, NULL);

    if (code != CL_SUCCESS)
        return posemb__cl_fail(error, code, "clGetDeviceInfo of the parameters");
    if (needed <= limit)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                        "the kernel has %zu bytes of parameters, but the device takes %zu; fewer "
                        "extra tables or one part of the token table need less",
                        needed, limit);
}

static posemb_status fill_plan(posemb_plan *plan, const struct posemb__offer *offer,
                               posemb_error *error)
{
    const struct posemb__program_key key = key_of(&plan->desc, &plan->tuning);
    posemb_status status;

    plan->channels = posemb__channels_of(&plan->desc);
    plan->folded = folded_length(plan->desc.dim);
    set_launch_rule(plan, &key);
    plan->busy = calloc(1, sizeof *plan->busy);
    if (!plan->busy)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a plan");
    atomic_init(plan->busy, 0);
    status = copy_vectors(plan, error);
    if (status == POSEMB_OK)
        status =
            posemb__engine_program(plan->engine, &key, offer, &plan->program, &plan->origin, error);
    if (status == POSEMB_OK)
        status = create_all_kernels(plan, plan->program->program, error);
    if (status == POSEMB_OK)
        status = limit_local_size(plan, error);
    if (status == POSEMB_OK)
        status = choose_kept(plan, error);
    if (status == POSEMB_OK)
        status = check_parameters(plan, error);
    if (status == POSEMB_OK)
        status = upload_constants(plan, error);
    return status;
}

/* Run every kernel, so that the binary has what the driver compiles at the first launch, and save
 * it. */
static posemb_status save_program(const posemb_plan *plan, posemb_error *error)
{
    posemb_engine *engine = plan->engine;
    posemb_status status;
    cl_int code;
    cl_command_queue queue;

    if (!posemb__engine_wants(engine, plan->program))
        return POSEMB_OK;
    queue = clCreateCommandQueue(engine->context, engine->device, 0, &code);
    if (!queue)
        return posemb__cl_fail(error, code, "clCreateCommandQueue");
    status = posemb__run_all_kernels(plan, queue, error);
    clReleaseCommandQueue(queue);
    if (status == POSEMB_OK)
        status = posemb__engine_save(engine, plan->program, error);
    return status;
}

/* `tuning`: NULL: the engine's. */
static posemb_status create_plan(posemb_engine *engine, const posemb_desc *desc,
                                 const struct posemb__tuning *tuning,
                                 const struct posemb__offer *offer, posemb_plan **plan,
                                 posemb_error *error)
{
    posemb_desc resolved;
    posemb_plan *made;
    posemb_status status = posemb_desc_resolve(desc, &resolved, error);

    if (status != POSEMB_OK)
        return status;
    made = calloc(1, sizeof *made);
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a plan");
    made->engine = posemb__engine_retain(engine);
    made->desc = resolved;
    made->tuning = tuning ? *tuning : posemb__engine_tuning(engine, &resolved);
    status = fill_plan(made, offer, error);
    if (status == POSEMB_OK)
        status = save_program(made, error);
    if (status == POSEMB_OK)
        *plan = made;
    else
        posemb_plan_destroy(made);
    return status;
}

posemb_status posemb_plan_create(posemb_engine *engine, const posemb_desc *desc, posemb_plan **plan,
                                 posemb_error *error)
{
    const struct posemb__offer nothing = {NULL, 0};

    if (plan)
        *plan = NULL;
    if (!engine || !plan)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            engine ? "plan" : "engine");
    return create_plan(engine, desc, NULL, &nothing, plan, error);
}

posemb_status posemb__plan_create_tuned(posemb_engine *engine, const posemb_desc *desc,
                                        const struct posemb__tuning *tuning, posemb_plan **plan,
                                        posemb_error *error)
{
    const struct posemb__offer nothing = {NULL, 0};

    *plan = NULL;
    return create_plan(engine, desc, tuning, &nothing, plan, error);
}

posemb_status posemb_plan_create_from_blob(posemb_engine *engine, const posemb_desc *desc,
                                           const void *blob, size_t size, posemb_plan **plan,
                                           posemb_error *error)
{
    const struct posemb__offer offer = {blob, size};

    if (plan)
        *plan = NULL;
    if (!engine || !plan || !blob)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !engine ? "engine" : (!plan ? "plan" : "blob"));
    return create_plan(engine, desc, NULL, &offer, plan, error);
}

posemb_status posemb_blob_id(const posemb_engine *engine, const posemb_desc *desc,
                             char id[POSEMB_BLOB_ID_SIZE], posemb_error *error)
{
    struct posemb__program_key key;
    struct posemb__tuning tuning;
    struct posemb__digest digest;
    posemb_desc resolved;
    posemb_status status;

    if (!engine || !id)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            engine ? "id" : "engine");
    status = posemb_desc_resolve(desc, &resolved, error);
    if (status != POSEMB_OK)
        return status;
    tuning = posemb__engine_tuning(engine, &resolved);
    key = key_of(&resolved, &tuning);
    digest = posemb__program_id(&engine->identity, &key);
    posemb__digest_text(&digest, id);
    return POSEMB_OK;
}

posemb_status posemb_plan_get_blob(const posemb_plan *plan, void *data, size_t capacity,
                                   size_t *size, posemb_error *error)
{
    unsigned char *bytes = NULL;
    posemb_status status;

    if (!plan || !size || (!data && capacity > 0))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !plan ? "plan" : (!size ? "size" : "data"));
    status = posemb__engine_blob(plan->engine, plan->program, &bytes, size, error);
    if (status != POSEMB_OK)
        return status;
    if (data && *size <= capacity)
        memcpy(data, bytes, *size);
    else
        status =
            posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                         "capacity is %zu, fewer than the %zu bytes of the blob", capacity, *size);
    free(bytes);
    return status;
}

posemb_status posemb_plan_tuning(const posemb_plan *plan, char *text, size_t capacity,
                                 posemb_error *error)
{
    char line[POSEMB__TUNING_LINE_SIZE];
    struct posemb__tuning tuning;

    if (!plan || !text)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            plan ? "text" : "plan");
    tuning = plan->tuning;
    tuning.value[POSEMB__SET_LOCAL_SIZE] = plan->launch_rule.local_size;
    posemb__tuning_format(
        &tuning, posemb__settings_used(&plan->desc, tuning.value[POSEMB__SET_SHAPE]), line);
    if (strlen(line) >= capacity)
        return posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                            "capacity is %zu, but the tuning has %zu characters and a zero",
                            capacity, strlen(line));
    memcpy(text, line, strlen(line) + 1);
    return POSEMB_OK;
}

posemb_origin posemb_plan_origin(const posemb_plan *plan)
{
    return plan->origin;
}

void posemb_plan_destroy(posemb_plan *plan)
{
    if (!plan)
        return;
    for (int k = 0; k < POSEMB__KERNEL_COUNT; k++) {
        for (uint32_t slot = 0; plan->kernels[k] && slot < plan->desc.concurrency; slot++)
            if (plan->kernels[k][slot])
                clReleaseKernel(plan->kernels[k][slot]);
        free(plan->kernels[k]);
    }
    if (plan->constants)
        clReleaseMemObject(plan->constants);
    free(plan->vectors[0]);
    free(plan->vectors[1]);
    free(plan->busy);
    posemb_engine_destroy(plan->engine);
    free(plan);
}

const posemb_desc *posemb_plan_resolved(const posemb_plan *plan)
{
    return &plan->desc;
}

posemb_status posemb_plan_scratch_bytes(const posemb_plan *plan, const posemb_shape *shape,
                                        uint64_t *bytes, posemb_error *error)
{
    struct posemb__call call;
    posemb_status status;

    if (!plan || !shape || !bytes)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !plan ? "plan" : (!shape ? "shape" : "bytes"));
    status = posemb__call_resolve(&plan->desc, shape, &call, error);
    if (status == POSEMB_OK)
        *bytes = call.tokens ? posemb__launch_of(&plan->launch_rule, &call).scratch_bytes : 0;
    return status;
}

uint32_t posemb__plan_take_slot(const posemb_plan *plan)
{
    uint_fast64_t busy = atomic_load(plan->busy);

    for (;;) {
        uint32_t slot = 0;

        while (slot < plan->desc.concurrency && (busy >> slot) & 1u)
            slot++;
        if (slot == plan->desc.concurrency) {
            sched_yield();
            busy = atomic_load(plan->busy);
        } else if (atomic_compare_exchange_weak(plan->busy, &busy,
                                                busy | (uint_fast64_t)1 << slot)) {
            return slot;
        }
    }
}

void posemb__plan_return_slot(const posemb_plan *plan, uint32_t slot)
{
    atomic_fetch_and(plan->busy, ~((uint_fast64_t)1 << slot));
}
