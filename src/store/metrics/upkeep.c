#include <stdlib.h>

#include "base/clock.h"
#include "store/metrics/db.h"

/* What happens to parts as they age, one job at a time:
 *
 *   raw    small ones are merged; older than retention_ms: a 5 m and a 1 h part are made from each (as far as those tiers are kept), which count from
 *          the moment the raw part is unlinked: every sample is in one place or, coarser, in each tier
 *   5m, 1h small ones are merged; older than their own retention: unlinked
 *
 * Retention rules and deletions are applied whenever samples are written again, and are a reason to do so. */
enum { MERGE_MIN = 4, MERGE_FEW = 8, CLASS_N = 3 };
#define MERGE_BYTES (UINT64_C(32) << 20)

/* --- tiers and rules */

static int64_t retention_of(const struct tsdb *db, enum tier t) {
    switch (t) {
    case TIER_RAW: return db->o.retention_ms;
    case TIER_5M: return db->o.retention_5m_ms;
    case TIER_1H: return db->o.retention_1h_ms;
    case TIER_N: break;
    }
    return 0;
}

/* Is that coarser tier made: kept longer than all finer ones? */
static bool tier_kept(const struct tsdb *db, enum tier t) {
    for (enum tier finer = TIER_RAW; finer < t; finer++)
        if (retention_of(db, finer) == 0 ? finer == TIER_RAW : retention_of(db, finer) >= retention_of(db, t)) return false;
    return true;
}

static enum tier coarsest_kept(const struct tsdb *db) {
    enum tier last = TIER_RAW;
    for (enum tier t = TIER_5M; t < TIER_N; t++)
        if (tier_kept(db, t)) last = t;
    return last;
}

struct eraser db_eraser(const struct tsdb *db) {
    struct eraser x = {.deletions = db->deletions, .number = db->deletion_n, .rules = db->o.retention_rules, .rule_n = db->o.retention_rule_n};
    x.now_ms = db->now_ms;
    x.keep_ms = retention_of(db, coarsest_kept(db));
    deletions_ref(x.deletions);
    return x;
}

/* --- parts made from others */

static struct part *find_seq(const struct tsdb *db, uint64_t seq) {
    for (size_t i = 0; i < db->parts.n; i++)
        if (db->parts.p[i]->meta.seq == seq) return db->parts.p[i];
    return NULL;
}
bool db_part_hidden(const struct tsdb *db, const struct part *p) {
    for (size_t i = 0; p->meta.awaits && i < p->meta.others_n; i++)
        if (find_seq(db, p->meta.others[i])) return true;
    return false;
}
/* The part of tier t that was made from p. */
static bool is_made(const struct tsdb *db, const struct part *p, enum tier t) {
    if (p->nothing_left & 1U << t) return true;
    for (size_t i = 0; i < db->parts.n; i++) {
        const struct part_meta *m = &db->parts.p[i]->meta;
        if (m->awaits && m->tier == t && m->others_n == 1 && m->others[0] == p->meta.seq) return true;
    }
    return false;
}
/* Parts made from it would count twice if it were replaced instead of unlinked. */
static bool is_awaited(const struct tsdb *db, const struct part *p) {
    return p->meta.tier == TIER_RAW && (is_made(db, p, TIER_5M) || is_made(db, p, TIER_1H));
}
static bool may_rewrite(const struct tsdb *db, const struct part *p) {
    return !p->unmergeable && !db_part_hidden(db, p) && !is_awaited(db, p);
}

static void unlink_part(struct tsdb *db, const struct part *p) {
    for (size_t at = 0; at < db->parts.n; at++)
        if (db->parts.p[at] == p) {
            db_remove_part(db, at, true);
            return;
        }
}

/* --- retention */

