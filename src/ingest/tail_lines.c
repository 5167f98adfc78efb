#include "ingest/tail_lines.h"

#include "wire/container_line.h"
#include "wire/log_line.h"

void tail_lines_open(struct tail_lines *t, const struct tail_lines_settings *s, struct tail_lines_stats *stats) {
    *t = (struct tail_lines){.settings = s, .stats = stats};
    for (size_t i = 0; i < TAIL_STREAM_N; i++) t->multiline[i].rules = s->multiline ? MULTILINE_ALL : 0;
}

void tail_lines_done(struct tail_lines *t) {
    for (size_t i = 0; i < TAIL_STREAM_N; i++) {
        buf_done(&t->pieces[i].text);
        buf_done(&t->event[i].text);
    }
}

void tail_lines_forget(struct tail_lines *t) {
    for (size_t i = 0; i < TAIL_STREAM_N; i++) {
        buf_clear(&t->pieces[i].text);
        buf_clear(&t->event[i].text);
        t->multiline[i].state = MULTILINE_NOTHING;
    }
}

static str stream_name(enum tail_stream s) {
    return s == TAIL_STDERR ? STR("stderr") : STR("stdout");
}

void tail_lines_ask_pod(struct tail_lines *t, str path) {
    struct pod_ref pod;
    struct pod_info info = {0};
    const struct pod_source *pods = t->settings->pods;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    if (!pods || !pod_ref_from_path(path, &pod) || !pods->lookup(pods->arg, &pod, a, &info)) return;
    for (enum tail_stream s = TAIL_STDOUT; s <= TAIL_STDERR; s++) {
        struct pod_wishes w = pod_wishes(&info, pod.container_name, stream_name(s));
        t->exclude[s] = w.exclude;
        t->multiline[s].rules = t->settings->multiline ? w.multiline : 0;
    }
}

bool tail_lines_waiting(const struct tail_lines *t, uint64_t *first) {
    *first = UINT64_MAX;
    for (size_t i = 0; i < TAIL_STREAM_N; i++) {
        if (t->pieces[i].text.n) *first = MIN(*first, t->pieces[i].start);
        if (t->event[i].text.n) *first = MIN(*first, t->event[i].start);
    }
    return *first != UINT64_MAX;
}

/* --- events */

static void add_event(enum tail_stream s, str text, int64_t time_ns, int64_t now_ns, struct log_batch *out) {
    struct event *e = vec_add(&out->events);
    log_line_event(text, time_ns, out->arena, e);
    e->observed_ns = now_ns;
    if (s == TAIL_PLAIN) return;
    struct field *attrs = arena_new_n(out->arena, struct field, e->attr_n + 1);
    attrs[0] = (struct field){STR("stream"), value_str(stream_name(s))};
    if (e->attr_n) memcpy(attrs + 1, e->attrs, e->attr_n * sizeof *attrs);
    e->attrs = attrs;
    e->attr_n++;
}

static void end_event(struct tail_lines *t, enum tail_stream s, int64_t now_ns, struct log_batch *out) {
    struct tail_wait *w = &t->event[s];
    if (w->text.n == 0) return;
    add_event(s, arena_str(out->arena, buf_str(&w->text)), w->time_ns, now_ns, out);
    buf_clear(&w->text);
}

/* A whole line of a stream. */
static void take_whole(struct tail_lines *t, enum tail_stream s, str line, uint64_t at, int64_t time_ns, int64_t now_ns, struct log_batch *out) {
    struct tail_wait *w = &t->event[s];
    if (t->exclude[s]) {
        t->stats->excluded_lines++;
        return;
    }
    bool more = multiline_continues(&t->multiline[s], line) && w->text.n && w->text.n + line.n < t->settings->line_bytes_max;
    if (more) {
        buf_char(&w->text, '\n');
        buf_add(&w->text, line);
        t->stats->joined_lines++;
        return;
    }
    end_event(t, s, now_ns, out);
    if (line.n == 0) return;
    if (t->multiline[s].rules == 0) return add_event(s, line, time_ns, now_ns, out);
    w->start = at;
    w->time_ns = time_ns;
    buf_add(&w->text, line);
}

/* A piece of a line of a container, and perhaps its end. */
static void take_piece(struct tail_lines *t, enum tail_stream s, const struct container_line *c, uint64_t at, int64_t now_ns, struct log_batch *out) {
    struct tail_wait *w = &t->pieces[s];
    if (w->text.n == 0) w->start = at, w->time_ns = c->time_ns;
    size_t room = t->settings->line_bytes_max - MIN(w->text.n, t->settings->line_bytes_max);
    if (c->message.n > room) t->stats->cut_lines++;
    buf_add(&w->text, str_sub(c->message, 0, room));
    if (c->partial) return;
    take_whole(t, s, arena_str(out->arena, buf_str(&w->text)), w->start, w->time_ns, now_ns, out);
    buf_clear(&w->text);
}

void tail_lines_take(struct tail_lines *t, str line, uint64_t at, int64_t now_ns, struct log_batch *out) {
    struct container_line c;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (!container_line_parse(line, out->arena, &c)) return take_whole(t, TAIL_PLAIN, line, at, now_ns, now_ns, out);
    enum tail_stream s = str_eq(c.stream, STR("stderr")) ? TAIL_STDERR : TAIL_STDOUT;
    if (c.partial || t->pieces[s].text.n) return take_piece(t, s, &c, at, now_ns, out);
    take_whole(t, s, c.message, at, c.time_ns, now_ns, out);
}

void tail_lines_settle(struct tail_lines *t, bool idle, int64_t now_ns, struct log_batch *out) {
    for (enum tail_stream s = TAIL_STDOUT; s < TAIL_STREAM_N; s++)
        if (idle || !multiline_expects_more(&t->multiline[s], buf_str(&t->event[s].text))) end_event(t, s, now_ns, out);
}

void tail_lines_flush(struct tail_lines *t, int64_t now_ns, struct log_batch *out) {
    for (enum tail_stream s = TAIL_STDOUT; s < TAIL_STREAM_N; s++) {
        struct tail_wait *w = &t->pieces[s];
        if (w->text.n) take_whole(t, s, arena_str(out->arena, buf_str(&w->text)), w->start, w->time_ns, now_ns, out);
        buf_clear(&w->text);
        end_event(t, s, now_ns, out);
    }
}

/* --- the stream */

void tail_lines_describe(struct tail_lines *t, str path, struct log_batch *out) {
    struct arena *a = out->arena;
    path = arena_str(a, path);
    struct field *attrs = arena_new_n(a, struct field, POD_ATTRS_MAX + 2);
    size_t n = 0;
    str service;
    struct pod_ref pod;
    struct pod_info info = {0};
    const struct pod_source *pods = t->settings->pods;
    if (pod_ref_from_path(path, &pod)) {
        bool known = pods && pods->lookup(pods->arg, &pod, a, &info);
        n = pod_attrs(&pod, known ? &info : NULL, attrs);
        service = pod_service(&pod, known ? &info : NULL);
    } else {
        str folder;
        service = path;
        while (str_find_char(service, '/') != STR_NONE) str_cut(&service, '/', &folder);
        service = str_sub(service, 0, str_find(service, STR(".log")));
    }
    attrs[n++] = (struct field){STR("log.file.path"), value_str(path)};
    attrs[n++] = (struct field){STR("service.name"), value_str(service)};
    vec_push(&out->streams, ((struct stream){.service = service, .attrs = attrs, .attr_n = n}));
}
