#include "store/events/merge.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"

enum {
    OWN_BLOCK_BYTES = 256 << 10, /* a stream with this much begins and ends its own block */
    OPEN_BYTES_MAX = 8 << 20,    /* source blocks kept open at a time, as encoded */
};

struct row {
    struct trace_id trace;
    int64_t time_ns;
    uint64_t seq;
    uint32_t source, at, stream;
};
/* Spans of one trace: rows [from, to). */
struct group {
    int64_t begin_ns;
    uint32_t from, to;
};
/* A block rows come from. As rows are sorted the way the sources are, few are open at a time. */
struct source {
    const struct part *part;
    uint32_t index;
    struct arena *arena; /* NULL: closed */
    struct block *block;
    uint64_t used;
};
struct merge {
    struct arena *arena; /* streams */
    struct catalog *catalog;
    VEC(struct source) sources;
    VEC(struct row) rows;
    VEC(str) streams;
    struct map stream_map;
    uint64_t raw_bytes, clock;
    size_t open_bytes;
    struct writer *writer;
    struct packer *packer;
    bool damaged;
};

static uint32_t stream_id(struct merge *m, str encoded) {
    uint64_t h = hash_str(encoded);
    for (size_t at = map_first(&m->stream_map, h); at != MAP_END; at = map_next(&m->stream_map, at, h))
        if (str_eq(m->streams.p[m->stream_map.slots[at].value - 1], encoded)) return (uint32_t)m->stream_map.slots[at].value - 1;
    vec_push(&m->streams, arena_str(m->arena, encoded));
    map_put(&m->stream_map, h, m->streams.n);
    return (uint32_t)m->streams.n - 1;
}

static bool add_block(struct merge *m, const struct part *p, uint32_t index, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct block *b;
    if (!block_open(p, index, a, &b, e)) return false;
    uint32_t *streams = arena_new_n(a, uint32_t, b->stream_n + 1);
    for (uint32_t i = 0; i < b->stream_n; i++) streams[i] = stream_id(m, b->streams[i].encoded);
    vec_reserve(&m->rows, b->row_n);
    for (uint32_t r = 0; r < b->row_n; r++) {
        struct row row = {.trace = block_row_trace(b, r), .time_ns = ints_at(&b->time, r), .seq = (uint64_t)ints_at(&b->seq, r)};
        row.source = (uint32_t)m->sources.n;
        row.at = r;
        row.stream = streams[ints_at(&b->stream, r)];
        m->rows.p[m->rows.n++] = row;
    }
    vec_push(&m->sources, ((struct source){.part = p, .index = index}));
    m->raw_bytes += b->info->raw_bytes;
    if (m->catalog) catalog_add_block(m->catalog, b);
    return true;
}

static void close_source(struct merge *m, struct source *s) {
    m->open_bytes -= MIN(m->open_bytes, (size_t)s->part->blocks[s->index].raw_bytes);
    arena_free(s->arena);
    s->arena = NULL;
    s->block = NULL;
}

static void close_oldest(struct merge *m) {
    struct source *oldest = NULL;
    for (size_t i = 0; i < m->sources.n; i++) {
        struct source *s = &m->sources.p[i];
        if (s->arena && (!oldest || s->used < oldest->used)) oldest = s;
    }
    if (oldest) close_source(m, oldest);
}

/* NULL: damaged since it was looked at first. */
static struct block *open_source(struct merge *m, uint32_t id) {
    struct source *s = &m->sources.p[id];
    s->used = ++m->clock;
    if (s->block) return s->block;
    while (m->open_bytes > OPEN_BYTES_MAX) close_oldest(m);
    struct err damage;
    s->arena = arena_new(16 << 10);
    m->open_bytes += s->part->blocks[s->index].raw_bytes;
    if (block_open(s->part, s->index, s->arena, &s->block, &damage)) return s->block;
    close_source(m, s);
    m->damaged = true;
    return NULL;
}

static int by_time(const struct row *a, const struct row *b) {
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}
static int by_stream(const void *l, const void *r) {
    const struct row *a = l;
    const struct row *b = r;
    return a->stream != b->stream ? (a->stream < b->stream ? -1 : 1) : by_time(a, b);
}
static int by_trace(const void *l, const void *r) {
    const struct row *a = l;
    const struct row *b = r;
    if (a->trace.hi != b->trace.hi) return a->trace.hi < b->trace.hi ? -1 : 1;
    return a->trace.lo != b->trace.lo ? (a->trace.lo < b->trace.lo ? -1 : 1) : by_time(a, b);
}
static int by_begin(const void *l, const void *r) {
    const struct group *a = l;
    const struct group *b = r;
    return a->begin_ns != b->begin_ns ? (a->begin_ns < b->begin_ns ? -1 : 1) : (a->from > b->from) - (a->from < b->from);
}
static int by_place(const void *l, const void *r) {
    const struct group *a = l;
    const struct group *b = r;
    return (a->from > b->from) - (a->from < b->from);
}

