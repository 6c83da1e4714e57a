/* Reader of safetensors files: good files, hand-made bad ones, every flipped bit. */
#include "safetensors.h"
#include "support/temp_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The bytes of a literal that may hold zeros, and their number. */
#define BYTES(literal) (literal), sizeof(literal) - 1
#define FILE_MAX       131072u
#define INVALID        POSEMB_INVALID_ARGUMENT

static posemb_status open_bytes(const void *bytes, size_t size, safetensors_file **file,
                                posemb_error *error)
{
    char path[TEMP_PATH_SIZE];

    temp_file_write(&test_folder, "in.safetensors", bytes, size, path);

    const posemb_status status = safetensors_open(path, file, error);

    assert_int_equal(unlink(path), 0);
    return status;
}

static void assert_refused(const void *bytes, size_t size, posemb_status status, const char *words)
{
    safetensors_file *file = NULL;
    posemb_error error = {0};

    if (open_bytes(bytes, size, &file, &error) != status)
        fail_msg("\"%s\" expected, but: %s", words, error.message);
    assert_int_equal(error.status, status);
    assert_said(&error, "in.safetensors: ");
    assert_said(&error, words);
    assert_null(strchr(error.message, '\n'));
    assert_null(file);
}

static void put(void *to, const char *text, size_t size)
{
    memcpy(to, text, size);
}

/* A file of a header in a proper frame, and `data` bytes 0, 1, 2 ... Returns its size. */
static size_t frame(const char *text, size_t size, size_t data, unsigned char file[FILE_MAX])
{
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)size >> 8 * i);
    memcpy(file + 8, text, size);
    for (size_t i = 0; i < data; i++)
        file[8 + size + i] = (unsigned char)i;
    return 8 + size + data;
}

