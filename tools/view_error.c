/* posemb view --kind error: how far float tables are from the exact sinusoids, by position. */
#include "plot.h"
#include "target.h"
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN        6.283185307179586
#define ERROR_LEAST 1e-9 /* the end of the axis, by amplitude */
#define BOUND       8e-8 /* of posemb, likewise */

enum {
    BINS_PER_DECADE = 24,
    SAMPLES_PER_BIN = 6,
    BINS_MAX = 10 * BINS_PER_DECADE,
    SAMPLES_MAX = (BINS_MAX + 1) * SAMPLES_PER_BIN
};

static const struct plot_style float_style = {0xd55e00, 2.2, 0.0, 1.0};
static const struct plot_style posemb_style = {0x0072b2, 2.2, 0.0, 1.0};
static const struct plot_style bound_style = {0x0072b2, 1.4, 5.0, 1.0};

/* Errors at some positions, the largest over all channels. */
struct errors {
    posemb_desc desc; /* resolved */
    uint32_t pairs;
    uint64_t *steps;
    float *frequencies; /* as a float table has them */
    size_t count;       /* samples */
    int64_t *positions;
    float *rows; /* [count, dim]: posemb's */
    size_t bins;
    double at[BINS_MAX + 1];
    double of_float[BINS_MAX + 1];
    double of_posemb[BINS_MAX + 1];
};

/* ---- Positions */

/* Bins of even width on the logarithmic axis, as far as whole numbers go, each with some positions,
 * the last of which is its end. */
static posemb_status choose_positions(int64_t most, struct errors *e, posemb_error *error)
{
    double low = 0.0;

    e->positions = calloc(SAMPLES_MAX, sizeof *e->positions);
    if (!e->positions)
        return view_no_memory("positions", error);
    for (int bin = 0; bin <= BINS_MAX && low < (double)most; bin++) {
        const double edge = floor(pow(10.0, (double)bin / BINS_PER_DECADE) + 1e-6);
        const double high = fmin(edge, (double)most);

        if (high <= low)
            continue;
        for (int k = 1; k <= SAMPLES_PER_BIN; k++)
            e->positions[e->count++] =
                (int64_t)ceil(low + (high - low) * (double)k / SAMPLES_PER_BIN);
        e->at[e->bins++] = high;
        low = high;
    }
    return POSEMB_OK;
}

/* ---- Three ways to one sine */

/* As PyTorch code makes them: the exponent by a float product, then a float exp. */
static void make_float_frequencies(struct errors *e)
{
    const double divisor = identify_divisor(e->desc.dim, e->desc.denominator, e->desc.shift);
    const float factor = (float)(-log(e->desc.base) / divisor);

    for (uint32_t i = 0; i < e->pairs; i++)
        e->frequencies[i] = (float)e->desc.frequency * (i ? expf((float)i * factor) : 1.0f);
}

/* The phase step has the frequency to 2^-65 turns: at position 2^32 that is 1e-9 radians. */
static double exact_angle(uint64_t step, int64_t position)
{
    const uint64_t phase = step * (uint64_t)position;
    const double turns = phase > UINT64_MAX / 2 ? -(double)(UINT64_MAX - phase + 1) : (double)phase;

    return TURN * (turns * 0x1p-64);
}

static void measure(const struct errors *e, size_t sample, double *of_float, double *of_posemb)
{
    const int64_t position = e->positions[sample];
    const double amplitude = (double)e->desc.amplitude;
    const float *row = e->rows + sample * e->desc.dim;

    for (uint32_t i = 0; i < e->pairs; i++) {
        const struct view_pair pair = view_pair_at(&e->desc, i);
        const double exact = exact_angle(e->steps[i], position);
        const float angle = (float)position * (float)e->desc.position_scale * e->frequencies[i];
        const double sine = amplitude * sin(exact);
        const double cosine = amplitude * cos(exact);

        *of_float = fmax(*of_float, fabs((double)(e->desc.amplitude * sinf(angle)) - sine));
        *of_float = fmax(*of_float, fabs((double)(e->desc.amplitude * cosf(angle)) - cosine));
        *of_posemb = fmax(*of_posemb, fabs((double)row[pair.sine] - sine));
        *of_posemb = fmax(*of_posemb, fabs((double)row[pair.cosine] - cosine));
    }
}

static posemb_status run(const struct stage_options *options, struct errors *e, posemb_error *error)
{
    posemb_desc desc = e->desc;
    const posemb_host_args args = {
        .shape = {.batch = 1, .length = e->count}, .positions = e->positions, .out = e->rows};
    struct target target;
    posemb_status status;

    desc.operation = POSEMB_TABLE;
    desc.positions = POSEMB_POSITIONS_EXPLICIT_SHARED;
    desc.position_type = POSEMB_INT64;
    status = target_open(options->device ? options->device : TARGET_REFERENCE, POSEMB_CACHE_DEFAULT,
                         &target, error);
    if (status == POSEMB_OK)
        status = target_run(&target, &desc, &args, error);
    target_close(&target);
    return status;
}

