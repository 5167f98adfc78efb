#include "codec/duration.h"

#include "base/clock.h"

static const struct unit {
    str name;
    int64_t ms;
} units[] = {
    {STR_INIT("y"), INT64_C(365) * 86400 * 1000},
    {STR_INIT("w"), INT64_C(7) * 86400 * 1000},
    {STR_INIT("d"), INT64_C(86400) * 1000},
    {STR_INIT("h"), INT64_C(3600) * 1000},
    {STR_INIT("m"), INT64_C(60) * 1000},
    {STR_INIT("s"), 1000},
    {STR_INIT("ms"), 1},
};

/* The digits at *at; false when there are none or too many. */
static bool take_digits(str s, size_t *at, uint64_t *out) {
    size_t from = *at;
    while (*at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9') ++*at;
    return str_u64(str_sub(s, from, *at), out);
}

static str take_letters(str s, size_t *at) {
    size_t from = *at;
    while (*at < s.n && s.p[*at] != '.' && (s.p[*at] < '0' || s.p[*at] > '9')) ++*at;
    return str_sub(s, from, *at);
}

static bool refuse(str s, size_t at, const char *why, struct err *e) {
    return err_set(e, ERR_INPUT, "not a valid duration: \"%" STR_F "\": %s (at byte %zu)", STR_A(str_sub(s, 0, 64)), why, at);
}

bool duration_parse(str s, int64_t *out_ms, struct err *e) {
    if (s.n == 0) return err_set(e, ERR_INPUT, "empty duration: write a number and a unit, such as 5m or 1h30m");
    if (str_eq(s, STR("0"))) return *out_ms = 0, true;
    int64_t total = 0;
    size_t next_unit = 0;
    for (size_t at = 0; at < s.n;) {
        size_t from = at;
        uint64_t n;
        int64_t term;
        if (!take_digits(s, &at, &n)) return refuse(s, from, at == from ? "expected a number" : "out of range", e);
        size_t unit_at = at;
        str name = take_letters(s, &at);
        size_t unit = next_unit;
        while (unit < ARRAY_N(units) && !str_eq(units[unit].name, name)) unit++;
        if (unit == ARRAY_N(units)) return refuse(s, unit_at, "expected y, w, d, h, m, s or ms, largest first, each once", e);
        /* Prometheus counts in nanoseconds, so 292 years are the most. */
        if (__builtin_mul_overflow(n, units[unit].ms, &term) || __builtin_add_overflow(total, term, &total) || total > INT64_MAX / NS_PER_MS)
            return refuse(s, from, "out of range", e);
        next_unit = unit + 1;
    }
    *out_ms = total;
    return true;
}

void duration_put(struct buf *b, int64_t ms) {
    if (ms == 0) return buf_add(b, STR("0s"));
    if (ms < 0) buf_char(b, '-');
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    for (size_t i = 0; i < ARRAY_N(units); i++) {
        uint64_t unit = (uint64_t)units[i].ms, n = left / unit;
        bool years_or_weeks = i < 2; /* only when nothing is left over: 90d reads better than 12w6d */
        if (n == 0 || (years_or_weeks && left % unit)) continue;
        buf_u64(b, n);
        buf_add(b, units[i].name);
        left -= n * unit;
    }
}

/* --- Go's time.ParseDuration: a sign, then decimals with units in any order */

static const struct unit_ns {
    str name;
    int64_t ns;
} go_units[] = {
    {STR_INIT("ns"), 1},           {STR_INIT("us"), 1000},    {STR_INIT("\xc2\xb5s"), 1000}, /* U+00B5 micro sign */
    {STR_INIT("\xce\xbcs"), 1000},                                                           /* U+03BC Greek mu */
    {STR_INIT("ms"), NS_PER_MS},   {STR_INIT("s"), NS_PER_S}, {STR_INIT("m"), 60 * NS_PER_S}, {STR_INIT("h"), 3600 * NS_PER_S},
};

static int64_t go_unit_ns(str name) {
    for (size_t i = 0; i < ARRAY_N(go_units); i++)
        if (str_eq(go_units[i].name, name)) return go_units[i].ns;
    return 0;
}

/* The part behind the point in units of `unit`, cut to whole nanoseconds; digits that no longer count are read over. */
static uint64_t fraction_of(str digits, int64_t unit) {
    uint64_t v = 0, scale = 1;
    for (size_t i = 0; i < digits.n && scale < UINT64_C(1000000000000000); i++, scale *= 10) v = v * 10 + (uint64_t)(digits.p[i] - '0');
    return (uint64_t)((__uint128_t)v * (uint64_t)unit / scale);
}

bool duration_parse_go(str s, int64_t *out_ns, struct err *e) {
    bool negative = s.n && s.p[0] == '-';
    size_t at = s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
    if (str_eq(str_from(s, at), STR("0"))) return *out_ns = 0, true;
    if (at == s.n) return refuse(s, at, "expected a number", e);
    uint64_t total = 0;
    while (at < s.n) {
        size_t from = at, digits_from = at;
        uint64_t n = 0;
        if (!take_digits(s, &at, &n) && at != from) return refuse(s, from, "out of range", e);
        bool any = at != digits_from;
        str fraction = STR_NULL;
        if (at < s.n && s.p[at] == '.') {
            uint64_t ignored;
            digits_from = ++at;
            if (!take_digits(s, &at, &ignored)) ignored = 0; /* too long for an integer is no mistake here */
            fraction = str_sub(s, digits_from, at);
            any |= fraction.n > 0;
        }
        if (!any) return refuse(s, from, "expected a number", e);
        size_t unit_at = at;
        int64_t unit = go_unit_ns(take_letters(s, &at));
        if (unit == 0) return refuse(s, unit_at, "expected a unit: ns, us, ms, s, m or h", e);
        uint64_t term;
        if (__builtin_mul_overflow(n, (uint64_t)unit, &term) || __builtin_add_overflow(total, term, &total) ||
            __builtin_add_overflow(total, fraction_of(fraction, unit), &total) || total > (uint64_t)INT64_MAX + negative)
            return refuse(s, from, "out of range", e);
    }
    *out_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return true;
}
