/* posemb identify: which sinusoids a stored table of positions holds. */
#include "command.h"
#include "identify.h"
#include "options.h"
#include "stage_tables.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: posemb identify [--json] TABLE.npy|FILE.safetensors:TENSOR|FILE.gguf:TENSOR\n\n"
    "Tell which convention, base, first position, frequency and amplitude give a stored position\n"
    "table, [rows, D] of any type, and how nearly; or that none does. Conventions that are one "
    "and\n"
    "the same function are all named. A table counts as found where every row that is not zeros\n"
    "agrees, up to the rounding of float16 (of bfloat16, where all its values are bfloat16) and\n"
    "what float arithmetic does to large angles: it can then be dropped from a checkpoint.\n\n"
    "  --json  as one JSON object\n\n"
    "Exit status: 0 found, 1 not sinusoidal, or some rows are not, 2 usage.\n";

/* With as few digits as give the same double again. */
#define NUMBER_SIZE 32

static const char *show_number(double value, char text[NUMBER_SIZE])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

/* With as few digits as give the same float again. */
static const char *show_float(double value, char text[NUMBER_SIZE])
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, NUMBER_SIZE, "%.*g", digits, value);
        if (strtof(text, NULL) == (float)value)
            break;
    }
    return text;
}

/* ---- Words */

static const char *outcome_name(enum identify_outcome outcome)
{
    switch (outcome) {
    case IDENTIFY_SINUSOIDAL:
        return "sinusoidal";
    case IDENTIFY_DEPARTS:
        return "departs";
    case IDENTIFY_TOO_SMALL:
        return "too small";
    default:
        return "other";
    }
}

static const char *layout_name(posemb_layout layout)
{
    return layout == POSEMB_INTERLEAVED ? "interleaved" : "halves";
}

static const char *first_name(posemb_first first)
{
    return first == POSEMB_SINE_FIRST ? "sine" : "cosine";
}

static const char *denominator_name(posemb_denominator denominator)
{
    return denominator == POSEMB_DENOMINATOR_REAL ? "real" : "floor";
}

/* What the channel of an odd D holds; NULL where D is even. */
static const char *odd_name(posemb_odd odd)
{
    switch (odd) {
    case POSEMB_ODD_ZERO:
        return "zero";
    case POSEMB_ODD_FIRST:
        return "first";
    case POSEMB_ODD_SECOND:
        return "second";
    default:
        return NULL;
    }
}

static const char *rounding_name(enum identify_rounding rounding)
{
    if (rounding == IDENTIFY_BFLOAT16)
        return "bfloat16";
    return rounding == IDENTIFY_FLOAT16 ? "float16" : "float32";
}

/* ---- The call of posemb table that gives the table */

struct command {
    char text[512];
    size_t used;
};

static void add(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct command *command, const char *format, ...)
{
    const size_t left = sizeof command->text - command->used;
    va_list values;
    int length;

    va_start(values, format);
    length = vsnprintf(command->text + command->used, left, format, values);
    va_end(values);
    if (length > 0)
        command->used += (size_t)length < left ? (size_t)length : left - 1;
}

/* A convention, or the options that one stands for. */
static void add_form(const struct identified_form *form, struct command *command)
{
    const char *odd = odd_name(form->odd);

    if (form->name_count) {
        add(command, " --convention %s", form->names[0]);
        return;
    }
    add(command, " --layout %s --first %s --denominator %s --shift %g", layout_name(form->layout),
        first_name(form->first), denominator_name(form->denominator), form->shift);
    if (odd)
        add(command, " --odd %s", odd);
}

/* False: no call gives it, since positions are not whole, or fall. */
static bool write_command(const struct identification *found, struct command *command)
{
    const struct identified_form *form = &found->form;
    char number[NUMBER_SIZE];

    memset(command, 0, sizeof *command);
    if (!found->found || found->step != 1.0 || rint(found->offset) != found->offset ||
        found->offset < (double)POSEMB_POSITION_MIN || found->offset > (double)POSEMB_POSITION_MAX)
        return false;
    add(command, "posemb table");
    add_form(form, command);
    add(command, " --dim %" PRIu32 " --base %s --start %.0f --count %" PRIu64, found->dim,
        show_number(form->base, number), found->offset, found->rows);
    if (form->name_count ? form->default_count == 0 : found->amplitude != 1.0)
        add(command, " --amplitude %s", show_float(found->amplitude, number));
    if (found->frequency != 1.0)
        add(command, " --frequency %s", show_number(found->frequency, number));
    add(command, " --out FILE.npy");
    return true;
}

