/* Running the call of encode or table, and writing its output. */
#include "stage_run.h"

#include "command.h"
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
    print_token(inputs, inputs->record.id_first);
    fprintf(stderr,
            "has id %" PRId64 "; the table has %" PRIu64 " rows (%" PRIu32 " bad ids in all)\n",
            int_at(&inputs->ids, inputs->record.id_first), inputs->args.shape.vocab,
            inputs->record.id_count);
}

static void report_positions(const struct inputs *inputs)
{
    const uint32_t token = inputs->record.position_first;
    const uint64_t length = inputs->args.shape.length;
    const bool shared = inputs->desc.positions == POSEMB_POSITIONS_EXPLICIT_SHARED;
    const uint64_t index = shared ? token % length : token;

    print_token(inputs, token);
    if (inputs->desc.positions != POSEMB_POSITIONS_EXPLICIT && !shared)
        fprintf(stderr, "has no position: what its rule looks at is out of order or range");
    else if (inputs->positions.type == NPY_F4)
        fprintf(stderr, "has position %g, outside -2^31 ... 2^32-1",
                (double)((const float *)inputs->positions.data)[index]);
    else
        fprintf(stderr, "has position %" PRId64 ", outside -2^31 ... 2^32-1",
                int_at(&inputs->positions, index));
    fprintf(stderr, " (%" PRIu32 " bad positions in all)\n", inputs->record.position_count);
}

static int judge_record(const struct stage_options *options, const struct inputs *inputs)
{
    const posemb_record *record = &inputs->record;

    if (record->id_count)
        report_ids(inputs);
    if (record->position_count)
        report_positions(inputs);
    if (!record->id_count && !record->position_count)
        return EXIT_DONE;
    if (!options->allow_bad_ids)
        return EXIT_FAILED;
    fprintf(stderr, "posemb: their rows are zeros\n");
    return EXIT_DONE;
}

static int write_out(const struct stage_options *options, const struct inputs *inputs,
                     const struct target *target)
{
    posemb_error error;

    const bool floats = inputs->desc.position_type == POSEMB_FLOAT32;

    if (options->positions_out &&
        npy_write(options->positions_out, floats ? NPY_F4 : NPY_I8, inputs->out_rank - 1,
                  inputs->out_shape, inputs->positions_out, &error) != POSEMB_OK)
        return command_failed(&error);
    if (npy_write(options->out, NPY_F4, inputs->out_rank, inputs->out_shape, inputs->args.out,
                  &error) != POSEMB_OK)
        return command_failed(&error);
    printf("%s: float32 [", options->out);
    for (uint32_t i = 0; i < inputs->out_rank; i++)
        printf("%s%" PRIu64, i ? ", " : "", inputs->out_shape[i]);
    printf("], computed on %s\n", target_name(target));
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
