#include "wire/es_bulk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct es_bulk out;
    const char *type;
    struct err e;
    if (!es_bulk_decode(&(struct es_bulk_in){.body = str_n(data, size), .index = STR("i"), .now_ns = 1}, &out, &type, &e)) {
        assert(type);
        return 0;
    }
    for (size_t i = 0; i < out.item_n; i++)
        assert(out.items[i].event < out.batch->event_n || (out.items[i].event == ES_NO_EVENT && out.items[i].error_type));
    event_batch_free(out.batch);
    return 0;
}
