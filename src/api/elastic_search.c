/* One search: parse, scan, reply. In the pool.
 *
 * Three kinds of pass over the store: in its own order (time), stopping when the page is full; in any order, keeping the best of another sort in a
 * heap, with a second pass that shows the winners; in any order for aggregations and counts. */
#include "api/elastic_search.h"

#include <stdlib.h>

#include "api/elastic_aggs.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/text.h"

enum { COUNT_SPANS = 3 /* buckets of INT64_MAX ns that cover all times */, TIDY_BYTES = 16 << 20 };

struct entry { /* a hit, or a candidate for one */
    struct value *sort;
    int64_t time_ns;
    uint64_t seq;
    str json;
};
struct run {
    const struct es_search_context *c;
    const struct es_search *s;
    struct arena *a, *scratch, *keys;    /* the request; one row; sort values in the heap */
    const struct filter *query, *filter; /* with and without post_filter */
    struct es_sort_key *sort;
    size_t sort_n, shown_n; /* with and without our own tie-breaker */
    bool native, oldest_first;
    struct value *after;
    size_t after_n;
    size_t from, size;
    int64_t from_ns, to_ns;
    uint64_t total_limit; /* count up to here; UINT64_MAX: all */
    bool total_wanted;
    uint64_t total;
    struct es_hit_options hits;
    struct es_aggs *aggs;
    struct {
        struct entry *p;
        size_t n, cap;
    } page; /* native: in order; else a heap with the last on top */
    struct err *e;
    bool failed; /* in a row callback; e says why */
};

/* --- reading the request */

static str param(const struct es_search *s, const char *name) {
    for (size_t i = 0; i < s->param_n; i++)
        if (str_eq_c(s->params[i].name, name)) return s->params[i].value;
    return STR("");
}
static bool param_flag(const struct es_search *s, const char *name, bool otherwise) {
    for (size_t i = 0; i < s->param_n; i++)
        if (str_eq_c(s->params[i].name, name)) return !str_eq(s->params[i].value, STR("false"));
    return otherwise;
}
/* A whole number from the URL, else from the body. */
static bool read_size(const struct run *r, const char *name, size_t otherwise, size_t *out) {
    str text = param(r->s, name);
    struct value v = value_str(text);
    const struct value *given = text.n ? &v : es_get(&r->s->body, name);
    int64_t n = (int64_t)otherwise;
    if (given && (!es_integer(given, &n) || n < -1))
        return err_set(r->e, ERR_INPUT, "[%s] parameter must be a number from 0, not [%" STR_F "]", name, STR_A(es_text(given, r->a)));
    *out = n < 0 ? otherwise : (size_t)n;
    return true;
}

/* The event times a filter admits, as far as its outermost "and" says. */
static void narrow_times(const struct filter *f, int64_t *from, int64_t *to) {
    for (size_t i = 0; f->op == FILTER_AND && i < f->child_n; i++) narrow_times(f->children[i], from, to);
    if (f->op != FILTER_TIME_RANGE || !str_eq(f->field, STR("@timestamp"))) return;
    *from = MAX(*from, f->time_lo_ns);
    *to = MIN(*to, f->time_hi_ns);
}

static bool read_query(struct run *r, const struct es_dsl *dsl) {
    const struct filter *parts[3] = {es_indices_filter(&r->s->indices, r->a)}, *post = NULL;
    if (param(r->s, "q").n) { /* ?q= wins over the body */
        struct es_uri_query q = {.q = param(r->s, "q"),
                                 .default_field = param(r->s, "df"),
                                 .all_words = str_eq_nocase(param(r->s, "default_operator"), STR("and")),
                                 .lenient = param_flag(r->s, "lenient", false),
                                 .analyze_wildcard = param_flag(r->s, "analyze_wildcard", false)};
        if (!es_uri_filter(dsl, &q, &parts[1], r->e)) return false;
    } else if (!es_dsl_filter(dsl, es_get(&r->s->body, "query"), &parts[1], r->e)) {
        return false;
    }
    r->hits.query = parts[1];
    if (es_get(&r->s->body, "post_filter") && !es_dsl_filter(dsl, es_get(&r->s->body, "post_filter"), &post, r->e)) return false;
    r->query = filter_join(r->a, FILTER_AND, parts, 2);
    parts[0] = r->query;
    parts[1] = post;
    r->filter = filter_join(r->a, FILTER_AND, parts, 2);
    r->from_ns = INT64_MIN;
    r->to_ns = INT64_MAX;
    narrow_times(r->query, &r->from_ns, &r->to_ns);
    return true;
}

