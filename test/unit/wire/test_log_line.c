#include "wire/log_line.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "unit/wire/hostile.h"
#include "wire/container_line.h"

static const int64_t now = 1795348800 * NS_PER_S; /* 2026-11-22T12:00:00Z */

static struct event read_line(struct arena *a, const char *line) {
    struct event ev = {0};
    log_line_event(str_c(line), now, a, &ev);
    return ev;
}

static void finds_level_words_where_loggers_write_them(void **state) {
    (void)state;
    static const struct {
        const char *line;
        int severity;
    } rows[] = {
        {"2026-11-22 11:59:59,250 ERROR [main] com.example.App - failed", 17},
        {"[warn] something", 13},
        {"ts=2026-11-22T11:59:59Z caller=main.go:3 level=info msg=started", 9},
        {"WARN: disk", 13},
        {"time=\"x\" level=debug msg=y", 5},
        {"INFO:root:started", 9},
        {"[2026-11-22 11:59:59 +0000] [7] [CRITICAL] WORKER TIMEOUT", 21},
        {"2026-11-22 11:59:59.250 UTC [12] FATAL:  terminating", 21},
        {"the error was in the info file", 0},
        {"GET /error/info HTTP/1.1", 0},
        {"com.example.ERROR.code", 0},
        {"I am here", 0},
        {"", 0},
    };
    AUTO(arena_free) struct arena *a = arena_new(1024);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        int severity = read_line(a, rows[i].line).severity;
        if (severity != rows[i].severity) fail_msg("%s: %d", rows[i].line, severity);
    }
}

static void reads_leading_time_stamps(void **state) {
    (void)state;
    static const char *const lines[] = {"2026-11-22T11:59:59.250Z x",      "2026-11-22 11:59:59,250 x",
                                        "[2026-11-22 11:59:59.250] x",     "2026/11/22 11:59:59.250 x",
                                        "2026-11-22T12:59:59.250+01:00 x", "I1122 11:59:59.250000       1 main.go:7] x"};
    AUTO(arena_free) struct arena *a = arena_new(1024);
    for (size_t i = 0; i < ARRAY_N(lines); i++)
        if (read_line(a, lines[i]).time_ns != now - 750 * NS_PER_MS) fail_msg("%s", lines[i]);
    assert_true(read_line(a, "2026-99-22T11:59:59.250Z x").time_ns == now);
    assert_true(read_line(a, "hello").time_ns == now);
}

static void klog_lines_near_new_year_get_the_nearest_year(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct event ev = {0};
    int64_t new_year = 1798761600 * NS_PER_S; /* 2027-01-01 */
    log_line_event(STR("E1231 23:59:59.000000       1 main.go:7] x"), new_year, a, &ev);
    assert_true(ev.time_ns == new_year - NS_PER_S);
    assert_int_equal(ev.severity, 17);
}

static void a_json_line_becomes_fields(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct event ev = read_line(a,
                                "{\"level\":50,\"time\":1795348799250,\"msg\":\"boom\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span\":{"
                                "\"id\":\"00f067aa0ba902b7\"}}");
    assert_int_equal(ev.severity, 17);
    assert_true(ev.time_ns == now - 750 * NS_PER_MS);
    assert_true(str_eq(ev.body, STR("boom")));
    assert_true(ev.trace.hi == 0x4bf92f3577b34da6 && ev.trace.lo == 0xa3ce929d0e0e4736 && ev.span_id == 0x00f067aa0ba902b7);
    assert_int_equal(ev.attr_n, 5);
    assert_false(ev.source_doc);
    ev = read_line(a, "{\"a\":1}");
    assert_true(str_eq(ev.body, STR("{\"a\":1}")));
    ev = read_line(a, "{not json");
    assert_int_equal(ev.attr_n, 0);
    assert_true(str_eq(ev.body, STR("{not json")));
}

static void finds_trace_ids_in_logfmt(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct event ev = read_line(a, "level=info msg=x trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7");
    assert_true(ev.trace.hi == 0x4bf92f3577b34da6 && ev.span_id == 0x00f067aa0ba902b7);
    ev = read_line(a, "trace_id=none");
    assert_false(trace_id_set(ev.trace));
}

static void reads_cri_and_docker_lines(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct container_line l;
    assert_true(container_line_parse(STR("2026-11-22T12:00:00.000000000Z stderr F hello  world"), a, &l));
    assert_true(l.time_ns == now && !l.partial && str_eq(l.stream, STR("stderr")) && str_eq(l.message, STR("hello  world")));
    assert_true(container_line_parse(STR("2026-11-22T13:00:00+01:00 stdout P:x part"), a, &l));
    assert_true(l.time_ns == now && l.partial && str_eq(l.message, STR("part")));
    assert_true(container_line_parse(STR("2026-11-22T12:00:00Z stdout F "), a, &l));
    assert_int_equal(l.message.n, 0);
    assert_true(container_line_parse(STR("2026-11-22T12:00:00Z stdout F"), a, &l));
    assert_true(container_line_parse(STR("{\"log\":\"a\\tb\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T12:00:00Z\"}"), a, &l));
    assert_true(!l.partial && str_eq(l.message, STR("a\tb")));
    assert_true(container_line_parse(STR("{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2026-11-22T12:00:00Z\",\"attrs\":{}}"), a, &l));
    assert_true(l.partial);
}

static void refuses_what_is_no_container_line(void **state) {
    (void)state;
    static const char *const lines[] = {"",
                                        "hello",
                                        "2026-11-22T12:00:00Z stdlog F x",
                                        "yesterday stdout F x",
                                        "2026-11-22T12:00:00Z stdout X x",
                                        "{}",
                                        "{\"log\":\"a\",\"stream\":\"stdout\"}",
                                        "{\"log\":1,\"stream\":\"stdout\",\"time\":\"2026-11-22T12:00:00Z\"}"};
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct container_line l;
    for (size_t i = 0; i < ARRAY_N(lines); i++)
        if (container_line_parse(str_c(lines[i]), a, &l)) fail_msg("%s", lines[i]);
}

static void read_any(str line) {
    AUTO(arena_free) struct arena *a = arena_new(256);
    struct event ev = {0};
    struct container_line l;
    log_line_event(line, now, a, &ev);
    if (container_line_parse(line, a, &l)) log_line_event(l.message, now, a, &ev);
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    static const char *const lines[] = {"I1122 11:59:59.250000 1 main.go:7] trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
                                        "2026-11-22T12:00:00.000000000Z stderr P 2026-11-22 12:00:00,123 [ERROR] x",
                                        "{\"log\":\"{\\\"level\\\":30}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T12:00:00Z\"}"};
    for (size_t i = 0; i < ARRAY_N(lines); i++) {
        hostile_truncate(str_c(lines[i]), read_any);
        hostile_flip(str_c(lines[i]), read_any);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_level_words_where_loggers_write_them),
        cmocka_unit_test(reads_leading_time_stamps),
        cmocka_unit_test(klog_lines_near_new_year_get_the_nearest_year),
        cmocka_unit_test(a_json_line_becomes_fields),
        cmocka_unit_test(finds_trace_ids_in_logfmt),
        cmocka_unit_test(reads_cri_and_docker_lines),
        cmocka_unit_test(refuses_what_is_no_container_line),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
