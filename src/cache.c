/* The folder of compiled programs. Whatever the state of the disk, a call here ends with the whole
 * bytes of one file, or with a fault that names it. */
#include "cache.h"

#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char suffix[] = ".posemb";
static const char temporary_prefix[] = ".posemb-";
enum { ID_DIGITS = 32 };

/* Largest file that is read: no binary comes near. */
static const uint64_t file_size_max = (uint64_t)1 << 30;

/* A temporary file of that age was left by a process that died. */
static const time_t temporary_age_max = 3600;

const char *posemb__cache_environment(const char *name)
{
#if defined(__GLIBC__)
    return secure_getenv(name);
#else
    return getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
#endif
}

posemb_status posemb__cache_default_folder(char path[POSEMB__CACHE_PATH_SIZE], posemb_error *error)
{
    static const struct {
        const char *variable;
        const char *below;
    } places[] = {
        {"POSEMB_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "/posemb"}, {"HOME", "/.cache/posemb"}};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = posemb__cache_environment(places[i].variable);
        int length;

        if (!value || *value != '/')
            continue;
        length = snprintf(path, POSEMB__CACHE_PATH_SIZE, "%s%s", value, places[i].below);
        if (length < 0 || (size_t)length >= POSEMB__CACHE_PATH_SIZE)
            return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "%s has a name of %d bytes",
                                places[i].variable, length);
        return POSEMB_OK;
    }
    return posemb__fail(error, POSEMB_CACHE_FAILED, 0,
                        "none of POSEMB_CACHE_DIR, XDG_CACHE_HOME and HOME names a folder");
}

static posemb_status fail_errno(posemb_error *error, const char *folder, const char *name,
                                const char *what)
{
    char buffer[128] = "";
#if defined(__GLIBC__)
    const char *reason = strerror_r(errno, buffer, sizeof buffer);
#else
    const char *reason = buffer;

    strerror_r(errno, buffer, sizeof buffer);
#endif
    return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "cannot %s %.280s%s%s: %s", what, folder,
                        *name ? "/" : "", name, reason);
}

/* Ours alone: nobody else may have put a program there. */
static const char *distrust(const struct stat *info)
{
    if (info->st_uid != geteuid())
        return "belongs to another user";
    if (info->st_mode & (S_IWGRP | S_IWOTH))
        return "is writable by others";
    return NULL;
}

/* Open the folder; *fd is -1 with POSEMB_OK where it does not exist. */
static posemb_status open_folder(const char *folder, int *fd, posemb_error *error)
{
    struct stat info;
    const char *reason = NULL;

    *fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT)
        return POSEMB_OK;
    if (*fd < 0)
        return fail_errno(error, folder, "", "open the cache folder");
    if (fstat(*fd, &info) != 0)
        reason = "has no owner";
    else
        reason = distrust(&info);
    if (!reason)
        return POSEMB_OK;
    close(*fd);
    *fd = -1;
    return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "the cache folder %.280s %s", folder,
                        reason);
}

/* mkdir -p with mode 0700. */
static posemb_status make_folder(const char *folder, posemb_error *error)
{
    char path[POSEMB__CACHE_PATH_SIZE];
    const size_t length = strlen(folder);

    if (length >= sizeof path)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "a cache folder's name has %zu bytes",
                            length);
    memcpy(path, folder, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        path[i] = '\0';
        if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
            return fail_errno(error, path, "", "make the cache folder");
        path[i] = i < length ? '/' : '\0';
    }
    return POSEMB_OK;
}

static bool read_all(int fd, unsigned char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        const ssize_t got = read(fd, bytes + done, size - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; /* shorter than it was a moment ago */
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const unsigned char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        const ssize_t put = write(fd, bytes + done, size - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

/* What an open file must be before it is read. */
static posemb_status check_file(int fd, const char *folder, const char *name, size_t *size,
                                posemb_error *error)
{
    struct stat info;
    const char *reason;

    if (fstat(fd, &info) != 0)
        return fail_errno(error, folder, name, "look at");
    reason = S_ISREG(info.st_mode) ? distrust(&info) : "is not a regular file";
    if (reason)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "%.280s/%s %s", folder, name, reason);
    if (info.st_size < 1 || (uint64_t)info.st_size > file_size_max)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "%.280s/%s has %" PRId64 " bytes",
                            folder, name, (int64_t)info.st_size);
    *size = (size_t)info.st_size;
    return POSEMB_OK;
}

static posemb_status read_open_file(int fd, const char *folder, const char *name,
                                    unsigned char **bytes, size_t *size, posemb_error *error)
{
    unsigned char *read_bytes;
    posemb_status status = check_file(fd, folder, name, size, error);

    if (status != POSEMB_OK || *size == 0)
        return status;
    read_bytes = malloc(*size);
    if (!read_bytes)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %zu bytes of %s", *size,
                            name);
    if (!read_all(fd, read_bytes, *size)) {
        status = fail_errno(error, folder, name, "read");
        free(read_bytes);
        return status;
    }
    *bytes = read_bytes;
    return POSEMB_OK;
}

