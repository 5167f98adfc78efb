/* bench_wire: decode speed of the wire formats on one core, in CPU time. Each row builds one message, decodes it for about a second and prints
 * items/s and MB/s. Argument: only the rows whose name contains it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/pb.h"
#include "codec/varint.h"
#include "wire/es_bulk.h"
#include "wire/influx_line.h"
#include "wire/json_lines.h"
#include "wire/otlp_trace.h"
#include "wire/prom_proto.h"

struct message {
    struct buf bytes;
    size_t items;
};

/* --- OTLP: spans with 7 attributes, 100 to a scope, as an SDK's batch processor sends them */
static void put_string(struct buf *b, uint32_t number, const char *key, str value) {
    size_t kv = pb_begin(b, number);
    pb_put_bytes(b, 1, str_c(key));
    size_t any = pb_begin(b, 2);
    pb_put_bytes(b, 1, value);
    pb_end(b, any);
    pb_end(b, kv);
}
static void put_int(struct buf *b, uint32_t number, const char *key, int64_t value) {
    size_t kv = pb_begin(b, number);
    pb_put_bytes(b, 1, str_c(key));
    size_t any = pb_begin(b, 2);
    pb_put_u64(b, 3, (uint64_t)value);
    pb_end(b, any);
    pb_end(b, kv);
}
static void build_otlp_trace(struct message *m) {
    struct buf *b = &m->bytes;
    m->items = 2000;
    for (size_t i = 0; i < m->items;) {
        size_t rs = pb_begin(b, 1), resource = pb_begin(b, 1);
        put_string(b, 1, "service.name", STR("checkout"));
        put_string(b, 1, "k8s.pod.name", STR("checkout-6f9c7d9c8d-x2x4k"));
        pb_end(b, resource);
        size_t ss = pb_begin(b, 2);
        for (size_t end = i + 100; i < end; i++) {
            uint64_t ids[3] = {0x9e3779b97f4a7c15 * (i / 8 + 1), i / 8, 0xbf58476d1ce4e5b9 * (i + 1)};
            size_t span = pb_begin(b, 2);
            pb_put_bytes(b, 1, str_n(ids, 16));
            pb_put_bytes(b, 2, str_n(&ids[2], 8));
            pb_put_bytes(b, 4, str_n(&ids[0], 8));
            pb_put_bytes(b, 5, STR("POST /api/checkout/{id}"));
            pb_put_u64(b, 6, 2);
            pb_put_fixed64(b, 7, 1700000000000000000 + i * 1000);
            pb_put_fixed64(b, 8, 1700000000000250000 + i * 1000);
            put_string(b, 9, "http.request.method", STR("POST"));
            put_string(b, 9, "http.route", STR("/api/checkout/{id}"));
            put_string(b, 9, "url.full", STR("http://checkout:8080/api/checkout/8812?currency=EUR"));
            put_int(b, 9, "http.response.status_code", 200);
            put_string(b, 9, "net.peer.name", STR("frontend-7c5d4b9f6-aaaaa"));
            put_int(b, 9, "net.peer.port", 43212);
            put_string(b, 9, "user.id", STR("u-1200341"));
            size_t status = pb_begin(b, 15);
            pb_end(b, status);
            pb_end(b, span);
        }
        pb_end(b, ss);
        pb_end(b, rs);
    }
}
static void decode_otlp_trace(const struct message *m) {
    struct event_batch *batch;
    struct otlp_partial partial;
    struct err e;
    if (!otlp_trace_decode(OTLP_PROTOBUF, buf_str(&m->bytes), 0, &batch, &partial, &e) || batch->event_n != m->items) abort();
    event_batch_free(batch);
}

