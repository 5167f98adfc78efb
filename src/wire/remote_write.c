#include "wire/remote_write.h"

#include "base/hash.h"
#include "codec/compress.h"
#include "codec/text.h"
#include "wire/native_hist.h"
#include "wire/rows.h"

struct request {
    enum remote_write_version version;
    struct arena *arena; /* the batch's */
    struct rows rows;
    struct native_hist native;
    struct otlp_partial *partial;
    str text;
    VEC(str) symbols;
    VEC(uint64_t) symbol_hashes;
    VEC(uint32_t) refs;       /* of the series being read, then of its exemplar: name, value, name, value... */
    VEC(struct label) labels; /* of the exemplar being read */
    struct err *e;
};

static bool broken(struct request *r, const void *at) {
    return err_set(r->e, ERR_INPUT, "not a remote write request (at byte %zu)", (size_t)((const char *)at - r->text.p));
}

/* --- labels */

static bool symbol(struct request *r, uint64_t ref, str *out) {
    if (ref >= r->symbols.n) return err_set(r->e, ERR_INPUT, "symbol reference %llu of %zu symbols", (unsigned long long)ref, r->symbols.n);
    *out = r->symbols.p[ref];
    return true;
}

/* Label{1: name, 2: value} */
static bool read_label(str bytes, struct label *out) {
    struct pb c = pb_open(bytes);
    *out = (struct label){STR_INIT(""), STR_INIT("")};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            out->name = pb_bytes(&f);
        else if (f.num == 2)
            out->value = pb_bytes(&f);
    }
    return !c.bad;
}

/* labels_refs: name, value, name, value... as indexes of symbols */
static bool add_label_refs(struct request *r, const struct pb_field *f) {
    struct pb_packed refs = pb_packed_open(f, PB_VARINT);
    for (uint64_t ref; pb_packed_next(&refs, &ref);) {
        str ignored;
        if (!symbol(r, ref, &ignored)) return false;
        vec_push(&r->refs, (uint32_t)ref);
    }
    return !refs.c.bad || broken(r, refs.c.at);
}

/* A label, or labels, of an exemplar. */
static bool exemplar_label(struct request *r, const struct pb_field *f) {
    if (r->version == REMOTE_WRITE_1) return f->type != PB_BYTES || read_label(f->bytes, vec_add(&r->labels)) || broken(r, f->bytes.p);
    size_t of_series = r->refs.n;
    if (!add_label_refs(r, f)) return false;
    if ((r->refs.n - of_series) % 2) return broken(r, f->bytes.p);
    for (size_t i = of_series; i < r->refs.n; i += 2)
        vec_push(&r->labels, ((struct label){r->symbols.p[r->refs.p[i]], r->symbols.p[r->refs.p[i + 1]]}));
    r->refs.n = of_series;
    return true;
}

/* --- keys: what the store knows a series by. Its labels are looked at only when the store asks for them, which is once for each new series. */

enum { SERIES_BYTES_MAX = 64 << 10, DECODED_BYTES_MAX = 512 << 20 };

static bool check_labels(struct label *l, size_t n, struct arena *a, struct labels *out, struct err *e) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += l[i].name.n + l[i].value.n;
    if (bytes > SERIES_BYTES_MAX) return err_set(e, ERR_INPUT, "a series with %zu bytes of labels: at most %d are taken", bytes, SERIES_BYTES_MAX);
    if (!labels_sort(l, &n, e)) return false;
    struct labels ls = {l, n};
    if (labels_get(ls, LABEL_METRIC_NAME).n == 0) return err_set(e, ERR_INPUT, "a series without a metric name");
    for (size_t i = 0; i < n; i++)
        if (l[i].name.n == 0 || !utf8_valid(l[i].name) || !utf8_valid(l[i].value))
            return err_set(e, ERR_INPUT, "series %.60s: a label that is empty or not UTF-8", arena_cstr(a, labels_get(ls, LABEL_METRIC_NAME)));
    *out = ls;
    return true;
}

/* 1.0: the key is the label fields of the TimeSeries as they came. */
static bool labels_of_fields(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    size_t most = 0;
    struct pb c = pb_open(b->rows[i].key);
    for (struct pb_field f; pb_next(&c, &f);) most++;
    struct label *l = arena_new_n(a, struct label, most);
    size_t n = 0;
    c = pb_open(b->rows[i].key);
    for (struct pb_field f; pb_next(&c, &f);)
        if (!read_label(pb_bytes(&f), &l[n++])) return err_set(e, ERR_INPUT, "a series whose labels are not protobuf");
    return check_labels(l, n, a, out, e);
}