static posemb_status read_file(const char *folder, const char *name, bool mark,
                               unsigned char **bytes, size_t *size, posemb_error *error)
{
    int folder_fd;
    int fd;
    posemb_status status = open_folder(folder, &folder_fd, error);

    *bytes = NULL;
    *size = 0;
    if (status != POSEMB_OK || folder_fd < 0)
        return status;
    /* O_NONBLOCK: a pipe of that name must not keep us waiting. */
    fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        status = read_open_file(fd, folder, name, bytes, size, error);
        if (mark && status == POSEMB_OK)
            futimens(fd, NULL); /* used now; no harm where the disk refuses */
        close(fd);
    } else if (errno != ENOENT) {
        status = fail_errno(error, folder, name, "open");
    }
    close(folder_fd);
    return status;
}

posemb_status posemb__cache_read(const char *folder, const char *name, unsigned char **bytes,
                                 size_t *size, posemb_error *error)
{
    return read_file(folder, name, true, bytes, size, error);
}

posemb_status posemb__cache_look(const char *folder, const char *name, unsigned char **bytes,
                                 size_t *size, posemb_error *error)
{
    return read_file(folder, name, false, bytes, size, error);
}

static bool is_program_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == ID_DIGITS && strcmp(name + ID_DIGITS, suffix) == 0;
}

static bool is_temporary_name(const char *name)
{
    return strncmp(name, temporary_prefix, sizeof temporary_prefix - 1) == 0;
}

