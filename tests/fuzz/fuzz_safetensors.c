/* Any bytes as a safetensors file; every tensor is read, whole and, as a file of tensors, by rows.
 */
#include "fuzz.h"
#include "fuzz_tensors.h"
#include "safetensors.h"

#include <stdlib.h>

static void read_whole(const safetensors_file *file, const safetensors_tensor *tensor, size_t size)
{
    unsigned char *whole = malloc((size_t)tensor->bytes + 1);

    fuzz_expect(whole != NULL, "there is memory");
    fuzz_expect(tensor->name != NULL && tensor->rank <= SAFETENSORS_RANK_MAX, "it has a name");
    fuzz_expect(tensor->bytes <= size && tensor->offset <= size - tensor->bytes,
                "its bytes are in the file");
    fuzz_expect(safetensors_read(file, tensor, whole, (size_t)tensor->bytes, NULL) == POSEMB_OK,
                "it can be read");
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[FUZZ_PATH_SIZE];
    safetensors_file *file = NULL;
    posemb_error error = {.message = ""};

    fuzz_write("in.safetensors", bytes, size, path);
    if (!fuzz_accepted(safetensors_open(path, &file, &error), &error)) {
        fuzz_expect(file == NULL, "a failure gives no file");
        return 0;
    }
    for (size_t i = 0; i < safetensors_count(file); i++)
        read_whole(file, safetensors_at(file, i), size);
    fuzz_read_as_tensors(path, safetensors_count(file));
    safetensors_close(file);
    return 0;
}
