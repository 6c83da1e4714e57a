/* Descriptions: defaults filled in, every range checked, and the phase steps that follow. */
#include "desc.h"

#include "status.h"
#include "storage.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

const char *posemb_version(void)
{
    return POSEMB_VERSION_STRING;
}

uint64_t posemb__number_size(posemb_number_type type)
{
    switch (type) {
    case POSEMB_INT64:
        return 8;
    case POSEMB_UINT8:
        return 1;
    default:
        return 4;
    }
}

posemb_storage posemb__step_storage(const posemb_desc *resolved)
{
    if (resolved->rounding != POSEMB_ROUND_EACH_STEP)
        return POSEMB_F32;
    switch (resolved->operation) {
    case POSEMB_ADD:
        return resolved->rows_storage;
    case POSEMB_TABLE:
        return resolved->out_storage;
    default:
        return resolved->tokens.storage;
    }
}

uint32_t posemb__extra_count(const posemb_desc *resolved)
{
    uint32_t count = 0;

    while (count < POSEMB_EXTRAS_MAX && resolved->extras[count].ids != POSEMB_EXTRA_NONE)
        count++;
    return count;
}

bool posemb__shares_positions(const posemb_desc *resolved)
{
    return resolved->padding == POSEMB_PADDING_NONE &&
           resolved->position_kind != POSEMB_NO_POSITION &&
           (resolved->positions == POSEMB_POSITIONS_INDEX ||
            resolved->positions == POSEMB_POSITIONS_EXPLICIT_SHARED);
}

bool posemb__has_norm(const posemb_desc *resolved)
{
    return resolved->norm != POSEMB_NORM_NONE;
}

bool posemb__has_gamma(const posemb_desc *resolved)
{
    return posemb__has_norm(resolved) && resolved->gamma != POSEMB_GAMMA_NONE;
}

bool posemb__has_beta(const posemb_desc *resolved)
{
    return posemb__has_norm(resolved) && resolved->beta == POSEMB_BETA_ADDED;
}

uint32_t posemb__axes_of(const posemb_desc *resolved)
{
    return resolved->grid.axes ? resolved->grid.axes : 1;
}

bool posemb__has_positions(const posemb_desc *resolved)
{
    switch (resolved->positions) {
    case POSEMB_POSITIONS_ROW_START:
    case POSEMB_POSITIONS_EXPLICIT:
    case POSEMB_POSITIONS_EXPLICIT_SHARED:
    case POSEMB_POSITIONS_RAGGED:
        return true;
    default:
        return false;
    }
}

bool posemb__has_float_positions(const posemb_desc *resolved)
{
    return posemb__has_positions(resolved) && resolved->position_type == POSEMB_FLOAT32;
}

bool posemb__searches_pads(const posemb_desc *resolved)
{
    return resolved->padding == POSEMB_PADDING_TOKEN || resolved->padding == POSEMB_PADDING_MASK;
}

bool posemb__counts_tokens(const posemb_desc *resolved)
{
    return posemb__searches_pads(resolved) &&
           (resolved->positions == POSEMB_POSITIONS_COUNT ||
            resolved->positions == POSEMB_POSITIONS_COUNT_BEFORE);
}

/* ---- Defaults */

static void fill_stage(posemb_desc *desc)
{
    if (desc->operation == POSEMB_OPERATION_DEFAULT)
        desc->operation = POSEMB_ENCODE;
    if (desc->id_type == POSEMB_NUMBER_DEFAULT)
        desc->id_type = POSEMB_INT32;
    if (desc->consumer == POSEMB_CONSUMER_DEFAULT)
        desc->consumer = POSEMB_CONSUMER_FOLLOWS;
    if (desc->token_scale == 0.0f)
        desc->token_scale = 1.0f;
    if (desc->concurrency == 0)
        desc->concurrency = 8;
}

static void fill_storage(posemb_storage *storage)
{
    if (*storage == POSEMB_STORAGE_DEFAULT)
        *storage = POSEMB_F32;
}

