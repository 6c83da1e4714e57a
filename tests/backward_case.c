#include "backward_case.h"

#include "backward.h"
#include "desc.h"
#include "storage.h"
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64 };

static int64_t draw(struct support_random *random, int64_t least, int64_t most)
{
    return support_random_int(random, least, most);
}

static bool chance(struct support_random *random, int64_t one_in)
{
    return draw(random, 1, one_in) == 1;
}

/* ---- Descriptions */

static void draw_positions(struct support_random *random, bool floats, posemb_desc *desc)
{
    static const posemb_position_rule rules[] = {POSEMB_POSITIONS_INDEX, POSEMB_POSITIONS_EXPLICIT,
                                                 POSEMB_POSITIONS_ROW_START,
                                                 POSEMB_POSITIONS_COUNT};

    desc->position_kind = (posemb_position_kind)draw(random, 1, 3);
    desc->position_table.policy = (posemb_policy)draw(random, 1, 4);
    if (desc->operation == POSEMB_TABLE)
        desc->position_kind = POSEMB_LEARNED;
    if (desc->position_kind == POSEMB_NO_POSITION)
        return;
    desc->positions = rules[draw(random, 0, 3)];
    if (desc->position_kind == POSEMB_SINUSOIDAL) {
        desc->position_table.policy = chance(random, 2) ? POSEMB_POLICY_NAN_ROW : 0;
        if (desc->positions == POSEMB_POSITIONS_EXPLICIT && floats)
            desc->position_type = POSEMB_FLOAT32;
    }
}

static void draw_pads(struct support_random *random, posemb_desc *desc)
{
    if (desc->positions != POSEMB_POSITIONS_COUNT && !chance(random, 3))
        return;
    desc->padding = POSEMB_PADDING_MASK;
    desc->padding_type = POSEMB_UINT8;
    desc->pad_policy = (posemb_pad_policy)draw(random, 1, 3);
}

static void draw_extras(struct support_random *random, posemb_desc *desc)
{
    const int64_t count = chance(random, 2) ? draw(random, 1, 4) : 0;

    for (int64_t k = 0; k < count; k++)
        desc->extras[k] =
            (posemb_extra_desc){.ids = (posemb_extra_ids)draw(random, 1, 3),
                                .id_type = chance(random, 2) ? POSEMB_INT64 : POSEMB_INT32,
                                .table = {.policy = (posemb_policy)draw(random, 1, 4)},
                                .scale = chance(random, 2) ? 0.0f : -1.7f};
}

static void draw_shape(struct support_random *random, const posemb_desc *desc, posemb_shape *shape)
{
    const uint32_t unit = desc->out_storage == POSEMB_F32 ? 4 : 2;

    shape->batch = (uint64_t)draw(random, 1, 5);
    shape->length = (uint64_t)draw(random, 1, chance(random, 3) ? 90 : 30);
    if (desc->operation == POSEMB_ENCODE) {
        shape->vocab =
            (uint64_t)(chance(random, 3) ? draw(random, 200, 70000) : draw(random, 1, 40));
        if (chance(random, 4)) {
            shape->shard_first = (uint64_t)draw(random, 0, (int64_t)shape->vocab - 1);
            shape->shard_rows =
                (uint64_t)draw(random, 1, (int64_t)(shape->vocab - shape->shard_first));
        }
    }
    if (desc->soft_prompts)
        shape->prompt_rows = (uint64_t)draw(random, 0, 5);
    if (desc->position_kind == POSEMB_LEARNED) {
        shape->position_rows = (uint64_t)draw(random, 1, 100);
        shape->start = chance(random, 2) ? 2 : 0;
    }
    for (uint32_t k = 0; k < posemb__extra_count(desc); k++) {
        shape->extras[k].rows = (uint64_t)(chance(random, 3) ? draw(random, 1, 600) : 2);
        shape->extras[k].id =
            draw(random, chance(random, 6) ? -3 : 0, (int64_t)shape->extras[k].rows - 1);
    }
    if (chance(random, 3)) { /* rows that do not begin where vectors would like it */
        shape->out_stride = desc->dim * unit + unit * (uint64_t)draw(random, 0, 5);
        shape->out_batch_stride = shape->out_stride * shape->length + unit;
    }
}

