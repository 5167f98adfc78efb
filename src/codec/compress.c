#include "codec/compress.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

/* All three libraries decode into a buffer of known size. A format is given as a step: it decodes the first member (gzip) or frame (zstd) of
 * `in` into `room` bytes at `to`. Where the decoded size is unknown, the room starts small and doubles up to the limit, so a bomb costs
 * at most max_bytes and an honest body at most twice its time. */
enum step_result { STEP_OK, STEP_MORE_ROOM, STEP_BAD };
struct step {
    size_t used, made;
};
typedef enum step_result (*step_fn)(void *codec, str in, char *to, size_t room, struct step *out);

static bool decode_members(step_fn decode, void *codec, const char *format, str in, size_t first_room, size_t max_bytes, struct buf *out,
                           struct err *e) {
    size_t start = out->n, at = 0, room = MIN(first_room, max_bytes);
    do {
        size_t left = max_bytes - (out->n - start);
        room = MIN(room, left);
        buf_reserve(out, room + 1);
        struct step s = {0};
        switch (decode(codec, str_from(in, at), out->p + out->n, room, &s)) {
        case STEP_OK:
            at += s.used;
            out->n += s.made;
            break;
        case STEP_MORE_ROOM:
            if (room < left) {
                room = MAX(room * 2, (size_t)4096);
                break;
            }
            out->n = start;
            return err_set(e, ERR_LIMIT, "%s: decodes to more than the limit of %zu bytes", format, max_bytes);
        case STEP_BAD: out->n = start; return err_set(e, ERR_INPUT, "%s: damaged or truncated (in the part that starts at byte %zu)", format, at);
        }
    } while (at < in.n);
    return true;
}

static enum step_result deflate_result(enum libdeflate_result r) {
    switch (r) {
    case LIBDEFLATE_SUCCESS: return STEP_OK;
    case LIBDEFLATE_INSUFFICIENT_SPACE: return STEP_MORE_ROOM;
    case LIBDEFLATE_BAD_DATA:
    case LIBDEFLATE_SHORT_OUTPUT: break;
    }
    return STEP_BAD;
}

static enum step_result gzip_step(void *codec, str in, char *to, size_t room, struct step *out) {
    return deflate_result(libdeflate_gzip_decompress_ex(codec, in.p, in.n, to, room, &out->used, &out->made));
}

/* A zlib stream has no members: what follows its checksum is garbage. */
static enum step_result zlib_step(void *codec, str in, char *to, size_t room, struct step *out) {
    enum step_result r = deflate_result(libdeflate_zlib_decompress_ex(codec, in.p, in.n, to, room, &out->used, &out->made));
    return r == STEP_OK && out->used != in.n ? STEP_BAD : r;
}

/* The last four bytes of a gzip file are its size modulo 2^32: a good first guess, never trusted (DEFLATE expands at most 1032-fold). */
static size_t gzip_guess(str in) {
    uint32_t size = 0;
    if (in.n >= 18) memcpy(&size, in.p + in.n - 4, 4);
    return MIN((size_t)size, in.n * 1032);
}

bool gzip_decode(str in, size_t max_bytes, struct buf *out, struct err *e) {
    if (in.n < 2) return err_set(e, ERR_INPUT, "gzip: truncated (%zu bytes)", in.n);
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    assert(d);
    bool gzip = (uint8_t)in.p[0] == 0x1f && (uint8_t)in.p[1] == 0x8b; /* RFC 1952 2.3.1 */
    bool ok = gzip ? decode_members(gzip_step, d, "gzip", in, gzip_guess(in), max_bytes, out, e)
                   : decode_members(zlib_step, d, "zlib", in, in.n * 4, max_bytes, out, e);
    libdeflate_free_decompressor(d);
    return ok;
}

static enum step_result zstd_step(void *codec, str in, char *to, size_t room, struct step *out) {
    size_t frame = ZSTD_findFrameCompressedSize(in.p, in.n);
    if (ZSTD_isError(frame)) return STEP_BAD;
    size_t made = ZSTD_decompressDCtx(codec, to, room, in.p, frame);
    if (ZSTD_isError(made)) return ZSTD_getErrorCode(made) == ZSTD_error_dstSize_tooSmall ? STEP_MORE_ROOM : STEP_BAD;
    *out = (struct step){.used = frame, .made = made};
    return STEP_OK;
}

