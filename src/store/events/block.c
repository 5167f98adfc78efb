#include "store/events/block.h"

#include "store/events/texts.h"

static const struct section *find_section(const struct part *p, uint32_t index, enum section_id id) {
    const struct block_info *info = &p->blocks[index];
    for (uint32_t i = 0; i < info->section_n; i++)
        if (p->sections[info->section_at + i].id == id) return &p->sections[info->section_at + i];
    return NULL;
}

static str prefixed(struct arena *a, const char *prefix, str name) {
    return arena_printf(a, "%s%" STR_F, prefix, STR_A(name));
}

static const char *const log_names[FIX_N] = {
    [FIX_BODY] = "message", [FIX_ID] = "_id", [FIX_SEVERITY] = "severity_number", [FIX_SEVERITY_TEXT] = "severity_text", [FIX_SPAN] = "span_id",
};
static const char *const span_names[FIX_N] = {
    [FIX_BODY] = "name",
    [FIX_ID] = "_id",
    [FIX_SPAN] = "span_id",
    [FIX_PARENT] = "parent_id",
    [FIX_DURATION] = "duration",
    [FIX_KIND] = "kind",
    [FIX_STATUS] = "status",
    [FIX_STATUS_MESSAGE] = "status.message",
    [FIX_TRACE_STATE] = "trace_state",
    [FIX_EVENT_NAME] = "event.name",
    [FIX_LINK_TRACE] = "link.trace_id",
    [FIX_LINK_SPAN] = "link.span_id",
};

static bool name_column(struct block *b, struct block_column *c) {
    switch (c->scope) {
    case SCOPE_FIXED:
        if (c->path.n != 1 || c->path.p[0] <= 0 || c->path.p[0] >= FIX_N) return false;
        c->name = str_c((b->kind == EVENT_SPAN ? span_names : log_names)[(int)c->path.p[0]]);
        return true;
    case SCOPE_ATTR:
        c->name = path_name(b->arena, c->path);
        if (b->kind == EVENT_SPAN) c->alias = prefixed(b->arena, "span.", c->name);
        return true;
    case SCOPE_EVENT: c->name = prefixed(b->arena, "event.", path_name(b->arena, c->path)); return true;
    case SCOPE_LINK: c->name = prefixed(b->arena, "link.", path_name(b->arena, c->path)); return true;
    }
    return false;
}

static bool read_column(struct block *b, struct reader *r, struct block_column *c) {
    str head = get_bytes(r, 3);
    if (r->bad || (unsigned char)head.p[1] >= CELL_TYPE_N) return false;
    *c = (struct block_column){.scope = (enum scope)head.p[0], .type = (enum cell_type)head.p[1], .dates = head.p[2] == 1};
    c->path = get_slice(r);
    uint64_t n = get_varint(r);
    c->n = (uint32_t)MIN(n, UINT32_MAX);
    if (cell_is_ints(c->type)) {
        c->lo = get_zigzag(r);
        c->hi = get_zigzag(r);
    }
    return !r->bad && n <= UINT32_MAX && name_column(b, c);
}

static bool read_layout(struct block *b, struct reader *r, struct block_layout *l) {
    uint64_t n = get_varint(r);
    if (n > (uint64_t)(r->end - r->at)) return false;
    uint32_t *columns = arena_new_n(b->arena, uint32_t, n);
    l->body = NO_COLUMN;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t id = get_varint(r);
        if (id >= b->column_n) return false;
        const struct block_column *c = &b->columns[id];
        l->has_message |= c->scope == SCOPE_ATTR && str_eq(c->name, STR("message"));
        l->source_doc |= column_fixed(c) == FIX_SOURCE_DOC;
        if (i && column_fixed(&b->columns[columns[i - 1]]) == FIX_BODY_REF) {
            l->body = (uint32_t)id;
            b->columns[id].is_body = true;
        }
        columns[i] = (uint32_t)id;
    }
    l->columns = columns;
    l->n = (uint32_t)n;
    return !r->bad;
}

