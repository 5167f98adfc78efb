#include "store/events/catalog.h"

#include "base/hash.h"
#include "base/map.h"

enum { ARRAYS_LOOKED_AT = 64 };

struct named_operation {
    str service, name;
    enum span_kind kind;
};
struct catalog {
    struct arena *arena;
    VEC(struct field_info) fields;
    VEC(struct named_operation) operations;
    VEC(struct index_count) indices;
    struct map field_map, operation_map;
};

struct catalog *catalog_new(void) {
    struct catalog *c = mem_zalloc(sizeof *c);
    c->arena = arena_new(4096);
    return c;
}

void catalog_free(struct catalog *c) {
    if (!c) return;
    arena_free(c->arena);
    vec_done(&c->fields);
    vec_done(&c->operations);
    vec_done(&c->indices);
    map_done(&c->field_map);
    map_done(&c->operation_map);
    free(c);
}

static void add_field(struct catalog *c, str name, unsigned types, uint64_t n, bool dates) {
    uint64_t h = hash_str(name);
    for (size_t at = map_first(&c->field_map, h); at != MAP_END; at = map_next(&c->field_map, at, h)) {
        struct field_info *f = &c->fields.p[c->field_map.slots[at].value - 1];
        if (!str_eq(f->name, name)) continue;
        bool both_strings = f->types >> VAL_STRING & types >> VAL_STRING & 1;
        f->all_dates = both_strings ? f->all_dates && dates : f->all_dates || dates;
        f->types |= types;
        f->n += n;
        return;
    }
    vec_push(&c->fields, ((struct field_info){arena_str(c->arena, name), types, n, dates}));
    map_put(&c->field_map, h, c->fields.n);
}

static void add_operation(struct catalog *c, str service, str name, enum span_kind kind) {
    if (c->operations.n >= CATALOG_OPERATIONS_MAX) return;
    uint64_t h = hash_mix(hash_str(service), hash_str(name) + kind);
    for (size_t at = map_first(&c->operation_map, h); at != MAP_END; at = map_next(&c->operation_map, at, h)) {
        const struct named_operation *o = &c->operations.p[c->operation_map.slots[at].value - 1];
        if (o->kind == kind && str_eq(o->service, service) && str_eq(o->name, name)) return;
    }
    vec_push(&c->operations, ((struct named_operation){arena_str(c->arena, service), arena_str(c->arena, name), kind}));
    map_put(&c->operation_map, h, c->operations.n);
}

static void add_index(struct catalog *c, str name, uint64_t events) {
    for (size_t i = 0; i < c->indices.n; i++)
        if (str_eq(c->indices.p[i].name, name)) {
            c->indices.p[i].events += events;
            return;
        }
    vec_push(&c->indices, ((struct index_count){arena_str(c->arena, name), events}));
}

/* --- from blocks */

static unsigned bit(enum value_type t) {
    return 1u << t;
}

static void add_items(struct catalog *c, struct arena *a, str name, const struct value *v, unsigned depth) {
    if (depth > VALUE_DEPTH_MAX) return;
    if (v->type == VAL_ARRAY) {
        for (uint32_t i = 0; i < v->n; i++) add_items(c, a, name, &v->items[i], depth + 1);
    } else if (v->type == VAL_MAP) {
        for (uint32_t i = 0; i < v->n; i++)
            add_items(c, a, arena_printf(a, "%" STR_F ".%" STR_F, STR_A(name), STR_A(v->fields[i].key)), &v->fields[i].value, depth + 1);
    } else if (v->type != VAL_NULL) {
        add_field(c, name, bit(v->type), 0, false);
    }
}

/* What the items of arrays are: looked up in some, as most of a column are alike. */
static void add_array_column(struct catalog *c, struct block *b, struct block_column *col) {
    if (!block_column_read(b, col)) return;
    for (uint32_t i = 0; i < MIN(col->n, (uint32_t)ARRAYS_LOOKED_AT); i++) {
        struct value v = column_value(col, i, b->arena);
        add_items(c, b->arena, col->name, &v, 0);
    }
    add_field(c, col->name, 0, col->n, false);
}

static void add_column(struct catalog *c, struct block *b, struct block_column *col) {
    static const enum value_type shown_as[CELL_TYPE_N] = {[CELL_BOOL] = VAL_BOOL,     [CELL_INT] = VAL_INT,     [CELL_DOUBLE] = VAL_DOUBLE,
                                                          [CELL_STRING] = VAL_STRING, [CELL_BYTES] = VAL_BYTES, [CELL_ARRAY] = VAL_ARRAY};
    enum fixed fixed = column_fixed(col);
    if (col->name.n == 0 || shown_as[col->type] == VAL_NULL || fixed == FIX_ID) return;
    if (col->type == CELL_ARRAY) {
        add_array_column(c, b, col);
        return;
    }
    bool as_text =
        fixed == FIX_SPAN || fixed == FIX_PARENT || fixed == FIX_KIND || fixed == FIX_STATUS || fixed == FIX_LINK_SPAN || fixed == FIX_LINK_TRACE;
    add_field(c, col->name, bit(as_text ? VAL_STRING : shown_as[col->type]), col->n, col->dates);
}