/* 2.0: the key is a hash over the symbols the labels refer to; numbers of symbols mean something else in each request. Behind it: the references. */
struct symbol_key {
    uint64_t hash;
    uint32_t n;
    uint32_t refs[];
};
static bool labels_of_symbols(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    const struct symbol_key *key = (const void *)b->rows[i].key.p;
    const str *symbols = b->row_labels_arg;
    struct label *l = arena_new_n(a, struct label, key->n / 2);
    for (uint32_t k = 0; k + 1 < key->n; k += 2) l[k / 2] = (struct label){symbols[key->refs[k]], symbols[key->refs[k + 1]]};
    return check_labels(l, key->n / 2, a, out, e);
}
static str symbol_key(struct request *r) {
    struct symbol_key *key = arena_alloc(r->arena, sizeof *key + r->refs.n * sizeof *key->refs);
    key->hash = r->refs.n;
    key->n = (uint32_t)r->refs.n;
    for (size_t i = 0; i < r->refs.n; i++) {
        key->refs[i] = r->refs.p[i];
        key->hash = hash_mix(key->hash, r->symbol_hashes.p[r->refs.p[i]]);
    }
    return str_n((const char *)&key->hash, sizeof key->hash);
}

/* --- native histograms */

static void *keep(struct arena *a, const void *p, size_t n_bytes) {
    return n_bytes ? memcpy(arena_alloc(a, n_bytes), p, n_bytes) : NULL;
}

/* "No reset" is about the sample before at the sender, which may have been lost or refused on the way: a query has to look for itself. */
static enum reset_hint hint_of(int64_t number) {
    return number == RESET_YES || number == RESET_GAUGE ? (enum reset_hint)number : RESET_UNKNOWN;
}

/* Integer histograms carry the difference to the bucket before, float ones the counts. One that is wrong in itself is refused alone. */
static bool read_histogram(struct request *r, str bytes) {
    struct native_hist *n = &r->native;
    struct histogram *h;
    int64_t t_ms = 0, start_ms = 0;
    bool ok = true;
    native_hist_begin(n);
    struct pb c = pb_open(bytes);
    for (struct pb_field f; ok && pb_next(&c, &f);) switch (f.num) {
        case 1: n->h.count = (double)(uint64_t)pb_i64(&f); break;
        case 2: n->h.count = pb_double(&f); break;
        case 3: n->h.sum = pb_double(&f); break;
        case 4: n->h.schema = (int32_t)pb_sint(&f); break;
        case 5: n->h.zero_threshold = pb_double(&f); break;
        case 6: n->h.zero_count = (double)(uint64_t)pb_i64(&f); break;
        case 7: n->h.zero_count = pb_double(&f); break;
        case 8: ok = native_hist_pb_span(&n->negative, &f); break;
        case 9: ok = native_hist_pb_deltas(&n->negative, &f); break;
        case 10: ok = native_hist_pb_counts(&n->negative, &f); break;
        case 11: ok = native_hist_pb_span(&n->positive, &f); break;
        case 12: ok = native_hist_pb_deltas(&n->positive, &f); break;
        case 13: ok = native_hist_pb_counts(&n->positive, &f); break;
        case 14: n->h.hint = hint_of(pb_i64(&f)); break;
        case 15: t_ms = pb_i64(&f); break;
        case 16: ok = native_hist_pb_custom(n, &f); break;
        case 17: start_ms = pb_i64(&f); break;
        default: break;
        }
    if (c.bad || !ok) return broken(r, c.at);
    struct err why;
    if (!native_hist_finish(n, r->arena, &h, &why)) {
        otlp_reject(r->partial, "%s", why.msg);
        return true;
    }
    rows_histogram(&r->rows, t_ms, h);
    rows_start(&r->rows, start_ms);
    return true;
}

/* --- series */

/* Sample{1: value, 2: timestamp, 3: start timestamp (2.0)} */
static bool read_sample(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    double v = 0;
    int64_t t_ms = 0, start_ms = 0;
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            v = pb_double(&f);
        else if (f.num == 2)
            t_ms = pb_i64(&f);
        else if (f.num == 3)
            start_ms = pb_i64(&f);
    }
    rows_sample(&r->rows, t_ms, v);
    rows_start(&r->rows, start_ms);
    return !c.bad || broken(r, c.at);
}

