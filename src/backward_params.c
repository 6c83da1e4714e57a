/* The arguments of a backward call: what it reads and writes, checked. */
#include "backward_params.h"

#include "checked_math.h"
#include "status.h"

#include <inttypes.h>
#include <string.h>

const char *posemb__backward_input_name(enum posemb__backward_input input)
{
    static const char *const names[POSEMB__BACK_INPUTS] = {
        [POSEMB__BACK_IDS] = "ids",
        [POSEMB__BACK_EXTRA_IDS] = "extra_ids[0]",
        "extra_ids[1]",
        "extra_ids[2]",
        "extra_ids[3]",
        [POSEMB__BACK_POSITIONS] = "positions",
        [POSEMB__BACK_MASK] = "mask",
        [POSEMB__BACK_GAMMA] = "gamma",
        [POSEMB__BACK_OUT_GRAD] = "out_grad",
        [POSEMB__BACK_SUM] = "sum",
        [POSEMB__BACK_MEAN] = "mean",
        [POSEMB__BACK_RSTD] = "rstd",
    };

    return names[input];
}

const char *posemb__gradient_name(enum posemb__gradient gradient)
{
    static const char *const names[POSEMB__GRADIENTS] = {
        [POSEMB__GRAD_TABLE] = "table_grad",
        [POSEMB__GRAD_ROWS] = "rows_grad",
        [POSEMB__GRAD_POSITION] = "position_grad",
        [POSEMB__GRAD_EXTRA] = "extra_grad[0]",
        "extra_grad[1]",
        "extra_grad[2]",
        "extra_grad[3]",
        [POSEMB__GRAD_GAMMA] = "gamma_grad",
        [POSEMB__GRAD_BETA] = "beta_grad",
        [POSEMB__GRAD_SEGMENT_ROWS] = "segment_rows",
        [POSEMB__GRAD_SEGMENTS] = "segment_grads",
        [POSEMB__GRAD_SEGMENT_COUNT] = "segment_count",
    };

    return names[gradient];
}

bool posemb__reads_positions(const posemb_desc *resolved)
{
    return resolved->position_kind != POSEMB_NO_POSITION &&
           resolved->positions != POSEMB_POSITIONS_INDEX;
}

bool posemb__reads_mask(const posemb_desc *resolved)
{
    return resolved->pad_policy != POSEMB_PAD_COMPUTED &&
           (resolved->padding != POSEMB_PADDING_NONE ||
            resolved->positions == POSEMB_POSITIONS_RAGGED);
}

/* Whether the description can have that gradient. */
static bool has_gradient(const posemb_desc *desc, enum posemb__gradient gradient)
{
    switch (gradient) {
    case POSEMB__GRAD_ROWS:
        return desc->operation == POSEMB_ADD || desc->soft_prompts;
    case POSEMB__GRAD_POSITION:
        return desc->position_kind == POSEMB_LEARNED;
    case POSEMB__GRAD_GAMMA:
        return posemb__has_gamma(desc);
    case POSEMB__GRAD_BETA:
        return posemb__has_beta(desc);
    default:
        if (gradient >= POSEMB__GRAD_EXTRA && gradient < POSEMB__GRAD_GAMMA)
            return (uint32_t)(gradient - POSEMB__GRAD_EXTRA) < posemb__extra_count(desc);
        return desc->operation == POSEMB_ENCODE; /* the token table and its segments */
    }
}

static posemb_status check_wishes(const posemb_desc *desc, posemb_accumulation accumulation,
                                  uint32_t wanted, posemb_error *error)
{
    const uint32_t segments = 7u << POSEMB__GRAD_SEGMENT_ROWS;

    if ((uint32_t)accumulation > POSEMB_ACCUMULATE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "accumulation is %u, which is no posemb_accumulation",
                            (unsigned)accumulation);
    if (wanted == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "no gradient is given");
    for (int g = 0; g < POSEMB__GRADIENTS; g++)
        if (wanted >> g & 1u && !has_gradient(desc, (enum posemb__gradient)g))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s is given, but the description does not have it",
                                posemb__gradient_name((enum posemb__gradient)g));
    if ((wanted & segments) != 0 && (wanted & segments) != segments)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "segment_rows, segment_grads and segment_count go together");
    if ((wanted & segments) != 0 && accumulation == POSEMB_ACCUMULATE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "segments are given, but accumulation is POSEMB_ACCUMULATE");
    return POSEMB_OK;
}

/* ---- Rows of the tables */

