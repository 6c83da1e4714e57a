/* Whole embedding stages as models computed them (tests/golden/stages.tsv), against the reference:
 * in float16 and bfloat16, and wherever there is no norm, every bit.
 *
 *     test_stage_goldens FOLDER
 */
#include "file_bytes.h"
#include "storage.h"
#include "support/golden.h"

#include <posemb/posemb.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGES_MIN      22
#define NARROW_MIN      11
#define OTHER_ORDER_MIN 5

/* Of float norms: two sums are off by half a unit each, the model's norm and ours by 4.5e-7 and
 * 4e-7 at |y| = 1. */
#define FLOAT_LIMIT 1e-6

/* ---- Arrays */

enum array {
    IDS,
    POSITIONS,
    PADDING,
    SEGMENT_IDS,
    INTEGERS, /* so many of the arrays are int64, the others of the model's type */
    WORDS = INTEGERS,
    ROWS,
    POSITION_TABLE,
    SEGMENT_TABLE,
    GAMMA,
    BETA,
    OUT,
    ARRAYS
};

static const char *const columns[ARRAYS] = {[IDS] = "file_ids",
                                            [POSITIONS] = "file_positions",
                                            [PADDING] = "file_padding",
                                            [SEGMENT_IDS] = "file_segment_ids",
                                            [WORDS] = "file_words",
                                            [ROWS] = "file_rows",
                                            [POSITION_TABLE] = "file_position_table",
                                            [SEGMENT_TABLE] = "file_segment_table",
                                            [GAMMA] = "file_gamma",
                                            [BETA] = "file_beta",
                                            [OUT] = "file_out"};

/* The shape in the header of a file of <u2, in C order. */
static void read_shape(const char *name, const char *header, npy_array *array)
{
    const char *at = strchr(header, '(');

    if (!at || !strstr(header, "'descr': '<u2'") || !strstr(header, "'fortran_order': False"))
        fail_msg("%s has no bits of bfloat16", name);
    array->count = 1;
    for (at = at ? at + 1 : ")"; *at != ')'; at += *at == ',' || *at == ' ') {
        char *end;

        if (*at == ',' || *at == ' ')
            continue;
        assert_true(array->rank < 3);
        array->shape[array->rank] = strtoull(at, &end, 10);
        assert_true(end > at);
        array->count *= array->shape[array->rank++];
        at = end;
    }
}

/* The bits of bfloat16 as <u2, which npy.h does not read: version 1. */
static npy_array read_bits(const char *name)
{
    static const char magic[] = "\x93NUMPY\x01"; /* and the minor version, 0 */
    npy_array array = {.type = NPY_BF16};
    size_t size;
    size_t header;
    char *text = golden_read_file(name, &size);

    if (size < 10 || memcmp(text, magic, sizeof magic) != 0)
        fail_msg("%s is no .npy file of version 1", name);
    header = load_u16((const unsigned char *)text + 8);
    assert_true(header > 0 && size > 10 + header);
    text[10 + header - 1] = '\0'; /* a newline */
    read_shape(name, text + 10, &array);
    assert_int_equal(size, 10 + header + array.count * sizeof(uint16_t));
    memmove(text, text + 10 + header, array.count * sizeof(uint16_t));
    array.data = text;
    return array;
}

static void free_array(npy_array *array)
{
    if (array->type == NPY_BF16)
        free(array->data);
    else
        npy_free(array);
}

/* ---- Stages */

struct stage {
    const struct tsv_line *line;
    posemb_storage storage;
    posemb_desc desc;
    posemb_host_args args;
    npy_array arrays[ARRAYS];
    uint64_t tokens;
    int64_t *positions; /* [tokens], where they are */
    void *out;          /* [tokens, dim] of `storage` */
};

static bool says(const struct stage *stage, const char *column, const char *word)
{
    return strcmp(tsv_field(stage->line, column), word) == 0;
}

/* Which of the words the column has. */
static int word_of(const struct stage *stage, const char *column, const char *const *words)
{
    for (int n = 0; words[n]; n++)
        if (says(stage, column, words[n]))
            return n;
    fail_msg("%s: \"%s\" is no %s", tsv_field(stage->line, "stage"), tsv_field(stage->line, column),
             column);
    return 0;
}

static void read_arrays(struct stage *stage)
{
    for (int i = 0; i < ARRAYS; i++) {
        const char *name = tsv_field(stage->line, columns[i]);

        if (!tsv_has(stage->line, columns[i]))
            continue;
        if (i < INTEGERS)
            stage->arrays[i] = golden_read_npy(name, NPY_I8);
        else if (stage->storage == POSEMB_BF16)
            stage->arrays[i] = read_bits(name);
        else
            stage->arrays[i] =
                golden_read_npy(name, stage->storage == POSEMB_F16 ? NPY_F2 : NPY_F4);
    }
}

