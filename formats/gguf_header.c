/* The bytes of a GGUF file's header: bounded reads through a buffer, and messages that say where.
 */
#include "gguf_internal.h"

#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PART_SHOWN_SIZE (NAME_SHOWN_SIZE + 32u)

bool header_record(header_reader *header, posemb_status status)
{
    header->status = status;
    return status == POSEMB_OK;
}

bool header_fail_memory(header_reader *header)
{
    return header_record(header,
                         posemb__fail(header->error, POSEMB_OUT_OF_MEMORY, 0,
                                      "%s: header: no memory for it", header->file->bytes.shown));
}

static void show_part(const header_reader *header, char shown[PART_SHOWN_SIZE])
{
    char name[NAME_SHOWN_SIZE];

    if (!header->part) {
        snprintf(shown, PART_SHOWN_SIZE, "header");
    } else if (!header->name) {
        snprintf(shown, PART_SHOWN_SIZE, "%s %zu", header->part, header->index);
    } else {
        escape_text(header->name, strlen(header->name), name, sizeof name);
        snprintf(shown, PART_SHOWN_SIZE, "%s \"%s\"", header->part, name);
    }
}

bool header_fail_field(header_reader *header, posemb_status status, const char *field,
                       const char *problem)
{
    char part[PART_SHOWN_SIZE];

    show_part(header, part);
    return header_record(
        header, posemb__fail(header->error, status, 0, "%s: %s, byte %" PRIu64 ": %s: %s",
                             header->file->bytes.shown, part, header->field_at, field, problem));
}

bool header_fail_value(header_reader *header, const char *field, const char *problem,
                       uint64_t value)
{
    char text[160];

    snprintf(text, sizeof text, "%s, found %" PRIu64, problem, value);
    return header_fail_field(header, POSEMB_INVALID_ARGUMENT, field, text);
}

bool header_fail_named(header_reader *header, const char *name, const char *problem)
{
    char part[PART_SHOWN_SIZE];

    header->name = name;
    show_part(header, part);
    return header_record(header,
                         posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0, "%s: %s: %s",
                                      header->file->bytes.shown, part, problem));
}

uint64_t header_left(const header_reader *header)
{
    return header->file->bytes.size - header->at;
}

static bool require_left(header_reader *header, const char *field, uint64_t size)
{
    char problem[96];

    if (size <= header_left(header))
        return true;
    snprintf(problem, sizeof problem,
             "%" PRIu64 " bytes are needed, but the file has only %" PRIu64, size,
             header_left(header));
    return header_fail_field(header, POSEMB_INVALID_ARGUMENT, field, problem);
}

static bool fill_buffer(header_reader *header)
{
    const uint64_t left = header_left(header);

    header->buffer_at = header->at;
    header->buffered = left < GGUF_BUFFER_SIZE ? (size_t)left : GGUF_BUFFER_SIZE;
    return header_record(header, file_bytes_read(&header->file->bytes, header->at, header->buffered,
                                                 header->buffer, header->error));
}

bool header_take(header_reader *header, const char *field, size_t size, const unsigned char **bytes)
{
    header->field_at = header->at;
    if (!require_left(header, field, size))
        return false;

    const uint64_t used = header->at - header->buffer_at;

    if ((used > header->buffered || size > header->buffered - used) && !fill_buffer(header))
        return false;
    *bytes = header->buffer + (header->at - header->buffer_at);
    header->at += size;
    return true;
}

bool header_skip(header_reader *header, const char *field, uint64_t size)
{
    header->field_at = header->at;
    if (!require_left(header, field, size))
        return false;
    header->at += size;
    return true;
}

bool header_read_u32(header_reader *header, const char *field, uint32_t *value)
{
    const unsigned char *bytes;

    if (!header_take(header, field, sizeof *value, &bytes))
        return false;
    *value = load_u32(bytes);
    return true;
}

bool header_read_u64(header_reader *header, const char *field, uint64_t *value)
{
    const unsigned char *bytes;

    if (!header_take(header, field, sizeof *value, &bytes))
        return false;
    *value = load_u64(bytes);
    return true;
}

bool header_read_length(header_reader *header, const char *field, uint64_t most, uint64_t *length)
{
    if (!header_read_u64(header, field, length))
        return false;
    if (*length > most)
        return header_fail_value(header, field, "too long", *length);
    return require_left(header, field, *length);
}

bool header_read_text(header_reader *header, const char *field, size_t length, char *text)
{
    const unsigned char *bytes;

    text[length] = '\0';
    if (length <= GGUF_BUFFER_SIZE) {
        if (!header_take(header, field, length, &bytes))
            return false;
        memcpy(text, bytes, length);
        return true;
    }
    return header_record(header, file_bytes_read(&header->file->bytes, header->at, length, text,
                                                 header->error)) &&
           header_skip(header, field, length);
}

bool header_check_name(header_reader *header, const char *field, const char *name, size_t length)
{
    return !memchr(name, '\0', length) ||
           header_fail_field(header, POSEMB_INVALID_ARGUMENT, field, "holds a NUL");
}
