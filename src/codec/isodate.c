#include "codec/isodate.h"

#include "base/clock.h"
#include "codec/timefmt.h"

struct cursor {
    str s;
    size_t at;
};

/* Exactly n digits within [min, max]. */
static bool digits(struct cursor *c, size_t n, unsigned min, unsigned max, unsigned *out) {
    uint64_t v;
    if (c->s.n - c->at < n || !str_u64(str_sub(c->s, c->at, c->at + n), &v) || v < min || v > max) return false;
    c->at += n;
    *out = (unsigned)v;
    return true;
}
static bool skip(struct cursor *c, char ch) {
    if (c->at >= c->s.n || c->s.p[c->at] != ch) return false;
    c->at++;
    return true;
}

bool isodate_zone(str s, int64_t *out_s) {
    if (str_eq(s, STR("Z")) || str_eq_nocase(s, STR("UTC")) || str_eq_nocase(s, STR("GMT"))) {
        *out_s = 0;
        return true;
    }
    struct cursor c = {.s = s};
    bool east = skip(&c, '+');
    unsigned hours, minutes = 0;
    if (!east && !skip(&c, '-')) return false;
    if (!digits(&c, 2, 0, 18, &hours) && !digits(&c, 1, 0, 9, &hours)) return false;
    bool colon = skip(&c, ':');
    if ((colon || c.at < s.n) && !digits(&c, 2, 0, 59, &minutes)) return false;
    if (c.at != s.n) return false;
    int64_t seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *out_s = east ? seconds : -seconds;
    return true;
}

static unsigned month_days(unsigned year, unsigned month) {
    int64_t next = month == 12 ? time_days_from_civil(year + 1, 1, 1) : time_days_from_civil(year, month + 1, 1);
    return (unsigned)(next - time_days_from_civil(year, month, 1));
}

/* After 'T'. Sets the time of day and how long what was named lasts. */
static bool time_of_day(struct cursor *c, int64_t *ns, int64_t *lasts_ns) {
    unsigned part, hour = 0;
    if (!digits(c, 2, 0, 23, &hour)) return false;
    *ns = hour * 3600 * NS_PER_S;
    *lasts_ns = 3600 * NS_PER_S;
    if (!skip(c, ':')) return true;
    if (!digits(c, 2, 0, 59, &part)) return false;
    *ns += part * 60 * NS_PER_S;
    *lasts_ns = 60 * NS_PER_S;
    if (!skip(c, ':')) return true;
    if (!digits(c, 2, 0, 59, &part)) return false;
    *ns += part * NS_PER_S;
    *lasts_ns = NS_PER_S;
    if (!skip(c, '.') && !skip(c, ',')) return true;
    int64_t unit = NS_PER_S;
    size_t from = c->at;
    for (; c->at < c->s.n && c->s.p[c->at] >= '0' && c->s.p[c->at] <= '9' && c->at - from < 9; c->at++) {
        unit /= 10;
        *ns += (c->s.p[c->at] - '0') * unit;
    }
    *lasts_ns = c->at - from <= 3 ? NS_PER_MS : unit;
    return c->at > from;
}

static bool parse_iso(str s, int64_t zone_s, unsigned *parts, int64_t *from_ns, int64_t *to_ns) {
    struct cursor c = {.s = s};
    unsigned year, month = 1, day = 1;
    int64_t time_ns = 0, lasts_ns = 86400 * NS_PER_S;
    *parts = 1;
    if (!digits(&c, 4, 0, 9999, &year)) return false;
    if (skip(&c, '-')) {
        if (!digits(&c, 2, 1, 12, &month)) return false;
        *parts = 2;
        if (skip(&c, '-')) {
            if (!digits(&c, 2, 1, month_days(year, month), &day)) return false;
            *parts = 3;
        }
    }
    if (skip(&c, 'T')) {
        if (c.at < s.n && !time_of_day(&c, &time_ns, &lasts_ns)) return false;
        if (c.at < s.n && !isodate_zone(str_from(s, c.at), &zone_s)) return false;
        c.at = s.n;
    }
    int64_t day_s = time_days_from_civil(year, month, day) * 86400, at_ns;
    if (c.at != s.n || __builtin_mul_overflow(day_s - zone_s, NS_PER_S, &at_ns) || __builtin_add_overflow(at_ns, time_ns, &at_ns)) return false;
    *from_ns = at_ns;
    if (__builtin_add_overflow(at_ns, lasts_ns - 1, to_ns)) *to_ns = INT64_MAX;
    return true;
}

bool isodate_parse(str s, int64_t zone_s, int64_t *from_ns, int64_t *to_ns) {
    unsigned parts;
    int64_t from, to, ms;
    if (!parse_iso(s, zone_s, &parts, &from, &to)) {
        if (!str_i64(s, &ms) || __builtin_mul_overflow(ms, NS_PER_MS, &from)) return false;
        to = from + NS_PER_MS - 1;
    }
    *from_ns = from;
    *to_ns = to;
    return true;
}

bool isodate_looks_like(str s) {
    unsigned parts;
    int64_t from, to;
    return s.n >= 10 && s.n <= 40 && parse_iso(s, 0, &parts, &from, &to) && parts == 3;
}
