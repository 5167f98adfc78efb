#include "wire/loki_push.h"

#include "base/clock.h"
#include "codec/compress.h"
#include "codec/json.h"
#include "codec/pb.h"
#include "codec/timefmt.h"
#include "wire/log_batch.h"
#include "wire/log_line.h"

struct loki {
    struct log_batch batch;
    struct arena *arena; /* the batch's */
    int64_t now_ns;
    size_t rejected;
    struct err *why;
};

struct entry {
    int64_t time_ns;
    bool out_of_range;
    str line;
    struct field *metadata;
    size_t metadata_n;
};

static void add_entry(struct loki *l, const struct entry *entry) {
    if (entry->out_of_range) {
        if (l->rejected++ == 0) err_set(l->why, ERR_INPUT, "timestamp out of range (years 1678 to 2262)");
        return;
    }
    struct event *ev = vec_add(&l->batch.events);
    ev->stream = (uint32_t)(l->batch.streams.n - 1);
    const struct log_known known = {.time_ns = entry->time_ns, .now_ns = l->now_ns, .fields = entry->metadata, .field_n = entry->metadata_n};
    log_line_known(entry->line, &known, l->arena, ev);
}

/* --- streams */

/* Loki's discover_service_name, after the label itself. */
static const char *const service_labels[] = {
    "service_name",           "service",   "app",      "application",        "app_name", "name",        "container", "container_name",
    "app_kubernetes_io_name", "component", "workload", "k8s_container_name", "job",      "k8s_job_name"};

static bool add_stream(struct loki *l, struct field *labels, size_t n, struct err *e) {
    if (n == 0) return err_set(e, ERR_INPUT, "error at least one label pair is required per stream");
    struct stream s = {.attrs = labels, .attr_n = n};
    const struct value *service = NULL;
    for (size_t i = 0; i < ARRAY_N(service_labels) && !service; i++) service = fields_get(labels, n, str_c(service_labels[i]));
    if (service) { /* there is room for one more */
        s.service = service->s;
        labels[s.attr_n++] = (struct field){STR("service.name"), *service};
    }
    vec_push(&l->batch.streams, s);
    return true;
}

static bool add_label(struct field *labels, size_t *n, str name, str value, struct err *e) {
    if (name.n == 0) return err_set(e, ERR_INPUT, "stream labels: a label without a name");
    if (*n == LOKI_LABELS_MAX) return err_set(e, ERR_INPUT, "stream labels: more than %d", LOKI_LABELS_MAX);
    labels[(*n)++] = (struct field){name, value_str(value)};
    return true;
}

/* {app="shop", level="info"}: values as Go quotes them, which for what labels hold is how JSON does. */
static bool label_text(struct loki *l, str text, struct err *e) {
    struct field *labels = arena_new_n(l->arena, struct field, LOKI_LABELS_MAX + 1);
    size_t n = 0;
    str rest = str_trim(text);
    if (rest.n < 2 || rest.p[0] != '{' || rest.p[rest.n - 1] != '}')
        return err_set(e, ERR_INPUT, "stream labels: expected {name=\"value\",...}: %" STR_F, STR_A(str_sub(text, 0, 80)));
    rest = str_trim(str_sub(rest, 1, rest.n - 1));
    while (rest.n) {
        str name, value;
        if (!str_cut(&rest, '=', &name))
            return err_set(e, ERR_INPUT, "stream labels: expected '=' after \"%" STR_F "\"", STR_A(str_sub(name, 0, 80)));
        struct json j = json_open(rest, l->arena);
        if (!json_string(&j, &value))
            return err_set(e, ERR_INPUT, "stream labels: expected a quoted value of \"%" STR_F "\"", STR_A(str_sub(name, 0, 80)));
        if (!add_label(labels, &n, str_trim(name), value, e)) return false;
        rest = str_trim(str_from(rest, (size_t)(j.at - j.start)));
        if (rest.n == 0) break;
        if (rest.p[0] != ',')
            return err_set(e, ERR_INPUT, "stream labels: expected ',' behind \"%" STR_F "\"", STR_A(str_sub(str_trim(name), 0, 80)));
        rest = str_trim(str_from(rest, 1));
    }
    return add_stream(l, labels, n, e);
}

