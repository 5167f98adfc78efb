/* Speed of the codecs on text like what clients send. One line each: name, MB/s or ns per operation. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/compress.h"
#include "codec/json.h"
#include "codec/num.h"
#include "codec/pb.h"
#include "codec/regex.h"
#include "codec/text.h"
#include "codec/thrift.h"

static volatile uint64_t sink; /* keeps results alive */

struct work {
    const char *name;
    size_t (*run)(const struct work *w); /* one round; returns the operations, or the bytes when per_byte */
    bool per_byte;
    str text;
    const void *arg;
};

/* The best of several rounds of at least 50 ms: other processes only ever add time. */
static void measure(const struct work *w) {
    double best = 1e18;
    for (int round = 0; round < 5; round++) {
        int64_t from = clock_cpu_ns(), ns;
        size_t done = 0;
        do done += w->run(w);
        while ((ns = clock_cpu_ns() - from) < 50 * NS_PER_MS);
        best = MIN(best, (double)ns / (double)done);
    }
    if (w->per_byte)
        printf("%-44s %8.0f MB/s\n", w->name, 1000 / best);
    else
        printf("%-44s %8.1f ns\n", w->name, best);
}

/* --- json */

static struct buf log_lines(void) {
    struct buf b = {0};
    for (unsigned i = 0; i < 20000; i++)
        buf_printf(&b,
                   "{\"@timestamp\":\"2026-11-22T12:%02u:%02u.123Z\",\"level\":\"info\",\"logger\":\"shop.checkout.PaymentService\",\"message\":"
                   "\"order %u paid "
                   "by customer %u, took %u "
                   "ms\",\"http\":{\"method\":\"GET\",\"status\":200,\"path\":\"/api/orders/%u\"},\"trace_id\":\"%032x\",\"ok\":true,"
                   "\"took\":%u.25}\n",
                   i / 60 % 60, i % 60, i, i * 7, i % 900, i, i * 2654435761u, i % 900);
    return b;
}

static void walk(struct json *j) {
    str s;
    bool flag;
    switch (json_peek(j)) {
    case JSON_OBJECT:
        json_object(j);
        while (json_next_key(j, &s)) sink += s.n, walk(j);
        break;
    case JSON_ARRAY:
        json_array(j);
        while (json_next_item(j)) walk(j);
        break;
    case JSON_STRING:
        json_string(j, &s);
        sink += s.n;
        break;
    case JSON_NUMBER:
        json_number_text(j, &s);
        sink += s.n;
        break;
    case JSON_BOOL: json_bool(j, &flag); break;
    case JSON_NULL: json_null(j); break;
    case JSON_END:
    case JSON_BAD: break;
    }
}

enum json_use { WALK, SKIP, TREE };
static size_t run_json(const struct work *w) {
    enum json_use use = *(const enum json_use *)w->arg;
    struct arena *a = arena_new(1 << 16);
    str rest = w->text, line;
    while (str_cut(&rest, '\n', &line)) {
        struct json j = json_open(line, a);
        struct value v;
        if (use == WALK) walk(&j);
        if (use == SKIP) json_skip(&j);
        if (use == TREE) json_value(&j, &v);
        if (!json_done(&j, NULL)) abort();
        arena_reset(a);
    }
    arena_free(a);
    return w->text.n;
}

static size_t run_json_out(const struct work *w) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    for (int i = 0; i < 10000; i++) {
        json_put_object(&o);
        json_put_key_c(&o, "message");
        json_put_string(&o, w->text);
        json_put_key_c(&o, "status");
        json_put_i64(&o, 200);
        json_put_object_end(&o);
    }
    size_t n = b.n;
    buf_done(&b);
    return n;
}

/* --- numbers */

enum { NUMBERS = 10000 };
static double numbers[NUMBERS];

