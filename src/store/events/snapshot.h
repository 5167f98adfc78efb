/* store/events/snapshot: the parts a query sees, pinned. Made and freed on the loop thread, read by any one thread. */
#pragma once
#include "store/events/events.h"
#include "store/events/match.h"

struct evdb_snapshot {
    enum event_kind kind;
    struct part **parts;
    size_t part_n;
    struct counter *damaged; /* blocks skipped; the store's */
};
struct evrow {
    struct block *block;
    uint32_t row;
    int64_t time_ns;
    uint64_t seq;
};
