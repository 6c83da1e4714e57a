/* Reader of GGUF files: good files, hand-made bad ones, every prefix, every flipped bit. */
#include "gguf.h"
#include "gguf_types.h"
#include "support/temp_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The bytes of a literal that may hold zeros, and their number. */
#define BYTES(literal) (literal), sizeof(literal) - 1
#define FILE_MAX       ((size_t)8 << 20)
#define INVALID        POSEMB_INVALID_ARGUMENT

/* ---- Files in the making */

/* A file, which begins as a header for so many tensors and keys. */
static unsigned char made[FILE_MAX];
static size_t made_size;

static void put(const void *bytes, size_t size)
{
    assert_true(size <= FILE_MAX - made_size);
    memcpy(made + made_size, bytes, size);
    made_size += size;
}

static void put_number(uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)(value >> 8 * i);

        put(&byte, 1);
    }
}

static void put_string(const char *text)
{
    put_number(strlen(text), 8);
    put(text, strlen(text));
}

static void put_key(const char *key, gguf_type type)
{
    put_string(key);
    put_number(type, 4);
}

static void put_u32(const char *key, uint64_t value)
{
    put_key(key, GGUF_U32);
    put_number(value, 4);
}

/* `sizes` is in the order of the file: innermost first. */
static void put_tensor(const char *name, uint32_t type, uint32_t rank, const uint64_t *sizes,
                       uint64_t offset)
{
    put_string(name);
    put_number(rank, 4);
    for (uint32_t i = 0; i < rank; i++)
        put_number(sizes[i], 8);
    put_number(type, 4);
    put_number(offset, 8);
}

static void put_padding(size_t alignment)
{
    while (made_size % alignment != 0)
        put("", 1);
}

/* `count` bytes 0, 1, 2 ... */
static void put_data(size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_number(i, 1);
}

static void start(uint32_t version, uint64_t tensors, uint64_t keys)
{
    made_size = 0;
    put("GGUF", 4);
    put_number(version, 4);
    put_number(tensors, 8);
    put_number(keys, 8);
}

static posemb_status open_bytes(const void *bytes, size_t size, gguf_file **file,
                                posemb_error *error)
{
    char path[TEMP_PATH_SIZE];

    temp_file_write(&test_folder, "in.gguf", bytes, size, path);

    const posemb_status status = gguf_open(path, file, error);

    assert_int_equal(unlink(path), 0);
    return status;
}

static gguf_file *open_made(void)
{
    gguf_file *file = NULL;
    posemb_error error = {0};

    if (open_bytes(made, made_size, &file, &error) != POSEMB_OK)
        fail_msg("%s", error.message);
    assert_non_null(file);
    return file;
}

static void assert_refused(const void *bytes, size_t size, posemb_status status, const char *words)
{
    gguf_file *file = NULL;
    posemb_error error = {0};

    if (open_bytes(bytes, size, &file, &error) != status)
        fail_msg("\"%s\" expected, but: %s", words, error.message);
    assert_int_equal(error.status, status);
    assert_said(&error, "in.gguf: ");
    assert_said(&error, words);
    assert_null(strchr(error.message, '\n'));
    assert_null(file);
}

/* ---- Bad files, as literals. A number is its lowest byte and zeros, or all of its bytes. */

#define U32(low)                   low "\0\0\0"
#define U64(low)                   low "\0\0\0\0\0\0\0"
#define TWO_21                     "\0\0\40\0"
#define TWO_31                     "\0\0\0\200"
#define ONES_32                    "\377\377\377\377"
#define LONG_TWO_32                "\0\0\0\0\1\0\0\0"
#define LONG_TWO_61_LESS_1         "\377\377\377\377\377\377\377\37"
#define LONG_TWO_62                "\0\0\0\0\0\0\0\100"
#define LONG_TWO_63                "\0\0\0\0\0\0\0\200"
#define LONG_TWO_63_LESS_1         "\377\377\377\377\377\377\377\177"
#define LONG_ONES                  ONES_32 ONES_32
#define HEAD(tensors, keys)        "GGUF" U32("\3") U64(tensors) U64(keys)
#define KEY(type)                  U64("\1") "k" type
#define ALIGNMENT(type)            U64("\21") "general.alignment" U32(type)
#define ARRAY(element)             KEY(U32("\11")) U32(element)
#define TENSOR(name, type, offset) U64("\1") name U32("\1") U64("\4") U32(type) offset
#define SHAPED(rank, sizes, type)  U64("\1") "t" U32(rank) sizes U32(type) U64("\0")
#define ROOM                       LONG_TWO_63 LONG_TWO_63 LONG_TWO_63 LONG_TWO_63
#define ONE(tensor)                HEAD("\1", "\0") tensor
#define TWO(first, second)         HEAD("\2", "\0") first second
#define PADDING_7                  "\0\0\0\0\0\0\0"
#define WHOLE                      ONE(TENSOR("t", "\0", U64("\0"))) PADDING_7 /* 64 bytes */

typedef struct bad_file {
    const char *bytes;
    size_t size;
    const char *words;
} bad_file;

static void assert_all_refused(const bad_file *files, size_t count, posemb_status status)
{
    for (size_t i = 0; i < count; i++)
        assert_refused(files[i].bytes, files[i].size, status, files[i].words);
}