/* The store's own order serves: nothing, _doc, or @timestamp with _doc behind it. Constant scores order nothing. */
static bool is_native(const struct run *r, size_t *first) {
    size_t i = 0;
    while (i < r->sort_n && r->sort[i].kind == ES_SORT_SCORE) i++;
    *first = i;
    if (i < r->sort_n && r->sort[i].kind == ES_SORT_TIME)
        i++;
    else if (i >= r->sort_n || r->sort[i].kind != ES_SORT_DOC)
        return false;
    for (; i < r->sort_n; i++) {
        if (r->sort[i].kind == ES_SORT_FIELD || r->sort[i].kind == ES_SORT_TIME || r->sort[i].desc != r->sort[*first].desc) return false;
    }
    return true;
}

static bool read_sort(struct run *r) {
    struct value uri = {.type = VAL_ARRAY};
    str text = param(r->s, "sort"), part;
    struct value *items = arena_new_n(r->a, struct value, text.n + 1);
    for (bool more = text.n > 0; more;) {
        more = str_cut(&text, ',', &part);
        items[uri.n++] = value_str(part);
    }
    uri.items = items;
    struct es_sort_key *keys;
    size_t n, first;
    if (!es_sort_read(uri.n ? &uri : es_get(&r->s->body, "sort"), r->c->fields, r->a, &keys, &n, r->e)) return false;
    r->sort = arena_new_n(r->a, struct es_sort_key, n + 1);
    if (n) memcpy(r->sort, keys, n * sizeof *keys);
    r->sort_n = r->shown_n = n;
    bool by_doc = false, by_score = n == 0;
    for (size_t i = 0; i < n; i++) {
        by_doc |= keys[i].kind == ES_SORT_DOC;
        by_score |= keys[i].kind == ES_SORT_SCORE;
    }
    r->hits.scored = by_score;
    size_t lead = 0;
    while (lead < n && keys[lead].kind == ES_SORT_SCORE) lead++;
    if (!by_doc) r->sort[r->sort_n++] = (struct es_sort_key){.kind = ES_SORT_DOC, .desc = lead < n && keys[lead].desc, .hidden = true};
    r->native = is_native(r, &first);
    r->oldest_first = !r->native || !r->sort[first].desc;
    return true;
}

static bool read_after(struct run *r) {
    const struct value *given = r->s->after ? r->s->after : es_get(&r->s->body, "search_after");
    if (!given) return true;
    if (given->type != VAL_ARRAY || given->n == 0 || given->n > r->sort_n || (!r->s->after && r->shown_n == 0))
        return err_set(r->e, ERR_INPUT, "[search_after] must hold one value per sort key");
    r->after = arena_new_n(r->a, struct value, given->n);
    r->after_n = given->n;
    for (size_t i = 0; i < r->after_n; i++) {
        int64_t t;
        uint64_t seq;
        r->after[i] = es_sort_after(&r->sort[i], &given->items[i], r->a);
        if (r->sort[i].kind == ES_SORT_DOC && !es_doc_position(r->after[i].s, &t, &seq))
            return err_set(r->e, ERR_INPUT, "[search_after] of _doc must be the sort value of a hit");
        if (r->sort[i].kind == ES_SORT_TIME && r->after[i].type != VAL_INT)
            return err_set(r->e, ERR_INPUT, "[search_after] of @timestamp must be a date");
    }
    return true;
}

