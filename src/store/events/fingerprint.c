#include "store/events/fingerprint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "codec/varint.h"
#include "codec/words.h"
#include "store/events/cells.h"
#include "store/events/shapes.h"

enum { HEADER = 24, SEGMENT_MAX = 1 << 18, ATTEMPTS = 100, SET_MIN = 256 };

uint64_t word_hash(str word) {
    return hash_stable(word);
}

/* Was it new? */
static bool insert(struct fingerprints *f, uint64_t hash) {
    size_t at = hash & (f->cap - 1);
    while (f->slots[at] != 0 && f->slots[at] != hash) at = (at + 1) & (f->cap - 1);
    bool new = f->slots[at] == 0;
    f->n += new;
    f->slots[at] = hash;
    return new;
}

static void grow(struct fingerprints *f) {
    struct fingerprints bigger = *f;
    bigger.cap = MAX(f->cap * 4, (size_t)SET_MIN);
    bigger.n = 0;
    bigger.slots = mem_zalloc(bigger.cap * sizeof *bigger.slots);
    for (size_t i = 0; i < f->cap; i++)
        if (f->slots[i]) insert(&bigger, f->slots[i]);
    free(f->slots);
    *f = bigger;
}

static void add_word(struct fingerprints *f, str word) {
    uint64_t hash = word_hash(word);
    if (f->n * 2 >= f->cap) grow(f);
    bool new = hash ? insert(f, hash) : !f->has_zero;
    f->has_zero |= hash == 0;
    if (new && f->shapes) shapes_add(f->shapes, f->block, word);
}

/* The set as an array, in its place; the set is then empty. */
static uint64_t *take_hashes(struct fingerprints *f, size_t *n) {
    uint64_t *keys = f->slots;
    size_t out = 0;
    for (size_t i = 0; i < f->cap; i++)
        if (keys[i]) keys[out++] = keys[i];
    if (f->has_zero) keys[out++] = 0; /* the set is never more than half full */
    *f = (struct fingerprints){0};
    *n = out;
    return keys;
}

void fingerprints_add(struct fingerprints *f, const uint32_t *ends, size_t n, const char *bytes) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    uint32_t from = 0;
    for (size_t i = 0; i < n; from = ends[i++]) {
        arena_reset(a);
        struct words w = words_open(str_n(bytes + from, ends[i] - from), a);
        for (struct word x; words_next(&w, &x);) add_word(f, x.text);
    }
}

static void add_text(struct fingerprints *f, str s) {
    uint32_t end = (uint32_t)s.n;
    fingerprints_add(f, &end, 1, s.p);
}

static void add_value(struct fingerprints *f, const struct value *v) {
    if (v->type == VAL_STRING) add_text(f, v->s);
    for (uint32_t i = 0; v->type == VAL_ARRAY && i < v->n; i++) add_value(f, &v->items[i]);
    for (uint32_t i = 0; v->type == VAL_MAP && i < v->n; i++) add_value(f, &v->fields[i].value);
}

void fingerprints_add_encoded(struct fingerprints *f, str value) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct reader r = reader_open(value);
    struct value v;
    if (value_decode(&r, a, 0, &v)) add_value(f, &v);
}

void fingerprints_add_stream(struct fingerprints *f, str encoded) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct stream s;
    if (!stream_decode(encoded, a, &s)) return;
    add_text(f, s.service);
    add_text(f, s.scope_name);
    add_text(f, s.scope_version);
    for (size_t i = 0; i < s.attr_n; i++) add_value(f, &s.attrs[i].value);
    for (size_t i = 0; i < s.scope_attr_n; i++) add_value(f, &s.scope_attrs[i].value);
}

void fingerprints_add_hex(struct fingerprints *f, const uint64_t *parts, size_t n) {
    char text[64];
    assert(n * 16 < sizeof text);
    for (size_t i = 0; i < n; i++) snprintf(text + 16 * i, 17, "%016llx", (unsigned long long)parts[i]);
    add_text(f, str_n(text, n * 16));
}

struct shape {
    uint32_t segment, segments; /* segment: a power of two */
    uint64_t seed;
};
static size_t shape_bytes(const struct shape *s) {
    return (size_t)(s->segments + 2) * s->segment;
}
/* Sizes for three probes, from the paper. */
static struct shape shape_for(size_t n) {
    double exponent = floor(log((double)MAX(n, (size_t)2)) / log(3.33) + 2.25);
    uint32_t segment = MIN((uint32_t)1 << (unsigned)exponent, (uint32_t)SEGMENT_MAX);
    double factor = n < 2 ? 0 : fmax(1.125, 0.875 + 0.25 * log(1e6) / log((double)n));
    uint64_t capacity = (uint64_t)((double)n * factor);
    uint64_t segments = (capacity + segment - 1) / segment;
    return (struct shape){.segment = segment, .segments = (uint32_t)(segments > 2 ? segments - 2 : 1)};
}

