#include "tensors.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 32u /* of a GGUF file that does not say otherwise */

/* `number`: ggml's; that of types which only safetensors has is never read. */
static const struct type_row {
    const char *name;
    uint32_t number;
    uint32_t block;
    uint32_t bytes; /* of a block */
} types[] = {
    {"F32", 0, 1, 4},       {"F16", 1, 1, 2},       {"Q4_0", 2, 32, 18},    {"Q4_1", 3, 32, 20},
    {"Q5_0", 6, 32, 22},    {"Q5_1", 7, 32, 24},    {"Q8_0", 8, 32, 34},    {"Q2_K", 10, 256, 84},
    {"Q3_K", 11, 256, 110}, {"Q4_K", 12, 256, 144}, {"Q5_K", 13, 256, 176}, {"Q6_K", 14, 256, 210},
    {"IQ4_NL", 20, 32, 18}, {"I8", 24, 1, 1},       {"I32", 26, 1, 4},      {"F64", 28, 1, 8},
    {"BF16", 30, 1, 2},     {"U8", 99, 1, 1},       {"BOOL", 99, 1, 1},     {"F8_E4M3", 99, 1, 1},
};

static _Noreturn void stop(const char *why, const char *what)
{
    fprintf(stderr, "tensors: %s: %s\n", what, why);
    abort();
}

static const struct type_row *type_of(const struct test_tensor *tensor)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, tensor->type) == 0)
            return &types[i];
    stop("not a type", tensor->type);
}

size_t test_tensor_bytes(const struct test_tensor *tensor)
{
    const struct type_row *type = type_of(tensor);
    size_t count = 1;

    for (uint32_t i = 0; i < tensor->rank; i++)
        count *= (size_t)tensor->shape[i];
    return count / type->block * type->bytes;
}

/* ---- Lists */

static void parse_shape(const char *text, struct test_tensor *tensor)
{
    while (*text && *text != '-') {
        char *end = NULL;

        if (tensor->rank == TEST_RANK_MAX)
            stop("too many dimensions", tensor->name);
        tensor->shape[tensor->rank++] = strtoull(text, &end, 10);
        text = end + (*end == ',');
    }
}

void test_tensors_parse(const char *list, struct test_tensors *tensors)
{
    char shape[64];
    int read = 0;

    memset(tensors, 0, sizeof *tensors);
    for (;; list += read) {
        struct test_tensor item = {.data = NULL};

        if (sscanf(list, " %255s %15s %63s%n", item.name, item.type, shape, &read) != 3)
            return;
        if (tensors->count == TEST_TENSORS_MAX)
            stop("too many tensors", item.name);
        parse_shape(shape, &item);
        tensors->items[tensors->count++] = item;
    }
}

/* ---- Writing */

struct writer {
    unsigned char *file;
    size_t capacity;
    size_t used;
};

static void put(struct writer *to, const void *bytes, size_t size)
{
    if (size > to->capacity - to->used)
        stop("no room", "file");
    if (size > 0)
        memcpy(to->file + to->used, bytes, size);
    to->used += size;
}

/* Little-endian. */
static void put_number(struct writer *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)(value >> 8 * i);

        put(to, &byte, 1);
    }
}

