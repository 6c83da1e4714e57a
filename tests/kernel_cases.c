/* The covers behind kernel_cases.h. */
#include "kernel_cases.h"

#include <posemb/posemb.h>

#include <string.h>

struct size {
    uint32_t batch;
    uint32_t length;
};

/* The values of the factors whose values a level chooses. */
struct level {
    const uint32_t *dims;
    unsigned dim_count;
    const struct size *sizes;
    unsigned size_count;
    /* Indexes of a D and a size that run vectors of whole groups in every kernel. */
    unsigned vector_dim;
    unsigned group_size;
};

static const uint32_t all_dims[] = {1, 2, 3, 5, 127, 130, 384, 768, 1000, 4096};
static const uint32_t small_dims[] = {1, 5, 64, 70};

/* 0, 1, 2, 63, 64, 65 and 4097 tokens; groups of 8 (CPU) and 4 (GPU) rows, whole and not: 33 and
 * 241 batch rows run the shared kernel with a remainder on both shapes, 17 on GPUs. */
static const struct size all_sizes[] = {
    {0, 5},  {3, 0},  {1, 1},  {2, 1},  {1, 2},  {2, 3},  {3, 21}, {9, 7},    {1, 63},   {8, 8},
    {16, 4}, {1, 64}, {5, 13}, {1, 65}, {65, 1}, {17, 3}, {33, 3}, {1, 4097}, {17, 241}, {241, 17},
};
static const struct size small_sizes[] = {{0, 3}, {1, 1}, {3, 3}, {8, 2}, {9, 1}, {33, 1}, {2, 5}};

static const double bases[] = {1e4, 1e6, POSEMB_BASE_MIN, POSEMB_BASE_MAX, 1.0};
/* The default, sqrt(512), two subnormals, one that overflows, one that underflows. */
static const float scales[] = {0.0f, 22.627417f, 0x1p-149f, -0x1.8p-130f, -3e38f, -0x1p-100f};

#define COUNT_OF(array) ((unsigned)(sizeof(array) / sizeof *(array)))

static const struct level all_level = {
    all_dims, COUNT_OF(all_dims), all_sizes, COUNT_OF(all_sizes), 6, 9};
static const struct level small_level = {
    small_dims, COUNT_OF(small_dims), small_sizes, COUNT_OF(small_sizes), 2, 3};

uint64_t kernel_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned value_count(const struct level *level, enum kernel_factor factor)
{
    switch (factor) {
    case FACTOR_OPERATION:
        return 3;
    case FACTOR_CONVENTION:
        return 9;
    case FACTOR_RULE:
        return 4;
    case FACTOR_DIM:
        return level->dim_count;
    case FACTOR_BASE:
        return COUNT_OF(bases);
    case FACTOR_SCALE:
        return COUNT_OF(scales);
    case FACTOR_SIZE:
        return level->size_count;
    case FACTOR_LAYOUT:
        return LAYOUT_COUNT;
    case FACTOR_DATA:
        return DATA_COUNT;
    case FACTOR_IDS:
        return IDS_COUNT;
    case FACTOR_POSITIONS:
        return POSITIONS_COUNT;
    default:
        return 2;
    }
}

/* The operations and the rules (bits) under which a value means anything. */
struct need {
    unsigned operations;
    unsigned rules;
};

#define BIT(value)  (1u << ((value)-1))
#define ANY_RULE    0xfu
#define NEEDS_RULES (ANY_RULE & ~BIT(POSEMB_POSITIONS_INDEX))

static struct need need_of(enum kernel_factor factor, unsigned value)
{
    struct need need = {BIT(POSEMB_ENCODE) | BIT(POSEMB_ADD) | BIT(POSEMB_TABLE), ANY_RULE};

    if (factor == FACTOR_OPERATION)
        need.operations = 1u << value;
    if (factor == FACTOR_RULE)
        need.rules = 1u << value;
    if (factor == FACTOR_ID_TYPE || factor == FACTOR_IDS)
        need.operations = BIT(POSEMB_ENCODE);
    if (factor == FACTOR_POSITION_TYPE)
        need.rules = NEEDS_RULES;
    if (factor == FACTOR_SCALE || factor == FACTOR_DATA)
        need.operations = BIT(POSEMB_ENCODE) | BIT(POSEMB_ADD);
    if (factor == FACTOR_LAYOUT && value == LAYOUT_IN_PLACE)
        need.operations = BIT(POSEMB_ADD);
    return need;
}

bool kernel_case_uses(const struct kernel_case *kernel_case, enum kernel_factor factor)
{
    const struct need need = need_of(factor, kernel_case->value[factor]);

    return ((need.operations >> kernel_case->value[FACTOR_OPERATION]) & 1u) &&
           ((need.rules >> kernel_case->value[FACTOR_RULE]) & 1u);
}

