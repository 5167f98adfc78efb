/* Parts with any bytes. The first byte chooses: the rest is a whole file; or an index, wrapped with right checksums (else they would stop the fuzzer
 * at the door); or a row, a clock, cells, a histogram. */
#include "base/hash.h"
#include "codec/compress.h"
#include "memory_vfs.h"
#include "store/metrics/erase.h"
#include "store/metrics/histcode.h"
#include "store/metrics/part.h"
#include "store/metrics/rowcode.h"

static void read_part(str file) {
    memory_file.suffix = ".part";
    memory_file.bytes = file;
    struct part *p;
    struct part_index *x;
    struct err e;
    if (!part_open(&memory_vfs, "metrics", 1, &p, &e)) return;
    if (part_index_load(p, &x, &e)) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct part_reader reader = {.zstd = zstd_new()};
        for (uint32_t row = 0; row < x->x.rows.n && row < 100; row++) {
            AUTO(buf_done) struct buf raw = {0};
            uint32_t frame = part_frame_of(x, row);
            struct part_rows rows;
            str one;
            if (part_read_frame(&reader, p, x, frame, &raw, &e) && part_rows_open(buf_str(&raw), x->frames.p[frame].rows, &rows, &e))
                while (part_rows_next(&rows, &one)) assert(one.n <= raw.n);
            const int64_t *t;
            size_t n;
            if (part_read_clock(&reader, p, x, x->row_clock.p[row], a, &t, &n, &e)) assert(n == 0 || t != NULL);
        }
        part_reader_done(&reader);
        zstd_free(reader.zstd);
        part_index_free(x);
    }
    tsdb_part_unref(p);
}

static void read_index(str raw) {
    AUTO(buf_done) struct buf b = {0};
    buf_le64(&b, PART_MAGIC);
    buf_le64(&b, PART_VERSION);
    AUTO(buf_done) struct buf index = {0};
    zstd_encode(raw, 1, &index);
    for (int i = 0; i < 400; i++) buf_le64(&b, 0x0101010101010101); /* room for frames */
    uint64_t offset = b.n;
    buf_add(&b, buf_str(&index));
    size_t foot = b.n;
    const uint64_t words[] = {offset, index.n,          raw.n, hash_check(index.p, index.n), 0, 1000, 5, raw.n ? (uint8_t)raw.p[raw.n - 1] : 0, 0,
                              0,      hash_check("", 0)};
    for (size_t i = 0; i < ARRAY_N(words); i++) buf_le64(&b, words[i]);
    while (b.n - foot < PART_FOOTER_BYTES - 16) buf_char(&b, 0);
    buf_le64(&b, hash_check(b.p + foot, PART_FOOTER_BYTES - 16));
    buf_le64(&b, PART_MAGIC);
    read_part(buf_str(&b));
}

static void read_deletions(str body) {
    AUTO(buf_done) struct buf b = {0};
    buf_le64(&b, DELETIONS_MAGIC);
    buf_add(&b, body);
    buf_le64(&b, hash_check(b.p, b.n));
    struct deletions *d;
    struct err e;
    if (!deletions_decode(buf_str(&b), &d, &e)) return;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct erased *ranges;
    assert(deletions_of(d, (struct labels){0}, a, &ranges) <= d->n);
    deletions_unref(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    str rest = str_n(data + 1, size - 1);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct err e;
    struct columns c = {.arena = a, .bytes_left = 16 << 20};
    int64_t clock[300];
    for (int i = 0; i < 300; i++) clock[i] = i * 1000;
    const int64_t *t;
    size_t n;
    struct histogram *h;
    switch (data[0] % 8) {
    case 0: read_part(rest); break;
    case 1: read_index(rest); break;
    case 2:
        if (row_decode(rest, clock, 300, 5000, 200000, &c, &e)) assert(c.n <= 300);
        break;
    case 3:
        if (clock_decode(rest, a, &t, &n, &e)) assert(n <= rest.n);
        break;
    case 4:
        if (cells_read(rest, clock, 300, INT64_MIN, INT64_MAX, &c, &e)) assert(c.n <= 300);
        break;
    case 5:
        for (size_t f = 0; f < FIELD_N; f++)
            if (fields_decode(rest, (enum series_field)f, clock, 300, INT64_MIN, INT64_MAX, &c, &e)) assert(c.n <= 300 * (f + 1));
        c.n = 0;
        if (fields_decode_counter(rest, clock, 300, 5000, 200000, &c, &e)) assert(c.n <= 900);
        break;
    case 6: read_deletions(rest); break;
    default:
        if (histogram_decode(rest, a, &h, &e)) {
            AUTO(buf_done) struct buf again = {0};
            histogram_encode(h, &again);
            assert(histogram_decode(buf_str(&again), a, &h, &e));
        }
    }
    return 0;
}
