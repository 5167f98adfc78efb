#include "wire/syslog.h"

#include "base/clock.h"
#include "codec/timefmt.h"
#include "wire/log_line.h"
#include "wire/severity.h"

enum { OCTET_DIGITS_MAX = 9, PRIORITY_MAX = 191, NO_PRIORITY = 13 /* RFC 3164 4.3.3: user.notice */, TAG_MAX = 128, FIELDS_MAX = 4 };

/* RFC 5424 6.2.1 */
static const char *const facilities[] = {"kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",     "news",
                                         "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "console", "cron2",
                                         "local0", "local1", "local2",   "local3", "local4", "local5", "local6",  "local7"};
struct message {
    unsigned priority;
    int64_t time_ns;
    str host, app, pid, id;
    struct value data; /* VAL_NULL: none */
    str text;
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* "<34>" */
static bool cut_priority(str *s, unsigned *out) {
    uint64_t v;
    if (s->n < 3 || s->p[0] != '<') return false;
    size_t end = str_find_char(str_sub(*s, 0, 5), '>');
    if (end == STR_NONE || !str_u64(str_sub(*s, 1, end), &v) || v > PRIORITY_MAX) return false;
    *s = str_from(*s, end + 1);
    *out = (unsigned)v;
    return true;
}

/* --- RFC 5424 */

/* A header word; "-" is none. */
static bool cut_word(str *s, str *out) {
    if (!str_cut(s, ' ', out) && out->n == 0) return false;
    if (str_eq(*out, STR("-"))) *out = STR("");
    return true;
}

/* key="value" with \" \\ \] in it (6.3.3). */
static bool cut_param(str *s, struct arena *a, struct field *out) {
    str key;
    if (!str_cut(s, '=', &key) || key.n == 0 || s->n == 0 || s->p[0] != '"') return false;
    char *value = arena_alloc(a, s->n);
    size_t n = 0, i = 1;
    for (; i < s->n && s->p[i] != '"'; i++) {
        bool escape = s->p[i] == '\\' && i + 1 < s->n && strchr("\"\\]", s->p[i + 1]);
        i += escape;
        value[n++] = s->p[i];
    }
    if (i >= s->n) return false;
    *s = str_from(*s, i + 1);
    *out = (struct field){key, value_str(str_n(value, n))};
    return true;
}

/* [id key="value" ...] */
static bool cut_element(str *s, struct arena *a, struct field *out) {
    struct {
        struct field *p;
        size_t n, cap;
    } params = {0};
    size_t end = 1;
    while (end < s->n && s->p[end] != ' ' && s->p[end] != ']') end++;
    if (end == 1 || end == s->n) return false;
    out->key = str_sub(*s, 1, end);
    *s = str_from(*s, end);
    while (s->n && s->p[0] == ' ') {
        struct field f;
        *s = str_from(*s, 1);
        if (!cut_param(s, a, &f)) return false;
        avec_push(a, &params, f);
    }
    if (s->n == 0 || s->p[0] != ']') return false;
    *s = str_from(*s, 1);
    out->value = (struct value){.type = VAL_MAP, .n = (uint32_t)params.n, .fields = params.p};
    return true;
}

static bool cut_data(str *s, struct arena *a, struct value *out) {
    struct {
        struct field *p;
        size_t n, cap;
    } elements = {0};
    *out = (struct value){.type = VAL_NULL};
    if (s->n && s->p[0] == '-') {
        *s = str_from(*s, 1);
    } else {
        while (s->n && s->p[0] == '[') {
            struct field f;
            if (!cut_element(s, a, &f)) return false;
            avec_push(a, &elements, f);
        }
        if (elements.n == 0) return false;
        *out = (struct value){.type = VAL_MAP, .n = (uint32_t)elements.n, .fields = elements.p};
    }
    if (s->n && s->p[0] != ' ') return false;
    *s = str_from(*s, 1);
    return true;
}

static bool read_5424(str s, struct arena *a, struct message *m) {
    struct message out = *m;
    str time;
    if (!str_starts(s, STR("1 "))) return false;
    s = str_from(s, 2);
    if (!cut_word(&s, &time) || !cut_word(&s, &out.host) || !cut_word(&s, &out.app) || !cut_word(&s, &out.pid) || !cut_word(&s, &out.id))
        return false;
    if (time.n && !time_parse_rfc3339(time, &out.time_ns, NULL)) return false;
    if (!cut_data(&s, a, &out.data)) return false;
    out.text = str_starts(s, STR("\xEF\xBB\xBF")) ? str_from(s, 3) : s;
    if (str_starts(out.text, STR(" "))) out.text = str_from(out.text, 1); /* rsyslog keeps the blank behind an RFC 3164 tag */
    *m = out;
    return true;
}

/* --- RFC 3164 */

static unsigned month_of(str name) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (unsigned m = 0; m < 12; m++)
        if (str_eq(name, str_n(names + 3 * m, 3))) return m + 1;
    return 0;
}

