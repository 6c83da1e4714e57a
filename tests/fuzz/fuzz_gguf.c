/* Any bytes as a GGUF file; every tensor is read, and every key is looked up. */
#include "fuzz.h"
#include "fuzz_tensors.h"
#include "gguf.h"

#include <stdlib.h>

static void read_tensor(const gguf_file *file, const gguf_tensor *tensor, size_t size)
{
    unsigned char *whole = malloc((size_t)tensor->bytes + 1);

    fuzz_expect(whole != NULL, "there is memory");
    fuzz_expect(tensor->name && tensor->type_name && tensor->rank <= GGUF_RANK_MAX,
                "it has a name, a type and a rank");
    fuzz_expect(tensor->bytes <= size && tensor->offset <= size - tensor->bytes,
                "its bytes are in the file");
    fuzz_expect(gguf_read(file, tensor, whole, (size_t)tensor->bytes, NULL) == POSEMB_OK,
                "it can be read");
    free(whole);
}

static void get_value(const gguf_file *file, const gguf_value *value)
{
    posemb_error error = {.message = ""};
    const char *text;
    gguf_type element;
    uint64_t count;
    double number;
    size_t size;
    bool truth;
    bool has;
    int accepted = 0;

    fuzz_expect(gguf_value_find(file, value->key) == value, "it is found by its key");
    accepted += fuzz_accepted(gguf_get_u64(file, value->key, &has, &count, &error), &error);
    fuzz_expect(has, "the file has the key");
    accepted += fuzz_accepted(gguf_get_f64(file, value->key, &has, &number, &error), &error);
    accepted += fuzz_accepted(gguf_get_bool(file, value->key, &has, &truth, &error), &error);
    accepted += fuzz_accepted(
        gguf_get_array_count(file, value->key, &has, &element, &count, &error), &error);
    if (fuzz_accepted(gguf_get_string(file, value->key, &text, &size, &error), &error)) {
        accepted++;
        fuzz_expect(text[size] == '\0', "a NUL follows the string");
    }
    fuzz_expect(accepted == (value->signed_value >= 0), "it is of one type, or negative");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[FUZZ_PATH_SIZE];
    gguf_file *file = NULL;
    posemb_error error = {.message = ""};

    fuzz_write("in.gguf", bytes, size, path);
    if (!fuzz_accepted(gguf_open(path, &file, &error), &error)) {
        fuzz_expect(file == NULL, "a failure gives no file");
        return 0;
    }
    for (size_t i = 0; i < gguf_value_count(file); i++)
        get_value(file, gguf_value_at(file, i));
    for (size_t i = 0; i < gguf_count(file); i++)
        read_tensor(file, gguf_at(file, i), size);
    fuzz_read_as_tensors(path, gguf_count(file));
    gguf_close(file);
    return 0;
}
