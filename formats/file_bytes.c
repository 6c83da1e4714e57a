/* Bounded reads, shapes, safe messages, and output that is whole or absent. */
#include "file_bytes.h"

#include "checked_math.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRANSFER_MAX  ((size_t)1 << 30) /* some systems refuse more than INT_MAX in one call */
#define TEMPORARY_MAX 1000u             /* names to try, should earlier runs have left files */
#define REASON_SIZE   96u

/* ---- Text for messages */

/* Returns how many characters of `unit` stand for the byte. */
static size_t escape_byte(char character, char unit[4])
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char byte = (unsigned char)character;

    if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
        unit[0] = character;
        return 1;
    }
    unit[0] = '\\';
    if (byte == '"' || byte == '\\') {
        unit[1] = character;
        return 2;
    }
    unit[1] = 'x';
    unit[2] = digits[byte >> 4];
    unit[3] = digits[byte & 15];
    return 4;
}

void escape_text(const char *text, size_t size, char *out, size_t capacity)
{
    char unit[4];
    size_t whole = 0;
    size_t used = 0;

    for (size_t i = 0; i < size; i++)
        whole += escape_byte(text[i], unit);

    const size_t room = whole < capacity ? whole : capacity - sizeof "...";

    for (size_t i = 0; i < size && used + escape_byte(text[i], unit) <= room; i++) {
        const size_t length = escape_byte(text[i], unit);

        memcpy(out + used, unit, length);
        used += length;
    }
    memcpy(out + used, used < whole ? "..." : "", used < whole ? sizeof "..." : 1);
}

void show_path(const char *path, char shown[FILE_SHOWN_SIZE])
{
    size_t start = strlen(path);
    size_t room = FILE_SHOWN_SIZE - sizeof "...";
    char unit[4];

    while (start > 0 && escape_byte(path[start - 1], unit) <= room)
        room -= escape_byte(path[--start], unit);

    const size_t dots = start > 0 ? 3 : 0;

    memcpy(shown, "...", dots);
    escape_text(path + start, strlen(path + start), shown + dots, FILE_SHOWN_SIZE - dots);
}

void list_name(char list[LIST_SHOWN_SIZE], const char *name)
{
    const size_t used = strlen(list);
    char shown[NAME_SHOWN_SIZE];

    escape_text(name, strlen(name), shown, sizeof shown);
    if (used > 0 && list[used - 1] == '.')
        return;
    if (used + strlen(shown) + sizeof ", \"\", ..." > LIST_SHOWN_SIZE)
        memcpy(list + used, ", ...", sizeof ", ...");
    else
        snprintf(list + used, LIST_SHOWN_SIZE - used, "%s\"%s\"", used > 0 ? ", " : "", shown);
}

void shape_show(const uint64_t *shape, uint32_t rank, char shown[SHAPE_SHOWN_SIZE])
{
    size_t used = 1;

    memcpy(shown, "[", 2);
    for (uint32_t i = 0; i < rank; i++)
        used += (size_t)snprintf(shown + used, SHAPE_SHOWN_SIZE - used, "%s%" PRIu64,
                                 i > 0 ? ", " : "", shape[i]);
    memcpy(shown + used, "]", 2);
}

bool shape_count(const uint64_t *shape, uint32_t rank, uint64_t *count)
{
    *count = 1;
    for (uint32_t i = 0; i < rank; i++)
        if (!posemb__mul_u64(*count, shape[i], count))
            return false;
    return true;
}

static posemb_status fail_system(posemb_error *error, const char *shown, const char *what, int code)
{
    char reason[REASON_SIZE];

    if (strerror_r(code, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", code);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s: %s", shown, what, reason);
}

/* ---- Input */

static posemb_status check_regular(file_bytes *file, posemb_error *error)
{
    struct stat facts;

    if (fstat(file->descriptor, &facts) != 0)
        return fail_system(error, file->shown, "its size cannot be read", errno);
    if (!S_ISREG(facts.st_mode))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: not a regular file",
                            file->shown);
    file->size = (uint64_t)facts.st_size;
    return POSEMB_OK;
}

posemb_status file_bytes_open(const char *path, file_bytes *file, posemb_error *error)
{
    *file = (file_bytes){.descriptor = -1};
    if (!path)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "path: NULL");
    show_path(path, file->shown);

    /* O_NONBLOCK: opening a pipe must not wait for its writer. */
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->descriptor < 0)
        return fail_system(error, file->shown, "cannot be opened", errno);

    const posemb_status status = check_regular(file, error);

    if (status != POSEMB_OK)
        file_bytes_close(file);
    return status;
}

