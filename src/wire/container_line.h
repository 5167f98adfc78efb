/* wire/container_line: one line of a container's log file as the kubelet (CRI) or docker writes it. Pure; any thread.
 * Source: Kubernetes CRI logging format "TIME STREAM TAGS MESSAGE" (TAGS P partial or F full, a list separated by ':'); docker's json-file driver
 * {"log":"...\n","stream":"...","time":"..."}, partial until the log text ends in a newline. */
#pragma once
#include "base/arena.h"

struct container_line {
    int64_t time_ns;
    str stream;   /* "stdout" or "stderr" */
    bool partial; /* the message goes on in the next line of the same stream */
    str message;  /* without its newline; borrows from the line, or (docker's escapes) from the arena */
};
/* line: without newline. false: neither form. */
MUST_USE bool container_line_parse(str line, struct arena *a, struct container_line *out);
