#include "wire/openmetrics_check.h"

#include <math.h>

#include "base/hash.h"
#include "base/map.h"
#include "codec/num.h"
#include "wire/prom_lex.h"
#include "wire/prom_text.h"

enum { SUFFIXES_MAX = 5, EXEMPLAR_CHARS_MAX = 128 };
#define NO_TIME INT64_MIN

/* Sample names of each type: the family's name and one of these. */
static const struct type {
    str name;
    enum metric_type type;
    const char *suffixes[SUFFIXES_MAX];
} types[] = {
    {STR_INIT("unknown"), METRIC_UNKNOWN, {""}},
    {STR_INIT("counter"), METRIC_COUNTER, {"_total", "_created"}},
    {STR_INIT("gauge"), METRIC_GAUGE, {""}},
    {STR_INIT("histogram"), METRIC_HISTOGRAM, {"_bucket", "_count", "_sum", "_created"}},
    {STR_INIT("gaugehistogram"), METRIC_GAUGEHISTOGRAM, {"_bucket", "_gcount", "_gsum"}},
    {STR_INIT("summary"), METRIC_SUMMARY, {"", "_count", "_sum", "_created"}},
    {STR_INIT("info"), METRIC_INFO, {"_info"}},
    {STR_INIT("stateset"), METRIC_STATESET, {""}},
};

/* The series of one histogram (labels but le, one timestamp) as they pass by. */
struct buckets {
    bool any, has_negative, has_sum, has_count, negative_sum;
    double last_bound, last_value, count;
};

struct family {
    str name, unit;
    const struct type *type;
    bool has_type, has_help, has_unit, has_samples;
    struct map groups; /* hashes of the label sets that are complete */
    uint64_t group;
    bool in_group;
    int64_t group_t_ms;
    struct buckets buckets;
};

struct check {
    struct arena *arena;
    const struct metric_batch *batch;
    size_t row, line;
    struct map names; /* hashes of all sample names that families have claimed */
    struct family f;
    bool in_family;
    struct err *e;
};

struct sample {
    str suffix; /* behind the family's name */
    struct labels labels;
    double v;
    int64_t t_ms;
    const struct exemplar *exemplar;
};

static bool wrong(struct check *c, const char *what) {
    return err_set(c->e, ERR_INPUT, "line %zu: %s (metric %" STR_F ")", c->line, what, STR_A(c->f.name));
}

static bool seen(const struct map *m, uint64_t hash) {
    return map_first(m, hash) != MAP_END;
}

static bool is_histogram(const struct family *f) {
    return f->type->type == METRIC_HISTOGRAM || f->type->type == METRIC_GAUGEHISTOGRAM;
}

/* --- histograms */

static bool end_buckets(struct check *c) {
    struct buckets b = c->f.buckets;
    c->f.buckets = (struct buckets){0};
    if (!is_histogram(&c->f) || !c->f.in_group) return true;
    if (!b.any || !isinf(b.last_bound)) return wrong(c, "the +Inf bucket is missing");
    if (b.has_count && b.count != b.last_value) return wrong(c, "the count is not the value of the +Inf bucket");
    if (b.has_count != b.has_sum && !(b.has_negative && b.has_count && c->f.type->type == METRIC_HISTOGRAM))
        return wrong(c, "sum and count must stand together");
    if (b.has_negative && b.has_sum && c->f.type->type == METRIC_HISTOGRAM) return wrong(c, "a histogram with negative buckets has no sum");
    if (!b.has_negative && b.negative_sum) return wrong(c, "a negative sum without negative buckets");
    return true;
}

static bool bucket(struct check *c, const struct sample *s) {
    struct buckets *b = &c->f.buckets;
    str le = labels_get(s->labels, STR("le"));
    double bound;
    if (!num_parse_double(le, &bound) || isnan(bound) || (isinf(bound) && !str_eq(le, STR("+Inf"))))
        return wrong(c, "a bucket needs a label le that is a number or +Inf");
    if (b->any && bound <= b->last_bound) return wrong(c, "buckets must ascend");
    if (b->any && s->v < b->last_value) return wrong(c, "bucket values must not fall");
    b->any = true;
    b->has_negative |= bound < 0;
    b->last_bound = bound;
    b->last_value = s->v;
    return true;
}

static bool histogram_sample(struct check *c, const struct sample *s) {
    struct buckets *b = &c->f.buckets;
    if (str_eq(s->suffix, STR("_bucket"))) return bucket(c, s);
    if (str_ends(s->suffix, STR("count"))) b->has_count = true, b->count = s->v;
    if (str_ends(s->suffix, STR("sum"))) b->has_sum = true, b->negative_sum = s->v < 0;
    return true;
}

