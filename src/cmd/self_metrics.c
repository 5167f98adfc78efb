#include "cmd/self_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/num.h"
#include "loop/vfs.h"

static void put_rows(const struct gauge_row *rows, size_t n, struct buf *page) {
    for (size_t i = 0; i < n; i++) {
        bool first = i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0;
        if (first) buf_printf(page, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help, rows[i].name, rows[i].type);
        buf_printf(page, "%s%s ", rows[i].name, rows[i].labels);
        num_put_double(page, rows[i].value);
        buf_char(page, '\n');
    }
}

/* The process_* family as Prometheus' client libraries write it. */
static void put_process(int64_t start_ms, struct buf *page) {
    AUTO(arena_free) struct arena *a = arena_new(8 << 10);
    str statm;
    uint64_t pages_virtual = 0, pages_resident = 0;
    if (vfs_read_file(vfs_real(), "/proc/self/statm", 4096, a, &statm, NULL)) {
        str word;
        str_cut(&statm, ' ', &word);
        if (!str_u64(word, &pages_virtual)) pages_virtual = 0;
        str_cut(&statm, ' ', &word);
        if (!str_u64(word, &pages_resident)) pages_resident = 0;
    }
    size_t open_fds = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) open_fds++;
    if (d) closedir(d);
    double page_bytes = (double)sysconf(_SC_PAGESIZE);
    const struct gauge_row rows[] = {
        {"process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", "", (double)clock_cpu_ns() / 1e9},
        {"process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", "", (double)pages_resident * page_bytes},
        {"process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", "", (double)pages_virtual * page_bytes},
        {"process_open_fds", "gauge", "Number of open file descriptors.", "", open_fds > 3 ? (double)(open_fds - 3) : 0},
        {"process_max_fds", "gauge", "Maximum number of open file descriptors.", "", (double)sysconf(_SC_OPEN_MAX)},
        {"process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", "", (double)start_ms / 1e3},
        {"binnacle_build_info", "gauge", "Constant 1.", "{version=\"" BN_VERSION "\"}", 1},
    };
    put_rows(rows, ARRAY_N(rows), page);
}

#define ITEMS_HELP "Samples, log lines or spans: received = stored + rejected + dropped."
#define UNREADABLE_HELP "Request bodies, packets and pages that could not be read at all: how many items they held is not known."
#define ITEMS(counter, field)                                                                                          \
    {"binnacle_" counter "_total", "counter", ITEMS_HELP, "{signal=\"metrics\"}", (double)m.field},                    \
        {"binnacle_" counter "_total", "counter", ITEMS_HELP, "{signal=\"logs\"}", (double)v.kind[EVENT_LOG].field}, { \
        "binnacle_" counter "_total", "counter", ITEMS_HELP, "{signal=\"traces\"}", (double)v.kind[EVENT_SPAN].field   \
    }

static void put_store(const struct store *store, struct buf *page) {
    struct tsdb_stats m;
    struct evdb_stats v;
    struct wal_stats w;
    tsdb_stats(store->metrics, &m);
    evdb_stats(store->events, &v);
    wal_stats(store->wal, &w);
    const struct gauge_row rows[] = {
        ITEMS("received", received),
        ITEMS("stored", stored),
        ITEMS("rejected", rejected),
        ITEMS("dropped", dropped),
        {"binnacle_rejected_samples_total", "counter", "Samples rejected, by reason.", "{reason=\"order\"}", (double)m.rejected_order},
        {"binnacle_rejected_samples_total", "counter", "Samples rejected, by reason.", "{reason=\"duplicate\"}", (double)m.rejected_duplicate},
        {"binnacle_rejected_samples_total", "counter", "Samples rejected, by reason.", "{reason=\"labels\"}", (double)m.rejected_labels},
        {"binnacle_rejected_samples_total", "counter", "Samples rejected, by reason.", "{reason=\"decoder\"}", (double)m.rejected_decoder},
        {"binnacle_unreadable_total", "counter", UNREADABLE_HELP, "{signal=\"metrics\"}", (double)store->unreadable[SIGNAL_METRICS]},
        {"binnacle_unreadable_total", "counter", UNREADABLE_HELP, "{signal=\"logs\"}", (double)store->unreadable[SIGNAL_LOGS]},
        {"binnacle_unreadable_total", "counter", UNREADABLE_HELP, "{signal=\"traces\"}", (double)store->unreadable[SIGNAL_TRACES]},
        {"binnacle_dropped_samples_total", "counter", "Samples dropped, by reason.", "{reason=\"series_limit\"}", (double)m.dropped_series_limit},
        {"binnacle_dropped_samples_total", "counter", "Samples dropped, by reason.", "{reason=\"io\"}", (double)m.dropped_io},
        {"binnacle_truncated_values_total", "counter", "Attribute values cut at limit.value-bytes.", "{signal=\"logs\"}",
         (double)v.kind[EVENT_LOG].truncated_values},
        {"binnacle_truncated_values_total", "counter", "Attribute values cut at limit.value-bytes.", "{signal=\"traces\"}",
         (double)v.kind[EVENT_SPAN].truncated_values},
        {"binnacle_head_series", "gauge", "Series in memory.", "", (double)m.series},
        {"binnacle_head_targets", "gauge", "Targets: label sets shared by the series of one source.", "", (double)m.targets},
        {"binnacle_head_shapes", "gauge", "Shapes: metric name and own labels, shared between targets.", "", (double)m.shapes},
        {"binnacle_head_bytes", "gauge", "Data in memory that is not yet in parts.", "{signal=\"metrics\"}", (double)m.head_bytes},
        {"binnacle_head_bytes", "gauge", "Data in memory that is not yet in parts.", "{signal=\"logs\"}", (double)v.kind[EVENT_LOG].head_bytes},
        {"binnacle_head_bytes", "gauge", "Data in memory that is not yet in parts.", "{signal=\"traces\"}", (double)v.kind[EVENT_SPAN].head_bytes},
        {"binnacle_parts", "gauge", "Immutable parts on disk.", "{signal=\"metrics\"}", (double)m.parts},
        {"binnacle_parts", "gauge", "Immutable parts on disk.", "{signal=\"logs\"}", (double)v.kind[EVENT_LOG].parts},
        {"binnacle_parts", "gauge", "Immutable parts on disk.", "{signal=\"traces\"}", (double)v.kind[EVENT_SPAN].parts},
        {"binnacle_part_bytes", "gauge", "Size of the parts.", "{signal=\"metrics\"}", (double)m.part_bytes},
        {"binnacle_part_bytes", "gauge", "Size of the parts.", "{signal=\"logs\"}", (double)v.kind[EVENT_LOG].part_bytes},
        {"binnacle_part_bytes", "gauge", "Size of the parts.", "{signal=\"traces\"}", (double)v.kind[EVENT_SPAN].part_bytes},
        {"binnacle_damaged_total", "counter", "Stored blocks or frames that failed their check and were skipped.", "{signal=\"metrics\"}",
         (double)m.damaged_frames},
        {"binnacle_damaged_total", "counter", "Stored blocks or frames that failed their check and were skipped.", "{signal=\"logs\"}",
         (double)v.kind[EVENT_LOG].damaged_blocks},
        {"binnacle_damaged_total", "counter", "Stored blocks or frames that failed their check and were skipped.", "{signal=\"traces\"}",
         (double)v.kind[EVENT_SPAN].damaged_blocks},
        {"binnacle_wal_damaged_frames_total", "counter", "WAL frames found damaged at start.", "", (double)store->replay.damaged_frames},
        {"binnacle_wal_records_total", "counter", "WAL records written.", "", (double)w.records},
        {"binnacle_wal_bytes_total", "counter", "WAL bytes written.", "", (double)w.bytes},
        {"binnacle_wal_groups_total", "counter", "WAL group commits.", "", (double)w.groups},
        {"binnacle_wal_failed_groups_total", "counter", "WAL group commits that failed.", "", (double)w.failed_groups},
        {"binnacle_wal_disk_bytes", "gauge", "Size of the WAL on disk.", "", (double)w.disk_bytes},
        {"binnacle_wal_refusing", "gauge", "1 while the WAL cannot be written and pushes are refused.", "", w.refusing},
    };
    put_rows(rows, ARRAY_N(rows), page);
}

