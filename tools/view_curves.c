/* posemb view --kind curves: channels as curves over positions, and how fast they turn. */
#include "nearest.h"
#include "plot.h"
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 6, LANE_HEIGHT = 82, LANE_TOP = 128, LANE_STEP = 92, NAME_SIZE = 96 };

static const struct plot_style solid = {0x0072b2, 2.0, 0.0, 1.0};
static const struct plot_style dashed = {0xd55e00, 2.0, 6.0, 1.0};

/* What is drawn of a table: up to LANES of `count` pairs or channels, evenly. */
struct lanes {
    const struct view_table *table;
    uint32_t count;
    uint32_t drawn;
    double *at; /* [rows] positions */
    double *a;  /* [rows] the two curves of a lane */
    double *b;
    double *index;  /* [count] */
    double *height; /* [count] of each pair: its wavelength; of each channel: its nearest's share */
    struct nearest *nearest; /* [dim] of a stored table */
};

static uint32_t chosen(const struct lanes *lanes, uint32_t lane)
{
    return lanes->drawn > 1 ? (uint32_t)((uint64_t)lane * (lanes->count - 1) / (lanes->drawn - 1))
                            : 0;
}

static posemb_status lanes_begin(const struct view_table *table, struct lanes *lanes,
                                 posemb_error *error)
{
    const size_t rows = (size_t)table->rows;

    memset(lanes, 0, sizeof *lanes);
    lanes->table = table;
    lanes->count = table->is_stored ? table->dim : view_pair_count(&table->desc);
    lanes->drawn = lanes->count < LANES ? lanes->count : LANES;
    lanes->at = calloc(3 * rows + 2 * (size_t)table->dim, sizeof *lanes->at);
    lanes->nearest = calloc(table->dim, sizeof *lanes->nearest);
    if (!lanes->at || !lanes->nearest)
        return view_no_memory("curves", error);
    lanes->a = lanes->at + rows;
    lanes->b = lanes->a + rows;
    lanes->index = lanes->b + rows;
    lanes->height = lanes->index + table->dim;
    for (size_t r = 0; r < rows; r++)
        lanes->at[r] = (double)table->start - table->origin + (double)r;
    for (uint32_t i = 0; i < lanes->count; i++)
        lanes->index[i] = i;
    return POSEMB_OK;
}

static void lanes_end(struct lanes *lanes)
{
    free(lanes->at);
    free(lanes->nearest);
}

/* Wavelengths, or the nearest sinusoids. */
static posemb_status measure(struct lanes *lanes, posemb_error *error)
{
    const struct view_table *table = lanes->table;
    posemb_status status = POSEMB_OK;

    if (table->is_stored) {
        if (!nearest_sinusoids(table->values, table->rows, table->dim, lanes->nearest))
            return view_no_memory("the spectrum of a channel", error);
        for (uint32_t i = 0; i < lanes->count; i++)
            lanes->height[i] = lanes->nearest[i].share;
    } else {
        const size_t count = posemb_pair_count(&table->desc);
        uint64_t *steps = calloc(count, sizeof *steps);

        if (!steps)
            return view_no_memory("phase steps", error);
        status = posemb_phase_steps(&table->desc, steps, count, error);
        for (uint32_t i = 0; status == POSEMB_OK && i < lanes->count; i++)
            lanes->height[i] = view_wavelength(steps[i]);
        free(steps);
    }
    return status;
}

/* The curves of a lane, and what stands beside them. */
static void load_lane(const struct lanes *lanes, uint32_t i, char names[2][NAME_SIZE])
{
    const struct view_table *table = lanes->table;
    const struct view_pair pair = view_pair_at(&table->desc, i);
    char wavelength[TICK_LABEL_SIZE];

    for (uint64_t r = 0; r < table->rows; r++) {
        const float *row = table->values + r * table->dim;

        lanes->a[r] = (double)row[table->is_stored ? i : pair.sine];
        lanes->b[r] =
            table->is_stored ? nearest_value(&lanes->nearest[i], r) : (double)row[pair.cosine];
    }
    if (table->is_stored) {
        snprintf(names[0], NAME_SIZE, "channel %" PRIu32, i);
        snprintf(names[1], NAME_SIZE, "explained: %.0f %%", 100.0 * lanes->height[i]);
        if (isnan(lanes->height[i]))
            snprintf(names[1], NAME_SIZE, "not fitted");
    } else {
        show_short(lanes->height[i], wavelength);
        snprintf(names[0], NAME_SIZE, "channels %" PRIu32 ", %" PRIu32, pair.sine, pair.cosine);
        snprintf(names[1], NAME_SIZE, "one turn in %s", wavelength);
    }
}

