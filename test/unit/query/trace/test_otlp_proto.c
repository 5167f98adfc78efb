#include "query/trace/otlp_proto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "query/trace/otlp_json.h"
#include "wire/otlp_trace.h"

static void put_json(struct buf *b, const struct event *spans, const struct stream *streams, size_t n) {
    struct json_out o = {.buf = b};
    json_put_array(&o);
    otlp_put_resource_spans(&o, spans, streams, n);
    json_put_array_end(&o);
}

/* What is written is decoded as OTLP and must say the same, in JSON, as what was given. */
static void reads_back_as_what_was_written(void **state) {
    (void)state;
    const struct value items[] = {value_int(-1), value_double(0.5), value_bool(true)};
    const struct field inner[] = {{STR("x"), value_str(STR(""))}};
    const struct field attrs[] = {{STR("n"), value_int(INT64_MIN)},
                                  {STR("zero"), value_int(0)},
                                  {STR("list"), {.type = VAL_ARRAY, .n = 3, .items = items}},
                                  {STR("map"), {.type = VAL_MAP, .n = 1, .fields = inner}},
                                  {STR("raw"), {.type = VAL_BYTES, .s = STR("\x00\xff")}},
                                  {STR("ok"), value_bool(false)}};
    const struct field resource[] = {{STR("service.name"), value_str(STR("shop"))}};
    const struct stream streams[] = {{.service = STR("shop"), .attrs = resource, .attr_n = 1, .scope_name = STR("lib"), .scope_version = STR("1")},
                                     {.service = STR("shop"), .attrs = resource, .attr_n = 1, .scope_name = STR("lib"), .scope_version = STR("1")},
                                     {.service = STR("shop"), .attrs = resource, .attr_n = 1, .scope_name = STR("other")}};
    const struct span_event events[] = {{.time_ns = 12, .name = STR("boom"), .attrs = inner, .attr_n = 1}};
    const struct span_link links[] = {{.trace = {7, 8}, .span_id = 9, .follows_from = true, .trace_state = STR("a=b"), .attrs = inner, .attr_n = 1}};
    const struct event spans[] = {
        {.kind = EVENT_SPAN,
         .time_ns = 10,
         .duration_ns = 5,
         .trace = {1, 2},
         .span_id = 3,
         .body = STR("root"),
         .attrs = attrs,
         .attr_n = ARRAY_N(attrs),
         .span_kind = SPAN_SERVER,
         .status = STATUS_ERROR,
         .status_message = STR("broken"),
         .trace_state = STR("k=v"),
         .flags = 257,
         .events = events,
         .event_n = 1,
         .links = links,
         .link_n = 1},
        {.kind = EVENT_SPAN, .time_ns = 11, .duration_ns = 0, .trace = {1, 2}, .span_id = UINT64_MAX, .parent_id = 3, .body = STR("")},
        {.kind = EVENT_SPAN, .time_ns = 11, .duration_ns = 0, .trace = {1, 2}, .span_id = 5, .parent_id = 3, .body = STR("third"), .flags = 1u << 31},
    };
    struct buf proto = {0}, want = {0}, got = {0};
    struct event_batch *b;
    struct otlp_partial partial = {0};
    struct err e;
    otlp_proto_put_resource_spans(&proto, spans, streams, ARRAY_N(spans));
    if (!otlp_trace_decode(OTLP_PROTOBUF, buf_str(&proto), 0, &b, &partial, &e)) fail_msg("%s", e.msg);
    assert_true(b->event_n == 3 && partial.rejected == 0);
    struct stream each[3];
    for (size_t i = 0; i < 3; i++) each[i] = b->streams[b->events[i].stream];
    put_json(&want, spans, streams, ARRAY_N(spans));
    put_json(&got, b->events, each, 3);
    if (!str_eq(buf_str(&want), buf_str(&got))) fail_msg("%" STR_F "\nwanted %" STR_F, STR_A(buf_str(&got)), STR_A(buf_str(&want)));
    event_batch_free(b);
    buf_done(&proto);
    buf_done(&want);
    buf_done(&got);
}

static void what_is_nested_too_deep_becomes_text(void **state) {
    (void)state;
    struct value v[40] = {value_int(7)};
    for (size_t i = 1; i < ARRAY_N(v); i++) v[i] = (struct value){.type = VAL_ARRAY, .n = 1, .items = &v[i - 1]};
    const struct field attr = {STR("deep"), v[ARRAY_N(v) - 1]};
    const struct stream stream = {0};
    const struct event span = {.kind = EVENT_SPAN, .trace = {0, 1}, .span_id = 1, .attrs = &attr, .attr_n = 1};
    struct buf b = {0};
    otlp_proto_put_resource_spans(&b, &span, &stream, 1);
    assert_true(str_find(buf_str(&b), STR("[[[7]]]")) != STR_NONE);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_back_as_what_was_written), cmocka_unit_test(what_is_nested_too_deep_becomes_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
