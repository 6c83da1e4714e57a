/* What a call reads and writes of buffers, and that none of it overlaps. */
#ifndef POSEMB_PLACES_H
#define POSEMB_PLACES_H

#include "enqueue.h"

struct posemb__place {
    const char *name;
    const posemb_buffer *buffer;
    uint64_t bytes;
    bool written;
};

enum { POSEMB__PLACES_MAX = 40 };

struct posemb__places {
    struct posemb__place place[POSEMB__PLACES_MAX];
    int count;
};

/* Check a buffer, unless `span` is of no bytes, and remember it. */
posemb_status posemb__add_place(struct posemb__places *places, const char *name,
                                const posemb_buffer *buffer, struct posemb__span span, bool written,
                                posemb_error *error);

/* Nothing that is written overlaps anything else. */
posemb_status posemb__check_places(const struct posemb__places *places, posemb_error *error);

#endif
