/* posemb_backward_enqueue: from checked arguments to the launches of kernels/backward.cl. */
#include "../kernels/backward.h"
#include "backward.h"
#include "buffer_uses.h"
#include "checked_math.h"
#include "cl_error.h"
#include "queue.h"
#include "status.h"

#include <stddef.h>

/* ---- Buffers */

#define PLACE(field) offsetof(posemb_backward_args, field)

posemb_buffer *posemb__backward_input_of(posemb_backward_args *args,
                                         enum posemb__backward_input input)
{
    static const size_t places[POSEMB__BACK_INPUTS] = {
        [POSEMB__BACK_IDS] = PLACE(ids),
        [POSEMB__BACK_EXTRA_IDS] = PLACE(extra_ids[0]),
        PLACE(extra_ids[1]),
        PLACE(extra_ids[2]),
        PLACE(extra_ids[3]),
        [POSEMB__BACK_POSITIONS] = PLACE(positions),
        [POSEMB__BACK_MASK] = PLACE(mask),
        [POSEMB__BACK_GAMMA] = PLACE(gamma),
        [POSEMB__BACK_OUT_GRAD] = PLACE(out_grad),
        [POSEMB__BACK_SUM] = PLACE(sum),
        [POSEMB__BACK_MEAN] = PLACE(mean),
        [POSEMB__BACK_RSTD] = PLACE(rstd),
    };

    return (posemb_buffer *)(void *)((char *)args + places[input]);
}

posemb_buffer *posemb__gradient_of(posemb_backward_args *args, enum posemb__gradient gradient)
{
    static const size_t places[POSEMB__GRADIENTS] = {
        [POSEMB__GRAD_TABLE] = PLACE(table_grad),
        [POSEMB__GRAD_ROWS] = PLACE(rows_grad),
        [POSEMB__GRAD_POSITION] = PLACE(position_grad),
        [POSEMB__GRAD_EXTRA] = PLACE(extra_grad[0]),
        PLACE(extra_grad[1]),
        PLACE(extra_grad[2]),
        PLACE(extra_grad[3]),
        [POSEMB__GRAD_GAMMA] = PLACE(gamma_grad),
        [POSEMB__GRAD_BETA] = PLACE(beta_grad),
        [POSEMB__GRAD_SEGMENT_ROWS] = PLACE(segment_rows),
        [POSEMB__GRAD_SEGMENTS] = PLACE(segment_grads),
        [POSEMB__GRAD_SEGMENT_COUNT] = PLACE(segment_count),
    };

    return (posemb_buffer *)(void *)((char *)args + places[gradient]);
}

static uint32_t wanted_of(posemb_backward_args *args)
{
    uint32_t wanted = 0;

    for (int g = 0; g < POSEMB__GRADIENTS; g++)
        if (posemb__gradient_of(args, (enum posemb__gradient)g)->mem)
            wanted |= 1u << g;
    return wanted;
}

/* One call on its way. */
struct run {
    posemb_backward *backward;
    posemb_backward_args args; /* a copy */
    struct posemb__backward_call call;
    struct posemb__backward_layout layout;
    struct posemb_backward_block block;
    struct posemb__chain chain;
    const char *what; /* is being launched */
};

static posemb_status resolve(const posemb_backward *backward, const posemb_backward_args *args,
                             struct run *run, posemb_error *error)
{
    const bool cpu = backward->engine->options.shape == POSEMB_SHAPE_CPU;
    posemb_status status;

    run->args = *args;
    status = posemb__backward_resolve(&backward->desc, &args->shape, args->accumulation,
                                      wanted_of(&run->args), &run->call, error);
    if (status == POSEMB_OK)
        run->layout =
            posemb__backward_layout_of(&backward->desc, &run->call, cpu ? 0 : backward->local_size);
    return status;
}

