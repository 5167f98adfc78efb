#include "ingest/self.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

/* A sink that keeps what it is given last, of each kind. */
struct shelf {
    struct sink sink;
    struct event_batch *kept[EVENT_KIND_N];
    size_t events[EVENT_KIND_N];
};
static void keep(struct sink *sink, struct event_batch *b, push_done done, void *arg) {
    (void)done, (void)arg;
    struct shelf *shelf = CONTAINER_OF(sink, struct shelf, sink);
    event_batch_free(shelf->kept[b->kind]);
    shelf->kept[b->kind] = b;
    shelf->events[b->kind] += b->event_n;
}

static struct loop *l;
static struct shelf shelf;

static int setup(void **state) {
    (void)state;
    loop_own_thread();
    l = loop_new();
    shelf = (struct shelf){.sink = {.push_events = keep}};
    return 0;
}
static int teardown(void **state) {
    (void)state;
    for (int kind = 0; kind < EVENT_KIND_N; kind++) event_batch_free(shelf.kept[kind]);
    loop_free(l);
    return 0;
}

static const struct value *attr(const struct event *e, const char *key) {
    const struct value *v = fields_get(e->attrs, e->attr_n, str_c(key));
    assert_non_null(v);
    return v;
}
static void stop(void *arg) {
    loop_stop(arg);
}

static void a_log_line_becomes_a_log_of_service_binnacle(void **state) {
    (void)state;
    struct self *s = self_new(l, &shelf.sink, true, false);
    log_warn("scrape", "target down job=%s", "app");
    self_flush(s);
    const struct event_batch *b = shelf.kept[EVENT_LOG];
    assert_non_null(b);
    assert_int_equal(b->event_n, 1);
    assert_true(str_eq(b->streams[b->events[0].stream].service, STR("binnacle")));
    const struct event *e = &b->events[0];
    assert_true(str_eq(e->body, STR("target down job=app")));
    assert_true(str_eq(e->severity_text, STR("warn")));
    assert_int_equal(e->severity, 13);
    assert_true(e->time_ns > 0);
    assert_true(str_eq(attr(e, "module")->s, STR("scrape")));
    self_free(s);
}

static void lines_go_out_by_themselves_and_at_the_end(void **state) {
    (void)state;
    struct self *s = self_new(l, &shelf.sink, true, false);
    log_info("test", "one");
    struct timer *soon = timer_start(l, 800, 0, stop, l);
    loop_run(l);
    timer_free(soon);
    assert_int_equal(shelf.events[EVENT_LOG], 1);
    log_info("test", "two");
    self_free(s);
    assert_int_equal(shelf.events[EVENT_LOG], 2);
    log_info("test", "nobody keeps this one");
    assert_int_equal(shelf.events[EVENT_LOG], 2);
}

static void nothing_to_say_pushes_nothing(void **state) {
    (void)state;
    struct self *s = self_new(l, &shelf.sink, true, true);
    self_flush(s);
    assert_null(shelf.kept[EVENT_LOG]);
    assert_null(shelf.kept[EVENT_SPAN]);
    self_free(s);
}

static void *log_many(void *arg) {
    for (int i = 0; i < 100; i++) log_debug("test", "thread %p line %d", arg, i);
    return NULL;
}
static void any_thread_may_log(void **state) {
    (void)state;
    log_set_level(LOG_DEBUG);
    struct self *s = self_new(l, &shelf.sink, true, false);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_N(threads); i++) pthread_create(&threads[i], NULL, log_many, NULL);
    for (size_t i = 0; i < ARRAY_N(threads); i++) pthread_join(threads[i], NULL);
    self_free(s);
    log_set_level(LOG_ERROR);
    assert_int_equal(shelf.events[EVENT_LOG], 400);
}

static const struct self_request request = {.name = STR_INIT("GET /api/v1/query"),
                                            .target = STR_INIT("/api/v1/query?query=up"),
                                            .peer = STR_INIT("127.0.0.1:5555"),
                                            .door = STR_INIT("main"),
                                            .trace_hi = 1,
                                            .trace_lo = 2,
                                            .span_id = 3,
                                            .parent_span_id = 4,
                                            .start_ns = 1000,
                                            .duration_ns = 50,
                                            .status = 200,
                                            .request_bytes = 7,
                                            .reply_bytes = 70};

static void a_request_becomes_a_server_span(void **state) {
    (void)state;
    struct self *s = self_new(l, &shelf.sink, false, true);
    self_add_request(s, &request);
    self_flush(s);
    const struct event_batch *b = shelf.kept[EVENT_SPAN];
    assert_non_null(b);
    const struct event *e = &b->events[0];
    assert_true(str_eq(e->body, request.name));
    assert_int_equal(e->span_kind, SPAN_SERVER);
    assert_int_equal(e->trace.hi, 1);
    assert_int_equal(e->trace.lo, 2);
    assert_int_equal(e->span_id, 3);
    assert_int_equal(e->parent_id, 4);
    assert_int_equal(e->time_ns, 1000);
    assert_int_equal(e->duration_ns, 50);
    assert_int_equal(e->status, STATUS_UNSET);
    assert_true(str_eq(attr(e, "url.path")->s, request.target));
    assert_int_equal(attr(e, "http.response.status_code")->i, 200);
    assert_int_equal(attr(e, "http.response.body.size")->i, 70);
    self_free(s);
}

static void server_errors_and_clients_that_left_are_errors(void **state) {
    (void)state;
    static const struct {
        int http;
        enum span_status want;
    } cases[] = {{404, STATUS_UNSET}, {499, STATUS_UNSET}, {500, STATUS_ERROR}, {503, STATUS_ERROR}, {0, STATUS_ERROR}};
    struct self *s = self_new(l, &shelf.sink, false, true);
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct self_request r = request;
        r.status = cases[i].http;
        self_add_request(s, &r);
        self_flush(s);
        assert_int_equal(shelf.kept[EVENT_SPAN]->events[0].status, cases[i].want);
    }
    assert_true(shelf.kept[EVENT_SPAN]->events[0].status_message.n > 0);
    self_free(s);
}

static void what_is_switched_off_is_not_kept(void **state) {
    (void)state;
    struct self *s = self_new(l, &shelf.sink, false, false);
    self_add_request(s, &request);
    log_error("test", "not kept");
    self_free(s);
    assert_int_equal(shelf.events[EVENT_LOG] + shelf.events[EVENT_SPAN], 0);
}

static void more_than_fits_is_dropped_and_counted(void **state) {
    (void)state;
    struct self *s = self_new(l, &shelf.sink, false, true);
    for (int i = 0; i < 5000; i++) self_add_request(s, &request);
    self_flush(s);
    assert_true(self_dropped(s) > 0);
    assert_int_equal(shelf.events[EVENT_SPAN] + self_dropped(s), 5000);
    self_free(s);
}

int main(void) {
    log_set_level(LOG_INFO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_log_line_becomes_a_log_of_service_binnacle, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_go_out_by_themselves_and_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_say_pushes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(any_thread_may_log, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_becomes_a_server_span, setup, teardown),
        cmocka_unit_test_setup_teardown(server_errors_and_clients_that_left_are_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_switched_off_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_fits_is_dropped_and_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
