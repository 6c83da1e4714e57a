/* Small files of tensors, in both formats, from one list. Needs no cmocka: make_inputs has it too.
 */
#ifndef POSEMB_TEST_TENSORS_H
#define POSEMB_TEST_TENSORS_H

#include <stddef.h>
#include <stdint.h>

enum { TEST_TENSORS_MAX = 16, TEST_RANK_MAX = 4 };

struct test_tensor {
    char name[256];
    char type[16]; /* as both formats call it: "F32", "Q4_K" */
    uint32_t rank;
    uint64_t shape[TEST_RANK_MAX];
    const void *data; /* NULL: byte i of the file's data is i, modulo 256 */
};

struct test_tensors {
    size_t count;
    struct test_tensor items[TEST_TENSORS_MAX];
};

/* A line "NAME TYPE SHAPE" for each, such as "w F32 2,3"; the shape "-" is that of a scalar. */
void test_tensors_parse(const char *list, struct test_tensors *tensors);

/* Bytes of a tensor. */
size_t test_tensor_bytes(const struct test_tensor *tensor);

/* Both return the size of the file; the process ends where it has no room. `keys` of a GGUF file:
 * a line "KEY TYPE VALUE" for each, the types u32, i32, f32, f64, bool and str. */
size_t test_tensors_to_safetensors(const struct test_tensors *tensors, unsigned char *file,
                                   size_t capacity);
size_t test_tensors_to_gguf(const char *keys, const struct test_tensors *tensors,
                            unsigned char *file, size_t capacity);

#endif