static void describe_tables(struct stage *stage)
{
    posemb_desc *desc = &stage->desc;

    desc->tokens.storage = desc->rows_storage = desc->position_table.storage = stage->storage;
    desc->norm_storage = desc->out_storage = stage->storage;
    desc->id_type = desc->position_type = desc->padding_type = POSEMB_INT64;
    for (int k = 0; k < 2; k++) {
        desc->extras[k].table.storage = stage->storage;
        desc->extras[k].id_type = POSEMB_INT64;
    }
    if (stage->arrays[SEGMENT_IDS].data)
        desc->extras[0].ids = POSEMB_EXTRA_OF_TOKEN;
    desc->token_scale = (float)tsv_number(tsv_field(stage->line, "token_scale"));
}

static void describe_positions(struct stage *stage)
{
    static const char *const kinds[] = {"vaswani", "learned", "none", NULL};
    static const char *const rules[] = {"index", "explicit", "count", NULL};
    static const char *const paddings[] = {"none", "token", "mask", NULL};
    static const posemb_position_rule rule_values[] = {
        POSEMB_POSITIONS_INDEX, POSEMB_POSITIONS_EXPLICIT, POSEMB_POSITIONS_COUNT};
    posemb_desc *desc = &stage->desc;

    desc->position_kind =
        (posemb_position_kind)(POSEMB_SINUSOIDAL + word_of(stage, "position_kind", kinds));
    desc->positions = rule_values[word_of(stage, "rule", rules)];
    desc->padding = (posemb_padding)(POSEMB_PADDING_NONE + word_of(stage, "padding", paddings));
    if (desc->padding == POSEMB_PADDING_TOKEN)
        desc->pad_id = tsv_integer(tsv_field(stage->line, "pad_id"));
}

static void describe_norm(struct stage *stage)
{
    static const char *const norms[] = {"none", "layer", "rms", NULL};
    static const char *const gammas[] = {"factor", "one-plus", NULL};
    static const char *const roundings[] = {"once", "each-step", NULL};
    posemb_desc *desc = &stage->desc;

    desc->rounding = (posemb_rounding)(POSEMB_ROUND_ONCE + word_of(stage, "rounding", roundings));
    desc->norm = (posemb_norm)(POSEMB_NORM_NONE + word_of(stage, "norm", norms));
    if (desc->norm == POSEMB_NORM_NONE)
        return;
    desc->gamma = (posemb_gamma)(POSEMB_GAMMA_FACTOR + word_of(stage, "gamma", gammas));
    desc->beta = stage->arrays[BETA].data ? POSEMB_BETA_ADDED : POSEMB_BETA_NONE;
    desc->epsilon = (float)tsv_number(tsv_field(stage->line, "epsilon"));
}

static void set_shape(struct stage *stage)
{
    const npy_array *const arrays = stage->arrays;
    posemb_shape *shape = &stage->args.shape;

    assert_int_equal(arrays[OUT].rank, 3);
    assert_int_equal(arrays[OUT].shape[2], stage->desc.dim);
    shape->batch = arrays[OUT].shape[0];
    shape->length = arrays[OUT].shape[1];
    stage->tokens = shape->batch * shape->length;
    for (int i = 0; i < INTEGERS; i++)
        assert_true(!arrays[i].data || arrays[i].count == stage->tokens);
    shape->vocab = arrays[WORDS].shape[0];
    shape->position_rows = arrays[POSITION_TABLE].shape[0];
    shape->extras[0].rows = arrays[SEGMENT_TABLE].shape[0];
    shape->start = tsv_integer(tsv_field(stage->line, "start"));
    shape->past = (uint64_t)tsv_integer(tsv_field(stage->line, "past"));
}

static void set_args(struct stage *stage)
{
    const npy_array *const arrays = stage->arrays;
    posemb_host_args *args = &stage->args;

    stage->positions = golden_array(stage->tokens, sizeof *stage->positions);
    stage->out = golden_array(arrays[OUT].count, sizeof(float));
    args->ids = arrays[IDS].data;
    args->table = arrays[WORDS].data;
    args->rows = arrays[ROWS].data;
    args->position_table = arrays[POSITION_TABLE].data;
    args->extras[0] = (posemb_host_extra){arrays[SEGMENT_IDS].data, arrays[SEGMENT_TABLE].data, 0};
    args->gamma = arrays[GAMMA].data;
    args->beta = arrays[BETA].data;
    args->positions = arrays[POSITIONS].data;
    args->padding = arrays[PADDING].data;
    args->positions_out = stage->positions;
    args->out = stage->out;
}

static struct stage open_stage(const struct tsv_line *line)
{
    static const char *const types[] = {"f32", "f16", "bf16", NULL};
    static const char *const operations[] = {"encode", "add", NULL};
    struct stage stage = {.line = line};

    stage.storage = (posemb_storage)(POSEMB_F32 + word_of(&stage, "dtype", types));
    stage.desc.dim = (uint32_t)tsv_integer(tsv_field(line, "dim"));
    stage.desc.operation =
        (posemb_operation)(POSEMB_ENCODE + word_of(&stage, "operation", operations));
    read_arrays(&stage);
    describe_tables(&stage);
    describe_positions(&stage);
    describe_norm(&stage);
    set_shape(&stage);
    set_args(&stage);
    return stage;
}