static uint64_t next_random(void) {
    static uint64_t x = 88172645463325252;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static double integer(void) {
    return (double)(next_random() % 100000000);
}
static double short_decimal(void) {
    return (double)(next_random() % 100000000) / 1000;
}
static double long_decimal(void) {
    return (double)(next_random() >> 11) * 0x1p-53 * 100;
}

static size_t run_format(const struct work *w) {
    char text[NUM_DOUBLE_MAX];
    for (size_t i = 0; i < NUMBERS; i++) sink += num_format_double(text, numbers[i]);
    (void)w;
    return NUMBERS;
}

static size_t run_printf(const struct work *w) {
    char text[64];
    for (size_t i = 0; i < NUMBERS; i++) sink += (uint64_t)snprintf(text, sizeof text, "%.17g", numbers[i]);
    (void)w;
    return NUMBERS;
}

static str texts[NUMBERS];
static size_t run_parse(const struct work *w) {
    for (size_t i = 0; i < NUMBERS; i++) {
        double v = 0;
        if (!num_parse_double(texts[i], &v)) abort();
        sink += (uint64_t)v;
    }
    (void)w;
    return NUMBERS;
}

static size_t run_strtod(const struct work *w) {
    for (size_t i = 0; i < NUMBERS; i++) sink += (uint64_t)strtod(texts[i].p, NULL);
    (void)w;
    return NUMBERS;
}

static void bench_numbers(void) {
    static const struct {
        const char *name;
        double (*make)(void);
    } kinds[] = {{"integers", integer}, {"short decimals", short_decimal}, {"17 digits", long_decimal}};
    for (size_t k = 0; k < ARRAY_N(kinds); k++) {
        struct arena *a = arena_new(1 << 20);
        for (size_t i = 0; i < NUMBERS; i++) {
            char text[NUM_DOUBLE_MAX];
            numbers[i] = kinds[k].make();
            size_t n = num_format_double(text, numbers[i]);
            texts[i] = str_n(arena_cstr(a, str_n(text, n)), n);
        }
        char name[64];
        snprintf(name, sizeof name, "num format, %s", kinds[k].name);
        measure(&(struct work){.name = name, .run = run_format});
        snprintf(name, sizeof name, "num parse, %s", kinds[k].name);
        measure(&(struct work){.name = name, .run = run_parse});
        snprintf(name, sizeof name, "  snprintf %%.17g, %s", kinds[k].name);
        measure(&(struct work){.name = name, .run = run_printf});
        snprintf(name, sizeof name, "  strtod, %s", kinds[k].name);
        measure(&(struct work){.name = name, .run = run_strtod});
        arena_free(a);
    }
}

/* --- regex */

static size_t run_regex(const struct work *w) {
    for (int i = 0; i < 10000; i++) sink += regex_match(w->arg, w->text);
    return 10000;
}

static size_t run_regex_new(const struct work *w) {
    struct regex *re;
    if (!regex_new(w->text, true, &re, NULL)) abort();
    regex_free(re);
    return 1;
}

static void bench_regex(void) {
    static const struct {
        const char *name;
        str pattern, subject;
    } cases[] = {
        {"literal", STR_INIT("api-server"), STR_INIT("api-server")},
        {"a|b|c", STR_INIT("prod|staging|dev"), STR_INIT("dev")},
        {"20 literals", STR_INIT("(a1|a2|a3|a4|a5|a6|a7|a8|a9|a10|a11|a12|a13|a14|a15|a16|a17|a18|a19|a20)"), STR_INIT("a17")},
        {"prefix", STR_INIT("api-.*"), STR_INIT("api-server-7f9c4d-x2x9z")},
        {"contains", STR_INIT(".*timeout.*"), STR_INIT("order 5 failed: upstream timeout after 30 s (try 3 of 3)")},
        {"class (pcre2)", STR_INIT("api-[a-z]+-[0-9a-f]+"), STR_INIT("api-server-7f9c4d")},
        {"5.. (pcre2)", STR_INIT("5.."), STR_INIT("503")},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct regex *re;
        char name[64];
        if (!regex_new(cases[i].pattern, true, &re, NULL) || regex_match(re, cases[i].subject) != REGEX_YES) abort();
        snprintf(name, sizeof name, "regex match, %s", cases[i].name);
        measure(&(struct work){.name = name, .run = run_regex, .text = cases[i].subject, .arg = re});
        snprintf(name, sizeof name, "regex new, %s", cases[i].name);
        measure(&(struct work){.name = name, .run = run_regex_new, .text = cases[i].pattern});
        regex_free(re);
    }
}

/* --- protobuf, thrift: a span with 10 tags, 1000 times */

static size_t run_pb(const struct work *w) {
    struct pb c = pb_open(w->text);
    for (struct pb_field span; pb_next(&c, &span);) {
        struct pb d = pb_open(span.bytes);
        for (struct pb_field f; pb_next(&d, &f);) {
            struct pb t = pb_open(pb_bytes(&f));
            for (struct pb_field kv; f.num == 9 && pb_next(&t, &kv);) sink += kv.bytes.n;
        }
    }
    if (c.bad) abort();
    return w->text.n;
}

static struct buf pb_spans(void) {
    struct buf b = {0};
    for (int i = 0; i < 1000; i++) {
        size_t span = pb_begin(&b, 1);
        pb_put_bytes(&b, 1, STR("0123456789abcdef"));
        pb_put_bytes(&b, 5, STR("GET /api/orders"));
        pb_put_fixed64(&b, 7, 1795348800000000000);
        for (int k = 0; k < 10; k++) {
            size_t tag = pb_begin(&b, 9);
            pb_put_bytes(&b, 1, STR("http.request.method"));
            pb_put_bytes(&b, 2, STR("GET"));
            pb_end(&b, tag);
        }
        pb_end(&b, span);
    }
    return b;
}

static size_t run_thrift(const struct work *w) {
    struct thrift c = thrift_open(w->text, *(const enum thrift_protocol *)w->arg);
    thrift_enter(&c, THRIFT_STRUCT);
    for (struct thrift_field f; thrift_next(&c, &f);) {
        if (!thrift_enter(&c, THRIFT_LIST)) continue;
        for (struct thrift_field span; thrift_next(&c, &span);) {
            thrift_enter(&c, THRIFT_STRUCT);
            for (struct thrift_field x; thrift_next(&c, &x);) {
                if (!thrift_enter(&c, THRIFT_LIST)) continue;
                for (struct thrift_field tag; thrift_next(&c, &tag);) {
                    thrift_enter(&c, THRIFT_STRUCT);
                    for (struct thrift_field kv; thrift_next(&c, &kv);) sink += kv.s.n;
                }
            }
        }
    }
    if (c.bad) abort();
    return w->text.n;
}

static struct buf thrift_spans(enum thrift_protocol protocol) {
    struct buf b = {0};
    struct thrift_out o = {.buf = &b, .protocol = protocol};
    thrift_put_struct(&o, 0);
    thrift_put_list(&o, 2, THRIFT_LIST, THRIFT_STRUCT, 1000);
    for (int i = 0; i < 1000; i++) {
        thrift_put_struct(&o, 0);
        thrift_put_i64(&o, 1, INT64_MAX - i);
        thrift_put_string(&o, 5, STR("GET /api/orders"));
        thrift_put_list(&o, 10, THRIFT_LIST, THRIFT_STRUCT, 10);
        for (int k = 0; k < 10; k++) {
            thrift_put_struct(&o, 0);
            thrift_put_string(&o, 1, STR("http.request.method"));
            thrift_put_i32(&o, 2, 0);
            thrift_put_string(&o, 3, STR("GET"));
            thrift_put_end(&o);
        }
        thrift_put_end(&o);
        thrift_put_end(&o);
    }
    thrift_put_end(&o);
    thrift_put_end(&o);
    return b;
}

/* --- compression */

typedef bool (*decode_fn)(str in, size_t max_bytes, struct buf *out, struct err *e);
static size_t run_decode(const struct work *w) {
    struct buf out = {0};
    if (!(*(const decode_fn *)w->arg)(w->text, 1 << 30, &out, NULL)) abort();
    size_t n = out.n;
    buf_done(&out);
    return n;
}

static size_t run_utf8(const struct work *w) {
    if (!utf8_valid(w->text)) abort();
    return w->text.n;
}

int main(void) {
    struct buf lines = log_lines();
    static const enum json_use uses[] = {WALK, SKIP, TREE};
    measure(&(struct work){
        .name = "json walk (keys, strings, number text)", .run = run_json, .per_byte = true, .text = buf_str(&lines), .arg = &uses[0]});
    measure(&(struct work){.name = "json skip", .run = run_json, .per_byte = true, .text = buf_str(&lines), .arg = &uses[1]});
    measure(&(struct work){.name = "json tree", .run = run_json, .per_byte = true, .text = buf_str(&lines), .arg = &uses[2]});
    measure(&(struct work){.name = "json write", .run = run_json_out, .per_byte = true, .text = STR("order 5 paid by \"customer 7\", took 9 ms")});
    measure(&(struct work){.name = "utf-8 validation, ASCII", .run = run_utf8, .per_byte = true, .text = buf_str(&lines)});
    bench_numbers();
    bench_regex();
    struct buf spans = pb_spans();
    measure(&(struct work){.name = "pb walk", .run = run_pb, .per_byte = true, .text = buf_str(&spans)});
    buf_done(&spans);
    static const enum thrift_protocol protocols[] = {THRIFT_BINARY, THRIFT_COMPACT};
    for (size_t i = 0; i < 2; i++) {
        spans = thrift_spans(protocols[i]);
        measure(&(struct work){.name = i ? "thrift compact walk" : "thrift binary walk",
                               .run = run_thrift,
                               .per_byte = true,
                               .text = buf_str(&spans),
                               .arg = &protocols[i]});
        buf_done(&spans);
    }
    static const decode_fn decoders[] = {gzip_decode, zstd_decode, snappy_decode};
    struct buf packed = {0};
    gzip_encode(buf_str(&lines), 6, &packed);
    measure(&(struct work){.name = "gzip decode", .run = run_decode, .per_byte = true, .text = buf_str(&packed), .arg = &decoders[0]});
    buf_clear(&packed);
    zstd_encode(buf_str(&lines), 1, &packed);
    measure(&(struct work){.name = "zstd decode", .run = run_decode, .per_byte = true, .text = buf_str(&packed), .arg = &decoders[1]});
    buf_clear(&packed);
    snappy_encode(buf_str(&lines), &packed);
    measure(&(struct work){.name = "snappy decode", .run = run_decode, .per_byte = true, .text = buf_str(&packed), .arg = &decoders[2]});
    buf_done(&packed);
    buf_done(&lines);
}
