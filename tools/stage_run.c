/* Running the call of encode or table, and writing its output. */
#include "stage_run.h"

#include "command.h"
#include "storage.h"
#include "target.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t int_at(const npy_array *array, uint64_t index)
{
    if (array->type == NPY_I8)
        return ((const int64_t *)array->data)[index];
    return ((const int32_t *)array->data)[index];
}

/* "token 7 (row 1, column 2)" */
static void print_token(const struct inputs *inputs, uint32_t token)
{
    const uint64_t length = inputs->args.shape.length;

    fprintf(stderr, "posemb: token %" PRIu32 " (row %" PRIu64 ", column %" PRIu64 ") ", token,
            token / length, token % length);
}

static void report_ids(const struct inputs *inputs)
{
    const posemb_shape *shape = &inputs->args.shape;

    print_token(inputs, inputs->record.id_first);
    fprintf(stderr, "has id %" PRId64 "; the table has %" PRIu64 " rows",
            int_at(&inputs->ids, inputs->record.id_first), shape->vocab);
    if (shape->prompt_rows)
        fprintf(stderr, " and %" PRIu64 " soft prompts", shape->prompt_rows);
    fprintf(stderr, " (%" PRIu32 " bad ids in all)\n", inputs->record.id_count);
}

static void report_types(const struct inputs *inputs)
{
    const uint32_t token = inputs->record.extras[0].first;
    const bool of_row = inputs->desc.extras[0].ids == POSEMB_EXTRA_OF_ROW;

    print_token(inputs, token);
    fprintf(stderr,
            "has type %" PRId64 "; the table of types has %" PRIu64 " rows (%" PRIu32
            " bad types in all)\n",
            int_at(&inputs->types, of_row ? token / inputs->args.shape.length : token),
            inputs->args.shape.extras[0].rows, inputs->record.extras[0].count);
}

/* Where positions may lie. */
static void print_range(const struct inputs *inputs)
{
    if (inputs->desc.position_kind == POSEMB_LEARNED)
        fprintf(stderr, "; the position table has %" PRIu64 " rows",
                inputs->args.shape.position_rows);
    else
        fprintf(stderr, ", outside -2^31 ... 2^32-1");
}

/* The position of a token of a rule that takes them as they are given, and of one that counts
 * columns; a table's may be beyond its end under every rule. */
static void report_positions(const struct inputs *inputs)
{
    const posemb_shape *shape = &inputs->args.shape;
    const posemb_position_rule rule = inputs->desc.positions;
    const uint32_t token = inputs->record.position_first;
    const uint64_t column = token % shape->length;
    const uint64_t axes = inputs->desc.grid.axes ? inputs->desc.grid.axes : 1;
    const uint64_t index = (rule == POSEMB_POSITIONS_EXPLICIT_SHARED ? column : token) * axes;

    print_token(inputs, token);
    if (rule == POSEMB_POSITIONS_DEFAULT || rule == POSEMB_POSITIONS_INDEX) {
        fprintf(stderr, "has position %" PRId64, shape->start + (int64_t)(shape->past + column));
        print_range(inputs);
    } else if (rule != POSEMB_POSITIONS_EXPLICIT && rule != POSEMB_POSITIONS_EXPLICIT_SHARED) {
        fprintf(stderr, "has no position: what its rule looks at is out of order or range");
        if (inputs->desc.position_kind == POSEMB_LEARNED)
            fprintf(stderr, ", or it is beyond the position table of %" PRIu64 " rows",
                    shape->position_rows);
    } else if (inputs->positions.type == NPY_F4) {
        fprintf(stderr, "has position %g, outside -2^31 ... 2^32-1",
                (double)((const float *)inputs->positions.data)[index]);
    } else {
        fprintf(stderr, "has position %" PRId64, int_at(&inputs->positions, index));
        if (shape->start != 0)
            fprintf(stderr, " + %" PRId64, shape->start);
        print_range(inputs);
    }
    fprintf(stderr, " (%" PRIu32 " bad positions in all)\n", inputs->record.position_count);
}

