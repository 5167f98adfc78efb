#include "store/metrics/cells.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "codec/varint.h"
#include "store/metrics/decimal.h"
#include "store/metrics/histcode.h"

enum { CELL_12BIT_FROM = 96, CELL_19BIT_FROM = CELL_12BIT_FROM + (1 << 12), CELL_BYTES_FROM = CELL_19BIT_FROM + (1 << 19) };

static size_t put_delta(uint64_t z, uint8_t *out) {
    if (z < CELL_12BIT_FROM) {
        out[0] = (uint8_t)z;
        return 1;
    }
    if (z < CELL_19BIT_FROM) {
        z -= CELL_12BIT_FROM;
        out[0] = (uint8_t)(CELL_12BIT | z >> 8);
        out[1] = (uint8_t)z;
        return 2;
    }
    if (z < CELL_BYTES_FROM) {
        z -= CELL_19BIT_FROM;
        out[0] = (uint8_t)(CELL_19BIT | z >> 16);
        out[1] = (uint8_t)z;
        out[2] = (uint8_t)(z >> 8);
        return 3;
    }
    size_t n = (size_t)(71 - __builtin_clzll(z)) / 8;
    out[0] = (uint8_t)(CELL_BYTES | (n - 1));
    memcpy(out + 1, &z, n);
    return n + 1;
}

static size_t put_absolute(unsigned k, int64_t m, uint8_t *out) {
    size_t n = 0;
    out[n++] = CELL_ABSOLUTE;
    out[n++] = (uint8_t)k;
    uint64_t z = zigzag(m);
    for (; z >= 0x80; z >>= 7) out[n++] = (uint8_t)(z | 0x80);
    out[n++] = (uint8_t)z;
    return n;
}

size_t cell_encode(struct cell_state *s, double v, bool absolute, uint8_t out[CELL_OP_MAX_BYTES]) {
    uint64_t bits = double_bits(v);
    double before = bits_double(s->bits);
    bool delta = s->decimal && !absolute;
    s->bits = bits;
    s->histogram = false;
    s->decimal = true;
    int64_t m;
    int64_t old;
    if (decimal_exact(v, s->k, &m)) {
        if (!delta || !decimal_nearest(before, s->k, &old)) return put_absolute(s->k, m, out);
        return put_delta(zigzag(m - old), out);
    }
    unsigned k;
    if (decimal_find(v, 0, &k, &m)) {
        s->k = (uint8_t)k;
        return put_absolute(k, m, out);
    }
    s->decimal = false;
    if (bits == STALE_NAN_BITS) {
        out[0] = CELL_STALE;
        return 1;
    }
    out[0] = CELL_RAW;
    memcpy(out + 1, &bits, sizeof bits);
    return 1 + sizeof bits;
}

/* --- a growing row */

static void put(struct chains *in, struct cells *c, const void *p, size_t n) {
    chain_put(in, &c->bytes, p, n);
    c->bytes.mark = 0;
}

static void put_varint_op(struct chains *in, struct cells *c, enum cell_op op, uint64_t v) {
    uint8_t tmp[11];
    size_t n = 0;
    tmp[n++] = (uint8_t)op;
    for (; v >= 0x80; v >>= 7) tmp[n++] = (uint8_t)(v | 0x80);
    tmp[n++] = (uint8_t)v;
    put(in, c, tmp, n);
}

static void skip_to(struct chains *in, struct cells *c, uint32_t tick) {
    assert(tick >= c->tick);
    if (tick > c->tick) put_varint_op(in, c, CELL_SKIP, tick - c->tick);
    c->tick = tick + 1;
    c->n++;
}

static void repeat(struct chains *in, struct cells *c) {
    if (c->bytes.mark) {
        uint8_t *last = chain_last(in, &c->bytes);
        if (*last < CELL_REPEAT + CELL_REPEAT_MAX - 1) {
            ++*last;
            return;
        }
    }
    put(in, c, (const uint8_t[]){CELL_REPEAT}, 1);
    c->bytes.mark = 1;
}

void cells_add(struct chains *in, struct cells *c, struct cell_state *s, uint32_t tick, double v) {
    bool first = c->n == 0;
    skip_to(in, c, tick);
    if (!first && cell_same(s, v)) {
        repeat(in, c);
        return;
    }
    uint8_t tmp[CELL_OP_MAX_BYTES];
    size_t n = cell_encode(s, v, first, tmp);
    put(in, c, tmp, n);
}

