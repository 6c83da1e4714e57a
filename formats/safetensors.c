/* Reader of safetensors files: 8 bytes of length, an untrusted JSON header, the data. */
#include "safetensors.h"

#include "checked_math.h"
#include "file_bytes.h"
#include "status.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_SIZE    8u         /* of the field before the header */
#define HEADER_MAX     100000000u /* the limit of the reference */
#define DEPTH_MAX      4u
#define COMMAS_MAX     4194304u /* bounds the memory that the list and the JSON tree take */
#define NAME_MAX_BYTES 1024u

struct safetensors_file {
    file_bytes bytes;
    uint64_t data_at;
    size_t count;
    safetensors_tensor *tensors;
    json_t *header; /* owns the names */
};

/* By safetensors_dtype. */
static const struct {
    const char *name;
    uint64_t bits;
} dtypes[] = {{NULL, 0},      {"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},
              {"F6_E3M2", 6}, {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},
              {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
              {"I16", 16},    {"U16", 16},    {"F16", 16},        {"BF16", 16},
              {"I32", 32},    {"U32", 32},    {"F32", 32},        {"C64", 64},
              {"F64", 64},    {"I64", 64},    {"U64", 64}};

const char *safetensors_dtype_name(safetensors_dtype dtype)
{
    return dtype >= SAFETENSORS_BOOL && dtype <= SAFETENSORS_U64 ? dtypes[dtype].name : "unknown";
}

/* "FILE: tensor "NAME": PROBLEM" */
static posemb_status fail_tensor(const safetensors_file *file, const char *name,
                                 const char *problem, posemb_error *error)
{
    char shown[NAME_SHOWN_SIZE];

    escape_text(name, strlen(name), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: tensor \"%s\": %s",
                        file->bytes.shown, shown, problem);
}

/* ---- The header's text */

/* A header being read. What fails records the status, and returns false. */
typedef struct header_reader {
    safetensors_file *file;
    posemb_status status;
    posemb_error *error;
} header_reader;

static bool record(header_reader *header, posemb_status status)
{
    header->status = status;
    return status == POSEMB_OK;
}

static bool fail_header(header_reader *header, size_t at, const char *problem)
{
    return record(header, posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                                       "%s: header, byte %zu: %s", header->file->bytes.shown,
                                       LENGTH_SIZE + at, problem));
}

static bool fail_memory(header_reader *header)
{
    return record(header, posemb__fail(header->error, POSEMB_OUT_OF_MEMORY, 0,
                                       "%s: header: no memory for it", header->file->bytes.shown));
}

static bool read_length(header_reader *header)
{
    safetensors_file *file = header->file;
    unsigned char bytes[LENGTH_SIZE];

    if (!record(header, file_bytes_read(&file->bytes, 0, sizeof bytes, bytes, header->error)))
        return false;

    const uint64_t left = file->bytes.size - LENGTH_SIZE;
    const uint64_t size = load_u64(bytes);

    if (size < 2 || size > HEADER_MAX || size > left)
        return record(header,
                      posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                                   "%s: header length: %" PRIu64 ", outside 2 ... %" PRIu64,
                                   file->bytes.shown, size, left < HEADER_MAX ? left : HEADER_MAX));
    file->data_at = LENGTH_SIZE + size;
    return true;
}

typedef struct nesting {
    bool in_string;
    bool escaped;
    unsigned depth;
    unsigned commas;
} nesting;

/* Follow one byte of JSON; what is wrong with it, or NULL. The parser finds what is no JSON. */
static const char *follow(nesting *state, char byte)
{
    if (state->in_string) {
        state->in_string = byte != '"' || state->escaped;
        state->escaped = byte == '\\' && !state->escaped;
        return NULL;
    }
    if (byte == '-')
        return "a minus sign: shapes and offsets are whole numbers >= 0";
    if (byte == '"')
        state->in_string = true;
    if (byte == ',' && ++state->commas > COMMAS_MAX)
        return "too many entries";
    if ((byte == '{' || byte == '[') && ++state->depth > DEPTH_MAX)
        return "nested too deep";
    if ((byte == '}' || byte == ']') && state->depth > 0)
        state->depth--;
    return NULL;
}

/* What the JSON parser would let pass, or would spend too much memory on. */
static bool check_text(header_reader *header, const char *text, size_t size)
{
    nesting state = {0};
    size_t end = size;

    if (text[0] != '{')
        return fail_header(header, 0, "it does not begin with '{'");
    while (text[end - 1] == ' ')
        end--;
    if (text[end - 1] != '}')
        return fail_header(header, end - 1, "not '}', which only spaces may follow");
    for (size_t i = 0; i < end; i++) {
        const char *problem = follow(&state, text[i]);

        if (problem)
            return fail_header(header, i, problem);
    }
    return true;
}

