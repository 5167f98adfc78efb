#include <stdlib.h>

#include "base/map.h"
#include "codec/compress.h"
#include "codec/varint.h"
#include "store/metrics/decimal.h"
#include "store/metrics/histcode.h"
#include "store/metrics/journal.h"

/* A row of the log's epoch: where it is in the head now, and the cell before. */
struct log_row {
    uint64_t id;
    uint32_t row;
    uint32_t trusted; /* the source's generation it was last known in; 0: never */
    struct cell_state last;
    int64_t start_ms;
    uint32_t code_at, code_n; /* the last histogram, in reader.codes */
};
struct log_source {
    uint64_t next_seq;
    uint32_t generation; /* goes up with each missing record */
};
struct journal_reader {
    uint64_t epoch;
    struct arena *labels;     /* of the epoch */
    VEC(struct log_row) rows; /* in the order they were defined; usually that of their numbers too */
    size_t hint;              /* the row used last */
    VEC(struct labels) sets;  /* targets and shapes */
    VEC(struct log_source) sources;
    struct map by_id[4]; /* enum log_noun: number in the log -> position + 1 */
    struct buf codes, unpacked;
};
enum log_noun { LOG_ROW, LOG_TARGET, LOG_SHAPE, LOG_SOURCE };
enum { JOURNAL_LABELS_MAX = 1 << 16 };

/* One record being replayed. */
struct record {
    struct journal_reader *r;
    struct reader in;
    struct head *h;
    const struct journal_use *use;
    struct journal_replay_stats *stats;
    struct log_source *source;
    uint64_t row;
    int64_t t_ms, start_ms;
    bool start_given;
};

struct journal_reader *journal_reader_new(void) {
    struct journal_reader *r = mem_zalloc(sizeof *r);
    r->labels = arena_new(4096);
    return r;
}
void journal_reader_free(struct journal_reader *r) {
    if (!r) return;
    arena_free(r->labels);
    vec_done(&r->rows);
    vec_done(&r->sets);
    for (size_t i = 0; i < ARRAY_N(r->by_id); i++) map_done(&r->by_id[i]);
    vec_done(&r->sources);
    buf_done(&r->codes);
    buf_done(&r->unpacked);
    free(r);
}

static void new_epoch(struct journal_reader *r, uint64_t epoch) {
    r->epoch = epoch;
    arena_reset(r->labels);
    r->rows.n = r->sets.n = r->sources.n = 0;
    for (size_t i = 0; i < ARRAY_N(r->by_id); i++) map_done(&r->by_id[i]);
    buf_clear(&r->codes);
}

/* The position kept for a number of the log; SIZE_MAX: none. Numbers may come twice: the map's hash is one to one, so no key is compared. */
static uint64_t id_hash(uint64_t id) {
    return id * UINT64_C(0x9e3779b97f4a7c15);
}
static size_t position(const struct journal_reader *r, enum log_noun noun, uint64_t id) {
    size_t at = map_first(&r->by_id[noun], id_hash(id));
    return at == MAP_END ? SIZE_MAX : (size_t)r->by_id[noun].slots[at].value - 1;
}
static void keep_position(struct journal_reader *r, enum log_noun noun, uint64_t id, size_t at) {
    size_t slot = map_first(&r->by_id[noun], id_hash(id));
    if (slot != MAP_END)
        r->by_id[noun].slots[slot].value = at + 1;
    else
        map_put(&r->by_id[noun], id_hash(id), at + 1);
}

static bool get_labels(struct reader *in, struct arena *a, struct labels *out) {
    uint64_t n = get_varint(in);
    if (n > JOURNAL_LABELS_MAX || n * 2 > (size_t)(in->end - in->at)) {
        in->bad = true;
        return false;
    }
    struct label *l = arena_new_n(a, struct label, n);
    for (size_t i = 0; i < n; i++) {
        l[i].name = arena_str(a, get_slice(in));
        l[i].value = arena_str(a, get_slice(in));
    }
    *out = (struct labels){l, n};
    return !in->bad;
}

/* --- definitions */

static void define_labels(struct record *c, enum log_noun noun) {
    uint64_t id = get_varint(&c->in);
    struct labels ls;
    if (!get_labels(&c->in, c->r->labels, &ls)) return;
    keep_position(c->r, noun, id, c->r->sets.n);
    vec_push(&c->r->sets, ls);
}

static struct log_row *log_row(struct record *c, uint64_t id) {
    struct journal_reader *r = c->r;
    size_t at = r->hint + 1;
    if (at >= r->rows.n || r->rows.p[at].id != id) at = position(r, LOG_ROW, id);
    if (at == SIZE_MAX) return NULL;
    r->hint = at;
    return &r->rows.p[at];
}

static bool sorted(struct labels ls) {
    for (size_t i = 1; i < ls.n; i++)
        if (str_cmp(ls.l[i - 1].name, ls.l[i].name) >= 0) return false;
    return true;
}

