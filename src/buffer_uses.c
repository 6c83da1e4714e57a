/* What a call reads and writes of buffers, and that none of it overlaps. */
#include "buffer_uses.h"

#include "status.h"

posemb_status posemb__add_buffer_use(struct posemb__buffer_uses *places, const char *name,
                                     const posemb_buffer *buffer, struct posemb__span span,
                                     bool written, posemb_error *error)
{
    if (span.bytes == 0)
        return POSEMB_OK;
    places->place[places->count++] = (struct posemb__buffer_use){name, buffer, span.bytes, written};
    return posemb__check_buffer(name, buffer, span.unit, span.bytes, error);
}

static bool overlap(const struct posemb__buffer_use *a, const struct posemb__buffer_use *b)
{
    return (a->written || b->written) && a->buffer->mem == b->buffer->mem &&
           a->buffer->offset < b->buffer->offset + b->bytes &&
           b->buffer->offset < a->buffer->offset + a->bytes;
}

posemb_status posemb__check_buffer_uses(const struct posemb__buffer_uses *places,
                                        posemb_error *error)
{
    for (int i = 0; i < places->count; i++)
        for (int k = 0; k < i; k++)
            if (overlap(&places->place[i], &places->place[k]))
                return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s and %s overlap",
                                    places->place[k].name, places->place[i].name);
    return POSEMB_OK;
}
