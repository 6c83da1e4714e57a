/* What other packages computed (tests/golden), against posemb and against the exact values.
 *
 * The exact values are MPFR's, from the formulas in posemb.h written anew: nothing of src/ is asked
 * for a frequency, a channel or a position. posemb has to be within its promise of them, and each
 * framework as far off as its line says.
 *
 *     test_goldens FOLDER
 */
#include "file_bytes.h"
#include "npy.h"
#include "support/golden.h"
#include "support/limits.h"

#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mpfr.h>

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION  256
#define MODELS_MAX 64
#define DIM_MAX    4096

#define TABLES_MIN       100
#define RULES_MIN        30
#define STAGES_MIN       8
#define PRESET_RULES_MIN 27

/* Lines give the largest error with three digits. */
#define PRINTED 1.006

/* How far a framework with float angles may be, in roundings of 2^-24. With L = ln(1 / w) the
 * argument of exp(-L) has up to three (the constant, its product with i, a quotient), which L
 * multiplies, and exp() is off by an ulp, which is two; w * position has one more, and so has a
 * scaled position. w * (3 L + 4) is largest at L = 0: four of the largest angle. Then a sine is off
 * by an ulp, which is one below 1, and an amplitude and its product by half of one each. */
#define ANGLE_ROUNDINGS 4.0
#define VALUE_ROUNDINGS 2.0
#define ROUNDING        0x1p-24

static uint32_t dim_of(const struct tsv_line *line)
{
    const int64_t dim = tsv_integer(tsv_field(line, "dim"));

    assert_in_range(dim, 1, DIM_MAX);
    return (uint32_t)dim;
}

/* Rows of a framework's values. Floats are doubles here, exactly. */
struct values {
    uint64_t rows;
    uint64_t dim;
    double *data;
};

/* The header of rows of double, [rows, dim], as NumPy writes it; compared as a whole. */
static void read_doubles_header(const char *name, const char *header, size_t size,
                                struct values *values)
{
    char expected[128];
    const char *const shape = strchr(header, '(');
    char *end = NULL;
    int length;

    if (shape)
        values->rows = strtoull(shape + 1, &end, 10);
    if (end && *end == ',')
        values->dim = strtoull(end + 1, NULL, 10);
    length =
        snprintf(expected, sizeof expected,
                 "{'descr': '<f8', 'fortran_order': False, 'shape': (%" PRIu64 ", %" PRIu64 "), }",
                 values->rows, values->dim);
    assert_true(length > 0 && (size_t)length < sizeof expected);
    if ((size_t)length >= size || strncmp(header, expected, (size_t)length) != 0)
        fail_msg("%s has no rows of double", name);
    assert_in_range(values->rows, 1, 100000);
    assert_in_range(values->dim, 1, DIM_MAX);
}

/* Files of double, which npy.h does not read: version 1, rank 2, in C order. */
static struct values read_doubles(const char *name)
{
    static const char magic[] = "\x93NUMPY\x01"; /* and the minor version, 0 */
    struct values values = {0};
    size_t size, header, bytes;
    char *text = golden_read_file(name, &size);

    if (size < 10 || memcmp(text, magic, sizeof magic) != 0)
        fail_msg("%s is no .npy file of version 1", name);
    header = load_u16((const unsigned char *)text + 8);
    if (size < 10 + header)
        fail_msg("%s ends in its header", name);
    read_doubles_header(name, text + 10, header, &values);
    bytes = (size_t)(values.rows * values.dim) * sizeof(double);
    assert_int_equal(size, 10 + header + bytes);
    values.data = golden_array(bytes, 1);
    memcpy(values.data, text + 10 + header, bytes);
    free(text);
    return values;
}

/* A file of float or double, the last axis is that of the channels. */
static struct values read_values(const char *name)
{
    char path[GOLDEN_PATH_SIZE];
    npy_array array;
    struct values values = {0};

    golden_path(name, path);
    if (npy_read(path, &array, NULL) != POSEMB_OK)
        return read_doubles(name);
    if (array.type != NPY_F4 || array.rank < 2 || array.count == 0)
        fail_msg("%s has no rows of float", name);
    values.dim = array.shape[array.rank - 1];
    values.rows = array.count / values.dim;
    values.data = golden_array(array.count, sizeof(double));
    for (uint64_t n = 0; n < array.count; n++)
        values.data[n] = ((const float *)array.data)[n];
    npy_free(&array);
    return values;
}

/* ---- Exact values */

enum kind { SINE, COSINE, ZERO };

/* What a convention says of D channels. */
struct sinusoid {
    posemb_convention convention;
    uint32_t dim;
    double base;
    double frequency;
    bool cosine_first;
    double twice_denominator; /* w_i = frequency * base^(-2i / this) */
};

struct channel {
    enum kind kind;
    uint32_t pair;
    mpfr_t omega;
};

static posemb_convention convention_of(const char *name)
{
    static const struct {
        const char *name;
        posemb_convention convention;
    } names[] = {
        {"vaswani", POSEMB_VASWANI},
        {"t2t", POSEMB_T2T},
        {"marian-hf", POSEMB_MARIAN_HF},
        {"marian-cpp", POSEMB_MARIAN_CPP},
        {"dit", POSEMB_DIT},
        {"ddpm", POSEMB_DDPM},
        {"xtransformers", POSEMB_XTRANSFORMERS},
        {"mlx", POSEMB_MLX},
        {"detr", POSEMB_DETR},
    };

    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        if (strcmp(names[n].name, name) == 0)
            return names[n].convention;
    fail_msg("\"%s\" is no convention", name);
    return POSEMB_CONVENTION_DEFAULT;
}

/* 2 d, of the d that posemb.h gives for each convention; all are whole numbers. */
static double twice_denominator(posemb_convention convention, uint32_t dim)
{
    const uint32_t half = dim / 2;

    switch (convention) {
    case POSEMB_VASWANI:
    case POSEMB_MARIAN_HF:
    case POSEMB_DETR:
        return dim;
    case POSEMB_DIT:
    case POSEMB_XTRANSFORMERS:
        return 2.0 * half;
    case POSEMB_MARIAN_CPP:
        return dim - 2.0;
    default: /* T2T, DDPM, MLX */
        return 2.0 * half - 2.0;
    }
}

static struct sinusoid default_sinusoid(posemb_convention convention, uint32_t dim)
{
    return (struct sinusoid){.convention = convention,
                             .dim = dim,
                             .base = 10000.0,
                             .frequency = 1.0,
                             .cosine_first = convention == POSEMB_DIT,
                             .twice_denominator = twice_denominator(convention, dim)};
}

