/* posemb table: positions alone. */
#include "command.h"
#include "stage_run.h"

static const char help[] =
    "usage: posemb table --dim D --out FILE.npy [--model NAME | --convention NAME ...]\n"
    "                    [--start P --count N | --positions FILE.npy | --grid YxX]\n"
    "                    [--device DEV] [--tuning FILE]\n\n"
    "out[t,:] = PE(position[t]), float32 [N, D]\n\n"
    "  --dim         D, channels of one row, 1 ... 65536\n"
    "  --start       the first position, -2^31 ... 2^32-1; default 0\n"
    "  --count       how many positions\n"
    "  --positions   int32, int64 or float32, [N] or [B, S]: the positions instead\n"
    "  --device      a number of posemb devices, name:SUBSTRING, or reference; default\n"
    "                $POSEMB_DEVICE, else the first usable device\n"
    "  --tuning      a file of posemb tune: changes the speed alone\n"
    "  --out         the file to write; a failure leaves none\n";

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"dim", required_argument, NULL, OPTION_DIM},
    {"start", required_argument, NULL, OPTION_START},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"positions", required_argument, NULL, OPTION_POSITIONS},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"tuning", required_argument, NULL, OPTION_TUNING},
    {"out", required_argument, NULL, OPTION_OUT},
    SINUSOID_OPTIONS,
    {NULL, 0, NULL, 0}};

static int check(const char *command, const struct stage_options *options)
{
    if (!options->desc.dim)
        return command_usage(command, "--dim is missing");
    if (!options->out)
        return command_usage(command, "--out is missing");
    if (options->desc.position_kind == POSEMB_NO_POSITION)
        return command_usage(command, "--model is \"%s\", but a table is positions alone",
                             options->model);
    if (options->has_count + !!options->positions + !!options->desc.grid.axes > 1)
        return command_usage(command, "--count, --positions and --grid exclude each other");
    if (!options->has_count && !options->positions && !options->desc.grid.axes)
        return command_usage(command, "--count or --positions is missing");
    return EXIT_DONE;
}

int command_table(int count, char **arguments)
{
    struct stage_options options;
    struct inputs inputs;
    posemb_error error;
    int status = stage_options_parse(count, arguments, options_taken, help, &options);

    if (status == EXIT_DONE)
        status = check(arguments[0], &options);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    status = inputs_read_table(&options, &inputs, &error) == POSEMB_OK
                 ? stage_run(&options, &inputs)
                 : command_failed(&error);
    inputs_free(&inputs);
    return status;
}