void cells_add_histogram(struct chains *in, struct cells *c, struct cell_state *s, uint32_t tick, str code) {
    uint64_t hash = hash_check(code.p, code.n);
    bool first = c->n == 0;
    skip_to(in, c, tick);
    if (!first && s->histogram && s->bits == hash) {
        repeat(in, c);
        return;
    }
    put_varint_op(in, c, CELL_HISTOGRAM, code.n);
    put(in, c, code.p, code.n);
    *s = (struct cell_state){.bits = hash, .k = s->k, .histogram = true};
}

void cells_start(struct chains *in, struct cells *c, int64_t start_ms) {
    put_varint_op(in, c, CELL_START, zigzag(start_ms));
}

/* --- reading */

static uint64_t get_bytes_le(struct reader *r, size_t n) {
    uint64_t v = 0;
    str s = get_bytes(r, n);
    memcpy(&v, s.n ? s.p : "", s.n);
    return v;
}

static bool special_next(struct reader *r, unsigned op, struct cell *out) {
    switch (op) {
    case CELL_SKIP:
        out->kind = CELL_IS_SKIP;
        out->n = get_varint(r);
        break;
    case CELL_STALE: *out = (struct cell){.kind = CELL_IS_VALUE, .v = stale_nan()}; break;
    case CELL_RAW: *out = (struct cell){.kind = CELL_IS_VALUE, .v = bits_double(get_bytes_le(r, 8))}; break;
    case CELL_ABSOLUTE: {
        unsigned k = (unsigned)get_bytes_le(r, 1);
        int64_t m = get_zigzag(r);
        if (k > DECIMAL_K_MAX)
            r->bad = true;
        else
            *out = (struct cell){.kind = CELL_IS_VALUE, .v = decimal_value(m, k), .k = (uint8_t)k, .decimal = true};
        break;
    }
    case CELL_HISTOGRAM:
        out->kind = CELL_IS_HISTOGRAM;
        out->code = get_slice(r);
        break;
    case CELL_START:
        out->kind = CELL_IS_START;
        out->delta = get_zigzag(r);
        break;
    default: r->bad = true;
    }
    return !r->bad;
}

bool cell_next(struct reader *r, struct cell *out) {
    if (r->at == r->end) return false;
    unsigned op = *r->at++;
    if (op >= CELL_SKIP) return special_next(r, op, out);
    if (op >= CELL_REPEAT) {
        out->kind = CELL_IS_REPEAT;
        out->n = op - CELL_REPEAT + 1;
        return true;
    }
    uint64_t z = op;
    if (op >= CELL_BYTES)
        z = get_bytes_le(r, (op & 7) + 1);
    else if (op >= CELL_19BIT)
        z = CELL_19BIT_FROM + ((uint64_t)(op & 7) << 16) + get_bytes_le(r, 2);
    else if (op >= CELL_12BIT)
        z = CELL_12BIT_FROM + ((uint64_t)(op & 15) << 8) + get_bytes_le(r, 1);
    out->kind = CELL_IS_DELTA;
    out->delta = unzigzag(z);
    return !r->bad;
}

bool columns_reserve(struct columns *c, size_t more, struct err *e) {
    if (c->cap - c->n >= more) return true;
    size_t cap = MAX(c->n + more, c->cap + c->cap / 2);
    size_t each = 16 + (c->h ? sizeof *c->h : 0) + (c->st_ms ? sizeof *c->st_ms : 0);
    if ((cap - c->cap) * each > c->bytes_left) cap = c->n + more;
    if ((cap - c->cap) * each > c->bytes_left)
        return err_set(e, ERR_LIMIT, "the query reads too many samples: its memory limit is reached; select fewer series or a shorter range");
    c->bytes_left -= (cap - c->cap) * each;
    c->t_ms = arena_grow(c->arena, c->t_ms, c->cap * sizeof *c->t_ms, cap * sizeof *c->t_ms);
    c->v = arena_grow(c->arena, c->v, c->cap * sizeof *c->v, cap * sizeof *c->v);
    if (c->h) c->h = arena_grow(c->arena, c->h, c->cap * sizeof *c->h, cap * sizeof *c->h);
    if (c->st_ms) c->st_ms = arena_grow(c->arena, c->st_ms, c->cap * sizeof *c->st_ms, cap * sizeof *c->st_ms);
    c->cap = cap;
    return true;
}

