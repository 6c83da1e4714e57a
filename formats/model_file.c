/* The embedding stage of a model's file: names, shapes, and what the config says about them.
 *
 * A name of a tensor is a prefix, such as "bert." or "model.decoder.", and an ending that tells the
 * part. The parts of one stage have one prefix; but "shared.weight" of an encoder-decoder model is
 * the token table of both "encoder." and "decoder." beside it. */
#include "model_file.h"

#include "file_bytes.h"
#include "safetensors.h"
#include "status.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX_MAX 1024u /* that of a name in a safetensors file */

struct model_file {
    safetensors_file *source; /* the one format as yet */
    char shown[FILE_SHOWN_SIZE];
    model_tensor parts[MODEL_PART_COUNT];
    const safetensors_tensor *tensors[MODEL_PART_COUNT];
    const safetensors_tensor *scales[MODEL_PART_COUNT];
    bool has_config;
    model_config config;
};

static const char *const part_names[MODEL_PART_COUNT] = {"words", "positions", "types", "gamma",
                                                         "beta"};

const char *model_part_name(model_part part)
{
    return (unsigned)part < MODEL_PART_COUNT ? part_names[part] : "unknown";
}

static posemb_status fail_file(const model_file *file, const char *problem, posemb_error *error)
{
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s", file->shown, problem);
}

static posemb_status fail_memory(posemb_error *error)
{
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "file: no memory to open one");
}

/* ---- Names */

#define SHARED "shared.weight"

/* A name that ends in two of these is that of the longer. */
static const struct {
    model_part part;
    const char *name;
} endings[] = {
    {MODEL_WORDS, "embeddings.word_embeddings.weight"}, /* BERT and its kin, DistilBERT */
    {MODEL_POSITIONS, "embeddings.position_embeddings.weight"},
    {MODEL_TYPES, "embeddings.token_type_embeddings.weight"},
    {MODEL_GAMMA, "embeddings.LayerNorm.weight"},
    {MODEL_GAMMA, "embeddings.LayerNorm.gamma"}, /* files converted from TensorFlow */
    {MODEL_BETA, "embeddings.LayerNorm.bias"},
    {MODEL_BETA, "embeddings.LayerNorm.beta"},
    {MODEL_GAMMA, "embeddings.layer_norm.weight"}, /* ESM */
    {MODEL_BETA, "embeddings.layer_norm.bias"},
    {MODEL_WORDS, "embeddings.tok_embeddings.weight"}, /* ModernBERT */
    {MODEL_GAMMA, "embeddings.norm.weight"},
    {MODEL_BETA, "embeddings.norm.bias"},
    {MODEL_WORDS, "wte.weight"}, /* GPT-2, GPT-Neo, GPT-BigCode */
    {MODEL_POSITIONS, "wpe.weight"},
    {MODEL_WORDS, "tokens_embed.weight"}, /* GPT */
    {MODEL_POSITIONS, "positions_embed.weight"},
    {MODEL_WORDS, "embed_tokens.weight"}, /* BART and its kin, OPT, Llama */
    {MODEL_WORDS, SHARED},                /* BART, Marian, M2M100, T5 */
    {MODEL_POSITIONS, "embed_positions.weight"},
    {MODEL_GAMMA, "layernorm_embedding.weight"},
    {MODEL_BETA, "layernorm_embedding.bias"},
    {MODEL_WORDS, "embed_in.weight"},        /* GPT-NeoX */
    {MODEL_WORDS, "word_embeddings.weight"}, /* BLOOM */
    {MODEL_GAMMA, "word_embeddings_layernorm.weight"},
    {MODEL_BETA, "word_embeddings_layernorm.bias"},
};
#define ENDING_COUNT (sizeof endings / sizeof *endings)

/* The length of what stands before the ending: nothing, or something with a dot at its end. */
static bool ends_in(const char *name, const char *ending, size_t *prefix)
{
    const size_t length = strlen(name);
    const size_t tail = strlen(ending);

    if (length < tail || memcmp(name + length - tail, ending, tail) != 0)
        return false;
    *prefix = length - tail;
    return *prefix == 0 || name[*prefix - 1] == '.';
}

/* A tensor whose name is that of a part. */
typedef struct candidate {
    const safetensors_tensor *tensor;
    model_part part;
    size_t prefix; /* bytes of its name */
    bool is_shared;
} candidate;

