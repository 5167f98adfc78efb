/* codec/compress: whole-buffer compression. Pure; any thread. Decoders never produce more than max_bytes (ERR_LIMIT names the limit) and
 * reject trailing garbage and damage (ERR_INPUT). Output is appended to *out. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

MUST_USE bool gzip_decode(str in, size_t max_bytes, struct buf *out, struct err *e); /* gzip or zlib wrapper, multi-member; libdeflate */
MUST_USE bool zstd_decode(str in, size_t max_bytes, struct buf *out, struct err *e);
MUST_USE bool snappy_decode(str in, size_t max_bytes, struct buf *out, struct err *e);                 /* block format */
MUST_USE bool snappy_decode_arena(str in, size_t max_bytes, struct arena *a, str *out, struct err *e); /* the same into an arena */
/* The same for many small buffers: what zstd allocates is kept from one to the next. One thread at a time. */
struct zstd;
struct zstd *zstd_new(void);
void zstd_free(struct zstd *z); /* NULL is fine */
MUST_USE bool zstd_unpack(struct zstd *z, str in, size_t max_bytes, struct buf *out, struct err *e);
void zstd_pack(struct zstd *z, str in, int level, struct buf *out);
void gzip_encode(str in, int level, struct buf *out);
void zstd_encode(str in, int level, struct buf *out);
void snappy_encode(str in, struct buf *out);