static void fill_table(posemb_table_desc *table)
{
    fill_storage(&table->storage);
    if (table->scaling == POSEMB_SCALING_DEFAULT)
        table->scaling = POSEMB_SCALE_OF_ROW;
    if (table->policy == POSEMB_POLICY_DEFAULT)
        table->policy = POSEMB_POLICY_ZERO_ROW;
}

static void fill_tables(posemb_desc *desc)
{
    fill_table(&desc->tokens);
    if (desc->table_parts == 0)
        desc->table_parts = 1;
    fill_table(&desc->position_table);
    fill_storage(&desc->rows_storage);
    fill_storage(&desc->out_storage);
    if (desc->prompt_scale == 0.0f)
        desc->prompt_scale = 1.0f;
    if (desc->position_kind == POSEMB_POSITION_KIND_DEFAULT)
        desc->position_kind = POSEMB_SINUSOIDAL;
    if (desc->rounding == POSEMB_ROUNDING_DEFAULT)
        desc->rounding = POSEMB_ROUND_ONCE;
    for (uint32_t k = 0; k < posemb__extra_count(desc); k++) {
        posemb_extra_desc *extra = &desc->extras[k];

        fill_table(&extra->table);
        if (extra->id_type == POSEMB_NUMBER_DEFAULT)
            extra->id_type = POSEMB_INT32;
        if (extra->scale == 0.0f)
            extra->scale = 1.0f;
    }
}

static void fill_norm(posemb_desc *desc)
{
    if (desc->norm == POSEMB_NORM_DEFAULT)
        desc->norm = POSEMB_NORM_NONE;
    fill_storage(&desc->norm_storage);
    if (desc->epsilon == 0.0f)
        desc->epsilon = 1e-5f;
    if (desc->gamma == POSEMB_GAMMA_DEFAULT)
        desc->gamma = POSEMB_GAMMA_FACTOR;
    if (desc->beta == POSEMB_BETA_DEFAULT)
        desc->beta = desc->norm == POSEMB_NORM_LAYER ? POSEMB_BETA_ADDED : POSEMB_BETA_NONE;
}

static void fill_positions(posemb_desc *desc)
{
    if (desc->positions == POSEMB_POSITIONS_DEFAULT)
        desc->positions = POSEMB_POSITIONS_INDEX;
    if (desc->position_type == POSEMB_NUMBER_DEFAULT)
        desc->position_type = POSEMB_INT32;
    if (desc->padding == POSEMB_PADDING_DEFAULT)
        desc->padding = POSEMB_PADDING_NONE;
    if (desc->padding_type == POSEMB_NUMBER_DEFAULT)
        desc->padding_type = POSEMB_INT32;
    if (desc->pad_policy == POSEMB_PAD_DEFAULT)
        desc->pad_policy = POSEMB_PAD_COMPUTED;
}

static void fill_sinusoids(posemb_desc *desc)
{
    if (desc->position_scale == 0.0)
        desc->position_scale = 1.0;
    posemb__convention_fill(desc);
    if (desc->frequencies)
        return;
    if (desc->base == 0.0)
        desc->base = 10000.0;
    if (desc->frequency == 0.0)
        desc->frequency = 1.0;
}

/* Back to defaults, with which nothing is wrong: nobody looks at them. */
static void forget_sinusoids(posemb_desc *desc)
{
    desc->convention = POSEMB_VASWANI;
    desc->layout = POSEMB_LAYOUT_DEFAULT;
    desc->first = POSEMB_FIRST_DEFAULT;
    desc->denominator = POSEMB_DENOMINATOR_DEFAULT;
    desc->odd = POSEMB_ODD_DEFAULT;
    desc->shift = desc->base = desc->frequency = desc->position_scale = 0.0;
    desc->amplitude = 0.0f;
    desc->frequencies = desc->phases = NULL;
    desc->frequency_count = 0;
}

