/* An upload of a journal. */
#include "wire/journal_export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct event_batch *b = NULL;
    struct err e;
    if (!journal_export_decode(str_n(data, size), 1795348800000000000, &b, &e)) return 0;
    for (size_t i = 0; i < b->event_n; i++) assert(b->events[i].stream < b->stream_n);
    event_batch_free(b);
    return 0;
}
