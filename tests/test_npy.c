/* Reader and writer of .npy files: good files, hand-made bad ones, every flipped bit. */
#include "npy.h"
#include "support/temp_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes of a literal that may hold zeros, and their number. */
#define BYTES(literal) (literal), sizeof(literal) - 1
#define MAGIC          "\x93NUMPY"
#define FILE_MAX       16384u

/* Write bytes to a file and read it as an array. */
static posemb_status read_bytes(const void *bytes, size_t size, npy_array *array,
                                posemb_error *error)
{
    char path[TEMP_PATH_SIZE];

    temp_file_write(&test_folder, "in.npy", bytes, size, path);

    const posemb_status status = npy_read(path, array, error);

    assert_int_equal(unlink(path), 0);
    return status;
}

static void assert_refused(const void *bytes, size_t size, posemb_status status, const char *words)
{
    npy_array array;
    posemb_error error = {0};

    if (read_bytes(bytes, size, &array, &error) != status)
        fail_msg("\"%s\" expected, but: %s", words, error.message);
    assert_int_equal(error.status, status);
    assert_said(&error, "in.npy: ");
    assert_said(&error, words);
    assert_null(strchr(error.message, '\n'));
    assert_null(array.data);
    assert_int_equal(array.count, 0);
}

static void put(void *to, const char *text, size_t size)
{
    memcpy(to, text, size);
}

/* A file of a header in a proper frame, and `data` bytes 0, 1, 2 ... Returns its size. */
static size_t frame(unsigned char version, const char *text, size_t size, size_t data,
                    unsigned char file[FILE_MAX])
{
    const size_t start = version == 1 ? 10 : 12;

    put(file, BYTES(MAGIC));
    file[6] = version;
    memset(file + 7, 0, 5);
    file[8] = (unsigned char)(size & 255);
    file[9] = (unsigned char)(size >> 8);
    memcpy(file + start, text, size);
    for (size_t i = 0; i < data; i++)
        file[start + size + i] = (unsigned char)i;
    return start + size + data;
}

/* ---- Bad files */

static void test_refuses_files_without_a_prefix(void **state)
{
    static const char bytes[] = MAGIC "\1\0\1";
    char words[32];

    (void)state;
    for (size_t size = 0; size < sizeof bytes; size++) {
        snprintf(words, sizeof words, "size: %zu bytes, too few", size);
        assert_refused(bytes, size, POSEMB_INVALID_ARGUMENT, words);
    }
}

