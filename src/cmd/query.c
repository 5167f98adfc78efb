/* cmd/query: asks a running server: `binnacle query metrics EXPR`, `logs QUERY`, `traces [SERVICE] [TAGS]`. One line per series, log line or trace;
 * --json prints the server's reply as it is. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "codec/json.h"
#include "codec/text.h"
#include "codec/timefmt.h"
#include "net/http_client.h"

struct query {
    struct arena *arena;
    str server, method, path, body;
    bool raw;
    void (*print)(struct query *q, const struct value *reply);
    struct loop *loop;
    int exit_code;
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

static void print_logs(struct query *q, const struct value *reply) {
    (void)q;
    const struct value *hits = get(get(reply, "hits"), "hits");
    for (size_t i = items_of(hits); i-- > 0;) { /* oldest first, as a log reads */
        const struct value *source = get(&hits->items[i], "_source");
        printf("%" STR_F " %-12" STR_F " %" STR_F "\n", STR_A(text_of(get(source, "@timestamp"))), STR_A(text_of(get(source, "service.name"))),
               STR_A(text_of(get(source, "message"))));
    }
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

static void ask_logs(struct query *q, str query, str more) {
    (void)more;
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "size");
    json_put_i64(&o, 100);
    json_put_key_c(&o, "query");
    json_put_raw(&o, STR("{\"query_string\":{\"default_field\":\"message\",\"query\":"));
    json_put_string(&(struct json_out){.buf = &b}, query.n ? query : STR("*"));
    buf_add(&b, STR("}},\"sort\":[{\"@timestamp\":\"desc\"}]}"));
    q->body = arena_str(q->arena, buf_str(&b));
    buf_done(&b);
    q->method = STR("POST");
    q->path = STR("/_search");
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
    {"logs", "[QUERY]", "the newest 100 log lines that fit a Lucene query", ask_logs},
    {"traces", "[SERVICE [TAGS]]", "the newest 20 traces; TAGS as logfmt: 'http.status_code=500 error=true'", ask_traces},
};

static void answered(void *arg, const struct http_call_result *r) {
    struct query *q = arg;
    struct value reply;
    struct json j = json_open(r->body, q->arena);
    struct err e;
    if (r->err.code != ERR_NONE) {
        fprintf(stderr, "binnacle: no answer from %" STR_F ": %s\n", STR_A(q->server), r->err.msg);
        q->exit_code = err_exit_code(ERR_IO);
    } else if (r->status != 200) {
        fprintf(stderr, "binnacle: HTTP %d: %" STR_F "\n", r->status, STR_A(r->body));
        q->exit_code = err_exit_code(ERR_INPUT);
    } else if (q->raw) {
        printf("%" STR_F "\n", STR_A(r->body));
    } else if (json_value(&j, &reply) && json_done(&j, &e)) {
        q->print(q, &reply);
    } else {
        fprintf(stderr, "binnacle: %" STR_F " did not answer with JSON\n", STR_A(q->server));
        q->exit_code = err_exit_code(ERR_INPUT);
    }
    loop_stop(q->loop);
}

static int usage(FILE *out) {
    fputs("usage: binnacle query [--server http://127.0.0.1:9090] [--json] KIND ...\n\n", out);
    for (size_t i = 0; i < ARRAY_N(kinds); i++) fprintf(out, "  %-8s %-18s %s\n", kinds[i].name, kinds[i].arguments, kinds[i].help);
    return out == stdout ? 0 : err_exit_code(ERR_INPUT);
}

static void send_query(struct query *q) {
    const struct http_call_header json = {STR("Content-Type"), STR("application/json")};
    const struct http_call call = {.url = arena_printf(q->arena, "%" STR_F "%" STR_F, STR_A(q->server), STR_A(q->path)),
                                   .method = q->method,
                                   .body = q->body,
                                   .headers = &json,
                                   .header_n = 1,
                                   .timeout_ms = 130 * MS_PER_S,
                                   .max_body_bytes = (size_t)1 << 30};
    q->loop = loop_new();
    loop_own_thread();
    struct http_client *client = http_client_new(q->loop);
    http_client_send(client, &call, answered, q);
    loop_run(q->loop);
    http_client_free(client);
    loop_free(q->loop);
}

int cmd_query(int argc, char **argv) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const char *server = getenv("BINNACLE_SERVER");
    struct query q = {.arena = a, .server = str_c(server ? server : "http://127.0.0.1:9090")};
    str words[3] = {{0}};
    size_t word_n = 0;
    for (int i = 1; i < argc; i++) {
        str arg = str_c(argv[i]);
        if (str_eq(arg, STR("--help"))) return usage(stdout);
        if (str_eq(arg, STR("--json")))
            q.raw = true;
        else if (str_eq(arg, STR("--server")) && i + 1 < argc)
            q.server = str_c(argv[++i]);
        else if (word_n < ARRAY_N(words))
            words[word_n++] = arg;
        else
            return usage(stderr);
    }
    for (size_t i = 0; word_n && i < ARRAY_N(kinds); i++) {
        if (!str_eq_c(words[0], kinds[i].name)) continue;
        kinds[i].ask(&q, words[1], words[2]);
        send_query(&q);
        return q.exit_code;
    }
    return usage(stderr);
}
