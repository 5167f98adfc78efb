/* bench_events [LINES [FILE]]: what the events store costs. Generated container logs (or those of FILE: lines of "stream TAB message") and spans: CPU
 * time of appending with the WAL encoding, of sealing, bytes on disk, and the latency of the queries people wait for. Writes below $TMPDIR; prints
 * one figure a line. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/events/events.h"

enum { BATCH = 500, PODS = 38, SERVICES = 15 };
static uint64_t state = 42;

static uint64_t next_random(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static unsigned below(unsigned n) {
    return (unsigned)(next_random() % n);
}
/* Small numbers are likelier. */
static unsigned skewed(unsigned n) {
    unsigned a = below(n);
    unsigned b = below(n);
    return MIN(a, b);
}

static const char *const paths[] = {"/api/users", "/api/orders", "/healthz", "/metrics", "/api/cart", "/login", "/static/app.js", "/api/search"};
static const char *const agents[] = {"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/115.0", "kube-probe/1.27", "Prometheus/2.45.0",
                                     "curl/7.88.1"};
static const char *const words[] = {"order", "payment", "catalog", "inventory", "session", "cache", "replica", "shipment", "invoice", "customer"};

static str log_line(struct arena *a, unsigned pod) {
    unsigned long long id = next_random();
    unsigned long long id2 = next_random();
    switch (pod % 6) {
    case 0:
        return arena_printf(a, "10.244.%u.%u - - [25/Nov/2026:12:%02u:%02u +0000] \"GET %s/%u HTTP/1.1\" %u %u \"-\" \"%s\" %u 0.%03u %016llx%016llx",
                            below(4), below(250), below(60), below(60), paths[skewed(8)], below(200000), below(20) ? 200 : 404, below(50000),
                            agents[skewed(4)], 200 + below(900), below(1000), id, id2);
    case 1:
        return arena_printf(a,
                            "{\"level\":\"info\",\"pid\":%u,\"reqId\":\"%016llx\",\"req\":{\"method\":\"GET\",\"url\":\"%s\"},\"res\":{"
                            "\"statusCode\":%u},\"responseTime\":%u,\"msg\":\"request completed\"}",
                            7 + below(30), id, paths[skewed(8)], below(50) ? 200 : 500, skewed(900));
    case 2:
        return arena_printf(a,
                            "2026-11-25 12:%02u:%02u.%03u INFO 1 --- [nio-8080-exec-%u] c.e.orders.OrderService : %s placed order=%u customer=%u "
                            "total=%u.%02u traceId=%016llx%016llx",
                            below(60), below(60), below(1000), below(200), words[skewed(10)], below(1000000), below(50000), below(900), below(100),
                            id, id2);
    case 3:
        return arena_printf(a,
                            "level=info caller=charge.go:%u msg=\"payment accepted\" order_id=A-%u amount=%u.%02u currency=EUR provider=stripe "
                            "duration=%u.%ums trace_id=%016llx%016llx",
                            20 + below(300), below(1000000), below(500), below(100), skewed(500), below(1000), id, id2);
    case 4:
        return arena_printf(a, "2026-11-25 12:%02u:%02u,%03u [INFO] catalog.search: query=%s page=%u hits=%u took=%ums user=%u request_id=%016llx",
                            below(60), below(60), below(1000), words[skewed(10)], below(9), below(5000), skewed(800), below(50000), id);
    }
    return arena_printf(a, "[INFO] 10.244.%u.%u:%u - %u \"A IN %s.shop.svc.cluster.local. udp %u false 512\" NOERROR qr,aa,rd %u 0.%06us", below(4),
                        below(250), 30000 + below(30000), below(65536), words[skewed(10)], 40 + below(30), 90 + below(60), below(900000));
}

static struct field *pod_attrs(struct arena *a, unsigned pod, size_t *n) {
    struct field *f = arena_new_n(a, struct field, 6);
    f[0] = (struct field){STR("service.name"), value_str(arena_printf(a, "svc-%u", pod % 12))};
    f[1] = (struct field){STR("k8s.namespace.name"), value_str(STR("shop"))};
    f[2] = (struct field){STR("k8s.pod.name"), value_str(arena_printf(a, "svc-%u-7d4f9c6b5-%05u", pod % 12, pod * 7919 % 100000))};
    f[3] = (struct field){STR("k8s.container.name"), value_str(arena_printf(a, "svc-%u", pod % 12))};
    f[4] = (struct field){STR("k8s.node.name"), value_str(arena_printf(a, "node-%u", pod % 5))};
    f[5] = (struct field){STR("log.iostream"), value_str(STR("stdout"))};
    *n = 6;
    return f;
}

