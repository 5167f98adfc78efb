/* wire/otlp_exphist: an OTLP exponential histogram -> a native histogram. Pure; any thread.
 * Source: opentelemetry-proto ExponentialHistogramDataPoint (bucket i holds (base^i, base^(i+1)]); Prometheus' native histograms (bucket i holds
 * (base^(i-1), base^i]), so indexes grow by one. Scales above 8 are merged down to 8. */
#pragma once
#include "model/sample.h"
#include "wire/otlp_msg.h"

struct otlp_buckets {
    int32_t offset;
    struct otlp_list counts; /* of uint64_t */
};
struct otlp_exphist {
    int32_t scale;
    uint64_t count, zero_count;
    double sum, zero_threshold;
    struct otlp_buckets positive, negative;
};
/* ERR_INPUT: the scale or a bucket index is out of range. */
MUST_USE bool otlp_exphist_convert(const struct otlp_exphist *h, struct arena *a, struct histogram **out, struct err *e);
