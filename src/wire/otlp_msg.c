#include "wire/otlp_msg.h"

#include "codec/num.h"
#include "codec/text.h"
#include "model/event.h"

#define AT(type, out, f) (*(type *)((char *)(out) + (f)->at))

static bool fail(struct otlp_ctx *ctx, enum err_code code, const char *what, size_t offset) {
    if (ctx->err.code == ERR_NONE) err_set(&ctx->err, code, "%s (at byte %zu)", what, offset);
    return false;
}

static size_t offset_of(const struct otlp_ctx *ctx, const void *p) {
    return (size_t)((const char *)p - ctx->text.p);
}

static bool within_budget(struct otlp_ctx *ctx, size_t more_bytes, const void *at) {
    if (more_bytes <= ctx->arena_max && arena_used_bytes(ctx->arena) <= ctx->arena_max - more_bytes) return true;
    return fail(ctx, ERR_TOO_LARGE, "the request is too large once decoded: send smaller batches", offset_of(ctx, at));
}

static uint64_t big_endian(const char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static void set_trace_id(struct otlp_ctx *ctx, str bytes, struct trace_id *out) {
    if (bytes.n == 16)
        *out = (struct trace_id){big_endian(bytes.p), big_endian(bytes.p + 8)};
    else if (bytes.n == 8)
        *out = (struct trace_id){0, big_endian(bytes.p)};
    else if (bytes.n != 0)
        ctx->bad_id = true;
}

static void set_span_id(struct otlp_ctx *ctx, str bytes, uint64_t *out) {
    if (bytes.n == 8)
        *out = big_endian(bytes.p);
    else if (bytes.n != 0)
        ctx->bad_id = true;
}

static void mark_seen(const struct otlp_msg *msg, void *out, size_t number) {
    if (msg->has_seen) *(uint64_t *)out |= UINT64_C(1) << number;
}

/* --- protobuf ------------------------------------------------------------------------------------------------------------------------ */

/* How many fields `number` lie between the cursor and the end: so that a repeated field gets its exact array at once. */
static size_t count_rest(struct pb c, uint32_t number) {
    size_t n = 0;
    for (struct pb_field f; pb_next(&c, &f);) n += f.num == number;
    return n;
}

/* Room for the items of a repeated field: `now` has been read, the rest follows in c. A second run of the same field keeps what the first gave. */
static void *list_room(struct otlp_ctx *ctx, struct otlp_list *list, size_t *cap, const struct pb *c, uint32_t number, size_t item_bytes) {
    if (*cap > list->n) return (char *)list->p + list->n * item_bytes;
    size_t n = 1 + count_rest(*c, number);
    if (!within_budget(ctx, n * item_bytes, c->at)) return NULL;
    char *items = arena_alloc(ctx->arena, (list->n + n) * item_bytes);
    if (list->n) memcpy(items, list->p, list->n * item_bytes);
    *cap = list->n + n;
    list->p = items;
    return items + list->n * item_bytes;
}

static bool pb_value(struct otlp_ctx *ctx, str bytes, unsigned depth, struct value *out);

static bool pb_key_value(struct otlp_ctx *ctx, str bytes, unsigned depth, struct field *out) {
    struct pb c = pb_open(bytes);
    *out = (struct field){.key = STR("")};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            out->key = pb_bytes(&f);
        else if (f.num == 2 && f.type == PB_BYTES && !pb_value(ctx, f.bytes, depth, &out->value))
            return false;
    }
    return !c.bad || fail(ctx, ERR_INPUT, "not protobuf: a broken KeyValue", offset_of(ctx, c.at));
}

/* ArrayValue{1: repeated AnyValue}, KeyValueList{1: repeated KeyValue} */
static bool pb_items(struct otlp_ctx *ctx, str bytes, unsigned depth, struct value *out) {
    struct pb c = pb_open(bytes);
    bool is_map = out->type == VAL_MAP;
    size_t item_bytes = is_map ? sizeof(struct field) : sizeof(struct value), cap = 0;
    struct otlp_list list = {0};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num != 1 || f.type != PB_BYTES) continue;
        void *room = list_room(ctx, &list, &cap, &c, 1, item_bytes);
        if (!room) return false;
        if (is_map ? !pb_key_value(ctx, f.bytes, depth, room) : !pb_value(ctx, f.bytes, depth, room)) return false;
        list.n++;
    }
    out->n = (uint32_t)list.n;
    out->items = list.p;
    return !c.bad || fail(ctx, ERR_INPUT, "not protobuf: a broken AnyValue list", offset_of(ctx, c.at));
}