/* How many rows the rules still want at that age. */
static size_t rows_that_stay(struct tsdb *db, struct part *p, int64_t age_ms) {
    struct eraser x = db_eraser(db);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    size_t n = p->index->x.rows.n;
    uint8_t *ruled = arena_zalloc(a, MAX(n, (size_t)1));
    size_t stay = 0;
    size_t without_rule = n;
    for (size_t i = 0; i < x.rule_n; i++) {
        struct matches found = {0};
        struct err e;
        if (!index_match(&p->index->x, x.rules[i].m, x.rules[i].n, a, &found, &e)) continue; /* a regex that gave up is no rule */
        bool stays = x.rules[i].keep_ms == 0 || x.rules[i].keep_ms > age_ms;
        for (size_t k = 0; k < found.n; k++) {
            if (ruled[found.p[k].row]) continue;
            ruled[found.p[k].row] = 1;
            without_rule--;
            stay += stays;
        }
    }
    if (x.keep_ms == 0 || x.keep_ms > age_ms) stay += without_rule;
    eraser_done(&x);
    return stay;
}

/* Has a rule come due since the part was looked at last? */
static bool rule_due(const struct tsdb *db, const struct part *p, int64_t age_ms) {
    int64_t keep = retention_of(db, coarsest_kept(db));
    bool due = keep > p->checked_age_ms && keep <= age_ms;
    for (size_t i = 0; i < db->o.retention_rule_n; i++) {
        keep = db->o.retention_rules[i].keep_ms;
        due |= keep > p->checked_age_ms && keep <= age_ms;
    }
    return due;
}

enum step { STEP_NOTHING, STEP_GONE, STEP_BUSY }; /* GONE: a part was unlinked, BUSY: a job was started */

static enum step apply_rules(struct tsdb *db, struct part *p, int64_t age_ms) {
    if (!rule_due(db, p, age_ms) || !may_rewrite(db, p) || !db_part_index(db, p, NULL)) return STEP_NOTHING;
    size_t stay = rows_that_stay(db, p, age_ms);
    p->checked_age_ms = age_ms;
    if (stay == p->index->x.rows.n) return STEP_NOTHING;
    if (stay == 0) {
        unlink_part(db, p);
        return STEP_GONE;
    }
    compact_start(db, &p, 1, p->meta.tier, false);
    return STEP_BUSY;
}

static enum step retire(struct tsdb *db, struct part *p) {
    int64_t age_ms = db->now_ms - p->max_ms;
    enum tier last = coarsest_kept(db);
    bool old = retention_of(db, p->meta.tier) > 0 && age_ms > retention_of(db, p->meta.tier);
    if (p->unmergeable) old = retention_of(db, last) > 0 && age_ms > retention_of(db, last); /* its samples can go nowhere else */
    if (!old || (p->meta.tier >= last && db->o.retention_rule_n > 0 && !p->unmergeable))
        return db->o.retention_rule_n > 0 ? apply_rules(db, p, age_ms) : STEP_NOTHING;
    for (enum tier t = TIER_5M; p->meta.tier == TIER_RAW && !p->unmergeable && t < TIER_N; t++) {
        if (!tier_kept(db, t) || is_made(db, p, t)) continue;
        compact_start(db, &p, 1, t, true);
        return STEP_BUSY;
    }
    unlink_part(db, p);
    return STEP_GONE;
}

/* true: a job runs. */
static bool retire_all(struct tsdb *db) {
    for (size_t i = 0; i < db->parts.n;) {
        switch (retire(db, db->parts.p[i])) {
        case STEP_NOTHING: i++; break;
        case STEP_GONE: break;
        case STEP_BUSY: return true;
        }
    }
    return false;
}

static void keep_to_size(struct tsdb *db) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < db->parts.n; i++) bytes += db->parts.p[i]->bytes;
    while (db->o.retention_bytes > 0 && bytes > db->o.retention_bytes && db->parts.n > 0) {
        bytes -= db->parts.p[0]->bytes;
        db_remove_part(db, 0, true);
    }
}

/* --- deletions */

