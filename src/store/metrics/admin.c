#include <stdio.h>
#include <stdlib.h>

#include "store/metrics/db.h"

/* --- deletions */

static void deletions_path(const struct tsdb *db, char out[PART_PATH_MAX]) {
    snprintf(out, PART_PATH_MAX, "%s/deletions", db->dir);
}

bool deletions_load(struct tsdb *db, struct err *e) {
    char path[PART_PATH_MAX];
    deletions_path(db, path);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str file;
    struct err why;
    struct deletions *d;
    if (!vfs_read_file(db->o.vfs, path, DELETIONS_BYTES_MAX, a, &file, &why)) {
        if (why.code == ERR_NOT_FOUND) return true;
        if (e) *e = why;
        return false;
    }
    if (!deletions_decode(file, &d, &why)) {
        db_damage(db, &why); /* what was deleted shows again; that is reported */
        return true;
    }
    deletions_unref(db->deletions);
    db->deletions = d;
    for (size_t i = 0; i < d->n; i++) db->deletion_n = MAX(db->deletion_n, d->p[i].number);
    return true;
}

/* The new list takes the old one's place, on disk first. */
static bool replace(struct tsdb *db, struct deletions *d, struct err *e) {
    if (db->dir) {
        char path[PART_PATH_MAX];
        deletions_path(db, path);
        AUTO(buf_done) struct buf b = {0};
        deletions_encode(d, &b);
        if (!vfs_replace_file(db->o.vfs, path, buf_str(&b), e)) {
            deletions_unref(d);
            return false;
        }
    }
    deletions_unref(db->deletions);
    db->deletions = d;
    return true;
}

bool tsdb_delete_series(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct err *e) {
    assert_loop_thread();
    if (n == 0) return err_set(e, ERR_INPUT, "say which series are to be deleted: at least one matcher");
    if (n > MATCHERS_MAX) return err_set(e, ERR_LIMIT, "a selector may have %d matchers at most, this one has %zu", MATCHERS_MAX, n);
    if (db->deletions->n == DELETIONS_MAX)
        return err_set(e, ERR_LIMIT, "there are %d deletions that files still hold samples of: clean the tombstones first", DELETIONS_MAX);
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    struct deletion add = {.number = db->deletion_n + 1, .from_ms = from_ms, .to_ms = MIN(to_ms, st.max_ms), .n = n};
    if (add.from_ms > add.to_ms) return true; /* there is nothing to delete */
    add.m = (struct matcher *)(uintptr_t)m;
    if (!replace(db, deletions_change(db->deletions, NULL, 0, &add), e)) return false;
    db->deletion_n++;
    return true;
}

void tsdb_clean_tombstones(struct tsdb *db) {
    assert_loop_thread();
    db->cleaning = db->deletions->n > 0;
}

static bool still_held(const struct tsdb *db, const struct deletion *d) {
    const struct frozen *f = db->head.frozen;
    if (db->head.samples > 0 && db->head.min_ms <= d->to_ms) return true;
    if (f && f->min_ms <= d->to_ms) return true;
    for (size_t i = 0; i < db->parts.n; i++) {
        const struct part *p = db->parts.p[i];
        if (p->meta.cleaned < d->number && p->min_ms <= d->to_ms && p->max_ms >= d->from_ms) return true;
    }
    return false;
}

void deletions_settle(struct tsdb *db) {
    if (db->leftovers.n > 0) return; /* they may hold what was deleted */
    VEC(uint64_t) gone = {0};
    for (size_t i = 0; i < db->deletions->n; i++)
        if (!still_held(db, &db->deletions->p[i])) vec_push(&gone, db->deletions->p[i].number);
    struct err e;
    if (gone.n > 0 && !replace(db, deletions_change(db->deletions, gone.p, gone.n, NULL), &e)) db->cleaning = true; /* the next tick tries again */
    vec_done(&gone);
}

/* --- snapshots */

struct snapshot {
    struct snapshot *next;
    char name[128];
    uint64_t after; /* seals */
    void (*done)(void *arg, const struct err *e);
    void *arg;
};

