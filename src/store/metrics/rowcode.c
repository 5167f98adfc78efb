#include "store/metrics/rowcode.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/varint.h"
#include "store/metrics/decimal.h"
#include "store/metrics/histcode.h"

enum row_kind { ROW_NUMBERS = 1, ROW_SECOND = 2, ROW_ULPS = 4, ROW_EXCEPTIONS = 8, ROW_EQUAL = 16, ROW_STARTS = 32 };
enum { PROBE_N = 32 }; /* values looked at when choosing k */

/* --- clocks */

void clock_encode(const int64_t *t_ms, size_t n, struct buf *out) {
    put_varint(out, n);
    int64_t before = 0;
    int64_t step = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t d = t_ms[i] - before;
        put_zigzag(out, d - step);
        step = i == 0 ? 0 : d;
        before = t_ms[i];
    }
}

bool clock_decode(str code, struct arena *a, const int64_t **t_ms, size_t *n, struct err *e) {
    struct reader r = reader_open(code);
    uint64_t count = get_varint(&r);
    if (r.bad || count > (size_t)(r.end - r.at)) return err_set(e, ERR_CORRUPT, "damaged timestamps");
    int64_t *t = arena_new_n(a, int64_t, count);
    uint64_t before = 0;
    uint64_t step = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t d = step + (uint64_t)get_zigzag(&r);
        before += d;
        t[i] = (int64_t)before;
        step = i == 0 ? 0 : d;
        if (i > 0 && t[i] <= t[i - 1]) r.bad = true;
    }
    if (r.bad) return err_set(e, ERR_CORRUPT, "damaged timestamps");
    *t_ms = t;
    *n = count;
    return true;
}

/* --- which ticks are present */

static bool put_presence(const struct columns *c, const int64_t *clock, size_t clock_n, struct buf *out) {
    if (c->n == clock_n && memcmp(c->t_ms, clock, clock_n * sizeof *clock) == 0) {
        put_varint(out, 0);
        return true;
    }
    AUTO(buf_done) struct buf runs = {0};
    size_t run_n = 0;
    size_t tick = 0;
    for (size_t i = 0; i < c->n;) {
        size_t skipped = tick;
        while (tick < clock_n && clock[tick] < c->t_ms[i]) tick++;
        skipped = tick - skipped;
        size_t from = i;
        while (i < c->n && tick < clock_n && clock[tick] == c->t_ms[i]) {
            i++;
            tick++;
        }
        if (i == from) return false;
        put_varint(&runs, skipped);
        put_varint(&runs, i - from);
        run_n++;
    }
    put_varint(out, run_n);
    buf_add(out, buf_str(&runs));
    return true;
}

/* The ticks of a row: all of the clock, or copied together from its runs. */
static bool get_presence(struct reader *r, const int64_t *clock, size_t clock_n, struct arena *a, const int64_t **t_ms, size_t *n) {
    uint64_t runs = get_varint(r);
    if (runs == 0) {
        *t_ms = clock;
        *n = clock_n;
        return !r->bad;
    }
    if (runs > clock_n) return false;
    int64_t *t = arena_new_n(a, int64_t, clock_n);
    size_t count = 0;
    size_t tick = 0;
    for (; runs > 0 && !r->bad; runs--) {
        uint64_t skipped = get_varint(r);
        if (skipped > clock_n - tick) return false;
        tick += skipped;
        uint64_t present = get_varint(r);
        if (present > clock_n - tick) return false;
        memcpy(t + count, clock + tick, present * sizeof *t);
        count += present;
        tick += present;
    }
    *t_ms = t;
    *n = count;
    return !r->bad;
}

/* --- numbers */

static bool is_number(double v) {
    int64_t m;
    return decimal_nearest(v, 0, &m) && double_bits(v) != double_bits(-0.0);
}

static unsigned bits_of(int64_t v) {
    uint64_t z = zigzag(v);
    return z == 0 ? 1 : (unsigned)(64 - __builtin_clzll(z));
}

struct plan {
    unsigned k;
    bool ulps;
};

/* About how many bits the first values would take at k. */
static uint64_t cost_at(const double *v, size_t n, unsigned k, bool *ulps) {
    uint64_t cost = 0;
    int64_t before = 0;
    *ulps = false;
    for (size_t i = 0; i < n; i++) {
        int64_t m;
        if (!is_number(v[i])) continue;
        if (!decimal_nearest(v[i], k, &m)) return UINT64_MAX;
        int64_t off = double_order(v[i]) - double_order(decimal_value(m, k));
        if (i > 0) cost += bits_of(m - before);
        if (off != 0) {
            *ulps = true;
            cost += bits_of(off) + 4;
        }
        before = m;
    }
    return cost;
}

