#include "store/events/column.h"

#include "base/hash.h"
#include "base/map.h"
#include "codec/varint.h"
#include "store/events/template.h"

enum { PACKED_HEADER = 24, ENTRY_HEADER = 8, ID_BYTES = 16 };

static void pad8(struct buf *b) {
    static const char zero[8];
    buf_put(b, zero, -b->n & 7);
}
/* Array items are used in place, so sections and the arrays in them are aligned; a section that is not was not written by us. */
static bool aligned(const void *p, size_t to) {
    return ((uintptr_t)p & (to - 1)) == 0;
}

static bool packed_open(struct reader *r, size_t n, struct ints *out) {
    str header = get_bytes(r, PACKED_HEADER);
    if (header.n == 0) return false;
    struct ints c = {.n = (uint32_t)n, .width = (uint8_t)header.p[0]};
    memcpy(&c.base, header.p + 8, 8);
    memcpy(&c.step, header.p + 16, 8);
    if (c.width > 8 || (c.width & (c.width - 1))) return false;
    if (c.width == 0) return *out = c, true;
    c.items = get_bytes(r, n * c.width).p;
    if (r->bad || !aligned(c.items, c.width)) return false;
    *out = c;
    return true;
}

static bool delta_open(struct reader *r, size_t n, struct arena *a, struct ints *out) {
    if (n > (size_t)(r->end - r->at)) return false;
    int64_t *v = arena_new_n(a, int64_t, n);
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) v[i] = (int64_t)(last += (uint64_t)get_zigzag(r));
    *out = (struct ints){.items = v, .n = (uint32_t)n, .width = 8};
    return !r->bad;
}

bool ints_open(enum encoding enc, str section, size_t n, struct arena *a, struct ints *out) {
    struct reader r = reader_open(section);
    if (enc == ENC_PACKED) return packed_open(&r, n, out) && r.at == r.end;
    return enc == ENC_DELTA && delta_open(&r, n, a, out) && r.at == r.end;
}

static bool plain_open(struct reader *r, size_t n, struct strings *out) {
    str ends = get_bytes(r, n * sizeof(uint32_t));
    if (r->bad || !aligned(ends.p, 4)) return false;
    out->ends = (const uint32_t *)(const void *)ends.p;
    out->entry_n = (uint32_t)n;
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (out->ends[i] < last) return false;
        last = out->ends[i];
    }
    out->bytes = get_bytes(r, last).p;
    return !r->bad && r->at == r->end;
}

static bool lengths_open(struct reader *r, size_t n, struct arena *a, struct strings *out) {
    if (n > (size_t)(r->end - r->at)) return false;
    uint32_t *ends = arena_new_n(a, uint32_t, n);
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        at += get_varint(r);
        if (at > UINT32_MAX) return false;
        ends[i] = (uint32_t)at;
    }
    out->ends = ends;
    out->entry_n = (uint32_t)n;
    out->bytes = get_bytes(r, at).p;
    return !r->bad && r->at == r->end;
}

/* Every index must name an entry. */
static bool indexes_fit(const struct ints *index, size_t entry_n) {
    for (size_t i = 0; i < index->n; i++)
        if ((uint64_t)ints_at(index, i) >= entry_n) return false;
    return true;
}

static bool dict_open(struct reader *r, size_t n, struct strings *out) {
    const uint8_t *start = r->at;
    uint32_t entry_n = get_le32(r);
    get_le32(r);
    if (r->bad || !packed_open(r, n, &out->index)) return false;
    get_bytes(r, (size_t)(start - r->at) & 7);
    out->dict = true;
    return plain_open(r, entry_n, out) && indexes_fit(&out->index, entry_n);
}

bool strings_open(enum encoding enc, str section, size_t n, struct arena *a, struct strings *out) {
    struct reader r = reader_open(section);
    struct strings c = {.n = (uint32_t)n};
    bool ok = false;
    if (enc == ENC_PLAIN) ok = plain_open(&r, n, &c);
    if (enc == ENC_LENGTHS) ok = lengths_open(&r, n, a, &c);
    if (enc == ENC_DICT) ok = dict_open(&r, n, &c);
    if (enc == ENC_TEMPLATES) ok = templates_open(section, n, a, &c);
    if (ok) *out = c;
    return ok;
}