static bool read_total(struct run *r) {
    const struct value *v = es_get(&r->s->body, "track_total_hits");
    struct value text = value_str(param(r->s, "track_total_hits"));
    if (text.s.n) v = &text;
    int64_t n = ES_TOTAL_DEFAULT;
    r->total_wanted = true;
    if (v && (v->type == VAL_BOOL || str_eq(text.s, STR("true")) || str_eq(text.s, STR("false")))) {
        bool yes = v->type == VAL_BOOL ? v->b : str_eq(text.s, STR("true"));
        r->total_wanted = yes;
        n = yes ? INT64_MAX : 0;
    } else if (v && (!es_integer(v, &n) || n < 0)) {
        return err_set(r->e, ERR_INPUT, "[track_total_hits] must be true, false or a number");
    }
    if (r->s->scrolling || param_flag(r->s, "rest_total_hits_as_int", false)) n = INT64_MAX;
    r->total_limit = n == INT64_MAX ? UINT64_MAX : (uint64_t)n;
    return true;
}

static bool read_options(struct run *r) {
    if (!es_hit_options_read(&r->s->body, r->a, &r->hits, r->e)) return false;
    r->hits.catalogue = r->c->fields;
    /* the same as URL parameters */
    static const char *const names[] = {"_source", "_source_includes", "_source_excludes"};
    struct field source[2];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        str v = param(r->s, names[i]);
        if (!v.n) continue;
        if (i == 0 && (str_eq(v, STR("true")) || str_eq(v, STR("false"))))
            r->hits.source = str_eq(v, STR("true"));
        else if (n < 2)
            source[n++] = (struct field){i == 2 ? STR("excludes") : STR("includes"), value_str(v)};
    }
    if (!n) return true;
    struct field whole = {STR("_source"), {.type = VAL_MAP, .n = (uint32_t)n, .fields = source}};
    struct value body = {.type = VAL_MAP, .n = 1, .fields = &whole};
    struct es_hit_options lists;
    if (!es_hit_options_read(&body, r->a, &lists, r->e)) return false;
    r->hits.includes = lists.includes;
    r->hits.excludes = lists.excludes;
    return true;
}

static bool known_parts(struct run *r) {
    static const char *const offered[] = {
        "query",
        "from",
        "size",
        "sort",
        "_source",
        "fields",
        "docvalue_fields",
        "stored_fields",
        "highlight",
        "aggs",
        "aggregations",
        "track_total_hits",
        "search_after",
        "pit",
        "post_filter",
        "timeout",
        "version",
        "seq_no_primary_term",
        "track_scores",
        "min_score",
        "explain",
        "profile",
        "stats",
        "terminate_after",
        "indices_boost",
        "script_fields",
        "runtime_mappings",
        "ext",
    };
    for (uint32_t i = 0; i < r->s->body.n && r->s->body.type == VAL_MAP; i++) {
        str key = r->s->body.fields[i].key;
        const struct value *v = &r->s->body.fields[i].value;
        bool known = false;
        for (size_t k = 0; k < ARRAY_N(offered) && !known; k++) known = str_eq_c(key, offered[k]);
        bool script = str_eq(key, STR("script_fields")) || str_eq(key, STR("runtime_mappings"));
        if (!known) return err_set(r->e, ERR_INPUT, "unknown key [%" STR_F "] in the search: it is not offered", STR_A(key));
        if (script && v->type == VAL_MAP && v->n)
            return err_set(r->e, ERR_UNSUPPORTED, "[%" STR_F "] is not offered: there are no scripts", STR_A(key));
    }
    return true;
}

static bool read_request(struct run *r) {
    const struct es_dsl dsl = {.arena = r->a, .fields = r->c->fields, .now_ns = r->c->now_ns};
    if (!known_parts(r) || !read_options(r) || !read_query(r, &dsl) || !read_sort(r) || !read_after(r) || !read_total(r)) return false;
    if (!read_size(r, "from", 0, &r->from) || !read_size(r, "size", 10, &r->size)) return false;
    if (r->from > ES_WINDOW_MAX || r->size > ES_WINDOW_MAX || r->from + r->size > ES_WINDOW_MAX)
        return err_set(r->e, ERR_INPUT,
                       "Result window is too large, from + size must be less than or equal to: [%d] but was [%zu]; use search_after to go on",
                       ES_WINDOW_MAX, r->from + r->size);
    const struct value *aggs = es_get(&r->s->body, "aggs");
    if (!aggs) aggs = es_get(&r->s->body, "aggregations");
    return !aggs || r->s->after || es_aggs_read(aggs, &dsl, r->c->buckets_max, &r->aggs, r->e);
}