void columns_want_histograms(struct columns *c) {
    if (c->h) return;
    c->h = arena_zalloc(c->arena, MAX(c->cap, 1) * sizeof *c->h);
}
void columns_want_starts(struct columns *c) {
    if (c->st_ms) return;
    c->st_ms = arena_zalloc(c->arena, MAX(c->cap, 1) * sizeof *c->st_ms);
}

/* Bytes after a difference operation above CELL_BYTE_MAX, and the z they are added to. */
static inline unsigned delta_extra(unsigned op) {
    if (op >= CELL_BYTES) return (op & 7) + 1;
    return op >= CELL_19BIT ? 2 : 1;
}
static inline uint64_t delta_base(unsigned op) {
    if (op >= CELL_BYTES) return 0;
    if (op >= CELL_19BIT) return CELL_19BIT_FROM + ((uint64_t)(op & 7) << 16);
    return CELL_12BIT_FROM + ((uint64_t)(op & 15) << 8);
}

/* A row being read: values go to out->v one by one; what goes with them (times, histograms, starts) by stretches of values that share it. */
struct decoder {
    const uint8_t *begin, *p, *end;
    const int64_t *clock;
    size_t clock_n, tick;
    size_t lo, hi; /* ticks that are asked for */
    struct columns *out;
    size_t n;                 /* values in out */
    size_t since, since_tick; /* where the stretch begins: on ticks without a gap */
    double v;
    uint64_t m;
    unsigned k;
    bool decimal; /* m and k hold */
    int64_t start_ms;
    const struct histogram *h;
};

static void end_stretch(struct decoder *d) {
    struct columns *out = d->out;
    if (d->n > d->since) memcpy(out->t_ms + d->since, d->clock + d->since_tick, (d->n - d->since) * sizeof *out->t_ms);
    for (size_t i = d->since; out->h && i < d->n; i++) out->h[i] = d->h;
    for (size_t i = d->since; out->st_ms && i < d->n; i++) out->st_ms[i] = d->start_ms;
    d->since = d->n;
    d->since_tick = MAX(d->tick, d->lo);
}

static bool damaged(const struct decoder *d, const uint8_t *at, const char *why, struct err *e) {
    return err_set(e, ERR_CORRUPT, "damaged cells at byte %zu: %s", (size_t)(at - d->begin), why);
}
static bool too_many(const struct decoder *d, const uint8_t *at, struct err *e) {
    return damaged(d, at, "more of them than timestamps", e);
}

/* The same before the first tick that is asked for: only the running value matters. Stops in front of anything unusual. */
static void skip_run(struct decoder *d) {
    const uint8_t *p = d->p;
    size_t tick = d->tick;
    uint64_t m = d->m;
    while (p < d->end && tick < d->lo) {
        unsigned op = *p;
        if (op <= CELL_BYTE_MAX) {
            m += (uint64_t)unzigzag(op);
            p++;
            tick++;
        } else if (op >= CELL_REPEAT && op < CELL_SKIP) {
            size_t run = op - CELL_REPEAT + 1;
            if (run > d->lo - tick) break;
            p++;
            tick += run;
        } else if (op < CELL_REPEAT && (size_t)(d->end - p) > sizeof(uint64_t)) {
            unsigned extra = delta_extra(op);
            uint64_t word;
            memcpy(&word, p + 1, sizeof word);
            m += (uint64_t)unzigzag(delta_base(op) + (word & UINT64_MAX >> (64 - 8 * extra)));
            p += 1 + extra;
            tick++;
        } else {
            break;
        }
    }
    if (m != d->m) d->v = (double)(int64_t)m / decimal_pow10[d->k];
    d->p = p;
    d->tick = tick;
    d->m = m;
}