/* "their rows are zeros" */
static void print_outcome(const struct inputs *inputs)
{
    switch (inputs->desc.tokens.policy) {
    case POSEMB_POLICY_CLAMP:
        fprintf(stderr, "posemb: bad ids and types name the nearest row\n");
        break;
    case POSEMB_POLICY_WRAP_NEGATIVE:
        fprintf(stderr, "posemb: bad ids and types below 0 name rows from the end; other rows are "
                        "zeros\n");
        break;
    case POSEMB_POLICY_NAN_ROW:
        fprintf(stderr, "posemb: the rows of bad ids and types are NaN\n");
        break;
    default:
        fprintf(stderr, "posemb: their rows are zeros\n");
        return;
    }
    if (inputs->record.position_count)
        fprintf(stderr, "posemb: the rows of bad positions are zeros\n");
}

static int judge_record(const struct stage_options *options, const struct inputs *inputs)
{
    const posemb_record *record = &inputs->record;

    if (record->id_count)
        report_ids(inputs);
    if (record->extras[0].count)
        report_types(inputs);
    if (record->position_count)
        report_positions(inputs);
    if (!record->id_count && !record->extras[0].count && !record->position_count)
        return EXIT_DONE;
    if (!options->allow_bad_ids)
        return EXIT_FAILED;
    print_outcome(inputs);
    return EXIT_DONE;
}

/* The first values of the first token, of a model's stage. */
static void print_first(const struct inputs *inputs)
{
    const posemb_desc *desc = &inputs->desc;

    if (inputs->args.shape.batch * inputs->args.shape.length == 0)
        return;
    printf("token 0, id %" PRId64 ":", int_at(&inputs->ids, 0));
    for (uint32_t channel = 0; channel < 4 && channel < desc->dim; channel++)
        printf(" %.6f", (double)posemb__load_element(inputs->args.out, channel, desc->out_storage));
    printf("%s\n", desc->dim > 4 ? " ..." : "");
}

static int write_out(const struct stage_options *options, const struct inputs *inputs,
                     const struct target *target)
{
    const bool floats = inputs->desc.position_type == POSEMB_FLOAT32;
    const npy_type type = storage_npy_type(inputs->desc.out_storage);
    posemb_error error;

    if (options->positions_out &&
        npy_write(options->positions_out, floats ? NPY_F4 : NPY_I8, inputs->out_rank - 1,
                  inputs->out_shape, inputs->positions_out, &error) != POSEMB_OK)
        return command_failed(&error);
    if (options->sum_out && npy_write(options->sum_out, type, inputs->out_rank, inputs->out_shape,
                                      inputs->args.sum_out, &error) != POSEMB_OK)
        return command_failed(&error);
    if (npy_write(options->out, type, inputs->out_rank, inputs->out_shape, inputs->args.out,
                  &error) != POSEMB_OK)
        return command_failed(&error);
    printf("%s: %s [", options->out, posemb_storage_find(inputs->desc.out_storage)->name);
    for (uint32_t i = 0; i < inputs->out_rank; i++)
        printf("%s%" PRIu64, i ? ", " : "", inputs->out_shape[i]);
    printf("], computed on %s\n", target_name(target));
    if (options->model_file)
        print_first(inputs);
    return EXIT_DONE;
}

int stage_run(const struct stage_options *options, struct inputs *inputs)
{
    struct target target;
    posemb_error error;
    int status = EXIT_FAILED;

    if (target_open(options->device, POSEMB_CACHE_DEFAULT, &target, &error) != POSEMB_OK)
        return command_failed(&error);
    if (target_run(&target, &inputs->desc, &inputs->args, &error) != POSEMB_OK)
        command_failed(&error);
    else
        status = judge_record(options, inputs);
    if (status == EXIT_DONE)
        status = write_out(options, inputs, &target);
    target_close(&target);
    return status;
}
