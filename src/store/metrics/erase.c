#include "store/metrics/erase.h"

#include <stdlib.h>

#include "base/hash.h"
#include "codec/regex.h"
#include "codec/varint.h"
#include "store/metrics/index.h"

/* --- lists of deletions */

void deletions_ref(struct deletions *d) {
    d->refs++;
}
void deletions_unref(struct deletions *d) {
    if (!d || --d->refs > 0) return;
    for (size_t i = 0; i < d->n; i++)
        for (size_t k = 0; k < d->p[i].n; k++) regex_free((struct regex *)(uintptr_t)d->p[i].m[k].re);
    arena_free(d->arena);
}

static struct deletions *new_list(size_t n) {
    struct arena *a = arena_new(1 << 10);
    struct deletions *d = arena_one(a, struct deletions);
    *d = (struct deletions){.arena = a, .refs = 1, .p = arena_new_n(a, struct deletion, n)};
    return d;
}

/* Compiled anew: each list owns its expressions. */
static bool add_matcher(struct arena *a, const struct matcher *m, struct matcher *out, struct err *e) {
    struct regex *re = NULL;
    if ((m->op == MATCH_RE || m->op == MATCH_NRE) && !regex_new(m->value, true, &re, e)) return false;
    *out = (struct matcher){m->op, arena_str(a, m->name), arena_str(a, m->value), re};
    return true;
}

static struct deletion *begin_deletion(struct deletions *d, uint64_t number, int64_t from_ms, int64_t to_ms, size_t matchers) {
    struct deletion *x = &d->p[d->n++];
    *x = (struct deletion){.number = number, .from_ms = from_ms, .to_ms = to_ms, .m = arena_new_n(d->arena, struct matcher, matchers)};
    return x;
}

static void copy_deletion(struct deletions *d, const struct deletion *from) {
    struct deletion *to = begin_deletion(d, from->number, from->from_ms, from->to_ms, from->n);
    for (; to->n < from->n; to->n++) {
        bool ok = add_matcher(d->arena, &from->m[to->n], &to->m[to->n], NULL);
        assert(ok); /* it was compiled before */
        (void)ok;
    }
}

struct deletions *deletions_change(const struct deletions *old, const uint64_t *gone, size_t gone_n, const struct deletion *add) {
    struct deletions *d = new_list(old->n + 1);
    for (size_t i = 0; i < old->n; i++) {
        if (gone_n > 0 && old->p[i].number == *gone) {
            gone++;
            gone_n--;
            continue;
        }
        copy_deletion(d, &old->p[i]);
    }
    if (add) copy_deletion(d, add);
    return d;
}

void deletions_encode(const struct deletions *d, struct buf *out) {
    size_t from = out->n;
    buf_le64(out, DELETIONS_MAGIC);
    put_varint(out, d->n);
    for (size_t i = 0; i < d->n; i++) {
        const struct deletion *x = &d->p[i];
        put_varint(out, x->number);
        put_zigzag(out, x->from_ms);
        put_zigzag(out, x->to_ms);
        put_varint(out, x->n);
        for (size_t k = 0; k < x->n; k++) {
            buf_char(out, (char)x->m[k].op);
            put_slice(out, x->m[k].name);
            put_slice(out, x->m[k].value);
        }
    }
    buf_le64(out, hash_check(out->p + from, out->n - from));
}

static bool decode_one(struct reader *r, struct deletions *d, struct err *e) {
    uint64_t number = get_varint(r);
    int64_t from_ms = get_zigzag(r);
    int64_t to_ms = get_zigzag(r);
    uint64_t n = get_varint(r);
    if (r->bad || n > MATCHERS_MAX) return err_set(e, ERR_CORRUPT, "the list of deletions makes no sense");
    struct deletion *x = begin_deletion(d, number, from_ms, to_ms, n);
    for (uint64_t k = 0; k < n; k++) {
        str op = get_bytes(r, 1);
        struct matcher m = {.name = get_slice(r)};
        m.value = get_slice(r);
        if (r->bad || (uint8_t)op.p[0] > MATCH_NRE) return err_set(e, ERR_CORRUPT, "the list of deletions makes no sense");
        m.op = (enum match_op)op.p[0];
        if (!add_matcher(d->arena, &m, &x->m[k], e)) return false;
        x->n++;
    }
    return true;
}