/* [f0 g0 f1 g1 ...]: the last of an odd D is an f by itself. */
static enum kind interleaved_channel(const struct sinusoid *sinusoid, uint32_t c, uint32_t *pair)
{
    *pair = c / 2;
    return (c % 2 == 1) == sinusoid->cosine_first ? SINE : COSINE;
}

/* [f0 f1 ... g0 g1 ...], and what an odd D has more: an f, g0 or a zero. */
static enum kind halved_channel(const struct sinusoid *sinusoid, uint32_t c, uint32_t *pair)
{
    const uint32_t half = sinusoid->dim / 2;
    const bool one_first_more = sinusoid->convention == POSEMB_MARIAN_HF && sinusoid->dim % 2;
    const uint32_t firsts = half + (one_first_more ? 1 : 0);
    const enum kind second = sinusoid->cosine_first ? SINE : COSINE;

    if (c < firsts) {
        *pair = c;
        return second == SINE ? COSINE : SINE;
    }
    *pair = c - firsts;
    if (*pair < half)
        return second;
    *pair = 0;
    return sinusoid->convention == POSEMB_MARIAN_CPP ? second : ZERO;
}

static enum kind channel_kind(const struct sinusoid *sinusoid, uint32_t c, uint32_t *pair)
{
    switch (sinusoid->convention) {
    case POSEMB_DETR:
    case POSEMB_VASWANI:
        return interleaved_channel(sinusoid, c, pair);
    default:
        return halved_channel(sinusoid, c, pair);
    }
}

/* frequency * base^(-2i / twice_denominator); that of pair 0 needs no denominator. */
static void set_omega(mpfr_t omega, const struct sinusoid *sinusoid, uint32_t pair)
{
    mpfr_set_ui(omega, 0, MPFR_RNDN);
    if (pair > 0) {
        mpfr_set_d(omega, sinusoid->base, MPFR_RNDN);
        mpfr_log(omega, omega, MPFR_RNDN);
        mpfr_mul_si(omega, omega, -2 * (long)pair, MPFR_RNDN);
        mpfr_div_d(omega, omega, sinusoid->twice_denominator, MPFR_RNDN);
    }
    mpfr_exp(omega, omega, MPFR_RNDN);
    mpfr_mul_d(omega, omega, sinusoid->frequency, MPFR_RNDN);
}

static void fill_channels(const struct sinusoid *sinusoid, struct channel *channels)
{
    const bool even = sinusoid->dim % 2 == 0;

    assert_true(even ||
                (sinusoid->convention != POSEMB_XTRANSFORMERS &&
                 sinusoid->convention != POSEMB_MLX && sinusoid->convention != POSEMB_DETR));
    for (uint32_t c = 0; c < sinusoid->dim; c++) {
        channels[c].kind = channel_kind(sinusoid, c, &channels[c].pair);
        mpfr_init2(channels[c].omega, PRECISION);
        set_omega(channels[c].omega, sinusoid, channels[c].pair);
    }
}

static struct channel *make_channels(const struct sinusoid *sinusoid)
{
    struct channel *channels = golden_array(sinusoid->dim, sizeof *channels);

    fill_channels(sinusoid, channels);
    return channels;
}

static void free_channels(struct channel *channels, uint32_t dim)
{
    for (uint32_t c = 0; c < dim; c++)
        mpfr_clear(channels[c].omega);
    free(channels);
    mpfr_free_cache();
}

/* Sine or cosine of position * scale * w, without an amplitude. Positions are floats, or integers
 * that double holds exactly. */
static void set_exact(mpfr_t value, const struct channel *channel, double position, double scale)
{
    if (channel->kind == ZERO) {
        mpfr_set_ui(value, 0, MPFR_RNDN);
        return;
    }
    mpfr_mul_d(value, channel->omega, position, MPFR_RNDN);
    mpfr_mul_d(value, value, scale, MPFR_RNDN);
    if (channel->kind == SINE)
        mpfr_sin(value, value, MPFR_RNDN);
    else
        mpfr_cos(value, value, MPFR_RNDN);
}

/* |value - exact|, subtracted before it is rounded: files of double are off by less than one ulp.
 */
static double distance(double value, mpfr_t exact)
{
    double error;
    mpfr_t rest;

    mpfr_init2(rest, PRECISION);
    mpfr_sub_d(rest, exact, value, MPFR_RNDN);
    error = fabs(mpfr_get_d(rest, MPFR_RNDN));
    mpfr_clear(rest);
    return isfinite(value) ? error : INFINITY;
}

/* What float angles explain at one position whose largest w * scale is `omega`. */
static double float_limit(double position, double omega)
{
    return (ANGLE_ROUNDINGS * fabs(position * omega) + VALUE_ROUNDINGS) * ROUNDING;
}

/* ---- Results for each model */

struct tally {
    const char *model;
    unsigned files;
    unsigned executed;
    double ours;
    double theirs; /* of what was executed */
};

static struct tally tallies[MODELS_MAX];
static char model_names[MODELS_MAX][40];
static size_t tally_count;

static struct tally *tally_of(const char *model)
{
    for (size_t n = 0; n < tally_count; n++)
        if (strcmp(tallies[n].model, model) == 0)
            return &tallies[n];
    assert_in_range(tally_count, 0, MODELS_MAX - 1);
    assert_in_range(strlen(model), 1, sizeof model_names[0] - 1);
    memcpy(model_names[tally_count], model, strlen(model) + 1);
    tallies[tally_count].model = model_names[tally_count];
    return &tallies[tally_count++];
}

static int compare_tallies(const void *a, const void *b)
{
    return strcmp(((const struct tally *)a)->model, ((const struct tally *)b)->model);
}

static void add_result(const struct tsv_line *line, double ours, double theirs)
{
    const bool executed = strcmp(tsv_field(line, "kind"), "executed") == 0;
    struct tally *tally = tally_of(tsv_field(line, "model"));

    assert_true(executed || strcmp(tsv_field(line, "kind"), "formula") == 0);
    tally->files++;
    tally->executed += executed ? 1 : 0;
    tally->ours = fmax(tally->ours, ours);
    if (executed)
        tally->theirs = fmax(tally->theirs, theirs);
}

static void print_tallies(void)
{
    qsort(tallies, tally_count, sizeof *tallies, compare_tallies);
    for (size_t n = 0; n < tally_count; n++) {
        printf("%-18s %2u tables, %2u of them executed: posemb is off by %.1e", tallies[n].model,
               tallies[n].files, tallies[n].executed, tallies[n].ours);
        if (tallies[n].executed)
            printf(", the framework by %.1e", tallies[n].theirs);
        printf("\n");
    }
}

/* ---- index.tsv: tables */

