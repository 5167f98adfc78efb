#include "unit/store/events/sample.h"

static struct evdb *open_memory(void) {
    struct evdb *db;
    struct err e;
    struct evdb_options o = {0};
    loop_own_thread();
    assert_true(evdb_open(&o, &db, &e));
    return db;
}
static struct filter word(const char *field, str *w) {
    return (struct filter){.op = FILTER_WORD, .field = str_c(field), .words = w, .word_n = 1};
}

static struct value text_value(const char *s) {
    return value_str(str_c(s));
}

static void fill_log(struct event_batch *b) {
    struct arena *a = b->arena;
    struct value *list = arena_new_n(a, struct value, 3);
    list[0] = text_value("x");
    list[1] = value_int(-7);
    list[2] = (struct value){.type = VAL_MAP, .n = 1, .fields = sample_fields(a, 1, sample_text("deep", "y"))};
    struct value empty_map = {.type = VAL_MAP};
    struct value empty_list = {.type = VAL_ARRAY};
    struct value null = {.type = VAL_NULL};
    struct value labels = {.type = VAL_MAP, .n = 2, .fields = sample_fields(a, 2, sample_text("app", "web"), sample_text("a.b/c", "dotted"))};
    struct value k8s = {
        .type = VAL_MAP,
        .n = 3,
        .fields = sample_fields(a, 3, sample_text("pod", "p-1"), sample_field("labels", labels), sample_field("n", value_double(0.5)))};
    struct event *ev = &b->events[0];
    ev->attr_n = 11;
    ev->attrs = sample_fields(a, 11, sample_field("kubernetes", k8s), sample_text("kubernetes.host", "h"),
                              sample_field("list", (struct value){.type = VAL_ARRAY, .n = 3, .items = list}), sample_field("none", null),
                              sample_field("{}", empty_map), sample_field("[]", empty_list), sample_field("ok", value_bool(true)),
                              sample_field("n", value_int(INT64_MIN)), sample_text("\xff\xfe", "odd key"), sample_text("", "empty key"),
                              sample_field("bytes", (struct value){.type = VAL_BYTES, .s = STR("\0\1")}));
    ev->time_ns = SAMPLE_T0;
    ev->observed_ns = SAMPLE_T0 + 5;
    ev->body = STR("hello world");
    ev->id = STR("doc-1");
    ev->severity = 9;
    ev->severity_text = STR("INFO");
    ev->flags = 1;
    ev->trace = (struct trace_id){1, 2};
    ev->span_id = 0xfedcba9876543210;
}

static void gives_back_a_log_exactly(void **state) {
    (void)state;
    struct evdb *db = open_memory();
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct sample_hits *h = arena_zalloc(a, sizeof *h);
    h->arena = a;
    struct event_batch *b = sample_batch(EVENT_LOG, "svc", 1);
    fill_log(b);
    b->streams[0].attr_n = 1;
    b->streams[0].attrs = sample_fields(b->arena, 1, sample_text("service.name", "svc"));
    b->streams[0].scope_name = STR("lib");
    sample_append(db, b);
    struct event_batch *want = sample_batch(EVENT_LOG, "svc", 1);
    fill_log(want);
    assert_int_equal(sample_scan(db, EVENT_LOG, &(struct evscan){.to_ns = INT64_MAX}, h), 1);
    assert_same_event(&h->events[0], &want->events[0]);
    assert_str(h->streams[0].service, "svc");
    assert_str(h->streams[0].scope_name, "lib");
    assert_int_equal(h->streams[0].attr_n, 1);
    event_batch_free(want);
    evdb_close(db);
}

static void fill_span(struct event_batch *b) {
    struct arena *a = b->arena;
    struct event *ev = &b->events[0];
    struct span_event *events = arena_zalloc(a, 2 * sizeof *events);
    events[0] = (struct span_event){.time_ns = SAMPLE_T0 + 10, .name = STR("exception"), .attr_n = 2};
    events[0].attrs = sample_fields(a, 2, sample_text("exception.type", "E"), sample_field("n", value_int(1)));
    events[1] = (struct span_event){.time_ns = SAMPLE_T0 - 10, .name = STR("retry"), .attr_n = 1};
    events[1].attrs = sample_fields(a, 1, sample_field("n", value_int(2)));
    struct span_link *links = arena_zalloc(a, 2 * sizeof *links);
    links[0] = (struct span_link){.trace = {3, 4}, .span_id = 5, .follows_from = true, .trace_state = STR("s"), .attr_n = 1};
    links[0].attrs = sample_fields(a, 1, sample_text("k", "v"));
    links[1] = (struct span_link){.trace = {0, 4}, .span_id = 6};
    ev->attr_n = 2;
    ev->attrs = sample_fields(a, 2, sample_text("http.method", "GET"), sample_field("http.status_code", value_int(500)));
    ev->events = events;
    ev->event_n = 2;
    ev->links = links;
    ev->link_n = 2;
    ev->status = STATUS_ERROR;
    ev->status_message = STR("boom");
    ev->trace_state = STR("a=b");
    ev->flags = 0x101;
}