static bool read_columns(struct block *b, str text) {
    struct reader r = reader_open(text);
    uint64_t n = get_varint(&r);
    if (n > text.n) return false;
    b->column_n = (uint32_t)n;
    b->columns = arena_zalloc(b->arena, n * sizeof *b->columns);
    for (uint64_t i = 0; i < n; i++)
        if (!read_column(b, &r, &b->columns[i])) return false;
    n = get_varint(&r);
    if (n > text.n) return false;
    b->layout_n = (uint32_t)n;
    b->layouts = arena_zalloc(b->arena, n * sizeof *b->layouts);
    for (uint64_t i = 0; i < n; i++)
        if (!read_layout(b, &r, &b->layouts[i])) return false;
    return !r.bad && r.at == r.end;
}

/* --- streams: their fields under the names filters use */

struct field_list {
    struct arena *arena;
    struct stream_field *p;
    size_t n, cap;
};
static void add_field(struct field_list *l, str name, struct value v, bool meta) {
    avec_push(l->arena, l, ((struct stream_field){name, v, meta}));
}
static void add_fields(struct field_list *l, str prefix, const struct field *f, size_t n, unsigned depth) {
    for (size_t i = 0; i < n; i++) {
        str name = prefix.n ? arena_printf(l->arena, "%" STR_F "%" STR_F, STR_A(prefix), STR_A(f[i].key)) : f[i].key;
        if (f[i].value.type == VAL_MAP && depth < VALUE_DEPTH_MAX)
            add_fields(l, arena_printf(l->arena, "%" STR_F ".", STR_A(name)), f[i].value.fields, f[i].value.n, depth + 1);
        else
            add_field(l, name, f[i].value, false);
    }
}
static bool has_field(const struct field_list *l, str name) {
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->p[i].name, name)) return true;
    return false;
}

static void name_stream(struct block *b, struct block_stream *s) {
    struct field_list l = {.arena = b->arena};
    const struct stream *st = &s->stream;
    bool span = b->kind == EVENT_SPAN;
    str service = span ? STR("service") : STR("service.name");
    add_fields(&l, span ? STR("resource.") : STR(""), st->attrs, st->attr_n, 0);
    if (st->service.n && !has_field(&l, service)) add_field(&l, service, value_str(st->service), false);
    if (st->scope_name.n) add_field(&l, STR("scope.name"), value_str(st->scope_name), false);
    if (st->scope_version.n) add_field(&l, STR("scope.version"), value_str(st->scope_version), false);
    add_fields(&l, STR("scope."), st->scope_attrs, st->scope_attr_n, 0);
    if (st->index.n) add_field(&l, STR("_index"), value_str(st->index), true);
    s->fields = l.p;
    s->field_n = l.n;
}

static bool read_streams(struct block *b, str text) {
    struct reader r = reader_open(text);
    uint64_t n = get_varint(&r);
    if (n > text.n) return false;
    b->stream_n = (uint32_t)n;
    b->streams = arena_zalloc(b->arena, n * sizeof *b->streams);
    for (uint64_t i = 0; i < n; i++) {
        struct block_stream *s = &b->streams[i];
        s->rows = (uint32_t)get_varint(&r);
        s->encoded = get_slice(&r);
        if (r.bad || !stream_decode(s->encoded, b->arena, &s->stream)) return false;
        name_stream(b, s);
    }
    return !r.bad && r.at == r.end;
}

/* --- opening */

static bool read_text(struct block *b, enum section_id id, bool (*parse)(struct block *b, str text)) {
    const struct section *s = find_section(b->part, b->index, id);
    str text;
    return s && section_read(b->part, s, b->arena, &text) && parse(b, text);
}

static bool read_ints(struct block *b, enum section_id id, struct ints *out) {
    const struct section *s = find_section(b->part, b->index, id);
    str text;
    return s && section_read(b->part, s, b->arena, &text) && ints_open((enum encoding)s->enc, text, b->row_n, b->arena, out);
}

static bool within(const struct ints *c, uint32_t limit) {
    for (uint32_t i = 0; i < c->n; i++)
        if ((uint64_t)ints_at(c, i) >= limit) return false;
    return true;
}

static bool read_traces(struct block *b) {
    const struct section *s = find_section(b->part, b->index, SEC_TRACE);
    str text;
    return !s || (section_read(b->part, s, b->arena, &text) && traces_open((enum encoding)s->enc, text, b->row_n, &b->traces));
}

