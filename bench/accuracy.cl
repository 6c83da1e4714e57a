/* Sinusoids as they are written most often, in the channels of "vaswani": work-item (i, t) writes channels 2i and 2i + 1
 * of the position `start` + t. Build-time: SIN, COS, EXP2. */
kernel void accuracy_sinusoids(global float *out, const uint dim, const long start, const float log_step)
{
    const uint pair = (uint)get_global_id(0);
    const uint t = (uint)get_global_id(1);
    const float angle = (float)(start + (long)t) * EXP2((float)pair * log_step);

    out[(ulong)t * dim + 2 * pair] = SIN(angle);
    out[(ulong)t * dim + 2 * pair + 1] = COS(angle);
}
