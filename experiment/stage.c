/* The embedding stage in front of the encoder. Every memory exists once: on the host for the
 * reference, on the device otherwise. */
#include "stage.h"

#include "random.h"
#include "status.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    size_t bytes;
    void *host;
    cl_mem device;
};

/* A parameter with what Adam keeps of it. */
struct parameter {
    size_t rows; /* 0: the stage has no such parameter */
    struct memory values, first, second, grad;
};

enum { TOKENS, POSITIONS, GAMMA, BETA, PARAMETERS };

enum { IDS, STARTS, POSITIONS_OUT, OUT, SUM, MEAN, RSTD, OUT_GRAD, SCRATCH, BUFFERS };

struct stage {
    struct stage_shape shape;
    posemb_desc desc;
    posemb_optimizer_desc adam;
    struct parameter parameters[PARAMETERS];
    struct memory buffers[BUFFERS];
    posemb_session *session; /* NULL: the reference, and all that follows is NULL */
    cl_command_queue queue;
    posemb_plan *plan;
    posemb_backward *backward;
    posemb_optimizer *optimizer;
};

const char *stage_positions_name(enum stage_positions positions)
{
    static const char *const names[STAGE_KINDS] = {"none", "sinusoidal", "learned",
                                                   "learned from sinusoidal"};

    return names[positions];
}

static posemb_desc describe(const struct stage_shape *shape)
{
    static const posemb_position_kind kinds[STAGE_KINDS] = {POSEMB_NO_POSITION, POSEMB_SINUSOIDAL,
                                                            POSEMB_LEARNED, POSEMB_LEARNED};
    posemb_desc desc = {.dim = shape->dim,
                        .position_kind = kinds[shape->positions],
                        .norm = POSEMB_NORM_LAYER,
                        .token_scale = sqrtf((float)shape->dim)};

    if (desc.position_kind == POSEMB_SINUSOIDAL)
        desc.base = shape->base;
    if (desc.position_kind != POSEMB_NO_POSITION)
        desc.positions = POSEMB_POSITIONS_RAGGED;
    return desc;
}

/* ---- Memory */

static posemb_status make_memory(struct stage *stage, const void *values, size_t bytes,
                                 struct memory *memory, posemb_error *error)
{
    memory->bytes = bytes;
    if (stage->session)
        return posemb_session_upload(stage->session, values, bytes, &memory->device, error);
    memory->host = calloc(1, bytes);
    if (!memory->host)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes", bytes);
    if (values)
        memcpy(memory->host, values, bytes);
    return POSEMB_OK;
}

static void free_memory(struct memory *memory)
{
    free(memory->host);
    if (memory->device)
        clReleaseMemObject(memory->device);
}

static posemb_status failed(cl_int code, const char *call, posemb_error *error)
{
    return posemb__fail(error, POSEMB_DEVICE_ERROR, code, "%s failed with %d", call, (int)code);
}

static posemb_status write_memory(const struct stage *stage, const struct memory *memory,
                                  const void *values, size_t bytes, posemb_error *error)
{
    cl_int code;

    if (!stage->session) {
        memcpy(memory->host, values, bytes);
        return POSEMB_OK;
    }
    code = clEnqueueWriteBuffer(stage->queue, memory->device, CL_TRUE, 0, bytes, values, 0, NULL,
                                NULL);
    return code == CL_SUCCESS ? POSEMB_OK : failed(code, "clEnqueueWriteBuffer", error);
}

static posemb_status read_memory(const struct stage *stage, const struct memory *memory,
                                 void *values, size_t bytes, posemb_error *error)
{
    cl_int code;

    if (!stage->session) {
        memcpy(values, memory->host, bytes);
        return POSEMB_OK;
    }
    code =
        clEnqueueReadBuffer(stage->queue, memory->device, CL_TRUE, 0, bytes, values, 0, NULL, NULL);
    return code == CL_SUCCESS ? POSEMB_OK : failed(code, "clEnqueueReadBuffer", error);
}

/* ---- Parameters */

/* The rows of positions as posemb computes them. */
static posemb_status compute_sinusoids(const struct stage_shape *shape, float *values,
                                       posemb_error *error)
{
    const posemb_desc desc = {.dim = shape->dim, .operation = POSEMB_TABLE, .base = shape->base};
    const posemb_host_args args = {.shape = {.batch = 1, .length = shape->position_rows},
                                   .out = values};

    return posemb_reference_run(&desc, &args, error);
}