bool deletions_decode(str file, struct deletions **out, struct err *e) {
    uint64_t ends[2] = {0};
    if (file.n >= 17) {
        memcpy(&ends[0], file.p, sizeof ends[0]);
        memcpy(&ends[1], file.p + file.n - 8, sizeof ends[1]);
    }
    if (file.n < 17 || ends[0] != DELETIONS_MAGIC || ends[1] != hash_check(file.p, file.n - 8))
        return err_set(e, ERR_CORRUPT, "the list of deletions is damaged");
    struct reader r = reader_open(str_sub(file, 8, file.n - 8));
    uint64_t n = get_varint(&r);
    if (n > DELETIONS_MAX) return err_set(e, ERR_CORRUPT, "the list of deletions makes no sense");
    struct deletions *d = new_list(n);
    for (uint64_t i = 0; i < n; i++)
        if (!decode_one(&r, d, e)) {
            deletions_unref(d);
            return false;
        }
    *out = d;
    return true;
}

/* --- which samples */

static bool all_match(const struct matcher *m, size_t n, struct labels ls) {
    for (size_t i = 0; i < n; i++)
        if (matcher_test(&m[i], labels_get(ls, m[i].name)) != MATCHER_YES) return false; /* a regex that gave up deletes nothing */
    return true;
}

size_t deletions_of(const struct deletions *d, struct labels ls, struct arena *a, struct erased **out) {
    size_t n = 0;
    *out = NULL;
    for (size_t i = 0; i < d->n; i++) {
        if (!all_match(d->p[i].m, d->p[i].n, ls)) continue;
        if (!*out) *out = arena_new_n(a, struct erased, d->n - i);
        (*out)[n++] = (struct erased){d->p[i].from_ms, d->p[i].to_ms};
    }
    return n;
}

void columns_erase(struct columns *c, int64_t from_ms, int64_t to_ms) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->t_ms[i] >= from_ms && c->t_ms[i] <= to_ms) continue;
        c->t_ms[n] = c->t_ms[i];
        c->v[n] = c->v[i];
        if (c->h) c->h[n] = c->h[i];
        if (c->st_ms) c->st_ms[n] = c->st_ms[i];
        n++;
    }
    c->n = n;
}

void eraser_done(struct eraser *x) {
    deletions_unref(x->deletions);
    *x = (struct eraser){0};
}

int64_t eraser_keep_ms(const struct eraser *x, struct labels ls) {
    for (size_t i = 0; i < x->rule_n; i++)
        if (all_match(x->rules[i].m, x->rules[i].n, ls)) return x->rules[i].keep_ms;
    return x->keep_ms;
}

static struct labels merged(struct labels target, struct labels shape, struct arena *a) {
    struct label *l = arena_new_n(a, struct label, target.n + shape.n);
    size_t n = 0;
    for (size_t i = 0; i < target.n; i++) l[n++] = target.l[i];
    for (size_t i = 0; i < shape.n; i++) l[n++] = shape.l[i];
    bool ok = labels_sort(l, &n, NULL);
    assert(ok); /* a name is on one side only */
    (void)ok;
    return (struct labels){l, n};
}

bool eraser_apply(const struct eraser *x, struct labels target, struct labels shape, struct columns *c, size_t n) {
    if (x->deletions->n == 0 && x->rule_n == 0 && x->keep_ms == 0) return c->n > 0;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct labels ls = merged(target, shape, a);
    struct erased *ranges;
    size_t range_n = deletions_of(x->deletions, ls, a, &ranges);
    int64_t keep_ms = eraser_keep_ms(x, ls);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < range_n; k++) columns_erase(&c[i], ranges[k].from_ms, ranges[k].to_ms);
        if (keep_ms > 0) columns_erase(&c[i], INT64_MIN, x->now_ms - keep_ms - 1);
    }
    return c->n > 0;
}
