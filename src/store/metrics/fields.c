#include "store/metrics/fields.h"

#include <math.h>

#include "codec/varint.h"
#include "store/metrics/rowcode.h"

enum { DROPS_ONE_IN = 16 };
const int64_t tier_step_ms[TIER_N] = {0, INT64_C(300000), INT64_C(3600000)};

/* --- down-sampling */

static int64_t bucket_of(int64_t t_ms, int64_t step_ms) {
    int64_t t = t_ms - 1; /* left-open, as PromQL's ranges are */
    return t >= 0 ? t / step_ms : -((-t + step_ms - 1) / step_ms);
}

struct bucket {
    double min, max, sum, count, drops;
    bool floats;
    size_t last; /* sample of the input that is no marker; SIZE_MAX: none */
};
static const struct bucket no_samples = {.last = SIZE_MAX};

static void take_float(struct bucket *b, double min, double max, double sum) {
    b->min = !b->floats || isnan(b->min) || min < b->min ? min : b->min;
    b->max = !b->floats || isnan(b->max) || max > b->max ? max : b->max;
    b->sum = b->floats ? b->sum + sum : sum;
    b->floats = true;
}

static bool stale_at(const struct columns *c, size_t i) {
    return c->h && c->h[i] ? histogram_is_stale(c->h[i]) : is_stale_nan(c->v[i]);
}
static bool float_at(const struct columns *c, size_t i) {
    return !(c->h && c->h[i]) && !is_stale_nan(c->v[i]);
}

/* Does the series fall as rarely as a counter? */
static bool is_counter(const struct columns *c) {
    size_t falls = 0;
    double before = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (!float_at(c, i)) continue;
        if (c->v[i] < 0) return false;
        falls += c->v[i] < before;
        before = c->v[i];
    }
    return falls <= 1 + c->n / DROPS_ONE_IN;
}

static bool put_sample(const struct columns *last, size_t i, const double v[FIELD_N], struct columns out[FIELD_N], struct err *e) {
    if (last->st_ms) columns_want_starts(&out[FIELD_LAST]);
    if (last->h) columns_want_histograms(&out[FIELD_LAST]);
    for (size_t f = 0; f < FIELD_N; f++) {
        struct columns *c = &out[f];
        if (!columns_reserve(c, 1, e)) return false;
        c->t_ms[c->n] = last->t_ms[i];
        c->v[c->n] = v[f];
        if (c->h) c->h[c->n] = last->h ? last->h[i] : NULL;
        if (c->st_ms) c->st_ms[c->n] = last->st_ms ? last->st_ms[i] : 0;
        c->n++;
    }
    return true;
}

static bool put_bucket(const struct columns *last, const struct bucket *b, struct columns out[FIELD_N], struct err *e) {
    if (b->last == SIZE_MAX) return true;
    double none = stale_nan();
    const double v[FIELD_N] = {last->v[b->last], b->floats ? b->min : none, b->floats ? b->max : none, b->floats ? b->sum : none, b->count, b->drops};
    return put_sample(last, b->last, v, out, e);
}
static bool put_marker(const struct columns *last, size_t i, struct columns out[FIELD_N], struct err *e) {
    double none = stale_nan();
    const double v[FIELD_N] = {last->v[i], none, none, none, none, 0};
    return put_sample(last, i, v, out, e);
}

bool fields_make(const struct columns *in, bool raw, enum tier to, struct columns out[FIELD_N], struct err *e) {
    const struct columns *last = &in[FIELD_LAST];
    bool counter = raw && is_counter(last);
    double before = 0; /* the float before; 0: cannot be fallen from */
    struct bucket b = no_samples;
    for (size_t i = 0; i < last->n; i++) {
        bool ends = i + 1 == last->n || bucket_of(last->t_ms[i + 1], tier_step_ms[to]) != bucket_of(last->t_ms[i], tier_step_ms[to]);
        bool stale = stale_at(last, i);
        if (!stale) {
            b.last = i;
            b.count += raw ? 1 : in[FIELD_COUNT].v[i];
            b.drops += raw ? 0 : in[FIELD_DROPS].v[i];
        }
        if (raw && float_at(last, i)) {
            take_float(&b, last->v[i], last->v[i], last->v[i]);
            if (counter && last->v[i] < before) b.drops += before;
            before = last->v[i];
        }
        if (!raw && !is_stale_nan(in[FIELD_SUM].v[i])) take_float(&b, in[FIELD_MIN].v[i], in[FIELD_MAX].v[i], in[FIELD_SUM].v[i]);
        if (!ends) continue;
        if (!put_bucket(last, &b, out, e) || (stale && !put_marker(last, i, out, e))) return false;
        b = no_samples;
    }
    return true;
}

