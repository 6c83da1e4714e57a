/* The metadata of GGUF files: keys and values, checked as they are read, and looked up. */
#include "checked_math.h"
#include "gguf_internal.h"
#include "gguf_types.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX           65535u
#define STRING_MAX        ((uint64_t)1 << 26)
#define KEPT_MAX          ((uint64_t)1 << 26) /* of keys and their strings together */
#define ALIGNMENT_KEY     "general.alignment"
#define ALIGNMENT_DEFAULT 32u
#define ALIGNMENT_MAX     ((uint64_t)1 << 20)

/* ---- Reading */

static bool read_type(header_reader *header, const char *field, gguf_type *type)
{
    uint32_t number = 0;

    if (!header_read_u32(header, field, &number))
        return false;
    if (number > GGUF_F64)
        return header_fail_value(header, field, "not one of the format", number);
    *type = (gguf_type)number;
    return true;
}

/* A small file may be sparse and say that it is large. */
static bool keep(header_reader *header, const char *field, uint64_t length)
{
    header->kept += length;
    return header->kept <= KEPT_MAX ||
           header_fail_value(header, field, "with it more than 64 MiB of keys and strings",
                             header->kept);
}

static bool read_key(header_reader *header, gguf_entry *entry)
{
    uint64_t length = 0;

    if (!header_read_length(header, "key", KEY_MAX, &length))
        return false;
    if (length == 0)
        return header_fail_field(header, POSEMB_INVALID_ARGUMENT, "key", "empty");
    if (!keep(header, "key", length))
        return false;
    entry->key = malloc((size_t)length + 1);
    if (!entry->key)
        return header_fail_memory(header);
    entry->value.key = entry->key;
    if (!header_read_text(header, "key", (size_t)length, entry->key))
        return false;
    header->name = entry->key;
    return header_check_name(header, "key", entry->key, (size_t)length);
}

static bool read_string(header_reader *header, gguf_entry *entry)
{
    if (!header_read_length(header, "string", STRING_MAX, &entry->value.count) ||
        !keep(header, "string", entry->value.count))
        return false;
    entry->text = malloc((size_t)entry->value.count + 1);
    if (!entry->text)
        return header_fail_memory(header);
    entry->value.text = entry->text;
    return header_read_text(header, "string", (size_t)entry->value.count, entry->text);
}

static bool skip_strings(header_reader *header, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t length = 0;

        if (!header_read_length(header, "string of the array", STRING_MAX, &length) ||
            !header_skip(header, "string of the array", length))
            return false;
    }
    return true;
}

static bool check_bool(header_reader *header, unsigned value)
{
    return value <= 1 || header_fail_value(header, "bool", "neither 0 nor 1", value);
}

static bool skip_bools(header_reader *header, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *byte;

        if (!header_take(header, "bool", 1, &byte) || !check_bool(header, *byte))
            return false;
    }
    return true;
}

/* Its elements are checked, but not kept. Arrays in arrays would need a stack. */
static bool read_array(header_reader *header, gguf_value *value)
{
    if (!read_type(header, "type of the elements", &value->element))
        return false;
    if (value->element == GGUF_ARRAY)
        return header_fail_field(header, POSEMB_INVALID_ARGUMENT, "type of the elements",
                                 "arrays in an array");
    if (!header_read_u64(header, "count of elements", &value->count))
        return false;

    const uint32_t size = gguf_type_size(value->element);
    uint64_t bytes = 0;

    if (!posemb__mul_u64(value->count, size, &bytes) || bytes > header_left(header))
        return header_fail_value(header, "count of elements", "more than the file has room for",
                                 value->count);
    if (value->element == GGUF_STRING)
        return skip_strings(header, value->count);
    if (value->element == GGUF_BOOL)
        return skip_bools(header, value->count);
    return header_skip(header, "elements", bytes);
}

