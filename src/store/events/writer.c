#include "store/events/writer.h"

#include "base/hash.h"
#include "base/map.h"
#include "codec/isodate.h"
#include "codec/varint.h"
#include "store/events/fingerprint.h"

enum {
    DICT_TRY = 32,       /* entries before the dictionary must prove its worth */
    REMEMBER_MAX = 1024, /* columns, layouts kept from block to block */
    REMEMBER_BYTES = 8 << 20,
};

struct column {
    uint8_t scope, type;
    str path;          /* malloc'ed */
    uint32_t n, id;    /* id: number within the block being packed */
    VEC(int64_t) ints; /* values, or dictionary indexes */
    struct buf bytes;
    VEC(uint32_t) ends; /* of values, or of dictionary entries */
    struct map dict;
    bool is_dict;
    bool dates; /* every string so far was an ISO date */
};
struct layout {
    uint32_t at, n; /* in layout_columns */
    uint32_t rows, id;
};
struct stream_entry {
    str encoded; /* malloc'ed */
    uint32_t rows;
};

struct writer {
    enum event_kind kind;
    VEC(struct column) columns;
    struct map column_map, layout_map, stream_map;
    VEC(struct layout) layouts;
    VEC(uint32_t) layout_columns;
    VEC(struct stream_entry) streams;
    VEC(int64_t) time, seq, stream, layout; /* per row */
    VEC(struct trace_id) trace;
    bool traced;       /* some row has a trace id */
    VEC(uint32_t) row; /* columns of the row being written */
    uint32_t guess;    /* layout of the row before */
    size_t bytes;
    struct buf scratch;
};

struct writer *writer_new(enum event_kind kind) {
    struct writer *w = mem_zalloc(sizeof *w);
    w->kind = kind;
    return w;
}

static void column_empty(struct column *c) {
    c->n = 0;
    c->ints.n = c->ends.n = 0;
    buf_clear(&c->bytes);
    map_done(&c->dict);
    c->is_dict = c->dates = true;
}

static void forget_columns(struct writer *w) {
    for (size_t i = 0; i < w->columns.n; i++) {
        struct column *c = &w->columns.p[i];
        vec_done(&c->ints);
        vec_done(&c->ends);
        buf_done(&c->bytes);
        map_done(&c->dict);
        free((char *)(uintptr_t)c->path.p);
    }
    w->columns.n = w->layouts.n = w->layout_columns.n = 0;
    map_done(&w->column_map);
    map_done(&w->layout_map);
    w->guess = 0;
}

static void forget_streams(struct writer *w) {
    for (size_t i = 0; i < w->streams.n; i++) free((char *)(uintptr_t)w->streams.p[i].encoded.p);
    w->streams.n = 0;
    map_done(&w->stream_map);
}

void writer_free(struct writer *w) {
    if (!w) return;
    forget_columns(w);
    forget_streams(w);
    vec_done(&w->columns);
    vec_done(&w->layouts);
    vec_done(&w->layout_columns);
    vec_done(&w->streams);
    vec_done(&w->time);
    vec_done(&w->seq);
    vec_done(&w->stream);
    vec_done(&w->layout);
    vec_done(&w->trace);
    vec_done(&w->row);
    buf_done(&w->scratch);
    free(w);
}

static str own_copy(str s) {
    char *p = mem_alloc(MAX(s.n, 1));
    if (s.n) memcpy(p, s.p, s.n);
    return str_n(p, s.n);
}

uint32_t writer_stream(struct writer *w, str encoded) {
    uint64_t h = hash_str(encoded);
    for (size_t at = map_first(&w->stream_map, h); at != MAP_END; at = map_next(&w->stream_map, at, h))
        if (str_eq(w->streams.p[w->stream_map.slots[at].value - 1].encoded, encoded)) return (uint32_t)w->stream_map.slots[at].value - 1;
    vec_push(&w->streams, ((struct stream_entry){.encoded = own_copy(encoded)}));
    map_put(&w->stream_map, h, w->streams.n);
    w->bytes += encoded.n;
    return (uint32_t)w->streams.n - 1;
}

void writer_row(struct writer *w, int64_t time_ns, uint64_t seq, uint32_t stream, struct trace_id trace) {
    assert(stream < w->streams.n);
    vec_push(&w->time, time_ns);
    vec_push(&w->seq, (int64_t)seq);
    vec_push(&w->stream, stream);
    vec_push(&w->trace, trace);
    w->traced |= trace_id_set(trace);
    w->streams.p[stream].rows++;
    w->bytes += 24;
    w->row.n = 0;
}

