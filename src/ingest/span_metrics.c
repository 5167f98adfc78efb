#include "ingest/span_metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/num.h"
#include "wire/rows.h"

enum { IDLE_MS = 5 * 60 * 1000, NAME_BYTES_MAX = 1024 };
#define CALLS "traces_span_metrics_calls_total"
#define DURATION "traces_span_metrics_duration_milliseconds"
#define OTHER STR("_other")

/* Upper bounds in ms. */
static const double bounds[] = {2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10000, 15000};
enum { BUCKETS = ARRAY_N(bounds) + 1, ROWS = BUCKETS + 3 }; /* with +Inf; calls, sum, count */

struct exemplar_span {
    struct trace_id trace; /* zero: none since the last flush */
    uint64_t span_id;
    double ms;
    int64_t t_ms;
};
struct operation_key {
    str service, name;
    uint8_t kind, status;
};
struct operation {
    struct operation_key key;
    str rows[ROWS]; /* label blocks: buckets, calls, sum, count */
    uint64_t buckets[BUCKETS], calls;
    double sum_ms;
    int64_t changed_ms;
    bool changed, written;
    struct exemplar_span exemplars[BUCKETS];
};
struct span_metrics {
    struct sink sink;
    struct sink *next;
    struct timer *timer;
    struct arena *arena; /* of operations */
    VEC(struct operation *) operations;
    struct map by_key;
    size_t operations_max;
    int64_t flushed_ms;
};

/* --- operations */

static uint64_t key_hash(const struct operation_key *k) {
    return hash_mix(hash_mix(hash_str(k->service), hash_str(k->name)), (uint64_t)k->kind << 8 | k->status);
}

static struct operation *find(const struct span_metrics *m, const struct operation_key *k, uint64_t hash) {
    for (size_t at = map_first(&m->by_key, hash); at != MAP_END; at = map_next(&m->by_key, at, hash)) {
        struct operation *o = m->operations.p[m->by_key.slots[at].value - 1];
        if (o->key.kind == k->kind && o->key.status == k->status && str_eq(o->key.service, k->service) && str_eq(o->key.name, k->name)) return o;
    }
    return NULL;
}

/* le is empty but for buckets. */
static str row_key(struct arena *a, const struct operation_key *k, const char *name, str le) {
    static const str kinds[] = {[SPAN_UNSPECIFIED] = STR_INIT("SPAN_KIND_UNSPECIFIED"), [SPAN_INTERNAL] = STR_INIT("SPAN_KIND_INTERNAL"),
                                [SPAN_SERVER] = STR_INIT("SPAN_KIND_SERVER"),           [SPAN_CLIENT] = STR_INIT("SPAN_KIND_CLIENT"),
                                [SPAN_PRODUCER] = STR_INIT("SPAN_KIND_PRODUCER"),       [SPAN_CONSUMER] = STR_INIT("SPAN_KIND_CONSUMER")};
    static const str statuses[] = {
        [STATUS_UNSET] = STR_INIT("STATUS_CODE_UNSET"), [STATUS_OK] = STR_INIT("STATUS_CODE_OK"), [STATUS_ERROR] = STR_INIT("STATUS_CODE_ERROR")};
    struct label l[] = {{LABEL_METRIC_NAME, str_c(name)},  {STR("le"), le},
                        {STR("service_name"), k->service}, {STR("span_kind"), kinds[k->kind]},
                        {STR("span_name"), k->name},       {STR("status_code"), statuses[k->status]}};
    size_t n = ARRAY_N(l);
    struct err e;
    bool sorted = labels_sort(l, &n, &e); /* drops those that are empty */
    assert(sorted);
    return label_block(a, (struct labels){l, n});
}

