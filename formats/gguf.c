/* Reader of GGUF files: an untrusted header of metadata and a list of tensors, then the data. */
#include "gguf.h"

#include "checked_math.h"
#include "gguf_internal.h"
#include "gguf_types.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX      65536u /* tensors, and keys */
#define KEY_MIN_BYTES    14u    /* that an entry takes: lengths, type, a key and a value of one */
#define TENSOR_MIN_BYTES 24u

/* ---- The head */

static bool read_magic(header_reader *header)
{
    const unsigned char *magic;

    if (!header_take(header, "magic", 4, &magic))
        return false;
    return memcmp(magic, "GGUF", 4) == 0 ||
           header_fail_field(header, POSEMB_INVALID_ARGUMENT, "magic", "not \"GGUF\"");
}

static bool read_version(header_reader *header)
{
    uint32_t *version = &header->file->version;

    if (!header_read_u32(header, "version", version))
        return false;
    if (*version != 0 && (*version & 0xffffu) == 0)
        return header_fail_field(header, POSEMB_INVALID_ARGUMENT, "version",
                                 "a big-endian file, but little-endian ones alone are read");
    return *version == 2 || *version == 3 ||
           header_fail_value(header, "version", "neither 2 nor 3", *version);
}

/* A count of entries for which there must be room. */
static bool read_count(header_reader *header, const char *field, uint64_t entry_bytes,
                       size_t *count)
{
    uint64_t value = 0;

    if (!header_read_u64(header, field, &value))
        return false;
    if (value > ENTRIES_MAX)
        return header_fail_value(header, field, "more than 65536", value);
    if (value > header_left(header) / entry_bytes)
        return header_fail_value(header, field, "more than the file has room for", value);
    *count = (size_t)value;
    return true;
}

/* Where a list is missing, the file keeps its counts of 0. */
static bool make_lists(header_reader *header, size_t tensors, size_t values)
{
    gguf_file *file = header->file;

    file->entries = calloc(values + 1, sizeof *file->entries);
    file->by_key = calloc(values + 1, sizeof *file->by_key);
    file->tensors = calloc(tensors + 1, sizeof *file->tensors);
    file->names = calloc(tensors + 1, sizeof *file->names);
    file->by_name = calloc(tensors + 1, sizeof *file->by_name);
    if (!file->entries || !file->by_key || !file->tensors || !file->names || !file->by_name)
        return header_fail_memory(header);
    file->count = tensors;
    file->value_count = values;
    return true;
}

static bool read_head(header_reader *header)
{
    size_t tensors = 0;
    size_t values = 0;

    return read_magic(header) && read_version(header) &&
           read_count(header, "count of tensors", TENSOR_MIN_BYTES, &tensors) &&
           read_count(header, "count of keys", KEY_MIN_BYTES, &values) &&
           make_lists(header, tensors, values);
}

/* ---- The list of tensors */

static bool read_name(header_reader *header, char name[GGUF_NAME_SIZE])
{
    uint64_t length = 0;

    if (!header_read_length(header, "name", GGUF_NAME_SIZE - 1, &length) ||
        !header_read_text(header, "name", (size_t)length, name))
        return false;
    header->name = name;
    return header_check_name(header, "name", name, (size_t)length);
}

static bool read_shape(header_reader *header, gguf_tensor *tensor)
{
    if (!header_read_u32(header, "rank", &tensor->rank))
        return false;
    if (tensor->rank > GGUF_RANK_MAX)
        return header_fail_value(header, "rank", "more than 4", tensor->rank);
    for (uint32_t i = tensor->rank; i-- > 0;) { /* the file has the innermost first */
        uint64_t *size = &tensor->shape[i];

        if (!header_read_u64(header, "dimension", size))
            return false;
        if (*size > INT64_MAX)
            return header_fail_value(header, "dimension", "2^63 or more", *size);
    }
    return true;
}

/* Sizes of 0 must not hide that the product of the others is too large. */
static bool count_elements(const gguf_tensor *tensor, uint64_t *count)
{
    bool empty = false;

    *count = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 0)
            empty = true;
        else if (!posemb__mul_u64(*count, tensor->shape[i], count) || *count > INT64_MAX)
            return false;
    }
    if (empty)
        *count = 0;
    return true;
}

static bool fail_large(header_reader *header, const gguf_tensor *tensor)
{
    char shape[SHAPE_SHOWN_SIZE];

    shape_show(tensor->shape, tensor->rank, shape);
    return header_fail_field(header, POSEMB_SIZE_OVERFLOW, "shape too large", shape);
}

static bool read_tensor_type(header_reader *header, gguf_tensor *tensor, uint64_t count)
{
    if (!header_read_u32(header, "type", &tensor->type))
        return false;

    const gguf_tensor_type *type = gguf_tensor_type_find(tensor->type);
    const uint64_t inner = tensor->rank > 0 ? tensor->shape[tensor->rank - 1] : 1;
    char problem[128];

    if (!type)
        return header_fail_value(header, "type", "not one of ggml, or not any more", tensor->type);
    if (inner % type->block != 0) {
        snprintf(problem, sizeof problem, "%s has blocks of %" PRIu32 ", but a row has %" PRIu64,
                 type->name, type->block, inner);
        return header_fail_field(header, POSEMB_INVALID_ARGUMENT, "type", problem);
    }
    tensor->type_name = type->name;
    tensor->storage = type->storage;
    return posemb__mul_u64(count / type->block, type->bytes, &tensor->bytes) ||
           fail_large(header, tensor);
}

