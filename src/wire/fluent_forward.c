#include "wire/fluent_forward.h"

#include "base/clock.h"
#include "codec/compress.h"
#include "codec/msgpack.h"
#include "codec/sha512.h"
#include "wire/log_line.h"

enum { EVENT_TIME = 0 /* its ext type */, TREES_BYTES_MAX = 512 << 20 /* all records of one message, decoded */ };

struct forward {
    struct log_batch *batch;
    struct arena *arena;
    int64_t now_ns;
    str tag;
    struct forward_message *info;
};

static void reject(struct forward *f, const char *why) {
    if (f->info->why.code == ERR_NONE) err_set(&f->info->why, ERR_INPUT, "%s", why);
    f->info->rejected++;
}
static void unreadable(struct forward *f, const char *why) {
    if (f->info->why.code == ERR_NONE) err_set(&f->info->why, ERR_INPUT, "%s", why);
    f->info->unreadable = true;
}

/* --- one record */

static str text_in(const struct value *map, str key) {
    const struct value *v = map && map->type == VAL_MAP ? fields_get(map->fields, map->n, key) : NULL;
    return v && v->type == VAL_STRING ? v->s : STR_NULL;
}

static str service_of(const struct value *record, str tag) {
    const struct value *pod = fields_get(record->fields, record->n, STR("kubernetes"));
    const struct value *labels = pod && pod->type == VAL_MAP ? fields_get(pod->fields, pod->n, STR("labels")) : NULL;
    str docker = text_in(record, STR("container_name"));
    const str names[] = {text_in(record, STR("service.name")), text_in(labels, STR("app")), text_in(labels, STR("app.kubernetes.io/name")),
                         text_in(pod, STR("container_name")), str_starts(docker, STR("/")) ? str_from(docker, 1) : docker};
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (names[i].n) return names[i];
    return tag;
}

static uint32_t stream_of(struct forward *f, str service) {
    uint32_t at;
    if (!log_batch_stream(f->batch, f->tag, service, &at)) return at;
    struct field *attrs = arena_new_n(f->arena, struct field, 2);
    attrs[0] = (struct field){STR("tag"), value_str(f->tag)};
    attrs[1] = (struct field){STR("service.name"), value_str(service)};
    f->batch->streams.p[at] = (struct stream){.service = service, .attrs = attrs, .attr_n = 2};
    return at;
}

/* Seconds as a number, an EventTime, or nothing. */
static int64_t read_time(const struct forward *f, const struct msgpack_item *time) {
    int64_t ns;
    if (time->type == MSGPACK_INT && time->i > 0 && !__builtin_mul_overflow(time->i, NS_PER_S, &ns)) return ns;
    if (time->type == MSGPACK_DOUBLE && time->d > 0 && time->d < 9e9) return (int64_t)(time->d * 1e9);
    if (time->type != MSGPACK_EXT || time->ext != EVENT_TIME || time->s.n != 8) return f->now_ns;
    uint64_t parts[2] = {0, 0};
    for (size_t i = 0; i < 8; i++) parts[i / 4] = parts[i / 4] << 8 | (uint8_t)time->s.p[i];
    return (int64_t)parts[0] * NS_PER_S + (int64_t)parts[1];
}

/* The record behind a time. false: the bytes cannot be read on. */
static bool read_record(struct forward *f, struct msgpack *c, int64_t time_ns) {
    struct value record;
    if (!msgpack_value(c, f->arena, &record)) return false;
    if (record.type != VAL_MAP) {
        reject(f, "a record must be a map");
        return true;
    }
    struct event *ev = vec_add(&f->batch->events);
    const struct log_known known = {.time_ns = time_ns, .now_ns = f->now_ns, .fields = record.fields, .field_n = record.n};
    log_record_event(&known, f->arena, ev);
    ev->stream = stream_of(f, service_of(&record, f->tag));
    return true;
}

