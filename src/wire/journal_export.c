#include "wire/journal_export.h"

#include <endian.h>

#include "wire/log_line.h"
#include "wire/severity.h"

enum { NAME_MAX_BYTES = 64 /* systemd's own limit */, FIELDS_MAX = 1024 /* likewise */ };

struct journal {
    str all, rest;
    struct log_batch *batch;
    int64_t now_ns;
};
struct entry {
    str message, host, unit, identifier, container, command;
    int64_t time_ns;
    uint64_t priority; /* > 7: none */
    struct {
        struct field *p;
        size_t n, cap;
    } fields;
};

static bool damaged(const struct journal *j, const char *what, struct err *e) {
    return err_set(e, ERR_INPUT, "not a journal export: %s (at byte %zu)", what, j->all.n - j->rest.n);
}

/* The next field. An empty name: the end of an entry. */
static bool next_field(struct journal *j, str *name, str *value, struct err *e) {
    size_t end = str_find_char(j->rest, '\n');
    if (end == STR_NONE) return damaged(j, "a line without its end", e);
    str line = str_sub(j->rest, 0, end);
    *name = line;
    *value = line;
    bool text = str_cut(value, '=', name);
    if (name->n > NAME_MAX_BYTES || (text && name->n == 0)) return damaged(j, "expected a field name of 1 to 64 bytes", e);
    j->rest = str_from(j->rest, end + 1);
    if (text || line.n == 0) return true;
    uint64_t n;
    if (j->rest.n < sizeof n) return damaged(j, "expected the length of a field", e);
    memcpy(&n, j->rest.p, sizeof n);
    n = le64toh(n);
    if (n >= j->rest.n - sizeof n || j->rest.p[sizeof n + n] != '\n') return damaged(j, "a field longer than the body, or without its end", e);
    *value = str_sub(j->rest, sizeof n, sizeof n + n);
    j->rest = str_from(j->rest, sizeof n + n + 1);
    return true;
}

static void add_again(struct arena *a, struct value *list, str value) {
    uint32_t n = list->type == VAL_ARRAY ? list->n : 1;
    struct value *items = arena_new_n(a, struct value, n + 1);
    if (list->type == VAL_ARRAY)
        memcpy(items, list->items, n * sizeof *items);
    else
        items[0] = *list;
    items[n] = value_str(value);
    *list = (struct value){.type = VAL_ARRAY, .n = n + 1, .items = items};
}

static bool add_field(struct journal *j, struct entry *en, str name, str value, struct err *e) {
    if (str_starts(name, STR("__"))) {
        int64_t us;
        if (str_eq(name, STR("__REALTIME_TIMESTAMP")) && str_i64(value, &us) && us >= 0 && us < INT64_MAX / 1000) en->time_ns = us * 1000;
        return true;
    }
    const struct {
        str name, *to;
    } known[] = {{STR("MESSAGE"), &en->message},          {STR("_HOSTNAME"), &en->host},
                 {STR("_SYSTEMD_UNIT"), &en->unit},       {STR("SYSLOG_IDENTIFIER"), &en->identifier},
                 {STR("CONTAINER_NAME"), &en->container}, {STR("_COMM"), &en->command}};
    for (size_t i = 0; i < ARRAY_N(known); i++)
        if (str_eq(name, known[i].name)) *known[i].to = value;
    if (str_eq(name, STR("MESSAGE"))) return true;
    if (str_eq(name, STR("PRIORITY")) && !str_u64(value, &en->priority)) en->priority = UINT64_MAX;
    for (size_t i = 0; i < en->fields.n; i++) {
        if (!str_eq(en->fields.p[i].key, name)) continue;
        add_again(j->batch->arena, &en->fields.p[i].value, value);
        return true;
    }
    if (en->fields.n == FIELDS_MAX) return damaged(j, "more than 1024 fields in one entry", e);
    avec_push(j->batch->arena, &en->fields, ((struct field){name, value_str(value)}));
    return true;
}

static uint32_t stream_of(struct journal *j, const struct entry *en) {
    str unit = str_ends(en->unit, STR(".service")) ? str_sub(en->unit, 0, en->unit.n - 8) : en->unit;
    const str names[] = {en->container, en->identifier, unit, en->command};
    str service = STR("");
    for (size_t i = 0; i < ARRAY_N(names) && !service.n; i++) service = names[i];
    uint32_t at;
    if (!log_batch_stream(j->batch, en->host, service, &at)) return at;
    struct field *attrs = arena_new_n(j->batch->arena, struct field, 2);
    size_t n = 0;
    if (en->host.n) attrs[n++] = (struct field){STR("host.name"), value_str(en->host)};
    if (service.n) attrs[n++] = (struct field){STR("service.name"), value_str(service)};
    j->batch->streams.p[at] = (struct stream){.service = service, .attrs = attrs, .attr_n = n};
    return at;
}

static void end_entry(struct journal *j, const struct entry *en) {
    const struct log_known known = {.time_ns = en->time_ns, .now_ns = j->now_ns, .fields = en->fields.p, .field_n = en->fields.n};
    struct event *ev = vec_add(&j->batch->events);
    log_line_known(en->message, &known, j->batch->arena, ev);
    ev->stream = stream_of(j, en);
    severity_from_syslog(en->priority, &ev->severity, &ev->severity_text);
}

static bool read_all(struct journal *j, struct err *e) {
    const struct entry fresh = {.time_ns = j->now_ns, .priority = UINT64_MAX};
    struct entry en = fresh;
    bool open = false;
    while (j->rest.n) {
        str name, value;
        if (!next_field(j, &name, &value, e)) return false;
        if (name.n && !add_field(j, &en, name, value, e)) return false;
        if (name.n == 0 && open) end_entry(j, &en);
        if (name.n == 0) en = fresh;
        open = name.n > 0;
    }
    if (open) end_entry(j, &en);
    return true;
}

bool journal_export_decode(str body, int64_t now_ns, struct event_batch **out, struct err *e) {
    struct log_batch batch = log_batch_new(MIN(body.n * 2 + 4096, (size_t)1 << 20));
    struct journal j = {.batch = &batch, .now_ns = now_ns};
    j.all = j.rest = arena_str(batch.arena, body);
    if (!read_all(&j, e)) {
        log_batch_done(&batch);
        return false;
    }
    *out = log_batch_finish(&batch);
    return true;
}