static uint64_t big_endian(const unsigned char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

struct trace_id traces_entry(const struct traces *t, size_t entry) {
    assert(entry < t->entry_n);
    const unsigned char *p = t->ids + entry * ID_BYTES;
    return (struct trace_id){big_endian(p), big_endian(p + 8)};
}

/* First entry whose run ends behind the row. */
static size_t run_of(const struct traces *t, size_t row) {
    size_t lo = 0;
    for (size_t hi = t->entry_n; lo < hi;) {
        size_t mid = (lo + hi) / 2;
        if (t->ends[mid] <= row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct trace_id traces_at(const struct traces *t, size_t row) {
    if (t->entry_n == 0) return (struct trace_id){0};
    return traces_entry(t, t->ends ? run_of(t, row) : (size_t)ints_at(&t->index, row));
}

static int trace_cmp(struct trace_id a, struct trace_id b) {
    if (a.hi != b.hi) return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

bool traces_find(const struct traces *t, struct trace_id id, uint32_t *from, uint32_t *to) {
    assert(t->ends || t->entry_n == 0);
    size_t lo = 0;
    for (size_t hi = t->entry_n; lo < hi;) {
        size_t mid = (lo + hi) / 2;
        int c = trace_cmp(traces_entry(t, mid), id);
        if (c == 0) return *from = mid ? t->ends[mid - 1] : 0, *to = t->ends[mid], true;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

bool traces_open(enum encoding enc, str section, size_t n, struct traces *out) {
    struct reader r = reader_open(section);
    struct traces t = {.n = (uint32_t)n, .entry_n = get_le32(&r)};
    get_le32(&r);
    t.ids = (const unsigned char *)get_bytes(&r, (size_t)t.entry_n * ID_BYTES).p;
    if (r.bad || (t.entry_n == 0) != (n == 0)) return false;
    if (enc == ENC_IDS) {
        if (!packed_open(&r, n, &t.index) || r.at != r.end || !indexes_fit(&t.index, t.entry_n)) return false;
    } else {
        str ends = get_bytes(&r, t.entry_n * sizeof(uint32_t));
        if (enc != ENC_RUNS || r.bad || r.at != r.end || !aligned(ends.p, 4)) return false;
        t.ends = (const uint32_t *)(const void *)ends.p;
        for (size_t i = 0; i < t.entry_n; i++)
            if (t.ends[i] <= (i ? t.ends[i - 1] : 0)) return false;
        if (n && t.ends[t.entry_n - 1] != n) return false;
    }
    *out = t;
    return true;
}

/* --- writing */

static uint8_t width_of(uint64_t range) {
    if (range == 0) return 0;
    if (range <= UINT8_MAX) return 1;
    if (range <= UINT16_MAX) return 2;
    return range <= UINT32_MAX ? 4 : 8;
}

static void packed_put(struct buf *b, const int64_t *v, size_t n) {
    int64_t min = n ? v[0] : 0;
    int64_t max = min;
    uint64_t step = n > 1 ? (uint64_t)v[1] - (uint64_t)v[0] : 0;
    bool even = true;
    for (size_t i = 1; i < n; i++) {
        min = MIN(min, v[i]);
        max = MAX(max, v[i]);
        even &= (uint64_t)v[i] - (uint64_t)v[i - 1] == step;
    }
    uint8_t width = even ? 0 : width_of((uint64_t)max - (uint64_t)min);
    char header[8] = {(char)width};
    int64_t base = even && n ? v[0] : width == 8 ? 0 : min;
    buf_put(b, header, sizeof header);
    buf_le64(b, (uint64_t)base);
    buf_le64(b, even ? step : 0);
    buf_reserve(b, n * width);
    for (size_t i = 0; i < n && width; i++) {
        uint64_t item = (uint64_t)v[i] - (uint64_t)base;
        memcpy(b->p + b->n, &item, width);
        b->n += width;
    }
}

static size_t delta_bytes(const int64_t *v, size_t n) {
    size_t bytes = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t z = zigzag((int64_t)((uint64_t)v[i] - last)) | 1;
        bytes += (size_t)(63 - __builtin_clzll(z)) / 7 + 1;
        last = (uint64_t)v[i];
    }
    return bytes;
}

enum encoding ints_put(struct buf *b, const int64_t *v, size_t n, bool small) {
    size_t at = b->n;
    packed_put(b, v, n);
    /* zstd finds more in fixed-width items than in varints: those must be clearly shorter. */
    if (!small || b->n - at == PACKED_HEADER || delta_bytes(v, n) * 5 > (b->n - at) * 4) return ENC_PACKED;
    b->n = at;
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        put_zigzag(b, (int64_t)((uint64_t)v[i] - last));
        last = (uint64_t)v[i];
    }
    return ENC_DELTA;
}

enum encoding strings_put(struct buf *b, const uint32_t *ends, size_t n, str bytes, bool small) {
    if (small && templates_put(b, ends, n, bytes.p)) return ENC_TEMPLATES;
    if (small) {
        for (size_t i = 0; i < n; i++) put_varint(b, ends[i] - (i ? ends[i - 1] : 0));
    } else {
        buf_put(b, ends, n * sizeof *ends);
    }
    buf_add(b, bytes);
    return small ? ENC_LENGTHS : ENC_PLAIN;
}

enum encoding dict_put(struct buf *b, const int64_t *index, size_t n, const uint32_t *ends, size_t entry_n, str bytes) {
    assert(b->n % 8 == 0);
    buf_le32(b, (uint32_t)entry_n);
    buf_le32(b, 0);
    packed_put(b, index, n);
    pad8(b);
    buf_put(b, ends, entry_n * sizeof *ends);
    buf_add(b, bytes);
    return ENC_DICT;
}

static void id_put(struct buf *b, struct trace_id id) {
    uint64_t be[2] = {__builtin_bswap64(id.hi), __builtin_bswap64(id.lo)};
    buf_put(b, be, sizeof be);
}

static enum encoding runs_put(struct buf *b, const struct trace_id *ids, size_t n) {
    size_t at = b->n;
    uint32_t distinct = 0;
    buf_le64(b, 0);
    for (size_t i = 0; i < n; i++) {
        if (i && trace_cmp(ids[i], ids[i - 1]) == 0) continue;
        assert(i == 0 || trace_cmp(ids[i - 1], ids[i]) < 0);
        id_put(b, ids[i]);
        distinct++;
    }
    memcpy(b->p + at, &distinct, sizeof distinct);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || trace_cmp(ids[i], ids[i + 1]) != 0) buf_le32(b, (uint32_t)i + 1);
    return ENC_RUNS;
}

enum encoding traces_put(struct buf *b, const struct trace_id *ids, size_t n, bool sorted) {
    if (sorted) return runs_put(b, ids, n);
    size_t at = b->n;
    VEC(uint32_t) first = {0}; /* entry -> row that brought it */
    struct map seen = {0};
    int64_t *index = mem_alloc(MAX(n, 1) * sizeof *index);
    for (size_t i = 0; i < n; i++) {
        uint64_t h = hash_mix(ids[i].hi, ids[i].lo);
        size_t slot = map_first(&seen, h);
        while (slot != MAP_END && trace_cmp(ids[first.p[seen.slots[slot].value - 1]], ids[i]) != 0) slot = map_next(&seen, slot, h);
        if (slot == MAP_END) {
            vec_push(&first, (uint32_t)i);
            map_put(&seen, h, first.n);
            index[i] = (int64_t)first.n - 1;
        } else {
            index[i] = (int64_t)seen.slots[slot].value - 1;
        }
    }
    buf_le32(b, (uint32_t)first.n);
    buf_le32(b, 0);
    for (size_t i = 0; i < first.n; i++) id_put(b, ids[first.p[i]]);
    assert((b->n - at) % 8 == 0);
    packed_put(b, index, n);
    free(index);
    map_done(&seen);
    vec_done(&first);
    return ENC_IDS;
}
