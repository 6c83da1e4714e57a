/* What the position rules cost: each beside the index rule, on the same tokens, in turn. */
#include "bench.h"

#include "cl_error.h"
#include "clock.h"
#include "status.h"
#include "workload.h"
#include "xorshift.h"

#include <stdlib.h>
#include <string.h>

enum { WARMUPS = 2, PAD = 1, SEQUENCES = 64 };

static const double rule_seconds = 6.0; /* for all rules of a shape */

static const struct {
    const char *name;
    posemb_position_rule rule;
    posemb_number_type position_type;
    posemb_padding padding;
    posemb_number_type padding_type;
    posemb_pad_policy policy;
} rules[BENCH_RULES] = {
    {"index", POSEMB_POSITIONS_INDEX, POSEMB_INT32, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"row start", POSEMB_POSITIONS_ROW_START, POSEMB_INT32, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"explicit", POSEMB_POSITIONS_EXPLICIT, POSEMB_INT32, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"explicit, float", POSEMB_POSITIONS_EXPLICIT, POSEMB_FLOAT32, POSEMB_PADDING_NONE,
     POSEMB_INT32, POSEMB_PAD_COMPUTED},
    {"count, pad id", POSEMB_POSITIONS_COUNT, POSEMB_INT32, POSEMB_PADDING_TOKEN, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
    {"count, pad id, zero position", POSEMB_POSITIONS_COUNT, POSEMB_INT32, POSEMB_PADDING_TOKEN,
     POSEMB_INT32, POSEMB_PAD_ZERO_POSITION},
    {"count, mask", POSEMB_POSITIONS_COUNT, POSEMB_INT32, POSEMB_PADDING_MASK, POSEMB_UINT8,
     POSEMB_PAD_COMPUTED},
    {"count before, left pads", POSEMB_POSITIONS_COUNT_BEFORE, POSEMB_INT32,
     POSEMB_PADDING_LEFT_COUNT, POSEMB_INT32, POSEMB_PAD_COMPUTED},
    {"ragged", POSEMB_POSITIONS_RAGGED, POSEMB_INT32, POSEMB_PADDING_NONE, POSEMB_INT32,
     POSEMB_PAD_COMPUTED},
};

/* One rule, ready to launch. */
struct candidate {
    struct workload_call call;
    void *numbers; /* positions or padding of the host */
    cl_mem device_numbers;
    cl_mem scratch;
    double samples[WORKLOAD_REPEATS_MAX];
};

struct run {
    posemb_session *session;
    struct workload workload;
    struct candidate candidates[BENCH_RULES];
};

/* Every fifth token is a pad, in runs at the right as batches have them, and here and there. */
static void place_pads(struct workload *workload)
{
    uint64_t state = 77;

    for (uint64_t t = 0; t < WORKLOAD_SETS * workload->tokens; t++) {
        const uint64_t column = t % workload->shape.length;

        if (column * 6 >= workload->shape.length * 5 || xorshift_next(&state) % 25 == 0)
            workload->ids[t] = PAD;
    }
}

static void fill_numbers(const struct workload *workload, size_t rule, void *numbers, size_t count)
{
    const uint64_t length = workload->shape.length;
    int32_t *ints = numbers;
    float *floats = numbers;
    uint8_t *bytes = numbers;
    uint64_t state = 5 + rule;

    for (size_t i = 0; i < count; i++) {
        const uint64_t draw = xorshift_next(&state);

        if (rules[rule].padding == POSEMB_PADDING_MASK)
            bytes[i] = workload->ids[i] != PAD;
        else if (rules[rule].rule == POSEMB_POSITIONS_RAGGED)
            ints[i] = (int32_t)(i * length / (count - 1));
        else if (rules[rule].position_type == POSEMB_FLOAT32)
            floats[i] = (float)(draw % 1000000) / 7.0f;
        else
            ints[i] = (int32_t)(draw % length);
    }
}

static size_t count_numbers(const struct workload *workload, size_t rule)
{
    switch (rules[rule].rule) {
    case POSEMB_POSITIONS_ROW_START:
        return (size_t)workload->shape.batch;
    case POSEMB_POSITIONS_EXPLICIT:
        return (size_t)workload->tokens;
    case POSEMB_POSITIONS_RAGGED:
        return SEQUENCES + 1;
    default:
        break;
    }
    if (rules[rule].padding == POSEMB_PADDING_MASK)
        return (size_t)workload->tokens;
    return rules[rule].padding == POSEMB_PADDING_LEFT_COUNT ? (size_t)workload->shape.batch : 0;
}

static posemb_status make_numbers(struct run *run, size_t rule, posemb_error *error)
{
    struct candidate *candidate = &run->candidates[rule];
    const size_t count = count_numbers(&run->workload, rule);
    const size_t size = rules[rule].padding == POSEMB_PADDING_MASK ? count : 4 * count;
    const bool positions = rules[rule].padding == POSEMB_PADDING_NONE;
    posemb_status status;

    if (count == 0)
        return POSEMB_OK;
    candidate->numbers = malloc(size);
    if (!candidate->numbers)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu numbers", count);
    fill_numbers(&run->workload, rule, candidate->numbers, count);
    status = posemb_session_upload(run->session, candidate->numbers, size,
                                   &candidate->device_numbers, error);
    *(positions ? &candidate->call.args.positions : &candidate->call.args.padding) =
        (posemb_buffer){candidate->device_numbers, 0};
    *(positions ? &candidate->call.host.positions : &candidate->call.host.padding) =
        candidate->numbers;
    return status;
}

static posemb_status prepare(struct run *run, size_t rule, posemb_error *error)
{
    struct candidate *candidate = &run->candidates[rule];
    const struct workload *workload = &run->workload;
    posemb_desc desc = workload->desc;
    uint64_t scratch = 0;
    posemb_status status;

    candidate->call.args = workload_args(workload, 0);
    desc.positions = rules[rule].rule;
    desc.position_type = rules[rule].position_type;
    desc.padding = rules[rule].padding;
    desc.padding_type = rules[rule].padding_type;
    desc.pad_id = rules[rule].padding == POSEMB_PADDING_TOKEN ? PAD : 0;
    desc.pad_policy = rules[rule].policy;
    if (rules[rule].rule == POSEMB_POSITIONS_RAGGED) { /* one row of all tokens */
        candidate->call.args.shape.length = workload->tokens;
        candidate->call.args.shape.batch = 1;
        candidate->call.args.shape.sequences = SEQUENCES;
    }
    candidate->call.host = (posemb_host_args){.shape = candidate->call.args.shape,
                                              .ids = workload->ids,
                                              .table = workload->table,
                                              .out = workload->expected};
    status = make_numbers(run, rule, error);
    if (status == POSEMB_OK)
        status = posemb_plan_create(posemb_session_engine(run->session), &desc,
                                    &candidate->call.plan, error);
    if (status == POSEMB_OK)
        status = posemb_plan_scratch_bytes(candidate->call.plan, &candidate->call.args.shape,
                                           &scratch, error);
    if (status == POSEMB_OK && scratch > 0)
        status =
            posemb_session_upload(run->session, NULL, (size_t)scratch, &candidate->scratch, error);
    candidate->call.args.scratch.mem = candidate->scratch;
    return status;
}

static posemb_status measure(struct run *run, struct bench_rules *result, posemb_error *error)
{
    double seconds = 0.0;
    uint32_t set = 0;
    posemb_status status = POSEMB_OK;

    for (size_t i = 0; status == POSEMB_OK && i < BENCH_RULES; i++)
        for (int n = 0; status == POSEMB_OK && n < WARMUPS; n++)
            status = workload_call_time(run->session, &run->workload, &run->candidates[i].call,
                                        set++, &seconds, error);
    result->repeats = workload_repeats(rule_seconds, seconds * BENCH_RULES);
    for (uint32_t n = 0; status == POSEMB_OK && n < result->repeats; n++)
        for (size_t i = 0; status == POSEMB_OK && i < BENCH_RULES; i++) {
            const size_t rule = (i + n) % BENCH_RULES;

            status = workload_call_time(run->session, &run->workload, &run->candidates[rule].call,
                                        set++, &run->candidates[rule].samples[n], error);
        }
    for (size_t i = 0; status == POSEMB_OK && i < BENCH_RULES; i++) {
        result->name[i] = rules[i].name;
        result->seconds[i] = samples_smallest(run->candidates[i].samples, result->repeats);
        result->launches[i] = run->candidates[i].scratch ? 2 : 1;
    }
    return status;
}

static posemb_status upload_ids(struct run *run, posemb_error *error)
{
    const size_t size = WORKLOAD_SETS * (size_t)run->workload.tokens * sizeof *run->workload.ids;
    const cl_int code =
        clEnqueueWriteBuffer(posemb_session_queue(run->session), run->workload.device_ids, CL_TRUE,
                             0, size, run->workload.ids, 0, NULL, NULL);

    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "clEnqueueWriteBuffer");
}

