/* Shapes of log lines: any bytes, bounded output, and a shape is its own shape. */
#include "api/logs_patterns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct buf once = {0}, twice = {0};
    pattern_put(&once, str_n((const char *)data, n));
    assert(once.n <= 2 * PATTERN_BYTES_MAX + sizeof PATTERN_HOLE);
    if (once.n <= PATTERN_BYTES_MAX) {
        pattern_put(&twice, buf_str(&once));
        assert(str_eq(buf_str(&once), buf_str(&twice)));
    }
    buf_done(&once);
    buf_done(&twice);
    return 0;
}