static double largest(const struct lanes *lanes)
{
    double most = 0.0;

    for (uint64_t r = 0; r < lanes->table->rows; r++) {
        if (isfinite(lanes->a[r]))
            most = fmax(most, fabs(lanes->a[r]));
        if (isfinite(lanes->b[r]))
            most = fmax(most, fabs(lanes->b[r]));
    }
    return most > 0.0 ? most : 1.0;
}

static void draw_lane(const struct lanes *lanes, uint32_t lane, struct view *view)
{
    const struct view_table *table = lanes->table;
    const uint32_t i = chosen(lanes, lane);
    const bool is_last = lane + 1 == lanes->drawn;
    char names[2][NAME_SIZE];
    struct plot_frame frame = {
        .x = 100.0,
        .y = LANE_TOP + (double)lane * LANE_STEP,
        .width = 560.0,
        .height = LANE_HEIGHT,
        .across = {.least = lanes->at[0] - (table->rows > 1 ? 0.0 : 0.5),
                   .most = lanes->at[table->rows - 1] + (table->rows > 1 ? 0.0 : 0.5),
                   .ticks = 8,
                   .whole = true},
        .upwards = true,
    };

    load_lane(lanes, i, names);
    frame.down.most = 1.1 * largest(lanes);
    frame.down.least = -frame.down.most;
    frame.down.ticks = 4;
    plot_grid(&view->canvas, &frame);
    plot_line(&view->canvas, &frame, lanes->at, lanes->a, (size_t)table->rows, &solid);
    plot_line(&view->canvas, &frame, lanes->at, lanes->b, (size_t)table->rows, &dashed);
    frame.across.label = is_last ? table->axis : NULL;
    frame.across.ticks = is_last ? frame.across.ticks : 0;
    plot_axes(&view->canvas, &frame);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, frame.x + frame.width + 10.0, frame.y + 36.0, ALIGN_LEFT, TEXT_SMALL,
                names[0]);
    canvas_text(&view->canvas, frame.x + frame.width + 10.0, frame.y + 56.0, ALIGN_LEFT, TEXT_SMALL,
                names[1]);
}

/* An axis for them; false: no pair turns. */
static bool find_wavelengths(const struct lanes *lanes, struct plot_axis *axis)
{
    *axis = (struct plot_axis){.least = INFINITY, .most = 0.0, .ticks = 8, .is_log = true};
    for (uint32_t i = 0; i < lanes->count; i++)
        if (isfinite(lanes->height[i])) {
            axis->least = fmin(axis->least, lanes->height[i] / 1.5);
            axis->most = fmax(axis->most, lanes->height[i] * 1.5);
        }
    if (axis->most > 0.0 && axis->most < 10.0 * axis->least) {
        axis->least /= 4.0;
        axis->most *= 4.0;
    }
    return axis->most > 0.0;
}