static bool recognise(const safetensors_tensor *tensor, candidate *found)
{
    size_t best = SIZE_MAX; /* the shortest prefix has the longest ending */

    for (size_t i = 0; i < ENDING_COUNT; i++) {
        size_t prefix = 0;

        if (!ends_in(tensor->name, endings[i].name, &prefix) || prefix >= best)
            continue;
        best = prefix;
        *found = (candidate){.tensor = tensor,
                             .part = endings[i].part,
                             .prefix = prefix,
                             .is_shared = strcmp(endings[i].name, SHARED) == 0};
    }
    return best != SIZE_MAX;
}

typedef struct candidate_list {
    candidate *items;
    size_t count;
} candidate_list;

static posemb_status list_candidates(const model_file *file, candidate_list *list,
                                     posemb_error *error)
{
    const size_t count = safetensors_count(file->source);

    list->count = 0;
    list->items = calloc(count + 1, sizeof *list->items);
    if (!list->items)
        return fail_memory(error);
    for (size_t i = 0; i < count; i++)
        if (recognise(safetensors_at(file->source, i), &list->items[list->count]))
            list->count++;
    return POSEMB_OK;
}

/* ---- Choosing a prefix */

/* The first bytes of a text, without a zero at their end. */
typedef struct prefix {
    const char *text;
    size_t size;
} prefix;

static prefix prefix_of(const candidate *from)
{
    return (prefix){from->tensor->name, from->prefix};
}

static bool same_prefix(prefix a, prefix b)
{
    return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

static bool begins_with(prefix whole, prefix start)
{
    return whole.size >= start.size && memcmp(whole.text, start.text, start.size) == 0;
}

/* "model." of "model.encoder.", "" of "encoder." */
static prefix parent_of(prefix child)
{
    if (child.size > 0)
        child.size--;
    while (child.size > 0 && child.text[child.size - 1] != '.')
        child.size--;
    return child;
}

/* Which candidates are those of a stage. */
typedef bool is_match(const candidate *item, prefix of);

static bool has_prefix(const candidate *item, prefix of)
{
    return same_prefix(prefix_of(item), of);
}

/* "encoder.embed_positions.weight" belongs to "shared.weight" */
static bool is_beside_shared(const candidate *item, prefix of)
{
    return begins_with(prefix_of(item), of) &&
           (item->prefix == of.size || same_prefix(parent_of(prefix_of(item)), of));
}

static bool is_shared_of(const candidate *item, prefix of)
{
    return item->is_shared && same_prefix(prefix_of(item), parent_of(of));
}

static bool is_any(const candidate *item, prefix of)
{
    (void)item;
    (void)of;
    return true;
}

static bool is_any_shared(const candidate *item, prefix of)
{
    (void)of;
    return item->is_shared;
}

static posemb_status fail_several(const model_file *file, model_part part, size_t count,
                                  const char *names, posemb_error *error)
{
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: %s: %zu tensors have the name of one: %s; choose by a prefix",
                        file->shown, part_names[part], count, names);
}

/* The one candidate for a part that matches, or NULL. */
static posemb_status find_one(const model_file *file, const candidate_list *list, model_part part,
                              is_match *match, prefix of, const candidate **found,
                              posemb_error *error)
{
    char names[LIST_SHOWN_SIZE] = "";
    size_t count = 0;

    *found = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const candidate *item = &list->items[i];

        if (item->part != part || !match(item, of))
            continue;
        list_name(names, item->tensor->name);
        *found = item;
        count++;
    }
    return count < 2 ? POSEMB_OK : fail_several(file, part, count, names, error);
}

static posemb_status fail_no_words(const model_file *file, prefix wanted, bool any,
                                   posemb_error *error)
{
    char shown[NAME_SHOWN_SIZE];

    if (any)
        return fail_file(file,
                         "words: no tensor has the name of a token table, such as "
                         "\"embeddings.word_embeddings.weight\"",
                         error);
    escape_text(wanted.text, wanted.size, shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: words: no tensor with the prefix \"%s\" has the name of a token table",
                        file->shown, shown);
}

