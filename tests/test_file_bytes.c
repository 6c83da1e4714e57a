/* Bounded reads, messages, and output that is whole or absent. */
#include "file_bytes.h"
#include "support/temp_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_holds(const char *path, const char *text)
{
    char bytes[64];
    const size_t size = temp_file_read(path, bytes, sizeof bytes);

    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
}

/* ---- Text */

static void test_escape_keeps_printable_ascii(void **state)
{
    char out[128];

    (void)state;
    escape_text("a b/c~", 6, out, sizeof out);
    assert_string_equal(out, "a b/c~");
    escape_text("", 0, out, sizeof out);
    assert_string_equal(out, "");
}

static void test_escape_names_every_other_byte(void **state)
{
    char out[128];

    (void)state;
    escape_text("\"\\\0\n\x1b\x7f\xc3\xa9", 8, out, sizeof out);
    assert_string_equal(out, "\\\"\\\\\\x00\\x0a\\x1b\\x7f\\xc3\\xa9");
}

static void test_escape_cuts_what_does_not_fit(void **state)
{
    char out[9];

    (void)state;
    escape_text("12345678", 8, out, sizeof out);
    assert_string_equal(out, "12345678");
    escape_text("123456789", 9, out, sizeof out);
    assert_string_equal(out, "12345...");
    escape_text("1234\n678", 8, out, sizeof out);
    assert_string_equal(out, "1234...");
    escape_text("\n\n\n", 3, out, 4);
    assert_string_equal(out, "...");
}

static void test_escape_never_leaves_its_buffer(void **state)
{
    char text[64];
    char out[64];

    (void)state;
    memset(text, '\n', sizeof text);
    for (size_t size = 0; size <= sizeof text; size++)
        for (size_t capacity = 4; capacity < sizeof out; capacity++) {
            memset(out, 'z', sizeof out);
            escape_text(text, size, out, capacity);
            assert_in_range(strlen(out), 0, capacity - 1);
            for (size_t i = capacity; i < sizeof out; i++)
                assert_int_equal(out[i], 'z');
        }
}

static void test_shape_is_shown(void **state)
{
    static const uint64_t shape[] = {3, 0, UINT64_MAX};
    char shown[SHAPE_SHOWN_SIZE];

    (void)state;
    shape_show(shape, 3, shown);
    assert_string_equal(shown, "[3, 0, 18446744073709551615]");
    shape_show(NULL, 0, shown);
    assert_string_equal(shown, "[]");
}

static void test_largest_shape_fits_its_buffer(void **state)
{
    uint64_t shape[SHAPE_RANK_MAX];
    char shown[SHAPE_SHOWN_SIZE];

    (void)state;
    memset(shape, 0xff, sizeof shape);
    shape_show(shape, SHAPE_RANK_MAX, shown);
    assert_int_equal(strlen(shown), 8 * 20 + 7 * 2 + 2);
}

static void test_shape_count_multiplies(void **state)
{
    static const uint64_t shape[] = {3, 4, 5};
    uint64_t count = 0;

    (void)state;
    assert_true(shape_count(shape, 3, &count));
    assert_int_equal(count, 60);
    assert_true(shape_count(NULL, 0, &count));
    assert_int_equal(count, 1);
}

static void test_shape_count_tells_of_overflow(void **state)
{
    static const uint64_t zero_product[] = {UINT64_C(1) << 32, UINT64_C(1) << 32};
    static const uint64_t zero_first[] = {0, UINT64_MAX, UINT64_MAX};
    uint64_t count = 0;

    (void)state;
    assert_false(shape_count(zero_product, 2, &count));
    assert_true(shape_count(zero_first, 3, &count));
    assert_int_equal(count, 0);
}

static void test_loads_are_little_endian(void **state)
{
    static const unsigned char bytes[] = {0xff, 1, 2, 3, 4, 5, 6, 7, 0xf8};

    (void)state;
    assert_int_equal(load_u16(bytes + 1), 0x0201);
    assert_int_equal(load_u32(bytes + 1), 0x04030201);
    assert_true(load_u64(bytes + 1) == UINT64_C(0xf807060504030201));
}