static bool pb_value(struct otlp_ctx *ctx, str bytes, unsigned depth, struct value *out) {
    struct pb c = pb_open(bytes);
    *out = (struct value){.type = VAL_NULL};
    if (depth == OTLP_DEPTH_MAX) return fail(ctx, ERR_INPUT, "an attribute is nested deeper than 32 levels", offset_of(ctx, bytes.p));
    for (struct pb_field f; pb_next(&c, &f);) {
        switch (f.num) {
        case 1: *out = value_str(pb_bytes(&f)); break;
        case 2: *out = value_bool(f.u != 0 && f.type != PB_BYTES); break;
        case 3: *out = value_int(pb_i64(&f)); break;
        case 4: *out = value_double(pb_double(&f)); break;
        case 5:
        case 6:
            *out = (struct value){.type = f.num == 5 ? VAL_ARRAY : VAL_MAP};
            if (!pb_items(ctx, pb_bytes(&f), depth + 1, out)) return false;
            break;
        case 7: *out = (struct value){.type = VAL_BYTES, .s = pb_bytes(&f)}; break;
        default: break;
        }
    }
    return !c.bad || fail(ctx, ERR_INPUT, "not protobuf: a broken AnyValue", offset_of(ctx, c.at));
}

/* Doubles are their bits: both kinds of list are 8-byte numbers. */
static bool pb_numbers(struct otlp_ctx *ctx, const struct pb_field *f, enum pb_type element, struct otlp_list *list) {
    const void *where = f->type == PB_BYTES ? f->bytes.p : ctx->text.p;
    struct pb_packed count = pb_packed_open(f, element), read = count;
    size_t n = 0;
    for (uint64_t ignored; pb_packed_next(&count, &ignored);) n++;
    if (count.c.bad) return fail(ctx, ERR_INPUT, "not protobuf: a broken list of numbers", offset_of(ctx, where));
    if (!within_budget(ctx, (list->n + n) * 8, where)) return false;
    list->p = arena_grow(ctx->arena, (void *)list->p, list->n * 8, (list->n + n) * 8);
    uint64_t *numbers = (uint64_t *)list->p + list->n;
    while (pb_packed_next(&read, numbers)) numbers++;
    list->n += n;
    return true;
}

enum { REPEATED_MAX = 4 }; /* repeated struct fields in one message */

struct pb_caps {
    uint32_t number[REPEATED_MAX];
    size_t cap[REPEATED_MAX];
};
static size_t *cap_of(struct pb_caps *caps, uint32_t number) {
    size_t i = 0;
    while (caps->number[i] != number && caps->number[i] != 0) i++;
    assert(i < REPEATED_MAX);
    caps->number[i] = number;
    return &caps->cap[i];
}

static bool pb_message(struct otlp_ctx *ctx, str bytes, const struct otlp_msg *msg, void *out);

static bool pb_list_item(struct otlp_ctx *ctx, const struct otlp_field *d, const struct pb_field *f, const struct pb *c, size_t *cap, void *out) {
    struct otlp_list *list = &AT(struct otlp_list, out, d);
    size_t item_bytes = d->kind == OTLP_ATTRS ? sizeof(struct field) : d->msg->bytes;
    void *room = list_room(ctx, list, cap, c, f->num, item_bytes);
    if (!room) return false;
    list->n++;
    if (d->kind == OTLP_ATTRS) return pb_key_value(ctx, f->bytes, 0, room);
    return pb_message(ctx, f->bytes, d->msg, memset(room, 0, item_bytes));
}

static bool pb_each(struct otlp_ctx *ctx, const struct otlp_msg *msg, str bytes) {
    _Alignas(16) char item[OTLP_STRUCT_MAX];
    assert(msg->bytes <= sizeof item);
    memset(item, 0, msg->bytes);
    if (!pb_message(ctx, bytes, msg, item)) return false;
    msg->done(ctx, item);
    return ctx->err.code == ERR_NONE && within_budget(ctx, 0, bytes.p);
}

