#include "wire/remote_read.h"

#include "codec/compress.h"
#include "codec/crc32c.h"
#include "codec/pb.h"
#include "codec/regex.h"
#include "wire/xor_chunk.h"

/* --- requests */

struct request {
    struct arena *a;
    struct read_request out;
    str text;
    struct err *e;
};

static bool broken(struct request *r, const struct pb *c) {
    return err_set(r->e, ERR_INPUT, "not a remote read request (at byte %zu)", (size_t)((const char *)c->at - r->text.p));
}

/* LabelMatcher{1: type, 2: name, 3: value} */
static bool read_matcher(struct request *r, struct read_query *q, str bytes) {
    struct pb c = pb_open(bytes);
    struct matcher m = {.op = MATCH_EQ, .name = STR(""), .value = STR("")};
    int64_t op = MATCH_EQ;
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            op = pb_i64(&f);
        else if (f.num == 2)
            m.name = pb_bytes(&f);
        else if (f.num == 3)
            m.value = pb_bytes(&f);
    }
    if (c.bad) return broken(r, &c);
    if (op < MATCH_EQ || op > MATCH_NRE) return err_set(r->e, ERR_INPUT, "invalid matcher type %lld", (long long)op);
    if (q->m_n == READ_MATCHERS_MAX) return err_set(r->e, ERR_INPUT, "more than %d matchers in a query", READ_MATCHERS_MAX);
    m.op = (enum match_op)op;
    struct regex *re = NULL;
    if ((m.op == MATCH_RE || m.op == MATCH_NRE) && !regex_new(m.value, true, &re, r->e)) return false;
    m.re = re;
    q->m[q->m_n++] = m;
    return true;
}

/* Query{1: start, 2: end, 3: matchers, 4: hints}. The hints say what is done with the samples; all of them are sent anyway. */
static bool read_query(struct request *r, str bytes) {
    if (r->out.query_n == READ_QUERIES_MAX) return err_set(r->e, ERR_INPUT, "more than %d queries in a request", READ_QUERIES_MAX);
    struct read_query *q = &r->out.queries[r->out.query_n++];
    struct pb c = pb_open(bytes);
    *q = (struct read_query){.m = arena_alloc(r->a, READ_MATCHERS_MAX * sizeof *q->m)};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            q->start_ms = pb_i64(&f);
        else if (f.num == 2)
            q->end_ms = pb_i64(&f);
        else if (f.num == 3 && f.type == PB_BYTES && !read_matcher(r, q, f.bytes))
            return false;
    }
    return !c.bad || broken(r, &c);
}

/* The first type of the client's list that we know decides; without a list it is SAMPLES. */
enum response_type { RESPONSE_SAMPLES, RESPONSE_CHUNKS };

static bool read_request(struct request *r) {
    struct pb c = pb_open(r->text);
    bool decided = false, listed = false;
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1 && f.type == PB_BYTES && !read_query(r, f.bytes)) return false;
        if (f.num != 2) continue;
        struct pb_packed types = pb_packed_open(&f, PB_VARINT);
        for (uint64_t type; pb_packed_next(&types, &type);) {
            listed = true;
            if (decided || type > RESPONSE_CHUNKS) continue;
            decided = true;
            r->out.chunks = type == RESPONSE_CHUNKS;
        }
    }
    if (c.bad) return broken(r, &c);
    return decided || !listed ||
           err_set(r->e, ERR_INPUT, "server does not support any of the requested response types: it has SAMPLES and STREAMED_XOR_CHUNKS");
}

bool read_request_decode(str body, size_t max_bytes, struct arena *a, struct read_request *out, struct err *e) {
    AUTO(buf_done) struct buf text = {0};
    if (!snappy_decode(body, max_bytes, &text, e)) return false;
    struct request r = {.a = a, .text = arena_str(a, buf_str(&text)), .e = e};
    r.out.queries = arena_alloc(a, READ_QUERIES_MAX * sizeof *r.out.queries);
    if (read_request(&r)) return *out = r.out, true;
    read_request_done(&r.out);
    return false;
}

