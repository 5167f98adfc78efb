/* Events for the tests of the events store: small builders over an arena, and comparison of whole events. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/events/events.h"

#define SAMPLE_T0 (INT64_C(1700000000) * NS_PER_S)

static UNUSED struct field sample_field(const char *key, struct value v) {
    return (struct field){str_c(key), v};
}
static UNUSED struct field sample_text(const char *key, const char *text) {
    return sample_field(key, value_str(str_c(text)));
}
static UNUSED struct field *sample_fields(struct arena *a, size_t n, ...) {
    struct field *f = arena_new_n(a, struct field, n + 1);
    va_list ap;
    va_start(ap, n);
    for (size_t i = 0; i < n; i++) f[i] = va_arg(ap, struct field);
    va_end(ap);
    return f;
}

/* A batch of one stream with room for n events. */
static UNUSED struct event_batch *sample_batch(enum event_kind kind, const char *service, size_t n) {
    struct event_batch *b = event_batch_new(kind, 1024);
    b->streams = arena_zalloc(b->arena, sizeof *b->streams);
    b->streams[0].service = str_c(service);
    b->stream_n = 1;
    b->events = arena_zalloc(b->arena, n * sizeof *b->events);
    b->event_n = n;
    for (size_t i = 0; i < n; i++) b->events[i].kind = kind;
    return b;
}
static UNUSED struct event_batch *sample_log(const char *service, int64_t time_ns, const char *body) {
    struct event_batch *b = sample_batch(EVENT_LOG, service, 1);
    b->events[0].time_ns = time_ns;
    b->events[0].body = arena_str(b->arena, str_c(body));
    return b;
}
static UNUSED struct event_batch *sample_span(const char *service, int64_t start_ns, uint64_t trace, uint64_t id, uint64_t parent, const char *name) {
    struct event_batch *b = sample_batch(EVENT_SPAN, service, 1);
    b->events[0].time_ns = start_ns;
    b->events[0].duration_ns = NS_PER_MS;
    b->events[0].trace = (struct trace_id){0x1234, trace};
    b->events[0].span_id = id;
    b->events[0].parent_id = parent;
    b->events[0].span_kind = SPAN_SERVER;
    b->events[0].body = arena_str(b->arena, str_c(name));
    return b;
}

static UNUSED void sample_append(struct evdb *db, struct event_batch *b) {
    struct push_result r;
    struct err e;
    if (!evdb_append_now(db, b, &r, &e)) fail_msg("append: %s", e.msg);
}

static UNUSED void assert_str(str got, const char *want) {
    if (!str_eq_c(got, want)) fail_msg("got \"%.*s\", want \"%s\"", (int)got.n, got.p, want);
}
static UNUSED void assert_same_fields(const struct field *a, size_t an, const struct field *b, size_t bn) {
    assert_int_equal(an, bn);
    for (size_t i = 0; i < an; i++) {
        if (!str_eq(a[i].key, b[i].key)) fail_msg("key %zu: \"%.*s\" is not \"%.*s\"", i, (int)a[i].key.n, a[i].key.p, (int)b[i].key.n, b[i].key.p);
        if (!value_eq(&a[i].value, &b[i].value)) fail_msg("value of \"%.*s\" differs", (int)a[i].key.n, a[i].key.p);
    }
}
static UNUSED void assert_same_event(const struct event *a, const struct event *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->time_ns, b->time_ns);
    assert_int_equal(a->trace.hi, b->trace.hi);
    assert_int_equal(a->trace.lo, b->trace.lo);
    assert_int_equal(a->span_id, b->span_id);
    assert_true(str_eq(a->body, b->body));
    assert_true(str_eq(a->id, b->id));
    assert_int_equal(a->observed_ns, b->observed_ns);
    assert_int_equal(a->severity, b->severity);
    assert_int_equal(a->source_doc, b->source_doc);
    assert_true(str_eq(a->severity_text, b->severity_text));
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->parent_id, b->parent_id);
    assert_int_equal(a->duration_ns, b->duration_ns);
    assert_int_equal(a->span_kind, b->span_kind);
    assert_int_equal(a->status, b->status);
    assert_true(str_eq(a->status_message, b->status_message));
    assert_true(str_eq(a->trace_state, b->trace_state));
    assert_same_fields(a->attrs, a->attr_n, b->attrs, b->attr_n);
    assert_int_equal(a->event_n, b->event_n);
    for (size_t i = 0; i < a->event_n; i++) {
        assert_int_equal(a->events[i].time_ns, b->events[i].time_ns);
        assert_true(str_eq(a->events[i].name, b->events[i].name));
        assert_same_fields(a->events[i].attrs, a->events[i].attr_n, b->events[i].attrs, b->events[i].attr_n);
    }
    assert_int_equal(a->link_n, b->link_n);
    for (size_t i = 0; i < a->link_n; i++) {
        assert_int_equal(a->links[i].trace.hi, b->links[i].trace.hi);
        assert_int_equal(a->links[i].trace.lo, b->links[i].trace.lo);
        assert_int_equal(a->links[i].span_id, b->links[i].span_id);
        assert_int_equal(a->links[i].follows_from, b->links[i].follows_from);
        assert_true(str_eq(a->links[i].trace_state, b->links[i].trace_state));
        assert_same_fields(a->links[i].attrs, a->links[i].attr_n, b->links[i].attrs, b->links[i].attr_n);
    }
}

/* Collects what a scan shows. */
struct sample_hits {
    struct arena *arena;
    struct event events[4096];
    struct stream streams[4096];
    int64_t time_ns[4096];
    uint64_t seq[4096];
    size_t n, max; /* max 0: all */
};
static UNUSED bool sample_take(void *arg, const struct evrow *r) {
    struct sample_hits *h = arg;
    h->time_ns[h->n] = evrow_time_ns(r);
    h->seq[h->n] = evrow_seq(r);
    evrow_event(r, h->arena, &h->events[h->n], &h->streams[h->n]);
    h->n++;
    return h->n < ARRAY_N(h->events) && h->n != h->max;
}
static UNUSED size_t sample_scan(struct evdb *db, enum event_kind kind, const struct evscan *q, struct sample_hits *h) {
    struct err e;
    struct evdb_snapshot *s = evdb_snapshot(db, kind, q->from_ns, q->to_ns);
    h->n = 0;
    if (!evdb_scan(s, q, sample_take, h, NULL, &e)) fail_msg("scan: %s", e.msg);
    evdb_snapshot_free(s);
    return h->n;
}
static UNUSED bool sample_tally(void *arg, const struct evrow *r) {
    (void)r;
    return ++*(size_t *)arg > 0;
}
static UNUSED size_t sample_count(struct evdb *db, enum event_kind kind, const struct filter *f) {
    struct err e;
    size_t n = 0;
    struct evscan q = {.filter = f, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .any_order = true};
    struct evdb_snapshot *s = evdb_snapshot(db, kind, q.from_ns, q.to_ns);
    if (!evdb_scan(s, &q, sample_tally, &n, NULL, &e)) fail_msg("scan: %s", e.msg);
    evdb_snapshot_free(s);
    return n;
}