static bool holds_deleted(struct tsdb *db, struct part *p) {
    for (size_t i = 0; i < db->deletions->n; i++) {
        const struct deletion *d = &db->deletions->p[i];
        if (d->number <= p->meta.cleaned || d->from_ms > p->max_ms || d->to_ms < p->min_ms) continue;
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct matches found = {0};
        struct err e;
        if (!db_part_index(db, p, NULL)) return false; /* nothing in it can be read */
        if (!index_match(&p->index->x, d->m, d->n, a, &found, &e) || found.n > 0) return true;
    }
    return false;
}

/* true: a job runs. */
static bool clean_one(struct tsdb *db) {
    for (size_t i = 0; i < db->parts.n; i++) {
        struct part *p = db->parts.p[i];
        if (p->meta.cleaned >= db->deletion_n || !may_rewrite(db, p)) continue;
        if (holds_deleted(db, p)) {
            compact_start(db, &p, 1, p->meta.tier, false);
            return true;
        }
        p->meta.cleaned = db->deletion_n;
    }
    db->cleaning = db->deletions->n > 0 && (db->head.frozen || db->head.samples > 0);
    return false;
}

/* --- merging */

/* Parts grow by fours: half-hours to two hours to eight to a day and a half; the coarser tiers from days to months. */
static int64_t class_limit_ms(enum tier t, unsigned class) {
    static const int64_t limits_min[CLASS_N] = {100, 400, 1600};
    return limits_min[class] * (t == TIER_RAW ? 1 : 24) * 60 * MS_PER_S;
}
static unsigned span_class(const struct part *p) {
    unsigned c = 0;
    while (c < CLASS_N && p->max_ms - p->min_ms >= class_limit_ms(p->meta.tier, c)) c++;
    return c;
}

/* How many neighbours from there on are worth merging: of one class and none larger than the others together, so that nothing is written again more
 * often than its size doubles. Tiny ones, a thousand at a time. */
static size_t run_at(struct part *const *p, size_t n) {
    unsigned class = span_class(p[0]);
    if (class == CLASS_N) return 0;
    uint64_t bytes = 0;
    uint64_t largest = 0;
    int64_t max_ms = p[0]->max_ms;
    size_t k = 0;
    for (; k < MIN(n, (size_t)PART_OTHERS_MAX) && span_class(p[k]) == class; k++) {
        max_ms = MAX(max_ms, p[k]->max_ms);
        bool large = bytes + p[k]->bytes > MERGE_BYTES || max_ms - p[0]->min_ms > class_limit_ms(p[0]->meta.tier, CLASS_N - 1);
        if (k >= MERGE_FEW && large) break;
        bytes += p[k]->bytes;
        largest = MAX(largest, p[k]->bytes);
    }
    return k >= MERGE_MIN && 2 * largest <= bytes ? k : 0;
}

static bool merge_tier(struct tsdb *db, enum tier t) {
    VEC(struct part *) p = {0};
    size_t n = 0;
    size_t from = 0;
    for (size_t i = 0; i < db->parts.n; i++)
        if (db->parts.p[i]->meta.tier == t && may_rewrite(db, db->parts.p[i])) vec_push(&p, db->parts.p[i]);
    for (; from < p.n && n == 0; from++) n = run_at(p.p + from, p.n - from);
    if (n > 0) compact_start(db, p.p + from - 1, n, t, false);
    vec_done(&p);
    return n > 0;
}

/* A file that stayed comes back with the next start. What was made from it must still say so then: nothing is written again before it is gone. */
static bool unlink_leftovers(struct tsdb *db) {
    for (; db->leftovers.n > 0; db->leftovers.n--) {
        char path[PART_PATH_MAX];
        struct err e;
        part_path(path, db->dir, db->leftovers.p[db->leftovers.n - 1]);
        if (!vfs_unlink(db->o.vfs, path, &e) && e.code != ERR_NOT_FOUND) return false;
    }
    return true;
}

void upkeep(struct tsdb *db) {
    if (db->compacting || !unlink_leftovers(db)) return; /* the inputs of a job stay until it is done */
    keep_to_size(db);
    if (retire_all(db)) return;
    if (db->cleaning && clean_one(db)) return;
    for (enum tier t = TIER_RAW; t < TIER_N; t++)
        if (merge_tier(db, t)) return;
}