static posemb_status check_buffers(struct run *run, posemb_error *error)
{
    const struct posemb__span scratch = {run->layout.bytes, 64};
    struct posemb__buffer_uses places = {.count = 0};
    posemb_status status =
        posemb__add_buffer_use(&places, "scratch", &run->args.scratch, scratch, true, error);

    for (int i = 0; status == POSEMB_OK && i < POSEMB__BACK_INPUTS; i++) {
        const enum posemb__backward_input input = (enum posemb__backward_input)i;

        status = posemb__add_buffer_use(&places, posemb__backward_input_name(input),
                                        posemb__backward_input_of(&run->args, input),
                                        run->call.input[i], false, error);
    }
    for (int g = 0; status == POSEMB_OK && g < POSEMB__GRADIENTS; g++) {
        const enum posemb__gradient gradient = (enum posemb__gradient)g;

        status = posemb__add_buffer_use(&places, posemb__gradient_name(gradient),
                                        posemb__gradient_of(&run->args, gradient),
                                        run->call.gradient[g], true, error);
    }
    return status == POSEMB_OK ? posemb__check_buffer_uses(&places, error) : status;
}

/* ---- The argument blocks */

static struct posemb_backward_ids extra_ids(const struct run *run, uint32_t k)
{
    const posemb_extra_desc *desc = &run->backward->desc.extras[k];
    const posemb_extra_shape *shape = &run->call.shape.extras[k];

    return (struct posemb_backward_ids){
        .offset = desc->ids == POSEMB_EXTRA_CONSTANT ? (uint64_t)shape->id
                                                     : run->args.extra_ids[k].offset,
        .batch_stride = shape->ids_batch_stride,
        .rows = shape->rows,
        .keys_place = run->layout.keys[POSEMB__SET_EXTRA + k],
        .kind = (uint32_t)desc->ids,
        .type = (uint32_t)desc->id_type,
        .policy = (uint32_t)desc->table.policy,
    };
}

static uint32_t has_of(const struct run *run)
{
    const posemb_desc *desc = &run->backward->desc;
    const struct posemb__backward_call *call = &run->call;

    return (posemb__reads_mask(desc) ? POSEMB_BACK_MASK : 0) |
           (desc->position_kind != POSEMB_NO_POSITION ? POSEMB_BACK_POSITION : 0) |
           (desc->position_kind == POSEMB_LEARNED ? POSEMB_BACK_LEARNED : 0) |
           (posemb__reads_positions(desc) ? POSEMB_BACK_POSITIONS : 0) |
           (desc->operation == POSEMB_ENCODE ? POSEMB_BACK_TOKENS : 0) |
           (call->accumulate ? POSEMB_BACK_ACCUMULATE : 0) |
           (desc->operation == POSEMB_ADD && posemb__wants(call, POSEMB__GRAD_ROWS)
                ? POSEMB_BACK_ROWS
                : 0) |
           (run->layout.sums ? POSEMB_BACK_SUMS : 0) |
           (posemb__wants(call, POSEMB__GRAD_GAMMA) ? POSEMB_BACK_GAMMA : 0) |
           (posemb__wants(call, POSEMB__GRAD_BETA) ? POSEMB_BACK_BETA : 0);
}

/* Whether an output of so many bytes is not to go through the cache. */
static bool streams(const struct run *run, uint64_t bytes)
{
    const posemb_engine_options *options = &run->backward->engine->options;

    return bytes >= (run->backward->desc.consumer == POSEMB_CONSUMER_STREAMED
                         ? options->streamed_threshold
                         : options->follows_threshold);
}