static void put_text(struct writer *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put_text(struct writer *to, const char *format, ...)
{
    char text[512];
    va_list values;
    int length;

    va_start(values, format);
    length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (length < 0 || length >= (int)sizeof text)
        stop("a text is too long", format);
    put(to, text, (size_t)length);
}

static void pad(struct writer *to, size_t alignment)
{
    while (to->used % alignment != 0)
        put_number(to, 0, 1);
}

/* The data section, from where the writer is; each tensor at a multiple of the alignment. */
static void put_data(struct writer *to, const struct test_tensors *tensors, size_t alignment)
{
    const size_t start = to->used;

    for (size_t i = 0; i < tensors->count; i++) {
        const struct test_tensor *tensor = &tensors->items[i];
        const size_t bytes = test_tensor_bytes(tensor);

        if (tensor->data)
            put(to, tensor->data, bytes);
        else
            for (size_t end = to->used + bytes; to->used < end;)
                put_number(to, to->used - start, 1);
        pad(to, alignment);
    }
}

size_t test_tensors_to_safetensors(const struct test_tensors *tensors, unsigned char *file,
                                   size_t capacity)
{
    struct writer to = {file, capacity, 0};
    struct writer length = {file, 8, 0};
    size_t offset = 0;

    put_number(&to, 0, 8);
    put_text(&to, "{");
    for (size_t i = 0; i < tensors->count; i++) {
        const struct test_tensor *tensor = &tensors->items[i];
        const size_t end = offset + test_tensor_bytes(tensor);

        put_text(&to, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", tensor->name,
                 tensor->type);
        for (uint32_t k = 0; k < tensor->rank; k++)
            put_text(&to, "%s%llu", k ? "," : "", (unsigned long long)tensor->shape[k]);
        put_text(&to, "],\"data_offsets\":[%zu,%zu]}", offset, end);
        offset = end;
    }
    put_text(&to, "}");
    put_number(&length, to.used - 8, 8);
    put_data(&to, tensors, 1);
    return to.used;
}

static void put_string(struct writer *to, const char *text)
{
    put_number(to, strlen(text), 8);
    put(to, text, strlen(text));
}

static void put_value(struct writer *to, const char *type, const char *value)
{
    if (strcmp(type, "str") == 0) {
        put_number(to, 8, 4);
        put_string(to, value);
    } else if (strcmp(type, "f32") == 0) {
        const float number = strtof(value, NULL);

        put_number(to, 6, 4);
        put(to, &number, sizeof number);
    } else if (strcmp(type, "f64") == 0) {
        const double number = strtod(value, NULL);

        put_number(to, 12, 4);
        put(to, &number, sizeof number);
    } else if (strcmp(type, "bool") == 0) {
        put_number(to, 7, 4);
        put_number(to, strcmp(value, "true") == 0, 1);
    } else {
        put_number(to, strcmp(type, "u32") == 0 ? 4 : 5, 4);
        put_number(to, (uint64_t)strtoll(value, NULL, 10), 4);
    }
}

/* Returns how many there are. */
static uint64_t put_keys(struct writer *to, const char *keys)
{
    uint64_t count = 0;
    char key[128];
    char type[8];
    char value[128];
    int read = 0;

    for (; sscanf(keys, " %127s %7s %127s%n", key, type, value, &read) == 3; keys += read) {
        put_string(to, key);
        put_value(to, type, value);
        count++;
    }
    return count;
}

static void put_infos(struct writer *to, const struct test_tensors *tensors)
{
    size_t offset = 0;

    for (size_t i = 0; i < tensors->count; i++) {
        const struct test_tensor *tensor = &tensors->items[i];

        put_string(to, tensor->name);
        put_number(to, tensor->rank, 4);
        for (uint32_t k = tensor->rank; k-- > 0;) /* the innermost comes first */
            put_number(to, tensor->shape[k], 8);
        put_number(to, type_of(tensor)->number, 4);
        put_number(to, offset, 8);
        offset += (test_tensor_bytes(tensor) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}

size_t test_tensors_to_gguf(const char *keys, const struct test_tensors *tensors,
                            unsigned char *file, size_t capacity)
{
    struct writer to = {file, capacity, 0};
    struct writer count = {file, 24, 16};

    put(&to, "GGUF", 4);
    put_number(&to, 3, 4);
    put_number(&to, tensors->count, 8);
    put_number(&to, 0, 8);
    put_number(&count, put_keys(&to, keys), 8);
    put_infos(&to, tensors);
    pad(&to, ALIGNMENT);
    put_data(&to, tensors, ALIGNMENT);
    return to.used;
}
