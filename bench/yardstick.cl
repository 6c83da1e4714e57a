/* What the stage is compared with: plain copies of the same bytes, and a reader of the output.
 *
 * yardstick_copy: work-item g copies `count` vectors of WIDTH floats from g * count on.
 * yardstick_read: work-item g sums `count` vectors of WIDTH floats into sums[g].
 *
 * Build-time: WIDTH (4, 16), STREAMED (0, 1: stores that bypass the cache). */
#if WIDTH == 16
typedef float16 vector;
#else
typedef float4 vector;
#endif

#if STREAMED
#define STORE(place, value) __builtin_nontemporal_store(value, place)
#else
#define STORE(place, value) (*(place) = (value))
#endif

kernel void yardstick_copy(global const vector *source, const ulong source_vector,
                           global vector *target, const uint count, const ulong total)
{
    const ulong first = (ulong)get_global_id(0) * count;

    for (uint i = 0; i < count; i++)
        if (first + i < total)
            STORE(target + first + i, source[source_vector + first + i]);
}

kernel void yardstick_read(global const vector *source, global float *sums, const uint count,
                           const ulong total)
{
    const ulong first = (ulong)get_global_id(0) * count;
    vector sum = (vector)(0.0f);

    for (uint i = 0; i < count; i++)
        if (first + i < total)
            sum += source[first + i];
#if WIDTH == 16
    sum.lo += sum.hi;
    sum.s0123 += sum.s4567;
#endif
    sums[get_global_id(0)] = sum.s0 + sum.s1 + sum.s2 + sum.s3;
}

/* What a launch costs alone. */
kernel void yardstick_nothing(global float *sums)
{
    if (get_global_id(0) > 0)
        sums[0] = 0.0f;
}