/* The token table of that prefix: its own, else the one that it shares. */
static posemb_status find_words(const model_file *file, const candidate_list *list, prefix wanted,
                                const candidate **words, posemb_error *error)
{
    posemb_status status = find_one(file, list, MODEL_WORDS, has_prefix, wanted, words, error);

    if (status == POSEMB_OK && !*words && wanted.size > 0)
        status = find_one(file, list, MODEL_WORDS, is_shared_of, wanted, words, error);
    if (status == POSEMB_OK && !*words)
        status = fail_no_words(file, wanted, false, error);
    return status;
}

/* Whether all token tables are the shared one, or what encoder and decoder beside it have. */
static bool all_are_copies(const candidate_list *list, const candidate *shared)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].part == MODEL_WORDS &&
            !is_beside_shared(&list->items[i], prefix_of(shared)))
            return false;
    return true;
}

/* The token table of a file that has one alone. Where it is shared, its copies do not count. */
static posemb_status find_any_words(const model_file *file, const candidate_list *list,
                                    const candidate **words, posemb_error *error)
{
    const prefix none = {"", 0};
    posemb_status status = find_one(file, list, MODEL_WORDS, is_any_shared, none, words, error);

    if (status == POSEMB_OK && !(*words && all_are_copies(list, *words)))
        status = find_one(file, list, MODEL_WORDS, is_any, none, words, error);
    if (status == POSEMB_OK && !*words)
        status = fail_no_words(file, none, true, error);
    return status;
}

/* The other parts have the prefix of the token table; of a shared one, that or one level more. All
 * must have the same. */
static posemb_status find_others(model_file *file, const candidate_list *list, is_match *match,
                                 prefix of, posemb_error *error)
{
    const candidate *first = NULL;

    for (unsigned part = MODEL_POSITIONS; part < MODEL_PART_COUNT; part++) {
        const candidate *found = NULL;
        const posemb_status status =
            find_one(file, list, (model_part)part, match, of, &found, error);
        char names[LIST_SHOWN_SIZE] = "";

        if (status != POSEMB_OK)
            return status;
        if (!found)
            continue;
        file->tensors[part] = found->tensor;
        first = first ? first : found;
        if (same_prefix(prefix_of(first), prefix_of(found)))
            continue;
        list_name(names, first->tensor->name);
        list_name(names, found->tensor->name);
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: parts of several stages: %s; choose by a prefix", file->shown,
                            names);
    }
    return POSEMB_OK;
}

/* `wanted`: NULL for any prefix. */
static posemb_status choose(model_file *file, const candidate_list *list, const prefix *wanted,
                            posemb_error *error)
{
    const candidate *words = NULL;
    posemb_status status = wanted ? find_words(file, list, *wanted, &words, error)
                                  : find_any_words(file, list, &words, error);

    if (status != POSEMB_OK)
        return status;

    const prefix own = prefix_of(words);

    file->tensors[MODEL_WORDS] = words->tensor;
    if (!wanted)
        wanted = &own;
    return find_others(
        file, list, words->is_shared && same_prefix(own, *wanted) ? is_beside_shared : has_prefix,
        *wanted, error);
}

static posemb_status find_tensors(model_file *file, const char *given, posemb_error *error)
{
    char text[PREFIX_MAX + 2];
    prefix wanted = {text, given ? strlen(given) : 0};
    candidate_list list = {0};
    posemb_status status;

    if (wanted.size > PREFIX_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "prefix: %zu bytes, more than the %u of a name", wanted.size,
                            PREFIX_MAX);
    if (given)
        memcpy(text, given, wanted.size);
    if (wanted.size > 0 && text[wanted.size - 1] != '.')
        text[wanted.size++] = '.';
    status = list_candidates(file, &list, error);
    if (status == POSEMB_OK)
        status = choose(file, &list, given ? &wanted : NULL, error);
    free(list.items);
    return status;
}

/* ---- Shapes */

/* "FILE: PART "NAME": PROBLEM" */
static posemb_status fail_part(const model_file *file, model_part part, const char *problem,
                               posemb_error *error)
{
    const char *name = file->tensors[part]->name;
    char shown[NAME_SHOWN_SIZE];

    escape_text(name, strlen(name), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s \"%s\": %s", file->shown,
                        part_names[part], shown, problem);
}

