/* posemb view --kind heat: a table as colours; a stored one beside the sinusoids nearest to it. */
#include "nearest.h"
#include "plot.h"
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 1 << 15, PANELS = 3 };

/* ---- Colours for a table's values */

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a;
    const float y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The magnitude that all but 1 in 200 of a sample of the values stay below. */
static double usual_magnitude(const float *values, uint64_t count, float *sample)
{
    const uint64_t step = count / SAMPLES + 1;
    size_t taken = 0;

    for (uint64_t i = 0; i < count && taken < SAMPLES; i += step)
        if (isfinite(values[i]))
            sample[taken++] = fabsf(values[i]);
    if (taken == 0)
        return 0.0;
    qsort(sample, taken, sizeof *sample, compare_floats);
    return (double)sample[taken - 1 - taken / 200];
}

/* Colours from -limit to limit, where `limit` is 0 for the usual magnitude. False: no memory. */
static bool find_scale(const float *values, uint64_t count, double limit, struct plot_scale *scale)
{
    double most = 0.0;
    double least = 0.0;

    for (uint64_t i = 0; i < count; i++)
        if (isfinite(values[i])) {
            most = fmax(most, (double)values[i]);
            least = fmin(least, (double)values[i]);
        }
    if (limit == 0.0) {
        float *sample = malloc(SAMPLES * sizeof *sample);

        if (!sample)
            return false;
        limit = usual_magnitude(values, count, sample);
        free(sample);
    }
    if (limit == 0.0)
        limit = fmax(most, -least) > 0.0 ? fmax(most, -least) : 1.0;
    *scale = (struct plot_scale){.map = MAP_DIVERGING,
                                 .least = -limit,
                                 .most = limit,
                                 .cut_below =
                                     least<-limit * 1.000001, .cut_above = most> limit * 1.000001};
    return true;
}

/* ---- Frames */

static struct plot_frame frame_of(const struct view_table *table, double x, double y, double width,
                                  double height)
{
    return (struct plot_frame){
        .x = x,
        .y = y,
        .width = width,
        .height = height,
        .across = {.least = -0.5,
                   .most = (double)table->dim - 0.5,
                   .ticks = (size_t)(width / 80.0),
                   .whole = true,
                   .label = "channel"},
        .down = {.least = (double)table->start - table->origin - 0.5,
                 .most = (double)table->start - table->origin + (double)table->rows - 0.5,
                 .ticks = 10,
                 .whole = true,
                 .label = table->axis},
    };
}

/* What a pixel is, where it is not one value or a part of one. */
static void say_means(struct view *view, const struct view_table *table,
                      const struct plot_frame *frame)
{
    const struct plot_cells cells = {table->values, table->rows, table->dim, false};
    const uint64_t down = plot_cells_down(frame, &cells);
    const uint64_t across = plot_cells_across(frame, &cells);

    if (down <= 1 && across <= 1)
        return;
    view_say(view, " A pixel is the mean of up to ");
    if (down > 1)
        view_say(view, "%" PRIu64 " positions%s", down, across > 1 ? " and " : "");
    if (across > 1)
        view_say(view, "%" PRIu64 " channels", across);
    view_say(view, table->is_stored ? "; of the difference, the largest."
                                    : ": what changes faster than that is pale.");
}

/* ---- A computed table */

