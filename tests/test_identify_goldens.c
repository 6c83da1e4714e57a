/* posemb identify on the tables of other packages: every one that begins with consecutive positions
 * is named as tests/golden/index.tsv says. usage: test_identify_goldens FOLDER */
#include "identify.h"
#include "npy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 24, LEADING_MIN = 9, TABLES_MIN = 60 };

struct line {
    char text[4096];
    char *column[COLUMNS_MAX];
    int count;
};

/* Cut at the tabs; empty columns stay. */
static void split(struct line *line)
{
    char *at = line->text;

    line->count = 0;
    at[strcspn(at, "\r\n")] = '\0';
    while (at && line->count < COLUMNS_MAX) {
        line->column[line->count++] = at;
        at = strchr(at, '\t');
        if (at)
            *at++ = '\0';
    }
}

static const char *value_of(const struct line *header, const struct line *line, const char *name)
{
    for (int i = 0; i < header->count && i < line->count; i++)
        if (strcmp(header->column[i], name) == 0)
            return line->column[i];
    fprintf(stderr, "index.tsv has no column %s\n", name);
    exit(1);
}

/* How many positions at the front of "a:b" or "a,b,c" follow each other, and the first. */
static size_t count_leading(const char *positions, long *first)
{
    char *end;
    size_t count = 1;

    *first = strtol(positions, &end, 10);
    if (*end == ':')
        return (size_t)(strtol(end + 1, NULL, 10) - *first);
    while (*end == ',' && strtol(end + 1, &end, 10) == *first + (long)count)
        count++;
    return *end == '.' ? 0 : count; /* fractions are not rows of a table */
}

static bool has_name(const struct identified_form *form, const char *name)
{
    for (size_t i = 0; i < form->name_count; i++)
        if (strcmp(form->names[i], name) == 0)
            return true;
    return false;
}

/* Whether the table is what its line says; prints what is not. */
static bool check(const struct line *header, const struct line *line, const npy_array *array,
                  size_t rows, long first)
{
    const char *file = value_of(header, line, "file");
    const char *convention = value_of(header, line, "convention");
    const char *overrides = value_of(header, line, "overrides");
    const double base = strtod(value_of(header, line, "base"), NULL);
    struct identification found;

    if (!identify_table(array->data, rows, (uint32_t)array->shape[1], &found))
        return false;
    if (!found.found) {
        printf("%s: not identified\n", file);
        return false;
    }
    if (found.form.base != base || found.offset != (double)first ||
        (strcmp(overrides, "-") == 0 && !has_name(&found.form, convention))) {
        printf("%s: %s, base %g, from %g, instead of %s, base %g, from %ld\n", file,
               found.form.name_count ? found.form.names[0] : "no name", found.form.base,
               found.offset, convention, base, first);
        return false;
    }
    return true;
}

/* 1: right; 0: wrong; -1: not a table for this test. */
static int look_at(const char *folder, const struct line *header, const struct line *line)
{
    char path[4096];
    npy_array array;
    posemb_error error;
    long first = 0;
    size_t rows;
    int result = -1;

    if (strcmp(value_of(header, line, "axes"), "1") != 0)
        return -1;
    rows = count_leading(value_of(header, line, "positions"), &first);
    if (rows < LEADING_MIN)
        return -1;
    snprintf(path, sizeof path, "%s/%s", folder, value_of(header, line, "file"));
    if (npy_read(path, &array, &error) != POSEMB_OK) {
        if (strstr(error.message, "f8"))
            return -1; /* posemb reads no float64 */
        printf("%s\n", error.message);
        return 0;
    }
    if (array.rank == 2 && array.shape[1] >= IDENTIFY_DIM_MIN)
        result = check(header, line, &array, rows, first);
    npy_free(&array);
    return result;
}

int main(int count, char **arguments)
{
    char path[4096];
    struct line header;
    struct line line;
    FILE *index;
    int right = 0;
    int wrong = 0;

    if (count != 2) {
        fprintf(stderr, "usage: test_identify_goldens FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/index.tsv", arguments[1]);
    index = fopen(path, "r");
    if (!index || !fgets(header.text, sizeof header.text, index)) {
        fprintf(stderr, "%s cannot be read\n", path);
        return 1;
    }
    split(&header);
    while (fgets(line.text, sizeof line.text, index)) {
        int result;

        split(&line);
        result = look_at(arguments[1], &header, &line);
        right += result == 1;
        wrong += result == 0;
    }
    fclose(index);
    printf("%d tables identified, %d wrong\n", right, wrong);
    return wrong == 0 && right >= TABLES_MIN ? 0 : 1;
}
