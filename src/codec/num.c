#include "codec/num.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/pow10.h"

/* --- reading */

/* A decimal as written: the first 19 significant digits, and where the others are. value = digits * 10^exp10 when !more. */
struct decimal {
    uint64_t digits;
    int64_t exp10;
    bool negative;
    bool more; /* significant digits past the 19th; then only the text knows the value */
};

enum { DIGITS_MAX = 19, EXPONENT_MAX = 1000000000 };

static bool exponent(const char **at, const char *end, int64_t *out) {
    const char *p = *at;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end || *p < '0' || *p > '9') return false;
    int64_t v = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) v = MIN(v * 10 + (*p - '0'), (int64_t)EXPONENT_MAX);
    *at = p;
    *out = negative ? -v : v;
    return true;
}

static bool scan_decimal(str s, struct decimal *d) {
    const char *p = s.p, *end = s.p + s.n;
    *d = (struct decimal){.negative = *p == '-'};
    if (*p == '-' || *p == '+') p++;
    bool point = false, any = false;
    size_t kept = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(uint8_t)*p - '0';
        if (digit > 9) {
            if (*p != '.' || point) break;
            point = true;
            continue;
        }
        any = true;
        if (kept < DIGITS_MAX) {
            d->digits = d->digits * 10 + digit;
            kept += d->digits != 0;
            d->exp10 -= point;
        } else {
            d->more |= digit != 0;
            d->exp10 += !point;
        }
    }
    if (!any) return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        int64_t written;
        p++;
        if (!exponent(&p, end, &written)) return false;
        d->exp10 += written;
    }
    return p == end;
}

static bool word_value(str s, double *out) {
    bool sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    str word = str_from(s, sign);
    if (str_eq_nocase(word, STR("inf")) || str_eq_nocase(word, STR("infinity"))) {
        *out = s.p[0] == '-' ? -__builtin_inf() : __builtin_inf();
        return true;
    }
    if (sign || !str_eq_nocase(word, STR("nan"))) return false;
    *out = __builtin_nan("");
    return true;
}

/* Clinger: both factors are exact doubles, so one rounding remains. */
static bool exact_factors(const struct decimal *d, double *out) {
    static const double pow10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->digits > UINT64_C(1) << 53 || d->exp10 < -22 || d->exp10 > 22) return false;
    double v = (double)d->digits;
    *out = d->exp10 < 0 ? v / pow10[-d->exp10] : v * pow10[d->exp10];
    return true;
}

/* After Eisel and Lemire ("Number parsing at a gigabyte per second"): the 192-bit product of the digits and the power of ten. The power is
 * rounded up by less than one unit, so the true product is less than 2^64 below ours: its upper 128 bits are ours or one less. Unless that
 * one decides between two neighbours, the rounding is certain. Subnormals are left to the slow path. */
static bool product(const struct decimal *d, double *out) {
    if (d->exp10 < POW10_MIN || d->exp10 > 308) return false;
    int k = (int)d->exp10, up = __builtin_clzll(d->digits);
    uint64_t w = d->digits << up;
    __uint128_t g = pow10_table()[k - POW10_MIN];
    __uint128_t bits = (__uint128_t)w * (uint64_t)(g >> 64) + (((__uint128_t)w * (uint64_t)g) >> 64);
    int drop = 74 + (int)(bits >> 127);
    __uint128_t rest = bits & (((__uint128_t)1 << drop) - 1), half = (__uint128_t)1 << (drop - 1);
    if (rest == half || rest == half + 1) return false;
    uint64_t mantissa = (uint64_t)(bits >> drop) + (rest > half);
    int biased = drop + 64 + pow10_log2(k) - 127 - up + 1075;
    if (mantissa >> 53) mantissa >>= 1, biased++;
    if (biased < 1 || biased > 2046) return false;
    uint64_t u = (uint64_t)biased << 52 | (mantissa & ((UINT64_C(1) << 52) - 1));
    memcpy(out, &u, sizeof u);
    return true;
}

/* strtod on a canonical copy: no point, so the locale has no say. A double is decided by 767 significant digits and whether any follow. */
static double slow_value(str s, const struct decimal *d) {
    enum { KEPT = 780 };
    char text[KEPT + 32];
    size_t n = 0;
    int64_t dropped = 0;
    bool sticky = false;
    for (size_t i = 0; i < s.n && s.p[i] != 'e' && s.p[i] != 'E'; i++) {
        char c = s.p[i];
        if (c < '0' || c > '9' || (c == '0' && n == 0)) continue;
        if (n < KEPT) {
            text[n++] = c;
        } else {
            dropped++;
            sticky |= c != '0';
        }
    }
    size_t significant = n + (size_t)dropped;
    int64_t exp10 = d->exp10 + dropped + (int64_t)MIN(significant, (size_t)DIGITS_MAX) - (int64_t)significant;
    if (sticky) text[n++] = '1', exp10--;
    exp10 = MIN(MAX(exp10, -20000), 20000);
    snprintf(text + n, sizeof text - n, "e%d", (int)exp10);
    return strtod(text, NULL);
}

bool num_parse_double(str s, double *out) {
    struct decimal d;
    if (s.n == 0) return false;
    if (!scan_decimal(s, &d)) return word_value(s, out);
    double v;
    if (d.digits == 0) {
        v = 0;
    } else if (d.more || (!exact_factors(&d, &v) && !product(&d, &v))) {
        v = slow_value(s, &d);
        if (__builtin_isinf(v)) return false; /* as Go: out of range is an error, underflow is not */
    }
    *out = d.negative ? -v : v;
    return true;
}