/* What a parameter begins with. */
static posemb_status initial_values(const struct stage_shape *shape, int which, uint64_t seed,
                                    float *values, size_t count, posemb_error *error)
{
    struct random random = random_stream(seed, 2 + (uint64_t)which);

    switch (which) {
    case TOKENS: /* times the token scale, the square root of D: a deviation of 1 */
        random_fill(&random, 1.0f / sqrtf((float)shape->dim), values, count);
        return POSEMB_OK;
    case POSITIONS: /* sinusoids have a mean square of 1/2 */
        if (shape->positions == STAGE_FROM_SINUSOIDAL)
            return compute_sinusoids(shape, values, error);
        random_fill(&random, sqrtf(0.5f), values, count);
        return POSEMB_OK;
    default:
        for (size_t i = 0; i < count; i++)
            values[i] = which == GAMMA ? 1.0f : 0.0f;
        return POSEMB_OK;
    }
}

static posemb_status make_parameter(struct stage *stage, int which, size_t rows, uint64_t seed,
                                    posemb_error *error)
{
    struct parameter *parameter = &stage->parameters[which];
    const size_t count = rows * stage->shape.dim;
    const size_t bytes = count * sizeof(float);
    float *values;
    float *zeros;
    posemb_status status;

    if (rows == 0)
        return POSEMB_OK;
    values = calloc(count, sizeof *values);
    zeros = calloc(count, sizeof *zeros);
    if (values && zeros)
        status = initial_values(&stage->shape, which, seed, values, count, error);
    else
        status = posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes", bytes);
    parameter->rows = rows;
    if (status == POSEMB_OK)
        status = make_memory(stage, values, bytes, &parameter->values, error);
    if (status == POSEMB_OK)
        status = make_memory(stage, zeros, bytes, &parameter->first, error);
    if (status == POSEMB_OK)
        status = make_memory(stage, zeros, bytes, &parameter->second, error);
    if (status == POSEMB_OK)
        status = make_memory(stage, zeros, bytes, &parameter->grad, error);
    free(values);
    free(zeros);
    return status;
}

static posemb_status make_parameters(struct stage *stage, uint64_t seed, posemb_error *error)
{
    const bool is_learned = stage->desc.position_kind == POSEMB_LEARNED;
    const size_t rows[PARAMETERS] = {[TOKENS] = stage->shape.vocab,
                                     [POSITIONS] = is_learned ? stage->shape.position_rows : 0,
                                     [GAMMA] = 1,
                                     [BETA] = 1};
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < PARAMETERS; i++)
        status = make_parameter(stage, i, rows[i], seed, error);
    return status;
}

size_t stage_position_count(const struct stage *stage)
{
    return stage->parameters[POSITIONS].rows * stage->shape.dim;
}

size_t stage_parameter_count(const struct stage *stage)
{
    size_t rows = 0;

    for (int i = 0; i < PARAMETERS; i++)
        rows += stage->parameters[i].rows;
    return rows * stage->shape.dim;
}

posemb_status stage_read(struct stage *stage, float *values, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < PARAMETERS; i++) {
        const struct parameter *parameter = &stage->parameters[i];

        if (parameter->rows == 0)
            continue;
        status = read_memory(stage, &parameter->values, values, parameter->values.bytes, error);
        values += parameter->rows * stage->shape.dim;
    }
    return status;
}

/* ---- Arguments */

static posemb_shape shape_of(const struct stage *stage, const struct batch *batch)
{
    const bool has_positions = stage->desc.position_kind != POSEMB_NO_POSITION;

    return (posemb_shape){.batch = 1,
                          .length = batch->tokens,
                          .vocab = stage->shape.vocab,
                          .position_rows = stage->parameters[POSITIONS].rows,
                          .sequences = has_positions ? batch->sequences : 0};
}

static posemb_args device_args(const struct stage *stage, const struct batch *batch)
{
    const struct memory *buffers = stage->buffers;

    return (posemb_args){.shape = shape_of(stage, batch),
                         .ids.mem = buffers[IDS].device,
                         .table.mem = stage->parameters[TOKENS].values.device,
                         .position_table.mem = stage->parameters[POSITIONS].values.device,
                         .gamma.mem = stage->parameters[GAMMA].values.device,
                         .beta.mem = stage->parameters[BETA].values.device,
                         .positions.mem = buffers[STARTS].device,
                         .positions_out.mem = buffers[POSITIONS_OUT].device,
                         .sum_out.mem = buffers[SUM].device,
                         .mean_out.mem = buffers[MEAN].device,
                         .rstd_out.mem = buffers[RSTD].device,
                         .out.mem = buffers[OUT].device};
}

