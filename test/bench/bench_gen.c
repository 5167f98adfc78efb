/* bench_gen: the load of ./dev bench metrics: what a Kubernetes cluster exposes, in its kinds of label sets and values.
 *
 *   bench_gen encode SERIES STEPS START_MS STEP_MS NODE FILE    remote write 1.0 bodies (snappy) of nodes NODE and up; bench_body.h
 *   bench_gen pages TARGETS LINES SCRAPES FOLDER                cAdvisor expositions, gzipped: FOLDER/TARGET-SCRAPE.gz
 *
 * A node has 508 node_exporter series and 20 pods, each of 80 cAdvisor, 37 kube-state-metrics and 80 application series. Same arguments, same bytes.
 * Values follow their series' kind from step to step; nodes expose at a phase of their own inside a step. */
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "bench/bench_body.h"
#include "codec/compress.h"
#include "codec/num.h"
#include "codec/varint.h"

enum kind { CONSTANT, COUNTER_INT, COUNTER_FLOAT, COUNTER_RARE, GAUGE_BYTES, GAUGE, BUCKET, CLOCK };

struct family {
    const char *name;
    enum kind kind;
    double rate, start; /* per second for counters, relative step for gauges; start > 1: a random value below it */
};

struct label {
    const char *name;
    char value[176];
    bool own; /* in the exposition, not added by the scraper */
};
struct label_set {
    struct label v[24];
    unsigned n;
};

struct series {
    enum kind kind;
    double value, rate, scale; /* scale: 10^decimals of a float counter */
    uint32_t node;
    uint32_t labels_n, text_n;
    size_t labels_at, text_at; /* in the arenas of struct set */
};

/* The series in memory: a few nodes while encoding, one target while writing pages. */
struct set {
    struct series *v;
    size_t n, cap, room; /* room: series still wanted */
    struct buf labels, text;
    bool want_text;
    uint32_t node;
    uint64_t seed;
};

static uint64_t mix(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}
static double unit(uint64_t x) {
    return (double)(mix(x) >> 11) / 9007199254740992.0;
}

static PRINTF_LIKE(4, 5) void label(struct label_set *s, bool own, const char *name, const char *fmt, ...) {
    struct label *l = &s->v[s->n++];
    l->name = name;
    l->own = own;
    va_list args;
    va_start(args, fmt);
    vsnprintf(l->value, sizeof l->value, fmt, args);
    va_end(args);
}

