/* make_inputs FOLDER: writes the input files of test_command.sh.
 * make_inputs --json FILE, make_inputs --json-lines FILE: exit status 0 where FILE is one JSON
 * value, or one on each line. */
#include "npy.h"
#include "storage.h"
#include "support/tensors.h"

#include <jansson.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 10, DIM = 16, ODD_DIM = 7, POSITIONS = 8, TYPES = 3, PATH_SIZE = 4096 };
enum { WIDE = 256, SINUSOIDS = 64, WIDE_SINUSOIDS = 32 };

/* A path in the folder; the next call overwrites it. */
static const char *path_in(const char *folder, const char *name)
{
    static char path[PATH_SIZE];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);

    if (length < 0 || length >= PATH_SIZE) {
        fprintf(stderr, "make_inputs: the folder's name is too long\n");
        exit(EXIT_FAILURE);
    }
    return path;
}

static void write_array(const char *folder, const char *name, npy_type type, uint32_t rank,
                        const uint64_t *shape, const void *data)
{
    posemb_error error;

    if (npy_write(path_in(folder, name), type, rank, shape, data, &error) != POSEMB_OK) {
        fprintf(stderr, "make_inputs: %s\n", error.message);
        exit(EXIT_FAILURE);
    }
}

/* The same integers as int32 or int64, of shape [rows, columns], or [columns] where rows is 0. */
static void write_ints(const char *folder, const char *name, npy_type type, uint64_t rows,
                       uint64_t columns, const int64_t *values)
{
    const uint64_t shape[] = {rows, columns};
    const size_t count = (size_t)(rows ? rows * columns : columns);
    int32_t narrow[8];

    for (size_t i = 0; i < count && type == NPY_I4; i++)
        narrow[i] = (int32_t)values[i];
    write_array(folder, name, type, rows ? 2 : 1, rows ? shape : shape + 1,
                type == NPY_I4 ? (const void *)narrow : values);
}

static void write_ids(const char *folder)
{
    static const int64_t ids[] = {3, 0, 9, 1, 3, 8};
    static const int64_t bad[] = {3, 0, 9, 1, 3, 10, 8, -1};
    static const int64_t wide[] = {3, 0, 9, 1, 4294967299, 8}; /* its low 32 bits would be row 3 */
    static const float floats[] = {1.0f, 2.0f};
    static const uint64_t cube[] = {1, 2, 3};
    const uint64_t two = 2;
    const uint64_t no_columns[] = {2, 0};

    write_ints(folder, "ids32.npy", NPY_I4, 0, 6, ids);
    write_ints(folder, "ids64.npy", NPY_I8, 0, 6, ids);
    write_ints(folder, "ids32_2x3.npy", NPY_I4, 2, 3, ids);
    write_ints(folder, "ids64_2x3.npy", NPY_I8, 2, 3, ids);
    write_ints(folder, "ids_bad_2x4.npy", NPY_I4, 2, 4, bad);
    write_ints(folder, "ids_wide_2x3.npy", NPY_I8, 2, 3, wide);
    write_ints(folder, "ids_empty.npy", NPY_I4, 0, 0, ids);
    write_array(folder, "ids_empty_2x0.npy", NPY_I8, 2, no_columns, NULL);
    write_array(folder, "ids_float.npy", NPY_F4, 1, &two, floats);
    write_array(folder, "ids_cube.npy", NPY_I8, 3, cube, ids);
}