/* Tensors lie in the order of the list, each at once after the padding of the one before. */
static bool read_offset(header_reader *header, gguf_tensor *tensor)
{
    const uint64_t alignment = header->file->alignment;
    uint64_t padded = 0;

    if (!header_read_u64(header, "offset", &tensor->offset))
        return false;
    if (tensor->offset % alignment != 0)
        return header_fail_value(header, "offset", "not a multiple of the alignment",
                                 tensor->offset);
    if (tensor->offset != header->data_size)
        return header_fail_value(header, "offset", "not where the tensor before it ends",
                                 tensor->offset);
    return (posemb__round_up_u64(tensor->bytes, alignment, &padded) &&
            posemb__add_u64(header->data_size, padded, &header->data_size)) ||
           fail_large(header, tensor);
}

static bool read_tensor(header_reader *header, gguf_tensor *tensor, char name[GGUF_NAME_SIZE])
{
    uint64_t count = 0;

    tensor->name = name;
    if (!read_name(header, name) || !read_shape(header, tensor))
        return false;
    if (!count_elements(tensor, &count))
        return fail_large(header, tensor);
    return read_tensor_type(header, tensor, count) && read_offset(header, tensor);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp((*(const gguf_tensor *const *)left)->name,
                  (*(const gguf_tensor *const *)right)->name);
}

static bool sort_names(header_reader *header)
{
    gguf_file *file = header->file;

    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    for (size_t i = 1; i < file->count; i++)
        if (compare_names(&file->by_name[i - 1], &file->by_name[i]) == 0)
            return header_fail_named(header, file->by_name[i]->name, "name: another tensor has it");
    return true;
}

static bool read_tensors(header_reader *header)
{
    gguf_file *file = header->file;

    header->part = "tensor";
    for (size_t i = 0; i < file->count; i++) {
        header->index = i;
        header->name = NULL;
        if (!read_tensor(header, &file->tensors[i], file->names[i]))
            return false;
    }
    return sort_names(header);
}

/* ---- The data */

/* Offsets count from the start of the data; from here on, from the start of the file. */
static bool place_tensor(header_reader *header, gguf_tensor *tensor, uint64_t data_at)
{
    const uint64_t size = header->file->bytes.size - data_at;

    if (tensor->offset > size || tensor->bytes > size - tensor->offset)
        return header_fail_named(header, tensor->name, "data: beyond the end of the file");
    tensor->offset += data_at;
    return true;
}

/* The padding of what comes last may be there or not, as a whole; nothing else may follow. */
static bool check_end(header_reader *header, uint64_t end)
{
    const file_bytes *bytes = &header->file->bytes;
    uint64_t padded = 0;

    if (end == bytes->size ||
        (posemb__round_up_u64(end, header->file->alignment, &padded) && padded == bytes->size))
        return true;
    return header_record(header, posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                                              "%s: data: %" PRIu64 " bytes after the last tensor",
                                              bytes->shown, bytes->size - end));
}

static bool place_data(header_reader *header)
{
    gguf_file *file = header->file;
    uint64_t data_at = 0;

    if (file->count == 0)
        return check_end(header, header->at);
    if (!posemb__round_up_u64(header->at, file->alignment, &data_at) || data_at > file->bytes.size)
        return header_fail_named(header, file->tensors[0].name, "data: beyond the end of the file");
    for (size_t i = 0; i < file->count; i++)
        if (!place_tensor(header, &file->tensors[i], data_at))
            return false;

    const gguf_tensor *last = &file->tensors[file->count - 1];

    return check_end(header, last->offset + last->bytes); /* which is in the file, as was seen */
}

posemb_status gguf_open(const char *path, gguf_file **file, posemb_error *error)
{
    gguf_file *made = calloc(1, sizeof *made);
    header_reader header = {.file = made, .error = error};

    *file = NULL;
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "file: no memory to open one");

    posemb_status status = file_bytes_open(path, &made->bytes, error);

    if (status == POSEMB_OK && !(read_head(&header) && gguf_read_metadata(&header) &&
                                 read_tensors(&header) && place_data(&header)))
        status = header.status;
    *file = status == POSEMB_OK ? made : NULL;
    if (status != POSEMB_OK)
        gguf_close(made);
    return status;
}

void gguf_close(gguf_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->value_count; i++) {
        free(file->entries[i].key);
        free(file->entries[i].text);
    }
    free(file->entries);
    free(file->by_key);
    free(file->tensors);
    free(file->names);
    free(file->by_name);
    file_bytes_close(&file->bytes);
    free(file);
}

uint32_t gguf_version(const gguf_file *file)
{
    return file->version;
}

size_t gguf_count(const gguf_file *file)
{
    return file->count;
}

const gguf_tensor *gguf_at(const gguf_file *file, size_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

posemb_status gguf_read(const gguf_file *file, const gguf_tensor *tensor, void *destination,
                        size_t capacity, posemb_error *error)
{
    if (tensor->bytes > capacity)
        return posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                            "%s: data: a buffer of %zu bytes for %" PRIu64, file->bytes.shown,
                            capacity, tensor->bytes);
    return file_bytes_read(&file->bytes, tensor->offset, (size_t)tensor->bytes, destination, error);
}
