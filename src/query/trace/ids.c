#include "query/trace/ids.h"

#include <stdio.h>

bool trace_id_parse(str s, struct trace_id *out, struct err *e) {
    size_t high_n = s.n > 16 ? s.n - 16 : 0;
    struct trace_id id = {0};
    bool ok = s.n <= 32 && str_hex_u64(str_from(s, high_n), &id.lo) && (high_n == 0 || str_hex_u64(str_sub(s, 0, high_n), &id.hi));
    if (!ok) return err_set(e, ERR_INPUT, "not a trace id: \"%" STR_F "\" (1 to 32 hex digits)", STR_A(str_sub(s, 0, 64)));
    *out = id;
    return true;
}

void trace_id_put_32(struct json_out *o, struct trace_id id) {
    char hex[33];
    snprintf(hex, sizeof hex, "%016llx%016llx", (unsigned long long)id.hi, (unsigned long long)id.lo);
    json_put_string(o, str_n(hex, 32));
}

void span_id_put(struct json_out *o, uint64_t id) {
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)id);
    json_put_string(o, str_n(hex, 16));
}

void trace_id_put(struct json_out *o, struct trace_id id) {
    if (id.hi)
        trace_id_put_32(o, id);
    else
        span_id_put(o, id.lo);
}