static void fill_grid(const posemb_desc *desc, posemb_grid *grid)
{
    uint32_t dims = 0;
    uint32_t segments = 0;

    for (uint32_t k = 0; k < grid->axes; k++) {
        dims |= grid->dim[k];
        segments |= grid->segment_axis[k];
    }
    for (uint32_t k = 0; k < grid->axes; k++) {
        if (dims == 0)
            grid->dim[k] = desc->dim / grid->axes;
        if (segments == 0)
            grid->segment_axis[k] = k + 1;
        if (grid->numerator[k] == 0)
            grid->numerator[k] = 1;
        if (grid->denominator[k] == 0)
            grid->denominator[k] = 1;
    }
}

/* ---- Checks */

/* The value of a field, an enum with the values 0 ... last. */
struct choice {
    const char *field;
    int value;
    int last;
};

/* `owner` stands before the fields in messages. */
static posemb_status check_choices(const char *owner, const struct choice *choices, size_t count,
                                   posemb_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (choices[i].value < 0 || choices[i].value > choices[i].last)
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s%s is %d, not one of 0 ... %d", owner, choices[i].field,
                                choices[i].value, choices[i].last);
    return POSEMB_OK;
}

static posemb_status check_table(const char *owner, const posemb_table_desc *table,
                                 posemb_error *error)
{
    const struct choice choices[] = {
        {"storage", (int)table->storage, POSEMB__STORAGES},
        {"scaling", (int)table->scaling, POSEMB_SCALE_OF_TABLE},
        {"policy", (int)table->policy, POSEMB_POLICY_NAN_ROW},
    };

    return check_choices(owner, choices, sizeof choices / sizeof *choices, error);
}

static posemb_status check_enums(const posemb_desc *desc, posemb_error *error)
{
    const struct choice choices[] = {
        {"operation", (int)desc->operation, POSEMB_TABLE},
        {"convention", (int)desc->convention, (int)posemb_convention_count()},
        {"layout", (int)desc->layout, POSEMB_HALVES},
        {"first", (int)desc->first, POSEMB_COSINE_FIRST},
        {"denominator", (int)desc->denominator, POSEMB_DENOMINATOR_FLOOR},
        {"odd", (int)desc->odd, POSEMB_ODD_SECOND},
        {"positions", (int)desc->positions, POSEMB_POSITIONS_RAGGED},
        {"position_type", (int)desc->position_type, POSEMB_FLOAT32},
        {"padding", (int)desc->padding, POSEMB_PADDING_LEFT_LENGTH},
        {"padding_type", (int)desc->padding_type, POSEMB_UINT8},
        {"pad_policy", (int)desc->pad_policy, POSEMB_PAD_ZERO_ROW},
        {"id_type", (int)desc->id_type, POSEMB_INT64},
        {"consumer", (int)desc->consumer, POSEMB_CONSUMER_STREAMED},
        {"rows_storage", (int)desc->rows_storage, POSEMB_BF16},
        {"soft_prompts", desc->soft_prompts > 1 ? INT_MAX : (int)desc->soft_prompts, 1},
        {"position_kind", (int)desc->position_kind, POSEMB_NO_POSITION},
        {"norm", (int)desc->norm, POSEMB_NORM_RMS},
        {"gamma", (int)desc->gamma, POSEMB_GAMMA_NONE},
        {"beta", (int)desc->beta, POSEMB_BETA_NONE},
        {"norm_storage", (int)desc->norm_storage, POSEMB_BF16},
        {"rounding", (int)desc->rounding, POSEMB_ROUND_EACH_STEP},
        {"out_storage", (int)desc->out_storage, POSEMB_BF16},
    };
    posemb_status status = check_choices("", choices, sizeof choices / sizeof *choices, error);

    if (status == POSEMB_OK)
        status = check_table("tokens.", &desc->tokens, error);
    if (status == POSEMB_OK)
        status = check_table("position_table.", &desc->position_table, error);
    return status;
}

