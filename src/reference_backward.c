/* The CPU reference of gradients: the definition of every value, one token at a time. Built without
 * contraction of a * b + c. */
#include "backward_params.h"
#include "checked_math.h"
#include "norm.h"
#include "positions.h"
#include "status.h"
#include "storage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Sums in the canonical order */

/* A gradient that is a sum over tokens: its rows, and the terms of the chunk at hand. */
struct sum {
    float *out;            /* [rows, D]; NULL: not wanted */
    const uint32_t *place; /* the row of `out` for each row; NULL: the same */
    float scale;
    uint64_t first; /* rows of the index set: first ... first + rows - 1 */
    uint64_t rows;
    bool *seen;   /* [rows]; which have begun */
    float *terms; /* [POSEMB_BACKWARD_CHUNK, D]; s_j of the rows that chunk j has */
    uint64_t row[POSEMB_BACKWARD_CHUNK];
    uint32_t count; /* of them */
};

/* Add a token's term to the row that it names. */
static void add_term(struct sum *sum, uint64_t row, const float *term, uint32_t dim)
{
    uint32_t i = 0;
    float *s;

    while (i < sum->count && sum->row[i] != row)
        i++;
    s = sum->terms + (size_t)i * dim;
    if (i == sum->count) {
        sum->row[sum->count++] = row;
        memcpy(s, term, dim * sizeof *s);
        return;
    }
    for (uint32_t c = 0; c < dim; c++)
        s[c] = s[c] + term[c];
}

/* Add what a chunk has to the rows. A -0 on the way may become +0 as well: no sum depends on it. */
static void end_chunk(struct sum *sum, uint32_t dim)
{
    for (uint32_t i = 0; i < sum->count; i++) {
        const uint64_t row = sum->row[i];
        const float *s = sum->terms + (size_t)i * dim;
        float *out = sum->out + (sum->place ? sum->place[row] : row) * dim;

        for (uint32_t c = 0; c < dim; c++) {
            const float scaled = sum->scale * s[c];
            const float total = sum->seen[row] ? out[c] + scaled : scaled;

            out[c] = total == 0.0f ? 0.0f : total;
        }
        sum->seen[row] = true;
    }
    sum->count = 0;
}

/* ---- One token */

enum {
    SUM_TABLE,
    SUM_SEGMENTS,
    SUM_PROMPTS,
    SUM_POSITION,
    SUM_EXTRA,
    SUM_GAMMA = SUM_EXTRA + POSEMB_EXTRAS_MAX,
    SUM_BETA,
    SUMS
};

struct run {
    posemb_desc desc;
    struct posemb__backward_call call;
    const posemb_host_backward_args *args;
    struct sum sum[SUMS];
    uint32_t *places; /* of segments */
    float *memory;    /* of the rows below, [D] each */
    float *dy;
    float *dx;
    float *normalised; /* xhat */
    float *product;
    float *work; /* [2 D] */
};

#define NO_ROW UINT64_MAX

/* The rows that a token took. */
struct token {
    bool dead; /* its row is one of zeros or NaN by a policy */
    uint64_t row[POSEMB__SETS];
};

static uint64_t pick(struct token *token, int64_t index, uint64_t rows, posemb_policy policy)
{
    if (index >= 0 && (uint64_t)index < rows)
        return (uint64_t)index;
    if (policy == POSEMB_POLICY_CLAMP)
        return index < 0 ? 0 : rows - 1;
    if (policy == POSEMB_POLICY_WRAP_NEGATIVE && index < 0 && index >= -(int64_t)rows)
        return rows - (uint64_t)-index;
    token->dead = true;
    return NO_ROW;
}

/* The position that the forward call used; false where it was bad. */
static bool load_position(const struct run *run, uint64_t b, uint64_t s, int64_t *position)
{
    const uint64_t place =
        (b * run->call.shape.length + s) * posemb__axes_of(&run->desc); /* of the first axis */

    *position = run->call.shape.start + (int64_t)run->call.shape.past + (int64_t)s;
    if (!posemb__reads_positions(&run->desc))
        return true;
    if (posemb__has_float_positions(&run->desc))
        return !isnan(posemb__load_float(run->args->positions, place * sizeof(float)));
    *position = posemb__load_int(run->args->positions, place * sizeof(int64_t), POSEMB_INT64);
    return *position != INT64_MIN;
}

static void find_position(const struct run *run, uint64_t b, uint64_t s, bool pad,
                          struct token *token)
{
    int64_t position;

