/* posemb view, of a build without cairo. */
#include "command.h"

#include <stdio.h>

int command_view(int count, char **arguments)
{
    (void)count;
    fprintf(stderr,
            "posemb %s: this posemb was built without pictures (the CMake option "
            "POSEMB_BUILD_VIEW is off)\n",
            arguments[0]);
    return EXIT_FAILED;
}
