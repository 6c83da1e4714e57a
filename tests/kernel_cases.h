/* Which cases the kernels are compared on: factors with a few values each, and covers of them. */
#ifndef POSEMB_TESTS_KERNEL_CASES_H
#define POSEMB_TESTS_KERNEL_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kernel_factor {
    /* of a plan */
    FACTOR_OPERATION,     /* posemb_operation - 1 */
    FACTOR_RULE,          /* posemb_position_rule - 1 */
    FACTOR_CONVENTION,    /* posemb_convention - 1 */
    FACTOR_ID_TYPE,       /* posemb_number_type - 1; ENCODE only */
    FACTOR_POSITION_TYPE, /* likewise; rules with a positions buffer only */
    FACTOR_CONSUMER,      /* posemb_consumer - 1 */
    FACTOR_SHAPE,         /* posemb_kernel_shape - 1 */
    FACTOR_DIM,
    FACTOR_BASE,
    FACTOR_SCALE,
    /* of a call */
    FACTOR_SIZE, /* batch and length */
    FACTOR_LAYOUT,
    FACTOR_DATA,
    FACTOR_IDS,
    FACTOR_POSITIONS,
    FACTOR_COUNT
};

enum kernel_layout {
    LAYOUT_DENSE,      /* no offsets, every stride 0 */
    LAYOUT_ODD_OFFSET, /* dense, at odd multiples of the element size: output, source or both */
    LAYOUT_PADDED,     /* gaps between rows and batch rows, all multiples of 64 bytes */
    LAYOUT_ODD_PADDED, /* odd offsets and odd gaps */
    LAYOUT_SEQUENCE_FIRST,
    LAYOUT_SEQUENCE_FIRST_PADDED,
    LAYOUT_IN_PLACE, /* rows == out; ADD only */
    LAYOUT_COUNT
};

enum kernel_data {
    DATA_RANDOM,
    DATA_SPECIAL_ROWS, /* whole rows of +0, -0, subnormals, one value, NaN, infinities, huge */
    DATA_SPECIAL_MIXED,
    DATA_COUNT
};

enum kernel_ids { IDS_RANDOM, IDS_ENDS, IDS_FEW_BAD, IDS_EXTREMES, IDS_COUNT };

enum kernel_positions {
    POSITIONS_SMALL,
    POSITIONS_FULL_RANGE,
    POSITIONS_TURNS, /* phases at whole eighths of a turn, and next to them */
    POSITIONS_ENDS,
    POSITIONS_FEW_BAD,
    POSITIONS_EXTREMES,
    POSITIONS_COUNT
};

struct kernel_case {
    unsigned value[FACTOR_COUNT];
    uint32_t dim;
    uint32_t batch;
    uint32_t length;
    double base;
    float scale;
    uint64_t seed; /* of whatever else is left to chance; a function of the values alone */
};

typedef void (*kernel_case_visitor)(void *context, const struct kernel_case *kernel_case);

/* Call `visit` for each case of a level:
 *   whole  the product of all factors but base, scale, data, ids and positions, which take turns;
 *          thinned where batch * length * dim is large
 *   pairs  a cover: any two values of any two factors meet in a case; and vectors in every kernel
 *   small  the same with short rows and few of them, for slow implementations
 * Returns false where there is no such level. */
bool kernel_cases_visit(const char *level, kernel_case_visitor visit, void *context);

/* Whether a factor means anything in this case, such as the type of ids under TABLE. */
bool kernel_case_uses(const struct kernel_case *kernel_case, enum kernel_factor factor);

/* One step of splitmix64: the random numbers of these tests. */
uint64_t kernel_random(uint64_t *state);

#endif
