#include "api/logs_patterns.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"

/* --- shapes */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_hex_letter(char c) {
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static bool is_joint(char c) {
    return c == '.' || c == ':' || c == '-' || c == '+' || c == ',';
}

struct run {
    size_t end;
    bool digits, hex; /* holds a digit; nothing but hexadecimal digits */
};
static struct run run_at(str s, size_t at) {
    struct run r = {.end = at, .hex = true};
    for (; r.end < s.n && (is_digit(s.p[r.end]) || is_letter(s.p[r.end])); r.end++) {
        r.digits |= is_digit(s.p[r.end]);
        r.hex &= is_digit(s.p[r.end]) || is_hex_letter(s.p[r.end]);
    }
    return r;
}

/* Where the hole that begins here ends; `at` itself: this is none. */
static size_t hole_end(str s, size_t at) {
    enum { HEX_WORD_MIN = 8, UUID_GROUP = 4 };
    struct run r = run_at(s, at);
    if (!r.digits && !(r.hex && r.end - at >= HEX_WORD_MIN)) return at;
    for (;;) {
        size_t next = r.end;
        while (next < s.n && next < r.end + 2 && is_joint(s.p[next])) next++;
        if (next == r.end) return r.end;
        struct run more = run_at(s, next);
        bool uuid = more.hex && more.end - next >= UUID_GROUP && s.p[next - 1] == '-';
        if (more.end == next || !(more.digits || uuid)) return r.end;
        r = more;
    }
}

static str first_line(str s) {
    size_t n = 0;
    while (n < s.n && s.p[n] != '\n' && s.p[n] != '\r') n++;
    return str_n(s.p, n);
}

void pattern_put(struct buf *out, str message) {
    str s = str_trim(first_line(str_trim(message)));
    size_t start = out->n;
    for (size_t at = 0; at < s.n;) {
        if (out->n - start > PATTERN_BYTES_MAX && ((unsigned char)s.p[at] & 0xC0) != 0x80) {
            buf_add(out, STR(PATTERN_HOLE));
            return;
        }
        size_t end = hole_end(s, at);
        if (end > at) {
            buf_add(out, STR(PATTERN_HOLE));
        } else {
            end = MAX(run_at(s, at).end, at + 1);
            end = MIN(end, at + PATTERN_BYTES_MAX);
            buf_put(out, s.p + at, end - at);
        }
        at = end;
    }
}

/* --- counts */

struct pattern {
    str text, field, service;
    uint64_t count, before;
    int64_t first_ns;
    int severity;
    uint32_t points[PATTERN_POINTS];
};
struct log_patterns {
    struct arena *arena;
    int64_t base_ns, from_ns, to_ns;
    struct map by_text;
    struct {
        struct pattern **p;
        size_t n, cap;
    } all;
    uint64_t lines, before, omitted;
    struct buf scratch;
};

struct log_patterns *log_patterns_new(struct arena *a, int64_t base_ns, int64_t from_ns, int64_t to_ns) {
    assert(base_ns <= from_ns && from_ns < to_ns);
    struct log_patterns *p = arena_one(a, struct log_patterns);
    p->arena = a;
    p->base_ns = base_ns;
    p->from_ns = from_ns;
    p->to_ns = to_ns;
    return p;
}

void log_patterns_free(struct log_patterns *p) {
    if (!p) return;
    map_done(&p->by_text);
    buf_done(&p->scratch);
}

static struct pattern *find(struct log_patterns *p, str text, const struct log_line *l) {
    uint64_t h = hash_str(text);
    for (size_t at = map_first(&p->by_text, h); at != MAP_END; at = map_next(&p->by_text, at, h)) {
        struct pattern *known = p->all.p[p->by_text.slots[at].value - 1];
        if (str_eq(known->text, text) && str_eq(known->field, l->field)) return known;
    }
    if (p->all.n == PATTERNS_MAX) return NULL;
    struct pattern *made = arena_one(p->arena, struct pattern);
    made->text = arena_str(p->arena, text);
    made->field = arena_str(p->arena, l->field);
    made->service = arena_str(p->arena, l->service);
    made->first_ns = INT64_MAX;
    avec_push(p->arena, &p->all, made);
    map_put(&p->by_text, h, p->all.n);
    return made;
}

void log_patterns_add(struct log_patterns *p, const struct log_line *l) {
    if (l->time_ns < p->base_ns || l->time_ns >= p->to_ns) return;
    buf_clear(&p->scratch);
    pattern_put(&p->scratch, l->message);
    bool inside = l->time_ns >= p->from_ns;
    *(inside ? &p->lines : &p->before) += 1;
    struct pattern *one = find(p, buf_str(&p->scratch), l);
    if (!one) {
        p->omitted++;
        return;
    }
    one->severity = MAX(one->severity, l->severity);
    if (!inside) {
        one->before++;
        return;
    }
    one->count++;
    one->first_ns = MIN(one->first_ns, l->time_ns);
    one->points[(__int128)(l->time_ns - p->from_ns) * PATTERN_POINTS / (p->to_ns - p->from_ns)]++;
}

static int by_count(const void *l, const void *r) {
    const struct pattern *a = *(struct pattern *const *)l, *b = *(struct pattern *const *)r;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    if (a->before != b->before) return a->before < b->before ? 1 : -1;
    return str_cmp(a->text, b->text);
}

static void put_number(struct json_out *o, const char *key, uint64_t v) {
    json_put_key(o, str_c(key));
    json_put_u64(o, v);
}
static void put_text(struct json_out *o, const char *key, str text) {
    json_put_key(o, str_c(key));
    json_put_string(o, text);
}

static void put_pattern(struct json_out *o, const struct pattern *p) {
    json_put_object(o);
    put_text(o, "text", p->text);
    put_text(o, "field", p->field);
    put_text(o, "service", p->service);
    put_number(o, "severity", (uint64_t)p->severity);
    put_number(o, "count", p->count);
    put_number(o, "before", p->before);
    if (p->count) put_number(o, "first", (uint64_t)(p->first_ns / NS_PER_MS));
    json_put_key_c(o, "points");
    json_put_array(o);
    for (size_t i = 0; p->count && i < PATTERN_POINTS; i++) json_put_u64(o, p->points[i]);
    json_put_array_end(o);
    json_put_object_end(o);
}

void log_patterns_put(struct log_patterns *p, struct json_out *o) {
    enum { KNOWN, NEW, GONE };
    unsigned left[] = {[KNOWN] = 150, [NEW] = 100, [GONE] = 50};
    if (p->all.n) qsort(p->all.p, p->all.n, sizeof *p->all.p, by_count);
    json_put_object(o);
    put_number(o, "base", (uint64_t)(p->base_ns / NS_PER_MS));
    put_number(o, "from", (uint64_t)(p->from_ns / NS_PER_MS));
    put_number(o, "to", (uint64_t)(p->to_ns / NS_PER_MS));
    put_number(o, "lines", p->lines);
    put_number(o, "before", p->before);
    put_number(o, "shapes", p->all.n);
    put_number(o, "omitted", p->omitted);
    json_put_key_c(o, "patterns");
    json_put_array(o);
    for (size_t i = 0; i < p->all.n; i++) {
        unsigned *quota = &left[!p->all.p[i]->count ? GONE : p->all.p[i]->before ? KNOWN : NEW];
        if (*quota == 0) continue;
        --*quota;
        put_pattern(o, p->all.p[i]);
    }
    json_put_array_end(o);
}
