/* A line of a container's log file, and what is in it. */
#include "wire/container_line.h"
#include "wire/log_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO(arena_free) struct arena *a = arena_new(256);
    str line = str_n(data, size);
    struct container_line c;
    struct event ev = {0};
    if (container_line_parse(line, a, &c)) line = c.message;
    log_line_event(line, 1795348800000000000, a, &ev);
    assert(ev.severity <= 24 && (ev.body.n == 0 || ev.body.p));
    return 0;
}