/* A line of index.tsv. */
struct golden {
    const char *file;
    posemb_desc desc;       /* what posemb is to compute, without a rule for the positions */
    float amplitude;        /* the one that posemb takes, */
    mpfr_t exact_amplitude; /* and the one that it stands for */
    struct channel *channels;
    uint32_t channel_axis[DIM_MAX]; /* which axis a channel encodes */
    double omega;                   /* the largest w * position_scale */
    double max_error;
    uint32_t axes;    /* 1: no grid */
    bool is_explicit; /* a grid whose coordinates are a file */
    uint32_t counts[POSEMB_AXES_MAX];
    double *axis_positions[POSEMB_AXES_MAX]; /* [counts[axis]]; none of an explicit grid */
    bool is_float;
    uint64_t rows;
    double *positions; /* [rows, axes] */
};

/* "a:b" */
static double *parse_range(const char *text, uint32_t *count)
{
    char *colon;
    const long long first = strtoll(text, &colon, 10);
    long long end;
    double *positions;

    if (colon == text || *colon != ':')
        fail_msg("\"%s\" is no range", text);
    end = tsv_integer(colon + 1);
    assert_in_range(end - first, 1, 100000);
    *count = (uint32_t)(end - first);
    positions = golden_array(*count, sizeof *positions);
    for (uint32_t n = 0; n < *count; n++)
        positions[n] = (double)(first + n);
    return positions;
}

/* "a,b,c" */
static double *parse_list(char *text, uint32_t *count)
{
    double *positions = golden_array(tsv_count(text, ',') + 1, sizeof *positions);

    *count = 0;
    for (char *item = text; item;) {
        char *const comma = strchr(item, ',');

        if (comma)
            *comma = '\0';
        positions[(*count)++] = tsv_number(item);
        item = comma ? comma + 1 : NULL;
    }
    return positions;
}

/* One entry for each axis, with semicolons between them. */
static void parse_positions(struct golden *golden, const char *given)
{
    const size_t size = strlen(given) + 1;
    char *const text = golden_array(size, 1);
    char *entry = text;

    memcpy(text, given, size);
    golden->is_float = strpbrk(text, ".en") != NULL;
    for (uint32_t axis = 0; axis < golden->axes; axis++) {
        char *const end = entry + strcspn(entry, ";");
        uint32_t count;

        assert_true((*end == ';') == (axis + 1 < golden->axes));
        *end = '\0';
        golden->axis_positions[axis] =
            strchr(entry, ':') ? parse_range(entry, &count) : parse_list(entry, &count);
        if (golden->axes > 1)
            assert_int_equal(count, golden->counts[axis]);
        golden->counts[axis] = count;
        entry = end + 1;
    }
    free(text);
}

/* All combinations of the axes' positions, the last axis fastest. */
static void combine_positions(struct golden *golden)
{
    golden->rows = 1;
    for (uint32_t axis = 0; axis < golden->axes; axis++)
        golden->rows *= golden->counts[axis];
    golden->positions = golden_array(golden->rows * golden->axes, sizeof(double));
    for (uint64_t row = 0; row < golden->rows; row++) {
        uint64_t rest = row;

        for (uint32_t axis = golden->axes; axis-- > 0;) {
            golden->positions[row * golden->axes + axis] =
                golden->axis_positions[axis][rest % golden->counts[axis]];
            rest /= golden->counts[axis];
        }
    }
}

/* "@FILE" of float [rows, axes] */
static void read_coordinates(struct golden *golden, const char *positions)
{
    npy_array array;

    assert_int_equal(positions[0], '@');
    array = golden_read_npy(positions + 1, NPY_F4);
    assert_int_equal(array.rank, 2);
    assert_int_equal(array.shape[1], golden->axes);
    golden->is_float = true;
    golden->rows = array.shape[0];
    golden->positions = golden_array(array.count, sizeof(double));
    for (uint64_t n = 0; n < array.count; n++)
        golden->positions[n] = ((const float *)array.data)[n];
    npy_free(&array);
}

/* "y4x5" before the colon: names and counts. */
static void parse_counts(struct golden *golden, const char *text, char names[POSEMB_AXES_MAX + 1])
{
    golden->axes = 0;
    while (*text != ':') {
        char *end;

        assert_in_range(golden->axes, 0, POSEMB_AXES_MAX - 1);
        names[golden->axes] = *text;
        golden->counts[golden->axes++] = (uint32_t)strtoul(text + 1, &end, 10);
        assert_true(end > text + 1 && (*end == ':' || strchr("txy", *end)));
        text = end;
    }
    names[golden->axes] = '\0';
}

/* "1", "y4x5:xy" or "explicit:yx" */
static void parse_axes(struct golden *golden, const char *text)
{
    char names[POSEMB_AXES_MAX + 1] = "";
    const char *const order = strchr(text, ':');

    golden->axes = 1;
    if (strcmp(text, "1") == 0)
        return;
    assert_non_null(order);
    golden->is_explicit = strncmp(text, "explicit:", 9) == 0;
    if (golden->is_explicit) { /* the file has the axes in the order of the segments */
        golden->axes = (uint32_t)strlen(order + 1);
        assert_in_range(golden->axes, 2, POSEMB_AXES_MAX);
        memcpy(names, order + 1, golden->axes);
    } else {
        parse_counts(golden, text, names);
    }
    assert_int_equal(strlen(order + 1), golden->axes);
    golden->desc.grid.axes = golden->axes;
    for (uint32_t k = 0; k < golden->axes; k++) {
        const char *const name = strchr(names, order[1 + k]);

        assert_non_null(name);
        golden->desc.grid.segment_axis[k] = 1 + (uint32_t)(name - names);
        golden->desc.grid.dim[k] = golden->desc.dim / golden->axes;
    }
}

/* "8+12+12" */
static void parse_dims(struct golden *golden, const char *text)
{
    for (uint32_t k = 0; k < golden->axes; k++) {
        char *end;

        golden->desc.grid.dim[k] = (uint32_t)strtoul(text, &end, 10);
        assert_true(*end == (k + 1 < golden->axes ? '+' : '\0'));
        text = end + 1;
    }
}

static void parse_override(struct golden *golden, const char *text)
{
    if (strcmp(text, "first=cosine") == 0)
        golden->desc.first = POSEMB_COSINE_FIRST;
    else if (strcmp(text, "first=sine") == 0)
        golden->desc.first = POSEMB_SINE_FIRST;
    else if (strcmp(text, "denominator=floor") == 0)
        golden->desc.denominator = POSEMB_DENOMINATOR_FLOOR;
    else if (strncmp(text, "shift=", 6) == 0)
        golden->desc.shift = tsv_number(text + 6);
    else if (strncmp(text, "dims=", 5) == 0)
        parse_dims(golden, text + 5);
    else
        fail_msg("%s has the override %s", golden->file, text);
}

