/* The CPU reference: the definition of every value that posemb computes, one token at a time.
 * Built without contraction of a * b + c; assumes the default rounding and kept subnormals. */
#include "reference.h"

#include "../kernels/coefficients.h"
#include "convention.h"
#include "frequency.h"
#include "params.h"
#include "status.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static float with_sign(float magnitude, uint32_t sign_bit)
{
    return sign_bit ? -magnitude : magnitude;
}

uint32_t posemb__phase(int64_t position, uint64_t step)
{
    return (uint32_t)(((uint64_t)position * step) >> 32);
}

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

/* pe[0 ... D-1] = PE(position). */
static void position_row(const struct posemb__channels *channels, const uint64_t *steps,
                         int64_t position, float *pe)
{
    for (uint32_t i = 0; i < channels->full_pairs; i++) {
        const uint32_t sine = channels->interleaved ? 2 * i : i;
        const uint32_t cosine = channels->interleaved ? 2 * i + 1 : channels->cosine_offset + i;

        posemb__sincos(posemb__phase(position, steps[i]), &pe[sine], &pe[cosine]);
    }
    if (channels->lone == POSEMB__LONE_ZERO)
        pe[channels->lone_channel] = 0.0f;
    if (channels->lone == POSEMB__LONE_SINE) {
        float unused;
        const uint32_t last = channels->pairs - 1;

        posemb__sincos(posemb__phase(position, steps[last]), &pe[channels->lone_channel], &unused);
    }
}

static int64_t load_int(const void *base, uint64_t byte_offset, posemb_int_type type)
{
    const char *place = (const char *)base + byte_offset;
    int32_t narrow;
    int64_t wide;

    if (type == POSEMB_INT64) {
        memcpy(&wide, place, sizeof wide);
        return wide;
    }
    memcpy(&narrow, place, sizeof narrow);
    return narrow;
}

static float load_float(const void *base, uint64_t byte_offset)
{
    float value;

    memcpy(&value, (const char *)base + byte_offset, sizeof value);
    return value;
}

/* What one run works on. */
struct run {
    posemb_desc desc;
    struct posemb__call call;
    struct posemb__channels channels;
    const posemb_host_args *args;
    const uint64_t *steps;
    float *pe; /* [D] */
};

/* The position of token (b, s); false where it is outside the range. */
static bool find_position(const struct run *run, uint64_t b, uint64_t s, int64_t *position)
{
    const posemb_shape *shape = &run->call.shape;
    const posemb_int_type type = run->desc.position_type;
    const uint64_t size = posemb__int_size(type);
    const void *positions = run->args->positions;
    int64_t given = 0;
    int64_t offset = shape->start;

    switch (run->desc.positions) {
    case POSEMB_POSITIONS_ROW_START:
        given = load_int(positions, b * size, type);
        offset += (int64_t)s;
        break;
    case POSEMB_POSITIONS_EXPLICIT:
        given = load_int(positions, b * shape->positions_batch_stride + s * size, type);
        break;
    case POSEMB_POSITIONS_EXPLICIT_SHARED:
        given = load_int(positions, s * size, type);
        break;
    default:
        offset += (int64_t)s;
        break;
    }
    if (given < POSEMB_POSITION_MIN - offset || given > POSEMB_POSITION_MAX - offset)
        return false;
    *position = given + offset;
    return true;
}

/* The byte offset of the row of E that token (b, s) names; false where the id is outside. */
static bool find_table_row(const struct run *run, uint64_t b, uint64_t s, uint64_t *offset)
{
    const posemb_shape *shape = &run->call.shape;
    const posemb_int_type type = run->desc.id_type;
    const uint64_t place = b * shape->ids_batch_stride + s * posemb__int_size(type);
    const int64_t id = load_int(run->args->ids, place, type);

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
            const float scaled = run->desc.token_scale * load_float(source, c * sizeof(float));
            value = scaled + run->pe[c];
        }
        memcpy(out + c * sizeof(float), &value, sizeof value);
    }
}

static void run_token(const struct run *run, uint64_t b, uint64_t s)
{
    const posemb_shape *shape = &run->call.shape;
    char *out = (char *)run->args->out + b * shape->out_batch_stride + s * shape->out_stride;
    const char *source = NULL;
    uint64_t offset = 0;
    int64_t position = 0;
    const bool position_good = find_position(run, b, s, &position);
    const bool id_good = run->desc.operation != POSEMB_ENCODE || find_table_row(run, b, s, &offset);

    record_bad(run, b * shape->length + s, id_good, position_good);
    if (!id_good || !position_good) {
        memset(out, 0, run->desc.dim * sizeof(float));
        return;
    }
    if (run->desc.operation == POSEMB_ENCODE)
        source = (const char *)run->args->table + offset;
    if (run->desc.operation == POSEMB_ADD)
        source =
            (const char *)run->args->rows + b * shape->rows_batch_stride + s * shape->rows_stride;
    position_row(&run->channels, run->steps, position, run->pe);
    store_row(run, source, out);
}

static posemb_status check_pointers(const posemb_desc *desc, const posemb_host_args *args,
                                    posemb_error *error)
{
    const char *missing = NULL;

    if (!args->out)
        missing = "out";
    if (desc->positions != POSEMB_POSITIONS_INDEX && !args->positions)
        missing = "positions";
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
    const posemb_shape *shape = &run->call.shape;
    uint64_t *steps = malloc((run->channels.pairs + 1) * sizeof *steps);
    float *pe = calloc(run->desc.dim, sizeof *pe);

    if (!steps || !pe) {
        free(steps);
        free(pe);
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for one row of dim %u",
                            (unsigned)run->desc.dim);
    }
    posemb__phase_steps(run->desc.base, run->channels.numerator, run->channels.denominator,
                        run->channels.pairs, steps);
    run->steps = steps;
    run->pe = pe;
    for (uint64_t b = 0; b < shape->batch; b++)
        for (uint64_t s = 0; s < shape->length; s++)
            run_token(run, b, s);
    free(steps);
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
