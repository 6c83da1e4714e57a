/* Copies that read as many bytes as elements of one storage have, and write those of another.
 *
 * stream_copy:   work-item g does `count` steps from g * count on: each reads READS vectors of 64 bytes and writes
 *                WRITES of them. For CPUs.
 * stream_spread: work-item g writes vector g of 16 bytes; reads are spread over them as READS : WRITES. For GPUs.
 *
 * Build-time: READS, WRITES (constants), STREAMED (0, 1: stores that bypass the cache). */
#if STREAMED
#define STORE(place, value) __builtin_nontemporal_store(value, place)
#else
#define STORE(place, value) (*(place) = (value))
#endif

kernel void stream_copy(global const uint16 *source, const ulong first, global uint16 *target, const uint count,
                        const ulong total)
{
    const ulong from = (ulong)get_global_id(0) * count;

    for (uint i = 0; i < count; i++) {
        const ulong step = from + i;

        if (step >= total)
            return;
        uint16 value = source[first + step * READS];
        for (uint r = 1; r < READS; r++)
            value ^= source[first + step * READS + r];
        for (uint w = 0; w < WRITES; w++)
            STORE(target + step * WRITES + w, value);
    }
}

kernel void stream_spread(global const uint4 *source, const ulong first, global uint4 *target, const uint count,
                          const ulong total)
{
    const ulong place = get_global_id(0);
    const ulong from = first + place * READS / WRITES;

    if (place >= total * WRITES)
        return;
    uint4 value = source[from];
    for (uint r = 1; r < READS / WRITES; r++)
        value ^= source[from + r];
    STORE(target + place, value);
}
