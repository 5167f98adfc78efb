/* cmd/query: asks a running server: `binnacle query metrics EXPR`, `logs QUERY`, `traces [SERVICE] [TAGS]`. One line per series, log line or trace;
 * --json prints the server's reply as it is. `logs -f` then prints new lines as they come (/ui/api/tail), with --json one hit a line.
 *
 * -f asks for the tail first and for the lines so far once the tail says from which one on it follows (its "hello"): so none is lost or shown twice.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "codec/duration.h"
#include "codec/json.h"
#include "codec/text.h"
#include "codec/timefmt.h"
#include "net/http_client.h"

struct query {
    struct arena *arena;
    str server, method, path, body;
    bool raw, follow;
    int64_t since_ms; /* logs: not older; 0: the newest few */
    void (*print)(struct query *q, const struct value *reply);
    struct loop *loop;
    struct http_client *client;
    int exit_code;
    /* -f */
    struct buf stream;     /* of the tail, not yet read */
    bool asked, caught_up; /* for the lines so far; they are printed */
    uint64_t seq;          /* the tail's first line */
};

static const struct value *get(const struct value *v, const char *key) {
    return v && v->type == VAL_MAP ? fields_get(v->fields, v->n, str_c(key)) : NULL;
}
static str text_of(const struct value *v) {
    return v && v->type == VAL_STRING ? v->s : STR("");
}
static size_t items_of(const struct value *v) {
    return v && v->type == VAL_ARRAY ? v->n : 0;
}

static void print_labels(const struct value *metric) {
    bool first = true;
    printf("%" STR_F, STR_A(text_of(get(metric, "__name__"))));
    for (size_t i = 0; metric && metric->type == VAL_MAP && i < metric->n; i++) {
        if (str_eq(metric->fields[i].key, STR("__name__"))) continue;
        printf("%s%" STR_F "=\"%" STR_F "\"", first ? "{" : ", ", STR_A(metric->fields[i].key), STR_A(text_of(&metric->fields[i].value)));
        first = false;
    }
    fputs(first ? "" : "}", stdout);
}

static void print_metrics(struct query *q, const struct value *reply) {
    (void)q;
    const struct value *result = get(get(reply, "data"), "result");
    for (size_t i = 0; i < items_of(result); i++) {
        const struct value *pair = get(&result->items[i], "value");
        if (result->items[i].type != VAL_MAP) { /* a scalar: [time, "value"] */
            printf("%" STR_F "\n", STR_A(text_of(&result->items[result->n - 1])));
            return;
        }
        print_labels(get(&result->items[i], "metric"));
        printf(" %" STR_F "\n", STR_A(items_of(pair) == 2 ? text_of(&pair->items[1]) : STR("(histogram)")));
    }
}

/* A field of a document, flat ("service.name") or nested. */
static str field_text(const struct value *doc, str name) {
    if (!doc || doc->type != VAL_MAP) return STR_NULL;
    str text = text_of(fields_get(doc->fields, doc->n, name));
    for (size_t i = 0; i < name.n && !text.n; i++)
        if (name.p[i] == '.') text = field_text(fields_get(doc->fields, doc->n, str_sub(name, 0, i)), str_from(name, i + 1));
    return text;
}
static str first_text(const struct value *doc, const str *names, size_t n) {
    str text = STR_NULL;
    for (size_t i = 0; i < n && !text.n; i++) text = field_text(doc, names[i]);
    return text;
}

static void print_hit(const struct query *q, const struct value *hit) {
    static const str sources[] = {STR_INIT("service.name"),
                                  STR_INIT("kubernetes.container_name"),
                                  STR_INIT("k8s.container.name"),
                                  STR_INIT("container_name"),
                                  STR_INIT("host.name"),
                                  STR_INIT("host"),
                                  STR_INIT("hostname")},
                     messages[] = {STR_INIT("message"), STR_INIT("log"), STR_INIT("msg"), STR_INIT("body"), STR_INIT("MESSAGE")};
    const struct value *source = get(hit, "_source");
    AUTO(buf_done) struct buf line = {0};
    if (q->raw)
        json_put_value(&(struct json_out){.buf = &line}, hit);
    else
        buf_printf(&line, "%" STR_F " %-12" STR_F " %" STR_F, STR_A(field_text(source, STR("@timestamp"))),
                   STR_A(first_text(source, sources, ARRAY_N(sources))), STR_A(str_trim(first_text(source, messages, ARRAY_N(messages)))));
    printf("%" STR_F "\n", STR_A(buf_str(&line)));
}

