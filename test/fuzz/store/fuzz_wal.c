/* A segment of the log with any bytes: replay ends, and hands out only payloads inside the file. Metrics records among them go on to their replay,
 * and so does the input itself as one. */
#include "memory_vfs.h"
#include "store/metrics/journal.h"
#include "store/wal.h"

struct sink_head {
    struct journal_reader *reader;
    struct head head;
};

static void use_exemplar(void *arg, uint32_t row, const struct exemplar *x) {
    struct sink_head *s = arg;
    assert(row < s->head.series.n && x->labels.n < 1 << 20);
}
static void use_meta(void *arg, const struct metric_meta *m) {
    (void)arg;
    assert(metric_type_name(m->type));
}

static void record(struct sink_head *s, str payload) {
    const struct journal_use use = {use_exemplar, use_meta, s};
    struct journal_replay_stats stats = {0};
    struct err e = {0};
    if (!journal_replay(s->reader, payload, &s->head, &use, &stats, &e)) assert(e.code == ERR_CORRUPT);
}
static bool on_record(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    (void)lsn;
    (void)e;
    assert(payload.p >= memory_file.bytes.p && payload.p + payload.n <= memory_file.bytes.p + memory_file.bytes.n);
    if (type == WAL_METRICS) record(arg, payload);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_file.suffix = ".wal";
    memory_file.name = STR("0000000000000000.wal");
    memory_file.bytes = str_n(data, size);
    struct sink_head s = {.reader = journal_reader_new()};
    head_init(&s.head);
    struct wal_options o = {.vfs = &memory_vfs, .dir = "wal"};
    struct wal_replay_stats stats;
    struct wal *w;
    struct err e;
    if (wal_open(NULL, &o, on_record, &s, &stats, &w, &e)) wal_close(w);
    record(&s, str_n(data, size));
    /* What was taken can be read. */
    AUTO(arena_free) struct arena *a = arena_new(4096);
    for (uint32_t row = 0; row < s.head.series.n; row++) {
        struct row_bytes r = head_row(&s.head, row);
        struct columns c = {.arena = a, .bytes_left = 64 << 20};
        if (r.n > 0 && !cells_read(row_copy(r, a), clock_spell(r.clock, a), r.clock->n, INT64_MIN, INT64_MAX, &c, &e)) assert(e.code == ERR_LIMIT);
    }
    head_done(&s.head);
    journal_reader_free(s.reader);
    return 0;
}
