/* posemb verify: the bits of devices against the reference. */
#include "command.h"
#include "options.h"
#include "selftest.h"

#include <inttypes.h>
#include <stdio.h>

static const char help[] =
    "usage: posemb verify [--device DEV|all] [--tuning FILE] [--stop]\n\n"
    "Run many shapes, conventions, positions and whole stages (named by the type of their tokens "
    "and "
    "the\n"
    "norm) on the device and on the CPU reference and count the values whose bits differ (every "
    "NaN\n"
    "counts as one pattern). The digests are XXH64 over the device's values: equal on every device "
    "whose\n"
    "bits are right. Exit status 1 where any differ.\n\n"
    "  --device  a number of posemb devices, name:SUBSTRING, reference, or all; default\n"
    "            $POSEMB_DEVICE, else the first usable device\n"
    "  --tuning  a file of posemb tune, to be in force meanwhile\n"
    "  --stop    go no further than the first convention or stage where any differ\n";

static const struct option options_taken[] = {{"help", no_argument, NULL, OPTION_HELP},
                                              {"device", required_argument, NULL, OPTION_DEVICE},
                                              {"tuning", required_argument, NULL, OPTION_TUNING},
                                              {"tuning", required_argument, NULL, OPTION_TUNING},
                                              {"stop", no_argument, NULL, OPTION_STOP},
                                              {NULL, 0, NULL, 0}};

static int verify_target(const struct target *target, void *context)
{
    const struct stage_options *options = context;
    struct selftest selftest;
    posemb_error error;

    printf("%s\n", target_name(target));
    fflush(stdout);
    if (selftest_run(target, options->stop ? SELFTEST_UNTIL_DIFFERENT : SELFTEST_WHOLE, &selftest,
                     &error) != POSEMB_OK)
        return command_failed(&error);
    for (size_t i = 0; i < selftest.group_count; i++) {
        const struct selftest_group *group = &selftest.groups[i];
        printf("  %-6s %-14s %2zu cases %9zu values %9zu differ  digest %016" PRIx64 "\n",
               operation_name(group->operation), group->name, group->cases, group->values,
               group->differing, group->digest);
    }
    printf("  %zu values, %zu differ from the reference: %s; digest %016" PRIx64 "\n",
           selftest.values, selftest.differing, selftest.differing ? "MISMATCH" : "the same bits",
           selftest.digest);
    return selftest.differing ? EXIT_FAILED : EXIT_DONE;
}

int command_verify(int count, char **arguments)
{
    struct stage_options options;
    posemb_error error;
    size_t visited;
    int worst = stage_options_parse(count, arguments, options_taken, help, &options);

    if (worst != EXIT_DONE)
        return worst < 0 ? EXIT_DONE : worst;
    if (target_for_each(options.device, SELFTEST_CACHE, verify_target, &options, &visited, &worst,
                        &error) != POSEMB_OK)
        return command_failed(&error);
    if (visited == 0) {
        fprintf(stderr, "posemb: there is no OpenCL device to verify\n");
        return EXIT_FAILED;
    }
    return worst;
}
