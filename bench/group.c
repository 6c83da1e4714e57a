/* Cases side by side on the same tokens, in turn: what position rules cost beside the index rule,
 * and what storages, learned positions and norms cost beside the plain stage. */
#include "bench.h"

#include "cl_error.h"
#include "lanes.h"
#include "measure.h"
#include "stage_call.h"
#include "status.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

/* All of a group beside the seconds of one case. */
static const double rules_share = 3.0;
static const double parts_share = 10.0;
enum { REPEATS_MIN = 15, FAMILY_COPIES = 1 };

static const struct {
    const char *name;
    struct bench_case bench_case; /* without its shape */
} parts[BENCH_PARTS] = {
    {"f32, sinusoids", {.table = POSEMB_F32}},
    {"LayerNorm", {.norm = POSEMB_NORM_LAYER}},
    {"RMSNorm", {.norm = POSEMB_NORM_RMS}},
    {"f16 table", {.table = POSEMB_F16}},
    {"bf16 table", {.table = POSEMB_BF16}},
    {"int8 table", {.table = POSEMB_I8}},
    {"Q8_0 table", {.table = POSEMB_Q8_0}},
    {"Q4_0 table", {.table = POSEMB_Q4_0}},
    {"Q4_1 table", {.table = POSEMB_Q4_1}},
    {"Q5_0 table", {.table = POSEMB_Q5_0}},
    {"Q5_1 table", {.table = POSEMB_Q5_1}},
    {"Q2_K table", {.table = POSEMB_Q2_K}},
    {"Q3_K table", {.table = POSEMB_Q3_K}},
    {"Q4_K table", {.table = POSEMB_Q4_K}},
    {"Q5_K table", {.table = POSEMB_Q5_K}},
    {"Q6_K table", {.table = POSEMB_Q6_K}},
    {"f16 output", {.out = POSEMB_F16}},
    {"bf16 output", {.out = POSEMB_BF16}},
    {"f16 table and output", {.table = POSEMB_F16, .out = POSEMB_F16}},
    {"bf16 table and output", {.table = POSEMB_BF16, .out = POSEMB_BF16}},
    {"bf16 both, LayerNorm", {.table = POSEMB_BF16, .out = POSEMB_BF16, .norm = POSEMB_NORM_LAYER}},
    {"learned positions", {.position_kind = POSEMB_LEARNED}},
    {"BERT: learned, types, LayerNorm",
     {.position_kind = POSEMB_LEARNED, .types = true, .norm = POSEMB_NORM_LAYER}},
};

/* One of the group, ready to launch. */
struct member {
    const char *name;
    struct bench_case bench_case;
    struct stage_call call;
    struct stream stream; /* copies of the same bytes */
    size_t lane;          /* the copies' follow */
};

struct group {
    struct bench *bench;
    struct member members[BENCH_GROUP_MAX];
    size_t count;
    bool with_copies;
    struct lanes lanes;
};

/* Lane index: the member, and 1 + the variant of a copy, or 0. */
enum { VARIANTS = STREAM_VARIANTS + 1 };

static posemb_status enqueue(void *context, size_t index, uint32_t set, posemb_error *error)
{
    struct group *group = context;
    struct member *member = &group->members[index / VARIANTS];
    const struct workload *workload = &group->bench->workload;
    const cl_command_queue queue = posemb_session_queue(group->bench->session);
    const posemb_storage storage = member->call.bench_case.table;
    const posemb_storage_info *info = posemb_storage_find(storage);
    cl_int code;

    if (index % VARIANTS == 0)
        return stage_call_enqueue(&member->call, set, queue, NULL, error);
    code = stream_enqueue(
        &member->stream, index % VARIANTS - 1, queue, workload->tables[storage].device,
        workload_source_offset(workload, storage, set) / info->block_bytes * info->block,
        workload->device_out);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, "enqueue of a copy");
}

/* Make the call of a member, and compare its output with the reference. */
static posemb_status prepare(struct group *group, size_t index, size_t *differing,
                             posemb_error *error)
{
    struct member *member = &group->members[index];
    struct workload *workload = &group->bench->workload;
    posemb_session *session = group->bench->session;
    const uint64_t count = workload->tokens * workload->dim;
    uint64_t digest;
    posemb_status status = stage_call_create(workload, posemb_session_engine(session),
                                             &member->bench_case, &member->call, error);

    if (status == POSEMB_OK && group->with_copies)
        status = stream_create(session, member->call.bench_case.table, member->call.bench_case.out,
                               count, &member->stream, error);
    if (status == POSEMB_OK)
        status = stage_call_enqueue(&member->call, 0, posemb_session_queue(session), NULL, error);
    if (status == POSEMB_OK)
        status = stage_call_verify(&member->call, 0, differing, &digest, error);
    free(member->call.output);
    member->call.output = NULL;
    return status;
}

