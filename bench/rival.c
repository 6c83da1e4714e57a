/* What others do in place of the stage. */
#include "rival.h"

#include "cl_error.h"
#include "launch.h"
#include "status.h"
#include "storage.h"
#include "yardstick.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char bench_rival_source[];
extern const size_t bench_rival_source_size;

/* Tokens of a group, as the stage has them; of a norm on the GPU shape one. */
enum { CPU_ROWS = 8, CPU_TURNS = 8, GPU_ROWS = 4, OPTIONS_SIZE = 512 };

unsigned rivals_of(const struct bench_case *c)
{
    const bool table = c->operation != POSEMB_TABLE && c->position_kind != POSEMB_NO_POSITION &&
                       (c->rule == BENCH_INDEX || c->rule == BENCH_EXPLICIT);
    unsigned yardsticks = 0;

    if (c->operation == POSEMB_ENCODE)
        yardsticks |= 1u << BENCH_GATHER;
    if (table)
        yardsticks |= 1u << BENCH_GATHER_TABLE;
    if ((table || (c->operation != POSEMB_TABLE && c->position_kind == POSEMB_NO_POSITION)) &&
        (c->operation == POSEMB_ENCODE || c->types || c->norm != POSEMB_NORM_NONE))
        yardsticks |= 1u << BENCH_UNFUSED; /* of several steps */
    if (c->position_kind == POSEMB_SINUSOIDAL && c->norm == POSEMB_NORM_NONE && !c->types &&
        (c->rule == BENCH_INDEX || c->rule == BENCH_EXPLICIT))
        yardsticks |= 1u << BENCH_VENDOR_SIN;
    return yardsticks;
}

static void write_options(const struct rivals *rivals, bool streamed, char options[OPTIONS_SIZE])
{
    const struct bench_case *c = &rivals->call->bench_case;
    const bool norm = c->norm != POSEMB_NORM_NONE;

    snprintf(options, OPTIONS_SIZE,
             "-cl-std=CL1.2 -DMEMORY=%d -DROWS=%u -DLOCAL=%zuu -DIN=%d -DOUT=%d -DSTREAMED=%d "
             "-DOPERATION=%d -DPOSITION=%d -DTYPES=%d -DNORM=%d -DGAMMA=%d -DBETA=%d -DDIM=%uu",
             rivals->cpu ? 16 : 4, rivals->rows, rivals->local_size, c->table, c->out, streamed,
             c->operation, c->position_kind != POSEMB_NO_POSITION, c->types,
             norm ? (int)c->norm : 0, norm, c->norm == POSEMB_NORM_LAYER, norm ? c->dim : 1);
}

static const char *kernel_name(enum rival_kernel kernel, bool shared)
{
    static const char *const names[RIVAL_KERNELS] = {
        "rival_gather", "rival_table", "rival_scale_position", "rival_place_position",
        "rival_types",  "rival_norm",  "rival_vendor_sin"};

    if (shared && kernel == RIVAL_TABLE)
        return "rival_table_shared";
    if (shared && kernel == RIVAL_PLACE_POSITION)
        return "rival_place_position_shared";
    if (shared && kernel == RIVAL_SCALE_POSITION)
        return "rival_scale_position_shared";
    return names[kernel];
}

/* False where the driver cannot. */
static bool build(const struct rivals *rivals, bool streamed, struct rival_program *program)
{
    char options[OPTIONS_SIZE];
    bool all = true;
    cl_int code;

    write_options(rivals, streamed, options);
    program->streamed = streamed;
    program->program = yardstick_build(rivals->call->workload->session, bench_rival_source,
                                       bench_rival_source_size, options);
    for (int k = 0; program->program && k < RIVAL_KERNELS; k++) {
        program->kernels[k] = clCreateKernel(
            program->program, kernel_name((enum rival_kernel)k, rivals->shared), &code);
        all = all && program->kernels[k];
    }
    return program->program && all;
}

static void release(struct rival_program *program)
{
    for (int k = 0; k < RIVAL_KERNELS; k++)
        if (program->kernels[k])
            clReleaseKernel(program->kernels[k]);
    if (program->program)
        clReleaseProgram(program->program);
    memset(program, 0, sizeof *program);
}

