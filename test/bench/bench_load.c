/* bench_load: the client side of ./dev bench metrics. One JSON object a line on standard output; CPU is that of the server, to the nanosecond.
 *
 *   bench_load send FILE PORT PATH CONNECTIONS PID FROM TO   replays steps [FROM, TO) of bench_gen's FILE as fast as the server takes them; all
 *                                                            connections wait for each other after a step, so that time goes on in order
 *   bench_load query FILE PORT PID N SECONDS                 each line NAME <tab> PATH of FILE: up to N requests or SECONDS on one connection
 *
 * A body that is answered 503 is sent again after 50 ms, up to 200 times; other refusals are counted and not repeated, 429 neither (Prometheus'
 * default). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/buf.h"
#include "bench/bench_body.h"

static _Noreturn void die(const char *what) {
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(7);
}

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) die("clock_gettime");
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double cpu_s(pid_t pid) {
    clockid_t clock;
    return pid && clock_getcpuclockid(pid, &clock) == 0 ? (double)now_ns(clock) / 1e9 : 0;
}

/* All that the other processes of the machine used since boot: says how quiet it was. */
static double machine_cpu_s(void) {
    double total = 0;
    unsigned long long v[8] = {0};
    FILE *f = fopen("/proc/stat", "r");
    if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7) != 8) die("/proc/stat");
    fclose(f);
    for (int i = 0; i < 8; i++) total += i == 3 || i == 4 ? 0 : (double)v[i]; /* without idle and waiting */
    return total / (double)sysconf(_SC_CLK_TCK);
}

/* --- HTTP/1.1, keep-alive, one request at a time */

struct client {
    int fd;
    uint16_t port;
    struct buf in; /* bytes received and not used */
    size_t at;
};

static bool client_connect(struct client *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (c->fd >= 0) close(c->fd);
    buf_clear(&c->in);
    c->at = 0;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool client_write(struct client *c, const void *p, size_t n) {
    for (const char *at = p; n;) {
        ssize_t k = send(c->fd, at, n, MSG_NOSIGNAL);
        if (k <= 0) return false;
        at += k;
        n -= (size_t)k;
    }
    return true;
}

static bool client_read(struct client *c) {
    if (c->at == c->in.n) buf_clear(&c->in), c->at = 0;
    buf_reserve(&c->in, 1 << 16);
    ssize_t k = recv(c->fd, c->in.p + c->in.n, c->in.cap - c->in.n, 0);
    if (k <= 0) return false;
    c->in.n += (size_t)k;
    return true;
}

/* The next line without its end. Borrowed until the next read. */
static bool client_line(struct client *c, str *line) {
    for (;;) {
        str rest = str_n(c->in.p + c->at, c->in.n - c->at);
        size_t end = rest.n ? str_find_char(rest, '\n') : STR_NONE;
        if (end != STR_NONE) {
            *line = str_trim(str_sub(rest, 0, end));
            c->at += end + 1;
            return true;
        }
        if (!client_read(c)) return false;
    }
}

static bool client_skip(struct client *c, uint64_t n, uint64_t *total) {
    *total += n;
    while (n) {
        size_t have = c->in.n - c->at, used = have < n ? have : (size_t)n;
        c->at += used;
        n -= used;
        if (n && !client_read(c)) return false;
    }
    return true;
}

/* Reads one response; its body is only counted. */
static bool client_response(struct client *c, int *status, uint64_t *bytes) {
    str line;
    bool chunked = false;
    uint64_t n = 0;
    *bytes = 0;
    if (!client_line(c, &line) || line.n < 12) return false;
    *status = atoi(line.p + 9);
    for (;;) {
        str name;
        if (!client_line(c, &line)) return false;
        if (line.n == 0) break;
        str_cut(&line, ':', &name);
        line = str_trim(line);
        if (str_eq_nocase(name, STR("content-length"))) n = strtoull(line.p, NULL, 10);
        if (str_eq_nocase(name, STR("transfer-encoding"))) chunked = str_eq_nocase(line, STR("chunked"));
    }
    if (*status == 204) return true;
    if (!chunked) return client_skip(c, n, bytes);
    do {
        if (!client_line(c, &line)) return false;
        n = strtoull(line.p, NULL, 16);
        if (!client_skip(c, n, bytes) || !client_line(c, &line)) return false;
    } while (n);
    return true;
}

/* --- send */

struct sending {
    const struct body_header *h;
    const char *file;
    const struct body_entry *index;
    const char *path;
    uint16_t port;
    uint64_t from, to;
    pthread_barrier_t step_done;
    _Atomic uint64_t next_chunk, samples, refused_samples, retries, bytes;
    _Atomic int last_refusal;
};

static void send_one(struct sending *s, struct client *c, const struct body_entry *b) {
    char head[512];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                     "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %u\r\n\r\n",
                     s->path, s->port, b->bytes);
    int status = 0, broken = 0;
    uint64_t got;
    for (int tries = 0; tries < 200; tries++) {
        if (!client_write(c, head, (size_t)n) || !client_write(c, s->file + b->at, b->bytes) || !client_response(c, &status, &got)) {
            if (++broken > 20) die("the server closed the connection 20 times");
            usleep(20000);
            client_connect(c);
            continue;
        }
        if (status != 503) break;
        atomic_fetch_add(&s->retries, 1);
        usleep(50000);
    }
    atomic_fetch_add(&s->bytes, b->bytes);
    if (status / 100 == 2) {
        atomic_fetch_add(&s->samples, b->samples);
    } else {
        atomic_fetch_add(&s->refused_samples, b->samples);
        atomic_store(&s->last_refusal, status);
    }
}