static void write_positions(const char *folder)
{
    static const int64_t from_0[] = {0, 1, 2};
    static const int64_t from_5[] = {5, 6, 7, 5, 6, 7};
    static const int64_t mixed[] = {7, -3, 4294967295, 0, -2147483648, 123456789};
    static const int64_t above[] = {0, 4294967296, 1};
    static const int64_t below[] = {0, 1, 2, 3, -2147483649, 5};

    static const int64_t restarting[] = {0, 1, 0, 1, 2, 3};
    static const int64_t sequences[] = {0, 2, 6};
    static const int64_t decreasing[] = {0, 4, 2};
    static const int64_t mask[] = {0, 1, 1, 1, 0, 1}; /* 0 where the ids are 3 */
    static const int64_t left_pads[] = {1, 0}, lengths[] = {2, 3}, left[] = {0, 0, 1, 0, 1, 2};
    static const int64_t too_many[] = {1, 4};
    static const float floats[] = {0.0f, 1.0f, 2.0f}, fractions[] = {0.5f, -1.25f, 1e9f};
    static const float not_positions[] = {0.0f, 1.0f, 4294967296.0f};
    const uint64_t three = 3;

    write_ints(folder, "positions_restarting_6.npy", NPY_I8, 0, 6, restarting);
    write_ints(folder, "cu_seqlens.npy", NPY_I4, 0, 3, sequences);
    write_ints(folder, "cu_seqlens_decreasing.npy", NPY_I8, 0, 3, decreasing);
    write_ints(folder, "mask_2x3.npy", NPY_I8, 2, 3, mask);
    write_ints(folder, "left_pads.npy", NPY_I4, 0, 2, left_pads);
    write_ints(folder, "lengths.npy", NPY_I8, 0, 2, lengths);
    write_ints(folder, "left_pads_too_many.npy", NPY_I8, 0, 2, too_many);
    write_ints(folder, "positions_left_2x3.npy", NPY_I8, 2, 3, left);
    write_array(folder, "positions_float_3.npy", NPY_F4, 1, &three, floats);
    write_array(folder, "positions_fractions_3.npy", NPY_F4, 1, &three, fractions);
    write_array(folder, "positions_beyond_3.npy", NPY_F4, 1, &three, not_positions);
    write_ints(folder, "positions_3.npy", NPY_I4, 0, 3, from_0);
    write_ints(folder, "positions_from5_3.npy", NPY_I8, 0, 3, from_5);
    write_ints(folder, "positions_from5_6.npy", NPY_I4, 0, 6, from_5);
    write_ints(folder, "positions_from5_2x3.npy", NPY_I8, 2, 3, from_5);
    write_ints(folder, "positions_mixed_6.npy", NPY_I8, 0, 6, mixed);
    write_ints(folder, "positions_mixed_2x3.npy", NPY_I8, 2, 3, mixed);
    write_ints(folder, "positions_4.npy", NPY_I4, 0, 4, from_5);
    write_ints(folder, "positions_3x2.npy", NPY_I4, 3, 2, from_5);
    write_ints(folder, "positions_above_3.npy", NPY_I8, 0, 3, above);
    write_ints(folder, "positions_below_2x3.npy", NPY_I8, 2, 3, below);
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(bytes, 1, size, file) == size;

    if (file && fclose(file) != 0)
        written = false;
    if (!written) {
        fprintf(stderr, "make_inputs: %s cannot be written\n", path);
        exit(EXIT_FAILURE);
    }
}

/* `keys`: those of a GGUF file; NULL: a safetensors file. */
static void write_model(const char *folder, const char *name, const char *keys,
                        const struct test_tensor *items, size_t count)
{
    static unsigned char bytes[131072];
    static struct test_tensors tensors;
    size_t size;

    tensors.count = count;
    memcpy(tensors.items, items, count * sizeof *items);
    size = keys ? test_tensors_to_gguf(keys, &tensors, bytes, sizeof bytes)
                : test_tensors_to_safetensors(&tensors, bytes, sizeof bytes);
    write_bytes(path_in(folder, name), bytes, size);
}

static void write_tokens(const char *folder)
{
    static float tokens[2][VOCAB][DIM]; /* the second table has other values */
    const uint64_t shape[] = {VOCAB, DIM};
    const uint64_t odd_shape[] = {VOCAB, ODD_DIM};
    const uint64_t flat = DIM;
    static const float zeros[VOCAB][DIM];
    const struct test_tensor one[] = {{"table", "F32", 2, {VOCAB, DIM}, tokens[0]},
                                      {"bias", "F32", 1, {DIM}, tokens[1]}};
    const struct test_tensor two[] = {{"first.weight", "F32", 2, {VOCAB, DIM}, tokens[0]},
                                      {"second.weight", "F32", 2, {VOCAB, DIM}, tokens[1]}};
    const struct test_tensor half[] = {{"table", "F16", 2, {VOCAB, DIM}, tokens[0]}};

    for (int which = 0; which < 2; which++)
        for (int row = 0; row < VOCAB; row++)
            for (int channel = 0; channel < DIM; channel++)
                tokens[which][row][channel] =
                    (float)(which + 1) * ((float)row - 4.3f) / ((float)channel + 1.7f);
    write_array(folder, "tokens.npy", NPY_F4, 2, shape, tokens[0]);
    write_array(folder, "tokens_second.npy", NPY_F4, 2, shape, tokens[1]);
    write_array(folder, "tokens_odd.npy", NPY_F4, 2, odd_shape, tokens[0]);
    write_array(folder, "tokens_zero.npy", NPY_F4, 2, shape, zeros);
    write_array(folder, "tokens_flat.npy", NPY_F4, 1, &flat, tokens[0]);
    write_array(folder, "tokens_int.npy", NPY_I4, 2, shape, tokens[0]);
    write_model(folder, "one.safetensors", NULL, one, 2);
    write_model(folder, "two.safetensors", NULL, two, 2);
    write_model(folder, "half.safetensors", NULL, half, 1);
}