void read_request_done(struct read_request *r) {
    for (size_t i = 0; i < r->query_n; i++)
        for (size_t k = 0; k < r->queries[i].m_n; k++) regex_free((struct regex *)r->queries[i].m[k].re);
    r->query_n = 0;
}

/* --- answers */

static void put_labels(struct buf *b, struct labels ls) {
    for (size_t i = 0; i < ls.n; i++) {
        size_t at = pb_begin(b, 1);
        pb_put_bytes(b, 1, ls.l[i].name);
        pb_put_bytes(b, 2, ls.l[i].value);
        pb_end(b, at);
    }
}

static void put_spans(struct buf *b, uint32_t field, const struct hist_span *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t at = pb_begin(b, field);
        pb_put_sint(b, 1, p[i].offset);
        pb_put_u64(b, 2, p[i].n);
        pb_end(b, at);
    }
}

static void put_doubles(struct buf *b, uint32_t field, const double *p, size_t n) {
    if (n) pb_put_bytes(b, field, str_n(p, n * sizeof *p));
}

/* Histogram, in its form with counts that are floating-point. */
static void put_histogram(struct buf *b, int64_t t_ms, const struct histogram *h) {
    size_t at = pb_begin(b, 4);
    pb_put_double(b, 2, h->count);
    pb_put_double(b, 3, h->sum);
    pb_put_sint(b, 4, h->schema);
    pb_put_double(b, 5, h->zero_threshold);
    pb_put_double(b, 7, h->zero_count);
    put_spans(b, 8, h->neg_spans, h->neg_span_n);
    put_doubles(b, 10, h->neg, h->neg_n);
    put_spans(b, 11, h->pos_spans, h->pos_span_n);
    put_doubles(b, 13, h->pos, h->pos_n);
    pb_put_u64(b, 14, h->hint);
    pb_put_u64(b, 15, (uint64_t)t_ms);
    put_doubles(b, 16, h->custom, h->custom_n);
    pb_end(b, at);
}

size_t read_result_begin(struct buf *b) {
    return pb_begin(b, 1);
}
void read_result_end(struct buf *b, size_t at) {
    pb_end(b, at);
}

void read_put_series(struct buf *b, struct labels ls, const struct samples *s) {
    size_t series = pb_begin(b, 1);
    put_labels(b, ls);
    for (size_t i = 0; i < s->n; i++) {
        if (s->h && s->h[i]) {
            put_histogram(b, s->t_ms[i], s->h[i]);
            continue;
        }
        size_t at = pb_begin(b, 2);
        pb_put_double(b, 1, s->v[i]);
        pb_put_u64(b, 2, (uint64_t)s->t_ms[i]);
        pb_end(b, at);
    }
    pb_end(b, series);
}

static void put_frame(struct buf *b, str message) {
    uint32_t crc = crc32c(message);
    pb_put_varint(b, message.n);
    for (int shift = 24; shift >= 0; shift -= 8) buf_char(b, (char)(crc >> shift));
    buf_add(b, message);
}

/* Chunk{1: min time, 2: max time, 3: encoding, 4: data} */
static size_t put_chunk(struct buf *b, const struct samples *s, size_t from, struct buf *scratch) {
    enum chunk_encoding encoding;
    size_t n = chunk_encode(s, from, &encoding, scratch);
    size_t at = pb_begin(b, 2);
    pb_put_u64(b, 1, (uint64_t)s->t_ms[from]);
    pb_put_u64(b, 2, (uint64_t)s->t_ms[from + n - 1]);
    pb_put_u64(b, 3, encoding);
    pb_put_bytes(b, 4, buf_str(scratch));
    pb_end(b, at);
    return n;
}

void read_put_frames(struct buf *b, size_t query, struct labels ls, const struct samples *s, struct buf *scratch) {
    AUTO(buf_done) struct buf message = {0};
    for (size_t i = 0; i < s->n;) {
        buf_clear(&message);
        size_t series = pb_begin(&message, 1);
        put_labels(&message, ls);
        while (i < s->n && message.n < READ_FRAME_BYTES) i += put_chunk(&message, s, i, scratch);
        pb_end(&message, series);
        pb_put_u64(&message, 2, query);
        put_frame(b, buf_str(&message));
    }
}