/* With the stores that are asked for, or plain ones where the compiler does not know those. */
static bool build_any(const struct rivals *rivals, bool streamed, struct rival_program *program)
{
    if (build(rivals, streamed, program))
        return true;
    release(program);
    return streamed && build(rivals, false, program);
}

static void set_launch(struct rivals *rivals)
{
    const struct bench_case *c = &rivals->call->bench_case;
    const struct workload *workload = rivals->call->workload;

    rivals->launch = (struct rival_launch){
        .source_row = posemb_storage_row_bytes(c->table, c->dim),
        .out_row = posemb_storage_row_bytes(c->out, c->dim),
        .types = workload_types(workload) + c->dim, /* row 1 */
        .gamma = workload_gamma(workload),
        .beta = workload_beta(workload),
        .scales = workload_scales(workload),
        .dim = c->dim,
        .length = c->length,
        .batch = c->batch,
        .tokens = c->batch * c->length,
        .given = c->rule == BENCH_EXPLICIT,
        .scale = 1.5f,
        .inverse_dim = 1.0f / (float)c->dim,
        .epsilon = 1e-12f,
        .log_step = (float)(-2.0 * log2(10000.0) / c->dim),
    };
}

/* The rule of the stage: src/launch.c. */
static bool is_shared(const struct rivals *rivals)
{
    const struct bench_case *c = &rivals->call->bench_case;

    if (c->rule != BENCH_INDEX || c->position_kind == POSEMB_NO_POSITION ||
        c->norm != POSEMB_NORM_NONE)
        return false;
    return c->batch >= rivals->rows &&
           (c->batch % rivals->rows == 0 || c->batch >= 4 * rivals->rows);
}

/* Whether a kernel walks four rows at a time: QUADS of rival.cl. */
static bool walks_quads(const struct rivals *rivals, enum rival_kernel which)
{
    const struct bench_case *c = &rivals->call->bench_case;

    return rivals->cpu && c->operation == POSEMB_ENCODE &&
           (which == RIVAL_GATHER || which == RIVAL_PLACE_POSITION ||
            (which == RIVAL_TABLE && c->norm == POSEMB_NORM_NONE));
}

/* Groups that a work-group takes one after the other: as the stage, src/launch.c. */
static uint32_t turns_of(const struct rivals *rivals, uint64_t groups)
{
    const uint64_t units = posemb_session_device(rivals->call->workload->session)->compute_units;
    const uint64_t wanted = groups / (8 * units + 1);

    if (wanted < 1 || !rivals->cpu)
        return 1;
    return wanted < CPU_TURNS ? (uint32_t)wanted : CPU_TURNS;
}

void rivals_create(const struct stage_call *call, const posemb_engine *engine,
                   struct rivals *rivals)
{
    const posemb_engine_options options = posemb_engine_resolved(engine);
    const struct bench_case *c = &call->bench_case;
    const size_t limit = posemb_session_device(call->workload->session)->max_work_group_size;
    const size_t row = (size_t)posemb_storage_row_bytes(c->out, c->dim);

    memset(rivals, 0, sizeof *rivals);
    rivals->call = call;
    rivals->cpu = options.shape == POSEMB_SHAPE_CPU;
    rivals->rows = rivals->cpu ? CPU_ROWS : (c->norm == POSEMB_NORM_NONE ? GPU_ROWS : 1);
    rivals->local_size = rivals->cpu ? 1 : (size_t)posemb__gpu_local_size(c->dim, 4, limit);
    rivals->shared = is_shared(rivals);
    set_launch(rivals);

    const bool may_stream = rivals->cpu && row % 64 == 0;
    const uint64_t threshold =
        c->with_reader ? options.follows_threshold : options.streamed_threshold;

    rivals->built =
        build_any(rivals, may_stream && call->output_bytes >= threshold, &rivals->last) &&
        build_any(rivals, may_stream && call->output_bytes >= options.follows_threshold,
                  &rivals->between);
}

void rivals_destroy(struct rivals *rivals)
{
    release(&rivals->last);
    release(&rivals->between);
}

