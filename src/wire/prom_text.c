#include "wire/prom_text.h"

#include <math.h>

#include "codec/num.h"
#include "codec/text.h"
#include "wire/prom_labels.h"
#include "wire/rows.h"

/* What row_labels needs beside the key. */
struct decoding {
    struct labels target;
    bool honor_labels, openmetrics;
    const uint8_t *types; /* enum metric_type in force at each row's line */
};

struct page {
    struct prom_lex lex;
    const char *start;
    const struct prom_text_options *o;
    struct arena *arena;
    struct rows rows;
    VEC(uint8_t) types;
    uint8_t type; /* of the last TYPE line */
    bool saw_eof;
};

static bool fail(struct page *p, const char *expected) {
    return prom_lex_fail(&p->lex, expected);
}
static inline bool at_char(const struct page *p, char ch) {
    return p->lex.at < p->lex.end && *p->lex.at == ch;
}
/* The end of the text ends a line too. */
static inline bool at_line_end(const struct page *p) {
    return p->lex.at == p->lex.end || *p->lex.at == '\n';
}
static inline void next_line(struct page *p) {
    if (p->lex.at < p->lex.end) p->lex.at++;
}
static bool starts_with(const struct page *p, str word) {
    return str_starts(str_n(p->lex.at, (size_t)(p->lex.end - p->lex.at)), word);
}
static str rest_of_line(struct page *p) {
    const char *from = p->lex.at, *eol = from < p->lex.end ? memchr(from, '\n', (size_t)(p->lex.end - from)) : NULL;
    p->lex.at = eol ? eol : p->lex.end;
    return str_n(from, (size_t)(p->lex.at - from));
}

/* --- metadata ------------------------------------------------------------------------------------------------------------------------- */

static const struct {
    str name;
    enum metric_type type;
    bool text, openmetrics; /* in which format it is a type */
} types[] = {
    {STR_INIT("counter"), METRIC_COUNTER, true, true},     {STR_INIT("gauge"), METRIC_GAUGE, true, true},
    {STR_INIT("histogram"), METRIC_HISTOGRAM, true, true}, {STR_INIT("gaugehistogram"), METRIC_GAUGEHISTOGRAM, false, true},
    {STR_INIT("summary"), METRIC_SUMMARY, true, true},     {STR_INIT("info"), METRIC_INFO, false, true},
    {STR_INIT("stateset"), METRIC_STATESET, false, true},  {STR_INIT("unknown"), METRIC_UNKNOWN, false, true},
    {STR_INIT("untyped"), METRIC_UNKNOWN, true, false},
};

/* HELP, TYPE and UNIT of one family stand together: they fill one meta. */
static struct metric_meta *meta_of(struct page *p, str family) {
    size_t n = p->rows.metas.n;
    if (n && str_eq(p->rows.metas.p[n - 1].family, family)) return &p->rows.metas.p[n - 1];
    struct metric_meta *m = vec_add(&p->rows.metas);
    m->family = family;
    return m;
}

static bool set_type(struct page *p, struct metric_meta *m, str text) {
    for (size_t i = 0; i < ARRAY_N(types); i++) {
        if (!str_eq(types[i].name, text) || !(p->o->openmetrics ? types[i].openmetrics : types[i].text)) continue;
        m->type = types[i].type;
        p->type = (uint8_t)types[i].type;
        return true;
    }
    return fail(p, "a metric type");
}

static bool set_help(struct page *p, struct metric_meta *m, str text) {
    if (!utf8_valid(text)) return fail(p, "UTF-8 in the help text");
    m->help = prom_unescape(p->arena, text, p->o->openmetrics);
    return true;
}

static bool set_unit(struct page *p, struct metric_meta *m, str unit) {
    str family = m->family;
    bool is_suffix = str_ends(family, unit) && family.n > unit.n && family.p[family.n - unit.n - 1] == '_';
    if (unit.n && !is_suffix) return fail(p, "a unit that is the suffix of the metric name");
    m->unit = unit;
    return true;
}

static const struct metadata {
    str word;
    bool (*set)(struct page *p, struct metric_meta *m, str text);
    bool openmetrics_only;
} metadata[] = {
    {STR_INIT("HELP"), set_help, false},
    {STR_INIT("TYPE"), set_type, false},
    {STR_INIT("UNIT"), set_unit, true},
};

static bool metadata_line(struct page *p, const struct metadata *kind) {
    str family;
    p->lex.at += kind->word.n + 1;
    if (!p->o->openmetrics) prom_skip_blanks(&p->lex);
    if (!prom_lex_name(&p->lex, p->arena, &family)) return false;
    if (p->o->openmetrics && !at_char(p, ' ')) return fail(p, "a blank and text behind the metric name");
    struct metric_meta *m = meta_of(p, family);
    const char *text_at = p->lex.at;
    str text = str_from(rest_of_line(p), 1);
    if (p->o->openmetrics && at_line_end(p) && p->lex.at == p->lex.end) return fail(p, "a line end behind the text");
    if (!kind->set(p, m, text)) {
        p->lex.at = text_at;
        return false;
    }
    next_line(p);
    return true;
}

