#include "query/trace/search.h"

#include "base/vec.h"
#include "model/event.h"

struct children {
    const struct filter **p;
    size_t n, cap;
};

static const struct filter *group(struct arena *a, enum filter_op op, const struct children *c) {
    if (c->n == 1) return c->p[0];
    struct filter *f = arena_one(a, struct filter);
    *f = (struct filter){.op = op, .children = c->p, .child_n = c->n};
    return f;
}

static const struct filter *equals(struct arena *a, str field, str value) {
    struct filter *f = arena_one(a, struct filter);
    str *word = arena_one(a, str);
    *word = value;
    *f = (struct filter){.op = FILTER_EQ, .field = field, .words = word, .word_n = 1};
    return f;
}

static const struct filter *negate(struct arena *a, const struct filter *child) {
    struct filter *f = arena_one(a, struct filter);
    const struct filter **children = arena_one(a, const struct filter *);
    *children = child;
    *f = (struct filter){.op = FILTER_NOT, .children = children, .child_n = 1};
    return f;
}

/* Tags that Jaeger derives from fields of the span: the value as Jaeger writes it -> as the store keeps it. */
static const struct derived {
    const char *key, *value, *field, *kept;
} derived[] = {
    {"error", "true", "status", "error"},
    {"otel.status_code", "OK", "status", "ok"},
    {"otel.status_code", "ERROR", "status", "error"},
    {"span.status", "ok", "status", "ok"},
    {"span.status", "error", "status", "error"},
    {"span.status", "unset", "status", "unset"},
    {"span.kind", NULL, "kind", NULL},
    {"otel.scope.name", NULL, "scope.name", NULL},
    {"otel.scope.version", NULL, "scope.version", NULL},
    {"scope.name", NULL, "scope.name", NULL},
    {"scope.version", NULL, "scope.version", NULL},
    {"otel.status_description", NULL, "status.message", NULL},
};

/* error=false: no error, neither by status nor by tag. */
static const struct filter *no_error(struct arena *a) {
    struct children c = {0};
    avec_push(a, &c, equals(a, STR("status"), STR("error")));
    avec_push(a, &c, equals(a, STR("span.error"), STR("true")));
    return negate(a, group(a, FILTER_OR, &c));
}

static const struct filter *tag_filter(struct arena *a, const struct trace_tag *t) {
    static const char *const places[] = {"span", "resource", "event", "link", "scope"};
    struct children c = {0};
    if (str_eq(t->key, STR("error")) && str_eq(t->value, STR("false"))) return no_error(a);
    for (size_t i = 0; i < ARRAY_N(derived); i++) {
        const struct derived *d = &derived[i];
        if (!str_eq_c(t->key, d->key) || (d->value && !str_eq_c(t->value, d->value))) continue;
        avec_push(a, &c, equals(a, str_c(d->field), d->kept ? str_c(d->kept) : t->value));
    }
    for (size_t i = 0; i < ARRAY_N(places); i++) avec_push(a, &c, equals(a, arena_printf(a, "%s.%" STR_F, places[i], STR_A(t->key)), t->value));
    if (str_starts(t->key, STR("resource."))) avec_push(a, &c, equals(a, t->key, t->value));
    return group(a, FILTER_OR, &c);
}

const struct filter *trace_search_filter(const struct trace_search *s, struct arena *a) {
    struct children c = {0};
    if (s->service.n) avec_push(a, &c, equals(a, STR("service"), s->service));
    if (s->operation.n) avec_push(a, &c, equals(a, STR("name"), s->operation));
    for (size_t i = 0; i < s->tag_n; i++) avec_push(a, &c, tag_filter(a, &s->tags[i]));
    if (s->min_ns > 0 || s->max_ns > 0) {
        struct filter *f = arena_one(a, struct filter);
        *f = (struct filter){.op = FILTER_NUMBER_RANGE,
                             .field = STR("duration"),
                             .has_lo = s->min_ns > 0,
                             .num_lo = (double)s->min_ns,
                             .has_hi = s->max_ns > 0,
                             .num_hi = (double)s->max_ns};
        avec_push(a, &c, f);
    }
    if (c.n) return group(a, FILTER_AND, &c);
    struct filter *all = arena_one(a, struct filter);
    *all = (struct filter){.op = FILTER_ALL};
    return all;
}

/* A quoted value ends at its closing quote; \" and \\ are escapes. */
static bool quoted_value(str text, size_t *at, struct arena *a, str *out, struct err *e) {
    size_t began = *at, n = 0;
    char *value = arena_alloc(a, text.n - *at);
    for (size_t i = *at + 1; i < text.n; i++) {
        if (text.p[i] == '"') {
            *out = str_n(value, n);
            *at = i + 1;
            return true;
        }
        if (text.p[i] == '\\' && i + 1 < text.n) i++;
        value[n++] = text.p[i];
    }
    return err_set(e, ERR_INPUT, "tags: no closing quote for the one at byte %zu", began);
}

static size_t word_end(str text, size_t at, char also) {
    while (at < text.n && text.p[at] != ' ' && text.p[at] != also) at++;
    return at;
}

bool trace_tags_logfmt(str text, struct arena *a, struct trace_tag **out, size_t *n, struct err *e) {
    struct {
        struct trace_tag *p;
        size_t n, cap;
    } tags = {0};
    for (size_t at = 0; at < text.n;) {
        if (text.p[at] == ' ') {
            at++;
            continue;
        }
        size_t end = word_end(text, at, '=');
        struct trace_tag t = {str_sub(text, at, end), STR("")};
        if (end == at || end == text.n || text.p[end] != '=') return err_set(e, ERR_INPUT, "tags: expected key=value at byte %zu", at);
        at = end + 1;
        if (at < text.n && text.p[at] == '"') {
            if (!quoted_value(text, &at, a, &t.value, e)) return false;
        } else {
            end = word_end(text, at, ' ');
            t.value = str_sub(text, at, end);
            at = end;
        }
        avec_push(a, &tags, t);
    }
    *out = tags.p;
    *n = tags.n;
    return true;
}

bool trace_id_parse(str s, uint64_t *hi, uint64_t *lo, struct err *e) {
    size_t low_n = MIN(s.n, (size_t)16);
    uint64_t high = 0, low = 0;
    bool ok = s.n >= 1 && s.n <= 32 && str_hex_u64(str_from(s, s.n - low_n), &low) && (s.n <= 16 || str_hex_u64(str_sub(s, 0, s.n - 16), &high));
    if (!ok) return err_set(e, ERR_INPUT, "not a trace id: \"%" STR_F "\" (1 to 32 hex digits)", STR_A(str_sub(s, 0, 64)));
    *hi = high;
    *lo = low;
    return true;
}
