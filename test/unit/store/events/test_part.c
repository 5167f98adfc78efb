/* The container: damage is noticed, and what earlier versions wrote opens for ever. GOLDEN=write ./unit_store_part makes the golden files anew:
 * only for a new version of the format, beside the old ones. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/events/match.h"
#include "unit/store/events/sample.h"

static const char *const golden[EVENT_KIND_N] = {"test/golden/events/log-v1.part", "test/golden/events/span-v1.part"};
enum { GOLDEN_N = 100 };

static struct event golden_event(struct arena *a, enum event_kind kind, int i) {
    struct event ev = {.kind = kind, .time_ns = SAMPLE_T0 + i * NS_PER_MS, .body = arena_printf(a, "message %d of the golden file", i)};
    struct value map = {.type = VAL_MAP, .n = 1, .fields = sample_fields(a, 1, sample_field("inner", value_int(i)))};
    struct value *items = arena_new_n(a, struct value, 2);
    items[0] = value_str(STR("a"));
    items[1] = value_bool(i & 1);
    ev.attr_n = 4;
    ev.attrs =
        sample_fields(a, 4, sample_text("text", i % 3 ? "often" : "rare"), sample_field("nested", map), sample_field("x", value_double(i / 7.0)),
                      sample_field("list", (struct value){.type = VAL_ARRAY, .n = 2, .items = items}));
    ev.trace = (struct trace_id){1, (uint64_t)i / 4 + 1};
    ev.span_id = (uint64_t)i + 1;
    if (kind == EVENT_LOG) {
        ev.severity = (uint8_t)(i % 24 + 1);
        ev.severity_text = STR("INFO");
        ev.observed_ns = ev.time_ns + 1;
        return ev;
    }
    ev.parent_id = (uint64_t)i / 4 * 4;
    ev.duration_ns = i * 1000;
    ev.span_kind = SPAN_CLIENT;
    struct span_event *e = arena_zalloc(a, sizeof *e);
    *e = (struct span_event){.time_ns = ev.time_ns + 5, .name = STR("log"), .attrs = sample_fields(a, 1, sample_text("k", "v")), .attr_n = 1};
    ev.events = e;
    ev.event_n = 1;
    return ev;
}

static void write_golden(enum event_kind kind) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct cell_limits limits = {100, 1000};
    struct writer *w = writer_new(kind);
    struct buf scratch = {0};
    struct buf stream = {0};
    struct packer p;
    packer_open(&p, kind, true);
    stream_encode(&stream, &(struct stream){.service = STR("golden"), .scope_name = STR("lib")});
    for (int i = 0; i < GOLDEN_N; i++) {
        struct event ev = golden_event(a, kind, i);
        writer_row(w, ev.time_ns, (uint64_t)i, writer_stream(w, buf_str(&stream)), ev.trace);
        event_flatten(w, &ev, &limits, &scratch);
        writer_row_end(w);
    }
    writer_flush(w, &p);
    struct err e;
    assert_true(packer_close(&p, GOLDEN_N, &e));
    FILE *f = fopen(golden[kind], "wx");
    assert_non_null(f);
    assert_int_equal(fwrite(p.out.p, 1, p.out.n, f), p.out.n);
    fclose(f);
    packer_done(&p);
    writer_free(w);
    buf_done(&scratch);
    buf_done(&stream);
}

static void golden_files_open_for_ever(void **state) {
    (void)state;
    for (int kind = 0; kind < EVENT_KIND_N; kind++) {
        AUTO(arena_free) struct arena *a = arena_new(1024);
        struct part *p;
        struct block *b;
        struct err e;
        if (getenv("GOLDEN")) write_golden((enum event_kind)kind);
        if (!part_open_file(vfs_real(), golden[kind], &p, &e)) fail_msg("%s", e.msg);
        assert_int_equal(p->rows, GOLDEN_N);
        assert_int_equal(p->next_seq, GOLDEN_N);
        assert_true(block_open(p, 0, a, &b, &e));
        for (int i = 0; i < GOLDEN_N; i++) {
            struct event want = golden_event(a, (enum event_kind)kind, i);
            struct event got;
            assert_true(block_event(b, (uint32_t)i, a, &got));
            assert_same_event(&got, &want);
            assert_str(b->streams[0].stream.service, "golden");
        }
        assert_int_equal(
            block_verdict(p, 0, &(struct filter){.op = FILTER_WORD, .field = STR("*"), .words = &STR("golden"), .word_n = 1}, NULL, 0, INT64_MAX),
            VERDICT_MAYBE);
        assert_int_equal(
            block_verdict(p, 0, &(struct filter){.op = FILTER_WORD, .field = STR("*"), .words = &STR("zyzzyva"), .word_n = 1}, NULL, 0, INT64_MAX),
            VERDICT_NONE);
        part_unref(p);
    }
}

static str copy_bytes(str s, size_t n) {
    char *p = mem_alloc(n + 1);
    memcpy(p, s.p, n);
    return str_n(p, n);
}

static void a_part_cut_short_anywhere_is_refused(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    str whole;
    struct err e;
    struct part *p;
    assert_true(vfs_read_file(vfs_real(), golden[EVENT_LOG], 1 << 20, a, &whole, &e));
    for (size_t n = 0; n < whole.n; n++) {
        assert_false(part_open_bytes(copy_bytes(whole, n), &p, &e));
        assert_int_equal(e.code, ERR_CORRUPT);
    }
    assert_true(part_open_bytes(copy_bytes(whole, whole.n), &p, &e));
    part_unref(p);
}

static void a_newer_version_is_named_not_misread(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    str whole;
    struct err e;
    struct part *p;
    assert_true(vfs_read_file(vfs_real(), golden[EVENT_LOG], 1 << 20, a, &whole, &e));
    str newer = copy_bytes(whole, whole.n);
    uint64_t trailer[3];
    char *end = (char *)(uintptr_t)newer.p + newer.n - 32;
    memcpy(trailer, end, sizeof trailer);
    ((char *)(uintptr_t)newer.p)[trailer[0]] = 2;
    trailer[2] = hash_check(newer.p + trailer[0], trailer[1]);
    memcpy(end, trailer, sizeof trailer);
    assert_false(part_open_bytes(newer, &p, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
}

static void a_damaged_block_is_skipped_and_remembered(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    str whole;
    struct err e;
    struct part *p;
    struct block *b;
    assert_true(vfs_read_file(vfs_real(), golden[EVENT_LOG], 1 << 20, a, &whole, &e));
    str bad = copy_bytes(whole, whole.n);
    ((char *)(uintptr_t)bad.p)[20] ^= 1;
    assert_true(part_open_bytes(bad, &p, &e));
    assert_false(block_open(p, 0, a, &b, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_false(part_block_good(p, 0));
    part_unref(p);
}

int main(void) {
    loop_own_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_files_open_for_ever),
        cmocka_unit_test(a_part_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_newer_version_is_named_not_misread),
        cmocka_unit_test(a_damaged_block_is_skipped_and_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
