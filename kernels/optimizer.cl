/* One step of an optimiser. posemb_train.h has the definition.
 *
 * posemb_optimize   dense: a work-group POSEMB_BLOCK parameters; by segment: a work-group a row.
 *
 * Build-time: POSEMB_METHOD, POSEMB_MEMORY (16: the CPU shape, local size 1; else 4, any local size). */
#pragma OPENCL FP_CONTRACT OFF

#include "optimizer.h"

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)

/* What a step reads and writes. */
struct posemb_state {
    global float *parameters;
    global float *first;
    global float *second;
    global float *grads;
};

#define N
#define WIDTH 1
#include "rsq.clh"
#include "optimizer_update.clh"
#undef N
#undef WIDTH
#if POSEMB_MEMORY == 16
#define N     16
#define WIDTH 16
#include "rsq.clh"
#include "optimizer_update.clh"
#undef N
#undef WIDTH
#endif

static inline void posemb_update_all(const struct posemb_optimize *a, const struct posemb_state *b, ulong at,
                                     ulong from, uint count)
{
#if POSEMB_MEMORY == 16
    for (uint i = 0; i + 16 <= count; i += 16)
        posemb_update16(a, b, at + i, from + i);
    for (uint i = count / 16 * 16; i < count; i++)
        posemb_update(a, b, at + i, from + i);
#else
    for (uint i = (uint)get_local_id(0); i < count; i += (uint)get_local_size(0))
        posemb_update(a, b, at + i, from + i);
#endif
}

kernel void posemb_optimize(const struct posemb_optimize a, global uchar *parameters, global uchar *first,
                            global uchar *second, global uchar *grads, global const uchar *rows,
                            global const uchar *count)
{
    const ulong group = get_group_id(0);
    const ulong elements = a.rows * a.dim;
    const struct posemb_state b = {(global float *)(parameters + a.parameters_offset),
                                   (global float *)(first + a.first_offset),
                                   (global float *)(second + a.second_offset),
                                   (global float *)(grads + a.grads_offset)};

    if (a.by_segment) {
        const ulong row = ((global const uint *)(rows + a.rows_offset))[group];

        if (group < *(global const uint *)(count + a.count_offset) && row < a.rows)
            posemb_update_all(&a, &b, row * a.dim, group * a.dim, a.dim);
        return;
    }
    const ulong begin = group * POSEMB_BLOCK;

    posemb_update_all(&a, &b, begin, begin, (uint)min(elements - begin, (ulong)POSEMB_BLOCK));
}