static void add_streams(struct catalog *c, const struct block *b) {
    for (uint32_t i = 0; i < b->stream_n; i++) {
        const struct block_stream *s = &b->streams[i];
        for (size_t k = 0; k < s->field_n; k++) {
            const struct stream_field *f = &s->fields[k];
            if (!f->meta && f->value.type != VAL_NULL) add_field(c, f->name, bit(f->value.type), s->rows, false);
        }
        if (s->stream.index.n) add_index(c, s->stream.index, s->rows);
    }
}

static struct block_column *find_fixed(struct block *b, enum fixed id) {
    for (uint32_t i = 0; i < b->column_n; i++)
        if (column_fixed(&b->columns[i]) == id && block_column_rows(b, &b->columns[i])) return &b->columns[i];
    return NULL;
}

static void add_operations(struct catalog *c, struct block *b) {
    const struct block_column *name = find_fixed(b, FIX_BODY);
    const struct block_column *kind = find_fixed(b, FIX_KIND);
    if (!name || !kind || !name->dense || !kind->dense || name->type != CELL_STRING || kind->type != CELL_INT) return;
    str last_name = STR_NULL;
    int64_t last_stream = -1;
    int64_t last_kind = -1;
    for (uint32_t row = 0; row < b->row_n; row++) {
        str n = strings_at(&name->strings, row);
        int64_t s = ints_at(&b->stream, row);
        int64_t k = ints_at(&kind->ints, row);
        if (s == last_stream && k == last_kind && n.p == last_name.p && n.n == last_name.n) continue;
        add_operation(c, b->streams[s].stream.service, n, (enum span_kind)k);
        last_name = n;
        last_stream = s;
        last_kind = k;
    }
}

void catalog_add_block(struct catalog *c, struct block *b) {
    add_field(c, b->kind == EVENT_SPAN ? STR("start") : STR("@timestamp"), bit(VAL_STRING), b->row_n, true);
    if (b->traces.n) add_field(c, STR("trace_id"), bit(VAL_STRING), b->row_n, false);
    for (uint32_t i = 0; i < b->column_n; i++) {
        struct block_column *col = &b->columns[i];
        add_column(c, b, col);
        /* A message found under another key answers to "message" too, unless the event is a document. */
        for (uint32_t l = 0; col->is_body && l < b->layout_n; l++)
            if (b->layouts[l].body == i && !b->layouts[l].source_doc && !b->layouts[l].has_message) {
                add_field(c, STR("message"), bit(VAL_STRING), col->n, false);
                break;
            }
    }
    add_streams(c, b);
    if (b->kind == EVENT_SPAN) add_operations(c, b);
}

/* --- sections */

static bool table_reader(struct part *p, enum section_id id, struct arena *a, struct reader *r) {
    str text;
    if (!part_table(p, id, a, &text)) return false;
    *r = reader_open(text);
    return true;
}

static void read_fields(struct catalog *c, struct reader *r) {
    for (uint64_t n = get_varint(r); n > 0 && !r->bad; n--) {
        str name = get_slice(r);
        unsigned types = (unsigned)get_varint(r);
        uint64_t events = get_varint(r);
        bool dates = get_varint(r) == 1;
        if (!r->bad) add_field(c, name, types, events, dates);
    }
}
static void read_operations(struct catalog *c, struct reader *r) {
    for (uint64_t n = get_varint(r); n > 0 && !r->bad; n--) {
        str service = get_slice(r);
        str name = get_slice(r);
        uint64_t kind = get_varint(r);
        if (!r->bad) add_operation(c, service, name, (enum span_kind)MIN(kind, (uint64_t)SPAN_CONSUMER));
    }
}
static void read_indices(struct catalog *c, struct reader *r) {
    for (uint64_t n = get_varint(r); n > 0 && !r->bad; n--) {
        str name = get_slice(r);
        uint64_t events = get_varint(r);
        if (!r->bad) add_index(c, name, events);
    }
}

static void count_blocks(struct catalog *c, struct part *p) {
    for (uint32_t i = 0; i < p->block_n; i++) {
        AUTO(arena_free) struct arena *a = arena_new(16 << 10);
        struct block *b;
        struct err damage;
        if (block_open(p, i, a, &b, &damage)) catalog_add_block(c, b);
    }
}

struct catalog *catalog_of_part(struct part *p) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct catalog *c = catalog_new();
    struct reader r;
    if (!table_reader(p, SEC_FIELDS, a, &r)) {
        count_blocks(c, p);
        return c;
    }
    read_fields(c, &r);
    if (table_reader(p, SEC_OPERATIONS, a, &r)) read_operations(c, &r);
    if (table_reader(p, SEC_INDICES, a, &r)) read_indices(c, &r);
    return c;
}