static void test_refuses_bad_heads(void **state)
{
    static const bad_file files[] = {
        {BYTES(""), "header, byte 0: magic: 4 bytes are needed, but the file has only 0"},
        {BYTES("G"), "magic: 4 bytes are needed, but the file has only 1"},
        {BYTES("GG"), "the file has only 2"},
        {BYTES("GGU"), "the file has only 3"},
        {BYTES("GGUF"), "header, byte 4: version: 4 bytes are needed, but the file has only 0"},
        {BYTES("GGUF\3"), "version: 4 bytes are needed, but the file has only 1"},
        {BYTES("GGUF\3\0"), "the file has only 2"},
        {BYTES("GGUF\3\0\0"), "the file has only 3"},
        {BYTES("GGUF\3\0\0\0"), "byte 8: count of tensors: 8 bytes are needed"},
        {BYTES("GGUF\3\0\0\0\0"), "count of tensors: 8 bytes are needed, but the file has only 1"},
        {BYTES("GGML" U32("\3") U64("\0") U64("\0")), "header, byte 0: magic: not \"GGUF\""},
        {BYTES("gguf" U32("\3") U64("\0") U64("\0")), "magic: not \"GGUF\""},
        {BYTES("FUGG\0\0\0\3" U64("\0") U64("\0")), "magic: not \"GGUF\""},
        {BYTES("\2\0\0\0\0\0\0\0{}"), "magic: not \"GGUF\""},
        {BYTES("GGUF" U32("\0") U64("\0") U64("\0")), "version: neither 2 nor 3, found 0"},
        {BYTES("GGUF" U32("\1") U64("\0") U64("\0")), "version: neither 2 nor 3, found 1"},
        {BYTES("GGUF" U32("\4") U64("\0") U64("\0")), "version: neither 2 nor 3, found 4"},
        {BYTES("GGUF" ONES_32 U64("\0") U64("\0")), "version: neither 2 nor 3, found 4294967295"},
        {BYTES("GGUF\3\0\1\0" U64("\0") U64("\0")), "version: neither 2 nor 3, found 65539"},
        {BYTES("GGUF\0\0\0\3" U64("\0") U64("\0")), "byte 4: version: a big-endian file"},
        {BYTES("GGUF\0\0\0\2" U64("\0") U64("\0")), "version: a big-endian file"},
        {BYTES("GGUF" U32("\3") U64("\1") U64("\0")),
         "byte 8: count of tensors: more than the file has room for, found 1"},
        {BYTES("GGUF" U32("\3") "\1\0\1\0\0\0\0\0" U64("\0")), "more than 65536, found 65537"},
        {BYTES("GGUF" U32("\3") TWO_31 "\0\0\0\0" U64("\0")), "more than 65536, found 2147483648"},
        {BYTES("GGUF" U32("\3") LONG_TWO_63 U64("\0")), "found 9223372036854775808"},
        {BYTES("GGUF" U32("\3") LONG_ONES U64("\0")),
         "count of tensors: more than 65536, found 18446744073709551615"},
        {BYTES(HEAD("\0", "\1")), "byte 16: count of keys: more than the file has room for"},
        {BYTES(HEAD("\0", "\1") "1234567890123"), "room for, found 1"},
        {BYTES(HEAD("\0", "\2") "123456789012345678901234567"), "room for, found 2"},
        {BYTES("GGUF" U32("\3") U64("\0") "\1\0\1\0\0\0\0\0"), "more than 65536, found 65537"},
        {BYTES("GGUF" U32("\3") U64("\0") LONG_TWO_63), "found 9223372036854775808"},
        {BYTES("GGUF" U32("\3") U64("\0") LONG_ONES),
         "count of keys: more than 65536, found 18446744073709551615"},
        {BYTES("GGUF" U32("\3") U64("\0")), "count of keys: 8 bytes are needed"},
        {BYTES(HEAD("\0", "\0") "x"), "in.gguf: data: 1 bytes after the last tensor"},
        {BYTES(HEAD("\0", "\0") PADDING_7), "data: 7 bytes after the last tensor"},
        {BYTES(HEAD("\0", "\0") PADDING_7 "\0x"), "data: 9 bytes after the last tensor"},
    };

    (void)state;
    assert_all_refused(files, sizeof files / sizeof *files, INVALID);
}

static void test_refuses_bad_keys(void **state)
{
    static const bad_file files[] = {
        {BYTES(HEAD("\0", "\1") U64("\0") U32("\0") "\0\0"), "key 0, byte 24: key: empty"},
        {BYTES(HEAD("\0", "\1") LONG_ONES ROOM), "key: too long, found 18446744073709551615"},
        {BYTES(HEAD("\0", "\1") LONG_TWO_63 ROOM), "key: too long, found 9223372036854775808"},
        {BYTES(HEAD("\0", "\1") TWO_31 "\0\0\0\0" ROOM), "key: too long, found 2147483648"},
        {BYTES(HEAD("\0", "\1") "\0\0\1\0\0\0\0\0" ROOM), "key: too long, found 65536"},
        {BYTES(HEAD("\0", "\1") U64("\7") "kkkkkk"),
         "key 0, byte 24: key: 7 bytes are needed, but the file has only 6"},
        {BYTES(HEAD("\0", "\1") U64("\3") "a\0b" U32("\0") "\0"), "key \"a\", byte 32: key: holds"},
        {BYTES(HEAD("\0", "\1") U64("\5") "../\"\n" U32("\15") "\0"),
         "key \"../\\\"\\x0a\", byte 37: type: not one of the format, found 13"},
        {BYTES(HEAD("\0", "\1") U64("\2") "\377\300" TWO_31 "\0"), "key \"\\xff\\xc0\", byte 34"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\15")) "\0"), "type: not one of the format, found 13"},
        {BYTES(HEAD("\0", "\1") KEY(TWO_31) "\0"), "of the format, found 2147483648"},
        {BYTES(HEAD("\0", "\1") KEY(ONES_32) "\0"), "of the format, found 4294967295"},
        {BYTES(HEAD("\0", "\1") U64("\4") "kkkk\0\0"), "type: 4 bytes are needed, but"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\7")) "\2"),
         "key \"k\", byte 37: bool: neither 0 nor 1, found 2"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\7")) "\377"), "bool: neither 0 nor 1, found 255"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\2")) "\1"), "value: 2 bytes are needed"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\4")) "\1\1"), "value: 4 bytes are needed"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\12")) "\1\1\1\1\1\1\1"), "value: 8 bytes are needed"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\14")) "\1"), "value: 8 bytes are needed"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\0")) "\1x"), "data: 1 bytes after the last tensor"},
        {BYTES(HEAD("\0", "\2") KEY(U32("\0")) "\1" KEY(U32("\0")) "\1"),
         "in.gguf: key \"k\": comes twice"},
        {BYTES(HEAD("\0", "\3")
                   KEY(U32("\0")) "\1" U64("\1") "l" U32("\0") "\1" KEY(U32("\7")) "\1"),
         "key \"k\": comes twice"},
    };

    (void)state;
    assert_all_refused(files, sizeof files / sizeof *files, INVALID);
}