static posemb_host_args host_args(const struct stage *stage, const struct batch *batch)
{
    const struct memory *buffers = stage->buffers;

    return (posemb_host_args){.shape = shape_of(stage, batch),
                              .ids = buffers[IDS].host,
                              .table = stage->parameters[TOKENS].values.host,
                              .position_table = stage->parameters[POSITIONS].values.host,
                              .gamma = stage->parameters[GAMMA].values.host,
                              .beta = stage->parameters[BETA].values.host,
                              .positions = buffers[STARTS].host,
                              .positions_out = buffers[POSITIONS_OUT].host,
                              .sum_out = buffers[SUM].host,
                              .mean_out = buffers[MEAN].host,
                              .rstd_out = buffers[RSTD].host,
                              .out = buffers[OUT].host};
}

static posemb_backward_args device_backward_args(const struct stage *stage,
                                                 const struct batch *batch)
{
    const struct memory *buffers = stage->buffers;

    return (posemb_backward_args){.shape = shape_of(stage, batch),
                                  .ids.mem = buffers[IDS].device,
                                  .positions.mem = buffers[POSITIONS_OUT].device,
                                  .gamma.mem = stage->parameters[GAMMA].values.device,
                                  .out_grad.mem = buffers[OUT_GRAD].device,
                                  .sum.mem = buffers[SUM].device,
                                  .mean.mem = buffers[MEAN].device,
                                  .rstd.mem = buffers[RSTD].device,
                                  .table_grad.mem = stage->parameters[TOKENS].grad.device,
                                  .position_grad.mem = stage->parameters[POSITIONS].grad.device,
                                  .gamma_grad.mem = stage->parameters[GAMMA].grad.device,
                                  .beta_grad.mem = stage->parameters[BETA].grad.device,
                                  .scratch.mem = buffers[SCRATCH].device};
}

static posemb_host_backward_args host_backward_args(const struct stage *stage,
                                                    const struct batch *batch)
{
    const struct memory *buffers = stage->buffers;

    return (posemb_host_backward_args){.shape = shape_of(stage, batch),
                                       .ids = buffers[IDS].host,
                                       .positions = buffers[POSITIONS_OUT].host,
                                       .gamma = stage->parameters[GAMMA].values.host,
                                       .out_grad = buffers[OUT_GRAD].host,
                                       .sum = buffers[SUM].host,
                                       .mean = buffers[MEAN].host,
                                       .rstd = buffers[RSTD].host,
                                       .table_grad = stage->parameters[TOKENS].grad.host,
                                       .position_grad = stage->parameters[POSITIONS].grad.host,
                                       .gamma_grad = stage->parameters[GAMMA].grad.host,
                                       .beta_grad = stage->parameters[BETA].grad.host};
}

/* ---- Creation */

static posemb_status make_buffers(struct stage *stage, posemb_error *error)
{
    const size_t tokens = stage->shape.tokens_max;
    const size_t row = stage->shape.dim * sizeof(float);
    const size_t bytes[SCRATCH] = {[IDS] = tokens * sizeof(int32_t),
                                   [STARTS] = (tokens + 1) * sizeof(int32_t),
                                   [POSITIONS_OUT] = tokens * sizeof(int64_t),
                                   [OUT] = tokens * row,
                                   [SUM] = tokens * row,
                                   [MEAN] = tokens * sizeof(float),
                                   [RSTD] = tokens * sizeof(float),
                                   [OUT_GRAD] = tokens * row};
    const bool has_positions = stage->desc.position_kind != POSEMB_NO_POSITION;
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < SCRATCH; i++)
        if (has_positions || (i != STARTS && i != POSITIONS_OUT))
            status = make_memory(stage, NULL, bytes[i], &stage->buffers[i], error);
    return status;
}

/* Scratch memory for as many tokens as there may be. */
static posemb_status make_scratch(struct stage *stage, posemb_error *error)
{
    const struct batch largest = {.tokens = stage->shape.tokens_max, .sequences = 1};
    const posemb_backward_args args = device_backward_args(stage, &largest);
    uint64_t bytes;
    posemb_status status = posemb_backward_scratch_bytes(stage->backward, &args, &bytes, error);

    if (status == POSEMB_OK)
        status = make_memory(stage, NULL, (size_t)bytes, &stage->buffers[SCRATCH], error);
    return status;
}

static posemb_status make_programs(struct stage *stage, posemb_error *error)
{
    posemb_engine *engine = posemb_session_engine(stage->session);
    cl_int code;
    posemb_status status;

    stage->queue = clCreateCommandQueue(posemb_session_context(stage->session),
                                        posemb_session_device(stage->session)->device, 0, &code);
    if (!stage->queue)
        return failed(code, "clCreateCommandQueue", error);
    status = posemb_plan_create(engine, &stage->desc, &stage->plan, error);
    if (status == POSEMB_OK)
        status = posemb_backward_create(engine, &stage->desc, &stage->backward, error);
    if (status == POSEMB_OK)
        status = posemb_optimizer_create(engine, &stage->adam, &stage->optimizer, error);
    if (status == POSEMB_OK)
        status = make_scratch(stage, error);
    return status;
}