static void parse_overrides(struct golden *golden, const char *given)
{
    char text[128];

    assert_in_range(strlen(given), 1, sizeof text - 1);
    memcpy(text, given, strlen(given) + 1);
    for (char *part = text; part && strcmp(given, "-") != 0;) {
        char *const end = strchr(part, ';');

        if (end)
            *end = '\0';
        parse_override(golden, part);
        part = end ? end + 1 : NULL;
    }
}

/* The amplitude of the line, or that of the convention. */
static void set_amplitude(struct golden *golden, const struct tsv_line *line)
{
    const posemb_convention convention = golden->desc.convention;

    mpfr_init2(golden->exact_amplitude, PRECISION);
    mpfr_set_ui(golden->exact_amplitude, 1, MPFR_RNDN);
    if (tsv_has(line, "amplitude")) {
        golden->desc.amplitude = (float)tsv_number(tsv_field(line, "amplitude"));
        mpfr_set_d(golden->exact_amplitude, tsv_number(tsv_field(line, "amplitude")), MPFR_RNDN);
    } else if (convention == POSEMB_XTRANSFORMERS || convention == POSEMB_MLX) {
        mpfr_set_ui(golden->exact_amplitude, convention == POSEMB_MLX ? 2 : 1, MPFR_RNDN);
        mpfr_div_ui(golden->exact_amplitude, golden->exact_amplitude, golden->desc.dim, MPFR_RNDN);
        mpfr_sqrt(golden->exact_amplitude, golden->exact_amplitude, MPFR_RNDN);
    }
    golden->amplitude = mpfr_get_flt(golden->exact_amplitude, MPFR_RNDN);
}

/* The sinusoids of one segment, as the line has them. */
static struct sinusoid segment_sinusoid(const posemb_desc *desc, uint32_t dim)
{
    const uint32_t half = dim / 2;
    struct sinusoid sinusoid = default_sinusoid(desc->convention, dim);

    sinusoid.base = desc->base;
    sinusoid.frequency = desc->frequency;
    if (desc->first != POSEMB_FIRST_DEFAULT)
        sinusoid.cosine_first = desc->first == POSEMB_COSINE_FIRST;
    if (desc->denominator == POSEMB_DENOMINATOR_FLOOR)
        sinusoid.twice_denominator = 2.0 * half - 2.0 * desc->shift;
    return sinusoid;
}

static void set_channels(struct golden *golden)
{
    const posemb_grid *grid = &golden->desc.grid;
    uint32_t channel = 0;

    golden->channels = golden_array(golden->desc.dim, sizeof *golden->channels);
    for (uint32_t k = 0; k < golden->axes; k++) {
        const uint32_t dim = grid->axes ? grid->dim[k] : golden->desc.dim;
        const struct sinusoid sinusoid = segment_sinusoid(&golden->desc, dim);

        assert_in_range(dim, 1, golden->desc.dim - channel);
        fill_channels(&sinusoid, golden->channels + channel);
        for (uint32_t c = 0; c < dim; c++)
            golden->channel_axis[channel + c] = grid->axes ? grid->segment_axis[k] - 1 : 0;
        channel += dim;
    }
    assert_int_equal(channel, golden->desc.dim);
    golden->omega = golden->desc.frequency * golden->desc.position_scale;
}

static void open_golden(const struct tsv_line *line, struct golden *golden)
{
    memset(golden, 0, sizeof *golden);
    golden->file = tsv_field(line, "file");
    golden->max_error = tsv_number(tsv_field(line, "max_error"));
    golden->desc = (posemb_desc){.dim = dim_of(line),
                                 .operation = POSEMB_TABLE,
                                 .convention = convention_of(tsv_field(line, "convention")),
                                 .base = tsv_number(tsv_field(line, "base")),
                                 .frequency = tsv_number(tsv_field(line, "frequency")),
                                 .position_scale = tsv_number(tsv_field(line, "position_scale"))};
    set_amplitude(golden, line);
    parse_axes(golden, tsv_field(line, "axes"));
    parse_overrides(golden, tsv_field(line, "overrides"));
    set_channels(golden);
    if (golden->is_explicit) {
        read_coordinates(golden, tsv_field(line, "positions"));
    } else {
        parse_positions(golden, tsv_field(line, "positions"));
        combine_positions(golden);
    }
}

static void close_golden(struct golden *golden)
{
    for (uint32_t axis = 0; axis < POSEMB_AXES_MAX; axis++)
        free(golden->axis_positions[axis]);
    free(golden->positions);
    mpfr_clear(golden->exact_amplitude);
    free_channels(golden->channels, golden->desc.dim);
}

/* posemb's rows at the positions as they are given. */
static float *run_explicit(const struct golden *golden)
{
    const uint64_t count = golden->rows * golden->axes;
    float *const out = golden_array(golden->rows * golden->desc.dim, sizeof *out);
    int64_t *const integers = golden_array(count, sizeof *integers);
    float *const floats = golden_array(count, sizeof *floats);
    posemb_desc desc = golden->desc;
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = golden->rows},
        .positions = golden->is_float ? (const void *)floats : integers,
        .out = out,
    };
    posemb_error error = {.message = ""};

    desc.positions = POSEMB_POSITIONS_EXPLICIT;
    desc.position_type = golden->is_float ? POSEMB_FLOAT32 : POSEMB_INT64;
    for (uint64_t n = 0; n < count; n++) {
        floats[n] = (float)golden->positions[n];
        integers[n] = (int64_t)golden->positions[n];
        if ((golden->is_float ? floats[n] : (double)integers[n]) != golden->positions[n])
            fail_msg("%s: the position %.17g is rounded", golden->file, golden->positions[n]);
    }
    if (posemb_reference_run(&desc, &args, &error) != POSEMB_OK)
        fail_msg("%s: %s", golden->file, error.message);
    free(integers);
    free(floats);
    return out;
}

/* Whether coordinate k of an axis is (start + k) / denominator. */
static bool find_steps(const double *positions, uint32_t count, int64_t *start,
                       uint32_t *denominator)
{
    const double step = count > 1 ? positions[1] - positions[0] : 1.0;

    if (!(step > 0.0 && step <= 1.0))
        return false;
    *denominator = (uint32_t)lround(1.0 / step);
    *start = llround(positions[0] * *denominator);
    for (uint32_t k = 0; k < count; k++)
        if (positions[k] * *denominator != (double)(*start + k))
            return false;
    return true;
}