struct source {
    FILE *file;
    char *line;
    size_t cap;
    uint64_t bytes;
    int64_t now_ns;
    char *pods[PODS];
    unsigned pod_n;
};

/* The next message and the pod it is of. */
static str next_line(struct source *s, struct arena *a, unsigned *pod) {
    if (!s->file) return log_line(a, *pod);
    ssize_t n = getline(&s->line, &s->cap, s->file);
    if (n <= 0) {
        rewind(s->file);
        n = getline(&s->line, &s->cap, s->file);
    }
    str line = str_n(s->line, n > 1 ? (size_t)n - 1 : 0);
    str name;
    if (!str_cut(&line, '\t', &name)) return STR("");
    for (*pod = 0; *pod < s->pod_n && !str_eq_c(name, s->pods[*pod]); ++*pod) continue;
    if (*pod == s->pod_n && s->pod_n < PODS) s->pods[s->pod_n++] = strndup(name.p, name.n);
    return arena_str(a, line);
}

/* A tailer's batch: some lines of each of a few files. */
static struct event_batch *log_batch(struct source *s) {
    struct event_batch *b = event_batch_new(EVENT_LOG, 256 << 10);
    b->stream_n = PODS;
    b->streams = arena_zalloc(b->arena, b->stream_n * sizeof *b->streams);
    b->events = arena_zalloc(b->arena, BATCH * sizeof *b->events);
    b->event_n = BATCH;
    for (unsigned i = 0; i < PODS; i++) {
        b->streams[i].attrs = pod_attrs(b->arena, i, &b->streams[i].attr_n);
        b->streams[i].service = b->streams[i].attrs[0].value.s;
    }
    unsigned first = below(PODS - 6);
    for (size_t i = 0; i < BATCH; i++) {
        struct event *ev = &b->events[i];
        unsigned pod = first + below(6);
        ev->body = below(1000000) ? next_line(s, b->arena, &pod) : STR("needle0451 found in the haystack");
        ev->stream = MIN(pod, (unsigned)PODS - 1);
        ev->time_ns = s->now_ns += 1000 + (int64_t)below(40000);
        ev->observed_ns = ev->time_ns + 2000000;
        ev->severity = below(20) ? 9 : 17;
        s->bytes += ev->body.n;
    }
    return b;
}

/* Ten spans of one trace, as an instrumented shop would send them. */
static void add_trace(struct event_batch *b, size_t at, int64_t now_ns) {
    static const char *const ops[] = {"GET /api/orders", "POST /api/cart", "SELECT orders", "GET", "HGETALL", "charge", "render", "publish"};
    struct trace_id t = {next_random(), next_random()};
    for (size_t i = 0; i < 10; i++) {
        struct event *ev = &b->events[at + i];
        struct arena *a = b->arena;
        *ev = (struct event){.kind = EVENT_SPAN, .trace = t, .span_id = next_random(), .time_ns = now_ns + (int64_t)below(1000000)};
        ev->stream = below(SERVICES);
        ev->parent_id = i ? b->events[at + below((unsigned)i)].span_id : 0;
        ev->duration_ns = 1000 * (int64_t)(1 + skewed(200000));
        ev->body = str_c(ops[skewed(8)]);
        ev->span_kind = (uint8_t)(1 + below(5));
        ev->status = below(50) ? STATUS_UNSET : STATUS_ERROR;
        struct field *f = arena_new_n(a, struct field, 7);
        f[0] = (struct field){STR("http.request.method"), value_str(STR("GET"))};
        f[1] = (struct field){STR("http.response.status_code"), value_int(below(20) ? 200 : 500)};
        f[2] = (struct field){STR("url.path"), value_str(arena_printf(a, "%s/%u", paths[skewed(8)], below(2000)))};
        f[3] = (struct field){STR("server.address"), value_str(arena_printf(a, "svc-%u", below(12)))};
        f[4] = (struct field){STR("user.id"), value_str(arena_printf(a, "user-%u", below(50000)))};
        f[5] = (struct field){STR("thread.id"), value_int(below(200))};
        f[6] = (struct field){STR("network.peer.port"), value_int(30000 + below(30000))};
        ev->attrs = f;
        ev->attr_n = 7;
    }
}