static bool is_column(const struct column *c, enum scope scope, str path, enum cell_type type) {
    return c->type == type && c->scope == scope && str_eq(c->path, path);
}

static uint32_t find_column(struct writer *w, enum scope scope, str path, enum cell_type type) {
    /* The same cell of the row before is most often the one. */
    if (w->layouts.n) {
        const struct layout *l = &w->layouts.p[w->guess];
        if (w->row.n < l->n) {
            uint32_t id = w->layout_columns.p[l->at + w->row.n];
            if (is_column(&w->columns.p[id], scope, path, type)) return id;
        }
    }
    uint64_t h = hash_mix(hash_str(path), (uint64_t)scope << 8 | type);
    for (size_t at = map_first(&w->column_map, h); at != MAP_END; at = map_next(&w->column_map, at, h)) {
        uint32_t id = (uint32_t)w->column_map.slots[at].value - 1;
        if (is_column(&w->columns.p[id], scope, path, type)) return id;
    }
    struct column *c = vec_add(&w->columns);
    *c = (struct column){.scope = (uint8_t)scope, .type = (uint8_t)type, .path = own_copy(path), .is_dict = true, .dates = true};
    map_put(&w->column_map, h, w->columns.n);
    w->bytes += path.n + 16;
    return (uint32_t)w->columns.n - 1;
}

static str entry(const struct column *c, size_t i) {
    uint32_t from = i ? c->ends.p[i - 1] : 0;
    return str_n(c->bytes.p + from, c->ends.p[i] - from);
}

static void push_string(struct column *c, str s) {
    buf_add(&c->bytes, s);
    vec_push(&c->ends, (uint32_t)c->bytes.n);
}

/* The dictionary does not pay: values one by one. */
static void undo_dict(struct column *c) {
    struct buf dict = c->bytes;
    VEC(uint32_t) ends = {c->ends.p, c->ends.n, c->ends.cap};
    c->bytes = (struct buf){0};
    c->ends.p = NULL;
    c->ends.n = c->ends.cap = 0;
    for (size_t i = 0; i < c->ints.n; i++) {
        size_t at = (size_t)c->ints.p[i];
        uint32_t from = at ? ends.p[at - 1] : 0;
        push_string(c, str_n(dict.p + from, ends.p[at] - from));
    }
    c->ints.n = 0;
    c->is_dict = false;
    map_done(&c->dict);
    buf_done(&dict);
    vec_done(&ends);
}

static void add_string(struct writer *w, struct column *c, str s) {
    if (c->dates && c->type == CELL_STRING && !isodate_looks_like(s)) c->dates = false;
    if (c->is_dict && c->ends.n >= DICT_TRY && c->ends.n * 2 > c->n) undo_dict(c);
    if (!c->is_dict) {
        w->bytes += s.n + 4;
        push_string(c, s);
        return;
    }
    w->bytes += 2;
    if (c->ints.n) {
        int64_t last = c->ints.p[c->ints.n - 1];
        if (str_eq(entry(c, (size_t)last), s)) {
            vec_push(&c->ints, last);
            return;
        }
    }
    uint64_t h = hash_str(s);
    for (size_t at = map_first(&c->dict, h); at != MAP_END; at = map_next(&c->dict, at, h)) {
        uint64_t i = c->dict.slots[at].value - 1;
        if (!str_eq(entry(c, i), s)) continue;
        vec_push(&c->ints, (int64_t)i);
        return;
    }
    push_string(c, s);
    map_put(&c->dict, h, c->ends.n);
    vec_push(&c->ints, (int64_t)c->ends.n - 1);
    w->bytes += s.n + 4;
}

void writer_cell(struct writer *w, enum scope scope, str path, const struct cell *cell) {
    uint32_t id = find_column(w, scope, path, cell->type);
    struct column *c = &w->columns.p[id];
    if (cell_is_ints(cell->type)) {
        vec_push(&c->ints, cell->i);
        w->bytes += 8;
    } else if (cell_is_strings(cell->type)) {
        add_string(w, c, cell->s);
    }
    c->n++;
    vec_push(&w->row, id);
}

