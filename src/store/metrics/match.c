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

/* The entries that can pass at all: the shortest list every match must be in, or all. Lists by value alone may name an entry twice. */
struct candidates {
    bool all;
    size_t n;
    const uint32_t *ids;
};
static struct candidates list_of(const struct index *x, const struct side *side, struct label_id l) {
    struct candidates c = {0};
    if (x->with_postings) {
        const struct posting *p = side_posting(side, l);
        if (p) c = (struct candidates){false, p->ids.n, ids_p(&p->ids)};
    } else {
        c.ids = index_value_ids(x, side, l.value, &c.n);
    }
    return c;
}
static struct candidates choose(const struct index *x, const struct side *side, const struct side *other, const struct test *t, size_t n) {
    struct candidates best = {.all = true, .n = side->e.n};
    for (size_t i = 0; i < n; i++) {
        if (t[i].m->op != MATCH_EQ || t[i].accepts_empty || side_has_name(other, t[i].name)) continue;
        if (t[i].name == ID_NONE || t[i].value == ID_NONE) return (struct candidates){0};
        struct candidates c = list_of(x, side, (struct label_id){t[i].name, t[i].value});
        if (best.all || c.n < best.n) best = c;
        if (best.n == 0) return best;
    }
    return best;
}

/* YES: out has the mask of what the entry passed. */
static enum matcher_result survives(const struct index *x, const struct entry *entry, const struct side *other, const struct test *t, size_t n,
                                    uint64_t *passed, struct err *e) {
    *passed = 0;
    for (size_t i = 0; i < n; i++) {
        enum verdict v = test_entry(&t[i], &x->strings, entry);
        if (v == GAVE_UP) {
            bool set = gave_up(&t[i], e);
            (void)set;
            return MATCHER_LIMIT;
        }
        if (v == FAILS) return MATCHER_NO;
        if (v == PASSES)
            *passed |= UINT64_C(1) << i;
        else if (!t[i].accepts_empty && !side_has_name(other, t[i].name))
            return MATCHER_NO;
    }
    return entry->rows.n > 0 ? MATCHER_YES : MATCHER_NO;
}

static bool filter(const struct index *x, const struct side *side, const struct side *other, struct candidates c, const struct test *t, size_t n,
                   struct arena *a, struct survivors *out, struct err *e) {
    uint32_t before = ID_NONE;
    for (size_t k = 0; k < c.n; k++) {
        struct survivor s = {.id = c.all ? (uint32_t)k : c.ids[k]};
        if (s.id == before) continue;
        before = s.id;
        enum matcher_result r = survives(x, &side->e.p[s.id], other, t, n, &s.passed, e);
        if (r == MATCHER_LIMIT) return false;
        if (r == MATCHER_YES) avec_push(a, out, s);
    }
    return true;
}

/* A question to both sides. */
struct question {
    const struct index *x;
    const struct test *t;
    size_t n;
    uint64_t must; /* matchers that one side has to pass */
    struct arena *a;
};

static uint64_t rows_of(const struct side *side, const struct survivors *s) {
    uint64_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += side->e.p[s->p[i].id].rows.n;
    return n;
}

/* Walks the rows of one side's survivors and keeps those whose other side survives too: `passed` says so by number (bit MATCHERS_MAX marks survival),
 * or the entry is asked. */
static bool join(const struct question *q, const struct survivors *walk, bool walk_targets, const uint64_t *passed, struct matches *out,
                 struct err *e) {
    const struct side *side = walk_targets ? &q->x->targets : &q->x->shapes;
    const struct side *other = walk_targets ? &q->x->shapes : &q->x->targets;
    for (size_t i = 0; i < walk->n; i++) {
        const struct entry *entry = &side->e.p[walk->p[i].id];
        const uint32_t *rows = ids_p(&entry->rows);
        for (uint32_t k = 0; k < entry->rows.n; k++) {
            struct row_ids ids = q->x->rows.p[rows[k]];
            uint32_t id = walk_targets ? ids.shape : ids.target;
            uint64_t mask = passed ? passed[id] : 0;
            if (!passed) {
                enum matcher_result r = survives(q->x, &other->e.p[id], side, q->t, q->n, &mask, e);
                if (r == MATCHER_LIMIT) return false;
                if (r == MATCHER_YES) mask |= UINT64_C(1) << MATCHERS_MAX;
            }
            if (!(mask >> MATCHERS_MAX) || ((mask | walk->p[i].passed) & q->must) != q->must) continue;
            avec_push(q->a, out, ((struct match){ids.target, ids.shape, rows[k]}));
        }
    }
    return true;
}

/* The more selective side is looked at first; when its survivors have few rows, the other side is only asked about those. */
static bool answer(const struct question *q, struct matches *out, struct err *e) {
    const struct index *x = q->x;
    struct candidates targets = choose(x, &x->targets, &x->shapes, q->t, q->n);
    struct candidates shapes = choose(x, &x->shapes, &x->targets, q->t, q->n);
    bool walk_targets = shapes.all ? !targets.all || targets.n < shapes.n : !targets.all && targets.n < shapes.n;
    const struct side *side = walk_targets ? &x->targets : &x->shapes;
    const struct side *other = walk_targets ? &x->shapes : &x->targets;
    struct candidates rest = walk_targets ? shapes : targets;
    struct survivors walk = {0};
    if (!filter(x, side, other, walk_targets ? targets : shapes, q->t, q->n, q->a, &walk, e)) return false;
    if (rows_of(side, &walk) < rest.n) return join(q, &walk, walk_targets, NULL, out, e);
    struct survivors others = {0};
    if (!filter(x, other, side, rest, q->t, q->n, q->a, &others, e)) return false;
    bool turned = rows_of(other, &others) < rows_of(side, &walk);
    const struct survivors *by_number = turned ? &walk : &others;
    uint64_t *passed = arena_zalloc(q->a, MAX(turned ? side->e.n : other->e.n, (size_t)1) * sizeof *passed);
    for (size_t i = 0; i < by_number->n; i++) passed[by_number->p[i].id] = by_number->p[i].passed | UINT64_C(1) << MATCHERS_MAX;
    return join(q, turned ? &others : &walk, turned ? !walk_targets : walk_targets, passed, out, e);
}

bool index_match(const struct index *x, const struct matcher *m, size_t n, struct arena *a, struct matches *out, struct err *e) {
    if (n > MATCHERS_MAX) return err_set(e, ERR_LIMIT, "a selector may have %d matchers at most, this one has %zu", MATCHERS_MAX, n);
    struct test *tests = arena_new_n(a, struct test, n);
    struct question q = {x, tests, n, 0, a};
    for (size_t i = 0; i < n; i++) {
        if (!make_test(x, &m[i], a, &tests[i], e)) return false;
        if (!tests[i].accepts_empty) q.must |= UINT64_C(1) << i;
    }
    return answer(&q, out, e);
}
