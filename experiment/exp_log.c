/* Exponential and logarithm: additions, multiplications and one division, in a fixed order. */
#include "exp_log.h"

#include <stdint.h>
#include <string.h>

#define LN2   0x1.62e42fefa39efp-1
#define LOG2E 0x1.71547652b82fep+0

/* 2^n, n from -1022 to 1023. */
static double power_of_two(int64_t n)
{
    const uint64_t bits = (uint64_t)(n + 1023) << 52;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* e^x = 2^n e^r, where r = x - n ln 2 is at most ln 2 / 2 = 0.35: r^9 / 9! is below 2e-10. */
float negative_exp(float x)
{
    int64_t n;
    double r;
    double sum = 1.0;

    if (x < -87.0f)
        return 0.0f;
    if (!(x <= 0.0f))
        return x != x ? x : 1.0f;
    n = (int64_t)((double)x * LOG2E - 0.5);
    r = (double)x - (double)n * LN2;
    for (int k = 8; k >= 1; k--)
        sum = 1.0 + sum * r * (1.0 / k);
    return (float)(sum * power_of_two(n));
}

/* log(x) = n ln 2 + 2 artanh(s), s = (m - 1) / (m + 1), x = 2^n m, m from sqrt(1/2) to sqrt(2): s
 * is at most 0.172, s^17 / 17 below 1e-14. */
double log_from_one(double x)
{
    uint64_t bits;
    double m;
    double s;
    double sum = 0.0;
    int64_t n;

    memcpy(&bits, &x, sizeof bits);
    n = (int64_t)(bits >> 52) - 1023;
    m = x * power_of_two(-n);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        n++;
    }
    s = (m - 1.0) / (m + 1.0);
    for (int k = 15; k >= 1; k -= 2)
        sum = sum * (s * s) + 1.0 / k;
    return (double)n * LN2 + 2.0 * s * sum;
}