static void gives_back_a_span_exactly(void **state) {
    (void)state;
    struct evdb *db = open_memory();
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct event_batch *b = sample_span("svc", SAMPLE_T0, 9, 10, 11, "GET /");
    fill_span(b);
    sample_append(db, b);
    struct event_batch *want = sample_span("svc", SAMPLE_T0, 9, 10, 11, "GET /");
    fill_span(want);
    struct event *events;
    struct stream *streams;
    size_t n;
    struct err e;
    struct evdb_snapshot *s = evdb_snapshot(db, EVENT_SPAN, 0, INT64_MAX);
    assert_true(evdb_trace(s, (struct trace_id){0x1234, 9}, a, &events, &streams, &n, &e));
    assert_int_equal(n, 1);
    want->events[0].stream = events[0].stream;
    assert_same_event(&events[0], &want->events[0]);
    assert_str(streams[0].service, "svc");
    assert_true(evdb_trace(s, (struct trace_id){0x1234, 8}, a, &events, &streams, &n, &e));
    assert_int_equal(n, 0);
    evdb_snapshot_free(s);
    event_batch_free(want);
    evdb_close(db);
}

static void scans_newest_first_and_pages(void **state) {
    (void)state;
    struct evdb *db = open_memory();
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct sample_hits *h = arena_zalloc(a, sizeof *h);
    h->arena = a;
    enum { N = 300 };
    for (int i = 0; i < N; i++) sample_append(db, sample_log(i % 3 ? "a" : "b", SAMPLE_T0 + (i * 37 % 100) * NS_PER_MS, "x"));
    struct evscan q = {.from_ns = 0, .to_ns = INT64_MAX};
    assert_int_equal(sample_scan(db, EVENT_LOG, &q, h), N);
    for (size_t i = 1; i < N; i++)
        assert_true(h->time_ns[i - 1] > h->time_ns[i] || (h->time_ns[i - 1] == h->time_ns[i] && h->seq[i - 1] > h->seq[i]));
    /* Pages of 7 give the same, in both directions. */
    for (int oldest = 0; oldest < 2; oldest++) {
        struct evscan page = {.from_ns = 0, .to_ns = INT64_MAX, .oldest_first = oldest};
        struct sample_hits *part = arena_zalloc(a, sizeof *part);
        part->arena = a;
        part->max = 7;
        size_t seen = 0;
        while (sample_scan(db, EVENT_LOG, &page, part) > 0) {
            for (size_t i = 0; i < part->n; i++, seen++) {
                size_t at = oldest ? N - 1 - seen : seen;
                assert_int_equal(part->seq[i], h->seq[at]);
            }
            page.has_after = true;
            page.after_ns = part->time_ns[part->n - 1];
            page.after_seq = part->seq[part->n - 1];
        }
        assert_int_equal(seen, N);
    }
    evdb_close(db);
}

static void filters_by_word_in_any_field(void **state) {
    (void)state;
    struct evdb *db = open_memory();
    for (int i = 0; i < 100; i++) {
        struct event_batch *b = sample_log("shop", SAMPLE_T0 + i, i % 10 ? "Order placed" : "payment TIMEOUT after 5s");
        b->events[0].attr_n = 1;
        b->events[0].attrs = sample_fields(b->arena, 1, sample_field("code", value_int(i)));
        sample_append(db, b);
    }
    str w = STR("timeout");
    struct filter in_message = word("message", &w);
    struct filter anywhere = word("*", &w);
    struct filter elsewhere = word("code", &w);
    assert_int_equal(sample_count(db, EVENT_LOG, &in_message), 10);
    assert_int_equal(sample_count(db, EVENT_LOG, &anywhere), 10);
    assert_int_equal(sample_count(db, EVENT_LOG, &elsewhere), 0);
    struct filter range = {.op = FILTER_NUMBER_RANGE, .field = STR("code"), .num_lo = 10, .num_hi = 19, .has_lo = true, .has_hi = true};
    assert_int_equal(sample_count(db, EVENT_LOG, &range), 10);
    const struct filter *both[] = {&in_message, &range};
    struct filter and = {.op = FILTER_AND, .children = both, .child_n = 2};
    struct filter or = {.op = FILTER_OR, .children = both, .child_n = 2};
    const struct filter *only[] = {& or };
    struct filter not = {.op = FILTER_NOT, .children = only, .child_n = 1};
    assert_int_equal(sample_count(db, EVENT_LOG, &and), 1);
    assert_int_equal(sample_count(db, EVENT_LOG, & or), 19);
    assert_int_equal(sample_count(db, EVENT_LOG, &not ), 81);
    str shop = STR("shop");
    struct filter service = {.op = FILTER_EQ, .field = STR("service.name"), .words = &shop, .word_n = 1};
    assert_int_equal(sample_count(db, EVENT_LOG, &service), 100);
    evdb_close(db);
}

