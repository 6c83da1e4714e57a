/* The argument block of the optimiser's kernel, shared by host and device. Offsets are in bytes. */
#ifndef POSEMB_KERNELS_OPTIMIZER_H
#define POSEMB_KERNELS_OPTIMIZER_H

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
typedef uint posemb_u32;
typedef ulong posemb_u64;
#else
#include <stdint.h>
typedef uint32_t posemb_u32;
typedef uint64_t posemb_u64;
#endif

/* POSEMB_METHOD */
#define POSEMB_METHOD_PLAIN    1 /* SGD without momentum */
#define POSEMB_METHOD_MOMENTUM 2
#define POSEMB_METHOD_ADAM     3

/* Elements of a work-group, where gradients are dense. */
#define POSEMB_BLOCK 1024u

struct posemb_optimize {
    posemb_u64 parameters_offset;
    posemb_u64 first_offset;
    posemb_u64 second_offset;
    posemb_u64 grads_offset;
    posemb_u64 rows_offset; /* of segments */
    posemb_u64 count_offset;
    posemb_u64 rows;
    posemb_u64 capacity; /* segments there are at most */
    posemb_u32 dim;
    posemb_u32 by_segment;
    posemb_u32 nesterov;
    posemb_u32 coupled; /* 1: the gradient takes the decay; 0: the parameter */
    posemb_u32 has_decay;
    float grad_scale;
    float decay;
    float keep; /* what a decoupled decay leaves */
    float learning_rate;
    float momentum;
    float beta1;
    float rest1; /* 1 - beta1 */
    float beta2;
    float rest2;
    float epsilon;
    float rate;   /* l */
    float unbias; /* k */
    posemb_u32 unused;
};

#endif
