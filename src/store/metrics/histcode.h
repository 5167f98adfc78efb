/* store/metrics/histcode: a native histogram as bytes, whole in itself. Pure; any thread.
 *
 *   varint zigzag(schema); hint byte; 4 doubles zero_threshold, zero_count, count, sum as `number`s; then for the positive and the negative side:
 *   varint spans, each zigzag(offset) varint(n); the counts as `number`s, integers as difference to the one before; custom schema: varint n, doubles.
 *   number: varint zigzag(integer difference) << 1, or varint 1 followed by the double's 8 bytes. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "model/sample.h"

enum { HISTOGRAM_BUCKETS_MAX = 100000 };
void histogram_encode(const struct histogram *h, struct buf *out);
MUST_USE bool histogram_decode(str code, struct arena *a, struct histogram **out, struct err *e);