/* Fill what follows from the values. */
static void complete(const struct level *level, struct kernel_case *made)
{
    made->seed = 0;
    for (int f = 0; f < FACTOR_COUNT; f++) {
        made->seed = made->seed * 31 + made->value[f];
        made->seed = kernel_random(&made->seed);
    }
    made->dim = level->dims[made->value[FACTOR_DIM]];
    made->batch = level->sizes[made->value[FACTOR_SIZE]].batch;
    made->length = level->sizes[made->value[FACTOR_SIZE]].length;
    made->base = bases[made->value[FACTOR_BASE]];
    made->scale = scales[made->value[FACTOR_SCALE]];
}

/* ---- Any two values of any two factors */

enum { MOST_VALUES = 128 };

struct cover {
    const struct level *level;
    unsigned first[FACTOR_COUNT + 1];       /* number of the first value of each factor */
    unsigned char factor[MOST_VALUES];      /* whose value a number is */
    bool covered[MOST_VALUES][MOST_VALUES]; /* both orders */
};

static struct need need_of_number(const struct cover *cover, unsigned number)
{
    const enum kernel_factor factor = (enum kernel_factor)cover->factor[number];

    return need_of(factor, number - cover->first[factor]);
}

/* Number the values; pairs that cannot meet count as covered. */
static void cover_start(struct cover *cover, const struct level *level)
{
    memset(cover, 0, sizeof *cover);
    cover->level = level;
    for (unsigned f = 0; f < FACTOR_COUNT; f++) {
        cover->first[f + 1] = cover->first[f] + value_count(level, (enum kernel_factor)f);
        memset(cover->factor + cover->first[f], (int)f, cover->first[f + 1] - cover->first[f]);
    }
    for (unsigned a = 0; a < cover->first[FACTOR_COUNT]; a++) {
        for (unsigned b = 0; b < cover->first[FACTOR_COUNT]; b++) {
            const struct need x = need_of_number(cover, a);
            const struct need y = need_of_number(cover, b);

            cover->covered[a][b] = cover->factor[a] == cover->factor[b] ||
                                   !(x.operations & y.operations) || !(x.rules & y.rules);
        }
    }
}

static bool first_uncovered(const struct cover *cover, unsigned *a, unsigned *b)
{
    for (*a = 0; *a < cover->first[FACTOR_COUNT]; ++*a)
        for (*b = 0; *b < cover->first[FACTOR_COUNT]; ++*b)
            if (!cover->covered[*a][*b])
                return true;
    return false;
}

static unsigned lowest_bit(unsigned bits)
{
    unsigned bit = 0;

    while (!((bits >> bit) & 1u))
        bit++;
    return bit;
}

/* How many uncovered pairs a value would make with the factors that are fixed (bits). */
static unsigned gain_of(const struct cover *cover, const struct kernel_case *made, unsigned fixed,
                        unsigned factor, unsigned value)
{
    unsigned gain = 0;

    for (unsigned g = 0; g < FACTOR_COUNT; g++)
        if (((fixed >> g) & 1u) && kernel_case_uses(made, (enum kernel_factor)g))
            gain += !cover->covered[cover->first[factor] + value][cover->first[g] + made->value[g]];
    return gain;
}

static void choose_value(const struct cover *cover, struct kernel_case *made, unsigned fixed,
                         unsigned factor, uint64_t *random)
{
    const unsigned count = value_count(cover->level, (enum kernel_factor)factor);
    const unsigned turn = (unsigned)(kernel_random(random) % count);
    unsigned best_gain = 0;

    made->value[factor] = turn;
    for (unsigned k = 0; k < count; k++) {
        const unsigned value = (turn + k) % count;
        const unsigned gain = gain_of(cover, made, fixed, factor, value);

        if (gain > best_gain) {
            best_gain = gain;
            made->value[factor] = value;
        }
    }
}

static void mark(struct cover *cover, const struct kernel_case *made)
{
    for (unsigned f = 0; f < FACTOR_COUNT; f++)
        for (unsigned g = 0; g < FACTOR_COUNT; g++)
            if (kernel_case_uses(made, (enum kernel_factor)f) &&
                kernel_case_uses(made, (enum kernel_factor)g))
                cover->covered[cover->first[f] + made->value[f]][cover->first[g] + made->value[g]] =
                    true;
}

/* Begin each case with a pair that is missing, under an operation and a rule that let it count, and
 * give every other factor the value that covers most. */