posemb_status stage_create(posemb_session *session, const struct stage_shape *shape, uint64_t seed,
                           struct stage **stage, posemb_error *error)
{
    struct stage *made = calloc(1, sizeof *made);
    posemb_status status;

    *stage = NULL;
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a stage");
    made->session = session;
    made->shape = *shape;
    made->desc = describe(shape);
    made->adam.method = POSEMB_ADAM;
    status = make_parameters(made, seed, error);
    if (status == POSEMB_OK)
        status = make_buffers(made, error);
    if (status == POSEMB_OK && session)
        status = make_programs(made, error);
    if (status == POSEMB_OK)
        *stage = made;
    else
        stage_free(made);
    return status;
}

void stage_free(struct stage *stage)
{
    if (!stage)
        return;
    if (stage->queue) {
        clFinish(stage->queue);
        clReleaseCommandQueue(stage->queue);
    }
    posemb_plan_destroy(stage->plan);
    posemb_backward_destroy(stage->backward);
    posemb_optimizer_destroy(stage->optimizer);
    for (int i = 0; i < PARAMETERS; i++) {
        free_memory(&stage->parameters[i].values);
        free_memory(&stage->parameters[i].first);
        free_memory(&stage->parameters[i].second);
        free_memory(&stage->parameters[i].grad);
    }
    for (int i = 0; i < BUFFERS; i++)
        free_memory(&stage->buffers[i]);
    free(stage);
}

/* ---- Calls */

posemb_status stage_forward(struct stage *stage, const struct batch *batch, float *rows,
                            posemb_error *error)
{
    const struct memory *buffers = stage->buffers;
    posemb_status status =
        write_memory(stage, &buffers[IDS], batch->ids, batch->tokens * sizeof *batch->ids, error);

    if (status == POSEMB_OK && stage->desc.position_kind != POSEMB_NO_POSITION)
        status = write_memory(stage, &buffers[STARTS], batch->starts,
                              (batch->sequences + 1) * sizeof *batch->starts, error);
    if (status != POSEMB_OK)
        return status;
    if (stage->session) {
        const posemb_args args = device_args(stage, batch);

        status = posemb_enqueue(stage->plan, stage->queue, &args, 0, NULL, NULL, error);
    } else {
        const posemb_host_args args = host_args(stage, batch);

        status = posemb_reference_run(&stage->desc, &args, error);
    }
    if (status == POSEMB_OK)
        status = read_memory(stage, &buffers[OUT], rows,
                             (size_t)batch->tokens * stage->shape.dim * sizeof *rows, error);
    return status;
}

static posemb_status run_backward(struct stage *stage, const struct batch *batch,
                                  posemb_error *error)
{
    if (stage->session) {
        const posemb_backward_args args = device_backward_args(stage, batch);

        return posemb_backward_enqueue(stage->backward, stage->queue, &args, 0, NULL, NULL, error);
    } else {
        const posemb_host_backward_args args = host_backward_args(stage, batch);

        return posemb_reference_backward(&stage->desc, &args, error);
    }
}

static posemb_status update(struct stage *stage, const struct parameter *parameter,
                            const posemb_optimizer_step *step, posemb_error *error)
{
    if (stage->session) {
        const posemb_optimizer_args args = {.step = *step,
                                            .parameters.mem = parameter->values.device,
                                            .first.mem = parameter->first.device,
                                            .second.mem = parameter->second.device,
                                            .grads.mem = parameter->grad.device};

        return posemb_optimizer_enqueue(stage->optimizer, stage->queue, &args, 0, NULL, NULL,
                                        error);
    } else {
        const posemb_host_optimizer_args args = {.step = *step,
                                                 .parameters = parameter->values.host,
                                                 .first = parameter->first.host,
                                                 .second = parameter->second.host,
                                                 .grads = parameter->grad.host};

        return posemb_reference_optimize(&stage->adam, &args, error);
    }
}

posemb_status stage_learn(struct stage *stage, const struct batch *batch, const float *rows_grad,
                          uint64_t step, float learning_rate, posemb_error *error)
{
    posemb_status status =
        write_memory(stage, &stage->buffers[OUT_GRAD], rows_grad,
                     (size_t)batch->tokens * stage->shape.dim * sizeof *rows_grad, error);

    if (status == POSEMB_OK)
        status = run_backward(stage, batch, error);
    for (int i = 0; status == POSEMB_OK && i < PARAMETERS; i++) {
        const posemb_optimizer_step one = {.rows = stage->parameters[i].rows,
                                           .dim = stage->shape.dim,
                                           .step = step,
                                           .learning_rate = learning_rate};

        if (one.rows)
            status = update(stage, &stage->parameters[i], &one, error);
    }
    return status;
}
