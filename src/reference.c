/* The CPU reference: the definition of every value that posemb computes, one token at a time.
 * Built without contraction of a * b + c; assumes the default rounding and kept subnormals. */
#include "reference.h"

#include "../kernels/coefficients.h"
#include "convention.h"
#include "fixed_point.h"
#include "frequency.h"
#include "norm.h"
#include "params.h"
#include "positions.h"
#include "status.h"
#include "storage.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static float with_sign(float magnitude, uint32_t sign_bit)
{
    return sign_bit ? -magnitude : magnitude;
}

/* ---- Phases */

uint32_t posemb__phase(int64_t position, uint64_t step, uint64_t offset)
{
    return (uint32_t)(((uint64_t)position * step + offset) >> 32);
}

/* |position| = m * 2^exponent, m a whole number of 24 bits: m times the turns of one position,
 * shifted. */
uint32_t posemb__phase_float(float position, uint64_t step, uint32_t whole, uint64_t offset)
{
    struct posemb__fixed turns = {{(uint32_t)step, (uint32_t)(step >> 32), whole}};
    int exponent;
    const float fraction = frexpf(fabsf(position), &exponent);
    uint64_t phase;

    turns = posemb__fixed_times(turns, (uint32_t)ldexpf(fraction, 24));
    turns = posemb__fixed_scale(&turns, exponent - 24);
    phase = (uint64_t)turns.limb[1] << 32 | turns.limb[0];
    if (signbit(position))
        phase = 0 - phase;
    return (uint32_t)((phase + offset) >> 32);
}

/* ---- Sine and cosine */

void posemb__sincos(uint32_t phase, float *sine, float *cosine)
{
    const uint32_t quarter = (phase + (1u << 29)) >> 30;
    const int32_t rest = (int32_t)(phase - (quarter << 30));
    const float x = (float)rest * 0x1p-32f;
    const float u = x * x;
    const float s_poly =
        fmaf(x, POSEMB_S1, (x * u) * fmaf(u, fmaf(u, POSEMB_S7, POSEMB_S5), POSEMB_S3));
    const float c_poly =
        fmaf(u, fmaf(u, fmaf(u, fmaf(u, POSEMB_C8, POSEMB_C6), POSEMB_C4), POSEMB_C2), 1.0f);
    const float s = fabsf(s_poly);
    const float c = fabsf(c_poly);
    const bool odd = quarter & 1u;

    *sine = with_sign(odd ? c : s, phase >> 31);
    *cosine = with_sign(odd ? s : c, (phase + (1u << 30)) >> 31);
}

/* A sum that is kept in two floats: value and what it lacks. */
struct sum {
    float value;
    float rest;
};

/* The sine of x turns. */
static struct sum sine_sum(float x, float u)
{
    const float a = x * POSEMB_S1;
    const float b = fmaf(x, POSEMB_S1, -a);
    const float t = (x * u) * fmaf(u, fmaf(u, POSEMB_S7, POSEMB_S5), POSEMB_S3);
    const float value = a + t;

    return (struct sum){value, (t - (value - a)) + b};
}

static struct sum cosine_sum(float x, float u)
{
    const float r = fmaf(x, x, -u);
    const float p = fmaf(u, fmaf(u, fmaf(u, POSEMB_C8, POSEMB_C6), POSEMB_C4), POSEMB_C2);
    const float a = u * p;
    const float b = fmaf(r, p, fmaf(u, p, -a));
    const float value = 1.0f + a;

    return (struct sum){value, (a - (value - 1.0f)) + b};
}

void posemb__sincos_scaled(uint32_t phase, float amplitude, float *sine, float *cosine)
{
    const uint32_t quarter = (phase + (1u << 29)) >> 30;
    const int32_t rest = (int32_t)(phase - (quarter << 30));
    const float x = (float)rest * 0x1p-32f;
    const float u = x * x;
    const struct sum s_sum = sine_sum(x, u);
    const struct sum c_sum = cosine_sum(x, u);
    const float magnitude = fabsf(amplitude);
    const float s = fabsf(fmaf(magnitude, s_sum.value, magnitude * s_sum.rest));
    const float c = fabsf(fmaf(magnitude, c_sum.value, magnitude * c_sum.rest));
    const bool odd = quarter & 1u;
    const uint32_t flip = amplitude < 0.0f;

    *sine = with_sign(odd ? c : s, phase >> 31 ^ flip);
    *cosine = with_sign(odd ? s : c, (phase + (1u << 30)) >> 31 ^ flip);
}

