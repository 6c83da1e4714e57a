/* The CPU reference of optimiser steps: the definition of their bits, one parameter at a time.
 * Built without contraction of a * b + c. */
#include "norm.h"
#include "optimizer_params.h"
#include "status.h"

/* One parameter, its states (0 where the step has none) and its gradient. */
struct element {
    float p;
    float m;
    float v;
    float g;
};

static void step_sgd(const posemb_optimizer_desc *desc, const struct posemb__step *step,
                     struct element *e)
{
    float u = e->g;

    if (desc->momentum > 0.0f) {
        const float kept = desc->momentum * e->m;

        e->m = kept + e->g;
        u = e->m;
    }
    if (desc->nesterov) {
        const float ahead = desc->momentum * e->m;

        u = e->g + ahead;
    }
    u = step->step.learning_rate * u;
    e->p = e->p - u;
}

static void step_adam(const posemb_optimizer_desc *desc, const struct posemb__step *step,
                      struct element *e)
{
    const float kept1 = desc->beta1 * e->m;
    const float kept2 = desc->beta2 * e->v;
    const float new1 = step->rest1 * e->g;
    const float new2 = step->rest2 * (e->g * e->g);
    float root;
    float w;

    e->m = kept1 + new1;
    e->v = kept2 + new2;
    root = (e->v * posemb__rsq(e->v)) * step->k;
    w = posemb__rsq(root + desc->epsilon);
    e->p = e->p - ((step->l * e->m) * w) * w;
}

static void step_element(const posemb_optimizer_desc *desc, const struct posemb__step *step,
                         struct element *e)
{
    e->g = e->g * step->step.grad_scale;
    if (desc->weight_decay > 0.0f && desc->decay == POSEMB_DECAY_COUPLED) {
        const float pull = desc->weight_decay * e->p;

        e->g = e->g + pull;
    } else if (desc->weight_decay > 0.0f) {
        e->p = e->p * step->q;
    }
    if (desc->method == POSEMB_SGD)
        step_sgd(desc, step, e);
    else
        step_adam(desc, step, e);
}

/* Row `row` of the table, with row `from` of the gradients. */
static void step_row(const posemb_optimizer_desc *desc, const struct posemb__step *step,
                     const posemb_host_optimizer_args *args, uint64_t row, uint64_t from)
{
    const uint64_t dim = step->step.dim;
    const bool has_first = step->span[POSEMB__FIRST].bytes > 0;
    const bool has_second = step->span[POSEMB__SECOND].bytes > 0;

    for (uint64_t c = 0; c < dim; c++) {
        const uint64_t i = row * dim + c;
        struct element e = {args->parameters[i], has_first ? args->first[i] : 0.0f,
                            has_second ? args->second[i] : 0.0f, args->grads[from * dim + c]};

        step_element(desc, step, &e);
        args->parameters[i] = e.p;
        if (has_first)
            args->first[i] = e.m;
        if (has_second)
            args->second[i] = e.v;
    }
}

static posemb_status check_pointers(const struct posemb__step *step,
                                    const posemb_host_optimizer_args *args, posemb_error *error)
{
    const void *const pointers[POSEMB__STATES] = {
        [POSEMB__PARAMETERS] = args->parameters, [POSEMB__FIRST] = args->first,
        [POSEMB__SECOND] = args->second,         [POSEMB__GRADS] = args->grads,
        [POSEMB__NUMBERS] = args->segment_rows,  [POSEMB__NUMBER_COUNT] = args->segment_count};

    for (int i = 0; i < POSEMB__STATES; i++)
        if (step->span[i].bytes > 0 && !pointers[i])
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                                posemb__state_name((enum posemb__state)i));
    return POSEMB_OK;
}

posemb_status posemb_reference_optimize(const posemb_optimizer_desc *desc,
                                        const posemb_host_optimizer_args *args, posemb_error *error)
{
    posemb_optimizer_desc resolved;
    struct posemb__step step;
    uint64_t count;
    posemb_status status = posemb_optimizer_resolve(desc, &resolved, error);

    if (status != POSEMB_OK)
        return status;
    if (!args)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "args is NULL");
    status = posemb__step_resolve(&resolved, &args->step, args->step.rows, &step, error);
    if (status == POSEMB_OK)
        status = check_pointers(&step, args, error);
    if (status != POSEMB_OK)
        return status;
    count = step.step.rows;
    if (step.step.by_segment && *args->segment_count < count)
        count = *args->segment_count;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t row = step.step.by_segment ? args->segment_rows[i] : i;

        if (row < step.step.rows)
            step_row(&resolved, &step, args, row, i);
    }
    return POSEMB_OK;
}
