/* Golden files. */
#include "support/golden.h"

#include "file_bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *golden_folder;

/* ---- Files */

void *golden_array(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    assert_non_null(memory);
    return memory;
}

void golden_path(const char *name, char path[GOLDEN_PATH_SIZE])
{
    const int length = snprintf(path, GOLDEN_PATH_SIZE, "%s/%s", golden_folder, name);

    assert_true(length > 0 && length < GOLDEN_PATH_SIZE);
}

char *golden_read_file(const char *name, size_t *size)
{
    char path[GOLDEN_PATH_SIZE];
    file_bytes file;
    posemb_error error = {.message = ""};
    char *text;

    golden_path(name, path);
    if (file_bytes_open(path, &file, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    text = golden_array((size_t)file.size + 1, 1);
    if (file_bytes_read(&file, 0, (size_t)file.size, text, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    file_bytes_close(&file);
    *size = (size_t)file.size;
    return text;
}

/* ---- Lines */

size_t tsv_count(const char *text, char byte)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == byte;
    return count;
}

/* Cut a line at its tabs. */
static void split_line(const struct tsv *tsv, char *line, const char **fields)
{
    if (tsv_count(line, '\t') + 1 != tsv->columns)
        fail_msg("%s: a line without %zu fields: %s", tsv->name, tsv->columns, line);
    for (size_t column = 0; column < tsv->columns; column++) {
        const size_t length = strcspn(line, "\t");

        if (length == 0)
            fail_msg("%s: an empty field", tsv->name);
        line[length] = '\0';
        fields[column] = line;
        line += length + 1;
    }
}

struct tsv tsv_open(const char *name)
{
    struct tsv tsv = {.name = name};
    size_t size;
    char *line;

    tsv.text = golden_read_file(name, &size);
    assert_int_equal(strlen(tsv.text), size);
    assert_true(size > 0 && tsv.text[size - 1] == '\n');
    tsv.lines = tsv_count(tsv.text, '\n') - 1;
    line = strchr(tsv.text, '\n');
    *line = '\0';
    tsv.columns = tsv_count(tsv.text, '\t') + 1;
    assert_in_range(tsv.columns, 1, TSV_COLUMNS_MAX);
    tsv.fields = golden_array((tsv.lines + 1) * tsv.columns, sizeof *tsv.fields);
    split_line(&tsv, tsv.text, tsv.fields);
    for (size_t n = 1; n <= tsv.lines; n++) {
        char *const begin = line + 1;

        line = strchr(begin, '\n');
        *line = '\0';
        split_line(&tsv, begin, tsv.fields + n * tsv.columns);
    }
    return tsv;
}

void tsv_close(struct tsv *tsv)
{
    free(tsv->fields);
    free(tsv->text);
}

struct tsv_line tsv_line_at(const struct tsv *tsv, size_t index)
{
    return (struct tsv_line){tsv, tsv->fields + (index + 1) * tsv->columns};
}

const char *tsv_field(const struct tsv_line *line, const char *column)
{
    for (size_t c = 0; c < line->tsv->columns; c++)
        if (strcmp(line->tsv->fields[c], column) == 0)
            return line->fields[c];
    fail_msg("%s has no column %s", line->tsv->name, column);
    return "";
}

bool tsv_has(const struct tsv_line *line, const char *column)
{
    return strcmp(tsv_field(line, column), "-") != 0;
}

double tsv_number(const char *text)
{
    char *end;
    const double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value))
        fail_msg("\"%s\" is no number", text);
    return value;
}

int64_t tsv_integer(const char *text)
{
    char *end;
    const long long value = strtoll(text, &end, 10);

    if (end == text || *end)
        fail_msg("\"%s\" is no integer", text);
    return value;
}

npy_array golden_read_npy(const char *name, npy_type type)
{
    char path[GOLDEN_PATH_SIZE];
    npy_array array;
    posemb_error error = {.message = ""};

    golden_path(name, path);
    if (npy_read(path, &array, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    if (array.type != type)
        fail_msg("%s has numbers of type %d, not %d", name, (int)array.type, (int)type);
    return array;
}
