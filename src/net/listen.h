/* net/listen: addresses ("host:port", "[::1]:9090", ":9090" for all interfaces) and sockets bound to them. Any thread.
 * Returned descriptors are non-blocking and close-on-exec; the caller closes them. */
#pragma once
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

enum { NET_ADDRESS_MAX = 56 }; /* "[ipv6%zone]:port" with its NUL */

/* ERR_INPUT: not an address. ERR_IO: does not resolve, or "127.0.0.1:9090 is in use by prometheus (pid 123)". */
MUST_USE bool net_bind(str address, int type /* SOCK_STREAM: listening too; SOCK_DGRAM */, int *fd, struct err *e);
/* Writes "127.0.0.1:54321" and returns it as a slice of out. */
str net_format_address(const struct sockaddr *sa, char out[static NET_ADDRESS_MAX]);
/* The local address of a socket: with port 0 the one the kernel chose. */
str net_local_address(int fd, char out[static NET_ADDRESS_MAX]);