static struct event_batch *span_batch(struct source *s, struct trace_id *one) {
    struct event_batch *b = event_batch_new(EVENT_SPAN, 256 << 10);
    b->stream_n = SERVICES;
    b->streams = arena_zalloc(b->arena, b->stream_n * sizeof *b->streams);
    for (unsigned i = 0; i < SERVICES; i++) {
        b->streams[i].attrs = pod_attrs(b->arena, i, &b->streams[i].attr_n);
        b->streams[i].service = b->streams[i].attrs[0].value.s;
        b->streams[i].scope_name = STR("io.opentelemetry.http");
    }
    b->events = arena_zalloc(b->arena, BATCH * sizeof *b->events);
    b->event_n = BATCH;
    for (size_t i = 0; i < BATCH; i += 10) add_trace(b, i, s->now_ns += 100000);
    *one = b->events[0].trace;
    return b;
}

static void check(bool ok, const struct err *e) {
    if (ok) return;
    fprintf(stderr, "bench_events: %s\n", e->msg);
    exit(1);
}

static bool no_record(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    (void)arg, (void)type, (void)lsn, (void)payload, (void)e;
    return true;
}
static bool tally(void *arg, const struct evrow *r) {
    (void)r;
    ++*(uint64_t *)arg;
    return true;
}
struct newest {
    struct arena *arena;
    size_t n;
};
static bool show(void *arg, const struct evrow *r) {
    struct newest *s = arg;
    struct event ev;
    struct stream st;
    evrow_event(r, s->arena, &ev, &st);
    return ++s->n < 500;
}

static void time_scan(struct evdb *db, const char *what, enum event_kind kind, const struct filter *f) {
    int64_t best = INT64_MAX;
    uint64_t n = 0;
    struct evscan_stats st;
    for (int i = 0; i < 5; i++) {
        struct err e;
        n = 0;
        struct evscan q = {.filter = f, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .any_order = true};
        struct evdb_snapshot *s = evdb_snapshot(db, kind, q.from_ns, q.to_ns);
        int64_t t = clock_cpu_ns();
        check(evdb_scan(s, &q, tally, &n, &st, &e), &e);
        best = MIN(best, clock_cpu_ns() - t);
        evdb_snapshot_free(s);
    }
    printf("%-40s %9.3f ms   (%llu hits, %llu blocks read, %llu skipped)\n", what, (double)best / 1e6, (unsigned long long)n,
           (unsigned long long)st.blocks, (unsigned long long)st.blocks_skipped);
}

static void time_newest(struct evdb *db, const struct filter *f) {
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        struct err e;
        AUTO(arena_free) struct arena *a = arena_new(64 << 10);
        struct newest to = {.arena = a};
        struct evscan q = {.filter = f, .from_ns = INT64_MIN, .to_ns = INT64_MAX};
        struct evdb_snapshot *s = evdb_snapshot(db, EVENT_LOG, q.from_ns, q.to_ns);
        int64_t t = clock_cpu_ns();
        check(evdb_scan(s, &q, show, &to, NULL, &e), &e);
        best = MIN(best, clock_cpu_ns() - t);
        evdb_snapshot_free(s);
    }
    printf("%-40s %9.3f ms\n", f ? "newest 500 with a word" : "newest 500", (double)best / 1e6);
}

static void time_trace(struct evdb *db, struct trace_id id, const char *what) {
    int64_t best = INT64_MAX;
    size_t n = 0;
    for (int i = 0; i < 20; i++) {
        struct err e;
        AUTO(arena_free) struct arena *a = arena_new(64 << 10);
        struct event *events;
        struct stream *streams;
        struct evdb_snapshot *s = evdb_snapshot(db, EVENT_SPAN, INT64_MIN, INT64_MAX);
        int64_t t = clock_cpu_ns();
        check(evdb_trace(s, id, a, &events, &streams, &n, &e), &e);
        best = MIN(best, clock_cpu_ns() - t);
        evdb_snapshot_free(s);
    }
    printf("%-40s %9.3f ms   (%zu spans)\n", what, (double)best / 1e6, n);
}

static void report_append(struct evdb *db, enum event_kind kind, const char *what, uint64_t n, int64_t cpu_ns, int64_t seal_ns, uint64_t raw,
                          uint64_t wal_bytes) {
    struct evdb_stats st;
    evdb_stats(db, &st);
    printf("%-40s %9.0f /s/core\n", what, (double)n * 1e9 / (double)cpu_ns);
    printf("%-40s %9.2f us of CPU each\n", "  of which sealing and merging add", (double)seal_ns / 1e3 / (double)n);
    printf("%-40s %9.1f bytes each\n", "  WAL", (double)wal_bytes / (double)n);
    if (st.kind[kind].head_events)
        printf("%-40s %9.1f bytes each\n", "  head (memory)", (double)st.kind[kind].head_bytes / (double)st.kind[kind].head_events);
    if (st.kind[kind].part_events)
        printf("%-40s %9.2f bytes each, %llu parts\n", "  disk", (double)st.kind[kind].part_bytes / (double)st.kind[kind].part_events,
               (unsigned long long)st.kind[kind].parts);
    if (raw)
        printf("%-40s %9.1f bytes each (disk: 1/%.1f)\n", "  raw message", (double)raw / (double)n,
               (double)raw / (double)n / ((double)st.kind[kind].part_bytes / (double)MAX(st.kind[kind].part_events, UINT64_C(1))));
}

