/* Any bytes as a number: as strtod where both accept; any double as text: reads back the same. Durations and times ride along. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/duration.h"
#include "codec/num.h"
#include "codec/timefmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(str s) {
    double ours;
    if (!num_parse_double(s, &ours)) return;
    char *z = malloc(s.n + 1), *end;
    assert(z);
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    double theirs = strtod(z, &end);
    assert(end == z + s.n);
    assert((isnan(ours) && isnan(theirs)) || memcmp(&ours, &theirs, sizeof ours) == 0);
    free(z);
}

static void check_double(double v) {
    char text[NUM_DOUBLE_MAX];
    size_t n = num_format_double(text, v);
    double again;
    assert(n <= sizeof text && num_parse_double(str_n(text, n), &again));
    assert((isnan(v) && isnan(again)) || memcmp(&v, &again, sizeof v) == 0);
}

static void check_times(str s) {
    struct err e = {0};
    int64_t v;
    struct buf b = {0};
    if (duration_parse(s, &v, &e)) {
        int64_t again;
        duration_put(&b, v);
        assert(duration_parse(buf_str(&b), &again, &e) && again == v);
        buf_clear(&b);
    }
    if (time_parse_rfc3339(s, &v, &e)) {
        int64_t again;
        time_put_rfc3339_ns(&b, v);
        assert(time_parse_rfc3339(buf_str(&b), &again, &e) && again == v);
    }
    if (!duration_parse_go(s, &v, &e)) assert(e.code == ERR_INPUT);
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    double v;
    check_text(str_n(data, size));
    check_times(str_n(data, size));
    if (size >= sizeof v) {
        memcpy(&v, data, sizeof v);
        check_double(v);
    }
    return 0;
}
