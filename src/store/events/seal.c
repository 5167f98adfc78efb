/* Parts on disk: "<dir>/log-<first>-<last>.part", numbers of the seals within in hex. A merged part covers the range of those it replaces, so a
 * crash between the new name and the unlinking of the old ones is seen at the next start: a part within another's range is a leftover. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/events/evdb.h"
#include "store/events/shapes.h"

enum {
    MERGE_N = 4,                 /* parts of one size become one */
    MERGE_ROWS_BYTES = 24 << 20, /* raw bytes up to which rows are sorted anew; parts of full heads are laid side by side, block by block */
    MERGE_TIERS = 4,
    RETRY_MS = 5000,
    NAME_MAX_BYTES = 64,
};
#define MERGE_MAX_BYTES (UINT64_C(2) << 30)
#define TIER_BASE_BYTES (UINT64_C(2) << 20)

static const char *const kind_names[EVENT_KIND_N] = {"log", "span"};

struct task {
    struct job job;
    struct evdb *db;
    enum event_kind kind;
    bool merge; /* of parts on disk; else sealing of the head */
    struct vfs *vfs;
    struct part **in; /* pinned */
    size_t n;
    char *path, *tmp, *dir;
    struct buf edges; /* section EDGES to write */
    uint64_t first, last;
    struct part *out;
    struct err err;
};

static char *part_path(const struct evdb *db, enum event_kind kind, uint64_t first, uint64_t last, const char *suffix) {
    size_t n = strlen(db->dir) + NAME_MAX_BYTES;
    char *path = mem_alloc(n);
    snprintf(path, n, "%s/%s-%08llx-%08llx.part%s", db->dir, kind_names[kind], (unsigned long long)first, (unsigned long long)last, suffix);
    return path;
}

/* --- what runs in the pool */

static bool pack(struct task *t, struct packer *p, struct err *e) {
    struct catalog *c = catalog_new();
    uint64_t raw = 0;
    uint64_t next_seq = 0;
    for (size_t i = 0; i < t->n; i++) {
        raw += t->in[i]->raw_bytes;
        next_seq = MAX(next_seq, t->in[i]->next_seq);
    }
    bool ok = true;
    if (!t->merge || raw <= MERGE_ROWS_BYTES) {
        ok = merge_rows(t->in, t->n, p, c, e);
    } else {
        for (size_t i = 0; i < t->n; i++) {
            shapes_add_part(p->shapes, (uint32_t)p->blocks.n, t->in[i]);
            for (uint32_t k = 0; k < t->in[i]->block_n; k++) packer_copy_block(p, t->in[i], k);
            struct catalog *own = catalog_of_part(t->in[i]);
            catalog_add(c, own);
            catalog_free(own);
        }
    }
    if (ok) catalog_put(c, p);
    if (ok && t->edges.n) packer_section(p, SEC_EDGES, ENC_TEXT, 0, buf_str(&t->edges));
    catalog_free(c);
    return ok && packer_close(p, next_seq, e);
}

static bool write_part(struct task *t, struct err *e) {
    struct vfs_file f;
    struct packer p;
    if (!vfs_open(t->vfs, t->tmp, VFS_CREATE, &f, e)) return false;
    packer_open(&p, t->kind, true);
    packer_to_file(&p, t->vfs, f);
    bool ok = pack(t, &p, e) && vfs_sync(t->vfs, f, e);
    packer_done(&p);
    vfs_close(t->vfs, &f);
    return ok && vfs_rename(t->vfs, t->tmp, t->path, e) && vfs_sync_dir(t->vfs, t->dir, e) && part_open_file(t->vfs, t->path, &t->out, e);
}

static void run_task(struct job *j) {
    struct task *t = CONTAINER_OF(j, struct task, job);
    struct err ignored;
    if (write_part(t, &t->err)) return;
    if (!vfs_unlink(t->vfs, t->tmp, &ignored)) return; /* a leftover is removed at the next start */
}

/* --- on the loop */

static void drop_part(struct evdb *db, struct kind_store *s, size_t i) {
    struct err ignored; /* it is seen as a leftover, or as too old, at the next start */
    if (!vfs_unlink(db->o.vfs, s->parts.p[i]->path, &ignored)) s->retry_ms = 0;
    part_unref(s->parts.p[i]);
    memmove(&s->parts.p[i], &s->parts.p[i + 1], (s->parts.n - i - 1) * sizeof *s->parts.p);
    s->parts.n--;
    files_changed(s);
}

