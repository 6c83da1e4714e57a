/* Tables too large to be kept twice: rows that can be made up one at a time, and what the reference
 * makes of one token. */
#ifndef POSEMB_TESTS_BIG_ROWS_H
#define POSEMB_TESTS_BIG_ROWS_H

#include <posemb/posemb_cl.h>

#include <stdbool.h>
#include <stddef.h>

/* `size` bytes that depend on the seed alone. */
void big_rows_bytes(uint64_t seed, void *bytes, size_t size);

/* `count` elements of that storage, F32 or I8; the floats are finite. */
void big_rows_elements(uint64_t seed, posemb_storage storage, void *elements, size_t count);

/* In [0.5, 1). */
float big_rows_scale(uint64_t seed);

/* out[dim]: token `id` at `position`, of a vocabulary of which `row` and `scale` are row `id`. An
 * id that is not of the vocabulary is bad. False, and a line printed, where the reference refuses.
 */
bool big_rows_expect(const posemb_desc *desc, uint64_t vocab, int64_t id, int64_t position,
                     const void *row, float scale, float *out);

/* Bytes of memory that the process has touched and not given back; 0 where /proc does not tell. */
uint64_t big_rows_resident(void);

#endif
