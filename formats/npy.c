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

static const struct {
    const char *descr;
    npy_type type;
    size_t size;
} types[] = {{"<f4", NPY_F4, 4}, {"<i4", NPY_I4, 4}, {"<i8", NPY_I8, 8}};

#define TYPE_COUNT (sizeof types / sizeof *types)

size_t npy_type_size(npy_type type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (types[i].type == type)
            return types[i].size;
    return 0;
}

static const char *type_descr(npy_type type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (types[i].type == type)
            return types[i].descr;
    return "unknown";
}

void npy_free(npy_array *array)
{
    if (!array)
        return;
    free(array->data);
    *array = (npy_array){0};
}

/* ---- The header: a Python dict literal of three entries */

enum header_key { KEY_DESCR, KEY_FORTRAN_ORDER, KEY_SHAPE, KEY_COUNT };

static const char *const key_names[KEY_COUNT] = {"descr", "fortran_order", "shape"};

typedef struct header_text {
    const file_bytes *file;
    uint64_t offset; /* of the text in the file */
    bool python2;    /* Python 2 wrote versions 1 and 2, and its integers may end in L */
    const char *text;
    size_t size;
    size_t at;
    posemb_error *error;
} header_text;

typedef struct header_fields {
    bool seen[KEY_COUNT];
    npy_type type;
    bool fortran_order;
    uint32_t rank;
    uint64_t shape[NPY_RANK_MAX];
} header_fields;

static posemb_status fail_expected(const header_text *header, const char *expected)
{
    const size_t left = header->size - header->at;
    char found[64];

    escape_text(header->text + header->at, left < 24 ? left : 24, found, sizeof found);
    return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: header, byte %" PRIu64 ": expected %s, found \"%s\"",
                        header->file->shown, header->offset + header->at, expected, found);
}

static void skip_spaces(header_text *header)
{
    while (header->at < header->size && header->text[header->at] == ' ')
        header->at++;
}

/* Skip spaces, and the character where it comes next. */
static bool take(header_text *header, char character)
{
    skip_spaces(header);
    if (header->at == header->size || header->text[header->at] != character)
        return false;
    header->at++;
    return true;
}

static bool take_word(header_text *header, const char *word)
{
    const size_t length = strlen(word);

    skip_spaces(header);
    if (header->size - header->at < length || memcmp(header->text + header->at, word, length) != 0)
        return false;
    header->at += length;
    return true;
}

typedef struct slice {
    const char *start;
    size_t length;
} slice;

static bool slice_is(slice text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.start, word, text.length) == 0;
}

static posemb_status parse_string(header_text *header, const char *expected, slice *string)
{
    skip_spaces(header);

    const char *start = header->text + header->at;
    const size_t left = header->size - header->at;

    if (left == 0 || (*start != '\'' && *start != '"'))
        return fail_expected(header, expected);

    const char *end = memchr(start + 1, *start, left - 1);

    if (!end)
        return fail_expected(header, "a string that ends");
    *string = (slice){start + 1, (size_t)(end - start) - 1};
    header->at += (size_t)(end - start) + 1;
    return POSEMB_OK;
}

static posemb_status parse_descr(header_text *header, npy_type *type)
{
    slice descr;
    char shown[64];
    const posemb_status status = parse_string(header, "the string of descr", &descr);

    if (status != POSEMB_OK)
        return status;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (slice_is(descr, types[i].descr)) {
            *type = types[i].type;
            return POSEMB_OK;
        }
    escape_text(descr.start, descr.length, shown, sizeof shown);
    return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                        "%s: descr: \"%s\" is not read; only <f4, <i4 and <i8 are",
                        header->file->shown, shown);
}

static posemb_status parse_bool(header_text *header, bool *value)
{
    *value = take_word(header, "True");
    if (*value || take_word(header, "False"))
        return POSEMB_OK;
    return fail_expected(header, "True or False");
}

static bool is_digit(const header_text *header)
{
    return header->at < header->size && header->text[header->at] >= '0' &&
           header->text[header->at] <= '9';
}

static posemb_status parse_whole(header_text *header, uint64_t *value)
{
    skip_spaces(header);
    *value = 0;

    const size_t start = header->at;

    for (; is_digit(header); header->at++) {
        const uint64_t digit = (uint64_t)(header->text[header->at] - '0');

        if (!posemb__mul_u64(*value, 10, value) || !posemb__add_u64(*value, digit, value))
            return posemb__fail(header->error, POSEMB_SIZE_OVERFLOW, 0,
                                "%s: shape: the number at byte %" PRIu64 " does not fit in 64 bits",
                                header->file->shown, header->offset + start);
    }
    if (header->at == start || (header->at - start > 1 && header->text[start] == '0')) {
        header->at = start;
        return fail_expected(header, "a whole number >= 0 in shape");
    }
    if (header->python2)
        take_word(header, "L");
    return POSEMB_OK;
}

static posemb_status parse_shape(header_text *header, header_fields *fields)
{
    bool comma = true;

    if (!take(header, '('))
        return fail_expected(header, "the tuple of shape");
    fields->rank = 0;
    while (!take(header, ')')) {
        if (!comma)
            return fail_expected(header, "',' or ')' in shape");
        if (fields->rank == NPY_RANK_MAX)
            return fail_expected(header, "at most 8 dimensions in shape");

        const posemb_status status = parse_whole(header, &fields->shape[fields->rank]);

        if (status != POSEMB_OK)
            return status;
        fields->rank++;
        comma = take(header, ',');
    }
    if (fields->rank == 1 && !comma)
        return fail_expected(header, "a comma in a shape of one number, which is no tuple without");
    return POSEMB_OK;
}

