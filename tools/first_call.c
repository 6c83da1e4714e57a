/* The first-call table of posemb bench. */
#include "first_call.h"

#include "clock.h"
#include "command.h"
#include "target.h"

#include <errno.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What a process finds, and does. */
struct situation {
    const char *name;
    const char *cache; /* POSEMB_CACHE */
    int processes;
    bool program_cached; /* an earlier process has saved the program */
    bool driver_cached;  /* an earlier process has filled the driver's own cache */
    bool warm_up;
    bool from_memory;
};

enum { PROCESSES_MAX = 15 };

static const struct situation situations[] = {
    {"nothing cached, cache off", "off", 5, false, false, false, false},
    {"nothing cached, cache off", "off", 5, false, false, true, false},
    {"nothing cached, program saved", "strict", 5, false, false, false, false},
    {"the driver's own cache", "off", 5, false, true, false, false},
    {"disk cache", "strict", 5, true, false, false, false},
    {"disk cache and the driver's", "strict", 15, true, true, false, false},
    {"disk cache and the driver's", "strict", 15, true, true, true, false},
    {"memory: another plan has it", "strict", 15, true, true, false, true},
};
enum { SITUATIONS = sizeof situations / sizeof *situations };

/* Variables that say where drivers keep compiled kernels: PoCL, Mesa, NVIDIA, Intel; and the
 * default of most. All point to one folder. */
static const char *const driver_variables[] = {"POCL_CACHE_DIR", "MESA_SHADER_CACHE_DIR",
                                               "CUDA_CACHE_PATH", "NEO_CACHE_DIR",
                                               "XDG_CACHE_HOME"};
enum { DRIVER_VARIABLES = sizeof driver_variables / sizeof *driver_variables };

enum { PATH_SIZE = 512 };

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_replaced(const char *variable)
{
    static const char *const own[] = {"POSEMB_CACHE", "POSEMB_CACHE_DIR"};
    const size_t length = strcspn(variable, "=");

    for (size_t i = 0; i < DRIVER_VARIABLES; i++)
        if (strncmp(variable, driver_variables[i], length) == 0 && !driver_variables[i][length])
            return true;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strncmp(variable, own[i], length) == 0 && !own[i][length])
            return true;
    return false;
}

/* The environment with the caches of one process; `replaced` holds the new strings. */
static char **make_environment(const char *cache, const char *folder, const char *driver_folder,
                               char replaced[DRIVER_VARIABLES + 2][PATH_SIZE])
{
    size_t count = 0;
    size_t used = 0;
    char **made;

    while (environ[count])
        count++;
    made = calloc(count + DRIVER_VARIABLES + 3, sizeof *made);
    if (!made)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!is_replaced(environ[i]))
            made[used++] = environ[i];
    for (size_t i = 0; i < DRIVER_VARIABLES; i++)
        snprintf(replaced[i], PATH_SIZE, "%s=%s", driver_variables[i], driver_folder);
    snprintf(replaced[DRIVER_VARIABLES], PATH_SIZE, "POSEMB_CACHE=%s", cache);
    snprintf(replaced[DRIVER_VARIABLES + 1], PATH_SIZE, "POSEMB_CACHE_DIR=%s", folder);
    for (size_t i = 0; i < DRIVER_VARIABLES + 2; i++)
        made[used++] = replaced[i];
    return made;
}

static posemb_status fail(posemb_error *error, const char *what)
{
    error->status = POSEMB_DEVICE_ERROR;
    error->cl_code = 0;
    snprintf(error->message, sizeof error->message, "first calls: %s", what);
    return error->status;
}