    if (run->desc.position_kind == POSEMB_NO_POSITION ||
        (pad && run->desc.pad_policy == POSEMB_PAD_ZERO_POSITION))
        return;
    if (!load_position(run, b, s, &position))
        token->dead = true;
    else if (run->desc.position_kind == POSEMB_LEARNED)
        token->row[POSEMB__SET_POSITION] =
            pick(token, position, run->call.shape.position_rows, run->desc.position_table.policy);
}

/* Rows of the shard, then soft prompts; those of other shards have no gradient here. */
static void find_token(const struct run *run, uint64_t b, uint64_t s, struct token *token)
{
    const posemb_shape *shape = &run->call.shape;
    const uint64_t place = b * shape->ids_batch_stride + s * posemb__number_size(run->desc.id_type);
    const int64_t id = posemb__load_int(run->args->ids, place, run->desc.id_type);
    const uint64_t row =
        pick(token, id, shape->vocab + shape->prompt_rows, run->desc.tokens.policy);

    if (row == NO_ROW)
        return;
    if (row >= shape->vocab)
        token->row[POSEMB__SET_TOKEN] = shape->shard_rows + (row - shape->vocab);
    else if (row >= shape->shard_first && row - shape->shard_first < shape->shard_rows)
        token->row[POSEMB__SET_TOKEN] = row - shape->shard_first;
}

static void find_extra(const struct run *run, uint64_t b, uint64_t s, uint32_t k,
                       struct token *token)
{
    const posemb_extra_desc *extra = &run->desc.extras[k];
    const posemb_extra_shape *shape = &run->call.shape.extras[k];
    const void *ids = run->args->extra_ids[k];
    const uint64_t size = posemb__number_size(extra->id_type);
    int64_t id = shape->id;

    if (extra->ids == POSEMB_EXTRA_OF_TOKEN)
        id = posemb__load_int(ids, b * shape->ids_batch_stride + s * size, extra->id_type);
    if (extra->ids == POSEMB_EXTRA_OF_ROW)
        id = posemb__load_int(ids, b * size, extra->id_type);
    token->row[POSEMB__SET_EXTRA + k] = pick(token, id, shape->rows, extra->table.policy);
}

static struct token find(const struct run *run, uint64_t t)
{
    const uint64_t b = t / run->call.shape.length;
    const uint64_t s = t % run->call.shape.length;
    const bool pad = posemb__reads_mask(&run->desc) && !run->args->mask[t];
    struct token token = {.dead = pad && run->desc.pad_policy == POSEMB_PAD_ZERO_ROW};

    for (int set = 0; set < POSEMB__SETS; set++)
        token.row[set] = NO_ROW;
    if (token.dead)
        return token;
    find_position(run, b, s, pad, &token);
    if (run->desc.operation == POSEMB_ENCODE)
        find_token(run, b, s, &token);
    for (uint32_t k = 0; k < posemb__extra_count(&run->desc); k++)
        find_extra(run, b, s, k, &token);
    return token;
}

/* ---- The row of a token */

/* normalised[c], from what the forward call left of x. */
static float load_moments(struct run *run, uint64_t t, const char *x)
{
    const float mean = run->desc.norm == POSEMB_NORM_LAYER
                           ? posemb__load_element(run->args->mean, t, POSEMB_F32)
                           : 0.0f;
    const float r = posemb__load_element(run->args->rstd, t, POSEMB_F32);

    for (uint32_t c = 0; c < run->desc.dim; c++) {
        const float value = posemb__load_element(x, c, run->desc.out_storage);

        run->normalised[c] = (run->desc.norm == POSEMB_NORM_LAYER ? value - mean : value) * r;
    }
    return r;
}

/* dx[c], where it is still dy[c], through the norm. */
static void through_norm(struct run *run, float r)
{
    const posemb_desc *desc = &run->desc;
    const uint32_t dim = desc->dim;
    const float inverse = 1.0f / (float)dim;
    const bool layer = desc->norm == POSEMB_NORM_LAYER;
    float mean_a = 0.0f;
    float mean_b;

    for (uint32_t c = 0; posemb__has_gamma(desc) && c < dim; c++) {
        const float gamma = posemb__load_element(run->args->gamma, c, desc->norm_storage);

        run->dx[c] = run->dx[c] * (desc->gamma == POSEMB_GAMMA_ONE_PLUS ? 1.0f + gamma : gamma);
    }
    for (uint32_t c = 0; c < dim; c++)
        run->product[c] = run->dx[c] * run->normalised[c];
    if (layer)
        mean_a = posemb__fold(run->dx, dim, run->work) * inverse;
    mean_b = posemb__fold(run->product, dim, run->work) * inverse;
    for (uint32_t c = 0; c < dim; c++) {
        const float centred = layer ? run->dx[c] - mean_a : run->dx[c];
        const float along = run->normalised[c] * mean_b;

        run->dx[c] = (centred - along) * r;
    }
}