static void counts_received_as_stored_rejected_dropped(void **state) {
    (void)state;
    struct evdb *db;
    struct err e;
    struct push_result r;
    struct evdb_options o = {.attrs_max = 3, .value_bytes_max = 100};
    loop_own_thread();
    assert_true(evdb_open(&o, &db, &e));
    struct event_batch *b = sample_batch(EVENT_LOG, "s", 2);
    b->events[0].attr_n = 4;
    b->events[0].attrs = sample_fields(b->arena, 4, sample_text("a", "1"), sample_text("b", "1"), sample_text("c", "1"), sample_text("d", "1"));
    char *text = arena_alloc(b->arena, 300);
    memset(text, 'x', 300);
    b->events[1].body = str_n(text, 300);
    assert_false(evdb_append_now(db, b, &r, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(r.stored, 1);
    assert_int_equal(r.rejected, 1);
    struct evdb_stats st;
    evdb_stats(db, &st);
    assert_int_equal(st.kind[EVENT_LOG].received, 2);
    assert_int_equal(st.kind[EVENT_LOG].stored, 1);
    assert_int_equal(st.kind[EVENT_LOG].rejected, 1);
    assert_int_equal(st.kind[EVENT_LOG].truncated_values, 1);
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct sample_hits *h = arena_zalloc(a, sizeof *h);
    h->arena = a;
    sample_scan(db, EVENT_LOG, &(struct evscan){.to_ns = INT64_MAX}, h);
    assert_int_equal(h->n, 1);
    assert_true(str_ends(h->events[0].body, STR("...[200 bytes cut]")));
    evdb_close(db);
}

static void answers_catalogues_and_edges(void **state) {
    (void)state;
    struct evdb *db = open_memory();
    AUTO(arena_free) struct arena *a = arena_new(1024);
    sample_append(db, sample_span("web", SAMPLE_T0, 1, 1, 0, "GET /"));
    sample_append(db, sample_span("db", SAMPLE_T0, 1, 2, 1, "SELECT"));
    sample_append(db, sample_span("db", SAMPLE_T0, 2, 2, 1, "SELECT")); /* the child comes first */
    sample_append(db, sample_span("web", SAMPLE_T0, 2, 1, 0, "GET /"));
    str *services;
    size_t n;
    evdb_services(db, a, &services, &n);
    assert_int_equal(n, 2);
    assert_str(services[0], "db");
    struct operation *ops;
    evdb_operations(db, STR("web"), a, &ops, &n);
    assert_int_equal(n, 1);
    assert_str(ops[0].name, "GET /");
    assert_int_equal(ops[0].kind, SPAN_SERVER);
    struct service_edge *edges;
    evdb_edges(db, 0, INT64_MAX, a, &edges, &n);
    assert_int_equal(n, 1);
    assert_str(edges[0].parent, "web");
    assert_str(edges[0].child, "db");
    assert_int_equal(edges[0].calls, 2);
    struct field_info *fields;
    evdb_fields(db, EVENT_SPAN, a, &fields, &n);
    assert_true(n > 4);
    evdb_close(db);
}

static void counts_per_time_bucket(void **state) {
    (void)state;
    struct evdb *db = open_memory();
    for (int i = 0; i < 60; i++) sample_append(db, sample_log("s", SAMPLE_T0 + i * NS_PER_S, "x"));
    uint64_t counts[6];
    struct err e;
    struct evscan q = {.from_ns = SAMPLE_T0, .to_ns = SAMPLE_T0 + 59 * NS_PER_S};
    struct evdb_snapshot *s = evdb_snapshot(db, EVENT_LOG, q.from_ns, q.to_ns);
    assert_true(evdb_histogram(s, &q, 10 * NS_PER_S, counts, 6, &e));
    for (int i = 0; i < 6; i++) assert_int_equal(counts[i], 10);
    evdb_snapshot_free(s);
    evdb_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_a_log_exactly),
        cmocka_unit_test(gives_back_a_span_exactly),
        cmocka_unit_test(scans_newest_first_and_pages),
        cmocka_unit_test(filters_by_word_in_any_field),
        cmocka_unit_test(counts_received_as_stored_rejected_dropped),
        cmocka_unit_test(answers_catalogues_and_edges),
        cmocka_unit_test(counts_per_time_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
