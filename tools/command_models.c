/* posemb models: the table of models. */
#include "command.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: posemb models\n\n"
    "List the models whose positions posemb knows by name: what they compute, and the code that "
    "this\n"
    "follows. Positions are sinusoidal, with the convention named first (see posemb conventions), "
    "or a\n"
    "learned table, of which posemb has the rule and the offset.\n";

static void print_model(const posemb_model_info *info)
{
    printf("%-18s %s", info->name, info->learned ? "learned" : "sinusoidal");
    if (*info->aliases)
        printf("; also %s", info->aliases);
    printf("\n                   %s\n                   %s\n", info->summary, info->source);
}

int command_models(int count, char **arguments)
{
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    if (count > 1)
        return command_usage(arguments[0], "\"%s\" is not an option", arguments[1]);
    for (size_t i = 0; i < posemb_model_count(); i++)
        print_model(posemb_model_at(i));
    return EXIT_DONE;
}
