#include "query/trace/adjust.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static struct arena *arena;
static struct stream streams[8];

static int setup(void **state) {
    (void)state;
    arena = arena_new(4096);
    memset(streams, 0, sizeof streams);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

static struct event span(uint64_t id, uint64_t parent, enum span_kind kind) {
    return (struct event){.kind = EVENT_SPAN, .trace = {0, 1}, .span_id = id, .parent_id = parent, .span_kind = (uint8_t)kind};
}

/* As in Jaeger's SpanIDDeduper test: client 1 -> server 1 (shared) -> client 2 whose parent is 1. */
static void gives_a_server_that_shares_its_id_one_of_its_own(void **state) {
    (void)state;
    struct event spans[] = {span(1, 0, SPAN_CLIENT), span(1, 0, SPAN_SERVER), span(2, 1, SPAN_CLIENT)};
    trace_adjust(spans, streams, 3, arena);
    assert_int_equal(spans[0].span_id, 1);
    assert_int_equal(spans[0].parent_id, 0);
    assert_int_equal(spans[1].span_id, 3); /* the first free one: 2 is taken */
    assert_int_equal(spans[1].parent_id, 1);
    assert_int_equal(spans[2].span_id, 2);
    assert_int_equal(spans[2].parent_id, 3);
}

static void leaves_ids_alone_that_are_not_shared_by_client_and_server(void **state) {
    (void)state;
    struct event spans[] = {span(1, 0, SPAN_SERVER), span(2, 1, SPAN_CLIENT), span(3, 2, SPAN_SERVER), span(4, 3, SPAN_INTERNAL),
                            span(4, 3, SPAN_INTERNAL)};
    trace_adjust(spans, streams, 5, arena);
    static const uint64_t ids[] = {1, 2, 3, 4, 4}, parents[] = {0, 1, 2, 3, 3};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(spans[i].span_id, ids[i]);
        assert_int_equal(spans[i].parent_id, parents[i]);
    }
}

static void writes_addresses_with_dots_in_span_and_process(void **state) {
    (void)state;
    const struct field tags[] = {{STR_INIT("ip"), value_int(0x7f000001)},
                                 {STR_INIT("peer.ipv4"), value_double(3232235777.0)},
                                 {STR_INIT("peer.ipv4"), value_str(STR("10.0.0.1"))},
                                 {STR_INIT("peer.ipv4"), value_double(-1)},
                                 {STR_INIT("port"), value_int(80)}};
    struct event spans[] = {span(1, 0, SPAN_SERVER)};
    spans[0].attrs = tags;
    spans[0].attr_n = ARRAY_N(tags);
    streams[0].attrs = tags;
    streams[0].attr_n = 1;
    trace_adjust(spans, streams, 1, arena);
    assert_true(str_eq(spans[0].attrs[0].value.s, STR("127.0.0.1")));
    assert_true(str_eq(spans[0].attrs[1].value.s, STR("192.168.1.1")));
    assert_true(str_eq(spans[0].attrs[2].value.s, STR("10.0.0.1")));
    assert_int_equal(spans[0].attrs[3].value.type, VAL_DOUBLE);
    assert_int_equal(spans[0].attrs[4].value.i, 80);
    assert_true(str_eq(streams[0].attrs[0].value.s, STR("127.0.0.1")));
    assert_int_equal(tags[0].value.type, VAL_INT); /* the stored one is untouched */
}

static void leaves_out_links_to_no_trace(void **state) {
    (void)state;
    const struct span_link links[] = {{.span_id = 1}, {.trace = {0, 9}, .span_id = 2}, {.trace = {9, 0}, .span_id = 3}};
    struct event spans[] = {span(1, 0, SPAN_SERVER)};
    spans[0].links = links;
    spans[0].link_n = 3;
    trace_adjust(spans, streams, 1, arena);
    assert_int_equal(spans[0].link_n, 2);
    assert_int_equal(spans[0].links[0].span_id, 2);
    assert_int_equal(spans[0].links[1].span_id, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_a_server_that_shares_its_id_one_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_ids_alone_that_are_not_shared_by_client_and_server, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_addresses_with_dots_in_span_and_process, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_out_links_to_no_trace, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
