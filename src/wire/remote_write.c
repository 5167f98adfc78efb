#include "wire/remote_write.h"

#include "codec/compress.h"
#include "codec/text.h"
#include "wire/rows.h"

struct request {
    enum remote_write_version version;
    struct arena *arena; /* the batch's */
    struct rows rows;
    struct otlp_partial *partial;
    str text;
    VEC(str) symbols;
    VEC(struct label) labels; /* of the series or exemplar being read */
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
static bool add_label(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    struct label l = {STR_INIT(""), STR_INIT("")};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            l.name = pb_bytes(&f);
        else if (f.num == 2)
            l.value = pb_bytes(&f);
    }
    vec_push(&r->labels, l);
    return !c.bad || broken(r, c.at);
}

/* labels_refs: name, value, name, value... as indexes of symbols */
static bool add_label_refs(struct request *r, const struct pb_field *f) {
    struct pb_packed refs = pb_packed_open(f, PB_VARINT);
    for (uint64_t name, value; pb_packed_next(&refs, &name);) {
        struct label l;
        if (!pb_packed_next(&refs, &value)) return broken(r, r->text.p);
        if (!symbol(r, name, &l.name) || !symbol(r, value, &l.value)) return false;
        vec_push(&r->labels, l);
    }
    return !refs.c.bad || broken(r, refs.c.at);
}

static bool label_field(struct request *r, const struct pb_field *f) {
    if (r->version == REMOTE_WRITE_2) return add_label_refs(r, f);
    return f->type != PB_BYTES || add_label(r, f->bytes);
}

/* --- native histograms */

struct spans {
    VEC(struct hist_span) s;
    VEC(double) counts;
};

static bool add_span(struct request *r, struct spans *side, const struct pb_field *f) {
    struct pb c = pb_open(pb_bytes(f));
    struct hist_span s = {0};
    for (struct pb_field x; pb_next(&c, &x);) {
        if (x.num == 1)
            s.offset = (int32_t)pb_sint(&x);
        else if (x.num == 2)
            s.n = (uint32_t)pb_i64(&x);
    }
    vec_push(&side->s, s);
    return !c.bad || broken(r, c.at);
}

/* Integer histograms carry the difference to the bucket before, float ones the counts. */
static bool add_counts(struct request *r, struct spans *side, const struct pb_field *f, bool deltas) {
    struct pb_packed p = pb_packed_open(f, deltas ? PB_VARINT : PB_FIXED64);
    for (uint64_t u; pb_packed_next(&p, &u);) {
        double v;
        memcpy(&v, &u, sizeof v);
        double last = side->counts.n ? side->counts.p[side->counts.n - 1] : 0;
        vec_push(&side->counts, deltas ? last + (double)unzigzag(u) : v);
    }
    return !p.c.bad || broken(r, p.c.at);
}

static void *keep(struct arena *a, const void *p, size_t n_bytes) {
    return n_bytes ? memcpy(arena_alloc(a, n_bytes), p, n_bytes) : NULL;
}

/* false: the spans do not fit the counts. */
static bool keep_side(struct arena *a, const struct spans *side, uint32_t *span_n, const struct hist_span **spans, uint32_t *n, const double **v) {
    uint64_t buckets = 0;
    for (size_t i = 0; i < side->s.n; i++) {
        buckets += side->s.p[i].n;
        if (i > 0 && side->s.p[i].offset < 0) return false;
    }
    *spans = keep(a, side->s.p, side->s.n * sizeof *side->s.p);
    *span_n = (uint32_t)side->s.n;
    *v = keep(a, side->counts.p, side->counts.n * sizeof *side->counts.p);
    *n = (uint32_t)side->counts.n;
    return buckets == side->counts.n;
}

