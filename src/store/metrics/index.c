#include "store/metrics/index.h"

#include "base/hash.h"

/* --- strings */

static uint32_t find_string(const struct strtab *t, str s, uint64_t hash) {
    uint32_t at = (uint32_t)hash;
    for (uint32_t id; (id = idmap_next(&t->by_hash, hash, &at)) != ID_NONE;)
        if (str_eq(t->s.p[id], s)) return id;
    return ID_NONE;
}

uint32_t strtab_find(const struct strtab *t, str s) {
    return s.n == 0 ? 0 : find_string(t, s, hash_str(s));
}

/* Strings lie without gaps: the arena's alignment would cost as much as many a string. */
static str keep_bytes(struct strtab *t, str s) {
    enum { PIECE_BYTES = 4096 };
    if (s.n > t->free_n) {
        if (s.n >= PIECE_BYTES / 4) return arena_str(t->bytes->arena, s);
        t->free = arena_alloc(t->bytes->arena, PIECE_BYTES);
        t->free_n = PIECE_BYTES;
    }
    char *copy = t->free;
    memcpy(copy, s.p, s.n);
    t->free += s.n;
    t->free_n -= s.n;
    return str_n(copy, s.n);
}

uint32_t strtab_put(struct strtab *t, str s) {
    if (s.n == 0) return 0;
    uint64_t hash = hash_str(s);
    uint32_t id = find_string(t, s, hash);
    if (id != ID_NONE) return id;
    assert(t->s.n < ID_NONE);
    id = (uint32_t)t->s.n;
    vec_push(&t->s, keep_bytes(t, s));
    vec_push(&t->hashes, hash);
    idmap_put(&t->by_hash, hash, id);
    return id;
}

void string_bytes_unref(struct string_bytes *b) {
    if (!b || --b->refs > 0) return;
    arena_free(b->arena);
    free(b);
}

static void side_init(struct side *s) {
    *s = (struct side){.bytes = arena_new(4096)};
}

void index_init(struct index *x, bool with_postings) {
    *x = (struct index){.with_postings = with_postings};
    x->strings.bytes = mem_zalloc(sizeof *x->strings.bytes);
    *x->strings.bytes = (struct string_bytes){arena_new(16 << 10), 1};
    vec_push(&x->strings.s, STR(""));
    vec_push(&x->strings.hashes, hash_str(STR("")));
    side_init(&x->targets);
    side_init(&x->shapes);
}

static void ids_done(struct ids *x) {
    if (x->n > 2) free(x->u.many);
}

static void side_done(struct side *s) {
    for (size_t i = 0; i < s->e.n && !s->loaded_rows; i++) ids_done(&s->e.p[i].rows);
    free(s->loaded_rows);
    free(s->value_ids);
    free(s->value_start);
    for (size_t i = 0; i < s->postings.n; i++) ids_done(&s->postings.p[i].ids);
    vec_done(&s->e);
    vec_done(&s->postings);
    vec_done(&s->name_n);
    idmap_done(&s->by_hash);
    idmap_done(&s->by_label);
    arena_free(s->bytes);
}

void index_done(struct index *x) {
    side_done(&x->targets);
    side_done(&x->shapes);
    vec_done(&x->rows);
    vec_done(&x->scratch);
    vec_done(&x->strings.s);
    vec_done(&x->strings.hashes);
    idmap_done(&x->strings.by_hash);
    string_bytes_unref(x->strings.bytes);
    *x = (struct index){0};
}

/* --- entries */

uint64_t index_hash_labels(struct labels ls) {
    uint64_t h = 0;
    for (size_t i = 0; i < ls.n; i++) h += hash_mix(hash_str(ls.l[i].name), hash_str(ls.l[i].value));
    return h;
}

static void ids_add(struct ids *x, uint32_t id) {
    uint32_t n = x->n;
    if (n < 2) {
        x->u.few[n] = id;
    } else {
        if (n == 2) {
            uint32_t *many = mem_alloc(4 * sizeof *many);
            memcpy(many, x->u.few, sizeof x->u.few);
            x->u.many = many;
        } else if ((n & (n - 1)) == 0) {
            x->u.many = mem_realloc(x->u.many, 2 * (size_t)n * sizeof(uint32_t));
        }
        x->u.many[n] = id;
    }
    x->n = n + 1;
}

/* Values that came one after the other share a cache line of slots: new series bring values no other has. */
static uint64_t posting_key(struct label_id l) {
    return hash_mix((uint64_t)l.name << 32 | l.value >> 3, 0x706f7374696e6773) << 3 | (l.value & 7);
}