/* --- protobuf: PushRequest {streams 1}; Stream {labels 1, entries 2}; Entry {timestamp 1, line 2, structuredMetadata 3 {name 1, value 2}} */

static bool proto_done(const struct pb *c, const char *what, struct err *e) {
    return !c->bad || err_set(e, ERR_INPUT, "not a Loki push: %s is damaged (at its byte %zu)", what, pb_offset(c));
}

static bool time_from_parts(int64_t seconds, int64_t nanos, int64_t *out_ns) {
    int64_t ns;
    return !__builtin_mul_overflow(seconds, NS_PER_S, &ns) && !__builtin_add_overflow(ns, nanos, out_ns);
}

static bool proto_time(str message, struct entry *entry, struct err *e) {
    struct pb c = pb_open(message);
    int64_t seconds = 0, nanos = 0;
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) seconds = pb_i64(&f);
        if (f.num == 2) nanos = (int32_t)pb_i64(&f);
    }
    entry->out_of_range = !time_from_parts(seconds, nanos, &entry->time_ns);
    return proto_done(&c, "a timestamp", e);
}

static bool proto_metadata(str message, struct field *out, struct err *e) {
    struct pb c = pb_open(message);
    *out = (struct field){.value = value_str(STR(""))};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) out->key = pb_bytes(&f);
        if (f.num == 2) out->value.s = pb_bytes(&f);
    }
    return proto_done(&c, "structured metadata", e);
}

static bool proto_entry(struct loki *l, str message, struct err *e) {
    struct entry entry = {0};
    size_t metadata_n = 0;
    struct pb counting = pb_open(message);
    for (struct pb_field f; pb_next(&counting, &f);) metadata_n += f.num == 3;
    entry.metadata = arena_new_n(l->arena, struct field, metadata_n);
    struct pb c = pb_open(message);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1 && !proto_time(pb_bytes(&f), &entry, e)) return false;
        if (f.num == 2) entry.line = pb_bytes(&f);
        if (f.num != 3) continue;
        struct field *m = &entry.metadata[entry.metadata_n];
        if (!proto_metadata(pb_bytes(&f), m, e)) return false;
        entry.metadata_n += m->key.n > 0;
    }
    if (!proto_done(&c, "an entry", e)) return false;
    add_entry(l, &entry);
    return true;
}

static bool proto_stream(struct loki *l, str message, struct err *e) {
    str labels = STR("");
    struct pb first = pb_open(message); /* entries may stand before the labels */
    for (struct pb_field f; pb_next(&first, &f);)
        if (f.num == 1) labels = pb_bytes(&f);
    if (!proto_done(&first, "a stream", e) || !label_text(l, labels, e)) return false;
    struct pb c = pb_open(message);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 2 && !proto_entry(l, pb_bytes(&f), e)) return false;
    return true;
}

static bool proto_push(struct loki *l, str message, struct err *e) {
    struct pb c = pb_open(message);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 1 && !proto_stream(l, pb_bytes(&f), e)) return false;
    return proto_done(&c, "the request", e);
}

/* --- JSON */

/* A number too, though Loki wants text. false: no whole number. */
static bool json_time(struct json *j, struct entry *entry) {
    str text;
    if (json_peek(j) == JSON_STRING ? !json_string(j, &text) : !json_number_text(j, &text)) return false;
    if (str_i64(text, &entry->time_ns)) return true;
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') digits++;
    entry->out_of_range = digits == text.n && digits > 18;
    if (!entry->out_of_range) json_fail(j, "a time in nanoseconds since 1970");
    return entry->out_of_range;
}

/* ["1795348800000000000", "the line", {"trace_id": "..."}] */
static void json_entry(struct loki *l, struct json *j) {
    struct entry entry = {0};
    json_array(j);
    if (!json_next_item(j)) return json_fail(j, "[time, line]");
    if (!json_time(j, &entry)) return;
    if (!json_next_item(j) || !json_string(j, &entry.line)) return json_fail(j, "a line behind the time");
    while (json_next_item(j)) {
        struct value metadata = {0};
        json_value(j, &metadata);
        if (metadata.type != VAL_MAP) continue;
        entry.metadata = (struct field *)(uintptr_t)metadata.fields; /* the tree is ours */
        entry.metadata_n = metadata.n;
    }
    if (!j->bad) add_entry(l, &entry);
}

