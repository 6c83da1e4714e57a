/* The readers of files when memory runs out: each of their allocations fails once, by wrappers that
 * the linker puts before malloc and its kin (-Wl,--wrap=malloc ...), and by jansson's own hook. */
#include "config.h"
#include "gguf.h"
#include "model_file.h"
#include "npy.h"
#include "support/temp_file.h"
#include "support/tensors.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <jansson.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static long left = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static char path[TEMP_PATH_SIZE];

static posemb_status open_model(posemb_error *error)
{
    model_file *file = NULL;
    const posemb_status status = model_file_open(path, NULL, &file, error);

    assert_int_equal(file == NULL, status != POSEMB_OK);
    model_file_close(file);
    return status;
}

static posemb_status open_gguf(posemb_error *error)
{
    gguf_file *file = NULL;
    const posemb_status status = gguf_open(path, &file, error);

    assert_int_equal(file == NULL, status != POSEMB_OK);
    gguf_close(file);
    return status;
}

static posemb_status read_config(posemb_error *error)
{
    model_config read;

    return config_read(path, &read, error);
}

static posemb_status read_array(posemb_error *error)
{
    npy_array array;
    const posemb_status status = npy_read(path, &array, error);

    assert_int_equal(array.data == NULL, status != POSEMB_OK);
    npy_free(&array);
    return status;
}

static posemb_status write_array(posemb_error *error)
{
    static const uint64_t shape[] = {2};
    static const float data[2];

    return npy_write(path, NPY_F4, 1, shape, data, error);
}

/* The call fails for want of memory until no allocation of it fails. jansson takes a key for which
 * there is no memory for one that is no string: what it reads may fail in that way too. */
static void check_all(posemb_status (*call)(posemb_error *error), bool has_json, long least)
{
    posemb_status status = POSEMB_OUT_OF_MEMORY;
    long count = 0;

    for (; status != POSEMB_OK; count++) {
        posemb_error error = {.message = ""};

        left = count;
        status = call(&error);
        left = -1;
        if (has_json && status == POSEMB_INVALID_ARGUMENT && error.message[0])
            continue;
        if (status != POSEMB_OK && (status != POSEMB_OUT_OF_MEMORY || !error.message[0]))
            fail_msg("allocation %ld: status %d, \"%s\"", count, (int)status, error.message);
    }
    assert_in_range(count, least, 1000);
}

static void test_a_model_without_memory(void **state)
{
    static const char text[] =
        "{\"m.wte.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}}    ";
    unsigned char bytes[8 + sizeof text] = {sizeof text - 1 - 4};

    (void)state;
    memcpy(bytes + 8, text, sizeof text - 1);
    temp_file_write(&test_folder, "config.json", "{\"n_embd\":1}", 12, path);
    temp_file_write(&test_folder, "model.safetensors", bytes, 8 + sizeof text - 1, path);
    check_all(open_model, true, 20);
}

static void test_a_gguf_model_without_memory(void **state)
{
    static unsigned char bytes[4096];
    static struct test_tensors tensors;

    (void)state;
    test_tensors_parse("token_embd.weight F32 2,4\nposition_embd.weight F32 2,4\n", &tensors);
    temp_file_write(
        &test_folder, "model.gguf", bytes,
        test_tensors_to_gguf("general.architecture str gpt2\n", &tensors, bytes, sizeof bytes),
        path);
    check_all(open_model, false, 10);
}

/* One key, "k" for the string "v", and one tensor of rank 0, "t". */
static void test_a_gguf_file_without_memory(void **state)
{
    static const char head[] = "GGUF\3\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                               "\1\0\0\0\0\0\0\0k\10\0\0\0\1\0\0\0\0\0\0\0v"
                               "\1\0\0\0\0\0\0\0t";
    unsigned char bytes[96 + 4] = {0}; /* the data begin at 96 */

    (void)state;
    memcpy(bytes, head, sizeof head - 1);
    temp_file_write(&test_folder, "in.gguf", bytes, sizeof bytes, path);
    check_all(open_gguf, false, 9);
}

static void test_a_config_without_memory(void **state)
{
    (void)state;
    temp_file_write(&test_folder, "config.json", "{\"n_embd\":1,\"model_type\":\"gpt2\"}", 32,
                    path);
    check_all(read_config, true, 8);
}

static void test_arrays_without_memory(void **state)
{
    (void)state;
    temp_file_path(&test_folder, "array.npy", path);
    check_all(write_array, false, 2);
    check_all(read_array, false, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_model_without_memory),
        cmocka_unit_test(test_a_gguf_model_without_memory),
        cmocka_unit_test(test_a_gguf_file_without_memory),
        cmocka_unit_test(test_a_config_without_memory),
        cmocka_unit_test(test_arrays_without_memory),
    };

    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
