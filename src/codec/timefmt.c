#include "codec/timefmt.h"

#include "base/clock.h"

enum { DAY_S = 86400 };

/* Civil dates by 400-year eras that start on 1 March, so that the leap day is the last day of its year. */
int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day) {
    assert(month >= 1 && month <= 12);
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void time_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static unsigned days_in_month(int64_t year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

struct scan {
    str s;
    size_t at;
    const char *expected; /* set once, at the first mistake */
};

static bool want(struct scan *c, bool ok, const char *expected) {
    if (!ok && !c->expected) c->expected = expected;
    return !c->expected;
}

static char peek(const struct scan *c) {
    return c->at < c->s.n ? c->s.p[c->at] : 0;
}

static unsigned number(struct scan *c, size_t digits, unsigned min, unsigned max, const char *expected) {
    uint64_t v = 0;
    bool ok = str_u64(str_sub(c->s, c->at, c->at + digits), &v) && c->s.n - c->at >= digits && v >= min && v <= max;
    if (want(c, ok, expected)) c->at += digits;
    return (unsigned)v;
}

static void one_of(struct scan *c, const char *set, const char *expected) {
    if (want(c, peek(c) && strchr(set, peek(c)), expected)) c->at++;
}

static int64_t fraction_ns(struct scan *c) {
    if (c->expected || (peek(c) != '.' && peek(c) != ',')) return 0;
    c->at++;
    want(c, peek(c) >= '0' && peek(c) <= '9', "digits of a fraction");
    int64_t ns = 0, unit = NS_PER_S / 10;
    for (; peek(c) >= '0' && peek(c) <= '9'; c->at++, unit /= 10) ns += (peek(c) - '0') * unit;
    return ns;
}

static int64_t zone_s(struct scan *c) {
    if (c->expected || c->at == c->s.n) return 0;
    char sign = peek(c);
    one_of(c, "Zz+-", "a zone (Z or +hh:mm)");
    if (sign == 'Z' || sign == 'z') return 0;
    int64_t s = 3600 * (int64_t)number(c, 2, 0, 23, "the zone's hours 00-23");
    if (peek(c) == ':') c->at++;
    s += 60 * (int64_t)number(c, 2, 0, 59, "the zone's minutes 00-59");
    return sign == '-' ? -s : s;
}

bool time_parse_rfc3339(str s, int64_t *out_ns, struct err *e) {
    struct scan c = {.s = s};
    unsigned year = number(&c, 4, 0, 9999, "a year of four digits");
    one_of(&c, "-", "'-'");
    unsigned month = number(&c, 2, 1, 12, "a month 01-12");
    one_of(&c, "-", "'-'");
    unsigned day = number(&c, 2, 1, c.expected ? 31 : days_in_month(year, month), "a day of that month");
    one_of(&c, "Tt ", "'T'");
    unsigned hour = number(&c, 2, 0, 23, "an hour 00-23");
    one_of(&c, ":", "':'");
    unsigned minute = number(&c, 2, 0, 59, "a minute 00-59");
    one_of(&c, ":", "':'");
    unsigned second = number(&c, 2, 0, 60, "a second 00-60"); /* 60: a leap second, the instant after 59 */
    int64_t ns = fraction_ns(&c), zone = zone_s(&c);
    if (want(&c, c.at == s.n, "the end")) {
        int64_t seconds = time_days_from_civil(year, month, day) * DAY_S + (int64_t)hour * 3600 + minute * 60 + second - zone;
        /* Before 1970 the sum may pass INT64_MIN although the product does not, and the other way round: 128 bits end the question. */
        __int128 total = (__int128)seconds * NS_PER_S + ns;
        if (want(&c, total >= INT64_MIN && total <= INT64_MAX, "a time between the years 1678 and 2261")) {
            *out_ns = (int64_t)total;
            return true;
        }
    }
    return err_set(e, ERR_INPUT, "not an RFC 3339 time: \"%" STR_F "\": expected %s (at byte %zu)", STR_A(str_sub(s, 0, 64)), c.expected, c.at);
}

/* Writes "2026-11-22T12:00:00" and returns the nanoseconds of the second. */
static int64_t put_seconds(struct buf *b, int64_t ns) {
    int64_t rest = ns % NS_PER_S, s = ns / NS_PER_S;
    if (rest < 0) rest += NS_PER_S, s--;
    int64_t second = s % DAY_S, days = s / DAY_S, year;
    if (second < 0) second += DAY_S, days--;
    unsigned month, day;
    time_civil_from_days(days, &year, &month, &day);
    unsigned of_day = (unsigned)second;
    buf_printf(b, "%04d-%02u-%02uT%02u:%02u:%02u", (int)year, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60);
    return rest;
}

void time_put_rfc3339_ms(struct buf *b, int64_t ns) {
    int64_t rest = put_seconds(b, ns);
    buf_printf(b, ".%03dZ", (int)(rest / NS_PER_MS));
}

void time_put_rfc3339_ns(struct buf *b, int64_t ns) {
    int64_t rest = put_seconds(b, ns);
    if (rest) {
        buf_printf(b, ".%09d", (int)rest);
        while (b->p[b->n - 1] == '0') b->n--;
    }
    buf_char(b, 'Z');
}

bool time_nearest_year(unsigned month, unsigned day, int64_t ns_of_day, int64_t now_ns, int64_t *out_ns) {
    if (month < 1 || month > 12) return false;
    int64_t this_year;
    unsigned m, d;
    uint64_t best_gap = UINT64_MAX;
    time_civil_from_days(now_ns / (DAY_S * NS_PER_S), &this_year, &m, &d);
    for (int64_t year = this_year - 1; year <= this_year + 1; year++) {
        if (day < 1 || day > days_in_month(year, month)) continue;
        int64_t ns = time_days_from_civil(year, month, day) * DAY_S * NS_PER_S + ns_of_day;
        uint64_t gap = ns > now_ns ? (uint64_t)(ns - now_ns) : (uint64_t)(now_ns - ns);
        if (gap >= best_gap) continue;
        best_gap = gap;
        *out_ns = ns;
    }
    return best_gap != UINT64_MAX;
}