static struct plan choose(const double *v, size_t n) {
    size_t step = MAX(n / PROBE_N, (size_t)1);
    double probe[2 * PROBE_N + 2];
    size_t probe_n = 0;
    for (size_t i = 0; i < n && probe_n < ARRAY_N(probe); i += step) probe[probe_n++] = v[i];
    struct plan best = {0, true};
    uint64_t best_cost = UINT64_MAX;
    for (unsigned k = 0; k < DECIMAL_K_N; k++) {
        struct plan p = {.k = k};
        uint64_t cost = cost_at(probe, probe_n, k, &p.ulps);
        if (cost < best_cost) {
            best = p;
            best_cost = cost;
        }
        if (cost == UINT64_MAX || !p.ulps) break; /* finer only costs more */
    }
    return best;
}

struct numbers {
    int64_t *m, *off;
    size_t n, exceptions;
    bool ulps, equal;
    uint64_t first_bits, second_bits; /* cost of the differences either way */
};

static void to_numbers(const double *v, size_t n, unsigned k, struct numbers *x) {
    int64_t before = 0;
    for (size_t i = 0; i < n; i++) { /* a leading exception takes the first number's m */
        if (is_number(v[i]) && decimal_nearest(v[i], k, &before)) break;
    }
    x->equal = true;
    for (size_t i = 0; i < n; i++) {
        int64_t m = before;
        x->off[i] = 0;
        if (is_number(v[i]) && decimal_nearest(v[i], k, &m)) {
            x->off[i] = double_order(v[i]) - double_order(decimal_value(m, k));
        } else {
            m = before;
            x->exceptions++;
        }
        x->ulps |= x->off[i] != 0;
        x->m[i] = before = m;
        if (i == 0) continue;
        x->equal &= m == x->m[i - 1];
        x->first_bits += bits_of(m - x->m[i - 1]);
        if (i > 1) x->second_bits += bits_of(m - 2 * x->m[i - 1] + x->m[i - 2]);
    }
    x->n = n;
}

static void put_starts(const struct columns *c, struct buf *out) {
    int64_t before = 0;
    for (size_t i = 0; i < c->n;) {
        size_t end = i + 1;
        while (end < c->n && c->st_ms[end] == c->st_ms[i]) end++;
        put_varint(out, end - i);
        put_zigzag(out, c->st_ms[i] - before);
        before = c->st_ms[i];
        i = end;
    }
}

static void put_numbers(const struct columns *c, struct buf *out) {
    struct plan p = choose(c->v, c->n);
    struct numbers x = {.m = mem_alloc(c->n * sizeof *x.m), .off = mem_alloc(c->n * sizeof *x.off)};
    to_numbers(c->v, c->n, p.k, &x);
    bool second = !x.equal && x.second_bits + x.n / 8 < x.first_bits;
    unsigned kind = ROW_NUMBERS | (second ? ROW_SECOND : 0) | (x.ulps ? ROW_ULPS : 0) | (x.exceptions ? ROW_EXCEPTIONS : 0) |
                    (x.equal ? ROW_EQUAL : 0) | (c->st_ms ? ROW_STARTS : 0);
    buf_char(out, (char)kind);
    buf_char(out, (char)p.k);
    put_zigzag(out, x.m[0]);
    int64_t step = 0;
    for (size_t i = 1; i < x.n && !x.equal; i++) {
        int64_t d = x.m[i] - x.m[i - 1];
        put_zigzag(out, second ? d - step : d);
        step = d;
    }
    for (size_t i = 0; i < x.n && x.ulps; i++) put_zigzag(out, x.off[i]);
    if (x.exceptions) put_varint(out, x.exceptions);
    size_t last = 0;
    for (size_t i = 0; i < x.n && x.exceptions; i++) {
        int64_t m;
        if (is_number(c->v[i]) && decimal_nearest(c->v[i], p.k, &m)) continue;
        put_varint(out, i - last);
        buf_le64(out, double_bits(c->v[i]));
        last = i;
    }
    if (c->st_ms) put_starts(c, out);
    free(x.m);
    free(x.off);
}

static bool has_histograms(const struct columns *c) {
    for (size_t i = 0; c->h && i < c->n; i++)
        if (c->h[i]) return true;
    return false;
}

static void put_cells(const struct columns *c, struct buf *out) {
    buf_char(out, 0);
    struct chains in = {0};
    struct cells cells = {0};
    struct cell_state state = {0};
    AUTO(buf_done) struct buf code = {0};
    int64_t start = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->st_ms && c->st_ms[i] != start) {
            start = c->st_ms[i];
            cells_start(&in, &cells, start);
        }
        if (c->h[i]) {
            buf_clear(&code);
            histogram_encode(c->h[i], &code);
            cells_add_histogram(&in, &cells, &state, (uint32_t)i, buf_str(&code));
        } else {
            cells_add(&in, &cells, &state, (uint32_t)i, c->v[i]);
        }
    }
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str bytes = chain_str(&in, &cells.bytes, a);
    buf_put(out, bytes.p, bytes.n);
    chains_done(&in);
}

