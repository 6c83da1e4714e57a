/* posemb encode: token ids and a token table to embeddings. */
#include "command.h"
#include "model_stage.h"
#include "stage_options.h"
#include "stage_run.h"

#include <stdio.h>

static const char help[] =
    "usage: posemb encode --ids FILE.npy --tokens FILE[:TENSOR] | --model-file FILE|FOLDER --out "
    "FILE.npy\n"
    "                     [--model NAME | --convention NAME ...] [--scale X|sqrt] [--start P] "
    "[--past N]\n"
    "                     [--positions FILE.npy | --rule RULE | --cu-seqlens FILE.npy]\n"
    "                     [--pad-id N | --mask FILE.npy | --left-pads FILE.npy | --lengths "
    "FILE.npy]\n"
    "                     [--pads computed|zero-position|zero-row] [--positions-out FILE.npy]\n"
    "                     [--allow-bad-ids] [--device DEV] [--tuning FILE]\n\n"
    "out[t,:] = norm(scale * E[id[t],:] + position[t] + types[type[t],:]), by default without "
    "norm and\n"
    "types, with sinusoidal positions\n\n"
    "  --ids         int32 or int64, [T] or [B, S]; the output is [T, D] or [B, S, D]\n"
    "  --tokens      E, [V, D]; of a .safetensors or .gguf file the tensor named, else its "
    "only 2-D one\n"
    "  --scale       factor of the token rows, not 0, or sqrt for the square root of D; default "
    "the\n"
    "                model's, else 1\n"
    "  --start       added to every position, -2^31 ... 2^32-1; default the model's, else 0\n"
    "  --past        tokens of each row before the first column; default 0\n"
    "  --positions   int32, int64 or float32: [S] for all batch rows, or [B, S] or [T], one for "
    "each "
    "token\n"
    "  --rule        index (default), or count or count-before: of the tokens that are not pads\n"
    "  --cu-seqlens  int32 or int64 [N + 1]: ids [T] are N sequences, which begin where it says\n"
    "  --pad-id      the id of pads\n"
    "  --mask        bool, uint8, int32 or int64 [B, past + S]: 0 where there is a pad\n"
    "  --left-pads, --lengths  int32 or int64 [B]: pads before the tokens of a row, or how many "
    "tokens\n"
    "                are at its end\n"
    "  --pads        what rows of pads hold; default the model's, else computed as any other\n"
    "  --positions-out  write the positions used, int64 (or float32) [B, S]\n"
    "  --allow-bad-ids  bad ids (and positions) give rows of zeros and a note, not a failure\n"
    "  --device      a number of posemb devices, name:SUBSTRING, or reference; default\n"
    "                $POSEMB_DEVICE, else the first usable device\n"
    "  --tuning      a file of posemb tune: changes the speed alone\n"
    "  --out         the file to write; a failure leaves none\n";

static const struct option options_taken[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"ids", required_argument, NULL, OPTION_IDS},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"scale", required_argument, NULL, OPTION_SCALE},
    {"start", required_argument, NULL, OPTION_START},
    {"past", required_argument, NULL, OPTION_PAST},
    {"positions", required_argument, NULL, OPTION_POSITIONS},
    {"rule", required_argument, NULL, OPTION_RULE},
    {"cu-seqlens", required_argument, NULL, OPTION_CU_SEQLENS},
    {"pad-id", required_argument, NULL, OPTION_PAD_ID},
    {"mask", required_argument, NULL, OPTION_MASK},
    {"left-pads", required_argument, NULL, OPTION_LEFT_PADS},
    {"lengths", required_argument, NULL, OPTION_LENGTHS},
    {"pads", required_argument, NULL, OPTION_PADS},
    {"positions-out", required_argument, NULL, OPTION_POSITIONS_OUT},
    {"allow-bad-ids", no_argument, NULL, OPTION_ALLOW_BAD_IDS},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"tuning", required_argument, NULL, OPTION_TUNING},
    {"out", required_argument, NULL, OPTION_OUT},
    STAGE_OPTIONS,
    SINUSOID_OPTIONS,
    {NULL, 0, NULL, 0}};

static int run(const struct stage_options *options)
{
    struct inputs inputs;
    posemb_error error;
    int status;

    if (inputs_read_encode(options, &inputs, &error) == POSEMB_OK) {
        if (options->model_file)
            model_stage_print(options, &inputs);
        status = stage_run(options, &inputs);
    } else {
        status = command_failed(&error);
    }
    inputs_free(&inputs);
    return status;
}

int command_encode(int count, char **arguments)
{
    struct stage_options options;
    const int status = stage_options_parse(count, arguments, options_taken, help, &options);
    const char *missing = NULL;

    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    if (!options.ids)
        missing = "--ids";
    else if (!options.tokens && !options.model_file)
        missing = "--tokens or --model-file";
    else if (!options.out)
        missing = "--out";
    if (missing)
        return command_usage(arguments[0], "%s is missing", missing);
    return run(&options);
}