static void checkpoint(struct evdb *db) {
    if (!db->wal) return;
    uint64_t keep = wal_next_lsn(db->wal);
    for (int k = 0; k < EVENT_KIND_N; k++)
        if (db->kind[k].head.n) keep = MIN(keep, db->kind[k].head.p[0]->wal_from);
    wal_checkpoint(db->wal, WAL_EVENTS, keep);
}

static void swap_in_sealed(struct evdb *db, struct kind_store *s, struct task *t) {
    for (size_t i = 0; i < t->n; i++) {
        s->head_bytes -= s->head.p[i]->bytes.n;
        part_unref(s->head.p[i]);
    }
    memmove(s->head.p, s->head.p + t->n, (s->head.n - t->n) * sizeof *s->head.p);
    s->head.n -= t->n;
    s->head_since_ms = s->head.n ? clock_wall_ms() : 0;
    s->next_seal = t->last + 1;
    s->sealed_seq = MAX(s->sealed_seq, t->out->next_seq);
    vec_push(&s->parts, TAKE(t->out));
    files_changed(s);
    if (t->kind == EVENT_SPAN) buf_done(&db->edges_sealing);
    checkpoint(db);
}

static void swap_in_merged(struct evdb *db, struct kind_store *s, struct task *t) {
    size_t at = 0;
    while (at < s->parts.n && s->parts.p[at]->first < t->first) at++;
    while (at < s->parts.n && s->parts.p[at]->last <= t->last) drop_part(db, s, at);
    vec_push(&s->parts, NULL);
    memmove(&s->parts.p[at + 1], &s->parts.p[at], (s->parts.n - 1 - at) * sizeof *s->parts.p);
    s->parts.p[at] = TAKE(t->out);
    files_changed(s);
}

static void finish(struct task *t) {
    struct evdb *db = t->db;
    struct kind_store *s = &db->kind[t->kind];
    if (!t->merge) s->sealing_n = 0;
    if (t->out) {
        t->out->first = t->first;
        t->out->last = t->last;
        if (t->merge)
            swap_in_merged(db, s, t);
        else
            swap_in_sealed(db, s, t);
    } else {
        db->last_error = t->err;
        s->retry_ms = clock_wall_ms() + RETRY_MS;
    }
    for (size_t i = 0; i < t->n; i++) part_unref(t->in[i]);
    if (db->task == t) db->task = NULL;
    buf_done(&t->edges);
    free(t->in);
    free(t->path);
    free(t->tmp);
    free(t->dir);
    free(t);
}

static void task_done(struct job *j) {
    finish(CONTAINER_OF(j, struct task, job));
}

static struct task *new_task(struct evdb *db, enum event_kind kind, struct part **in, size_t n, uint64_t first, uint64_t last, bool merge) {
    struct task *t = mem_zalloc(sizeof *t);
    *t = (struct task){.db = db, .kind = kind, .merge = merge, .vfs = db->o.vfs, .n = n, .first = first, .last = last};
    t->job.run = run_task;
    t->job.done = task_done;
    t->in = mem_alloc(n * sizeof(struct part *));
    for (size_t i = 0; i < n; i++) t->in[i] = part_ref(in[i]);
    t->path = part_path(db, kind, first, last, "");
    t->tmp = part_path(db, kind, first, last, ".tmp");
    t->dir = strdup(db->dir);
    return t;
}

static struct task *seal_task(struct evdb *db, enum event_kind kind) {
    struct kind_store *s = &db->kind[kind];
    struct task *t = new_task(db, kind, s->head.p, s->head.n, s->next_seal, s->next_seal, false);
    s->sealing_n = s->head.n;
    if (kind != EVENT_SPAN) return t;
    /* What an earlier, failed seal would have written is still there. */
    struct edge_sum *sum = edge_sum_new(INT64_MIN, INT64_MAX);
    struct buf counts = {0};
    edge_sum_add(sum, buf_str(&db->edges_sealing));
    edges_put(db->edges, &counts);
    edge_sum_add(sum, buf_str(&counts));
    edges_clear_counts(db->edges);
    buf_clear(&db->edges_sealing);
    edge_sum_put(sum, &db->edges_sealing);
    buf_add(&t->edges, buf_str(&db->edges_sealing));
    buf_done(&counts);
    edge_sum_free(sum);
    return t;
}