static struct operation *add(struct span_metrics *m, const struct operation_key *k, uint64_t hash) {
    struct operation *o = arena_one(m->arena, struct operation);
    o->key = *k;
    o->key.service = arena_str(m->arena, k->service);
    o->key.name = arena_str(m->arena, k->name);
    for (size_t i = 0; i < BUCKETS; i++) {
        char le[32] = "+Inf";
        size_t n = i < ARRAY_N(bounds) ? num_format_double(le, bounds[i]) : 4;
        o->rows[i] = row_key(m->arena, &o->key, DURATION "_bucket", str_n(le, n));
    }
    o->rows[BUCKETS] = row_key(m->arena, &o->key, CALLS, STR(""));
    o->rows[BUCKETS + 1] = row_key(m->arena, &o->key, DURATION "_sum", STR(""));
    o->rows[BUCKETS + 2] = row_key(m->arena, &o->key, DURATION "_count", STR(""));
    vec_push(&m->operations, o);
    map_put(&m->by_key, hash, m->operations.n);
    return o;
}

static struct operation *operation_of(struct span_metrics *m, const struct event *e, str service) {
    uint8_t kind = e->span_kind <= SPAN_CONSUMER ? e->span_kind : SPAN_UNSPECIFIED;
    uint8_t status = e->status <= STATUS_ERROR ? e->status : STATUS_UNSET;
    str name = e->body.n <= NAME_BYTES_MAX ? e->body : OTHER;
    if (service.n > NAME_BYTES_MAX) service = OTHER;
    const struct operation_key keys[] = {{service, name, kind, status}, {service, OTHER, kind, status}, {OTHER, OTHER, kind, status}};
    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        uint64_t hash = key_hash(&keys[i]);
        struct operation *o = find(m, &keys[i], hash);
        bool room = i + 1 == ARRAY_N(keys) || m->operations.n < m->operations_max * (i + 1);
        if (o || room) return o ? o : add(m, &keys[i], hash);
    }
    return NULL; /* not reached: the last has room */
}

/* --- spans on their way: counted once the store has them */

struct counted_span {
    struct operation *operation;
    struct exemplar_span exemplar;
};
struct ticket {
    struct span_metrics *m;
    push_done done;
    void *arg;
    size_t n;
    struct counted_span spans[];
};

static void count(struct counted_span *s, int64_t now_ms) {
    struct operation *o = s->operation;
    size_t b = 0;
    while (b < ARRAY_N(bounds) && s->exemplar.ms > bounds[b]) b++;
    o->buckets[b]++;
    o->calls++;
    o->sum_ms += s->exemplar.ms;
    o->changed_ms = now_ms;
    o->changed = true;
    s->exemplar.t_ms = now_ms;
    o->exemplars[b] = s->exemplar;
}

static void pushed(void *arg, const struct push_result *r) {
    struct ticket *t = arg;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; r->stored && i < t->n; i++)
        if (!r->stored_map || r->stored_map[i]) count(&t->spans[i], now_ms);
    if (t->done) t->done(t->arg, r);
    free(t);
}

static void push_events(struct sink *sink, struct event_batch *b, push_done done, void *arg) {
    struct span_metrics *m = CONTAINER_OF(sink, struct span_metrics, sink);
    if (b->kind != EVENT_SPAN || b->event_n == 0) return m->next->push_events(m->next, b, done, arg);
    struct ticket *t = mem_alloc(sizeof *t + b->event_n * sizeof *t->spans);
    *t = (struct ticket){.m = m, .done = done, .arg = arg, .n = b->event_n};
    for (size_t i = 0; i < b->event_n; i++) {
        const struct event *e = &b->events[i];
        t->spans[i] = (struct counted_span){.operation = operation_of(m, e, b->streams[e->stream].service),
                                            .exemplar = {e->trace, e->span_id, (double)MAX(e->duration_ns, INT64_C(0)) / (double)NS_PER_MS, 0}};
    }
    m->next->push_events(m->next, b, pushed, t);
}

static void push_metrics(struct sink *sink, struct metric_batch *b, push_done done, void *arg) {
    struct span_metrics *m = CONTAINER_OF(sink, struct span_metrics, sink);
    m->next->push_metrics(m->next, b, done, arg);
}
static void count_refused(struct sink *sink, enum signal signal, size_t n) {
    struct span_metrics *m = CONTAINER_OF(sink, struct span_metrics, sink);
    m->next->count_refused(m->next, signal, n);
}