static bool is_layout(const struct writer *w, const struct layout *l) {
    return l->n == w->row.n && (l->n == 0 || memcmp(w->layout_columns.p + l->at, w->row.p, l->n * sizeof *w->row.p) == 0);
}

static uint32_t find_layout(struct writer *w) {
    if (w->layouts.n && is_layout(w, &w->layouts.p[w->guess])) return w->guess;
    uint64_t h = hash_str(str_n(w->row.p, w->row.n * sizeof *w->row.p));
    for (size_t at = map_first(&w->layout_map, h); at != MAP_END; at = map_next(&w->layout_map, at, h)) {
        uint32_t id = (uint32_t)w->layout_map.slots[at].value - 1;
        if (is_layout(w, &w->layouts.p[id])) return id;
    }
    struct layout l = {.at = (uint32_t)w->layout_columns.n, .n = (uint32_t)w->row.n};
    vec_reserve(&w->layout_columns, w->row.n);
    for (size_t i = 0; i < w->row.n; i++) w->layout_columns.p[w->layout_columns.n++] = w->row.p[i];
    vec_push(&w->layouts, l);
    map_put(&w->layout_map, h, w->layouts.n);
    w->bytes += w->row.n * 2;
    return (uint32_t)w->layouts.n - 1;
}

void writer_row_end(struct writer *w) {
    w->guess = find_layout(w);
    w->layouts.p[w->guess].rows++;
    vec_push(&w->layout, w->guess);
}

uint32_t writer_rows(const struct writer *w) {
    return (uint32_t)w->time.n;
}
size_t writer_bytes(const struct writer *w) {
    return w->bytes;
}
bool writer_full(const struct writer *w) {
    return w->time.n >= BLOCK_ROWS_MAX || w->bytes >= BLOCK_BYTES_MAX;
}

/* --- packing */

/* Smallest and largest value, for columns of numbers: rows out of range need no look. */
static void put_range(struct buf *b, const struct column *c) {
    if (!cell_is_ints((enum cell_type)c->type)) return;
    int64_t lo = c->ints.p[0];
    int64_t hi = lo;
    for (size_t i = 1; i < c->ints.n; i++) {
        lo = MIN(lo, c->ints.p[i]);
        hi = MAX(hi, c->ints.p[i]);
    }
    put_zigzag(b, lo);
    put_zigzag(b, hi);
}

static void put_columns(struct writer *w, struct packer *p) {
    struct buf *b = &w->scratch;
    buf_clear(b);
    uint32_t n = 0;
    for (size_t i = 0; i < w->columns.n; i++)
        if (w->columns.p[i].n) w->columns.p[i].id = n++;
    put_varint(b, n);
    for (size_t i = 0; i < w->columns.n; i++) {
        const struct column *c = &w->columns.p[i];
        if (c->n == 0) continue;
        buf_char(b, (char)c->scope);
        buf_char(b, (char)c->type);
        buf_char(b, c->type == CELL_STRING && c->dates);
        put_slice(b, c->path);
        put_varint(b, c->n);
        put_range(b, c);
    }
    n = 0;
    for (size_t i = 0; i < w->layouts.n; i++)
        if (w->layouts.p[i].rows) w->layouts.p[i].id = n++;
    put_varint(b, n);
    for (size_t i = 0; i < w->layouts.n; i++) {
        const struct layout *l = &w->layouts.p[i];
        if (l->rows == 0) continue;
        put_varint(b, l->n);
        for (uint32_t k = 0; k < l->n; k++) put_varint(b, w->columns.p[w->layout_columns.p[l->at + k]].id);
    }
    packer_section(p, SEC_COLUMNS, ENC_TEXT, 0, buf_str(b));
}

static void put_streams(struct writer *w, struct packer *p) {
    struct buf *b = &w->scratch;
    buf_clear(b);
    put_varint(b, w->streams.n);
    for (size_t i = 0; i < w->streams.n; i++) {
        put_varint(b, w->streams.p[i].rows);
        put_slice(b, w->streams.p[i].encoded);
    }
    packer_section(p, SEC_STREAMS, ENC_TEXT, 0, buf_str(b));
}

static void put_ints(struct writer *w, struct packer *p, enum section_id id, uint32_t arg, const int64_t *v, size_t n) {
    buf_clear(&w->scratch);
    enum encoding enc = ints_put(&w->scratch, v, n, p->disk);
    packer_section(p, id, enc, arg, buf_str(&w->scratch));
}