static void fill_block(struct run *run)
{
    const posemb_desc *desc = &run->backward->desc;
    const posemb_shape *shape = &run->call.shape;
    const posemb_backward_args *args = &run->args;
    const struct posemb__backward_layout *layout = &run->layout;

    run->block = (struct posemb_backward_block){
        .positions_offset = args->positions.offset,
        .mask_offset = args->mask.offset,
        .gamma_offset = args->gamma.offset,
        .grad_offset = args->out_grad.offset,
        .sum_offset = args->sum.offset,
        .mean_offset = args->mean.offset,
        .rstd_offset = args->rstd.offset,
        .rows_grad_offset = args->rows_grad.offset,
        .stride = shape->out_stride,
        .batch_stride = shape->out_batch_stride,
        .scratch_offset = args->scratch.offset,
        .dead_place = layout->dead,
        .sums_place = layout->sums,
        .partial_place = layout->partial,
        .gamma_place = layout->gamma,
        .beta_place = layout->beta,
        .row_bytes = layout->row_bytes,
        .shard_first = shape->shard_first,
        .shard_rows = shape->shard_rows,
        .vocab = shape->vocab,
        .first_position = shape->start + (int64_t)shape->past,
        .tokens_ids = {.offset = args->ids.offset,
                       .batch_stride = shape->ids_batch_stride,
                       .rows = shape->vocab + shape->prompt_rows,
                       .keys_place = layout->keys[POSEMB__SET_TOKEN],
                       .kind = POSEMB_BACK_OF_TOKEN,
                       .type = (uint32_t)desc->id_type,
                       .policy = (uint32_t)desc->tokens.policy},
        .positions_ids = {.rows = shape->position_rows,
                          .keys_place = layout->keys[POSEMB__SET_POSITION],
                          .policy = (uint32_t)desc->position_table.policy},
        .extra0 = extra_ids(run, 0),
        .extra1 = extra_ids(run, 1),
        .extra2 = extra_ids(run, 2),
        .extra3 = extra_ids(run, 3),
        .length = (uint32_t)shape->length,
        .tokens = (uint32_t)run->call.tokens,
        .chunks = layout->chunks,
        .axes = posemb__axes_of(desc),
        .has = has_of(run),
        .pads_are_zeros = desc->pad_policy == POSEMB_PAD_ZERO_ROW,
        .dim = desc->dim,
        .scale = desc->token_scale,
        .inverse_dim = 1.0f / (float)desc->dim,
        .streams_sums = streams(run, run->call.tokens * layout->row_bytes),
    };
}

/* ---- Launches */

/* The next parameter of a kernel. */
struct setter {
    cl_kernel kernel;
    cl_uint index;
    cl_int code;
};

static void set_bytes(struct setter *setter, size_t size, const void *value)
{
    if (setter->code == CL_SUCCESS)
        setter->code = clSetKernelArg(setter->kernel, setter->index++, size, value);
}

/* A buffer that the kernel does not touch is stood in for by scratch memory. */
static void set_buffer(struct setter *setter, const struct run *run, const posemb_buffer *buffer)
{
    const cl_mem *mem = buffer->mem ? &buffer->mem : &run->args.scratch.mem;

    set_bytes(setter, sizeof *mem, mem);
}

static void set_input(struct setter *setter, struct run *run, enum posemb__backward_input input)
{
    const posemb_buffer *buffer = posemb__backward_input_of(&run->args, input);

    set_buffer(setter, run, run->call.input[input].bytes ? buffer : &run->args.scratch);
}

static struct setter begin_kernel(struct run *run, enum posemb__backward_kernel which)
{
    run->what = posemb__backward_kernel_name(which);
    return (struct setter){run->backward->kernel[which], 0, CL_SUCCESS};
}

/* `groups` work-groups of `local_size` work-items, each group `columns` times. */
static cl_int launch(struct run *run, const struct setter *setter, uint64_t groups,
                     uint64_t local_size, uint64_t columns)
{
    const size_t local[2] = {(size_t)local_size, 1};
    const size_t global[2] = {(size_t)(groups * local_size), (size_t)columns};

    if (setter->code != CL_SUCCESS)
        return setter->code;
    return posemb__chain_launch(&run->chain, setter->kernel, columns > 1 ? 2 : 1, global, local);
}

static cl_int launch_keys(struct run *run)
{
    const uint64_t local_size = run->backward->keys_local_size;
    struct setter setter = begin_kernel(run, POSEMB__KEYS);

    set_bytes(&setter, sizeof run->block, &run->block);
    set_input(&setter, run, POSEMB__BACK_IDS);
    set_input(&setter, run, POSEMB__BACK_POSITIONS);
    set_input(&setter, run, POSEMB__BACK_MASK);
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        set_input(&setter, run, (enum posemb__backward_input)(POSEMB__BACK_EXTRA_IDS + k));
    set_buffer(&setter, run, &run->args.scratch);
    return launch(run, &setter, posemb__divide_up_u64(run->call.tokens, local_size), local_size, 1);
}