static void close_stage(struct stage *stage)
{
    for (int i = 0; i < ARRAYS; i++)
        free_array(&stage->arrays[i]);
    free(stage->positions);
    free(stage->out);
}

static void run_stage(struct stage *stage)
{
    posemb_record record = POSEMB_RECORD_CLEAR;
    const posemb_record clear = POSEMB_RECORD_CLEAR;
    posemb_error error;

    stage->args.record = &record;
    if (posemb_reference_run(&stage->desc, &stage->args, &error) != POSEMB_OK)
        fail_msg("%s: %s", tsv_field(stage->line, "stage"), error.message);
    stage->args.record = NULL;
    assert_memory_equal(&record, &clear, sizeof record);
}

/* The positions that the rule gave become the ids of a second extra table: they are added last. */
static void add_positions_last(struct stage *stage)
{
    posemb_desc *desc = &stage->desc;
    posemb_host_args *args = &stage->args;

    desc->position_kind = POSEMB_NO_POSITION;
    desc->positions = POSEMB_POSITIONS_INDEX;
    desc->padding = POSEMB_PADDING_NONE;
    desc->pad_id = 0;
    desc->extras[1].ids = POSEMB_EXTRA_OF_TOKEN;
    args->shape.extras[1].rows = args->shape.position_rows;
    args->shape.start = 0;
    args->shape.past = 0;
    args->extras[1] = (posemb_host_extra){stage->positions, args->position_table, NULL};
    args->position_table = NULL;
    args->positions_out = NULL;
}

/* ---- Comparison */

struct difference {
    size_t elements; /* whose bits differ */
    double largest;
    double largest_part; /* by 1, or the magnitude where that is more */
};

static struct difference compare(const struct stage *stage)
{
    struct difference difference = {0, 0.0, 0.0};

    for (uint64_t n = 0; n < stage->arrays[OUT].count; n++) {
        const float ours = posemb__load_element(stage->out, n, stage->storage);
        const float theirs = posemb__load_element(stage->arrays[OUT].data, n, stage->storage);
        const double apart = fabs((double)ours - (double)theirs);

        assert_true(isfinite(ours) && isfinite(theirs));
        difference.elements += posemb_canonical_bits(ours) != posemb_canonical_bits(theirs);
        difference.largest = fmax(difference.largest, apart);
        difference.largest_part =
            fmax(difference.largest_part, apart / fmax(1.0, fabs((double)theirs)));
    }
    return difference;
}

/* posemb's own order, where it is not the model's: narrow sums are off by as much as theirs. */
static void check_other_order(struct stage *stage)
{
    struct difference difference;
    const double error = tsv_number(tsv_field(stage->line, "max_error"));

    run_stage(stage);
    difference = compare(stage);
    printf("%s, positions before segments: %zu of %zu elements differ, by up to %.3g\n",
           tsv_field(stage->line, "stage"), difference.elements, (size_t)stage->arrays[OUT].count,
           difference.largest);
    assert_true(difference.elements > 0);
    assert_true(difference.largest <= 3.0 * error);
    add_positions_last(stage);
}

/* True: in every bit. */
static bool check_stage(struct stage *stage)
{
    const char *name = tsv_field(stage->line, "stage");
    const bool exact = stage->storage != POSEMB_F32 || stage->desc.norm == POSEMB_NORM_NONE;
    struct difference difference;

    assert_true(!exact || says(stage, "differing", "0"));
    memset(stage->out, 0x5a, stage->arrays[OUT].count * sizeof(float));
    run_stage(stage);
    difference = compare(stage);
    printf("%s: %zu of %zu elements differ, by up to %.3g\n", name, difference.elements,
           (size_t)stage->arrays[OUT].count, difference.largest);
    if (exact ? difference.elements > 0 : !(difference.largest_part <= FLOAT_LIMIT))
        fail_msg("%s differs", name);
    return exact;
}

static void test_stages(void **state)
{
    struct tsv tsv = tsv_open("stages.tsv");
    size_t narrow = 0;
    size_t exact = 0;
    size_t other_order = 0;

    (void)state;
    for (size_t n = 0; n < tsv.lines; n++) {
        const struct tsv_line line = tsv_line_at(&tsv, n);
        struct stage stage = open_stage(&line);

        if (says(&stage, "sum", "words+segments+positions")) {
            check_other_order(&stage);
            other_order++;
        }
        exact += check_stage(&stage);
        narrow += stage.storage != POSEMB_F32;
        close_stage(&stage);
    }
    printf("%zu stages, %zu of them in every bit\n", tsv.lines, exact);
    assert_true(tsv.lines >= STAGES_MIN);
    assert_true(narrow >= NARROW_MIN);
    assert_true(other_order >= OTHER_ORDER_MIN);
    tsv_close(&tsv);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stages),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_stage_goldens FOLDER\n");
        return 2;
    }
    golden_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