/* posemb's rows of a grid under POSEMB_POSITIONS_INDEX; NULL where the rule cannot give them. */
static float *run_index(const struct golden *golden)
{
    posemb_desc desc = golden->desc;
    int64_t start = 0;
    float *out;
    posemb_host_args args = {.shape = {.batch = 1, .length = golden->rows}};
    posemb_error error = {.message = ""};

    if (golden->axes == 1 || golden->is_explicit)
        return NULL;
    for (uint32_t axis = 0; axis < golden->axes; axis++) {
        int64_t own_start;

        if (!find_steps(golden->axis_positions[axis], golden->counts[axis], &own_start,
                        &desc.grid.denominator[axis]) ||
            (axis > 0 && own_start != start))
            return NULL;
        start = own_start;
        desc.grid.count[axis] = golden->counts[axis];
    }
    desc.positions = POSEMB_POSITIONS_INDEX;
    args.shape.start = start;
    args.out = out = golden_array(golden->rows * golden->desc.dim, sizeof *out);
    if (posemb_reference_run(&desc, &args, &error) != POSEMB_OK)
        fail_msg("%s: %s", golden->file, error.message);
    return out;
}

struct errors {
    double ours;
    double theirs;
};

static void compare_element(const struct golden *golden, uint64_t n, float ours, double theirs,
                            struct errors *errors)
{
    const uint32_t c = (uint32_t)(n % golden->desc.dim);
    const double position =
        golden->positions[n / golden->desc.dim * golden->axes + golden->channel_axis[c]];
    const double amplitude = fabs((double)golden->amplitude);
    const double limit = amplitude * float_limit(position, golden->omega);
    double our_error, their_error, apart;
    mpfr_t exact, value;

    mpfr_inits2(PRECISION, exact, value, (mpfr_ptr)NULL);
    set_exact(exact, &golden->channels[c], position, golden->desc.position_scale);
    mpfr_mul_d(value, exact, golden->amplitude, MPFR_RNDN);
    our_error = distance(ours, value);
    mpfr_mul(value, exact, golden->exact_amplitude, MPFR_RNDN);
    their_error = distance(theirs, value);
    mpfr_clears(exact, value, (mpfr_ptr)NULL);
    /* posemb and the framework differ by their errors and by the rounding of the amplitude. */
    apart = golden->max_error * PRINTED + amplitude * (POSEMB_LIMIT_VALUE_ERROR + ROUNDING);
    if (!(our_error <= amplitude * POSEMB_LIMIT_VALUE_ERROR))
        fail_msg("%s: posemb is off by %.4g at position %.9g, channel %u", golden->file, our_error,
                 position, (unsigned)c);
    if (!(their_error <= golden->max_error * PRINTED && their_error <= limit))
        fail_msg("%s: the framework is off by %.4g at position %.9g, channel %u; its line says "
                 "%.3g, float angles explain %.3g",
                 golden->file, their_error, position, (unsigned)c, golden->max_error, limit);
    if (!(fabs(ours - theirs) <= apart))
        fail_msg("%s: %.9g of posemb and %.9g of the framework at position %.9g, channel %u",
                 golden->file, (double)ours, theirs, position, (unsigned)c);
    errors->ours = fmax(errors->ours, our_error);
    errors->theirs = fmax(errors->theirs, their_error);
}

static void compare_table(const struct golden *golden, const float *ours,
                          const struct values *theirs, struct errors *errors)
{
    for (uint64_t n = 0; n < theirs->rows * theirs->dim; n++)
        compare_element(golden, n, ours[n], theirs->data[n], errors);
}

/* Returns whether the rule INDEX was checked, too. */
static bool check_table(const struct tsv_line *line)
{
    static struct golden golden;
    struct values theirs = read_values(tsv_field(line, "file"));
    struct errors errors = {0.0, 0.0};
    float *ours, *indexed;
    bool is_indexed;

    open_golden(line, &golden);
    assert_int_equal(theirs.rows, golden.rows);
    assert_int_equal(theirs.dim, golden.desc.dim);
    ours = run_explicit(&golden);
    indexed = run_index(&golden);
    is_indexed = indexed != NULL;
    compare_table(&golden, ours, &theirs, &errors);
    if (is_indexed)
        compare_table(&golden, indexed, &theirs, &errors);
    if (!(errors.theirs * PRINTED >= golden.max_error))
        fail_msg("%s: the framework is off by %.4g alone, its line says %.3g", golden.file,
                 errors.theirs, golden.max_error);
    add_result(line, errors.ours, errors.theirs);
    free(ours);
    free(indexed);
    free(theirs.data);
    close_golden(&golden);
    return is_indexed;
}

static void test_tables(void **state)
{
    struct tsv tsv = tsv_open("index.tsv");
    unsigned indexed = 0;

    (void)state;
    for (size_t n = 0; n < tsv.lines; n++) {
        const struct tsv_line line = tsv_line_at(&tsv, n);

        indexed += check_table(&line) ? 1 : 0;
    }
    assert_true(tsv.lines >= TABLES_MIN);
    assert_true(indexed > 0);
    print_tallies();
    printf("%zu tables; %u of them are grids that the rule INDEX gives as well\n", tsv.lines,
           indexed);
    tsv_close(&tsv);
}

/* ---- The rules of positions.tsv and encode.tsv */

static size_t word_of(const char *text, const char *const *words, const char *column)
{
    for (size_t n = 0; words[n]; n++)
        if (strcmp(words[n], text) == 0)
            return n;
    fail_msg("\"%s\" is no %s", text, column);
    return 0;
}

static posemb_position_rule rule_of(const struct tsv_line *line)
{
    static const char *const words[] = {"index", "count", "count-before", "ragged", NULL};
    static const posemb_position_rule rules[] = {POSEMB_POSITIONS_INDEX, POSEMB_POSITIONS_COUNT,
                                                 POSEMB_POSITIONS_COUNT_BEFORE,
                                                 POSEMB_POSITIONS_RAGGED};

    return rules[word_of(tsv_field(line, "rule"), words, "rule")];
}

static posemb_padding padding_of(const struct tsv_line *line)
{
    static const char *const words[] = {"none", "token", "mask", "left-count", NULL};
    static const posemb_padding paddings[] = {POSEMB_PADDING_NONE, POSEMB_PADDING_TOKEN,
                                              POSEMB_PADDING_MASK, POSEMB_PADDING_LEFT_COUNT};

    return paddings[word_of(tsv_field(line, "padding"), words, "padding")];
}

static posemb_pad_policy policy_of(const struct tsv_line *line)
{
    static const char *const words[] = {"computed", "zero-position", "zero-row", NULL};
    static const posemb_pad_policy policies[] = {POSEMB_PAD_COMPUTED, POSEMB_PAD_ZERO_POSITION,
                                                 POSEMB_PAD_ZERO_ROW};

    return policies[word_of(tsv_field(line, "policy"), words, "policy")];
}