/* Differences and repeats, up to another operation: most of all that is ever read, so its state is in registers and its reads are of 8 bytes. */
static bool decode_run(struct decoder *d, struct err *e) {
    const uint8_t *p = d->p;
    const uint8_t *const end = d->end;
    const size_t lo = d->lo;
    const size_t hi = d->hi;
    const double scale = decimal_pow10[d->k];
    double *const out = d->out->v;
    size_t tick = d->tick;
    size_t n = d->n;
    uint64_t m = d->m;
    double v = d->v;
    while (p < end && tick < hi && *p < CELL_SKIP) {
        unsigned op = *p++;
        if (op >= CELL_REPEAT) {
            size_t run = op - CELL_REPEAT + 1;
            if (run > d->clock_n - tick) return too_many(d, p, e);
            size_t stop = MIN(tick + run, hi);
            for (size_t i = MAX(tick, lo); i < stop; i++) out[n++] = v;
            tick += run;
            continue;
        }
        if (!d->decimal) return damaged(d, p, "a difference without a base", e);
        uint64_t z = op;
        if (op > CELL_BYTE_MAX) {
            unsigned extra = delta_extra(op);
            uint64_t word = 0;
            size_t left = (size_t)(end - p);
            if (left < extra) return damaged(d, p, "they end within a number", e);
            memcpy(&word, p, left < sizeof word ? extra : sizeof word);
            z = delta_base(op) + (word & UINT64_MAX >> (64 - 8 * extra));
            p += extra;
        }
        m += (uint64_t)unzigzag(z);
        v = (double)(int64_t)m / scale;
        out[n] = v; /* to be overwritten while before lo: there is room, hi > tick */
        n += tick >= lo;
        tick++;
    }
    d->p = p;
    d->tick = tick;
    d->n = n;
    d->m = m;
    d->v = v;
    return true;
}

/* A value of its own, float or histogram, at the next tick. */
static bool decode_value(struct decoder *d, const struct cell *c, struct err *e) {
    if (d->tick == d->clock_n) return too_many(d, d->p, e);
    struct histogram *h = NULL;
    int64_t m = 0;
    if (c->kind == CELL_IS_HISTOGRAM && !histogram_decode(c->code, d->out->arena, &h, e)) return false;
    bool decimal = c->kind == CELL_IS_VALUE && c->decimal;
    if (decimal && !decimal_nearest(c->v, c->k, &m)) return damaged(d, d->p, "a decimal out of range", e);
    if (h || d->h) end_stretch(d);
    if (h) columns_want_histograms(d->out);
    d->h = h;
    d->v = h ? 0 : c->v;
    d->decimal = decimal;
    d->m = (uint64_t)m;
    d->k = decimal ? c->k : 0;
    d->out->v[d->n] = d->v;
    d->n += d->tick >= d->lo;
    d->tick++;
    return true;
}

static bool decode_special(struct decoder *d, struct err *e) {
    struct reader r = {.at = d->p, .end = d->end};
    struct cell c;
    if (!cell_next(&r, &c)) return damaged(d, r.at, "an operation that is none, or cut off", e);
    d->p = r.at;
    switch (c.kind) {
    case CELL_IS_SKIP:
        if (c.n > d->clock_n - d->tick) return too_many(d, d->p, e);
        end_stretch(d);
        d->tick += c.n;
        d->since_tick = MAX(d->tick, d->lo);
        return true;
    case CELL_IS_START:
        end_stretch(d);
        columns_want_starts(d->out);
        d->start_ms = c.delta;
        return true;
    case CELL_IS_VALUE:
    case CELL_IS_HISTOGRAM: return decode_value(d, &c, e);
    case CELL_IS_DELTA:
    case CELL_IS_REPEAT: break; /* decode_run's */
    }
    return true;
}

/* The first tick with a time >= t_ms, or after it. */
static size_t tick_at(const int64_t *clock, size_t n, int64_t t_ms, bool after) {
    size_t from = 0;
    while (from < n) {
        size_t mid = from + (n - from) / 2;
        if (clock[mid] < t_ms || (after && clock[mid] == t_ms))
            from = mid + 1;
        else
            n = mid;
    }
    return from;
}

bool cells_read(str bytes, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out, struct err *e) {
    struct decoder d = {.clock = clock, .clock_n = clock_n, .out = out, .n = out->n, .since = out->n};
    d.begin = d.p = (const uint8_t *)bytes.p;
    d.end = d.p + bytes.n;
    d.lo = d.since_tick = tick_at(clock, clock_n, from_ms, false);
    d.hi = tick_at(clock, clock_n, to_ms, true);
    if (bytes.n == 0 || d.lo >= d.hi) return true;
    if (!columns_reserve(out, MIN(d.hi - d.lo, bytes.n * CELL_REPEAT_MAX), e)) return false;
    while (d.p < d.end && d.tick < d.hi) {
        if (d.decimal && d.tick < d.lo) skip_run(&d);
        if (d.p == d.end) break;
        if (!(*d.p < CELL_SKIP ? decode_run(&d, e) : decode_special(&d, e))) return false;
    }
    end_stretch(&d);
    out->n = d.n;
    return true;
}