/* --- families */

static bool end_family(struct check *c) {
    if (!c->in_family) return true;
    if (!end_buckets(c)) return false;
    c->in_family = false;
    map_done(&c->f.groups);
    if (c->f.unit.n && (c->f.type->type == METRIC_INFO || c->f.type->type == METRIC_STATESET)) return wrong(c, "a metric of this type has no unit");
    bool own_name = false; /* the family's own name is claimed too, whatever its samples are called */
    for (size_t i = 0; i <= SUFFIXES_MAX; i++) {
        const char *suffix = i < SUFFIXES_MAX ? c->f.type->suffixes[i] : own_name ? NULL : "";
        if (!suffix) continue;
        own_name |= suffix[0] == 0;
        uint64_t hash = hash_str(arena_printf(c->arena, "%" STR_F "%s", STR_A(c->f.name), suffix));
        if (seen(&c->names, hash)) return wrong(c, "the name clashes with a metric before it");
        map_put(&c->names, hash, 1);
    }
    return true;
}

static bool begin_family(struct check *c, str name) {
    if (!end_family(c)) return false;
    c->f = (struct family){.name = name, .type = &types[0], .unit = STR("")};
    c->in_family = true;
    return true;
}

/* "# HELP name text", checked already for its form. */
static bool metadata_line(struct check *c, str line) {
    str word, name;
    line = str_from(line, 2);
    str_cut(&line, ' ', &word);
    str_cut(&line, ' ', &name);
    if ((!c->in_family || !str_eq(name, c->f.name)) && !begin_family(c, name)) return false;
    if (c->f.has_samples) return wrong(c, "metadata must stand before the samples");
    bool *once = str_eq(word, STR("HELP")) ? &c->f.has_help : str_eq(word, STR("TYPE")) ? &c->f.has_type : &c->f.has_unit;
    if (*once) return wrong(c, "metadata is repeated");
    *once = true;
    if (once == &c->f.has_unit) c->f.unit = line;
    for (size_t i = 0; once == &c->f.has_type && i < ARRAY_N(types); i++)
        if (str_eq(types[i].name, line)) c->f.type = &types[i];
    return true;
}

/* --- samples */

static bool belongs(const struct family *f, str name, str *suffix) {
    if (!str_starts(name, f->name)) return false;
    str rest = str_from(name, f->name.n);
    for (size_t i = 0; i < SUFFIXES_MAX && f->type->suffixes[i]; i++) {
        if (!str_eq_c(rest, f->type->suffixes[i])) continue;
        *suffix = rest;
        return true;
    }
    return false;
}

static bool check_exemplar(struct check *c, const struct sample *s) {
    if (!s->exemplar) return true;
    bool on_bucket = is_histogram(&c->f) && str_eq(s->suffix, STR("_bucket"));
    bool on_total = c->f.type->type == METRIC_COUNTER && str_eq(s->suffix, STR("_total"));
    if (!on_bucket && !on_total) return wrong(c, "only buckets and totals have exemplars");
    size_t chars = 0;
    for (size_t i = 0; i < s->exemplar->labels.n; i++) {
        str parts[2] = {s->exemplar->labels.l[i].name, s->exemplar->labels.l[i].value};
        for (size_t k = 0; k < 2; k++)
            for (size_t at = 0; at < parts[k].n; at++) chars += ((uint8_t)parts[k].p[at] & 0xc0) != 0x80; /* code points */
    }
    return chars <= EXEMPLAR_CHARS_MAX || wrong(c, "an exemplar's labels have more than 128 characters");
}

static bool check_value(struct check *c, const struct sample *s) {
    enum metric_type type = c->f.type->type;
    bool sum = str_ends(s->suffix, STR("sum"));
    bool count = str_eq(s->suffix, STR("_bucket")) || str_ends(s->suffix, STR("count"));
    bool total = sum || count || str_eq(s->suffix, STR("_total"));
    if (total && isnan(s->v)) return wrong(c, "totals, counts and sums are never NaN");
    if (total && s->v < 0 && !str_eq(s->suffix, STR("_gsum"))) return wrong(c, "totals, counts and sums are never negative");
    if (count && s->v != floor(s->v)) return wrong(c, "counts are whole numbers");
    if (type == METRIC_INFO && s->v != 1) return wrong(c, "an info metric has the value 1");
    if (type == METRIC_STATESET && s->v != 0 && s->v != 1) return wrong(c, "a state is 0 or 1");
    if (type == METRIC_STATESET && labels_get(s->labels, c->f.name).n == 0) return wrong(c, "a stateset needs a label of its own name");
    if (type != METRIC_SUMMARY || s->suffix.n) return true;
    double quantile;
    if (!num_parse_double(labels_get(s->labels, STR("quantile")), &quantile) || !(quantile >= 0 && quantile <= 1))
        return wrong(c, "a summary needs a label quantile from 0 to 1");
    return s->v >= 0 || isnan(s->v) || wrong(c, "a quantile is never negative");
}

