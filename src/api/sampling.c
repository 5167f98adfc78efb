#include "api/sampling.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/pb.h"
#include "loop/vfs.h"
#include "wire/sampling.h"

enum { FILE_BYTES_MAX = 1 << 20, RECHECK_MS = 1000 };

/* What tells one state of the file from another. */
struct version {
    ino_t inode;
    off_t size;
    struct timespec modified;
};
struct sampling {
    char *path; /* NULL: no file */
    struct arena *arena;
    struct sampling_strategies strategies;
    struct version version;
    int64_t checked_ms; /* clock_mono */
};

static struct version version_of(const char *path) {
    struct stat st = {0};
    if (stat(path, &st) != 0) return (struct version){0};
    return (struct version){st.st_ino, st.st_size, st.st_mtim};
}

static bool version_eq(const struct version *a, const struct version *b) {
    return a->inode == b->inode && a->size == b->size && a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

static bool read_file(struct sampling *s, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct sampling_strategies all;
    str text;
    s->version = version_of(s->path);
    if (!vfs_read_file(vfs_real(), s->path, FILE_BYTES_MAX, a, &text, e) || !sampling_parse(text, s->path, a, &all, e)) return false;
    if (all.ignored)
        log_warn("sampling", "%s: %zu operations with a rate limit passed over: clients know none for one operation", s->path, all.ignored);
    arena_free(s->arena);
    s->arena = TAKE(a);
    s->strategies = all;
    return true;
}

bool sampling_new(str path, struct sampling **out, struct err *e) {
    struct sampling *s = mem_zalloc(sizeof *s);
    s->strategies = sampling_all;
    if (path.n) {
        s->path = mem_alloc(path.n + 1);
        memcpy(s->path, path.p, path.n);
        s->path[path.n] = 0;
    }
    if (s->path && !read_file(s, e)) {
        sampling_free(s);
        return err_wrap(e, "traces.sampling-file");
    }
    *out = s;
    return true;
}

void sampling_free(struct sampling *s) {
    if (!s) return;
    arena_free(s->arena);
    free(s->path);
    free(s);
}

static const struct sampling_strategy *strategy_for(struct sampling *s, str service) {
    int64_t now_ms = clock_mono_ns() / NS_PER_MS;
    if (s->path && now_ms >= s->checked_ms + RECHECK_MS) {
        struct version now = version_of(s->path);
        struct err e;
        s->checked_ms = now_ms;
        if (!version_eq(&now, &s->version)) {
            if (read_file(s, &e))
                log_info("sampling", "read %s again", s->path);
            else
                log_warn("sampling", "what was read before still holds: %s", e.msg);
        }
    }
    return sampling_find(&s->strategies, service);
}

static void answer(struct app *app, struct http_exchange *x, bool numeric) {
    size_t given = 0;
    for (size_t i = 0; i < x->param_n; i++) given += str_eq(x->params[i].name, STR("service"));
    if (given != 1) return http_reply_text(x, 400, STR("'service' parameter must be provided once\n"));
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    sampling_put_json(&o, strategy_for(app->sampling, http_param(x, STR("service"))), numeric);
    http_reply_json(x, 200, &b);
}

static void get_strategy(void *app, struct http_exchange *x) {
    answer(app, x, false);
}
/* The agent's first form: strategyType is a number. */
static void get_strategy_numeric(void *app, struct http_exchange *x) {
    answer(app, x, true);
}

/* Which baggage keys a service may set: Jaeger never had a store for them either. */
static void get_baggage(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = {0};
    buf_add(&b, STR("[]"));
    http_reply_json(x, 200, &b);
}

/* SamplingStrategyParameters {1 serviceName}. */
void sampling_grpc(void *app, struct grpc_exchange *x) {
    str service = STR_NULL;
    struct pb c = pb_open(x->body);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 1) service = pb_bytes(&f);
    if (c.bad) return grpc_reply_error(x, GRPC_INVALID_ARGUMENT, STR("not a SamplingStrategyParameters message"));
    struct buf b = {0};
    sampling_put_proto(&b, strategy_for(((struct app *)app)->sampling, service));
    grpc_reply(x, (struct grpc_reply){.body = buf_str(&b)});
    buf_done(&b);
}

const struct http_route sampling_routes[] = {
    {HTTP_GET, "/api/sampling", get_strategy, DOOR_MAIN | DOOR_COLLECTOR | DOOR_SAMPLING},
    {HTTP_GET, "/sampling", get_strategy, DOOR_MAIN | DOOR_SAMPLING},
    {HTTP_GET, "/baggageRestrictions", get_baggage, DOOR_SAMPLING},
    {HTTP_GET, "/", get_strategy_numeric, DOOR_SAMPLING},
    {HTTP_GET, "/*", get_strategy, DOOR_SAMPLING},
    {0},
};