static bool read_histogram(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    struct histogram h = {0};
    struct spans negative = {0}, positive = {0}, custom = {0};
    int64_t t_ms = 0, start_ms = 0;
    bool ok = true;
    for (struct pb_field f; ok && pb_next(&c, &f);) switch (f.num) {
        case 1: h.count = (double)(uint64_t)pb_i64(&f); break;
        case 2: h.count = pb_double(&f); break;
        case 3: h.sum = pb_double(&f); break;
        case 4: h.schema = (int32_t)pb_sint(&f); break;
        case 5: h.zero_threshold = pb_double(&f); break;
        case 6: h.zero_count = (double)(uint64_t)pb_i64(&f); break;
        case 7: h.zero_count = pb_double(&f); break;
        case 8: ok = add_span(r, &negative, &f); break;
        case 9: ok = add_counts(r, &negative, &f, true); break;
        case 10: ok = add_counts(r, &negative, &f, false); break;
        case 11: ok = add_span(r, &positive, &f); break;
        case 12: ok = add_counts(r, &positive, &f, true); break;
        case 13: ok = add_counts(r, &positive, &f, false); break;
        case 14: h.hint = pb_i64(&f) >= RESET_UNKNOWN && pb_i64(&f) <= RESET_GAUGE ? (enum reset_hint)pb_i64(&f) : RESET_UNKNOWN; break;
        case 15: t_ms = pb_i64(&f); break;
        case 16: ok = add_counts(r, &custom, &f, false); break;
        case 17: start_ms = pb_i64(&f); break;
        default: break;
        }
    if (c.bad) ok = broken(r, c.at);
    if (ok) {
        bool fits = keep_side(r->arena, &positive, &h.pos_span_n, &h.pos_spans, &h.pos_n, &h.pos) &&
                    keep_side(r->arena, &negative, &h.neg_span_n, &h.neg_spans, &h.neg_n, &h.neg) &&
                    (h.schema == HIST_SCHEMA_CUSTOM || (h.schema >= -4 && h.schema <= 8));
        h.custom = keep(r->arena, custom.counts.p, custom.counts.n * sizeof *custom.counts.p);
        h.custom_n = (uint32_t)custom.counts.n;
        if (fits) {
            rows_histogram(&r->rows, t_ms, keep(r->arena, &h, sizeof h));
            rows_start(&r->rows, start_ms);
        } else {
            otlp_reject(r->partial, "a native histogram whose spans do not fit its buckets, or of an unknown schema");
        }
    }
    vec_done(&negative.s);
    vec_done(&negative.counts);
    vec_done(&positive.s);
    vec_done(&positive.counts);
    vec_done(&custom.counts);
    return ok;
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
            ok = label_field(r, &f);
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

/* A few bytes of references can name a lot of text: bounds for one series and for all. */
enum { SERIES_BYTES_MAX = 64 << 10, DECODED_BYTES_MAX = 512 << 20 };

static bool check_labels(struct request *r, struct err *why) {
    struct labels ls = {r->labels.p, r->labels.n};
    size_t bytes = 0;
    for (size_t i = 0; i < ls.n; i++) bytes += ls.l[i].name.n + ls.l[i].value.n;
    if (bytes > SERIES_BYTES_MAX) return err_set(why, ERR_INPUT, "a series with %zu bytes of labels: at most %d are taken", bytes, SERIES_BYTES_MAX);
    if (!labels_sort(r->labels.p, &r->labels.n, why)) return false;
    ls.n = r->labels.n;
    if (labels_get(ls, LABEL_METRIC_NAME).n == 0) return err_set(why, ERR_INPUT, "a series without a metric name");
    for (size_t i = 0; i < ls.n; i++)
        if (ls.l[i].name.n == 0 || !utf8_valid(ls.l[i].name) || !utf8_valid(ls.l[i].value))
            return err_set(why, ERR_INPUT, "series %.60s: a label that is empty or not UTF-8",
                           arena_cstr(r->arena, labels_get(ls, LABEL_METRIC_NAME)));
    return true;
}

/* Both versions number the types as the model does. */
static enum metric_type type_of(int64_t number) {
    return number > 0 && number <= METRIC_STATESET ? (enum metric_type)number : METRIC_UNKNOWN;
}

/* Metadata of 2.0: {1: type, 3: help_ref, 4: unit_ref} */
static bool read_series_metadata(struct request *r, str bytes, str family) {
    struct pb c = pb_open(bytes);
    struct metric_meta m = {.family = family, .help = STR(""), .unit = STR("")};
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
    bool same = n && str_eq(r->rows.metas.p[n - 1].family, family);
    if (!same && (m.type != METRIC_UNKNOWN || m.help.n || m.unit.n)) vec_push(&r->rows.metas, m);
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

/* Twice over the series: its labels first, since they make the row. */
static bool read_series(struct request *r, str bytes) {
    struct pb c = pb_open(bytes);
    size_t samples = 0;
    r->labels.n = 0;
    for (struct pb_field f; pb_next(&c, &f);) {
        enum part part = part_of(r, &f);
        samples += part == PART_SAMPLE || part == PART_HISTOGRAM;
        if (part == PART_LABELS && !label_field(r, &f)) return false;
    }
    if (c.bad) return broken(r, c.at);
    struct err why;
    if (!check_labels(r, &why)) {
        otlp_reject(r->partial, "%s", why.msg);
        r->partial->rejected += samples ? samples - 1 : 0;
        return true;
    }
    if (samples == 0) return true;
    if (arena_used_bytes(r->arena) > r->text.n + DECODED_BYTES_MAX)
        return err_set(r->e, ERR_LIMIT, "the request is too large once decoded: send smaller batches");
    struct labels ls = {r->labels.p, r->labels.n};
    str name = labels_get(ls, LABEL_METRIC_NAME);
    rows_add(&r->rows, label_block(r->arena, ls));
    c = pb_open(bytes);
    bool ok = true;
    for (struct pb_field f; ok && pb_next(&c, &f);) {
        if (f.type != PB_BYTES) continue;
        switch (part_of(r, &f)) {
        case PART_NONE:
        case PART_LABELS: break;
        case PART_SAMPLE: ok = read_sample(r, f.bytes); break;
        case PART_EXEMPLAR: ok = read_exemplar(r, f.bytes); break;
        case PART_HISTOGRAM: ok = read_histogram(r, f.bytes); break;
        case PART_METADATA: ok = read_series_metadata(r, f.bytes, name); break;
        }
    }
    return ok;
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
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 4) vec_push(&r->symbols, pb_bytes(&f));
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
    AUTO(buf_done) struct buf text = {0};
    if (!snappy_decode(body, max_bytes, &text, e)) return err_wrap(e, "remote write body");
    struct otlp_partial mine = {0};
    struct request r = {.version = version, .partial = &mine, .e = e};
    r.rows.batch = metric_batch_new(text.n * 3 + 1024);
    r.arena = r.rows.batch->arena;
    r.rows.batch->row_labels = label_block_row;
    r.text = arena_str(r.arena, buf_str(&text));
    bool ok = read_request(&r);
    vec_done(&r.symbols);
    vec_done(&r.labels);
    if (!ok) {
        rows_done(&r.rows);
        metric_batch_free(r.rows.batch);
        return false;
    }
    rows_finish(&r.rows);
    *partial = mine;
    *out = r.rows.batch;
    return true;
}