static posemb_status set_rows(struct posemb__backward_call *call, enum posemb__index_set set,
                              const char *name, uint64_t rows, posemb_error *error)
{
    if (rows == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s has no rows", name);
    if (rows > POSEMB_BACKWARD_ROWS_MAX)
        return posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                            "%s has %" PRIu64 " rows; gradients take up to %" PRIu64, name, rows,
                            POSEMB_BACKWARD_ROWS_MAX);
    call->rows[set] = rows;
    return POSEMB_OK;
}

/* Rows of the vocabulary that are here. */
static uint64_t token_rows(const struct posemb__backward_call *call)
{
    return call->shape.shard_rows ? call->shape.shard_rows : call->shape.vocab;
}

static posemb_status resolve_sets(const posemb_desc *desc, struct posemb__backward_call *call,
                                  posemb_error *error)
{
    const uint32_t of_tokens =
        1u << POSEMB__GRAD_TABLE | 1u << POSEMB__GRAD_ROWS | 7u << POSEMB__GRAD_SEGMENT_ROWS;
    const posemb_shape *shape = &call->shape;
    posemb_status status = POSEMB_OK;

    if (desc->operation == POSEMB_ENCODE && (call->wanted & of_tokens))
        status = set_rows(call, POSEMB__SET_TOKEN, "the token table",
                          token_rows(call) + shape->prompt_rows, error);
    if (status == POSEMB_OK && posemb__wants(call, POSEMB__GRAD_POSITION))
        status =
            set_rows(call, POSEMB__SET_POSITION, "the position table", shape->position_rows, error);
    for (uint32_t k = 0; status == POSEMB_OK && k < posemb__extra_count(desc); k++)
        if (posemb__wants(call, (enum posemb__gradient)(POSEMB__GRAD_EXTRA + k)))
            status = set_rows(call, (enum posemb__index_set)(POSEMB__SET_EXTRA + k),
                              "an extra table", shape->extras[k].rows, error);
    return status;
}

/* ---- Bytes */

/* Rows of each gradient that is wanted. */
static uint64_t rows_of(const posemb_desc *desc, const struct posemb__backward_call *call,
                        enum posemb__gradient gradient)
{
    const uint64_t here = token_rows(call);

    switch (gradient) {
    case POSEMB__GRAD_TABLE:
        return here;
    case POSEMB__GRAD_ROWS:
        return desc->operation == POSEMB_ADD ? call->tokens : call->shape.prompt_rows;
    case POSEMB__GRAD_POSITION:
        return call->shape.position_rows;
    case POSEMB__GRAD_SEGMENT_ROWS:
    case POSEMB__GRAD_SEGMENTS:
        return call->tokens < here ? call->tokens : here;
    case POSEMB__GRAD_GAMMA:
    case POSEMB__GRAD_BETA:
    case POSEMB__GRAD_SEGMENT_COUNT:
        return 1;
    default:
        return call->shape.extras[gradient - POSEMB__GRAD_EXTRA].rows;
    }
}

static posemb_status resolve_gradients(const posemb_desc *desc, struct posemb__backward_call *call,
                                       posemb_error *error)
{
    for (int g = 0; g < POSEMB__GRADIENTS; g++) {
        const enum posemb__gradient gradient = (enum posemb__gradient)g;
        const bool numbers =
            gradient == POSEMB__GRAD_SEGMENT_ROWS || gradient == POSEMB__GRAD_SEGMENT_COUNT;
        const uint64_t row = numbers ? sizeof(uint32_t) : desc->dim * sizeof(float);
        struct posemb__span *span = &call->gradient[g];

        span->unit = sizeof(float);
        if (posemb__wants(call, gradient) &&
            (!posemb__mul_u64(rows_of(desc, call, gradient), row, &span->bytes) ||
             span->bytes > (uint64_t)INT64_MAX))
            return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s reaches beyond 2^63 bytes",
                                posemb__gradient_name(gradient));
    }
    return POSEMB_OK;
}

static void resolve_inputs(const posemb_desc *desc, const struct posemb__call *forward,
                           struct posemb__backward_call *call)
{
    struct posemb__span *input = call->input;