static void test_refuses_bad_strings_and_arrays(void **state)
{
    static const bad_file files[] = {
        {BYTES(HEAD("\0", "\1") KEY(U32("\10")) "\1"), "string: 8 bytes are needed"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\10")) U64("\2") "x"),
         "key \"k\", byte 37: string: 2 bytes are needed, but the file has only 1"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\10")) "\1\0\0\4\0\0\0\0"), "too long, found 67108865"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\10")) "\0\0\0\4\0\0\0\0"), "67108864 bytes are needed"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\10")) LONG_TWO_63), "string: too long, found 92233720"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\10")) LONG_ONES), "found 18446744073709551615"},
        {BYTES(HEAD("\0", "\1") KEY(U32("\11")) "\0"), "type of the elements: 4 bytes are needed"},
        {BYTES(HEAD("\0", "\1") ARRAY("\15") U64("\0")),
         "type of the elements: not one of the format, found 13"},
        {BYTES(HEAD("\0", "\1") ARRAY("\11") U64("\0")),
         "key \"k\", byte 37: type of the elements: arrays in an array"},
        {BYTES(HEAD("\0", "\1") ARRAY("\11") U64("\1") U32("\11") U64("\1")), "arrays in an array"},
        {BYTES(HEAD("\0", "\1") ARRAY("\0") "\0"), "count of elements: 8 bytes are needed"},
        {BYTES(HEAD("\0", "\1") ARRAY("\0") U64("\2") "x"),
         "key \"k\", byte 41: count of elements: more than the file has room for, found 2"},
        {BYTES(HEAD("\0", "\1") ARRAY("\4") U64("\1") "xxx"), "room for, found 1"},
        {BYTES(HEAD("\0", "\1") ARRAY("\10") U64("\2") U64("\0") PADDING_7), "room for, found 2"},
        {BYTES(HEAD("\0", "\1") ARRAY("\12") LONG_TWO_62 "xxx"), "found 4611686018427387904"},
        {BYTES(HEAD("\0", "\1") ARRAY("\2") LONG_TWO_63), "found 9223372036854775808"},
        {BYTES(HEAD("\0", "\1") ARRAY("\0") LONG_ONES), "found 18446744073709551615"},
        {BYTES(HEAD("\0", "\1") ARRAY("\10") LONG_ONES), "found 18446744073709551615"},
        {BYTES(HEAD("\0", "\1") ARRAY("\10") U64("\1") LONG_ONES),
         "string of the array: too long, found 18446744073709551615"},
        {BYTES(HEAD("\0", "\1") ARRAY("\10") U64("\2") U64("\1") "a" U64("\2") "b"),
         "key \"k\", byte 58: string of the array: 2 bytes are needed, but the file has only 1"},
        {BYTES(HEAD("\0", "\1") ARRAY("\10") U64("\2") U64("\2") "ab"
                                                                 "123456"),
         "byte 59: string of the array: 8 bytes are needed, but the file has only 6"},
        {BYTES(HEAD("\0", "\1") ARRAY("\7") U64("\3") "\0\1\2"), "byte 51: bool: neither 0 nor 1"},
    };

    (void)state;
    assert_all_refused(files, sizeof files / sizeof *files, INVALID);
}

static void test_refuses_bad_alignments(void **state)
{
    static const bad_file files[] = {
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\4") U32("\0")),
         "key \"general.alignment\", byte 53: alignment: not a power of two of at most 1048576, "
         "found 0"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\4") U32("\3")), "at most 1048576, found 3"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\4") TWO_21), "at most 1048576, found 2097152"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\4") TWO_31), "at most 1048576, found 2147483648"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\4") ONES_32), "at most 1048576, found 4294967295"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\12") U64("\40")), "not a uint32, found uint64"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\5") U32("\40")), "not a uint32, found int32"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\10") U64("\1") "8"), "not a uint32, found string"},
        {BYTES(HEAD("\0", "\1") ALIGNMENT("\11") U32("\4") U64("\1") U32("\40")),
         "not a uint32, found array"},
        {BYTES(HEAD("\0", "\2") ALIGNMENT("\4") U32("\10") ALIGNMENT("\4") U32("\10")),
         "key \"general.alignment\": comes twice"},
    };

    (void)state;
    assert_all_refused(files, sizeof files / sizeof *files, INVALID);
}

static void test_refuses_bad_tensors(void **state)
{
    static const bad_file files[] = {
        {BYTES(ONE("\100\0\0\0\0\0\0\0") ROOM), "tensor 0, byte 24: name: too long, found 64"},
        {BYTES(ONE(LONG_ONES) ROOM), "name: too long, found 18446744073709551615"},
        {BYTES(ONE(U64("\77")) ROOM), "name: 63 bytes are needed, but the file has only 32"},
        {BYTES(ONE(U64("\3") "a\0b" ROOM)), "tensor \"a\", byte 32: name: holds a NUL"},
        {BYTES(ONE(U64("\3") "../" U32("\5") ROOM)),
         "tensor \"../\", byte 35: rank: more than 4, found 5"},
        {BYTES(ONE(U64("\1") "\377" ONES_32 ROOM)), "tensor \"\\xff\", byte 33: rank: more than 4"},
        {BYTES(ONE(SHAPED("\1", LONG_TWO_63, "\0"))),
         "tensor \"t\", byte 37: dimension: 2^63 or more, found 9223372036854775808"},
        {BYTES(ONE(SHAPED("\2", U64("\1") LONG_ONES, "\0"))), "found 18446744073709551615"},
        {BYTES(ONE(U64("\1") "t" U32("\4") U64("\1") "\0\0\0")), "dimension: 8 bytes are needed"},
        {BYTES(ONE(U64("\1") "t" U32("\1") U64("\1") "\0\0\0")), "type: 4 bytes are needed"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\4"))),
         "byte 45: type: not one of ggml, or not any more, found 4"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\5"))), "not any more, found 5"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\37"))), "not any more, found 31"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\40"))), "not any more, found 32"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\41"))), "not any more, found 33"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\44"))), "not any more, found 36"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\45"))), "not any more, found 37"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\46"))), "not any more, found 38"},
        {BYTES(ONE(SHAPED("\1", U64("\4"), "\52"))), "not any more, found 42"},
        {BYTES(ONE(U64("\1") "t" U32("\0") ONES_32 U64("\0"))), "not any more, found 4294967295"},
        {BYTES(ONE(SHAPED("\1", U64("\37"), "\2"))),
         "byte 45: type: Q4_0 has blocks of 32, but a row has 31"},
        {BYTES(ONE(SHAPED("\1", U64("\41"), "\2"))), "but a row has 33"},
        {BYTES(ONE(SHAPED("\2", U64("\1") U64("\40"), "\2"))), "blocks of 32, but a row has 1"},
        {BYTES(ONE(SHAPED("\2", U64("\40") U64("\10"), "\14"))), "Q4_K has blocks of 256, but"},
        {BYTES(ONE(U64("\1") "t" U32("\0") U32("\10") U64("\0"))), "Q8_0 has blocks of 32, but a"},
        {BYTES(ONE(U64("\0") U32("\0") U32("\0") PADDING_7)),
         "tensor \"\", byte 40: offset: 8 bytes are needed, but the file has only 7"},
        {BYTES(TWO(TENSOR("t", "\0", U64("\0")), TENSOR("t", "\0", U64("\40")))),
         "in.gguf: tensor \"t\": name: another tensor has it"},
    };

    (void)state;
    assert_all_refused(files, sizeof files / sizeof *files, INVALID);
}

