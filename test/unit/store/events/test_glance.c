#include "store/events/glance.h"

#include <stdio.h>

#include "store/events/automaton.h"
#include "unit/store/events/sample.h"

enum { TEXTS = 3000 };

static uint32_t state = 7;
static unsigned below(unsigned n) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
}

static const char *const formats[] = {
    "10.0.%u.%u - GET /api/Orders/%u id=%08x%08x took 0.%06us",
    "pod svc-%x5f-Ab%u started at 00:%02u with k8s_%u.log and it's 'x%u'",
    "java.net.SocketTimeoutException: connect timed out after %u ms at app.%08xab.js:%u",
    "needle%u marker-%08x,%u;%u:%u",
    "2026-11-25T12:%02u:%02uZ",
    "na\xc3\xafve caf\xc3\xa9%u \xe2\x84\xaa%us",
    "error code=%u,timeout error connect/%u_%u.%u'%u",
    "%u%u_%x.%u",
    "plain constant request completed",
};

/* Every text the leaf holds for is seen, and none is said to be sure that it does not hold for. */
static void assert_glance(const struct texts *t, const struct filter *f) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    uint64_t *sure = arena_zalloc(a, (t->n / 64 + 1) * sizeof *sure);
    uint64_t *maybe = arena_zalloc(a, (t->n / 64 + 1) * sizeof *maybe);
    texts_glance(t, f, a, sure, maybe);
    for (size_t i = 0; i < t->n; i++) {
        struct value v = value_str(texts_at(t, i, a));
        bool holds = filter_leaf_test(f, &v);
        bool is_sure = sure[i / 64] >> (i % 64) & 1;
        bool is_maybe = maybe[i / 64] >> (i % 64) & 1;
        if (holds ? !is_sure && !is_maybe : is_sure)
            fail_msg("op %d word \"%.*s\" text \"%.*s\"", f->op, f->word_n ? (int)f->words[0].n : 0, f->word_n ? f->words[0].p : "", (int)v.s.n,
                     v.s.p);
    }
}

static const char *const words[] = {
    "needle1",   "needle", "error",     "timed", "out",         "orders",       "k8s_1.log", "k8s", "k1s",  "java.net.sockettimeoutexception",
    "x3",        "3",      "0.000003s", "it's",  "caf\xc3\xa9", "na\xc3\xafve", "5f",        "12",  "2026", "constant",
    "completed", "code",   "log",       "a"};
static const char *const patterns[] = {"*edle1", "*timeout*", "k8s_?.log", "*", "?", "*.js", "0.*s", "*8*", "need*", "x?", "*exception", "it*s"};

static void agrees_with_the_texts_on_every_leaf(void **unused) {
    (void)unused;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct buf bytes = {0};
    struct buf section = {0};
    static uint32_t ends[TEXTS];
    for (size_t i = 0; i < TEXTS; i++) {
        char line[400];
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"");
        int n = snprintf(line, sizeof line, formats[below(ARRAY_N(formats))], below(20), below(300), below(60), below(2000000000), below(2000000000),
                         below(1000));
        _Pragma("GCC diagnostic pop");
        buf_add(&bytes, str_n(line, (size_t)n));
        ends[i] = (uint32_t)bytes.n;
    }
    assert_true(templates_put(&section, ends, TEXTS, bytes.p));
    struct strings s;
    assert_true(templates_open(buf_str(&section), TEXTS, a, &s));
    static const char *const fields[] = {"message", "*"};
    for (size_t field = 0; field < 2; field++) {
        str two[2];
        struct filter f = {.field = str_c(fields[field]), .words = two, .word_n = 1};
        for (size_t i = 0; i < ARRAY_N(words); i++) {
            two[0] = str_c(words[i]);
            for (int op = FILTER_WORD; op <= FILTER_WORD_PREFIX; op++) f.op = (enum filter_op)op, assert_glance(s.texts, &f);
            f.op = FILTER_SUBSTRING;
            assert_glance(s.texts, &f);
            f.op = FILTER_PHRASE;
            f.word_n = 2;
            for (size_t k = 0; k < ARRAY_N(words); k += 3) {
                two[1] = str_c(words[k]);
                for (f.slop = 0; f.slop < 6; f.slop += 5) assert_glance(s.texts, &f);
                f.last_is_prefix = true;
                assert_glance(s.texts, &f);
                f.last_is_prefix = false;
            }
            f.word_n = 1;
            f.slop = 0;
        }
        static const char *const pieces[] = {"edle1 mar", "connect/", "ut er", ": ", "OUT", "x", "after 1", "", "code=1,t"};
        f.op = FILTER_SUBSTRING;
        for (size_t i = 0; i < ARRAY_N(pieces); i++) two[0] = str_c(pieces[i]), assert_glance(s.texts, &f);
        struct err e;
        f.word_n = 0;
        for (size_t i = 0; i < ARRAY_N(patterns); i++) {
            assert_true(automaton_wildcard(str_c(patterns[i]), false, a, &f.automaton, &e));
            for (int op = FILTER_WORD_WILDCARD; op <= FILTER_WORD_FUZZY; op++) f.op = (enum filter_op)op, assert_glance(s.texts, &f);
            f.op = FILTER_WILDCARD;
            assert_glance(s.texts, &f);
        }
        f = (struct filter){.op = FILTER_WORD_RANGE, .field = f.field, .lo = STR("k"), .hi = STR("n5"), .has_lo = true, .has_hi = true};
        assert_glance(s.texts, &f);
    }
    buf_done(&bytes);
    buf_done(&section);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_texts_on_every_leaf)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