static int by_use(const void *a, const void *b)
{
    const struct posemb__cache_file *left = a;
    const struct posemb__cache_file *right = b;

    if (left->used != right->used)
        return left->used < right->used ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* A list that grows. */
struct files {
    struct posemb__cache_file *items;
    size_t count;
    size_t capacity;
};

static bool append(struct files *files, const char *name, const struct stat *info)
{
    struct posemb__cache_file *item;

    if (files->count == files->capacity) {
        const size_t capacity = files->capacity ? 2 * files->capacity : 16;
        struct posemb__cache_file *grown = realloc(files->items, capacity * sizeof *grown);

        if (!grown)
            return false;
        files->items = grown;
        files->capacity = capacity;
    }
    item = &files->items[files->count++];
    snprintf(item->name, sizeof item->name, "%s", name);
    item->bytes = (uint64_t)info->st_size;
    item->used = (int64_t)info->st_mtime;
    return true;
}

/* Gather the names that `wanted` accepts. */
static posemb_status gather(int folder_fd, const char *folder, bool (*wanted)(const char *name),
                            struct files *files, posemb_error *error)
{
    const int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    posemb_status status = POSEMB_OK;

    if (!entries) {
        status = fail_errno(error, folder, "", "list the cache folder");
        if (fd >= 0)
            close(fd);
        return status;
    }
    for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        struct stat info;

        if (!wanted(entry->d_name) || strlen(entry->d_name) >= sizeof files->items->name ||
            fstatat(folder_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue; /* another process has removed it: nothing is wrong */
        if (!append(files, entry->d_name, &info)) {
            status = posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for a list of files");
            break;
        }
    }
    closedir(entries);
    if (files->count > 1)
        qsort(files->items, files->count, sizeof *files->items, by_use);
    return status;
}

static posemb_status remove_file(int folder_fd, const char *folder, const char *name,
                                 posemb_error *error)
{
    if (unlinkat(folder_fd, name, 0) == 0 || errno == ENOENT)
        return POSEMB_OK;
    return fail_errno(error, folder, name, "remove");
}

/* Remove the least recently used files until `room` bytes fit under `limit`; `kept` stays. */
static posemb_status evict(int folder_fd, const char *folder, const char *kept, uint64_t limit,
                           posemb_error *error)
{
    struct files files = {NULL, 0, 0};
    uint64_t total = 0;
    posemb_status status = gather(folder_fd, folder, is_program_name, &files, error);

    for (size_t i = 0; i < files.count; i++)
        total += files.items[i].bytes;
    for (size_t i = 0; status == POSEMB_OK && i < files.count && total > limit; i++) {
        if (strcmp(files.items[i].name, kept) == 0)
            continue;
        status = remove_file(folder_fd, folder, files.items[i].name, error);
        total -= files.items[i].bytes;
    }
    free(files.items);
    return status;
}

static posemb_status remove_stale_temporaries(int folder_fd, const char *folder, time_t age,
                                              posemb_error *error)
{
    struct files files = {NULL, 0, 0};
    const int64_t now = (int64_t)time(NULL);
    posemb_status status = gather(folder_fd, folder, is_temporary_name, &files, error);

    for (size_t i = 0; status == POSEMB_OK && i < files.count; i++)
        if (now - files.items[i].used >= (int64_t)age)
            status = remove_file(folder_fd, folder, files.items[i].name, error);
    free(files.items);
    return status;
}

/* A new file of a name that nobody else has. */
static int create_temporary(int folder_fd, char *name, size_t size)
{
    static const int attempts = 100;

    for (int i = 0; i < attempts; i++) {
        struct timespec now;
        int fd;

        clock_gettime(CLOCK_REALTIME, &now);
        snprintf(name, size, "%s%ld-%lx-%x", temporary_prefix, (long)getpid(),
                 (unsigned long)now.tv_nsec, (unsigned)i);
        fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    S_IRUSR | S_IWUSR);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static posemb_status write_and_rename(int folder_fd, const char *folder, const char *name,
                                      const void *bytes, size_t size, posemb_error *error)
{
    char temporary[64];
    const int fd = create_temporary(folder_fd, temporary, sizeof temporary);
    posemb_status status = POSEMB_OK;

    if (fd < 0)
        return fail_errno(error, folder, name, "write beside");
    if (!write_all(fd, bytes, size) || fsync(fd) != 0)
        status = fail_errno(error, folder, name, "write");
    if (close(fd) != 0 && status == POSEMB_OK)
        status = fail_errno(error, folder, name, "write");
    if (status == POSEMB_OK && renameat(folder_fd, temporary, folder_fd, name) != 0)
        status = fail_errno(error, folder, name, "replace");
    if (status != POSEMB_OK)
        unlinkat(folder_fd, temporary, 0);
    return status;
}

posemb_status posemb__cache_write(const char *folder, const char *name, const void *bytes,
                                  size_t size, uint64_t limit, posemb_error *error)
{
    int folder_fd;
    posemb_status status;

    if (size > limit)
        return POSEMB_OK;
    status = make_folder(folder, error);
    if (status == POSEMB_OK)
        status = open_folder(folder, &folder_fd, error);
    if (status != POSEMB_OK)
        return status;
    if (folder_fd < 0)
        return posemb__fail(error, POSEMB_CACHE_FAILED, 0, "the cache folder %.280s has gone",
                            folder);
    status = write_and_rename(folder_fd, folder, name, bytes, size, error);
    if (status == POSEMB_OK)
        status = evict(folder_fd, folder, name, limit, error);
    if (status == POSEMB_OK)
        status = remove_stale_temporaries(folder_fd, folder, temporary_age_max, error);
    close(folder_fd);
    return status;
}

/* Open the folder and gather its programs; *fd is -1 with POSEMB_OK where it does not exist. */
static posemb_status open_and_gather(const char *folder, int *fd, struct files *files,
                                     posemb_error *error)
{
    posemb_status status = open_folder(folder, fd, error);

    *files = (struct files){NULL, 0, 0};
    if (status == POSEMB_OK && *fd >= 0)
        status = gather(*fd, folder, is_program_name, files, error);
    return status;
}

posemb_status posemb__cache_list(const char *folder, struct posemb__cache_file **items,
                                 size_t *count, posemb_error *error)
{
    struct files files;
    int folder_fd;
    const posemb_status status = open_and_gather(folder, &folder_fd, &files, error);

    if (folder_fd >= 0)
        close(folder_fd);
    if (status != POSEMB_OK) {
        free(files.items);
        files = (struct files){NULL, 0, 0};
    }
    *items = files.items;
    *count = files.count;
    return status;
}

posemb_status posemb__cache_remove_all(const char *folder, size_t *removed, posemb_error *error)
{
    struct files files;
    int folder_fd;
    posemb_status status = open_and_gather(folder, &folder_fd, &files, error);

    *removed = 0;
    for (size_t i = 0; status == POSEMB_OK && i < files.count; i++) {
        status = remove_file(folder_fd, folder, files.items[i].name, error);
        *removed += status == POSEMB_OK;
    }
    if (status == POSEMB_OK && folder_fd >= 0)
        status = remove_stale_temporaries(folder_fd, folder, 0, error);
    free(files.items);
    if (folder_fd >= 0)
        close(folder_fd);
    return status;
}