/* The wavelengths of the channels that have ticks, above the frame. */
static posemb_status draw_wavelengths(const struct view *view, const struct view_table *table,
                                      const struct plot_frame *frame, posemb_error *error)
{
    const size_t steps_count = posemb_pair_count(&table->desc);
    uint64_t *steps = calloc(steps_count, sizeof *steps);
    double *lengths = calloc(table->dim, sizeof *lengths);
    posemb_status status = POSEMB_OK;
    struct ticks ticks;

    if (!steps || !lengths)
        status = view_no_memory("wavelengths", error);
    else
        status = posemb_phase_steps(&table->desc, steps, steps_count, error);
    for (uint32_t i = 0; status == POSEMB_OK && i < view_pair_count(&table->desc); i++) {
        const struct view_pair pair = view_pair_at(&table->desc, i);

        lengths[pair.sine] = lengths[pair.cosine] = view_wavelength(steps[i]);
    }
    if (status == POSEMB_OK) {
        plot_ticks(&frame->across, &ticks);
        for (size_t i = 0; i < ticks.count; i++) {
            const double length = lengths[(size_t)ticks.at[i]];
            char text[TICK_LABEL_SIZE];

            show_short(length, text);
            if (length > 0.0)
                canvas_text(&view->canvas, plot_x(frame, ticks.at[i]), frame->y - 8.0, ALIGN_MIDDLE,
                            TEXT_SMALL, text);
        }
        canvas_text(&view->canvas, frame->x + frame->width / 2.0, frame->y - 28.0, ALIGN_MIDDLE,
                    TEXT_NORMAL, "wavelength of the channel, in positions");
    }
    free(steps);
    free(lengths);
    return status;
}

static void say_channels(struct view *view, const posemb_desc *desc)
{
    if (desc->grid.axes)
        view_say(view, "A row is what is added to the token of one place of the grid; each axis "
                       "has its own share of the channels.");
    else if (desc->dim == 1)
        view_say(view, "A row is what is added to the token at that position: here one sine.");
    else if (desc->layout == POSEMB_INTERLEAVED)
        view_say(view, "A row is what is added to the token at that position. Two neighbouring "
                       "channels are the sine and cosine of one frequency: fast ones at the left "
                       "tell neighbours apart, slow ones at the right tell near from far.");
    else
        view_say(view,
                 "A row is what is added to the token at that position. One half of the channels "
                 "are %s, the other the %s of the same frequencies: fast ones at the left of each "
                 "half tell neighbours apart, slow ones tell near from far.",
                 desc->first == POSEMB_SINE_FIRST ? "sines" : "cosines",
                 desc->first == POSEMB_SINE_FIRST ? "cosines" : "sines");
}

static posemb_status draw_computed(const struct view_table *table, struct view *view,
                                   posemb_error *error)
{
    const struct plot_frame frame = frame_of(table, 118.0, 140.0, 900.0, 520.0);
    const struct plot_cells cells = {table->values, table->rows, table->dim, false};
    struct plot_scale scale;
    posemb_status status;

    status = view_begin(view, "Sinusoidal positions", table->name, 736.0, error);
    if (status == POSEMB_OK && !find_scale(table->values, table->rows * table->dim,
                                           fabs((double)table->desc.amplitude), &scale))
        status = view_no_memory("a sample of the values", error);
    if (status == POSEMB_OK && !table->desc.grid.axes)
        status = draw_wavelengths(view, table, &frame, error);
    if (status != POSEMB_OK)
        return status;
    plot_heat(&view->canvas, &frame, &cells, &scale);
    plot_axes(&view->canvas, &frame);
    plot_colour_bar(&view->canvas, 1036.0, frame.y, 20.0, frame.height, &scale, "value", false);
    say_channels(view, &table->desc);
    say_means(view, table, &frame);
    return POSEMB_OK;
}

/* ---- A stored table */

/* A stored table, and the nearest that sinusoids come to it. */
struct comparison {
    float *near; /* [rows, dim] */
    float *difference;
    double *row;             /* [dim] */
    struct nearest *nearest; /* [dim] */
    uint32_t *order;         /* [dim] channels as they are drawn: those that are near sinusoids by
                                frequency, the fastest first */
    float *drawn;            /* [rows, dim] in that order */
    struct identification found;
    bool is_found;
    double share;           /* of the variance within channels, where it is not */
    double most_difference; /* in magnitude */
};