static void start(struct evdb *db, struct task *t) {
    struct err e;
    db->task = t;
    if (db->o.pool && pool_submit(db->o.pool, LANE_BACKGROUND, &t->job, &e)) return;
    if (!db->o.pool) {
        run_task(&t->job);
    } else {
        t->err = e; /* the queue is full: again at the next tick */
    }
    finish(t);
}

bool seal_inline(struct evdb *db, enum event_kind kind, struct err *e) {
    struct kind_store *s = &db->kind[kind];
    assert(s->sealing_n == 0);
    if (s->head.n == 0) return true;
    struct task *t = seal_task(db, kind);
    run_task(&t->job);
    struct err why = t->err;
    bool ok = t->out != NULL;
    finish(t);
    if (!ok && e) *e = why;
    return ok;
}

/* --- retention */

static void retain(struct evdb *db, enum event_kind kind, int64_t now_ms) {
    struct kind_store *s = &db->kind[kind];
    int64_t keep_ms = db->o.retention_ms[kind];
    for (size_t i = s->parts.n; keep_ms > 0 && i-- > 0;)
        if (s->parts.p[i]->max_ns / NS_PER_MS < now_ms - keep_ms) drop_part(db, s, i);
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->parts.n; i++) bytes += s->parts.p[i]->bytes.n;
    while (db->o.retention_bytes[kind] && bytes > db->o.retention_bytes[kind] && s->parts.n) {
        size_t oldest = 0;
        for (size_t i = 1; i < s->parts.n; i++)
            if (s->parts.p[i]->max_ns < s->parts.p[oldest]->max_ns) oldest = i;
        bytes -= s->parts.p[oldest]->bytes.n;
        drop_part(db, s, oldest);
    }
}

/* --- merging */

static unsigned tier_of(const struct part *p) {
    unsigned tier = 0;
    for (uint64_t bytes = TIER_BASE_BYTES; tier < MERGE_TIERS && p->raw_bytes >= bytes; bytes *= MERGE_N) tier++;
    return tier;
}

/* Merged parts must not keep old events alive for much longer than asked. */
static bool may_join(const struct evdb *db, enum event_kind kind, struct part *const *p, size_t n) {
    int64_t min = INT64_MAX;
    int64_t max = INT64_MIN;
    uint64_t raw = 0;
    for (size_t i = 0; i < n; i++) {
        min = MIN(min, p[i]->min_ns);
        max = MAX(max, p[i]->max_ns);
        raw += p[i]->raw_bytes;
        for (uint32_t k = 0; k < p[i]->block_n; k++)
            if (atomic_load_explicit(&p[i]->blocks[k].state, memory_order_relaxed) == BLOCK_DAMAGED) return false;
    }
    int64_t keep_ms = db->o.retention_ms[kind];
    return raw <= MERGE_MAX_BYTES && (keep_ms <= 0 || (max / NS_PER_MS - min / NS_PER_MS) <= keep_ms / MERGE_N + 3600 * MS_PER_S);
}

static struct task *merge_task(struct evdb *db, enum event_kind kind) {
    struct kind_store *s = &db->kind[kind];
    for (unsigned tier = 0; tier < MERGE_TIERS; tier++) {
        size_t run = 0;
        for (size_t i = 0; i < s->parts.n; i++) {
            run = tier_of(s->parts.p[i]) <= tier ? run + 1 : 0;
            if (run < MERGE_N || !may_join(db, kind, &s->parts.p[i + 1 - run], run)) continue;
            struct part **from = &s->parts.p[i + 1 - run];
            struct task *t = new_task(db, kind, from, run, from[0]->first, from[run - 1]->last, true);
            if (kind != EVENT_SPAN) return t;
            struct edge_sum *sum = edge_sum_new(INT64_MIN, INT64_MAX);
            for (size_t k = 0; k < run; k++) edge_sum_add_part(sum, from[k]);
            edge_sum_put(sum, &t->edges);
            edge_sum_free(sum);
            return t;
        }
    }
    return NULL;
}

static bool head_is_due(const struct evdb *db, const struct kind_store *s, int64_t now_ms) {
    if (s->head.n == 0 || now_ms < s->retry_ms) return false;
    return s->head_bytes >= db->o.head_bytes_max || now_ms - s->head_since_ms >= db->o.seal_age_ms;
}

