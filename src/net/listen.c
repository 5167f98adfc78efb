#include "net/listen.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

str net_format_address(const struct sockaddr *sa, char out[static NET_ADDRESS_MAX]) {
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        port = ntohs(v4->sin_port);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        port = ntohs(v6->sin6_port);
    }
    int n = sa->sa_family == AF_INET6 ? snprintf(out, NET_ADDRESS_MAX, "[%s]:%u", host, port) : snprintf(out, NET_ADDRESS_MAX, "%s:%u", host, port);
    return str_n(out, (size_t)n);
}

str net_local_address(int fd, char out[static NET_ADDRESS_MAX]) {
    struct sockaddr_storage sa = {0};
    socklen_t n = sizeof sa;
    getsockname(fd, (struct sockaddr *)&sa, &n);
    return net_format_address((struct sockaddr *)&sa, out);
}

/* ---- who has the port ---- */

/* The socket inode listening on (TCP) or bound to (UDP) a port, from one of /proc/net/{tcp,udp}{,6}; 0: none. */
static unsigned long inode_of_port(const char *table, unsigned port, bool tcp) {
    FILE *f = fopen(table, "re");
    if (!f) return 0;
    char line[512];
    unsigned long found = 0;
    while (!found && fgets(line, sizeof line, f)) {
        unsigned local_port, state;
        unsigned long inode;
        int n = sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", &local_port, &state, &inode);
        if (n == 3 && local_port == port && (!tcp || state == 0x0A /* LISTEN */)) found = inode;
    }
    fclose(f);
    return found;
}

static bool has_descriptor(long pid, const char *link) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    DIR *d = opendir(path);
    if (!d) return false; /* another user's, or it just ended */
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(d));) {
        char target[64];
        ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof target - 1);
        if (n <= 0) continue;
        target[n] = 0;
        found = strcmp(target, link) == 0;
    }
    closedir(d);
    return found;
}

static void process_name(long pid, char out[static 32]) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    snprintf(out, 32, "a process");
    FILE *f = fopen(path, "re");
    if (!f) return;
    if (fgets(out, 32, f)) out[strcspn(out, "\n")] = 0;
    fclose(f);
}

/* "prometheus (pid 123)"; false when it cannot be seen from here (another user, another container). */
static bool find_owner(unsigned port, bool tcp, char *out, size_t out_n) {
    unsigned long inode = inode_of_port(tcp ? "/proc/net/tcp" : "/proc/net/udp", port, tcp);
    if (!inode) inode = inode_of_port(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", port, tcp);
    if (!inode) return false;
    char link[40];
    snprintf(link, sizeof link, "socket:[%lu]", inode);
    DIR *proc = opendir("/proc");
    if (!proc) return false;
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(proc));) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || !has_descriptor(pid, link)) continue;
        char name[32];
        process_name(pid, name);
        snprintf(out, out_n, "%s (pid %ld)", name, pid);
        found = true;
    }
    closedir(proc);
    return found;
}

/* ---- binding ---- */

static bool bind_failed(str address, const struct sockaddr *sa, int type, struct err *e) {
    int why = errno;
    if (why != EADDRINUSE) return err_errno(e, ERR_IO, why, "cannot listen on %" STR_F, STR_A(address));
    unsigned port = ntohs(sa->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)sa)->sin6_port : ((const struct sockaddr_in *)sa)->sin_port);
    char owner[80] = "another process";
    find_owner(port, type == SOCK_STREAM, owner, sizeof owner);
    return err_set(e, ERR_IO, "%" STR_F " is in use by %s", STR_A(address), owner);
}

static bool bind_one(str address, const struct addrinfo *ai, int type, int *out, struct err *e) {
    int fd = socket(ai->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_errno(e, ERR_IO, errno, "cannot listen on %" STR_F, STR_A(address));
    int on = 1, off = 0;
    if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        bind_failed(address, ai->ai_addr, type, e);
        close(fd);
        return false;
    }
    *out = fd;
    return true;
}

static bool split(str address, char host[static 256], char port[static 8], struct err *e) {
    size_t colon = STR_NONE;
    for (size_t i = 0; i < address.n; i++)
        if (address.p[i] == ':') colon = i;
    uint64_t number;
    str h = str_sub(address, 0, colon);
    str p = str_from(address, colon == STR_NONE ? address.n : colon + 1);
    bool bracketed = h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']';
    if (bracketed) h = str_sub(h, 1, h.n - 1);
    if (!str_u64(p, &number) || number > 65535 || h.n > 255 || (!bracketed && str_find_char(h, ':') != STR_NONE) || str_find_char(h, 0) != STR_NONE)
        return err_set(e, ERR_INPUT, "not an address: \"%" STR_F "\" (expected host:port, [ipv6]:port or :port)", STR_A(str_sub(address, 0, 100)));
    /* RFC 6761 6.3: loopback whatever the resolver says; a bare system has no /etc/hosts. 127.0.0.1, not ::1: clients with old habits expect it. */
    if (str_eq(h, STR("localhost"))) h = STR("127.0.0.1");
    if (h.n) memcpy(host, h.p, h.n);
    host[h.n] = 0;
    snprintf(port, 8, "%u", (unsigned)number);
    return true;
}

static bool kernel_has_ipv6(void) {
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

bool net_bind(str address, int type, int *fd, struct err *e) {
    char host[256];
    char port[8];
    if (!split(address, host, port, e)) return false;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = type, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (failed) return err_set(e, ERR_IO, "cannot resolve \"%s\": %s", host, gai_strerror(failed));
    /* For all interfaces one IPv6 socket takes both. */
    int preferred = !host[0] && kernel_has_ipv6() ? AF_INET6 : AF_INET;
    const struct addrinfo *best = found;
    while (best && best->ai_family != preferred) best = best->ai_next;
    bool ok = bind_one(address, best ? best : found, type, fd, e);
    freeaddrinfo(found);
    return ok;
}
