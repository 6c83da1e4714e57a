/* Elements of rows as they are stored, to floats and back: the reference's conversions. */
#ifndef POSEMB_STORAGE_H
#define POSEMB_STORAGE_H

#include <posemb/posemb.h>

#include <stdbool.h>

/* How many storages there are: the values 1 ... POSEMB__STORAGES. */
enum { POSEMB__STORAGES = POSEMB_Q6_K };

/* Bytes of one element of that (resolved) storage, which is none of blocks. */
uint64_t posemb__storage_size(posemb_storage storage);

/* Whether tables alone can have that (resolved) storage. */
static inline bool posemb__is_table_storage(posemb_storage storage)
{
    return storage == POSEMB_I8 || posemb_storage_find(storage)->block > 1;
}

/* Exact. */
float posemb__from_f16(uint16_t bits);
float posemb__from_bf16(uint16_t bits);

/* Rounded to nearest, ties to even; every NaN becomes 7e00, 7fc0. */
uint16_t posemb__to_f16(float value);
uint16_t posemb__to_bf16(float value);

/* Make a row of zeros of `size` bytes one of +0 in that storage; it may be longer than the row. */
void posemb__fill_zeros(unsigned char *row, size_t size, posemb_storage storage);

/* Set d and m, half floats, of a block; of a storage without m that is left out. For made-up
 * tables. */
void posemb__set_block_halves(unsigned char *block, posemb_storage storage, uint16_t d, uint16_t m);

/* Element `index` of a row at `row`, of any alignment. An I8 element is a whole number. */
float posemb__load_element(const void *row, uint64_t index, posemb_storage storage);

/* The counterpart; of F32, F16 and BF16. */
void posemb__store_element(void *row, uint64_t index, posemb_storage storage, float value);

/* To that storage and back; likewise. */
float posemb__round_to(float value, posemb_storage storage);

#endif