/* --- passes */

static bool visible(const struct run *r, const struct evrow *row) {
    return evrow_seq(row) < r->s->seq_end;
}
static struct evscan pass(const struct run *r, const struct filter *f) {
    return (struct evscan){.filter = f->op == FILTER_ALL ? NULL : f, .from_ns = r->from_ns, .to_ns = r->to_ns, .any_order = true, .job = r->c->job};
}
static bool run_pass(struct run *r, const struct evscan *q, bool (*row)(void *arg, const struct evrow *r), void *arg) {
    return evdb_scan(r->c->snapshot, q, row, arg, NULL, r->e) && !r->failed;
}

static str render(struct run *r, const struct evrow *row, const struct value *sort) {
    struct buf text = {0}, b = {0};
    struct json_out o = {.buf = &text}, hit = {.buf = &b};
    if (r->shown_n) es_sort_put(&o, r->sort, r->sort_n, sort, false);
    es_hit_put(&hit, row, &r->hits, buf_str(&text), r->scratch);
    str out = arena_str(r->a, buf_str(&b));
    buf_done(&text);
    buf_done(&b);
    return out;
}
static bool within_bytes(struct run *r) {
    if (arena_used_bytes(r->a) < r->c->bytes_max) return true;
    r->failed = true;
    return err_set(r->e, ERR_LIMIT, "the hits take more than %zu bytes: ask for fewer, or for less of their _source", r->c->bytes_max);
}
static struct value *copy_values(const struct run *r, struct arena *a, const struct value *values) {
    struct value *kept = arena_new_n(a, struct value, r->sort_n);
    for (size_t i = 0; i < r->sort_n; i++) kept[i] = value_copy(a, &values[i]);
    return kept;
}
static struct entry candidate(struct run *r, const struct evrow *row) {
    arena_reset(r->scratch);
    struct value *values = arena_new_n(r->scratch, struct value, r->sort_n);
    for (size_t i = 0; i < r->sort_n; i++) values[i] = es_sort_value(&r->sort[i], row, r->scratch);
    return (struct entry){.sort = values, .time_ns = evrow_time_ns(row), .seq = evrow_seq(row)};
}

static bool native_row(void *arg, const struct evrow *row) {
    struct run *r = arg;
    if (!visible(r, row)) return true;
    r->total++;
    if (r->page.n < r->from + r->size) {
        struct entry e = candidate(r, row);
        e.sort = copy_values(r, r->a, e.sort);
        if (r->page.n >= r->from) e.json = render(r, row, e.sort);
        avec_push(r->a, &r->page, e);
        if (!within_bytes(r)) return false;
    }
    bool counting = r->total_wanted && !r->after_n && r->total_limit != UINT64_MAX && r->total <= r->total_limit;
    return r->page.n < r->from + r->size || counting;
}
static bool native_page(struct run *r) {
    struct evscan q = pass(r, r->filter);
    q.any_order = false;
    q.oldest_first = r->oldest_first;
    for (size_t i = 0; i < r->after_n; i++) { /* a date alone: behind its whole millisecond; a position: behind that event */
        if (r->sort[i].kind == ES_SORT_TIME) {
            if (__builtin_mul_overflow(r->after[i].i, NS_PER_MS, &q.after_ns)) return err_set(r->e, ERR_INPUT, "[search_after] is no date we know");
            if (r->oldest_first) q.after_ns += NS_PER_MS - 1;
            q.after_seq = r->oldest_first ? UINT64_MAX : 0;
            q.has_after = true;
        } else if (r->sort[i].kind == ES_SORT_DOC) {
            q.has_after = es_doc_position(r->after[i].s, &q.after_ns, &q.after_seq);
        }
    }
    return run_pass(r, &q, native_row, r);
}

