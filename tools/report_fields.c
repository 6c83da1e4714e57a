/* Typed fields of one JSON object. */
#include "report_fields.h"

#include "file_bytes.h"
#include "status.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TIME_MAX      1e9
#define MAGNITUDE_MAX 1e300
#define COUNT_MAX     ((json_int_t)1 << 53)
#define SIZE_MOST     ((json_int_t)1 << 32)
#define TEXT_MAX      4096u
#define SHOWN_SIZE    64u

posemb_status fields_refuse(const struct field_reader *reader, const char *format, ...)
{
    char message[POSEMB_MESSAGE_SIZE];
    va_list values;

    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    return posemb__fail(reader->error, POSEMB_INVALID_ARGUMENT, 0, "%s: line %zu: %s", reader->file,
                        reader->line, message);
}

static posemb_status refuse_value(const struct field_reader *reader, const struct field *field,
                                  const char *wanted, const json_t *value)
{
    char json[40] = {0};
    char shown[SHOWN_SIZE];
    const size_t full = json_dumpb(value, json, sizeof json, JSON_ENCODE_ANY | JSON_COMPACT);

    escape_text(json, strnlen(json, sizeof json), shown, sizeof shown);
    return fields_refuse(reader, "%s: %s is needed, not %s%s", field->key, wanted, shown,
                         full > sizeof json ? "..." : "");
}

static bool read_text(const json_t *value, void *out)
{
    const char *text = json_string_value(value); /* NULL for what is none */

    if (text && strlen(text) <= TEXT_MAX)
        *(const char **)out = text;
    return text && strlen(text) <= TEXT_MAX;
}

static bool read_digest(const json_t *value, void *out)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *(const char **)out = text;
    return true;
}

static bool read_count(const json_t *value, void *out)
{
    const json_int_t number = json_integer_value(value);

    *(int64_t *)out = number;
    return json_is_integer(value) && number >= 0 && number <= COUNT_MAX;
}

static bool read_time(const json_t *value, void *out)
{
    *(double *)out = json_number_value(value);
    return json_is_number(value) && *(double *)out > 0.0 && *(double *)out <= TIME_MAX;
}

static bool read_magnitude(const json_t *value, void *out)
{
    *(double *)out = json_number_value(value);
    return json_is_number(value) && *(double *)out >= 0.0 && *(double *)out <= MAGNITUDE_MAX;
}

static bool read_bool(const json_t *value, void *out)
{
    *(bool *)out = json_is_true(value);
    return json_is_boolean(value);
}

static bool read_shape(const json_t *value, void *out)
{
    int64_t *shape = out;

    if (json_array_size(value) != 3) /* 0 for what is none */
        return false;
    for (size_t i = 0; i < 3; i++) {
        const json_t *size = json_array_get(value, i);

        shape[i] = json_integer_value(size);
        if (!json_is_integer(size) || shape[i] < 1 || shape[i] > SIZE_MOST)
            return false;
    }
    return true;
}

static bool read_texts(const json_t *value, void *out)
{
    const char *key;
    json_t *text;

    if (!json_is_object(value))
        return false;
    json_object_foreach((json_t *)value, key,
                        text) if (!json_is_string(text) ||
                                  json_string_length(text) > TEXT_MAX) return false;
    *(const json_t **)out = value;
    return true;
}

static const struct {
    const char *wanted;
    bool (*read)(const json_t *value, void *out);
} kinds[] = {
    [FIELD_TEXT] = {"a text of up to 4096 bytes", read_text},
    [FIELD_DIGEST] = {"a digest of 16 lower-case hexadecimal digits", read_digest},
    [FIELD_COUNT] = {"a whole number in 0 ... 2^53", read_count},
    [FIELD_TIME] = {"a number above 0, at most 1e9,", read_time},
    [FIELD_MAGNITUDE] = {"a number in 0 ... 1e300", read_magnitude},
    [FIELD_BOOL] = {"true or false", read_bool},
    [FIELD_SHAPE] = {"[B, S, D], each a whole number in 1 ... 2^32,", read_shape},
    [FIELD_TEXTS] = {"an object of texts", read_texts},
};

static void make_absent(enum field_kind kind, void *out)
{
    if (kind == FIELD_TEXT || kind == FIELD_DIGEST)
        *(const char **)out = "";
    else if (kind == FIELD_COUNT)
        *(int64_t *)out = -1;
}

posemb_status fields_read(const struct field_reader *reader, const struct field *fields,
                          size_t count, void *structure)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(reader->object, fields[i].key);
        void *out = (unsigned char *)structure + fields[i].offset;

        if (!value && fields[i].is_needed)
            return fields_refuse(reader, "%s is missing", fields[i].key);
        if (!value || (json_is_null(value) && !fields[i].is_needed))
            make_absent(fields[i].kind, out);
        else if (!kinds[fields[i].kind].read(value, out))
            return refuse_value(reader, &fields[i], kinds[fields[i].kind].wanted, value);
    }
    return POSEMB_OK;
}
