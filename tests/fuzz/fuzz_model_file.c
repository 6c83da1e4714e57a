/* Two bytes of size, a config of that size, then a safetensors or GGUF file; 0xffff: there is no
 * config. A prefix is the first byte of the config, where that is none of JSON: 'e' and 'd' for an
 * encoder's and a decoder's. */
#include "fuzz.h"
#include "model_desc.h"

#include <stdlib.h>
#include <string.h>

#define NO_CONFIG 0xffffu

static void read_part(const model_file *file, model_part part, size_t size)
{
    const model_tensor *tensor = model_file_part(file, part);
    unsigned char *rows = malloc((size_t)tensor->bytes + 1);
    float *scales = malloc((size_t)tensor->scales * sizeof *scales + 1);

    fuzz_expect(rows && scales, "there is memory");
    fuzz_expect(tensor->bytes > 0 && tensor->bytes <= size, "its bytes are in the file");
    fuzz_expect(tensor->dim == model_file_part(file, MODEL_WORDS)->dim, "it has the D of all");
    fuzz_expect(posemb_storage_row_bytes(tensor->storage, tensor->dim) * tensor->rows ==
                    tensor->bytes,
                "its rows have a storage");
    fuzz_expect((tensor->scales > 0) == (tensor->storage == POSEMB_I8), "bytes have scales");
    fuzz_expect(model_file_read_rows(file, part, 0, tensor->rows, rows, (size_t)tensor->bytes,
                                     NULL) == POSEMB_OK,
                "its rows can be read");
    fuzz_expect(model_file_read_rows(file, part, tensor->rows, 1, rows, (size_t)tensor->bytes,
                                     NULL) == POSEMB_INVALID_ARGUMENT,
                "it has no more rows");
    fuzz_expect(tensor->scales == 0 || model_file_read_scales(file, part, 0, tensor->scales, scales,
                                                              NULL) == POSEMB_OK,
                "its scales can be read");
    free(scales);
    free(rows);
}

/* What is made of an accepted file, under its own name and another, can be planned. */
static void describe(const model_file *file, const char *wanted)
{
    const model_advice advice = {
        .file = "in", .model = "name a model", .positions = "name another model"};
    posemb_error error = {.message = ""};
    posemb_desc resolved;
    model_stage stage;

    if (!fuzz_accepted(model_desc_make(file, wanted, false, &advice, &stage, &error), &error))
        return;
    fuzz_expect(stage.model != NULL, "its model is known");
    fuzz_expect(posemb_desc_resolve(&stage.desc, &resolved, &error) == POSEMB_OK, error.message);
}

/* The config, if any, beside the other file. Returns the prefix that it asks for. */
static const char *write_config(const uint8_t *bytes, size_t size)
{
    char path[FUZZ_PATH_SIZE];

    if (size == NO_CONFIG) {
        fuzz_remove("in.config.json");
        return NULL;
    }
    fuzz_write("in.config.json", bytes, size, path);
    if (size == 0 || (bytes[0] != 'e' && bytes[0] != 'd'))
        return NULL;
    fuzz_remove("in.config.json");
    return bytes[0] == 'e' ? "model.encoder." : "decoder";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const size_t given = size < 2 ? 0 : bytes[0] + 256u * bytes[1];
    const size_t used = size < 2 ? size : 2 + (given == NO_CONFIG ? 0 : given);
    char path[FUZZ_PATH_SIZE];
    model_file *file = NULL;
    posemb_error error = {.message = ""};
    const char *prefix;

    if (size < 2 || used > size)
        return 0;
    fuzz_write("in.safetensors", bytes + used, size - used, path);
    prefix = write_config(bytes + 2, given);
    if (!fuzz_accepted(model_file_open(path, prefix, &file, &error), &error)) {
        fuzz_expect(file == NULL, "a failure gives no file");
        return 0;
    }
    fuzz_expect(model_file_part(file, MODEL_WORDS)->name != NULL, "there are words");
    for (unsigned part = 0; part < MODEL_PART_COUNT; part++)
        if (model_file_part(file, (model_part)part)->name)
            read_part(file, (model_part)part, size);
    describe(file, NULL);
    describe(file, "none");
    describe(file, "opt");
    model_file_close(file);
    return 0;
}