void seal_tick(struct evdb *db, int64_t now_ms) {
    assert_loop_thread();
    if (!db->dir) return;
    for (int k = 0; k < EVENT_KIND_N && !db->task; k++)
        if (head_is_due(db, &db->kind[k], now_ms)) start(db, seal_task(db, (enum event_kind)k));
    if (db->task) return;
    for (int k = 0; k < EVENT_KIND_N; k++) retain(db, (enum event_kind)k, now_ms);
    for (int k = 0; k < EVENT_KIND_N && !db->task; k++) {
        struct task *t = now_ms >= db->kind[k].retry_ms ? merge_task(db, (enum event_kind)k) : NULL;
        if (t) start(db, t);
    }
    checkpoint(db);
}

/* --- opening */

static bool parse_name(str name, enum event_kind *kind, uint64_t *first, uint64_t *last) {
    str head;
    str from;
    if (!str_ends(name, STR(".part"))) return false;
    name.n -= 5;
    if (!str_cut(&name, '-', &head) || !str_cut(&name, '-', &from)) return false;
    bool known = false;
    for (int k = 0; k < EVENT_KIND_N; k++)
        if (str_eq_c(head, kind_names[k])) *kind = (enum event_kind)k, known = true;
    return known && str_hex_u64(from, first) && str_hex_u64(name, last) && *first <= *last;
}

static int by_range(const void *l, const void *r) {
    const struct part *a = *(struct part *const *)l;
    const struct part *b = *(struct part *const *)r;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return (a->last < b->last) - (a->last > b->last);
}

static void drop_leftovers(struct evdb *db, struct kind_store *s) {
    if (s->parts.n > 1) qsort(s->parts.p, s->parts.n, sizeof *s->parts.p, by_range);
    for (size_t i = 1; i < s->parts.n;)
        if (s->parts.p[i]->last <= s->parts.p[i - 1]->last)
            drop_part(db, s, i);
        else
            i++;
}

/* A damaged part loses its events, not the start: it stays on disk, counted. One that cannot be read just now stops the start: going on without
 * it would give its numbers away twice. */
static bool open_one(struct evdb *db, str name, struct err *e) {
    enum event_kind kind;
    uint64_t first;
    uint64_t last;
    struct part *p;
    struct err why;
    if (!parse_name(name, &kind, &first, &last)) return true;
    struct kind_store *s = &db->kind[kind];
    s->next_seal = MAX(s->next_seal, last + 1);
    AUTO(arena_free) struct arena *a = arena_new(256);
    const char *path = arena_printf(a, "%s/%" STR_F "%c", db->dir, STR_A(name), 0).p;
    if (!part_open_file(db->o.vfs, path, &p, &why)) {
        db->last_error = why;
        counter_add(&s->damaged, 1);
        if (why.code != ERR_CORRUPT && e) *e = why;
        return why.code == ERR_CORRUPT;
    }
    p->first = first;
    p->last = last;
    vec_push(&s->parts, p);
    return true;
}

static void remember_spans(struct evdb *db) {
    const struct kind_store *s = &db->kind[EVENT_SPAN];
    if (s->parts.n == 0) return;
    const struct part *p = s->parts.p[s->parts.n - 1];
    for (uint32_t i = p->block_n > 2 ? p->block_n - 2 : 0; i < p->block_n; i++) {
        AUTO(arena_free) struct arena *a = arena_new(64 << 10);
        struct block *b;
        struct err damage;
        if (block_open(p, i, a, &b, &damage)) edges_remember_block(db->edges, b);
    }
}

bool seal_open(struct evdb *db, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str *names;
    size_t n;
    if (!vfs_mkdir(db->o.vfs, db->dir, e) || !vfs_list(db->o.vfs, db->dir, a, &names, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct err ignored; /* a temporary file that stays is written over */
        const char *path = arena_printf(a, "%s/%" STR_F "%c", db->dir, STR_A(names[i]), 0).p;
        if (str_ends(names[i], STR(".tmp")) && vfs_unlink(db->o.vfs, path, &ignored)) continue;
        if (!open_one(db, names[i], e)) return false;
    }
    for (int k = 0; k < EVENT_KIND_N; k++) {
        struct kind_store *s = &db->kind[k];
        drop_leftovers(db, s);
        for (size_t i = 0; i < s->parts.n; i++) s->sealed_seq = MAX(s->sealed_seq, s->parts.p[i]->next_seq);
        s->next_seq = s->sealed_seq;
    }
    remember_spans(db);
    return true;
}
