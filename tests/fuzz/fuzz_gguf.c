/* Any bytes as a GGUF file; every tensor is read, whole and by rows, and every key is looked up. */
#include "fuzz.h"
#include "gguf.h"

#include <stdlib.h>
#include <string.h>

static void read_last_row(const gguf_file *file, const gguf_tensor *tensor,
                          const unsigned char *whole, unsigned char *row)
{
    const size_t part = (size_t)(tensor->bytes / tensor->shape[0]);
    posemb_error error = {.message = ""};
    const posemb_status status =
        gguf_read_rows(file, tensor, tensor->shape[0] - 1, 1, row, (size_t)tensor->bytes, &error);

    if (fuzz_accepted(status, &error))
        fuzz_expect(memcmp(row, whole + tensor->bytes - part, part) == 0,
                    "the last row is the end of the tensor");
    else
        fuzz_expect(tensor->rank == 1, "only vectors of blocks have rows that cannot be read");
}

static void read_tensor(const gguf_file *file, const gguf_tensor *tensor, size_t size)
{
    unsigned char *whole = malloc((size_t)tensor->bytes + 1);
    unsigned char *row = malloc((size_t)tensor->bytes + 1);

    fuzz_expect(whole && row, "there is memory");
    fuzz_expect(tensor->name && tensor->type_name && tensor->rank <= GGUF_RANK_MAX,
                "it has a name, a type and a rank");
    fuzz_expect(tensor->bytes <= size && tensor->offset <= size - tensor->bytes,
                "its bytes are in the file");
    fuzz_expect(gguf_read(file, tensor, whole, (size_t)tensor->bytes, NULL) == POSEMB_OK,
                "it can be read");
    if (tensor->rank > 0 && tensor->shape[0] > 0)
        read_last_row(file, tensor, whole, row);
    free(row);
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
    const gguf_tensor *found = NULL;
    posemb_storage storage = POSEMB_STORAGE_DEFAULT;
    posemb_error error = {.message = ""};

    fuzz_write("in.gguf", bytes, size, path);
    if (!fuzz_accepted(gguf_open(path, &file, &error), &error)) {
        fuzz_expect(file == NULL, "a failure gives no file");
        return 0;
    }
    for (size_t i = 0; i < gguf_value_count(file); i++)
        get_value(file, gguf_value_at(file, i));
    for (size_t i = 0; i < gguf_count(file); i++) {
        const gguf_tensor *tensor = gguf_at(file, i);

        read_tensor(file, tensor, size);
        fuzz_expect(gguf_find(file, tensor->name, &found, NULL) == POSEMB_OK && found == tensor,
                    "it is found by its name");
        fuzz_accepted(gguf_require_storage(file, tensor, &storage, &error), &error);
    }
    gguf_close(file);
    return 0;
}