/* A call as a line has it, and what it gives. */
struct call {
    const char *file;
    npy_array given; /* ids, a mask, counts or bounds */
    posemb_desc desc;
    int64_t start;
    uint64_t past;
    uint64_t batch;
    uint64_t length;
    const float *table; /* [vocab, dim] */
    uint64_t vocab;
    int64_t *positions; /* [batch, length], of posemb */
    uint8_t *kept;
    float *out;
};

/* What the line says of rule and padding. */
static void parse_call(const struct tsv_line *line, struct call *call)
{
    call->desc.positions = rule_of(line);
    call->desc.padding = padding_of(line);
    call->desc.pad_policy = policy_of(line);
    if (call->desc.padding == POSEMB_PADDING_TOKEN)
        call->desc.pad_id = tsv_integer(tsv_field(line, "pad_id"));
    else
        assert_false(tsv_has(line, "pad_id"));
    call->start = tsv_integer(tsv_field(line, "start"));
    call->past = (uint64_t)tsv_integer(tsv_field(line, "past"));
    assert_in_range(call->past, 0, 1000);
}

static void check_given_shape(const struct call *call)
{
    const npy_array *given = &call->given;
    const bool counts = call->desc.padding == POSEMB_PADDING_LEFT_COUNT;

    assert_int_equal(given->rank, counts ? 1 : 2);
    assert_int_equal(given->shape[0], call->batch);
    if (call->desc.positions == POSEMB_POSITIONS_RAGGED)
        assert_in_range(given->shape[1], 2, 1000);
    else if (!counts)
        assert_int_equal(given->shape[1],
                         call->length +
                             (call->desc.padding == POSEMB_PADDING_MASK ? call->past : 0));
}

/* Whether token (b, s) is a pad, from the line's file. */
static bool is_pad(const struct call *call, uint64_t b, uint64_t s)
{
    const int64_t *const given = call->given.data;

    if (call->desc.positions == POSEMB_POSITIONS_RAGGED)
        return (int64_t)s >= given[call->given.count - 1];
    switch (call->desc.padding) {
    case POSEMB_PADDING_TOKEN:
        return given[b * call->length + s] == call->desc.pad_id;
    case POSEMB_PADDING_MASK:
        return given[b * (call->past + call->length) + call->past + s] == 0;
    case POSEMB_PADDING_LEFT_COUNT:
        return (int64_t)s < given[b];
    default:
        return false;
    }
}

/* Whether the file of the line has the token ids, and no mask, counts or bounds. */
static bool has_ids(const struct call *call)
{
    return call->desc.positions != POSEMB_POSITIONS_RAGGED &&
           (call->desc.padding == POSEMB_PADDING_NONE ||
            call->desc.padding == POSEMB_PADDING_TOKEN);
}

/* Run the call by a description, with the file of the line as ids or as padding. ENCODE takes the
 * table of the call, ADD rows of zeros. */
static void run_call(struct call *call, const posemb_desc *desc, int64_t start)
{
    const uint64_t tokens = call->batch * call->length;
    const bool ragged = desc->positions == POSEMB_POSITIONS_RAGGED;
    int64_t *const no_ids = golden_array(tokens, sizeof *no_ids);
    float *const rows = golden_array(tokens * desc->dim, sizeof *rows);
    posemb_record record = POSEMB_RECORD_CLEAR;
    posemb_error error = {.message = ""};
    posemb_desc typed = *desc;
    posemb_host_args args = {
        .shape = {.batch = call->batch,
                  .length = call->length,
                  .start = start,
                  .past = call->past,
                  .sequences = ragged ? call->given.count - 1 : 0},
        .ids = has_ids(call) ? call->given.data : no_ids,
        .table = call->table,
        .rows = rows,
        .positions = call->given.data,
        .padding = call->given.data,
        .positions_out = call->positions,
        .mask_out = call->kept,
        .out = call->out,
        .record = &record,
    };

    typed.id_type = typed.position_type = typed.padding_type = POSEMB_INT64;
    if (desc->operation == POSEMB_ENCODE || desc->operation == POSEMB_OPERATION_DEFAULT)
        args.shape.vocab = call->vocab;
    if (posemb_reference_run(&typed, &args, &error) != POSEMB_OK)
        fail_msg("%s: %s", call->file, error.message);
    if (record.id_count || record.position_count)
        fail_msg("%s: bad ids or positions", call->file);
    free(no_ids);
    free(rows);
}

static void make_outputs(struct call *call)
{
    const uint64_t tokens = call->batch * call->length;

    call->positions = golden_array(tokens, sizeof *call->positions);
    call->kept = golden_array(tokens, sizeof *call->kept);
    call->out = golden_array(tokens * call->desc.dim, sizeof *call->out);
}

static void close_call(struct call *call)
{
    npy_free(&call->given);
    free(call->positions);
    free(call->kept);
    free(call->out);
}

/* The columns of ragged rows behind the last sequence are not in any: each framework has a number
 * of its own for them. */
static bool is_behind_ragged(const struct call *call, uint64_t b, uint64_t s)
{
    return call->desc.positions == POSEMB_POSITIONS_RAGGED && is_pad(call, b, s);
}

static void compare_positions(const struct call *call, const int64_t *expected, bool tokens_only)
{
    for (uint64_t n = 0; n < call->batch * call->length; n++) {
        const uint64_t b = n / call->length;
        const uint64_t s = n % call->length;
        const bool pad = is_pad(call, b, s);

        if (call->kept[n] != (pad ? 0 : 1))
            fail_msg("%s: token (%" PRIu64 ", %" PRIu64 "): is a pad for one of the two alone",
                     call->file, b, s);
        if ((tokens_only && pad) || is_behind_ragged(call, b, s))
            continue;
        if (call->positions[n] != expected[n])
            fail_msg("%s: token (%" PRIu64 ", %" PRIu64 ") is at %" PRId64 ", not %" PRId64,
                     call->file, b, s, call->positions[n], expected[n]);
    }
}

/* The row of a token: what posemb looks up, what the framework does, and the exact values. */
static void compare_row(const struct call *call, uint64_t n, const struct channel *channels,
                        const double *theirs)
{
    const bool zero = is_pad(call, n / call->length, n % call->length) &&
                      call->desc.pad_policy != POSEMB_PAD_COMPUTED;
    const double position = (double)call->positions[n];
    const double limit = zero ? 0.0 : float_limit(position, 1.0);
    const double our_limit = zero ? 0.0 : POSEMB_LIMIT_VALUE_ERROR;

    for (uint32_t c = 0; c < call->desc.dim; c++) {
        const double ours = call->out[n * call->desc.dim + c];
        double our_error, their_error;
        mpfr_t exact;

        mpfr_init2(exact, PRECISION);
        mpfr_set_ui(exact, 0, MPFR_RNDN);
        if (!zero)
            set_exact(exact, &channels[c], position, 1.0);
        our_error = distance(ours, exact);
        their_error = distance(theirs[c], exact);
        mpfr_clear(exact);
        if (!(our_error <= our_limit && their_error <= limit))
            fail_msg("%s: token %" PRIu64 " at %.9g, channel %u: %.9g of posemb is off by %.4g, "
                     "%.9g of the framework by %.4g",
                     call->file, n, position, (unsigned)c, ours, our_error, theirs[c], their_error);
    }
}

