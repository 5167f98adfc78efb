/* wire/xor_chunk: samples -> Prometheus' chunk encodings XOR and FLOAT_HISTOGRAM, as remote read streams them. Pure; any one thread.
 * Source: Prometheus' documentation of the chunk formats (tsdb/docs/format/chunks.md); after Gorilla (VLDB 2015).
 *
 *   XOR              n:u16be  t0:varint v0:f64  { dt:uvarint | dod } xor ...                     bit stream, high bit first
 *   FLOAT_HISTOGRAM  n:u16be  flags:u8  layout (zero threshold, schema, spans, custom bounds)  t, count, zero count, sum, buckets ...
 */
#pragma once
#include "base/buf.h"
#include "model/sample.h"

enum chunk_encoding { CHUNK_XOR = 1, CHUNK_FLOAT_HISTOGRAM = 3 }; /* the numbers of prometheus.Chunk.Encoding */
enum { CHUNK_SAMPLES_MAX = 120 };

/* Encodes samples [at, ...) of s into *out (cleared first), as many as one chunk may hold: all of one kind, histograms of one layout without a
 * counter reset between. Returns how many: at least 1. at < s->n. */
size_t chunk_encode(const struct samples *s, size_t at, enum chunk_encoding *encoding, struct buf *out);