static void put_http(const struct http_server *http, struct buf *page) {
    struct http_server_stats s;
    http_server_stats(http, &s);
    const struct gauge_row rows[] = {
        {"binnacle_http_requests_total", "counter", "HTTP requests received.", "", (double)s.requests},
        {"binnacle_http_replies_total", "counter", "HTTP replies by class.", "{class=\"2xx\"}", (double)s.replies_2xx},
        {"binnacle_http_replies_total", "counter", "HTTP replies by class.", "{class=\"4xx\"}", (double)s.replies_4xx},
        {"binnacle_http_replies_total", "counter", "HTTP replies by class.", "{class=\"5xx\"}", (double)s.replies_5xx},
        {"binnacle_http_connections", "gauge", "Open connections.", "", (double)s.connections_open},
        {"binnacle_http_refused_total", "counter", "Requests refused by the server.", "{reason=\"body\"}", (double)s.refused_body},
        {"binnacle_http_refused_total", "counter", "Requests refused by the server.", "{reason=\"busy\"}", (double)s.refused_busy},
        {"binnacle_http_received_bytes_total", "counter", "Body bytes received.", "", (double)s.bytes_in},
        {"binnacle_http_sent_bytes_total", "counter", "Body bytes sent.", "", (double)s.bytes_out},
    };
    put_rows(rows, ARRAY_N(rows), page);
}

static void put_pool(const struct pool *pool, struct buf *page) {
    struct pool_stats s;
    pool_stats(pool, &s);
    const struct gauge_row rows[] = {
        {"binnacle_jobs_queued", "gauge", "Jobs waiting for a worker.", "{lane=\"query\"}", (double)s.queued[LANE_QUERY]},
        {"binnacle_jobs_queued", "gauge", "Jobs waiting for a worker.", "{lane=\"background\"}", (double)s.queued[LANE_BACKGROUND]},
        {"binnacle_jobs_total", "counter", "Jobs run.", "{lane=\"query\"}", (double)s.done[LANE_QUERY]},
        {"binnacle_jobs_total", "counter", "Jobs run.", "{lane=\"background\"}", (double)s.done[LANE_BACKGROUND]},
        {"binnacle_jobs_refused_total", "counter", "Jobs refused because the queue was full.", "{lane=\"query\"}", (double)s.refused[LANE_QUERY]},
        {"binnacle_jobs_refused_total", "counter", "Jobs refused because the queue was full.", "{lane=\"background\"}",
         (double)s.refused[LANE_BACKGROUND]},
    };
    put_rows(rows, ARRAY_N(rows), page);
}

void self_metrics_put(const struct self_sources *s, const struct gauge_row *more, size_t more_n, struct buf *page) {
    put_process(s->start_ms, page);
    if (s->store) put_store(s->store, page);
    if (s->http) put_http(s->http, page);
    if (s->pool) put_pool(s->pool, page);
    put_rows(more, more_n, page);
}