/* All pairs' wavelengths, or all channels' shares, with the lanes marked. */
static void draw_heights(const struct lanes *lanes, struct view *view)
{
    const bool is_stored = lanes->table->is_stored;
    const struct plot_style mark = {0xd55e00, 5.0, 0.0, 1.0};
    struct plot_frame frame = {
        .x = 892.0,
        .y = LANE_TOP,
        .width = 278.0,
        .height = (LANES - 1) * LANE_STEP + LANE_HEIGHT,
        .across = {.least = -0.5 - (double)lanes->count * 0.03,
                   .most = (double)lanes->count * 1.03 - 0.5,
                   .ticks = 5,
                   .whole = true,
                   .label = is_stored ? "channel" : "pair of channels"},
        .down = {.least = 0.0, .most = 1.0, .ticks = 5},
        .upwards = true,
    };

    if (!is_stored && !find_wavelengths(lanes, &frame.down))
        return;
    plot_grid(&view->canvas, &frame);
    for (uint32_t i = 0; i < lanes->count; i++)
        if (is_stored && isfinite(lanes->height[i]))
            plot_dot(&view->canvas, &frame, lanes->index[i], lanes->height[i],
                     &(struct plot_style){0x0072b2, 2.2, 0.0, 0.7});
    if (!is_stored)
        plot_line(&view->canvas, &frame, lanes->index, lanes->height, lanes->count, &solid);
    for (uint32_t lane = 0; lane < lanes->drawn; lane++)
        if (isfinite(lanes->height[chosen(lanes, lane)]))
            plot_dot(&view->canvas, &frame, chosen(lanes, lane), lanes->height[chosen(lanes, lane)],
                     &mark);
    plot_axes(&view->canvas, &frame);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, frame.x + frame.width / 2.0, frame.y - 12.0, ALIGN_MIDDLE,
                TEXT_NORMAL,
                is_stored ? "share that a sinusoid explains" : "wavelength, in positions");
}

static void say_curves(const struct lanes *lanes, struct view *view)
{
    const struct view_table *table = lanes->table;

    if (table->is_stored) {
        const double share = nearest_share(table->values, table->rows, table->dim, lanes->nearest);

        view_say(view, "Channels of the table, each beside the sinusoid nearest to it by least "
                       "squares");
        if (isfinite(share))
            view_say(view, "; over all channels these have %.0f %% of the variance", share * 100.0);
        view_say(view, ". Dots: the same of each channel; the large ones are drawn at the left.");
        json_object_set_new(view->numbers, "share_by_channel",
                            view_numbers(lanes->height, lanes->count));
        json_object_set_new(view->numbers, "share_of_variance", view_number(share));
    } else {
        view_say(view, "Each pair of channels is a sine and a cosine, as the hands of one clock: "
                       "the first turns once in a few positions, the last takes longest. Dots mark "
                       "the pairs that are drawn.");
        json_object_set_new(view->numbers, "wavelength_by_pair",
                            view_numbers(lanes->height, lanes->count));
    }
}

static posemb_status draw(struct lanes *lanes, struct view *view, posemb_error *error)
{
    const bool is_stored = lanes->table->is_stored;
    posemb_status status = measure(lanes, error);
    double x;

    if (status == POSEMB_OK)
        status = view_begin(view,
                            is_stored ? "Channels of a stored position table"
                                      : "The frequencies of sinusoidal positions",
                            lanes->table->name, 746.0, error);
    if (status != POSEMB_OK)
        return status;
    x = plot_key(&view->canvas, 100.0, 108.0, &solid, is_stored ? "stored" : "sine");
    plot_key(&view->canvas, x, 108.0, &dashed, is_stored ? "nearest sinusoid" : "cosine");
    for (uint32_t lane = 0; lane < lanes->drawn; lane++)
        draw_lane(lanes, lane, view);
    draw_heights(lanes, view);
    say_curves(lanes, view);
    return POSEMB_OK;
}

posemb_status view_curves(const struct view_table *table, struct view *view, posemb_error *error)
{
    struct lanes lanes;
    posemb_status status;

    if (!table->is_stored && table->desc.grid.axes)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "--grid has a picture of --kind heat alone");
    if (!table->is_stored && view_pair_count(&table->desc) == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "--dim is %" PRIu32 ": there is no pair of channels to draw",
                            table->dim);
    status = lanes_begin(table, &lanes, error);
    if (status == POSEMB_OK)
        status = draw(&lanes, view, error);
    if (status == POSEMB_OK) {
        view_say_bad(view, table);
        view_end(view);
    }
    lanes_end(&lanes);
    return status;
}