/* --- as bytes */

static bool same_values(const struct columns *a, const struct columns *b) {
    return !b->h && !b->st_ms && memcmp(a->v, b->v, a->n * sizeof *a->v) == 0;
}
static bool all_zero(const struct columns *c) {
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i] != 0) return false;
    return true;
}
/* Fields that are not written because LAST or 0 stands for them. */
static bool implied(const struct columns in[FIELD_N], size_t f) {
    if (f == FIELD_DROPS) return all_zero(&in[f]);
    return (f == FIELD_MIN || f == FIELD_MAX) && same_values(&in[f], &in[FIELD_LAST]);
}

bool fields_encode(const struct columns in[FIELD_N], const int64_t *clock, size_t clock_n, struct buf *out) {
    AUTO(buf_done) struct buf one = {0};
    size_t before = out->n;
    for (size_t f = 0; f < FIELD_N; f++) {
        buf_clear(&one);
        if (!implied(in, f) && !row_encode(&in[f], clock, clock_n, &one)) {
            out->n = before;
            return false;
        }
        put_slice(out, buf_str(&one));
    }
    return true;
}

static bool damaged(struct err *e) {
    return err_set(e, ERR_CORRUPT, "a damaged row of down-sampled samples");
}

bool fields_decode(str row, enum series_field f, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out,
                   struct err *e) {
    struct reader r = reader_open(row);
    str slices[FIELD_N];
    for (size_t i = 0; i < FIELD_N; i++) slices[i] = get_slice(&r);
    if (r.bad || r.at != r.end) return damaged(e);
    if (slices[f].n > 0) return row_decode(slices[f], clock, clock_n, from_ms, to_ms, out, e);
    if (f == FIELD_SUM || f == FIELD_COUNT || slices[FIELD_LAST].n == 0) return damaged(e);
    size_t from = out->n;
    if (!row_decode(slices[FIELD_LAST], clock, clock_n, from_ms, to_ms, out, e)) return false;
    for (size_t i = from; f == FIELD_DROPS && i < out->n; i++) out->v[i] = 0;
    return true;
}

static void move_sample(struct columns *c, size_t to, size_t from) {
    c->t_ms[to] = c->t_ms[from];
    c->v[to] = c->v[from];
    if (c->h) c->h[to] = c->h[from];
    if (c->st_ms) c->st_ms[to] = c->st_ms[from];
}
static void put_number(struct columns *c, size_t at, int64_t t_ms, double v) {
    c->t_ms[at] = t_ms;
    c->v[at] = v;
    if (c->h) c->h[at] = NULL;
    if (c->st_ms) c->st_ms[at] = 0;
}

bool fields_decode_counter(str row, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out, struct err *e) {
    struct columns drops = {.arena = out->arena, .bytes_left = out->bytes_left};
    size_t from = out->n;
    if (!fields_decode(row, FIELD_DROPS, clock, clock_n, from_ms, to_ms, &drops, e)) return false;
    if (!fields_decode(row, FIELD_LAST, clock, clock_n, from_ms, to_ms, out, e)) return false;
    if (drops.n != out->n - from) return damaged(e);
    size_t resets = 0;
    for (size_t i = 0; i < drops.n; i++) resets += drops.v[i] > 0;
    if (!columns_reserve(out, 2 * resets, e)) return false;
    size_t to = out->n + 2 * resets;
    out->n = to;
    for (size_t i = drops.n; resets > 0;) { /* from the end, so that each moves once */
        i--;
        move_sample(out, --to, from + i);
        if (!(drops.v[i] > 0)) continue;
        int64_t t_ms = out->t_ms[to];
        put_number(out, --to, t_ms - 1, 0);
        put_number(out, --to, t_ms - 2, drops.v[i]);
        resets--;
    }
    return true;
}
