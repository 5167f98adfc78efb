/* _cat: text columns, or JSON with ?format=json. */
#include <stdio.h>
#include <stdlib.h>

#include "api/elastic.h"
#include "base/clock.h"

struct cat_column {
    str name;
    bool right; /* numbers */
};
struct cat_table {
    const struct cat_column *columns;
    size_t column_n, row_n;
    const str *cells; /* row by row */
};

/* ?h=: which columns, in which order; false and an answer for an unknown parameter. */
static size_t cat_columns(const struct http_exchange *x, const struct cat_table *t, size_t *order) {
    str wanted = http_param(x, STR("h")), name;
    size_t n = 0;
    if (!wanted.n) {
        for (; n < t->column_n; n++) order[n] = n;
        return n;
    }
    for (bool more = true; more && n < 32;) {
        more = str_cut(&wanted, ',', &name);
        for (size_t c = 0; c < t->column_n; c++)
            if (str_eq(t->columns[c].name, name) || (str_eq(name, STR("i")) && str_eq(t->columns[c].name, STR("index")))) order[n++] = c;
    }
    return n;
}
static void cat_json(struct buf *b, const struct cat_table *t, const size_t *order, size_t order_n) {
    struct json_out o = {.buf = b};
    json_put_array(&o);
    for (size_t r = 0; r < t->row_n; r++) {
        json_put_object(&o);
        for (size_t c = 0; c < order_n; c++) {
            json_put_key(&o, t->columns[order[c]].name);
            json_put_string(&o, t->cells[r * t->column_n + order[c]]);
        }
        json_put_object_end(&o);
    }
    json_put_array_end(&o);
}
static void cat_cell(struct buf *b, str text, size_t width, bool right, bool last) {
    if (right)
        for (size_t i = text.n; i < width; i++) buf_char(b, ' ');
    buf_add(b, text);
    for (size_t i = text.n; i < width && !right && !last; i++) buf_char(b, ' ');
    buf_char(b, last ? '\n' : ' ');
}
static void cat_text(struct buf *b, const struct cat_table *t, const size_t *order, size_t order_n, bool header) {
    for (size_t r = header ? 0 : 1; r <= t->row_n && order_n; r++) {
        for (size_t c = 0; c < order_n; c++) {
            const struct cat_column *column = &t->columns[order[c]];
            size_t width = header ? column->name.n : 0;
            for (size_t i = 0; i < t->row_n; i++) width = MAX(width, t->cells[i * t->column_n + order[c]].n);
            str text = r ? t->cells[(r - 1) * t->column_n + order[c]] : column->name;
            cat_cell(b, text, width, column->right, c + 1 == order_n);
        }
    }
}
static bool cat_params_known(struct http_exchange *x) {
    static const str known[] = {STR_INIT("format"),
                                STR_INIT("h"),
                                STR_INIT("v"),
                                STR_INIT("health"),
                                STR_INIT("s"),
                                STR_INIT("bytes"),
                                STR_INIT("pri"),
                                STR_INIT("time"),
                                STR_INIT("expand_wildcards"),
                                STR_INIT("human"),
                                STR_INIT("pretty"),
                                STR_INIT("local"),
                                STR_INIT("help"),
                                STR_INIT("master_timeout"),
                                STR_INIT("filter_path"),
                                STR_INIT("ts"),
                                STR_INIT("error_trace"),
                                STR_INIT("include_unloaded_segments")};
    for (size_t i = 0; i < x->param_n; i++) {
        bool found = false;
        for (size_t k = 0; k < ARRAY_N(known); k++) found |= str_eq(known[k], x->params[i].name);
        if (found) continue;
        str reason =
            arena_printf(x->arena, "request [%" STR_F "] contains unrecognized parameter: [%" STR_F "]", STR_A(x->path), STR_A(x->params[i].name));
        es_reply_error(x, (struct es_error){.status = 400, .type = "illegal_argument_exception", .reason = reason});
        return false;
    }
    return true;
}
static void cat_reply(struct http_exchange *x, const struct cat_table *t) {
    size_t order[32];
    size_t n = cat_columns(x, t, order);
    struct buf b = {0};
    str format = http_param(x, STR("format")), accept = http_header(x, STR("Accept"));
    bool one_type = str_find_char(accept, ',') == STR_NONE; /* Elasticsearch takes a list as no wish at all; its clients send one */
    bool json = format.n ? str_eq(format, STR("json")) : one_type && str_find(accept, STR("json")) != STR_NONE;
    if (json) {
        cat_json(&b, t, order, n);
        es_reply(x, 200, &b);
        return;
    }
    cat_text(&b, t, order, n, http_has_param(x, STR("v")) && es_flag(x, STR("v"), false));
    es_send(x, 200, &b, STR("text/plain; charset=UTF-8"));
}