static void test_refuses_bad_offsets_and_ends(void **state)
{
    static const bad_file files[] = {
        {BYTES(ONE(TENSOR("t", "\0", U64("\1")))),
         "tensor \"t\", byte 49: offset: not a multiple of the alignment, found 1"},
        {BYTES(ONE(TENSOR("t", "\0", U64("\20")))), "not a multiple of the alignment, found 16"},
        {BYTES(ONE(TENSOR("t", "\0", LONG_ONES))), "alignment, found 18446744073709551615"},
        {BYTES(ONE(TENSOR("t", "\0", U64("\40")))),
         "byte 49: offset: not where the tensor before it ends, found 32"},
        {BYTES(ONE(TENSOR("t", "\0", LONG_TWO_63))), "ends, found 9223372036854775808"},
        {BYTES(TWO(TENSOR("a", "\0", U64("\0")), TENSOR("b", "\0", U64("\0")))),
         "tensor \"b\", byte 82: offset: not where the tensor before it ends, found 0"},
        {BYTES(TWO(TENSOR("a", "\0", U64("\0")), TENSOR("b", "\0", U64("\100")))),
         "tensor \"b\", byte 82: offset: not where the tensor before it ends, found 64"},
        {BYTES(TWO(TENSOR("a", "\0", U64("\40")), TENSOR("b", "\0", U64("\0")))),
         "tensor \"a\", byte 49: offset: not where the tensor before it ends, found 32"},
        {BYTES(ONE(TENSOR("t", "\0", U64("\0")))), "tensor \"t\": data: beyond the end"},
        {BYTES(WHOLE), "tensor \"t\": data: beyond the end of the file"},
        {BYTES(WHOLE "0123456789abcde"), "tensor \"t\": data: beyond the end of the file"},
        {BYTES(WHOLE "0123456789abcdefx"), "in.gguf: data: 1 bytes after the last tensor"},
        {BYTES(WHOLE "0123456789abcdef0123456789abcde"), "data: 15 bytes after the last tensor"},
        {BYTES(WHOLE "0123456789abcdef0123456789abcdefx"), "data: 17 bytes after the last"},
        {BYTES(WHOLE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
         "data: 48 bytes after the last tensor"},
        /* a tensor of no bytes lies beyond a padding that is not there */
        {BYTES(TWO(TENSOR("a", "\30", U64("\0")),
                   U64("\1") "b" U32("\1") U64("\0") U32("\0") U64("\40")) "\0\0\0\0\0\0"
                                                                           "data"),
         "tensor \"b\": data: beyond the end of the file"},
    };

    (void)state;
    assert_all_refused(files, sizeof files / sizeof *files, INVALID);
}

static void test_refuses_sizes_that_overflow(void **state)
{
    static const bad_file files[] = {
        {BYTES(ONE(SHAPED("\2", LONG_TWO_32 LONG_TWO_32, "\0"))),
         "byte 45: shape too large: [4294967296, 4294967296]"},
        {BYTES(ONE(SHAPED("\2", LONG_TWO_62 U64("\2"), "\30"))),
         "shape too large: [2, 4611686018427387904]"},
        {BYTES(ONE(SHAPED("\3", U64("\0") LONG_TWO_32 LONG_TWO_32, "\0"))),
         "shape too large: [4294967296, 4294967296, 0]"},
        {BYTES(ONE(SHAPED("\4", LONG_TWO_32 LONG_TWO_32 LONG_TWO_32 U64("\0"), "\0"))),
         "shape too large: [0, 4294967296, 4294967296, 4294967296]"},
        /* the elements are less than 2^63, but their bytes are more than 2^64 */
        {BYTES(ONE(SHAPED("\1", LONG_TWO_62, "\0"))),
         "tensor \"t\", byte 45: shape too large: [4611686018427387904]"},
        /* the bytes are 2^64 - 8, whose padding would wrap to 0 */
        {BYTES(ONE(SHAPED("\1", LONG_TWO_61_LESS_1, "\33"))),
         "tensor \"t\", byte 49: shape too large: [2305843009213693951]"},
        /* each is less than 2^63, but their sum is 2^64 */
        {BYTES(TWO(SHAPED("\1", LONG_TWO_63_LESS_1, "\30"),
                   U64("\1") "b" U32("\1") LONG_TWO_63_LESS_1 U32("\30") LONG_TWO_63)),
         "tensor \"b\", byte 82: shape too large: [9223372036854775807]"},
    };

    (void)state;
    assert_all_refused(files, sizeof files / sizeof *files, POSEMB_SIZE_OVERFLOW);
}

static void test_refuses_tensors_larger_than_the_file(void **state)
{
    static const uint64_t sizes[] = {UINT64_C(1) << 40};

    (void)state;
    start(3, 1, 0);
    put_tensor("t", 0, 1, sizes, 0);
    put_padding(32);
    put_data(64);
    assert_refused(made, made_size, INVALID, "tensor \"t\": data: beyond the end of the file");
}

static void test_refuses_a_key_above_the_limit(void **state)
{
    static char key[65537];

    (void)state;
    memset(key, 'k', 65536);
    start(3, 0, 1);
    put_u32(key, 1);
    assert_refused(made, made_size, INVALID, "key 0, byte 24: key: too long, found 65536");
}

static void test_refuses_deep_nesting(void **state)
{
    (void)state;
    start(3, 0, 1);
    put_key("k", GGUF_ARRAY);
    for (size_t i = 0; i < 10000; i++) {
        put_number(GGUF_ARRAY, 4);
        put_number(1, 8);
    }
    assert_refused(made, made_size, INVALID, "arrays in an array");
}

/* ---- Files that were good once */

/* Metadata of many types, and three tensors; the last one has no padding. Returns the size of the
 * header. */
static size_t make_sample(void)
{
    static const uint64_t floats[] = {3, 2};
    static const uint64_t blocks[] = {32, 2};
    static const uint64_t bytes[] = {5};

    start(3, 3, 6);
    put_key("a.text", GGUF_STRING);
    put_string("llama");
    put_u32("general.alignment", 16);
    put_key("flag", GGUF_BOOL);
    put_number(1, 1);
    put_key("tokens", GGUF_ARRAY);
    put_number(GGUF_STRING, 4);
    put_number(2, 8);
    put_string("<s>");
    put_string("");
    put_key("flags", GGUF_ARRAY);
    put_number(GGUF_BOOL, 4);
    put_number(2, 8);
    put_number(0x100, 2);
    put_key("eps", GGUF_F64);
    put_number(0, 8);
    put_tensor("floats", 0, 2, floats, 0);  /* 24 bytes */
    put_tensor("blocks", 8, 2, blocks, 32); /* 68 */
    put_tensor("bytes", 24, 1, bytes, 112); /* 5 */

    const size_t header = made_size;

    put_padding(16);
    put_data(117);
    return header;
}

static void test_refuses_every_truncated_file(void **state)
{
    (void)state;
    make_sample();
    for (size_t cut = 0; cut < made_size; cut++) {
        gguf_file *file = NULL;
        posemb_error error = {0};

        assert_int_equal(open_bytes(made, cut, &file, &error), INVALID);
        assert_in_range(strlen(error.message), 1, POSEMB_MESSAGE_SIZE - 1);
        assert_null(file);
    }
    gguf_close(open_made());
}

static void test_takes_the_last_padding_as_a_whole_or_not_at_all(void **state)
{
    (void)state;
    make_sample();
    for (size_t more = 0; more <= 11; more++) {
        if (more == 0 || more == 11)
            gguf_close(open_made());
        else
            assert_refused(made, made_size, INVALID, "bytes after the last tensor");
        put("", 1);
    }
    assert_refused(made, made_size, INVALID, "data: 12 bytes after the last tensor");
}

static void assert_consistent(const gguf_file *file, size_t size)
{
    for (size_t i = 0; i < gguf_count(file); i++) {
        const gguf_tensor *tensor = gguf_at(file, i);
        unsigned char data[128];

        assert_non_null(tensor->type_name);
        assert_in_range(tensor->offset, 24, size);
        assert_in_range(tensor->bytes, 0, sizeof data);
        assert_int_equal(gguf_read(file, tensor, data, sizeof data, NULL), POSEMB_OK);
    }
    for (size_t i = 0; i < gguf_value_count(file); i++) {
        const gguf_value *value = gguf_value_at(file, i);

        assert_ptr_equal(gguf_value_find(file, value->key), value);
        assert_true(gguf_type_size(value->type) > 0 || value->type == GGUF_ARRAY);
        assert_int_equal(value->type == GGUF_STRING, value->text != NULL);
    }
}

static void test_survives_every_flipped_bit(void **state)
{
    const size_t header = make_sample();
    size_t accepted = 0;

    (void)state;
    for (size_t bit = 0; bit < header * 8; bit++) {
        gguf_file *file = NULL;
        posemb_error error = {0};

        made[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (open_bytes(made, made_size, &file, &error) == POSEMB_OK) {
            assert_consistent(file, made_size);
            accepted++;
        } else {
            assert_null(file);
            assert_in_range(strlen(error.message), 1, POSEMB_MESSAGE_SIZE - 1);
        }
        gguf_close(file);
        made[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_in_range(accepted, 8 * strlen("floats"), header * 8 / 2); /* names are free */
}

static void test_says_why_a_file_cannot_be_opened(void **state)
{
    char path[TEMP_PATH_SIZE];
    gguf_file *file = NULL;
    posemb_error error;

    (void)state;
    temp_file_path(&test_folder, "missing.gguf", path);
    assert_int_equal(gguf_open(path, &file, &error), INVALID);
    assert_said(&error, "missing.gguf: cannot be opened");
    assert_null(file);
    assert_int_equal(gguf_open(test_folder.path, &file, NULL), INVALID);
    assert_int_equal(gguf_open(NULL, &file, NULL), INVALID);
}

/* ---- Good files */

static void test_reads_the_smallest_files(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++)
        for (int padded = 0; padded <= 1; padded++) {
            start(version, 0, 0);
            put_padding(padded ? 32 : 1);

            gguf_file *file = open_made();

            assert_int_equal(gguf_version(file), version);
            assert_int_equal(gguf_count(file), 0);
            assert_int_equal(gguf_value_count(file), 0);
            assert_null(gguf_at(file, 0));
            assert_null(gguf_value_at(file, 0));
            gguf_close(file);
        }
    gguf_close(NULL);
}

static void test_lists_tensors_in_the_order_of_the_file(void **state)
{
    const size_t header = make_sample();
    gguf_file *file = open_made();
    const gguf_tensor *floats = gguf_at(file, 0);
    const gguf_tensor *blocks = gguf_at(file, 1);
    const size_t data_at = (header + 15) / 16 * 16;

    (void)state;
    assert_int_equal(gguf_count(file), 3);
    assert_null(gguf_at(file, 3));
    assert_string_equal(floats->name, "floats");
    assert_int_equal(floats->type, 0);
    assert_string_equal(floats->type_name, "F32");
    assert_int_equal(floats->storage, POSEMB_F32);
    assert_int_equal(floats->rank, 2);
    assert_int_equal(floats->shape[0], 2);
    assert_int_equal(floats->shape[1], 3);
    assert_int_equal(floats->offset, data_at);
    assert_int_equal(floats->bytes, 24);
    assert_string_equal(blocks->name, "blocks");
    assert_string_equal(blocks->type_name, "Q8_0");
    assert_int_equal(blocks->storage, POSEMB_Q8_0);
    assert_int_equal(blocks->shape[0], 2);
    assert_int_equal(blocks->shape[1], 32);
    assert_int_equal(blocks->offset, data_at + 32);
    assert_int_equal(blocks->bytes, 68);
    assert_string_equal(gguf_at(file, 2)->name, "bytes");
    assert_int_equal(gguf_at(file, 2)->storage, POSEMB_STORAGE_DEFAULT);
    assert_int_equal(gguf_at(file, 2)->offset, data_at + 112);
    gguf_close(file);
}

static void test_reads_the_smallest_and_the_largest_rank(void **state)
{
    static const uint64_t sizes[] = {5, 4, 3, 2};

    (void)state;
    start(2, 2, 0);
    put_tensor("", 28, 0, NULL, 0);
    put_tensor("l", 1, 4, sizes, 32);
    put_padding(32);
    put_data(32 + 240);

    gguf_file *file = open_made();
    const gguf_tensor *large = gguf_at(file, 1);

    assert_string_equal(gguf_at(file, 0)->name, "");
    assert_int_equal(gguf_at(file, 0)->rank, 0);
    assert_int_equal(gguf_at(file, 0)->bytes, 8);
    assert_int_equal(large->rank, GGUF_RANK_MAX);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(large->shape[i], sizes[3 - i]);
    assert_int_equal(large->bytes, 240);
    gguf_close(file);
}

static void test_reads_tensors_of_no_bytes(void **state)
{
    static const uint64_t first[] = {0};
    static const uint64_t second[] = {256, INT64_MAX / 256, 0};
    static const uint64_t third[] = {0, 5};
    unsigned char byte = 7;

    (void)state;
    start(3, 3, 0);
    put_tensor("a", 0, 1, first, 0);
    put_tensor("b", 12, 3, second, 0);
    put_tensor("c", 12, 2, third, 0);
    put_padding(32);

    gguf_file *file = open_made();

    for (size_t i = 0; i < 3; i++) {
        const gguf_tensor *tensor = gguf_at(file, i);

        assert_int_equal(tensor->bytes, 0);
        assert_int_equal(tensor->offset, made_size);
        assert_int_equal(gguf_read(file, tensor, &byte, 0, NULL), POSEMB_OK);
    }
    assert_int_equal(byte, 7);
    gguf_close(file);
}

static void test_obeys_the_alignment(void **state)
{
    static const uint64_t alignments[] = {1, 8, 64, 1u << 20};
    static const uint64_t sizes[] = {3};

    (void)state;
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        const uint64_t alignment = alignments[i];
        const uint64_t second = alignment < 3 ? 3 : alignment;
        unsigned char bytes[3] = {0};

        start(3, 2, 1);
        put_u32("general.alignment", alignment);
        put_tensor("a", 24, 1, sizes, 0);
        put_tensor("b", 24, 1, sizes, second);
        put_padding(alignment);

        const size_t data_at = made_size;

        put("abc", 3);
        put_padding(alignment);
        put("def", 3);

        gguf_file *file = open_made();

        assert_int_equal(gguf_at(file, 0)->offset, data_at);
        assert_int_equal(gguf_at(file, 1)->offset, data_at + second);
        assert_int_equal(gguf_read(file, gguf_at(file, 1), bytes, 3, NULL), POSEMB_OK);
        assert_memory_equal(bytes, "def", 3);
        gguf_close(file);
    }
}

static void test_knows_every_type(void **state)
{
    static const char names[][8] = {
        "F32",     "F16",   "Q4_0",   "Q4_1",  "",      "",       "Q5_0", "Q5_1",    "Q8_0",
        "Q8_1",    "Q2_K",  "Q3_K",   "Q4_K",  "Q5_K",  "Q6_K",   "Q8_K", "IQ2_XXS", "IQ2_XS",
        "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",   "I16",     "I32",
        "I64",     "F64",   "IQ1_M",  "BF16",  "",      "",       "",     "TQ1_0",   "TQ2_0",
        "",        "",      "",       "MXFP4", "NVFP4", "Q1_0",   "",
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        const gguf_tensor_type *type = gguf_tensor_type_find(i);

        if (!names[i][0]) {
            assert_null(type);
            continue;
        }
        assert_non_null(type);
        assert_string_equal(type->name, names[i]);

        const uint64_t sizes[] = {type->block, 2};

        start(3, 1, 0);
        put_tensor("t", i, 2, sizes, 0);
        put_padding(32);
        put_data(2 * (size_t)type->bytes);

        gguf_file *file = open_made();

        assert_string_equal(gguf_at(file, 0)->type_name, names[i]);
        assert_int_equal(gguf_at(file, 0)->bytes, 2 * type->bytes);
        gguf_close(file);
    }
}

/* ggml's facts and posemb's are the same, and no storage is missing but that with scales. */
static void test_agrees_with_the_storages(void **state)
{
    uint32_t found = 0;

    (void)state;
    for (uint32_t i = 0; i < 64; i++) {
        const gguf_tensor_type *type = gguf_tensor_type_find(i);

        if (!type || type->storage == POSEMB_STORAGE_DEFAULT)
            continue;

        const posemb_storage_info *info = posemb_storage_find(type->storage);

        assert_non_null(info);
        assert_int_equal(type->block, info->block);
        assert_int_equal(type->bytes, info->block_bytes);
        if (info->block > 1)
            assert_string_equal(type->name, info->name);
        assert_int_equal(found & 1u << type->storage, 0);
        found |= 1u << type->storage;
    }
    for (uint32_t i = 1; posemb_storage_find((posemb_storage)i); i++)
        assert_int_equal(found >> i & 1u, i != POSEMB_I8);
}

static void test_accepts_names_of_any_text(void **state)
{
    static const char longest[] = "123456789 123456789 123456789 123456789 123456789 123456789 123";
    static const char *const names[] = {"../../a", "\xff\xfe", "a b\n\"", longest};

    (void)state;
    start(3, 4, 0);
    for (uint64_t i = 0; i < 4; i++)
        put_tensor(names[i], 0, 0, NULL, 32 * i);
    put_padding(32);
    put_data(100);

    gguf_file *file = open_made();

    for (size_t i = 0; i < 4; i++)
        assert_string_equal(gguf_at(file, i)->name, names[i]);
    assert_consistent(file, made_size);
    gguf_close(file);
}

/* ---- Many entries, and long ones */

/* Seconds of this process, a bound that only the wrong algorithm exceeds. */
static void assert_fast(clock_t began)
{
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 2.0);
}

static void test_skips_the_tokens_of_a_large_vocabulary(void **state)
{
    static const uint64_t tokens = 400000;
    gguf_type element;
    uint64_t count;
    bool has;

    (void)state;
    start(3, 0, 2);
    put_key("tokens", GGUF_ARRAY);
    put_number(GGUF_STRING, 4);
    put_number(tokens, 8);
    for (uint64_t i = 0; i < tokens; i++) {
        char text[16];

        snprintf(text, sizeof text, "%.*s", (int)(i % 11), "abcdefghijk");
        put_string(text);
    }
    put_u32("after", 77);

    const clock_t began = clock();
    gguf_file *file = open_made();

    assert_fast(began);
    assert_int_equal(gguf_get_array_count(file, "tokens", &has, &element, &count, NULL), POSEMB_OK);
    assert_true(has);
    assert_int_equal(element, GGUF_STRING);
    assert_int_equal(count, tokens);
    assert_int_equal(gguf_get_u64(file, "after", &has, &count, NULL), POSEMB_OK);
    assert_int_equal(count, 77);
    gguf_close(file);
}

static void test_reads_as_many_entries_as_it_may(void **state)
{
    const gguf_tensor *tensor = NULL;
    char name[16];

    (void)state;
    start(3, 65536, 65536);
    for (uint64_t i = 0; i < 65536; i++) {
        snprintf(name, sizeof name, "key%u", (unsigned)(i * 40503 % 65536));
        put_u32(name, i);
    }
    for (uint64_t i = 0; i < 65536; i++) {
        snprintf(name, sizeof name, "tensor%u", (unsigned)(i * 40503 % 65536));
        put_tensor(name, 24, 0, NULL, 32 * i);
    }
    put_padding(32);

    const size_t data_at = made_size;

    put_data(65535 * 32 + 1);

    const clock_t began = clock();
    gguf_file *file = open_made();

    assert_fast(began);
    tensor = gguf_at(file, 1);
    assert_string_equal(tensor->name, "tensor40503");
    assert_int_equal(tensor->offset, data_at + 32);
    assert_int_equal(gguf_value_find(file, "key40503")->unsigned_value, 1);
    assert_null(gguf_value_find(file, "key65536"));
    gguf_close(file);
}

static void test_reads_texts_longer_than_its_buffer(void **state)
{
    static char key[65536];
    static char text[100001];
    const char *found = NULL;
    size_t size = 0;

    (void)state;
    memset(key, 'k', 65535);
    memset(text, 't', 100000);
    start(3, 0, 3);
    put_key(key, GGUF_STRING);
    put_string(text);
    put_key("array", GGUF_ARRAY);
    put_number(GGUF_I64, 4);
    put_number(9000, 8);
    put_data(72000);
    put_key("after", GGUF_STRING);
    put_string("end");

    gguf_file *file = open_made();

    assert_int_equal(gguf_get_string(file, key, &found, &size, NULL), POSEMB_OK);
    assert_int_equal(size, 100000);
    assert_string_equal(found, text);
    assert_int_equal(gguf_get_string(file, "after", &found, &size, NULL), POSEMB_OK);
    assert_string_equal(found, "end");
    gguf_close(file);
}

/* ---- Metadata */

static void put_value(const char *key, gguf_type type, uint64_t bits)
{
    put_key(key, type);
    put_number(bits, gguf_type_size(type));
}

static gguf_file *open_values(void)
{
    start(3, 0, 18);
    put_value("u8", GGUF_U8, 200);
    put_value("u16", GGUF_U16, 60000);
    put_value("u32", GGUF_U32, 4000000000);
    put_value("u64", GGUF_U64, UINT64_MAX);
    put_value("i8", GGUF_I8, 100);
    put_value("i16", GGUF_I16, 30000);
    put_value("i32", GGUF_I32, 2000000000);
    put_value("i64", GGUF_I64, INT64_MAX);
    put_value("-i8", GGUF_I8, 0x80);
    put_value("-i16", GGUF_I16, 0xffff);
    put_value("-i32", GGUF_I32, 0x80000000u);
    put_value("-i64", GGUF_I64, UINT64_C(1) << 63);
    put_value("f32", GGUF_F32, 0x3fc00000);
    put_value("f64", GGUF_F64, UINT64_C(0xbff8000000000000));
    put_value("nan", GGUF_F32, 0x7fc00000);
    put_value("true", GGUF_BOOL, 1);
    put_value("false", GGUF_BOOL, 0);
    put_key("text", GGUF_STRING);
    put_number(4, 8);
    put("a\0\xff\n", 4);
    return open_made();
}

static void test_lists_values_in_the_order_of_the_file(void **state)
{
    gguf_file *file = open_values();

    (void)state;
    assert_int_equal(gguf_value_count(file), 18);
    assert_null(gguf_value_at(file, 18));
    assert_string_equal(gguf_value_at(file, 0)->key, "u8");
    assert_int_equal(gguf_value_at(file, 0)->type, GGUF_U8);
    assert_int_equal(gguf_value_at(file, 0)->unsigned_value, 200);
    assert_int_equal(gguf_value_at(file, 8)->signed_value, -128);
    assert_int_equal(gguf_value_at(file, 9)->signed_value, -1);
    assert_int_equal(gguf_value_at(file, 10)->signed_value, INT32_MIN);
    assert_true(gguf_value_at(file, 11)->signed_value == INT64_MIN);
    assert_string_equal(gguf_value_at(file, 17)->key, "text");
    assert_int_equal(gguf_value_at(file, 17)->count, 4);
    gguf_close(file);
}

static void test_gets_whole_numbers_of_every_type(void **state)
{
    static const struct {
        const char *key;
        uint64_t value;
    } good[] = {{"u8", 200}, {"u16", 60000}, {"u32", 4000000000}, {"u64", UINT64_MAX},
                {"i8", 100}, {"i16", 30000}, {"i32", 2000000000}, {"i64", INT64_MAX}};
    static const struct {
        const char *key;
        const char *words;
    } bad[] = {
        {"-i8", "key \"-i8\": found -128, but a whole number >= 0 is needed"},
        {"-i16", "found -1, but"},
        {"-i32", "found -2147483648, but"},
        {"-i64", "found -9223372036854775808, but"},
        {"f32", "found float32, but a whole number >= 0 is needed"},
        {"true", "found bool, but"},
        {"text", "found string, but"},
    };
    gguf_file *file = open_values();
    uint64_t value;
    bool has;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(gguf_get_u64(file, good[i].key, &has, &value, NULL), POSEMB_OK);
        assert_true(has);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        posemb_error error;

        value = 5;
        assert_int_equal(gguf_get_u64(file, bad[i].key, &has, &value, &error), INVALID);
        assert_said(&error, "in.gguf: key ");
        assert_said(&error, bad[i].words);
        assert_true(has);
        assert_int_equal(value, 0);
    }
    gguf_close(file);
}