struct zstd {
    ZSTD_DCtx *decoder; /* made when they are needed */
    ZSTD_CCtx *encoder;
};

struct zstd *zstd_new(void) {
    return mem_zalloc(sizeof(struct zstd));
}
void zstd_free(struct zstd *z) {
    if (!z) return;
    ZSTD_freeDCtx(z->decoder);
    ZSTD_freeCCtx(z->encoder);
    free(z);
}
AUTO_DEFINE(struct zstd, zstd_free);

bool zstd_unpack(struct zstd *z, str in, size_t max_bytes, struct buf *out, struct err *e) {
    if (in.n == 0) return err_set(e, ERR_INPUT, "zstd: truncated (0 bytes)");
    unsigned long long size = ZSTD_getFrameContentSize(in.p, in.n);
    if (size == ZSTD_CONTENTSIZE_ERROR) return err_set(e, ERR_INPUT, "zstd: not a zstd frame");
    if (size == ZSTD_CONTENTSIZE_UNKNOWN) size = in.n * 4;
    if (!z->decoder) z->decoder = ZSTD_createDCtx();
    assert(z->decoder);
    return decode_members(zstd_step, z->decoder, "zstd", in, (size_t)MIN(size, (unsigned long long)max_bytes), max_bytes, out, e);
}

void zstd_pack(struct zstd *z, str in, int level, struct buf *out) {
    if (!z->encoder) z->encoder = ZSTD_createCCtx();
    assert(z->encoder);
    size_t room = ZSTD_compressBound(in.n);
    buf_reserve(out, room);
    size_t n = ZSTD_compressCCtx(z->encoder, out->p + out->n, room, in.p, in.n, level);
    assert(!ZSTD_isError(n));
    out->n += n;
}

bool zstd_decode(str in, size_t max_bytes, struct buf *out, struct err *e) {
    AUTO(zstd_free) struct zstd *z = zstd_new();
    return zstd_unpack(z, in, max_bytes, out, e);
}

static bool snappy_size(str in, size_t max_bytes, size_t *size, struct err *e) {
    if (snappy_uncompressed_length(in.p, in.n, size) != SNAPPY_OK) return err_set(e, ERR_INPUT, "snappy: no length at the start");
    if (*size > max_bytes) return err_set(e, ERR_LIMIT, "snappy: decodes to %zu bytes, more than the limit of %zu bytes", *size, max_bytes);
    /* A copy makes at most 64 bytes from 3: a larger claim is a lie that must not cost memory. */
    if (*size / 22 > in.n) return err_set(e, ERR_INPUT, "snappy: claims %zu bytes from %zu", *size, in.n);
    return true;
}

static bool snappy_fill(str in, char *to, size_t size, struct err *e) {
    return snappy_uncompress(in.p, in.n, to, &size) == SNAPPY_OK || err_set(e, ERR_INPUT, "snappy: damaged or truncated");
}

bool snappy_decode(str in, size_t max_bytes, struct buf *out, struct err *e) {
    size_t size;
    if (!snappy_size(in, max_bytes, &size, e)) return false;
    buf_reserve(out, size + 1);
    if (!snappy_fill(in, out->p + out->n, size, e)) return false;
    out->n += size;
    return true;
}

bool snappy_decode_arena(str in, size_t max_bytes, struct arena *a, str *out, struct err *e) {
    size_t size;
    if (!snappy_size(in, max_bytes, &size, e)) return false;
    char *to = arena_alloc(a, size + 1);
    if (!snappy_fill(in, to, size, e)) return false;
    *out = str_n(to, size);
    return true;
}

void gzip_encode(str in, int level, struct buf *out) {
    assert(level >= 1 && level <= 12);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    assert(c);
    size_t room = libdeflate_gzip_compress_bound(c, in.n);
    buf_reserve(out, room);
    size_t n = libdeflate_gzip_compress(c, in.p, in.n, out->p + out->n, room);
    assert(n);
    out->n += n;
    libdeflate_free_compressor(c);
}

void zstd_encode(str in, int level, struct buf *out) {
    AUTO(zstd_free) struct zstd *z = zstd_new();
    zstd_pack(z, in, level, out);
}

void snappy_encode(str in, struct buf *out) {
    size_t n = snappy_max_compressed_length(in.n);
    buf_reserve(out, n);
    snappy_status status = snappy_compress(in.p, in.n, out->p + out->n, &n);
    assert(status == SNAPPY_OK);
    out->n += n;
}