static posemb_status check_stage(const posemb_desc *desc, posemb_error *error)
{
    if (desc->dim < 1 || desc->dim > POSEMB_DIM_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "dim is %" PRIu32 ", not 1 ... %u",
                            desc->dim, POSEMB_DIM_MAX);
    if (!isfinite(desc->token_scale))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "token_scale is %g, not finite",
                            (double)desc->token_scale);
    if (desc->table_parts > POSEMB_PARTS_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "table_parts is %" PRIu32 ", above %u", desc->table_parts,
                            POSEMB_PARTS_MAX);
    if (desc->table_parts > 1 && desc->operation != POSEMB_ENCODE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "table_parts is %" PRIu32 ", but the operation has no table",
                            desc->table_parts);
    if (desc->concurrency > POSEMB_CONCURRENCY_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "concurrency is %" PRIu32 ", above %u", desc->concurrency,
                            POSEMB_CONCURRENCY_MAX);
    return POSEMB_OK;
}

static const char *const extra_tables[] = {"extras[0].table.", "extras[1].table.",
                                           "extras[2].table.", "extras[3].table."};

static posemb_status check_extra(const posemb_desc *desc, uint32_t k, posemb_error *error)
{
    static const char *const owners[] = {"extras[0].", "extras[1].", "extras[2].", "extras[3]."};
    const posemb_extra_desc *extra = &desc->extras[k];
    const struct choice choices[] = {
        {"ids", (int)extra->ids, POSEMB_EXTRA_CONSTANT},
        {"id_type", (int)extra->id_type, POSEMB_INT64},
    };
    posemb_status status =
        check_choices(owners[k], choices, sizeof choices / sizeof *choices, error);

    if (status == POSEMB_OK)
        status = check_table(extra_tables[k], &extra->table, error);
    if (status != POSEMB_OK)
        return status;
    if (!isfinite(extra->scale))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "extras[%" PRIu32 "].scale is %g, not finite", k, (double)extra->scale);
    if (k > 0 && extra->ids != POSEMB_EXTRA_NONE && desc->extras[k - 1].ids == POSEMB_EXTRA_NONE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "extras[%" PRIu32 "] is there, but extras[%" PRIu32 "] is not", k,
                            k - 1);
    return POSEMB_OK;
}

/* Rows are whole blocks. */
static posemb_status check_blocks_of(const posemb_desc *desc, const char *owner,
                                     posemb_storage storage, posemb_error *error)
{
    const posemb_storage_info *info = posemb_storage_find(storage);

    if (desc->dim % info->block == 0)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%sstorage is %s, which has blocks of %" PRIu32
                        " channels, but dim is %" PRIu32,
                        owner, info->name, info->block, desc->dim);
}

static posemb_status check_blocks(const posemb_desc *desc, posemb_error *error)
{
    posemb_status status = POSEMB_OK;

    if (desc->operation == POSEMB_ENCODE)
        status = check_blocks_of(desc, "tokens.", desc->tokens.storage, error);
    if (status == POSEMB_OK && desc->position_kind == POSEMB_LEARNED)
        status = check_blocks_of(desc, "position_table.", desc->position_table.storage, error);
    for (uint32_t k = 0; status == POSEMB_OK && k < posemb__extra_count(desc); k++)
        status = check_blocks_of(desc, extra_tables[k], desc->extras[k].table.storage, error);
    return status;
}

