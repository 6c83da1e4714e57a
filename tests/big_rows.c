#include "big_rows.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators". */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void big_rows_bytes(uint64_t seed, void *bytes, size_t size)
{
    uint64_t state = mix(seed + 1);

    for (size_t at = 0; at < size; at += sizeof state) {
        const uint64_t word = mix(state += UINT64_C(0x9e3779b97f4a7c15));

        memcpy((char *)bytes + at, &word, size - at < sizeof word ? size - at : sizeof word);
    }
}

void big_rows_elements(uint64_t seed, posemb_storage storage, void *elements, size_t count)
{
    if (storage == POSEMB_I8) {
        big_rows_bytes(seed, elements, count);
        return;
    }
    big_rows_bytes(seed, elements, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        float value;

        memcpy(&bits, (char *)elements + i * sizeof bits, sizeof bits);
        value = (float)bits * 0x1p-31f;
        memcpy((char *)elements + i * sizeof value, &value, sizeof value);
    }
}

float big_rows_scale(uint64_t seed)
{
    return 0.5f + (float)(mix(~seed) >> 41) * 0x1p-24f;
}

bool big_rows_expect(const posemb_desc *desc, uint64_t vocab, int64_t id, int64_t position,
                     const void *row, float scale, float *out)
{
    const posemb_host_args args = {
        .shape = {.batch = 1,
                  .length = 1,
                  .vocab = vocab,
                  .shard_first = id >= 0 && (uint64_t)id < vocab ? (uint64_t)id : 0,
                  .shard_rows = 1,
                  .start = position},
        .ids = &id,
        .table = row,
        .table_scales = &scale,
        .out = out};
    posemb_error error;

    if (desc->id_type == POSEMB_INT64 && posemb_reference_run(desc, &args, &error) == POSEMB_OK)
        return true;
    printf("posemb_reference_run: %s\n",
           desc->id_type == POSEMB_INT64 ? error.message : "ids have 64 bits here");
    return false;
}

uint64_t big_rows_resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
