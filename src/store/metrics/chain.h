/* store/metrics/chain: bytes that grow at their end, for some hundred thousand owners at once, as chains of small blocks: what each of them would
 * lose with malloc (its header, room to grow, holes left behind by moving) is as much as the bytes themselves.
 *
 *   chain    up to 12 bytes in place, or  first .......... last
 *   blocks                                [next|28 bytes]->[next|28 bytes]
 *
 * Blocks lie in pages of a struct chains, straight from the system: all chains in it end at once, and their memory is gone. One thread at a time;
 * any may read chains that nobody changes. */
#pragma once
#include "base/arena.h"
#include "base/vec.h"

enum { CHAIN_IN_PLACE = 12, CHAIN_BLOCK = 28 };

struct chain_block {
    uint32_t next; /* number of the next block, from 1; 0: none */
    uint8_t p[CHAIN_BLOCK];
};
/* Zeroed is empty. */
struct chains {
    VEC(struct chain_block *) pages;
    uint32_t n;    /* blocks ever taken */
    uint32_t free; /* chain of those given back */
};
/* Zeroed is empty. Belongs to one struct chains. */
struct chain {
    union {
        uint8_t p[CHAIN_IN_PLACE];
        struct {
            uint32_t first, last;
        };
    };
    uint32_t n : 31;
    uint32_t mark : 1; /* the owner's */
};

void chains_done(struct chains *s);
void chain_put(struct chains *s, struct chain *c, const void *p, size_t n);
uint8_t *chain_last(const struct chains *s, struct chain *c);                  /* the newest byte; there is one */
void chain_clear(struct chains *s, struct chain *c);                           /* gives its blocks back */
str chain_str(const struct chains *s, const struct chain *c, struct arena *a); /* all of it, copied into the arena */