static void define_series(struct record *c) {
    struct journal_reader *r = c->r;
    size_t target = position(r, LOG_TARGET, get_varint(&c->in));
    size_t shape = position(r, LOG_SHAPE, get_varint(&c->in));
    if (c->in.bad || target == SIZE_MAX || shape == SIZE_MAX) return; /* a lost definition: its cells are counted as lost */
    struct labels t = r->sets.p[target];
    struct labels s = r->sets.p[shape];
    AUTO(arena_free) struct arena *a = arena_new(1024);
    size_t n = t.n + s.n;
    struct label *l = arena_new_n(a, struct label, n);
    if (t.n) memcpy(l, t.l, t.n * sizeof *l);
    if (s.n) memcpy(l + t.n, s.l, s.n * sizeof *l);
    if (n == 0 || !labels_sort(l, &n, NULL) || n != t.n + s.n || !sorted(t) || !sorted(s)) {
        c->in.bad = true;
        return;
    }
    uint32_t row = head_find_labels(c->h, (struct labels){l, n});
    if (row == ID_NONE) row = head_new_series(c->h, t, s);
    keep_position(r, LOG_ROW, c->row, r->rows.n);
    vec_push(&r->rows, ((struct log_row){.id = c->row, .row = row}));
}

/* --- cells */

static void add(struct record *c, struct log_row *w, double v, str code) {
    struct point p = {.t_ms = c->t_ms, .start_ms = w->start_ms, .v = v, .histogram = code};
    if (p.t_ms < -TIME_MAX_MS || p.t_ms > TIME_MAX_MS) {
        c->in.bad = true;
        return;
    }
    head_add(c->h, w->row, &p, 2 * TIME_MAX_MS);
    c->stats->cells++;
}

/* A cell that says its whole value: the row can be trusted from here. */
static struct log_row *whole(struct record *c) {
    struct log_row *w = log_row(c, c->row++);
    if (w) {
        w->trusted = c->source->generation;
        w->start_ms = c->start_given ? c->start_ms : 0;
    } else {
        c->stats->lost++;
    }
    c->start_given = false;
    return w;
}
static struct log_row *relative(struct record *c) {
    struct log_row *w = log_row(c, c->row++);
    c->start_given = false;
    if (w && w->trusted == c->source->generation) return w;
    c->stats->lost++;
    return NULL;
}

static void repeat(struct record *c, uint64_t n) {
    for (; n > 0; n--) {
        struct log_row *w = relative(c);
        if (!w) continue;
        if (w->last.histogram)
            add(c, w, 0, str_n(c->r->codes.p + w->code_at, w->code_n));
        else
            add(c, w, bits_double(w->last.bits), STR_NULL);
    }
}

static bool histogram_ok(str code) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct histogram *h;
    return histogram_decode(code, a, &h, NULL);
}

static void cell(struct record *c, const struct cell *x) {
    struct log_row *w;
    int64_t m;
    switch (x->kind) {
    case CELL_IS_START:
        c->start_ms = x->delta;
        c->start_given = true;
        return;
    case CELL_IS_SKIP: c->in.bad = true; return; /* never in the log */
    case CELL_IS_REPEAT: repeat(c, x->n); return;
    case CELL_IS_DELTA:
        w = relative(c);
        if (!w) return;
        if (!w->last.decimal || !decimal_nearest(bits_double(w->last.bits), w->last.k, &m)) {
            c->in.bad = true;
            return;
        }
        w->last.bits = double_bits(decimal_value((int64_t)((uint64_t)m + (uint64_t)x->delta), w->last.k));
        add(c, w, bits_double(w->last.bits), STR_NULL);
        return;
    case CELL_IS_VALUE:
        w = whole(c);
        if (!w) return;
        w->last = (struct cell_state){.bits = double_bits(x->v), .k = x->decimal ? x->k : w->last.k, .decimal = x->decimal};
        add(c, w, x->v, STR_NULL);
        return;
    case CELL_IS_HISTOGRAM:
        w = whole(c);
        if (!w) return;
        if (!histogram_ok(x->code) || c->r->codes.n + x->code.n > UINT32_MAX) {
            c->in.bad = true;
            return;
        }
        if (x->code.n > w->code_n) { /* reuse the row's place when it fits */
            w->code_at = (uint32_t)c->r->codes.n;
            buf_add(&c->r->codes, x->code);
        } else {
            memcpy(c->r->codes.p + w->code_at, x->code.p, x->code.n);
        }
        w->code_n = (uint32_t)x->code.n;
        w->last = (struct cell_state){.bits = 0, .k = w->last.k, .histogram = true};
        add(c, w, 0, x->code);
        return;
    }
}