static bool parse_json(header_reader *header, const char *text, size_t size)
{
    json_error_t why;
    char shown[NAME_SHOWN_SIZE];

    header->file->header = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (header->file->header)
        return true;
    if (json_error_code(&why) == json_error_out_of_memory || !why.text[0]) /* or it says nothing */
        return fail_memory(header);
    escape_text(why.text, strlen(why.text), shown, sizeof shown);
    return fail_header(header, (size_t)why.position, shown);
}

static bool read_json(header_reader *header)
{
    const file_bytes *bytes = &header->file->bytes;
    const size_t size = (size_t)(header->file->data_at - LENGTH_SIZE);
    char *text = malloc(size + 1);

    if (!text)
        return fail_memory(header);

    const bool done =
        record(header, file_bytes_read(bytes, LENGTH_SIZE, size, text, header->error)) &&
        check_text(header, text, size) && parse_json(header, text, size);

    free(text);
    return done;
}

/* ---- The header's entries */

/* "FILE: tensor "NAME": FIELD: PROBLEM, found VALUE" */
static bool fail_value(header_reader *header, const char *name, const char *field,
                       const char *problem, const json_t *value)
{
    char json[32] = {0};
    char shown[2][48];
    char text[192];
    const size_t full = json_dumpb(value, json, sizeof json, JSON_ENCODE_ANY | JSON_COMPACT);

    escape_text(field, strlen(field), shown[0], sizeof shown[0]);
    escape_text(json, strnlen(json, sizeof json), shown[1], sizeof shown[1]);
    snprintf(text, sizeof text, "%s: %s, found %s%s", shown[0], problem, shown[1],
             full > sizeof json ? "..." : "");
    return record(header, fail_tensor(header->file, name, text, header->error));
}

static bool check_metadata(header_reader *header, const char *name, json_t *entry)
{
    if (!json_is_object(entry))
        return fail_value(header, name, "entry", "not an object", entry);
    for (void *i = json_object_iter(entry); i; i = json_object_iter_next(entry, i))
        if (!json_is_string(json_object_iter_value(i)))
            return fail_value(header, name, json_object_iter_key(i), "not a string",
                              json_object_iter_value(i));
    return true;
}

/* Three different keys, all of them known, are the three keys. */
static bool check_keys(header_reader *header, const char *name, json_t *entry)
{
    if (!json_is_object(entry))
        return fail_value(header, name, "entry", "not an object", entry);
    for (void *i = json_object_iter(entry); i; i = json_object_iter_next(entry, i)) {
        const char *key = json_object_iter_key(i);

        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 &&
            strcmp(key, "data_offsets") != 0)
            return fail_value(header, name, key, "unknown key", json_object_iter_value(i));
    }
    return json_object_size(entry) == 3 ||
           fail_value(header, name, "entry", "not dtype, shape and data_offsets", entry);
}

static bool parse_dtype(header_reader *header, const json_t *value, safetensors_tensor *tensor)
{
    const char *text = json_string_value(value);

    for (safetensors_dtype i = SAFETENSORS_BOOL; text && i <= SAFETENSORS_U64; i++)
        if (strcmp(text, dtypes[i].name) == 0) {
            tensor->dtype = i;
            return true;
        }
    return fail_value(header, tensor->name, "dtype", "not one of the format", value);
}

static bool parse_numbers(header_reader *header, const char *name, const char *field,
                          const json_t *array, uint64_t *numbers)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *number = json_array_get(array, i);

        if (!json_is_integer(number) || json_integer_value(number) < 0)
            return fail_value(header, name, field, "not a whole number >= 0", number);
        numbers[i] = (uint64_t)json_integer_value(number);
    }
    return true;
}

/* Also counts the bytes that dtype and shape need; a sub-byte dtype must fill its last byte. */
static bool parse_shape(header_reader *header, const json_t *shape, safetensors_tensor *tensor)
{
    uint64_t count = 0;
    uint64_t bits = 0;

    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_RANK_MAX)
        return fail_value(header, tensor->name, "shape", "not an array of at most 8", shape);
    if (!parse_numbers(header, tensor->name, "shape", shape, tensor->shape))
        return false;
    tensor->rank = (uint32_t)json_array_size(shape);
    if (!shape_count(tensor->shape, tensor->rank, &count) ||
        !posemb__mul_u64(count, dtypes[tensor->dtype].bits, &bits)) {
        fail_value(header, tensor->name, "shape", "too large", shape);
        if (header->error)
            header->error->status = POSEMB_SIZE_OVERFLOW;
        return record(header, POSEMB_SIZE_OVERFLOW);
    }
    tensor->bytes = bits / 8;
    return bits % 8 == 0 ||
           fail_value(header, tensor->name, "shape", "its bits end within a byte", shape);
}