static void hex(char *out, size_t n, uint64_t seed) {
    for (size_t i = 0; i < n; i++) {
        if (i % 16 == 0) seed = mix(seed + i);
        out[i] = "0123456789abcdef"[seed >> (i % 16 * 4) & 15];
    }
    out[n] = 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static void put_pair(struct buf *b, const char *name, const char *value) {
    size_t name_n = strlen(name), value_n = strlen(value);
    buf_char(b, 0x0a);
    put_varint(b, 2 + name_n + (value_n > 127 ? 3 : 2) + value_n);
    buf_char(b, 0x0a);
    put_slice(b, str_n(name, name_n));
    buf_char(b, 0x12);
    put_slice(b, str_n(value, value_n));
}

static void put_text(struct buf *b, const char *name, const struct label_set *s) {
    char open = '{';
    buf_add(b, str_c(name));
    for (unsigned i = 0; i < s->n; i++) {
        if (!s->v[i].own) continue;
        buf_printf(b, "%c%s=\"%s\"", open, s->v[i].name, s->v[i].value);
        open = ',';
    }
    if (open == ',') buf_char(b, '}');
}

/* One series of family f: the labels of s and the name, sorted. */
static void add(struct set *set, const struct label_set *s, const struct family *f) {
    if (set->room == 0) return;
    set->room--;
    if (set->n == set->cap) {
        set->cap = set->cap ? set->cap * 2 : 8192;
        set->v = realloc(set->v, set->cap * sizeof *set->v);
        if (!set->v) abort();
    }
    uint64_t r = mix(set->seed++);
    double start = f->kind == CONSTANT || f->kind == CLOCK || f->start <= 1 ? f->start : floor(f->start * unit(r));
    if (f->kind == GAUGE_BYTES) start = floor(f->start * (0.5 + unit(r)) / 4096) * 4096;
    if (f->kind == GAUGE) start = f->start;
    struct series *out = &set->v[set->n++];
    *out = (struct series){.kind = f->kind, .value = start, .rate = f->rate, .node = set->node, .labels_at = set->labels.n, .text_at = set->text.n};
    out->scale = strncmp(f->name, "node_", 5) == 0 ? 100 : strstr(f->name, "_sum") ? 1e9 : 1e6;

    struct label_set sorted = *s;
    label(&sorted, false, "__name__", "%s", f->name);
    qsort(sorted.v, sorted.n, sizeof *sorted.v, by_name);
    for (unsigned i = 0; i < sorted.n; i++) put_pair(&set->labels, sorted.v[i].name, sorted.v[i].value);
    out->labels_n = (uint32_t)(set->labels.n - out->labels_at);
    if (set->want_text) put_text(&set->text, f->name, s);
    out->text_n = (uint32_t)(set->text.n - out->text_at);
}

/* --- node_exporter */

static const struct family filesystem[] = {
    {"node_filesystem_avail_bytes", GAUGE_BYTES, 0.001, 1e11}, {"node_filesystem_free_bytes", GAUGE_BYTES, 0.001, 1e11},
    {"node_filesystem_size_bytes", CONSTANT, 0, 2e11},         {"node_filesystem_files", CONSTANT, 0, 6553600},
    {"node_filesystem_files_free", GAUGE, 0.001, 5e6},         {"node_filesystem_readonly", CONSTANT, 0, 0},
    {"node_filesystem_device_error", CONSTANT, 0, 0}};
static const struct family network[] = {{"node_network_receive_bytes_total", COUNTER_INT, 30000, 1e10},
                                        {"node_network_receive_packets_total", COUNTER_INT, 60, 1e8},
                                        {"node_network_receive_errs_total", CONSTANT, 0, 0},
                                        {"node_network_receive_drop_total", COUNTER_RARE, 0, 1e4},
                                        {"node_network_receive_fifo_total", CONSTANT, 0, 0},
                                        {"node_network_receive_frame_total", CONSTANT, 0, 0},
                                        {"node_network_receive_compressed_total", CONSTANT, 0, 0},
                                        {"node_network_receive_multicast_total", COUNTER_RARE, 0, 1e4},
                                        {"node_network_transmit_bytes_total", COUNTER_INT, 30000, 1e10},
                                        {"node_network_transmit_packets_total", COUNTER_INT, 60, 1e8},
                                        {"node_network_transmit_errs_total", CONSTANT, 0, 0},
                                        {"node_network_transmit_drop_total", CONSTANT, 0, 0},
                                        {"node_network_transmit_fifo_total", CONSTANT, 0, 0},
                                        {"node_network_transmit_colls_total", CONSTANT, 0, 0},
                                        {"node_network_transmit_carrier_total", CONSTANT, 0, 0},
                                        {"node_network_transmit_compressed_total", CONSTANT, 0, 0},
                                        {"node_network_mtu_bytes", CONSTANT, 0, 1500},
                                        {"node_network_speed_bytes", CONSTANT, 0, 1.25e9},
                                        {"node_network_up", CONSTANT, 0, 1},
                                        {"node_network_info", CONSTANT, 0, 1}};
static const struct family disk[] = {{"node_disk_reads_completed_total", COUNTER_RARE, 0, 1e6},
                                     {"node_disk_reads_merged_total", COUNTER_RARE, 0, 1e5},
                                     {"node_disk_read_bytes_total", COUNTER_INT, 50, 1e10},
                                     {"node_disk_read_time_seconds_total", COUNTER_FLOAT, 0.02, 1e4},
                                     {"node_disk_writes_completed_total", COUNTER_INT, 8, 1e7},
                                     {"node_disk_writes_merged_total", COUNTER_INT, 8, 1e6},
                                     {"node_disk_written_bytes_total", COUNTER_INT, 200000, 1e11},
                                     {"node_disk_write_time_seconds_total", COUNTER_FLOAT, 0.02, 1e4},
                                     {"node_disk_io_now", GAUGE, 0.1, 2},
                                     {"node_disk_io_time_seconds_total", COUNTER_FLOAT, 0.02, 1e4},
                                     {"node_disk_io_time_weighted_seconds_total", COUNTER_FLOAT, 0.02, 1e4},
                                     {"node_disk_discards_completed_total", CONSTANT, 0, 0},
                                     {"node_disk_discarded_sectors_total", CONSTANT, 0, 0},
                                     {"node_disk_flush_requests_total", COUNTER_INT, 2, 1e6},
                                     {"node_disk_info", CONSTANT, 0, 1}};
static const char *const memory[] = {"MemFree",       "MemAvailable", "Buffers",       "Cached",      "Active",      "Inactive",   "Active_anon",
                                     "Inactive_anon", "Active_file",  "Inactive_file", "Dirty",       "AnonPages",   "Mapped",     "Shmem",
                                     "KReclaimable",  "Slab",         "SReclaimable",  "SUnreclaim",  "KernelStack", "PageTables", "MemTotal",
                                     "SwapTotal",     "SwapFree",     "SwapCached",    "Unevictable", "Mlocked"};
enum { MEMORY_MOVING = 20 }; /* the rest of memory[] is constant */

static void add_node(struct set *set) {
    static const char *const modes[] = {"idle", "user", "system", "iowait", "softirq", "irq", "nice", "steal"};
    unsigned n = set->node;
    char id[8], name[96];
    hex(id, 5, n * 7919 + 5);
    struct label_set base = {0};
    label(&base, false, "container", "node-exporter");
    label(&base, false, "endpoint", "metrics");
    label(&base, false, "instance", "10.%u.%u.%u:9100", n >> 16, n >> 8 & 255, n & 255);
    label(&base, false, "job", "node-exporter");
    label(&base, false, "namespace", "monitoring");
    label(&base, false, "pod", "prometheus-node-exporter-%s", id);
    label(&base, false, "service", "prometheus-node-exporter");
    for (int cpu = 0; cpu < 16; cpu++) {
        for (int m = 0; m < 8; m++) {
            struct label_set s = base;
            label(&s, true, "cpu", "%d", cpu);
            label(&s, true, "mode", "%s", modes[m]);
            add(set, &s, &(struct family){"node_cpu_seconds_total", m < 5 ? COUNTER_FLOAT : CONSTANT, m ? 0.03 : 0.9, m < 5 ? 1e5 : 0});
        }
    }
    for (int d = 0; d < 10; d++) {
        struct label_set s = base;
        label(&s, true, "device", d < 4 ? "/dev/nvme%dn1p1" : "tmpfs", d);
        label(&s, true, "fstype", "%s", d < 4 ? "ext4" : "tmpfs");
        label(&s, true, "mountpoint", d == 0 ? "/" : d < 4 ? "/var/lib/data%d" : "/run/user/%d", d);
        for (size_t i = 0; i < ARRAY_N(filesystem); i++) {
            struct family f = filesystem[i];
            if (d >= 4) f.kind = CONSTANT;
            add(set, &s, &f);
        }
    }
    for (unsigned d = 0; d < 8; d++) {
        struct label_set s = base;
        label(&s, true, "device", d == 0 ? "eth0" : d == 1 ? "lo" : "veth%08x", (unsigned)mix(n * 100 + d));
        for (size_t i = 0; i < ARRAY_N(network); i++) add(set, &s, &network[i]);
    }
    for (int d = 0; d < 4; d++) {
        struct label_set s = base;
        label(&s, true, "device", "nvme%dn1", d);
        for (size_t i = 0; i < ARRAY_N(disk); i++) add(set, &s, &disk[i]);
    }
    for (size_t i = 0; i < ARRAY_N(memory); i++) {
        snprintf(name, sizeof name, "node_memory_%s_bytes", memory[i]);
        add(set, &base, &(struct family){name, i < MEMORY_MOVING ? GAUGE_BYTES : CONSTANT, 0.002, i < MEMORY_MOVING ? 1e10 : 0});
    }
    for (int i = 0; i < 64; i++) { /* vmstat, netstat, sockstat and the like: a third of them move */
        snprintf(name, sizeof name, "node_other_%d%s", i, i % 3 ? "" : "_total");
        add(set, &base, &(struct family){name, i % 3 ? i % 8 ? CONSTANT : GAUGE : COUNTER_INT, i % 3 ? 0.05 : 100, i % 3 ? 12 : 1e6});
    }
}

/* --- a pod: cAdvisor, kube-state-metrics, the application itself */

struct pod {
    char name[96], uid[40], app[24];
    const char *namespace;
    unsigned index; /* on its node */
};

static struct pod make_pod(unsigned node, unsigned index) {
    static const char *const spaces[] = {"default", "default",  "kube-system", "monitoring", "payments",
                                         "orders",  "frontend", "staging",     "batch",      "search"};
    static const char *const apps[] = {"checkout",     "catalog",        "cart",           "payment-gateway", "frontend",
                                       "user-profile", "search-indexer", "recommendation", "email-worker",    "inventory"};
    uint64_t seed = node * 100ULL + index;
    size_t app = mix(seed * 13 + 1) % ARRAY_N(apps);
    struct pod p = {.index = index, .namespace = spaces[mix(seed * 31 + 7) % ARRAY_N(spaces)]};
    char set[12], own[8], h[40];
    hex(set, 10, app * 77 + 9);
    hex(own, 5, seed * 17 + 3);
    hex(h, 32, seed * 11 + 2);
    snprintf(p.app, sizeof p.app, "%s", apps[app]);
    snprintf(p.name, sizeof p.name, "%s-%s-%s", apps[app], set, own);
    snprintf(p.uid, sizeof p.uid, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
    return p;
}

static void label_host(struct label_set *s, bool own, const char *name, unsigned n) {
    label(s, own, name, "ip-10-%u-%u-%u.ec2.internal", n >> 16, n >> 8 & 255, n & 255);
}

static const struct family container[] = {{"container_cpu_usage_seconds_total", COUNTER_FLOAT, 0.12, 1e4},
                                          {"container_cpu_user_seconds_total", COUNTER_FLOAT, 0.08, 1e4},
                                          {"container_cpu_system_seconds_total", COUNTER_FLOAT, 0.04, 1e4},
                                          {"container_cpu_cfs_periods_total", COUNTER_INT, 10, 1e6},
                                          {"container_cpu_cfs_throttled_periods_total", COUNTER_RARE, 0, 1e4},
                                          {"container_cpu_cfs_throttled_seconds_total", COUNTER_FLOAT, 0.01, 1e3},
                                          {"container_memory_usage_bytes", GAUGE_BYTES, 0.002, 3e8},
                                          {"container_memory_working_set_bytes", GAUGE_BYTES, 0.002, 2e8},
                                          {"container_memory_rss", GAUGE_BYTES, 0.001, 2e8},
                                          {"container_memory_cache", GAUGE_BYTES, 0.001, 1e8},
                                          {"container_memory_mapped_file", CONSTANT, 0, 1e6},
                                          {"container_memory_failcnt", CONSTANT, 0, 0},
                                          {"container_memory_max_usage_bytes", CONSTANT, 0, 4e8},
                                          {"container_memory_swap", CONSTANT, 0, 0},
                                          {"container_spec_cpu_quota", CONSTANT, 0, 1e5},
                                          {"container_spec_cpu_shares", CONSTANT, 0, 1024},
                                          {"container_spec_memory_limit_bytes", CONSTANT, 0, 5e8},
                                          {"container_fs_reads_total", COUNTER_RARE, 0, 1e4},
                                          {"container_fs_writes_total", COUNTER_INT, 3, 1e5},
                                          {"container_last_seen", CLOCK, 1, 1.7e9},
                                          {"container_start_time_seconds", CONSTANT, 0, 1.7e9},
                                          {"container_threads", COUNTER_RARE, 0, 1},
                                          {"container_processes", CONSTANT, 0, 2},
                                          {"container_file_descriptors", GAUGE, 0.02, 40}};
static const struct family pod_network[] = {
    {"container_network_receive_bytes_total", COUNTER_INT, 5000, 1e9},  {"container_network_receive_packets_total", COUNTER_INT, 20, 1e7},
    {"container_network_receive_errors_total", CONSTANT, 0, 0},         {"container_network_receive_packets_dropped_total", CONSTANT, 0, 0},
    {"container_network_transmit_bytes_total", COUNTER_INT, 5000, 1e9}, {"container_network_transmit_packets_total", COUNTER_INT, 20, 1e7},
    {"container_network_transmit_errors_total", CONSTANT, 0, 0},        {"container_network_transmit_packets_dropped_total", CONSTANT, 0, 0}};

/* c: 0 the application, 1 its side car, 2 the pod's own cgroup, which has neither image nor name. */
static struct label_set container_labels(const struct set *set, const struct pod *p, unsigned c) {
    unsigned n = set->node;
    char id[72];
    struct label_set s = {0};
    hex(id, 64, (n * 100ULL + p->index) * 2000003 + c);
    label(&s, false, "endpoint", "https-metrics");
    label(&s, false, "instance", "10.%u.%u.%u:10250", n >> 16, n >> 8 & 255, n & 255);
    label(&s, false, "job", "kubelet");
    label(&s, false, "metrics_path", "/metrics/cadvisor");
    label_host(&s, false, "node", n);
    label(&s, false, "service", "kubelet");
    label(&s, true, "namespace", "%s", p->namespace);
    label(&s, true, "pod", "%s", p->name);
    label(&s, true, "id", "/kubepods/burstable/pod%s%s%s", p->uid, c < 2 ? "/" : "", c < 2 ? id : "");
    if (c == 2) return s;
    label(&s, true, "container", "%s", c ? "istio-proxy" : p->app);
    label(&s, true, "image", c ? "docker.io/istio/proxyv2:1.20.3" : "registry.example.com/shop/%s:1.4.%d", p->app, p->app[0] % 7);
    label(&s, true, "name", "%s", id);
    return s;
}

static void add_cadvisor(struct set *set, const struct pod *p) {
    for (unsigned c = 0; c < 3; c++) {
        struct label_set s = container_labels(set, p, c);
        for (size_t i = 0; i < ARRAY_N(container); i++) {
            struct family f = container[i];
            if (c == 1 && f.kind == COUNTER_INT) f.kind = COUNTER_RARE;
            add(set, &s, &f);
        }
        if (c < 2) continue;
        label(&s, true, "interface", "eth0");
        for (size_t i = 0; i < ARRAY_N(pod_network); i++) add(set, &s, &pod_network[i]);
    }
}

static void add_each(struct set *set, const struct label_set *base, const char *family, const char *name, const char *const *values, size_t n,
                     size_t one) {
    for (size_t i = 0; i < n; i++) {
        struct label_set s = *base;
        label(&s, true, name, "%s", values[i]);
        add(set, &s, &(struct family){family, CONSTANT, 0, i == one});
    }
}

static void add_kube_state(struct set *set, const struct pod *p) {
    static const char *const phases[] = {"Running", "Pending", "Succeeded", "Failed", "Unknown"}, *const conditions[] = {"true", "false", "unknown"};
    static const char *const states[] = {"kube_pod_container_status_running", "kube_pod_container_status_ready", "kube_pod_container_status_waiting",
                                         "kube_pod_container_status_terminated", "kube_pod_container_status_restarts_total"};
    static const char *const resources[] = {"kube_pod_container_resource_requests", "kube_pod_container_resource_limits"};
    unsigned n = set->node;
    struct label_set base = {0}, s;
    label(&base, false, "endpoint", "http");
    label(&base, false, "instance", "10.244.0.17:8080");
    label(&base, false, "job", "kube-state-metrics");
    label(&base, false, "service", "prometheus-kube-state-metrics");
    label(&base, true, "namespace", "%s", p->namespace);
    label(&base, true, "pod", "%s", p->name);
    label(&base, true, "uid", "%s", p->uid);
    add_each(set, &base, "kube_pod_status_phase", "phase", phases, 5, 0);
    add_each(set, &base, "kube_pod_status_ready", "condition", conditions, 3, 0);
    add_each(set, &base, "kube_pod_status_scheduled", "condition", conditions, 3, 0);
    add(set, &base, &(struct family){"kube_pod_created", CONSTANT, 0, 1.7e9 + p->index});
    add(set, &base, &(struct family){"kube_pod_start_time", CONSTANT, 0, 1.7e9 + 1 + p->index});
    s = base;
    label(&s, true, "created_by_kind", "ReplicaSet");
    label(&s, true, "created_by_name", "%s-rs", p->app);
    label(&s, true, "host_ip", "10.%u.%u.%u", n >> 16, n >> 8 & 255, n & 255);
    label_host(&s, true, "node", n);
    label(&s, true, "pod_ip", "10.244.%u.%u", n & 255, p->index + 2);
    add(set, &s, &(struct family){"kube_pod_info", CONSTANT, 0, 1});
    s = base;
    label(&s, true, "owner_kind", "ReplicaSet");
    label(&s, true, "owner_name", "%s-rs", p->app);
    add(set, &s, &(struct family){"kube_pod_owner", CONSTANT, 0, 1});
    s = base;
    label(&s, true, "label_app", "%s", p->app);
    label(&s, true, "label_pod_template_hash", "5d4f8c7b9");
    add(set, &s, &(struct family){"kube_pod_labels", CONSTANT, 0, 1});
    for (unsigned c = 0; c < 2; c++) {
        struct label_set own = base;
        label(&own, true, "container", "%s", c ? "istio-proxy" : p->app);
        for (size_t i = 0; i < ARRAY_N(states); i++) add(set, &own, &(struct family){states[i], i == 4 ? COUNTER_RARE : CONSTANT, 0, i < 2});
        label_host(&own, true, "node", n);
        for (size_t i = 0; i < 4; i++) {
            s = own;
            label(&s, true, "resource", "%s", i & 1 ? "cpu" : "memory");
            label(&s, true, "unit", "%s", i & 1 ? "core" : "byte");
            add(set, &s, &(struct family){resources[i >> 1], CONSTANT, 0, i & 1 ? 0.25 : 268435456});
        }
        label(&own, true, "image_id", "sha256:%016llx%016llx", (unsigned long long)mix((uint64_t)p->app[0]), (unsigned long long)mix(c));
        add(set, &own, &(struct family){"kube_pod_container_info", CONSTANT, 0, 1});
    }
    add(set, &base, &(struct family){"kube_pod_deletion_timestamp", CONSTANT, 0, 0});
    add(set, &base, &(struct family){"kube_pod_restart_policy", CONSTANT, 0, 1});
}

static const struct family process[] = {{"process_cpu_seconds_total", COUNTER_FLOAT, 0.1, 1e3},
                                        {"process_cpu_user_seconds_total", COUNTER_FLOAT, 0.08, 1e3},
                                        {"process_cpu_system_seconds_total", COUNTER_FLOAT, 0.02, 1e3},
                                        {"process_start_time_seconds", CONSTANT, 0, 1.7e9},
                                        {"process_resident_memory_bytes", GAUGE_BYTES, 0.002, 1e8},
                                        {"process_virtual_memory_bytes", CONSTANT, 0, 1e9},
                                        {"process_heap_bytes", GAUGE_BYTES, 0.003, 2e8},
                                        {"process_open_fds", GAUGE, 0.02, 30},
                                        {"process_max_fds", CONSTANT, 0, 1048576},
                                        {"nodejs_eventloop_lag_seconds", GAUGE, 0.5, 0.001},
                                        {"nodejs_eventloop_lag_min_seconds", GAUGE, 0.2, 0.009},
                                        {"nodejs_eventloop_lag_max_seconds", GAUGE, 0.5, 0.02},
                                        {"nodejs_eventloop_lag_mean_seconds", GAUGE, 0.1, 0.01},
                                        {"nodejs_eventloop_lag_p50_seconds", GAUGE, 0.1, 0.01},
                                        {"nodejs_eventloop_lag_p99_seconds", GAUGE, 0.3, 0.012},
                                        {"nodejs_active_handles_total", GAUGE, 0.02, 12},
                                        {"nodejs_active_requests_total", CONSTANT, 0, 0},
                                        {"nodejs_heap_size_total_bytes", GAUGE_BYTES, 0.002, 6e7},
                                        {"nodejs_heap_size_used_bytes", GAUGE_BYTES, 0.01, 5e7},
                                        {"nodejs_external_memory_bytes", GAUGE_BYTES, 0.01, 2e6},
                                        {"nodejs_version_info", CONSTANT, 0, 1},
                                        {"nodejs_gc_duration_seconds_sum", COUNTER_FLOAT, 0.001, 10},
                                        {"nodejs_gc_duration_seconds_count", COUNTER_INT, 0.5, 1e4},
                                        {"app_orders_total", COUNTER_INT, 1, 1e4}};

static void add_app(struct set *set, const struct pod *p) {
    static const struct {
        const char *method, *endpoint, *status;
        double rate;
    } calls[] = {{"GET", "/", "200", 20}, {"GET", "/api/items", "200", 5}, {"POST", "/api/items", "201", 5}, {"POST", "/api/items", "500", 0.05}};
    static const char *const le[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"};
    unsigned n = set->node;
    struct label_set base = {0};
    label(&base, false, "app", "%s", p->app);
    label(&base, false, "instance", "10.244.%u.%u:3000", n & 255, p->index + 2);
    label(&base, false, "job", "kubernetes-pods");
    label(&base, false, "namespace", "%s", p->namespace);
    label_host(&base, false, "node", n);
    label(&base, false, "pod", "%s", p->name);
    for (size_t c = 0; c < ARRAY_N(calls); c++) {
        struct label_set s = base;
        label(&s, true, "method", "%s", calls[c].method);
        label(&s, true, "endpoint", "%s", calls[c].endpoint);
        label(&s, true, "status_code", "%s", calls[c].status);
        for (size_t i = 0; i < ARRAY_N(le); i++) {
            struct label_set bucket = s;
            double share = 1 - exp(-(double)(i + 1) * 0.6);
            label(&bucket, true, "le", "%s", le[i]);
            add(set, &bucket, &(struct family){"http_request_duration_seconds_bucket", BUCKET, calls[c].rate * share, 1 + 1e6 * share});
        }
        add(set, &s, &(struct family){"http_request_duration_seconds_sum", COUNTER_FLOAT, calls[c].rate * 0.05, 1e4});
        add(set, &s, &(struct family){"http_request_duration_seconds_count", BUCKET, calls[c].rate, 1e6});
    }
    for (size_t i = 0; i < ARRAY_N(process); i++) add(set, &base, &process[i]);
}

/* The next node with all that runs on it. */
static void add_all(struct set *set, uint32_t node) {
    set->node = node;
    set->seed = node * 1000003ULL;
    add_node(set);
    for (unsigned i = 0; i < 20 && set->room; i++) {
        struct pod p = make_pod(node, i);
        add_cadvisor(set, &p);
        add_kube_state(set, &p);
        add_app(set, &p);
    }
}

/* --- values */

/* What the series shows `seconds` after its last step. id and step choose the noise. */
static double next_value(struct series *s, uint64_t id, uint64_t step, double seconds) {
    uint64_t r = mix(id * 0x9e3779b97f4a7c15 + step * 0xd1b54a32d192ed03);
    double u = (double)(r >> 11) / 9007199254740992.0, grown = s->rate * seconds;
    switch (s->kind) {
    case CONSTANT: break;
    case COUNTER_INT: s->value += floor(grown * (0.5 + u)); break;
    case COUNTER_FLOAT: s->value = round((s->value + grown * (0.8 + 0.4 * u)) * s->scale) / s->scale; break;
    case BUCKET: s->value += floor(grown * (0.8 + 0.4 * u) + 0.5 * u); break;
    case COUNTER_RARE: s->value += (r & 31) == 0; break;
    case GAUGE_BYTES:
        if (r & 3) s->value = fmax(4096, s->value + floor(s->value * s->rate * (u * 2 - 1) / 4096) * 4096);
        break;
    case GAUGE:
        if (s->value < 10)
            s->value = fmax(0.001, round(s->value * (1 + s->rate * (u - 0.5)) * 1e9) / 1e9);
        else if ((r & 7) == 0)
            s->value += r & 8 ? 1 : -1;
        break;
    case CLOCK: s->value += seconds; break;
    }
    return s->value;
}

/* --- encode */

enum { SERIES_PER_BODY = 2000 }; /* what Prometheus' remote write sends by default */

static void put_series(struct buf *b, const struct set *set, const struct series *s, double value, int64_t t_ms) {
    char sample[24] = {0x12, 0, 0x09};
    size_t n = 3;
    memcpy(sample + n, &value, 8);
    n += 8;
    sample[n++] = 0x10;
    for (uint64_t t = (uint64_t)t_ms;; t >>= 7) {
        sample[n++] = (char)(t >= 0x80 ? (t & 0x7f) | 0x80 : t);
        if (t < 0x80) break;
    }
    sample[1] = (char)(n - 2);
    buf_char(b, 0x0a);
    put_varint(b, s->labels_n + n);
    buf_put(b, set->labels.p + s->labels_at, s->labels_n);
    buf_put(b, sample, n);
}

static void write_all(int fd, const void *p, size_t n) {
    for (const char *at = p; n;) {
        ssize_t k = write(fd, at, n);
        if (k <= 0) {
            perror("bench_gen: write");
            exit(7);
        }
        at += k;
        n -= (size_t)k;
    }
}

struct encoder {
    struct body_header h;
    struct body_entry *index;
    int fd;
    uint64_t at;
    struct buf raw, packed;
};

/* Series [0, n) of the set are chunk `chunk`: all its steps. */
static void encode_chunk(struct encoder *c, struct set *set, size_t n, size_t chunk) {
    for (uint64_t step = 0; step < c->h.steps; step++) {
        buf_clear(&c->raw);
        buf_clear(&c->packed);
        for (size_t i = 0; i < n; i++) {
            struct series *s = &set->v[i];
            double v = next_value(s, chunk * c->h.batch + i, step, (double)c->h.step_ms / 1000);
            put_series(&c->raw, set, s, v, c->h.start_ms + (int64_t)step * c->h.step_ms + s->node * 37 % c->h.step_ms);
        }
        snappy_encode(buf_str(&c->raw), &c->packed);
        write_all(c->fd, c->packed.p, c->packed.n);
        c->index[step * c->h.chunks + chunk] = (struct body_entry){c->at, (uint32_t)c->packed.n, (uint32_t)n};
        c->at += c->packed.n;
    }
}

/* Takes series [0, n) out. The arenas go when nothing is left of them. */
static void forget(struct set *set, size_t n) {
    memmove(set->v, set->v + n, (set->n - n) * sizeof *set->v);
    set->n -= n;
    size_t from = set->n ? set->v[0].labels_at : set->labels.n;
    memmove(set->labels.p, set->labels.p + from, set->labels.n - from);
    set->labels.n -= from;
    for (size_t i = 0; i < set->n; i++) set->v[i].labels_at -= from;
}

static int encode(char **a) {
    size_t series = strtoull(a[0], NULL, 10), steps = strtoull(a[1], NULL, 10), batch = SERIES_PER_BODY;
    uint32_t node = (uint32_t)strtoul(a[4], NULL, 10);
    struct encoder c = {.h = {BODY_MAGIC, series, steps, (series + batch - 1) / batch, batch, 0, atoll(a[2]), atoll(a[3])}, .at = sizeof c.h};
    c.index = calloc(c.h.steps * c.h.chunks, sizeof *c.index);
    c.fd = open(a[5], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (c.fd < 0 || !c.index || lseek(c.fd, (off_t)c.at, SEEK_SET) < 0) return perror("bench_gen: encode"), 7;
    struct set set = {.room = series};
    for (size_t chunk = 0; chunk < c.h.chunks; chunk++) {
        while (set.n < batch && set.room) add_all(&set, node++);
        size_t n = set.n < batch ? set.n : batch;
        encode_chunk(&c, &set, n, chunk);
        forget(&set, n);
    }
    c.h.index_at = c.at;
    write_all(c.fd, c.index, c.h.steps * c.h.chunks * sizeof *c.index);
    if (pwrite(c.fd, &c.h, sizeof c.h, 0) != (ssize_t)sizeof c.h) return perror("bench_gen: write"), 7;
    printf("{\"series\": %zu, \"samples\": %zu, \"bytes_per_sample\": %.1f}\n", series, series * steps,
           (double)(c.at - sizeof c.h) / (double)(series * steps));
    buf_done(&c.raw);
    buf_done(&c.packed);
    buf_done(&set.labels);
    free(set.v);
    free(c.index);
    return close(c.fd) == 0 ? 0 : 7;
}

/* --- pages */

static str family_of(const struct set *set, const struct series *s) {
    str text = str_n(set->text.p + s->text_at, s->text_n);
    size_t open = str_find_char(text, '{');
    return open == STR_NONE ? text : str_sub(text, 0, open);
}

static const struct set *sorting;
static int by_family(const void *a, const void *b) {
    const struct series *x = a, *y = b;
    int order = str_cmp(family_of(sorting, x), family_of(sorting, y));
    return order ? order : x->text_at < y->text_at ? -1 : 1;
}

static void put_page(struct buf *b, struct set *set, uint64_t scrape) {
    str last = STR("");
    for (size_t i = 0; i < set->n; i++) {
        struct series *s = &set->v[i];
        str family = family_of(set, s);
        if (!str_eq(family, last)) {
            buf_printf(b, "# HELP %" STR_F " What cAdvisor says about it, cumulative or current.\n# TYPE %" STR_F " %s\n", STR_A(family),
                       STR_A(family), str_ends(family, STR("_total")) ? "counter" : "gauge");
            last = family;
        }
        buf_put(b, set->text.p + s->text_at, s->text_n);
        buf_char(b, ' ');
        num_put_double(b, next_value(s, i, scrape, 15));
        buf_char(b, '\n');
    }
}

static int pages(char **a) {
    uint32_t targets = (uint32_t)strtoul(a[0], NULL, 10), scrapes = (uint32_t)strtoul(a[2], NULL, 10);
    struct buf page = {0}, packed = {0};
    uint64_t text_n = 0, packed_n = 0;
    for (uint32_t t = 0; t < targets; t++) {
        struct set set = {.room = strtoull(a[1], NULL, 10), .want_text = true, .node = t, .seed = t * 1000003ULL};
        for (unsigned i = 0; set.room; i++) {
            struct pod p = make_pod(t, i);
            add_cadvisor(&set, &p);
        }
        sorting = &set;
        qsort(set.v, set.n, sizeof *set.v, by_family);
        for (uint32_t k = 0; k < scrapes; k++) {
            char path[4096];
            buf_clear(&page);
            buf_clear(&packed);
            put_page(&page, &set, k);
            gzip_encode(buf_str(&page), 6, &packed);
            snprintf(path, sizeof path, "%s/%u-%u.gz", a[3], t, k);
            int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
            if (fd < 0) return perror(path), 7;
            write_all(fd, packed.p, packed.n);
            close(fd);
            text_n += page.n;
            packed_n += packed.n;
        }
        buf_done(&set.labels);
        buf_done(&set.text);
        free(set.v);
    }
    printf("{\"text_bytes\": %llu, \"gzip_bytes\": %llu}\n", (unsigned long long)text_n, (unsigned long long)packed_n);
    buf_done(&page);
    buf_done(&packed);
    return 0;
}

int main(int n, char **a) {
    if (n == 8 && strcmp(a[1], "encode") == 0) return encode(a + 2);
    if (n == 6 && strcmp(a[1], "pages") == 0) return pages(a + 2);
    fputs("usage: bench_gen encode SERIES STEPS START_MS STEP_MS NODE FILE | bench_gen pages TARGETS LINES SCRAPES FOLDER\n", stderr);
    return 2;
}