static posemb_status fail_shape(const model_file *file, model_part part, const char *wanted,
                                posemb_error *error)
{
    const safetensors_tensor *tensor = file->tensors[part];
    char shape[SHAPE_SHOWN_SIZE];
    char problem[SHAPE_SHOWN_SIZE + 64];

    shape_show(tensor->shape, tensor->rank, shape);
    snprintf(problem, sizeof problem, "shape: %s is not %s", shape, wanted);
    return fail_part(file, part, problem, error);
}

static bool is_vector(model_part part)
{
    return part == MODEL_GAMMA || part == MODEL_BETA;
}

static posemb_status describe_part(model_file *file, model_part part, posemb_error *error)
{
    const safetensors_tensor *tensor = file->tensors[part];
    model_tensor *made = &file->parts[part];
    const uint32_t rank = is_vector(part) ? 1 : 2;
    posemb_status status;

    status = safetensors_require_storage(file->source, tensor, &made->storage, error);
    if (status != POSEMB_OK)
        return status;
    if (tensor->rank != rank || tensor->shape[0] == 0 || tensor->shape[rank - 1] == 0 ||
        tensor->shape[rank - 1] > POSEMB_DIM_MAX)
        return fail_shape(file, part, rank == 1 ? "[1 ... 65536]" : "[at least 1, 1 ... 65536]",
                          error);
    if (rank == 1 && made->storage == POSEMB_I8)
        return fail_part(file, part, "dtype: I8, which a table alone can have", error);
    made->name = tensor->name;
    made->rows = rank == 1 ? 1 : tensor->shape[0];
    made->dim = tensor->shape[rank - 1];
    made->offset = tensor->offset;
    made->bytes = tensor->bytes;
    return POSEMB_OK;
}

static posemb_status fail_pair(const model_file *file, model_part part, const char *what,
                               uint64_t found, const char *other, uint64_t value,
                               posemb_error *error)
{
    char problem[192];

    snprintf(problem, sizeof problem, "%s: %" PRIu64 ", but %s has %" PRIu64, what, found, other,
             value);
    return fail_part(file, part, problem, error);
}

static posemb_status check_dims(const model_file *file, posemb_error *error)
{
    const model_tensor *parts = file->parts;
    char problem[128];

    for (unsigned i = MODEL_POSITIONS; i < MODEL_PART_COUNT; i++)
        if (parts[i].name && parts[i].dim != parts[MODEL_WORDS].dim)
            return fail_pair(file, (model_part)i, "dim", parts[i].dim, "the token table",
                             parts[MODEL_WORDS].dim, error);
    if (!parts[MODEL_GAMMA].name || !parts[MODEL_BETA].name ||
        parts[MODEL_GAMMA].storage == parts[MODEL_BETA].storage)
        return POSEMB_OK;
    snprintf(problem, sizeof problem, "dtype: %s, but gamma has %s",
             safetensors_dtype_name(file->tensors[MODEL_BETA]->dtype),
             safetensors_dtype_name(file->tensors[MODEL_GAMMA]->dtype));
    return fail_part(file, MODEL_BETA, problem, error);
}

/* ---- Scales of I8 tables */

/* What the scales of a table X.weight may be called, after the X. */
static const char *const scale_endings[] = {".weight_scale", ".scales"};

static bool is_scale_name(const char *name, const char *table)
{
    const size_t stem = strlen(table) - strlen(".weight"); /* all names of tables end in it */

    if (strncmp(name, table, stem) != 0)
        return false;
    for (size_t i = 0; i < sizeof scale_endings / sizeof *scale_endings; i++)
        if (strcmp(name + stem, scale_endings[i]) == 0)
            return true;
    return false;
}

static posemb_status find_scales(model_file *file, model_part part, posemb_error *error)
{
    char names[LIST_SHOWN_SIZE] = "";
    char problem[LIST_SHOWN_SIZE + 64];
    size_t count = 0;

    for (size_t i = 0; i < safetensors_count(file->source); i++) {
        const safetensors_tensor *tensor = safetensors_at(file->source, i);

        if (!is_scale_name(tensor->name, file->tensors[part]->name))
            continue;
        list_name(names, tensor->name);
        file->scales[part] = tensor;
        count++;
    }
    if (count == 1)
        return POSEMB_OK;
    if (count == 0)
        return fail_part(file, part,
                         "dtype: I8 without scales: no tensor named as it is, with "
                         "\"_scale\" at its end or \".scales\" for \".weight\"",
                         error);
    snprintf(problem, sizeof problem, "scales: %zu tensors have their name: %s", count, names);
    return fail_part(file, part, problem, error);
}