static bool cut_number(str *s, uint64_t max, uint64_t *out) {
    size_t n = 0;
    while (n < s->n && n < 4 && is_digit(s->p[n])) n++;
    if (!str_u64(str_sub(*s, 0, n), out) || *out > max) return false;
    *s = str_from(*s, n);
    return true;
}

/* "Nov  2 12:00:00", "Nov  2 2026 12:00:00", both with a fraction, perhaps. */
static bool cut_old_time(str *s, const struct syslog_clock *clock, int64_t *out_ns) {
    str rest = *s;
    uint64_t day, year = 0, clock_parts[3];
    unsigned month = month_of(str_sub(rest, 0, 3));
    rest = str_from(rest, 3);
    if (month == 0 || rest.n == 0 || rest.p[0] != ' ') return false;
    while (rest.n && rest.p[0] == ' ') rest = str_from(rest, 1);
    if (!cut_number(&rest, 31, &day) || !str_starts(rest, STR(" "))) return false;
    rest = str_from(rest, 1);
    if (rest.n > 5 && rest.p[4] == ' ' && (!cut_number(&rest, 9999, &year) || year < 1970)) return false;
    if (year) rest = str_from(rest, 1);
    for (size_t i = 0; i < 3; i++) {
        if (!cut_number(&rest, i == 0 ? 23 : 60, &clock_parts[i]) || (i < 2 && !str_starts(rest, STR(":")))) return false;
        if (i < 2) rest = str_from(rest, 1);
    }
    int64_t ns = ((int64_t)(clock_parts[0] * 3600 + clock_parts[1] * 60 + clock_parts[2]) - clock->offset_s) * NS_PER_S;
    if (str_starts(rest, STR("."))) {
        int64_t unit = NS_PER_S;
        for (rest = str_from(rest, 1); rest.n && is_digit(rest.p[0]); rest = str_from(rest, 1)) ns += (unit /= 10) * (rest.p[0] - '0');
    }
    if (year && day >= 1)
        *out_ns = time_days_from_civil((int64_t)year, month, (unsigned)day) * 86400 * NS_PER_S + ns;
    else if (!time_nearest_year(month, (unsigned)day, ns, clock->now_ns, out_ns))
        return false;
    *s = rest;
    return true;
}

static bool cut_time(str *s, const struct syslog_clock *clock, int64_t *out_ns) {
    str rest = *s, word;
    if (cut_old_time(s, clock, out_ns)) {
        if (str_starts(*s, STR(":"))) *s = str_from(*s, 1); /* Cisco: "Nov  2 12:00:00: %SYS-..." */
        if (str_starts(*s, STR(" "))) *s = str_from(*s, 1);
        return true;
    }
    str_cut(&rest, ' ', &word);
    if (word.n < 19 || !time_parse_rfc3339(word, out_ns, NULL)) return false;
    *s = rest;
    return true;
}

/* "sshd[123]: text", "su: text". A tag is one word of what programs are called, up to a ':' or '['. */
static bool cut_tag(str *s, struct message *m) {
    size_t n = 0;
    while (n < s->n && n <= TAG_MAX && s->p[n] > ' ' && s->p[n] != ':' && s->p[n] != '[') n++;
    if (n == 0 || n > TAG_MAX || n == s->n) return false;
    str rest = str_from(*s, n), pid = STR("");
    if (rest.p[0] == '[') {
        size_t end = str_find_char(rest, ']');
        if (end == STR_NONE) return false;
        pid = str_sub(rest, 1, end);
        rest = str_from(rest, end + 1);
    }
    if (!str_starts(rest, STR(":")) && pid.n == 0) return false;
    m->app = str_sub(*s, 0, n);
    m->pid = pid;
    if (str_starts(rest, STR(":"))) rest = str_from(rest, 1);
    *s = str_starts(rest, STR(" ")) ? str_from(rest, 1) : rest;
    return true;
}

