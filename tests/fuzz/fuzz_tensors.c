#include "fuzz_tensors.h"

#include "fuzz.h"
#include "tensor_file.h"

#include <stdlib.h>
#include <string.h>

static void read_rows(const tensor_file *file, const file_tensor *tensor)
{
    unsigned char *whole = malloc((size_t)tensor->bytes + 1);
    unsigned char *row = malloc((size_t)tensor->bytes + 1);
    posemb_error error = {.message = ""};

    fuzz_expect(whole && row, "there is memory");
    fuzz_expect(tensor_file_read(file, tensor, whole, (size_t)tensor->bytes, NULL) == POSEMB_OK,
                "it can be read");
    if (tensor->rank > 0 && tensor->shape[0] > 0 &&
        fuzz_accepted(tensor_file_read_rows(file, tensor, tensor->shape[0] - 1, 1, row,
                                            (size_t)tensor->bytes, &error),
                      &error)) {
        const size_t part = (size_t)(tensor->bytes / tensor->shape[0]);

        fuzz_expect(memcmp(row, whole + tensor->bytes - part, part) == 0,
                    "the last row is the end of the tensor");
    }
    free(row);
    free(whole);
}

void fuzz_read_as_tensors(const char *path, size_t count)
{
    tensor_file *file = NULL;
    const file_tensor *found = NULL;
    posemb_error error = {.message = ""};

    if (!fuzz_accepted(tensor_file_open(path, &file, &error), &error))
        fuzz_expect(0, "what opens as its format opens");
    fuzz_expect(tensor_file_count(file) == count, "all tensors are there");
    for (size_t i = 0; i < count; i++) {
        const file_tensor *tensor = tensor_file_at(file, i);

        read_rows(file, tensor);
        fuzz_expect(tensor_file_find(file, tensor->name, &found, NULL) == POSEMB_OK &&
                        found == tensor,
                    "it is found by its name");
        fuzz_accepted(tensor_file_require_storage(file, tensor, &error), &error);
    }
    fuzz_accepted(tensor_file_find_matrix(file, &found, &error), &error);
    tensor_file_close(file);
}