static void *send_loop(void *arg) {
    struct sending *s = arg;
    struct client c = {.fd = -1, .port = s->port};
    if (!client_connect(&c)) die("connect");
    for (uint64_t step = s->from; step < s->to; step++) {
        for (uint64_t k; (k = atomic_fetch_add(&s->next_chunk, 1)) < s->h->chunks;) send_one(s, &c, &s->index[step * s->h->chunks + k]);
        if (pthread_barrier_wait(&s->step_done) == PTHREAD_BARRIER_SERIAL_THREAD) atomic_store(&s->next_chunk, 0);
        pthread_barrier_wait(&s->step_done);
    }
    close(c.fd);
    buf_done(&c.in);
    return NULL;
}

static int send_bodies(char **a) {
    struct sending s = {.port = (uint16_t)atoi(a[1]), .path = a[2], .from = strtoull(a[5], NULL, 10), .to = strtoull(a[6], NULL, 10)};
    unsigned connections = (unsigned)atoi(a[3]);
    pid_t pid = atoi(a[4]);
    pthread_t threads[64];
    int fd = open(a[0], O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) die(a[0]);
    s.file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (s.file == MAP_FAILED) die(a[0]);
    s.h = (const struct body_header *)s.file;
    if (memcmp(s.h->magic, BODY_MAGIC, sizeof BODY_MAGIC) != 0 || connections == 0 || connections > 64)
        return fputs("bench_load: not a body file\n", stderr), 2;
    s.index = (const struct body_entry *)(s.file + s.h->index_at);
    if (s.to > s.h->steps) s.to = s.h->steps;
    pthread_barrier_init(&s.step_done, NULL, connections);

    double server = cpu_s(pid), machine = machine_cpu_s();
    int64_t began = now_ns(CLOCK_MONOTONIC), own = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < connections; i++) {
        if (pthread_create(&threads[i], NULL, send_loop, &s) != 0) die("pthread_create");
    }
    for (unsigned i = 0; i < connections; i++) pthread_join(threads[i], NULL);
    double wall = (double)(now_ns(CLOCK_MONOTONIC) - began) / 1e9, sender = (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - own) / 1e9;
    server = cpu_s(pid) - server;
    printf(
        "{\"samples\": %llu, \"refused\": %llu, \"last_refusal\": %d, \"retries\": %llu, \"bytes\": %llu, \"wall_s\": %.3f, \"cpu_s\": %.4f, "
        "\"sender_cpu_s\": %.3f, \"other_cpu_s\": %.2f}\n",
        (unsigned long long)s.samples, (unsigned long long)s.refused_samples, s.last_refusal, (unsigned long long)s.retries,
        (unsigned long long)s.bytes, wall, server, sender, machine_cpu_s() - machine - server - sender);
    return 0;
}

/* --- query */

static int by_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool query_once(struct client *c, const struct buf *request, int *status, uint64_t *bytes) {
    return (client_write(c, request->p, request->n) && client_response(c, status, bytes)) ||
           (client_connect(c) && client_write(c, request->p, request->n) && client_response(c, status, bytes));
}

static void query_line(struct client *c, str name, str path, pid_t pid, size_t n, double seconds) {
    struct buf request = {0};
    int64_t *took = calloc(n, sizeof *took), began;
    int status = 0;
    uint64_t bytes = 0;
    size_t done = 0;
    if (!took) abort();
    buf_printf(&request, "GET %" STR_F " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n\r\n", STR_A(path));
    for (int i = 0; i < 2; i++) { /* warm */
        if (!query_once(c, &request, &status, &bytes)) die("query");
    }
    double cpu = cpu_s(pid);
    int64_t start = now_ns(CLOCK_MONOTONIC);
    while (done < n && (done < 3 || (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e9 < seconds)) {
        began = now_ns(CLOCK_MONOTONIC);
        if (!query_once(c, &request, &status, &bytes)) die("query");
        took[done++] = now_ns(CLOCK_MONOTONIC) - began;
    }
    cpu = cpu_s(pid) - cpu;
    qsort(took, done, sizeof *took, by_time);
    printf("{\"name\": \"%" STR_F "\", \"status\": %d, \"n\": %zu, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"cpu_ms\": %.4f, \"bytes\": %llu}\n",
           STR_A(name), status, done, (double)took[done / 2] / 1e6, (double)took[done * 99 / 100] / 1e6, cpu * 1e3 / (double)done,
           (unsigned long long)bytes);
    fflush(stdout);
    buf_done(&request);
    free(took);
}

static int query(char **a) {
    FILE *f = fopen(a[0], "r");
    struct client c = {.fd = -1, .port = (uint16_t)atoi(a[1])};
    char *line = NULL;
    size_t cap = 0;
    ssize_t got;
    if (!f || !client_connect(&c)) die(a[0]);
    while ((got = getline(&line, &cap, f)) > 0) {
        str path = str_trim(str_n(line, (size_t)got)), name;
        if (path.n && str_cut(&path, '\t', &name)) query_line(&c, name, path, atoi(a[2]), strtoull(a[3], NULL, 10), atof(a[4]));
    }
    fclose(f);
    free(line);
    close(c.fd);
    buf_done(&c.in);
    return 0;
}

int main(int n, char **a) {
    signal(SIGPIPE, SIG_IGN);
    if (n == 9 && strcmp(a[1], "send") == 0) return send_bodies(a + 2);
    if (n == 7 && strcmp(a[1], "query") == 0) return query(a + 2);
    fputs("usage: bench_load send FILE PORT PATH CONNECTIONS PID FROM TO | bench_load query FILE PORT PID N SECONDS\n", stderr);
    return 2;
}