static bool parse_offsets(header_reader *header, const json_t *value, safetensors_tensor *tensor)
{
    static const char field[] = "data_offsets";
    const uint64_t data_size = header->file->bytes.size - header->file->data_at;
    uint64_t ends[2] = {0};

    if (!json_is_array(value) || json_array_size(value) != 2)
        return fail_value(header, tensor->name, field, "not an array of 2", value);
    if (!parse_numbers(header, tensor->name, field, value, ends))
        return false;
    if (ends[0] > ends[1])
        return fail_value(header, tensor->name, field, "its end lies before its begin", value);
    if (ends[1] > data_size)
        return fail_value(header, tensor->name, field, "beyond the end of the file", value);
    if (ends[1] - ends[0] != tensor->bytes)
        return fail_value(header, tensor->name, field, "not the size of shape and dtype", value);
    tensor->offset = header->file->data_at + ends[0];
    return true;
}

static bool parse_tensor(header_reader *header, const char *name, json_t *entry)
{
    safetensors_file *file = header->file;
    safetensors_tensor *tensor = &file->tensors[file->count];

    if (!check_keys(header, name, entry))
        return false;
    if (strlen(name) > NAME_MAX_BYTES)
        return fail_value(header, name, "name", "longer than 1024 bytes", entry);
    tensor->name = name;
    file->count++;
    return parse_dtype(header, json_object_get(entry, "dtype"), tensor) &&
           parse_shape(header, json_object_get(entry, "shape"), tensor) &&
           parse_offsets(header, json_object_get(entry, "data_offsets"), tensor);
}

static bool parse_entries(header_reader *header)
{
    safetensors_file *file = header->file;
    json_t *root = file->header;

    file->tensors = calloc(json_object_size(root) + 1, sizeof *file->tensors);
    if (!file->tensors)
        return fail_memory(header);
    for (void *i = json_object_iter(root); i; i = json_object_iter_next(root, i)) {
        const char *name = json_object_iter_key(i);
        const bool metadata = strcmp(name, "__metadata__") == 0;

        if (!(metadata ? check_metadata : parse_tensor)(header, name, json_object_iter_value(i)))
            return false;
    }
    return true;
}

/* By place in the file; several tensors of no bytes may share one, and go by name. */
static int compare_places(const void *left, const void *right)
{
    const safetensors_tensor *a = left;
    const safetensors_tensor *b = right;

    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The tensors must cover the data section without a hole, an overlap or a rest. */
static bool check_cover(header_reader *header)
{
    const safetensors_file *file = header->file;
    uint64_t at = file->data_at;

    qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
    for (size_t i = 0; i < file->count; i++) {
        const safetensors_tensor *tensor = &file->tensors[i];
        const char *problem = tensor->offset > at ? "data_offsets: a hole lies before it"
                                                  : "data_offsets: overlaps another tensor";

        if (tensor->offset != at)
            return record(header, fail_tensor(file, tensor->name, problem, header->error));
        at += tensor->bytes;
    }
    return at == file->bytes.size ||
           record(header, posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                                       "%s: data: %" PRIu64 " bytes after the last tensor",
                                       file->bytes.shown, file->bytes.size - at));
}

posemb_status safetensors_open(const char *path, safetensors_file **file, posemb_error *error)
{
    safetensors_file *made = calloc(1, sizeof *made);
    header_reader header = {.file = made, .error = error};

    *file = NULL;
    if (!made)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "file: no memory to open one");

    posemb_status status = file_bytes_open(path, &made->bytes, error);

    if (status == POSEMB_OK && !(read_length(&header) && read_json(&header) &&
                                 parse_entries(&header) && check_cover(&header)))
        status = header.status;
    *file = status == POSEMB_OK ? made : NULL;
    if (status != POSEMB_OK)
        safetensors_close(made);
    return status;
}

void safetensors_close(safetensors_file *file)
{
    if (!file)
        return;
    json_decref(file->header);
    free(file->tensors);
    file_bytes_close(&file->bytes);
    free(file);
}

/* ---- The list and the data */

size_t safetensors_count(const safetensors_file *file)
{
    return file->count;
}

const safetensors_tensor *safetensors_at(const safetensors_file *file, size_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

posemb_status safetensors_read(const safetensors_file *file, const safetensors_tensor *tensor,
                               void *destination, size_t capacity, posemb_error *error)
{
    if (tensor->bytes > capacity)
        return posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                            "%s: data: a buffer of %zu bytes for %" PRIu64, file->bytes.shown,
                            capacity, tensor->bytes);
    return file_bytes_read(&file->bytes, tensor->offset, (size_t)tensor->bytes, destination, error);
}