/* What decides which program a backward has. Storages and norms go through all values in turn. */
static void draw_program(uint64_t program, struct support_random *random, posemb_desc *desc)
{
    static const uint32_t dims[][4] = {{1, 7, 12, 16},       {16, 9, 5, 1},
                                       {40, 64, 37, 50},     {100, 128, 70, 99},
                                       {257, 512, 400, 300}, {768, 1024, 600, 1000}};
    struct support_random of_program = support_random_from(program);

    desc->dim = dims[draw(&of_program, 0, 5)][draw(random, 0, 3)];
    desc->out_storage = (posemb_storage)(program % 2 ? 1 : draw(&of_program, 1, 3));
    desc->norm = (posemb_norm)(program % 3 + 1);
    if (desc->norm == POSEMB_NORM_NONE)
        return;
    desc->norm_storage = (posemb_storage)draw(&of_program, 1, 3);
    desc->gamma = (posemb_gamma)(chance(&of_program, 4) ? 3 : 1);
    if (desc->norm == POSEMB_NORM_RMS)
        desc->gamma = (posemb_gamma)draw(&of_program, 1, 3);
    desc->beta = (posemb_beta)draw(random, 1, 2);
}

void backward_case_draw(struct support_random *random, struct backward_case *made, uint64_t program)
{
    posemb_desc *desc = &made->call.desc;

    memset(made, 0, sizeof *made);
    draw_program(program, random, desc);
    desc->operation = (posemb_operation)(chance(random, 2) ? 1 : draw(random, 1, 3));
    desc->id_type = chance(random, 3) ? POSEMB_INT64 : POSEMB_INT32;
    desc->token_scale = desc->operation != POSEMB_TABLE && chance(random, 2) ? 3.3f : 0.0f;
    if (desc->operation == POSEMB_ENCODE) {
        desc->tokens.policy = (posemb_policy)draw(random, 1, 4);
        desc->soft_prompts = chance(random, 4);
        desc->prompt_scale = desc->soft_prompts ? 0.7f : 0.0f;
    }
    draw_positions(random, program % 4 == 0, desc);
    draw_pads(random, desc);
    draw_extras(random, desc);
    draw_shape(random, desc, &made->call.shape);
    made->hard = chance(random, 3);
    made->accumulation = (posemb_accumulation)draw(random, 1, 2);
    made->wanted = backward_case_wishes(desc, made->accumulation);
}

uint32_t backward_case_wishes(const posemb_desc *desc, posemb_accumulation accumulation)
{
    uint32_t wanted = 0;
    posemb_desc resolved;

    assert_int_equal(posemb_desc_resolve(desc, &resolved, NULL), POSEMB_OK);
    if (resolved.operation == POSEMB_ENCODE)
        wanted |= 1u << POSEMB__GRAD_TABLE;
    if (resolved.operation == POSEMB_ENCODE && accumulation != POSEMB_ACCUMULATE)
        wanted |= 7u << POSEMB__GRAD_SEGMENT_ROWS;
    if (resolved.operation == POSEMB_ADD || resolved.soft_prompts)
        wanted |= 1u << POSEMB__GRAD_ROWS;
    if (resolved.position_kind == POSEMB_LEARNED)
        wanted |= 1u << POSEMB__GRAD_POSITION;
    for (uint32_t k = 0; k < posemb__extra_count(&resolved); k++)
        wanted |= 1u << (POSEMB__GRAD_EXTRA + k);
    if (posemb__has_gamma(&resolved))
        wanted |= 1u << POSEMB__GRAD_GAMMA;
    if (posemb__has_beta(&resolved))
        wanted |= 1u << POSEMB__GRAD_BETA;
    return wanted;
}

/* ---- Data */

