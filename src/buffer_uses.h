/* What a call reads and writes of buffers, and that none of it overlaps. */
#ifndef POSEMB_BUFFER_USES_H
#define POSEMB_BUFFER_USES_H

#include "enqueue.h"

struct posemb__buffer_use {
    const char *name;
    const posemb_buffer *buffer;
    uint64_t bytes;
    bool written;
};

enum { POSEMB__BUFFER_USES_MAX = 40 };

struct posemb__buffer_uses {
    struct posemb__buffer_use place[POSEMB__BUFFER_USES_MAX];
    int count;
};

/* Check a buffer, unless `span` is of no bytes, and remember it. */
posemb_status posemb__add_buffer_use(struct posemb__buffer_uses *places, const char *name,
                                     const posemb_buffer *buffer, struct posemb__span span,
                                     bool written, posemb_error *error);

/* Nothing that is written overlaps anything else. */
posemb_status posemb__check_buffer_uses(const struct posemb__buffer_uses *places,
                                        posemb_error *error);

#endif
