/* Reader and writer of .npy files: numpy/lib/format.py and NEP 1 are the specification. */
#include "npy.h"

#include "checked_math.h"
#include "file_bytes.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX     10000u /* numpy's max_header_size */
#define DATA_ALIGNMENT 64u
#define PREFIX_SIZE    10u /* magic, version, 16-bit length: all of version 1 */

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

typedef struct type_row {
    npy_type type;
    const char *descr;
    size_t size;
} type_row;

/* The first row of a type is how it is written. */
static const type_row types[] = {{NPY_F4, "<f4", 4}, {NPY_I4, "<i4", 4},   {NPY_I8, "<i8", 8},
                                 {NPY_F2, "<f2", 2}, {NPY_I1, "|i1", 1},   {NPY_U1, "|u1", 1},
                                 {NPY_B1, "|b1", 1}, {NPY_BF16, "<V2", 2}, {NPY_BF16, "|V2", 2}};
#define TYPE_COUNT (sizeof types / sizeof *types)

static const type_row *find_type(npy_type type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (types[i].type == type)
            return &types[i];
    return NULL;
}

size_t npy_type_size(npy_type type)
{
    const type_row *row = find_type(type);

    return row ? row->size : 0;
}

const char *npy_type_name(npy_type type)
{
    const type_row *row = find_type(type);

    return row ? row->descr : "unknown";
}

void npy_free(npy_array *array)
{
    if (!array)
        return;
    free(array->data);
    *array = (npy_array){0};
}

/* Returns the index of the first byte that is neither 0 nor 1, or `count`. */
static uint64_t find_no_bool(const unsigned char *bytes, uint64_t count)
{
    uint64_t i = 0;

    while (i < count && bytes[i] <= 1)
        i++;
    return i;
}

/* ---- The header: a Python dict literal of three entries */

enum header_key { KEY_DESCR, KEY_FORTRAN_ORDER, KEY_SHAPE, KEY_COUNT };

static const char *const key_names[KEY_COUNT] = {"descr", "fortran_order", "shape"};

typedef struct header_fields {
    bool seen[KEY_COUNT];
    bool fortran_order;
    npy_array *array; /* receives type, rank and shape */
} header_fields;

typedef struct header_text {
    const file_bytes *file;
    uint64_t offset; /* of the text in the file */
    bool python2;    /* Python 2 wrote versions 1 and 2, and its integers may end in L */
    const char *text;
    size_t size;
    size_t at;
    posemb_status status; /* of the first failure; a parser that fails returns false */
    posemb_error *error;
} header_text;

typedef struct slice {
    const char *start;
    size_t length;
} slice;

/* `what` is a piece of the header's text; the message gives its place in the file. */
static bool fail_at(header_text *header, const char *problem, slice what)
{
    const uint64_t at = header->offset + (uint64_t)(what.start - header->text);
    char shown[64];

    escape_text(what.start, what.length, shown, sizeof shown);
    header->status = posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                                  "%s: header, byte %" PRIu64 ": %s \"%s\"", header->file->shown,
                                  at, problem, shown);
    return false;
}

/* Complain about what comes next. */
static bool fail_here(header_text *header, const char *problem)
{
    const size_t left = header->size - header->at;

    return fail_at(header, problem, (slice){header->text + header->at, left < 16 ? left : 16});
}

/* Skip spaces, and the word where it comes next. */
static bool take(header_text *header, const char *word)
{
    const size_t length = strlen(word);

    while (header->at < header->size && header->text[header->at] == ' ')
        header->at++;
    if (header->size - header->at < length || memcmp(header->text + header->at, word, length) != 0)
        return false;
    header->at += length;
    return true;
}

static bool parse_string(header_text *header, const char *problem, slice *string)
{
    const bool quoted = take(header, "'") || take(header, "\"");
    const char *start = header->text + header->at;
    const char *end = quoted ? memchr(start, start[-1], header->size - header->at) : NULL;

    if (!quoted)
        return fail_here(header, problem);
    if (!end)
        return fail_here(header, "a string without an end:");
    *string = (slice){start, (size_t)(end - start)};
    header->at += string->length + 1;
    return true;
}

static bool slice_is(slice text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.start, word, text.length) == 0;
}

