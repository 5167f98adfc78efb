/* wire/remote_read: Prometheus' remote read: the request, and both forms of the answer. Pure; any one thread. Requests are decoded into an arena;
 * their strings borrow from it. Source: prompb/remote.proto and types.proto; Prometheus' documentation of remote read.
 *
 *   SAMPLES              snappy(ReadResponse), one QueryResult per query
 *   STREAMED_XOR_CHUNKS  frames: length uvarint, CRC-32C u32be, ChunkedReadResponse with one series and some of its chunks */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "model/labels.h"
#include "model/sample.h"

enum { READ_QUERIES_MAX = 64, READ_MATCHERS_MAX = 128, READ_FRAME_BYTES = 1 << 20 };

struct read_query {
    int64_t start_ms, end_ms;
    struct matcher *m; /* regular expressions are compiled; freed by read_request_done */
    size_t m_n;
};
struct read_request {
    struct read_query *queries;
    size_t query_n;
    bool chunks; /* the client takes STREAMED_XOR_CHUNKS */
};
/* body: snappy's block format, at most max_bytes when decompressed. ERR_INPUT names what is wrong; out is then to be left alone. */
MUST_USE bool read_request_decode(str body, size_t max_bytes, struct arena *a, struct read_request *out, struct err *e);
void read_request_done(struct read_request *r);

/* SAMPLES: for each query at = read_result_begin(b); series...; read_result_end(b, at). Then compress b. */
size_t read_result_begin(struct buf *b);
void read_put_series(struct buf *b, struct labels ls, const struct samples *s);
void read_result_end(struct buf *b, size_t at);

/* The frames of one series; scratch is for chunks and keeps its memory between calls. */
void read_put_frames(struct buf *b, size_t query, struct labels ls, const struct samples *s, struct buf *scratch);
