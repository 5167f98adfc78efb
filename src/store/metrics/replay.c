#include <stdlib.h>

#include "codec/compress.h"
#include "codec/varint.h"
#include "store/metrics/decimal.h"
#include "store/metrics/histcode.h"
#include "store/metrics/journal.h"

/* A row of the log's epoch: where it is in the head now, and the cell before. */
struct log_row {
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
/* The log's numbers of one noun -> ours + 1; 0: not defined. */
struct numbers {
    VEC(uint32_t) ours;
};
enum log_noun { LOG_ROW, LOG_STRING, LOG_TARGET, LOG_SHAPE, LOG_SOURCE, LOG_NOUN_N };
enum { JOURNAL_LABELS_MAX = 1 << 16, JOURNAL_NUMBER_MAX = 1 << 26 };
struct journal_reader {
    uint64_t epoch;
    struct numbers by_id[LOG_NOUN_N]; /* of the epoch: rows and sources are positions here, the others are the head's */
    VEC(struct log_row) rows;
    VEC(struct log_source) sources;
    VEC(struct label_id) labels; /* scratch */
    struct buf codes, unpacked;
    struct zstd *zstd;
};

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
    r->zstd = zstd_new();
    return r;
}
void journal_reader_free(struct journal_reader *r) {
    if (!r) return;
    for (size_t i = 0; i < LOG_NOUN_N; i++) vec_done(&r->by_id[i].ours);
    vec_done(&r->rows);
    vec_done(&r->sources);
    vec_done(&r->labels);
    buf_done(&r->codes);
    buf_done(&r->unpacked);
    zstd_free(r->zstd);
    free(r);
}

static void new_epoch(struct journal_reader *r, uint64_t epoch) {
    r->epoch = epoch;
    r->rows.n = r->sources.n = 0;
    for (size_t i = 0; i < LOG_NOUN_N; i++) r->by_id[i].ours.n = 0;
    buf_clear(&r->codes);
}

/* ID_NONE: not defined. */
static uint32_t ours(const struct journal_reader *r, enum log_noun noun, uint64_t id) {
    return id < r->by_id[noun].ours.n ? r->by_id[noun].ours.p[id] - 1 : ID_NONE;
}
static void keep(struct record *c, enum log_noun noun, uint64_t id, uint32_t number) {
    struct numbers *x = &c->r->by_id[noun];
    if (id >= JOURNAL_NUMBER_MAX) {
        c->in.bad = true;
        return;
    }
    while (x->ours.n <= id) vec_push(&x->ours, 0);
    x->ours.p[id] = number + 1;
}

/* --- definitions */

static void define_string(struct record *c) {
    uint64_t id = get_varint(&c->in);
    str s = get_slice(&c->in);
    if (!c->in.bad) keep(c, LOG_STRING, id, strtab_put(&c->h->index.strings, s));
}

static str name_of(const struct record *c, struct label_id l) {
    return c->h->index.strings.s.p[l.name];
}

static uint32_t get_string(struct record *c, bool spelled) {
    if (spelled) return strtab_put(&c->h->index.strings, get_slice(&c->in));
    uint64_t id = get_varint(&c->in);
    return id == 0 ? 0 : ours(c->r, LOG_STRING, id);
}

/* A target or a shape; spelled: its labels are slices, not numbers of strings. */
static void define_labels(struct record *c, enum log_noun noun, bool spelled) {
    struct journal_reader *r = c->r;
    uint64_t id = get_varint(&c->in);
    uint64_t n = get_varint(&c->in);
    if (n > JOURNAL_LABELS_MAX || n * 2 > (size_t)(c->in.end - c->in.at)) c->in.bad = true;
    bool lost = false;
    r->labels.n = 0;
    for (uint64_t i = 0; i < n && !c->in.bad; i++) {
        struct label_id l = {.name = get_string(c, spelled)};
        l.value = get_string(c, spelled);
        lost |= l.name == ID_NONE || l.value == ID_NONE;
        if (!lost && i > 0 && str_cmp(name_of(c, r->labels.p[i - 1]), name_of(c, l)) >= 0) c->in.bad = true;
        vec_push(&r->labels, l);
    }
    if (lost || c->in.bad) return; /* lost: a string of a missing record; the cells are counted */
    struct index *x = &c->h->index;
    keep(c, noun, id, index_put_ids(x, noun == LOG_TARGET ? &x->targets : &x->shapes, r->labels.p, r->labels.n));
}

static void define_series(struct record *c) {
    struct journal_reader *r = c->r;
    uint32_t target = ours(r, LOG_TARGET, get_varint(&c->in));
    uint32_t shape = ours(r, LOG_SHAPE, get_varint(&c->in));
    if (c->in.bad || target == ID_NONE || shape == ID_NONE) return; /* a lost definition: its cells are counted as lost */
    const struct index *x = &c->h->index;
    uint32_t row;
    if (index_target(x, target)->n + index_shape(x, shape)->n == 0 || !head_put_row(c->h, target, shape, &row)) {
        c->in.bad = true;
        return;
    }
    keep(c, LOG_ROW, c->row, (uint32_t)r->rows.n);
    vec_push(&r->rows, ((struct log_row){.row = row}));
}

static struct log_row *log_row(struct record *c, uint64_t id) {
    uint32_t at = ours(c->r, LOG_ROW, id);
    return at == ID_NONE ? NULL : &c->r->rows.p[at];
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

static bool get_labels(struct reader *in, struct arena *a, struct labels *out) {
    uint64_t n = get_varint(in);
    if (n > JOURNAL_LABELS_MAX || n * 2 > (size_t)(in->end - in->at)) {
        in->bad = true;
        return false;
    }
    struct label *l = arena_new_n(a, struct label, n);
    for (size_t i = 0; i < n; i++) {
        l[i].name = get_slice(in);
        l[i].value = get_slice(in);
    }
    *out = (struct labels){l, n};
    return !in->bad;
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
    case JOURNAL_TARGET: define_labels(c, LOG_TARGET, true); break;
    case JOURNAL_SHAPE: define_labels(c, LOG_SHAPE, true); break;
    case JOURNAL_STRING: define_string(c); break;
    case JOURNAL_TARGET_IDS: define_labels(c, LOG_TARGET, false); break;
    case JOURNAL_SHAPE_IDS: define_labels(c, LOG_SHAPE, false); break;
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
    if (in.bad || n > JOURNAL_RECORD_MAX || !zstd_unpack(r->zstd, str_n(in.at, (size_t)(in.end - in.at)), n, &r->unpacked, NULL) ||
        r->unpacked.n != n)
        return err_set(e, ERR_CORRUPT, "a damaged metrics record");
    *out = buf_str(&r->unpacked);
    return true;
}

uint64_t journal_reader_epoch(const struct journal_reader *r) {
    return r->epoch;
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
    uint32_t at = ours(r, LOG_SOURCE, source);
    if (at == ID_NONE) {
        at = (uint32_t)r->sources.n;
        keep(&c, LOG_SOURCE, source, at);
        if (c.in.bad) return err_set(e, ERR_CORRUPT, "a metrics record of an impossible source");
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
