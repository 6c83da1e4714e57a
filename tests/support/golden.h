/* Files of tests/golden: lines of tables, and arrays. What cannot be read, fails the test. */
#ifndef POSEMB_TESTS_GOLDEN_H
#define POSEMB_TESTS_GOLDEN_H

#include "npy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOLDEN_PATH_SIZE 4096
#define TSV_COLUMNS_MAX  64

/* Where the files are; set by main(). */
extern const char *golden_folder;

void golden_path(const char *name, char path[GOLDEN_PATH_SIZE]);

/* Zeros, never NULL. */
void *golden_array(size_t count, size_t size);

/* The whole file, with a NUL behind it. */
char *golden_read_file(const char *name, size_t *size);

npy_array golden_read_npy(const char *name, npy_type type);

/* Lines of fields with tabs between them, below a header of as many fields. */
struct tsv {
    const char *name;
    char *text;
    size_t columns;
    size_t lines;        /* without the header */
    const char **fields; /* [1 + lines][columns] */
};

/* One line of a table. */
struct tsv_line {
    const struct tsv *tsv;
    const char **fields;
};

struct tsv tsv_open(const char *name);
void tsv_close(struct tsv *tsv);
struct tsv_line tsv_line_at(const struct tsv *tsv, size_t index);
const char *tsv_field(const struct tsv_line *line, const char *column);

/* "-" stands for nothing. */
bool tsv_has(const struct tsv_line *line, const char *column);

/* How often that byte is in the text. */
size_t tsv_count(const char *text, char byte);

/* The whole text is a finite number, an integer. */
double tsv_number(const char *text);
int64_t tsv_integer(const char *text);

#endif