void catalog_add_part(struct catalog *c, struct part *p) {
    if (!p->catalog) p->catalog = catalog_of_part(p);
    catalog_add(c, p->catalog);
}

void catalog_add(struct catalog *c, const struct catalog *o) {
    for (size_t i = 0; i < o->fields.n; i++) add_field(c, o->fields.p[i].name, o->fields.p[i].types, o->fields.p[i].n, o->fields.p[i].all_dates);
    for (size_t i = 0; i < o->operations.n; i++) add_operation(c, o->operations.p[i].service, o->operations.p[i].name, o->operations.p[i].kind);
    for (size_t i = 0; i < o->indices.n; i++) add_index(c, o->indices.p[i].name, o->indices.p[i].events);
}

void catalog_put(const struct catalog *c, struct packer *p) {
    struct buf b = {0};
    put_varint(&b, c->fields.n);
    for (size_t i = 0; i < c->fields.n; i++) {
        const struct field_info *f = &c->fields.p[i];
        put_slice(&b, f->name);
        put_varint(&b, f->types);
        put_varint(&b, f->n);
        buf_char(&b, f->all_dates);
    }
    packer_section(p, SEC_FIELDS, ENC_TEXT, 0, buf_str(&b));
    buf_clear(&b);
    put_varint(&b, c->operations.n);
    for (size_t i = 0; i < c->operations.n; i++) {
        put_slice(&b, c->operations.p[i].service);
        put_slice(&b, c->operations.p[i].name);
        buf_char(&b, (char)c->operations.p[i].kind);
    }
    if (c->operations.n) packer_section(p, SEC_OPERATIONS, ENC_TEXT, 0, buf_str(&b));
    buf_clear(&b);
    put_varint(&b, c->indices.n);
    for (size_t i = 0; i < c->indices.n; i++) {
        put_slice(&b, c->indices.p[i].name);
        put_varint(&b, c->indices.p[i].events);
    }
    if (c->indices.n) packer_section(p, SEC_INDICES, ENC_TEXT, 0, buf_str(&b));
    buf_done(&b);
}

/* --- answers */

static int by_field(const void *l, const void *r) {
    return str_cmp(((const struct field_info *)l)->name, ((const struct field_info *)r)->name);
}
static int by_index(const void *l, const void *r) {
    return str_cmp(((const struct index_count *)l)->name, ((const struct index_count *)r)->name);
}
static int by_str(const void *l, const void *r) {
    return str_cmp(*(const str *)l, *(const str *)r);
}
static int by_operation(const void *l, const void *r) {
    const struct operation *a = l;
    const struct operation *b = r;
    int c = str_cmp(a->name, b->name);
    return c ? c : (a->kind > b->kind) - (a->kind < b->kind);
}
static void sort(void *p, size_t n, size_t size, int (*cmp)(const void *, const void *)) {
    if (n > 1) qsort(p, n, size, cmp);
}

void catalog_fields(const struct catalog *c, struct arena *a, struct field_info **out, size_t *n) {
    *n = c->fields.n;
    *out = arena_new_n(a, struct field_info, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = c->fields.p[i];
        (*out)[i].name = arena_str(a, c->fields.p[i].name);
    }
    sort(*out, *n, sizeof **out, by_field);
}

void catalog_indices(const struct catalog *c, struct arena *a, struct index_count **out, size_t *n) {
    *n = c->indices.n;
    *out = arena_new_n(a, struct index_count, *n + 1);
    for (size_t i = 0; i < *n; i++) (*out)[i] = (struct index_count){arena_str(a, c->indices.p[i].name), c->indices.p[i].events};
    sort(*out, *n, sizeof **out, by_index);
}

void catalog_services(const struct catalog *c, struct arena *a, str **out, size_t *n) {
    str *all = arena_new_n(a, str, c->operations.n + 1);
    for (size_t i = 0; i < c->operations.n; i++) all[i] = c->operations.p[i].service;
    sort(all, c->operations.n, sizeof *all, by_str);
    *n = 0;
    for (size_t i = 0; i < c->operations.n; i++)
        if (all[i].n && (*n == 0 || !str_eq(all[i], all[*n - 1]))) all[(*n)++] = arena_str(a, all[i]);
    *out = all;
}

void catalog_operations(const struct catalog *c, str service, struct arena *a, struct operation **out, size_t *n) {
    *out = arena_new_n(a, struct operation, c->operations.n + 1);
    *n = 0;
    for (size_t i = 0; i < c->operations.n; i++) {
        const struct named_operation *o = &c->operations.p[i];
        if (str_eq(o->service, service)) (*out)[(*n)++] = (struct operation){arena_str(a, o->name), o->kind};
    }
    sort(*out, *n, sizeof **out, by_operation);
}