/* [time, record], or Fluent Bit's [[time, metadata], record]. */
static bool read_entry(struct forward *f, struct msgpack *c) {
    struct msgpack_item entry, time;
    const struct msgpack from = *c;
    if (!msgpack_next(c, &entry)) return false;
    bool pair = entry.type == MSGPACK_ARRAY && entry.n == 2 && msgpack_next(c, &time);
    if (pair && time.type == MSGPACK_ARRAY && time.n >= 1) {
        uint32_t more = time.n - 1;
        pair = msgpack_next(c, &time);
        while (pair && more--) pair = msgpack_skip(c);
    }
    if (pair) return read_record(f, c, read_time(f, &time));
    *c = from;
    reject(f, "an entry must be [time, record]");
    return msgpack_skip(c);
}

static void read_stream(struct forward *f, str entries) {
    struct msgpack c = msgpack_open(entries);
    while (!msgpack_at_end(&c)) {
        if (!read_entry(f, &c)) return unreadable(f, "entries: not MessagePack");
        if (arena_used_bytes(f->arena) > TREES_BYTES_MAX) return unreadable(f, "entries: too much in one message");
    }
}

/* --- one message */

struct options {
    str chunk, compressed;
    int64_t signal; /* Fluent Bit: 0 logs, 1 metrics, 2 traces */
};

static void read_options(struct msgpack *c, struct options *out) {
    struct msgpack_item map, value;
    if (!msgpack_next(c, &map) || map.type != MSGPACK_MAP) return;
    for (uint32_t i = 0; i < map.n; i++) {
        str key;
        if (!msgpack_text(c, &key)) return;
        struct msgpack peek = *c;
        if (!msgpack_next(&peek, &value) || !msgpack_skip(c)) return;
        bool text = value.type == MSGPACK_STRING || value.type == MSGPACK_BINARY;
        if (text && str_eq(key, STR("chunk"))) out->chunk = value.s;
        if (text && str_eq(key, STR("compressed"))) out->compressed = value.s;
        if (value.type == MSGPACK_INT && str_eq(key, STR("fluent_signal"))) out->signal = value.i;
    }
}

static void read_packed(struct forward *f, str packed, str compressed, size_t decoded_max) {
    if (compressed.n == 0 || str_eq(compressed, STR("text"))) return read_stream(f, arena_str(f->arena, packed));
    AUTO(buf_done) struct buf entries = {0};
    struct err e;
    bool zstd = str_eq(compressed, STR("zstd"));
    if (!zstd && !str_eq(compressed, STR("gzip"))) return unreadable(f, "compressed: expected gzip or zstd");
    if (zstd ? !zstd_decode(packed, decoded_max, &entries, &e) : !gzip_decode(packed, decoded_max, &entries, &e)) return unreadable(f, e.msg);
    read_stream(f, arena_str(f->arena, buf_str(&entries)));
}

static void read_array(struct forward *f, str array, uint32_t n) {
    struct msgpack c = msgpack_open(arena_str(f->arena, array));
    while (n--)
        if (!read_entry(f, &c)) return unreadable(f, "entries: not MessagePack");
}

