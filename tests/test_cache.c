/* The cache folder: files come back whole, faults are named, and what is not ours stays. */
#include "cache.h"

#include "support/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME  "00112233445566778899aabbccddeeff.posemb"
#define OTHER "ffeeddccbbaa99887766554433221100.posemb"
#define THIRD "0123456789abcdef0123456789abcdef.posemb"

static const uint64_t no_limit = UINT64_MAX;

/* A cache folder that does not exist yet, below the folder of the tests. */
static void fresh_folder(char path[TEMP_PATH_SIZE])
{
    static int count;
    char name[32];

    snprintf(name, sizeof name, "cache-%d", count++);
    temp_file_path(&test_folder, name, path);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    posemb_error error;

    if (posemb__cache_write(folder, name, text, strlen(text), no_limit, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
}

static void assert_holds(const char *folder, const char *name, const char *text)
{
    unsigned char *bytes;
    size_t size;
    posemb_error error;

    if (posemb__cache_read(folder, name, &bytes, &size, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    if (!text) {
        assert_null(bytes);
        return;
    }
    assert_non_null(bytes);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
    free(bytes);
}

static void assert_read_fails(const char *folder, const char *name, const char *words)
{
    unsigned char *bytes;
    size_t size;
    posemb_error error;

    assert_int_equal(posemb__cache_read(folder, name, &bytes, &size, &error), POSEMB_CACHE_FAILED);
    assert_null(bytes);
    assert_said(&error, words);
}

static void assert_write_fails(const char *folder, const char *words)
{
    posemb_error error;

    assert_int_equal(posemb__cache_write(folder, NAME, "x", 1, no_limit, &error),
                     POSEMB_CACHE_FAILED);
    assert_said(&error, words);
}

/* How many things lie in a folder. */
static size_t count_in(const char *path)
{
    temp_folder folder;

    snprintf(folder.path, sizeof folder.path, "%s", path);
    return temp_folder_count(&folder);
}

static void path_in(const char *folder, const char *name, char path[TEMP_PATH_SIZE])
{
    assert_true((size_t)snprintf(path, TEMP_PATH_SIZE, "%s/%s", folder, name) < TEMP_PATH_SIZE);
}

static void set_used(const char *folder, const char *name, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    char path[TEMP_PATH_SIZE];

    path_in(folder, name, path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void test_no_folder_and_no_file_are_no_fault(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct posemb__cache_file *files;
    size_t count;

    (void)state;
    fresh_folder(folder);
    assert_holds(folder, NAME, NULL);
    assert_int_equal(access(folder, F_OK), -1); /* reading makes nothing */
    assert_int_equal(posemb__cache_list(folder, &files, &count, NULL), POSEMB_OK);
    assert_int_equal(count, 0);
    assert_int_equal(posemb__cache_remove_all(folder, &count, NULL), POSEMB_OK);
    write_file(folder, OTHER, "x");
    assert_holds(folder, NAME, NULL);
}

static void test_files_come_back(void **state)
{
    char folder[TEMP_PATH_SIZE];
    struct stat info;

    (void)state;
    fresh_folder(folder);
    strcat(folder, "/below/and/below");
    write_file(folder, NAME, "first");
    write_file(folder, OTHER, "other");
    assert_holds(folder, NAME, "first");
    write_file(folder, NAME, "second, which is longer");
    assert_holds(folder, NAME, "second, which is longer");
    assert_holds(folder, OTHER, "other");
    assert_int_equal(count_in(folder), 2);
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void test_a_folder_of_others_is_not_used(void **state)
{
    char folder[TEMP_PATH_SIZE];
    char link[TEMP_PATH_SIZE];
    char file[TEMP_PATH_SIZE];

    (void)state;
    fresh_folder(folder);
    write_file(folder, NAME, "x");
    assert_int_equal(chmod(folder, 0777), 0);
    assert_read_fails(folder, NAME, "is writable by others");
    assert_write_fails(folder, "is writable by others");
    assert_int_equal(chmod(folder, 0720), 0);
    assert_read_fails(folder, NAME, "is writable by others");
    assert_int_equal(chmod(folder, 0755), 0);
    assert_holds(folder, NAME, "x");
    fresh_folder(link);
    assert_int_equal(symlink(folder, link), 0);
    assert_read_fails(link, NAME, "cannot open the cache folder");
    assert_write_fails(link, "cannot open the cache folder");
    temp_file_write(&test_folder, "a-file", "x", 1, file);
    assert_read_fails(file, NAME, "cannot open the cache folder");
    assert_write_fails(file, "cannot open the cache folder");
    strcat(file, "/below");
    assert_read_fails(file, NAME, "cannot open the cache folder");
    assert_write_fails(file, "cannot make the cache folder");
    if (geteuid() == 0) {
        assert_int_equal(chown(folder, 12345, (gid_t)-1), 0);
        assert_read_fails(folder, NAME, "belongs to another user");
        assert_write_fails(folder, "belongs to another user");
        assert_int_equal(chown(folder, 0, (gid_t)-1), 0);
    }
}

static void test_a_file_that_is_none_is_not_read(void **state)
{
    char folder[TEMP_PATH_SIZE];
    char path[TEMP_PATH_SIZE];
    char target[TEMP_PATH_SIZE];

    (void)state;
    fresh_folder(folder);
    write_file(folder, NAME, "x");
    path_in(folder, NAME, path);
    path_in(folder, OTHER, target);
    assert_int_equal(chmod(path, 0622), 0);
    assert_read_fails(folder, NAME, "is writable by others");
    assert_int_equal(unlink(path), 0);
    write_file(folder, OTHER, "target");
    assert_int_equal(symlink(target, path), 0);
    assert_read_fails(folder, NAME, "cannot open");
    write_file(folder, NAME, "mine"); /* replaces the link, not what it leads to */
    assert_holds(folder, NAME, "mine");
    assert_holds(folder, OTHER, "target");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_read_fails(folder, NAME, "is not a regular file");
    assert_write_fails(folder, "cannot replace");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_read_fails(folder, NAME, "is not a regular file");
    assert_int_equal(unlink(path), 0);
    temp_file_write(&test_folder, "empty", "", 0, target);
    assert_int_equal(rename(target, path), 0);
    assert_read_fails(folder, NAME, "has 0 bytes");
    assert_int_equal(truncate(path, (off_t)1 << 31), 0); /* a hole */
    assert_read_fails(folder, NAME, "has 2147483648 bytes");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(count_in(folder), 1); /* failed writes left nothing */
}

/* A disk without room: the largest file may have 100 bytes. */
static void test_a_full_disk_is_a_fault(void **state)
{
    char folder[TEMP_PATH_SIZE];
    char text[1000];
    struct rlimit before;
    struct rlimit small;
    posemb_error error;
    posemb_status status;

    (void)state;
    memset(text, 'x', sizeof text);
    fresh_folder(folder);
    write_file(folder, NAME, "as it was");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    status = posemb__cache_write(folder, NAME, text, sizeof text, no_limit, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, POSEMB_CACHE_FAILED);
    assert_said(&error, "cannot write");
    assert_holds(folder, NAME, "as it was");
    assert_int_equal(count_in(folder), 1);
}

static void test_nobody_is_waited_for(void **state)
{
    char folder[TEMP_PATH_SIZE];
    char path[TEMP_PATH_SIZE];
    int held[2];

    (void)state;
    fresh_folder(folder);
    write_file(folder, NAME, "x");
    path_in(folder, NAME, path);
    held[0] = open(path, O_RDONLY);
    held[1] = open(folder, O_RDONLY);
    assert_int_equal(flock(held[0], LOCK_EX), 0);
    assert_int_equal(flock(held[1], LOCK_EX), 0);
    alarm(30);
    assert_holds(folder, NAME, "x");
    write_file(folder, NAME, "y");
    assert_holds(folder, NAME, "y");
    alarm(0);
    close(held[0]);
    close(held[1]);
}

static void test_the_least_recently_used_go_first(void **state)
{
    char folder[TEMP_PATH_SIZE];
    const time_t now = time(NULL);
    posemb_error error;

    (void)state;
    fresh_folder(folder);
    write_file(folder, NAME, "0123456789");
    write_file(folder, OTHER, "0123456789");
    set_used(folder, NAME, now - 20);
    set_used(folder, OTHER, now - 10);
    assert_holds(folder, NAME, "0123456789"); /* used now */
    assert_int_equal(posemb__cache_write(folder, THIRD, "0123456789", 10, 29, &error), POSEMB_OK);
    assert_holds(folder, OTHER, NULL);
    assert_holds(folder, NAME, "0123456789");
    assert_holds(folder, THIRD, "0123456789");
    assert_int_equal(posemb__cache_write(folder, OTHER, "0123456789", 10, 30, &error), POSEMB_OK);
    assert_int_equal(count_in(folder), 3);
    set_used(folder, THIRD, now + 1000); /* a clock that went wrong */
    assert_int_equal(posemb__cache_write(folder, OTHER, "0123456789", 10, 10, &error), POSEMB_OK);
    assert_int_equal(count_in(folder), 1);
    assert_holds(folder, OTHER, "0123456789");
    assert_int_equal(posemb__cache_write(folder, OTHER, "larger than it", 14, 13, &error),
                     POSEMB_OK);
    assert_holds(folder, OTHER, "0123456789");
}

static void test_what_is_not_ours_stays(void **state)
{
    static const char *const foreign[] = {
        "README", "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff.posemb.bak",
        "00112233445566778899AABBCCDDEEFF.posemb", "0112233445566778899aabbccddeeff.posemb"};
    enum { FOREIGN = sizeof foreign / sizeof *foreign };
    struct posemb__cache_file *files;
    temp_folder folder;
    char path[TEMP_PATH_SIZE];
    size_t count;

    (void)state;
    fresh_folder(folder.path);
    write_file(folder.path, NAME, "x");
    write_file(folder.path, OTHER, "yy");
    for (size_t i = 0; i < FOREIGN; i++)
        temp_file_write(&folder, foreign[i], "not posemb's", 12, path);
    temp_file_write(&folder, ".posemb-1-2-3", "left by a process that died", 27, path);
    set_used(folder.path, NAME, 2000);
    set_used(folder.path, OTHER, 1000);
    assert_int_equal(posemb__cache_list(folder.path, &files, &count, NULL), POSEMB_OK);
    assert_int_equal(count, 2);
    assert_string_equal(files[0].name, OTHER);
    assert_int_equal(files[0].bytes, 2);
    assert_int_equal(files[0].used, 1000);
    assert_string_equal(files[1].name, NAME);
    free(files);
    assert_int_equal(posemb__cache_write(folder.path, THIRD, "z", 1, 1, NULL), POSEMB_OK);
    assert_int_equal(count_in(folder.path), FOREIGN + 2); /* a young temporary may be in use */
    set_used(folder.path, ".posemb-1-2-3", time(NULL) - 4000);
    assert_int_equal(posemb__cache_write(folder.path, THIRD, "z", 1, 1, NULL), POSEMB_OK);
    assert_int_equal(count_in(folder.path), FOREIGN + 1);
    temp_file_write(&folder, ".posemb-1-2-3", "x", 1, path);
    assert_int_equal(posemb__cache_remove_all(folder.path, &count, NULL), POSEMB_OK);
    assert_int_equal(count, 1);
    assert_int_equal(count_in(folder.path), FOREIGN);
}

/* What one of many threads does: every file that it reads is one of the two that were written. */
static void *write_and_read(void *data)
{
    const char *folder = data;
    static const char *const texts[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbb"};

    for (int i = 0; i < 50; i++) {
        const char *text = texts[i % 2];
        unsigned char *bytes;
        size_t size;

        if (posemb__cache_write(folder, NAME, text, strlen(text), no_limit, NULL) != POSEMB_OK ||
            posemb__cache_read(folder, NAME, &bytes, &size, NULL) != POSEMB_OK)
            return data;
        if (size != strlen(texts[bytes[0] == 'b']) ||
            memcmp(bytes, texts[bytes[0] == 'b'], size) != 0) {
            free(bytes);
            return data;
        }
        free(bytes);
    }
    return NULL;
}

static void test_many_writers_leave_one_whole_file(void **state)
{
    char folder[TEMP_PATH_SIZE];
    pthread_t threads[8];

    (void)state;
    fresh_folder(folder);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, folder), 0);
    for (size_t i = 0; i < 8; i++) {
        void *wrong = NULL;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(count_in(folder), 1);
}

static void assert_default(const char *expected)
{
    char path[POSEMB__CACHE_PATH_SIZE];
    posemb_error error;
    const posemb_status status = posemb__cache_default_folder(path, &error);

    if (expected) {
        assert_int_equal(status, POSEMB_OK);
        assert_string_equal(path, expected);
    } else {
        assert_int_equal(status, POSEMB_CACHE_FAILED);
        assert_said(&error, "POSEMB_CACHE_DIR");
    }
}

static void test_the_environment_names_the_folder(void **state)
{
    char *longer = malloc(POSEMB__CACHE_PATH_SIZE + 2);

    (void)state;
    assert_non_null(longer);
    memset(longer, '/', POSEMB__CACHE_PATH_SIZE + 1);
    longer[POSEMB__CACHE_PATH_SIZE + 1] = '\0';
    setenv("POSEMB_CACHE_DIR", "/some/where", 1);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    setenv("HOME", "/home/of", 1);
    assert_default("/some/where");
    setenv("POSEMB_CACHE_DIR", "relative", 1);
    assert_default("/xdg/posemb");
    unsetenv("POSEMB_CACHE_DIR");
    setenv("XDG_CACHE_HOME", "", 1);
    assert_default("/home/of/.cache/posemb");
    unsetenv("XDG_CACHE_HOME");
    assert_default("/home/of/.cache/posemb");
    unsetenv("HOME");
    assert_default(NULL);
    setenv("POSEMB_CACHE_DIR", longer, 1);
    assert_default(NULL);
    assert_write_fails(longer, "a cache folder's name has 4097 bytes");
    unsetenv("POSEMB_CACHE_DIR");
    free(longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_folder_and_no_file_are_no_fault),
        cmocka_unit_test(test_files_come_back),
        cmocka_unit_test(test_a_folder_of_others_is_not_used),
        cmocka_unit_test(test_a_file_that_is_none_is_not_read),
        cmocka_unit_test(test_a_full_disk_is_a_fault),
        cmocka_unit_test(test_nobody_is_waited_for),
        cmocka_unit_test(test_the_least_recently_used_go_first),
        cmocka_unit_test(test_what_is_not_ours_stays),
        cmocka_unit_test(test_many_writers_leave_one_whole_file),
        cmocka_unit_test(test_the_environment_names_the_folder),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
