/* 256-bit fixed-point numbers: schoolbook arithmetic on 32-bit limbs, a logarithm and a power. */
#include "fixed_point.h"

#include <string.h>

enum { WHOLE = POSEMB__LIMBS - 1, FRACTION_BITS = 32 * WHOLE };

/* OEIS A002162 and A086201; tests compare every bit with MPFR. */
const struct posemb__fixed posemb__ln_2 = {
    {0x8a0d175b, 0x7298b62d, 0x40f34326, 0x03f2f6af, 0xc9e3b398, 0xd1cf79ab, 0xb17217f7, 0}};
const struct posemb__fixed posemb__one_over_2pi = {
    {0x7f9458ea, 0x4f10e410, 0x36d8a566, 0x7d4d3770, 0x7f09d5f4, 0x9391054a, 0x28be60db, 0}};

struct posemb__fixed posemb__fixed_negate(struct posemb__fixed a)
{
    uint64_t carry = 1;

    for (int k = 0; k < POSEMB__LIMBS; k++) {
        carry += (uint32_t)~a.limb[k];
        a.limb[k] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

struct posemb__fixed posemb__fixed_add(struct posemb__fixed a, struct posemb__fixed b)
{
    uint64_t carry = 0;

    for (int k = 0; k < POSEMB__LIMBS; k++) {
        carry += (uint64_t)a.limb[k] + b.limb[k];
        a.limb[k] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

struct posemb__fixed posemb__fixed_times(struct posemb__fixed a, uint32_t b)
{
    uint64_t carry = 0;

    for (int k = 0; k < POSEMB__LIMBS; k++) {
        carry += (uint64_t)a.limb[k] * b;
        a.limb[k] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

struct posemb__fixed posemb__fixed_over(struct posemb__fixed a, uint32_t b)
{
    uint64_t rest = 0;

    for (int k = WHOLE; k >= 0; k--) {
        rest = rest << 32 | a.limb[k];
        a.limb[k] = (uint32_t)(rest / b);
        rest %= b;
    }
    return a;
}

struct posemb__fixed posemb__fixed_multiply(const struct posemb__fixed *a,
                                            const struct posemb__fixed *b)
{
    uint32_t product[2 * POSEMB__LIMBS] = {0};
    struct posemb__fixed result;

    for (int i = 0; i < POSEMB__LIMBS; i++) {
        uint64_t carry = 0;

        for (int j = 0; j < POSEMB__LIMBS; j++) {
            carry += (uint64_t)a->limb[i] * b->limb[j] + product[i + j];
            product[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product[i + POSEMB__LIMBS] = (uint32_t)carry;
    }
    memcpy(result.limb, product + WHOLE, sizeof result.limb);
    return result;
}

static uint64_t limb_or_zero(const struct posemb__fixed *a, int32_t k)
{
    return k >= 0 && k < POSEMB__LIMBS ? a->limb[k] : 0;
}

struct posemb__fixed posemb__fixed_scale(const struct posemb__fixed *a, int32_t exponent)
{
    const uint32_t bits = (uint32_t)exponent % 32;
    const int32_t limbs = (exponent - (int32_t)bits) / 32;
    struct posemb__fixed result;

    for (int32_t k = 0; k < POSEMB__LIMBS; k++) {
        const uint64_t pair = limb_or_zero(a, k - limbs) << 32 | limb_or_zero(a, k - limbs - 1);

        result.limb[k] = (uint32_t)(pair << bits >> 32);
    }
    return result;
}

static int is_below(const struct posemb__fixed *a, const struct posemb__fixed *b)
{
    for (int k = WHOLE; k >= 0; k--)
        if (a->limb[k] != b->limb[k])
            return a->limb[k] < b->limb[k];
    return 0;
}

/* Long division, digit by digit: those of a, then zeros. */
struct posemb__fixed posemb__fixed_divide(const struct posemb__fixed *a,
                                          const struct posemb__fixed *b)
{
    const struct posemb__fixed minus_b = posemb__fixed_negate(*b);
    struct posemb__fixed rest = {{0}};
    struct posemb__fixed quotient = {{0}};

    for (int digit = 32 * POSEMB__LIMBS - 1; digit >= -FRACTION_BITS; digit--) {
        rest = posemb__fixed_add(rest, rest);
        quotient = posemb__fixed_add(quotient, quotient);
        if (digit >= 0)
            rest.limb[0] |= a->limb[digit / 32] >> digit % 32 & 1u;
        if (!is_below(&rest, b)) {
            rest = posemb__fixed_add(rest, minus_b);
            quotient.limb[0] |= 1;
        }
    }
    return quotient;
}

/* value = 2^exponent * m with 1 <= m < 2. If the square of m reaches 2, then log2(m) has the digit
 * 1/2, and m becomes half that square; if not, the digit is 0, and m becomes the square. The next
 * digit comes in the same way from the new m. */
struct posemb__fixed posemb__fixed_log2(double value)
{
    uint64_t bits;
    struct posemb__fixed m = {{0}};
    struct posemb__fixed log = {{0}};

    memcpy(&bits, &value, sizeof bits);
    m.limb[WHOLE] = 1;
    m.limb[WHOLE - 1] = (uint32_t)(bits >> 20);
    m.limb[WHOLE - 2] = (uint32_t)(bits << 12);
    log.limb[WHOLE] = (uint32_t)(bits >> 52) - 1023;
    for (uint32_t digit = FRACTION_BITS; digit-- > 0;) {
        m = posemb__fixed_multiply(&m, &m);
        if (m.limb[WHOLE] >= 2) {
            m = posemb__fixed_scale(&m, -1);
            log.limb[digit / 32] |= 1u << digit % 32;
        }
    }
    return log;
}

/* 2^a = exp(x)^65536, where x = a * ln(2) / 65536 is so small that the twelfth power of the Taylor
 * series, x^12 / 12!, is below the last digit. */
struct posemb__fixed posemb__fixed_exp2(const struct posemb__fixed *a)
{
    enum { SQUARINGS = 16, TERMS = 11 };
    const struct posemb__fixed angle = posemb__fixed_multiply(a, &posemb__ln_2);
    const struct posemb__fixed x = posemb__fixed_scale(&angle, -SQUARINGS);
    struct posemb__fixed power = {.limb[WHOLE] = 1};

    for (uint32_t n = TERMS; n > 0; n--) {
        power = posemb__fixed_over(posemb__fixed_multiply(&power, &x), n);
        power.limb[WHOLE] += 1;
    }
    for (int n = 0; n < SQUARINGS; n++)
        power = posemb__fixed_multiply(&power, &power);
    return power;
}
