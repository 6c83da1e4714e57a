/* Files of tensors, whatever their format: finding, storages, rows. */
#include "support/temp_file.h"
#include "support/tensors.h"
#include "tensor_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INVALID  POSEMB_INVALID_ARGUMENT
#define FILE_MAX 65536u

/* The same tensors in both formats. */
typedef enum file_format { FORMAT_SAFETENSORS, FORMAT_GGUF, FORMAT_COUNT } file_format;

static const char *const file_names[] = {"in.safetensors", "in.gguf"};

static tensor_file *open_list(const char *list, file_format format)
{
    static unsigned char bytes[FILE_MAX];
    static struct test_tensors tensors;
    char path[TEMP_PATH_SIZE];
    tensor_file *file = NULL;
    posemb_error error = {0};
    size_t size;

    test_tensors_parse(list, &tensors);
    size = format == FORMAT_GGUF ? test_tensors_to_gguf("", &tensors, bytes, sizeof bytes)
                                 : test_tensors_to_safetensors(&tensors, bytes, sizeof bytes);
    temp_file_write(&test_folder, file_names[format], bytes, size, path);
    if (tensor_file_open(path, &file, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_non_null(file);
    assert_string_equal(tensor_file_shown(file), path);
    assert_int_equal(unlink(path), 0);
    return file;
}

/* ---- The list */

static void test_lists_tensors(void **state)
{
    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("ab F32 2,3\nb I8 3\nc F16 4,1,2\n", format);
        const file_tensor *tensor = tensor_file_at(file, 2);

        assert_int_equal(tensor_file_count(file), 3);
        assert_null(tensor_file_at(file, 3));
        assert_string_equal(tensor->name, "c");
        assert_string_equal(tensor->type_name, "F16");
        assert_int_equal(tensor->storage, POSEMB_F16);
        assert_int_equal(tensor->rank, 3);
        assert_int_equal(tensor->shape[0], 4);
        assert_int_equal(tensor->shape[1], 1);
        assert_int_equal(tensor->shape[2], 2);
        assert_int_equal(tensor->bytes, 16);
        tensor_file_close(file);
    }
    tensor_file_close(NULL);
}

static void test_finds_by_name(void **state)
{
    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("ab F32 2,3\nb F32 3\n", format);
        const file_tensor *tensor = NULL;
        posemb_error error;

        assert_int_equal(tensor_file_find(file, "b", &tensor, NULL), POSEMB_OK);
        assert_ptr_equal(tensor, tensor_file_at(file, 1));
        assert_int_equal(tensor_file_find(file, "B\n", &tensor, &error), INVALID);
        assert_said(&error, file_names[format]);
        assert_said(&error, ": tensor \"B\\x0a\": name: no tensor of the file has it");
        tensor_file_close(file);
    }
}

static void test_finds_the_only_matrix(void **state)
{
    static const struct {
        const char *list;
        const char *words; /* NULL: it is found */
    } files[] = {
        {"ab F32 2,3\nb F32 3\nc F32 1,1,1\n", NULL},
        {"a F32 1\n", "0 of its 1 tensors have two dimensions; name one"},
        {"v F32 2,3\nw F32 2,3\n",
         "2 of its 2 tensors have two dimensions: \"v\", \"w\"; name one"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
            tensor_file *file = open_list(files[i].list, format);
            const file_tensor *tensor = NULL;
            posemb_error error;

            if (files[i].words) {
                assert_int_equal(tensor_file_find_matrix(file, &tensor, &error), INVALID);
                assert_said(&error, files[i].words);
                assert_null(tensor);
            } else {
                assert_int_equal(tensor_file_find_matrix(file, &tensor, NULL), POSEMB_OK);
                assert_string_equal(tensor->name, "ab");
            }
            tensor_file_close(file);
        }
}

static void test_bounds_the_list_of_matrices(void **state)
{
    static char list[2048];
    size_t used = 0;
    const file_tensor *tensor = NULL;
    tensor_file *file;
    posemb_error error;

    (void)state;
    for (int i = 0; i < TEST_TENSORS_MAX; i++)
        used += (size_t)snprintf(list + used, sizeof list - used,
                                 "layer.%03d.a-long-name F32 1,1\n", i);
    file = open_list(list, FORMAT_SAFETENSORS);
    assert_int_equal(tensor_file_find_matrix(file, &tensor, &error), INVALID);
    assert_said(&error,
                "16 of its 16 tensors have two dimensions: \"layer.000.a-long-name\", \"la");
    assert_said(&error, ", ...; name one");
    tensor_file_close(file);
}

/* ---- Storages */

static void test_knows_storages(void **state)
{
    static const char elements[] = "a F32 1,256\nb F16 1,256\nc BF16 1,256\nd I8 1,256\n";
    static const posemb_storage storages[] = {POSEMB_F32, POSEMB_F16, POSEMB_BF16, POSEMB_I8};

    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list(elements, format);

        for (size_t i = 0; i < 3 + (format == FORMAT_SAFETENSORS); i++) {
            const file_tensor *tensor = tensor_file_at(file, i);

            assert_int_equal(tensor->storage, storages[i]);
            assert_int_equal(tensor->bytes, posemb_storage_row_bytes(storages[i], 256));
            assert_int_equal(tensor_file_require_storage(file, tensor, NULL), POSEMB_OK);
        }
        tensor_file_close(file);
    }
}

