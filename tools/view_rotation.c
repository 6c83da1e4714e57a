/* The rotation that moves every position by the same distance, drawn under the similarity. */
#include "ticks.h"
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN 6.283185307179586

enum { CIRCLES = 3, STARTS = 3 };

/* R_k: each pair of channels turned by k times its frequency. */
struct rotation {
    uint64_t k;
    uint32_t pairs;
    uint64_t *steps;
    double deviation; /* of R_k PE(p) from PE(p + k), over all p and channels, by amplitude */
};

static double turn_of(uint64_t step, uint64_t positions)
{
    return TURN * (double)(step * positions >> 11) * 0x1p-53;
}

static void rotate_all(const struct view_table *table, struct rotation *rotation)
{
    const double amplitude = fabs((double)table->desc.amplitude);

    for (uint32_t i = 0; i < rotation->pairs; i++) {
        const struct view_pair pair = view_pair_at(&table->desc, i);
        const double angle = turn_of(rotation->steps[i], rotation->k);
        const double c = cos(angle);
        const double s = sin(angle);

        for (uint64_t p = 0; p + rotation->k < table->rows; p++) {
            const float *from = table->values + p * table->dim;
            const float *to = from + rotation->k * table->dim;
            const double sine = (double)from[pair.sine] * c + (double)from[pair.cosine] * s;
            const double cosine = (double)from[pair.cosine] * c - (double)from[pair.sine] * s;

            rotation->deviation =
                fmax(rotation->deviation, fmax(fabs(sine - (double)to[pair.sine]),
                                               fabs(cosine - (double)to[pair.cosine])) /
                                              amplitude);
        }
    }
}

/* The pair whose turn by k positions is nearest to `wanted` radians. */
static uint32_t pair_with_turn(const struct rotation *rotation, double wanted)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < rotation->pairs; i++)
        if (fabs(turn_of(rotation->steps[i], rotation->k) - wanted) <
            fabs(turn_of(rotation->steps[best], rotation->k) - wanted))
            best = i;
    return best;
}

/* From p to p + k on a circle around (x, y): an arc with a head at its end. Angles grow against the
 * clock from the right, the cosine's side. */
static void draw_arc(const struct canvas *canvas, double x, double y, double radius, double from,
                     double angle, colour of)
{
    const double to = from + angle;
    const double tip_x = x + radius * cos(to);
    const double tip_y = y - radius * sin(to);
    const double head = 9.0;

    canvas_colour(canvas, of);
    cairo_set_line_width(canvas->cairo, 2.2);
    cairo_new_path(canvas->cairo);
    cairo_arc_negative(canvas->cairo, x, y, radius, -from, -to);
    cairo_stroke(canvas->cairo);
    for (int side = -1; side <= 1; side += 2) {
        const double direction = to - 1.5707963 + side * 0.45;

        cairo_move_to(canvas->cairo, tip_x, tip_y);
        cairo_line_to(canvas->cairo, tip_x + head * cos(direction), tip_y - head * sin(direction));
    }
    cairo_stroke(canvas->cairo);
}

/* A spoke to a position's point, and its number outside. */
static void draw_point(const struct canvas *canvas, double x, double y, double radius, double angle,
                       double position, colour of)
{
    char text[TICK_LABEL_SIZE];

    canvas_colour(canvas, of);
    cairo_set_line_width(canvas->cairo, 1.0);
    cairo_move_to(canvas->cairo, x, y);
    cairo_line_to(canvas->cairo, x + radius * cos(angle), y - radius * sin(angle));
    cairo_stroke(canvas->cairo);
    cairo_arc(canvas->cairo, x + radius * cos(angle), y - radius * sin(angle), 4.0, 0.0, TURN);
    cairo_fill(canvas->cairo);
    show_fixed(position, 0, text);
    canvas_text(canvas, x + (radius + 15.0) * cos(angle), y - (radius + 15.0) * sin(angle) + 4.5,
                ALIGN_MIDDLE, TEXT_SMALL, text);
}

