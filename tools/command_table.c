/* posemb table: positions alone. */
#include "command.h"
#include "stage_run.h"

static const char help[] =
    "usage: posemb table --convention NAME --dim D --out FILE.npy [--base X]\n"
    "                    [--start P --count N | --positions FILE.npy] [--device DEV]\n\n"
    "out[t,:] = PE(position[t]), float32 [N, D]\n\n"
    "  --convention  vaswani, t2t, marian-hf: see posemb conventions; default vaswani\n"
    "  --dim         D, channels of one row, 1 ... 65536\n"
    "  --base        wavelength ratio, 2^-32 ... 2^32; default 10000\n"
    "  --start       the first position, -2^31 ... 2^32-1; default 0\n"
    "  --count       how many positions\n"
    "  --positions   int32 or int64, [N] or [B, S]: the positions instead\n"
    "  --device      a number of posemb devices, name:SUBSTRING, or reference; default\n"
    "                $POSEMB_DEVICE, else the first usable device\n"
    "  --out         the file to write; a failure leaves none\n";

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"convention", required_argument, NULL, OPTION_CONVENTION},
    {"dim", required_argument, NULL, OPTION_DIM},
    {"base", required_argument, NULL, OPTION_BASE},
    {"start", required_argument, NULL, OPTION_START},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"positions", required_argument, NULL, OPTION_POSITIONS},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"out", required_argument, NULL, OPTION_OUT},
    {NULL, 0, NULL, 0}};

static int check(const char *command, const struct stage_options *options)
{
    if (!options->desc.dim)
        return command_usage(command, "--dim is missing");
    if (!options->out)
        return command_usage(command, "--out is missing");
    if (!options->has_count && !options->positions)
        return command_usage(command, "--count or --positions is missing");
    if (options->has_count && options->positions)
        return command_usage(command, "--count and --positions exclude each other");
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