static bool check_name(const char *name, struct err *e) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    if (n > 0 && n < sizeof((struct snapshot *)0)->name && name[n] == '\0') return true;
    return err_set(e, ERR_INPUT, "not a snapshot name: \"%.100s\": letters, digits, - and _, up to 127", name);
}

/* Empties a folder that a failed snapshot left. */
static bool empty(struct tsdb *db, const char *dir, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str *names;
    size_t n;
    if (!vfs_list(db->o.vfs, dir, a, &names, &n, e)) return false;
    for (size_t i = 0; i < n; i++)
        if (!vfs_unlink(db->o.vfs, arena_cstr(a, arena_printf(a, "%s/%" STR_F, dir, STR_A(names[i]))), e)) return false;
    return true;
}

static bool fill(struct tsdb *db, const char *dir, struct err *e) {
    for (size_t i = 0; i < db->parts.n; i++) {
        char from[PART_PATH_MAX];
        char to[PART_PATH_MAX];
        part_path(from, db->dir, db->parts.p[i]->meta.seq);
        part_path(to, dir, db->parts.p[i]->meta.seq);
        if (!vfs_link(db->o.vfs, from, to, e)) return false;
    }
    if (db->deletions->n == 0) return true;
    AUTO(buf_done) struct buf b = {0};
    deletions_encode(db->deletions, &b);
    char path[PART_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/deletions", dir) >= (int)sizeof path) return err_set(e, ERR_LIMIT, "the data folder's path is too long");
    return vfs_replace_file(db->o.vfs, path, buf_str(&b), e);
}

static bool write_snapshot(struct tsdb *db, const char *name, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const char *all = arena_cstr(a, arena_printf(a, "%s/snapshots", db->dir));
    const char *tmp = arena_cstr(a, arena_printf(a, "%s/%s.tmp", all, name));
    const char *dir = arena_cstr(a, arena_printf(a, "%s/%s", all, name));
    str *names;
    size_t n;
    struct err none;
    if (vfs_list(db->o.vfs, dir, a, &names, &n, &none)) return err_set(e, ERR_INPUT, "there is a snapshot \"%s\" already", name);
    bool ok = vfs_mkdir(db->o.vfs, all, e) && vfs_mkdir(db->o.vfs, tmp, e) && empty(db, tmp, e) && fill(db, tmp, e) &&
              vfs_sync_dir(db->o.vfs, tmp, e) && vfs_rename(db->o.vfs, tmp, dir, e) && vfs_sync_dir(db->o.vfs, all, e);
    if (ok) return true;
    bool gone = empty(db, tmp, &none);
    (void)gone; /* the next one of that name does it */
    return false;
}

static void end_snapshot(struct snapshot *s, const struct err *e) {
    s->done(s->arg, e);
    free(s);
}

void snapshots_go_on(struct tsdb *db, const struct err *failed) {
    for (struct snapshot **at = &db->snapshots; *at;) {
        struct snapshot *s = *at;
        if (!failed && db->stats.sealed < s->after) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        struct err e;
        bool ok = !failed && write_snapshot(db, s->name, &e);
        end_snapshot(s, ok ? NULL : failed ? failed : &e);
    }
    if (db->snapshots && !db->sealing) seal_start(db, false);
}

void snapshots_cancel(struct tsdb *db) {
    while (db->snapshots) {
        struct snapshot *s = db->snapshots;
        db->snapshots = s->next;
        end_snapshot(s, &(struct err){.code = ERR_CANCELED, .msg = "the program ends"});
    }
}

void tsdb_snapshot(struct tsdb *db, const char *name, void (*done)(void *arg, const struct err *e), void *arg) {
    assert_loop_thread();
    struct err e;
    if (!db->dir ? !err_set(&e, ERR_UNSUPPORTED, "metrics are kept in memory only") : !check_name(name, &e)) {
        done(arg, &e);
        return;
    }
    struct snapshot *s = mem_zalloc(sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->done = done;
    s->arg = arg;
    s->after = db->stats.sealed + (db->head.frozen ? 1 : 0) + (db->head.samples > 0 ? 1 : 0);
    s->next = db->snapshots;
    db->snapshots = s;
    snapshots_go_on(db, NULL);
}