/* What the parts of the stage want of each other. */
static posemb_status check_tables(const posemb_desc *desc, posemb_error *error)
{
    const bool sinusoidal = desc->position_kind == POSEMB_SINUSOIDAL;

    if (desc->soft_prompts && desc->operation != POSEMB_ENCODE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "soft_prompts is 1, but operation is %d, which has no ids",
                            (int)desc->operation);
    if (!isfinite(desc->prompt_scale))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "prompt_scale is %g, not finite",
                            (double)desc->prompt_scale);
    if (!sinusoidal && desc->grid.axes)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "grid.axes is %" PRIu32 ", but position_kind is %d", desc->grid.axes,
                            (int)desc->position_kind);
    if (!sinusoidal && posemb__has_float_positions(desc))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "position_type is float32, but position_kind is %d",
                            (int)desc->position_kind);
    if (desc->position_kind == POSEMB_NO_POSITION &&
        (desc->positions != POSEMB_POSITIONS_INDEX || desc->operation == POSEMB_TABLE))
        return posemb__fail(
            error, POSEMB_INVALID_ARGUMENT, 0, "position_kind is none, but %s is %d",
            desc->operation == POSEMB_TABLE ? "operation" : "positions",
            desc->operation == POSEMB_TABLE ? (int)desc->operation : (int)desc->positions);
    if (sinusoidal && (desc->position_table.policy == POSEMB_POLICY_CLAMP ||
                       desc->position_table.policy == POSEMB_POLICY_WRAP_NEGATIVE))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "position_table.policy is %d, which sinusoids cannot have",
                            (int)desc->position_table.policy);
    if (desc->rounding == POSEMB_ROUND_EACH_STEP &&
        posemb__is_table_storage(posemb__step_storage(desc)))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "rounding is that of each step, but tokens.storage is %s",
                            posemb_storage_find(desc->tokens.storage)->name);
    return check_blocks(desc, error);
}

static posemb_status check_norm(const posemb_desc *desc, posemb_error *error)
{
    if (!(desc->epsilon > 0.0f && isfinite(desc->epsilon)))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "epsilon is %g, not positive and finite", (double)desc->epsilon);
    if (desc->gamma == POSEMB_GAMMA_ONE_PLUS && desc->norm != POSEMB_NORM_RMS)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "gamma is 1 + gamma, but norm is %d, which has no such form",
                            (int)desc->norm);
    return POSEMB_OK;
}

/* What rule and padding want of each other; what the buffers may hold. */
static posemb_status check_positions(const posemb_desc *desc, posemb_error *error)
{
    const int rule = (int)desc->positions;
    const bool ragged = desc->positions == POSEMB_POSITIONS_RAGGED;
    const bool counts = desc->positions == POSEMB_POSITIONS_COUNT ||
                        desc->positions == POSEMB_POSITIONS_COUNT_BEFORE;
    const bool explicit_rule = desc->positions == POSEMB_POSITIONS_EXPLICIT ||
                               desc->positions == POSEMB_POSITIONS_EXPLICIT_SHARED;
    const bool mask = desc->padding == POSEMB_PADDING_MASK;

    if (desc->position_type == POSEMB_FLOAT32 && !explicit_rule)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "position_type is float32, but positions is %d, which takes no floats",
                            rule);
    if (counts && desc->padding == POSEMB_PADDING_NONE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "positions is %d, which counts what is no pad, but padding is none",
                            rule);
    if (ragged && desc->padding != POSEMB_PADDING_NONE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "padding is %d, but ragged positions say themselves what is a pad",
                            (int)desc->padding);
    if (desc->padding == POSEMB_PADDING_TOKEN && desc->operation != POSEMB_ENCODE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "padding is that of token ids, but operation is %d, which has none",
                            (int)desc->operation);
    if (desc->padding_type == POSEMB_FLOAT32 || (desc->padding_type == POSEMB_UINT8 && !mask))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "padding_type is %d, which padding %d cannot have",
                            (int)desc->padding_type, (int)desc->padding);
    if (desc->pad_id != 0 && desc->padding != POSEMB_PADDING_TOKEN)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "pad_id is %" PRId64 ", but padding is %d, which does not look at ids",
                            desc->pad_id, (int)desc->padding);
    if (desc->pad_policy != POSEMB_PAD_COMPUTED && desc->padding == POSEMB_PADDING_NONE && !ragged)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "pad_policy is %d, but nothing says what is a pad",
                            (int)desc->pad_policy);
    return POSEMB_OK;
}