/* ---- For people */

static void print_names(const char *const *names, size_t count, const char *between)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? between : "", names[i]);
}

static void print_form(const struct identified_form *form)
{
    const size_t others = form->name_count - form->default_count;
    char base[NUMBER_SIZE];

    print_names(form->names, form->default_count, " = ");
    if (form->default_count && others)
        printf(", and with an amplitude ");
    print_names(form->names + form->default_count, others, " = ");
    if (form->name_count == 0)
        printf("without a name: %s, %s first, w_i = base^(-i/d), d = %s - %g",
               layout_name(form->layout), first_name(form->first),
               form->denominator == POSEMB_DENOMINATOR_REAL ? "D/2" : "floor(D/2)", form->shift);
    printf("; base %s\n", show_number(form->base, base));
}

static void print_positions(const struct identification *found)
{
    char number[NUMBER_SIZE];

    printf("positions   row r is %s %c r\n", show_number(found->offset, number),
           found->step < 0.0 ? '-' : '+');
    if (found->frequency != 1.0)
        printf("frequency   %s, which multiplies every position\n",
               show_number(found->frequency, number));
    printf("amplitude   %s\n", show_float(found->amplitude, number));
}

static void print_worst(const char *of, const struct identified_worst *worst)
{
    if (isfinite(worst->difference))
        printf("difference  %.3g at the most%s", worst->difference, of);
    else
        printf("difference  not a finite number%s", of);
    printf(", in row %" PRIu64 ", channel %" PRIu32, worst->row, worst->channel);
}

static void print_ranges(const char *title, uint64_t rows, const struct identified_range *ranges,
                         size_t count)
{
    uint64_t listed = 0;

    printf("%s", title);
    for (size_t i = 0; i < count; i++) {
        printf("%s%" PRIu64, i ? ", " : "", ranges[i].first);
        if (ranges[i].last > ranges[i].first)
            printf("-%" PRIu64, ranges[i].last);
        listed += ranges[i].last - ranges[i].first + 1;
    }
    if (listed < rows)
        printf(" and %" PRIu64 " more", rows - listed);
    puts("");
}

static void print_rounding(const struct identification *found)
{
    if (found->rounding == IDENTIFY_FLOAT32)
        puts(", as float arithmetic has it");
    else
        printf(", as if rounded to %s%s\n", rounding_name(found->rounding),
               found->rounded_exactly ? "" : ", though not all values are such numbers");
}

static void print_formula(const struct identification *found)
{
    struct command command;

    printf("convention  ");
    print_form(&found->form);
    for (size_t i = 0; i < found->also_count; i++) {
        printf("or          ");
        print_form(&found->also[i]);
    }
    print_positions(found);
    print_worst(found->found ? "" : " where rows agree", &found->agreed);
    print_rounding(found);
    if (!found->found) {
        print_worst(" elsewhere", &found->departed);
        puts("");
        print_ranges("departing   ", found->departing_rows, found->departing_ranges,
                     found->departing_range_count);
    }
    if (found->zero_rows)
        print_ranges("zero rows   ", found->zero_rows, found->zero_ranges, found->zero_range_count);
    if (write_command(found, &command))
        printf("the same    %s\n", command.text);
}

static void print_text(const struct identification *found)
{
    printf("%s%s\n", found->found ? "sinusoidal: " : "", found->message);
    if (found->outcome == IDENTIFY_SINUSOIDAL || found->outcome == IDENTIFY_DEPARTS)
        print_formula(found);
}

/* ---- For programs */