static void late(struct record *c, bool is_histogram) {
    int64_t start_ms = get_zigzag(&c->in);
    str code = is_histogram ? get_slice(&c->in) : STR_NULL;
    double v = is_histogram ? 0 : bits_double(get_le64(&c->in));
    struct log_row *w = log_row(c, c->row++);
    if (c->in.bad) return;
    if (is_histogram && !histogram_ok(code)) {
        c->in.bad = true;
        return;
    }
    if (!w) {
        c->stats->lost++;
        return;
    }
    struct log_row at = *w;
    at.start_ms = start_ms;
    add(c, &at, v, code);
}

static void exemplar(struct record *c) {
    uint64_t row = get_varint(&c->in);
    struct exemplar x = {.t_ms = get_zigzag(&c->in)};
    x.v = bits_double(get_le64(&c->in));
    AUTO(arena_free) struct arena *a = arena_new(1024);
    if (!get_labels(&c->in, a, &x.labels)) return;
    const struct log_row *w = log_row(c, row);
    if (w) c->use->exemplar(c->use->arg, w->row, &x);
}

static void meta(struct record *c) {
    struct metric_meta m = {.family = get_slice(&c->in)};
    str type = get_bytes(&c->in, 1);
    m.help = get_slice(&c->in);
    m.unit = get_slice(&c->in);
    if (c->in.bad || (uint8_t)type.p[0] > METRIC_STATESET) {
        c->in.bad = true;
        return;
    }
    m.type = (enum metric_type)type.p[0];
    c->use->meta(c->use->arg, &m);
}

static void step(struct record *c) {
    unsigned code = *c->in.at;
    if (code < JOURNAL_ROW) {
        struct cell x = {0};
        if (cell_next(&c->in, &x)) cell(c, &x);
        return;
    }
    c->in.at++;
    switch (code) {
    case JOURNAL_ROW: c->row += (uint64_t)get_zigzag(&c->in); break;
    case JOURNAL_TIME: c->t_ms = (int64_t)((uint64_t)c->t_ms + (uint64_t)get_zigzag(&c->in)); break;
    case JOURNAL_TARGET: define_labels(c, LOG_TARGET); break;
    case JOURNAL_SHAPE: define_labels(c, LOG_SHAPE); break;
    case JOURNAL_SERIES: define_series(c); break;
    case JOURNAL_LATE: late(c, false); break;
    case JOURNAL_LATE_HISTOGRAM: late(c, true); break;
    case JOURNAL_EXEMPLAR: exemplar(c); break;
    case JOURNAL_META: meta(c); break;
    default: c->in.bad = true;
    }
}

/* What follows the form byte. */
static bool unpack(struct journal_reader *r, str payload, str *out, struct err *e) {
    struct reader in = reader_open(payload);
    str form = get_bytes(&in, 1);
    str rest = str_n(in.at, (size_t)(in.end - in.at));
    if (form.n && form.p[0] == JOURNAL_PLAIN) {
        *out = rest;
        return true;
    }
    if (!form.n || form.p[0] != JOURNAL_PACKED) return err_set(e, ERR_CORRUPT, "a metrics record of a form this program does not know");
    uint64_t n = get_varint(&in);
    buf_clear(&r->unpacked);
    if (in.bad || n > JOURNAL_RECORD_MAX || !zstd_decode(str_n(in.at, (size_t)(in.end - in.at)), n, &r->unpacked, NULL) || r->unpacked.n != n)
        return err_set(e, ERR_CORRUPT, "a damaged metrics record");
    *out = buf_str(&r->unpacked);
    return true;
}

bool journal_replay(struct journal_reader *r, str payload, struct head *h, const struct journal_use *use, struct journal_replay_stats *stats,
                    struct err *e) {
    struct record c = {.r = r, .h = h, .use = use, .stats = stats};
    if (!unpack(r, payload, &payload, e)) return false;
    c.in = reader_open(payload);
    uint64_t epoch = get_varint(&c.in);
    uint64_t source = get_varint(&c.in);
    uint64_t seq = get_varint(&c.in);
    if (c.in.bad) return err_set(e, ERR_CORRUPT, "a metrics record without its head");
    if (epoch != r->epoch) new_epoch(r, epoch);
    size_t at = position(r, LOG_SOURCE, source);
    if (at == SIZE_MAX) {
        at = r->sources.n;
        keep_position(r, LOG_SOURCE, source, at);
        vec_push(&r->sources, ((struct log_source){0, 1}));
    }
    c.source = &r->sources.p[at];
    if (seq != c.source->next_seq) c.source->generation++;
    c.source->next_seq = seq + 1;
    while (c.in.at < c.in.end && !c.in.bad) step(&c);
    if (!c.in.bad) return true;
    c.source->generation++; /* what the rest would have changed is not known */
    return err_set(e, ERR_CORRUPT, "a damaged metrics record (at byte %zu of %zu)", (size_t)(c.in.at - (const uint8_t *)payload.p), payload.n);
}