static void read_3164(str s, const struct syslog_clock *clock, struct message *m) {
    bool timed = cut_time(&s, clock, &m->time_ns);
    if (timed && !cut_tag(&s, m)) { /* a host name comes first, but not from a local logger */
        str rest = s, host;
        bool more = str_cut(&rest, ' ', &host);
        if (more && host.n && host.n < 256) {
            m->host = host;
            s = rest;
        }
        if (!cut_tag(&s, m)) m->app = STR("");
    } else if (!timed && !cut_tag(&s, m)) {
        m->app = STR("");
    }
    m->text = s;
}

/* --- both */

static uint32_t stream_of(struct log_batch *b, const struct message *m) {
    uint32_t at;
    if (!log_batch_stream(b, m->host, m->app, &at)) return at;
    struct field *attrs = arena_new_n(b->arena, struct field, 2);
    size_t n = 0;
    if (m->host.n) attrs[n++] = (struct field){STR("host.name"), value_str(m->host)};
    if (m->app.n) attrs[n++] = (struct field){STR("service.name"), value_str(m->app)};
    b->streams.p[at] = (struct stream){.service = m->app, .attrs = attrs, .attr_n = n};
    return at;
}

static void add_event(struct log_batch *b, const struct message *m, const struct syslog_clock *clock) {
    struct field *fields = arena_new_n(b->arena, struct field, FIELDS_MAX);
    size_t n = 0;
    int64_t pid;
    fields[n++] = (struct field){STR("syslog.facility"), value_str(str_c(facilities[m->priority / 8]))};
    if (m->pid.n) fields[n++] = (struct field){STR("process.pid"), str_i64(m->pid, &pid) ? value_int(pid) : value_str(m->pid)};
    if (m->id.n) fields[n++] = (struct field){STR("syslog.msg_id"), value_str(m->id)};
    if (m->data.type == VAL_MAP) fields[n++] = (struct field){STR("syslog.structured_data"), m->data};
    const struct log_known known = {.time_ns = m->time_ns, .now_ns = clock->now_ns, .fields = fields, .field_n = n};
    str text = m->text;
    if (str_starts(text, STR("@cee:"))) text = str_trim(str_from(text, 5));
    struct event *ev = vec_add(&b->events);
    log_line_known(text, &known, b->arena, ev);
    ev->stream = stream_of(b, m);
    severity_from_syslog(m->priority % 8, &ev->severity, &ev->severity_text);
}

void syslog_decode(str message, const struct syslog_clock *clock, struct log_batch *out) {
    while (message.n && (message.p[message.n - 1] == '\n' || message.p[message.n - 1] == '\r' || message.p[message.n - 1] == 0)) message.n--;
    if (message.n == 0) return;
    str s = arena_str(out->arena, message);
    struct message m = {.priority = NO_PRIORITY, .time_ns = clock->now_ns, .text = s};
    bool prioritized = cut_priority(&s, &m.priority);
    if (!prioritized || !read_5424(s, out->arena, &m)) read_3164(s, clock, &m);
    add_event(out, &m, clock);
}

bool syslog_frame(str bytes, bool ended, str *message, size_t *used, struct err *e) {
    size_t digits = 0, end = 0;
    uint64_t length;
    *used = 0;
    e->code = ERR_NONE;
    while (digits < bytes.n && digits <= OCTET_DIGITS_MAX && is_digit(bytes.p[digits])) digits++;
    bool counted = digits && bytes.p[0] != '0' && digits <= OCTET_DIGITS_MAX;
    if (counted && digits == bytes.n && !ended) return false; /* the number may go on */
    if (counted && digits + 1 < bytes.n && bytes.p[digits] == ' ' && bytes.p[digits + 1] == '<') {
        if (!str_u64(str_sub(bytes, 0, digits), &length)) return false;
        if (bytes.n - digits - 1 < length) return ended ? err_set(e, ERR_INPUT, "the connection ended within a message") : false;
        *message = str_sub(bytes, digits + 1, digits + 1 + length);
        *used = digits + 1 + length;
        return true;
    }
    if (counted && digits + 1 == bytes.n && bytes.p[digits] == ' ' && !ended) return false;
    while (end < bytes.n && bytes.p[end] != '\n' && bytes.p[end] != 0) end++;
    if (end == bytes.n && (!ended || end == 0)) return false;
    *message = str_sub(bytes, 0, end);
    *used = MIN(end + 1, bytes.n);
    return true;
}