static void test_requires_a_storage(void **state)
{
    static const char words[] = "tensor \"b\": type: F64, but F32, F16, BF16";

    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("a BF16 2\nb F64 3\n", format);
        posemb_error error;

        assert_int_equal(tensor_file_at(file, 1)->storage, POSEMB_STORAGE_DEFAULT);
        assert_int_equal(tensor_file_require_storage(file, tensor_file_at(file, 1), &error),
                         INVALID);
        assert_said(&error, words);
        tensor_file_close(file);
    }
}

/* ---- Rows */

static void test_reads_whole_tensors(void **state)
{
    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("a F32 2,4\nb F16 3,2\n", format);
        const file_tensor *tensor = tensor_file_at(file, 1);
        unsigned char bytes[12] = {0xee};
        posemb_error error;

        assert_int_equal(tensor_file_read(file, tensor, bytes, 11, &error),
                         POSEMB_BUFFER_TOO_SMALL);
        assert_said(&error, "a buffer of 11 bytes for 12");
        assert_int_equal(bytes[0], 0xee);
        assert_int_equal(tensor_file_read(file, tensor, bytes, 12, NULL), POSEMB_OK);
        for (size_t i = 0; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], 32 + i);
        tensor_file_close(file);
    }
}

static void test_reads_a_range_of_rows(void **state)
{
    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("t F16 4,1,3\n", format);

        for (uint64_t first = 0; first <= 4; first++)
            for (uint64_t count = 0; count <= 4 - first; count++) {
                unsigned char bytes[25];

                memset(bytes, 0xee, sizeof bytes);
                assert_int_equal(tensor_file_read_rows(file, tensor_file_at(file, 0), first, count,
                                                       bytes, count * 6, NULL),
                                 POSEMB_OK);
                for (size_t i = 0; i < count * 6; i++)
                    assert_int_equal(bytes[i], first * 6 + i);
                assert_int_equal(bytes[count * 6], 0xee);
            }
        tensor_file_close(file);
    }
}

static void test_reads_rows_of_blocks(void **state)
{
    tensor_file *file = open_list("t Q4_K 4,2,256\nv Q8_0 96\n", FORMAT_GGUF);
    unsigned char bytes[2 * 288];
    posemb_error error;

    (void)state;
    assert_int_equal(tensor_file_at(file, 0)->storage, POSEMB_Q4_K);
    assert_int_equal(
        tensor_file_read_rows(file, tensor_file_at(file, 0), 1, 2, bytes, sizeof bytes, NULL),
        POSEMB_OK);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], (288 + i) & 255);
    /* Elements of a vector lie within blocks. */
    assert_int_equal(
        tensor_file_read_rows(file, tensor_file_at(file, 1), 32, 32, bytes, sizeof bytes, &error),
        INVALID);
    assert_said(&error, "tensor \"v\": rows: they do not begin at a byte");
    tensor_file_close(file);
}

static void test_refuses_rows_that_are_not_there(void **state)
{
    static const struct {
        uint64_t first;
        uint64_t count;
    } ranges[] = {{0, 3}, {1, 2}, {2, 1}, {3, 0}, {UINT64_MAX, 1}, {1, UINT64_MAX}};

    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("ab F32 2,3\n", format);
        const file_tensor *tensor = tensor_file_at(file, 0);
        unsigned char bytes[64];
        posemb_error error;

        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
            assert_int_equal(tensor_file_read_rows(file, tensor, ranges[i].first, ranges[i].count,
                                                   bytes, sizeof bytes, &error),
                             INVALID);
            assert_said(&error, "tensor \"ab\": rows: ");
            assert_said(&error, " on, of 2");
        }
        assert_int_equal(tensor_file_read_rows(file, tensor, 1, 1, bytes, 11, &error),
                         POSEMB_BUFFER_TOO_SMALL);
        tensor_file_close(file);
    }
}