static posemb_status check_no_grid(const posemb_grid *grid, posemb_error *error)
{
    for (int k = 0; k < (int)POSEMB_AXES_MAX; k++)
        if (grid->count[k] || grid->dim[k] || grid->segment_axis[k] || grid->numerator[k] ||
            grid->denominator[k])
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "grid has values for axis %d, but grid.axes is 0", k);
    return POSEMB_OK;
}

static posemb_status check_grid(const posemb_desc *desc, posemb_error *error)
{
    const posemb_grid *grid = &desc->grid;
    uint64_t sum = 0;
    unsigned seen = 0;

    if (grid->axes == 0)
        return check_no_grid(grid, error);
    if (desc->positions != POSEMB_POSITIONS_INDEX && desc->positions != POSEMB_POSITIONS_EXPLICIT &&
        desc->positions != POSEMB_POSITIONS_EXPLICIT_SHARED)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "positions is %d, which a grid cannot have", (int)desc->positions);
    for (uint32_t k = 0; k < grid->axes; k++) {
        const uint32_t axis = grid->segment_axis[k] - 1;

        if (axis >= grid->axes || (seen >> axis & 1u))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "grid.segment_axis[%" PRIu32 "] is %" PRIu32
                                ": the segments do not have each of %" PRIu32 " axes once",
                                k, grid->segment_axis[k], grid->axes);
        seen |= 1u << axis;
        if (grid->dim[k] == 0)
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "grid.dim[%" PRIu32 "] is 0", k);
        if (desc->positions == POSEMB_POSITIONS_INDEX && grid->count[k] == 0)
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "grid.count[%" PRIu32 "] is 0",
                                k);
        sum += grid->dim[k];
    }
    if (sum != desc->dim)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "grid.dim has %" PRIu64 " channels, dim is %" PRIu32, sum, desc->dim);
    return POSEMB_OK;
}

static posemb_status check_range(const char *field, double value, double least, double most,
                                 posemb_error *error)
{
    if (value >= least && value <= most)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is %g, not %g ... %g", field, value,
                        least, most);
}

static posemb_status check_knobs(const posemb_desc *desc, posemb_error *error)
{
    posemb_status status =
        check_range("amplitude", fabs((double)desc->amplitude), (double)POSEMB_AMPLITUDE_MIN,
                    (double)POSEMB_AMPLITUDE_MAX, error);

    if (status == POSEMB_OK)
        status = check_range("position_scale", desc->position_scale, POSEMB_SCALE_MIN,
                             POSEMB_SCALE_MAX, error);
    if (status == POSEMB_OK && desc->odd == POSEMB_ODD_SECOND && desc->layout == POSEMB_INTERLEAVED)
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "odd is %d, which an interleaved layout cannot have", (int)desc->odd);
    if (status != POSEMB_OK || desc->frequencies)
        return status;
    status = check_range("base", desc->base, POSEMB_BASE_MIN, POSEMB_BASE_MAX, error);
    if (status == POSEMB_OK)
        status =
            check_range("frequency", desc->frequency, POSEMB_SCALE_MIN, POSEMB_SCALE_MAX, error);
    if (status == POSEMB_OK)
        status = check_range("shift", desc->shift, -(double)POSEMB_DIM_MAX, (double)POSEMB_DIM_MAX,
                             error);
    return status;
}

/* What cannot be said together with an explicit vector of frequencies. */
static posemb_status check_contradictions(const posemb_desc *desc, posemb_error *error)
{
    if (desc->shift != 0.0 && desc->denominator == POSEMB_DENOMINATOR_DEFAULT)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "shift is %g, but denominator is 0: the convention has its own shift",
                            desc->shift);
    if (desc->frequency_count != 0 && !desc->frequencies && !desc->phases)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "frequency_count is %" PRIu32 ", but frequencies and phases are NULL",
                            desc->frequency_count);
    if (!desc->frequencies)
        return POSEMB_OK;
    if (desc->base != 0.0 || desc->frequency != 0.0 || desc->denominator != 0)
        return posemb__fail(
            error, POSEMB_INVALID_ARGUMENT, 0, "frequencies are given, but %s is set too",
            desc->base != 0.0 ? "base" : (desc->frequency != 0.0 ? "frequency" : "denominator"));
    return POSEMB_OK;
}

