/* train.c: fine-tune an embedding stage on the device: forward, loss gradient, backward and Adam
 * are enqueued step after step, and nothing is read back before the end. The token table gets its
 * gradient as segments: only rows that a batch has named are touched. */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_train_cl.h>

#include <stdio.h>
#include <stdlib.h>

enum { VOCAB = 1000, DIM = 32, BATCH = 4, LENGTH = 16, TOKENS = BATCH * LENGTH, STEPS = 200 };

/* The gradient of the loss sum((out - target)^2) / 2. */
static const char loss_source[] =
    "kernel void difference(global const float *out, global const float *target, "
    "global float *grad)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    grad[i] = out[i] - target[i];\n"
    "}\n";

/* A parameter with what Adam keeps of it. */
struct parameter {
    cl_mem values;
    cl_mem first;
    cl_mem second;
    cl_mem grad;
    size_t rows;
};

struct training {
    posemb_session *session;
    posemb_plan *plan;
    posemb_backward *backward;
    posemb_optimizer *adam;
    cl_program program;
    cl_kernel difference;
    struct parameter table, positions, gamma, beta;
    cl_mem ids, target, out, sum, mean, rstd, out_grad, segment_rows, segment_count, scratch;
};

static posemb_error error;

static void check(posemb_status status)
{
    if (status == POSEMB_OK)
        return;
    fprintf(stderr, "%s\n", error.message);
    exit(1);
}

static void check_cl(cl_int code, const char *what)
{
    if (code == CL_SUCCESS)
        return;
    fprintf(stderr, "%s: %d\n", what, (int)code);
    exit(1);
}

/* A buffer of `count` floats: all `value`, or such as look like random ones around it. */
static cl_mem make_floats(posemb_session *session, size_t count, float value, float spread)
{
    float *values = malloc(count * sizeof *values);
    cl_mem buffer = NULL;
    unsigned state = 1;

    if (!values)
        exit(1);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = value + spread * ((float)(state >> 8) * 0x1p-23f - 1.0f);
    }
    check(posemb_session_upload(session, values, count * sizeof *values, &buffer, &error));
    free(values);
    return buffer;
}

static struct parameter make_parameter(posemb_session *session, size_t rows, float value,
                                       float spread)
{
    const size_t count = rows * DIM;

    return (struct parameter){
        make_floats(session, count, value, spread), make_floats(session, count, 0.0f, 0.0f),
        make_floats(session, count, 0.0f, 0.0f), make_floats(session, count, 0.0f, 0.0f), rows};
}

static void make_kernel(struct training *t)
{
    const cl_device_id device = posemb_session_device(t->session)->device;
    const char *source = loss_source;
    cl_int code;

    t->program =
        clCreateProgramWithSource(posemb_session_context(t->session), 1, &source, NULL, &code);
    check_cl(code, "clCreateProgramWithSource");
    check_cl(clBuildProgram(t->program, 1, &device, "", NULL, NULL), "clBuildProgram");
    t->difference = clCreateKernel(t->program, "difference", &code);
    check_cl(code, "clCreateKernel");
    check_cl(clSetKernelArg(t->difference, 0, sizeof(cl_mem), &t->out), "clSetKernelArg");
    check_cl(clSetKernelArg(t->difference, 1, sizeof(cl_mem), &t->target), "clSetKernelArg");
    check_cl(clSetKernelArg(t->difference, 2, sizeof(cl_mem), &t->out_grad), "clSetKernelArg");
}

static void make_all(struct training *t)
{
    const posemb_desc desc = {
        .dim = DIM, .position_kind = POSEMB_LEARNED, .norm = POSEMB_NORM_LAYER};
    const posemb_optimizer_desc adam = {.method = POSEMB_ADAM};
    posemb_engine *engine = posemb_session_engine(t->session);
    int32_t ids[TOKENS];
    uint32_t numbers[TOKENS] = {0};

    for (int i = 0; i < TOKENS; i++)
        ids[i] = i * 7 % 20 * 50; /* 20 of the 1000 rows */
    check(posemb_plan_create(engine, &desc, &t->plan, &error));
    check(posemb_backward_create(engine, &desc, &t->backward, &error));
    check(posemb_optimizer_create(engine, &adam, &t->adam, &error));
    t->table = make_parameter(t->session, VOCAB, 0.0f, 0.5f);
    t->positions = make_parameter(t->session, LENGTH, 0.0f, 0.1f);
    t->gamma = make_parameter(t->session, 1, 1.0f, 0.0f);
    t->beta = make_parameter(t->session, 1, 0.0f, 0.0f);
    t->target = make_floats(t->session, (size_t)TOKENS * DIM, 0.5f, 0.1f);
    t->out = make_floats(t->session, (size_t)TOKENS * DIM, 0.0f, 0.0f);
    t->out_grad = make_floats(t->session, (size_t)TOKENS * DIM, 0.0f, 0.0f);
    t->sum = make_floats(t->session, (size_t)TOKENS * DIM, 0.0f, 0.0f);
    t->mean = make_floats(t->session, TOKENS, 0.0f, 0.0f);
    t->rstd = make_floats(t->session, TOKENS, 0.0f, 0.0f);
    check(posemb_session_upload(t->session, ids, sizeof ids, &t->ids, &error));
    check(posemb_session_upload(t->session, numbers, sizeof numbers, &t->segment_rows, &error));
    check(posemb_session_upload(t->session, numbers, sizeof *numbers, &t->segment_count, &error));
    make_kernel(t);
}