/* dy, normalised and dx of token t. */
static void fill_rows(struct run *run, uint64_t t)
{
    const posemb_shape *shape = &run->call.shape;
    const uint64_t place =
        t / shape->length * shape->out_batch_stride + t % shape->length * shape->out_stride;
    const char *dy = (const char *)run->args->out_grad + place;

    for (uint32_t c = 0; c < run->desc.dim; c++)
        run->dy[c] = posemb__load_element(dy, c, run->desc.out_storage);
    memcpy(run->dx, run->dy, run->desc.dim * sizeof *run->dx);
    if (posemb__has_norm(&run->desc))
        through_norm(run, load_moments(run, t, (const char *)run->args->sum + place));
}

/* The gradient of the row that came as an embedding. */
static void store_row(const struct run *run, uint64_t t, bool dead)
{
    const uint32_t dim = run->desc.dim;
    float *out = run->args->rows_grad + t * dim;

    for (uint32_t c = 0; c < dim; c++) {
        const float scaled = run->desc.token_scale * run->dx[c];
        float total = run->call.accumulate ? out[c] + scaled : scaled;

        if (dead)
            total = run->call.accumulate ? out[c] : 0.0f;
        else if (total == 0.0f)
            total = 0.0f;
        out[c] = total;
    }
}

static void add_to(struct sum *sum, uint64_t row, const float *term, uint32_t dim)
{
    if (sum->out && row != NO_ROW && row >= sum->first && row - sum->first < sum->rows)
        add_term(sum, row - sum->first, term, dim);
}

static void run_token(struct run *run, uint64_t t)
{
    const struct token token = find(run, t);
    const uint32_t dim = run->desc.dim;

    if (!token.dead)
        fill_rows(run, t);
    if (run->desc.operation == POSEMB_ADD && run->args->rows_grad)
        store_row(run, t, token.dead);
    if (token.dead)
        return;
    for (int i = SUM_TABLE; i <= SUM_PROMPTS; i++)
        add_to(&run->sum[i], token.row[POSEMB__SET_TOKEN], run->dx, dim);
    add_to(&run->sum[SUM_POSITION], token.row[POSEMB__SET_POSITION], run->dx, dim);
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        add_to(&run->sum[SUM_EXTRA + k], token.row[POSEMB__SET_EXTRA + k], run->dx, dim);
    for (uint32_t c = 0; posemb__has_norm(&run->desc) && c < dim; c++)
        run->product[c] = run->dy[c] * run->normalised[c];
    add_to(&run->sum[SUM_GAMMA], 0, run->product, dim);
    add_to(&run->sum[SUM_BETA], 0, run->dy, dim);
}

/* ---- The call */

/* Number the rows of the token table that have terms; writes segment_rows and segment_count. */
static void number_segments(struct run *run)
{
    const uint64_t rows = run->sum[SUM_SEGMENTS].rows;
    uint32_t count = 0;

    for (uint64_t t = 0; t < run->call.tokens; t++) {
        const struct token token = find(run, t);

        if (!token.dead && token.row[POSEMB__SET_TOKEN] < rows)
            run->places[token.row[POSEMB__SET_TOKEN]] = 1;
    }
    for (uint64_t row = 0; row < rows; row++) {
        if (!run->places[row])
            continue;
        run->args->segment_rows[count] = (uint32_t)row;
        run->places[row] = count++;
    }
    *run->args->segment_count = count;
}

static void set_sum(struct run *run, int which, float *out, float scale, uint64_t first,
                    uint64_t rows)
{
    run->sum[which] = (struct sum){.out = out, .scale = scale, .first = first, .rows = rows};
}

