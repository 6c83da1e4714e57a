/* Any bytes as a .npy file; an array that is read is written again, and read back. */
#include "fuzz.h"
#include "npy.h"

#include <string.h>

static void write_and_read(const npy_array *array)
{
    const size_t bytes = (size_t)array->count * npy_type_size(array->type);
    char path[FUZZ_PATH_SIZE];
    npy_array again;

    fuzz_write("out.npy", "", 0, path);
    fuzz_expect(npy_write(path, array->type, array->rank, array->shape, array->data, NULL) ==
                    POSEMB_OK,
                "what was read can be written");
    fuzz_expect(npy_read(path, &again, NULL) == POSEMB_OK, "what was written can be read");
    fuzz_expect(again.type == array->type && again.rank == array->rank &&
                    again.count == array->count &&
                    memcmp(again.shape, array->shape, sizeof again.shape) == 0 &&
                    memcmp(again.data, array->data, bytes) == 0,
                "what was written is what was read");
    npy_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[FUZZ_PATH_SIZE];
    npy_array array;
    posemb_error error = {.message = ""};

    fuzz_write("in.npy", bytes, size, path);
    if (fuzz_accepted(npy_read(path, &array, &error), &error)) {
        fuzz_expect(array.count * npy_type_size(array.type) < size, "the data are in the file");
        write_and_read(&array);
    }
    npy_free(&array);
    return 0;
}
