/* posemb view --kind similarity: dot products of positions. */
#include "plot.h"
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIMILARITY_ROWS_MAX 2048u
#define SIMILARITY_WORK_MAX (UINT64_C(1) << 30) /* products, both halves of the matrix counted */

/* ---- The matrix */

struct similarity {
    uint64_t rows;
    double *units; /* [dim, rows]: rows of length 1, as columns */
    double *sums;  /* [rows] */
    float *matrix; /* [rows, rows]; NaN where a row is zeros, or has no number */
    double *at;    /* [rows]: distances 0, 1, ... */
    double *least; /* over all pairs of rows so far apart; NaN: there are none with numbers */
    double *most;
    double *mean;
    double lowest; /* of the matrix */
    double spread; /* largest most - least */
    uint64_t spread_at;
    uint64_t without; /* rows without a direction */
};

static posemb_status check_size(const struct view_table *table, posemb_error *error)
{
    if (table->rows > SIMILARITY_ROWS_MAX ||
        table->rows * table->rows > SIMILARITY_WORK_MAX / table->dim)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "similarity of %" PRIu64 " positions of %" PRIu32
                            " channels takes too much: at most %u positions, and 2^30 products "
                            "(give a smaller --count)",
                            table->rows, table->dim, SIMILARITY_ROWS_MAX);
    return POSEMB_OK;
}

static posemb_status similarity_begin(const struct view_table *table, struct similarity *s,
                                      posemb_error *error)
{
    const size_t rows = (size_t)table->rows;

    memset(s, 0, sizeof *s);
    s->rows = table->rows;
    s->units = calloc(rows * table->dim, sizeof *s->units);
    s->sums = calloc(rows * 5, sizeof *s->sums);
    s->matrix = calloc(rows * rows, sizeof *s->matrix);
    if (!s->units || !s->sums || !s->matrix)
        return view_no_memory("the similarities", error);
    s->at = s->sums + rows;
    s->least = s->at + rows;
    s->most = s->least + rows;
    s->mean = s->most + rows;
    return POSEMB_OK;
}

static void similarity_end(struct similarity *s)
{
    free(s->units);
    free(s->sums);
    free(s->matrix);
}

static void load_units(const struct view_table *table, struct similarity *s)
{
    for (uint64_t r = 0; r < s->rows; r++) {
        const float *row = table->values + r * table->dim;
        double square = 0.0;

        for (uint32_t c = 0; c < table->dim; c++)
            square += (double)row[c] * (double)row[c];
        if (!(square > 0.0) || !isfinite(square)) {
            square = NAN;
            s->without++;
        }
        for (uint32_t c = 0; c < table->dim; c++)
            s->units[c * s->rows + r] = (double)row[c] / sqrt(square);
    }
}

/* Row p of the matrix, from its diagonal on, and its mirror image. */
static void multiply_row(uint32_t dim, uint64_t p, struct similarity *s)
{
    for (uint64_t q = p; q < s->rows; q++)
        s->sums[q] = 0.0;
    for (uint32_t c = 0; c < dim; c++) {
        const double *units = s->units + c * s->rows;
        const double factor = units[p];

        for (uint64_t q = p; q < s->rows; q++)
            s->sums[q] += factor * units[q];
    }
    for (uint64_t q = p; q < s->rows; q++) {
        const uint64_t k = q - p;

        s->matrix[p * s->rows + q] = (float)s->sums[q];
        s->matrix[q * s->rows + p] = (float)s->sums[q];
        s->least[k] = fmin(s->least[k], s->sums[q]);
        s->most[k] = fmax(s->most[k], s->sums[q]);
        s->mean[k] += isfinite(s->sums[q]) ? s->sums[q] : 0.0;
    }
}

static void find_spread(struct similarity *s, const uint64_t *pairs)
{
    s->lowest = 1.0;
    for (uint64_t k = 0; k < s->rows; k++) {
        s->mean[k] = pairs[k] ? s->mean[k] / (double)pairs[k] : NAN;
        s->lowest = fmin(s->lowest, s->least[k]);
        if (s->most[k] - s->least[k] > s->spread) {
            s->spread = s->most[k] - s->least[k];
            s->spread_at = k;
        }
    }
}

static posemb_status multiply(const struct view_table *table, struct similarity *s,
                              posemb_error *error)
{
    uint64_t *pairs = calloc((size_t)s->rows, sizeof *pairs);

    if (!pairs)
        return view_no_memory("the similarities", error);
    load_units(table, s);
    for (uint64_t k = 0; k < s->rows; k++) {
        s->at[k] = (double)k;
        s->least[k] = s->most[k] = NAN;
        s->mean[k] = 0.0;
    }
    for (uint64_t p = 0; p < s->rows; p++) {
        multiply_row(table->dim, p, s);
        for (uint64_t q = p; q < s->rows; q++)
            pairs[q - p] += isfinite(s->sums[q]) ? 1u : 0u;
    }
    find_spread(s, pairs);
    free(pairs);
    return POSEMB_OK;
}