static uint32_t find_posting(const struct side *s, struct label_id l) {
    uint64_t key = posting_key(l);
    uint32_t at = (uint32_t)key;
    for (uint32_t id; (id = idmap_next(&s->by_label, key, &at)) != ID_NONE;)
        if (s->postings.p[id].label.name == l.name && s->postings.p[id].label.value == l.value) return id;
    return ID_NONE;
}
const struct posting *side_posting(const struct side *s, struct label_id l) {
    uint32_t i = find_posting(s, l);
    return i == ID_NONE ? NULL : &s->postings.p[i];
}

static void post(struct side *s, struct label_id l, uint32_t id) {
    uint32_t i = find_posting(s, l);
    if (i == ID_NONE) {
        i = (uint32_t)s->postings.n;
        vec_add(&s->postings)->label = l;
        idmap_put(&s->by_label, posting_key(l), i);
    }
    ids_add(&s->postings.p[i].ids, id);
}

static void count_name(struct side *s, uint32_t name) {
    while (s->name_n.n <= name) vec_push(&s->name_n, 0);
    s->name_n.p[name]++;
}

static uint64_t hash_ids(const struct index *x, const struct label_id *l, size_t n) {
    const uint64_t *hashes = x->strings.hashes.p;
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) hash += hash_mix(hashes[l[i].name], hashes[l[i].value]);
    return hash;
}

static void add_entry(struct side *s, uint64_t hash, const struct label_id *l, size_t n) {
    struct entry *e = vec_add(&s->e);
    e->hash = hash;
    e->n = (uint32_t)n;
    e->l = arena_new_n(s->bytes, struct label_id, n);
    if (n) memcpy(e->l, l, n * sizeof *l);
    for (size_t i = 0; i < n; i++) count_name(s, l[i].name);
}

uint32_t index_put_ids(struct index *x, struct side *s, const struct label_id *l, size_t n) {
    uint64_t hash = hash_ids(x, l, n);
    uint32_t at = (uint32_t)hash;
    for (uint32_t id; (id = idmap_next(&s->by_hash, hash, &at)) != ID_NONE;) {
        const struct entry *e = &s->e.p[id];
        if (e->n == n && (n == 0 || memcmp(e->l, l, n * sizeof *l) == 0)) return id;
    }
    uint32_t id = (uint32_t)s->e.n;
    add_entry(s, hash, l, n);
    idmap_put(&s->by_hash, hash, id);
    for (size_t i = 0; i < n && x->with_postings; i++) post(s, l[i], id);
    return id;
}

static uint32_t put_labels(struct index *x, struct side *s, struct labels ls) {
    x->scratch.n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        struct label_id l = {strtab_put(&x->strings, ls.l[i].name), strtab_put(&x->strings, ls.l[i].value)};
        vec_push(&x->scratch, l);
    }
    return index_put_ids(x, s, x->scratch.p, x->scratch.n);
}
uint32_t index_put_target(struct index *x, struct labels ls) {
    return put_labels(x, &x->targets, ls);
}
uint32_t index_put_shape(struct index *x, struct labels ls) {
    return put_labels(x, &x->shapes, ls);
}

uint32_t index_add_row(struct index *x, uint32_t target, uint32_t shape) {
    uint32_t row = (uint32_t)x->rows.n;
    vec_push(&x->rows, ((struct row_ids){target, shape}));
    ids_add(&x->targets.e.p[target].rows, row);
    ids_add(&x->shapes.e.p[shape].rows, row);
    return row;
}

/* --- loading */

void index_load_entry(struct index *x, struct side *s, const struct label_id *l, size_t n) {
    add_entry(s, hash_ids(x, l, n), l, n);
}

/* Counts, then places: the row numbers of each entry lie together and ascend. */
static void give_rows(const struct index *x, struct side *s, bool targets) {
    s->loaded_rows = mem_alloc(MAX(x->rows.n, (size_t)1) * sizeof *s->loaded_rows);
    uint32_t *next = mem_zalloc((s->e.n + 1) * sizeof *next);
    for (size_t i = 0; i < x->rows.n; i++) next[(targets ? x->rows.p[i].target : x->rows.p[i].shape) + 1]++;
    for (size_t i = 0; i < s->e.n; i++) next[i + 1] += next[i];
    for (size_t i = 0; i < s->e.n; i++) {
        struct ids *rows = &s->e.p[i].rows;
        rows->n = next[i + 1] - next[i];
        if (rows->n > 2) rows->u.many = s->loaded_rows + next[i];
    }
    for (size_t i = 0; i < x->rows.n; i++) s->loaded_rows[next[targets ? x->rows.p[i].target : x->rows.p[i].shape]++] = (uint32_t)i;
    for (size_t i = 0; i < s->e.n; i++) { /* next[i] is the end of entry i now */
        struct ids *rows = &s->e.p[i].rows;
        for (uint32_t k = 0; rows->n <= 2 && k < rows->n; k++) rows->u.few[k] = s->loaded_rows[next[i] - rows->n + k];
    }
    free(next);
}

