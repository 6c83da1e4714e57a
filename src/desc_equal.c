/* Whether two descriptions are the same. Field by field: structs have gaps, whose bytes are no
 * one's. */
#include "desc.h"

#include <string.h>

/* A field that is added to a description belongs in here, or in the exceptions of desc.h. */
_Static_assert(sizeof(void *) != 8 || sizeof(posemb_desc) == 376, "fields of a description");

#define SAME(field)                                                                                \
    do {                                                                                           \
        if (a->field != b->field) {                                                                \
            *name = #field;                                                                        \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool same_numbers(const double *a, const double *b, uint32_t count)
{
    return (a != NULL) == (b != NULL) && (!a || memcmp(a, b, count * sizeof *a) == 0);
}

static bool same_sinusoids(const posemb_desc *a, const posemb_desc *b, const char **name)
{
    SAME(convention);
    SAME(layout);
    SAME(first);
    SAME(denominator);
    SAME(odd);
    SAME(shift);
    SAME(base);
    SAME(amplitude);
    SAME(frequency);
    SAME(position_scale);
    SAME(frequency_count);
    *name = "frequencies";
    if (!same_numbers(a->frequencies, b->frequencies, a->frequency_count))
        return false;
    *name = "phases";
    return same_numbers(a->phases, b->phases, a->frequency_count);
}

static bool same_positions(const posemb_desc *a, const posemb_desc *b, const char **name)
{
    SAME(positions);
    SAME(position_type);
    SAME(position_kind);
    SAME(padding);
    SAME(padding_type);
    SAME(pad_id);
    SAME(pad_policy);
    SAME(grid.axes);
    *name = "grid"; /* of numbers of one size: no gaps */
    return memcmp(&a->grid, &b->grid, sizeof a->grid) == 0;
}

static bool same_table(const posemb_table_desc *a, const posemb_table_desc *b)
{
    return a->storage == b->storage && a->scaling == b->scaling && a->policy == b->policy;
}

static bool same_tables(const posemb_desc *a, const posemb_desc *b, const char **name)
{
    SAME(table_parts);
    SAME(rows_storage);
    SAME(soft_prompts);
    SAME(prompt_scale);
    SAME(token_scale);
    *name = "tokens";
    if (!same_table(&a->tokens, &b->tokens))
        return false;
    *name = "position_table";
    if (!same_table(&a->position_table, &b->position_table))
        return false;
    *name = "extras";
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        if (a->extras[k].ids != b->extras[k].ids || a->extras[k].id_type != b->extras[k].id_type ||
            a->extras[k].scale != b->extras[k].scale ||
            !same_table(&a->extras[k].table, &b->extras[k].table))
            return false;
    return true;
}

bool posemb__desc_equal(const posemb_desc *a, const posemb_desc *b, const char **name)
{
    SAME(dim);
    SAME(operation);
    SAME(id_type);
    SAME(norm);
    SAME(epsilon);
    SAME(gamma);
    SAME(beta);
    SAME(norm_storage);
    SAME(rounding);
    SAME(out_storage);
    return same_sinusoids(a, b, name) && same_positions(a, b, name) && same_tables(a, b, name);
}