static cl_int launch_rows(struct run *run)
{
    const uint64_t local_size = run->backward->local_size;
    struct setter setter = begin_kernel(run, POSEMB__ROWS_BACK);

    set_bytes(&setter, sizeof run->block, &run->block);
    set_input(&setter, run, POSEMB__BACK_GAMMA);
    set_input(&setter, run, POSEMB__BACK_OUT_GRAD);
    set_input(&setter, run, POSEMB__BACK_SUM);
    set_input(&setter, run, POSEMB__BACK_MEAN);
    set_input(&setter, run, POSEMB__BACK_RSTD);
    set_buffer(&setter, run, &run->args.rows_grad);
    set_buffer(&setter, run, &run->args.scratch);
    set_bytes(&setter, (size_t)local_size * 2 * sizeof(float), NULL);
    return launch(run, &setter, run->layout.chunks, local_size, 1);
}

static cl_int launch_columns(struct run *run, uint64_t place, const posemb_buffer *out)
{
    const bool cpu = run->backward->engine->options.shape == POSEMB_SHAPE_CPU;
    const uint64_t local_size = run->backward->local_size;
    const uint64_t items = posemb__divide_up_u64(run->backward->desc.dim, cpu ? 16 : 1);
    struct setter setter = begin_kernel(run, POSEMB__COLUMNS);

    set_bytes(&setter, sizeof run->block, &run->block);
    set_bytes(&setter, sizeof place, &place);
    set_bytes(&setter, sizeof out->offset, &out->offset);
    set_buffer(&setter, run, out);
    set_buffer(&setter, run, &run->args.scratch);
    return launch(run, &setter, posemb__divide_up_u64(items, local_size), local_size, 1);
}

/* ---- One table */

static struct posemb_sort sort_of(const struct run *run, enum posemb__index_set set)
{
    const struct posemb__backward_layout *layout = &run->layout;

    return (struct posemb_sort){
        .keys_place = {layout->keys[set], layout->other_keys},
        .order_place = {layout->order[0], layout->order[1]},
        .counts_place = layout->counts,
        .totals_place = layout->totals,
        .runs_place = layout->runs,
        .segments_place = layout->segments,
        .rows_place = layout->rows,
        .scratch_offset = run->args.scratch.offset,
        .tokens = (uint32_t)run->call.tokens,
        .tile = layout->tile,
        .tiles = layout->tiles,
        .first = 1,
        .none = (uint32_t)run->call.rows[set],
    };
}

/* Kernels of a sort have the same parameters. */
static cl_int launch_sort(struct run *run, enum posemb__backward_kernel which,
                          const struct posemb_sort *sort, uint64_t groups)
{
    const uint64_t local_size = run->backward->local_size;
    struct setter setter = begin_kernel(run, which);

    set_bytes(&setter, sizeof *sort, sort);
    set_buffer(&setter, run, &run->args.scratch);
    set_bytes(&setter, (size_t)local_size * sizeof(uint32_t), NULL);
    return launch(run, &setter, groups, local_size, 1);
}

static void swap(posemb_u64 pair[2])
{
    const posemb_u64 first = pair[0];

    pair[0] = pair[1];
    pair[1] = first;
}

/* Sort by eight bits at a time, from the lowest on; then find what begins where. */
static cl_int sort_tokens(struct run *run, struct posemb_sort *sort)
{
    cl_int code = CL_SUCCESS;

    for (; code == CL_SUCCESS && sort->shift < 32 && sort->none >> sort->shift > 0;
         sort->shift += POSEMB_DIGIT_BITS) {
        code = launch_sort(run, POSEMB__SORT_COUNT, sort, sort->tiles);
        if (code == CL_SUCCESS)
            code = launch_sort(run, POSEMB__SORT_SCAN, sort, POSEMB_DIGITS);
        if (code == CL_SUCCESS)
            code = launch_sort(run, POSEMB__SORT_MOVE, sort, sort->tiles);
        swap(sort->keys_place);
        swap(sort->order_place);
        sort->first = 0;
    }
    if (code == CL_SUCCESS)
        code = launch_sort(run, POSEMB__RUNS_COUNT, sort, sort->tiles);
    if (code == CL_SUCCESS)
        code = launch_sort(run, POSEMB__SORT_SCAN, sort, 2);
    if (code == CL_SUCCESS)
        code = launch_sort(run, POSEMB__RUNS_WRITE, sort, sort->tiles);
    return code;
}