static posemb_status errors_begin(const struct stage_options *options, int64_t most,
                                  struct errors *e, posemb_error *error)
{
    size_t pairs;
    posemb_desc desc;
    posemb_status status = view_desc_get(options, &desc, error);

    if (status == POSEMB_OK)
        status = posemb_desc_resolve(&desc, &e->desc, error);
    if (status == POSEMB_OK && view_pair_count(&e->desc) == 0)
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "--dim is %" PRIu32 ": there is no pair of channels to compare",
                              e->desc.dim);

    if (status == POSEMB_OK)
        status = choose_positions(most, e, error);
    if (status != POSEMB_OK)
        return status;
    pairs = posemb_pair_count(&e->desc);
    e->pairs = view_pair_count(&e->desc);
    e->steps = calloc(pairs, sizeof *e->steps);
    e->frequencies = calloc(pairs, sizeof *e->frequencies);
    e->rows = calloc(e->count * e->desc.dim, sizeof *e->rows);
    if (!e->steps || !e->frequencies || !e->rows)
        return view_no_memory("a table of samples", error);
    make_float_frequencies(e);
    status = posemb_phase_steps(&e->desc, e->steps, pairs, error);
    if (status == POSEMB_OK)
        status = run(options, e, error);
    for (size_t i = 0; status == POSEMB_OK && i < e->count; i++)
        measure(e, i, &e->of_float[i / SAMPLES_PER_BIN], &e->of_posemb[i / SAMPLES_PER_BIN]);
    return status;
}

static void errors_end(struct errors *e)
{
    free(e->steps);
    free(e->frequencies);
    free(e->positions);
    free(e->rows);
}

/* ---- The picture */

static double largest_of(const double *values, size_t count)
{
    double most = 0.0;

    for (size_t i = 0; i < count; i++)
        most = fmax(most, values[i]);
    return most;
}

static struct plot_frame frame_of(double last, double most, double amplitude)
{
    return (struct plot_frame){
        .x = 110.0,
        .y = 120.0,
        .width = 1050.0,
        .height = 440.0,
        .across = {.least = last > 1.0 ? 1.0 : 0.1,
                   .most = fmax(last, 10.0),
                   .ticks = 10,
                   .is_log = true,
                   .label = "position"},
        .down = {.least = ERROR_LEAST * amplitude,
                 .most = fmax(most * 2.0, 1e-6 * amplitude),
                 .ticks = 10,
                 .is_log = true,
                 .label = "largest absolute error of a row"},
        .upwards = true,
    };
}

static void draw_bound(const struct plot_frame *frame, double bound, struct view *view)
{
    const double x[] = {frame->across.least, frame->across.most};
    const double y[] = {bound, bound};

    plot_line(&view->canvas, frame, x, y, 2, &bound_style);
}

/* The largest error of the float table up to a position, at a dot on its curve. */
static void mark(const struct errors *e, const struct plot_frame *frame, double position,
                 struct view *view)
{
    const struct plot_style dot = {0xd55e00, 5.0, 0.0, 1.0};
    size_t bins = 0;
    double most;
    char where[TICK_LABEL_SIZE];
    char size[TICK_LABEL_SIZE];
    char text[3 * TICK_LABEL_SIZE];

    while (bins < e->bins && e->at[bins] <= position)
        bins++;
    if (bins == e->bins)
        return;
    most = largest_of(e->of_float, bins);
    show_fixed(position, 0, where);
    show_short(most, size);
    snprintf(text, sizeof text, "up to %s: %s", where, size);
    plot_dot(&view->canvas, frame, position, most, &dot);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, plot_x(frame, position) - 12.0, plot_y(frame, most) - 8.0,
                ALIGN_RIGHT, TEXT_NORMAL, text);
}

static void say_errors(const struct errors *e, struct view *view)
{
    char of_float[TICK_LABEL_SIZE];
    char of_posemb[TICK_LABEL_SIZE];
    char where[TICK_LABEL_SIZE];

    show_short(largest_of(e->of_float, e->bins), of_float);
    show_short(largest_of(e->of_posemb, e->bins), of_posemb);
    show_fixed(e->at[e->bins - 1], 0, where);
    view_say(
        view,
        "A float32 table, as frameworks make it (float exp, float angle, float sin), rounds its "
        "angles: the error grows with the position, up to %s. posemb keeps an angle as a "
        "whole number of 2\u207b\u2076\u2074 turns: at most %s, up to position %s. Largest of "
        "all channels, at %d positions in each of %d steps of a decade.",
        of_float, of_posemb, where, SAMPLES_PER_BIN, BINS_PER_DECADE);
    json_object_set_new(view->numbers, "position", view_numbers(e->at, e->bins));
    json_object_set_new(view->numbers, "error_of_float32", view_numbers(e->of_float, e->bins));
    json_object_set_new(view->numbers, "error_of_posemb", view_numbers(e->of_posemb, e->bins));
}

