#include "query/trace/search.h"

#include "base/vec.h"

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

static const struct filter *exists(struct arena *a, str field) {
    struct filter *f = arena_one(a, struct filter);
    *f = (struct filter){.op = FILTER_EXISTS, .field = field};
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
    {"event", NULL, "event.name", NULL},
};

/* error=false: no error, neither by status nor by tag. */
static const struct filter *no_error(struct arena *a) {
    struct children c = {0};
    avec_push(a, &c, equals(a, STR("status"), STR("error")));
    avec_push(a, &c, equals(a, STR("span.error"), STR("true")));
    return negate(a, group(a, FILTER_OR, &c));
}

static const struct filter *any_value(struct arena *a, str key) {
    struct children c = {0};
    avec_push(a, &c, exists(a, arena_printf(a, "span.%" STR_F, STR_A(key))));
    avec_push(a, &c, equals(a, STR("event.name"), key));
    if (str_eq(key, STR("error"))) avec_push(a, &c, equals(a, STR("status"), STR("error")));
    return group(a, FILTER_OR, &c);
}

static const struct filter *tag_filter(struct arena *a, const struct trace_tag *t) {
    if (t->any) return any_value(a, t->key);
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

/* text begins with the opening quote. Length up to and with the closing one; 0: there is none. */
static size_t quoted_length(str text) {
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] == '"') return i + 1;
        if (text.p[i] == '\\') i++;
    }
    return 0;
}

static str unescape(str quoted, struct arena *a) {
    char *value = arena_alloc(a, quoted.n);
    size_t n = 0;
    for (size_t i = 1; i + 1 < quoted.n; i++) {
        if (quoted.p[i] == '\\') i++;
        value[n++] = quoted.p[i];
    }
    return str_n(value, n);
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
    for (size_t at = 0, end; at < text.n; at = end) {
        if (text.p[at] == ' ') {
            end = at + 1;
            continue;
        }
        end = word_end(text, at, '=');
        struct trace_tag t = {str_sub(text, at, end), STR("true")};
        if (end == at) return err_set(e, ERR_INPUT, "tags: expected a key before '=' at byte %zu", at);
        bool has_value = end < text.n && text.p[end] == '=';
        size_t from = end + has_value;
        if (has_value && from < text.n && text.p[from] == '"') {
            size_t length = quoted_length(str_from(text, from));
            if (length == 0) return err_set(e, ERR_INPUT, "tags: no closing quote for the one at byte %zu", from);
            end = from + length;
            if (end < text.n && text.p[end] != ' ') return err_set(e, ERR_INPUT, "tags: expected a blank behind the quote at byte %zu", end);
            t.value = unescape(str_sub(text, from, end), a);
        } else if (has_value) {
            end = word_end(text, from, ' ');
            t.value = str_sub(text, from, end);
        }
        avec_push(a, &tags, t);
    }
    *out = tags.p;
    *n = tags.n;
    return true;
}

bool trace_tags_zipkin(str text, struct arena *a, struct trace_tag **out, size_t *n, struct err *e) {
    struct {
        struct trace_tag *p;
        size_t n, cap;
    } tags = {0};
    const str and = STR(" and ");
    for (size_t from = 0; from < text.n;) {
        size_t length = str_find(str_from(text, from), and);
        size_t end = length == STR_NONE ? text.n : from + length;
        struct trace_tag t = {.value = str_trim(str_sub(text, from, end))};
        bool has_value = str_cut(&t.value, '=', &t.key);
        if (!has_value) t.value = STR("");
        if (t.key.n == 0) return err_set(e, ERR_INPUT, "annotationQuery: expected a key at byte %zu", from);
        t.any = t.value.n == 0;
        avec_push(a, &tags, t);
        from = length == STR_NONE ? text.n : end + and.n;
    }
    *out = tags.p;
    *n = tags.n;
    return true;
}
