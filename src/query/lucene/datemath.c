#include "query/lucene/datemath.h"

#include "base/clock.h"
#include "codec/isodate.h"
#include "codec/timefmt.h"

#define NS_PER_DAY (86400 * NS_PER_S)
/* Moments more than 219 years from 1970 and steps of more than 70 years are refused, so that no sum overflows. */
#define TIME_MAX (INT64_MAX / 4 * 3)
#define STEP_MAX_NS (70 * 365 * NS_PER_DAY)

static int64_t floor_div(int64_t v, int64_t by) {
    return v / by - (v % by < 0);
}

/* Nanoseconds of the units that always last the same; 0: months, quarters, years. */
static int64_t fixed_ns(char unit) {
    switch (unit) {
    case 'w': return 7 * NS_PER_DAY;
    case 'd': return NS_PER_DAY;
    case 'h':
    case 'H': return 3600 * NS_PER_S;
    case 'm': return 60 * NS_PER_S;
    case 's': return NS_PER_S;
    }
    return 0;
}

int64_t datemath_floor(int64_t ns, char unit, int64_t zone_s) {
    int64_t local = ns + zone_s * NS_PER_S, fixed = fixed_ns(unit);
    /* 1970-01-01 was a Thursday: weeks start three days before it. */
    int64_t origin = unit == 'w' ? -3 * NS_PER_DAY : 0;
    if (fixed) return floor_div(local - origin, fixed) * fixed + origin - zone_s * NS_PER_S;
    int64_t year;
    unsigned month, day;
    time_civil_from_days(floor_div(local, NS_PER_DAY), &year, &month, &day);
    if (unit == 'y') month = 1;
    if (unit == 'q') month = (month - 1) / 3 * 3 + 1;
    return time_days_from_civil(year, month, 1) * NS_PER_DAY - zone_s * NS_PER_S;
}

int64_t datemath_add(int64_t ns, int64_t n, char unit, int64_t zone_s) {
    int64_t fixed = fixed_ns(unit);
    if (fixed) return ns + n * fixed;
    int64_t local = ns + zone_s * NS_PER_S, days = floor_div(local, NS_PER_DAY), year;
    unsigned month, day;
    time_civil_from_days(days, &year, &month, &day);
    int64_t months = year * 12 + month - 1 + n * (unit == 'y' ? 12 : unit == 'q' ? 3 : 1);
    year = floor_div(months, 12);
    month = (unsigned)(months - year * 12) + 1;
    /* 31 January + 1 month is the last day of February, as java.time has it. */
    int64_t first = time_days_from_civil(year, month, 1);
    int64_t next = month == 12 ? time_days_from_civil(year + 1, 1, 1) : time_days_from_civil(year, month + 1, 1);
    int64_t target = MIN(first + day - 1, next - 1);
    return target * NS_PER_DAY + (local - days * NS_PER_DAY) - zone_s * NS_PER_S;
}

static bool known_unit(char unit) {
    return unit && strchr("yMwdhHms", unit);
}
static bool step_fits(int64_t n, char unit) {
    int64_t about = fixed_ns(unit) ? fixed_ns(unit) : (unit == 'y' ? 365 : 30) * NS_PER_DAY;
    return n <= STEP_MAX_NS / about;
}

/* "+1d-2h/M" applied to a moment; rounded: the last step was a rounding, the span is [*from, *to]. */
static bool apply(str math, const struct datemath *m, int64_t *from, int64_t *to, struct err *e) {
    size_t at = 0;
    while (at < math.n) {
        char op = math.p[at++];
        int64_t n = 1;
        size_t digits_from = at;
        while (at < math.n && math.p[at] >= '0' && math.p[at] <= '9') at++;
        bool number_ok = at == digits_from || (op != '/' && str_i64(str_sub(math, digits_from, at), &n));
        char unit = at < math.n ? math.p[at++] : 0;
        if (!strchr("+-/", op) || !known_unit(unit) || !number_ok || !step_fits(n, unit))
            return err_set(e, ERR_INPUT, "date math: expected + - or /, a number and one of y M w d h H m s in \"%" STR_F "\"", STR_A(math));
        if (op == '/') {
            *from = datemath_floor(*from, unit, m->zone_s);
            *to = datemath_add(*from, 1, unit, m->zone_s) - 1;
        } else {
            *from = datemath_add(*from, op == '+' ? n : -n, unit, m->zone_s);
            *to = datemath_add(*to, op == '+' ? n : -n, unit, m->zone_s);
        }
        if (*from < -TIME_MAX || *to > TIME_MAX) return err_set(e, ERR_INPUT, "date math leads too far from today: \"%" STR_F "\"", STR_A(math));
    }
    return true;
}

bool datemath_parse(str s, const struct datemath *m, int64_t *from_ns, int64_t *to_ns, struct err *e) {
    int64_t from = m->now_ns, to = m->now_ns;
    str math = STR_NULL, date = s;
    size_t bars = STR_NONE;
    if (str_starts(s, STR("now"))) {
        math = str_from(s, 3);
    } else {
        bars = str_find(s, STR("||"));
        if (bars != STR_NONE) {
            date = str_sub(s, 0, bars);
            math = str_from(s, bars + 2);
        }
        if (!isodate_parse(date, m->zone_s, &from, &to))
            return err_set(e, ERR_INPUT, "failed to parse date field [%" STR_F "] with format [strict_date_optional_time||epoch_millis]", STR_A(s));
        if (bars != STR_NONE) to = from + NS_PER_MS - 1; /* with arithmetic behind it, an imprecise date is its first moment */
        /* Years far from ours would overflow in the arithmetic below. */
        if (math.n && (from < -TIME_MAX || to > TIME_MAX))
            return err_set(e, ERR_INPUT, "date math on a date too far from today: \"%" STR_F "\"", STR_A(s));
    }
    if (!apply(math, m, &from, &to, e)) return false;
    *from_ns = from;
    *to_ns = to;
    return true;
}