static void find_cells(struct block *b) {
    const struct block_info *info = b->info;
    for (uint32_t i = 0; i < info->section_n; i++) {
        const struct section *s = &b->part->sections[info->section_at + i];
        if (s->id == SEC_CELLS && s->arg < b->column_n) b->columns[s->arg].section = s;
    }
}

/* dense: every row has exactly one cell of the column, as every layout names it exactly once. */
static void find_dense(struct block *b) {
    uint32_t *last = arena_zalloc(b->arena, b->column_n * sizeof *last); /* layout + 1 that named the column last */
    uint32_t *once = arena_zalloc(b->arena, b->column_n * sizeof *once);
    for (uint32_t l = 0; l < b->layout_n; l++)
        for (uint32_t i = 0; i < b->layouts[l].n; i++) {
            uint32_t c = b->layouts[l].columns[i];
            once[c] += last[c] == l + 1 ? b->layout_n + 1 : 1; /* twice in one layout: never equal again */
            last[c] = l + 1;
        }
    for (uint32_t c = 0; c < b->column_n; c++) b->columns[c].dense = once[c] == b->layout_n && b->columns[c].n == b->row_n;
}

/* The rows' layouts must promise exactly the cells the columns hold. */
static bool cells_add_up(const struct block *b) {
    uint64_t *rows = arena_zalloc(b->arena, (b->layout_n + 1) * sizeof *rows);
    for (uint32_t r = 0; r < b->row_n; r++) rows[ints_at(&b->layout, r)]++;
    uint64_t *cells = arena_zalloc(b->arena, (b->column_n + 1) * sizeof *cells);
    for (uint32_t l = 0; l < b->layout_n; l++)
        for (uint32_t i = 0; i < b->layouts[l].n; i++) cells[b->layouts[l].columns[i]] += rows[l];
    for (uint32_t c = 0; c < b->column_n; c++)
        if (cells[c] != b->columns[c].n) return false;
    return true;
}

bool block_open(const struct part *p, uint32_t index, struct arena *a, struct block **out, struct err *e) {
    assert(index < p->block_n);
    struct block *b = arena_one(a, struct block);
    *b = (struct block){.part = p, .info = &p->blocks[index], .arena = a, .kind = p->kind, .index = index, .row_n = p->blocks[index].row_n};
    bool ok = part_block_good(p, index) && read_text(b, SEC_COLUMNS, read_columns) && read_text(b, SEC_STREAMS, read_streams) &&
              read_ints(b, SEC_TIME, &b->time) && read_ints(b, SEC_SEQ, &b->seq) && read_ints(b, SEC_STREAM, &b->stream) &&
              read_ints(b, SEC_LAYOUT, &b->layout) && read_traces(b) && within(&b->stream, b->stream_n) && within(&b->layout, b->layout_n) &&
              cells_add_up(b);
    if (!ok) return err_set(e, ERR_CORRUPT, "%s: block %u is damaged", p->path ? p->path : "event part in memory", index);
    find_cells(b);
    find_dense(b);
    *out = b;
    return true;
}

bool block_traces(const struct part *p, uint32_t index, struct traces *out) {
    const struct section *s = find_section(p, index, SEC_TRACE);
    return s && s->codec == CODEC_NONE && s->enc == ENC_RUNS && part_block_good(p, index) &&
           traces_open(ENC_RUNS, str_n(p->bytes.p + s->at, s->n), p->blocks[index].row_n, out);
}

bool block_times(const struct part *p, uint32_t index, struct arena *a, struct ints *out) {
    const struct section *s = find_section(p, index, SEC_TIME);
    str text;
    return s && part_block_good(p, index) && section_read(p, s, a, &text) && ints_open((enum encoding)s->enc, text, p->blocks[index].row_n, a, out);
}

bool block_column_read(struct block *b, struct block_column *c) {
    if (c->state != COLUMN_UNREAD) return c->state == COLUMN_READ;
    str text = STR_NULL;
    bool ok = true;
    if (cell_is_ints(c->type) || cell_is_strings(c->type)) ok = c->section && section_read(b->part, c->section, b->arena, &text);
    if (ok && cell_is_ints(c->type)) ok = ints_open((enum encoding)c->section->enc, text, c->n, b->arena, &c->ints);
    if (ok && cell_is_strings(c->type)) ok = strings_open((enum encoding)c->section->enc, text, c->n, b->arena, &c->strings);
    c->state = ok ? COLUMN_READ : COLUMN_DAMAGED;
    return ok;
}