/* ---- Launching */

static cl_int enqueue(const struct rivals *rivals, const struct rival_program *program,
                      enum rival_kernel which, uint32_t set, cl_command_queue queue)
{
    const cl_kernel kernel = program->kernels[which];
    const struct bench_case *c = &rivals->call->bench_case;
    const struct workload *workload = rivals->call->workload;
    const bool shared = rivals->shared && (which == RIVAL_TABLE || which == RIVAL_SCALE_POSITION ||
                                           which == RIVAL_PLACE_POSITION);
    const uint64_t columns = walks_quads(rivals, which) ? (c->length + 3) / 4 : c->length;
    const uint64_t groups = shared ? columns * ((c->batch + rivals->rows - 1) / rivals->rows)
                                   : (workload->tokens + rivals->rows - 1) / rivals->rows;
    const uint32_t turns = turns_of(rivals, groups);
    const cl_mem buffers[] = {workload->tables[c->table].device, workload->device_ids,
                              workload->device_positions, workload->device_floats,
                              workload->device_out};
    struct rival_launch launch = rivals->launch;
    size_t local[2] = {rivals->local_size, 1};
    size_t global[2] = {(size_t)((groups + turns - 1) / turns) * rivals->local_size,
                        (size_t)workload->tokens};
    cl_int code;

    launch.turns = turns;
    launch.groups = (uint32_t)groups;
    launch.first_id = set % workload->sets * workload->tokens;
    launch.rows_offset = workload_source_offset(workload, c->table, set);
    if (which == RIVAL_VENDOR_SIN) { /* as it is written most often: groups of 64 pairs */
        local[0] = 64;
        global[0] = ((c->dim + 1) / 2 + local[0] - 1) / local[0] * local[0];
    }
    code = clSetKernelArg(kernel, 0, sizeof launch, &launch);
    for (cl_uint i = 0; code == CL_SUCCESS && i < 5; i++)
        code = clSetKernelArg(kernel, i + 1, sizeof buffers[i], &buffers[i]);
    if (code == CL_SUCCESS && !rivals->cpu && c->norm != POSEMB_NORM_NONE)
        code = clSetKernelArg(kernel, 6, rivals->local_size * 2 * sizeof(float), NULL);
    if (code != CL_SUCCESS)
        return code;
    return clEnqueueNDRangeKernel(queue, kernel, which == RIVAL_VENDOR_SIN ? 2 : 1, NULL, global,
                                  local, 0, NULL, NULL);
}

/* The steps of an engine without fusion, in their order. */
static uint32_t unfused_steps(const struct rivals *rivals, enum rival_kernel steps[4])
{
    const struct bench_case *c = &rivals->call->bench_case;
    uint32_t count = 0;

    if (c->operation == POSEMB_ENCODE)
        steps[count++] = RIVAL_GATHER;
    /* Of ADD the first step has the rows as its source. */
    steps[count++] = c->operation == POSEMB_ADD ? RIVAL_PLACE_POSITION : RIVAL_SCALE_POSITION;
    if (c->types)
        steps[count++] = RIVAL_TYPES;
    if (c->norm != POSEMB_NORM_NONE)
        steps[count++] = RIVAL_NORM;
    return count;
}

uint32_t rivals_kernels(const struct rivals *rivals, enum bench_yardstick yardstick)
{
    enum rival_kernel steps[4];

    return yardstick == BENCH_UNFUSED ? unfused_steps(rivals, steps) : 1;
}

cl_int rivals_enqueue(const struct rivals *rivals, enum bench_yardstick yardstick, uint32_t set,
                      cl_command_queue queue)
{
    enum rival_kernel steps[4] = {RIVAL_GATHER};
    uint32_t count = 1;
    cl_int code = CL_SUCCESS;

    if (yardstick == BENCH_GATHER_TABLE)
        steps[0] = RIVAL_TABLE;
    else if (yardstick == BENCH_VENDOR_SIN)
        steps[0] = RIVAL_VENDOR_SIN;
    else if (yardstick == BENCH_UNFUSED)
        count = unfused_steps(rivals, steps);
    for (uint32_t i = 0; code == CL_SUCCESS && i < count; i++)
        code =
            enqueue(rivals, i + 1 < count ? &rivals->between : &rivals->last, steps[i], set, queue);
    return code;
}

