/* Elements of rows as they are stored, to floats and back: the reference's conversions. */
#include "storage.h"

#include "checked_math.h"
#include "float_bits.h"

#include <math.h>
#include <string.h>

float posemb__from_f16(uint16_t bits)
{
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    float magnitude;

    if (exponent == 31)
        magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexpf((float)fraction, -24);
    else
        magnitude = ldexpf((float)(1024 + fraction), exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

float posemb__from_bf16(uint16_t bits)
{
    return posemb__float_of((uint32_t)bits << 16);
}

/* The magnitude as a whole number of units in the last place of its binade, or of the subnormals.
 */
uint16_t posemb__to_f16(float value)
{
    const uint32_t sign = posemb__bits_of(value) >> 31 << 15;
    const float magnitude = fabsf(value);
    int exponent;
    uint32_t units;

    if (isnan(value))
        return 0x7e00;
    if (magnitude >= 65520.0f) /* half a unit above the largest, infinity among them */
        return (uint16_t)(sign | 0x7c00u);
    frexpf(magnitude, &exponent); /* magnitude < 2^exponent */
    if (exponent < -13 || magnitude == 0.0f)
        exponent = -13;
    units = (uint32_t)nearbyintf(ldexpf(magnitude, 11 - exponent)); /* ties to even; 0 ... 2048 */
    return (uint16_t)(sign | ((uint32_t)(exponent + 13) * 1024u + units));
}

uint16_t posemb__to_bf16(float value)
{
    const uint32_t bits = posemb__bits_of(value);
    const uint32_t low = bits & 0xffffu;
    uint32_t high = bits >> 16;

    if (isnan(value))
        return 0x7fc0;
    if (low > 0x8000u || (low == 0x8000u && high % 2 != 0))
        high++; /* the largest becomes infinity */
    return (uint16_t)high;
}

/* ---- Blocks: channel `i` of the block at `b` (formulas and layouts: posemb.h) */

static float f16_at(const unsigned char *b)
{
    return posemb__from_f16((uint16_t)(b[0] | b[1] << 8));
}

/* Number i of four bits: a byte has those of i and i + half. */
static int nibble(const unsigned char *b, uint32_t i, uint32_t half)
{
    return i < half ? b[i] & 15 : b[i - half] >> 4;
}

static int bit(const unsigned char *b, uint32_t i)
{
    return b[i / 8] >> i % 8 & 1;
}

/* The loads of elements that stand alone, i = 0. */
static float load_f32(const unsigned char *b, uint32_t i)
{
    float value;

    (void)i;
    memcpy(&value, b, sizeof value);
    return value;
}

static float load_f16(const unsigned char *b, uint32_t i)
{
    (void)i;
    return f16_at(b);
}

static float load_bf16(const unsigned char *b, uint32_t i)
{
    (void)i;
    return posemb__from_bf16((uint16_t)(b[0] | b[1] << 8));
}

static float load_i8(const unsigned char *b, uint32_t i)
{
    return (float)(int8_t)b[i];
}

static float load_q8_0(const unsigned char *b, uint32_t i)
{
    return f16_at(b) * (float)(int8_t)b[2 + i];
}

static float load_q4_0(const unsigned char *b, uint32_t i)
{
    return f16_at(b) * (float)(nibble(b + 2, i, 16) - 8);
}

static float load_q4_1(const unsigned char *b, uint32_t i)
{
    return f16_at(b) * (float)nibble(b + 4, i, 16) + f16_at(b + 2);
}

static float load_q5_0(const unsigned char *b, uint32_t i)
{
    return f16_at(b) * (float)(nibble(b + 6, i, 16) + 16 * bit(b + 2, i) - 16);
}

static float load_q5_1(const unsigned char *b, uint32_t i)
{
    return f16_at(b) * (float)(nibble(b + 8, i, 16) + 16 * bit(b + 4, i)) + f16_at(b + 2);
}

/* Two bits of channel i of 256: each 32 bytes have those of 128 channels. */
static int two_bits(const unsigned char *b, uint32_t i)
{
    return b[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

static float load_q2_k(const unsigned char *b, uint32_t i)
{
    const int scale = b[i / 16] & 15;
    const int minimum = b[i / 16] >> 4;

    return f16_at(b + 80) * (float)scale * (float)two_bits(b + 16, i) -
           f16_at(b + 82) * (float)minimum;
}

static float load_q3_k(const unsigned char *b, uint32_t i)
{
    const unsigned char *scales = b + 96; /* 16 nibbles, then 16 times two bits */
    const uint32_t k = i / 16;
    const int scale = nibble(scales, k, 8) | (scales[8 + k % 4] >> k / 4 * 2 & 3) << 4;
    const int third = b[i % 32] >> i / 32 & 1;

    return f16_at(b + 108) * (float)(scale - 32) * (float)(two_bits(b + 32, i) + 4 * third - 4);
}

/* Scale and minimum k of eight, of six bits each in twelve bytes. */
static void six_bits(const unsigned char *b, uint32_t k, int *scale, int *minimum)
{
    *scale = k < 4 ? b[k] & 63 : (b[k + 4] & 15) | b[k - 4] >> 6 << 4;
    *minimum = k < 4 ? b[k + 4] & 63 : b[k + 4] >> 4 | b[k] >> 6 << 4;
}

/* Four bits of channel i of 256: each 32 bytes have those of 64 channels. */
static int four_bits(const unsigned char *b, uint32_t i)
{
    return nibble(b + (size_t)(i / 64) * 32, i % 64, 32);
}

static float load_q4_k(const unsigned char *b, uint32_t i)
{
    int scale;
    int minimum;

    six_bits(b + 4, i / 32, &scale, &minimum);
    return f16_at(b) * (float)scale * (float)four_bits(b + 16, i) - f16_at(b + 2) * (float)minimum;
}

static float load_q5_k(const unsigned char *b, uint32_t i)
{
    const int fifth = b[16 + i % 32] >> i / 32 & 1;
    int scale;
    int minimum;

    six_bits(b + 4, i / 32, &scale, &minimum);
    return f16_at(b) * (float)scale * (float)(four_bits(b + 48, i) + 16 * fifth) -
           f16_at(b + 2) * (float)minimum;
}

static float load_q6_k(const unsigned char *b, uint32_t i)
{
    const uint32_t k = i % 128;
    const int low = nibble(b + (size_t)(i / 128) * 64, k, 64);
    const int high = b[128 + i / 128 * 32 + k % 32] >> k / 32 * 2 & 3;
    const int scale = (b[192 + i / 16] ^ 0x80) - 128; /* signed */

    return f16_at(b + 208) * (float)scale * (float)(low + 16 * high - 32);
}

/* ---- All storages */

/* A new one has its row here, its loads in kernels/storage.clh or blocks.clh, and its number in
 * posemb.h and kernels/stage.cl. */
static const struct storage {
    posemb_storage_info info;
    float (*load)(const unsigned char *block, uint32_t i);
    uint32_t d; /* where d and m are in a block; m where d is: there is none */
    uint32_t m;
    bool from_minus_zero; /* zeros are +0 where d is -0 */
} storages[] = {
    {{POSEMB_F32, "float32", 1, 4, 4}, load_f32, 0, 0, false},
    {{POSEMB_F16, "float16", 1, 2, 2}, load_f16, 0, 0, false},
    {{POSEMB_BF16, "bfloat16", 1, 2, 2}, load_bf16, 0, 0, false},
    {{POSEMB_I8, "int8", 1, 1, 1}, load_i8, 0, 0, false},
    {{POSEMB_Q8_0, "Q8_0", 32, 34, 2}, load_q8_0, 0, 0, false},
    {{POSEMB_Q4_0, "Q4_0", 32, 18, 2}, load_q4_0, 0, 0, true},
    {{POSEMB_Q4_1, "Q4_1", 32, 20, 2}, load_q4_1, 0, 2, false},
    {{POSEMB_Q5_0, "Q5_0", 32, 22, 2}, load_q5_0, 0, 0, true},
    {{POSEMB_Q5_1, "Q5_1", 32, 24, 2}, load_q5_1, 0, 2, false},
    {{POSEMB_Q2_K, "Q2_K", 256, 84, 2}, load_q2_k, 80, 82, false},
    {{POSEMB_Q3_K, "Q3_K", 256, 110, 2}, load_q3_k, 108, 108, false},
    {{POSEMB_Q4_K, "Q4_K", 256, 144, 2}, load_q4_k, 0, 2, false},
    {{POSEMB_Q5_K, "Q5_K", 256, 176, 2}, load_q5_k, 0, 2, false},
    {{POSEMB_Q6_K, "Q6_K", 256, 210, 2}, load_q6_k, 208, 208, true},
};

_Static_assert(sizeof storages / sizeof *storages == POSEMB__STORAGES, "a row for each storage");

const posemb_storage_info *posemb_storage_find(posemb_storage storage)
{
    const uint32_t index = (uint32_t)storage - 1u;

    return index < POSEMB__STORAGES ? &storages[index].info : NULL;
}

uint64_t posemb_storage_row_bytes(posemb_storage storage, uint64_t dim)
{
    const posemb_storage_info *info = posemb_storage_find(storage);
    uint64_t bytes;

    if (!info || dim % info->block != 0 ||
        !posemb__mul_u64(dim / info->block, info->block_bytes, &bytes))
        return 0;
    return bytes;
}

void posemb__fill_zeros(unsigned char *row, size_t size, posemb_storage storage)
{
    const struct storage *of = &storages[storage - 1];

    memset(row, 0, size);
    for (size_t d = of->d; of->from_minus_zero && d + 1 < size; d += of->info.block_bytes)
        row[d + 1] = 0x80;
}

void posemb__set_block_halves(unsigned char *block, posemb_storage storage, uint16_t d, uint16_t m)
{
    const struct storage *of = &storages[storage - 1];

    memcpy(block + of->m, &m, sizeof m);
    memcpy(block + of->d, &d, sizeof d);
}

uint64_t posemb__storage_size(posemb_storage storage)
{
    return posemb_storage_find(storage)->block_bytes;
}

float posemb__load_element(const void *row, uint64_t index, posemb_storage storage)
{
    const struct storage *of = &storages[storage - 1];
    const unsigned char *block =
        (const unsigned char *)row + index / of->info.block * of->info.block_bytes;

    return of->load(block, (uint32_t)(index % of->info.block));
}

void posemb__store_element(void *row, uint64_t index, posemb_storage storage, float value)
{
    const uint16_t narrow = storage == POSEMB_F16 ? posemb__to_f16(value) : posemb__to_bf16(value);

    if (storage == POSEMB_F32)
        memcpy((char *)row + 4 * index, &value, sizeof value);
    else
        memcpy((char *)row + 2 * index, &narrow, sizeof narrow);
}

float posemb__round_to(float value, posemb_storage storage)
{
    switch (storage) {
    case POSEMB_F16:
        return posemb__from_f16(posemb__to_f16(value));
    case POSEMB_BF16:
        return posemb__from_bf16(posemb__to_bf16(value));
    default:
        return value;
    }
}
