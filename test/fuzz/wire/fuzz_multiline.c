/* Any lines: no line is lost between beginning and continuing, and nothing continues what never began. */
#include "wire/multiline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct multiline m = {.rules = MULTILINE_ALL}, none = {0};
    str rest = str_n(data, size), line;
    bool first = true;
    for (bool more = size > 0; more; first = false) {
        more = str_cut(&rest, '\n', &line);
        bool continues = multiline_continues(&m, line);
        assert(!(first && continues) && !multiline_continues(&none, line));
        multiline_expects_more(&m, line);
    }
    return 0;
}
