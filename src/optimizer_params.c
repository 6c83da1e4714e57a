/* The arguments of an optimiser step, checked, and the numbers made of them. */
#include "optimizer_params.h"

#include "checked_math.h"
#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *posemb__state_name(enum posemb__state state)
{
    static const char *const names[POSEMB__STATES] = {
        [POSEMB__PARAMETERS] = "parameters", [POSEMB__FIRST] = "first",
        [POSEMB__SECOND] = "second",         [POSEMB__GRADS] = "grads",
        [POSEMB__NUMBERS] = "segment_rows",  [POSEMB__NUMBER_COUNT] = "segment_count"};

    return names[state];
}

static posemb_status bad_number(const char *field, float value, const char *range,
                                posemb_error *error)
{
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is %g, not %s", field, (double)value,
                        range);
}

/* A number of one of the methods; 0 stands for `fallback`. */
static posemb_status resolve_fraction(const char *field, float *value, float fallback,
                                      posemb_error *error)
{
    if (*value == 0.0f)
        *value = fallback;
    return *value > 0.0f && *value < 1.0f ? POSEMB_OK
                                          : bad_number(field, *value, "above 0 and below 1", error);
}

static posemb_status resolve_sgd(posemb_optimizer_desc *desc, posemb_error *error)
{
    if (!(desc->momentum >= 0.0f && desc->momentum < 1.0f))
        return bad_number("momentum", desc->momentum, "0 or more and below 1", error);
    if (desc->nesterov > 1 || (desc->nesterov == 1 && desc->momentum == 0.0f))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "nesterov is %u, %s",
                            (unsigned)desc->nesterov,
                            desc->nesterov > 1 ? "not 0 or 1" : "but there is no momentum");
    if (desc->beta1 != 0.0f || desc->beta2 != 0.0f || desc->epsilon != 0.0f)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "beta1, beta2 and epsilon are of POSEMB_ADAM alone");
    return POSEMB_OK;
}

static posemb_status resolve_adam(posemb_optimizer_desc *desc, posemb_error *error)
{
    posemb_status status = resolve_fraction("beta1", &desc->beta1, 0.9f, error);

    if (status == POSEMB_OK)
        status = resolve_fraction("beta2", &desc->beta2, 0.999f, error);
    if (status != POSEMB_OK)
        return status;
    if (desc->epsilon == 0.0f)
        desc->epsilon = 1e-8f;
    if (!(desc->epsilon >= 1e-30f && desc->epsilon <= 1e30f))
        return bad_number("epsilon", desc->epsilon, "1e-30 ... 1e30", error);
    if (desc->momentum != 0.0f || desc->nesterov != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "momentum and nesterov are of POSEMB_SGD alone");
    return POSEMB_OK;
}

posemb_status posemb_optimizer_resolve(const posemb_optimizer_desc *desc,
                                       posemb_optimizer_desc *resolved, posemb_error *error)
{
    posemb_optimizer_desc made;
    posemb_status status;

    if (!desc || !resolved)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            desc ? "resolved" : "desc");
    made = *desc;
    if (made.method == POSEMB_OPTIMIZER_DEFAULT)
        made.method = POSEMB_SGD;
    if (made.decay == POSEMB_DECAY_DEFAULT)
        made.decay = POSEMB_DECAY_COUPLED;
    if ((uint32_t)made.method > POSEMB_ADAM)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "method is %u, which is no posemb_optimizer_method",
                            (unsigned)made.method);
    if ((uint32_t)made.decay > POSEMB_DECAY_DECOUPLED)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "decay is %u, which is no posemb_decay", (unsigned)made.decay);
    if (!(made.weight_decay >= 0.0f && isfinite(made.weight_decay)))
        return bad_number("weight_decay", made.weight_decay, "0 or more and finite", error);
    status = made.method == POSEMB_SGD ? resolve_sgd(&made, error) : resolve_adam(&made, error);
    if (status == POSEMB_OK)
        *resolved = made;
    return status;
}