static float draw_value(struct support_random *random, bool hard)
{
    if (hard && chance(random, 40))
        return support_random_hard_float(random);
    if (hard && chance(random, 4))
        return chance(random, 2) ? 0.0f : -0.0f;
    return support_random_float(random);
}

static void fill_floats(struct support_random *random, void *place, uint64_t bytes,
                        posemb_storage storage, bool hard)
{
    const posemb_storage of = storage ? storage : POSEMB_F32;

    for (uint64_t i = 0; i < bytes / posemb__storage_size(of); i++)
        posemb__store_element(place, i, of, draw_value(random, hard));
}

/* Mostly of the table, and a few again and again. */
static void fill_ids(struct support_random *random, bool clean, void *place, uint64_t bytes,
                     posemb_number_type type, int64_t rows)
{
    const posemb_number_type of = type ? type : POSEMB_INT32;

    for (uint64_t i = 0; place && i < bytes / posemb__number_size(of); i++) {
        int64_t id = draw(random, 0, rows - 1);

        if (chance(random, 3))
            id = (rows - 1) / 2;
        if (!clean && chance(random, 12))
            id = draw(random, -rows - 1, rows + 2);
        stage_put_number(place, (size_t)i, of, id);
    }
}

static void fill_positions(struct support_random *random, bool clean, struct stage_call *call)
{
    const uint64_t bytes = call->resolved.input[POSEMB__POSITIONS].bytes;

    if (call->desc.position_type != POSEMB_FLOAT32) {
        fill_ids(random, clean, call->input[POSEMB__POSITIONS], bytes, call->desc.position_type,
                 call->desc.position_kind == POSEMB_LEARNED ? (int64_t)call->shape.position_rows
                                                            : 1000);
        return;
    }
    fill_floats(random, call->input[POSEMB__POSITIONS], bytes, POSEMB_F32, true);
}

static void fill_inputs(struct support_random *random, struct backward_case *made)
{
    struct stage_call *call = &made->call;
    const posemb_desc *desc = &call->desc;
    const struct posemb__span *span = call->resolved.input;

    fill_ids(random, made->clean, call->input[POSEMB__IDS], span[POSEMB__IDS].bytes, desc->id_type,
             (int64_t)(call->shape.vocab + call->shape.prompt_rows));
    fill_floats(random, call->input[POSEMB__TABLE], span[POSEMB__TABLE].bytes, desc->tokens.storage,
                made->hard);
    fill_floats(random, call->input[POSEMB__ROWS], span[POSEMB__ROWS].bytes, desc->rows_storage,
                made->hard);
    fill_positions(random, made->clean, call);
    fill_floats(random, call->input[POSEMB__POSITION_TABLE], span[POSEMB__POSITION_TABLE].bytes,
                desc->position_table.storage, made->hard);
    fill_floats(random, call->input[POSEMB__GAMMA], span[POSEMB__GAMMA].bytes, desc->norm_storage,
                made->hard);
    fill_floats(random, call->input[POSEMB__BETA], span[POSEMB__BETA].bytes, desc->norm_storage,
                made->hard);
    for (uint64_t i = 0; i < span[POSEMB__PADDING].bytes; i++)
        ((uint8_t *)call->input[POSEMB__PADDING])[i] = !chance(random, 5);
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++) {
        fill_ids(random, made->clean, call->input[POSEMB__EXTRA_IDS + k],
                 span[POSEMB__EXTRA_IDS + k].bytes, desc->extras[k].id_type,
                 (int64_t)call->shape.extras[k].rows);
        fill_floats(random, call->input[POSEMB__EXTRA_TABLE + k],
                    span[POSEMB__EXTRA_TABLE + k].bytes, desc->extras[k].table.storage, made->hard);
    }
}

static void *allocate(uint64_t bytes)
{
    void *made = calloc((size_t)bytes + GUARD, 1);

    assert_non_null(made);
    return made;
}

