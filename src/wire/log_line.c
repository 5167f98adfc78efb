#include "wire/log_line.h"

#include "base/clock.h"
#include "codec/json.h"
#include "codec/timefmt.h"
#include "wire/doc_event.h"
#include "wire/severity.h"

enum { HEAD_BYTES = 160, WORDS_MAX = 8 }; /* where a level word is looked for */

static bool read_json(str line, int64_t now_ns, struct arena *a, struct event *out) {
    struct json j = json_open(line, a);
    struct value doc = {0};
    json_value(&j, &doc);
    if (!json_done(&j, NULL) || doc.type != VAL_MAP) return false;
    out->attrs = doc.fields;
    out->attr_n = doc.n;
    out->body = STR_NULL;
    if (!doc_event(out, now_ns, NULL)) out->time_ns = now_ns; /* an @timestamp that is no date: the line counts all the same */
    if (out->body.n == 0) out->body = line;
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Length of the stamp at the start of s: date, 'T' or blank, time, fraction after '.' or ',', zone. 0: none. */
static size_t stamp_length(str s) {
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    size_t n = sizeof shape - 1;
    if (s.n < n) return 0;
    for (size_t i = 0; i < n; i++) {
        bool ok =
            shape[i] == 'd' ? is_digit(s.p[i]) : s.p[i] == shape[i] || (i == 10 && s.p[i] == 'T') || (i < 10 && shape[i] == '-' && s.p[i] == '/');
        if (!ok) return 0;
    }
    if (n + 1 < s.n && (s.p[n] == '.' || s.p[n] == ',') && is_digit(s.p[n + 1]))
        for (n++; n < s.n && is_digit(s.p[n]); n++) {
        }
    if (n < s.n && s.p[n] == 'Z') return n + 1;
    if (n < s.n && (s.p[n] == '+' || s.p[n] == '-'))
        for (n++; n < s.n && (is_digit(s.p[n]) || s.p[n] == ':'); n++) {
        }
    return n;
}

static void read_stamp(str line, int64_t *out_ns) {
    char text[64];
    if (line.n && line.p[0] == '[') line = str_from(line, 1);
    size_t n = stamp_length(line);
    if (n == 0 || n > sizeof text) return;
    memcpy(text, line.p, n);
    text[4] = text[7] = '-';
    if (n > 19 && text[19] == ',') text[19] = '.';
    int64_t ns;
    if (time_parse_rfc3339(str_n(text, n), &ns, NULL)) *out_ns = ns;
}

/* klog: "I1122 12:00:00.123456   1 main.go:12] text" has no year: the one that brings it nearest to now. */
static bool read_klog(str line, int64_t now_ns, struct event *out) {
    static const char shape[] = "Ldddd dd:dd:dd.dddddd";
    if (line.n < sizeof shape - 1 || !memchr("IWEF", line.p[0], 4)) return false;
    for (size_t i = 1; i < sizeof shape - 1; i++)
        if (shape[i] == 'd' ? !is_digit(line.p[i]) : line.p[i] != shape[i]) return false;
    uint64_t v[6]; /* month, day, hour, minute, second, microsecond */
    static const uint8_t at[] = {1, 3, 6, 9, 12, 15};
    for (size_t i = 0; i < ARRAY_N(v); i++)
        if (!str_u64(str_sub(line, at[i], at[i] + (i == 5 ? 6 : 2)), &v[i])) return false;
    int64_t ns_of_day = (int64_t)(v[2] * 3600 + v[3] * 60 + v[4]) * NS_PER_S + (int64_t)v[5] * 1000;
    if (v[2] > 23 || v[3] > 59 || v[4] > 60 || !time_nearest_year((unsigned)v[0], (unsigned)v[1], ns_of_day, now_ns, &out->time_ns)) return false;
    out->severity_text = str_sub(line, 0, 1);
    out->severity = severity_from_text(out->severity_text);
    return true;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* The first known level among the first words. A word that starts in the middle of a name ("com.example.Error", "/info") is none; one letter is too
 * little, and lower-case words count only when marked: [warn], level=warn, warn: */
static void read_level(str line, struct event *out) {
    str head = str_sub(line, 0, HEAD_BYTES);
    size_t words = 0;
    for (size_t i = 0; i < head.n && words < WORDS_MAX; words++) {
        while (i < head.n && !is_word(head.p[i])) i++;
        size_t from = i;
        while (i < head.n && is_word(head.p[i])) i++;
        if (from < head.n && is_digit(head.p[from])) words--; /* dates, times and process ids are no words */
        str word = str_sub(head, from, i);
        uint8_t number = word.n > 1 ? severity_from_text(word) : 0;
        if (number == 0) continue;
        char before = from ? head.p[from - 1] : ' ', after = i < head.n ? head.p[i] : ' ';
        bool upper = word.p[0] >= 'A' && word.p[0] <= 'Z' && word.p[1] >= 'A' && word.p[1] <= 'Z';
        bool marked = before == '[' || before == '=' || before == '"' || before == '<' || before == '(' || after == ':' || after == ']';
        bool in_name = strchr("./_-:@", before) != NULL || strchr("./_-=", after) != NULL;
        if (in_name || (!upper && !marked)) continue;
        out->severity = number;
        out->severity_text = word;
        return;
    }
}

/* Hex digits behind the key: `trace_id=4bf9...` */
static str logfmt_hex(str line, const str *keys, size_t n) {
    for (size_t k = 0; k < n; k++) {
        size_t at = str_find(line, keys[k]);
        if (at == STR_NONE) continue;
        str rest = str_from(line, at + keys[k].n);
        if (rest.n && rest.p[0] == '"') rest = str_from(rest, 1);
        size_t digits = 0;
        while (digits < rest.n && digits <= 32 && is_word(rest.p[digits])) digits++;
        if (digits == 16 || digits == 32) return str_sub(rest, 0, digits);
    }
    return STR_NULL;
}

static void read_ids(str line, struct event *out) {
    static const str trace_keys[] = {STR_INIT("trace_id="), STR_INIT("traceID="), STR_INIT("traceId=")};
    static const str span_keys[] = {STR_INIT("span_id="), STR_INIT("spanID="), STR_INIT("spanId=")};
    str hex = logfmt_hex(line, trace_keys, ARRAY_N(trace_keys));
    struct trace_id id = {0};
    if (hex.n == 0 || !str_hex_u64(str_from(hex, hex.n - 16), &id.lo) || (hex.n == 32 && !str_hex_u64(str_sub(hex, 0, 16), &id.hi))) return;
    out->trace = id;
    hex = logfmt_hex(line, span_keys, ARRAY_N(span_keys));
    uint64_t span;
    if (hex.n == 16 && str_hex_u64(hex, &span)) out->span_id = span;
}

void log_line_event(str line, int64_t now_ns, struct arena *a, struct event *out) {
    out->kind = EVENT_LOG;
    if (line.n && line.p[0] == '{' && read_json(line, now_ns, a, out)) return;
    out->attrs = NULL;
    out->attr_n = 0;
    out->body = line;
    out->observed_ns = out->time_ns = now_ns;
    if (!read_klog(line, now_ns, out)) {
        read_stamp(line, &out->time_ns);
        read_level(line, out);
    }
    read_ids(line, out);
}

static void merge_attrs(const struct log_known *k, struct arena *a, struct event *out) {
    if (k->field_n == 0) return;
    struct field *all = arena_new_n(a, struct field, k->field_n + out->attr_n);
    size_t n = k->field_n;
    memcpy(all, k->fields, n * sizeof *all);
    for (size_t i = 0; i < out->attr_n; i++)
        if (!fields_get(k->fields, k->field_n, out->attrs[i].key)) all[n++] = out->attrs[i];
    out->attrs = all;
    out->attr_n = n;
}

static void read_known(str line, const struct log_known *k, const struct event *known, struct arena *a, struct event *out) {
    log_line_event(line, k->time_ns, a, out);
    if (known->severity) out->severity = known->severity;
    if (known->severity_text.n) out->severity_text = known->severity_text;
    if (trace_id_set(known->trace)) out->trace = known->trace, out->span_id = known->span_id;
    merge_attrs(k, a, out);
    out->time_ns = k->time_ns;
    out->observed_ns = k->now_ns;
}

static struct event event_of(const struct log_known *k) {
    struct event known = {.attrs = k->fields, .attr_n = k->field_n};
    if (!doc_event(&known, k->time_ns, NULL)) known.time_ns = k->time_ns; /* their time does not count anyway */
    return known;
}

void log_line_known(str line, const struct log_known *k, struct arena *a, struct event *out) {
    struct event known = event_of(k);
    read_known(line, k, &known, a, out);
}

void log_record_event(const struct log_known *k, struct arena *a, struct event *out) {
    struct event known = event_of(k);
    str line = known.body;
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r')) line.n--;
    read_known(line, k, &known, a, out);
}
