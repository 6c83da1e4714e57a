/* Any bytes as a config.json. */
#include "config.h"
#include "fuzz.h"

#include <string.h>

static void check(const model_config *read)
{
    fuzz_expect(read->hidden_size <= POSEMB_DIM_MAX && read->embedding_size <= POSEMB_DIM_MAX,
                "sizes of rows are in range");
    fuzz_expect(read->vocab_size <= UINT32_MAX && read->max_position_embeddings <= UINT32_MAX &&
                    read->type_vocab_size <= UINT32_MAX,
                "numbers of rows are in range");
    fuzz_expect(read->pad_token_id >= -1 && read->pad_token_id <= (int64_t)UINT32_MAX,
                "the pad's id is in range");
    fuzz_expect(read->layer_norm_eps >= 0.0 && read->layer_norm_eps <= 1.0 &&
                    read->rms_norm_eps >= 0.0 && read->rms_norm_eps <= 1.0,
                "epsilons are in range");
    fuzz_expect(memchr(read->model_type, '\0', CONFIG_TEXT_SIZE) != NULL &&
                    memchr(read->position_embedding_type, '\0', CONFIG_TEXT_SIZE) != NULL,
                "texts have an end");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[FUZZ_PATH_SIZE];
    model_config read;
    posemb_error error = {.message = ""};
    const char *name;

    fuzz_write("in.json", bytes, size, path);
    fuzz_accepted(config_read(path, &read, &error), &error);
    check(&read);
    name = config_model_name(&read);
    fuzz_expect(!name || posemb_model_find(name) != NULL, "a model's name is one of the library's");
    return 0;
}
