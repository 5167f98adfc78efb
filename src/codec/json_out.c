#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/num.h"
#include "codec/text.h"

/* Before every value and key: the comma, unless this is the first of its container or belongs to a key. */
static void separate(struct json_out *o) {
    if (o->after_key) {
        o->after_key = false;
        return;
    }
    if (o->depth == 0) return;
    uint64_t bit = UINT64_C(1) << (o->depth - 1);
    if (o->need_comma & bit) buf_char(o->buf, ',');
    o->need_comma |= bit;
}

static void open_container(struct json_out *o, char c) {
    separate(o);
    assert(o->depth < JSON_DEPTH_MAX);
    buf_char(o->buf, c);
    o->need_comma &= ~(UINT64_C(1) << o->depth++);
}

static void close_container(struct json_out *o, char c) {
    assert(o->depth > 0 && !o->after_key);
    buf_char(o->buf, c);
    o->depth--;
}

void json_put_object(struct json_out *o) {
    open_container(o, '{');
}
void json_put_object_end(struct json_out *o) {
    close_container(o, '}');
}
void json_put_array(struct json_out *o) {
    open_container(o, '[');
}
void json_put_array_end(struct json_out *o) {
    close_container(o, ']');
}

static const char escapes[128] = {
    ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
};

/* The byte at p is none of the plain ones: writes it in its JSON form and returns how many bytes of the input that took. */
static size_t put_odd(struct buf *b, const char *p, const char *end) {
    uint8_t c = (uint8_t)*p;
    if (c >= 0x80) {
        size_t n = utf8_length(str_n(p, (size_t)(end - p)));
        buf_add(b, n ? str_n(p, n) : STR("\xef\xbf\xbd"));
        return n ? n : 1;
    }
    if (escapes[c]) {
        buf_char(b, '\\');
        buf_char(b, escapes[c]);
        return 1;
    }
    buf_add(b, STR("\\u00"));
    hex_put(b, p, 1);
    return 1;
}

static void put_quoted(struct buf *b, str s) {
    buf_reserve(b, s.n + 2);
    buf_char(b, '"');
    for (const char *p = s.p, *end = s.n ? s.p + s.n : s.p; p < end;) {
        const char *odd = json_plain_run(p, end);
        buf_put(b, p, (size_t)(odd - p));
        p = odd;
        if (p < end) p += put_odd(b, p, end);
    }
    buf_char(b, '"');
}

void json_put_key(struct json_out *o, str key) {
    assert(o->depth > 0 && !o->after_key);
    separate(o);
    put_quoted(o->buf, key);
    buf_char(o->buf, ':');
    o->after_key = true;
}

void json_put_string(struct json_out *o, str s) {
    separate(o);
    put_quoted(o->buf, s);
}

void json_put_i64(struct json_out *o, int64_t v) {
    separate(o);
    buf_i64(o->buf, v);
}

void json_put_u64(struct json_out *o, uint64_t v) {
    separate(o);
    buf_u64(o->buf, v);
}

void json_put_double(struct json_out *o, double v) {
    if (v != v) return json_put_string(o, STR("NaN"));
    if (__builtin_isinf(v)) return json_put_string(o, v > 0 ? STR("Infinity") : STR("-Infinity"));
    separate(o);
    num_put_double(o->buf, v);
}

void json_put_bool(struct json_out *o, bool v) {
    json_put_raw(o, v ? STR("true") : STR("false"));
}

void json_put_null(struct json_out *o) {
    json_put_raw(o, STR("null"));
}

void json_put_raw(struct json_out *o, str json_text) {
    separate(o);
    buf_add(o->buf, json_text);
}

static void put_bytes(struct json_out *o, str bytes) {
    separate(o);
    buf_char(o->buf, '"');
    base64_put(o->buf, bytes);
    buf_char(o->buf, '"');
}

/* Recursion is bounded by the assert in open_container: values come from decoders that count their depth. */
void json_put_value(struct json_out *o, const struct value *v) {
    switch (v->type) {
    case VAL_NULL: json_put_null(o); break;
    case VAL_BOOL: json_put_bool(o, v->b); break;
    case VAL_INT: json_put_i64(o, v->i); break;
    case VAL_DOUBLE: json_put_double(o, v->d); break;
    case VAL_STRING: json_put_string(o, v->s); break;
    case VAL_BYTES: put_bytes(o, v->s); break;
    case VAL_ARRAY:
        json_put_array(o);
        for (uint32_t i = 0; i < v->n; i++) json_put_value(o, &v->items[i]);
        json_put_array_end(o);
        break;
    case VAL_MAP:
        json_put_object(o);
        for (uint32_t i = 0; i < v->n; i++) {
            json_put_key(o, v->fields[i].key);
            json_put_value(o, &v->fields[i].value);
        }
        json_put_object_end(o);
        break;
    }
}