/* ---- One row */

/* What one run works on. */
struct run {
    posemb_desc desc;
    struct posemb__call call;
    struct posemb__channels channels;
    const posemb_host_args *args;
    struct posemb__steps steps; /* [channels.pairs] */
    uint64_t *phases;           /* [channels.pairs] */
    posemb_storage step;        /* that steps are rounded to */
    uint32_t extras;            /* tables */
    float *pe;                  /* [D]; with the amplitude */
    float *sum;                 /* [D] */
    float *normalised;          /* [D] */
    float *work;                /* [3 D] */
};

static void sincos_of(const struct run *run, const struct posemb__segment *segment, uint32_t pair,
                      const struct posemb__position *position, float *sine, float *cosine)
{
    const size_t i = (size_t)segment->first_step + pair;
    const uint32_t axis = segment->axis;
    uint32_t phase;

    if (posemb__has_float_positions(&run->desc))
        phase = posemb__phase_float(position->real[axis], run->steps.step[i], run->steps.whole[i],
                                    run->phases[i]);
    else
        phase = posemb__phase(position->integer[axis], run->steps.step[i], run->phases[i]);
    if (run->desc.amplitude == 1.0f)
        posemb__sincos(phase, sine, cosine);
    else
        posemb__sincos_scaled(phase, run->desc.amplitude, sine, cosine);
}

/* pe[0 ... dim-1] of one segment. */
static void position_segment(const struct run *run, const struct posemb__segment *segment,
                             const struct posemb__position *position, float *pe)
{
    const struct posemb__channels *channels = &run->channels;
    float sine;
    float cosine;

    for (uint32_t i = 0; i < segment->full_pairs; i++) {
        const uint32_t first = channels->interleaved ? 2 * i : i;
        const uint32_t second = channels->interleaved ? 2 * i + 1 : segment->second_offset + i;

        sincos_of(run, segment, i, position, &sine, &cosine);
        pe[first] = channels->cosine_first ? cosine : sine;
        pe[second] = channels->cosine_first ? sine : cosine;
    }
    if (segment->lone == POSEMB__LONE_ZERO)
        pe[segment->lone_channel] = 0.0f;
    if (segment->lone == POSEMB__LONE_SINE || segment->lone == POSEMB__LONE_COSINE) {
        sincos_of(run, segment, segment->lone_pair, position, &sine, &cosine);
        pe[segment->lone_channel] = segment->lone == POSEMB__LONE_SINE ? sine : cosine;
    }
}

/* pe[0 ... D-1] of a token that has a position. */
static void position_row(const struct run *run, const struct posemb__position *position)
{
    for (uint32_t k = 0; k < run->channels.segments; k++) {
        const struct posemb__segment *segment = &run->channels.segment[k];

        position_segment(run, segment, position, run->pe + segment->channel);
    }
}

/* ---- Rows of tables */

/* A row of a table, or one to add to; `row` NULL: zeros. */
struct source {
    const char *row;
    posemb_storage storage;
    float scale; /* of an I8 row */
    float factor;
};

/* What a token's row is made of. */
struct sources {
    struct source tokens;
    struct source learned;
    struct source extras[POSEMB_EXTRAS_MAX];
    bool zero; /* the row is zeros whatever they are, by a policy */
    bool nan;  /* NaN */
};

/* What `index` names among `rows` under that policy; false, and recorded, where it is outside. */
static bool pick(int64_t index, uint64_t rows, posemb_policy policy, struct sources *sources,
                 uint64_t *picked)
{
    *picked = (uint64_t)index;
    if (index >= 0 && (uint64_t)index < rows)
        return true;
    *picked = 0;
    if (policy == POSEMB_POLICY_CLAMP)
        *picked = index < 0 ? 0 : rows - 1;
    else if (policy == POSEMB_POLICY_WRAP_NEGATIVE && index < 0 && index >= -(int64_t)rows)
        *picked = rows - (uint64_t)-index;
    else if (policy == POSEMB_POLICY_NAN_ROW)
        sources->nan = true;
    else
        sources->zero = true;
    return false;
}

static struct source row_of(const posemb_table_desc *table, const void *rows, const float *scales,
                            uint64_t stride, uint64_t index, float factor)
{
    struct source source = {(const char *)rows + index * stride, table->storage, 1.0f, factor};

    if (table->storage == POSEMB_I8)
        source.scale = posemb__load_element(
            scales, table->scaling == POSEMB_SCALE_OF_ROW ? index : 0, POSEMB_F32);
    return source;
}

