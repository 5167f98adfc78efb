#include "wire/otlp_logs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"
#include "wire/severity.h"

#define LOGS(records)                                                                                                                    \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},\"scopeLogs\":" \
    "[{\"scope\":{\"name\":\"lib\"},\"logRecords\":[" records "]}]}]}"

static struct event_batch *decode(const char *json, struct otlp_partial *partial) {
    struct event_batch *b = NULL;
    struct err e;
    if (!otlp_logs_decode(OTLP_JSON, str_c(json), 42, &b, partial, &e)) fail_msg("%s", e.msg);
    return b;
}

static void reads_a_record(void **state) {
    (void)state;
    struct otlp_partial partial;
    AUTO(event_batch_free)
    struct event_batch *b = decode(
        LOGS(
            "{\"timeUnixNano\":\"5\",\"observedTimeUnixNano\":\"6\",\"severityNumber\":17,\"severityText\":\"ERR\",\"body\":{\"stringValue\":\"hi\"},"
            "\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"1\"}}],\"traceId\":\"5b8aa5a2d2c872e8321cf37308d69df2\","
            "\"spanId\":\"5fb397be34d26b51\",\"flags\":1}"),
        &partial);
    const struct event *ev = &b->events[0];
    assert_true(b->event_n == 1 && ev->kind == EVENT_LOG && ev->time_ns == 5 && ev->observed_ns == 6);
    assert_true(ev->severity == 17 && str_eq(ev->severity_text, STR("ERR")) && str_eq(ev->body, STR("hi")));
    assert_true(ev->trace.hi == 0x5b8aa5a2d2c872e8 && ev->span_id == 0x5fb397be34d26b51 && ev->flags == 1 && ev->attr_n == 1);
    assert_true(str_eq(b->streams[0].service, STR("shop")) && str_eq(b->streams[0].scope_name, STR("lib")));
}

static void fills_in_what_is_missing(void **state) {
    (void)state;
    struct otlp_partial partial;
    AUTO(event_batch_free)
    struct event_batch *b = decode(LOGS("{\"observedTimeUnixNano\":\"6\",\"severityText\":\"Warning\",\"eventName\":\"login\"},"
                                        "{\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}]}}}"),
                                   &partial);
    assert_true(b->events[0].time_ns == 6 && b->events[0].severity == 13);
    assert_true(str_eq(fields_get(b->events[0].attrs, b->events[0].attr_n, STR("event.name"))->s, STR("login")));
    assert_true(b->events[1].time_ns == 42 && str_eq(b->events[1].body, STR("{\"a\":1}")));
}

static void refuses_only_the_record_with_a_bad_id(void **state) {
    (void)state;
    struct otlp_partial partial;
    AUTO(event_batch_free)
    struct event_batch *b = decode(LOGS("{\"traceId\":\"12\"},{\"timeUnixNano\":\"18446744073709551615\"},{\"traceId\":\"\"}"), &partial);
    assert_true(b->event_n == 1 && partial.rejected == 2);
    assert_string_equal(partial.reason, "a trace id has 16 bytes, a span id 8");
}

static void knows_the_names_of_levels(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint8_t number;
    } rows[] = {{"info", 9}, {"INFO2", 10}, {"Warning", 13}, {"crit", 21}, {"I", 9}, {"nonsense", 0}, {"", 0}};
    for (size_t i = 0; i < ARRAY_N(rows); i++) assert_int_equal(severity_from_text(str_c(rows[i].name)), rows[i].number);
    struct value pino = value_int(50), large = value_int(1000);
    assert_true(severity_from_value(&pino) == 17 && severity_from_value(&large) == 0);
    assert_string_equal(severity_text(14), "WARN2");
    assert_string_equal(severity_text(200), "");
}

static void decode_any(str message) {
    for (int enc = OTLP_PROTOBUF; enc <= OTLP_JSON; enc++) {
        struct event_batch *b;
        struct otlp_partial partial;
        struct err e = {0};
        if (otlp_logs_decode((enum otlp_encoding)enc, message, 0, &b, &partial, &e))
            event_batch_free(b);
        else
            assert_int_not_equal(e.code, ERR_NONE);
    }
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    str json = STR(LOGS("{\"timeUnixNano\":\"5\",\"body\":{\"arrayValue\":{\"values\":[{\"bytesValue\":\"AAE=\"}]}},\"eventName\":\"e\"}"));
    hostile_truncate(json, decode_any);
    hostile_flip(json, decode_any);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_record),
        cmocka_unit_test(fills_in_what_is_missing),
        cmocka_unit_test(refuses_only_the_record_with_a_bad_id),
        cmocka_unit_test(knows_the_names_of_levels),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
