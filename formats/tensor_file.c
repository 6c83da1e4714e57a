/* What the formats of tensors have in common: one list, found by names, and reads of its rows. */
#include "tensor_file.h"

#include "file_bytes.h"
#include "safetensors.h"
#include "status.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One of the sources is NULL. */
struct tensor_file {
    safetensors_file *safetensors;
    gguf_file *gguf;
    char shown[FILE_SHOWN_SIZE];
    size_t count;
    file_tensor *tensors;
};

_Static_assert(SAFETENSORS_RANK_MAX <= TENSOR_RANK_MAX && GGUF_RANK_MAX <= TENSOR_RANK_MAX,
               "a shape fits");

/* "FILE: tensor "NAME": PROBLEM" */
static posemb_status fail_tensor(const tensor_file *file, const char *name, const char *problem,
                                 posemb_error *error)
{
    char shown[NAME_SHOWN_SIZE];

    escape_text(name, strlen(name), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: tensor \"%s\": %s", file->shown,
                        shown, problem);
}

/* ---- Opening */

static posemb_storage storage_of(safetensors_dtype dtype)
{
    switch (dtype) {
    case SAFETENSORS_F32:
        return POSEMB_F32;
    case SAFETENSORS_F16:
        return POSEMB_F16;
    case SAFETENSORS_BF16:
        return POSEMB_BF16;
    case SAFETENSORS_I8:
        return POSEMB_I8;
    default:
        return POSEMB_STORAGE_DEFAULT;
    }
}

static void take_safetensors(const safetensors_tensor *from, file_tensor *tensor)
{
    *tensor = (file_tensor){.name = from->name,
                            .type_name = safetensors_dtype_name(from->dtype),
                            .storage = storage_of(from->dtype),
                            .rank = from->rank,
                            .offset = from->offset,
                            .bytes = from->bytes};
    memcpy(tensor->shape, from->shape, from->rank * sizeof *from->shape);
}

static void take_gguf(const gguf_tensor *from, file_tensor *tensor)
{
    *tensor = (file_tensor){.name = from->name,
                            .type_name = from->type_name,
                            .storage = from->storage,
                            .rank = from->rank,
                            .offset = from->offset,
                            .bytes = from->bytes};
    memcpy(tensor->shape, from->shape, from->rank * sizeof *from->shape);
}

static posemb_status list_tensors(tensor_file *file, posemb_error *error)
{
    const size_t count = file->gguf ? gguf_count(file->gguf) : safetensors_count(file->safetensors);

    file->tensors = calloc(count + 1, sizeof *file->tensors);
    if (!file->tensors)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "%s: no memory for %zu tensors",
                            file->shown, count);
    for (; file->count < count; file->count++)
        if (file->gguf)
            take_gguf(gguf_at(file->gguf, file->count), &file->tensors[file->count]);
        else
            take_safetensors(safetensors_at(file->safetensors, file->count),
                             &file->tensors[file->count]);
    return POSEMB_OK;
}

/* By its first bytes. No length of a safetensors header has those of GGUF: it would be above 1 GB.
 */
static posemb_status is_gguf(const char *path, bool *gguf, posemb_error *error)
{
    static const char magic[4] = {'G', 'G', 'U', 'F'};
    char start[sizeof magic] = {0};
    file_bytes bytes;
    posemb_status status = file_bytes_open(path, &bytes, error);

    if (status != POSEMB_OK)
        return status;
    if (bytes.size >= sizeof start)
        status = file_bytes_read(&bytes, 0, sizeof start, start, error);
    file_bytes_close(&bytes);
    *gguf = memcmp(start, magic, sizeof magic) == 0;
    return status;
}

/* The format's own reader checks all of it, whatever another process does to the path meanwhile. */
static posemb_status open_source(tensor_file *file, const char *path, posemb_error *error)
{
    bool gguf = false;
    const posemb_status status = is_gguf(path, &gguf, error);

    if (status != POSEMB_OK)
        return status;
    return gguf ? gguf_open(path, &file->gguf, error)
                : safetensors_open(path, &file->safetensors, error);
}

size_t tensor_path_length(const char *path)
{
    static const char *const extensions[] = {".safetensors", ".gguf"};

    for (size_t at = 0; path[at]; at++)
        for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
            const size_t length = strlen(extensions[i]);
            const bool is_there = strncmp(path + at, extensions[i], length) == 0;

            if (is_there && (path[at + length] == ':' || path[at + length] == '\0'))
                return at + length;
        }
    return 0;
}