static double load_f32(const unsigned char *bytes)
{
    float value;

    memcpy(&value, bytes, sizeof value);
    return (double)value;
}

static double load_f64(const unsigned char *bytes)
{
    double value;

    memcpy(&value, bytes, sizeof value);
    return value;
}

static bool read_number(header_reader *header, gguf_value *value)
{
    const unsigned char *bytes;

    if (!header_take(header, "value", gguf_type_size(value->type), &bytes))
        return false;
    switch (value->type) {
    case GGUF_BOOL:
        value->unsigned_value = bytes[0];
        return check_bool(header, bytes[0]);
    case GGUF_U8:
        value->unsigned_value = bytes[0];
        return true;
    case GGUF_U16:
        value->unsigned_value = load_u16(bytes);
        return true;
    case GGUF_U32:
        value->unsigned_value = load_u32(bytes);
        return true;
    case GGUF_U64:
        value->unsigned_value = load_u64(bytes);
        return true;
    case GGUF_I8:
        value->signed_value = bytes[0] < 128 ? bytes[0] : bytes[0] - 256;
        return true;
    case GGUF_I16:
        value->signed_value = (int16_t)load_u16(bytes);
        return true;
    case GGUF_I32:
        value->signed_value = (int32_t)load_u32(bytes);
        return true;
    case GGUF_I64:
        value->signed_value = (int64_t)load_u64(bytes);
        return true;
    case GGUF_F32:
        value->float_value = load_f32(bytes);
        return true;
    default: /* F64; strings and arrays do not come here */
        value->float_value = load_f64(bytes);
        return true;
    }
}

static bool read_value(header_reader *header, gguf_entry *entry)
{
    switch (entry->value.type) {
    case GGUF_STRING:
        return read_string(header, entry);
    case GGUF_ARRAY:
        return read_array(header, &entry->value);
    default:
        return read_number(header, &entry->value);
    }
}

static int compare_keys(const void *left, const void *right)
{
    return strcmp((*(const gguf_value *const *)left)->key,
                  (*(const gguf_value *const *)right)->key);
}

static bool sort_keys(header_reader *header)
{
    gguf_file *file = header->file;

    for (size_t i = 0; i < file->value_count; i++)
        file->by_key[i] = &file->entries[i].value;
    qsort(file->by_key, file->value_count, sizeof *file->by_key, compare_keys);
    for (size_t i = 1; i < file->value_count; i++)
        if (compare_keys(&file->by_key[i - 1], &file->by_key[i]) == 0)
            return header_fail_named(header, file->by_key[i]->key, "comes twice");
    return true;
}

static bool read_alignment(header_reader *header, const gguf_value *value)
{
    const uint64_t alignment = value->unsigned_value;
    char problem[64];

    if (value->type != GGUF_U32) {
        snprintf(problem, sizeof problem, "not a uint32, found %s", gguf_type_name(value->type));
        return header_fail_field(header, POSEMB_INVALID_ARGUMENT, "alignment", problem);
    }
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > ALIGNMENT_MAX)
        return header_fail_value(header, "alignment", "not a power of two of at most 1048576",
                                 alignment);
    header->file->alignment = alignment;
    return true;
}

static bool read_entry(header_reader *header, gguf_entry *entry)
{
    if (!read_key(header, entry) || !read_type(header, "type", &entry->value.type) ||
        !read_value(header, entry))
        return false;
    return strcmp(entry->key, ALIGNMENT_KEY) != 0 || read_alignment(header, &entry->value);
}

bool gguf_read_metadata(header_reader *header)
{
    gguf_file *file = header->file;

    file->alignment = ALIGNMENT_DEFAULT;
    header->part = "key";
    for (size_t i = 0; i < file->value_count; i++) {
        header->index = i;
        header->name = NULL;
        if (!read_entry(header, &file->entries[i]))
            return false;
    }
    return sort_keys(header);
}

/* ---- Looking up */