static posemb_status describe_scales(model_file *file, model_part part, posemb_error *error)
{
    const safetensors_tensor *scales = file->scales[part];
    model_tensor *made = &file->parts[part];
    const bool is_list = scales->rank == 1 || (scales->rank == 2 && scales->shape[1] == 1);
    const bool is_one = scales->rank == 0 || (scales->rank == 1 && scales->shape[0] == 1);
    char shape[SHAPE_SHOWN_SIZE];
    char problem[SHAPE_SHOWN_SIZE + 128];

    if (scales->dtype != SAFETENSORS_F32) {
        snprintf(problem, sizeof problem, "scales: dtype: %s, but F32 is needed",
                 safetensors_dtype_name(scales->dtype));
        return fail_part(file, part, problem, error);
    }
    if (!is_one && !(is_list && scales->shape[0] == made->rows)) {
        shape_show(scales->shape, scales->rank, shape);
        snprintf(problem, sizeof problem, "scales: shape: %s, but the table has %" PRIu64 " rows",
                 shape, made->rows);
        return fail_part(file, part, problem, error);
    }
    made->scales_name = scales->name;
    made->scaling = is_one ? POSEMB_SCALE_OF_TABLE : POSEMB_SCALE_OF_ROW;
    made->scales = is_one ? 1 : made->rows;
    return POSEMB_OK;
}

static posemb_status describe_parts(model_file *file, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    for (unsigned i = 0; status == POSEMB_OK && i < MODEL_PART_COUNT; i++) {
        const model_part part = (model_part)i;

        if (!file->tensors[i])
            continue;
        status = describe_part(file, part, error);
        if (status == POSEMB_OK && file->parts[i].storage == POSEMB_I8)
            status = find_scales(file, part, error);
        if (status == POSEMB_OK && file->scales[i])
            status = describe_scales(file, part, error);
    }
    return status == POSEMB_OK ? check_dims(file, error) : status;
}

/* ---- The config */

/* A folder's name gets "/model.safetensors" at its end. The caller frees it; NULL: no memory. */
static char *tensors_path(const char *path)
{
    static const char in_folder[] = "/model.safetensors";
    const size_t length = strlen(path);
    struct stat facts;
    char *made = malloc(length + sizeof in_folder);

    if (!made)
        return NULL;
    memcpy(made, path, length + 1);
    if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
        memcpy(made + length, in_folder, sizeof in_folder);
    return made;
}

/* Whether the first `kept` bytes of the path, with `end` after them, name something. */
static bool make_config_path(const char *path, size_t kept, const char *end, char *made)
{
    memcpy(made, path, kept);
    memcpy(made + kept, end, strlen(end) + 1);
    return access(made, F_OK) == 0;
}

/* NAME.config.json, else the folder's. `made` has room for the path and 16 bytes more. */
static bool find_config(const char *path, char *made)
{
    static const char extension[] = ".safetensors";
    const size_t length = strlen(path);
    const size_t tail = sizeof extension - 1;
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    const bool is_plain = length < tail || strcmp(path + length - tail, extension) != 0;

    return make_config_path(path, is_plain ? length : length - tail, ".config.json", made) ||
           make_config_path(path, folder, "config.json", made);
}

static posemb_status read_config(model_file *file, const char *path, posemb_error *error)
{
    char *made = malloc(strlen(path) + 16);
    posemb_status status = POSEMB_OK;

    if (!made)
        return fail_memory(error);
    file->has_config = find_config(path, made);
    if (file->has_config)
        status = config_read(made, &file->config, error);
    free(made);
    return status;
}

static posemb_status check_rows(const model_file *file, model_part part, bool has, const char *key,
                                uint64_t value, posemb_error *error)
{
    char other[64];

    if (!has || !file->parts[part].name || value <= file->parts[part].rows)
        return POSEMB_OK;
    snprintf(other, sizeof other, "%s of the config", key);
    return fail_pair(file, part, "rows", file->parts[part].rows, other, value, error);
}

