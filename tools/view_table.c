/* The table that a picture is of, and which of its channels are sinusoids. */
#include "view.h"

#include "file_bytes.h"
#include "target.h"
#include "ticks.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names */

static void add(char name[VIEW_TEXT_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(char name[VIEW_TEXT_SIZE], const char *format, ...)
{
    const size_t used = strlen(name);
    va_list values;

    va_start(values, format);
    vsnprintf(name + used, VIEW_TEXT_SIZE - used, format, values);
    va_end(values);
}

/* Knobs that were turned on the command line. */
static void add_knobs(const posemb_desc *set, char name[VIEW_TEXT_SIZE])
{
    if (set->layout)
        add(name, ", %s", set->layout == POSEMB_INTERLEAVED ? "interleaved" : "halves");
    if (set->first)
        add(name, ", %s first", set->first == POSEMB_SINE_FIRST ? "sine" : "cosine");
    if (set->denominator)
        add(name, ", denominator %s \u2212 %g",
            set->denominator == POSEMB_DENOMINATOR_REAL ? "D/2" : "\u230aD/2\u230b", set->shift);
    if (set->amplitude != 0.0f)
        add(name, ", amplitude %g", (double)set->amplitude);
    if (set->frequency != 0.0)
        add(name, ", frequency %g", set->frequency);
    if (set->position_scale != 0.0)
        add(name, ", positions times %g", set->position_scale);
    for (uint32_t axis = 0; axis < set->grid.axes; axis++)
        add(name, "%s%" PRIu32, axis ? "\u00d7" : ", grid ", set->grid.count[axis]);
}

void view_name_sinusoids(const struct stage_options *options, const posemb_desc *desc,
                         char name[VIEW_TEXT_SIZE])
{
    posemb_desc resolved;

    name[0] = '\0';
    if (posemb_desc_resolve(desc, &resolved, NULL) != POSEMB_OK)
        return;
    if (options->model)
        add(name, "model %s%s", options->model, options->desc.convention ? ", " : "");
    for (size_t i = 0; i < posemb_convention_count(); i++)
        if (posemb_convention_at(i)->convention == resolved.convention &&
            (!options->model || options->desc.convention))
            add(name, "%s", posemb_convention_at(i)->name);
    add(name, ", D = %" PRIu32 ", base %g", resolved.dim, resolved.base);
    add_knobs(&options->desc, name);
}

/* ---- Tables */

static void name_axis(struct view_table *table)
{
    const double end = fabs((double)table->start) + (double)table->rows;
    const char *name = table->is_stored            ? "row"
                       : table->desc.grid.axes > 0 ? "column of the grid"
                                                   : "position";
    char start[TICK_LABEL_SIZE];

    show_fixed(fabs((double)table->start), 0, start);
    if (end > 1e6) {
        table->origin = (double)table->start;
        snprintf(table->axis, sizeof table->axis, "%s %s %s", name,
                 table->start < 0 ? "+" : "\u2212", start);
    } else {
        snprintf(table->axis, sizeof table->axis, "%s", name);
    }
}

static void find_bad(struct view_table *table)
{
    const uint64_t count = table->rows * table->dim;

    for (uint64_t i = 0; i < count; i++)
        if (!isfinite(table->values[i]) && table->bad_count++ == 0) {
            table->bad_row = i / table->dim;
            table->bad_channel = (uint32_t)(i % table->dim);
        }
}

static posemb_status check_size(uint64_t rows, uint32_t dim, posemb_error *error)
{
    if (rows == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "there is nothing to draw: no positions");
    if (rows > VIEW_VALUES_MAX / dim)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%" PRIu64 " positions of %" PRIu32
                            " channels are more than a picture is made of: 2^23 values (give a "
                            "smaller --count)",
                            rows, dim);
    return POSEMB_OK;
}

/* Of a grid, the columns that it has; a product beyond the limit is as good as any. */
static uint64_t rows_wanted(const struct stage_options *options)
{
    const posemb_grid *grid = &options->desc.grid;
    uint64_t rows = 1;

    for (uint32_t axis = 0; axis < grid->axes; axis++)
        rows = rows > VIEW_VALUES_MAX ? rows : rows * grid->count[axis];
    return grid->axes ? rows : (uint64_t)options->count;
}

static posemb_status run(const struct stage_options *options, struct inputs *inputs,
                         posemb_error *error)
{
    struct target target;
    posemb_status status = target_open(options->device ? options->device : TARGET_REFERENCE,
                                       POSEMB_CACHE_DEFAULT, &target, error);

    if (status == POSEMB_OK)
        status = target_run(&target, &inputs->desc, &inputs->args, error);
    target_close(&target);
    return status;
}

static posemb_status compute(const struct stage_options *options, struct view_table *table,
                             posemb_error *error)
{
    posemb_status status = check_size(rows_wanted(options), options->desc.dim, error);

    if (status == POSEMB_OK)
        status = inputs_read_table(options, &table->inputs, error);
    if (status == POSEMB_OK)
        status = posemb_desc_resolve(&table->inputs.desc, &table->desc, error);
    if (status == POSEMB_OK && table->desc.position_kind != POSEMB_SINUSOIDAL)
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "the positions of model \"%s\" are learned: give its --table "
                              "FILE:TENSOR",
                              options->model);
    if (status == POSEMB_OK)
        status = run(options, &table->inputs, error);
    if (status != POSEMB_OK)
        return status;
    table->values = table->inputs.args.out;
    table->rows = table->inputs.args.shape.length;
    table->dim = table->desc.dim;
    table->start = table->inputs.args.shape.start;
    view_name_sinusoids(options, &table->inputs.desc, table->name);
    return POSEMB_OK;
}