static void release(struct run *run)
{
    for (size_t i = 0; i < BENCH_RULES; i++) {
        posemb_plan_destroy(run->candidates[i].call.plan);
        free(run->candidates[i].numbers);
        if (run->candidates[i].device_numbers)
            clReleaseMemObject(run->candidates[i].device_numbers);
        if (run->candidates[i].scratch)
            clReleaseMemObject(run->candidates[i].scratch);
    }
    workload_destroy(&run->workload);
    free(run);
}

posemb_status bench_rules_run(posemb_session *session, uint32_t batch, uint32_t length,
                              uint32_t dim, struct bench_rules *result, posemb_error *error)
{
    const struct bench_case bench_case = {POSEMB_ENCODE, batch, length, dim, false, false, false};
    struct run *run = calloc(1, sizeof *run);
    posemb_status status;

    memset(result, 0, sizeof *result);
    if (!run)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a benchmark");
    run->session = session;
    status = workload_create(session, &bench_case, &run->workload, error);
    if (status != POSEMB_OK) {
        free(run);
        return status;
    }
    place_pads(&run->workload);
    status = upload_ids(run, error);
    for (size_t i = 0; status == POSEMB_OK && i < BENCH_RULES; i++) {
        status = prepare(run, i, error);
        if (status == POSEMB_OK)
            status = workload_call_verify(session, &run->workload, &run->candidates[i].call,
                                          &result->differing, error);
    }
    if (status == POSEMB_OK && result->differing == 0)
        status = measure(run, result, error);
    release(run);
    return status;
}