static float load_source(const struct source *source, uint32_t c)
{
    const float value = source->row ? posemb__load_element(source->row, c, source->storage) : 0.0f;

    return source->storage == POSEMB_I8 ? value * source->scale : value;
}

/* The row that the id of token (b, s) names. */
static bool find_token(const struct run *run, uint64_t b, uint64_t s, struct sources *sources)
{
    const posemb_shape *shape = &run->call.shape;
    const posemb_desc *desc = &run->desc;
    const uint64_t place = b * shape->ids_batch_stride + s * posemb__number_size(desc->id_type);
    const int64_t id = posemb__load_int(run->args->ids, place, desc->id_type);
    uint64_t row;
    const bool good =
        pick(id, shape->vocab + shape->prompt_rows, desc->tokens.policy, sources, &row);

    if (row >= shape->vocab)
        sources->tokens = (struct source){(const char *)run->args->rows +
                                              (row - shape->vocab) * shape->rows_stride,
                                          desc->rows_storage, 1.0f, desc->prompt_scale};
    else if (row >= shape->shard_first && row - shape->shard_first < shape->shard_rows)
        sources->tokens = row_of(&desc->tokens, run->args->table, run->args->table_scales,
                                 shape->table_stride, row - shape->shard_first, desc->token_scale);
    else
        sources->tokens = (struct source){NULL, POSEMB_F32, 1.0f, desc->token_scale};
    return good;
}

static bool find_extra(const struct run *run, uint64_t b, uint64_t s, uint32_t k,
                       struct sources *sources)
{
    const posemb_extra_desc *extra = &run->desc.extras[k];
    const posemb_extra_shape *shape = &run->call.shape.extras[k];
    const posemb_host_extra *args = &run->args->extras[k];
    const uint64_t size = posemb__number_size(extra->id_type);
    int64_t id = shape->id;
    uint64_t row;
    bool good;

    if (extra->ids == POSEMB_EXTRA_OF_TOKEN)
        id = posemb__load_int(args->ids, b * shape->ids_batch_stride + s * size, extra->id_type);
    if (extra->ids == POSEMB_EXTRA_OF_ROW)
        id = posemb__load_int(args->ids, b * size, extra->id_type);
    good = pick(id, shape->rows, extra->table.policy, sources, &row);
    sources->extras[k] =
        row_of(&extra->table, args->table, args->scales, shape->table_stride, row, extra->scale);
    return good;
}

/* Whether the token adds a position, rather than +0. */
static bool has_position(const struct run *run, const struct posemb__position *position)
{
    return !position->pad || run->desc.pad_policy != POSEMB_PAD_ZERO_POSITION;
}

static bool find_position(const struct run *run, const struct posemb__position *position,
                          struct sources *sources)
{
    const posemb_table_desc *table = &run->desc.position_table;
    uint64_t row;
    bool good;

    if (run->desc.position_kind == POSEMB_NO_POSITION || !has_position(run, position))
        return true;
    if (!position->good) {
        sources->nan |= table->policy == POSEMB_POLICY_NAN_ROW;
        sources->zero |= table->policy != POSEMB_POLICY_NAN_ROW;
        return false;
    }
    if (run->desc.position_kind == POSEMB_SINUSOIDAL)
        return true;
    good = pick(position->integer[0], run->call.shape.position_rows, table->policy, sources, &row);
    sources->learned = row_of(table, run->args->position_table, run->args->position_scales,
                              run->call.shape.position_table_stride, row, 1.0f);
    return good;
}

static void note(uint32_t *count, uint32_t *first, uint64_t token)
{
    if (*count < UINT32_MAX)
        ++*count;
    if (token < *first)
        *first = (uint32_t)token;
}