/* The values of one pair at three positions p, with arrows to p + k. */
static void draw_circle(const struct view_table *table, const struct rotation *rotation,
                        const struct view *view, uint32_t i, double x, double y)
{
    const struct view_pair pair = view_pair_at(&table->desc, i);
    const double radius = 80.0;
    const double angle = turn_of(rotation->steps[i], rotation->k);
    const uint64_t last = table->rows - 1 - rotation->k;
    char text[VIEW_TEXT_SIZE];

    canvas_colour(&view->canvas, COLOUR_GRID);
    cairo_set_line_width(view->canvas.cairo, 1.5);
    cairo_new_path(view->canvas.cairo);
    cairo_arc(view->canvas.cairo, x, y, radius, 0.0, TURN);
    cairo_stroke(view->canvas.cairo);
    for (unsigned k = 0; k < STARTS; k++) {
        const double wanted = (double)k * TURN / STARTS;
        const double length = view_wavelength(rotation->steps[i]);
        const double ideal = rint(wanted / TURN * length);
        const uint64_t p = ideal < (double)last ? (uint64_t)ideal : last * k / (STARTS - 1);
        const float *row = table->values + p * table->dim;
        const double from = atan2((double)row[pair.sine], (double)row[pair.cosine]);

        draw_point(&view->canvas, x, y, radius, from,
                   (double)table->start - table->origin + (double)p, colour_of_line(k));
        draw_point(&view->canvas, x, y, radius, from + angle,
                   (double)table->start - table->origin + (double)(p + rotation->k),
                   colour_of_line(k));
        draw_arc(&view->canvas, x, y, radius * (0.84 - 0.16 * k), from, angle, colour_of_line(k));
    }
    snprintf(text, sizeof text, "channels %" PRIu32 " and %" PRIu32 ": %.0f\u00b0", pair.sine,
             pair.cosine, angle * 360.0 / TURN);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, x, y + radius + 42.0, ALIGN_MIDDLE, TEXT_NORMAL, text);
}

static void draw_rotation(const struct view_table *table, const struct rotation *rotation,
                          struct view *view)
{
    static const double wanted[CIRCLES] = {2.3, 1.2, 0.45};
    uint32_t drawn[CIRCLES];
    unsigned count = 0;
    char text[VIEW_TEXT_SIZE];

    snprintf(text, sizeof text,
             "From any p to p + %" PRIu64 " each pair of channels, (cosine, sine), turns by the "
             "same angle",
             rotation->k);
    canvas_colour(&view->canvas, COLOUR_TEXT);
    canvas_text(&view->canvas, 600.0, 622.0, ALIGN_MIDDLE, TEXT_NORMAL, text);
    for (unsigned i = 0; i < CIRCLES; i++) {
        const uint32_t pair = pair_with_turn(rotation, wanted[i]);
        bool is_new = true;

        for (unsigned k = 0; k < count; k++)
            is_new = is_new && drawn[k] != pair;
        if (is_new)
            drawn[count++] = pair;
    }
    for (unsigned i = 0; i < count; i++)
        draw_circle(table, rotation, view, drawn[i],
                    600.0 + ((double)i - (double)(count - 1) / 2.0) * 350.0, 746.0);
}

posemb_status view_add_rotation(const struct view_table *table, struct view *view,
                                posemb_error *error)
{
    const size_t count = posemb_pair_count(&table->desc);
    struct rotation rotation = {.k = table->rows > 5 ? 5 : 1,
                                .pairs = view_pair_count(&table->desc),
                                .steps = calloc(count, sizeof *rotation.steps)};
    posemb_status status;
    char deviation[TICK_LABEL_SIZE];

    if (!rotation.steps)
        return view_no_memory("phase steps", error);
    status = posemb_phase_steps(&table->desc, rotation.steps, count, error);
    if (status == POSEMB_OK) {
        rotate_all(table, &rotation);
        draw_rotation(table, &rotation, view);
        show_short(rotation.deviation, deviation);
        view_say(view,
                 " A rotation that does not depend on p takes PE(p) to PE(p + %" PRIu64
                 "): over all p and pairs of channels it is off by %s at the most.",
                 rotation.k, deviation);
        json_object_set_new(view->numbers, "rotation_by", json_integer((json_int_t)rotation.k));
        json_object_set_new(view->numbers, "rotation_deviation", view_number(rotation.deviation));
    }
    free(rotation.steps);
    return status;
}