static posemb_status check_vectors(const posemb_desc *desc, uint32_t pairs, posemb_error *error)
{
    if (!desc->frequencies && !desc->phases)
        return POSEMB_OK;
    if (desc->frequency_count != pairs)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "frequency_count is %" PRIu32 ", but there are %" PRIu32 " pairs",
                            desc->frequency_count, pairs);
    for (uint32_t i = 0; i < pairs; i++) {
        if (desc->frequencies &&
            !(desc->frequencies[i] >= 0.0 && desc->frequencies[i] <= POSEMB_SCALE_MAX))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "frequencies[%" PRIu32 "] is %g, not 0 ... 2^64", i,
                                desc->frequencies[i]);
        if (desc->phases && !(fabs(desc->phases[i]) < 4294967296.0))
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                                "phases[%" PRIu32 "] is %g, not below 2^32 in magnitude", i,
                                desc->phases[i]);
    }
    return POSEMB_OK;
}

static struct posemb__position_factor factor_of(const posemb_desc *desc,
                                                const struct posemb__segment *segment)
{
    struct posemb__position_factor factor = {desc->position_scale, 1, 1};

    if (desc->grid.axes) {
        factor.numerator = desc->grid.numerator[segment->axis];
        factor.denominator = desc->grid.denominator[segment->axis];
    }
    return factor;
}

/* The denominator of the exponents of a segment. */
static double denominator_of(const posemb_desc *desc, const struct posemb__segment *segment)
{
    return posemb__twice_denominator(desc, segment) / 2.0 - desc->shift;
}

/* The base-2 logarithm of the highest frequency of a segment, in turns per position. */
static double highest_turns(const posemb_desc *desc, const struct posemb__segment *segment)
{
    const struct posemb__position_factor factor = factor_of(desc, segment);
    const double denominator = denominator_of(desc, segment);
    double highest = 0.0;

    if (desc->frequencies) {
        for (uint32_t i = 0; i < segment->pairs; i++)
            highest = fmax(highest, desc->frequencies[segment->first_step + i]);
        highest = log2(highest);
    } else {
        highest = log2(desc->frequency);
        if (segment->pairs > 1 && desc->base < 1.0)
            highest -= (segment->pairs - 1) / denominator * log2(desc->base);
    }
    return highest + log2(factor.scale) + log2(factor.numerator) - log2(factor.denominator) -
           2.651496129472319; /* log2(2pi) */
}

static posemb_status check_segment(const posemb_desc *desc, const struct posemb__segment *segment,
                                   posemb_error *error)
{
    const double limit = posemb__has_float_positions(desc) ? 32.0 : 64.0;
    const double denominator = denominator_of(desc, segment);
    double turns;

    if (segment->dim % 2 != 0 && desc->odd == POSEMB_ODD_REFUSED)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "dim is %" PRIu32 ", but the convention has no odd ones", segment->dim);
    if (!desc->frequencies && segment->pairs > 1 && !(denominator >= 1.0 / 64))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "shift is %g: with dim %" PRIu32 " the denominator is %g, below 1/64",
                            desc->shift, segment->dim, denominator);
    turns = segment->pairs ? highest_turns(desc, segment) : 0.0;
    if (turns >= limit)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "a frequency is 2^%.3g turns per position, above 2^%g%s", turns, limit,
                            limit < 64.0 ? " of float positions" : "");
    return POSEMB_OK;
}

static posemb_status check_segments(const posemb_desc *desc, posemb_error *error)
{
    const struct posemb__channels channels = posemb__channels_of(desc);
    posemb_status status = check_vectors(desc, channels.pairs, error);

    for (uint32_t k = 0; status == POSEMB_OK && k < channels.segments; k++)
        status = check_segment(desc, &channels.segment[k], error);
    return status;
}