/* "ns-seq", the second sort value. */
static bool is_of_the_tail(const struct query *q, const struct value *hit) {
    const struct value *sort = get(hit, "sort");
    str place = items_of(sort) == 2 ? text_of(&sort->items[1]) : STR_NULL, time;
    uint64_t seq;
    return q->follow && str_cut(&place, '-', &time) && str_u64(place, &seq) && seq >= q->seq;
}

static void print_hits(struct query *q, const struct value *hits) {
    for (size_t i = items_of(hits); i-- > 0;) /* oldest first, as a log reads */
        if (!is_of_the_tail(q, &hits->items[i]) || q->caught_up) print_hit(q, &hits->items[i]);
    fflush(stdout);
}

static void print_logs(struct query *q, const struct value *reply) {
    print_hits(q, get(get(reply, "hits"), "hits"));
}

static int64_t int_of(const struct value *v) {
    return v && v->type == VAL_INT ? v->i : 0;
}

static void print_traces(struct query *q, const struct value *reply) {
    const struct value *traces = get(reply, "data");
    for (size_t i = 0; i < items_of(traces); i++) {
        const struct value *spans = get(&traces->items[i], "spans"), *root = NULL;
        int64_t from = INT64_MAX, to = 0;
        for (size_t k = 0; k < items_of(spans); k++) {
            int64_t start = int_of(get(&spans->items[k], "startTime")), end = start + int_of(get(&spans->items[k], "duration"));
            if (start < from) from = start, root = &spans->items[k];
            to = MAX(to, end);
        }
        if (!root) continue;
        AUTO(buf_done) struct buf when = {0};
        time_put_rfc3339_ms(&when, from * 1000);
        char process[64];
        snprintf(process, sizeof process, "%" STR_F, STR_A(text_of(get(root, "processID"))));
        str service = text_of(get(get(get(&traces->items[i], "processes"), process), "serviceName"));
        printf("%" STR_F " %" STR_F " %10.3f ms %4zu spans  %" STR_F ": %" STR_F "\n", STR_A(buf_str(&when)),
               STR_A(text_of(get(&traces->items[i], "traceID"))), (double)(to - from) / 1e3, items_of(spans), STR_A(service),
               STR_A(text_of(get(root, "operationName"))));
    }
    (void)q;
}

static str encoded(struct arena *a, str s) {
    AUTO(buf_done) struct buf b = {0};
    url_encode_put(&b, s);
    return arena_str(a, buf_str(&b));
}

static void ask_metrics(struct query *q, str expr, str more) {
    (void)more;
    q->method = STR("GET");
    q->path = arena_printf(q->arena, "/api/v1/query?query=%" STR_F, STR_A(encoded(q->arena, expr)));
    q->print = print_metrics;
}

/* As the Logs page asks: all words must be there. */
static void ask_logs(struct query *q, str query, str more) {
    enum { NEWEST = 100, BEFORE_FOLLOWING = 10, SINCE_MAX = 10000 };
    (void)more;
    struct buf b = {0};
    buf_printf(&b, "{\"size\":%d,\"sort\":[{\"@timestamp\":\"desc\"},{\"_doc\":\"desc\"}],\"query\":{\"bool\":{\"filter\":[",
               q->since_ms ? SINCE_MAX
               : q->follow ? BEFORE_FOLLOWING
                           : NEWEST);
    buf_add(&b, STR("{\"query_string\":{\"default_operator\":\"AND\",\"analyze_wildcard\":true,\"query\":"));
    json_put_string(&(struct json_out){.buf = &b}, query.n ? query : STR("*"));
    buf_add(&b, STR("}}"));
    if (q->since_ms)
        buf_printf(&b, ",{\"range\":{\"@timestamp\":{\"gte\":%lld,\"format\":\"epoch_millis\"}}}", (long long)(clock_wall_ms() - q->since_ms));
    buf_add(&b, STR("]}}}"));
    q->body = arena_str(q->arena, buf_str(&b));
    buf_done(&b);
    q->method = STR("POST");
    q->path = STR("/_search?ignore_unavailable=true");
    q->print = print_logs;
}