static bool pb_message(struct otlp_ctx *ctx, str bytes, const struct otlp_msg *msg, void *out) {
    struct pb c = pb_open(bytes);
    struct pb_caps caps = {0};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num >= msg->field_n) continue;
        const struct otlp_field *d = &msg->fields[f.num];
        bool is_bytes = f.type == PB_BYTES, ok = true;
        switch (d->kind) {
        case OTLP_NONE: continue;
        case OTLP_STRING: AT(str, out, d) = pb_bytes(&f); break;
        case OTLP_TRACE_ID: set_trace_id(ctx, pb_bytes(&f), &AT(struct trace_id, out, d)); break;
        case OTLP_SPAN_ID: set_span_id(ctx, pb_bytes(&f), &AT(uint64_t, out, d)); break;
        case OTLP_U64:
        case OTLP_I64: AT(int64_t, out, d) = pb_i64(&f); break;
        case OTLP_U32: AT(uint32_t, out, d) = (uint32_t)pb_i64(&f); break;
        case OTLP_SINT32: AT(int32_t, out, d) = (int32_t)pb_sint(&f); break;
        case OTLP_DOUBLE: AT(double, out, d) = pb_double(&f); break;
        case OTLP_BOOL: AT(bool, out, d) = pb_i64(&f) != 0; break;
        case OTLP_VALUE: ok = !is_bytes || pb_value(ctx, f.bytes, 0, &AT(struct value, out, d)); break;
        case OTLP_VARINTS: ok = pb_numbers(ctx, &f, PB_VARINT, &AT(struct otlp_list, out, d)); break;
        case OTLP_FIXED64S:
        case OTLP_DOUBLES: ok = pb_numbers(ctx, &f, PB_FIXED64, &AT(struct otlp_list, out, d)); break;
        case OTLP_MSG: ok = !is_bytes || pb_message(ctx, f.bytes, d->msg, (char *)out + d->at); break;
        case OTLP_ATTRS:
        case OTLP_LIST: ok = !is_bytes || pb_list_item(ctx, d, &f, &c, cap_of(&caps, f.num), out); break;
        case OTLP_EACH: ok = !is_bytes || pb_each(ctx, d->msg, f.bytes); break;
        }
        if (!ok) return false;
        mark_seen(msg, out, f.num);
    }
    return !c.bad || fail(ctx, ERR_INPUT, "not protobuf", offset_of(ctx, c.at));
}

/* --- JSON ---------------------------------------------------------------------------------------------------------------------------- */

/* Hex of the right length; else base64 of the right length. */
static bool json_id(struct otlp_ctx *ctx, str text, void *out, size_t n) {
    if (text.n == 2 * n) return hex_decode(text, out, n);
    str bytes;
    if (text.n != (n + 2) / 3 * 4 && text.n != (n * 4 + 2) / 3) return false;
    if (!base64_decode(text, ctx->arena, &bytes) || bytes.n != n) return false;
    memcpy(out, bytes.p, n);
    ctx->base64_ids++;
    return true;
}

static void json_trace_id(struct otlp_ctx *ctx, struct json *j, struct trace_id *out) {
    str text = STR_NULL;
    char bytes[16] = {0};
    if (!json_string(j, &text) || text.n == 0) return;
    if (json_id(ctx, text, bytes, 16))
        set_trace_id(ctx, str_n(bytes, 16), out);
    else if (text.n == 16 && hex_decode(text, bytes, 8))
        set_trace_id(ctx, str_n(bytes, 8), out);
    else
        ctx->bad_id = true;
}

static void json_span_id(struct otlp_ctx *ctx, struct json *j, uint64_t *out) {
    str text = STR_NULL;
    char bytes[8];
    if (!json_string(j, &text) || text.n == 0) return;
    if (json_id(ctx, text, bytes, 8))
        set_span_id(ctx, str_n(bytes, 8), out);
    else
        ctx->bad_id = true;
}

static void *json_room(struct otlp_ctx *ctx, struct json *j, struct otlp_list *list, size_t *cap, size_t item_bytes) {
    if (list->n == *cap) {
        size_t more = *cap ? *cap : 4;
        if (!within_budget(ctx, (*cap + more) * item_bytes, j->at)) return NULL;
        list->p = arena_grow(ctx->arena, (void *)list->p, *cap * item_bytes, (*cap + more) * item_bytes);
        *cap += more;
    }
    return (char *)list->p + list->n * item_bytes;
}