bool row_encode(const struct columns *c, const int64_t *clock, size_t clock_n, struct buf *out) {
    assert(c->n > 0);
    if (!put_presence(c, clock, clock_n, out)) return false;
    if (has_histograms(c))
        put_cells(c, out);
    else
        put_numbers(c, out);
    return true;
}

/* --- decoding */

static bool get_starts(struct reader *r, int64_t *st, size_t n) {
    uint64_t start = 0;
    for (size_t i = 0; i < n;) {
        uint64_t run = get_varint(r);
        start += (uint64_t)get_zigzag(r);
        if (r->bad || run == 0 || run > n - i) return false;
        for (; run > 0; run--) st[i++] = (int64_t)start;
    }
    return true;
}

static bool get_exceptions(struct reader *r, double *v, size_t n) {
    uint64_t count = get_varint(r);
    uint64_t at = 0;
    for (; count > 0; count--) {
        uint64_t gap = get_varint(r);
        uint64_t bits = get_le64(r);
        if (r->bad || gap >= n - at) return false;
        at += gap;
        v[at] = bits_double(bits);
    }
    return !r->bad;
}

static bool get_numbers(struct reader *r, unsigned kind, double *v, int64_t *st, size_t n) {
    str k_byte = get_bytes(r, 1);
    if (k_byte.n == 0 || (uint8_t)k_byte.p[0] > DECIMAL_K_MAX) return false;
    double scale = decimal_pow10[(uint8_t)k_byte.p[0]];
    uint64_t m = (uint64_t)get_zigzag(r);
    uint64_t step = 0;
    v[0] = (double)(int64_t)m / scale;
    if (kind & ROW_EQUAL) {
        for (size_t i = 1; i < n; i++) v[i] = v[0];
    } else if (kind & ROW_SECOND) {
        for (size_t i = 1; i < n; i++) {
            step += (uint64_t)get_zigzag(r);
            m += step;
            v[i] = (double)(int64_t)m / scale;
        }
    } else {
        for (size_t i = 1; i < n; i++) {
            m += (uint64_t)get_zigzag(r);
            v[i] = (double)(int64_t)m / scale;
        }
    }
    for (size_t i = 0; i < n && kind & ROW_ULPS; i++) {
        uint64_t off = (uint64_t)get_zigzag(r);
        if (off) v[i] = order_double((int64_t)((uint64_t)double_order(v[i]) + off));
    }
    if (kind & ROW_EXCEPTIONS && !get_exceptions(r, v, n)) return false;
    if (kind & ROW_STARTS && !get_starts(r, st, n)) return false;
    return !r->bad;
}

static bool damaged(struct err *e) {
    return err_set(e, ERR_CORRUPT, "a damaged row of samples");
}

/* Cuts what was appended behind `from` down to the time range. */
static void cut(struct columns *out, size_t from, int64_t from_ms, int64_t to_ms) {
    size_t first = from;
    size_t end = out->n;
    while (first < end && out->t_ms[first] < from_ms) first++;
    while (end > first && out->t_ms[end - 1] > to_ms) end--;
    size_t n = end - first;
    if (first > from) {
        memmove(out->t_ms + from, out->t_ms + first, n * sizeof *out->t_ms);
        memmove(out->v + from, out->v + first, n * sizeof *out->v);
        if (out->h) memmove(out->h + from, out->h + first, n * sizeof *out->h);
        if (out->st_ms) memmove(out->st_ms + from, out->st_ms + first, n * sizeof *out->st_ms);
    }
    out->n = from + n;
}

bool row_decode(str row, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out, struct err *e) {
    struct reader r = reader_open(row);
    const int64_t *t_ms;
    size_t n;
    if (!get_presence(&r, clock, clock_n, out->arena, &t_ms, &n)) return damaged(e);
    str kind_byte = get_bytes(&r, 1);
    if (kind_byte.n == 0 || n == 0) return damaged(e);
    unsigned kind = (uint8_t)kind_byte.p[0];
    if (!(kind & ROW_NUMBERS)) return cells_read(str_n(r.at, (size_t)(r.end - r.at)), t_ms, n, from_ms, to_ms, out, e);
    if (kind & ROW_STARTS) columns_want_starts(out);
    if (!columns_reserve(out, n, e)) return false;
    size_t from = out->n;
    memcpy(out->t_ms + from, t_ms, n * sizeof *t_ms);
    if (out->h) memset(out->h + from, 0, n * sizeof *out->h);
    if (out->st_ms) memset(out->st_ms + from, 0, n * sizeof *out->st_ms);
    if (!get_numbers(&r, kind, out->v + from, out->st_ms ? out->st_ms + from : NULL, n) || r.at != r.end) return damaged(e);
    out->n = from + n;
    cut(out, from, from_ms, to_ms);
    return true;
}
