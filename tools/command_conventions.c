/* posemb conventions: the table of conventions. */
#include "command.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: posemb conventions\n\n"
    "List the sinusoid conventions: the order of channels, the frequency w_i of pair i (position "
    "p\n"
    "gives sin(p w_i) and cos(p w_i)), what an odd D has, and where each comes from.\n";

int command_conventions(int count, char **arguments)
{
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    if (count > 1)
        return command_usage(arguments[0], "\"%s\" is not an option", arguments[1]);
    for (size_t i = 0; i < posemb_convention_count(); i++) {
        const posemb_convention_info *info = posemb_convention_at(i);

        printf("%-14s %s, amplitude %s\n               w_i = %s; an odd D %s\n               %s\n",
               info->name, info->channels, info->amplitude, info->formula, info->odd, info->source);
    }
    return EXIT_DONE;
}