static bool json_any(struct otlp_ctx *ctx, struct json *j, unsigned depth, struct value *out);

static bool json_key_value(struct otlp_ctx *ctx, struct json *j, unsigned depth, struct field *out) {
    *out = (struct field){.key = STR("")};
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        if (json_peek(j) == JSON_NULL)
            json_null(j);
        else if (str_eq(key, STR("key")))
            json_string(j, &out->key);
        else if (!str_eq(key, STR("value")))
            json_skip(j);
        else if (!json_any(ctx, j, depth, &out->value))
            return false;
    }
    return true;
}

/* [item, ...] of values or key-values */
static bool json_items(struct otlp_ctx *ctx, struct json *j, unsigned depth, bool is_map, struct otlp_list *list) {
    size_t item_bytes = is_map ? sizeof(struct field) : sizeof(struct value), cap = 0;
    json_array(j);
    while (json_next_item(j)) {
        void *room = json_room(ctx, j, list, &cap, item_bytes);
        if (!room) return false;
        if (is_map ? !json_key_value(ctx, j, depth, room) : !json_any(ctx, j, depth, room)) return false;
        list->n++;
    }
    return true;
}

/* {"values": [item, ...]} */
static bool json_value_list(struct otlp_ctx *ctx, struct json *j, unsigned depth, struct value *out) {
    struct otlp_list list = {0};
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        if (!str_eq(key, STR("values")) || json_peek(j) == JSON_NULL)
            json_skip(j);
        else if (!json_items(ctx, j, depth, out->type == VAL_MAP, &list))
            return false;
    }
    out->n = (uint32_t)list.n;
    out->items = list.p;
    return true;
}

static const struct {
    const char *json;
    enum value_type type;
} any_kinds[] = {{"stringValue", VAL_STRING}, {"intValue", VAL_INT},    {"boolValue", VAL_BOOL},  {"doubleValue", VAL_DOUBLE},
                 {"arrayValue", VAL_ARRAY},   {"kvlistValue", VAL_MAP}, {"bytesValue", VAL_BYTES}};

/* 1.5, or "NaN", "Infinity", "-Infinity", "1.5": the proto3 JSON mapping. */
static bool json_double_lenient(struct json *j, double *out) {
    if (json_peek(j) != JSON_STRING) return json_double(j, out);
    str text;
    if (!json_string(j, &text)) return false;
    if (num_parse_double(text, out)) return true;
    json_fail(j, "a number");
    return false;
}

static bool json_any_member(struct otlp_ctx *ctx, struct json *j, enum value_type type, unsigned depth, struct value *out) {
    *out = (struct value){.type = type};
    switch (type) {
    case VAL_STRING: json_string(j, &out->s); return true;
    case VAL_INT: json_i64_lenient(j, &out->i); return true;
    case VAL_BOOL: json_bool(j, &out->b); return true;
    case VAL_DOUBLE: json_double_lenient(j, &out->d); return true;
    case VAL_ARRAY:
    case VAL_MAP: return json_value_list(ctx, j, depth + 1, out);
    case VAL_BYTES: {
        str text = STR_NULL;
        if (json_string(j, &text) && !base64_decode(text, ctx->arena, &out->s)) json_fail(j, "base64");
        return true;
    }
    case VAL_NULL: break;
    }
    return true;
}

static bool json_any(struct otlp_ctx *ctx, struct json *j, unsigned depth, struct value *out) {
    *out = (struct value){.type = VAL_NULL};
    if (depth == OTLP_DEPTH_MAX) return fail(ctx, ERR_INPUT, "an attribute is nested deeper than 32 levels", offset_of(ctx, j->at));
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        size_t i = 0;
        while (i < ARRAY_N(any_kinds) && !str_eq_c(key, any_kinds[i].json)) i++;
        if (i == ARRAY_N(any_kinds) || json_peek(j) == JSON_NULL)
            json_skip(j);
        else if (!json_any_member(ctx, j, any_kinds[i].type, depth, out))
            return false;
    }
    return true;
}

static bool json_numbers(struct otlp_ctx *ctx, struct json *j, bool doubles, struct otlp_list *list) {
    size_t cap = 0;
    *list = (struct otlp_list){0};
    json_array(j);
    while (json_next_item(j)) {
        void *room = json_room(ctx, j, list, &cap, 8);
        if (!room) return false;
        if (doubles)
            json_double_lenient(j, room);
        else
            json_u64_lenient(j, room);
        list->n++;
    }
    return true;
}

