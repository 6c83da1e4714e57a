/* A private folder for the files of a test. */
#include "temp_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void temp_folder_make(temp_folder *folder)
{
    const char *parent = getenv("TMPDIR");
    const int length = snprintf(folder->path, sizeof folder->path, "%s/posemb-test-XXXXXX",
                                parent && *parent ? parent : "/tmp");

    assert_in_range(length, 1, sizeof folder->path - 1);
    assert_non_null(mkdtemp(folder->path));
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Call `visit` for the path of each entry; returns how many there were. */
static size_t visit_entries(const temp_folder *folder, void (*visit)(const char *path))
{
    DIR *entries = opendir(folder->path);
    size_t count = 0;

    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        char path[TEMP_PATH_SIZE];

        if (!is_entry(entry))
            continue;
        count++;
        temp_file_path(folder, entry->d_name, path);
        visit(path);
    }
    closedir(entries);
    return count;
}

static void leave(const char *path)
{
    (void)path;
}

static void remove_entry(const char *path)
{
    temp_folder folder;

    if (remove(path) == 0)
        return;
    assert_int_equal(errno, ENOTEMPTY);
    assert_true(strlen(path) < sizeof folder.path);
    strcpy(folder.path, path);
    temp_folder_remove(&folder);
}

void temp_folder_remove(temp_folder *folder)
{
    visit_entries(folder, remove_entry);
    assert_int_equal(rmdir(folder->path), 0);
}

size_t temp_folder_count(const temp_folder *folder)
{
    return visit_entries(folder, leave);
}

void temp_file_path(const temp_folder *folder, const char *name, char path[TEMP_PATH_SIZE])
{
    const int length = snprintf(path, TEMP_PATH_SIZE, "%s/%s", folder->path, name);

    assert_in_range(length, 1, TEMP_PATH_SIZE - 1);
}

void temp_file_write(const temp_folder *folder, const char *name, const void *bytes, size_t size,
                     char path[TEMP_PATH_SIZE])
{
    temp_file_path(folder, name, path);

    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

size_t temp_file_read(const char *path, void *bytes, size_t capacity)
{
    FILE *file = fopen(path, "rb");

    assert_non_null(file);

    const size_t size = fread(bytes, 1, capacity, file);

    assert_int_equal(ferror(file), 0);
    assert_int_equal(fclose(file), 0);
    return size;
}

temp_folder test_folder;

int test_folder_make(void **state)
{
    (void)state;
    temp_folder_make(&test_folder);
    return 0;
}

int test_folder_remove(void **state)
{
    (void)state;
    temp_folder_remove(&test_folder);
    return 0;
}

void assert_said(const posemb_error *error, const char *words)
{
    if (!strstr(error->message, words))
        fail_msg("\"%s\" is not in \"%s\"", words, error->message);
}
