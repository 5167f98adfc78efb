#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/prometheus.h"
#include "base/clock.h"
#include "base/mem.h"

/* admin/tsdb: deleting series, cleaning up, snapshots. Off unless the setting admin-api says otherwise. */

static bool enabled(const struct app *app, struct http_exchange *x) {
    if (app->admin_api) return true;
    prom_error(x, 403, "unavailable", STR("admin APIs disabled"));
    return false;
}

static void done(struct http_exchange *x) {
    http_reply(x, (struct http_reply){.status = 204});
}

void prom_delete_series(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct prom_matches m;
    int64_t from_ms = INT64_MIN / 2, to_ms = INT64_MAX / 2;
    struct err e;
    if (!enabled(app, x) || !prom_range_params(x, &from_ms, &to_ms) || !prom_matches(x, true, &m)) return;
    bool ok = true;
    for (size_t i = 0; i < m.n && ok; i++) ok = tsdb_delete_series(app->store->metrics, m.sets[i].m, m.sets[i].n, from_ms, to_ms, &e);
    prom_matches_done(&m);
    if (ok) return done(x);
    prom_error(x, e.code == ERR_INPUT ? 400 : 500, e.code == ERR_INPUT ? "bad_data" : "internal", err_str(&e));
}

void prom_clean_tombstones(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    if (!enabled(app, x)) return;
    tsdb_clean_tombstones(app->store->metrics);
    done(x);
}

struct snapshot {
    struct http_exchange *x;
    char name[64];
};

static void snapshot_done(void *arg, const struct err *e) {
    struct snapshot *s = arg;
    struct prom_reply r;
    if (e) {
        prom_error(s->x, 500, "internal", arena_printf(s->x->arena, "create snapshot: %s", e->msg));
    } else {
        prom_begin(&r);
        json_put_object(&r.out);
        json_put_key_c(&r.out, "name");
        json_put_string(&r.out, str_c(s->name));
        json_put_object_end(&r.out);
        prom_send(s->x, &r);
    }
    free(s);
}

/* 20251129T101500Z-1a2b3c4d: the time, and something that differs within the second. */
static void name_snapshot(char *out, size_t size) {
    int64_t ns = clock_wall_ns();
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, size, "%Y%m%dT%H%M%SZ", &tm);
    snprintf(out + n, size - n, "-%08x", (unsigned)(ns % NS_PER_S));
}

/* A snapshot always has what is in memory too: skip_head is taken and changes nothing. */
void prom_snapshot(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    str skip = http_param(x, STR("skip_head"));
    static const char *const booleans[] = {"", "1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"};
    bool known = false;
    if (!enabled(app, x)) return;
    for (size_t i = 0; i < ARRAY_N(booleans); i++) known |= str_eq_c(skip, booleans[i]);
    if (!known) return prom_bad_param(x, "skip_head", arena_printf(x->arena, "unable to parse boolean \"%" STR_F "\"", STR_A(skip)));
    struct snapshot *s = mem_zalloc(sizeof *s);
    s->x = x;
    name_snapshot(s->name, sizeof s->name);
    tsdb_snapshot(app->store->metrics, s->name, snapshot_done, s);
}