/* The gradient of the token table is segments, of which there are TOKENS at most. */
static posemb_backward_args backward_args(const struct training *t, const posemb_shape *shape)
{
    return (posemb_backward_args){.shape = *shape,
                                  .ids.mem = t->ids,
                                  .gamma.mem = t->gamma.values,
                                  .out_grad.mem = t->out_grad,
                                  .sum.mem = t->sum,
                                  .mean.mem = t->mean,
                                  .rstd.mem = t->rstd,
                                  .position_grad.mem = t->positions.grad,
                                  .gamma_grad.mem = t->gamma.grad,
                                  .beta_grad.mem = t->beta.grad,
                                  .segment_rows.mem = t->segment_rows,
                                  .segment_grads.mem = t->table.grad,
                                  .segment_count.mem = t->segment_count,
                                  .scratch.mem = t->scratch};
}

static void update(const struct training *t, const struct parameter *parameter, unsigned number,
                   int by_segment)
{
    const posemb_optimizer_args args = {.step = {.rows = parameter->rows,
                                                 .dim = DIM,
                                                 .by_segment = by_segment != 0,
                                                 .step = number,
                                                 .learning_rate = 0.02f},
                                        .parameters.mem = parameter->values,
                                        .first.mem = parameter->first,
                                        .second.mem = parameter->second,
                                        .grads.mem = parameter->grad,
                                        .segment_rows.mem = t->segment_rows,
                                        .segment_count.mem = t->segment_count,
                                        .segment_capacity = by_segment ? TOKENS : 0};

    check(posemb_optimizer_enqueue(t->adam, posemb_session_queue(t->session), &args, 0, NULL, NULL,
                                   &error));
}

/* The session's queue is in order, so that no events are needed. */
static void step(const struct training *t, const posemb_args *forward,
                 const posemb_backward_args *backward, unsigned number)
{
    const cl_command_queue queue = posemb_session_queue(t->session);
    const size_t elements = (size_t)TOKENS * DIM;

    check(posemb_enqueue(t->plan, queue, forward, 0, NULL, NULL, &error));
    check_cl(clEnqueueNDRangeKernel(queue, t->difference, 1, NULL, &elements, NULL, 0, NULL, NULL),
             "clEnqueueNDRangeKernel");
    check(posemb_backward_enqueue(t->backward, queue, backward, 0, NULL, NULL, &error));
    update(t, &t->table, number, 1);
    update(t, &t->positions, number, 0);
    update(t, &t->gamma, number, 0);
    update(t, &t->beta, number, 0);
}

static double loss(const struct training *t)
{
    static float grads[TOKENS * DIM];
    double sum = 0.0;

    check(posemb_session_download(t->session, t->out_grad, 0, grads, sizeof grads, &error));
    for (int i = 0; i < TOKENS * DIM; i++)
        sum += 0.5 * (double)grads[i] * (double)grads[i];
    return sum / TOKENS;
}

static void release(struct training *t)
{
    const struct parameter *parameters[] = {&t->table, &t->positions, &t->gamma, &t->beta};
    const cl_mem buffers[] = {t->ids,  t->target,  t->out,      t->sum,          t->mean,
                              t->rstd, t->scratch, t->out_grad, t->segment_rows, t->segment_count};

    for (int i = 0; i < 4; i++) {
        clReleaseMemObject(parameters[i]->values);
        clReleaseMemObject(parameters[i]->first);
        clReleaseMemObject(parameters[i]->second);
        clReleaseMemObject(parameters[i]->grad);
    }
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        clReleaseMemObject(buffers[i]);
    clReleaseKernel(t->difference);
    clReleaseProgram(t->program);
    posemb_optimizer_destroy(t->adam);
    posemb_backward_destroy(t->backward);
    posemb_plan_destroy(t->plan);
    posemb_session_destroy(t->session);
}

int main(void)
{
    const posemb_shape shape = {
        .batch = BATCH, .length = LENGTH, .vocab = VOCAB, .position_rows = LENGTH};
    static struct training t;
    posemb_backward_args backward;
    uint64_t scratch;
    double before;

    check(posemb_session_create(NULL, NULL, &t.session, &error));
    make_all(&t);
    backward = backward_args(&t, &shape);
    check(posemb_backward_scratch_bytes(t.backward, &backward, &scratch, &error));
    check(posemb_session_upload(t.session, NULL, (size_t)scratch, &t.scratch, &error));
    backward.scratch.mem = t.scratch;

    const posemb_args forward = {.shape = shape,
                                 .ids.mem = t.ids,
                                 .table.mem = t.table.values,
                                 .position_table.mem = t.positions.values,
                                 .gamma.mem = t.gamma.values,
                                 .beta.mem = t.beta.values,
                                 .sum_out.mem = t.sum,
                                 .mean_out.mem = t.mean,
                                 .rstd_out.mem = t.rstd,
                                 .out.mem = t.out};

    step(&t, &forward, &backward, 1);
    before = loss(&t);
    for (unsigned number = 2; number <= STEPS; number++)
        step(&t, &forward, &backward, number);
    printf("loss %.4f at the first step, %.4f after %d\n", before, loss(&t), STEPS);
    if (!(loss(&t) < before / 10.0)) {
        fprintf(stderr, "nothing was learned\n");
        return 1;
    }
    release(&t);
    return 0;
}
