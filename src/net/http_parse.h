/* net/http_parse: the parts of a request that libmicrohttpd leaves to us: target, percent-encoding, parameters, a few headers. Pure; any thread.
 *
 * Results borrow from the input where nothing had to be decoded and else live in the arena.
 * Sources: RFC 9112 3.2 (request target), RFC 3986 2.1 (percent-encoding), the WHATWG URL standard (application/x-www-form-urlencoded),
 * RFC 9110 12.5.3 (Accept-Encoding), W3C Trace Context (traceparent). */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct http_pair {
    str name, value;
};

enum { HTTP_PARAMS_MAX = 10000, HTTP_SEGMENTS_MAX = 256 };

/* "a%2Fb" -> "a/b". ERR_INPUT names the offset of a bad escape. */
MUST_USE bool http_unescape(struct arena *a, str raw, bool plus_is_blank, str *out, struct err *e);

struct http_params {
    struct http_pair *p;
    size_t n, cap;
};
/* Adds the fields of "a=1&b=%20&flag" to *out; empty fields ("&&") are skipped. ERR_INPUT on a bad escape and beyond HTTP_PARAMS_MAX. */
MUST_USE bool http_parse_params(struct arena *a, str text, struct http_params *out, struct err *e);

struct http_target {
    str path;      /* decoded, with the slashes */
    str query;     /* still encoded, without '?' */
    str *segments; /* decoded one by one, so that %2F stays inside its segment; "/" has one, empty */
    size_t segment_n;
    bool asterisk; /* "OPTIONS *" */
};
/* Origin form ("/a?b"), absolute form ("http://host/a?b") and "*". A path with NUL bytes is ERR_INPUT. */
MUST_USE bool http_parse_target(struct arena *a, str raw, struct http_target *out, struct err *e);

struct http_traceparent {
    uint64_t trace_hi, trace_lo, parent_span_id;
    bool sampled; /* the caller records this trace */
};
/* false: not a valid traceparent header; by the standard it is then ignored. */
MUST_USE bool http_parse_traceparent(str header, struct http_traceparent *out);

/* Does an Accept-Encoding header ("gzip;q=0.5, br", "*") admit gzip? Absent: no. */
bool http_accepts_gzip(str header);