/* Rows --start ... of the file, --count of them. */
static posemb_status read_stored(const struct stage_options *options, struct view_table *table,
                                 posemb_error *error)
{
    uint64_t rows = 0;
    posemb_status status = read_float_table("a position table", options->table, &table->file_values,
                                            &rows, &table->dim, error);

    if (status != POSEMB_OK)
        return status;
    if (table->dim > POSEMB_DIM_MAX || table->dim == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: rows have 1 to %u channels, not %" PRIu32, options->table,
                            POSEMB_DIM_MAX, table->dim);
    if (options->start < 0 || (uint64_t)options->start >= rows)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%.200s: there is no row %" PRId64 ", it has %" PRIu64, options->table,
                            options->start, rows);
    table->is_stored = true;
    table->start = options->start;
    table->values = table->file_values + (uint64_t)options->start * table->dim;
    table->rows = rows - (uint64_t)options->start;
    if (options->has_count && (uint64_t)options->count < table->rows)
        table->rows = (uint64_t)options->count;
    show_path(options->table, table->name);
    return check_size(table->rows, table->dim, error);
}

posemb_status view_table_get(const struct stage_options *options, struct view_table *table,
                             posemb_error *error)
{
    posemb_status status;

    memset(table, 0, sizeof *table);
    status = options->table ? read_stored(options, table, error) : compute(options, table, error);
    if (status == POSEMB_OK) {
        find_bad(table);
        name_axis(table);
    } else {
        view_table_free(table);
    }
    return status;
}

void view_table_free(struct view_table *table)
{
    inputs_free(&table->inputs);
    free(table->file_values);
    table->file_values = NULL;
    table->values = NULL;
}

posemb_status view_desc_get(const struct stage_options *options, posemb_desc *desc,
                            posemb_error *error)
{
    struct stage_options one = *options;
    struct inputs inputs;
    posemb_status status;

    one.count = 1;
    status = inputs_read_table(&one, &inputs, error);
    *desc = inputs.desc;
    inputs_free(&inputs);
    return status;
}

/* ---- Sinusoids */

uint32_t view_pair_count(const posemb_desc *desc)
{
    return desc->dim / 2;
}

struct view_pair view_pair_at(const posemb_desc *desc, uint32_t pair)
{
    const uint32_t half = desc->dim / 2 + (desc->dim % 2 && desc->odd == POSEMB_ODD_FIRST);
    const bool is_interleaved = desc->layout == POSEMB_INTERLEAVED;
    const uint32_t first = is_interleaved ? 2 * pair : pair;
    const uint32_t second = is_interleaved ? 2 * pair + 1 : half + pair;

    if (desc->first == POSEMB_COSINE_FIRST)
        return (struct view_pair){second, first};
    return (struct view_pair){first, second};
}

double view_wavelength(uint64_t step)
{
    const uint64_t nearer = step > UINT64_MAX / 2 ? UINT64_MAX - step + 1 : step;

    return nearer ? 18446744073709551616.0 / (double)nearer : (double)INFINITY;
}

static double found_frequency(const struct identification *found, uint32_t pair)
{
    const double divisor = identify_divisor(found->dim, found->form.denominator, found->form.shift);

    if (pair == 0)
        return found->frequency;
    return found->frequency * pow(found->form.base, -(double)pair / divisor);
}

void view_found_row(const struct identification *found, uint64_t row, double *values)
{
    const posemb_desc desc = {.dim = found->dim,
                              .layout = found->form.layout,
                              .first = found->form.first,
                              .odd = found->form.odd};
    const double position = found->offset + (double)row * found->step;
    const uint32_t pairs = view_pair_count(&desc);
    const bool is_sine = desc.first == POSEMB_SINE_FIRST;

    for (uint32_t i = 0; i < pairs; i++) {
        const struct view_pair pair = view_pair_at(&desc, i);
        const double angle = position * found_frequency(found, i);

        values[pair.sine] = found->amplitude * sin(angle);
        values[pair.cosine] = found->amplitude * cos(angle);
    }
    if (found->dim % 2 == 0)
        return;
    if (desc.odd == POSEMB_ODD_FIRST) {
        const uint32_t lone = desc.layout == POSEMB_INTERLEAVED ? found->dim - 1 : pairs;
        const double angle = position * found_frequency(found, pairs);

        values[lone] = found->amplitude * (is_sine ? sin(angle) : cos(angle));
    } else {
        values[found->dim - 1] =
            desc.odd == POSEMB_ODD_SECOND
                ? found->amplitude * (is_sine ? cos(position * found->frequency)
                                              : sin(position * found->frequency))
                : 0.0;
    }
}
