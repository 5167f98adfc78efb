#include "query/trace/spm.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/timefmt.h"
#include "query/trace/latency.h"

struct sample {
    int64_t time_ns;
    uint32_t series;
    uint16_t bucket;
    bool error;
};
struct series {
    str service, operation;
    uint32_t id;
};
struct spm {
    struct spm_query q;
    struct arena *arena;
    VEC(struct sample) samples;
    VEC(struct series) series;
    struct map by_name;
};

struct spm *spm_new(const struct spm_query *q) {
    assert(q->step_ns > 0 && q->rate_ns > 0 && q->to_ns >= q->from_ns && (q->to_ns - q->from_ns) / q->step_ns < SPM_POINTS_MAX);
    struct spm *s = mem_zalloc(sizeof *s);
    s->q = *q;
    s->arena = arena_new(4096);
    return s;
}

void spm_free(struct spm *s) {
    if (!s) return;
    arena_free(s->arena);
    vec_done(&s->samples);
    vec_done(&s->series);
    map_done(&s->by_name);
    free(s);
}

static bool find_series(struct spm *s, str service, str operation, uint32_t *out, struct err *e) {
    uint64_t hash = hash_mix(hash_str(service), hash_str(operation));
    for (size_t at = map_first(&s->by_name, hash); at != MAP_END; at = map_next(&s->by_name, at, hash)) {
        const struct series *known = &s->series.p[s->by_name.slots[at].value - 1];
        if (str_eq(known->service, service) && str_eq(known->operation, operation)) return *out = known->id, true;
    }
    if (s->series.n == SPM_SERIES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d operations in that time; ask for one service, or without groupByOperation", SPM_SERIES_MAX);
    *out = (uint32_t)s->series.n;
    vec_push(&s->series, ((struct series){arena_str(s->arena, service), arena_str(s->arena, operation), *out}));
    map_put(&s->by_name, hash, s->series.n);
    return true;
}

bool spm_add(struct spm *s, const struct spm_span *x, struct err *e) {
    uint32_t id;
    if (x->start_ns <= s->q.from_ns - s->q.rate_ns || x->start_ns > s->q.to_ns) return true;
    if (s->samples.n == SPM_SPANS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d spans in that time; ask for a shorter lookback or one service", SPM_SPANS_MAX);
    if (!find_series(s, x->service, s->q.by_operation ? x->operation : STR(""), &id, e)) return false;
    vec_push(&s->samples, ((struct sample){x->start_ns, id, (uint16_t)latency_bucket(x->duration_ns), x->error}));
    return true;
}

/* --- answering */

static int by_name(const void *a, const void *b) {
    const struct series *x = a, *y = b;
    int c = str_cmp(x->service, y->service);
    return c ? c : str_cmp(x->operation, y->operation);
}
static int by_series_and_time(const void *a, const void *b) {
    const struct sample *x = a, *y = b;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static void put_label(struct json_out *o, const char *name, str value) {
    json_put_object(o);
    json_put_key_c(o, "name");
    json_put_string(o, str_c(name));
    json_put_key_c(o, "value");
    json_put_string(o, value);
    json_put_object_end(o);
}

static void put_point(struct json_out *o, int64_t t_ns, double v) {
    struct buf time = {0};
    time_put_rfc3339_ns(&time, t_ns);
    json_put_object(o);
    json_put_key_c(o, "gaugeValue");
    json_put_object(o);
    json_put_key_c(o, "doubleValue");
    json_put_double(o, v);
    json_put_object_end(o);
    json_put_key_c(o, "timestamp");
    json_put_string(o, buf_str(&time));
    json_put_object_end(o);
    buf_done(&time);
}

/* What is in the window now. */
struct window {
    uint64_t n, errors;
    uint32_t buckets[LATENCY_BUCKETS];
};
static void window_move(struct window *w, const struct sample *x, int by) {
    w->n += (uint64_t)by;
    w->buckets[x->bucket] += (uint32_t)by;
    if (x->error) w->errors += (uint64_t)by;
}

/* samples: of one series, by time. */
static void put_points(const struct spm_query *q, struct json_out *o, const struct sample *samples, size_t n) {
    struct window w = {0};
    size_t in = 0, out = 0;
    for (int64_t t = q->from_ns; t <= q->to_ns; t += q->step_ns) {
        for (; in < n && samples[in].time_ns <= t; in++) window_move(&w, &samples[in], 1);
        for (; out < in && samples[out].time_ns <= t - q->rate_ns; out++) window_move(&w, &samples[out], -1);
        switch (q->metric) {
        case SPM_LATENCIES:
            if (w.n) put_point(o, t, latency_quantile_ms(w.buckets, w.n, q->quantile));
            break;
        case SPM_CALLS: put_point(o, t, (double)w.n * (double)NS_PER_S / (double)q->rate_ns); break;
        case SPM_ERRORS:
            if (w.n) put_point(o, t, (double)w.errors / (double)w.n);
            break;
        }
    }
}

static void put_head(const struct spm_query *q, struct json_out *o) {
    static const struct {
        const char *name, *help;
    } metrics[] = {[SPM_LATENCIES] = {"latencies", "quantile latency"},
                   [SPM_CALLS] = {"call_rate", "calls/sec"},
                   [SPM_ERRORS] = {"error_rate", "error rate, computed as a fraction of errors/sec over calls/sec"}};
    struct buf text = {0};
    buf_printf(&text, "service%s_%s", q->by_operation ? "_operation" : "", metrics[q->metric].name);
    json_put_key_c(o, "name");
    json_put_string(o, buf_str(&text));
    json_put_key_c(o, "type");
    json_put_string(o, STR("GAUGE"));
    text.n = 0;
    if (q->metric == SPM_LATENCIES) buf_printf(&text, "%.2fth ", q->quantile);
    buf_printf(&text, "%s, grouped by service%s", metrics[q->metric].help, q->by_operation ? " & operation" : "");
    json_put_key_c(o, "help");
    json_put_string(o, buf_str(&text));
    buf_done(&text);
}

void spm_put(struct spm *s, struct json_out *o) {
    uint32_t *rank = mem_alloc((s->series.n + 1) * sizeof *rank);
    if (s->series.n) qsort(s->series.p, s->series.n, sizeof *s->series.p, by_name);
    for (size_t i = 0; i < s->series.n; i++) rank[s->series.p[i].id] = (uint32_t)i;
    for (size_t i = 0; i < s->samples.n; i++) s->samples.p[i].series = rank[s->samples.p[i].series];
    free(rank);
    if (s->samples.n) qsort(s->samples.p, s->samples.n, sizeof *s->samples.p, by_series_and_time);
    json_put_object(o);
    put_head(&s->q, o);
    json_put_key_c(o, "metrics");
    json_put_array(o);
    for (size_t i = 0, at = 0, end; i < s->series.n; i++, at = end) {
        for (end = at; end < s->samples.n && s->samples.p[end].series == i; end++)
            ;
        json_put_object(o);
        json_put_key_c(o, "labels");
        json_put_array(o);
        if (s->q.by_operation) put_label(o, "operation", s->series.p[i].operation);
        put_label(o, "service_name", s->series.p[i].service);
        json_put_array_end(o);
        json_put_key_c(o, "metricPoints");
        json_put_array(o);
        put_points(&s->q, o, s->samples.p + at, end - at);
        json_put_array_end(o);
        json_put_object_end(o);
    }
    json_put_array_end(o);
    json_put_object_end(o);
}