/* Read what the child writes, the bytes of one result, and wait for it. */
static bool gather(pid_t child, int fd, struct bench_first_call *result)
{
    unsigned char *bytes = (unsigned char *)result;
    size_t used = 0;
    int status = 0;

    for (;;) {
        const ssize_t got = read(fd, bytes + used, sizeof *result - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && used == sizeof *result;
}

static posemb_status spawn_and_gather(char **arguments, char **environment,
                                      struct bench_first_call *result, posemb_error *error)
{
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t child;
    int code;

    if (pipe(ends) != 0)
        return fail(error, "no pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    code = posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (code != 0) {
        close(ends[0]);
        return fail(error, "this program cannot be started again");
    }
    if (!gather(child, ends[0], result)) {
        close(ends[0]);
        return fail(error, "a process failed; its message is above");
    }
    close(ends[0]);
    return POSEMB_OK;
}

/* One process. */
static posemb_status run_child(size_t device, const char *cache, bool warm_up, bool from_memory,
                               const char *folder, const char *driver_folder,
                               struct bench_first_call *result, posemb_error *error)
{
    char replaced[DRIVER_VARIABLES + 2][PATH_SIZE];
    char number[24];
    char *arguments[] = {
        "posemb", "bench", FIRST_CALL_WORD, number, warm_up ? "1" : "0", from_memory ? "1" : "0",
        NULL};
    char **environment = make_environment(cache, folder, driver_folder, replaced);
    posemb_status status;

    if (!environment)
        return fail(error, "no memory");
    snprintf(number, sizeof number, "%zu", device);
    status = spawn_and_gather(arguments, environment, result, error);
    free(environment);
    if (status != POSEMB_OK)
        return status;
    if (result->differing > 0)
        return fail(error, "a process found bits that differ from the reference");
    return POSEMB_OK;
}

/* Folders for the caches of one situation. */
struct folders {
    char programs[PATH_SIZE / 2];
    char driver[PATH_SIZE / 2];
    char unused[PATH_SIZE / 2];
};

/* Bring about what the situation says, in new folders, and measure one process in it. */
static posemb_status run_in(const struct folders *folders, size_t device,
                            const struct situation *situation, bool prepared,
                            struct bench_first_call *result, posemb_error *error)
{
    struct bench_first_call ignored;
    posemb_status status = POSEMB_OK;

    if (!prepared && (situation->program_cached || situation->driver_cached))
        status = run_child(
            device, situation->program_cached ? "strict" : "off", false, false, folders->programs,
            situation->driver_cached ? folders->driver : folders->unused, &ignored, error);
    if (status == POSEMB_OK)
        status = run_child(device, situation->cache, situation->warm_up, situation->from_memory,
                           folders->programs, folders->driver, result, error);
    return status;
}

static posemb_status make_folders(const char *root, struct folders *folders, posemb_error *error)
{
    snprintf(folders->programs, sizeof folders->programs, "%s/programs", root);
    snprintf(folders->driver, sizeof folders->driver, "%s/driver", root);
    snprintf(folders->unused, sizeof folders->unused, "%s/unused", root);
    if (mkdir(folders->programs, S_IRWXU) != 0 || mkdir(folders->driver, S_IRWXU) != 0 ||
        mkdir(folders->unused, S_IRWXU) != 0)
        return fail(error, "folders for caches cannot be made");
    return POSEMB_OK;
}

static double median_of(const struct bench_first_call *results, int count,
                        double (*get)(const struct bench_first_call *result))
{
    double values[PROCESSES_MAX];

    for (int i = 0; i < count; i++)
        values[i] = get(&results[i]);
    return samples_median(values, (size_t)count);
}

#define GETTER(name)                                                                               \
    static double get_##name(const struct bench_first_call *result)                                \
    {                                                                                              \
        return result->name##_seconds;                                                             \
    }
GETTER(plan)
GETTER(warmup)
GETTER(first)
GETTER(second)
GETTER(steady)

static posemb_status measure_processes(size_t device, const struct situation *situation,
                                       struct bench_first_call *results, posemb_error *error)
{
    /* Folders that are warm may serve every process; cold ones are cold once. */
    const bool serves_all = situation->driver_cached &&
                            (situation->program_cached || strcmp(situation->cache, "off") == 0);
    const char *parent = getenv("TMPDIR");
    posemb_status status = POSEMB_OK;
    struct folders folders;
    char root[PATH_SIZE / 4] = "";

    for (int i = 0; status == POSEMB_OK && i < situation->processes; i++) {
        const bool fresh = i == 0 || !serves_all;

        if (fresh) {
            snprintf(root, sizeof root, "%.80s/posemb-bench-XXXXXX",
                     parent && *parent ? parent : "/tmp");
            if (!mkdtemp(root))
                return fail(error, "no temporary folder");
            status = make_folders(root, &folders, error);
        }
        if (status == POSEMB_OK)
            status = run_in(&folders, device, situation, !fresh, &results[i], error);
        if (status != POSEMB_OK || !serves_all || i + 1 == situation->processes)
            remove_tree(root);
    }
    return status;
}

static posemb_status measure_line(size_t device, const struct situation *situation,
                                  struct first_call_line *line, posemb_error *error)
{
    struct bench_first_call results[PROCESSES_MAX] = {{0}};
    const int count = situation->processes;
    const posemb_status status = measure_processes(device, situation, results, error);

    if (status != POSEMB_OK)
        return status;
    *line = (struct first_call_line){
        .name = situation->name,
        .processes = count,
        .warm_up = situation->warm_up,
        .result = {.origin = results[0].origin,
                   .plan_seconds = median_of(results, count, get_plan),
                   .warmup_seconds = median_of(results, count, get_warmup),
                   .first_seconds = median_of(results, count, get_first),
                   .second_seconds = median_of(results, count, get_second),
                   .steady_seconds = median_of(results, count, get_steady)},
    };
    return POSEMB_OK;
}

posemb_status first_call_measure(size_t device, struct first_call_line *lines, size_t *count,
                                 posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (*count = 0; status == POSEMB_OK && *count < SITUATIONS; ++*count) {
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r  first calls: %s ...\033[K\r", situations[*count].name);
        status = measure_line(device, &situations[*count], &lines[*count], error);
    }
    return status;
}

int first_call_child(int count, char **arguments)
{
    struct bench_first_call result = {0};
    struct target target;
    posemb_error error;
    posemb_status status;

    if (count != 5)
        return command_usage(arguments[0], FIRST_CALL_WORD " is for posemb bench itself");
    status = target_open(arguments[2], POSEMB_CACHE_DEFAULT, &target, &error);
    if (status == POSEMB_OK)
        status = bench_first_call_run(target.session, *arguments[3] == '1', *arguments[4] == '1',
                                      &result, &error);
    target_close(&target);
    if (status != POSEMB_OK)
        return command_failed(&error);
    return fwrite(&result, sizeof result, 1, stdout) == 1 ? EXIT_DONE : EXIT_FAILED;
}