static void test_refuses_rows_within_a_byte(void **state)
{
    static const char header[] =
        "{\"t\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[0,3]}}";
    unsigned char whole[8 + sizeof header + 2] = {sizeof header - 1};
    unsigned char bytes[3];
    char path[TEMP_PATH_SIZE];
    tensor_file *file = NULL;
    posemb_error error;

    (void)state;
    memcpy(whole + 8, header, sizeof header - 1);
    temp_file_write(&test_folder, "in.safetensors", whole, sizeof whole, path);
    assert_int_equal(tensor_file_open(path, &file, NULL), POSEMB_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tensor_file_read_rows(file, tensor_file_at(file, 0), 0, 1, bytes, 3, &error),
                     INVALID);
    assert_said(&error, "rows: they do not begin at a byte");
    tensor_file_close(file);
}

static void test_a_scalar_has_no_rows(void **state)
{
    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("s F32 -\n", format);
        const file_tensor *tensor = tensor_file_at(file, 0);
        unsigned char bytes[4];

        assert_int_equal(tensor->rank, 0);
        assert_int_equal(tensor_file_read_rows(file, tensor, 0, 0, bytes, 4, NULL), POSEMB_OK);
        assert_int_equal(tensor_file_read_rows(file, tensor, 0, 1, bytes, 4, NULL), INVALID);
        tensor_file_close(file);
    }
}

static void test_reads_a_range_of_bytes(void **state)
{
    (void)state;
    for (file_format format = FORMAT_SAFETENSORS; format < FORMAT_COUNT; format++) {
        tensor_file *file = open_list("w F32 2,3\n", format);
        const file_tensor *tensor = tensor_file_at(file, 0);
        unsigned char bytes[24];
        posemb_error error;

        assert_int_equal(tensor_file_read_bytes(file, tensor, 5, 7, bytes, NULL), POSEMB_OK);
        for (unsigned i = 0; i < 7; i++)
            assert_int_equal(bytes[i], 5 + i);
        assert_int_equal(tensor_file_read_bytes(file, tensor, 24, 0, bytes, NULL), POSEMB_OK);
        assert_int_equal(tensor_file_read_bytes(file, tensor, 18, 7, bytes, &error), INVALID);
        assert_said(&error, "\"w\": bytes: 7 from 18 on, of 24");
        assert_int_equal(tensor_file_read_bytes(file, tensor, UINT64_MAX, 2, bytes, NULL), INVALID);
        tensor_file_close(file);
    }
}

static void test_paths_may_name_a_tensor(void **state)
{
    (void)state;
    assert_int_equal(tensor_path_length("a/b.safetensors"), 15);
    assert_int_equal(tensor_path_length("a/b.safetensors:w:x"), 15);
    assert_int_equal(tensor_path_length("b.gguf:w.gguf"), 6);
    assert_int_equal(tensor_path_length("b.gguf2:w.gguf"), 14);
    assert_int_equal(tensor_path_length("b.npy:w"), 0);
    assert_int_equal(tensor_path_length(""), 0);
}

/* ---- What is no file of tensors */

static void test_refuses_other_files(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } files[] = {{"", 0}, {"GGU", 3}, {"GGUF", 4}, {"GGUF\3\0\0\0", 8}, {"\x93NUMPY\1\0", 8}};
    char path[TEMP_PATH_SIZE];
    tensor_file *file = NULL;
    posemb_error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        temp_file_write(&test_folder, "in", files[i].bytes, files[i].size, path);
        assert_int_equal(tensor_file_open(path, &file, &error), INVALID);
        assert_said(&error, "/in: ");
        assert_null(file);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(tensor_file_open(path, &file, &error), INVALID);
    assert_said(&error, "/in: cannot be opened");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_tensors),
        cmocka_unit_test(test_finds_by_name),
        cmocka_unit_test(test_finds_the_only_matrix),
        cmocka_unit_test(test_bounds_the_list_of_matrices),
        cmocka_unit_test(test_knows_storages),
        cmocka_unit_test(test_requires_a_storage),
        cmocka_unit_test(test_reads_whole_tensors),
        cmocka_unit_test(test_reads_a_range_of_rows),
        cmocka_unit_test(test_reads_rows_of_blocks),
        cmocka_unit_test(test_refuses_rows_that_are_not_there),
        cmocka_unit_test(test_refuses_rows_within_a_byte),
        cmocka_unit_test(test_a_scalar_has_no_rows),
        cmocka_unit_test(test_reads_a_range_of_bytes),
        cmocka_unit_test(test_paths_may_name_a_tensor),
        cmocka_unit_test(test_refuses_other_files),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