static json_t *form_to_json(const struct identified_form *form)
{
    json_t *by_default = json_array();
    json_t *with_amplitude = json_array();

    for (size_t i = 0; i < form->name_count; i++)
        json_array_append_new(i < form->default_count ? by_default : with_amplitude,
                              json_string(form->names[i]));
    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:f, s:s?, s:f}", "conventions", by_default,
                     "conventions_with_amplitude", with_amplitude, "layout",
                     layout_name(form->layout), "first", first_name(form->first), "denominator",
                     denominator_name(form->denominator), "shift", form->shift, "odd",
                     odd_name(form->odd), "base", form->base);
}

static json_t *ranges_to_json(const struct identified_range *ranges, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("[I, I]", (json_int_t)ranges[i].first, (json_int_t)ranges[i].last));
    return list;
}

/* An infinite or missing number, as a NaN leaves it, is null. */
static json_t *worst_to_json(const struct identified_worst *worst)
{
    return json_pack("{s:o, s:I, s:I}", "difference",
                     isfinite(worst->difference) ? json_real(worst->difference) : json_null(),
                     "row", (json_int_t)worst->row, "channel", (json_int_t)worst->channel);
}

static void add_formula(const struct identification *found, json_t *object)
{
    struct command command;
    const bool has_command = write_command(found, &command);
    json_t *also = json_array();

    for (size_t i = 0; i < found->also_count; i++)
        json_array_append_new(also, form_to_json(&found->also[i]));
    json_object_set_new(object, "form", form_to_json(&found->form));
    json_object_set_new(object, "also", also);
    json_object_set_new(object, "offset", json_real(found->offset));
    json_object_set_new(object, "step", json_real(found->step));
    json_object_set_new(object, "frequency", json_real(found->frequency));
    json_object_set_new(object, "amplitude", json_real(found->amplitude));
    json_object_set_new(object, "rounding", json_string(rounding_name(found->rounding)));
    json_object_set_new(object, "rounded_exactly", json_boolean(found->rounded_exactly));
    json_object_set_new(object, "agreed", worst_to_json(&found->agreed));
    if (!found->found)
        json_object_set_new(object, "departed", worst_to_json(&found->departed));
    json_object_set_new(object, "command", has_command ? json_string(command.text) : json_null());
}

static void print_json(const struct identification *found)
{
    json_t *object = json_pack(
        "{s:s, s:b, s:s, s:I, s:I, s:I, s:o, s:I, s:o}", "outcome", outcome_name(found->outcome),
        "found", (int)found->found, "message", found->message, "rows", (json_int_t)found->rows,
        "dim", (json_int_t)found->dim, "zero_rows", (json_int_t)found->zero_rows, "zero_ranges",
        ranges_to_json(found->zero_ranges, found->zero_range_count), "departing_rows",
        (json_int_t)found->departing_rows, "departing_ranges",
        ranges_to_json(found->departing_ranges, found->departing_range_count));
    char *text;

    if (found->outcome == IDENTIFY_SINUSOIDAL || found->outcome == IDENTIFY_DEPARTS)
        add_formula(found, object);
    text = json_dumps(object, JSON_INDENT(2));
    puts(text ? text : "{}");
    free(text);
    json_decref(object);
}

/* ---- The command */

static int identify_file(const char *path, bool json)
{
    struct identification found;
    posemb_error error;
    float *table = NULL;
    uint64_t rows = 0;
    uint32_t dim = 0;
    bool done;

    if (read_float_table("a position table", path, &table, &rows, &dim, &error) != POSEMB_OK)
        return command_failed(&error);
    done = identify_table(table, rows, dim, &found);
    free(table);
    if (!done) {
        fprintf(stderr, "posemb: no memory to compare %" PRIu64 " rows\n", rows);
        return EXIT_FAILED;
    }
    if (json)
        print_json(&found);
    else
        print_text(&found);
    return found.found ? EXIT_DONE : EXIT_FAILED;
}

int command_identify(int count, char **arguments)
{
    const char *path = NULL;
    bool json = false;

    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        if (strcmp(arguments[i], "--json") == 0)
            json = true;
        else if (arguments[i][0] == '-')
            return command_usage(arguments[0], "\"%s\" is not an option", arguments[i]);
        else if (path)
            return command_usage(arguments[0], "there is more than one table: \"%s\"",
                                 arguments[i]);
        else
            path = arguments[i];
    }
    if (!path)
        return command_usage(arguments[0], "the table is missing");
    return identify_file(path, json);
}