bool block_column_rows(struct block *b, struct block_column *c) {
    if (!block_column_read(b, c)) return false;
    if (c->dense || c->starts) return true;
    uint32_t id = (uint32_t)(c - b->columns);
    uint32_t *per_layout = arena_zalloc(b->arena, b->layout_n * sizeof *per_layout);
    for (uint32_t l = 0; l < b->layout_n; l++)
        for (uint32_t i = 0; i < b->layouts[l].n; i++) per_layout[l] += b->layouts[l].columns[i] == id;
    uint32_t *starts = arena_new_n(b->arena, uint32_t, b->row_n + 1);
    uint32_t at = 0;
    for (uint32_t r = 0; r < b->row_n; r++) {
        starts[r] = at;
        at += per_layout[ints_at(&b->layout, r)];
    }
    starts[b->row_n] = at;
    assert(at == c->n);
    c->starts = starts;
    return true;
}

struct trace_id block_row_trace(const struct block *b, uint32_t row) {
    return b->traces.n ? traces_at(&b->traces, row) : (struct trace_id){0};
}

uint32_t block_cell_at(const struct block *b, uint32_t row, const struct block_layout *l, uint32_t k) {
    const struct block_column *c = &b->columns[l->columns[k]];
    uint32_t at = column_start(c, row);
    for (uint32_t i = 0; i < k && !c->dense; i++) at += l->columns[i] == l->columns[k];
    return at;
}

struct cell column_cell(const struct block_column *c, uint32_t i) {
    struct cell cell = {.type = c->type};
    if (cell_is_ints(c->type)) cell.i = ints_at(&c->ints, i);
    if (cell_is_strings(c->type)) cell.s = strings_at(&c->strings, i);
    return cell;
}

static struct value cell_value(const struct cell *c, struct arena *a) {
    switch (c->type) {
    case CELL_MARK:
    case CELL_NULL:
    case CELL_TYPE_N: break;
    case CELL_EMPTY_MAP: return (struct value){.type = VAL_MAP};
    case CELL_BOOL: return value_bool(c->i != 0);
    case CELL_INT: return value_int(c->i);
    case CELL_DOUBLE: return (struct value){.type = VAL_DOUBLE, .i = c->i};
    case CELL_STRING: return value_str(c->s);
    case CELL_BYTES: return (struct value){.type = VAL_BYTES, .s = c->s};
    case CELL_ARRAY: {
        struct reader r = reader_open(c->s);
        struct value v;
        if (value_decode(&r, a, 0, &v)) return v;
    }
    }
    return (struct value){.type = VAL_NULL};
}

struct value column_value(const struct block_column *c, uint32_t i, struct arena *a) {
    if (c->strings.texts && c->type == CELL_STRING) return value_str(texts_at(c->strings.texts, i, a));
    struct cell cell = column_cell(c, i);
    return cell_value(&cell, a);
}

/* --- rows back to events */

struct rebuild {
    struct arena *arena;
    struct event *ev;
    struct {
        struct path_value *p;
        size_t n, cap;
    } attrs; /* of the event, span event or link being read */
    enum scope open;
    bool body_next;
    struct {
        struct span_event *p;
        size_t n, cap;
    } events;
    struct {
        struct span_link *p;
        size_t n, cap;
    } links;
};

static void close_attrs(struct rebuild *r) {
    size_t n;
    const struct field *fields = fields_unflatten(r->arena, r->attrs.p, r->attrs.n, &n);
    if (r->open == SCOPE_EVENT) {
        r->events.p[r->events.n - 1].attrs = fields;
        r->events.p[r->events.n - 1].attr_n = n;
    } else if (r->open == SCOPE_LINK) {
        r->links.p[r->links.n - 1].attrs = fields;
        r->links.p[r->links.n - 1].attr_n = n;
    } else {
        r->ev->attrs = fields;
        r->ev->attr_n = n;
    }
    r->attrs.p = NULL;
    r->attrs.n = r->attrs.cap = 0;
}