static posemb_status parse_key(header_text *header, header_fields *fields, enum header_key *key)
{
    slice name;
    char shown[64];
    const posemb_status status = parse_string(header, "a key", &name);

    if (status != POSEMB_OK)
        return status;
    escape_text(name.start, name.length, shown, sizeof shown);
    for (*key = KEY_DESCR; *key < KEY_COUNT && !slice_is(name, key_names[*key]);)
        ++*key;
    if (*key == KEY_COUNT)
        return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: header: key \"%s\" is unknown", header->file->shown, shown);
    if (fields->seen[*key])
        return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: header: key \"%s\" comes twice", header->file->shown, shown);
    fields->seen[*key] = true;
    return POSEMB_OK;
}

static posemb_status parse_entry(header_text *header, header_fields *fields)
{
    enum header_key key = KEY_COUNT;
    const posemb_status status = parse_key(header, fields, &key);

    if (status != POSEMB_OK)
        return status;
    if (!take(header, ':'))
        return fail_expected(header, "':' after a key");
    if (key == KEY_DESCR)
        return parse_descr(header, &fields->type);
    if (key == KEY_FORTRAN_ORDER)
        return parse_bool(header, &fields->fortran_order);
    return parse_shape(header, fields);
}

static posemb_status parse_dict(header_text *header, header_fields *fields)
{
    bool comma = true;

    if (!take(header, '{'))
        return fail_expected(header, "'{'");
    while (!take(header, '}')) {
        if (!comma)
            return fail_expected(header, "',' or '}'");

        const posemb_status status = parse_entry(header, fields);

        if (status != POSEMB_OK)
            return status;
        comma = take(header, ',');
    }
    skip_spaces(header);
    if (header->at != header->size)
        return fail_expected(header, "nothing but spaces after '}'");
    return POSEMB_OK;
}

static posemb_status check_fields(const header_text *header, const header_fields *fields)
{
    for (int key = KEY_DESCR; key < KEY_COUNT; key++)
        if (!fields->seen[key])
            return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s: header: key \"%s\" is missing", header->file->shown,
                                key_names[key]);
    if (fields->fortran_order && fields->rank > 1)
        return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: fortran_order: True with %" PRIu32
                            " dimensions; only C order is read",
                            header->file->shown, fields->rank);
    return POSEMB_OK;
}

/* What the three entries need is ASCII in every version; `size` leaves out the final newline. */
static posemb_status check_characters(const header_text *header)
{
    if (header->text[header->size] != '\n')
        return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: header: its last byte is 0x%02x, not a newline",
                            header->file->shown, (unsigned char)header->text[header->size]);
    for (size_t i = 0; i < header->size; i++)
        if (header->text[i] < 0x20 || header->text[i] > 0x7e)
            return posemb__fail(header->error, POSEMB_INVALID_ARGUMENT, 0,
                                "%s: header, byte %" PRIu64 ": 0x%02x is not printable ASCII",
                                header->file->shown, header->offset + i,
                                (unsigned char)header->text[i]);
    return POSEMB_OK;
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
                            "%s: magic: \"PK\" begins a zip archive (.npz), not a .npy file",
                            file->shown);
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

    status = check_characters(&header);
    if (status == POSEMB_OK)
        status = parse_dict(&header, fields);
    if (status == POSEMB_OK)
        status = check_fields(&header, fields);
    return status;
}

/* How many bytes the shape needs; the file must have just that many after its header. */
static posemb_status check_data_size(const file_bytes *file, uint64_t data_at, npy_array *array,
                                     posemb_error *error)
{
    const uint64_t left = file->size - data_at;
    uint64_t bytes = 0;
    char shape[SHAPE_SHOWN_SIZE];

    shape_show(array->shape, array->rank, shape);
    if (!shape_count(array->shape, array->rank, &array->count) ||
        !posemb__mul_u64(array->count, npy_type_size(array->type), &bytes) ||
        bytes > SIZE_MAX - DATA_ALIGNMENT)
        return posemb__fail(error, POSEMB_SIZE_OVERFLOW, 0, "%s: shape: %s of %s is too large",
                            file->shown, shape, type_descr(array->type));
    if (bytes != left)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "%s: data: %s of %s takes %" PRIu64 " bytes, but %" PRIu64
                            " follow the header",
                            file->shown, shape, type_descr(array->type), bytes, left);
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

static posemb_status read_array(const file_bytes *file, npy_array *array, posemb_error *error)
{
    header_place place = {0};
    header_fields fields = {0};
    posemb_status status = find_header(file, &place, error);

    if (status == POSEMB_OK)
        status = read_header(file, &place, &fields, error);
    if (status != POSEMB_OK)
        return status;

    const uint64_t data_at = place.offset + place.size;

    array->type = fields.type;
    array->rank = fields.rank;
    memcpy(array->shape, fields.shape, sizeof array->shape);
    status = check_data_size(file, data_at, array, error);
    if (status == POSEMB_OK)
        status = read_data(file, data_at, array, error);
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
    size_t used = PREFIX_SIZE;
    int first_digits = 0;

    used +=
        (size_t)snprintf(header + used, WRITTEN_HEADER_MAX - used,
                         "{'descr': '%s', 'fortran_order': False, 'shape': (", type_descr(type));
    for (uint32_t i = 0; i < rank; i++) {
        const int length = snprintf(header + used, WRITTEN_HEADER_MAX - used, "%" PRIu64 "%s",
                                    shape[i], i + 1 < rank ? ", " : "");

        if (i == 0)
            first_digits = length - (rank > 1 ? 2 : 0);
        used += (size_t)length;
    }
    used += (size_t)snprintf(header + used, WRITTEN_HEADER_MAX - used, "%s), }%*s",
                             rank == 1 ? "," : "", rank > 0 ? GROWTH_DIGITS - first_digits : 0, "");

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
