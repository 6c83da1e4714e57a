/* The posemb command: picks the subcommand. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *summary;
} commands[] = {
    {"devices", command_devices, "list the OpenCL devices, and whether their bits are right"},
    {"encode", command_encode, "look up token rows, scale them, add positions"},
    {"table", command_table, "write a table of positions"},
    {"verify", command_verify, "compare devices with the reference, bit for bit"},
    {"bench", command_bench, "measure the stage against copies, tables and unfused kernels"},
    {"report", command_report, "put measured devices side by side, as a page"},
    {"tune", command_tune, "find the fastest settings of a device, which change no bit"},
    {"cache", command_cache, "look at the compiled programs that are kept on disk"},
    {"conventions", command_conventions, "list the sinusoid conventions"},
    {"models", command_models, "list the models whose positions are known by name"},
    {"identify", command_identify, "say which sinusoids a stored table holds"},
    {"sentences", command_sentences, "show what positions do to sentences of a real model"},
    {"view", command_view, "draw positions: heat map, similarity, frequencies, error"},
    {"experiment", command_experiment, "train small transformers with and without positions"},
};

static void print_help(FILE *stream)
{
    fprintf(stream, "usage: posemb COMMAND [OPTIONS]\n\n"
                    "The embedding stage of a transformer on OpenCL, the same bits on every "
                    "device.\n\nCommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(stream, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(stream, "\n`posemb COMMAND --help` tells more. `posemb --version` prints the version.\n"
                    "Exit status: 0 done, 1 failed or bits differ, 2 usage.\n");
}

int command_failed(const posemb_error *error)
{
    fprintf(stderr, "posemb: %s\n", error->message);
    return EXIT_FAILED;
}

int command_usage(const char *command, const char *format, ...)
{
    va_list values;

    fprintf(stderr, "posemb %s: ", command);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fprintf(stderr, " (see posemb %s --help)\n", command);
    return EXIT_USAGE;
}

static int run(int count, char **arguments)
{
    if (count < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(arguments[1], "--version") == 0) {
        printf("posemb %s\n", posemb_version());
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(arguments[1], commands[i].name) == 0)
            return commands[i].run(count - 1, arguments + 1);
    fprintf(stderr, "posemb: there is no command \"%s\" (see posemb --help)\n", arguments[1]);
    return EXIT_USAGE;
}

int main(int count, char **arguments)
{
    const int status = run(count, arguments);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "posemb: standard output cannot be written\n");
        return EXIT_FAILED;
    }
    return status;
}