static void test_gets_floats_bools_and_strings(void **state)
{
    gguf_file *file = open_values();
    posemb_error error;
    const char *text;
    double number;
    size_t size;
    bool value;
    bool has;

    (void)state;
    assert_int_equal(gguf_get_f64(file, "f32", &has, &number, NULL), POSEMB_OK);
    assert_true(has && number == 1.5);
    assert_int_equal(gguf_get_f64(file, "f64", &has, &number, NULL), POSEMB_OK);
    assert_true(has && number == -1.5);
    assert_int_equal(gguf_get_f64(file, "nan", &has, &number, NULL), POSEMB_OK);
    assert_true(has && isnan(number));
    assert_int_equal(gguf_get_f64(file, "u8", &has, &number, &error), INVALID);
    assert_said(&error, "key \"u8\": found uint8, but float32 or float64 is needed");
    assert_true(has && number == 0);

    assert_int_equal(gguf_get_bool(file, "true", &has, &value, NULL), POSEMB_OK);
    assert_true(has && value);
    assert_int_equal(gguf_get_bool(file, "false", &has, &value, NULL), POSEMB_OK);
    assert_true(has && !value);
    assert_int_equal(gguf_get_bool(file, "u8", &has, &value, &error), INVALID);
    assert_said(&error, "key \"u8\": found uint8, but bool is needed");
    assert_true(has && !value);

    assert_int_equal(gguf_get_string(file, "text", &text, &size, NULL), POSEMB_OK);
    assert_int_equal(size, 4);
    assert_memory_equal(text, "a\0\xff\n", 5);
    assert_int_equal(gguf_get_string(file, "u64", &text, &size, &error), INVALID);
    assert_said(&error, "key \"u64\": found uint64, but string is needed");
    assert_null(text);
    gguf_close(file);
}

