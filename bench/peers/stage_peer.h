/* The stage and plain copies behind a handful of plain functions, for callers without C: Python's
 * ctypes. Every function that can fail returns 0, or NULL, on failure, with the reason in
 * `message`. */
#ifndef POSEMB_BENCH_STAGE_PEER_H
#define POSEMB_BENCH_STAGE_PEER_H

#include <stdint.h>

enum { STAGE_PEER_MESSAGE = 640 };

/* An embedding stage of floats. Tables that are NULL are not there. */
struct stage_peer_model {
    uint32_t dim;
    float token_scale;  /* 0: 1 */
    const float *words; /* [vocab, dim] */
    uint64_t vocab;
    const float *learned; /* [position_rows, dim], row s at column s; NULL: sinusoids */
    uint64_t position_rows;
    const float *segments; /* [segment_rows, dim]; NULL: none */
    uint64_t segment_rows;
    const float *gamma; /* [dim] of a LayerNorm; NULL: none */
    const float *beta;  /* [dim] */
    float epsilon;
    uint32_t streamed; /* 1: nothing reads the output at once; 0: the next kernel does */
};

/* What is launched: launch k takes set k modulo `sets`. */
struct stage_peer_input {
    uint64_t batch;
    uint64_t length;
    uint64_t sets;
    const int32_t *ids;         /* [sets, batch, length] */
    const int32_t *segment_ids; /* [sets, batch, length]; where there are segments */
    int64_t start;              /* position of column 0 */
};

struct stage_peer;

/* Pick a device, build the stage, upload everything, and warm up. The memory of `model` and `input`
 * may go once this has returned. */
struct stage_peer *stage_peer_create(const char *selector, const struct stage_peer_model *model,
                                     const struct stage_peer_input *input, char *message);
void stage_peer_destroy(struct stage_peer *peer);

/* Of the library. */
const char *stage_peer_version(void);

/* "DEVICE; PLATFORM VERSION; driver DRIVER". Lives as long as the peer. */
const char *stage_peer_device(const struct stage_peer *peer);

/* Launch `launches` times, with the sets from `first` on, and wait until all of it is done. */
int stage_peer_run(struct stage_peer *peer, uint64_t first, uint64_t launches, char *message);

/* The output of the last launch: [batch, length, dim]. */
int stage_peer_read(struct stage_peer *peer, float *out, char *message);

/* Copies of as many bytes as one output has, from the token table to the output buffer; set by set
 * from another place. There are none where the table is smaller than the output. */
uint64_t stage_peer_copies(const struct stage_peer *peer);
const char *stage_peer_copy_name(const struct stage_peer *peer, uint64_t copy);
int stage_peer_copy(struct stage_peer *peer, uint64_t copy, uint64_t first, uint64_t launches,
                    char *message);

#endif