/* --- writing */

static void put_exemplar(struct rows *r, const struct exemplar_span *x) {
    struct arena *a = r->batch->arena;
    struct label *l = arena_new_n(a, struct label, 2);
    l[0] = (struct label){STR("span_id"), arena_printf(a, "%016llx", (unsigned long long)x->span_id)};
    l[1] = (struct label){STR("trace_id"), arena_printf(a, "%016llx%016llx", (unsigned long long)x->trace.hi, (unsigned long long)x->trace.lo)};
    rows_exemplar(r, (struct exemplar){.labels = {l, 2}, .v = x->ms, .t_ms = x->t_ms});
}

static void put_row(struct rows *r, const struct operation *o, size_t row, int64_t zero_ms, int64_t now_ms, double v) {
    rows_add(r, arena_str(r->batch->arena, o->rows[row]));
    if (!o->written) rows_sample(r, zero_ms, 0);
    rows_sample(r, now_ms, v);
}

static void put_operation(struct rows *r, struct operation *o, int64_t zero_ms, int64_t now_ms) {
    uint64_t below = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        put_row(r, o, i, zero_ms, now_ms, (double)(below += o->buckets[i]));
        if (trace_id_set(o->exemplars[i].trace)) put_exemplar(r, &o->exemplars[i]);
        o->exemplars[i].trace = (struct trace_id){0};
    }
    put_row(r, o, BUCKETS, zero_ms, now_ms, (double)o->calls);
    put_row(r, o, BUCKETS + 1, zero_ms, now_ms, o->sum_ms);
    put_row(r, o, BUCKETS + 2, zero_ms, now_ms, (double)o->calls);
    o->changed = false;
    o->written = true;
}

void span_metrics_flush(struct span_metrics *m, int64_t now_ms) {
    if (now_ms <= m->flushed_ms) return; /* the clock was set back */
    struct rows r = {.batch = metric_batch_new(16 << 10)};
    vec_push(&r.metas, ((struct metric_meta){STR(CALLS), METRIC_COUNTER, STR("Spans by service, operation, kind and status."), STR("")}));
    vec_push(&r.metas, ((struct metric_meta){STR(DURATION), METRIC_HISTOGRAM, STR("Durations of spans."), STR("milliseconds")}));
    for (size_t i = 0; i < m->operations.n; i++) {
        struct operation *o = m->operations.p[i];
        if (o->changed || (o->written && now_ms - o->changed_ms <= IDLE_MS)) put_operation(&r, o, m->flushed_ms, now_ms);
    }
    m->flushed_ms = now_ms;
    bool any = r.rows.n > 0;
    rows_finish(&r);
    r.batch->row_labels = label_block_row;
    if (any)
        m->next->push_metrics(m->next, r.batch, NULL, NULL);
    else
        metric_batch_free(r.batch);
}

static void on_timer(void *arg) {
    span_metrics_flush(arg, clock_wall_ms());
}

struct span_metrics *span_metrics_new(struct loop *l, struct sink *next, int64_t interval_ms, size_t operations_max) {
    struct span_metrics *m = mem_zalloc(sizeof *m);
    m->sink = (struct sink){push_metrics, push_events, count_refused};
    m->next = next;
    m->arena = arena_new(64 << 10);
    m->operations_max = operations_max;
    m->flushed_ms = clock_wall_ms();
    if (interval_ms) m->timer = timer_start(l, interval_ms, interval_ms, on_timer, m);
    return m;
}

struct sink *span_metrics_sink(struct span_metrics *m) {
    return &m->sink;
}

void span_metrics_stop(struct span_metrics *m) {
    if (!m) return;
    timer_free(m->timer);
    m->timer = NULL;
    span_metrics_flush(m, clock_wall_ms());
}

void span_metrics_free(struct span_metrics *m) {
    if (!m) return;
    assert(!m->timer);
    arena_free(m->arena);
    vec_done(&m->operations);
    map_done(&m->by_key);
    free(m);
}
