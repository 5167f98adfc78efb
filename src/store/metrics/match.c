#include "store/metrics/index.h"

/* index_match. Per matcher and side an entry has the name and passes, has it and fails, or lacks it. A series passes a matcher when one side has the
 * name and passes, or both lack it and the matcher accepts "". So a side is reduced to (entry, mask of the matchers it passed), and a series of
 * two survivors matches when the masks together cover all matchers that do not accept "". */

enum verdict { LACKS, PASSES, FAILS, GAVE_UP };

struct test {
    const struct matcher *m;
    uint32_t name, value; /* strtab numbers; ID_NONE: no such string here */
    bool accepts_empty;
    uint8_t *memo; /* regex: verdict + 1 by value number */
};

static enum verdict test_value(const struct test *t, const struct strtab *strings, uint32_t value) {
    if (!t->memo) return (value == t->value) == (t->m->op == MATCH_EQ) ? PASSES : FAILS;
    if (t->memo[value]) return (enum verdict)(t->memo[value] - 1);
    enum verdict v = GAVE_UP;
    switch (matcher_test(t->m, strings->s.p[value])) {
    case MATCHER_YES: v = PASSES; break;
    case MATCHER_NO: v = FAILS; break;
    case MATCHER_LIMIT: v = GAVE_UP; break;
    }
    t->memo[value] = (uint8_t)(v + 1);
    return v;
}

static enum verdict test_entry(const struct test *t, const struct strtab *strings, const struct entry *e) {
    if (t->name == ID_NONE) return LACKS;
    for (uint32_t i = 0; i < e->n; i++)
        if (e->l[i].name == t->name) return test_value(t, strings, e->l[i].value);
    return LACKS;
}

static bool gave_up(const struct test *t, struct err *e) {
    return err_set(e, ERR_LIMIT, "the regular expression %.100s takes too long to match", t->m->value.p ? t->m->value.p : "");
}

static bool make_test(const struct index *x, const struct matcher *m, struct arena *a, struct test *out, struct err *e) {
    *out = (struct test){.m = m, .name = strtab_find(&x->strings, m->name), .value = ID_NONE};
    enum matcher_result empty = matcher_test(m, STR_NULL);
    if (empty == MATCHER_LIMIT) return gave_up(out, e);
    out->accepts_empty = empty == MATCHER_YES;
    if (m->op == MATCH_EQ || m->op == MATCH_NE)
        out->value = strtab_find(&x->strings, m->value);
    else
        out->memo = arena_zalloc(a, x->strings.s.n);
    return true;
}

struct survivor {
    uint32_t id;
    uint64_t passed;
};
struct survivors {
    struct survivor *p;
    size_t n, cap;
};

/* The entries that can pass at all: the shortest posting every match must be in, else (NULL) all. */
struct candidates {
    bool all;
    size_t n;
    const uint32_t *ids;
};
static struct candidates choose(const struct index *x, const struct side *side, const struct side *other, const struct test *t, size_t n) {
    struct candidates best = {.all = true, .n = side->e.n};
    for (size_t i = 0; i < n; i++) {
        if (t[i].m->op != MATCH_EQ || t[i].accepts_empty || side_has_name(other, t[i].name)) continue;
        if (t[i].name == ID_NONE || t[i].value == ID_NONE) return (struct candidates){0};
        if (!x->with_postings) continue;
        const struct posting *p = side_posting(side, (struct label_id){t[i].name, t[i].value});
        if (!p) return (struct candidates){0};
        if (best.all || p->ids.n < best.n) best = (struct candidates){false, p->ids.n, ids_p(&p->ids)};
    }
    return best;
}

static bool filter(const struct index *x, const struct side *side, const struct side *other, const struct test *t, size_t n, struct arena *a,
                   struct survivors *out, struct err *e) {
    struct candidates c = choose(x, side, other, t, n);
    for (size_t k = 0; k < c.n; k++) {
        uint32_t id = c.all ? (uint32_t)k : c.ids[k];
        const struct entry *entry = &side->e.p[id];
        struct survivor s = {id, 0};
        size_t i = 0;
        for (; i < n; i++) {
            enum verdict v = test_entry(&t[i], &x->strings, entry);
            if (v == GAVE_UP) return gave_up(&t[i], e);
            if (v == FAILS) break;
            if (v == PASSES)
                s.passed |= UINT64_C(1) << i;
            else if (!t[i].accepts_empty && !side_has_name(other, t[i].name))
                break;
        }
        if (i == n && entry->rows.n > 0) avec_push(a, out, s);
    }
    return true;
}

/* Walks the rows of one side's survivors and keeps those whose other side survived too. */
static void join(const struct index *x, const struct survivors *walk, bool walk_targets, const struct survivors *other, uint64_t must,
                 struct arena *a, struct matches *out) {
    size_t other_n = walk_targets ? x->shapes.e.n : x->targets.e.n;
    uint64_t *passed = arena_zalloc(a, other_n * sizeof *passed); /* mask of the survivor, bit 63 marks survival */
    for (size_t i = 0; i < other->n; i++) passed[other->p[i].id] = other->p[i].passed | UINT64_C(1) << MATCHERS_MAX;
    for (size_t i = 0; i < walk->n; i++) {
        const struct entry *entry = walk_targets ? index_target(x, walk->p[i].id) : index_shape(x, walk->p[i].id);
        const uint32_t *rows = ids_p(&entry->rows);
        for (uint32_t k = 0; k < entry->rows.n; k++) {
            struct row_ids ids = x->rows.p[rows[k]];
            uint64_t mask = passed[walk_targets ? ids.shape : ids.target];
            if (mask == 0 || ((mask | walk->p[i].passed) & must) != must) continue;
            avec_push(a, out, ((struct match){ids.target, ids.shape, rows[k]}));
        }
    }
}

static uint64_t rows_of(const struct side *side, const struct survivors *s) {
    uint64_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += side->e.p[s->p[i].id].rows.n;
    return n;
}

bool index_match(const struct index *x, const struct matcher *m, size_t n, struct arena *a, struct matches *out, struct err *e) {
    if (n > MATCHERS_MAX) return err_set(e, ERR_LIMIT, "a selector may have %d matchers at most, this one has %zu", MATCHERS_MAX, n);
    struct test *tests = arena_new_n(a, struct test, n);
    uint64_t must = 0;
    for (size_t i = 0; i < n; i++) {
        if (!make_test(x, &m[i], a, &tests[i], e)) return false;
        if (!tests[i].accepts_empty) must |= UINT64_C(1) << i;
    }
    struct survivors shapes = {0};
    struct survivors targets = {0};
    if (!filter(x, &x->shapes, &x->targets, tests, n, a, &shapes, e)) return false;
    if (shapes.n == 0) return true;
    if (!filter(x, &x->targets, &x->shapes, tests, n, a, &targets, e)) return false;
    bool walk_targets = rows_of(&x->targets, &targets) < rows_of(&x->shapes, &shapes);
    if (walk_targets)
        join(x, &targets, true, &shapes, must, a, out);
    else
        join(x, &shapes, false, &targets, must, a, out);
    return true;
}