struct probe {
    uint32_t at[3];
    uint8_t print;
};
static struct probe probe_of(const struct shape *s, uint64_t key) {
    uint64_t h = hash_mix(key, s->seed);
    uint32_t first = (uint32_t)(((__uint128_t)h * ((uint64_t)s->segments * s->segment)) >> 64);
    struct probe p = {{first, first + s->segment, first + 2 * s->segment}, (uint8_t)(h ^ h >> 32)};
    p.at[1] ^= (uint32_t)(h >> 18) & (s->segment - 1);
    p.at[2] ^= (uint32_t)h & (s->segment - 1);
    return p;
}

/* Peels keys off slots only they use; fails when a cycle remains. stack gets keys in the order peeled, slot the place each owns. */
static bool peel(const struct shape *s, const uint64_t *keys, size_t n, uint64_t *stack, uint32_t *slot) {
    size_t size = shape_bytes(s);
    uint32_t *count = mem_zalloc(size * sizeof *count);
    uint64_t *xored = mem_zalloc(size * sizeof *xored);
    uint32_t *queue = mem_alloc(size * sizeof *queue);
    for (size_t i = 0; i < n; i++) {
        struct probe p = probe_of(s, keys[i]);
        for (int k = 0; k < 3; k++) count[p.at[k]]++, xored[p.at[k]] ^= keys[i];
    }
    size_t queued = 0;
    for (size_t i = 0; i < size; i++)
        if (count[i] == 1) queue[queued++] = (uint32_t)i;
    size_t done = 0;
    while (queued) {
        uint32_t at = queue[--queued];
        if (count[at] != 1) continue;
        uint64_t key = xored[at];
        stack[done] = key;
        slot[done++] = at;
        struct probe p = probe_of(s, key);
        for (int k = 0; k < 3; k++) {
            xored[p.at[k]] ^= key;
            if (--count[p.at[k]] == 1) queue[queued++] = p.at[k];
        }
    }
    free(count);
    free(xored);
    free(queue);
    return done == n;
}

bool fingerprints_put(struct fingerprints *f, struct buf *b) {
    size_t n;
    uint64_t *keys = take_hashes(f, &n);
    bool built = false;
    if (n) {
        struct shape s = shape_for(n);
        uint64_t *stack = mem_alloc(n * sizeof *stack);
        uint32_t *slot = mem_alloc(n * sizeof *slot);
        for (int attempt = 0; attempt < ATTEMPTS && !built; attempt++) {
            s.seed = hash_mix((uint64_t)attempt + 1, n);
            built = peel(&s, keys, n, stack, slot);
        }
        if (built) {
            buf_le32(b, (uint32_t)n);
            buf_le32(b, s.segment);
            buf_le32(b, s.segments);
            buf_le32(b, 0);
            buf_le64(b, s.seed);
            buf_reserve(b, shape_bytes(&s));
            uint8_t *prints = (uint8_t *)b->p + b->n;
            memset(prints, 0, shape_bytes(&s));
            for (size_t i = n; i-- > 0;) {
                struct probe p = probe_of(&s, stack[i]);
                prints[slot[i]] = 0;
                prints[slot[i]] = p.print ^ prints[p.at[0]] ^ prints[p.at[1]] ^ prints[p.at[2]];
            }
            b->n += shape_bytes(&s);
        }
        free(stack);
        free(slot);
    }
    free(keys);
    return built;
}

bool fingerprints_maybe(str section, uint64_t hash) {
    struct reader r = reader_open(section);
    get_le32(&r);
    struct shape s = {.segment = get_le32(&r), .segments = get_le32(&r)};
    get_le32(&r);
    s.seed = get_le64(&r);
    if (r.bad || s.segment == 0 || (s.segment & (s.segment - 1)) || s.segment > SEGMENT_MAX || s.segments > UINT32_MAX / SEGMENT_MAX - 2 ||
        section.n - HEADER != shape_bytes(&s))
        return true;
    const uint8_t *prints = (const uint8_t *)section.p + HEADER;
    struct probe p = probe_of(&s, hash);
    return p.print == (prints[p.at[0]] ^ prints[p.at[1]] ^ prints[p.at[2]]);
}