int main(int argc, char **argv) {
    uint64_t lines = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    struct source src = {.file = argc > 2 ? fopen(argv[2], "r") : NULL, .now_ns = INT64_C(1795608000) * NS_PER_S};
    char dir[256];
    char path[300];
    struct err e;
    snprintf(dir, sizeof dir, "%s/bench-events-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(dir)) return 1;
    loop_own_thread();
    struct evdb *db;
    struct wal *wal;
    struct wal_replay_stats rs;
    snprintf(path, sizeof path, "%s/events", dir);
    struct evdb_options o = {.vfs = vfs_real(), .dir = path};
    check(evdb_open(&o, &db, &e), &e);
    char wal_dir[300];
    snprintf(wal_dir, sizeof wal_dir, "%s/wal", dir);
    struct wal_options wo = {.vfs = vfs_real(), .dir = wal_dir, .no_sync = true, .segment_bytes = 64 << 20, .queue_bytes_max = 1 << 30};
    check(wal_open(NULL, &wo, no_record, NULL, &rs, &wal, &e), &e);
    evdb_attach_wal(db, wal);

    struct trace_id old_trace = {0};
    struct trace_id new_trace = {0};
    for (int kind = 0; kind < EVENT_KIND_N; kind++) {
        int64_t append_ns = 0;
        int64_t seal_ns = 0;
        struct wal_stats before;
        struct wal_stats after;
        wal_stats(wal, &before);
        for (uint64_t n = 0; n < lines; n += BATCH) {
            struct trace_id one;
            struct event_batch *b = kind == EVENT_LOG ? log_batch(&src) : span_batch(&src, &one);
            if (kind == EVENT_SPAN && n == lines / 2 / BATCH * BATCH) old_trace = one;
            if (kind == EVENT_SPAN) new_trace = one;
            struct evdb_stats st;
            evdb_stats(db, &st);
            int64_t t = clock_cpu_ns();
            evdb_append(db, b, NULL, NULL);
            int64_t took = clock_cpu_ns() - t;
            uint64_t parts = st.kind[kind].parts;
            uint64_t head = st.kind[kind].head_events;
            evdb_stats(db, &st);
            /* Without a pool the append that fills the head seals it on the spot. */
            *(st.kind[kind].parts != parts || st.kind[kind].head_events < head ? &seal_ns : &append_ns) += took;
        }
        wal_stats(wal, &after);
        report_append(db, (enum event_kind)kind, kind == EVENT_LOG ? "append logs, with WAL" : "append spans, with WAL", lines, append_ns, seal_ns,
                      kind == EVENT_LOG ? src.bytes : 0, after.bytes - before.bytes);
    }
    str rare = STR("needle0451");
    str common = STR("payment");
    struct filter f = {.op = FILTER_WORD, .field = STR("*"), .words = &rare, .word_n = 1};
    time_scan(db, "count a rare word", EVENT_LOG, &f);
    time_newest(db, NULL);
    time_newest(db, &f);
    f.words = &common;
    time_scan(db, "count a common word", EVENT_LOG, &f);
    struct filter sub = {.op = FILTER_SUBSTRING, .field = STR("message"), .words = &rare, .word_n = 1};
    time_scan(db, "count a substring", EVENT_LOG, &sub);
    struct filter errors = {.op = FILTER_NUMBER_RANGE, .field = STR("severity_number"), .num_lo = 17, .has_lo = true};
    time_scan(db, "count severity >= error", EVENT_LOG, &errors);
    time_scan(db, "count all", EVENT_LOG, NULL);
    struct filter slow = {.op = FILTER_NUMBER_RANGE, .field = STR("duration"), .num_lo = 150e6, .has_lo = true};
    time_scan(db, "count slow spans", EVENT_SPAN, &slow);
    time_trace(db, old_trace, "trace by id, sealed");
    time_trace(db, new_trace, "trace by id, newest");
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    printf("%-40s %9.1f MiB\n", "peak memory (mapped parts included)", (double)ru.ru_maxrss / 1024);
    evdb_close(db);
    wal_close(wal);
    snprintf(path, sizeof path, "rm -rf '%s'", dir);
    return system(path);
}