/* ---- Input */

static void test_reads_parts_of_a_file(void **state)
{
    file_bytes file;
    char path[TEMP_PATH_SIZE];
    char bytes[7] = {0};

    (void)state;
    temp_file_write(&test_folder, "in", "0123456", 7, path);
    assert_int_equal(file_bytes_open(path, &file, NULL), POSEMB_OK);
    assert_int_equal(file.size, 7);
    assert_int_equal(file_bytes_read(&file, 0, 7, bytes, NULL), POSEMB_OK);
    assert_memory_equal(bytes, "0123456", 7);
    assert_int_equal(file_bytes_read(&file, 5, 2, bytes, NULL), POSEMB_OK);
    assert_memory_equal(bytes, "5623456", 7);
    assert_int_equal(file_bytes_read(&file, 7, 0, bytes, NULL), POSEMB_OK);
    file_bytes_close(&file);
    assert_int_equal(unlink(path), 0);
}

static void test_refuses_ranges_outside_the_file(void **state)
{
    static const struct {
        uint64_t offset;
        size_t size;
    } ranges[] = {{0, 8}, {7, 1}, {8, 0}, {1, SIZE_MAX}, {UINT64_MAX, 1}, {UINT64_MAX, SIZE_MAX}};
    file_bytes file;
    posemb_error error;
    char path[TEMP_PATH_SIZE];
    char bytes[1];

    (void)state;
    temp_file_write(&test_folder, "in", "0123456", 7, path);
    assert_int_equal(file_bytes_open(path, &file, NULL), POSEMB_OK);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        assert_int_equal(file_bytes_read(&file, ranges[i].offset, ranges[i].size, bytes, &error),
                         POSEMB_INVALID_ARGUMENT);
        assert_said(&error, "the file has only 7");
    }
    file_bytes_close(&file);
    assert_int_equal(unlink(path), 0);
}

