/* What the metadata of a GGUF file say about the embedding stage of its model, by llama.cpp's keys.
 */
#ifndef POSEMB_GGUF_CONFIG_H
#define POSEMB_GGUF_CONFIG_H

#include "config.h"
#include "tensor_file.h"

/**
 * Read general.architecture, and the keys of that architecture and of the tokenizer.
 *
 * @param file  One that has a tensor_file_gguf().
 * @param read  Receives what they say; all zeros on failure.
 * @return POSEMB_OK; POSEMB_INVALID_ARGUMENT where a value is of another type or out of range: the
 *         message names key and value.
 */
posemb_status gguf_config_read(const tensor_file *file, model_config *read, posemb_error *error);

/** As config_model_name(), of a config that has an architecture. */
const char *gguf_config_model_name(const model_config *read);

#endif