static posemb_status check_step(const posemb_optimizer_desc *desc, posemb_optimizer_step *step,
                                posemb_error *error)
{
    if (step->rows == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "rows is 0");
    if (step->dim == 0 || step->dim > POSEMB_DIM_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "dim is %u, not 1 ... %u",
                            (unsigned)step->dim, (unsigned)POSEMB_DIM_MAX);
    if (step->by_segment > 1)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "by_segment is %u, not 0 or 1",
                            (unsigned)step->by_segment);
    if (desc->method == POSEMB_ADAM && step->step == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "step is 0; the first is 1");
    if (!(step->learning_rate >= 0.0f && isfinite(step->learning_rate)))
        return bad_number("learning_rate", step->learning_rate, "0 or more and finite", error);
    if (step->grad_scale == 0.0f)
        step->grad_scale = 1.0f;
    if (!isfinite(step->grad_scale))
        return bad_number("grad_scale", step->grad_scale, "finite", error);
    return POSEMB_OK;
}

/* base^exponent, by multiplications alone. */
static double power(double base, uint64_t exponent)
{
    double result = 1.0;

    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = result * base;
        base = base * base;
    }
    return result;
}

static void set_numbers(const posemb_optimizer_desc *desc, struct posemb__step *resolved)
{
    const double rate = resolved->step.learning_rate;

    resolved->q = (float)(1.0 - rate * (double)desc->weight_decay);
    if (desc->method != POSEMB_ADAM)
        return;
    resolved->rest1 = (float)(1.0 - (double)desc->beta1);
    resolved->rest2 = (float)(1.0 - (double)desc->beta2);
    resolved->l = (float)(rate / (1.0 - power(desc->beta1, resolved->step.step)));
    resolved->k = (float)(1.0 / sqrt(1.0 - power(desc->beta2, resolved->step.step)));
}

static posemb_status set_spans(const posemb_optimizer_desc *desc, uint64_t capacity,
                               struct posemb__step *resolved, posemb_error *error)
{
    const posemb_optimizer_step *step = &resolved->step;
    const uint64_t row = step->dim * sizeof(float);
    const uint64_t grads = step->by_segment ? capacity : step->rows;
    uint64_t bytes;
    uint64_t grads_bytes;

    if (!posemb__mul_u64(step->rows, row, &bytes) || bytes > (uint64_t)INT64_MAX ||
        !posemb__mul_u64(grads, row, &grads_bytes) || grads_bytes > (uint64_t)INT64_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0,
                            "%" PRIu64 " rows of %" PRIu64 " bytes reach beyond 2^63 bytes",
                            step->rows > grads ? step->rows : grads, row);
    for (int i = 0; i < POSEMB__STATES; i++)
        resolved->span[i] = (struct posemb__span){0, sizeof(float)};
    resolved->span[POSEMB__PARAMETERS].bytes = bytes;
    resolved->span[POSEMB__GRADS].bytes = grads_bytes;
    if (desc->method == POSEMB_ADAM || desc->momentum > 0.0f)
        resolved->span[POSEMB__FIRST].bytes = bytes;
    if (desc->method == POSEMB_ADAM)
        resolved->span[POSEMB__SECOND].bytes = bytes;
    if (step->by_segment) {
        resolved->span[POSEMB__NUMBERS].bytes = capacity * sizeof(uint32_t);
        resolved->span[POSEMB__NUMBER_COUNT].bytes = sizeof(uint32_t);
    }
    return POSEMB_OK;
}

posemb_status posemb__step_resolve(const posemb_optimizer_desc *desc,
                                   const posemb_optimizer_step *step, uint64_t capacity,
                                   struct posemb__step *resolved, posemb_error *error)
{
    posemb_status status;

    memset(resolved, 0, sizeof *resolved);
    resolved->step = *step;
    status = check_step(desc, &resolved->step, error);
    if (status != POSEMB_OK)
        return status;
    set_numbers(desc, resolved);
    return set_spans(desc, capacity, resolved, error);
}