static bool parse_key(header_text *header, header_fields *fields, enum header_key *key)
{
    slice name = {0};

    if (!parse_string(header, "expected a key, found", &name))
        return false;
    for (*key = KEY_DESCR; *key < KEY_COUNT && !slice_is(name, key_names[*key]);)
        ++*key;
    if (*key == KEY_COUNT)
        return fail_at(header, "unknown key", name);
    if (fields->seen[*key])
        return fail_at(header, "second key", name);
    fields->seen[*key] = true;
    return true;
}

static bool parse_descr(header_text *header, npy_type *type)
{
    slice descr = {0};

    if (!parse_string(header, "expected the string of descr, found", &descr))
        return false;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (slice_is(descr, types[i].descr)) {
            *type = types[i].type;
            return true;
        }
    return fail_at(header, "descr must be <f4, <f2, <V2, <i4, <i8, |i1, |u1 or |b1, not", descr);
}

static bool parse_bool(header_text *header, bool *value)
{
    *value = take(header, "True");
    return *value || take(header, "False") ||
           fail_here(header, "fortran_order must be True or False, not");
}

/* No space comes next, and the header ends in a newline, which ends the digits too. */
static bool parse_whole(header_text *header, uint64_t *value)
{
    const char *start = header->text + header->at;
    const char *end = start;

    *value = 0;
    for (; *end >= '0' && *end <= '9'; end++)
        if (!posemb__mul_u64(*value, 10, value) ||
            !posemb__add_u64(*value, (uint64_t)(*end - '0'), value))
            return fail_here(header, "shape: a number that does not fit in 64 bits:");
    if (end == start || (end - start > 1 && *start == '0'))
        return fail_here(header, "shape: expected a whole number >= 0, found");
    header->at += (size_t)(end - start);
    if (header->python2)
        take(header, "L");
    return true;
}

static bool parse_shape(header_text *header, npy_array *array)
{
    bool comma = true;

    if (!take(header, "("))
        return fail_here(header, "shape must be a tuple, not");
    while (!take(header, ")")) {
        if (!comma)
            return fail_here(header, "shape: expected ',' or ')', found");
        if (array->rank == NPY_RANK_MAX)
            return fail_here(header, "shape: more than 8 dimensions, with");
        if (!parse_whole(header, &array->shape[array->rank]))
            return false;
        array->rank++;
        comma = take(header, ",");
    }
    return array->rank != 1 || comma ||
           fail_here(header, "shape: a tuple of one number needs a comma before");
}

static bool parse_entry(header_text *header, header_fields *fields)
{
    enum header_key key = KEY_COUNT;

    if (!parse_key(header, fields, &key))
        return false;
    if (!take(header, ":"))
        return fail_here(header, "expected ':' after a key, found");
    if (key == KEY_DESCR)
        return parse_descr(header, &fields->array->type);
    if (key == KEY_FORTRAN_ORDER)
        return parse_bool(header, &fields->fortran_order);
    return parse_shape(header, fields->array);
}

static bool parse_dict(header_text *header, header_fields *fields)
{
    bool comma = true;

    if (!take(header, "{"))
        return fail_here(header, "expected '{', found");
    while (!take(header, "}")) {
        if (!comma)
            return fail_here(header, "expected ',' or '}', found");
        if (!parse_entry(header, fields))
            return false;
        comma = take(header, ",");
    }
    take(header, ""); /* spaces */
    return header->at == header->size || fail_here(header, "only spaces may follow '}', not");
}

/* What the three entries need is ASCII in every version; `size` leaves out the final newline. */
static bool check_characters(header_text *header)
{
    const char *text = header->text;

    if (text[header->size] != '\n')
        return fail_at(header, "the last byte is no newline, but", (slice){text + header->size, 1});
    for (size_t i = 0; i < header->size; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return fail_at(header, "not printable ASCII:", (slice){text + i, 1});
    return true;
}

/* ---- Reading */

typedef struct header_place {
    unsigned version;
    uint64_t offset;
    uint64_t size;
} header_place;

static posemb_status check_magic(const file_bytes *file, const unsigned char *prefix,
                                 posemb_error *error)
{
    char shown[32];

    if (memcmp(prefix, "PK", 2) == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: magic: \"PK\", a zip archive (.npz)", file->shown);
    if (memcmp(prefix, magic, sizeof magic) != 0) {
        escape_text((const char *)prefix, sizeof magic, shown, sizeof shown);
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: magic: \"%s\", not that of a .npy file", file->shown, shown);
    }
    if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: version: %u.%u; only 1.0, 2.0 and 3.0 are read", file->shown,
                            prefix[6], prefix[7]);
    return POSEMB_OK;
}

