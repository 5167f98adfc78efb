#include "wire/es_bulk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"

static struct es_bulk decode(const char *body, const char *index) {
    struct es_bulk out;
    const char *type;
    struct err e;
    if (!es_bulk_decode(&(struct es_bulk_in){.body = str_c(body), .index = str_c(index), .now_ns = 99}, &out, &type, &e)) fail_msg("%s", e.msg);
    assert_null(type);
    return out;
}

static void reads_actions_and_documents(void **state) {
    (void)state;
    struct es_bulk b = decode(
        "{\"index\":{\"_index\":\"a\",\"_id\":\"1\",\"_type\":\"_doc\"}}\n"
        "{\"@timestamp\":\"2026-11-22T12:00:00.5Z\",\"message\":\"hi\",\"level\":\"warn\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"n\":{"
        "\"x\":[1]}}\n"
        "\n{\"create\":{}}\r\n{\"log\":\"text\",\"@timestamp\":1700000000000}\r\n"
        "{\"update\":{\"_index\":\"a\",\"_id\":2}}\n{\"doc\":{\"msg\":\"new\"},\"doc_as_upsert\":true}\n",
        "fallback");
    assert_int_equal(b.item_n, 3);
    assert_int_equal(b.batch->event_n, 3);
    assert_int_equal(b.batch->stream_n, 2);
    const struct event *ev = b.batch->events;
    assert_true(str_eq(b.batch->streams[ev[0].stream].index, STR("a")) && str_eq(b.batch->streams[ev[1].stream].index, STR("fallback")));
    assert_true(ev[0].time_ns == 1795348800500000000 && ev[0].observed_ns == 99 && ev[0].source_doc);
    assert_true(str_eq(ev[0].body, STR("hi")) && ev[0].severity == 13 && ev[0].trace.hi == 0x4bf92f3577b34da6 && ev[0].attr_n == 5);
    assert_true(str_eq(ev[0].id, STR("1")) && ev[1].id.n == 0 && str_eq(ev[2].id, STR("2")));
    assert_true(ev[1].time_ns == 1700000000000000000 && str_eq(ev[1].body, STR("text")));
    assert_true(ev[2].time_ns == 99 && str_eq(ev[2].body, STR("new")));
    assert_true(b.items[2].op == ES_UPDATE && b.items[2].event == 2);
    event_batch_free(b.batch);
}

static void refuses_single_items(void **state) {
    (void)state;
    struct es_bulk b = decode(
        "{\"index\":{}}\n{bad\n{\"delete\":{\"_id\":\"1\"}}\n{\"update\":{\"_id\":\"1\"}}\n{\"script\":\"x\"}\n"
        "{\"index\":{}}\n[1]\n{\"index\":{}}\n{\"@timestamp\":\"never\"}\n{\"index\":{}}\n{\"ok\":1}\n",
        "i");
    static const char *const types[] = {"document_parsing_exception", "unsupported_operation_exception", "unsupported_operation_exception",
                                        "document_parsing_exception", "document_parsing_exception"};
    assert_int_equal(b.item_n, 6);
    for (size_t i = 0; i < ARRAY_N(types); i++) {
        assert_true(b.items[i].event == ES_NO_EVENT && b.items[i].status == 400);
        assert_string_equal(b.items[i].error_type, types[i]);
    }
    assert_true(b.items[5].event == 0 && b.batch->event_n == 1);
    event_batch_free(b.batch);
}

static void refuses_whole_requests_as_elasticsearch_does(void **state) {
    (void)state;
    static const struct {
        const char *body, *type, *reason;
    } rows[] = {
        {"", "parse_exception", "request body is required"},
        {"{\"index\":{\"_index\":\"a\"}}\n{}", "illegal_argument_exception", "must be terminated by a newline"},
        {"{\"del\":{\"_index\":\"a\"}}\n", "illegal_argument_exception",
         "Malformed action/metadata line [1], expected field [create], [delete], [index] or [update] but found [del]"},
        {"[]\n", "illegal_argument_exception", "Malformed action/metadata line [1], expected START_OBJECT"},
        {"{\"index\":{\"_index\":\"a\"}}\n{}\n{\"index\":1}\n", "illegal_argument_exception", "Malformed action/metadata line [3]"},
        {"{\"index\":{\"_id\":\"1\"}}\n{}\n", "action_request_validation_exception", "Validation Failed: 1: index is missing;"},
        {"{\"index\":{\"_index\":\"a\",\"what\":1}}\n{}\n", "illegal_argument_exception",
         "Action/metadata line [1] contains an unknown parameter [what]"},
        {"{\"index\":{\"_index\":\"a\"}}\n", "illegal_argument_exception", "the document line behind it is missing"},
    };
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct es_bulk out;
        const char *type;
        struct err e;
        assert_false(es_bulk_decode(&(struct es_bulk_in){.body = str_c(rows[i].body)}, &out, &type, &e));
        assert_string_equal(type, rows[i].type);
        if (!strstr(e.msg, rows[i].reason)) fail_msg("%s", e.msg);
    }
}

