/* blob.c: an engine that keeps compiled programs in a store of its own. Run it twice: the second
 * run does not compile.
 *
 * usage: example_blob [FOLDER]      the store; the current folder where there is none */
#define CL_TARGET_OPENCL_VERSION 120
#include <posemb/posemb_cl.h>

#include <stdio.h>
#include <stdlib.h>

/* The whole file, malloc'ed; NULL where there is none. */
static void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    void *bytes = NULL;
    long length = -1;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) > 0 &&
        fseek(file, 0, SEEK_SET) == 0)
        bytes = malloc((size_t)length);
    if (bytes && fread(bytes, 1, (size_t)length, file) != (size_t)length) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    *size = bytes ? (size_t)length : 0;
    return bytes;
}

static int write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    const int good = file && fwrite(bytes, 1, size, file) == size;

    return file && fclose(file) == 0 && good;
}

/* Build the plan, warm it up, and keep its program, what drivers compile at the first launch
 * included. */
static posemb_status build_and_keep(posemb_session *session, const posemb_desc *desc,
                                    const char *path, posemb_plan **plan, posemb_error *error)
{
    size_t size = 0;
    void *blob = NULL;
    posemb_status status = posemb_plan_create(posemb_session_engine(session), desc, plan, error);

    if (status == POSEMB_OK)
        status = posemb_plan_warmup(*plan, posemb_session_queue(session), NULL, error);
    if (status == POSEMB_OK &&
        posemb_plan_get_blob(*plan, NULL, 0, &size, NULL) == POSEMB_BUFFER_TOO_SMALL) {
        blob = malloc(size);
        if (blob && posemb_plan_get_blob(*plan, blob, size, &size, NULL) == POSEMB_OK &&
            !write_file(path, blob, size))
            fprintf(stderr, "%s cannot be written\n", path);
        free(blob);
    }
    return status;
}

static void print_message(posemb_log_level level, const char *message, void *data)
{
    (void)data;
    fprintf(stderr, "%s: %s\n", level == POSEMB_LOG_WARNING ? "warning" : "info", message);
}

int main(int count, char **arguments)
{
    static const char *const origins[] = {"", "built from source", "in memory", "from disk",
                                          "from the blob"};
    const posemb_desc desc = {.dim = 512};
    const posemb_engine_options options = {.cache = POSEMB_CACHE_MEMORY, .log = print_message};
    char id[POSEMB_BLOB_ID_SIZE];
    char path[4096];
    posemb_session *session = NULL;
    posemb_plan *plan = NULL;
    posemb_error error;
    size_t size = 0;
    void *blob = NULL;
    posemb_status status = posemb_session_create(NULL, &options, &session, &error);

    if (status == POSEMB_OK)
        status = posemb_blob_id(posemb_session_engine(session), &desc, id, &error);
    if (status == POSEMB_OK) {
        snprintf(path, sizeof path, "%s/%s.blob", count > 1 ? arguments[1] : ".", id);
        blob = read_file(path, &size);
        status = blob ? posemb_plan_create_from_blob(posemb_session_engine(session), &desc, blob,
                                                     size, &plan, &error)
                      : build_and_keep(session, &desc, path, &plan, &error);
    }
    free(blob);
    if (status == POSEMB_OK)
        printf("program %s: %s\n", id, origins[posemb_plan_origin(plan)]);
    else
        fprintf(stderr, "%s\n", error.message);
    posemb_plan_destroy(plan);
    posemb_session_destroy(session);
    return status == POSEMB_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
