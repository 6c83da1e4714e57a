/* posemb experiment: the picture. A column for each task: losses above, accuracies below. */
#include "experiment_report.h"
#include "plot.h"
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS_MAX = TRIAL_TESTS_MAX };

static const double column_left = 84.0;
static const double columns_width =
    1176.0; /* of all tasks that there are, and what is between them */
static const double column_gap = 102.0;
static const double plot_height = 230.0;
static const double first_row = 168.0;
static const double second_row = 488.0;

static const struct plot_style chance_style = {0x222222, 1.5, 4.0, 1.0};

/* Every kind of positions differs in its dashes too. */
static struct plot_style style_of(int positions)
{
    static const double dashes[STAGE_KINDS] = {2.0, 0.0, 0.0, 7.0};

    return (struct plot_style){colour_of_line((unsigned)positions), 2.2, dashes[positions], 1.0};
}

/* A line with its spread. */
struct curve {
    size_t count;
    double x[POINTS_MAX];
    double mean[POINTS_MAX];
    double low[POINTS_MAX];
    double high[POINTS_MAX];
};

static void add_point(struct curve *curve, double x, struct spread spread)
{
    curve->x[curve->count] = x;
    curve->mean[curve->count] = spread.mean;
    curve->low[curve->count] = spread.least;
    curve->high[curve->count++] = spread.most;
}

static void curve_of(const struct experiment *experiment, const struct trial *trials,
                     enum trial_number number, struct curve *curve)
{
    const struct task *task = task_of(trials->task);
    const bool by_place = number == NUMBER_BY_PLACE;
    const size_t end = by_place ? task->long_length : trials->steps / TRIAL_STRIDE;

    curve->count = 0;
    for (size_t i = by_place ? task->distance : 0; i < end; i++)
        add_point(curve, by_place ? (double)i : (double)((i + 1) * TRIAL_STRIDE),
                  experiment_spread(experiment, trials, number, i));
}

/* The bands first, so that no line is hidden. */
static void draw_curves(const struct experiment *experiment, const struct canvas *canvas,
                        const struct plot_frame *frame, enum task_kind kind,
                        enum trial_number number)
{
    struct curve curve;

    for (int pass = 0; pass < 2; pass++)
        for (int positions = 0; positions < STAGE_KINDS; positions++) {
            struct plot_style style = style_of(positions);

            curve_of(experiment,
                     experiment_trials(experiment, kind, (enum stage_positions)positions), number,
                     &curve);
            if (pass == 1) {
                plot_line(canvas, frame, curve.x, curve.mean, curve.count, &style);
                continue;
            }
            style.alpha = 0.16;
            plot_band(canvas, frame, curve.x, curve.low, curve.high, curve.count, &style);
        }
}

static double highest_loss(const struct experiment *experiment, enum task_kind kind)
{
    double most = 0.0;

    for (size_t i = 0; i < experiment->count; i++)
        if (experiment->trials[i].task == kind)
            most = fmax(most, experiment->trials[i].losses[0]);
    return most;
}

static double column_step(const struct experiment *experiment)
{
    int tasks = 0;

    for (int i = 0; i < TASKS; i++)
        tasks += experiment->settings.tasks[i];
    return columns_width / tasks;
}

static struct plot_frame frame_at(const struct experiment *experiment, double x, double y)
{
    return (struct plot_frame){.x = x,
                               .y = y,
                               .width = column_step(experiment) - column_gap,
                               .height = plot_height,
                               .upwards = true};
}

static void draw_losses(const struct experiment *experiment, const struct canvas *canvas, double x,
                        enum task_kind kind)
{
    const struct trial *trials = experiment_trials(experiment, kind, STAGE_NONE);
    struct plot_frame frame = frame_at(experiment, x, first_row);

    frame.across = (struct plot_axis){
        .most = (double)trials->steps, .ticks = 5, .whole = true, .label = "steps"};
    frame.down = (struct plot_axis){
        .most = 1.05 * highest_loss(experiment, kind), .ticks = 5, .label = "loss (cross entropy)"};
    plot_grid(canvas, &frame);
    draw_curves(experiment, canvas, &frame, kind, NUMBER_LOSS);
    plot_axes(canvas, &frame);
}

static void draw_chance(const struct canvas *canvas, const struct plot_frame *frame, double chance)
{
    const double x[] = {frame->across.least, frame->across.most};
    const double y[] = {chance, chance};

    plot_line(canvas, frame, x, y, 2, &chance_style);
}