void backward_case_prepare(struct support_random *random, struct backward_case *made)
{
    struct stage_call *call = &made->call;
    posemb_desc resolved;
    posemb_error error;

    assert_int_equal(posemb_desc_resolve(&call->desc, &resolved, &error), POSEMB_OK);
    call->wanted[POSEMB__POSITIONS_OUT] = posemb__reads_positions(&resolved);
    call->wanted[POSEMB__MASK_OUT] = posemb__reads_mask(&resolved);
    call->wanted[POSEMB__SUM_OUT] = true;
    call->wanted[POSEMB__MEAN_OUT] = true;
    call->wanted[POSEMB__RSTD_OUT] = true;
    stage_call_allocate(call);
    fill_inputs(random, made);
    stage_call_run_reference(call);
    if (posemb__backward_resolve(&resolved, &call->shape, made->accumulation, made->wanted,
                                 &made->resolved, &error) != POSEMB_OK)
        fail_msg("not a backward call: %s", error.message);
    made->out_grad = allocate(call->resolved.out.bytes);
    fill_floats(random, made->out_grad, call->resolved.out.bytes, call->desc.out_storage,
                made->hard);
    for (int g = 0; g < POSEMB__GRADIENTS; g++) {
        const uint64_t bytes = made->resolved.gradient[g].bytes;

        made->before[g] = allocate(bytes);
        made->expected[g] = allocate(bytes);
        fill_floats(random, made->before[g], bytes + GUARD, POSEMB_F32, made->hard);
        memcpy(made->expected[g], made->before[g], (size_t)bytes + GUARD);
    }
}

void backward_case_free(struct backward_case *made)
{
    stage_call_free(&made->call);
    free(made->out_grad);
    for (int g = 0; g < POSEMB__GRADIENTS; g++) {
        free(made->before[g]);
        free(made->expected[g]);
    }
}

/* ---- Runs */

static void *wanted_of(const struct backward_case *made, unsigned char *const gradients[], int g)
{
    return made->wanted >> g & 1u ? gradients[g] : NULL;
}

static const void *left_by_forward(const struct backward_case *made, enum posemb__output output)
{
    return made->call.size[output] ? made->call.expected[output] : NULL;
}

posemb_host_backward_args backward_case_args(const struct backward_case *made,
                                             unsigned char *const gradients[POSEMB__GRADIENTS])
{
    posemb_host_backward_args args = {
        .shape = made->call.shape,
        .accumulation = made->accumulation,
        .ids = made->call.input[POSEMB__IDS],
        .positions = left_by_forward(made, POSEMB__POSITIONS_OUT),
        .mask = left_by_forward(made, POSEMB__MASK_OUT),
        .gamma = made->call.input[POSEMB__GAMMA],
        .out_grad = made->out_grad,
        .sum = left_by_forward(made, POSEMB__SUM_OUT),
        .mean = left_by_forward(made, POSEMB__MEAN_OUT),
        .rstd = left_by_forward(made, POSEMB__RSTD_OUT),
        .table_grad = wanted_of(made, gradients, POSEMB__GRAD_TABLE),
        .rows_grad = wanted_of(made, gradients, POSEMB__GRAD_ROWS),
        .position_grad = wanted_of(made, gradients, POSEMB__GRAD_POSITION),
        .gamma_grad = wanted_of(made, gradients, POSEMB__GRAD_GAMMA),
        .beta_grad = wanted_of(made, gradients, POSEMB__GRAD_BETA),
        .segment_rows = wanted_of(made, gradients, POSEMB__GRAD_SEGMENT_ROWS),
        .segment_grads = wanted_of(made, gradients, POSEMB__GRAD_SEGMENTS),
        .segment_count = wanted_of(made, gradients, POSEMB__GRAD_SEGMENT_COUNT),
    };

    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++) {
        args.extra_ids[k] = made->call.input[POSEMB__EXTRA_IDS + k];
        args.extra_grad[k] = wanted_of(made, gradients, (int)(POSEMB__GRAD_EXTRA + k));
    }
    return args;
}

