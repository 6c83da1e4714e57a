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
    const char *cache;   /* POSEMB_CACHE */
    bool program_cached; /* an earlier process has saved the program */
    bool driver_cached;  /* an earlier process has filled the driver's own cache */
    bool warm_up;
    bool from_memory;
};

static const struct situation situations[] = {
    {"nothing cached, cache off", "off", false, false, false, false},
    {"nothing cached, cache off", "off", false, false, true, false},
    {"nothing cached, program saved", "strict", false, false, false, false},
    {"driver's own cache", "off", false, true, false, false},
    {"posemb's disk cache", "strict", true, false, false, false},
    {"posemb's disk cache", "strict", true, false, true, false},
    {"memory: another plan has it", "strict", true, false, false, true},
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

/* Read everything that the child writes and wait for it. */
static bool gather(pid_t child, int fd, char *text, size_t size)
{
    size_t used = 0;
    int status = 0;

    for (;;) {
        const ssize_t got = read(fd, text + used, size - 1 - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static posemb_status spawn_and_gather(char **arguments, char **environment, char *text, size_t size,
                                      posemb_error *error)
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
    if (!gather(child, ends[0], text, size)) {
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
    char text[512];
    char *arguments[] = {
        "posemb", "bench", FIRST_CALL_WORD, number, warm_up ? "1" : "0", from_memory ? "1" : "0",
        NULL};
    char **environment = make_environment(cache, folder, driver_folder, replaced);
    int origin = 0;
    posemb_status status;

    if (!environment)
        return fail(error, "no memory");
    snprintf(number, sizeof number, "%zu", device);
    status = spawn_and_gather(arguments, environment, text, sizeof text, error);
    free(environment);
    if (status != POSEMB_OK)
        return status;
    if (sscanf(text, "%d %lf %lf %lf %lf %lf %zu", &origin, &result->plan_seconds,
               &result->warmup_seconds, &result->first_seconds, &result->second_seconds,
               &result->steady_seconds, &result->differing) != 7)
        return fail(error, "a process wrote something else than seven numbers");
    result->origin = (posemb_origin)origin;
    if (result->differing > 0)
        return fail(error, "a process found bits that differ from the reference");
    return POSEMB_OK;
}

/* Bring about what the situation says, in two new folders, and measure one process in it. */
static posemb_status run_in(const char *root, size_t device, const struct situation *situation,
                            struct bench_first_call *result, posemb_error *error)
{
    char programs[PATH_SIZE / 2];
    char driver[PATH_SIZE / 2];
    char other[PATH_SIZE / 2];
    struct bench_first_call unused;
    posemb_status status = POSEMB_OK;

    snprintf(programs, sizeof programs, "%s/programs", root);
    snprintf(driver, sizeof driver, "%s/driver", root);
    snprintf(other, sizeof other, "%s/other", root);
    if (mkdir(programs, S_IRWXU) != 0 || mkdir(driver, S_IRWXU) != 0 || mkdir(other, S_IRWXU) != 0)
        return fail(error, "folders for caches cannot be made");
    if (situation->program_cached || situation->driver_cached)
        status = run_child(device, situation->program_cached ? "strict" : "off", false, false,
                           programs, situation->driver_cached ? driver : other, &unused, error);
    if (status == POSEMB_OK)
        status = run_child(device, situation->cache, situation->warm_up, situation->from_memory,
                           programs, driver, result, error);
    return status;
}

static double median_of(const struct bench_first_call *results,
                        double (*get)(const struct bench_first_call *result))
{
    double values[FIRST_CALL_REPEATS];

    for (int i = 0; i < FIRST_CALL_REPEATS; i++)
        values[i] = get(&results[i]);
    return samples_median(values, FIRST_CALL_REPEATS);
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

static posemb_status measure_line(size_t device, const struct situation *situation,
                                  struct first_call_line *line, posemb_error *error)
{
    struct bench_first_call results[FIRST_CALL_REPEATS];
    posemb_status status = POSEMB_OK;

    for (int i = 0; status == POSEMB_OK && i < FIRST_CALL_REPEATS; i++) {
        const char *parent = getenv("TMPDIR");
        char root[PATH_SIZE / 4];

        snprintf(root, sizeof root, "%.80s/posemb-bench-XXXXXX",
                 parent && *parent ? parent : "/tmp");
        if (!mkdtemp(root))
            return fail(error, "no temporary folder");
        status = run_in(root, device, situation, &results[i], error);
        remove_tree(root);
    }
    if (status != POSEMB_OK)
        return status;
    *line = (struct first_call_line){
        .name = situation->name,
        .warm_up = situation->warm_up,
        .result = {.origin = results[0].origin,
                   .plan_seconds = median_of(results, get_plan),
                   .warmup_seconds = median_of(results, get_warmup),
                   .first_seconds = median_of(results, get_first),
                   .second_seconds = median_of(results, get_second),
                   .steady_seconds = median_of(results, get_steady)},
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
    struct bench_first_call result;
    struct target target;
    posemb_error error;
    posemb_status status;

    if (count != 5)
        return command_usage(arguments[0], FIRST_CALL_WORD " is for posemb bench itself");
    status = target_open(arguments[2], &target, &error);
    if (status == POSEMB_OK)
        status = bench_first_call_run(target.session, *arguments[3] == '1', *arguments[4] == '1',
                                      &result, &error);
    target_close(&target);
    if (status != POSEMB_OK)
        return command_failed(&error);
    printf("%d %.9g %.9g %.9g %.9g %.9g %zu\n", (int)result.origin, result.plan_seconds,
           result.warmup_seconds, result.first_seconds, result.second_seconds,
           result.steady_seconds, result.differing);
    return EXIT_DONE;
}
