#include "ingest/self.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/mem.h"

enum { FLUSH_MS = 500, ITEMS_MAX = 2000 };

struct self {
    struct sink *sink;
    struct timer *timer;
    bool logs, traces;
    pthread_mutex_t lock; /* guards log_batch: base/log calls the tap on the thread that logs */
    struct event_batch *log_batch;
    struct event_batch *span_batch; /* loop thread */
    struct counter dropped;
};

static struct event *add_event(struct self *s, struct event_batch **batch, enum event_kind kind) {
    if (*batch == NULL) {
        *batch = event_batch_new(kind, 16 << 10);
        struct event_batch *b = *batch;
        struct stream *stream = b->streams = arena_one(b->arena, struct stream);
        struct field *attrs = arena_new_n(b->arena, struct field, 2);
        attrs[0] = (struct field){STR("service.name"), value_str(STR("binnacle"))};
        attrs[1] = (struct field){STR("process.pid"), value_int(getpid())};
        *stream = (struct stream){.service = STR("binnacle"), .attrs = attrs, .attr_n = 2};
        b->stream_n = 1;
        b->events = arena_new_n(b->arena, struct event, ITEMS_MAX);
    }
    if ((*batch)->event_n == ITEMS_MAX) {
        counter_add(&s->dropped, 1);
        return NULL;
    }
    struct event *e = &(*batch)->events[(*batch)->event_n++];
    *e = (struct event){.kind = kind};
    return e;
}

static void log_tap_line(void *arg, int64_t time_ns, enum log_level level, const char *module, str message) {
    static const uint8_t severity[] = {[LOG_DEBUG] = 5, [LOG_INFO] = 9, [LOG_WARN] = 13, [LOG_ERROR] = 17};
    struct self *s = arg;
    pthread_mutex_lock(&s->lock);
    struct event *e = add_event(s, &s->log_batch, EVENT_LOG);
    if (e) {
        struct arena *a = s->log_batch->arena;
        struct field *attrs = arena_new_n(a, struct field, 1);
        attrs[0] = (struct field){STR("module"), value_str(arena_str(a, str_c(module)))};
        e->time_ns = e->observed_ns = time_ns;
        e->body = arena_str(a, message);
        e->severity = severity[level];
        e->severity_text = str_c(log_level_name(level));
        e->attrs = attrs;
        e->attr_n = 1;
    }
    pthread_mutex_unlock(&s->lock);
}

static void flush_timer(void *arg) {
    self_flush(arg);
}

struct self *self_new(struct loop *l, struct sink *sink, bool logs, bool traces) {
    struct self *s = mem_zalloc(sizeof *s);
    s->sink = sink;
    s->logs = logs;
    s->traces = traces;
    pthread_mutex_init(&s->lock, NULL);
    s->timer = timer_start(l, FLUSH_MS, FLUSH_MS, flush_timer, s);
    if (logs) log_set_tap(log_tap_line, s);
    return s;
}

void self_flush(struct self *s) {
    assert_loop_thread();
    pthread_mutex_lock(&s->lock);
    struct event_batch *logs = TAKE(s->log_batch);
    pthread_mutex_unlock(&s->lock);
    struct event_batch *spans = TAKE(s->span_batch);
    if (logs) s->sink->push_events(s->sink, logs, NULL, NULL);
    if (spans) s->sink->push_events(s->sink, spans, NULL, NULL);
}

void self_free(struct self *s) {
    if (!s) return;
    if (s->logs) log_set_tap(NULL, NULL);
    timer_free(s->timer);
    self_flush(s);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

uint64_t self_dropped(const struct self *s) {
    return counter_get(&s->dropped);
}

/* Attribute names: OpenTelemetry semantic conventions for HTTP servers. */
void self_add_request(struct self *s, const struct self_request *r) {
    if (!s->traces) return;
    struct event *e = add_event(s, &s->span_batch, EVENT_SPAN);
    if (!e) return;
    struct arena *a = s->span_batch->arena;
    struct field attrs[] = {
        {STR("url.path"), value_str(arena_str(a, r->target))},
        {STR("client.address"), value_str(arena_str(a, r->peer))},
        {STR("binnacle.door"), value_str(arena_str(a, r->door))},
        {STR("http.response.status_code"), value_int(r->status)},
        {STR("http.request.body.size"), value_int((int64_t)r->request_bytes)},
        {STR("http.response.body.size"), value_int((int64_t)r->reply_bytes)},
    };
    e->time_ns = r->start_ns;
    e->duration_ns = r->duration_ns;
    e->trace = (struct trace_id){r->trace_hi, r->trace_lo};
    e->span_id = r->span_id;
    e->parent_id = r->parent_span_id;
    e->span_kind = SPAN_SERVER;
    e->status = r->status >= 500 || r->status == 0 ? STATUS_ERROR : STATUS_UNSET;
    if (r->status == 0) e->status_message = STR("the client left before the reply");
    e->body = arena_str(a, r->name);
    e->attrs = memcpy(arena_alloc(a, sizeof attrs), attrs, sizeof attrs);
    e->attr_n = ARRAY_N(attrs);
}