/* --- Elasticsearch bulk: small documents as a log shipper sends them */
static void build_es_bulk(struct message *m) {
    m->items = 4000;
    for (size_t i = 0; i < m->items; i++)
        buf_printf(
            &m->bytes,
            "{\"create\":{\"_index\":\"logs-2026.11.22\"}}\n{\"@timestamp\":\"2026-11-22T12:00:%02zu.%03zuZ\",\"log\":\"GET /cart/%zu 200 12ms\","
            "\"stream\":\"stdout\",\"kubernetes\":{\"pod_name\":\"cart-5d7f-%zu\",\"namespace_name\":\"shop\",\"labels\":{\"app\":\"cart\"}}}\n",
            i / 1000 % 60, i % 1000, i, i % 7);
}
static void decode_es_bulk(const struct message *m) {
    struct es_bulk out;
    const char *type;
    struct err e;
    if (!es_bulk_decode(&(struct es_bulk_in){.body = buf_str(&m->bytes)}, &out, &type, &e) || out.batch->event_n != m->items) abort();
    event_batch_free(out.batch);
}

/* --- a metrics page as node_exporter's: families of a few series, short labels, whole numbers and a few floats */
static void build_prom_text(struct message *m) {
    m->items = 0;
    for (size_t family = 0; family < 300; family++) {
        buf_printf(&m->bytes, "# HELP node_family_%zu_total Something that node_exporter would count.\n# TYPE node_family_%zu_total counter\n",
                   family, family);
        for (size_t i = 0; i < 12; i++, m->items++) {
            if (i % 3 == 0)
                buf_printf(&m->bytes, "node_family_%zu_total{cpu=\"%zu\",mode=\"iowait\"} %zu.%02zu\n", family, i, family * 1021 + i, i * 7);
            else if (i % 3 == 1)
                buf_printf(&m->bytes, "node_family_%zu_total{device=\"eth%zu\"} %zu\n", family, i, family * 77777 + i);
            else
                buf_printf(&m->bytes, "node_family_%zu_total{device=\"/dev/sda%zu\",fstype=\"ext4\",mountpoint=\"/var/lib\"} %zu.5e+09\n", family, i,
                           i);
        }
    }
}
static void decode_prom_text(const struct message *m) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(m->bytes.n * 2);
    const struct prom_text_options o = {.default_t_ms = 1};
    struct err e;
    if (!prom_text_parse(arena_str(b->arena, buf_str(&m->bytes)), &o, b, &e) || b->row_n != m->items) abort();
}

/* --- the same as delimited protobuf: counters of three labels, and native histograms of twenty buckets */
static void put_pair(struct buf *b, const char *name, const char *value) {
    size_t l = pb_begin(b, 1);
    pb_put_bytes(b, 1, str_c(name));
    pb_put_bytes(b, 2, str_c(value));
    pb_end(b, l);
}
static void put_native(struct buf *b) {
    size_t h = pb_begin(b, 7);
    pb_put_u64(b, 1, 210);
    pb_put_double(b, 2, 12.5);
    pb_put_sint(b, 5, 3);
    size_t span = pb_begin(b, 12);
    pb_put_sint(b, 1, -5);
    pb_put_u64(b, 2, 20);
    pb_end(b, span);
    char deltas[20];
    memset(deltas, 2, sizeof deltas); /* +1 each: 1 to 20 */
    pb_put_bytes(b, 13, str_n(deltas, sizeof deltas));
    pb_end(b, h);
}
static void build_prom_proto(struct message *m) {
    m->items = 0;
    for (size_t family = 0; family < 300; family++) {
        AUTO(buf_done) struct buf b = {0};
        char name[64];
        bool native = family % 10 == 9;
        snprintf(name, sizeof name, "node_family_%zu_total", family);
        pb_put_bytes(&b, 1, str_c(name));
        pb_put_bytes(&b, 2, STR("Something that node_exporter would count."));
        pb_put_u64(&b, 3, native ? 4 : 0);
        for (size_t i = 0; i < 12; i++, m->items++) {
            size_t metric = pb_begin(&b, 4);
            snprintf(name, sizeof name, "/dev/sda%zu", i);
            put_pair(&b, "device", name);
            put_pair(&b, "fstype", "ext4");
            put_pair(&b, "mountpoint", "/var/lib");
            if (native) {
                put_native(&b);
            } else {
                size_t counter = pb_begin(&b, 3);
                pb_put_double(&b, 1, (double)i * 1021.5);
                pb_end(&b, counter);
            }
            pb_end(&b, metric);
        }
        put_slice(&m->bytes, buf_str(&b));
    }
}
static void decode_prom_proto(const struct message *m) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(m->bytes.n * 2);
    const struct prom_text_options o = {.default_t_ms = 1, .native_histograms = true};
    struct err e;
    if (!prom_proto_parse(arena_str(b->arena, buf_str(&m->bytes)), &o, b, &e) || b->row_n != m->items) abort();
}