    input[POSEMB__BACK_IDS] = forward->input[POSEMB__IDS];
    for (uint32_t k = 0; k < POSEMB_EXTRAS_MAX; k++)
        input[POSEMB__BACK_EXTRA_IDS + k] = forward->input[POSEMB__EXTRA_IDS + k];
    if (posemb__reads_positions(desc))
        input[POSEMB__BACK_POSITIONS] = forward->output[POSEMB__POSITIONS_OUT];
    if (posemb__reads_mask(desc))
        input[POSEMB__BACK_MASK] = forward->output[POSEMB__MASK_OUT];
    input[POSEMB__BACK_GAMMA] = forward->input[POSEMB__GAMMA];
    input[POSEMB__BACK_OUT_GRAD] = forward->out;
    input[POSEMB__BACK_SUM] = forward->output[POSEMB__SUM_OUT];
    input[POSEMB__BACK_MEAN] = forward->output[POSEMB__MEAN_OUT];
    input[POSEMB__BACK_RSTD] = forward->output[POSEMB__RSTD_OUT];
}

posemb_status posemb__backward_resolve(const posemb_desc *resolved, const posemb_shape *shape,
                                       posemb_accumulation accumulation, uint32_t wanted,
                                       struct posemb__backward_call *call, posemb_error *error)
{
    struct posemb__call forward;
    posemb_status status = posemb__call_resolve(resolved, shape, &forward, error);

    if (status == POSEMB_OK)
        status = check_wishes(resolved, accumulation, wanted, error);
    if (status != POSEMB_OK)
        return status;
    memset(call, 0, sizeof *call);
    call->shape = forward.shape;
    call->tokens = forward.tokens;
    call->wanted = wanted;
    call->accumulate = accumulation == POSEMB_ACCUMULATE;
    if (call->tokens > POSEMB_BACKWARD_TOKENS_MAX)
        return posemb__fail(error, POSEMB_UNSUPPORTED, 0,
                            "batch * length is %" PRIu64 " tokens; gradients take up to %" PRIu64,
                            call->tokens, POSEMB_BACKWARD_TOKENS_MAX);
    status = resolve_sets(resolved, call, error);
    if (status == POSEMB_OK)
        status = resolve_gradients(resolved, call, error);
    if (status == POSEMB_OK)
        resolve_inputs(resolved, &forward, call);
    return status;
}

/* ---- Arguments on the host */

const void *posemb__host_backward_input(const posemb_host_backward_args *args,
                                        enum posemb__backward_input input)
{
    switch (input) {
    case POSEMB__BACK_IDS:
        return args->ids;
    case POSEMB__BACK_POSITIONS:
        return args->positions;
    case POSEMB__BACK_MASK:
        return args->mask;
    case POSEMB__BACK_GAMMA:
        return args->gamma;
    case POSEMB__BACK_OUT_GRAD:
        return args->out_grad;
    case POSEMB__BACK_SUM:
        return args->sum;
    case POSEMB__BACK_MEAN:
        return args->mean;
    case POSEMB__BACK_RSTD:
        return args->rstd;
    default:
        return args->extra_ids[input - POSEMB__BACK_EXTRA_IDS];
    }
}

void *posemb__host_gradient(const posemb_host_backward_args *args, enum posemb__gradient gradient)
{
    switch (gradient) {
    case POSEMB__GRAD_TABLE:
        return args->table_grad;
    case POSEMB__GRAD_ROWS:
        return args->rows_grad;
    case POSEMB__GRAD_POSITION:
        return args->position_grad;
    case POSEMB__GRAD_GAMMA:
        return args->gamma_grad;
    case POSEMB__GRAD_BETA:
        return args->beta_grad;
    case POSEMB__GRAD_SEGMENT_ROWS:
        return args->segment_rows;
    case POSEMB__GRAD_SEGMENTS:
        return args->segment_grads;
    case POSEMB__GRAD_SEGMENT_COUNT:
        return args->segment_count;
    default:
        return args->extra_grad[gradient - POSEMB__GRAD_EXTRA];
    }
}

uint32_t posemb__host_wanted(const posemb_host_backward_args *args)
{
    uint32_t wanted = 0;

    for (int g = 0; g < POSEMB__GRADIENTS; g++)
        if (posemb__host_gradient(args, (enum posemb__gradient)g))
            wanted |= 1u << g;
    return wanted;
}

posemb_status posemb__check_host_backward(const struct posemb__backward_call *call,
                                          const posemb_host_backward_args *args,
                                          posemb_error *error)
{
    for (int i = 0; i < POSEMB__BACK_INPUTS; i++)
        if (call->input[i].bytes > 0 &&
            !posemb__host_backward_input(args, (enum posemb__backward_input)i))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                                posemb__backward_input_name((enum posemb__backward_input)i));
    return POSEMB_OK;
}