static void compare_values(const struct tsv_line *line, const struct call *call)
{
    struct values theirs = read_values(tsv_field(line, "file_values"));
    const struct sinusoid sinusoid = default_sinusoid(call->desc.convention, call->desc.dim);
    struct channel *channels = make_channels(&sinusoid);

    assert_int_equal(theirs.dim, call->desc.dim);
    assert_int_equal(theirs.rows, call->batch * call->length);
    for (uint64_t n = 0; n < theirs.rows; n++)
        compare_row(call, n, channels, theirs.data + n * theirs.dim);
    free_channels(channels, call->desc.dim);
    free(theirs.data);
}

/* A preset of the model counts as a line does where rule and padding are the same. */
static bool find_preset(const struct call *call, const char *model, posemb_desc *desc,
                        int64_t *start)
{
    posemb_error error = {.message = ""};

    if (!posemb_model_find(model))
        return false;
    if (posemb_model_preset(model, call->desc.dim, desc, start, &error) != POSEMB_OK)
        fail_msg("%s: %s", call->file, error.message);
    if (desc->padding == POSEMB_PADDING_DEFAULT)
        desc->padding = POSEMB_PADDING_NONE;
    return !desc->grid.axes && desc->positions == call->desc.positions &&
           desc->padding == call->desc.padding;
}

/* The preset with the pad id of the line: fairseq and its heirs start at it, so that another id
 * moves the start by as much. The start itself is never taken from the line. */
static bool check_preset(struct call *call, const char *model, const int64_t *expected,
                         bool tokens_only)
{
    posemb_desc preset = {0};
    int64_t start = 0;

    if (!find_preset(call, model, &preset, &start))
        return false;
    if (preset.padding == POSEMB_PADDING_TOKEN) {
        if (start == preset.pad_id)
            start += call->desc.pad_id - preset.pad_id;
        preset.pad_id = call->desc.pad_id;
    }
    if (start != call->start)
        fail_msg("%s: the preset %s starts at %" PRId64 ", the line at %" PRId64, call->file, model,
                 start, call->start);
    run_call(call, &preset, start);
    compare_positions(call, expected, tokens_only);
    return true;
}

/* The line's pads as a mask, for a preset that takes one: what came before is kept. */
static void mask_pads(const struct call *call, struct call *masked)
{
    const uint64_t columns = call->past + call->length;
    int64_t *const mask = golden_array(call->batch * columns, sizeof *mask);

    for (uint64_t b = 0; b < call->batch; b++)
        for (uint64_t column = 0; column < columns; column++)
            mask[b * columns + column] =
                column < call->past || !is_pad(call, b, column - call->past);
    *masked = *call;
    masked->given = (npy_array){.type = NPY_I8, .data = mask, .count = call->batch * columns};
    masked->desc.padding = POSEMB_PADDING_MASK;
}

/* check_preset() with the line's pads as they are, or as a mask. */
static bool check_preset_either(struct call *call, const char *model, const int64_t *expected,
                                bool tokens_only)
{
    struct call masked;
    bool checked;

    if (check_preset(call, model, expected, tokens_only))
        return true;
    if (call->desc.padding != POSEMB_PADDING_TOKEN)
        return false;
    mask_pads(call, &masked);
    checked = check_preset(&masked, model, expected, tokens_only);
    if (checked)
        printf("%s: the preset takes the pads as a mask\n", call->file);
    free(masked.given.data);
    return checked;
}

/* One id more than the largest; ids are not negative. */
static uint64_t vocab_of(const struct call *call)
{
    const int64_t *const given = call->given.data;
    int64_t largest = 0;

    for (uint64_t n = 0; has_ids(call) && n < call->given.count; n++)
        largest = given[n] > largest ? given[n] : largest;
    assert_in_range(largest, 0, 100000);
    return (uint64_t)largest + 1;
}

/* Returns whether a preset was checked. */
static bool check_rule(const struct tsv_line *line)
{
    struct call call = {.file = tsv_field(line, "file_positions")};
    npy_array expected = golden_read_npy(call.file, NPY_I8);
    const bool tokens_only = strcmp(tsv_field(line, "compare"), "tokens") == 0;
    float *table;
    bool has_preset;

    assert_true(tokens_only || strcmp(tsv_field(line, "compare"), "all") == 0);
    assert_int_equal(expected.rank, 2);
    call.given = golden_read_npy(tsv_field(line, "file_ids"), NPY_I8);
    call.batch = expected.shape[0];
    call.length = expected.shape[1];
    call.desc.dim = tsv_has(line, "dim") ? dim_of(line) : 8;
    if (tsv_has(line, "convention"))
        call.desc.convention = convention_of(tsv_field(line, "convention"));
    parse_call(line, &call);
    check_given_shape(&call);
    /* TABLE knows no ids: where those are the padding, the rows of an empty table do. */
    call.desc.operation = call.desc.padding == POSEMB_PADDING_TOKEN ? POSEMB_ENCODE : POSEMB_TABLE;
    call.vocab = vocab_of(&call);
    call.table = table = golden_array(call.vocab * call.desc.dim, sizeof *table);
    make_outputs(&call);
    run_call(&call, &call.desc, call.start);
    compare_positions(&call, expected.data, tokens_only);
    if (tsv_has(line, "file_values"))
        compare_values(line, &call);
    has_preset = check_preset_either(&call, tsv_field(line, "model"), expected.data, tokens_only);
    free(table);
    close_call(&call);
    npy_free(&expected);
    return has_preset;
}

static void test_rules(void **state)
{
    struct tsv tsv = tsv_open("positions.tsv");
    unsigned presets = 0;

    (void)state;
    for (size_t n = 0; n < tsv.lines; n++) {
        const struct tsv_line line = tsv_line_at(&tsv, n);

        if (check_rule(&line))
            presets++;
        else
            printf("%s: no preset with this rule: %s, %s\n", tsv_field(&line, "file_positions"),
                   tsv_field(&line, "rule"), tsv_field(&line, "padding"));
    }
    assert_true(tsv.lines >= RULES_MIN);
    assert_true(presets >= PRESET_RULES_MIN);
    printf("%zu position rules; %u of them are those of presets\n", tsv.lines, presets);
    tsv_close(&tsv);
}