static posemb_status comparison_begin(const struct view_table *table, struct comparison *comparison,
                                      posemb_error *error)
{
    const size_t count = (size_t)table->rows * table->dim;

    memset(comparison, 0, sizeof *comparison);
    comparison->near = calloc(count, sizeof *comparison->near);
    comparison->difference = calloc(count, sizeof *comparison->difference);
    comparison->row = calloc(table->dim, sizeof *comparison->row);
    comparison->nearest = calloc(table->dim, sizeof *comparison->nearest);
    comparison->order = calloc(table->dim, sizeof *comparison->order);
    comparison->drawn = calloc(count, sizeof *comparison->drawn);
    if (!comparison->near || !comparison->difference || !comparison->row || !comparison->nearest ||
        !comparison->order || !comparison->drawn)
        return view_no_memory("a second table", error);
    if (!identify_table(table->values, table->rows, table->dim, &comparison->found))
        return view_no_memory("the search for sinusoids", error);
    comparison->is_found = comparison->found.outcome == IDENTIFY_SINUSOIDAL ||
                           comparison->found.outcome == IDENTIFY_DEPARTS;
    if (!comparison->is_found &&
        !nearest_sinusoids(table->values, table->rows, table->dim, comparison->nearest))
        return view_no_memory("the spectrum of a channel", error);
    if (!comparison->is_found)
        comparison->share =
            nearest_share(table->values, table->rows, table->dim, comparison->nearest);
    return POSEMB_OK;
}

static void comparison_end(struct comparison *comparison)
{
    free(comparison->near);
    free(comparison->difference);
    free(comparison->row);
    free(comparison->nearest);
    free(comparison->order);
    free(comparison->drawn);
}

/* A channel and its frequency, to be sorted. */
struct placed {
    double frequency;
    uint32_t channel;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a;
    const struct placed *y = b;

    if (x->frequency != y->frequency)
        return x->frequency < y->frequency ? 1 : -1;
    return (x->channel > y->channel) - (x->channel < y->channel);
}

static posemb_status order_channels(uint32_t dim, struct comparison *comparison,
                                    posemb_error *error)
{
    struct placed *placed = calloc(dim, sizeof *placed);

    if (!placed)
        return view_no_memory("an order of channels", error);
    for (uint32_t c = 0; c < dim; c++)
        placed[c] = (struct placed){comparison->nearest[c].frequency, c};
    if (!comparison->is_found) /* where there is a formula, the order of channels is a part of it */
        qsort(placed, dim, sizeof *placed, compare_placed);
    for (uint32_t c = 0; c < dim; c++)
        comparison->order[c] = placed[c].channel;
    free(placed);
    return POSEMB_OK;
}

static void compare_rows(const struct view_table *table, struct comparison *comparison)
{
    for (uint64_t r = 0; r < table->rows; r++) {
        if (comparison->is_found)
            view_found_row(&comparison->found, r, comparison->row);
        for (uint32_t c = 0; c < table->dim; c++) {
            const size_t i = (size_t)r * table->dim + c;
            const double near = comparison->is_found ? comparison->row[c]
                                                     : nearest_value(&comparison->nearest[c], r);
            const double difference = (double)table->values[i] - near;

            comparison->near[i] = (float)near;
            comparison->difference[i] = (float)difference;
            if (isfinite(difference))
                comparison->most_difference = fmax(comparison->most_difference, fabs(difference));
        }
    }
}

static void say_comparison(struct view *view, const struct comparison *comparison)
{
    char most[TICK_LABEL_SIZE];

    show_short(comparison->most_difference, most);
    if (comparison->is_found) {
        view_say(view, "posemb identify: %s. The difference is %s at the most.",
                 comparison->found.message, most);
    } else {
        view_say(
            view,
            "posemb identify: %s. In the middle panel each channel is the sinusoid nearest to it, "
            "with a mean, amplitude, phase and frequency of its own, by least squares",
            comparison->found.message);
        if (isfinite(comparison->share))
            view_say(view, ": together they have %.0f %% of the variance over rows",
                     comparison->share * 100.0);
        view_say(view, ".");
    }
}