static posemb_status check_header_size(const file_bytes *file, const header_place *place,
                                       posemb_error *error)
{
    if (place->size == 0 || place->size > HEADER_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: header length: %" PRIu64 ", outside 1 ... %u", file->shown,
                            place->size, HEADER_MAX);
    if (place->size > file->size - place->offset)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: header length: %" PRIu64 ", but only %" PRIu64 " bytes follow",
                            file->shown, place->size, file->size - place->offset);
    return POSEMB_OK;
}

static posemb_status find_header(const file_bytes *file, header_place *place, posemb_error *error)
{
    unsigned char prefix[PREFIX_SIZE + 2];
    posemb_status status;

    if (file->size < PREFIX_SIZE)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: size: %" PRIu64 " bytes, too few for a .npy file", file->shown,
                            file->size);
    status = file_bytes_read(file, 0, PREFIX_SIZE, prefix, error);
    if (status == POSEMB_OK)
        status = check_magic(file, prefix, error);
    if (status != POSEMB_OK)
        return status;

    place->version = prefix[6];
    place->offset = PREFIX_SIZE;
    place->size = load_u16(prefix + 8);
    if (place->version > 1) {
        status = file_bytes_read(file, PREFIX_SIZE, 2, prefix + PREFIX_SIZE, error);
        if (status != POSEMB_OK)
            return status;
        place->offset = PREFIX_SIZE + 2;
        place->size = load_u32(prefix + 8);
    }
    return check_header_size(file, place, error);
}

static posemb_status check_fields(const file_bytes *file, const header_fields *fields,
                                  posemb_error *error)
{
    for (int key = KEY_DESCR; key < KEY_COUNT; key++)
        if (!fields->seen[key])
            return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s: header: no key \"%s\"",
                                file->shown, key_names[key]);
    if (fields->fortran_order && fields->array->rank > 1)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: fortran_order: True with rank %" PRIu32 "; only C order is read",
                            file->shown, fields->array->rank);
    return POSEMB_OK;
}

static posemb_status read_header(const file_bytes *file, const header_place *place,
                                 header_fields *fields, posemb_error *error)
{
    char text[HEADER_MAX];
    posemb_status status = file_bytes_read(file, place->offset, (size_t)place->size, text, error);

    if (status != POSEMB_OK)
        return status;

    header_text header = {.file = file,
                          .offset = place->offset,
                          .python2 = place->version < 3,
                          .text = text,
                          .size = (size_t)place->size - 1,
                          .error = error};

    if (!check_characters(&header) || !parse_dict(&header, fields))
        return header.status;
    return check_fields(file, fields, error);
}

/* How many bytes the shape needs; the file must have just that many after its header. */
static posemb_status check_data_size(const file_bytes *file, uint64_t data_at, npy_array *array,
                                     posemb_error *error)
{
    const type_row *type = find_type(array->type);
    const uint64_t left = file->size - data_at;
    uint64_t bytes = 0;
    char shape[SHAPE_SHOWN_SIZE];

    shape_show(array->shape, array->rank, shape);
    if (!shape_count(array->shape, array->rank, &array->count) ||
        !posemb__mul_u64(array->count, type->size, &bytes) || bytes > SIZE_MAX - DATA_ALIGNMENT)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s: shape: %s of %s is too large",
                            file->shown, shape, type->descr);
    if (bytes != left)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: data: %s of %s takes %" PRIu64 " bytes, but %" PRIu64
                            " follow the header",
                            file->shown, shape, type->descr, bytes, left);
    return POSEMB_OK;
}

static posemb_status read_data(const file_bytes *file, uint64_t data_at, npy_array *array,
                               posemb_error *error)
{
    const size_t bytes = (size_t)(file->size - data_at);
    const size_t blocks = bytes / DATA_ALIGNMENT + 1;

    array->data = aligned_alloc(DATA_ALIGNMENT, blocks * DATA_ALIGNMENT);
    if (!array->data)
        return posemb__fail(error, POSEMB_OUT_OF_MEMORY, 0, "%s: data: no memory for %zu bytes",
                            file->shown, bytes);
    return file_bytes_read(file, data_at, bytes, array->data, error);
}

static posemb_status check_bools(const file_bytes *file, const npy_array *array,
                                 posemb_error *error)
{
    const unsigned char *bytes = array->data;
    const uint64_t at = array->type == NPY_B1 ? find_no_bool(bytes, array->count) : array->count;

    if (at == array->count)
        return POSEMB_OK;
    return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: data: element %" PRIu64 " is %u, and a |b1 must be 0 or 1",
                        file->shown, at, bytes[at]);
}