static void test_refuses_bad_frames(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } files[] = {
        {BYTES("\x93NUMPZ\1\0\2\0{}"), "magic: \"\\x93NUMPZ\""},
        {BYTES("{'descr': '<f4'}"), "magic: \"{'desc\""},
        {BYTES("PK\3\4\24\0\0\0\0\0\0\0"), "a zip archive (.npz)"},
        {BYTES(MAGIC "\0\0\2\0{}"), "version: 0.0"},
        {BYTES(MAGIC "\1\1\2\0{}"), "version: 1.1"},
        {BYTES(MAGIC "\4\0\2\0\0\0{}"), "version: 4.0"},
        {BYTES(MAGIC "\377\0\2\0\0\0{}"), "version: 255.0"},
        {BYTES(MAGIC "\1\0\0\0"), "header length: 0"},
        {BYTES(MAGIC "\1\0\1\0"), "header length: 1, but only 0 bytes follow"},
        {BYTES(MAGIC "\1\0\1\0\n"), "expected '{', found \"\""},
        {BYTES(MAGIC "\1\0\3\0{}"), "header length: 3, but only 2 bytes follow"},
        {BYTES(MAGIC "\1\0\021\047{}"), "header length: 10001, outside 1 ... 10000"},
        {BYTES(MAGIC "\1\0\377\377{}"), "header length: 65535"},
        {BYTES(MAGIC "\2\0\2\0"), "2 bytes are needed at byte 10"},
        {BYTES(MAGIC "\2\0\2\0\0"), "2 bytes are needed at byte 10"},
        {BYTES(MAGIC "\2\0\0\0\0\0{}"), "header length: 0"},
        {BYTES(MAGIC "\2\0\5\0\0\0{}"), "header length: 5, but only 2 bytes follow"},
        {BYTES(MAGIC "\2\0\0\0\0\200{}"), "header length: 2147483648"},
        {BYTES(MAGIC "\3\0\377\377\377\377{}"), "header length: 4294967295"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_refused(files[i].bytes, files[i].size, POSEMB_INVALID_ARGUMENT, files[i].words);
}

typedef struct bad_header {
    unsigned char version;
    const char *text;
    size_t size;
    size_t data;
    const char *words;
} bad_header;

static void assert_headers_refused(const bad_header *headers, size_t count, posemb_status status)
{
    unsigned char file[FILE_MAX];

    for (size_t i = 0; i < count; i++) {
        const bad_header *header = &headers[i];
        const size_t size = frame(header->version, header->text, header->size, header->data, file);

        assert_refused(file, size, status, header->words);
    }
}

#define INVALID       POSEMB_INVALID_ARGUMENT
#define F4            "'descr': '<f4'"
#define C_ORDER       "'fortran_order': False"
#define SHAPED(shape) "{" F4 ", " C_ORDER ", 'shape': " shape "}\n"

static void test_refuses_bad_dicts(void **state)
{
    static const bad_header headers[] = {
        {1, BYTES("{" F4 ", " C_ORDER ", 'shape': (1,)} "), 4, "last byte is no newline"},
        {1, BYTES("{" F4 ",\0" C_ORDER ", 'shape': (1,)}\n"), 4, "ASCII: \"\\x00\""},
        {1, BYTES("{" F4 ",\t" C_ORDER ", 'shape': (1,)}\n"), 4, "ASCII: \"\\x09\""},
        {1, BYTES("{" F4 ",\n" C_ORDER ", 'shape': (1,)}\n"), 4, "ASCII: \"\\x0a\""},
        {1, BYTES("{'d\351scr': '<f4'}\n"), 4, "byte 13: not printable ASCII: \"\\xe9\""},
        {3, BYTES("{'d\303\251scr': '<f4'}\n"), 4, "byte 15: not printable ASCII"},
        {3, BYTES("{'d\300\200': '<f4'}\n"), 4, "ASCII: \"\\xc0\""},
        {1, BYTES(F4 ", " C_ORDER ", 'shape': (1,)}\n"), 4, "expected '{', found"},
        {1, BYTES("{" F4 ", " C_ORDER ", 'shape': (1,)\n"), 4, "expected ',' or '}'"},
        {1, BYTES("{" F4 ", " C_ORDER ", 'shape': (1,),\n"), 4, "expected a key, found \""},
        {1, BYTES("{" F4 ", " C_ORDER ", 'shape': (1,),,}\n"), 4, "expected a key"},
        {1, BYTES("{,}\n"), 4, "expected a key, found \",}\""},
        {1, BYTES(SHAPED("(1,)}")), 4, "only spaces may follow '}', not \"}\""},
        {1, BYTES("{}\n"), 4, "no key \"descr\""},
        {1, BYTES("{" F4 ", " C_ORDER "}\n"), 4, "no key \"shape\""},
        {1, BYTES("{" F4 ", 'shape': (1,)}\n"), 4, "no key \"fortran_order\""},
        {1, BYTES("{" C_ORDER ", 'shape': (1,)}\n"), 4, "no key \"descr\""},
        {1, BYTES("{" F4 ", " F4 ", 'shape': (1,)}\n"), 4, "second key \"descr\""},
        {1, BYTES("{" F4 ", 'extra': 1}\n"), 4, "unknown key \"extra\""},
        {1, BYTES("{'': '<f4'}\n"), 4, "unknown key \"\""},
        {1, BYTES("{'../../etc/passwd': 1}\n"), 4, "unknown key \"../../etc/passwd\""},
        {1, BYTES("{descr: '<f4'}\n"), 4, "expected a key, found \"descr: '<f4'}\""},
        {1, BYTES("{'descr: \"<f4\"}\n"), 4, "a string without an end"},
        {1, BYTES("{'descr\": '<f4'}\n"), 4, "unknown key \"descr\\\": \""},
        {1, BYTES("{'descr' '<f4'}\n"), 4, "expected ':' after a key, found \"'<f4'}\""},
        {1, BYTES("{" F4 " " C_ORDER "}\n"), 4, "expected ',' or '}', found"},
        {1, BYTES("__import__('os').abort()\n"), 4, "expected '{', found \"__import__"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

#define DESCR(descr)         "{'descr': " descr ", " C_ORDER ", 'shape': (1,)}\n"
#define VECTOR(descr, shape) "{'descr': " descr ", " C_ORDER ", 'shape': (" shape ",)}\n"
#define ORDER(order)         "{" F4 ", 'fortran_order': " order ", 'shape': (1, 1)}\n"

static void test_refuses_bad_types_and_orders(void **state)
{
    static const bad_header headers[] = {
        {1, BYTES(DESCR("'>f4'")), 4, "<f4, <f2, <V2, <i4, <i8, |i1, |u1 or |b1, not \">f4\""},
        {1, BYTES(DESCR("'<f8'")), 8, "not \"<f8\""},
        {1, BYTES(DESCR("'>f2'")), 2, "not \">f2\""},
        {1, BYTES(DESCR("'|f2'")), 2, "not \"|f2\""},
        {1, BYTES(DESCR("'<i2'")), 2, "not \"<i2\""},
        {1, BYTES(DESCR("'<u2'")), 2, "not \"<u2\""},
        {1, BYTES(DESCR("'<i1'")), 1, "not \"<i1\""},
        {1, BYTES(DESCR("'<b1'")), 1, "not \"<b1\""},
        {1, BYTES(DESCR("'|S1'")), 1, "not \"|S1\""},
        {1, BYTES(DESCR("'>V2'")), 2, "not \">V2\""},
        {1, BYTES(DESCR("'|V1'")), 1, "not \"|V1\""},
        {1, BYTES(DESCR("'<V4'")), 4, "not \"<V4\""},
        {1, BYTES(DESCR("'V2'")), 2, "not \"V2\""},
        {1, BYTES(DESCR("'bfloat16'")), 2, "not \"bfloat16\""},
        {1, BYTES(DESCR("'<u4'")), 4, "not \"<u4\""},
        {1, BYTES(DESCR("'|O'")), 8, "not \"|O\""},
        {1, BYTES(DESCR("'|V0'")), 0, "not \"|V0\""},
        {1, BYTES(DESCR("'<U4'")), 16, "not \"<U4\""},
        {1, BYTES(DESCR("'f4'")), 4, "not \"f4\""},
        {1, BYTES(DESCR("'=f4'")), 4, "not \"=f4\""},
        {1, BYTES(DESCR("'<f4 '")), 4, "not \"<f4 \""},
        {1, BYTES(DESCR("''")), 4, "not \"\""},
        {1, BYTES(DESCR("[('x', '<f4')]")), 4, "string of descr, found \"[('x', "},
        {1, BYTES(DESCR("('<f4', (2,))")), 8, "string of descr, found \"('<f4'"},
        {1, BYTES(DESCR("u'<f4'")), 4, "string of descr, found \"u'<f4'"},
        {1, BYTES(DESCR("None")), 4, "string of descr, found \"None"},
        {1, BYTES(ORDER("True")), 4, "fortran_order: True with rank 2"},
        {1, BYTES(ORDER("true")), 4, "True or False, not \"true"},
        {1, BYTES(ORDER("0")), 4, "True or False, not \"0"},
        {1, BYTES(ORDER("'False'")), 4, "True or False, not \"'False'"},
        {1, BYTES(ORDER("Falsely")), 4, "expected ',' or '}', found \"ly"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

static void test_refuses_bad_shapes(void **state)
{
    static const bad_header headers[] = {
        {1, BYTES(SHAPED("[1]")), 4, "shape must be a tuple, not \"[1]}\""},
        {1, BYTES(SHAPED("1")), 4, "shape must be a tuple, not \"1}\""},
        {1, BYTES(SHAPED("(1)")), 4, "a tuple of one number needs a comma"},
        {1, BYTES(SHAPED("(,)")), 4, "whole number >= 0, found \",)"},
        {1, BYTES(SHAPED("(1,,)")), 4, "whole number >= 0, found \",)"},
        {1, BYTES(SHAPED("(1 1)")), 4, "expected ',' or ')', found \"1)"},
        {1, BYTES(SHAPED("(1,")), 4, "whole number >= 0, found \"}\""},
        {1, BYTES(SHAPED("(-1,)")), 4, "whole number >= 0, found \"-1,)}\""},
        {1, BYTES(SHAPED("(+1,)")), 4, "whole number >= 0, found \"+1,)}\""},
        {1, BYTES(SHAPED("(1.5,)")), 4, "expected ',' or ')', found \".5,)}\""},
        {1, BYTES(SHAPED("(1e400,)")), 4, "expected ',' or ')', found \"e400"},
        {1, BYTES(SHAPED("(0x1,)")), 4, "expected ',' or ')', found \"x1"},
        {1, BYTES(SHAPED("(01,)")), 4, "whole number >= 0, found \"01,)}\""},
        {1, BYTES(SHAPED("(1_0,)")), 40, "expected ',' or ')', found \"_0"},
        {1, BYTES(SHAPED("(True,)")), 4, "whole number >= 0, found \"True"},
        {1, BYTES(SHAPED("('1',)")), 4, "whole number >= 0, found \"'1'"},
        {1, BYTES(SHAPED("((1,),)")), 4, "whole number >= 0, found \"(1,),"},
        {1, BYTES(SHAPED("(1,)*2")), 4, "expected ',' or '}', found \"*2"},
        {3, BYTES(SHAPED("(1L,)")), 4, "expected ',' or ')', found \"L"},
        {1, BYTES(SHAPED("(1LL,)")), 4, "expected ',' or ')', found \"L"},
        {1, BYTES(SHAPED("(1,1,1,1,1,1,1,1,1)")), 4, "more than 8 dimensions"},
        {1, BYTES(SHAPED("(18446744073709551616,)")), 4, "does not fit in 64 bits"},
        {1, BYTES(SHAPED("(99999999999999999999999,)")), 4, "does not fit in 64 bits"},
        {1, BYTES(SHAPED("(4611686018427387000,)")), 4, "but 4 follow the header"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

static void test_refuses_data_of_another_size(void **state)
{
    static const bad_header headers[] = {
        {1, BYTES(SHAPED("(2, 3)")), 23, "[2, 3] of <f4 takes 24 bytes, but 23 follow"},
        {1, BYTES(SHAPED("(2, 3)")), 25, "takes 24 bytes, but 25 follow"},
        {1, BYTES(SHAPED("(2, 3)")), 0, "takes 24 bytes, but 0 follow"},
        {1, BYTES(SHAPED("()")), 0, "[] of <f4 takes 4 bytes, but 0 follow"},
        {1, BYTES(SHAPED("(0, 3)")), 1, "[0, 3] of <f4 takes 0 bytes, but 1 follow"},
        {2, BYTES(SHAPED("(1099511627776,)")), 8, "takes 4398046511104 bytes, but 8"},
        {1, BYTES(VECTOR("'<f2'", "3")), 12, "[3] of <f2 takes 6 bytes, but 12 follow"},
        {1, BYTES(VECTOR("'|V2'", "3")), 5, "[3] of <V2 takes 6 bytes, but 5 follow"},
        {1, BYTES(VECTOR("'|u1'", "3")), 2, "[3] of |u1 takes 3 bytes, but 2 follow"},
        {1, BYTES(VECTOR("'|b1'", "3")), 4, "[3] of |b1 takes 3 bytes, but 4 follow"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
}

static void test_refuses_shapes_that_overflow(void **state)
{
    static const bad_header headers[] = {
        {1, BYTES(SHAPED("(18446744073709551615,)")), 4, "too large"},
        {1, BYTES(SHAPED("(4294967296, 4294967296)")), 0,
         "shape: [4294967296, 4294967296] of <f4 is too large"},
        {1, BYTES(SHAPED("(4611686018427387904,)")), 0, "too large"},
        {1, BYTES(SHAPED("(4611686018427387903,)")), 4, "too large"},
    };

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, POSEMB_SIZE_OVERFLOW);
}

static void test_refuses_bools_that_are_none(void **state)
{
    static const bad_header headers[] = {
        {1, BYTES(VECTOR("'|b1'", "3")), 3, "data: element 2 is 2, and a |b1 must be 0 or 1"},
        {1, BYTES(VECTOR("'|b1'", "256")), 256, "data: element 2 is 2, and"},
    };
    unsigned char file[FILE_MAX];
    const size_t size = frame(1, BYTES(VECTOR("'|b1'", "2")), 2, file);

    (void)state;
    assert_headers_refused(headers, sizeof headers / sizeof *headers, INVALID);
    file[size - 1] = 255;
    assert_refused(file, size, INVALID, "data: element 1 is 255, and");
}

static void test_refuses_deep_nesting(void **state)
{
    char text[9001];
    unsigned char file[FILE_MAX];

    (void)state;
    memset(text, '{', sizeof text);
    text[sizeof text - 1] = '\n';
    assert_refused(file, frame(1, text, sizeof text, 0, file), INVALID, "expected a key");
    memset(text, '(', sizeof text - 1);
    put(text, BYTES("{'shape': "));
    assert_refused(file, frame(1, text, sizeof text, 0, file), INVALID, "whole number");
}

static void test_refuses_a_long_key(void **state)
{
    char text[9001];
    unsigned char file[FILE_MAX];

    (void)state;
    memset(text, 'k', sizeof text);
    put(text, BYTES("{'"));
    put(text + sizeof text - 3, BYTES("'}\n"));
    assert_refused(file, frame(1, text, sizeof text, 0, file), INVALID, "unknown key \"kkk");
}

static void test_refuses_every_truncated_file(void **state)
{
    unsigned char file[FILE_MAX];
    npy_array array;
    posemb_error error;

    (void)state;
    for (unsigned char version = 1; version <= 3; version++) {
        const size_t size = frame(version, BYTES(SHAPED("(2, 3)")), 24, file);

        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(read_bytes(file, cut, &array, &error), INVALID);
        assert_int_equal(read_bytes(file, size, &array, NULL), POSEMB_OK);
        npy_free(&array);
    }
}

static void test_survives_every_flipped_bit(void **state)
{
    unsigned char file[FILE_MAX];
    const size_t size = frame(1, BYTES(SHAPED("(2, 3)        ")), 24, file);

    (void)state;
    for (size_t bit = 0; bit < (size - 24) * 8; bit++) {
        npy_array array;
        posemb_error error = {0};

        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (read_bytes(file, size, &array, &error) == POSEMB_OK) {
            assert_int_equal(array.count * npy_type_size(array.type), 24);
            assert_memory_equal(array.data, file + size - 24, 24);
        } else {
            assert_in_range(strlen(error.message), 1, POSEMB_MESSAGE_SIZE - 1);
        }
        npy_free(&array);
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void test_says_why_a_file_cannot_be_opened(void **state)
{
    npy_array array;
    posemb_error error;
    char path[TEMP_PATH_SIZE];

    (void)state;
    temp_file_path(&test_folder, "missing.npy", path);
    assert_int_equal(npy_read(path, &array, &error), INVALID);
    assert_said(&error, "missing.npy: cannot be opened");
    assert_null(array.data);
    assert_int_equal(npy_read(NULL, &array, NULL), INVALID);
}

/* ---- Good files */

static void assert_array(const npy_array *array, npy_type type, uint32_t rank, uint64_t count)
{
    assert_int_equal(array->type, type);
    assert_int_equal(array->rank, rank);
    assert_int_equal(array->count, count);
    assert_non_null(array->data);
    assert_int_equal((uintptr_t)array->data % 64, 0);
    for (size_t i = 0; i < count * npy_type_size(type); i++)
        assert_int_equal(((const unsigned char *)array->data)[i], i);
}

static void test_reads_every_way_to_write_a_header(void **state)
{
    static const struct {
        unsigned char version;
        const char *text;
        size_t size;
        npy_type type;
        uint32_t rank;
        uint64_t count;
    } files[] = {
        {1, BYTES(SHAPED("()")), NPY_F4, 0, 1},
        {1, BYTES(SHAPED("(0,)")), NPY_F4, 1, 0},
        {1, BYTES(SHAPED("(3,)")), NPY_F4, 1, 3},
        {2, BYTES(SHAPED("(2, 3)")), NPY_F4, 2, 6},
        {3, BYTES(SHAPED("(2,3,)")), NPY_F4, 2, 6},
        {1, BYTES(SHAPED("( 2L , 3L )   ")), NPY_F4, 2, 6},
        {2, BYTES(SHAPED("(3L,)")), NPY_F4, 1, 3},
        {1, BYTES(SHAPED("(1, 2, 1, 3, 1, 1, 1, 2)")), NPY_F4, 8, 12},
        {1, BYTES(SHAPED("(0, 18446744073709551615, 2)")), NPY_F4, 3, 0},
        {1, BYTES("  {  'shape'  :(2,),'fortran_order':True,\"descr\":\"<i4\"  ,}\n"), NPY_I4, 1,
         2},
        {1, BYTES("{'fortran_order': True, 'descr': '<i8', 'shape': ()}\n"), NPY_I8, 0, 1},
        {1, BYTES(VECTOR("'<f2'", "3")), NPY_F2, 1, 3},
        {1, BYTES(VECTOR("'|i1'", "3")), NPY_I1, 1, 3},
        {2, BYTES(VECTOR("'|u1'", "3")), NPY_U1, 1, 3},
        {3, BYTES(VECTOR("'|b1'", "2")), NPY_B1, 1, 2},
        {1, BYTES(VECTOR("'|b1'", "0")), NPY_B1, 1, 0},
        {1, BYTES(VECTOR("'<V2'", "3")), NPY_BF16, 1, 3},
        {1, BYTES(VECTOR("'|V2'", "3")), NPY_BF16, 1, 3},
    };
    unsigned char file[FILE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        npy_array array;
        const size_t data = (size_t)files[i].count * npy_type_size(files[i].type);
        const size_t size = frame(files[i].version, files[i].text, files[i].size, data, file);

        assert_int_equal(read_bytes(file, size, &array, NULL), POSEMB_OK);
        assert_array(&array, files[i].type, files[i].rank, files[i].count);
        npy_free(&array);
        assert_null(array.data);
    }
}

static void test_reads_the_longest_header(void **state)
{
    char text[10001];
    unsigned char file[FILE_MAX];
    npy_array array;

    (void)state;
    memset(text, ' ', sizeof text);
    put(text, BYTES(SHAPED("(3,)")) - 1);
    text[9999] = '\n';
    assert_int_equal(read_bytes(file, frame(1, text, 10000, 12, file), &array, NULL), POSEMB_OK);
    assert_array(&array, NPY_F4, 1, 3);
    npy_free(&array);
    text[9999] = ' ';
    text[10000] = '\n';
    assert_refused(file, frame(2, text, 10001, 12, file), INVALID, "header length: 10001");
}

static void test_free_accepts_nothing(void **state)
{
    npy_array array = {0};

    (void)state;
    npy_free(NULL);
    npy_free(&array);
    array.data = malloc(8);
    assert_non_null(array.data);
    npy_free(&array);
    npy_free(&array);
    assert_null(array.data);
}

static void test_type_sizes(void **state)
{
    (void)state;
    assert_int_equal(npy_type_size(NPY_F4), 4);
    assert_int_equal(npy_type_size(NPY_I4), 4);
    assert_int_equal(npy_type_size(NPY_I8), 8);
    assert_int_equal(npy_type_size(NPY_F2), 2);
    assert_int_equal(npy_type_size(NPY_I1), 1);
    assert_int_equal(npy_type_size(NPY_U1), 1);
    assert_int_equal(npy_type_size(NPY_B1), 1);
    assert_int_equal(npy_type_size(NPY_BF16), 2);
    assert_int_equal(npy_type_size((npy_type)0), 0);
    assert_int_equal(npy_type_size((npy_type)9), 0);
}

static void test_type_names(void **state)
{
    (void)state;
    assert_string_equal(npy_type_name(NPY_F4), "<f4");
    assert_string_equal(npy_type_name(NPY_BF16), "<V2");
    assert_string_equal(npy_type_name((npy_type)0), "unknown");
}

/* ---- Writing */

/* The header up to its padding, and where the data begin: from numpy.save() of NumPy 2.4 and, for
 * its bfloat16, ml_dtypes 0.6. */
typedef struct written {
    npy_type type;
    uint32_t rank;
    uint64_t shape[NPY_RANK_MAX];
    const char *header;
    size_t header_size;
    size_t data_at;
} written;

#define HEADER_OF(descr, shape)                                                                    \
    BYTES(MAGIC "\1\0v\0{'descr': '" descr "', " C_ORDER ", 'shape': (" shape "), }")

static const written expected[] = {
    {NPY_F2, 2, {2, 3}, HEADER_OF("<f2", "2, 3"), 128},
    {NPY_I1, 2, {2, 3}, HEADER_OF("|i1", "2, 3"), 128},
    {NPY_U1, 2, {2, 3}, HEADER_OF("|u1", "2, 3"), 128},
    {NPY_B1, 1, {2}, HEADER_OF("|b1", "2,"), 128},
    {NPY_BF16, 2, {2, 3}, HEADER_OF("<V2", "2, 3"), 128},
    {NPY_F4, 2, {2, 3}, BYTES(MAGIC "\1\0v\0{" F4 ", " C_ORDER ", 'shape': (2, 3), }"), 128},
    {NPY_I4, 1, {3}, BYTES(MAGIC "\1\0v\0{'descr': '<i4', " C_ORDER ", 'shape': (3,), }"), 128},
    {NPY_I8, 0, {0}, BYTES(MAGIC "\1\0v\0{'descr': '<i8', " C_ORDER ", 'shape': (), }"), 128},
    {NPY_F4, 2, {0, 5}, BYTES(MAGIC "\1\0v\0{" F4 ", " C_ORDER ", 'shape': (0, 5), }"), 128},
    {NPY_I8,
     8,
     {1, 1, 2, 1, 1, 1, 1, 1},
     BYTES(MAGIC "\1\0v\0{'descr': '<i8', " C_ORDER ", 'shape': (1, 1, 2, 1, 1, 1, 1, 1), }"),
     128},
    {NPY_I8,
     8,
     {0, 1000, 1000, 1000, 1000, 1000, 1000, 10},
     BYTES(MAGIC "\1\0v\0{'descr': '<i8', " C_ORDER
                 ", 'shape': (0, 1000, 1000, 1000, 1000, 1000, 1000, 10), }"),
     128},
    {NPY_I8,
     8,
     {0, 1000, 1000, 1000, 1000, 1000, 1000, 100},
     BYTES(MAGIC "\1\0\xb6\0{'descr': '<i8', " C_ORDER
                 ", 'shape': (0, 1000, 1000, 1000, 1000, 1000, 1000, 100), }"),
     192},
};

static const unsigned char counting[24] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                           12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

static void test_writes_the_bytes_of_numpy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const written *want = &expected[i];
        char path[TEMP_PATH_SIZE];
        unsigned char file[512];
        size_t count = 1;

        for (uint32_t k = 0; k < want->rank; k++)
            count *= want->shape[k];
        temp_file_path(&test_folder, "out.npy", path);
        assert_int_equal(npy_write(path, want->type, want->rank, want->shape, counting, NULL),
                         POSEMB_OK);

        const size_t bytes = count * npy_type_size(want->type);

        assert_int_equal(temp_file_read(path, file, sizeof file), want->data_at + bytes);
        assert_memory_equal(file, want->header, want->header_size);
        for (size_t k = want->header_size; k < want->data_at - 1; k++)
            assert_int_equal(file[k], ' ');
        assert_int_equal(file[want->data_at - 1], '\n');
        assert_memory_equal(file + want->data_at, counting, bytes);
    }
}

static void test_reads_back_what_it_wrote(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const written *want = &expected[i];
        char path[TEMP_PATH_SIZE];
        npy_array array;

        temp_file_path(&test_folder, "out.npy", path);
        assert_int_equal(npy_write(path, want->type, want->rank, want->shape, counting, NULL),
                         POSEMB_OK);
        assert_int_equal(npy_read(path, &array, NULL), POSEMB_OK);
        assert_array(&array, want->type, want->rank, array.count);
        assert_memory_equal(array.shape, want->shape, sizeof array.shape);
        npy_free(&array);
        assert_int_equal(unlink(path), 0);
    }
}

static void test_the_largest_written_header_reads_back(void **state)
{
    uint64_t shape[NPY_RANK_MAX] = {0};
    char path[TEMP_PATH_SIZE];
    npy_array array;

    (void)state;
    memset(shape + 1, 0xff, sizeof shape - sizeof *shape);
    temp_file_path(&test_folder, "out.npy", path);
    assert_int_equal(npy_write(path, NPY_F4, NPY_RANK_MAX, shape, NULL, NULL), POSEMB_OK);
    assert_int_equal(npy_read(path, &array, NULL), POSEMB_OK);
    assert_array(&array, NPY_F4, NPY_RANK_MAX, 0);
    assert_memory_equal(array.shape, shape, sizeof shape);
    npy_free(&array);
    assert_int_equal(unlink(path), 0);
}

static void test_writing_replaces_the_file_whole(void **state)
{
    static const uint64_t one[] = {1};
    static const uint64_t many[] = {1000};
    static const float zeros[1000];
    char path[TEMP_PATH_SIZE];
    unsigned char file[8192];

    (void)state;
    temp_file_path(&test_folder, "out.npy", path);
    assert_int_equal(npy_write(path, NPY_F4, 1, many, zeros, NULL), POSEMB_OK);
    assert_int_equal(temp_file_read(path, file, sizeof file), 128 + 4000);
    assert_int_equal(npy_write(path, NPY_F4, 1, one, zeros, NULL), POSEMB_OK);
    assert_int_equal(temp_file_read(path, file, sizeof file), 128 + 4);
    assert_int_equal(temp_folder_count(&test_folder), 1);
    assert_int_equal(unlink(path), 0);
}

static void test_refuses_to_write_what_is_no_array(void **state)
{
    static const uint64_t shape[NPY_RANK_MAX + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const uint64_t four[] = {4};
    static const uint64_t large[] = {UINT64_C(1) << 32, UINT64_C(1) << 30};
    char path[TEMP_PATH_SIZE];
    posemb_error error;

    (void)state;
    temp_file_path(&test_folder, "out.npy", path);
    assert_int_equal(npy_write(path, (npy_type)9, 1, shape, counting, &error), INVALID);
    assert_said(&error, "type: 9");
    assert_int_equal(npy_write(path, NPY_B1, 1, four, counting, &error), INVALID);
    assert_said(&error, "data: element 2 of type |b1 is neither 0 nor 1");
    assert_int_equal(npy_write(path, NPY_F4, 9, shape, counting, &error), INVALID);
    assert_said(&error, "rank: 9");
    assert_int_equal(npy_write(path, NPY_F4, 1, NULL, counting, &error), INVALID);
    assert_said(&error, "rank: 1 with no shape");
    assert_int_equal(npy_write(path, NPY_F4, 1, shape, NULL, &error), INVALID);
    assert_said(&error, "data: NULL for 4 bytes");
    assert_int_equal(npy_write(path, NPY_F4, 2, large, counting, &error), POSEMB_SIZE_OVERFLOW);
    assert_said(&error, "product does not fit");
    assert_int_equal(temp_folder_count(&test_folder), 0);
}

static void test_a_failing_write_leaves_no_file(void **state)
{
    char path[TEMP_PATH_SIZE];
    posemb_error error;

    (void)state;
    temp_file_path(&test_folder, "out.npy", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(npy_write(path, NPY_F4, 0, NULL, counting, &error), INVALID);
    assert_said(&error, "out.npy: not a regular file");
    assert_int_equal(temp_folder_count(&test_folder), 1);
    assert_int_equal(rmdir(path), 0);
    temp_file_path(&test_folder, "none/out.npy", path);
    assert_int_equal(npy_write(path, NPY_F4, 0, NULL, counting, &error), INVALID);
    assert_said(&error, "none/out.npy: no file can be made in its folder");
    assert_int_equal(temp_folder_count(&test_folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_files_without_a_prefix),
        cmocka_unit_test(test_refuses_bad_frames),
        cmocka_unit_test(test_refuses_bad_dicts),
        cmocka_unit_test(test_refuses_bad_types_and_orders),
        cmocka_unit_test(test_refuses_bad_shapes),
        cmocka_unit_test(test_refuses_data_of_another_size),
        cmocka_unit_test(test_refuses_shapes_that_overflow),
        cmocka_unit_test(test_refuses_bools_that_are_none),
        cmocka_unit_test(test_refuses_deep_nesting),
        cmocka_unit_test(test_refuses_a_long_key),
        cmocka_unit_test(test_refuses_every_truncated_file),
        cmocka_unit_test(test_survives_every_flipped_bit),
        cmocka_unit_test(test_says_why_a_file_cannot_be_opened),
        cmocka_unit_test(test_reads_every_way_to_write_a_header),
        cmocka_unit_test(test_reads_the_longest_header),
        cmocka_unit_test(test_free_accepts_nothing),
        cmocka_unit_test(test_type_sizes),
        cmocka_unit_test(test_type_names),
        cmocka_unit_test(test_writes_the_bytes_of_numpy),
        cmocka_unit_test(test_reads_back_what_it_wrote),
        cmocka_unit_test(test_the_largest_written_header_reads_back),
        cmocka_unit_test(test_writing_replaces_the_file_whole),
        cmocka_unit_test(test_refuses_to_write_what_is_no_array),
        cmocka_unit_test(test_a_failing_write_leaves_no_file),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
