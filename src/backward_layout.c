/* How a backward call is cut into work-groups and its scratch memory into parts. */
#include "backward_layout.h"

#include "../kernels/backward.h"
#include "checked_math.h"

_Static_assert(POSEMB_CHUNK == POSEMB_BACKWARD_CHUNK, "chunks of the kernels");

enum { ALIGNMENT = 64, CPU_TILE = 4096 };

/* The next part of `bytes` bytes. At most 2^31 rows of 2^18 bytes: nothing overflows. */
static uint64_t take(struct posemb__backward_layout *layout, uint64_t bytes)
{
    const uint64_t place = layout->bytes;

    layout->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return place;
}

static bool has_sets(const struct posemb__backward_call *call)
{
    for (int set = 0; set < POSEMB__SETS; set++)
        if (call->rows[set] > 0)
            return true;
    return false;
}

static void take_sort(struct posemb__backward_layout *layout,
                      const struct posemb__backward_call *call)
{
    const uint64_t numbers = call->tokens * sizeof(uint32_t);

    for (int set = 0; set < POSEMB__SETS; set++)
        if (call->rows[set] > 0)
            layout->keys[set] = take(layout, numbers);
    layout->other_keys = take(layout, numbers);
    layout->order[0] = take(layout, numbers);
    layout->order[1] = take(layout, numbers);
    layout->counts = take(layout, (uint64_t)POSEMB_DIGITS * layout->tiles * sizeof(uint32_t));
    layout->totals = take(layout, POSEMB_DIGITS * sizeof(uint32_t));
    layout->runs = take(layout, numbers + sizeof(uint32_t));
    layout->segments = take(layout, numbers + sizeof(uint32_t));
    layout->rows = take(layout, numbers);
    layout->partial =
        take(layout, posemb__divide_up_u64(call->tokens, POSEMB_LONG_RUN) * layout->row_bytes);
}

struct posemb__backward_layout posemb__backward_layout_of(const posemb_desc *resolved,
                                                          const struct posemb__backward_call *call,
                                                          uint32_t tile)
{
    const bool norm = posemb__has_norm(resolved);
    const bool columns =
        posemb__wants(call, POSEMB__GRAD_GAMMA) || posemb__wants(call, POSEMB__GRAD_BETA);
    const bool sets = has_sets(call);
    struct posemb__backward_layout layout = {.tile = tile ? tile : CPU_TILE};

    layout.chunks = (uint32_t)posemb__divide_up_u64(call->tokens, POSEMB_CHUNK);
    layout.tiles = (uint32_t)posemb__divide_up_u64(call->tokens, layout.tile);
    /* 64 more, so that channels of one number do not all lie in the same set of the cache. */
    layout.row_bytes = posemb__divide_up_u64(resolved->dim, 16) * 64 + 64;
    layout.has_rows = (norm && (sets || columns)) ||
                      (resolved->operation == POSEMB_ADD && posemb__wants(call, POSEMB__GRAD_ROWS));
    layout.dead = take(&layout, call->tokens * sizeof(uint32_t));
    if (sets)
        take_sort(&layout, call);
    if (norm && sets)
        layout.sums = take(&layout, call->tokens * layout.row_bytes);
    if (posemb__wants(call, POSEMB__GRAD_GAMMA))
        layout.gamma = take(&layout, layout.chunks * layout.row_bytes);
    if (posemb__wants(call, POSEMB__GRAD_BETA))
        layout.beta = take(&layout, layout.chunks * layout.row_bytes);
    return layout;
}
