/* Work-item g does `count` steps from g * count on: each reads READS vectors of 64 bytes and writes WRITES of them.
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