void backward_case_run_reference(struct backward_case *made)
{
    const posemb_host_backward_args args = backward_case_args(made, made->expected);
    posemb_error error;

    if (posemb_reference_backward(&made->call.desc, &args, &error) != POSEMB_OK)
        fail_msg("posemb_reference_backward: %s", error.message);
}

static posemb_buffer upload(posemb_session *session, const void *data, size_t size)
{
    return (posemb_buffer){size && data ? support_upload(session, data, size) : NULL, 0};
}

static void release(const posemb_buffer *buffer)
{
    if (buffer->mem)
        clReleaseMemObject(buffer->mem);
}

static void compare(const struct backward_case *made, int g, const unsigned char *found,
                    const char *what)
{
    const size_t count = ((size_t)made->resolved.gradient[g].bytes + GUARD) / sizeof(float);
    const float *expected = (const float *)(const void *)made->expected[g];
    size_t first;

    if (posemb_compare_bits(expected, (const float *)(const void *)found, count, &first) > 0)
        fail_msg("%s: %s differs at %zu of %zu: %a instead of %a", what,
                 posemb__gradient_name((enum posemb__gradient)g), first, count,
                 (double)((const float *)(const void *)found)[first], (double)expected[first]);
}

posemb_backward_args backward_case_upload(const struct backward_case *made, posemb_session *session,
                                          posemb_backward *backward)
{
    const posemb_host_backward_args host = backward_case_args(made, made->expected);
    posemb_backward_args args = {.shape = made->call.shape, .accumulation = made->accumulation};
    uint64_t scratch = 0;
    posemb_error error;

    for (int i = 0; i < POSEMB__BACK_INPUTS; i++) {
        const enum posemb__backward_input input = (enum posemb__backward_input)i;

        *posemb__backward_input_of(&args, input) =
            upload(session, posemb__host_backward_input(&host, input),
                   (size_t)made->resolved.input[i].bytes);
    }
    for (int g = 0; g < POSEMB__GRADIENTS; g++)
        if (made->wanted >> g & 1u)
            *posemb__gradient_of(&args, (enum posemb__gradient)g) =
                upload(session, made->before[g], (size_t)made->resolved.gradient[g].bytes + GUARD);
    if (posemb_backward_scratch_bytes(backward, &args, &scratch, &error) != POSEMB_OK)
        fail_msg("posemb_backward_scratch_bytes: %s", error.message);
    if (scratch)
        assert_int_equal(
            posemb_session_upload(session, NULL, (size_t)scratch, &args.scratch.mem, &error),
            POSEMB_OK);
    return args;
}

void backward_case_compare(const struct backward_case *made, posemb_session *session,
                           posemb_backward_args *args, const char *what)
{
    for (int g = 0; g < POSEMB__GRADIENTS; g++) {
        const posemb_buffer *buffer = posemb__gradient_of(args, (enum posemb__gradient)g);
        const size_t bytes = (size_t)made->resolved.gradient[g].bytes + GUARD;
        unsigned char *found;

        if (!buffer->mem)
            continue;
        found = allocate(bytes);
        support_download(session, buffer->mem, found, bytes);
        compare(made, g, found, what);
        free(found);
    }
}

void backward_case_release(posemb_backward_args *args)
{
    for (int i = 0; i < POSEMB__BACK_INPUTS; i++)
        release(posemb__backward_input_of(args, (enum posemb__backward_input)i));
    for (int g = 0; g < POSEMB__GRADIENTS; g++)
        release(posemb__gradient_of(args, (enum posemb__gradient)g));
    release(&args->scratch);
}

void backward_case_run_device(const struct backward_case *made, posemb_session *session,
                              posemb_engine *engine, const char *what)
{
    posemb_backward_args args;
    posemb_backward *backward;
    posemb_error error;

    if (posemb_backward_create(engine, &made->call.desc, &backward, &error) != POSEMB_OK)
        fail_msg("%s: posemb_backward_create: %s", what, error.message);
    args = backward_case_upload(made, session, backward);
    if (posemb_backward_enqueue(backward, posemb_session_queue(session), &args, 0, NULL, NULL,
                                &error) != POSEMB_OK)
        fail_msg("%s: posemb_backward_enqueue: %s", what, error.message);
    backward_case_compare(made, session, &args, what);
    backward_case_release(&args);
    posemb_backward_destroy(backward);
}

