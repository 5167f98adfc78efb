/* bench_body: the file between bench_gen, which makes remote write bodies, and bench_load, which replays them: made beforehand, mapped, and sent as
 * they are, so that the sender is never what limits a receiver.
 *
 *   header | bodies, end to end | index: steps x chunks entries, step by step
 *
 * A step is one timestamp of every series, a chunk the same `batch` series at every step. Host byte order: the file lives as long as one run. */
#pragma once
#include <stdint.h>

#define BODY_MAGIC "bnbody1"

struct body_header {
    char magic[8];
    uint64_t series, steps, chunks, batch, index_at;
    int64_t start_ms, step_ms;
};
struct body_entry {
    uint64_t at;
    uint32_t bytes, samples;
};