static const struct metadata *metadata_kind(const struct page *p) {
    for (size_t i = 0; i < ARRAY_N(metadata); i++) {
        if (metadata[i].openmetrics_only && !p->o->openmetrics) continue;
        if (!starts_with(p, metadata[i].word)) continue;
        const char *behind = p->lex.at + metadata[i].word.n;
        if (behind < p->lex.end && (*behind == ' ' || (*behind == '\t' && !p->o->openmetrics))) return &metadata[i];
    }
    return NULL;
}

/* At '#'. */
static bool text_comment(struct page *p) {
    p->lex.at++;
    if (p->lex.at < p->lex.end && (prom_class[(uint8_t)*p->lex.at] & PROM_BLANK)) {
        prom_skip_blanks(&p->lex);
        const struct metadata *kind = metadata_kind(p);
        if (kind) return metadata_line(p, kind);
    }
    rest_of_line(p);
    next_line(p);
    return true;
}

static bool openmetrics_comment(struct page *p) {
    if (!starts_with(p, STR("# "))) return fail(p, "\"# HELP \", \"# TYPE \", \"# UNIT \" or \"# EOF\"");
    p->lex.at += 2;
    const struct metadata *kind = metadata_kind(p);
    if (kind) return metadata_line(p, kind);
    if (!starts_with(p, STR("EOF"))) return fail(p, "HELP, TYPE, UNIT or EOF");
    p->lex.at += 3;
    if (at_char(p, '\n')) p->lex.at++;
    if (p->lex.at != p->lex.end) return fail(p, "nothing behind \"# EOF\"");
    p->saw_eof = true;
    return true;
}

/* --- samples -------------------------------------------------------------------------------------------------------------------------- */

static inline bool number(struct page *p, const char *what, double *out) {
    const char *from = p->lex.at, *end = p->lex.end, *at = from;
    while (at < end && *at != ' ' && *at != '\n' && (p->o->openmetrics || (*at != '\t' && *at != '{'))) at++;
    if (!num_parse_double(str_n(from, (size_t)(at - from)), out)) return fail(p, what);
    p->lex.at = at;
    if (isnan(*out)) *out = prom_normal_nan(); /* its bits must not look like the staleness marker */
    return true;
}

static inline void add_sample(struct page *p, str key, int64_t t_ms, double v) {
    rows_add(&p->rows, key);
    rows_sample(&p->rows, t_ms, v);
    vec_push(&p->types, p->type);
}

static bool text_timestamp(struct page *p, int64_t *out_ms) {
    const char *from = p->lex.at;
    while (p->lex.at < p->lex.end && *p->lex.at >= '0' && *p->lex.at <= '9') p->lex.at++;
    int64_t t_ms;
    if (!str_i64(str_n(from, (size_t)(p->lex.at - from)), &t_ms)) return fail(p, "a timestamp in ms, or the end of the line");
    if (p->o->honor_timestamps) *out_ms = t_ms;
    prom_skip_blanks(&p->lex);
    return at_line_end(p) || fail(p, "the end of the line behind the timestamp");
}

static bool text_sample(struct page *p) {
    const char *from = p->lex.at;
    if (!prom_lex_series(&p->lex, NULL)) return false;
    str key = str_n(from, (size_t)(p->lex.at - from));
    double v;
    int64_t t_ms = p->o->default_t_ms;
    prom_skip_blanks(&p->lex);
    if (!number(p, "a value", &v)) return false;
    if (!at_line_end(p)) {
        prom_skip_blanks(&p->lex);
        if (!at_line_end(p) && !text_timestamp(p, &t_ms)) return false;
    }
    next_line(p);
    add_sample(p, key, t_ms, v);
    return true;
}

/* " NUMBER" */
static bool openmetrics_number(struct page *p, const char *what, double *out) {
    if (!at_char(p, ' ')) return fail(p, what);
    p->lex.at++;
    return number(p, what, out);
}

/* Seconds as a float. */
static bool openmetrics_timestamp(struct page *p, const char *what, int64_t *out_ms) {
    double seconds;
    if (!openmetrics_number(p, what, &seconds)) return false;
    if (!isfinite(seconds)) return fail(p, what);
    *out_ms = seconds > 9e15 ? INT64_MAX : seconds < -9e15 ? INT64_MIN + 1 : (int64_t)(seconds * 1000); /* out of range: the store refuses it */
    return true;
}

