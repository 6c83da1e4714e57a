/* posemb cache: the folder of compiled programs. */
#include "command.h"
#include "options.h"

#include <posemb/posemb_cl.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char help[] =
    "usage: posemb cache [--folder DIR] [--verify | --path | --clear]\n\n"
    "List the compiled programs that are kept on disk, the least recently used first: size, last "
    "use,\n"
    "and the device, driver and options they are for. Every file is read and checked.\n\n"
    "  --verify  list only files that are damaged; exit status 1 where there are any\n"
    "  --path    print the name of the folder, whether it exists or not\n"
    "  --clear   remove the files\n"
    "  --folder  another folder; default $POSEMB_CACHE_DIR, else $XDG_CACHE_HOME/posemb, else\n"
    "            $HOME/.cache/posemb\n\n"
    "POSEMB_CACHE=off switches the cache off, POSEMB_CACHE=strict makes every fault of it an "
    "error.\n";

enum { OPTION_FOLDER = 512, OPTION_VERIFY, OPTION_PATH, OPTION_CLEAR };

static const struct option options_taken[] = {{"help", no_argument, NULL, OPTION_HELP},
                                              {"folder", required_argument, NULL, OPTION_FOLDER},
                                              {"verify", no_argument, NULL, OPTION_VERIFY},
                                              {"path", no_argument, NULL, OPTION_PATH},
                                              {"clear", no_argument, NULL, OPTION_CLEAR},
                                              {NULL, 0, NULL, 0}};

struct listing {
    bool faults_only;
    uint64_t files;
    uint64_t bytes;
    uint64_t faults;
};

static void list_entry(const posemb_cache_entry *entry, void *data)
{
    struct listing *listing = data;
    const time_t used = (time_t)entry->used;
    char when[32] = "?";
    struct tm local;

    listing->files++;
    listing->bytes += entry->bytes;
    listing->faults += entry->fault != NULL;
    if (listing->faults_only && !entry->fault)
        return;
    if (localtime_r(&used, &local))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    printf("%s  %9" PRIu64 "  %s\n    %s%s\n", entry->file, entry->bytes, when,
           entry->fault ? "DAMAGED: " : "", entry->fault ? entry->fault : entry->label);
}

static int list(const char *folder, bool faults_only)
{
    struct listing listing = {.faults_only = faults_only};
    posemb_error error;

    if (posemb_cache_visit(folder, list_entry, &listing, &error) != POSEMB_OK)
        return command_failed(&error);
    printf("%" PRIu64 " files, %" PRIu64 " bytes, %" PRIu64 " damaged, in %s\n", listing.files,
           listing.bytes, listing.faults, folder);
    return faults_only && listing.faults > 0 ? EXIT_FAILED : EXIT_DONE;
}

static int clear(const char *folder)
{
    size_t removed = 0;
    posemb_error error;

    if (posemb_cache_clear(folder, &removed, &error) != POSEMB_OK)
        return command_failed(&error);
    printf("%zu files removed from %s\n", removed, folder);
    return EXIT_DONE;
}

static int act(int action, const char *folder)
{
    char found[4096];
    posemb_error error;

    if (!folder) {
        if (posemb_cache_folder(found, sizeof found, &error) != POSEMB_OK)
            return command_failed(&error);
        folder = found;
    }
    switch (action) {
    case OPTION_PATH:
        puts(folder);
        return EXIT_DONE;
    case OPTION_CLEAR:
        return clear(folder);
    default:
        return list(folder, action == OPTION_VERIFY);
    }
}

struct cache_options {
    const char *folder; /* NULL: the default */
    int action;         /* 0: the list */
};

static int take(const char *command, int letter, void *context)
{
    struct cache_options *options = context;

    if (letter == '?')
        return command_usage(command, "the options are wrong");
    if (letter == OPTION_FOLDER) {
        options->folder = optarg;
        return EXIT_DONE;
    }
    if (options->action)
        return command_usage(command, "--verify, --path and --clear exclude each other");
    options->action = letter;
    return EXIT_DONE;
}

int command_cache(int count, char **arguments)
{
    struct cache_options options = {.folder = NULL};
    const int status = options_take(count, arguments, options_taken, take, &options);

    if (status < 0)
        fputs(help, stdout);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    return act(options.action, options.folder);
}