/* ---- The whole stage: tables of every storage, and models' files that hold the same */

/* Rows of a stage, as floats, as halves of floats of two kinds (by their bits), and as bytes. */
static float words[VOCAB][DIM], positions_table[POSITIONS][DIM], types_table[TYPES][DIM];
static float gamma_row[DIM], beta_row[DIM], prompts[2][DIM], scales[VOCAB];
static uint16_t half_words[VOCAB][DIM], brain_positions[POSITIONS][DIM], half_row[DIM];
static int8_t byte_words[VOCAB][DIM];

static void fill_stage(void)
{
    for (int channel = 0; channel < DIM; channel++) {
        for (int row = 0; row < VOCAB; row++) {
            words[row][channel] = ((float)row - 4.3f) / ((float)channel + 1.7f);
            half_words[row][channel] = (uint16_t)(0x2c00 + 397 * row + 71 * channel);
            byte_words[row][channel] = (int8_t)(17 * row + 31 * channel);
            scales[row] = 0.01f * (float)(row + 1);
        }
        for (int row = 0; row < POSITIONS; row++) {
            positions_table[row][channel] = (float)(row * row - channel) / 9.0f;
            brain_positions[row][channel] = (uint16_t)(0xbe00 + 13 * row + 5 * channel);
        }
        for (int row = 0; row < TYPES; row++)
            types_table[row][channel] = 0.1f * (float)row - 0.03f * (float)channel;
        gamma_row[channel] = 1.0f + 0.05f * (float)channel;
        beta_row[channel] = 0.2f * (float)(channel % 3) - 0.1f;
        half_row[channel] = (uint16_t)(0x3a00 + 19 * channel);
        prompts[0][channel] = (float)channel;
        prompts[1][channel] = -0.5f * (float)channel;
    }
}

static void write_stage_arrays(const char *folder)
{
    static const uint64_t vocab[] = {VOCAB, DIM};
    static const uint64_t positions[] = {POSITIONS, DIM};
    static const uint64_t types[] = {TYPES, DIM};
    static const uint64_t two[] = {2, DIM};
    static const uint64_t one[] = {1, 0};
    static const uint64_t row[] = {DIM};
    static const uint64_t odd[] = {ODD_DIM};
    static const uint64_t mask_shape[] = {2, 3};
    static const unsigned char mask[] = {0, 1, 1, 1, 0, 1};
    static const int64_t ids[] = {3, 10, 11, 1, 0, 10};
    static const int64_t type_ids[] = {0, 1, 2, 2, 1, 0};
    static const int64_t bad_types[] = {0, 1, 2, 2, 3, -1};
    static const int64_t row_types[] = {2, 1};
    static const int64_t long_ids[] = {3, 0, 9, 1, 3, 8, 7, 6};

    write_array(folder, "words_half.npy", NPY_F2, 2, vocab, half_words);
    write_array(folder, "words_byte.npy", NPY_I1, 2, vocab, byte_words);
    write_array(folder, "scales.npy", NPY_F4, 1, vocab, scales);
    write_array(folder, "scale.npy", NPY_F4, 1, one, scales);
    write_array(folder, "scales_half.npy", NPY_F2, 1, vocab, half_words);
    write_array(folder, "positions_table.npy", NPY_F4, 2, positions, positions_table);
    write_array(folder, "positions_brain.npy", NPY_BF16, 2, positions, brain_positions);
    write_array(folder, "types_table.npy", NPY_F4, 2, types, types_table);
    write_array(folder, "gamma.npy", NPY_F4, 1, row, gamma_row);
    write_array(folder, "beta.npy", NPY_F4, 1, row, beta_row);
    write_array(folder, "row_half.npy", NPY_F2, 1, row, half_row);
    write_array(folder, "row_byte.npy", NPY_I1, 1, row, byte_words);
    write_array(folder, "row_odd.npy", NPY_F4, 1, odd, gamma_row);
    write_array(folder, "prompts.npy", NPY_F4, 2, two, prompts);
    write_array(folder, "mask_bool_2x3.npy", NPY_B1, 2, mask_shape, mask);
    write_array(folder, "mask_byte_2x3.npy", NPY_U1, 2, mask_shape, mask);
    write_ints(folder, "ids_prompts_2x3.npy", NPY_I4, 2, 3, ids);
    write_ints(folder, "types_2x3.npy", NPY_I4, 2, 3, type_ids);
    write_ints(folder, "types64_2x3.npy", NPY_I8, 2, 3, type_ids);
    write_ints(folder, "types_bad_2x3.npy", NPY_I4, 2, 3, bad_types);
    write_ints(folder, "types_2.npy", NPY_I8, 0, 2, row_types);
    write_ints(folder, "types_of_row_1_2x3.npy", NPY_I8, 2, 3, (int64_t[]){2, 2, 2, 1, 1, 1});
    write_ints(folder, "ids_clamped_2x4.npy", NPY_I4, 2, 4, (int64_t[]){3, 0, 9, 1, 3, 9, 8, 0});
    write_ints(folder, "ids_wrapped_2x4.npy", NPY_I4, 2, 4, (int64_t[]){3, 0, 9, 1, 3, 0, 8, 9});
    write_ints(folder, "ids32_8.npy", NPY_I4, 0, 8, long_ids);
}