posemb_status posemb_desc_resolve(const posemb_desc *desc, posemb_desc *resolved,
                                  posemb_error *error)
{
    posemb_desc filled;
    posemb_status status;

    if (!desc || !resolved)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            desc ? "resolved" : "desc");
    filled = *desc;
    if (filled.convention == POSEMB_CONVENTION_DEFAULT)
        filled.convention = POSEMB_VASWANI;
    status = check_enums(&filled, error);
    if (status == POSEMB_OK && (filled.grid.axes == 1 || filled.grid.axes > POSEMB_AXES_MAX))
        status = posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                              "grid.axes is %" PRIu32 ", not 0, 2 or 3", filled.grid.axes);
    if (filled.position_kind == POSEMB_LEARNED || filled.position_kind == POSEMB_NO_POSITION)
        forget_sinusoids(&filled);
    if (status == POSEMB_OK)
        status = check_contradictions(&filled, error);
    if (status != POSEMB_OK)
        return status;
    fill_stage(&filled);
    fill_tables(&filled);
    fill_norm(&filled);
    status = check_stage(&filled, error);
    for (uint32_t k = 0; status == POSEMB_OK && k < POSEMB_EXTRAS_MAX; k++)
        status = check_extra(&filled, k, error);
    if (status == POSEMB_OK)
        status = check_norm(&filled, error);
    if (status != POSEMB_OK)
        return status;
    fill_positions(&filled);
    fill_sinusoids(&filled);
    fill_grid(&filled, &filled.grid);
    status = check_positions(&filled, error);
    if (status == POSEMB_OK)
        status = check_tables(&filled, error);
    if (status == POSEMB_OK)
        status = check_grid(&filled, error);
    if (status == POSEMB_OK)
        status = check_knobs(&filled, error);
    if (status == POSEMB_OK)
        status = check_segments(&filled, error);
    if (status == POSEMB_OK)
        *resolved = filled;
    return status;
}

/* ---- Phase steps */

size_t posemb_pair_count(const posemb_desc *desc)
{
    posemb_desc resolved;

    if (posemb_desc_resolve(desc, &resolved, NULL) != POSEMB_OK)
        return 0;
    return posemb__channels_of(&resolved).pairs;
}

void posemb__desc_steps(const posemb_desc *resolved, const struct posemb__channels *channels,
                        struct posemb__steps steps)
{
    for (uint32_t k = 0; k < channels->segments; k++) {
        const struct posemb__segment *segment = &channels->segment[k];
        const struct posemb__position_factor factor = factor_of(resolved, segment);
        const struct posemb__progression progression = {
            resolved->base, resolved->frequency, posemb__twice_denominator(resolved, segment),
            resolved->shift};
        const struct posemb__steps place = {steps.step + segment->first_step,
                                            steps.whole ? steps.whole + segment->first_step : NULL};

        if (resolved->frequencies)
            posemb__phase_steps_given(resolved->frequencies + segment->first_step, &factor,
                                      segment->pairs, place);
        else
            posemb__phase_steps(&progression, &factor, segment->pairs, place);
    }
}

posemb_status posemb_phase_steps(const posemb_desc *desc, uint64_t *steps, size_t capacity,
                                 posemb_error *error)
{
    struct posemb__channels channels;
    posemb_desc resolved = {0};
    const posemb_status status = posemb_desc_resolve(desc, &resolved, error);

    if (status != POSEMB_OK)
        return status;
    channels = posemb__channels_of(&resolved);
    if (capacity < channels.pairs)
        return posemb__fail(error, POSEMB_BUFFER_TOO_SMALL, 0,
                            "capacity is %zu, fewer than the %" PRIu32 " pairs of dim %" PRIu32,
                            capacity, channels.pairs, resolved.dim);
    if (!steps && channels.pairs > 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "steps is NULL");
    posemb__desc_steps(&resolved, &channels, (struct posemb__steps){steps, NULL});
    return POSEMB_OK;
}