/* The labels that name a series' group: without those that tell its members apart. */
static uint64_t group_of(const struct check *c, struct labels ls) {
    struct label *l = arena_new_n(c->arena, struct label, ls.n);
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        str name = ls.l[i].name;
        bool inner = str_eq(name, LABEL_METRIC_NAME) || (is_histogram(&c->f) && str_eq(name, STR("le"))) ||
                     (c->f.type->type == METRIC_SUMMARY && str_eq(name, STR("quantile"))) ||
                     (c->f.type->type == METRIC_STATESET && str_eq(name, c->f.name));
        if (!inner) l[n++] = ls.l[i];
    }
    return labels_hash((struct labels){l, n});
}

static bool check_group(struct check *c, const struct sample *s) {
    struct family *f = &c->f;
    uint64_t group = group_of(c, s->labels);
    if (!f->in_group || group != f->group) {
        if (!end_buckets(c)) return false;
        if (seen(&f->groups, group)) return wrong(c, "the series of one label set must stand together");
        map_put(&f->groups, group, 1);
    } else {
        if ((s->t_ms == NO_TIME) != (f->group_t_ms == NO_TIME)) return wrong(c, "timestamps on some samples of a group only");
        if (s->t_ms < f->group_t_ms && f->type->type != METRIC_INFO) return wrong(c, "timestamps must not go back");
        if (s->t_ms != f->group_t_ms && !end_buckets(c)) return false;
    }
    f->in_group = true;
    f->group = group;
    f->group_t_ms = s->t_ms;
    return true;
}

static bool read_sample(struct check *c, struct sample *out, str *name) {
    const struct series_row *row = &c->batch->rows[c->row++];
    struct prom_lex lex = {.at = row->key.p, .end = row->key.p + row->key.n, .openmetrics = true};
    struct prom_labels found = {.arena = c->arena};
    struct err why;
    bool ok = prom_lex_series(&lex, &found) && labels_sort(found.l.p, &found.l.n, &why);
    struct labels ls = ok ? labels_copy(c->arena, (struct labels){found.l.p, found.l.n}) : (struct labels){0};
    vec_done(&found.l);
    *name = labels_get(ls, LABEL_METRIC_NAME);
    *out = (struct sample){.labels = ls, .v = c->batch->v[row->sample_at], .t_ms = c->batch->t_ms[row->sample_at]};
    if (row->exemplar_n) out->exemplar = &c->batch->exemplars[row->exemplar_at];
    if (!ok) return wrong(c, "a label is repeated");
    return !str_ends(row->key, STR(",}")) || wrong(c, "a comma without a label behind it");
}

static bool sample_line(struct check *c) {
    struct sample s;
    str name;
    if (!read_sample(c, &s, &name)) return false;
    if (!c->in_family || !belongs(&c->f, name, &s.suffix)) {
        if (!begin_family(c, name)) return false;
        s.suffix = STR("");
    }
    c->f.has_samples = true;
    return check_value(c, &s) && check_group(c, &s) && check_exemplar(c, &s) && (!is_histogram(&c->f) || histogram_sample(c, &s));
}

static bool check_lines(struct check *c, str text) {
    for (str line; text.n && str_cut(&text, '\n', &line);) {
        c->line++;
        if (str_eq(line, STR("# EOF"))) break;
        if (!(line.p[0] == '#' ? metadata_line(c, line) : sample_line(c))) return false;
    }
    return end_family(c);
}

bool openmetrics_check(str text, struct err *e) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(text.n * 2 + 1024);
    const struct prom_text_options o = {.default_t_ms = NO_TIME, .honor_timestamps = true, .openmetrics = true};
    if (!prom_text_parse(arena_str(b->arena, text), &o, b, e)) return false;
    struct check c = {.arena = b->arena, .batch = b, .e = e};
    bool ok = check_lines(&c, text);
    map_done(&c.names);
    map_done(&c.f.groups);
    return ok;
}
