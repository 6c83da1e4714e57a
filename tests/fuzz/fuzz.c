/* Files for the fuzz targets, and what they expect. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[FUZZ_PATH_SIZE / 2];
static const char *const names[] = {"in.npy",  "in.json",  "in.safetensors", "in.config.json",
                                    "in.gguf", "in.jsonl", "out.npy"};

void fuzz_expect(int is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

int fuzz_accepted(posemb_status status, const posemb_error *error)
{
    if (status == POSEMB_OK)
        return 1;
    fuzz_expect(error->status == status, "the error has the status of the call");
    fuzz_expect(error->message[0] != '\0', "a failure has a message");
    fuzz_expect(memchr(error->message, '\0', sizeof error->message) != NULL,
                "a message has an end");
    for (const char *at = error->message; *at; at++)
        fuzz_expect(*at >= 0x20 && *at <= 0x7e, "a message is printable");
    return 0;
}

static void path_of(const char *name, char path[FUZZ_PATH_SIZE])
{
    const int length = snprintf(path, FUZZ_PATH_SIZE, "%s/%s", folder, name);

    fuzz_expect(length > 0 && (size_t)length < FUZZ_PATH_SIZE, "a path fits");
}

static void remove_folder(void)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        fuzz_remove(names[i]);
    rmdir(folder);
}

static void make_folder(void)
{
    const char *parent = getenv("TMPDIR");
    const int length = snprintf(folder, sizeof folder, "%s/posemb-fuzz-XXXXXX",
                                parent && *parent ? parent : "/tmp");

    fuzz_expect(length > 0 && (size_t)length < sizeof folder, "TMPDIR is short enough");
    fuzz_expect(mkdtemp(folder) != NULL, "a folder can be made");
    atexit(remove_folder);
}

void fuzz_write(const char *name, const void *bytes, size_t size, char path[FUZZ_PATH_SIZE])
{
    FILE *file;

    if (!folder[0])
        make_folder();
    path_of(name, path);
    file = fopen(path, "wb");
    fuzz_expect(file != NULL, "a file can be made");
    fuzz_expect(fwrite(bytes, 1, size, file) == size, "a file can be written");
    fuzz_expect(fclose(file) == 0, "a file can be closed");
}

void fuzz_remove(const char *name)
{
    char path[FUZZ_PATH_SIZE];

    if (!folder[0])
        return;
    path_of(name, path);
    unlink(path);
}