static void put_cells(struct writer *w, struct packer *p, struct column *c) {
    enum cell_type type = (enum cell_type)c->type;
    if (cell_is_ints(type)) put_ints(w, p, SEC_CELLS, c->id, c->ints.p, c->ints.n);
    if (!cell_is_strings(type)) return;
    if (c->is_dict && c->ends.n * 4 > (size_t)c->n * 3) undo_dict(c);
    buf_clear(&w->scratch);
    enum encoding enc = c->is_dict ? dict_put(&w->scratch, c->ints.p, c->ints.n, c->ends.p, c->ends.n, buf_str(&c->bytes))
                                   : strings_put(&w->scratch, c->ends.p, c->ends.n, buf_str(&c->bytes), p->disk);
    packer_section(p, SEC_CELLS, enc, c->id, buf_str(&w->scratch));
}

static void add_ids(const struct writer *w, struct fingerprints *f) {
    for (size_t i = 0; i < w->trace.n; i++) {
        struct trace_id t = w->trace.p[i];
        if (!trace_id_set(t) || (i && t.hi == w->trace.p[i - 1].hi && t.lo == w->trace.p[i - 1].lo)) continue;
        fingerprints_add_hex(f, (uint64_t[]){t.hi, t.lo}, 2);
    }
}

/* Every word that a filter on a text field or on '*' could ask for: match.c relies on it. */
static void put_words(struct writer *w, struct packer *p) {
    struct fingerprints f = {.shapes = p->shapes, .block = (uint32_t)p->blocks.n};
    for (size_t i = 0; i < w->columns.n; i++) {
        const struct column *c = &w->columns.p[i];
        if (c->n == 0) continue;
        if (c->type == CELL_STRING) fingerprints_add(&f, c->ends.p, c->ends.n, c->bytes.p);
        for (size_t k = 0; c->type == CELL_ARRAY && k < c->ends.n; k++) fingerprints_add_encoded(&f, entry(c, k));
    }
    for (size_t i = 0; i < w->streams.n; i++) fingerprints_add_stream(&f, w->streams.p[i].encoded);
    add_ids(w, &f);
    buf_clear(&w->scratch);
    if (fingerprints_put(&f, &w->scratch)) packer_section(p, SEC_WORDS, ENC_TEXT, 0, buf_str(&w->scratch));
}

static void forget_rows(struct writer *w) {
    bool much = w->columns.n > REMEMBER_MAX || w->layouts.n > REMEMBER_MAX || w->bytes > REMEMBER_BYTES;
    for (size_t i = 0; i < w->columns.n; i++) column_empty(&w->columns.p[i]);
    for (size_t i = 0; i < w->layouts.n; i++) w->layouts.p[i].rows = 0;
    if (much) forget_columns(w);
    forget_streams(w);
    w->time.n = w->seq.n = w->stream.n = w->layout.n = w->trace.n = 0;
    w->traced = false;
    w->bytes = 0;
}

void writer_flush(struct writer *w, struct packer *p) {
    size_t n = w->time.n;
    if (n == 0) return;
    put_columns(w, p);
    put_streams(w, p);
    put_ints(w, p, SEC_TIME, 0, w->time.p, n);
    put_ints(w, p, SEC_SEQ, 0, w->seq.p, n);
    put_ints(w, p, SEC_STREAM, 0, w->stream.p, n);
    for (size_t i = 0; i < n; i++) w->layout.p[i] = w->layouts.p[w->layout.p[i]].id;
    put_ints(w, p, SEC_LAYOUT, 0, w->layout.p, n);
    if (w->traced) {
        buf_clear(&w->scratch);
        enum encoding enc = traces_put(&w->scratch, w->trace.p, n, w->kind == EVENT_SPAN);
        packer_section(p, SEC_TRACE, enc, 0, buf_str(&w->scratch));
    }
    for (size_t i = 0; i < w->columns.n; i++)
        if (w->columns.p[i].n) put_cells(w, p, &w->columns.p[i]);
    if (p->disk) put_words(w, p);
    int64_t min = w->time.p[0];
    int64_t max = min;
    for (size_t i = 1; i < n; i++) {
        min = MIN(min, w->time.p[i]);
        max = MAX(max, w->time.p[i]);
    }
    packer_block_end(p, (uint32_t)n, min, max);
    forget_rows(w);
}
