/* A text in the making, and untrusted text in it. */
#include "markup.h"

#include "status.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_CAPACITY ((size_t)4096)

/* ---- The text */

/* Room for `size` more bytes and a NUL. */
static bool reserve(struct markup *markup, size_t size)
{
    size_t capacity = markup->capacity ? markup->capacity : LEAST_CAPACITY;
    char *bytes;

    if (markup->failed || size >= SIZE_MAX / 4 - markup->size) {
        markup->failed = true;
        return false;
    }
    while (capacity <= markup->size + size)
        capacity *= 2;
    if (capacity == markup->capacity)
        return true;
    bytes = realloc(markup->bytes, capacity);
    if (!bytes) {
        markup->failed = true;
        return false;
    }
    markup->bytes = bytes;
    markup->capacity = capacity;
    return true;
}

static void add(struct markup *markup, const char *text, size_t size)
{
    if (!reserve(markup, size))
        return;
    memcpy(markup->bytes + markup->size, text, size);
    markup->size += size;
    markup->bytes[markup->size] = '\0';
}

void markup_add(struct markup *markup, const char *text)
{
    add(markup, text, strlen(text));
}

void markup_format(struct markup *markup, const char *format, ...)
{
    va_list values;
    int size;

    va_start(values, format);
    size = vsnprintf(NULL, 0, format, values);
    va_end(values);
    if (size < 0)
        markup->failed = true;
    if (size < 0 || !reserve(markup, (size_t)size))
        return;
    va_start(values, format);
    vsnprintf(markup->bytes + markup->size, (size_t)size + 1, format, values);
    va_end(values);
    markup->size += (size_t)size;
}

/* ---- Untrusted text */

#define NO_CHARACTER UINT32_MAX

/* The character at `text`, and how many bytes it has; NO_CHARACTER and 1 for what is not UTF-8. */
static uint32_t decode(const unsigned char *text, size_t *size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = text[0];
    const size_t length = first < 0x80             ? 1
                          : (first & 0xe0) == 0xc0 ? 2
                          : (first & 0xf0) == 0xe0 ? 3
                          : (first & 0xf8) == 0xf0 ? 4
                                                   : 0;
    uint32_t character = length > 1 ? first & (0x7fu >> length) : first;

    *size = 1;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) /* the NUL at the end is none either */
            return NO_CHARACTER;
        character = character << 6 | (text[i] & 0x3f);
    }
    if (length == 0 || character < least[length] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return NO_CHARACTER;
    *size = length;
    return character;
}

/* Characters that show nothing, or change what is shown around them. */
static bool is_hidden(uint32_t character)
{
    static const uint32_t ranges[][2] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},   {0x180e, 0x180e},
        {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},  {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
        {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff}};

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (character >= ranges[i][0] && character <= ranges[i][1])
            return true;
    return (character & 0xfffe) == 0xfffe;
}

/* What stands for a character of ASCII, or NULL: itself. */
typedef const char *(*replacement_of)(uint32_t character);

static const char *replace_in_xml(uint32_t character)
{
    switch (character) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Markdown takes HTML too. */
static const char *replace_in_markdown(uint32_t character)
{
    switch (character) {
    case '|':
        return "\\|";
    case '\\':
        return "\\\\";
    case '`':
        return "\\`";
    case '*':
        return "\\*";
    case '_':
        return "\\_";
    case '[':
        return "\\[";
    case ']':
        return "\\]";
    case '!':
        return "\\!";
    case '~':
        return "\\~";
    default:
        return replace_in_xml(character);
    }
}

static void escape(struct markup *markup, const char *text, replacement_of replacement)
{
    size_t size;

    for (; *text; text += size) {
        const uint32_t character = decode((const unsigned char *)text, &size);
        const char *other = replacement(character);

        if (character == NO_CHARACTER)
            markup_add(markup, "\xef\xbf\xbd");
        else if (is_hidden(character))
            markup_format(markup, "%su%04x", replacement('\\') ? replacement('\\') : "\\",
                          (unsigned)character);
        else if (other)
            markup_add(markup, other);
        else
            add(markup, text, size);
    }
}

void markup_escape(struct markup *markup, const char *text)
{
    escape(markup, text, replace_in_xml);
}

void markup_escape_cell(struct markup *markup, const char *text)
{
    escape(markup, text, replace_in_markdown);
}

/* ---- The end */

posemb_status markup_check(const struct markup *markup, posemb_error *error)
{
    if (!markup->failed)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "there is no memory for the report");
}

void markup_free(struct markup *markup)
{
    free(markup->bytes);
    *markup = (struct markup){0};
}
