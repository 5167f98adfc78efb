#include "wire/doc_event.h"

#include "codec/isodate.h"
#include "codec/timefmt.h"
#include "wire/severity.h"

enum role { ROLE_TIME, ROLE_BODY, ROLE_SEVERITY, ROLE_TRACE, ROLE_SPAN, ROLE_N };

/* Earlier rows win. `parent` set: the key inside that object. */
static const struct role_key {
    str key, parent;
    enum role role;
} role_keys[] = {
    {STR_INIT("@timestamp"), STR_INIT(""), ROLE_TIME},   {STR_INIT("timestamp"), STR_INIT(""), ROLE_TIME},
    {STR_INIT("time"), STR_INIT(""), ROLE_TIME},         {STR_INIT("ts"), STR_INIT(""), ROLE_TIME},
    {STR_INIT("message"), STR_INIT(""), ROLE_BODY},      {STR_INIT("log"), STR_INIT(""), ROLE_BODY},
    {STR_INIT("msg"), STR_INIT(""), ROLE_BODY},          {STR_INIT("severity"), STR_INIT(""), ROLE_SEVERITY},
    {STR_INIT("level"), STR_INIT(""), ROLE_SEVERITY},    {STR_INIT("log.level"), STR_INIT(""), ROLE_SEVERITY},
    {STR_INIT("level"), STR_INIT("log"), ROLE_SEVERITY}, {STR_INIT("severity_text"), STR_INIT(""), ROLE_SEVERITY},
    {STR_INIT("trace_id"), STR_INIT(""), ROLE_TRACE},    {STR_INIT("traceId"), STR_INIT(""), ROLE_TRACE},
    {STR_INIT("trace.id"), STR_INIT(""), ROLE_TRACE},    {STR_INIT("id"), STR_INIT("trace"), ROLE_TRACE},
    {STR_INIT("span_id"), STR_INIT(""), ROLE_SPAN},      {STR_INIT("spanId"), STR_INIT(""), ROLE_SPAN},
    {STR_INIT("span.id"), STR_INIT(""), ROLE_SPAN},      {STR_INIT("id"), STR_INIT("span"), ROLE_SPAN},
};

struct roles {
    const struct value *value[ROLE_N];
    uint8_t row[ROLE_N]; /* of role_keys; ARRAY_N: not found */
};

static void find_roles_in(const struct field *f, size_t n, str parent, struct roles *r) {
    for (size_t i = 0; i < n; i++) {
        str key = f[i].key;
        if (key.n < 2 || key.n > 13) continue;
        for (uint8_t row = 0; row < ARRAY_N(role_keys); row++) {
            const struct role_key *k = &role_keys[row];
            if (k->key.n != key.n || k->key.p[0] != key.p[0] || row >= r->row[k->role]) continue;
            if (!str_eq(k->key, key) || !str_eq(k->parent, parent)) continue;
            if (k->role == ROLE_BODY && f[i].value.type != VAL_STRING) continue; /* "log": {...} is no message */
            r->value[k->role] = &f[i].value;
            r->row[k->role] = row;
        }
        if (parent.n == 0 && f[i].value.type == VAL_MAP && key.n <= 5) find_roles_in(f[i].value.fields, f[i].value.n, key, r);
    }
}

static struct roles find_roles(const struct field *f, size_t n) {
    struct roles r = {0};
    memset(r.row, ARRAY_N(role_keys), sizeof r.row);
    find_roles_in(f, n, STR(""), &r);
    return r;
}

/* ns per unit of a number of s, ms, us or ns since 1970, told apart by size: no log is older than 1973 or newer than 5138. */
static int64_t epoch_unit_ns(double v, bool at_least_ms) {
    double a = v < 0 ? -v : v;
    return a >= 1e17 ? 1 : a >= 1e14 ? 1000 : a >= 1e11 || at_least_ms ? 1000000 : 1000000000;
}

static bool epoch_int(int64_t v, bool at_least_ms, int64_t *out_ns) {
    int64_t ns;
    if (__builtin_mul_overflow(v, epoch_unit_ns((double)v, at_least_ms), &ns)) return false;
    *out_ns = ns;
    return true;
}

static bool epoch_double(double v, bool at_least_ms, int64_t *out_ns) {
    int64_t ns;
    if (!(v > -9.2e18 && v < 9.2e18) || !epoch_int((int64_t)v, at_least_ms, &ns)) return false;
    double fraction = v - (double)(int64_t)v;
    return !__builtin_add_overflow(ns, (int64_t)(fraction * (double)epoch_unit_ns(v, at_least_ms)), out_ns);
}

static bool read_time(const struct value *v, bool at_least_ms, int64_t *out_ns) {
    int64_t number, end_ns;
    switch (v->type) {
    case VAL_INT: return epoch_int(v->i, at_least_ms, out_ns);
    case VAL_DOUBLE: return epoch_double(v->d, at_least_ms, out_ns);
    case VAL_STRING:
        if (time_parse_rfc3339(v->s, out_ns, NULL)) return true;
        if (str_i64(v->s, &number)) return epoch_int(number, at_least_ms, out_ns);
        return isodate_parse(v->s, 0, out_ns, &end_ns);
    case VAL_NULL:
    case VAL_BOOL:
    case VAL_BYTES:
    case VAL_ARRAY:
    case VAL_MAP: break;
    }
    return false;
}

static void read_trace_id(const struct value *v, struct trace_id *out) {
    if (v->type != VAL_STRING || v->s.n > 32) return;
    str low = v->s.n > 16 ? str_from(v->s, v->s.n - 16) : v->s;
    struct trace_id id = {0};
    if (!str_hex_u64(low, &id.lo)) return;
    if (v->s.n > 16 && !str_hex_u64(str_sub(v->s, 0, v->s.n - 16), &id.hi)) return;
    *out = id;
}

bool doc_event(struct event *ev, int64_t now_ns, struct err *e) {
    struct roles r = find_roles(ev->attrs, ev->attr_n);
    ev->kind = EVENT_LOG;
    ev->observed_ns = now_ns;
    ev->time_ns = now_ns;
    if (r.value[ROLE_BODY]) ev->body = r.value[ROLE_BODY]->s;
    const struct value *level = r.value[ROLE_SEVERITY];
    if (level) ev->severity = severity_from_value(level);
    if (level && level->type == VAL_STRING) ev->severity_text = level->s;
    if (r.value[ROLE_TRACE]) read_trace_id(r.value[ROLE_TRACE], &ev->trace);
    const struct value *span = r.value[ROLE_SPAN];
    if (span && span->type == VAL_STRING && !str_hex_u64(span->s, &ev->span_id)) ev->span_id = 0;

    const struct value *time = r.value[ROLE_TIME];
    bool is_date_field = time && r.row[ROLE_TIME] == 0;
    if (!time || read_time(time, is_date_field, &ev->time_ns) || !is_date_field || time->type == VAL_NULL) return true;
    return err_set(e, ERR_INPUT, "failed to parse field [@timestamp] of type [date]: expected ISO text or milliseconds since 1970");
}