static void ask_traces(struct query *q, str service, str tags) {
    q->method = STR("GET");
    q->path = arena_printf(q->arena, "/api/traces?limit=20&service=%" STR_F "&tags=%" STR_F, STR_A(encoded(q->arena, service)),
                           STR_A(encoded(q->arena, tags)));
    q->print = print_traces;
}

static const struct {
    const char *name, *arguments, *help;
    void (*ask)(struct query *q, str first, str second);
} kinds[] = {
    {"metrics", "EXPR", "instant PromQL query", ask_metrics},
    {"logs", "[-f] [--since 1h] [QUERY]", "the newest 100 log lines that fit a Lucene query; -f: and those to come", ask_logs},
    {"traces", "[SERVICE [TAGS]]", "the newest 20 traces; TAGS as logfmt: 'http.status_code=500 error=true'", ask_traces},
};

static void fail(struct query *q, enum err_code code) {
    q->exit_code = err_exit_code(code);
    loop_stop(q->loop);
}

static void answered(void *arg, const struct http_call_result *r);

static struct http_call call_to(const struct query *q, str method, str path, str body) {
    static const struct http_call_header json = {STR_INIT("Content-Type"), STR_INIT("application/json")};
    return (struct http_call){.url = arena_printf(q->arena, "%" STR_F "%" STR_F, STR_A(q->server), STR_A(path)),
                              .method = method,
                              .body = body,
                              .headers = &json,
                              .header_n = 1,
                              .timeout_ms = 130 * MS_PER_S,
                              .max_body_bytes = (size_t)1 << 30};
}

static void send_query(struct query *q) {
    const struct http_call call = call_to(q, q->method, q->path, q->body);
    http_client_send(q->client, &call, answered, q);
}

/* --- following: server-sent events, as api/logs_tail.h has them */

/* One event; of its lines those that say "event:" and "data:" count. */
static void read_event(struct query *q, str event) {
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    str line, kind = STR("message"), data = STR("null");
    for (bool more = true; more;) {
        more = str_cut(&event, '\n', &line);
        if (str_starts(line, STR("event: "))) kind = str_from(line, 7);
        if (str_starts(line, STR("data: "))) data = str_from(line, 6);
    }
    struct json j = json_open(data, a);
    struct value v;
    if (!json_value(&j, &v)) return;
    if (str_eq(kind, STR("problem"))) fprintf(stderr, "binnacle: %" STR_F "\n", STR_A(text_of(get(&v, "error"))));
    if (str_eq(kind, STR("hello")) && !q->asked) {
        const struct value *seq = get(&v, "seq");
        q->seq = seq && seq->type == VAL_INT ? (uint64_t)seq->i : 0;
        q->asked = true;
        send_query(q);
    }
    if (!str_eq(kind, STR("message"))) return;
    const struct value *skipped = get(&v, "skipped");
    print_hits(q, get(&v, "hits"));
    if (skipped && skipped->type == VAL_INT && skipped->i > 0)
        fprintf(stderr, "binnacle: %lld lines skipped: they come too fast\n", (long long)skipped->i);
}

/* The whole events of what came so far; but for the first, only when the lines so far are printed. */
static void read_events(void *arg) {
    struct query *q = arg;
    size_t read = 0;
    for (size_t i = 0; i + 1 < q->stream.n && (!q->asked || q->caught_up); i++) {
        if (q->stream.p[i] != '\n' || q->stream.p[i + 1] != '\n') continue;
        read_event(q, str_sub(buf_str(&q->stream), read, i));
        read = i + 2;
    }
    if (read) memmove(q->stream.p, q->stream.p + read, q->stream.n -= read);
}

static void on_events(void *arg, str piece) {
    struct query *q = arg;
    buf_add(&q->stream, piece);
    loop_post(q->loop, read_events, q); /* not from inside the client: it may be asked for more */
}

static void tail_ended(void *arg, const struct http_call_result *r) {
    struct query *q = arg;
    if (r->status && r->status != 200)
        fprintf(stderr, "binnacle: HTTP %d: %" STR_F "\n", r->status, STR_A(r->body));
    else
        fprintf(stderr, "binnacle: %" STR_F " is gone%s%s\n", STR_A(q->server), r->err.code ? ": " : "", r->err.code ? r->err.msg : "");
    fail(q, r->status >= 400 ? ERR_INPUT : ERR_IO);
}