/* --- line protocol as telegraf's: ten fields of a line, five tags */
static void build_influx(struct message *m) {
    m->items = 0;
    for (size_t line = 0; line < 2000; line++) {
        buf_printf(&m->bytes, "cpu,cpu=cpu%zu,host=worker-%zu,region=eu-west,rack=r7,os=linux ", line % 64, line / 64);
        for (size_t i = 0; i < 10; i++, m->items++) buf_printf(&m->bytes, "%susage_kind%zu=%zu.%02zu", i ? "," : "", i, line, i * 7);
        buf_printf(&m->bytes, " 1700000000000000000\n");
    }
}
static void decode_influx(const struct message *m) {
    const struct influx_options o = {.unit_ns = 1, .db = STR_INIT("telegraf")};
    struct metric_batch *b;
    struct influx_counts counts;
    struct otlp_partial partial;
    struct err e;
    if (!influx_decode(buf_str(&m->bytes), &o, &b, &counts, &partial, &e) || b->row_n != m->items) abort();
    metric_batch_free(b);
}

/* --- an export of two hundred series of a hundred samples each */
static void build_json_lines(struct message *m) {
    static const struct label l[] = {{STR_INIT("__name__"), STR_INIT("http_requests_total")}, {STR_INIT("instance"), STR_INIT("worker-1:9100")}};
    int64_t t_ms[100];
    double v[100];
    for (size_t i = 0; i < ARRAY_N(t_ms); i++) t_ms[i] = 1700000000000 + (int64_t)i * 15000, v[i] = (double)i * 17.25;
    for (size_t i = 0; i < 200; i++) json_lines_put(&m->bytes, (struct labels){l, 2}, &(struct samples){100, t_ms, v, NULL, NULL});
    m->items = 200 * 100;
}
static void decode_json_lines(const struct message *m) {
    struct metric_batch *b;
    struct otlp_partial partial;
    json_lines_decode(buf_str(&m->bytes), (struct labels){NULL, 0}, &b, &partial);
    if (b->sample_n != m->items) abort();
    metric_batch_free(b);
}

static const struct {
    const char *name, *items;
    void (*build)(struct message *m);
    void (*decode)(const struct message *m);
} rows[] = {
    {"otlp-trace-protobuf", "spans", build_otlp_trace, decode_otlp_trace},
    {"es-bulk", "documents", build_es_bulk, decode_es_bulk},
    {"prom-text", "lines", build_prom_text, decode_prom_text},
    {"prom-protobuf", "metrics", build_prom_proto, decode_prom_proto},
    {"influx-lines", "values", build_influx, decode_influx},
    {"json-lines", "samples", build_json_lines, decode_json_lines},
};

int main(int argc, char **argv) {
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        if (argc > 1 && !strstr(rows[i].name, argv[1])) continue;
        struct message m = {0};
        rows[i].build(&m);
        rows[i].decode(&m); /* warm-up */
        size_t rounds = 0;
        int64_t start = clock_cpu_ns(), took;
        do {
            rows[i].decode(&m);
            rounds++;
        } while ((took = clock_cpu_ns() - start) < NS_PER_S);
        double seconds = (double)took / NS_PER_S;
        printf("%-22s %10.0f %s/s/core %8.1f MB/s %6.1f B each\n", rows[i].name, (double)(rounds * m.items) / seconds, rows[i].items,
               (double)(rounds * m.bytes.n) / seconds / 1e6, (double)m.bytes.n / (double)m.items);
        buf_done(&m.bytes);
    }
    return 0;
}
