/* Names of tensors, and which of them belong together.
 *
 * A name of a tensor is a prefix, such as "bert." or "model.decoder.", and an ending that tells the
 * part. The parts of one stage have one prefix; but "shared.weight" of an encoder-decoder model is
 * the token table of both "encoder." and "decoder." beside it. */
#include "model_names.h"

#include "file_bytes.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_MAX 1024u /* that of a name in a safetensors file */

static const char *const part_names[MODEL_PART_COUNT] = {"words", "positions", "types", "gamma",
                                                         "beta"};

const char *model_part_name(model_part part)
{
    return (unsigned)part < MODEL_PART_COUNT ? part_names[part] : "unknown";
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
    {MODEL_WORDS, "token_embd.weight"}, /* llama.cpp's, of all models */
    {MODEL_POSITIONS, "position_embd.weight"},
    {MODEL_TYPES, "token_types.weight"},
    {MODEL_GAMMA, "token_embd_norm.weight"},
    {MODEL_BETA, "token_embd_norm.bias"},
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
    const file_tensor *tensor;
    model_part part;
    size_t prefix; /* bytes of its name */
    bool is_shared;
} candidate;

static bool recognise(const file_tensor *tensor, candidate *found)
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

static posemb_status list_candidates(const tensor_file *file, candidate_list *list,
                                     posemb_error *error)
{
    const size_t count = tensor_file_count(file);

    list->count = 0;
    list->items = calloc(count + 1, sizeof *list->items);
    if (!list->items)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "%s: no memory for %zu names",
                            tensor_file_shown(file), count);
    for (size_t i = 0; i < count; i++)
        if (recognise(tensor_file_at(file, i), &list->items[list->count]))
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

static posemb_status fail_several(const tensor_file *file, model_part part, size_t count,
                                  const char *names, posemb_error *error)
{
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: %s: %zu tensors have the name of one: %s; choose by a prefix",
                        tensor_file_shown(file), part_names[part], count, names);
}

/* The one candidate for a part that matches, or NULL. */
static posemb_status find_one(const tensor_file *file, const candidate_list *list, model_part part,
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

static posemb_status fail_no_words(const tensor_file *file, prefix wanted, bool any,
                                   posemb_error *error)
{
    char shown[NAME_SHOWN_SIZE];

    if (any)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: words: no tensor has the name of a token table, such as "
                            "\"embeddings.word_embeddings.weight\" or \"token_embd.weight\"",
                            tensor_file_shown(file));
    escape_text(wanted.text, wanted.size, shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: words: no tensor with the prefix \"%s\" has the name of a token table",
                        tensor_file_shown(file), shown);
}

/* The token table of that prefix: its own, else the one that it shares. */
static posemb_status find_words(const tensor_file *file, const candidate_list *list, prefix wanted,
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
static posemb_status find_any_words(const tensor_file *file, const candidate_list *list,
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
static posemb_status find_others(const tensor_file *file, const candidate_list *list,
                                 is_match *match, prefix of, const file_tensor **parts,
                                 posemb_error *error)
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
        parts[part] = found->tensor;
        first = first ? first : found;
        if (same_prefix(prefix_of(first), prefix_of(found)))
            continue;
        list_name(names, first->tensor->name);
        list_name(names, found->tensor->name);
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: parts of several stages: %s; choose by a prefix",
                            tensor_file_shown(file), names);
    }
    return POSEMB_OK;
}

/* `wanted`: NULL for any prefix. */
static posemb_status choose(const tensor_file *file, const candidate_list *list,
                            const prefix *wanted, const file_tensor **parts, posemb_error *error)
{
    const candidate *words = NULL;
    posemb_status status = wanted ? find_words(file, list, *wanted, &words, error)
                                  : find_any_words(file, list, &words, error);

    if (status != POSEMB_OK || !words)
        return status;

    const prefix own = prefix_of(words);

    parts[MODEL_WORDS] = words->tensor;
    if (!wanted)
        wanted = &own;
    return find_others(
        file, list, words->is_shared && same_prefix(own, *wanted) ? is_beside_shared : has_prefix,
        *wanted, parts, error);
}

posemb_status model_names_find(const tensor_file *file, const char *given,
                               const file_tensor *found[MODEL_PART_COUNT], posemb_error *error)
{
    char text[PREFIX_MAX + 2];
    prefix wanted = {text, given ? strlen(given) : 0};
    candidate_list list = {0};
    posemb_status status;

    memset(found, 0, MODEL_PART_COUNT * sizeof *found);
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
        status = choose(file, &list, given ? &wanted : NULL, found, error);
    free(list.items);
    return status;
}

/* ---- Scales of I8 tables */

static bool are_scales(const char *name, const char *table)
{
    const size_t length = strlen(table);
    size_t stem = 0;

    if (strncmp(name, table, length) == 0 && strcmp(name + length, "_scale") == 0)
        return true;
    return ends_in(table, "weight", &stem) && stem > 0 && strncmp(name, table, stem) == 0 &&
           strcmp(name + stem, "scales") == 0;
}

posemb_status model_names_find_scales(const tensor_file *file, const file_tensor *table,
                                      const file_tensor **scales, posemb_error *error)
{
    char shown[NAME_SHOWN_SIZE];
    char names[LIST_SHOWN_SIZE] = "";
    size_t count = 0;

    *scales = NULL;
    for (size_t i = 0; i < tensor_file_count(file); i++) {
        const file_tensor *tensor = tensor_file_at(file, i);

        if (!are_scales(tensor->name, table->name))
            continue;
        list_name(names, tensor->name);
        *scales = tensor;
        count++;
    }
    if (count < 2)
        return POSEMB_OK;
    escape_text(table->name, strlen(table->name), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: tensor \"%s\": scales: %zu tensors have their name: %s",
                        tensor_file_shown(file), shown, count, names);
}