static posemb_status check_config(const model_file *file, posemb_error *error)
{
    const model_config *say = &file->config;
    const uint64_t dim = file->parts[MODEL_WORDS].dim;
    posemb_status status = POSEMB_OK;

    if (say->has_embedding_size && say->embedding_size != dim)
        status = fail_pair(file, MODEL_WORDS, "dim", dim, "embedding_size of the config",
                           say->embedding_size, error);
    else if (!say->has_embedding_size && say->has_hidden_size && say->hidden_size != dim)
        status = fail_pair(file, MODEL_WORDS, "dim", dim, "hidden_size of the config",
                           say->hidden_size, error);
    if (status == POSEMB_OK)
        status = check_rows(file, MODEL_WORDS, say->has_vocab_size, "vocab_size", say->vocab_size,
                            error);
    if (status == POSEMB_OK)
        status = check_rows(file, MODEL_POSITIONS, say->has_max_position_embeddings,
                            "max_position_embeddings", say->max_position_embeddings, error);
    if (status == POSEMB_OK)
        status = check_rows(file, MODEL_TYPES, say->has_type_vocab_size, "type_vocab_size",
                            say->type_vocab_size, error);
    return status;
}

/* ---- The file */

static posemb_status open_at(model_file *file, const char *path, const char *wanted,
                             posemb_error *error)
{
    posemb_status status = safetensors_open(path, &file->source, error);

    show_path(path, file->shown);
    if (status == POSEMB_OK)
        status = find_tensors(file, wanted, error);
    if (status == POSEMB_OK)
        status = describe_parts(file, error);
    if (status == POSEMB_OK)
        status = read_config(file, path, error);
    if (status == POSEMB_OK)
        status = check_config(file, error);
    return status;
}

posemb_status model_file_open(const char *path, const char *wanted, model_file **file,
                              posemb_error *error)
{
    model_file *made;
    char *whole;
    posemb_status status;

    *file = NULL;
    if (!path)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "path: NULL");
    made = calloc(1, sizeof *made);
    whole = tensors_path(path);
    status = made && whole ? open_at(made, whole, wanted, error) : fail_memory(error);
    free(whole);
    if (status == POSEMB_OK)
        *file = made;
    else
        model_file_close(made);
    return status;
}

void model_file_close(model_file *file)
{
    if (!file)
        return;
    safetensors_close(file->source);
    free(file);
}

const model_tensor *model_file_part(const model_file *file, model_part part)
{
    static const model_tensor absent;

    return (unsigned)part < MODEL_PART_COUNT ? &file->parts[part] : &absent;
}

const model_config *model_file_config(const model_file *file)
{
    return file->has_config ? &file->config : NULL;
}

/* Units [first, first + count) of a tensor that is `units` of them. */
static posemb_status read_units(const model_file *file, model_part part, const char *what,
                                const safetensors_tensor *tensor, uint64_t units, uint64_t first,
                                uint64_t count, void *destination, size_t capacity,
                                posemb_error *error)
{
    safetensors_tensor piece;
    char problem[160];

    if (!tensor) {
        snprintf(problem, sizeof problem, "%s: the file has no %s of them", model_part_name(part),
                 what);
        return fail_file(file, problem, error);
    }
    if (first > units || count > units - first) {
        snprintf(problem, sizeof problem, "%s: %" PRIu64 " from %" PRIu64 " on, of %" PRIu64, what,
                 count, first, units);
        return fail_part(file, part, problem, error);
    }
    piece = *tensor;
    piece.offset += first * (tensor->bytes / units);
    piece.bytes = count * (tensor->bytes / units);
    return safetensors_read(file->source, &piece, destination, capacity, error);
}

posemb_status model_file_read_rows(const model_file *file, model_part part, uint64_t first,
                                   uint64_t count, void *destination, size_t capacity,
                                   posemb_error *error)
{
    const bool known = (unsigned)part < MODEL_PART_COUNT;

    return read_units(file, part, "rows", known ? file->tensors[part] : NULL,
                      model_file_part(file, part)->rows, first, count, destination, capacity,
                      error);
}

posemb_status model_file_read_scales(const model_file *file, model_part part, uint64_t first,
                                     uint64_t count, float *destination, posemb_error *error)
{
    const bool known = (unsigned)part < MODEL_PART_COUNT;
    const size_t capacity = count < SIZE_MAX / sizeof(float) ? (size_t)count * sizeof(float) : 0;

    return read_units(file, part, "scales", known ? file->scales[part] : NULL,
                      model_file_part(file, part)->scales, first, count, destination, capacity,
                      error);
}
