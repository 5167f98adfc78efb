/* The PromQL evaluator: any expression over a store with gaps, staleness, resets, start times and both kinds of native histograms is evaluated or
 * refused, at one time, pinned with @, and over a range (the script runner does all three). Limits keep each run short. */
#include "base/buf.h"
#include "loop/loop.h"
#include "query/promql/script.h"

enum { EXPRESSION_MAX = 400 };

static const char data[] =
    "load 30s\n"
    "  hits_total{job=\"a\",i=\"1\"} 0+7x6 3+5x6 _x2 stale 1 2\n"
    "  hits_total{job=\"a\",i=\"2\"} 1 NaN Inf -Inf 0 _ 5 _x4 8\n"
    "  hits_total{job=\"b\",i=\"1\"} 1+1x20\n"
    "  hits_total{job=\"b\",i=\"1\"}@st -30sx20\n"
    "  gauge{job=\"a\"} -5+1x20\n"
    "  request_bucket{job=\"a\",le=\"0.1\"} 0+1x20\n"
    "  request_bucket{job=\"a\",le=\"1\"} 0+3x20\n"
    "  request_bucket{job=\"a\",le=\"+Inf\"} 0+4x20\n"
    "  native{job=\"a\"} {{schema:1 count:6 sum:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 1] n_buckets:[1]}}+{{schema:0 count:2 sum:3 buckets:[1 "
    "1]}}x8 stale 4\n"
    "  custom{job=\"a\"} {{schema:-53 count:6 sum:9 custom_values:[1 2 5] buckets:[1 2 3]}}x5 {{schema:-53 count:4 sum:9 custom_values:[2 5] "
    "buckets:[1 2 1]}}x5\n"
    "  target_info{job=\"a\",instance=\"x\",version=\"1\"} 1x20\n"
    "\n";

static void on_eval(void *arg, const struct script_report *r) {
    (void)arg;
    (void)r; /* nothing is expected of the values */
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
    struct buf b = {0};
    struct err e;
    if (size == 0 || size > EXPRESSION_MAX) return 0;
    loop_own_thread();
    buf_add(&b, STR(data));
    buf_add(&b, STR("eval instant at 4m "));
    for (size_t i = 0; i < size; i++) buf_char(&b, input[i] == '\n' || input[i] == '\r' ? ' ' : (char)input[i]);
    buf_char(&b, '\n');
    if (!script_run(buf_str(&b), on_eval, NULL, &e)) e.msg[0] = 0; /* a script that is none: fine */
    buf_done(&b);
    return 0;
}