/* Exemplar{1: labels, 2: value, 3: timestamp} */
static bool read_exemplar(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    struct exemplar x = {0};
    bool ok = true;
    r->labels.n = 0;
    for (struct pb_field f; ok && pb_next(&c, &f);) {
        if (f.num == 1)
            ok = exemplar_label(r, &f);
        else if (f.num == 2)
            x.v = pb_double(&f);
        else if (f.num == 3)
            x.t_ms = pb_i64(&f);
    }
    if (c.bad || !ok) return ok && broken(r, c.at);
    if (!labels_sort(r->labels.p, &r->labels.n, NULL)) return true; /* a repeated label: the exemplar is left out */
    x.labels = (struct labels){keep(r->arena, r->labels.p, r->labels.n * sizeof *r->labels.p), r->labels.n};
    rows_exemplar(&r->rows, x);
    return true;
}

/* Both versions number the types as the model does. */
static enum metric_type type_of(int64_t number) {
    return number > 0 && number <= METRIC_STATESET ? (enum metric_type)number : METRIC_UNKNOWN;
}

/* Metadata of 2.0: {1: type, 3: help_ref, 4: unit_ref} */
static bool read_series_metadata(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    struct metric_meta m = {.family = STR(""), .help = STR(""), .unit = STR("")};
    for (size_t i = 0; i < r->refs.n; i += 2)
        if (str_eq(r->symbols.p[r->refs.p[i]], LABEL_METRIC_NAME)) m.family = r->symbols.p[r->refs.p[i + 1]];
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            m.type = type_of(pb_i64(&f));
        else if (f.num == 3 && !symbol(r, (uint64_t)pb_i64(&f), &m.help))
            return false;
        else if (f.num == 4 && !symbol(r, (uint64_t)pb_i64(&f), &m.unit))
            return false;
    }
    if (c.bad) return broken(r, c.at);
    size_t n = r->rows.metas.n;
    bool same = n && str_eq(r->rows.metas.p[n - 1].family, m.family);
    if (!same && m.family.n && (m.type != METRIC_UNKNOWN || m.help.n || m.unit.n)) vec_push(&r->rows.metas, m);
    return true;
}

enum part { PART_NONE, PART_LABELS, PART_SAMPLE, PART_EXEMPLAR, PART_HISTOGRAM, PART_METADATA };
/* TimeSeries' field numbers differ between the versions. */
static const uint8_t parts[2][6] = {
    [REMOTE_WRITE_1] = {[1] = PART_LABELS, [2] = PART_SAMPLE, [3] = PART_EXEMPLAR, [4] = PART_HISTOGRAM},
    [REMOTE_WRITE_2] = {[1] = PART_LABELS, [2] = PART_SAMPLE, [3] = PART_HISTOGRAM, [4] = PART_EXEMPLAR, [5] = PART_METADATA},
};
static enum part part_of(const struct request *r, const struct pb_field *f) {
    return f->num < ARRAY_N(parts[0]) ? (enum part)parts[r->version][f->num] : PART_NONE;
}

/* The label fields of a series that are not side by side, which no known client sends: put together. */
static str scattered_labels(struct request *r, str bytes) {
    char *all = arena_alloc(r->arena, bytes.n);
    size_t n = 0;
    struct pb c = pb_open(bytes);
    const uint8_t *from = c.at;
    for (struct pb_field f; pb_next(&c, &f); from = c.at) {
        if (part_of(r, &f) != PART_LABELS) continue;
        memcpy(all + n, from, (size_t)(c.at - from));
        n += (size_t)(c.at - from);
    }
    return str_n(all, n);
}

/* A TimeSeries being read; its fields come in any order. */
struct series {
    const uint8_t *labels, *labels_end; /* 1.0: the run of label fields */
    bool scattered;                     /* there is more than one run */
    str metadata;
};

static bool read_field(struct request *r, struct series *s, const struct pb_field *f, const uint8_t *from, const uint8_t *to) {
    switch (part_of(r, f)) {
    case PART_NONE: return true;
    case PART_LABELS:
        if (r->version == REMOTE_WRITE_2) return add_label_refs(r, f);
        s->scattered |= s->labels && s->labels_end != from;
        if (!s->labels) s->labels = from;
        s->labels_end = to;
        return true;
    case PART_SAMPLE: return f->type != PB_BYTES || read_sample(r, f->bytes);
    case PART_EXEMPLAR: return f->type != PB_BYTES || read_exemplar(r, f->bytes);
    case PART_HISTOGRAM: return f->type != PB_BYTES || read_histogram(r, f->bytes);
    case PART_METADATA: s->metadata = pb_bytes(f); return true;
    }
    return true;
}