static void test_knows_the_arrays_of_every_type(void **state)
{
    gguf_type element;
    uint64_t count;
    posemb_error error;
    bool has;
    char key[8];

    (void)state;
    start(2, 0, 13);
    put_u32("number", 1);
    for (gguf_type i = GGUF_U8; i <= GGUF_F64; i++) {
        if (i == GGUF_ARRAY)
            continue;
        snprintf(key, sizeof key, "%d", (int)i);
        put_key(key, GGUF_ARRAY);
        put_number(i, 4);
        put_number(i, 8); /* as many as the number of the type */
        for (gguf_type j = GGUF_U8; j < i; j++)
            put_number(0, gguf_type_size(i));
    }

    gguf_file *file = open_made();

    for (gguf_type i = GGUF_U8; i <= GGUF_F64; i++) {
        snprintf(key, sizeof key, "%d", (int)i);
        assert_int_equal(gguf_get_array_count(file, key, &has, &element, &count, NULL), POSEMB_OK);
        assert_int_equal(has, i != GGUF_ARRAY);
        assert_int_equal(element, has ? i : GGUF_U8);
        assert_int_equal(count, has ? i : 0);
    }
    assert_int_equal(gguf_get_array_count(file, "number", &has, &element, &count, &error), INVALID);
    assert_said(&error, "key \"number\": found uint32, but array is needed");
    gguf_close(file);
}

