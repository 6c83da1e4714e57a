/* Where the calls of a subcommand run: an OpenCL device, or the CPU reference. */
#include "target.h"

#include "file_bytes.h"
#include "status.h"
#include "tuning.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of every target of this process; NULL: what is built in. */
static char *tuning_text;

/* The whole file with a zero at its end, malloc'ed. */
static posemb_status read_text(const file_bytes *file, char **text, posemb_error *error)
{
    const size_t size = (size_t)file->size;
    posemb_status status;

    if (file->size > POSEMB_TUNING_TEXT_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: more than the %u bytes that tuning may have", file->shown,
                            POSEMB_TUNING_TEXT_MAX);
    *text = calloc(1, size + 1);
    if (!*text)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes", size);
    status = file_bytes_read(file, 0, size, *text, error);
    if (status == POSEMB_OK && strlen(*text) != size)
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: byte %zu is zero: no text",
                              file->shown, strlen(*text));
    return status;
}

posemb_status target_use_tuning(const char *path, posemb_error *error)
{
    struct posemb__tuning_text parsed;
    posemb_error fault = {.message = ""};
    file_bytes file;
    char *text = NULL;
    posemb_status status = file_bytes_open(path, &file, error);

    if (status != POSEMB_OK)
        return status;
    status = read_text(&file, &text, error);
    if (status == POSEMB_OK) {
        status = posemb__tuning_parse(text, &parsed, &fault);
        if (status != POSEMB_OK)
            posemb__fail(error, status, 0, "%s: %s", file.shown, fault.message);
        posemb__tuning_free(&parsed);
    }
    file_bytes_close(&file);
    if (status != POSEMB_OK) {
        free(text);
        return status;
    }
    free(tuning_text);
    tuning_text = text;
    return POSEMB_OK;
}

static void print_warning(posemb_log_level level, const char *message, void *data)
{
    (void)data;
    if (level == POSEMB_LOG_WARNING)
        fprintf(stderr, "posemb: %s\n", message);
}

posemb_status target_open(const char *selector, posemb_cache_mode cache, struct target *target,
                          posemb_error *error)
{
    const posemb_engine_options options = {
        .cache = cache, .tuning = tuning_text, .log = print_warning};
    posemb_status status;

    target->session = NULL;
    if (!selector)
        selector = getenv("POSEMB_DEVICE");
    if (selector && strcmp(selector, TARGET_REFERENCE) == 0)
        return POSEMB_OK;
    status = posemb_session_create(selector, &options, &target->session, error);
    if (status == POSEMB_NO_DEVICE && (!selector || !*selector)) {
        fprintf(stderr, "posemb: no usable OpenCL device; running on the CPU reference\n");
        return POSEMB_OK;
    }
    return status;
}

void target_close(struct target *target)
{
    posemb_session_destroy(target->session);
    target->session = NULL;
}

const char *target_name(const struct target *target)
{
    return target->session ? posemb_session_device(target->session)->name : "the CPU reference";
}

posemb_status target_run(const struct target *target, const posemb_desc *desc,
                         const posemb_host_args *args, posemb_error *error)
{
    if (target->session)
        return posemb_session_run(target->session, desc, args, error);
    return posemb_reference_run(desc, args, error);
}

static posemb_status visit_one(const char *selector, posemb_cache_mode cache,
                               int (*visit)(const struct target *target, void *context),
                               void *context, int *worst, posemb_error *error)
{
    struct target target;
    const posemb_status status = target_open(selector, cache, &target, error);

    if (status == POSEMB_OK) {
        const int result = visit(&target, context);
        *worst = result > *worst ? result : *worst;
    }
    target_close(&target);
    return status;
}

posemb_status target_for_each(const char *selector, posemb_cache_mode cache,
                              int (*visit)(const struct target *target, void *context),
                              void *context, size_t *visited, int *worst, posemb_error *error)
{
    size_t count = 1;
    const bool all = selector && strcmp(selector, "all") == 0;
    posemb_status status = POSEMB_OK;

    *visited = 0;
    *worst = 0;
    if (all)
        status = posemb_devices_list(NULL, 0, &count, error);
    for (size_t i = 0; status == POSEMB_OK && i < count; i++) {
        char index[24];

        snprintf(index, sizeof index, "%zu", i);
        status = visit_one(all ? index : selector, cache, visit, context, worst, error);
        *visited += status == POSEMB_OK;
    }
    return status;
}