static void set_sums(struct run *run)
{
    const posemb_host_backward_args *args = run->args;
    const posemb_desc *desc = &run->desc;
    const posemb_shape *shape = &run->call.shape;
    const uint64_t here = shape->shard_rows;

    set_sum(run, SUM_TABLE, args->table_grad, desc->token_scale, 0, here);
    set_sum(run, SUM_SEGMENTS, args->segment_grads, desc->token_scale, 0, here);
    if (desc->operation == POSEMB_ENCODE && shape->prompt_rows > 0)
        set_sum(run, SUM_PROMPTS, args->rows_grad, desc->prompt_scale, here, shape->prompt_rows);
    set_sum(run, SUM_POSITION, args->position_grad, 1.0f, 0, shape->position_rows);
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        set_sum(run, SUM_EXTRA + (int)k, args->extra_grad[k], desc->extras[k].scale, 0,
                shape->extras[k].rows);
    set_sum(run, SUM_GAMMA, args->gamma_grad, 1.0f, 0, 1);
    set_sum(run, SUM_BETA, args->beta_grad, 1.0f, 0, 1);
}

static bool allocate(struct run *run)
{
    const size_t dim = run->desc.dim;
    bool there = true;

    run->memory = calloc(6 * dim, sizeof(float));
    if (run->sum[SUM_SEGMENTS].out)
        run->places = calloc((size_t)run->sum[SUM_SEGMENTS].rows, sizeof *run->places);
    run->sum[SUM_SEGMENTS].place = run->places;
    there = run->memory && (run->places || !run->sum[SUM_SEGMENTS].out);
    for (int i = 0; there && i < SUMS; i++) {
        struct sum *sum = &run->sum[i];

        if (!sum->out)
            continue;
        sum->seen = malloc((size_t)sum->rows * sizeof *sum->seen);
        sum->terms = calloc(POSEMB_BACKWARD_CHUNK * dim, sizeof *sum->terms);
        there = sum->seen && sum->terms;
        if (sum->seen)
            memset(sum->seen, run->call.accumulate, (size_t)sum->rows * sizeof *sum->seen);
    }
    run->dy = run->memory;
    run->dx = run->memory ? run->memory + dim : NULL;
    run->normalised = run->memory ? run->memory + 2 * dim : NULL;
    run->product = run->memory ? run->memory + 3 * dim : NULL;
    run->work = run->memory ? run->memory + 4 * dim : NULL;
    return there;
}

static void release(const struct run *run)
{
    for (int i = 0; i < SUMS; i++) {
        free(run->sum[i].seen);
        free(run->sum[i].terms);
    }
    free(run->places);
    free(run->memory);
}

/* -0 becomes +0. */
static void clear_signs(float *values, uint32_t count)
{
    for (uint32_t c = 0; values && c < count; c++)
        if (values[c] == 0.0f)
            values[c] = 0.0f;
}

/* Zeros in every gradient that is replaced, where no term follows. */
static void clear(const struct run *run)
{
    const struct posemb__backward_call *call = &run->call;

    if (call->accumulate && call->tokens > 0) {
        clear_signs(run->args->gamma_grad, run->desc.dim);
        clear_signs(run->args->beta_grad, run->desc.dim);
    }
    for (int g = 0; !call->accumulate && g < POSEMB__GRADIENTS; g++)
        if (posemb__wants(call, (enum posemb__gradient)g) && g != POSEMB__GRAD_SEGMENTS &&
            g != POSEMB__GRAD_SEGMENT_ROWS)
            memset(posemb__host_gradient(run->args, (enum posemb__gradient)g), 0,
                   (size_t)call->gradient[g].bytes);
}

static posemb_status run_all(struct run *run, posemb_error *error)
{
    const uint64_t tokens = run->call.tokens;

    if (tokens > 0)
        set_sums(run);
    if (tokens > 0 && !allocate(run)) {
        release(run);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for gradients");
    }
    clear(run);
    if (tokens > 0 && run->args->segment_grads)
        number_segments(run);
    for (uint64_t t = 0; t < tokens; t++) {
        run_token(run, t);
        if ((t + 1) % POSEMB_BACKWARD_CHUNK == 0 || t + 1 == tokens)
            for (int i = 0; i < SUMS; i++)
                end_chunk(&run->sum[i], run->desc.dim);
    }
    release(run);
    return POSEMB_OK;
}

posemb_status posemb_reference_backward(const posemb_desc *desc,
                                        const posemb_host_backward_args *args, posemb_error *error)
{
    struct run run = {.args = args};
    posemb_status status = posemb_desc_resolve(desc, &run.desc, error);

    if (status != POSEMB_OK)
        return status;
    if (!args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "args is NULL");
    run.desc.table_parts = 1;
    status = posemb__backward_resolve(&run.desc, &args->shape, args->accumulation,
                                      posemb__host_wanted(args), &run.call, error);
    if (status == POSEMB_OK)
        status = posemb__check_host_backward(&run.call, args, error);
    return status == POSEMB_OK ? run_all(&run, error) : status;
}