static void add_lanes(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct member *member = &group->members[i];

        member->lane = lanes_add(&group->lanes, enqueue, group, i * VARIANTS, 0);
        for (size_t v = 0; group->with_copies && v < member->stream.count; v++)
            lanes_add(&group->lanes, enqueue, group, i * VARIANTS + 1 + v, FAMILY_COPIES + (int)i);
    }
}

static posemb_status measure(struct group *group, double seconds, struct bench_group *result,
                             posemb_error *error)
{
    const struct lanes_budget budget = {
        .seconds = seconds, .repeats_min = REPEATS_MIN, .stop = group->bench->settings.stop};
    posemb_status status =
        lanes_create(&group->lanes, posemb_session_queue(group->bench->session), error);

    if (status != POSEMB_OK)
        return status;
    add_lanes(group);
    status = lanes_try(&group->lanes, error);
    if (status == POSEMB_OK)
        status = lanes_run(&group->lanes, &budget, error);
    result->repeats = group->lanes.repeats;
    for (size_t i = 0; status == POSEMB_OK && i < group->count; i++) {
        const size_t copy = lanes_best(&group->lanes, FAMILY_COPIES + (int)i);

        result->seconds[i] = lane_seconds(&group->lanes.lanes[group->members[i].lane], 0.0);
        if (copy != LANES_MAX)
            result->copy_seconds[i] = lane_seconds(&group->lanes.lanes[copy], 0.0);
    }
    return status;
}

static posemb_status run(struct group *group, double seconds, struct bench_group *result,
                         posemb_error *error)
{
    posemb_status status = bench_need_workload(group->bench, &group->members[0].bench_case, error);

    for (size_t i = 0; status == POSEMB_OK && i < group->count; i++) {
        status = prepare(group, i, &result->differing, error);
        result->name[i] = group->members[i].name;
        result->kernels[i] = group->members[i].call.scratch ? 2 : 1;
    }
    result->count = group->count;
    if (status == POSEMB_OK && result->differing == 0)
        status = measure(group, seconds, result, error);
    return status;
}

static void release(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        stream_destroy(&group->members[i].stream);
        stage_call_destroy(&group->members[i].call);
    }
    lanes_destroy(&group->lanes);
    free(group);
}

static void add_member(struct group *group, const char *name, struct bench_case bench_case,
                       const uint32_t shape[3])
{
    bench_case.batch = shape[0];
    bench_case.length = shape[1];
    bench_case.dim = shape[2];
    bench_case = bench_case_resolved(&bench_case);
    if (!bench_case_fault(&bench_case)) /* blocks are not of any D */
        group->members[group->count++] = (struct member){.name = name, .bench_case = bench_case};
}

static struct group *new_group(struct bench *bench, struct bench_group *result, posemb_error *error)
{
    struct group *group = calloc(1, sizeof *group);

    memset(result, 0, sizeof *result);
    if (!group)
        posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a benchmark");
    else
        group->bench = bench;
    return group;
}

posemb_status bench_rules_run(struct bench *bench, const uint32_t shape[3],
                              struct bench_group *result, posemb_error *error)
{
    struct group *group = new_group(bench, result, error);
    posemb_status status;

    if (!group)
        return POSEMB_OUT_OF_MEMORY;
    for (int rule = 0; rule < BENCH_RULES; rule++)
        add_member(group, bench_rules[rule].name,
                   (struct bench_case){.rule = (enum bench_rule)rule, .pads = true}, shape);
    status = run(group, rules_share * bench->settings.seconds, result, error);
    release(group);
    return status;
}

posemb_status bench_parts_run(struct bench *bench, const uint32_t shape[3],
                              struct bench_group *result, posemb_error *error)
{
    struct group *group = new_group(bench, result, error);
    posemb_status status;

    if (!group)
        return POSEMB_OUT_OF_MEMORY;
    group->with_copies = true;
    for (int part = 0; part < BENCH_PARTS; part++)
        add_member(group, parts[part].name, parts[part].bench_case, shape);
    status = run(group, parts_share * bench->settings.seconds, result, error);
    release(group);
    return status;
}