static void write_models(const char *folder)
{
    const struct test_tensor bert[] = {
        {"bert.embeddings.word_embeddings.weight", "F32", 2, {VOCAB, DIM}, words},
        {"bert.embeddings.position_embeddings.weight", "F32", 2, {POSITIONS, DIM}, positions_table},
        {"bert.embeddings.token_type_embeddings.weight", "F32", 2, {TYPES, DIM}, types_table},
        {"bert.embeddings.LayerNorm.weight", "F32", 1, {DIM}, gamma_row},
        {"bert.embeddings.LayerNorm.bias", "F32", 1, {DIM}, beta_row},
    };
    const struct test_tensor mixed[] = {
        {"wte.weight", "I8", 2, {VOCAB, DIM}, byte_words},
        {"wte.weight_scale", "F32", 1, {VOCAB}, scales},
        {"wpe.weight", "BF16", 2, {POSITIONS, DIM}, brain_positions},
    };
    const struct test_tensor half[] = {
        {"embeddings.tok_embeddings.weight", "F16", 2, {VOCAB, DIM}, half_words},
        {"embeddings.norm.weight", "F16", 1, {DIM}, half_row},
    };
    const struct test_tensor shared[] = {
        {"model.shared.weight", "F32", 2, {VOCAB, DIM}, words},
        {"model.encoder.embed_positions.weight", "F32", 2, {POSITIONS, DIM}, positions_table},
        {"model.decoder.embed_positions.weight", "BF16", 2, {POSITIONS, DIM}, brain_positions},
    };

    write_model(folder, "bert.safetensors", NULL, bert, 5);
    write_model(folder, "words.safetensors", NULL, bert, 1);
    write_model(folder, "mixed.safetensors", NULL, mixed, 3);
    write_model(folder, "noscales.safetensors", NULL, mixed, 1);
    write_model(folder, "modern.safetensors", NULL, half, 2);
    write_model(folder, "shared.safetensors", NULL, shared, 3);
}

/* ---- GGUF: models by their keys, and blocks beside the floats that they are */

static unsigned char q8_0[VOCAB][WIDE / 32 * 34], q4_k[VOCAB][WIDE / 256 * 144];
static float wide_row[WIDE];
static uint16_t f16_sinusoids[SINUSOIDS][WIDE_SINUSOIDS];

/* Any bytes but those of a block's factors, which are F16 numbers of a likely size. */
static void fill_blocks(void)
{
    for (int channel = 0; channel < WIDE; channel++)
        wide_row[channel] = 1.0f - 0.003f * (float)channel;
    for (size_t row = 0; row < VOCAB; row++) {
        for (size_t i = 0; i < sizeof q8_0[row]; i++)
            q8_0[row][i] = (unsigned char)(i % 34 == 1 ? 0x1c + row % 3 : 37 * i + 11 * row);
        for (size_t i = 0; i < sizeof q4_k[row]; i++)
            q4_k[row][i] = (unsigned char)(73 * i + 29 * row);
        q4_k[row][1] = 0x14;
        q4_k[row][3] = 0x10;
    }
    for (int row = 0; row < SINUSOIDS; row++)
        for (int channel = 0; channel < WIDE_SINUSOIDS; channel++) {
            const double angle =
                row * pow(10000.0, -(double)(channel / 2 * 2) / (double)WIDE_SINUSOIDS);

            f16_sinusoids[row][channel] =
                posemb__to_f16((float)(channel % 2 ? cos(angle) : sin(angle)));
        }
}

static void write_floats(const char *folder, const char *name, const unsigned char *rows,
                         posemb_storage storage)
{
    static float floats[VOCAB][WIDE];
    static const uint64_t shape[] = {VOCAB, WIDE};
    const size_t row_bytes = (size_t)posemb_storage_row_bytes(storage, WIDE);

    for (uint64_t row = 0; row < VOCAB; row++)
        for (uint64_t channel = 0; channel < WIDE; channel++)
            floats[row][channel] = posemb__load_element(rows + row * row_bytes, channel, storage);
    write_array(folder, name, NPY_F4, 2, shape, floats);
}

