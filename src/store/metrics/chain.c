#include "store/metrics/chain.h"

enum { PAGE_BLOCKS = 8192, PAGE_BYTES = PAGE_BLOCKS * sizeof(struct chain_block) };

static struct chain_block *block_at(const struct chains *s, uint32_t number) {
    return &s->pages.p[(number - 1) / PAGE_BLOCKS][(number - 1) % PAGE_BLOCKS];
}

void chains_done(struct chains *s) {
    for (size_t i = 0; i < s->pages.n; i++) mem_unmap(s->pages.p[i], PAGE_BYTES);
    vec_done(&s->pages);
    *s = (struct chains){0};
}

static uint32_t block_new(struct chains *s) {
    uint32_t number = s->free;
    if (number) {
        struct chain_block *b = block_at(s, number);
        s->free = b->next;
        b->next = 0;
        return number;
    }
    if (s->n % PAGE_BLOCKS == 0) vec_push(&s->pages, mem_map(PAGE_BYTES));
    assert(s->n < UINT32_MAX);
    return ++s->n;
}

/* Bytes in the last block. */
static size_t last_n(const struct chain *c) {
    return (c->n - 1) % CHAIN_BLOCK + 1;
}

static void to_blocks(struct chains *s, struct chain *c) {
    uint32_t number = block_new(s);
    memcpy(block_at(s, number)->p, c->p, sizeof c->p);
    c->first = c->last = number;
}

void chain_put(struct chains *s, struct chain *c, const void *p, size_t n) {
    if (n + c->n <= (size_t)CHAIN_IN_PLACE) {
        memcpy(c->p + c->n, p, n);
        c->n += (uint32_t)n & INT32_MAX;
        return;
    }
    assert(n <= (size_t)INT32_MAX - c->n);
    if (c->n <= CHAIN_IN_PLACE) to_blocks(s, c);
    const uint8_t *from = p;
    size_t at = c->n ? last_n(c) : 0;
    c->n += (uint32_t)n & INT32_MAX;
    while (n) {
        if (at == CHAIN_BLOCK) {
            uint32_t number = block_new(s);
            block_at(s, c->last)->next = number;
            c->last = number;
            at = 0;
        }
        size_t fits = MIN(n, CHAIN_BLOCK - at);
        memcpy(block_at(s, c->last)->p + at, from, fits);
        from += fits;
        n -= fits;
        at += fits;
    }
}

uint8_t *chain_last(const struct chains *s, struct chain *c) {
    assert(c->n);
    if (c->n <= CHAIN_IN_PLACE) return &c->p[c->n - 1];
    return &block_at(s, c->last)->p[last_n(c) - 1];
}

void chain_clear(struct chains *s, struct chain *c) {
    if (c->n > CHAIN_IN_PLACE) {
        block_at(s, c->last)->next = s->free;
        s->free = c->first;
    }
    *c = (struct chain){0};
}

str chain_str(const struct chains *s, const struct chain *c, struct arena *a) {
    if (c->n <= CHAIN_IN_PLACE) return arena_str(a, str_n(c->p, c->n));
    uint8_t *out = arena_alloc(a, c->n);
    size_t at = 0;
    for (uint32_t number = c->first; at < c->n;) {
        const struct chain_block *b = block_at(s, number);
        size_t n = MIN(c->n - at, CHAIN_BLOCK);
        memcpy(out + at, b->p, n);
        at += n;
        number = b->next;
    }
    return str_n(out, c->n);
}