/* ---- Checking */

static float element_of(const void *row, uint64_t index, posemb_storage storage)
{
    return posemb__load_element(row, index, storage);
}

/* The rows alone, as the gather must have them. */
static size_t check_rows(const struct rivals *rivals, const unsigned char *out)
{
    const struct bench_case *c = &rivals->call->bench_case;
    const struct workload *workload = rivals->call->workload;
    const unsigned char *table = workload->tables[c->table].host;
    const float *scales = workload->floats + workload_scales(workload);
    const size_t in_row = (size_t)rivals->launch.source_row;
    const size_t out_row = (size_t)rivals->launch.out_row;
    size_t differing = 0;

    for (uint64_t t = 0; t < workload->tokens; t++) {
        const size_t id = (size_t)workload->ids[t];
        const unsigned char *row = table + id * in_row;
        const float scale = c->table == POSEMB_I8 ? scales[id] : 1.0f;

        if (c->table == c->out) {
            differing += memcmp(row, out + t * out_row, out_row) == 0 ? 0 : c->dim;
            continue;
        }
        for (uint32_t i = 0; i < c->dim; i++) {
            const float value = element_of(row, i, c->table) * scale;

            differing +=
                posemb__round_to(value, c->out) != element_of(out + t * out_row, i, c->out);
        }
    }
    return differing;
}

/* How far an element may be from the stage's, divided by 1 + its magnitude. */
static double tolerance_of(const struct rivals *rivals, enum bench_yardstick yardstick)
{
    static const double of_norm[] = {
        [POSEMB_F32] = 2e-5, [POSEMB_F16] = 2e-3, [POSEMB_BF16] = 2e-2};
    static const double of_steps[] = {
        [POSEMB_F32] = 0.0, [POSEMB_F16] = 8e-3, [POSEMB_BF16] = 6e-2};
    const struct bench_case *c = &rivals->call->bench_case;
    const double norm = c->norm == POSEMB_NORM_NONE ? 0.0 : of_norm[c->out];

    if (yardstick == BENCH_VENDOR_SIN) /* its angle is a float */
        return of_norm[c->out] + 1e-4 + 1e-6 * (double)rivals->call->workload->position_rows;
    return yardstick == BENCH_UNFUSED ? norm + of_steps[c->out] : norm;
}

static size_t check_near(const struct rivals *rivals, const void *out, double tolerance)
{
    const struct stage_call *call = rivals->call;
    const posemb_storage storage = call->bench_case.out;
    const size_t count = (size_t)call->workload->tokens * call->bench_case.dim;
    size_t differing = 0;

    if (memcmp(out, call->output, call->output_bytes) == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const double wanted = (double)element_of(call->output, i, storage);
        const double value = (double)element_of(out, i, storage);

        differing += !(fabs(value - wanted) <= tolerance * (1.0 + fabs(wanted)));
    }
    return differing;
}

posemb_status rivals_check(const struct rivals *rivals, enum bench_yardstick yardstick,
                           size_t *differing, posemb_error *error)
{
    const struct stage_call *call = rivals->call;
    posemb_session *session = call->workload->session;
    const cl_int code = rivals_enqueue(rivals, yardstick, 0, posemb_session_queue(session));
    void *out = malloc(call->output_bytes);
    posemb_status status = POSEMB_OK;

    if (code != CL_SUCCESS)
        status = posemb__cl_fail(error, code, bench_yardstick_names[yardstick]);
    else if (!out)
        status = posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes",
                              call->output_bytes);
    if (status == POSEMB_OK)
        status = posemb_session_download(session, call->workload->device_out, 0, out,
                                         call->output_bytes, error);
    if (status == POSEMB_OK)
        *differing = yardstick == BENCH_GATHER
                         ? check_rows(rivals, out)
                         : check_near(rivals, out, tolerance_of(rivals, yardstick));
    free(out);
    return status;
}