/* One pread, again where a signal broke it off. */
static ssize_t read_some(const file_bytes *file, void *destination, size_t size, uint64_t offset)
{
    const size_t part = size < TRANSFER_MAX ? size : TRANSFER_MAX;
    ssize_t got;

    do
        got = pread(file->descriptor, destination, part, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

posemb_status file_bytes_read(const file_bytes *file, uint64_t offset, size_t size,
                              void *destination, posemb_error *error)
{
    unsigned char *next = destination;

    if (offset > file->size || size > file->size - offset)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: %zu bytes are needed at byte %" PRIu64
                            ", but the file has only %" PRIu64,
                            file->shown, size, offset, file->size);
    while (size > 0) {
        const ssize_t got = read_some(file, next, size, offset);

        if (got < 0)
            return fail_system(error, file->shown, "cannot be read", errno);
        if (got == 0)
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s: shrank while it was read: it ends at or before byte %" PRIu64
                                ", but had %" PRIu64 " bytes",
                                file->shown, offset, file->size);
        next += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return POSEMB_OK;
}

void file_bytes_close(file_bytes *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}

/* ---- Output */

/* A link is not followed: the rename would hit the link, not the file that it names. */
static posemb_status check_target(const char *path, file_output *output, posemb_error *error)
{
    struct stat facts;

    if (lstat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: not a regular file, so not replaced", output->shown);
    output->target = strdup(path);
    if (!output->target)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "%s: no memory for its path",
                            output->shown);
    return POSEMB_OK;
}

static bool is_one(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The name of a file, and what its folder is. False: there is no such folder. */
static bool split_path(const char *path, const char **name, struct stat *folder)
{
    const char *slash = strrchr(path, '/');
    char *text;
    bool found;

    *name = slash ? slash + 1 : path;
    text = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    found = text && stat(text, folder) == 0;
    free(text);
    return found;
}

bool file_same(const char *a, const char *b)
{
    const char *names[2];
    struct stat found[2];

    if (strcmp(a, b) == 0)
        return true;
    if (stat(a, &found[0]) == 0 && stat(b, &found[1]) == 0)
        return is_one(&found[0], &found[1]);
    return split_path(a, &names[0], &found[0]) && split_path(b, &names[1], &found[1]) &&
           strcmp(names[0], names[1]) == 0 && is_one(&found[0], &found[1]);
}

/* Create a file that did not exist, in the folder of the target. */
static posemb_status create_temporary(file_output *output, posemb_error *error)
{
    const char *slash = strrchr(output->target, '/');
    const size_t folder = slash ? (size_t)(slash - output->target) + 1 : 0;
    const size_t capacity = folder + sizeof ".posemb--.tmp" + 32;
    char *name = malloc(capacity);

    if (!name)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "%s: no memory for its path",
                            output->shown);
    memcpy(name, output->target, folder);
    for (unsigned i = 0; i < TEMPORARY_MAX; i++) {
        snprintf(name + folder, capacity - folder, ".posemb-%ld-%u.tmp", (long)getpid(), i);
        output->descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (output->descriptor >= 0) {
            output->temporary = name;
            return POSEMB_OK;
        }
        if (errno != EEXIST)
            break;
    }
    const int code = errno;

    free(name);
    return fail_system(error, output->shown, "no file can be made in its folder", code);
}

posemb_status file_output_begin(const char *path, file_output *output, posemb_error *error)
{
    *output = (file_output){.descriptor = -1};
    if (!path || !*path)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "path: %s", path ? "empty" : "NULL");
    show_path(path, output->shown);

    posemb_status status = check_target(path, output, error);

    if (status == POSEMB_OK)
        status = create_temporary(output, error);
    if (status != POSEMB_OK)
        file_output_abandon(output);
    return status;
}

posemb_status file_output_write(file_output *output, const void *bytes, size_t size,
                                posemb_error *error)
{
    const unsigned char *next = bytes;

    while (size > 0) {
        const size_t part = size < TRANSFER_MAX ? size : TRANSFER_MAX;
        const ssize_t written = write(output->descriptor, next, part);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            const int code = errno;

            file_output_abandon(output);
            return fail_system(error, output->shown, "cannot be written", code);
        }
        next += written;
        size -= (size_t)written;
    }
    return POSEMB_OK;
}

/* Returns 0 or errno. */
static int flush_and_rename(file_output *output)
{
    if (fsync(output->descriptor) != 0)
        return errno;

    const int closed = close(output->descriptor);

    output->descriptor = -1;
    if (closed != 0 || rename(output->temporary, output->target) != 0)
        return errno;
    return 0;
}

posemb_status file_output_commit(file_output *output, posemb_error *error)
{
    const int code = flush_and_rename(output);

    if (code != 0) {
        file_output_abandon(output);
        return fail_system(error, output->shown, "cannot be completed", code);
    }
    free(output->temporary);
    output->temporary = NULL;
    free(output->target);
    output->target = NULL;
    return POSEMB_OK;
}

void file_output_abandon(file_output *output)
{
    if (output->temporary) {
        if (output->descriptor >= 0)
            close(output->descriptor);
        unlink(output->temporary);
    }
    free(output->temporary);
    free(output->target);
    output->descriptor = -1;
    output->temporary = NULL;
    output->target = NULL;
}