/* ---- Cuts */

/* Batch rows first ... first + count - 1 alone. */
static void cut_batch(const struct backward_case *made, posemb_host_backward_args *args,
                      uint64_t first, uint64_t count)
{
    const posemb_shape *shape = &made->resolved.shape;
    const uint64_t token = first * shape->length;
    const uint64_t place = first * shape->out_batch_stride;

    args->shape.batch = count;
    args->ids = (const int32_t *)args->ids + token;
    args->extra_ids[0] = (const int32_t *)args->extra_ids[0] + first;
    args->out_grad = (const char *)args->out_grad + place;
    args->sum = (const char *)args->sum + place;
    args->mean += token;
    args->rstd += token;
}

/* Columns from `first` on of the one row. */
static void cut_columns(posemb_host_backward_args *args, uint32_t dim, uint64_t first,
                        uint64_t count)
{
    args->shape.length = count;
    args->shape.past = first;
    args->ids = (const int32_t *)args->ids + first;
    args->out_grad = (const float *)args->out_grad + first * dim;
    args->sum = (const float *)args->sum + first * dim;
    args->mean += first;
    args->rstd += first;
}

static void check_cut(struct backward_case *made, const uint64_t *parts, uint64_t count,
                      backward_case_runner run, void *state)
{
    unsigned char *found[POSEMB__GRADIENTS];
    uint64_t first = 0;

    for (int g = 0; g < POSEMB__GRADIENTS; g++)
        found[g] = allocate(made->resolved.gradient[g].bytes);
    for (uint64_t i = 0; i < count; i++) {
        posemb_host_backward_args args = backward_case_args(made, found);

        args.accumulation = POSEMB_ACCUMULATE;
        if (made->call.shape.batch > 1)
            cut_batch(made, &args, first, parts[i]);
        else
            cut_columns(&args, made->call.desc.dim, first, parts[i]);
        run(state, &made->call.desc, &args);
        first += parts[i];
    }
    for (int g = 0; g < POSEMB__GRADIENTS; g++) {
        assert_memory_equal(found[g], made->expected[g], made->resolved.gradient[g].bytes);
        free(found[g]);
    }
}

void backward_case_check_cuts(backward_case_runner run, void *state)
{
    static const uint64_t rows[][4] = {{2, 3, 0, 0}, {1, 1, 2, 1}};
    static const uint64_t columns[][3] = {{32, 64, 201}, {160, 32, 105}, {288, 9, 0}};
    struct support_random random = support_random_from(77);

    for (int one_row = 0; one_row < 2; one_row++) {
        struct backward_case made = {
            .call = {.desc = {.dim = 21,
                              .norm = POSEMB_NORM_LAYER,
                              .token_scale = 1.3f,
                              .position_kind = POSEMB_LEARNED,
                              .extras = {{.ids = POSEMB_EXTRA_OF_ROW, .scale = 0.9f}}},
                     .shape = {.batch = one_row ? 1 : 5,
                               .length = one_row ? 297 : 64,
                               .vocab = 9,
                               .position_rows = 300,
                               .extras = {{.rows = 3}}}},
            .accumulation = POSEMB_OVERWRITE};

        made.wanted = backward_case_wishes(&made.call.desc, POSEMB_ACCUMULATE);
        backward_case_prepare(&random, &made);
        {
            const posemb_host_backward_args args = backward_case_args(&made, made.expected);

            run(state, &made.call.desc, &args);
        }
        for (int i = 0; !one_row && i < 2; i++)
            check_cut(&made, rows[i], i == 0 ? 2 : 4, run, state);
        for (int i = 0; one_row && i < 3; i++)
            check_cut(&made, columns[i], i == 2 ? 2 : 3, run, state);
        backward_case_free(&made);
    }
}