static void draw_matrix(const struct view_table *table, const struct similarity *s,
                        struct view *view)
{
    const double low = (double)table->start - table->origin - 0.5;
    const struct plot_axis axis = {.least = low,
                                   .most = low + (double)s->rows,
                                   .ticks = 5,
                                   .whole = true,
                                   .label = table->axis};
    const struct plot_frame frame = {
        .x = 112.0, .y = 122.0, .width = 384.0, .height = 384.0, .across = axis, .down = axis};
    const struct plot_cells cells = {s->matrix, s->rows, s->rows, false};
    const struct plot_scale scale = {
        .map = MAP_SEQUENTIAL, .least = s->lowest < 0.999 ? s->lowest : 0.0, .most = 1.0};

    plot_heat(&view->canvas, &frame, &cells, &scale);
    plot_axes(&view->canvas, &frame);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, frame.x + frame.width / 2.0, frame.y - 12.0, ALIGN_MIDDLE,
                TEXT_NORMAL, "similarity of every two positions");
    plot_colour_bar(&view->canvas, 508.0, frame.y + 16.0, 16.0, frame.height - 32.0, &scale, NULL,
                    s->without > 0);
}

static void draw_distances(const struct similarity *s, struct view *view, double width)
{
    const struct plot_style line = {colour_of_line(0), 2.2, 0.0, 1.0};
    const struct plot_style band = {colour_of_line(1), 1.0, 0.0, 0.35};
    const struct plot_style key = {colour_of_line(1), 8.0, 0.0, 0.35};
    const struct plot_frame frame = {
        .x = 652.0,
        .y = 122.0,
        .width = width,
        .height = 384.0,
        .across = {.least = s->rows > 1 ? 0.0 : -0.5,
                   .most = s->rows > 1 ? (double)(s->rows - 1) : 0.5,
                   .ticks = (size_t)(width / 60.0),
                   .whole = true,
                   .label = "distance k"},
        .down = {.least = fmin(s->lowest, 0.0) - 0.05, .most = 1.05, .ticks = 6},
        .upwards = true,
    };
    size_t known = 0;
    double x;
    char spread[TICK_LABEL_SIZE];
    char text[2 * TICK_LABEL_SIZE];

    while (known < s->rows && isfinite(s->least[known]))
        known++;
    plot_grid(&view->canvas, &frame);
    plot_band(&view->canvas, &frame, s->at, s->least, s->most, known, &band);
    plot_line(&view->canvas, &frame, s->at, s->mean, s->rows, &line);
    plot_axes(&view->canvas, &frame);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, frame.x + frame.width / 2.0, frame.y - 12.0, ALIGN_MIDDLE,
                TEXT_NORMAL, "p and p + k: mean and range over all p");
    show_short(s->spread, spread);
    snprintf(text, sizeof text, "range, at most %s wide", spread);
    x = plot_key(&view->canvas, frame.x + 60.0, frame.y + frame.height + 70.0, &line, "mean");
    plot_key(&view->canvas, x, frame.y + frame.height + 70.0, &key, text);
}

/* ---- The picture */

static void say_similarity(const struct view_table *table, const struct similarity *s,
                           struct view *view)
{
    char spread[TICK_LABEL_SIZE];

    show_short(s->spread, spread);
    view_say(view, "Dot products of rows, each divided by its length.");
    if (s->rows - s->without > 1)
        view_say(view, " For one distance k they differ by %s at the most%s.", spread,
                 s->spread < 1e-5   ? ": it is the distance alone that counts, wherever the two are"
                 : table->is_stored ? ": this table knows places, not distances alone"
                                    : "");
    if (s->without)
        view_say(view, " %" PRIu64 " row%s no direction.", s->without,
                 s->without == 1 ? " has" : "s have");
    json_object_set_new(view->numbers, "spread", view_number(s->spread));
    json_object_set_new(view->numbers, "spread_at_distance",
                        json_integer((json_int_t)s->spread_at));
    json_object_set_new(view->numbers, "similarity_by_distance",
                        view_numbers(s->mean, (size_t)s->rows));
}

static posemb_status draw(const struct view_table *table, struct similarity *s, struct view *view,
                          posemb_error *error)
{
    const bool rotates = !table->is_stored && table->rows > 1 && view_pair_count(&table->desc) > 0;
    posemb_status status = multiply(table, s, error);

    if (status == POSEMB_OK)
        status = view_begin(view,
                            table->is_stored ? "How alike the rows of a stored table are"
                                             : "How alike sinusoidal positions are",
                            table->name, rotates ? 908.0 : 638.0, error);
    if (status != POSEMB_OK)
        return status;
    draw_matrix(table, s, view);
    draw_distances(s, view, 500.0);
    say_similarity(table, s, view);
    if (rotates)
        status = view_add_rotation(table, view, error);
    return status;
}

posemb_status view_similarity(const struct view_table *table, struct view *view,
                              posemb_error *error)
{
    struct similarity similarity;
    posemb_status status = check_size(table, error);

    if (status == POSEMB_OK && !table->is_stored && table->desc.grid.axes)
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "--grid has a picture of --kind heat alone: the distance of two "
                              "places is not one number");
    if (status != POSEMB_OK)
        return status;
    status = similarity_begin(table, &similarity, error);
    if (status == POSEMB_OK)
        status = draw(table, &similarity, view, error);
    if (status == POSEMB_OK) {
        view_say_bad(view, table);
        view_end(view);
    }
    similarity_end(&similarity);
    return status;
}