posemb_status tensor_file_open(const char *path, tensor_file **file, posemb_error *error)
{
    tensor_file *made = calloc(1, sizeof *made);
    posemb_status status;

    *file = NULL;
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "file: no memory to open one");
    show_path(path, made->shown);
    status = open_source(made, path, error);
    if (status == POSEMB_OK)
        status = list_tensors(made, error);
    if (status == POSEMB_OK)
        *file = made;
    else
        tensor_file_close(made);
    return status;
}

void tensor_file_close(tensor_file *file)
{
    if (!file)
        return;
    safetensors_close(file->safetensors);
    gguf_close(file->gguf);
    free(file->tensors);
    free(file);
}

/* ---- The list */

const char *tensor_file_shown(const tensor_file *file)
{
    return file->shown;
}

const gguf_file *tensor_file_gguf(const tensor_file *file)
{
    return file->gguf;
}

size_t tensor_file_count(const tensor_file *file)
{
    return file->count;
}

const file_tensor *tensor_file_at(const tensor_file *file, size_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

posemb_status tensor_file_find(const tensor_file *file, const char *name,
                               const file_tensor **tensor, posemb_error *error)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) {
            *tensor = &file->tensors[i];
            return POSEMB_OK;
        }
    return fail_tensor(file, name, "name: no tensor of the file has it", error);
}

posemb_status tensor_file_find_matrix(const tensor_file *file, const file_tensor **tensor,
                                      posemb_error *error)
{
    const file_tensor *found = NULL;
    size_t matrices = 0;
    char list[LIST_SHOWN_SIZE] = "";

    for (size_t i = 0; i < file->count; i++)
        if (file->tensors[i].rank == 2) {
            found = &file->tensors[i];
            list_name(list, found->name);
            matrices++;
        }
    if (matrices == 1) {
        *tensor = found;
        return POSEMB_OK;
    }
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: %zu of its %zu tensors have two dimensions%s%s; name one", file->shown,
                        matrices, file->count, matrices > 0 ? ": " : "", list);
}

posemb_status tensor_file_require_storage(const tensor_file *file, const file_tensor *tensor,
                                          posemb_error *error)
{
    const char *wanted = file->gguf
                             ? "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or Q2_K ... Q6_K"
                             : "F32, F16, BF16 or I8";
    char problem[160];

    if (tensor->storage != POSEMB_STORAGE_DEFAULT)
        return POSEMB_OK;
    snprintf(problem, sizeof problem, "type: %s, but %s is needed", tensor->type_name, wanted);
    return fail_tensor(file, tensor->name, problem, error);
}

/* ---- The data */

posemb_status tensor_file_read(const tensor_file *file, const file_tensor *tensor,
                               void *destination, size_t capacity, posemb_error *error)
{
    const safetensors_tensor piece = {
        .name = tensor->name, .offset = tensor->offset, .bytes = tensor->bytes};
    const gguf_tensor gguf_piece = {
        .name = tensor->name, .offset = tensor->offset, .bytes = tensor->bytes};

    return file->gguf ? gguf_read(file->gguf, &gguf_piece, destination, capacity, error)
                      : safetensors_read(file->safetensors, &piece, destination, capacity, error);
}

posemb_status tensor_file_read_bytes(const tensor_file *file, const file_tensor *tensor,
                                     uint64_t first, size_t size, void *destination,
                                     posemb_error *error)
{
    file_tensor part = *tensor;
    char problem[128];

    if (first > tensor->bytes || size > tensor->bytes - first) {
        snprintf(problem, sizeof problem, "bytes: %zu from %" PRIu64 " on, of %" PRIu64, size,
                 first, tensor->bytes);
        return fail_tensor(file, tensor->name, problem, error);
    }
    part.offset += first;
    part.bytes = size;
    return tensor_file_read(file, &part, destination, size, error);
}

posemb_status tensor_file_read_rows(const tensor_file *file, const file_tensor *tensor,
                                    uint64_t first, uint64_t count, void *destination,
                                    size_t capacity, posemb_error *error)
{
    const uint64_t rows = tensor->rank > 0 ? tensor->shape[0] : 0;
    char problem[128];

    if (first > rows || count > rows - first) {
        snprintf(problem, sizeof problem, "rows: %" PRIu64 " from %" PRIu64 " on, of %" PRIu64,
                 count, first, rows);
        return fail_tensor(file, tensor->name, problem, error);
    }
    if (rows > 0 && tensor->bytes % rows != 0)
        return fail_tensor(file, tensor->name, "rows: they do not begin at a byte", error);

    const uint64_t row = rows > 0 ? tensor->bytes / rows : 0;
    file_tensor part = *tensor;

    part.offset += first * row;
    part.bytes = count * row;
    return tensor_file_read(file, &part, destination, capacity, error);
}
