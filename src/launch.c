/* How a call is cut into work-groups. */
#include "launch.h"

#include "checked_math.h"

/* No group looks at more than some thousand chunks, and no loop is longer than devices allow. */
static void count_by_chunks(const struct posemb__launch_rule *rule, const struct posemb__call *call,
                            struct posemb__launch *launch)
{
    static const uint64_t chunks_max = 8192;

    launch->chunk = rule->chunk;
    while (posemb__divide_up_u64(call->counted_columns, launch->chunk) > chunks_max)
        launch->chunk *= 2;
    launch->chunks = (uint32_t)posemb__divide_up_u64(call->counted_columns, launch->chunk);
    launch->scratch_bytes = call->shape.batch * launch->chunks * sizeof(uint32_t);
}

/* Several groups of rows in a work-group overlap their memory and their computing; eight
 * work-groups for each compute unit are enough to share them out evenly. */
static uint64_t turns_of(const struct posemb__launch_rule *rule, uint64_t groups)
{
    const uint64_t wanted = groups / ((uint64_t)8 * rule->compute_units + 1);

    if (wanted < 1 || rule->turns <= 1)
        return 1;
    return wanted < rule->turns ? wanted : rule->turns;
}

/* A group of the shared kernel is fast where all of its rows exist: columns of one batch row, or
 * batch rows of one column. */
static bool is_shared(const struct posemb__launch_rule *rule, const posemb_shape *shape)
{
    if (rule->columns > 1)
        return shape->batch > 1 &&
               (shape->length % rule->columns == 0 || shape->length >= (uint64_t)4 * rule->columns);
    return shape->batch >= rule->shared_rows && (shape->batch % rule->shared_rows == 0 ||
                                                 shape->batch >= (uint64_t)4 * rule->shared_rows);
}

struct posemb__launch posemb__launch_of(const struct posemb__launch_rule *rule,
                                        const struct posemb__call *call)
{
    const posemb_shape *shape = &call->shape;
    const bool shared = rule->shares_positions && is_shared(rule, shape);
    const bool streamed = rule->streams && call->out.bytes >= rule->stream_threshold;
    const uint64_t groups = shared ? posemb__divide_up_u64(shape->length, rule->columns) *
                                         posemb__divide_up_u64(shape->batch, rule->shared_rows)
                                   : posemb__divide_up_u64(call->tokens, rule->rows);
    enum posemb__kernel kernel = shared ? POSEMB__STAGE_SHARED : POSEMB__STAGE;

    if (streamed)
        kernel = shared ? POSEMB__STAGE_SHARED_STREAMED : POSEMB__STAGE_STREAMED;
    const uint64_t turns = turns_of(rule, groups);
    struct posemb__launch launch = {.kernel = kernel,
                                    .groups = (uint32_t)groups,
                                    .turns = (uint32_t)turns,
                                    .global_size =
                                        posemb__divide_up_u64(groups, turns) * rule->local_size,
                                    .local_size = rule->local_size};

    if (call->counted_columns > rule->columns_in_launch)
        count_by_chunks(rule, call, &launch);
    return launch;
}

uint64_t posemb__gpu_local_size(uint32_t channels, uint32_t channels_per_lane, uint64_t limit)
{
    uint64_t size = 32;

    while (size < 256 && size * channels_per_lane < channels)
        size *= 2;
    while (size > 1 && size > limit)
        size /= 2;
    return size;
}