bool forward_decode(str message, int64_t now_ns, size_t decoded_max, struct log_batch *out, struct forward_message *info, struct err *e) {
    struct msgpack c = msgpack_open(message);
    struct msgpack_item top, second;
    struct options options = {0};
    struct forward f = {.batch = out, .arena = out->arena, .now_ns = now_ns, .info = info};
    *info = (struct forward_message){0};
    bool ok = msgpack_next(&c, &top);
    if (ok && top.type == MSGPACK_NIL) return true;
    ok = ok && top.type == MSGPACK_ARRAY && top.n >= 2 && top.n <= 4 && msgpack_text(&c, &f.tag);
    const size_t second_at = msgpack_offset(&c);
    ok = ok && msgpack_next(&c, &second);
    if (!ok) return err_set(e, ERR_INPUT, "not a message of the forward protocol: expected [tag, ...]");
    const bool packed = second.type == MSGPACK_STRING || second.type == MSGPACK_BINARY, array = second.type == MSGPACK_ARRAY;
    const size_t inner_at = msgpack_offset(&c);
    struct msgpack behind = msgpack_open(str_from(message, second_at));
    ok = msgpack_skip(&behind);
    if (!packed && !array) ok = ok && msgpack_skip(&behind); /* [tag, time, record, option] */
    if (!ok) return err_set(e, ERR_INPUT, "not a message of the forward protocol: [tag, time, record] is damaged");
    if (top.n > (packed || array ? 2u : 3u)) read_options(&behind, &options);
    info->chunk = options.chunk;
    f.tag = arena_str(f.arena, f.tag);
    if (options.signal != 0) {
        unreadable(&f, "metrics and traces are not taken in Fluent Bit's own form: send them over OTLP");
    } else if (packed) {
        read_packed(&f, second.s, options.compressed, decoded_max);
    } else if (array) {
        read_array(&f, str_from(message, inner_at), second.n);
    } else {
        struct msgpack record = msgpack_open(arena_str(f.arena, str_from(message, inner_at)));
        if (!read_record(&f, &record, read_time(&f, &second))) unreadable(&f, "a record: not MessagePack, or too large");
    }
    return true;
}

void forward_put_ack(struct buf *out, str chunk) {
    msgpack_put_map(out, 1);
    msgpack_put_string(out, STR("ack"));
    msgpack_put_string(out, chunk);
}

/* --- handshake */

void forward_put_helo(struct buf *out, str nonce) {
    msgpack_put_array(out, 2);
    msgpack_put_string(out, STR("HELO"));
    msgpack_put_map(out, 3);
    msgpack_put_string(out, STR("nonce"));
    msgpack_put_binary(out, nonce);
    msgpack_put_string(out, STR("auth")); /* no user names */
    msgpack_put_string(out, STR(""));
    msgpack_put_string(out, STR("keepalive"));
    msgpack_put_bool(out, true);
}

static bool same_digest(str a, str b) {
    if (a.n != b.n) return false;
    unsigned char different = 0; /* however long it takes: the same for every wrong one */
    for (size_t i = 0; i < a.n; i++) different |= (unsigned char)(a.p[i] ^ b.p[i]);
    return different == 0;
}

/* ["PING", hostname, salt, sha512_hex(salt + hostname + nonce + key), username, password digest] */
static bool check_ping(str message, str nonce, str shared_key, str *salt, struct err *e) {
    struct msgpack c = msgpack_open(message);
    struct msgpack_item top;
    str word, client, digest;
    bool ok = msgpack_next(&c, &top) && top.type == MSGPACK_ARRAY && top.n == 6 && msgpack_text(&c, &word) && str_eq(word, STR("PING")) &&
              msgpack_text(&c, &client) && msgpack_text(&c, salt) && msgpack_text(&c, &digest);
    if (!ok) return err_set(e, ERR_INPUT, "expected PING: the peer has no shared key configured");
    char hex[SHA512_HEX];
    const str parts[] = {*salt, client, nonce, shared_key};
    sha512_hex(parts, ARRAY_N(parts), hex);
    return same_digest(digest, str_n(hex, sizeof hex)) || err_set(e, ERR_INPUT, "shared_key mismatch");
}

bool forward_answer_ping(str message, str nonce, str shared_key, str hostname, struct buf *out, struct err *e) {
    str salt = STR("");
    struct err why;
    bool ok = check_ping(message, nonce, shared_key, &salt, &why);
    char hex[SHA512_HEX];
    const str parts[] = {salt, hostname, nonce, shared_key};
    sha512_hex(parts, ARRAY_N(parts), hex);
    msgpack_put_array(out, 5);
    msgpack_put_string(out, STR("PONG"));
    msgpack_put_bool(out, ok);
    msgpack_put_string(out, ok ? STR("") : err_str(&why));
    msgpack_put_string(out, ok ? hostname : STR(""));
    msgpack_put_string(out, ok ? str_n(hex, sizeof hex) : STR(""));
    return ok || err_set(e, why.code, "%s", why.msg);
}