static void json_labels(struct loki *l, struct json *j, struct err *e) {
    struct field *labels = arena_new_n(l->arena, struct field, LOKI_LABELS_MAX + 1);
    size_t n = 0;
    json_object(j);
    for (str name, value; json_next_key(j, &name);)
        if (!json_string(j, &value) || !add_label(labels, &n, name, value, e)) return;
    if (!j->bad) add_stream(l, labels, n, e);
}

/* Before Loki 1.0: {"ts": "2026-11-22T12:00:00Z", "line": "..."} */
static void json_old_entry(struct loki *l, struct json *j) {
    struct entry entry = {0};
    str time = STR("");
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        if (str_eq(key, STR("ts")) || str_eq(key, STR("timestamp")))
            json_string(j, &time);
        else if (str_eq(key, STR("line")))
            json_string(j, &entry.line);
        else
            json_skip(j);
    }
    if (!time_parse_rfc3339(time, &entry.time_ns, NULL)) json_fail(j, "\"ts\" as RFC 3339 text");
    if (!j->bad) add_entry(l, &entry);
}

/* One object of "streams". The labels may stand behind the values: the first pass looks only for them. */
static void json_stream(struct loki *l, struct json *j, struct err *e) {
    struct json first = *j;
    size_t streams = l->batch.streams.n;
    json_object(&first);
    for (str key; json_next_key(&first, &key);) {
        str text;
        if (str_eq(key, STR("stream")))
            json_labels(l, &first, e);
        else if (!str_eq(key, STR("labels")))
            json_skip(&first);
        else if (json_string(&first, &text))
            label_text(l, text, e);
        if (e->code != ERR_NONE) return;
    }
    if (first.bad) {
        *j = first;
        return;
    }
    if (l->batch.streams.n == streams) return json_fail(j, "a \"stream\" with labels");
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        bool now = str_eq(key, STR("values")), old = str_eq(key, STR("entries"));
        if (!now && !old) {
            json_skip(j);
            continue;
        }
        json_array(j);
        while (json_next_item(j)) now ? json_entry(l, j) : json_old_entry(l, j);
    }
}

static bool json_push(struct loki *l, str body, struct err *e) {
    struct json j = json_open(body, l->arena);
    struct err inner = {0};
    json_object(&j);
    for (str key; json_next_key(&j, &key);) {
        if (!str_eq(key, STR("streams"))) {
            json_skip(&j);
            continue;
        }
        json_array(&j);
        while (inner.code == ERR_NONE && json_next_item(&j)) json_stream(l, &j, &inner);
        if (inner.code != ERR_NONE) return err_set(e, inner.code, "%s", inner.msg);
    }
    return json_done(&j, e);
}

/* --- both */

static bool decode(struct loki *l, enum loki_encoding encoding, str body, size_t decoded_max, struct err *e) {
    if (encoding == LOKI_JSON) return json_push(l, arena_str(l->arena, body), e);
    AUTO(buf_done) struct buf message = {0};
    if (!snappy_decode(body, decoded_max, &message, e)) return false;
    return proto_push(l, arena_str(l->arena, buf_str(&message)), e);
}

bool loki_push_decode(enum loki_encoding encoding, str body, size_t decoded_max, int64_t now_ns, struct event_batch **out, size_t *rejected,
                      struct err *why, struct err *e) {
    struct loki l = {.batch = log_batch_new(MIN(body.n * 4 + 4096, (size_t)1 << 20)), .now_ns = now_ns, .why = why};
    l.arena = l.batch.arena;
    if (!decode(&l, encoding, body, decoded_max, e)) {
        log_batch_done(&l.batch);
        return false;
    }
    *rejected = l.rejected;
    *out = log_batch_finish(&l.batch);
    return true;
}