/* Work-groups beside each other that share a row. */
static uint64_t columns_of(const struct run *run)
{
    if (run->backward->engine->options.shape == POSEMB_SHAPE_CPU)
        return 1;
    return posemb__divide_up_u64(run->backward->desc.dim, run->backward->local_size);
}

static cl_int launch_partials(struct run *run, const struct posemb_sort *sort)
{
    struct setter setter = begin_kernel(run, POSEMB__PARTIALS);

    set_bytes(&setter, sizeof run->block, &run->block);
    set_bytes(&setter, sizeof *sort, sort);
    set_input(&setter, run, POSEMB__BACK_OUT_GRAD);
    set_buffer(&setter, run, &run->args.scratch);
    return launch(run, &setter, posemb__divide_up_u64(run->call.tokens, POSEMB_PARTIAL_RUNS),
                  run->backward->local_size, columns_of(run));
}

/* Sums for the rows first ... first + rows - 1 of an index set. */
static cl_int launch_sums(struct run *run, const struct posemb_sort *sort,
                          enum posemb__gradient gradient, float scale, uint64_t first,
                          uint64_t rows)
{
    const bool segments = gradient == POSEMB__GRAD_SEGMENTS;
    const bool of_segments = segments || run->call.accumulate;
    const posemb_buffer *out = posemb__gradient_of(&run->args, gradient);
    const uint64_t most = of_segments && run->call.tokens < rows ? run->call.tokens : rows;
    const struct posemb_target target = {
        .offset = out->offset,
        .numbers_offset = run->args.segment_rows.offset,
        .count_offset = run->args.segment_count.offset,
        .first = (uint32_t)first,
        .rows = (uint32_t)rows,
        .segments = segments,
        .accumulate = run->call.accumulate,
        .streamed = streams(run, run->call.gradient[gradient].bytes),
        .scale = scale,
    };
    struct setter setter = begin_kernel(run, POSEMB__SUMS);

    set_bytes(&setter, sizeof run->block, &run->block);
    set_bytes(&setter, sizeof *sort, sort);
    set_bytes(&setter, sizeof target, &target);
    set_input(&setter, run, POSEMB__BACK_OUT_GRAD);
    set_buffer(&setter, run, &run->args.scratch);
    set_buffer(&setter, run, out);
    set_buffer(&setter, run, &run->args.segment_rows);
    set_buffer(&setter, run, &run->args.segment_count);
    return launch(run, &setter, posemb__divide_up_u64(most, POSEMB_SUM_ROWS),
                  run->backward->local_size, columns_of(run));
}

/* Every gradient of an index set. */
static cl_int launch_targets(struct run *run, enum posemb__index_set set,
                             const struct posemb_sort *sort)
{
    const posemb_desc *desc = &run->backward->desc;
    const struct posemb__backward_call *call = &run->call;
    const uint64_t here = call->shape.shard_rows;
    cl_int code = CL_SUCCESS;

    if (set == POSEMB__SET_POSITION)
        return launch_sums(run, sort, POSEMB__GRAD_POSITION, 1.0f, 0, call->rows[set]);
    if (set >= POSEMB__SET_EXTRA)
        return launch_sums(run, sort,
                           (enum posemb__gradient)(POSEMB__GRAD_EXTRA + set - POSEMB__SET_EXTRA),
                           desc->extras[set - POSEMB__SET_EXTRA].scale, 0, call->rows[set]);
    if (posemb__wants(call, POSEMB__GRAD_TABLE))
        code = launch_sums(run, sort, POSEMB__GRAD_TABLE, desc->token_scale, 0, here);
    if (code == CL_SUCCESS && posemb__wants(call, POSEMB__GRAD_SEGMENTS))
        code = launch_sums(run, sort, POSEMB__GRAD_SEGMENTS, desc->token_scale, 0, here);
    if (code == CL_SUCCESS && posemb__wants(call, POSEMB__GRAD_ROWS) && call->shape.prompt_rows)
        code = launch_sums(run, sort, POSEMB__GRAD_ROWS, desc->prompt_scale, here,
                           call->shape.prompt_rows);
    return code;
}

