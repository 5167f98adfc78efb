/* codec/yaml: a small tree over libyaml that keeps line:column for messages. Pure; any thread. Aliases and merge keys are resolved within a
 * node budget; duplicate keys are refused. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum yaml_type { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };
struct yaml {
    enum yaml_type type;
    unsigned line, column; /* 1-based */
    bool quoted;           /* a quoted scalar is a string whatever it looks like */
    str scalar;
    size_t n; /* items of a list or map */
    const struct yaml_pair *pairs;
    const struct yaml *items;
};
struct yaml_pair {
    str key;
    unsigned line, column;
    struct yaml value;
};
/* file names the source in messages: "binnacle.yml:3:7: ...". An empty document is YAML_NULL. */
MUST_USE bool yaml_parse(str text, const char *file, struct arena *a, struct yaml *out, struct err *e);
const struct yaml *yaml_get(const struct yaml *map, str key); /* NULL: absent or no map */
MUST_USE bool yaml_bool(const struct yaml *y, bool *out);