static str size_text(struct arena *a, uint64_t bytes, bool plain) {
    static const char *const units[] = {"b", "kb", "mb", "gb", "tb"};
    if (plain) return arena_printf(a, "%llu", (unsigned long long)bytes);
    double v = (double)bytes;
    size_t u = 0;
    for (; v >= 1024 && u + 1 < ARRAY_N(units); u++) v /= 1024;
    return u ? arena_printf(a, "%.1f%s", v, units[u]) : arena_printf(a, "%llub", (unsigned long long)bytes);
}
void es_cat_indices(void *arg, struct http_exchange *x) {
    static const struct cat_column columns[] = {
        {STR_INIT("health"), false},        {STR_INIT("status"), false},      {STR_INIT("index"), false},
        {STR_INIT("uuid"), false},          {STR_INIT("pri"), true},          {STR_INIT("rep"), true},
        {STR_INIT("docs.count"), true},     {STR_INIT("docs.deleted"), true}, {STR_INIT("store.size"), true},
        {STR_INIT("pri.store.size"), true}, {STR_INIT("dataset.size"), true},
    };
    struct app *app = arg;
    struct es_indices i;
    if (!cat_params_known(x) || !es_resolve(app, x, x->captures[0], &i)) return;
    str health = http_param(x, STR("health"));
    if (health.n && !str_eq(health, STR("green"))) i.n = 0;
    struct evdb_stats stats;
    evdb_stats(app->store->events, &stats);
    str *cells = arena_new_n(x->arena, str, i.n * ARRAY_N(columns) + 1), *at = cells;
    for (size_t k = 0; k < i.n; k++) {
        str size = size_text(x->arena, es_index_bytes(&stats, i.events[k]), http_has_param(x, STR("bytes")));
        const str row[ARRAY_N(columns)] = {
            STR("green"), STR("open"), i.names[k], i.names[k], STR("1"), STR("0"), arena_printf(x->arena, "%llu", (unsigned long long)i.events[k]),
            STR("0"),     size,        size,       size};
        memcpy(at, row, sizeof row);
        at += ARRAY_N(columns);
    }
    cat_reply(x, &(struct cat_table){columns, ARRAY_N(columns), i.n, cells});
}
/* The columns epoch and timestamp. */
static void put_now(struct arena *a, str *row) {
    int64_t now_s = clock_wall_ms() / 1000, day_s = now_s % 86400;
    row[0] = arena_printf(a, "%lld", (long long)now_s);
    row[1] = arena_printf(a, "%02lld:%02lld:%02lld", (long long)day_s / 3600, (long long)day_s / 60 % 60, (long long)day_s % 60);
}

void es_cat_health(void *arg, struct http_exchange *x) {
    static const struct cat_column columns[] = {{STR_INIT("epoch"), true},   {STR_INIT("timestamp"), false}, {STR_INIT("cluster"), false},
                                                {STR_INIT("status"), false}, {STR_INIT("node.total"), true}, {STR_INIT("node.data"), true}};
    (void)arg;
    if (!cat_params_known(x)) return;
    str row[ARRAY_N(columns)] = {STR_NULL, STR_NULL, STR("binnacle"), STR("green"), STR("1"), STR("1")};
    put_now(x->arena, row);
    cat_reply(x, &(struct cat_table){columns, ARRAY_N(columns), 1, row});
}

void es_cat_count(void *arg, struct http_exchange *x) {
    static const struct cat_column columns[] = {{STR_INIT("epoch"), true}, {STR_INIT("timestamp"), false}, {STR_INIT("count"), true}};
    struct es_indices i;
    if (!cat_params_known(x) || !es_resolve(arg, x, x->captures[0], &i)) return;
    uint64_t docs = 0;
    for (size_t k = 0; k < i.n; k++) docs += i.events[k];
    str row[ARRAY_N(columns)];
    put_now(x->arena, row);
    row[2] = arena_printf(x->arena, "%llu", (unsigned long long)docs);
    cat_reply(x, &(struct cat_table){columns, ARRAY_N(columns), 1, row});
}

void es_cat_nodes(void *arg, struct http_exchange *x) {
    static const struct cat_column columns[] = {
        {STR_INIT("ip"), false}, {STR_INIT("node.role"), false}, {STR_INIT("master"), false}, {STR_INIT("name"), false}};
    (void)arg;
    if (!cat_params_known(x)) return;
    str ip, rest = x->door->address;
    str_cut(&rest, ':', &ip);
    const str row[ARRAY_N(columns)] = {ip, STR("dim"), STR("*"), STR("binnacle")};
    cat_reply(x, &(struct cat_table){columns, ARRAY_N(columns), 1, row});
}