static int compare_entries(const struct run *r, const struct entry *x, const struct entry *y) {
    return es_sort_compare(r->sort, r->sort_n, x->sort, y->sort);
}
static void swap_entries(struct entry *x, struct entry *y) {
    struct entry old = *x;
    *x = *y;
    *y = old;
}
static void sift_down(struct run *r) {
    struct entry *p = r->page.p;
    for (size_t i = 0, last = 0;; i = last) {
        for (size_t child = 2 * i + 1; child < 2 * i + 3 && child < r->page.n; child++)
            if (compare_entries(r, &p[child], &p[last]) > 0) last = child;
        if (last == i) return;
        swap_entries(&p[i], &p[last]);
    }
}
static void sift_up(struct run *r) {
    struct entry *p = r->page.p;
    for (size_t i = r->page.n - 1; i > 0 && compare_entries(r, &p[i], &p[(i - 1) / 2]) > 0; i = (i - 1) / 2) swap_entries(&p[i], &p[(i - 1) / 2]);
}
/* Values of entries that fell out of the heap stay in its arena: begin a new one when there are many. */
static void tidy_keys(struct run *r) {
    if (arena_used_bytes(r->keys) < TIDY_BYTES) return;
    struct arena *fresh = arena_new(64 << 10);
    for (size_t i = 0; i < r->page.n; i++) r->page.p[i].sort = copy_values(r, fresh, r->page.p[i].sort);
    arena_free(r->keys);
    r->keys = fresh;
}
static bool sorted_row(void *arg, const struct evrow *row) {
    struct run *r = arg;
    if (!visible(r, row)) return true;
    r->total++;
    struct entry e = candidate(r, row);
    if (r->after_n && es_sort_compare(r->sort, r->after_n, e.sort, r->after) <= 0) return true;
    bool full = r->page.n == r->from + r->size;
    if (full && compare_entries(r, &e, &r->page.p[0]) >= 0) return true;
    e.sort = copy_values(r, r->keys, e.sort);
    if (!full) {
        avec_push(r->a, &r->page, e);
        sift_up(r);
        return true;
    }
    r->page.p[0] = e;
    sift_down(r);
    tidy_keys(r);
    return true;
}

struct fill {
    struct run *r;
    struct map by_seq;
    size_t left;
};
static bool fill_row(void *arg, const struct evrow *row) {
    struct fill *f = arg;
    size_t at = map_first(&f->by_seq, evrow_seq(row));
    if (at == MAP_END) return true;
    struct entry *e = &f->r->page.p[f->by_seq.slots[at].value - 1];
    arena_reset(f->r->scratch);
    e->json = render(f->r, row, e->sort);
    return --f->left > 0 && within_bytes(f->r);
}
static int compare_for_sort(const void *x, const void *y, void *run) {
    return compare_entries(run, x, y);
}
static bool sorted_page(struct run *r) {
    struct evscan q = pass(r, r->filter);
    if (!run_pass(r, &q, sorted_row, r)) return false;
    if (r->page.n) qsort_r(r->page.p, r->page.n, sizeof *r->page.p, compare_for_sort, r);
    struct fill f = {.r = r};
    q.from_ns = INT64_MAX;
    q.to_ns = INT64_MIN;
    for (size_t i = r->from; i < r->page.n; i++, f.left++) {
        map_put(&f.by_seq, r->page.p[i].seq, i + 1);
        q.from_ns = MIN(q.from_ns, r->page.p[i].time_ns);
        q.to_ns = MAX(q.to_ns, r->page.p[i].time_ns);
    }
    bool ok = f.left == 0 || run_pass(r, &q, fill_row, &f);
    map_done(&f.by_seq);
    return ok;
}

