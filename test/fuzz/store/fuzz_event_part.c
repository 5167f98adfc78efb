/* Any bytes as an event part: what opens is read to the last cell. The trailer's checksum is made good first, else nothing would get past it. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/events/catalog.h"
#include "store/events/edges.h"
#include "store/events/match.h"
#include "store/events/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TRAILER = 32, ROWS_MAX = 4096 };

static void fix_checksum(char *p, size_t n) {
    uint64_t trailer[3];
    if (n < TRAILER) return;
    memcpy(trailer, p + n - TRAILER, sizeof trailer);
    if (trailer[0] > n - TRAILER || trailer[1] != n - TRAILER - trailer[0]) return;
    trailer[2] = hash_check(p + trailer[0], trailer[1]);
    memcpy(p + n - TRAILER, trailer, sizeof trailer);
}

static void match_block(struct block *b) {
    str word = STR("message");
    const struct filter leaves[] = {
        {.op = FILTER_WORD, .field = STR("*"), .words = &word, .word_n = 1},
        {.op = FILTER_EXISTS, .field = STR("nested")},
        {.op = FILTER_NUMBER_RANGE, .field = STR("*"), .has_lo = true, .num_lo = 1},
        {.op = FILTER_TRACE, .trace_hi = 1, .trace_lo = 2},
        {.op = FILTER_IDS, .words = &word, .word_n = 1},
    };
    uint64_t *bits = mem_alloc(bit_words(b->row_n) * sizeof *bits);
    for (size_t i = 0; i < ARRAY_N(leaves); i++) {
        struct err e;
        uint32_t n;
        if (!block_match(b, &leaves[i], INT64_MIN, INT64_MAX, NULL, bits, &n, &e)) break;
        block_verdict(b->part, b->index, &leaves[i], NULL, INT64_MIN, INT64_MAX);
    }
    free(bits);
}

static void read_block(struct part *p, uint32_t index, struct edges *edges) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct block *b;
    struct err e;
    if (p->blocks[index].row_n > ROWS_MAX || !block_open(p, index, a, &b, &e)) return;
    struct catalog *c = catalog_new();
    catalog_add_block(c, b);
    catalog_free(c);
    if (b->kind == EVENT_SPAN) edges_add_block(edges, b);
    match_block(b);
    for (uint32_t row = 0; row < MIN(b->row_n, 64u); row++) {
        AUTO(arena_free) struct arena *r = arena_new(4096);
        struct event ev;
        struct value v;
        if (!block_event(b, row, r, &ev)) break;
        block_get(b, row, STR("message"), r, &v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = mem_alloc(size + 1);
    memcpy(copy, data, size);
    fix_checksum(copy, size);
    struct part *p;
    struct err e;
    if (!part_open_bytes(str_n(copy, size), &p, &e)) return 0;
    struct edges *edges = edges_new();
    struct edge_sum *sum = edge_sum_new(INT64_MIN, INT64_MAX);
    for (uint32_t i = 0; i < MIN(p->block_n, 16u); i++) read_block(p, i, edges);
    catalog_free(catalog_of_part(p));
    edge_sum_add_part(sum, p);
    edge_sum_free(sum);
    edges_free(edges);
    part_unref(p);
    return 0;
}