/* Find the sources of token (b, s), and record what is bad. */
static void find_sources(const struct run *run, uint64_t b, uint64_t s,
                         const struct posemb__position *position, struct sources *sources)
{
    const posemb_shape *shape = &run->call.shape;
    const uint64_t token = b * shape->length + s;
    posemb_record unwanted = POSEMB_RECORD_CLEAR;
    posemb_record *record = run->args->record ? run->args->record : &unwanted;

    if (!find_position(run, position, sources))
        note(&record->position_count, &record->position_first, token);
    if (run->desc.operation == POSEMB_ENCODE && !find_token(run, b, s, sources))
        note(&record->id_count, &record->id_first, token);
    if (run->desc.operation == POSEMB_ADD)
        sources->tokens = (struct source){(const char *)run->args->rows +
                                              b * shape->rows_batch_stride + s * shape->rows_stride,
                                          run->desc.rows_storage, 1.0f, run->desc.token_scale};
    for (uint32_t k = 0; k < run->extras; k++)
        if (!find_extra(run, b, s, k, sources))
            note(&record->extras[k].count, &record->extras[k].first, token);
}

/* ---- One token */

static float step(const struct run *run, float value)
{
    return posemb__round_to(value, run->step);
}

/* What is added to channel c for the position. */
static float position_of(const struct run *run, const struct posemb__position *position,
                         const struct sources *sources, uint32_t c)
{
    if (!has_position(run, position))
        return 0.0f;
    return step(run, run->desc.position_kind == POSEMB_LEARNED ? load_source(&sources->learned, c)
                                                               : run->pe[c]);
}

/* sum[c] for each channel. */
static void sum_row(const struct run *run, const struct posemb__position *position,
                    const struct sources *sources)
{
    const bool positions = run->desc.position_kind != POSEMB_NO_POSITION;

    if (run->desc.position_kind == POSEMB_SINUSOIDAL && has_position(run, position))
        position_row(run, position);
    for (uint32_t c = 0; c < run->desc.dim; c++) {
        const struct source *tokens = &sources->tokens;
        float x = 0.0f;

        if (run->desc.operation == POSEMB_TABLE)
            x = position_of(run, position, sources, c);
        else
            x = step(run, tokens->factor * load_source(tokens, c));
        if (positions && run->desc.operation != POSEMB_TABLE)
            x = step(run, x + position_of(run, position, sources, c));
        for (uint32_t k = 0; k < run->extras; k++) {
            const struct source *extra = &sources->extras[k];
            const float scaled = step(run, extra->factor * load_source(extra, c));

            x = step(run, x + scaled);
        }
        run->sum[c] = x;
    }
}

/* normalised[c] from sum[c]. */
static struct posemb__moments normalise_row(const struct run *run)
{
    const posemb_desc *desc = &run->desc;
    const bool factor = desc->gamma == POSEMB_GAMMA_FACTOR;
    struct posemb__moments moments;

    if (desc->norm == POSEMB_NORM_LAYER)
        moments =
            posemb__layer_norm(run->sum, desc->dim, desc->epsilon, run->normalised, run->work);
    else
        moments = posemb__rms_norm(run->sum, desc->dim, desc->epsilon, run->normalised, run->work);
    for (uint32_t c = 0; c < desc->dim; c++) {
        float y = run->normalised[c];

        if (desc->norm == POSEMB_NORM_RMS && factor)
            y = step(run, y);
        if (posemb__has_gamma(desc)) {
            const float gamma = posemb__load_element(run->args->gamma, c, desc->norm_storage);
            const float whole = factor ? gamma : 1.0f + gamma;

            y = y * whole;
        }
        if (posemb__has_beta(desc))
            y = y + posemb__load_element(run->args->beta, c, desc->norm_storage);
        run->normalised[c] = y;
    }
    return moments;
}

static void store_row(const struct run *run, uint64_t place, void *out, const float *values)
{
    for (uint32_t c = 0; c < run->desc.dim; c++)
        posemb__store_element((char *)out + place, c, run->desc.out_storage, values[c]);
}

static void store_constant(const struct run *run, uint64_t place, void *out, float value)
{
    for (uint32_t c = 0; c < run->desc.dim; c++)
        posemb__store_element((char *)out + place, c, run->desc.out_storage, value);
}

/* The optional outputs of one token. */
static void store_extras(const struct run *run, uint64_t token,
                         const struct posemb__position *position)
{
    const uint32_t axes = posemb__axes_of(&run->desc);

    if (run->args->mask_out)
        run->args->mask_out[token] = !position->pad;
    for (uint32_t axis = 0; run->args->positions_out && axis < axes; axis++) {
        char *place = (char *)run->args->positions_out;
        const float real = position->good ? position->real[axis] : NAN;
        const int64_t integer = position->good ? position->integer[axis] : INT64_MIN;

        if (posemb__has_float_positions(&run->desc))
            memcpy(place + (token * axes + axis) * sizeof real, &real, sizeof real);
        else
            memcpy(place + (token * axes + axis) * sizeof integer, &integer, sizeof integer);
    }
}