static void test_a_file_that_shrinks_is_an_error(void **state)
{
    file_bytes file;
    posemb_error error;
    char path[TEMP_PATH_SIZE];
    char bytes[7];

    (void)state;
    temp_file_write(&test_folder, "in", "0123456", 7, path);
    assert_int_equal(file_bytes_open(path, &file, NULL), POSEMB_OK);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(file_bytes_read(&file, 0, 7, bytes, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "at or before byte 3, but had 7 bytes");
    file_bytes_close(&file);
    assert_int_equal(unlink(path), 0);
}

static void assert_no_input(const char *path, const char *words)
{
    file_bytes file;
    posemb_error error;

    assert_int_equal(file_bytes_open(path, &file, &error), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(error.status, POSEMB_INVALID_ARGUMENT);
    assert_int_equal(file.descriptor, -1);
    assert_said(&error, words);
}

static void test_opens_regular_files_only(void **state)
{
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_path(&test_folder, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_no_input(path, "pipe: not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_no_input(test_folder.path, "not a regular file");
    assert_no_input("/dev/null", "/dev/null: not a regular file");
}

static void test_says_why_a_file_cannot_be_opened(void **state)
{
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_path(&test_folder, "missing\n", path);
    assert_no_input(path, "missing\\x0a: cannot be opened: No such file or directory");
    assert_no_input(NULL, "path: NULL");
}

static void test_a_long_path_is_shown_by_its_end(void **state)
{
    char path[600];
    file_bytes file;
    posemb_error error;

    (void)state;
    memset(path, 'p', sizeof path);
    memcpy(path + 580, "/\n\n/the/end.npy", sizeof "/\n\n/the/end.npy");
    assert_int_equal(file_bytes_open(path, &file, &error), POSEMB_INVALID_ARGUMENT);
    assert_int_equal(strlen(file.shown), FILE_SHOWN_SIZE - 1);
    assert_memory_equal(error.message, "...ppp", 6);
    assert_said(&error, "ppp/\\x0a\\x0a/the/end.npy: cannot be opened: ");
}

/* ---- Output */

static void write_text(file_output *output, const char *text)
{
    assert_int_equal(file_output_write(output, text, strlen(text), NULL), POSEMB_OK);
}

static void test_a_new_file_has_the_mode_of_the_umask(void **state)
{
    const mode_t before = umask(027);
    file_output output;
    struct stat facts;
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_path(&test_folder, "out", path);
    assert_int_equal(file_output_begin(path, &output, NULL), POSEMB_OK);
    umask(before);
    write_text(&output, "new ");
    write_text(&output, "text");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(file_output_commit(&output, NULL), POSEMB_OK);
    assert_holds(path, "new text");
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0640);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(temp_folder_count(&test_folder), 0);
}

static void test_a_reader_keeps_the_file_it_opened(void **state)
{
    file_bytes file;
    file_output output;
    char path[TEMP_PATH_SIZE];
    char bytes[3];

    (void)state;
    temp_file_write(&test_folder, "out", "old", 3, path);
    assert_int_equal(file_bytes_open(path, &file, NULL), POSEMB_OK);
    assert_int_equal(file_output_begin(path, &output, NULL), POSEMB_OK);
    write_text(&output, "newer");
    assert_holds(path, "old");
    assert_int_equal(file_output_commit(&output, NULL), POSEMB_OK);
    assert_holds(path, "newer");
    assert_int_equal(file_bytes_read(&file, 0, 3, bytes, NULL), POSEMB_OK);
    assert_memory_equal(bytes, "old", 3);
    file_bytes_close(&file);
    assert_int_equal(unlink(path), 0);
}

static void test_abandoning_leaves_the_target_alone(void **state)
{
    file_output output;
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_write(&test_folder, "out", "old", 3, path);
    assert_int_equal(file_output_begin(path, &output, NULL), POSEMB_OK);
    write_text(&output, "new");
    file_output_abandon(&output);
    file_output_abandon(&output);
    assert_holds(path, "old");
    assert_int_equal(temp_folder_count(&test_folder), 1);
    assert_int_equal(unlink(path), 0);
}

static void test_abandoning_nothing_is_allowed(void **state)
{
    file_output output = {0};

    (void)state;
    file_output_abandon(&output);
    assert_int_equal(output.descriptor, -1);
    assert_int_equal(fstat(0, &(struct stat){0}), 0);
}

static void assert_no_output(const char *path, const char *words)
{
    const size_t before = temp_folder_count(&test_folder);
    file_output output;
    posemb_error error;

    assert_int_equal(file_output_begin(path, &output, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, words);
    assert_null(output.temporary);
    assert_null(output.target);
    assert_int_equal(temp_folder_count(&test_folder), before);
}

static void test_refuses_targets_that_cannot_be_files(void **state)
{
    char path[TEMP_PATH_SIZE];

    (void)state;
    assert_no_output(test_folder.path, "not a regular file, so not replaced");
    assert_no_output("/dev/null", "/dev/null: not a regular file");
    temp_file_path(&test_folder, "none/out", path);
    assert_no_output(path, "no file can be made in its folder: No such file or directory");
    assert_no_output("", "path: empty");
    assert_no_output(NULL, "path: NULL");
}

static void test_refuses_to_replace_a_link(void **state)
{
    char path[TEMP_PATH_SIZE];
    char link[TEMP_PATH_SIZE];

    (void)state;
    temp_file_write(&test_folder, "out", "old", 3, path);
    temp_file_path(&test_folder, "link", link);
    assert_int_equal(symlink(path, link), 0);
    assert_no_output(link, "link: not a regular file");
    assert_holds(link, "old");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_a_failing_rename_leaves_nothing(void **state)
{
    file_output output;
    posemb_error error;
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_path(&test_folder, "out", path);
    assert_int_equal(file_output_begin(path, &output, NULL), POSEMB_OK);
    write_text(&output, "new");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_output_commit(&output, &error), POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "out: cannot be completed: Is a directory");
    assert_null(output.temporary);
    assert_int_equal(temp_folder_count(&test_folder), 1);
    assert_int_equal(rmdir(path), 0);
}

static void test_a_failing_write_leaves_the_target_alone(void **state)
{
    static const char block[4096];
    file_output output;
    posemb_error error;
    char path[TEMP_PATH_SIZE];
    struct rlimit limit;

    (void)state;
    temp_file_write(&test_folder, "out", "old", 3, path);
    assert_int_equal(file_output_begin(path, &output, NULL), POSEMB_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);

    const struct rlimit small = {.rlim_cur = 1000, .rlim_max = limit.rlim_max};
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);

    const posemb_status status = file_output_write(&output, block, sizeof block, &error);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, POSEMB_INVALID_ARGUMENT);
    assert_said(&error, "out: cannot be written: File too large");
    assert_holds(path, "old");
    assert_int_equal(temp_folder_count(&test_folder), 1);
    assert_int_equal(unlink(path), 0);
}

static void test_two_outputs_do_not_meet(void **state)
{
    file_output first;
    file_output second;
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_path(&test_folder, "out", path);
    assert_int_equal(file_output_begin(path, &first, NULL), POSEMB_OK);
    assert_int_equal(file_output_begin(path, &second, NULL), POSEMB_OK);
    assert_string_not_equal(first.temporary, second.temporary);
    write_text(&first, "first");
    write_text(&second, "second");
    assert_int_equal(file_output_commit(&first, NULL), POSEMB_OK);
    assert_holds(path, "first");
    assert_int_equal(file_output_commit(&second, NULL), POSEMB_OK);
    assert_holds(path, "second");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(temp_folder_count(&test_folder), 0);
}

static void test_paths_of_one_file_are_known(void **state)
{
    char a[TEMP_PATH_SIZE];
    char b[TEMP_PATH_SIZE + 8];

    (void)state;
    temp_file_path(&test_folder, "out", a);
    snprintf(b, sizeof b, "%s/.//out", test_folder.path);
    assert_true(file_same(a, a));
    assert_true(file_same(a, b));
    assert_true(file_same("out", "./out"));
    assert_true(file_same("nowhere/out", "nowhere/out"));
    assert_false(file_same(a, "out"));
    assert_false(file_same("out", "./out2"));
    assert_false(file_same("nowhere/out", "./out"));
    assert_false(file_same("/out", "out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape_keeps_printable_ascii),
        cmocka_unit_test(test_escape_names_every_other_byte),
        cmocka_unit_test(test_escape_cuts_what_does_not_fit),
        cmocka_unit_test(test_escape_never_leaves_its_buffer),
        cmocka_unit_test(test_shape_is_shown),
        cmocka_unit_test(test_largest_shape_fits_its_buffer),
        cmocka_unit_test(test_shape_count_multiplies),
        cmocka_unit_test(test_shape_count_tells_of_overflow),
        cmocka_unit_test(test_loads_are_little_endian),
        cmocka_unit_test(test_reads_parts_of_a_file),
        cmocka_unit_test(test_refuses_ranges_outside_the_file),
        cmocka_unit_test(test_a_file_that_shrinks_is_an_error),
        cmocka_unit_test(test_opens_regular_files_only),
        cmocka_unit_test(test_says_why_a_file_cannot_be_opened),
        cmocka_unit_test(test_a_long_path_is_shown_by_its_end),
        cmocka_unit_test(test_a_new_file_has_the_mode_of_the_umask),
        cmocka_unit_test(test_a_reader_keeps_the_file_it_opened),
        cmocka_unit_test(test_abandoning_leaves_the_target_alone),
        cmocka_unit_test(test_abandoning_nothing_is_allowed),
        cmocka_unit_test(test_refuses_targets_that_cannot_be_files),
        cmocka_unit_test(test_refuses_to_replace_a_link),
        cmocka_unit_test(test_a_failing_rename_leaves_nothing),
        cmocka_unit_test(test_a_failing_write_leaves_the_target_alone),
        cmocka_unit_test(test_two_outputs_do_not_meet),
        cmocka_unit_test(test_paths_of_one_file_are_known),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