size_t gguf_value_count(const gguf_file *file)
{
    return file->value_count;
}

const gguf_value *gguf_value_at(const gguf_file *file, size_t index)
{
    return index < file->value_count ? &file->entries[index].value : NULL;
}

const gguf_value *gguf_value_find(const gguf_file *file, const char *key)
{
    const gguf_value named = {.key = key};
    const gguf_value *wanted = &named;
    const gguf_value **found =
        bsearch(&wanted, file->by_key, file->value_count, sizeof *file->by_key, compare_keys);

    return found ? *found : NULL;
}

/* "FILE: key "KEY": found FOUND, but WANTED is needed" */
static posemb_status fail_key(const gguf_file *file, const gguf_value *value, const char *found,
                              const char *wanted, posemb_error *error)
{
    char shown[NAME_SHOWN_SIZE];

    escape_text(value->key, strlen(value->key), shown, sizeof shown);
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: key \"%s\": found %s, but %s is needed", file->bytes.shown, shown,
                        found, wanted);
}

static posemb_status fail_type(const gguf_file *file, const gguf_value *value, const char *wanted,
                               posemb_error *error)
{
    return fail_key(file, value, gguf_type_name(value->type), wanted, error);
}

posemb_status gguf_get_u64(const gguf_file *file, const char *key, bool *has, uint64_t *value,
                           posemb_error *error)
{
    static const char wanted[] = "a whole number >= 0";
    const gguf_value *found = gguf_value_find(file, key);
    char number[24];

    *has = found != NULL;
    *value = 0;
    if (!found)
        return POSEMB_OK;
    switch (found->type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        *value = found->unsigned_value;
        return POSEMB_OK;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        if (found->signed_value < 0) {
            snprintf(number, sizeof number, "%" PRId64, found->signed_value);
            return fail_key(file, found, number, wanted, error);
        }
        *value = (uint64_t)found->signed_value;
        return POSEMB_OK;
    default:
        return fail_type(file, found, wanted, error);
    }
}

posemb_status gguf_get_f64(const gguf_file *file, const char *key, bool *has, double *value,
                           posemb_error *error)
{
    const gguf_value *found = gguf_value_find(file, key);

    *has = found != NULL;
    *value = 0;
    if (!found)
        return POSEMB_OK;
    if (found->type != GGUF_F32 && found->type != GGUF_F64)
        return fail_type(file, found, "float32 or float64", error);
    *value = found->float_value;
    return POSEMB_OK;
}

posemb_status gguf_get_bool(const gguf_file *file, const char *key, bool *has, bool *value,
                            posemb_error *error)
{
    const gguf_value *found = gguf_value_find(file, key);

    *has = found != NULL;
    *value = false;
    if (!found)
        return POSEMB_OK;
    if (found->type != GGUF_BOOL)
        return fail_type(file, found, "bool", error);
    *value = found->unsigned_value != 0;
    return POSEMB_OK;
}

posemb_status gguf_get_string(const gguf_file *file, const char *key, const char **text,
                              size_t *size, posemb_error *error)
{
    const gguf_value *found = gguf_value_find(file, key);

    *text = NULL;
    *size = 0;
    if (!found)
        return POSEMB_OK;
    if (found->type != GGUF_STRING)
        return fail_type(file, found, "string", error);
    *text = found->text;
    *size = (size_t)found->count;
    return POSEMB_OK;
}

posemb_status gguf_get_array_count(const gguf_file *file, const char *key, bool *has,
                                   gguf_type *element, uint64_t *count, posemb_error *error)
{
    const gguf_value *found = gguf_value_find(file, key);

    *has = found != NULL;
    *element = GGUF_U8;
    *count = 0;
    if (!found)
        return POSEMB_OK;
    if (found->type != GGUF_ARRAY)
        return fail_type(file, found, "array", error);
    *element = found->element;
    *count = found->count;
    return POSEMB_OK;
}
