/* Pictures of position tables: what they show, and what they say. */
#ifndef POSEMB_VIEW_H
#define POSEMB_VIEW_H

#include "canvas.h"
#include "identify.h"
#include "inputs.h"
#include "status.h"

#include <jansson.h>

#define VIEW_TEXT_SIZE  1200u
#define VIEW_VALUES_MAX (UINT64_C(1) << 23) /* of one table */

enum view_kind { VIEW_HEAT = 1, VIEW_SIMILARITY, VIEW_CURVES, VIEW_ERROR };

/* A table, computed or stored. */
struct view_table {
    const float *values; /* [rows, dim] */
    uint64_t rows;
    uint32_t dim;
    int64_t start; /* the position of row 0; of a stored table its row in the file */
    bool is_stored;
    posemb_desc desc;          /* resolved; of a computed one */
    char name[VIEW_TEXT_SIZE]; /* "vaswani, D = 128", or the file: for titles */
    double origin; /* what the numbers at the axes count from: 0, or a start that is too long a
                      number */
    char axis[VIEW_TEXT_SIZE]; /* what stands at such an axis */
    uint64_t bad_count;        /* values that are no finite numbers */
    uint64_t bad_row;          /* of the first of them */
    uint32_t bad_channel;
    struct inputs inputs; /* what a computed one lies in */
    float *file_values;   /* what a stored one lies in */
};

/* Compute or read what the options name. Accepts nothing larger than VIEW_VALUES_MAX. On failure
 * there is nothing to free. */
posemb_status view_table_get(const struct stage_options *options, struct view_table *table,
                             posemb_error *error);
void view_table_free(struct view_table *table);

/* What a computed table is called; a description that is not resolved. */
void view_name_sinusoids(const struct stage_options *options, const posemb_desc *desc,
                         char name[VIEW_TEXT_SIZE]);

/* A picture and its numbers. */
struct view {
    struct canvas canvas;
    double caption_y;             /* where the caption stands */
    json_t *numbers;              /* an object */
    char caption[VIEW_TEXT_SIZE]; /* what is to be seen, in a sentence or two; UTF-8 */
};

/* Draw one kind. On failure the view is still the caller's to free. */
posemb_status view_heat(const struct view_table *table, struct view *view, posemb_error *error);
posemb_status view_similarity(const struct view_table *table, struct view *view,
                              posemb_error *error);
/* Under a similarity: PE(p + k) = R_k PE(p), for a table with two positions and a pair of channels.
 */
posemb_status view_add_rotation(const struct view_table *table, struct view *view,
                                posemb_error *error);
posemb_status view_curves(const struct view_table *table, struct view *view, posemb_error *error);
posemb_status view_error_of_table(const struct view_table *table, struct view *view,
                                  posemb_error *error);

/* The sinusoids that the options name, not resolved. */
posemb_status view_desc_get(const struct stage_options *options, posemb_desc *desc,
                            posemb_error *error);

/* The error of float tables at positions up to `most`, made as frameworks make them. */
posemb_status view_error(const struct stage_options *options, int64_t most, struct view *view,
                         posemb_error *error);

void view_free(struct view *view);

/* Begin the canvas, with a title and what stands under it; the caption is to stand at `caption_y`.
 */
posemb_status view_begin(struct view *view, const char *title, const char *subtitle,
                         double caption_y, posemb_error *error);

/* Add to the caption, as printf() does. */
void view_say(struct view *view, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write the caption; the picture ends under it. */
void view_end(struct view *view);

/* What a caption says of values that are no numbers, if there are any. */
void view_say_bad(struct view *view, const struct view_table *table);

/* A number for JSON: null where it is not finite. */
json_t *view_number(double value);
json_t *view_numbers(const double *values, size_t count);

static inline posemb_status view_no_memory(const char *what, posemb_error *error)
{
    posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "no memory for %s", what);
    return POSEMB_OUT_OF_MEMORY;
}

/* ---- Sinusoids */

/* The channels of pair i of a resolved description without a grid. */
struct view_pair {
    uint32_t sine;
    uint32_t cosine;
};

uint32_t view_pair_count(const posemb_desc *desc); /* whole pairs: floor(D / 2) */
struct view_pair view_pair_at(const posemb_desc *desc, uint32_t pair);

/* Positions in one turn, from a phase step; the nearer of both directions. Infinite: it does not
 * turn. */
double view_wavelength(uint64_t step);

/* What identify_table() has found, at a row: [dim] doubles. */
void view_found_row(const struct identification *found, uint64_t row, double *values);

#endif