/* At " # {". Always on the row just added. */
static bool openmetrics_exemplar(struct page *p) {
    struct prom_labels found = {.arena = p->arena};
    struct exemplar x = {0};
    struct err why;
    p->lex.at += 3;
    bool ok = prom_lex_exemplar_labels(&p->lex, &found) && openmetrics_number(p, "a value behind the exemplar's labels", &x.v) &&
              (at_line_end(p) || openmetrics_timestamp(p, "an exemplar timestamp in seconds", &x.t_ms));
    if (ok && !labels_sort(found.l.p, &found.l.n, &why)) ok = fail(p, "each label once in an exemplar");
    if (ok) {
        struct label *l = arena_new_n(p->arena, struct label, found.l.n);
        if (found.l.n) memcpy(l, found.l.p, found.l.n * sizeof *l);
        x.labels = (struct labels){l, found.l.n};
        rows_exemplar(&p->rows, x);
    }
    vec_done(&found.l);
    return ok;
}

/* --- _created: when the series of the lines before it were started. It stays a series as well, as in Prometheus. ------------------------- */

/* A series' text: the name, and what is between the braces. false: the name stands in the braces. */
static bool split_key(str key, str *name, str *inner) {
    *inner = key;
    bool has_braces = str_cut(inner, '{', name);
    if (has_braces) *inner = str_sub(*inner, 0, inner->n - 1);
    return name->n > 0;
}

static bool is_bucket_label(str name) {
    return str_eq(name, STR("le")) || str_eq(name, STR("quantile"));
}

static bool has_pair(const struct prom_labels *in, struct label pair) {
    for (size_t i = 0; i < in->l.n; i++)
        if (str_eq(in->l.p[i].name, pair.name)) return str_eq(in->l.p[i].value, pair.value);
    return false;
}

/* The same labels, but for the name, le and quantile. */
static bool same_metric(struct page *p, str key, str created) {
    struct prom_labels a = {.arena = p->arena}, b = {.arena = p->arena};
    struct prom_lex row = {.at = key.p, .end = key.p + key.n, .openmetrics = true};
    struct prom_lex own = {.at = created.p, .end = created.p + created.n, .openmetrics = true};
    bool same = prom_lex_series(&row, &a) && prom_lex_series(&own, &b);
    size_t more = 0;
    for (size_t i = 0; i < a.l.n; i++) more += is_bucket_label(a.l.p[i].name);
    same = same && a.l.n == b.l.n + more;
    for (size_t i = 0; i < b.l.n && same; i++) same = str_eq(b.l.p[i].name, LABEL_METRIC_NAME) || has_pair(&a, b.l.p[i]);
    vec_done(&a.l);
    vec_done(&b.l);
    return same;
}

static bool of_metric(struct page *p, str key, str created) {
    str name, inner, created_name, created_inner;
    if (!split_key(key, &name, &inner) || !split_key(created, &created_name, &created_inner)) return same_metric(p, key, created);
    if (str_eq(inner, created_inner)) return true;
    str more = str_from(inner, created_inner.n + (created_inner.n > 0));
    bool le_behind = str_starts(inner, created_inner) && str_starts(more, STR("le=\"")) && str_find_char(more, ',') == STR_NONE;
    return le_behind || same_metric(p, key, created);
}

/* What a series' text has behind the name of the family whose metadata came last; a series of another family: nothing. */
static str behind_family(const struct page *p, str key) {
    str family = p->rows.metas.n ? p->rows.metas.p[p->rows.metas.n - 1].family : STR("");
    if (str_starts(key, STR("{\""))) key = str_from(key, 2);
    return family.n && str_starts(key, family) ? str_from(key, family.n) : STR("");
}

static bool is_created(const struct page *p, str key) {
    static const str suffix = STR_INIT("_created");
    if (p->type != METRIC_COUNTER && p->type != METRIC_HISTOGRAM && p->type != METRIC_SUMMARY) return false;
    str rest = behind_family(p, key);
    if (!str_starts(rest, suffix)) return false;
    return rest.n == suffix.n || rest.p[suffix.n] == '{' || rest.p[suffix.n] == '"';
}

/* Back over the rows of the metric that the newest row, a _created, belongs to; each row is met once, since another _created ends the walk. */
static void apply_created(struct page *p, double seconds) {
    size_t i = p->rows.rows.n - 1;
    str created = p->rows.rows.p[i].key;
    if (!(fabs(seconds) < 9e12) || seconds == 0) return;
    while (i-- > 0 && p->types.p[i] == p->type) {
        str key = p->rows.rows.p[i].key;
        if (behind_family(p, key).n == 0 || is_created(p, key) || !of_metric(p, key, created)) return;
        rows_start_of(&p->rows, i, (int64_t)(seconds * 1000));
    }
}

