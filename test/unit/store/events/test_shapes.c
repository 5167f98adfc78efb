#include "store/events/shapes.h"

#include <stdio.h>

#include "store/events/automaton.h"
#include "unit/store/events/sample.h"

enum { BLOCKS = 40, WORDS = 60 };

static uint32_t state = 11;
static unsigned below(unsigned n) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
}

static str some_word(struct arena *a, unsigned block) {
    switch (below(8)) {
    case 0: return arena_printf(a, "needle%u", below(4));
    case 1: return arena_printf(a, "%u.%ums", below(1000), below(1000));
    case 2: return arena_printf(a, "%08x", below(2000000000));
    case 3: return arena_printf(a, "%x", below(65536));
    case 4: return arena_printf(a, "x%u_%u", below(90), below(9));
    case 5: return arena_printf(a, "na\xc3\xafve%u", block);
    case 6: return arena_printf(a, "java.net.timeout%cexception", (char)('a' + block % 26));
    }
    return arena_printf(a, "word%c%c", (char)('a' + below(26)), (char)('a' + block % 26));
}

/* A part on disk, in memory: its blocks are empty but for the words. */
static struct part *part_of(const str *words, size_t blocks, size_t n) {
    struct packer p;
    struct part *part;
    struct err e;
    packer_open(&p, EVENT_LOG, true);
    for (uint32_t b = 0; b < blocks; b++) {
        for (size_t i = 0; i < n; i++) shapes_add(p.shapes, b, words[b * n + i]);
        packer_block_end(&p, 1, 0, 0);
    }
    assert_true(packer_close(&p, 1, &e));
    str bytes = str_n(p.out.p, p.out.n);
    p.out = (struct buf){0};
    packer_done(&p);
    assert_true(part_open_bytes(bytes, &part, &e));
    return part;
}

static bool word_holds(const struct filter *f, str word) {
    if (f->op != FILTER_SUBSTRING) return filter_word_test(f, word);
    struct value v = value_str(word);
    return filter_leaf_test(f, &v);
}

/* Every block with a word that holds is named; how many are named without one. */
static size_t assert_found(const struct part *p, const struct filter *f, const str *words, size_t n) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const uint64_t *bits = shapes_find(p, f, a);
    size_t in_vain = 0;
    for (uint32_t b = 0; b < p->block_n; b++) {
        bool holds = false;
        for (size_t i = 0; i < n && !holds; i++) holds = word_holds(f, words[b * n + i]);
        bool named = !bits || (bits[b / 64] >> (b % 64) & 1);
        assert_true(named || !holds);
        in_vain += named && !holds;
    }
    return in_vain;
}

static void ask_everything(const struct part *p, const str *words, size_t n) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    static const char *const patterns[] = {"*edle2", "need*", "*timeoutc*", "?.*ms", "x1_*", "*", "???", "*f00*", "na?ve7", "*9"};
    static const char *const pieces[] = {"needle1", "eedle", "java.net", "12", "wordb", "x3_1", "imeoutd", "5ms", "abc"};
    struct filter f = {.field = STR("message")};
    struct err e;
    for (size_t i = 0; i < ARRAY_N(patterns); i++) {
        f.op = FILTER_WORD_WILDCARD;
        assert_true(automaton_wildcard(str_c(patterns[i]), false, a, &f.automaton, &e));
        size_t in_vain = assert_found(p, &f, words, n);
        if (i == 0 || i == 2) assert_int_equal(in_vain, 0); /* few words: they are listed as they are */
        f.op = FILTER_WORD_FUZZY;
        assert_true(automaton_fuzzy(STR("needel3"), (struct automaton_fuzziness){2, 0, true}, a, &f.automaton, &e));
        assert_found(p, &f, words, n);
    }
    f.automaton = NULL;
    f.word_n = 1;
    for (size_t i = 0; i < ARRAY_N(pieces); i++) {
        str one = str_c(pieces[i]);
        f.words = &one;
        f.op = FILTER_WORD_PREFIX;
        assert_found(p, &f, words, n);
        f.op = FILTER_SUBSTRING;
        assert_found(p, &f, words, n);
    }
}

static void names_every_block_with_such_a_word(void **unused) {
    (void)unused;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str *words = arena_new_n(a, str, BLOCKS * WORDS);
    for (unsigned i = 0; i < BLOCKS * WORDS; i++) words[i] = some_word(a, i / WORDS);
    struct part *p = part_of(words, BLOCKS, WORDS);
    ask_everything(p, words, WORDS);
    part_unref(p);
}

static void parts_laid_side_by_side_keep_their_words(void **unused) {
    (void)unused;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str *words = arena_new_n(a, str, BLOCKS * WORDS);
    for (unsigned i = 0; i < BLOCKS * WORDS; i++) words[i] = some_word(a, i / WORDS);
    struct packer p;
    struct part *merged;
    struct err e;
    packer_open(&p, EVENT_LOG, true);
    for (uint32_t from = 0; from < BLOCKS; from += 10) {
        struct part *one = part_of(words + from * WORDS, 10, WORDS);
        shapes_add_part(p.shapes, from, one);
        for (uint32_t i = 0; i < 10; i++) packer_copy_block(&p, one, i);
        part_unref(one);
    }
    assert_true(packer_close(&p, 1, &e));
    str bytes = str_n(p.out.p, p.out.n);
    p.out = (struct buf){0};
    packer_done(&p);
    assert_true(part_open_bytes(bytes, &merged, &e));
    ask_everything(merged, words, WORDS);
    part_unref(merged);
}

static void blocks_with_too_much_may_hold_anything(void **unused) {
    (void)unused;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    enum { N = SHAPES_BLOCK_MAX + 10 };
    str *words = arena_new_n(a, str, 2 * N);
    for (unsigned i = 0; i < 2 * N; i++)
        words[i] = i < N ? arena_printf(a, "q%c%c%c", (char)('g' + i % 20), (char)('g' + i / 20 % 20), (char)('g' + i / 400)) : STR("quiet");
    char *line = arena_alloc(a, 200);
    memset(line, 'z', 200);
    words[N] = str_n(line, 200);
    struct part *p = part_of(words, 2, N);
    struct filter f = {.op = FILTER_WORD_PREFIX, .field = STR("message"), .words = &words[N - 1], .word_n = 1};
    assert_found(p, &f, words, N);
    f.words = &words[N];
    assert_found(p, &f, words, N);
    part_unref(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_block_with_such_a_word),
        cmocka_unit_test(parts_laid_side_by_side_keep_their_words),
        cmocka_unit_test(blocks_with_too_much_may_hold_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
