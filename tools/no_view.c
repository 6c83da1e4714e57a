/* Pictures, of a build without cairo. */
#include "command.h"
#include "experiment_report.h"
#include "status.h"

#include <stdio.h>

static const char reason[] =
    "this posemb was built without pictures (the CMake option POSEMB_BUILD_VIEW is off)";

int command_view(int count, char **arguments)
{
    (void)count;
    fprintf(stderr, "posemb %s: %s\n", arguments[0], reason);
    return EXIT_FAILED;
}

posemb_status experiment_picture_check(posemb_error *error)
{
    return posemb__fail(error, POSEMB_UNSUPPORTED, 0, "%s", reason);
}

posemb_status experiment_picture(const struct experiment *experiment, const char *path,
                                 posemb_error *error)
{
    (void)experiment;
    (void)path;
    return experiment_picture_check(error);
}
