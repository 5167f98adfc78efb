#include "wire/journal_export.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "unit/wire/hostile.h"

static const int64_t now = 1795348800 * NS_PER_S; /* 2026-11-22T12:00:00Z */

static void is(str got, const char *want) {
    if (!str_eq_c(got, want)) fail_msg("\"%.*s\", not \"%s\"", (int)got.n, got.p ? got.p : "", want);
}
#define SAMPLE                                                                                                       \
    "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795348799250000\n__MONOTONIC_TIMESTAMP=7\n_HOSTNAME=node\nPRIORITY=3\n" \
    "_SYSTEMD_UNIT=nginx.service\nCODE_FILE=a\nCODE_FILE=b\nMESSAGE\n\x0b\0\0\0\0\0\0\0two\nlines=x\n\n"             \
    "__REALTIME_TIMESTAMP=1795348799000000\nSYSLOG_IDENTIFIER=sshd\n_PID=7\nMESSAGE={\"level\":\"warn\",\"msg\":\"json\"}\n"

static void reads_entries_with_text_and_binary_fields(void **state) {
    (void)state;
    struct event_batch *b = NULL;
    struct err e;
    if (!journal_export_decode(STR(SAMPLE), now, &b, &e)) fail_msg("%s", e.msg);
    assert_int_equal(b->event_n, 2);
    const struct event *first = &b->events[0], *second = &b->events[1];
    is(first->body, "two\nlines=x");
    assert_true(first->time_ns == now - 750 * NS_PER_MS);
    assert_int_equal(first->severity, 17);
    is(first->severity_text, "err");
    is(b->streams[first->stream].service, "nginx");
    is(fields_get(b->streams[0].attrs, b->streams[0].attr_n, STR("host.name"))->s, "node");
    const struct value *files = fields_get(first->attrs, first->attr_n, STR("CODE_FILE"));
    assert_true(files->type == VAL_ARRAY && files->n == 2);
    is(files->items[1].s, "b");
    assert_null(fields_get(first->attrs, first->attr_n, STR("__CURSOR")));
    assert_null(fields_get(first->attrs, first->attr_n, STR("MESSAGE")));
    is(b->streams[second->stream].service, "sshd");
    is(second->body, "json");
    assert_int_equal(second->severity, 13);
    event_batch_free(b);
}

static void nothing_is_no_entry(void **state) {
    (void)state;
    struct event_batch *b = NULL;
    struct err e;
    assert_true(journal_export_decode(STR("\n\n"), now, &b, &e));
    assert_int_equal(b->event_n, 0);
    event_batch_free(b);
}

static void refuses_what_is_damaged(void **state) {
    (void)state;
    static const str bad[] = {STR_INIT("MESSAGE=cut"),
                              STR_INIT("MESSAGE\n\x05\0\0\0\0\0\0\0abc\n"),
                              STR_INIT("MESSAGE\n\x03\0\0"),
                              STR_INIT("MESSAGE\n\x03\0\0\0\0\0\0\0abcX\n"),
                              STR_INIT("MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff"
                                       "abc\n"),
                              STR_INIT("=x\n"),
                              STR_INIT("a very long name that is none, because names are not that long at all, you see=x\n")};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct event_batch *b = NULL;
        struct err e;
        if (journal_export_decode(bad[i], now, &b, &e)) fail_msg("%zu", i);
        assert_non_null(strstr(e.msg, "at byte"));
    }
}

static void decode(str message) {
    struct event_batch *b = NULL;
    struct err e;
    if (journal_export_decode(message, now, &b, &e)) event_batch_free(b);
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    hostile_truncate(STR(SAMPLE), decode);
    hostile_flip(STR(SAMPLE), decode);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_entries_with_text_and_binary_fields),
        cmocka_unit_test(nothing_is_no_entry),
        cmocka_unit_test(refuses_what_is_damaged),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