static void write_gguf(const char *folder)
{
    static const char keys[] =
        "general.architecture str bert\nbert.embedding_length u32 16\nbert.vocab_size u32 10\n"
        "bert.context_length u32 8\nbert.attention.layer_norm_epsilon f32 1e-12\n"
        "tokenizer.ggml.token_type_count u32 3\ntokenizer.ggml.padding_token_id u32 0\n";
    const struct test_tensor bert[] = {
        {"token_embd.weight", "F32", 2, {VOCAB, DIM}, words},
        {"position_embd.weight", "F32", 2, {POSITIONS, DIM}, positions_table},
        {"token_types.weight", "F32", 2, {TYPES, DIM}, types_table},
        {"token_embd_norm.weight", "F32", 1, {DIM}, gamma_row},
        {"token_embd_norm.bias", "F32", 1, {DIM}, beta_row},
    };
    const struct test_tensor tables[] = {
        {"q8.weight", "Q8_0", 2, {VOCAB, WIDE}, q8_0},
        {"q4.weight", "Q4_K", 2, {VOCAB, WIDE}, q4_k},
        {"q8.row", "Q8_0", 1, {WIDE}, q8_0},
        {"f32.row", "F32", 1, {WIDE}, wide_row},
        {"other.weight", "IQ4_NL", 2, {1, 32}, q8_0},
        {"f16.weight", "F16", 2, {SINUSOIDS, WIDE_SINUSOIDS}, f16_sinusoids},
    };
    const struct test_tensor q8[] = {{"token_embd.weight", "Q8_0", 2, {VOCAB, WIDE}, q8_0}};
    const struct test_tensor q4[] = {{"token_embd.weight", "Q4_K", 2, {VOCAB, WIDE}, q4_k}};

    write_model(folder, "bert.gguf", keys, bert, 5);
    write_model(folder, "wide.gguf",
                "general.architecture str bert\nbert.embedding_length u32 24\n", bert, 5);
    write_model(folder, "long.gguf", "general.architecture str bert\nbert.context_length u32 9\n",
                bert, 5);
    write_model(folder, "nomic.gguf", "general.architecture str nomic-bert\n", bert, 5);
    write_model(folder, "gpt2.gguf", "general.architecture str gpt2\n", bert, 1);
    write_model(folder, "llama.gguf",
                "general.architecture str llama\nllama.context_length u32 4096\n", q4, 1);
    write_model(folder, "gemma.gguf", "general.architecture str gemma2\n", q8, 1);
    write_model(folder, "granite.gguf",
                "general.architecture str granite\ngranite.embedding_scale f32 0.75\n", q8, 1);
    write_model(folder, "novel.gguf", "general.architecture str novel\n", q8, 1);
    write_model(folder, "bare.gguf", "", q8, 1);
    write_model(folder, "tables.gguf", "", tables, 6);
    write_floats(folder, "q8_floats.npy", q8_0[0], POSEMB_Q8_0);
    write_floats(folder, "q4_floats.npy", q4_k[0], POSEMB_Q4_K);
}

static int check_json(const char *path, bool lines)
{
    FILE *file = fopen(path, "r");
    const size_t flags = JSON_REJECT_DUPLICATES | (lines ? JSON_DISABLE_EOF_CHECK : 0);
    bool valid = file != NULL;

    do {
        json_t *value = valid ? json_loadf(file, flags, NULL) : NULL;

        valid = value && (!lines || fgetc(file) == '\n');
        json_decref(value);
        if (valid && lines) {
            const int next = fgetc(file);
            if (next == EOF)
                break;
            ungetc(next, file);
        }
    } while (valid && lines);
    if (file)
        fclose(file);
    return valid ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "--json") == 0)
        return check_json(arguments[2], false);
    if (count == 3 && strcmp(arguments[1], "--json-lines") == 0)
        return check_json(arguments[2], true);
    if (count != 2) {
        fprintf(stderr, "usage: make_inputs FOLDER | --json FILE | --json-lines FILE\n");
        return EXIT_FAILURE;
    }
    write_ids(arguments[1]);
    write_positions(arguments[1]);
    write_tokens(arguments[1]);
    fill_stage();
    write_stage_arrays(arguments[1]);
    write_models(arguments[1]);
    fill_blocks();
    write_gguf(arguments[1]);
    return EXIT_SUCCESS;
}