void index_loaded(struct index *x) {
    give_rows(x, &x->targets, true);
    give_rows(x, &x->shapes, false);
}

static void make_value_ids(const struct index *x, struct side *s) {
    size_t pairs = 0;
    s->value_start = mem_zalloc((x->strings.s.n + 1) * sizeof *s->value_start);
    for (size_t i = 0; i < s->e.n; i++) pairs += s->e.p[i].n;
    s->value_ids = mem_alloc(MAX(pairs, (size_t)1) * sizeof *s->value_ids);
    for (size_t i = 0; i < s->e.n; i++)
        for (uint32_t k = 0; k < s->e.p[i].n; k++) s->value_start[s->e.p[i].l[k].value + 1]++;
    for (size_t v = 0; v < x->strings.s.n; v++) s->value_start[v + 1] += s->value_start[v];
    for (size_t i = s->e.n; i-- > 0;) /* from the end, so that each place in value_start ends as the beginning */
        for (uint32_t k = 0; k < s->e.p[i].n; k++) s->value_ids[--s->value_start[s->e.p[i].l[k].value + 1]] = (uint32_t)i;
    memmove(s->value_start, s->value_start + 1, x->strings.s.n * sizeof *s->value_start);
    s->value_start[x->strings.s.n] = (uint32_t)pairs;
}

const uint32_t *index_value_ids(const struct index *x, const struct side *side, uint32_t value, size_t *n) {
    struct side *s = (struct side *)(uintptr_t)side; /* what it knows does not change */
    if (!s->value_start) make_value_ids(x, s);
    *n = s->value_start[value + 1] - s->value_start[value];
    return s->value_ids + s->value_start[value];
}

struct labels entry_labels(const struct index *x, const struct entry *e, struct arena *a) {
    struct label *l = arena_new_n(a, struct label, e->n);
    for (uint32_t i = 0; i < e->n; i++) l[i] = (struct label){x->strings.s.p[e->l[i].name], x->strings.s.p[e->l[i].value]};
    return (struct labels){l, e->n};
}

struct labels index_labels(const struct index *x, uint32_t target, uint32_t shape, struct arena *a) {
    const struct entry *t = index_target(x, target);
    const struct entry *s = index_shape(x, shape);
    const str *strings = x->strings.s.p;
    struct label *out = arena_new_n(a, struct label, t->n + s->n);
    size_t n = 0;
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < t->n || j < s->n) {
        bool from_target = j == s->n || (i < t->n && str_cmp(strings[t->l[i].name], strings[s->l[j].name]) < 0);
        struct label_id l = from_target ? t->l[i++] : s->l[j++];
        out[n++] = (struct label){strings[l.name], strings[l.value]};
    }
    return (struct labels){out, n};
}

static size_t ids_bytes(const struct ids *x) {
    return x->n > 2 ? x->n * sizeof(uint32_t) : 0;
}

size_t index_bytes(const struct index *x) {
    size_t n = x->rows.cap * sizeof *x->rows.p + arena_used_bytes(x->strings.bytes->arena) + x->strings.s.cap * (sizeof(str) + sizeof(uint64_t)) +
               idmap_bytes(&x->strings.by_hash);
    const struct side *sides[] = {&x->targets, &x->shapes};
    for (size_t i = 0; i < ARRAY_N(sides); i++) {
        const struct side *s = sides[i];
        n += arena_used_bytes(s->bytes) + s->e.cap * sizeof *s->e.p + s->postings.cap * sizeof *s->postings.p;
        n += idmap_bytes(&s->by_hash) + idmap_bytes(&s->by_label);
        for (size_t k = 0; k < s->postings.n; k++) n += ids_bytes(&s->postings.p[k].ids);
        for (size_t k = 0; k < s->e.n; k++) n += ids_bytes(&s->e.p[k].rows); /* loaded: of one piece */
    }
    return n;
}