static void visit_pairs(const struct level *level, kernel_case_visitor visit, void *context)
{
    struct cover cover;
    uint64_t random = 1;
    unsigned a;
    unsigned b;

    cover_start(&cover, level);
    while (first_uncovered(&cover, &a, &b)) {
        const struct need x = need_of_number(&cover, a);
        const struct need y = need_of_number(&cover, b);
        const unsigned fa = cover.factor[a];
        const unsigned fb = cover.factor[b];
        unsigned fixed = 1u << FACTOR_OPERATION | 1u << FACTOR_RULE | 1u << fa | 1u << fb;
        struct kernel_case made = {.dim = 0};

        made.value[FACTOR_OPERATION] = lowest_bit(x.operations & y.operations);
        made.value[FACTOR_RULE] = lowest_bit(x.rules & y.rules);
        made.value[fa] = a - cover.first[fa];
        made.value[fb] = b - cover.first[fb];
        for (unsigned f = 0; f < FACTOR_COUNT; f++) {
            if ((fixed >> f) & 1u)
                continue;
            choose_value(&cover, &made, fixed, f, &random);
            fixed |= 1u << f;
        }
        mark(&cover, &made);
        complete(level, &made);
        visit(context, &made);
    }
}

/* Vectors in every kernel: three factors at once must be right for that, which a cover of pairs
 * does not promise. The index rule runs the shared kernels, explicit positions the others. */
static void visit_kernels(const struct level *level, kernel_case_visitor visit, void *context)
{
    for (unsigned k = 0; k < 144; k++) {
        struct kernel_case made = {.value = {[FACTOR_SHAPE] = k % 2,
                                             [FACTOR_CONSUMER] = k / 2 % 2,
                                             [FACTOR_RULE] = k / 4 % 2 ? 2 : 0,
                                             [FACTOR_CONVENTION] = k / 8 % 6,
                                             [FACTOR_OPERATION] = k / 48,
                                             [FACTOR_DIM] = level->vector_dim,
                                             [FACTOR_SIZE] = level->group_size}};

        complete(level, &made);
        visit(context, &made);
    }
}

/* ---- The product */

/* Elements that an average case may have. */
enum { THIN_FROM = 2048 };

static bool is_kept(const struct kernel_case *made)
{
    const uint64_t elements = (uint64_t)made->batch * made->length * made->dim;

    return (made->seed >> 20) % (elements / THIN_FROM + 1) == 0;
}

/* The factors that take turns instead of being multiplied. */
static void take_turns(const struct level *level, struct kernel_case *made, bool plan)
{
    static const enum kernel_factor of_plan[] = {FACTOR_BASE, FACTOR_SCALE};
    static const enum kernel_factor of_call[] = {FACTOR_DATA, FACTOR_IDS, FACTOR_POSITIONS};
    const enum kernel_factor *turning = plan ? of_plan : of_call;
    uint64_t random = made->seed;

    for (unsigned k = 0; k < (plan ? COUNT_OF(of_plan) : COUNT_OF(of_call)); k++)
        made->value[turning[k]] =
            (unsigned)(kernel_random(&random) % value_count(level, turning[k]));
}

static void visit_calls(const struct level *level, struct kernel_case *made,
                        kernel_case_visitor visit, void *context)
{
    take_turns(level, made, true);
    for (unsigned size = 0; size < level->size_count; size++) {
        for (unsigned layout = 0; layout < LAYOUT_COUNT; layout++) {
            made->value[FACTOR_SIZE] = size;
            made->value[FACTOR_LAYOUT] = layout;
            memset(made->value + FACTOR_DATA, 0,
                   (FACTOR_COUNT - FACTOR_DATA) * sizeof *made->value);
            complete(level, made);
            take_turns(level, made, false);
            if (kernel_case_uses(made, FACTOR_LAYOUT) && is_kept(made))
                visit(context, made);
        }
    }
}

static void visit_product(const struct level *level, kernel_case_visitor visit, void *context)
{
    struct kernel_case made = {.dim = 0};
    unsigned f;

    do {
        memset(made.value + FACTOR_BASE, 0, (FACTOR_COUNT - FACTOR_BASE) * sizeof *made.value);
        complete(level, &made);
        if ((made.value[FACTOR_ID_TYPE] == 0 || kernel_case_uses(&made, FACTOR_ID_TYPE)) &&
            (made.value[FACTOR_POSITION_TYPE] == 0 ||
             kernel_case_uses(&made, FACTOR_POSITION_TYPE)))
            visit_calls(level, &made, visit, context);
        for (f = 0; f < FACTOR_BASE; f++) {
            if (++made.value[f] < value_count(level, (enum kernel_factor)f))
                break;
            made.value[f] = 0;
        }
    } while (f < FACTOR_BASE);
}

static void visit_cover(const struct level *level, kernel_case_visitor visit, void *context)
{
    visit_kernels(level, visit, context);
    visit_pairs(level, visit, context);
}

bool kernel_cases_visit(const char *level, kernel_case_visitor visit, void *context)
{
    if (strcmp(level, "whole") == 0)
        visit_product(&all_level, visit, context);
    else if (strcmp(level, "pairs") == 0)
        visit_cover(&all_level, visit, context);
    else if (strcmp(level, "small") == 0)
        visit_cover(&small_level, visit, context);
    else
        return false;
    return true;
}
