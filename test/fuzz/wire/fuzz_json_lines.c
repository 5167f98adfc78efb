/* Lines of JSON: what is read and written again reads the same. */
#include "wire/json_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct metric_batch *b, struct buf *out) {
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        struct err e;
        uint32_t at = b->rows[i].sample_at;
        bool ok = b->row_labels(b, i, b->arena, &ls, &e);
        assert(ok);
        json_lines_put(out, ls,
                       &(struct samples){b->rows[i].sample_n, b->t_ms + at, b->v + at, b->h ? b->h + at : NULL, b->st_ms ? b->st_ms + at : NULL});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct metric_batch *first, *second;
    struct otlp_partial partial;
    AUTO(buf_done) struct buf once = {0}, twice = {0};
    json_lines_decode(str_n(data, size), (struct labels){NULL, 0}, &first, &partial);
    write_again(first, &once);
    json_lines_decode(buf_str(&once), (struct labels){NULL, 0}, &second, &partial);
    assert(partial.rejected == 0);
    write_again(second, &twice);
    assert(str_eq(buf_str(&once), buf_str(&twice)));
    metric_batch_free(first);
    metric_batch_free(second);
    return 0;
}