static cl_int run_set(struct run *run, enum posemb__index_set set)
{
    struct posemb_sort sort = sort_of(run, set);
    cl_int code;

    if (run->call.rows[set] == 0)
        return CL_SUCCESS;
    code = sort_tokens(run, &sort);
    if (code == CL_SUCCESS)
        code = launch_partials(run, &sort);
    return code == CL_SUCCESS ? launch_targets(run, set, &sort) : code;
}

/* ---- The call */

static cl_int launch_all(struct run *run)
{
    cl_int code;

    fill_block(run);
    code = launch_keys(run);
    if (code == CL_SUCCESS && run->layout.has_rows)
        code = launch_rows(run);
    if (code == CL_SUCCESS && posemb__wants(&run->call, POSEMB__GRAD_GAMMA))
        code = launch_columns(run, run->layout.gamma, &run->args.gamma_grad);
    if (code == CL_SUCCESS && posemb__wants(&run->call, POSEMB__GRAD_BETA))
        code = launch_columns(run, run->layout.beta, &run->args.beta_grad);
    for (int set = 0; code == CL_SUCCESS && set < POSEMB__SETS; set++)
        code = run_set(run, (enum posemb__index_set)set);
    return code;
}

/* Without tokens: what is overwritten becomes zeros. */
static cl_int clear_all(struct run *run)
{
    cl_int code = CL_SUCCESS;

    for (int g = 0; code == CL_SUCCESS && !run->call.accumulate && g < POSEMB__GRADIENTS; g++)
        if (run->call.gradient[g].bytes > 0)
            code = posemb__chain_clear(&run->chain,
                                       posemb__gradient_of(&run->args, (enum posemb__gradient)g),
                                       (size_t)run->call.gradient[g].bytes);
    return code;
}

static posemb_status enqueue(struct run *run, cl_command_queue queue, cl_uint num_waits,
                             const cl_event *waits, cl_event *event, posemb_error *error)
{
    cl_int code = posemb__chain_begin(&run->chain, queue, num_waits, waits);

    run->what = "a command of gradients";
    pthread_mutex_lock(&run->backward->lock);
    if (code == CL_SUCCESS)
        code = run->call.tokens > 0 ? launch_all(run) : clear_all(run);
    pthread_mutex_unlock(&run->backward->lock);
    if (code == CL_SUCCESS)
        code = posemb__chain_end(&run->chain, event);
    posemb__chain_drop(&run->chain);
    return code == CL_SUCCESS ? POSEMB_OK : posemb__cl_fail(error, code, run->what);
}

posemb_status posemb_backward_enqueue(posemb_backward *backward, cl_command_queue queue,
                                      const posemb_backward_args *args, cl_uint num_waits,
                                      const cl_event *waits, cl_event *event, posemb_error *error)
{
    struct run run = {.backward = backward};
    posemb_status status;

    if (!backward || !args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            backward ? "args" : "backward");
    status = posemb__check_queue(backward->engine->context, backward->engine->device, queue, error);
    if (status == POSEMB_OK)
        status = posemb__check_waits(num_waits, waits, error);
    if (status == POSEMB_OK)
        status = resolve(backward, args, &run, error);
    if (status == POSEMB_OK)
        status = check_buffers(&run, error);
    if (status != POSEMB_OK)
        return status;
    return enqueue(&run, queue, num_waits, waits, event, error);
}

posemb_status posemb_backward_scratch_bytes(const posemb_backward *backward,
                                            const posemb_backward_args *args, uint64_t *bytes,
                                            posemb_error *error)
{
    struct run run;
    posemb_status status;

    if (!backward || !args || !bytes)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            !backward ? "backward" : (!args ? "args" : "bytes"));
    status = resolve(backward, args, &run, error);
    if (status == POSEMB_OK)
        *bytes = run.layout.bytes;
    return status;
}