/* The places that training has had have a ground of their own. */
static void draw_trained_places(const struct canvas *canvas, const struct plot_frame *frame,
                                const struct task *task)
{
    const double x[] = {frame->across.least, task->train_length_most - 0.5};
    const double low[] = {frame->down.least, frame->down.least};
    const double high[] = {frame->down.most, frame->down.most};

    plot_band(canvas, frame, x, low, high, 2, &(struct plot_style){0x999999, 1.0, 0.0, 0.22});
    canvas_colour(canvas, COLOUR_TEXT);
    canvas_text(canvas, plot_x(frame, 0.5 * (x[0] + x[1])), frame->y - 8.0, ALIGN_MIDDLE,
                TEXT_SMALL, "trained");
    canvas_text(canvas, plot_x(frame, 0.5 * (x[1] + frame->across.most)), frame->y - 8.0,
                ALIGN_MIDDLE, TEXT_SMALL, "never trained");
}

static void draw_accuracies(const struct experiment *experiment, const struct canvas *canvas,
                            double x, enum task_kind kind)
{
    const struct task *task = task_of(kind);
    const struct trial *trials = experiment_trials(experiment, kind, STAGE_NONE);
    const bool by_place = task->long_length > 0;
    struct plot_frame frame = frame_at(experiment, x, second_row);
    char label[64] = "steps";

    if (by_place)
        snprintf(label, sizeof label, "place in %" PRIu32 " tokens", task->long_length);
    frame.across = (struct plot_axis){.most = by_place ? task->long_length - 1.0 : trials->steps,
                                      .ticks = 5,
                                      .whole = true,
                                      .label = label};
    frame.down = (struct plot_axis){.most = 1.02, .ticks = 5, .label = "accuracy"};
    if (by_place)
        draw_trained_places(canvas, &frame, task);
    plot_grid(canvas, &frame);
    draw_chance(canvas, &frame,
                task_chance(task, by_place ? task->long_length : task->train_length_most));
    draw_curves(experiment, canvas, &frame, kind, by_place ? NUMBER_BY_PLACE : NUMBER_TEST);
    plot_axes(canvas, &frame);
}

static void draw_keys(const struct canvas *canvas)
{
    double x = column_left;

    for (int positions = 0; positions < STAGE_KINDS; positions++) {
        const struct plot_style style = style_of(positions);

        x = plot_key(canvas, x, 98.0, &style,
                     stage_positions_name((enum stage_positions)positions));
    }
    plot_key(canvas, x, 98.0, &chance_style, "best guess without order");
}

static void say(const struct experiment *experiment, struct view *view)
{
    char digest[TRIAL_DIGEST_SIZE];

    experiment_digest(experiment, digest);
    view_say(view,
             "Lines: mean over %" PRIu32
             " seed%s; bands: worst to best. Digest of all parameters, the "
             "same on every device: %s.",
             experiment->settings.seeds, experiment->settings.seeds == 1 ? "" : "s", digest);
}

posemb_status experiment_picture_check(posemb_error *error)
{
    (void)error;
    return POSEMB_OK;
}

posemb_status experiment_picture(const struct experiment *experiment, const char *path,
                                 posemb_error *error)
{
    struct view view = {.numbers = NULL};
    double x = column_left;
    posemb_status status;
    char subtitle[VIEW_TEXT_SIZE];

    snprintf(subtitle, sizeof subtitle,
             "Transformer encoders, %d blocks of %d channels, trained without and with positions",
             TRIAL_BLOCKS, TRIAL_DIM);
    status = view_begin(&view, "What positions change", subtitle, 802.0, error);

    if (status == POSEMB_OK) {
        draw_keys(&view.canvas);
        for (int kind = 0; kind < TASKS; kind++) {
            if (!experiment->settings.tasks[kind])
                continue;
            canvas_colour(&view.canvas, COLOUR_TEXT);
            canvas_title(&view.canvas, x, first_row - 24.0, TEXT_NORMAL,
                         task_of((enum task_kind)kind)->title);
            draw_losses(experiment, &view.canvas, x, (enum task_kind)kind);
            draw_accuracies(experiment, &view.canvas, x, (enum task_kind)kind);
            x += column_step(experiment);
        }
        say(experiment, &view);
        view_end(&view);
        status = canvas_write(&view.canvas, path, error);
    }
    view_free(&view);
    return status;
}
