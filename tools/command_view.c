/* posemb view: pictures of positions. */
#include "command.h"
#include "json_file.h"
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: posemb view --out FILE.png [--kind heat|similarity|curves|error] [--dim D] [--start "
    "P]\n"
    "                   [--count N] [--model NAME | --convention NAME ... | --table "
    "FILE[:TENSOR]]\n"
    "                   [--json FILE] [--device DEV]\n\n"
    "Draw sinusoidal positions, or a stored position table beside them.\n\n"
    "  --kind    heat: the table as colours; a stored one beside the sinusoids nearest to it\n"
    "            similarity: dot products of positions, by distance; the rotation that moves them\n"
    "            curves: channels over positions, and their wavelengths\n"
    "            error: how far a float32 table, or a stored one of sinusoids, is from exact ones\n"
    "  --dim     D, channels of one row; default 128\n"
    "  --start   the first position, or row of the table; default 0\n"
    "  --count   how many positions; default 128, or the rest of the table. Of error: the last\n"
    "            position, default 1000000000\n"
    "  --table   FILE.npy, FILE.safetensors:TENSOR or FILE.gguf:TENSOR: [rows, D] of any type\n"
    "  --json    receives what the picture says, as numbers\n"
    "  --device  as in posemb table; default reference\n"
    "  --out     the picture; a failure leaves none\n";

static const char *const kinds[] = {"heat", "similarity", "curves", "error", NULL};

static const struct option options_taken[] = {{"help", no_argument, NULL, OPTION_HELP},
                                              {"kind", required_argument, NULL, OPTION_KIND},
                                              {"dim", required_argument, NULL, OPTION_DIM},
                                              {"start", required_argument, NULL, OPTION_START},
                                              {"count", required_argument, NULL, OPTION_COUNT},
                                              {"table", required_argument, NULL, OPTION_TABLE},
                                              {"json", required_argument, NULL, OPTION_JSON_OUT},
                                              {"device", required_argument, NULL, OPTION_DEVICE},
                                              {"out", required_argument, NULL, OPTION_OUT},
                                              SINUSOID_OPTIONS,
                                              {NULL, 0, NULL, 0}};

enum { DIM_DEFAULT = 128, COUNT_DEFAULT = 128, LAST_DEFAULT = 1000000000 };

/* ---- Options */

static bool names_sinusoids(const struct stage_options *options)
{
    const posemb_desc *desc = &options->desc;

    return options->model || desc->dim || desc->convention || desc->layout || desc->first ||
           desc->denominator || desc->odd || desc->grid.axes || desc->shift != 0.0 ||
           desc->base != 0.0 || desc->amplitude != 0.0f || desc->frequency != 0.0 ||
           desc->position_scale != 0.0;
}

static int check(const char *command, enum view_kind kind, const struct stage_options *options)
{
    if (!options->out)
        return command_usage(command, "--out is missing");
    if (options->json && file_same(options->json, options->out))
        return command_usage(command, "--json and --out are one file, \"%s\"", options->out);
    if (options->desc.position_kind == POSEMB_NO_POSITION)
        return command_usage(command, "--model is \"%s\": there are no positions to draw",
                             options->model);
    if (options->table && names_sinusoids(options))
        return command_usage(command,
                             "--table is \"%s\", which has its own D and values: options "
                             "of sinusoids have no place beside it",
                             options->table);
    if (options->has_count && options->count == 0)
        return command_usage(command, "--count is \"0\": there is nothing to draw");
    if (options->has_count && options->desc.grid.axes)
        return command_usage(command, "--count and --grid exclude each other");
    if (kind == VIEW_ERROR && options->desc.grid.axes)
        return command_usage(command, "--grid has a picture of --kind heat alone");
    if (kind == VIEW_ERROR && options->has_start && !options->table)
        return command_usage(command, "--start has no place in --kind error, which begins at 1");
    return EXIT_DONE;
}

static void set_defaults(enum view_kind kind, struct stage_options *options)
{
    if (options->table)
        return;
    if (options->desc.dim == 0)
        options->desc.dim = DIM_DEFAULT;
    if (!options->has_count)
        options->count = kind == VIEW_ERROR ? LAST_DEFAULT : COUNT_DEFAULT;
}

/* ---- The picture */

static posemb_status draw_table(enum view_kind kind, const struct view_table *table,
                                struct view *view, posemb_error *error)
{
    switch (kind) {
    case VIEW_SIMILARITY:
        return view_similarity(table, view, error);
    case VIEW_CURVES:
        return view_curves(table, view, error);
    case VIEW_ERROR:
        return view_error_of_table(table, view, error);
    default:
        return view_heat(table, view, error);
    }
}

static posemb_status draw(enum view_kind kind, const struct stage_options *options,
                          struct view *view, posemb_error *error)
{
    struct view_table table;
    posemb_status status;

    if (kind == VIEW_ERROR && !options->table)
        return view_error(options, options->count, view, error);
    status = view_table_get(options, &table, error);
    if (status != POSEMB_OK)
        return status;
    status = draw_table(kind, &table, view, error);
    if (status == POSEMB_OK) {
        json_object_set_new(view->numbers, "rows", json_integer((json_int_t)table.rows));
        json_object_set_new(view->numbers, "dim", json_integer((json_int_t)table.dim));
        json_object_set_new(view->numbers, "start", json_integer((json_int_t)table.start));
        json_object_set_new(view->numbers, "not_finite", json_integer((json_int_t)table.bad_count));
    }
    view_table_free(&table);
    return status;
}

/* Both files are there, or none. */
static posemb_status write_files(const struct stage_options *options, const struct view *view,
                                 posemb_error *error)
{
    file_output json = {.temporary = NULL};
    posemb_status status = POSEMB_OK;

    if (options->json)
        status = json_file_begin(options->json, view->numbers, JSON_INDENT(1), &json, error);
    if (status == POSEMB_OK)
        status = canvas_write(&view->canvas, options->out, error);
    if (status == POSEMB_OK && options->json)
        status = file_output_commit(&json, error);
    else
        file_output_abandon(&json);
    return status;
}

static posemb_status make(enum view_kind kind, const struct stage_options *options,
                          posemb_error *error)
{
    struct view view;
    posemb_status status;

    memset(&view, 0, sizeof view);
    status = draw(kind, options, &view, error);
    if (status == POSEMB_OK) {
        json_object_set_new(view.numbers, "kind", json_string(kinds[kind - 1]));
        status = write_files(options, &view, error);
    }
    if (status == POSEMB_OK)
        printf("%s: %s, %d x %d\n%s\n", options->out, kinds[kind - 1], view.canvas.width,
               view.canvas.height, view.caption);
    view_free(&view);
    return status;
}

int command_view(int count, char **arguments)
{
    struct stage_options options;
    posemb_error error;
    int kind = VIEW_HEAT;
    int status = stage_options_parse(count, arguments, options_taken, help, &options);

    if (status == EXIT_DONE && options.kind)
        status = parse_word(arguments[0], "kind", kinds, options.kind, &kind);
    if (status == EXIT_DONE)
        status = check(arguments[0], (enum view_kind)kind, &options);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    set_defaults((enum view_kind)kind, &options);
    if (make((enum view_kind)kind, &options, &error) != POSEMB_OK)
        return command_failed(&error);
    return EXIT_DONE;
}
