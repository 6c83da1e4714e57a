/* Tables and rows of a stage in memory, as they lie in their files. */
#ifndef POSEMB_STAGE_TABLES_H
#define POSEMB_STAGE_TABLES_H

#include "model_file.h"
#include "npy.h"

/* [rows, dim] elements of one storage. All zeros: none. */
struct stored_table {
    void *data;
    float *scales; /* of an I8 table: [rows], or [1] */
    posemb_storage storage;
    posemb_scaling scaling; /* of an I8 table */
    uint64_t rows;
    uint32_t dim;
};

/* Read a table of FILE.npy, of FILE.safetensors or FILE.gguf (its only one with two dimensions), or
 * of such a FILE:TENSOR. `what` is how messages call it: "a token table". The scales of an I8 table
 * are those of `scales`, a file likewise; NULL: those that a safetensors file has beside it, named
 * as in model_names.h. On failure the table is all zeros. */
posemb_status stored_table_read(const char *what, const char *path, const char *scales,
                                struct stored_table *table, posemb_error *error);

/* Read one row, [dim], of F32, F16 or BF16. */
posemb_status stored_row_read(const char *what, const char *path, struct stored_table *row,
                              posemb_error *error);

/* Read all of a part of a model's file; one that is not there is all zeros. */
posemb_status stored_part_read(const model_file *file, model_part part, struct stored_table *table,
                               posemb_error *error);

/* Accepts zeros, and zeroes. */
void stored_table_free(struct stored_table *table);

/* How a description calls it. */
posemb_table_desc stored_table_desc(const struct stored_table *table, posemb_policy policy);

/* The type that an array of that storage, which is none of blocks, has in a .npy file. */
npy_type storage_npy_type(posemb_storage storage);

/* A table as stored_table_read() reads it, all of it as floats. `table` is the caller's to free();
 * NULL on failure. */
posemb_status read_float_table(const char *what, const char *path, float **table, uint64_t *rows,
                               uint32_t *dim, posemb_error *error);

#endif