static void follow_logs(struct query *q, str query) {
    enum { DAYS = 20 };
    struct http_call call = call_to(q, STR("GET"), arena_printf(q->arena, "/ui/api/tail?q=%" STR_F, STR_A(encoded(q->arena, query))), STR_NULL);
    call.timeout_ms = DAYS * INT64_C(86400) * MS_PER_S;
    call.max_body_bytes = SIZE_MAX;
    call.on_data = on_events;
    http_client_send(q->client, &call, tail_ended, q);
}

static void answered(void *arg, const struct http_call_result *r) {
    struct query *q = arg;
    struct value reply;
    struct json j = json_open(r->body, q->arena);
    struct err e;
    if (r->err.code != ERR_NONE) {
        fprintf(stderr, "binnacle: no answer from %" STR_F ": %s\n", STR_A(q->server), r->err.msg);
        return fail(q, ERR_IO);
    }
    if (r->status != 200) {
        fprintf(stderr, "binnacle: HTTP %d: %" STR_F "\n", r->status, STR_A(r->body));
        return fail(q, ERR_INPUT);
    }
    if (q->raw && !q->follow) {
        printf("%" STR_F "\n", STR_A(r->body));
    } else if (json_value(&j, &reply) && json_done(&j, &e)) {
        q->print(q, &reply);
    } else {
        fprintf(stderr, "binnacle: %" STR_F " did not answer with JSON\n", STR_A(q->server));
        return fail(q, ERR_INPUT);
    }
    q->caught_up = true;
    if (q->follow)
        read_events(q);
    else
        loop_stop(q->loop);
}

static int usage(FILE *out) {
    fputs("usage: binnacle query [--server http://127.0.0.1:9090] [--json] KIND ...\n\n", out);
    for (size_t i = 0; i < ARRAY_N(kinds); i++) fprintf(out, "  %-8s %-27s %s\n", kinds[i].name, kinds[i].arguments, kinds[i].help);
    return out == stdout ? 0 : err_exit_code(ERR_INPUT);
}

static void run(struct query *q, bool follow, str query) {
    q->loop = loop_new();
    loop_own_thread();
    q->client = http_client_new(q->loop);
    if (follow)
        follow_logs(q, query);
    else
        send_query(q);
    loop_run(q->loop);
    http_client_free(q->client);
    loop_free(q->loop);
    buf_done(&q->stream);
}

int cmd_query(int argc, char **argv) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const char *server = getenv("BINNACLE_SERVER");
    struct query q = {.arena = a, .server = str_c(server ? server : "http://127.0.0.1:9090")};
    struct err e;
    str words[3] = {{0}};
    size_t word_n = 0;
    for (int i = 1; i < argc; i++) {
        str arg = str_c(argv[i]);
        if (str_eq(arg, STR("--help"))) return usage(stdout);
        if (str_eq(arg, STR("--json"))) {
            q.raw = true;
        } else if (str_eq(arg, STR("-f")) || str_eq(arg, STR("--follow"))) {
            q.follow = true;
        } else if (str_eq(arg, STR("--server")) && i + 1 < argc) {
            q.server = str_c(argv[++i]);
        } else if (str_eq(arg, STR("--since")) && i + 1 < argc) {
            if (!duration_parse(str_c(argv[++i]), &q.since_ms, &e)) {
                fprintf(stderr, "binnacle: --since: %s\n", e.msg);
                return err_exit_code(ERR_INPUT);
            }
        } else if (word_n < ARRAY_N(words)) {
            words[word_n++] = arg;
        } else {
            return usage(stderr);
        }
    }
    for (size_t i = 0; word_n && i < ARRAY_N(kinds); i++) {
        if (!str_eq_c(words[0], kinds[i].name)) continue;
        if ((q.follow || q.since_ms) && kinds[i].ask != ask_logs) return usage(stderr);
        kinds[i].ask(&q, words[1], words[2]);
        run(&q, q.follow, words[1]);
        return q.exit_code;
    }
    return usage(stderr);
}