static posemb_status draw_errors(const struct stage_options *options, const struct errors *e,
                                 struct view *view, posemb_error *error)
{
    const double amplitude = fabs((double)e->desc.amplitude);
    const struct plot_frame frame =
        frame_of(e->at[e->bins - 1], largest_of(e->of_float, e->bins), amplitude);
    char name[VIEW_TEXT_SIZE];
    posemb_status status;
    double x;

    view_name_sinusoids(options, &e->desc, name);
    status = view_begin(view, "Distance from the exact sinusoids, by position", name, 634.0, error);
    if (status != POSEMB_OK)
        return status;
    plot_grid(&view->canvas, &frame);
    draw_bound(&frame, BOUND * amplitude, view);
    plot_line(&view->canvas, &frame, e->at, e->of_float, e->bins, &float_style);
    plot_line(&view->canvas, &frame, e->at, e->of_posemb, e->bins, &posemb_style);
    mark(e, &frame, 2048.0, view);
    mark(e, &frame, 131072.0, view);
    plot_axes(&view->canvas, &frame);
    x = plot_key(&view->canvas, 110.0, 104.0, &float_style, "float32 table");
    x = plot_key(&view->canvas, x, 104.0, &posemb_style, "posemb");
    plot_key(&view->canvas, x, 104.0, &bound_style, "posemb's bound, 8e-8 times the amplitude");
    say_errors(e, view);
    view_end(view);
    return POSEMB_OK;
}

posemb_status view_error(const struct stage_options *options, int64_t most, struct view *view,
                         posemb_error *error)
{
    struct errors *e = calloc(1, sizeof *e);
    posemb_status status;

    if (!e)
        return view_no_memory("errors", error);
    status = errors_begin(options, most, e, error);
    if (status == POSEMB_OK)
        status = draw_errors(options, e, view, error);
    errors_end(e);
    free(e);
    return status;
}

/* ---- A stored table */

static posemb_status draw_stored(const struct view_table *table, const struct identification *found,
                                 const double *at, const double *errors, struct view *view,
                                 posemb_error *error)
{
    const size_t rows = (size_t)table->rows;
    struct plot_frame frame = frame_of(10.0, largest_of(errors, rows), fabs(found->amplitude));
    posemb_status status =
        view_begin(view, "A stored table's distance from its formula", table->name, 634.0, error);
    char most[TICK_LABEL_SIZE];

    if (status != POSEMB_OK)
        return status;
    frame.across = (struct plot_axis){.least = at[0] - 0.5,
                                      .most = at[0] + (double)rows - 0.5,
                                      .ticks = 10,
                                      .whole = true,
                                      .label = table->axis};
    plot_grid(&view->canvas, &frame);
    draw_bound(&frame, BOUND * fabs(found->amplitude), view);
    plot_line(&view->canvas, &frame, at, errors, rows, &float_style);
    plot_axes(&view->canvas, &frame);
    plot_key(&view->canvas, plot_key(&view->canvas, 110.0, 104.0, &float_style, "stored table"),
             104.0, &bound_style, "posemb's bound, 8e-8 times the amplitude");
    show_short(largest_of(errors, rows), most);
    view_say(view, "posemb identify: %s. The error is %s at the most.", found->message, most);
    json_object_set_new(view->numbers, "message", json_string(found->message));
    json_object_set_new(view->numbers, "error_by_row", view_numbers(errors, rows));
    view_say_bad(view, table);
    view_end(view);
    return POSEMB_OK;
}

static void measure_rows(const struct view_table *table, const struct identification *found,
                         double *row, double *at, double *errors)
{
    for (uint64_t r = 0; r < table->rows; r++) {
        at[r] = (double)table->start - table->origin + (double)r;
        view_found_row(found, r, row);
        for (uint32_t c = 0; c < table->dim; c++) {
            const double apart = fabs((double)table->values[r * table->dim + c] - row[c]);

            errors[r] = fmax(errors[r], apart);
        }
    }
}

posemb_status view_error_of_table(const struct view_table *table, struct view *view,
                                  posemb_error *error)
{
    struct identification found;
    double *at;
    posemb_status status;

    if (!identify_table(table->values, table->rows, table->dim, &found))
        return view_no_memory("the search for sinusoids", error);
    if (found.outcome != IDENTIFY_SINUSOIDAL && found.outcome != IDENTIFY_DEPARTS)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s has no formula to be compared with: %s", table->name,
                            found.message);
    at = calloc(2 * (size_t)table->rows + table->dim, sizeof *at);
    if (!at)
        return view_no_memory("errors", error);
    measure_rows(table, &found, at + 2 * table->rows, at, at + table->rows);
    status = draw_stored(table, &found, at, at + table->rows, view, error);
    free(at);
    return status;
}