static bool json_message(struct otlp_ctx *ctx, struct json *j, const struct otlp_msg *msg, void *out);

static bool json_list(struct otlp_ctx *ctx, struct json *j, const struct otlp_msg *msg, struct otlp_list *list) {
    size_t cap = 0;
    *list = (struct otlp_list){0};
    json_array(j);
    while (json_next_item(j)) {
        void *room = json_room(ctx, j, list, &cap, msg->bytes);
        if (!room || !json_message(ctx, j, msg, memset(room, 0, msg->bytes))) return false;
        list->n++;
    }
    return true;
}

static bool json_each(struct otlp_ctx *ctx, struct json *j, const struct otlp_msg *msg) {
    _Alignas(16) char item[OTLP_STRUCT_MAX];
    assert(msg->bytes <= sizeof item);
    json_array(j);
    while (json_next_item(j)) {
        memset(item, 0, msg->bytes);
        if (!json_message(ctx, j, msg, item)) return false;
        if (j->bad) return true;
        msg->done(ctx, item);
        if (ctx->err.code != ERR_NONE || !within_budget(ctx, 0, j->at)) return false;
    }
    return true;
}

static bool json_field(struct otlp_ctx *ctx, struct json *j, const struct otlp_field *d, void *out) {
    int64_t number = 0;
    switch (d->kind) {
    case OTLP_NONE: json_skip(j); return true;
    case OTLP_STRING: json_string(j, &AT(str, out, d)); return true;
    case OTLP_TRACE_ID: json_trace_id(ctx, j, &AT(struct trace_id, out, d)); return true;
    case OTLP_SPAN_ID: json_span_id(ctx, j, &AT(uint64_t, out, d)); return true;
    case OTLP_U64: json_u64_lenient(j, &AT(uint64_t, out, d)); return true;
    case OTLP_I64: json_i64_lenient(j, &AT(int64_t, out, d)); return true;
    case OTLP_U32:
    case OTLP_SINT32:
        json_i64_lenient(j, &number);
        AT(uint32_t, out, d) = (uint32_t)number;
        return true;
    case OTLP_DOUBLE: json_double_lenient(j, &AT(double, out, d)); return true;
    case OTLP_BOOL: json_bool(j, &AT(bool, out, d)); return true;
    case OTLP_VALUE: return json_any(ctx, j, 0, &AT(struct value, out, d));
    case OTLP_ATTRS: AT(struct otlp_list, out, d) = (struct otlp_list){0}; return json_items(ctx, j, 0, true, &AT(struct otlp_list, out, d));
    case OTLP_VARINTS:
    case OTLP_FIXED64S: return json_numbers(ctx, j, false, &AT(struct otlp_list, out, d));
    case OTLP_DOUBLES: return json_numbers(ctx, j, true, &AT(struct otlp_list, out, d));
    case OTLP_MSG: return json_message(ctx, j, d->msg, (char *)out + d->at);
    case OTLP_LIST: return json_list(ctx, j, d->msg, &AT(struct otlp_list, out, d));
    case OTLP_EACH: return json_each(ctx, j, d->msg);
    }
    return true;
}

static bool json_message(struct otlp_ctx *ctx, struct json *j, const struct otlp_msg *msg, void *out) {
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        size_t number = 1;
        while (number < msg->field_n && !(msg->fields[number].json && str_eq_c(key, msg->fields[number].json))) number++;
        if (number >= msg->field_n || json_peek(j) == JSON_NULL) {
            json_skip(j);
            continue;
        }
        if (!json_field(ctx, j, &msg->fields[number], out)) return false;
        mark_seen(msg, out, number);
    }
    return true;
}

/* --- */

bool otlp_read(struct otlp_ctx *ctx, enum otlp_encoding enc, const struct otlp_msg *msg, void *out, struct err *e) {
    bool ok;
    if (enc == OTLP_PROTOBUF) {
        ok = pb_message(ctx, ctx->text, msg, out);
    } else {
        struct json j = json_open(ctx->text, ctx->arena);
        ok = json_message(ctx, &j, msg, out) && json_done(&j, &ctx->err);
    }
    if (!ok && e) *e = ctx->err;
    return ok;
}
