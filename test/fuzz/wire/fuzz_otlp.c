/* First byte: signal and encoding; the rest is a request. What was decoded is looked at whole. */
#include "wire/otlp_logs.h"
#include "wire/otlp_metrics.h"
#include "wire/otlp_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_events(struct event_batch *b) {
    for (size_t i = 0; i < b->event_n; i++) {
        assert(b->events[i].stream < b->stream_n);
        for (size_t k = 0; k < b->events[i].attr_n; k++) (void)value_copy(b->arena, &b->events[i].attrs[k].value);
    }
    event_batch_free(b);
}

static void use_metrics(struct otlp_metric_batches *out) {
    for (size_t i = 0; i < out->n; i++) {
        struct metric_batch *b = out->p[i];
        for (size_t row = 0; row < b->row_n; row++) {
            struct labels ls;
            bool ok = b->row_labels(b, row, b->arena, &ls, NULL);
            assert(ok && b->rows[row].sample_at + b->rows[row].sample_n <= b->sample_n);
        }
    }
    otlp_metric_batches_done(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    str body = str_n(data + 1, size - 1);
    enum otlp_encoding enc = data[0] & 1 ? OTLP_JSON : OTLP_PROTOBUF;
    struct event_batch *events;
    struct otlp_metric_batches metrics;
    struct otlp_partial partial;
    const struct otlp_metrics_options options = {.translation = (enum otlp_translation)(data[0] / 6 % 4), .promote_all = data[0] & 64};
    struct err e;
    switch (data[0] / 2 % 3) {
    case 0:
        if (otlp_trace_decode(enc, body, 1, &events, &partial, &e)) use_events(events);
        break;
    case 1:
        if (otlp_logs_decode(enc, body, 1, &events, &partial, &e)) use_events(events);
        break;
    case 2:
        if (otlp_metrics_decode(enc, body, 1, &options, &metrics, &partial, &e)) use_metrics(&metrics);
        break;
    }
    return 0;
}