/* --- writing */

/* The upper 64 bits of the product, with every lost bit remembered in the lowest one. */
static uint64_t round_to_odd(__uint128_t g, uint64_t c) {
    __uint128_t y = (__uint128_t)(uint64_t)(g >> 64) * c + (((__uint128_t)(uint64_t)g * c) >> 64);
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/* Schubfach (R. Giulietti, "The Schubfach way to render doubles", figures 4 and 6). With v = c * 2^q, the interval that rounds to v is scaled by
 * the power of ten that leaves it between 2 and 20 units wide: it holds at most one multiple of ten and at least one unit. All values are
 * kept times four, so that the halfway points are integers. */
static void shortest(uint64_t c, int q, bool lower_closer, uint64_t *digits, int *exp10) {
    int k = (q * 1262611 - (lower_closer ? 524031 : 0)) >> 22; /* floor(log10(2^q)), of 3/4 of that when the lower neighbour is closer */
    int h = q + pow10_log2(-k) + 1;
    __uint128_t g = pow10_table()[-k - POW10_MIN];
    uint64_t odd = c & 1; /* ties go to even: the ends belong to the interval of an even c only */
    uint64_t low = round_to_odd(g, (4 * c - 2 + lower_closer) << h) + odd;
    uint64_t mid = round_to_odd(g, (4 * c) << h);
    uint64_t high = round_to_odd(g, (4 * c + 2) << h) - odd;
    uint64_t s = mid / 4, tens = s / 10;
    bool below = low <= 40 * tens, above = 40 * tens + 40 <= high;
    *exp10 = k;
    if (s >= 10 && below != above) {
        *digits = tens + above;
        *exp10 = k + 1;
        return;
    }
    below = low <= 4 * s;
    above = 4 * s + 4 <= high;
    if (below == above) above = mid > 4 * s + 2 || (mid == 4 * s + 2 && (s & 1)); /* both inside: the nearer one */
    *digits = s + above;
}

void num_shortest(double v, uint64_t *digits, int *exp10) {
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    uint64_t fraction = u & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(u >> 52 & 0x7ff);
    assert(biased != 0x7ff && (u << 1) != 0);
    uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased ? biased : 1) - 1075;
    if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0) { /* an integer below 2^53 */
        *digits = c >> -q;
        *exp10 = 0;
    } else {
        shortest(c, q, fraction == 0 && biased > 1, digits, exp10);
    }
    while (*digits % 10 == 0) *digits /= 10, ++*exp10;
}

static const char pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* Writes the digits so that they end before `end`; returns where they start. */
static char *digits_before(char *end, uint64_t v) {
    for (; v >= 100; v /= 100) {
        end -= 2;
        memcpy(end, pairs + v % 100 * 2, 2);
    }
    if (v < 10) {
        *--end = (char)('0' + v);
        return end;
    }
    end -= 2;
    memcpy(end, pairs + v * 2, 2);
    return end;
}

static char *put_zeros(char *out, int n) {
    memset(out, '0', (size_t)n);
    return out + n;
}

/* Go's 'e': d.ddde+XX, at least two digits of exponent. */
static char *put_scientific(char *out, const char *digits, int n, int exponent) {
    *out++ = digits[0];
    if (n > 1) {
        *out++ = '.';
        memcpy(out, digits + 1, (size_t)n - 1);
        out += n - 1;
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    unsigned e = (unsigned)abs(exponent);
    if (e >= 100) *out++ = (char)('0' + e / 100);
    memcpy(out, pairs + e % 100 * 2, 2);
    return out + 2;
}

/* point: how many digits stand before it. */
static char *put_plain(char *out, const char *digits, int n, int point) {
    if (point <= 0) {
        memcpy(out, "0.", 2);
        out = put_zeros(out + 2, -point);
        memcpy(out, digits, (size_t)n);
        return out + n;
    }
    int before = MIN(point, n);
    memcpy(out, digits, (size_t)before);
    out += before;
    if (point >= n) return put_zeros(out, point - n);
    *out++ = '.';
    memcpy(out, digits + before, (size_t)(n - before));
    return out + n - before;
}

size_t num_format_double(char *out, double v) {
    static const struct {
        char text[4];
        size_t n;
    } specials[] = {{"NaN", 3}, {"+Inf", 4}, {"-Inf", 4}};
    if (v != v || __builtin_isinf(v)) {
        size_t which = v != v ? 0 : v > 0 ? 1 : 2;
        memcpy(out, specials[which].text, specials[which].n);
        return specials[which].n;
    }
    char *to = out;
    if (__builtin_signbit(v)) *to++ = '-';
    double size = __builtin_fabs(v);
    if (size == 0) {
        *to++ = '0';
        return (size_t)(to - out);
    }
    char room[20];
    uint64_t digits = (uint64_t)MIN(size, 0x1p53);
    int exp10 = 0;
    if (size >= 0x1p53 || (double)digits != size) num_shortest(v, &digits, &exp10);
    const char *first = digits_before(room + sizeof room, digits);
    int n = (int)(room + sizeof room - first), point = n + exp10;
    to = size < 1e-6 || size >= 1e21 ? put_scientific(to, first, n, point - 1) : put_plain(to, first, n, point);
    return (size_t)(to - out);
}

void num_put_double(struct buf *b, double v) {
    buf_reserve(b, NUM_DOUBLE_MAX);
    b->n += num_format_double(b->p + b->n, v);
}