static void test_says_that_a_key_is_absent(void **state)
{
    gguf_file *file = open_values();
    const char *text = "";
    double number = 1;
    uint64_t whole = 1;
    size_t size = 1;
    bool value = true;
    bool has = true;

    (void)state;
    assert_null(gguf_value_find(file, "u"));
    assert_int_equal(gguf_get_u64(file, "u", &has, &whole, NULL), POSEMB_OK);
    assert_true(!has && whole == 0);
    has = true;
    assert_int_equal(gguf_get_f64(file, "u", &has, &number, NULL), POSEMB_OK);
    assert_true(!has && number == 0);
    has = true;
    assert_int_equal(gguf_get_bool(file, "u", &has, &value, NULL), POSEMB_OK);
    assert_true(!has && !value);
    assert_int_equal(gguf_get_string(file, "u", &text, &size, NULL), POSEMB_OK);
    assert_null(text);
    assert_int_equal(size, 0);
    gguf_close(file);
}

static void test_names_the_types_of_values(void **state)
{
    (void)state;
    assert_string_equal(gguf_type_name(GGUF_U8), "uint8");
    assert_string_equal(gguf_type_name(GGUF_F32), "float32");
    assert_string_equal(gguf_type_name(GGUF_F64), "float64");
    assert_string_equal(gguf_type_name((gguf_type)13), "unknown");
    assert_int_equal(gguf_type_size(GGUF_ARRAY), 0);
    assert_int_equal(gguf_type_size((gguf_type)13), 0);
}

