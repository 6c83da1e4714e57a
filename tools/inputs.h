/* The files that a stage reads, as arguments of a call. */
#ifndef POSEMB_INPUTS_H
#define POSEMB_INPUTS_H

#include "npy.h"
#include "options.h"

struct inputs {
    npy_array ids;
    npy_array positions; /* or cu_seqlens */
    npy_array padding;   /* mask, left pads or lengths */
    float *table;        /* [vocab, D] */
    posemb_desc desc;
    posemb_host_args args; /* `out` is allocated too */
    posemb_record record;
    uint32_t out_rank;
    uint64_t out_shape[NPY_RANK_MAX];
    void *positions_out; /* [B, S], or NULL */
};

/* Read ids and token table; describe the call of `posemb encode`. */
posemb_status inputs_read_encode(const struct stage_options *options, struct inputs *inputs,
                                 posemb_error *error);

/* Describe the call of `posemb table`. */
posemb_status inputs_read_table(const struct stage_options *options, struct inputs *inputs,
                                posemb_error *error);

/* Accepts zeros and half-read inputs. */
void inputs_free(struct inputs *inputs);

/* The token table of FILE.npy, FILE.safetensors or FILE.safetensors:TENSOR. */
posemb_status read_token_table(const char *path, float **table, uint64_t *vocab, uint32_t *dim,
                               posemb_error *error);

#endif
