/* posemb encode: token ids and a token table to embeddings. */
#include "command.h"
#include "stage_run.h"

static const char help[] =
    "usage: posemb encode --ids FILE.npy --tokens FILE.npy|FILE.safetensors[:TENSOR] --out "
    "FILE.npy\n"
    "                     [--convention NAME] [--base X] [--scale X|sqrt]\n"
    "                     [--start P | --positions FILE.npy] [--allow-bad-ids] [--device DEV]\n\n"
    "out[t,:] = scale * E[id[t],:] + PE(position[t])\n\n"
    "  --ids         int32 or int64, [T] or [B, S]; the output is float32 [T, D] or [B, S, D]\n"
    "  --tokens      E, float32 [V, D]; of a safetensors file the tensor named, else its only 2-D "
    "one\n"
    "  --convention  vaswani (default), t2t, marian-hf: see posemb conventions\n"
    "  --base        wavelength ratio, 2^-32 ... 2^32; default 10000\n"
    "  --scale       factor of the token rows, not 0, or sqrt for the square root of D; default 1\n"
    "  --start       position of the first column, -2^31 ... 2^32-1; default 0\n"
    "  --positions   int32 or int64: [S] for all batch rows, or [B, S] or [T], one for each token\n"
    "  --allow-bad-ids  bad ids (and positions) give rows of zeros and a note, not a failure\n"
    "  --device      a number of posemb devices, name:SUBSTRING, or reference; default\n"
    "                $POSEMB_DEVICE, else the first usable device\n"
    "  --out         the file to write; a failure leaves none\n";

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"ids", required_argument, NULL, OPTION_IDS},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"convention", required_argument, NULL, OPTION_CONVENTION},
    {"base", required_argument, NULL, OPTION_BASE},
    {"scale", required_argument, NULL, OPTION_SCALE},
    {"start", required_argument, NULL, OPTION_START},
    {"positions", required_argument, NULL, OPTION_POSITIONS},
    {"allow-bad-ids", no_argument, NULL, OPTION_ALLOW_BAD_IDS},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"out", required_argument, NULL, OPTION_OUT},
    {NULL, 0, NULL, 0}};

int command_encode(int count, char **arguments)
{
    struct stage_options options;
    struct inputs inputs;
    posemb_error error;
    int status = stage_options_parse(count, arguments, options_taken, help, &options);

    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    if (!options.ids || !options.tokens || !options.out)
        return command_usage(arguments[0], "%s is missing",
                             !options.ids ? "--ids" : (!options.tokens ? "--tokens" : "--out"));
    status = inputs_read_encode(&options, &inputs, &error) == POSEMB_OK
                 ? stage_run(&options, &inputs)
                 : command_failed(&error);
    inputs_free(&inputs);
    return status;
}