static bool aggs_row(void *arg, const struct evrow *row) {
    struct run *r = arg;
    if (!visible(r, row)) return true;
    r->total++;
    r->failed = !es_aggs_collect(r->aggs, row, r->e);
    return !r->failed;
}
static bool count_row(void *arg, const struct evrow *row) {
    struct run *r = arg;
    r->total += visible(r, row);
    return r->total <= r->total_limit;
}
static bool count_pass(struct run *r) {
    struct evscan q = pass(r, r->filter);
    r->total = 0;
    if (r->total_limit != UINT64_MAX || r->s->seq_end != UINT64_MAX) return run_pass(r, &q, count_row, r);
    uint64_t counts[COUNT_SPANS] = {0};
    if (!evdb_histogram(r->c->snapshot, &q, INT64_MAX, counts, COUNT_SPANS, r->e)) return false;
    for (size_t i = 0; i < COUNT_SPANS; i++) r->total += counts[i];
    return true;
}

static bool run_passes(struct run *r, enum es_answer answer) {
    bool counted = false;
    if (answer == ES_ANSWER_COUNT) return count_pass(r);
    if (r->size + r->from > 0) {
        if (!(r->native ? native_page(r) : sorted_page(r))) return false;
        counted = !r->native || (!r->after_n && (r->total_limit != UINT64_MAX || r->page.n < r->from + r->size));
    }
    if (r->aggs) {
        struct evscan q = pass(r, r->query);
        r->total = 0;
        if (!run_pass(r, &q, aggs_row, r)) return false;
        counted = r->filter == r->query;
    }
    return counted || !r->total_wanted || count_pass(r);
}

/* --- reply */

static void put_total(const struct run *r, struct json_out *o) {
    if (!r->total_wanted) return;
    bool more = r->total > r->total_limit;
    uint64_t total = more ? r->total_limit : r->total;
    json_put_key_c(o, "total");
    if (param_flag(r->s, "rest_total_hits_as_int", false)) {
        json_put_u64(o, total);
        return;
    }
    json_put_object(o);
    json_put_key_c(o, "value");
    json_put_u64(o, total);
    json_put_key_c(o, "relation");
    json_put_string(o, more ? STR("gte") : STR("eq"));
    json_put_object_end(o);
}

/* The request, and how far it came: all that the next page needs. */
static void put_scroll_id(const struct run *r, struct json_out *o) {
    struct buf id = {0}, text = {0};
    struct json_out i = {.buf = &id};
    const struct entry *last = r->page.n ? &r->page.p[r->page.n - 1] : NULL;
    json_put_object(&i);
    json_put_key_c(&i, "index");
    json_put_string(&i, r->s->expression);
    json_put_key_c(&i, "seq");
    json_put_u64(&i, r->s->seq_end);
    json_put_key_c(&i, "body");
    json_put_value(&i, &r->s->body);
    json_put_key_c(&i, "params");
    json_put_object(&i);
    for (size_t k = 0; k < r->s->param_n; k++) {
        if (str_eq(r->s->params[k].name, STR("scroll")) || str_eq(r->s->params[k].name, STR("scroll_id"))) continue;
        json_put_key(&i, r->s->params[k].name);
        json_put_string(&i, r->s->params[k].value);
    }
    json_put_object_end(&i);
    if (last || r->s->after) {
        json_put_key_c(&i, "after");
        if (last)
            es_sort_put(&i, r->sort, r->sort_n, last->sort, true);
        else
            json_put_value(&i, r->s->after);
    }
    json_put_object_end(&i);
    base64_put(&text, buf_str(&id));
    json_put_key_c(o, "_scroll_id");
    json_put_string(o, buf_str(&text));
    buf_done(&id);
    buf_done(&text);
}