/* ---- Data */

static void test_reads_whole_tensors(void **state)
{
    unsigned char bytes[68];

    (void)state;
    make_sample();

    gguf_file *file = open_made();

    assert_int_equal(gguf_read(file, gguf_at(file, 0), bytes, sizeof bytes, NULL), POSEMB_OK);
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(bytes[i], i);
    assert_int_equal(gguf_read(file, gguf_at(file, 1), bytes, sizeof bytes, NULL), POSEMB_OK);
    for (size_t i = 0; i < 68; i++)
        assert_int_equal(bytes[i], 32 + i);
    gguf_close(file);
}

static void test_reads_a_scalar(void **state)
{
    unsigned char bytes[4];

    (void)state;
    start(3, 1, 0);
    put_tensor("s", 0, 0, NULL, 0);
    put_padding(32);
    put_data(4);

    gguf_file *file = open_made();

    assert_int_equal(gguf_read(file, gguf_at(file, 0), bytes, 4, NULL), POSEMB_OK);
    gguf_close(file);
}

static void test_refuses_a_small_buffer(void **state)
{
    unsigned char bytes[24] = {0xee};
    posemb_error error;

    (void)state;
    make_sample();

    gguf_file *file = open_made();

    assert_int_equal(gguf_read(file, gguf_at(file, 0), bytes, 23, &error), POSEMB_BUFFER_TOO_SMALL);
    assert_said(&error, "a buffer of 23 bytes for 24");
    assert_int_equal(bytes[0], 0xee);
    gguf_close(file);
}

static void test_a_file_that_shrinks_is_an_error(void **state)
{
    gguf_file *file = NULL;
    char path[TEMP_PATH_SIZE];
    unsigned char bytes[68];
    posemb_error error;

    (void)state;
    make_sample();
    temp_file_write(&test_folder, "in.gguf", made, made_size, path);
    assert_int_equal(gguf_open(path, &file, NULL), POSEMB_OK);
    assert_int_equal(truncate(path, (off_t)made_size - 50), 0);
    assert_int_equal(gguf_read(file, gguf_at(file, 1), bytes, sizeof bytes, &error), INVALID);
    assert_said(&error, "in.gguf: shrank while it was read");
    gguf_close(file);
    assert_int_equal(unlink(path), 0);
}

/* A sparse file of a few bytes that has more text than may be kept. */
static void test_text_is_limited_in_all(void **state)
{
    static const unsigned char head[] = {'G', 'G', 'U', 'F', 3, 0, 0, 0, 0, 0, 0, 0,
                                         0,   0,   0,   0,   2, 0, 0, 0, 0, 0, 0, 0};
    static const uint64_t length = (uint64_t)40 << 20;
    char path[TEMP_PATH_SIZE];
    gguf_file *file = NULL;
    posemb_error error;
    FILE *out;

    (void)state;
    temp_file_write(&test_folder, "in.gguf", head, sizeof head, path);
    out = fopen(path, "r+b");
    assert_non_null(out);
    for (long key = 0; key < 2; key++) {
        unsigned char entry[21] = {1, 0, 0, 0, 0, 0, 0, 0, (unsigned char)('a' + key), 8};

        memcpy(entry + 13, &length, sizeof length);
        assert_int_equal(
            fseek(out, (long)sizeof head + key * (long)(sizeof entry + length), SEEK_SET), 0);
        assert_int_equal(fwrite(entry, sizeof entry, 1, out), 1);
    }
    assert_int_equal(fseek(out, (long)length - 1, SEEK_CUR), 0);
    assert_int_equal(fwrite("", 1, 1, out), 1);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(gguf_open(path, &file, &error), POSEMB_INVALID_ARGUMENT);
    assert_null(file);
    assert_non_null(strstr(error.message, "more than 64 MiB of keys and strings"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_limited_in_all),
        cmocka_unit_test(test_refuses_bad_heads),
        cmocka_unit_test(test_refuses_bad_keys),
        cmocka_unit_test(test_refuses_bad_strings_and_arrays),
        cmocka_unit_test(test_refuses_bad_alignments),
        cmocka_unit_test(test_refuses_bad_tensors),
        cmocka_unit_test(test_refuses_bad_offsets_and_ends),
        cmocka_unit_test(test_refuses_sizes_that_overflow),
        cmocka_unit_test(test_refuses_tensors_larger_than_the_file),
        cmocka_unit_test(test_refuses_a_key_above_the_limit),
        cmocka_unit_test(test_refuses_deep_nesting),
        cmocka_unit_test(test_refuses_every_truncated_file),
        cmocka_unit_test(test_takes_the_last_padding_as_a_whole_or_not_at_all),
        cmocka_unit_test(test_survives_every_flipped_bit),
        cmocka_unit_test(test_says_why_a_file_cannot_be_opened),
        cmocka_unit_test(test_reads_the_smallest_files),
        cmocka_unit_test(test_lists_tensors_in_the_order_of_the_file),
        cmocka_unit_test(test_reads_the_smallest_and_the_largest_rank),
        cmocka_unit_test(test_reads_tensors_of_no_bytes),
        cmocka_unit_test(test_obeys_the_alignment),
        cmocka_unit_test(test_knows_every_type),
        cmocka_unit_test(test_agrees_with_the_storages),
        cmocka_unit_test(test_accepts_names_of_any_text),
        cmocka_unit_test(test_skips_the_tokens_of_a_large_vocabulary),
        cmocka_unit_test(test_reads_as_many_entries_as_it_may),
        cmocka_unit_test(test_reads_texts_longer_than_its_buffer),
        cmocka_unit_test(test_lists_values_in_the_order_of_the_file),
        cmocka_unit_test(test_gets_whole_numbers_of_every_type),
        cmocka_unit_test(test_gets_floats_bools_and_strings),
        cmocka_unit_test(test_knows_the_arrays_of_every_type),
        cmocka_unit_test(test_says_that_a_key_is_absent),
        cmocka_unit_test(test_names_the_types_of_values),
        cmocka_unit_test(test_reads_whole_tensors),
        cmocka_unit_test(test_reads_a_scalar),
        cmocka_unit_test(test_refuses_a_small_buffer),
        cmocka_unit_test(test_a_file_that_shrinks_is_an_error),
    };

    return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
