/* Any bytes as YAML: a tree within its bounds, or an error that names the file. */
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct yaml *y, unsigned depth) {
    assert(depth <= 64 && y->line >= 1 && y->column >= 1);
    bool b;
    if (yaml_bool(y, &b)) assert(y->type == YAML_SCALAR);
    for (size_t i = 0; i < y->n && y->type == YAML_LIST; i++) walk(&y->items[i], depth + 1);
    for (size_t i = 0; i < y->n && y->type == YAML_MAP; i++) {
        assert(yaml_get(y, y->pairs[i].key) == &y->pairs[i].value);
        walk(&y->pairs[i].value, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *a = arena_new(4096);
    struct yaml y;
    struct err e = {0};
    if (yaml_parse(str_n(data, size), "f.yml", a, &y, &e))
        walk(&y, 1);
    else
        assert(e.code == ERR_INPUT && str_starts(err_str(&e), STR("f.yml:")));
    arena_free(a);
    return 0;
}
