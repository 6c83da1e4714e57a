/* Descriptions in force: their phase steps, and questions that more than one file asks of them. */
#ifndef POSEMB_DESC_H
#define POSEMB_DESC_H

#include "convention.h"
#include "frequency.h"

/* The steps of all segments of a resolved description: steps.step[channels->pairs], and so on. */
void posemb__desc_steps(const posemb_desc *resolved, const struct posemb__channels *channels,
                        struct posemb__steps steps);

/* Whether two resolved descriptions have the same bits and buffers: all but `consumer` and
 * `concurrency`. Where they do not, *name is that of one that differs. */
bool posemb__desc_equal(const posemb_desc *a, const posemb_desc *b, const char **name);

/* Bytes of one number of that (resolved) type. */
uint64_t posemb__number_size(posemb_number_type type);

/* The storage that each step is rounded to; POSEMB_F32: none is. */
posemb_storage posemb__step_storage(const posemb_desc *resolved);

/* How many extra tables there are. */
uint32_t posemb__extra_count(const posemb_desc *resolved);

/* Whether there is a norm, and it has a gamma, a beta. */
bool posemb__has_norm(const posemb_desc *resolved);
bool posemb__has_gamma(const posemb_desc *resolved);
bool posemb__has_beta(const posemb_desc *resolved);

/* Numbers that say where one token is: the axes of a grid, or 1. */
uint32_t posemb__axes_of(const posemb_desc *resolved);

/* Whether the rule takes numbers from the positions buffer. */
bool posemb__has_positions(const posemb_desc *resolved);

/* Whether they are floats. */
bool posemb__has_float_positions(const posemb_desc *resolved);

/* Whether the rule counts tokens that are not pads, with one of the pads that has to be looked for.
 */
bool posemb__counts_tokens(const posemb_desc *resolved);

/* Whether the position of a token depends on its column alone, and so does what is done with it. */
bool posemb__shares_positions(const posemb_desc *resolved);

/* Whether pads have to be looked for, token by token. */
bool posemb__searches_pads(const posemb_desc *resolved);

#endif