static safetensors_file *open_good(const char *text, size_t data)
{
    static unsigned char bytes[FILE_MAX];
    safetensors_file *file = NULL;
    posemb_error error = {0};

    if (open_bytes(bytes, frame(text, strlen(text), data, bytes), &file, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_non_null(file);
    return file;
}

/* ---- Bad files */

#define LENGTH(low) low "\0\0\0\0\0\0\0"

static void test_refuses_bad_frames(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } files[] = {
        {BYTES(""), "8 bytes are needed at byte 0, but the file has only 0"},
        {BYTES("\2"), "the file has only 1"},
        {BYTES("\2\0"), "the file has only 2"},
        {BYTES("\2\0\0"), "the file has only 3"},
        {BYTES("\2\0\0\0"), "the file has only 4"},
        {BYTES("\2\0\0\0\0"), "the file has only 5"},
        {BYTES("\2\0\0\0\0\0"), "the file has only 6"},
        {BYTES("\2\0\0\0\0\0\0"), "the file has only 7"},
        {BYTES(LENGTH("\2")), "header length: 2, outside 2 ... 0"},
        {BYTES(LENGTH("\2") "{"), "header length: 2, outside 2 ... 1"},
        {BYTES(LENGTH("\0") "{}"), "header length: 0"},
        {BYTES(LENGTH("\1") "{}"), "header length: 1"},
        {BYTES(LENGTH("\3") "{}"), "header length: 3, outside 2 ... 2"},
        {BYTES("\0\0\0\200\0\0\0\0{}"), "header length: 2147483648"},
        {BYTES("\0\0\0\0\0\0\0\200{}"), "header length: 9223372036854775808"},
        {BYTES("\377\377\377\377\377\377\377\377{}"), "header length: 18446744073709551615"},
        {BYTES("\370\377\377\377\377\377\377\377{}"), "header length: 18446744073709551608"},
        {BYTES(LENGTH("\2") "{}x"), "data: 1 bytes after the last tensor"},
        {BYTES("\x93NUMPY\1\0\2\0{}"), "header length: "},
        {BYTES("GGUF\3\0\0\0{}"), "header length: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].bytes, files[i].size, INVALID, files[i].words);
}

typedef struct bad_header {
    const char *text;
    size_t size;
    size_t data;
    const char *words;
} bad_header;

static void assert_headers_refused(const bad_header *headers, size_t count, posemb_status status)
{
    static unsigned char file[FILE_MAX];

    for (size_t i = 0; i < count; i++)
        assert_refused(file, frame(headers[i].text, headers[i].size, headers[i].data, file), status,
                       headers[i].words);
}

#define F32               "\"dtype\":\"F32\""
#define ENTRY(fields)     "{\"t\":{" fields "}}"
#define SHAPED(shape)     ENTRY(F32 ",\"shape\":" shape ",\"data_offsets\":[0,4]")
#define OFFSETS(offsets)  ENTRY(F32 ",\"shape\":[1],\"data_offsets\":" offsets)
#define TYPED(dtype)      ENTRY("\"dtype\":" dtype ",\"shape\":[1],\"data_offsets\":[0,4]")
#define T(name, from, to) "\"" name "\":{" F32 ",\"shape\":[1],\"data_offsets\":[" from "," to "]}"

static void test_refuses_what_is_no_json(void **state)
{
    static const bad_header headers[] = {
        {BYTES("[]"), 0, "header, byte 8: it does not begin with '{'"},
        {BYTES(" {}"), 0, "it does not begin with '{'"},
        {BYTES("\xef\xbb\xbf{}"), 0, "it does not begin with '{'"},
        {BYTES("{}\n"), 0, "header, byte 10: not '}', which only spaces may follow"},
        {BYTES("{}\0"), 0, "not '}'"},
        {BYTES("{} x"), 0, "not '}'"},
        {BYTES("{}{}"), 0, "end of file expected near '{'"},
        {BYTES("{}}"), 0, "end of file expected near '}'"},
        {BYTES("{ "), 0, "not '}'"},
        {BYTES("{\"a}"), 0, "premature end of input"},
        {BYTES("{\"a\"}"), 0, "':' expected"},
        {BYTES("{" T("a", "0", "4") ",}"), 4, "string or '}' expected"},
        {BYTES("{\0}"), 0, "header, byte "},
        {BYTES("{\"a\0b\":{}}"), 0, "control character 0x0"},
        {BYTES("{\"a\nb\":{}}"), 0, "header, byte 11: unexpected newline"},
        {BYTES("{\"a\\u0000b\":{}}"), 0, "NUL"},
        {BYTES("{\"__metadata__\":{\"a\":\"\\u0000\"}}"), 0, "\\\\u0000 is not allowed"},
        {BYTES("{\"\xff\":{}}"), 0, "unable to decode byte 0xff"},
        {BYTES("{\"\xc0\x80\":{}}"), 0, "unable to decode byte 0xc0"},
        {BYTES("{\"\xed\xa0\x80\":{}}"), 0, "unable to decode byte 0xed"},
        {BYTES("{\"\\ud800\":{}}"), 0, "invalid Unicode '\\\\uD800'"},
        {BYTES("{'a':{}}"), 0, "string or '}' expected"},
        {BYTES("{\"a\":NaN}"), 0, "invalid token"},
        {BYTES("{\"t\":/**/{}}"), 0, "invalid token"},
        {BYTES(SHAPED("[01]")), 4, "invalid token"},
        {BYTES(SHAPED("[1e400]")), 4, "real number overflow"},
        {BYTES(SHAPED("[9223372036854775808]")), 4, "too big integer"},
        {BYTES(SHAPED("[18446744073709551616]")), 4, "too big integer"},
        {BYTES(SHAPED("[-1]")), 4, "header, byte 37: a minus sign"},
        {BYTES(SHAPED("[-0]")), 4, "a minus sign"},
        {BYTES(OFFSETS("[-4,0]")), 4, "a minus sign"},
        {BYTES(SHAPED("[[[1]]]")), 4, "header, byte 38: nested too deep"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

static void test_refuses_keys_that_come_twice(void **state)
{
    static const bad_header headers[] = {
        {BYTES("{" T("a", "0", "4") "," T("a", "0", "4") "}"), 4, "duplicate object key"},
        {BYTES("{" T("a", "0", "4") "," T("\\u0061", "4", "8") "}"), 8, "duplicate object key"},
        {BYTES(ENTRY(F32 "," F32 ",\"shape\":[1],\"data_offsets\":[0,4]")), 4, "duplicate"},
        {BYTES("{\"__metadata__\":{},\"__metadata__\":{}}"), 0, "duplicate object key"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

static void test_refuses_bad_entries(void **state)
{
    static const bad_header headers[] = {
        {BYTES("{\"t\":[]}"), 0, "tensor \"t\": entry: not an object, found []"},
        {BYTES("{\"t\":null}"), 0, "tensor \"t\": entry: not an object, found null"},
        {BYTES("{\"t\\n\":1}"), 0, "tensor \"t\\x0a\": entry: not an object, found 1"},
        {BYTES("{\"../t\":1}"), 0, "tensor \"../t\": entry: not an object, found 1"},
        {BYTES("{\"t\":{}}"), 0, "entry: not dtype, shape and data_offsets, found {}"},
        {BYTES(ENTRY("\"shape\":[1],\"data_offsets\":[0,4]")), 4, "not dtype, shape and"},
        {BYTES(ENTRY(F32 ",\"data_offsets\":[0,4]")), 4, "not dtype, shape and"},
        {BYTES(ENTRY(F32 ",\"shape\":[1]")), 4, "not dtype, shape and"},
        {BYTES(ENTRY(F32 ",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1")), 4, "x: unknown key"},
        {BYTES(ENTRY("\"Dtype\":\"F32\"")), 4, "Dtype: unknown key, found \\\"F32\\\""},
        {BYTES("{\"__metadata__\":[]}"), 0, "\"__metadata__\": entry: not an object, found []"},
        {BYTES("{\"__metadata__\":null}"), 0, "\"__metadata__\": entry: not an object"},
        {BYTES("{\"__metadata__\":{\"a\":1}}"), 0, "\"__metadata__\": a: not a string, found 1"},
        {BYTES("{\"__metadata__\":{\"a\":{}}}"), 0, "\"__metadata__\": a: not a string"},
        {BYTES("{\"__metadata__ \":{\"a\":\"b\"}}"), 0, "\"__metadata__ \": a: unknown key"},
        {BYTES(TYPED("1")), 4, "dtype: not one of the format, found 1"},
        {BYTES(TYPED("\"\"")), 4, "dtype: not one of the format"},
        {BYTES(TYPED("\"f32\"")), 4, "dtype: not one of the format, found \\\"f32\\\""},
        {BYTES(TYPED("\"F32 \"")), 4, "dtype: not one of the format"},
        {BYTES(TYPED("\"Q4_0\"")), 4, "dtype: not one of the format"},
        {BYTES(TYPED("\"unknown\"")), 4, "dtype: not one of the format"},
        {BYTES(ENTRY("\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]")), 1, "within a byte"},
        {BYTES(ENTRY("\"dtype\":\"F6_E2M3\",\"shape\":[2],\"data_offsets\":[0,1]")), 1, "[2]"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

static void test_refuses_bad_shapes_and_offsets(void **state)
{
    static const bad_header headers[] = {
        {BYTES(SHAPED("1")), 4, "shape: not an array of at most 8, found 1"},
        {BYTES(SHAPED("{}")), 4, "shape: not an array of at most 8, found {}"},
        {BYTES(SHAPED("null")), 4, "shape: not an array of at most 8, found null"},
        {BYTES(SHAPED("[1,1,1,1,1,1,1,1,1]")), 4, "at most 8, found [1,1,1,1,1,1,1,1,1]"},
        {BYTES(SHAPED("[1.5]")), 4, "shape: not a whole number >= 0, found 1.5"},
        {BYTES(SHAPED("[1.0]")), 4, "shape: not a whole number >= 0, found 1.0"},
        {BYTES(SHAPED("[1e0]")), 4, "shape: not a whole number >= 0, found 1.0"},
        {BYTES(SHAPED("[\"1\"]")), 4, "shape: not a whole number >= 0"},
        {BYTES(SHAPED("[true]")), 4, "shape: not a whole number >= 0, found true"},
        {BYTES(SHAPED("[null]")), 4, "shape: not a whole number >= 0, found null"},
        {BYTES(SHAPED("[[1]]")), 4, "shape: not a whole number >= 0, found [1]"},
        {BYTES(SHAPED("[2]")), 4, "data_offsets: not the size of shape and dtype, found [0,4]"},
        {BYTES(SHAPED("[0]")), 4, "not the size of shape and dtype"},
        {BYTES(OFFSETS("4")), 4, "data_offsets: not an array of 2, found 4"},
        {BYTES(OFFSETS("{\"0\":4}")), 4, "data_offsets: not an array of 2"},
        {BYTES(OFFSETS("[]")), 4, "data_offsets: not an array of 2, found []"},
        {BYTES(OFFSETS("[4]")), 4, "data_offsets: not an array of 2, found [4]"},
        {BYTES(OFFSETS("[0,4,4]")), 4, "data_offsets: not an array of 2, found [0,4,4]"},
        {BYTES(OFFSETS("[0,4.0]")), 4, "data_offsets: not a whole number >= 0, found 4.0"},
        {BYTES(OFFSETS("[0,\"4\"]")), 4, "data_offsets: not a whole number"},
        {BYTES(OFFSETS("[4,0]")), 4, "its end lies before its begin, found [4,0]"},
        {BYTES(OFFSETS("[0,5]")), 4, "beyond the end of the file, found [0,5]"},
        {BYTES(OFFSETS("[0,9223372036854775807]")), 4, "beyond the end of the file"},
        {BYTES(OFFSETS("[9223372036854775803,9223372036854775807]")), 4, "beyond the end"},
        {BYTES(OFFSETS("[0,3]")), 4, "not the size of shape and dtype, found [0,3]"},
        {BYTES(OFFSETS("[0,4]")), 5, "data: 1 bytes after the last tensor"},
        {BYTES(OFFSETS("[1,5]")), 5, "tensor \"t\": data_offsets: a hole lies before it"},
        {BYTES("{" T("a", "0", "4") "," T("b", "5", "9") "}"), 9, "\"b\": data_offsets: a hole"},
        {BYTES("{" T("b", "4", "8") "," T("a", "0", "4") "}"), 9, "1 bytes after the last"},
        {BYTES("{" T("a", "0", "4") "," T("b", "0", "4") "}"), 4, "\"b\": data_offsets: overlaps"},
        {BYTES("{" T("a", "0", "4") "," T("b", "3", "7") "}"), 7, "\"b\": data_offsets: overlaps"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

static void test_refuses_shapes_that_overflow(void **state)
{
    static const bad_header headers[] = {
        {BYTES(SHAPED("[4294967296,4294967296]")), 4, "shape: too large, found [4294967296,"},
        {BYTES(SHAPED("[9223372036854775807]")), 4, "found [9223372036854775807]"},
        {BYTES(SHAPED("[576460752303423488]")), 4, "tensor \"t\": shape: too large"},
        {BYTES(SHAPED("[4611686018427387904,4,0]")), 4, "shape: too large"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, POSEMB_SIZE_OVERFLOW);
}

static void test_refuses_deep_nesting(void **state)
{
    static unsigned char file[FILE_MAX];
    static char text[20001];

    (void)state;
    memset(text, '[', 10000);
    memset(text + 10000, ']', 10000);
    put(text, BYTES("{\"a\":"));
    text[20000] = '}';
    assert_refused(file, frame(text, sizeof text, 0, file), INVALID, "nested too deep");
}

static void test_refuses_a_name_of_64_kib(void **state)
{
    static const char tail[] = "\":{" F32 ",\"shape\":[1],\"data_offsets\":[0,4]}}";
    static unsigned char file[FILE_MAX];
    static char text[65538 + sizeof tail];

    (void)state;
    put(text, BYTES("{\""));
    memset(text + 2, 'n', 65536);
    put(text + 65538, BYTES(tail));
    assert_refused(file, frame(text, sizeof text - 1, 4, file), INVALID,
                   "...\": name: longer than 1024 bytes");
}

static void test_refuses_too_many_commas(void **state)
{
    const size_t size = 4200000;
    unsigned char *file = malloc(8 + size);

    (void)state;
    assert_non_null(file);
    memset(file, ',', 8 + size);
    file[8] = '{';
    file[8 + size - 1] = '}';
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)size >> 8 * i);
    assert_refused(file, 8 + size, INVALID, "too many entries");
    free(file);
}

static void test_refuses_a_header_above_the_limit(void **state)
{
    static const unsigned char length[] = {0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, '{'};
    char path[TEMP_PATH_SIZE];
    safetensors_file *file = NULL;
    posemb_error error;

    (void)state;
    temp_file_write(&test_folder, "in.safetensors", length, sizeof length, path);
    assert_int_equal(truncate(path, 200000000), 0);
    assert_int_equal(safetensors_open(path, &file, &error), INVALID);
    assert_said(&error, "header length: 100000001, outside 2 ... 100000000");
    assert_int_equal(unlink(path), 0);
}

#define SAMPLE                                                                                     \
    "{\"__metadata__\":{\"k\":\"v\"},\"b\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":"      \
    "[24,27]},\"a\\u0062\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}  "

static void test_refuses_every_truncated_file(void **state)
{
    unsigned char bytes[512];
    const size_t size = 8 + sizeof SAMPLE - 1 + 27;
    static unsigned char whole[FILE_MAX];

    (void)state;
    assert_int_equal(frame(BYTES(SAMPLE), 27, whole), size);
    memcpy(bytes, whole, size);
    for (size_t cut = 0; cut < size; cut++) {
        safetensors_file *file = NULL;
        posemb_error error;

        assert_int_equal(open_bytes(bytes, cut, &file, &error), INVALID);
        assert_null(file);
    }
    safetensors_close(open_good(SAMPLE, 27));
}

static void assert_consistent(const safetensors_file *file, size_t size)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < safetensors_count(file); i++) {
        const safetensors_tensor *tensor = safetensors_at(file, i);
        unsigned char data[27];

        assert_non_null(tensor->name);
        assert_in_range(tensor->offset, 8, size);
        assert_in_range(tensor->bytes, 0, sizeof data);
        assert_int_equal(safetensors_read(file, tensor, data, sizeof data, NULL), POSEMB_OK);
        bytes += tensor->bytes;
    }
    assert_int_equal(bytes, 27);
}

static void test_survives_every_flipped_bit(void **state)
{
    static unsigned char bytes[FILE_MAX];
    const size_t size = frame(BYTES(SAMPLE), 27, bytes);
    size_t accepted = 0;

    (void)state;
    for (size_t bit = 0; bit < (size - 27) * 8; bit++) {
        safetensors_file *file = NULL;
        posemb_error error = {0};

        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (open_bytes(bytes, size, &file, &error) == POSEMB_OK) {
            assert_consistent(file, size);
            accepted++;
        } else {
            assert_null(file);
            assert_in_range(strlen(error.message), 1, POSEMB_MESSAGE_SIZE - 1);
        }
        safetensors_close(file);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_in_range(accepted, 1, 200);
}

static void test_says_why_a_file_cannot_be_opened(void **state)
{
    char path[TEMP_PATH_SIZE];
    safetensors_file *file = NULL;
    posemb_error error;

    (void)state;
    temp_file_path(&test_folder, "missing.safetensors", path);
    assert_int_equal(safetensors_open(path, &file, &error), INVALID);
    assert_said(&error, "missing.safetensors: cannot be opened");
    assert_null(file);
    assert_int_equal(safetensors_open(test_folder.path, &file, NULL), INVALID);
    assert_int_equal(safetensors_open(NULL, &file, NULL), INVALID);
}

/* ---- Good files */

static void test_reads_the_smallest_files(void **state)
{
    static const char *const headers[] = {"{}", "{}      ", "{\"__metadata__\":{}}", "{ \n\t }"};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        safetensors_file *file = open_good(headers[i], 0);

        assert_int_equal(safetensors_count(file), 0);
        assert_null(safetensors_at(file, 0));
        safetensors_close(file);
    }
    safetensors_close(NULL);
}

static void test_lists_tensors_in_the_order_of_their_data(void **state)
{
    safetensors_file *file = open_good(SAMPLE, 27);
    const safetensors_tensor *first = safetensors_at(file, 0);
    const safetensors_tensor *second = safetensors_at(file, 1);

    (void)state;
    assert_int_equal(safetensors_count(file), 2);
    assert_null(safetensors_at(file, 2));
    assert_string_equal(first->name, "ab");
    assert_int_equal(first->dtype, SAFETENSORS_F32);
    assert_int_equal(first->rank, 2);
    assert_int_equal(first->shape[0], 2);
    assert_int_equal(first->shape[1], 3);
    assert_int_equal(first->offset, 8 + sizeof SAMPLE - 1);
    assert_int_equal(first->bytes, 24);
    assert_string_equal(second->name, "b");
    assert_int_equal(second->dtype, SAFETENSORS_I8);
    assert_int_equal(second->rank, 1);
    assert_int_equal(second->offset, first->offset + 24);
    assert_int_equal(second->bytes, 3);
    safetensors_close(file);
}

static void test_reads_the_smallest_and_the_largest_rank(void **state)
{
    safetensors_file *file = open_good("{\"s\":{" F32 ",\"shape\":[],\"data_offsets\":[0,4]},"
                                       "\"l\":{" F32 ",\"shape\":[1,2,1,1,1,1,1,3],"
                                       "\"data_offsets\":[4,28]}}",
                                       28);

    (void)state;
    assert_int_equal(safetensors_at(file, 0)->rank, 0);
    assert_int_equal(safetensors_at(file, 0)->bytes, 4);
    assert_int_equal(safetensors_at(file, 1)->rank, SAFETENSORS_RANK_MAX);
    assert_int_equal(safetensors_at(file, 1)->shape[7], 3);
    safetensors_close(file);
}

static void test_reads_tensors_of_no_bytes(void **state)
{
    safetensors_file *file = open_good(
        "{" T("x", "0", "4") ",\"c\":{" F32 ",\"shape\":[0],\"data_offsets\":[4,4]},"
                             "\"b\":{" F32
                             ",\"shape\":[0,9223372036854775807,2],\"data_offsets\":[0,0]},"
                             "\"a\":{" F32 ",\"shape\":[5,0],\"data_offsets\":[0,0]}}",
        4);
    unsigned char byte = 7;

    (void)state;
    assert_string_equal(safetensors_at(file, 0)->name, "a");
    assert_string_equal(safetensors_at(file, 1)->name, "b");
    assert_string_equal(safetensors_at(file, 2)->name, "x");
    assert_string_equal(safetensors_at(file, 3)->name, "c");
    assert_int_equal(safetensors_read(file, safetensors_at(file, 1), &byte, 0, NULL), POSEMB_OK);
    assert_int_equal(byte, 7);
    safetensors_close(file);
}

static void test_knows_every_dtype(void **state)
{
    static const struct {
        const char *name;
        size_t eight; /* bytes of 8 elements */
    } dtypes[] = {{"BOOL", 8},        {"F4", 4},         {"F6_E2M3", 6}, {"F6_E3M2", 6},
                  {"U8", 8},          {"I8", 8},         {"F8_E5M2", 8}, {"F8_E4M3", 8},
                  {"F8_E8M0", 8},     {"I16", 16},       {"U16", 16},    {"F16", 16},
                  {"BF16", 16},       {"I32", 32},       {"U32", 32},    {"F32", 32},
                  {"C64", 64},        {"F64", 64},       {"I64", 64},    {"U64", 64},
                  {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};

    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        char text[128];

        snprintf(text, sizeof text,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[8],\"data_offsets\":[0,%zu]}}",
                 dtypes[i].name, dtypes[i].eight);

        safetensors_file *file = open_good(text, dtypes[i].eight);

        assert_string_equal(safetensors_dtype_name(safetensors_at(file, 0)->dtype), dtypes[i].name);
        safetensors_close(file);
    }
    assert_string_equal(safetensors_dtype_name((safetensors_dtype)0), "unknown");
    assert_string_equal(safetensors_dtype_name((safetensors_dtype)23), "unknown");
}

static void test_accepts_names_of_any_text(void **state)
{
    safetensors_file *file = open_good(
        "{" T("", "0", "4") "," T("../\\\"\\\\-{[,", "4", "8") "," T("\xc3\xa9\\n", "8", "12") "}",
        12);

    (void)state;
    assert_string_equal(safetensors_at(file, 0)->name, "");
    assert_string_equal(safetensors_at(file, 1)->name, "../\"\\-{[,");
    assert_string_equal(safetensors_at(file, 2)->name, "\xc3\xa9\n");
    safetensors_close(file);
}

/* ---- Reading data */

static void test_reads_floats_from_an_odd_offset(void **state)
{
    static unsigned char bytes[FILE_MAX];
    static const float values[] = {1.5f, -2.0f, 3.25f};
    static const char text[] = "{\"p\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                               "\"f\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[1,13]}}";
    const size_t size = frame(BYTES(text), 13, bytes);
    safetensors_file *file = NULL;
    float read[3];

    (void)state;
    memcpy(bytes + size - sizeof values, values, sizeof values);
    assert_int_equal(open_bytes(bytes, size, &file, NULL), POSEMB_OK);
    assert_int_equal(safetensors_read(file, safetensors_at(file, 1), read, sizeof read, NULL),
                     POSEMB_OK);
    assert_memory_equal(read, values, sizeof values);
    safetensors_close(file);
}

static void test_refuses_a_small_buffer(void **state)
{
    safetensors_file *file = open_good(SAMPLE, 27);
    const safetensors_tensor *tensor = safetensors_at(file, 0);
    unsigned char bytes[24] = {0xee};
    posemb_error error;

    (void)state;
    assert_int_equal(safetensors_read(file, tensor, bytes, 23, &error), POSEMB_BUFFER_TOO_SMALL);
    assert_said(&error, "a buffer of 23 bytes for 24");
    assert_int_equal(bytes[0], 0xee);
    safetensors_close(file);
}

static void test_a_file_that_shrinks_is_an_error(void **state)
{
    static unsigned char bytes[FILE_MAX];
    const size_t size = frame(BYTES(SAMPLE), 27, bytes);
    safetensors_file *file = NULL;
    char path[TEMP_PATH_SIZE];
    posemb_error error;

    (void)state;
    temp_file_write(&test_folder, "in.safetensors", bytes, size, path);
    assert_int_equal(safetensors_open(path, &file, NULL), POSEMB_OK);
    assert_int_equal(truncate(path, (off_t)size - 10), 0);
    assert_int_equal(safetensors_read(file, safetensors_at(file, 0), bytes, 24, &error), INVALID);
    assert_said(&error, "in.safetensors: shrank while it was read");
    safetensors_close(file);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_bad_frames),
        cmocka_unit_test(test_refuses_what_is_no_json),
        cmocka_unit_test(test_refuses_keys_that_come_twice),
        cmocka_unit_test(test_refuses_bad_entries),
        cmocka_unit_test(test_refuses_bad_shapes_and_offsets),
        cmocka_unit_test(test_refuses_shapes_that_overflow),
        cmocka_unit_test(test_refuses_deep_nesting),
        cmocka_unit_test(test_refuses_a_name_of_64_kib),
        cmocka_unit_test(test_refuses_too_many_commas),
        cmocka_unit_test(test_refuses_a_header_above_the_limit),
        cmocka_unit_test(test_refuses_every_truncated_file),
        cmocka_unit_test(test_survives_every_flipped_bit),
        cmocka_unit_test(test_says_why_a_file_cannot_be_opened),
        cmocka_unit_test(test_reads_the_smallest_files),
        cmocka_unit_test(test_lists_tensors_in_the_order_of_their_data),
        cmocka_unit_test(test_reads_the_smallest_and_the_largest_rank),
        cmocka_unit_test(test_reads_tensors_of_no_bytes),
        cmocka_unit_test(test_knows_every_dtype),
        cmocka_unit_test(test_accepts_names_of_any_text),
        cmocka_unit_test(test_reads_floats_from_an_odd_offset),
        cmocka_unit_test(test_refuses_a_small_buffer),
        cmocka_unit_test(test_a_file_that_shrinks_is_an_error),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
