/* The files that a stage reads, as arguments of a call. */
#ifndef POSEMB_INPUTS_H
#define POSEMB_INPUTS_H

#include "options.h"
#include "stage_tables.h"

struct inputs {
    npy_array ids;
    npy_array positions; /* or cu_seqlens */
    npy_array padding;   /* mask, left pads or lengths */
    npy_array types;
    struct stored_table words;
    struct stored_table position_table;
    struct stored_table type_table;
    struct stored_table gamma;
    struct stored_table beta;
    struct stored_table prompts;
    const char *model;   /* the one that a model's file is of; NULL: none is known */
    model_config config; /* of that file; all zeros: none */
    char found[400];     /* what that file has, for people */
    posemb_desc desc;
    posemb_host_args args; /* `out` is allocated too, and `sum_out` where it is wanted */
    posemb_record record;
    uint32_t out_rank;
    uint64_t out_shape[NPY_RANK_MAX];
    void *positions_out; /* [B, S], or NULL */
};

/* Read ids and tables; describe the call of `posemb encode`. */
posemb_status inputs_read_encode(const struct stage_options *options, struct inputs *inputs,
                                 posemb_error *error);

/* Describe the call of `posemb table`. */
posemb_status inputs_read_table(const struct stage_options *options, struct inputs *inputs,
                                posemb_error *error);

/* Accepts zeros and half-read inputs. */
void inputs_free(struct inputs *inputs);

/* Read int32 or int64 of rank 1 or 2. */
posemb_status read_ints(const char *path, const char *what, npy_array *array, posemb_error *error);

posemb_number_type number_type_of(const npy_array *array);

#endif