static bool read_series(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    struct series s = {0};
    const uint8_t *from = c.at;
    size_t refused = r->partial->rejected;
    r->refs.n = 0;
    rows_begin(&r->rows);
    for (struct pb_field f; pb_next(&c, &f); from = c.at)
        if (!read_field(r, &s, &f, from, c.at)) return false;
    if (c.bad || r->refs.n % 2) return broken(r, c.at);
    if (arena_used_bytes(r->arena) > r->text.n + DECODED_BYTES_MAX)
        return err_set(r->e, ERR_TOO_LARGE, "the request is too large once decoded: send smaller batches");
    str key = r->version == REMOTE_WRITE_2 ? symbol_key(r)
              : s.scattered                ? scattered_labels(r, bytes)
                                           : str_n(s.labels, (size_t)(s.labels_end - s.labels));
    size_t samples = rows_end(&r->rows, key);
    if (samples > 0 && key.n > 0) return s.metadata.n == 0 || read_series_metadata(r, s.metadata);
    rows_drop(&r->rows);
    bool empty = samples == 0 && r->partial->rejected == refused;
    if (empty && r->version == REMOTE_WRITE_2) otlp_reject(r->partial, "a series without a sample or histogram"); /* as Prometheus */
    if (samples == 0) return true;
    otlp_reject(r->partial, "a series without a metric name");
    r->partial->rejected += samples - 1;
    return true;
}

/* MetricMetadata of 1.0: {1: type, 2: family, 4: help, 5: unit} */
static bool read_metadata(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    struct metric_meta m = {.family = STR(""), .help = STR(""), .unit = STR("")};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            m.type = type_of(pb_i64(&f));
        else if (f.num == 2)
            m.family = pb_bytes(&f);
        else if (f.num == 4)
            m.help = pb_bytes(&f);
        else if (f.num == 5)
            m.unit = pb_bytes(&f);
    }
    if (m.family.n) vec_push(&r->rows.metas, m);
    return !c.bad || broken(r, c.at);
}

static bool read_symbols(struct request *r) {
    struct pb c = pb_open(r->text);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num != 4) continue;
        vec_push(&r->symbols, pb_bytes(&f));
        vec_push(&r->symbol_hashes, hash_str(pb_bytes(&f)));
    }
    return !c.bad || broken(r, c.at);
}

static bool read_request(struct request *r) {
    uint32_t series_field = r->version == REMOTE_WRITE_1 ? 1 : 5;
    if (r->version == REMOTE_WRITE_2 && !read_symbols(r)) return false;
    struct pb c = pb_open(r->text);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.type != PB_BYTES) continue;
        if (f.num == series_field && !read_series(r, f.bytes)) return false;
        if (f.num == 3 && r->version == REMOTE_WRITE_1 && !read_metadata(r, f.bytes)) return false;
    }
    return !c.bad || broken(r, c.at);
}

bool remote_write_decode(str body, enum remote_write_version version, size_t max_bytes, struct metric_batch **out, struct otlp_partial *partial,
                         struct err *e) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(16 << 10);
    struct otlp_partial mine = {0};
    struct request r = {.version = version, .partial = &mine, .e = e, .arena = b->arena, .rows.batch = b};
    if (!snappy_decode_arena(body, max_bytes, b->arena, &r.text, e)) {
        if (e->code == ERR_LIMIT) e->code = ERR_TOO_LARGE;
        return err_wrap(e, "remote write body");
    }
    bool ok = read_request(&r);
    if (ok) rows_finish(&r.rows);
    b->row_labels = version == REMOTE_WRITE_2 ? labels_of_symbols : labels_of_fields;
    b->row_labels_arg = keep(b->arena, r.symbols.p, r.symbols.n * sizeof *r.symbols.p);
    rows_done(&r.rows);
    vec_done(&r.symbols);
    vec_done(&r.symbol_hashes);
    vec_done(&r.refs);
    native_hist_done(&r.native);
    vec_done(&r.labels);
    if (!ok) return false;
    *partial = mine;
    *out = TAKE(b);
    return true;
}
