#include <stdlib.h>

#include "api/elastic.h"
#include "base/clock.h"
#include "base/vec.h"
#include "codec/timefmt.h"

str es_index_of(str stream_index) {
    return stream_index.n ? stream_index : ES_LOGS_INDEX;
}

/* "<logs-{now/d{yyyy.MM.dd}}>" -> "logs-2026.11.22"; a plain name is itself. */
str es_date_name(str name, struct arena *a) {
    if (name.n < 3 || name.p[0] != '<' || name.p[name.n - 1] != '>') return name;
    str s = str_sub(name, 1, name.n - 1);
    size_t open = str_find_char(s, '{'), close = s.n;
    while (close > 0 && s.p[close - 1] != '}') close--;
    if (open == STR_NONE || close == 0 || open > close - 1) return s;
    str math = str_sub(s, open + 1, close - 1), format = STR("yyyy.MM.dd");
    size_t inner = str_find_char(math, '{');
    if (inner != STR_NONE) {
        format = str_sub(math, inner + 1, math.n - 1);
        math = str_sub(math, 0, inner);
    }
    struct datemath dates = {.now_ns = clock_wall_ns()};
    int64_t from, to, year;
    unsigned month, day;
    struct err e;
    if (!datemath_parse(math, &dates, &from, &to, &e)) return s;
    time_civil_from_days(from / (86400 * NS_PER_S), &year, &month, &day);
    struct buf b = {0};
    buf_add(&b, str_sub(s, 0, open));
    for (size_t i = 0; i < format.n;) {
        str rest = str_from(format, i);
        if (str_starts(rest, STR("yyyy"))) {
            buf_printf(&b, "%04lld", (long long)year);
            i += 4;
        } else if (str_starts(rest, STR("MM")) || str_starts(rest, STR("dd"))) {
            buf_printf(&b, "%02u", rest.p[0] == 'M' ? month : day);
            i += 2;
        } else {
            buf_char(&b, format.p[i++]);
        }
    }
    buf_add(&b, str_from(s, close));
    str out = arena_str(a, buf_str(&b));
    buf_done(&b);
    return out;
}

static int compare_index(const void *x, const void *y) {
    return str_cmp(((const struct index_count *)x)->name, ((const struct index_count *)y)->name);
}

/* Everything that exists: stored indices, those created empty, and "logs" for events of other sources. */
static void list_all(struct app *app, struct arena *a, struct index_count **out, size_t *n) {
    struct index_count *stored;
    size_t stored_n;
    evdb_indices(app->store->events, a, &stored, &stored_n);
    struct es_names created = es_created(app);
    struct index_count *list = arena_new_n(a, struct index_count, stored_n + created.n + 1);
    size_t count = 0;
    struct evdb_stats stats;
    evdb_stats(app->store->events, &stats);
    uint64_t others = stats.kind[EVENT_LOG].head_events + stats.kind[EVENT_LOG].part_events;
    for (size_t i = 0; i < stored_n; i++) {
        list[count++] = stored[i];
        others -= MIN(others, stored[i].events);
    }
    for (size_t i = 0; i < created.n; i++) list[count++] = (struct index_count){created.p[i], 0};
    if (others) list[count++] = (struct index_count){ES_LOGS_INDEX, others};
    qsort(list, count, sizeof *list, compare_index);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept && str_eq(list[kept - 1].name, list[i].name))
            list[kept - 1].events += list[i].events;
        else
            list[kept++] = list[i];
    }
    *out = list;
    *n = kept;
}

static bool fits(str pattern, str name) {
    struct filter f = {.op = FILTER_EXISTS, .field = pattern};
    return filter_field_fits(&f, name);
}

void es_indices_resolve(struct app *app, str expression, struct arena *a, struct es_indices *out) {
    struct index_count *list;
    size_t n;
    list_all(app, a, &list, &n);
    bool *wanted = arena_zalloc(a, n + 1);
    *out = (struct es_indices){.missing = STR("")};
    out->all = expression.n == 0 || str_eq(expression, STR("_all")) || str_eq(expression, STR("*"));
    str rest = out->all ? STR("*") : expression, part;
    bool first = true;
    for (bool more = true; more; first = false) {
        more = str_cut(&rest, ',', &part);
        bool exclude = !first && part.n > 1 && part.p[0] == '-';
        str pattern = es_date_name(exclude ? str_from(part, 1) : part, a);
        bool found = false;
        for (size_t i = 0; i < n; i++) {
            if (!str_eq(pattern, list[i].name) && (str_find_char(pattern, '*') == STR_NONE || !fits(pattern, list[i].name))) continue;
            wanted[i] = !exclude;
            found = true;
        }
        if (!found && pattern.n && str_find_char(pattern, '*') == STR_NONE) out->missing = pattern;
    }
    out->names = arena_new_n(a, str, n);
    out->events = arena_new_n(a, uint64_t, n);
    for (size_t i = 0; i < n; i++) {
        if (!wanted[i]) continue;
        out->names[out->n] = list[i].name;
        out->events[out->n++] = list[i].events;
    }
    out->all &= out->n == n;
}

const struct filter *es_indices_filter(const struct es_indices *i, struct arena *a) {
    if (i->all) return NULL;
    struct filter *f = arena_one(a, struct filter);
    if (i->n == 0) {
        f->op = FILTER_NONE;
        return f;
    }
    *f = (struct filter){.op = FILTER_EQ, .field = STR("_index"), .words = i->names, .word_n = i->n};
    for (size_t k = 0; k < i->n; k++) {
        if (!str_eq(i->names[k], ES_LOGS_INDEX)) continue;
        struct filter *any = arena_one(a, struct filter);
        *any = (struct filter){.op = FILTER_EXISTS, .field = STR("_index")};
        const struct filter *both[] = {f, filter_not(a, any)}; /* events that were not pushed have no index of their own */
        return filter_join(a, FILTER_OR, both, 2);
    }
    return f;
}