static void store_moments(const struct run *run, uint64_t token, struct posemb__moments moments)
{
    if (run->args->mean_out)
        memcpy((char *)run->args->mean_out + token * sizeof(float), &moments.mean, sizeof(float));
    if (run->args->rstd_out)
        memcpy((char *)run->args->rstd_out + token * sizeof(float), &moments.reciprocal,
               sizeof(float));
}

static void run_token(const struct run *run, uint64_t b, uint64_t s,
                      const struct posemb__position *position)
{
    const posemb_shape *shape = &run->call.shape;
    const uint64_t place = b * shape->out_batch_stride + s * shape->out_stride;
    struct sources sources = {.zero = position->pad && run->desc.pad_policy == POSEMB_PAD_ZERO_ROW};
    struct posemb__moments moments;

    if (!sources.zero)
        find_sources(run, b, s, position, &sources);
    if (sources.zero || sources.nan) {
        const float value = sources.nan ? NAN : 0.0f;

        moments = (struct posemb__moments){value, value};
        store_constant(run, place, run->args->out, value);
        if (run->args->sum_out)
            store_constant(run, place, run->args->sum_out, value);
        store_moments(run, b * shape->length + s, moments);
        return;
    }
    sum_row(run, position, &sources);
    if (!posemb__has_norm(&run->desc)) {
        store_row(run, place, run->args->out, run->sum);
        return;
    }
    moments = normalise_row(run);
    if (run->args->sum_out)
        store_row(run, place, run->args->sum_out, run->sum);
    store_row(run, place, run->args->out, run->normalised);
    store_moments(run, b * shape->length + s, moments);
}

static void run_row(const struct run *run, struct posemb__walk *walk, uint64_t b)
{
    const uint64_t length = run->call.shape.length;
    struct posemb__position position;

    posemb__walk_begin_row(walk, b);
    for (uint64_t s = 0; s < length; s++) {
        posemb__walk_next(walk, b, s, &position);
        run_token(run, b, s, &position);
        store_extras(run, b * length + s, &position);
    }
    if (run->args->lengths_out)
        run->args->lengths_out[b] = (uint32_t)posemb__walk_row_length(walk);
}

static posemb_status run_all(struct run *run, posemb_error *error)
{
    const size_t pairs = run->channels.pairs + 1; /* never nothing */
    const size_t dim = run->desc.dim;
    struct posemb__walk walk = {.desc = &run->desc, .call = &run->call, .args = run->args};
    uint64_t *memory = calloc(pairs, 2 * sizeof(uint64_t) + sizeof(uint32_t));
    float *rows = calloc(6 * dim, sizeof *rows);

    if (!memory || !rows) {
        free(memory);
        free(rows);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for one row of dim %zu",
                            dim);
    }
    run->steps = (struct posemb__steps){memory, (uint32_t *)(memory + 2 * pairs)};
    run->phases = memory + pairs;
    run->pe = rows;
    run->sum = rows + dim;
    run->normalised = rows + 2 * dim;
    run->work = rows + 3 * dim;
    posemb__desc_steps(&run->desc, &run->channels, run->steps);
    for (uint32_t i = 0; run->desc.phases && i < run->channels.pairs; i++)
        run->phases[i] = posemb__phase_of(run->desc.phases[i]);
    for (uint64_t b = 0; b < run->call.shape.batch; b++)
        run_row(run, &walk, b);
    free(memory);
    free(rows);
    return POSEMB_OK;
}

posemb_status posemb_reference_run(const posemb_desc *desc, const posemb_host_args *args,
                                   posemb_error *error)
{
    struct run run = {.args = args};
    posemb_status status = posemb_desc_resolve(desc, &run.desc, error);

    if (status != POSEMB_OK)
        return status;
    if (!args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "args is NULL");
    run.desc.table_parts = 1;
    status = posemb__call_resolve(&run.desc, &args->shape, &run.call, error);
    if (status != POSEMB_OK || run.call.tokens == 0)
        return status;
    status = posemb__check_host_args(&run.call, args, error);
    if (status != POSEMB_OK)
        return status;
    run.channels = posemb__channels_of(&run.desc);
    run.step = posemb__step_storage(&run.desc);
    run.extras = posemb__extra_count(&run.desc);
    return run_all(&run, error);
}