static struct span_event *open_event(struct rebuild *r) {
    close_attrs(r);
    r->open = SCOPE_EVENT;
    avec_push(r->arena, &r->events, ((struct span_event){0}));
    return &r->events.p[r->events.n - 1];
}
static struct span_link *open_link(struct rebuild *r) {
    close_attrs(r);
    r->open = SCOPE_LINK;
    avec_push(r->arena, &r->links, ((struct span_link){0}));
    return &r->links.p[r->links.n - 1];
}

static struct trace_id id_from_bytes(str s) {
    uint64_t be[2] = {0};
    if (s.n == sizeof be) memcpy(be, s.p, sizeof be);
    return (struct trace_id){__builtin_bswap64(be[0]), __builtin_bswap64(be[1])};
}

static int64_t plus(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void set_fixed(struct rebuild *r, enum fixed id, const struct cell *c) {
    struct event *ev = r->ev;
    struct span_event *event = r->events.n ? &r->events.p[r->events.n - 1] : NULL;
    struct span_link *link = r->links.n ? &r->links.p[r->links.n - 1] : NULL;
    switch (id) {
    case FIX_BODY: ev->body = c->s; return;
    case FIX_BODY_REF: r->body_next = true; return;
    case FIX_ID: ev->id = c->s; return;
    case FIX_OBSERVED: ev->observed_ns = plus(ev->time_ns, c->i); return;
    case FIX_SEVERITY: ev->severity = (uint8_t)c->i; return;
    case FIX_SEVERITY_TEXT: ev->severity_text = c->s; return;
    case FIX_FLAGS: ev->flags = (uint32_t)c->i; return;
    case FIX_SOURCE_DOC: ev->source_doc = true; return;
    case FIX_SPAN: ev->span_id = (uint64_t)c->i; return;
    case FIX_PARENT: ev->parent_id = (uint64_t)c->i; return;
    case FIX_DURATION: ev->duration_ns = c->i; return;
    case FIX_KIND: ev->span_kind = (uint8_t)c->i; return;
    case FIX_STATUS: ev->status = (uint8_t)c->i; return;
    case FIX_STATUS_MESSAGE: ev->status_message = c->s; return;
    case FIX_TRACE_STATE: ev->trace_state = c->s; return;
    case FIX_EVENT_TIME: open_event(r)->time_ns = plus(ev->time_ns, c->i); return;
    case FIX_EVENT_NAME:
        if (event) event->name = c->s;
        return;
    case FIX_LINK_TRACE: open_link(r)->trace = id_from_bytes(c->s); return;
    case FIX_LINK_SPAN:
        if (link) link->span_id = (uint64_t)c->i;
        return;
    case FIX_LINK_FOLLOWS:
        if (link) link->follows_from = true;
        return;
    case FIX_LINK_STATE:
        if (link) link->trace_state = c->s;
        return;
    case FIX_N: return;
    }
}

bool block_event(struct block *b, uint32_t row, struct arena *a, struct event *out) {
    struct event ev = {.kind = b->kind, .time_ns = ints_at(&b->time, row), .trace = block_row_trace(b, row)};
    struct rebuild r = {.arena = a, .ev = &ev, .open = SCOPE_ATTR};
    const struct block_layout *l = block_row_layout(b, row);
    for (uint32_t i = 0; i < l->n; i++) {
        struct block_column *c = &b->columns[l->columns[i]];
        if (!block_column_rows(b, c)) return false;
        struct cell cell = column_cell(c, block_cell_at(b, row, l, i));
        cell.s = arena_str(a, cell.s); /* the event outlives the block */
        if (c->scope == SCOPE_FIXED) {
            set_fixed(&r, column_fixed(c), &cell);
            continue;
        }
        avec_push(a, &r.attrs, ((struct path_value){arena_str(a, c->path), cell_value(&cell, a)}));
        if (r.body_next) ev.body = cell.s;
        r.body_next = false;
    }
    close_attrs(&r);
    ev.events = r.events.p;
    ev.event_n = r.events.n;
    ev.links = r.links.p;
    ev.link_n = r.links.n;
    *out = ev;
    return true;
}
