#include "api/moved.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"

#define CRITICAL 1.628  /* sqrt(-ln(0.01 / 2) / 2) */
#define CHANGE_MIN 0.05 /* of the mean, relative to the greater of the two */

struct best {
    struct labels labels; /* of the series that moved most of its metric */
    bool rate;
    double distance, score, before, inside;
    double points[MOVED_POINTS];
    uint64_t moved; /* series of this metric */
};

struct moved {
    struct arena *arena;
    int64_t base_ms, from_ms, to_ms;
    struct map by_name;
    struct {
        struct best *p;
        size_t n, cap;
    } metrics;
    uint64_t seen, compared;
};

struct moved *moved_new(struct arena *a, int64_t base_ms, int64_t from_ms, int64_t to_ms) {
    assert(base_ms < from_ms && from_ms < to_ms);
    struct moved *m = arena_one(a, struct moved);
    m->arena = a;
    m->base_ms = base_ms;
    m->from_ms = from_ms;
    m->to_ms = to_ms;
    return m;
}

void moved_free(struct moved *m) {
    if (m) map_done(&m->by_name);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double moved_distance(double *a, size_t n, double *b, size_t m) {
    qsort(a, n, sizeof *a, by_value);
    qsort(b, m, sizeof *b, by_value);
    double most = 0;
    for (size_t i = 0, k = 0; i < n && k < m;) {
        double v = fmin(a[i], b[k]);
        while (i < n && a[i] == v) i++;
        while (k < m && b[k] == v) k++;
        most = fmax(most, fabs((double)i / (double)n - (double)k / (double)m));
    }
    return most;
}

/* The values of a series that are compared, with their times: as they are, or their growth per second. */
struct column {
    int64_t *t_ms;
    double *v;
    size_t n, before; /* before: how many are from before the window */
};

static struct column column_of(const struct moved *m, const struct samples *s, bool rate, struct arena *a) {
    struct column c = {arena_new_n(a, int64_t, s->n), arena_new_n(a, double, s->n), 0, 0};
    double old = NAN;
    int64_t old_ms = 0;
    for (size_t i = 0; i < s->n; i++) {
        double v = s->v[i], last = old;
        int64_t span_ms = s->t_ms[i] - old_ms;
        old = v;
        old_ms = s->t_ms[i];
        if (!isfinite(v) || s->t_ms[i] < m->base_ms || s->t_ms[i] >= m->to_ms) continue;
        if (rate && (isnan(last) || v < last)) continue; /* the first, or a reset */
        c.t_ms[c.n] = s->t_ms[i];
        c.v[c.n++] = rate ? (v - last) * 1000 / (double)span_ms : v;
        if (s->t_ms[i] < m->from_ms) c.before++;
    }
    return c;
}

static double mean(const double *v, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i];
    return sum / (double)n;
}

static void draw(const struct moved *m, const struct column *c, double points[MOVED_POINTS]) {
    double sum[MOVED_POINTS] = {0};
    uint32_t n[MOVED_POINTS] = {0};
    for (size_t i = 0; i < c->n; i++) {
        size_t at = (size_t)((double)(c->t_ms[i] - m->base_ms) / (double)(m->to_ms - m->base_ms) * MOVED_POINTS);
        sum[at] += c->v[i];
        n[at]++;
    }
    for (size_t i = 0; i < MOVED_POINTS; i++) points[i] = n[i] ? sum[i] / n[i] : NAN;
}

static struct best *metric_of(struct moved *m, str name) {
    uint64_t h = hash_str(name);
    for (size_t at = map_first(&m->by_name, h); at != MAP_END; at = map_next(&m->by_name, at, h)) {
        struct best *b = &m->metrics.p[m->by_name.slots[at].value - 1];
        if (str_eq(labels_get(b->labels, LABEL_METRIC_NAME), name)) return b;
    }
    avec_push(m->arena, &m->metrics, (struct best){0});
    map_put(&m->by_name, h, m->metrics.n);
    return &m->metrics.p[m->metrics.n - 1];
}