static bool openmetrics_sample(struct page *p) {
    const char *from = p->lex.at;
    if (!prom_lex_series(&p->lex, NULL)) return false;
    str key = str_n(from, (size_t)(p->lex.at - from));
    double v;
    int64_t t_ms = p->o->default_t_ms, own_t_ms = t_ms;
    if (!openmetrics_number(p, "a blank and a value", &v)) return false;
    if (at_char(p, ' ') && !starts_with(p, STR(" # {")) && !openmetrics_timestamp(p, "a timestamp in seconds", &own_t_ms)) return false;
    add_sample(p, key, p->o->honor_timestamps ? own_t_ms : t_ms, v);
    if (is_created(p, key)) apply_created(p, v);
    if (starts_with(p, STR(" # {")) && !openmetrics_exemplar(p)) return false;
    if (!at_char(p, '\n')) return fail(p, p->lex.at == p->lex.end ? "\"# EOF\" at the end of the page" : "the end of the line");
    p->lex.at++;
    return true;
}

static bool text_page(struct page *p) {
    while (p->lex.at < p->lex.end) {
        prom_skip_blanks(&p->lex);
        if (p->lex.at == p->lex.end) break;
        if (*p->lex.at == '\n')
            p->lex.at++;
        else if (!(*p->lex.at == '#' ? text_comment(p) : text_sample(p)))
            return false;
    }
    return true;
}

static bool openmetrics_page(struct page *p) {
    while (p->lex.at < p->lex.end)
        if (!(*p->lex.at == '#' ? openmetrics_comment(p) : openmetrics_sample(p))) return false;
    return p->saw_eof || fail(p, "\"# EOF\" at the end of the page");
}

/* --- labels of a row ------------------------------------------------------------------------------------------------------------------ */

static void normalise(struct prom_labels *found, uint8_t type) {
    str name = type == METRIC_HISTOGRAM || type == METRIC_GAUGEHISTOGRAM ? STR("le") : type == METRIC_SUMMARY ? STR("quantile") : STR("");
    if (name.n == 0) return;
    for (size_t i = 0; i < found->l.n; i++)
        if (str_eq(found->l.p[i].name, name)) found->l.p[i].value = prom_float_normal(found->arena, found->l.p[i].value);
}

static bool row_labels(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    const struct decoding *d = b->row_labels_arg;
    str key = b->rows[i].key;
    struct prom_lex lex = {.at = key.p, .end = key.p + key.n, .openmetrics = d->openmetrics};
    struct prom_labels found = {.arena = a};
    bool ok = prom_lex_series(&lex, &found);
    assert(ok); /* checked when the page was parsed */
    normalise(&found, d->types[i]);
    if (!d->honor_labels) prom_resolve_conflicts(&found, d->target);
    ok = prom_labels_take(&found, out, e);
    vec_done(&found.l);
    return ok;
}

/* --- */

static bool refused(const struct page *p, struct err *e) {
    size_t line = 1;
    const char *line_start = p->start;
    for (const char *at = p->start; at < p->lex.at; at++)
        if (*at == '\n') line++, line_start = at + 1;
    str shown = str_n(line_start, (size_t)(p->lex.end - line_start));
    shown = str_sub(shown, 0, str_find_char(shown, '\n'));
    return err_set(e, ERR_INPUT, "line %zu, column %zu: expected %s: %.*s", line, (size_t)(p->lex.at - line_start) + 1, p->lex.expected,
                   (int)MIN(shown.n, (size_t)100), shown.n ? shown.p : "");
}

bool prom_text_parse(str text, const struct prom_text_options *o, struct metric_batch *b, struct err *e) {
    struct page p = {
        .lex = {.at = text.p, .end = text.p + text.n, .openmetrics = o->openmetrics}, .start = text.p, .o = o, .arena = b->arena, .rows.batch = b};
    size_t lines = text.n / 64; /* a guess */
    vec_reserve(&p.rows.rows, lines);
    vec_reserve(&p.rows.t_ms, lines);
    vec_reserve(&p.rows.v, lines);
    vec_reserve(&p.types, lines);
    bool ok = o->openmetrics ? openmetrics_page(&p) : text_page(&p);
    if (ok) {
        struct decoding *d = arena_one(b->arena, struct decoding);
        uint8_t *row_types = arena_alloc(b->arena, p.types.n);
        if (p.types.n) memcpy(row_types, p.types.p, p.types.n);
        *d = (struct decoding){labels_copy(b->arena, o->target), o->honor_labels, o->openmetrics, row_types};
        rows_finish(&p.rows);
        b->row_labels = row_labels;
        b->row_labels_arg = d;
    } else {
        refused(&p, e);
        rows_done(&p.rows);
    }
    vec_done(&p.types);
    return ok;
}