/* ---- encode.tsv: whole stages */

/* Half the distance to the next float: the rounding of a sum. */
static double half_ulp(double value)
{
    const float magnitude = (float)fabs(value);

    return 0.5 * (nextafterf(magnitude, INFINITY) - magnitude);
}

/* token_scale * row + PE, exactly. */
static void set_exact_sum(mpfr_t sum, const struct call *call, uint64_t n, uint32_t c,
                          const struct channel *channels)
{
    const bool pad = is_pad(call, n / call->length, n % call->length);
    const int64_t id = ((const int64_t *)call->given.data)[n];
    mpfr_t product;

    mpfr_init2(product, PRECISION);
    mpfr_set_flt(product, call->table[(uint64_t)id * call->desc.dim + c], MPFR_RNDN);
    mpfr_mul_d(product, product, call->desc.token_scale, MPFR_RNDN);
    mpfr_set_ui(sum, 0, MPFR_RNDN);
    if (!(pad && call->desc.pad_policy == POSEMB_PAD_ZERO_POSITION))
        set_exact(sum, &channels[c], (double)call->positions[n], 1.0);
    mpfr_add(sum, sum, product, MPFR_RNDN);
    mpfr_clear(product);
}

/*
 * How far a sum may be from exact: the scale is a power of two, so that no product is rounded.
 * There remain the error of the encoding (8e-8 for posemb; for a framework what float angles
 * explain at this position, and also no more than its line says), and half an ulp of the sum.
 */
static double compare_sum(const struct call *call, uint64_t n, uint32_t c, double theirs,
                          double max_error, const struct channel *channels)
{
    const double ours = call->out[n * call->desc.dim + c];
    const double limit = float_limit((double)call->positions[n], 1.0) + half_ulp(theirs);
    double our_error, their_error;
    mpfr_t exact;

    mpfr_init2(exact, PRECISION);
    set_exact_sum(exact, call, n, c, channels);
    our_error = distance(ours, exact);
    their_error = distance(theirs, exact);
    mpfr_clear(exact);
    if (!(our_error <= POSEMB_LIMIT_VALUE_ERROR + half_ulp(ours)))
        fail_msg("%s: posemb is off by %.4g at token %" PRIu64 ", channel %u", call->file,
                 our_error, n, (unsigned)c);
    if (!(their_error <= limit && their_error <= max_error * PRINTED))
        fail_msg("%s: the framework is off by %.4g at token %" PRIu64 ", channel %u; its line says "
                 "%.3g, float angles explain %.3g",
                 call->file, their_error, n, (unsigned)c, max_error, limit);
    if (!(fabs(ours - theirs) <= max_error * PRINTED + POSEMB_LIMIT_VALUE_ERROR + half_ulp(ours)))
        fail_msg("%s: %.9g of posemb and %.9g of the framework at token %" PRIu64 ", channel %u",
                 call->file, ours, theirs, n, (unsigned)c);
    return their_error;
}

static void compare_sums(const struct tsv_line *line, const struct call *call,
                         const struct values *theirs)
{
    const double max_error = tsv_number(tsv_field(line, "max_error"));
    const struct sinusoid sinusoid = default_sinusoid(call->desc.convention, call->desc.dim);
    struct channel *channels = make_channels(&sinusoid);
    double worst = 0.0;

    for (uint64_t n = 0; n < theirs->rows; n++)
        for (uint32_t c = 0; c < theirs->dim; c++)
            worst = fmax(worst, compare_sum(call, n, c, theirs->data[n * theirs->dim + c],
                                            max_error, channels));
    if (!(worst * PRINTED >= max_error))
        fail_msg("%s: the framework is off by %.4g alone, its line says %.3g", call->file, worst,
                 max_error);
    free_channels(channels, call->desc.dim);
}

/* The preset of the model gives the same bits as what the line says. */
static void compare_preset_stage(struct call *call, const char *model)
{
    const size_t count = (size_t)(call->batch * call->length * call->desc.dim);
    float *const own = call->out;
    posemb_desc preset = {0};
    int64_t start = 0;

    if (!find_preset(call, model, &preset, &start))
        fail_msg("%s: no preset of %s has this rule", call->file, model);
    call->out = golden_array(count, sizeof *call->out);
    run_call(call, &preset, start);
    if (posemb_compare_bits(own, call->out, count, NULL) != 0)
        fail_msg("%s: the preset of %s gives other bits", call->file, model);
    free(call->out);
    call->out = own;
}

static void check_stage(const struct tsv_line *line)
{
    struct call call = {.file = tsv_field(line, "file_out")};
    npy_array table = golden_read_npy(tsv_field(line, "file_table"), NPY_F4);
    struct values theirs = read_values(call.file);
    const double scale = sqrt((double)dim_of(line));

    assert_string_equal(tsv_field(line, "token_scale"), "sqrt(D)");
    if (scale != 4.0)
        fail_msg("%s: where sqrt(D) is no power of two the bounds need the rounding of products",
                 call.file);
    call.given = golden_read_npy(tsv_field(line, "file_ids"), NPY_I8);
    assert_int_equal(call.given.rank, 2);
    call.batch = call.given.shape[0];
    call.length = call.given.shape[1];
    call.desc.operation = POSEMB_ENCODE;
    call.desc.dim = dim_of(line);
    call.desc.convention = convention_of(tsv_field(line, "convention"));
    call.desc.token_scale = (float)scale;
    parse_call(line, &call);
    assert_true(has_ids(&call) && call.desc.pad_policy != POSEMB_PAD_ZERO_ROW);
    assert_true(table.rank == 2 && table.shape[1] == call.desc.dim);
    assert_int_equal(theirs.dim, call.desc.dim);
    assert_int_equal(theirs.rows, call.batch * call.length);
    call.table = table.data;
    call.vocab = table.shape[0];
    make_outputs(&call);
    run_call(&call, &call.desc, call.start);
    compare_sums(line, &call, &theirs);
    compare_preset_stage(&call, tsv_field(line, "model"));
    close_call(&call);
    npy_free(&table);
    free(theirs.data);
}

static void test_stages(void **state)
{
    struct tsv tsv = tsv_open("encode.tsv");

    (void)state;
    for (size_t n = 0; n < tsv.lines; n++) {
        const struct tsv_line line = tsv_line_at(&tsv, n);

        check_stage(&line);
    }
    assert_true(tsv.lines >= STAGES_MIN);
    printf("%zu embedding stages, all of them those of presets\n", tsv.lines);
    tsv_close(&tsv);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_stages),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_goldens FOLDER\n");
        return 2;
    }
    golden_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