static void add_numbers(struct view *view, const struct comparison *comparison)
{
    json_object_set_new(view->numbers, "identified", json_boolean(comparison->is_found));
    json_object_set_new(view->numbers, "message", json_string(comparison->found.message));
    json_object_set_new(view->numbers, "largest_difference",
                        view_number(comparison->most_difference));
    if (!comparison->is_found)
        json_object_set_new(view->numbers, "share_of_variance", view_number(comparison->share));
}

/* Where the panel of that number is, from the top. */
static struct plot_frame panel_frame(const struct view_table *table,
                                     const struct comparison *comparison, int number)
{
    struct plot_frame frame = frame_of(table, 104.0, 118.0 + 216.0 * number, 970.0, 176.0);

    frame.down.ticks = 5;
    frame.across.ticks = number == PANELS - 1 ? frame.across.ticks : 0;
    frame.across.label = number < PANELS - 1    ? NULL
                         : comparison->is_found ? "channel"
                                                : "channels, those with fast sinusoids first";
    return frame;
}

static void draw_panel(struct view *view, const struct plot_frame *frame, const float *values,
                       const struct view_table *table, struct comparison *comparison,
                       const struct plot_scale *scale, const char *title)
{
    const struct plot_cells cells = {comparison->drawn, table->rows, table->dim,
                                     values == comparison->difference};

    for (uint64_t r = 0; r < table->rows; r++)
        for (uint32_t c = 0; c < table->dim; c++)
            comparison->drawn[r * table->dim + c] = values[r * table->dim + comparison->order[c]];
    plot_heat(&view->canvas, frame, &cells, scale);
    plot_axes(&view->canvas, frame);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, frame->x + frame->width / 2.0, frame->y - 10.0, ALIGN_MIDDLE,
                TEXT_NORMAL, title);
    plot_colour_bar(&view->canvas, frame->x + frame->width + 18.0, frame->y + 14.0, 16.0,
                    frame->height - 28.0, scale, NULL, false);
}

static posemb_status draw_panels(const struct view_table *table, struct comparison *comparison,
                                 struct view *view, posemb_error *error)
{
    const struct plot_frame frames[PANELS] = {panel_frame(table, comparison, 0),
                                              panel_frame(table, comparison, 1),
                                              panel_frame(table, comparison, 2)};
    const uint64_t count = table->rows * table->dim;
    struct plot_scale scale;
    struct plot_scale apart;

    if (!find_scale(table->values, count,
                    comparison->is_found ? fabs(comparison->found.amplitude) : 0.0, &scale) ||
        !find_scale(comparison->difference, count,
                    comparison->is_found ? comparison->most_difference : 0.0, &apart))
        return view_no_memory("a sample of the values", error);
    draw_panel(view, &frames[0], table->values, table, comparison, &scale,
               table->bad_count ? "stored (black: no number)" : "stored");
    draw_panel(view, &frames[1], comparison->near, table, comparison, &scale,
               comparison->is_found ? "the formula" : "the nearest sinusoid of each channel");
    draw_panel(view, &frames[2], comparison->difference, table, comparison, &apart,
               "the difference, on a scale of its own");
    say_comparison(view, comparison);
    say_means(view, table, &frames[0]);
    add_numbers(view, comparison);
    return POSEMB_OK;
}

static posemb_status draw_stored(const struct view_table *table, struct view *view,
                                 posemb_error *error)
{
    struct comparison comparison;
    posemb_status status = comparison_begin(table, &comparison, error);

    if (status == POSEMB_OK)
        status = order_channels(table->dim, &comparison, error);
    if (status == POSEMB_OK)
        status =
            view_begin(view, "A stored position table beside sinusoids", table->name, 806.0, error);
    if (status == POSEMB_OK) {
        compare_rows(table, &comparison);
        status = draw_panels(table, &comparison, view, error);
    }
    comparison_end(&comparison);
    return status;
}

posemb_status view_heat(const struct view_table *table, struct view *view, posemb_error *error)
{
    const posemb_status status =
        table->is_stored ? draw_stored(table, view, error) : draw_computed(table, view, error);

    if (status == POSEMB_OK) {
        view_say_bad(view, table);
        view_end(view);
    }
    return status;
}