static bool put_search(struct run *r, struct json_out *o) {
    bool scroll = r->s->scrolling;
    if (scroll) put_scroll_id(r, o);
    json_put_key_c(o, "took");
    json_put_i64(o, (clock_mono_ns() - r->c->start_mono_ns) / NS_PER_MS);
    json_put_key_c(o, "timed_out");
    json_put_bool(o, false);
    json_put_key_c(o, "_shards");
    json_put_raw(o, STR("{\"total\":1,\"successful\":1,\"skipped\":0,\"failed\":0}"));
    const struct value *pit = es_get(&r->s->body, "pit");
    if (pit) {
        json_put_key_c(o, "pit_id");
        json_put_string(o, es_text(es_get(pit, "id"), r->a));
    }
    json_put_key_c(o, "hits");
    json_put_object(o);
    put_total(r, o);
    json_put_key_c(o, "max_score");
    if (r->hits.scored && r->page.n)
        json_put_raw(o, STR("1.0"));
    else
        json_put_null(o);
    json_put_key_c(o, "hits");
    json_put_array(o);
    for (size_t i = r->from; i < r->page.n; i++)
        if (r->page.p[i].json.n) json_put_raw(o, r->page.p[i].json);
    json_put_array_end(o);
    json_put_object_end(o);
    if (!r->aggs || r->s->indices.n == 0) return true;
    json_put_key_c(o, "aggregations");
    return es_aggs_put(r->aggs, o, r->e);
}

static void put_count(const struct run *r, struct json_out *o) {
    json_put_key_c(o, "count");
    json_put_u64(o, r->total);
    json_put_key_c(o, "_shards");
    json_put_raw(o, STR("{\"total\":1,\"successful\":1,\"skipped\":0,\"failed\":0}"));
}
static void put_validation(const struct run *r, struct json_out *o) {
    struct buf b = {0};
    filter_put(&b, r->query);
    json_put_raw(o, STR(/* several members at once */ "\"valid\":true,\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}"));
    json_put_key_c(o, "explanations");
    json_put_array(o);
    json_put_object(o);
    json_put_key_c(o, "valid");
    json_put_bool(o, true);
    json_put_key_c(o, "explanation");
    json_put_string(o, buf_str(&b));
    json_put_object_end(o);
    json_put_array_end(o);
    buf_done(&b);
}

/* The members of a hit's _source. */
static void put_source(str hit, struct arena *a, struct json_out *o) {
    struct json j = json_open(hit, a);
    str source = STR("{}");
    json_object(&j);
    for (str key; json_next_key(&j, &key);)
        if (str_eq(key, STR("_source")))
            json_raw(&j, &source);
        else
            json_skip(&j);
    str members = str_trim(str_sub(source, 1, source.n - 1));
    if (members.n) json_put_raw(o, members);
}

static bool put_answer(struct run *r, enum es_answer answer, struct json_out *o, bool *found) {
    *found = r->page.n > 0;
    switch (answer) {
    case ES_ANSWER_SEARCH: return put_search(r, o);
    case ES_ANSWER_COUNT: put_count(r, o); return true;
    case ES_ANSWER_VALIDATE: put_validation(r, o); return true;
    case ES_ANSWER_DOC: /* the hit's own members */
        if (*found) {
            json_put_raw(o, str_sub(r->page.p[0].json, 1, r->page.p[0].json.n - 1));
        } else {
            json_put_key_c(o, "_index");
            json_put_string(o, r->s->expression);
            json_put_key_c(o, "_id");
            json_put_string(o, r->s->doc_id);
        }
        json_put_key_c(o, "found");
        json_put_bool(o, *found);
        return true;
    case ES_ANSWER_SOURCE:
        if (*found) put_source(r->page.p[0].json, r->a, o);
        return true;
    }
    return false;
}

bool es_search_run(const struct es_search_context *c, const struct es_search *s, enum es_answer answer, struct arena *a, struct json_out *o,
                   bool *found, struct err *e) {
    AUTO(arena_free) struct arena *scratch = arena_new(16 << 10);
    struct run r = {.c = c, .s = s, .a = a, .scratch = scratch, .keys = arena_new(4 << 10), .e = e};
    bool ok = read_request(&r) && (answer == ES_ANSWER_VALIDATE || run_passes(&r, answer)) && put_answer(&r, answer, o, found);
    es_aggs_free(r.aggs);
    arena_free(r.keys);
    return ok;
}