static posemb_status read_array(const file_bytes *file, npy_array *array, posemb_error *error)
{
    header_place place = {0};
    header_fields fields = {.array = array};
    posemb_status status = find_header(file, &place, error);

    if (status == POSEMB_OK)
        status = read_header(file, &place, &fields, error);
    if (status == POSEMB_OK)
        status = check_data_size(file, place.offset + place.size, array, error);
    if (status == POSEMB_OK)
        status = read_data(file, place.offset + place.size, array, error);
    if (status == POSEMB_OK)
        status = check_bools(file, array, error);
    return status;
}

posemb_status npy_read(const char *path, npy_array *array, posemb_error *error)
{
    file_bytes file;

    *array = (npy_array){0};

    posemb_status status = file_bytes_open(path, &file, error);

    if (status != POSEMB_OK)
        return status;
    status = read_array(&file, array, error);
    file_bytes_close(&file);
    if (status != POSEMB_OK)
        npy_free(array);
    return status;
}

/* ---- Writing */

#define WRITTEN_HEADER_MAX 448u /* rank 8 with 20 digits each takes 384 */
#define GROWTH_DIGITS      21   /* numpy keeps room for the first size to grow to so many digits */

/* Returns the size of the header, which is where the data begin. */
static size_t format_header(npy_type type, uint32_t rank, const uint64_t *shape,
                            char header[WRITTEN_HEADER_MAX])
{
    char sizes[SHAPE_SHOWN_SIZE];

    shape_show(shape, rank, sizes);

    const int inside = (int)strlen(sizes) - 2; /* without the brackets */
    const int growth = rank > 0 ? GROWTH_DIGITS - (int)strcspn(sizes + 1, ",]") : 0;
    const size_t used =
        PREFIX_SIZE +
        (size_t)snprintf(header + PREFIX_SIZE, WRITTEN_HEADER_MAX - PREFIX_SIZE,
                         "{'descr': '%s', 'fortran_order': False, 'shape': (%.*s%s), }%*s",
                         find_type(type)->descr, inside, sizes + 1, rank == 1 ? "," : "", growth,
                         "");
    const size_t size = ((used + 1) / DATA_ALIGNMENT + 1) * DATA_ALIGNMENT;

    memset(header + used, ' ', size - used);
    header[size - 1] = '\n';
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((size - PREFIX_SIZE) & 255);
    header[9] = (char)((size - PREFIX_SIZE) >> 8);
    return size;
}

static posemb_status check_written(npy_type type, uint32_t rank, const uint64_t *shape,
                                   const void *data, uint64_t *bytes, posemb_error *error)
{
    uint64_t count = 0;

    if (npy_type_size(type) == 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "type: %d is no npy_type",
                            (int)type);
    if (rank > NPY_RANK_MAX || (rank > 0 && !shape))
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "rank: %" PRIu32 " with %s shape; at most %u", rank, shape ? "a" : "no",
                            NPY_RANK_MAX);
    if (!shape_count(shape, rank, &count) || !posemb__mul_u64(count, npy_type_size(type), bytes) ||
        *bytes > SIZE_MAX)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0,
                            "shape: %" PRIu32 " sizes whose product does not fit", rank);
    if (*bytes > 0 && !data)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "data: NULL for %" PRIu64 " bytes",
                            *bytes);
    if (type == NPY_B1 && find_no_bool(data, count) < count)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "data: element %" PRIu64 " of type |b1 is neither 0 nor 1",
                            find_no_bool(data, count));
    return POSEMB_OK;
}

posemb_status npy_write(const char *path, npy_type type, uint32_t rank, const uint64_t *shape,
                        const void *data, posemb_error *error)
{
    char header[WRITTEN_HEADER_MAX];
    file_output output;
    uint64_t bytes = 0;
    posemb_status status = check_written(type, rank, shape, data, &bytes, error);

    if (status == POSEMB_OK)
        status = file_output_begin(path, &output, error);
    if (status == POSEMB_OK)
        status =
            file_output_write(&output, header, format_header(type, rank, shape, header), error);
    if (status == POSEMB_OK)
        status = file_output_write(&output, data, (size_t)bytes, error);
    if (status == POSEMB_OK)
        status = file_output_commit(&output, error);
    return status;
}
