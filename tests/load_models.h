/* Files of BERT's stage for tests of posemb_load, and what it gives when it is run from host
 * memory.
 */
#ifndef POSEMB_TESTS_LOAD_MODELS_H
#define POSEMB_TESTS_LOAD_MODELS_H

#include "support/temp_file.h"
#include "support/tensors.h"

#include <posemb/posemb.h>

#include <stdbool.h>

enum { LOAD_BATCH = 2, LOAD_LENGTH = 3, LOAD_TOKENS = LOAD_BATCH * LOAD_LENGTH };

/* The rows of each table, and the type of each part as files call it. */
struct load_model_kind {
    const char *words;
    const char *positions;
    const char *types;
    const char *norm;
    unsigned dim;
    unsigned vocab;
    unsigned position_rows;
    bool is_gguf;
    bool one_scale; /* of I8 tables */
};

/* A file, and its tensors in host memory. */
struct load_model {
    struct load_model_kind kind;
    char path[TEMP_PATH_SIZE];
    size_t size;    /* of the file */
    size_t data_at; /* where its tensors begin */
    struct test_tensors tensors;
    posemb_desc desc; /* of the stage, with types of row 0 */
    posemb_host_args args;
    int32_t ids[LOAD_TOKENS];
};

/* Make the file, its config and random tensors. */
void load_model_make(const struct load_model_kind *kind, struct load_model *model);
void load_model_release(struct load_model *model);

/* A tensor of the file; NULL: there is none of that name. */
const struct test_tensor *load_model_tensor(const struct load_model *model, const char *name);

#endif
