#include "wire/syslog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "unit/wire/hostile.h"

static const struct syslog_clock here = {.now_ns = 1795348800 * NS_PER_S /* 2026-11-22T12:00:00Z */, .offset_s = 3600};

static void is(str got, const char *want) {
    if (!str_eq_c(got, want)) fail_msg("\"%.*s\", not \"%s\"", (int)got.n, got.p, want);
}
static struct event_batch *read_message(const char *text) {
    struct log_batch b = log_batch_new(512);
    syslog_decode(str_c(text), &here, &b);
    return log_batch_finish(&b);
}
static str attr(const struct event *e, const char *name) {
    const struct value *v = fields_get(e->attrs, e->attr_n, str_c(name));
    return v && v->type == VAL_STRING ? v->s : STR("");
}

static void reads_rfc_5424(void **state) {
    (void)state;
    AUTO(event_batch_free)
    struct event_batch *b =
        read_message("<165>1 2026-11-22T11:59:59.003Z host.example.com evntslog 42 ID47 [x@1 iut=\"3\" q=\"a\\\"b\\]c\"][y@2] \xEF\xBB\xBFhello");
    const struct event *e = b->events;
    is(b->streams->service, "evntslog");
    is(fields_get(b->streams->attrs, b->streams->attr_n, STR("host.name"))->s, "host.example.com");
    assert_true(e->time_ns == here.now_ns - 997 * NS_PER_MS && e->observed_ns == here.now_ns);
    assert_int_equal(e->severity, 10);
    is(e->severity_text, "notice");
    is(attr(e, "syslog.facility"), "local4");
    is(attr(e, "syslog.msg_id"), "ID47");
    assert_int_equal(fields_get(e->attrs, e->attr_n, STR("process.pid"))->i, 42);
    const struct value *data = fields_get(e->attrs, e->attr_n, STR("syslog.structured_data"));
    assert_int_equal(data->n, 2);
    is(data->fields[0].key, "x@1");
    is(data->fields[0].value.fields[1].value.s, "a\"b]c");
    is(e->body, "hello");
}

static void reads_what_rfc_3164_clients_really_send(void **state) {
    (void)state;
    static const struct {
        const char *text, *host, *app, *body;
        int severity;
        int64_t ago_s;
    } rows[] = {
        {"<34>Nov 22 12:59:58 mymachine su: 'su root' failed", "mymachine", "su", "'su root' failed", 18, 2},
        {"<13>Nov  2 13:00:00 h sshd[123]: opened", "h", "sshd", "opened", 10, 20 * 86400},
        {"<13>Nov 22 12:59:58 app: no host", "", "app", "no host", 10, 2},
        {"<30>Nov 22 12:59:58 docker[7]: x: y", "", "docker", "x: y", 9, 2},
        {"<14>2026-11-22T13:59:58.5+02:00 h CRON[1]: (root) CMD (x)", "h", "CRON", "(root) CMD (x)", 9, 2},
        {"<189>Nov 22 2026 12:59:58: %SYS-5-CONFIG_I: done", "", "%SYS-5-CONFIG_I", "done", 10, 2},
        {"<13>Dec 31 13:00:00 h a: of the year before", "h", "a", "of the year before", 10, 326 * 86400},
        {"<11>just text", "", "", "just text", 17, 0},
        {"no priority at all", "", "", "no priority at all", 10, 0},
        {"<999>x", "", "", "<999>x", 10, 0},
        {"<165>1 nonsense", "", "", "1 nonsense", 10, 0},
    };
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        AUTO(event_batch_free) struct event_batch *b = read_message(rows[i].text);
        const struct event *e = b->events;
        const struct value *host = fields_get(b->streams->attrs, b->streams->attr_n, STR("host.name"));
        is(host ? host->s : STR(""), rows[i].host);
        is(b->streams->service, rows[i].app);
        is(e->body, rows[i].body);
        if (e->severity != rows[i].severity || here.now_ns - e->time_ns - rows[i].ago_s * NS_PER_S > NS_PER_S)
            fail_msg("%s: %d, %lld s ago", rows[i].text, e->severity, (long long)((here.now_ns - e->time_ns) / NS_PER_S));
    }
}

static void merges_json(void **state) {
    (void)state;
    AUTO(event_batch_free) struct event_batch *b = read_message("<13>Nov 22 12:59:58 h a: @cee: {\"msg\":\"hello\",\"user\":\"eve\"}\n");
    is(b->events->body, "hello");
    is(attr(b->events, "user"), "eve");
    AUTO(event_batch_free) struct event_batch *none = read_message("\n");
    assert_int_equal(none->event_n, 0);
}

static void frames(const char *text, size_t n, bool ended, const char *want) {
    str bytes = str_n(text, n), message;
    AUTO(buf_done) struct buf got = {0};
    struct err e = {0};
    size_t used;
    while (syslog_frame(bytes, ended, &message, &used, &e)) {
        assert_true(used > 0 && used <= bytes.n);
        buf_add(&got, message);
        buf_char(&got, '|');
        bytes = str_from(bytes, used);
    }
    if (e.code != ERR_NONE) buf_add(&got, STR("error"));
    is(buf_str(&got), want);
}
#define FRAMES(text, ended, want) frames(text, sizeof text - 1, ended, want)

static void cuts_both_framings(void **state) {
    (void)state;
    FRAMES("5 <1>ab5 <2>cd", false, "<1>ab|<2>cd|");
    FRAMES("<1>a\n<2>b\n", false, "<1>a|<2>b|");
    FRAMES("<1>a\n6 <2>b\nc<3>d\0", false, "<1>a|<2>b\nc|<3>d|");
    FRAMES("8 <1>abcd", false, "");
    FRAMES("8 <1>abcd", true, "error");
    FRAMES("12", false, "");
    FRAMES("12 ", false, "");
    FRAMES("12 drummers\n", false, "12 drummers|"); /* text, not a count: a count is followed by '<' */
    FRAMES("<1>a", false, "");
    FRAMES("<1>a", true, "<1>a|");
    FRAMES("9999999999999 <1>x\n", false, "9999999999999 <1>x|");
    FRAMES("", true, "");
}

static void decode(str message) {
    struct log_batch b = log_batch_new(256);
    syslog_decode(message, &here, &b);
    assert_true(b.events.n <= 1);
    log_batch_done(&b);
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    static const char *const samples[] = {"<165>1 2026-11-22T11:59:59.003Z h evntslog 42 ID47 [x@1 iut=\"3\" q=\"a\\\"b\"] hi",
                                          "<13>Nov  2 13:00:00 h sshd[123]: opened"};
    for (size_t i = 0; i < ARRAY_N(samples); i++) {
        hostile_truncate(str_c(samples[i]), decode);
        hostile_flip(str_c(samples[i]), decode);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rfc_5424),     cmocka_unit_test(reads_what_rfc_3164_clients_really_send), cmocka_unit_test(merges_json),
        cmocka_unit_test(cuts_both_framings), cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