static void limits_the_number_of_actions(void **state) {
    (void)state;
    struct es_bulk out;
    const char *type;
    struct err e;
    str body = STR("{\"create\":{}}\n{}\n{\"create\":{}}\n{}\n");
    assert_false(es_bulk_decode(&(struct es_bulk_in){.body = body, .index = STR("i"), .items_max = 1}, &out, &type, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
}

static void tells_the_unit_of_a_numeric_time_by_its_size(void **state) {
    (void)state;
    static const struct {
        const char *doc;
        int64_t ns;
    } rows[] = {
        {"{\"ts\":1700000000}", 1700000000000000000},
        {"{\"ts\":1700000000.25}", 1700000000250000000},
        {"{\"ts\":1700000000123}", 1700000000123000000},
        {"{\"ts\":1700000000123456}", 1700000000123456000},
        {"{\"ts\":1700000000123456789}", 1700000000123456789},
        {"{\"@timestamp\":\"1700000000123\"}", 1700000000123000000},
        {"{\"@timestamp\":\"2023-11-14\"}", 1699920000000000000},
        {"{\"@timestamp\":1000}", 1000000000},
        {"{\"time\":\"yesterday\"}", 5},
        {"{\"ts\":1e300}", 5},
        {"{\"@timestamp\":null}", 5},
    };
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct event_batch *b;
        struct err e;
        if (!es_doc_decode(str_c(rows[i].doc), STR("i"), STR(""), 5, &b, &e)) fail_msg("%s", e.msg);
        if (b->events[0].time_ns != rows[i].ns) fail_msg("%s: %lld", rows[i].doc, (long long)b->events[0].time_ns);
        event_batch_free(b);
    }
}

static void finds_dotted_names_flat_and_nested(void **state) {
    (void)state;
    static const char *const docs[] = {"{\"log.level\":\"ERROR\",\"trace.id\":\"00000000000000aa\",\"span.id\":\"0b\"}",
                                       "{\"log\":{\"level\":\"error\"},\"trace\":{\"id\":\"00000000000000aa\"},\"span\":{\"id\":\"0b\"}}"};
    for (size_t i = 0; i < ARRAY_N(docs); i++) {
        struct event_batch *b;
        assert_true(es_doc_decode(str_c(docs[i]), STR("i"), STR("id"), 5, &b, NULL));
        assert_true(b->events[0].severity == 17 && b->events[0].trace.lo == 0xaa && b->events[0].span_id == 0xb && b->events[0].body.n == 0);
        event_batch_free(b);
    }
}

static void decode_any(str body) {
    struct es_bulk out;
    const char *type;
    struct err e = {0};
    if (es_bulk_decode(&(struct es_bulk_in){.body = body, .index = STR("i")}, &out, &type, &e))
        event_batch_free(out.batch);
    else
        assert_non_null(type);
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    str body =
        STR("{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"@timestamp\":\"2026-11-22T12:00:00Z\",\"log\":{\"level\":\"x\"},\"a\":[1,{}]}\n"
            "{\"update\":{}}\n{\"doc\":{}}\n");
    hostile_truncate(body, decode_any);
    hostile_flip(body, decode_any);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_actions_and_documents),
        cmocka_unit_test(refuses_single_items),
        cmocka_unit_test(refuses_whole_requests_as_elasticsearch_does),
        cmocka_unit_test(limits_the_number_of_actions),
        cmocka_unit_test(tells_the_unit_of_a_numeric_time_by_its_size),
        cmocka_unit_test(finds_dotted_names_flat_and_nested),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