static bool is_counter(str name) {
    static const str ends[] = {STR_INIT("_total"), STR_INIT("_count"), STR_INIT("_sum"), STR_INIT("_bucket")};
    for (size_t i = 0; i < ARRAY_N(ends); i++)
        if (str_ends(name, ends[i])) return true;
    return false;
}

void moved_add(struct moved *m, struct labels labels, const struct samples *s, struct arena *scratch) {
    m->seen++;
    if (s->h || !s->n || labels_get(labels, STR("le")).n) return;
    str name = labels_get(labels, LABEL_METRIC_NAME);
    bool rate = is_counter(name);
    struct column c = column_of(m, s, rate, scratch);
    size_t after = c.n - c.before;
    if (c.before < MOVED_VALUES_MIN || after < MOVED_VALUES_MIN) return;
    m->compared++;
    double before = mean(c.v, c.before), inside = mean(c.v + c.before, after), greater = fmax(fabs(before), fabs(inside));
    double change = greater > 0 ? fmin(1, fabs(inside - before) / greater) : 0;
    if (!(change >= CHANGE_MIN)) return;
    double points[MOVED_POINTS];
    draw(m, &c, points);
    double d = moved_distance(c.v, c.before, c.v + c.before, after);
    if (d < CRITICAL * sqrt((double)c.n / ((double)c.before * (double)after))) return;
    struct best *b = metric_of(m, name);
    uint64_t others = b->moved++;
    if (others && d * change <= b->score) return;
    *b = (struct best){labels_copy(m->arena, labels), rate, d, d * change, before, inside, {0}, b->moved};
    memcpy(b->points, points, sizeof points);
}

static int by_score(const void *a, const void *b) {
    const struct best *x = a, *y = b;
    int order = (x->score < y->score) - (x->score > y->score);
    return order ? order : labels_cmp(x->labels, y->labels);
}

static void put_number(struct json_out *o, const char *key, double v) {
    json_put_key(o, str_c(key));
    json_put_double(o, v);
}

static void put_best(const struct best *b, struct json_out *o) {
    json_put_object(o);
    json_put_key_c(o, "metric");
    json_put_object(o);
    for (size_t i = 0; i < b->labels.n; i++) {
        json_put_key(o, b->labels.l[i].name);
        json_put_string(o, b->labels.l[i].value);
    }
    json_put_object_end(o);
    json_put_key_c(o, "rate");
    json_put_bool(o, b->rate);
    put_number(o, "d", b->distance);
    put_number(o, "before", b->before);
    put_number(o, "inside", b->inside);
    json_put_key_c(o, "others");
    json_put_u64(o, b->moved - 1);
    json_put_key_c(o, "points");
    json_put_array(o);
    for (size_t i = 0; i < MOVED_POINTS; i++) {
        if (isnan(b->points[i]))
            json_put_null(o);
        else
            json_put_double(o, b->points[i]);
    }
    json_put_array_end(o);
    json_put_object_end(o);
}

void moved_put(struct moved *m, struct json_out *o) {
    if (m->metrics.n) qsort(m->metrics.p, m->metrics.n, sizeof *m->metrics.p, by_score);
    map_done(&m->by_name); /* its places are no longer right */
    m->by_name = (struct map){0};
    json_put_object(o);
    const struct {
        const char *key;
        int64_t v;
    } facts[] = {{"base", m->base_ms}, {"from", m->from_ms}, {"to", m->to_ms}, {"series", (int64_t)m->seen}, {"compared", (int64_t)m->compared}};
    for (size_t i = 0; i < ARRAY_N(facts); i++) {
        json_put_key(o, str_c(facts[i].key));
        json_put_i64(o, facts[i].v);
    }
    json_put_key_c(o, "moved");
    json_put_array(o);
    for (size_t i = 0; i < MIN(m->metrics.n, (size_t)MOVED_SHOWN); i++) put_best(&m->metrics.p[i], o);
    json_put_array_end(o);
    json_put_object_end(o);
}
