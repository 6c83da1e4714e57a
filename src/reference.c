/* The CPU reference: the definition of every value that posemb computes, one token at a time.
 * Built without contraction of a * b + c; assumes the default rounding and kept subnormals. */
#include "reference.h"

#include "../kernels/coefficients.h"
#include "convention.h"
#include "fixed_point.h"
#include "frequency.h"
#include "params.h"
#include "positions.h"
#include "status.h"

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
    float *pe;                  /* [D]; with the amplitude */
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

/* pe[0 ... D-1], zeros for a pad without a position. */
static void position_row(const struct run *run, const struct posemb__position *position)
{
    if (position->pad && run->desc.pad_policy == POSEMB_PAD_ZERO_POSITION) {
        memset(run->pe, 0, run->desc.dim * sizeof *run->pe);
        return;
    }
    for (uint32_t k = 0; k < run->channels.segments; k++) {
        const struct posemb__segment *segment = &run->channels.segment[k];

        position_segment(run, segment, position, run->pe + segment->channel);
    }
}

/* The byte offset of the row of E that token (b, s) names; false where the id is outside. */
static bool find_table_row(const struct run *run, uint64_t b, uint64_t s, uint64_t *offset)
{
    const posemb_shape *shape = &run->call.shape;
    const posemb_number_type type = run->desc.id_type;
    const uint64_t place = b * shape->ids_batch_stride + s * posemb__number_size(type);
    const int64_t id = posemb__load_int(run->args->ids, place, type);

    if (id < 0 || (uint64_t)id >= shape->vocab)
        return false;
    *offset = (uint64_t)id * shape->table_stride;
    return true;
}

static void note(uint32_t *count, uint32_t *first, uint64_t token)
{
    if (*count < UINT32_MAX)
        ++*count;
    if (token < *first)
        *first = (uint32_t)token;
}

static void record_bad(const struct run *run, uint64_t token, bool id_good, bool position_good)
{
    posemb_record *record = run->args->record;

    if (record && !id_good)
        note(&record->id_count, &record->id_first, token);
    if (record && !position_good)
        note(&record->position_count, &record->position_first, token);
}

/* out[c] = token_scale * source[c] + pe[c], or pe[c] alone. */
static void store_row(const struct run *run, const void *source, char *out)
{
    for (uint32_t c = 0; c < run->desc.dim; c++) {
        float value = run->pe[c];

        if (source) {
            const float scaled =
                run->desc.token_scale * posemb__load_float(source, c * sizeof(float));
            value = scaled + run->pe[c];
        }
        memcpy(out + c * sizeof(float), &value, sizeof value);
    }
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

static void run_token(const struct run *run, uint64_t b, uint64_t s,
                      const struct posemb__position *position)
{
    const posemb_shape *shape = &run->call.shape;
    char *out = (char *)run->args->out + b * shape->out_batch_stride + s * shape->out_stride;
    const bool zero_row = position->pad && run->desc.pad_policy == POSEMB_PAD_ZERO_ROW;
    const bool needs_position = !position->pad || run->desc.pad_policy == POSEMB_PAD_COMPUTED;
    const bool position_good = position->good || !needs_position;
    const char *source = NULL;
    uint64_t offset = 0;
    const bool id_good =
        zero_row || run->desc.operation != POSEMB_ENCODE || find_table_row(run, b, s, &offset);

    record_bad(run, b * shape->length + s, id_good, position_good);
    if (!id_good || !position_good || zero_row) {
        memset(out, 0, run->desc.dim * sizeof(float));
        return;
    }
    if (run->desc.operation == POSEMB_ENCODE)
        source = (const char *)run->args->table + offset;
    if (run->desc.operation == POSEMB_ADD)
        source =
            (const char *)run->args->rows + b * shape->rows_batch_stride + s * shape->rows_stride;
    position_row(run, position);
    store_row(run, source, out);
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

static posemb_status check_pointers(const posemb_desc *desc, const posemb_host_args *args,
                                    posemb_error *error)
{
    const char *missing = NULL;

    if (!args->out)
        missing = "out";
    if (posemb__has_positions(desc) && !args->positions)
        missing = "positions";
    if ((desc->padding == POSEMB_PADDING_MASK || desc->padding == POSEMB_PADDING_LEFT_COUNT ||
         desc->padding == POSEMB_PADDING_LEFT_LENGTH) &&
        !args->padding)
        missing = "padding";
    if (desc->operation == POSEMB_ADD && !args->rows)
        missing = "rows";
    if (desc->operation == POSEMB_ENCODE && !args->table)
        missing = "table";
    if (desc->operation == POSEMB_ENCODE && !args->ids)
        missing = "ids";
    if (missing)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL", missing);
    return POSEMB_OK;
}

static posemb_status run_all(struct run *run, posemb_error *error)
{
    const size_t pairs = run->channels.pairs + 1; /* never nothing */
    struct posemb__walk walk = {.desc = &run->desc, .call = &run->call, .args = run->args};
    uint64_t *memory = calloc(pairs, 2 * sizeof(uint64_t) + sizeof(uint32_t));
    float *pe = calloc(run->desc.dim, sizeof *pe);

    if (!memory || !pe) {
        free(memory);
        free(pe);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for one row of dim %u",
                            (unsigned)run->desc.dim);
    }
    run->steps = (struct posemb__steps){memory, (uint32_t *)(memory + 2 * pairs)};
    run->phases = memory + pairs;
    run->pe = pe;
    posemb__desc_steps(&run->desc, &run->channels, run->steps);
    for (uint32_t i = 0; run->desc.phases && i < run->channels.pairs; i++)
        run->phases[i] = posemb__phase_of(run->desc.phases[i]);
    for (uint64_t b = 0; b < run->call.shape.batch; b++)
        run_row(run, &walk, b);
    free(memory);
    free(pe);
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
    status = posemb__call_resolve(&run.desc, &args->shape, &run.call, error);
    if (status != POSEMB_OK || run.call.tokens == 0)
        return status;
    status = check_pointers(&run.desc, args, error);
    if (status != POSEMB_OK)
        return status;
    run.channels = posemb__channels_of(&run.desc);
    return run_all(&run, error);
}