static void copy_row(struct merge *m, const struct row *row) {
    struct block *b = open_source(m, row->source);
    struct writer *w = m->writer;
    if (!b) return;
    writer_row(w, row->time_ns, row->seq, writer_stream(w, m->streams.p[row->stream]), row->trace);
    const struct block_layout *l = block_row_layout(b, row->at);
    for (uint32_t k = 0; k < l->n; k++) {
        struct block_column *c = &b->columns[l->columns[k]];
        if (!block_column_rows(b, c)) {
            m->damaged = true;
            continue;
        }
        struct cell cell = column_cell(c, block_cell_at(b, row->at, l, k));
        writer_cell(w, c->scope, c->path, &cell);
    }
    writer_row_end(w);
}

static void write_logs(struct merge *m) {
    qsort(m->rows.p, m->rows.n, sizeof *m->rows.p, by_stream);
    for (size_t i = 0; i < m->rows.n; i++) {
        bool other = i && m->rows.p[i].stream != m->rows.p[i - 1].stream;
        if (writer_full(m->writer) || (other && writer_bytes(m->writer) >= OWN_BLOCK_BYTES)) writer_flush(m->writer, m->packer);
        copy_row(m, &m->rows.p[i]);
    }
}

/* Groups [from, to), which begin at about the same time, become a block. */
static void write_groups(struct merge *m, struct group *g, size_t n) {
    if (n > 1) qsort(g, n, sizeof *g, by_place); /* rows were sorted by trace id */
    for (size_t i = 0; i < n; i++)
        for (uint32_t r = g[i].from; r < g[i].to; r++) copy_row(m, &m->rows.p[r]);
    writer_flush(m->writer, m->packer);
}

static void write_spans(struct merge *m) {
    qsort(m->rows.p, m->rows.n, sizeof *m->rows.p, by_trace);
    uint64_t row_bytes = m->raw_bytes / m->rows.n + 1;
    uint32_t rows_max = (uint32_t)MIN((uint64_t)BLOCK_SPANS_MAX, MAX(BLOCK_BYTES_MAX * UINT64_C(2) / row_bytes, UINT64_C(1)));
    VEC(struct group) groups = {0};
    for (uint32_t i = 0; i < m->rows.n; i++) {
        const struct row *r = &m->rows.p[i];
        struct group *last = groups.n ? &groups.p[groups.n - 1] : NULL;
        bool same = last && r->trace.hi == r[-1].trace.hi && r->trace.lo == r[-1].trace.lo && i - last->from < rows_max;
        if (same)
            last->to = i + 1;
        else
            vec_push(&groups, ((struct group){r->time_ns, i, i + 1}));
    }
    qsort(groups.p, groups.n, sizeof *groups.p, by_begin);
    size_t from = 0;
    uint32_t rows = 0;
    for (size_t i = 0; i < groups.n; i++) {
        uint32_t n = groups.p[i].to - groups.p[i].from;
        if (rows + n > rows_max) {
            write_groups(m, groups.p + from, i - from);
            from = i;
            rows = 0;
        }
        rows += n;
    }
    write_groups(m, groups.p + from, groups.n - from);
    vec_done(&groups);
}

bool merge_rows(struct part *const *parts, size_t n, struct packer *p, struct catalog *c, struct err *e) {
    struct merge m = {.arena = arena_new(4096), .packer = p, .catalog = c};
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        for (uint32_t k = 0; k < parts[i]->block_n && ok; k++) ok = add_block(&m, parts[i], k, e);
    if (ok && m.rows.n) {
        m.writer = writer_new(parts[0]->kind);
        if (parts[0]->kind == EVENT_SPAN)
            write_spans(&m);
        else
            write_logs(&m);
        writer_flush(m.writer, p);
        writer_free(m.writer);
        if (m.damaged) ok = err_set(e, ERR_CORRUPT, "%s: a column is damaged", parts[0]->path ? parts[0]->path : "event part in memory");
    }
    for (size_t i = 0; i < m.sources.n; i++) arena_free(m.sources.p[i].arena);
    vec_done(&m.sources);
    vec_done(&m.rows);
    vec_done(&m.streams);
    map_done(&m.stream_map);
    arena_free(m.arena);
    return ok;
}
